"""The combinations of parameters that governance may not choose (CFG-1 to CFG-9)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from protocol import errors
from protocol.params import MAX_BRACKETS, MAX_DECIMALS, CollateralParams, MarketParams, RiskParams
from protocol.units import BPS, DAY, PRICE_LIMIT, SIZE_LIMIT, UNITS_LIMIT, YEAR, Ratio, Usd, W

USD_LIMIT = 2**96  # dollar amounts in parameters
FEED_LIMIT = 2**16
FACTOR_LIMIT = 2**16
LEVERAGE_LIMIT = 2**80
MAX_FEE_RATE = W // 100
LONGEST_DURATION = YEAR
SHORTEST_PHASE_IN = 3_600  # a stricter rate never binds in its own block
MAX_FUNDING_SPEED = 10 * W  # per day per day


def check_risk(risk: RiskParams) -> None:
    """Ranges of the risk parameters on their own, and the equity tiers (CFG-1, CFG-6, CFG-7).

    Refuses: config/risk, config/brackets, config/equity-tiers.
    """
    dollars = (risk.keeper_reserve, risk.fixed_reward, risk.max_reward, risk.debt_cap, risk.margin_call_fee)
    shares = (
        risk.backstop_ratio,
        risk.reward_cap,
        risk.insurance_fee_share,
        risk.insurance_penalty_share,
        risk.sale_discount,
        risk.lock_ratio,
        risk.stale_band,
        risk.depeg_threshold,
    )
    ratios = (
        risk.margin_call_buffer,
        risk.liquidation_buffer,
        risk.reward_ratio,
        risk.reward_ratio_max,
        risk.reward_ramp,
        risk.penalty_ratio,
        risk.impact_cap_ratio,
    )
    durations = (risk.reward_grace, risk.redemption_delay, risk.redemption_window)
    if not (
        all(0 <= amount < USD_LIMIT for amount in dollars)
        and all(0 <= share <= BPS for share in shares)
        and all(0 <= ratio <= W for ratio in ratios)
        and all(0 <= duration <= LONGEST_DURATION for duration in durations)
        and SHORTEST_PHASE_IN <= risk.phase_in <= LONGEST_DURATION
        and risk.fixed_reward <= risk.max_reward
        and risk.reward_ratio <= risk.reward_ratio_max
        and risk.sale_discount < BPS
        and 0 <= risk.usdc_feed < FEED_LIMIT
        and 0 <= risk.depeg_factor < FACTOR_LIMIT
        and (risk.usdc_feed or risk.depeg_threshold == risk.depeg_factor == 0)
    ):
        raise errors.BadRiskConfig
    check_lower_bounds([tier.lower for tier in risk.equity_tiers])
    above = LEVERAGE_LIMIT - 1
    for tier in risk.equity_tiers:
        if not W <= tier.leverage <= above:
            raise errors.BadEquityTiers(lower=tier.lower)
        above = tier.leverage


def check_market(risk: RiskParams, market: MarketParams) -> None:
    """A market's parameters, alone and against the risk parameters (CFG-2 to CFG-4, CFG-6, CFG-8, CFG-9).

    An account opened exactly at its initial margin must be able to pay for its own liquidation and must not be
    born in the margin-call zone; the keeper's fixed reward must fit into the smallest position.

    Refuses: config/market, config/funding, config/brackets, config/margin-rates.
    """
    if not (
        0 <= market.feed < FEED_LIMIT
        and 0 < market.ceiling < PRICE_LIMIT
        and 0 < market.lot < SIZE_LIMIT
        and 0 < market.min_notional < USD_LIMIT
        and 0 <= market.maker_fee <= market.taker_fee <= MAX_FEE_RATE
        and W <= market.skew_scale < SIZE_LIMIT
        and 0 <= market.max_premium <= BPS
        and 0 <= market.rebate_ratio <= BPS
        and 0 <= market.oi_cap < SIZE_LIMIT
        and 0 <= market.oi_cap_usd < USD_LIMIT
        and 0 <= market.skew_cap < SIZE_LIMIT
        and 0 <= market.oi_upper < USD_LIMIT
        and (0 <= market.oi_lower < market.oi_upper or market.oi_lower == market.oi_upper == 0)
        and 0 <= market.window <= 30 * DAY
        and (0 if market.window == 0 else market.min_notional) <= market.window_notional < USD_LIMIT
        and risk.fixed_reward * BPS <= market.min_notional * risk.reward_cap
    ):
        raise errors.BadMarketConfig
    if not (
        0 <= market.funding_cap <= W
        and 0 <= market.funding_velocity <= MAX_FUNDING_SPEED
        and 0 <= market.funding_decay <= MAX_FUNDING_SPEED
        and 0 <= market.dead_band <= BPS
    ):
        raise errors.BadFundingConfig
    check_lower_bounds([bracket.lower for bracket in market.brackets])
    closing_cost = risk.closing_cost_ratio
    mm_below, im_below = closing_cost, 0  # the first maintenance rate must exceed the cost of closing
    for bracket in market.brackets:
        if not (
            mm_below < bracket.mm_rate
            and im_below < bracket.im_rate <= W
            and bracket.im_rate >= bracket.mm_rate + closing_cost
            and bracket.im_rate * W >= bracket.mm_rate * (W + risk.margin_call_buffer)
        ):
            raise errors.BadMarginRates(lower=bracket.lower)
        mm_below, im_below = bracket.mm_rate, bracket.im_rate
    first = market.brackets[0]
    room = first.im_rate - first.mm_rate - closing_cost
    if room * market.min_notional < risk.fixed_reward * W:
        raise errors.BadMarginRates(lower=0)


def check_collateral(risk: RiskParams, collateral: CollateralParams) -> None:
    """A collateral's parameters, alone and against the sale discount (CFG-5, CFG-6).

    Selling at the discount must bring at least the value the maintenance test counted.

    Refuses: config/haircuts, config/brackets.
    """
    if not (
        0 <= collateral.feed < FEED_LIMIT
        and 0 <= collateral.decimals <= MAX_DECIMALS
        and 0 < collateral.ceiling < PRICE_LIMIT
        and 0 <= collateral.account_cap < UNITS_LIMIT
        and 0 <= collateral.global_cap < UNITS_LIMIT
    ):
        raise errors.BadHaircuts
    check_lower_bounds([bracket.lower for bracket in collateral.brackets])
    mm_above, im_above = W, W
    for bracket in collateral.brackets:
        if not (0 <= bracket.im_weight <= bracket.mm_weight <= mm_above and bracket.im_weight <= im_above):
            raise errors.BadHaircuts(lower=bracket.lower)
        mm_above, im_above = bracket.mm_weight, bracket.im_weight
    if exceeds_sale(risk, collateral.brackets[0].mm_weight):
        raise errors.BadHaircuts(lower=0)


def exceeds_sale(risk: RiskParams, mm_weight: Ratio) -> bool:
    """Whether a collateral counts for more than its sale at the discount brings (CFG-5)."""
    return (BPS - risk.sale_discount) * W < mm_weight * BPS


def check_lower_bounds(lowers: Sequence[Usd]) -> None:
    """One to eight brackets, from zero, strictly rising (CFG-6).

    Refuses: config/brackets.
    """
    if not 1 <= len(lowers) <= MAX_BRACKETS or lowers[0] != 0:
        raise errors.BadBrackets
    for below, lower in pairwise(lowers):
        if not below < lower < PRICE_LIMIT:
            raise errors.BadBrackets(lower=lower)
