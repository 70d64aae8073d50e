"""The liquidation window: 32 buckets of time, and what counts in them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.params import MarketParams
from protocol.state import EMPTY_WINDOW, RING, Window
from protocol.window import add_closed, compute_left, compute_used, current_bucket
from tests.twins import BTC, market_params

LENGTH = 100  # seconds of a bucket below
START = 16_000_000 * LENGTH  # the first second of a bucket whose number is a multiple of 32


def windowed(window: int = RING * LENGTH, notional: int = 1_000) -> MarketParams:
    """A market whose window is so long and lets so much through."""
    return replace(market_params(BTC), window=window, window_notional=notional)


def after(*entries: tuple[int, int], params: MarketParams | None = None) -> Window:
    """The window after closes of ``(seconds after START, notional)``."""
    window = EMPTY_WINDOW
    for seconds, notional in entries:
        window = add_closed(params or windowed(), window, START + seconds, notional)
    return window


# --- WIN-1: the bucket of a time ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "now", "bucket"),
    [
        (3_200, 0, 0),
        (3_200, 99, 0),
        (3_200, 100, 1),
        (3_200, 1_600_000_099, 16_000_000),
        # An hour over 32 is 112 seconds and a half: whole seconds, rounded down.
        (3_600, 111, 0),
        (3_600, 112, 1),
        # Shorter than 32 seconds: a second each.
        (1, 7, 7),
        (31, 7, 7),
        (32, 7, 7),
        (63, 7, 7),
        (64, 7, 3),
        (30 * 86_400, 80_999, 0),
        (30 * 86_400, 81_000, 1),
    ],
)
def test_a_bucket_lasts_a_32nd_of_the_window_and_at_least_a_second(window: int, now: int, bucket: int) -> None:
    """WIN-1: whole seconds, so that 32 of them cover at most the window, from 32 seconds on."""
    assert current_bucket(windowed(window), now) == bucket


# --- WIN-2: what counts ---------------------------------------------------------------------------------------------


def test_each_bucket_that_closes_notes_what_was_closed_before_it() -> None:
    """WIN-2: a first close begins an entry, later ones of the bucket only add to what was closed."""
    first = START // LENGTH
    assert after((0, 5)) == Window(5, ((first, 0),))
    assert after((0, 5), (LENGTH - 1, 7)) == Window(12, ((first, 0),))
    assert after((0, 5), (LENGTH - 1, 7), (LENGTH, 11)) == Window(23, ((first, 0), (first + 1, 12)))
    assert after((0, 5), (9 * LENGTH, 11)) == Window(16, ((first, 0), (first + 9, 5)))


@pytest.mark.parametrize(
    ("seconds", "used"),
    [
        (2 * LENGTH, 18),
        (32 * LENGTH - 1, 18),  # the 31st bucket after the first: still within
        (32 * LENGTH, 13),  # 32 newer ones have begun, the present one included
        (33 * LENGTH, 13),
        (34 * LENGTH - 1, 13),
        (34 * LENGTH, 0),
        (35 * LENGTH, 0),
        (10**6 * LENGTH, 0),
    ],
)
def test_a_bucket_counts_until_32_newer_ones_have_begun(seconds: int, used: int) -> None:
    """WIN-2: to the second; the rest of the window keeps counting."""
    window = after((0, 5), (2 * LENGTH, 13))
    assert compute_used(window, (START + seconds) // LENGTH) == used


def test_nothing_counts_in_a_window_that_closed_nothing() -> None:
    """WIN-2: the empty window, at any time."""
    for bucket in (0, 31, 32, START // LENGTH):
        assert compute_used(EMPTY_WINDOW, bucket) == 0


def test_entries_that_no_longer_count_are_dropped_by_the_next_close() -> None:
    """WIN-2, W1: never more than 32 of them; what was closed stays in the sum of all."""
    first = START // LENGTH
    window = after((0, 5), (LENGTH, 7), (RING * LENGTH - 1, 9))
    assert window == Window(21, ((first, 0), (first + 1, 5), (first + RING - 1, 12)))
    window = add_closed(windowed(), window, START + RING * LENGTH, 11)
    assert window == Window(32, ((first + 1, 5), (first + RING - 1, 12), (first + RING, 21)))
    window = add_closed(windowed(), window, START + 100 * LENGTH, 1)
    assert window == Window(33, ((first + 100, 32),))
    each = after(*((bucket * LENGTH, 1) for bucket in range(100)))
    assert len(each.entries) == RING
    assert compute_used(each, first + 99) == RING


CLOSES = st.lists(
    st.tuples(
        st.integers(0, 3 * LENGTH) | st.integers(0, 40 * LENGTH) | st.integers(0, 100 * LENGTH), st.integers(1, 10**24)
    ),
    max_size=40,
)


@given(CLOSES, st.integers(0, 70 * LENGTH))
def test_the_window_counts_what_a_list_of_all_closes_would(closes: list[tuple[int, int]], wait: int) -> None:
    """WIN-2, W1: against the plain definition: the sum over the buckets of which 32 newer ones have not begun."""
    window, now, told = EMPTY_WINDOW, START, []
    params = windowed()
    for gap, notional in closes:
        now += gap
        window = add_closed(params, window, now, notional)
        told.append((now // LENGTH, notional))
        assert window.closed == sum(n for _, n in told)
        assert window.entries[-1][0] == now // LENGTH
        counted = sum(n for bucket, n in told if bucket > now // LENGTH - RING)
        assert compute_used(window, now // LENGTH) == counted
    bucket = (now + wait) // LENGTH
    assert compute_used(window, bucket) == sum(n for number, n in told if number > bucket - RING)


@given(CLOSES)
def test_no_span_of_31_buckets_holds_more_than_the_window_lets_through(closes: list[tuple[int, int]]) -> None:
    """WIN-2, WIN-3: whoever closes at most what is left never exceeds the window's notional in 31 buckets of time."""
    params = windowed(notional=10**24)
    window, now, told = EMPTY_WINDOW, START, []
    for gap, notional in closes:
        now += gap
        closed = min(notional, compute_left(params, window, now))
        window = add_closed(params, window, now, closed)
        told.append((now, closed))
        assert sum(n for at, n in told if at > now - 31 * LENGTH) <= params.window_notional


# --- WIN-3: what is left --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("used", "left"), [(0, 1_000), (1, 999), (999, 1), (1_000, 0), (1_001, 0), (10**30, 0)])
def test_what_is_left_is_never_below_zero(used: int, left: int) -> None:
    """WIN-3: the close of a whole remainder may go beyond the window; later ones find nothing left."""
    assert compute_left(windowed(), after((0, used)), START) == left


def test_what_is_left_grows_with_time_and_follows_the_parameter() -> None:
    """WIN-3: measured now, against the notional in force."""
    window = after((0, 600), (LENGTH, 300))
    assert compute_left(windowed(), window, START + LENGTH) == 100
    assert compute_left(windowed(), window, START + RING * LENGTH - 1) == 100
    assert compute_left(windowed(), window, START + RING * LENGTH) == 700
    assert compute_left(windowed(), window, START + (RING + 1) * LENGTH) == 1_000
    assert compute_left(windowed(notional=899), window, START + LENGTH) == 0
    assert compute_left(windowed(notional=901), window, START + LENGTH) == 1
