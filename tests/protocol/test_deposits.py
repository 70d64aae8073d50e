"""Tokens that enter an account, and the caps on them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.actions import Deposit, Withdraw
from protocol.env import Env
from protocol.errors import Refusal
from protocol.events import AccountUpdated, CollateralUpdated, LedgerUpdated, TokenUpdated
from protocol.state import USDC, Token, account_id
from protocol.transition import apply
from protocol.units import SIGNED_LIMIT, UNITS_LIMIT, UNSIGNED_LIMIT, USDC_TO_W, W
from tests.protocol.build import (
    ACCOUNT,
    BORROWER,
    BTC,
    COLLATERAL,
    KEEPER,
    NOW,
    STRANGER,
    WETH,
    cash_of,
    check_order_of,
    env,
    holding,
    opened,
    outcome_of,
    refused,
    run,
    state_with,
)

DOLLAR = 10**6  # units of USDC
NO_PRICES = Env(NOW, BORROWER, ())
UNCAPPED = (replace(COLLATERAL[0], account_cap=UNITS_LIMIT - 1, global_cap=UNITS_LIMIT - 1),)


def test_an_account_begins_with_its_first_deposit() -> None:
    """DEP-1: before it the account does not exist, after it the account is the last one registered."""
    state = state_with({KEEPER: holding(W)})
    assert ACCOUNT not in state.accounts
    outcome = run(state, env(), Deposit(ACCOUNT, USDC, DOLLAR))
    assert list(outcome.state.accounts) == [KEEPER, ACCOUNT]
    assert outcome.state.accounts[ACCOUNT] == holding(W)


def test_anyone_may_deposit_for_any_owner() -> None:
    """DEP-1, N3, X12, B46: the sender does not matter, and only the account that receives changes."""
    state = state_with({ACCOUNT: holding(W)})
    by_owner = run(state, env(), Deposit(ACCOUNT, USDC, DOLLAR))
    by_stranger = run(state, env(STRANGER), Deposit(ACCOUNT, USDC, DOLLAR))
    assert by_owner == by_stranger
    assert cash_of(by_owner.state) == 2 * W


@pytest.mark.parametrize("sub", [0, 1, 2**96 - 1])
def test_an_account_needs_an_owner(sub: int) -> None:
    """DEP-1, B41: nobody could withdraw from an account of the zero address; every sub-account of others is fine."""
    state = state_with()
    assert refused(state, env(), Deposit(sub, USDC, 1)) == "account/no-owner"
    assert ACCOUNT + sub in run(state, env(), Deposit(ACCOUNT + sub, USDC, 1)).state.accounts
    assert 1 << 96 in run(state, env(), Deposit(1 << 96, USDC, 1)).state.accounts


def test_an_account_id_is_owner_and_number() -> None:
    """DEP-1: accounts of one owner are next to each other."""
    assert account_id(BORROWER) == BORROWER << 96 == ACCOUNT
    assert account_id(BORROWER, 5) == ACCOUNT + 5


def test_usdc_becomes_cash_and_other_tokens_collateral() -> None:
    """DEP-2: worked events of both, a first deposit and a repeated one."""
    first = run(state_with(), env(), Deposit(ACCOUNT, USDC, 3))
    assert first.events == (TokenUpdated(USDC, 3, 0), AccountUpdated(ACCOUNT, 3 * 10**12))
    again = run(first.state, env(), Deposit(ACCOUNT, USDC, 4))
    assert again.events == (TokenUpdated(USDC, 7, 0), AccountUpdated(ACCOUNT, 7 * 10**12))
    weth = run(again.state, env(), Deposit(ACCOUNT, WETH, 5))
    assert weth.events == (TokenUpdated(WETH, 5, 0), CollateralUpdated(ACCOUNT, WETH, 5))
    more = run(weth.state, env(), Deposit(ACCOUNT, WETH, 6))
    assert more.events == (TokenUpdated(WETH, 11, 0), CollateralUpdated(ACCOUNT, WETH, 11))
    assert more.state.accounts[ACCOUNT] == holding(7 * 10**12, {WETH: 11})
    new = run(state_with(), env(), Deposit(ACCOUNT, WETH, 5))
    assert new.events == (TokenUpdated(WETH, 5, 0), AccountUpdated(ACCOUNT, 0), CollateralUpdated(ACCOUNT, WETH, 5))


@pytest.mark.parametrize(
    ("cash", "reports"),
    [(-3 * 10**12, True), (-(10**12), True), (-1, True), (0, False), (1, False)],
)
def test_a_deposit_repays_debt_and_reports_the_ledger_then(cash: int, reports: bool) -> None:
    """DEP-2, LED-1: cash first lowers what the account owes, and the total of debts with it."""
    state = state_with({ACCOUNT: holding(cash)})
    outcome = run(state, env(), Deposit(ACCOUNT, USDC, 1))
    debt = max(-cash - 10**12, 0)
    assert outcome.state.ledger.trader_debt == debt
    ledgers = [event for event in outcome.events if isinstance(event, LedgerUpdated)]
    assert ledgers == ([LedgerUpdated(0, 0, 0, debt, 0, 0)] if reports else [])


def test_deposits_need_no_price_and_no_margin() -> None:
    """DEP-2, S9: a bankrupt account may deposit without a single price, whatever is paused."""
    positions = {BTC: opened(-W, 1)}
    state = state_with({ACCOUNT: holding(-W, positions=positions)}, paused=True)
    run(state, NO_PRICES, Deposit(ACCOUNT, USDC, 1))
    run(state, NO_PRICES, Deposit(ACCOUNT, WETH, 1))


@pytest.mark.parametrize("token", [USDC, WETH])
def test_the_vault_records_exactly_what_arrives(token: int) -> None:
    """DEP-3, C1, C2: held units rise by the units deposited and nothing else of the vault moves."""
    state = state_with({ACCOUNT: holding(W, {WETH: 7})}, pool=W, insurance=W)
    after = run(state, env(), Deposit(ACCOUNT, token, 5)).state
    for index in (USDC, WETH):
        added = 5 if index == token else 0
        assert after.tokens[index] == Token(state.tokens[index].held + added, 0)
    assert after.ledger == state.ledger


@pytest.mark.parametrize(
    ("token", "units", "code"),
    [
        (2, 1, "token/unknown"),
        (2**256 - 1, 1, "token/unknown"),
        (USDC, 0, "amount/zero"),
        (WETH, 0, "amount/zero"),
        (WETH, UNITS_LIMIT, "sys/domain"),
        (WETH, UNITS_LIMIT - 1, "ok"),
        (USDC, UNITS_LIMIT, "sys/domain"),
        (USDC, (SIGNED_LIMIT - 1) // USDC_TO_W + 1, "sys/domain"),
        (USDC, (SIGNED_LIMIT - 1) // USDC_TO_W, "ok"),
        (WETH, 1, "ok"),
    ],
)
def test_a_deposit_names_a_token_and_an_amount_that_can_be_stored(token: int, units: int, code: str) -> None:
    """DEP-2, DEP-4, UNIT-3, T9: listed tokens, at least one unit, at most what an account can hold."""
    assert outcome_of(state_with(collateral=UNCAPPED), env(), Deposit(ACCOUNT, token, units)) == code


def test_a_token_of_the_vault_that_is_not_listed_is_unknown() -> None:
    """DEP-2: a token contract is no collateral before governance lists it; USDC always is."""
    state = replace(state_with(collateral=()), tokens=(Token(0, 0), Token(0, 0)))
    assert refused(state, env(), Deposit(ACCOUNT, WETH, 1)) == "token/unknown"
    run(state, env(), Deposit(ACCOUNT, USDC, 1))


def test_holdings_that_no_longer_fit_are_a_domain_error() -> None:
    """DEP-3, DEP-4, UNIT-3, T9: the account's units hold 96 bits, the vault's 128."""
    full = state_with({ACCOUNT: holding(0, {WETH: UNITS_LIMIT - 1})}, collateral=UNCAPPED)
    assert refused(full, env(), Deposit(ACCOUNT, WETH, 1)) == "sys/domain"
    # The vault could hold more, but for its cap, which has 96 bits as well.
    assert refused(full, env(), Deposit(KEEPER, WETH, 1)) == "token/global-cap"
    for token in (USDC, WETH):
        tokens = [Token(0, 0), Token(0, 0)]
        tokens[token] = Token(UNSIGNED_LIMIT - 1, 0)
        crowded = replace(state_with(), tokens=tuple(tokens))
        assert refused(crowded, env(), Deposit(ACCOUNT, token, 1)) == "sys/domain"


@pytest.mark.parametrize(
    ("own", "others", "inventory", "code"),
    [
        (5, 0, 0, "ok"),
        (6, 0, 0, "token/account-cap"),
        (0, 85, 0, "ok"),
        (0, 86, 0, "token/global-cap"),
        (5, 80, 0, "ok"),
        (5, 81, 0, "token/global-cap"),
        # Units that the pool has bought are in the vault too.
        (0, 40, 45, "ok"),
        (0, 40, 46, "token/global-cap"),
        (6, 90, 0, "token/account-cap"),
    ],
)
def test_collateral_is_capped_in_an_account_and_in_the_vault(own: int, others: int, inventory: int, code: str) -> None:
    """DEP-5: 15 more of at most 20 and 100 units; equality is allowed, the account's cap speaks first."""
    capped = (replace(COLLATERAL[0], account_cap=20, global_cap=100),)
    accounts = {
        ACCOUNT: holding(0, {WETH: own} if own else {}),
        KEEPER: holding(0, {WETH: others} if others else {}),
    }
    state = state_with(accounts, collateral=capped, inventory={WETH: inventory})
    assert outcome_of(state, env(), Deposit(ACCOUNT, WETH, 15)) == code
    run(state, env(), Deposit(ACCOUNT, USDC, 10**12))


def test_a_cap_says_what_it_found_and_never_stops_a_withdrawal() -> None:
    """DEP-5: the numbers after the deposit; an account above a lowered cap may leave."""
    capped = (replace(COLLATERAL[0], account_cap=20, global_cap=100),)
    state = state_with({ACCOUNT: holding(0, {WETH: 30}), KEEPER: holding(0, {WETH: 90})}, collateral=capped)
    for account, units, facts in ((ACCOUNT, 1, {"units": 31}), (KEEPER + 1, 2, {"held": 122})):
        with pytest.raises(Refusal) as refusal:
            apply(state, env(), Deposit(account, WETH, units))
        assert refusal.value.facts == facts
    run(state, env(), Withdraw(ACCOUNT, WETH, 5))


def test_each_token_has_its_own_caps() -> None:
    """DEP-5: of two tokens the cap of the one deposited counts."""
    collateral = (COLLATERAL[0], replace(COLLATERAL[0], account_cap=5, global_cap=9))
    state = state_with({KEEPER: holding(0, {2: 5})}, collateral=collateral)
    run(state, env(), Deposit(ACCOUNT, 1, 10**18))
    assert refused(state, env(), Deposit(ACCOUNT, 2, 6)) == "token/account-cap"
    assert refused(state, env(), Deposit(ACCOUNT, 2, 5)) == "token/global-cap"
    run(state, env(), Deposit(ACCOUNT, 2, 4))


def test_a_deposit_lifts_no_flag() -> None:
    """DEP-4, LIQ-8: no margin is measured, so nothing is known about it."""
    state = state_with({ACCOUNT: holding(0, flagged_at=5)})
    assert run(state, env(), Deposit(ACCOUNT, USDC, 10**12)).state.accounts[ACCOUNT].flagged_at == 5


def attempt_deposit(
    account: int = ACCOUNT, token: int = WETH, units: int = 1, held: int = 0, isolated: int = 0, others: int = 0
) -> str:
    """A deposit of WETH into an account that may hold some."""
    accounts = {
        ACCOUNT: holding(0, {WETH: held} if held and not isolated else {}, isolated=isolated),
        KEEPER: holding(0, {WETH: others} if others else {}),
    }
    capped = (replace(COLLATERAL[0], account_cap=20, global_cap=100),)
    return outcome_of(state_with(accounts, collateral=capped), env(), Deposit(account, token, units))


def test_a_deposit_is_checked_in_order() -> None:
    """DEP-1 to DEP-5: of two faults the earlier check speaks."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("account/no-owner", {"account": 1}),
        ("token/unknown", {"token": 2}),
        ("amount/zero", {"units": 0}),
        ("sys/domain", {"units": UNITS_LIMIT}),
        ("account/isolated", {"isolated": 1}),
        ("sys/domain", {"held": UNITS_LIMIT - 1}),
        ("token/account-cap", {"held": 20}),
        ("token/global-cap", {"others": 100}),
    ]
    check_order_of(faults, attempt_deposit)
