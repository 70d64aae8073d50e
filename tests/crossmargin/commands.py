"""Running the command line inside the test process."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from crossmargin.cli import main


@dataclass(frozen=True)
class Answer:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Answer:
    """Run ``crossmargin`` with arguments."""
    monkeypatch.setattr("sys.argv", ["crossmargin", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    code = ended.value.code
    return Answer(int(code or 0), printed.out, printed.err)
