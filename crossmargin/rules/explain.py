"""``crossmargin explain``: a rule or a refusal as the specification has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from textwrap import indent
from typing import Any

from crossmargin.errors import Exit, WrongUse
from crossmargin.messages import near, shown
from crossmargin.output import say
from crossmargin.rules.pages import Rule, read_names, read_refusals, read_rule, read_rules


def list_rules(as_json: bool) -> Exit:
    """The command with ``--list``: every rule in a line."""
    for rule in read_rules():
        _list(rule, as_json)
    return Exit.OK


def _list(rule: str, as_json: bool) -> None:
    heading, page, line = read_rules()[rule]
    if as_json:
        say(json.dumps({"rule": rule, "heading": heading, "page": f"specs/{page}", "line": line}))
    else:
        say(f"{rule:<8}{heading:<32}specs/{page}:{line}")


def explain(text: str, as_json: bool) -> Exit:
    """The command: what the rule of this id or function says, or why an action is refused with this code.

    Of a family, and of a function with several rules, it is a list of them.
    """
    if "/" in text:
        refusals = read_refusals()
        if text not in refusals:
            message = f"no refusal has the code {shown(text)}{near(text, refusals)}"
            raise WrongUse(message, "specs/refusals.md lists them")
        found = {"code": text, **refusals[text]}
        say(json.dumps(found) if as_json else "\n".join(_tell_refusal(found)))
        return Exit.OK
    rules = find_rules(text)
    if len(rules) > 1:
        for each in rules:
            _list(each, as_json)
        return Exit.OK
    rule = read_rule(rules[0])
    say(json.dumps(to_json(rule)) if as_json else "\n".join(_tell(rule)))
    return Exit.OK


def find_rules(text: str) -> list[str]:
    """The rule with an id; those of a family, a function or an action. Raises ``WrongUse`` for none."""
    rules, names = read_rules(), read_names()
    name = text.upper()
    if name in rules:
        return [name]
    family = [rule for rule in rules if _family(rule) == _family(name)]
    if name == _family(name) and family:
        return family
    for function in (text, f"process_{text}"):
        if function in names:
            return names[function]
    remedy = f"there are {family[0]} to {family[-1]}" if family else "crossmargin explain --list shows all of them"
    raise WrongUse(f"no rule or function is called {shown(text)}{near(text, (*rules, *names))}", remedy)


def _family(rule: str) -> str:
    return rule.partition("-")[0]


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
