"""Feeds that are nodes of the graph, through both twins: creating, exchanging, every guard, and random graphs."""

from __future__ import annotations

from collections import Counter
from importlib.util import find_spec

import pytest
from eth_abi import decode

from contracts_py.bindings import call_data
from contracts_py.compile import Artifact
from contracts_py.errors import Reverted
from contracts_py.keys import to_hex
from contracts_py.revm import RevmNode
from oracle.feeds import MAX_FEEDS, Push, SetFeed, SetNodeFeed, SetRateFeed
from oracle.graph import HaltNode, PokeNode, RegisterNode, ResetNode
from oracle.nodes import (
    Kind,
    bounds,
    breaker,
    combine,
    confidence,
    deviation,
    fixed,
    hours,
    median,
    sequencer,
    source,
    staleness,
)
from protocol.actions import SetMarket, SetRisk
from protocol.env import Status
from protocol.units import W
from tests.lockstep.both import BORROWER, buy, refuse
from tests.lockstep.node_feeds import FEEDS, GraphUnderFeeds, add, check_feeds, is_refused, raw
from tests.oracle.drawing import Draw
from tests.twins import BTC, RISK, Checkpoint, Twins, market_params

pytestmark = pytest.mark.skipif(find_spec("pyrevm") is None, reason="pyrevm is not installed")


@pytest.fixture(scope="module")
def deployed(artifacts: dict[str, Artifact]) -> tuple[Twins, Checkpoint]:
    """Twins with a graph, deployed once."""
    twins = Twins(artifacts, feeds=FEEDS, with_graph=True)
    return twins, twins.save()


@pytest.fixture
def graphed(deployed: tuple[Twins, Checkpoint]) -> Twins:
    """Twins just deployed, with a graph."""
    twins, fresh = deployed
    twins.restore(fresh)
    return twins


def set_feeds(twins: Twins, *answers: int) -> None:
    """Push feeds of 8 decimals from id 0, each with one round in whole dollars."""
    for feed in range(len(answers)):
        twins.do("admin", SetFeed(feed, 8, 259_200))
    push(twins, *answers)


def push(twins: Twins, *answers: int) -> None:
    """A round for each of the first feeds, in whole dollars."""
    twins.do("poster", Push(tuple(range(len(answers))), tuple(answer * 10**8 for answer in answers)))


# --- creating and exchanging ----------------------------------------------------------------------------------------


def test_node_feeds_on_both(graphed: Twins) -> None:
    """ORC-8, S3: created, read, exchanged; each refusal and their order; the complete states at the end."""
    twins = graphed
    set_feeds(twins, 8_000, 8_100, 200)
    first, second, eth = raw(twins, 0), raw(twins, 1), raw(twins, 2, "ETH/USD")
    rate, unknown = add(twins, combine(Kind.DIV, eth, first)), b"\x99" * 32
    refuse(twins, "role/not-admin", *((who, SetNodeFeed(9, unknown)) for who in ("guardian", "poster", "stranger")))
    refuse(twins, "oracle/unknown-feed", *(("admin", SetNodeFeed(feed, unknown)) for feed in (4, 64, 2**256 - 1)))
    refuse(twins, "oracle/config", ("admin", SetNodeFeed(0, unknown)), ("admin", SetNodeFeed(2, first)))
    refuse(twins, "oracle/unknown-node", ("admin", SetNodeFeed(3, unknown)), ("admin", SetNodeFeed(3, bytes(32))))
    refuse(twins, "oracle/not-in-dollars", ("admin", SetNodeFeed(3, rate)))
    twins.do("admin", SetNodeFeed(3, first))
    check_feeds(twins)
    refuse(twins, "oracle/unknown-node", ("admin", SetNodeFeed(3, unknown)))
    refuse(twins, "oracle/not-in-dollars", ("admin", SetNodeFeed(3, rate)))
    refuse(twins, "oracle/units", ("admin", SetNodeFeed(3, eth)))
    twins.do("admin", SetNodeFeed(3, second))
    twins.do("admin", SetNodeFeed(4, eth))
    check_feeds(twins)
    twins.do("admin", SetRateFeed(5, 0, 1))
    refuse(twins, "oracle/config", ("admin", SetNodeFeed(5, first)), ("admin", SetFeed(3, 18, 3_600)))
    refuse(twins, "oracle/config", ("admin", SetRateFeed(6, 3, 0)), ("admin", SetRateFeed(6, 0, 4)))
    refuse(twins, "oracle/unknown-feed", ("admin", SetRateFeed(3, 0, 1)), ("poster", Push((0, 3), (1, 1))))
    push(twins, 7_000)
    assert [quote.mid for quote in check_feeds(twins)] == [
        price * W for price in (7_000, 8_100, 200, 8_100, 200, 7_000 * 8_100)
    ]
    twins.check_states()
    for feed in range(6, MAX_FEEDS):
        twins.do("admin", SetNodeFeed(feed, first))
    refuse(twins, "oracle/unknown-feed", ("admin", SetNodeFeed(MAX_FEEDS, first)), ("admin", SetFeed(64, 8, 60)))
    twins.check_states()


@pytest.mark.parametrize(("mid", "code"), [(9_800, ""), (10_200, ""), (9_799, "-"), (10_201, "-"), (2**96 - 1, "-")])
def test_the_distance_of_another_node_on_both(graphed: Twins, mid: int, code: str) -> None:
    """ORC-8: two per cent of the old mid on either side, and one wei beyond."""
    old, new = add(graphed, fixed(10_000, "BTC/USD")), add(graphed, fixed(mid, "BTC/USD"))
    graphed.do("admin", SetNodeFeed(0, old))
    graphed.do("admin", SetNodeFeed(0, new), refused="oracle/cut-over" if code else None)
    check_feeds(graphed)


def test_faults_of_both_nodes_on_both(graphed: Twins) -> None:
    """ORC-8: any fault of the new node is refused while the old one has none; when it has one, nothing is compared."""
    twins = graphed
    old = add(twins, fixed(10_000, "BTC/USD"))
    halt, other = add(twins, combine(Kind.HALT, old)), add(twins, combine(Kind.HALT, add(twins, fixed(7, "BTC/USD"))))
    twins.do("admin", SetNodeFeed(0, old))
    twins.do("guardian", HaltNode(halt))
    refuse(twins, "oracle/cut-over", ("admin", SetNodeFeed(0, halt)))
    twins.do("admin", ResetNode(halt))
    twins.do("admin", SetNodeFeed(0, halt))
    twins.do("guardian", HaltNode(halt))
    twins.do("admin", SetNodeFeed(0, other))
    refuse(twins, "oracle/cut-over", ("admin", SetNodeFeed(0, old)))
    twins.do("guardian", HaltNode(other))
    twins.do("admin", SetNodeFeed(0, halt))
    check_feeds(twins)
    twins.check_states()


def test_a_hub_without_a_graph_on_both(bare_twins: Twins) -> None:
    """ORC-8: there is no node that it could know; everything before that is refused first."""
    twins = bare_twins
    twins.do("admin", SetFeed(0, 8, 60))
    refuse(twins, "role/not-admin", ("poster", SetNodeFeed(9, bytes(32))))
    refuse(twins, "oracle/unknown-feed", ("admin", SetNodeFeed(2, bytes(32))), ("admin", SetNodeFeed(64, bytes(32))))
    refuse(twins, "oracle/config", ("admin", SetNodeFeed(0, bytes(32))))
    refuse(twins, "oracle/unknown-node", ("admin", SetNodeFeed(1, bytes(32))), ("admin", SetNodeFeed(1, b"\x01" * 32)))
    twins.check_states()


def test_the_contract_of_a_node_feed_has_no_rounds_on_both(graphed: Twins) -> None:
    """ORC-1, ORC-8: it refuses every round and gives 18 decimals; so a node over it has no price, and is no cycle."""
    twins = graphed
    set_feeds(twins, 8_000)
    first = raw(twins, 0)
    twins.do("admin", SetNodeFeed(1, first))
    node, contract = twins.chain.contracts.node, twins.chain.deployment.feeds[1]
    assert decode(["uint8"], node.call(contract, call_data("decimals()"))) == (18,)
    for data in (call_data("latestRoundData()"), call_data("getRoundData(uint80)", 1)):
        with pytest.raises(Reverted, match="oracle/unknown-round"):
            node.call(contract, data)
    address, data = twins.chain.contracts.encode_call("feed_node", 1)
    assert node.call(address, data) == first
    twins.do("admin", SetNodeFeed(2, raw(twins, 1, decimals=18)))
    assert check_feeds(twins)[2].status == Status.UNAVAILABLE
    # Nothing answers there: no contract, the hub, the graph, a token.
    others = (0xDEAD, twins.chain.deployment.hub, twins.chain.deployment.graph, twins.chain.deployment.tokens[0])
    for feed, place in enumerate(others, start=3):
        twins.do("admin", SetNodeFeed(feed, add(twins, source(place, feed, "BTC/USD"))))
    assert {quote.status for quote in check_feeds(twins)[3:]} == {Status.UNAVAILABLE}
    twins.check_states()


# --- every guard, as the hub reads it -------------------------------------------------------------------------------


def test_every_guard_as_the_hub_reads_it_on_both(graphed: Twins) -> None:
    """GRD-1 to GRD-8, QUO-7, ORC-8, O5: each marks what it is for, in all five words of the hub's answer."""
    twins = graphed
    set_feeds(twins, 8_000, 8_000, 8_000, 0)
    legs = [raw(twins, feed) for feed in range(3)]
    fresh = [add(twins, staleness(leg, 600, 3_600)) for leg in legs]
    middle = add(twins, median(2, *fresh))
    uptime = twins.chain.deployment.feeds[3]
    halt, jump = combine(Kind.HALT, middle), breaker(middle, 20_000, 600, 1)
    guards = (
        *(deviation(fresh[0], fresh[1], 200), bounds(middle, 100 * W, 20_000 * W), confidence(middle, 100), jump),
        *(sequencer(middle, uptime, 600), hours(middle, 127, 0, 3_600), halt, combine(Kind.FIRST_OK, fresh[2], middle)),
    )
    nodes = [add(twins, guard) for guard in guards]
    for feed, node in enumerate(nodes, start=4):
        twins.do("admin", SetNodeFeed(feed, node))
    jump_id, halt_id = nodes[3], nodes[6]
    seen: Counter[int] = Counter()

    def look(*answers: int) -> None:
        push(twins, *answers)
        for quote in check_feeds(twins)[4:]:
            seen[quote.status] += 1

    look(8_000, 8_000, 8_000)
    twins.do("stranger", PokeNode(jump_id))
    look(8_000, 8_200, 1)  # one lies, two disagree
    twins.do("guardian", HaltNode(halt_id))
    look(20_000, 20_000, 20_000)
    twins.do("stranger", PokeNode(jump_id))
    look(8_000, 8_000, 8_000)
    twins.do("admin", ResetNode(jump_id))
    twins.do("admin", ResetNode(halt_id))
    twins.do("poster", Push((3,), (10**8,)), after=601)
    look(8_000, 8_200)  # the third is old
    twins.do("poster", Push((3,), (0,)), after=3_600)
    check_feeds(twins)
    look(0, -1, 8_000)
    look(8_000, 8_000, 8_000)
    for after in (601, 3_001):
        twins.do("poster", Push((3,), (0,)), after=after)
        for quote in check_feeds(twins)[4:]:
            seen[quote.status] += 1
    for fault in (
        *(Status.STALE_HARD, Status.UNCERTAIN, Status.DEVIATED, Status.OUT_OF_BOUNDS, Status.NO_QUORUM),
        *(Status.SEQ_DOWN, Status.SEQ_GRACE, Status.HALTED, Status.MARKET_CLOSED, Status.STALE_SOFT),
    ):
        assert any(status & fault for status in seen), fault
    assert seen[0] > 8
    twins.check_states()


def test_the_vault_sees_what_guards_say_on_both(graphed: Twins) -> None:
    """ORC-3, ORC-8: a trade while the price is halted or the sequencer down is refused, a deposit is not."""
    twins = graphed
    set_feeds(twins, 8_000, 0)
    gate = sequencer(raw(twins, 0), twins.chain.deployment.feeds[1], 0)
    halt = add(twins, combine(Kind.HALT, add(twins, gate)))
    twins.do("admin", SetNodeFeed(2, halt))
    twins.do("admin", SetRisk(RISK))
    twins.do("admin", SetMarket(BTC, market_params(2)))
    twins.fund()
    twins.deposit("borrower", usd=10_000)
    twins.do("borrower", buy(W))
    for stop, start in (
        (("guardian", HaltNode(halt)), ("admin", ResetNode(halt))),
        (("poster", Push((1,), (1,))), ("poster", Push((1,), (0,)))),
        (("poster", Push((0,), (0,))), ("poster", Push((0,), (8_000 * 10**8,)))),
    ):
        twins.do(*stop)
        assert is_refused(twins, "borrower", buy(W // 1_000))
        twins.deposit("borrower", usd=1)
        twins.do(*start)
        twins.do("borrower", buy(W // 1_000))
        twins.check_views((BORROWER,))
    twins.check_states()


def test_with_any_amount_of_gas_a_node_feed_has_its_price_or_none(graphed: Twins) -> None:
    """GRA-6, ORC-8: the fallback's price cannot be had by sending too little gas, through the hub neither."""
    twins = graphed
    set_feeds(twins, 8_000, 9_000)
    either = add(twins, combine(Kind.FIRST_OK, raw(twins, 0), raw(twins, 1)))
    twins.do("admin", SetNodeFeed(2, either))
    node = twins.chain.contracts.node
    assert isinstance(node, RevmNode)
    address, data = twins.chain.contracts.encode_call("read", 2)
    prices, failures = set(), set()
    for gas in range(22_000, 420_000, 1_000):
        checkpoint = node._evm.snapshot()
        try:
            answer = node._evm.message_call(to_hex(1), to_hex(address), data, gas=gas)
            prices.add(decode(["uint256"] * 5, answer)[1])
        except RuntimeError as failure:
            failures.add(b"oracle/gas".hex() in str(failure))
        finally:
            node._evm.revert(checkpoint)
    assert prices == {8_000 * W}
    assert failures == {True, False}


# --- random graphs --------------------------------------------------------------------------------------------------


def tell(twins: Twins, name: str, rounds: int) -> Counter[str]:
    """One random graph under random rounds; every feed is compared after every round, the states at the end."""
    graph = GraphUnderFeeds(twins, Draw(name))
    graph.grow(24)
    seen: Counter[str] = Counter()
    for _ in range(rounds):
        graph.observe()
        for _ in range(2):
            seen[graph.point()] += 1
        for quote in check_feeds(twins)[9:]:
            assert quote.bid <= quote.mid <= quote.ask
            seen["good" if quote.status == 0 else "faulty"] += 1
    twins.check_states()
    return seen


def test_random_graphs_below_feeds_on_both(deployed: tuple[Twins, Checkpoint]) -> None:
    """ORC-8, GRA-5, S2, S3: every word of every feed, and the complete states."""
    twins, fresh = deployed
    seen: Counter[str] = Counter()
    for number in range(6):
        twins.restore(fresh)
        seen += tell(twins, f"under feeds {number}", rounds=12)
    assert min(seen["good"], seen["faulty"]) > 40
    refusals = {"oracle/cut-over", "oracle/config", "oracle/not-in-dollars", "oracle/units"}
    assert refusals <= seen.keys()


@pytest.mark.deep
@pytest.mark.parametrize("first", [100, 200, 300])
def test_many_random_graphs_below_feeds_on_both(deployed: tuple[Twins, Checkpoint], first: int) -> None:
    """ORC-8, GRA-5, S2, S3: at length."""
    twins, fresh = deployed
    for number in range(first, first + 20):
        twins.restore(fresh)
        tell(twins, f"under feeds {number}", rounds=30)


def test_a_graph_on_blocks_and_signatures(artifacts: dict[str, Artifact]) -> None:
    """ORC-8, S3: the same on a chain with gas: actions, events, complete states."""
    twins = Twins(artifacts, "eth-tester", feeds=FEEDS, with_graph=True, actors=("admin", "poster", "stranger"))
    set_feeds(twins, 8_000)
    gate = add(twins, sequencer(raw(twins, 0), 0, 0))
    twins.do("admin", SetNodeFeed(1, gate))
    twins.do("stranger", RegisterNode(Kind.HALT, (0, 0, 0, 0), (gate,)))
    twins.do("admin", SetNodeFeed(1, b"\x01" * 32), refused="oracle/unknown-node")
    assert check_feeds(twins)[1].mid == 8_000 * W
    twins.check_states()
