"""Orders in the market of BTC, for the tests of their rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from protocol.params import OrderParams
from protocol.state import Order, State
from protocol.trading import NO_LIMIT
from protocol.units import W
from tests.protocol.build import ACCOUNT, BTC, NOW, holding, state_with

RULES = OrderParams(feed=BTC, delay=10, window=60, fee=2 * W, cancel_fee=W)
ORDER = Order(W, NO_LIMIT - 1, 2 * W, W, BTC, NOW, NOW + 60)
SALE = replace(ORDER, size_delta=-W, acceptable_price=0)


def ordering(order: Order | None = ORDER, cash: int = 5_000 * W, **account: Any) -> State:
    """A state in which BTC trades by orders and the account has this one, or none."""
    held = holding(cash, orders={BTC: order} if order else {}, **account)
    return state_with({ACCOUNT: held}, pool=10**6 * W, rules={BTC: RULES})
