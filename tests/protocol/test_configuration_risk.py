"""The ranges of the risk parameters, and the equity tiers among them: CFG-1, CFG-7."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from protocol.configuration import check_risk
from protocol.errors import Refusal
from protocol.params import EquityTier, RiskParams
from protocol.state import NO_RISK
from protocol.units import BPS, YEAR, W
from tests.protocol.build import with_risk
from tests.protocol.parameter_sets import CLOSING, USD, code_of, tiers
from tests.twins import RISK


def test_a_vault_just_deployed_has_no_valid_risk_parameters() -> None:
    """CFG-1, CFG-6: without a phase-in or equity tiers, so the first set cannot be one of zeros."""
    timed = replace(NO_RISK, phase_in=3_600)
    assert code_of(check_risk, NO_RISK) == "config/risk"
    assert code_of(check_risk, timed) == "config/brackets"
    assert code_of(check_risk, replace(timed, equity_tiers=(EquityTier(0, W),))) == "ok"


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
