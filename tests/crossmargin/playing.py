"""The scenarios that ship, replayed, and questions to their traces."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts_py.keys import address_of
from crossmargin.library import SCENARIOS
from crossmargin.replay.command import Run, replay
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import Scenario
from protocol.account_state import AccountState

NAMES = ("black_thursday", "quiet_day")
WITH_POPULATION = re.compile("(crash|quiet)_20")  # tests/crossmargin/population has them
EVERY = [name for name in SCENARIOS.names() if not WITH_POPULATION.match(name)]
MORNING = 10 * 3_600  # seconds after the start: before the first fall, when every contrast stands


@dataclass(frozen=True)
class Played:
    """A scenario, its finished run, and questions to its trace."""

    scenario: Scenario
    run: Run

    def rows(self, query: str, *values: object) -> list[Any]:
        """Rows of the trace."""
        database = sqlite3.connect(self.run.folder / "trace.sqlite")
        try:
            return database.execute(query, values).fetchall()
        finally:
            database.close()

    def liquidations(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name of the account and the report of each liquidation, in order."""
        rows = self.rows(
            "SELECT name, fields FROM event JOIN account USING (account) "
            "WHERE event = 'AccountLiquidated' ORDER BY number"
        )
        for name, fields in rows:
            yield name, json.loads(fields)

    def liquidated(self) -> set[str]:
        """Accounts that were liquidated at least once."""
        return {name for name, _ in self.liquidations()}

    def standings(self, name: str) -> list[AccountState]:
        """In what state keepers found an account, one for each of its liquidations."""
        return [AccountState(int(report["account_state"])) for found, report in self.liquidations() if found == name]

    def fills(self) -> Iterator[dict[str, Any]]:
        """Every fill of the run, in order."""
        for (fields,) in self.rows(
            "SELECT fields FROM event WHERE event = 'PositionUpdated' ORDER BY number, position"
        ):
            yield json.loads(fields)

    def moments(self, action: str, sender: str) -> list[tuple[int, str]]:
        """Time and code of a sender's actions of one kind, in order."""
        return self.rows(
            "SELECT time, code FROM action WHERE action = ? AND sender = ? ORDER BY number", action, sender
        )

    def opening(self, name: str) -> tuple[int, dict[str, int]]:
        """What an account was worth before its first trade, and the sizes it held in the morning, by market."""
        values = self.rows(
            "SELECT equity_raw FROM health JOIN account USING (account) WHERE name = ? ORDER BY number LIMIT 1", name
        )
        sizes = self.rows(
            "SELECT market, json_extract(fields, '$.size') FROM event JOIN account USING (account) "
            "JOIN action USING (number) WHERE name = ? AND event = 'PositionUpdated' AND time < ? ORDER BY number",
            name,
            self.scenario.start + MORNING,
        )
        return int(values[0][0]), {market: int(size) for market, size in sizes}


def play(name: str, engine: str, folder: Path, backend: str = "eth-tester") -> Played:
    """A scenario that ships, replayed."""
    scenario = load_scenario(SCENARIOS.find(name), address_of)
    return Played(scenario, replay(scenario, engine, backend, folder / name, lambda doing, done: None))
