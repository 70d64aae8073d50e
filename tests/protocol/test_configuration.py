"""The numbers governance may choose, each range at its borders, and the combinations it may not choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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
from protocol.params import (
    CollateralParams,
    EquityTier,
    HaircutBracket,
    MarginBracket,
    MarketParams,
    RiskParams,
)
from protocol.state import NO_RISK
from protocol.units import BPS, DAY, PRICE_LIMIT, YEAR, W
from tests.protocol.build import MARKETS, check_order_of, with_risk
from tests.twins import RISK, market_params, weth_params

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


# --- risk: CFG-1 ----------------------------------------------------------------------------------------------------


def test_the_reference_parameters_are_valid() -> None:
    """CFG-1 to CFG-9: the set that most tests use."""
    check_risk(RISK)
    for market in MARKETS:
        check_market(RISK, market)
    check_collateral(RISK, weth_params())


def test_a_vault_just_deployed_has_no_valid_risk_parameters() -> None:
    """CFG-1, CFG-6: without a phase-in or equity tiers, so the first set cannot be one of zeros."""
    timed = replace(NO_RISK, phase_in=3_600)
    assert code_of(check_risk, NO_RISK) == "config/risk"
    assert code_of(check_risk, timed) == "config/brackets"
    assert code_of(check_risk, replace(timed, equity_tiers=(EquityTier(0, W),))) == "ok"


def test_the_bounds_are_round() -> None:
    """CFG-1, CFG-2, CFG-7, CFG-8: what the ranges below are made of."""
    assert (USD_LIMIT, LEVERAGE_LIMIT) == (2**96, 2**80)
    assert (MAX_FEE_RATE, MAX_FUNDING_SPEED, LONGEST_DURATION) == (W // 100, 10 * W, YEAR)
    assert (limits.MAX_MARKETS, limits.MAX_POSITIONS, limits.MAX_TOKENS) == (32, 16, 9)
    assert (limits.MAX_BRACKETS, limits.MAX_DECIMALS) == (8, 24)


RISK_RANGES = [
    ("keeper_reserve", 0, USD - 1),
    ("max_reward", 5 * W, USD - 1),
    ("fixed_reward", 0, 1_000 * W),
    ("debt_cap", 0, USD - 1),
    ("margin_call_fee", 0, USD - 1),
    ("backstop_ratio", 0, BPS),
    ("reward_cap", 0, BPS),
    ("insurance_fee_share", 0, BPS),
    ("insurance_penalty_share", 0, BPS),
    ("sale_discount", 0, BPS - 1),
    ("lock_ratio", 0, BPS),
    ("stale_band", 0, BPS),
    ("margin_call_buffer", 0, W),
    ("liquidation_buffer", 0, W),
    ("reward_ratio", 0, W // 400),
    ("reward_ratio_max", W // 1_000, W),
    ("reward_ramp", 0, W),
    ("penalty_ratio", 0, W),
    ("impact_cap_ratio", 0, W),
    ("reward_grace", 0, YEAR),
    ("phase_in", 3_600, YEAR),
    ("redemption_delay", 0, YEAR),
    ("redemption_window", 0, YEAR),
    ("usdc_feed", 0, 2**16 - 1),
]
DEPEG_RANGES = [("depeg_threshold", 0, BPS), ("depeg_factor", 0, 2**16 - 1)]


@pytest.mark.parametrize(("field", "lowest", "highest"), RISK_RANGES)
def test_each_risk_parameter_has_a_range(field: str, lowest: int, highest: int) -> None:
    """CFG-1, S10: both ends are valid, one step beyond either is config/risk."""
    for value in (lowest, highest):
        assert code_of(check_risk, with_risk(**{field: value})) == "ok"
    for value in (lowest - 1, highest + 1):
        assert code_of(check_risk, with_risk(**{field: value})) == "config/risk"


def test_no_risk_parameter_is_without_a_range() -> None:
    """CFG-1, S10: the table above covers every field but the equity tiers."""
    covered = {name for name, _, _ in RISK_RANGES + DEPEG_RANGES}
    assert covered == {field.name for field in fields(RiskParams)} - {"equity_tiers"}


@pytest.mark.parametrize(("field", "lowest", "highest"), DEPEG_RANGES)
def test_what_follows_from_a_depeg_has_a_range_and_needs_a_feed(field: str, lowest: int, highest: int) -> None:
    """CFG-1, PEG-2, S10: both ends with a feed, and only 0 without."""
    for value in (lowest, highest):
        assert code_of(check_risk, with_risk(usdc_feed=1, **{field: value})) == "ok"
    for value in (lowest - 1, highest + 1):
        assert code_of(check_risk, with_risk(usdc_feed=1, **{field: value})) == "config/risk"
    assert code_of(check_risk, with_risk(**{field: 1})) == "config/risk"


def test_limits_within_the_rewards_have_the_ranges_of_their_kind_too() -> None:
    """CFG-1: with the largest limit, fixed part and first ratio are bounded by their own ranges."""
    assert code_of(check_risk, with_risk(max_reward=USD - 1, fixed_reward=USD - 1)) == "ok"
    assert code_of(check_risk, with_risk(max_reward=USD, fixed_reward=USD)) == "config/risk"
    assert code_of(check_risk, with_risk(reward_ratio=W, reward_ratio_max=W)) == "ok"
    assert code_of(check_risk, with_risk(reward_ratio=W + 1, reward_ratio_max=W + 1)) == "config/risk"


def test_the_closing_cost_is_the_largest_reward_the_penalty_and_the_bounded_impact() -> None:
    """CFG-3, B14: what a liquidation takes at most per dollar closed, the fixed reward apart."""
    assert RISK.closing_cost_ratio == W // 400 + W // 100 + W // 200 == CLOSING
    for field in ("reward_ratio_max", "penalty_ratio", "impact_cap_ratio"):
        dearer = with_risk(**{field: getattr(RISK, field) + 7})
        assert dearer.closing_cost_ratio == RISK.closing_cost_ratio + 7
    assert with_risk(reward_ratio=0, reward_ramp=0).closing_cost_ratio == RISK.closing_cost_ratio


def tiers(*rows: tuple[int, int]) -> tuple[EquityTier, ...]:
    """Equity tiers, to the wei."""
    return tuple(EquityTier(lower, leverage) for lower, leverage in rows)


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        (tiers((0, W)), "ok"),
        (tiers((0, W - 1)), "config/equity-tiers"),
        (tiers((0, 0)), "config/equity-tiers"),
        (tiers((0, -1)), "config/equity-tiers"),
        (tiers((0, 2**80 - 1)), "ok"),
        (tiers((0, 2**80)), "config/equity-tiers"),
        # Never rising; equal is allowed.
        (tiers((0, 5 * W), (1, 5 * W)), "ok"),
        (tiers((0, 5 * W), (1, 5 * W - 1)), "ok"),
        (tiers((0, 5 * W), (1, 5 * W + 1)), "config/equity-tiers"),
        (tiers((0, 5 * W), (1, 3 * W), (2, 4 * W)), "config/equity-tiers"),
        (tiers((0, 5 * W), (1, 3 * W), (2, W - 1)), "config/equity-tiers"),
        # The brackets of all tables.
        ((), "config/brackets"),
        (tiers((1, 5 * W)), "config/brackets"),
        (tiers((0, 5 * W), (0, 5 * W)), "config/brackets"),
        (tiers(*((low, 5 * W) for low in range(8))), "ok"),
        (tiers(*((low, 5 * W) for low in range(9))), "config/brackets"),
        (tiers((0, 5 * W), (2**96 - 1, 5 * W)), "ok"),
        (tiers((0, 5 * W), (2**96, 5 * W)), "config/brackets"),
    ],
)
def test_leverage_is_at_least_one_and_never_rises_with_equity(rows: tuple[EquityTier, ...], code: str) -> None:
    """CFG-7, CFG-6, S10: each tier against the one below."""
    assert code_of(check_risk, with_risk(equity_tiers=rows)) == code


def test_a_refused_tier_is_named() -> None:
    """CFG-7: by its lower bound."""
    with pytest.raises(Refusal) as refusal:
        check_risk(with_risk(equity_tiers=tiers((0, 5 * W), (3, 5 * W), (7, 6 * W))))
    assert refusal.value.facts == {"lower": 7}


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


# --- markets: CFG-2 to CFG-4, CFG-8, CFG-9 --------------------------------------------------------------------------

MARKET_RANGES = [
    ("feed", 0, 2**16 - 1),
    ("lot", 1, 2**96 - 1),
    ("min_notional", 1_000 * W, USD - 1),
    ("ceiling", 1, PRICE_LIMIT - 1),
    ("maker_fee", 0, W // 2_000),
    ("taker_fee", W // 5_000, W // 100),
    ("skew_scale", W, 2**96 - 1),
    ("max_premium", 0, BPS),
    ("rebate_ratio", 0, BPS),
    ("oi_cap", 0, 2**96 - 1),
    ("oi_cap_usd", 0, USD - 1),
    ("skew_cap", 0, 2**96 - 1),
    ("oi_lower", 0, 10**9 * W - 1),
    ("oi_upper", 10**7 * W + 1, USD - 1),
    ("window", 0, 30 * DAY),
    ("window_notional", 1_000 * W, USD - 1),
]
FUNDING_RANGES = [
    ("funding_cap", 0, W),
    ("funding_velocity", 0, 10 * W),
    ("funding_decay", 0, 10 * W),
    ("dead_band", 0, BPS),
]
# Its rates and its window allow any minimum notional.
ROOMY = replace(MARKET, window_notional=USD - 1, brackets=(MarginBracket(0, W // 10, W // 2),))


@pytest.mark.parametrize(
    ("field", "lowest", "highest", "code"),
    [(*row, "config/market") for row in MARKET_RANGES] + [(*row, "config/funding") for row in FUNDING_RANGES],
)
def test_each_market_parameter_has_a_range(field: str, lowest: int, highest: int, code: str) -> None:
    """CFG-2, CFG-8, CFG-9, S10: both ends are valid, one step beyond either is refused."""
    risk = with_risk(fixed_reward=10 * W)  # a minimum notional of 1,000 is then the least
    for value in (lowest, highest):
        assert code_of(check_market, risk, replace(ROOMY, **changed(field, value))) == "ok"
    for value in (lowest - 1, highest + 1):
        assert code_of(check_market, risk, replace(ROOMY, **changed(field, value))) == code


def test_no_market_parameter_is_without_a_range() -> None:
    """CFG-2, CFG-8, CFG-9, S10: the tables above cover every field but the brackets."""
    covered = {name for name, _, _ in MARKET_RANGES + FUNDING_RANGES}
    assert covered == {field.name for field in fields(MarketParams)} - {"brackets"}


@pytest.mark.parametrize(
    ("lower", "upper", "code"),
    [
        (0, 0, "ok"),
        (1, 0, "config/market"),
        (0, 1, "ok"),
        (1, 1, "config/market"),
        (2, 1, "config/market"),
        (USD - 2, USD - 1, "ok"),
        (USD - 1, USD - 1, "config/market"),
        (-1, 0, "config/market"),
        (-1, -1, "config/market"),
        (-1, 5, "config/market"),
        (0, -1, "config/market"),
    ],
)
def test_the_bounds_of_open_interest_are_in_order_or_absent(lower: int, upper: int, code: str) -> None:
    """CFG-9, S10: strictly rising, so that the proportion between them is defined."""
    assert code_of(check_market, RISK, replace(MARKET, oi_lower=lower, oi_upper=upper)) == code


@pytest.mark.parametrize(("maker", "taker", "code"), [(7, 7, "ok"), (8, 7, "config/market"), (0, 0, "ok")])
def test_the_maker_fee_is_at_most_the_taker_fee(maker: int, taker: int, code: str) -> None:
    """CFG-2, T5: bringing the skew back is never dearer than growing it."""
    assert code_of(check_market, RISK, replace(MARKET, maker_fee=maker, taker_fee=taker)) == code


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
        # The first maintenance rate above the closing cost.
        ((MarginBracket(0, CLOSING, W // 2),), "config/margin-rates"),
        ((MarginBracket(0, CLOSING + 1, W // 2),), "ok"),
        ((MarginBracket(0, 0, W // 2),), "config/margin-rates"),
        # Initial at least maintenance and closing cost.
        ((*rows((0, 25, 50)), MarginBracket(W, W // 25, W // 25 + CLOSING)), "ok"),
        ((*rows((0, 25, 50)), MarginBracket(W, W // 25, W // 25 + CLOSING - 1)), "config/margin-rates"),
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


@pytest.mark.parametrize(("rate", "code"), [(-1, "config/margin-rates"), (0, "ok"), (1, "ok")])
def test_the_smallest_position_can_pay_the_fixed_reward(rate: int, code: str) -> None:
    """CFG-4, M4, L6: 5 dollars are half a percent of 1,000, on top of maintenance and closing cost."""
    first = MarginBracket(0, W // 10, W // 10 + CLOSING + W // 200 + rate)
    risk = with_risk(margin_call_buffer=0)
    assert code_of(check_market, risk, replace(MARKET, brackets=(first,))) == code


# --- collateral: CFG-5 ----------------------------------------------------------------------------------------------


def weights(*brackets: tuple[int, int, int]) -> tuple[HaircutBracket, ...]:
    """Haircut brackets from lower bounds in dollars and weights in percent."""
    return tuple(HaircutBracket(low * W, mm * W // 100, im * W // 100) for low, mm, im in brackets)


COLLATERAL_RANGES = [
    ("feed", 0, 2**16 - 1),
    ("decimals", 0, 24),
    ("ceiling", 1, PRICE_LIMIT - 1),
    ("account_cap", 0, 2**96 - 1),
    ("global_cap", 0, 2**96 - 1),
]


def test_no_collateral_parameter_is_without_a_range() -> None:
    """CFG-5, S10: the table covers every field but the brackets."""
    assert {name for name, _, _ in COLLATERAL_RANGES} == {field.name for field in fields(CollateralParams)} - {
        "brackets"
    }


@pytest.mark.parametrize(("field", "lowest", "highest"), COLLATERAL_RANGES)
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


# --- what a valid set promises --------------------------------------------------------------------------------------


@given(
    mm=st.integers(CLOSING - 1, W) | st.integers(CLOSING - 1, CLOSING + 3),
    im=st.integers(CLOSING, W) | st.integers(-3, 3).map(lambda wei: W // 8 + wei),
    least=st.integers(1, 10**4).map(lambda dollars: dollars * W),
)
@example(mm=W // 10, im=W // 8, least=2_000 * W)
@example(mm=W // 10, im=W // 8 - 1, least=2_000 * W)
@example(mm=W // 40, im=W // 40 + CLOSING + W // 400, least=2_000 * W)
@example(mm=W // 40, im=W // 40 + CLOSING + W // 400 - 1, least=2_000 * W)
@example(mm=CLOSING + 1, im=W, least=500 * W)
@example(mm=CLOSING, im=W, least=500 * W)
@example(mm=CLOSING + 1, im=W, least=499 * W)
def test_a_first_bracket_is_accepted_exactly_when_a_new_account_can_pay_its_liquidation(
    mm: int, im: int, least: int
) -> None:
    """CFG-2 to CFG-4, M4, B14: the four conditions, written as what they are for."""
    market = replace(MARKET, min_notional=least, brackets=(MarginBracket(0, mm, im),))
    promised = (
        mm > CLOSING  # closing a dollar frees more than it costs
        and im <= W
        and im * least >= (mm + CLOSING) * least + RISK.fixed_reward * W  # at the smallest position
        and 4 * im >= 5 * mm  # not born in the margin-call zone, a quarter above maintenance
        and 100 * RISK.fixed_reward <= least  # the cap of 1 % pays the fixed reward
    )
    assert (code_of(check_market, RISK, market) == "ok") == promised
