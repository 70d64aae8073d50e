# @title Storage of committed orders and of the rules of markets for them
# @notice Twin of Order in protocol/state.py and OrderParams in protocol/params.py.

from modules import types

rules: uint256[types.MAX_MARKETS]  # unused 32 | feed 16 | delay 16 | window 32 | fee 80 | cancel_fee 80; 0: at once
trades: HashMap[uint256, HashMap[uint256, uint256]]  # account, market -> size_delta 128, signed | acceptable_price 128
# account, market -> fee 80 | cancel_fee 80 | feed 16 | settles_from 40 | expires_at 40
terms: HashMap[uint256, HashMap[uint256, uint256]]
lists: HashMap[uint256, uint256]  # account -> a bit for each market with an order
escrow: uint256  # fees of all pending orders
