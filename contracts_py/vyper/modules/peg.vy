# @title What the settlement token is worth by its own feed
# @notice Twin of protocol/peg.py.

from modules import calc
from modules import parameters
from modules import policy
from modules import price_status
from modules import prices

uses: (parameters, prices)


@internal
@view
def read_usdc() -> (uint256, uint256, uint256):
    """
    Bid, mid and status of USDC, at most one dollar; one dollar, and STALE_SOFT or UNCERTAIN, if its feed has any fault
    (PEG-1).
    """
    feed: uint256 = (parameters.margin_word >> 8) & calc.MASK_16
    if feed == 0:
        return calc.W, calc.W, 0
    mid: uint256 = 0
    bid: uint256 = 0
    status: uint256 = 0
    mid, bid, status = prices.quote_strict(feed - 1, True)
    if status != 0:
        if policy.is_accepted(policy.SETTLEMENT, status):
            return calc.W, calc.W, price_status.STALE_SOFT
        return calc.W, calc.W, price_status.UNCERTAIN
    return min(bid, calc.W), min(mid, calc.W), 0


@internal
@view
def compute_depeg_margin(usdc: uint256, gross_notional: uint256) -> uint256:
    """Initial margin on top while USDC is below the threshold, rounded up against the account (PEG-2)."""
    if usdc == calc.W:
        return 0
    word: uint256 = parameters.redemption_word
    threshold: uint256 = ((word >> 96) & calc.MASK_16) * calc.W
    if usdc * calc.BPS >= threshold:
        return 0
    below: uint256 = threshold - usdc * calc.BPS
    return calc.ucdiv(gross_notional * below * ((word >> 112) & calc.MASK_16), calc.W * calc.BPS * calc.BPS)


@internal
@pure
def sell_for_usdc(price: uint256, usdc: uint256) -> uint256:
    """What one token in dollars brings in USDC, rounded down against whoever sells, within the domain (PEG-3)."""
    return min(price * calc.W // usdc, calc.PRICE_LIMIT - 1)


@internal
@pure
def buy_for_usdc(price: uint256, usdc: uint256) -> uint256:
    """What one token in dollars costs in USDC, rounded up against whoever buys, within the domain (PEG-3)."""
    return min(calc.ucdiv(price * calc.W, usdc), calc.PRICE_LIMIT - 1)
