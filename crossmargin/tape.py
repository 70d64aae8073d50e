"""Oracle price tapes: what a feed's poster would have pushed, round by round (format: specs/tapes/README.md)."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from pathlib import Path
from types import MappingProxyType

from crossmargin.csvtext import Line, read_lines
from crossmargin.errors import InputError, raise_first
from crossmargin.fields import FEED_NAME
from crossmargin.messages import shown
from crossmargin.quantities import BadText, read_decimal, read_unix_time
from crossmargin.text import decimal
from protocol.units import PRICE_LIMIT, W, cdiv

ANSWER_DECIMALS = 8  # as AggregatorV3 feeds of dollar prices have
COLUMNS = ("time", "feed", "price")
REQUIRED_KEYS = ("title", "venue", "instruments", "window", "rule", "decimals")
LARGEST_TAPE = 20 * 10**6  # bytes, some 700,000 rounds: more than a replay can use

_COMMENT = re.compile(r"#[ \t]*([a-z][a-z0-9_]*):[ \t]*(.*?)[ \t]*")


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


def read_price(text: str, decimals: int = ANSWER_DECIMALS, *, cut: bool = False) -> int:
    """A positive price at scale 10^8, of at most ``decimals`` (up to 8) decimals; with ``cut`` the rest is dropped.

    Refuses what ``read_decimal`` refuses, signs, zero, and what the protocol cannot store (2^96 at scale 10^18).
    """
    if text.startswith(("+", "-")):
        raise BadText(f"{shown(text)} has a sign", "prices are positive: write the digits alone")
    scale = 10 ** (ANSWER_DECIMALS - decimals)
    limit = cdiv(PRICE_LIMIT * 10**decimals, W)
    answer: int = read_decimal(text, decimals, limit=limit, cut=cut) * scale
    if answer == 0:
        raise BadText(f"{shown(text)} is zero", "prices are positive")
    return answer


def write_price(answer: int, decimals: int = ANSWER_DECIMALS) -> str:
    """The text of a price at scale 10^8: at least two decimals (if ``decimals`` allows), no zeros after."""
    return decimal(answer, ANSWER_DECIMALS, min(2, decimals))


def load_tape(path: Path) -> Tape:
    """Read and check a tape file. Anything that is not exactly the format is an ``InputError`` with its place."""
    lines = read_lines(path, LARGEST_TAPE)
    header: dict[str, str] = {}
    decimals = ANSWER_DECIMALS
    at = 0
    while lines[at].text.startswith("#"):
        key, value = _read_comment(lines[at], header)
        header[key] = value
        if key == "decimals":
            decimals = _read_decimals(lines[at], value)
        at += 1
    columns = lines[at]
    _check_columns(columns)
    for key in REQUIRED_KEYS:
        if not header.get(key):
            raise columns.error(1, f"the header does not give the {key}", f"add a line `# {key}: ...` before this one")
    rounds = _read_rounds(lines[at + 1 : -1], decimals)
    if not rounds:
        raise lines[-1].error(1, "the tape has no rounds", "add at least one row")
    return Tape(path.stem, MappingProxyType(header), decimals, tuple(rounds))


def _read_comment(line: Line, header: Mapping[str, str]) -> tuple[str, str]:
    match = _COMMENT.fullmatch(line.text)
    if match is None:
        raise line.error(1, "this comment is not of the form `# key: value`", "write a lower-case key and a colon")
    if match[1] in header:
        raise line.error(match.start(1) + 1, f"the header gives {match[1]} twice", "keep one of the two lines")
    return match[1], match[2]


def _read_decimals(line: Line, value: str) -> int:
    if not re.fullmatch(f"[0-{ANSWER_DECIMALS}]", value):
        column = len(line.text.rstrip()) - len(value) + 1
        raise line.error(column, f"decimals {shown(value)} is not a digit from 0 to 8", "write `# decimals: 8`")
    return int(value)


def _check_columns(line: Line) -> None:
    wanted = ",".join(COLUMNS)
    remedy = f"put the line `{wanted}` between the comments and the rows"
    if not line.text or line.text[0].isdigit():
        raise line.error(1, "the line naming the columns is missing", remedy)
    if line.text != wanted:
        cells = zip_longest(line.text.split(","), COLUMNS)
        first_wrong = next(index for index, (cell, name) in enumerate(cells) if cell != name)
        raise line.error(line.column_of(first_wrong), f"the columns are not {wanted}", remedy)


def _read_rounds(lines: Sequence[Line], decimals: int) -> list[TapeRound]:
    """The rows, or everything wrong with them; the order is that of the rows that can be read."""
    rounds: list[TapeRound] = []
    errors: list[InputError] = []
    for line in lines:
        try:
            rounds.append(_read_round(line, decimals))
            if len(rounds) > 1:
                _check_order(line, rounds[-2], rounds[-1])
        except InputError as error:
            errors.append(error)
    raise_first(errors)
    return rounds


def _read_round(line: Line, decimals: int) -> TapeRound:
    cells = line.text.split(",")
    if line.text.startswith("#"):
        raise line.error(1, "a comment stands among the rows", "move it before the line naming the columns")
    if len(cells) != len(COLUMNS):
        column = line.column_of(min(len(cells), len(COLUMNS)))
        raise line.error(column, f"a row has 3 cells, this one {len(cells)}", "write time,feed,price")
    cell = 0
    try:
        time = read_unix_time(cells[0])
        cell = 1
        feed = FEED_NAME.read(cells[1])
        cell = 2
        answer = read_price(cells[2], decimals)
    except BadText as problem:
        raise line.error(line.column_of(cell), problem.message, problem.remedy) from None
    return TapeRound(time, feed, cells[2], answer)


def _check_order(line: Line, before: TapeRound, entry: TapeRound) -> None:
    if entry.time < before.time:
        raise line.error(1, f"time {entry.time} comes after {before.time}", "sort the rows by time, then feed")
    if entry.time > before.time:
        return
    if entry.feed == before.feed:
        message = f"feed {entry.feed} has two rounds at {entry.time}"
        raise line.error(line.column_of(1), message, "keep one: a push names a feed once")
    if entry.feed < before.feed:
        message = f"feed {entry.feed} comes after {before.feed} at {entry.time}"
        raise line.error(line.column_of(1), message, "sort the rows of one second by feed name")


def render_tape(tape: Tape) -> str:
    """The text of a tape file, which ``load_tape`` reads back exactly."""
    lines = [f"# {key}: {value}" for key, value in tape.header.items()]
    lines.append(",".join(COLUMNS))
    lines += [f"{entry.time},{entry.feed},{entry.price}" for entry in tape.rounds]
    return "\n".join(lines) + "\n"


def write_tape(tape: Tape, path: Path) -> None:
    """Write the file in one stroke: a reader sees the old file or the whole new one, a failure leaves the old."""
    try:
        if path.is_dir():
            raise InputError(path, "is a folder", remedy="name a file to write")
        if path.exists() and not path.is_file():
            raise InputError(path, "is a device or a pipe", remedy="name a file to write")
        draft = path.with_name(f".{secrets.token_hex(8)}.part")  # the name of the file may be as long as names can be
        try:
            with draft.open("x", encoding="utf-8", newline="\n") as file:
                file.write(render_tape(tape))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except FileNotFoundError:
        raise InputError(path, "its folder does not exist", remedy="create the folder first") from None
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise InputError(path, f"cannot be written: {reason}", remedy="check the folder's permissions") from None
