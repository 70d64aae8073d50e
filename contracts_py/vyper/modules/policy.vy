# @title Which action accepts a price with which faults
# @notice Twin of protocol/policy.py: POL-1 and POL-2. Every row of the table that asks for a price is a mask here.

from modules import price_status

STATUS_LIMIT: constant(uint256) = 2 * price_status.UNAVAILABLE
ALL: constant(uint256) = STATUS_LIMIT - 1
STALE: constant(uint256) = price_status.STALE_SOFT | price_status.STALE_HARD
# Any other fault, or a bit that means nothing, says that there is no price, or none that tells what something is worth.
PRICED: constant(uint256) = ALL & ~(
    price_status.UNAVAILABLE | price_status.NON_POSITIVE | price_status.OUT_OF_BOUNDS | price_status.NO_QUORUM
)

# What the rows accept.
NEW_RISK: constant(uint256) = 0
REDUCTION: constant(uint256) = (
    price_status.STALE_SOFT | price_status.UNCERTAIN | price_status.SEQ_GRACE | price_status.CAPPED
)
LIQUIDATION: constant(uint256) = price_status.STALE_SOFT | price_status.UNCERTAIN
DEEP_LIQUIDATION: constant(uint256) = LIQUIDATION | price_status.SEQ_GRACE
SETTLEMENT: constant(uint256) = STALE
FUNDING: constant(uint256) = STALE


@internal
@pure
def is_accepted(accepts: uint256, status: uint256) -> bool:
    """Whether every fault of a price is among those that an action accepts (POL-1)."""
    return status & ~accepts == 0


@internal
@pure
def is_priceless(status: uint256) -> bool:
    """Whether a fault says that there is no price, or none that something can be measured by (POL-1)."""
    return status & ~PRICED != 0


@internal
@pure
def check_accepted(accepts: uint256, status: uint256):
    """Refuse a price with a fault that is not accepted, worst first (POL-2)."""
    bad: uint256 = status & ~accepts
    if bad == 0:
        return
    assert bad & price_status.UNAVAILABLE == 0 and bad < STATUS_LIMIT, "oracle/unavailable"
    assert bad & price_status.NON_POSITIVE == 0, "oracle/non-positive"
    assert bad & price_status.OUT_OF_BOUNDS == 0, "oracle/out-of-bounds"
    assert bad & price_status.HALTED == 0, "oracle/halted"
    assert bad & price_status.SEQ_DOWN == 0, "oracle/sequencer-down"
    assert bad & price_status.NO_QUORUM == 0, "oracle/no-quorum"
    assert bad & price_status.FUTURE == 0, "oracle/future"
    assert bad & price_status.DEVIATED == 0, "oracle/deviated"
    assert bad & price_status.STALE_HARD == 0, "oracle/stale"
    assert bad & price_status.SEQ_GRACE == 0, "oracle/sequencer-grace"
    assert bad & price_status.MARKET_CLOSED == 0, "oracle/market-closed"
    assert bad & price_status.CAPPED == 0, "oracle/capped"
    assert bad & price_status.UNCERTAIN == 0, "oracle/uncertain"
    raise "oracle/stale"
