"""Attacks on the price graph: with every guard they come to nothing, and with one taken out they move a price.

Each test states the error that the guard prevents. The model has all of its guards and agrees with the contract; the
contract alone plays the rest.
"""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from contracts_py.bindings import call_data
from contracts_py.compile import Artifact
from contracts_py.errors import Reverted
from contracts_py.keys import private_key
from oracle.graph import PokeNode, RegisterNode
from oracle.nodes import (
    Kind,
    Node,
    NodeId,
    bounds,
    breaker,
    combine,
    compute_node_id,
    deviation,
    fixed,
    make_symbol,
    median,
    sequencer,
    source,
    staleness,
)
from protocol.env import Quote, Status
from protocol.policy import POLICY, is_accepted
from protocol.units import W
from tests.oracle.graph_guards import GUARDS, compile_switched
from tests.oracle.graph_twins import GraphTwins, encode_action
from tests.switches import take_out

pytestmark = pytest.mark.skipif(find_spec("pyrevm") is None, reason="pyrevm is not installed")


class Stage(GraphTwins):
    """Both, and the switch of the contract."""

    def take_out(self, guard: str) -> None:
        """Switch one guard off."""
        take_out(self.node, self.address, GUARDS, guard)

    def put(self, node: Node) -> str:
        """Register on the contract alone; the refusal, or empty."""
        code = self.attempt("stranger", RegisterNode(node.kind, node.params, node.parents))
        if not code:
            self.send(RegisterNode(node.kind, node.params, node.parents))
        return code

    def send(self, action: object) -> None:
        """An action on the contract alone."""
        receipt = self.node.send(private_key("stranger"), self.address, encode_action(action), self.now)
        assert receipt.succeeded

    def symbol(self, node: NodeId) -> int:
        """What a node is the price of, or 0 when it is refused."""
        try:
            return int.from_bytes(self.node.call(self.address, call_data("check_price(bytes32)", node)), "big")
        except Reverted as reverted:
            assert reverted.reason == "oracle/not-in-dollars"
            return 0


@pytest.fixture(scope="module")
def switched() -> dict[str, Artifact]:
    """The contracts with their switches."""
    return compile_switched()


@pytest.fixture
def stage(switched: dict[str, Artifact]) -> Stage:
    """An empty graph."""
    return Stage(switched)


def is_usable(quote: Quote, action: str = "trade_increase") -> bool:
    """Whether an action would accept a price."""
    return is_accepted(POLICY[action], quote.status)


def test_a_missing_leg(stage: Stage) -> None:
    """GRA-7, GRA-3: Moonwell, 2026-02-15. A rate of 1.12 ETH stands where 2,240 dollars should: 99.95 % too low."""
    rate = stage.add(source(stage.source, 1, "cbETH/ETH"))
    ether = stage.add(source(stage.source, 2, "ETH/USD"))
    whole = stage.add(combine(Kind.MUL, rate, ether))
    stage.flat(1, W * 112 // 100)
    stage.flat(2, 2_000 * W)
    assert stage.symbol(rate) == 0
    assert stage.symbol(whole) == make_symbol("cbETH")
    stage.take_out("a price is in dollars")
    assert stage.symbol(rate) == make_symbol("cbETH")
    wrong, right = stage.read(rate).mid, stage.read(whole).mid
    assert (wrong, right) == (W * 112 // 100, 2_240 * W)
    assert wrong * 10_000 // right == 5


def test_a_leg_of_another_token(stage: Stage) -> None:
    """GRA-3: cbETH/ETH times BTC/USD. Without the check it is a price of 67,200 dollars, thirty times too high."""
    rate = stage.add(source(stage.source, 1, "cbETH/ETH"))
    bitcoin = stage.add(source(stage.source, 2, "BTC/USD"))
    stage.flat(1, W * 112 // 100)
    stage.flat(2, 60_000 * W)
    product = combine(Kind.MUL, rate, bitcoin)
    stage.refuse("oracle/units", "stranger", RegisterNode(product.kind, product.params, product.parents))
    stage.take_out("units of a product cancel")
    assert stage.put(product) == ""
    assert stage.read(compute_node_id(product)).mid == 67_200 * W


def test_a_dead_leg_is_not_compared(stage: Stage) -> None:
    """GRD-2: Flatmoney, 2023. The reference stops at 200 dollars, the price falls to 150.

    With deviation before validity the two disagree, and nobody can be liquidated until the dead source is replaced:
    the next price that can be used is whatever it is then. With it, liquidations go on at 150, and new risk waits.
    """
    price = stage.add(staleness(stage.add(source(stage.source, 1, "ETH/USD")), 60, 600))
    reference = stage.add(staleness(stage.add(source(stage.source, 2, "ETH/USD")), 60, 600))
    node = stage.add(deviation(price, reference, 500))
    stage.flat(1, 200 * W)
    stage.flat(2, 200 * W)
    assert stage.check(node).status == 0
    stage.wait(601)
    stage.flat(1, 150 * W)
    held = stage.check(node)
    assert held.status == Status.UNCERTAIN
    assert is_usable(held, "liquidate")
    assert not is_usable(held)
    stage.take_out("validity before deviation")
    assert stage.read(node).status == Status.DEVIATED
    assert not is_usable(stage.read(node), "liquidate")
    stage.fail(2)
    assert stage.read(node).status == Status.DEVIATED


def test_a_breaker_without_its_latch(stage: Stage) -> None:
    """GRD-5: a venue's price is pushed from 200 to 1,000 dollars for a minute, and poked once.

    Without the latch the poke makes 1,000 the new reference, and the next reader takes it: five times too high.
    """
    node = stage.add(breaker(stage.add(source(stage.source, 1, "ETH/USD")), 20_000, 600, 3))
    stage.flat(1, 200 * W)
    stage.poke(node)
    stage.wait(12)
    stage.flat(1, 1_000 * W)
    assert stage.check(node).status == Status.HALTED
    stage.poke(node)
    assert stage.check(node) == Quote(1_000 * W, 1_000 * W, 1_000 * W, stage.now, int(Status.HALTED))
    stage.take_out("a breaker stays tripped")
    assert is_usable(stage.read(node))
    assert stage.read(node).mid == 1_000 * W


def test_a_jump_by_an_integer_quotient(stage: Stage) -> None:
    """GRD-5: a limit of 5 lets 5.99 through when the quotient is cut first: 99 % of the price more than allowed."""
    node = stage.add(breaker(stage.add(source(stage.source, 1, "ETH/USD")), 50_000, 600, 3))
    stage.flat(1, 100 * W)
    stage.poke(node)
    stage.flat(1, 599 * W)
    assert stage.check(node).status == Status.HALTED
    stage.take_out("a jump is multiplied across")
    assert is_usable(stage.read(node))
    assert stage.read(node).mid == 599 * W


def test_a_price_that_stops_at_its_floor(stage: Stage) -> None:
    """GRD-3: LUNA, 2022-05. A feed with a floor of 0.10 dollars reports 0.10 while the market is at 0.01.

    A bound that may be touched lets it pass: ten times too high.
    """
    node = stage.add(bounds(stage.add(source(stage.source, 1, "LUNA/USD")), W // 10, 1_000 * W))
    stage.flat(1, max(W // 100, W // 10))
    assert stage.check(node).status == Status.OUT_OF_BOUNDS
    stage.take_out("touching a bound fails")
    assert is_usable(stage.read(node))
    assert stage.read(node).mid == 10 * (W // 100)


def test_a_source_starved_of_gas(stage: Stage) -> None:
    """GRA-6: a source takes 150,000 gas, its fallback is a constant of an old price, 240 dollars for 200.

    Whoever sends just too little gas makes the source fail, and is served the fallback: 20 % too high. With the
    check, every amount of gas gives the true quote or none.
    """
    live, old = stage.add(source(stage.source, 1, "ETH/USD")), stage.add(fixed(240 * W, "ETH/USD"))
    node = stage.add(combine(Kind.FIRST_OK, live, old))
    stage.flat(1, 200 * W)
    stage.toil(1)
    assert stage.check(node).mid == 200 * W
    assert stage.prices_by_gas(node) == {200 * W}
    stage.take_out("a source has its gas")
    assert stage.prices_by_gas(node) == {200 * W, 240 * W}


def test_one_source_as_a_quorum(stage: Stage) -> None:
    """GRA-2: a liar is named twice in a median of three. It is then the middle, at 900 dollars instead of 201."""
    liar, honest = stage.add(source(stage.source, 1, "ETH/USD")), stage.add(source(stage.source, 2, "ETH/USD"))
    third = stage.add(source(stage.source, 3, "ETH/USD"))
    for key, price in ((1, 900), (2, 200), (3, 201)):
        stage.flat(key, price * W)
    twice = median(2, liar, liar, honest)
    stage.refuse("oracle/node-parents", "stranger", RegisterNode(twice.kind, twice.params, twice.parents))
    assert stage.check(stage.add(median(2, liar, third, honest))).mid == 201 * W
    stage.take_out("a parent is named once")
    assert stage.put(twice) == ""
    assert stage.read(compute_node_id(twice)).mid == 900 * W


def test_a_price_from_the_future(stage: Stage) -> None:
    """GRD-1: one report stamped three days ahead outlives its hour: 72 hours later it still counts as new."""
    node = stage.add(staleness(stage.add(source(stage.source, 1, "ETH/USD")), 60, 3_600))
    stage.flat(1, 200 * W, stage.now + 259_200)
    assert stage.check(node).status == Status.FUTURE
    stage.take_out("the future is marked")
    assert is_usable(stage.read(node))
    stage.wait(259_200)
    assert is_usable(stage.read(node))


def test_an_uptime_feed_that_never_was(stage: Stage) -> None:
    """GRD-6: its startedAt of 0 reads as up for fifty years, although nothing is known of the sequencer."""
    node = stage.add(sequencer(stage.add(source(stage.source, 1, "ETH/USD")), stage.feeds[0], 3_600))
    stage.flat(1, 200 * W)
    stage.push(0, 0, 0, 0)
    assert stage.check(node).status == Status.SEQ_DOWN
    stage.take_out("an uptime feed is initialised")
    assert is_usable(stage.read(node))


def test_an_age_averaged_over_the_legs(stage: Stage) -> None:
    """QUO-3: a rate dead for two hours times a fresh price, behind an hour's limit.

    Averaged, the product looks an hour old and passes; the rate has risen from 1.00 to 1.10 since: 9 % too low.
    """
    rate, ether = stage.add(source(stage.source, 1, "wstETH/ETH")), stage.add(source(stage.source, 2, "ETH/USD"))
    node = stage.add(staleness(stage.add(combine(Kind.MUL, rate, ether)), 3_600, 3_600))
    stage.flat(1, W, stage.now - 7_200)
    stage.flat(2, 200 * W)
    assert stage.check(node).status == Status.STALE_HARD
    stage.take_out("the oldest leg is the age")
    assert is_usable(stage.read(node))
    assert stage.read(node).mid == 200 * W


def test_switches_change_nothing_by_themselves(stage: Stage) -> None:
    """The switched contract without a guard taken out agrees with the model, or the attacks would prove nothing."""
    node = stage.add(median(2, *(stage.add(source(stage.source, key, "ETH/USD")) for key in (1, 2, 3))))
    for key in (1, 2, 3):
        stage.flat(key, key * W)
    assert stage.check(node).mid == 2 * W
    stage.add(breaker(node, 20_000, 600, 1))
    stage.send(PokeNode(compute_node_id(breaker(node, 20_000, 600, 1))))
