# @title Storage of accounts
# @notice A header is cash 128, signed | unused 87 | registered 1 | collateral bits 8 | position bits 32.

REGISTERED: constant(uint256) = 2**40
TOKENS_SHIFT: constant(uint256) = 32
TOKENS_MASK: constant(uint256) = 255
MARKETS_MASK: constant(uint256) = 2**32 - 1

headers: HashMap[uint256, uint256]
collateral: HashMap[uint256, HashMap[uint256, uint256]]  # account, token -> units
positions: HashMap[uint256, HashMap[uint256, uint256]]  # account, market -> size 128 | cost 128
account_ids: HashMap[uint256, uint256]  # in order of registration
account_count: uint256
