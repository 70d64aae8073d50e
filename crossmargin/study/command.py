"""``crossmargin study``: a study file in, its results, page and pictures out."""

from __future__ import annotations

import errno
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from crossmargin.errors import Exit, InputError, WrongUse
from crossmargin.library import STUDIES
from crossmargin.messages import clean
from crossmargin.output import say, warn
from crossmargin.progress import Progress
from crossmargin.replay.command import describe_inputs
from crossmargin.study.file import MOST_SEEDS
from crossmargin.study.page import render_conclusions, render_page
from crossmargin.study.picture import draw_pictures
from crossmargin.study.plan import Prepared, Study, check_variants, find_study, load_study, prepare
from crossmargin.study.results import Results, write_results
from crossmargin.study.workers import RunFailed, run_study

OUT = Path("out/studies")


def make_study(text: str, out: Path | None, seeds: int | None, as_json: bool) -> Exit:
    """The command. Nothing is written unless every run came to its end, and then every file or none.

    Raises ``WrongUse`` and ``InputError``.
    """
    if seeds is not None and not 1 <= seeds <= MOST_SEEDS:
        raise WrongUse(f"--seeds takes a number from 1 to {MOST_SEEDS}")
    study = load_study(find_study(text))
    if seeds is not None:
        study = replace(study, seeds=seeds)
    prepared = prepare(study)
    folder = out or OUT
    with open_partial(folder) as partial:
        try:
            with Progress(study.name, 0) as report:
                report("reading every scenario in every variant", 0)
                check_variants(study)
                rows = run_study(study, report)
                _check_unchanged(prepared)
        except RunFailed as failed:
            message = f"{clean(text)}: {failed}"
            warn(message)
            if as_json:
                say(json.dumps({"ok": False, "error": {"message": message}}))
            return failed.code
        results = build_results(prepared, rows)
        files = render_files(study, results)
        keep_files(files, partial, folder)
    paths = [str(folder / name) for name in files]
    if as_json:
        say(json.dumps({"ok": True, "study": study.name, "seeds": study.seeds, "runs": len(rows), "files": paths}))
    else:
        say("\n".join((study.model.title, "", *render_conclusions(study, results), "", *map(clean, paths))))
    return Exit.OK


def build_results(prepared: Prepared, rows: Mapping[Any, Any]) -> Results:
    """Rows with what they were made from: files by digest of what they say, and changes."""
    study = prepared.study
    facts = {"study": study.name, "command": write_command(study), **describe_facts(prepared)}
    return Results(prepared.measures, study.against, facts, rows)


def describe_facts(prepared: Prepared) -> dict[str, Any]:
    """What the runs of a study follow from, beside their seeds."""
    return {
        "scenarios": {
            label: {
                "scenario": scenario.name,
                "prices": scenario.tape.header["venue"] if scenario.tape else "rounds of the scenario's own",
                "inputs": describe_inputs(scenario, "model", "none")["inputs"],
            }
            for label, scenario in prepared.scenarios.items()
        },
        "variants": {label: list(variant.texts) for label, variant in prepared.study.variants.items()},
    }


def _check_unchanged(prepared: Prepared) -> None:
    """Refuse rows of files that are no longer those read at first: nobody could tell which row is of which."""
    if describe_facts(prepare(prepared.study)) != describe_facts(prepared):
        file = prepared.study.document.source.file
        raise InputError(file, "a file that it runs changed meanwhile", remedy="make the study again")


def write_command(study: Study) -> str:
    """The command that makes the study again."""
    path = study.document.source.file
    name = study.name if path.resolve().parent == STUDIES.path else str(path)
    more = () if study.seeds == study.model.seeds else ("--seeds", str(study.seeds))
    return shlex.join(("crossmargin", "study", name, *more))


def render_files(study: Study, results: Results) -> dict[str, str]:
    """The files of a study by name: results, page, pictures."""
    pictures = draw_pictures(study, results)
    page = render_page(study, results, list(pictures))
    return {f"{study.name}.json": write_results(results), f"{study.name}.md": page, **pictures}


@contextmanager
def open_partial(folder: Path) -> Iterator[Path]:
    """A folder within ``folder`` for files that are not whole yet, removed after the block.

    Refuses a place that cannot be written, before anybody waits for runs.
    """
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".crossmargin.", dir=folder))
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def keep_files(files: Mapping[str, str], partial: Path, folder: Path) -> None:
    """Write files whole into ``partial``, then put them in their places. What cannot be written replaces nothing."""
    for name, text in files.items():
        with _writing(folder / name):
            if (folder / name).is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            (partial / name).write_text(text, "utf-8")
    for name in files:
        with _writing(folder / name):
            (partial / name).replace(folder / name)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what keeps the block from writing into one error."""
    try:
        yield
    except OSError as problem:
        remedy = "choose another folder with --out"
        raise InputError(path, f"cannot be written: {problem.strerror}", remedy=remedy) from None
