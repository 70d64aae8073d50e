# pragma version 0.4.3
# pragma nonreentrancy on
# @title Trading: fills against the pool
# @notice Twin of protocol/trading.py; rules in specs/actions/trade.md.
# @custom:kill The guardian stops growth of positions; reducing and closing cannot be stopped.

from modules import storage
initializes: storage

from interfaces import ISelf
from modules import accounts
from modules import calc
from modules import checks
from modules import fills
from modules import ledger
from modules import markets
from modules import parameters
from modules import prices
from modules import records
from modules import roles
from modules import tiers
from modules import treasury
from modules import types
from modules import valuation

uses: (accounts, parameters, roles)
initializes: prices[roles := roles]
initializes: tiers[parameters := parameters]
initializes: checks[accounts := accounts]
initializes: records[accounts := accounts, markets := markets, treasury := treasury]
initializes: ledger[accounts := accounts, treasury := treasury]
initializes: fills[
    accounts := accounts,
    ledger := ledger,
    markets := markets,
    parameters := parameters,
    records := records,
]


@external
@reentrant
def self_fill(account: uint256, market: uint256, size_delta: int256, price: uint256, fee_rate: uint256):
    """
    @notice Apply one fill on behalf of another engine; only for the protocol itself.
    """
    assert msg.sender == self, "sys/self-only"
    fills.fill(account, market, size_delta, price, fee_rate)


@external
def trade(account: uint256, market: uint256, size_delta: int256, acceptable_price: uint256):
    """
    @notice Open, add to, reduce, close or flip a position at the oracle price (TRD-1 to TRD-10).
    @param size_delta Change of size at scale 1e18; positive buys
    @param acceptable_price The highest price of a buy, the lowest of a sale, at scale 1e18
    """
    records.check_owner(account)
    word: uint256 = 0
    if market < types.MAX_MARKETS:
        word = parameters.market_words[market]
    assert word != 0, "market/unknown"
    self._check_order(size_delta, word >> 160)
    price: uint256 = 0
    status: uint256 = 0
    price, status = prices.quote((word >> 8) & 65535)
    prices.check_usable(status)
    if size_delta > 0:
        assert price <= acceptable_price, "trade/price"
    else:
        assert price >= acceptable_price, "trade/price"

    before: uint256 = accounts.positions[account][market]
    cash_before: int256 = calc.signed_high(accounts.headers[account])
    size: int256 = calc.signed_high(before)
    target: int256 = size + size_delta
    reduces: bool = calc.magnitude(target) < calc.magnitude(size) and not self._flips(size, target)
    if not reduces:
        assert not roles.opening_paused, "market/opening-paused"
    fee_rate: uint256 = parameters.fee_rates[market]
    if self._flips(size, target):
        fills.fill(account, market, -size, price, fee_rate)
        fills.fill(account, market, target, price, fee_rate)
    else:
        fills.fill(account, market, size_delta, price, fee_rate)
    if target != 0:
        assert valuation.compute_notional(target, price) >= (word >> 64) & calc.MASK_96, "market/min-notional"
    if reduces:
        self._check_reduction(account, market, word & 255, price, before, cash_before)
    else:
        cash: int256 = calc.signed_high(accounts.headers[account])
        assert -cash <= convert(parameters.charges_word >> 160, int256), "margin/debt-cap"
        checks.check_initial_margin(account)
    records.report_account(account)
    records.report_ledger()


@internal
@pure
def _check_order(size_delta: int256, lot: uint256):
    """Refuse a size of zero, one out of range, or one that is not whole lots (TRD-2)."""
    assert size_delta != 0, "amount/zero"
    assert size_delta > -calc.SIZE_LIMIT and size_delta < calc.SIZE_LIMIT, "sys/domain"
    assert calc.magnitude(size_delta) % lot == 0, "market/lot"


@internal
@pure
def _flips(size: int256, target: int256) -> bool:
    return (size > 0 and target < 0) or (size < 0 and target > 0)


@internal
@view
def _check_reduction(
    account: uint256, market: uint256, brackets: uint256, price: uint256, before: uint256, cash_before: int256
):
    """Refuse a reduction that lowers equity_mm less maintenance margin (MRG-7)."""
    header: uint256 = accounts.headers[account]
    change: int256 = calc.signed_high(header) - cash_before
    change += self._health_of(accounts.positions[account][market], market, brackets, price)
    change -= self._health_of(before, market, brackets, price)
    holds_position: bool = header & accounts.MARKETS_MASK != 0
    if not holds_position:
        change += convert(parameters.margin_word >> 160, int256)
    if change >= 0:
        return
    assert not holds_position, "margin/reduce"
    health: types.Health = staticcall ISelf(self).self_health(account)
    prices.check_usable(health.price_status)
    assert health.equity_raw >= 0, "margin/reduce"


@internal
@view
def _health_of(position: uint256, market: uint256, brackets: uint256, price: uint256) -> int256:
    """One position's unrealised profit less its maintenance margin."""
    size: int256 = calc.signed_high(position)
    mm: uint256 = 0
    im: uint256 = 0
    mm, im = tiers.compute_margins(market, brackets, valuation.compute_notional(size, price))
    return valuation.compute_pnl(size, calc.signed_low(position), price) - convert(mm, int256)
