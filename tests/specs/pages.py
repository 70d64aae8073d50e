"""The pages of specs/ as text, headings and code blocks: what the tests of this folder read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "specs"
FENCE = re.compile(r"^(`{3,})(.*)$")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, its info string, and its text."""

    line: int
    info: str
    text: str


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        """Path from the root of the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def lines(self) -> list[str]:
        """All lines."""
        return self.path.read_text("utf-8").splitlines()

    def prose(self) -> Iterator[tuple[int, str]]:
        """Numbered lines outside fenced blocks."""
        fence = ""
        for number, line in enumerate(self.lines, 1):
            found = FENCE.match(line)
            if found and not fence:
                fence = found[1]
            elif found and found[1] == fence and not found[2]:
                fence = ""
            elif not fence:
                yield number, line

    def blocks(self) -> Iterator[Block]:
        """Fenced blocks."""
        fence, info, start, text = "", "", 0, list[str]()
        for number, line in enumerate(self.lines, 1):
            found = FENCE.match(line)
            if found and not fence:
                fence, info, start, text = found[1], found[2].strip(), number, []
            elif found and found[1] == fence and not found[2]:
                yield Block(start, info, "\n".join(text) + "\n")
                fence = ""
            elif fence:
                text.append(line)

    def headings(self) -> Iterator[tuple[int, int, str]]:
        """Line, level and text of each heading."""
        for number, line in self.prose():
            found = re.match(r"^(#{1,6}) (.+)$", line)
            if found:
                yield number, len(found[1]), found[2].strip()

    def anchors(self) -> set[str]:
        """What a link may name after ``#``, as GitHub makes it from headings."""
        anchors: set[str] = set()
        for _, _, text in self.headings():
            plain = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            number = 0
            while (anchor := f"{plain}-{number}" if number else plain) in anchors:
                number += 1
            anchors.add(anchor)
        return anchors


def spec_pages() -> list[Page]:
    """Every page of specs/."""
    return [Page(path) for path in sorted(SPECS.rglob("*.md"))]
