"""Printing where what takes the text may be full, closed, or gone."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO


class OutputLost(Exception):
    """Standard output takes no more text; ``reason`` is empty if its reader has simply gone."""

    def __init__(self, problem: OSError) -> None:
        super().__init__(str(problem))
        self.reason = "" if isinstance(problem, BrokenPipeError) else problem.strerror or str(problem)


def prepare() -> None:
    """Let a closed stream swallow its text, and an encoding that lacks a character print its escape."""
    sys.stdout = sys.stdout or _swallow()
    sys.stderr = sys.stderr or _swallow()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _swallow() -> TextIO:
    return Path(os.devnull).open("w")


def say(text: str, end: str = "\n") -> None:
    """Print on standard output. Raises ``OutputLost``."""
    try:
        print(text, end=end, flush=True)
    except OSError as problem:
        raise lose(problem) from None


def lose(problem: OSError) -> OutputLost:
    """The error of standard output that takes no more text; what it still holds is dropped."""
    _silence(sys.stdout)
    return OutputLost(problem)


def warn(text: str, end: str = "\n") -> None:
    """Print on standard error; nobody can be told of text that it does not take."""
    try:
        print(text, end=end, file=sys.stderr, flush=True)
    except OSError:
        _silence(sys.stderr)


def _silence(stream: TextIO) -> None:
    """Let a stream swallow what it still holds: flushed at exit, it would fail once more."""
    with suppress(OSError), Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
