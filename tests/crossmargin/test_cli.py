"""The command line: help, schemas, and one clear message for whatever is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossmargin.errors import Exit
from tests.crossmargin.commands import TWINS, Crossmargin, replay_model


def test_help_prints_brackets_as_they_are_written(crossmargin: Crossmargin) -> None:
    assert "NAME=FILE[,FILE[@TIME]...]" in crossmargin("tape", "record", "--help").out


def test_schema_prints_json(crossmargin: Crossmargin) -> None:
    assert json.loads(crossmargin("schema", "scenario").out)["type"] == "object"


# --- wrong use ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("replay", TWINS, "--engine", "guess"), Exit.USAGE, "choose from model, chain, lockstep"),
        (("replay", TWINS, "--backend", "http://127.0.0.1:9"), Exit.ENGINE_MISSING, "nothing answers at"),
        (("replay", TWINS, "--backend", "carrier-pigeon"), Exit.USAGE, "use eth-tester, pyrevm, anvil, or a URL"),
        (("replay", "blak_thursday"), Exit.INPUT_INVALID, "no scenario is called"),
        (("replay",), Exit.USAGE, "Missing argument"),
        (("schema", "novel"), Exit.USAGE, "there is no schema of"),
        (("tape", "record", "--out", "x"), Exit.USAGE, "Missing option"),
    ],
)
def test_wrong_use_is_one_message_and_its_code(
    crossmargin: Crossmargin, tmp_path: Path, arguments: tuple[object, ...], code: Exit, told: str
) -> None:
    out = ("--out", tmp_path / "run") if arguments[0] == "replay" and len(arguments) > 1 else ()
    answer = crossmargin(*arguments, *out)
    assert answer.code == code
    assert told in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("replay", TWINS, "--engine", "guess"), Exit.USAGE, "choose from model, chain, lockstep"),
        (("replay", TWINS, "--engine", "model", "--backend", "anvil"), Exit.USAGE, "the model runs on no backend"),
        (("replay", TWINS, "--backend", "http://127.0.0.1:9"), Exit.ENGINE_MISSING, "nothing answers at"),
        (("replay", "blak_thursday"), Exit.INPUT_INVALID, "no scenario is called"),
    ],
)
def test_wrong_use_is_one_object_with_json(
    crossmargin: Crossmargin, tmp_path: Path, arguments: tuple[object, ...], code: Exit, told: str
) -> None:
    answer = crossmargin(*arguments, "--json", "--out", tmp_path / "run")
    assert answer.code == code
    told_to_programs = json.loads(answer.out)
    assert told_to_programs["ok"] is False
    assert told in told_to_programs["error"]["message"]
    assert told in answer.err


@pytest.mark.parametrize("backend", ["http://127.0.0.1:1", "pyrevm"])
def test_the_model_takes_no_backend(crossmargin: Crossmargin, backend: str) -> None:
    answer = crossmargin("replay", TWINS, "--engine", "model", "--backend", backend)
    assert answer.code == Exit.USAGE
    assert "the model runs on no backend" in answer.err


def test_two_scenarios_of_one_name_are_refused(crossmargin: Crossmargin, tmp_path: Path) -> None:
    again = tmp_path / TWINS.name
    again.write_text(TWINS.read_text())
    answer = crossmargin("replay", TWINS, again, "--engine", "model", "--out", tmp_path / "runs")
    assert answer.code == Exit.USAGE
    assert str(TWINS) in answer.err
    assert str(again) in answer.err
    assert not (tmp_path / "runs").exists()


# --- wrong files ----------------------------------------------------------------------------------------------------


def test_a_mistake_in_one_scenario_stops_all_before_the_first_runs(crossmargin: Crossmargin, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(TWINS.read_text().replace("market: ETH, size: 400", "markt: ETH, size: 400"))
    answer = replay_model(crossmargin, TWINS, tmp_path / "runs", bad)
    assert answer.code == Exit.INPUT_INVALID
    assert f"{bad}:14:" in answer.err
    assert "did you mean `market`?" in answer.err
    assert not (tmp_path / "runs").exists()


HOSTILE = {
    "operator beyond an address": f"set_operator: {{account: long, operator: {2**160}}}",
    "operator of 10^80": f"set_operator: {{account: long, operator: {10**80}}}",
    "negative leverage": "set_leverage_cap: {account: long, market: BTC, leverage: -20}",
    "text for leverage": "set_leverage_cap: {account: long, market: BTC, leverage: lots}",
    "transfer of 10^80": f"transfer: {{account: long, target: long, token: USDC, amount: {10**80}}}",
    "batch of 10,000": "by: a, liquidate_many: {batch: [" + "long, " * 9_999 + "long]}",
    "list for an address": "propose_admin: {admin: [a, b]}",
    "guardian of 2^255": f"set_guardian: {{guardian: {2**255:#x}}}",
    "shares of 10^80": f"by: a, request_redemption: {{shares: {10**80}}}",
    "feed in words": "set_rate_feed: {feed: next one, rate: ETH, underlying: BTC}",
    "list as a cap": (
        "set_collateral: {token: 1, feed: 1, decimals: 1, ceiling: 1, account_cap: [], global_cap: 1, haircuts: []}"
    ),
}


@pytest.mark.parametrize("step", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_step_is_one_message_with_its_place(crossmargin: Crossmargin, tmp_path: Path, step: str) -> None:
    scenario = tmp_path / "hostile.yaml"
    text = TWINS.read_text().replace("steps:\n", f"steps:\n  - {{at: 0s, {step}}}\n")
    scenario.write_text(text)
    for command in (("check",), ("replay", "--backend", "pyrevm", "--out", tmp_path / "run")):
        answer = crossmargin(*command, scenario)
        assert answer.code == Exit.INPUT_INVALID
        assert answer.err.startswith(f"{scenario}:{text[: text.index(step)].count(chr(10)) + 1}:")
        assert answer.err.count(f"{scenario}:") == 1
        assert "Traceback" not in answer.err
        assert len(answer.err) < 1_500
        assert not (tmp_path / "run").exists()
