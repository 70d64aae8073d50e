# @title Prices
# @notice What the vault asks of its oracle.

from interfaces import IFeedHub
from modules import roles

uses: roles


@internal
@view
def quote(feed: uint256) -> (uint256, uint256):
    """A feed's mid at scale W and its status. Of the hub it reverts only for lack of gas below a node feed (ORC-8)."""
    mid: uint256 = 0
    strict: uint256 = 0
    status: uint256 = 0
    mid, strict, status = self.quote_strict(feed, True)
    return mid, status


@internal
@view
def quote_strict(feed: uint256, is_asset: bool) -> (uint256, uint256, uint256):
    """A feed's mid, its side against whoever owns or owes, and its status (MRG-13, ORC-3)."""
    bid: uint256 = 0
    mid: uint256 = 0
    ask: uint256 = 0
    publish_time: uint256 = 0
    status: uint256 = 0
    bid, mid, ask, publish_time, status = staticcall IFeedHub(roles.oracle).read(feed, skip_contract_check=True)
    if is_asset:
        return mid, bid, status
    return mid, ask, status
