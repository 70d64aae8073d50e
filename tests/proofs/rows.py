"""Brackets and risk parameters with unknown numbers, as far as the configuration allows them (CFG-1 to CFG-8)."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import accumulate
from typing import Any

from protocol.configuration import USD_LIMIT
from protocol.params import HaircutBracket, MarginBracket, MarketParams, RiskParams
from protocol.state import NO_RISK
from protocol.units import PRICE_LIMIT, SIZE_LIMIT, W, cdiv
from tests.proofs.symbolic import Values

ROWS = 3  # a first, a middle and a last one; more only repeat the middle
MOST_NOTIONAL = cdiv((SIZE_LIMIT - 1) * (PRICE_LIMIT - 1), W)
NO_MARKET = MarketParams(**{field.name: 0 for field in fields(MarketParams)})  # type: ignore[arg-type]  # no brackets


def margin_rows(values: Values, closing_cost: Any = 0, most: int = W) -> tuple[MarginBracket, ...]:
    """Margin brackets: borders and both rates strictly rising, MM above the closing cost, IM above MM, at most 1."""
    mm_rates = [closing_cost + rate for rate in rising(values, "mm rate", 1, most)]
    im_rates = [rate + more for rate, more in zip(mm_rates, rising(values, "im rate above", 1, most), strict=True)]
    values.assume(im_rates[-1] <= most)
    return tuple(MarginBracket(*row) for row in zip(borders(values), mm_rates, im_rates, strict=True))


def haircut_rows(values: Values) -> tuple[HaircutBracket, ...]:
    """Haircut brackets: borders strictly rising, weights falling, at most 1, IM at most MM."""
    mm_cuts = rising(values, "mm haircut", 0, W)
    im_cuts = [cut + more for cut, more in zip(mm_cuts, rising(values, "im haircut above", 0, W), strict=True)]
    values.assume(im_cuts[-1] <= W)
    weights = [(W - mm_cut, W - im_cut) for mm_cut, im_cut in zip(mm_cuts, im_cuts, strict=True)]
    return tuple(HaircutBracket(lower, *row) for lower, row in zip(borders(values), weights, strict=True))


def borders(values: Values) -> list[Any]:
    """Lower bounds from zero, strictly rising."""
    lowers = [0, *rising(values, "border", 1, PRICE_LIMIT - 1)[: ROWS - 1]]
    values.assume(lowers[-1] < PRICE_LIMIT)
    return lowers


def rising(values: Values, name: str, least: int, most: int) -> list[Any]:
    """As many numbers as rows, each at least ``least`` above the one before, the first above 0."""
    return list(accumulate(values.integer(f"{name} {k}", least, most) for k in range(ROWS)))


def risk_with_costs(values: Values) -> RiskParams:
    """Risk parameters with an unknown buffer, fixed reward and costs of closing."""
    return replace(
        NO_RISK,
        liquidation_buffer=values.integer("liquidation buffer", 0, W),
        fixed_reward=values.integer("fixed reward", 0, USD_LIMIT - 1),
        reward_ratio_max=values.integer("reward ratio", 0, W),
        penalty_ratio=values.integer("penalty ratio", 0, W),
        impact_cap_ratio=values.integer("impact cap ratio", 0, W),
    )
