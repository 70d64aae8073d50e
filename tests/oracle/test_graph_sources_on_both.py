"""Sources that lie, fail or burn gas, under the price graph as model and as contract."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from eth_abi import decode, encode

from contracts_py.bindings import call_data
from contracts_py.keys import to_hex
from contracts_py.revm import read_reason
from oracle.errors import TooLittleGas
from oracle.graph import (
    MAX_CALLS,
    MAX_SIZE,
)
from oracle.nodes import (
    Kind,
    aggregator,
    combine,
    confidence,
    fixed,
    median,
    sequencer,
    source,
)
from protocol.env import NO_QUOTE, Quote, Status
from protocol.units import W
from tests.oracle.graph_twins import NOBODY, REVERTS, REVERTS_WITH_ANSWER, RUNS_OUT, WORKS, GraphTwins

pytestmark = pytest.mark.skipif(find_spec("pyrevm") is None, reason="pyrevm is not installed")


@pytest.mark.parametrize("length", [0, 1, 31, 32, 159])
def test_a_short_answer_is_none(twins: GraphTwins, length: int) -> None:
    """GRA-6: also when what there is would be a price."""
    node, feed = twins.add(source(twins.source, 1, "ETH/USD")), twins.add(aggregator(twins.feeds[0], "ETH/USD"))
    whole = encode(["uint256"] * 5, [W, W, W, twins.now, 0])
    twins.fail(1, WORKS, whole[:length])
    twins.fail_feed(0, WORKS, whole[:length])
    assert twins.check(node) == twins.check(feed) == NO_QUOTE


def test_a_long_answer_counts_as_far_as_it_is_read(twins: GraphTwins) -> None:
    """GRA-6: nobody can make the graph copy more than it asked for."""
    node = twins.add(source(twins.source, 1, "ETH/USD"))
    twins.flat(1, 200 * W)
    whole = encode(["uint256"] * 5, [200 * W, 200 * W, 200 * W, twins.now, 0])
    expected = twins.check(node)
    twins._tell(twins.source, call_data("set_answer(bytes32,bytes,uint256)", bytes(31) + b"\1", whole + bytes(864), 0))
    assert twins.read(node) == expected == Quote(200 * W, 200 * W, 200 * W, twins.now, 0)


@pytest.mark.parametrize("fault", [REVERTS, RUNS_OUT])
def test_a_source_that_fails_is_unavailable(twins: GraphTwins, fault: int) -> None:
    """GRA-6: its fallback is asked, and a median goes on without it."""
    nodes = [twins.add(source(twins.source, key, "ETH/USD")) for key in (1, 2, 3)]
    first, middle = twins.add(combine(Kind.FIRST_OK, *nodes)), twins.add(median(2, *nodes))
    for key in (1, 2, 3):
        twins.flat(key, key * W)
    assert (twins.check(first).mid, twins.check(middle).mid) == (W, 2 * W)
    twins.fail(1, fault)
    assert twins.check(nodes[0]) == NO_QUOTE
    assert (twins.check(first).mid, twins.check(middle).mid) == (2 * W, 5 * W // 2)
    twins.fail(2, fault)
    assert twins.check(middle).status == Status.NO_QUORUM
    gate = twins.add(sequencer(nodes[2], twins.feeds[0], 60))
    twins.push(0, 0, 1, 1)
    assert twins.check(gate).status == 0
    twins.fail_feed(0, fault)
    assert twins.check(gate).status == Status.SEQ_DOWN


def test_what_a_failing_source_answers_does_not_count(twins: GraphTwins) -> None:
    """GRA-6: a revert whose data is a perfect price."""
    node, feed = twins.add(source(twins.source, 1, "ETH/USD")), twins.add(aggregator(twins.feeds[0], "ETH/USD"))
    twins.fail(1, REVERTS_WITH_ANSWER, encode(["uint256"] * 5, [W, W, W, twins.now, 0]))
    twins.fail_feed(0, REVERTS_WITH_ANSWER, encode(["uint256"] * 5, [1, 10**8, twins.now, twins.now, 1]))
    assert twins.check(node) == twins.check(feed) == NO_QUOTE


def test_an_address_that_is_no_source_is_unavailable(twins: GraphTwins) -> None:
    """GRA-6: nobody's, and those of precompiled contracts."""
    for address in (NOBODY, *range(1, 18), 2**160 - 1):
        assert twins.check(twins.add(source(address, 1, "ETH/USD"))) == NO_QUOTE
        assert twins.check(twins.add(aggregator(address, "ETH/USD"))) == NO_QUOTE


@pytest.mark.parametrize("decimals", [0, 17, 18, 19, 36])
def test_absurd_words_on_both(twins: GraphTwins, decimals: int) -> None:
    """QUO-1, QUO-2, GRA-6: each word of an answer at its extremes; nothing overflows and nothing is OK but a price."""
    node = twins.add(source(twins.source, 1, "ETH/USD", decimals))
    for place in range(5):
        for value in (0, 1, 2**40 - 1, 2**40, 2**96 - 1, 2**96, 2**128, 2**255, 2**256 - 1):
            answer = [200 * W, 200 * W, 200 * W, twins.now, 0]
            answer[place] = value
            if place < 3 and value > 200 * W:
                answer[place:3] = [value] * (3 - place)
            twins.answer(1, *answer)
            quote = twins.check(node)
            assert quote.bid <= quote.mid <= quote.ask < 2**96
            assert quote.bid or quote.status


def test_a_graph_is_a_source_of_a_graph(twins: GraphTwins) -> None:
    """GRA-6: under the name that sources have; its own gas check makes it fail within another's call, and not lie."""
    inner = twins.add(fixed(200 * W, "ETH/USD"))
    outer = twins.add(source(twins.address, int.from_bytes(inner, "big"), "ETH/USD"))
    assert twins.read(inner, "quote") == twins.read(outer) == Quote(200 * W, 200 * W, 200 * W, twins.now, 0)
    calling = twins.add(source(twins.source, 1, "ETH/USD"))
    twins.flat(1, 200 * W)
    nested = twins.add(source(twins.address, int.from_bytes(calling, "big"), "ETH/USD"))
    assert twins.read(nested) == NO_QUOTE


# --- gas -------------------------------------------------------------------------------------------------------------

EVALUATION_GAS = 4_000_000  # as specs/oracle/graph.md says


def test_the_largest_graph_of_the_worst_sources_is_evaluated_in_bounded_gas(twins: GraphTwins) -> None:
    """GRA-4, GRA-6: twelve sources that burn all they get, forty-eight evaluations."""
    guarded = []
    for key in range(MAX_CALLS):
        twins.fail(key, RUNS_OUT)
        node = twins.add(source(twins.source, key, "ETH/USD"))
        for limit in (10, 11) if key else (10,):
            node = twins.add(confidence(node, limit))
        guarded.append(node)
    halves = [twins.add(median(4, *guarded[:6])), twins.add(median(4, *guarded[6:]))]
    top = twins.add(combine(Kind.FIRST_OK, *halves))
    entry = twins.graph.entries[top]
    for number in range(MAX_SIZE - entry.size):
        top = twins.add(confidence(top, 100 + number))
    entry = twins.graph.entries[top]
    assert (entry.size, entry.calls) == (MAX_SIZE, MAX_CALLS)
    assert twins.check(top).status == Status.NO_QUORUM
    evm, data = twins.node._evm, call_data("process(bytes32)", top)
    answer = evm.message_call(to_hex(NOBODY), to_hex(twins.address), data, gas=EVALUATION_GAS)
    assert decode(["uint256"] * 5, answer)[4] == Status.NO_QUORUM


def test_too_little_gas_is_refused_and_says_nothing(twins: GraphTwins) -> None:
    """GRA-6: oracle/gas, also from below other nodes; with enough the price is the true one."""
    node = twins.add(combine(Kind.MIN, *(twins.add(source(twins.source, key, "ETH/USD")) for key in (1, 2))))
    twins.flat(1, 200 * W)
    twins.flat(2, 201 * W)
    data, evm = call_data("process(bytes32)", node), twins.node._evm
    with pytest.raises(RuntimeError) as failure:
        evm.message_call(to_hex(NOBODY), to_hex(twins.address), data, gas=200_000)
    assert read_reason(str(failure.value)) == TooLittleGas.code == "oracle/gas"
    assert twins.prices_by_gas(node, step=5_000) == {200 * W}
