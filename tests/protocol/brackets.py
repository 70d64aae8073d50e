"""The market of BTC with its margin brackets, and rates for others, for the tests that walk through them."""

from __future__ import annotations

from protocol.units import W
from tests.protocol.build import BTC, MARKETS

BTC_MARKET = MARKETS[BTC]
TIERS = BTC_MARKET.brackets  # 2.5 % to 1 million, 4 % to 5, 7.5 % to 20, 15 % beyond


def percent(hundredths: int) -> int:
    """A ratio from hundredths of a percent."""
    return hundredths * W // 10**4
