"""Rules of orders, and what may be committed (ORD-1 to ORD-3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.actions import (
    CloseAll,
    CommitOrder,
    SetOrders,
    Trade,
)
from protocol.env import Env, Status
from protocol.orders import LONGEST_DELAY, LONGEST_WINDOW, MAX_FEE
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
from tests.protocol.orders import ORDER, RULES, SALE, ordering

COMMIT = CommitOrder(ACCOUNT, BTC, W, ANY_PRICE)
TRADE = Trade(ACCOUNT, BTC, W, ANY_PRICE)
LOT = W // 1_000


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


def test_a_position_that_an_order_waits_to_change_is_not_traded() -> None:
    """ORD-2: though its market trades at once by now; the other one does."""
    held = holding(5_000 * W, {}, {BTC: opened(W, BTC_PRICE), ETH: opened(5 * W, 200 * W)}, orders={BTC: SALE})
    state = state_with({ACCOUNT: held}, pool=10**6 * W)
    assert refused(state, env(), Trade(ACCOUNT, BTC, -W, 0)) == "order/pending"
    assert refused(state, env(), CloseAll(ACCOUNT, 0)) == "order/pending"
    run(state, env(), Trade(ACCOUNT, ETH, -5 * W, 0))


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
