"""Sources of prices: medians, pull feeds, averages and growth caps as contracts that nodes of the graph ask.

What they do is in the modules of each; here is what they have in common: an address, actions, events and a quote by
key. Averages and growth caps ask another contract in turn. Rule SRC-1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from oracle.averages import Averages, Update, get_average_quote, process_update
from oracle.averages import Observed as PriceObserved
from oracle.growth_cap import (
    Advance,
    GrowthCap,
    GrowthCapConfig,
    SetSnapshot,
    Snapshot,
    SnapshotSet,
    create_growth_cap,
    get_capped_quote,
    process_advance,
    process_set_snapshot,
)
from oracle.median import Median, Submit, Submitted, get_median_quote, process_submit
from oracle.pull import (
    ParsePriceFeedUpdatesUnique,
    PullAction,
    PullEvent,
    PullFeed,
    SetBand,
    SetSigners,
    SetTerms,
    UpdatePriceFeeds,
    WithdrawFees,
    apply_pull,
    process_parse_price_feed_updates_unique,
)
from oracle.pull import quote as get_report_quote
from protocol.env import Quote
from protocol.records import record
from protocol.units import Seconds

Ask = Callable[[int, int], Quote]  # what a contract answers for a key now


@record
class Follower:
    """A source made of another one: its own state, and the contract and key that it asks.

    On chain it asks for a limited amount of gas (SRC-2).
    """

    state: Averages | GrowthCap
    target: int
    key: int


@record
class CreateGrowthCap:
    """Deploy a growth cap, which needs a live rate to begin with (specs/oracle/growth_cap.md)."""

    admin: int
    target: int
    key: int
    config: GrowthCapConfig
    snapshot: Snapshot


Source = Median | PullFeed | Follower
SourceAction = Submit | PullAction | ParsePriceFeedUpdatesUnique | Update | SetSnapshot | Advance | CreateGrowthCap
SourceEvent = Submitted | PullEvent | PriceObserved | SnapshotSet


@record
class AtSource:
    """An action of one source, by the address of its contract."""

    source: int
    action: SourceAction


@record
class OfSource:
    """An event of one source, by the address of its contract."""

    source: int
    event: SourceEvent


def get_source_quote(source: Source, now: Seconds, key: int, ask: Ask) -> Quote:
    """What a source answers for a key (SRC-1).

    A median and a growth cap have one price and do not look at the key; of a pull feed it is the feed's id, of
    averages one of the three. Refuses nothing.
    """
    if isinstance(source, Median):
        return get_median_quote(source, now)
    if isinstance(source, PullFeed):
        return get_report_quote(source, key.to_bytes(32, "big"))
    if isinstance(source.state, Averages):
        return get_average_quote(source.state, now, key)
    return get_capped_quote(source.state, now, ask(source.target, source.key))


def apply_source(
    source: Source | None, now: Seconds, sender: int, action: SourceAction, ask: Ask
) -> tuple[Source | None, tuple[SourceEvent, ...]]:
    """A source after an action that was sent to it, and its events (SRC-1). Raises a ``Refusal``.

    A source that is not there yet does nothing, as an address without code does.
    """
    events: tuple[SourceEvent, ...]
    match source, action:
        case None, CreateGrowthCap():
            live = ask(action.target, action.key)
            cap, events = create_growth_cap(action.admin, action.config, action.snapshot, now, live)
            return Follower(cap, action.target, action.key), events
        case Median(), Submit():
            return process_submit(source, now, sender, action)
        case PullFeed(), ParsePriceFeedUpdatesUnique():
            feed, events, _ = process_parse_price_feed_updates_unique(source, now, sender, action)
            return feed, events
        case PullFeed(), SetSigners() | SetTerms() | SetBand() | WithdrawFees() | UpdatePriceFeeds():
            return apply_pull(source, now, sender, action)
        case Follower(state=Averages() as averages), Update():
            averages, events = process_update(averages, now, ask(source.target, source.key))
            return replace(source, state=averages), events
        case Follower(state=GrowthCap() as cap), SetSnapshot():
            cap, events = process_set_snapshot(cap, now, sender, action, ask(source.target, source.key))
            return replace(source, state=cap), events
        case Follower(state=GrowthCap() as cap), Advance():
            cap, events = process_advance(cap, now, ask(source.target, source.key))
            return replace(source, state=cap), events
    assert source is None, "whoever sends it has looked at what kind of source this is"
    return None, ()
