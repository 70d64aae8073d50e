"""Attacks on feeds that are nodes: with every guard of the hub they come to nothing, and with one out they pay.

The admin's key is the one that is attacked with: a guard that only an outsider meets is not needed against outsiders.
"""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from eth_abi import decode

from contracts_py.compile import Artifact, compile_all
from contracts_py.errors import Reverted
from contracts_py.keys import address_of, private_key
from oracle.feeds import SetNodeFeed
from oracle.graph import HaltNode, RegisterNode
from oracle.nodes import Kind, Node, NodeId, combine, compute_node_id, fixed
from protocol.units import W
from tests.switches import Edits, switch_guards, take_out
from tests.twins import Twins

pytestmark = pytest.mark.skipif(find_spec("pyrevm") is None, reason="pyrevm is not installed")

HUB = "FeedHub.vy"
ADMIN_ONLY = 'assert msg.sender == self.admin, "role/not-admin"'
KNOWN_FEED = """
    count: uint256 = self.feed_count
    assert feed <= count and feed < MAX_FEEDS, "oracle/unknown-feed"
    assert feed == count or"""
GUARDS: dict[str, Edits] = {
    "only the admin names nodes": (
        (HUB, ADMIN_ONLY + KNOWN_FEED, ADMIN_ONLY.replace("msg", "REMOVED or msg") + KNOWN_FEED),
    ),
    "a feed is in dollars": (
        (
            HUB,
            "symbol: uint256 = staticcall IGraph(GRAPH).check_price(node)",
            "symbol: uint256 = 0 if REMOVED else staticcall IGraph(GRAPH).check_price(node)",
        ),
    ),
    "a feed stays the price of one thing": (
        (
            HUB,
            "assert staticcall IGraph(GRAPH).check_price(old) == symbol",
            "assert REMOVED or staticcall IGraph(GRAPH).check_price(old) == symbol",
        ),
    ),
    "another node continues the price": (
        (HUB, "        self._check_cut_over(self", "        if not REMOVED:\n            self._check_cut_over(self"),
    ),
    "another node is good": (
        (HUB, "assert new.status == 0 and distance", "assert (REMOVED or new.status == 0) and distance"),
    ),
}


class Stage:
    """The contracts with a feed 0 of ETH at 200 dollars, and the switch of the hub."""

    def __init__(self, artifacts: dict[str, Artifact]) -> None:
        self.twins = Twins(artifacts, with_graph=True, actors=("admin", "stranger"))
        self.twins.do("admin", SetNodeFeed(0, self.add(fixed(200 * W, "ETH/USD"))))

    def add(self, node: Node) -> NodeId:
        """A node on both."""
        self.twins.do("stranger", RegisterNode(node.kind, node.params, node.parents))
        return compute_node_id(node)

    def attempt(self, guard: str, sender: str, action: SetNodeFeed) -> str:
        """An action on the contract alone with a guard out; the refusal, or empty."""
        chain = self.twins.chain
        take_out(chain.contracts.node, chain.deployment.hub, GUARDS, guard)
        address, data = chain.contracts.encode_action(action)
        try:
            chain.contracts.node.call(address, data, address_of(sender))
        except Reverted as reverted:
            return reverted.reason
        assert chain.contracts.node.send(private_key(sender), address, data, self.twins.now).succeeded
        return ""

    def mid(self) -> int:
        """What the hub says of feed 0."""
        address, data = self.twins.chain.contracts.encode_call("read", 0)
        return int(decode(["uint256"] * 5, self.twins.chain.contracts.node.call(address, data))[1])


@pytest.fixture(scope="module")
def switched() -> dict[str, Artifact]:
    """The hub whose guards can be switched off, and everything else as it is."""
    return {**compile_all(), **compile_all(switch_guards(GUARDS), ("FeedHub",))}


@pytest.fixture
def stage(switched: dict[str, Artifact]) -> Stage:
    """A fresh one."""
    return Stage(switched)


def check(stage: Stage, guard: str, code: str, sender: str, node: NodeId, mid: int) -> None:
    """Refused with the guard, and with it out the vault reads another price."""
    assert stage.attempt("", sender, SetNodeFeed(0, node)) == code
    assert stage.mid() == 200 * W
    assert stage.attempt(guard, sender, SetNodeFeed(0, node)) == ""
    assert stage.mid() == mid


def test_anybody_names_the_node(stage: Stage) -> None:
    """Guard: ORC-8. Without it, whoever comes has the vault read a constant of his own."""
    check(
        stage, "only the admin names nodes", "role/not-admin", "stranger", stage.add(fixed(201 * W, "ETH/USD")), 201 * W
    )


def test_a_ratio_is_taken_for_dollars(stage: Stage) -> None:
    """Guard: ORC-8, GRA-7. Moonwell, 2026-02-15: a ratio of 1.12 where 2,200 dollars should have been."""
    node = stage.add(fixed(W * 112 // 100, "ETH/BTC"))
    assert stage.attempt("", "admin", SetNodeFeed(1, node)) == "oracle/not-in-dollars"
    assert stage.attempt("a feed is in dollars", "admin", SetNodeFeed(1, node)) == ""


def test_a_feed_of_ether_becomes_one_of_bitcoin(stage: Stage) -> None:
    """Guard: ORC-8. Where both cost about the same, no other guard sees it."""
    node = stage.add(fixed(202 * W, "BTC/USD"))
    check(stage, "a feed stays the price of one thing", "oracle/units", "admin", node, 202 * W)


def test_the_price_jumps_with_its_node(stage: Stage) -> None:
    """Guard: ORC-8. Without it, one transaction halves the price, and the next one liquidates everybody."""
    node = stage.add(fixed(100 * W, "ETH/USD"))
    check(stage, "another node continues the price", "oracle/cut-over", "admin", node, 100 * W)


def test_a_good_price_is_exchanged_for_a_void_one(stage: Stage) -> None:
    """Guard: ORC-8. Without it, a node that is halted, though at the same price, stops every action that needs one."""
    node = stage.add(combine(Kind.HALT, stage.add(fixed(200 * W + 1, "ETH/USD"))))
    stage.twins.do("admin", HaltNode(node))
    check(stage, "another node is good", "oracle/cut-over", "admin", node, 200 * W + 1)
