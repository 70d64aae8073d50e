"""``PATH=VALUE``: one value of a scenario or of its parameter set that a variant changes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from crossmargin.errors import InputError
from crossmargin.messages import listed, near, shown
from crossmargin.parameter_file import ParametersModel
from crossmargin.textfile import Place
from crossmargin.yamltext import Document, ListNode, Loc, MapNode, Node, Scalar, parse_yaml

OF_SCENARIO = ("params", "insurance", "keepers", "population", "price_response")
OF_SET = tuple(name for name in ParametersModel.model_fields if name not in {"name", "version"})
OPTIONAL = {("switches",), ("price_response",), ("price_response", "depth")}  # mappings that a file need not have
NAMED = ("feeds", "nodes", "tokens", "markets")  # mappings whose keys are names that the file gives
NOWHERE = Place(0, 0)  # of a section that a file does not have: an error there names the file alone
INDEX = re.compile("[0-9]{1,3}")
FORM = "write PATH=VALUE, such as markets.BTC.tiers.1.mm=0.05 or switches.tiers=off"


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and the way to it. ``text`` is as it was written."""

    text: str
    loc: Loc
    value: Node

    @property
    def option(self) -> str:
        """As an option of the command line."""
        return f"--set {self.text}"

    @property
    def is_of_scenario(self) -> bool:
        """Whether it is a value of the scenario itself, not of its parameter set."""
        return self.loc[0] in OF_SCENARIO

    def error(self, message: str, remedy: str = "") -> InputError:
        """What is wrong with it."""
        return InputError(self.option, message, remedy=remedy)


def read_setting(text: str) -> Setting:
    """A setting from its text; the value is YAML on one line, so a list is ``[a, b]``.

    Refuses text of another form, and a path that begins with nothing that can be set.
    """
    path, equals, value = text.partition("=")
    option = f"--set {text}"
    if not equals or not path or not value.strip():
        raise InputError(option, f"{shown(text)} sets nothing", remedy=FORM)
    steps = path.split(".")
    known = (*OF_SCENARIO, *OF_SET)
    if steps[0] not in known:
        raise InputError(option, f"{shown(steps[0])} cannot be set{near(steps[0], known)}", remedy=listed(known))
    try:
        node = parse_yaml(value, Path(option)).root
    except InputError as error:
        raise InputError(option, error.message, remedy=error.remedy) from None
    return Setting(text, tuple(int(step) if INDEX.fullmatch(step) else step for step in steps), node)


def apply_settings(document: Document, settings: Iterable[Setting]) -> Document:
    """The document with the values set, in order; each has the place of what it replaces, or of its section.

    Refuses a path that leads nowhere, and says what is there.
    """
    root = document.root
    for setting in settings:
        root = _put(root, setting, 0)
    return replace(document, root=root)


def _put(node: Node, setting: Setting, depth: int) -> Node:
    """The node with the setting's value put in its place below, ``depth`` steps down its way."""
    if depth == len(setting.loc):
        return _at(setting.value, node.place)
    step = setting.loc[depth]
    if isinstance(node, ListNode):
        if not isinstance(step, int) or step >= len(node.items):
            raise setting.error(f"{_name(setting, depth)} has no entry {shown(str(step))}", _entries(len(node.items)))
        items = list(node.items)
        items[step] = _put(items[step], setting, depth + 1)
        return replace(node, items=items)
    if not isinstance(node, MapNode):
        raise setting.error(f"{_name(setting, depth)} is a single value: {shown(node.text)}", "end the path there")
    key = str(step)
    place = node.place if depth else NOWHERE
    child = node.values.get(key)
    if child is None:
        child = _begin(node, key, setting, depth, place)
    keys = {**node.keys, key: node.keys.get(key, Scalar(place, key))}
    return replace(node, keys=keys, values={**node.values, key: _put(child, setting, depth + 1)})


def _begin(node: MapNode, key: str, setting: Setting, depth: int, place: Place) -> Node:
    """What a key that the file does not have begins with, if it may have it: whether it may, the file's model knows."""
    is_last, is_name = depth + 1 == len(setting.loc), depth == 1 and setting.loc[0] in NAMED
    if setting.loc[: depth + 1] in OPTIONAL or (is_last and not is_name):
        return MapNode(place, {}, {})
    known = list(node.values)
    raise setting.error(f"{_name(setting, depth)} has no {shown(key)}{near(key, known)}", listed(known, len(known)))


def _at(node: Node, place: Place) -> Node:
    """The node with everything in it at one place."""
    if isinstance(node, MapNode):
        keys = {key: Scalar(place, key) for key in node.keys}
        return MapNode(place, keys, {key: _at(value, place) for key, value in node.values.items()})
    if isinstance(node, ListNode):
        return ListNode(place, [_at(item, place) for item in node.items])
    return replace(node, place=place)


def _name(setting: Setting, depth: int) -> str:
    return shown(".".join(map(str, setting.loc[:depth]))) if depth else "the file"


def _entries(count: int) -> str:
    return f"its entries are numbered from 0 to {count - 1}" if count else "it has no entries"
