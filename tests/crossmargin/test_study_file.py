"""Study files: the mistakes in them, each told with its place before the first run."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossmargin.errors import InputError
from crossmargin.library import PARAMETERS
from crossmargin.study.plan import check_variants, parse_study, prepare
from crossmargin.yamltext import parse_yaml
from tests.crossmargin.loading import DATA

STUDY = DATA / "study.yaml"
TEXT = STUDY.read_text("utf-8")
SMALL = DATA / "small_population.yaml"
CONCLUSION = "Bad debt is {values bad_debt | now | small}; late it changes by {changes bad_debt | late | all}."
MISTAKES: dict[str, tuple[str, str, int, int, str]] = {
    "no seeds": ("seeds: 3", "seeds: 0", 8, 8, "a study needs a seed"),
    "no such scenario": ("small_population.yaml", "small.yaml", 10, 10, "no such file"),
    "no title": ("title: A small study", "title: ''", 1, 8, "one line is needed here"),
    "a title of two lines": ("axis: latency", 'axis: "late\\nness"', 11, 7, "one line is needed here"),
    "a scenario twice": ("axis: latency", "  same: ./small_population.yaml\naxis: latency", 11, 9, "`small` is this"),
    "a measure twice": ("[bad_debt, liq", "[bad_debt, bad_debt, liq", 16, 22, "`bad_debt` is measured already"),
    "all": ("  small: small", "  all: small", 10, 3, "`all` stands for every scenario"),
    "no scenarios": ("scenarios:\n  small: small_population.yaml", "scenarios: {}", 9, 1, "nothing stands here"),
    "a bad label": ("  now: {set", "  now!: {set", 14, 3, "`now!` is not a label"),
    "against itself": ("against: now", "against: late", 15, 62, "unknown other variant `late`"),
    "against nobody": ("against: now", "against: never", 15, 62, "unknown other variant `never`"),
    "no setting": ('["keepers={kestrel: {}}"]', "[keepers]", 14, 15, "keepers: `keepers` sets nothing"),
    "no setting of all": ("axis: latency", "always: [insurance=1, novel=1]\naxis: latency", 11, 23, "novel=1: `novel`"),
    "a setting twice": ('"keepers={kestrel: {}}"', "insurance=1, insurance=2", 14, 28, "insurance=2: the same value"),
    "the seed": ('"keepers={kestrel: {}}"', "population.seed=7", 14, 15, "the seeds of a study are its own"),
    "a picture of nothing": ("changes: [lost]", "changes: [los]", 19, 13, "unknown measure of the study `los`"),
    "labels too long": ("  now:", "  nowandforeverandeverandE:", 13, 1, "the labels do not fit side by side"),
    "a blank with a typo": ("{values bad_debt |", "{value bad_debt |", 21, 5, "unknown word `value`"),
    "a blank of two": ("| now | small}", "| now}", 21, 5, "says nothing that can be filled in"),
    "a blank of nothing": ("| now | small}", "| now | smal}", 21, 5, "unknown scenario `smal`"),
    "a base that changes": ("{values bad_debt | now", "{changes bad_debt | now", 21, 5, "is not held against another"),
    "a brace": ("late it changes", "late } it changes", 21, 5, "a brace stands alone"),
    "a typed number": ("Bad debt is", "Bad debt is 7 or", 21, 5, "a number is typed here"),
    "no blank": (CONCLUSION, "Bad debt is large.", 21, 5, "no number of the runs stands in this sentence"),
    "an unknown key": ("axis:", "axes:", 11, 1, "unknown key `axes`, did you mean `axis`?"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_place(mistake: str) -> None:
    old, new, line, column, message = MISTAKES[mistake]
    assert old in TEXT
    with pytest.raises(InputError) as told:
        parse_study(parse_yaml(TEXT.replace(old, new), STUDY))
    assert message in told.value.message
    assert (told.value.line, told.value.column) == (line, column)


@pytest.mark.parametrize("name", ["a study", "-study", "study]", "bad\udcff", "s" * 65])
def test_a_study_whose_name_is_none_for_its_files_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="could not be linked to"):
        parse_study(parse_yaml(TEXT, DATA / f"{name}.yaml"))


def test_changes_without_another_variant_are_refused() -> None:
    with pytest.raises(InputError, match="no variant is held against another") as told:
        parse_study(parse_yaml(TEXT.replace(", against: now", ""), STUDY))
    assert told.value.line == 19


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("small_population.yaml", "switches.yaml", 10, "this scenario has no population"),
        ("closed.BTC, closed", "closed.DOGE, closed", 16, "unknown measure `closed.DOGE`"),
        ("closed.BTC, closed", "liquidate, closed", 16, "unknown measure `liquidate`, did you mean `liquidated`?"),
    ],
)
def test_what_the_scenarios_do_not_have_is_told_before_the_first_run(
    old: str, new: str, line: int, message: str
) -> None:
    with pytest.raises(InputError) as told:
        prepare(parse_study(parse_yaml(TEXT.replace(old, new), STUDY)))
    assert message in told.value.message
    assert told.value.line == line


def test_what_a_variant_breaks_is_told_at_the_variant() -> None:
    text = TEXT.replace(
        '"keepers={kestrel: {latency: 2h}}"', "risk.backstop_ratio=0.5, switches.partial_liquidation=off"
    )
    with pytest.raises(InputError) as told:
        check_variants(parse_study(parse_yaml(text, STUDY)))
    assert (told.value.line, told.value.column) == (15, 9)
    assert "small_population: nothing reads this value while the switch" in told.value.message


def test_a_variant_whose_parameter_set_lacks_the_market_of_a_measure_is_refused(tmp_path: Path) -> None:
    text = (PARAMETERS.path / "reference.yaml").read_text("utf-8")
    before, found, _ = text.rpartition("  ETH:\n    feed: ETH\n")
    assert found
    (tmp_path / "one_market.yaml").write_text(before, "utf-8")
    scenario = SMALL.read_text("utf-8").replace("markets: {BTC: 1, ETH: 2}", "markets: {BTC: 1}")
    (tmp_path / "small.yaml").write_text(scenario.replace("basket: 1, spread: 1, covered: 1", "covered: 1"), "utf-8")
    other = f"params={tmp_path / 'one_market.yaml'}"
    study = TEXT.replace("small_population", "small").replace("keepers={kestrel: {latency: 2h}}", other)
    with pytest.raises(InputError, match=r"nothing is measured by `liquidated.ETH` with this parameter set") as told:
        check_variants(parse_study(parse_yaml(study, tmp_path / "mine.yaml")))
    assert (told.value.line, told.value.column) == (15, 9)
