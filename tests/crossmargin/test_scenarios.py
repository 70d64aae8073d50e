"""The scenarios that ship: that they keep what they promise, and run the same everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from protocol.actions import DepositToPool
from tests.crossmargin.playing import EVERY, NAMES, Played, play

SHORT = [name for name in EVERY if name not in NAMES]  # one for each part of the rules
needs_pyrevm = pytest.mark.skipif(find_spec("pyrevm") is None, reason="pyrevm is not installed")


# --- what is promised -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_every_expectation_of_the_scenario_is_met(played: dict[str, Played], name: str) -> None:
    assert played[name].run.failure == ""
    assert [str(missed) for missed in played[name].run.missed] == []


def test_the_crash_is_as_large_as_promised(crash: Played) -> None:
    result = crash.run.result
    assert result["min_price"] == {"BTC": "3782.13", "ETH": "86.00"}
    assert result["actions"] >= 300
    assert result["liquidations"] >= 10
    assert len(crash.scenario.accounts) >= 30
    assert len({step.sender for step in crash.scenario.steps if isinstance(step.action, DepositToPool)}) >= 3


def test_every_keeper_of_the_crash_finds_work(crash: Played) -> None:
    senders = {sender for (sender,) in crash.rows("SELECT sender FROM action WHERE kind = 'keeper'")}
    assert senders == {keeper.name for keeper in crash.scenario.keepers}
    assert len(senders) >= 2


def test_on_the_quiet_day_nobody_is_liquidated(played: dict[str, Played]) -> None:
    quiet = played["quiet_day"]
    assert quiet.run.result["liquidations"] == 0
    assert quiet.run.result["actions"] >= 50
    assert len(quiet.scenario.accounts) >= 12
    assert quiet.liquidated() == set()


@pytest.mark.parametrize("name", EVERY)
def test_every_step_happens_at_the_second_it_names(played: dict[str, Played], name: str) -> None:
    # A step in the second of a round, or of a liquidation, would be moved. Reports come several in a second: each takes
    # one of its own, and what the scenario does in one of those follows.
    scenario = played[name].scenario
    is_reported = "\nreporters:\n" in scenario.path.read_text("utf-8")
    expected, now = [], 0
    for step in scenario.steps:
        now = max(step.at, now + 1) if is_reported else step.at
        expected.append((step.line, now))
    assert played[name].rows("SELECT line, time FROM action WHERE kind = 'user' ORDER BY number") == expected


def test_refusals_of_many_kinds_are_told(crash: Played) -> None:
    codes = {code for (code,) in crash.rows("SELECT code FROM action WHERE code <> 'ok'")}
    assert codes >= {
        "account/isolated", "account/not-owner", "account/not-trader", "account/unknown", "amount/zero",
        "liq/not-liquidatable", "liq/rate-limit", "liq/self", "margin/initial", "margin/just-called", "market/lot",
        "market/min-notional", "market/opening-paused", "market/skew-cap", "pool/inventory", "pool/no-request",
        "pool/too-early", "role/not-guardian", "token/account-cap", "trade/price", "vault/insufficient-units",
        "vault/negative-cash",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_is_expected_by_its_step_or_a_keepers_at_an_empty_window(
    played: dict[str, Played], name: str
) -> None:
    expected = {step.line: step.expect.refused for step in played[name].scenario.steps if step.expect.refused}
    refused = played[name].rows("SELECT line, code FROM action WHERE code <> 'ok'")
    assert {line: code for line, code in refused if line is not None} == expected
    assert {code for line, code in refused if line is None} <= {"liq/rate-limit"}


# --- the same everywhere --------------------------------------------------------------------------------------------


def test_the_state_of_the_crash_does_not_depend_on_the_hash_seed(crash: Played, tmp_path: Path) -> None:
    # The other seed is this process's own, which is drawn anew for every run.
    command = [sys.executable, "-m", "crossmargin.cli", "replay", "black_thursday", "--engine", "model", "--json"]
    ended = subprocess.run(
        [*command, "--out", tmp_path / "run"],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": "20200312"},
    )
    assert json.loads(ended.stdout)["state_digest"] == crash.run.result["state_digest"]


@pytest.mark.deep
@pytest.mark.parametrize("name", NAMES)
def test_model_and_contracts_agree_on_eth_tester_on(played: dict[str, Played], tmp_path: Path, name: str) -> None:
    check_agreement(played[name], play(name, "lockstep", tmp_path))


@needs_pyrevm
@pytest.mark.parametrize("name", [*SHORT, "quiet_day"])
def test_model_and_contracts_agree_on(played: dict[str, Played], tmp_path: Path, name: str) -> None:
    check_agreement(played[name], play(name, "lockstep", tmp_path, "pyrevm"))


def check_agreement(alone: Played, both: Played) -> None:
    """A run in lockstep went through and ended where the model alone does."""
    assert both.run.failure == ""
    assert both.run.missed == ()
    assert both.run.result["divergences"] == 0
    assert both.run.result["state_digest"] == alone.run.result["state_digest"]
