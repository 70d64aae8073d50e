"""A state that governance changes, and brackets of BTC to change to, for the tests of what it may do."""

from __future__ import annotations

from dataclasses import replace

from protocol.state import State
from protocol.units import W
from tests.protocol.build import ACCOUNT, BTC, BTC_PRICE, MARKETS, WETH, holding, opened, state_with

ROWS = MARKETS[BTC].brackets
STRICTER = (replace(ROWS[0], mm_rate=W * 26 // 1_000), *ROWS[1:])


def busy() -> State:
    """A state with everything in use."""
    account = holding(10**4 * W, {WETH: 10**18}, {BTC: opened(W, BTC_PRICE)})
    return state_with({ACCOUNT: account}, pool=10**6 * W, insurance=W, inventory={WETH: 5})
