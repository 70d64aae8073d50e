"""What a fill makes of a position, of its profit and of the totals of its market: FIL-1, FIL-4."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.draft import DraftMarket
from protocol.fills import compute_fill, move_totals
from protocol.margin import compute_pnl
from protocol.state import EMPTY_MARKET, Position
from protocol.units import W, cdiv, fdiv
from tests.protocol.filling import at
from tests.protocol.strategies import PRICES, SIZES

COSTS = st.integers(-(10**27), 10**27) | st.integers(-100, 100)


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
