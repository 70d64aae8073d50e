# @title Storage of parameters, packed
# @notice Layout of each word in specs/storage.md. Written by governance only. A bracket row holds its upper bound,
#         the next row's lower bound, so that a small position or holding reads a single row.

from modules import types

margin_word: uint256  # keeper_reserve 96 | margin_call_buffer 64 | backstop_ratio 16 | unused 80
reward_word: uint256  # fixed_reward 96 | max_reward 96 | reward_ratio 64
charges_word: uint256  # debt_cap 96 | penalty_ratio 64 | unused 32 | fee share, penalty share, reward_cap, discount 16 each

market_count: uint256
market_words: uint256[types.MAX_MARKETS]  # lot 96 | min_notional 96 | unused 40 | feed 16 | brackets 8
fee_rates: uint256[types.MAX_MARKETS]
margin_brackets: uint256[types.MAX_BRACKETS][types.MAX_MARKETS]  # upper 96 | mm_rate 64 | im_rate 64 | unused 32

collateral_count: uint256
collateral_words: uint256[types.MAX_TOKENS]  # feed 16 | decimals 8 | unused 224 | brackets 8
haircut_brackets: uint256[types.MAX_BRACKETS][types.MAX_TOKENS]  # upper 96 | mm_weight 64 | im_weight 64 | unused 32
