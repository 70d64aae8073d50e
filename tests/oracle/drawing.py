"""Numbers that follow from a name, the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """One sequence of them."""

    def __init__(self, name: str) -> None:
        self._name, self._count = name, 0

    def below(self, limit: int) -> int:
        """A number from 0 to ``limit`` - 1."""
        self._count += 1
        return int.from_bytes(sha256(f"{self._name}:{self._count}".encode()).digest(), "big") % limit

    def between(self, low: int, high: int) -> int:
        """A number from ``low`` to ``high``, both included."""
        return low + self.below(high - low + 1)

    def pick(self, options: Sequence[T]) -> T:
        """One of several."""
        return options[self.below(len(options))]

    def chance(self, one_in: int) -> bool:
        """Whether something of that rarity happens."""
        return self.below(one_in) == 0
