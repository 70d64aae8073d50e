"""The oracle layer that the protocol reads: the feed hub, the graph beside it, and feeds that are nodes of the graph.

Rule ORC-8.
"""

from __future__ import annotations

from dataclasses import replace

from oracle import errors as oracle_errors
from oracle.feeds import (
    MAX_FEEDS,
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
from oracle.graph import Graph, GraphAction, GraphEvent, apply_graph, check_price, process
from oracle.guards import observe_feeds
from oracle.quote_guards import is_deviated
from protocol import errors
from protocol.env import Quote
from protocol.records import record
from protocol.units import Seconds

CUT_OVER_BPS = 200  # how far the price of a node may be from that of the node before it

OracleAction = HubAction | SetNodeFeed | GraphAction
OracleEvent = HubEvent | GraphEvent


@record
class OracleState:
    """Everything that prices come from.

    ``graph`` is None where none was deployed. ``contracts`` are the addresses under which nodes ask feeds for rounds,
    by feed id.
    """

    hub: FeedHub
    graph: Graph | None
    contracts: tuple[int, ...]


def process_set_node_feed(
    oracle: OracleState, now: Seconds, sender: int, action: SetNodeFeed
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
        observed = observe_feeds(hub, oracle.contracts)
        check_cut_over(process(graph, now, old.node, observed), process(graph, now, action.node, observed))
    feeds = (*hub.feeds[: action.feed], NodeFeed(action.node), *hub.feeds[action.feed + 1 :])
    return replace(oracle, hub=replace(hub, feeds=feeds)), (NodeFeedSet(action.feed, action.node),)


def check_cut_over(old: Quote, new: Quote) -> None:
    """Refuse another node while the one in use is good, unless it is good as well and says about the same (ORC-8).

    Refuses: oracle/cut-over.
    """
    if not old.status and (new.status or is_deviated(new.mid, old.mid, CUT_OVER_BPS)):
        raise oracle_errors.PriceJumps


def apply_oracle(
    oracle: OracleState, now: Seconds, sender: int, action: OracleAction
) -> tuple[OracleState, tuple[OracleEvent, ...]]:
    """The oracle layer after an action, and its events. Raises a ``Refusal`` when it is not allowed.

    An action of the graph needs a graph to be there.
    """
    events: tuple[OracleEvent, ...]
    if isinstance(action, Push | SetFeed | SetRateFeed):
        hub, events = apply_hub(oracle.hub, now, sender, action)
        return replace(oracle, hub=hub), events
    if isinstance(action, SetNodeFeed):
        return process_set_node_feed(oracle, now, sender, action)
    assert oracle.graph is not None
    graph, events = apply_graph(oracle.graph, now, sender, action, observe_feeds(oracle.hub, oracle.contracts))
    return replace(oracle, graph=graph), events
