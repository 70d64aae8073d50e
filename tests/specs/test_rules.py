"""Rules are defined once, cited by the code that applies them, and named by a test."""

from __future__ import annotations

import ast
import re
from collections import Counter

import pytest

from tests.specs.pages import ROOT, SPECS, Page
from tests.specs.rules import (
    FAMILIES,
    PURE,
    Citation,
    all_definitions,
    cited,
    defined_rules,
    files_naming,
    make_table,
    python_citations,
    read_table,
    vyper_citations,
)

RULES = defined_rules()
# Pages on which a third-level heading is the name of a function.
RULE_PAGES = sorted({found.page for found in RULES.values()})


def model_names() -> set[str]:
    """Functions and classes of the model."""
    return {
        node.name
        for package in PURE
        for path in (ROOT / package).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


def function_headings(page: str) -> set[str]:
    """Third-level headings of a page."""
    return {text for _, level, text in Page(ROOT / page).headings() if level == 3}


def test_every_family_is_defined() -> None:
    assert {rule.partition("-")[0] for rule in RULES} == set(FAMILIES)


def test_every_rule_is_defined_once() -> None:
    counts = Counter(found.rule for found in all_definitions())
    assert [rule for rule, count in counts.items() if count != 1] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_rules_are_numbered_without_gaps(family: str) -> None:
    numbers = sorted(int(rule.partition("-")[2]) for rule in RULES if rule.startswith(f"{family}-"))
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_is_cited_by_the_model(rule: str) -> None:
    assert any(found.rule == rule for found in python_citations())


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_is_cited_by_the_contracts(rule: str) -> None:
    assert any(found.rule == rule for found in vyper_citations())


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_is_named_by_a_test(rule: str) -> None:
    assert files_naming("tests", ".py", rule)


def test_code_cites_only_rules_that_are_defined() -> None:
    bad = {
        f"{found.path}: {found.rule}" for found in (*python_citations(), *vyper_citations()) if found.rule not in RULES
    }
    assert sorted(bad) == []


def test_a_function_that_cites_a_rule_is_a_heading_of_its_page() -> None:
    everywhere = set().union(*(function_headings(page) for page in RULE_PAGES))
    bad = []
    for found in python_citations():
        # An action cites its family as a range, and formulas of a family may stand on a page of their own.
        where = function_headings(RULES[found.rule].page) if found.is_exact else everywhere
        if found.is_function and found.name not in where:
            bad.append(f"{found.path}: {found.name} cites {found.rule}, {RULES[found.rule].page} has no such heading")
    assert bad == []


@pytest.mark.parametrize("page", RULE_PAGES)
def test_headings_are_names_of_functions(page: str) -> None:
    assert sorted(function_headings(page) - model_names()) == []


def test_twins_that_check_in_pieces_cite_the_same_rule() -> None:
    # A function with a twin of the same name, but for an underscore, cites the same rules by themselves.
    ours, theirs = by_name(python_citations()), by_name(vyper_citations())
    bad = [
        f"{name}: the model cites {sorted(ours[name])}, the contracts {sorted(theirs[name])}"
        for name in ours.keys() & theirs.keys()
        if not ours[name] & theirs[name]
    ]
    assert sorted(bad) == []


def by_name(citations: tuple[Citation, ...]) -> dict[str, set[str]]:
    """Rules that each function cites by themselves."""
    found: dict[str, set[str]] = {}
    for citation in citations:
        if citation.is_function and citation.is_exact:
            found.setdefault(citation.name.lstrip("_"), set()).add(citation.rule)
    return found


def test_the_rule_table_is_current() -> None:
    # One of these failing means: run `python -m tests.specs.rules`.
    assert [row[:4] for row in read_table()] == [row[:4] for row in make_table()]


def test_the_rule_table_names_files_that_name_the_rule() -> None:
    bad = []
    for rule, *_, tests, scenarios in read_table()[2:]:
        for target in re.findall(r"\]\(([^)]+)\)", tests + scenarios):
            path = (SPECS / target).resolve()
            if not path.is_file() or all(rule != one for one, _ in cited(path.read_text("utf-8"))):
                bad.append(f"{rule}: {target}")
        if tests == "none" and files_naming("tests", ".py", rule):
            bad.append(f"{rule}: tests name it now")
    assert bad == []


def test_ranges_are_spelled_out() -> None:
    assert [rule for rule, _ in cited("LIQ-1 to LIQ-3, MRG-4.")] == ["LIQ-1", "LIQ-2", "LIQ-3", "MRG-4"]
