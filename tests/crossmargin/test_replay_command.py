"""``crossmargin replay``: what it prints and keeps, on every engine, and its exit codes."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from contracts_py.keys import address_of
from crossmargin.errors import Exit
from crossmargin.progress import Progress
from crossmargin.replay.command import replay
from crossmargin.replay.run import count_planned
from crossmargin.scenario import load_scenario
from tests.crossmargin.commands import TWINS, Crossmargin, replay_model
from tests.crossmargin.loading import DATA

RULEBOOK = DATA / "rulebook.yaml"
needs_pyrevm = pytest.mark.skipif(find_spec("pyrevm") is None, reason="pyrevm is not installed")


def test_a_run_prints_its_story_and_keeps_its_folder(crossmargin: Crossmargin, tmp_path: Path) -> None:
    answer = replay_model(crossmargin, TWINS, tmp_path / "run")
    assert answer.code == Exit.OK
    assert "long     BANKRUPT" in answer.out
    assert f"run folder: {tmp_path / 'run'}" in answer.out
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "manifest.json",
        "summary.txt",
        "timings.json",
        "trace.sqlite",
    ]
    assert (tmp_path / "run" / "summary.txt").read_text() in answer.out


def test_json_has_the_promised_keys_in_the_promised_order(crossmargin: Crossmargin, tmp_path: Path) -> None:
    answer = replay_model(crossmargin, TWINS, tmp_path / "run", "--json")
    result = json.loads(answer.out)
    assert list(result) == [
        "scenario", "engine", "backend", "changes", "rounds", "actions", "refusals", "liquidations", "divergences",
        "bad_debt", "insurance_fund", "pool_value", "deficit", "min_price", "state_digest", "seconds",
        "cascade", "ok", "missed", "failure", "run_folder",
    ]  # fmt: skip
    assert result["min_price"] == {"BTC": "7934.58", "ETH": "160.00"}
    assert result["liquidations"] == 1
    assert (result["ok"], result["missed"], result["failure"]) == (True, [], "")
    assert result["run_folder"] == str(tmp_path / "run")


def test_json_tells_success_from_failure(crossmargin: Crossmargin, tmp_path: Path) -> None:
    missing, bad = tmp_path / "missing.yaml", tmp_path / "bad.yaml"
    missing.write_text(TWINS.read_text().replace("liquidations: 1", "liquidations: 7"))
    bad.write_text("title: Bad\n")
    result = json.loads(replay_model(crossmargin, missing, tmp_path / "run", "--json").out)
    assert result["ok"] is False
    assert result["missed"] == ["line 16: at the end: liquidations: expected 7, found 1"]
    refused = json.loads(replay_model(crossmargin, bad, tmp_path / "run2", "--json").out)
    assert refused["ok"] is False
    assert refused["error"]["message"] == "the key `params` is missing"


def test_model_chain_and_lockstep_end_in_the_same_state(crossmargin: Crossmargin, tmp_path: Path) -> None:
    answers = [
        crossmargin("replay", TWINS, "--engine", engine, "--out", tmp_path / engine, "--json")
        for engine in ("model", "chain", "lockstep")
    ]
    results = [json.loads(answer.out) for answer in answers]
    assert len({result["state_digest"] for result in results}) == 1
    assert [result["actions"] for result in results] == [5, 5, 5]
    gas = [
        sqlite3.connect(tmp_path / engine / "trace.sqlite").execute("SELECT SUM(gas) FROM action").fetchone()[0]
        for engine in ("model", "chain", "lockstep")
    ]
    assert gas[0] is None
    assert gas[1] == gas[2] > 1_000_000


@needs_pyrevm
def test_pyrevm_ends_in_the_same_state_as_eth_tester(crossmargin: Crossmargin, tmp_path: Path) -> None:
    runs = (("lockstep", "eth-tester"), ("lockstep", "pyrevm"), ("chain", "pyrevm"))
    results = []
    for engine, backend in runs:
        chosen = ("--engine", engine, "--backend", backend, "--out", tmp_path / f"{engine}-{backend}")
        results.append(json.loads(crossmargin("replay", RULEBOOK, *chosen, "--json").out))
    assert [(result["engine"], result["backend"]) for result in results] == list(runs)
    assert [result["failure"] for result in results] == ["", "", ""]
    told_apart = {"engine", "backend", "seconds", "run_folder"}
    same = [{key: value for key, value in result.items() if key not in told_apart} for result in results]
    assert same[0] == same[1] == same[2]
    # Gas is never taken from pyrevm, whose storage stays warm.
    gas = [
        sqlite3.connect(tmp_path / f"{engine}-{backend}" / "trace.sqlite")
        .execute("SELECT SUM(gas) FROM action")
        .fetchone()[0]
        for engine, backend in runs
    ]
    assert gas[0] > 1_000_000
    assert gas[1:] == [None, None]


def test_without_pyrevm_the_backend_is_missing(
    crossmargin: Crossmargin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contracts_py.revm.find_spec", lambda name: None)
    answer = crossmargin("replay", TWINS, "--backend", "pyrevm", "--out", tmp_path / "run")
    assert answer.code == Exit.ENGINE_MISSING
    assert "pyrevm is not installed" in answer.err
    assert not (tmp_path / "run").exists()


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    for seed in ("0", "4711"):
        subprocess.run(
            [sys.executable, "-m", "crossmargin.cli", "replay", TWINS, "--engine", "model", "--out", tmp_path / seed],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
    for name in ("manifest.json", "summary.txt", "trace.sqlite"):
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "4711" / name).read_bytes(), name


def test_a_trace_does_not_tell_which_library_wrote_it(crossmargin: Crossmargin, tmp_path: Path) -> None:
    replay_model(crossmargin, TWINS, tmp_path / "run")
    with (tmp_path / "run" / "trace.sqlite").open("rb") as trace:
        trace.seek(96)
        assert int.from_bytes(trace.read(4), "big") == 3_037_000


def test_several_scenarios_print_a_line_and_keep_a_folder_each(crossmargin: Crossmargin, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(TWINS.read_text())
    answer = replay_model(crossmargin, tmp_path, tmp_path / "runs", "--json")
    assert [json.loads(line)["scenario"] for line in answer.out.splitlines()] == ["one", "two"]
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"one", "two"}


def test_of_several_scenarios_the_worst_decides_the_exit_code(crossmargin: Crossmargin, tmp_path: Path) -> None:
    missing, good = tmp_path / "a_missing.yaml", tmp_path / "b_good.yaml"
    missing.write_text(TWINS.read_text().replace("liquidations: 1", "liquidations: 7"))
    good.write_text(TWINS.read_text())
    for paths in ((missing, good), (good, missing)):
        answer = crossmargin("replay", *paths, "--engine", "model", "--out", tmp_path / "runs")
        assert answer.code == Exit.CHECK_FAILED


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "expect: {refused: margin/initial}",
            "expect: {refused: margin/reduce}",
            "missed.yaml:14:80: Trade: expected margin/reduce, found",
        ),
        (
            ", expect: {refused: margin/initial}",
            "",
            "missed.yaml:14:5: Trade: expected ok, found margin/initial (equity_im 950.90",
        ),
        ("size: 40.01}", "size: 40.01}, expect: {size: 40.02}", "Trade size: expected 40.02, found 40.01"),
        ("amount: 1000}", "amount: 1000}, expect: {withdrawable: 999.5}", "expected 999.50, found 1000.00"),
        (
            "size: 40.01}",
            "size: 40.01}, expect: {liquidation_price: 1}",
            "Trade liquidation_price: expected 1.00, found 17",
        ),
        ("size: 40.01}", "size: 40.01}, expect: {max_long: 400}", "Trade max_long: expected 400.00, found "),
        ("size: 40.01}", "size: 40.01}, expect: {max_short: 4}", "Trade max_short: expected 4.00, found "),
        ("liquidations: 1", "liquidations: 2", "missed.yaml:16:24: at the end: liquidations: expected 2, found 1"),
        ("refusals: 1}", "accounts: {long: {liquidated: false}}}", "long liquidated: expected False, found True"),
    ],
)
def test_a_missed_expectation_ends_with_code_1(
    crossmargin: Crossmargin, tmp_path: Path, old: str, new: str, told: str
) -> None:
    scenario = tmp_path / "missed.yaml"
    scenario.write_text(TWINS.read_text().replace(old, new))
    answer = replay_model(crossmargin, scenario, tmp_path / "run")
    assert answer.code == Exit.CHECK_FAILED
    assert told in answer.err


def test_feeds_and_markets_that_a_step_lists_are_told_by_their_ids(crossmargin: Crossmargin, tmp_path: Path) -> None:
    scenario = tmp_path / "listing.yaml"
    text = (DATA / "every_action.yaml").read_text()
    listing = text[text.index("    set_market:") : text.index("  - at: 14h\n    by: heron\n    set_collateral:")]
    scenario.write_text(
        TWINS.read_text().replace("keepers: [kestrel]\n", "").replace("expect: {liquidations: 1, refusals: 1}\n", "")
        + "  - {at: 6s, set_feed: {feed: 4, decimals: 2, max_age: 1d}}\n"
        + "  - {at: 6s, push: {4: 15000}}\n"
        + "  - at: 6s\n"
        + listing.replace("feed: 2", "feed: 4").replace("oi_cap_usd: 2000", "oi_cap_usd: 20000")
        + "  - {at: 7s, deposit: {account: short, token: USDC, amount: 2000}}\n"
        + "  - {at: 7s, trade: {account: short, market: 2, size: -10}}\n"
        + "  - {at: 8s, push: {4: 40000}}\n"
        + "  - {at: 8s, by: kestrel, liquidate: {account: short}}\n"
    )
    scenario.write_text(scenario.read_text().replace("  long: {}\n", "  long: {}\n  short: {}\n"))
    answer = replay_model(crossmargin, scenario, tmp_path / "run")
    assert answer.code == Exit.OK, answer.err
    assert "  4             150.00        150.00" in answer.out
    assert "short 10 2 at 400.00" in answer.out
    result = json.loads(replay_model(crossmargin, scenario, tmp_path / "run", "--json").out)
    assert result["min_price"]["4"] == "150.00"


def test_progress_counts_planned_actions_and_never_more(tmp_path: Path) -> None:
    reports: list[tuple[str, int]] = []
    scenario = load_scenario(TWINS, address_of)
    replay(scenario, "model", "eth-tester", tmp_path / "run", lambda phase, done: reports.append((phase, done)))
    assert reports[-1] == ("replaying", count_planned(scenario))


def test_an_interrupt_says_that_nothing_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), Progress("a run", 10):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "a run: interrupted, nothing is kept\n"
