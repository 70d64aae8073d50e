"""What became of a population: its accounts added up by what they held and by how they behaved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from crossmargin.isolation import PART
from crossmargin.population.file import BehavioursModel, BooksModel
from crossmargin.population.members import Member
from crossmargin.replay.fates import compute_fate
from crossmargin.replay.run import Done
from crossmargin.replay.story import Story
from crossmargin.scenario_records import AccountSpec
from crossmargin.text import dollars
from protocol.units import Usd


@dataclass(slots=True)
class MemberTotals:
    """The accounts of one member together: what it put in, and what it has at the end with what it took out.

    Dollars at scale W.
    """

    member: Member
    liquidated: bool = False
    bad_debt: Usd = 0
    paid_in: Usd = 0
    left: Usd = 0


def add_up_members(
    members: Sequence[Member], accounts: Mapping[str, AccountSpec], story: Story, last: Done
) -> list[MemberTotals]:
    """The totals of a population at the end of a run, by number; where positions are isolated, of all its parts."""
    bad_debt: Counter[int] = Counter()
    for found in story.liquidations:
        bad_debt[found.report.account] += found.report.bad_debt
    added = {member.name: MemberTotals(member) for member in members}
    for name, spec in accounts.items():
        totals, fate = added.get(name.partition(PART)[0]), compute_fate(story, last, spec.id)
        if totals is None or fate is None:
            continue
        totals.liquidated |= bool(fate.liquidated)
        totals.bad_debt += bad_debt[spec.id]
        totals.paid_in += fate.paid_in
        totals.left += fate.left + fate.taken_out
    return list(added.values())


def tell_population(members: Sequence[MemberTotals]) -> Iterator[str]:
    """The lines of a summary: one for each book, one for each behaviour, and one for all."""
    yield "Population (dollars paid in and left, collateral at the prices of the moment)"
    yield f"  {'':<20}{'accounts':>9}{'liquidated':>12}{'paid in':>18}{'left':>18}{'result':>18}{'bad debt':>14}"
    yield from _tell_groups(members, tuple(BooksModel.model_fields), lambda member: member.book)
    yield from _tell_groups(members, tuple(BehavioursModel.model_fields), lambda member: member.behaviour)
    yield _tell_group("all", members)


def _tell_groups(
    members: Sequence[MemberTotals], names: Sequence[str], name_of: Callable[[Member], str]
) -> Iterator[str]:
    for name in names:
        group = [totals for totals in members if name_of(totals.member) == name]
        if group:
            yield _tell_group(name, group)


def _tell_group(name: str, group: Sequence[MemberTotals]) -> str:
    paid_in, left = sum(one.paid_in for one in group), sum(one.left for one in group)
    return (
        f"  {name:<20}{len(group):>9}{sum(one.liquidated for one in group):>12}{dollars(paid_in):>18}"
        f"{dollars(left):>18}{dollars(left - paid_in, signed=True):>18}"
        f"{dollars(sum(one.bad_debt for one in group)):>14}"
    )
