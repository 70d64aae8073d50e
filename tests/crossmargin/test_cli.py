"""The command line: results, exit codes, and one clear message for whatever is wrong."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from contracts_py.keys import address_of
from crossmargin.errors import Exit, InputError
from crossmargin.library import PROFILES
from crossmargin.progress import Progress
from crossmargin.replay.command import replay
from crossmargin.replay.folder import RunFolder, check_replaceable
from crossmargin.replay.run import count_planned
from crossmargin.scenario import load_scenario
from tests.crossmargin.commands import Answer, run

DATA = Path(__file__).parent / "data"
TWINS = DATA / "twins.yaml"
RULEBOOK = DATA / "rulebook.yaml"
needs_pyrevm = pytest.mark.skipif(find_spec("pyrevm") is None, reason="pyrevm is not installed")
Crossmargin = Callable[..., Answer]


@pytest.fixture
def crossmargin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Crossmargin:
    """The command, run in this process."""
    return lambda *arguments: run(capsys, monkeypatch, *arguments)


def replay_model(crossmargin: Crossmargin, scenario: Path, out: Path, *more: object) -> Answer:
    return crossmargin("replay", scenario, "--engine", "model", "--out", out, *more)


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


def test_an_older_run_is_replaced_but_a_foreign_folder_is_not(crossmargin: Crossmargin, tmp_path: Path) -> None:
    run_folder, foreign = tmp_path / "run", tmp_path / "foreign"
    assert replay_model(crossmargin, TWINS, run_folder).code == Exit.OK
    (run_folder / "summary.txt").write_text("from the older run")
    assert replay_model(crossmargin, TWINS, run_folder).code == Exit.OK
    assert "older run" not in (run_folder / "summary.txt").read_text()
    (run_folder / "notes.txt").write_text("dear to someone")
    answer = replay_model(crossmargin, TWINS, run_folder)
    assert answer.code == Exit.INPUT_INVALID
    assert f"{run_folder / 'notes.txt'}: is not part of a run, and would be lost" in answer.err
    assert (run_folder / "notes.txt").read_text() == "dear to someone"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("dear to someone")
    answer = replay_model(crossmargin, TWINS, foreign)
    assert answer.code == Exit.INPUT_INVALID
    assert "is not a run folder of crossmargin" in answer.err
    assert [path.name for path in foreign.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_way_through_a_folder_that_is_not_there_replaces_nothing(
    crossmargin: Crossmargin, tmp_path: Path, kind: str
) -> None:
    target = tmp_path / "thesis"
    if kind == "folder":
        target.mkdir()
    dear = target / "thesis.txt" if kind == "folder" else target
    dear.write_text("dear to someone")
    answer = replay_model(crossmargin, TWINS, tmp_path / "none" / ".." / "thesis")
    assert answer.code == Exit.INPUT_INVALID
    assert "is not a run folder of crossmargin" in answer.err
    assert dear.read_text() == "dear to someone"


def keep_run(target: Path, text: str) -> None:
    with RunFolder(target) as folder:
        folder.file("summary.txt").write_text(text)
        folder.keep({})


def test_a_new_run_leaves_only_itself_for_all_to_read(tmp_path: Path) -> None:
    target = tmp_path / "run"
    for text in ("first", "second"):
        keep_run(target, text)
        assert list(tmp_path.iterdir()) == [target]
        assert (target / "summary.txt").read_text() == text
        assert target.stat().st_mode & 0o777 == 0o755


def test_a_run_that_is_not_kept_leaves_nothing(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run") as folder:
        folder.file("summary.txt").write_text("half a run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("manifest", ['{"kind": "another-run"}', '{"kind": null}', "{}", "[]", "kind", ""])
def test_a_folder_with_a_foreign_manifest_is_not_replaced(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(InputError, match="is not a run folder of crossmargin"):
        keep_run(tmp_path, "new")
    assert (tmp_path / "manifest.json").read_text() == manifest


def test_a_folder_that_becomes_unwritable_keeps_the_older_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "run"
    keep_run(target, "first")
    move = Path.replace

    def move_but_not_a_new_run(path: Path, to: Path) -> Path:
        if to == target and (path / "summary.txt").read_text() == "second":
            raise PermissionError(13, "Permission denied")
        return move(path, to)

    monkeypatch.setattr(Path, "replace", move_but_not_a_new_run)
    with pytest.raises(InputError, match="cannot write here"):
        keep_run(target, "second")
    assert (target / "summary.txt").read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]


def test_a_read_only_folder_is_refused_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="read-only"):
        check_replaceable(tmp_path)


def test_two_scenarios_of_one_name_are_refused(crossmargin: Crossmargin, tmp_path: Path) -> None:
    again = tmp_path / TWINS.name
    again.write_text(TWINS.read_text())
    answer = crossmargin("replay", TWINS, again, "--engine", "model", "--out", tmp_path / "runs")
    assert answer.code == Exit.USAGE
    assert str(TWINS) in answer.err
    assert str(again) in answer.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("backend", ["http://127.0.0.1:1", "pyrevm"])
def test_the_model_takes_no_backend(crossmargin: Crossmargin, backend: str) -> None:
    answer = crossmargin("replay", TWINS, "--engine", "model", "--backend", backend)
    assert answer.code == Exit.USAGE
    assert "the model runs on no backend" in answer.err


def test_an_interrupt_says_that_nothing_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), Progress("a run", 10):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "a run: interrupted, nothing is kept\n"


def test_progress_counts_planned_actions_and_never_more(tmp_path: Path) -> None:
    reports: list[tuple[str, int]] = []
    scenario = load_scenario(TWINS, address_of)
    replay(scenario, "model", "eth-tester", tmp_path / "run", lambda phase, done: reports.append((phase, done)))
    assert reports[-1] == ("replaying", count_planned(scenario))


def test_a_folder_that_cannot_be_made_is_refused_before_anything_runs(crossmargin: Crossmargin, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = replay_model(crossmargin, TWINS, tmp_path / "file" / "run")
    assert answer.code == Exit.INPUT_INVALID
    assert "cannot write here" in answer.err
    assert answer.out == ""


def test_a_mistake_in_one_scenario_stops_all_before_the_first_runs(crossmargin: Crossmargin, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(TWINS.read_text().replace("market: ETH, size: 400", "markt: ETH, size: 400"))
    answer = replay_model(crossmargin, TWINS, tmp_path / "runs", bad)
    assert answer.code == Exit.INPUT_INVALID
    assert f"{bad}:14:" in answer.err
    assert "did you mean `market`?" in answer.err
    assert not (tmp_path / "runs").exists()


def test_help_prints_brackets_as_they_are_written(crossmargin: Crossmargin) -> None:
    assert "NAME=FILE[,FILE[@TIME]...]" in crossmargin("tape", "record", "--help").out


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


def test_check_reports_every_file_and_its_kind(crossmargin: Crossmargin, tmp_path: Path) -> None:
    (tmp_path / "a_tape.csv").write_text((DATA / "short.csv").read_text())
    (tmp_path / "b_bad.yaml").write_text("title: Bad\nparams: reference\nstart: yesterday\ninsurance: -1\n")
    (tmp_path / "c_good.yaml").write_text(TWINS.read_text())
    answer = crossmargin("check", tmp_path)
    assert answer.code == Exit.INPUT_INVALID
    assert "a_tape.csv: a valid tape" in answer.out
    assert "c_good.yaml: a valid scenario" in answer.out
    assert f"{tmp_path / 'b_bad.yaml'}:3:8:" in answer.err
    rows = [json.loads(line) for line in crossmargin("check", tmp_path, "--json").out.splitlines()]
    assert [[error["line"] for error in row["errors"]] for row in rows] == [[], [3, 4], []]
    assert [row["kind"] for row in rows] == ["tape", "scenario", "scenario"]
    (tmp_path / "empty").mkdir()
    assert "nothing to check is in this folder" in crossmargin("check", tmp_path / "empty").err


def test_check_knows_a_parameter_set(crossmargin: Crossmargin) -> None:
    reference = Path(__file__).parents[2] / "specs" / "params" / "reference.yaml"
    assert "a valid parameter set" in crossmargin("check", reference).out


def test_check_knows_a_profile_by_its_tables(crossmargin: Crossmargin, tmp_path: Path) -> None:
    reference = PROFILES.find("reference")
    assert crossmargin("check", reference).out == f"{reference}: a valid profile\n"
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(reference.read_text("utf-8").replace("{share: 1, value: 19}", "{share: 1, value: 13}"), "utf-8")
    answer = crossmargin("check", wrong, "--json")
    (error,) = json.loads(answer.out)["errors"]
    assert (answer.code, error["message"]) == (Exit.INPUT_INVALID, "values never fall from one quantile to the next")


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


def test_schema_prints_json(crossmargin: Crossmargin) -> None:
    assert json.loads(crossmargin("schema", "scenario").out)["type"] == "object"


def test_record_makes_a_tape_that_check_accepts(crossmargin: Crossmargin, tmp_path: Path) -> None:
    bars, tape = tmp_path / "bars.csv", tmp_path / "tape.csv"
    rows = [f"{1583971200 + 300 * i},{100 + i},{101 + i},{99 + i},{100.5 + i}" for i in range(4)]
    bars.write_text("timestamp_utc,open,high,low,close\n" + "\n".join(rows) + "\n")
    window = ("--start", "2020-03-12T00:00:00Z", "--end", "2020-03-12T00:20:00Z")
    command = ("tape", "record", "--title", "T", "--venue", "V", "--feed", f"BTC={bars}", *window)
    answer = crossmargin(*command, "--out", tape)
    assert answer.code == Exit.OK
    assert "rounds (" in answer.out
    assert crossmargin("check", tape).code == Exit.OK
    overwrite = crossmargin(*command, "--out", bars)
    assert overwrite.code == Exit.INPUT_INVALID
    assert bars.read_text().startswith("timestamp_utc")
