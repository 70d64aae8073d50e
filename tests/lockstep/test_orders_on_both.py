"""Settling and cancelling committed orders on both twins: prices, outcomes, fees, and what liquidations end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.feeds import HISTORY, Push, SetFeed
from protocol.actions import (
    CancelOrder,
    CommitOrder,
    Deposit,
    Liquidate,
    PauseOpening,
    SetMarket,
    SetOrders,
    SetRisk,
    SettleOrder,
)
from protocol.env import Status
from protocol.orders import LONGEST_WINDOW
from protocol.params import MarginBracket
from protocol.trading import NO_LIMIT
from protocol.units import W
from tests.lockstep.both import BORROWER, LIQUIDATOR, MARKET, STRANGER, buy, check, named, position, refuse
from tests.lockstep.orders import NEXT, RULES, commit, open_orders, settle
from tests.twins import BTC, ETH, RATE_FEED, RISK, WSTETH_FEED, Twins, wei

USDC_FEED = 4


def test_an_order_is_filled_at_the_first_round_after_its_delay_on_both(twins: Twins) -> None:
    """ORD-3 to ORD-5, ORC-9: whoever settles, the price is the one of that round, and the fee goes to the settler."""
    open_orders(twins)
    twins.do("borrower", commit())
    check(twins)
    assert twins.cash(BORROWER) == wei(4_998)
    assert twins.world.protocol.escrow == wei(2)
    twins.price(BTC=8_100, after=9)  # before the delay is over
    twins.do("liquidator", settle(), refused="order/too-early", after=0)
    twins.price(BTC=8_010, after=1)
    twins.price(BTC=8_200, after=1)
    refuse(twins, "oracle/not-first", ("liquidator", settle(NEXT)), ("liquidator", settle(NEXT + 2)))
    refuse(twins, "oracle/unknown-round", ("liquidator", settle(NEXT + 3)))
    twins.do("liquidator", settle(NEXT + 1))
    done = twins.event("OrderSettled")
    assert (done.keeper, done.round, done.price, done.code) == (LIQUIDATOR, NEXT + 1, 8_010 * W, "")
    assert twins.event("PositionUpdated").price == 8_010 * W
    assert (twins.cash(LIQUIDATOR), twins.world.protocol.escrow) == (wei(2), 0)
    assert position(twins, BORROWER).size == W
    check(twins)
    twins.do("liquidator", settle(NEXT + 1), refused="order/none")


@pytest.mark.parametrize(
    ("price", "change", "code"),
    [
        (8_009 * W, None, "trade/price"),
        (None, SetMarket(BTC, replace(MARKET, min_notional=10**4 * W)), "market/min-notional"),
        (None, SetMarket(BTC, replace(MARKET, brackets=(MarginBracket(0, W // 40, W),))), "margin/initial"),
        (None, SetMarket(BTC, replace(MARKET, skew_cap=W // 2)), "market/skew-cap"),
        (None, PauseOpening(True), "market/opening-paused"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_trade_that_the_rules_refuse_ends_the_order_on_both(
    twins: Twins, price: int | None, change: SetMarket | PauseOpening | None, code: str
) -> None:
    """ORD-5: the code is in the event, nothing is filled, and the keeper is paid all the same."""
    open_orders(twins)
    twins.do("borrower", commit(price=price))
    if change is not None:
        twins.do("admin", change)
    cash = twins.cash(BORROWER)
    twins.price(BTC=8_010, after=10)
    twins.do("liquidator", settle())
    assert twins.event("OrderSettled").code == code
    assert named(twins, "PositionUpdated") == []
    assert (twins.cash(BORROWER), twins.cash(LIQUIDATOR)) == (cash, wei(2))
    assert not twins.world.protocol.accounts[BORROWER].orders
    check(twins)


def test_what_fails_for_a_price_stays_pending_on_both(twins: Twins) -> None:
    """ORD-5, POL-1: neither a bad round nor a bad price of another kind consumes, cancels or reprices an order."""
    open_orders(twins, usd=5_000)
    twins.do("borrower", Deposit(BORROWER, 1, 10**18))  # WETH: its price counts for the margin
    twins.do("borrower", commit())
    twins.do("poster", Push((BTC,), (-5,)), after=10)
    refuse(twins, "oracle/non-positive", ("liquidator", settle()))
    twins.price(BTC=8_000)
    twins.do("poster", Push((ETH,), (0,)))
    refuse(twins, "oracle/non-positive", ("liquidator", settle()))  # the round is as bad as ever
    twins.do("liquidator", settle(NEXT + 1), refused="oracle/not-first")
    twins.do("liquidator", CancelOrder(BORROWER, BTC), refused="order/not-expired")
    assert twins.world.protocol.accounts[BORROWER].orders
    check(twins)


@pytest.mark.parametrize(("price", "code"), [(8_000, ""), (7_500, "margin/initial")])
def test_a_stale_price_of_collateral_holds_up_no_order_on_both(twins: Twins, price: int, code: str) -> None:
    """ORD-5, POL-1: the margin is measured with the price there is, by which it suffices or does not."""
    twins.do("admin", SetFeed(ETH, 8, 60))
    twins.deposit("borrower", usd=250, weth=1)
    twins.do("admin", SetOrders(BTC, RULES))
    twins.price(ETH=200)
    twins.do("borrower", commit(W // 2))
    twins.price(BTC=8_000, after=59)
    twins.price(BTC=price)
    twins.do("liquidator", settle())
    assert twins.world.env(twins.now).quote(ETH).status == Status.STALE_HARD
    assert twins.event("OrderSettled").code == code
    check(twins)


def test_a_stale_price_of_usdc_holds_up_no_order_on_both(twins: Twins) -> None:
    """ORD-5, PEG-1: it is old before the round comes; what adds risk at once waits for it."""
    twins.do("admin", SetFeed(USDC_FEED, 8, 60))
    twins.do("admin", SetRisk(replace(RISK, usdc_feed=USDC_FEED + 1, depeg_threshold=9_900, depeg_factor=5_000)))
    open_orders(twins)
    twins.do("poster", Push((USDC_FEED,), (100_000_000,)))
    twins.do("borrower", commit(W))
    twins.price(BTC=8_000, after=60)
    assert twins.world.env(twins.now).quote(USDC_FEED).status == Status.STALE_HARD
    twins.do("liquidator", settle())
    assert twins.event("OrderSettled").code == ""
    refuse(twins, "oracle/stale", ("borrower", buy(5 * W, market=ETH)))
    check(twins)


def test_a_stale_price_of_collateral_holds_up_no_last_close_on_both(twins: Twins) -> None:
    """ORD-5, MRG-11: a last position closed at a loss of health needs every price, old ones too, however rich."""
    twins.deposit("borrower", usd=900, weth=1)
    twins.do("borrower", buy(2 * W))
    twins.do("admin", SetFeed(ETH, 8, 60))
    twins.do("admin", SetOrders(BTC, RULES))
    twins.price(ETH=200)
    twins.do("borrower", commit(-2 * W))
    twins.price(BTC=7_800, after=59)
    twins.price(BTC=8_100, after=2)
    old = twins.save()
    twins.do("poster", Push((ETH,), (0,)))
    twins.do("liquidator", settle(), refused="oracle/non-positive")
    twins.restore(old)
    twins.do("liquidator", settle())
    assert twins.event("OrderSettled").code == ""
    assert not twins.world.protocol.accounts[BORROWER].positions
    check(twins)


def test_an_order_settles_at_its_round_however_the_price_has_moved_on_both(twins: Twins) -> None:
    """ORD-4: an old round is the price; the margin is measured at the newest one."""
    open_orders(twins)
    twins.do("borrower", commit())
    twins.price(BTC=8_000, after=10)
    twins.price(BTC=9_000)
    twins.do("liquidator", settle())
    assert position(twins, BORROWER).cost == 8_000 * W
    twins.do("borrower", commit(-W))
    twins.price(BTC=8_500, after=10)
    twins.price(BTC=8_400)
    twins.do("stranger", settle(NEXT + 2))
    assert twins.event("OrderSettled").code == ""
    assert not twins.world.protocol.accounts[BORROWER].positions
    check(twins)


def test_an_expired_order_is_cancelled_by_anybody_on_both(twins: Twins) -> None:
    """ORD-6: to the second; part of the fee for the canceller, the rest back."""
    open_orders(twins)
    twins.do("borrower", commit())
    start = twins.save()
    twins.price(BTC=8_000, after=10)
    twins.do("liquidator", CancelOrder(BORROWER, BTC), refused="order/not-expired", after=60)
    twins.restore(start)
    twins.do("liquidator", CancelOrder(BORROWER, BTC), refused="order/not-expired", after=70)
    twins.do("liquidator", settle(), refused="order/expired")
    twins.do("liquidator", CancelOrder(BORROWER, BTC), after=0)
    assert (twins.cash(BORROWER), twins.cash(LIQUIDATOR)) == (wei(4_999), W)
    assert named(twins, "OrderUpdated")[0].size_delta == 0
    check(twins)
    refuse(twins, "order/none", ("liquidator", CancelOrder(BORROWER, BTC)), ("borrower", CancelOrder(BORROWER, ETH)))
    twins.do("borrower", commit())
    twins.do("borrower", CancelOrder(BORROWER, BTC), after=71)
    assert twins.cash(BORROWER) == wei(4_999)
    check(twins)


def test_a_settlement_counts_to_the_last_second_on_both(twins: Twins) -> None:
    """ORD-4: at the first second of the delay's end, and at the last of the window."""
    open_orders(twins)
    twins.do("borrower", commit())
    twins.price(BTC=8_000, after=10)
    twins.do("borrower", settle(), after=60)
    filled = twins.event("PositionUpdated")
    assert twins.cash(BORROWER) == wei(5_000) - filled.fee - filled.impact, "its own keeper pays no fee"
    check(twins)


def test_orders_in_two_markets_settle_each_by_itself_on_both(twins: Twins) -> None:
    """ORD-8: the other one does not stop a settlement."""
    open_orders(twins)
    twins.do("borrower", buy(20 * W, market=ETH))
    twins.do("admin", SetOrders(ETH, replace(RULES, feed=ETH, fee=1, cancel_fee=0)))
    twins.do("borrower", CommitOrder(BORROWER, ETH, -10 * W, 0))
    twins.do("borrower", commit())
    check(twins)
    twins.price(BTC=8_000, ETH=200, after=11)
    twins.do("liquidator", settle())
    assert twins.event("OrderSettled").code == ""
    check(twins)
    twins.do("stranger", SettleOrder(BORROWER, ETH, NEXT))
    assert twins.event("OrderSettled").code == ""
    assert twins.cash(STRANGER) == 1
    check(twins)


@pytest.mark.parametrize("feed", [RATE_FEED + 1, 9, RATE_FEED])
def test_a_feed_without_rounds_settles_nothing_on_both(twins: Twins, feed: int) -> None:
    """ORC-9: a rate feed and one that does not exist are unavailable; of a push feed the round is not known yet."""
    assert RATE_FEED + 1 == WSTETH_FEED
    open_orders(twins, rules=replace(RULES, feed=feed))
    twins.do("borrower", commit())
    twins.price(BTC=8_000, after=10)
    twins.do("liquidator", settle(), refused="oracle/unknown-round" if feed == RATE_FEED else "oracle/unavailable")
    check(twins)


def test_the_oldest_remembered_round_proves_nothing_on_both(twins: Twins) -> None:
    """ORC-9: whether it is the first cannot be told when the one before is forgotten."""
    open_orders(twins, rules=replace(RULES, window=LONGEST_WINDOW))
    twins.do("borrower", commit())
    twins.price(BTC=8_000, after=10)
    for _ in range(HISTORY - 2):
        twins.price(BTC=8_000)
    start = twins.save()
    twins.do("liquidator", settle())
    twins.restore(start)
    twins.price(BTC=8_000)
    twins.do("liquidator", settle(), refused="oracle/unknown-round")
    twins.price(BTC=8_000)
    twins.do("liquidator", settle(), refused="oracle/unknown-round")
    twins.do("liquidator", settle(0), refused="oracle/unknown-round")
    check(twins)


def test_a_liquidation_ends_all_orders_and_gives_back_their_fees_on_both(twins: Twins) -> None:
    """ORD-7: partial or not; what it sizes was measured without them."""
    twins.deposit("borrower", usd=5_000)
    twins.do("borrower", buy(10 * W))
    for market in (BTC, ETH):
        twins.do("admin", SetOrders(market, replace(RULES, feed=market)))
        twins.do("borrower", CommitOrder(BORROWER, market, -W if market == BTC else 10 * W, 0))
    cash = twins.cash(BORROWER)
    twins.price(BTC=7_680)
    twins.do("liquidator", Liquidate(BORROWER))
    assert [event.market for event in named(twins, "OrderUpdated")] == [BTC, ETH]
    assert twins.world.protocol.escrow == 0
    assert cash < twins.cash(BORROWER) + sum(e.impact + e.funding - e.pnl for e in named(twins, "PositionUpdated")) + (
        twins.event("AccountLiquidated").reward_from_account + twins.event("AccountLiquidated").penalty
    )
    check(twins)
    twins.do("liquidator", settle(), refused="order/none")


def test_a_bankrupt_account_gets_its_fees_back_before_its_loss_is_covered_on_both(twins: Twins) -> None:
    """ORD-7, WAT-3: they make the bad debt smaller."""
    twins.deposit("borrower", usd=4_200)
    twins.do("borrower", buy(10 * W))
    cash = twins.cash(BORROWER)
    twins.do("admin", SetOrders(BTC, RULES))
    twins.do("borrower", commit(-W))
    twins.price(BTC=7_000)
    twins.do("liquidator", Liquidate(BORROWER))
    done, closed = twins.event("AccountLiquidated"), twins.event("PositionUpdated")
    charged = closed.fee + closed.impact + closed.funding + done.reward_from_account + done.penalty
    assert done.bad_debt == charged - closed.pnl - cash > 0
    check(twins)


def test_a_keeper_in_debt_repays_with_its_fee_on_both(twins: Twins) -> None:
    """ORD-5, LED-1: the total of debts is reported, whether the trade is made or not."""
    twins.deposit("liquidator", usd=500, weth=20)
    twins.do("liquidator", buy(W, LIQUIDATOR))
    twins.price(BTC=7_000)
    twins.do("liquidator", buy(-W, LIQUIDATOR))
    assert twins.cash(LIQUIDATOR) < 0
    open_orders(twins)
    twins.do("borrower", commit())
    start = twins.save()
    for price in (NO_LIMIT, 1):
        twins.restore(start)
        twins.price(BTC=7_000, after=10)
        if price == 1:
            twins.do("guardian", PauseOpening(True))
        twins.do("liquidator", settle(NEXT + 1))
        assert len(named(twins, "LedgerUpdated")) == 1
        check(twins)
