# @title Records that cross contract borders
# @notice Twin of the records in protocol/params.py and protocol/margin.py.

MAX_MARKETS: constant(uint256) = 32
MAX_POSITIONS: constant(uint256) = 16
MAX_TOKENS: constant(uint256) = 9  # USDC and eight collaterals
MAX_BRACKETS: constant(uint256) = 8
SENT_BRACKETS: constant(uint256) = MAX_BRACKETS + 1  # room for one too many, so that it is refused and not undecodable
MAX_BATCH: constant(uint256) = 32  # accounts of one call
SENT_BATCH: constant(uint256) = MAX_BATCH + 1
RING: constant(uint256) = 32  # buckets of a liquidation window
USDC: constant(uint256) = 0

struct EquityTier:
    lower: uint256
    leverage: uint256

struct RiskParams:
    keeper_reserve: uint256
    margin_call_buffer: uint256
    liquidation_buffer: uint256
    backstop_ratio: uint256
    fixed_reward: uint256
    reward_ratio: uint256
    reward_ratio_max: uint256
    reward_ramp: uint256
    reward_grace: uint256
    max_reward: uint256
    reward_cap: uint256
    penalty_ratio: uint256
    impact_cap_ratio: uint256
    debt_cap: uint256
    insurance_fee_share: uint256
    insurance_penalty_share: uint256
    sale_discount: uint256
    margin_call_fee: uint256
    phase_in: uint256
    lock_ratio: uint256
    stale_band: uint256
    usdc_feed: uint256
    depeg_threshold: uint256
    depeg_factor: uint256
    redemption_delay: uint256
    redemption_window: uint256
    equity_tiers: DynArray[EquityTier, SENT_BRACKETS]

struct MarginBracket:
    lower: uint256
    mm_rate: uint256
    im_rate: uint256

struct MarketParams:
    feed: uint256
    ceiling: uint256
    lot: uint256
    min_notional: uint256
    maker_fee: uint256
    taker_fee: uint256
    skew_scale: uint256
    max_premium: uint256
    rebate_ratio: uint256
    oi_cap: uint256
    oi_cap_usd: uint256
    skew_cap: uint256
    funding_cap: uint256
    funding_velocity: uint256
    funding_decay: uint256
    dead_band: uint256
    oi_lower: uint256
    oi_upper: uint256
    window: uint256
    window_notional: uint256
    brackets: DynArray[MarginBracket, SENT_BRACKETS]

struct OrderParams:
    feed: uint256
    delay: uint256
    window: uint256
    fee: uint256
    cancel_fee: uint256

struct HaircutBracket:
    lower: uint256
    mm_weight: uint256
    im_weight: uint256

struct CollateralParams:
    feed: uint256
    decimals: uint256
    ceiling: uint256
    account_cap: uint256
    global_cap: uint256
    brackets: DynArray[HaircutBracket, SENT_BRACKETS]

struct Health:
    equity_raw: int256
    equity_mm: int256
    equity_im: int256
    maintenance_margin: uint256
    initial_margin: uint256
    reserve: uint256
    gross_notional: uint256
    price_status: uint256

struct TradePreview:
    code: bytes32
    impact: int256
    fee: uint256
    cash: int256
    health: Health
    account_state: uint256
    liquidation_price: uint256

struct LiquidationQuote:
    code: bytes32
    closed_notional: uint256
    reward: uint256
    reward_from_account: uint256
    penalty: uint256
    bad_debt: uint256

struct SettlementPreview:
    code: bytes32
    is_refused: bool
    reward: uint256
    price: uint256
    impact: int256
    fee: uint256

struct Solvency:
    pool: uint256
    insurance: uint256
    deficit: uint256
    trader_debt: uint256
    escrow: uint256
    reserved: uint256
    free: int256
    deposit_value: uint256
    redemption_value: uint256
    price_status: uint256

# A market's totals, unpacked: twin of Market in protocol/state.py.
struct Market:
    long_oi: uint256
    short_oi: uint256
    cost: int256
    impact: uint256
    reserved: uint256
    funding_index: int256
    funding_rate: int256
    funding_velocity: int256
    funding_limit: int256
    accrued_at: uint256
    index_cost: int256
