"""What a study measures of a run: totals of its liquidations, and what became of its traders and its pool."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from crossmargin.parameters import ParameterSet
from crossmargin.replay.crowd import MemberTotals, add_up_members
from crossmargin.replay.run import Done, Replay
from crossmargin.replay.story import Story
from crossmargin.scenario_records import Scenario
from protocol.events import AccountLiquidated, PositionUpdated
from protocol.pool import compute_pool_value
from protocol.units import BPS, Usd, W, fdiv

DOLLARS, ACCOUNTS, PER_CENT = "dollars", "accounts", "per cent"
SCALES = {DOLLARS: 18, ACCOUNTS: 0, PER_CENT: 2}
# Checked after every action, invariants take two thirds of a run; money that is lost once stays lost until the end.
CHECK_INTERVAL = 100


@dataclass(slots=True)
class Outcome:
    """A run: the notional that was opened and that liquidations closed, by market, and of which accounts."""

    scenario: Scenario
    story: Story = field(default_factory=Story)
    last: Done | None = None
    opened: Counter[int] = field(default_factory=Counter)
    closed: Counter[int] = field(default_factory=Counter)
    liquidated: set[tuple[int, int]] = field(default_factory=set)  # market, account

    def take(self, done: Done) -> None:
        """Enter one action."""
        self.last = done
        self.story.take(done)
        is_liquidation = any(isinstance(event, AccountLiquidated) for event in done.events)
        for event in done.events:
            if isinstance(event, PositionUpdated):
                if is_liquidation:
                    self.liquidated.add((event.market, event.account))
                    self.closed[event.market] += abs(event.size_delta) * event.price // W
                else:
                    self.opened[event.market] += compute_growth(event)


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of a run: the integer that ``read`` gives, at the scale of its unit."""

    name: str
    title: str
    unit: str
    read: Callable[[Outcome], int]

    @property
    def scale(self) -> int:
        """Decimals of the integer."""
        return SCALES[self.unit]


def compute_growth(fill: PositionUpdated) -> Usd:
    """The notional by which a fill makes a position larger on the side it is on afterwards, rounded down."""
    before = fill.size - fill.size_delta
    kept = before if before * fill.size > 0 else 0
    return max(abs(fill.size) - abs(kept), 0) * fill.price // W


def measure_run(scenario: Scenario, measures: Sequence[Measure]) -> tuple[int, ...]:
    """Replay a scenario on the model and measure it. Raises ``InvariantBroken``."""
    outcome = Outcome(scenario)
    for done in Replay(scenario, "model", None, CHECK_INTERVAL).play():
        outcome.take(done)
    return tuple(measure.read(outcome) for measure in measures)


def _count_liquidated(outcome: Outcome) -> int:
    return sum(one.liquidated for one in _add_up(outcome))


def _sum_losses(outcome: Outcome) -> Usd:
    return sum(max(one.paid_in - one.left, 0) for one in _add_up(outcome))


def _sum_results(outcome: Outcome) -> Usd:
    return sum(one.left - one.paid_in for one in _add_up(outcome))


def _add_up(outcome: Outcome) -> list[MemberTotals]:
    assert outcome.last is not None
    scenario = outcome.scenario
    return add_up_members(scenario.members, scenario.accounts, outcome.story, outcome.last)


def _sum_reports(part: Callable[[AccountLiquidated], Usd]) -> Callable[[Outcome], Usd]:
    return lambda outcome: sum(part(found.report) for found in outcome.story.liquidations)


def _gain_of_pool(outcome: Outcome) -> Usd:
    assert outcome.last is not None
    world, story = outcome.last.world, outcome.story
    worth: Usd = compute_pool_value(world.protocol, world.env(outcome.last.time)).market
    return worth - story.pool_paid_in + story.pool_paid_out


COMMON = (
    Measure("liquidated", "traders liquidated", ACCOUNTS, _count_liquidated),
    Measure("lost", "losses of the traders who lost", DOLLARS, _sum_losses),
    Measure("result", "gain of all traders together", DOLLARS, _sum_results),
    Measure("bad_debt", "bad debt", DOLLARS, _sum_reports(lambda report: report.bad_debt)),
    Measure("paid_by_pool", "bad debt paid by the pool", DOLLARS, _sum_reports(lambda report: report.bad_debt_pool)),
    Measure("pool_gain", "gain of the pool", DOLLARS, _gain_of_pool),
)
BY_MARKET = re.compile(r"(closed|closed_share|liquidated)\.([A-Za-z0-9_-]+)")
NAMES = (*(measure.name for measure in COMMON), "closed.MARKET", "closed_share.MARKET", "liquidated.MARKET")


def find_measure(name: str, params: ParameterSet) -> Measure | None:
    """The measure of a name; nothing if there is none, or no such market."""
    parts = BY_MARKET.fullmatch(name)
    if parts is None:
        return next((measure for measure in COMMON if measure.name == name), None)
    market = next((at for at, spec in enumerate(params.markets) if spec.name == parts[2]), None)
    if market is None:
        return None
    if parts[1] == "closed":
        return Measure(
            name, f"notional closed by liquidations in {parts[2]}", DOLLARS, lambda outcome: outcome.closed[market]
        )
    if parts[1] == "liquidated":
        title = f"accounts with a position in {parts[2]} that was liquidated"
        return Measure(name, title, ACCOUNTS, lambda outcome: sum(of == market for of, _ in outcome.liquidated))
    title = f"share of the notional opened in {parts[2]} that liquidations closed"
    return Measure(name, title, PER_CENT, lambda outcome: _share(outcome.closed, outcome.opened, market))


def _share(closed: Mapping[int, Usd], opened: Mapping[int, Usd], market: int) -> int:
    return fdiv(closed.get(market, 0) * BPS, opened[market]) if opened.get(market) else 0
