"""A contract's storage by the names of its variables, as the compiler laid them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from eth_utils import keccak


class Storage:
    """One contract's storage, by the names of its variables."""

    def __init__(self, read: Callable[[int], int], layout: Mapping[str, Any]) -> None:
        self._read = read
        self._slots = dict(_flatten(layout))

    def word(self, name: str, index: int = 0) -> int:
        """A variable, or a word of a fixed array."""
        return self._read(self._slots[name] + index)

    def entry(self, name: str, *keys: int) -> int:
        """An entry of a map, or of a map of maps."""
        slot = self._slots[name]
        for key in keys:
            slot = int.from_bytes(keccak(slot.to_bytes(32, "big") + key.to_bytes(32, "big")), "big")
        return self._read(slot)


def _flatten(layout: Mapping[str, Any], prefix: str = "") -> list[tuple[str, int]]:
    found = []
    for name, item in layout.items():
        if "slot" in item:
            found.append((prefix + name, int(item["slot"])))
        else:
            found.extend(_flatten(item, f"{prefix}{name}."))
    return found
