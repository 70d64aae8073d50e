# @title The combinations of parameters that governance may not choose
# @notice Twin of protocol/configuration.py.

from modules import calc
from modules import types

MAX_FEE_RATE: constant(uint256) = 10**16
MAX_DECIMALS: constant(uint256) = 24
USD_LIMIT: constant(uint256) = 2**96
FEED_LIMIT: constant(uint256) = 2**16
FACTOR_LIMIT: constant(uint256) = 2**16
LEVERAGE_LIMIT: constant(uint256) = 2**80
LONGEST_DURATION: constant(uint256) = 365 * 86_400
SHORTEST_PHASE_IN: constant(uint256) = 3_600
LONGEST_WINDOW: constant(uint256) = 30 * 86_400
MAX_FUNDING_SPEED: constant(uint256) = 10 * 10**18


@internal
@pure
def check_risk(risk: types.RiskParams):
    """Ranges of the risk parameters on their own, and the equity tiers (CFG-1, CFG-6, CFG-7)."""
    assert (
        risk.keeper_reserve < USD_LIMIT
        and risk.fixed_reward < USD_LIMIT
        and risk.max_reward < USD_LIMIT
        and risk.debt_cap < USD_LIMIT
        and risk.margin_call_fee < USD_LIMIT
        and risk.backstop_ratio <= calc.BPS
        and risk.reward_cap <= calc.BPS
        and risk.insurance_fee_share <= calc.BPS
        and risk.insurance_penalty_share <= calc.BPS
        and risk.sale_discount < calc.BPS
        and risk.lock_ratio <= calc.BPS
        and risk.stale_band <= calc.BPS
        and risk.depeg_threshold <= calc.BPS
    ), "config/risk"
    assert (
        risk.margin_call_buffer <= calc.W
        and risk.liquidation_buffer <= calc.W
        and risk.reward_ratio <= risk.reward_ratio_max
        and risk.reward_ratio_max <= calc.W
        and risk.reward_ramp <= calc.W
        and risk.penalty_ratio <= calc.W
        and risk.impact_cap_ratio <= calc.W
        and risk.fixed_reward <= risk.max_reward
        and risk.reward_grace <= LONGEST_DURATION
        and risk.phase_in >= SHORTEST_PHASE_IN
        and risk.phase_in <= LONGEST_DURATION
        and risk.redemption_delay <= LONGEST_DURATION
        and risk.redemption_window <= LONGEST_DURATION
        and risk.usdc_feed < FEED_LIMIT
        and risk.depeg_factor < FACTOR_LIMIT
        and (risk.usdc_feed != 0 or risk.depeg_threshold | risk.depeg_factor == 0)
    ), "config/risk"
    count: uint256 = len(risk.equity_tiers)
    assert count != 0 and count <= types.MAX_BRACKETS, "config/brackets"
    for k: uint256 in range(count, bound=types.MAX_BRACKETS):
        self._check_lower_bound(k, risk.equity_tiers[k].lower, risk.equity_tiers[max(k, 1) - 1].lower)
    above: uint256 = LEVERAGE_LIMIT - 1
    for k: uint256 in range(count, bound=types.MAX_BRACKETS):
        leverage: uint256 = risk.equity_tiers[k].leverage
        assert leverage >= calc.W and leverage <= above, "config/equity-tiers"
        above = leverage


@internal
@pure
def check_market(risk: types.RiskParams, market: types.MarketParams):
    """A market's parameters, alone and against the risk parameters (CFG-2 to CFG-4, CFG-6, CFG-8, CFG-9)."""
    assert (
        market.feed < FEED_LIMIT
        and market.ceiling != 0
        and market.ceiling < calc.PRICE_LIMIT
        and market.lot != 0
        and market.lot < 2**96
        and market.min_notional != 0
        and market.min_notional < USD_LIMIT
        and market.maker_fee <= market.taker_fee
        and market.taker_fee <= MAX_FEE_RATE
        and market.skew_scale >= calc.W
        and market.skew_scale < 2**96
        and market.max_premium <= calc.BPS
        and market.rebate_ratio <= calc.BPS
    ), "config/market"
    assert (
        market.oi_cap < 2**96
        and market.oi_cap_usd < USD_LIMIT
        and market.skew_cap < 2**96
        and market.oi_upper < USD_LIMIT
        and (market.oi_lower < market.oi_upper or (market.oi_lower == 0 and market.oi_upper == 0))
        and market.window <= LONGEST_WINDOW
        and market.window_notional < USD_LIMIT
        and (market.window == 0 or market.window_notional >= market.min_notional)
    ), "config/market"
    assert risk.fixed_reward * calc.BPS <= market.min_notional * risk.reward_cap, "config/market"
    assert (
        market.funding_cap <= calc.W
        and market.funding_velocity <= MAX_FUNDING_SPEED
        and market.funding_decay <= MAX_FUNDING_SPEED
        and market.dead_band <= calc.BPS
    ), "config/funding"
    count: uint256 = len(market.brackets)
    assert count != 0 and count <= types.MAX_BRACKETS, "config/brackets"
    for k: uint256 in range(count, bound=types.MAX_BRACKETS):
        self._check_lower_bound(k, market.brackets[k].lower, market.brackets[max(k, 1) - 1].lower)
    self._check_rates(risk, market)


@internal
@pure
def _check_rates(risk: types.RiskParams, market: types.MarketParams):
    """Margin rates rise, leave room for closing, and pay the fixed reward (CFG-3, CFG-4)."""
    closing_cost: uint256 = risk.reward_ratio_max + risk.penalty_ratio + risk.impact_cap_ratio
    mm_below: uint256 = closing_cost
    im_below: uint256 = 0
    for bracket: types.MarginBracket in market.brackets:
        assert (
            bracket.im_rate <= calc.W
            and bracket.mm_rate <= calc.W
            and mm_below < bracket.mm_rate
            and im_below < bracket.im_rate
            and bracket.im_rate >= bracket.mm_rate + closing_cost
            and bracket.im_rate * calc.W >= bracket.mm_rate * (calc.W + risk.margin_call_buffer)
        ), "config/margin-rates"
        mm_below = bracket.mm_rate
        im_below = bracket.im_rate
    room: uint256 = market.brackets[0].im_rate - market.brackets[0].mm_rate - closing_cost
    assert room * market.min_notional >= risk.fixed_reward * calc.W, "config/margin-rates"


@internal
@pure
def check_collateral(risk: types.RiskParams, collateral: types.CollateralParams):
    """A collateral's parameters, alone and against the sale discount (CFG-5, CFG-6)."""
    assert (
        collateral.feed < FEED_LIMIT
        and collateral.decimals <= MAX_DECIMALS
        and collateral.ceiling != 0
        and collateral.ceiling < calc.PRICE_LIMIT
        and collateral.account_cap < calc.UNITS_LIMIT
        and collateral.global_cap < calc.UNITS_LIMIT
    ), "config/haircuts"
    count: uint256 = len(collateral.brackets)
    assert count != 0 and count <= types.MAX_BRACKETS, "config/brackets"
    for k: uint256 in range(count, bound=types.MAX_BRACKETS):
        self._check_lower_bound(k, collateral.brackets[k].lower, collateral.brackets[max(k, 1) - 1].lower)
    mm_above: uint256 = calc.W
    im_above: uint256 = calc.W
    for bracket: types.HaircutBracket in collateral.brackets:
        assert (
            bracket.im_weight <= bracket.mm_weight
            and bracket.mm_weight <= mm_above
            and bracket.im_weight <= im_above
        ), "config/haircuts"
        mm_above = bracket.mm_weight
        im_above = bracket.im_weight
    assert not self.exceeds_sale(risk, collateral.brackets[0].mm_weight), "config/haircuts"


@internal
@pure
def exceeds_sale(risk: types.RiskParams, mm_weight: uint256) -> bool:
    """Whether a collateral counts for more than its sale at the discount brings (CFG-5)."""
    return (calc.BPS - risk.sale_discount) * calc.W < mm_weight * calc.BPS


@internal
@pure
def _check_lower_bound(k: uint256, lower: uint256, below: uint256):
    """Brackets start at zero and rise strictly (CFG-6)."""
    if k == 0:
        assert lower == 0, "config/brackets"
    else:
        assert below < lower and lower < calc.PRICE_LIMIT, "config/brackets"
