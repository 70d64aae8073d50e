"""The recorder follows the rule of specs/tapes/README.md to the second and the last decimal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.errors import InputError
from crossmargin.recorder import (
    Bar,
    BarFile,
    FeedSource,
    RecordRequest,
    format_instant,
    get_path,
    load_bars,
    load_feed,
    parse_duration,
    parse_feed_option,
    parse_instant,
    parse_percent,
    record,
    record_tape,
    write_tape,
)
from crossmargin.tape import TapeRound, read_tape

ONE = 10**8
LENGTH = 300
START = 1_584_046_800
COLUMNS = "timestamp_utc,open,high,low,close,volume\n"


def flat(start: int, price: int, length: int = LENGTH) -> Bar:
    """A bar in which nothing happens."""
    return Bar(start, length, price, price, price, price)


def flat_bars(*prices: int) -> list[Bar]:
    return [flat(at * LENGTH, price) for at, price in enumerate(prices)]


def record_one(bars: Sequence[Bar], decimals: int = 8) -> list[tuple[int, int]]:
    """Times and answers of a single feed under the rule's usual numbers, over all bars."""
    rounds = record({"BTC": bars}, bars[0].start, bars[-1].start + bars[-1].length, decimals=decimals)
    return [(entry.time, entry.answer) for entry in rounds]


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def rows(*bars: tuple[object, ...]) -> str:
    return COLUMNS + "".join(",".join(map(str, bar)) + "\n" for bar in bars)


def calm(start: int, count: int, length: int = LENGTH, price: int = 100) -> str:
    return rows(*((start + at * length, price, price, price, price, 1) for at in range(count)))


# The path of a bar


def test_a_bar_that_closes_up_visits_its_low_first() -> None:
    assert Bar(0, 300, 10, 14, 9, 12).points() == ((0, 10), (75, 9), (150, 14), (225, 12))


def test_a_bar_that_closes_down_visits_its_high_first() -> None:
    assert Bar(0, 300, 12, 14, 9, 10).points() == ((0, 12), (75, 14), (150, 9), (225, 10))


def test_a_bar_that_closes_level_counts_as_closing_up() -> None:
    assert Bar(0, 300, 10, 14, 9, 10).points() == ((0, 10), (75, 9), (150, 14), (225, 10))


def test_quarters_of_an_odd_length_are_floored_to_seconds() -> None:
    assert [time for time, _ in flat(0, 1, 10).points()] == [0, 2, 5, 7]


def test_the_window_holds_its_start_and_not_its_end() -> None:
    path = list(get_path([flat(0, 1), flat(300, 2)], 75, 375, 8))
    assert [time for time, _ in path] == [75, 150, 225, 300]


def test_a_bar_ends_where_the_next_begins() -> None:
    path = list(get_path([flat(0, 1, 1800), flat(900, 2)], 0, 3_600, 8))
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
        record({"BTC": flat_bars(ONE)}, 10_000, 20_000)


def test_rounds_of_several_feeds_are_ordered_by_time_then_name() -> None:
    bars = {"ETH": flat_bars(ONE, 2 * ONE), "BTC": flat_bars(ONE, 2 * ONE)}
    rounds = record(bars, 0, 600)
    places = [(entry.time, entry.feed) for entry in rounds]
    assert places == sorted(places)
    assert len(set(places)) == len(places)
    assert rounds == record(dict(reversed(bars.items())), 0, 600)


# Properties of the rule on any path that a walk can follow: within 75 s, 3 % steps reach 8 times the price.

moves = st.one_of(st.integers(9_800, 10_200), st.integers(5_000, 40_000))


@st.composite
def bar_series(draw: st.DrawFn) -> list[Bar]:
    scale = draw(st.integers(10**6, 10**13)) // 10_000
    series = []
    for at in range(draw(st.integers(1, 30))):
        prices = [scale * draw(moves) for _ in range(4)]
        low, first, last, high = sorted(prices)
        if draw(st.booleans()):
            first, last = last, first
        series.append(Bar(START + at * LENGTH, LENGTH, first, high, low, last))
    return series


CASES = settings(derandomize=True, deadline=None, max_examples=100)
decimals_used = st.sampled_from((4, 8))


def record_series(series: list[Bar], decimals: int) -> list[TapeRound]:
    return record({"BTC": series}, START, START + len(series) * LENGTH, decimals=decimals)


@given(series=bar_series(), decimals=decimals_used)
@CASES
def test_no_round_lies_more_than_the_largest_step_from_the_one_before(series: list[Bar], decimals: int) -> None:
    for before, after in pairwise(record_series(series, decimals)):
        assert abs(after.answer - before.answer) * 100 <= 3 * before.answer


@given(series=bar_series(), decimals=decimals_used)
@CASES
def test_times_of_a_feed_rise_strictly_and_no_silence_outlasts_heartbeat_and_spacing(
    series: list[Bar], decimals: int
) -> None:
    rounds = record_series(series, decimals)
    assert rounds[0].time == START
    for before, after in pairwise(rounds):
        assert 0 < after.time - before.time < 3_600 + LENGTH // 4
    assert series[-1].points()[-1][0] - rounds[-1].time < 3_600


@given(series=bar_series(), decimals=decimals_used)
@CASES
def test_after_every_point_the_last_round_is_nearer_than_the_deviation(series: list[Bar], decimals: int) -> None:
    rounds = record_series(series, decimals)
    for time, price in get_path(series, START, START + len(series) * LENGTH, decimals):
        last = [entry.answer for entry in rounds if entry.time <= time][-1]
        assert abs(price - last) * 100 < last


@given(series=bar_series(), decimals=decimals_used)
@CASES
def test_every_round_is_whole_at_its_decimals_and_between_the_extremes(series: list[Bar], decimals: int) -> None:
    unit = 10 ** (8 - decimals)
    low = min(bar.low for bar in series) // unit * unit
    high = max(bar.high for bar in series)
    for entry in record_series(series, decimals):
        assert entry.answer % unit == 0
        assert low <= entry.answer <= high


# Bar files


def test_bars_are_read_exactly_with_or_without_volume(tmp_path: Path) -> None:
    with_volume = write(tmp_path / "a.csv", rows((0, "8.1", "9", "7.12345678", "8", "1.5"), (300, 8, 8, 8, 8, 0)))
    expected = (Bar(0, 300, 810_000_000, 9 * ONE, 712_345_678, 8 * ONE), flat(300, 8 * ONE))
    assert load_bars(with_volume) == expected
    plain = "timestamp_utc,open,high,low,close\n0,8.1,9,7.12345678,8\n300,8,8,8,8\n"
    assert load_bars(write(tmp_path / "b.csv", plain)) == expected


def test_decimals_after_the_eighth_are_dropped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", rows((0, "0.30000000999999", 1, "0.1", 1, 0), (300, 1, 1, 1, 1, 0)))
    assert load_bars(path)[0].open == 30_000_000


def test_a_missing_bar_leaves_the_length_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", rows(*((time, 1, 1, 1, 1, 0) for time in (0, 900, 1200))))
    assert [(bar.start, bar.length) for bar in load_bars(path)] == [(0, 300), (900, 300), (1200, 300)]


GOOD_ROW = "300,2,2,2,2,0\n"
BAD_BARS = {
    "an empty file": ("", 1, 1, "columns"),
    "no line naming the columns": (GOOD_ROW, 1, 1, "columns"),
    "columns of another name": (COLUMNS.replace("open", "first") + GOOD_ROW, 1, 1, "columns"),
    "one bar only": (COLUMNS + GOOD_ROW, 3, 1, "length is unknown"),
    "a cell too few": (COLUMNS + GOOD_ROW + "600,2,2,2,2\n", 3, 12, "this one 5"),
    "a cell too many": (COLUMNS + GOOD_ROW + "600,2,2,2,2,0,0\n", 3, 15, "this one 7"),
    "an empty line": (COLUMNS + GOOD_ROW + "\n" + GOOD_ROW, 3, 1, "this one 0"),
    "an open quote": (COLUMNS + GOOD_ROW + '600,"2,2,2,2,0\n', 3, 1, "comma-separated"),
    "a bad time": (COLUMNS + GOOD_ROW + "2020-03-12,2,2,2,2,0\n", 3, 1, "time"),
    "a time in milliseconds": (COLUMNS + GOOD_ROW + "1583971200000,2,2,2,2,0\n", 3, 1, "time"),
    "a bad open": (COLUMNS + GOOD_ROW + "600,x,2,2,2,0\n", 3, 5, "not a plain decimal"),
    "a bad close behind a quoted cell": (COLUMNS + GOOD_ROW + '600,"2",2,2,2e0,0\n', 3, 13, "exponent"),
    "a low of zero": (COLUMNS + GOOD_ROW + "600,2,2,0,2,0\n", 3, 9, "zero"),
    "a high of 10^80": (COLUMNS + GOOD_ROW + f"600,2,1{'0' * 80},2,2,0\n", 3, 7, "too large"),
    "a high below the low": (COLUMNS + GOOD_ROW + "600,2,1,2,2,0\n", 3, 7, "high lies below"),
    "a low above the close": (COLUMNS + GOOD_ROW + "600,3,3,2,1,0\n", 3, 9, "low lies above"),
    "a time that repeats": (COLUMNS + GOOD_ROW * 2, 3, 1, "comes after"),
    "a time that goes back": (COLUMNS + GOOD_ROW + "0,2,2,2,2,0\n", 3, 1, "comes after"),
    "a bar off the grid": (rows(*((time, 1, 1, 1, 1, 0) for time in (0, 300, 750))), 4, 1, "whole number of bars"),
}


@pytest.mark.parametrize(("text", "line", "column", "part"), BAD_BARS.values(), ids=BAD_BARS.keys())
def test_a_bad_bar_is_refused_at_its_cell(tmp_path: Path, text: str, line: int, column: int, part: str) -> None:
    with pytest.raises(InputError, match=part) as caught:
        load_bars(write(tmp_path / "bars.csv", text))
    assert (caught.value.line, caught.value.column) == (line, column)
    assert caught.value.remedy


def test_bars_too_short_for_four_points_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="too short"):
        load_bars(write(tmp_path / "bars.csv", calm(0, 5, length=3)))


def test_a_missing_bar_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_bars(tmp_path / "absent.csv")


# Several files of one feed


def test_a_later_file_takes_over_at_its_first_bar_from_the_switch_on(tmp_path: Path) -> None:
    fine = BarFile(write(tmp_path / "fine.csv", calm(0, 12)))
    coarse = BarFile(write(tmp_path / "coarse.csv", calm(0, 4, length=1_800)), switch=1_000)
    bars = load_feed(FeedSource("BTC", (fine, coarse)))
    assert [bar.start for bar in bars] == [0, 300, 600, 900, 1_200, 1_500, 1_800, 3_600, 5_400]
    assert [bar.length for bar in bars] == [300] * 6 + [1_800] * 3


def test_without_a_switch_a_later_file_takes_over_where_the_one_before_ends(tmp_path: Path) -> None:
    fine = BarFile(write(tmp_path / "fine.csv", calm(0, 6)))
    coarse = BarFile(write(tmp_path / "coarse.csv", calm(0, 4, length=1_800)))
    bars = load_feed(FeedSource("BTC", (fine, coarse)))
    assert [bar.start for bar in bars] == [0, 300, 600, 900, 1_200, 1_500, 1_800, 3_600, 5_400]


def test_a_later_file_without_a_bar_from_the_switch_on_is_refused(tmp_path: Path) -> None:
    fine = BarFile(write(tmp_path / "fine.csv", calm(0, 12)))
    late = BarFile(fine.path, switch=3_600)
    with pytest.raises(InputError, match="no bar at or after 1970-01-01T01:00:00Z"):
        load_feed(FeedSource("BTC", (fine, late)))


# The whole tape


@pytest.fixture
def request_of_two(tmp_path: Path) -> RecordRequest:
    btc = write(tmp_path / "btc.csv", rows((START, 100, 110, 95, 96, 1), (START + 300, 96, 96, 80, 90, 1)))
    later = write(tmp_path / "later.csv", calm(START, 4, length=1_200, price=91))
    eth = write(tmp_path / "eth.csv", calm(START, 12))
    switched = FeedSource("BTC", (BarFile(btc), BarFile(later, START + 600)))
    feeds = (switched, FeedSource("ETH", (BarFile(eth),)))
    return RecordRequest("Two feeds", "Nowhere", START, START + 3_600, feeds, instruments="BTC/USD, ETH/USD")


def test_a_recorded_tape_reads_back_as_the_rounds_recorded(request_of_two: RecordRequest, tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    write_tape(record_tape(request_of_two), path)
    tape = read_tape(path)
    bars = {source.feed: load_feed(source) for source in request_of_two.feeds}
    assert list(tape.rounds) == record(bars, START, START + 3_600)
    assert tape.header["title"] == "Two feeds"
    assert tape.header["instruments"] == "BTC/USD, ETH/USD"
    assert tape.header["window"] == "2020-03-12T21:00:00Z to 2020-03-12T22:00:00Z, end excluded"
    assert tape.header["rule"].startswith(
        "a round at 1 % from the last round or 3600 s after it; moves above 3 % walked in steps of 3 %"
    )


def test_the_header_tells_bar_lengths_and_gaps_and_no_path(request_of_two: RecordRequest, tmp_path: Path) -> None:
    text = record_tape(request_of_two)
    assert "# bars: BTC 5m, 20m from 2020-03-12T21:20:00Z (600 s missing); ETH 5m\n" in text
    assert str(tmp_path) not in text


def test_the_same_request_gives_the_same_text(request_of_two: RecordRequest) -> None:
    assert record_tape(request_of_two) == record_tape(request_of_two)


def test_the_feeds_order_changes_no_row(request_of_two: RecordRequest) -> None:
    swapped = replace(request_of_two, feeds=request_of_two.feeds[::-1])
    body = record_tape(request_of_two).partition("time,feed,price\n")[2]
    assert body
    assert record_tape(swapped).partition("time,feed,price\n")[2] == body


BAD_REQUESTS: dict[str, tuple[dict[str, object], str]] = {
    "no title": ({"title": ""}, "--title"),
    "a title of two lines": ({"title": "a\nb"}, "--title"),
    "a venue with an escape": ({"venue": "a\x1b[2J"}, "--venue"),
    "a window that ends where it starts": ({"end": START}, "--end"),
    "no feed": ({"feeds": ()}, "--feed"),
    "a feed without a file": ({"feeds": (FeedSource("BTC", ()),)}, "--feed"),
    "nine decimals": ({"decimals": 9}, "--decimals"),
    "a deviation of nothing": ({"deviation_bps": 0}, "--deviation"),
    "no heartbeat": ({"heartbeat": 0}, "--heartbeat"),
    "a step above the whole": ({"max_step_bps": 10_001}, "--max-step"),
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


# Writing


def test_a_tape_written_replaces_the_old_one_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "tape.csv", "an old and much longer tape")
    write_tape("new\n", path)
    assert path.read_bytes() == b"new\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_tape_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "tape.csv", "old\n")

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(InputError, match="No space left"):
        write_tape("new\n", path)
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write to any folder")
def test_a_folder_that_allows_no_writing_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written"):
        write_tape("new\n", tmp_path / "tape.csv")


def test_a_folder_that_refuses_new_files_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(InputError, match="cannot be written: Permission denied"):
        write_tape("new\n", tmp_path / "tape.csv")


def test_a_missing_folder_and_a_folder_as_target_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder does not exist"):
        write_tape("new\n", tmp_path / "absent" / "tape.csv")
    with pytest.raises(InputError, match="is a folder"):
        write_tape("new\n", tmp_path)


# Options


def test_a_feed_option_names_its_files_and_switch() -> None:
    source = parse_feed_option("BTC=a.csv,b.csv@2020-03-12T21:00:00Z")
    assert source == FeedSource("BTC", (BarFile(Path("a.csv")), BarFile(Path("b.csv"), START)))


def test_an_at_sign_in_a_folder_is_no_switch() -> None:
    assert parse_feed_option("BTC=data@v2/a.csv").files == (BarFile(Path("data@v2/a.csv")),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "BTC",
        "BTC=",
        "=a.csv",
        "B C=a.csv",
        "BTC=a.csv,",
        "BTC=a.csv,b.csv@",
        "BTC=a.csv,@2020-03-12T21:00:00Z",
        "BTC=a.csv@2020-03-12T21:00:00Z",
        "BTC=a.csv,b.csv@yesterday",
        "BTC=a.csv,b.csv@2020-03-12T21:00:00",
        "BTC=a\0.csv",
    ],
)
def test_a_malformed_feed_option_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_feed_option(text)
    assert caught.value.file == "--feed"
    assert caught.value.remedy


def test_an_instant_is_read_in_its_zone_and_printed_in_utc() -> None:
    assert parse_instant("2020-03-12T21:00:00Z", "--start") == START
    assert parse_instant("2020-03-12T22:00:00+01:00", "--start") == START
    assert parse_instant("1970-01-02", "--start") == 86_400
    assert format_instant(START) == "2020-03-12T21:00:00Z"


@pytest.mark.parametrize(
    "text", ["", "now", "2020-13-01", "2020-03-12T21:00:00", "2020-03-12T21:00:00.5Z", "1969-12-31", "1" * 10**5]
)
def test_an_instant_that_is_no_whole_second_of_a_zone_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_instant(text, "--start")
    assert caught.value.file == "--start"


@pytest.mark.parametrize(("text", "bps"), [("1%", 100), ("0.5%", 50), ("0.01%", 1), ("3.25%", 325), ("100%", 10_000)])
def test_a_percentage_becomes_basis_points(text: str, bps: int) -> None:
    assert parse_percent(text, "--deviation") == bps


@pytest.mark.parametrize("text", ["", "1", "%", "0%", "-1%", "1 %", "0.001%", "100.01%", "1e2%", "\u0661%"])
def test_a_percentage_out_of_range_or_form_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_percent(text, "--deviation")


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("1h", 3_600), ("2d", 172_800)])
def test_a_duration_becomes_seconds(text: str, seconds: int) -> None:
    assert parse_duration(text, "--heartbeat") == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "0h", "-1h", "1.5h", "1H", "1h30m", "9999999s"])
def test_a_duration_out_of_form_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_duration(text, "--heartbeat")
