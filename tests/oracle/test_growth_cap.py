"""The ceiling of a rate, its snapshot, and what is said of the rate."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.growth_cap import (
    GrowthCap,
    GrowthCapConfig,
    SetSnapshot,
    Snapshot,
    SnapshotSet,
    compute_cap,
    create_growth_cap,
    get_capped_quote,
    get_ratio,
    is_capped,
    process_advance,
    process_set_snapshot,
)
from protocol.env import NO_QUOTE, Quote, Status
from protocol.errors import Refusal
from protocol.units import BPS, DAY, PRICE_LIMIT, YEAR, W

NOW = 1_600_000_000
ADMIN, STRANGER = 1, 2
CONFIG = GrowthCapConfig(growth=1_000, min_delay=DAY, max_term=30 * DAY, tolerance=100, max_drop=500, interval=2 * DAY)


def live(rate: int, status: int = 0, publish_time: int = NOW) -> Quote:
    """A rate without a spread."""
    return Quote(rate, rate, rate, publish_time, status)


def cap_of(ratio: int = W, age: int = DAY, config: GrowthCapConfig = CONFIG) -> GrowthCap:
    """A bound whose snapshot is of ``age`` before ``NOW``."""
    return GrowthCap(ADMIN, config, Snapshot(ratio, NOW - age))


def refusal_of(cap: GrowthCap, ratio: int, time: int, rate: Quote, sender: int = ADMIN) -> str:
    """The code with which a snapshot is refused; empty if it is not."""
    try:
        changed, events = process_set_snapshot(cap, NOW, sender, SetSnapshot(ratio, time), rate)
    except Refusal as refusal:
        return refusal.code
    assert changed == replace(cap, snapshot=Snapshot(ratio, time))
    assert events == (SnapshotSet(ratio, time),)
    return ""


# --- the cap: CAP-1 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "growth", "seconds", "cap"),
    [
        (W, 1_000, 0, W),
        (W, 1_000, YEAR, W + W // 10),
        (W, 1_000, YEAR // 2, W + W // 20),
        (W, 10_000, 2 * YEAR, 3 * W),
        (1, 10_000, YEAR - 1, 1),
        (1, 10_000, YEAR, 2),
        (12 * W, 968, 7 * DAY, 12 * W + 12 * W * 968 * 7 // 3_650_000),
    ],
)
def test_the_cap_grows_in_a_straight_line(ratio: int, growth: int, seconds: int, cap: int) -> None:
    """CAP-1: from the snapshot's ratio at its time, rounded down."""
    assert compute_cap(Snapshot(ratio, NOW), growth, NOW + seconds) == cap


# --- setting the snapshot: CAP-2 ------------------------------------------------------------------------------------


def test_only_the_admin_sets_a_snapshot() -> None:
    """CAP-2: role/not-admin, before anything else."""
    cap = cap_of(age=5 * DAY)
    assert refusal_of(cap, 0, 0, NO_QUOTE, STRANGER) == "role/not-admin"
    assert refusal_of(cap, W, NOW - 2 * DAY, live(W)) == ""


@pytest.mark.parametrize(
    ("age", "code"),
    [
        (30 * DAY + 1, "oracle/cap-time"),
        (30 * DAY, ""),
        (DAY, ""),
        (DAY - 1, "oracle/cap-time"),
        (0, "oracle/cap-time"),
        (-1, "oracle/cap-time"),
    ],
)
def test_a_snapshot_is_neither_too_new_nor_too_old(age: int, code: str) -> None:
    """CAP-2: both limits are inclusive."""
    assert refusal_of(cap_of(age=60 * DAY), W, NOW - age, live(W)) == code


@pytest.mark.parametrize(
    ("age", "code"), [(5 * DAY + 1, "oracle/cap-time"), (5 * DAY, "oracle/cap-time"), (5 * DAY - 1, "")]
)
def test_a_snapshot_is_later_than_the_one_before(age: int, code: str) -> None:
    """CAP-2: the same time is not later."""
    assert refusal_of(cap_of(age=5 * DAY), W, NOW - age, live(W)) == code


@pytest.mark.parametrize(
    ("ratio", "code"),
    [
        (W + W // 100, ""),
        (W + W // 100 + 1, "oracle/cap-ratio"),
        (W - W // 100 - 1, "oracle/cap-ratio"),
        (0, "sys/domain"),
        (PRICE_LIMIT, "sys/domain"),
        (2**256 - 1, "sys/domain"),
        (PRICE_LIMIT - 1, "oracle/cap-ratio"),
    ],
)
def test_a_snapshots_ratio_is_near_the_live_rate(ratio: int, code: str) -> None:
    """CAP-2: within the tolerance of the live rate, at -1, 0 and +1; and a number that can be stored."""
    assert refusal_of(cap_of(age=60 * DAY), ratio, NOW - 2 * DAY, live(W)) == code


def test_a_snapshot_may_be_below_the_live_rate_by_what_has_grown_since() -> None:
    """CAP-2: the cap that follows reaches the live rate, to the wei; 10 % a year is 0.82 % in 30 days."""
    cap, time = cap_of(age=60 * DAY), NOW - 30 * DAY
    lowest = W * BPS * YEAR // (BPS * YEAR + 1_000 * 30 * DAY)
    while compute_cap(Snapshot(lowest, time), 1_000, NOW) < W:
        lowest += 1
    assert refusal_of(cap, lowest, time, live(W)) == ""
    assert refusal_of(cap, lowest - 1, time, live(W)) == "oracle/cap-below-live"
    assert refusal_of(cap, W - W // 100, time, live(W)) == "oracle/cap-below-live"


@pytest.mark.parametrize(
    "rate",
    [
        NO_QUOTE,
        live(0),
        live(W, Status.STALE_SOFT),
        live(W, Status.CAPPED),
        live(W, Status.HALTED),
        live(PRICE_LIMIT),
        Quote(W, W, PRICE_LIMIT, NOW, 0),
    ],
)
def test_a_snapshot_needs_a_live_rate_without_faults(rate: Quote) -> None:
    """CAP-2, CAP-3: to set it, and to advance it."""
    assert refusal_of(cap_of(age=60 * DAY), W, NOW - 2 * DAY, rate) == "oracle/cap-source"
    assert process_advance(cap_of(age=60 * DAY), NOW, rate) == (cap_of(age=60 * DAY), ())


@given(st.integers(1, PRICE_LIMIT - 1), st.integers(-300, 300), st.integers(DAY, 30 * DAY))
def test_a_snapshot_that_is_accepted_caps_nothing(rate: int, bps: int, age: int) -> None:
    """CAP-2: at the moment it is set, whatever it is."""
    ratio = max(1, min(PRICE_LIMIT - 1, rate + rate * bps // BPS))
    cap = cap_of(age=60 * DAY)
    if refusal_of(cap, ratio, NOW - age, live(rate)):
        return
    changed = replace(cap, snapshot=Snapshot(ratio, NOW - age))
    assert get_capped_quote(changed, NOW, live(rate)).mid == rate
    assert not is_capped(changed, NOW, live(rate))


# --- advancing by itself: CAP-3 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "advances"), [(2 * DAY - 1, False), (2 * DAY, True), (20 * DAY, True)])
def test_a_snapshot_advances_after_its_interval(age: int, advances: bool) -> None:
    """CAP-3: ratio and time together, or neither."""
    cap = cap_of(age=age)
    changed, events = process_advance(cap, NOW, live(W + 5))
    assert changed == (replace(cap, snapshot=Snapshot(W + 5, NOW)) if advances else cap)
    assert events == ((SnapshotSet(W + 5, NOW),) if advances else ())


def test_a_snapshot_without_an_interval_does_not_advance() -> None:
    """CAP-3."""
    cap = cap_of(age=100 * DAY, config=replace(CONFIG, interval=0))
    assert process_advance(cap, NOW, live(W + 5)) == (cap, ())


@pytest.mark.parametrize(
    ("rate", "ratio"), [(W - 1, None), (W, W), (W + 1, W + 1), (2 * W, W + W * 2 * DAY // (10 * YEAR))]
)
def test_a_snapshot_advances_to_the_capped_rate_and_never_falls(rate: int, ratio: int | None) -> None:
    """CAP-3: above the cap to the cap, below the snapshot not at all."""
    changed, _ = process_advance(cap_of(age=2 * DAY), NOW, live(rate))
    assert changed.snapshot == (Snapshot(W, NOW - 2 * DAY) if ratio is None else Snapshot(ratio, NOW))


@given(st.lists(st.tuples(st.integers(0, 5 * DAY), st.integers(W // 2, 3 * W)), min_size=1, max_size=40))
def test_advancing_grows_no_faster_than_the_bound_compounded(steps: list[tuple[int, int]]) -> None:
    """CAP-3, CAP-4: whatever the rate does, what is quoted grows by at most 10 % a year, compounded every two days."""
    cap, now, highest = cap_of(), NOW, W * (BPS * YEAR + 1_000 * DAY) // (BPS * YEAR)
    for wait, rate in steps:
        now += wait
        highest += highest * 1_000 * wait // (BPS * YEAR) + 1
        cap, _ = process_advance(cap, now, live(rate))
        assert get_capped_quote(cap, now, live(rate)).mid <= highest
        assert compute_cap(cap.snapshot, 1_000, now) <= highest


def test_whoever_advances_leaves_the_admin_time() -> None:
    """CAP-3, CAP-5: an interval is at least two delays, so after each advance a snapshot can be set for one delay."""
    advanced, _ = process_advance(cap_of(age=2 * DAY), NOW, live(W))
    assert advanced.snapshot == Snapshot(W, NOW)
    before_next = NOW + CONFIG.interval - 1
    assert process_advance(advanced, before_next, live(W)) == (advanced, ())
    for now in (NOW + CONFIG.min_delay + 1, before_next):
        time = now - CONFIG.min_delay
        changed, _ = process_set_snapshot(advanced, now, ADMIN, SetSnapshot(W, time), live(W))
        assert changed.snapshot == Snapshot(W, time)


# --- what is said of the rate: CAP-4 --------------------------------------------------------------------------------


def test_the_quote_is_bounded_on_all_sides() -> None:
    """CAP-4: a spread that straddles the cap is cut at it; publish time passes through."""
    cap, top = cap_of(age=0), W
    assert get_capped_quote(cap, NOW, Quote(top - 2, top - 1, top, 5, 0)) == Quote(top - 2, top - 1, top, 5, 0)
    assert get_capped_quote(cap, NOW, Quote(top - 1, top, top + 1, 5, 0)) == Quote(top - 1, top, top, 5, 0)
    assert get_capped_quote(cap, NOW, Quote(top + 1, top + 2, top + 3, 5, 0)) == Quote(top, top, top, 5, 0)


@pytest.mark.parametrize(("over", "capped"), [(0, False), (1, True)])
def test_a_cap_below_the_rate_by_more_than_the_tolerance_is_marked(over: int, capped: bool) -> None:
    """CAP-4: 99 of 100 is the border; a smaller difference is cut without a mark, but is_capped says it."""
    cap, rate = cap_of(ratio=99 * W, age=0), live(100 * W + over)
    assert get_capped_quote(cap, NOW, rate).status == (Status.CAPPED if capped else Status.OK)
    assert get_capped_quote(cap, NOW, rate).mid == 99 * W
    assert is_capped(cap, NOW, rate)
    assert not is_capped(cap, NOW, live(99 * W))
    assert is_capped(cap, NOW, live(99 * W + 1))
    assert get_capped_quote(cap, NOW, live(99 * W + 1)).status == Status.OK


@pytest.mark.parametrize(("rate", "halted"), [(95 * W, False), (95 * W - 1, True), (1, True)])
def test_a_rate_that_has_fallen_too_far_is_halted(rate: int, halted: bool) -> None:
    """CAP-4: more than 5 % below the snapshot; the rate is still said."""
    quote = get_capped_quote(cap_of(ratio=100 * W), NOW, live(rate))
    assert quote == live(rate, Status.HALTED if halted else 0)


@pytest.mark.parametrize("status", [2, 4, 128, 2048, 6, 2**200])
def test_faults_of_the_source_pass_through(status: int) -> None:
    """CAP-4: beside those that are found here."""
    cap = cap_of(ratio=100 * W, age=0)
    assert get_capped_quote(cap, NOW, live(100 * W, status)) == live(100 * W, status)
    assert get_capped_quote(cap, NOW, live(200 * W, status)) == live(100 * W, status | Status.CAPPED)
    assert get_capped_quote(cap, NOW, live(50 * W, status)) == live(50 * W, status | Status.HALTED)


def test_a_rate_that_is_not_there_is_none() -> None:
    """CAP-4: 0 is not positive, 2^96 on any side is out of bounds; neither is capped or halted."""
    cap = cap_of()
    assert get_capped_quote(cap, NOW, NO_QUOTE) == Quote(0, 0, 0, 0, Status.UNAVAILABLE | Status.NON_POSITIVE)
    assert get_capped_quote(cap, NOW, live(0)) == live(0, Status.NON_POSITIVE)
    for sides in ((PRICE_LIMIT, W, W), (W, PRICE_LIMIT, W), (W, W, PRICE_LIMIT), (0, 0, 2**256 - 1)):
        assert get_capped_quote(cap, NOW, Quote(*sides, 5, 4)) == Quote(0, 0, 0, 5, 4 | Status.OUT_OF_BOUNDS)
        assert get_ratio(Quote(*sides, 5, 4)) == 0
        assert not is_capped(cap, NOW, Quote(*sides, 5, 4))
    assert get_capped_quote(cap, NOW, live(PRICE_LIMIT - 1)).mid == compute_cap(cap.snapshot, 1_000, NOW)
    assert get_ratio(live(PRICE_LIMIT - 1, 4)) == PRICE_LIMIT - 1


# --- configuration: CAP-5 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "lowest", "highest"),
    [
        ("growth", 1, 10_000),
        ("min_delay", 3_600, DAY),
        ("max_term", 2 * DAY, 180 * DAY),
        ("tolerance", 1, 500),
        ("max_drop", 1, 5_000),
        ("interval", 2 * DAY, 30 * DAY),
    ],
)
def test_each_parameter_has_its_range(field: str, lowest: int, highest: int) -> None:
    """CAP-5: oracle/cap-config outside, both ends inside; an interval fits at least two delays, and the term."""
    for value in (lowest, highest):
        create_growth_cap(ADMIN, replace(CONFIG, **{field: value}), Snapshot(W, NOW - DAY), NOW, live(W))
    for value in (lowest - 1, highest + 1):
        with pytest.raises(Refusal) as refused:
            create_growth_cap(ADMIN, replace(CONFIG, **{field: value}), Snapshot(W, NOW - DAY), NOW, live(W))
        assert refused.value.code == "oracle/cap-config"


def test_delay_term_and_interval_fit_together() -> None:
    """CAP-5: without an interval the delay is only below the term, and an interval of 0 is none."""
    without = replace(CONFIG, interval=0)
    create_growth_cap(ADMIN, without, Snapshot(W, NOW - DAY), NOW, live(W))
    create_growth_cap(ADMIN, replace(without, max_term=DAY + 1), Snapshot(W, NOW - DAY), NOW, live(W))
    for changed in (replace(without, max_term=DAY), replace(without, interval=1)):
        with pytest.raises(Refusal) as refused:
            create_growth_cap(ADMIN, changed, Snapshot(W, NOW - DAY), NOW, live(W))
        assert refused.value.code == "oracle/cap-config"


def test_the_first_snapshot_meets_the_checks_of_every_other() -> None:
    """CAP-5, CAP-2: all but that it is later than one before."""
    for ratio, age, rate, code in (
        (0, DAY, live(W), "sys/domain"),
        (W, DAY, NO_QUOTE, "oracle/cap-source"),
        (W, DAY - 1, live(W), "oracle/cap-time"),
        (W, 30 * DAY + 1, live(W), "oracle/cap-time"),
        (2 * W, DAY, live(W), "oracle/cap-ratio"),
        (W - W // 1_000, DAY, live(W), "oracle/cap-below-live"),
    ):
        with pytest.raises(Refusal) as refused:
            create_growth_cap(ADMIN, CONFIG, Snapshot(ratio, NOW - age), NOW, rate)
        assert refused.value.code == code
    cap, events = create_growth_cap(ADMIN, CONFIG, Snapshot(W, NOW - DAY), NOW, live(W))
    assert cap == cap_of()
    assert events == (SnapshotSet(W, NOW - DAY),)
