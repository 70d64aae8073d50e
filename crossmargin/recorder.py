"""Makes an oracle tape from market bars with a deviation and heartbeat rule (the rule: specs/tapes/README.md)."""

from __future__ import annotations

import csv
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from crossmargin.errors import InputError
from crossmargin.tape import (
    ANSWER_DECIMALS,
    COLUMNS,
    FEED_NAME,
    LATEST_TIME,
    BadNumber,
    SourceLine,
    TapeRound,
    clipped,
    format_price,
    parse_price,
    parse_time,
    read_lines,
)
from protocol.units import BPS

LARGEST_BARS = 50 * 10**6  # bytes, some one million bars
BAR_COLUMNS = ("timestamp_utc", "open", "high", "low", "close")
VOLUME = "volume"
POINTS = 4  # path points of a bar: its start, quarter, half and three quarters

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Bar:
    """Trading of one venue from ``start`` for ``length`` seconds. Prices are dollars at scale 10^8."""

    start: int
    length: int
    open: int
    high: int
    low: int
    close: int

    def points(self) -> tuple[tuple[int, int], ...]:
        """Times and prices of the assumed path: low before high when it closes up or level, high first otherwise."""
        rises = self.close >= self.open
        prices = (self.open, *((self.low, self.high) if rises else (self.high, self.low)), self.close)
        return tuple((self.start + at * self.length // POINTS, price) for at, price in enumerate(prices))


@dataclass(frozen=True, slots=True)
class BarFile:
    """A file of bars, and the time from which it takes over from the file before (None: where that one ends)."""

    path: Path
    switch: int | None = None


@dataclass(frozen=True, slots=True)
class FeedSource:
    """The files that give one feed's bars, one after another."""

    feed: str
    files: tuple[BarFile, ...]


@dataclass(frozen=True, slots=True)
class RecordRequest:
    """Everything a tape is made from. The window is [start, end) in unix seconds."""

    title: str
    venue: str
    start: int
    end: int
    feeds: tuple[FeedSource, ...]
    instruments: str = ""  # as the venue names them; empty: the feeds' names
    decimals: int = ANSWER_DECIMALS
    deviation_bps: int = 100
    heartbeat: int = 3_600
    max_step_bps: int = 300


def load_bars(path: Path) -> tuple[Bar, ...]:
    """The bars of a file with columns timestamp_utc (start, unix seconds), open, high, low, close and maybe volume.

    All bars of a file have one length, the smallest distance between two starts; wider gaps are missing bars.
    Decimals after the eighth are dropped. Refuses, with the place: what is no such file, bad numbers, high or low on
    the wrong side, starts that do not ascend or do not fit the length.
    """
    lines = read_lines(path, LARGEST_BARS)
    wanted = ",".join(BAR_COLUMNS)
    if not lines or tuple(_cells(lines[0])) not in (BAR_COLUMNS, (*BAR_COLUMNS, VOLUME)):
        head = lines[0] if lines else SourceLine(path, 1, "")
        raise head.fault(1, f"the first line does not name the columns {wanted}[,{VOLUME}]", "add or rename columns")
    width = len(_cells(lines[0]))
    rows = [_read_bar(line, width) for line in lines[1:]]
    if len(rows) < 2:
        place = SourceLine(path, len(lines) + 1, "")
        raise place.fault(1, "fewer than two bars, so their length is unknown", "give the file of a longer time")
    for line, (before, row) in zip(lines[2:], pairwise(rows), strict=True):
        if row[0] <= before[0]:
            raise line.fault(1, f"time {row[0]} comes after {before[0]}", "sort the bars by time, each time once")
    length = min(after[0] - before[0] for before, after in pairwise(rows))
    if length < POINTS:
        raise InputError(path, f"bars of {length} s are too short for {POINTS} path points", remedy="use longer bars")
    for line, row in zip(lines[1:], rows, strict=True):
        if (row[0] - rows[0][0]) % length:
            message = f"bars are {length} s long, but this one does not start a whole number of bars after the first"
            raise line.fault(1, message, "put bars of different lengths in different files")
    return tuple(Bar(row[0], length, *row[1:]) for row in rows)


def _cells(line: SourceLine) -> list[str]:
    try:
        return next(csv.reader([line.text], strict=True), [])
    except csv.Error as problem:
        raise line.fault(1, f"this line is not comma-separated text: {problem}", "check its quotes") from None


def _read_bar(line: SourceLine, width: int) -> tuple[int, int, int, int, int]:
    cells = _cells(line)
    if len(cells) != width:
        column = line.column_of(min(len(cells), width))
        raise line.fault(column, f"a row has {width} cells, this one {len(cells)}", "write every column, no others")
    cell = 0
    try:
        start = parse_time(cells[0])
        prices = []
        for cell in range(1, len(BAR_COLUMNS)):
            prices.append(parse_price(cells[cell], ANSWER_DECIMALS, floor=True))
    except BadNumber as problem:
        raise line.fault(line.column_of(cell), problem.message, problem.remedy) from None
    first, high, low, last = prices
    if high < max(first, last, low):
        raise line.fault(line.column_of(2), "high lies below another price of the bar", "check the columns' order")
    if low > min(first, last):
        raise line.fault(line.column_of(3), "low lies above open or close", "check the columns' order")
    return start, first, high, low, last


def load_feed(source: FeedSource) -> tuple[Bar, ...]:
    """The bars of a feed's files, spliced: each later file takes over at its first bar at or after its switch."""
    bars: tuple[Bar, ...] = ()
    for file in source.files:
        found = load_bars(file.path)
        if bars:
            switch = bars[-1].start + bars[-1].length if file.switch is None else file.switch
            found = tuple(bar for bar in found if bar.start >= switch)
            if not found:
                message = f"has no bar at or after {format_instant(switch)}, where {source.feed} switches to it"
                raise InputError(file.path, message, remedy="check the order of the files and the time after @")
            bars = tuple(bar for bar in bars if bar.start < found[0].start)
        bars += found
    return bars


def get_path(bars: Sequence[Bar], start: int, end: int, decimals: int) -> Iterator[tuple[int, int]]:
    """Path points in [start, end), floored to the decimals; where a next bar has begun, it replaces the one before."""
    unit: int = 10 ** (ANSWER_DECIMALS - decimals)
    for at, bar in enumerate(bars):
        stop = min(end, bars[at + 1].start) if at + 1 < len(bars) else end
        for time, price in bar.points():
            if start <= time < stop:
                yield time, price // unit * unit


def compute_steps(last: int, price: int, seconds: int, max_step_bps: int, unit: int) -> list[int]:
    """Rounds that walk from the last one to the price, none more than ``max_step_bps`` from the round before it.

    Each step is floored to whole ``unit``, so a walk never exceeds the bound; the last is the price itself.
    Empty when the walk has more steps than ``seconds``: it would name the feed twice in one push.
    """
    steps: list[int] = []
    while abs(price - last) * BPS > max_step_bps * last:
        step = last * max_step_bps // (BPS * unit) * unit
        if step == 0 or len(steps) + 1 >= seconds:
            return []
        last += step if price > last else -step
        steps.append(last)
    return [*steps, price]


def record(
    bars_by_feed: Mapping[str, Sequence[Bar]],
    start: int,
    end: int,
    deviation_bps: int = 100,
    heartbeat: int = 3_600,
    max_step_bps: int = 300,
    decimals: int = ANSWER_DECIMALS,
) -> list[TapeRound]:
    """All feeds' rounds in [start, end), by time, then feed name.

    A feed's first path point is a round. Later ones become a round when they lie ``deviation_bps`` or more from the
    last round, or ``heartbeat`` seconds or more after it. A move above ``max_step_bps`` is walked: n steps at the
    floor of i/n of the time from the path point before, the n-th at the point itself.
    """
    unit: int = 10 ** (ANSWER_DECIMALS - decimals)
    rounds: list[TapeRound] = []
    for feed, bars in bars_by_feed.items():
        pushed_at = passed_at = last = 0
        for time, price in get_path(bars, start, end, decimals):
            if price == 0:
                raise InputError(f"bars of {feed}", f"a price is zero at {decimals} decimals", remedy="use more")
            steps: list[int] = []
            if last == 0:
                steps, passed_at = [price], time
            elif abs(price - last) * BPS >= deviation_bps * last or time - pushed_at >= heartbeat:
                steps = compute_steps(last, price, time - passed_at, max_step_bps, unit)
                if not steps:
                    raise _too_fast(feed, last, price, passed_at, time)
            for at, answer in enumerate(steps, 1):
                pushed_at, last = passed_at + (time - passed_at) * at // len(steps), answer
                rounds.append(TapeRound(pushed_at, feed, format_price(answer, decimals), answer))
            passed_at = time
        if last == 0:
            raise InputError(f"bars of {feed}", "none lies in the window", remedy="check the start and the end")
    return sorted(rounds, key=lambda entry: (entry.time, entry.feed))


def _too_fast(feed: str, last: int, price: int, before: int, time: int) -> InputError:
    move = f"from {format_price(last, ANSWER_DECIMALS)} to {format_price(price, ANSWER_DECIMALS)}"
    message = f"the move {move} by {format_instant(time)} needs more steps than the {time - before} s it has"
    return InputError(f"bars of {feed}", message, remedy="check the bars, or allow a larger step")


def record_tape(request: RecordRequest) -> str:
    """The text of the tape: header, column names, rounds. The same request and bars give the same bytes anywhere.

    Refuses a request out of range, bars that do not cover the window, and all that loading and recording refuse.
    """
    _check_request(request)
    bars = {source.feed: load_feed(source) for source in request.feeds}
    for source in request.feeds:
        _check_cover(source, bars[source.feed], request.start, request.end)
    limits = (request.deviation_bps, request.heartbeat, request.max_step_bps, request.decimals)
    rounds = record(bars, request.start, request.end, *limits)
    step = _percent(request.max_step_bps)
    header = {
        "title": request.title,
        "venue": request.venue,
        "instruments": request.instruments or ", ".join(bars),
        "bars": "; ".join(_describe(feed, bars[feed], request.start, request.end) for feed in bars),
        "window": f"{format_instant(request.start)} to {format_instant(request.end)}, end excluded",
        "rule": f"a round at {_percent(request.deviation_bps)} from the last round or {request.heartbeat} s after it; "
        f"moves above {step} walked in steps of {step} of the last round; a bar's path is open, low, high, close when "
        "it closes up or level, open, high, low, close when it closes down, a quarter of the bar apart",
        "decimals": str(request.decimals),
    }
    lines = [f"# {key}: {value}" for key, value in header.items()]
    lines.append(",".join(COLUMNS))
    lines += [f"{entry.time},{entry.feed},{entry.price}" for entry in rounds]
    return "\n".join(lines) + "\n"


def _check_request(request: RecordRequest) -> None:
    remarks = {"--title": request.title, "--venue": request.venue, "--instruments": request.instruments or "default"}
    for option, text in remarks.items():
        if not text or text != text.strip() or not text.isprintable():
            raise InputError(
                option, f"{clipped(text)} is not one line of text", remedy="no line breaks, no outer spaces"
            )
    if not 0 <= request.start < request.end <= LATEST_TIME:
        raise InputError("--end", "the window ends before it starts", remedy="give an end after the start")
    names = [source.feed for source in request.feeds]
    bad = [source.feed for source in request.feeds if not source.files or not FEED_NAME.fullmatch(source.feed)]
    if bad:
        raise InputError("--feed", f"{clipped(bad[0])} is no feed's name or has no file", remedy="NAME=FILE[,FILE...]")
    if not names or len(set(names)) < len(names):
        raise InputError("--feed", "name at least one feed, each once", remedy="join a feed's files with commas")
    limits = (
        ("--decimals", request.decimals, 0, ANSWER_DECIMALS),
        ("--deviation", request.deviation_bps, 1, BPS),
        ("--heartbeat", request.heartbeat, 1, LATEST_TIME),
        ("--max-step", request.max_step_bps, 1, BPS),
    )
    for option, value, least, most in limits:
        if not least <= value <= most:
            raise InputError(option, f"{value} is out of range", remedy=f"from {least} to {most}")


def _check_cover(source: FeedSource, bars: Sequence[Bar], start: int, end: int) -> None:
    first, last = bars[0].start, bars[-1].start + bars[-1].length
    if first > start or last < end:
        message = f"bars of {source.feed} run from {format_instant(first)} to {format_instant(last)} only"
        raise InputError(source.files[-1].path, message, remedy="add a file, or narrow the window")


def _describe(feed: str, bars: Sequence[Bar], start: int, end: int) -> str:
    """Bar lengths within the window and where they change, and the seconds of trading that no bar covers."""
    parts: list[str] = []
    length = missing = 0
    for before, bar in pairwise((bars[0], *bars)):
        missing += max(0, min(end, bar.start) - max(start, before.start + before.length))
        if bar.start >= end or bar.start + bar.length <= start:
            continue
        if bar.length != length:
            length = bar.length
            parts.append(_duration(length) + (f" from {format_instant(bar.start)}" if parts else ""))
    return f"{feed} {', '.join(parts)}" + (f" ({missing} s missing)" if missing else "")


def write_tape(text: str, path: Path) -> None:
    """Write the file in one stroke: a reader sees the old file or the whole new one, a failure leaves the old."""
    try:
        if path.is_dir():
            raise InputError(path, "is a folder", remedy="name a file to write")
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            with draft.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
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


def record_to_file(request: RecordRequest, path: Path) -> dict[str, int]:
    """Record a tape into a file and count its rounds by feed. Refuses to overwrite the bars it is made from."""
    for source in request.feeds:
        if any(path.resolve() == file.path.resolve() for file in source.files):
            raise InputError(path, "is one of the files the tape is made from", remedy="write to another file")
    text = record_tape(request)
    write_tape(text, path)
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")][1:]
    return {source.feed: sum(row[1] == source.feed for row in rows) for source in request.feeds}


def parse_feed_option(text: str) -> FeedSource:
    """``BTC=a.csv,b.csv@2020-03-12T21:00:00Z``: a feed, its files in order, and when a later one takes over."""
    feed, equals, files = text.partition("=")
    shape = "write NAME=FILE[,FILE[@TIME]...], such as BTC=a.csv,b.csv@2020-03-12T21:00:00Z"
    if not equals or not FEED_NAME.fullmatch(feed):
        raise InputError("--feed", f"{clipped(text)} does not start with a feed's name and =", remedy=shape)
    found: list[BarFile] = []
    for part in files.split(","):
        name, at, when = part.rpartition("@")
        if not at or "/" in when:  # an @ in a folder's name is no switch
            name, at, when = part, "", ""
        if not name or "\0" in name or (at and not when):
            raise InputError("--feed", f"{clipped(text)} has an empty file name or time", remedy=shape)
        if when and not found:
            raise InputError("--feed", f"{clipped(part)} is the first file, it takes over from none", remedy=shape)
        found.append(BarFile(Path(name), parse_instant(when, "--feed") if when else None))
    return FeedSource(feed, tuple(found))


def parse_instant(text: str, option: str) -> int:
    """Unix seconds of an ISO date (its midnight UTC) or an ISO time with its zone. Refuses fractions of a second."""
    remedy = "write such as 2020-03-12T21:00:00Z"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(option, f"{clipped(text)} is not an ISO time", remedy=remedy) from None
    if moment.tzinfo is None and len(text) > len("2020-03-12"):
        raise InputError(option, f"{clipped(text)} does not say its time zone", remedy=remedy)
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    seconds, rest = divmod(since, timedelta(seconds=1))
    if rest or not 0 <= seconds <= LATEST_TIME:
        raise InputError(option, f"{clipped(text)} is not a whole second from 1970 to 9999", remedy=remedy)
    return seconds


def parse_percent(text: str, option: str) -> int:
    """Basis points of a percentage such as ``1%`` or ``0.25%``, more than 0 and at most 100 %."""
    match = re.fullmatch(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?%", text)
    bps = int(match[1]) * 100 + int((match[2] or "").ljust(2, "0")) if match else 0
    if not 0 < bps <= BPS:
        raise InputError(option, f"{clipped(text)} is not a percentage above 0, at most 100 %", remedy="such as 1%")
    return bps


def parse_duration(text: str, option: str) -> int:
    """Seconds of a duration such as ``90s``, ``5m``, ``1h`` or ``2d``, more than 0."""
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", text)
    if match is None:
        raise InputError(option, f"{clipped(text)} is not a duration", remedy="such as 90s, 5m, 1h or 2d")
    return int(match[1]) * _UNITS[match[2]]


def format_instant(seconds: int) -> str:
    """The ISO form of unix seconds, such as 2020-03-12T21:00:00Z."""
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _duration(seconds: int) -> str:
    unit = next(name for name, size in reversed(_UNITS.items()) if seconds % size == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def _percent(bps: int) -> str:
    whole, part = divmod(bps, 100)
    return f"{whole}.{part:02d} %" if part else f"{whole} %"
