"""What collateral is worth: at market, and after haircuts that grow with the amount (COL-1 to COL-3)."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.params import CollateralParams, HaircutBracket
from protocol.state import CollateralPhase
from protocol.units import Price, Seconds, Units, Usd, W, fdiv


def compute_token_value(units: Units, price: Price, decimals: int) -> Usd:
    """Market value of token units, rounded down against the account (COL-1)."""
    return fdiv(units * price, 10**decimals)


def compute_haircut_values(brackets: Sequence[HaircutBracket], value: Usd) -> tuple[Usd, Usd]:
    """What ``value`` counts for in equity_mm and equity_im, rounded down against the account (COL-2).

    Each part of the value is weighted by its own bracket, so the result is continuous, concave and
    non-decreasing: adding collateral never lowers it.
    """
    mm = im = 0
    top = value  # from the top bracket down: the lower bound of one is the upper bound of the next
    for bracket in reversed(brackets):
        lower = bracket.lower
        if lower < top:
            mm += (top - lower) * bracket.mm_weight
            im += (top - lower) * bracket.im_weight
            top = lower
    return mm // W, im // W


def compute_haircuts_in_force(
    params: CollateralParams, phase: CollateralPhase, now: Seconds, value: Usd
) -> tuple[Usd, Usd]:
    """Haircut values with a change still being phased in (COL-3).

    Until the phase ends, the higher of the old and the new maintenance value counts; the initial one changes at once.
    """
    mm, im = compute_haircut_values(params.brackets, value)
    if now < phase.until:
        mm = max(mm, compute_haircut_values(phase.brackets, value)[0])
    return mm, im
