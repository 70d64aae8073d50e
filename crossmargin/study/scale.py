"""Where a value stands on an axis, the same on every machine: exact decimals, and a correctly rounded logarithm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from crossmargin.study.measures import DOLLARS, SCALES

EXACT = Context(prec=28, rounding=ROUND_HALF_EVEN)  # libraries change the one that is in force (vyper does)
LINEAR_TO = 100  # dollars: up to here an axis of dollars is linear, so that it has a zero, beyond it is logarithmic
MOST_TICKS = 6
STEPS = (1, 2, 5)  # of each power of ten
NEAREST = Decimal("0.08")  # of an axis: closer ticks would have labels that overlap


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis of values of a unit, and its ticks."""

    unit: str
    lowest: int
    highest: int
    ticks: tuple[int, ...]

    def place(self, value: int) -> Decimal:
        """Where a value stands: 0 is the lower end of the axis, 1 the upper."""
        with localcontext(EXACT):
            low, high = (_stretch(end, self.unit) for end in (self.lowest, self.highest))
            return (_stretch(value, self.unit) - low) / (high - low)


def build_scale(values: Sequence[int], unit: str) -> Scale:
    """An axis on which all values have a place; it begins at 0 or below, unless all are beyond the linear part."""
    least, most = min(values), max(values)
    if unit != DOLLARS:
        step = next(step for step in _steps(1) if (max(most, 0) - min(least, 0)) <= step * (MOST_TICKS - 1))
        low, high = min(least, 0) // step, max(-(-most // step), 1)
        return Scale(unit, low * step, high * step, tuple(step * at for at in range(low, high + 1)))
    linear = LINEAR_TO * 10 ** SCALES[unit]
    low = _floor(least, linear) if least > linear else -_ceil(-least, linear) if least < 0 else 0
    high = -_floor(-most, linear) if most < -linear else _ceil(most, linear) if most > 0 else 0
    if low == high:
        high = linear
    powers = [linear * 10**power for power in range(len(str(max(abs(low), abs(high)) // linear)))]
    inner = [tick for tick in (*(-power for power in reversed(powers)), 0, *powers) if low < tick < high]
    scale = Scale(unit, low, high, ())
    kept = [tick for tick in inner if NEAREST < scale.place(tick) < 1 - NEAREST]
    return Scale(unit, low, high, (low, *kept, high))


def _steps(first: int) -> Iterator[int]:
    power = first
    while True:
        yield from (step * power for step in STEPS)
        power *= 10


def _ceil(value: int, first: int) -> int:
    return next(step for step in _steps(first) if step >= value)


def _floor(value: int, first: int) -> int:
    found = first
    for step in _steps(first):
        if step > value:
            break
        found = step
    return found


def _stretch(value: int, unit: str) -> Decimal:
    """Distance from zero on an axis: linear, for dollars logarithmic beyond the linear part."""
    if unit != DOLLARS:
        return Decimal(value)
    parts = Decimal(abs(value)) / Decimal(LINEAR_TO * 10 ** SCALES[unit])
    far = 1 + parts.log10() if parts > 1 else parts
    return far.copy_negate() if value < 0 else far
