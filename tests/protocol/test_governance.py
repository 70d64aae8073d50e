"""What the admin and the guardian may change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.actions import Deposit, PauseOpening, SetCollateral, SetMarket, SetRisk, Trade
from protocol.errors import Refusal
from protocol.events import CollateralSet, MarketSet, OpeningPaused, RiskSet
from protocol.params import HaircutBracket, MarginBracket
from protocol.state import Market, State, Token, genesis
from protocol.transition import apply
from protocol.units import W
from tests.protocol.build import (
    ACCOUNT,
    ADMIN,
    ANY_PRICE,
    BORROWER,
    BTC,
    BTC_PRICE,
    ETH,
    GUARDIAN,
    LIQUIDATOR,
    MARKETS,
    STRANGER,
    WETH,
    check_order_of,
    env,
    holding,
    opened,
    outcome_of,
    refused,
    run,
    state_with,
    with_risk,
)
from tests.twins import RISK, weth_params

ANYBODY_ELSE = (GUARDIAN, BORROWER, LIQUIDATOR, STRANGER, 0)


def busy() -> State:
    """A state with everything in use."""
    account = holding(10**4 * W, {WETH: 10**18}, {BTC: opened(W, BTC_PRICE)})
    return state_with({ACCOUNT: account}, pool=10**6 * W, insurance=W, inventory={WETH: 5})


@pytest.mark.parametrize(
    "action",
    [SetRisk(RISK), SetMarket(BTC, MARKETS[BTC]), SetCollateral(WETH, weth_params())],
    ids=["risk", "market", "collateral"],
)
def test_only_the_admin_sets_parameters(action: Any) -> None:
    """GOV-1, GOV-2, GOV-3, S8: nobody else, the guardian included."""
    for sender in ANYBODY_ELSE:
        assert refused(busy(), env(sender), action) == "role/not-admin"
    run(busy(), env(ADMIN), action)


# --- risk: GOV-1 ----------------------------------------------------------------------------------------------------


def test_new_risk_parameters_replace_the_old_ones_and_nothing_else() -> None:
    """GOV-1, S11: one event with the complete set; funds and accounts stay."""
    state, params = busy(), with_risk(debt_cap=7 * W)
    outcome = run(state, env(ADMIN), SetRisk(params))
    assert outcome.events == (RiskSet(params),)
    assert outcome.state == replace(state, risk=params)


def test_risk_parameters_must_fit_every_market_and_collateral() -> None:
    """GOV-1, B45, S10: not only the first: whatever is listed is checked against the new set."""
    tight = replace(MARKETS[ETH], brackets=(MarginBracket(0, W // 4, W // 2),))
    loose = replace(MARKETS[BTC], brackets=(MarginBracket(0, W // 40, W // 20),))
    costly = with_risk(penalty_ratio=W // 40)
    assert outcome_of(state_with(markets=(tight,)), env(ADMIN), SetRisk(costly)) == "ok"
    assert refused(state_with(markets=(tight, loose)), env(ADMIN), SetRisk(costly)) == "config/margin-rates"
    assert refused(state_with(markets=(loose, tight)), env(ADMIN), SetRisk(costly)) == "config/margin-rates"
    discounted = with_risk(sale_discount=1_000)
    low = replace(weth_params(), brackets=(HaircutBracket(0, W // 2, W // 2),))
    high = replace(weth_params(), brackets=(HaircutBracket(0, W * 95 // 100, W // 2),))
    assert outcome_of(state_with(collateral=(low, weth_params())), env(ADMIN), SetRisk(discounted)) == "ok"
    assert refused(state_with(collateral=(low, high)), env(ADMIN), SetRisk(discounted)) == "config/haircuts"
    assert refused(state_with(), env(ADMIN), SetRisk(with_risk(fixed_reward=10 * W + 1))) == "config/market"


def attempt_risk(
    sender: int = ADMIN, backstop: int = 0, fixed: int = 5 * W, penalty: int = W // 100, discount: int = 500
) -> str:
    """New risk parameters for the reference markets and collateral."""
    params = with_risk(backstop_ratio=backstop, fixed_reward=fixed, penalty_ratio=penalty, sale_discount=discount)
    return outcome_of(busy(), env(sender), SetRisk(params))


def test_risk_parameters_are_checked_in_order() -> None:
    """GOV-1: the role, the set itself, every market, every collateral."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("role/not-admin", {"sender": GUARDIAN}),
        ("config/risk", {"backstop": 10_001}),
        ("config/market", {"fixed": 10 * W + 1}),
        ("config/margin-rates", {"penalty": W // 40}),
        ("config/haircuts", {"discount": 1_001}),
    ]
    check_order_of(faults, attempt_risk)
    # All of the first market is checked before anything of the second.
    dear = replace(MARKETS[ETH], min_notional=10**4 * W)
    params = with_risk(fixed_reward=20 * W, penalty_ratio=W // 40)
    assert refused(state_with(markets=(dear, MARKETS[BTC])), env(ADMIN), SetRisk(params)) == "config/margin-rates"
    assert refused(state_with(markets=(MARKETS[BTC], dear)), env(ADMIN), SetRisk(params)) == "config/market"


# --- markets: GOV-2 -------------------------------------------------------------------------------------------------


def test_the_next_market_is_listed_and_starts_empty() -> None:
    """GOV-2: the next free id, with totals of nothing."""
    state = busy()
    params = replace(MARKETS[BTC], feed=7)
    outcome = run(state, env(ADMIN), SetMarket(2, params))
    assert outcome.events == (MarketSet(2, params),)
    assert outcome.state.market_params == (*state.market_params, params)
    assert outcome.state.markets == (*state.markets, Market(0, 0, 0))


@pytest.mark.parametrize("market", [BTC, ETH])
def test_a_listed_market_keeps_its_totals(market: int) -> None:
    """GOV-2, B39: new parameters for one market change neither totals nor neighbours."""
    state, params = busy(), replace(MARKETS[market], fee_rate=7)
    after = run(state, env(ADMIN), SetMarket(market, params)).state
    assert after.market_params[market] == params
    assert after.market_params[1 - market] == state.market_params[1 - market]
    assert replace(after, market_params=state.market_params) == state


def test_markets_are_listed_one_by_one_up_to_the_limit() -> None:
    """GOV-2, S7: no gap, and no more than 32."""
    state = genesis(ADMIN, GUARDIAN, 1)
    assert refused(state, env(ADMIN), SetMarket(1, MARKETS[BTC])) == "config/listing"
    for market in range(32):
        assert refused(state, env(ADMIN), SetMarket(market + 1, MARKETS[BTC])) == "config/listing"
        state = run(state, env(ADMIN), SetMarket(market, MARKETS[BTC])).state
    assert len(state.markets) == 32
    assert refused(state, env(ADMIN), SetMarket(32, MARKETS[BTC])) == "config/listing"
    assert refused(state, env(ADMIN), SetMarket(2**256 - 1, MARKETS[BTC])) == "config/listing"
    run(state, env(ADMIN), SetMarket(31, replace(MARKETS[BTC], feed=9)))


def attempt_market(sender: int = ADMIN, feed: int = 0, lower: int = 0, rate: int = W // 40, market: int = 2) -> str:
    """A new market."""
    params = replace(MARKETS[BTC], feed=feed, brackets=(MarginBracket(lower, rate, W // 20),))
    return outcome_of(busy(), env(sender), SetMarket(market, params))


def test_a_market_is_checked_in_order() -> None:
    """GOV-2: the role, the parameters, then the id."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("role/not-admin", {"sender": GUARDIAN}),
        ("config/market", {"feed": 2**16}),
        ("config/brackets", {"lower": 1}),
        ("config/margin-rates", {"rate": 0}),
        ("config/listing", {"market": 3}),
    ]
    check_order_of(faults, attempt_market)


# --- collateral: GOV-3 ----------------------------------------------------------------------------------------------


def vault_of(tokens: int, listed: int = 0) -> State:
    """A vault over token contracts, some of them listed."""
    collateral = (weth_params(),) * listed
    return replace(state_with(collateral=collateral), tokens=(Token(0, 0),) * tokens)


def test_the_next_token_is_listed() -> None:
    """GOV-3: id 1 first; the token contracts themselves are fixed at deployment."""
    outcome = run(vault_of(3), env(ADMIN), SetCollateral(1, weth_params()))
    assert outcome.events == (CollateralSet(1, weth_params()),)
    assert outcome.state.collateral_params == (weth_params(),)
    assert outcome.state.tokens == vault_of(3).tokens
    run(outcome.state, env(ADMIN), SetCollateral(2, replace(weth_params(), decimals=8)))


@pytest.mark.parametrize(
    ("tokens", "listed", "token", "code"),
    [
        (3, 0, 0, "config/listing"),
        (3, 0, 1, "ok"),
        (3, 0, 2, "config/listing"),
        (3, 1, 1, "ok"),
        (3, 1, 2, "ok"),
        (3, 1, 3, "config/listing"),
        (3, 2, 3, "config/listing"),
        (3, 2, 2, "ok"),
        (1, 0, 1, "config/listing"),
        (2, 1, 2, "config/listing"),
        (9, 8, 8, "ok"),
        (9, 8, 9, "config/listing"),
        (9, 8, 2**256 - 1, "config/listing"),
    ],
)
def test_tokens_are_listed_one_by_one_up_to_those_deployed(tokens: int, listed: int, token: int, code: str) -> None:
    """GOV-3, S7: never USDC, no gap, no token without a contract."""
    assert outcome_of(vault_of(tokens, listed), env(ADMIN), SetCollateral(token, weth_params())) == code


def test_the_decimals_of_a_listed_token_never_change() -> None:
    """GOV-3, B25: everything else of it may."""
    state = vault_of(3, listed=1)
    for decimals, code in ((17, "config/listing"), (18, "ok"), (19, "config/listing")):
        assert outcome_of(state, env(ADMIN), SetCollateral(1, replace(weth_params(), decimals=decimals))) == code
        assert outcome_of(state, env(ADMIN), SetCollateral(2, replace(weth_params(), decimals=decimals))) == "ok"
    changed = replace(weth_params(), feed=9, brackets=(HaircutBracket(0, W // 2, 0),))
    after = run(state, env(ADMIN), SetCollateral(1, changed)).state
    assert after.collateral_params == (changed,)


def test_each_token_has_its_own_parameters() -> None:
    """GOV-3: of two listed tokens, each keeps its own decimals, and a change of one leaves the other."""
    other = replace(weth_params(), decimals=8)
    state = replace(vault_of(3), collateral_params=(weth_params(), other))
    for token, decimals, code in ((1, 18, "ok"), (1, 8, "config/listing"), (2, 8, "ok"), (2, 18, "config/listing")):
        action = SetCollateral(token, replace(weth_params(), decimals=decimals, feed=7))
        assert outcome_of(state, env(ADMIN), action) == code
    after = run(state, env(ADMIN), SetCollateral(1, replace(weth_params(), feed=7))).state
    assert after.collateral_params == (replace(weth_params(), feed=7), other)


def test_a_refused_listing_names_the_next_free_id() -> None:
    """GOV-2, GOV-3: what the admin should have asked for, or the token that cannot change."""
    for state, action, facts in (
        (busy(), SetMarket(9, MARKETS[BTC]), {"next_id": 2}),
        (vault_of(3, listed=1), SetCollateral(9, weth_params()), {"next_id": 2}),
        (vault_of(3, listed=1), SetCollateral(1, replace(weth_params(), decimals=8)), {"token": 1}),
    ):
        with pytest.raises(Refusal) as refusal:
            apply(state, env(ADMIN), action)
        assert refusal.value.facts == facts


def attempt_collateral(
    sender: int = ADMIN, feed: int = 0, lower: int = 0, im: int = W // 2, token: int = 1, decimals: int = 18
) -> str:
    """New parameters for a listed token."""
    params = replace(weth_params(), feed=feed, decimals=decimals, brackets=(HaircutBracket(lower, W // 2, im),))
    return outcome_of(vault_of(3, listed=1), env(sender), SetCollateral(token, params))


def test_a_collateral_is_checked_in_order() -> None:
    """GOV-3: the role, the parameters, the id, then the decimals."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("role/not-admin", {"sender": GUARDIAN}),
        ("config/haircuts", {"feed": 2**16}),
        ("config/brackets", {"lower": 1}),
        ("config/haircuts", {"im": W}),
        ("config/listing", {"token": 3}),
        ("config/listing", {"decimals": 6}),
    ]
    check_order_of(faults, attempt_collateral)


# --- the pause: GOV-4 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("already", [False, True])
@pytest.mark.parametrize(
    ("sender", "paused", "code"),
    [
        (ADMIN, True, "ok"),
        (ADMIN, False, "ok"),
        (GUARDIAN, True, "ok"),
        (GUARDIAN, False, "role/not-guardian"),
        (BORROWER, True, "role/not-guardian"),
        (BORROWER, False, "role/not-guardian"),
        (0, True, "role/not-guardian"),
    ],
)
def test_the_guardian_may_only_stop(sender: int, paused: bool, code: str, already: bool) -> None:
    """GOV-4, S8: the admin stops and resumes, the guardian stops, nobody else does either."""
    state = replace(busy(), opening_paused=already)
    assert outcome_of(state, env(sender), PauseOpening(paused)) == code
    if code == "ok":
        outcome = run(state, env(sender), PauseOpening(paused))
        assert outcome.events == (OpeningPaused(paused),)
        assert outcome.state == replace(state, opening_paused=paused)


def test_a_pause_and_its_end_bring_back_the_state() -> None:
    """GOV-4, S9: nothing but growth waits for it."""
    state = busy()
    paused = run(state, env(GUARDIAN), PauseOpening(True)).state
    assert refused(paused, env(), Trade(ACCOUNT, BTC, W, ANY_PRICE)) == "market/opening-paused"
    run(paused, env(), Deposit(ACCOUNT, 0, 1))
    resumed = run(paused, env(ADMIN), PauseOpening(False)).state
    assert resumed == state
    run(resumed, env(), Trade(ACCOUNT, BTC, W, ANY_PRICE))
