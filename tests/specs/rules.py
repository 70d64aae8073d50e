"""Rules by id: where the prose defines them, where code cites them, and the table of them in specs/README.md.

``python -m tests.specs.rules`` writes the table again.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from tests.specs.pages import ROOT, SPECS, Page, spec_pages

FAMILIES = (
    "UNIT",
    "CFG",
    "MRG",
    "PEG",
    "STA",
    "COL",
    "LED",
    "FIL",
    "FUN",
    "TRD",
    "ORD",
    "ACC",
    "TRF",
    "DEP",
    "WDR",
    "INS",
    "LPD",
    "LPR",
    "INV",
    "MCL",
    "LIQ",
    "SIZ",
    "RWD",
    "WIN",
    "WAT",
    "GOV",
    "ORC",
    "AVG",
    "CAP",
    "MED",
    "PUL",
    "SRC",
    "QUO",
    "GRD",
    "GRA",
    "POL",
    "VIEW",
)
ID = rf"(?:{'|'.join(FAMILIES)})-\d+"
DEFINITION = re.compile(rf"^(?:\d+\. )?\*\*({ID})\*\* ")
CITATION = re.compile(rf"\b({ID})(?: to ({ID}))?\b")
BEGIN, END = "<!-- rule table: begin -->", "<!-- rule table: end -->"
PURE = ("protocol", "oracle")
NONE = "none"


@dataclass(frozen=True)
class Definition:
    """Where the prose defines a rule."""

    rule: str
    page: str
    line: int
    heading: str


@dataclass(frozen=True)
class Citation:
    """A docstring or comment that cites a rule; ``name`` is its function or class, empty for a module."""

    rule: str
    path: str
    name: str
    is_function: bool
    is_exact: bool  # named by itself, not as part of a range


def sort_key(rule: str) -> tuple[int, int]:
    """Families in the order of ``FAMILIES``, then by number."""
    family, _, number = rule.partition("-")
    return FAMILIES.index(family), int(number)


@cache
def all_definitions() -> tuple[Definition, ...]:
    """Every definition, in the order of the pages; a rule defined twice is there twice."""
    found = []
    for page in spec_pages():
        heading = ""
        for number, line in page.prose():
            if line.startswith("#"):
                heading = line.lstrip("#").strip()
            defined = DEFINITION.match(line)
            if defined:
                found.append(Definition(defined[1], page.name, number, heading))
    return tuple(found)


def defined_rules() -> dict[str, Definition]:
    """Definitions by id, in order."""
    return {found.rule: found for found in sorted(all_definitions(), key=lambda found: sort_key(found.rule))}


def cited(text: str) -> Iterator[tuple[str, bool]]:
    """Ids that a text names, ranges spelled out, and whether each stands for itself."""
    for found in CITATION.finditer(text):
        first, last = found.groups()
        if last is None:
            yield first, True
            continue
        family, _, low = first.partition("-")
        for number in range(int(low), int(last.rpartition("-")[2]) + 1):
            yield f"{family}-{number}", False


@cache
def python_citations() -> tuple[Citation, ...]:
    """Citations in docstrings of the model."""
    return tuple(
        Citation(rule, path.relative_to(ROOT).as_posix(), name, is_function, is_exact)
        for package in PURE
        for path in sorted((ROOT / package).glob("*.py"))
        for name, is_function, text in docstrings(path.read_text("utf-8"))
        for rule, is_exact in cited(text)
    )


def docstrings(source: str) -> Iterator[tuple[str, bool, str]]:
    """Name, whether it is a function's, and text of each docstring; a module's name is empty."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "name", ""), isinstance(node, ast.FunctionDef), text


@cache
def vyper_citations() -> tuple[Citation, ...]:
    """Citations in docstrings and comments of the contracts."""
    found = []
    for path in sorted((ROOT / "contracts_py/vyper").rglob("*.vy")):
        for name, text in vyper_parts(path.read_text("utf-8")):
            for rule, is_exact in cited(text):
                found.append(Citation(rule, path.relative_to(ROOT).as_posix(), name, bool(name), is_exact))
    return tuple(found)


def vyper_parts(source: str) -> Iterator[tuple[str, str]]:
    """Function name and text of each part of a contract that explains: its header, comments, and docstrings."""
    head, *functions = re.split(r"^def (\w+)\(", source, flags=re.MULTILINE)
    yield "", "\n".join(line for line in head.splitlines() if "#" in line)
    for name, body in zip(functions[::2], functions[1::2], strict=True):
        docstring = re.search(r'"""(.*?)"""', body, re.DOTALL)
        yield name, docstring[1] if docstring else ""


def best(citations: Iterable[Citation], rule: str) -> list[Citation]:
    """The functions that cite a rule: by itself if there are any, else within a range, else the modules."""
    ours = [found for found in citations if found.rule == rule]
    for chosen in (
        [found for found in ours if found.is_function and found.is_exact],
        [found for found in ours if found.is_function],
        [found for found in ours if found.name],
        ours,
    ):
        if chosen:
            return chosen
    return []


@cache
def named_by_file(folder: str, suffix: str) -> dict[str, set[str]]:
    """What each file under a folder names, by its path; those that check the prose name rules as samples."""
    paths = {path.relative_to(ROOT).as_posix(): path for path in sorted((ROOT / folder).rglob(f"*{suffix}"))}
    return {
        name: {rule for rule, _ in cited(path.read_text("utf-8"))}
        for name, path in paths.items()
        if not name.startswith("tests/specs/")
    }


def files_naming(folder: str, suffix: str, rule: str) -> list[str]:
    """Files under a folder that name a rule, alone or within a range."""
    return [name for name, named in named_by_file(folder, suffix).items() if rule in named]


def make_row(rule: str, definition: Definition) -> list[str]:
    """The cells of a rule."""
    page = definition.page.removeprefix("specs/")
    anchor = re.sub(r"[^\w\- ]", "", definition.heading.lower()).replace(" ", "-")
    return [
        rule,
        f"[{definition.heading}]({page}#{anchor})",
        links(best(python_citations(), rule)),
        links(best(vyper_citations(), rule)),
        file_links(files_naming("tests", ".py", rule)),
        file_links(files_naming("specs/scenarios", ".yaml", rule)),
    ]


def links(citations: list[Citation]) -> str:
    """Functions, each linked to its file."""
    shown = dict.fromkeys(f"[{found.name or found.path.rpartition('/')[2]}](../{found.path})" for found in citations)
    return ", ".join(shown) or NONE


def file_links(paths: list[str]) -> str:
    """Files by stem, each linked."""
    stems = [path.rpartition("/")[2].rpartition(".")[0] for path in paths]
    return ", ".join(f"[{stem}](../{path})" for stem, path in zip(stems, paths, strict=True)) or NONE


def make_table() -> list[list[str]]:
    """All rows, head first."""
    head = ["Rule", "Heading", "Model", "Contract", "Tests", "Scenarios"]
    return [head, ["---"] * len(head), *(make_row(*item) for item in defined_rules().items())]


def read_table() -> list[list[str]]:
    """The rows as specs/README.md has them."""
    lines = Page(SPECS / "README.md").lines
    rows = lines[lines.index(BEGIN) + 1 : lines.index(END)]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows if row.startswith("|")]


def write_table() -> None:
    """Put the table as it should be into specs/README.md."""
    path = SPECS / "README.md"
    text = path.read_text("utf-8")
    rows = "\n".join("| " + " | ".join(row) + " |" for row in make_table())
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    path.write_text(f"{before}{BEGIN}\n\n{rows}\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    write_table()
