# @title Price impact and fees
# @notice Twin of compute_impact, bound_rebate, compute_fee and compute_reserved in protocol/fills.py.

from snekmate.utils import math

from modules import calc
from modules import parameters

uses: parameters


@internal
@view
def compute_impact(market: uint256, skew: int256, size_delta: int256, price: uint256) -> (uint256, uint256):
    """Charge for growing the skew and rebate for shrinking it, by the potential skew^2 * price / (2 * scale) (FIL-2).

    @dev Skews and sizes are below 2**97, so their squares fit; products with the price need the full width.
    """
    word: uint256 = parameters.fill_words[market]
    scale: uint256 = 2 * (word >> 160) * calc.W
    rebate_ratio: uint256 = (word >> 16) & calc.MASK_16
    after: int256 = skew + size_delta
    if (skew > 0 and after < 0) or (skew < 0 and after > 0):
        charge: uint256 = math._mul_div(calc.magnitude(after) ** 2, price, scale, True)
        return charge, math._mul_div(calc.magnitude(skew) ** 2 * rebate_ratio, price, scale * calc.BPS, False)
    change: int256 = size_delta * (2 * skew + size_delta)
    if change >= 0:
        return math._mul_div(convert(change, uint256), price, scale, True), 0
    return 0, math._mul_div(calc.magnitude(change) * rebate_ratio, price, scale * calc.BPS, False)


@internal
@pure
def bound_rebate(rebate: uint256, collected: uint256, skew: int256, size_delta: int256) -> uint256:
    """A rebate, at most the fill's share of the impact ledger: what it gives back of the potential (FIL-9).

    @dev Rounded down. Skews are below 2**97 and the ledger below 2**127: the product needs the full width. The skew is
         not 0 where there is a rebate.
    """
    if rebate == 0:
        return 0
    after: int256 = skew + size_delta
    square: uint256 = calc.magnitude(skew) ** 2
    kept: uint256 = 0
    if (skew > 0 and after > 0) or (skew < 0 and after < 0):
        kept = calc.magnitude(after) ** 2
    return min(rebate, math._mul_div(collected, square - kept, square, False))


@internal
@view
def compute_fee(market: uint256, skew: int256, size_delta: int256, price: uint256) -> uint256:
    """Maker fee on the part that brings the skew toward zero, taker fee on the rest, each rounded up (FIL-3)."""
    word: uint256 = parameters.fill_words[market]
    size: uint256 = calc.magnitude(size_delta)
    maker: uint256 = 0
    if (skew > 0 and size_delta < 0) or (skew < 0 and size_delta > 0):
        maker = min(size, calc.magnitude(skew))
    fee: uint256 = self._charge(maker, price, (word >> 48) & calc.MASK_56)
    return fee + self._charge(size - maker, price, (word >> 104) & calc.MASK_56)


@internal
@pure
def _charge(size: uint256, price: uint256, rate: uint256) -> uint256:
    """A fee on the notional of a size, rounded up; below 2**246: sizes and prices below 2**96, rates below 2**54."""
    return calc.ucdiv(size * price * rate, calc.W * calc.W)


@internal
@pure
def compute_reserved(long_oi: uint256, short_oi: uint256, price: uint256, lock_ratio: uint256) -> uint256:
    """What the pool must keep for a market's larger side, rounded up in favour of the traders' claims (FIL-8)."""
    return calc.ucdiv(lock_ratio * max(long_oi, short_oi) * price, calc.BPS * calc.W)
