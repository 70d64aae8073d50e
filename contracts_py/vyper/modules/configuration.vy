# @title Parameter sets: what governance may choose, and how it is packed
# @notice Twin of the checks in protocol/params.py; the words are described in specs/storage.md.

from modules import calc
from modules import parameters
from modules import types

uses: parameters

MAX_FEE_RATE: constant(uint256) = 10**16
MAX_DECIMALS: constant(uint256) = 24
USD_LIMIT: constant(uint256) = 2**96


@internal
@pure
def check_risk(risk: types.RiskParams):
    """Ranges of the risk parameters on their own (CFG-1)."""
    assert (
        risk.keeper_reserve < USD_LIMIT
        and risk.fixed_reward < USD_LIMIT
        and risk.max_reward < USD_LIMIT
        and risk.debt_cap < USD_LIMIT
        and risk.backstop_ratio <= calc.BPS
        and risk.reward_cap <= calc.BPS
        and risk.insurance_fee_share <= calc.BPS
        and risk.insurance_penalty_share <= calc.BPS
        and risk.sale_discount < calc.BPS
        and risk.margin_call_buffer <= calc.W
        and risk.reward_ratio <= calc.W
        and risk.penalty_ratio <= calc.W
        and risk.fixed_reward <= risk.max_reward
    ), "config/risk"


@internal
@pure
def check_market(risk: types.RiskParams, market: types.MarketParams):
    """A market's parameters, alone and against the risk parameters (CFG-2 to CFG-4, CFG-6)."""
    assert (
        market.feed < 2**16
        and market.lot != 0
        and market.lot < 2**96
        and market.min_notional != 0
        and market.min_notional < USD_LIMIT
        and market.fee_rate <= MAX_FEE_RATE
    ), "config/market"
    assert risk.fixed_reward * calc.BPS <= market.min_notional * risk.reward_cap, "config/market"
    count: uint256 = len(market.brackets)
    assert count != 0 and count <= types.MAX_BRACKETS, "config/brackets"
    for k: uint256 in range(count, bound=types.MAX_BRACKETS):
        self._check_lower_bound(k, market.brackets[k].lower, market.brackets[max(k, 1) - 1].lower)
    closing_cost: uint256 = risk.reward_ratio + risk.penalty_ratio
    mm_below: uint256 = closing_cost
    im_below: uint256 = 0
    for k: uint256 in range(count, bound=types.MAX_BRACKETS):
        bracket: types.MarginBracket = market.brackets[k]
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
    assert collateral.feed < 2**16 and collateral.decimals <= MAX_DECIMALS, "config/haircuts"
    count: uint256 = len(collateral.brackets)
    assert count != 0 and count <= types.MAX_BRACKETS, "config/brackets"
    for k: uint256 in range(count, bound=types.MAX_BRACKETS):
        self._check_lower_bound(k, collateral.brackets[k].lower, collateral.brackets[max(k, 1) - 1].lower)
    mm_above: uint256 = calc.W
    im_above: uint256 = calc.W
    for k: uint256 in range(count, bound=types.MAX_BRACKETS):
        bracket: types.HaircutBracket = collateral.brackets[k]
        assert (
            bracket.im_weight <= bracket.mm_weight
            and bracket.mm_weight <= mm_above
            and bracket.im_weight <= im_above
        ), "config/haircuts"
        mm_above = bracket.mm_weight
        im_above = bracket.im_weight
    assert (
        (calc.BPS - risk.sale_discount) * calc.W >= collateral.brackets[0].mm_weight * calc.BPS
    ), "config/haircuts"


@internal
@pure
def _check_lower_bound(k: uint256, lower: uint256, below: uint256):
    """Brackets start at zero and rise strictly (CFG-6)."""
    if k == 0:
        assert lower == 0, "config/brackets"
    else:
        assert below < lower and lower < calc.PRICE_LIMIT, "config/brackets"


@internal
@view
def load_risk() -> types.RiskParams:
    """The risk parameters in force."""
    margin_word: uint256 = parameters.margin_word
    reward_word: uint256 = parameters.reward_word
    charges: uint256 = parameters.charges_word
    return types.RiskParams(
        keeper_reserve=margin_word >> 160,
        margin_call_buffer=(margin_word >> 96) & calc.MASK_64,
        backstop_ratio=(margin_word >> 80) & 65535,
        fixed_reward=reward_word >> 160,
        reward_ratio=reward_word & calc.MASK_64,
        max_reward=(reward_word >> 64) & calc.MASK_96,
        reward_cap=(charges >> 16) & 65535,
        penalty_ratio=(charges >> 96) & calc.MASK_64,
        debt_cap=charges >> 160,
        insurance_fee_share=(charges >> 48) & 65535,
        insurance_penalty_share=(charges >> 32) & 65535,
        sale_discount=charges & 65535,
    )


@internal
def store_risk(risk: types.RiskParams):
    """Put checked risk parameters in force."""
    parameters.margin_word = (
        (risk.keeper_reserve << 160) | (risk.margin_call_buffer << 96) | (risk.backstop_ratio << 80)
    )
    parameters.reward_word = (risk.fixed_reward << 160) | (risk.max_reward << 64) | risk.reward_ratio
    parameters.charges_word = (
        (risk.debt_cap << 160)
        | (risk.penalty_ratio << 96)
        | (risk.insurance_fee_share << 48)
        | (risk.insurance_penalty_share << 32)
        | (risk.reward_cap << 16)
        | risk.sale_discount
    )


@internal
@view
def load_market(market: uint256) -> types.MarketParams:
    """A market's parameters in force."""
    word: uint256 = parameters.market_words[market]
    brackets: DynArray[types.MarginBracket, types.SENT_BRACKETS] = []
    lower: uint256 = 0
    for k: uint256 in range(word & 255, bound=types.MAX_BRACKETS):
        row: uint256 = parameters.margin_brackets[market][k]
        brackets.append(
            types.MarginBracket(
                lower=lower, mm_rate=(row >> 96) & calc.MASK_64, im_rate=(row >> 32) & calc.MASK_64
            )
        )
        lower = row >> 160
    return types.MarketParams(
        feed=(word >> 8) & 65535,
        lot=word >> 160,
        min_notional=(word >> 64) & calc.MASK_96,
        fee_rate=parameters.fee_rates[market],
        brackets=brackets,
    )


@internal
def store_market(market: uint256, params: types.MarketParams):
    """Put a market's checked parameters in force; rows beyond the last bracket are cleared."""
    count: uint256 = len(params.brackets)
    parameters.market_words[market] = (
        (params.lot << 160) | (params.min_notional << 64) | (params.feed << 8) | count
    )
    parameters.fee_rates[market] = params.fee_rate
    for k: uint256 in range(types.MAX_BRACKETS):
        row: uint256 = 0
        if k < count:
            row = (params.brackets[k].mm_rate << 96) | (params.brackets[k].im_rate << 32)
            if k + 1 < count:
                row |= params.brackets[k + 1].lower << 160
        parameters.margin_brackets[market][k] = row


@internal
@view
def load_collateral(token: uint256) -> types.CollateralParams:
    """A collateral's parameters in force."""
    word: uint256 = parameters.collateral_words[token]
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
    return types.CollateralParams(feed=word >> 240, decimals=(word >> 232) & 255, brackets=brackets)


@internal
def store_collateral(token: uint256, params: types.CollateralParams):
    """Put a collateral's checked parameters in force; rows beyond the last bracket are cleared."""
    count: uint256 = len(params.brackets)
    parameters.collateral_words[token] = (params.feed << 240) | (params.decimals << 232) | count
    for k: uint256 in range(types.MAX_BRACKETS):
        row: uint256 = 0
        if k < count:
            row = (params.brackets[k].mm_weight << 96) | (params.brackets[k].im_weight << 32)
            if k + 1 < count:
                row |= params.brackets[k + 1].lower << 160
        parameters.haircut_brackets[token][k] = row
