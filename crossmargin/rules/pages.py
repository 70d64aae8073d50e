"""Numbered rules as the pages of ``specs/`` define them: text, formula, rounding, worked example, and where code is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from crossmargin.errors import InputError
from crossmargin.library import SPECS
from crossmargin.textfile import read_text

MAX_BYTES = 2_000_000
ID = r"[A-Z]{3,4}-\d+"
DEFINITION = re.compile(rf"^(?:\d+\. )?\*\*({ID})\*\* ")
HEADING = re.compile(r"^#{1,6} (.+)$")
FENCE = re.compile(r"^ *(`{3,})(.*)$")
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
DIVISION = re.compile(r"\b[fc]div\(")
EXAMPLE = "# example: "
CELLS = ("model", "contract", "tests", "scenarios")
REFUSAL_CELLS = ("class", "cause", "raised_by", "actions", "remedy")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's definition. ``text`` has its formulas in place; ``parts`` are functions that are part of it."""

    rule: str
    heading: str
    page: str
    line: int
    text: str
    formula: str
    rounding: str
    parts: Mapping[str, str]
    examples: tuple[str, ...]
    places: Mapping[str, Sequence[str]]


@dataclass(slots=True)
class _Section:
    """Lines under one heading, with their numbers; a fenced block is one entry of several lines."""

    heading: str
    entries: list[tuple[int, str]] = field(default_factory=list)


@cache
def read_rules() -> dict[str, tuple[str, str, int]]:
    """Heading, page and line of every definition, by id in the order of the rule table."""
    found = {}
    for page, sections in all_sections().items():
        for section in sections:
            for number, text in section.entries:
                defined = DEFINITION.match(text)
                if defined:
                    found[defined[1]] = (section.heading, page, number)
    return {rule: found[rule] for rule in read_table()}


def read_rule(rule: str) -> Rule:
    """The definition of a rule that there is."""
    heading, page, line = read_rules()[rule]
    section = next(s for s in all_sections()[page] if any(number == line for number, _ in s.entries))
    entries = list(_own_entries(section, line))
    text = _plain("\n".join(entries))
    blocks = [entry for entry in entries if _is_block(entry)]
    return Rule(
        rule=rule,
        heading=heading,
        page=page,
        line=line,
        text=text,
        formula="\n".join(_inside(block) for block in blocks),
        rounding=" ".join(_sentences_on_rounding(text)) or ("`fdiv` down, `cdiv` up." if DIVISION.search(text) else ""),
        parts=dict(_parts(rule)),
        examples=tuple(_examples(rule, page)),
        places=read_table()[rule],
    )


def _own_entries(section: _Section, line: int) -> Iterator[str]:
    """The entries of a definition: up to the next one, and of a numbered item what is indented below it."""
    numbered = False
    for number, entry in section.entries:
        if number == line:
            numbered = not entry.startswith("**")
            yield re.sub(r"^(?:\d+\. )?\*\*[^*]+\*\* ", "", entry)
        elif number > line:
            if DEFINITION.match(entry) or (numbered and entry and not entry.startswith(" ")):
                return
            if not _is_example(entry):
                yield re.sub("^ {2,4}(?=[^ ])", "", entry) if numbered else entry


def _parts(rule: str) -> Iterator[tuple[str, str]]:
    """Functions that are part of a rule, and what their sections say."""
    for heading, text in _all_parts():
        if rule in _wholes(text):
            yield heading, text


def _wholes(text: str) -> list[str]:
    """The rules that a section says it is part of."""
    return re.findall(rf"\b{ID}\b", re.split(r"\.\s", text, maxsplit=1)[0])


@cache
def read_names() -> dict[str, list[str]]:
    """Rules by the heading they stand under, mostly a function's name, and by functions that are part of them."""
    rules = read_rules()
    found: dict[str, list[str]] = {}
    for rule, (heading, _, _) in rules.items():
        found.setdefault(heading, []).append(rule)
    for heading, text in _all_parts():
        found.setdefault(heading, []).extend(rule for rule in _wholes(text) if rule in rules)
    return {name: list(dict.fromkeys(of)) for name, of in found.items() if of}


@cache
def _all_parts() -> list[tuple[str, str]]:
    """Sections that begin with what they are part of."""
    return [
        (section.heading, _plain("\n".join(entry for _, entry in section.entries if not _is_example(entry))))
        for sections in all_sections().values()
        for section in sections
        if any(entry.startswith("Part of ") for _, entry in section.entries[:2])
    ]


def _examples(rule: str, page: str) -> list[str]:
    """The blocks that show a rule; of an action without its own, those of its page."""
    own = [example for _, example in _all_examples() if rule in example.splitlines()[0].split()]
    return own or [example for where, example in _all_examples() if where == page]


@cache
def _all_examples() -> list[tuple[str, str]]:
    """Every worked example, after its page."""
    return [
        (page, _inside(entry))
        for page, sections in all_sections().items()
        for section in sections
        for _, entry in section.entries
        if _is_example(entry)
    ]


def _is_example(entry: str) -> bool:
    return _is_block(entry) and _inside(entry).startswith(EXAMPLE)


def _is_block(entry: str) -> bool:
    return entry.lstrip().startswith("```")


def _inside(block: str) -> str:
    """A fenced block without its fences."""
    return "\n".join(block.splitlines()[1:-1])


def _sentences_on_rounding(text: str) -> Iterator[str]:
    prose = "\n".join(part for part in re.split(r"^`{3}[^`]*^`{3}$", text, flags=re.MULTILINE))
    for paragraph in prose.split("\n\n"):
        for sentence in re.split(r"(?<=[.;])\s+(?=[A-Z`])", " ".join(paragraph.split())):
            if re.search(r"\bround", sentence, re.IGNORECASE):
                yield sentence


def _plain(text: str) -> str:
    """Text without the targets of links and blank lines around it."""
    return re.sub(r"\n{3,}", "\n\n", LINK.sub(r"\1", text)).strip()


@cache
def all_sections() -> dict[str, list[_Section]]:
    """Every page's sections by its path under ``specs``."""
    pages = sorted(SPECS.rglob("*.md"))
    if not pages:
        raise InputError(SPECS, "there are no specifications here", remedy="run it in a checkout of the repository")
    return {path.relative_to(SPECS).as_posix(): list(_sections(path)) for path in pages}


def _sections(path: Path) -> Iterator[_Section]:
    section, fence, block, start = _Section(""), "", list[str](), 0
    for number, line in enumerate(read_text(path, MAX_BYTES).splitlines(), 1):
        found = FENCE.match(line)
        if fence:
            block.append(line)
            if found and found[1] == fence and not found[2]:
                section.entries.append((start, "\n".join(block)))
                fence = ""
        elif found:
            fence, block, start = found[1], [line], number
        elif heading := HEADING.match(line):
            yield section
            section = _Section(heading[1].strip())
        else:
            section.entries.append((number, line))
    yield section


@cache
def read_table() -> dict[str, dict[str, list[str]]]:
    """The rule table of ``specs/README.md``: where model, contract, tests and scenarios name a rule, by id."""
    return {
        rule: {name: [_place(*link) for link in LINK.findall(cell)] for name, cell in zip(CELLS, cells, strict=True)}
        for rule, _, *cells in _rows("README.md", rf"^\| {ID} \|")
    }


def _place(name: str, target: str) -> str:
    """A linked file of the repository, and the function in it that the link names."""
    path = target.removeprefix("../")
    return path if Path(path).stem == name or Path(path).name == name else f"{path} {name}"


def read_refusals() -> dict[str, dict[str, str]]:
    """The refusals of ``specs/refusals.md`` by code."""
    return {
        _bare(code): dict(zip(REFUSAL_CELLS, map(_bare, cells), strict=True))
        for code, *cells in _rows("refusals.md", r"^\| `[a-z]+/")
        if len(cells) == len(REFUSAL_CELLS)  # what is not a refusal has fewer
    }


def _bare(cell: str) -> str:
    return _plain(cell).replace("`", "")


def _rows(page: str, pattern: str) -> Iterator[list[str]]:
    for line in read_text(SPECS / page, MAX_BYTES).splitlines():
        if re.match(pattern, line):
            yield [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split(" |")]
