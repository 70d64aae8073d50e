"""The tape reader takes exactly the format of specs/tapes/README.md and names the place of everything else."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.errors import InputError
from crossmargin.quantities import BadText
from crossmargin.tape import (
    ANSWER_DECIMALS,
    LARGEST_TAPE,
    Tape,
    TapeRound,
    load_tape,
    read_price,
    render_tape,
    write_price,
    write_tape,
)
from crossmargin.text import decimal
from protocol.units import PRICE_LIMIT

TAPES = Path(__file__).parents[2] / "specs" / "tapes"
REMARKS = ("title: A test", "venue: V", "instruments: A, B", "window: an hour", "rule: by hand", "decimals: 8")
HEADER = "".join(f"# {remark}\n" for remark in REMARKS) + "time,feed,price\n"
FIRST_ROW = len(REMARKS) + 2
LARGEST_ANSWER = (PRICE_LIMIT - 1) // 10**10


def write(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "sample.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refuse(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        load_tape(path)
    assert caught.value.remedy
    assert "\n" not in caught.value.message
    assert len(str(caught.value)) < 1_000
    return caught.value


def test_a_tape_gives_its_header_and_its_rounds_exactly(tmp_path: Path) -> None:
    tape = load_tape(write(tmp_path, HEADER + "10,BTC,3782.13\n10,ETH,86.00\n3610,BTC,0.00000001\n"))
    assert tape.name == "sample"
    assert tape.header["title"] == "A test"
    assert tape.decimals == 8
    assert tape.feeds == ("BTC", "ETH")
    assert tape.rounds == (
        TapeRound(10, "BTC", "3782.13", 378_213_000_000),
        TapeRound(10, "ETH", "86.00", 8_600_000_000),
        TapeRound(3610, "BTC", "0.00000001", 1),
    )


def test_rounds_of_one_second_become_one_push(tmp_path: Path) -> None:
    tape = load_tape(write(tmp_path, HEADER + "10,BTC,2\n10,ETH,1\n11,ETH,3\n"))
    assert list(tape.pushes()) == [(10, {"BTC": 2 * 10**8, "ETH": 10**8}), (11, {"ETH": 3 * 10**8})]


def test_a_tape_and_its_rounds_cannot_be_changed(tmp_path: Path) -> None:
    tape = load_tape(write(tmp_path, HEADER + "10,BTC,2\n"))
    with pytest.raises(AttributeError):
        tape.rounds[0].answer = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        tape.header["title"] = "other"  # type: ignore[index]


PLAIN = HEADER + "10,BTC,2\n"


@pytest.mark.parametrize("form", ["\ufeff" + PLAIN, PLAIN + "\n\n", PLAIN.rstrip(), PLAIN.replace("\n", "\r\n")])
def test_byte_order_mark_line_ends_and_empty_lines_at_the_end_change_nothing(tmp_path: Path, form: str) -> None:
    expected = load_tape(write(tmp_path, PLAIN))
    assert load_tape(write(tmp_path, form)) == expected


def test_answers_have_eight_decimals_whatever_the_tape_says(tmp_path: Path) -> None:
    tape = load_tape(write(tmp_path, HEADER.replace("decimals: 8", "decimals: 2") + "10,BTC,2.50\n"))
    assert (tape.decimals, tape.rounds[0].answer) == (2, 250_000_000)


BAD_ROWS = {
    "time with a fraction": ("10.5,BTC,1", 1, "is not a unix time"),
    "time of a million digits": ("9" * 10**6 + ",BTC,1", 1, "is not a unix time"),
    "time after the year 9999": ("999999999999,BTC,1", 1, "after the year 9999"),
    "no feed": ("10,,1", 4, "not a feed's name"),
    "feed with a space": ("10, BTC,1", 4, "not a feed's name"),
    "feed of 33 letters": (f"10,{'B' * 33},1", 4, "not a feed's name"),
    "no price": ("10,BTC,", 8, "is not a number"),
    "price with a plus sign": ("10,BTC,+1", 8, "has a sign"),
    "price in quotes": ('10,BTC,"1"', 8, "is not a number"),
    "price with a terminal's escape": ("10,BTC,\x1b[2J1", 8, "is not a number"),
    "negative price": ("10,BTC,-1", 8, "has a sign"),
    "zero price": ("10,BTC,0.00", 8, "is zero"),
    "exponent": ("10,BTC,1e3", 8, "exponent notation"),
    "nine decimals": ("10,BTC,0.123456789", 8, "has 9 decimals"),
    "price at the limit": ("10,BTC,79228162514.26433760", 8, "larger than the protocol"),
    "price of a million digits": ("10,BTC," + "9" * 10**6, 8, "has 1000000 characters"),
    "too few cells": ("10,BTC", 7, "this one 2"),
    "too many cells": ("10,BTC,1,2", 10, "this one 4"),
    "too many cells, far out": ("10,BTC," + "1" * 10**6 + ",2", 10**6 + 9, "this one 4"),
    "empty line among the rows": ("\n10,BTC,1", 1, "this one 1"),
    "comment among the rows": ("# title: late", 1, "comment"),
}


@pytest.mark.parametrize(("row", "column", "part"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_bad_row_is_refused_at_its_cell(tmp_path: Path, row: str, column: int, part: str) -> None:
    fault = refuse(write(tmp_path, f"{HEADER}9,BTC,1\n{row}\n"))
    assert (fault.line, fault.column) == (FIRST_ROW + 1, column)
    assert part in fault.message
    assert "\x1b" not in str(fault)


BAD_ORDERS = {
    "time going backwards": ("10,BTC,1\n9,BTC,1", 1, "comes after 10"),
    "feed twice in a second": ("10,BTC,1\n10,BTC,2", 4, "two rounds at 10"),
    "feeds of a second out of order": ("10,ETH,1\n10,BTC,2", 4, "comes after ETH"),
}


@pytest.mark.parametrize(("rows", "column", "part"), BAD_ORDERS.values(), ids=BAD_ORDERS.keys())
def test_rows_out_of_order_are_refused_at_the_second_of_the_two(
    tmp_path: Path, rows: str, column: int, part: str
) -> None:
    fault = refuse(write(tmp_path, f"{HEADER}{rows}\n"))
    assert (fault.line, fault.column) == (FIRST_ROW + 1, column)
    assert part in fault.message


BAD_HEADERS = {
    "nothing": ("", 1, 1, "columns is missing"),
    "only comments": ("# title: A test\n", 2, 1, "columns is missing"),
    "no line naming the columns": (HEADER.replace("time,feed,price\n", "") + "10,BTC,1\n", 7, 1, "columns is missing"),
    "a column of another name": (HEADER.replace("feed,price", "feed,answer"), 7, 11, "columns are not"),
    "a column too few": (HEADER.replace(",price", ""), 7, 10, "columns are not"),
    "a column too many": (HEADER.replace("price\n", "price,note\n"), 7, 17, "columns are not"),
    "columns in another order": (HEADER.replace("time,feed", "feed,time"), 7, 1, "columns are not"),
    "a comment without a key": (f"# just a remark\n{HEADER}", 1, 1, "key: value"),
    "a key given twice": (f"# title: Other\n{HEADER}", 2, 3, "title twice"),
    "no title": (HEADER.replace("# title: A test\n", ""), 6, 1, "does not give the title"),
    "an empty title": (HEADER.replace("title: A test", "title: "), 7, 1, "does not give the title"),
    "no decimals": (HEADER.replace("# decimals: 8\n", ""), 6, 1, "does not give the decimals"),
    "decimals that are no number": (HEADER.replace("decimals: 8", "decimals: many"), 6, 13, "decimals `many`"),
    "nine decimals": (HEADER.replace("decimals: 8", "decimals: 9"), 6, 13, "decimals `9`"),
    "no rows": (HEADER, 8, 1, "no rounds"),
}


@pytest.mark.parametrize(("text", "line", "column", "part"), BAD_HEADERS.values(), ids=BAD_HEADERS.keys())
def test_a_bad_header_is_refused_at_its_place(tmp_path: Path, text: str, line: int, column: int, part: str) -> None:
    fault = refuse(write(tmp_path, text))
    assert (fault.line, fault.column) == (line, column)
    assert part in fault.message


def test_the_caret_stands_under_the_offending_cell(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "10,BTC,-5\n")
    place, source, caret, remedy = str(refuse(path)).splitlines()
    assert place == f"{path}:8:8: `-5` has a sign"
    assert source[caret.index("^")] == "-"
    assert remedy == "  prices are positive: write the digits alone"


def test_a_tape_with_fewer_decimals_refuses_more(tmp_path: Path) -> None:
    fault = refuse(write(tmp_path, HEADER.replace("decimals: 8", "decimals: 2") + "10,BTC,1.234\n"))
    assert (fault.line, fault.column, fault.message) == (8, 8, "`1.234` has 3 decimals, at most 2 are kept here")


def test_a_file_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(LARGEST_TAPE + 1)
    with pytest.raises(InputError, match="larger than"):
        load_tape(path)


@given(answer=st.integers(1, LARGEST_ANSWER), decimals=st.integers(0, 8))
def test_a_printed_price_reads_back_as_the_same_number(answer: int, decimals: int) -> None:
    unit = 10 ** (8 - decimals)
    answer = max(unit, answer // unit * unit)
    assert read_price(write_price(answer, decimals), decimals) == answer


def test_the_largest_price_is_the_last_below_the_limit() -> None:
    assert read_price(write_price(LARGEST_ANSWER, 8), 8) == LARGEST_ANSWER
    with pytest.raises(BadText):
        read_price(write_price(LARGEST_ANSWER + 1, 8), 8)


@given(text=st.text(alphabet="0123456789.,-+eE _xn\u0661\n", max_size=40))
def test_any_text_is_a_price_in_range_or_a_clean_refusal(text: str) -> None:
    try:
        answer = read_price(text, 8)
    except BadText:
        return
    assert 0 < answer <= LARGEST_ANSWER
    assert answer == Fraction(text) * 10**ANSWER_DECIMALS


TAPE = Tape("sample", dict(remark.split(": ") for remark in REMARKS), 8, (TapeRound(10, "BTC", "2", 2 * 10**8),))


def test_a_tape_is_written_as_it_is_read(tmp_path: Path) -> None:
    assert render_tape(TAPE) == PLAIN
    assert load_tape(write(tmp_path, PLAIN)) == TAPE


def test_every_wrong_row_is_told(tmp_path: Path) -> None:
    rows = "10,BTC,1\n10,BTC,2\n12,BTC\n9,BTC,1\n13,B TC,1\n14,BTC,1,000\n15,BTC,1\n"
    error = refuse(write(tmp_path, HEADER + rows))
    assert [one.line - FIRST_ROW for one in (error, *error.others)] == [1, 2, 3, 4, 5]


def test_a_name_as_long_as_names_can_be_is_a_tape(tmp_path: Path) -> None:
    tape = load_tape(write(tmp_path, HEADER + "10,BTC,1\n"))
    path = tmp_path / ("t" * 251 + ".csv")
    write_tape(tape, path)
    assert load_tape(path).rounds == tape.rounds


def test_a_tape_written_replaces_the_old_one_whole(tmp_path: Path) -> None:
    path = write(tmp_path, "an old and much longer tape" * 10)
    write_tape(TAPE, path)
    assert path.read_text() == PLAIN
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_tape_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "old\n")

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(InputError, match="No space left"):
        write_tape(TAPE, path)
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_refuses_new_files_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(InputError, match="cannot be written: Permission denied"):
        write_tape(TAPE, tmp_path / "tape.csv")


def test_a_missing_folder_and_a_folder_as_target_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder does not exist"):
        write_tape(TAPE, tmp_path / "absent" / "tape.csv")
    with pytest.raises(InputError, match="is a folder"):
        write_tape(TAPE, tmp_path)


def test_a_pipe_or_device_as_target_is_refused_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="a device or a pipe"):
        write_tape(TAPE, pipe)
    assert pipe.is_fifo()


def rounds_of(tape: Tape, feed: str) -> list[TapeRound]:
    return [entry for entry in tape.rounds if entry.feed == feed]


# The longest time between two path points: BTC of Black Thursday comes from 30-minute bars after the switch.
SPACING = {("black_thursday", "BTC"): 450, ("luna_may_2022", "ETH"): 900}
LOWEST = {  # rounds of BTC and ETH, and their lowest prices, as the page has them
    "black_thursday": (401, 793, "3,782.13", "86.00"),
    "quiet_day": (24, 24, "27,880.26", "1,850.94"),
    "luna_may_2022": (210, 126, "26,750.00", "1,800.00"),
    "steth_june_2022": (166, 302, "20,987.90", "1,073.00"),
    "tariff_2025_02": (70, 155, "91,231.00", "2,125.01"),
    "october_2025": (79, 131, "102,000.00", "3,435.00"),
    "quiet_april_2023": (73, 74, "27,816.76", "1,824.01"),
}


def test_the_page_lists_every_tape_with_its_rounds_and_lowest_prices() -> None:
    rows = re.findall(r"^\| `(\w+)[.]csv` \|[^|]*\| (.+) \|$", (TAPES / "README.md").read_text("utf-8"), re.MULTILINE)
    assert {name: cells.split(" | ") for name, cells in rows} == {
        name: list(map(str, figures)) for name, figures in LOWEST.items()
    }
    assert sorted(LOWEST) == sorted(path.stem for path in TAPES.glob("*.csv"))
    for name, (btc, eth, low_btc, low_eth) in LOWEST.items():
        tape = load_tape(TAPES / f"{name}.csv")
        found = [rounds_of(tape, feed) for feed in ("BTC", "ETH")]
        assert [len(rounds) for rounds in found] == [btc, eth]
        lows = [decimal(min(entry.answer for entry in rounds), 8, grouped=True) for rounds in found]
        assert lows == [low_btc, low_eth]


@pytest.mark.parametrize("name", LOWEST)
def test_a_committed_tape_follows_its_rule(name: str) -> None:
    tape = load_tape(TAPES / f"{name}.csv")
    assert tape.feeds == ("BTC", "ETH")
    for feed in tape.feeds:
        for before, after in pairwise(rounds_of(tape, feed)):
            assert abs(after.answer - before.answer) * 100 <= 3 * before.answer
            assert 0 < after.time - before.time < 3_600 + SPACING.get((name, feed), 75)


def test_black_thursday_has_the_lows_of_that_night() -> None:
    tape = load_tape(TAPES / "black_thursday.csv")
    start, end = 1_583_971_200, 1_584_144_000
    assert [len(rounds_of(tape, feed)) for feed in ("BTC", "ETH")] == [401, 793]
    assert min(rounds_of(tape, "BTC"), key=lambda entry: entry.answer).price == "3782.13"
    assert min(rounds_of(tape, "ETH"), key=lambda entry: entry.answer).price == "86.00"
    assert tape.rounds[0].time == start
    assert tape.rounds[-1].time < end


def test_the_quiet_day_moves_by_the_clock_alone() -> None:
    tape = load_tape(TAPES / "quiet_day.csv")
    start = 1_680_912_000
    hours = [start + 3_600 * hour for hour in range(24)]
    assert [time for time, _ in tape.pushes()] == hours
    assert [entry.time for entry in rounds_of(tape, "BTC")] == hours
