"""The jump breaker: trips, waits, watches, and lets go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.breaker import UNTOUCHED, BreakerParams, BreakerState, advance_breaker, guard_breaker
from protocol.env import NO_QUOTE, Status
from protocol.units import W
from tests.oracle.test_quotes import flat

NOW = 1_600_000_000
PARAMS = BreakerParams(ratio=20_000, cool_down=600, good=3)
CALM = BreakerState(200 * W, NOW, 0, 0)
TRIPPED = BreakerState(1_000 * W, NOW, NOW, 0)


def poke(state: BreakerState, price: int, now: int, status: int = 0, publish_time: int | None = None) -> BreakerState:
    """The breaker after it has seen a price."""
    return advance_breaker(state, flat(price, now if publish_time is None else publish_time, status), now, PARAMS)


def test_the_first_price_is_taken_as_it_is() -> None:
    """GRD-5: there is nothing to compare it with."""
    assert guard_breaker(flat(W), UNTOUCHED, 20_000) == flat(W)
    assert poke(UNTOUCHED, 200 * W, NOW) == CALM


@pytest.mark.parametrize(("price", "trips"), [(400 * W, False), (400 * W + 1, True), (100 * W, False), (1, True)])
def test_a_jump_trips_the_breaker(price: int, trips: bool) -> None:
    """GRD-5: more than the ratio from the price last poked; who reads before the poke sees it as well."""
    assert guard_breaker(flat(price), CALM, 20_000).status == (Status.HALTED if trips else 0)
    after = poke(CALM, price, NOW + 5)
    assert after == BreakerState(price, NOW + 5, NOW + 5 if trips else 0, 0)


def test_a_tripped_breaker_halts_every_price() -> None:
    """GRD-5: also one that is back where it was."""
    assert guard_breaker(flat(200 * W), TRIPPED, 20_000) == flat(200 * W, status=Status.HALTED)
    assert guard_breaker(NO_QUOTE, TRIPPED, 20_000).status == Status.HALTED | Status.UNAVAILABLE


@pytest.mark.parametrize("status", list(Status))
def test_a_price_that_is_not_ok_moves_nothing(status: Status) -> None:
    """GRD-5: it neither becomes the reference nor trips; in a tripped breaker it interrupts the count."""
    assert poke(CALM, 10_000 * W, NOW + 1, status) == CALM
    watching = BreakerState(1_000 * W, NOW, NOW, 2)
    assert poke(watching, 1_000 * W, NOW + 1, status) == BreakerState(1_000 * W, NOW, NOW, 0)


def test_it_lets_go_after_time_and_good_observations() -> None:
    """GRD-5: three in a row, each newer, and the cool-down; the newest price is the new reference."""
    state = TRIPPED
    for number in (1, 2, 3, 3):
        state = poke(state, (1_000 + number) * W, NOW + 100 * number + state.good)
        assert (state.tripped_at, state.good) == (NOW, number)
    assert poke(state, 1_010 * W, NOW + 599).tripped_at == NOW
    assert poke(state, 1_010 * W, NOW + 600) == BreakerState(1_010 * W, NOW + 600, 0, 0)


def test_time_alone_does_not_let_go() -> None:
    """GRD-5: nor does a price that is not new."""
    late = NOW + 10_000
    once = poke(TRIPPED, 1_000 * W, late)
    assert once == BreakerState(1_000 * W, late, NOW, 1)
    again = once
    for _ in range(5):
        again = poke(again, 1_000 * W, late + 1, publish_time=late)
    assert again == once
    assert poke(poke(once, 1_000 * W, late + 1), 1_000 * W, late + 2).tripped_at == 0


def test_a_jump_while_tripped_begins_the_count_again() -> None:
    """GRD-5: the cool-down is counted from the trip all the same."""
    state = poke(poke(TRIPPED, 1_000 * W, NOW + 1), 1_000 * W, NOW + 2)
    assert state.good == 2
    state = poke(state, 200 * W, NOW + 3)
    assert state == BreakerState(200 * W, NOW + 3, NOW, 0)
    for number in (1, 2):
        state = poke(state, 200 * W, NOW + 600 + number)
        assert state.good == number
    assert poke(state, 200 * W, NOW + 603) == BreakerState(200 * W, NOW + 603, 0, 0)


@given(st.lists(st.tuples(st.integers(1, 2**96 - 1), st.integers(1, 400), st.sampled_from((0, 0, 0, 2)))))
def test_what_passes_is_never_far_from_what_was_poked(steps: list[tuple[int, int, int]]) -> None:
    """GRD-5: a price without HALTED is within the ratio of the reference, and a latch holds its cool-down."""
    state, now, tripped = UNTOUCHED, NOW, 0
    for price, wait, status in steps:
        now += wait
        quote = flat(price, now, status)
        if not guard_breaker(quote, state, 20_000).status & Status.HALTED:
            low, high = sorted((price, state.reference or price))
            assert state.tripped_at == 0
            assert high <= 2 * low
        before = state
        state = advance_breaker(state, quote, now, PARAMS)
        if state.tripped_at and not before.tripped_at:
            tripped = now
        if before.tripped_at and not state.tripped_at:
            assert now - tripped >= 600
