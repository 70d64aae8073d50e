# @title Parameter records as packed words
# @notice The words are described in specs/storage.md.

from modules import calc
from modules import parameters
from modules import tiers
from modules import types

uses: parameters


@internal
@view
def load_risk() -> types.RiskParams:
    """The risk parameters in force."""
    margin_word: uint256 = parameters.margin_word
    state_word: uint256 = parameters.state_word
    reward_word: uint256 = parameters.reward_word
    ratio_word: uint256 = parameters.ratio_word
    limit_word: uint256 = parameters.limit_word
    redemption_word: uint256 = parameters.redemption_word
    tiers_of_equity: DynArray[types.EquityTier, types.SENT_BRACKETS] = []
    lower: uint256 = 0
    for k: uint256 in range(margin_word & 255, bound=types.MAX_BRACKETS):
        row: uint256 = parameters.equity_tiers[k]
        tiers_of_equity.append(types.EquityTier(lower=lower, leverage=row & calc.MASK_80))
        lower = row >> 160
    return types.RiskParams(
        keeper_reserve=margin_word >> 160,
        margin_call_buffer=state_word >> 192,
        liquidation_buffer=(state_word >> 128) & calc.MASK_64,
        backstop_ratio=(state_word >> 96) & calc.MASK_16,
        fixed_reward=reward_word >> 160,
        reward_ratio=ratio_word >> 192,
        reward_ratio_max=(ratio_word >> 128) & calc.MASK_64,
        reward_ramp=reward_word & calc.MASK_64,
        reward_grace=(limit_word >> 32) & calc.MASK_32,
        max_reward=(reward_word >> 64) & calc.MASK_96,
        reward_cap=(state_word >> 80) & calc.MASK_16,
        penalty_ratio=(ratio_word >> 64) & calc.MASK_64,
        impact_cap_ratio=ratio_word & calc.MASK_64,
        debt_cap=limit_word >> 160,
        insurance_fee_share=(state_word >> 64) & calc.MASK_16,
        insurance_penalty_share=(state_word >> 48) & calc.MASK_16,
        sale_discount=(state_word >> 32) & calc.MASK_16,
        margin_call_fee=(limit_word >> 64) & calc.MASK_96,
        phase_in=limit_word & calc.MASK_32,
        lock_ratio=(state_word >> 16) & calc.MASK_16,
        stale_band=state_word & calc.MASK_16,
        usdc_feed=(margin_word >> 8) & calc.MASK_16,
        depeg_threshold=(redemption_word >> 96) & calc.MASK_16,
        depeg_factor=(redemption_word >> 112) & calc.MASK_16,
        redemption_delay=(redemption_word >> 32) & calc.MASK_32,
        redemption_window=redemption_word & calc.MASK_32,
        equity_tiers=tiers_of_equity,
    )


@internal
def store_risk(risk: types.RiskParams, phase_until: uint256, former_reserve: uint256, former_phase_in: uint256):
    """Put checked risk parameters in force."""
    count: uint256 = len(risk.equity_tiers)
    parameters.margin_word = (
        (risk.keeper_reserve << 160)
        | (former_reserve << 64)
        | (phase_until << 24)
        | (risk.usdc_feed << 8)
        | count
    )
    parameters.state_word = (
        (risk.margin_call_buffer << 192)
        | (risk.liquidation_buffer << 128)
        | (risk.backstop_ratio << 96)
        | (risk.reward_cap << 80)
        | (risk.insurance_fee_share << 64)
        | (risk.insurance_penalty_share << 48)
        | (risk.sale_discount << 32)
        | (risk.lock_ratio << 16)
        | risk.stale_band
    )
    parameters.reward_word = (risk.fixed_reward << 160) | (risk.max_reward << 64) | risk.reward_ramp
    parameters.ratio_word = (
        (risk.reward_ratio << 192)
        | (risk.reward_ratio_max << 128)
        | (risk.penalty_ratio << 64)
        | risk.impact_cap_ratio
    )
    parameters.limit_word = (
        (risk.debt_cap << 160) | (risk.margin_call_fee << 64) | (risk.reward_grace << 32) | risk.phase_in
    )
    parameters.redemption_word = (
        (risk.depeg_factor << 112)
        | (risk.depeg_threshold << 96)
        | (former_phase_in << 64)
        | (risk.redemption_delay << 32)
        | risk.redemption_window
    )
    for k: uint256 in range(types.MAX_BRACKETS):
        row: uint256 = 0
        if k < count:
            row = risk.equity_tiers[k].leverage
            if k + 1 < count:
                row |= risk.equity_tiers[k + 1].lower << 160
        parameters.equity_tiers[k] = row


@internal
@view
def load_market(market: uint256) -> types.MarketParams:
    """A market's parameters in force."""
    word: uint256 = parameters.market_words[market]
    fill_word: uint256 = parameters.fill_words[market]
    funding_word: uint256 = parameters.funding_words[market]
    caps: uint256 = parameters.cap_words[market]
    dollars: uint256 = parameters.dollar_words[market]
    interest: uint256 = parameters.interest_words[market]
    brackets: DynArray[types.MarginBracket, types.SENT_BRACKETS] = []
    lower: uint256 = 0
    for k: uint256 in range(word & tiers.MARKET_COUNT_MASK, bound=types.MAX_BRACKETS):
        row: uint256 = parameters.margin_brackets[market][k]
        brackets.append(
            types.MarginBracket(
                lower=lower, mm_rate=(row >> 96) & calc.MASK_64, im_rate=(row >> 32) & calc.MASK_64
            )
        )
        lower = row >> 160
    return types.MarketParams(
        feed=(word >> 8) & calc.MASK_16,
        ceiling=parameters.market_ceilings[market] >> 160,
        lot=word >> 160,
        min_notional=(word >> 64) & calc.MASK_96,
        maker_fee=(fill_word >> 48) & calc.MASK_56,
        taker_fee=(fill_word >> 104) & calc.MASK_56,
        skew_scale=fill_word >> 160,
        max_premium=(fill_word >> 32) & calc.MASK_16,
        rebate_ratio=(fill_word >> 16) & calc.MASK_16,
        oi_cap=caps >> 160,
        oi_cap_usd=dollars >> 160,
        skew_cap=(caps >> 64) & calc.MASK_96,
        funding_cap=funding_word >> 192,
        funding_velocity=(funding_word >> 128) & calc.MASK_64,
        funding_decay=(funding_word >> 64) & calc.MASK_64,
        dead_band=fill_word & calc.MASK_16,
        oi_lower=interest >> 160,
        oi_upper=(interest >> 64) & calc.MASK_96,
        window=(funding_word >> 32) & calc.MASK_32,
        window_notional=(dollars >> 64) & calc.MASK_96,
        brackets=brackets,
    )


@internal
def store_market(market: uint256, params: types.MarketParams, phase_until: uint256, phase_count: uint256):
    """Put a market's checked parameters in force; rows beyond the last bracket are cleared."""
    count: uint256 = len(params.brackets)
    flags: uint256 = 0
    if params.window != 0:
        flags |= tiers.HAS_WINDOW
    if params.oi_upper != 0:
        flags |= tiers.SCALES_WITH_OI
    parameters.market_words[market] = (
        (params.lot << 160)
        | (params.min_notional << 64)
        | (phase_until << 24)
        | (params.feed << 8)
        | flags
        | count
    )
    parameters.fill_words[market] = (
        (params.skew_scale << 160)
        | (params.taker_fee << 104)
        | (params.maker_fee << 48)
        | (params.max_premium << 32)
        | (params.rebate_ratio << 16)
        | params.dead_band
    )
    parameters.funding_words[market] = (
        (params.funding_cap << 192)
        | (params.funding_velocity << 128)
        | (params.funding_decay << 64)
        | (params.window << 32)
        | phase_count
    )
    parameters.cap_words[market] = (params.oi_cap << 160) | (params.skew_cap << 64)
    parameters.dollar_words[market] = (params.oi_cap_usd << 160) | (params.window_notional << 64)
    parameters.interest_words[market] = (params.oi_lower << 160) | (params.oi_upper << 64)
    parameters.market_ceilings[market] = self._replace_ceiling(parameters.market_ceilings[market], params.ceiling)
    for k: uint256 in range(types.MAX_BRACKETS):
        parameters.margin_brackets[market][k] = self.margin_row(params.brackets, k)


@internal
@pure
def _replace_ceiling(word: uint256, ceiling: uint256) -> uint256:
    """A word of ceilings with another one in force; the former one of its phase stays."""
    return (ceiling << 160) | (word & (2**160 - 1))


@internal
@pure
def margin_row(brackets: DynArray[types.MarginBracket, types.SENT_BRACKETS], k: uint256) -> uint256:
    """A bracket's row; 0 beyond the last."""
    count: uint256 = len(brackets)
    if k >= count:
        return 0
    row: uint256 = (brackets[k].mm_rate << 96) | (brackets[k].im_rate << 32)
    if k + 1 < count:
        row |= brackets[k + 1].lower << 160
    return row


@internal
@view
def load_collateral(token: uint256) -> types.CollateralParams:
    """A collateral's parameters in force."""
    word: uint256 = parameters.collateral_words[token]
    caps: uint256 = parameters.unit_caps[token]
    brackets: DynArray[types.HaircutBracket, types.SENT_BRACKETS] = []
    lower: uint256 = 0
    for k: uint256 in range(word & 255, bound=types.MAX_BRACKETS):
        row: uint256 = parameters.haircut_brackets[token][k]
        brackets.append(
            types.HaircutBracket(
                lower=lower, mm_weight=(row >> 96) & calc.MASK_64, im_weight=(row >> 32) & calc.MASK_64
            )
        )
        lower = row >> 160
    return types.CollateralParams(
        feed=word >> 240,
        decimals=(word >> 232) & 255,
        ceiling=parameters.token_ceilings[token] >> 160,
        account_cap=caps >> 160,
        global_cap=(caps >> 64) & calc.MASK_96,
        brackets=brackets,
    )


@internal
def store_collateral(token: uint256, params: types.CollateralParams, phase_until: uint256, phase_count: uint256):
    """Put a collateral's checked parameters in force; rows beyond the last bracket are cleared."""
    count: uint256 = len(params.brackets)
    parameters.collateral_words[token] = (
        (params.feed << 240) | (params.decimals << 232) | (phase_until << 192) | (phase_count << 184) | count
    )
    parameters.unit_caps[token] = (params.account_cap << 160) | (params.global_cap << 64)
    parameters.token_ceilings[token] = self._replace_ceiling(parameters.token_ceilings[token], params.ceiling)
    for k: uint256 in range(types.MAX_BRACKETS):
        parameters.haircut_brackets[token][k] = self.haircut_row(params.brackets, k)


@internal
@pure
def haircut_row(brackets: DynArray[types.HaircutBracket, types.SENT_BRACKETS], k: uint256) -> uint256:
    """A bracket's row; 0 beyond the last."""
    count: uint256 = len(brackets)
    if k >= count:
        return 0
    row: uint256 = (brackets[k].mm_weight << 96) | (brackets[k].im_weight << 32)
    if k + 1 < count:
        row |= brackets[k + 1].lower << 160
    return row
