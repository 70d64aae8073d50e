"""Feeds that are nodes of the graph: who makes them, from what, and when they may become another node."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oracle.feeds import (
    MAX_FEEDS,
    Feed,
    FeedHub,
    NodeFeed,
    NodeFeedSet,
    Push,
    RateFeed,
    Round,
    SetFeed,
    SetNodeFeed,
    SetRateFeed,
)
from oracle.graph import HaltNode, NodeHalted, RegisterNode, ResetNode, make_graph, process
from oracle.guards import get_quotes, observe_rounds
from oracle.nodes import Kind, Node, NodeId, aggregator, combine, compute_node_id, fixed, sequencer
from oracle.state import CUT_OVER_BPS, OracleState, apply_oracle, check_cut_over, get_feed_quotes, observe
from protocol.codec import digest
from protocol.env import NO_QUOTE, Quote, Status
from protocol.errors import Refusal
from protocol.units import W

ADMIN, GUARDIAN, POSTER, STRANGER = 1, 2, 3, 4
NOW = 1_600_000_000
CONTRACTS = (0xF0, 0xF1, 0xF2, 0xF3)


def empty() -> OracleState:
    """A hub and a graph without anything, over contracts of four feeds."""
    return OracleState(FeedHub(ADMIN, POSTER, ()), make_graph(ADMIN, GUARDIAN), CONTRACTS)


def add(oracle: OracleState, *nodes: Node) -> OracleState:
    """The same with nodes registered."""
    for node in nodes:
        oracle, _ = apply_oracle(oracle, NOW, STRANGER, RegisterNode(node.kind, node.params, node.parents))
    return oracle


def outcome_of(oracle: OracleState, sender: int, action: Any, now: int = NOW) -> str:
    """``ok`` or the refusal's code; the state given stays as it was either way (S1)."""
    before = digest(oracle)
    try:
        apply_oracle(oracle, now, sender, action)
    except Refusal as refusal:
        return refusal.code
    finally:
        assert digest(oracle) == before
    return "ok"


def price(value: int, pair: str = "BTC/USD") -> tuple[Node, NodeId]:
    """A constant node and its id."""
    node = fixed(value, pair)
    return node, compute_node_id(node)


BTC_1, BTC_2 = aggregator(CONTRACTS[0], "BTC/USD"), aggregator(CONTRACTS[1], "BTC/USD")
FIRST, SECOND = compute_node_id(BTC_1), compute_node_id(BTC_2)
HALT = combine(Kind.HALT, FIRST)
HALTED = compute_node_id(HALT)


@pytest.fixture
def oracle() -> OracleState:
    """Two raw feeds of BTC at 8,000 and 8,100 dollars, feed 2 over the first, and a halt above it."""
    state = add(empty(), BTC_1, BTC_2, HALT)
    for action in (SetFeed(0, 8, 7_200), SetFeed(1, 8, 7_200), SetNodeFeed(2, FIRST)):
        state, _ = apply_oracle(state, NOW, ADMIN, action)
    state, _ = apply_oracle(state, NOW, POSTER, Push((0, 1), (8_000 * 10**8, 8_100 * 10**8)))
    return state


# --- creating: ORC-8 ------------------------------------------------------------------------------------------------


def test_a_node_feed_has_the_quote_of_its_node(oracle: OracleState) -> None:
    """ORC-8: whatever the graph says of it, and the feeds beside it are as they were."""
    quotes = get_feed_quotes(oracle, NOW + 9)
    assert quotes[2] == Quote(8_000 * W, 8_000 * W, 8_000 * W, NOW, 0)
    assert quotes[:2] == get_quotes(replace(oracle.hub, feeds=oracle.hub.feeds[:2]), NOW + 9)
    assert oracle.graph is not None
    assert quotes[2] == process(oracle.graph, NOW + 9, FIRST, observe(oracle, NOW + 9))


def test_a_feeds_own_age_is_not_a_nodes(oracle: OracleState) -> None:
    """ORC-8: a node says by itself what is too old; `max_age` is for readers of the feed."""
    quotes = get_feed_quotes(oracle, NOW + 7_201)
    assert [quote.status for quote in quotes] == [Status.STALE_HARD, Status.STALE_HARD, 0]


def test_creating_one_says_which_node_it_is(oracle: OracleState) -> None:
    """ORC-8: the next id, and the event."""
    after, events = apply_oracle(oracle, NOW, ADMIN, SetNodeFeed(3, HALTED))
    assert events == (NodeFeedSet(3, HALTED),)
    assert after == replace(oracle, hub=replace(oracle.hub, feeds=(*oracle.hub.feeds, NodeFeed(HALTED))))


def test_refusals_in_their_order(oracle: OracleState) -> None:
    """ORC-8: each attempt breaks the rule named and the ones after it."""
    rate, eth = price(W, "BTC/ETH"), price(200 * W, "ETH/USD")
    oracle = add(oracle, rate[0], eth[0])
    unknown = bytes(32)
    for sender in (GUARDIAN, POSTER, STRANGER):
        assert outcome_of(oracle, sender, SetNodeFeed(9, unknown)) == "role/not-admin"
    for feed in (4, MAX_FEEDS, 2**256 - 1):
        assert outcome_of(oracle, ADMIN, SetNodeFeed(feed, unknown)) == "oracle/unknown-feed"
    assert outcome_of(oracle, ADMIN, SetNodeFeed(0, unknown)) == "oracle/config"
    assert outcome_of(oracle, ADMIN, SetNodeFeed(2, unknown)) == "oracle/unknown-node"
    assert outcome_of(oracle, ADMIN, SetNodeFeed(3, unknown)) == "oracle/unknown-node"
    assert outcome_of(oracle, ADMIN, SetNodeFeed(2, rate[1])) == "oracle/not-in-dollars"
    assert outcome_of(oracle, ADMIN, SetNodeFeed(2, eth[1])) == "oracle/units"
    assert outcome_of(oracle, ADMIN, SetNodeFeed(3, eth[1])) == "ok"
    assert outcome_of(replace(oracle, graph=None), ADMIN, SetNodeFeed(3, eth[1])) == "oracle/unknown-node"


def test_there_is_room_for_sixty_four_feeds(oracle: OracleState) -> None:
    """ORC-8: of any kind."""
    for feed in range(3, MAX_FEEDS):
        oracle, _ = apply_oracle(oracle, NOW, ADMIN, SetNodeFeed(feed, FIRST))
    assert outcome_of(oracle, ADMIN, SetNodeFeed(MAX_FEEDS, FIRST)) == "oracle/unknown-feed"
    assert outcome_of(oracle, ADMIN, SetNodeFeed(MAX_FEEDS - 1, HALTED)) == "ok"


def test_a_node_feed_stays_one(oracle: OracleState) -> None:
    """ORC-4, ORC-5, ORC-7, ORC-8: it takes no rounds, is no leg, and never becomes a push or rate feed."""
    assert outcome_of(oracle, POSTER, Push((2,), (1,))) == "oracle/unknown-feed"
    assert outcome_of(oracle, ADMIN, SetFeed(2, 18, 7_200)) == "oracle/config"
    assert outcome_of(oracle, ADMIN, SetRateFeed(2, 0, 1)) == "oracle/unknown-feed"
    for legs in ((2, 0), (0, 2)):
        assert outcome_of(oracle, ADMIN, SetRateFeed(3, *legs)) == "oracle/config"
    rated, _ = apply_oracle(oracle, NOW, ADMIN, SetRateFeed(3, 0, 1))
    assert outcome_of(rated, ADMIN, SetNodeFeed(3, FIRST)) == "oracle/config"


# --- another node: ORC-8 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mid", "code"), [(9_800, "ok"), (10_200, "ok"), (9_799, ""), (10_201, ""), (1, "")])
def test_another_node_says_about_the_same(mid: int, code: str) -> None:
    """ORC-8: two per cent of the old mid is near enough on either side, and not a wei more."""
    (old, old_id), (new, new_id) = price(10_000), price(mid)
    oracle, _ = apply_oracle(add(empty(), old, new), NOW, ADMIN, SetNodeFeed(0, old_id))
    assert outcome_of(oracle, ADMIN, SetNodeFeed(0, new_id)) == (code or "oracle/cut-over")


def test_another_node_must_be_good_while_the_old_one_is(oracle: OracleState) -> None:
    """ORC-8: any fault of the new one is too much, at any price; when the old one has any, all is allowed."""
    oracle, _ = apply_oracle(oracle, NOW, GUARDIAN, HaltNode(HALTED))
    assert outcome_of(oracle, ADMIN, SetNodeFeed(2, HALTED)) == "oracle/cut-over"
    oracle, _ = apply_oracle(oracle, NOW, ADMIN, ResetNode(HALTED))
    oracle, _ = apply_oracle(oracle, NOW, ADMIN, SetNodeFeed(2, HALTED))
    far, far_id = price(W)
    oracle = add(oracle, far)
    assert outcome_of(oracle, ADMIN, SetNodeFeed(2, far_id)) == "oracle/cut-over"
    oracle, _ = apply_oracle(oracle, NOW, GUARDIAN, HaltNode(HALTED))
    assert outcome_of(oracle, ADMIN, SetNodeFeed(2, far_id)) == "ok"


def test_the_same_node_again_is_no_change(oracle: OracleState) -> None:
    """ORC-8: and still an event."""
    after, events = apply_oracle(oracle, NOW, ADMIN, SetNodeFeed(2, FIRST))
    assert after == oracle
    assert events == (NodeFeedSet(2, FIRST),)


def test_mids_are_compared_and_sides_are_not() -> None:
    """ORC-8: at the width of prices nothing is lost."""
    most = 2**96 - 1
    check_cut_over(Quote(1, 10_000, most, 0, 0), Quote(10_200, 10_200, 10_200, 0, 0))
    check_cut_over(Quote(most, most, most, 0, 0), Quote(most, most, most, 0, 0))
    check_cut_over(NO_QUOTE, Quote(0, 0, 0, 0, int(Status.HALTED)))
    edge = most - most * CUT_OVER_BPS // 10_000
    check_cut_over(Quote(most, most, most, 0, 0), Quote(edge, edge, edge, 0, 0))
    with pytest.raises(Refusal, match="oracle/cut-over"):
        check_cut_over(Quote(most, most, most, 0, 0), Quote(edge - 1, edge - 1, edge - 1, 0, 0))


# --- what a node is told: ORC-8, ORC-1 ------------------------------------------------------------------------------


def test_a_node_asks_push_feeds_by_their_contracts() -> None:
    """ORC-1, ORC-8: a feed without a round fails, as do rate and node feeds, and a feed that has no contract."""
    pushed = Feed(8, 60, 2, (Round(7, NOW - 9), Round(-8, NOW - 3)))
    feeds = (pushed, Feed(8, 60, 0, ()), RateFeed(0, 0), NodeFeed(FIRST), pushed)
    assert observe_rounds(FeedHub(ADMIN, POSTER, feeds), CONTRACTS) == {CONTRACTS[0]: (-8, NOW - 3, NOW - 3)}
    assert observe_rounds(FeedHub(ADMIN, POSTER, ()), CONTRACTS) == {}


def test_a_gate_asks_a_feed_since_when_it_says_so(oracle: OracleState) -> None:
    """GRD-6, ORC-8: a round begins when it is accepted, so a second one of the same answer begins a new grace."""
    gate = sequencer(FIRST, CONTRACTS[3], 600)
    oracle, _ = apply_oracle(add(oracle, gate), NOW, ADMIN, SetFeed(3, 0, 259_200))
    oracle, _ = apply_oracle(oracle, NOW, ADMIN, SetNodeFeed(4, compute_node_id(gate)))

    def status(now: int) -> int:
        return get_feed_quotes(oracle, now)[4].status

    assert status(NOW) == Status.SEQ_DOWN
    oracle, _ = apply_oracle(oracle, NOW, POSTER, Push((3,), (0,)))
    assert [status(NOW + age) for age in (0, 600, 601)] == [Status.SEQ_GRACE, Status.SEQ_GRACE, 0]
    oracle, _ = apply_oracle(oracle, NOW + 700, POSTER, Push((3,), (0,)))
    assert [status(NOW + age) for age in (701, 1_300, 1_301)] == [Status.SEQ_GRACE, Status.SEQ_GRACE, 0]
    oracle, _ = apply_oracle(oracle, NOW + 1_400, POSTER, Push((3,), (1,)))
    assert status(NOW + 9_999) == Status.SEQ_DOWN


def test_without_a_graph_there_is_no_price() -> None:
    """ORC-8: a hub alone cannot have a node feed; if it had, it would have no price."""
    assert get_quotes(FeedHub(ADMIN, POSTER, (NodeFeed(FIRST),)), NOW) == (NO_QUOTE,)


def test_actions_of_the_graph_leave_the_hub(oracle: OracleState) -> None:
    """GRA-1, GRD-8: and the other way round."""
    after, events = apply_oracle(oracle, NOW, GUARDIAN, HaltNode(HALTED))
    assert events == (NodeHalted(HALTED),)
    assert (after.hub, after.contracts) == (oracle.hub, oracle.contracts)
    pushed, _ = apply_oracle(after, NOW, POSTER, Push((0,), (1,)))
    assert pushed.graph == after.graph
