"""Changes of maintenance rates, weights and ceilings begin a phase, and the next one waits for its end (GOV-5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.actions import SetCollateral, SetMarket
from protocol.errors import Refusal
from protocol.events import CollateralSet, MarketSet
from protocol.margin import compute_ceiling
from protocol.params import HaircutBracket, MarginBracket
from protocol.state import CollateralPhase, MarketPhase
from protocol.transition import apply
from protocol.units import DAY, W
from tests.protocol.build import ADMIN, BTC, ETH, MARKETS, NOW, WETH, env, outcome_of, run, with_risk
from tests.protocol.governing import ROWS, STRICTER, busy
from tests.twins import weth_params

WEIGHTS = weth_params().brackets
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
