"""The shape of a source of prices in a parameter set's file: one key, its kind (specs/oracle/sources.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import Field

from contracts_py.keys import address_of
from crossmargin.fields import ACTOR_NAME, Choice, Duration, FileModel, Integer, Name, Quantity, Reference, refuse
from crossmargin.kinds import OneKindModel
from crossmargin.yamltext import Loc
from oracle.averages import Average, AveragesConfig, create_averages
from oracle.growth_cap import GrowthCapConfig, check_cap_config
from oracle.median import create_median
from oracle.pull import SetSigners, SetTerms, make_pull_feed
from oracle.sources import Follower, Source

AVERAGES = {average.name.lower(): int(average) for average in Average}
# As long as the name of the actor who deploys it can be.
SOURCE_NAME = Name("a source's name", "[a-z][a-z0-9_]{0,30}", "use up to 31 lower-case letters, digits and _")
REPORT_NAME = Name(
    "the id of a feed of reports",
    "[A-Za-z0-9][A-Za-z0-9/._-]{0,31}|0x[0-9a-fA-F]{64}",
    "write up to 32 characters, which are the id, like ETH/USD, or all 32 bytes as 0x",
)

ActorField = Annotated[str, ACTOR_NAME]
NameField = Annotated[str, Reference()]
ReportField = Annotated[str, REPORT_NAME]
AverageField = Annotated[str, Choice("average", tuple(AVERAGES))]
BpsField = Annotated[int, Quantity(4)]
DurationField = Annotated[int, Duration()]
IntegerField = Annotated[int, Integer()]


class Targets(Protocol):
    """What names in a source stand for: an address, and the key to ask it for."""

    @property
    def chain_id(self) -> int:
        """Of the chain for which reports are signed."""

    @property
    def admin(self) -> int:
        """The address of who may configure sources."""

    def feed(self, text: str, loc: Loc) -> int:
        """The address of a pushed feed's own contract."""

    def node(self, text: str, loc: Loc) -> tuple[int, int]:
        """The graph's address, and a node's id."""

    def source(self, text: str, feed_id: str | None, average: str | None, loc: Loc) -> tuple[int, int]:
        """The address of a source that stands above, and the key for it."""


@dataclass(frozen=True, slots=True)
class CapPlan:
    """A growth cap that a step of a scenario can create."""

    admin: int
    target: int
    key: int
    config: GrowthCapConfig


class SourceKindModel(FileModel):
    """What a source of one kind says. ``limits`` is what the rules ask of it, in the words of the file."""

    limits: ClassVar[str] = ""

    @property
    def people(self) -> tuple[str, ...]:
        """Those whose word a price is."""
        return ()

    def to_source(self, address: int, targets: Targets, loc: Loc) -> Source | CapPlan:
        """The record. Raises the ``Refusal`` of a rule, or ``Fault`` for a name."""
        raise NotImplementedError


class MedianSourceModel(SourceKindModel):
    """One price from reporters who each write a slot (MED-1)."""

    limits = (
        "there are 1 to 13 reporters, each once; quorum is odd and at most their number, max_age 1m to 3d, skew at "
        "most max_age, ahead at most 1m, decimals at most 18"
    )
    reporters: tuple[ActorField, ...] = Field(description="Who reports, by name.")
    quorum: IntegerField = Field(description="How many reports make a price: an odd number.")
    max_age: DurationField = Field(description="An older report does not count.")
    skew: DurationField = Field(description="How far reports that count may be from the time of the reference.")
    ahead: DurationField = Field(default=0, description="How far a report may be from the future.")
    decimals: IntegerField = Field(description="Decimals of the answers.")

    @property
    def people(self) -> tuple[str, ...]:
        """The reporters, in order of their slots."""
        return self.reporters

    def to_source(self, address: int, targets: Targets, loc: Loc) -> Source:
        """Without reports."""
        reporters = tuple(map(address_of, self.reporters))
        return create_median(reporters, self.quorum, self.max_age, self.skew, self.ahead, self.decimals)


class PullSourceModel(SourceKindModel):
    """Signed reports that anybody brings (PUL-4, PUL-5)."""

    limits = (
        "there are at most 13 signers, each once, and 2 * faults + 1 <= threshold <= signers and "
        "signers + faults + 1 <= 2 * threshold; fee is below 2^96 wei, ahead at most 1m"
    )
    signers: tuple[ActorField, ...] = Field(description="Who signs, by name and in any order.")
    threshold: IntegerField = Field(description="How many must have signed a report.")
    faults: IntegerField = Field(default=0, description="How many signers may lie.")
    fee: IntegerField = Field(default=0, description="Wei of native coin for each report.")
    ahead: DurationField = Field(default=0, description="How far a report may be from the future.")

    @property
    def people(self) -> tuple[str, ...]:
        """The signers, in the order in which they sign."""
        return tuple(sorted(self.signers, key=address_of))

    def to_source(self, address: int, targets: Targets, loc: Loc) -> Source:
        """Without reports."""
        signing = SetSigners(tuple(map(address_of, self.people)), self.threshold, self.faults)
        feed, _ = make_pull_feed(targets.chain_id, address, targets.admin, signing, SetTerms(self.fee, self.ahead))
        return feed


class FollowerModel(SourceKindModel):
    """A source over another contract: a feed, a node of the graph or a source above it."""

    feed: NameField | None = Field(default=None, description="The pushed feed that it follows, with its max_age.")
    source: NameField | None = Field(default=None, description="The source above that it follows.")
    feed_id: ReportField | None = Field(default=None, description="Of a pull source: which feed of reports.")
    average: AverageField | None = Field(default=None, description="Of averages: which of the three.")

    @classmethod
    def check_keys(cls, data: dict[str, Any]) -> None:
        """It follows one thing."""
        kinds = [name for name in ("feed", "node", "source") if name in cls.model_fields]
        found = [name for name in kinds if name in data]
        if not found:
            refuse("a source of this kind follows something", f"one of: {', '.join(kinds)}")
        if len(found) > 1:
            refuse(f"it follows one thing, and has `{found[0]}` too", "remove the key", found[1])

    def follow(self, targets: Targets, loc: Loc) -> tuple[int, int]:
        """Whom it asks, and for what."""
        if self.feed is not None:
            return targets.feed(self.feed, (*loc, "feed")), 0
        assert self.source is not None  # check_keys
        return targets.source(self.source, self.feed_id, self.average, (*loc, "source"))


class AveragesSourceModel(FollowerModel):
    """A time-weighted mean, an exponential mean and a stable price of what it follows (AVG-6)."""

    limits = "gap is 10s to 10m, window 1m to 63 gaps, tau 1m to 7d, clamp above 0 and at most 1"
    node: NameField | None = Field(default=None, description="The node that it follows.")
    gap: DurationField = Field(description="The least time between two observations.")
    window: DurationField = Field(description="Of the time-weighted mean.")
    tau: DurationField = Field(description="Time constant of the exponential mean.")
    clamp: BpsField = Field(description="How far from the exponential mean a price may enter it.")

    def to_source(self, address: int, targets: Targets, loc: Loc) -> Source:
        """Before its first price."""
        averages = create_averages(AveragesConfig(self.gap, self.window, self.tau, self.clamp))
        if self.node is not None:
            return Follower(averages, *targets.node(self.node, (*loc, "node")))
        return Follower(averages, *self.follow(targets, loc))


class GrowthCapSourceModel(FollowerModel):
    """A rate below a ceiling that grows at a bounded pace; it is there once a step has created it (CAP-5)."""

    limits = (
        "growth is 0.0001 to 1, min_delay at least 1h, max_term above it and at most 180d, tolerance above 0 and at "
        "most 0.05, max_drop above 0 and at most 0.5, interval 0s or two min_delay to max_term"
    )
    growth: BpsField = Field(description="How much of the snapshot's ratio the ceiling grows in a year.")
    min_delay: DurationField = Field(description="A snapshot that is set is at least so old.")
    max_term: DurationField = Field(description="And at most so old.")
    tolerance: BpsField = Field(description="How far a snapshot may be from the live rate, and the ceiling below it.")
    max_drop: BpsField = Field(description="How far below the snapshot the rate may be.")
    interval: DurationField = Field(
        default=0, description="After which a snapshot may advance by itself; 0s for never."
    )

    def to_source(self, address: int, targets: Targets, loc: Loc) -> CapPlan:
        """To be created."""
        config = GrowthCapConfig(
            self.growth, self.min_delay, self.max_term, self.tolerance, self.max_drop, self.interval
        )
        check_cap_config(config)
        return CapPlan(targets.admin, *self.follow(targets, loc), config)


class SourceModel(OneKindModel):
    """A source of prices: its kind, and what sources of that kind say (specs/oracle/sources.md)."""

    noun = "source"

    median: MedianSourceModel | None = None
    pull: PullSourceModel | None = None
    averages: AveragesSourceModel | None = None
    growth_cap: GrowthCapSourceModel | None = None

    @property
    def shape(self) -> SourceKindModel:
        """What it says."""
        shape: SourceKindModel = getattr(self, self.key)
        return shape


def encode_feed_id(text: str) -> bytes:
    """The id of a feed of reports: its characters, then zeros; or all its bytes."""
    if len(text) > 32:
        return bytes.fromhex(text[2:])
    return text.encode("ascii").ljust(32, b"\0")


def write_feed_id(feed_id: bytes) -> str:
    """The text of such an id."""
    text = feed_id.rstrip(b"\0").decode("latin-1")
    return text if re.fullmatch(REPORT_NAME.pattern, text) else "0x" + feed_id.hex()
