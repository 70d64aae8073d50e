# @title Records that cross contract borders
# @notice Twin of the records in protocol/params.py and protocol/margin.py.

MAX_MARKETS: constant(uint256) = 32
MAX_TOKENS: constant(uint256) = 9  # USDC and eight collaterals
MAX_BRACKETS: constant(uint256) = 8
SENT_BRACKETS: constant(uint256) = MAX_BRACKETS + 1  # room for one too many, so that it is refused and not undecodable
USDC: constant(uint256) = 0

struct RiskParams:
    keeper_reserve: uint256
    margin_call_buffer: uint256
    backstop_ratio: uint256
    fixed_reward: uint256
    reward_ratio: uint256
    max_reward: uint256
    reward_cap: uint256
    penalty_ratio: uint256
    debt_cap: uint256
    insurance_fee_share: uint256
    insurance_penalty_share: uint256
    sale_discount: uint256

struct MarginBracket:
    lower: uint256
    mm_rate: uint256
    im_rate: uint256

struct MarketParams:
    feed: uint256
    lot: uint256
    min_notional: uint256
    fee_rate: uint256
    brackets: DynArray[MarginBracket, SENT_BRACKETS]

struct HaircutBracket:
    lower: uint256
    mm_weight: uint256
    im_weight: uint256

struct CollateralParams:
    feed: uint256
    decimals: uint256
    brackets: DynArray[HaircutBracket, SENT_BRACKETS]

struct Health:
    equity_raw: int256
    equity_mm: int256
    equity_im: int256
    maintenance_margin: uint256
    initial_margin: uint256
    reserve: uint256
    price_status: uint256
