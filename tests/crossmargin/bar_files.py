"""Bars in memory and in files, for tests."""

from __future__ import annotations

from pathlib import Path

from crossmargin.bars import Bar

LENGTH = 300
COLUMNS = "timestamp_utc,open,high,low,close,volume\n"


def flat(start: int, price: int, length: int = LENGTH) -> Bar:
    """A bar in which nothing happens."""
    return Bar(start, length, price, price, price, price)


def rows(*bars: tuple[object, ...]) -> str:
    """The text of a file of these bars."""
    return COLUMNS + "".join(",".join(map(str, bar)) + "\n" for bar in bars)


def calm(start: int, count: int, length: int = LENGTH, price: int = 100) -> str:
    """The text of a file in which nothing happens."""
    return rows(*((start + at * length, price, price, price, price, 1) for at in range(count)))


def write(path: Path, text: str) -> Path:
    """A file of this text."""
    path.write_text(text)
    return path
