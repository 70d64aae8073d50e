"""A change of parameters makes nobody liquidatable before its time: each account has the whole phase-in to react."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.actions import Liquidate, SetCollateral, SetMarket, SetRisk
from protocol.env import Env
from protocol.errors import Refusal
from protocol.margin import Health, compute_health, is_liquidatable
from protocol.params import HaircutBracket, MarginBracket
from protocol.state import State
from protocol.transition import apply
from protocol.units import DAY, W
from tests.protocol.build import (
    ACCOUNT,
    ADMIN,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    LIQUIDATOR,
    MARKETS,
    NOW,
    QUIET_MARKETS,
    WETH,
    env,
    holding,
    opened,
    refused,
    run,
    state_with,
    with_risk,
)
from tests.protocol.strategies import haircut_rows, margin_rows
from tests.twins import RISK, weth_params

DEARER = (MarginBracket(0, W // 10, W // 5),)
NOTHING_COUNTS = (HaircutBracket(0, 0, 0),)
CHANGES = {
    "rates": SetMarket(BTC, replace(QUIET_MARKETS[BTC], brackets=DEARER)),
    "weights": SetCollateral(WETH, replace(weth_params(), brackets=NOTHING_COUNTS)),
    "reserve": SetRisk(with_risk(keeper_reserve=1_000 * W)),
}


def at_maintenance(wei: int = 0) -> State:
    """An account that stands exactly at its maintenance margin, or some wei from it."""
    # 1 BTC needs 200 and the reserve of 10; one WETH of 200 counts 180.
    account = holding(30 * W + wei, {WETH: 10**18}, {BTC: opened(W, BTC_PRICE)})
    return state_with({ACCOUNT: account}, pool=10**6 * W, insurance=10**4 * W, markets=QUIET_MARKETS)


def health_at(state: State, now: int) -> Health:
    """The account's health at unchanged prices."""
    return compute_health(state, state.accounts[ACCOUNT], env(now=now))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_an_account_at_its_border_has_the_whole_phase_in(change: Any) -> None:
    """GOV-1, GOV-5, MRG-5, MRG-8, COL-3, B39, S10: it is safe to the last second, and then it is not."""
    state = run(at_maintenance(), env(ADMIN), change).state
    for now in (NOW, NOW + 1, NOW + DAY - 1):
        assert refused(state, env(LIQUIDATOR, now=now), Liquidate(ACCOUNT)) == "liq/not-liquidatable"
    run(state, env(LIQUIDATOR, now=NOW + DAY), Liquidate(ACCOUNT))
    # A wei below, nothing saves it.
    below = run(at_maintenance(-1), env(ADMIN), change).state
    run(below, env(LIQUIDATOR), Liquidate(ACCOUNT))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_adds_risk_meets_the_new_parameters_at_once(change: Any) -> None:
    """GOV-5, M1: initial rates and weights are not phased in; the reserve is, in both margins."""
    before = health_at(at_maintenance(), NOW)
    after = health_at(run(at_maintenance(), env(ADMIN), change).state, NOW)
    room = after.equity_im - after.initial_margin - (before.equity_im - before.initial_margin)
    assert room == (0 if isinstance(change, SetRisk) else -170 * W if isinstance(change, SetCollateral) else -1_200 * W)


ACTIONS = st.one_of(
    st.builds(
        lambda reserve, phase_in: SetRisk(with_risk(keeper_reserve=reserve * W, phase_in=phase_in)),
        st.integers(0, 30),
        st.sampled_from((0, 1, 60, DAY, 2 * DAY)),
    ),
    st.builds(
        lambda market, rows: SetMarket(market, replace(QUIET_MARKETS[market], brackets=rows)),
        st.sampled_from((BTC, ETH)),
        margin_rows() | st.sampled_from((DEARER, MARKETS[BTC].brackets)),
    ),
    st.builds(
        lambda rows: SetCollateral(WETH, replace(weth_params(), brackets=rows)),
        haircut_rows() | st.sampled_from((NOTHING_COUNTS, weth_params().brackets)),
    ),
)
STEPS = st.lists(st.tuples(ACTIONS, st.integers(0, DAY // 3)), min_size=1, max_size=5)


def after_step(state: State, surroundings: Env, action: Any) -> State:
    """The state after an action, or as it was if it is refused."""
    try:
        return apply(state, surroundings, action).state
    except Refusal:
        return state


@given(
    steps=STEPS,
    cash=st.integers(-(10**6), 10**6),
    weth=st.integers(0, 10**4),
    sizes=st.tuples(st.integers(-3_000, 3_000), st.integers(-(10**5), 10**5)),
)
def test_no_changes_within_a_phase_in_make_an_account_liquidatable(
    steps: list[tuple[Any, int]], cash: int, weth: int, sizes: tuple[int, int]
) -> None:
    """GOV-1, GOV-5, B39, I3, S10: whatever the admin does in a day, maintenance asks no more than before it.

    Not in the block of a change and not later within the phase-in that was in force before the first one.
    """
    positions = {
        market: opened(size * W // 10, price)
        for market, size, price in ((BTC, sizes[0], BTC_PRICE), (ETH, sizes[1], ETH_PRICE))
        if size
    }
    account = holding(cash * W, {WETH: weth * 10**18} if weth else {}, positions)
    state = state_with({ACCOUNT: account}, pool=10**9 * W, markets=QUIET_MARKETS)
    before = health_at(state, NOW)
    now = NOW
    for action, wait in steps:
        now = min(now + wait, NOW + DAY - 1)
        state = after_step(state, env(ADMIN, now=now), action)
        for moment in (now, NOW + DAY - 1):
            health = health_at(state, moment)
            assert health.equity_mm >= before.equity_mm
            assert health.maintenance_margin <= before.maintenance_margin
            assert is_liquidatable(before) or not is_liquidatable(health)


@given(rows=margin_rows(), weights=haircut_rows(), reserve=st.integers(0, 30))
def test_after_its_phase_in_a_change_holds_in_full(
    rows: tuple[MarginBracket, ...], weights: tuple[HaircutBracket, ...], reserve: int
) -> None:
    """GOV-5, MRG-5, MRG-8, COL-3: from that second on nothing of the former parameters is left."""
    new_market, new_weth = replace(QUIET_MARKETS[BTC], brackets=rows), replace(weth_params(), brackets=weights)
    new_risk = replace(RISK, keeper_reserve=reserve * W)
    state = at_maintenance()
    for action in (SetMarket(BTC, new_market), SetCollateral(WETH, new_weth), SetRisk(new_risk)):
        state = run(state, env(ADMIN), action).state
    fresh = state_with(
        {ACCOUNT: state.accounts[ACCOUNT]},
        markets=(new_market, QUIET_MARKETS[ETH]),
        collateral=(new_weth,),
        risk=new_risk,
    )
    assert health_at(state, NOW + DAY) == health_at(fresh, NOW + DAY)
