"""How the values of a measure spread over runs: quartiles and the like, and their text. Integers throughout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crossmargin.study.measures import PER_CENT, SCALES

QUARTERS = 4


@dataclass(frozen=True, slots=True)
class Spread:
    """Lowest, quartiles, highest and mean of some values, at their scale.

    Quartiles are rounded down, the mean to the nearest.
    """

    lowest: int
    lower: int
    median: int
    upper: int
    highest: int
    mean: int


def compute_spread(values: Sequence[int]) -> Spread:
    """The spread of at least one value. A quartile between two values is interpolated."""
    found = sorted(values)
    lower, median, upper = (_quantile(found, quarter) for quarter in (1, 2, 3))
    return Spread(found[0], lower, median, upper, found[-1], (2 * sum(found) + len(found)) // (2 * len(found)))


def _quantile(found: Sequence[int], quarter: int) -> int:
    whole, part = divmod((len(found) - 1) * quarter, QUARTERS)
    above = found[min(whole + 1, len(found) - 1)]
    return found[whole] + (above - found[whole]) * part // QUARTERS


def show(value: int, unit: str, *, signed: bool = False) -> str:
    """A value for people: whole dollars, accounts, or per cent with one decimal, cut toward zero."""
    places = 1 if unit == PER_CENT else 0
    cut = abs(value) // 10 ** (SCALES[unit] - places)
    sign = "-" if value < 0 and cut else "+" if signed and cut else ""
    whole, fraction = divmod(cut, 10**places)
    return f"{sign}{whole:,}" + (f".{fraction}" if places else "")


def describe_spread(values: Sequence[int], unit: str) -> str:
    """Values in words."""
    spread = compute_spread(values)
    lower, upper, lowest, highest, mean = (
        show(value, unit) for value in (spread.lower, spread.upper, spread.lowest, spread.highest, spread.mean)
    )
    return (
        f"{_named(spread.median, unit)} in the median of {len(values)} runs (quartiles {lower} and {upper}, from "
        f"{lowest} to {highest}, mean {mean})"
    )


def describe_change(values: Sequence[int], unit: str) -> str:
    """Differences in words: how large, and in how many runs more and less."""
    spread = compute_spread(values)
    lower, upper, lowest, highest, mean = (
        show(value, unit, signed=True)
        for value in (spread.lower, spread.upper, spread.lowest, spread.highest, spread.mean)
    )
    more, less = count_signs(values)
    return (
        f"{_named(spread.median, unit, signed=True)} in the median (quartiles {lower} and {upper}, from {lowest} to "
        f"{highest}, mean {mean}), more in {more} and less in {less} of {len(values)} runs"
    )


def count_signs(values: Sequence[int]) -> tuple[int, int]:
    """How many values are above zero, and how many below."""
    return sum(value > 0 for value in values), sum(value < 0 for value in values)


def _named(value: int, unit: str, *, signed: bool = False) -> str:
    return f"{show(value, unit, signed=signed)} {'%' if unit == PER_CENT else unit}"
