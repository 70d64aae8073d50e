"""Tokens moving between two accounts of one owner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.actions import Deposit, Transfer, Withdraw
from protocol.env import Env, Status
from protocol.events import AccountFlagged, AccountUpdated, CollateralUpdated, LedgerUpdated
from protocol.margin import compute_health, is_liquidatable
from protocol.params import EquityTier
from protocol.state import USDC, account_id
from protocol.units import SIGNED_LIMIT, UNITS_LIMIT, USDC_TO_W, W
from tests.protocol.build import (
    ACCOUNT,
    BORROWER,
    BTC,
    BTC_PRICE,
    COLLATERAL,
    KEEPER,
    NOW,
    STRANGER,
    TRADER,
    WETH,
    check_order_of,
    env,
    holding,
    ledger_sum,
    opened,
    outcome_of,
    refused,
    run,
    state_with,
    with_risk,
)

TARGET = ACCOUNT + 1
DOLLAR = 10**6
NO_PRICES = Env(NOW, BORROWER, ())


# --- worked events --------------------------------------------------------------------------------------------------


def test_usdc_moves_from_balance_to_balance() -> None:
    """TRF-3, C3: two balances, no token of the vault; the target begins with the transfer."""
    state = state_with({ACCOUNT: holding(5 * W)})
    first = run(state, env(), Transfer(ACCOUNT, TARGET, USDC, 2 * DOLLAR))
    assert first.events == (AccountUpdated(ACCOUNT, 3 * W), AccountUpdated(TARGET, 2 * W))
    assert list(first.state.accounts)[-1] == TARGET
    again = run(first.state, env(), Transfer(ACCOUNT, TARGET, USDC, 3 * DOLLAR))
    assert again.events == (AccountUpdated(ACCOUNT, 0), AccountUpdated(TARGET, 5 * W))
    assert again.state.tokens == state.tokens
    assert ledger_sum(again.state) == ledger_sum(state)


def test_collateral_moves_unit_by_unit() -> None:
    """TRF-3, R1: a new target is reported, an entry that is used up does not stay."""
    state = state_with({ACCOUNT: holding(0, {WETH: 5})})
    first = run(state, env(), Transfer(ACCOUNT, TARGET, WETH, 2))
    assert first.events == (
        CollateralUpdated(ACCOUNT, WETH, 3),
        AccountUpdated(TARGET, 0),
        CollateralUpdated(TARGET, WETH, 2),
    )
    rest = run(first.state, env(), Transfer(ACCOUNT, TARGET, WETH, 3))
    assert rest.events == (CollateralUpdated(ACCOUNT, WETH, 0), CollateralUpdated(TARGET, WETH, 5))
    assert rest.state.accounts[ACCOUNT] == holding(0)
    assert rest.state.accounts[TARGET] == holding(0, {WETH: 5})


@pytest.mark.parametrize(("debt", "left"), [(W // 2, 0), (W, 0), (W + 1, 1), (3 * W, 2 * W)])
def test_a_transfer_repays_the_targets_debt_first(debt: int, left: int) -> None:
    """TRF-3, LED-1: the total of debts follows, and the ledger is reported."""
    state = state_with({ACCOUNT: holding(W), TARGET: holding(-debt)}, pool=10 * W)
    outcome = run(state, env(), Transfer(ACCOUNT, TARGET, USDC, DOLLAR))
    assert outcome.state.ledger.trader_debt == left
    assert outcome.events[-1] == LedgerUpdated(10 * W, 0, 0, left, 0, 0)
    richer = run(state_with({ACCOUNT: holding(W), TARGET: holding(0)}), env(), Transfer(ACCOUNT, TARGET, USDC, 1))
    assert not any(isinstance(event, LedgerUpdated) for event in richer.events)


def test_a_source_that_passes_loses_its_flag_and_the_target_keeps_its_own() -> None:
    """TRF-4, MRG-10: the target is not measured."""
    state = state_with({ACCOUNT: holding(W, flagged_at=5), TARGET: holding(W, flagged_at=6)})
    outcome = run(state, env(), Transfer(ACCOUNT, TARGET, USDC, 1))
    assert outcome.events[-1] == AccountFlagged(ACCOUNT, 0)
    assert (outcome.state.accounts[ACCOUNT].flagged_at, outcome.state.accounts[TARGET].flagged_at) == (0, 6)


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "account", "target", "code"),
    [
        (BORROWER, ACCOUNT, TARGET, "ok"),
        (BORROWER, ACCOUNT, ACCOUNT + 2**96 - 1, "ok"),
        (BORROWER, TARGET + 1, ACCOUNT, "account/unknown"),
        (STRANGER, ACCOUNT, TARGET, "account/not-owner"),
        (TRADER, ACCOUNT, TARGET, "account/not-owner"),
        (BORROWER, ACCOUNT, account_id(TRADER), "account/other-owner"),
        (BORROWER, ACCOUNT, ACCOUNT + 2**96, "account/other-owner"),
        (BORROWER, ACCOUNT, ACCOUNT - 1, "account/other-owner"),
        (BORROWER, ACCOUNT, 0, "account/other-owner"),
        (BORROWER, ACCOUNT, ACCOUNT, "account/self-transfer"),
    ],
)
def test_a_transfer_stays_between_two_accounts_of_its_sender(sender: int, account: int, target: int, code: str) -> None:
    """TRF-1, B41, S8: an operator may not; neighbours of the id belong to others."""
    state = state_with({ACCOUNT: holding(W, {WETH: 5}, operator=TRADER)})
    for token in (USDC, WETH):
        assert outcome_of(state, env(sender), Transfer(account, target, token, 1)) == code


@pytest.mark.parametrize(
    ("token", "units", "code"),
    [
        (2, 1, "token/unknown"),
        (USDC, 0, "amount/zero"),
        (WETH, 0, "amount/zero"),
        (USDC, UNITS_LIMIT, "sys/domain"),
        (WETH, UNITS_LIMIT, "sys/domain"),
        (USDC, UNITS_LIMIT - 1, "vault/negative-cash"),
        (WETH, UNITS_LIMIT - 1, "vault/insufficient-units"),
        # A dollar and a wei less; 10 units.
        (USDC, DOLLAR - 1, "ok"),
        (USDC, DOLLAR, "vault/negative-cash"),
        (WETH, 10, "ok"),
        (WETH, 11, "vault/insufficient-units"),
    ],
)
def test_a_transfer_takes_what_the_source_has(token: int, units: int, code: str) -> None:
    """TRF-2, TRF-3, B34: to the wei and to the unit; the target's own units are no help."""
    state = state_with({ACCOUNT: holding(W - 1, {WETH: 10}), TARGET: holding(5 * W, {WETH: 100})})
    assert outcome_of(state, env(), Transfer(ACCOUNT, TARGET, token, units)) == code


def test_a_target_that_cannot_store_more_is_a_domain_error() -> None:
    """TRF-3, UNIT-3, T9: of cash and of units."""
    full = state_with({ACCOUNT: holding(W, {WETH: 1}), TARGET: holding(SIGNED_LIMIT - 1, {WETH: UNITS_LIMIT - 1})})
    for token in (USDC, WETH):
        assert refused(full, env(), Transfer(ACCOUNT, TARGET, token, 1)) == "sys/domain"


@pytest.mark.parametrize(("held", "code"), [(4, "ok"), (5, "ok"), (6, "token/account-cap")])
def test_the_target_holds_at_most_the_account_cap(held: int, code: str) -> None:
    """TRF-3, DEP-5: equality is allowed, and the cap of the vault is not asked."""
    capped = (replace(COLLATERAL[0], account_cap=10, global_cap=0),)
    state = state_with({ACCOUNT: holding(0, {WETH: 9}), TARGET: holding(0, {WETH: held})}, collateral=capped)
    assert outcome_of(state, env(), Transfer(ACCOUNT, TARGET, WETH, 5)) == code
    # USDC has none, and a source above its cap may give.
    over = state_with({ACCOUNT: holding(W, {WETH: 99})}, collateral=capped)
    run(over, env(), Transfer(ACCOUNT, TARGET, WETH, 10))
    run(over, env(), Transfer(ACCOUNT, TARGET, USDC, 1))


@pytest.mark.parametrize("wei", [-1, 0, 1])
def test_the_source_keeps_its_initial_margin(wei: int) -> None:
    """TRF-4, MRG-10, M1: 1 BTC at 8,000 needs 410; a wei decides, with cash and with collateral."""
    code = "margin/initial" if wei < 0 else "ok"
    state = state_with({ACCOUNT: holding(411 * W + wei, {}, {BTC: opened(W, BTC_PRICE)})})
    assert outcome_of(state, env(), Transfer(ACCOUNT, TARGET, USDC, DOLLAR)) == code
    # One WETH counts 170 for opening.
    state = state_with({ACCOUNT: holding(240 * W + wei, {WETH: 2 * 10**18}, {BTC: opened(W, BTC_PRICE)})})
    assert outcome_of(state, env(), Transfer(ACCOUNT, TARGET, WETH, 10**18)) == code


def test_the_source_keeps_its_equity_tier() -> None:
    """TRF-4, MRG-10, MRG-9: at 10x 8,000 dollars need 800."""
    risk = with_risk(equity_tiers=(EquityTier(0, 10 * W),))
    for cash, code in ((801 * W, "ok"), (801 * W - 1, "margin/equity-tier")):
        state = state_with({ACCOUNT: holding(cash, {}, {BTC: opened(W, BTC_PRICE)})}, risk=risk)
        assert outcome_of(state, env(), Transfer(ACCOUNT, TARGET, USDC, DOLLAR)) == code


def test_the_target_needs_no_price_and_no_margin() -> None:
    """TRF-4, L8: it only gains; a source without position and debt needs none either."""
    bad = holding(-W, {WETH: 1}, {BTC: opened(W, 20_000 * W)})
    state = state_with({ACCOUNT: holding(W, {WETH: 5}), TARGET: bad}, pool=W)
    for token in (USDC, WETH):
        run(state, NO_PRICES, Transfer(ACCOUNT, TARGET, token, 1))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("oracle/unavailable", Status.UNAVAILABLE),
        ("oracle/non-positive", Status.NON_POSITIVE),
        ("oracle/out-of-bounds", Status.OUT_OF_BOUNDS),
        ("oracle/stale", Status.STALE_HARD),
    ],
)
def test_a_source_with_a_position_needs_the_prices_of_what_it_keeps(code: str, status: Status) -> None:
    """TRF-4, MRG-15, POL-2: of its positions, and of collateral that it cannot do without."""
    state = state_with({ACCOUNT: holding(411 * W, {WETH: 10}, {BTC: opened(W, BTC_PRICE)})})
    assert refused(state, env(btc_status=int(status)), Transfer(ACCOUNT, TARGET, USDC, 1)) == code
    run(state, env(eth_status=int(status)), Transfer(ACCOUNT, TARGET, WETH, 9))
    run(state, env(eth_status=int(status)), Transfer(ACCOUNT, TARGET, USDC, 10**6))
    assert refused(state, env(eth_status=int(status)), Transfer(ACCOUNT, TARGET, USDC, 10**6 + 1)) == code


def attempt_transfer(
    sender: int = BORROWER,
    account: int = ACCOUNT,
    target: int = TARGET,
    token: int = WETH,
    units: int = 5,
    isolated: int = 0,
    held: int = 0,
    status: int = 0,
    size: int = W // 8,
) -> str:
    """A transfer of WETH from an account with a position."""
    accounts = {
        ACCOUNT: holding(100 * W, {WETH: 9}, {BTC: opened(size, BTC_PRICE)}),
        TARGET: holding(0, {WETH: held} if held and not isolated else {}, isolated=isolated),
    }
    capped = (replace(COLLATERAL[0], account_cap=10),)
    state = state_with(accounts, collateral=capped)
    return outcome_of(state, env(sender, btc_status=status), Transfer(account, target, token, units))


def test_a_transfer_is_checked_in_order() -> None:
    """TRF-1 to TRF-4: of two faults the earlier check speaks."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("account/unknown", {"account": KEEPER}),
        ("account/not-owner", {"sender": STRANGER}),
        ("account/other-owner", {"target": KEEPER}),
        ("account/self-transfer", {"target": ACCOUNT}),
        ("token/unknown", {"token": 2}),
        ("amount/zero", {"units": 0}),
        ("sys/domain", {"units": UNITS_LIMIT}),
        ("account/isolated", {"isolated": 1}),
        ("vault/insufficient-units", {"units": 10}),
        ("sys/domain", {"held": UNITS_LIMIT - 1}),
        ("token/account-cap", {"held": 6}),
        ("oracle/stale", {"status": int(Status.STALE_HARD)}),
        ("margin/initial", {"size": W}),
    ]
    check_order_of(faults, attempt_transfer)


# --- properties -----------------------------------------------------------------------------------------------------


@given(
    cash=st.integers(0, 10**22),
    weth=st.integers(0, 10**19),
    token=st.sampled_from((USDC, WETH)),
    units=st.integers(1, 10**9),
    debt=st.integers(0, 10**21),
)
def test_a_transfer_and_its_return_leave_everything_as_it_was(
    cash: int, weth: int, token: int, units: int, debt: int
) -> None:
    """TRF-3, C3, N3: nothing is gained or lost on the way, and the way over the wallet gives the same balances."""
    source = holding(cash + units * USDC_TO_W, {WETH: weth + units})
    state = state_with({ACCOUNT: source, TARGET: holding(debt, {WETH: 7})}, pool=10**6 * W)
    there = run(state, env(), Transfer(ACCOUNT, TARGET, token, units)).state
    assert run(there, env(), Transfer(TARGET, ACCOUNT, token, units)).state == state
    withdrawn = run(state, env(), Withdraw(ACCOUNT, token, units)).state
    assert run(withdrawn, env(), Deposit(TARGET, token, units)).state == there


@given(
    units=st.integers(1, 10**10),
    cash=st.integers(-(10**21), 10**22),
    size=st.integers(-2_000, 2_000).filter(bool),
    price=st.integers(6_000, 10_000),
)
def test_a_transfer_never_makes_the_target_worse(units: int, cash: int, size: int, price: int) -> None:
    """TRF-4, M3, N1, N3: no reading of it falls, and it does not become liquidatable."""
    target = holding(cash, {}, {BTC: opened(size * W // 1_000, BTC_PRICE)})
    state = state_with({ACCOUNT: holding(10**10 * USDC_TO_W), TARGET: target}, pool=10**6 * W)
    now = env(btc=price * W)
    after = run(state, now, Transfer(ACCOUNT, TARGET, USDC, units)).state
    one, other = (compute_health(each, each.accounts[TARGET], now) for each in (state, after))
    assert other.equity_raw - one.equity_raw == other.equity_im - one.equity_im == units * USDC_TO_W
    assert is_liquidatable(one) or not is_liquidatable(other)
