"""The numbers governance may choose, each range at its borders, and the combinations it may not choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from protocol.errors import Refusal
from protocol.params import (
    CollateralParams,
    HaircutBracket,
    MarginBracket,
    MarketParams,
    RiskParams,
    check_collateral,
    check_lower_bounds,
    check_market,
    check_risk,
)
from protocol.state import NO_RISK
from protocol.units import BPS, W
from tests.protocol.build import MARKETS, check_order_of, with_risk
from tests.twins import RISK, weth_params

MARKET = MARKETS[0]
USD = 2**96


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


# --- risk: CFG-1 ----------------------------------------------------------------------------------------------------


def test_the_reference_parameters_and_nothing_at_all_are_valid() -> None:
    """CFG-1: the reference set, and the zeros a vault is deployed with."""
    check_risk(RISK)
    check_risk(NO_RISK)


@pytest.mark.parametrize(
    ("field", "lowest", "highest"),
    [
        ("keeper_reserve", 0, USD - 1),
        ("max_reward", 5 * W, USD - 1),
        ("fixed_reward", 0, 1_000 * W),
        ("debt_cap", 0, USD - 1),
        ("backstop_ratio", 0, BPS),
        ("reward_cap", 0, BPS),
        ("insurance_fee_share", 0, BPS),
        ("insurance_penalty_share", 0, BPS),
        ("sale_discount", 0, BPS - 1),
        ("margin_call_buffer", 0, W),
        ("reward_ratio", 0, W),
        ("penalty_ratio", 0, W),
    ],
)
def test_each_risk_parameter_has_a_range(field: str, lowest: int, highest: int) -> None:
    """CFG-1, S10: both ends are valid, one step beyond either is config/risk."""
    for value in (lowest, highest):
        assert code_of(check_risk, with_risk(**{field: value})) == "ok"
    for value in (lowest - 1, highest + 1):
        assert code_of(check_risk, with_risk(**{field: value})) == "config/risk"


def test_the_fixed_reward_has_the_range_of_dollars_too() -> None:
    """CFG-1: with the largest cap, the fixed part itself is bounded by its word."""
    assert code_of(check_risk, with_risk(max_reward=USD - 1, fixed_reward=USD - 1)) == "ok"
    assert code_of(check_risk, with_risk(max_reward=USD, fixed_reward=USD)) == "config/risk"


def test_the_closing_cost_is_reward_ratio_and_penalty() -> None:
    """CFG-3: what a liquidation takes per dollar closed, the fixed reward apart."""
    assert RISK.closing_cost_ratio == RISK.reward_ratio + RISK.penalty_ratio == 125 * W // 10_000


# --- markets: CFG-2 to CFG-4 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "lowest", "highest"),
    [
        ("feed", 0, 2**16 - 1),
        ("lot", 1, 2**96 - 1),
        ("min_notional", 500 * W, USD - 1),
        ("fee_rate", 0, W // 100),
    ],
)
def test_each_market_parameter_has_a_range(field: str, lowest: int, highest: int) -> None:
    """CFG-2, S10: both ends are valid, one step beyond either is config/market."""
    for value in (lowest, highest):
        assert code_of(check_market, RISK, replace(MARKET, **changed(field, value))) == "ok"
    for value in (lowest - 1, highest + 1):
        assert code_of(check_market, RISK, replace(MARKET, **changed(field, value))) == "config/market"


def test_a_minimum_notional_is_never_zero() -> None:
    """CFG-2, L6: not even where no fixed reward asks for one."""
    free = with_risk(fixed_reward=0)
    assert code_of(check_market, free, replace(MARKET, min_notional=1)) == "ok"
    assert code_of(check_market, free, replace(MARKET, min_notional=0)) == "config/market"


def test_the_fixed_reward_fits_into_the_smallest_position() -> None:
    """CFG-2, L6, B45: 5 dollars are 1 % of 500; a wei less of notional or more of reward does not fit."""
    for least, fixed, cap, code in (
        (500 * W, 5 * W, 100, "ok"),
        (500 * W - 1, 5 * W, 100, "config/market"),
        (500 * W, 5 * W + 1, 100, "config/market"),
        (1_000 * W, 5 * W, 50, "ok"),
        (1_000 * W, 5 * W, 49, "config/market"),
    ):
        risk = with_risk(fixed_reward=fixed, reward_cap=cap)
        wide = (MarginBracket(0, W // 10, W // 2),)
        assert code_of(check_market, risk, replace(MARKET, min_notional=least, brackets=wide)) == code


@pytest.mark.parametrize(
    ("brackets", "code"),
    [
        (rows((0, 25, 50)), "ok"),
        (rows((0, 25, 50), (1, 26, 51)), "ok"),
        # Rates rise strictly.
        (rows((0, 25, 50), (1, 25, 51)), "config/margin-rates"),
        (rows((0, 25, 50), (1, 24, 51)), "config/margin-rates"),
        (rows((0, 25, 50), (1, 26, 50)), "config/margin-rates"),
        (rows((0, 25, 50), (1, 26, 49)), "config/margin-rates"),
        (rows((0, 25, 50), (1, 40, 80), (2, 40, 81)), "config/margin-rates"),
        # Initial within 100 %.
        (rows((0, 25, 1_000)), "ok"),
        (rows((0, 25, 1_001)), "config/margin-rates"),
        (rows((0, 25, 50), (1, 800, 1_000)), "ok"),
        (rows((0, 25, 50), (1, 26, 999), (2, 27, 1_001)), "config/margin-rates"),
        # The first maintenance rate above the closing cost of 1.25 %.
        ((MarginBracket(0, 125 * W // 10_000, W // 2),), "config/margin-rates"),
        ((MarginBracket(0, 125 * W // 10_000 + 1, W // 2),), "ok"),
        ((MarginBracket(0, 0, W // 2),), "config/margin-rates"),
        # Initial at least maintenance and closing cost.
        ((*rows((0, 25, 50)), MarginBracket(W, W // 25, W // 25 + 125 * W // 10_000)), "ok"),
        ((*rows((0, 25, 50)), MarginBracket(W, W // 25, W // 25 + 125 * W // 10_000 - 1)), "config/margin-rates"),
        # Initial at least 125 % of maintenance, by cross multiplication.
        ((*rows((0, 25, 50)), MarginBracket(W, W // 10, W // 8)), "ok"),
        ((*rows((0, 25, 50)), MarginBracket(W, W // 10, W // 8 - 1)), "config/margin-rates"),
        ((*rows((0, 25, 50)), MarginBracket(W, W // 10 + 1, W // 8)), "config/margin-rates"),
        ((*rows((0, 25, 50)), MarginBracket(W, W // 10 + 1, W // 8 + 1)), "config/margin-rates"),
        ((*rows((0, 25, 50)), MarginBracket(W, W // 10 + 1, W // 8 + 2)), "ok"),
    ],
)
def test_margin_rates_rise_and_leave_room_for_closing(brackets: tuple[MarginBracket, ...], code: str) -> None:
    """CFG-3, M4, B14, B45, S10: each bracket against the one below, the closing cost and the margin-call zone."""
    assert code_of(check_market, RISK, replace(MARKET, brackets=brackets)) == code


def test_the_smallest_rates_are_valid_where_closing_costs_nothing() -> None:
    """CFG-3: a rate of one wei is above a closing cost of none; zero is not."""
    market = replace(MARKET, min_notional=1, brackets=(MarginBracket(0, 1, 1),))
    assert code_of(check_market, NO_RISK, market) == "ok"
    assert code_of(check_market, NO_RISK, replace(market, brackets=(MarginBracket(0, 0, 1),))) == "config/margin-rates"


def test_the_refusal_names_the_bracket() -> None:
    """CFG-3 to CFG-6: the lower bound of the row that is wrong."""
    steep = weights((0, 50, 50), (7, 50, 51))
    narrow = (MarginBracket(0, W // 10, W // 10 + 125 * W // 10_000 + W // 200 - 1),)
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


@pytest.mark.parametrize(("rate", "code"), [(-1, "config/margin-rates"), (0, "ok"), (1, "ok")])
def test_the_smallest_position_can_pay_the_fixed_reward(rate: int, code: str) -> None:
    """CFG-4, M4, L6: 5 dollars are half a percent of 1,000, on top of maintenance and closing cost."""
    first = MarginBracket(0, W // 10, W // 10 + 125 * W // 10_000 + W // 200 + rate)
    risk = with_risk(margin_call_buffer=0)
    assert code_of(check_market, risk, replace(MARKET, brackets=(first,))) == code


# --- collateral: CFG-5 ----------------------------------------------------------------------------------------------


def weights(*brackets: tuple[int, int, int]) -> tuple[HaircutBracket, ...]:
    """Haircut brackets from lower bounds in dollars and weights in percent."""
    return tuple(HaircutBracket(low * W, mm * W // 100, im * W // 100) for low, mm, im in brackets)


@pytest.mark.parametrize(("field", "lowest", "highest"), [("feed", 0, 2**16 - 1), ("decimals", 0, 24)])
def test_each_collateral_parameter_has_a_range(field: str, lowest: int, highest: int) -> None:
    """CFG-5, S10, O6: both ends are valid, one step beyond either is config/haircuts."""
    for value in (lowest, highest):
        assert code_of(check_collateral, RISK, replace(weth_params(), **changed(field, value))) == "ok"
    for value in (lowest - 1, highest + 1):
        assert code_of(check_collateral, RISK, replace(weth_params(), **changed(field, value))) == "config/haircuts"


@pytest.mark.parametrize(
    ("brackets", "code"),
    [
        (weights((0, 95, 95)), "ok"),
        (weights((0, 0, 0)), "ok"),
        (weights((0, 90, 91)), "config/haircuts"),
        (weights((0, 90, 90), (1, 90, 90)), "ok"),
        (weights((0, 90, 85), (1, 91, 85)), "config/haircuts"),
        (weights((0, 90, 85), (1, 90, 86)), "config/haircuts"),
        (weights((0, 90, 85), (1, 80, 70), (2, 81, 70)), "config/haircuts"),
        (weights((0, 90, 85), (1, 80, 70), (2, 80, 71)), "config/haircuts"),
        ((HaircutBracket(0, W // 2, -1),), "config/haircuts"),
        ((HaircutBracket(0, W // 2, W // 2 + 1),), "config/haircuts"),
        ((HaircutBracket(0, W + 1, W // 2),), "config/haircuts"),
    ],
)
def test_haircut_weights_fall_with_initial_at_most_maintenance(brackets: tuple[HaircutBracket, ...], code: str) -> None:
    """CFG-5, M8, S10: within 0 and 100 %, never rising."""
    assert code_of(check_collateral, RISK, replace(weth_params(), brackets=brackets)) == code


@pytest.mark.parametrize(
    ("weight", "discount", "code"),
    [
        (95 * W // 100, 500, "ok"),
        (95 * W // 100 + 1, 500, "config/haircuts"),
        (95 * W // 100, 501, "config/haircuts"),
        (W, 0, "ok"),
        (W, 1, "config/haircuts"),
        (W // 10_000, 9_999, "ok"),
        (W // 10_000 + 1, 9_999, "config/haircuts"),
    ],
)
def test_a_sale_brings_what_maintenance_counted(weight: int, discount: int, code: str) -> None:
    """CFG-5, B45: the highest weight and the sale discount are together at most one."""
    params = replace(weth_params(), brackets=(HaircutBracket(0, weight, 0),))
    assert code_of(check_collateral, with_risk(sale_discount=discount), params) == code


# --- brackets: CFG-6 ------------------------------------------------------------------------------------------------


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


# --- the order of the checks ----------------------------------------------------------------------------------------


def attempt_market(
    risk: RiskParams = RISK, feed: int = 0, lowers: tuple[int, ...] = (0, 5), step: int = 1, first_im: int = W // 20
) -> str:
    """A market with two brackets."""
    brackets = tuple(MarginBracket(low, W // 40 + k * step, first_im + 2 * k) for k, low in enumerate(lowers))
    return code_of(check_market, risk, MarketParams(feed, 1, 1_000 * W, 0, brackets))


def test_a_market_is_checked_in_order() -> None:
    """CFG-2, CFG-6, CFG-3, CFG-4: ranges, then brackets, then rates."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("config/market", {"feed": 2**16}),
        ("config/brackets", {"lowers": (0, 0)}),
        ("config/margin-rates", {"step": 0}),
        ("config/margin-rates", {"first_im": W // 40 + 125 * W // 10_000}),
    ]
    check_order_of(faults, attempt_market)


def attempt_collateral(
    decimals: int = 18, lowers: tuple[int, ...] = (0, 5), im: int = W // 2, discount: int = 500
) -> str:
    """A collateral with two brackets of 90 %."""
    brackets = tuple(HaircutBracket(low, W * 9 // 10, im) for low in lowers)
    return code_of(check_collateral, with_risk(sale_discount=discount), CollateralParams(0, decimals, brackets))


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
