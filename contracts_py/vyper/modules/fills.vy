# @title Fills
# @notice Twin of compute_fill, fill and move_totals in protocol/trading.py.

from modules import accounts
from modules import calc
from modules import events
from modules import ledger
from modules import markets
from modules import parameters
from modules import records

uses: (accounts, ledger, markets, parameters, records)


@internal
def fill(account: uint256, market: uint256, size_delta: int256, price: uint256, fee_rate: uint256):
    """Apply one fill that does not change a position's sign: position, totals, realised profit, fee (FIL-1, FIL-2)."""
    position: uint256 = accounts.positions[account][market]
    size_before: int256 = calc.signed_high(position)
    cost_before: int256 = calc.signed_low(position)
    size: int256 = size_before + size_delta
    paid: int256 = calc.cdiv(size_delta * convert(price, int256), calc.WI)
    cost: int256 = cost_before + paid
    pnl: int256 = 0
    if (size_before > 0 and size_delta < 0) or (size_before < 0 and size_delta > 0):
        released: int256 = calc.cdiv(
            cost_before * convert(calc.magnitude(size_delta), int256),
            convert(calc.magnitude(size_before), int256),
        )
        cost = cost_before - released
        pnl = -paid - released
    # Below 2**245: sizes and prices are below 2**96, fee rates below 2**53.
    fee: uint256 = calc.ucdiv(calc.magnitude(size_delta) * price * fee_rate, calc.W * calc.W)
    records.put_position(account, market, size, cost)
    ledger.settle_with_pool(account, pnl)
    if fee != 0:
        ledger.add_cash(account, -convert(fee, int256))
        ledger.share_income(fee, (parameters.charges_word >> 48) & 65535)
    log events.PositionUpdated(
        account=account,
        market=market,
        size=size,
        cost=cost,
        size_delta=size_delta,
        price=price,
        pnl=pnl,
        fee=fee,
    )
    self._move_totals(market, size_before, cost_before, size, cost)


@internal
def _move_totals(market: uint256, size_before: int256, cost_before: int256, size: int256, cost: int256):
    """A market's totals when one position changes (FIL-3). Exact: no division."""
    open_interest: uint256 = markets.open_interest[market]
    long_oi: int256 = convert(calc.high(open_interest), int256) + max(size, 0) - max(size_before, 0)
    short_oi: int256 = convert(calc.low(open_interest), int256) + max(-size, 0) - max(-size_before, 0)
    records.put_market(
        market,
        convert(long_oi, uint256),
        convert(short_oi, uint256),
        markets.costs[market] + cost - cost_before,
    )
