# pragma version 0.4.3
# @title Token: an ERC-20 that anyone may mint
# @notice For local chains and tests only.

from snekmate.auth import ownable
from snekmate.tokens import erc20

initializes: ownable
initializes: erc20[ownable := ownable]

exports: (
    erc20.allowance,
    erc20.approve,
    erc20.balanceOf,
    erc20.decimals,
    erc20.name,
    erc20.symbol,
    erc20.totalSupply,
    erc20.transfer,
    erc20.transferFrom,
)


@deploy
def __init__(symbol: String[5], decimals_: uint8):
    ownable.__init__()
    erc20.__init__(symbol, symbol, decimals_, symbol, "1")


@external
def mint(owner: address, amount: uint256):
    """
    @notice Create units for anyone.
    """
    erc20._mint(owner, amount)
