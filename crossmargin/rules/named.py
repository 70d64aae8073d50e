"""Parameters by name: ``reference`` for a set's risk parameters, ``reference/BTC`` for a market's or a token's."""

from __future__ import annotations

from typing import Any

from crossmargin.library import PARAMETERS
from crossmargin.messages import listed, near, shown
from crossmargin.quantities import BadText
from protocol.params import (
    CollateralParams,
    EquityTier,
    HaircutBracket,
    MarginBracket,
    MarketParams,
    RiskParams,
)

RECORDS = frozenset({RiskParams, MarketParams, CollateralParams})
ROWS = frozenset({EquityTier, MarginBracket, HaircutBracket})
FORM = "write the name of a parameter set, and for a market or token a slash and its name: reference/BTC"


def read_named(kind: type, text: str) -> Any:
    """The record, or the rows, of a kind that a parameter set has under a name. Raises ``BadText``, ``InputError``."""
    from crossmargin.parameters import load_parameters  # half of all the time that a formula's answer takes

    set_name, _, name = text.partition("/")
    if not PARAMETERS.is_name(set_name):
        raise BadText(f"{shown(text)} names no parameters", FORM)
    params = load_parameters(PARAMETERS.find(set_name))
    if kind in {RiskParams, EquityTier}:
        if name:
            raise BadText(f"{shown(text)} is about all of a set", f"write {set_name}")
        return params.risk if kind is RiskParams else params.risk.equity_tiers
    found: dict[str, Any] = {
        spec.name: spec.params
        for spec in (params.markets if kind in {MarketParams, MarginBracket} else params.tokens)
        if spec.params is not None
    }
    if name not in found:
        raise BadText(f"`{set_name}` has no {shown(name)}" + near(name, found), listed(found) or FORM)
    return found[name] if kind in RECORDS else found[name].brackets
