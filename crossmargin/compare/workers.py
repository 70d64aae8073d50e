"""Replaying variants in processes of their own, at most one for each processor, with progress in one line."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from crossmargin.compare.operands import Operand
from crossmargin.errors import Exit, InputError
from crossmargin.progress import Progress
from crossmargin.replay.command import replay
from crossmargin.replay.run import count_planned
from crossmargin.variants import load_variant


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there is no run of an operand: the exit code that says so, the message, and its facts for programs."""

    name: str
    code: int
    text: str
    facts: dict[str, Any]


@dataclass(slots=True)
class _Worker:
    """A process that replays one operand, and how far it is."""

    operand: Operand
    process: BaseProcess
    done: int = 0
    planned: int = 0


def replay_operands(operands: Sequence[Operand], folder: Path, most: int = 0) -> list[Failed]:
    """Replay scenarios on the model, each into the folder of its name below ``folder``; those that failed.

    ``most`` processes run at once, by default as many as there are processors.
    """
    waiting, failed = list(operands), list[Failed]()
    workers: dict[Any, _Worker] = {}  # by the connection on which each tells how far it is
    with Progress("compare", 0) as report, _ended(workers):
        while waiting or workers:
            while waiting and len(workers) < (most or os.cpu_count() or 1):
                receiving, worker = _start(waiting.pop(0), folder)
                workers[receiving] = worker
                report(f"replaying {worker.operand.name}", 0)
            for connection in wait(list(workers)):
                worker = workers[connection]
                told = _receive(connection, worker.operand)
                if isinstance(told, tuple):
                    worker.done, worker.planned = told
                    told_of = (one for one in workers.values() if one.planned)
                    counts = (f"{one.operand.name} {one.done} of {one.planned}" for one in told_of)
                    report(f"replaying, planned actions of {', '.join(counts)}", 1)
                    continue
                workers.pop(connection).process.join()
                failed += [told] if told else []
    return sorted(failed, key=lambda one: one.name)


def play(operand: Operand, folder: Path, connection: Connection) -> None:
    """The work of one process: pairs of actions done and planned are sent while it goes on, at last what came of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends its processes
    try:
        connection.send(_play(operand, folder, connection))
    except InputError as error:
        connection.send(Failed(operand.name, Exit.INPUT_INVALID, str(error), error.to_json()))


def _play(operand: Operand, folder: Path, connection: Connection) -> Failed | None:
    scenario = load_variant(operand.path, operand.variant)
    planned = count_planned(scenario)
    step = max(planned // 100, 1)

    def report(phase: str, done: int) -> None:
        if done % step == 0:
            connection.send((done, planned))

    run = replay(scenario, "model", "none", folder / operand.name, report)
    if run.failure:
        return Failed(operand.name, run.exit_code, f"{operand.text}: {run.failure}", {"message": run.failure})
    return None


def _start(operand: Operand, folder: Path) -> tuple[Any, _Worker]:
    context = multiprocessing.get_context()
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=play, args=(operand, folder, sending), daemon=True)
    process.start()
    sending.close()  # so that the end of the process is the end of what can be received
    return receiving, _Worker(operand, process)


def _receive(connection: Any, operand: Operand) -> tuple[int, int] | Failed | None:
    """What a process told; one that ended without a word has failed."""
    try:
        told: tuple[int, int] | Failed | None = connection.recv()
    except (EOFError, OSError):
        message = "the process that replayed it ended before its work was done"
        return Failed(operand.name, Exit.CHECK_FAILED, f"{operand.text}: {message}", {"message": message})
    return told


@contextmanager
def _ended(workers: Mapping[Any, _Worker]) -> Iterator[None]:
    """End the processes that are left when the block ends."""
    try:
        yield
    finally:
        for worker in workers.values():
            worker.process.terminate()
            worker.process.join()
