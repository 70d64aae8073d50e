# @title Storage of accounts, and their ids
# @notice A header is cash 128, signed | margin_called_at 40 | flagged_at 40 | has orders 1 | isolated market plus 1, 6
#         | registered 1 | token bits 8 | market bits 32.

REGISTERED: constant(uint256) = 2**40
TOKENS_SHIFT: constant(uint256) = 32
TOKENS_MASK: constant(uint256) = 255
MARKETS_MASK: constant(uint256) = 2**32 - 1
ISOLATED_SHIFT: constant(uint256) = 41
ISOLATED_MASK: constant(uint256) = 63
HAS_ORDERS: constant(uint256) = 2**47
FLAGGED_SHIFT: constant(uint256) = 48
CALLED_SHIFT: constant(uint256) = 88

headers: HashMap[uint256, uint256]
collateral: HashMap[uint256, HashMap[uint256, uint256]]  # account, token -> units
positions: HashMap[uint256, HashMap[uint256, uint256]]  # account, market -> size 128 | cost 128
entries: HashMap[uint256, HashMap[uint256, uint256]]  # account, market -> entry index 128 | unused 48 | leverage cap 80
operators: HashMap[uint256, address]
account_ids: HashMap[uint256, uint256]  # in order of registration
account_count: uint256


@internal
@pure
def account_id(owner: address) -> uint256:
    """The id of an owner's account 0."""
    return convert(convert(owner, bytes32), uint256) << 96
