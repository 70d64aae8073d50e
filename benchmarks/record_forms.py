"""What the form of a record costs: ``python -m benchmarks.record_forms`` (specs/decisions/0006-records.md).

The record is a position, three integers. Times are CPU nanoseconds per operation, the median of several rounds in which
all forms take turns; quote ratios.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import process_time
from timeit import Timer
from typing import Any, NamedTuple

from protocol.state import Position

ROUNDS = 7
COUNT = 100_000
MANY = 20_000


class AsTuple(NamedTuple):
    """A position as a named tuple."""

    size: int
    cost: int
    entry_index: int


@dataclass(frozen=True, slots=True)
class Frozen:
    """A position that refuses to be changed at run time."""

    size: int
    cost: int
    entry_index: int


@dataclass
class Roomy:
    """A position that keeps its fields in a dict."""

    size: int
    cost: int
    entry_index: int


class Plain:
    """A position as a class with nothing but a constructor."""

    def __init__(self, size: int, cost: int, entry_index: int) -> None:
        self.size = size
        self.cost = cost
        self.entry_index = entry_index


FORMS: dict[str, Callable[[int, int, int], Any]] = {
    "slots (ours)": Position,
    "slots, frozen": Frozen,
    "NamedTuple": AsTuple,
    "no slots": Roomy,
    "plain class": Plain,
}
OPERATIONS = {"create": "make(7, 9, 5)", "read a field": "one.size", "compare": "one == other", "hash": "hash(one)"}
SAMPLE = (10**20, 10**22, 10**21)


def time_operation(make: Callable[[int, int, int], Any], statement: str) -> float | None:
    """Nanoseconds per execution, or nothing if the form cannot do it."""
    names = {"make": make, "one": make(*SAMPLE), "other": make(*SAMPLE)}
    try:
        return Timer(statement, globals=names, timer=process_time).timeit(COUNT) * 1e9 / COUNT
    except TypeError:
        return None


def bytes_each(make: Callable[[int, int, int], Any]) -> float:
    """Memory of one record, its integers apart."""
    tracemalloc.start()
    kept = [make(*SAMPLE) for _ in range(MANY)]
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return used / len(kept) - 8  # the list's own pointer


def main() -> int:
    """Print the table."""
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        for name, make in FORMS.items():
            for operation, statement in OPERATIONS.items():
                took = time_operation(make, statement)
                if took is not None:
                    times.setdefault((name, operation), []).append(took)
    print(f"{'nanoseconds':<22}" + "".join(f"{operation:>14}" for operation in OPERATIONS) + f"{'bytes each':>14}")
    for name, make in FORMS.items():
        cells = [
            f"{median(times[name, operation]):>14.0f}" if (name, operation) in times else f"{'-':>14}"
            for operation in OPERATIONS
        ]
        print(f"{name:<22}" + "".join(cells) + f"{bytes_each(make):>14.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
