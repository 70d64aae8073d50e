"""Showing that a long command is alive: a line that moves on a terminal, one line every five seconds elsewhere."""

from __future__ import annotations

import sys
import time

INTERVAL = 5.0  # seconds between two lines where nothing can move


class Progress:
    """Progress of one job, on standard error. Use as a context manager."""

    def __init__(self, title: str, total: int) -> None:
        self._title = title
        self._total = total
        self._terminal = sys.stderr.isatty()
        self._started = self._shown = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if self._terminal:
            sys.stderr.write("\r\x1b[K")
        if kind is KeyboardInterrupt:
            sys.stderr.write(f"{self._title}: interrupted, nothing is kept\n")
        sys.stderr.flush()

    def __call__(self, phase: str, done: int) -> None:
        """Report the phase, and how many of the planned actions are done."""
        now = time.monotonic()
        if self._terminal:
            if now - self._shown >= 0.1 or done == 0:
                self._shown = now
                sys.stderr.write(f"\r\x1b[K{self._line(phase, done, now)}")
                sys.stderr.flush()
        elif now - self._shown >= INTERVAL or done == 0:
            self._shown = now
            sys.stderr.write(self._line(phase, done, now) + "\n")
            sys.stderr.flush()

    def _line(self, phase: str, done: int, now: float) -> str:
        elapsed = int(now - self._started)
        counted = f" {done} of {self._total} planned actions," if done else ""
        return f"{self._title}: {phase},{counted} {elapsed} s"
