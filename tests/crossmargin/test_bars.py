"""Bar files are read exactly, refused at the cell at fault, and spliced where one takes over from another."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossmargin.bars import Bar, BarFile, FeedSource, load_bars, load_feed, read_feed_source
from crossmargin.errors import InputError
from crossmargin.quantities import BadText
from tests.crossmargin.bar_files import COLUMNS, calm, flat, rows, write

ONE = 10**8
START = 1_584_046_800


# The path of a bar


def test_a_bar_that_closes_up_visits_its_low_first() -> None:
    assert Bar(0, 300, 10, 14, 9, 12).points() == ((0, 10), (75, 9), (150, 14), (225, 12))


def test_a_bar_that_closes_down_visits_its_high_first() -> None:
    assert Bar(0, 300, 12, 14, 9, 10).points() == ((0, 12), (75, 14), (150, 9), (225, 10))


def test_a_bar_that_closes_level_counts_as_closing_up() -> None:
    assert Bar(0, 300, 10, 14, 9, 10).points() == ((0, 10), (75, 9), (150, 14), (225, 10))


def test_quarters_of_an_odd_length_are_floored_to_seconds() -> None:
    assert [time for time, _ in flat(0, 1, 10).points()] == [0, 2, 5, 7]


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
    "a time in milliseconds": (COLUMNS + GOOD_ROW + "1583971200000,2,2,2,2,0\n", 3, 1, "year 9999"),
    "a bad open": (COLUMNS + GOOD_ROW + "600,x,2,2,2,0\n", 3, 5, "is not a number"),
    "a bad close behind a quoted cell": (COLUMNS + GOOD_ROW + '600,"2",2,2,2e0,0\n', 3, 13, "exponent"),
    "a low of zero": (COLUMNS + GOOD_ROW + "600,2,2,0,2,0\n", 3, 9, "zero"),
    "a high of 10^80": (COLUMNS + GOOD_ROW + f"600,2,1{'0' * 80},2,2,0\n", 3, 7, "larger than the protocol"),
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


# The option that names them


def test_a_feed_option_names_its_files_and_switch() -> None:
    source = read_feed_source("BTC=a.csv,b.csv@2020-03-12T21:00:00Z")
    assert source == FeedSource("BTC", (BarFile(Path("a.csv")), BarFile(Path("b.csv"), START)))


def test_an_at_sign_in_a_folder_is_no_switch() -> None:
    assert read_feed_source("BTC=data@v2/a.csv").files == (BarFile(Path("data@v2/a.csv")),)


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
    with pytest.raises(BadText) as caught:
        read_feed_source(text)
    assert caught.value.remedy
