"""Sources of every kind beside the vault, on both twins (SRC-1, GRD-10)."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import pytest

from contracts_py.addresses import source_address
from contracts_py.errors import NodeUnusable
from contracts_py.keys import address_of
from crossmargin.library import SCENARIOS
from crossmargin.replay.chain import ChainEngine
from crossmargin.replay.command import open_chain
from crossmargin.replay.lockstep import compare_worlds
from crossmargin.replay.run import Replay
from crossmargin.scenario import load_scenario
from oracle.median import Median
from oracle.pull import PullFeed
from oracle.sources import Follower, Source

pytestmark = pytest.mark.skipif(find_spec("pyrevm") is None, reason="pyrevm is not installed")
NAMES = ("sources", "strict_price", "reporters_lying", "incident_growth_cap_desync", "incident_replayed_report")


@pytest.mark.parametrize("name", NAMES)
def test_every_action_of_a_source_is_the_same_on_both(name: str) -> None:
    """SRC-1, S3: outcome and events of each step, and the complete state after each, sources included."""
    scenario = load_scenario(SCENARIOS.find(name), address_of)
    with open_chain(scenario, "pyrevm") as chain:
        for done in Replay(scenario, "lockstep", chain).play():
            if done.planned.step:
                assert compare_worlds(done.world, chain.read()) is None, done.planned.step.line


def test_a_difference_in_a_source_would_be_seen() -> None:
    """S3: in one slot, one band, one coin and one snapshot."""
    scenario = load_scenario(SCENARIOS.find("sources"), address_of)
    with open_chain(scenario, "pyrevm") as chain:
        for _ in Replay(scenario, "lockstep", chain).play():
            pass
        world = chain.read()
    sources = world.oracle.sources
    median, pull = sources[source_address("btc_reporters")], sources[source_address("eth_reports")]
    cap = sources[source_address("rate_cap")]
    assert isinstance(median, Median)
    assert isinstance(pull, PullFeed)
    assert isinstance(cap, Follower)
    changes: dict[str, Source] = {
        "btc_reporters": replace(median, slots=(replace(median.slots[0], number=9), *median.slots[1:])),
        "eth_reports": replace(pull, balance=pull.balance + 1),
        "rate_cap": replace(cap, key=1),
    }
    for name, changed in changes.items():
        other = replace(world.oracle, sources=sources.put(source_address(name), changed))
        found = compare_worlds(replace(world, oracle=other), world)
        assert found is not None
        assert "sources" in found.record


def test_a_chain_with_another_id_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """PUL-1: reports of a scenario are signed for one chain."""
    monkeypatch.setattr("contracts_py.revm.CHAIN_ID", 1)
    scenario = load_scenario(SCENARIOS.find("strict_price"), address_of)
    with pytest.raises(NodeUnusable, match="has the id 1"), open_chain(scenario, "pyrevm") as chain:
        assert isinstance(chain, ChainEngine)
