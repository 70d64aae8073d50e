"""Replaying a scenario: one list of timed actions, applied to the twins that the engine asks for."""

from __future__ import annotations

import time as clock
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush, merge
from typing import Any, Protocol

from contracts_py.addresses import feed_addresses, source_address
from contracts_py.errors import UnknownRevert
from contracts_py.keys import address_of
from crossmargin.parameters import genesis_actions
from crossmargin.replay.books import Books
from crossmargin.replay.cascade import Cascade, Link
from crossmargin.replay.cascade_totals import CascadeTotals
from crossmargin.replay.keepers import KeeperAction, Shift, next_action, plan_shifts, take_turns
from crossmargin.replay.lockstep import Difference, Divergence, compare_results, compare_worlds
from crossmargin.replay.response import MovedAnswer, PriceResponse, apply_moved
from crossmargin.replay.world import World, new_world
from crossmargin.scenario_records import Scenario, Step
from oracle.feeds import Push, RoundPushed
from oracle.sources import AtSource
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

    @property
    def name(self) -> str:
        """The name of the action; of one of a source, without its address."""
        return type(self.action.action if isinstance(self.action, AtSource) else self.action).__name__


@dataclass(frozen=True)
class Done:
    """An action and what came of it. ``gas`` is 0 without a chain; ``code`` is ``ok`` or the refusal's.

    ``facts`` are the numbers that decided a refusal of the model; ``before`` and ``world`` are its states around it.
    ``moved`` are answers of a push that the price response moved, ``links`` the liquidations.
    """

    number: int
    planned: Planned
    time: int
    code: str
    facts: Mapping[str, int]
    events: tuple[Any, ...]
    gas: int
    before: World
    world: World
    moved: tuple[MovedAnswer, ...]
    links: tuple[Link, ...]


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
    cascade: CascadeTotals = field(default_factory=CascadeTotals)

    def take(self, done: Done) -> None:
        """Enter one action."""
        is_round = isinstance(done.planned.action, Push) and done.code == "ok"
        if done.planned.kind in {"user", "keeper"} and not is_round:
            self.actions += 1
            self.refusals += done.code != "ok"
        for event in done.events:
            if isinstance(event, RoundPushed):
                self.rounds += 1
                self.min_answer[event.feed] = min(event.answer, self.min_answer.get(event.feed, event.answer))
            elif isinstance(event, AccountLiquidated):
                self.liquidations += 1
                self.bad_debt += event.bad_debt
        self.cascade.take(done.links, done.moved if done.code == "ok" else ())


class Replay:
    """One run of a scenario. Iterate over ``play`` to drive it.

    Invariants are checked after every ``check_interval``-th action, and at the end.
    """

    def __init__(self, scenario: Scenario, engine: str, chain: Chain | None, check_interval: int = 1) -> None:
        self.scenario = scenario
        self.engine = engine
        self.chain = chain
        self.check_interval = check_interval
        self.totals = Totals()
        admin, guardian, poster = (address_of(role) for role in ("admin", "guardian", "poster"))
        params = scenario.params
        contracts = feed_addresses(len(params.feeds)) if params.has_graph else None
        sources = {source_address(name): source for name, source in params.genesis_sources().items()}
        self.world = new_world(admin, guardian, poster, len(params.tokens), contracts, sources)
        self.books = Books()
        self._response = PriceResponse(scenario.response)
        self._cascade = Cascade(self._response)
        self._clock = scenario.start - CONFIGURE_TIME
        self._number = 0

    def play(self) -> Iterator[Done]:
        """Apply the whole scenario, yielding each action done. Raises ``Divergence`` at the first difference."""
        for planned in plan_setup(self.scenario):
            yield self._apply(planned)
        shifts: list[Shift] = []
        round_number = 0
        for planned in plan_timeline(self.scenario):
            yield from self._work(shifts, planned.time - 1)
            done = self._apply(planned)
            yield done
            if isinstance(planned.action, Push | AtSource) and done.code == "ok":
                for shift in plan_shifts(self.scenario.keepers, self.world, done.time, round_number):
                    heappush(shifts, shift)
                round_number += 1
                yield from self._work(shifts, done.time)
        yield from self._work(shifts, max((shift.due for shift in shifts), default=0))
        check_all(self.world.protocol)
        self._compare_states("end of run")

    @property
    def final(self) -> World:
        """The state at the end: the contracts' own if they ran alone, else the model's."""
        return self.chain.read() if self.engine == "chain" and self.chain else self.world

    @property
    def now(self) -> int:
        """The time of the newest action."""
        return self._clock

    def _work(self, shifts: list[Shift], until: int) -> Iterator[Done]:
        """What keepers do in the shifts that are due at ``until`` or before, which are taken off the heap."""
        while shifts and shifts[0].due <= until:
            shift = heappop(shifts)
            passed_over: list[KeeperAction] = []
            for keeper in take_turns(shift):
                now = max(shift.due, self._clock) + 1
                action = next_action(self.world, now, address_of(keeper), passed_over, shift.seen)
                if action is None:
                    break
                passed_over.append(action)
                yield self._apply(Planned(now, "keeper", keeper, action))

    def _apply(self, planned: Planned) -> Done:
        """Apply one action to the model, then to the chain, and compare."""
        self._clock = max(planned.time, self._clock + 1)
        self._number += 1
        before, sender = self.world, address_of(planned.sender)
        moved = self._response.move(self._clock, planned.action)
        if moved:
            planned = replace(planned, action=apply_moved(planned.action, moved))
        started = clock.perf_counter()
        code, events, facts = "ok", (), {}
        try:
            self.world, events = self.world.apply(self._clock, sender, planned.action)
        except Refusal as refusal:
            code, facts = refusal.code, refusal.facts
        self.totals.model_seconds += clock.perf_counter() - started
        links: tuple[Link, ...] = ()
        if code == "ok":
            self._response.take(planned.action, moved)
            links = self._cascade.take(before, self.world, self._clock, sender, planned.action, events)
        self.books.take(events)
        if self._number % self.check_interval == 0:
            check_all(self.world.protocol)
        gas = 0
        if self.chain:
            chain_code, chain_events, gas = _execute(self.chain, self._clock, planned)
            if self.engine == "lockstep":
                action = planned.name
                self._report(action, compare_results(code, events, chain_code, chain_events))
                if self._number % STATE_CHECK_INTERVAL == 0:
                    self._compare_states(action)
            self.chain.audit(chain_events)
            code, events = chain_code, chain_events
        done = Done(self._number, planned, self._clock, code, facts, events, gas, before, self.world, moved, links)
        self.totals.take(done)
        return done

    def _compare_states(self, action: str) -> None:
        if self.engine == "lockstep" and self.chain:
            self._report(action, compare_worlds(self.world, self.chain.read()))

    def _report(self, action: str, difference: Difference | None) -> None:
        if difference:
            raise Divergence(self._number, self._clock, action, difference)


def plan_setup(scenario: Scenario) -> Iterator[Planned]:
    """Putting the parameter set in force and filling the insurance fund."""
    begin = scenario.start - CONFIGURE_TIME
    for role, action in genesis_actions(scenario.params):
        yield Planned(begin, "setup", role, action)
    if scenario.insurance:
        yield Planned(begin, "setup", "treasury", FundInsurance(scenario.insurance))


def plan_timeline(scenario: Scenario) -> Iterator[Planned]:
    """Rounds of the tape and steps of the scenario, by time; at the same time the round comes first."""
    pushes = scenario.tape.pushes() if scenario.tape else ()
    rounds = (
        Planned(time, "round", "poster", build_push(scenario, answers))
        for time, answers in pushes
        if time >= scenario.start and any(scenario.drives[column] for column in answers)
    )
    steps = (Planned(step.at, "user", step.sender, step.action, step) for step in scenario.steps)
    return merge(rounds, steps, key=lambda planned: planned.time)


def build_push(scenario: Scenario, answers: dict[str, int]) -> Push:
    """The push of answers by column of the tape to the feeds they drive, in the order of ids that the hub wants."""
    names = [feed.name for feed in scenario.params.feeds]
    by_id = sorted(
        (names.index(name), answer) for column, answer in answers.items() for name in scenario.drives[column]
    )
    return Push(tuple(feed for feed, _ in by_id), tuple(answer for _, answer in by_id))


def count_planned(scenario: Scenario) -> int:
    """How many actions are known before the run; those of keepers are not."""
    return sum(1 for _ in plan_setup(scenario)) + sum(1 for _ in plan_timeline(scenario))


def _execute(chain: Chain, time: int, planned: Planned) -> tuple[str, tuple[Any, ...], int]:
    try:
        events, gas = chain.execute(time, planned.sender, planned.action)
    except Refusal as refusal:
        return refusal.code, (), 0
    except UnknownRevert as revert:
        return str(revert), (), 0
    return "ok", events, gas
