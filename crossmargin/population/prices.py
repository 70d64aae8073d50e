"""The prices that a population sees: those of the tape and of the scenario's own steps, with nobody in the market."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain

from contracts_py.keys import address_of
from crossmargin.replay.run import Replay, plan_setup, plan_timeline
from crossmargin.scenario_records import Scenario
from oracle.feeds import Push
from oracle.sources import AtSource
from protocol.env import Env
from protocol.errors import Refusal
from protocol.state import State
from protocol.units import Seconds


@dataclass(frozen=True, slots=True)
class Prices:
    """The parameter set in force in a state without accounts, and the surroundings just after each push, by time."""

    state: State
    moments: tuple[Env, ...]

    def at(self, now: Seconds, feeds: Collection[int]) -> Env | None:
        """The newest moment that is not after a time and has prices of the feeds, if there is one."""
        found = bisect_right(self.moments, now, key=lambda env: env.now)
        older = (self.moments[index] for index in range(found - 1, -1, -1))
        return next((env for env in older if _has_prices(env, feeds)), None)

    def after(self, now: Seconds, feeds: Collection[int]) -> Iterator[Env]:
        """Moments after a time that have prices of the feeds, in order: nobody acts on a price that is missing."""
        later = self.moments[bisect_right(self.moments, now, key=lambda env: env.now) :]
        return (env for env in later if _has_prices(env, feeds))


def play_prices(scenario: Scenario) -> Prices:
    """What the feeds say after each round of the tape and each push or report of the scenario's steps, by time.

    Other steps change nothing here: a population knows the parameter set it began with.
    """
    world = Replay(scenario, "model", None).world
    moments: list[Env] = []
    now = 0
    for planned in chain(plan_setup(scenario), plan_timeline(scenario)):
        is_price = isinstance(planned.action, Push | AtSource)
        if planned.kind != "setup" and not is_price:
            continue
        now = max(planned.time, now + 1)
        try:
            world, _ = world.apply(now, address_of(planned.sender), planned.action)
        except Refusal:
            continue  # a step may be about a push that the hub refuses
        if is_price:
            moments.append(world.env(now))
    return Prices(world.protocol, tuple(moments))


def _has_prices(env: Env, feeds: Collection[int]) -> bool:
    return all(env.quote(feed).mid for feed in feeds)
