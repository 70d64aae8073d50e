"""Account value, margin requirements and account state (MRG-1 to MRG-5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Protocol

from protocol.collateral import compute_haircut_values, compute_token_value
from protocol.env import Env
from protocol.params import MarginBracket, RiskParams
from protocol.records import record
from protocol.state import Position, State
from protocol.units import BPS, Price, Size, Units, Usd, W, cdiv, fdiv


class AccountState(IntEnum):
    """Where an account stands, worst first; the numbers are the same on chain (MRG-5)."""

    BANKRUPT = 0
    BACKSTOP = 1
    LIQUIDATABLE = 2
    MARGIN_CALL = 3
    RESTRICTED = 4
    HEALTHY = 5


@record
class Health:
    """An account measured at given prices. ``reserve`` is part of both margins."""

    equity_raw: Usd  # at market value: the account value
    equity_mm: Usd  # after maintenance haircuts
    equity_im: Usd  # after initial haircuts, unrealised profit not counted
    maintenance_margin: Usd
    initial_margin: Usd
    reserve: Usd
    price_status: int  # all the statuses of the prices used; 0 when every one is usable


class Holdings(Protocol):
    """What is measured: an account, or a draft of one. Mappings iterate by ascending id."""

    @property
    def cash(self) -> Usd: ...  # noqa: D102
    @property
    def collateral(self) -> Mapping[int, Units]: ...  # noqa: D102
    @property
    def positions(self) -> Mapping[int, Position]: ...  # noqa: D102


def compute_notional(size: Size, price: Price) -> Usd:
    """Absolute value of a position at a price, rounded up against the account (MRG-1)."""
    return cdiv(abs(size) * price, W)


def compute_pnl(position: Position, price: Price) -> Usd:
    """Unrealised profit of a position at a price, rounded down against the account (MRG-2)."""
    return fdiv(position.size * price, W) - position.cost


def compute_margins(brackets: Sequence[MarginBracket], notional: Usd) -> tuple[Usd, Usd]:
    """Maintenance and initial margin of a notional, rounded up against the account (MRG-3).

    Each part of the notional pays the rate of its own bracket. This is the rate of the last bracket touched
    times the notional, less an exact deduction, so there is no step at a border.
    """
    mm = im = 0
    for index, bracket in enumerate(brackets):
        if notional <= bracket.lower:
            break
        upper = brackets[index + 1].lower if index + 1 < len(brackets) else notional
        part = min(notional, upper) - bracket.lower
        mm += part * bracket.mm_rate
        im += part * bracket.im_rate
    return cdiv(mm, W), cdiv(im, W)


def compute_health(state: State, holdings: Holdings, env: Env) -> Health:
    """Measure an account with the prices of ``env`` (MRG-4). Never refuses; unusable prices show in the status.

    A price that is missing or not positive counts as 0, a stale one as it is.
    """
    raw = mm_equity = im_equity = holdings.cash
    mm = im = status = 0
    for token, units in holdings.collateral.items():
        params = state.collateral_params[token - 1]
        quote = env.quote(params.feed)
        status |= quote.status
        value = compute_token_value(units, quote.price, params.decimals)
        counted_mm, counted_im = compute_haircut_values(params.brackets, value)
        raw += value
        mm_equity += counted_mm
        im_equity += counted_im
    for market, position in holdings.positions.items():
        market_params = state.market_params[market]
        quote = env.quote(market_params.feed)
        status |= quote.status
        pnl = compute_pnl(position, quote.price)
        position_mm, position_im = compute_margins(market_params.brackets, compute_notional(position.size, quote.price))
        raw += pnl
        mm_equity += pnl
        im_equity += min(pnl, 0)
        mm += position_mm
        im += position_im
    reserve = state.risk.keeper_reserve if holdings.positions else 0
    return Health(raw, mm_equity, im_equity, mm + reserve, im + reserve, reserve, status)


def compute_account_state(risk: RiskParams, health: Health) -> AccountState:
    """The first state whose test holds, worst first (MRG-5).

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
    if health.equity_im < health.initial_margin:
        return AccountState.RESTRICTED
    return AccountState.HEALTHY


def is_liquidatable(health: Health) -> bool:
    """Whether equity_mm is below the maintenance margin; equality is safe (LIQ-4)."""
    return health.equity_mm < health.maintenance_margin
