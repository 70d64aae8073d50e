"""What the admin and the guardian may change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.actions import (
    AcceptAdmin,
    Deposit,
    PauseOpening,
    ProposeAdmin,
    SetCollateral,
    SetGuardian,
    SetMarket,
    SetRisk,
    Trade,
)
from protocol.env import Env, Status
from protocol.errors import Refusal
from protocol.events import CollateralSet, MarketSet, MarketUpdated, OpeningPaused, RiskSet, RolesSet
from protocol.governance import compute_phase_in
from protocol.margin import compute_ceiling
from protocol.params import EquityTier, HaircutBracket, MarginBracket
from protocol.state import (
    EMPTY_MARKET,
    EMPTY_WINDOW,
    CollateralPhase,
    MarketPhase,
    RiskPhase,
    Roles,
    State,
    Token,
    Window,
    genesis,
)
from protocol.transition import apply
from protocol.units import DAY, INDEX_LIMIT, W
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
    NOW,
    STRANGER,
    WETH,
    check_order_of,
    env,
    holding,
    moving,
    opened,
    outcome_of,
    refused,
    run,
    state_with,
    with_market,
    with_params,
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
    [
        SetRisk(RISK),
        SetMarket(BTC, MARKETS[BTC]),
        SetCollateral(WETH, weth_params()),
        ProposeAdmin(STRANGER),
        SetGuardian(STRANGER),
    ],
    ids=lambda action: type(action).__name__,
)
def test_only_the_admin_sets_parameters_and_roles(action: Any) -> None:
    """GOV-1, GOV-2, GOV-3, GOV-6, GOV-7, S8: nobody else, neither the guardian nor a proposed admin."""
    for sender in ANYBODY_ELSE:
        assert refused(busy(), env(sender), action) == "role/not-admin"
    proposed = replace(busy(), roles=Roles(ADMIN, STRANGER, GUARDIAN))
    assert refused(proposed, env(STRANGER), action) == "role/not-admin"
    run(busy(), env(ADMIN), action)


# --- risk: GOV-1 ----------------------------------------------------------------------------------------------------


def test_new_risk_parameters_replace_the_old_ones_and_nothing_else() -> None:
    """GOV-1, S11: one event with the complete set; funds and accounts stay."""
    state, params = busy(), with_risk(debt_cap=7 * W)
    outcome = run(state, env(ADMIN), SetRisk(params))
    assert outcome.events == (RiskSet(params, 0, 0, 0),)
    assert outcome.state == replace(state, risk=params)


@pytest.mark.parametrize(
    ("reserve", "phase_in", "phased"),
    [
        (9 * W, DAY, False),
        (10 * W, DAY, False),
        (10 * W, DAY + 1, False),
        (10 * W + 1, DAY, True),
        (10 * W + 1, 2 * DAY, True),
        (10 * W, DAY - 1, True),
        (9 * W, 3_600, True),
    ],
)
def test_a_raised_keeper_reserve_and_a_shorter_phase_in_wait(reserve: int, phase_in: int, phased: bool) -> None:
    """GOV-1, GOV-5, B39, S10: for the phase-in that was in force, so that no notice can be cut short."""
    params = with_risk(keeper_reserve=reserve, phase_in=phase_in)
    outcome = run(busy(), env(ADMIN), SetRisk(params))
    phase = RiskPhase(NOW + DAY, 10 * W, DAY) if phased else RiskPhase(0, 0, 0)
    assert outcome.state.risk_phase == phase
    assert outcome.events == (RiskSet(params, phase.until, phase.keeper_reserve, phase.phase_in),)


@pytest.mark.parametrize(
    ("now", "reserve", "phase"),
    [
        # 10 were raised to 30, which holds from NOW + 100. Before that 10 are in force.
        (NOW + 99, 20, RiskPhase(NOW + 99 + DAY, 10 * W, DAY)),
        (NOW + 99, 30, RiskPhase(NOW + 99 + DAY, 10 * W, DAY)),
        (NOW + 99, 10, RiskPhase(0, 0, 0)),
        (NOW + 100, 30, RiskPhase(0, 0, 0)),
        (NOW + 100, 20, RiskPhase(0, 0, 0)),
        (NOW + 100, 31, RiskPhase(NOW + 100 + DAY, 30 * W, DAY)),
    ],
)
def test_another_change_of_the_reserve_starts_from_the_one_in_force(now: int, reserve: int, phase: RiskPhase) -> None:
    """GOV-1, MRG-5: nobody's reserve jumps, however often it is set."""
    state = replace(busy(), risk=with_risk(keeper_reserve=30 * W), risk_phase=RiskPhase(NOW + 100, 10 * W, DAY))
    after = run(state, env(ADMIN, now=now), SetRisk(with_risk(keeper_reserve=reserve * W))).state
    assert after.risk_phase == phase


@pytest.mark.parametrize(
    ("now", "phase_in"), [(NOW, DAY), (NOW + DAY - 1, DAY), (NOW + DAY, 3_600), (NOW + DAY + 1, 3_600)]
)
def test_a_shortened_phase_in_waits_for_itself(now: int, phase_in: int) -> None:
    """GOV-5: until the old time has passed changes are phased in by the longer one; a longer one holds at once."""
    state = run(busy(), env(ADMIN), SetRisk(with_risk(phase_in=3_600))).state
    assert compute_phase_in(state, now) == phase_in
    longer = run(state, env(ADMIN), SetRisk(with_risk(phase_in=2 * DAY))).state
    assert compute_phase_in(longer, now) == 2 * DAY
    # A second shortening before that starts again from the longer one.
    if now < NOW + DAY:
        again = run(state, env(ADMIN, now=now), SetRisk(with_risk(phase_in=7_200))).state
        assert again.risk_phase == RiskPhase(now + DAY, 10 * W, DAY)
    # What is changed meanwhile is phased in by it: rates, weights and the reserve.
    flat = replace(MARKETS[BTC], brackets=MARKETS[BTC].brackets[:1])
    assert run(state, env(ADMIN, now=now), SetMarket(BTC, flat)).state.market_phases[BTC].until == now + phase_in
    lower = replace(weth_params(), brackets=weth_params().brackets[:1])
    assert (
        run(state, env(ADMIN, now=now), SetCollateral(WETH, lower)).state.collateral_phases[0].until == now + phase_in
    )
    dearer = with_risk(phase_in=3_600, keeper_reserve=11 * W)
    assert run(state, env(ADMIN, now=now), SetRisk(dearer)).state.risk_phase.until == now + phase_in


@pytest.mark.parametrize(("until", "in_force"), [(NOW, False), (NOW + 1, True)])
def test_risk_parameters_must_fit_former_rates_that_still_hold(until: int, in_force: bool) -> None:
    """GOV-1, CFG-3, CFG-5, S10: a liquidation sizes and sells by them; after their time they are nothing."""
    low = (MarginBracket(0, W // 50, W // 20), MarginBracket(1, W // 10, W // 5))
    high = (HaircutBracket(0, W * 95 // 100, 0), HaircutBracket(1, 0, 0))
    state = state_with()
    state = replace(state, market_phases=(MarketPhase(0, (), 0), MarketPhase(until, low, 0)))
    state = replace(state, collateral_phases=(CollateralPhase(until, high, 0),))
    # A closing cost of just below 2 % fits, 2 % does not; a discount of 5 % fits 95 %, a basis point more does not.
    for changes, facts, code in (
        ({"penalty_ratio": W * 125 // 10_000 - 1}, {}, "ok"),
        ({"penalty_ratio": W * 125 // 10_000}, {"market": ETH, "lower": 0}, "config/margin-rates"),
        ({"sale_discount": 500}, {}, "ok"),
        ({"sale_discount": 501}, {"token": WETH, "lower": 0}, "config/haircuts"),
    ):
        action = SetRisk(with_risk(**changes))
        assert outcome_of(state, env(ADMIN), action) == (code if in_force else "ok")
        if in_force and facts:
            with pytest.raises(Refusal) as refusal:
                apply(state, env(ADMIN), action)
            assert refusal.value.facts == facts


def test_risk_parameters_must_fit_every_market_and_collateral() -> None:
    """GOV-1, B45, S10: not only the first: whatever is listed is checked against the new set."""
    tight = replace(MARKETS[ETH], brackets=(MarginBracket(0, W // 4, W // 2),))
    loose = replace(MARKETS[BTC], brackets=(MarginBracket(0, W // 40, W // 20),))
    costly = with_risk(penalty_ratio=W // 40, reward_ratio_max=W // 1_000, impact_cap_ratio=0)
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
    sender: int = ADMIN,
    backstop: int = 0,
    lower: int = 0,
    leverage: int = W,
    fixed: int = 5 * W,
    penalty: int = W // 100,
    discount: int = 500,
) -> str:
    """New risk parameters for the reference markets and collateral."""
    params = with_risk(
        backstop_ratio=backstop,
        fixed_reward=fixed,
        penalty_ratio=penalty,
        sale_discount=discount,
        equity_tiers=(EquityTier(lower, leverage),),
    )
    return outcome_of(busy(), env(sender), SetRisk(params))


def test_risk_parameters_are_checked_in_order() -> None:
    """GOV-1: the role, the set itself, every market, every collateral."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("role/not-admin", {"sender": GUARDIAN}),
        ("config/risk", {"backstop": 10_001}),
        ("config/brackets", {"lower": 1}),
        ("config/equity-tiers", {"leverage": 0}),
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
    """GOV-2: the next free id, with totals of nothing and its clock at now; no price is needed."""
    state = busy()
    params = replace(MARKETS[BTC], feed=7)
    outcome = run(state, Env(NOW + 5, ADMIN, ()), SetMarket(2, params))
    assert outcome.events == (MarketSet(2, params, 0),)
    assert outcome.state.market_params == (*state.market_params, params)
    assert outcome.state.market_phases == (*state.market_phases, MarketPhase(0, (), 0))
    assert outcome.state.markets == (*state.markets, replace(EMPTY_MARKET, accrued_at=NOW + 5))
    assert outcome.state.windows == (*state.windows, EMPTY_WINDOW)


@pytest.mark.parametrize("market", [BTC, ETH])
def test_a_listed_market_keeps_its_totals(market: int) -> None:
    """GOV-2, B39: new parameters for one market change neither totals nor neighbours."""
    state, params = busy(), replace(MARKETS[market], taker_fee=W // 100)
    outcome = run(state, env(ADMIN), SetMarket(market, params))
    after = outcome.state
    assert after.market_params[market] == params
    assert after.market_params[1 - market] == state.market_params[1 - market]
    assert replace(after, market_params=state.market_params) == state
    updated, done = outcome.events
    assert isinstance(updated, MarketUpdated)
    assert done == MarketSet(market, params, 0)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"feed": 1}, "config/listing"),
        ({"lot": W // 1_000}, "ok"),
        ({"lot": W // 2_000}, "ok"),
        ({"lot": 1}, "ok"),
        ({"lot": W // 500}, "config/listing"),
        ({"lot": W // 1_500}, "config/listing"),
        ({"lot": W // 1_000 - 1}, "config/listing"),
    ],
)
def test_a_listed_market_keeps_its_feed_and_its_lot_can_only_be_divided(changes: dict[str, int], code: str) -> None:
    """GOV-2, B25, L6: every position stays whole lots, at its own price."""
    assert outcome_of(busy(), env(ADMIN), SetMarket(BTC, replace(MARKETS[BTC], **changes))) == code  # type: ignore[arg-type]


def test_funding_is_accrued_under_the_old_parameters_and_steered_by_the_new_ones() -> None:
    """GOV-2, F3, B39: a day at 1 % of 8,000 is owed; then the rate is cut to the new cap and moves by the new speed."""
    account = holding(10**7 * W, {}, {BTC: opened(1_000 * W, BTC_PRICE)})
    state = moving(state_with({ACCOUNT: account}), BTC, accrued_at=NOW - DAY, funding_index=7 * W)
    params = replace(MARKETS[BTC], funding_cap=W // 200, funding_velocity=W // 10)
    after = run(state, env(ADMIN), SetMarket(BTC, params)).state
    totals = after.markets[BTC]
    assert totals.funding_index == 87 * W
    assert (totals.funding_rate, totals.funding_limit) == (W // 200 * DAY, W // 200 * DAY)
    assert totals.funding_velocity == W // 100, "a skew of a tenth of the scale"
    assert totals.accrued_at == NOW
    # Everything else of the market stays.
    moved = {"funding_index": 0, "funding_rate": 0, "funding_limit": 0, "funding_velocity": 0, "accrued_at": 0}
    assert replace(totals, **moved) == replace(state.markets[BTC], **moved)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (Status.UNAVAILABLE, "oracle/unavailable"),
        (Status.NON_POSITIVE, "oracle/non-positive"),
        (Status.OUT_OF_BOUNDS, "oracle/out-of-bounds"),
        (Status.DEVIATED, "oracle/deviated"),
    ],
)
def test_a_market_with_open_interest_needs_its_own_price(status: Status, code: str) -> None:
    """GOV-2, POL-2: and one without, or another market's, does not."""
    for size in (W, -W):
        state = state_with({ACCOUNT: holding(10**4 * W, {}, {BTC: opened(size, BTC_PRICE)})})
        bad = env(ADMIN, btc_status=int(status))
        assert refused(state, bad, SetMarket(BTC, MARKETS[BTC])) == code
        run(state, env(ADMIN, eth_status=int(status)), SetMarket(BTC, MARKETS[BTC]))
        run(state, bad, SetMarket(ETH, MARKETS[ETH]))
    empty = moving(state_with(), BTC, accrued_at=NOW - DAY)
    after = run(empty, env(ADMIN, btc=0, btc_status=int(status)), SetMarket(BTC, MARKETS[BTC])).state
    assert (after.markets[BTC].funding_index, after.markets[BTC].accrued_at) == (0, NOW)


@pytest.mark.parametrize("status", [Status.STALE_SOFT, Status.STALE_HARD])
def test_an_old_price_does_not_stop_a_change(status: Status) -> None:
    """GOV-2, POL-1: funding accrues at the last price."""
    state = state_with({ACCOUNT: holding(10**4 * W, {}, {BTC: opened(W, BTC_PRICE)})})
    run(state, env(ADMIN, btc_status=int(status)), SetMarket(BTC, MARKETS[BTC]))


def test_an_index_that_does_not_fit_is_a_domain_error() -> None:
    """GOV-2, UNIT-3, T9: the accrual is stored, so it is checked."""
    state = with_market(state_with(), BTC, funding_index=INDEX_LIMIT)
    assert refused(state, env(ADMIN), SetMarket(BTC, MARKETS[BTC])) == "sys/domain"


def test_another_length_of_the_window_begins_it_anew() -> None:
    """GOV-2, W1: bucket numbers of two lengths do not compare; with the same length what was closed still counts."""
    used = Window(500, ((NOW // 112, 0),))
    state = replace(busy(), windows=(used, used))
    same = run(state, env(ADMIN), SetMarket(BTC, replace(MARKETS[BTC], window_notional=7_000 * W))).state
    assert same.windows == (used, used)
    other = run(state, env(ADMIN), SetMarket(BTC, replace(MARKETS[BTC], window=7_200))).state
    assert other.windows == (EMPTY_WINDOW, used)


def test_nothing_is_listed_before_the_first_risk_parameters() -> None:
    """GOV-2, GOV-3, GOV-5: without a phase-in a stricter rate would bind in its own block. The role comes first."""
    state = genesis(ADMIN, GUARDIAN, 2)
    listings = (SetMarket(0, MARKETS[BTC]), SetMarket(9, MARKETS[BTC]), SetCollateral(WETH, weth_params()))
    for action in listings:
        assert refused(state, env(STRANGER), action) == "role/not-admin"
        assert refused(state, env(ADMIN), action) == "config/risk"
    state = run(state, env(ADMIN), SetRisk(RISK)).state
    run(state, env(ADMIN), listings[0])
    run(state, env(ADMIN), listings[2])


def test_markets_are_listed_one_by_one_up_to_the_limit() -> None:
    """GOV-2, S7: no gap, and no more than 32."""
    state = replace(genesis(ADMIN, GUARDIAN, 1), risk=RISK)
    assert refused(state, env(ADMIN), SetMarket(1, MARKETS[BTC])) == "config/listing"
    for market in range(32):
        assert refused(state, env(ADMIN), SetMarket(market + 1, MARKETS[BTC])) == "config/listing"
        state = run(state, env(ADMIN), SetMarket(market, MARKETS[BTC])).state
    assert len(state.markets) == 32
    assert refused(state, env(ADMIN), SetMarket(32, MARKETS[BTC])) == "config/listing"
    assert refused(state, env(ADMIN), SetMarket(2**256 - 1, MARKETS[BTC])) == "config/listing"
    run(state, env(ADMIN), SetMarket(31, replace(MARKETS[BTC], taker_fee=W // 100)))


def attempt_market(
    sender: int = ADMIN, feed: int = 0, lower: int = 0, rate: int = W // 40, market: int = 2, cap: int = 0
) -> str:
    """A new market."""
    params = replace(MARKETS[BTC], feed=feed, funding_cap=cap, brackets=(MarginBracket(lower, rate, W // 20),))
    return outcome_of(busy(), env(sender), SetMarket(market, params))


def test_a_market_is_checked_in_order() -> None:
    """GOV-2: the role, the parameters, then the id."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("role/not-admin", {"sender": GUARDIAN}),
        ("config/market", {"feed": 2**16}),
        ("config/funding", {"cap": W + 1}),
        ("config/brackets", {"lower": 1}),
        ("config/margin-rates", {"rate": 0}),
        ("config/listing", {"market": 3}),
    ]
    check_order_of(faults, attempt_market)


def attempt_change(
    feed: int = 0, lot: int = W // 1_000, rate: int = W // 40, status: int = 0, index: int = 0, until: int = NOW + 1
) -> str:
    """New parameters for a listed market with open interest, in the middle of a phase."""
    rows = (MarginBracket(0, rate, W // 20), *MARKETS[BTC].brackets[1:])
    params = replace(MARKETS[BTC], feed=feed, lot=lot, brackets=rows)
    state = with_market(busy(), BTC, funding_index=index)
    state = replace(state, market_phases=(MarketPhase(until, (), 0), state.market_phases[ETH]))
    state = with_params(state, BTC, taker_fee=7)
    return outcome_of(state, env(ADMIN, btc_status=status), SetMarket(BTC, params))


def test_a_change_of_a_market_is_checked_in_order() -> None:
    """GOV-2, GOV-5: feed and lot, then the phase, then the price, then what the accrual stores."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("config/listing", {"feed": 1}),
        ("config/listing", {"lot": W // 500}),
        ("config/phase-in", {"rate": W // 40 + 1}),
        ("oracle/halted", {"status": int(Status.HALTED)}),
        ("sys/domain", {"index": INDEX_LIMIT}),
    ]
    check_order_of(faults, attempt_change)


# --- collateral: GOV-3 ----------------------------------------------------------------------------------------------


def vault_of(tokens: int, listed: int = 0) -> State:
    """A vault over token contracts, some of them listed."""
    collateral = (weth_params(),) * listed
    return replace(state_with(collateral=collateral), tokens=(Token(0, 0),) * tokens)


def test_the_next_token_is_listed() -> None:
    """GOV-3: id 1 first; the token contracts themselves are fixed at deployment."""
    outcome = run(vault_of(3), env(ADMIN), SetCollateral(1, weth_params()))
    assert outcome.events == (CollateralSet(1, weth_params(), 0),)
    assert outcome.state.collateral_phases == (CollateralPhase(0, (), 0),)
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


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "ok"),
        ({"decimals": 17}, "config/listing"),
        ({"decimals": 19}, "config/listing"),
        ({"feed": 9}, "config/listing"),
        ({"account_cap": 0, "global_cap": 0}, "ok"),
        ({"brackets": (HaircutBracket(0, 0, 0),)}, "ok"),
    ],
)
def test_the_decimals_and_the_feed_of_a_listed_token_never_change(changes: dict[str, Any], code: str) -> None:
    """GOV-3, B25, B44: everything else of it may, down to counting for nothing; a new token chooses freely."""
    state = vault_of(3, listed=1)
    params = replace(weth_params(), **changes)
    assert outcome_of(state, env(ADMIN), SetCollateral(1, params)) == code
    assert outcome_of(state, env(ADMIN), SetCollateral(2, params)) == "ok"
    if code == "ok":
        assert run(state, env(ADMIN), SetCollateral(1, params)).state.collateral_params == (params,)


def test_each_token_has_its_own_parameters() -> None:
    """GOV-3: of two listed tokens, each keeps its own decimals, and a change of one leaves the other."""
    other = replace(weth_params(), decimals=8)
    state = replace(vault_of(3, listed=2), collateral_params=(weth_params(), other))
    for token, decimals, code in ((1, 18, "ok"), (1, 8, "config/listing"), (2, 8, "ok"), (2, 18, "config/listing")):
        action = SetCollateral(token, replace(weth_params(), decimals=decimals, account_cap=7))
        assert outcome_of(state, env(ADMIN), action) == code
    after = run(state, env(ADMIN), SetCollateral(1, replace(weth_params(), account_cap=7))).state
    assert after.collateral_params == (replace(weth_params(), account_cap=7), other)


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
    sender: int = ADMIN,
    feed: int = ETH,
    lower: int = 0,
    im: int = W * 80 // 100,
    token: int = 1,
    decimals: int = 18,
    mm: int = W * 9 // 10,
) -> str:
    """New parameters for a listed token, in the middle of a phase."""
    rows = (HaircutBracket(lower, mm, im), *weth_params().brackets[1:])
    params = replace(weth_params(), feed=feed, decimals=decimals, brackets=rows)
    state = replace(vault_of(3, listed=1), collateral_phases=(CollateralPhase(NOW + 1, (), 0),))
    return outcome_of(state, env(sender), SetCollateral(token, params))


def test_a_collateral_is_checked_in_order() -> None:
    """GOV-3, GOV-5: the role, the parameters, the id, decimals and feed, then the phase."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("role/not-admin", {"sender": GUARDIAN}),
        ("config/haircuts", {"feed": 2**16}),
        ("config/brackets", {"lower": 1}),
        ("config/haircuts", {"im": W * 95 // 100}),
        ("config/listing", {"token": 3}),
        ("config/listing", {"decimals": 6}),
        ("config/phase-in", {"mm": W * 8 // 10}),
    ]
    check_order_of(faults, attempt_collateral)


# --- the phase-in: GOV-5 --------------------------------------------------------------------------------------------

ROWS = MARKETS[BTC].brackets
WEIGHTS = weth_params().brackets
STRICTER = (replace(ROWS[0], mm_rate=W * 26 // 1_000), *ROWS[1:])
LAXER = (replace(ROWS[0], mm_rate=W // 50), *ROWS[1:])


@pytest.mark.parametrize(
    ("rows", "phased"),
    [
        (ROWS, False),
        (STRICTER, True),
        (LAXER, True),
        (ROWS[:3], True),
        ((*ROWS, MarginBracket(30 * 10**6 * W, W // 5, W // 2)), True),
        ((ROWS[0], replace(ROWS[1], lower=ROWS[1].lower + 1), *ROWS[2:]), True),
        # Initial rates are not phased in.
        ((replace(ROWS[0], im_rate=W // 19), *ROWS[1:]), False),
    ],
)
def test_a_change_of_maintenance_rates_begins_a_phase(rows: tuple[MarginBracket, ...], phased: bool) -> None:
    """GOV-5, S10: any rate, border or number of brackets; the former ones hold beside them for the phase-in."""
    outcome = run(busy(), env(ADMIN), SetMarket(BTC, replace(MARKETS[BTC], brackets=rows)))
    phase = MarketPhase(NOW + DAY, ROWS, MARKETS[BTC].ceiling) if phased else MarketPhase(0, (), 0)
    assert outcome.state.market_phases == (phase, MarketPhase(0, (), 0))
    assert outcome.state.market_params[BTC].brackets == rows
    assert outcome.events[-1] == MarketSet(BTC, outcome.state.market_params[BTC], phase.until)


@pytest.mark.parametrize(("now", "code"), [(NOW + DAY - 1, "config/phase-in"), (NOW + DAY, "ok")])
def test_another_change_waits_for_the_phase_before(now: int, code: str) -> None:
    """GOV-5, B39: no phase is cut short, to the second; then the new one starts from the rates now in force."""
    state = run(busy(), env(ADMIN), SetMarket(BTC, replace(MARKETS[BTC], brackets=STRICTER))).state
    action = SetMarket(BTC, replace(MARKETS[BTC], brackets=LAXER))
    assert outcome_of(state, env(ADMIN, now=now), action) == code
    if code == "ok":
        phase = MarketPhase(now + DAY, STRICTER, MARKETS[BTC].ceiling)
        assert run(state, env(ADMIN, now=now), action).state.market_phases[BTC] == phase
    else:
        with pytest.raises(Refusal) as refusal:
            apply(state, env(ADMIN, now=now), action)
        assert refusal.value.facts == {"until": NOW + DAY}
    # Back to the rates before is a change like any other, and other markets do not wait.
    assert outcome_of(state, env(ADMIN, now=now), SetMarket(BTC, MARKETS[BTC])) == code
    wider = replace(MARKETS[ETH], brackets=MARKETS[ETH].brackets[:1])
    assert outcome_of(state, env(ADMIN, now=now), SetMarket(ETH, wider)) == "ok"


@pytest.mark.parametrize("now", [NOW, NOW + DAY - 1, NOW + DAY, NOW + 2 * DAY])
def test_what_changes_no_maintenance_rate_leaves_a_phase_as_it_is(now: int) -> None:
    """GOV-5: fees, caps and initial rates can change in the middle, and the phase goes on."""
    state = run(busy(), env(ADMIN), SetMarket(BTC, replace(MARKETS[BTC], brackets=STRICTER))).state
    rows = tuple(replace(row, im_rate=row.im_rate + 1) for row in STRICTER)
    outcome = run(state, env(ADMIN, now=now), SetMarket(BTC, replace(MARKETS[BTC], brackets=rows, oi_cap=0)))
    assert outcome.state.market_phases == state.market_phases
    assert outcome.events[-1] == MarketSet(BTC, outcome.state.market_params[BTC], NOW + DAY)


@pytest.mark.parametrize(
    ("rows", "phased"),
    [
        (WEIGHTS, False),
        (tuple(replace(row, mm_weight=row.mm_weight - 1) for row in WEIGHTS), True),
        ((replace(WEIGHTS[0], mm_weight=W * 95 // 100), *WEIGHTS[1:]), True),
        (WEIGHTS[:2], True),
        ((WEIGHTS[0], replace(WEIGHTS[1], lower=WEIGHTS[1].lower - 1), WEIGHTS[2]), True),
        (tuple(replace(row, im_weight=0) for row in WEIGHTS), False),
    ],
)
def test_a_change_of_maintenance_weights_begins_a_phase(rows: tuple[HaircutBracket, ...], phased: bool) -> None:
    """GOV-5, GOV-3, COL-3: any weight, border or number of brackets; initial weights change at once."""
    params = replace(weth_params(), brackets=rows)
    outcome = run(busy(), env(ADMIN), SetCollateral(WETH, params))
    phase = CollateralPhase(NOW + DAY, WEIGHTS, weth_params().ceiling) if phased else CollateralPhase(0, (), 0)
    assert outcome.state.collateral_phases == (phase,)
    assert outcome.events == (CollateralSet(WETH, params, phase.until),)


@pytest.mark.parametrize(("now", "code"), [(NOW + DAY - 1, "config/phase-in"), (NOW + DAY, "ok")])
def test_another_change_of_weights_waits_for_the_phase_before(now: int, code: str) -> None:
    """GOV-5: to the second; what changes no maintenance weight does not wait and leaves the phase."""
    lower = replace(weth_params(), brackets=(HaircutBracket(0, W // 2, W // 4),))
    state = run(busy(), env(ADMIN), SetCollateral(WETH, lower)).state
    assert outcome_of(state, env(ADMIN, now=now), SetCollateral(WETH, weth_params())) == code
    if code == "ok":
        after = run(state, env(ADMIN, now=now), SetCollateral(WETH, weth_params())).state
        assert after.collateral_phases == (CollateralPhase(now + DAY, lower.brackets, lower.ceiling),)
    else:
        with pytest.raises(Refusal) as refusal:
            apply(state, env(ADMIN, now=now), SetCollateral(WETH, weth_params()))
        assert refusal.value.facts == {"until": NOW + DAY}
    capped = replace(lower, account_cap=0, brackets=(HaircutBracket(0, W // 2, 0),))
    outcome = run(state, env(ADMIN, now=now), SetCollateral(WETH, capped))
    assert outcome.state.collateral_phases == state.collateral_phases
    assert outcome.events == (CollateralSet(WETH, capped, NOW + DAY),)


@pytest.mark.parametrize("ceiling", [1, 2**96 - 1])
def test_a_change_of_a_ceiling_begins_a_phase(ceiling: int) -> None:
    """GOV-5, MRG-14, S10: either way, of a market and of a collateral; another one waits, and the former one stays."""
    market, collateral = replace(MARKETS[BTC], ceiling=ceiling), replace(weth_params(), ceiling=ceiling)
    state = run(busy(), env(ADMIN), SetMarket(BTC, market)).state
    state = run(state, env(ADMIN), SetCollateral(WETH, collateral)).state
    assert state.market_phases[BTC] == MarketPhase(NOW + DAY, ROWS, MARKETS[BTC].ceiling)
    assert state.collateral_phases[WETH - 1] == CollateralPhase(NOW + DAY, WEIGHTS, weth_params().ceiling)
    late = env(ADMIN, now=NOW + DAY - 1)
    assert outcome_of(state, late, SetMarket(BTC, replace(market, ceiling=2))) == "config/phase-in"
    assert outcome_of(state, late, SetCollateral(WETH, replace(collateral, ceiling=2))) == "config/phase-in"
    for params, phase in ((market, state.market_phases[BTC]), (collateral, state.collateral_phases[WETH - 1])):
        former = 16_000 * W if params is market else 400 * W
        assert compute_ceiling(params.ceiling, phase.ceiling, phase.until, NOW + DAY - 1) == max(ceiling, former)
        assert compute_ceiling(params.ceiling, phase.ceiling, phase.until, NOW + DAY) == ceiling


def test_the_phase_in_is_the_one_in_force() -> None:
    """GOV-5: of markets and collaterals; changed before, it holds for the next change."""
    hasty = replace(busy(), risk=with_risk(phase_in=7))
    after = run(hasty, env(ADMIN), SetMarket(BTC, replace(MARKETS[BTC], brackets=STRICTER))).state
    assert after.market_phases[BTC].until == NOW + 7
    lower = replace(weth_params(), brackets=(HaircutBracket(0, W // 2, W // 4),))
    assert run(hasty, env(ADMIN), SetCollateral(WETH, lower)).state.collateral_phases[0].until == NOW + 7


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


# --- roles: GOV-6 and GOV-7 -----------------------------------------------------------------------------------------


def test_a_new_admin_must_accept() -> None:
    """GOV-6, S11: nothing changes with the proposal; with the acceptance everything does, and no proposal is left."""
    state = busy()
    proposed = run(state, env(ADMIN), ProposeAdmin(STRANGER))
    assert proposed.events == (RolesSet(ADMIN, STRANGER, GUARDIAN),)
    assert proposed.state == replace(state, roles=Roles(ADMIN, STRANGER, GUARDIAN))
    run(proposed.state, env(ADMIN), SetRisk(RISK))
    accepted = run(proposed.state, env(STRANGER), AcceptAdmin())
    assert accepted.events == (RolesSet(STRANGER, 0, GUARDIAN),)
    assert accepted.state == replace(state, roles=Roles(STRANGER, 0, GUARDIAN))
    assert refused(accepted.state, env(ADMIN), SetRisk(RISK)) == "role/not-admin"
    run(accepted.state, env(STRANGER), SetRisk(RISK))
    assert refused(accepted.state, env(STRANGER), AcceptAdmin()) == "role/not-pending"


@pytest.mark.parametrize("sender", [ADMIN, GUARDIAN, BORROWER])
def test_only_the_proposed_admin_accepts(sender: int) -> None:
    """GOV-6, S8: not even the admin who proposed; and nobody while no one is proposed."""
    proposed = run(busy(), env(ADMIN), ProposeAdmin(STRANGER)).state
    assert refused(proposed, env(sender), AcceptAdmin()) == "role/not-pending"
    assert refused(busy(), env(sender), AcceptAdmin()) == "role/not-pending"


def test_another_proposal_replaces_the_first_and_zero_withdraws_it() -> None:
    """GOV-6, B41: the last word counts."""
    state = run(busy(), env(ADMIN), ProposeAdmin(STRANGER)).state
    other = run(state, env(ADMIN), ProposeAdmin(BORROWER)).state
    assert refused(other, env(STRANGER), AcceptAdmin()) == "role/not-pending"
    run(other, env(BORROWER), AcceptAdmin())
    nobody = run(other, env(ADMIN), ProposeAdmin(0)).state
    assert nobody == busy()
    assert refused(nobody, env(BORROWER), AcceptAdmin()) == "role/not-pending"


def test_the_admin_names_the_guardian_at_once() -> None:
    """GOV-7, S11: the old one can stop nothing any more, and a proposal stays."""
    state = run(busy(), env(ADMIN), ProposeAdmin(STRANGER)).state
    outcome = run(state, env(ADMIN), SetGuardian(BORROWER))
    assert outcome.events == (RolesSet(ADMIN, STRANGER, BORROWER),)
    assert outcome.state == replace(state, roles=Roles(ADMIN, STRANGER, BORROWER))
    assert refused(outcome.state, env(GUARDIAN), PauseOpening(True)) == "role/not-guardian"
    run(outcome.state, env(BORROWER), PauseOpening(True))


def test_no_role_can_move_funds() -> None:
    """S11: whatever admin and guardian do, every balance, position and ledger stays."""
    state = busy()
    for sender, action in (
        (ADMIN, SetRisk(with_risk(keeper_reserve=W, debt_cap=0))),
        (ADMIN, SetMarket(BTC, replace(MARKETS[BTC], brackets=STRICTER, oi_cap=0))),
        (ADMIN, SetCollateral(WETH, replace(weth_params(), brackets=(HaircutBracket(0, 0, 0),)))),
        (ADMIN, ProposeAdmin(STRANGER)),
        (STRANGER, AcceptAdmin()),
        (STRANGER, SetGuardian(STRANGER)),
        (STRANGER, PauseOpening(True)),
    ):
        after = run(state, env(sender), action).state
        for kept in ("accounts", "tokens", "ledger", "stakes"):
            assert getattr(after, kept) == getattr(state, kept)
        state = after
