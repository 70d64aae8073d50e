"""Contracts that follow one source, on pyrevm, beside a source that answers what it is told to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from eth_abi import decode, encode
from eth_utils import keccak

from contracts_py.compile import Artifact, compile_all
from contracts_py.errors import Reverted
from contracts_py.keys import address_of, private_key, to_hex
from contracts_py.node import Chain, Log
from contracts_py.revm import RevmNode, read_reason
from oracle.quotes import NO_QUOTE, Quote

T = TypeVar("T")

SOURCES = Path(__file__).parent / "vyper"
START = 1_600_000_000
KEY = 7  # the only one that the source answers to


class Draw:
    """Numbers that follow from a name, the same on every machine."""

    def __init__(self, name: str) -> None:
        self._name, self._count = name, 0

    def below(self, limit: int) -> int:
        """One of 0 to ``limit - 1``."""
        self._count += 1
        digest = hashlib.sha256(f"{self._name}:{self._count}".encode()).digest()
        return int.from_bytes(digest, "big") % limit

    def pick(self, options: Sequence[T]) -> T:
        """One of several."""
        return options[self.below(len(options))]


class Deployed:
    """One contract on a chain, called by the names of its functions."""

    def __init__(self, node: Chain, artifact: Artifact, *arguments: Any, time: int | None = None) -> None:
        self.node = node
        self.artifact = artifact
        self._functions = {entry["name"]: entry for entry in artifact.abi if entry["type"] == "function"}
        inputs: list[dict[str, Any]] = next(
            (entry["inputs"] for entry in artifact.abi if entry["type"] == "constructor"), []
        )
        try:
            data = encode([item["type"] for item in inputs], arguments)
            receipt = node.send(private_key("deployer"), None, bytes.fromhex(artifact.bytecode[2:]) + data, time)
        except RuntimeError as failure:
            raise Reverted(read_reason(str(failure))) from None
        self.address = receipt.contract

    def encode(self, name: str, *arguments: Any) -> bytes:
        """Calldata of a call."""
        entry = self._functions[name]
        kinds = [item["type"] for item in entry["inputs"]]
        return keccak(text=f"{name}({','.join(kinds)})")[:4] + encode(kinds, arguments)

    def ask(self, name: str, *arguments: Any, sender: str = "anybody") -> Any:
        """What a function answers now: a value, or a tuple of several. Raises ``Reverted``."""
        data = self.encode(name, *arguments)
        kinds = [item["type"] for item in self._functions[name]["outputs"]]
        answer = decode(kinds, self.node.call(self.address, data, address_of(sender)))
        return answer[0] if len(answer) == 1 else answer

    def send(self, name: str, *arguments: Any, time: int, sender: str = "anybody") -> tuple[Any, tuple[Log, ...]]:
        """Send a transaction: what the function answers, and its events. Raises ``Reverted``."""
        set_time(self.node, time)
        answered = self.ask(name, *arguments, sender=sender) if self._functions[name]["outputs"] else None
        data = self.encode(name, *arguments)
        receipt = self.node.send(private_key(sender), self.address, data, time)
        if not receipt.succeeded:
            self.node.call(self.address, data, address_of(sender))
            raise AssertionError("a transaction failed that succeeds as a call")
        return answered, receipt.logs

    def read_event(self, log: Log) -> tuple[str, tuple[int, ...]]:
        """Name and values of an event without indexed fields."""
        for entry in self.artifact.abi:
            if entry["type"] == "event":
                kinds = [item["type"] for item in entry["inputs"]]
                if log.topics == (keccak(text=f"{entry['name']}({','.join(kinds)})"),):
                    assert log.address == self.address
                    return entry["name"], decode(kinds, log.data)
        raise AssertionError(f"an event that {self.artifact.name} does not have")


class Source:
    """The source: a contract that answers what it is told to."""

    def __init__(self, node: Chain, artifact: Artifact) -> None:
        self.contract = Deployed(node, artifact)
        self.address = self.contract.address

    def give(self, quote: Quote | None, now: int) -> Quote:
        """Answer ``quote`` from now on, or fail; what a reader of the source makes of it."""
        given = NO_QUOTE if quote is None else quote
        words = [given.bid, given.mid, given.ask, given.publish_time, given.status]
        self.contract.send("give", words, quote is None, time=now)
        return given


def switch_guards(source: str, guards: Mapping[str, tuple[str, str]]) -> str:
    """A contract with every guard behind a switch.

    ``REMOVED`` in the text that stands for a guard is a test of the contract's own balance of the native token, which
    is otherwise 0 and which no rule reads: that balance is the number of the guard that is out.
    """
    switched = source.replace("@pure", "@view")  # a pure function may not read a balance; a view does the same
    for number, (name, (guarded, unguarded)) in enumerate(guards.items(), start=1):
        assert switched.count(guarded) == 1, f"{name}: the contract has the text {switched.count(guarded)} times"
        switched = switched.replace(guarded, unguarded.replace("REMOVED", f"(self.balance == {number})"))
    return switched


def remove_guard(contract: Deployed, guards: Mapping[str, tuple[str, str]], name: str) -> None:
    """Take a guard out of a contract that was compiled with switches."""
    assert isinstance(contract.node, RevmNode)
    contract.node._evm.set_balance(to_hex(contract.address), 1 + list(guards).index(name))


def set_time(node: Chain, time: int) -> None:
    """Make it ``time`` for the next call on pyrevm."""
    assert isinstance(node, RevmNode)
    node._set_time(time)


def compile_here(*names: str, changed: Mapping[str, str] | None = None) -> dict[str, Artifact]:
    """Contracts of the project, with changed sources if given, and those of this folder's tests."""
    ours = {path.name: path.read_text("utf-8") for path in sorted(SOURCES.glob("*.vy"))}
    return compile_all({**ours, **(changed or {})}, names)


def key_of(number: int) -> bytes:
    """A key as the contracts take it."""
    return number.to_bytes(32, "big")


def fields_of(quote: Quote) -> tuple[int, ...]:
    """A quote as the contracts answer it."""
    return quote.bid, quote.mid, quote.ask, quote.publish_time, int(quote.status)
