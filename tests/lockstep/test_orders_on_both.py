"""Committed orders on both twins: rules, prices, outcomes, fees and what stays pending."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts_py.keys import address_of, to_hex
from contracts_py.revm import read_log, read_reason
from oracle.feeds import HISTORY, Push
from protocol.actions import (
    CancelOrder,
    CloseAll,
    CommitOrder,
    CreateIsolated,
    Deposit,
    Liquidate,
    PauseOpening,
    SetLeverageCap,
    SetMarket,
    SetOperator,
    SetOrders,
    SettleOrder,
    Transfer,
    Withdraw,
)
from protocol.orders import LONGEST_DELAY, LONGEST_WINDOW, MAX_FEE
from protocol.params import MarginBracket, OrderParams
from protocol.state import INSTANT
from protocol.trading import NO_LIMIT
from protocol.units import DAY, W
from tests.lockstep.both import BORROWER, LIQUIDATOR, MARKET, STRANGER, TRADER, buy, check, named, position, refuse
from tests.twins import BTC, ETH, RATE_FEED, USDC, WBTC, WETH, WSTETH, WSTETH_FEED, Twins, wei

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


def test_a_stale_price_of_collateral_keeps_an_order_that_adds_risk_on_both(twins: Twins) -> None:
    """ORD-5: margin is measured at the prices of now, and one of them is too old."""
    open_orders(twins, rules=replace(RULES, window=DAY))
    twins.do("borrower", Deposit(BORROWER, 1, 10**18))
    twins.do("borrower", commit())
    twins.price(BTC=8_000, after=10)
    twins.price(BTC=8_000, after=7_201)
    refuse(twins, "oracle/stale", ("liquidator", settle()))
    twins.price(ETH=200)
    twins.do("liquidator", settle())
    assert twins.event("OrderSettled").code == ""
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
    """ORD-3, B18, POL-1: with its margin and a price without fault; a reduction is not asked."""
    open_orders(twins, usd=416)
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


def test_orders_in_two_markets_settle_each_by_itself_on_both(twins: Twins) -> None:
    """ORD-8: the other one does not stop a settlement."""
    open_orders(twins)
    twins.do("admin", SetOrders(ETH, replace(RULES, feed=ETH, fee=0, cancel_fee=0)))
    twins.do("borrower", commit())
    twins.do("borrower", CommitOrder(BORROWER, ETH, 10 * W, NO_LIMIT))
    check(twins)
    twins.price(BTC=8_000, ETH=200, after=11)
    twins.do("liquidator", settle())
    assert twins.event("OrderSettled").code == ""
    check(twins)
    twins.do("stranger", SettleOrder(BORROWER, ETH, NEXT))
    assert twins.event("OrderSettled").code == ""
    assert twins.cash(STRANGER) == 0
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
    open_orders(twins, rules=replace(RULES, window=DAY))
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


def test_the_rules_of_orders_have_bounds_on_both(twins: Twins) -> None:
    """ORD-1: at each end, one beyond, and by the admin alone."""
    highest = OrderParams(2**16 - 1, LONGEST_DELAY, LONGEST_WINDOW, MAX_FEE, MAX_FEE)
    for rules in (highest, OrderParams(0, 1, 1, 0, 0), INSTANT):
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
    for name in ("feed", "window", "fee", "cancel_fee"):
        refuse(twins, "config/orders", ("admin", SetOrders(BTC, replace(INSTANT, **{name: 1}))))
    refuse(twins, "market/unknown", ("admin", SetOrders(2, RULES)))
    refuse(twins, "role/not-admin", ("guardian", SetOrders(BTC, RULES)))


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


def test_too_little_gas_ends_no_order(twins: Twins) -> None:
    """ORD-5: whatever gas a keeper sends along, the trade is made or the order is still pending."""
    open_orders(twins)
    twins.do("borrower", commit())
    twins.price(BTC=8_000, after=10)
    contracts: Any = twins.chain.contracts
    evm, (address, data) = contracts.node._evm, contracts.encode_action(settle())
    filled = 0
    for gas in range(30_000, 420_000, 2_500):
        checkpoint = evm.snapshot()
        try:
            evm.message_call(to_hex(address_of("liquidator")), to_hex(address), data, gas=gas)
            logs = [contracts.read_log(read_log(log)) for log in evm.result.logs]
            assert logs[-1].code == ""
            filled += 1
        except RuntimeError as failure:
            assert read_reason(str(failure)) in {"", "sys/panic"}
        evm.revert(checkpoint)
    assert 0 < filled < 100
    check(twins)
