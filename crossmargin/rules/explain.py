"""``crossmargin explain``: a rule or a refusal as the specification has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from textwrap import indent
from typing import Any

from crossmargin.errors import Exit, WrongUse
from crossmargin.messages import near, shown
from crossmargin.output import say
from crossmargin.rules.pages import Rule, read_refusals, read_rule, read_rules


def list_rules(as_json: bool) -> Exit:
    """The command with ``--list``: every rule in a line."""
    for rule, (heading, page, line) in read_rules().items():
        if as_json:
            say(json.dumps({"rule": rule, "heading": heading, "page": f"specs/{page}", "line": line}))
        else:
            say(f"{rule:<8}{heading:<32}specs/{page}:{line}")
    return Exit.OK


def explain(text: str, as_json: bool) -> Exit:
    """The command: what the rule with this id says, or why an action is refused with this code."""
    if "/" in text:
        refusals = read_refusals()
        if text not in refusals:
            raise WrongUse(
                f"no refusal has the code {shown(text)}{near(text, refusals)}\n  specs/refusals.md lists them"
            )
        found = {"code": text, **refusals[text]}
        say(json.dumps(found) if as_json else "\n".join(_tell_refusal(found)))
        return Exit.OK
    rules = read_rules()
    name = text.upper()
    if name not in rules:
        raise WrongUse(f"no rule has the id {shown(text)}{near(text, rules)}\n  {_remedy(name, list(rules))}")
    rule = read_rule(name)
    say(json.dumps(to_json(rule)) if as_json else "\n".join(_tell(rule)))
    return Exit.OK


def _remedy(name: str, rules: list[str]) -> str:
    """The family's ids if there is such a family."""
    family = [rule for rule in rules if rule.partition("-")[0] == name.partition("-")[0]]
    return f"there are {family[0]} to {family[-1]}" if family else "crossmargin explain --list shows all ids"


def to_json(rule: Rule) -> dict[str, Any]:
    """A rule as JSON values."""
    return {
        "rule": rule.rule,
        "heading": rule.heading,
        "page": f"specs/{rule.page}",
        "line": rule.line,
        "text": rule.text,
        "formula": rule.formula,
        "rounding": rule.rounding,
        "parts": dict(rule.parts),
        "examples": list(rule.examples),
        **{name: list(places) for name, places in rule.places.items()},
    }


def _tell(rule: Rule) -> Iterator[str]:
    yield f"{rule.rule} {rule.heading} (specs/{rule.page}:{rule.line})"
    yield ""
    yield rule.text
    for name, text in rule.parts.items():
        yield f"\n{name}\n{indent(text, '  ')}"
    if rule.rounding:
        yield f"\nRounding: {rule.rounding}"
    for example in rule.examples:
        yield f"\n{indent(example, '  ')}"
    yield ""
    for name, places in rule.places.items():
        yield f"{name.capitalize() + ':':<11}{', '.join(places) or 'none'}"


def _tell_refusal(found: dict[str, str]) -> Iterator[str]:
    yield f"{found['code']} ({found['class']}): {found['cause']}"
    yield f"  raised by: {found['raised_by']}"
    yield f"  actions: {found['actions']}"
    if found["remedy"]:
        yield f"  remedy: {found['remedy']}"
