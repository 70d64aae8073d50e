# @title Brackets of margin rates and haircut weights, equity tiers, and what is being phased in
# @notice Twin of compute_margins, compute_maintenance_in_force, scale_initial_margin, limit_leverage,
#         compute_required_equity, compute_reserve, compute_ceiling and the prices of a measure in protocol/margin.py,
#         and of protocol/collateral.py.

from modules import calc
from modules import parameters
from modules import policy
from modules import types

uses: parameters

MARKET_COUNT_MASK: constant(uint256) = 15  # brackets of a market
HAS_WINDOW: constant(uint256) = 16
SCALES_WITH_OI: constant(uint256) = 32


@internal
@view
def compute_margins(market: uint256, count: uint256, notional: uint256) -> (uint256, uint256):
    """Maintenance and initial margin of a notional by its tiers, rounded up against the account (MRG-3)."""
    mm: uint256 = 0
    im: uint256 = 0
    lower: uint256 = 0
    for k: uint256 in range(count, bound=types.MAX_BRACKETS):
        row: uint256 = parameters.margin_brackets[market][k]
        upper: uint256 = notional
        if k + 1 < count:
            upper = min(notional, row >> 160)
        part: uint256 = unsafe_sub(upper, lower)
        mm = unsafe_add(mm, unsafe_mul(part, (row >> 96) & calc.MASK_64))
        im = unsafe_add(im, unsafe_mul(part, (row >> 32) & calc.MASK_64))
        if upper == notional:
            break
        lower = upper
    return calc.ucdiv(mm, calc.W), calc.ucdiv(im, calc.W)


@internal
@view
def compute_phase_margin(market: uint256, count: uint256, notional: uint256) -> uint256:
    """Maintenance margin of a notional by the rates being phased out (MRG-8)."""
    mm: uint256 = 0
    lower: uint256 = 0
    for k: uint256 in range(count, bound=types.MAX_BRACKETS):
        row: uint256 = parameters.phase_brackets[market][k]
        upper: uint256 = notional
        if k + 1 < count:
            upper = min(notional, row >> 160)
        mm += (upper - lower) * ((row >> 96) & calc.MASK_64)
        if upper == notional:
            break
        lower = upper
    return calc.ucdiv(mm, calc.W)


@internal
@view
def is_phasing(word: uint256) -> bool:
    """Whether former maintenance rates still hold where they are lower, by a market's word (MRG-8)."""
    return block.timestamp < (word >> 24) & calc.MASK_40


@internal
@view
def compute_maintenance_in_force(market: uint256, word: uint256, notional: uint256) -> (uint256, uint256):
    """Maintenance margin with a change still being phased in, and initial margin by the tiers (MRG-8)."""
    mm: uint256 = 0
    im: uint256 = 0
    mm, im = self.compute_margins(market, word & MARKET_COUNT_MASK, notional)
    if self.is_phasing(word):
        mm = min(mm, self.compute_phase_margin(market, parameters.funding_words[market] & 255, notional))
    return mm, im


@internal
@view
def scale_initial_margin(market: uint256, open_interest: uint256, notional: uint256, im: uint256) -> uint256:
    """Initial margin that rises with the market's open interest, up to the whole notional (MRG-6)."""
    word: uint256 = parameters.interest_words[market]
    lower: uint256 = word >> 160
    upper: uint256 = (word >> 64) & calc.MASK_96
    if open_interest <= lower or im >= notional:
        return im
    if open_interest >= upper:
        return notional
    return im + calc.ucdiv((notional - im) * (open_interest - lower), upper - lower)


@internal
@pure
def limit_leverage(notional: uint256, leverage_cap: uint256, im: uint256) -> uint256:
    """Initial margin under the owner's own leverage cap, rounded up against the account; 0 is no cap (MRG-7)."""
    if leverage_cap == 0:
        return im
    return max(im, calc.ucdiv(notional * calc.W, leverage_cap))


@internal
@view
def compute_required_equity(gross_notional: uint256) -> uint256:
    """The least equity_im that the equity tiers ask for a gross notional (MRG-9)."""
    left: uint256 = gross_notional
    count: uint256 = parameters.margin_word & 255
    lower: uint256 = 0
    for k: uint256 in range(count, bound=types.MAX_BRACKETS):
        row: uint256 = parameters.equity_tiers[k]
        leverage: uint256 = row & calc.MASK_80
        if k + 1 < count:
            upper: uint256 = row >> 160
            supported: uint256 = (upper - lower) * leverage // calc.W
            if left > supported:
                left -= supported
                lower = upper
                continue
        return lower + calc.ucdiv(left * calc.W, leverage)
    return 0


@internal
@view
def is_below_tiers(health: types.Health) -> bool:
    """Whether equity_im supports less than the gross notional held (MRG-9)."""
    equity: uint256 = convert(max(health.equity_im, 0), uint256)
    return equity < self.compute_required_equity(health.gross_notional)


@internal
@view
def compute_position_prices(
    market: uint256, word: uint256, mid: uint256, strict: uint256, status: uint256, is_long: bool
) -> (uint256, uint256, uint256):
    """The prices of funding, maintenance and equity_im for a position whose price may have faults (MRG-12, MRG-13)."""
    if policy.is_priceless(status):
        ceiling: uint256 = self._compute_ceiling(parameters.market_ceilings[market], self.is_phasing(word))
        if is_long:
            return 0, ceiling, 0
        return 0, 0, ceiling
    return mid, self._move_price(mid, status, is_long), strict


@internal
@view
def compute_collateral_prices(
    token: uint256, word: uint256, mid: uint256, strict: uint256, status: uint256
) -> (uint256, uint256):
    """The prices of maintenance and equity_im for collateral whose price may have faults (MRG-12, MRG-13)."""
    if policy.is_priceless(status):
        return self._compute_ceiling(parameters.token_ceilings[token], self.is_haircut_phasing(word)), 0
    return self._move_price(mid, status, True), strict


@internal
@view
def compute_most(token: uint256, word: uint256, mid: uint256, status: uint256) -> uint256:
    """The most that collateral without an accepted price can be worth: its ceiling, or its moved price if higher."""
    ceiling: uint256 = self._compute_ceiling(parameters.token_ceilings[token], self.is_haircut_phasing(word))
    return ceiling if policy.is_priceless(status) else max(ceiling, self._move_price(mid, status, True))


@internal
@pure
def _compute_ceiling(word: uint256, phasing: bool) -> uint256:
    """The ceiling in force: until a phase ends, the former one if it is higher (MRG-14)."""
    ceiling: uint256 = word >> 160
    return max(ceiling, (word >> 64) & calc.MASK_96) if phasing else ceiling


@internal
@view
def _move_price(mid: uint256, status: uint256, is_asset: bool) -> uint256:
    """A mid, moved by the stale band if it has a fault that no liquidation accepts (MRG-12)."""
    if status & ~policy.DEEP_LIQUIDATION == 0:
        return mid
    band: uint256 = parameters.state_word & calc.MASK_16
    if is_asset:
        return min(mid * (calc.BPS + band) // calc.BPS, calc.PRICE_LIMIT - 1)
    return calc.ucdiv(mid * (calc.BPS - band), calc.BPS)


@internal
@view
def compute_reserve() -> uint256:
    """The keeper reserve in force: a raised one waits for the phase-in (MRG-5)."""
    word: uint256 = parameters.margin_word
    if block.timestamp < (word >> 24) & calc.MASK_40:
        return min(word >> 160, (word >> 64) & calc.MASK_96)
    return word >> 160


@internal
@view
def compute_haircut_values(token: uint256, count: uint256, market_value: uint256) -> (uint256, uint256):
    """What a value counts for in equity_mm and equity_im, rounded down against the account (COL-2)."""
    mm: uint256 = 0
    im: uint256 = 0
    lower: uint256 = 0
    for k: uint256 in range(count, bound=types.MAX_BRACKETS):
        row: uint256 = parameters.haircut_brackets[token][k]
        upper: uint256 = market_value
        if k + 1 < count:
            upper = min(market_value, row >> 160)
        part: uint256 = upper - lower
        mm += part * ((row >> 96) & calc.MASK_64)
        im += part * ((row >> 32) & calc.MASK_64)
        if upper == market_value:
            break
        lower = upper
    return mm // calc.W, im // calc.W


@internal
@view
def is_haircut_phasing(word: uint256) -> bool:
    """Whether former maintenance weights still hold where they are higher, by a collateral's word (COL-3)."""
    return block.timestamp < (word >> 192) & calc.MASK_40


@internal
@view
def compute_haircuts_in_force(token: uint256, word: uint256, market_value: uint256) -> (uint256, uint256):
    """Haircut values with a change still being phased in (COL-3)."""
    mm: uint256 = 0
    im: uint256 = 0
    mm, im = self.compute_haircut_values(token, word & 255, market_value)
    if self.is_haircut_phasing(word):
        mm = max(mm, self._phase_haircut(token, (word >> 184) & 255, market_value))
    return mm, im


@internal
@view
def _phase_haircut(token: uint256, count: uint256, market_value: uint256) -> uint256:
    """What a value counts for in equity_mm by the weights being phased out, rounded down (COL-3)."""
    mm: uint256 = 0
    lower: uint256 = 0
    for k: uint256 in range(count, bound=types.MAX_BRACKETS):
        row: uint256 = parameters.haircut_phases[token][k]
        upper: uint256 = market_value
        if k + 1 < count:
            upper = min(market_value, row >> 160)
        mm += (upper - lower) * ((row >> 96) & calc.MASK_64)
        if upper == market_value:
            break
        lower = upper
    return mm // calc.W
