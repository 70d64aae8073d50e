"""Text files that people write: read with care, and able to say where in them something is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crossmargin.errors import InputError
from crossmargin.messages import clean

SHOWN_LINE = 200  # characters of a source line worth printing under a message

_LINE_BREAK = re.compile("\r\n|[\r\n]")


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file, counted from 1; 0 is the file as a whole."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file's lines, able to say where in them something is wrong."""

    file: Path
    lines: Sequence[str]

    def error(self, place: Place, message: str, remedy: str = "") -> InputError:
        """The error at a place. The line is clipped, and no control character of it can reach a terminal."""
        source = self.lines[place.line - 1] if 0 < place.line <= len(self.lines) else ""
        source = "" if place.column > SHOWN_LINE else clean(source[:SHOWN_LINE])
        return InputError(self.file, message, line=place.line, column=place.column, source=source, remedy=remedy)


def read_text(path: Path, most: int) -> str:
    """The text of a UTF-8 file of at most ``most`` bytes; refuses what ``read_bytes`` and ``decode`` refuse."""
    return decode(path, read_bytes(path, most))


def read_bytes(path: Path, most: int) -> bytes:
    """What a file of at most ``most`` bytes holds.

    Refuses a missing or unreadable file, a folder, and a larger file (before and while it is read: a device has no
    size).
    """
    try:
        if path.is_dir():
            raise InputError(path, "is a folder, not a file", remedy="name a file in it")
        size = path.stat().st_size
        data = b""
        if size <= most:
            with path.open("rb") as file:
                data = file.read(most + 1)
    except (OSError, ValueError) as problem:
        raise unreadable(path, problem) from None
    if max(size, len(data)) > most:
        raise InputError(path, f"is larger than {most} bytes, the most a file of this kind may have")
    return data


def decode(path: Path, data: bytes) -> str:
    """A file's text. Refuses bytes that are not UTF-8."""
    try:
        return data.decode("utf-8").removeprefix("\ufeff")  # some editors and spreadsheets put a byte order mark first
    except UnicodeDecodeError as problem:
        before = _LINE_BREAK.split(data[: problem.start].decode("utf-8").removeprefix("\ufeff"))
        source = TextFile(path, (*before[:-1], before[-1] + "\N{REPLACEMENT CHARACTER}"))
        place = Place(len(before), len(before[-1]) + 1)
        raise source.error(place, "is not UTF-8 text here", "save the file as UTF-8") from None


def list_folder(path: Path, suffixes: Iterable[str], what: str) -> list[Path]:
    """The files of a folder that have one of the suffixes, by name. Refuses one that cannot be read or has none."""
    wanted = tuple(suffixes)
    try:
        found = sorted(file for file in path.iterdir() if file.suffix in wanted)
    except OSError as problem:
        raise unreadable(path, problem) from None
    if not found:
        raise InputError(path, f"{what} is in this folder", remedy=f"files end in {' or '.join(wanted)}")
    return found


def unreadable(path: Path, problem: OSError | ValueError) -> InputError:
    """The error of a path at which nothing can be read; a ``ValueError`` is about its characters."""
    if isinstance(problem, FileNotFoundError):
        return InputError(path, "no such file", remedy="check the path and the spelling")
    reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
    return InputError(path, f"cannot be read: {reason}", remedy="check the path and its permissions")
