"""YAML text as a tree that keeps every scalar as it was written, and where it stands.

Only the plain part of YAML is read: mappings with text keys, lists, scalars, comments. YAML's own ideas of what a
scalar means (``no`` is false, ``12:30`` is 750, ``0.10`` is a float) never apply, because nothing here resolves a
type. What would let a small file mean a large or a surprising one is refused: anchors, aliases, tags, duplicate
keys, several documents, deep nesting.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from yaml.reader import ReaderError

from crossmargin.errors import InputError
from crossmargin.messages import clean, shown
from crossmargin.textfile import Place, TextFile, decode, read_bytes

MAX_BYTES = 2_000_000  # ten times a scenario of a thousand steps
MAX_DEPTH = 20  # the deepest file of ours has 7 levels

Loc = tuple[str | int, ...]  # the way from the top of a file to a value: keys, and indices in lists

_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # as YAML counts lines
_WHOLE = re.compile("[+-]?[1-9][0-9]{0,2}")
_GROUPED = re.compile("[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+([.][0-9]{1,18})?")
_THOUSANDS = re.compile("[0-9]{3}([.][0-9]{1,18})?")
_UNREADABLE = {"Cc", "Cs"}  # control characters reach terminals, lone surrogates cannot be written to a file


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value as written, quotes and escapes resolved."""

    place: Place
    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class ListNode:
    """A list."""

    place: Place
    items: Sequence[Node]


@dataclass(frozen=True, slots=True)
class MapNode:
    """Keys and values, in the order of the file. ``keys`` has the places of the keys themselves."""

    place: Place
    keys: Mapping[str, Scalar]
    values: Mapping[str, Node]


Node = Scalar | ListNode | MapNode


@dataclass(frozen=True, slots=True)
class Document:
    """A file's tree and its source."""

    source: TextFile
    root: Node
    digest: str = ""  # of the file's bytes, in SHA-256

    def place(self, loc: Loc, *, key: bool = False) -> Place:
        """Where the value at ``loc`` stands, or its key. Steps that do not exist in the file are passed over."""
        node, place = self.root, self.root.place
        for step in loc:
            if isinstance(node, MapNode) and step in node.values:
                place = node.keys[str(step)].place
                node = node.values[str(step)]
                place = place if key else node.place
            elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
                node = node.items[step]
                place = node.place
        return place

    def error(self, loc: Loc, message: str, remedy: str = "", *, key: bool = False) -> InputError:
        """The error for the value at ``loc``, or for its key."""
        return self.source.error(self.place(loc, key=key), message, remedy)

    def plain(self) -> Any:
        """The tree as dicts, lists and text."""
        return _plain(self.root)


def read_yaml(path: Path) -> Document:
    """Read a file as YAML. Whatever is wrong with it is an ``InputError`` with its place."""
    data = read_bytes(path, MAX_BYTES)
    return parse_yaml(decode(path, data), path, sha256(data).hexdigest())


def parse_yaml(text: str, file: Path, digest: str = "") -> Document:
    """Read YAML text. Refuses what the module's docstring lists, and a file with nothing in it."""
    source = TextFile(file, _LINE_BREAK.split(text))
    builder = _Builder(source)
    for event in _events(source, text):
        builder.take(event)
    if builder.root is None:
        raise InputError(file, "the file is empty")
    return Document(source, builder.root, digest)


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet; ``key`` waits for its value."""

    place: Place
    is_map: bool
    items: list[Node] = field(default_factory=list)
    keys: dict[str, Scalar] = field(default_factory=dict)
    values: dict[str, Node] = field(default_factory=dict)
    key: Scalar | None = None

    def close(self) -> Node:
        return MapNode(self.place, self.keys, self.values) if self.is_map else ListNode(self.place, self.items)


class _Builder:
    """Makes the tree from the parser's events, without recursion, refusing at the first event that is not plain."""

    def __init__(self, source: TextFile) -> None:
        self.root: Node | None = None
        self._source = source
        self._open: list[_Open] = []

    def take(self, event: yaml.Event) -> None:
        """Take the next event."""
        place = _place(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            remedy = "write the value out where it is needed"
            raise self._source.error(place, f"aliases are not read here ({shown(f'*{event.anchor}')})", remedy)
        if isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise self._source.error(place, "a second document begins here", "keep one document per file")
        if isinstance(event, yaml.NodeEvent):
            self._check_node(event, place)
        if isinstance(event, yaml.ScalarEvent):
            self._attach(self._read_scalar(event, place))
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(self._open) == MAX_DEPTH:
                raise self._source.error(place, f"nested deeper than {MAX_DEPTH} levels")
            self._open.append(_Open(place, isinstance(event, yaml.MappingStartEvent)))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._attach(self._open.pop().close())

    def _check_node(self, event: yaml.NodeEvent, place: Place) -> None:
        if event.anchor is not None:
            raise self._source.error(place, f"anchors are not read here ({shown(f'&{event.anchor}')})", "remove it")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise self._source.error(place, f"tags are not read here ({shown(tag)})", "remove it")
        if isinstance(event, yaml.CollectionStartEvent) and self._open and self._expects_key():
            raise self._source.error(place, "a key must be text, not a list or a mapping")

    def _expects_key(self) -> bool:
        return self._open[-1].is_map and self._open[-1].key is None

    def _read_scalar(self, event: yaml.ScalarEvent, place: Place) -> Scalar:
        for character in event.value:
            if unicodedata.category(character) in _UNREADABLE and character not in "\n\t":
                raise self._source.error(place, f"holds the unreadable character U+{ord(character):04X}")
        if not event.value and event.style is None and self._open:
            raise self._no_value(place, self._open[-1])
        return Scalar(place, event.value, event.style is not None)

    def _no_value(self, place: Place, parent: _Open) -> InputError:
        """Nothing where a value belongs. In braces a comma between thousands ends the number before it."""
        if parent.key is None:
            return self._source.error(place, "nothing stands here", 'write a value; empty text is ""')
        before = list(parent.values.values())[-1:]
        text = before[0].text if before and isinstance(before[0], Scalar) else ""
        if _WHOLE.fullmatch(text) and _THOUSANDS.fullmatch(parent.key.text):
            message = f"{shown(parent.key.text)} has no value: the comma ends the number {shown(text)}"
            line = self._source.lines[before[0].place.line - 1][before[0].place.column - 1 :]
            number = _GROUPED.match(line)
            digits = number[0].replace(",", "") if number else text + parent.key.text
            return self._source.error(parent.key.place, message, f"write the digits alone: {digits}")
        return self._source.error(place, f"{shown(parent.key.text)} has no value", 'write a value; empty text is ""')

    def _attach(self, node: Node) -> None:
        if not self._open:
            self.root = None if isinstance(node, Scalar) and not node.text else node
            return
        parent = self._open[-1]
        if not parent.is_map:
            parent.items.append(node)
        elif parent.key is not None:
            parent.values[parent.key.text] = node
            parent.key = None
        elif isinstance(node, Scalar):
            first = parent.keys.get(node.text)
            if first is not None:
                message = f"the key {shown(node.text)} stands here a second time"
                raise self._source.error(node.place, message, f"the first is in line {first.place.line}")
            parent.keys[node.text] = node
            parent.key = node


def _events(source: TextFile, text: str) -> Iterator[yaml.Event]:
    """The parser's events, one at a time, its errors as ours."""
    loader: Any = None
    try:
        loader = yaml.SafeLoader(text)
        while loader.check_event():
            yield loader.get_event()
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = _place(mark) if mark else Place(1, 1)
        is_tab = "'\\t'" in (problem.problem or "")
        remedy = "indent with spaces, not tabs" if is_tab else problem.context or ""
        raise source.error(place, f"not valid YAML: {clean(problem.problem or str(problem))}", remedy) from None
    except ReaderError as problem:
        before = _LINE_BREAK.split(text[: problem.position])
        place = Place(len(before), len(before[-1]) + 1)
        raise source.error(place, f"holds the unreadable character U+{ord(text[problem.position]):04X}") from None
    except (ValueError, OverflowError):  # an escape beyond Unicode, or a version number of thousands of digits
        place = _place(loader.get_mark()) if loader else Place(1, 1)
        raise source.error(place, "not valid YAML: a number here is out of range") from None


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)


def _plain(node: Node) -> Any:
    if isinstance(node, MapNode):
        return {key: _plain(value) for key, value in node.values.items()}
    if isinstance(node, ListNode):
        return [_plain(item) for item in node.items]
    return node.text
