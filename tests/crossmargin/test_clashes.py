"""What a refused set is told of its numbers: exactly when the protocol refuses, and which two do not go together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.clashes import explain_clash
from crossmargin.library import PARAMETERS
from crossmargin.parameters import load_parameters
from protocol.configuration import check_collateral, check_market, check_risk
from protocol.errors import Refusal
from protocol.params import CollateralParams, EquityTier, HaircutBracket, MarginBracket, MarketParams, RiskParams
from protocol.units import BPS, DAY, YEAR, W

REFERENCE = load_parameters(PARAMETERS.find("reference"))
RISK, MARKET = REFERENCE.risk, REFERENCE.markets[0].params
WETH = cast(CollateralParams, REFERENCE.tokens[1].params)

# Numbers on both sides of every bound, of every scale.
NUMBERS = st.sampled_from(
    (
        *(
            0,
            1,
            99,
            BPS - 1,
            BPS,
            BPS + 1,
            3_599,
            3_600,
            30 * DAY,
            30 * DAY + 1,
            YEAR,
            YEAR + 1,
            W // 100,
            W // 100 + 1,
        ),
        *(W // 40, W // 20, W - 1, W, W + 1, 5 * W, 10 * W, 10 * W + 1, 1_000 * W, 2**80 - 1, 2**80, 2**96 - 1, 2**96),
    )
)


def is_refused(rule: Any, *arguments: Any) -> bool:
    try:
        rule(*arguments)
    except Refusal:
        return True
    return False


def names(record: Any, *apart: str) -> list[str]:
    return [name for name in record.__dataclass_fields__ if name not in apart]


@given(st.dictionaries(st.sampled_from(names(RISK, "equity_tiers")), NUMBERS, max_size=3))
def test_risk_parameters_clash_exactly_when_they_are_refused(changes: dict[str, Any]) -> None:
    """CFG-1."""
    changes["usdc_feed"] = min(changes.get("usdc_feed", 0), 2**16 - 1)  # an id, found by name in a file
    risk = replace(RISK, **changes)
    assert bool(explain_clash(check_risk, risk)) == is_refused(check_risk, risk)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=9))
def test_equity_tiers_clash_exactly_when_they_are_refused(rows: list[tuple[int, int]]) -> None:
    """CFG-6, CFG-7."""
    risk = replace(RISK, equity_tiers=tuple(EquityTier(lower, leverage) for lower, leverage in rows))
    assert bool(explain_clash(check_risk, risk)) == is_refused(check_risk, risk)


@given(st.dictionaries(st.sampled_from(names(MARKET, "brackets", "feed")), NUMBERS, max_size=3), NUMBERS)
def test_a_market_clashes_exactly_when_it_is_refused(changes: dict[str, Any], reward: int) -> None:
    """CFG-2, CFG-8, CFG-9."""
    market: MarketParams = replace(MARKET, **changes)
    risk: RiskParams = replace(RISK, fixed_reward=reward)
    assert bool(explain_clash(check_market, risk, market)) == is_refused(check_market, risk, market)


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), max_size=3))
def test_margin_rates_clash_exactly_when_they_are_refused(rows: list[tuple[int, int, int]]) -> None:
    """CFG-3, CFG-4, CFG-6."""
    market = replace(MARKET, brackets=tuple(MarginBracket(*row) for row in sorted(rows)))
    assert bool(explain_clash(check_market, RISK, market)) == is_refused(check_market, RISK, market)


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), max_size=3), st.sampled_from((0, 500, BPS - 1)))
def test_haircuts_clash_exactly_when_they_are_refused(rows: list[tuple[int, int, int]], discount: int) -> None:
    """CFG-5, CFG-6; what a cap of tokens may be, the remedy says."""
    collateral: CollateralParams = replace(WETH, brackets=tuple(HaircutBracket(*row) for row in sorted(rows)))
    risk = replace(RISK, sale_discount=discount)
    assert bool(explain_clash(check_collateral, risk, collateral)) == is_refused(check_collateral, risk, collateral)


def change_tier(index: int, **rates: int) -> MarketParams:
    rows = list(MARKET.brackets)
    rows[index] = replace(rows[index], **rates)
    return replace(MARKET, brackets=tuple(rows))


COST = "the closing cost (reward_ratio_max + penalty_ratio + impact_cap_ratio)"


@pytest.mark.parametrize(
    ("market", "told"),
    [
        (change_tier(1, mm_rate=W // 50), "CFG-3: mm is 0.02, it must be above 0.025, mm of the entry before"),
        (change_tier(0, mm_rate=W // 100), f"CFG-3: mm is 0.01, it must be above 0.0175, {COST}"),
        (change_tier(1, im_rate=W // 20), "CFG-3: im is 0.05, it must be above 0.05, im of the entry before"),
        (change_tier(3, im_rate=2 * W), "CFG-3: im is 2, it must be at most 1"),
        (
            change_tier(3, mm_rate=W // 4),
            "CFG-3: im is 0.3, it must be at least 0.3125, mm 0.25 * (1 + margin_call_buffer 0.25)",
        ),
        (
            change_tier(0, im_rate=W * 43 // 1000),
            f"CFG-4: im is 0.043, it must be at least 0.0475, mm 0.025 + {COST} + fixed_reward / min_notional",
        ),
        (replace(MARKET, window=31 * DAY), "CFG-9: window is 31d, it must be at most 30d"),
        (
            replace(MARKET, min_notional=100 * W),
            "CFG-2: fixed_reward is 5, it must be at most 1, min_notional * reward_cap",
        ),
    ],
)
def test_a_clash_has_its_rule_and_both_numbers(market: MarketParams, told: str) -> None:
    assert explain_clash(check_market, RISK, market) == told
