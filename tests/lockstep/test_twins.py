"""The twins themselves: going back, and noticing what differs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts_py.compile import Artifact
from contracts_py.keys import address_of
from protocol.actions import Liquidate, Trade
from protocol.state import account_id
from protocol.trading import NO_LIMIT
from protocol.units import W
from tests.twins import BTC, Disagreement, Twins

BORROWER = account_id(address_of("borrower"))


def tell(twins: Twins) -> None:
    """A position opened, a price fallen, a liquidation."""
    twins.deposit("borrower", usd=1_000)
    twins.do("borrower", Trade(BORROWER, BTC, W, NO_LIMIT))
    twins.price(BTC=7_100)
    twins.do("liquidator", Liquidate(BORROWER))


@pytest.mark.parametrize("backend", ["pyrevm", "eth-tester"])
def test_twins_go_back_to_a_moment_any_number_of_times(artifacts: dict[str, Artifact], backend: str) -> None:
    """S3: the same story from the same moment ends in the same state, at the same time."""
    twins = Twins(artifacts, backend, actors=("admin", "poster", "lender", "treasury", "borrower", "liquidator"))
    bare = twins.save()
    twins.configure()
    twins.fund()
    funded = twins.save()
    ends = []
    for _ in range(3):
        twins.restore(funded)
        twins.check_states()
        assert twins.chain.contracts.node.now == twins.now
        tell(twins)
        ends.append((twins.now, twins.world.protocol.ledger, twins.chain.read().protocol.ledger))
    assert ends[0] == ends[1] == ends[2]
    twins.restore(bare)
    twins.check_states()
    twins.configure()
    twins.check_states()


def test_on_pyrevm_an_earlier_moment_ends_the_later_ones(artifacts: dict[str, Artifact]) -> None:
    """A later one must not be taken for a state that is gone."""
    twins = Twins(artifacts)
    bare = twins.save()
    twins.configure()
    configured = twins.save()
    twins.restore(bare)
    with pytest.raises(AssertionError, match="ended this one"):
        twins.restore(configured)


def test_going_back_often_leaves_the_evm_its_call_depth(artifacts: dict[str, Artifact]) -> None:
    """Checkpoints count as calls, of which the EVM allows 1,024."""
    twins = Twins(artifacts)
    twins.configure()
    configured = twins.save()
    for _ in range(1_100):
        twins.restore(configured)
    twins.price(BTC=8_001)
    twins.check_states()


def test_twins_notice_another_state_and_another_view(twins: Twins) -> None:
    """S3, S5: a wei of difference in one record."""
    twins.deposit("borrower", usd=1_000)
    twins.check_states()
    twins.check_views()
    protocol = twins.world.protocol
    account = replace(protocol.accounts[BORROWER], cash=1_000 * W + 1)
    twins.world = replace(twins.world, protocol=replace(protocol, accounts=protocol.accounts.put(BORROWER, account)))
    with pytest.raises(Disagreement, match="cash"):
        twins.check_states()
    with pytest.raises(Disagreement, match="view"):
        twins.check_views()


def test_twins_notice_another_outcome(twins: Twins) -> None:
    """S3: the model refuses what the contracts do."""
    twins.deposit("borrower", usd=1_000)
    twins.world = replace(twins.world, protocol=replace(twins.world.protocol, opening_paused=True))
    with pytest.raises(Disagreement, match="opening-paused"):
        twins.do("borrower", Trade(BORROWER, BTC, W, NO_LIMIT))
