"""Funding through both twins: to the cap, through zero, decaying, and settled twice."""

from __future__ import annotations

from dataclasses import replace

from protocol.actions import (
    SetMarket,
)
from protocol.units import W
from tests.lockstep.both import (
    BORROWER,
    LOT,
    MARKET,
    TRADER,
    buy,
    check,
    named,
    position,
)
from tests.twins import BTC, Twins

DAY = 86_400


def test_funding_over_days_on_both(twins: Twins) -> None:
    """FUN-1 to FUN-5, F1 to F5, GOV-2: to the cap, through zero, decaying in the dead band to 0, both signs."""
    fast = replace(MARKET, skew_scale=1_000 * W, funding_velocity=W, funding_decay=W // 20, funding_cap=W // 20)
    twins.do("admin", SetMarket(BTC, fast))
    for side in (1, -1):
        twins.deposit("borrower", usd=10**6)
        twins.deposit("trader", usd=10**6)
        twins.do("borrower", buy(side * 40 * W))
        check(twins)
        for waited in (0, 1, DAY, DAY + 7, 5 * DAY):
            twins.price(BTC=8_000, ETH=200, after=waited)
            check(twins)
            twins.do("borrower", buy(side * LOT), after=0)
        assert twins.world.protocol.markets[BTC].funding_rate == side * W // 20 * DAY
        # Against the skew, until the rate has changed its sign.
        twins.do("trader", buy(-side * 70 * W, TRADER))
        twins.price(BTC=7_999, ETH=200, after=3 * DAY)
        twins.do("trader", buy(side * LOT, TRADER))
        assert twins.world.protocol.markets[BTC].funding_rate * side < 0
        # Into the dead band: the rate decays to 0 and stays there.
        twins.do("trader", buy(side * 25 * W, TRADER))
        for waited in (DAY // 2, 3 * DAY):
            twins.price(BTC=8_001, ETH=200, after=waited)
            check(twins)
            twins.do("borrower", buy(side * LOT))
        assert twins.world.protocol.markets[BTC].funding_rate == 0
        # A lowered cap takes hold at once.
        twins.do("trader", buy(-side * 60 * W, TRADER))
        twins.price(BTC=8_000, ETH=200, after=DAY)
        twins.do("admin", SetMarket(BTC, replace(fast, funding_cap=W // 1_000)))
        assert abs(twins.world.protocol.markets[BTC].funding_rate) == W // 1_000 * DAY
        twins.do("admin", SetMarket(BTC, fast))
        for owner, account in (("borrower", BORROWER), ("trader", TRADER)):
            twins.do(owner, buy(-position(twins, account).size, account))
        check(twins)


def test_settling_funding_twice_in_a_second_on_both(twins: Twins) -> None:
    """FUN-2, F2, B11: the second settlement of a second moves neither index nor money."""
    twins.deposit("borrower", usd=200_000)
    twins.do("borrower", buy(150 * W))  # beyond the dead band of 100
    twins.price(BTC=8_000, after=DAY)
    twins.do("borrower", buy(LOT))
    assert named(twins, "PositionUpdated")[0].funding > 0
    index = twins.world.protocol.markets[BTC].funding_index
    twins.do("borrower", buy(LOT), after=0)
    assert named(twins, "PositionUpdated")[0].funding == 0
    assert twins.world.protocol.markets[BTC].funding_index == index
    check(twins)
