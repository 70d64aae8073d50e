"""Rules of orders on both twins, who may commit what, and what a pending order keeps as it is."""

from __future__ import annotations

from dataclasses import replace

from contracts_py.keys import address_of
from oracle.feeds import Push, SetFeed
from protocol.actions import (
    CloseAll,
    CommitOrder,
    CreateIsolated,
    Deposit,
    SetLeverageCap,
    SetOperator,
    SetOrders,
    SettleOrder,
    Transfer,
    Withdraw,
)
from protocol.orders import LONGEST_DELAY, LONGEST_WINDOW, MAX_FEE
from protocol.params import OrderParams
from protocol.state import INSTANT
from protocol.trading import NO_LIMIT
from protocol.units import W
from tests.lockstep.both import BORROWER, LIQUIDATOR, LOT, TRADER, buy, check, position, refuse
from tests.lockstep.orders import NEXT, RULES, commit, open_orders, settle
from tests.twins import BTC, ETH, USDC, WBTC, WETH, WSTETH, Twins, wei


def test_who_may_commit_what_on_both(twins: Twins) -> None:
    """ORD-3: owner or operator, in whole lots, one order for a market, with the fee in the balance."""
    open_orders(twins)
    isolated = BORROWER + 2
    twins.do("borrower", Deposit(BORROWER + 1, USDC, 10**6))
    refuse(
        twins,
        "order/instant-only",
        ("borrower", CommitOrder(BORROWER, ETH, W, NO_LIMIT)),
    )
    refuse(twins, "account/unknown", ("borrower", commit(account=isolated)))
    refuse(twins, "account/not-trader", ("stranger", commit()))
    refuse(twins, "market/unknown", *(("borrower", CommitOrder(BORROWER, market, W, 0)) for market in (2, 99)))
    refuse(twins, "amount/zero", ("borrower", commit(0)))
    refuse(twins, "sys/domain", ("borrower", commit(2**96)), ("borrower", commit(-(2**96))))
    refuse(twins, "market/lot", ("borrower", commit(W + 1)))
    refuse(twins, "order/fee", ("borrower", commit(account=BORROWER + 1)))
    twins.do("borrower", SetOperator(BORROWER, address_of("trader")))
    twins.do("trader", commit(-W, price=2**256 - 1))
    assert twins.event("OrderUpdated").acceptable_price == 2**128 - 1
    refuse(twins, "order/pending", ("borrower", commit()))
    check(twins)


def test_an_order_that_adds_risk_is_a_trade_of_now_on_both(twins: Twins) -> None:
    """ORD-3, B18, POL-1: with its margin and every price without fault; a reduction is not asked."""
    open_orders(twins, usd=416)
    covered = twins.save()
    twins.do("borrower", Deposit(BORROWER, WETH, 10**18))
    twins.do("admin", SetFeed(ETH, 8, 60))
    twins.price(BTC=8_000, after=61)
    refuse(twins, "oracle/stale", ("borrower", commit()))
    twins.deposit("borrower", usd=1_000)
    refuse(twins, "oracle/stale", ("borrower", commit()))
    twins.restore(covered)
    refuse(twins, "margin/initial", ("borrower", commit()), ("borrower", commit(-W)))
    refuse(twins, "market/min-notional", ("borrower", commit(W // 10)))
    refuse(twins, "sys/domain", ("borrower", commit(10**10 * W)))
    twins.deposit("borrower", usd=1)
    twins.do("poster", Push((BTC,), (0,)))
    refuse(twins, "oracle/non-positive", ("borrower", commit()))
    twins.price(BTC=8_000)
    twins.do("borrower", commit())
    check(twins)
    twins.price(BTC=8_000, after=10)
    twins.do("liquidator", settle(NEXT + 2))
    assert position(twins, BORROWER).size == W
    twins.do("poster", Push((BTC,), (0,)))
    twins.do("borrower", commit(-W // 2))
    check(twins)


def test_an_isolated_account_orders_in_its_own_market_on_both(twins: Twins) -> None:
    """ORD-3, ACC-1: and in no other."""
    open_orders(twins)
    for market in (BTC, ETH):
        twins.do("admin", SetOrders(market, RULES))
    twins.do("trader", CreateIsolated(TRADER, ETH))
    twins.do("trader", Deposit(TRADER, USDC, 10**10))
    refuse(twins, "account/isolated", ("trader", commit(account=TRADER)))
    twins.do("trader", CommitOrder(TRADER, ETH, W * 10, NO_LIMIT))
    check(twins)


def test_a_market_of_orders_trades_in_no_other_way_on_both(twins: Twins) -> None:
    """ORD-2: neither an open nor a close at the price of now, until the admin says so."""
    twins.deposit("borrower", usd=5_000)
    twins.do("borrower", buy(W))
    twins.do("borrower", buy(5 * W, market=ETH))
    twins.do("admin", SetOrders(BTC, RULES))
    refuse(twins, "order/commit-only", ("borrower", buy(W)), ("borrower", buy(-W)), ("borrower", CloseAll(BORROWER, 0)))
    check(twins, sizes=(BORROWER,))
    twins.do("borrower", buy(-5 * W, market=ETH))
    twins.do("admin", SetOrders(BTC, INSTANT))
    twins.do("borrower", buy(-W))


def test_a_pending_order_keeps_the_margin_where_it_is_on_both(twins: Twins) -> None:
    """ORD-8: nothing leaves the account, no cap changes and no other position grows; deposits and reductions go on."""
    twins.deposit("borrower", usd=5_000)
    twins.do("borrower", buy(10 * W, market=ETH))
    twins.do("admin", SetOrders(BTC, RULES))
    twins.do("borrower", commit())
    refuse(
        twins,
        "order/pending",
        ("borrower", Withdraw(BORROWER, USDC, 1)),
        ("borrower", Transfer(BORROWER, BORROWER + 1, USDC, 1)),
        ("borrower", SetLeverageCap(BORROWER, BTC, W)),
        ("borrower", buy(10 * W, market=ETH)),
        ("borrower", buy(-21 * W, market=ETH)),
    )
    twins.do("borrower", buy(-4 * W, market=ETH))
    twins.do("borrower", Deposit(BORROWER, USDC, 1))
    check(twins)


def test_beside_an_order_that_adds_risk_nothing_is_committed_on_both(twins: Twins) -> None:
    """ORD-3: neither what adds risk too nor a reduction, for its fee would be margin of the first."""
    twins.deposit("borrower", usd=5_000)
    twins.do("borrower", buy(2 * W))
    twins.do("borrower", buy(20 * W, market=ETH))
    for market in (BTC, ETH):
        twins.do("admin", SetOrders(market, replace(RULES, feed=market)))
    start = twins.save()
    for first in (commit(LOT), commit(-4 * W), commit(-5 * W)):  # a larger one, and two flips
        twins.restore(start)
        twins.do("borrower", first)
        refuse(
            twins,
            "order/pending",
            *(("borrower", CommitOrder(BORROWER, ETH, size * W, NO_LIMIT if size > 0 else 0)) for size in (1, -1)),
        )
    twins.restore(start)
    twins.do("borrower", commit(-W))
    twins.do("borrower", CommitOrder(BORROWER, ETH, 10 * W, NO_LIMIT))
    check(twins)
    twins.restore(start)
    twins.do("borrower", commit(-2 * W))
    twins.do("borrower", CommitOrder(BORROWER, ETH, -W, 0))
    check(twins)


def test_what_an_order_reduces_waits_for_it_on_both(twins: Twins) -> None:
    """ORD-2: also when the admin lets the market trade at once again; after the settlement it is traded."""
    twins.deposit("borrower", usd=5_000)
    twins.do("borrower", buy(2 * W))
    for market in (BTC, ETH):
        twins.do("admin", SetOrders(market, replace(RULES, feed=market)))
    twins.do("borrower", commit(-W))
    twins.do("admin", SetOrders(BTC, INSTANT))
    refuse(twins, "order/pending", ("borrower", buy(-W)), ("borrower", buy(W)), ("borrower", CloseAll(BORROWER, 0)))
    check(twins, sizes=(BORROWER,))
    twins.price(BTC=8_000, after=10)
    twins.do("liquidator", settle())
    twins.do("borrower", buy(-W))
    check(twins)


def test_collateral_of_a_new_kind_waits_for_pending_orders_on_both(twins: Twins) -> None:
    """ORD-8: its price may have a fault, which would keep the order pending; whoever brings it."""
    open_orders(twins)
    twins.do("borrower", Deposit(BORROWER, WETH, 5))
    twins.do("borrower", Deposit(BORROWER + 1, WBTC, 5))
    twins.do("borrower", commit())
    refuse(
        twins,
        "order/pending",
        ("stranger", Deposit(BORROWER, WBTC, 1)),
        ("borrower", Deposit(BORROWER, WSTETH, 1)),
        ("borrower", Transfer(BORROWER + 1, BORROWER, WBTC, 1)),
    )
    twins.do("stranger", Deposit(BORROWER, WETH, 1))
    twins.do("stranger", Deposit(BORROWER, USDC, 1))
    check(twins)


def test_a_pending_order_keeps_the_rules_it_was_committed_under_on_both(twins: Twins) -> None:
    """ORD-1: a change of rules concerns later orders, also when the market trades at once again."""
    open_orders(twins)
    twins.do("borrower", commit())
    twins.do("admin", SetOrders(BTC, replace(RULES, delay=100, fee=5 * W)))
    twins.price(BTC=8_000, after=10)
    twins.do("liquidator", settle())
    assert twins.cash(LIQUIDATOR) == wei(2)
    twins.do("borrower", commit(-W))
    assert twins.event("OrderUpdated").fee == 5 * W
    twins.do("admin", SetOrders(BTC, INSTANT))
    check(twins)
    twins.price(BTC=8_000, ETH=200, after=100)
    twins.do("liquidator", settle(NEXT + 1))
    check(twins)


def test_an_order_keeps_its_feed_on_both(twins: Twins) -> None:
    """ORD-1: a market that trades at once again names none, and its pending orders still have theirs."""
    open_orders(twins)
    twins.do("admin", SetOrders(ETH, replace(RULES, feed=ETH)))
    twins.do("borrower", CommitOrder(BORROWER, ETH, 10 * W, NO_LIMIT))
    twins.do("admin", SetOrders(ETH, INSTANT))
    twins.price(BTC=8_000, ETH=210, after=10)
    twins.do("liquidator", SettleOrder(BORROWER, ETH, NEXT))
    assert twins.event("OrderSettled").price == 210 * W
    check(twins)


def test_the_rules_of_orders_have_bounds_on_both(twins: Twins) -> None:
    """ORD-1: at each end, one beyond, and by the admin alone."""
    highest = OrderParams(2**16 - 1, LONGEST_DELAY, LONGEST_WINDOW, MAX_FEE, MAX_FEE)
    for rules in (highest, OrderParams(0, 1, 1, 1, 0), INSTANT):
        twins.do("admin", SetOrders(BTC, rules))
        twins.check_states()
    for name, value in (
        ("feed", 2**16),
        ("delay", LONGEST_DELAY + 1),
        ("delay", 0),
        ("window", 0),
        ("window", LONGEST_WINDOW + 1),
        ("fee", MAX_FEE + 1),
        ("cancel_fee", MAX_FEE + 1),
    ):
        refuse(twins, "config/orders", ("admin", SetOrders(BTC, replace(highest, **{name: value}))))
    refuse(twins, "config/orders", ("admin", SetOrders(BTC, replace(highest, fee=0, cancel_fee=0))))
    for name in ("feed", "window", "fee", "cancel_fee"):
        refuse(twins, "config/orders", ("admin", SetOrders(BTC, replace(INSTANT, **{name: 1}))))
    refuse(twins, "market/unknown", ("admin", SetOrders(2, RULES)))
    refuse(twins, "role/not-admin", ("guardian", SetOrders(BTC, RULES)))
