"""Closing every position of an account in one call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.actions import CloseAll, Trade
from protocol.env import Status
from protocol.events import AccountUpdated, LedgerUpdated, MarketUpdated, PositionUpdated
from protocol.margin import compute_health
from protocol.params import MarginBracket
from protocol.policy import REDUCTION
from protocol.state import Position, State
from protocol.units import W
from tests.protocol.build import (
    ACCOUNT,
    BORROWER,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    KEEPER,
    LIQUIDATOR,
    NOW,
    QUIET_MARKETS,
    STATUSES,
    STRANGER,
    WETH,
    cash_of,
    check_order_of,
    env,
    holding,
    ledger_sum,
    moving,
    opened,
    outcome_of,
    refusal_of,
    refused,
    run,
    state_with,
    with_params,
    with_risk,
)
from tests.protocol.orders import ORDER

LEAST = -(2**255)
CLOSE = CloseAll(ACCOUNT, LEAST)
BOTH = {BTC: opened(W, BTC_PRICE), ETH: opened(-10 * W, ETH_PRICE)}


def owner(cash: int = 1_000 * W, weth: int = 0, **account: Any) -> State:
    """An account with 1 BTC long and 10 ETH short."""
    held = holding(cash, {WETH: weth} if weth else {}, BOTH, **account)
    return state_with({ACCOUNT: held}, pool=10**6 * W, insurance=10**4 * W)


def test_every_position_is_closed_by_ascending_market() -> None:
    """TRD-13: worked by hand, with every event in order: makers' fees of 0.02 %, no rebate in an empty ledger."""
    outcome = run(owner(), env(btc=8_100 * W, eth=190 * W), CLOSE)
    btc_fee, eth_fee = 1_620 * W // 1_000, 380 * W // 1_000
    cash, fees = 1_200 * W - btc_fee - eth_fee, btc_fee + eth_fee
    pool = 10**6 * W - 200 * W + btc_fee - btc_fee // 10 + eth_fee - eth_fee // 10
    assert outcome.events == (
        PositionUpdated(ACCOUNT, BTC, 0, 0, 0, -W, 8_100 * W, 100 * W, 0, 0, btc_fee),
        MarketUpdated(BTC, 0, 0, 0, 0, 0, 0, 0, 0, 0, NOW, 0),
        PositionUpdated(ACCOUNT, ETH, 0, 0, 0, 10 * W, 190 * W, 100 * W, 0, 0, eth_fee),
        MarketUpdated(ETH, 0, 0, 0, 0, 0, 0, 0, 0, 0, NOW, 0),
        AccountUpdated(ACCOUNT, cash),
        LedgerUpdated(pool, 10**4 * W + fees // 10, 0, 0, 0, 0),
    )
    assert outcome.state.accounts[ACCOUNT] == holding(cash)


def test_it_leaves_what_closing_one_by_one_leaves() -> None:
    """TRD-13, X1, X9: the same state as a trade for each position, funding included; a flag stays as it is."""
    start = moving(owner(flagged_at=7), BTC, velocity=10**15, accrued_at=NOW - 5_000)
    surroundings = env(btc=8_123 * W, eth=201 * W)
    at_once = run(start, surroundings, CLOSE).state
    first = run(start, surroundings, Trade(ACCOUNT, BTC, -W, 0)).state
    one_by_one = run(first, surroundings, Trade(ACCOUNT, ETH, 10 * W, 2**200)).state
    assert at_once == one_by_one
    assert at_once.accounts[ACCOUNT].flagged_at == 7


def test_owner_and_operator_may_close() -> None:
    """TRD-13: nobody else, and not an account that does not exist."""
    state = owner(operator=STRANGER)
    run(state, env(), CLOSE)
    run(state, env(STRANGER), CLOSE)
    assert refused(state, env(LIQUIDATOR), CLOSE) == "account/not-trader"
    assert refused(state, env(LIQUIDATOR), CloseAll(KEEPER, LEAST)) == "account/unknown"


def test_an_account_without_positions_has_nothing_to_close() -> None:
    """TRD-13: refused before any price is asked."""
    state = state_with({ACCOUNT: holding(W, {WETH: 1})})
    assert refused(state, env(eth_status=4), CLOSE) == "account/no-positions"


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
def test_the_price_of_every_position_is_needed(code: str, status: Status) -> None:
    """TRD-13, POL-1: other feeds are not asked, those of collateral neither, unless health is lost."""
    bad = int(status)
    assert refused(owner(), env(btc_status=bad), CLOSE) == code
    assert refused(owner(), env(eth_status=bad), CLOSE) == code
    one = holding(10**4 * W, positions={BTC: opened(W, BTC_PRICE)})
    assert outcome_of(state_with({ACCOUNT: one}), env(eth_status=bad), CLOSE) == "ok"
    covered = holding(10**4 * W, {WETH: 1}, {BTC: opened(W, BTC_PRICE)})
    assert outcome_of(state_with({ACCOUNT: covered}), env(eth_status=bad), CLOSE) == "ok"


@pytest.mark.parametrize("status", [Status.STALE_SOFT, Status.UNCERTAIN, Status.SEQ_GRACE, Status.CAPPED])
def test_a_way_out_takes_soft_faults(status: Status) -> None:
    """TRD-13, POL-1: and settles at the mid, to the same balance."""
    after = run(owner(), env(btc_status=int(status), eth_status=int(status)), CLOSE).state
    assert cash_of(after) == cash_of(run(owner(), env(), CLOSE).state)


@pytest.mark.parametrize("wei", [-1, 0, 1])
def test_min_cash_bounds_what_prices_impact_funding_and_fees_do(wei: int) -> None:
    """TRD-13: the balance afterwards, to the wei."""
    cash = cash_of(run(owner(), env(), CLOSE).state)
    assert cash == 998 * W
    action = CloseAll(ACCOUNT, cash + wei)
    assert outcome_of(owner(), env(), action) == ("ok" if wei <= 0 else "trade/price")
    if wei > 0:
        assert refusal_of(owner(), env(), action).facts == {"cash": cash}


def test_min_cash_may_be_a_debt() -> None:
    """TRD-13: signed: who has collateral may accept to owe."""
    state = owner(cash=0, weth=10**18)
    debt = cash_of(run(state, env(), CLOSE).state)
    assert debt == -2 * W
    run(state, env(), CloseAll(ACCOUNT, debt))
    assert refused(state, env(), CloseAll(ACCOUNT, debt + 1)) == "trade/price"


def test_pause_and_limits_of_growth_do_not_hold_it_up() -> None:
    """TRD-13, S9, B8, B9: opening paused, no pool, no caps, no premium, broken lots: everything still closes."""
    held = holding(1_000 * W, positions={BTC: opened(W + 1, BTC_PRICE), ETH: opened(-10 * W, ETH_PRICE)})
    state = state_with({ACCOUNT: held}, paused=True, risk=with_risk(debt_cap=0))
    state = with_params(state, BTC, oi_cap=0, oi_cap_usd=0, skew_cap=0, max_premium=0, min_notional=10**9 * W)
    assert run(state, env(), CLOSE).state.accounts[ACCOUNT].positions == {}


def losing(cash: int, weth: int = 0, reserve: int = 0, **account: Any) -> State:
    """A market where closing costs 1 % and frees 0.5 %: 1 BTC of 8,000 loses 40 dollars of health."""
    rows = (MarginBracket(0, W // 200, W // 100),)
    market = replace(QUIET_MARKETS[BTC], brackets=rows, maker_fee=W // 100, taker_fee=W // 100)
    held = holding(cash, {WETH: weth} if weth else {}, {BTC: opened(W, BTC_PRICE)}, **account)
    risk = with_risk(keeper_reserve=reserve)
    return state_with({ACCOUNT: held}, pool=10**6 * W, risk=risk, markets=(market, QUIET_MARKETS[ETH]))


@pytest.mark.parametrize(
    ("cash", "weth", "code"),
    [
        (80 * W - 1, 0, "margin/reduce"),
        (80 * W, 0, "ok"),
        (80 * W + 1, 0, "ok"),
        # Collateral counts at market value in the exception.
        (-120 * W - 1, 10**18, "margin/reduce"),
        (-120 * W, 10**18, "ok"),
    ],
)
def test_health_may_fall_only_while_the_account_is_solvent(cash: int, weth: int, code: str) -> None:
    """TRD-13, MRG-11, M2: a fee of 80 frees a margin of 40; afterwards the account value is 0 or more, to the wei."""
    state = losing(cash, weth)
    assert outcome_of(state, env(), CLOSE) == code
    if code != "ok":
        assert refusal_of(state, env(), CLOSE).facts == {"change": -40 * W, "equity_raw": -1}


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
def test_a_loss_of_health_needs_the_price_of_collateral_where_cash_is_not_enough(code: str, status: Status) -> None:
    """TRD-13, MRG-15: to the wei."""
    surroundings = env(eth_status=int(status))
    soft = REDUCTION & int(status)
    assert outcome_of(losing(80 * W - 1, weth=10**18), surroundings, CLOSE) == ("ok" if soft else code)
    assert outcome_of(losing(80 * W, weth=10**18), surroundings, CLOSE) == "ok"


@pytest.mark.parametrize(("reserve", "code"), [(40 * W - 1, "margin/reduce"), (40 * W, "ok")])
def test_no_loss_of_health_beside_an_order(reserve: int, code: str) -> None:
    """TRD-13, ORD-8, B16: whatever the account is worth, it would take the margin of the order."""
    assert outcome_of(losing(10**6 * W, reserve=reserve, orders={ETH: ORDER}), env(), CLOSE) == code


@pytest.mark.parametrize(("fee", "code"), [(W // 200, "ok"), (W // 200 + 1, "margin/reduce")])
def test_an_account_under_water_may_close_if_that_does_not_lower_its_health(fee: int, code: str) -> None:
    """TRD-13, MRG-11: equality passes, whatever the account is worth; a wei a dollar more does not."""
    state = with_params(losing(-(10**3) * W), BTC, maker_fee=fee)
    assert outcome_of(state, env(), CLOSE) == code


@pytest.mark.parametrize(("reserve", "code"), [(40 * W - 1, "margin/reduce"), (40 * W, "ok"), (40 * W + 1, "ok")])
def test_the_reserve_is_part_of_what_closing_frees(reserve: int, code: str) -> None:
    """TRD-13, MRG-5: with a keeper reserve of 40 the same close lowers nothing."""
    assert outcome_of(losing(-(10**3) * W, reserve=reserve), env(), CLOSE) == code


@given(
    btc=st.integers(-3_000, 3_000).filter(bool),
    eth=st.integers(-10_000, 10_000),
    cost=st.integers(-(10**21), 10**21),
    cash=st.integers(-(10**20), 10**22),
    weth=st.integers(0, 10**18),
    prices=st.tuples(st.integers(7_000, 9_000), st.integers(100, 300)),
)
def test_it_closes_all_or_refuses_and_creates_no_value(
    btc: int, eth: int, cost: int, cash: int, weth: int, prices: tuple[int, int]
) -> None:
    """TRD-13, MRG-11, C1, M2: afterwards nothing is open, and health fell only if the account is solvent."""
    positions = {BTC: Position(btc * W // 1_000, btc * 8 * W + cost, 0)}
    if eth:
        positions[ETH] = opened(eth * W // 100, ETH_PRICE)
    state = state_with({ACCOUNT: holding(cash, {WETH: weth} if weth else {}, positions)}, pool=10**6 * W)
    surroundings = env(btc=prices[0] * W, eth=prices[1] * W)
    health = compute_health(state, state.accounts[ACCOUNT], surroundings)
    if outcome_of(state, surroundings, CLOSE) != "ok":
        assert refused(state, surroundings, CLOSE) == "margin/reduce"
        return
    after = run(state, surroundings, CLOSE).state
    left = compute_health(after, after.accounts[ACCOUNT], surroundings)
    assert after.accounts[ACCOUNT].positions == {}
    assert ledger_sum(after) == ledger_sum(state)
    assert left.equity_raw <= health.equity_raw, "with an empty impact ledger there is nothing to gain"
    assert left.equity_mm >= health.equity_mm - health.maintenance_margin or left.equity_raw >= 0


def test_closing_all_is_checked_in_order() -> None:
    """TRD-13: of two faults the earlier check speaks."""

    def attempt(
        account: int = ACCOUNT, sender: int = BORROWER, least: int = LEAST, status: int = 0, flat: bool = False,
        cash: int = 10**4 * W,
    ) -> str:  # fmt: skip
        state = losing(cash)
        if flat:
            state = state_with({ACCOUNT: holding(W)})
        return outcome_of(state, env(sender, btc_status=status), CloseAll(account, least))

    faults: list[tuple[str, dict[str, Any]]] = [
        ("account/unknown", {"account": KEEPER}),
        ("account/not-trader", {"sender": STRANGER}),
        ("account/no-positions", {"flat": True}),
        *((code, {"status": int(status)}) for code, status in STATUSES.items()),
        ("trade/price", {"least": 10**5 * W}),
        ("margin/reduce", {"cash": 79 * W}),
    ]
    check_order_of(faults, attempt)
