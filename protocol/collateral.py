"""What collateral is worth: at market, and after haircuts that grow with the amount (COL-1, COL-2)."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.params import HaircutBracket
from protocol.units import Price, Units, Usd, W, fdiv


def compute_token_value(units: Units, price: Price, decimals: int) -> Usd:
    """Market value of token units, rounded down against the account (COL-1)."""
    return fdiv(units * price, 10**decimals)


def compute_haircut_values(brackets: Sequence[HaircutBracket], value: Usd) -> tuple[Usd, Usd]:
    """What ``value`` counts for in equity_mm and equity_im, rounded down against the account (COL-2).

    Each part of the value is weighted by its own bracket, so the result is continuous, concave and
    non-decreasing: adding collateral never lowers it.
    """
    mm = im = 0
    for index, bracket in enumerate(brackets):
        if value <= bracket.lower:
            break
        upper = brackets[index + 1].lower if index + 1 < len(brackets) else value
        part = min(value, upper) - bracket.lower
        mm += part * bracket.mm_weight
        im += part * bracket.im_weight
    return fdiv(mm, W), fdiv(im, W)
