"""JSON for the types of the protocol, from a function's signature: how to read it, write it, and its schema.

A number is an integer at its type's scale, or a decimal in human units as text. What a type holds is said by the
comment beside its name in ``protocol/units.py``.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import IntEnum
from functools import cache
from typing import Any

from crossmargin import quantities
from crossmargin.faults import Fault, texts_at
from crossmargin.messages import listed, near, shown
from crossmargin.names import unknown
from crossmargin.quantities import INT256_LIMIT, read_decimal
from crossmargin.rules.named import RECORDS, ROWS, read_named
from crossmargin.text import decimal
from crossmargin.yamltext import ListNode, Loc, MapNode, Node, Scalar
from protocol import units

LISTS = {"Sequence", "Iterable", "list"}
SCALES = {"scale W": 18, "scale 10^4": 4}
INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")


class Unreadable(Exception):
    """A type that has no JSON form here."""


class Shape:
    """One type's JSON."""

    def read(self, node: Node, loc: Loc) -> Any:
        """The value that JSON means. Raises ``Fault``."""
        raise NotImplementedError

    def write(self, value: Any, *, human: bool) -> Any:
        """A value as JSON: integers at their scale, or for a ``human`` decimals as text."""
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Number(Shape):
    """An integer at ``10**scale`` below ``limit``; ``says`` is what it means."""

    says: str
    scale: int
    signed: bool = True
    limit: int = INT256_LIMIT

    def read(self, node: Node, loc: Loc) -> int:
        """Digits as they are, text in human units."""
        if not isinstance(node, Scalar) or (not node.quoted and node.text in {"true", "false", "null"}):
            raise Fault(loc, f"a number is needed here ({self.says})", self._remedy())
        if not node.quoted and not INTEGER.fullmatch(node.text):
            raise Fault(loc, f"{shown(node.text)} is not an integer ({self.says})", self._remedy())
        if node.quoted and not self.scale:
            raise Fault(loc, f"text is no number here ({self.says})", "write an integer without quotes")
        with texts_at(loc):
            return read_decimal(node.text, self.scale if node.quoted else 0, signed=self.signed, limit=self.limit)

    def _remedy(self) -> str:
        if not self.scale:
            return "write an integer, digits only"
        return f'write an integer at scale 10^{self.scale}, or the number in quotes: "1.5"'

    def write(self, value: int, *, human: bool) -> int | str:
        """Exact both ways."""
        return decimal(value, self.scale) if human and self.scale else int(value)

    def schema(self) -> dict[str, Any]:
        """An integer, or text if the scale is not 1."""
        if not self.scale:
            return {"description": self.says, "type": "integer", **({} if self.signed else {"minimum": 0})}
        text = {"type": "string", "pattern": f"^[+-]?{quantities.NUMBER}$"}
        return {"description": self.says, "anyOf": [{"type": "integer"}, text]}


@dataclass(frozen=True, slots=True)
class Flag(Shape):
    """True or false."""

    def read(self, node: Node, loc: Loc) -> bool:
        """Without quotes."""
        if not isinstance(node, Scalar) or node.quoted or node.text not in {"true", "false"}:
            raise Fault(loc, "true or false is needed here", "write it without quotes")
        return node.text == "true"

    def write(self, value: bool, *, human: bool) -> bool:
        """As it is."""
        return bool(value)

    def schema(self) -> dict[str, Any]:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Word(Shape):
    """A member of an enumeration, by name."""

    kind: type[IntEnum]

    def read(self, node: Node, loc: Loc) -> IntEnum:
        """Exactly its name."""
        names = [member.name for member in self.kind]
        text = node.text if isinstance(node, Scalar) else ""
        if text not in names:
            raise unknown(text, names, loc, self.kind.__name__)
        return self.kind[text]

    def write(self, value: int, *, human: bool) -> str | int:
        """Its name for people, its number for programs."""
        return self.kind(value).name if human else int(value)

    def schema(self) -> dict[str, Any]:
        """The names."""
        return {"enum": [member.name for member in self.kind]}


@dataclass(frozen=True, slots=True)
class Array(Shape):
    """Any number of one thing. ``named`` is the record of a row that a parameter set has by name."""

    item: Shape
    named: type | None = None

    def read(self, node: Node, loc: Loc) -> tuple[Any, ...]:
        """A list, or the name of one in a parameter set."""
        if self.named and isinstance(node, Scalar):
            with texts_at(loc):
                found: tuple[Any, ...] = read_named(self.named, node.text)
                return found
        if not isinstance(node, ListNode):
            raise Fault(loc, "a list is needed here", "write [ ... ]")
        return tuple(self.item.read(item, (*loc, index)) for index, item in enumerate(node.items))

    def write(self, value: Sequence[Any], *, human: bool) -> list[Any]:
        """Each in turn."""
        return [self.item.write(item, human=human) for item in value]

    def schema(self) -> dict[str, Any]:
        """Items of one kind."""
        return _or_name({"type": "array", "items": self.item.schema()}, self.named)


@dataclass(frozen=True, slots=True)
class Pack(Shape):
    """Several things in order."""

    items: tuple[Shape, ...]

    def read(self, node: Node, loc: Loc) -> tuple[Any, ...]:
        """A list of exactly so many."""
        if not isinstance(node, ListNode) or len(node.items) != len(self.items):
            raise Fault(loc, f"a list of {len(self.items)} is needed here", "see the schema of the input")
        pairs = enumerate(zip(self.items, node.items, strict=True))
        return tuple(shape.read(item, (*loc, index)) for index, (shape, item) in pairs)

    def write(self, value: Sequence[Any], *, human: bool) -> list[Any]:
        """Each by its own shape."""
        return [shape.write(item, human=human) for shape, item in zip(self.items, value, strict=True)]

    def schema(self) -> dict[str, Any]:
        """Items by place."""
        rows = [shape.schema() for shape in self.items]
        return {"type": "array", "prefixItems": rows, "items": False, "minItems": len(rows)}


@dataclass(frozen=True, slots=True)
class Record(Shape):
    """Fields by name, all of them; ``make`` takes them. ``named`` is the record if a parameter set has it by name."""

    make: Callable[..., Any]
    parts: Mapping[str, Shape]
    named: type | None = None

    def read(self, node: Node, loc: Loc) -> Any:
        """An object, or the name of one in a parameter set."""
        return self.make(**self.read_parts(node, loc)) if isinstance(node, MapNode) else self._read_name(node, loc)

    def read_parts(self, node: MapNode, loc: Loc) -> dict[str, Any]:
        """Every field's value."""
        for key in node.values:
            if key not in self.parts:
                hint = near(key, self.parts)
                raise Fault(
                    (*loc, key), f"unknown key {shown(key)}{hint}", listed(self.parts, len(self.parts)), key=True
                )
        missing = [f"`{key}`" for key in self.parts if key not in node.values]
        if missing:
            raise Fault(
                loc, f"missing: {', '.join(missing)}", "crossmargin eval RULE --schema shows what there is to say"
            )
        return {key: shape.read(node.values[key], (*loc, key)) for key, shape in self.parts.items()}

    def _read_name(self, node: Node, loc: Loc) -> Any:
        if self.named is None or not isinstance(node, Scalar):
            raise Fault(loc, "an object is needed here", 'write {"name": value, ...}')
        with texts_at(loc):
            return read_named(self.named, node.text)

    def write(self, value: Any, *, human: bool) -> dict[str, Any]:
        """Each field by its own shape."""
        return {key: shape.write(getattr(value, key), human=human) for key, shape in self.parts.items()}

    def schema(self) -> dict[str, Any]:
        """Every field required."""
        properties = {key: shape.schema() for key, shape in self.parts.items()}
        plain = {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
        return _or_name(plain, self.named)


def _or_name(schema: dict[str, Any], named: type | None) -> dict[str, Any]:
    if named is None:
        return schema
    says = "As a parameter set has it: its name, and for a market's or token's a slash and that name."
    return {"anyOf": [schema, {"description": says, "type": "string"}]}


@cache
def unit_shapes() -> dict[str, Number]:
    """The names of ``protocol/units.py`` that say what an integer holds, and ``int`` itself."""
    found = re.findall(r"^(\w+) = int  # (.+)$", inspect.getsource(units), re.MULTILINE)
    shapes = {
        name: Number(f"{name}: {says}", next((scale for text, scale in SCALES.items() if text in says), 0))
        for name, says in found
    }
    return {**shapes, "int": Number("an integer as the code has it", 0)}


DECIMALS = Number("decimals", 0, signed=False, limit=78)  # a power of ten beyond is no number of the protocol


def input_shape(function: Callable[..., Any]) -> Record:
    """The arguments of a function, by name. Raises ``Unreadable``."""
    parameters = inspect.signature(function).parameters.values()
    return Record(dict, _parts(((each.name, each.annotation) for each in parameters), function.__globals__))


def output_shape(function: Callable[..., Any]) -> Shape:
    """What a function returns. Raises ``Unreadable``."""
    return shape_of(inspect.signature(function).return_annotation, function.__globals__)


def shape_of(annotation: Any, names: Mapping[str, Any]) -> Shape:
    """The shape of an annotation, whose names stand for what they do in a module. Raises ``Unreadable``."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return _shape(ast.parse(text, mode="eval").body, names)


def _shape(node: ast.expr, names: Mapping[str, Any]) -> Shape:
    match node:
        case ast.Name(id=name):
            return _shape_of_name(name, names)
        case ast.BinOp(left=left, op=ast.BitOr()):  # a record or the draft of one
            return _shape(left, names)
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[item, ast.Constant(value=value)])) if (
            value is ...
        ):
            return _array(item, names)
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=items)):
            return Pack(tuple(_shape(item, names) for item in items))
        case ast.Subscript(value=ast.Name(id=name), slice=item) if name in LISTS:
            return _array(item, names)
    raise Unreadable(ast.unparse(node))


def _array(item: ast.expr, names: Mapping[str, Any]) -> Array:
    kind = names.get(item.id) if isinstance(item, ast.Name) else None
    return Array(_shape(item, names), kind if kind in ROWS else None)


def _shape_of_name(name: str, names: Mapping[str, Any]) -> Shape:
    if name in unit_shapes():
        return unit_shapes()[name]
    if name == "bool":
        return Flag()
    kind = names.get(name)
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return Word(kind)
    if not isinstance(kind, type) or not is_dataclass(kind):
        raise Unreadable(name)
    parts = _parts(((each.name, each.type) for each in fields(kind)), vars(inspect.getmodule(kind)))
    return Record(kind, parts, kind if kind in RECORDS else None)


def _parts(named: Iterable[tuple[str, Any]], scope: Mapping[str, Any]) -> dict[str, Shape]:
    return {name: DECIMALS if name == "decimals" else shape_of(annotation, scope) for name, annotation in named}
