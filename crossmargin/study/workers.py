"""Running a study: its runs on the model, in processes of their own, one for each processor."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from crossmargin.errors import Exit, InputError
from crossmargin.replay.command import Report
from crossmargin.study.measures import find_measure, measure_run
from crossmargin.study.plan import SEED, Study
from crossmargin.study.results import Key
from crossmargin.variants import load_variant, read_variant
from protocol.errors import InvariantBroken


class RunFailed(Exception):
    """A run that ended before its last action, with the reason, and the exit code that says so."""

    def __init__(self, message: str, code: Exit) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Task:
    """One run: a scenario, its changes, and the names of what is measured."""

    path: Path
    texts: tuple[str, ...]
    measures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there are no measures of a run, and the exit code that says so."""

    reason: str
    code: Exit


def run_task(task: Task) -> tuple[int, ...] | Failed:
    """The measures of a run, or why there are none: its files may have changed since the study began."""
    try:
        scenario = load_variant(task.path, read_variant(task.texts))
    except InputError as error:
        return Failed(str(error), Exit.INPUT_INVALID)
    measures = [measure for name in task.measures if (measure := find_measure(name, scenario.params))]
    try:
        return measure_run(scenario, measures)
    except InvariantBroken as broken:
        return Failed(f"an invariant does not hold: {broken}", Exit.DIVERGENCE)


def build_task(study: Study, key: Key) -> Task:
    """The task of one run of a study."""
    scenario, variant, seed = key
    texts = (*study.variants[variant].texts, f"{SEED}={seed}")
    return Task(study.scenarios[scenario], texts, study.model.measures)


def run_study(study: Study, report: Report, most: int = 0) -> dict[Key, tuple[int, ...]]:
    """A row for every run, in order, whoever was first. ``most`` processes work at once, by default one a processor.

    Raises ``RunFailed`` at the first run that fails.
    """
    keys = list(study.cells())
    rows: dict[Key, tuple[int, ...]] = {}
    report(f"starting {len(keys)} runs", 0)
    executor = ProcessPoolExecutor(most or os.cpu_count() or 1, initializer=_ignore_interrupts)
    try:
        waiting = {executor.submit(run_task, build_task(study, key)): key for key in keys}
        for future in as_completed(waiting):
            rows[waiting[future]] = _take(future, waiting[future])
            report(f"{len(rows)} of {len(keys)} runs", len(rows))
    except BaseException:
        for process in multiprocessing.active_children():  # nobody will see their rows, nor wait without a word
            process.terminate()
        raise
    finally:
        executor.shutdown(cancel_futures=True)
    return {key: rows[key] for key in keys}


def _take(future: Future[tuple[int, ...] | Failed], key: Key) -> tuple[int, ...]:
    try:
        row = future.result()
    except BrokenProcessPool:
        raise RunFailed("a process ended before its work was done", Exit.CHECK_FAILED) from None
    if isinstance(row, Failed):
        raise RunFailed("{}, {}, seed {}: {}".format(*key, row.reason), row.code)
    return row


def _ignore_interrupts() -> None:
    """The parent is interrupted too, and ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
