"""Twins whose prices can be given outright: any spread, any time, any faults.

The hub of these contracts answers with a given quote where there is one; the model's surroundings have the same. So the
rules of the vault are tested with every quote that any oracle could answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from typing import Any

from contracts_py.bindings import call_data
from contracts_py.compile import Artifact, compile_all, read_sources
from contracts_py.keys import private_key
from crossmargin.replay.world import World
from oracle.feeds import Push
from protocol.env import Env, Quote, Status
from protocol.units import BPS, PRICE_LIMIT, W, fdiv
from tests.oracle.drawing import Draw
from tests.twins import BTC, ETH, Twins

HUB = "FeedHub.vy"
GIVEN = """
given: HashMap[uint256, uint256[6]]

@external
def give(feed: uint256, bid: uint256, mid: uint256, ask: uint256, publish_time: uint256, status: uint256):
    self.given[feed] = [1, bid, mid, ask, publish_time, status]

@external
def take_back(feed: uint256):
    self.given[feed][0] = 0
"""
READ = "def read(feed: uint256) -> (uint256, uint256, uint256, uint256, uint256):"
ANSWER = """    given: uint256[6] = self.given[feed]
    if given[0] != 0:
        return given[1], given[2], given[3], given[4], given[5]
    if feed >= self.feed_count:
"""
FAULTS = [int(status) for status in Status]
PRICE = {BTC: 8_000 * W, ETH: 200 * W}
STALE = int(Status.STALE_HARD)
PRICELESS = (Status.UNAVAILABLE, Status.NON_POSITIVE, Status.OUT_OF_BOUNDS, Status.NO_QUORUM)
CODES = {
    Status.UNAVAILABLE: "oracle/unavailable",
    Status.NON_POSITIVE: "oracle/non-positive",
    Status.OUT_OF_BOUNDS: "oracle/out-of-bounds",
    Status.HALTED: "oracle/halted",
    Status.SEQ_DOWN: "oracle/sequencer-down",
    Status.NO_QUORUM: "oracle/no-quorum",
    Status.FUTURE: "oracle/future",
    Status.DEVIATED: "oracle/deviated",
    Status.STALE_HARD: "oracle/stale",
    Status.SEQ_GRACE: "oracle/sequencer-grace",
    Status.MARKET_CLOSED: "oracle/market-closed",
    Status.CAPPED: "oracle/capped",
    Status.UNCERTAIN: "oracle/uncertain",
    Status.STALE_SOFT: "oracle/stale",
}


def compile_quoted() -> dict[str, Artifact]:
    """All contracts, with a hub that can be told what to answer."""
    sources = read_sources()
    text = sources[HUB]
    assert text.count(READ) == text.count("    if feed >= self.feed_count:\n") == 1
    sources[HUB] = text.replace("    if feed >= self.feed_count:\n", ANSWER) + GIVEN
    return {**compile_all(), **compile_all(sources, ("FeedHub",))}


@dataclass(frozen=True, slots=True)
class QuotedWorld(World):
    """A world some of whose prices are given."""

    given: Mapping[int, Quote] = field(default_factory=dict)

    def env(self, now: int, sender: int = 0) -> Env:
        """The surroundings of an action, with what is given in place of what feeds say."""
        env = World.env(self, now, sender)
        return replace(env, quotes=tuple(self.given.get(feed, quote) for feed, quote in enumerate(env.quotes)))

    def apply(self, now: int, sender: int, action: Any) -> tuple[World, tuple[Any, ...]]:
        """The world after an action, with the same prices given, and its events."""
        world, events = World.apply(self, now, sender, action)
        return replace(self, protocol=world.protocol, oracle=world.oracle), events


class QuotedTwins(Twins):
    """Model and contracts, with prices that can be given."""

    def __init__(self, artifacts: dict[str, Artifact]) -> None:
        super().__init__(artifacts)
        self.world: World = QuotedWorld(self.world.protocol, self.world.oracle)

    def give(self, feed: int, quote: Quote) -> None:
        """Let a feed answer with this quote."""
        assert isinstance(self.world, QuotedWorld)
        self.world = replace(self.world, given={**self.world.given, feed: quote})
        self._tell_hub(call_data("give(uint256,uint256,uint256,uint256,uint256,uint256)", feed, *astuple(quote)))

    def take_back(self, feed: int) -> None:
        """Let a feed answer by itself again."""
        assert isinstance(self.world, QuotedWorld)
        self.world = replace(self.world, given={key: quote for key, quote in self.world.given.items() if key != feed})
        self._tell_hub(call_data("take_back(uint256)", feed))

    def spread(self, feed: int, price: int, spread: int = 0, status: int = 0) -> None:
        """Give a price at scale W with a spread to both sides, published now."""
        self.give(feed, Quote(price - spread, price, price + spread, self.now, status))

    def _tell_hub(self, data: bytes) -> None:
        node = self.chain.contracts.node
        node.send(private_key("poster"), self.chain.deployment.hub, data, self.now)


class DistortedTwins(QuotedTwins):
    """Twins whose every pushed price gets a spread and faults that follow from its time."""

    def _apply(self, sender: str, action: Any) -> str:
        code = super()._apply(sender, action)
        if code == "ok" and isinstance(action, Push):
            for feed in action.feeds:
                self.take_back(feed)
            for feed in action.feeds:
                self._distort(feed)
        return code

    def _distort(self, feed: int) -> None:
        draw = Draw(f"{self.now}:{feed}")
        quote = self.world.env(self.now).quote(feed)
        if not quote.mid or draw.chance(3):
            return
        width = fdiv(quote.mid * draw.pick((0, 1, 10, 300)), BPS)
        status = quote.status | (draw.pick(FAULTS) if draw.chance(2) else 0)
        ask = min(quote.mid + width, PRICE_LIMIT - 1)
        self.give(feed, Quote(quote.mid - width, quote.mid, ask, quote.publish_time, status))
