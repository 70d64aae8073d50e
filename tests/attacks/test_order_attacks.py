"""Attacks on committed orders: on their price, on who may end them, and on their fees."""

from __future__ import annotations

from dataclasses import replace

from protocol.actions import CancelOrder, CommitOrder, Deposit, Liquidate, SetOrders, SettleOrder, Withdraw
from protocol.params import OrderParams
from protocol.units import W
from tests.attacks.stage import DOLLAR, HIGH, Purse, Stage, account_of, dollars, trade
from tests.twins import BTC, USDC, Twins

BORROWER = account_of("borrower")
STRANGER = account_of("stranger")
RULES = OrderParams(feed=BTC, delay=10, window=600, fee=2 * W, cancel_fee=W)
ROUND = 2  # the first after the one that every story begins with


def commit(size: int, account: int = BORROWER, price: int | None = None) -> CommitOrder:
    """An order in BTC, at any price unless one is given."""
    return CommitOrder(account, BTC, size, (HIGH if size > 0 else 0) if price is None else price)


def settle(number: int = ROUND, account: int = BORROWER) -> SettleOrder:
    """Settle the order in BTC at a round."""
    return SettleOrder(account, BTC, number)


def order_of_ten(twins: Twins) -> Purse:
    """An order for ten BTC of an account that can carry them."""
    purse = Purse(twins, "borrower")
    twins.do("admin", SetOrders(BTC, RULES))
    twins.deposit("borrower", usd=6_000)
    twins.do("borrower", commit(10 * W))
    return purse


def test_b16_the_margin_is_gone_when_the_order_settles(stage: Stage) -> None:
    """B16: the price falls after the order's round, and its trader takes the margin away so that the trade is refused.

    From: orders that anything may make fail once their price is known. Guard: ORD-8, while an order is pending nothing
    leaves the account. Without it the order costs its fee, 2 dollars, instead of a loss of 1,082.
    """

    def story(twins: Twins) -> int:
        purse = order_of_ten(twins)
        twins.price(BTC=8_000, after=10)
        twins.price(BTC=7_900)
        twins.attempt("borrower", Withdraw(BORROWER, USDC, 5_998 * DOLLAR))
        twins.do("liquidator", settle())
        return purse.gain()

    assert stage.guarded(story) == dollars("-1082")
    assert stage.without("a pending order keeps its margin", story) == dollars("-2")


def test_b18_a_later_round_is_chosen(stage: Stage) -> None:
    """B18: three rounds have come since the delay, and the trader settles his order at the lowest of them.

    From: settlements at any price after the order. Guard: ORC-9, the round before must be older than the delay. Without
    it the order gains 2,923 dollars instead of losing 82, its costs.
    """

    def story(twins: Twins) -> int:
        purse = order_of_ten(twins)
        for price in (8_000, 7_700, 8_000):
            twins.price(BTC=price, after=10)
        if twins.attempt("borrower", settle(ROUND + 1)) != "ok":
            twins.do("liquidator", settle())
        return purse.gain()

    assert stage.guarded(story) == dollars("-82")
    assert stage.without("an order has one price", story) == dollars("2923")


def test_b18_an_order_is_called_back_when_its_price_is_known(stage: Stage) -> None:
    """B18: an order for ten BTC, and the price falls after its round, so that its trader cancels it.

    From: orders that their owner may cancel at any time. Guard: ORD-6, nobody cancels before expiry. Without it the
    order costs nothing, the trader being his own canceller, instead of 1,082 dollars.
    """

    def story(twins: Twins) -> int:
        purse = order_of_ten(twins)
        twins.price(BTC=8_000, after=10)
        twins.price(BTC=7_900)
        twins.attempt("borrower", CancelOrder(BORROWER, BTC))
        twins.attempt("liquidator", settle())
        return purse.gain()

    assert stage.guarded(story) == dollars("-1082")
    assert stage.without("nobody calls an order back", story) == 0


def test_b18_a_close_at_once_beside_orders(stage: Stage) -> None:
    """B18: a trader sees the price fall before it is pushed, and closes ten BTC at once where others must commit.

    From: markets that settle opens later and closes at once. Guard: ORD-2, a market that takes orders takes no trade.
    Without it the fall costs nothing but fees, 62 dollars, instead of 1,082.
    """

    def story(twins: Twins) -> int:
        purse = order_of_ten(twins)
        twins.price(BTC=8_000, after=10)
        twins.do("liquidator", settle())
        twins.attempt("borrower", trade(BORROWER, -10 * W))
        twins.price(BTC=7_900)
        return purse.gain()

    assert stage.guarded(story) == dollars("-1082")
    assert stage.without("a market of orders trades in no other way", story) == dollars("-62")


def test_b20_an_order_is_settled_twice(stage: Stage) -> None:
    """B20: a keeper settles an order that its trade ends with a refusal again, and is paid out of another's fee.

    From: orders that are not forgotten before they act. Guard: ORD-5, an order ends before its trade is tried. Without
    it the trader who is his own keeper has earned 20 dollars that a stranger paid for an order.
    """

    def story(twins: Twins) -> int:
        twins.do("admin", SetOrders(BTC, replace(RULES, fee=20 * W)))
        purse = Purse(twins, "borrower", "trader")
        for owner, account in (("borrower", BORROWER), ("stranger", STRANGER)):
            twins.deposit(owner, usd=5_000)
            twins.do(owner, commit(W, account, price=1))
        twins.price(BTC=8_000, after=10)
        twins.do("trader", settle())
        twins.attempt("trader", settle())
        return purse.gain()

    assert stage.guarded(story) == 0
    assert stage.without("an order is settled once", story) == dollars("20")


def test_b21_an_order_outlives_a_liquidation(stage: Stage) -> None:
    """B21: an account is liquidated, its owner begins anew, and the order of before is still there at its old round.

    From: orders that survive their position. Guard: ORD-7, a liquidation ends all orders. Without it the new 5,000
    dollars are short five BTC from 7,000 while the price is 7,400: 2,026.25 are lost.
    """

    def story(twins: Twins) -> int:
        twins.deposit("borrower", usd=5_000)
        twins.do("borrower", trade(BORROWER, 10 * W))
        twins.do("admin", SetOrders(BTC, RULES))
        twins.do("borrower", commit(-5 * W))
        twins.price(BTC=7_000, after=10)
        twins.do("liquidator", Liquidate(BORROWER))
        purse = Purse(twins, "borrower")
        twins.do("borrower", Deposit(BORROWER, USDC, 5_000 * DOLLAR))
        twins.price(BTC=7_400)
        twins.attempt("liquidator", settle())
        return purse.gain()

    assert stage.guarded(story) == 0
    assert stage.without("a liquidation ends orders", story) == dollars("-2026.25")


def test_b42_a_fee_is_paid_with_what_is_not_there(stage: Stage) -> None:
    """B42: an account that owes more than it has commits an order to leave, whose fee its owner's keeper earns.

    From: fees charged to accounts without a balance. Guard: ORD-3, a fee is never lent. Without it each such account
    earns 20 dollars from the pool.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower", "stranger")
        twins.deposit("borrower", weth=3)
        twins.do("borrower", trade(BORROWER, W))
        twins.do("admin", SetOrders(BTC, replace(RULES, fee=20 * W)))
        twins.price(BTC=7_300)
        twins.attempt("borrower", commit(-W))
        twins.price(BTC=7_300, after=10)
        twins.attempt("stranger", settle(ROUND + 1))
        return purse.gain()

    assert stage.guarded(story) == dollars("-600")
    assert stage.without("a fee is not lent", story) == dollars("-580")
