"""The liquidation window: a ring of 32 buckets, told by their numbers."""

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
    """WIN-1: whole seconds, so that the ring covers at most the window it is for."""
    assert current_bucket(windowed(window), now) == bucket


# --- WIN-2: what counts ---------------------------------------------------------------------------------------------


def test_closes_of_one_bucket_add_up_in_its_slot() -> None:
    """WIN-2: the bucket's number and total, at its number modulo 32; all other slots as they were."""
    window = after((0, 5), (LENGTH - 1, 7), (LENGTH, 11))
    bucket = START // LENGTH
    assert (window.bucket, window.used) == (bucket + 1, 23)
    assert window.ring == ((bucket, 12), (bucket + 1, 11), *((0, 0),) * (RING - 2))


@pytest.mark.parametrize(
    ("seconds", "used"),
    [
        (0, 18),
        (32 * LENGTH - 1, 18),  # the 31st bucket after it: still within
        (32 * LENGTH, 13),  # 32 newer ones have begun, its own included
        (33 * LENGTH - 1, 13),
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


def test_the_newest_bucket_counts_for_31_more() -> None:
    """WIN-2: the border of the shortcut for a window that is too old as a whole."""
    window = after((0, 5))
    assert compute_used(window, window.bucket) == 5
    assert compute_used(window, window.bucket + RING - 1) == 5
    assert compute_used(window, window.bucket + RING) == 0


def test_a_slot_is_taken_over_by_a_newer_bucket() -> None:
    """WIN-2: 32 buckets later the slot is used again, and what it held no longer counts, once."""
    first = START // LENGTH
    window = after((0, 5), (LENGTH, 7), (RING * LENGTH, 11))
    assert (window.bucket, window.used) == (first + RING, 18)
    assert window.ring[:2] == ((first + RING, 11), (first + 1, 7))
    # One bucket on, the second entry has left as well.
    assert compute_used(window, first + RING + 1) == 11


def test_stale_slots_are_told_by_their_number() -> None:
    """WIN-2: an entry two rounds old is not taken off twice."""
    window = after((0, 5), (40 * LENGTH, 7))
    assert window.used == 7
    # Bucket 32 shares the slot of bucket 0 and had no close; passing it takes nothing off.
    assert compute_used(window, START // LENGTH + 40 + 30) == 7
    assert add_closed(windowed(), window, START + 70 * LENGTH, 1).used == 8


CLOSES = st.lists(
    st.tuples(
        st.integers(0, 3 * LENGTH) | st.integers(0, 40 * LENGTH) | st.integers(0, 100 * LENGTH), st.integers(1, 10**24)
    ),
    max_size=40,
)


@given(CLOSES, st.integers(0, 70 * LENGTH))
def test_the_ring_counts_what_a_list_of_all_closes_would(closes: list[tuple[int, int]], wait: int) -> None:
    """WIN-2, W1: against the plain definition: the sum over the buckets of which 32 newer ones have not begun."""
    window, now, told = EMPTY_WINDOW, START, []
    params = windowed()
    for gap, notional in closes:
        now += gap
        window = add_closed(params, window, now, notional)
        told.append((now // LENGTH, notional))
        assert window.bucket == now // LENGTH
        assert window.used == sum(n for bucket, n in told if bucket > window.bucket - RING)
        assert window.used == sum(n for bucket, n in window.ring if bucket > window.bucket - RING), "W1"
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
