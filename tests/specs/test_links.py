"""Every link and every path that the pages name leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from oracle.errors import REFUSALS
from tests.specs.pages import ROOT, Page, spec_pages

PAGES = [*spec_pages(), *(Page(path) for path in sorted(ROOT.glob("*.md")))]
LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)")
FOLDERS = ("protocol", "oracle", "contracts_py", "crossmargin", "specs", "tests", "benchmarks")
PATH = re.compile(rf"^(?:{'|'.join(FOLDERS)})/[\w./*-]*$")


def find_links(page: Page) -> Iterator[tuple[int, str]]:
    """Line and target of each link outside code."""
    for number, line in page.prose():
        for target in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            yield number, target


def find_paths(page: Page) -> Iterator[tuple[int, str]]:
    """Line and text of each inline code that looks like a path of this repository."""
    for number, line in page.prose():
        for code in re.findall(r"`([^`]+)`", line):
            if PATH.match(code) and code not in REFUSALS and code != "oracle/*":  # "all refusals of the oracle"
                yield number, code


def is_broken(page: Page, target: str) -> bool:
    """Whether a link leads nowhere in this repository; links to other places are not looked at."""
    if re.match(r"^[a-z]+:", target):
        return False
    file, _, anchor = target.partition("#")
    path = (page.path.parent / file).resolve() if file else page.path
    if not path.exists() or not path.is_relative_to(ROOT):
        return True
    return bool(anchor) and (path.suffix != ".md" or anchor not in Page(path).anchors())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_resolves(page: Page) -> None:
    assert [f"{number}: {target}" for number, target in find_links(page) if is_broken(page, target)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_exists(page: Page) -> None:
    assert [f"{number}: {path}" for number, path in find_paths(page) if not list(ROOT.glob(path.rstrip("/")))] == []


def test_the_readers_of_links_and_paths_find_them() -> None:
    pages = {page.name: page for page in PAGES}
    assert sum(len(list(find_links(page))) for page in PAGES) > 100
    assert "protocol/units.py" in {path for _, path in find_paths(pages["specs/units.md"])}
    assert is_broken(pages["specs/units.md"], "margin.md#no-such-heading")
    assert is_broken(pages["specs/units.md"], "no_such_page.md")
    assert not is_broken(pages["specs/units.md"], "margin.md#compute_pnl")


def test_every_page_is_reached_from_the_index() -> None:
    pages = {page.path: page for page in spec_pages()}
    reached, waiting = set(), [ROOT / "specs" / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in reached or path not in pages:
            continue
        reached.add(path)
        for _, target in find_links(pages[path]):
            waiting.append((path.parent / target.partition("#")[0]).resolve())
    assert {page.name for path, page in pages.items() if path not in reached} == set()


def test_every_decision_is_listed() -> None:
    """Once in the table, by its number; the numbers leave none out."""
    text = (ROOT / "specs" / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| \[(\d{4})\]\(decisions/([\w-]+\.md)\) \|", text, re.MULTILINE)
    pages = sorted(path.name for path in (ROOT / "specs" / "decisions").glob("*.md"))
    assert rows == [(f"{number:04}", name) for number, name in enumerate(pages, start=1)]
    assert all(name.startswith(number) for number, name in rows)
