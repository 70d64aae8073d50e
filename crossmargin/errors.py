"""What can be wrong with what a person gave us, and the exit codes that say so."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path

from crossmargin.messages import clean


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    CHECK_FAILED = 1
    USAGE = 2
    INPUT_INVALID = 3
    ENGINE_MISSING = 4
    DIVERGENCE = 5
    READER_GONE = 141  # as a shell says of a program that wrote to a pipe nobody reads


class WrongUse(Exception):  # no mistake of the program
    """Options that do not go together or name nothing that there is."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message}\n  {remedy}" if remedy else message)
        self.message = message
        self.remedy = remedy

    def to_json(self) -> dict[str, str | int]:
        """The error as JSON values."""
        return {"message": self.message, "remedy": self.remedy}


class InputError(Exception):
    """Something in a file or option that a person wrote, with its place and the remedy.

    ``line`` and ``column`` count from 1; 0 means the whole file. ``source`` is the line's text, shown with a caret.
    ``others`` are later mistakes of the same file that were found with it.
    """

    def __init__(
        self,
        file: Path | str,
        message: str,
        *,
        line: int = 0,
        column: int = 0,
        source: str = "",
        remedy: str = "",
    ) -> None:
        super().__init__(message)
        self.file = str(file)
        self.message = message
        self.line = line
        self.column = column
        self.source = source
        self.remedy = remedy
        self.others: list[InputError] = []

    def to_json(self) -> dict[str, str | int]:
        """The error as JSON values."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "remedy": self.remedy,
        }

    def __str__(self) -> str:
        place = clean(self.file) + (f":{self.line}:{self.column}" if self.line else "")
        text = f"{place}: {self.message}"
        if self.source and self.line:
            gutter = f"{self.line:>5} | "
            text += f"\n{gutter}{self.source}\n{' ' * (len(gutter) + self.column - 1)}^"
        if self.remedy:
            text += f"\n  {self.remedy}"
        return text


def raise_first(errors: Iterable[InputError]) -> None:
    """Raise the first of some mistakes, file by file and in order of lines, with the others, if there are any."""
    found = [one for error in errors for one in (error, *error.others)]
    if not found:
        return
    files = list(dict.fromkeys(error.file for error in found))
    first, *others = sorted(found, key=lambda error: (files.index(error.file), error.line, error.column))
    first.others = others
    raise first
