"""How much a liquidation closes, of what, and within which window, through both twins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.account_state import AccountState
from protocol.actions import Liquidate, SetMarket, Withdraw
from protocol.units import W, cdiv
from tests.lockstep.both import (
    BORROWER,
    DOLLAR,
    LOT,
    PLAIN,
    buy,
    check,
    measure,
    named,
    position,
    refuse,
    standing,
)
from tests.twins import BTC, ETH, RISK, USDC, Twins, market_params

KEEPER_RESERVE = 10 * W


@pytest.mark.parametrize("side", [1, -1])
def test_a_partial_liquidation_stops_at_the_target_on_both(twins: Twins, side: int) -> None:
    """SIZ-1 to SIZ-5, L1, L4, T3: through three brackets to the buffer above maintenance, within a lot of the least."""
    twins.do("admin", SetMarket(BTC, replace(PLAIN, window=0)))
    twins.deposit("borrower", usd=500_000)
    twins.do("borrower", buy(side * 625 * W))  # 5 million dollars: 25,000 + 160,000 of maintenance margin
    twins.do("borrower", Withdraw(BORROWER, USDC, 120_000 * DOLLAR))
    twins.price(BTC=8_000 - side * 330)
    assert standing(twins, BORROWER) is AccountState.LIQUIDATABLE
    twins.do("liquidator", Liquidate(BORROWER))
    found = twins.event("AccountLiquidated")
    after = measure(twins, BORROWER)
    margin = after.maintenance_margin - KEEPER_RESERVE
    target = margin * 11 // 10 + KEEPER_RESERVE
    # What the sizing allowed for and the close did not cost is left, and less than the margin of a lot.
    allowed = found.closed_notional * RISK.closing_cost_ratio // W + RISK.fixed_reward
    spare = allowed - found.reward - found.penalty - named(twins, "PositionUpdated")[0].impact
    assert spare <= after.equity_mm - target <= spare + W
    assert 0 < abs(position(twins, BORROWER).size) < 625 * W
    refuse(twins, "liq/not-liquidatable", ("liquidator", Liquidate(BORROWER)))
    check(twins)


def test_no_remainder_below_the_minimum_notional_on_both(twins: Twins) -> None:
    """SIZ-5, T3, L6: what would remain below the minimum is closed as well, and a wei of price decides."""
    twins.do("admin", SetMarket(BTC, replace(PLAIN, lot=1, min_notional=4_000 * W)))
    twins.deposit("borrower", usd=500)
    twins.do("borrower", buy(W))
    start = twins.save()
    outcomes = set()
    for dollars in (7_700, 7_695, 7_690, 7_685, 7_680, 7_675, 7_670, 7_665, 7_660):
        twins.restore(start)
        twins.price(BTC=dollars)
        if twins.attempt("liquidator", Liquidate(BORROWER)) == "ok":
            held = twins.world.protocol.accounts[BORROWER].positions
            outcomes.add(bool(held))
            assert not held or cdiv(held[BTC].size * dollars, 1) >= 4_000 * W
            check(twins)
    assert outcomes == {True, False}


def two_positions(twins: Twins, window: int, other: int = 10**6) -> None:
    """Long 10 BTC and 400 ETH, liquidatable at 7,760 and 194; the windows allow so many dollars."""
    twins.do("admin", SetMarket(BTC, replace(PLAIN, window_notional=window * W)))
    eth = market_params(ETH, W // 100, 10**6)
    twins.do("admin", SetMarket(ETH, replace(eth, maker_fee=0, taker_fee=0, window_notional=other * W)))
    twins.deposit("borrower", usd=8_600)
    twins.do("borrower", buy(10 * W))
    twins.do("borrower", buy(400 * W, market=ETH))
    twins.price(BTC=7_760, ETH=194)
    assert standing(twins, BORROWER) is AccountState.LIQUIDATABLE


@pytest.mark.parametrize("window", [1_000, 1_007, 1_008, 4_000, 20_000, 10**6])
def test_a_full_window_sends_the_rest_to_the_next_market_on_both(twins: Twins, window: int) -> None:
    """SIZ-1, SIZ-4, WIN-2, WIN-3: what BTC's window holds back is closed in ETH, to the same target."""
    two_positions(twins, window)
    twins.do("liquidator", Liquidate(BORROWER))
    closed = {event.market: abs(event.size_delta) for event in named(twins, "PositionUpdated")}
    assert closed.get(BTC, 0) * 7_760 <= window * W
    allowed = window * W // 7_760 // LOT * LOT
    assert (BTC in closed) == (allowed > 0)
    assert (ETH in closed) == (window < 10**6)
    assert (closed.get(BTC, 0) == allowed) == (window < 10**6)
    assert measure(twins, BORROWER).equity_mm > measure(twins, BORROWER).maintenance_margin
    for event in named(twins, "WindowUpdated"):
        assert event.used == twins.world.protocol.windows[event.market].closed
    check(twins)


def test_a_window_smaller_than_a_lot_on_both(twins: Twins) -> None:
    """SIZ-1, WIN-3: nothing of such a market is closed, and the next one goes on to the target."""
    twins.do("admin", SetMarket(2, replace(PLAIN, lot=W, window_notional=7_759 * W)))
    eth = replace(market_params(ETH, W // 100, 10**6), maker_fee=0, taker_fee=0)
    twins.do("admin", SetMarket(ETH, eth))
    twins.deposit("borrower", usd=8_550)
    twins.do("borrower", buy(10 * W, market=2))
    twins.do("borrower", buy(390 * W, market=ETH))
    twins.price(BTC=7_760, ETH=194)
    start = twins.save()
    twins.do("liquidator", Liquidate(BORROWER))
    assert {event.market for event in named(twins, "PositionUpdated")} == {ETH}
    check(twins)
    twins.restore(start)
    twins.do("admin", SetMarket(2, replace(PLAIN, lot=W, window_notional=7_760 * W)))
    twins.do("liquidator", Liquidate(BORROWER))
    assert position(twins, BORROWER, 2).size == 9 * W
    check(twins)


def test_full_windows_everywhere_on_both(twins: Twins) -> None:
    """LIQ-5, WIN-1 to WIN-3, SIZ-1: a part now, nothing more until the buckets have passed, then again."""
    two_positions(twins, 1_000, 1_000)
    twins.do("liquidator", Liquidate(BORROWER))
    assert len(named(twins, "PositionUpdated")) == 2
    assert standing(twins, BORROWER) is AccountState.LIQUIDATABLE
    refuse(twins, "liq/rate-limit", ("liquidator", Liquidate(BORROWER)))
    begun = twins.now // 112 * 112  # 3,600 seconds in 32 buckets
    twins.now = begun + 32 * 112 - 2
    twins.price(BTC=7_760, ETH=194, after=0)
    twins.do("liquidator", Liquidate(BORROWER), refused="liq/rate-limit")
    twins.do("liquidator", Liquidate(BORROWER), after=1)
    check(twins)


def test_windows_over_time_on_both(twins: Twins) -> None:
    """WIN-1, WIN-2, GOV-2: parts in many buckets, gaps longer than the ring, and a changed window, which is empty."""
    twins.do("admin", SetMarket(BTC, replace(PLAIN, window=320, window_notional=60_000 * W)))
    for number in range(40):
        twins.deposit("borrower", usd=420, sub=number + 1)
        twins.do("borrower", buy(W, BORROWER + number + 1))
    twins.price(BTC=7_760)
    codes = [
        twins.attempt("liquidator", Liquidate(BORROWER + number + 1), after=(7, 3, 11, 1)[number % 4])
        for number in range(40)
    ]
    assert set(codes) == {"ok", "liq/rate-limit"}
    check(twins)
    window = twins.world.protocol.windows[BTC]
    assert len(window.entries) > 5
    twins.price(BTC=7_760, after=1_000)
    twins.do("liquidator", Liquidate(BORROWER + codes.index("liq/rate-limit") + 1))
    assert len(twins.world.protocol.windows[BTC].entries) == 1
    twins.do("admin", SetMarket(BTC, replace(PLAIN, window=321, window_notional=1_000 * W)))
    assert twins.world.protocol.windows[BTC].closed == 0
    check(twins)


@pytest.mark.parametrize(("dollars", "found"), [(7_690, AccountState.BACKSTOP), (7_400, AccountState.BANKRUPT)])
def test_a_window_does_not_hold_up_a_full_close_on_both(twins: Twins, dollars: int, found: AccountState) -> None:
    """LIQ-5, WIN-3, L8: BACKSTOP and BANKRUPT close everything at once and leave the window as it was."""
    twins.do("admin", SetMarket(2, replace(PLAIN, lot=W, window_notional=1_000 * W)))  # less than a lot
    twins.deposit("borrower", usd=420)
    twins.do("borrower", buy(W, market=2))
    twins.price(BTC=7_780)
    refuse(twins, "liq/rate-limit", ("liquidator", Liquidate(BORROWER)))
    twins.price(BTC=dollars)
    twins.do("liquidator", Liquidate(BORROWER))
    assert twins.event("AccountLiquidated").account_state == found
    assert not twins.world.protocol.accounts[BORROWER].positions
    assert twins.world.protocol.windows[2].closed == 0
    check(twins)


def test_the_order_of_closes_on_both(twins: Twins) -> None:
    """SIZ-1, SIZ-2: by relief of the bracket reached, then by maintenance margin, then by id; then as far as needed."""
    twins.do("admin", SetMarket(BTC, replace(PLAIN, window=0)))
    eth = replace(market_params(ETH, W // 100, 10**6), maker_fee=0, taker_fee=0, window=0)
    twins.do("admin", SetMarket(ETH, eth))
    twins.do("admin", SetMarket(2, replace(PLAIN, window=0)))
    twins.do("admin", SetMarket(3, replace(eth, window=0)))
    twins.deposit("borrower", usd=180_000)
    # ETH reaches the second bracket; BTC and market 2 are equal; market 3 is the smallest.
    for market, size in ((ETH, 7_500), (2, 50), (BTC, 50), (3, 100)):
        twins.do("borrower", buy(size * W, market=market))
    twins.do("borrower", Withdraw(BORROWER, USDC, 40_000 * DOLLAR))
    order = []
    start = twins.save()
    for dollars in (192, 190, 188, 187, 186):
        twins.restore(start)
        twins.price(BTC=7_800, ETH=dollars)
        if twins.attempt("liquidator", Liquidate(BORROWER)) == "ok":
            order.append([event.market for event in named(twins, "PositionUpdated")])
            check(twins)
    assert order
    assert all(markets == [ETH, BTC, 2, 3][: len(markets)] for markets in order)
    assert {len(markets) for markets in order} >= {1, 4}
