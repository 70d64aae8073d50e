# pragma version 0.4.3
# pragma nonreentrancy on
# @title Governance: parameters and the pause
# @notice Twin of protocol/governance.py and protocol/params.py; rules in specs/actions/governance.md.
# @custom:kill The admin can neither move funds nor stop liquidation.

from modules import storage
initializes: storage

from modules import configuration
from modules import events
from modules import parameters
from modules import roles
from modules import treasury
from modules import types

uses: (parameters, roles, treasury)
initializes: configuration[parameters := parameters]


@external
def set_risk(params: types.RiskParams):
    """
    @notice Replace the risk parameters, if every market and collateral still fits them (GOV-1).
    """
    self._check_admin()
    configuration.check_risk(params)
    for market: uint256 in range(parameters.market_count, bound=types.MAX_MARKETS):
        configuration.check_market(params, configuration.load_market(market))
    for token: uint256 in range(1, parameters.collateral_count + 1, bound=types.MAX_TOKENS):
        configuration.check_collateral(params, configuration.load_collateral(token))
    configuration.store_risk(params)
    log events.RiskSet(params=params)


@external
def set_market(market: uint256, params: types.MarketParams):
    """
    @notice List the next market, or replace a market's parameters (GOV-2).
    """
    self._check_admin()
    configuration.check_market(configuration.load_risk(), params)
    listed: uint256 = parameters.market_count
    assert market <= listed and market < types.MAX_MARKETS, "config/listing"
    if market == listed:
        parameters.market_count = listed + 1
    configuration.store_market(market, params)
    log events.MarketSet(market=market, params=params)


@external
def set_collateral(token: uint256, params: types.CollateralParams):
    """
    @notice List the next token as collateral, or replace a collateral's parameters (GOV-3).
    """
    self._check_admin()
    configuration.check_collateral(configuration.load_risk(), params)
    listed: uint256 = parameters.collateral_count
    assert token >= 1 and token <= listed + 1 and token < treasury.token_count, "config/listing"
    if token <= listed:
        assert (parameters.collateral_words[token] >> 232) & 255 == params.decimals, "config/listing"
    else:
        parameters.collateral_count = token
    configuration.store_collateral(token, params)
    log events.CollateralSet(token=token, params=params)


@external
def pause_opening(paused: bool):
    """
    @notice Stop the growth of positions, or resume it; the guardian may only stop it (GOV-4).
    """
    assert msg.sender == roles.admin or (paused and msg.sender == roles.guardian), "role/not-guardian"
    roles.opening_paused = paused
    log events.OpeningPaused(paused=paused)


@internal
@view
def _check_admin():
    assert msg.sender == roles.admin, "role/not-admin"
