"""The run folder: written aside, then put in place whole. A folder that is not ours is never replaced."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from crossmargin.errors import InputError

MANIFEST = "manifest.json"
MARK = "crossmargin-run"


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
            raise InputError(
                self.target, f"cannot write here: {error.strerror}", remedy="choose another folder with --out"
            ) from None
        return self

    def __exit__(self, *exception: object) -> None:
        if self._partial:
            shutil.rmtree(self._partial, ignore_errors=True)

    def file(self, name: str) -> Path:
        """Where to write a file of the run."""
        assert self._partial is not None
        return self._partial / name

    def keep(self, manifest: dict[str, Any]) -> None:
        """Write the manifest and put the folder in its place, replacing an older run."""
        assert self._partial is not None
        self.file(MANIFEST).write_text(json.dumps({"kind": MARK, **manifest}, indent=2, sort_keys=True) + "\n", "utf-8")
        self._partial.chmod(0o755)
        if self.target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{self.target.name}.", dir=self.target.parent))
            self.target.replace(old / "run")
            self._partial.replace(self.target)
            shutil.rmtree(old)
        else:
            self._partial.replace(self.target)
        self._partial = None


def check_replaceable(target: Path) -> None:
    """Refuse a target that exists and is not a run of ours."""
    if not target.exists():
        return
    try:
        ours = json.loads((target / MANIFEST).read_text("utf-8"))["kind"] == MARK
    except (OSError, ValueError, KeyError, TypeError):
        ours = target.is_dir() and not any(target.iterdir())
    if not ours:
        raise InputError(
            target, "exists and is not a run folder of crossmargin", remedy="move it away, or choose another with --out"
        )
