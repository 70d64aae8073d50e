"""Stories of refusals of orders, and of trades in a market that has them."""

from __future__ import annotations

from dataclasses import replace

from protocol.actions import (
    CancelOrder,
    CloseAll,
    CommitOrder,
    SetLeverageCap,
    SetOrders,
    SettleOrder,
    Transfer,
    Withdraw,
)
from protocol.trading import NO_LIMIT
from protocol.units import W
from tests.lockstep.both import BORROWER, buy
from tests.lockstep.orders import RULES
from tests.lockstep.refusals.telling import Attempts, long_of_one, story
from tests.twins import BTC, ETH, USDC, Twins

COMMIT, CANCEL = CommitOrder(BORROWER, BTC, W, NO_LIMIT), CancelOrder(BORROWER, BTC)


def order_of_one(twins: Twins) -> None:
    """An order for one BTC, the second round being the first that may be its price."""
    twins.deposit("borrower", usd=1_000)
    twins.do("admin", SetOrders(BTC, RULES))
    twins.do("borrower", COMMIT)


@story("config/orders")
def _(twins: Twins) -> Attempts:
    yield "admin", SetOrders(BTC, replace(RULES, delay=3_601))
    yield "admin", SetOrders(BTC, replace(RULES, cancel_fee=3 * W))


@story("order/commit-only")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    twins.do("admin", SetOrders(BTC, RULES))
    yield "borrower", buy(-W)
    yield "borrower", CloseAll(BORROWER, 0)


@story("order/instant-only")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=1_000)
    yield "borrower", COMMIT


@story("order/pending")
def _(twins: Twins) -> Attempts:
    order_of_one(twins)
    yield "borrower", COMMIT
    yield "borrower", Withdraw(BORROWER, USDC, 1)
    yield "borrower", Transfer(BORROWER, BORROWER + 1, USDC, 1)
    yield "borrower", SetLeverageCap(BORROWER, BTC, W)
    yield "borrower", buy(10 * W, market=ETH)


@story("order/fee")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=1)
    twins.do("admin", SetOrders(BTC, RULES))
    yield "borrower", COMMIT


@story("order/none")
def _(twins: Twins) -> Attempts:
    yield "liquidator", SettleOrder(BORROWER, BTC, 1)
    yield "liquidator", CANCEL


@story("order/too-early")
def _(twins: Twins) -> Attempts:
    order_of_one(twins)
    yield "liquidator", SettleOrder(BORROWER, BTC, 1)


@story("order/expired")
def _(twins: Twins) -> Attempts:
    order_of_one(twins)
    twins.price(BTC=8_000, after=71)
    yield "liquidator", SettleOrder(BORROWER, BTC, 2)


@story("order/not-expired")
def _(twins: Twins) -> Attempts:
    order_of_one(twins)
    yield "borrower", CANCEL


@story("oracle/not-first")
def _(twins: Twins) -> Attempts:
    order_of_one(twins)
    twins.price(BTC=8_000, after=10)
    twins.price(BTC=8_001)
    yield "liquidator", SettleOrder(BORROWER, BTC, 1)
    yield "liquidator", SettleOrder(BORROWER, BTC, 3)


@story("oracle/unknown-round")
def _(twins: Twins) -> Attempts:
    order_of_one(twins)
    twins.price(BTC=8_000, after=10)
    yield "liquidator", SettleOrder(BORROWER, BTC, 0)
    yield "liquidator", SettleOrder(BORROWER, BTC, 3)
