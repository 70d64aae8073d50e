"""Committed orders: when, at what price, by whom, and what becomes of them (ORD-1 to ORD-8)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.actions import (
    CancelOrder,
    Liquidate,
    SetLeverageCap,
    SettleOrder,
    Trade,
    Transfer,
    Withdraw,
)
from protocol.env import Env, Quote, Status
from protocol.errors import NotFirstRound
from protocol.events import OrderUpdated
from protocol.orders import is_kept
from protocol.policy import REDUCTION
from protocol.state import Order
from protocol.units import W
from tests.protocol.build import (
    ACCOUNT,
    ANY_PRICE,
    BORROWER,
    BTC,
    BTC_PRICE,
    ETH,
    KEEPER,
    LIQUIDATOR,
    NOW,
    WETH,
    env,
    holding,
    opened,
    refused,
    run,
    state_with,
    with_risk,
)
from tests.protocol.orders import ORDER, RULES, SALE, ordering

SETTLE = SettleOrder(ACCOUNT, BTC, 1)
CANCEL = CancelOrder(ACCOUNT, BTC)


def code_of(outcome: Any) -> str:
    """What became of a settled order."""
    return str(outcome.events[-1].code)


# --- settling: ORD-4 and ORD-5 --------------------------------------------------------------------------------------


def test_a_settlement_fills_at_the_round_and_pays_its_sender() -> None:
    """ORD-4, ORD-5: whoever sends it; its events in order."""
    outcome = run(ordering(), env(LIQUIDATOR), SETTLE)
    assert code_of(outcome) == ""
    assert outcome.state.accounts[ACCOUNT].positions[BTC].cost == BTC_PRICE
    assert (outcome.state.accounts[KEEPER].cash, outcome.state.escrow) == (2 * W, 0)
    assert [type(event).__name__ for event in outcome.events] == [
        *("OrderUpdated", "EscrowUpdated", "PositionUpdated", "MarketUpdated"),
        *("AccountUpdated", "LedgerUpdated", "AccountUpdated", "OrderSettled"),
    ]


def test_the_same_trade_at_once_ends_alike() -> None:
    """ORD-4, TRD-4: an order is a trade at another price, no more."""
    instant = state_with({ACCOUNT: holding(5_002 * W)}, pool=10**6 * W)
    settled = run(ordering(), env(BORROWER), SETTLE).state
    traded = run(instant, env(), Trade(ACCOUNT, BTC, W, ANY_PRICE)).state
    assert settled.accounts[ACCOUNT] == traded.accounts[ACCOUNT]
    assert settled.markets == traded.markets


@pytest.mark.parametrize(("seconds", "code"), [(-1, "order/too-early"), (0, ""), (60, ""), (61, "order/expired")])
def test_an_order_settles_in_its_window(seconds: int, code: str) -> None:
    """ORD-4: both ends are in it."""
    surroundings = env(LIQUIDATOR, now=NOW + seconds)
    if code:
        assert refused(ordering(), surroundings, SETTLE) == code
    else:
        assert code_of(run(ordering(), surroundings, SETTLE)) == ""


def test_there_must_be_an_order() -> None:
    """ORD-4, ORD-6: of this account in this market."""
    for action in (SETTLE, CANCEL):
        assert refused(ordering(None), env(), action) == "order/none"
        assert refused(ordering(), env(), replace(action, market=ETH)) == "order/none"
        assert refused(ordering(), env(), replace(action, account=KEEPER)) == "order/none"


def test_the_feed_is_asked_for_the_first_round_from_the_delay_on() -> None:
    """ORD-4: of the order's own feed, and what it refuses stays refused."""
    asked = []

    def reader(feed: int, number: int, since: int) -> Quote:
        asked.append((feed, number, since))
        raise NotFirstRound

    surroundings = replace(env(LIQUIDATOR, now=NOW + 5), read_first_round=reader)
    state = ordering(replace(ORDER, feed=7))
    assert refused(state, surroundings, replace(SETTLE, round=9)) == "oracle/not-first"
    assert asked == [(7, 9, NOW)]


@pytest.mark.parametrize("status", list(Status))
def test_a_price_with_a_fault_keeps_the_order(status: Status) -> None:
    """ORD-4, POL-1: the row of settlements accepts old prices of now and no other fault, in the market or the round."""
    state = ordering(SALE, positions={BTC: opened(W, BTC_PRICE)})
    accepted = status in {Status.STALE_SOFT, Status.STALE_HARD}
    now = env(LIQUIDATOR, btc_status=status)
    if accepted:
        assert code_of(run(state, now, SETTLE)) == ""
    else:
        assert refused(state, now, SETTLE).startswith("oracle/")
        bad = Quote(0, 0, 0, NOW, int(status))
        assert refused(state, replace(env(), read_first_round=lambda *_: bad), SETTLE).startswith("oracle/")


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize(("order", "cash"), [(ORDER, 5_000 * W), (SALE, -90 * W)])
def test_the_age_of_no_price_holds_up_an_order(order: Order, cash: int, status: Status) -> None:
    """ORD-5, POL-1: nor that of collateral; any other fault of it keeps an order that needs it, as it was."""
    positions = {BTC: opened(W, BTC_PRICE)} if order is SALE else {}
    state = ordering(order, cash=cash, collateral={WETH: 10**18}, positions=positions)
    accepted = Status.STALE_SOFT | Status.STALE_HARD
    if order is SALE:  # at a round below the price of now the last close costs health, so that its value counts
        accepted |= Status(REDUCTION)
    below = Quote(7_750 * W, 7_750 * W, 7_750 * W, NOW, 0)
    seen = replace(env(LIQUIDATOR, eth_status=int(status)), read_first_round=lambda *_: below)
    if status & accepted:
        assert code_of(run(state, seen, SETTLE)) == ("margin/reduce" if order is SALE else "")
    else:
        assert refused(state, seen, SETTLE).startswith("oracle/")


@pytest.mark.parametrize(("status", "code"), [(Status.STALE_HARD, ""), (Status.CAPPED, "oracle/uncertain")])
def test_the_age_of_the_price_of_usdc_holds_up_no_order(status: Status, code: str) -> None:
    """ORD-5, PEG-1: who alone brings it has no choice; any other fault keeps the order."""
    state = replace(ordering(), risk=with_risk(usdc_feed=3, depeg_threshold=9_900, depeg_factor=5_000))
    seen = env(LIQUIDATOR)
    seen = replace(seen, quotes=(*seen.quotes, Quote(W, W, W, NOW, int(status))))
    if code:
        assert refused(state, seen, SETTLE) == code
    else:
        assert code_of(run(state, seen, SETTLE)) == code


def test_a_reduction_is_judged_at_the_price_of_now() -> None:
    """ORD-5, MRG-11: sold at a round far below it, the position takes more health along than it frees."""
    state = ordering(SALE, positions={BTC: opened(2 * W, BTC_PRICE)})
    round_below = Quote(7_700 * W, 7_700 * W, 7_700 * W, NOW, 0)
    outcome = run(state, replace(env(LIQUIDATOR), read_first_round=lambda *_: round_below), SETTLE)
    assert code_of(outcome) == "margin/reduce"
    near = Quote(7_900 * W, 7_900 * W, 7_900 * W, NOW, 0)
    assert code_of(run(state, replace(env(LIQUIDATOR), read_first_round=lambda *_: near), SETTLE)) == ""


@pytest.mark.parametrize(
    ("order", "paused", "code"),
    [
        (replace(ORDER, acceptable_price=7_999 * W), False, "trade/price"),
        (replace(ORDER, size_delta=W // 10), False, "market/min-notional"),
        (replace(ORDER, size_delta=100 * W), False, "margin/initial"),
        (ORDER, True, "market/opening-paused"),
    ],
)
def test_a_refused_trade_ends_the_order_and_pays_the_keeper(order: Order, paused: bool, code: str) -> None:
    """ORD-5: nothing but the order, its fee and the keeper's balance has changed."""
    state = replace(ordering(order), opening_paused=paused)
    outcome = run(state, env(LIQUIDATOR), SETTLE)
    assert code_of(outcome) == code
    assert outcome.state.accounts[ACCOUNT] == replace(state.accounts[ACCOUNT], orders={})
    assert outcome.state.markets == state.markets
    assert outcome.state.ledger == state.ledger
    assert outcome.state.accounts[KEEPER].cash == 2 * W
    assert [type(event).__name__ for event in outcome.events] == [
        *("OrderUpdated", "EscrowUpdated", "AccountUpdated", "LedgerUpdated", "OrderSettled")
    ]


def test_what_is_out_of_range_keeps_the_order() -> None:
    """ORD-5: a number that cannot be stored is not the order's fault."""
    state = ordering(replace(ORDER, size_delta=2**96 - W), positions={BTC: opened(2**95, BTC_PRICE)})
    assert refused(state, env(LIQUIDATOR), SETTLE) == "sys/domain"


@pytest.mark.parametrize(
    ("code", "kept"), [("oracle/stale", True), ("sys/domain", True), ("trade/price", False), ("margin/initial", False)]
)
def test_prices_and_the_machine_keep_an_order(code: str, kept: bool) -> None:
    """ORD-5: and nothing else."""
    assert is_kept(code) == kept


def test_an_owner_who_settles_himself_keeps_his_fee() -> None:
    """ORD-5: it is there before the margin is measured, and reported with the rest."""
    outcome = run(ordering(cash=0), env(BORROWER), SETTLE)
    assert code_of(outcome) == "margin/initial"
    assert outcome.state.accounts[ACCOUNT].cash == 2 * W


# --- cancelling: ORD-6 ----------------------------------------------------------------------------------------------


def test_an_expired_order_is_cancelled_for_a_part_of_its_fee() -> None:
    """ORD-6: the rest goes back; the first second after the window."""
    assert refused(ordering(), env(LIQUIDATOR, now=NOW + 60), CANCEL) == "order/not-expired"
    assert refused(ordering(), env(BORROWER, now=NOW - 1), CANCEL) == "order/not-expired"
    outcome = run(ordering(), Env(NOW + 61, LIQUIDATOR, ()), CANCEL)
    assert (outcome.state.accounts[ACCOUNT].cash, outcome.state.accounts[KEEPER].cash) == (5_001 * W, W)
    assert outcome.state.escrow == 0
    assert not outcome.state.accounts[ACCOUNT].orders


def test_the_owner_may_cancel_his_own() -> None:
    """ORD-6: he then has the whole fee, and is reported once."""
    outcome = run(ordering(), env(BORROWER, now=NOW + 61), CANCEL)
    assert outcome.state.accounts[ACCOUNT].cash == 5_002 * W
    assert [type(event).__name__ for event in outcome.events].count("AccountUpdated") == 1


# --- liquidation, and what an order keeps where it is: ORD-7 and ORD-8 -----------------------------------------------


@pytest.mark.parametrize("cash", [300 * W, 150 * W, -100 * W])
def test_a_liquidation_gives_fees_back_and_ends_orders(cash: int) -> None:
    """ORD-7: with the same orders in no market, the account ends with as much less as they paid."""
    orders = {BTC: ORDER, ETH: replace(ORDER, feed=ETH)}
    position = {BTC: opened(W, BTC_PRICE)}
    state = state_with({ACCOUNT: holding(cash, {}, position, orders=orders)}, pool=10**6 * W, insurance=10**4 * W)
    price = 7_800 * W
    outcome = run(state, env(LIQUIDATOR, btc=price), Liquidate(ACCOUNT))
    assert not outcome.state.accounts[ACCOUNT].orders
    assert outcome.state.escrow == 0
    assert [event.market for event in outcome.events if isinstance(event, OrderUpdated)] == [BTC, ETH]
    assert sum(type(event).__name__ == "EscrowUpdated" for event in outcome.events) == 1


def test_a_liquidation_without_orders_says_nothing_of_them() -> None:
    """ORD-7: no event."""
    state = state_with({ACCOUNT: holding(150 * W, {}, {BTC: opened(W, BTC_PRICE)})}, pool=10**6 * W)
    outcome = run(state, env(LIQUIDATOR), Liquidate(ACCOUNT))
    assert not [event for event in outcome.events if type(event).__name__ in {"OrderUpdated", "EscrowUpdated"}]


def test_a_pending_order_keeps_the_margin_where_it_is() -> None:
    """ORD-8: nothing leaves, no other position grows, no cap of leverage changes; a reduction goes on."""
    held = holding(5_000 * W, {}, {ETH: opened(10 * W, 200 * W)}, orders={BTC: ORDER})
    state = state_with({ACCOUNT: held}, pool=10**6 * W, rules={BTC: RULES})
    for action in (
        Withdraw(ACCOUNT, 0, 1),
        Transfer(ACCOUNT, ACCOUNT + 1, 0, 1),
        SetLeverageCap(ACCOUNT, BTC, W),
        Trade(ACCOUNT, ETH, W, ANY_PRICE),
        Trade(ACCOUNT, ETH, -20 * W, 0),
    ):
        assert refused(state, env(), action) == "order/pending"
    run(state, env(), Trade(ACCOUNT, ETH, -10 * W, 0))
