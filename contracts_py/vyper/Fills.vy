# pragma version 0.4.3
# pragma nonreentrancy on
# @title Fills: what one fill does to a position, its market and the ledger
# @notice Exists once; trading and liquidation call it through the router. Twin of protocol/fills.py.
# @custom:kill Has no function of its own to stop.

from modules import storage
initializes: storage

from modules import accounts
from modules import fills
from modules import funding
from modules import impact
from modules import ledger
from modules import markets
from modules import parameters
from modules import records
from modules import treasury

initializes: funding[parameters := parameters]
initializes: impact[parameters := parameters]
initializes: records[accounts := accounts, treasury := treasury]
initializes: ledger[accounts := accounts, treasury := treasury]
initializes: fills[
    accounts := accounts,
    funding := funding,
    impact := impact,
    ledger := ledger,
    markets := markets,
    parameters := parameters,
    records := records,
    treasury := treasury,
]


@external
@reentrant
def self_fill(account: uint256, market: uint256, size_delta: int256, price: uint256) -> (int256, uint256):
    """
    @notice A user's fill; its impact net of rebate, and its fee; only for the protocol itself.
    """
    assert msg.sender == self, "sys/self-only"
    return fills.fill(account, market, size_delta, price)


@external
@reentrant
def self_fill_liquidation(account: uint256, market: uint256, size_delta: int256, price: uint256, notional: uint256):
    """
    @notice Close a part of a liquidated position; only for the protocol itself.
    """
    assert msg.sender == self, "sys/self-only"
    fills.fill_liquidation(account, market, size_delta, price, notional)
