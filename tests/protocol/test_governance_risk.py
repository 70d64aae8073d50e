"""New risk parameters: what they replace, what of them waits, and that they fit all that is listed (GOV-1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.actions import SetCollateral, SetMarket, SetRisk
from protocol.errors import Refusal
from protocol.events import RiskSet
from protocol.governance import compute_phase_in
from protocol.params import EquityTier, HaircutBracket, MarginBracket
from protocol.state import CollateralPhase, MarketPhase, RiskPhase
from protocol.transition import apply
from protocol.units import DAY, W
from tests.protocol.build import (
    ADMIN,
    BTC,
    ETH,
    GUARDIAN,
    MARKETS,
    NOW,
    WETH,
    check_order_of,
    env,
    outcome_of,
    refused,
    run,
    state_with,
    with_risk,
)
from tests.protocol.governing import busy
from tests.twins import weth_params


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
