"""Stories of refusals for prices and feeds."""

from __future__ import annotations

from dataclasses import replace

from oracle.feeds import Push, SetFeed, SetRateFeed
from protocol.actions import CloseAll, DepositToPool, SetLeverageCap, SetMarket, Withdraw
from protocol.units import W
from tests.lockstep.both import BORROWER, DOLLAR, MARKET, buy
from tests.lockstep.refusals.telling import Attempts, long_of_one, story
from tests.twins import BTC, ETH, USDC, Twins, market_params


def need_a_price() -> Attempts:
    """Actions of ``long_of_one``'s people that need BTC's price."""
    yield "borrower", buy(W // 2)
    yield "borrower", buy(-W // 2)
    yield "borrower", CloseAll(BORROWER, -(10**30))
    yield "borrower", Withdraw(BORROWER, USDC, 1)
    yield "borrower", SetLeverageCap(BORROWER, BTC, 2 * W)
    yield "lender", DepositToPool(DOLLAR)
    yield "admin", SetMarket(BTC, replace(MARKET, funding_cap=W // 100))


@story("oracle/unavailable")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetFeed(4, 8, 7_200))
    twins.do("admin", SetMarket(2, market_params(4)))
    twins.deposit("borrower", usd=1_000)
    yield "borrower", buy(W, market=2)


@story("oracle/non-positive")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    twins.do("poster", Push((BTC,), (0,)))
    yield from need_a_price()
    twins.do("poster", Push((BTC,), (-1,)))
    yield "borrower", buy(W)


@story("oracle/out-of-bounds")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    twins.do("poster", Push((BTC,), (2**96 // 10**10 + 1,)))
    yield from need_a_price()


@story("oracle/stale")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    twins.now += 7_200
    for sender, action in need_a_price():
        if not isinstance(action, SetMarket):
            yield sender, action


@story("oracle/unknown-feed")
def _(twins: Twins) -> Attempts:
    yield "poster", Push((4,), (1,))
    yield "poster", Push((3,), (1,))  # a rate feed has no rounds
    yield "admin", SetFeed(5, 8, 7_200)
    yield "admin", SetRateFeed(3, 2, 1)


@story("oracle/malformed-push")
def _(twins: Twins) -> Attempts:
    yield "poster", Push((), ())
    yield "poster", Push((BTC,), (1, 2))
    yield "poster", Push((ETH, BTC), (1, 2))
    yield "poster", Push((ETH, ETH), (1, 2))


@story("oracle/config")
def _(twins: Twins) -> Attempts:
    yield "admin", SetFeed(4, 19, 7_200)
    yield "admin", SetFeed(4, 8, 59)
    yield "admin", SetFeed(4, 8, 3 * 86_400 + 1)
    yield "admin", SetFeed(BTC, 9, 7_200)
    yield "admin", SetFeed(3, 18, 7_200)
    yield "admin", SetRateFeed(4, 3, 1)
    yield "admin", SetRateFeed(4, 2, 4)
