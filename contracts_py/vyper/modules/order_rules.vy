# @title The rules by which a market takes orders
# @notice Twin of check_order_rules in protocol/orders.py (ORD-1).

from modules import configuration
from modules import types

LONGEST_DELAY: constant(uint256) = 3_600
LONGEST_WINDOW: constant(uint256) = 3_600
MAX_FEE: constant(uint256) = 100 * 10**18


@internal
@pure
def check_order_rules(params: types.OrderParams):
    """
    Refuse rules of orders that are out of range; those of a market that trades at once are all 0 (ORD-1). Without a
    fee nobody would be paid to settle.
    """
    if params.delay == 0:
        assert params.feed | params.window | params.fee | params.cancel_fee == 0, "config/orders"
        return
    assert (
        params.feed < configuration.FEED_LIMIT
        and params.delay <= LONGEST_DELAY
        and params.window >= 1
        and params.window <= LONGEST_WINDOW
        and params.fee >= 1
        and params.fee <= MAX_FEE
        and params.cancel_fee <= params.fee
    ), "config/orders"
