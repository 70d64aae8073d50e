"""Sources in one state: found by address, asked by key, and changed by actions that name them (SRC-1)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts_py.keys import private_key
from oracle.averages import Average, AveragesConfig, Update, create_averages
from oracle.feeds import FeedHub, Push, SetFeed, SetRateFeed
from oracle.graph import RegisterNode, make_graph
from oracle.growth_cap import Advance, GrowthCapConfig, SetSnapshot, Snapshot
from oracle.median import Submit, create_median
from oracle.nodes import Node, aggregator, compute_node_id, fixed, source
from oracle.pull import SetBand, SetSigners, SetTerms, UpdatePriceFeeds, make_pull_feed
from oracle.signing import PriceReport, encode_payload, hash_domain, hash_report, hash_typed_data, sign_digest
from oracle.sources import AtSource, CreateGrowthCap, Follower, OfSource, Source
from oracle.state import OracleState, apply_oracle, ask_contract, observe
from protocol.env import NO_QUOTE, Quote, Status
from protocol.errors import Refusal
from protocol.records import Table
from protocol.units import DAY, W
from tests.oracle.pulling import ADDRESSES, REPORTERS

ADMIN, GUARDIAN, POSTER, STRANGER = 1, 2, 3, 4
NOW = 1_600_000_000
FEED, RATE, MIXED, GRAPH, MEDIAN, PULL, SLOW, CAP = 0xF0, 0xF1, 0xF2, 0x6A, 0x51, 0x52, 0x53, 0x54
ETH = bytes(31) + b"\x01"
CONFIG = GrowthCapConfig(growth=1_000, min_delay=DAY, max_term=30 * DAY, tolerance=100, max_drop=500, interval=2 * DAY)


def start() -> OracleState:
    """One source of each kind that is there from the beginning; the average follows a node, which is a fixed price."""
    pull, _ = make_pull_feed(1, PULL, ADMIN, SetSigners(ADDRESSES[:1], 1, 0), SetTerms(fee=5, ahead=0))
    followed = int.from_bytes(compute_node_id(fixed(7 * W, "ETH/USD")), "big")
    slow = Follower(create_averages(AveragesConfig(10, 600, 600, 1_000)), GRAPH, followed)
    sources: Table[int, Source] = Table(
        {MEDIAN: create_median((11, 12, 13), 3, 3_600, 600, 0, 8), PULL: pull, SLOW: slow}
    )
    hub, graph = FeedHub(ADMIN, POSTER, ()), make_graph(ADMIN, GUARDIAN)
    oracle = OracleState(hub, graph, (FEED, RATE, MIXED), GRAPH, sources)
    for action in (SetFeed(0, 8, 3_600), SetFeed(1, 18, 3_600), SetRateFeed(2, 1, 0)):
        oracle, _ = apply_oracle(oracle, NOW, ADMIN, action)
    return oracle


def send(oracle: OracleState, sender: int, address: int, action: object, now: int = NOW) -> OracleState:
    """The state after an action of a source."""
    return apply_oracle(oracle, now, sender, AtSource(address, action))[0]  # type: ignore[arg-type]


def flat(price: int, time: int = NOW, status: int = 0) -> Quote:
    return Quote(price, price, price, time, status)


def test_an_action_goes_to_the_source_it_names_and_its_events_come_from_there() -> None:
    """SRC-1: two medians of the same reporters are two."""
    oracle = start()
    oracle = replace(oracle, sources=oracle.sources.put(MEDIAN + 9, oracle.sources[MEDIAN]))
    after, (event,) = apply_oracle(oracle, NOW, 11, AtSource(MEDIAN + 9, Submit(5, NOW)))
    assert isinstance(event, OfSource)
    assert event.source == MEDIAN + 9
    assert after.sources[MEDIAN] == oracle.sources[MEDIAN]
    assert after.sources[MEDIAN + 9] != oracle.sources[MEDIAN]
    with pytest.raises(Refusal) as refused:
        apply_oracle(oracle, NOW, STRANGER, AtSource(MEDIAN, Submit(5, NOW)))
    assert refused.value.code == "oracle/not-reporter"


def test_where_no_source_is_nothing_happens() -> None:
    """SRC-1: as at an address without code."""
    oracle = start()
    for address, action in ((CAP, Advance()), (0xDEAD, Submit(1, NOW))):
        assert apply_oracle(oracle, NOW, 11, AtSource(address, action)) == (oracle, ())
    assert ask_contract(oracle, NOW, CAP, 0) == NO_QUOTE


def test_a_median_has_one_price_whatever_the_key_and_rounds_once_it_has_a_quorum() -> None:
    """SRC-1, MED-6."""
    oracle = start()
    assert MEDIAN not in observe(oracle, NOW).rounds
    for reporter, answer in ((11, 200), (12, 201), (13, 900)):
        oracle = send(oracle, reporter, MEDIAN, Submit(answer * 10**8, NOW))
    assert ask_contract(oracle, NOW, MEDIAN, 0) == ask_contract(oracle, NOW, MEDIAN, 9) == flat(201 * W)
    assert observe(oracle, NOW).rounds == {MEDIAN: (201 * 10**8, NOW, NOW)}
    assert MEDIAN not in observe(oracle, NOW + 3_601).rounds


def test_a_pull_feed_is_asked_by_the_id_of_a_feed_and_keeps_its_coin() -> None:
    """SRC-1, PUL-11."""
    oracle = start()
    report = PriceReport(ETH, 200 * 10**8, 10**8, -8, NOW, 0)
    digest = hash_typed_data(hash_domain(1, PULL), hash_report(report))
    payload = encode_payload(report, (sign_digest(digest, private_key(REPORTERS[0])),))
    oracle = send(oracle, STRANGER, PULL, UpdatePriceFeeds((payload,), 6))
    key = int.from_bytes(ETH, "big")
    assert ask_contract(oracle, NOW, PULL, key) == Quote(199 * W, 200 * W, 201 * W, NOW, 0)
    assert ask_contract(oracle, NOW, PULL, key + 1) == NO_QUOTE
    oracle = send(oracle, ADMIN, PULL, SetBand(ETH, 2))
    assert ask_contract(oracle, NOW, PULL, key).bid == 198 * W


def test_an_average_asks_the_graph_when_it_is_updated_and_not_when_it_is_asked() -> None:
    """SRC-1, AVG-2: before the node is registered there is no price."""
    oracle = start()
    assert send(oracle, STRANGER, SLOW, Update()) == oracle
    node = fixed(7 * W, "ETH/USD")
    oracle, _ = apply_oracle(oracle, NOW, STRANGER, RegisterNode(node.kind, node.params, node.parents))
    oracle = send(oracle, STRANGER, SLOW, Update())
    assert ask_contract(oracle, NOW + 9, SLOW, Average.EMA) == flat(7 * W)


def test_a_growth_cap_is_created_on_a_live_rate_and_follows_it() -> None:
    """SRC-1, CAP-4, CAP-5: a feed that has no round is none; a stale one says so through the cap."""
    oracle = start()
    create = CreateGrowthCap(ADMIN, FEED, 0, CONFIG, Snapshot(W, NOW - DAY))
    with pytest.raises(Refusal) as refused:
        send(oracle, STRANGER, CAP, create)
    assert refused.value.code == "oracle/cap-source"
    oracle, _ = apply_oracle(oracle, NOW, POSTER, Push((0,), (10**8,)))
    oracle, (event,) = apply_oracle(oracle, NOW, STRANGER, AtSource(CAP, create))
    assert isinstance(event, OfSource)
    assert (event.source, [*oracle.sources]) == (CAP, [MEDIAN, PULL, SLOW, CAP])
    assert ask_contract(oracle, NOW, CAP, 5) == flat(W)
    assert ask_contract(oracle, NOW + 3_601, CAP, 5).status == Status.STALE_HARD
    later = send(oracle, ADMIN, CAP, SetSnapshot(W, NOW - DAY + 1), NOW + 1)
    assert later.sources[CAP] != oracle.sources[CAP]
    oracle, _ = apply_oracle(oracle, NOW + 2 * DAY, POSTER, Push((0,), (10**8,)))
    advanced = send(oracle, STRANGER, CAP, Advance(), NOW + 2 * DAY)
    assert advanced.sources[CAP] != oracle.sources[CAP]


def test_the_contract_of_a_push_feed_answers_like_a_source_and_those_of_others_fail() -> None:
    """SRC-1: from its first round on."""
    oracle = start()
    assert ask_contract(oracle, NOW, FEED, 0) == NO_QUOTE
    oracle, _ = apply_oracle(oracle, NOW, POSTER, Push((0, 1), (200 * 10**8, W)))
    assert ask_contract(oracle, NOW, FEED, 3) == flat(200 * W)
    assert ask_contract(oracle, NOW, MIXED, 0) == NO_QUOTE


@pytest.mark.parametrize("node", [source(FEED, 0, "ETH/USD"), aggregator(FEED, "ETH/USD")], ids=["quote", "round"])
def test_nodes_read_what_contracts_answer(node: Node) -> None:
    """SRC-1: under both names of the same feed."""
    oracle, _ = apply_oracle(start(), NOW, POSTER, Push((0,), (200 * 10**8,)))
    oracle, _ = apply_oracle(oracle, NOW, STRANGER, RegisterNode(node.kind, node.params, node.parents))
    assert ask_contract(oracle, NOW, GRAPH, int.from_bytes(compute_node_id(node), "big")) == flat(200 * W)
