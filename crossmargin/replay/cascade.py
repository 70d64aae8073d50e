"""Cascade generations: which liquidations it takes for another one to happen, asked of the model (specs/cascade.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from crossmargin.replay.contagion import Contagion, Found, find_contagion, find_report, is_liquidatable_now
from crossmargin.replay.response import Impulse, PriceResponse, exchange_rounds
from crossmargin.replay.world import World
from protocol.actions import Liquidate, LiquidateMany
from protocol.events import LiquidationRefused, PositionUpdated
from protocol.units import Seconds, Usd


@dataclass(frozen=True, slots=True)
class Link:
    """One liquidation of a cascade. ``position`` is that of its report among the events of the action."""

    position: int
    found: Found
    generation: int
    contagion: tuple[Contagion, ...]
    impulses: tuple[Impulse, ...]


class Cascade:
    """The liquidations of a run so far, as far as later ones depend on them."""

    def __init__(self, response: PriceResponse) -> None:
        self._response = response
        self._charged: Usd = 0  # bad debt that the insurance fund has paid

    def take(
        self, before: World, after: World, now: Seconds, sender: int, action: Any, events: tuple[Any, ...]
    ) -> tuple[Link, ...]:
        """Enter an action that was accepted; its liquidations, in order."""
        if not isinstance(action, Liquidate | LiquidateMany):
            return ()
        links = []
        for position, found in split_liquidations(before, after, now, sender, action, events):
            generation = self._compute_generation(found)
            contagion = tuple(find_contagion(found, generation, self._charged))
            self._charged += found.report.bad_debt_insurance
            impulses = self._response.take_fills(now, found.world, found.fills, generation)
            links.append(Link(position, found, generation, contagion, impulses))
        return tuple(links)

    def _compute_generation(self, found: Found) -> int:
        """1 plus the least generation whose impulses, with those before it, make the account liquidatable.

        Only the newest rounds of moved feeds are exchanged; the account stands as it does, and has paid what it has.
        """
        newest = self._response.newest
        last = max((len(moved.answers) for moved in newest.values()), default=1)  # the world as it is
        for generation in range(1, last):
            world = exchange_rounds(found.world, newest, generation - 1)
            account = world.protocol.accounts[found.report.account]
            if is_liquidatable_now(world.protocol, world.env(found.time), account):
                return generation
        return last


def split_liquidations(
    before: World, after: World, now: Seconds, sender: int, action: Liquidate | LiquidateMany, events: tuple[Any, ...]
) -> Iterator[tuple[int, Found]]:
    """Each liquidation of an action, and where its report is among the events; those of a batch are applied again."""
    batch = (action.account,) if isinstance(action, Liquidate) else action.batch
    world, first = before, 0
    for account in batch:
        if isinstance(events[first], LiquidationRefused):
            first += 1
            continue
        left, own = after, events
        if isinstance(action, LiquidateMany):
            left, own = world.apply(now, sender, Liquidate(account))
        report = find_report(own)
        fills = (event for event in own if isinstance(event, PositionUpdated) and event.account == account)
        yield first + own.index(report), Found(world, left, now, report, tuple(fills))
        world, first = left, first + len(own)
