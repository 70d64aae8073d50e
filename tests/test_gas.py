"""The committed gas table stays below what others pay and grows in proportion; ``.ci/run`` holds it to the code."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

SPECS = Path(__file__).parents[1] / "specs"
TABLE = {
    (row["action"], row["case"], row["positions"], row["collaterals"]): row["gas"]
    for row in json.loads((SPECS / "gas.json").read_text("utf-8"))
}
BOUND = re.compile(
    r"^\| `(?P<action>\w+)` (?P<case>[^|]*?) ?\| (?P<positions>\d+), (?P<collaterals>\d+) \| (?P<ours>[\d,]+) "
    r"\| (?P<peer>[\d,]+|-) \| (?P<bound>[\d,]+) \|"
)
# By the case, how much more each of the positions 9 to 16 may cost than each of the positions 2 to 8.
GROWING = (
    ("liquidate", "whole account"),
    ("liquidate", "partial, nearly everything"),
    ("liquidate", "bad debt"),
    ("trade", "increase"),
    ("withdraw", "USDC"),
    ("close_all", ""),
    ("health", ""),
)


def bounds() -> list[re.Match[str]]:
    """The rows of the page's table of bounds."""
    lines = (SPECS / "gas.md").read_text("utf-8").splitlines()
    return [found for line in lines if (found := BOUND.match(line))]


def number(text: str) -> int:
    """A figure of the page."""
    return int(text.replace(",", ""))


def quoted() -> list[tuple[str, str]]:
    """Figures on the pages of decisions: of a sentence that names the gas table, or of the table that follows it.

    Not of the table of 0008, which compares two forms as they were when it was decided.
    """
    found = []
    for page in sorted((SPECS / "decisions").glob("*.md")):
        for text, table in pairwise((*page.read_text("utf-8").split("\n\n"), "")):
            told = [part for part in re.split(r"\.\s", text) if "`specs/gas.json`" in part]
            if told and table.startswith("|"):
                told = [] if page.stem == "0008-windows" else [table]
            found += [(page.stem, figure) for part in told for figure in re.findall(r"\b\d{1,3}(?:,\d{3})+\b", part)]
    return found


@pytest.mark.parametrize(("page", "figure"), quoted())
def test_a_figure_of_a_decision_is_a_committed_one(page: str, figure: str) -> None:
    """S7: a page that quotes the gas table changes with it."""
    assert number(figure) in TABLE.values(), page


def test_the_page_has_its_table() -> None:
    assert len(bounds()) >= 20


@pytest.mark.parametrize("row", bounds(), ids=lambda row: f"{row['action']} {row['case']} {row['positions']}")
def test_a_figure_is_the_committed_one_and_within_its_bound(row: re.Match[str]) -> None:
    """S7: the bound is the cheapest cross-margin peer's figure where there is one, or what the page says."""
    gas = TABLE[row["action"], row["case"], int(row["positions"]), int(row["collaterals"])]
    assert number(row["ours"]) == gas
    assert gas <= number(row["bound"])
    if row["peer"] != "-" and (row["action"], row["case"]) != ("deposit", "USDC, repeat"):
        assert number(row["bound"]) <= number(row["peer"])


@pytest.mark.parametrize(("action", "case"), GROWING)
def test_gas_grows_in_proportion_to_positions(action: str, case: str) -> None:
    """S7: a position among the last eight costs at most a tenth more than one among the first."""
    one, eight, sixteen = (TABLE[action, case, positions, 1] for positions in (1, 8, 16))
    assert (sixteen - eight) / 8 <= 1.1 * (eight - one) / 7


def test_the_page_has_every_figure_of_a_source() -> None:
    section = (SPECS / "gas.md").read_text("utf-8").split("## Sources of prices\n")[1].split("\n## ")[0]
    figures = [f"{gas:,}" for (action, *_), gas in TABLE.items() if action in {"oracle read", "oracle write"}]
    assert len(figures) == 19
    assert [figure for figure in figures if f"| {figure} |" not in section] == []


def test_the_worst_liquidation_is_within_two_million() -> None:
    """S7: over every kind of liquidation and every number of positions and collaterals."""
    assert max(gas for (action, *_), gas in TABLE.items() if action == "liquidate") <= 2_000_000
