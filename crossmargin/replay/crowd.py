"""What became of a population: its accounts added up by what they held and by how they behaved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from crossmargin.isolation import PART
from crossmargin.population.file import BehavioursModel, BooksModel
from crossmargin.population.members import Member
from crossmargin.replay.run import Done
from crossmargin.replay.story import Flow, Story
from crossmargin.scenario_records import AccountSpec
from crossmargin.text import dollars
from protocol.margin import compute_health
from protocol.units import Usd


@dataclass(slots=True)
class Fate:
    """What one member put in, and what it has at the end with what it took out; dollars at scale W."""

    member: Member
    liquidated: bool = False
    bad_debt: Usd = 0
    paid_in: Usd = 0
    left: Usd = 0


def collect_fates(
    members: Sequence[Member], accounts: Mapping[str, AccountSpec], story: Story, last: Done
) -> list[Fate]:
    """The fates of a population at the end of a run, by number; where positions are isolated, of all its parts."""
    bad_debt: dict[int, Usd] = {}
    for found in story.liquidations:
        bad_debt[found.report.account] = bad_debt.get(found.report.account, 0) + found.report.bad_debt
    state, env = last.world.protocol, last.world.env(last.time)
    fates = {member.name: Fate(member) for member in members}
    for name, spec in accounts.items():
        fate, account = fates.get(name.partition(PART)[0]), spec.id
        if fate is None:
            continue
        flow = story.flows.get(account, Flow())
        held = state.accounts.get(account)
        value = compute_health(state, held, env).equity_raw if held else 0
        fate.liquidated |= account in bad_debt
        fate.bad_debt += bad_debt.get(account, 0)
        fate.paid_in += flow.paid_in
        fate.left += value + flow.taken_out
    return list(fates.values())


def tell_population(fates: Sequence[Fate]) -> Iterator[str]:
    """The lines of a summary: one for each book, one for each behaviour, and one for all."""
    yield "Population (dollars paid in and left, collateral at the prices of the moment)"
    yield f"  {'':<20}{'accounts':>9}{'liquidated':>12}{'paid in':>18}{'left':>18}{'result':>18}{'bad debt':>14}"
    yield from _tell_groups(fates, tuple(BooksModel.model_fields), lambda member: member.book)
    yield from _tell_groups(fates, tuple(BehavioursModel.model_fields), lambda member: member.behaviour)
    yield _tell_group("all", fates)


def _tell_groups(fates: Sequence[Fate], names: Sequence[str], name_of: Callable[[Member], str]) -> Iterator[str]:
    for name in names:
        group = [fate for fate in fates if name_of(fate.member) == name]
        if group:
            yield _tell_group(name, group)


def _tell_group(name: str, group: Sequence[Fate]) -> str:
    paid_in, left = sum(fate.paid_in for fate in group), sum(fate.left for fate in group)
    return (
        f"  {name:<20}{len(group):>9}{sum(fate.liquidated for fate in group):>12}{dollars(paid_in):>18}"
        f"{dollars(left):>18}{dollars(left - paid_in, signed=True):>18}"
        f"{dollars(sum(fate.bad_debt for fate in group)):>14}"
    )
