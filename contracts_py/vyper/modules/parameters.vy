# @title Storage of parameters, packed
# @notice Layout of each word in specs/storage.md. Written by governance only. A bracket row holds its upper bound,
#         the next row's lower bound, so that a small position or holding reads a single row.

from modules import types

# keeper_reserve 96 | former reserve 96 | phase until 40 | usdc_feed 16 | equity tiers 8
margin_word: uint256
# margin_call_buffer 64 | liquidation_buffer 64 | unused 16 | backstop_ratio 16 | reward_cap 16 |
# insurance_fee_share 16 | insurance_penalty_share 16 | sale_discount 16 | lock_ratio 16 | stale_band 16
state_word: uint256
reward_word: uint256  # fixed_reward 96 | max_reward 96 | reward_ramp 64
ratio_word: uint256  # reward_ratio 64 | reward_ratio_max 64 | penalty_ratio 64 | impact_cap_ratio 64
limit_word: uint256  # debt_cap 96 | margin_call_fee 96 | reward_grace 32 | phase_in 32
# unused 128 | depeg_factor 16 | depeg_threshold 16 | former phase_in 32 | redemption_delay 32 | redemption_window 32
redemption_word: uint256
equity_tiers: uint256[types.MAX_BRACKETS]  # upper 96 | unused 80 | leverage 80

market_count: uint256
# lot 96 | min_notional 96 | phase until 40 | feed 16 | unused 2 | scales with open interest 1 | has a window 1 |
# brackets 4
market_words: uint256[types.MAX_MARKETS]
# skew_scale 96 | taker_fee 56 | maker_fee 56 | max_premium 16 | rebate_ratio 16 | dead_band 16
fill_words: uint256[types.MAX_MARKETS]
# funding_cap 64 | funding_velocity 64 | funding_decay 64 | window 32 | unused 24 | phase brackets 8
funding_words: uint256[types.MAX_MARKETS]
cap_words: uint256[types.MAX_MARKETS]  # oi_cap 96 | skew_cap 96 | unused 64
dollar_words: uint256[types.MAX_MARKETS]  # oi_cap_usd 96 | window_notional 96 | unused 64
interest_words: uint256[types.MAX_MARKETS]  # oi_lower 96 | oi_upper 96 | unused 64
market_ceilings: uint256[types.MAX_MARKETS]  # ceiling 96 | former ceiling 96 | unused 64
margin_brackets: uint256[types.MAX_BRACKETS][types.MAX_MARKETS]  # upper 96 | mm_rate 64 | im_rate 64 | unused 32
phase_brackets: uint256[types.MAX_BRACKETS][types.MAX_MARKETS]  # the same, of the maintenance rates being phased out

collateral_count: uint256
# feed 16 | decimals 8 | phase until 40 | phase brackets 8 | unused 176 | brackets 8
collateral_words: uint256[types.MAX_TOKENS]
unit_caps: uint256[types.MAX_TOKENS]  # account_cap 96 | global_cap 96 | unused 64
token_ceilings: uint256[types.MAX_TOKENS]  # ceiling 96 | former ceiling 96 | unused 64
haircut_brackets: uint256[types.MAX_BRACKETS][types.MAX_TOKENS]  # upper 96 | mm_weight 64 | im_weight 64 | unused 32
haircut_phases: uint256[types.MAX_BRACKETS][types.MAX_TOKENS]  # the same, of the weights being phased out
