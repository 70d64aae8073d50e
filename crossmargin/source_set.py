"""The sources of a parameter set: from their text to what is deployed (specs/oracle/sources.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from contracts_py.addresses import CHAIN_ID, feed_address, graph_address, source_address
from contracts_py.keys import address_of
from crossmargin.faults import Fault
from crossmargin.messages import shown
from crossmargin.names import resolve, unknown
from crossmargin.parameter_file import FeedModel
from crossmargin.source_file import AVERAGES, AveragesSourceModel, CapPlan, PullSourceModel, SourceModel, encode_feed_id
from crossmargin.yamltext import Loc
from oracle.nodes import NodeId
from oracle.sources import Source
from protocol.errors import Refusal

WRONG_KEY = "a pull source is asked with feed_id, averages with average, a median and a growth cap with neither"


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """A source to deploy, or a growth cap that a step can create, at an address that follows from its name."""

    name: str
    address: int
    plan: Source | CapPlan
    people: tuple[str, ...]  # its reporters or signers, by name


@dataclass(frozen=True, slots=True)
class _Targets:
    """What the names in a source stand for: feeds, nodes and the sources above it."""

    feeds: Mapping[str, FeedModel]
    nodes: Mapping[str, NodeId]
    sources: Mapping[str, SourceModel]
    above: frozenset[str]
    chain_id: int
    admin: int

    def feed(self, text: str, loc: Loc) -> int:
        """The address of a pushed feed's own contract."""
        return find_pushed(text, self.feeds, loc)[0]

    def node(self, text: str, loc: Loc) -> tuple[int, int]:
        """The graph's address, and a node's id."""
        if text not in self.nodes:
            raise unknown(text, self.nodes, loc, "node")
        return graph_address(), int.from_bytes(self.nodes[text], "big")

    def source(self, text: str, feed_id: str | None, average: str | None, loc: Loc) -> tuple[int, int]:
        """The address of a source that stands above, and the key for it."""
        found = find_source(text, feed_id, average, self.sources, loc)
        if text not in self.above:
            raise Fault(loc, f"the source {shown(text)} does not stand above", "put a source below those it follows")
        return found


def find_pushed(text: str, feeds: Mapping[str, FeedModel], loc: Loc) -> tuple[int, int]:
    """The address of a pushed feed's own contract, and the decimals of its answers. Refuses any other feed."""
    index = resolve(text, list(feeds), loc, "feed")
    decimals = feeds[text].decimals
    if decimals is None:
        raise Fault(loc, f"feed {shown(text)} has no rounds", "name a feed that has decimals and max_age")
    return feed_address(index), decimals


def find_source(
    text: str, feed_id: str | None, average: str | None, sources: Mapping[str, SourceModel], loc: Loc
) -> tuple[int, int]:
    """A source's address, and the key for it. Refuses an unknown one, and what its kind does not ask for."""
    if text not in sources:
        raise unknown(text, sources, loc, "source")
    shape = sources[text].shape
    asked = (isinstance(shape, PullSourceModel), isinstance(shape, AveragesSourceModel))
    if asked != (feed_id is not None, average is not None):
        raise Fault(loc, f"{shown(text)} is of kind {sources[text].key}", WRONG_KEY)
    if feed_id is not None:
        return source_address(text), int.from_bytes(encode_feed_id(feed_id), "big")
    return source_address(text), AVERAGES[average] if average is not None else 0


def build_sources(
    models: Mapping[str, SourceModel], feeds: Mapping[str, FeedModel], nodes: Mapping[str, NodeId]
) -> tuple[SourceSpec, ...]:
    """Every source with its address. What a rule refuses is a fault at the source."""
    specs: list[SourceSpec] = []
    for name, model in models.items():
        loc = ("sources", name, model.key)
        above = frozenset(spec.name for spec in specs)
        targets = _Targets(feeds, nodes, models, above, CHAIN_ID, address_of("admin"))
        try:
            plan = model.shape.to_source(source_address(name), targets, loc)
        except Refusal as refusal:
            sentence = (refusal.__doc__ or "").strip().splitlines()[0]
            raise Fault(loc, f"refused as {refusal.code}: {sentence}", model.shape.limits, key=True) from None
        if isinstance(plan, CapPlan) and any(plan.target == cap.address for cap in specs if is_cap(cap)):
            raise Fault(loc, "a growth cap follows no growth cap", "name what the other one follows", key=True)
        specs.append(SourceSpec(name, source_address(name), plan, model.shape.people))
    return tuple(specs)


def is_cap(spec: SourceSpec) -> bool:
    """Whether a source is a growth cap, which is there only once it was created."""
    return isinstance(spec.plan, CapPlan)
