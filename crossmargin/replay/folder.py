"""The run folder: written aside, then put in place whole. A folder that holds anything else is never replaced."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from crossmargin.errors import InputError

MANIFEST = "manifest.json"
MARK = "crossmargin-run"
FILES = frozenset({MANIFEST, "summary.txt", "timings.json", "trace.sqlite"})


class RunFolder:
    """A run folder being written beside its final place. Use as a context manager; without ``keep`` nothing stays."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self._partial: Path | None = None

    def __enter__(self) -> RunFolder:
        check_replaceable(self.target)
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self._partial = Path(tempfile.mkdtemp(prefix=f".{self.target.name}.", dir=self.target.parent))
        except OSError as error:
            raise self._unwritable(error) from None
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
        self.file(MANIFEST).write_text(json.dumps({"kind": MARK, **manifest}, indent=2, sort_keys=True) + "\n", "utf-8")
        self._partial.chmod(0o755)
        old = self._partial.with_name(self._partial.name + ".old")
        try:
            if self.target.exists():
                self.target.replace(old)
            self._partial.replace(self.target)
        except OSError as error:
            if old.exists():
                old.replace(self.target)
            raise self._unwritable(error) from None
        self._partial = None
        shutil.rmtree(old, ignore_errors=True)

    def _unwritable(self, error: OSError) -> InputError:
        return InputError(
            self.target, f"cannot write here: {error.strerror}", remedy="choose another folder with --out"
        )


def check_replaceable(target: Path) -> None:
    """Refuse a target that exists and is not an empty folder or a run of ours and nothing more."""
    if not target.exists():
        return
    remedy = "move it away, or choose another with --out"
    found: set[str] = set()
    try:
        found = {path.name for path in target.iterdir()}
        ours = not found or json.loads((target / MANIFEST).read_text("utf-8"))["kind"] == MARK
    except (OSError, ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise InputError(target, "exists and is not a run folder of crossmargin", remedy=remedy)
    foreign = sorted(found - FILES)
    if foreign:
        raise InputError(target / foreign[0], "is not part of a run, and would be lost", remedy=remedy)
    if not os.access(target, os.W_OK):
        raise InputError(target, "cannot write here: the folder is read-only", remedy=remedy)
