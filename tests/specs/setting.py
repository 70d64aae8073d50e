"""Where the worked examples of specs/ begin: a configured protocol, its people, and prices.

BTC at 8,000 and ETH at 200 dollars, a pool of 1,000,000 and an insurance fund of 10,000 dollars, and nobody has an
account yet. Everything is reached through ``apply``, so an example can rely on no state that the rules do not allow.
"""

from __future__ import annotations

from protocol.actions import DepositToPool, FundInsurance, SetCollateral, SetMarket, SetRisk
from protocol.env import Env, Quote
from protocol.params import CollateralParams, EquityTier, HaircutBracket, MarginBracket, MarketParams, RiskParams
from protocol.state import State, genesis
from protocol.transition import apply
from protocol.units import W

ADMIN, GUARDIAN, POSTER, LENDER, BORROWER, LIQUIDATOR, STRANGER = range(0xA1, 0xA8)  # addresses
NOW = 1_600_000_000
LATER = NOW + 86_400  # a day after
USDC, WETH = 0, 1  # tokens
BTC, ETH = 0, 1  # markets, and the feeds of the same numbers

EQUITY_TIERS = (
    EquityTier(lower=0, leverage=20 * W),
    EquityTier(lower=1_000_000 * W, leverage=10 * W),
    EquityTier(lower=10_000_000 * W, leverage=5 * W),
)
RISK = RiskParams(
    keeper_reserve=10 * W,
    margin_call_buffer=W // 4,
    liquidation_buffer=W // 10,
    backstop_ratio=6_667,
    fixed_reward=5 * W,
    reward_ratio=W // 1_000,
    reward_ratio_max=W // 400,
    reward_ramp=W // 10**6,
    reward_grace=60,
    max_reward=1_000 * W,
    reward_cap=100,
    penalty_ratio=W // 200,
    impact_cap_ratio=W // 200,
    debt_cap=100_000 * W,
    insurance_fee_share=1_000,
    insurance_penalty_share=5_000,
    sale_discount=500,
    margin_call_fee=W,
    phase_in=86_400,
    lock_ratio=2_000,
    stale_band=1_000,
    usdc_feed=0,
    depeg_threshold=0,
    depeg_factor=0,
    redemption_delay=3_600,
    redemption_window=86_400,
    equity_tiers=EQUITY_TIERS,
)
TIERS = (
    MarginBracket(lower=0, mm_rate=W // 40, im_rate=W // 20),
    MarginBracket(lower=1_000_000 * W, mm_rate=W // 25, im_rate=W * 2 // 25),
    MarginBracket(lower=5_000_000 * W, mm_rate=W * 3 // 40, im_rate=W * 3 // 20),
    MarginBracket(lower=20_000_000 * W, mm_rate=W * 3 // 20, im_rate=W * 3 // 10),
)
HAIRCUTS = (
    HaircutBracket(lower=0, mm_weight=W * 9 // 10, im_weight=W * 17 // 20),
    HaircutBracket(lower=1_000_000 * W, mm_weight=W * 4 // 5, im_weight=W * 7 // 10),
    HaircutBracket(lower=5_000_000 * W, mm_weight=W // 2, im_weight=W * 2 // 5),
)

CEILINGS = {BTC: 16_000 * W, ETH: 400 * W}  # twice the prices


def market_params(feed: int, lot: int, skew_scale: int) -> MarketParams:
    """A market over a feed; sizes in base units at scale W."""
    return MarketParams(
        feed=feed,
        ceiling=CEILINGS[feed],
        lot=lot,
        min_notional=1_000 * W,
        maker_fee=W // 5_000,
        taker_fee=W // 2_000,
        skew_scale=skew_scale,
        max_premium=500,
        rebate_ratio=9_000,
        oi_cap=skew_scale,
        oi_cap_usd=500_000_000 * W,
        skew_cap=skew_scale // 2,
        funding_cap=W * 3 // 100,
        funding_velocity=W * 9 // 100,
        funding_decay=W * 9 // 100,
        dead_band=100,
        oi_lower=50_000_000 * W,
        oi_upper=500_000_000 * W,
        window=3_600,
        window_notional=20_000_000 * W,
        brackets=TIERS,
    )


BTC_MARKET = market_params(BTC, lot=W // 1_000, skew_scale=20_000 * W)
ETH_MARKET = market_params(ETH, lot=W // 100, skew_scale=400_000 * W)
WETH_COLLATERAL = CollateralParams(
    feed=ETH,
    decimals=18,
    ceiling=CEILINGS[ETH],
    account_cap=50_000 * W,
    global_cap=200_000 * W,
    brackets=HAIRCUTS,
)


def env(
    sender: int, btc: int = 8_000 * W, eth: int = 200 * W, btc_status: int = 0, eth_status: int = 0, now: int = NOW
) -> Env:
    """The surroundings of an action: who sends it, and the prices at scale W with their statuses."""
    return Env(now, sender, (Quote(btc, btc, btc, now, btc_status), Quote(eth, eth, eth, now, eth_status)))


def opened(pool: int = 1_000_000, insurance: int = 10_000) -> State:
    """The protocol with the parameters above and whole dollars in pool and insurance fund."""
    state = genesis(ADMIN, GUARDIAN, tokens=2)
    governance = (
        SetRisk(RISK),
        SetMarket(BTC, BTC_MARKET),
        SetMarket(ETH, ETH_MARKET),
        SetCollateral(WETH, WETH_COLLATERAL),
    )
    for action in governance:
        state = apply(state, env(ADMIN), action).state
    if pool:
        state = apply(state, env(LENDER), DepositToPool(pool * 10**6)).state
    if insurance:
        state = apply(state, env(STRANGER), FundInsurance(insurance * 10**6)).state
    return state
