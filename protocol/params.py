"""The numbers governance chooses, as records; what it may not choose stands in ``configuration``."""

from __future__ import annotations

from protocol.records import record
from protocol.units import Bps, Price, Ratio, Seconds, Size, Units, Usd

MAX_MARKETS = 32
MAX_POSITIONS = 16  # of one account
MAX_TOKENS = 9  # USDC and eight collaterals: with a ninth, the products of account states could exceed 255 bits
MAX_BRACKETS = 8
MAX_DECIMALS = 24
MARGIN_CALL_FEE_CAP: Bps = 5  # of the account value
MARGIN_CALL_INTERVAL: Seconds = 3_600


@record
class EquityTier:
    """Leverage that the part of an account's equity from ``lower`` to the next tier's lower bound supports."""

    lower: Usd
    leverage: Ratio


@record
class RiskParams:
    """What holds for every account and market."""

    keeper_reserve: Usd  # part of IM and MM of an account with a position, never scaled by a buffer
    margin_call_buffer: Ratio
    liquidation_buffer: Ratio  # a partial liquidation ends this far above maintenance
    backstop_ratio: Bps
    fixed_reward: Usd
    reward_ratio: Ratio
    reward_ratio_max: Ratio
    reward_ramp: Ratio  # growth of the ratio per second after the grace time
    reward_grace: Seconds
    max_reward: Usd
    reward_cap: Bps  # of the notional closed
    penalty_ratio: Ratio
    impact_cap_ratio: Ratio  # the most impact a liquidation charges, of the notional closed
    debt_cap: Usd
    insurance_fee_share: Bps
    insurance_penalty_share: Bps
    sale_discount: Bps
    margin_call_fee: Usd
    phase_in: Seconds  # how long the old maintenance parameters hold after a change
    lock_ratio: Bps  # of the larger side's notional that the pool must keep
    stale_band: Bps  # by which a price that cannot be trusted is moved in the account's favour
    usdc_feed: int  # the feed of USDC, plus 1; 0 for none: USDC counts one dollar
    depeg_threshold: Bps  # of a dollar; below it initial margin rises
    depeg_factor: Bps  # of the notional, for each dollar that USDC is below the threshold
    redemption_delay: Seconds
    redemption_window: Seconds
    equity_tiers: tuple[EquityTier, ...]

    @property
    def closing_cost_ratio(self) -> Ratio:
        """The most a liquidation charges per dollar of notional closed, the fixed reward apart."""
        return self.reward_ratio_max + self.penalty_ratio + self.impact_cap_ratio


@record
class MarginBracket:
    """Rates for the part of a position's notional from ``lower`` to the next bracket's lower bound."""

    lower: Usd
    mm_rate: Ratio
    im_rate: Ratio


@record
class MarketParams:
    """One perpetual market. Funding ratios are per day."""

    feed: int
    ceiling: Price  # what maintenance counts a long at, and initial margin a short, while there is no price
    lot: Size
    min_notional: Usd
    maker_fee: Ratio
    taker_fee: Ratio
    skew_scale: Size
    max_premium: Bps
    rebate_ratio: Bps
    oi_cap: Size  # of each side
    oi_cap_usd: Usd
    skew_cap: Size
    funding_cap: Ratio
    funding_velocity: Ratio  # change of the rate per day when the skew is the whole scale
    funding_decay: Ratio  # change of the rate per day toward 0 inside the dead band
    dead_band: Bps  # of the skew scale
    oi_lower: Usd  # open interest from which initial margin rises,
    oi_upper: Usd  # and at which it is the whole notional; 0 for never
    window: Seconds  # length of the liquidation window; 0 for no limit
    window_notional: Usd  # what partial liquidations may close within it
    brackets: tuple[MarginBracket, ...]


@record
class OrderParams:
    """How a market trades: at once with a delay of 0, else by committed orders."""

    feed: int  # the push feed whose rounds are the prices of orders
    delay: Seconds  # from the commitment to the first round that may be the price
    window: Seconds  # in which the order must then be settled
    fee: Usd  # of an order, for whoever settles it
    cancel_fee: Usd  # part of the fee, for whoever cancels an expired order


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
    ceiling: Price  # of one whole token; what maintenance counts it at while there is no price
    account_cap: Units
    global_cap: Units
    brackets: tuple[HaircutBracket, ...]
