"""A graph as model and as contract, over one source that answers what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from eth_abi import decode, encode

from contracts_py.bindings import call_data, topic_of
from contracts_py.compile import Artifact, compile_all
from contracts_py.errors import Reverted
from contracts_py.keys import address_of, private_key, to_hex
from contracts_py.revm import RevmNode
from oracle import graph as model
from oracle.graph import HaltNode, Observed, PokeNode, RegisterNode, ResetNode, make_graph, process
from oracle.nodes import Kind, Node, NodeId, compute_node_id
from protocol.env import Quote
from protocol.errors import Refusal
from tests.oracle.calls import QUOTE, ROUND, key_of

START = 1_600_000_000
NAMES = ("oracles/Graph", "mocks/QuoteSource")
WORKS, REVERTS, RUNS_OUT, TOILS, REVERTS_WITH_ANSWER = range(5)
NOBODY = 0xDEAD  # an address without code


def compile_graph(changed: Mapping[str, str] | None = None) -> dict[str, Artifact]:
    """The contract and its source, compiled once."""
    return compile_all(changed, NAMES)


class GraphTwins:
    """Both, over the same answers. ``source`` answers by key; as an AggregatorV3 it is one of ``feeds``."""

    def __init__(self, artifacts: Mapping[str, Artifact], feeds: int = 3) -> None:
        self.node = RevmNode(START)
        key = private_key("deployer")
        roles = encode(["address", "address"], [to_hex(address_of("admin")), to_hex(address_of("guardian"))])
        self.address = self.node.deploy(key, artifacts["oracles/Graph"].bytecode, roles)
        self.source = self.node.deploy(key, artifacts["mocks/QuoteSource"].bytecode)
        self.feeds = [self.node.deploy(key, artifacts["mocks/QuoteSource"].bytecode) for _ in range(feeds)]
        self.graph = make_graph(address_of("admin"), address_of("guardian"))
        self.quotes: dict[tuple[int, int], tuple[int, int, int, int, int]] = {}
        self.rounds: dict[int, tuple[int, int, int]] = {}
        self.now = START
        abi = [entry for entry in artifacts["oracles/Graph"].abi if entry["type"] == "event"]
        self._events = {topic_of(entry): (getattr(model, entry["name"]), read_event_shape(entry)) for entry in abi}

    @property
    def observed(self) -> Observed:
        """What the model is told of the outside."""
        return Observed(self.quotes, self.rounds)

    # --- what sources answer ----------------------------------------------------------------------------------------

    def answer(self, key: int, bid: int, mid: int, ask: int, publish_time: int, status: int = 0) -> None:
        """A quote for a key."""
        self.answer_many({key: (bid, mid, ask, publish_time, status)})

    def flat(self, key: int, price: int, publish_time: int | None = None, status: int = 0) -> None:
        """A quote without spread, published now."""
        self.answer(key, price, price, price, self.now if publish_time is None else publish_time, status)

    def answer_many(self, quotes: Mapping[int, tuple[int, int, int, int, int]]) -> None:
        """Quotes for several keys."""
        keys = [key_of(key) for key in quotes]
        self._tell(self.source, call_data("set_quotes(bytes32[],uint256[5][])", keys, list(quotes.values())))
        self.quotes |= {(self.source, key): quote for key, quote in quotes.items()}

    def fail(self, key: int, fault: int = REVERTS, answer: bytes = b"") -> None:
        """A key for which the source fails, or answers these bytes."""
        self._tell(self.source, call_data("set_answer(bytes32,bytes,uint256)", key_of(key), answer, fault))
        self.quotes.pop((self.source, key), None)

    def toil(self, key: int) -> None:
        """Make a key that has an answer take a lot of gas to give it."""
        answer = encode(QUOTE, self.quotes[self.source, key])
        self._tell(self.source, call_data("set_answer(bytes32,bytes,uint256)", key_of(key), answer, TOILS))

    def push(self, feed: int, answer: int, started_at: int, updated_at: int) -> None:
        """A round of an AggregatorV3."""
        data = encode(ROUND, [2**80 - 1, answer, started_at, updated_at, 0])
        self.fail_feed(feed, WORKS, data)
        self.rounds[self.feeds[feed]] = (answer, started_at, updated_at)

    def fail_feed(self, feed: int, fault: int = REVERTS, answer: bytes = b"") -> None:
        """An AggregatorV3 that fails, or answers these bytes."""
        self._tell(self.feeds[feed], call_data("set_answer(bytes32,bytes,uint256)", bytes(32), answer, fault))
        self.rounds.pop(self.feeds[feed], None)

    def _tell(self, contract: int, data: bytes) -> None:
        assert self.node.send(private_key("deployer"), contract, data, self.now).succeeded

    # --- actions ----------------------------------------------------------------------------------------------------

    def do(self, sender: str, action: Any) -> tuple[Any, ...]:
        """An action on both: the same events or the same refusal, which is raised."""
        try:
            self.graph, events = self.apply(address_of(sender), action)
        except Refusal as refusal:
            assert self.attempt(sender, action) == refusal.code
            raise
        receipt = self.node.send(private_key(sender), self.address, encode_action(action), self.now)
        assert receipt.succeeded, self.node._reason
        told = tuple(self._read_log(log) for log in receipt.logs)
        assert told == events
        return events

    def apply(self, sender: int, action: Any) -> tuple[model.Graph, tuple[Any, ...]]:
        """An action on the model."""
        if isinstance(action, PokeNode):
            return model.process_poke_node(self.graph, self.now, sender, action, self.observed)
        if isinstance(action, RegisterNode):
            return model.process_register_node(self.graph, self.now, sender, action)
        if isinstance(action, HaltNode):
            return model.process_halt_node(self.graph, self.now, sender, action)
        return model.process_reset_node(self.graph, self.now, sender, action)

    def attempt(self, sender: str, action: Any) -> str:
        """What an action on the contract is refused with; empty when it is not."""
        try:
            self.node.call(self.address, encode_action(action), address_of(sender))
        except Reverted as reverted:
            return reverted.reason
        return ""

    def refuse(self, code: str, sender: str, action: Any) -> None:
        """Both refuse an action with this code, and nothing changes."""
        before = self.graph
        try:
            self.do(sender, action)
        except Refusal as refusal:
            assert refusal.code == code
            assert self.graph is before
            return
        raise AssertionError(f"{action} was not refused")

    def _read_log(self, log: Any) -> Any:
        cls, names = self._events[log.topics[0]]
        values = {name: log.topics[1] if indexed else None for name, indexed, _ in names}
        plain = [(name, kind) for name, indexed, kind in names if not indexed]
        data = decode([kind for _, kind in plain], log.data)
        values |= {name: value for (name, _), value in zip(plain, data, strict=True)}
        return cls(**values)

    def add(self, *nodes: Node) -> NodeId:
        """Register nodes; the id of the last."""
        node_id = b""
        for node in nodes:
            node_id = compute_node_id(node)
            self.do("stranger", RegisterNode(node.kind, node.params, node.parents))
        return node_id

    def poke(self, node: NodeId) -> tuple[Any, ...]:
        """Poke a breaker."""
        return self.do("stranger", PokeNode(node))

    # --- reading ----------------------------------------------------------------------------------------------------

    def read(self, node: NodeId, function: str = "process") -> Quote:
        """What the contract says of a node."""
        return Quote(*decode(QUOTE, self.node.call(self.address, call_data(f"{function}(bytes32)", node))))

    def check(self, node: NodeId) -> Quote:
        """What both say of a node, and they agree."""
        expected = process(self.graph, self.now, node, self.observed)
        assert self.read(node) == expected, describe(self.graph, node)
        return expected

    def prices_by_gas(self, node: NodeId, step: int = 500, most: int = 400_000) -> set[int]:
        """The prices that the contract gives for all amounts of gas with which it answers."""
        found, data, evm = set(), call_data("process(bytes32)", node), self.node._evm
        for gas in range(21_000, most, step):
            checkpoint = evm.snapshot()
            try:
                answer = evm.message_call(to_hex(NOBODY), to_hex(self.address), data, gas=gas)
                found.add(int(decode(QUOTE, answer)[1]))
            except RuntimeError:
                continue
            finally:
                evm.revert(checkpoint)
        return found

    def info(self, node: NodeId) -> tuple[int, ...]:
        """Kind, evaluations, calls, unit and state word of a node on the contract."""
        return decode(QUOTE, self.node.call(self.address, call_data("node_info(bytes32)", node)))

    def wait(self, seconds: int) -> None:
        """Let time pass on both."""
        self.now += seconds
        self.node._set_time(self.now)


def encode_action(action: Any) -> bytes:
    """An action as calldata."""
    if isinstance(action, RegisterNode):
        return call_data("register_node(uint256,uint256[4],bytes32[])", *astuple(action))
    name = {PokeNode: "poke_node", HaltNode: "halt_node", ResetNode: "reset_node"}[type(action)]
    return call_data(f"{name}(bytes32)", action.node)


def read_event_shape(entry: dict[str, Any]) -> list[tuple[str, bool, str]]:
    """Name, whether indexed, and type of each field of an event."""
    return [(item["name"], item["indexed"], item["type"]) for item in entry["inputs"]]


def describe(graph: model.Graph, node: NodeId) -> str:
    """A node and what is below it, for a failure's message."""
    entry = graph.entries.get(node)
    if entry is None:
        return "unknown"
    inside = ", ".join(describe(graph, parent) for parent in entry.node.parents)
    return f"{Kind(entry.node.kind).name}{entry.node.params}({inside})"
