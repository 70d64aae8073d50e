"""Quotes with a spread and with faults, and accounts that they move, for the tests of what prices do to an account."""

from __future__ import annotations

from protocol.env import Env, Quote, Status
from protocol.state import State
from protocol.units import W
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    LIQUIDATOR,
    NOW,
    WETH,
    holding,
    opened,
    state_with,
    with_risk,
)

LOT = W // 1_000
SOFT = [Status.STALE_SOFT, Status.UNCERTAIN]
BLOCKING = {
    "oracle/halted": Status.HALTED,
    "oracle/sequencer-down": Status.SEQ_DOWN,
    "oracle/future": Status.FUTURE,
    "oracle/deviated": Status.DEVIATED,
    "oracle/stale": Status.STALE_HARD,
    "oracle/market-closed": Status.MARKET_CLOSED,
    "oracle/capped": Status.CAPPED,
}


def wide(price: int, spread: int, status: int = 0) -> Quote:
    """A quote with a spread to both sides."""
    return Quote(price - spread, price, price + spread, NOW, status)


def surroundings(btc: Quote, eth: Quote | None = None, sender: int = LIQUIDATOR) -> Env:
    """The prices of both feeds as quotes."""
    return Env(NOW, sender, (btc, eth or wide(ETH_PRICE, 0)))


def both(cash: int, btc: int = W, eth: int = 0, weth: int = 0, **risk: int) -> State:
    """An account with dollars, WETH and a position in each market."""
    positions = {BTC: opened(btc, BTC_PRICE)} | ({ETH: opened(eth, ETH_PRICE)} if eth else {})
    account = holding(cash * W, {WETH: weth} if weth else {}, positions)
    return state_with({ACCOUNT: account}, pool=10**6 * W, insurance=10**4 * W, risk=with_risk(**risk))
