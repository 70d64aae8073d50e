"""Random graphs below the feeds of a hub, for both twins."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

from eth_abi import decode

from oracle.feeds import Push, SetFeed, SetNodeFeed
from oracle.graph import Graph, HaltNode, PokeNode, RegisterNode, ResetNode
from oracle.nodes import USD, Kind, Node, NodeId, aggregator, compute_node_id
from protocol.env import NO_QUOTE, Quote
from protocol.errors import REFUSALS
from protocol.units import W
from tests.oracle.drawing import Draw
from tests.oracle.random_graphs import RandomGraph
from tests.twins import Twins

RAW = ("ETH/USD", "ETH/USD", "ETH/USD", "BTC/USD", "BTC/USD", "wstETH/ETH", "USD/USD", "ETH/USD")
UPTIME = len(RAW)  # the feed that says whether the sequencer is up
FEEDS = tuple(f"feed {number}" for number in range(20))


def graph_of(twins: Twins) -> Graph:
    """The model's graph."""
    graph = twins.world.oracle.graph
    assert graph is not None
    return graph


def add(twins: Twins, *nodes: Node) -> NodeId:
    """Register nodes on both; the id of the last."""
    for node in nodes:
        twins.do("stranger", RegisterNode(node.kind, node.params, node.parents))
    return compute_node_id(nodes[-1])


def raw(twins: Twins, feed: int, pair: str = "BTC/USD", decimals: int = 8) -> NodeId:
    """A node over a raw feed."""
    return add(twins, aggregator(twins.chain.deployment.feeds[feed], pair, decimals))


def read_feed(twins: Twins, feed: int) -> Quote:
    """What the hub says of a feed now."""
    address, data = twins.chain.contracts.encode_call("read", feed)
    return Quote(*decode(["uint256"] * 5, twins.chain.contracts.node.call(address, data)))


def check_feeds(twins: Twins) -> tuple[Quote, ...]:
    """ORC-6 to ORC-8: the quote of every feed, and of one that does not exist, is the model's in all five words."""
    quotes = twins.world.env(twins.now).quotes
    for feed, quote in enumerate((*quotes, NO_QUOTE)):
        assert astuple(read_feed(twins, feed)) == astuple(quote), feed
    return quotes


class Bridge:
    """The twins of the whole deployment, as random graphs want those of a graph."""

    def __init__(self, twins: Twins) -> None:
        self._twins = twins
        self.feeds = [twins.chain.deployment.feeds[UPTIME]]

    @property
    def graph(self) -> Graph:
        """The model's graph."""
        return graph_of(self._twins)

    def do(self, sender: str, action: Any) -> tuple[Any, ...]:
        """An action on both; a refusal is raised."""
        code = self._twins.attempt(sender, action, after=0)
        if code != "ok":
            raise REFUSALS[code]
        return self._twins.events


class GraphUnderFeeds(RandomGraph):
    """One graph on both twins, growing at random from eight raw feeds, and node feeds over it."""

    def __init__(self, twins: Twins, draw: Draw) -> None:
        self.world = twins
        self.twins = Bridge(twins)  # type: ignore[assignment]
        self.draw = draw
        self.nodes: list[NodeId] = []
        for feed in range(UPTIME + 1):
            twins.do("admin", SetFeed(feed, 8, 60))
        for feed, pair in enumerate(RAW):
            self._try(aggregator(twins.chain.deployment.feeds[feed], pair, draw.pick((8, 8, 8, 18, 20))))

    def point(self) -> str:
        """Try to make a feed a node, or another node; what came of it."""
        draw, world = self.draw, self.world
        count = len(world.world.oracle.hub.feeds)
        dollars = [node for node in self.nodes if self.twins.graph.entries[node].unit.quote == USD]
        node = draw.pick(self.nodes if draw.chance(8) else dollars)
        first = UPTIME + 1 if count > UPTIME + 1 else count
        feed = count if count < len(FEEDS) and draw.chance(2) else draw.between(first, count)
        return world.attempt("admin", SetNodeFeed(draw.below(count) if draw.chance(9) else feed, node))

    def observe(self) -> None:
        """Let time pass, feeds be pushed, and people act."""
        draw, world = self.draw, self.world
        answers = {feed: self._make_price() for feed in range(UPTIME) if not draw.chance(4)}
        if draw.chance(3):
            answers[UPTIME] = draw.pick((0, 0, 0, 1))
        if answers:
            wait = draw.pick((1, 12, 60, 61, 3_600, 3_601, 90_000))
            world.do("poster", Push(tuple(answers), tuple(answers.values())), after=wait)
        for node in self.nodes:
            kind = self.twins.graph.entries[node].node.kind
            if kind == Kind.BREAKER and not draw.chance(4):
                world.do("stranger", PokeNode(node), after=draw.pick((1, 60)))
            elif kind == Kind.HALT and draw.chance(4):
                world.do(draw.pick(("guardian", "admin")), HaltNode(node))
            if kind in (Kind.HALT, Kind.BREAKER) and draw.chance(5):
                world.do("admin", ResetNode(node))

    def _make_price(self) -> int:
        draw = self.draw
        if draw.chance(9):
            return draw.pick((0, -1, 1, W, 2**96 // 10**10, 2**127 - 1, -(2**127)))
        return 200 * 10**8 + draw.between(-2 * 10**8, 2 * 10**8)


def is_refused(twins: Twins, sender: str, action: Any) -> bool:
    """Whether both refuse an action, whatever the code."""
    return twins.attempt(sender, action) != "ok"
