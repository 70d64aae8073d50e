"""The record of a run: an SQLite file, described in specs/trace.md.

The same run gives the same bytes on every machine: one transaction, fixed page size, no times of ours.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from crossmargin.replay.run import Done
from crossmargin.scenario_records import AccountSpec
from oracle.sources import OfSource
from protocol.account_state import compute_account_state
from protocol.codec import canonical
from protocol.events import LiquidationRefused
from protocol.margin import compute_health

SCHEMA = """
CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE account (account TEXT PRIMARY KEY, name TEXT NOT NULL, owner TEXT NOT NULL, sub TEXT NOT NULL,
  story TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE action (number INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, sender TEXT NOT NULL,
  action TEXT NOT NULL, arguments TEXT NOT NULL, code TEXT NOT NULL, gas INTEGER, line INTEGER);
CREATE TABLE event (number INTEGER NOT NULL, position INTEGER NOT NULL, event TEXT NOT NULL, account TEXT,
  market TEXT, fields TEXT NOT NULL, PRIMARY KEY (number, position)) WITHOUT ROWID;
CREATE TABLE health (number INTEGER NOT NULL, account TEXT NOT NULL, state TEXT NOT NULL, equity_raw TEXT NOT NULL,
  equity_mm TEXT NOT NULL, equity_im TEXT NOT NULL, maintenance_margin TEXT NOT NULL, initial_margin TEXT NOT NULL,
  price_status INTEGER NOT NULL, PRIMARY KEY (number, account)) WITHOUT ROWID;
CREATE TABLE response (number INTEGER NOT NULL, feed TEXT NOT NULL, told TEXT NOT NULL, pushed TEXT NOT NULL,
  impulses TEXT NOT NULL, response TEXT NOT NULL, PRIMARY KEY (number, feed)) WITHOUT ROWID;
CREATE TABLE cascade (number INTEGER NOT NULL, position INTEGER NOT NULL, account TEXT NOT NULL,
  generation INTEGER NOT NULL, PRIMARY KEY (number, position)) WITHOUT ROWID;
CREATE TABLE contagion (number INTEGER NOT NULL, position INTEGER NOT NULL, account TEXT NOT NULL,
  generation INTEGER NOT NULL, channel TEXT NOT NULL, market TEXT, amount TEXT NOT NULL);
CREATE INDEX event_account ON event (account, number);
CREATE INDEX health_account ON health (account, number);
"""
VERSION_OFFSET = 96  # where SQLite's header names the library that wrote the file
VERSION = (3_037_000).to_bytes(4, "big")


class Trace:
    """Writes one run into a new file."""

    def __init__(self, path: Path, feeds: Sequence[str]) -> None:
        self._path = path
        self._feeds = feeds  # names by id; a step may create more
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.executescript("PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        self._database.execute("BEGIN")
        for statement in SCHEMA.strip().split(";\n"):
            self._database.execute(statement)

    def put_run(self, facts: Iterable[tuple[str, str]]) -> None:
        """What was run: the manifest's facts."""
        self._database.executemany("INSERT INTO run VALUES (?, ?)", sorted(facts))

    def put_account(self, spec: AccountSpec) -> None:
        """A named account of the scenario."""
        self._database.execute(
            "INSERT INTO account VALUES (?, ?, ?, ?, ?)",
            (str(spec.id), spec.name, spec.owner, str(spec.sub), spec.story),
        )

    def put_action(self, done: Done) -> None:
        """An action, its events, and the health of each account it touched."""
        planned = done.planned
        self._database.execute(
            "INSERT INTO action VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                done.number,
                done.time,
                planned.kind,
                planned.sender,
                planned.name,
                canonical(planned.action),
                done.code,
                done.gas or None,
                planned.step.line if planned.step else None,
            ),
        )
        self._database.executemany(
            "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)",
            (
                (
                    done.number,
                    position,
                    type(event.event if isinstance(event, OfSource) else event).__name__,
                    _text(getattr(event, "account", None)),
                    _text(getattr(event, "market", None)),
                    canonical(event),
                )
                for position, event in enumerate(done.events)
            ),
        )
        # An account that a batch passed over is not touched, and may not even exist.
        touched = dict.fromkeys(
            event.account
            for event in done.events
            if hasattr(event, "account") and not isinstance(event, LiquidationRefused)
        )
        self._database.executemany(
            "INSERT INTO health VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (self._health(done, account) for account in touched),
        )
        if done.moved or done.links:
            self._put_cascade(done)

    def _health(self, done: Done, account: int) -> tuple[Any, ...]:
        state = done.world.protocol
        health = compute_health(state, state.accounts[account], done.world.env(done.time))
        return (
            done.number,
            str(account),
            compute_account_state(state.risk, health).name,
            str(health.equity_raw),
            str(health.equity_mm),
            str(health.equity_im),
            str(health.maintenance_margin),
            str(health.initial_margin),
            health.price_status,
        )

    def _put_cascade(self, done: Done) -> None:
        """What earlier liquidations did to an action's answers, and where its own came from."""
        self._database.executemany(
            "INSERT INTO response VALUES (?, ?, ?, ?, ?, ?)",
            (
                (
                    done.number,
                    self._feeds[one.feed] if one.feed < len(self._feeds) else str(one.feed),
                    str(one.told),
                    str(one.pushed),
                    str(one.impulses),
                    str(one.response),
                )
                for one in done.moved
            ),
        )
        for link in done.links:
            key = (done.number, link.position, str(link.found.report.account), link.generation)
            self._database.execute("INSERT INTO cascade VALUES (?, ?, ?, ?)", key)
            self._database.executemany(
                "INSERT INTO contagion VALUES (?, ?, ?, ?, ?, ?, ?)",
                ((*key, one.channel, _text(one.market), str(one.amount)) for one in link.contagion),
            )

    def close(self) -> None:
        """Finish the file."""
        self._database.execute("COMMIT")
        self._database.close()
        # The library's own version number is the only machine-dependent part of the file.
        with self._path.open("r+b") as file:
            file.seek(VERSION_OFFSET)
            file.write(VERSION)


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)
