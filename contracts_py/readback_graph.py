"""The graph's complete state, read from raw storage into the model's records.

The contract keeps no id of a node but as a key. Since an id is a hash of what the node is, and parents have lower
indices than their children, the ids follow from the words by index, and are then held against the keys.
"""

from __future__ import annotations

from contracts_py.storage import Storage
from oracle.breaker import UNTOUCHED, BreakerState
from oracle.graph import Entry, Graph
from oracle.nodes import SYMBOL_LIMIT, Kind, Node, NodeId, Params, Unit, compute_node_id
from protocol.records import Table

MASK_8, MASK_24, MASK_40, MASK_96, MASK_128, MASK_160 = (2**bits - 1 for bits in (8, 24, 40, 96, 128, 160))
PARENTS_AT = 56


def read_graph(storage: Storage) -> Graph:
    """All nodes in the order of their indices, and the state of every breaker and halt."""
    ids: list[NodeId] = []
    entries: dict[NodeId, Entry] = {}
    breakers: dict[NodeId, BreakerState] = {}
    halted: dict[NodeId, bool] = {}
    for index in range(1, storage.word("node_count") + 1):
        header = storage.word("headers_at", index)
        entry = _read_entry(storage, index, header, ids)
        node_id = compute_node_id(entry.node)
        if storage.entry("headers", int.from_bytes(node_id, "big")) != header:
            raise ValueError(f"node {index} is not registered under the id of what it is")
        ids.append(node_id)
        entries[node_id] = entry
        state = storage.word("states", index)
        if entry.node.kind == Kind.BREAKER:
            breakers[node_id] = _read_breaker(state)
        elif entry.node.kind == Kind.HALT:
            halted[node_id] = state == 1
    return Graph(storage.word("admin"), storage.word("guardian"), Table(entries), Table(breakers), Table(halted))


def _read_entry(storage: Storage, index: int, header: int, ids: list[NodeId]) -> Entry:
    kind, size, calls, count = (header >> place & MASK_8 for place in (0, 8, 16, 24))
    parents = tuple(ids[(header >> (PARENTS_AT + 24 * place) & MASK_24) - 1] for place in range(count))
    unit = storage.word("units", index)
    params = _read_params(kind, header >> (PARENTS_AT + 24 * count), storage.word("extras", index), unit)
    return Entry(Node(kind, params, parents), Unit(*divmod(unit, SYMBOL_LIMIT)), size, calls)


def _read_params(kind: int, small: int, extra: int, unit: int) -> Params:
    """The parameters of a node from what its header holds and the word beside it."""
    match kind:
        case Kind.SOURCE:
            return small & MASK_160, extra, unit, small >> 160
        case Kind.AGGREGATOR:
            return small & MASK_160, small >> 160, unit, 0
        case Kind.FIXED:
            return small, 0, unit, 0
        case Kind.BOUNDS:
            return extra & MASK_128, extra >> 128, small, 0
        case Kind.SEQUENCER:
            return extra, small, 0, 0
        case _:
            return small & MASK_24, small >> 24 & MASK_24, small >> 48, 0


def _read_breaker(word: int) -> BreakerState:
    if not word:
        return UNTOUCHED
    return BreakerState(word & MASK_96, word >> 96 & MASK_40, word >> 136 & MASK_40, word >> 176)
