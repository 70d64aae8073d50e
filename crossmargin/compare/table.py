"""A comparison as a page for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from crossmargin.compare.cascade import tell_cascades
from crossmargin.compare.parting import Parting, describe_action
from crossmargin.compare.record import Record
from crossmargin.compare.report import Comparison, Contrast, show_cell
from crossmargin.messages import clean
from crossmargin.replay.fates import Fate, tell_faults
from crossmargin.text import dollars, moment

WIDTH = 118
MOST_SHOWN = 20  # accounts of one comparison; the page in HTML and --json have all
COLUMNS = {  # totals and their widths
    "liquidations": 13,
    "refusals": 10,
    "bad_debt": 14,
    "insurance_fund": 16,
    "pool_value": 19,
    "fees": 14,
    "deficit": 14,
}


def render_table(base: Record, comparisons: Sequence[Comparison], command: str) -> str:
    """The page: what was run, totals, and for each other run where it parts from the base and who ends otherwise."""
    records = (base, *(one.other for one in comparisons))
    lines = [
        clean(command),
        "dollars are cut to the cent; times are UTC",
        "",
        *(line for record in records for line in tell_record(record)),
        "",
        *tell_totals(base, comparisons),
        *tell_cascades([(record.name, record.cascade) for record in records]),
        *(line for one in comparisons for line in tell_comparison(one)),
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def tell_record(record: Record) -> Iterator[str]:
    """Which run a letter stands for."""
    changes = ", ".join(record.manifest["changes"]) or "unchanged"
    text = f"{record.manifest['scenario']}, {changes}, engine {record.manifest['engine']}"
    yield from wrap(clean(text), WIDTH, initial_indent=f"  {record.name}  ", subsequent_indent="     ")


def tell_totals(base: Record, comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Totals of every run, and of all but the base what they differ by."""
    yield f"{'Totals':<10}" + "".join(f"{name.replace('_', ' '):>{width}}" for name, width in COLUMNS.items())
    yield f"  {base.name:<8}" + _row(base.totals)
    for one in comparisons:
        totals = one.other.totals
        yield f"  {one.other.name:<8}" + _row(totals)
        difference = {name: totals[name] - base.totals[name] for name in totals}
        yield f"  {f'{one.other.name} - {base.name}':<8}" + _row(difference, signed=True)


def tell_comparison(one: Comparison) -> Iterator[str]:
    """Where a run parts from the base, and the accounts that end otherwise."""
    yield ""
    yield f"{one.other.name} against {one.base.name}"
    if one.measure:
        yield from tell_parting("first measured otherwise", one.measure, one)
    if one.parting:
        yield from tell_parting("first outcome that differs", one.parting, one)
    else:
        yield "  every action has the same outcome"
    yield f"  {len(one.contrasts)} of {one.accounts} accounts end otherwise" + (":" if one.contrasts else "")
    width = max((len(contrast.account) for contrast in one.contrasts[:MOST_SHOWN]), default=0)
    for contrast in one.contrasts[:MOST_SHOWN]:
        yield from tell_contrast(contrast, one, width)
    if len(one.contrasts) > MOST_SHOWN:
        yield f"    and {len(one.contrasts) - MOST_SHOWN} more, each by less: --json and --html have them"


def tell_parting(title: str, parting: Parting, one: Comparison) -> Iterator[str]:
    """A first difference: when, what was done, what differs, and both values."""
    ours, theirs = describe_action(parting.base, one.base), describe_action(parting.other, one.other)
    done = "" if ours != theirs else f", {ours}"
    yield f"  {title}: {moment(parting.time)}{clean(done)}: {clean(parting.what)}"
    for record, value in zip((one.base, one.other), parting.values, strict=True):
        yield f"    {record.name}  {clean(value)}"


def tell_contrast(contrast: Contrast, one: Comparison, width: int) -> Iterator[str]:
    """One account in both runs, and by how much they differ."""
    difference = dollars(contrast.difference, signed=True)
    for told in (
        f"{contrast.account:<{width}}  {one.base.name}  {tell_fate(contrast.base)}",
        f"{'':<{width + 5}}{tell_measure(contrast.base)}",
        f"{'':<{width}}  {one.other.name}  {tell_fate(contrast.other)}{difference:>16}",
        f"{'':<{width + 5}}{tell_measure(contrast.other)}",
    ):
        if told.strip():
            yield f"    {told}"


def tell_fate(fate: Fate | None) -> str:
    """When an account was liquidated, what is left of it and what it gained or lost."""
    if fate is None:
        return f"{'never opened':<84}"
    times = tell_times(fate)
    return f"{times:<47} left {dollars(fate.left):>14}{dollars(fate.change, signed=True):>18}"


def tell_times(fate: Fate) -> str:
    """When an account was liquidated."""
    if not fate.liquidated:
        return "never liquidated"
    first, *later = fate.liquidated
    more = f" and {len(later)} times more" if len(later) > 1 else " and once more" if later else ""
    return f"liquidated {moment(first)}{more}"


def tell_measure(fate: Fate | None) -> str:
    """By which prices what is left is counted, if any of them has a fault; nothing otherwise."""
    faults = tell_faults(fate.price_status) if fate else ""
    return f"left counted {faults}" if faults else ""


def _row(totals: Mapping[str, int], *, signed: bool = False) -> str:
    return "".join(f"{show_cell(name, totals[name], signed=signed):>{width}}" for name, width in COLUMNS.items())
