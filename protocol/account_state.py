"""Where an account stands (STA-1), and what that lets it do."""

from __future__ import annotations

from enum import IntEnum

from protocol.margin import Health, compute_required_equity
from protocol.params import RiskParams
from protocol.units import BPS, Usd, W


class AccountState(IntEnum):
    """Where an account stands, worst first; the numbers are the same on chain (STA-1)."""

    BANKRUPT = 0
    BACKSTOP = 1
    LIQUIDATABLE = 2
    MARGIN_CALL = 3
    RESTRICTED = 4
    HEALTHY = 5


def compute_account_state(risk: RiskParams, health: Health) -> AccountState:
    """The first state whose test holds, worst first (STA-1).

    Buffers compare by cross multiplication, without division, and never scale the reserve. Without a position
    both margins are 0, and only BANKRUPT, LIQUIDATABLE and HEALTHY can occur.
    """
    if health.equity_raw < 0:
        return AccountState.BANKRUPT
    above_reserve = health.equity_mm - health.reserve
    margin = health.maintenance_margin - health.reserve
    if margin == 0:
        return AccountState.LIQUIDATABLE if health.equity_mm < 0 else AccountState.HEALTHY
    if above_reserve < margin:
        if above_reserve * BPS < margin * risk.backstop_ratio:
            return AccountState.BACKSTOP
        return AccountState.LIQUIDATABLE
    if above_reserve * W < margin * (W + risk.margin_call_buffer):
        return AccountState.MARGIN_CALL
    if health.equity_im < health.initial_margin or is_below_tiers(risk, health):
        return AccountState.RESTRICTED
    return AccountState.HEALTHY


def is_below_tiers(risk: RiskParams, health: Health) -> bool:
    """Whether equity_im supports less than the gross notional held (MRG-9)."""
    return max(health.equity_im, 0) < compute_required_equity(risk.equity_tiers, health.gross_notional)


def is_clear(risk: RiskParams, health: Health, charged: Usd = 0) -> bool:
    """Whether equity_mm is at least the liquidation buffer above maintenance, where a flag is lifted (STA-2).

    ``charged`` was taken from the balance since health was measured.
    """
    above_reserve = health.equity_mm - charged - health.reserve
    return above_reserve * W >= (health.maintenance_margin - health.reserve) * (W + risk.liquidation_buffer)
