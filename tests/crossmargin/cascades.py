"""Cascade generations by brute force: whole runs in which only some liquidations move prices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import count
from pathlib import Path

from contracts_py.keys import address_of
from crossmargin.library import PARAMETERS
from crossmargin.parameters import ParameterSet, load_parameters
from crossmargin.replay.cascade import Cascade, Link
from crossmargin.replay.response import Impulse, PriceResponse
from crossmargin.replay.run import Done, Replay
from crossmargin.replay.world import World
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import Scenario
from oracle.feeds import Feed
from protocol.events import PositionUpdated

Key = tuple[int, int]  # an account, and how many rounds there had been when it was liquidated


def count_rounds(world: World) -> int:
    return sum(feed.latest_round for feed in world.oracle.hub.feeds if isinstance(feed, Feed))


class Deaf(PriceResponse):
    """Prices that respond to liquidations of these keys alone."""

    def __init__(self, scenario: Scenario, heard: set[Key]) -> None:
        super().__init__(scenario.response)
        self._heard = heard

    def take_fills(
        self, now: int, world: World, fills: Sequence[PositionUpdated], generation: int
    ) -> tuple[Impulse, ...]:
        heard = [fill for fill in fills if (fill.account, count_rounds(world)) in self._heard]
        return super().take_fills(now, world, heard, generation)


def find_keys(scenario: Scenario, heard: set[Key]) -> set[Key]:
    """The liquidations of a run in which prices respond to those alone."""
    run = Replay(scenario, "model", None)
    run._response = Deaf(scenario, heard)
    run._cascade = Cascade(run._response)
    return {(link.found.report.account, count_rounds(done.before)) for done in run.play() for link in done.links}


def brute_generations(scenario: Scenario) -> dict[Key, int]:
    """1 plus the least k with which each liquidation is in the run where impulses of generations above k are ignored.

    A liquidation is an account at a round: later it would be another one.
    """
    found: dict[Key, int] = {}
    for k in count():
        keys = find_keys(scenario, {key for key, generation in found.items() if generation <= k})
        if keys <= found.keys():
            return found
        found = dict.fromkeys(keys, k + 1) | found
    raise AssertionError


def play(scenario: Scenario) -> list[Done]:
    return list(Replay(scenario, "model", None).play())


def links(done: Sequence[Done]) -> list[Link]:
    return [link for entry in done for link in entry.links]


def local_generations(scenario: Scenario) -> dict[Key, int]:
    """What the run itself says of each liquidation."""
    return {
        (link.found.report.account, count_rounds(done.before)): link.generation
        for done in play(scenario)
        for link in done.links
    }


def told(folder: Path, text: str) -> Scenario:
    """A scenario from text."""
    path = folder / "told.yaml"
    path.write_text(text, "utf-8")
    return load_scenario(path, address_of, load_reference())


@cache
def load_reference() -> ParameterSet:
    return load_parameters(PARAMETERS.find("reference"))
