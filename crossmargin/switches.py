"""Rule switches of a parameter set: a rule that is off becomes parameters under which it never binds.

What each does stands in specs/configuration.md, with the reason. Those that change a scenario are in
``scenario_switches``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crossmargin.yamltext import Loc
from protocol.configuration import LEVERAGE_LIMIT
from protocol.params import MAX_BRACKETS, EquityTier, MarketParams, RiskParams
from protocol.units import BPS

# What is not read while a switch is off, by the beginning of the way to it; None stands for any key.
UNREAD: dict[str, tuple[tuple[str | int | None, ...], ...]] = {
    "tiers": tuple(("markets", None, "tiers", row) for row in range(1, MAX_BRACKETS)),
    "equity_tiers": (("risk", "equity_tiers"),),
    "insurance": (("risk", "insurance_fee_share"), ("risk", "insurance_penalty_share"), ("insurance",)),
    "partial_liquidation": (("risk", "backstop_ratio"),),
}


def switch_risk(risk: RiskParams, off: Sequence[str]) -> RiskParams:
    """Risk parameters under which the rules that are off never bind."""
    if "equity_tiers" in off:
        # The most leverage there can be, a million times: initial margin rates always ask for more.
        risk = replace(risk, equity_tiers=(EquityTier(0, LEVERAGE_LIMIT - 1),))
    if "insurance" in off:
        risk = replace(risk, insurance_fee_share=0, insurance_penalty_share=0)
    if "partial_liquidation" in off:
        risk = replace(risk, backstop_ratio=BPS)
    return risk


def switch_market(market: MarketParams, off: Sequence[str]) -> MarketParams:
    """A market's parameters without the rules that are off."""
    return replace(market, brackets=market.brackets[:1]) if "tiers" in off else market


def find_unread(loc: Loc, off: Sequence[str]) -> str:
    """The switch that keeps the value at ``loc`` from being read; empty if none does."""
    for name in off:
        for way in UNREAD.get(name, ()):
            if len(loc) >= len(way) and all(step in (None, at) for step, at in zip(way, loc, strict=False)):
                return name
    return ""
