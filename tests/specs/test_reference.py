"""The reference pages list exactly what the code has: refusals, events, constants, slots, tables, invariants."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

from contracts_py.compile import ORACLES, Artifact, compile_all
from crossmargin.replay.trace import SCHEMA
from oracle import averages, feeds, graph, growth_cap, median, pull
from oracle.errors import REFUSALS
from protocol import actions, events
from protocol.transition import PROCESS
from tests.specs.pages import ROOT, SPECS, Page, spec_pages
from tests.specs.rules import PURE

# Events by the contract that has them, in the order of specs/events.md.
ORACLE_EVENTS: dict[str, tuple[type, ...]] = {
    "oracles/Averages": (averages.Observed,),
    "oracles/GrowthCap": (growth_cap.SnapshotSet,),
    "oracles/Median": (median.Submitted,),
    "oracles/PullFeed": get_args(pull.PullEvent),
    "oracles/Graph": get_args(graph.GraphEvent),
}
CONTRACT_OF = {cls.__name__: contract for contract, kinds in ORACLE_EVENTS.items() for cls in kinds}
ALL_EVENTS = {
    cls.__name__: cls
    for cls in (
        *get_args(events.Event),
        *get_args(feeds.HubEvent),
        *(c for k in ORACLE_EVENTS.values() for c in k),
    )
}
CONTRACTS_ONLY = {"token/transfer-failed", "token/amount-mismatch", "oracle/gas"}


@pytest.fixture(scope="module")
def sources() -> dict[str, Artifact]:
    """The sources of prices, compiled once."""
    return compile_all(names=ORACLES)


def rows_of(page: str, head: str) -> Iterator[list[str]]:
    """Cells of every table row below a head that begins with ``head``, on a page of specs/."""
    inside = False
    for _, line in Page(SPECS / page).prose():
        if line.startswith(f"| {head}"):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("| ---"):
            yield [cell.strip() for cell in line.strip().strip("|").split(" | ")]


def plain(cell: str) -> str:
    """A cell without the marks of code."""
    return cell.strip("`")


# --- refusals -------------------------------------------------------------------------------------------------------


class Calls:
    """Which function of the model calls which, and what each raises. A function is its file and its name."""

    def __init__(self) -> None:
        self.called: dict[tuple[Path, str], set[str]] = {}
        self.raised: dict[tuple[Path, str], set[str]] = {}
        for package in PURE:
            for path in (ROOT / package).glob("*.py"):
                for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                    if isinstance(node, ast.FunctionDef):
                        self._read(path, node)

    def _read(self, path: Path, function: ast.FunctionDef) -> None:
        called = self.called.setdefault((path, function.name), set())
        raised = self.raised.setdefault((path, function.name), set())
        for node in ast.walk(function):
            match node:
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                    called.add(name)
                case ast.Raise(exc=ast.Attribute(attr=name) | ast.Call(func=ast.Attribute(attr=name))):
                    raised.add(name)
                case ast.Raise(exc=ast.Name(id=name) | ast.Call(func=ast.Name(id=name))):
                    raised.add(name)

    def find(self, caller: Path, name: str) -> set[tuple[Path, str]]:
        """The functions that a call may mean: that of the same file, else all in layers that may be imported."""
        if (caller, name) in self.called:
            return {(caller, name)}
        layers = PURE[: PURE.index(caller.parent.name) + 1]
        return {found for found in self.called if found[1] == name and found[0].parent.name in layers}

    def reach(self, function: tuple[Path, str]) -> set[str]:
        """Classes that a function may raise, itself or through others."""
        seen, waiting, found = set[tuple[Path, str]](), [function], set[str]()
        while waiting:
            current = waiting.pop()
            if current not in seen:
                seen.add(current)
                found |= self.raised[current]
                for name in self.called[current]:
                    waiting.extend(self.find(current[0], name))
        return found


def test_refusals_are_listed_with_their_classes() -> None:
    listed = [(plain(row[0]), plain(row[1])) for row in rows_of("refusals.md", "Code")]
    assert listed == [(code, cls.__name__) for code, cls in REFUSALS.items()]


ACTIONLESS = {"none: a read", "none: deployment"}


def test_refusals_are_listed_with_those_who_raise_them() -> None:
    calls = Calls()
    reach = {name: calls.reach((path, name)) for path, name in calls.called if name.startswith("process_")}
    bad = []
    for row in rows_of("refusals.md", "Code"):
        code, cls, by, taken = plain(row[0]), plain(row[1]), row[3], row[4]
        if code in CONTRACTS_ONLY:
            continue
        raisers = {name for (_, name), raised in calls.raised.items() if cls in raised}
        reached = {name.removeprefix("process_") for name, found in reach.items() if cls in found}
        if {plain(name) for name in by.split(", ")} != raisers:
            bad.append(f"{code}: raised by {sorted(raisers)}")
        if (set() if taken in ACTIONLESS else set(taken.split(", "))) != reached:
            bad.append(f"{code}: actions {sorted(reached)}")
    assert bad == []


def test_codes_in_prose_exist() -> None:
    areas = {code.partition("/")[0] for code in REFUSALS} - {"oracle"}
    own = {"sys/panic", "sys/return-size", "sys/self-only"}
    bad = []
    for page in spec_pages():
        for number, line in page.prose():
            for code in re.findall(r"`([a-z]+/[a-z-]+)`", line):
                area = code.partition("/")[0]
                known = code in REFUSALS or code in own or (ROOT / code).exists()
                if not known and (area in areas or area == "oracle"):
                    bad.append(f"{page.name}:{number}: {code}")
    assert bad == []


@pytest.mark.parametrize("name", sorted(cls.__name__ for cls in PROCESS))
def test_every_action_has_a_page(name: str) -> None:
    documented = re.search(r"\((specs/actions/\w+\.md)\)", inspect.getdoc(getattr(actions, name)) or "")
    assert documented
    heading = "process_" + re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    assert heading in {text for _, _, text in Page(ROOT / documented[1]).headings()}


# --- events ---------------------------------------------------------------------------------------------------------


def test_events_are_listed_in_order() -> None:
    listed = [text for _, level, text in Page(SPECS / "events.md").headings() if level == 3]
    assert listed == list(ALL_EVENTS)


@pytest.mark.parametrize("name", ALL_EVENTS)
def test_the_event_is_listed_with_its_fields(name: str, sources: dict[str, Artifact]) -> None:
    text = (SPECS / "events.md").read_text("utf-8")
    section = text.split(f"\n### {name}\n")[1].split("\n#")[0]
    listed = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section, re.MULTILINE)
    assert [field for field, _ in listed] == [field.name for field in fields(ALL_EVENTS[name])]
    indexed = {field for field, unit in listed if "indexed" in unit}
    if name in CONTRACT_OF:
        assert indexed == {field for field, is_topic in shape_of(sources[CONTRACT_OF[name]])[name] if is_topic}
    else:
        assert indexed == {field for field, _ in listed if field in events.INDEXED | {"feed"}}


def shape_of(artifact: Artifact) -> dict[str, list[tuple[str, bool]]]:
    """Name of each event of a contract, and its fields: name, and whether it is a topic."""
    return {
        entry["name"]: [(item["name"], item["indexed"]) for item in entry["inputs"]]
        for entry in artifact.abi
        if entry["type"] == "event"
    }


@pytest.mark.parametrize("contract", ORACLES)
def test_the_events_of_a_source_are_those_of_its_model(contract: str, sources: dict[str, Artifact]) -> None:
    told = {cls.__name__: [field.name for field in fields(cls)] for cls in ORACLE_EVENTS[contract]}
    assert {name: [field for field, _ in shape] for name, shape in shape_of(sources[contract]).items()} == told


# --- constants ------------------------------------------------------------------------------------------------------


def model_modules() -> list[ModuleType]:
    """All modules of the model."""
    return [
        importlib.import_module(f"{package}.{path.stem}")
        for package in PURE
        for path in sorted((ROOT / package).glob("*.py"))
    ]


def find_constants() -> list[tuple[str, str, str]]:
    """Place, name and value of each constant that the prose quotes as `NAME = value`."""
    return [
        (f"{page.name}:{number}", name, value)
        for page in spec_pages()
        for number, line in page.prose()
        for name, value in re.findall(r"`([A-Z][A-Z_]*) = ([\d_* ]+)`", line)
    ]


def test_constants_in_prose_are_those_of_the_code() -> None:
    found = find_constants()
    assert len(found) > 10
    bad = []
    for place, name, text in found:
        values = {getattr(module, name) for module in model_modules() if hasattr(module, name)}
        base, _, exponent = text.replace(" ", "").partition("**")
        value = int(base) ** int(exponent) if exponent else int(base)
        if values != {value}:
            bad.append(f"{place}: {name} is {sorted(values)}")
    assert bad == []


# --- storage --------------------------------------------------------------------------------------------------------


def flatten(layout: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, int, int]]:
    """Name, slot and number of slots of each variable of a layout."""
    for name, item in layout.items():
        if "slot" in item:
            yield prefix + name, item["slot"], item["n_slots"]
        else:
            yield from flatten(item, prefix if name == "storage" else f"{prefix}{name}.")


def test_slots_are_those_of_the_compiler(artifacts: dict[str, Artifact], sources: dict[str, Artifact]) -> None:
    listed = [(plain(row[0]), int(row[1]), int(row[2])) for row in rows_of("storage.md", "Variable")]
    compiled = [artifacts["CrossMargin"], artifacts["FeedHub"], *(sources[name] for name in ORACLE_EVENTS)]
    assert listed == [slot for contract in compiled for slot in flatten(contract.layout["storage_layout"])]


def test_the_parts_of_a_word_fill_it() -> None:
    words: dict[str, list[tuple[int, int]]] = {}
    name = ""
    for word, bits, _ in rows_of("storage.md", "Word"):
        name = word or name
        high, _, low = bits.partition(" to ")
        words.setdefault(name, []).append((int(high), int(low or high)))
    assert len(words) > 10
    for name, parts in words.items():
        highs, lows = [high for high, _ in parts], [low for _, low in parts]
        assert (highs[0], lows[-1]) == (255, 0), name
        assert highs[1:] == [low - 1 for low in lows[:-1]], name


# --- trace ----------------------------------------------------------------------------------------------------------


def test_the_tables_of_a_trace_are_those_of_its_schema() -> None:
    database = sqlite3.connect(":memory:")
    database.executescript(SCHEMA)
    tables = [
        name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
    ]
    text = (SPECS / "trace.md").read_text("utf-8")
    assert re.findall(r"^### (\w+)$", text, re.MULTILINE) == tables
    for table in tables:
        section = text.split(f"\n### {table}\n")[1].split("\n#")[0]
        listed = re.findall(r"^\| `(\w+)` \| (\w+) \|", section, re.MULTILINE)
        columns = [(row[1], row[2]) for row in database.execute(f"PRAGMA table_info({table})")]
        assert listed == columns, table


def test_queries_on_a_trace_run() -> None:
    database = sqlite3.connect(":memory:")
    database.executescript(SCHEMA)
    queries = [block.text for block in Page(SPECS / "trace.md").blocks() if block.info == "sql"]
    assert queries
    for query in queries:
        assert database.execute(query).fetchall() == []


# --- invariants -----------------------------------------------------------------------------------------------------

CLAIM = r"[BCFLMNOPRSTWX]\d{1,2}"


def listed_claims() -> list[str]:
    """Ids of invariants.md, in order."""
    text = (SPECS / "invariants.md").read_text("utf-8")
    pairs = text.split("Metamorphic pairs:")[1].split("\n\n")[0]
    return [*re.findall(rf"^\| ({CLAIM}) \|", text, re.MULTILINE), *re.findall(rf"\b({CLAIM})\b", pairs)]


def test_predicates_are_listed() -> None:
    raised = set()
    for path in ("protocol/invariants.py", "crossmargin/replay/books.py", "crossmargin/replay/chain.py"):
        raised |= set(re.findall(rf'"({CLAIM})"|f"({CLAIM}):', (ROOT / path).read_text("utf-8")))
    used = {one or other for one, other in raised}
    checked = [row[0] for row in rows_of("invariants.md", "Id | Statement")]
    assert used <= set(checked)
    assert set(checked) == used | {"C6", "C9"}  # parts of C5's predicate and of Books


def test_claims_are_listed_once() -> None:
    assert len(listed_claims()) == len(set(listed_claims()))


def test_claims_that_tests_name_are_listed() -> None:
    listed = set(listed_claims())
    bad = {
        f"{path.relative_to(ROOT)}: {found}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for found in claims_in(path)
        if found not in listed
    }
    assert sorted(bad) == []


def claims_in(path: Path) -> Iterator[str]:
    """Ids at the head of docstrings: what stands before the first colon, if it is a list of ids."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.Module):
            head = (ast.get_docstring(node) or "").partition(":")[0]
            if re.fullmatch(r"[A-Z]+-?\d+(?:(?:,| to) [A-Z]+-?\d+)*", head):
                yield from re.findall(rf"(?<![\w-])({CLAIM})(?!\w)", head)
