# @title Funding
# @notice Twin of protocol/funding.py. The rate is stored times a day's seconds, so that it needs no division.

from snekmate.utils import math

from modules import calc
from modules import markets
from modules import parameters
from modules import types

uses: parameters

INDEX_SCALE: constant(uint256) = 2 * 86_400 * 86_400 * 10**18


@internal
@view
def project(totals: types.Market, price: uint256) -> (int256, int256):
    """The funding index and rate of a market now, if nothing changed its skew since the last accrual (FUN-1)."""
    return self._integrate(
        totals.funding_index,
        totals.funding_rate,
        totals.funding_velocity,
        totals.funding_limit,
        block.timestamp - totals.accrued_at,
        price,
    )


@internal
@view
def project_index(index_word: uint256, rate_word: uint256, price: uint256) -> int256:
    """The same index from a market's packed words, for measuring many positions (FUN-1)."""
    index: int256 = 0
    rate: int256 = 0
    index, rate = self._integrate(
        calc.signed_high(index_word),
        calc.signed_field(rate_word, 96, 168),
        calc.signed_field(rate_word, 184, 184),
        calc.signed_field(index_word, 128, 168),
        block.timestamp - (index_word & calc.MASK_40),
        price,
    )
    return index


@internal
@pure
def _integrate(
    index: int256, rate_now: int256, velocity: int256, limit_now: int256, elapsed: uint256, price: uint256
) -> (int256, int256):
    """The exact integral of the rate times the price, rounded down once."""
    if elapsed == 0 or (rate_now == 0 and velocity == 0):
        return index, rate_now
    seconds: int256 = convert(elapsed, int256)
    rate: int256 = rate_now
    limit: int256 = limit_now
    if velocity < 0:  # mirror, so that the rate rises toward its limit
        rate = -rate
        limit = -limit
    speed: int256 = convert(calc.magnitude(velocity), int256)
    reached: int256 = rate + speed * seconds
    twice_area: int256 = 0
    scale: uint256 = INDEX_SCALE
    if speed == 0 or reached < limit:
        twice_area = (rate + reached) * seconds
    else:
        twice_area = 2 * limit * seconds * speed - (limit - rate) ** 2
        scale = calc.magnitude(speed) * INDEX_SCALE
        reached = limit
    if velocity < 0:
        twice_area = -twice_area
        reached = -reached
    # The product with the price can exceed a word. A negative area is rounded away from zero, which is down.
    moved: int256 = convert(math._mul_div(calc.magnitude(twice_area), price, scale, twice_area < 0), int256)
    if twice_area < 0:
        moved = -moved
    return index + moved, reached


@internal
@view
def accrue(totals: types.Market, price: uint256) -> types.Market:
    """A market with its funding index and rate brought to now (FUN-2). Storing it checks the index's width."""
    accrued: types.Market = totals
    accrued.funding_index, accrued.funding_rate = self.project(totals, price)
    accrued.accrued_at = block.timestamp
    return accrued


@internal
@view
def steer(market: uint256, totals: types.Market) -> types.Market:
    """A market whose rate stays within the cap in force and moves as its skew asks (FUN-3, FUN-4)."""
    steered: types.Market = totals
    word: uint256 = parameters.funding_words[market]
    cap: int256 = convert((word >> 192) * calc.DAY, int256)
    steered.funding_rate = max(-cap, min(totals.funding_rate, cap))
    fill_word: uint256 = parameters.fill_words[market]
    skew: int256 = markets.skew_of(totals)
    size: uint256 = calc.magnitude(skew)
    skew_scale: uint256 = fill_word >> 160
    if size * calc.BPS < (fill_word & calc.MASK_16) * skew_scale:
        decay: int256 = convert((word >> 64) & calc.MASK_64, int256)
        steered.funding_limit = 0
        if steered.funding_rate == 0:
            steered.funding_velocity = 0
        elif steered.funding_rate > 0:
            steered.funding_velocity = -decay
        else:
            steered.funding_velocity = decay
        return steered
    speed: int256 = convert(min(size, skew_scale) * ((word >> 128) & calc.MASK_64) // skew_scale, int256)
    if skew >= 0:
        steered.funding_velocity = speed
        steered.funding_limit = cap
    else:
        steered.funding_velocity = -speed
        steered.funding_limit = -cap
    return steered


@internal
@pure
def compute_owed(size: int256, entry_index: int256, index: int256) -> int256:
    """Funding a position owes at an index, rounded up against the account; negative is owed to it (FUN-5)."""
    return calc.cdiv(size * (index - entry_index), calc.WI)
