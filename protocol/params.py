"""The numbers governance chooses, and the combinations it may not choose (CFG-1 to CFG-6)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from protocol import errors
from protocol.records import record
from protocol.units import BPS, PRICE_LIMIT, SIZE_LIMIT, Bps, Price, Ratio, Size, Usd, W

MAX_MARKETS = 32
MAX_TOKENS = 9  # USDC and eight collaterals
MAX_BRACKETS = 8
MAX_DECIMALS = 24
USD_LIMIT = 2**96  # dollar amounts in parameters


@record
class RiskParams:
    """What holds for every account and market."""

    keeper_reserve: Usd  # part of IM and MM of an account with a position, never scaled by a buffer
    margin_call_buffer: Ratio
    backstop_ratio: Bps
    fixed_reward: Usd
    reward_ratio: Ratio
    max_reward: Usd
    reward_cap: Bps  # of the notional closed
    penalty_ratio: Ratio
    debt_cap: Usd
    insurance_fee_share: Bps
    insurance_penalty_share: Bps
    sale_discount: Bps

    @property
    def closing_cost_ratio(self) -> Ratio:
        """The most a liquidation charges per dollar of notional closed, the fixed reward apart."""
        return self.reward_ratio + self.penalty_ratio


@record
class MarginBracket:
    """Rates for the part of a position's notional from ``lower`` to the next bracket's lower bound."""

    lower: Usd
    mm_rate: Ratio
    im_rate: Ratio


@record
class MarketParams:
    """One perpetual market."""

    feed: int
    lot: Size
    min_notional: Usd
    fee_rate: Ratio
    brackets: tuple[MarginBracket, ...]


@record
class HaircutBracket:
    """Weights for the part of a collateral's value from ``lower`` to the next bracket's lower bound."""

    lower: Usd
    mm_weight: Ratio
    im_weight: Ratio


@record
class CollateralParams:
    """One collateral token; token ids start at 1, id 0 is USDC."""

    feed: int
    decimals: int
    brackets: tuple[HaircutBracket, ...]


def check_risk(risk: RiskParams) -> None:
    """Ranges of the risk parameters on their own (CFG-1).

    Refuses: config/risk.
    """
    dollars = (risk.keeper_reserve, risk.fixed_reward, risk.max_reward, risk.debt_cap)
    shares = (
        risk.backstop_ratio,
        risk.reward_cap,
        risk.insurance_fee_share,
        risk.insurance_penalty_share,
        risk.sale_discount,
    )
    ratios = (risk.margin_call_buffer, risk.reward_ratio, risk.penalty_ratio)
    if not (
        all(0 <= amount < USD_LIMIT for amount in dollars)
        and all(0 <= share <= BPS for share in shares)
        and all(0 <= ratio <= W for ratio in ratios)
        and risk.fixed_reward <= risk.max_reward
        and risk.sale_discount < BPS
    ):
        raise errors.BadRiskConfig


def check_market(risk: RiskParams, market: MarketParams) -> None:
    """A market's parameters, alone and against the risk parameters (CFG-2 to CFG-4).

    An account opened exactly at its initial margin must be able to pay for its own liquidation and must not be
    born in the margin-call zone; the keeper's fixed reward must fit into the smallest position.

    Refuses: config/market, config/brackets, config/margin-rates.
    """
    if not (
        0 <= market.feed < 2**16
        and 0 < market.lot < SIZE_LIMIT
        and 0 < market.min_notional < USD_LIMIT
        and 0 <= market.fee_rate <= W // 100
        and risk.fixed_reward * BPS <= market.min_notional * risk.reward_cap
    ):
        raise errors.BadMarketConfig
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
    """A collateral's parameters, alone and against the sale discount (CFG-5).

    Selling at the discount must bring at least the value the maintenance test counted.

    Refuses: config/haircuts, config/brackets.
    """
    if not (0 <= collateral.feed < 2**16 and 0 <= collateral.decimals <= MAX_DECIMALS):
        raise errors.BadHaircuts
    check_lower_bounds([bracket.lower for bracket in collateral.brackets])
    mm_above, im_above = W, W
    for bracket in collateral.brackets:
        if not (0 <= bracket.im_weight <= bracket.mm_weight <= mm_above and bracket.im_weight <= im_above):
            raise errors.BadHaircuts(lower=bracket.lower)
        mm_above, im_above = bracket.mm_weight, bracket.im_weight
    if (BPS - risk.sale_discount) * W < collateral.brackets[0].mm_weight * BPS:
        raise errors.BadHaircuts(lower=0)


def check_lower_bounds(lowers: Sequence[Price]) -> None:
    """One to eight brackets, from zero, strictly rising (CFG-6).

    Refuses: config/brackets.
    """
    if not 1 <= len(lowers) <= MAX_BRACKETS or lowers[0] != 0:
        raise errors.BadBrackets
    for below, lower in pairwise(lowers):
        if not below < lower < PRICE_LIMIT:
            raise errors.BadBrackets(lower=lower)
