from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossmargin.errors import Exit
from crossmargin.rules import pages
from crossmargin.rules.pages import read_refusals, read_rule, read_rules
from oracle.errors import REFUSALS
from protocol.errors import Refusal
from tests.crossmargin.commands import Crossmargin
from tests.specs.rules import defined_rules, read_table

GOLDEN = Path(__file__).parent / "data" / "explain"
RULES = [row[0] for row in read_table()[2:]]


@pytest.mark.parametrize("rule", ["MRG-1", "TRD-9", "GOV-5"])
def test_the_page_is_the_golden_one(crossmargin: Crossmargin, rule: str) -> None:
    answer = crossmargin("explain", rule)
    assert (answer.code, answer.err) == (Exit.OK, "")
    # What follows the example names tests and scenarios, whose list grows.
    assert answer.out.partition("\nTests:")[0] + "\n" == (GOLDEN / f"{rule}.txt").read_text("utf-8")


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_of_the_table_is_explained(rule: str) -> None:
    found, defined = read_rule(rule), defined_rules()[rule]
    assert (f"specs/{found.page}", found.line, found.heading) == (defined.page, defined.line, defined.heading)
    assert found.text
    assert not found.text.startswith("**")
    assert "](" not in found.text
    assert found.examples
    assert all(example.startswith("# example: ") for example in found.examples)
    assert found.places["model"]
    assert found.places["contract"]


def test_every_place_that_is_named_is_there() -> None:
    root = Path(__file__).resolve().parents[2]
    cells = [places for row in pages.read_table().values() for places in row.values()]
    named = {place.split(" ")[0] for places in cells for place in places}
    assert {name for name in named if not (root / name).is_file()} == set()


def test_the_list_is_the_rule_table(crossmargin: Crossmargin) -> None:
    lines = crossmargin("explain", "--list").out.splitlines()
    assert [line.split(" ")[0] for line in lines] == RULES == list(read_rules())
    rows = [json.loads(line) for line in crossmargin("explain", "--list", "--json").out.splitlines()]
    assert [row["rule"] for row in rows] == RULES


def test_a_definition_ends_where_the_next_begins() -> None:
    assert "TRD-11" not in read_rule("TRD-10").text
    assert "Events" not in read_rule("ACC-1").text
    assert read_rule("TRD-10").text.endswith("else `pool/reserved`.")


def test_formula_rounding_and_parts_are_told_apart(crossmargin: Crossmargin) -> None:
    found = json.loads(crossmargin("explain", "mrg-9", "--json").out)
    assert found["formula"].startswith("left = gross_notional\n")
    assert found["rounding"] == "What a slice supports rounds down and the requirement up, both against the account."
    assert found["parts"] == {"is_below_tiers": "Part of MRG-9. `max(equity_im, 0) < required`. Equality is enough."}
    assert found["model"] == ["protocol/account_state.py is_below_tiers", "protocol/margin.py compute_required_equity"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("MRG-99", "no rule or function is called `MRG-99`, did you mean `MRG-9`?\n  there are MRG-1 to MRG-15\n"),
        ("MGR-3", "no rule or function is called `MGR-3`, did you mean `"),
        ("pnl", "no rule or function is called `pnl`"),
        ("compute_helth", "no rule or function is called `compute_helth`, did you mean `compute_health`?\n"),
        (
            "margin/inital",
            "no refusal has the code `margin/inital`, did you mean `margin/initial`?\n  specs/refusals.md",
        ),
    ],
)
def test_an_unknown_id_has_near_ones(crossmargin: Crossmargin, asked: str, told: str) -> None:
    answer = crossmargin("explain", asked)
    assert (answer.code, answer.out) == (Exit.USAGE, "")
    assert answer.err.startswith(told)


@pytest.mark.parametrize(
    ("asked", "begins"),
    [
        ("compute_health", "MRG-4 compute_health (specs/margin.md:"),  # a heading
        ("is_liquidatable", "LIQ-4 process_liquidate (specs/actions/liquidate.md:"),  # a part of a rule
        ("settle_order", "ORD-4 process_settle_order (specs/actions/orders.md:"),  # an action
    ],
)
def test_a_function_or_an_action_finds_its_rule(crossmargin: Crossmargin, asked: str, begins: str) -> None:
    answer = crossmargin("explain", asked)
    assert (answer.code, answer.err) == (Exit.OK, "")
    assert answer.out.startswith(begins)


@pytest.mark.parametrize(
    ("asked", "rules"),
    [
        ("orc", [f"ORC-{number}" for number in range(1, 10)]),
        ("check_risk", ["CFG-1", "CFG-7"]),
        ("check_liquidatable", ["LIQ-3", "LIQ-4"]),
    ],
)
def test_what_several_rules_are_called_lists_them(crossmargin: Crossmargin, asked: str, rules: list[str]) -> None:
    lines = crossmargin("explain", asked).out.splitlines()
    assert lines == [line for line in crossmargin("explain", "--list").out.splitlines() if line.split(" ")[0] in rules]
    assert len(lines) == len(rules)
    rows = [json.loads(line) for line in crossmargin("explain", asked, "--json").out.splitlines()]
    assert [row["rule"] for row in rows] == rules


def test_an_unknown_name_has_its_remedy_apart_in_json(crossmargin: Crossmargin) -> None:
    assert json.loads(crossmargin("explain", "xyz", "--json").out)["error"] == {
        "message": "no rule or function is called `xyz`",
        "remedy": "crossmargin explain --list shows all of them",
    }


def test_without_an_id_the_list_is_the_remedy(crossmargin: Crossmargin) -> None:
    answer = crossmargin("explain")
    assert (answer.code, answer.err) == (
        Exit.USAGE,
        "name a rule, such as MRG-3\n  crossmargin explain --list shows all of them\n",
    )


def test_every_refusal_is_explained(crossmargin: Crossmargin) -> None:
    refusals = read_refusals()
    assert set(REFUSALS) <= set(refusals)
    assert all(issubclass(REFUSALS[code], Refusal) for code in REFUSALS)
    for code, kind in REFUSALS.items():
        assert refusals[code]["class"] == kind.__name__
        assert refusals[code]["cause"]
    assert crossmargin("explain", "margin/initial").out == (
        "margin/initial (BelowInitialMargin): equity_im would be below IM\n"
        "  raised by: check_initial_margin\n"
        "  actions: withdraw, transfer, set_leverage_cap, trade, commit_order, settle_order\n"
        "  remedy: add collateral, or do less\n"
    )
    assert json.loads(crossmargin("explain", "margin/reduce", "--json").out)["class"] == "ReductionLowersHealth"
