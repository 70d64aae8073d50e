"""The model's two halves, protocol and oracle, moving as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oracle.feeds import Feed, FeedHub, Push, SetFeed, SetNodeFeed, SetRateFeed
from oracle.graph import HaltNode, PokeNode, RegisterNode, ResetNode, make_graph
from oracle.guards import get_quotes
from oracle.state import OracleState, apply_oracle
from protocol.env import Env
from protocol.state import State, genesis
from protocol.transition import apply

ORACLE_ACTIONS = (Push, SetFeed, SetRateFeed, SetNodeFeed, RegisterNode, PokeNode, HaltNode, ResetNode)


@dataclass(frozen=True, slots=True)
class World:
    """The complete state that a chain holds: protocol, and what its prices come from."""

    protocol: State
    oracle: OracleState

    def env(self, now: int, sender: int = 0) -> Env:
        """The surroundings of an action by ``sender``, with the prices of this moment."""
        oracle = self.oracle
        return Env(now, sender, get_quotes(oracle.hub, now, oracle.graph, oracle.contracts))

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
    admin: int, guardian: int, poster: int, tokens: int, feed_contracts: Sequence[int] | None = None
) -> World:
    """The world just after deployment: with a graph over these contracts of feeds, by id, or without a graph."""
    graph = None if feed_contracts is None else make_graph(admin, guardian)
    oracle = OracleState(FeedHub(admin, poster, ()), graph, tuple(feed_contracts or ()))
    return World(genesis(admin, guardian, tokens), oracle)
