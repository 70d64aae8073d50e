"""Slots of reporters, which of them count, and the price they give: the model."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts_py.keys import address_of
from oracle.feeds import RoundData
from oracle.median import (
    MAX_REPORTERS,
    NO_MEDIAN,
    Median,
    Slot,
    Submit,
    Submitted,
    compute_middle,
    create_median,
    get_latest_round,
    get_median_quote,
    get_median_round,
    get_used_slots,
    process_submit,
)
from protocol.env import Quote, Status
from protocol.errors import Refusal
from protocol.units import PRICE_LIMIT, W
from tests.oracle.calls import outcome
from tests.oracle.medians import HOUR, START, addresses, fill, median_of, submit

NOW = START
USD = 10**8


def ages_used(median: Median, now: int = NOW) -> list[int]:
    """How long ago each report that counts was observed, newest first."""
    return sorted(now - slot.observed_at for slot in get_used_slots(median, now)[0])


# --- MED-1: configuration -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "quorum", "limits", "is_allowed"),
    [
        (1, 1, {}, True),
        (13, 13, {}, True),
        (14, 13, {}, False),
        (0, 1, {}, False),
        (4, 5, {}, False),
        (5, 5, {}, True),
        (5, 4, {}, False),
        (5, 0, {}, False),
        (5, -1, {}, False),
        (5, 3, {"max_age": 59, "skew": 0}, False),
        (5, 3, {"max_age": 60, "skew": 60}, True),
        (5, 3, {"max_age": 259_200}, True),
        (5, 3, {"max_age": 259_201}, False),
        (5, 3, {"skew": HOUR}, True),
        (5, 3, {"skew": HOUR + 1}, False),
        (5, 3, {"skew": -1}, False),
        (5, 3, {"skew": 0, "ahead": 0, "decimals": 0}, True),
        (5, 3, {"ahead": 60}, True),
        (5, 3, {"ahead": 61}, False),
        (5, 3, {"ahead": -1}, False),
        (5, 3, {"decimals": 18}, True),
        (5, 3, {"decimals": 19}, False),
        (5, 3, {"decimals": -1}, False),
    ],
)
def test_limits_are_checked_at_creation(count: int, quorum: int, limits: dict[str, int], is_allowed: bool) -> None:
    """MED-1: each border, on both sides."""
    found = outcome(partial(median_of, count, quorum, **limits))
    assert (found != "oracle/median-config") is is_allowed
    if is_allowed:
        assert found.slots == (Slot(0, 0, 0),) * count


@pytest.mark.parametrize("place", [0, 1, 4])
def test_reporters_are_distinct_and_not_zero(place: int) -> None:
    """MED-1: one who is listed twice would look like two."""
    for intruder in (0, addresses(5)[(place + 1) % 5]):
        listed = tuple(intruder if i == place else one for i, one in enumerate(addresses(5)))
        assert outcome(create_median, listed, 3, HOUR, 0, 0, 8) == "oracle/median-config"


@pytest.mark.parametrize("quorum", range(1, MAX_REPORTERS + 1, 2))
def test_fewer_than_half_of_a_quorum_may_lie(quorum: int) -> None:
    """MED-1: 2f + 1 <= m, and no f above it."""
    faults = median_of(13, quorum).faults
    assert 2 * faults + 1 <= quorum < 2 * (faults + 1) + 1


# --- MED-2: reports -------------------------------------------------------------------------------------------------


def test_a_reporter_writes_its_own_slot_only() -> None:
    """MED-2: the slot of its place in the list, counted, and nothing else."""
    before = median_of(3, 3)
    after, events = process_submit(before, NOW, addresses(3)[1], Submit(200 * USD, NOW - 5))
    assert events == (Submitted(1, 1, 200 * USD, NOW - 5),)
    assert after == replace(before, slots=(Slot(0, 0, 0), Slot(200 * USD, NOW - 5, 1), Slot(0, 0, 0)))
    again, events = process_submit(after, NOW, addresses(3)[1], Submit(-1, NOW))
    assert events == (Submitted(1, 2, -1, NOW),)
    assert again.slots[1] == Slot(-1, NOW, 2)


def test_nobody_else_may_report() -> None:
    """MED-2: refused before anything else is looked at."""
    for sender in (address_of("stranger"), addresses(4)[3], 0):
        found = outcome(process_submit, median_of(3, 3), NOW, sender, Submit(2**127, 0))
        assert found == "oracle/not-reporter"


@pytest.mark.parametrize(
    ("answer", "fits"), [(2**127 - 1, True), (2**127, False), (-(2**127), True), (-(2**127) - 1, False)]
)
def test_an_answer_fits_its_half_of_a_word(answer: int, fits: bool) -> None:
    """MED-2: refused from 2^127 on, also when the report would change nothing."""
    for observed_at in (NOW, 0):
        action = Submit(answer, observed_at)
        found = outcome(process_submit, median_of(1, 1), NOW, addresses(1)[0], action)
        assert (found != "sys/domain") is fits


@pytest.mark.parametrize(
    ("observed_at", "accepted"),
    [
        (NOW - 11, False),
        (NOW - 10, False),
        (NOW - 9, True),
        (NOW, True),
        (NOW + 30, True),
        (NOW + 31, False),
        (2**64 - 1, False),
        (0, False),
    ],
)
def test_a_report_must_be_newer_than_the_slot_and_not_too_far_ahead(observed_at: int, accepted: bool) -> None:
    """MED-2: otherwise nothing happens, and it is no refusal; 30 seconds ahead are allowed here."""
    before = submit(median_of(3, 3), NOW, 0, 100 * USD, NOW - 10)
    after, events = process_submit(before, NOW, addresses(3)[0], Submit(50 * USD, observed_at))
    assert bool(events) is accepted
    assert (after == before) is not accepted


def test_the_first_report_is_newer_than_no_report() -> None:
    """MED-2: from the first second of all."""
    assert process_submit(median_of(1, 1), NOW, addresses(1)[0], Submit(1, 0))[1] == ()
    assert process_submit(median_of(1, 1), NOW, addresses(1)[0], Submit(1, 1))[1] != ()


def test_the_order_of_reports_does_not_matter() -> None:
    """MED-2, MED-3: whoever relays them decides nothing: any order gives the same slots."""
    reports = ((100, 0), (90, 7), (110, 3), (80, 600))
    outcomes = []
    for order in permutations(range(4)):
        median = median_of(5, 3)
        for reporter in order:
            answer, age = reports[reporter]
            median = submit(median, NOW, reporter, answer * USD, NOW - age)
        outcomes.append(median)
    assert all(found == outcomes[0] for found in outcomes)


# --- MED-3: which slots count ---------------------------------------------------------------------------------------


def test_a_report_counts_up_to_its_age_limit() -> None:
    """MED-3: exactly max_age is fresh, a second more is not."""
    median = fill(median_of(4, 3, skew=HOUR), NOW, (1, HOUR), (2, HOUR - 1), (3, 0), (4, 0))
    assert ages_used(median) == [0, 0, HOUR - 1, HOUR]
    assert ages_used(median, NOW + 1) == [1, 1, HOUR]
    assert ages_used(median, NOW + 2) == []


def test_slots_never_written_do_not_count() -> None:
    """MED-3: not even in the first hour of all time, when no time is an hour ago."""
    median = fill(median_of(4, 3), 100, (1, 10), (2, 10))
    assert get_used_slots(median, 100) == ((), 0)
    median = submit(median, 100, 3, 3, 90)
    assert len(get_used_slots(median, 100)[0]) == 3


@pytest.mark.parametrize(("written", "quote"), [(0, NO_MEDIAN), (2, NO_MEDIAN), (3, Quote(W, W, W, NOW, 0))])
def test_there_is_no_price_without_a_quorum(written: int, quote: Quote) -> None:
    """MED-3, MED-5: fewer fresh reports than the quorum give nothing, not even a time."""
    assert get_median_quote(fill(median_of(5, 3), NOW, *((USD, 0),) * written), NOW) == quote


def test_a_report_counts_within_the_skew_of_the_reference_on_both_sides() -> None:
    """MED-3: seven reporters, three may lie, so the reference is the fourth newest time."""
    median = median_of(9, 7, skew=600, ahead=60)
    ages = (300, 301, 302, 900, 1_500, 1_501, 1_000, 1_000, 1_000)
    median = fill(median, NOW, *((1, age) for age in ages))
    assert ages_used(median) == [300, 301, 302, 900, 1_000, 1_000, 1_000, 1_500]
    newer = submit(median, NOW + 60, 0, 1, NOW + 60)
    assert ages_used(newer) == [301, 302, 900, 1_000, 1_000, 1_000, 1_500]
    # Two newer ones outside, one older one: less than a quorum is left.
    newest = submit(newer, NOW + 60, 1, 1, NOW - 299)
    assert ages_used(newest) == []


def test_a_slot_dated_ahead_drops_no_other() -> None:
    """MED-3: the newest report of all is not the reference: measured from it, all honest ones would be too old."""
    median = median_of(5, 3, skew=60, ahead=60)
    median = fill(median, NOW, (100, 50), (101, 40), (102, 30), (103, 10))
    liar = submit(median, NOW, 4, 10**6, NOW + 60)
    assert ages_used(liar) == [10, 30, 40, 50]
    newest = max(slot.observed_at for slot in liar.slots)
    assert sum(newest - slot.observed_at <= 60 for slot in liar.slots) == 1
    # As many liars as may be, and more reporters: still none of the honest ones is dropped.
    median = fill(median_of(13, 9, skew=60, ahead=60), NOW, *((100, 60 - 7 * i) for i in range(9)))
    for reporter in range(9, 13):
        median = submit(median, NOW, reporter, 10**6, NOW + 60)
    assert ages_used(median)[:9] == [60 - 7 * i for i in reversed(range(9))]


def honest_times(median: Median, liars: int) -> list[int]:
    """When those observed who are not among the first."""
    return [slot.observed_at for slot in median.slots[liars:]]


@given(st.data())
def test_liars_drop_no_honest_report(data: st.DataObject) -> None:
    """MED-3: honest reports within the skew of each other all count, whatever up to f others date theirs."""
    quorum = data.draw(st.sampled_from(range(1, 14, 2)))
    count = data.draw(st.integers(quorum, MAX_REPORTERS))
    liars = data.draw(st.integers(0, min(quorum // 2, count - quorum)))
    skew, ahead = data.draw(st.sampled_from([(0, 0), (10, 60), (60, 60), (600, 0), (HOUR, 30)]))
    median = median_of(count, quorum, skew=skew, ahead=ahead)
    oldest = NOW - data.draw(st.integers(0, HOUR))
    times = st.integers(oldest, min(oldest + skew, NOW + ahead))
    for reporter in range(count):
        anything = st.integers(NOW - 2 * HOUR, NOW + ahead)
        median = submit(median, NOW, reporter, reporter, data.draw(anything if reporter < liars else times))
    used, reference = get_used_slots(median, NOW)
    assert min(honest_times(median, liars)) <= reference <= max(honest_times(median, liars))
    assert set(range(liars, count)) <= {slot.answer for slot in used}
    honest = honest_times(median, liars)
    for slot in used:
        assert min(honest) - skew <= slot.observed_at <= max(honest) + skew


# --- MED-4: the middle ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "middle"),
    [
        ([5], (5, 5)),
        ([7, 5], (5, 7)),
        ([9, 5, 7], (7, 7)),
        ([1, 9, 5, 7], (5, 7)),
        ([3, 3, 3, 9], (3, 3)),
        ([-9, -5, 0, -7, 4], (-5, -5)),
        (list(range(100, -1, -1)), (50, 50)),
        (list(range(100)), (49, 50)),
    ],
)
def test_the_middle_of_values(values: list[int], middle: tuple[int, int]) -> None:
    """MED-4: any number of them, one middle value or two."""
    assert compute_middle(values) == middle


# --- MED-5: the price -----------------------------------------------------------------------------------------------


def test_an_even_number_of_reports_has_a_spread() -> None:
    """MED-5: bid and ask are the middle two; the mid is rounded down, by half a wei at most."""
    median = fill(median_of(4, 3, decimals=18), NOW, (107, 4), (100, 3), (104, 9), (90, 2))
    assert get_median_quote(median, NOW) == Quote(100, 102, 104, NOW - 3, 0)
    odd = submit(median, NOW, 2, 103, NOW)
    assert get_median_quote(odd, NOW) == Quote(100, 101, 103, NOW - 2, 0)


@pytest.mark.parametrize(("decimals", "answer"), [(0, 200), (6, 200 * 10**6), (8, 200 * 10**8), (18, 200 * W)])
def test_answers_are_brought_to_scale_w_exactly(decimals: int, answer: int) -> None:
    """MED-5: before the mid is taken, so that it is exact with less than 18 decimals."""
    median = fill(median_of(2, 1, decimals=decimals), NOW, (answer, 0), (answer + 1, 0))
    unit = 10 ** (18 - decimals)
    assert get_median_quote(median, NOW) == Quote(200 * W, 200 * W + unit // 2, 200 * W + unit, NOW, 0)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((0, 1, 1), Quote(W, W, W, NOW, 0)),
        ((0, 0, 1), Quote(0, 0, 0, NOW, int(Status.NON_POSITIVE))),
        ((-(2**127), -1, 5), Quote(0, 0, 0, NOW, int(Status.NON_POSITIVE))),
        ((0, 0, 4, 4), Quote(0, 0, 0, NOW, int(Status.NON_POSITIVE))),
        ((1, 1, 4, 4), Quote(W, 5 * W // 2, 4 * W, NOW, 0)),
        ((1, 2**127 - 1, 2**127 - 1), Quote(0, 0, 0, NOW, int(Status.OUT_OF_BOUNDS))),
        ((1, 1, PRICE_LIMIT // W + 1, PRICE_LIMIT), Quote(0, 0, 0, NOW, int(Status.OUT_OF_BOUNDS))),
        ((-1, -1, 2**127 - 1, 2**127 - 1), Quote(0, 0, 0, NOW, int(Status.NON_POSITIVE))),
    ],
)
def test_a_median_outside_the_range_of_a_price_is_none(answers: tuple[int, ...], expected: Quote) -> None:
    """MED-5: a side that is not positive or too large leaves no price, and the status says which."""
    median = fill(median_of(len(answers), 3, decimals=0), NOW, *((answer, 0) for answer in answers))
    assert get_median_quote(median, NOW) == expected


@pytest.mark.parametrize(("answer", "fits"), [(PRICE_LIMIT - 1, True), (PRICE_LIMIT, False)])
def test_a_price_is_below_its_limit(answer: int, fits: bool) -> None:
    """MED-5: 2^96 is too large."""
    quote = get_median_quote(fill(median_of(1, 1, decimals=18), NOW, (answer, 0)), NOW)
    assert quote == (Quote(answer, answer, answer, NOW, 0) if fits else Quote(0, 0, 0, NOW, int(Status.OUT_OF_BOUNDS)))


@given(
    st.sampled_from(range(1, 14, 2)),
    st.lists(st.tuples(st.integers(-(2**127), 2**127 - 1), st.integers(0, 2 * HOUR)), min_size=13, max_size=13),
    st.integers(0, 18),
)
def test_sides_are_in_order_and_published_within_the_skew_of_all(
    quorum: int, reports: list[tuple[int, int]], decimals: int
) -> None:
    """MED-5: bid <= mid <= ask, all or none, and every report used is within the skew of the time given."""
    median = fill(median_of(13, quorum, skew=600, decimals=decimals), NOW, *reports)
    quote = get_median_quote(median, NOW)
    assert quote.bid <= quote.mid <= quote.ask
    assert (quote.status == 0) is (quote.bid > 0) is (quote.ask > 0)
    used, reference = get_used_slots(median, NOW)
    assert quote.publish_time == reference
    assert all(abs(slot.observed_at - reference) <= 600 for slot in used)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 90), st.integers(0, 200)), max_size=40))
def test_the_time_published_never_goes_back(steps: list[tuple[int, int, int]]) -> None:
    """MED-5: not even when a late reporter comes into the window from below."""
    median, now, last = median_of(5, 3, max_age=300, skew=60, ahead=30), NOW, 0
    for reporter, waited, age in steps:
        now += waited
        median = submit(median, now, reporter, USD, now + 30 - age)
        quote = get_median_quote(median, now)
        if quote.status == 0:
            assert quote.publish_time >= last
            last = quote.publish_time


# --- MED-6: rounds --------------------------------------------------------------------------------------------------


def test_the_latest_round_is_the_median_now() -> None:
    """MED-6: numbered by the reports accepted so far; an answer below 0 is given as it is, rounded down."""
    median = fill(median_of(4, 3), NOW, (100, 9), (103, 5), (90, 7), (120, 8))
    assert get_latest_round(median) == 4
    assert get_median_round(median, NOW, 4) == RoundData(4, 101, NOW - 7, NOW - 7, 4)
    unchanged = submit(median, NOW, 0, 1, NOW - 9)
    assert get_latest_round(unchanged) == 4
    changed = submit(submit(median, NOW, 0, -3, NOW), NOW, 1, -4, NOW)
    assert get_median_round(submit(changed, NOW, 2, -5, NOW), NOW, 7).answer == -4
    assert get_median_round(submit(changed, NOW, 3, -9, NOW), NOW, 7).answer == -4  # of -4 and -3


def test_no_other_round_is_known() -> None:
    """MED-6: a median keeps no history, and without a quorum the latest is refused too."""
    median = fill(median_of(3, 3), NOW, (100, 0), (100, 0))
    for number, code in ((1, "oracle/unknown-round"), (2, "oracle/no-median"), (3, "oracle/unknown-round")):
        assert outcome(get_median_round, median, NOW, number) == code
    assert outcome(get_median_round, median_of(3, 3), NOW, 0) == "oracle/no-median"


def test_refusals_have_codes_of_their_own() -> None:
    """MED-1, MED-2, MED-6: three, in the area of the oracle."""
    from oracle.errors import BadMedianConfig, NoMedian, NotReporter

    codes = {cls.code for cls in (BadMedianConfig, NoMedian, NotReporter)}
    assert codes == {"oracle/median-config", "oracle/no-median", "oracle/not-reporter"}
    assert issubclass(NoMedian, Refusal)
