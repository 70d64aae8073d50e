"""The run folder: written aside, then put in place whole. A folder that holds anything else is never replaced."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crossmargin.errors import InputError
from crossmargin.textfile import read_text, unreadable

MANIFEST = "manifest.json"
MARK = "crossmargin-run"
FILES = frozenset({MANIFEST, "summary.txt", "timings.json", "trace.sqlite"})
LARGEST_MANIFEST = 10**8  # bytes; it has a line for each expectation that was missed
REMEDY = "move it away, or choose another with --out"


class RunFolder:
    """A run folder being written beside its final place. Use as a context manager; without ``keep`` nothing stays.

    A link stays one: the folder it points to is replaced.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self._place = Path(os.path.realpath(target))
        self._partial: Path | None = None

    def __enter__(self) -> RunFolder:
        check_replaceable(self.target)
        with self.writing():
            self._place.parent.mkdir(parents=True, exist_ok=True)
            # Not named for the target, whose name may be as long as names can be.
            self._partial = Path(tempfile.mkdtemp(prefix=".crossmargin.", dir=self._place.parent))
        return self

    def __exit__(self, *exception: object) -> None:
        if self._partial:
            shutil.rmtree(self._partial, ignore_errors=True)

    def file(self, name: str) -> Path:
        """Where to write a file of the run: one of ``FILES``."""
        assert self._partial is not None
        return self._partial / name

    def keep(self, manifest: dict[str, Any]) -> None:
        """Write the manifest and put the folder in its place, replacing an older run."""
        assert self._partial is not None
        text = json.dumps({"kind": MARK, **manifest}, indent=2, sort_keys=True) + "\n"
        old = self._partial.with_name(self._partial.name + ".old")
        with self.writing():
            self.file(MANIFEST).write_text(text, "utf-8")
            self._partial.chmod(0o755)
            try:
                if self._place.exists():
                    self._place.replace(old)
                self._partial.replace(self._place)
            finally:
                if old.exists() and not self._place.exists():
                    old.replace(self._place)
        self._partial = None
        shutil.rmtree(old, ignore_errors=True)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn what keeps the block from writing files of the run into one error."""
        try:
            yield
        except (OSError, sqlite3.Error) as problem:
            reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
            remedy = "make it writable, or choose another folder with --out"
            raise InputError(self.target, f"cannot write here: {reason}", remedy=remedy) from None


def check_replaceable(target: Path) -> None:
    """Refuse a target that exists and is not an empty folder or a run of ours and nothing more.

    It looks where the run will be written: `a/../b` is `b` there, also where there is no `a`.
    """
    place = Path(os.path.realpath(target))
    try:
        found = {path.name for path in place.iterdir()}
    except OSError as problem:
        if not os.path.lexists(place) or isinstance(problem, FileNotFoundError):
            return  # nothing is there, and if nothing can be, writing says why
        if isinstance(problem, NotADirectoryError):
            raise _foreign(target, "it is a file") from None
        raise unreadable(target, problem) from None
    if found:
        check_manifest(place)
    foreign = sorted(found - FILES)
    if foreign:
        raise InputError(target / foreign[0], "is not part of a run, and would be lost", remedy=REMEDY)
    if not os.access(place, os.W_OK):
        raise InputError(target, "cannot write here: the folder is read-only", remedy=REMEDY)


def check_manifest(target: Path) -> None:
    """Refuse a folder unless its manifest says that it is a run, in the very line that ``keep`` writes.

    It is not parsed: what others nest deeply enough ends the interpreter.
    """
    try:
        text = read_text(target / MANIFEST, LARGEST_MANIFEST)
    except InputError as error:
        raise _foreign(target, f"its {MANIFEST}: {error.message}") from None
    if f'\n  "kind": "{MARK}"' not in text:
        raise _foreign(target, f"its {MANIFEST} is not one of a run")


def _foreign(target: Path, reason: str) -> InputError:
    return InputError(target, f"exists and is not a run folder of crossmargin: {reason}", remedy=REMEDY)
