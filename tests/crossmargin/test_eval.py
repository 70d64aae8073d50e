from __future__ import annotations

import inspect
import io
import json
from dataclasses import fields, is_dataclass
from enum import IntEnum
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from crossmargin.errors import Exit, InputError
from crossmargin.library import PARAMETERS
from crossmargin.parameters import load_parameters
from crossmargin.rules.evaluate import INLINE, ask, parse_json, read_input
from crossmargin.rules.formulas import FORMULAS, Formula, find_formula
from crossmargin.rules.shapes import (
    Array,
    Flag,
    Number,
    Pack,
    Record,
    Shape,
    Unreadable,
    Word,
    input_shape,
    output_shape,
)
from protocol.account_state import AccountState
from protocol.margin import compute_margins
from protocol.units import W
from tests.crossmargin.commands import Answer, Crossmargin
from tests.specs.rules import Citation, defined_rules, python_citations

SET = load_parameters(PARAMETERS.find("reference"))
# Numbers by name where 7, or 7 whole ones, would be outside a formula's domain or say little.
VALUES: dict[str, int] = {
    "decimals": 18,
    "status": 0,
    "bid": 6 * W,
    "ask": 8 * W,
    "days": 127,
    "exponent": -W,
    "quorum": 1,
}


def value_of(shape: Shape, name: str, *, as_text: bool) -> tuple[Any, Any]:
    """A value of a shape, and its JSON: numbers as integers, or where they may be as text."""
    match shape:
        case Number():
            value = VALUES.get(name, 7 * 10**shape.scale)
            return value, shape.write(value, human=as_text)
        case Flag():
            return True, True
        case Word():
            member = list(shape.kind)[-1]
            return member, member.name
        case Array():
            value, told = value_of(shape.item, name, as_text=as_text)
            return (value,), [told]
        case Pack():
            pairs = [value_of(item, name, as_text=as_text) for item in shape.items]
            return tuple(value for value, _ in pairs), [told for _, told in pairs]
        case Record():
            found = {key: value_of(part, key, as_text=as_text) for key, part in shape.parts.items()}
            made = shape.make(**{key: value for key, (value, _) in found.items()})
            return made, {key: told for key, (_, told) in found.items()}
    raise AssertionError(shape)


def to_plain(value: Any) -> Any:
    """A function's answer as JSON has it, without any shape."""
    if isinstance(value, bool):
        return value
    if isinstance(value, IntEnum | int):
        return int(value)
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    return [to_plain(item) for item in value]


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: f"{formula.rule}-{formula.name}")
def test_the_answer_is_the_functions_own(crossmargin: Crossmargin, formula: Formula, as_text: bool) -> None:
    arguments, told = value_of(input_shape(formula.function), "", as_text=as_text)
    answer = crossmargin("eval", formula.name, json.dumps(told), "--json")
    assert (answer.code, answer.err) == (Exit.OK, "")
    found = json.loads(answer.out)
    assert (found["rule"], found["function"]) == (formula.rule, formula.name)
    assert found["answer"] == to_plain(formula.function(**arguments))


def readable_functions() -> set[tuple[str, str, str]]:
    """Rule, module and name of each function of the protocol that cites a rule by itself and has types with JSON."""
    return {
        (found.rule, found.path.removesuffix(".py").replace("/", "."), found.name)
        for found in python_citations()
        if found.path.startswith("protocol/") and found.is_function and found.is_exact and is_readable(found)
    }


def is_readable(found: Citation) -> bool:
    function: Any = getattr(import_module(found.path.removesuffix(".py").replace("/", ".")), found.name, None)
    try:
        input_shape(function)
        output_shape(function)
    except (Unreadable, TypeError):
        return False
    return bool(inspect.signature(function).return_annotation != "None")


def test_every_pure_formula_of_the_protocol_is_there_under_its_rule() -> None:
    listed = {(one.rule, one.module, one.name) for one in FORMULAS}
    readable = readable_functions()
    # A function that cites several rules is there once.
    assert {(module, name) for _, module, name in readable} == {
        (module, name) for _, module, name in listed if module.startswith("protocol.")
    }
    cited = {
        (found.rule, found.path.removesuffix(".py").replace("/", "."), found.name)
        for found in python_citations()
        if found.is_function and found.is_exact
    }
    assert listed <= cited
    assert len({one.rule for one in FORMULAS}) >= 25


def test_a_rule_means_its_own_function_and_every_function_has_a_name() -> None:
    assert find_formula("mrg-3") is find_formula("compute_margins")
    assert len({one.name for one in FORMULAS}) == len(FORMULAS)
    for rule, defined in defined_rules().items():
        of_rule = [one.name for one in FORMULAS if one.rule == rule]
        if defined.heading in of_rule:
            assert find_formula(rule).name == defined.heading
        assert all(find_formula(name).name == name for name in of_rule)


def test_the_terminal_shows_both_forms(crossmargin: Crossmargin) -> None:
    answer = crossmargin("eval", "MRG-3", '{"brackets": "reference/BTC", "notional": "3000000"}')
    assert answer == Answer(
        Exit.OK,
        "MRG-3 compute_margins: Maintenance and initial margin of a notional by its tiers, rounded up against the "
        "account (MRG-3).\n"
        "  answer    [105000000000000000000000, 210000000000000000000000]\n"
        '  decimals  ["105000.00", "210000.00"]\n',
        "",
    )


def test_an_account_state_is_a_number_for_programs_and_a_name_for_people(crossmargin: Crossmargin) -> None:
    health: dict[str, Any] = dict.fromkeys(
        ("equity_raw", "equity_mm", "equity_im", "initial_margin", "gross_notional"), "5"
    )
    health |= {"maintenance_margin": "20", "reserve": 0, "price_status": 0}
    asked = json.dumps({"risk": "reference", "health": health})
    found = json.loads(crossmargin("eval", "STA-1", asked, "--json").out)
    assert (found["answer"], found["decimals"]) == (AccountState.BACKSTOP, "BACKSTOP")


def test_input_comes_from_a_file_from_standard_input_or_inline(
    crossmargin: Crossmargin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '{\n\t"size": "-1.5",\n\t"price": 8000000000000000000000\n}\n'  # tabs, as JSON may be indented
    path = tmp_path / "input.json"
    path.write_text(text)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    answers = [crossmargin("eval", "MRG-1", source) for source in (path, "-", text)]
    assert answers[0].code == Exit.OK
    assert '"12000.00"' in answers[0].out
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("reference/BTC", SET.markets[0].params.brackets),
        ("reference/ETH", SET.markets[1].params.brackets),
    ],
)
def test_parameters_are_taken_from_a_set_by_name(name: str, wanted: Any) -> None:
    asked = parse_json(json.dumps({"brackets": name, "notional": "6000000"}), INLINE)
    assert ask(find_formula("MRG-3"), asked) == compute_margins(wanted, 6_000_000 * W)


MARGIN_2 = '{"position": {"size": "2", "cost": "16000", "entry_index": 0}, "price": "7700"}'


@pytest.mark.parametrize(
    ("rule", "text", "told"),
    [
        ("MRG-2", MARGIN_2.replace('"7700"', "7700.5"), "INPUT:1:73: `7700.5` is not an integer (Price: dollars per"),
        ("MRG-2", MARGIN_2.replace('"7700"', "7e3"), "INPUT:1:73: `7e3` is not an integer"),
        ("MRG-2", MARGIN_2.replace('"7700"', "true"), "INPUT:1:73: a number is needed here"),
        ("MRG-2", MARGIN_2.replace('"7700"', "[1]"), "INPUT:1:73: a number is needed here"),
        ("MRG-2", MARGIN_2.replace('"7700"', '"7,700"'), "INPUT:1:73: `7,700` has separators between its digits"),
        ("MRG-2", MARGIN_2.replace("7700", "0." + "1" * 19), "INPUT:1:73: `0.1111111111111111111` has 19 decimals"),
        ("MRG-2", MARGIN_2.replace('"7700"', "9" * 80), "INPUT:1:73: `9999"),
        ("MRG-2", MARGIN_2.replace("entry_index", "entry_indx"), "INPUT:1:45: unknown key `entry_indx`, did you mean"),
        ("MRG-2", MARGIN_2.replace('"size": "2", ', ""), "INPUT:1:14: missing: `size`"),
        ("MRG-2", '{"position": 5, "price": 1}', "INPUT:1:14: an object is needed here"),
        ("MRG-2", MARGIN_2.replace("}, ", "}, "[1:]), "INPUT:1:79: not valid JSON: "),
        (
            "MRG-2",
            MARGIN_2.replace('"price"', '"position"'),
            "INPUT:1:64: the key `position` stands here a second time",
        ),
        ("MRG-2", '{"a": NaN}', "INPUT: not valid JSON: NaN is no number of JSON"),
        ("MRG-2", "{" * 9, "INPUT:1:2: not valid JSON"),
        (
            "COL-1",
            '{"units": "5", "price": 1, "decimals": 6}',
            "INPUT:1:11: text is no number here (Units: token units",
        ),
        ("COL-1", '{"units": 5, "price": 1, "decimals": 78}', "INPUT:1:38: `78` is larger than the protocol can hold"),
        ("COL-1", '{"units": 5, "price": 1, "decimals": -1}', "INPUT:1:38: `-1` is negative"),
        ("MRG-3", '{"brackets": "referense/BTC", "notional": 1}', "INPUT:1:14: no parameter set is called `referense`"),
        ("MRG-3", '{"brackets": "reference/SOL", "notional": 1}', "INPUT:1:14: `reference` has no `SOL`"),
        ("MRG-3", '{"brackets": "reference", "notional": 1}', "INPUT:1:14: `reference` has no ``"),
        ("MRG-3", '{"brackets": {}, "notional": 1}', "INPUT:1:14: a list is needed here"),
        (
            "MRG-9",
            '{"tiers": "reference/BTC", "gross_notional": 1}',
            "INPUT:1:11: `reference/BTC` is about all of a set",
        ),
        ("MRG-9", '{"tiers": "./x.yaml", "gross_notional": 1}', "INPUT:1:11: `./x.yaml` names no parameters"),
        (
            "MRG-13",
            '{"quote": {}, "is_asset": 1, "ceiling": 1}',
            "INPUT:1:11: missing: `bid`, `mid`, `ask`, `publish_time`, `status`",
        ),
        (
            "cdiv",
            '{"numerator": 1, "denominator": 0}',
            "INPUT:1:1: cdiv has no answer: integer division or modulo by z",
        ),
        ("MED-4", '{"values": []}', "INPUT:1:1: compute_middle has no answer"),
        ("AVG-1", '{"exponent": 200000000000000000000}', "INPUT:1:1: wad_exp has no answer"),
    ],
)
def test_bad_input_is_told_with_its_place(crossmargin: Crossmargin, rule: str, text: str, told: str) -> None:
    answer = crossmargin("eval", rule, text)
    assert answer.err.startswith(told)
    assert (answer.code, answer.out) == (Exit.INPUT_INVALID, "")
    error = json.loads(crossmargin("eval", rule, text, "--json").out)["error"]
    assert error["message"] in answer.err


def test_an_input_that_is_no_object_is_refused(tmp_path: Path, crossmargin: Crossmargin) -> None:
    path = tmp_path / "list.json"
    path.write_text("[1]")
    assert (
        f"{path}:1:1: an object with the formula's arguments is needed here" in crossmargin("eval", "MRG-1", path).err
    )
    with pytest.raises(InputError, match="no such file"):
        read_input(str(tmp_path / "none.json"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "name a rule, such as MRG-3\n  crossmargin eval --list shows those with a formula\n"),
        (
            ("MRG-1",),
            "compute_notional needs an input: size, price\n  name a JSON file, write - for standard input, or JSON\n",
        ),
        (("compute_margin", "{}"), "no formula is called `compute_margin`, did you mean `compute_margins`?"),
        (("MRG-99", "{}"), "no formula is called `MRG-99`, did you mean `MRG-9`?\n  crossmargin eval --list shows all"),
        (("orc-4", "{}"), "ORC-4 has no formula\n  crossmargin explain ORC-4 says what it asks\n"),
    ],
)
def test_wrong_use_is_told_with_the_remedy(crossmargin: Crossmargin, arguments: tuple[str, ...], told: str) -> None:
    answer = crossmargin("eval", *arguments)
    assert answer.code == Exit.USAGE
    assert answer.err.startswith(told)


def test_the_list_has_every_formula_in_a_line(crossmargin: Crossmargin) -> None:
    lines = crossmargin("eval", "--list").out.splitlines()
    assert len(lines) == len(FORMULAS)
    assert "MRG-1   compute_notional              Absolute value of a position at a price, rounded up" in lines[3]
    rows = [json.loads(line) for line in crossmargin("eval", "--list", "--json").out.splitlines()]
    assert [row["rule"] for row in rows] == [one.rule for one in FORMULAS]


def test_the_schemas_follow_from_the_signature(crossmargin: Crossmargin) -> None:
    schemas = json.loads(crossmargin("eval", "MRG-12", "--schema").out)
    asked = schemas["input"]
    assert asked["required"] == ["quote", "is_asset", "stale_band", "ceiling"]
    assert asked["properties"]["is_asset"] == {"type": "boolean"}
    assert asked["properties"]["quote"]["required"] == ["bid", "mid", "ask", "publish_time", "status"]
    assert asked["properties"]["stale_band"]["description"] == "Bps: dimensionless, scale 10^4"
    assert schemas["answer"]["description"] == "Price: dollars per whole base unit, scale W"


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.name)
def test_every_schema_is_made(crossmargin: Crossmargin, formula: Formula) -> None:
    schemas = json.loads(crossmargin("eval", formula.name, "--schema").out)
    assert schemas["input"]["required"] == list(inspect.signature(formula.function).parameters)
    assert schemas["answer"]
