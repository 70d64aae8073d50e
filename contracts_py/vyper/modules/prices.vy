# @title Prices
# @notice Twin of protocol/env.py.

from interfaces import IFeedHub
from modules import price_status
from modules import roles

uses: roles


@internal
@view
def quote(feed: uint256) -> (uint256, uint256):
    """A feed's price at scale W and its status. Never reverts for an oracle deployed with the protocol."""
    return staticcall IFeedHub(roles.oracle).read(feed, skip_contract_check=True)


@internal
@pure
def check_usable(status: uint256):
    """Refuse a price that an action needs and that is not OK, worst status first (ORC-3)."""
    if status == 0:
        return
    assert status & price_status.UNAVAILABLE == 0, "oracle/unavailable"
    assert status & price_status.NON_POSITIVE == 0, "oracle/non-positive"
    assert status & price_status.OUT_OF_BOUNDS == 0, "oracle/out-of-bounds"
    raise "oracle/stale"
