"""Brackets and records with unknown numbers, as far as the configuration allows them (CFG-2 to CFG-8)."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from protocol.params import HaircutBracket, MarginBracket, MarketParams
from protocol.units import PRICE_LIMIT, SIZE_LIMIT, W, cdiv
from tests.proofs.symbolic import Values

ROWS = 3  # a first, a middle and a last one; more only repeat the middle
MOST_NOTIONAL = cdiv((SIZE_LIMIT - 1) * (PRICE_LIMIT - 1), W)
NO_MARKET = MarketParams(**{field.name: 0 for field in fields(MarketParams)})  # type: ignore[arg-type]  # no brackets


def margin_rows(values: Values, most: int = W) -> tuple[MarginBracket, ...]:
    """Margin brackets: borders and both rates strictly rising, IM above MM, rates at most 1."""
    lowers = borders(values)
    rows: list[MarginBracket] = []
    mm_below, im_below = 0, 1
    for k in range(ROWS):
        im_below = values.integer(f"im rate {k}", im_below + 1, most)
        mm_below = values.integer(f"mm rate {k}", mm_below + 1, im_below - 1)
        rows.append(MarginBracket(lowers[k], mm_below, im_below))
    return tuple(rows)


def haircut_rows(values: Values) -> tuple[HaircutBracket, ...]:
    """Haircut brackets: borders strictly rising, weights falling, at most 1, IM at most MM."""
    lowers = borders(values)
    rows: list[HaircutBracket] = []
    mm_above = im_above = W
    for k in range(ROWS):
        mm_above = values.integer(f"mm weight {k}", 0, mm_above)
        im_above = values.integer(f"im weight {k}", 0, im_above)
        values.assume(im_above <= mm_above)
        rows.append(HaircutBracket(lowers[k], mm_above, im_above))
    return tuple(rows)


def borders(values: Values) -> list[Any]:
    """Lower bounds from zero, strictly rising."""
    lowers: list[Any] = [0]
    for k in range(1, ROWS):
        lowers.append(values.integer(f"border {k}", lowers[-1] + 1, PRICE_LIMIT - 1))
    return lowers
