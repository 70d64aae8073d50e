"""The graph of the model: ids, units of prices, sizes, evaluation, state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi import encode
from eth_utils import keccak

from oracle import graph as graph_module
from oracle.graph import (
    MAX_CALLS,
    MAX_SIZE,
    BreakerClosed,
    BreakerTripped,
    Graph,
    HaltNode,
    NodeHalted,
    NodeRegistered,
    NodeReset,
    Observed,
    PokeNode,
    RegisterNode,
    ResetNode,
    check_price,
    make_graph,
    process,
    process_halt_node,
    process_poke_node,
    process_register_node,
    process_reset_node,
)
from oracle.nodes import (
    Kind,
    Node,
    NodeId,
    aggregator,
    bounds,
    breaker,
    combine,
    compute_node_id,
    confidence,
    deviation,
    fixed,
    hours,
    make_symbol,
    median,
    sequencer,
    source,
    staleness,
)
from protocol.env import NO_QUOTE, Quote, Status
from protocol.units import W
from tests.oracle.calls import outcome
from tests.oracle.test_nodes import LONELY
from tests.oracle.test_quotes import flat

NOW = 1_600_000_000
ADMIN, GUARDIAN, STRANGER = 0xA1, 0xA2, 0xA7
ONE, TWO, FEED = 0x51, 0x52, 0x53  # contracts
PARENT, OTHER, THIRD = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32


class Bench:
    """A graph of the model, and what its sources answer."""

    def __init__(self) -> None:
        self.graph: Graph = make_graph(ADMIN, GUARDIAN)
        self.observed = Observed({}, {})
        self.now = NOW

    def add(self, node: Node) -> NodeId:
        """A registered node's id."""
        action = RegisterNode(node.kind, node.params, node.parents)
        self.graph, _ = process_register_node(self.graph, self.now, STRANGER, action)
        return compute_node_id(node)

    def answer(self, key: int, price: int, age: int = 0, status: int = 0, address: int = ONE) -> None:
        """A price without spread from a source."""
        quote = (price, price, price, self.now - age, int(status))
        self.observed = replace(self.observed, quotes={**self.observed.quotes, (address, key): quote})

    def read(self, node: NodeId) -> Quote:
        """A node's quote now."""
        return process(self.graph, self.now, node, self.observed)

    def poke(self, node: NodeId) -> tuple[Any, ...]:
        """What a poke tells."""
        self.graph, events = process_poke_node(self.graph, self.now, STRANGER, PokeNode(node), self.observed)
        return events


@pytest.fixture
def bench() -> Bench:
    """An empty graph."""
    return Bench()


# --- GRA-1: ids ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "node",
    [
        source(ONE, 7, "ETH/USD"),
        deviation(PARENT, OTHER, 200),
        median(2, PARENT, OTHER, THIRD),
        Node(2**256 - 1, (2**256 - 1, 0, 1, 2), (PARENT,) * 9),
    ],
)
def test_an_id_is_the_hash_of_what_the_node_is(node: Node) -> None:
    """GRA-1: of its ABI encoding, so that anyone can compute it."""
    encoded = encode(["uint256", "uint256[4]", "bytes32[]"], [int(node.kind), node.params, node.parents])
    assert compute_node_id(node) == keccak(encoded)


def test_anyone_registers_a_node_once(bench: Bench) -> None:
    """GRA-1: a second time changes nothing and says nothing."""
    node = source(ONE, 7, "ETH/USD")
    action = RegisterNode(node.kind, node.params, node.parents)
    graph, events = process_register_node(bench.graph, NOW, STRANGER, action)
    assert events == (NodeRegistered(compute_node_id(node), Kind.SOURCE, node.params, ()),)
    assert process_register_node(graph, NOW, ADMIN, action) == (graph, ())
    assert bench.graph.entries.get(compute_node_id(node)) is None


def test_parents_exist_before_their_children(bench: Bench) -> None:
    """GRA-1: so no node can be below itself."""
    node = staleness(PARENT, 60, 600)
    assert outcome(bench.add, node) == "oracle/unknown-node"
    below = bench.add(source(ONE, 7, "ETH/USD"))
    assert outcome(bench.add, combine(Kind.MUL, below, PARENT)) == "oracle/unknown-node"
    bench.add(staleness(below, 60, 600))


# --- GRA-7: dollars ---------------------------------------------------------------------------------------------------


def test_a_price_is_in_dollars(bench: Bench) -> None:
    """GRA-7: Moonwell, 2026-02-15: cbETH/ETH is no price of cbETH."""
    rate = bench.add(source(ONE, 1, "cbETH/ETH"))
    assert outcome(check_price, bench.graph, rate) == "oracle/not-in-dollars"
    assert outcome(check_price, bench.graph, PARENT) == "oracle/unknown-node"
    ether = bench.add(source(ONE, 2, "ETH/USD"))
    whole = bench.add(combine(Kind.MUL, rate, ether))
    assert check_price(bench.graph, whole) == make_symbol("cbETH")
    assert check_price(bench.graph, ether) == make_symbol("ETH")


# --- GRA-4: sizes ----------------------------------------------------------------------------------------------------


def test_a_graph_is_bounded_by_its_evaluations(bench: Bench) -> None:
    """GRA-4: a node below two parents counts twice, since it is evaluated twice."""
    node = bench.add(fixed(W, "ETH/USD"))
    for number in range(MAX_SIZE - 1):
        node = bench.add(confidence(node, 10 + number))
    assert bench.graph.entries[node].size == MAX_SIZE
    assert outcome(bench.add, confidence(node, 10)) == "oracle/graph-size"


def test_a_graph_is_bounded_by_its_calls(bench: Bench) -> None:
    """GRA-4: sources, feeds and gates call; what they are below adds up."""
    leaves = [bench.add(source(ONE, key, "ETH/USD")) for key in range(6)]
    six = bench.add(combine(Kind.MIN, *leaves))
    assert (bench.graph.entries[six].size, bench.graph.entries[six].calls) == (7, 6)
    gated = bench.add(sequencer(six, FEED, 60))
    assert bench.graph.entries[gated].calls == 7
    feed = bench.add(aggregator(FEED, "ETH/USD"))
    assert bench.graph.entries[feed].calls == 1
    constant = bench.add(fixed(W, "ETH/USD"))
    assert bench.graph.entries[constant].calls == 0
    again = bench.add(combine(Kind.MAX, *leaves))
    twelve = bench.add(combine(Kind.FIRST_OK, six, again))
    assert bench.graph.entries[twelve].calls == MAX_CALLS
    assert outcome(bench.add, sequencer(twelve, FEED, 60)) == "oracle/graph-size"
    assert outcome(bench.add, combine(Kind.MIN, six, again, feed)) == "oracle/graph-size"


def test_a_graph_is_bounded_by_its_nodes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """GRA-4: an index on chain has 24 bits."""
    monkeypatch.setattr(graph_module, "MAX_NODES", 1)
    bench.add(fixed(W, "ETH/USD"))
    assert outcome(bench.add, fixed(2 * W, "ETH/USD")) == "oracle/graph-size"


# --- GRA-5, GRA-6: evaluation ----------------------------------------------------------------------------------------


def test_an_unknown_node_has_no_quote(bench: Bench) -> None:
    """GRA-5: it is unavailable, and refuses nothing."""
    assert bench.read(PARENT) == NO_QUOTE


def test_sources_are_read_by_address_and_key(bench: Bench) -> None:
    """GRA-6: and what is not there fails; a constant is always new."""
    node = bench.add(source(ONE, 7, "ETH/USD"))
    bench.answer(7, 5, address=TWO)
    bench.answer(8, 6)
    assert bench.read(node) == NO_QUOTE
    bench.answer(7, 200 * W, age=9)
    assert bench.read(node) == flat(200 * W, NOW - 9)
    feed = bench.add(aggregator(FEED, "ETH/USD", 8))
    assert bench.read(feed) == NO_QUOTE
    bench.observed = replace(bench.observed, rounds={FEED: (200 * 10**8, NOW, NOW - 3)})
    assert bench.read(feed) == flat(200 * W, NOW - 3)
    assert bench.read(bench.add(fixed(W, "USDC/USD"))) == flat(W, NOW)


def test_every_kind_does_what_its_function_does(bench: Bench) -> None:
    """GRA-5: 200 and 100 dollars, the second a minute old."""
    one, two = bench.add(source(ONE, 1, "ETH/USD")), bench.add(source(ONE, 2, "ETH/USD"))
    ratio = bench.add(source(ONE, 3, "wstETH/ETH"))
    bench.answer(1, 200 * W)
    bench.answer(2, 100 * W, age=60)
    bench.answer(3, 2 * W, age=5)
    cases = [
        (combine(Kind.MUL, ratio, one), flat(400 * W, NOW - 5)),
        (combine(Kind.DIV, one, two), flat(2 * W, NOW - 60)),
        (combine(Kind.INVERT, ratio), flat(W // 2, NOW - 5)),
        (median(2, one, two), Quote(100 * W, 150 * W, 200 * W, NOW - 60, 0)),
        (combine(Kind.MIN, one, two), flat(100 * W, NOW - 60)),
        (combine(Kind.MAX, one, two), flat(200 * W, NOW - 60)),
        (combine(Kind.RECENT, two, one), flat(200 * W)),
        (combine(Kind.FIRST_OK, two, one), flat(100 * W, NOW - 60)),
        (staleness(two, 59, 600), flat(100 * W, NOW - 60, Status.STALE_SOFT)),
        (deviation(one, two, 5_000), flat(200 * W, NOW, Status.DEVIATED)),
        (bounds(one, 200 * W, 300 * W), flat(200 * W, NOW, Status.OUT_OF_BOUNDS)),
        (bounds(one, 199 * W, 300 * W, 100), flat(200 * W, NOW, Status.UNCERTAIN)),
        (confidence(one, 10), flat(200 * W)),
        (breaker(one, 20_000, 60, 1), flat(200 * W)),
        (sequencer(one, 0, 60), flat(200 * W)),
        (sequencer(one, FEED, 60), flat(200 * W, NOW, Status.SEQ_DOWN)),
        (hours(one, 1, 0, 60), flat(200 * W, NOW, Status.MARKET_CLOSED)),
        (combine(Kind.HALT, one), flat(200 * W)),
        (combine(Kind.ENVELOPE, one, two), Quote(100 * W, 200 * W, 200 * W, NOW, 0)),
    ]
    assert {node.kind for node, _ in cases} == set(Kind) - set(LONELY)
    for node, expected in cases:
        assert bench.read(bench.add(node)) == expected, node


def test_faults_add_up_through_guards(bench: Bench) -> None:
    """GRA-5: each guard adds its own; a required leg's faults reach the top."""
    node = bench.add(source(ONE, 1, "ETH/USD"))
    bench.answer(1, 200 * W, age=700, status=Status.CAPPED)
    node = bench.add(staleness(node, 60, 600))
    node = bench.add(bounds(node, 200 * W, 300 * W))
    node = bench.add(sequencer(node, FEED, 60))
    expected = Status.CAPPED | Status.STALE_HARD | Status.OUT_OF_BOUNDS | Status.SEQ_DOWN
    assert bench.read(node).status == expected


# --- GRD-5, GRD-8: state ---------------------------------------------------------------------------------------------


def test_a_breaker_is_poked_by_anyone(bench: Bench) -> None:
    """GRD-5: from calm to tripped to calm, with an event for each change of the latch only."""
    below = bench.add(source(ONE, 1, "ETH/USD"))
    node = bench.add(breaker(below, 20_000, 600, 2))
    bench.answer(1, 200 * W)
    assert bench.poke(node) == ()
    bench.now += 10
    bench.answer(1, 500 * W)
    assert bench.read(node).status == Status.HALTED
    assert bench.poke(node) == (BreakerTripped(node, 200 * W, 500 * W),)
    for expected in ((), (BreakerClosed(node, 501 * W),)):
        bench.now += 300
        bench.answer(1, 501 * W)
        assert bench.read(node).status == Status.HALTED
        assert bench.poke(node) == expected
    assert bench.read(node) == flat(501 * W, bench.now)


def test_a_poke_without_effect_changes_nothing(bench: Bench) -> None:
    """GRD-5."""
    node = bench.add(breaker(bench.add(source(ONE, 1, "ETH/USD")), 20_000, 600, 2))
    before = bench.graph
    assert bench.poke(node) == ()
    assert bench.graph is before


def test_guardian_and_admin_halt_and_the_admin_resets(bench: Bench) -> None:
    """GRD-8: at once, and only a Halt node; resetting is for the admin alone."""
    below = bench.add(source(ONE, 1, "ETH/USD"))
    node = bench.add(combine(Kind.HALT, below))
    bench.answer(1, 200 * W)
    assert outcome(process_halt_node, bench.graph, NOW, STRANGER, HaltNode(node)) == "role/not-guardian"
    assert outcome(process_halt_node, bench.graph, NOW, GUARDIAN, HaltNode(PARENT)) == "oracle/unknown-node"
    assert outcome(process_halt_node, bench.graph, NOW, GUARDIAN, HaltNode(below)) == "oracle/node-state"
    for sender in (GUARDIAN, ADMIN):
        bench.graph, events = process_halt_node(bench.graph, NOW, sender, HaltNode(node))
        assert events == (NodeHalted(node),)
        assert bench.read(node) == flat(200 * W, NOW, Status.HALTED)
        for other in (GUARDIAN, STRANGER):
            assert outcome(process_reset_node, bench.graph, NOW, other, ResetNode(node)) == "role/not-admin"
        bench.graph, reset = process_reset_node(bench.graph, NOW, ADMIN, ResetNode(node))
        assert reset == (NodeReset(node),)
        assert bench.read(node) == flat(200 * W)


def test_the_admin_makes_a_breaker_begin_anew(bench: Bench) -> None:
    """GRD-8: without a reference, and without the latch."""
    node = bench.add(breaker(bench.add(source(ONE, 1, "ETH/USD")), 20_000, 600, 2))
    bench.answer(1, 200 * W)
    bench.poke(node)
    bench.answer(1, 500 * W)
    bench.poke(node)
    bench.graph, events = process_reset_node(bench.graph, NOW, ADMIN, ResetNode(node))
    assert events == (NodeReset(node),)
    assert bench.read(node) == flat(500 * W)


def test_only_nodes_with_state_have_it_changed(bench: Bench) -> None:
    """GRD-5, GRD-8."""
    node = bench.add(source(ONE, 1, "ETH/USD"))
    halt = bench.add(combine(Kind.HALT, node))
    assert outcome(process_reset_node, bench.graph, NOW, ADMIN, ResetNode(node)) == "oracle/node-state"
    assert outcome(process_reset_node, bench.graph, NOW, ADMIN, ResetNode(PARENT)) == "oracle/unknown-node"
    for other, code in ((node, "oracle/node-state"), (halt, "oracle/node-state"), (PARENT, "oracle/unknown-node")):
        assert outcome(bench.poke, other) == code
