# @title Fills
# @notice Twin of protocol/fills.py.

from modules import accounts
from modules import calc
from modules import events
from modules import funding
from modules import impact
from modules import ledger
from modules import markets
from modules import parameters
from modules import records
from modules import treasury
from modules import types

uses: (accounts, funding, impact, ledger, markets, parameters, records, treasury)


@internal
def fill(account: uint256, market: uint256, size_delta: int256, price: uint256) -> (int256, uint256):
    """A user's fill: funding, realised profit, impact, fee, in this order; impact net of rebate and fee (FIL-5)."""
    totals: types.Market = markets.load(market)
    skew: int256 = markets.skew_of(totals)
    charge: uint256 = 0
    rebate: uint256 = 0
    charge, rebate = impact.compute_impact(market, skew, size_delta, price)
    fee: uint256 = impact.compute_fee(market, skew, size_delta, price)
    return self._settle(account, market, size_delta, price, totals, charge, rebate, fee), fee


@internal
def fill_liquidation(account: uint256, market: uint256, size_delta: int256, price: uint256, notional: uint256):
    """A liquidation's fill: no fee, and impact at most a share of the notional closed, rounded down (FIL-6)."""
    totals: types.Market = markets.load(market)
    charge: uint256 = 0
    rebate: uint256 = 0
    charge, rebate = impact.compute_impact(market, markets.skew_of(totals), size_delta, price)
    bound: uint256 = notional * (parameters.ratio_word & calc.MASK_64) // calc.W
    self._settle(account, market, size_delta, price, totals, min(charge, bound), rebate, 0)


@internal
def _settle(
    account: uint256,
    market: uint256,
    size_delta: int256,
    price: uint256,
    before: types.Market,
    charge: uint256,
    rebate: uint256,
    fee: uint256,
) -> int256:
    """Book one fill and report position and market; the impact charged net of rebate (FIL-4, FIL-7)."""
    totals: types.Market = funding.accrue(before, price)
    position: uint256 = accounts.positions[account][market]
    size_before: int256 = calc.signed_high(position)
    entry_before: int256 = calc.signed_high(accounts.entries[account][market])
    owed: int256 = funding.compute_owed(size_before, entry_before, totals.funding_index)
    size: int256 = size_before + size_delta
    cost: int256 = 0
    pnl: int256 = 0
    cost, pnl = self._compute_fill(size_before, calc.signed_low(position), size_delta, price)
    given: uint256 = impact.bound_rebate(rebate, totals.impact, markets.skew_of(totals), size_delta)
    net: int256 = convert(charge, int256) - convert(given, int256)
    records.put_position(account, market, size, cost, totals.funding_index)
    ledger.settle_with_pool(account, -owed)
    ledger.settle_with_pool(account, pnl)
    ledger.add_cash(account, -net - convert(fee, int256))
    ledger.share_income(fee, (parameters.state_word >> 64) & calc.MASK_16)
    totals.long_oi = convert(convert(totals.long_oi, int256) + max(size, 0) - max(size_before, 0), uint256)
    totals.short_oi = convert(convert(totals.short_oi, int256) + max(-size, 0) - max(-size_before, 0), uint256)
    totals.cost += cost - calc.signed_low(position)
    totals.index_cost += size * totals.funding_index - size_before * entry_before
    totals.impact = convert(convert(totals.impact, int256) + net, uint256)
    if totals.long_oi == 0 and totals.short_oi == 0:
        ledger.credit_pool(totals.impact)
        totals.impact = 0
    totals = self._reserve(funding.steer(market, totals), price)
    markets.store(market, totals)
    reported_index: int256 = 0
    if size != 0:
        reported_index = totals.funding_index
    log events.PositionUpdated(
        account=account,
        market=market,
        size=size,
        cost=cost,
        entry_index=reported_index,
        size_delta=size_delta,
        price=price,
        pnl=pnl,
        funding=owed,
        impact=net,
        fee=fee,
    )
    records.report_market(market, totals)
    return net


@internal
@pure
def _compute_fill(size: int256, cost: int256, size_delta: int256, price: uint256) -> (int256, int256):
    """Cost of a position after a fill that does not change its sign, and the profit realised (FIL-1)."""
    paid: int256 = calc.cdiv(size_delta * convert(price, int256), calc.WI)
    if (size > 0 and size_delta < 0) or (size < 0 and size_delta > 0):
        released: int256 = calc.cdiv(
            cost * convert(calc.magnitude(size_delta), int256), convert(calc.magnitude(size), int256)
        )
        return cost - released, -paid - released
    return cost + paid, 0


@internal
def _reserve(before: types.Market, price: uint256) -> types.Market:
    """A market with what the pool must keep for it at this price; the ledger's total follows (FIL-8)."""
    totals: types.Market = before
    lock_ratio: uint256 = (parameters.state_word >> 16) & calc.MASK_16
    totals.reserved = impact.compute_reserved(totals.long_oi, totals.short_oi, price, lock_ratio)
    word: uint256 = treasury.pool_word
    treasury.pool_word = calc.pack(calc.high(word), calc.low(word) + totals.reserved - before.reserved)
    return totals
