"""``crossmargin compare``: runs in, one comparison out."""

from __future__ import annotations

import json
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from crossmargin.compare.operands import Operand, read_operands
from crossmargin.compare.page import render_page
from crossmargin.compare.record import Record, read_record
from crossmargin.compare.report import compare_records, describe_comparisons
from crossmargin.compare.table import render_table
from crossmargin.compare.workers import Failed, replay_operands
from crossmargin.errors import Exit, InputError
from crossmargin.library import exists
from crossmargin.messages import clean
from crossmargin.output import say, warn

OTHER_PAGE = "choose another with --html"


def compare_all(texts: list[str], changed: list[str], params: str, html: Path | None, as_json: bool) -> Exit:
    """The command: the first operand is the base; an operand that fails is one message, and the others are compared.

    The worst exit code of them; two runs that differ are no failure. Raises ``WrongUse``, and ``InputError`` for
    operands that are none, a page that cannot be written, and a base that failed.
    """
    operands = read_operands(texts, changed, params)
    if html:
        check_page(html)
    command = write_command(texts, changed, params)
    records, failed = collect_records(operands)
    for one in failed:
        warn(f"{one.name}: {one.text}")
    base = records.get(operands[0].name)
    comparisons = [compare_records(base, other) for other in records.values() if base and other is not base]
    if base and comparisons:
        if html:
            write_page(html, render_page(base, comparisons, command))
        if not as_json:
            say(render_table(base, comparisons, command), end="")
    if as_json:
        say(json.dumps(describe_comparisons(base, comparisons, failed, command)))
    elif not comparisons:
        warn(
            "nothing to compare" + ("" if base else f": {clean(operands[0].text)} is what the others are held against")
        )
    return Exit(max((one.code for one in failed), default=Exit.OK))


def collect_records(operands: Sequence[Operand]) -> tuple[dict[str, Record], list[Failed]]:
    """The runs by name, in the order of the operands, and those that failed. Scenarios are replayed first."""
    with temporary_folder() as folder:
        failed = replay_operands([operand for operand in operands if not operand.is_run], folder)
        records: dict[str, Record] = {}
        for operand in operands:
            if operand.name in {one.name for one in failed}:
                continue
            kept = operand.path if operand.is_run else folder / operand.name
            try:
                records[operand.name] = read_record(operand.name, operand.text, kept)
            except InputError as error:
                failed.append(Failed(operand.name, Exit.INPUT_INVALID, str(error), error.to_json()))
    return records, failed


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for the runs, which is removed after the block. Refuses a machine that has no place for one."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="crossmargin."))
    except OSError as problem:
        where, remedy = tempfile.gettempdir(), "name a folder that can be written in TMPDIR"
        raise InputError(where, f"cannot write here: {problem.strerror}", remedy=remedy) from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_command(texts: Sequence[str], changed: Sequence[str], params: str) -> str:
    """The command that makes the comparison again."""
    options = [f"--set={text}" for text in changed] + ([f"--params={params}"] if params else [])
    return shlex.join(("crossmargin", "compare", *texts, *options))


def check_page(path: Path) -> None:
    """Refuse a place for the page that is a folder, or in no folder, before anything is replayed."""
    if exists(path) and path.is_dir():
        raise InputError(path, "is a folder, not a file", remedy=OTHER_PAGE)
    if not exists(path.parent):
        raise InputError(path.parent, "no such folder", remedy=OTHER_PAGE)


def write_page(path: Path, page: str) -> None:
    """Write the page. Refuses a place that cannot be written."""
    try:
        path.write_text(page, "utf-8")
    except OSError as problem:
        raise InputError(path, f"cannot be written: {problem.strerror}", remedy=OTHER_PAGE) from None
