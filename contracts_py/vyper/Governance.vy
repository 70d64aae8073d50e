# pragma version 0.4.3
# pragma nonreentrancy on
# @title Governance: parameters
# @notice Twin of the first half of protocol/governance.py; rules in specs/actions/governance.md.
# @custom:kill The admin can neither move funds nor stop liquidation.

from modules import storage
initializes: storage

from modules import accounts
from modules import calc
from modules import configuration
from modules import events
from modules import funding
from modules import markets
from modules import packing
from modules import parameters
from modules import policy
from modules import prices
from modules import records
from modules import roles
from modules import tiers
from modules import treasury
from modules import types
from modules import windows

uses: (markets, parameters, roles, treasury)
initializes: prices[roles := roles]
initializes: tiers[parameters := parameters]
initializes: funding[parameters := parameters]
initializes: windows[markets := markets, parameters := parameters]
initializes: packing[parameters := parameters]
initializes: records[accounts := accounts, treasury := treasury]


@external
def set_risk(params: types.RiskParams):
    """
    @notice Replace the risk parameters, if every market and collateral still fits them (GOV-1).
            A raised keeper reserve and a shorter phase-in wait for the phase-in in force.
    """
    self._check_admin()
    configuration.check_risk(params)
    for market: uint256 in range(parameters.market_count, bound=types.MAX_MARKETS):
        configuration.check_market(params, packing.load_market(market))
    for token: uint256 in range(1, parameters.collateral_count + 1, bound=types.MAX_TOKENS):
        configuration.check_collateral(params, packing.load_collateral(token))
    self._check_phases(params)
    phase_in: uint256 = self._compute_phase_in()
    until: uint256 = block.timestamp + phase_in
    reserve: uint256 = tiers.compute_reserve()
    if params.keeper_reserve <= reserve and params.phase_in >= phase_in:
        until = 0
        reserve = 0
        phase_in = 0
    packing.store_risk(params, until, reserve, phase_in)
    log events.RiskSet(params=params, phase_until=until, former_reserve=reserve, former_phase_in=phase_in)


@external
def set_market(market: uint256, params: types.MarketParams):
    """
    @notice List the next market, or replace a market's parameters (GOV-2, GOV-5). Funding is brought up to date
            first; changed maintenance rates are phased in.
    """
    self._check_admin()
    self._check_risk_set()
    configuration.check_market(packing.load_risk(), params)
    listed: uint256 = parameters.market_count
    assert market <= listed and market < types.MAX_MARKETS, "config/listing"
    until: uint256 = 0
    phase_count: uint256 = 0
    if market == listed:
        parameters.market_count = listed + 1
        markets.indices[market] = block.timestamp
        markets.index_costs[market] = markets.INDEX_COST_BIAS
        windows.prepare(market)
        packing.store_market(market, params, 0, 0)
    else:
        word: uint256 = parameters.market_words[market]
        assert (word >> 8) & calc.MASK_16 == params.feed and (word >> 160) % params.lot == 0, "config/listing"
        until, phase_count = self._phase_market(market, word, params)
        self._accrue(market, params.feed)
        if (parameters.funding_words[market] >> 32) & calc.MASK_32 != params.window:
            markets.window_heads[market] = windows.PREPARED
        packing.store_market(market, params, until, phase_count)
        self._steer(market)
    log events.MarketSet(market=market, params=params, phase_until=until)


@external
def set_collateral(token: uint256, params: types.CollateralParams):
    """
    @notice List the next token as collateral, or replace a collateral's parameters (GOV-3, GOV-5).
    """
    self._check_admin()
    self._check_risk_set()
    configuration.check_collateral(packing.load_risk(), params)
    listed: uint256 = parameters.collateral_count
    assert token >= 1 and token <= listed + 1 and token < treasury.token_count, "config/listing"
    until: uint256 = 0
    phase_count: uint256 = 0
    if token > listed:
        parameters.collateral_count = token
    else:
        word: uint256 = parameters.collateral_words[token]
        assert (word >> 232) & 255 == params.decimals and word >> 240 == params.feed, "config/listing"
        until, phase_count = self._phase_collateral(token, word, params)
    packing.store_collateral(token, params, until, phase_count)
    log events.CollateralSet(token=token, params=params, phase_until=until)


@internal
@view
def _check_phases(params: types.RiskParams):
    """What former rates and weights still hold must fit new risk parameters as well (GOV-1)."""
    closing_cost: uint256 = params.reward_ratio_max + params.penalty_ratio + params.impact_cap_ratio
    for market: uint256 in range(parameters.market_count, bound=types.MAX_MARKETS):
        if tiers.is_phasing(parameters.market_words[market]):
            rate: uint256 = (parameters.phase_brackets[market][0] >> 96) & calc.MASK_64
            assert rate > closing_cost, "config/margin-rates"
    for token: uint256 in range(1, parameters.collateral_count + 1, bound=types.MAX_TOKENS):
        if tiers.is_haircut_phasing(parameters.collateral_words[token]):
            weight: uint256 = (parameters.haircut_phases[token][0] >> 96) & calc.MASK_64
            assert not configuration.exceeds_sale(params, weight), "config/haircuts"


@internal
@view
def _compute_phase_in() -> uint256:
    """How long former maintenance parameters hold after a change now: a shortened phase-in waits for itself (GOV-5)."""
    phase_in: uint256 = parameters.limit_word & calc.MASK_32
    if block.timestamp < (parameters.margin_word >> 24) & calc.MASK_40:
        return max(phase_in, (parameters.redemption_word >> 64) & calc.MASK_32)
    return phase_in


@internal
def _phase_market(market: uint256, word: uint256, params: types.MarketParams) -> (uint256, uint256):
    """End and row count of a market's phase after a change: its old rates and ceiling hold where they ask less (GOV-5)."""
    count: uint256 = word & tiers.MARKET_COUNT_MASK
    former: uint256 = parameters.market_ceilings[market] >> 160
    changed: bool = former != params.ceiling
    for k: uint256 in range(types.MAX_BRACKETS):
        # Upper bound and maintenance rate; the initial rate does not matter. Another count shows in an upper bound.
        if parameters.margin_brackets[market][k] >> 96 != packing.margin_row(params.brackets, k) >> 96:
            changed = True
    until: uint256 = (word >> 24) & calc.MASK_40
    if not changed:
        return until, parameters.funding_words[market] & 255
    assert block.timestamp >= until, "config/phase-in"
    for k: uint256 in range(types.MAX_BRACKETS):
        parameters.phase_brackets[market][k] = parameters.margin_brackets[market][k]
    parameters.market_ceilings[market] = former << 64
    return block.timestamp + self._compute_phase_in(), count


@internal
def _phase_collateral(token: uint256, word: uint256, params: types.CollateralParams) -> (uint256, uint256):
    """End and row count of a collateral's phase after a change: its old weights and ceiling hold where higher (GOV-5)."""
    count: uint256 = word & 255
    former: uint256 = parameters.token_ceilings[token] >> 160
    changed: bool = former != params.ceiling
    for k: uint256 in range(types.MAX_BRACKETS):
        # Upper bound and maintenance weight, as for a market.
        if parameters.haircut_brackets[token][k] >> 96 != packing.haircut_row(params.brackets, k) >> 96:
            changed = True
    until: uint256 = (word >> 192) & calc.MASK_40
    if not changed:
        return until, (word >> 184) & 255
    assert block.timestamp >= until, "config/phase-in"
    for k: uint256 in range(types.MAX_BRACKETS):
        parameters.haircut_phases[token][k] = parameters.haircut_brackets[token][k]
    parameters.token_ceilings[token] = former << 64
    return block.timestamp + self._compute_phase_in(), count


@internal
def _accrue(market: uint256, feed: uint256):
    """Bring a market's funding up to date under the parameters still in force (GOV-2)."""
    totals: types.Market = markets.load(market)
    price: uint256 = 0
    status: uint256 = 0
    price, status = prices.quote(feed)
    if totals.long_oi != 0 or totals.short_oi != 0:
        policy.check_accepted(policy.FUNDING, status)
    markets.store(market, funding.accrue(totals, price))


@internal
def _steer(market: uint256):
    """Let a market's rate follow the parameters now in force, and report the market (GOV-2)."""
    totals: types.Market = funding.steer(market, markets.load(market))
    markets.store(market, totals)
    records.report_market(market, totals)


@internal
@view
def _check_admin():
    """Refuse a sender who is not the admin."""
    assert msg.sender == roles.admin, "role/not-admin"


@internal
@view
def _check_risk_set():
    """Refuse to list anything before the first risk parameters, which bring the phase-in (GOV-2, GOV-3)."""
    assert parameters.limit_word & calc.MASK_32 != 0, "config/risk"
