"""The nodes of a parameter set: from their text to a graph that the rules accept (GRA-1 to GRA-4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crossmargin.faults import Fault
from crossmargin.messages import shown
from crossmargin.names import unknown
from crossmargin.node_file import NodeModel
from crossmargin.parameter_file import FeedModel
from crossmargin.source_file import SourceModel
from crossmargin.source_set import find_pushed, find_source
from crossmargin.yamltext import Loc
from oracle.graph import Graph, RegisterNode, make_graph, process_register_node
from oracle.nodes import NodeId, compute_node_id
from protocol.errors import Refusal

# What each rule asks for, in the words of the file; the refusal's own sentence comes before it.
REMEDIES = {
    "oracle/node-parents": "mul and div are of two nodes, median, min, max, recent and first_ok of two to eight; no "
    "node stands twice",
    "oracle/units": "mul and div need a symbol that cancels, as cbETH/ETH times ETH/USD; all other kinds need nodes of "
    "one pair",
    "oracle/graph-size": "a node reaches at most 48 nodes, itself among them, and 12 feeds, counted once for each way",
}


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node to register, and the id that it then has."""

    name: str
    id: NodeId
    action: RegisterNode


@dataclass(frozen=True, slots=True)
class _Names:
    """What the names in a node stand for: nodes above it, feeds and sources."""

    above: Mapping[str, NodeId]
    nodes: Mapping[str, NodeModel]
    feeds: Mapping[str, FeedModel]
    sources: Mapping[str, SourceModel]

    def node(self, text: str, loc: Loc) -> NodeId:
        """A node that stands above."""
        if text in self.above:
            return self.above[text]
        if text in self.nodes:
            raise Fault(loc, f"the node {shown(text)} does not stand above", "put a node below those it is made of")
        raise unknown(text, self.above, loc, "node")

    def feed(self, text: str, loc: Loc) -> tuple[int, int]:
        """A pushed feed."""
        return find_pushed(text, self.feeds, loc)

    def source(self, text: str, feed_id: str | None, average: str | None, loc: Loc) -> tuple[int, int]:
        """A source of any kind."""
        return find_source(text, feed_id, average, self.sources, loc)


def build_nodes(
    models: Mapping[str, NodeModel], feeds: Mapping[str, FeedModel], sources: Mapping[str, SourceModel]
) -> tuple[tuple[NodeSpec, ...], Graph]:
    """Every node with its id, and the graph of them. What a rule refuses is a fault at the node."""
    graph = make_graph(admin=0, guardian=0)
    specs: list[NodeSpec] = []
    above: dict[str, NodeId] = {}
    for name, model in models.items():
        loc = ("nodes", name)
        node = model.to_node(_Names(above, models, feeds, sources), loc)
        action = RegisterNode(node.kind, node.params, node.parents)
        node_id = compute_node_id(node)
        for other in specs:
            if other.id == node_id:
                raise Fault(loc, f"{shown(name)} is the same node as {shown(other.name)}", "name it once", key=True)
        try:
            graph, _ = process_register_node(graph, 0, 0, action)
        except Refusal as refusal:
            raise _fault_of(refusal, model, (*loc, model.key)) from None
        specs.append(NodeSpec(name, node_id, action))
        above[name] = node_id
    return tuple(specs), graph


def _fault_of(refusal: Refusal, model: NodeModel, loc: Loc) -> Fault:
    sentence = (refusal.__doc__ or "").strip().splitlines()[0]
    remedy = REMEDIES.get(refusal.code, model.shape.limits)
    return Fault(loc, f"refused as {refusal.code}: {sentence}", remedy, key=True)
