"""The recorder follows the rule of specs/tapes/README.md to the second and the last decimal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.bars import Bar, BarFile, FeedSource, load_feed
from crossmargin.errors import InputError
from crossmargin.recorder import RecordRequest, Rule, get_path, record, record_tape
from crossmargin.tape import TapeRound, load_tape, write_tape
from tests.crossmargin.bar_files import LENGTH, calm, flat, rows, write

ONE = 10**8
START = 1_584_046_800


def flat_bars(*prices: int) -> list[Bar]:
    return [flat(at * LENGTH, price) for at, price in enumerate(prices)]


def record_one(bars: Sequence[Bar], decimals: int = 8) -> list[tuple[int, int]]:
    """Times and answers of a single feed under the rule's usual numbers, over all bars."""
    rounds = record({"BTC": bars}, bars[0].start, bars[-1].start + bars[-1].length, Rule(decimals=decimals))
    return [(entry.time, entry.answer) for entry in rounds]


# The path


def test_the_window_holds_its_start_and_not_its_end() -> None:
    path = list(get_path([flat(0, 1), flat(300, 2)], 75, 375, 1))
    assert [time for time, _ in path] == [75, 150, 225, 300]


def test_a_bar_ends_where_the_next_begins() -> None:
    path = list(get_path([flat(0, 1, 1800), flat(900, 2)], 0, 3_600, 1))
    assert [time for time, _ in path] == [0, 450, 900, 975, 1050, 1125]


# Rounds


def test_the_first_point_is_a_round() -> None:
    assert record_one(flat_bars(ONE)) == [(0, ONE)]


def test_a_move_of_exactly_the_deviation_is_a_round() -> None:
    assert record_one(flat_bars(100 * ONE, 101 * ONE)) == [(0, 100 * ONE), (300, 101 * ONE)]
    assert record_one(flat_bars(100 * ONE, 99 * ONE)) == [(0, 100 * ONE), (300, 99 * ONE)]


def test_a_move_one_unit_below_the_deviation_is_none() -> None:
    assert record_one(flat_bars(100 * ONE, 101 * ONE - 1, 99 * ONE + 1)) == [(0, 100 * ONE)]


def test_the_deviation_is_measured_from_the_last_round_not_the_last_point() -> None:
    path = flat_bars(1_000 * ONE, 1_006 * ONE, 1_012 * ONE)
    assert record_one(path) == [(0, 1_000 * ONE), (600, 1_012 * ONE)]


def test_an_hour_without_a_round_is_ended_by_the_next_point() -> None:
    assert record_one([flat(at * 300, 7) for at in range(25)]) == [(0, 7), (3_600, 7), (7_200, 7)]
    # With points 70 s apart, none lies at 3,600 s: the heartbeat waits for the one at 3,640 s.
    assert record_one([flat(at * 280, 7, 280) for at in range(15)]) == [(0, 7), (3_640, 7)]


def test_any_round_restarts_the_heartbeat() -> None:
    path = flat_bars(100 * ONE, *[102 * ONE] * 13)
    assert record_one(path) == [(0, 100 * ONE), (300, 102 * ONE), (3_900, 102 * ONE)]


def test_a_move_of_exactly_the_largest_step_is_one_round() -> None:
    assert record_one(flat_bars(100 * ONE, 103 * ONE)) == [(0, 100 * ONE), (300, 103 * ONE)]
    assert record_one(flat_bars(100 * ONE, 97 * ONE)) == [(0, 100 * ONE), (300, 97 * ONE)]


def test_a_larger_move_is_walked_in_shares_of_the_round_before_each_step() -> None:
    path = flat_bars(100 * ONE, 110 * ONE)
    walk = [10_300_000_000, 10_609_000_000, 10_927_270_000, 11_000_000_000]
    assert record_one(path) == [(0, 100 * ONE), *zip((243, 262, 281, 300), walk, strict=True)]


def test_a_walk_down_is_floored_to_the_decimals() -> None:
    path = flat_bars(100 * ONE, 90 * ONE)
    assert [answer for _, answer in record_one(path, decimals=2)][1:] == [
        97 * ONE,
        9_409_000_000,
        9_127_000_000,
        90 * ONE,
    ]


def test_path_prices_are_floored_to_the_decimals() -> None:
    assert record_one(flat_bars(123_456_789), decimals=2) == [(0, 123_000_000)]


def test_a_price_that_vanishes_at_the_decimals_is_refused() -> None:
    with pytest.raises(InputError, match="zero at 2 decimals"):
        record_one(flat_bars(ONE // 1_000), decimals=2)


def test_a_walk_of_as_many_steps_as_seconds_is_the_longest() -> None:
    short = [Bar(0, 4, 100 * ONE, 104 * ONE, 100 * ONE, 104 * ONE)]
    with pytest.raises(InputError, match="needs more steps than the 1 s"):
        record_one(short)
    longer = [Bar(0, 8, 100 * ONE, 104 * ONE, 100 * ONE, 104 * ONE)]
    assert [time for time, _ in record_one(longer)] == [0, 3, 4]


def test_a_price_too_small_for_a_step_is_refused_rather_than_walked_forever() -> None:
    with pytest.raises(InputError, match="needs more steps"):
        record_one(flat_bars(1, 2))


def test_a_feed_without_bars_in_the_window_is_refused() -> None:
    with pytest.raises(InputError, match="none lies in the window"):
        record({"BTC": flat_bars(ONE)}, 10_000, 20_000, Rule())


def test_rounds_of_several_feeds_are_ordered_by_time_then_name() -> None:
    bars = {"ETH": flat_bars(ONE, 2 * ONE), "BTC": flat_bars(ONE, 2 * ONE)}
    rounds = record(bars, 0, 600, Rule())
    places = [(entry.time, entry.feed) for entry in rounds]
    assert places == sorted(places)
    assert len(set(places)) == len(places)
    assert rounds == record(dict(reversed(bars.items())), 0, 600, Rule())


# Properties of the rule on any path that a walk can follow: within 75 s, 3 % steps reach 8 times the price. Prices are
# above half a dollar, or steps floored to four decimals would be so much smaller that 75 are not enough.

moves = st.one_of(st.integers(9_800, 10_200), st.integers(5_000, 40_000))


@st.composite
def bar_series(draw: st.DrawFn) -> list[Bar]:
    scale = draw(st.integers(10**8, 10**13)) // 10_000
    series = []
    for at in range(draw(st.integers(1, 30))):
        prices = [scale * draw(moves) for _ in range(4)]
        low, first, last, high = sorted(prices)
        if draw(st.booleans()):
            first, last = last, first
        series.append(Bar(START + at * LENGTH, LENGTH, first, high, low, last))
    return series


decimals_used = st.sampled_from((4, 8))


def record_series(series: list[Bar], decimals: int) -> list[TapeRound]:
    return record({"BTC": series}, START, START + len(series) * LENGTH, Rule(decimals=decimals))


@given(series=bar_series(), decimals=decimals_used)
def test_the_rounds_of_any_path_follow_the_rule(series: list[Bar], decimals: int) -> None:
    rounds = record_series(series, decimals)
    check_steps(rounds)
    check_times(rounds, series)
    check_deviation(rounds, series, decimals)
    check_answers(rounds, series, decimals)


def check_steps(rounds: list[TapeRound]) -> None:
    """No round lies more than the largest step from the one before."""
    for before, after in pairwise(rounds):
        assert abs(after.answer - before.answer) * 100 <= 3 * before.answer


def check_times(rounds: list[TapeRound], series: list[Bar]) -> None:
    """Times of a feed rise strictly, and no silence outlasts heartbeat and spacing."""
    assert rounds[0].time == START
    for before, after in pairwise(rounds):
        assert 0 < after.time - before.time < 3_600 + LENGTH // 4
    assert series[-1].points()[-1][0] - rounds[-1].time < 3_600


def check_deviation(rounds: list[TapeRound], series: list[Bar], decimals: int) -> None:
    """After every point the last round is nearer than the deviation."""
    for time, price in get_path(series, START, START + len(series) * LENGTH, 10 ** (8 - decimals)):
        last = [entry.answer for entry in rounds if entry.time <= time][-1]
        assert abs(price - last) * 100 < last


def check_answers(rounds: list[TapeRound], series: list[Bar], decimals: int) -> None:
    """Every round is whole at its decimals and between the extremes."""
    unit = 10 ** (8 - decimals)
    low = min(bar.low for bar in series) // unit * unit
    high = max(bar.high for bar in series)
    for entry in rounds:
        assert entry.answer % unit == 0
        assert low <= entry.answer <= high


# The whole tape


@pytest.fixture
def request_of_two(tmp_path: Path) -> RecordRequest:
    btc = write(tmp_path / "btc.csv", rows((START, 100, 110, 95, 96, 1), (START + 300, 96, 96, 80, 90, 1)))
    later = write(tmp_path / "later.csv", calm(START, 4, length=1_200, price=91))
    eth = write(tmp_path / "eth.csv", calm(START, 12))
    switched = FeedSource("BTC", (BarFile(btc), BarFile(later, START + 600)))
    feeds = (switched, FeedSource("ETH", (BarFile(eth),)))
    return RecordRequest("Two feeds", "Nowhere", START, START + 3_600, feeds, instruments="BTC/USD, ETH/USD")


def test_a_recorded_tape_has_the_rounds_of_its_bars_and_says_how_it_was_made(request_of_two: RecordRequest) -> None:
    tape = record_tape(request_of_two, "two")
    bars = {source.feed: load_feed(source) for source in request_of_two.feeds}
    assert list(tape.rounds) == record(bars, START, START + 3_600, Rule())
    assert (tape.name, tape.decimals) == ("two", 8)
    assert tape.header == {
        "title": "Two feeds",
        "venue": "Nowhere",
        "instruments": "BTC/USD, ETH/USD",
        "bars": "BTC 5m, 20m from 2020-03-12T21:20:00Z (600 s missing); ETH 5m",
        "window": "2020-03-12T21:00:00Z to 2020-03-12T22:00:00Z, end excluded",
        "rule": (
            "a round at 1 % from the last round or 3600 s after it; moves above 3 % walked in steps of 3 % of the last "
            "round; a bar's path is open, low, high, close when it closes up or level, open, high, low, close when it "
            "closes down, a quarter of the bar apart"
        ),
        "decimals": "8",
    }


def test_a_recorded_tape_reads_back_as_the_same(request_of_two: RecordRequest, tmp_path: Path) -> None:
    tape = record_tape(request_of_two, "two")
    write_tape(tape, tmp_path / "two.csv")
    assert load_tape(tmp_path / "two.csv") == tape


def test_the_feeds_order_changes_no_round(request_of_two: RecordRequest) -> None:
    swapped = replace(request_of_two, feeds=request_of_two.feeds[::-1])
    assert record_tape(swapped).rounds == record_tape(request_of_two).rounds


BAD_REQUESTS: dict[str, tuple[dict[str, object], str]] = {
    "no title": ({"title": ""}, "--title"),
    "a title of two lines": ({"title": "a\nb"}, "--title"),
    "a venue with an escape": ({"venue": "a\x1b[2J"}, "--venue"),
    "a window that ends where it starts": ({"end": START}, "--end"),
    "no feed": ({"feeds": ()}, "--feed"),
    "nine decimals": ({"rule": Rule(decimals=9)}, "--decimals"),
    "a deviation of nothing": ({"rule": Rule(deviation=0)}, "--deviation"),
    "no heartbeat": ({"rule": Rule(heartbeat=0)}, "--heartbeat"),
    "a step above the whole": ({"rule": Rule(max_step=10_001)}, "--max-step"),
}


@pytest.mark.parametrize(("change", "option"), BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_a_bad_request_is_refused_by_the_option_at_fault(
    request_of_two: RecordRequest, change: dict[str, object], option: str
) -> None:
    with pytest.raises(InputError) as caught:
        record_tape(replace(request_of_two, **change))  # type: ignore[arg-type]
    assert caught.value.file == option


def test_a_feed_given_twice_is_refused(request_of_two: RecordRequest) -> None:
    with pytest.raises(InputError, match="each once"):
        record_tape(replace(request_of_two, feeds=request_of_two.feeds[:1] * 2))


def test_bars_that_do_not_cover_the_window_are_refused(request_of_two: RecordRequest) -> None:
    with pytest.raises(InputError, match="bars of BTC run from"):
        record_tape(replace(request_of_two, start=START - 1))
    with pytest.raises(InputError, match="bars of ETH run from"):
        record_tape(replace(request_of_two, end=START + 3_601))
