"""A finished run as its folder has it: manifest, actions with events and health, and what became of accounts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossmargin.compare.cascade import read_cascade
from crossmargin.errors import InputError
from crossmargin.isolation import PART
from crossmargin.messages import clean
from crossmargin.quantities import read_decimal
from crossmargin.replay.fates import EMPTY, Fate
from crossmargin.replay.folder import LARGEST_MANIFEST, MANIFEST, check_manifest
from crossmargin.textfile import read_text
from protocol.env import Status
from protocol.units import Usd

HEALTH = ("state", "equity_raw", "equity_mm", "equity_im", "maintenance_margin", "initial_margin")
COUNTS = ("liquidations", "refusals")
MONEY = ("bad_debt", "insurance_fund", "pool_value", "fees", "deficit")


@dataclass(slots=True)
class Action:
    """An action of a run, its events as name and fields, and the health of accounts that it touched."""

    number: int
    time: int
    kind: str
    sender: str
    name: str
    arguments: Mapping[str, Any]
    code: str
    line: int | None
    events: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    health: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)  # by account id

    @property
    def planned(self) -> tuple[Any, ...]:
        """What was done, whatever came of it. The answers of a push are: earlier liquidations may have moved them."""
        arguments = {key: value for key, value in self.arguments.items() if (self.name, key) != ("Push", "answers")}
        return self.time, self.kind, self.sender, self.name, arguments


@dataclass(frozen=True, slots=True)
class Record:
    """A run: its name in the comparison, what it was made from, what happened, and how it ended.

    ``totals`` and ``cascade`` are counts, and dollars at scale W. ``fates`` are of the accounts of the scenario; of one
    whose positions were isolated, of all its parts together.
    """

    name: str
    text: str
    manifest: Mapping[str, Any]
    actions: tuple[Action, ...]
    accounts: Mapping[str, str]  # names by id
    totals: Mapping[str, int]
    cascade: Mapping[str, int]
    fates: Mapping[str, Fate]


def read_record(name: str, text: str, folder: Path) -> Record:
    """The run in a folder. Refuses one that is no run, was ended by a failure, or was made before runs kept fates."""
    check_manifest(folder)
    remedy = "replay the scenario again"
    try:
        manifest = json.loads(read_text(folder / MANIFEST, LARGEST_MANIFEST))
        if manifest["failure"]:
            raise InputError(text, f"the run was not finished: {manifest['failure']}", remedy=remedy)
        with closing(sqlite3.connect(f"file:{folder / 'trace.sqlite'}?mode=ro", uri=True)) as database:
            actions = _read_actions(database)
            accounts = dict(database.execute("SELECT account, name FROM account"))
        fates = _read_fates(manifest["accounts"])
        totals = _read_totals(manifest["result"], actions)
        cascade = read_cascade(manifest["result"])
    except (sqlite3.Error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        reason = f"it has no {problem}" if isinstance(problem, KeyError) else clean(str(problem))
        raise InputError(text, f"is not a run that this version can read: {reason}", remedy=remedy) from None
    return Record(name, text, manifest, actions, accounts, totals, cascade, fates)


def _read_actions(database: sqlite3.Connection) -> tuple[Action, ...]:
    """Every action after the set-up, whose parameters may differ by intent."""
    columns = "number, time, kind, sender, action, arguments, code, line"
    rows = database.execute(f"SELECT {columns} FROM action WHERE kind <> 'setup' ORDER BY number")
    actions = {
        number: Action(number, time, kind, sender, name, json.loads(arguments), code, line)
        for number, time, kind, sender, name, arguments, code, line in rows
    }
    for number, event, fields in database.execute("SELECT number, event, fields FROM event ORDER BY number, position"):
        if number in actions:
            actions[number].events.append((event, json.loads(fields)))
    for number, account, *values in database.execute(
        f"SELECT number, account, {', '.join(HEALTH)} FROM health ORDER BY number, account"
    ):
        if number in actions:
            actions[number].health.append((account, dict(zip(HEALTH, values, strict=True))))
    return tuple(actions.values())


def _read_totals(result: Mapping[str, Any], actions: tuple[Action, ...]) -> dict[str, int]:
    fills = (fields for action in actions for event, fields in action.events if event == "PositionUpdated")
    totals = {name: int(result[name]) for name in COUNTS}
    totals |= {name: _read_usd(result[name]) for name in MONEY if name != "fees"}
    return {**totals, "fees": sum(int(fields["fee"]) for fields in fills)}


def _read_fates(told: Mapping[str, Mapping[str, Any]]) -> dict[str, Fate]:
    fates: dict[str, Fate] = {}
    for name, facts in told.items():
        paid_in, taken_out, left = (_read_usd(facts[key]) for key in ("paid_in", "taken_out", "left"))
        status = sum(Status[fault] for fault in set(facts["price_faults"]))
        fate = Fate(tuple(facts["liquidated"]), paid_in, taken_out, left, facts["state"], status)
        whole = name.partition(PART)[0]
        fates[whole] = _add(fates[whole], fate) if whole in fates else fate
    return fates


def _add(one: Fate, other: Fate) -> Fate:
    """The fate of two parts of an account together; its state names those of both."""
    states = dict.fromkeys(state for fate in (one, other) for state in fate.state.split(" and ") if state != EMPTY)
    return Fate(
        liquidated=tuple(sorted((*one.liquidated, *other.liquidated))),
        paid_in=one.paid_in + other.paid_in,
        taken_out=one.taken_out + other.taken_out,
        left=one.left + other.left,
        state=" and ".join(states) or EMPTY,
        price_status=one.price_status | other.price_status,
    )


def _read_usd(text: str) -> Usd:
    return read_decimal(text, 18, signed=True)
