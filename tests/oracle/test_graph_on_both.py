"""The price graph as model and as contract: random graphs and answers, each refusal, each limit."""

from __future__ import annotations

from collections import Counter
from importlib.util import find_spec

import pytest

from contracts_py.bindings import call_data
from contracts_py.errors import Reverted
from contracts_py.keys import to_hex
from oracle.breaker import UNTOUCHED, BreakerState
from oracle.graph import (
    MAX_CALLS,
    MAX_NODES,
    MAX_SIZE,
    SOURCE_GAS,
    HaltNode,
    PokeNode,
    RegisterNode,
    ResetNode,
    check_price,
)
from oracle.nodes import (
    Kind,
    NodeId,
    aggregator,
    bounds,
    breaker,
    combine,
    confidence,
    deviation,
    fixed,
    hours,
    make_symbol,
    median,
    pack_unit,
    sequencer,
    source,
    staleness,
)
from protocol.env import Quote, Status
from protocol.errors import Refusal
from protocol.units import W
from tests.oracle.drawing import Draw
from tests.oracle.graph_twins import NOBODY, RUNS_OUT, GraphTwins
from tests.oracle.random_graphs import RandomGraph
from tests.oracle.test_nodes import ALLOWED, BAD, GOOD, parents_for

pytestmark = pytest.mark.skipif(find_spec("pyrevm") is None, reason="pyrevm is not installed")


def tell(twins: GraphTwins, first: int, graphs: int, rounds: int) -> Counter[str]:
    """Random graphs under random answers; every node is compared after every round. Kinds, statuses, evaluations."""
    seen: Counter[str] = Counter()
    for number in range(first, first + graphs):
        graph = RandomGraph(twins, Draw(f"graph {number}"), number * 100)
        graph.grow(22)
        for _ in range(rounds):
            graph.observe()
            for node in graph.nodes:
                quote = twins.check(node)
                assert quote.bid <= quote.mid <= quote.ask
                kind = Kind(twins.graph.entries[node].node.kind)
                seen[kind.name] += 1
                seen["OK" if quote.status == 0 else "not OK"] += 1
                seen["evaluations"] += 1
    return seen


def test_random_graphs_on_both(twins: GraphTwins) -> None:
    """QUO-1 to QUO-7, GRD-1 to GRD-10, GRA-1 to GRA-6: to the wei and to the bit."""
    seen = tell(twins, 0, graphs=4, rounds=6)
    assert seen["evaluations"] > 300
    assert {kind.name for kind in Kind} <= seen.keys()
    assert min(seen["OK"], seen["not OK"]) > seen["evaluations"] // 8


@pytest.mark.deep
@pytest.mark.parametrize("first", [1_000, 2_000])
def test_many_random_graphs_on_both(twins: GraphTwins, first: int) -> None:
    """QUO-1 to QUO-7, GRD-1 to GRD-10, GRA-1 to GRA-6: more than 10,000 evaluations."""
    seen = tell(twins, first, graphs=40, rounds=12)
    assert seen["evaluations"] > 10_000


# --- refusals --------------------------------------------------------------------------------------------------------


def test_every_refusal_on_both(twins: GraphTwins) -> None:
    """GRA-1 to GRA-4, GRA-7, GRD-8, GRD-9: with the same code, in the same order of checks."""
    ether = twins.add(source(twins.source, 1, "ETH/USD"))
    rate = twins.add(source(twins.source, 2, "cbETH/ETH"))
    halt = twins.add(combine(Kind.HALT, ether))
    unknown = b"\x99" * 32

    def refuse(code: str, kind: int, params: tuple[int, int, int, int], *parents: bytes) -> None:
        twins.refuse(code, "stranger", RegisterNode(kind, params, parents))

    nothing = (0, 0, 0, 0)
    # Each breaks the rule named and the ones after it.
    refuse("oracle/node-kind", 0, (1, 1, 1, 1), unknown, unknown)
    refuse("oracle/node-kind", 2**256 - 1, nothing)
    refuse("oracle/node-parents", Kind.MEDIAN, nothing, unknown, unknown)
    refuse("oracle/node-parents", Kind.MIN, nothing, *(bytes([n]) * 32 for n in range(9)))
    refuse("oracle/unknown-node", Kind.MUL, (1, 0, 0, 0), ether, unknown)
    refuse("oracle/node-params", Kind.MUL, (1, 0, 0, 0), ether, rate)
    refuse("oracle/units", Kind.DEVIATION, (1, 0, 0, 0), ether, rate)
    refuse("oracle/units", Kind.DIV, nothing, rate, ether)
    twins.add(combine(Kind.MUL, rate, ether))
    for sender in ("stranger", "guardian"):
        twins.refuse("role/not-admin", sender, ResetNode(unknown))
    twins.refuse("role/not-guardian", "stranger", HaltNode(unknown))
    for action in (PokeNode, HaltNode, ResetNode):
        twins.refuse("oracle/unknown-node", "admin", action(unknown))
        twins.refuse("oracle/node-state", "admin", action(ether))
    twins.refuse("oracle/node-state", "admin", PokeNode(halt))


@pytest.mark.parametrize("kind", list(GOOD))
def test_bounds_of_parameters_on_both(twins: GraphTwins, kind: Kind) -> None:
    """GRD-9: each bound itself is accepted and one beyond is refused, by both."""
    parents = tuple(twins.add(fixed(price, "ETH/USD")) for price in range(1, len(parents_for(kind)) + 1))
    for params in BAD[kind]:
        twins.refuse("oracle/node-params", "stranger", RegisterNode(kind, params, parents))
    for params in GOOD[kind]:
        odd = (*params[:3], params[3] + 37)
        twins.refuse("oracle/node-params", "stranger", RegisterNode(kind, odd, parents))
        (event,) = twins.do("stranger", RegisterNode(kind, params, parents))
        assert twins.do("stranger", RegisterNode(kind, params, parents)) == ()
        assert twins.info(event.node)[0] == kind


@pytest.mark.parametrize("kind", list(Kind))
def test_numbers_of_parents_on_both(twins: GraphTwins, kind: Kind) -> None:
    """GRA-2."""
    nodes = [twins.add(fixed(price, "USD/USD")) for price in range(1, 10)]
    params = GOOD.get(kind, [(0, 0, 0, 0)])[0]
    for count in range(10):
        # A quorum of all.
        action = RegisterNode(kind, (count, 0, 0, 0) if kind == Kind.MEDIAN else params, tuple(nodes[:count]))
        if count in ALLOWED[kind]:
            twins.do("stranger", action)
        else:
            twins.refuse("oracle/node-parents", "stranger", action)


def test_sizes_and_units_on_both(twins: GraphTwins) -> None:
    """GRA-3, GRA-4: what the contract keeps of a node is what the model keeps; both stop at the same size."""
    node = twins.add(fixed(W, "ETH/USD"))
    for number in range(MAX_SIZE - 1):
        node = twins.add(confidence(node, 10 + number))
        assert twins.check(node) == Quote(W, W, W, twins.now, 0)
    too_large = confidence(node, 10)
    action = RegisterNode(too_large.kind, too_large.params, too_large.parents)
    twins.refuse("oracle/graph-size", "stranger", action)
    leaves = [twins.add(source(twins.source, key, "cbETH/ETH")) for key in range(MAX_CALLS // 2)]
    half, other = twins.add(combine(Kind.MIN, *leaves)), twins.add(combine(Kind.MAX, *leaves))
    full = twins.add(combine(Kind.FIRST_OK, half, other))
    twins.refuse("oracle/graph-size", "stranger", RegisterNode(Kind.SEQUENCER, (1, 60, 0, 0), (full,)))
    for node_id, entry in twins.graph.entries.items():
        expected = (entry.node.kind, entry.size, entry.calls, pack_unit(entry.unit))
        assert twins.info(node_id)[:4] == expected
    # The number of nodes is bounded by the width of an index.
    twins.node._evm.insert_account_storage(to_hex(twins.address), 2, MAX_NODES)
    assert twins.attempt("stranger", RegisterNode(Kind.HALT, (0, 0, 0, 0), (half,))) == "oracle/graph-size"
    twins.node._evm.insert_account_storage(to_hex(twins.address), 2, MAX_NODES - 1)
    assert twins.attempt("stranger", RegisterNode(Kind.HALT, (0, 0, 0, 0), (half,))) == ""


def test_a_price_in_dollars_on_both(twins: GraphTwins) -> None:
    """GRA-7: the symbol, or the refusal."""
    rate = twins.add(source(twins.source, 1, "cbETH/ETH"))
    ether = twins.add(source(twins.source, 2, "ETH/USD"))
    whole = twins.add(combine(Kind.MUL, rate, ether))
    for node, symbol in ((ether, "ETH"), (whole, "cbETH")):
        data = twins.node.call(twins.address, call_data("check_price(bytes32)", node))
        assert int.from_bytes(data, "big") == make_symbol(symbol) == check_price(twins.graph, node)
    for node, code in ((rate, "oracle/not-in-dollars"), (b"\x99" * 32, "oracle/unknown-node")):
        with pytest.raises(Refusal, match=code):
            check_price(twins.graph, node)
        with pytest.raises(Reverted, match=code):
            twins.node.call(twins.address, call_data("check_price(bytes32)", node))


def check_breaker(twins: GraphTwins, node: NodeId) -> BreakerState:
    """The contract's word of a breaker holds the model's fields."""
    state = twins.graph.breakers[node]
    word = state.good << 176 | state.tripped_at << 136 | state.publish_time << 96 | state.reference
    assert twins.info(node)[4] == word
    return state


def test_a_breaker_on_both(twins: GraphTwins) -> None:
    """GRD-5: through a trip and its end, with a fault, a jump and an old price between, to the exact second."""
    node = twins.add(breaker(twins.add(source(twins.source, 1, "ETH/USD")), 20_000, 600, 2))
    # Price, its age, its status, seconds before it; then whether tripped, and good observations.
    steps = [
        *((200, 0, 0, 1, False, 0), (400, 0, 0, 1, False, 0), (801, 0, 4, 1, False, 0), (801, 0, 0, 1, True, 0)),
        *((801, 0, 0, 1, True, 1), (801, 1, 0, 1, True, 1), (801, 0, 2, 1, True, 0), (801, 0, 0, 1, True, 1)),
        *((100, 0, 0, 1, True, 0), (101, 0, 0, 1, True, 1), (101, 0, 0, 1, True, 2), (101, 0, 0, 1, True, 2)),
        *((101, 0, 0, 591, True, 2), (102, 0, 0, 1, False, 0), (204, 9, 0, 1, False, 0), (409, 0, 0, 1, True, 0)),
    ]
    for price, age, status, wait, tripped, good in steps:
        twins.wait(wait)
        twins.flat(1, price * W, twins.now - age, status)
        twins.check(node)
        twins.poke(node)
        twins.check(node)
        state = check_breaker(twins, node)
        assert (bool(state.tripped_at), state.good) == (tripped, good), (price, age, status)
    twins.do("admin", ResetNode(node))
    assert check_breaker(twins, node) == UNTOUCHED


def test_a_halt_on_both(twins: GraphTwins) -> None:
    """GRD-8: by either of two, lifted by one."""
    halt = twins.add(combine(Kind.HALT, twins.add(fixed(W, "ETH/USD"))))
    for sender in ("guardian", "admin", "admin"):
        twins.do(sender, HaltNode(halt))
        assert twins.info(halt)[4] == 1
        assert twins.check(halt).status == Status.HALTED
    twins.do("admin", ResetNode(halt))
    assert twins.info(halt)[4] == 0
    assert twins.check(halt).status == 0


# --- limits at -1, 0 and +1 ------------------------------------------------------------------------------------------


def test_limits_of_age_on_both(twins: GraphTwins) -> None:
    """GRD-1."""
    node = twins.add(staleness(twins.add(source(twins.source, 1, "ETH/USD")), 60, 600, 5))
    expected = {0: 0, 60: 0, 61: 2, 600: 2, 601: 4, -1: 0, -5: 0, -6: 8}
    for age, status in expected.items():
        twins.flat(1, W, twins.now - age)
        assert twins.check(node).status == status, age


def test_limits_of_deviation_on_both(twins: GraphTwins) -> None:
    """GRD-2: on both sides of the reference; with either of the two faulty."""
    price, reference = twins.add(source(twins.source, 1, "ETH/USD")), twins.add(source(twins.source, 2, "ETH/USD"))
    node = twins.add(deviation(price, reference, 200))
    twins.flat(2, 10_000)
    for mid, status in {9_799: 32, 9_800: 0, 10_200: 0, 10_201: 32, 1: 32, 2**96 - 1: 32}.items():
        twins.flat(1, mid)
        assert twins.check(node).status == status, mid
    for own, other in ((0, 1), (2, 0), (4, 0), (0, 2), (8192, 0), (0, 8192), (8192, 8192), (32, 0)):
        twins.flat(1, 10_000, status=own)
        twins.flat(2, 10_000, status=other)
        assert twins.check(node).status == own | (0 if own & 8192 else 16)


def test_limits_of_bounds_and_spread_on_both(twins: GraphTwins) -> None:
    """GRD-3, GRD-4: bid and ask each at the limit, near it, and beyond."""
    below = twins.add(source(twins.source, 1, "ETH/USD"))
    strict, near = twins.add(bounds(below, 1_000, 9_000)), twins.add(bounds(below, 1_000, 9_000, 1_000))
    narrow = twins.add(confidence(below, 100))
    cases = {
        (1_000, 5_000): (64, 64),
        (1_001, 5_000): (0, 16),
        (1_100, 5_000): (0, 16),
        (1_101, 5_000): (0, 0),
        (5_000, 9_000): (64, 64),
        (5_000, 8_999): (0, 16),
        (5_000, 8_100): (0, 16),
        (5_000, 8_099): (0, 0),
    }
    for (bid, ask), statuses in cases.items():
        twins.answer(1, bid, 5_000, ask, twins.now)
        assert (twins.check(strict).status, twins.check(near).status) == statuses, (bid, ask)
    for spread, status in {0: 0, 100: 0, 101: 16}.items():
        twins.answer(1, 10_000, 10_000, 10_000 + spread, twins.now)
        assert twins.check(narrow).status == status


def test_limits_of_the_sequencer_gate_on_both(twins: GraphTwins) -> None:
    """GRD-6: to the second of the grace period, from the future, and never initialised."""
    node = twins.add(sequencer(twins.add(fixed(W, "ETH/USD")), twins.feeds[0], 600))
    now = twins.now
    cases = [(0, now - 601, 0), (0, now - 600, 1024), (0, now, 1024), (0, now + 1, 1024), (0, 2**256 - 1, 1024)]
    cases += [(0, 0, 512), (0, 1, 0), (1, 1, 512), (-1, 1, 512), (2**255 - 1, 1, 512)]
    for answer, started_at, status in cases:
        twins.push(0, answer, started_at, now)
        assert twins.check(node).status == status, (answer, started_at)


def test_limits_of_hours_on_both(twins: GraphTwins) -> None:
    """GRD-7: every border of five short sessions and of one long one, around two weeks."""
    below = twins.add(fixed(W, "ETH/USD"))
    stocks, currencies = twins.add(hours(below, 31, 48_600, 23_400)), twins.add(hours(below, 64, 79_200, 5 * 86_400))
    borders = [day * 86_400 + second for day in range(8) for second in (0, 48_600, 72_000, 79_200)]
    twins.wait(1_600_041_600 - twins.now - 1)
    moments = sorted({1_600_041_600 + border + off for border in borders for off in (-1, 0, 1)})
    changes = 0
    for moment in moments:
        before = twins.check(stocks).status, twins.check(currencies).status
        twins.wait(moment - twins.now)
        changes += (twins.check(stocks).status, twins.check(currencies).status) != before
    assert changes == 14  # six sessions of stocks begin and end, and one of currencies ends and the next begins


def test_a_round_that_never_was_on_both(twins: GraphTwins) -> None:
    """QUO-2: with an answer, and without."""
    node = twins.add(aggregator(twins.feeds[0], "ETH/USD"))
    for updated_at, status in {0: 8192, 1: 0, 2**40 - 1: 0, 2**40: 8192}.items():
        twins.push(0, 10**8, twins.now, updated_at)
        assert twins.check(node).status == status


def test_a_soft_leg_has_no_say_on_both(twins: GraphTwins) -> None:
    """QUO-7: while enough legs are OK; it is counted when they are not."""
    legs = [twins.add(source(twins.source, key, "ETH/USD")) for key in (1, 2, 3)]
    node = twins.add(median(2, *legs))
    for key, status in ((1, 0), (2, 0), (3, Status.STALE_SOFT)):
        twins.flat(key, key * W, twins.now - key, status)
    assert twins.check(node) == Quote(W, 3 * W // 2, 2 * W, twins.now - 2, 0)
    twins.fail(1)
    assert twins.check(node) == Quote(2 * W, 5 * W // 2, 3 * W, twins.now - 3, int(Status.STALE_SOFT))


def test_a_fallback_that_is_not_reached_costs_nothing(twins: GraphTwins) -> None:
    """QUO-6, GRA-6: the contract asks as far as needed, and no further."""
    legs = [twins.add(source(twins.source, key, "ETH/USD")) for key in (1, 2)]
    node = twins.add(combine(Kind.FIRST_OK, *legs))
    twins.fail(2, RUNS_OUT)
    used = []
    for status in (0, Status.STALE_SOFT):
        twins.flat(1, W, status=status)
        assert twins.check(node).status == status
        twins.node._evm.message_call(to_hex(NOBODY), to_hex(twins.address), call_data("process(bytes32)", node))
        used.append(twins.node._evm.result.gas_used)
    assert used[0] < 100_000 < SOURCE_GAS < used[1]
