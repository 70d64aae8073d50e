"""Immutable building blocks: ``record`` for values, ``Table`` for maps with many entries, copies of small ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast, dataclass_transform

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

_ABSENT: Any = object()


@dataclass_transform(frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """A dataclass with slots, compared by value and by class, never changed in place.

    The type checker holds it frozen. At run time it is not: making a frozen one costs more than twice as much, and
    an action makes a dozen (specs/decisions/0006-records.md).
    """
    return dataclass(slots=True)(cls)


class Table(Mapping[K, V]):
    """A persistent map: ``put`` returns a new table in constant time and the old one stays valid.

    All versions share one dict. The newest version owns it; an older one holds the single entry in which it
    differs from its successor, and takes the dict back when it is read (Baker's rerooting). Forward use costs
    one dict write; reading an old version costs as many writes as lie between the two. Iteration is in the
    order of first insertion. Not safe for use from several threads.
    """

    __slots__ = ("_data", "_key", "_next", "_old")

    def __init__(self, entries: Mapping[K, V] | None = None) -> None:
        self._data: dict[K, V] | None = dict(entries) if entries else {}
        self._next: Table[K, V] | None = None
        self._key: K = _ABSENT
        self._old: V = _ABSENT

    def put(self, key: K, value: V) -> Table[K, V]:
        """This table with one entry added or replaced."""
        data = self._own()
        newer: Table[K, V] = Table.__new__(Table)
        newer._data, newer._next = data, None
        newer._key = newer._old = _ABSENT
        self._data, self._next, self._key, self._old = None, newer, key, data.get(key, _ABSENT)
        data[key] = value
        return newer

    def _own(self) -> dict[K, V]:
        """The shared dict, brought to this version's contents."""
        if self._data is not None:
            return self._data
        path: list[Table[K, V]] = []
        node: Table[K, V] = self
        while node._data is None:
            path.append(node)
            node = cast("Table[K, V]", node._next)
        for older in reversed(path):
            data = node._data
            key = older._key
            node._data, node._next, node._key, node._old = None, older, key, data.get(key, _ABSENT)
            if older._old is _ABSENT:
                del data[key]
            else:
                data[key] = older._old
            older._data, older._next = data, None
            older._key = older._old = _ABSENT
            node = older
        return cast("dict[K, V]", self._data)

    def __getitem__(self, key: K) -> V:
        return self._own()[key]

    def get(self, key: K, default: Any = None) -> Any:
        """The entry under ``key``, or ``default``."""
        return self._own().get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self._own()

    def __iter__(self) -> Iterator[K]:
        return iter(list(self._own()))

    def __len__(self) -> int:
        return len(self._own())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Table):
            return dict(self._own()) == dict(other._own())
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # holds mutable internals

    def __repr__(self) -> str:
        return f"Table({self._own()!r})"


def replace_items(items: tuple[V, ...], changed: dict[int, V]) -> tuple[V, ...]:
    """``items`` with those at some indices replaced."""
    if not changed:
        return items
    copied = list(items)
    for index, item in changed.items():
        copied[index] = item
    return tuple(copied)


def put_entry(entries: Mapping[int, V], key: int, value: V | None) -> Mapping[int, V]:
    """``entries`` with one entry set, or removed for ``None``, in ascending order of keys."""
    changed = dict(entries)
    if value is None:
        changed.pop(key, None)
        return changed
    in_order = not changed or key in changed or key > next(reversed(changed))
    changed[key] = value
    return changed if in_order else dict(sorted(changed.items()))
