"""The first step where two runs part: what was done, and what differs in its outcome or in the state after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import zip_longest
from typing import Any

from crossmargin.compare.record import Action, Record
from crossmargin.text import decimal, moment
from protocol import actions, events

OUTCOME, MEASURE = "outcome", "measure"
W_TYPES = {"Usd", "Price", "Ratio", "Size"}


@dataclass(frozen=True, slots=True)
class Parting:
    """A first difference: the action of either run (of one, where the other had ended), what, and both values."""

    base: Action | None
    other: Action | None
    what: str
    values: tuple[str, str]

    @property
    def time(self) -> int:
        """When: the earlier of the two."""
        return min(action.time for action in (self.base, self.other) if action)


def find_partings(base: Record, other: Record) -> dict[str, Parting]:
    """The first action with another outcome, and the first before it after which an account is measured otherwise.

    An outcome is which action comes, its code, and its events. A measure is of an account's health: where parameters
    differ, margins do so long before anything comes of it. Runs that never part have neither.
    """
    found: dict[str, Parting] = {}
    for ours, theirs in zip_longest(base.actions, other.actions):
        outcome = next(_compare_outcomes(ours, theirs, base, other), None)
        if outcome:
            found[OUTCOME] = outcome
            return found
        if MEASURE not in found and ours.health != theirs.health:
            found[MEASURE] = _compare_health(ours, theirs, base)
    return found


def describe_action(action: Action | None, record: Record) -> str:
    """An action in a few words: who does what to which account."""
    if action is None:
        return "the end of the run"
    account = str(action.arguments.get("account", ""))
    whom = f" of {record.accounts.get(account, f'account {account}')}" if account else ""
    line = f", line {action.line}" if action.line else ""
    return f"{action.name}{whom} by {action.sender}{line}"


def _compare_outcomes(ours: Action | None, theirs: Action | None, base: Record, other: Record) -> Iterator[Parting]:
    if ours is None or theirs is None or ours.planned != theirs.planned:
        yield Parting(ours, theirs, *_contrast(ours, theirs, base, other))
        return
    if ours.code != theirs.code:
        yield Parting(ours, theirs, "the code", (ours.code, theirs.code))
    for left, right in zip(ours.events, theirs.events, strict=False):
        if left[0] != right[0]:
            yield Parting(ours, theirs, "the event", (left[0], right[0]))
        elif left[1] != right[1]:
            name = next(key for key in _names(*left) if left[1][key] != right[1].get(key))
            whose = _whose(left[1], base)
            kind = getattr(events, left[0], None)
            values = (_show(kind, name, left[1][name]), _show(kind, name, right[1].get(name)))
            yield Parting(ours, theirs, f"{left[0]} {name}{whose}", values)
    if len(ours.events) != len(theirs.events):
        yield Parting(ours, theirs, "the number of events", (str(len(ours.events)), str(len(theirs.events))))


def _contrast(ours: Action | None, theirs: Action | None, base: Record, other: Record) -> tuple[str, tuple[str, str]]:
    """What two actions differ in: who does what to whom or, where that is the same, the time or the first argument."""
    told = describe_action(ours, base), describe_action(theirs, other)
    if ours is None or theirs is None or told[0] != told[1]:
        return "the action", told
    if ours.time != theirs.time:
        return "the time", (moment(ours.time), moment(theirs.time))
    for name, value in ours.arguments.items():
        if value != theirs.arguments.get(name):
            return _argument(ours.name, name, value, theirs.arguments.get(name))
    return "the action", told


def _argument(action: str, name: str, left: Any, right: Any) -> tuple[str, tuple[str, str]]:
    """The name and values of an argument that differs; of one with parts, those of its first part that does."""
    while isinstance(left, dict | list) and isinstance(right, dict | list):
        ours, theirs = (value if isinstance(value, dict) else dict(enumerate(value)) for value in (left, right))
        key = next(key for key in (*ours, *theirs) if ours.get(key) != theirs.get(key))
        name, left, right = f"{name}.{key}", ours.get(key), theirs.get(key)
    kind = getattr(actions, action, None)
    return name, (_show(kind, name, left), _show(kind, name, right))


def _compare_health(ours: Action, theirs: Action, base: Record) -> Parting:
    """The first difference between measures of the accounts that both touched alike."""
    for (account, left), (_, right) in zip(ours.health, theirs.health, strict=True):
        for name, value in left.items():
            if value != right[name]:
                texts = (value, right[name]) if name == "state" else _dollars(value, right[name])
                return Parting(ours, theirs, f"{name} of {base.accounts.get(account, account)}", texts)
    raise AssertionError("equal events touch the same accounts")


def _dollars(*values: str) -> tuple[str, str]:
    left, right = (decimal(int(value), grouped=True) for value in values)
    return left, right


def _whose(values: Mapping[str, Any], record: Record) -> str:
    account = str(values.get("account", ""))
    return f" of {record.accounts.get(account, f'account {account}')}" if account else ""


def _names(event: str, values: Mapping[str, Any]) -> list[str]:
    """The fields of an event in the order of its record, what matters most first."""
    kind = getattr(events, event, None)
    return [field.name for field in fields(kind)] if kind else list(values)


def _show(kind: Any, name: str, value: Any) -> str:
    """A field of an event or action; amounts at scale W as decimals, all else as the trace has it."""
    scaled = kind is not None and any(field.name == name and field.type in W_TYPES for field in fields(kind))
    return "nothing" if value is None else decimal(int(value), grouped=True) if scaled else str(value)
