"""The guide's first hour, walked through: its commands run in order, and print what it shows."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from crossmargin.library import SPECS
from tests.crossmargin.commands import run

GUIDE = (SPECS / "guide.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REFUSED = {"3000000.5", "wrong.yaml", "markets.ETH.tiers.1.mm=0.001"}  # in commands that are shown to be refused


def test_the_guide_is_true(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    walked = 0
    for language, text in BLOCK.findall(GUIDE):
        if language == "yaml":
            Path(text.split("\n", 1)[0].removeprefix("# ")).write_text(text, "utf-8")
        elif text.startswith("$ "):
            command, shown = text.removeprefix("$ ").split("\n", 1)
            code, printed = _run(command, capsys, monkeypatch)
            assert (code != 0) == any(mark in command for mark in REFUSED), (command, printed)
            _find_in_order(shown.splitlines(), printed.replace(f"{SPECS.parent}/", "").splitlines(), command)
            walked += 1
    assert walked == GUIDE.count("\n$ ")


def _run(command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """Exit code and what a command of the guide prints, progress apart; what needs a chain runs on the quick one."""
    program, *arguments = shlex.split(command)
    if program == "python3":
        done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr
    assert program == "crossmargin"
    if arguments[0] == "replay" and "--engine" not in arguments:
        arguments += ["--backend", "pyrevm"]
    answer = run(capsys, monkeypatch, *arguments)
    return answer.code, answer.out if answer.code == 0 else answer.out + answer.err


def _find_in_order(shown: list[str], printed: list[str], command: str) -> None:
    """Each line shown is printed, in this order; without `...` between two of them, right after one another."""
    place, may_skip = 0, False
    for line in shown:
        if line == "...":
            may_skip = True
            continue
        found = printed.index(line, place) if may_skip and line in printed[place:] else place
        assert printed[found : found + 1] == [line], (command, line, printed[place : place + 3])
        place, may_skip = found + 1, False
    assert may_skip or place == len(printed), (command, printed[place:])
