"""Fills, and the rules a trade must meet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.actions import Trade
from protocol.draft import Draft
from protocol.env import Env, Status
from protocol.errors import OutOfDomain
from protocol.events import AccountUpdated, LedgerUpdated, MarketUpdated, PositionUpdated
from protocol.margin import (
    AccountState,
    compute_account_state,
    compute_health,
    compute_margins,
    compute_notional,
    compute_pnl,
)
from protocol.params import MarginBracket, MarketParams, check_market
from protocol.state import Account, Market, Position, State
from protocol.trading import compute_fill, fill, move_totals
from protocol.units import BPS, PRICE_LIMIT, SIZE_LIMIT, UNSIGNED_LIMIT, W, cdiv, fdiv
from tests.protocol.build import (
    ACCOUNT,
    ANY_PRICE,
    BORROWER,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    KEEPER,
    MARKETS,
    STRANGER,
    WETH,
    cash_of,
    check_order_of,
    env,
    event_of,
    holding,
    ledger_sum,
    opened,
    outcome_of,
    position_of,
    refused,
    run,
    state_with,
    with_risk,
)

LOT = W // 1_000
STATUSES = {
    "oracle/unavailable": Status.UNAVAILABLE,
    "oracle/non-positive": Status.NON_POSITIVE,
    "oracle/out-of-bounds": Status.OUT_OF_BOUNDS,
    "oracle/stale": Status.STALE_HARD,
}
SIZES = st.integers(1, 10**6 * W) | st.integers(1, 100)
PRICES = st.integers(1, 10**6 * W) | st.integers(1, 100)
COSTS = st.integers(-(10**27), 10**27) | st.integers(-100, 100)


def buy(size: int, market: int = BTC, account: int = ACCOUNT) -> Trade:
    """A buy, or a sale for negative sizes, at any price."""
    return Trade(account, market, size, ANY_PRICE if size > 0 else 0)


def trader(size: int = 0, cash: int = 100_000 * W, price: int = BTC_PRICE) -> State:
    """A funded pool and one account with a BTC position opened at a price."""
    positions = {BTC: opened(size, price)} if size else {}
    return state_with({ACCOUNT: holding(cash, positions=positions)}, pool=10**6 * W, insurance=10**4 * W)


# --- fills: FIL-1 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "size_delta", "price", "after", "pnl"),
    [
        # Growing pays the price, rounded up.
        (Position(0, 0), W, 8_000 * W, Position(W, 8_000 * W), 0),
        (Position(0, 0), -W, 8_000 * W, Position(-W, -8_000 * W), 0),
        (Position(W, 8_000 * W), W, 9_000 * W, Position(2 * W, 17_000 * W), 0),
        (Position(-W, -8_000 * W), -W, 9_000 * W, Position(-2 * W, -17_000 * W), 0),
        (Position(0, 0), 1, 1, Position(1, 1), 0),
        (Position(0, 0), -1, 1, Position(-1, 0), 0),
        (Position(0, 0), 1, W + 1, Position(1, 2), 0),
        (Position(0, 0), -1, W + 1, Position(-1, -1), 0),
        # Reducing releases the cost in proportion and realises the rest.
        (Position(2 * W, 17_000 * W), -W, 9_000 * W, Position(W, 8_500 * W), 500 * W),
        (Position(-2 * W, -17_000 * W), W, 9_000 * W, Position(-W, -8_500 * W), -500 * W),
        (Position(W, 8_000 * W), -W, 7_000 * W, Position(0, 0), -1_000 * W),
        (Position(-W, -8_000 * W), W, 7_000 * W, Position(0, 0), 1_000 * W),
        # A released cost with a fraction is rounded up, proceeds down, payments up.
        (Position(3, 10), -1, W, Position(2, 6), -3),
        (Position(3, 10), -2, W, Position(1, 3), -5),
        (Position(3, 9), -1, W, Position(2, 6), -2),
        (Position(3, 11), -1, W, Position(2, 7), -3),
        (Position(-3, -10), 1, W, Position(-2, -7), 2),
        (Position(-3, -11), 1, W, Position(-2, -8), 2),
        (Position(3, -10), -1, W, Position(2, -7), 4),
        (Position(1, 5), -1, W - 1, Position(0, 0), -5),
        (Position(1, 5), -1, W, Position(0, 0), -4),
        (Position(-1, -5), 1, 1, Position(0, 0), 4),
        (Position(-1, -5), 1, W + 1, Position(0, 0), 3),
    ],
)
def test_fills_worked_by_hand(before: Position, size_delta: int, price: int, after: Position, pnl: int) -> None:
    """FIL-1: growing, reducing and closing, both sides, with every rounding against the account."""
    result = compute_fill(before, size_delta, price)
    assert (result.position, result.pnl) == (after, pnl)


@given(SIZES, st.booleans(), COSTS, st.integers(1, 10**6), PRICES)
def test_a_reduction_splits_the_cost_and_creates_no_value(
    size: int, short: bool, cost: int, share: int, price: int
) -> None:
    """FIL-1: released and remaining cost are the whole cost; realised and unrealised profit never grow by it."""
    before = Position(-size if short else size, cost)
    part = 1 + size * share // (10**6 + 1)
    delta = part if short else -part
    result = compute_fill(before, delta, price)
    released = cost - result.position.cost
    assert released == cdiv(cost * part, size)
    assert result.pnl == fdiv(-delta * price, W) - released
    gap = compute_pnl(before, price) - compute_pnl(result.position, price) - result.pnl
    assert gap in {0, 1}, "a wei at most moves to the pool"
    assert (result.position.size == 0) <= (result.position.cost == 0)


@given(SIZES, st.booleans(), COSTS, st.lists(st.integers(1, 10**6), min_size=1, max_size=8), PRICES)
def test_partial_closes_sum_to_the_whole(size: int, short: bool, cost: int, shares: list[int], price: int) -> None:
    """FIL-1, X1: closing in parts releases exactly the cost, and never earns more than closing at once."""
    sign = -1 if short else 1
    start = Position(sign * size, cost)
    at_once = compute_fill(start, -start.size, price)
    assert at_once.position == Position(0, 0)
    position, pnl, fills = start, 0, 0
    for share in [*shares, 0]:
        part = min(abs(position.size), 1 + size * share // (10**6 * len(shares))) if share else abs(position.size)
        if part:
            result = compute_fill(position, -sign * part, price)
            position, pnl, fills = result.position, pnl + result.pnl, fills + 1
    assert position == Position(0, 0)
    assert at_once.pnl - fills < pnl <= at_once.pnl


@given(st.lists(st.integers(-1_000, 1_000) | st.integers(-(10**21), 10**21), min_size=1, max_size=8), PRICES)
@example([1, -3, 5], 1)
def test_no_round_trip_at_one_price_profits(deltas: list[int], price: int) -> None:
    """FIL-1, T5, X2: from flat to flat, by any fills at one price, the sum of profits is never above 0."""
    position, pnl, fills = Position(0, 0), 0, 0
    for delta in [*deltas, -sum(deltas)]:
        crosses = position.size * (position.size + delta) < 0
        for part in (-position.size, position.size + delta) if crosses else (delta,):
            result = compute_fill(position, part, price)
            position, pnl, fills = result.position, pnl + result.pnl, fills + 1
            assert pnl + compute_pnl(position, price) <= 0
    assert position == Position(0, 0)
    assert -2 * fills <= pnl <= 0


@given(SIZES, PRICES, PRICES, st.integers(1, 10**6))
def test_long_and_short_are_mirror_images(size: int, entry: int, move: int, share: int) -> None:
    """FIL-1, T8: mirrored sizes and price moves give the same profit within 1 wei per division."""
    part = 1 + size * share // (10**6 + 1)
    long = compute_fill(Position(0, 0), size, entry + move)
    short = compute_fill(Position(0, 0), -size, entry + move)
    up, down = compute_fill(long.position, -part, entry + 2 * move), compute_fill(short.position, part, entry)
    assert abs(up.pnl - down.pnl) <= 2
    assert up.position.size == -down.position.size
    assert abs(up.position.cost + down.position.cost) <= 2
    level_up = compute_pnl(up.position, entry + 2 * move)
    level_down = compute_pnl(down.position, entry)
    assert abs(level_up + up.pnl - level_down - down.pnl) <= 3


# --- applying fills: FIL-2, FIL-3 -----------------------------------------------------------------------------------


def test_a_fill_moves_position_totals_profit_and_fee() -> None:
    """FIL-2, C4, C8, B13: one fill worked by hand: every ledger it touches, and its two events."""
    draft = Draft(trader(2 * W, cash=1_000 * W))
    account = draft.account(ACCOUNT)
    fill(draft, account, BTC, -W, 8_500 * W, W // 2_000)
    # Half of the position closes with 500 of profit; the fee is 0.05 % of 8,500, a tenth of it for insurance.
    assert account.positions == {BTC: Position(W, 8_000 * W)}
    assert account.cash == 1_000 * W + 500 * W - 4_250 * W // 1_000
    assert draft.pool == 10**6 * W - 500 * W + 3_825 * W // 1_000
    assert draft.insurance == 10**4 * W + 425 * W // 1_000
    assert draft.market(BTC) == Market(W, 0, 8_000 * W)
    assert draft.events == [
        PositionUpdated(ACCOUNT, BTC, W, 8_000 * W, -W, 8_500 * W, 500 * W, 4_250 * W // 1_000),
        MarketUpdated(BTC, W, 0, 8_000 * W),
    ]


@pytest.mark.parametrize(
    ("size_delta", "price", "fee_rate", "fee"),
    [
        (W, 8_000 * W, W // 2_000, 4 * W),
        (-W, 8_000 * W, W // 2_000, 4 * W),
        (1, W, 1, 1),
        (-1, W, 1, 1),
        (1, W, W, 1),
        (1, W + 1, W, 2),
        (W, 8_000 * W, 0, 0),
        (10**9, 10**9, W // 100, 1),
        (10**9, 10**11, W // 100, 1),
        (10**9, 10**11 + 1, W // 100, 2),
    ],
)
def test_the_fee_is_charged_on_the_notional_and_rounded_up(
    size_delta: int, price: int, fee_rate: int, fee: int
) -> None:
    """FIL-2, T6, B27: no fill is too small for its fee, and one rounding is all there is."""
    draft = Draft(trader())
    account = draft.account(ACCOUNT)
    fill(draft, account, BTC, size_delta, price, fee_rate)
    assert account.cash == 100_000 * W - fee
    assert isinstance(draft.events[0], PositionUpdated)
    assert draft.events[0].fee == fee
    to_insurance = fee * 1_000 // BPS
    assert (draft.insurance, draft.pool) == (10**4 * W + to_insurance, 10**6 * W + fee - to_insurance)


@pytest.mark.parametrize("side", [1, -1])
def test_the_last_position_of_a_market_closes_without_a_counterparty(side: int) -> None:
    """FIL-3, C6, B8: the pool is the other side; nobody else needs to be there, and the market is empty afterwards."""
    after = run(trader(side * W), env(), buy(-side * W)).state
    assert after.markets[BTC] == Market(0, 0, 0)


def test_a_profit_beyond_the_pool_is_booked_in_full() -> None:
    """FIL-2, LED-2, B9: a close is never refused because the pool is empty; the rest is deficit."""
    account = holding(positions={BTC: Position(W, 0)})
    state = state_with({ACCOUNT: account}, pool=100 * W, held=10**10)
    outcome = run(state, env(), buy(-W))
    fee = 4 * W
    assert cash_of(outcome.state) == 8_000 * W - fee
    assert outcome.state.ledger.pool == 0
    # The pool's part of the fee repays the deficit at once.
    assert outcome.state.ledger.deficit == 7_900 * W - (fee - fee // 10)
    assert outcome.state.ledger.insurance == fee // 10


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-(10**6), 10**6)), max_size=20), PRICES)
def test_market_totals_are_the_sums_of_positions(moves: list[tuple[int, int]], price: int) -> None:
    """FIL-3, C5, C6, B12: long, short and cost follow every change of every position, exactly, and end at 0."""
    positions = [Position(0, 0)] * 4
    totals = Market(0, 0, 0)
    closing = [(index, 0) for index in range(4)]
    for index, delta in moves + closing:
        before = positions[index]
        target = before.size + delta if (index, delta) not in closing else 0
        cost = (
            cdiv(target * price, W)
            if before.size * target <= 0
            else compute_fill(before, target - before.size, price).position.cost
        )
        after = Position(target, cost)
        totals = move_totals(totals, before, after)
        positions[index] = after
        assert totals.long_oi == sum(max(p.size, 0) for p in positions)
        assert totals.short_oi == sum(max(-p.size, 0) for p in positions)
        assert totals.cost == sum(p.cost for p in positions)
        assert totals.skew == sum(p.size for p in positions)
    assert totals == Market(0, 0, 0)


# --- who, which market, what size: TRD-1, TRD-2 ---------------------------------------------------------------------


def test_only_the_owner_trades() -> None:
    """TRD-1: an unregistered account is unknown, another's is not the sender's, a second account is its owner's."""
    state = trader()
    assert refused(state, env(), buy(W, account=KEEPER)) == "account/unknown"
    assert refused(state, env(), buy(W, account=ACCOUNT + 1)) == "account/unknown"
    assert refused(state, env(STRANGER), buy(W)) == "account/not-owner"
    run(state, env(), buy(W))
    second = state_with({ACCOUNT + 1: holding(10**4 * W)})
    run(second, env(), buy(W, account=ACCOUNT + 1))


def test_only_listed_markets_trade() -> None:
    """TRD-1: the first id that is not listed is unknown."""
    state = trader()
    run(state, env(), buy(10 * W, ETH))
    assert refused(state, env(), buy(W, 2)) == "market/unknown"
    assert refused(state, env(), buy(W, 2**256 - 1)) == "market/unknown"
    assert refused(state_with({ACCOUNT: holding(W)}, markets=()), env(), buy(W, 0)) == "market/unknown"


@pytest.mark.parametrize(
    ("size", "code"),
    [
        (0, "amount/zero"),
        (1, "market/lot"),
        (-1, "market/lot"),
        (W - 1, "market/lot"),
        (W + 1, "market/lot"),
        (1 - W, "market/lot"),
        (-1 - W, "market/lot"),
        (W, "ok"),
        (-W, "ok"),
        (W + LOT, "ok"),
        (SIZE_LIMIT, "sys/domain"),
        (-SIZE_LIMIT, "sys/domain"),
        (SIZE_LIMIT - 1, "market/lot"),
        (1 - SIZE_LIMIT, "market/lot"),
        (2**255 - 1, "sys/domain"),
        (-(2**255), "sys/domain"),
    ],
)
def test_a_size_is_whole_lots_within_the_stored_width(size: int, code: str) -> None:
    """TRD-2: zero, a size out of range and broken lots are refused, in this order."""
    assert outcome_of(trader(), env(), buy(size)) == code


def test_the_largest_size_of_whole_lots_is_no_domain_error_by_itself() -> None:
    """TRD-2, T9: at a low price the largest size fits every width."""
    markets = (replace(MARKETS[BTC], lot=1, min_notional=1_000 * W),)
    state = state_with({ACCOUNT: holding(10**29)}, markets=markets)
    largest = SIZE_LIMIT - 1
    for size in (largest, -largest):
        outcome = run(state, env(btc=W), buy(size))
        assert position_of(outcome.state) == Position(size, size)
        assert refused(outcome.state, env(btc=W), buy(1 if size > 0 else -1)) == "sys/domain"
        closed = run(outcome.state, env(btc=W), buy(-size))
        assert ACCOUNT in closed.state.accounts
        assert closed.state.accounts[ACCOUNT].positions == {}


@pytest.mark.parametrize("side", [1, -1])
def test_a_cost_that_does_not_fit_is_a_domain_error(side: int) -> None:
    """TRD-2, UNIT-3, T9: the largest cost of half a word is accepted, a lot more is not."""
    markets = (replace(MARKETS[BTC], lot=1, fee_rate=0),)
    price = PRICE_LIMIT - 1
    state = state_with({ACCOUNT: holding(2**127 - 1)}, markets=markets)
    largest = fdiv((2**127 - 1) * W, price)
    assert outcome_of(state, env(btc=price), buy(side * largest)) == "ok"
    assert refused(state, env(btc=price), buy(side * (largest + W))) == "sys/domain"


def test_market_totals_that_do_not_fit_are_a_domain_error() -> None:
    """UNIT-3, T9: open interest holds 128 bits even when each position holds 96."""
    state = replace(trader(), markets=(Market(UNSIGNED_LIMIT - W, 0, 0), Market(0, 0, 0)))
    with pytest.raises(OutOfDomain):
        fill(Draft(state), Draft(state).account(ACCOUNT), BTC, W, BTC_PRICE, 0)
    fill(Draft(state), Draft(state).account(ACCOUNT), BTC, W - 1, BTC_PRICE, 0)


# --- prices: TRD-3, TRD-4 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
@pytest.mark.parametrize("size", [2 * W, W, -W, -2 * W, -3 * W])
def test_every_trade_needs_a_usable_price_of_its_market(code: str, status: Status, size: int) -> None:
    """TRD-3, ORC-3: growing, reducing, closing and flipping alike."""
    assert refused(trader(2 * W), env(btc_status=int(status)), buy(size)) == code


def test_a_trade_of_a_market_without_a_feed_is_refused() -> None:
    """TRD-3: a feed that does not exist has no price."""
    assert refused(trader(), Env(0, BORROWER, ()), buy(W)) == "oracle/unavailable"


@pytest.mark.parametrize(
    ("size", "acceptable", "code"),
    [
        (W, BTC_PRICE - 1, "trade/price"),
        (W, BTC_PRICE, "ok"),
        (W, BTC_PRICE + 1, "ok"),
        (-W, BTC_PRICE - 1, "ok"),
        (-W, BTC_PRICE, "ok"),
        (-W, BTC_PRICE + 1, "trade/price"),
        (W, 0, "trade/price"),
        (-W, 2**256 - 1, "trade/price"),
    ],
)
def test_the_fill_price_is_no_worse_than_acceptable(size: int, acceptable: int, code: str) -> None:
    """TRD-4: the highest price of a buy and the lowest of a sale, to the wei."""
    assert outcome_of(trader(), env(), Trade(ACCOUNT, BTC, size, acceptable)) == code


def test_a_flip_has_one_acceptable_price() -> None:
    """TRD-4: closing a long to go short is a sale as a whole, and the reverse a buy."""
    assert refused(trader(W), env(), Trade(ACCOUNT, BTC, -2 * W, BTC_PRICE + 1)) == "trade/price"
    assert refused(trader(-W), env(), Trade(ACCOUNT, BTC, 2 * W, BTC_PRICE - 1)) == "trade/price"
    run(trader(W), env(), Trade(ACCOUNT, BTC, -2 * W, BTC_PRICE))
    run(trader(-W), env(), Trade(ACCOUNT, BTC, 2 * W, BTC_PRICE))


# --- the pause: TRD-5 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "size", "code"),
    [
        (0, W, "market/opening-paused"),
        (0, -W, "market/opening-paused"),
        (2 * W, LOT, "market/opening-paused"),
        (-2 * W, -LOT, "market/opening-paused"),
        (2 * W, -2 * W - LOT, "market/opening-paused"),
        (-2 * W, 2 * W + LOT, "market/opening-paused"),
        (2 * W, -3 * W, "market/opening-paused"),
        (2 * W, -4 * W, "market/opening-paused"),
        (2 * W, -LOT, "ok"),
        (-2 * W, LOT, "ok"),
        (2 * W, -2 * W, "ok"),
        (-2 * W, 2 * W, "ok"),
    ],
)
def test_a_pause_stops_growth_and_flips_but_no_reduction(before: int, size: int, code: str) -> None:
    """TRD-5, S9: while opening is paused a position may only shrink, down to nothing."""
    state = replace(trader(before), market_params=(replace(MARKETS[BTC], min_notional=1), MARKETS[ETH]))
    assert outcome_of(replace(state, opening_paused=True), env(), buy(size)) == code
    assert outcome_of(state, env(), buy(size)) == "ok"


# --- growing and flipping: TRD-6, TRD-7 -----------------------------------------------------------------------------


def test_opening_reports_position_market_account_and_ledger() -> None:
    """TRD-6: a trade at the oracle price, its events in order, with the new values of every record it touched."""
    outcome = run(trader(), env(), buy(W))
    assert outcome.events == (
        PositionUpdated(ACCOUNT, BTC, W, 8_000 * W, W, 8_000 * W, 0, 4 * W),
        MarketUpdated(BTC, W, 0, 8_000 * W),
        AccountUpdated(ACCOUNT, 99_996 * W),
        LedgerUpdated(1_000_003_600 * W // 1_000, 10_000_400 * W // 1_000, 0, 0, 0),
    )


@pytest.mark.parametrize("side", [1, -1])
def test_adding_realises_nothing(side: int) -> None:
    """TRD-6: growth at another price adds to the cost and leaves the unrealised profit unrealised."""
    outcome = run(trader(side * W), env(btc=8_500 * W), buy(side * W))
    assert position_of(outcome.state) == Position(side * 2 * W, side * 16_500 * W)
    assert cash_of(outcome.state) == 100_000 * W - 8_500 * W // 2_000
    assert event_of(outcome, PositionUpdated).pnl == 0


@pytest.mark.parametrize("side", [1, -1])
def test_a_flip_is_two_fills_and_pays_the_fee_of_both(side: int) -> None:
    """TRD-7, M2, O4, B15, B19: a flip closes and opens: two fills, two fees, the profit of the closed part realised."""
    outcome = run(trader(side * W), env(btc=8_000 * W + side * 500 * W), buy(-3 * side * W))
    price = 8_000 * W + side * 500 * W
    first, second = (event for event in outcome.events if isinstance(event, PositionUpdated))
    assert (first.size, first.cost, first.size_delta, first.pnl, first.fee) == (
        0, 0, -side * W, 500 * W, price // 2_000,
    )  # fmt: skip
    assert (second.size, second.cost, second.size_delta, second.pnl, second.fee) == (
        -2 * side * W, -2 * side * price, -2 * side * W, 0, 2 * price // 2_000,
    )  # fmt: skip
    assert cash_of(outcome.state) == 100_000 * W + 500 * W - 3 * price // 2_000


def test_a_flip_equals_a_close_and_an_open() -> None:
    """TRD-7, X1: the same position, balance and ledger as two actions at the same price."""
    start = trader(W)
    surroundings = env(btc=8_123 * W)
    at_once = run(start, surroundings, buy(-3 * W)).state
    in_steps = run(run(start, surroundings, buy(-W)).state, surroundings, buy(-2 * W)).state
    assert at_once == in_steps


def test_a_flip_needs_initial_margin() -> None:
    """TRD-7, M2, B15, B43: the new side is an opening, whatever was closed; it cannot use the rule of reductions."""
    poor = trader(2 * W, cash=500 * W)
    assert outcome_of(poor, env(), buy(-2 * W)) == "ok"
    assert outcome_of(poor, env(), buy(-3 * W)) == "ok"
    assert refused(poor, env(), buy(-4 * W)) == "margin/initial"


# --- the smallest position: TRD-8 -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "size", "price", "code"),
    [
        (0, W, 1_000 * W, "ok"),
        (0, W, 1_000 * W - 1, "market/min-notional"),
        (0, W, 1_000 * W + 1, "ok"),
        (0, -W, 1_000 * W, "ok"),
        (0, -W, 1_000 * W - 1, "market/min-notional"),
        (2 * W, -W, 1_000 * W, "ok"),
        (2 * W, -W, 1_000 * W - 1, "market/min-notional"),
        (2 * W, -2 * W, 1_000 * W - 1, "ok"),
        (2 * W, -3 * W, 1_000 * W, "ok"),
        (2 * W, -3 * W, 1_000 * W - 1, "market/min-notional"),
        (2 * W, LOT, 500 * W - 1, "ok"),
        (2 * W, LOT, 499 * W, "market/min-notional"),
    ],
)
def test_no_trade_leaves_less_than_the_minimum_notional(before: int, size: int, price: int, code: str) -> None:
    """TRD-8, T3, L6: opened, grown, reduced or flipped, what is left is nothing or at least the minimum."""
    state = trader(before, price=1_000 * W)
    assert outcome_of(state, env(btc=price), buy(size)) == code


def test_a_fraction_of_a_wei_counts_up_to_the_minimum() -> None:
    """TRD-8, MRG-1: the notional is the one margins use, rounded up."""
    markets = (replace(MARKETS[BTC], lot=1), MARKETS[ETH])
    state = replace(trader(), market_params=markets)
    size = fdiv(1_000 * W * W, BTC_PRICE + 1)
    assert size * (BTC_PRICE + 1) % W != 0
    exact = compute_notional(size, BTC_PRICE + 1)
    for least, code in ((exact, "ok"), (exact + 1, "market/min-notional")):
        changed = (replace(markets[0], min_notional=least), markets[1])
        assert outcome_of(replace(state, market_params=changed), env(btc=BTC_PRICE + 1), buy(size)) == code


# --- reductions: TRD-9, MRG-7 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [1, -1])
def test_a_reduction_may_leave_the_account_below_initial_margin(side: int) -> None:
    """TRD-9, MRG-7, M2: an account between maintenance and initial margin may reduce, and may not grow."""
    poor = trader(side * 2 * W, cash=500 * W)
    assert outcome_of(poor, env(), buy(-side * W)) == "ok"
    assert refused(poor, env(), buy(side * W)) == "margin/initial"


def test_a_reduction_needs_only_the_price_of_its_market() -> None:
    """TRD-9, MRG-7: another item of the account without a price blocks growth and no reduction."""
    account = holding(10**4 * W, {WETH: 10**18}, {BTC: opened(2 * W, BTC_PRICE), ETH: opened(10 * W, ETH_PRICE)})
    state = state_with({ACCOUNT: account}, pool=W)
    for code, status in STATUSES.items():
        surroundings = env(eth_status=int(status))
        assert outcome_of(state, surroundings, buy(-W)) == "ok"
        assert outcome_of(state, surroundings, buy(-2 * W)) == "ok"
        assert refused(state, surroundings, buy(W)) == code
        assert refused(state, surroundings, buy(-4 * W)) == code


def expensive_market(fee_rate: int, rate: int = W // 200) -> MarketParams:
    """A market with one maintenance rate and a fee of its own, lots of a wei."""
    return MarketParams(BTC, 1, 1, fee_rate, (MarginBracket(0, rate, rate * 2),))


def reduction(
    fee_rate: int, cash: int, size: int = -W // 2, weth: int = 0, eth: int = 0, reserve: int = 0
) -> tuple[State, Trade]:
    """A state with 1 BTC long at 8,000 in an expensive market, and a reduction of it."""
    risk = with_risk(fixed_reward=0, reward_ratio=0, penalty_ratio=0, keeper_reserve=reserve)
    markets = (expensive_market(fee_rate), MARKETS[ETH])
    for market in markets:
        check_market(risk, market)
    positions = {BTC: opened(W, BTC_PRICE)} | ({ETH: opened(eth, ETH_PRICE)} if eth else {})
    account = holding(cash, {WETH: weth} if weth else {}, positions)
    return state_with({ACCOUNT: account}, pool=10**6 * W, risk=risk, markets=markets), buy(size)


@pytest.mark.parametrize(
    ("fee_rate", "code"),
    [(W // 200 - 1, "ok"), (W // 200, "ok"), (W // 200 + 1, "margin/reduce"), (W // 100, "margin/reduce")],
)
def test_a_reduction_whose_fee_exceeds_the_margin_it_frees_is_refused(fee_rate: int, code: str) -> None:
    """MRG-7, TRD-9: equity_mm less maintenance margin may stay as it is and not fall, rich or poor."""
    for cash in (40 * W, 10**6 * W):
        state, trade = reduction(fee_rate, cash)
        assert outcome_of(state, env(), trade) == code


def test_a_single_wei_of_health_decides_a_reduction() -> None:
    """MRG-7: one wei below is refused, equal passes."""
    # A position of 100 wei at 1 dollar with a rate of 50 % has a margin of 50 wei; closing 2 wei frees 1.
    risk = with_risk(fixed_reward=0, reward_ratio=0, penalty_ratio=0, keeper_reserve=0)
    for fee_rate, code in ((0, "ok"), (W // 100, "ok")):  # the fee of 2 wei at 1 % is rounded up to 1 wei
        markets = (expensive_market(fee_rate, W // 2), MARKETS[ETH])
        state = state_with({ACCOUNT: holding(1_000, positions={BTC: opened(100, W)})}, risk=risk, markets=markets)
        assert outcome_of(state, env(btc=W), buy(-2)) == code
        # 1 wei frees nothing: the margin of 99 is 50 as well, and the fee of a wei decides.
        assert outcome_of(state, env(btc=W), buy(-1)) == ("ok" if fee_rate == 0 else "margin/reduce")


def test_the_last_position_may_close_at_a_loss_of_health_while_the_account_is_solvent() -> None:
    """MRG-7, M2: a full close of the last position passes with equity_raw at 0, and not a wei below."""
    # The fee of 1 % is 80 and frees a margin of 40.
    for cash, code in ((80 * W - 1, "margin/reduce"), (80 * W, "ok"), (80 * W + 1, "ok")):
        state, trade = reduction(W // 100, cash, size=-W)
        assert outcome_of(state, env(), trade) == code
    # Collateral counts at market value.
    for cash, code in ((-120 * W - 1, "margin/reduce"), (-120 * W, "ok")):
        state, trade = reduction(W // 100, cash, size=-W, weth=10**18)
        assert outcome_of(state, env(), trade) == code
    # With another position left it is no exception.
    state, trade = reduction(W // 100, 10**6 * W, size=-W, eth=10 * W)
    assert refused(state, env(), trade) == "margin/reduce"


def test_closing_the_last_position_frees_the_reserve() -> None:
    """MRG-7, MRG-4: the keeper reserve is part of the margin that closing frees."""
    for reserve, code in ((40 * W - 1, "margin/reduce"), (40 * W, "ok"), (40 * W + 1, "ok")):
        state, trade = reduction(W // 100, 79 * W, size=-W, reserve=reserve)
        assert outcome_of(state, env(), trade) == code
    state, trade = reduction(W // 100, 79 * W, size=-W, reserve=10**6 * W, eth=10 * W)
    assert refused(state, env(), trade) == "margin/reduce"


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
def test_only_the_exception_for_the_last_position_needs_collateral_prices(code: str, status: Status) -> None:
    """MRG-7, TRD-9: the value of the account is measured only when health falls."""
    surroundings = env(eth_status=int(status))
    state, trade = reduction(W // 100, 10**6 * W, size=-W, weth=10**18)
    assert refused(state, surroundings, trade) == code
    cheap, trade = reduction(W // 200, 10**6 * W, size=-W, weth=10**18)
    assert outcome_of(cheap, surroundings, trade) == "ok"


@given(
    size=st.integers(2, 200) | st.integers(10**15, 10**21),
    part=st.integers(1, 10**6),
    short=st.booleans(),
    cost=st.integers(-100, 100),
    price=st.integers(1, 10 * W) | st.integers(10 * W, 10**5 * W),
    fee_rate=st.integers(0, W // 100),
    rate=st.integers(W // 1_000, W // 50),
    cash=st.integers(-(10**20), 10**22) | st.integers(-100, 100),
    reserve=st.integers(0, 3) | st.integers(0, 10**19),
    eth=st.sampled_from((0, W)),
)
def test_a_reduction_passes_exactly_when_health_does_not_fall(
    size: int,
    part: int,
    short: bool,
    cost: int,
    price: int,
    fee_rate: int,
    rate: int,
    cash: int,
    reserve: int,
    eth: int,
) -> None:
    """MRG-7, M2, N6: the rule on one market's terms decides as the health of the whole account does."""
    sign = -1 if short else 1
    risk = with_risk(fixed_reward=0, reward_ratio=0, penalty_ratio=0, keeper_reserve=reserve)
    markets = (expensive_market(fee_rate, rate), MARKETS[ETH])
    before = Position(sign * size, cdiv(sign * size * price, W) + cost)
    others = {ETH: opened(eth, ETH_PRICE)} if eth else {}
    account = holding(cash, {WETH: 5}, {BTC: before, **others})
    state = state_with({ACCOUNT: account}, pool=10**9 * W, risk=risk, markets=markets)
    delta = -sign * (1 + size * part // (10**6 + 1))
    surroundings = env(btc=price)

    filled = compute_fill(before, delta, price)
    fee = cdiv(abs(delta) * price * fee_rate, W * W)
    left = {BTC: filled.position} if filled.position.size else {}
    expected = Account(cash + filled.pnl - fee, {WETH: 5}, {**left, **others})
    old, new = compute_health(state, account, surroundings), compute_health(state, expected, surroundings)
    health_falls = new.equity_mm - new.maintenance_margin < old.equity_mm - old.maintenance_margin
    solvent_close = not expected.positions and new.equity_raw >= 0
    if health_falls and not solvent_close:
        assert refused(state, surroundings, buy(delta)) == "margin/reduce"
    else:
        assert run(state, surroundings, buy(delta)).state.accounts[ACCOUNT] == expected


@given(size=st.integers(1, 2_000), part=st.integers(1, 2_000), short=st.booleans(), price=st.integers(10**18, 10**24))
def test_with_the_reference_parameters_every_reduction_raises_health(
    size: int, part: int, short: bool, price: int
) -> None:
    """MRG-7, TRD-9: the fee is below the margin freed, so reducing is always possible and always helps."""
    sign = -1 if short else 1
    start, delta = sign * size * LOT, -sign * min(size, part) * LOT
    markets = (replace(MARKETS[BTC], min_notional=1), MARKETS[ETH])
    account = holding(-(10**20), {WETH: 10**18}, {BTC: opened(start, price)})
    state = state_with({ACCOUNT: account}, pool=10**9 * W, markets=markets)
    surroundings = env(btc=price)
    after = run(state, surroundings, buy(delta)).state
    old = compute_health(state, account, surroundings)
    new = compute_health(after, after.accounts[ACCOUNT], surroundings)
    assert new.equity_mm - new.maintenance_margin > old.equity_mm - old.maintenance_margin


# --- growth: TRD-10, MRG-6 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cash", "code"), [(413 * W, "margin/initial"), (414 * W, "ok"), (415 * W, "ok")])
@pytest.mark.parametrize("side", [1, -1])
def test_growth_needs_initial_margin_after_the_fee(side: int, cash: int, code: str) -> None:
    """TRD-10, MRG-6, M1, M5: 1 BTC needs 400 of margin, 10 of reserve, and 4 for its fee first."""
    assert outcome_of(trader(cash=cash), env(), buy(side * W)) == code


@pytest.mark.parametrize("wei", [-1, 0, 1])
def test_a_wei_of_margin_decides_growth(wei: int) -> None:
    """TRD-10, MRG-6: equality suffices, a wei less does not."""
    expected = "margin/initial" if wei < 0 else "ok"
    assert outcome_of(trader(cash=414 * W + wei), env(), buy(W)) == expected


def test_unrealised_profit_does_not_pay_for_growth() -> None:
    """TRD-10, M6: a rise that doubles the account value allows no larger position."""
    state = trader(W, cash=1_000 * W)
    assert outcome_of(state, env(btc=8_000 * W), buy(W)) == "ok"
    assert refused(state, env(btc=10_000 * W), buy(W)) == "margin/initial"


@pytest.mark.parametrize(
    ("debt", "cap", "code"),
    [
        (4 * W, 4 * W, "ok"),
        (4 * W, 4 * W - 1, "margin/debt-cap"),
        (4 * W, 4 * W + 1, "ok"),
        (5 * W, 4 * W, "margin/debt-cap"),
        (0, 0, "ok"),
    ],
)
def test_an_account_beyond_its_debt_cap_may_not_grow(debt: int, cap: int, code: str) -> None:
    """TRD-10: the balance after the fee decides, to the wei; reductions are not asked."""
    account = holding(4 * W - debt, {WETH: 100 * 10**18}, {BTC: opened(W, BTC_PRICE)})
    state = state_with({ACCOUNT: account}, pool=W, risk=with_risk(debt_cap=cap))
    assert outcome_of(state, env(), buy(W)) == code
    assert outcome_of(state, env(), buy(-W)) == "ok"


@given(size=st.integers(1, 10**5), price=st.integers(10**18, 10**23), short=st.booleans(), weth=st.integers(0, 10**6))
def test_an_account_opened_exactly_at_initial_margin_is_safe(size: int, price: int, short: bool, weth: int) -> None:
    """TRD-10, M1, M4, B17: the least cash that opens a position leaves it healthy; a wei less is refused."""
    sign = -1 if short else 1
    markets = (replace(MARKETS[BTC], min_notional=1), MARKETS[ETH])
    delta = sign * size * LOT
    notional = compute_notional(delta, price)
    _, margin = compute_margins(markets[BTC].brackets, notional)
    position = opened(delta, price)
    counted = 170 * weth  # 85 % of 200 dollars, exact
    least = margin + 10 * W + reference_fee(delta, price) - min(compute_pnl(position, price), 0) - counted
    surroundings = env(btc=price)

    def with_cash(cash: int) -> State:
        account = holding(cash, {WETH: weth} if weth else {})
        return state_with({ACCOUNT: account}, pool=W, markets=markets, risk=with_risk(debt_cap=10**28))

    assert refused(with_cash(least - 1), surroundings, buy(delta)) == "margin/initial"
    after = run(with_cash(least), surroundings, buy(delta)).state
    health = compute_health(after, after.accounts[ACCOUNT], surroundings)
    assert health.equity_im == health.initial_margin
    assert compute_account_state(after.risk, health) is AccountState.HEALTHY


def reference_fee(delta: int, price: int) -> int:
    """The reference fee of a fill, rounded up."""
    return cdiv(abs(delta) * price * (W // 2_000), W * W)


@given(st.lists(st.integers(1, 10**4), min_size=2, max_size=5), PRICES, st.booleans())
def test_splitting_an_order_is_never_cheaper(lots: list[int], price: int, short: bool) -> None:
    """FIL-1, FIL-2, T4, X1, N5: the parts of an order cost at least as much as the whole, fees included."""
    markets = (replace(MARKETS[BTC], min_notional=1), MARKETS[ETH])
    sign = -1 if short else 1
    start = state_with({ACCOUNT: holding(10**33)}, pool=W, markets=markets)
    surroundings = env(btc=price)
    whole = run(start, surroundings, buy(sign * sum(lots) * LOT)).state
    parts = start
    for count in lots:
        parts = run(parts, surroundings, buy(sign * count * LOT)).state
    assert position_of(parts).size == position_of(whole).size
    gap = cash_of(whole) - position_of(whole).cost - cash_of(parts) + position_of(parts).cost
    assert 0 <= gap < 2 * len(lots)


@given(trades=st.lists(st.tuples(st.booleans(), st.integers(-300, 300), st.integers(1, 10**5)), min_size=1, max_size=8))
def test_trades_move_money_and_create_none(trades: list[tuple[bool, int, int]]) -> None:
    """TRD-6, C1, C4, C8: over any trades of two accounts the sum of all ledgers stays, and pool and traders mirror."""
    other = KEEPER
    markets = (replace(MARKETS[BTC], min_notional=1), MARKETS[ETH])
    state = state_with({ACCOUNT: holding(10**30), other: holding(10**30)}, pool=10**23, markets=markets)
    total = ledger_sum(state)
    for second, lots, dollars in trades:
        account = other if second else ACCOUNT
        surroundings = env(sender=account >> 96, btc=dollars * W)
        if outcome_of(state, surroundings, buy(lots * LOT, account=account)) == "ok":
            state = run(state, surroundings, buy(lots * LOT, account=account)).state
        assert ledger_sum(state) == total
        profit = sum(compute_pnl(a.positions[BTC], dollars * W) for a in state.accounts.values() if BTC in a.positions)
        totals = state.markets[BTC]
        pool_side = totals.cost - fdiv(totals.skew * dollars * W, W)
        assert 0 <= -(profit + pool_side) <= 1


# --- the order of the checks ----------------------------------------------------------------------------------------


def attempt_growth(
    account: int = ACCOUNT,
    sender: int = BORROWER,
    market: int = BTC,
    size: int = W,
    acceptable: int = BTC_PRICE,
    status: int = 0,
    paused: bool = False,
    before: int = 0,
    min_notional: int = 1_000 * W,
    debt_cap: int = 2 * W,
    eth_status: int = 0,
    weth: int = 100 * 10**18,
) -> str:
    """A trade that grows a position of an account with a debt of 2 dollars, fee included, and WETH."""
    positions = {BTC: Position(before, 0)} if before else {}
    state = state_with(
        {ACCOUNT: holding(2 * W, {WETH: weth}, positions)},
        pool=W,
        markets=(replace(MARKETS[BTC], min_notional=min_notional), MARKETS[ETH]),
        risk=with_risk(debt_cap=debt_cap),
        paused=paused,
    )
    surroundings = env(sender, btc_status=status, eth_status=eth_status)
    return outcome_of(state, surroundings, Trade(account, market, size, acceptable))


def test_growth_is_checked_in_order() -> None:
    """TRD-1 to TRD-10: of two faults the earlier check speaks."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("account/unknown", {"account": KEEPER}),
        ("account/not-owner", {"sender": STRANGER}),
        ("market/unknown", {"market": 2}),
        ("amount/zero", {"size": 0}),
        ("sys/domain", {"size": SIZE_LIMIT}),
        ("market/lot", {"size": W + 1}),
        *((code, {"status": int(status)}) for code, status in STATUSES.items()),
        ("trade/price", {"acceptable": BTC_PRICE - 1}),
        ("market/opening-paused", {"paused": True}),
        ("sys/domain", {"before": SIZE_LIMIT - 1}),
        ("market/min-notional", {"min_notional": 8_001 * W}),
        ("margin/debt-cap", {"debt_cap": 2 * W - 1}),
        *((code, {"eth_status": int(status)}) for code, status in STATUSES.items()),
        ("margin/initial", {"weth": 10**18}),
    ]
    check_order_of(faults, attempt_growth)


def attempt_reduction(
    account: int = ACCOUNT,
    sender: int = BORROWER,
    market: int = BTC,
    size: int = -W,
    acceptable: int = BTC_PRICE,
    status: int = 0,
    min_notional: int = 1_000 * W,
    fee_rate: int = W // 200,
) -> str:
    """A trade that reduces a position of 2 BTC while opening is paused, every other price is missing and cash is 0."""
    risk = with_risk(fixed_reward=0, reward_ratio=0, penalty_ratio=0, debt_cap=0)
    markets = (replace(expensive_market(fee_rate), lot=LOT, min_notional=min_notional), MARKETS[ETH])
    positions = {BTC: opened(2 * W, BTC_PRICE), ETH: opened(10 * W, ETH_PRICE)}
    state = state_with({ACCOUNT: holding(0, {WETH: 1}, positions)}, markets=markets, risk=risk, paused=True)
    surroundings = env(sender, btc_status=status, eth_status=int(Status.UNAVAILABLE))
    return outcome_of(state, surroundings, Trade(account, market, size, acceptable))


def test_a_reduction_is_checked_in_order() -> None:
    """TRD-1 to TRD-9, MRG-7: of two faults the earlier check speaks; pause, debt cap and other prices are not asked."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("account/unknown", {"account": KEEPER}),
        ("account/not-owner", {"sender": STRANGER}),
        ("market/unknown", {"market": 2}),
        ("amount/zero", {"size": 0}),
        ("sys/domain", {"size": -SIZE_LIMIT}),
        ("market/lot", {"size": 1 - W}),
        *((code, {"status": int(status)}) for code, status in STATUSES.items()),
        ("trade/price", {"acceptable": BTC_PRICE + 1}),
        ("market/min-notional", {"min_notional": 8_001 * W}),
        ("margin/reduce", {"fee_rate": W // 200 + 1}),
    ]
    check_order_of(faults, attempt_reduction)


def test_a_closing_of_the_last_position_is_checked_in_order() -> None:
    """MRG-7: the price of collateral is asked before the account value."""
    state, trade = reduction(W // 100, -(10**6) * W, size=-W, weth=10**18)
    assert refused(state, env(), trade) == "margin/reduce"
    assert refused(state, env(eth_status=int(Status.STALE_HARD)), trade) == "oracle/stale"


def test_events_of_a_refused_trade_do_not_exist() -> None:
    """S1: a refusal at the very last check leaves state and events as they were."""
    state = trader(cash=414 * W - 1)
    assert refused(state, env(), buy(W)) == "margin/initial"
    assert state.accounts[ACCOUNT] == holding(414 * W - 1)
