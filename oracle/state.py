"""The oracle layer that the protocol reads: the feed hub, the graph beside it with feeds in it, and sources below it.

Rules ORC-8 and SRC-1.
"""

from __future__ import annotations

from dataclasses import field, replace

from oracle import errors as oracle_errors
from oracle.feeds import (
    MAX_FEEDS,
    Feed,
    FeedHub,
    HubAction,
    HubEvent,
    NodeFeed,
    NodeFeedSet,
    Push,
    SetFeed,
    SetNodeFeed,
    SetRateFeed,
    apply_hub,
)
from oracle.graph import Graph, GraphAction, GraphEvent, Observed, apply_graph, check_price, process
from oracle.guards import get_quote, get_quotes, observe_rounds
from oracle.median import Median, get_latest_round, get_median_round, get_used_slots
from oracle.nodes import Kind
from oracle.quote_guards import is_deviated
from oracle.sources import AtSource, OfSource, Source, apply_source, get_source_quote
from protocol import errors
from protocol.env import NO_QUOTE, Quote
from protocol.records import Table, record
from protocol.units import Seconds

CUT_OVER_BPS = 200  # how far the price of a node may be from that of the node before it

OracleAction = HubAction | SetNodeFeed | GraphAction | AtSource
OracleEvent = HubEvent | GraphEvent | OfSource


@record
class OracleState:
    """Everything that prices come from.

    ``graph`` is None where none was deployed. ``contracts`` are the addresses under which nodes ask feeds for rounds,
    by feed id; ``graph_contract`` is the graph's own, 0 where nobody asks it. ``sources`` are by address.
    """

    hub: FeedHub
    graph: Graph | None
    contracts: tuple[int, ...]
    graph_contract: int = 0
    sources: Table[int, Source] = field(default_factory=Table)


def ask_contract(oracle: OracleState, now: Seconds, address: int, key: int) -> Quote:
    """What the contract at an address answers for a key: a push feed, a node of the graph or a source (SRC-1).

    A feed has one price and does not look at the key; before its first round it fails, and rate and node feeds always
    do, as they do for rounds. Unavailable where nothing answers. Refuses nothing.
    """
    if address in oracle.contracts:
        place = oracle.contracts.index(address)
        feed = oracle.hub.feeds[place] if place < len(oracle.hub.feeds) else None
        return get_quote(feed, now) if isinstance(feed, Feed) else NO_QUOTE
    if address == oracle.graph_contract and oracle.graph is not None:
        return process(oracle.graph, now, key.to_bytes(32, "big"), observe(oracle, now))
    source: Source | None = oracle.sources.get(address)
    if source is None:
        return NO_QUOTE
    return get_source_quote(source, now, key, lambda at, name: ask_contract(oracle, now, at, name))


def observe(oracle: OracleState, now: Seconds) -> Observed:
    """What contracts answer to the nodes of the graph now (SRC-1); a median gives rounds as well."""
    quotes: dict[tuple[int, int], tuple[int, int, int, int, int]] = {}
    if oracle.graph is not None and any(entry.node.kind == Kind.SOURCE for entry in oracle.graph.entries.values()):
        for entry in oracle.graph.entries.values():
            address, key, _, _ = entry.node.params
            if entry.node.kind == Kind.SOURCE and (address in oracle.sources or address in oracle.contracts):
                found = ask_contract(oracle, now, address, key)
                quotes[address, key] = (found.bid, found.mid, found.ask, found.publish_time, found.status)
    rounds = observe_rounds(oracle.hub, oracle.contracts)
    for address, source in oracle.sources.items():
        if isinstance(source, Median) and get_used_slots(source, now)[0]:
            found_round = get_median_round(source, now, get_latest_round(source))
            rounds[address] = (found_round.answer, found_round.started_at, found_round.updated_at)
    return Observed(quotes, rounds)


def get_feed_quotes(oracle: OracleState, now: Seconds) -> tuple[Quote, ...]:
    """The quotes of all feeds, by id, as ``Env`` wants them (ORC-6 to ORC-8)."""
    return get_quotes(oracle.hub, now, oracle.graph, lambda: observe(oracle, now))


def process_set_node_feed(
    oracle: OracleState, now: Seconds, sender: int, action: SetNodeFeed, observed: Observed
) -> tuple[OracleState, tuple[NodeFeedSet]]:
    """Create a feed that is a node of the graph, or point one at another node (ORC-8).

    Refuses, in this order: role/not-admin, oracle/unknown-feed, oracle/config, oracle/unknown-node,
    oracle/not-in-dollars, oracle/units, oracle/cut-over.
    """
    hub, graph = oracle.hub, oracle.graph
    if sender != hub.admin:
        raise errors.NotAdmin
    count = len(hub.feeds)
    if action.feed > count or action.feed >= MAX_FEEDS:
        raise errors.UnknownFeed(feed=action.feed)
    old = hub.feeds[action.feed] if action.feed < count else None
    if old is not None and not isinstance(old, NodeFeed):
        raise errors.BadFeedConfig
    if graph is None:
        raise oracle_errors.UnknownNode
    symbol = check_price(graph, action.node)
    if old is not None:
        if check_price(graph, old.node) != symbol:
            raise oracle_errors.UnitsDoNotCompose
        check_cut_over(process(graph, now, old.node, observed), process(graph, now, action.node, observed))
    feeds = (*hub.feeds[: action.feed], NodeFeed(action.node), *hub.feeds[action.feed + 1 :])
    return replace(oracle, hub=replace(hub, feeds=feeds)), (NodeFeedSet(action.feed, action.node),)


def check_cut_over(old: Quote, new: Quote) -> None:
    """Refuse another node while the one in use is good, unless it is good as well and says about the same (ORC-8).

    Refuses: oracle/cut-over.
    """
    if not old.status and (new.status or is_deviated(new.mid, old.mid, CUT_OVER_BPS)):
        raise oracle_errors.PriceJumps


def apply_at_source(
    oracle: OracleState, now: Seconds, sender: int, action: AtSource
) -> tuple[OracleState, tuple[OfSource, ...]]:
    """Hand an action to its source (SRC-1). Refuses what the source refuses."""
    before: Source | None = oracle.sources.get(action.source)
    source, events = apply_source(
        before, now, sender, action.action, lambda at, key: ask_contract(oracle, now, at, key)
    )
    if source is not None and source is not before:
        oracle = replace(oracle, sources=oracle.sources.put(action.source, source))
    return oracle, tuple(OfSource(action.source, event) for event in events)


def apply_oracle(
    oracle: OracleState, now: Seconds, sender: int, action: OracleAction
) -> tuple[OracleState, tuple[OracleEvent, ...]]:
    """The oracle layer after an action, and its events. Raises a ``Refusal`` when it is not allowed.

    An action of the graph needs a graph to be there.
    """
    events: tuple[OracleEvent, ...]
    if isinstance(action, AtSource):
        return apply_at_source(oracle, now, sender, action)
    if isinstance(action, Push | SetFeed | SetRateFeed):
        hub, events = apply_hub(oracle.hub, now, sender, action)
        return replace(oracle, hub=hub), events
    if isinstance(action, SetNodeFeed):
        return process_set_node_feed(oracle, now, sender, action, observe(oracle, now))
    assert oracle.graph is not None
    graph, events = apply_graph(oracle.graph, now, sender, action, observe(oracle, now))
    return replace(oracle, graph=graph), events
