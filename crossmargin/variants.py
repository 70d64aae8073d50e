"""Variants: a scenario with another parameter set, or with some of its values set otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from contracts_py.keys import address_of
from crossmargin.errors import InputError
from crossmargin.library import PARAMETERS
from crossmargin.parameters import ParameterSet, parse_parameters
from crossmargin.quantities import BadText
from crossmargin.scenario import parse_scenario
from crossmargin.scenario_records import Scenario
from crossmargin.settings import Setting, apply_settings, read_setting
from crossmargin.switches import find_unread
from crossmargin.yamltext import Document, Scalar, read_yaml


@dataclass(frozen=True, slots=True)
class Variant:
    """What is changed: the parameter set, by name or path from here (empty for the scenario's own), and values."""

    params: str = ""
    settings: tuple[Setting, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """The changes, in the form of ``PATH=VALUE``."""
        return ((f"params={self.params}",) if self.params else ()) + tuple(setting.text for setting in self.settings)

    @property
    def options(self) -> str:
        """The changes, as options of the command line."""
        return " ".join((*([f"--params {self.params}"] if self.params else []), *(s.option for s in self.settings)))


def read_variant(texts: Sequence[str], params: str = "") -> Variant:
    """A variant from texts ``PATH=VALUE``; ``params=FILE`` is another parameter set. Refuses two of the same path."""
    settings: dict[tuple[str | int, ...], Setting] = {}
    for text in texts:
        setting = read_setting(text)
        first = settings.get(setting.loc)
        if first or (setting.loc[0] == "params" and params):
            given = first.option if first else f"--params {params}"
            raise setting.error(f"the same value is set by {given}", "leave one of them out")
        settings[setting.loc] = setting
    chosen = settings.pop(("params",), None)
    if chosen and isinstance(chosen.value, Scalar):
        params = chosen.value.text
    return Variant(params, tuple(settings.values()))


def load_variant(path: Path, variant: Variant) -> Scenario:
    """A scenario as the variant changes it; what it was changed by is in its ``changes``.

    What is wrong with the files themselves is told first. What the changes break is an ``InputError`` at its place in
    the file that names them.
    """
    document = read_yaml(path)
    if not variant.texts:
        return parse_scenario(document, address_of)
    try:
        scenario = _parse(document, variant)
    except InputError as error:
        parse_scenario(document, address_of)
        raise _blame(error, document, variant) from None
    for setting in variant.settings:
        switch = find_unread(setting.loc, scenario.params.off)
        if switch:
            remedy = f"leave the value out, or the switch on: switches.{switch}=on"
            raise setting.error(f"nothing reads this value while the switch `{switch}` is off", remedy)
    return replace(scenario, changes=tuple(dict.fromkeys((*variant.texts, *scenario.changes))))


def _parse(document: Document, variant: Variant) -> Scenario:
    own = [setting for setting in variant.settings if setting.is_of_scenario]
    others = [setting for setting in variant.settings if not setting.is_of_scenario]
    params = _load_set(document, variant.params, others) if variant.params or others else None
    return parse_scenario(apply_settings(document, own), address_of, params)


def _load_set(document: Document, text: str, settings: Sequence[Setting]) -> ParameterSet:
    """The set that a variant names, or the scenario's own, with the values set."""
    base, where = (Path(), f"--params {text}") if text else (document.source.file.parent, str(document.source.file))
    if not text:
        found = document.plain()
        text = found.get("params", "") if isinstance(found, dict) else ""
    try:
        path = PARAMETERS.find(text, base)
    except BadText as problem:
        raise InputError(where, problem.message, remedy=problem.remedy) from None
    return parse_parameters(apply_settings(read_yaml(path), settings))


def _blame(error: InputError, document: Document, variant: Variant) -> InputError:
    """The error with the changes that it is about: one that by itself leads to it, or all."""
    if error.file.startswith("--"):
        return error
    for setting in variant.settings:
        alone = Variant(variant.params, (setting,))
        try:
            _parse(document, alone)
        except InputError as same:
            if same.to_json() == error.to_json():
                variant = alone
                break
    error.others = []  # `check` reads files, and would not find them
    error.message = f"with {variant.options}: {error.message}"
    return error
