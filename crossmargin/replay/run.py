"""Replaying a scenario: one list of timed actions, applied to the twins that the engine asks for."""

from __future__ import annotations

import time as clock
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from contracts_py.errors import UnknownRevert
from contracts_py.keys import address_of
from crossmargin.parameters import ParameterSet, genesis_actions
from crossmargin.replay.books import Books
from crossmargin.replay.keepers import keeper_turn, next_liquidation
from crossmargin.replay.lockstep import Difference, Divergence, compare_results, compare_worlds
from crossmargin.replay.world import World, new_world
from crossmargin.scenario import Scenario, Step
from oracle.feeds import Push, RoundPushed
from protocol.actions import FundInsurance
from protocol.errors import Refusal
from protocol.events import AccountLiquidated
from protocol.invariants import check_all

ENGINES = ("model", "chain", "lockstep")
CONFIGURE_TIME = 3_600  # seconds before the start at which the parameter set is put in force
STATE_CHECK_INTERVAL = 100  # actions between two comparisons of the complete state


class Chain(Protocol):
    """What a replay needs of the contracts."""

    seconds: float

    def execute(self, time: int, sender: str, action: Any) -> tuple[tuple[Any, ...], int]:
        """Events and gas of an action. Raises a ``Refusal``."""

    def audit(self, events: Iterable[Any]) -> None:
        """Check the money identities after an action. Raises ``InvariantBroken``."""

    def read(self) -> World:
        """The complete state."""


@dataclass(frozen=True)
class Planned:
    """One action at its time. ``kind`` is setup, round, user or keeper; ``step`` is the scenario's own, if any."""

    time: int
    kind: str
    sender: str
    action: Any
    step: Step | None = None


@dataclass(frozen=True)
class Done:
    """An action and what came of it. ``gas`` is 0 without a chain; ``code`` is ``ok`` or the refusal's."""

    number: int
    planned: Planned
    time: int
    code: str
    events: tuple[Any, ...]
    gas: int
    world: World


@dataclass
class Totals:
    """Counts over a run, set-up apart."""

    rounds: int = 0
    actions: int = 0
    refusals: int = 0
    liquidations: int = 0
    bad_debt: int = 0
    model_seconds: float = 0.0
    min_answer: dict[int, int] = field(default_factory=dict)


class Replay:
    """One run of a scenario. Iterate over ``play`` to drive it."""

    def __init__(self, scenario: Scenario, engine: str, chain: Chain | None) -> None:
        self.scenario = scenario
        self.engine = engine
        self.chain = chain
        self.totals = Totals()
        admin, guardian, poster = (address_of(role) for role in ("admin", "guardian", "poster"))
        self.world = new_world(admin, guardian, poster, len(scenario.params.tokens))
        self.previous = self.world  # before the newest action
        self.books = Books()
        self._clock = scenario.start - CONFIGURE_TIME
        self._number = 0

    def play(self) -> Iterator[Done]:
        """Apply the whole scenario, yielding each action done. Raises ``Divergence`` at the first difference."""
        for planned in plan_setup(self.scenario):
            yield self._apply(planned)
        round_number = 0
        for planned in plan_timeline(self.scenario):
            done = self._apply(planned)
            yield done
            if isinstance(planned.action, Push) and done.code == "ok":
                yield from self._keepers(round_number)
                round_number += 1
        self._compare_states("end of run")

    @property
    def final(self) -> World:
        """The state at the end: the contracts' own if they ran alone, else the model's."""
        return self.chain.read() if self.engine == "chain" and self.chain else self.world

    @property
    def now(self) -> int:
        """The time of the newest action."""
        return self._clock

    def _keepers(self, round_number: int) -> Iterator[Done]:
        keepers = self.scenario.keepers
        passed_over: set[int] = set()
        turn = 0
        while keepers:
            keeper = keeper_turn(keepers, round_number, turn)
            action = next_liquidation(self.world, self._clock + 1, address_of(keeper), passed_over)
            if action is None:
                return
            passed_over.add(action.account)
            yield self._apply(Planned(self._clock + 1, "keeper", keeper, action))
            turn += 1

    def _apply(self, planned: Planned) -> Done:
        """Apply one action to the model, then to the chain, and compare."""
        self._clock = max(planned.time, self._clock + 1)
        self._number += 1
        self.previous = self.world
        started = clock.perf_counter()
        code, events = "ok", ()
        try:
            self.world, events = self.world.apply(self._clock, address_of(planned.sender), planned.action)
        except Refusal as refusal:
            code = refusal.code
        self.totals.model_seconds += clock.perf_counter() - started
        self.books.take(events)
        check_all(self.world.protocol)
        gas = 0
        if self.chain:
            chain_code, chain_events, gas = _execute(self.chain, self._clock, planned)
            if self.engine == "lockstep":
                self._report(planned, compare_results(code, events, chain_code, chain_events))
                if self._number % STATE_CHECK_INTERVAL == 0:
                    self._compare_states(type(planned.action).__name__)
            self.chain.audit(chain_events)
            code, events = chain_code, chain_events
        done = Done(self._number, planned, self._clock, code, events, gas, self.world)
        count(self.totals, done)
        return done

    def _compare_states(self, action: str) -> None:
        if self.engine == "lockstep" and self.chain:
            difference = compare_worlds(self.world, self.chain.read())
            if difference:
                raise Divergence(self._number, self._clock, action, difference)

    def _report(self, planned: Planned, difference: Difference | None) -> None:
        if difference:
            raise Divergence(self._number, self._clock, type(planned.action).__name__, difference)


def plan_setup(scenario: Scenario) -> Iterator[Planned]:
    """Putting the parameter set in force and filling the insurance fund."""
    begin = scenario.start - CONFIGURE_TIME
    for role, action in genesis_actions(scenario.params):
        yield Planned(begin, "setup", role, action)
    if scenario.insurance:
        yield Planned(begin, "setup", "treasury", FundInsurance(scenario.insurance))


def plan_timeline(scenario: Scenario) -> Iterator[Planned]:
    """Rounds of the tape and steps of the scenario, by time; at the same time the round comes first."""
    steps = iter(scenario.steps)
    step = next(steps, None)
    for time, answers in _pushes(scenario):
        while step is not None and step.at < time:
            yield Planned(step.at, "user", step.sender, step.action, step)
            step = next(steps, None)
        yield Planned(time, "round", "poster", _push(scenario.params, answers))
    while step is not None:
        yield Planned(step.at, "user", step.sender, step.action, step)
        step = next(steps, None)


def count_planned(scenario: Scenario) -> int:
    """How many actions are known before the run; keepers add theirs."""
    return sum(1 for _ in plan_setup(scenario)) + sum(1 for _ in plan_timeline(scenario))


def _pushes(scenario: Scenario) -> Iterator[tuple[int, dict[str, int]]]:
    if scenario.tape:
        for time, answers in scenario.tape.pushes():
            if time >= scenario.start:
                yield time, answers


def _push(params: ParameterSet, answers: dict[str, int]) -> Push:
    by_id = sorted((params.feed_id(name), answer) for name, answer in answers.items())
    return Push(tuple(feed for feed, _ in by_id), tuple(answer for _, answer in by_id))


def _execute(chain: Chain, time: int, planned: Planned) -> tuple[str, tuple[Any, ...], int]:
    try:
        events, gas = chain.execute(time, planned.sender, planned.action)
    except Refusal as refusal:
        return refusal.code, (), 0
    except UnknownRevert as revert:
        return str(revert), (), 0
    return "ok", events, gas


def count(totals: Totals, done: Done) -> None:
    """Enter one action into the totals."""
    is_round = isinstance(done.planned.action, Push) and done.code == "ok"
    if done.planned.kind in {"user", "keeper"} and not is_round:
        totals.actions += 1
        totals.refusals += done.code != "ok"
    for event in done.events:
        if isinstance(event, RoundPushed):
            totals.rounds += 1
            totals.min_answer[event.feed] = min(event.answer, totals.min_answer.get(event.feed, event.answer))
        elif isinstance(event, AccountLiquidated):
            totals.liquidations += 1
            totals.bad_debt += event.bad_debt
