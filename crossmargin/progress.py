"""Showing that a long command is alive: a line that moves on a terminal, one line every five seconds elsewhere."""

from __future__ import annotations

import sys
import time

from crossmargin.messages import clean
from crossmargin.output import warn

INTERVAL = 5.0  # seconds between two lines where nothing can move


class Progress:
    """Progress of one job, on standard error; a total of 0 is not shown. Use as a context manager."""

    def __init__(self, title: str, total: int) -> None:
        self._title = clean(title)
        self._total = total
        self._terminal = sys.stderr.isatty()
        self._started = self._shown = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if self._terminal:
            warn("\r\x1b[K", end="")
        if kind is KeyboardInterrupt:
            warn(f"{self._title}: interrupted, nothing is kept")

    def __call__(self, phase: str, done: int) -> None:
        """Report the phase, and how many of the planned actions are done."""
        now = time.monotonic()
        if self._terminal:
            if now - self._shown >= 0.1 or done == 0:
                self._shown = now
                warn(f"\r\x1b[K{self._line(phase, done, now)}", end="")
        elif now - self._shown >= INTERVAL or done == 0:
            self._shown = now
            warn(self._line(phase, done, now))

    def _line(self, phase: str, done: int, now: float) -> str:
        elapsed = int(now - self._started)
        counted = f" {done} of {self._total} planned actions," if done and self._total else ""
        return f"{self._title}: {phase},{counted} {elapsed} s"
