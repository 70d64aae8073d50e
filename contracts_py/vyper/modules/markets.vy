# @title Storage of market totals, and their packing
# @notice Twin of Market and Window in protocol/state.py.

from modules import calc
from modules import types

INDEX_COST_BIAS: constant(uint256) = 1 << 255

open_interest: uint256[types.MAX_MARKETS]  # long 128 | short 128
costs: uint256[types.MAX_MARKETS]  # cost 128, signed | impact 128
indices: uint256[types.MAX_MARKETS]  # funding index 128, signed | funding limit 88, signed | accrued at 40
rates: uint256[types.MAX_MARKETS]  # reserved 96 | funding rate 88, signed | funding velocity 72, signed
index_costs: uint256[types.MAX_MARKETS]  # plus 2**255, so that a listed market's is never zero and never fresh
# Prepared 1 | unused 31 | newest bucket 64 | entries 32 | closed 128. Bit i of the entries: bucket newest - i has one.
window_heads: uint256[types.MAX_MARKETS]
window_rings: uint256[types.RING][types.MAX_MARKETS]  # prepared 1 | unused 127 | closed before the bucket 128


@internal
@view
def load(market: uint256) -> types.Market:
    """A market's totals."""
    open_interest: uint256 = self.open_interest[market]
    cost: uint256 = self.costs[market]
    index: uint256 = self.indices[market]
    rate: uint256 = self.rates[market]
    return types.Market(
        long_oi=open_interest >> 128,
        short_oi=open_interest & calc.MASK_128,
        cost=calc.signed_high(cost),
        impact=cost & calc.MASK_128,
        reserved=rate >> 160,
        funding_index=calc.signed_high(index),
        funding_rate=calc.signed_field(rate, 96, 168),
        funding_velocity=calc.signed_field(rate, 184, 184),
        funding_limit=calc.signed_field(index, 128, 168),
        accrued_at=index & calc.MASK_40,
        index_cost=self.load_index_cost(market),
    )


@internal
def store(market: uint256, totals: types.Market):
    """Set a market's totals, each checked to fit its field (UNIT-3)."""
    assert (
        totals.reserved < calc.RESERVED_LIMIT
        and totals.funding_index >= -calc.INDEX_LIMIT
        and totals.funding_index < calc.INDEX_LIMIT
        and totals.impact < 2**127
    ), "sys/domain"
    self.open_interest[market] = calc.pack(totals.long_oi, totals.short_oi)
    self.costs[market] = (calc.half(totals.cost) << 128) | totals.impact
    # Rate, velocity and limit fit by configuration: caps and speeds are bounded.
    self.indices[market] = (
        (calc.bits(totals.funding_index) << 128)
        | ((calc.bits(totals.funding_limit) & calc.MASK_88) << 40)
        | totals.accrued_at
    )
    self.rates[market] = (
        (totals.reserved << 160)
        | ((calc.bits(totals.funding_rate) & calc.MASK_88) << 72)
        | (calc.bits(totals.funding_velocity) & calc.MASK_72)
    )
    self.index_costs[market] = calc.bits(totals.index_cost) ^ INDEX_COST_BIAS


@internal
@view
def load_index_cost(market: uint256) -> int256:
    """A listed market's sum of size times entry index."""
    return convert(convert(self.index_costs[market] ^ INDEX_COST_BIAS, bytes32), int256)


@internal
@pure
def skew_of(totals: types.Market) -> int256:
    """Net size of all traders, + when they are long."""
    return convert(totals.long_oi, int256) - convert(totals.short_oi, int256)
