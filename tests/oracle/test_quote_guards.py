"""Guards: each limit at -1, 0 and +1, and that no guard changes a price."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.quote_guards import (
    DAY,
    WEEK,
    get_gate_fault,
    guard_bounds,
    guard_confidence,
    guard_deviation,
    guard_envelope,
    guard_halt,
    guard_hours,
    guard_staleness,
    is_deviated,
    is_jump,
    is_open,
)
from protocol.env import NO_QUOTE, Quote, Status
from protocol.units import PRICE_LIMIT, W
from tests.oracle.test_quotes import flat, quotes

NOW = 1_600_000_000  # a Sunday, 12:26:40 UTC
MONDAY = 1_600_041_600  # the midnight that follows


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (0, 0),
        (60, 0),
        (61, Status.STALE_SOFT),
        (600, Status.STALE_SOFT),
        (601, Status.STALE_HARD),
        (NOW, Status.STALE_HARD),
        (-1, 0),
        (-5, 0),
        (-6, Status.FUTURE),
        (-(2**39), Status.FUTURE),
    ],
)
def test_age_has_two_limits_and_the_future_one(age: int, status: int) -> None:
    """GRD-1: exactly soft, hard and ahead are still good."""
    assert guard_staleness(flat(W, NOW - age), NOW, 60, 600, 5).status == status


def test_equal_limits_of_age_leave_no_soft_zone() -> None:
    """GRD-1: and without tolerance the next second is the future."""
    assert guard_staleness(flat(W, NOW - 60), NOW, 60, 60, 0).status == 0
    assert guard_staleness(flat(W, NOW - 61), NOW, 60, 60, 0).status == Status.STALE_HARD
    assert guard_staleness(flat(W, NOW + 1), NOW, 60, 60, 0).status == Status.FUTURE
    assert guard_staleness(flat(W, NOW - 1), NOW, 0, 60, 0).status == Status.STALE_SOFT


def test_a_missing_price_has_no_age() -> None:
    """GRD-1: what is wrong with it is said already."""
    assert guard_staleness(NO_QUOTE, NOW, 60, 600, 0) == NO_QUOTE


@pytest.mark.parametrize(
    ("price", "deviated"), [(9_799, True), (9_800, False), (10_000, False), (10_200, False), (10_201, True)]
)
def test_a_deviation_is_measured_against_the_reference(price: int, deviated: bool) -> None:
    """GRD-2: exactly the tolerance is still good; 2 % of the reference, not of the price."""
    assert is_deviated(price, 10_000, 200) is deviated
    assert guard_deviation(flat(price), flat(10_000), 200).status == (Status.DEVIATED if deviated else 0)


def test_the_reference_is_the_base_of_a_deviation() -> None:
    """GRD-2: half of it is 50 % below; twice of it is 100 % above."""
    assert not is_deviated(50, 100, 5_000)
    assert is_deviated(100, 50, 5_000)


@pytest.mark.parametrize("status", list(Status))
def test_only_two_valid_quotes_are_compared(status: Status) -> None:
    """GRD-2: with a reference that is not OK the price is unconfirmed, never contradicted."""
    far = Quote(1, 1, 1, NOW, int(status))
    assert guard_deviation(flat(W), far, 200) == flat(W, status=Status.UNCERTAIN)
    assert guard_deviation(far, flat(W), 200) == Quote(1, 1, 1, NOW, int(status | Status.UNCERTAIN))


def test_a_missing_price_is_not_unconfirmed() -> None:
    """GRD-2: it stays what it is; a missing reference leaves the price."""
    assert guard_deviation(NO_QUOTE, flat(W), 200) == NO_QUOTE
    assert guard_deviation(flat(W), NO_QUOTE, 200) == flat(W, status=Status.UNCERTAIN)
    assert guard_deviation(NO_QUOTE, NO_QUOTE, 200) == NO_QUOTE


def test_a_deviation_keeps_the_time_of_its_own_price() -> None:
    """GRD-2: the reference vouches, it is no part of the price."""
    assert guard_deviation(flat(W, NOW), flat(W, 5), 200).publish_time == NOW


@pytest.mark.parametrize(
    ("bid", "ask", "status"),
    [
        (100, 500, Status.OUT_OF_BOUNDS),
        (101, 500, 0),
        (101, 899, 0),
        (101, 900, Status.OUT_OF_BOUNDS),
        (50, 1_000, Status.OUT_OF_BOUNDS),
    ],
)
def test_touching_a_bound_is_a_failure(bid: int, ask: int, status: int) -> None:
    """GRD-3: strictly between, on both sides; the price stays visible."""
    assert guard_bounds(Quote(bid, (bid + ask) // 2, ask, NOW, 0), 100, 900, 0) == Quote(
        bid, (bid + ask) // 2, ask, NOW, int(status)
    )


@pytest.mark.parametrize(
    ("price", "status"),
    [
        (1_000, Status.OUT_OF_BOUNDS),
        (1_001, Status.UNCERTAIN),
        (1_100, Status.UNCERTAIN),
        (1_101, 0),
        (8_099, 0),
        (8_100, Status.UNCERTAIN),
        (8_999, Status.UNCERTAIN),
        (9_000, Status.OUT_OF_BOUNDS),
    ],
)
def test_near_a_bound_a_price_is_uncertain(price: int, status: int) -> None:
    """GRD-3: 10 % above the lower or below the upper; exactly there is near."""
    assert guard_bounds(flat(price), 1_000, 9_000, 1_000).status == status


def test_luna_at_its_floor() -> None:
    """GRD-3: 2022-05, a feed stops at 0.107 dollars above a floor of 0.10 while the market is at 0.01."""
    stuck = flat(W * 107 // 1_000)
    assert guard_bounds(stuck, W // 10, 1_000 * W, 1_000).status == Status.UNCERTAIN
    assert guard_bounds(stuck, W // 10, 1_000 * W, 0).status == 0


@pytest.mark.parametrize(("spread", "status"), [(0, 0), (99, 0), (100, 0), (101, Status.UNCERTAIN)])
def test_a_wide_spread_is_uncertain(spread: int, status: int) -> None:
    """GRD-4: exactly the limit is still good; 1 % of the mid."""
    assert guard_confidence(Quote(9_950, 10_000, 9_950 + spread, NOW, 0), 100).status == status


@pytest.mark.parametrize(
    ("p", "q", "ratio", "jumps"),
    [
        (500, 100, 50_000, False),
        (501, 100, 50_000, True),
        (100, 501, 50_000, True),
        (599, 100, 50_000, True),  # an integer quotient of 5 is not above 5
        (101, 100, 10_100, False),
        (102, 100, 10_100, True),
        (100, 100, 10_100, False),
        (PRICE_LIMIT - 1, 1, 100_000, True),
    ],
)
def test_a_jump_is_multiplied_across(p: int, q: int, ratio: int, jumps: bool) -> None:
    """GRD-5: in either direction, exactly the ratio is none."""
    assert is_jump(p, q, ratio) is jumps


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ((0, NOW - 601, 1), 0),
        ((0, NOW - 600, 1), Status.SEQ_GRACE),
        ((0, NOW, 1), Status.SEQ_GRACE),
        ((0, NOW + 1, 1), Status.SEQ_GRACE),
        ((0, 2**256 - 1, 1), Status.SEQ_GRACE),
        ((0, 0, 1), Status.SEQ_DOWN),  # not initialised: as a time it would be long ago
        ((1, NOW - 10_000, 1), Status.SEQ_DOWN),
        ((-1, NOW - 10_000, 1), Status.SEQ_DOWN),
        ((2**255 - 1, 1, 1), Status.SEQ_DOWN),
        (None, Status.SEQ_DOWN),
    ],
)
def test_the_sequencer_is_up_after_its_grace(data: tuple[int, int, int] | None, fault: int) -> None:
    """GRD-6: strictly more than the grace period; whatever is unclear is down."""
    assert get_gate_fault(data, NOW, 600) == fault


@pytest.mark.parametrize(
    ("moment", "opened"),
    [
        (MONDAY + 48_600 - 1, False),
        (MONDAY + 48_600, True),  # Monday 13:30
        (MONDAY + 72_000 - 1, True),
        (MONDAY + 72_000, False),  # Monday 20:00
        (MONDAY + 4 * DAY + 48_600, True),  # Friday
        (MONDAY + 5 * DAY + 48_600, False),  # Saturday
        (MONDAY - DAY + 48_600, False),  # Sunday
    ],
)
def test_hours_of_a_stock_market(moment: int, opened: bool) -> None:
    """GRD-7: Monday to Friday, 13:30 to 20:00 UTC; the first second is open, the last one not."""
    assert is_open(moment, 0b0011111, 48_600, 23_400) is opened
    quote = guard_hours(flat(W), moment, 0b0011111, 48_600, 23_400)
    assert quote.status == (0 if opened else Status.MARKET_CLOSED)


@pytest.mark.parametrize(
    ("moment", "opened"),
    [
        (MONDAY - 7_200 - 1, False),
        (MONDAY - 7_200, True),  # Sunday 22:00
        (MONDAY, True),
        (MONDAY + 4 * DAY + 79_200 - 1, True),
        (MONDAY + 4 * DAY + 79_200, False),  # Friday 22:00
        (MONDAY + 6 * DAY, False),
    ],
)
def test_hours_of_a_currency_market(moment: int, opened: bool) -> None:
    """GRD-7: one session a week that runs past midnight and past Sunday."""
    assert is_open(moment, 1 << 6, 79_200, 5 * DAY) is opened
    assert is_open(moment + WEEK, 1 << 6, 79_200, 5 * DAY) is opened


def test_a_halt_marks_a_price() -> None:
    """GRD-8: and a missing one too."""
    assert guard_halt(flat(W), True) == flat(W, status=Status.HALTED)
    assert guard_halt(flat(W), False) == flat(W)
    assert guard_halt(NO_QUOTE, True).status == Status.HALTED | Status.UNAVAILABLE


@given(quotes(), quotes(), st.integers(0, 2**40))
def test_no_guard_changes_a_price_or_forgets_a_fault(quote: Quote, other: Quote, now: int) -> None:
    """GRD-1 to GRD-4, GRD-7, GRD-8: they only add faults."""
    now += WEEK
    for result in (
        guard_staleness(quote, now, 60, 600, 5),
        guard_deviation(quote, other, 200),
        guard_bounds(quote, 100, W, 100),
        guard_confidence(quote, 100),
        guard_hours(quote, now, 5, 100, 10_000),
        guard_halt(quote, True),
    ):
        assert result == Quote(quote.bid, quote.mid, quote.ask, quote.publish_time, result.status)
        assert result.status & quote.status == quote.status


# --- GRD-10: sides ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "sides"),
    [
        ((190, 195, 199), (190, 201)),
        ((201, 205, 210), (199, 210)),
        ((150, 200, 250), (150, 250)),
        ((200, 200, 200), (199, 201)),
    ],
)
def test_an_envelope_reaches_to_both_and_keeps_its_middle(
    reference: tuple[int, int, int], sides: tuple[int, int]
) -> None:
    """GRD-10: lower, higher, around, within."""
    price = Quote(199, 200, 201, NOW, 0)
    found = guard_envelope(price, Quote(*reference, NOW - 9, 0))
    assert found == Quote(sides[0], 200, sides[1], NOW, 0)


@pytest.mark.parametrize("fault", list(Status))
def test_an_envelope_needs_both_prices(fault: Status) -> None:
    """GRD-10: with any fault of either nothing is widened, and the price is not confirmed."""
    price, slow = Quote(199, 200, 201, NOW, 0), Quote(100, 100, 100, NOW, int(fault))
    assert guard_envelope(price, slow) == Quote(199, 200, 201, NOW, int(Status.UNCERTAIN))
    assert guard_envelope(slow, price) == Quote(100, 100, 100, NOW, int(fault | Status.UNCERTAIN))


@given(quotes(), quotes())
def test_an_envelope_is_never_narrower(price: Quote, reference: Quote) -> None:
    """GRD-10: bid <= mid <= ask still; new risk never gets a better side than without it."""
    found = guard_envelope(price, reference)
    assert found.bid <= price.bid
    assert found.ask >= price.ask
    assert (found.mid, found.publish_time) == (price.mid, price.publish_time)
    assert found.bid <= found.mid <= found.ask or found.bid == 0
