# @title What the pool is worth
# @notice Twin of compute_pool_value in protocol/pool.py.

from modules import calc
from modules import funding
from modules import impact
from modules import markets
from modules import parameters
from modules import peg
from modules import prices
from modules import tiers
from modules import treasury
from modules import types
from modules import valuation

uses: (impact, markets, parameters, peg, prices, tiers, treasury)

struct PoolValue:
    deposit: uint256
    redemption: uint256
    reserved: uint256
    price_status: uint256


@internal
@view
def compute_pool_value() -> PoolValue:
    """Value the pool against whoever moves (LPD-1, LPR-1).

    @dev Inventory at market rounds up, at its haircut down; the rebate that an impact ledger would pay rounds down.
    """
    pnl: int256 = 0
    reserved: uint256 = 0
    left_over: uint256 = 0
    statuses: uint256 = 0
    lock_ratio: uint256 = (parameters.state_word >> 16) & calc.MASK_16
    for market: uint256 in range(parameters.market_count, bound=types.MAX_MARKETS):
        open_interest: uint256 = markets.open_interest[market]
        if open_interest == 0:
            continue
        price: uint256 = 0
        status: uint256 = 0
        price, status = prices.quote((parameters.market_words[market] >> 8) & calc.MASK_16)
        statuses |= status
        skew: int256 = convert(calc.high(open_interest), int256) - convert(calc.low(open_interest), int256)
        index: int256 = funding.project_index(markets.indices[market], markets.rates[market], price)
        pending: int256 = skew * index - markets.load_index_cost(market)
        worth: int256 = calc.fdiv(skew * convert(price, int256) - pending, calc.WI)
        costs: uint256 = markets.costs[market]
        pnl += worth - calc.signed_high(costs)
        collected: uint256 = calc.low(costs)
        if collected != 0:
            left_over += collected - min(collected, impact.compute_impact(market, skew, -skew, price)[1])
        reserved += impact.compute_reserved(calc.high(open_interest), calc.low(open_interest), price, lock_ratio)
    at_market: uint256 = 0
    at_haircut: uint256 = 0
    status_of_inventory: uint256 = 0
    at_market, at_haircut, status_of_inventory = self._value_inventory()
    pool: uint256 = calc.high(treasury.funds)
    redemption: int256 = convert(pool + at_haircut, int256) - max(pnl, 0)
    return PoolValue(
        deposit=pool + calc.magnitude(min(pnl, 0)) + at_market + left_over,
        redemption=convert(max(redemption, 0), uint256),
        reserved=reserved,
        price_status=statuses | status_of_inventory,
    )


@internal
@view
def _value_inventory() -> (uint256, uint256, uint256):
    """Inventory at market, rounded up, and at its maintenance haircut, rounded down, and the prices' status."""
    at_market: uint256 = 0
    at_haircut: uint256 = 0
    statuses: uint256 = 0
    bid: uint256 = 0
    usdc: uint256 = 0
    status_of_usdc: uint256 = 0
    bid, usdc, status_of_usdc = peg.read_usdc()
    for token: uint256 in range(1, parameters.collateral_count + 1, bound=types.MAX_TOKENS):
        inventory: uint256 = calc.low(treasury.token_totals[token])
        if inventory == 0:
            continue
        word: uint256 = parameters.collateral_words[token]
        price: uint256 = 0
        status: uint256 = 0
        price, status = prices.quote(word >> 240)
        statuses |= status | status_of_usdc
        decimals: uint256 = (word >> 232) & 255
        at_market += calc.ucdiv(inventory * peg.buy_for_usdc(price, usdc), 10**decimals)
        counted: uint256 = 0
        im: uint256 = 0
        counted, im = tiers.compute_haircut_values(
            token, word & 255, valuation.compute_token_value(inventory, price, decimals)
        )
        at_haircut += counted
    return at_market, at_haircut, statuses
