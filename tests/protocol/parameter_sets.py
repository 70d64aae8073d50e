"""Parameters with one field changed, brackets and tiers from round numbers, and what a check says of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocol.errors import Refusal
from protocol.params import EquityTier, HaircutBracket, MarginBracket
from protocol.units import W
from tests.protocol.build import MARKETS

MARKET = MARKETS[0]
USD = 2**96
CLOSING = 175 * W // 10_000  # the reference closing cost: 0.25 % reward, 1 % penalty and 0.5 % impact


def changed(field: str, value: int) -> dict[str, Any]:
    """The keyword arguments that set one field."""
    return {field: value}


def code_of(check: Callable[..., None], *arguments: Any) -> str:
    """``ok`` or the code of the refusal."""
    try:
        check(*arguments)
    except Refusal as refusal:
        return refusal.code
    return "ok"


def rows(*brackets: tuple[int, int, int]) -> tuple[MarginBracket, ...]:
    """Margin brackets from lower bounds in dollars and rates in thousandths."""
    return tuple(MarginBracket(low * W, mm * W // 1_000, im * W // 1_000) for low, mm, im in brackets)


def weights(*brackets: tuple[int, int, int]) -> tuple[HaircutBracket, ...]:
    """Haircut brackets from lower bounds in dollars and weights in percent."""
    return tuple(HaircutBracket(low * W, mm * W // 100, im * W // 100) for low, mm, im in brackets)


def tiers(*rows: tuple[int, int]) -> tuple[EquityTier, ...]:
    """Equity tiers, to the wei."""
    return tuple(EquityTier(lower, leverage) for lower, leverage in rows)
