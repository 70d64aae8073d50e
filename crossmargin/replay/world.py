"""The model's two halves, protocol and oracle, moving as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from oracle.feeds import Feed, FeedHub, Push, SetFeed, SetRateFeed, apply_oracle
from oracle.guards import get_quotes
from protocol.env import Env
from protocol.state import State, genesis
from protocol.transition import apply


@dataclass(frozen=True, slots=True)
class World:
    """The complete state that a chain holds: protocol and price feeds."""

    protocol: State
    oracle: FeedHub

    def env(self, now: int, sender: int = 0) -> Env:
        """The surroundings of an action by ``sender``, with the prices of this moment."""
        return Env(now, sender, get_quotes(self.oracle, now))

    def feed_decimals(self, feed: int) -> int:
        """Decimals of a pushed feed's answers."""
        pushed = self.oracle.feeds[feed]
        assert isinstance(pushed, Feed)
        return pushed.decimals

    def apply(self, now: int, sender: int, action: Any) -> tuple[World, tuple[Any, ...]]:
        """The world after an action, and its events. Raises a ``Refusal``."""
        if isinstance(action, Push | SetFeed | SetRateFeed):
            hub, oracle_events = apply_oracle(self.oracle, now, sender, action)
            return World(self.protocol, hub), oracle_events
        outcome = apply(self.protocol, self.env(now, sender), action)
        return World(outcome.state, self.oracle), outcome.events


def new_world(admin: int, guardian: int, poster: int, tokens: int) -> World:
    """The world just after deployment."""
    return World(genesis(admin, guardian, tokens), FeedHub(admin, poster, ()))
