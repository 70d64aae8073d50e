"""What liquidations of compared runs came from: those of later generations, and the dollars of each channel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crossmargin.quantities import read_decimal
from crossmargin.replay.contagion import CHANNELS
from crossmargin.text import decimal, dollars

LATER = "generation_2_up"  # liquidations that it took others for
NAMES = (LATER, *CHANNELS)


def read_cascade(result: Mapping[str, Any]) -> dict[str, int]:
    """A run's counts and dollars at scale W, by ``NAMES``; 0 where it tells none."""
    told = result.get("cascade", {"generations": {}, "channels": {}})
    later = sum(facts["liquidations"] for name, facts in told["generations"].items() if name != "1")
    channels = {name: read_decimal(told["channels"].get(name, "0"), 18) for name in CHANNELS}
    return {LATER: later, **channels}


def describe_cascade(found: Mapping[str, int]) -> dict[str, int | str]:
    """As ``--json`` has it."""
    return {name: value if name == LATER else decimal(value) for name, value in found.items()}


def show_cells(found: Mapping[str, int]) -> tuple[str, ...]:
    """As a page has it, by ``NAMES``."""
    return tuple(f"{found[name]:,}" if name == LATER else dollars(found[name]) for name in NAMES)


def tell_cascades(runs: Sequence[tuple[str, Mapping[str, int]]]) -> Iterator[str]:
    """The lines of a terminal's page: one for each run by its letter; none where no run has anything."""
    if not any(value for _, found in runs for value in found.values()):
        return
    yield ""
    yield f"{'Cascade':<10}" + "".join(f"{name.replace('_', ' '):>17}" for name in NAMES)
    for letter, found in runs:
        yield f"  {letter:<8}" + "".join(f"{cell:>17}" for cell in show_cells(found))
