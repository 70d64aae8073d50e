"""Oracle price tapes: what a feed's poster would have pushed, round by round (format: specs/tapes/README.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import MappingProxyType

from crossmargin.errors import InputError
from crossmargin.text import decimal
from protocol.units import PRICE_LIMIT, W

ANSWER_DECIMALS = 8  # as AggregatorV3 feeds of dollar prices have
ANSWER_SCALE: int = 10**ANSWER_DECIMALS
COLUMNS = ("time", "feed", "price")
REQUIRED_KEYS = ("title", "venue", "instruments", "window", "rule", "decimals")
LARGEST_TAPE = 20 * 10**6  # bytes, some 700,000 rounds: more than a replay can use
LATEST_TIME = 253_402_300_799  # the last second of the year 9999; a larger number is milliseconds
FEED_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")

_COMMENT = re.compile(r"#[ \t]*([a-z][a-z0-9_]*):[ \t]*(.*?)[ \t]*")
_TIME = re.compile(r"0|[1-9][0-9]{0,11}")
_PRICE = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]+))?")
_EXPONENT = re.compile(r"[+-]?[0-9.]+[eE][+-]?[0-9]*")
_WHOLE_DIGITS = 11  # PRICE_LIMIT / W is 79,228,162,514 and a fraction: longer numbers never reach int()
_SHOWN = 200  # characters of a source line worth printing


class BadNumber(ValueError):
    """A cell that is not the number it should be, and what to write instead."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One line of a comma-separated file, able to say where in it something is wrong. Numbers count from 1."""

    file: Path
    number: int
    text: str

    def column_of(self, cell: int) -> int:
        """Column where the cell (counted from 0) starts; one past the end if the line has fewer cells."""
        quoted = False
        for column, character in enumerate(self.text, 1):
            if cell == 0:
                return column
            if character == '"':
                quoted = not quoted
            elif character == "," and not quoted:
                cell -= 1
        return len(self.text) + 1

    def fault(self, column: int, message: str, remedy: str) -> InputError:
        """The error for this place. The source is clipped, and control characters cannot reach a terminal."""
        source = "" if column > _SHOWN else self.text[:_SHOWN]
        clean = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in source)
        return InputError(self.file, message, line=self.number, column=column, source=clean, remedy=remedy)


@dataclass(frozen=True, slots=True)
class TapeRound:
    """One observation of one feed; ``price`` as written, ``answer`` the same number at scale 10^8, exactly."""

    time: int  # unix seconds, UTC
    feed: str
    price: str  # dollars
    answer: int  # dollars, scale 10^8


@dataclass(frozen=True, slots=True)
class Tape:
    """All rounds of a tape in order of time, then feed name, and its header's remarks."""

    name: str
    header: Mapping[str, str]
    decimals: int  # most decimals a price of this tape has; answers have scale 10^8 whatever this says
    rounds: tuple[TapeRound, ...]

    @property
    def feeds(self) -> tuple[str, ...]:
        """Names of the feeds that have a round, sorted."""
        return tuple(sorted({entry.feed for entry in self.rounds}))

    def pushes(self) -> Iterator[tuple[int, dict[str, int]]]:
        """The rounds of each second together, as one push: its time, and the answer of each feed it names."""
        for time, group in groupby(self.rounds, key=lambda entry: entry.time):
            yield time, {entry.feed: entry.answer for entry in group}


def clipped(text: str) -> str:
    """The text in quotes, shortened so that a message stays one line."""
    return repr(text if len(text) <= 32 else text[:29] + "...")


def parse_time(text: str) -> int:
    """Unix seconds from plain digits. Refuses signs, fractions, leading zeros and anything after the year 9999."""
    if not text.isascii() or not _TIME.fullmatch(text):
        whole = text.isascii() and text.isdigit()
        remedy = "is it in milliseconds?" if whole and len(text) > 12 else "write whole unix seconds, digits only"
        raise BadNumber(f"time {clipped(text)} is not a whole number of seconds in range", remedy)
    time = int(text)
    if time > LATEST_TIME:
        raise BadNumber(f"time {text} lies after the year 9999", "is it in milliseconds?")
    return time


def parse_price(text: str, decimals: int, *, floor: bool = False) -> int:
    """A positive price at scale 10^8, read digit by digit.

    Refuses signs, exponents, spaces, leading zeros, more than ``decimals`` (at most 8) decimals unless ``floor``
    drops the rest, zero, and what the protocol cannot store (2^96 at scale 10^18).
    """
    match = _PRICE.fullmatch(text)
    if match is None:
        raise BadNumber(*_why_no_price(text))
    whole, fraction = match[1], match[2] or ""
    if len(fraction) > decimals and not floor:
        raise BadNumber(f"price {clipped(text)} has {len(fraction)} decimals", f"write at most {decimals} decimals")
    limit = f"prices stay below {PRICE_LIMIT // W} (2^96 at scale 10^18)"
    if len(whole) > _WHOLE_DIGITS:
        raise BadNumber(f"price {clipped(text)} is too large", limit)
    kept = fraction[:decimals]
    answer = int(whole) * ANSWER_SCALE + int((kept + "0" * ANSWER_DECIMALS)[:ANSWER_DECIMALS])
    if answer == 0:
        raise BadNumber(f"price {clipped(text)} is zero", "prices are positive")
    if answer * (W // ANSWER_SCALE) >= PRICE_LIMIT:
        raise BadNumber(f"price {clipped(text)} is too large", limit)
    return answer


def _why_no_price(text: str) -> tuple[str, str]:
    if text.startswith("-"):
        return f"price {clipped(text)} is negative", "prices are positive"
    if _EXPONENT.fullmatch(text):
        return f"price {clipped(text)} is in exponent notation", "write all digits, such as 0.00001"
    return f"price {clipped(text)} is not a plain decimal number", "write digits with one point, such as 3782.13"


def format_price(answer: int, decimals: int) -> str:
    """The decimal text of a price at scale 10^8: at least two decimals (if ``decimals`` allows), no zeros after."""
    return decimal(answer, ANSWER_DECIMALS, min(2, decimals))


def read_lines(path: Path, largest: int) -> list[SourceLine]:
    """The lines of a UTF-8 text file, without their ends. Empty lines at the end do not count.

    Refuses a missing or unreadable file, a folder or device, a file of more than ``largest`` bytes (before it is
    read), and bytes that are not UTF-8.
    """
    try:
        if path.is_dir():
            raise InputError(path, "is a folder, not a file", remedy="name a CSV file")
        size = path.stat().st_size
        if not path.is_file():
            raise InputError(path, "is not a regular file", remedy="name a CSV file")
        if size > largest:
            raise InputError(path, f"is {size} bytes, more than the {largest} allowed", remedy="cut it to a window")
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(path, "does not exist", remedy="check the path and the spelling") from None
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        raise InputError(path, f"cannot be read: {reason}", remedy="check the path and its permissions") from None
    try:
        text = data.decode("utf-8-sig")  # spreadsheets put a byte order mark first
    except UnicodeDecodeError:
        raise _not_utf8(path, data) from None
    # Not str.splitlines: it also breaks at form feeds and Unicode separators, where no editor counts a line.
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return [SourceLine(path, number, line) for number, line in enumerate(lines, 1)]


def _not_utf8(path: Path, data: bytes) -> InputError:
    for number, raw in enumerate(data.split(b"\n"), 1):
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError as problem:
            before = raw[: problem.start].decode("utf-8").removeprefix("\ufeff")
            line = SourceLine(path, number, before + raw[problem.start :].decode("utf-8", "replace").rstrip("\r"))
            return line.fault(len(before) + 1, "is not UTF-8 text", "save the file as UTF-8")
    raise AssertionError("data that decodes line by line decodes as a whole")


def read_tape(path: Path) -> Tape:
    """Read and check a tape file. Anything that is not exactly the format is an ``InputError`` with its place."""
    lines = read_lines(path, LARGEST_TAPE)
    header: dict[str, str] = {}
    decimals = ANSWER_DECIMALS
    at = 0
    while at < len(lines) and lines[at].text.startswith("#"):
        key, value = _read_comment(lines[at], header)
        header[key] = value
        if key == "decimals":
            decimals = _read_decimals(lines[at], value)
        at += 1
    columns = lines[at] if at < len(lines) else SourceLine(path, len(lines) + 1, "")
    _check_columns(columns)
    for key in REQUIRED_KEYS:
        if not header.get(key):
            raise columns.fault(1, f"the header does not give the {key}", f"add a line `# {key}: ...` before this one")
    rounds: list[TapeRound] = []
    for line in lines[at + 1 :]:
        entry = _read_round(line, decimals)
        if rounds:
            _check_order(line, rounds[-1], entry)
        rounds.append(entry)
    if not rounds:
        raise SourceLine(path, columns.number + 1, "").fault(1, "the tape has no rounds", "add at least one row")
    return Tape(path.stem, MappingProxyType(header), decimals, tuple(rounds))


def _read_comment(line: SourceLine, header: Mapping[str, str]) -> tuple[str, str]:
    match = _COMMENT.fullmatch(line.text)
    if match is None:
        raise line.fault(1, "this comment is not of the form `# key: value`", "write a lower-case key and a colon")
    if match[1] in header:
        raise line.fault(match.start(1) + 1, f"the header gives {match[1]} twice", "keep one of the two lines")
    return match[1], match[2]


def _read_decimals(line: SourceLine, value: str) -> int:
    if not re.fullmatch(f"[0-{ANSWER_DECIMALS}]", value):
        column = len(line.text.rstrip()) - len(value) + 1
        raise line.fault(column, f"decimals {clipped(value)} is not a digit from 0 to 8", "write `# decimals: 8`")
    return int(value)


def _check_columns(line: SourceLine) -> None:
    wanted = ",".join(COLUMNS)
    remedy = f"put the line `{wanted}` between the comments and the rows"
    if not line.text or line.text[0].isdigit():
        raise line.fault(1, "the line naming the columns is missing", remedy)
    cells = line.text.split(",")
    for cell, name in enumerate(COLUMNS):
        if cell >= len(cells) or cells[cell] != name:
            raise line.fault(line.column_of(cell), f"the columns are not {wanted}", remedy)
    if len(cells) > len(COLUMNS):
        raise line.fault(line.column_of(len(COLUMNS)), f"the columns are not {wanted}", remedy)


def _read_round(line: SourceLine, decimals: int) -> TapeRound:
    cells = line.text.split(",")
    if line.text.startswith("#"):
        raise line.fault(1, "a comment stands among the rows", "move it before the line naming the columns")
    if len(cells) != len(COLUMNS):
        column = line.column_of(min(len(cells), len(COLUMNS)))
        raise line.fault(column, f"a row has 3 cells, this one {len(cells)}", "write time,feed,price")
    cell = 0
    try:
        time = parse_time(cells[0])
        cell = 1
        if not FEED_NAME.fullmatch(cells[1]):
            raise BadNumber(f"{clipped(cells[1])} is not a feed's name", "use up to 32 letters, digits, _ and -")
        cell = 2
        answer = parse_price(cells[2], decimals)
    except BadNumber as problem:
        raise line.fault(line.column_of(cell), problem.message, problem.remedy) from None
    return TapeRound(time, cells[1], cells[2], answer)


def _check_order(line: SourceLine, before: TapeRound, entry: TapeRound) -> None:
    if entry.time < before.time:
        raise line.fault(1, f"time {entry.time} comes after {before.time}", "sort the rows by time, then feed")
    if entry.time > before.time:
        return
    if entry.feed == before.feed:
        message = f"feed {entry.feed} has two rounds at {entry.time}"
        raise line.fault(line.column_of(1), message, "keep one: a push names a feed once")
    if entry.feed < before.feed:
        message = f"feed {entry.feed} comes after {before.feed} at {entry.time}"
        raise line.fault(line.column_of(1), message, "sort the rows of one second by feed name")
