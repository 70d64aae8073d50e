"""Orders in the market of BTC, as the tests on both twins commit and settle them."""

from __future__ import annotations

from protocol.actions import CommitOrder, SetOrders, SettleOrder
from protocol.params import OrderParams
from protocol.trading import NO_LIMIT
from protocol.units import W
from tests.lockstep.both import BORROWER
from tests.twins import BTC, Twins

RULES = OrderParams(feed=BTC, delay=10, window=60, fee=2 * W, cancel_fee=W)
NEXT = 2  # the round after the one that configured twins begin with


def commit(size: int = W, account: int = BORROWER, price: int | None = None) -> CommitOrder:
    """An order in BTC, at any price unless one is given."""
    free = NO_LIMIT if size > 0 else 0
    return CommitOrder(account, BTC, size, free if price is None else price)


def open_orders(twins: Twins, usd: int = 5_000, rules: OrderParams = RULES) -> None:
    """BTC trades by orders, and the borrower has an account."""
    twins.do("admin", SetOrders(BTC, rules))
    twins.deposit("borrower", usd=usd)


def settle(number: int = NEXT, account: int = BORROWER) -> SettleOrder:
    """Settle the order in BTC at a round."""
    return SettleOrder(account, BTC, number)
