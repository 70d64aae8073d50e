from __future__ import annotations

import re
from pathlib import Path

import pytest

from crossmargin.errors import InputError
from crossmargin.library import PROFILES
from crossmargin.population.draws import DRAWN
from crossmargin.population.profile import TABLES, load_profile
from tests.crossmargin.population.stage import write_profile
from tests.specs.pages import SPECS

REFERENCE = load_profile(PROFILES.find("reference"))
PAGE = SPECS / "populations" / "README.md"


def test_the_tables_of_the_reference_profile_are_read_in_their_units() -> None:
    equity, leverage = REFERENCE.equity, REFERENCE.leverage
    assert (equity.shares[:3], equity.values[:3]) == ((0, 2_500, 5_000), (250_000_000, 600_000_000, 2_000_000_000))
    assert leverage.values == (100, 150, 250, 500, 900, 1_400, 1_900)
    assert REFERENCE.reaction.values == (5, 60, 300, 1_200, 3_600, 14_400)
    assert REFERENCE.stop.values == (100, 400, 1_000, 2_000)


def test_the_reference_profile_names_its_schema() -> None:
    path = PROFILES.find("reference")
    named = path.read_text("utf-8").split("\n", 1)[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / named).resolve() == SPECS / "schema" / "profile.schema.json"


def test_the_page_quotes_the_quantiles_of_the_profile() -> None:
    page = PAGE.read_text("utf-8")
    rows = re.findall(r"^\| (equity|leverage) \|[^|]*\| (.+) \|$", page, re.MULTILINE)
    assert [name for name, _ in rows] == ["equity", "leverage"]
    for name, cells in rows:
        table = getattr(REFERENCE, name)
        scale = {"equity": 10**6, "leverage": 100}[name]
        quoted = [round(float(cell.replace(",", "")) * scale) for cell in cells.split(" | ")]
        percents = (10, 25, 50, 75, 90, 95, 99)
        assert [table.at(-(-DRAWN * percent // 100)) for percent in percents] == quoted


def read(folder: Path, text: str) -> None:
    path = folder / "told.yaml"
    path.write_text(text, "utf-8")
    load_profile(path)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_must_be_there(tmp_path: Path, name: str) -> None:
    lines = [line for line in write_profile().splitlines(keepends=True) if not line.startswith(f"{name}:")]
    with pytest.raises(InputError, match=f"the key `{name}` is missing"):
        read(tmp_path, "".join(lines))


BAD_TABLES = {
    "a single quantile": ("equity", "[{share: 0, value: 5}]", 1, "`equity` has 1 quantiles"),
    "not from 0": ("equity", "[{share: 0.1, value: 5}, {share: 1, value: 6}]", 18, "is not that of share 0"),
    "not to 1": ("equity", "[{share: 0, value: 5}, {share: 0.9, value: 6}]", 40, "is not that of share 1"),
    "twice one share": (
        "equity",
        "[{share: 0, value: 5}, {share: 0, value: 6}, {share: 1, value: 7}]",
        40,
        "shares rise from one quantile to the next",
    ),
    "falling": ("equity", "[{share: 0, value: 5}, {share: 1, value: 4}]", 50, "values never fall"),
    "no equity": ("equity", "[{share: 0, value: 0}, {share: 1, value: 4}]", 28, "`equity` is 0 for some"),
    "no leverage": ("leverage", "[{share: 0, value: 0}, {share: 1, value: 4}]", 30, "`leverage` is 0 for some"),
    "more than all": ("stop", "[{share: 0, value: 0.1}, {share: 1, value: 1.1}]", 50, "a part is at most 1"),
    "years": ("reaction", "[{share: 0, value: 0s}, {share: 1, value: 367d}]", 53, "this is longer than a run"),
    "a number as a time": ("reaction", "[{share: 0, value: 5}, {share: 1, value: 6}]", 30, "`5` is not a duration"),
    "too fine": ("leverage", "[{share: 0, value: 1.234}, {share: 1, value: 4}]", 30, "`1.234` has 3 decimals"),
    "no list": ("equity", "{share: 0}", 9, "a list is needed here, not a mapping"),
}


@pytest.mark.parametrize(("name", "table", "column", "message"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_a_table_that_is_no_distribution_is_refused_where_it_is_wrong(
    tmp_path: Path, name: str, table: str, column: int, message: str
) -> None:
    lines = [f"{name}: {table}" if line.startswith(f"{name}:") else line for line in write_profile().splitlines()]
    with pytest.raises(InputError) as caught:
        read(tmp_path, "\n".join(lines))
    assert message in caught.value.message
    assert (caught.value.line, caught.value.column) == (2 + TABLES.index(name), column)


def test_every_wrong_table_is_told(tmp_path: Path) -> None:
    text = write_profile(stop="2", panic="3")
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert [error.line for error in (caught.value, *caught.value.others)] == [7, 8]
