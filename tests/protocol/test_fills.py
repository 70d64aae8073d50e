"""Fills against the pool: what a position, a market and every ledger look like after one."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.draft import Draft, DraftMarket
from protocol.errors import OutOfDomain
from protocol.events import MarketUpdated, PositionUpdated
from protocol.fills import (
    Fill,
    charge_fee,
    compute_fee,
    compute_fill,
    compute_impact,
    compute_reserved,
    fill,
    fill_liquidation,
    move_totals,
    release_impact,
    settle_fill,
)
from protocol.margin import compute_pnl
from protocol.params import MarketParams
from protocol.state import EMPTY_MARKET, Market, Position, State
from protocol.units import BPS, DAY, UNSIGNED_LIMIT, W, cdiv, fdiv
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    BTC_PRICE,
    MARKETS,
    NOW,
    TRADER,
    env,
    holding,
    opened,
    state_with,
    with_risk,
)
from tests.twins import RISK

SIZES = st.integers(1, 10**6 * W) | st.integers(1, 100)
PRICES = st.integers(1, 10**6 * W) | st.integers(1, 100)
COSTS = st.integers(-(10**27), 10**27) | st.integers(-100, 100)
MARKET = MARKETS[BTC]  # a skew scale of 10,000 BTC, a rebate of 90 %, fees of 0.02 and 0.05 %
UNIT = replace(MARKET, skew_scale=1)  # with a price of 1 dollar a skew of s wei has a potential of s * s / 2 wei
OTHER = TRADER << 96


def at(size: int, cost: int, index: int = 0) -> Position:
    """A position."""
    return Position(size, cost, index)


# --- FIL-1: a position after a fill, and its profit -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "size_delta", "price", "after", "pnl"),
    [
        # Growing pays the price, rounded up.
        (at(0, 0), W, 8_000 * W, at(W, 8_000 * W), 0),
        (at(0, 0), -W, 8_000 * W, at(-W, -8_000 * W), 0),
        (at(W, 8_000 * W), W, 9_000 * W, at(2 * W, 17_000 * W), 0),
        (at(-W, -8_000 * W), -W, 9_000 * W, at(-2 * W, -17_000 * W), 0),
        (at(0, 0), 1, 1, at(1, 1), 0),
        (at(0, 0), -1, 1, at(-1, 0), 0),
        (at(0, 0), 1, W + 1, at(1, 2), 0),
        (at(0, 0), -1, W + 1, at(-1, -1), 0),
        # Reducing releases the cost in proportion and realises the rest.
        (at(2 * W, 17_000 * W), -W, 9_000 * W, at(W, 8_500 * W), 500 * W),
        (at(-2 * W, -17_000 * W), W, 9_000 * W, at(-W, -8_500 * W), -500 * W),
        (at(W, 8_000 * W), -W, 7_000 * W, at(0, 0), -1_000 * W),
        (at(-W, -8_000 * W), W, 7_000 * W, at(0, 0), 1_000 * W),
        # A released cost with a fraction is rounded up, proceeds down, payments up.
        (at(3, 10), -1, W, at(2, 6), -3),
        (at(3, 10), -2, W, at(1, 3), -5),
        (at(3, 9), -1, W, at(2, 6), -2),
        (at(3, 11), -1, W, at(2, 7), -3),
        (at(-3, -10), 1, W, at(-2, -7), 2),
        (at(-3, -11), 1, W, at(-2, -8), 2),
        (at(3, -10), -1, W, at(2, -7), 4),
        (at(1, 5), -1, W - 1, at(0, 0), -5),
        (at(1, 5), -1, W, at(0, 0), -4),
        (at(-1, -5), 1, 1, at(0, 0), 4),
        (at(-1, -5), 1, W + 1, at(0, 0), 3),
    ],
)
def test_fills_worked_by_hand(before: Position, size_delta: int, price: int, after: Position, pnl: int) -> None:
    """FIL-1: growing, reducing and closing, both sides, with every rounding against the account."""
    assert compute_fill(before, size_delta, price, 0) == (after, pnl)
    # The index is that of the fill, whatever it was, and moves no dollar.
    moved = replace(before, entry_index=-7)
    assert compute_fill(moved, size_delta, price, 9) == (replace(after, entry_index=9), pnl)


@given(SIZES, st.booleans(), COSTS, st.integers(1, 10**6), PRICES)
def test_a_reduction_splits_the_cost_and_creates_no_value(
    size: int, short: bool, cost: int, share: int, price: int
) -> None:
    """FIL-1: released and remaining cost are the whole cost; realised and unrealised profit never grow by it."""
    before = at(-size if short else size, cost)
    part = 1 + size * share // (10**6 + 1)
    delta = part if short else -part
    after, pnl = compute_fill(before, delta, price, 0)
    released = cost - after.cost
    assert released == cdiv(cost * part, size)
    assert pnl == fdiv(-delta * price, W) - released
    gap = compute_pnl(before, price) - compute_pnl(after, price) - pnl
    assert gap in {0, 1}, "a wei at most moves to the pool"
    assert (after.size == 0) <= (after.cost == 0)


@given(SIZES, st.booleans(), COSTS, st.lists(st.integers(1, 10**6), min_size=1, max_size=8), PRICES)
def test_partial_closes_sum_to_the_whole(size: int, short: bool, cost: int, shares: list[int], price: int) -> None:
    """FIL-1, X1: closing in parts releases exactly the cost, and never earns more than closing at once."""
    sign = -1 if short else 1
    start = at(sign * size, cost)
    flat, at_once = compute_fill(start, -start.size, price, 0)
    assert flat == at(0, 0)
    position, total, fills = start, 0, 0
    for share in [*shares, 0]:
        part = min(abs(position.size), 1 + size * share // (10**6 * len(shares))) if share else abs(position.size)
        if part:
            position, pnl = compute_fill(position, -sign * part, price, 0)
            total, fills = total + pnl, fills + 1
    assert position == at(0, 0)
    assert at_once - fills < total <= at_once


@given(st.lists(st.integers(-1_000, 1_000) | st.integers(-(10**21), 10**21), min_size=1, max_size=8), PRICES)
@example([1, -3, 5], 1)
def test_no_round_trip_at_one_price_profits(deltas: list[int], price: int) -> None:
    """FIL-1, T5, X2: from flat to flat, by any fills at one price, the sum of profits is never above 0."""
    position, total, fills = at(0, 0), 0, 0
    for delta in [*deltas, -sum(deltas)]:
        crosses = position.size * (position.size + delta) < 0
        for part in (-position.size, position.size + delta) if crosses else (delta,):
            position, pnl = compute_fill(position, part, price, 0)
            total, fills = total + pnl, fills + 1
            assert total + compute_pnl(position, price) <= 0
    assert position == at(0, 0)
    assert -2 * fills <= total <= 0


@given(SIZES, PRICES, PRICES, st.integers(1, 10**6))
def test_long_and_short_are_mirror_images(size: int, entry: int, move: int, share: int) -> None:
    """FIL-1, T8, X6: mirrored sizes and price moves give the same profit within 1 wei per division."""
    part = 1 + size * share // (10**6 + 1)
    long, _ = compute_fill(at(0, 0), size, entry + move, 0)
    short, _ = compute_fill(at(0, 0), -size, entry + move, 0)
    up, gain = compute_fill(long, -part, entry + 2 * move, 0)
    down, same = compute_fill(short, part, entry, 0)
    assert abs(gain - same) <= 2
    assert up.size == -down.size
    assert abs(up.cost + down.cost) <= 2
    assert abs(compute_pnl(up, entry + 2 * move) + gain - compute_pnl(down, entry) - same) <= 3


# --- FIL-2: impact --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skew", "size_delta", "charge", "rebate"),
    [
        # Growing the skew from s to t costs (t^2 - s^2) * 8,000 / 20,000 dollars.
        (0, 1, 400, 0),
        (0, -1, 400, 0),
        (1, 1, 1_200, 0),
        (-1, -1, 1_200, 0),
        (10, 5, 50_000, 0),
        (0, 100, 4_000_000, 0),
        # Shrinking it gives 90 % of that back.
        (1, -1, 0, 360),
        (-1, 1, 0, 360),
        (2, -1, 0, 1_080),
        (-100, 100, 0, 3_600_000),
        # Through zero both: the old side's potential back, the new side's charged.
        (1, -3, 1_600, 360),
        (-1, 3, 1_600, 360),
        (1, -2, 400, 360),
        (10, -11, 400, 36_000),
        # Nothing traded, nothing charged.
        (5, 0, 0, 0),
        (0, 0, 0, 0),
    ],
)
def test_impact_worked_by_hand(skew: int, size_delta: int, charge: int, rebate: int) -> None:
    """FIL-2: whole BTC at 8,000 dollars, in thousandths of a dollar."""
    expected = (charge * W // 1_000, rebate * W // 1_000)
    assert compute_impact(MARKET, skew * W, size_delta * W, 8_000 * W) == expected


@pytest.mark.parametrize(
    ("skew", "size_delta", "ratio", "charge", "rebate"),
    [
        (0, 1, 9_000, 1, 0),  # 0.5
        (0, 2, 9_000, 2, 0),  # 2
        (1, 1, 9_000, 2, 0),  # 1.5
        (3, -1, 9_000, 0, 2),  # 2.25
        (3, -1, 10_000, 0, 2),  # 2.5
        (3, -2, 10_000, 0, 4),  # 4
        (3, -3, 9_999, 0, 4),  # 4.49955
        (3, -3, 0, 0, 0),
        (1, -3, 9_000, 2, 0),  # 2 and 0.45
        (2, -3, 9_000, 1, 1),  # 0.5 and 1.8
        (2, -3, 10_000, 1, 2),
        (-2, 3, 10_000, 1, 2),
        (1, -1, 10_000, 0, 0),  # 0.5
    ],
)
def test_a_charge_is_rounded_up_and_a_rebate_down(
    skew: int, size_delta: int, ratio: int, charge: int, rebate: int
) -> None:
    """FIL-2, T6: wei by wei, where a skew of s wei has a potential of half of s squared."""
    assert compute_impact(replace(UNIT, rebate_ratio=ratio), skew, size_delta, W) == (charge, rebate)


def test_each_parameter_of_the_impact_counts() -> None:
    """FIL-2, N5: price and scale in proportion; the rebate ratio only on rebates."""
    charge, _ = compute_impact(MARKET, W, W, 8_000 * W)
    assert compute_impact(MARKET, W, W, 16_000 * W) == (2 * charge, 0)
    assert compute_impact(replace(MARKET, skew_scale=5_000 * W), W, W, 8_000 * W) == (2 * charge, 0)
    assert compute_impact(replace(MARKET, rebate_ratio=0), W, W, 8_000 * W) == (charge, 0)
    assert compute_impact(replace(MARKET, rebate_ratio=0), 2 * W, -W, 8_000 * W) == (0, 0)
    assert compute_impact(replace(MARKET, rebate_ratio=10_000), 2 * W, -W, 8_000 * W) == (0, charge)


SKEWS = st.integers(-(10**23), 10**23) | st.integers(-20, 20)
SCALES = st.integers(W, 10**24) | st.integers(1, 100)
RATIOS = st.integers(0, BPS) | st.just(9_000) | st.just(BPS)


@given(SKEWS, SKEWS, SKEWS, SCALES, RATIOS, PRICES)
@example(1, -3, 1, 1, 9_000, W)
@example(1, 1, -3, 1, BPS, W)
def test_a_split_fill_is_never_cheaper(skew: int, a: int, b: int, scale: int, ratio: int, price: int) -> None:
    """FIL-2, T4, X1: in parts at least the whole; in one direction at most 2 wei more: the potential has no path."""
    params = replace(MARKET, skew_scale=scale, rebate_ratio=ratio)

    def net(before: int, delta: int) -> int:
        charge, rebate = compute_impact(params, before, delta, price)
        return charge - rebate

    more = net(skew, a) + net(skew + a, b) - net(skew, a + b)
    assert more >= 0
    if a * b >= 0:
        assert more <= 2


@given(SKEWS, SKEWS, SCALES, RATIOS, PRICES, st.integers(0, 10**20), st.integers(0, 100))
def test_impact_mirrors_and_grows_with_its_parameters(
    skew: int, delta: int, scale: int, ratio: int, price: int, wider: int, more: int
) -> None:
    """FIL-2, T8, N5, X6: mirrored fills cost the same; a smaller scale or rebate never helps."""
    params = replace(MARKET, skew_scale=scale, rebate_ratio=ratio)
    charge, rebate = compute_impact(params, skew, delta, price)
    assert compute_impact(params, -skew, -delta, price) == (charge, rebate)
    assert charge >= 0 <= rebate
    deeper, _ = compute_impact(replace(params, skew_scale=scale + wider), skew, delta, price)
    assert deeper <= charge
    _, larger = compute_impact(replace(params, rebate_ratio=min(ratio + more, BPS)), skew, delta, price)
    assert larger >= rebate
    exact = Fraction(((skew + delta) ** 2 - skew**2) * price, 2 * scale * W)
    assert charge - rebate >= exact, "a rebate never gives back more than the potential"


# --- FIL-3: fees ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skew", "size_delta", "maker", "taker"),
    [
        (0, 2, 0, 2),
        (0, -2, 0, 2),
        (5, 2, 0, 2),
        (-5, -2, 0, 2),
        (5, -2, 2, 0),
        (-5, 2, 2, 0),
        (2, -2, 2, 0),
        (1, -3, 1, 2),
        (-1, 3, 1, 2),
    ],
)
def test_the_part_that_shrinks_the_skew_makes_and_the_rest_takes(
    skew: int, size_delta: int, maker: int, taker: int
) -> None:
    """FIL-3: split at zero skew: 0.02 % and 0.05 % of 8,000 dollars are 1.60 and 4."""
    fee = maker * 1_600 * W // 1_000 + taker * 4 * W
    assert compute_fee(MARKET, skew * W, size_delta * W, BTC_PRICE) == fee


@pytest.mark.parametrize(
    ("size", "price", "rate", "fee"),
    [
        (W, 8_000 * W, W // 2_000, 4 * W),
        (0, 8_000 * W, W, 0),
        (1, W, 1, 1),
        (1, W, W, 1),
        (1, W + 1, W, 2),
        (W, 8_000 * W, 0, 0),
        (10**9, 10**9, W // 100, 1),
        (10**9, 10**11, W // 100, 1),
        (10**9, 10**11 + 1, W // 100, 2),
    ],
)
def test_a_fee_is_charged_on_the_notional_and_rounded_up(size: int, price: int, rate: int, fee: int) -> None:
    """FIL-3, T6, B27: no fill is too small for its fee, and one rounding is all there is."""
    assert charge_fee(size, price, rate) == fee


def test_both_parts_of_a_fee_are_rounded_up() -> None:
    """FIL-3, T6: a wei that shrinks the skew and a wei that grows it pay a wei each."""
    assert compute_fee(MARKET, 1, -1, W) == 1
    assert compute_fee(MARKET, 1, -2, W) == 2
    assert compute_fee(MARKET, 0, -2, W) == 1
    assert compute_fee(replace(MARKET, maker_fee=0), 1, -2, W) == 1


@given(SKEWS, SIZES, SIZES, st.booleans(), PRICES)
def test_a_fee_in_parts_is_never_less(skew: int, a: int, b: int, short: bool, price: int) -> None:
    """FIL-3, X1: an order split in two pays at most 2 wei more, and never less."""
    sign = -1 if short else 1
    parts = compute_fee(MARKET, skew, sign * a, price) + compute_fee(MARKET, skew + sign * a, sign * b, price)
    assert 0 <= parts - compute_fee(MARKET, skew, sign * (a + b), price) <= 2


# --- FIL-4: totals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "totals"),
    [
        (at(0, 0), at(5, 40, 3), (5, 0, 40, 15)),
        (at(5, 40, 3), at(7, 50, 4), (2, 0, 10, 13)),
        (at(5, 40, 3), at(0, 0, 4), (-5, 0, -40, -15)),
        (at(0, 0), at(-5, -40, 3), (0, 5, -40, -15)),
        (at(-5, -40, 3), at(-2, -16, -3), (0, -3, 24, 21)),
        (at(5, 40, 3), at(-5, -40, 3), (-5, 5, -80, -30)),
    ],
)
def test_totals_move_by_the_difference(before: Position, after: Position, totals: tuple[int, int, int, int]) -> None:
    """FIL-4: long and short open interest, cost, and size times entry index."""
    market = DraftMarket(replace(EMPTY_MARKET, long_oi=100, short_oi=200, cost=300, index_cost=400))
    move_totals(market, before, after)
    moved = (market.long_oi - 100, market.short_oi - 200, market.cost - 300, market.index_cost - 400)
    assert moved == totals


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-(10**6), 10**6), st.integers(-9, 9)), max_size=20), PRICES)
def test_market_totals_are_the_sums_of_positions(moves: list[tuple[int, int, int]], price: int) -> None:
    """FIL-4, C5, C6, B12: they follow every change of every position, exactly, and end at 0."""
    positions = [at(0, 0)] * 4
    totals = DraftMarket(EMPTY_MARKET)
    for index, delta, funding_index in [*moves, *((i, None, 0) for i in range(4))]:
        before = positions[index]
        target = 0 if delta is None else before.size + delta
        if before.size * target <= 0:
            after = at(target, cdiv(target * price, W), funding_index)
        else:
            after, _ = compute_fill(before, target - before.size, price, funding_index)
        move_totals(totals, before, after)
        positions[index] = after
        assert totals.long_oi == sum(max(p.size, 0) for p in positions)
        assert totals.short_oi == sum(max(-p.size, 0) for p in positions)
        assert totals.cost == sum(p.cost for p in positions)
        assert totals.index_cost == sum(p.size * p.entry_index for p in positions)
        assert totals.skew == sum(p.size for p in positions)
    assert totals.freeze() == EMPTY_MARKET


# --- FIL-5 to FIL-7: one fill, booked -------------------------------------------------------------------------------


def trader(size: int = 0, cash: int = 100_000 * W, impact: int = 0, **market: int) -> State:
    """A funded pool, and one account with BTC bought at 8,000; the market's other numbers as given."""
    positions = {BTC: opened(size, BTC_PRICE)} if size else {}
    state = state_with({ACCOUNT: holding(cash, positions=positions)}, pool=10**6 * W, insurance=10**4 * W)
    totals = replace(state.markets[BTC], impact=impact, **market)
    return replace(state, markets=(totals, *state.markets[1:]))


def test_a_fill_moves_every_ledger_it_touches() -> None:
    """FIL-5, FIL-7, C4, C8, B13: half of 2 BTC sold at 8,500 after a day at 3 %: worked by hand, with its events."""
    cap = MARKET.funding_cap * DAY
    draft = Draft(trader(2 * W, cash=1_000 * W, impact=3 * W, funding_rate=cap, accrued_at=NOW - DAY))
    account = draft.account(ACCOUNT)
    filled = fill(draft, account, BTC, -W, 8_500 * W, env())
    index = 255 * W  # 3 % of 8,500 for each BTC
    funding, pnl = 510 * W, 500 * W
    # From a skew of 2 to 1: three halves of 8,500 / 10,000, less a tenth. Maker's fee of 0.02 %.
    rebate = 3 * 8_500 * W * 9 // (2 * 10_000 * 10)
    fee = 1_700 * W // 1_000
    released = 9 * W // 4  # three quarters of 3 dollars
    assert filled == Fill(-rebate, fee)
    assert account.positions == {BTC: at(W, 8_000 * W, index)}
    assert account.cash == 1_000 * W - funding + pnl + rebate - fee
    assert draft.pool == 10**6 * W + funding - pnl + fee - fee // 10 + released - rebate
    assert draft.insurance == 10**4 * W + fee // 10
    totals = draft.market(BTC)
    assert isinstance(totals, DraftMarket)
    reserved = 8_500 * W // 5
    assert draft.reserved == reserved
    # A skew of 1 BTC lies in the dead band, so the rate begins to decay.
    decay = -MARKET.funding_decay
    expected = Market(W, 0, 8_000 * W, 3 * W - released, reserved, index, cap, decay, 0, NOW, W * index)
    assert totals.freeze() == expected
    assert draft.events == [
        PositionUpdated(ACCOUNT, BTC, W, 8_000 * W, index, -W, 8_500 * W, pnl, funding, -rebate, fee),
        MarketUpdated(BTC, W, 0, 8_000 * W, 3 * W - released, reserved, index, cap, decay, 0, NOW, W * index),
    ]


def test_a_closed_position_reports_no_index_and_leaves_none() -> None:
    """FIL-7: size, cost and index 0, and the market's index cost is what the others' positions have."""
    draft = Draft(trader(2 * W, funding_index=7 * W, index_cost=0))
    account = draft.account(ACCOUNT)
    fill(draft, account, BTC, -2 * W, BTC_PRICE, env())
    closed = draft.events[0]
    assert isinstance(closed, PositionUpdated)
    assert (closed.size, closed.cost, closed.entry_index, closed.funding) == (0, 0, 0, 14 * W)
    assert account.positions == {}
    assert draft.market(BTC).index_cost == 0


def test_funding_is_accrued_at_the_old_skew_and_steered_by_the_new_one() -> None:
    """FIL-7, F3, B11: what passed before the fill is paid by those who were there; the fill only changes what comes."""
    speed = MARKET.funding_velocity
    state = trader(200 * W, funding_velocity=speed // 50, funding_limit=MARKET.funding_cap * DAY, accrued_at=NOW - DAY)
    draft = Draft(state)
    account = draft.account(ACCOUNT)
    fill(draft, account, BTC, 100 * W, BTC_PRICE, env())
    totals = draft.market(BTC)
    # A day from 0 at 0.18 % a day per day: 0.09 % of 8,000.
    assert totals.funding_index == 7_200 * W // 1_000
    assert totals.funding_rate == speed // 50 * DAY
    assert (totals.funding_velocity, totals.funding_limit) == (3 * speed // 100, MARKET.funding_cap * DAY)
    opened_event = draft.events[0]
    assert isinstance(opened_event, PositionUpdated)
    assert opened_event.funding == 200 * 7_200 * W // 1_000, "the 200 that were there"


@pytest.mark.parametrize(
    ("ledger", "paid"),
    [(1_436, 1_077), (1_440, 1_080), (1_444, 1_080), (0, 0), (10**9, 1_080)],
)
def test_a_rebate_never_exceeds_its_share_of_what_the_market_collected(ledger: int, paid: int) -> None:
    """FIL-7, FIL-9, C7: from a skew of 2 to 1 the rebate is 1.08 dollars, three quarters of 1.44; in thousandths."""
    draft = Draft(trader(2 * W, impact=ledger * W // 1_000))
    account = draft.account(ACCOUNT)
    assert fill(draft, account, BTC, -W, BTC_PRICE, env()).impact == -paid * W // 1_000
    assert draft.market(BTC).impact == ledger * W // 4_000, "a quarter of the potential is left"


@pytest.mark.parametrize(
    ("collected", "skew", "size_delta", "released"),
    [
        (8, 2, -1, 6),  # three quarters
        (9, 2, -1, 6),  # 6.75, rounded down
        (9, -2, 1, 6),
        (9, 2, -2, 9),  # to zero: all of it
        (9, 2, -3, 9),  # through zero: all of it, whatever the skew after it
        (9, 2, -5, 9),
        (9, -2, 5, 9),
        (0, 2, -1, 0),
        (9, 2, 3, 0),  # growing it releases nothing
        (9, -2, -3, 0),
        (9, 2, 0, 0),
        (9, 0, 3, 0),
        (0, 0, -3, 0),
    ],
)
def test_what_is_released_worked_by_hand(collected: int, skew: int, size_delta: int, released: int) -> None:
    """FIL-9: the share of the potential given back, rounded down in favour of those who shrink the skew later."""
    assert release_impact(collected, skew, size_delta) == released


@given(
    skew=st.integers(0, 10**23),
    before=st.integers(1, 10**23),
    forced=st.integers(0, 10**23),
    missing=st.integers(0, 10**23),
    parts=st.integers(1, 3),
    scale=SCALES,
    price=PRICES,
)
def test_trading_around_a_liquidation_never_gains_by_impact(
    skew: int, before: int, forced: int, missing: int, parts: int, scale: int, price: int
) -> None:
    """FIL-9, B38: growing the skew before a move that pays nothing, shrinking it after it, whole or in parts.

    With a rebate of 100 %, and a ledger that held the potential of the skew or less.
    """
    params = replace(MARKET, skew_scale=scale, rebate_ratio=BPS)
    held, _ = compute_impact(params, 0, skew, price)
    paid, _ = compute_impact(params, skew, before, price)
    ledger = max(held - missing, 0) + paid
    at, got = skew + before + forced, 0
    for part in range(parts):
        delta = before * (part + 1) // parts - before * part // parts
        _, rebate = compute_impact(params, at, -delta, price)
        released = release_impact(ledger, at, -delta)
        at, got, ledger = at - delta, got + min(rebate, released), ledger - released
    # ``held`` is rounded up, by less than a wei.
    assert got <= paid + 1


def test_a_rebate_cannot_come_from_the_charge_of_the_same_fill() -> None:
    """FIL-7: through zero skew the rebate is bounded by the ledger as it was before."""
    draft = Draft(trader(W, impact=W // 10))
    account = draft.account(ACCOUNT)
    impact = settle_fill(draft, account, BTC, -W, BTC_PRICE, env(), 10 * W, 5 * W, 0)
    assert impact == 10 * W - W // 10


def test_what_a_rebate_does_not_take_goes_to_the_pool() -> None:
    """FIL-7, FIL-9, C6: of what is released; all of it at a skew of zero, and a deficit is repaid first."""
    draft = Draft(trader(2 * W, impact=5 * W))
    account = draft.account(ACCOUNT)
    fill(draft, account, BTC, -2 * W, BTC_PRICE, env())
    rebate, fee = 1_440 * W // 1_000, 3_200 * W // 1_000
    assert draft.market(BTC).impact == 0
    assert draft.market(BTC).reserved == draft.reserved == 0
    assert draft.pool == 10**6 * W + 5 * W - rebate + fee - fee // 10
    # A fill that grows the skew releases nothing.
    both = {ACCOUNT: holding(10**5 * W, positions={BTC: opened(2 * W, BTC_PRICE)})}
    both[OTHER] = holding(10**5 * W, positions={BTC: opened(-2 * W, BTC_PRICE)})
    draft = Draft(state_with(both, pool=10**6 * W))
    fill(draft, draft.account(ACCOUNT), BTC, -2 * W, BTC_PRICE, env())
    assert draft.market(BTC).impact == 1_600 * W // 1_000
    # An even market keeps as little as an empty one.
    both[OTHER] = holding(10**5 * W, positions={BTC: opened(-W, BTC_PRICE)})
    draft = Draft(state_with(both, pool=10**6 * W, impact={BTC: 5 * W}))
    fill(draft, draft.account(ACCOUNT), BTC, -W, BTC_PRICE, env())
    assert draft.market(BTC).skew == draft.market(BTC).impact == 0
    fee = 1_600 * W // 1_000
    assert draft.pool == 10**6 * W + 5 * W - 360 * W // 1_000 + fee - fee // 10
    rebate, fee = 1_440 * W // 1_000, 3_200 * W // 1_000
    # A debt to traders comes before the pool.
    owing = trader(2 * W, impact=5 * W)
    draft = Draft(replace(owing, ledger=replace(owing.ledger, pool=0, deficit=100 * W)))
    fill(draft, draft.account(ACCOUNT), BTC, -2 * W, BTC_PRICE, env())
    assert (draft.pool, draft.deficit) == (0, 100 * W - (5 * W - rebate) - (fee - fee // 10))


@pytest.mark.parametrize(
    ("pnl_price", "pool", "deficit"), [(8_000, 100 * W, 0), (8_100, 0, 0), (8_101, 0, W), (9_000, 0, 900 * W)]
)
def test_a_profit_beyond_the_pool_is_booked_in_full(pnl_price: int, pool: int, deficit: int) -> None:
    """FIL-7, LED-2, B9: a close is never refused because the pool is empty; the rest is deficit."""
    start = trader(W, cash=0)
    params = replace(MARKET, maker_fee=0, rebate_ratio=0)
    state = replace(start, ledger=replace(start.ledger, pool=100 * W), market_params=(params, *start.market_params[1:]))
    draft = Draft(state)
    account = draft.account(ACCOUNT)
    fill(draft, account, BTC, -W, pnl_price * W, env())
    assert account.cash == (pnl_price - 8_000) * W
    assert (draft.pool, draft.deficit) == (pool, deficit)


def test_funding_goes_both_ways_between_account_and_pool() -> None:
    """FIL-7, F1: what a long owes is pool income, what a short is owed the pool pays, to the wei."""
    free = replace(MARKET, maker_fee=0, taker_fee=0)
    for side, funding in ((1, 7 * W), (-1, -7 * W)):
        draft = Draft(replace(trader(side * W, funding_index=7 * W), market_params=(free, *MARKETS[1:])))
        account = draft.account(ACCOUNT)
        fill(draft, account, BTC, -side * W, BTC_PRICE, env())
        assert account.cash == 100_000 * W - funding
        assert draft.pool == 10**6 * W + funding


def test_market_totals_that_do_not_fit_are_a_domain_error() -> None:
    """UNIT-3, T9: open interest holds 128 bits even when each position holds 96."""
    for room, fits in ((W, False), (W + 1, True)):
        state = trader(long_oi=UNSIGNED_LIMIT - room, short_oi=UNSIGNED_LIMIT - room)
        draft = Draft(replace(state, risk=with_risk(lock_ratio=0)))
        if fits:
            fill(draft, draft.account(ACCOUNT), BTC, W, BTC_PRICE, env())
        else:
            with pytest.raises(OutOfDomain) as refusal:
                fill(draft, draft.account(ACCOUNT), BTC, W, BTC_PRICE, env())
            assert refusal.value.facts == {"value": UNSIGNED_LIMIT}


def test_what_a_market_reserves_fits_its_word() -> None:
    """FIL-8, UNIT-3, T9: 96 bits of dollars; one wei beyond is a domain error, not a smaller reserve."""
    limit = 2**96
    free = replace(MARKET, maker_fee=0, taker_fee=0, skew_scale=2**90)
    state = trader(cash=2**100)
    state = replace(state, market_params=(free, *MARKETS[1:]), risk=with_risk(lock_ratio=10_000))
    size = 10**9 * W
    largest = (limit - 1) // 10**9
    draft = Draft(state)
    fill(draft, draft.account(ACCOUNT), BTC, size, largest, env())
    assert draft.market(BTC).reserved == largest * 10**9 < limit
    draft = Draft(state)
    with pytest.raises(OutOfDomain):
        fill(draft, draft.account(ACCOUNT), BTC, size, largest + 1, env())


# --- FIL-6: a liquidation's fill ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "others", "notional", "impact"),
    [
        # A short of 100 BTC with others long: buying it back grows the skew from 100 to 200: 12,000 dollars.
        (-100, 200, 800_000 * W, 4_000 * W),
        (-100, 200, 2_400_000 * W - 200, 12_000 * W - 1),
        (-100, 200, 2_400_000 * W - 1, 12_000 * W - 1),
        (-100, 200, 2_400_000 * W, 12_000 * W),
        (-100, 200, 2_400_000 * W + 200, 12_000 * W),
        (-100, 200, 0, 0),
        # A close that shrinks the skew has its rebate.
        (100, 0, 800_000 * W, -3_600 * W),
    ],
)
def test_a_liquidation_pays_no_fee_and_bounded_impact(size: int, others: int, notional: int, impact: int) -> None:
    """FIL-6: at most half a per cent of the notional closed, rounded down; the rebate is not bounded by it."""
    accounts = {ACCOUNT: holding(0, positions={BTC: opened(size * W, BTC_PRICE)})}
    if others:
        accounts[OTHER] = holding(0, positions={BTC: opened(others * W, BTC_PRICE)})
    state = state_with(accounts, pool=10**6 * W, insurance=10**4 * W)
    state = replace(state, markets=(replace(state.markets[BTC], impact=10**5 * W), *state.markets[1:]))
    draft = Draft(state)
    account = draft.account(ACCOUNT)
    fill_liquidation(draft, account, BTC, -size * W, BTC_PRICE, env(), notional)
    event = draft.events[0]
    assert isinstance(event, PositionUpdated)
    assert (event.fee, event.impact) == (0, impact)
    assert account.cash == -impact
    assert draft.insurance == 10**4 * W


# --- FIL-8: what the pool must keep ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("long_oi", "short_oi", "price", "ratio", "reserved"),
    [
        (W, 0, 8_000 * W, 2_000, 1_600 * W),
        (0, W, 8_000 * W, 2_000, 1_600 * W),
        (3 * W, 2 * W, 8_000 * W, 2_000, 4_800 * W),
        (2 * W, 3 * W, 8_000 * W, 2_000, 4_800 * W),
        (W, 0, 8_000 * W, 0, 0),
        (W, 0, 8_000 * W, 10_000, 8_000 * W),
        (0, 0, 8_000 * W, 10_000, 0),
        # Rounded up.
        (1, 0, 1, 1, 1),
        (1, 0, 5 * W, 2_000, 1),
        (1, 0, 5 * W + 1, 2_000, 2),
    ],
)
def test_the_pool_keeps_a_share_of_the_larger_side(
    long_oi: int, short_oi: int, price: int, ratio: int, reserved: int
) -> None:
    """FIL-8: at the given price, rounded up in favour of the traders' claims."""
    assert compute_reserved(replace(EMPTY_MARKET, long_oi=long_oi, short_oi=short_oi), price, ratio) == reserved


def test_a_fill_renews_the_reserve_of_its_market_alone() -> None:
    """FIL-8, P6: the new price counts for the whole market, and the total moves by the difference."""
    state = trader(2 * W, reserved=5 * W)
    state = replace(state, ledger=replace(state.ledger, reserved=100 * W))
    draft = Draft(state)
    fill(draft, draft.account(ACCOUNT), BTC, -W, 9_000 * W, env())
    assert draft.market(BTC).reserved == 1_800 * W
    assert draft.reserved == 100 * W - 5 * W + 1_800 * W


# --- properties of whole fills --------------------------------------------------------------------------------------


@given(
    deltas=st.lists(st.integers(-(10**20), 10**20) | st.integers(-20, 20), min_size=1, max_size=8),
    ledger=st.integers(0, 10**21) | st.integers(0, 20),
    scale=SCALES,
    ratio=RATIOS,
    price=PRICES,
)
@example(deltas=[10, -20, 10], ledger=0, scale=1, ratio=BPS, price=W)
def test_no_round_trip_against_the_impact_ledger_profits(
    deltas: list[int], ledger: int, scale: int, ratio: int, price: int
) -> None:
    """FIL-2, FIL-7, T4, T5, X2: alone in a market, fees off, whatever the ledger holds: flat again is never richer."""
    params: MarketParams = replace(
        MARKET, skew_scale=scale, rebate_ratio=ratio, maker_fee=0, taker_fee=0, funding_cap=0
    )
    start = trader()
    state = replace(
        start,
        market_params=(params, *MARKETS[1:]),
        markets=(replace(start.markets[BTC], impact=ledger), *start.markets[1:]),
        risk=with_risk(lock_ratio=0),
    )
    draft = Draft(state)
    account = draft.account(ACCOUNT)
    held = 0
    for delta in [*deltas, -sum(deltas)]:
        for part in (-held, held + delta) if held * (held + delta) < 0 else (delta,):
            if part:
                fill(draft, account, BTC, part, price, env())
                assert draft.market(BTC).impact >= 0
        held += delta
    assert account.positions == {}
    assert account.cash <= 100_000 * W
    before = 100_000 * W + 10**6 * W + 10**4 * W + (ledger if draft.events else 0)
    if draft.events:
        assert draft.market(BTC).impact == 0
        assert account.cash + draft.pool + draft.insurance - draft.deficit == before, "C1"


@given(
    others=st.integers(-(10**20), 10**20),
    ledger=st.integers(0, 10**18) | st.just(10**24),
    parts=st.lists(st.integers(1, 10**20), min_size=2, max_size=5),
    short=st.booleans(),
    price=PRICES,
)
def test_a_fill_split_in_parts_costs_the_same_within_four_wei_a_part(
    others: int, ledger: int, parts: list[int], short: bool, price: int
) -> None:
    """FIL-2 to FIL-7, T4, X1: impact and rebate 1 wei each, fees 1 wei each, cost 1 wei; and never less than whole."""
    sign = -1 if short else 1
    accounts = {ACCOUNT: holding(10**30)}
    if others:
        accounts[OTHER] = holding(0, positions={BTC: opened(others, price)})
    start = state_with(accounts, pool=10**6 * W, risk=with_risk(lock_ratio=0))
    if others:
        start = replace(start, markets=(replace(start.markets[BTC], impact=ledger), *start.markets[1:]))

    def spent(sizes: list[int]) -> int:
        draft = Draft(start)
        account = draft.account(ACCOUNT)
        for size in sizes:
            fill(draft, account, BTC, sign * size, price, env())
        return 10**30 - account.cash + account.positions[BTC].cost

    more = spent(parts) - spent([sum(parts)])
    assert 0 <= more <= 5 * (len(parts) - 1) + 1


def test_the_reference_ratios_are_those_the_examples_use() -> None:
    """FIL-2, FIL-3, FIL-6: the numbers the cases above are worked with."""
    assert (MARKET.skew_scale, MARKET.rebate_ratio) == (10_000 * W, 9_000)
    assert (MARKET.maker_fee, MARKET.taker_fee) == (W // 5_000, W // 2_000)
    assert (RISK.impact_cap_ratio, RISK.insurance_fee_share, RISK.lock_ratio) == (W // 200, 1_000, 2_000)
