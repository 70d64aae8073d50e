"""Comma-separated text, line by line, each able to say where in it something is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crossmargin.errors import InputError
from crossmargin.textfile import Place, TextFile, read_text


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file, counted from 1."""

    source: TextFile
    number: int

    @property
    def text(self) -> str:
        """The line without its end; nothing past the last one."""
        return self.source.lines[self.number - 1] if self.number <= len(self.source.lines) else ""

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

    def error(self, column: int, message: str, remedy: str) -> InputError:
        """The error at a column of this line."""
        return self.source.error(Place(self.number, column), message, remedy)


def read_lines(path: Path, most: int) -> list[Line]:
    """The lines of a file of at most ``most`` bytes, and the empty one past its end, where what is missing would stand.

    Empty lines at the end of the file do not count. Refuses what ``read_text`` refuses.
    """
    # Not str.splitlines: it also breaks at form feeds and Unicode separators, where no editor counts a line.
    lines = [line.removesuffix("\r") for line in read_text(path, most).split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    source = TextFile(path, lines)
    return [Line(source, number) for number in range(1, len(lines) + 2)]
