"""Running the command line inside the test process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from crossmargin.cli import main
from tests.crossmargin.loading import DATA

TWINS = DATA / "twins.yaml"


@dataclass(frozen=True)
class Answer:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


Crossmargin = Callable[..., Answer]


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Answer:
    """Run ``crossmargin`` with arguments."""
    monkeypatch.setattr("sys.argv", ["crossmargin", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    code = ended.value.code
    return Answer(int(code or 0), printed.out, printed.err)


def replay_model(crossmargin: Crossmargin, scenario: Path, out: Path, *more: object) -> Answer:
    """Replay a scenario on the model alone."""
    return crossmargin("replay", scenario, "--engine", "model", "--out", out, *more)
