"""A machine that fails, and files that are not what they should be: one message, its code, nothing half-written."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from contracts_py.errors import NodeUnusable
from contracts_py.keys import address_of
from crossmargin.errors import Exit, InputError
from crossmargin.quantities import EARLIEST_START
from crossmargin.replay.chain import SETUP_TIME
from crossmargin.replay.command import open_chain
from crossmargin.replay.folder import RunFolder
from crossmargin.replay.run import CONFIGURE_TIME
from crossmargin.replay.trace import Trace
from crossmargin.scenario import find_scenarios, load_scenario
from tests.crossmargin.commands import TWINS, Crossmargin, replay_model
from tests.crossmargin.loading import DATA

FULL = Path("/dev/full")
needs_full_device = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def failing(problem: Exception) -> Callable[..., Any]:
    def fail(*arguments: object, **named: object) -> None:
        raise problem

    return fail


def keep_run(target: Path, text: str) -> None:
    with RunFolder(target) as folder:
        folder.file("summary.txt").write_text(text)
        folder.keep({})


NO_SPACE = OSError(errno.ENOSPC, "No space left on device")
FULL_DATABASE = sqlite3.OperationalError("database or disk is full")


@pytest.mark.parametrize(
    ("where", "what", "problem"),
    [
        (Trace, "__init__", sqlite3.OperationalError("unable to open database file")),
        (Trace, "put_run", FULL_DATABASE),
        (Trace, "put_action", FULL_DATABASE),
        (Trace, "close", NO_SPACE),
        (Path, "write_text", NO_SPACE),
        (Path, "mkdir", NO_SPACE),
        (Path, "chmod", NO_SPACE),
    ],
)
def test_a_disk_that_is_full_leaves_the_run_before(
    crossmargin: Crossmargin, tmp_path: Path, where: type, what: str, problem: Exception
) -> None:
    keep_run(tmp_path / "run", "before")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, what, failing(problem))
        answer = replay_model(crossmargin, TWINS, tmp_path / "run", "--json")
    assert answer.code == Exit.INPUT_INVALID
    reason = problem.strerror if isinstance(problem, OSError) else str(problem)
    assert json.loads(answer.out)["error"]["message"] == f"cannot write here: {reason}"
    assert "Traceback" not in answer.err
    assert (tmp_path / "run" / "summary.txt").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_an_interrupt_while_the_folder_is_put_in_place_leaves_the_run_before(tmp_path: Path) -> None:
    keep_run(tmp_path / "run", "before")
    move = Path.replace

    def interrupted(path: Path, to: Path) -> Path:
        if to == tmp_path / "run" and not path.name.endswith(".old"):
            raise KeyboardInterrupt
        return move(path, to)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            keep_run(tmp_path / "run", "after")
    assert (tmp_path / "run" / "summary.txt").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_node_that_stops_answering_is_unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossmargin.replay.chain.ChainEngine.__init__", lambda *arguments, **more: None)
    with (
        pytest.raises(NodeUnusable, match="the backend failed: Connection reset"),
        open_chain(load_scenario(TWINS, address_of), "eth-tester"),
    ):
        raise ConnectionResetError("Connection reset")


# --- what cannot be looked at ---------------------------------------------------------------------------------------


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that may not be listed, and in which nothing may be looked up."""
    folder = tmp_path / "locked"
    folder.mkdir()
    denied = PermissionError(errno.EACCES, "Permission denied")
    stat, iterate, lstat = Path.stat, Path.iterdir, os.lstat

    def guarded_stat(path: Path, **named: bool) -> os.stat_result:
        if folder in path.parents:
            raise denied
        return stat(path, **named)

    def guarded_list(path: Path) -> Any:
        if path == folder or folder in path.parents:
            raise denied
        return iterate(path)

    def guarded_lstat(path: Any) -> os.stat_result:
        if folder in Path(path).parents:
            raise denied
        return lstat(path)

    monkeypatch.setattr(Path, "stat", guarded_stat)
    monkeypatch.setattr(Path, "iterdir", guarded_list)
    monkeypatch.setattr(os, "lstat", guarded_lstat)
    return folder


@pytest.mark.parametrize("name", ["", "scenario.yaml", "tape.csv"])
def test_check_says_what_it_may_not_read(crossmargin: Crossmargin, locked: Path, name: str) -> None:
    answer = crossmargin("check", locked / name)
    assert answer.code == Exit.INPUT_INVALID
    assert answer.err.startswith(f"{locked / name}: cannot be read: Permission denied\n  check the path")


@pytest.mark.parametrize("name", ["", "scenario.yaml"])
def test_replay_says_what_it_may_not_read(crossmargin: Crossmargin, locked: Path, name: str) -> None:
    answer = replay_model(crossmargin, locked / name, locked.parent / "run")
    assert answer.code == Exit.INPUT_INVALID
    assert answer.err.startswith(f"{locked / name}: cannot be read: Permission denied\n  check the path")


@pytest.mark.parametrize("name", ["", "run"])
def test_a_run_folder_that_may_not_be_looked_at_is_refused(crossmargin: Crossmargin, locked: Path, name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "mkdir", failing(PermissionError(errno.EACCES, "Permission denied")))
        answer = replay_model(crossmargin, TWINS, locked / name)
    assert answer.code == Exit.INPUT_INVALID
    assert answer.err.count("Permission denied") == 1
    assert "Traceback" not in answer.err


# --- names ----------------------------------------------------------------------------------------------------------

LONG = "a" * 300


@pytest.mark.parametrize("name", [LONG, f"{LONG}.yaml", f"{LONG}/x.yaml", f"x/{LONG}"])
def test_a_name_too_long_for_a_file_is_one_message(crossmargin: Crossmargin, tmp_path: Path, name: str) -> None:
    for command in (("check",), ("replay", "--engine", "model", "--out", tmp_path / "run")):
        answer = crossmargin(*command, tmp_path / name)
        assert answer.code == Exit.INPUT_INVALID
        assert "File name too long" in answer.err or "no such file" in answer.err
        assert "Traceback" not in answer.err
    answer = replay_model(crossmargin, TWINS, tmp_path / name)
    assert (answer.code, answer.out) == (Exit.INPUT_INVALID, "")
    assert "cannot write here: File name too long" in answer.err
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "x"])


def test_a_name_as_long_as_names_can_be_is_a_run_folder(crossmargin: Crossmargin, tmp_path: Path) -> None:
    for _ in range(2):
        assert replay_model(crossmargin, TWINS, tmp_path / ("b" * 255)).code == Exit.OK
    assert [path.name for path in tmp_path.iterdir()] == ["b" * 255]


def test_a_name_that_no_terminal_can_show_is_shown_clean(crossmargin: Crossmargin, tmp_path: Path) -> None:
    for name in (b"good\xff\x1b[31m.yaml", b"bad\xff\n.yaml"):
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_text(TWINS.read_text() if b"good" in name else "a: 1\n")
    answer = crossmargin("check", tmp_path)
    assert answer.code == Exit.INPUT_INVALID
    assert answer.out == f"{tmp_path}/good\ufffd\ufffd[31m.yaml: a valid scenario\n"
    assert answer.err.startswith(f"{tmp_path}/bad\ufffd\ufffd.yaml:1:1: ")


# --- the run folder -------------------------------------------------------------------------------------------------


def test_a_link_to_a_run_stays_a_link_and_the_run_is_replaced(crossmargin: Crossmargin, tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "run", tmp_path / "link"
    keep_run(real, "before")
    link.symlink_to(real)
    assert replay_model(crossmargin, TWINS, link).code == Exit.OK
    assert link.readlink() == real
    assert "before" not in (real / "summary.txt").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]
    assert list(real.parent.iterdir()) == [real]


def test_a_link_to_nothing_makes_the_run_where_it_points(crossmargin: Crossmargin, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "new" / "run")
    assert replay_model(crossmargin, TWINS, tmp_path / "link").code == Exit.OK
    assert (tmp_path / "new" / "run" / "manifest.json").is_file()


@pytest.mark.parametrize("target", ["loop", "file"])
def test_a_link_to_no_folder_is_refused(crossmargin: Crossmargin, tmp_path: Path, target: str) -> None:
    (tmp_path / "file").write_text("dear to someone")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "link").symlink_to(tmp_path / target)
    answer = replay_model(crossmargin, TWINS, tmp_path / "link")
    assert answer.code == Exit.INPUT_INVALID
    assert "it is a file" in answer.err or "Too many levels" in answer.err
    assert (tmp_path / "file").read_text() == "dear to someone"


def test_a_manifest_that_cannot_be_read_says_so(crossmargin: Crossmargin, tmp_path: Path) -> None:
    manifest = tmp_path / "run" / "manifest.json"
    told = "exists and is not a run folder of crossmargin: its manifest.json"
    keep_run(tmp_path / "run", "before")
    for text in ("{", "[" * 10**5, '{"kind": 1}'):
        manifest.write_text(text)
        assert f"{told} is not one of a run\n" in replay_model(crossmargin, TWINS, tmp_path / "run").err
    manifest.write_bytes(b"\xff")
    assert f"{told}: is not UTF-8 text" in replay_model(crossmargin, TWINS, tmp_path / "run").err
    manifest.unlink()
    assert f"{told}: no such file" in replay_model(crossmargin, TWINS, tmp_path / "run").err
    manifest.mkdir()
    answer = replay_model(crossmargin, TWINS, tmp_path / "run")
    assert answer.code == Exit.INPUT_INVALID
    assert f"{told}: is a folder, not a file\n  move it away, or choose another with --out" in answer.err
    assert (tmp_path / "run" / "summary.txt").read_text() == "before"


def test_a_manifest_without_permission_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_run(tmp_path / "run", "before")
    monkeypatch.setattr(Path, "open", failing(PermissionError(errno.EACCES, "Permission denied")))
    with pytest.raises(InputError, match=r"its manifest\.json: cannot be read: Permission denied"):
        keep_run(tmp_path / "run", "after")


# --- streams --------------------------------------------------------------------------------------------------------


def start(*arguments: object, **streams: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "crossmargin.cli", *map(str, arguments)]
    return subprocess.run(command, check=False, text=True, **streams)


@needs_full_device
@pytest.mark.parametrize("arguments", [("check", TWINS), ("check", "nowhere", "--json"), ("--version",), ("--help",)])
def test_standard_output_that_is_full_is_one_message(arguments: tuple[object, ...]) -> None:
    with FULL.open("w") as full:
        ended = start(*arguments, stdout=full, stderr=subprocess.PIPE)
    assert ended.returncode == Exit.INPUT_INVALID
    assert ended.stderr == "standard output: cannot be written: No space left on device\n"


@needs_full_device
def test_standard_error_that_is_full_changes_no_code() -> None:
    with FULL.open("w") as full:
        ended = start("check", "nowhere", stdout=full, stderr=full)
        assert ended.returncode == Exit.INPUT_INVALID
        assert start("replay", stdout=full, stderr=full).returncode == Exit.USAGE
        ended = start("check", "nowhere", "--json", stdout=subprocess.PIPE, stderr=full)
    assert ended.returncode == Exit.INPUT_INVALID
    assert json.loads(ended.stdout)["errors"][0]["message"] == "no such file"


@pytest.mark.parametrize("arguments", [("check", TWINS), ("check", "nowhere", "--json"), ("--version",)])
def test_a_reader_that_has_gone_is_told_nothing(arguments: tuple[object, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = start(*arguments, stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (Exit.READER_GONE, "")


def test_streams_that_are_closed_swallow_their_text(
    crossmargin: Crossmargin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", None)
    monkeypatch.setattr("sys.stderr", None)
    assert crossmargin("check", "nowhere").code == Exit.INPUT_INVALID
    assert replay_model(crossmargin, TWINS, tmp_path / "run").code == Exit.OK


def test_wrong_use_of_options_is_one_object_with_json(crossmargin: Crossmargin) -> None:
    answer = crossmargin("replay", "--json")
    assert answer.code == Exit.USAGE
    assert json.loads(answer.out) == {"ok": False, "error": {"message": "Missing argument 'SCENARIO...'."}}
    assert "Missing argument" in answer.err
    assert crossmargin("--version").out == version("crossmargin") + "\n"


def test_of_very_many_mistakes_check_prints_the_first_and_counts_the_rest(
    crossmargin: Crossmargin, tmp_path: Path
) -> None:
    tape = tmp_path / "tape.csv"
    tape.write_text((DATA / "short.csv").read_text() + "x\n" * 30)
    answer = crossmargin("check", tape)
    assert answer.err.count("a row has 3 cells") == 20
    assert answer.err.endswith(f"{tape}: and 10 more; --json has them all\n")
    assert len(json.loads(crossmargin("check", tape, "--json").out)["errors"]) == 30
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(TWINS.read_text().replace("ETH, size", "ETHH, size"))
    answer = replay_model(crossmargin, scenario, tmp_path / "run")
    assert answer.err.count("unknown market") == 1
    assert answer.err.endswith("and 1 more: `crossmargin check` shows them all\n")


def test_a_pipe_is_read_once(crossmargin: Crossmargin, tmp_path: Path) -> None:
    for command in (("check",), ("replay", "--engine", "model", "--out", tmp_path / "run")):
        reader, writer = os.pipe()
        os.write(writer, TWINS.read_bytes())
        os.close(writer)
        try:
            assert crossmargin(*command, f"/dev/fd/{reader}").code == Exit.OK
        finally:
            os.close(reader)
    assert replay_model(crossmargin, TWINS, tmp_path / "file").code == Exit.OK
    digests = [
        json.loads((tmp_path / name / "manifest.json").read_text())["inputs"]["scenario"] for name in ("run", "file")
    ]
    assert digests[0] == digests[1]


# --- times ----------------------------------------------------------------------------------------------------------


def test_the_set_up_of_a_chain_lies_after_1970() -> None:
    assert CONFIGURE_TIME + SETUP_TIME < EARLIEST_START


@pytest.mark.parametrize("start", ["1970-01-01T00:00:00Z", "1970-01-02T23:59:59Z", "9999-01-01T00:00:00Z"])
@pytest.mark.parametrize("engine", ["model", "lockstep"])
def test_a_start_that_no_chain_can_have_is_refused(
    crossmargin: Crossmargin, tmp_path: Path, start: str, engine: str
) -> None:
    scenario = tmp_path / "far.yaml"
    scenario.write_text(TWINS.read_text().replace("2020-03-12T00:00:00Z", start))
    answer = crossmargin("replay", scenario, "--engine", engine, "--out", tmp_path / "run")
    assert answer.code == Exit.INPUT_INVALID
    assert answer.err.startswith(f"{scenario}:4:8: the scenario begins at {start}, which is out of range")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("start", ["1970-01-03T00:00:00Z", "9998-12-31T23:59:54Z"])
def test_the_first_and_the_last_start_run_on_a_chain(crossmargin: Crossmargin, tmp_path: Path, start: str) -> None:
    scenario = tmp_path / "far.yaml"
    scenario.write_text(f"title: t\nparams: reference\nstart: {start}\nsteps: [{{at: 5s, push: {{BTC: 8000}}}}]\n")
    assert crossmargin("replay", scenario, "--out", tmp_path / "run").code == Exit.OK


def test_a_tape_must_end_in_time(crossmargin: Crossmargin, tmp_path: Path) -> None:
    tape, scenario = tmp_path / "late.csv", tmp_path / "late.yaml"
    rows = (DATA / "short.csv").read_text()
    tape.write_text(rows + "253402300799,BTC,1\n")
    scenario.write_text("title: t\nparams: reference\ntape: late.csv\n")
    answer = crossmargin("check", scenario)
    assert answer.err.startswith(f"{scenario}:3:7: the tape ends at 9999-12-31T23:59:59Z")


def test_a_folder_without_scenarios_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no scenario is in this folder"):
        find_scenarios(str(tmp_path))
