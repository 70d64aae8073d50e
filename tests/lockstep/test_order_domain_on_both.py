"""The ends of the domain of orders on both twins: sizes, prices, fees and times to what fits, and one step beyond."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.feeds import Push
from protocol.actions import CancelOrder, CommitOrder, Deposit, SetMarket, SetOrders, SettleOrder
from protocol.orders import LONGEST_DELAY, LONGEST_WINDOW, MAX_FEE
from protocol.params import OrderParams
from protocol.units import W
from tests.lockstep.both import BORROWER, LIQUIDATOR, TRADER, check, position
from tests.lockstep.wide import ANY_PRICE, MAX_CASH_UNITS, MAX_PRICE, MAX_SIZE, quote, trade, wide_market
from tests.twins import BTC, ETH, USDC, Twins

RULES = OrderParams(feed=BTC, delay=1, window=LONGEST_WINDOW, fee=1, cancel_fee=1)
NEXT = 2  # the round after the one that wide twins begin with


def commit(size: int, price: int | None = None) -> CommitOrder:
    """An order of the borrower, at any price unless one is given."""
    free = ANY_PRICE if size > 0 else 0
    return CommitOrder(BORROWER, BTC, size, free if price is None else price)


@pytest.mark.parametrize("side", [1, -1])
def test_the_largest_order_on_both(wide: Twins, side: int) -> None:
    """ORD-3, UNIT-3: 2^96 - 1 from no position and its whole reduction; a wei of size more is no order."""
    wide.do("borrower", Deposit(BORROWER, USDC, MAX_CASH_UNITS // 2))
    wide.do("admin", SetOrders(BTC, RULES))
    wide.do("borrower", commit(side * (MAX_SIZE + 1)), refused="sys/domain")
    wide.do("borrower", commit(side * MAX_SIZE))
    check(wide)
    quote(wide, W)
    wide.do("liquidator", SettleOrder(BORROWER, BTC, NEXT))
    assert position(wide, BORROWER).size == side * MAX_SIZE
    wide.do("borrower", commit(side), refused="sys/domain")
    wide.do("borrower", commit(-side * MAX_SIZE))
    check(wide)
    quote(wide, 1)
    quote(wide, W)
    wide.do("liquidator", SettleOrder(BORROWER, BTC, NEXT + 1))
    check(wide)


def test_a_round_at_which_the_trade_does_not_fit_keeps_the_order_on_both(wide: Twins) -> None:
    """ORD-5, UNIT-3: at the largest price its cost is beyond its width: sys/domain, and it stays pending."""
    wide.do("borrower", Deposit(BORROWER, USDC, MAX_CASH_UNITS // 2))
    wide.do("admin", SetOrders(BTC, RULES))
    wide.do("borrower", commit(MAX_SIZE))
    wide.do("poster", Push((BTC,), (MAX_PRICE,)))
    quote(wide, W)
    wide.do("liquidator", SettleOrder(BORROWER, BTC, NEXT), refused="sys/domain")
    check(wide)
    wide.do("liquidator", CancelOrder(BORROWER, BTC), after=LONGEST_WINDOW + 1)
    check(wide)


@pytest.mark.parametrize("price", [1, MAX_PRICE])
def test_a_round_at_either_end_on_both(wide: Twins, price: int) -> None:
    """ORD-4, ORC-9: a wei for a dollar of size, and the largest price; and a price too large for any is no round."""
    wide.do("borrower", Deposit(BORROWER, USDC, MAX_CASH_UNITS // 2))
    wide.do("admin", SetOrders(BTC, RULES))
    wide.do("borrower", commit(W))
    wide.do("poster", Push((BTC,), (price,)))
    wide.do("liquidator", SettleOrder(BORROWER, BTC, NEXT))
    assert wide.event("OrderSettled").price == price
    check(wide)
    wide.do("borrower", commit(-W // 2))
    wide.do("poster", Push((BTC,), (MAX_PRICE + 1,)))
    wide.do("liquidator", SettleOrder(BORROWER, BTC, NEXT + 1), refused="oracle/out-of-bounds")
    check(wide)


def test_an_acceptable_price_to_the_wei_on_both(wide: Twins) -> None:
    """ORD-3, TRD-6: what a dollar of size costs with its impact, and a wei less; the largest stored, and more."""
    wide.do("borrower", Deposit(BORROWER, USDC, 10**9))
    wide.do("admin", SetOrders(BTC, RULES))
    start = wide.save()

    def fill(acceptable: int) -> str:
        wide.restore(start)
        wide.do("borrower", commit(W, acceptable))
        quote(wide, W)
        wide.do("liquidator", SettleOrder(BORROWER, BTC, NEXT))
        check(wide)
        return str(wide.event("OrderSettled").code)

    assert {fill(price) for price in (2**128 - 1, 2**128, ANY_PRICE)} == {""}
    impact = wide.event("PositionUpdated").impact
    assert impact > 1
    assert fill(W + impact) == ""
    assert {fill(price) for price in (W + impact - 1, W, 0)} == {"trade/price"}


def test_the_ends_of_fees_and_times_on_both(wide: Twins) -> None:
    """ORD-1, ORD-3, ORD-6: the largest fee to the wei, the longest delay and window to the second."""
    longest = OrderParams(BTC, LONGEST_DELAY, LONGEST_WINDOW, MAX_FEE, MAX_FEE)
    wide.do("admin", SetMarket(ETH, replace(wide_market(ETH), maker_fee=1)), refused="config/market")
    wide.do("admin", SetOrders(BTC, replace(longest, fee=MAX_FEE + 1)), refused="config/orders")
    wide.do("admin", SetOrders(BTC, longest))
    wide.do("borrower", Deposit(BORROWER, USDC, MAX_FEE // 10**12 - 1))
    trade(wide, "borrower", BORROWER, 10, market=ETH)
    wide.do("borrower", commit(1), refused="order/fee")
    wide.do("borrower", Deposit(BORROWER, USDC, 2))
    wide.do("borrower", commit(1))
    start = wide.save()
    quote(wide, W)
    wide.do("liquidator", SettleOrder(BORROWER, BTC, NEXT), refused="order/too-early", after=LONGEST_DELAY - 2)
    wide.do("poster", Push((BTC,), (W,)))
    wide.do("liquidator", SettleOrder(BORROWER, BTC, NEXT + 1), after=LONGEST_WINDOW)
    assert wide.cash(LIQUIDATOR) == MAX_FEE
    check(wide)
    wide.restore(start)
    wide.do("liquidator", CancelOrder(BORROWER, BTC), after=LONGEST_DELAY + LONGEST_WINDOW + 1)
    assert wide.cash(LIQUIDATOR) == MAX_FEE
    check(wide)


def test_a_keeper_whose_balance_is_full_earns_no_fee_on_both(wide: Twins) -> None:
    """UNIT-3, ORD-5, ORD-6: a balance beyond its width is refused, and the order waits for another keeper."""
    wide.do("admin", SetOrders(BTC, replace(RULES, fee=W, cancel_fee=W)))
    wide.do("trader", Deposit(TRADER, USDC, MAX_CASH_UNITS))
    wide.do("borrower", Deposit(BORROWER, USDC, 10**9))
    wide.do("borrower", commit(W))
    quote(wide, W)
    wide.do("trader", SettleOrder(BORROWER, BTC, NEXT), refused="sys/domain")
    start = wide.save()
    wide.do("liquidator", SettleOrder(BORROWER, BTC, NEXT))
    check(wide)
    wide.restore(start)
    wide.do("trader", CancelOrder(BORROWER, BTC), refused="sys/domain", after=LONGEST_WINDOW + 2)
    wide.do("liquidator", CancelOrder(BORROWER, BTC))
    check(wide)
