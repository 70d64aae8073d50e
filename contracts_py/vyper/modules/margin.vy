# @title Account value and margin requirements
# @notice Twin of compute_health in protocol/margin.py. Reads storage as it stands, so an action that has written its
#         changes measures the account after them.

from modules import accounts
from modules import calc
from modules import parameters
from modules import prices
from modules import tiers
from modules import types
from modules import valuation

uses: (accounts, parameters, prices, tiers)


@internal
@view
def compute_health(account: uint256) -> types.Health:
    """Measure an account (MRG-4). Never refuses; unusable prices show in the status."""
    header: uint256 = accounts.headers[account]
    raw: int256 = calc.signed_high(header)
    mm_equity: int256 = raw
    im_equity: int256 = raw
    mm: uint256 = 0
    im: uint256 = 0
    statuses: uint256 = 0
    price: uint256 = 0
    status: uint256 = 0
    counted_mm: uint256 = 0
    counted_im: uint256 = 0

    tokens: uint256 = (header >> accounts.TOKENS_SHIFT) & accounts.TOKENS_MASK
    for token: uint256 in range(1, types.MAX_TOKENS):
        if tokens == 0:
            break
        if tokens & 1 != 0:
            word: uint256 = parameters.collateral_words[token]
            price, status = prices.quote(word >> 240)
            statuses |= status
            market_value: uint256 = valuation.compute_token_value(
                accounts.collateral[account][token], price, (word >> 232) & 255
            )
            counted_mm, counted_im = tiers.compute_haircut_values(token, word & 255, market_value)
            raw += convert(market_value, int256)
            mm_equity += convert(counted_mm, int256)
            im_equity += convert(counted_im, int256)
        tokens >>= 1

    markets: uint256 = header & accounts.MARKETS_MASK
    reserve: uint256 = 0
    if markets != 0:
        reserve = parameters.margin_word >> 160
    for market: uint256 in range(types.MAX_MARKETS):
        if markets == 0:
            break
        if markets & 1 != 0:
            word: uint256 = parameters.market_words[market]
            price, status = prices.quote((word >> 8) & 65535)
            statuses |= status
            position: uint256 = accounts.positions[account][market]
            size: int256 = calc.signed_high(position)
            pnl: int256 = valuation.compute_pnl(size, calc.signed_low(position), price)
            counted_mm, counted_im = tiers.compute_margins(market, word & 255, valuation.compute_notional(size, price))
            raw += pnl
            mm_equity += pnl
            im_equity += min(pnl, 0)
            mm += counted_mm
            im += counted_im
        markets >>= 1
    return types.Health(
        equity_raw=raw,
        equity_mm=mm_equity,
        equity_im=im_equity,
        maintenance_margin=mm + reserve,
        initial_margin=im + reserve,
        reserve=reserve,
        price_status=statuses,
    )
