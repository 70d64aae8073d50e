"""Feeds through both twins: creating, configuring, pushing, products of two, and every round read back."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import pytest
from eth_abi import decode

from contracts_py.bindings import call_data
from contracts_py.errors import Reverted
from oracle.feeds import HISTORY, Feed, Push, SetFeed, SetRateFeed, get_round_data, latest_round_data
from oracle.guards import get_quotes
from protocol.actions import SetCollateral
from protocol.env import NO_QUOTE, Status
from protocol.errors import UnknownRound
from protocol.units import W
from tests.lockstep.both import BORROWER, check, measure, refuse
from tests.twins import RATE_FEED, WSTETH, WSTETH_FEED, Twins, collateral_params

ROUND = ["uint80", "int256", "uint256", "uint256", "uint80"]


def call_feed(twins: Twins, feed: int, signature: str, *arguments: int) -> bytes:
    """What a feed's own contract answers."""
    return twins.chain.contracts.node.call(twins.chain.deployment.feeds[feed], call_data(signature, *arguments))


def check_rounds(twins: Twins, feed: int) -> None:
    """ORC-1: what a feed's own contract answers is what the model's readers get, unknown rounds included."""
    model = twins.world.oracle.hub.feeds[feed]
    assert isinstance(model, Feed)
    oldest = max(model.latest_round - HISTORY, 0)
    for number in {0, oldest - 1, oldest, oldest + 1, model.latest_round, model.latest_round + 1, 2**80 - 1} - {-1}:
        try:
            found: Any = get_round_data(model, number)
        except UnknownRound:
            with pytest.raises(Reverted, match="oracle/unknown-round"):
                call_feed(twins, feed, "getRoundData(uint80)", number)
            continue
        fields = (found.round_id, found.answer, found.started_at, found.updated_at, found.answered_in_round)
        assert decode(ROUND, call_feed(twins, feed, "getRoundData(uint80)", number)) == fields
    newest = latest_round_data(model)
    answer = decode(ROUND, call_feed(twins, feed, "latestRoundData()"))
    assert answer[:2] == (newest.round_id, newest.answer)


def check_quotes(twins: Twins) -> None:
    """ORC-3, ORC-6, ORC-7: the quote of every feed, and of one that does not exist."""
    quotes = get_quotes(twins.world.oracle.hub, twins.now)
    for feed, quote in enumerate(quotes):
        address, data = twins.chain.contracts.encode_call("read", feed)
        answer = decode(["uint256"] * 5, twins.chain.contracts.node.call(address, data))
        assert answer == astuple(quote), feed
    address, data = twins.chain.contracts.encode_call("read", len(quotes))
    answer = decode(["uint256"] * 5, twins.chain.contracts.node.call(address, data))
    assert answer == astuple(NO_QUOTE)


def test_feeds_on_both(bare_twins: Twins) -> None:
    """ORC-1, ORC-4, ORC-5, S3: creating, configuring, pushing; each refusal and their order; rounds read back."""
    twins = bare_twins
    refuse(twins, "role/not-admin", ("poster", SetFeed(5, 19, 0)), ("stranger", SetFeed(0, 8, 60)))
    refuse(twins, "oracle/unknown-feed", ("admin", SetFeed(1, 19, 0)), ("admin", SetFeed(2**256 - 1, 8, 60)))
    config = ((19, 60), (8, 59), (8, 259_201), (2**256 - 1, 60), (8, 2**256 - 1))
    refuse(twins, "oracle/config", *(("admin", SetFeed(0, decimals, age)) for decimals, age in config))
    twins.do("admin", SetFeed(0, 18, 60))
    twins.do("admin", SetFeed(1, 0, 259_200))
    refuse(twins, "oracle/config", ("admin", SetFeed(0, 17, 60)), ("admin", SetFeed(1, 1, 60)))
    for feed in range(2, 64):
        twins.do("admin", SetFeed(feed, feed % 19, 3_600))
    refuse(twins, "oracle/unknown-feed", ("admin", SetFeed(64, 8, 60)), ("admin", SetRateFeed(64, 0, 1)))
    refuse(twins, "role/not-poster", ("admin", Push((), ())), ("stranger", Push((0,), (1,))))
    malformed = (((), ()), ((), (1,)), ((70,), ()), ((0, 0), (1, 1)), ((1, 0), (1, 2**127)), ((0, 1), (1,)))
    refuse(twins, "oracle/malformed-push", *(("poster", Push(feeds, answers)) for feeds, answers in malformed))
    refuse(twins, "oracle/unknown-feed", ("poster", Push((64,), (2**127,))), ("poster", Push((0, 2**256 - 1), (1, 1))))
    # One feed more than there can be is not undecodable.
    refuse(twins, "oracle/unknown-feed", ("poster", Push(tuple(range(65)), (1,) * 65)))
    outside = (((0,), (2**127,)), ((0, 1, 1), (1, -(2**127) - 1, 1)), ((0,), (-(2**255),)))
    refuse(twins, "sys/domain", *(("poster", Push(feeds, answers)) for feeds, answers in outside))
    for answer in (0, -1, 1, 2**127 - 1, -(2**127), 10**18):
        twins.do("poster", Push((0, 1, 63), (answer, -answer - 1, answer)))
        check_quotes(twins)
    twins.do("poster", Push(tuple(range(64)), tuple(range(1, 65))))
    twins.do("admin", SetFeed(0, 18, 61))
    twins.check_states()
    for feed in (0, 1, 2):
        check_rounds(twins, feed)


def test_a_feed_forgets_its_oldest_rounds_on_both(bare_twins: Twins) -> None:
    """ORC-1, ORC-4: 64 rounds are remembered; at the 65th and long after, older ones are unknown to both."""
    twins = bare_twins
    twins.do("admin", SetFeed(0, 8, 60))
    for number in range(1, 2 * HISTORY + 2):
        twins.do("poster", Push((0,), (number - 70,)))
        if number in {1, 2, HISTORY - 1, HISTORY, HISTORY + 1, HISTORY + 2, 2 * HISTORY, 2 * HISTORY + 1}:
            check_rounds(twins, 0)
    twins.check_states()


def test_a_feed_without_a_round_on_both(bare_twins: Twins) -> None:
    """ORC-1, ORC-6: refused before the first push; its price is unavailable."""
    twins = bare_twins
    twins.do("admin", SetFeed(0, 8, 60))
    feed = twins.world.oracle.hub.feeds[0]
    assert isinstance(feed, Feed)
    with pytest.raises(UnknownRound):
        latest_round_data(feed)
    assert decode(["uint8"], call_feed(twins, 0, "decimals()")) == (8,)
    with pytest.raises(Reverted, match="oracle/unknown-round"):
        call_feed(twins, 0, "latestRoundData()")
    check_quotes(twins)


def test_feeds_of_a_rate_on_both(bare_twins: Twins) -> None:
    """ORC-7, O6, T9: products rounded down, too small, too large, with a stale or dead leg; refusals in order."""
    twins = bare_twins
    twins.do("admin", SetFeed(0, 18, 3_600))
    refuse(twins, "role/not-admin", ("poster", SetRateFeed(9, 9, 9)))
    refuse(twins, "oracle/unknown-feed", ("admin", SetRateFeed(0, 9, 9)), ("admin", SetRateFeed(2, 0, 0)))
    refuse(twins, "oracle/config", ("admin", SetRateFeed(1, 1, 0)), ("admin", SetRateFeed(1, 0, 2**256 - 1)))
    twins.do("admin", SetFeed(1, 8, 259_200))
    twins.do("admin", SetRateFeed(2, 0, 1))
    twins.do("admin", SetRateFeed(3, 0, 0))
    refuse(twins, "oracle/config", ("admin", SetRateFeed(4, 2, 0)), ("admin", SetRateFeed(4, 0, 3)))
    refuse(twins, "oracle/config", ("admin", SetFeed(2, 18, 3_600)))
    refuse(twins, "oracle/unknown-feed", ("admin", SetRateFeed(3, 0, 1)), ("poster", Push((0, 2), (1, 1))))
    check_quotes(twins)
    pairs = [(W, 10**8), (W + 1, 10**8 - 1), (1, 1), (W // 10**10 - 1, 1), (W // 10**10, 1), (0, 5), (5, -1), (-1, 0)]
    pairs += [(2**96 - 1, 2**96 // 10**10), (2**96 - 1, 10**8), (2**96, 10**8), (2**95, 3 * 10**8)]
    pairs += [(2**127 - 1, 2**127 - 1)]
    for rate, underlying in pairs:
        twins.do("poster", Push((0, 1), (rate, underlying)))
        check_quotes(twins)
    twins.do("poster", Push((0, 1), (W, 10**8)))
    for seconds in (3_600, 1, 259_200):
        twins.now += seconds
        twins.do("admin", SetFeed(4, 8, 60) if seconds == 3_600 else SetFeed(4, 8, 61), after=0)
        check_quotes(twins)
    assert decode(["uint8"], call_feed(twins, 2, "decimals()")) == (18,)
    twins.check_states()


def test_collateral_over_a_rate_on_both(twins: Twins) -> None:
    """ORC-7, COL-1, MRG-4: it counts at rate times underlying, and each fault of either leg shows in its account."""
    twins.deposit("borrower", wsteth=10)
    assert measure(twins, BORROWER).equity_raw == 2_100 * W
    for rate, eth in ((W * 11 // 10, 150), (W * 2, 300)):
        twins.price(ETH=eth, rate=rate)
        assert measure(twins, BORROWER).equity_raw == 10 * eth * rate
        check(twins)
    for feed, answer in ((RATE_FEED, 0), (1, -1), (RATE_FEED, 2**127 - 1)):
        twins.do("poster", Push((feed,), (answer,)))
        assert measure(twins, BORROWER).price_status != Status.OK
        check(twins)
        twins.price(ETH=200, rate=W)
    twins.do("admin", SetCollateral(WSTETH, collateral_params(WSTETH_FEED, 18, 10**4, ((0, 85, 75),))))
    twins.price(ETH=200, after=259_201)
    assert measure(twins, BORROWER).price_status == Status.STALE_HARD
    check(twins)
