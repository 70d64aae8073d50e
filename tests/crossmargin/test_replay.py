"""What a replay plans, and that each of its checks ends it: the chain is the model once more, with one fault."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import protocol
from contracts_py.keys import address_of
from crossmargin.replay.expectations import AS_TIMES, IN_SIZES, IN_TOKENS, IN_USD, IN_USDC, show_fact
from crossmargin.replay.keepers import find_liquidatable
from crossmargin.replay.lockstep import Divergence
from crossmargin.replay.run import Replay, plan_timeline
from crossmargin.replay.world import World
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import Scenario
from protocol.actions import Trade
from protocol.errors import InvariantBroken
from protocol.events import LedgerUpdated
from protocol.trading import NO_LIMIT
from protocol.units import W
from tests.twins import BTC, Model

DATA = Path(__file__).parent / "data"
Events = tuple[Any, ...]


class ModelAsChain:
    """What a replay needs of the contracts, from a second model."""

    seconds = 0.0

    def __init__(self, world: World) -> None:
        self.world = world

    def execute(self, time: int, sender: str, action: Any) -> tuple[Events, int]:
        self.world, events = self.world.apply(time, address_of(sender), action)
        return events, 0

    def audit(self, events: Iterable[Any]) -> None:
        """Nothing to find."""

    def read(self) -> World:
        return self.world


@pytest.fixture
def scenario() -> Scenario:
    return load_scenario(DATA / "twins.yaml", address_of)


@pytest.fixture
def chain(scenario: Scenario) -> ModelAsChain:
    return ModelAsChain(Replay(scenario, "model", None).world)


@pytest.fixture
def run(scenario: Scenario, chain: ModelAsChain) -> Replay:
    return Replay(scenario, "lockstep", chain)


# --- what ends a replay ---------------------------------------------------------------------------------------------


def test_without_a_fault_the_replay_reaches_the_last_step(run: Replay) -> None:
    *_, last = run.play()
    assert last.planned.kind == "keeper"
    assert run.totals.liquidations == 1


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(lambda events: events[:-1], "model 1, chain 0", id="one too few"),
        pytest.param(lambda events: (*events, events[-1]), "model 1, chain 2", id="one too many"),
    ],
)
def test_another_number_of_events_is_a_divergence(
    run: Replay, chain: ModelAsChain, monkeypatch: pytest.MonkeyPatch, answer: Callable[[Events], Events], told: str
) -> None:
    execute = chain.execute

    def answer_otherwise(time: int, sender: str, action: Any) -> tuple[Events, int]:
        events, gas = execute(time, sender, action)
        return answer(events), gas

    monkeypatch.setattr(chain, "execute", answer_otherwise)
    with pytest.raises(Divergence, match=f"^action 1, .*: events, field count: {told}$"):
        list(run.play())


def let_posters_differ(chain: ModelAsChain, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the complete state of the chain differ where no event shows it."""

    def read() -> World:
        oracle = chain.world.oracle
        return replace(chain.world, oracle=replace(oracle, hub=replace(oracle.hub, poster=7)))

    monkeypatch.setattr(chain, "read", read)


def test_another_state_of_the_oracle_is_a_divergence(
    run: Replay, chain: ModelAsChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_posters_differ(chain, monkeypatch)
    with pytest.raises(Divergence, match=r"state oracle hub, field poster: .* chain 7$"):
        list(run.play())


def test_complete_states_are_compared_along_the_way(
    run: Replay, chain: ModelAsChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_posters_differ(chain, monkeypatch)
    monkeypatch.setattr("crossmargin.replay.run.STATE_CHECK_INTERVAL", 4)
    with pytest.raises(Divergence, match=r"^action 4, "):
        list(run.play())


@pytest.mark.parametrize("engine", ["chain", "lockstep"])
def test_what_the_audit_of_the_chain_finds_ends_the_replay(
    scenario: Scenario, chain: ModelAsChain, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    def find(events: Iterable[Any]) -> None:
        raise InvariantBroken("C2: found")

    monkeypatch.setattr(chain, "audit", find)
    with pytest.raises(InvariantBroken, match="C2: found"):
        list(Replay(scenario, engine, chain).play())


def test_a_state_of_the_model_that_breaks_an_invariant_ends_the_replay(scenario: Scenario) -> None:
    run = Replay(scenario, "model", None)
    state = run.world.protocol
    run.world = replace(run.world, protocol=replace(state, ledger=replace(state.ledger, shares=1)))
    with pytest.raises(InvariantBroken, match=r"^P5: "):
        list(run.play())


def test_events_of_the_model_that_hide_money_end_the_replay(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = World.apply

    def apply_in_silence(world: World, now: int, sender: int, action: Any) -> tuple[World, Events]:
        after, events = apply(world, now, sender, action)
        return after, tuple(event for event in events if not isinstance(event, LedgerUpdated))

    monkeypatch.setattr(World, "apply", apply_in_silence)
    with pytest.raises(InvariantBroken, match=r"^C1: ledgers sum to 0"):
        list(Replay(scenario, "model", None).play())


# --- what it does, and when -----------------------------------------------------------------------------------------


def test_in_the_second_of_a_round_the_round_comes_before_the_steps() -> None:
    scenario = load_scenario(DATA / "every_action.yaml", address_of)
    first = [planned.kind for planned in plan_timeline(scenario) if planned.time == scenario.start]
    assert first == ["round", "user", "user"]


def test_keepers_leave_an_account_alone_whose_price_is_stale(model: Model) -> None:
    account = model.deposit("borrower", usd=450)
    model.do("borrower", Trade(account, BTC, W, NO_LIMIT))
    model.price(BTC=7_740)
    assert find_liquidatable(model.world, model.now + 7_200) == [account]
    assert find_liquidatable(model.world, model.now + 7_201) == []


def test_every_number_that_decides_a_refusal_has_its_unit() -> None:
    root = Path(protocol.__file__).parent.parent
    sources = [path.read_text("utf-8") for name in ("protocol", "oracle") for path in (root / name).glob("*.py")]
    raised = [found for text in sources for found in re.findall(r"raise (?:\w*errors\.)?[A-Z]\w+\((.*)\)", text)]
    names = {name for arguments in raised for name in re.findall(r"\b([a-z_]+)=", arguments)}
    assert {"equity_im", "claimable_at", "lot"} <= names
    plain = {"market", "token", "feed", "next_id", "most", "value", "signer", "fee"}  # ids, counts, wei, any scale
    assert names <= IN_USD | IN_SIZES | IN_TOKENS | IN_USDC | AS_TIMES | plain


def test_numbers_of_refusals_read_as_their_units(scenario: Scenario) -> None:
    step = next(step for step in scenario.steps if step.account)
    done = next(iter(Replay(scenario, "model", None).play()))
    told = {
        ("equity_im", -W // 2): "-0.50 USD",
        ("lot", W // 100): "0.01",
        ("units", 1_500_000): "1.50",
        ("cost", 2): "0.000002 USDC",
        ("until", 86_400): "1970-01-02T00:00:00Z",
        ("feed", 3): "3",
    }
    assert {fact: show_fact(done, step, *fact) for fact in told} == told
