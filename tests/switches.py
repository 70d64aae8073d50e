"""Contracts whose guards can be taken out, one at a time.

All guards are taken out of one set of sources at once, each behind a switch: ``REMOVED`` in the text that stands for a
guard is a test of the contract's own balance of the native token. That balance is the number of the guard that is out;
it is otherwise 0, and no rule reads it but that of the fees of pull reports. So every contract is compiled once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from contracts_py.compile import read_sources
from contracts_py.keys import to_hex
from contracts_py.node import Chain
from contracts_py.revm import RevmNode

Edits = tuple[tuple[str, str, str], ...]  # file, text, text without the guard


def number_guards(guards: Iterable[str]) -> dict[str, int]:
    """The number of each guard, from 1."""
    return {name: number for number, name in enumerate(guards, start=1)}


def switch_guards(guards: Mapping[str, Edits]) -> dict[str, str]:
    """All sources, with every guard behind its switch."""
    # A pure function may not read a balance; a view does the same.
    sources = {path: text.replace("@pure", "@view") for path, text in read_sources().items()}
    numbers = number_guards(guards)
    for name, edits in guards.items():
        for path, old, new in edits:
            found = sources[path].count(old)
            assert found == 1, f"{name}: {path} has the text {found} times: {old}"
            sources[path] = sources[path].replace(old, new.replace("REMOVED", f"(self.balance == {numbers[name]})"))
    return sources


def take_out(node: Chain, contract: int, guards: Iterable[str], guard: str) -> None:
    """Switch one guard of a contract off, or none with an empty name."""
    assert isinstance(node, RevmNode)
    node._evm.set_balance(to_hex(contract), number_guards(guards)[guard] if guard else 0)
