"""Market bars: what the recorder makes tapes from, read from files that may take over from one another."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from crossmargin.csvtext import Line, read_lines
from crossmargin.errors import InputError
from crossmargin.fields import FEED_NAME
from crossmargin.messages import shown
from crossmargin.quantities import BadText, read_time, read_unix_time, write_time
from crossmargin.tape import read_price

LARGEST_BARS = 50 * 10**6  # bytes, some one million bars
COLUMNS = ("timestamp_utc", "open", "high", "low", "close")
VOLUME = "volume"
POINTS = 4  # path points of a bar: its start, quarter, half and three quarters


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


def read_feed_source(text: str) -> FeedSource:
    """``BTC=a.csv,b.csv@2020-03-12T21:00:00Z``: a feed, its files in order, and when a later one takes over.

    Raises ``BadText``.
    """
    feed, _, files = text.partition("=")
    shape = "write NAME=FILE[,FILE[@TIME]...], such as BTC=a.csv,b.csv@2020-03-12T21:00:00Z"
    found: list[BarFile] = []
    for part in files.split(","):
        name, at, when = part.rpartition("@")
        if not at or "/" in when:  # an @ in a folder's name is no switch
            name, at, when = part, "", ""
        if not name or "\0" in name or (at and not when):
            raise BadText(f"{shown(text)} has an empty file name or time", shape)
        if when and not found:
            raise BadText(f"{shown(part)} is the first file, it takes over from none", shape)
        found.append(BarFile(Path(name), read_time(when) if when else None))
    return FeedSource(FEED_NAME.read(feed), tuple(found))


def load_bars(path: Path) -> tuple[Bar, ...]:
    """The bars of a file with columns timestamp_utc (start, unix seconds), open, high, low, close and maybe volume.

    All bars of a file have one length, the smallest distance between two starts; wider gaps are missing bars.
    Decimals after the eighth are dropped. Refuses, with the place: what is no such file, bad numbers, high or low on
    the wrong side, starts that do not ascend or do not fit the length.
    """
    head, *lines = read_lines(path, LARGEST_BARS)
    columns = _read_cells(head)
    if tuple(columns) not in (COLUMNS, (*COLUMNS, VOLUME)):
        message = f"the first line does not name the columns {','.join(COLUMNS)}[,{VOLUME}]"
        raise head.error(1, message, "add or rename columns")
    *lines, end = lines
    rows = [_read_bar(line, len(columns)) for line in lines]
    if len(rows) < 2:
        raise end.error(1, "fewer than two bars, so their length is unknown", "give the file of a longer time")
    for line, (before, row) in zip(lines[1:], pairwise(rows), strict=True):
        if row[0] <= before[0]:
            raise line.error(1, f"time {row[0]} comes after {before[0]}", "sort the bars by time, each time once")
    length = min(after[0] - before[0] for before, after in pairwise(rows))
    if length < POINTS:
        raise InputError(path, f"bars of {length} s are too short for {POINTS} path points", remedy="use longer bars")
    for line, row in zip(lines, rows, strict=True):
        if (row[0] - rows[0][0]) % length:
            message = f"bars are {length} s long, but this one does not start a whole number of bars after the first"
            raise line.error(1, message, "put bars of different lengths in different files")
    return tuple(Bar(row[0], length, *row[1:]) for row in rows)


def _read_cells(line: Line) -> list[str]:
    try:
        return next(csv.reader([line.text], strict=True), [])
    except csv.Error as problem:
        raise line.error(1, f"this line is not comma-separated text: {problem}", "check its quotes") from None


def _read_bar(line: Line, width: int) -> tuple[int, int, int, int, int]:
    cells = _read_cells(line)
    if len(cells) != width:
        column = line.column_of(min(len(cells), width))
        raise line.error(column, f"a row has {width} cells, this one {len(cells)}", "write every column, no others")
    cell = 0
    try:
        start = read_unix_time(cells[0])
        prices = []
        for cell in range(1, len(COLUMNS)):
            prices.append(read_price(cells[cell], cut=True))
    except BadText as problem:
        raise line.error(line.column_of(cell), problem.message, problem.remedy) from None
    first, high, low, last = prices
    if high < max(first, last, low):
        raise line.error(line.column_of(2), "high lies below another price of the bar", "check the columns' order")
    if low > min(first, last):
        raise line.error(line.column_of(3), "low lies above open or close", "check the columns' order")
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
                message = f"has no bar at or after {write_time(switch)}, where {source.feed} switches to it"
                raise InputError(file.path, message, remedy="check the order of the files and the time after @")
            bars = tuple(bar for bar in bars if bar.start < found[0].start)
        bars += found
    return bars
