"""The shape of a node of the price graph in a parameter set's file: one key, its kind, with parents by name (GRA-2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Protocol

from pydantic import Field

from crossmargin.fields import ACTOR, Choice, Duration, FileModel, Integer, Name, Quantity, Reference
from crossmargin.kinds import OneKindModel
from crossmargin.source_file import AverageField, ReportField
from crossmargin.yamltext import Loc
from oracle import nodes
from oracle.nodes import Kind, Node, NodeId

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NODE_NAME = Name("a node's name", ACTOR, "use lower-case letters, digits and _, a letter first")
PAIR = Name("a pair", "[A-Za-z0-9]{1,16}/[A-Za-z0-9]{1,16}", "write what is priced and in what, like BTC/USD")

PairField = Annotated[str, PAIR]
ParentField = Annotated[str, Reference()]
FeedField = Annotated[str, Reference()]
PriceField = Annotated[int, Quantity(18)]
BpsField = Annotated[int, Quantity(4)]
DurationField = Annotated[int, Duration()]
DayField = Annotated[str, Choice("day", DAYS)]


class Names(Protocol):
    """What names in a node stand for."""

    def node(self, text: str, loc: Loc) -> NodeId:
        """A node's id."""

    def feed(self, text: str, loc: Loc) -> tuple[int, int]:
        """The address of a pushed feed's own contract, and the decimals of its answers."""

    def source(self, text: str, feed_id: str | None, average: str | None, loc: Loc) -> tuple[int, int]:
        """The address of a source, and the key for it."""


class KindModel(FileModel):
    """What a node of one kind says. ``limits`` is what the rules ask of it, in the words of the file (GRD-9)."""

    limits: ClassVar[str] = ""

    def to_node(self, kind: Kind, names: Names, loc: Loc) -> Node:
        """The record."""
        raise NotImplementedError


class AggregatorModel(KindModel):
    """The newest round of a pushed feed."""

    limits = "the feed has at most 18 decimals"
    feed: FeedField = Field(description="The feed, with decimals and max_age. Its max_age is not applied here.")
    pair: PairField = Field(description="What its answers are: BTC/USD is dollars for one BTC.")

    def to_node(self, kind: Kind, names: Names, loc: Loc) -> Node:
        """Over the feed's own contract."""
        address, decimals = names.feed(self.feed, (*loc, "feed"))
        return nodes.aggregator(address, self.pair, decimals)


class SourceNodeModel(KindModel):
    """What a source says."""

    source: Annotated[str, Reference()] = Field(description="The source.")
    feed_id: ReportField | None = Field(default=None, description="Of a pull source: which feed of reports.")
    average: AverageField | None = Field(default=None, description="Of averages: which of the three.")
    pair: PairField = Field(description="What its prices are: BTC/USD is dollars for one BTC.")

    def to_node(self, kind: Kind, names: Names, loc: Loc) -> Node:
        """Sources answer at 18 decimals."""
        address, key = names.source(self.source, self.feed_id, self.average, (*loc, "source"))
        return nodes.source(address, key, self.pair)


class FixedModel(KindModel):
    """A fixed price, always just published."""

    limits = "value is above 0 and below 2^96 at 18 decimals"
    value: PriceField = Field(description="The price.")
    pair: PairField = Field(description="What it is: USDC/USD is dollars for one USDC.")

    def to_node(self, kind: Kind, names: Names, loc: Loc) -> Node:
        """Without parents."""
        return nodes.fixed(self.value, self.pair)


class CombineModel(KindModel):
    """A price made of several; a product or quotient of exactly two, a choice of two to eight."""

    of: tuple[ParentField, ...] = Field(description="The nodes it is made of.")

    def to_node(self, kind: Kind, names: Names, loc: Loc) -> Node:
        """In the order of the list."""
        return nodes.combine(kind, *find_parents(self.of, names, (*loc, "of")))


class PlainModel(KindModel):
    """A node over one other, without numbers of its own."""

    of: ParentField = Field(description="The node below.")

    def to_node(self, kind: Kind, names: Names, loc: Loc) -> Node:
        """One parent."""
        return nodes.combine(kind, names.node(self.of, (*loc, "of")))


class MedianModel(KindModel):
    """The middle of several prices, if enough of them are usable."""

    limits = "quorum is more than half of the nodes, and at most all"
    of: tuple[ParentField, ...] = Field(description="The nodes it is the median of, two to eight.")
    quorum: Annotated[int, Integer()] = Field(description="How many must be usable: more than half.")

    def to_node(self, kind: Kind, names: Names, loc: Loc) -> Node:
        """In the order of the list."""
        return nodes.median(self.quorum, *find_parents(self.of, names, (*loc, "of")))


class StalenessModel(KindModel):
    """Limits of age."""

    limits = "soft is at most hard, hard is 1m to 3d, ahead at most 1m"
    of: ParentField = Field(description="The node below.")
    soft: DurationField = Field(description="An older price is STALE_SOFT.")
    hard: DurationField = Field(description="An older price is STALE_HARD.")
    ahead: DurationField = Field(default=0, description="A price from further in the future is FUTURE.")

    def to_node(self, kind: Kind, names: Names, loc: Loc) -> Node:
        """One parent."""
        return nodes.staleness(names.node(self.of, (*loc, "of")), self.soft, self.hard, self.ahead)


class DeviationModel(KindModel):
    """A price held against another."""

    limits = "tolerance is above 0 and at most 0.5"
    of: ParentField = Field(description="The node below, whose price it is.")
    reference: ParentField = Field(description="The node it is held against.")
    tolerance: BpsField = Field(description="Further from the reference, as a part of it, a price is DEVIATED.")

    def to_node(self, kind: Kind, names: Names, loc: Loc) -> Node:
        """The reference is the second parent."""
        below, reference = names.node(self.of, (*loc, "of")), names.node(self.reference, (*loc, "reference"))
        return nodes.deviation(below, reference, self.tolerance)


class EnvelopeModel(KindModel):
    """A price whose sides reach to those of another, so that new risk gets the worse of both."""

    of: ParentField = Field(description="The node below, whose price it is.")
    reference: ParentField = Field(description="The node to whose sides it reaches.")

    def to_node(self, kind: Kind, names: Names, loc: Loc) -> Node:
        """The reference is the second parent."""
        below, reference = names.node(self.of, (*loc, "of")), names.node(self.reference, (*loc, "reference"))
        return nodes.combine(kind, below, reference)


class BoundsModel(KindModel):
    """A price strictly between two bounds."""

    limits = "low is below high, high at most 2^96 at 18 decimals, near at most 0.5"
    of: ParentField = Field(description="The node below.")
    low: PriceField = Field(description="A price at or below it is OUT_OF_BOUNDS.")
    high: PriceField = Field(description="A price at or above it is OUT_OF_BOUNDS.")
    near: BpsField = Field(default=0, description="Within this part of a bound a price is UNCERTAIN.")

    def to_node(self, kind: Kind, names: Names, loc: Loc) -> Node:
        """One parent."""
        return nodes.bounds(names.node(self.of, (*loc, "of")), self.low, self.high, self.near)


class ConfidenceModel(KindModel):
    """A limit of the spread."""

    limits = "spread is 0.001 to 0.05"
    of: ParentField = Field(description="The node below.")
    spread: BpsField = Field(description="With a wider spread, as a part of the mid, a price is UNCERTAIN.")

    def to_node(self, kind: Kind, names: Names, loc: Loc) -> Node:
        """One parent."""
        return nodes.confidence(names.node(self.of, (*loc, "of")), self.spread)


class BreakerModel(KindModel):
    """A price that is HALTED when it jumps, until it has calmed."""

    limits = "ratio is 1.01 to 10, cool_down 1m to 1d, good 1 to 16"
    of: ParentField = Field(description="The node below.")
    ratio: BpsField = Field(description="A price more than this times the one before, or less than it divided by this.")
    cool_down: DurationField = Field(description="How long it stays halted at least.")
    good: Annotated[int, Integer()] = Field(description="How many pokes in a row must then find it calm.")

    def to_node(self, kind: Kind, names: Names, loc: Loc) -> Node:
        """One parent."""
        return nodes.breaker(names.node(self.of, (*loc, "of")), self.ratio, self.cool_down, self.good)


class SequencerModel(KindModel):
    """A price that waits for the chain's sequencer."""

    limits = "grace is at most 1d"
    of: ParentField = Field(description="The node below.")
    uptime: FeedField | None = Field(
        default=None, description="A pushed feed, 0 for up and 1 for down since its newest round; without it, no gate."
    )
    grace: DurationField = Field(description="How long after it is back a price is SEQ_GRACE.")

    def to_node(self, kind: Kind, names: Names, loc: Loc) -> Node:
        """One parent, and a feed beside it."""
        address = names.feed(self.uptime, (*loc, "uptime"))[0] if self.uptime is not None else 0
        return nodes.sequencer(names.node(self.of, (*loc, "of")), address, self.grace)


class HoursModel(KindModel):
    """A price of a market with hours, in UTC."""

    limits = "one day at least, opens below 1d, length above 0s and below 7d"
    of: ParentField = Field(description="The node below.")
    days: tuple[DayField, ...] = Field(description="The days on which it opens.")
    opens: DurationField = Field(description="When, after midnight.")
    length: DurationField = Field(description="For how long.")

    def to_node(self, kind: Kind, names: Names, loc: Loc) -> Node:
        """One parent."""
        days = sum(1 << DAYS.index(day) for day in dict.fromkeys(self.days))
        return nodes.hours(names.node(self.of, (*loc, "of")), days, self.opens, self.length)


def find_parents(texts: Sequence[str], names: Names, loc: Loc) -> list[NodeId]:
    """The ids of several parents."""
    return [names.node(text, (*loc, place)) for place, text in enumerate(texts)]


class NodeModel(OneKindModel):
    """A node of the price graph: its kind, and what nodes of that kind say (specs/oracle/graph.md)."""

    noun = "node"

    source: SourceNodeModel | None = None
    aggregator: AggregatorModel | None = None
    fixed: FixedModel | None = None
    mul: CombineModel | None = None
    div: CombineModel | None = None
    invert: PlainModel | None = None
    median: MedianModel | None = None
    min: CombineModel | None = None
    max: CombineModel | None = None
    recent: CombineModel | None = None
    first_ok: CombineModel | None = None
    staleness: StalenessModel | None = None
    deviation: DeviationModel | None = None
    bounds: BoundsModel | None = None
    confidence: ConfidenceModel | None = None
    breaker: BreakerModel | None = None
    sequencer: SequencerModel | None = None
    hours: HoursModel | None = None
    halt: PlainModel | None = None
    envelope: EnvelopeModel | None = None

    @property
    def shape(self) -> KindModel:
        """What it says."""
        shape: KindModel = getattr(self, self.key)
        return shape

    def to_node(self, names: Names, loc: Loc) -> Node:
        """The record."""
        return self.shape.to_node(Kind[self.key.upper()], names, (*loc, self.key))
