"""The command `crossmargin study`: its files, what is measured of a run, and what it refuses."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from decimal import localcontext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from contracts_py.keys import address_of
from crossmargin.errors import Exit, InputError
from crossmargin.quantities import read_decimal
from crossmargin.replay.crowd import add_up_members
from crossmargin.replay.run import Replay
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import Scenario
from crossmargin.study import workers
from crossmargin.study.command import keep_files, make_study, open_partial, render_files
from crossmargin.study.measures import COMMON, Measure, Outcome, compute_growth, find_measure
from crossmargin.study.plan import load_study, parse_study, prepare
from crossmargin.study.results import Results, read_results, write_results
from crossmargin.study.workers import Failed, RunFailed, Task, run_study, run_task
from crossmargin.yamltext import parse_yaml
from protocol.errors import InvariantBroken
from protocol.events import PositionUpdated
from protocol.units import BPS, W
from tests.crossmargin.commands import Crossmargin, run
from tests.crossmargin.loading import DATA

STUDY = DATA / "study.yaml"
TEXT = STUDY.read_text("utf-8")
SMALL = DATA / "small_population.yaml"
FILES = ["study.json", "study.md", "study-bad_debt.svg", "study-closed_share_BTC.svg", "study-lost-change.svg"]


@pytest.fixture
def crossmargin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Crossmargin:
    """The command, run in this process beside the files of ``data``."""
    monkeypatch.chdir(DATA)
    return lambda *arguments: run(capsys, monkeypatch, *arguments)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the small study with two seeds, made by two processes."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(DATA)
        patch.setattr("os.cpu_count", lambda: 2)
        assert make_study("study.yaml", folder, 2, as_json=False) == Exit.OK
    return folder


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """The small scenario, played to its end."""
    scenario = load_scenario(SMALL, address_of)
    found = Outcome(scenario)
    for done in Replay(scenario, "model", None).play():
        found.take(done)
    return found


def results_in(folder: Path) -> Results:
    ready = prepare(load_study(STUDY))
    return read_results(folder / "study.json", ready.measures, ready.study.against)


def ignore(phase: str, done: int) -> None:
    """A report that nobody reads."""


# --- what it makes --------------------------------------------------------------------------------------------------


def test_it_writes_results_page_and_pictures(made: Path) -> None:
    assert sorted(path.name for path in made.iterdir()) == sorted(FILES)
    facts = json.loads((made / "study.json").read_text("utf-8"))
    assert facts["command"] == "crossmargin study study.yaml --seeds 2"
    assert set(facts["scenarios"]["small"]["inputs"]) == {"scenario", "params", "tape", "profile"}
    assert [row[:3] for row in facts["rows"]] == [["small", at, seed] for at in ("now", "late") for seed in (1, 2)]


def test_one_process_makes_the_same_bytes_as_two(
    made: Path, crossmargin: Crossmargin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    answer = crossmargin("study", "study.yaml", "--seeds", 2, "--out", tmp_path / "new" / "folder", "--json")
    told = json.loads(answer.out)
    assert answer.code == Exit.OK
    assert (told["ok"], told["study"], told["seeds"], told["runs"]) == (True, "study", 2, 4)
    assert [Path(file).name for file in told["files"]] == FILES
    for file in told["files"]:
        assert Path(file).read_bytes() == (made / Path(file).name).read_bytes()


def test_what_is_read_again_makes_the_same_files(made: Path) -> None:
    results = results_in(made)
    assert write_results(results) == (made / "study.json").read_text("utf-8")
    for file, text in render_files(load_study(STUDY), results).items():
        assert (made / file).read_text("utf-8") == text


def test_a_late_keeper_leaves_bad_debt_and_the_page_says_how_much(made: Path) -> None:
    results = results_in(made)
    now, late = (results.values("bad_debt", variant) for variant in ("now", "late"))
    assert [after - before for before, after in zip(now, late, strict=True)] == results.changes("bad_debt", "late")
    assert min(results.changes("bad_debt", "late")) > 0
    page = " ".join((made / "study.md").read_text("utf-8").split())
    assert "more in 2 and less in 0 of 2 runs." in page
    assert f"| small | late | {min(late) // W:,} |" in page


def test_a_bar_in_an_axis_or_a_change_divides_no_cell(made: Path) -> None:
    text = TEXT.replace("axis: latency", "axis: late | not").replace("latency: 2h", "latency: 2h | 3h")
    study = parse_study(parse_yaml(text, STUDY))
    results = results_in(made)
    variants = {label: list(variant.texts) for label, variant in study.variants.items()}
    page = render_files(study, replace(results, facts={**results.facts, "variants": variants}))["study.md"]
    assert "| Variant (late \\| not) | Changes | Held against |" in page
    assert "| late | `keepers={kestrel: {latency: 2h \\| 3h}}` | now |" in page


def test_a_decimal_context_that_a_library_left_changes_no_byte(made: Path) -> None:
    results = results_in(made)
    with localcontext() as context:
        context.prec = 5
        files = render_files(load_study(STUDY), results)
    assert [(made / file).read_text("utf-8") for file in files] == list(files.values())


def test_results_of_another_study_are_refused(made: Path, tmp_path: Path) -> None:
    ready = prepare(load_study(STUDY))
    fewer = dict(list(ready.measures.items())[:2])
    with pytest.raises(InputError, match="its columns are scenario, variant, seed, bad_debt"):
        read_results(made / "study.json", fewer, {})
    (tmp_path / "study.json").write_text("[]", "utf-8")
    with pytest.raises(InputError, match="is not the results of a study"):
        read_results(tmp_path / "study.json", ready.measures, {})


# --- what is measured -----------------------------------------------------------------------------------------------


def measure(name: str, outcome: Outcome) -> int:
    found = find_measure(name, outcome.scenario.params)
    assert isinstance(found, Measure)
    return found.read(outcome)


def test_measures_are_those_of_the_run(outcome: Outcome) -> None:
    reports = [found.report for found in outcome.story.liquidations]
    assert measure("bad_debt", outcome) == sum(report.bad_debt for report in reports) == 268394463664159446265
    assert measure("paid_by_pool", outcome) == sum(report.bad_debt_pool for report in reports)
    accounts = {spec.id: name for name, spec in outcome.scenario.accounts.items()}
    assert measure("liquidated", outcome) == len({accounts[report.account] for report in reports})
    closed = measure("closed.BTC", outcome) + measure("closed.ETH", outcome)
    assert 0 <= sum(report.closed_notional for report in reports) - closed < len(reports) * 2
    assert measure("closed_share.ETH", outcome) == measure("closed.ETH", outcome) * BPS // outcome.opened[1]
    assert measure("liquidated.ETH", outcome) == len({
        fill.account for found in outcome.story.liquidations for fill in found.fills if fill.market == 1
    })  # fmt: skip


def test_what_the_pool_gains_is_what_is_there_less_what_was_paid_in(outcome: Outcome) -> None:
    worth = read_decimal("22017126.60118089158052405", 18)  # what the scenario expects
    paid = outcome.story.pool_paid_in - outcome.story.pool_paid_out
    assert measure("pool_gain", outcome) == worth - paid


def test_losses_are_those_of_the_losers_alone_and_the_result_is_of_all(outcome: Outcome) -> None:
    assert outcome.last is not None
    scenario = outcome.scenario
    members = add_up_members(scenario.members, scenario.accounts, outcome.story, outcome.last)
    changes = [one.left - one.paid_in for one in members]
    assert max(changes) > 0
    assert measure("lost", outcome) == -sum(change for change in changes if change < 0)
    assert measure("result", outcome) == sum(changes)


@pytest.mark.parametrize(
    ("size", "delta", "grown"),
    [(3, 3, 3), (5, 2, 2), (1, -2, 0), (0, -3, 0), (-2, -5, 2), (-5, -2, 2), (-1, 2, 0)],
)
def test_growth_is_what_a_fill_adds_on_the_side_it_ends_on(size: int, delta: int, grown: int) -> None:
    fill = PositionUpdated(1, 0, size * W, 0, 0, delta * W, 10 * W, 0, 0, 0, 0)
    assert compute_growth(fill) == grown * 10 * W


def test_every_common_measure_has_its_own_name() -> None:
    assert len({one.name for one in COMMON}) == len({one.title for one in COMMON}) == len(COMMON)


def test_invariants_that_break_within_the_interval_are_seen_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[Any] = []
    monkeypatch.setattr("crossmargin.replay.run.check_all", checked.append)
    replay = Replay(load_scenario(SMALL, address_of), "model", None, 10**9)
    assert sum(1 for _ in replay.play()) > 100
    assert checked == [replay.world.protocol]


def test_a_run_whose_invariants_break_ends_the_study(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise InvariantBroken("the sum is wrong")

    monkeypatch.setattr(workers, "measure_run", fail)
    by_forking(monkeypatch)
    with pytest.raises(RunFailed, match=r"small, \w+, seed \d: an invariant does not hold: the sum is wrong") as failed:
        run_study(load_study(STUDY), ignore)
    assert failed.value.code == Exit.DIVERGENCE


def test_a_process_that_is_killed_ends_the_study(
    monkeypatch: pytest.MonkeyPatch, crossmargin: Crossmargin, tmp_path: Path
) -> None:
    def end(*arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(workers, "measure_run", end)
    by_forking(monkeypatch)
    answer = crossmargin("study", "study.yaml", "--out", tmp_path / "out", "--json")
    assert answer.code == Exit.CHECK_FAILED
    assert json.loads(answer.out)["error"]["message"] == "study.yaml: a process ended before its work was done"
    assert list((tmp_path / "out").iterdir()) == []


def test_an_interrupt_ends_the_processes_that_still_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang_but_once(scenario: Scenario, measures: object) -> tuple[int, ...]:
        if "population.seed=1" not in scenario.changes:
            signal.alarm(20)  # so that a study that waits for this one fails, not hangs
            signal.pause()
        return (0,)

    running: list[BaseProcess] = []

    def interrupt(phase: str, done: int) -> None:
        if done:
            running.extend(multiprocessing.active_children())
            raise KeyboardInterrupt

    monkeypatch.setattr(workers, "measure_run", hang_but_once)
    by_forking(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run_study(load_study(STUDY), interrupt, 2)
    assert [process.exitcode for process in running] == [-signal.SIGTERM] * 2


def by_forking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes begin as copies of this one, with what was patched."""
    forking = multiprocessing.get_context("fork")
    monkeypatch.setattr(
        workers,
        "ProcessPoolExecutor",
        lambda most, initializer: ProcessPoolExecutor(most, mp_context=forking, initializer=initializer),
    )


# --- what it refuses ------------------------------------------------------------------------------------------------


def test_a_file_that_a_run_no_longer_finds_ends_the_study_with_its_reason(tmp_path: Path) -> None:
    answer = run_task(Task(tmp_path / "gone.yaml", (), ()))
    assert isinstance(answer, Failed)
    assert answer.code == Exit.INPUT_INVALID
    assert answer.reason.startswith(f"{tmp_path / 'gone.yaml'}: ")


def test_a_file_that_changes_while_its_runs_go_on_ends_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crossmargin: Crossmargin
) -> None:
    scenario = tmp_path / "small_population.yaml"
    scenario.write_text(SMALL.read_text("utf-8"), "utf-8")
    (tmp_path / "mine.yaml").write_text(TEXT, "utf-8")

    def change(*arguments: object) -> dict[str, object]:
        scenario.write_text(SMALL.read_text("utf-8").replace("isolated: 20", "isolated: 30"), "utf-8")
        return {}

    monkeypatch.setattr("crossmargin.study.command.run_study", change)
    answer = crossmargin("study", tmp_path / "mine.yaml", "--out", tmp_path / "out")
    assert answer.code == Exit.INPUT_INVALID
    assert f"{tmp_path / 'mine.yaml'}: a file that it runs changed meanwhile" in answer.err
    assert list((tmp_path / "out").iterdir()) == []


def test_the_command_tells_mistakes_with_place_and_exit_code(crossmargin: Crossmargin, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(TEXT.replace("seeds: 3", "seeds: no"), "utf-8")
    answer = crossmargin("study", tmp_path / "mine.yaml")
    assert answer.code == Exit.INPUT_INVALID
    assert answer.err.startswith(f"{tmp_path / 'mine.yaml'}:8:8: ")
    assert crossmargin("study", "keeper_latencies").err.startswith(
        "keeper_latencies: no study is called `keeper_latencies`, did you mean `keeper_latency`?"
    )
    assert crossmargin("study", "study.yaml", "--seeds", 0).code == Exit.USAGE
    assert crossmargin("study", tmp_path).err.startswith(f"{tmp_path}: is a folder, not a study")
    answer = crossmargin("study", "study.yaml", "--out", tmp_path / "mine.yaml")
    assert (answer.code, "cannot be written" in answer.err) == (Exit.INPUT_INVALID, True)


@pytest.mark.parametrize("name", ["two.svg", "t" * 300])
def test_a_file_that_cannot_be_written_leaves_those_of_before(tmp_path: Path, name: str) -> None:
    (tmp_path / "one.md").write_text("before", "utf-8")
    (tmp_path / "two.svg").mkdir()
    with pytest.raises(InputError, match="cannot be written") as told, open_partial(tmp_path) as partial:
        keep_files({"one.md": "after", name: ""}, partial, tmp_path)
    assert told.value.file == str(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.md", "two.svg"]
    assert (tmp_path / "one.md").read_text("utf-8") == "before"


def test_a_folder_that_takes_no_file_is_refused_before_the_first_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crossmargin: Crossmargin
) -> None:
    def refuse(**arguments: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    monkeypatch.setattr("crossmargin.study.command.run_study", lambda *arguments: pytest.fail("it ran"))
    answer = crossmargin("study", "study.yaml", "--out", tmp_path)
    assert (answer.code, answer.err) == (
        Exit.INPUT_INVALID,
        f"{tmp_path}: cannot be written: Permission denied\n  choose another folder with --out\n",
    )


def test_check_reads_a_study_with_its_scenarios_and_variants(crossmargin: Crossmargin, tmp_path: Path) -> None:
    assert crossmargin("check", "study.yaml").out == "study.yaml: a valid study\n"
    text = TEXT.replace("small_population.yaml", str(SMALL)).replace("keepers={kestrel: {}}", "insurance=-1")
    (tmp_path / "mine.yaml").write_text(text, "utf-8")
    answer = crossmargin("check", tmp_path / "mine.yaml")
    assert answer.code == Exit.INPUT_INVALID
    assert answer.err.startswith(f"{tmp_path / 'mine.yaml'}:14:")
