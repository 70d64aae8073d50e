# @title How much of which position a liquidation closes
# @notice Twin of protocol/sizing.py.

from modules import accounts
from modules import calc
from modules import parameters
from modules import tiers
from modules import types
from modules import valuation
from modules import windows

uses: (accounts, parameters, tiers, windows)

ROUNDING_SLACK: constant(int256) = 10**6  # wei added to every target: more than all roundings of sixteen fills

struct Exposure:
    market: uint256
    size: int256
    price: uint256
    notional: uint256
    maintenance: uint256
    relief: uint256
    phased: bool  # the former brackets ask the lower margin


@internal
@view
def measure(account: uint256, market: uint256, price: uint256) -> Exposure:
    """A position with its notional, maintenance margin and relief at a price (SIZ-2)."""
    word: uint256 = parameters.market_words[market]
    size: int256 = calc.signed_high(accounts.positions[account][market])
    notional: uint256 = valuation.compute_notional(size, price)
    maintenance: uint256 = 0
    im: uint256 = 0
    maintenance, im = tiers.compute_margins(market, word & tiers.MARKET_COUNT_MASK, notional)
    phased: bool = False
    if tiers.is_phasing(word):
        former: uint256 = tiers.compute_phase_margin(market, parameters.funding_words[market] & 255, notional)
        if former < maintenance:
            maintenance = former
            phased = True
    rate: uint256 = 0
    lower: uint256 = 0
    rate, lower = self._bracket_of(market, phased, notional)
    return Exposure(
        market=market,
        size=size,
        price=price,
        notional=notional,
        maintenance=maintenance,
        relief=self.compute_relief(rate),
        phased=phased,
    )


@internal
@view
def _row(market: uint256, phased: bool, k: uint256) -> uint256:
    """A bracket's row, of the former brackets if they ask the lower margin."""
    if phased:
        return parameters.phase_brackets[market][k]
    return parameters.margin_brackets[market][k]


@internal
@view
def _count(market: uint256, phased: bool) -> uint256:
    """How many brackets those are."""
    if phased:
        return parameters.funding_words[market] & 255
    return parameters.market_words[market] & tiers.MARKET_COUNT_MASK


@internal
@view
def _bracket_of(market: uint256, phased: bool, notional: uint256) -> (uint256, uint256):
    """Maintenance rate and lower bound of the highest bracket that a notional reaches into."""
    count: uint256 = self._count(market, phased)
    lower: uint256 = 0
    for k: uint256 in range(count, bound=types.MAX_BRACKETS):
        row: uint256 = self._row(market, phased, k)
        if k + 1 == count or notional <= row >> 160:
            return (row >> 96) & calc.MASK_64, lower
        lower = row >> 160
    return 0, 0


@internal
@view
def compute_relief(mm_rate: uint256) -> uint256:
    """Buffered margin that closing a dollar frees in a bracket, less what closing costs; rounded down (SIZ-2)."""
    buffer: uint256 = (parameters.state_word >> 128) & calc.MASK_64
    ratios: uint256 = parameters.ratio_word
    cost: uint256 = ((ratios >> 128) & calc.MASK_64) + ((ratios >> 64) & calc.MASK_64) + (ratios & calc.MASK_64)
    return (calc.W + buffer) * mm_rate // calc.W - cost


@internal
@view
def compute_shortage(health: types.Health) -> int256:
    """What equity_mm lacks to the target after the fixed reward, rounded up (SIZ-3)."""
    buffer: uint256 = (parameters.state_word >> 128) & calc.MASK_64
    target: uint256 = calc.ucdiv((calc.W + buffer) * (health.maintenance_margin - health.reserve), calc.W)
    fixed_reward: uint256 = parameters.reward_word >> 160
    spare: int256 = health.equity_mm - convert(fixed_reward + health.reserve, int256)
    return convert(target, int256) - spare + ROUNDING_SLACK


@internal
@view
def walk_down(exposure: Exposure, shortage: uint256) -> (uint256, uint256):
    """Notional to close in one market, from its highest bracket down, and the shortage that is left (SIZ-4)."""
    left: uint256 = shortage
    closed: uint256 = 0
    top: uint256 = exposure.notional
    rate: uint256 = 0
    lower: uint256 = 0
    for k: uint256 in range(types.MAX_BRACKETS):
        rate, lower = self._bracket_of(exposure.market, exposure.phased, top)
        relief: uint256 = self.compute_relief(rate)
        width: uint256 = top - lower
        part: uint256 = calc.ucdiv(left * calc.W, relief)
        if part <= width:
            return closed + part, 0
        closed += width
        left -= width * relief // calc.W
        top = lower
        if top == 0:
            break
    return closed, left


@internal
@view
def compute_freed(exposure: Exposure, closed: uint256) -> uint256:
    """What closing a part of a notional frees, from its highest bracket down, rounded down (SIZ-4)."""
    freed: uint256 = 0
    left: uint256 = closed
    top: uint256 = exposure.notional
    rate: uint256 = 0
    lower: uint256 = 0
    for k: uint256 in range(types.MAX_BRACKETS):
        if left == 0 or top == 0:
            break
        rate, lower = self._bracket_of(exposure.market, exposure.phased, top)
        part: uint256 = min(left, top - lower)
        freed += part * self.compute_relief(rate) // calc.W
        left -= part
        top = lower
    return freed


@internal
@view
def round_close(exposure: Exposure, needed: uint256) -> uint256:
    """The size that closes at least what is needed, in whole lots; all of it if little would remain (SIZ-5)."""
    lot: uint256 = parameters.market_words[exposure.market] >> 160
    lots: uint256 = calc.ucdiv(calc.ucdiv(needed * calc.W, exposure.price), lot) * lot
    return self._leave_no_dust(exposure, min(lots, calc.magnitude(exposure.size)))


@internal
@view
def limit_close(exposure: Exposure, size: uint256) -> uint256:
    """The size that the market's window still allows, in whole lots rounded down (SIZ-5, WIN-3)."""
    lot: uint256 = parameters.market_words[exposure.market] >> 160
    allowed: uint256 = windows.compute_left(exposure.market) * calc.W // exposure.price // lot * lot
    if size <= allowed:
        return size
    if allowed == 0:
        return 0
    return self._leave_no_dust(exposure, allowed)


@internal
@view
def _leave_no_dust(exposure: Exposure, size: uint256) -> uint256:
    """A size, or the whole position if less than the minimum notional would remain (SIZ-5)."""
    whole: uint256 = calc.magnitude(exposure.size)
    left: uint256 = calc.ucdiv((whole - size) * exposure.price, calc.W)
    if left < (parameters.market_words[exposure.market] >> 64) & calc.MASK_96:
        return whole
    return size


@internal
@view
def has_window(market: uint256) -> bool:
    """Whether partial liquidations of a market are limited."""
    return parameters.market_words[market] & tiers.HAS_WINDOW != 0
