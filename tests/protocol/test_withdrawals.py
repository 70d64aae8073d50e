"""Tokens that leave an account: its own, those the vault has, and what margin leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.actions import Deposit, Withdraw
from protocol.env import Env, Status
from protocol.events import AccountFlagged, AccountUpdated, CollateralUpdated, TokenUpdated
from protocol.margin import compute_health
from protocol.params import EquityTier
from protocol.state import USDC, Account, Token
from protocol.units import UNITS_LIMIT, USDC_TO_W, W
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

DOLLAR = 10**6  # units of USDC
NO_PRICES = Env(NOW, BORROWER, ())


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
