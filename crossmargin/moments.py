"""Times in scenarios: after the start, by the calendar, or as a number of seconds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from crossmargin import quantities
from crossmargin.fields import Reader
from crossmargin.messages import shown
from crossmargin.quantities import BadText


@dataclass(frozen=True, slots=True)
class When:
    """A time: seconds after the scenario's start, or unix seconds."""

    seconds: int
    is_offset: bool

    def after(self, start: int) -> int:
        """Unix seconds."""
        return start + self.seconds if self.is_offset else self.seconds


@dataclass(frozen=True, slots=True)
class Moment(Reader[When]):
    """An offset such as ``1h30m``, or a UTC time."""

    def read(self, text: str) -> When:
        """An offset begins with a number and a letter, a time with a year."""
        if re.match(r"[0-9]{4}-|.*T", text):
            return When(quantities.read_time(text), is_offset=False)
        try:
            return When(quantities.read_duration(text), is_offset=True)
        except BadText:
            remedy = "write time since the start, like 90s or 1h30m, or a UTC time, like 2020-03-12T10:00:00Z"
            raise BadText(f"{shown(text)} is not a time", remedy) from None

    def write(self, value: When) -> str:
        """The shortest text."""
        written = quantities.write_duration if value.is_offset else quantities.write_time
        return written(value.seconds)

    def schema(self) -> dict[str, Any]:
        """Either form."""
        return {"type": "string", "pattern": f"^((?=[0-9]){quantities.DURATION}|{quantities.TIME})$"}


@dataclass(frozen=True, slots=True)
class UtcTime(Reader[int]):
    """Unix seconds, written as a UTC time."""

    def read(self, text: str) -> int:
        """Like 2020-03-12T10:00:00Z."""
        return quantities.read_time(text)

    def schema(self) -> dict[str, Any]:
        """A UTC time."""
        return {"type": "string", "pattern": f"^{quantities.TIME}$"}


@dataclass(frozen=True, slots=True)
class Instant(Reader[When]):
    """A time that an action says: an offset, a UTC time, or whatever number of seconds it sends."""

    bits: int

    def read(self, text: str) -> When:
        """Digits alone are unix seconds."""
        if re.fullmatch(quantities.INTEGER, text):
            return When(quantities.read_integer(text, 2**self.bits), is_offset=False)
        return Moment().read(text)

    def write(self, value: When) -> str:
        """Unix seconds, since they can be any number."""
        return quantities.write_duration(value.seconds) if value.is_offset else str(value.seconds)

    def schema(self) -> dict[str, Any]:
        """Any of the forms."""
        forms = f"(?=[0-9]){quantities.DURATION}|{quantities.TIME}|{quantities.INTEGER}"
        return {"type": ["string", "integer"], "minimum": 0, "pattern": f"^({forms})$"}
