# @title Account states
# @notice Twin of protocol/account_state.py.

from modules import calc
from modules import parameters
from modules import tiers
from modules import types

uses: (parameters, tiers)

BANKRUPT: constant(uint256) = 0
BACKSTOP: constant(uint256) = 1
LIQUIDATABLE: constant(uint256) = 2
MARGIN_CALL: constant(uint256) = 3
RESTRICTED: constant(uint256) = 4
HEALTHY: constant(uint256) = 5


@internal
@view
def compute_account_state(health: types.Health) -> uint256:
    """The first state whose test holds, worst first (STA-1)."""
    if health.equity_raw < 0:
        return BANKRUPT
    margin: int256 = convert(health.maintenance_margin - health.reserve, int256)
    if margin == 0:
        if health.equity_mm < 0:
            return LIQUIDATABLE
        return HEALTHY
    above_reserve: int256 = health.equity_mm - convert(health.reserve, int256)
    word: uint256 = parameters.state_word
    if above_reserve < margin:
        if above_reserve * 10**4 < margin * convert((word >> 96) & calc.MASK_16, int256):
            return BACKSTOP
        return LIQUIDATABLE
    if above_reserve * calc.WI < margin * (calc.WI + convert(word >> 192, int256)):
        return MARGIN_CALL
    if health.equity_im < convert(health.initial_margin, int256) or tiers.is_below_tiers(health):
        return RESTRICTED
    return HEALTHY


@internal
@view
def is_clear(health: types.Health) -> bool:
    """Whether equity_mm is at least the liquidation buffer above maintenance, where a flag is lifted (STA-2)."""
    above_reserve: int256 = health.equity_mm - convert(health.reserve, int256)
    buffer: uint256 = (parameters.state_word >> 128) & calc.MASK_64
    margin: uint256 = health.maintenance_margin - health.reserve
    return above_reserve * calc.WI >= convert(margin * (calc.W + buffer), int256)
