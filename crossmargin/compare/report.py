"""What a comparison found, as values: the first run is the base, every other one is held against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossmargin.compare.cascade import describe_cascade
from crossmargin.compare.parting import MEASURE, OUTCOME, Parting, describe_action, find_partings
from crossmargin.compare.record import COUNTS, Record
from crossmargin.compare.workers import Failed
from crossmargin.quantities import write_time
from crossmargin.replay.fates import Fate
from crossmargin.text import decimal, dollars, list_faults
from protocol.units import Usd, W

CENT = W // 100


@dataclass(frozen=True, slots=True)
class Contrast:
    """An account that ended otherwise than in the base; a fate is missing where it was never opened."""

    account: str
    base: Fate | None
    other: Fate | None

    @property
    def difference(self) -> Usd:
        """What the account gained more than in the base."""
        return (self.other.change if self.other else 0) - (self.base.change if self.base else 0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One run against the base."""

    base: Record
    other: Record
    partings: Mapping[str, Parting]
    contrasts: tuple[Contrast, ...]
    accounts: int  # of both runs

    @property
    def parting(self) -> Parting | None:
        """The first action with another outcome."""
        return self.partings.get(OUTCOME)

    @property
    def measure(self) -> Parting | None:
        """The first action after which an account is measured otherwise, if that is before the outcomes part."""
        return self.partings.get(MEASURE)


def compare_records(base: Record, other: Record) -> Comparison:
    """A run against the base; accounts by what they gained or lost more, largest first."""
    names = dict.fromkeys((*base.fates, *other.fates))
    contrasts = [Contrast(name, base.fates.get(name), other.fates.get(name)) for name in names]
    found = sorted(filter(is_different, contrasts), key=lambda one: (-abs(one.difference), one.account))
    return Comparison(base, other, find_partings(base, other), tuple(found), len(names))


def is_different(contrast: Contrast) -> bool:
    """Whether an account ended otherwise: it was opened, liquidated or its state is another, or by a cent or more."""
    one, other = contrast.base, contrast.other
    if one is None or other is None:
        return one is not other
    if (one.liquidated, one.state) != (other.liquidated, other.state):
        return True
    return abs(one.left - other.left) >= CENT or abs(one.change - other.change) >= CENT


def describe_comparisons(
    base: Record | None, comparisons: Sequence[Comparison], failed: Sequence[Failed], command: str
) -> dict[str, Any]:
    """Everything as ``--json`` prints it. Money is exact decimal text; times are UTC."""
    records = (*([base] if base else []), *(one.other for one in comparisons))
    return {
        "ok": not failed,
        "command": command,
        "runs": [_describe_record(record) for record in records],
        "failed": [{"run": one.name, "error": one.facts} for one in failed],
        "comparisons": [_describe_comparison(one) for one in comparisons],
    }


def _describe_record(record: Record) -> dict[str, Any]:
    manifest = record.manifest
    return {
        "run": record.name,
        "operand": record.text,
        "scenario": manifest["scenario"],
        "engine": manifest["engine"],
        "changes": manifest["changes"],
        "state_digest": manifest["result"]["state_digest"],
        "totals": {name: show_total(name, value) for name, value in record.totals.items()},
        "cascade": describe_cascade(record.cascade),
    }


def _describe_comparison(one: Comparison) -> dict[str, Any]:
    ours, theirs = one.base.totals, one.other.totals
    return {
        "base": one.base.name,
        "run": one.other.name,
        "first_difference": _describe_parting(one.parting, one),
        "first_measure": _describe_parting(one.measure, one),
        "totals": {name: show_total(name, theirs[name] - ours[name]) for name in ours},
        "accounts": one.accounts,
        "different": [
            {
                "account": contrast.account,
                "difference": decimal(contrast.difference),
                one.base.name: _describe_fate(contrast.base),
                one.other.name: _describe_fate(contrast.other),
            }
            for contrast in one.contrasts
        ],
    }


def _describe_parting(parting: Parting | None, one: Comparison) -> dict[str, Any] | None:
    if parting is None:
        return None
    return {
        "time": write_time(parting.time),
        "action": {
            one.base.name: describe_action(parting.base, one.base),
            one.other.name: describe_action(parting.other, one.other),
        },
        "what": parting.what,
        one.base.name: parting.values[0],
        one.other.name: parting.values[1],
    }


def _describe_fate(fate: Fate | None) -> dict[str, Any] | None:
    if fate is None:
        return None
    return {
        "liquidated": [write_time(time) for time in fate.liquidated],
        "paid_in": decimal(fate.paid_in),
        "taken_out": decimal(fate.taken_out),
        "left": decimal(fate.left),
        "change": decimal(fate.change),
        "state": fate.state,
        "price_faults": list_faults(fate.price_status),
    }


def show_total(name: str, value: int) -> int | str:
    """A total as JSON: a count, or dollars."""
    return value if name in COUNTS else decimal(value)


def show_cell(name: str, value: int, *, signed: bool = False) -> str:
    """A total as a page shows it: a count, or dollars cut to the cent; ``signed`` shows a plus as well."""
    if name in COUNTS:
        return f"{value:+,}" if signed else f"{value:,}"
    return dollars(value, signed=signed)
