"""The sources of prices beside a deployment: created, called and read back in the model's records.

Each is a contract of its own, created by an actor of its own (addresses.py). Averages and medians are there from the
beginning; a growth cap is created by an action, since it needs a live rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from eth_abi import encode

from contracts_py.bindings import (
    EventShape,
    Function,
    decode_log,
    explain,
    function_name,
    read_event,
    read_function,
    to_abi,
    topic_of,
)
from contracts_py.compile import Artifact
from contracts_py.errors import Reverted, UnknownRevert
from contracts_py.keys import address_of_key, to_hex
from contracts_py.node import Chain, Receipt
from contracts_py.readback_sources import READERS, Reported
from oracle import averages, growth_cap, median, pull
from oracle.averages import Averages
from oracle.errors import REFUSALS
from oracle.growth_cap import GrowthCap
from oracle.median import Median
from oracle.pull import BandSet, PullFeed, ReportStored
from oracle.sources import AtSource, CreateGrowthCap, OfSource, Source
from protocol.errors import Refusal
from protocol.records import Table

CONTRACTS: dict[type, tuple[str, Any]] = {  # by state: the contract, and the model's module with its events
    Median: ("oracles/Median", median),
    PullFeed: ("oracles/PullFeed", pull),
    Averages: ("oracles/Averages", averages),
    GrowthCap: ("oracles/GrowthCap", growth_cap),
}


class Sources:
    """All sources of one deployment, by address."""

    def __init__(self, node: Chain, artifacts: Mapping[str, Artifact]) -> None:
        self._node = node
        self._artifacts = artifacts
        self._kinds: dict[int, type] = {}
        self._functions: dict[type, dict[str, Function]] = {}
        self._events: dict[type, dict[bytes, EventShape]] = {}
        self.reported: dict[int, Reported] = {}
        for kind, (name, module) in CONTRACTS.items():
            if name in artifacts:
                abi = artifacts[name].abi
                functions = (entry for entry in abi if entry["type"] == "function")
                self._functions[kind] = {plain(entry["name"]): read_function(entry) for entry in functions}
                events = (entry for entry in abi if entry["type"] == "event" and hasattr(module, entry["name"]))
                self._events[kind] = {topic_of(entry): read_event(entry, vars(module)) for entry in events}

    def create(self, key: bytes, source: Source | CreateGrowthCap, time: int | None = None) -> Receipt:
        """Deploy a source just as the model has it; it may have failed. Raises ``Reverted`` where nodes do at once."""
        kind, arguments = describe(source)
        code = bytes.fromhex(self._artifacts[CONTRACTS[kind][0]].bytecode[2:])
        receipt = self._node.send(key, None, code + arguments, time)
        if receipt.succeeded:
            self._kinds[receipt.contract] = kind
            self.reported[receipt.contract] = Reported({}, {})
        return receipt

    def execute(
        self, action: AtSource, key: bytes, sender: int, time: int | None = None
    ) -> tuple[tuple[Any, ...], Receipt]:
        """Send an action and return its events. Raises the model's ``Refusal``, with no numbers, if it is refused."""
        if isinstance(action.action, CreateGrowthCap):
            receipt = self._create(action.action, key, time)
        else:
            data, value = self._encode(action)
            receipt = self._node.send(key, action.source, data, time, value)
            if not receipt.succeeded:
                what = type(action.action).__name__
                raise explain(self._node, action.source, data, sender, receipt, what, value)
        events = tuple(
            OfSource(log.address, decode_log(self._events[self._kinds[log.address]][log.topics[0]], log))
            for log in receipt.logs
        )
        for event in events:
            self._take(event)
        return events, receipt

    def read(self) -> Table[int, Source]:
        """The complete state of all sources, in the order of creation."""
        found: dict[int, Source] = {}
        for address, kind in self._kinds.items():
            artifact = self._artifacts[CONTRACTS[kind][0]]
            found[address] = READERS[kind](self._node, artifact, address, self.reported[address])
        return Table(found)

    def _create(self, action: CreateGrowthCap, key: bytes, time: int | None) -> Receipt:
        try:
            receipt = self.create(key, action, time)
        except Reverted as failure:
            raise _as_refusal(failure) from None
        if not receipt.succeeded:
            _, arguments = describe(action)
            code = bytes.fromhex(self._artifacts[CONTRACTS[GrowthCap][0]].bytecode[2:])
            raise explain(self._node, None, code + arguments, address_of_key(key), receipt, "GrowthCap")
        return receipt

    def _encode(self, action: AtSource) -> tuple[bytes, int]:
        """Calldata and value of an action. Where no contract is, nothing reads the data."""
        kind = self._kinds.get(action.source)
        if kind is None:
            return b"", 0
        values = [getattr(action.action, name) for name in type(action.action).__dataclass_fields__ if name != "value"]
        function = self._functions[kind][plain(function_name(type(action.action)))]
        found = [to_abi(each, value) for each, value in zip(function.inputs, values, strict=True)]
        return function.selector + encode(function.inputs, found), getattr(action.action, "value", 0)

    def _take(self, event: OfSource) -> None:
        """Remember the ids of a pull feed's reports and bands, which the contract has but as keys of a map."""
        reported = self.reported[event.source]
        if isinstance(event.event, ReportStored):
            reported.reports[event.event.feed_id] = None
        elif isinstance(event.event, BandSet):
            reported.bands[event.event.feed_id] = None


def plain(name: str) -> str:
    """A function's name without the marks of either style, since the contracts keep the names of their models."""
    return name.replace("_", "").lower()


def describe(source: Source | CreateGrowthCap) -> tuple[type, bytes]:
    """The kind of a source, and the arguments of its constructor."""
    values: list[Any]
    if isinstance(source, Median):
        values = [source.quorum, source.max_age, source.skew, source.ahead, source.decimals, ""]
        return Median, encode(["address[]", *["uint256"] * 5, "string"], [[*map(to_hex, source.reporters)], *values])
    if isinstance(source, PullFeed):
        values = [to_hex(source.admin), [*map(to_hex, source.signers)], source.threshold, source.faults]
        return PullFeed, encode(["address", "address[]", *["uint256"] * 4], [*values, source.fee, source.ahead])
    follows = [to_hex(source.target), source.key.to_bytes(32, "big")]
    if isinstance(source, CreateGrowthCap):
        values = [to_hex(source.admin), *follows, *astuple(source.config), *astuple(source.snapshot)]
        return GrowthCap, encode(["address", "address", "bytes32", *["uint256"] * 7, "uint48"], values)
    assert isinstance(source.state, Averages)
    return Averages, encode(["address", "bytes32", *["uint256"] * 4], [*follows, *astuple(source.state.config)])


def _as_refusal(failure: Reverted) -> Refusal | UnknownRevert:
    if failure.reason in REFUSALS:
        return REFUSALS[failure.reason]()
    return UnknownRevert(f"GrowthCap: {failure}")
