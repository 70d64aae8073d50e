"""Contracts that follow one source, on pyrevm, beside a source that answers what it is told to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eth_abi import decode, encode
from eth_utils import keccak

from contracts_py.bindings import call_data
from contracts_py.compile import Artifact, compile_all
from contracts_py.keys import address_of, private_key
from contracts_py.node import Chain, Log
from contracts_py.revm import RevmNode
from protocol.env import NO_QUOTE, Quote
from tests.switches import switch_guards

SOURCES = Path(__file__).parent / "vyper"
START = 1_600_000_000
KEY = 7  # the only one that the source answers to


class Deployed:
    """One contract on a chain, called by the names of its functions."""

    def __init__(self, node: Chain, artifact: Artifact, *arguments: Any, time: int | None = None) -> None:
        self.node = node
        self.artifact = artifact
        self._functions = {entry["name"]: entry for entry in artifact.abi if entry["type"] == "function"}
        inputs: list[dict[str, Any]] = next(
            (entry["inputs"] for entry in artifact.abi if entry["type"] == "constructor"), []
        )
        data = encode([item["type"] for item in inputs], arguments)
        receipt = node.send(private_key("deployer"), None, bytes.fromhex(artifact.bytecode[2:]) + data, time)
        self.address = receipt.contract

    def encode(self, name: str, *arguments: Any) -> bytes:
        """Calldata of a call."""
        kinds = ",".join(item["type"] for item in self._functions[name]["inputs"])
        return call_data(f"{name}({kinds})", *arguments)

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


def compile_switched(name: str, guards: Mapping[str, tuple[str, str]]) -> dict[str, Artifact]:
    """A contract with a switch for every guard, each a text of it and the text without the guard, and its source."""
    return compile_here(
        name,
        "GivenSource",
        changed=switch_guards({guard: ((f"{name}.vy", *edit),) for guard, edit in guards.items()}),
    )


def set_time(node: Chain, time: int) -> None:
    """Make it ``time`` for the next call on pyrevm."""
    assert isinstance(node, RevmNode)
    node._set_time(time)


def compile_here(*names: str, changed: Mapping[str, str] | None = None) -> dict[str, Artifact]:
    """Contracts of the project, with changed sources if given, and those of this folder's tests."""
    ours = {path.name: path.read_text("utf-8") for path in sorted(SOURCES.glob("*.vy"))}
    return compile_all({**ours, **(changed or {})}, names)


def fields_of(quote: Quote) -> tuple[int, ...]:
    """A quote as the contracts answer it."""
    return quote.bid, quote.mid, quote.ask, quote.publish_time, int(quote.status)
