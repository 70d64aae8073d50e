"""How much of which position a liquidation closes (SIZ-1 to SIZ-5)."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.account_state import AccountState
from protocol.draft import Draft, DraftAccount
from protocol.env import Env
from protocol.margin import Health, compute_margins, compute_notional
from protocol.params import MarginBracket, MarketParams, RiskParams
from protocol.policy import is_accepted
from protocol.records import record
from protocol.state import MarketPhase, State
from protocol.units import Price, Ratio, Seconds, Size, Usd, W, cdiv, fdiv
from protocol.window import compute_left

ROUNDING_SLACK: Usd = 10**6  # wei added to every target: more than all roundings of sixteen fills


@record
class Exposure:
    """A position as the sizing sees it. ``relief`` is margin freed per dollar closed, less its cost."""

    market: int
    size: Size
    price: Price
    notional: Usd
    maintenance: Usd
    relief: Ratio


def plan_closes(
    draft: Draft, account: DraftAccount, env: Env, health: Health, standing: AccountState, accepts: int
) -> list[tuple[Exposure, Size]]:
    """What to close, in order: all of it unless the account is LIQUIDATABLE, else enough to reach the target (SIZ-1).

    A position whose price has a fault that is not accepted cannot be closed and is passed over.
    Markets come by falling relief at the position's own bracket, then larger maintenance margin, then lower id; each
    is closed as far as needed, or in full, before the next. The window limits what one market may lose; what it holds
    back is sought in the next.
    """
    state = draft.base
    closable = [
        (market, position.size)
        for market, position in account.positions.items()
        if is_accepted(accepts, env.quote(state.market_params[market].feed).status)
    ]
    exposures = rank([measure(state, env, market, size) for market, size in closable])
    if standing != AccountState.LIQUIDATABLE:
        return [(exposure, abs(exposure.size)) for exposure in exposures]
    shortage = compute_shortage(state.risk, health)
    plan = []
    for exposure in exposures:
        if shortage <= 0:
            break
        params = state.market_params[exposure.market]
        brackets = brackets_in_force(params, state.market_phases[exposure.market], env.now, exposure.notional)
        needed, missing = walk_down(state.risk, brackets, exposure.notional, shortage)
        size = round_close(params, exposure, needed)
        if params.window:
            left = compute_left(params, draft.window(exposure.market), env.now)
            limited = limit_close(params, exposure, size, left)
            if limited < size:
                closed = compute_notional(limited, exposure.price)
                missing = shortage - compute_freed(state.risk, brackets, exposure.notional, closed)
            size = limited
        shortage = missing
        if size:
            plan.append((exposure, size))
    return plan


def measure(state: State, env: Env, market: int, size: Size) -> Exposure:
    """A position with its notional, maintenance margin and relief (SIZ-2)."""
    params = state.market_params[market]
    price = env.quote(params.feed).mid
    notional = compute_notional(size, price)
    brackets = brackets_in_force(params, state.market_phases[market], env.now, notional)
    maintenance, _ = compute_margins(brackets, notional)
    for own in reversed(brackets):
        if own.lower < notional:
            break
    return Exposure(market, size, price, notional, maintenance, compute_relief(state.risk, own.mm_rate))


def rank(exposures: Sequence[Exposure]) -> list[Exposure]:
    """Exposures in the order in which they are closed (SIZ-1)."""
    return sorted(exposures, key=lambda e: (-e.relief, -e.maintenance, e.market))


def compute_relief(risk: RiskParams, mm_rate: Ratio) -> Ratio:
    """Buffered margin that closing a dollar frees in a bracket, less what closing costs; positive by configuration.

    Rounded down, so that enough is closed (SIZ-2).
    """
    return fdiv((W + risk.liquidation_buffer) * mm_rate, W) - risk.closing_cost_ratio


def compute_shortage(risk: RiskParams, health: Health) -> Usd:
    """What equity_mm lacks to the target after the fixed reward, rounded up (SIZ-3).

    The target is the liquidation buffer above maintenance; the reserve is never scaled.
    """
    margin = health.maintenance_margin - health.reserve
    target = cdiv((W + risk.liquidation_buffer) * margin, W)
    return target - (health.equity_mm - risk.fixed_reward - health.reserve) + ROUNDING_SLACK


def walk_down(risk: RiskParams, brackets: Sequence[MarginBracket], notional: Usd, shortage: Usd) -> tuple[Usd, Usd]:
    """Notional to close in one market, from its highest bracket down, and the shortage that is left (SIZ-4)."""
    closed = 0
    top = notional
    for bracket in reversed(brackets):
        if bracket.lower >= notional:
            continue
        relief = compute_relief(risk, bracket.mm_rate)
        width = top - bracket.lower
        part = cdiv(shortage * W, relief)
        if part <= width:
            return closed + part, 0
        closed += width
        shortage -= fdiv(width * relief, W)
        top = bracket.lower
    return closed, shortage


def compute_freed(risk: RiskParams, brackets: Sequence[MarginBracket], notional: Usd, closed: Usd) -> Usd:
    """What closing ``closed`` of a notional frees, from its highest bracket down, rounded down (SIZ-4)."""
    freed, left, top = 0, closed, notional
    for bracket in reversed(brackets):
        if bracket.lower < top and left:
            part = min(left, top - bracket.lower)
            freed += fdiv(part * compute_relief(risk, bracket.mm_rate), W)
            left -= part
            top = bracket.lower
    return freed


def round_close(params: MarketParams, exposure: Exposure, needed: Usd) -> Size:
    """The size that closes at least ``needed``, in whole lots; all of it if little would remain (SIZ-5)."""
    size = abs(exposure.size)
    lots = cdiv(cdiv(needed * W, exposure.price), params.lot) * params.lot
    return leave_no_dust(params, exposure, min(lots, size))


def limit_close(params: MarketParams, exposure: Exposure, size: Size, left: Usd) -> Size:
    """The size that the window still allows, in whole lots rounded down (SIZ-5, WIN-3)."""
    allowed = fdiv(fdiv(left * W, exposure.price), params.lot) * params.lot
    if size <= allowed:
        return size
    return leave_no_dust(params, exposure, allowed) if allowed else 0


def leave_no_dust(params: MarketParams, exposure: Exposure, size: Size) -> Size:
    """``size``, or the whole position if less than the minimum notional would remain (SIZ-5)."""
    whole = abs(exposure.size)
    if compute_notional(whole - size, exposure.price) < params.min_notional:
        return whole
    return size


def brackets_in_force(
    params: MarketParams, phase: MarketPhase, now: Seconds, notional: Usd
) -> tuple[MarginBracket, ...]:
    """The tiers that ask the lower maintenance margin of a notional now (MRG-8).

    Below that notional the other ones may ask less; then more is closed than needed, never less.
    """
    if now < phase.until:
        old, new = (compute_margins(rows, notional)[0] for rows in (phase.brackets, params.brackets))
        return phase.brackets if old < new else params.brackets
    return params.brackets
