# @title Account value and margin requirements
# @notice Twin of compute_health in protocol/margin.py. Reads storage as it stands, so an action that has written its
#         changes measures the account after them.

from modules import accounts
from modules import calc
from modules import funding
from modules import markets
from modules import parameters
from modules import peg
from modules import prices
from modules import tiers
from modules import types
from modules import valuation

uses: (accounts, markets, parameters, peg, prices, tiers)


@internal
@view
def compute_health(account: uint256, skips_faulty: bool = False) -> types.Health:
    """
    Measure an account with funding pending until now (MRG-4), or without collateral whose price has any fault (MRG-15).
    Never refuses; faults of prices show in the status.
    """
    header: uint256 = accounts.headers[account]
    health: types.Health = empty(types.Health)
    health.equity_raw = calc.signed_high(header)
    health.equity_mm = health.equity_raw
    health.equity_im = health.equity_raw
    tokens: uint256 = (header >> accounts.TOKENS_SHIFT) & accounts.TOKENS_MASK
    if tokens != 0:
        health = self._add_collateral(account, tokens, health, skips_faulty)
    listed: uint256 = header & accounts.MARKETS_MASK
    if listed != 0:
        health = self._add_positions(account, listed, health)
    return health


@internal
@view
def _add_collateral(
    account: uint256, listed: uint256, before: types.Health, skips_faulty: bool
) -> types.Health:
    """Health with the collateral listed."""
    health: types.Health = before
    mid: uint256 = 0
    strict: uint256 = 0
    status: uint256 = 0
    counted_mm: uint256 = 0
    counted_im: uint256 = 0
    unused: uint256 = 0
    tokens: uint256 = listed
    for token: uint256 in range(1, types.MAX_TOKENS):
        if tokens == 0:
            break
        if tokens & 1 != 0:
            word: uint256 = parameters.collateral_words[token]
            mid, strict, status = prices.quote_strict(word >> 240, True)
            if skips_faulty and status != 0:
                tokens >>= 1
                continue
            health.price_status |= status
            price: uint256 = mid
            if status != 0:
                price, strict = tiers.compute_collateral_prices(token, word, mid, strict, status)
            units: uint256 = accounts.collateral[account][token]
            market_value: uint256 = valuation.compute_token_value(units, price, (word >> 232) & 255)
            counted_mm, counted_im = tiers.compute_haircuts_in_force(token, word, market_value)
            if strict != price:
                unused, counted_im = tiers.compute_haircut_values(
                    token, word & 255, valuation.compute_token_value(units, strict, (word >> 232) & 255)
                )
            health.equity_raw += convert(market_value, int256)
            health.equity_mm += convert(counted_mm, int256)
            health.equity_im += convert(counted_im, int256)
        tokens >>= 1
    return health


@internal
@view
def _add_positions(account: uint256, listed: uint256, before: types.Health) -> types.Health:
    """Health with the keeper reserve and the positions listed."""
    health: types.Health = before
    health.reserve = tiers.compute_reserve()
    health.maintenance_margin = health.reserve
    health.initial_margin = health.reserve
    bits: uint256 = listed
    for market: uint256 in range(types.MAX_MARKETS):
        if bits == 0:
            break
        if bits & 1 != 0:
            health = self._add_position(account, market, health)
        bits >>= 1
    usdc: uint256 = 0
    mid: uint256 = 0
    status: uint256 = 0
    usdc, mid, status = peg.read_usdc()
    health.price_status |= status
    health.initial_margin += peg.compute_depeg_margin(usdc, health.gross_notional)
    return health


@internal
@view
def _add_position(account: uint256, market: uint256, before: types.Health) -> types.Health:
    """Health with one position."""
    health: types.Health = before
    word: uint256 = parameters.market_words[market]
    position: uint256 = accounts.positions[account][market]
    entry: uint256 = accounts.entries[account][market]
    size: int256 = calc.signed_high(position)
    mid: uint256 = 0
    strict: uint256 = 0
    status: uint256 = 0
    mid, strict, status = prices.quote_strict((word >> 8) & calc.MASK_16, size > 0)
    health.price_status |= status
    price: uint256 = mid
    if status != 0:
        mid, price, strict = tiers.compute_position_prices(market, word, mid, strict, status, size > 0)
    index: int256 = funding.project_index(markets.indices[market], markets.rates[market], mid)
    fixed_cost: int256 = calc.signed_low(position) + funding.compute_owed(size, calc.signed_high(entry), index)
    pnl: int256 = valuation.compute_pnl(size, fixed_cost, price)
    strict_pnl: int256 = pnl
    if strict != price:
        strict_pnl = valuation.compute_pnl(size, fixed_cost, strict)
    notional: uint256 = valuation.compute_notional(size, price)
    mm: uint256 = 0
    im: uint256 = 0
    mm, im = tiers.compute_maintenance_in_force(market, word, notional)
    if word & tiers.SCALES_WITH_OI != 0:
        open_interest: uint256 = markets.open_interest[market]
        larger: uint256 = max(calc.high(open_interest), calc.low(open_interest))
        im = tiers.scale_initial_margin(market, calc.ucdiv(larger * price, calc.W), notional, im)
    health.equity_raw += pnl
    health.equity_mm += pnl
    health.equity_im += min(strict_pnl, 0)
    health.maintenance_margin += mm
    health.initial_margin += tiers.limit_leverage(notional, entry & calc.MASK_80, im)
    health.gross_notional += notional
    return health
