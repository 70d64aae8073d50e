"""What is true of every set of parameters: round bounds, rising brackets, and a refusal that names the row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from protocol import params as limits
from protocol.configuration import (
    LEVERAGE_LIMIT,
    LONGEST_DURATION,
    MAX_FEE_RATE,
    MAX_FUNDING_SPEED,
    USD_LIMIT,
    check_collateral,
    check_lower_bounds,
    check_market,
    check_risk,
)
from protocol.errors import Refusal
from protocol.params import HaircutBracket, MarginBracket, RiskParams
from protocol.units import YEAR, W
from tests.protocol.build import MARKETS, with_risk
from tests.protocol.parameter_sets import CLOSING, MARKET, code_of, rows, weights
from tests.twins import RISK, weth_params


def test_the_reference_parameters_are_valid() -> None:
    """CFG-1 to CFG-9: the set that most tests use."""
    check_risk(RISK)
    for market in MARKETS:
        check_market(RISK, market)
    check_collateral(RISK, weth_params())


def test_the_bounds_are_round() -> None:
    """CFG-1, CFG-2, CFG-7, CFG-8: what the ranges are made of."""
    assert (USD_LIMIT, LEVERAGE_LIMIT) == (2**96, 2**80)
    assert (MAX_FEE_RATE, MAX_FUNDING_SPEED, LONGEST_DURATION) == (W // 100, 10 * W, YEAR)
    assert (limits.MAX_MARKETS, limits.MAX_POSITIONS, limits.MAX_TOKENS) == (32, 16, 9)
    assert (limits.MAX_BRACKETS, limits.MAX_DECIMALS) == (8, 24)


@pytest.mark.parametrize(
    ("lowers", "code"),
    [
        ([], "config/brackets"),
        ([0], "ok"),
        ([1], "config/brackets"),
        ([-1], "config/brackets"),
        ([0, 0], "config/brackets"),
        ([0, 1], "ok"),
        ([0, 5, 5], "config/brackets"),
        ([0, 5, 4], "config/brackets"),
        ([0, 5, 6], "ok"),
        ([0, 2**96 - 1], "ok"),
        ([0, 2**96], "config/brackets"),
        (list(range(8)), "ok"),
        (list(range(9)), "config/brackets"),
    ],
)
def test_brackets_start_at_zero_and_rise(lowers: list[int], code: str) -> None:
    """CFG-6, S10: one to eight, strictly rising, below the width of a price."""
    assert code_of(check_lower_bounds, lowers) == code
    margin = tuple(MarginBracket(low, W // 40 + k, W // 20 + 2 * k) for k, low in enumerate(lowers))
    haircut = tuple(HaircutBracket(low, W // 2, W // 2) for low in lowers)
    assert code_of(check_market, RISK, replace(MARKET, brackets=margin)) == code
    assert code_of(check_collateral, RISK, replace(weth_params(), brackets=haircut)) == code


def test_the_refusal_names_the_bracket() -> None:
    """CFG-3 to CFG-6: the lower bound of the row that is wrong."""
    steep = weights((0, 50, 50), (7, 50, 51))
    narrow = (MarginBracket(0, W // 10, W // 10 + CLOSING + W // 200 - 1),)
    without_zone = with_risk(margin_call_buffer=0)
    cases: list[tuple[Callable[..., None], RiskParams, Any, int]] = [
        (check_market, without_zone, replace(MARKET, brackets=narrow), 0),
        (check_collateral, RISK, replace(weth_params(), brackets=steep), 7 * W),
        (check_collateral, with_risk(sale_discount=5_000), weth_params(), 0),
        (check_collateral, RISK, replace(weth_params(), brackets=weights((0, 5, 5), (3, 5, 5), (3, 5, 5))), 3 * W),
    ]
    for check, risk, params, lower in cases:
        with pytest.raises(Refusal) as refused:
            check(risk, params)
        assert refused.value.facts == {"lower": lower}
    with pytest.raises(Refusal) as refusal:
        check_market(RISK, replace(MARKET, brackets=rows((0, 25, 50), (7, 25, 60))))
    assert refusal.value.facts == {"lower": 7 * W}
