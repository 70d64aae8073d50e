"""What the admin and the guardian may change (GOV-1 to GOV-7)."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from protocol import errors
from protocol.actions import (
    AcceptAdmin,
    PauseOpening,
    ProposeAdmin,
    SetCollateral,
    SetGuardian,
    SetMarket,
    SetRisk,
)
from protocol.configuration import check_collateral, check_market, check_risk, exceeds_sale
from protocol.draft import Draft, Outcome
from protocol.env import Env
from protocol.events import CollateralSet, MarketSet, OpeningPaused, RiskSet, RolesSet
from protocol.funding import accrue, steer
from protocol.margin import compute_reserve
from protocol.params import MAX_MARKETS, CollateralParams, MarketParams, RiskParams
from protocol.policy import FUNDING, check_accepted
from protocol.state import EMPTY_MARKET, EMPTY_WINDOW, INSTANT, CollateralPhase, MarketPhase, RiskPhase, Roles, State
from protocol.units import Seconds

R = TypeVar("R")


def process_set_risk(state: State, env: Env, action: SetRisk) -> Outcome:
    """Replace the risk parameters, if every market and collateral still fits them, former rates in force too (GOV-1).

    A raised keeper reserve and a shorter phase-in wait for the phase-in in force. Refuses: role/not-admin, config/*.
    """
    check_admin(state, env)
    check_risk(action.params)
    for market in state.market_params:
        check_market(action.params, market)
    for collateral in state.collateral_params:
        check_collateral(action.params, collateral)
    check_phases(state, env.now, action.params)
    phase_in = compute_phase_in(state, env.now)
    phase = RiskPhase(env.now + phase_in, compute_reserve(state, env.now), phase_in)
    if action.params.keeper_reserve <= phase.keeper_reserve and action.params.phase_in >= phase_in:
        phase = RiskPhase(0, 0, 0)
    changed = replace(state, risk=action.params, risk_phase=phase)
    return Outcome(changed, (RiskSet(action.params, phase.until, phase.keeper_reserve, phase.phase_in),))


def compute_phase_in(state: State, now: Seconds) -> Seconds:
    """How long former maintenance parameters hold after a change now: a shortened phase-in waits for itself (GOV-5)."""
    if now < state.risk_phase.until:
        return max(state.risk.phase_in, state.risk_phase.phase_in)
    return state.risk.phase_in


def check_phases(state: State, now: Seconds, risk: RiskParams) -> None:
    """What former rates and weights still hold must fit new risk parameters as well (GOV-1).

    The first former rate is the lowest, the first former weight the highest. Refuses: config/margin-rates,
    config/haircuts.
    """
    for index, market in enumerate(state.market_phases):
        if now < market.until and market.brackets[0].mm_rate <= risk.closing_cost_ratio:
            raise errors.BadMarginRates(market=index, lower=0)
    for index, collateral in enumerate(state.collateral_phases):
        if now < collateral.until and exceeds_sale(risk, collateral.brackets[0].mm_weight):
            raise errors.BadHaircuts(token=index + 1, lower=0)


def process_set_market(state: State, env: Env, action: SetMarket) -> Outcome:
    """List the next market, or replace a market's parameters (GOV-2, GOV-5).

    Funding is brought up to date under the old parameters first. Changed maintenance rates are phased in.

    Refuses: role/not-admin, config/*, oracle/*, sys/domain.
    """
    check_admin(state, env)
    check_risk_set(state)
    check_market(state.risk, action.params)
    listed = len(state.markets)
    if action.market > listed or action.market >= MAX_MARKETS:
        raise errors.BadListing(next_id=listed)
    if action.market == listed:
        return list_market(state, env, action)
    old = state.market_params[action.market]
    if old.feed != action.params.feed or old.lot % action.params.lot:
        raise errors.BadListing(market=action.market)
    phase = phase_market(state, env.now, action.market, action.params)
    draft = Draft(state)
    update_funding(draft, env, action.market, action.params)
    outcome = draft.commit()
    windows = state.windows
    if old.window != action.params.window:
        windows = _set(windows, action.market, EMPTY_WINDOW)
    changed = replace(
        outcome.state,
        market_params=_set(state.market_params, action.market, action.params),
        market_phases=_set(state.market_phases, action.market, phase),
        windows=windows,
    )
    return Outcome(changed, (*outcome.events, MarketSet(action.market, action.params, phase.until)))


def list_market(state: State, env: Env, action: SetMarket) -> Outcome:
    """Add a market with no positions (GOV-2)."""
    changed = replace(
        state,
        market_params=(*state.market_params, action.params),
        market_phases=(*state.market_phases, MarketPhase(0, (), 0)),
        order_params=(*state.order_params, INSTANT),
        markets=(*state.markets, replace(EMPTY_MARKET, accrued_at=env.now)),
        windows=(*state.windows, EMPTY_WINDOW),
    )
    return Outcome(changed, (MarketSet(action.market, action.params, 0),))


def phase_market(state: State, now: Seconds, market: int, params: MarketParams) -> MarketPhase:
    """The phase after a change of a market: old maintenance rates and ceiling hold where they ask less (GOV-5).

    Refuses: config/phase-in.
    """
    phase, old = state.market_phases[market], state.market_params[market]
    rates, former = ([(row.lower, row.mm_rate) for row in version.brackets] for version in (params, old))
    if rates == former and params.ceiling == old.ceiling:
        return phase
    if now < phase.until:
        raise errors.PhaseInProgress(until=phase.until)
    return MarketPhase(now + compute_phase_in(state, now), old.brackets, old.ceiling)


def update_funding(draft: Draft, env: Env, market: int, params: MarketParams) -> None:
    """Accrue a market under its old parameters and steer its rate by the new ones (GOV-2, F3).

    A market without open interest owes nobody anything and needs no price. Refuses: oracle/*, sys/domain.
    """
    totals = draft.open_market(market)
    quote = env.quote(params.feed)
    if totals.long_oi or totals.short_oi:
        check_accepted(FUNDING, quote.status)
    accrue(totals, quote.mid, env.now)
    steer(totals, params)
    draft.report_market(market)


def process_set_collateral(state: State, env: Env, action: SetCollateral) -> Outcome:
    """List the next token as collateral, or replace a collateral's parameters (GOV-3, GOV-5).

    The token contracts are fixed when the vault is deployed. Changed maintenance weights are phased in.

    Refuses: role/not-admin, config/*.
    """
    check_admin(state, env)
    check_risk_set(state)
    check_collateral(state.risk, action.params)
    listed = len(state.collateral_params)
    if not 1 <= action.token <= min(listed + 1, len(state.tokens) - 1):
        raise errors.BadListing(next_id=listed + 1)
    index = action.token - 1
    phase = CollateralPhase(0, (), 0)
    if index < listed:
        old = state.collateral_params[index]
        if old.decimals != action.params.decimals or old.feed != action.params.feed:
            raise errors.BadListing(token=action.token)
        phase = phase_collateral(state, env.now, action.token, action.params)
    changed = replace(
        state,
        collateral_params=_set(state.collateral_params, index, action.params),
        collateral_phases=_set(state.collateral_phases, index, phase),
    )
    return Outcome(changed, (CollateralSet(action.token, action.params, phase.until),))


def phase_collateral(state: State, now: Seconds, token: int, params: CollateralParams) -> CollateralPhase:
    """The phase after a change of a collateral: its old weights and ceiling hold where higher (GOV-5).

    Refuses: config/phase-in.
    """
    phase, old = state.collateral_phases[token - 1], state.collateral_params[token - 1]
    weights, former = ([(row.lower, row.mm_weight) for row in version.brackets] for version in (params, old))
    if weights == former and params.ceiling == old.ceiling:
        return phase
    if now < phase.until:
        raise errors.PhaseInProgress(until=phase.until)
    return CollateralPhase(now + compute_phase_in(state, now), old.brackets, old.ceiling)


def process_pause_opening(state: State, env: Env, action: PauseOpening) -> Outcome:
    """Stop the growth of positions, or resume it; the guardian may only stop it (GOV-4).

    Refuses: role/not-guardian.
    """
    allowed = {state.roles.admin, state.roles.guardian} if action.paused else {state.roles.admin}
    if env.sender not in allowed:
        raise errors.NotGuardian
    return Outcome(replace(state, opening_paused=action.paused), (OpeningPaused(action.paused),))


def process_propose_admin(state: State, env: Env, action: ProposeAdmin) -> Outcome:
    """Name the next admin; nothing changes until that address accepts (GOV-6).

    Refuses: role/not-admin.
    """
    check_admin(state, env)
    return set_roles(state, replace(state.roles, pending_admin=action.admin))


def process_accept_admin(state: State, env: Env, action: AcceptAdmin) -> Outcome:
    """Become admin, if one was proposed (GOV-6).

    Refuses: role/not-pending.
    """
    if env.sender != state.roles.pending_admin:
        raise errors.NotPendingAdmin
    return set_roles(state, Roles(env.sender, 0, state.roles.guardian))


def process_set_guardian(state: State, env: Env, action: SetGuardian) -> Outcome:
    """Name the guardian (GOV-7).

    Refuses: role/not-admin.
    """
    check_admin(state, env)
    return set_roles(state, replace(state.roles, guardian=action.guardian))


def set_roles(state: State, roles: Roles) -> Outcome:
    """Put roles in force and report them."""
    event = RolesSet(roles.admin, roles.pending_admin, roles.guardian)
    return Outcome(replace(state, roles=roles), (event,))


def check_admin(state: State, env: Env) -> None:
    """Refuse a sender who is not the admin.

    Refuses: role/not-admin.
    """
    if env.sender != state.roles.admin:
        raise errors.NotAdmin


def check_risk_set(state: State) -> None:
    """Refuse to list anything before the first risk parameters, which bring the phase-in (GOV-2, GOV-3).

    Refuses: config/risk.
    """
    if state.risk.phase_in == 0:
        raise errors.BadRiskConfig


def _set(items: tuple[R, ...], index: int, item: R) -> tuple[R, ...]:
    """``items`` with one replaced, or appended at the end."""
    return (*items[:index], item, *items[index + 1 :])
