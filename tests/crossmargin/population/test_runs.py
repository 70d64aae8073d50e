"""The populations that ship, and a small one: that runs meet their expectations, and are the same everywhere."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from contracts_py.keys import address_of
from crossmargin.library import PROFILES, SCENARIOS
from crossmargin.population.draws import Draws
from crossmargin.population.file import BehavioursModel, BooksModel
from crossmargin.population.profile import load_profile
from crossmargin.replay.command import Run
from crossmargin.replay.command import replay as replay_into
from crossmargin.replay.crowd import MemberTotals, add_up_members, tell_population
from crossmargin.replay.run import Replay
from crossmargin.replay.story import Story
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import ANY_OUTCOME, Scenario
from crossmargin.text import dollars, moment
from crossmargin.variants import load_variant, read_variant
from protocol.account_state import AccountState
from protocol.codec import digest
from protocol.units import W
from tests.crossmargin.loading import DATA
from tests.specs.pages import SPECS

NAMES = ("crash_2020_03", "crash_2022_05", "crash_2022_06", "crash_2025_02", "crash_2025_10", "quiet_2023_04")
LONG = ("crash_2020_03", "crash_2022_06")  # of many rounds: played in the deep tests only
SMALL = DATA / "small_population.yaml"
SCENARIOS_PAGE = SPECS / "scenarios" / "README.md"
PROFILES_PAGE = SPECS / "populations" / "README.md"
needs_pyrevm = pytest.mark.skipif(find_spec("pyrevm") is None, reason="pyrevm is not installed")


@cache
def load(name: str) -> Scenario:
    return load_scenario(SCENARIOS.find(name), address_of)


def play(scenario: Scenario, engine: str, folder: Path) -> Run:
    return replay_into(scenario, engine, "pyrevm", folder / "run", lambda doing, done: None)


@cache
def follow(name: str) -> tuple[list[MemberTotals], Story, Replay]:
    """The totals of a population on the model, the story, and the finished run."""
    return follow_scenario(load(name))


def totals_of(scenario: Scenario) -> list[MemberTotals]:
    return follow_scenario(scenario)[0]


def follow_scenario(scenario: Scenario) -> tuple[list[MemberTotals], Story, Replay]:
    run, story = Replay(scenario, "model", None), Story()
    last = None
    for done in run.play():
        last = done
        story.take(done)
    assert last is not None
    return add_up_members(scenario.members, scenario.accounts, story, last), story, run


# --- the six --------------------------------------------------------------------------------------------------------


def test_every_scenario_with_a_population_is_here() -> None:
    assert [name for name in SCENARIOS.names() if load_members(name)] == sorted(NAMES)


def load_members(name: str) -> bool:
    return "\npopulation:\n" in SCENARIOS.find(name).read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_it_has_200_accounts_of_every_book_and_behaviour_and_names_its_sources(name: str) -> None:
    scenario = load(name)
    assert len(scenario.members) >= 200
    assert {member.book for member in scenario.members} == set(BooksModel.model_fields)
    assert {member.behaviour for member in scenario.members} == set(BehavioursModel.model_fields)
    assert len({member.token for member in scenario.members}) >= 3
    assert any(keeper.latency for keeper in scenario.keepers)
    assert scenario.expect.totals.keys() == {
        "liquidations", "refusals", "bad_debt", "insurance_fund", "pool_value", "deficit",
    }  # fmt: skip
    head = " ".join(
        line.removeprefix("# ") for line in scenario.path.read_text("utf-8").splitlines() if line[:1] == "#"
    )
    assert "What happened: " in head
    assert "Sources: prices, Binance" in head


@pytest.mark.parametrize("name", [name for name in NAMES if name not in LONG])
def test_the_model_meets_every_expectation(tmp_path: Path, name: str) -> None:
    run = play(load(name), "model", tmp_path)
    assert (run.failure, run.missed) == ("", ())
    assert read_figures(name) == [show(run.result[key]) for key in FIGURES]


@needs_pyrevm
@pytest.mark.deep
@pytest.mark.parametrize("name", NAMES)
def test_model_and_contracts_agree_with_the_whole_population(tmp_path: Path, name: str) -> None:
    run = play(load(name), "lockstep", tmp_path)
    assert (run.failure, run.missed, run.result["divergences"]) == ("", (), 0)
    assert read_figures(name) == [show(run.result[key]) for key in FIGURES]


def test_in_the_crash_longs_are_liquidated_and_hedgers_are_not() -> None:
    members, _, _ = follow("crash_2025_10")
    of = Counter(one.member.book for one in members)
    liquidated = Counter(one.member.book for one in members if one.liquidated)
    assert liquidated["long"] * 3 > of["long"]
    assert liquidated["short"] == liquidated["covered"] == 0
    page = " ".join(PROFILES_PAGE.read_text("utf-8").split())
    longs, shorts = of["long"], of["short"]
    percent = round(100 * liquidated["long"] / longs)
    assert f"it is {percent} % ({liquidated['long']} of {longs}) and none of {shorts}." in page


def test_the_page_tells_who_left_most_of_the_bad_debt_of_october() -> None:
    members, story, _ = follow("crash_2025_10")
    worst = max(story.liquidations, key=lambda found: found.report.bad_debt)
    name = next(one.member.name for one in members if one.bad_debt == worst.report.bad_debt)
    page = " ".join(SCENARIOS_PAGE.read_text("utf-8").split())
    assert worst.report.account_state == AccountState.BANKRUPT
    at = moment(worst.time).split()[-1]
    assert f"`{name}` is found BANKRUPT at {at} and leaves {dollars(worst.report.bad_debt)} of the" in page
    assert f"most of the {len(story.liquidated)} accounts that are liquidated" in page


def test_more_capacity_leaves_less_bad_debt() -> None:
    scenario = load("crash_2025_10")
    kestrel, heron, osprey = scenario.keepers
    stronger = replace(scenario, keepers=(kestrel, replace(heron, capacity=10), osprey))
    run = Replay(stronger, "model", None)
    for _ in run.play():
        pass
    page = " ".join(SCENARIOS_PAGE.read_text("utf-8").split())
    assert f"With ten accounts a round for the second keeper it is {dollars(run.totals.bad_debt)} in all." in page


def test_the_summary_adds_a_population_up() -> None:
    members, story, _ = follow("crash_2025_10")
    lines = list(tell_population(members))
    told = {cells[0]: cells[1:] for cells in (line.split() for line in lines[2:])}
    assert list(told) == [*BooksModel.model_fields, *BehavioursModel.model_fields, "all"]
    for group in (BooksModel.model_fields, BehavioursModel.model_fields):
        assert sum(int(told[name][0]) for name in group) == int(told["all"][0]) == len(members)
        assert sum(int(told[name][1]) for name in group) == int(told["all"][1]) == len(story.liquidated)
    assert told["all"][-1] == dollars(sum(found.report.bad_debt for found in story.liquidations))
    paid_in, left = sum(one.paid_in for one in members), sum(one.left for one in members)
    assert told["all"][2:5] == [dollars(paid_in), dollars(left), dollars(left - paid_in, signed=True)]


# --- a small one ----------------------------------------------------------------------------------------------------


@needs_pyrevm
def test_model_and_contracts_agree_with_a_small_population(tmp_path: Path) -> None:
    scenario = load_scenario(SMALL, address_of)
    assert {member.book for member in scenario.members} == set(BooksModel.model_fields)
    assert {member.behaviour for member in scenario.members} == set(BehavioursModel.model_fields)
    both = play(scenario, "lockstep", tmp_path)
    assert (both.failure, both.missed, both.result["divergences"]) == ("", (), 0)
    again = play(load_scenario(SMALL, address_of), "model", tmp_path)
    assert again.result["state_digest"] == both.result["state_digest"]
    assert "\nPopulation (dollars" in both.summary
    manifest = json.loads((again.folder / "manifest.json").read_text("utf-8"))
    assert manifest["inputs"]["profile"] == digest(load_profile(PROFILES.find("reference")))


def test_the_steps_of_a_population_may_be_refused_and_stand_on_its_line() -> None:
    scenario = load_scenario(SMALL, address_of)
    line = SMALL.read_text("utf-8").splitlines().index("population:") + 1
    assert {(step.line, step.column) for step in scenario.steps} == {(line, 1)}
    assert all(step.expect == ANY_OUTCOME for step in scenario.steps)


# --- changed --------------------------------------------------------------------------------------------------------


def test_another_seed_is_a_variant() -> None:
    changed = load_variant(SMALL, read_variant(["population.seed=2", "population.accounts=20"]))
    assert (changed.population, len(changed.members)) != (load_scenario(SMALL, address_of).population, 30)
    assert (len(changed.members), {member.draws.seed for member in changed.members}) == (20, {"2"})
    assert changed.changes == ("population.seed=2", "population.accounts=20")


def test_without_cross_margin_a_member_has_what_its_parts_have() -> None:
    """The steps of a population are drawn first and divided then: what is paid in stays the same."""
    whole = totals_of(load_scenario(SMALL, address_of))
    scenario = load_variant(SMALL, read_variant(["switches.cross_margin=off"]))
    parted = totals_of(scenario)
    assert len(scenario.accounts) > len(scenario.members) == len(parted)
    assert all(step.expect == ANY_OUTCOME for step in scenario.steps)
    assert [(one.member, one.paid_in) for one in parted] == [(one.member, one.paid_in) for one in whole]
    assert any(one.left != other.left for one, other in zip(parted, whole, strict=True))


# --- what the pages say ---------------------------------------------------------------------------------------------

FIGURES = ("rounds", "actions", "refusals", "liquidations", "bad_debt", "insurance_fund", "pool_value")


def show(value: Any) -> str:
    """A figure of the page: a count, or dollars cut to the cent."""
    if isinstance(value, int):
        return str(value)
    whole, _, fraction = value.partition(".")
    return dollars(int(whole) * W + int(fraction[:2].ljust(2, "0")) * W // 100)


def read_figures(name: str) -> list[str]:
    """The row of a scenario in the table of figures."""
    (row,) = re.findall(rf"^\| `{name}` \| (.+) \|$", SCENARIOS_PAGE.read_text("utf-8"), re.MULTILINE)
    return list(row.split(" | "))


def test_the_page_quotes_how_much_the_largest_have() -> None:
    profile = load_profile(PROFILES.find("reference"))
    drawn = (Draws("profile", str(number)) for number in range(10_000))
    sizes = sorted(
        (profile.equity.at(draws("equity")) * profile.leverage.at(draws("leverage")) for draws in drawn), reverse=True
    )
    parts = [sum(sizes[:count]) * 1_000 // sum(sizes) for count in (10, 100, 500, 1_000, 2_500, 5_000)]
    quoted = " | ".join(f"{part // 10}.{part % 10} %" for part in parts)
    assert f"| ours | {quoted} |" in PROFILES_PAGE.read_text("utf-8")
