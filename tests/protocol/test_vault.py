"""Tokens entering and leaving accounts and the insurance fund."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.actions import Deposit, FundInsurance, Withdraw
from protocol.env import Env, Status
from protocol.errors import Refusal
from protocol.events import AccountFlagged, AccountUpdated, CollateralUpdated, LedgerUpdated, TokenUpdated
from protocol.margin import compute_health
from protocol.params import EquityTier
from protocol.state import Account, Token, account_id
from protocol.transition import apply
from protocol.units import SIGNED_LIMIT, UNITS_LIMIT, UNSIGNED_LIMIT, USDC_TO_W, W
from tests.protocol.build import (
    ACCOUNT,
    BORROWER,
    BTC,
    BTC_PRICE,
    COLLATERAL,
    ETH_PRICE,
    KEEPER,
    NOW,
    STATUSES,
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
    with_risk,
)

USDC = 0
DOLLAR = 10**6  # units of USDC
NO_PRICES = Env(NOW, BORROWER, ())
UNCAPPED = (replace(COLLATERAL[0], account_cap=UNITS_LIMIT - 1, global_cap=UNITS_LIMIT - 1),)


# --- deposits -------------------------------------------------------------------------------------------------------


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


# --- withdrawals ----------------------------------------------------------------------------------------------------


def test_only_the_owner_withdraws() -> None:
    """WDR-1: an unregistered account is unknown, and another's is not the sender's."""
    state = state_with({ACCOUNT: holding(W, {WETH: 1})})
    for token in (USDC, WETH):
        assert refused(state, env(), Withdraw(KEEPER, token, 1)) == "account/unknown"
        assert refused(state, env(STRANGER), Withdraw(ACCOUNT, token, 1)) == "account/not-owner"
        run(state, env(), Withdraw(ACCOUNT, token, 1))


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
        (USDC, 1, "ok"),
        (WETH, 1, "ok"),
    ],
)
def test_a_withdrawal_names_a_token_and_an_amount(token: int, units: int, code: str) -> None:
    """WDR-2: listed tokens, at least one unit, within the stored width."""
    state = state_with({ACCOUNT: holding(W, {WETH: 10})})
    assert outcome_of(state, env(), Withdraw(ACCOUNT, token, units)) == code


@pytest.mark.parametrize(
    ("cash", "code"),
    [
        (5 * 10**12 - 1, "vault/negative-cash"),
        (5 * 10**12, "ok"),
        (5 * 10**12 + 1, "ok"),
        (0, "vault/negative-cash"),
        (-1, "vault/negative-cash"),
    ],
)
def test_a_withdrawal_never_makes_cash_negative(cash: int, code: str) -> None:
    """WDR-3, B36: settled cash only, to the wei; collateral and unrealised profit are no cash."""
    account = holding(cash, {WETH: 10**18}, {BTC: opened(W, 1_000 * W)})
    state = state_with({ACCOUNT: account}, held=10**9)
    assert refused(state, env(), Withdraw(ACCOUNT, USDC, 5)) == ("margin/initial" if code == "ok" else code)
    flat = state_with({ACCOUNT: holding(cash, {WETH: 10**18})}, held=10**9)
    assert outcome_of(flat, env(), Withdraw(ACCOUNT, USDC, 5)) == code


@pytest.mark.parametrize(
    ("held", "code"), [(4, "vault/insufficient-units"), (5, "ok"), (6, "ok"), (0, "vault/insufficient-units")]
)
def test_a_withdrawal_takes_no_more_units_than_the_account_holds(held: int, code: str) -> None:
    """WDR-4, B34: another account's units are no help."""
    accounts = {ACCOUNT: holding(W, {WETH: held} if held else {}), KEEPER: holding(0, {WETH: 100})}
    outcome = outcome_of(state_with(accounts), env(), Withdraw(ACCOUNT, WETH, 5))
    assert outcome == code


def test_an_account_without_the_token_withdraws_not_even_a_unit() -> None:
    """WDR-4, B34: the vault holds units of others, and the account has none."""
    state = state_with({ACCOUNT: holding(W), KEEPER: holding(0, {WETH: 100})})
    assert refused(state, env(), Withdraw(ACCOUNT, WETH, 1)) == "vault/insufficient-units"


def test_a_withdrawal_of_all_units_removes_the_collateral() -> None:
    """WDR-4, R1: worked events; nothing is left of the entry."""
    state = state_with({ACCOUNT: holding(W, {WETH: 5})})
    some = run(state, env(), Withdraw(ACCOUNT, WETH, 2))
    assert some.events == (CollateralUpdated(ACCOUNT, WETH, 3), TokenUpdated(WETH, 3, 0))
    rest = run(some.state, env(), Withdraw(ACCOUNT, WETH, 3))
    assert rest.events == (CollateralUpdated(ACCOUNT, WETH, 0), TokenUpdated(WETH, 0, 0))
    assert rest.state.accounts[ACCOUNT] == holding(W)
    cash = run(rest.state, env(), Withdraw(ACCOUNT, USDC, DOLLAR))
    assert cash.events == (AccountUpdated(ACCOUNT, 0), TokenUpdated(USDC, 0, 0))
    assert cash.state.accounts[ACCOUNT] == holding(0)


@pytest.mark.parametrize(("held", "code"), [(4, "vault/insufficient-cash"), (5, "ok"), (6, "ok")])
def test_the_vault_pays_only_what_it_holds(held: int, code: str) -> None:
    """WDR-5, C2: a profit that others have not paid in yet waits; the claim stays on the books."""
    # The account's profit was booked as deficit beyond what the vault holds.
    cash = 10 * 10**12
    state = state_with({ACCOUNT: holding(cash)}, deficit=cash - held * 10**12)
    assert state.tokens[USDC].held == held
    assert outcome_of(state, env(), Withdraw(ACCOUNT, USDC, 5)) == code


def test_the_vault_pays_the_pools_inventory_to_nobody_else() -> None:
    """WDR-5, C1: units the pool has bought are held too, but an account can only take its own."""
    state = state_with({ACCOUNT: holding(0, {WETH: 5})}, inventory={WETH: 7})
    assert refused(state, env(), Withdraw(ACCOUNT, WETH, 6)) == "vault/insufficient-units"
    assert run(state, env(), Withdraw(ACCOUNT, WETH, 5)).state.tokens[WETH] == Token(7, 7)


@pytest.mark.parametrize("wei", [-1, 0, 1])
def test_a_withdrawal_of_cash_leaves_initial_margin(wei: int) -> None:
    """WDR-6, MRG-10, M1: 1 BTC at 8,000 needs 400 and the reserve of 10; a wei decides."""
    account = holding(411 * W + wei, positions={BTC: opened(W, BTC_PRICE)})
    state = state_with({ACCOUNT: account})
    assert outcome_of(state, env(), Withdraw(ACCOUNT, USDC, DOLLAR)) == ("margin/initial" if wei < 0 else "ok")


def test_a_withdrawal_of_collateral_leaves_initial_margin() -> None:
    """WDR-6, MRG-10, M1, M6, B35: collateral is measured after the withdrawal, at its initial haircut."""
    # 170 dollars for each WETH: with 240 of cash one must stay.
    account = holding(240 * W, {WETH: 2 * 10**18}, {BTC: opened(W, BTC_PRICE)})
    state = state_with({ACCOUNT: account})
    assert outcome_of(state, env(), Withdraw(ACCOUNT, WETH, 10**18)) == "ok"
    assert refused(state, env(), Withdraw(ACCOUNT, WETH, 10**18 + 1)) == "margin/initial"
    assert refused(state, env(eth=ETH_PRICE - 1), Withdraw(ACCOUNT, WETH, 10**18)) == "margin/initial"


def test_unrealised_profit_cannot_be_withdrawn() -> None:
    """WDR-6, M6, B36: a position in profit frees nothing."""
    state = state_with({ACCOUNT: holding(410 * W + 10**12, positions={BTC: opened(W, BTC_PRICE)})})
    assert outcome_of(state, env(), Withdraw(ACCOUNT, USDC, 1)) == "ok"
    # At 8,100 the margin is 405 more than ever, and the profit of 100 does not count.
    assert refused(state, env(btc=8_100 * W), Withdraw(ACCOUNT, USDC, 1)) == "margin/initial"


def test_a_debtor_withdraws_collateral_only_above_its_debt() -> None:
    """WDR-6, MRG-10: without a position the debt must stay covered at the initial haircut, to the wei."""
    # 85 % of 200 is 170 for each WETH.
    for debt, code in ((170 * W - 1, "ok"), (170 * W, "ok"), (170 * W + 1, "margin/initial")):
        state = state_with({ACCOUNT: holding(-debt, {WETH: 2 * 10**18})}, pool=W)
        assert outcome_of(state, env(), Withdraw(ACCOUNT, WETH, 10**18)) == code


@pytest.mark.parametrize(
    "account",
    [
        holding(409 * W, {WETH: 10**18}, {BTC: opened(W, BTC_PRICE)}),
        holding(-1, {WETH: 10**18}),
    ],
    ids=["position", "debt"],
)
@pytest.mark.parametrize(("code", "status"), STATUSES.items())
def test_an_account_at_risk_needs_the_prices_of_what_it_cannot_do_without(
    account: Account, code: str, status: Status
) -> None:
    """WDR-6, MRG-15, POL-2: a bad price refuses where the rest is not enough; that of a position always."""
    state = state_with({ACCOUNT: account})
    assert outcome_of(state, env(), Withdraw(ACCOUNT, WETH, 1)) == "ok"
    assert refused(state, env(eth_status=int(status)), Withdraw(ACCOUNT, WETH, 1)) == code
    enough = state_with({ACCOUNT: replace(account, cash=account.cash + W)})
    run(enough, env(eth_status=int(status)), Withdraw(ACCOUNT, WETH, 1))
    if account.positions:
        assert refused(enough, env(btc_status=int(status)), Withdraw(ACCOUNT, WETH, 1)) == code


def test_an_account_that_owes_nothing_needs_no_price_to_withdraw() -> None:
    """WDR-6, MRG-10, B44: without position and debt a missing or zero price blocks nothing."""
    state = state_with({ACCOUNT: holding(W, {WETH: 10})})
    for surroundings in (NO_PRICES, env(eth=0, eth_status=int(Status.NON_POSITIVE))):
        for token in (USDC, WETH):
            run(state, surroundings, Withdraw(ACCOUNT, token, 1))
    # The last unit of cash, and collateral beside a balance of exactly zero; a wei of debt is another matter.
    for cash, token, code in ((10**12, USDC, "ok"), (0, WETH, "ok"), (-1, WETH, "oracle/unavailable")):
        state = state_with({ACCOUNT: holding(cash, {WETH: 10})}, held=1)
        assert outcome_of(state, NO_PRICES, Withdraw(ACCOUNT, token, 1)) == code


def test_a_withdrawn_collateral_needs_no_price_of_its_own() -> None:
    """WDR-6: an item that is gone after the withdrawal is not measured, and excuses nothing that is missing."""
    state = state_with({ACCOUNT: holding(400 * W, {WETH: 10}, {BTC: opened(W, BTC_PRICE)})})
    surroundings = env(eth_status=int(Status.STALE_HARD))
    assert refused(state, surroundings, Withdraw(ACCOUNT, WETH, 9)) == "oracle/stale"
    assert refused(state, surroundings, Withdraw(ACCOUNT, WETH, 10)) == "margin/initial"


def attempt_withdrawal(
    account: int = ACCOUNT,
    sender: int = BORROWER,
    token: int = USDC,
    units: int = DOLLAR,
    cash: int = 10**3 * W,
    held: int = 10**3 * DOLLAR,
    status: int = 0,
    size: int = W,
    leverage: int = 20,
) -> str:
    """A withdrawal of a dollar of cash from an account with a position."""
    positions = {BTC: opened(size, BTC_PRICE)}
    risk = with_risk(equity_tiers=(EquityTier(0, leverage * W),))
    state = state_with({ACCOUNT: holding(cash, positions=positions)}, deficit=cash - held * USDC_TO_W, risk=risk)
    return outcome_of(state, env(sender, btc_status=status), Withdraw(account, token, units))


def test_a_withdrawal_is_checked_in_order() -> None:
    """WDR-1 to WDR-6: of two faults the earlier check speaks."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("account/unknown", {"account": KEEPER}),
        ("account/not-owner", {"sender": STRANGER}),
        ("token/unknown", {"token": 2}),
        ("amount/zero", {"units": 0}),
        ("sys/domain", {"units": UNITS_LIMIT}),
        ("vault/negative-cash", {"units": 1_001 * DOLLAR}),
        ("vault/insufficient-cash", {"held": 0}),
        *((code, {"status": int(status)}) for code, status in STATUSES.items()),
        ("margin/initial", {"size": 3 * W}),
        ("margin/equity-tier", {"leverage": 8}),
    ]
    check_order_of(faults, attempt_withdrawal)


@pytest.mark.parametrize("wei", [-1, 0, 1])
def test_a_withdrawal_leaves_the_equity_tier(wei: int) -> None:
    """WDR-6, MRG-10, MRG-9: at 10x 8,000 dollars need 800, though initial margin is 410."""
    risk = with_risk(equity_tiers=(EquityTier(0, 10 * W),))
    state = state_with({ACCOUNT: holding(801 * W + wei, {}, {BTC: opened(W, BTC_PRICE)})}, risk=risk)
    assert outcome_of(state, env(), Withdraw(ACCOUNT, USDC, DOLLAR)) == ("margin/equity-tier" if wei < 0 else "ok")


@pytest.mark.parametrize("positions", [{}, {BTC: opened(W, BTC_PRICE)}], ids=["flat", "position"])
def test_a_withdrawal_that_passes_lifts_the_flag(positions: Any) -> None:
    """WDR-6, MRG-10: the last event; without a flag there is none."""
    for flagged_at in (0, 5):
        account = holding(10**4 * W, {}, positions, flagged_at=flagged_at)
        outcome = run(state_with({ACCOUNT: account}), env(), Withdraw(ACCOUNT, USDC, 1))
        flags = [event for event in outcome.events if isinstance(event, AccountFlagged)]
        assert flags == ([AccountFlagged(ACCOUNT, 0)] if flagged_at else [])
        assert outcome.state.accounts[ACCOUNT].flagged_at == 0


def test_a_withdrawal_of_collateral_is_checked_in_order() -> None:
    """WDR-4 to WDR-6: the account's units come before the vault's, and both before prices and margin."""
    account = holding(0, {WETH: 5}, {BTC: opened(W, BTC_PRICE)})
    state = state_with({ACCOUNT: account})
    empty = replace(state, tokens=(state.tokens[USDC], Token(4, 0)))
    surroundings = env(eth_status=int(Status.STALE_HARD))
    for these in (state, empty):
        assert refused(these, surroundings, Withdraw(ACCOUNT, WETH, 6)) == "vault/insufficient-units"
    assert refused(empty, surroundings, Withdraw(ACCOUNT, WETH, 5)) == "vault/insufficient-cash"
    assert refused(state, surroundings, Withdraw(ACCOUNT, WETH, 4)) == "oracle/stale"
    assert refused(state, env(), Withdraw(ACCOUNT, WETH, 4)) == "margin/initial"


@given(
    cash=st.integers(0, 10**24), weth=st.integers(0, 10**20), token=st.sampled_from((USDC, WETH)),
    units=st.integers(1, 10**12) | st.integers(1, 3),
)  # fmt: skip
def test_a_deposit_can_be_withdrawn_in_full_and_no_more(cash: int, weth: int, token: int, units: int) -> None:
    """DEP-2, WDR-3, N3: deposit and withdrawal of the same units leave everything as it was, to the wei."""
    state = state_with({ACCOUNT: holding(cash, {WETH: weth} if weth else {})}, pool=W, insurance=7)
    there = run(state, env(), Deposit(ACCOUNT, token, units)).state
    back = run(there, env(), Withdraw(ACCOUNT, token, units)).state
    assert back == state
    own = cash // USDC_TO_W if token == USDC else weth
    more = refused(there, env(), Withdraw(ACCOUNT, token, units + own + 1))
    assert more == ("vault/negative-cash" if token == USDC else "vault/insufficient-units")


@given(cash=st.integers(410 * 10**6, 10**11), size=st.integers(125, 10**4), price=st.integers(8 * 10**21, 10**22))
def test_the_largest_withdrawal_is_tight(cash: int, size: int, price: int) -> None:
    """WDR-6, M1, N4: what equity_im leaves above the margin can be withdrawn, and not one unit more."""
    account = holding(cash * USDC_TO_W, positions={BTC: opened(size * W // 1_000, BTC_PRICE)})
    state = state_with({ACCOUNT: account}, held=cash)
    health = compute_health(state, account, env(btc=price))
    room = (health.equity_im - health.initial_margin) // USDC_TO_W
    largest = min(room, cash)
    if largest >= 1:
        assert outcome_of(state, env(btc=price), Withdraw(ACCOUNT, USDC, largest)) == "ok"
    expected = "margin/initial" if largest < cash else "vault/negative-cash"
    assert refused(state, env(btc=price), Withdraw(ACCOUNT, USDC, max(largest, 0) + 1)) == expected


def test_tokens_of_any_decimals_are_held_in_their_own_units() -> None:
    """DEP-2, WDR-4, O6: a token of 0 and one of 24 decimals move unit by unit."""
    collateral = (*COLLATERAL, *(replace(COLLATERAL[0], decimals=decimals) for decimals in (0, 24)))
    state = state_with({ACCOUNT: holding(0)}, collateral=collateral)
    for token in (2, 3):
        there = run(state, env(), Deposit(ACCOUNT, token, 3)).state
        assert there.accounts[ACCOUNT].collateral == {token: 3}
        assert run(there, env(), Withdraw(ACCOUNT, token, 3)).state == state


# --- the insurance fund ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sender", [BORROWER, STRANGER])
def test_anyone_may_fund_insurance(sender: int) -> None:
    """INS-1: the fund grows by the dollars given, and nobody gets anything for it."""
    state = state_with({ACCOUNT: holding(5)}, pool=1, insurance=2)
    held = state.tokens[USDC].held
    outcome = run(state, env(sender), FundInsurance(3))
    assert outcome.events == (
        TokenUpdated(USDC, held + 3, 0),
        LedgerUpdated(1, 2 + 3 * 10**12, 0, 0, 0, 0),
    )
    assert outcome.state.accounts == state.accounts
    assert outcome.state.stakes == state.stakes


@pytest.mark.parametrize(
    ("units", "code"),
    [
        (0, "amount/zero"),
        (1, "ok"),
        (UNITS_LIMIT, "sys/domain"),
        (UNITS_LIMIT - 1, "sys/domain"),
        ((UNSIGNED_LIMIT - 1) // USDC_TO_W + 1, "sys/domain"),
        ((UNSIGNED_LIMIT - 1) // USDC_TO_W, "ok"),
    ],
)
def test_insurance_holds_what_its_word_holds(units: int, code: str) -> None:
    """INS-1, UNIT-3, T9: at least one unit, at most 128 bits of dollars in the fund."""
    assert outcome_of(state_with(), env(), FundInsurance(units)) == code


def test_the_vault_refuses_usdc_it_cannot_record() -> None:
    """INS-1, UNIT-3: the vault's own record comes first."""
    state = replace(state_with(), tokens=(Token(UNSIGNED_LIMIT - 1, 0), Token(0, 0)))
    assert refused(state, env(), FundInsurance(1)) == "sys/domain"


def test_an_account_id_is_owner_and_number() -> None:
    """DEP-1: accounts of one owner are next to each other."""
    assert account_id(BORROWER) == BORROWER << 96 == ACCOUNT
    assert account_id(BORROWER, 5) == ACCOUNT + 5
