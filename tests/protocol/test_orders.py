"""Committed orders: when, at what price, by whom, and what becomes of them (ORD-1 to ORD-8)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.actions import (
    CancelOrder,
    CloseAll,
    CommitOrder,
    Liquidate,
    SetLeverageCap,
    SetOrders,
    SettleOrder,
    Trade,
    Transfer,
    Withdraw,
)
from protocol.env import Env, Quote, Status
from protocol.errors import NotFirstRound
from protocol.events import OrderUpdated
from protocol.orders import LONGEST_DELAY, LONGEST_WINDOW, MAX_FEE, is_kept
from protocol.params import OrderParams
from protocol.policy import REDUCTION
from protocol.state import INSTANT, Order, State
from protocol.trading import NO_LIMIT
from protocol.units import W
from tests.protocol.build import (
    ACCOUNT,
    ADMIN,
    ANY_PRICE,
    BORROWER,
    BTC,
    BTC_PRICE,
    ETH,
    KEEPER,
    LIQUIDATOR,
    NOW,
    STRANGER,
    TRADER,
    WETH,
    env,
    holding,
    opened,
    outcome_of,
    refused,
    run,
    state_with,
)

RULES = OrderParams(feed=BTC, delay=10, window=60, fee=2 * W, cancel_fee=W)
ORDER = Order(W, NO_LIMIT - 1, 2 * W, W, BTC, NOW, NOW + 60)
COMMIT = CommitOrder(ACCOUNT, BTC, W, ANY_PRICE)
TRADE = Trade(ACCOUNT, BTC, W, ANY_PRICE)
LOT = W // 1_000
SALE = replace(ORDER, size_delta=-W, acceptable_price=0)
SETTLE = SettleOrder(ACCOUNT, BTC, 1)
CANCEL = CancelOrder(ACCOUNT, BTC)


def ordering(order: Order | None = ORDER, cash: int = 5_000 * W, **account: Any) -> State:
    """A state in which BTC trades by orders and the account has this one, or none."""
    held = holding(cash, orders={BTC: order} if order else {}, **account)
    return state_with({ACCOUNT: held}, pool=10**6 * W, rules={BTC: RULES})


def code_of(outcome: Any) -> str:
    """What became of a settled order."""
    return str(outcome.events[-1].code)


# --- rules of a market: ORD-1 and ORD-2 -----------------------------------------------------------------------------


def test_the_admin_chooses_how_a_market_trades() -> None:
    """ORD-1: by orders, or at once again; the other market stays as it is."""
    state = run(state_with(), env(ADMIN), SetOrders(ETH, RULES)).state
    assert state.order_params == (INSTANT, RULES)
    assert run(state, env(ADMIN), SetOrders(ETH, INSTANT)).state.order_params == (INSTANT, INSTANT)
    assert refused(state, env(BORROWER), SetOrders(ETH, RULES)) == "role/not-admin"
    assert refused(state, env(ADMIN), SetOrders(2, RULES)) == "market/unknown"


@pytest.mark.parametrize(
    ("field", "lowest", "highest"),
    [
        ("feed", 0, 2**16 - 1),
        ("delay", 1, LONGEST_DELAY),
        ("window", 1, LONGEST_WINDOW),
        ("fee", 1, MAX_FEE),
        ("cancel_fee", 0, 2 * W),
    ],
)
def test_each_rule_has_bounds(field: str, lowest: int, highest: int) -> None:
    """ORD-1: both ends pass, one beyond each does not."""
    state, rules = state_with(), replace(RULES, cancel_fee=0) if field == "fee" else RULES
    for value in (lowest, highest):
        run(state, env(ADMIN), SetOrders(BTC, replace(rules, **{field: value})))
    for value in (lowest - 1, highest + 1):
        assert refused(state, env(ADMIN), SetOrders(BTC, replace(rules, **{field: value}))) == "config/orders"


@pytest.mark.parametrize("field", ["feed", "window", "fee", "cancel_fee"])
def test_a_market_that_trades_at_once_has_no_other_rule(field: str) -> None:
    """ORD-1: so that there is one form of it."""
    assert refused(state_with(), env(ADMIN), SetOrders(BTC, replace(INSTANT, **{field: 1}))) == "config/orders"


def test_a_market_of_orders_takes_no_trade() -> None:
    """ORD-2: not even one that closes, nor closing everything; the other market does."""
    held = holding(5_000 * W, {}, {BTC: opened(W, BTC_PRICE), ETH: opened(5 * W, 200 * W)})
    state = state_with({ACCOUNT: held}, pool=10**6 * W, rules={BTC: RULES})
    for size in (W, -W, -2 * W):
        assert refused(state, env(), Trade(ACCOUNT, BTC, size, ANY_PRICE if size > 0 else 0)) == "order/commit-only"
    assert refused(state, env(), CloseAll(ACCOUNT, 0)) == "order/commit-only"
    run(state, env(), Trade(ACCOUNT, ETH, -5 * W, 0))
    other = state_with({ACCOUNT: held}, pool=10**6 * W, rules={ETH: RULES})
    assert refused(other, env(), CloseAll(ACCOUNT, 0)) == "order/commit-only"


# --- committing: ORD-3 ----------------------------------------------------------------------------------------------


def test_a_commitment_takes_the_fee() -> None:
    """ORD-3: nothing else moves; what it will be is fixed."""
    outcome = run(ordering(None), env(), COMMIT)
    account = outcome.state.accounts[ACCOUNT]
    assert account.cash == 4_998 * W
    assert account.orders == {BTC: Order(W, NO_LIMIT - 1, 2 * W, W, BTC, NOW + 10, NOW + 70)}
    assert outcome.state.escrow == 2 * W
    assert [type(event).__name__ for event in outcome.events] == ["OrderUpdated", "EscrowUpdated", "AccountUpdated"]


def test_a_reduction_is_committed_without_a_price() -> None:
    """ORD-3: and without looking at what the account is worth."""
    state = ordering(None, cash=2 * W, positions={BTC: opened(W, BTC_PRICE)})
    for size in (-W, -W // 2):
        assert run(state, Env(NOW, BORROWER, ()), replace(COMMIT, size_delta=size)).state.escrow == 2 * W
    assert refused(state, Env(NOW, BORROWER, ()), replace(COMMIT, size_delta=-W - LOT)) == "oracle/unavailable"


@pytest.mark.parametrize(
    ("size", "cash", "code"),
    [
        (W, 416 * W + W // 2, "ok"),
        (W, 416 * W, "margin/initial"),
        (W // 10, 5_000 * W, "market/min-notional"),
        (-W, 3 * W, "margin/initial"),
    ],
)
def test_what_adds_risk_must_be_a_trade_of_now(size: int, cash: int, code: str) -> None:
    """ORD-3, MRG-10, B18: 410 of margin, 4 of trading fee, impact, and the order's 2; the price may be any."""
    assert outcome_of(ordering(None, cash=cash), env(), replace(COMMIT, size_delta=size)) == code


@pytest.mark.parametrize("status", [Status.STALE_SOFT, Status.UNCERTAIN, Status.HALTED])
def test_what_adds_risk_needs_a_price_without_fault(status: Status) -> None:
    """ORD-3, POL-1: as a trade at once does."""
    seen = env(btc_status=int(status))
    assert refused(ordering(None), seen, COMMIT) == refused(state_with({ACCOUNT: holding(5_000 * W)}), seen, TRADE)


def test_an_operator_may_commit() -> None:
    """ORD-3, ACC-2: as he may trade."""
    state = ordering(None, operator=TRADER)
    run(state, env(TRADER), COMMIT)
    assert refused(state, env(STRANGER), COMMIT) == "account/not-trader"


@pytest.mark.parametrize(
    ("given", "stored"), [(0, 0), *((price, 2**128 - 1) for price in (2**128 - 1, 2**128, 2**256 - 1))]
)
def test_an_acceptable_price_beyond_every_price_is_the_largest(given: int, stored: int) -> None:
    """ORD-3: it limits nothing either way."""
    outcome = run(ordering(None), env(), replace(COMMIT, acceptable_price=given))
    assert outcome.state.accounts[ACCOUNT].orders[BTC].acceptable_price == stored


@pytest.mark.parametrize(
    ("state", "action", "code"),
    [
        (ordering(None), replace(COMMIT, account=KEEPER), "account/unknown"),
        (ordering(None), replace(COMMIT, market=2), "market/unknown"),
        (ordering(None), replace(COMMIT, market=ETH), "order/instant-only"),
        (ordering(None, isolated=ETH + 1), COMMIT, "account/isolated"),
        (ordering(None), replace(COMMIT, size_delta=0), "amount/zero"),
        (ordering(None), replace(COMMIT, size_delta=2**96), "sys/domain"),
        (ordering(None), replace(COMMIT, size_delta=1), "market/lot"),
        (ordering(), COMMIT, "order/pending"),
        (ordering(None, cash=2 * W - 1), COMMIT, "order/fee"),
        (ordering(None, cash=-W), COMMIT, "order/fee"),
    ],
)
def test_a_commitment_is_refused(state: State, action: CommitOrder, code: str) -> None:
    """ORD-3: one reason at a time; a fee is never lent."""
    assert refused(state, env(), action) == code


def test_a_fee_of_the_whole_balance_can_be_paid() -> None:
    """ORD-3: to the wei."""
    state = ordering(None, cash=2 * W, positions={BTC: opened(W, BTC_PRICE)})
    assert run(state, env(), replace(COMMIT, size_delta=-W)).state.accounts[ACCOUNT].cash == 0


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


@pytest.mark.parametrize("status", list(Status)[1:])
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


@pytest.mark.parametrize("status", list(Status)[1:])
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


def test_old_prices_are_no_good_for_a_commitment() -> None:
    """ORD-3: whatever the order will take when it settles."""
    state = ordering(None, collateral={WETH: 10**18})
    assert refused(state, env(eth_status=int(Status.STALE_SOFT)), COMMIT) == "oracle/stale"


@pytest.mark.parametrize(("first", "second"), [(W, W), (W, -W), (-2 * W, -W)])
def test_nothing_is_committed_beside_an_order_that_adds_risk(first: int, second: int) -> None:
    """ORD-3: in any market; beside a reduction there is room for both kinds."""
    position = {BTC: opened(W, BTC_PRICE), ETH: opened(20 * W, 200 * W)}
    both: dict[str, Any] = {"rules": {BTC: RULES, ETH: replace(RULES, feed=ETH)}, "pool": 10**6 * W}
    commit = CommitOrder(ACCOUNT, ETH, second, ANY_PRICE if second > 0 else 0)
    pending = holding(5_000 * W, {}, position, orders={BTC: replace(ORDER, size_delta=first)})
    assert refused(state_with({ACCOUNT: pending}, **both), env(), commit) == "order/pending"
    reducing = holding(5_000 * W, {}, position, orders={BTC: SALE})
    assert len(run(state_with({ACCOUNT: reducing}, **both), env(), commit).state.accounts[ACCOUNT].orders) == 2


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
