"""Scenarios from text, for tests."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from crossmargin.errors import InputError
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import AccountSpec, Scenario
from protocol.state import account_id

DATA = Path(__file__).parent / "data"
START = 1_583_971_200
HEADER = "title: t\nparams: reference\nstart: 2020-03-12T00:00:00Z\n"
ACCOUNTS = "accounts:\n  hedged: {}\n  other: {owner: somebody, sub: 3}\nsteps:\n"  # steps begin at line 8


def address_of(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:20], "big")


HEDGED = account_id(address_of("hedged"))
OTHER = account_id(address_of("somebody"), 3)


class Loader:
    """Loads scenarios from text."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "told.yaml"

    def __call__(self, text: str) -> Scenario:
        self.path.write_text(text, encoding="utf-8")
        return load_scenario(self.path, address_of)

    def steps(self, *lines: str) -> Scenario:
        return self(HEADER + ACCOUNTS + "".join(f"  - {line}\n" for line in lines))

    def failure(self, text: str) -> InputError:
        with pytest.raises(InputError) as caught:
            self(text)
        return caught.value


def account(name: str, owner: str, sub: int, story: str = "") -> AccountSpec:
    return AccountSpec(name, owner, sub, story, account_id(address_of(owner), sub))
