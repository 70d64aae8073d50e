"""The model's two halves, protocol and oracle, moving as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from contracts_py.addresses import graph_address
from oracle.feeds import Feed, FeedHub, Push, SetFeed, SetNodeFeed, SetRateFeed
from oracle.graph import HaltNode, PokeNode, RegisterNode, ResetNode, make_graph
from oracle.guards import read_first_round
from oracle.sources import AtSource, Source
from oracle.state import OracleState, apply_oracle, get_feed_quotes
from protocol.env import Env
from protocol.records import Table
from protocol.state import State, genesis
from protocol.transition import apply

ORACLE_ACTIONS = (Push, SetFeed, SetRateFeed, SetNodeFeed, RegisterNode, PokeNode, HaltNode, ResetNode, AtSource)


@dataclass(frozen=True, slots=True)
class World:
    """The complete state that a chain holds: protocol, and what its prices come from."""

    protocol: State
    oracle: OracleState

    def env(self, now: int, sender: int = 0) -> Env:
        """The surroundings of an action by ``sender``, with the prices of this moment."""
        quotes = get_feed_quotes(self.oracle, now)
        return Env(now, sender, quotes, partial(read_first_round, self.oracle.hub))

    def feed_decimals(self, feed: int) -> int:
        """Decimals of a pushed feed's answers."""
        pushed = self.oracle.hub.feeds[feed]
        assert isinstance(pushed, Feed)
        return pushed.decimals

    def apply(self, now: int, sender: int, action: Any) -> tuple[World, tuple[Any, ...]]:
        """The world after an action, and its events. Raises a ``Refusal``."""
        if isinstance(action, ORACLE_ACTIONS):
            oracle, oracle_events = apply_oracle(self.oracle, now, sender, action)
            return World(self.protocol, oracle), oracle_events
        outcome = apply(self.protocol, self.env(now, sender), action)
        return World(outcome.state, self.oracle), outcome.events


def new_world(
    admin: int,
    guardian: int,
    poster: int,
    tokens: int,
    feed_contracts: Sequence[int] | None = None,
    sources: Mapping[int, Source] | None = None,
) -> World:
    """The world just after deployment: with a graph over these contracts of feeds, by id, or without a graph."""
    hub = FeedHub(admin, poster, ())
    oracle = OracleState(hub, None, ())
    if feed_contracts is not None:
        graph = make_graph(admin, guardian)
        oracle = OracleState(hub, graph, tuple(feed_contracts), graph_address(), Table(sources))
    return World(genesis(admin, guardian, tokens), oracle)
