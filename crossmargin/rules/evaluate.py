"""``crossmargin eval``: a numbered formula's answer on JSON input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from crossmargin.errors import Exit, InputError, WrongUse
from crossmargin.faults import Fault
from crossmargin.output import say
from crossmargin.rules.formulas import FORMULAS, Formula, find_formula
from crossmargin.rules.shapes import input_shape, output_shape
from crossmargin.textfile import Place, TextFile, decode, read_bytes
from crossmargin.yamltext import MAX_BYTES, Document, MapNode, parse_yaml
from protocol.errors import Refusal

INLINE, STDIN = Path("INPUT"), "-"


def list_formulas(as_json: bool) -> Exit:
    """The command with ``--list``: every formula in a line."""
    for formula in FORMULAS:
        if as_json:
            say(json.dumps({"rule": formula.rule, "function": formula.name, "purpose": formula.purpose}))
        else:
            say(f"{formula.rule:<8}{formula.name:<30}{formula.purpose}")
    return Exit.OK


def show_schema(rule: str) -> Exit:
    """The command with ``--schema``: JSON Schemas of input and answer."""
    formula = find_formula(rule)
    schemas = {
        "input": {"$schema": "https://json-schema.org/draft/2020-12/schema", **input_shape(formula.function).schema()},
        "answer": output_shape(formula.function).schema(),
    }
    say(json.dumps(schemas, indent=2))
    return Exit.OK


def evaluate(rule: str, text: str | None, as_json: bool) -> Exit:
    """The command: what the formula of a rule answers to an input."""
    formula = find_formula(rule)
    if text is None:
        names = ", ".join(input_shape(formula.function).parts)
        raise WrongUse(
            f"{formula.name} needs an input: {names}", "name a JSON file, write - for standard input, or JSON"
        )
    value = ask(formula, read_input(text))
    shape = output_shape(formula.function)
    answer = {"answer": shape.write(value, human=False), "decimals": shape.write(value, human=True)}
    if as_json:
        say(json.dumps({"rule": formula.rule, "function": formula.name, **answer}))
    else:
        say(f"{formula.rule} {formula.name}: {formula.purpose}")
        for name, shown in answer.items():
            say(f"  {name:<10}{json.dumps(shown)}")
    return Exit.OK


def read_input(text: str) -> Document:
    """JSON from standard input, in the text itself if it begins like an object, or in the file that it names."""
    if text.lstrip().startswith("{"):
        return parse_json(text, INLINE)
    if text == STDIN:
        path = Path("standard input")
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise InputError(path, f"is larger than {MAX_BYTES} bytes")
        return parse_json(decode(path, data), path)
    path = Path(text)
    return parse_json(decode(path, read_bytes(path, MAX_BYTES)), path)


def parse_json(text: str, file: Path) -> Document:
    """JSON text as a tree with places. JSON decides what is valid; then it is read as the YAML that it also is."""
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_no_constant)
    except json.JSONDecodeError as problem:
        place = Place(problem.lineno, problem.colno)
        raise TextFile(file, text.splitlines()).error(place, f"not valid JSON: {problem.msg}") from None
    except (RecursionError, ValueError) as problem:
        raise InputError(file, f"not valid JSON: {problem}") from None
    return parse_yaml(text.replace("\t", " "), file)  # YAML takes no tabs between tokens, JSON none within them


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def ask(formula: Formula, document: Document) -> Any:
    """The formula's answer. What is wrong with the input is an ``InputError`` with its place."""
    try:
        if not isinstance(document.root, MapNode):
            raise Fault((), "an object with the formula's arguments is needed here", 'write {"name": value, ...}')
        arguments = input_shape(formula.function).read_parts(document.root, ())
    except Fault as fault:
        raise document.error(fault.loc, fault.message, fault.remedy, key=fault.key) from None
    try:
        return formula.function(**arguments)
    except (ArithmeticError, LookupError, ValueError, Refusal) as problem:
        message = f"{formula.name} has no answer: {problem}"
        remedy = f"crossmargin explain {formula.rule} says where it is defined"
        raise document.error((), message, remedy) from None
