"""Settlements with too little gas: they end no order that ample gas would not end, and none otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts_py.compile import Artifact
from contracts_py.keys import address_of, to_hex
from contracts_py.revm import read_log, read_reason
from oracle.feeds import Push, SetFeed, SetNodeFeed
from oracle.nodes import Kind, combine
from protocol.actions import SetCollateral, SetMarket, SetRisk
from tests.lockstep.both import MARKET
from tests.lockstep.node_feeds import FEEDS, add, raw
from tests.lockstep.orders import commit, open_orders, settle
from tests.twins import BTC, RISK, WETH, Twins, weth_params

AMPLE = 3_000_000
NODE_FEED = 3


@pytest.fixture(scope="module")
def graphed(artifacts: dict[str, Artifact]) -> Twins:
    """Twins whose WETH is priced by a node: one push feed, and another, four times as high, where that one fails."""
    twins = Twins(artifacts, feeds=FEEDS, with_graph=True)
    for feed in range(NODE_FEED):
        twins.do("admin", SetFeed(feed, 8, 259_200))
    twins.do("poster", Push((0, 1, 2), (8_000 * 10**8, 200 * 10**8, 800 * 10**8)))
    either = add(twins, combine(Kind.FIRST_OK, raw(twins, 1, "ETH/USD"), raw(twins, 2, "ETH/USD")))
    twins.do("admin", SetNodeFeed(NODE_FEED, either))
    twins.do("admin", SetRisk(RISK))
    twins.do("admin", SetMarket(BTC, MARKET))
    twins.do("admin", SetCollateral(WETH, replace(weth_params(), feed=NODE_FEED)))
    twins.fund()
    return twins


def settle_with(twins: Twins, gas: int) -> tuple[list[Any], str]:
    """The events of a settlement with so much gas, which is then undone; or why it failed."""
    contracts: Any = twins.chain.contracts
    evm, (address, data) = contracts.node._evm, contracts.encode_action(settle())
    checkpoint = evm.snapshot()
    try:
        evm.message_call(to_hex(address_of("liquidator")), to_hex(address), data, gas=gas)
        return [contracts.read_log(read_log(log)) for log in evm.result.logs], ""
    except RuntimeError as failure:
        return [], read_reason(str(failure))
    finally:
        evm.revert(checkpoint)


def walk(twins: Twins, code: str, step: int, failures: set[str]) -> None:
    """Each amount of gas leaves the order pending, or ends it as ample gas does, with this code."""
    ample, _ = settle_with(twins, AMPLE)
    assert ample[-1].code == code
    seen = set()
    ended = 0
    for gas in range(30_000, 1_000_000, step):
        events, failure = settle_with(twins, gas)
        if events:
            assert events == ample
            ended += 1
        else:
            seen.add(failure)
        if ended == 5:
            break
    assert ended == 5
    assert seen == failures
    twins.check_states()


def test_too_little_gas_ends_no_order(twins: Twins) -> None:
    """ORD-5: whatever gas a keeper sends along, the trade is made or the order is still pending."""
    open_orders(twins)
    twins.do("borrower", commit())
    twins.price(BTC=8_000, after=10)
    walk(twins, "", 500, {"", "sys/panic"})


@pytest.mark.parametrize(("price", "code"), [(8_000, ""), (7_000, "margin/initial")])
def test_too_little_gas_for_a_node_feed_ends_no_order(graphed: Twins, price: int, code: str) -> None:
    """ORD-5, GRA-6: nor is it filled at the price of a fallback that ample gas would not have asked."""
    twins = graphed
    start = twins.save()
    open_orders(twins, usd=300)
    twins.deposit("borrower", weth=1)
    twins.do("borrower", commit())
    twins.price(BTC=8_000, after=10)
    twins.price(BTC=price)
    walk(twins, code, 500, {"", "sys/panic", "oracle/gas"})
    twins.restore(start)
