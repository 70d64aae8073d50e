"""Attacks on committed orders: on their price, on who may end them, and on their fees."""

from __future__ import annotations

from dataclasses import replace

from oracle.feeds import Push, SetFeed
from protocol.actions import CancelOrder, CommitOrder, Deposit, Liquidate, SetMarket, SetOrders, SettleOrder, Withdraw
from protocol.params import OrderParams
from protocol.units import W
from tests.attacks.stage import DOLLAR, HIGH, Purse, Stage, account_of, dollars, quiet_market, trade
from tests.twins import BTC, ETH, RATE_FEED, USDC, WSTETH, Twins

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


def test_b16_what_was_to_be_closed_is_gone_when_the_order_settles(stage: Stage) -> None:
    """B16: ordered to close, the market trades at once again; the trader sees the round, and closes at a better price.

    From: orders to reduce that open once there is nothing to reduce. Guard: ORD-2, a position waits for the order that
    is to change it. Without it the order fails for the margin it needs: a gain of 5,939.50 dollars, not a loss of 62.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=4_400)
        twins.do("borrower", trade(BORROWER, 10 * W))
        twins.do("admin", SetOrders(BTC, RULES))
        twins.do("borrower", commit(-10 * W))
        twins.do("admin", SetOrders(BTC, replace(RULES, feed=0, delay=0, window=0, fee=0, cancel_fee=0)))
        twins.price(BTC=8_000, after=10)
        twins.price(BTC=8_600)
        twins.attempt("borrower", trade(BORROWER, -10 * W))
        twins.do("liquidator", settle())
        return purse.gain()

    assert stage.guarded(story) == dollars("-62")
    assert stage.without("an order's position waits for it", story) == dollars("5,939.5")


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


def test_b16_the_price_of_collateral_grows_old(stage: Stage) -> None:
    """B16: the price falls after the order's round, and its trader, who alone brings his collateral's price, does not.

    From: settlements that every price of the account must be fresh for. Guard: ORD-5, the age of no price holds up an
    order. Without it the order expires and costs 1 dollar, instead of a loss of 1,082.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.do("admin", SetOrders(BTC, RULES))
        twins.do("admin", SetFeed(ETH, 8, 60))
        twins.deposit("borrower", usd=6_000, weth=1)
        twins.price(ETH=200)
        twins.do("borrower", commit(10 * W))
        twins.price(BTC=8_000, after=60)
        twins.attempt("liquidator", settle())
        twins.price(BTC=7_900)
        twins.attempt("liquidator", settle())
        twins.attempt("liquidator", CancelOrder(BORROWER, BTC), after=RULES.window)
        twins.price(ETH=200)
        return purse.gain()

    assert stage.guarded(story) == dollars("-1082")
    assert stage.without("the age of no price holds up an order", story) == dollars("-1")


def test_b16_collateral_without_a_price_is_brought(stage: Stage) -> None:
    """B16: the price falls after the order's round, and its trader deposits a wei of a token whose feed is dead.

    From: deposits that nothing refuses. Guard: ORD-8, collateral of a new kind waits for orders. Without it no
    settlement can measure the margin, so the order expires and costs 1 dollar, instead of a loss of 1,082.
    """

    def story(twins: Twins) -> int:
        purse = order_of_ten(twins)
        twins.do("poster", Push((RATE_FEED,), (0,)))
        twins.price(BTC=8_000, after=10)
        twins.attempt("borrower", Deposit(BORROWER, WSTETH, 1))
        twins.attempt("liquidator", settle())
        twins.price(BTC=7_900)
        twins.attempt("liquidator", CancelOrder(BORROWER, BTC), after=RULES.window)
        return purse.gain()

    assert stage.guarded(story) == dollars("-1082")
    # What the wei counts for, now that maintenance takes a token without a price at its ceiling.
    assert stage.without("collateral of a new kind waits for orders", story) == dollars("-1") + 420


def test_b16_a_dead_token_makes_an_order_an_option(stage: Stage) -> None:
    """B16: its trader holds a wei of a token whose feed is dead, and waits for a moment at which his margin is enough.

    From: prices asked only where the rest is not enough. Guard: MRG-10, an order needs every price.
    Without it the order waits while its margin is short, where an order without the wei ends, and then gains 2,918
    dollars at the price of its round.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.do("admin", SetOrders(BTC, RULES))
        twins.deposit("borrower", usd=6_000)
        twins.do("borrower", Deposit(BORROWER, WSTETH, 1))
        twins.do("poster", Push((RATE_FEED,), (0,)))
        twins.attempt("borrower", commit(10 * W))
        for price in (8_000, 7_700, 8_300):
            twins.price(BTC=price, after=10)
            twins.attempt("liquidator", settle())
        return purse.gain()

    # What the wei counts for, now that maintenance takes a token without a price at its ceiling.
    assert stage.guarded(story) == 420
    assert stage.without("an order needs every price", story) == dollars("2918") + 420


def test_b16_the_fee_of_a_second_order_takes_the_margin(stage: Stage) -> None:
    """B16: the price falls after the order's round, and its trader commits a reduction, whose fee takes margin.

    From: fees that are charged whatever is pending. Guard: ORD-3, a commitment looks at what is pending. Without it the
    first order ends without its trade; both fees, and the trade before in the other market, cost 23.01 dollars instead
    of 1,083.01.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=4_200)
        twins.do("borrower", trade(BORROWER, 10 * W, ETH))
        for market, fee in ((BTC, 2 * W), (ETH, 20 * W)):
            twins.do("admin", SetOrders(market, replace(RULES, feed=market, fee=fee)))
        twins.do("borrower", commit(10 * W))
        twins.price(BTC=8_000, ETH=200, after=10)
        twins.attempt("borrower", CommitOrder(BORROWER, ETH, -W, 0))
        twins.do("liquidator", settle())
        twins.price(BTC=7_900)
        return purse.gain()

    assert stage.guarded(story) == dollars("-1083.01")
    assert stage.without("a commitment looks at what is pending", story) == dollars("-23.01")


def test_b16_a_dear_close_takes_the_margin(stage: Stage) -> None:
    """B16: the price falls after the order's round, and its trader closes a short in a thin market that is all long.

    From: ways out that nothing may stop. Guard: MRG-11 and ORD-8, beside a pending order nothing is closed at a loss of
    health. Without it the order ends without its trade: the opening was rebated for most of what the close costs, so
    that both markets together cost 14.58 dollars instead of 976.58.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        thin = replace(quiet_market(ETH), skew_scale=6_000 * W, oi_cap=6_000 * W, skew_cap=3_000 * W)
        twins.do("admin", SetMarket(ETH, thin))
        twins.do("admin", SetOrders(BTC, RULES))
        twins.deposit("trader", usd=20_000)
        twins.do("trader", trade(account_of("trader"), 590 * W, ETH))
        twins.deposit("borrower", usd=4_060)
        twins.do("borrower", trade(BORROWER, -6 * W, ETH))
        twins.do("borrower", commit(10 * W))
        twins.price(BTC=8_000, after=10)
        twins.attempt("borrower", trade(BORROWER, 6 * W, ETH))
        twins.do("liquidator", settle())
        twins.price(BTC=7_900)
        return purse.gain()

    assert stage.guarded(story) == dollars("-976.58")
    assert stage.without("a dear close leaves an order its margin", story) == dollars("-14.58")


def test_b18_two_orders_on_one_margin(stage: Stage) -> None:
    """B18: both rounds are there, both prices are about to fall, and the trader settles his sale before his buy.

    From: orders that are measured one by one. Guard: ORD-3, an order that adds risk is the last. Without it the sale
    gains 1,942 dollars and the buy ends without its trade for its fee; with it there is the buy alone, which
    loses 1,082.
    """

    def story(twins: Twins) -> int:
        purse = order_of_ten(twins)
        twins.do("admin", SetOrders(ETH, replace(RULES, feed=ETH)))
        twins.attempt("borrower", CommitOrder(BORROWER, ETH, -400 * W, 0))
        twins.price(BTC=8_000, ETH=200, after=10)
        twins.attempt("borrower", SettleOrder(BORROWER, ETH, ROUND))
        twins.do("liquidator", settle())
        twins.price(BTC=7_900, ETH=195)
        return purse.gain()

    assert stage.guarded(story) == dollars("-1082")
    assert stage.without("an order that adds risk is the last one", story) == dollars("1942")


def test_b18_orders_are_funded_when_their_price_is_known(stage: Stage) -> None:
    """B18: two accounts with nothing but the fee commit a buy and a sale, and the one that gains is funded.

    From: orders that need no margin until they settle. Guard: ORD-3, an order that adds risk is a trade of now. Without
    it the pair gains 916 dollars without any risk: the other order ends without its trade, for its fee.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower", "stranger")
        twins.do("admin", SetOrders(BTC, RULES))
        for owner, account, size in (("borrower", BORROWER, 10 * W), ("stranger", STRANGER, -10 * W)):
            twins.deposit(owner, usd=2)
            twins.attempt(owner, commit(size, account))
        twins.price(BTC=8_000, after=10)
        twins.deposit("borrower", usd=6_000)
        for account in (BORROWER, STRANGER):
            twins.attempt("liquidator", settle(account=account))
        twins.price(BTC=8_100)
        return purse.gain()

    assert stage.guarded(story) == 0
    assert stage.without("an order that adds risk is a trade of now", story) == dollars("916")


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
