"""What the admin and the guardian may change (GOV-1 to GOV-4)."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from protocol import errors
from protocol.actions import PauseOpening, SetCollateral, SetMarket, SetRisk
from protocol.draft import Outcome
from protocol.env import Env
from protocol.events import CollateralSet, MarketSet, OpeningPaused, RiskSet
from protocol.params import MAX_MARKETS, check_collateral, check_market, check_risk
from protocol.state import Market, State

R = TypeVar("R")


def process_set_risk(state: State, env: Env, action: SetRisk) -> Outcome:
    """Replace the risk parameters, if every market and collateral still fits them (GOV-1).

    Refuses: role/not-admin, config/*.
    """
    check_admin(state, env)
    check_risk(action.params)
    for market in state.market_params:
        check_market(action.params, market)
    for collateral in state.collateral_params:
        check_collateral(action.params, collateral)
    return Outcome(replace(state, risk=action.params), (RiskSet(action.params),))


def process_set_market(state: State, env: Env, action: SetMarket) -> Outcome:
    """List the next market, or replace a market's parameters (GOV-2).

    Refuses: role/not-admin, config/*.
    """
    check_admin(state, env)
    check_market(state.risk, action.params)
    listed = len(state.markets)
    if action.market > listed or action.market >= MAX_MARKETS:
        raise errors.BadListing(next_id=listed)
    markets = state.markets if action.market < listed else (*state.markets, Market(0, 0, 0))
    params = _set(state.market_params, action.market, action.params)
    return Outcome(replace(state, market_params=params, markets=markets), (MarketSet(action.market, action.params),))


def process_set_collateral(state: State, env: Env, action: SetCollateral) -> Outcome:
    """List the next token as collateral, or replace a collateral's parameters (GOV-3).

    The token contracts are fixed when the vault is deployed. The decimals of a listed token never change.

    Refuses: role/not-admin, config/*.
    """
    check_admin(state, env)
    check_collateral(state.risk, action.params)
    listed = len(state.collateral_params)
    if not 1 <= action.token <= min(listed + 1, len(state.tokens) - 1):
        raise errors.BadListing(next_id=listed + 1)
    if action.token <= listed and state.collateral_params[action.token - 1].decimals != action.params.decimals:
        raise errors.BadListing(token=action.token)
    params = _set(state.collateral_params, action.token - 1, action.params)
    return Outcome(replace(state, collateral_params=params), (CollateralSet(action.token, action.params),))


def process_pause_opening(state: State, env: Env, action: PauseOpening) -> Outcome:
    """Stop the growth of positions, or resume it; the guardian may only stop it (GOV-4).

    Refuses: role/not-guardian.
    """
    allowed = {state.roles.admin, state.roles.guardian} if action.paused else {state.roles.admin}
    if env.sender not in allowed:
        raise errors.NotGuardian
    return Outcome(replace(state, opening_paused=action.paused), (OpeningPaused(action.paused),))


def check_admin(state: State, env: Env) -> None:
    """Refuse a sender who is not the admin.

    Refuses: role/not-admin.
    """
    if env.sender != state.roles.admin:
        raise errors.NotAdmin


def _set(items: tuple[R, ...], index: int, item: R) -> tuple[R, ...]:
    """``items`` with one replaced, or appended at the end."""
    return (*items[:index], item, *items[index + 1 :])
