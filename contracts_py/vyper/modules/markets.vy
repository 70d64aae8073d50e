# @title Storage of market totals

from modules import types

open_interest: uint256[types.MAX_MARKETS]  # long 128 | short 128
costs: int256[types.MAX_MARKETS]
