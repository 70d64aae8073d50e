# @title Brackets of margin rates and haircut weights
# @notice Twin of compute_margins and compute_haircut_values in protocol/margin.py and protocol/collateral.py.

from modules import calc
from modules import parameters
from modules import types

uses: parameters


@internal
@view
def compute_margins(market: uint256, count: uint256, notional: uint256) -> (uint256, uint256):
    """Maintenance and initial margin of a notional, rounded up against the account (MRG-3)."""
    mm: uint256 = 0
    im: uint256 = 0
    lower: uint256 = 0
    for k: uint256 in range(count, bound=types.MAX_BRACKETS):
        row: uint256 = parameters.margin_brackets[market][k]
        upper: uint256 = notional
        if k + 1 < count:
            upper = min(notional, row >> 160)
        part: uint256 = upper - lower
        mm += part * ((row >> 96) & calc.MASK_64)
        im += part * ((row >> 32) & calc.MASK_64)
        if upper == notional:
            break
        lower = upper
    return calc.ucdiv(mm, calc.W), calc.ucdiv(im, calc.W)


@internal
@view
def compute_haircut_values(token: uint256, count: uint256, market_value: uint256) -> (uint256, uint256):
    """What a value counts for in equity_mm and equity_im, rounded down against the account (COL-2)."""
    mm: uint256 = 0
    im: uint256 = 0
    lower: uint256 = 0
    for k: uint256 in range(count, bound=types.MAX_BRACKETS):
        row: uint256 = parameters.haircut_brackets[token][k]
        upper: uint256 = market_value
        if k + 1 < count:
            upper = min(market_value, row >> 160)
        part: uint256 = upper - lower
        mm += part * ((row >> 96) & calc.MASK_64)
        im += part * ((row >> 32) & calc.MASK_64)
        if upper == market_value:
            break
        lower = upper
    return mm // calc.W, im // calc.W
