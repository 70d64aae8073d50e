"""Reductions: what they may leave, and when they cost more than they free."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.checks import check_reduction
from protocol.draft import Draft
from protocol.env import Status
from protocol.events import (
    PositionUpdated,
)
from protocol.fills import compute_fill
from protocol.funding import compute_owed, project_funding
from protocol.margin import compute_health
from protocol.state import Position
from protocol.units import DAY, W, cdiv
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    MARKETS,
    NOW,
    STATUSES,
    WETH,
    env,
    event_of,
    holding,
    moving,
    opened,
    outcome_of,
    refusal_of,
    refused,
    run,
    state_with,
    with_market,
)
from tests.protocol.trades import (
    LOT,
    OTHER,
    buy,
    expensive_market,
    free_risk,
    reduction,
    trader,
)


@pytest.mark.parametrize("side", [1, -1])
def test_a_reduction_may_leave_the_account_below_initial_margin(side: int) -> None:
    """TRD-12, MRG-11, M2: an account between maintenance and initial margin may reduce, and may not grow."""
    poor = trader(side * 2 * W, cash=500 * W)
    assert outcome_of(poor, env(), buy(-side * W)) == "ok"
    assert refused(poor, env(), buy(side * W)) == "margin/initial"


def test_a_reduction_needs_only_the_price_of_its_market() -> None:
    """TRD-12, MRG-11: another item of the account without a price blocks growth and no reduction."""
    account = holding(10**4 * W, {WETH: 10**18}, {BTC: opened(2 * W, BTC_PRICE), ETH: opened(10 * W, ETH_PRICE)})
    state = state_with({ACCOUNT: account}, pool=10**6 * W)
    for code, status in STATUSES.items():
        surroundings = env(eth_status=int(status))
        assert outcome_of(state, surroundings, buy(-W)) == "ok"
        assert outcome_of(state, surroundings, buy(-2 * W)) == "ok"
        assert refused(state, surroundings, buy(W)) == code
        assert refused(state, surroundings, buy(-4 * W)) == code


@pytest.mark.parametrize(
    ("fee_rate", "code"),
    [(W // 200 - 1, "ok"), (W // 200, "ok"), (W // 200 + 1, "margin/reduce"), (W // 100, "margin/reduce")],
)
def test_a_reduction_whose_fee_exceeds_the_margin_it_frees_is_refused(fee_rate: int, code: str) -> None:
    """TRD-12, MRG-11: equity_mm less maintenance margin may stay as it is and not fall, rich or poor."""
    for cash in (40 * W, 10**6 * W):
        state, trade = reduction(fee_rate, cash)
        assert outcome_of(state, env(), trade) == code
        if code != "ok":
            change = -4_000 * (fee_rate - W // 200)
            assert refusal_of(state, env(), trade).facts == {"change": change}


def test_a_single_wei_of_health_decides_a_reduction() -> None:
    """MRG-11: one wei below is refused, equal passes."""
    # A position of 100 wei at 1 dollar with a rate of 50 % has a margin of 50 wei; closing 2 wei frees 1.
    for fee_rate, code in ((0, "ok"), (W // 100, "ok")):  # the fee of 2 wei at 1 % is rounded up to 1 wei
        markets = (expensive_market(fee_rate, W // 2), MARKETS[ETH])
        account = holding(1_000, positions={BTC: opened(100, W)})
        state = state_with({ACCOUNT: account}, risk=free_risk(), markets=markets)
        assert outcome_of(state, env(btc=W), buy(-2)) == code
        # 1 wei frees nothing: the margin of 99 is 50 as well, and the fee of a wei decides.
        assert outcome_of(state, env(btc=W), buy(-1)) == ("ok" if fee_rate == 0 else "margin/reduce")


def test_the_last_position_may_close_at_a_loss_of_health_while_the_account_is_solvent() -> None:
    """MRG-11, M2: a full close of the last position passes with equity_raw at 0, and not a wei below."""
    # The fee of 1 % is 80 and frees a margin of 40.
    for cash, code in ((80 * W - 1, "margin/reduce"), (80 * W, "ok"), (80 * W + 1, "ok")):
        state, trade = reduction(W // 100, cash, size=-W)
        assert outcome_of(state, env(), trade) == code
        if code != "ok":
            assert refusal_of(state, env(), trade).facts == {"change": -40 * W, "equity_raw": -1}
    # Collateral counts at market value.
    for cash, code in ((-120 * W - 1, "margin/reduce"), (-120 * W, "ok")):
        state, trade = reduction(W // 100, cash, size=-W, weth=10**18)
        assert outcome_of(state, env(), trade) == code
    # With another position left it is no exception.
    state, trade = reduction(W // 100, 10**6 * W, size=-W, eth=10 * W)
    assert refused(state, env(), trade) == "margin/reduce"


def test_closing_the_last_position_frees_the_reserve() -> None:
    """MRG-11, MRG-5: the keeper reserve is part of the margin that closing frees."""
    for reserve, code in ((40 * W - 1, "margin/reduce"), (40 * W, "ok"), (40 * W + 1, "ok")):
        state, trade = reduction(W // 100, 79 * W, size=-W, reserve=reserve)
        assert outcome_of(state, env(), trade) == code
    state, trade = reduction(W // 100, 79 * W, size=-W, reserve=10**6 * W, eth=10 * W)
    assert refused(state, env(), trade) == "margin/reduce"


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
def test_only_the_exception_for_the_last_position_needs_collateral_prices(code: str, status: Status) -> None:
    """MRG-11, MRG-15, TRD-12: when health falls, and the account is worth less than nothing without it."""
    surroundings = env(eth_status=int(status))
    state, trade = reduction(W // 100, 50 * W, size=-W, weth=10**18)
    assert outcome_of(state, env(), trade) == "ok"
    assert refused(state, surroundings, trade) == code
    rich, trade = reduction(W // 100, 10**6 * W, size=-W, weth=10**18)
    assert outcome_of(rich, surroundings, trade) == "ok"
    cheap, trade = reduction(W // 200, 10**6 * W, size=-W, weth=10**18)
    assert outcome_of(cheap, surroundings, trade) == "ok"


@given(
    size=st.integers(2, 200) | st.integers(10**15, 10**21),
    part=st.integers(1, 10**6),
    short=st.booleans(),
    cost=st.integers(-100, 100),
    price=st.integers(1, 10 * W) | st.integers(10 * W, 10**5 * W),
    fee_rate=st.integers(0, W // 100),
    rate=st.integers(W // 1_000, W // 50),
    cash=st.integers(-(10**20), 10**22) | st.integers(-100, 100),
    reserve=st.integers(0, 3) | st.integers(0, 10**19),
    eth=st.sampled_from((0, W)),
    funding=st.integers(-(10**22), 10**22) | st.just(0),
)
def test_a_reduction_passes_exactly_when_health_does_not_fall(
    size: int,
    part: int,
    short: bool,
    cost: int,
    price: int,
    fee_rate: int,
    rate: int,
    cash: int,
    reserve: int,
    eth: int,
    funding: int,
) -> None:
    """MRG-11, M2, N6: the rule on one market's terms decides as the health of the whole account does."""
    sign = -1 if short else 1
    markets = (expensive_market(fee_rate, rate), MARKETS[ETH])
    before = Position(sign * size, cdiv(sign * size * price, W) + cost, 0)
    others = {ETH: opened(eth, ETH_PRICE)} if eth else {}
    account = holding(cash, {WETH: 5}, {BTC: before, **others})
    state = state_with({ACCOUNT: account}, pool=10**9 * W, risk=free_risk(reserve), markets=markets)
    state = with_market(state, BTC, funding_rate=funding, accrued_at=NOW - 1_000)
    delta = -sign * (1 + size * part // (10**6 + 1))
    surroundings = env(btc=price)

    index, _ = project_funding(state.markets[BTC], price, NOW)
    position, pnl = compute_fill(before, delta, price, index)
    paid = cdiv(abs(delta) * price * fee_rate, W * W) + compute_owed(before, index)
    left = {BTC: position} if position.size else {}
    expected = replace(account, cash=cash + pnl - paid, positions={**left, **others})
    accrued = with_market(state, BTC, funding_index=index, accrued_at=NOW)
    old, new = compute_health(state, account, surroundings), compute_health(accrued, expected, surroundings)
    health_falls = new.equity_mm - new.maintenance_margin < old.equity_mm - old.maintenance_margin
    solvent_close = not expected.positions and new.equity_raw >= 0
    if health_falls and not solvent_close:
        assert refused(state, surroundings, buy(delta)) == "margin/reduce"
    else:
        assert run(state, surroundings, buy(delta)).state.accounts[ACCOUNT] == expected


@given(size=st.integers(1, 2_000), part=st.integers(1, 2_000), short=st.booleans(), price=st.integers(10**18, 10**24))
def test_alone_in_a_market_of_reference_parameters_every_reduction_raises_health(
    size: int, part: int, short: bool, price: int
) -> None:
    """MRG-11, TRD-12: the fee is below the margin freed, so who shrinks the skew always helps himself."""
    sign = -1 if short else 1
    start, delta = sign * size * LOT, -sign * min(size, part) * LOT
    markets = (replace(MARKETS[BTC], min_notional=1), MARKETS[ETH])
    account = holding(-(10**20), {WETH: 10**18}, {BTC: opened(start, price)})
    state = state_with({ACCOUNT: account}, pool=10**9 * W, markets=markets)
    surroundings = env(btc=price)
    after = run(state, surroundings, buy(delta)).state
    old = compute_health(state, account, surroundings)
    new = compute_health(after, after.accounts[ACCOUNT], surroundings)
    assert new.equity_mm - new.maintenance_margin > old.equity_mm - old.maintenance_margin


@pytest.mark.parametrize(("others", "code"), [(245, "ok"), (246, "margin/reduce")])
def test_a_reduction_against_a_large_skew_can_cost_more_than_it_frees(others: int, code: str) -> None:
    """MRG-11, FIL-2: buying back a short grows the longs' skew: 2.45 % of premium and 0.05 % of fee free 2.5 %."""
    # The skew in the middle of the fill is that many BTC, of a scale of 10,000.
    accounts = {
        ACCOUNT: holding(10**4 * W, positions={BTC: opened(-2 * W, BTC_PRICE)}),
        OTHER: holding(10**7 * W, positions={BTC: opened((others + 1) * W + W // 2, BTC_PRICE)}),
    }
    assert outcome_of(state_with(accounts, pool=10**7 * W), env(), buy(W)) == code


@pytest.mark.parametrize(
    ("daily", "fee_rate", "code"),
    [
        (W // 100, W // 200, "ok"),
        (-W // 100, W // 200, "ok"),
        (W // 100, W // 200 + 1, "margin/reduce"),
        (-W // 100, W // 200 + 1, "margin/reduce"),
    ],
)
def test_pending_funding_neither_stops_a_reduction_nor_pays_for_one(daily: int, fee_rate: int, code: str) -> None:
    """MRG-11, N6: a day at 1 % moves 80 dollars into the balance that counted before; only fee and margin decide."""
    state, trade = reduction(fee_rate, 10**4 * W)
    later = env(now=NOW + DAY)
    assert outcome_of(moving(state, BTC, daily=daily), later, trade) == code
    if code == "ok":
        outcome = run(moving(state, BTC, daily=daily), later, trade)
        assert event_of(outcome, PositionUpdated).funding == 8_000 * daily


def test_check_reduction_measures_its_own_market_only() -> None:
    """MRG-11: the loss of another position, however large, is the same before and after."""
    positions = {BTC: opened(2 * W, BTC_PRICE), ETH: Position(W, 10**9 * W, 0)}
    state = state_with({ACCOUNT: holding(0, positions=positions)}, pool=10**9 * W)
    draft = Draft(state)
    account = draft.account(ACCOUNT)
    account.put_position(BTC, opened(W, BTC_PRICE))
    check_reduction(draft, env(), account, BTC)
