"""Random graphs, random answers of sources, and random actions, for model and contract alike."""

from __future__ import annotations

from oracle.graph import HaltNode, PokeNode, RegisterNode, ResetNode
from oracle.nodes import (
    Kind,
    Node,
    NodeId,
    aggregator,
    bounds,
    breaker,
    combine,
    compute_node_id,
    confidence,
    deviation,
    fixed,
    hours,
    make_unit,
    median,
    pack_unit,
    sequencer,
    source,
    staleness,
)
from oracle.quotes import PUBLISH_LIMIT
from protocol.env import Status
from protocol.errors import Refusal
from protocol.policy import STATUS_LIMIT
from protocol.units import PRICE_LIMIT, W
from tests.oracle.drawing import Draw
from tests.oracle.graph_twins import RUNS_OUT, WORKS, GraphTwins

PAIRS = ("ETH/USD", "ETH/USD", "ETH/USD", "BTC/USD", "wstETH/ETH", "USD/USD")
PRICES = (1, 2, 10**9, W - 1, W, W + 1, 2 * W, 3 * W, 200 * W, 201 * W, 400 * W, 8_000 * W, PRICE_LIMIT - 1)
GUARDS = (
    Kind.STALENESS,
    Kind.BOUNDS,
    Kind.CONFIDENCE,
    Kind.BREAKER,
    Kind.SEQUENCER,
    Kind.HOURS,
    Kind.HALT,
    Kind.ENVELOPE,
)
REDUCERS = (Kind.MEDIAN, Kind.MIN, Kind.MAX, Kind.RECENT, Kind.FIRST_OK)
# Limits of age that graphs use, so that answers can be exactly as old.
AGES = (0, 60, 61, 3_600, 259_200)
KEYS = 6


class RandomGraph:
    """One graph on both twins, growing at random from six sources and two feeds."""

    def __init__(self, twins: GraphTwins, draw: Draw, first_key: int) -> None:
        self.twins = twins
        self.draw = draw
        self.keys = range(first_key, first_key + KEYS)
        self.nodes: list[NodeId] = []
        for key in self.keys:
            decimals = draw.pick((18, 18, 18, 17, 20, 36, 0))
            self._try(source(twins.source, key, draw.pick(PAIRS), decimals))
        for feed in (1, 2):
            self._try(aggregator(twins.feeds[feed], draw.pick(PAIRS), draw.pick((8, 8, 18, 20))))

    def grow(self, steps: int) -> None:
        """Try to add as many nodes."""
        for _ in range(steps):
            self._try(self._make_node())

    def _try(self, node: Node) -> None:
        try:
            self.twins.do("stranger", RegisterNode(node.kind, node.params, node.parents))
        except Refusal:
            return
        node_id = compute_node_id(node)
        if node_id not in self.nodes:
            self.nodes.append(node_id)

    def _make_node(self) -> Node:
        draw = self.draw
        first = draw.pick(self.nodes)
        if draw.chance(12):
            return self._make_odd(first)
        choice = draw.below(10)
        if choice < 4:
            return self._make_guard(draw.pick(GUARDS), first)
        if choice < 5:
            return deviation(first, self._like(first, 1)[0], draw.pick((1, 50, 200, 5_000)))
        if choice < 8:
            return self._make_reducer(draw.pick(REDUCERS), first)
        if choice < 9:
            return combine(draw.pick((Kind.MUL, Kind.DIV)), first, draw.pick(self.nodes))
        if draw.chance(2):
            return combine(Kind.INVERT, first)
        return fixed(draw.pick(PRICES), draw.pick(PAIRS))

    def _like(self, node: NodeId, count: int) -> list[NodeId]:
        """Nodes of the same unit, others first."""
        entries = self.twins.graph.entries
        same = [other for other in self.nodes if entries[other].unit == entries[node].unit and other != node]
        chosen: list[NodeId] = []
        while same and len(chosen) < count:
            chosen.append(same.pop(self.draw.below(len(same))))
        return chosen or [node]

    def _make_reducer(self, kind: Kind, first: NodeId) -> Node:
        parents = (first, *self._like(first, self.draw.between(1, 4)))
        if kind == Kind.MEDIAN:
            return median(self.draw.between(len(parents) // 2 + 1, len(parents)), *parents)
        return combine(kind, *parents)

    def _make_guard(self, kind: Kind, parent: NodeId) -> Node:
        draw = self.draw
        match kind:
            case Kind.STALENESS:
                return staleness(parent, draw.pick(AGES[:4]), draw.pick(AGES[1:]), draw.pick((0, 1, 60)))
            case Kind.BOUNDS:
                low, high = draw.pick((0, *PRICES)), draw.pick((*PRICES, PRICE_LIMIT))
                return bounds(parent, low, high, draw.pick((0, 100, 5_000)))
            case Kind.CONFIDENCE:
                return confidence(parent, draw.pick((10, 50, 500)))
            case Kind.BREAKER:
                return breaker(parent, draw.pick((10_100, 20_000, 100_000)), draw.pick((60, 600)), draw.between(1, 3))
            case Kind.SEQUENCER:
                return sequencer(parent, draw.pick((0, self.twins.feeds[0])), draw.pick((0, 60, 3_600)))
            case Kind.HOURS:
                return hours(parent, draw.between(1, 127), draw.below(86_400), draw.pick((1, 3_600, 30_000, 604_799)))
            case Kind.ENVELOPE:
                return combine(kind, parent, draw.pick(self.nodes))
            case _:
                return combine(Kind.HALT, parent)

    def _make_odd(self, parent: NodeId) -> Node:
        """A node that is probably refused."""
        draw = self.draw
        params = tuple(draw.pick((0, 0, 1, 60, 10_000, 2**160, 2**255, 2**256 - 1)) for _ in range(4))
        if draw.chance(3):
            params = (params[0], params[1], pack_unit(make_unit("ETH/USD")), params[3])
        parents = tuple(draw.pick((parent, draw.pick(self.nodes), bytes(32))) for _ in range(draw.below(10)))
        return Node(draw.below(21), (params[0], params[1], params[2], params[3]), parents)

    # --- what happens ----------------------------------------------------------------------------------------------

    def observe(self) -> None:
        """Let time pass, sources answer, and people act."""
        draw, twins = self.draw, self.twins
        twins.wait(draw.pick((0, 1, 12, 60, 61, 3_600, 90_000)))
        twins.answer_many({key: self._make_answer() for key in self.keys})
        if draw.chance(3):
            twins.fail(draw.pick(self.keys), draw.pick((WORKS, 1, RUNS_OUT)), bytes(draw.pick((0, 1, 32, 159))))
        for feed in range(3):
            if draw.chance(2):
                twins.push(feed, *self._make_round())
        for node in self.nodes:
            kind = twins.graph.entries[node].node.kind
            if kind == Kind.BREAKER and not draw.chance(4):
                twins.poke(node)
            if kind == Kind.HALT and draw.chance(4):
                twins.do(draw.pick(("guardian", "admin")), HaltNode(node))
            if kind in (Kind.HALT, Kind.BREAKER) and draw.chance(8):
                twins.do("admin", ResetNode(node))
        if draw.chance(8):
            try:
                twins.do("stranger", draw.pick((PokeNode, HaltNode, ResetNode))(draw.pick((*self.nodes, bytes(32)))))
            except Refusal:
                return

    def _make_time(self) -> int:
        draw = self.draw
        if draw.chance(40):
            return int(draw.pick((0, PUBLISH_LIMIT - 1, PUBLISH_LIMIT, 2**256 - 1)))
        age = draw.pick((0, 0, 0, draw.pick(AGES), draw.pick(AGES) + 1, -1, -60, -61))
        return self.twins.now - int(age)

    def _make_answer(self) -> tuple[int, int, int, int, int]:
        draw = self.draw
        if draw.chance(25):
            odd = [draw.pick((0, 1, W, 2**96, 2**255, 2**256 - 1)) for _ in range(5)]
            return odd[0], odd[1], odd[2], odd[3], odd[4]
        # Mostly of one magnitude, so that medians, deviations and jumps are not all of one outcome.
        mid = draw.pick(PRICES) if draw.chance(6) else 200 * W + draw.between(-2 * W, 2 * W)
        below = draw.pick((0, 0, 1, mid // 2_000, mid // 400, mid // 20, mid))
        above = draw.pick((0, 0, 1, mid // 2_000, mid // 400, mid // 20, mid))
        status = 0
        if draw.chance(5):
            status = int(draw.pick((*Status, STATUS_LIMIT, STATUS_LIMIT - 1, Status.UNCERTAIN, Status.STALE_SOFT)))
        return max(mid - below, 0), mid, mid + above, self._make_time(), status

    def _make_round(self) -> tuple[int, int, int]:
        draw = self.draw
        answer = draw.pick((0, 0, 1, -1, 200 * 10**8, 200 * W, 2**255 - 1, -(2**255)))
        started_at = draw.pick((0, self.twins.now, self.twins.now - 60, self.twins.now - 61, self.twins.now + 1))
        return answer, started_at, self._make_time()
