"""A market of BTC, positions in it and an account to fill, for the tests of fills."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from protocol.state import Position, State
from protocol.units import BPS, W
from tests.protocol.build import ACCOUNT, BTC, BTC_PRICE, MARKETS, holding, opened, state_with

MARKET = MARKETS[BTC]  # a skew scale of 10,000 BTC, a rebate of 90 %, fees of 0.02 and 0.05 %
SCALES = st.integers(W, 10**24) | st.integers(1, 100)
RATIOS = st.integers(0, BPS) | st.just(9_000) | st.just(BPS)


def at(size: int, cost: int, index: int = 0) -> Position:
    """A position."""
    return Position(size, cost, index)


def trader(size: int = 0, cash: int = 100_000 * W, impact: int = 0, **market: int) -> State:
    """A funded pool, and one account with BTC bought at 8,000; the market's other numbers as given."""
    positions = {BTC: opened(size, BTC_PRICE)} if size else {}
    state = state_with({ACCOUNT: holding(cash, positions=positions)}, pool=10**6 * W, insurance=10**4 * W)
    totals = replace(state.markets[BTC], impact=impact, **market)
    return replace(state, markets=(totals, *state.markets[1:]))
