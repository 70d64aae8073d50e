"""Of two faults of parameters the earlier check speaks, for risk, markets and collateral."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from protocol.configuration import check_collateral, check_market, check_risk
from protocol.params import HaircutBracket, MarginBracket, RiskParams
from protocol.units import BPS, W
from tests.protocol.build import check_order_of, with_risk
from tests.protocol.parameter_sets import CLOSING, code_of, tiers
from tests.twins import RISK, market_params, weth_params


def attempt_risk_set(reserve: int = 0, lowers: tuple[int, ...] = (0, 5), step: int = 0) -> str:
    """Risk parameters with two equity tiers."""
    rows = tiers(*((low, W + index * step) for index, low in enumerate(lowers)))
    return code_of(check_risk, with_risk(keeper_reserve=reserve, equity_tiers=rows))


def test_risk_parameters_are_checked_in_order() -> None:
    """CFG-1, CFG-6, CFG-7: ranges, then lower bounds, then leverages."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("config/risk", {"reserve": -1}),
        ("config/brackets", {"lowers": (0, 0)}),
        ("config/equity-tiers", {"step": 1}),
    ]
    check_order_of(faults, attempt_risk_set)


def attempt_market(
    risk: RiskParams = RISK,
    feed: int = 0,
    dead_band: int = 0,
    lowers: tuple[int, ...] = (0, 5),
    step: int = 1,
    first_im: int = W // 20,
) -> str:
    """A market with two brackets."""
    brackets = tuple(MarginBracket(low, W // 40 + k * step, first_im + 2 * k) for k, low in enumerate(lowers))
    return code_of(check_market, risk, replace(market_params(feed), dead_band=dead_band, brackets=brackets))


def test_a_market_is_checked_in_order() -> None:
    """CFG-2, CFG-8, CFG-6, CFG-3, CFG-4: ranges, then funding, then brackets, then rates."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("config/market", {"feed": 2**16}),
        ("config/funding", {"dead_band": BPS + 1}),
        ("config/brackets", {"lowers": (0, 0)}),
        ("config/margin-rates", {"step": 0}),
        ("config/margin-rates", {"first_im": W // 40 + CLOSING}),
    ]
    check_order_of(faults, attempt_market)


def attempt_collateral(
    decimals: int = 18, lowers: tuple[int, ...] = (0, 5), im: int = W // 2, discount: int = 500
) -> str:
    """A collateral with two brackets of 90 %."""
    brackets = tuple(HaircutBracket(low, W * 9 // 10, im) for low in lowers)
    risk = with_risk(sale_discount=discount)
    return code_of(check_collateral, risk, replace(weth_params(), decimals=decimals, brackets=brackets))


def test_a_collateral_is_checked_in_order() -> None:
    """CFG-5, CFG-6: ranges, then brackets, then weights, then the sale discount."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("config/haircuts", {"decimals": 25}),
        ("config/brackets", {"lowers": (0, 0)}),
        ("config/haircuts", {"im": W}),
        ("config/haircuts", {"discount": 1_001}),
    ]
    check_order_of(faults, attempt_collateral)
    # An empty list of brackets is refused before its first row would be looked at.
    assert attempt_collateral(lowers=()) == attempt_market(lowers=()) == "config/brackets"
