"""The price graph: nodes registered by anyone, evaluated without a refusal, with state moved only by explicit actions.

Rules GRA-1 to GRA-7, GRD-5 and GRD-8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from oracle import errors
from oracle.breaker import UNTOUCHED, BreakerParams, BreakerState, advance_breaker, guard_breaker
from oracle.nodes import (
    CALLING,
    USD,
    Kind,
    Node,
    NodeId,
    Params,
    Unit,
    check_kind,
    check_params,
    check_parents,
    compute_node_id,
    compute_unit,
)
from oracle.quote_guards import (
    get_gate_fault,
    guard_bounds,
    guard_confidence,
    guard_deviation,
    guard_envelope,
    guard_halt,
    guard_hours,
    guard_staleness,
    mark,
)
from oracle.quotes import (
    divide,
    invert,
    multiply,
    read_answer,
    read_round,
    take_first_ok,
    take_max,
    take_median,
    take_min,
    take_recent,
)
from protocol import errors as protocol_errors
from protocol.env import NO_QUOTE, Quote, Status
from protocol.records import Table, record
from protocol.units import Price, Seconds

MAX_SIZE = 48  # evaluations below a node, itself among them; a node reached twice counts twice
MAX_CALLS = 12  # of them, those that call another contract
SOURCE_GAS = 250_000  # what one such call may use
MAX_NODES = 2**24 - 1


@record
class Entry:
    """A registered node, its unit, and what evaluating it may take."""

    node: Node
    unit: Unit
    size: int
    calls: int


@record
class Graph:
    """All nodes by id, who may halt and reset, and the state of every breaker and halt."""

    admin: int
    guardian: int
    entries: Table[NodeId, Entry]
    breakers: Table[NodeId, BreakerState]
    halted: Table[NodeId, bool]


@record
class Observed:
    """What contracts outside would answer now; what is not named fails.

    ``quotes`` has bid, mid, ask, publish time and status by address and key; ``rounds`` has signed answer,
    started_at and updated_at by address.
    """

    quotes: Mapping[tuple[int, int], tuple[int, int, int, int, int]]
    rounds: Mapping[int, tuple[int, int, int]]


@record
class RegisterNode:
    """Add a node over existing ones (specs/oracle/graph.md)."""

    kind: int
    params: Params
    parents: tuple[NodeId, ...]


@record
class PokeNode:
    """Show a breaker the price below it (specs/oracle/graph.md)."""

    node: NodeId


@record
class HaltNode:
    """Halt a price (specs/oracle/graph.md)."""

    node: NodeId


@record
class ResetNode:
    """Lift a halt, or forget what a breaker saw (specs/oracle/graph.md)."""

    node: NodeId


@record
class NodeRegistered:
    """A node that can be used from now on."""

    node: NodeId
    kind: int
    params: Params
    parents: tuple[NodeId, ...]


@record
class BreakerTripped:
    """A price that jumped."""

    node: NodeId
    reference: Price
    price: Price


@record
class BreakerClosed:
    """A breaker that let go, at the price it now takes as usual."""

    node: NodeId
    price: Price


@record
class NodeHalted:
    """A price halted."""

    node: NodeId


@record
class NodeReset:
    """A halt lifted, or a breaker forgotten."""

    node: NodeId


GraphAction = RegisterNode | PokeNode | HaltNode | ResetNode
GraphEvent = NodeRegistered | BreakerTripped | BreakerClosed | NodeHalted | NodeReset


def make_graph(admin: int, guardian: int) -> Graph:
    """A graph without nodes."""
    return Graph(admin, guardian, Table(), Table(), Table())


# --- changing ------------------------------------------------------------------------------------------------------


def process_register_node(
    graph: Graph, now: Seconds, sender: int, action: RegisterNode
) -> tuple[Graph, tuple[NodeRegistered, ...]]:
    """Add a node, or do nothing if it exists; anyone may (GRA-1). Parents exist before, so there is no cycle.

    Refuses, in this order: oracle/node-kind, oracle/node-parents, oracle/unknown-node, oracle/node-params,
    oracle/units, oracle/graph-size.
    """
    node = Node(action.kind, action.params, action.parents)
    node_id = compute_node_id(node)
    if node_id in graph.entries:
        return graph, ()
    check_kind(node.kind)
    check_parents(node)
    parents = [get_entry(graph, parent) for parent in node.parents]
    check_params(node)
    unit = compute_unit(node, [parent.unit for parent in parents])
    size, calls = compute_size(node, parents)
    if size > MAX_SIZE or calls > MAX_CALLS or len(graph.entries) >= MAX_NODES:
        raise errors.GraphTooLarge
    entries = graph.entries.put(node_id, Entry(node, unit, size, calls))
    graph = replace(graph, entries=entries)
    if node.kind == Kind.BREAKER:
        graph = replace(graph, breakers=graph.breakers.put(node_id, UNTOUCHED))
    elif node.kind == Kind.HALT:
        graph = replace(graph, halted=graph.halted.put(node_id, False))
    return graph, (NodeRegistered(node_id, node.kind, node.params, node.parents),)


def compute_size(node: Node, parents: list[Entry]) -> tuple[int, int]:
    """Evaluations and calls that a node may take (GRA-4)."""
    calls = 1 if node.kind in CALLING else 0
    return 1 + sum(parent.size for parent in parents), calls + sum(parent.calls for parent in parents)


def get_entry(graph: Graph, node: NodeId) -> Entry:
    """A registered node.

    Refuses: oracle/unknown-node.
    """
    entry: Entry | None = graph.entries.get(node)
    if entry is None:
        raise errors.UnknownNode
    return entry


def process_poke_node(
    graph: Graph, now: Seconds, sender: int, action: PokeNode, observed: Observed
) -> tuple[Graph, tuple[BreakerTripped | BreakerClosed, ...]]:
    """Show a breaker the price below it; anyone may (GRD-5).

    Refuses: oracle/unknown-node, oracle/node-state.
    """
    node = get_entry(graph, action.node).node
    if node.kind != Kind.BREAKER:
        raise errors.NoNodeState
    before = graph.breakers[action.node]
    quote = process(graph, now, node.parents[0], observed)
    after = advance_breaker(before, quote, now, BreakerParams(*node.params[:3]))
    events: tuple[BreakerTripped | BreakerClosed, ...] = ()
    if after.tripped_at and not before.tripped_at:
        events = (BreakerTripped(action.node, before.reference, quote.mid),)
    elif before.tripped_at and not after.tripped_at:
        events = (BreakerClosed(action.node, quote.mid),)
    if after == before:
        return graph, events
    return replace(graph, breakers=graph.breakers.put(action.node, after)), events


def process_halt_node(
    graph: Graph, now: Seconds, sender: int, action: HaltNode
) -> tuple[Graph, tuple[NodeHalted, ...]]:
    """Halt a price at once; guardian and admin may (GRD-8).

    Refuses: role/not-guardian, oracle/unknown-node, oracle/node-state.
    """
    if sender not in (graph.admin, graph.guardian):
        raise protocol_errors.NotGuardian
    if get_entry(graph, action.node).node.kind != Kind.HALT:
        raise errors.NoNodeState
    return replace(graph, halted=graph.halted.put(action.node, True)), (NodeHalted(action.node),)


def process_reset_node(
    graph: Graph, now: Seconds, sender: int, action: ResetNode
) -> tuple[Graph, tuple[NodeReset, ...]]:
    """Lift a halt, or make a breaker begin anew; only the admin may (GRD-8).

    Refuses: role/not-admin, oracle/unknown-node, oracle/node-state.
    """
    if sender != graph.admin:
        raise protocol_errors.NotAdmin
    kind = get_entry(graph, action.node).node.kind
    if kind == Kind.HALT:
        graph = replace(graph, halted=graph.halted.put(action.node, False))
    elif kind == Kind.BREAKER:
        graph = replace(graph, breakers=graph.breakers.put(action.node, UNTOUCHED))
    else:
        raise errors.NoNodeState
    return graph, (NodeReset(action.node),)


def apply_graph(
    graph: Graph, now: Seconds, sender: int, action: GraphAction, observed: Observed
) -> tuple[Graph, tuple[GraphEvent, ...]]:
    """The graph after an action, and its events. Raises a ``Refusal`` when it is not allowed."""
    match action:
        case RegisterNode():
            return process_register_node(graph, now, sender, action)
        case PokeNode():
            return process_poke_node(graph, now, sender, action, observed)
        case HaltNode():
            return process_halt_node(graph, now, sender, action)
        case ResetNode():
            return process_reset_node(graph, now, sender, action)


# --- reading -------------------------------------------------------------------------------------------------------


def process(graph: Graph, now: Seconds, node: NodeId, observed: Observed) -> Quote:
    """The quote of a node now; an unknown node has none (GRA-5). Changes nothing and refuses nothing."""
    entry: Entry | None = graph.entries.get(node)
    if entry is None:
        return NO_QUOTE
    if not entry.node.parents:
        return read_leaf(entry.node, now, observed)
    if entry.node.kind <= Kind.FIRST_OK:
        return reduce_parents(graph, now, entry.node, observed)
    return guard_parent(graph, now, node, entry.node, observed)


def read_leaf(node: Node, now: Seconds, observed: Observed) -> Quote:
    """The quote of a node without parents: what its contract answers, or its constant, published now (GRA-6)."""
    a, b, _, d = node.params
    if node.kind == Kind.SOURCE:
        return read_answer(observed.quotes.get((a, b)), d)
    if node.kind == Kind.AGGREGATOR:
        return read_round(observed.rounds.get(a), b)
    return Quote(a, a, a, now, int(Status.OK))


def reduce_parents(graph: Graph, now: Seconds, node: Node, observed: Observed) -> Quote:
    """The quote of a node that makes one price of several, or the inverse of one (GRA-5)."""
    legs = (process(graph, now, parent, observed) for parent in node.parents)
    if node.kind == Kind.FIRST_OK:
        return take_first_ok(legs)
    quotes = list(legs)
    match node.kind:
        case Kind.MUL:
            return multiply(quotes[0], quotes[1])
        case Kind.DIV:
            return divide(quotes[0], quotes[1])
        case Kind.INVERT:
            return invert(quotes[0])
        case Kind.MEDIAN:
            return take_median(quotes, node.params[0])
        case Kind.MIN:
            return take_min(quotes)
        case Kind.MAX:
            return take_max(quotes)
        case _:
            return take_recent(quotes)


def guard_parent(graph: Graph, now: Seconds, node_id: NodeId, node: Node, observed: Observed) -> Quote:
    """The quote of a guard: that of its first parent, perhaps with one fault more or wider sides (GRA-5)."""
    quote = process(graph, now, node.parents[0], observed)
    a, b, c, _ = node.params
    match node.kind:
        case Kind.STALENESS:
            return guard_staleness(quote, now, a, b, c)
        case Kind.DEVIATION:
            return guard_deviation(quote, process(graph, now, node.parents[1], observed), a)
        case Kind.ENVELOPE:
            return guard_envelope(quote, process(graph, now, node.parents[1], observed))
        case Kind.BOUNDS:
            return guard_bounds(quote, a, b, c)
        case Kind.CONFIDENCE:
            return guard_confidence(quote, a)
        case Kind.BREAKER:
            return guard_breaker(quote, graph.breakers[node_id], a)
        case Kind.SEQUENCER:
            return mark(quote, get_gate_fault(observed.rounds.get(a), now, b)) if a else quote
        case Kind.HOURS:
            return guard_hours(quote, now, a, b, c)
        case _:
            return guard_halt(quote, graph.halted[node_id])


def check_price(graph: Graph, node: NodeId) -> int:
    """The symbol of what a node is the dollar price of, for the caller to compare (GRA-7).

    Refuses: oracle/unknown-node, oracle/not-in-dollars.
    """
    unit = get_entry(graph, node).unit
    if unit.quote != USD:
        raise errors.NotInDollars
    return unit.base
