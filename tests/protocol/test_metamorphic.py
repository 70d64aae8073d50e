"""Metamorphic pairs: two stories alike but for who else is there, order, date or scale; and one that is dearer."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.actions import Deposit, Liquidate, SetMarket, Trade
from protocol.codec import digest
from protocol.params import EquityTier
from protocol.records import Table
from protocol.state import EMPTY_MARKET, EMPTY_WINDOW, INSTANT, MarketPhase, State, Window, account_id
from protocol.units import W
from tests.protocol.build import (
    ACCOUNT,
    ANY_PRICE,
    BORROWER,
    BTC,
    BTC_PRICE,
    ETH,
    KEEPER,
    LIQUIDATOR,
    MARKETS,
    NOW,
    STRANGER,
    TRADER,
    env,
    holding,
    refused,
    run,
    state_with,
    with_risk,
)
from tests.protocol.examples import EXAMPLES, NAMES
from tests.protocol.strategies import UNLISTED, busy


@pytest.mark.parametrize(("sender", "action"), EXAMPLES, ids=NAMES)
def test_an_idle_account_and_market_change_nothing(sender: int, action: Any) -> None:
    """X7, M7, M9: an account and a market more give the same events and the same other records."""
    state = busy()
    if isinstance(action, SetMarket) and action.market == UNLISTED:
        return
    idle = replace(
        state,
        accounts=state.accounts.put(account_id(0xDD), holding(0)),
        market_params=(*state.market_params, MARKETS[ETH]),
        market_phases=(*state.market_phases, MarketPhase(0, (), 0)),
        order_params=(*state.order_params, INSTANT),
        markets=(*state.markets, EMPTY_MARKET),
        windows=(*state.windows, EMPTY_WINDOW),
    )
    plain, with_idle = run(state, env(sender), action), run(idle, env(sender), action)
    assert with_idle.events == plain.events
    assert with_idle.state.ledger == plain.state.ledger
    for key, account in plain.state.accounts.items():
        assert with_idle.state.accounts[key] == account


def later(state: State, shift: int) -> State:
    """The same state in another epoch: every time in it moved, where there is one."""

    def moved(time: int) -> int:
        return time + shift if time else 0

    def moved_bucket(market: int, number: int) -> int:
        return number + shift // (state.market_params[market].window // 32)

    accounts = {
        key: replace(
            account,
            flagged_at=moved(account.flagged_at),
            margin_called_at=moved(account.margin_called_at),
            orders={
                market: replace(order, settles_from=order.settles_from + shift, expires_at=order.expires_at + shift)
                for market, order in account.orders.items()
            },
        )
        for key, account in state.accounts.items()
    }
    return replace(
        state,
        accounts=Table(accounts),
        risk_phase=replace(state.risk_phase, until=moved(state.risk_phase.until)),
        market_phases=tuple(replace(phase, until=moved(phase.until)) for phase in state.market_phases),
        collateral_phases=tuple(replace(phase, until=moved(phase.until)) for phase in state.collateral_phases),
        markets=tuple(replace(market, accrued_at=moved(market.accrued_at)) for market in state.markets),
        windows=tuple(
            Window(window.closed, tuple((moved_bucket(market, number), amount) for number, amount in window.entries))
            for market, window in enumerate(state.windows)
        ),
        stakes=Table(
            {owner: replace(stake, claimable_at=moved(stake.claimable_at)) for owner, stake in state.stakes.items()}
        ),
    )


@pytest.mark.parametrize("shift", [-11_200, 112, 112 * 10**7])
@pytest.mark.parametrize(("sender", "action"), EXAMPLES, ids=NAMES)
def test_no_rule_reads_the_date(sender: int, action: Any, shift: int) -> None:
    """X11: only the time between two moments matters; all moments shifted give the same result, shifted."""
    first, other = run(busy(), env(sender), action), run(later(busy(), shift), env(sender, now=NOW + shift), action)
    assert other.state == later(first.state, shift)
    assert [type(event) for event in other.events] == [type(event) for event in first.events]


def test_the_order_of_registration_changes_no_balance() -> None:
    """X4: accounts registered in any order do the same with the same trades."""
    owners = (BORROWER, TRADER, STRANGER)
    ends = []
    for order in itertools.permutations(owners):
        state = state_with(pool=10**6 * W)
        for owner in order:
            state = run(state, env(owner), Deposit(account_id(owner), 0, 10**9)).state
        for owner in owners:
            state = run(state, env(owner), Trade(account_id(owner), BTC, W, ANY_PRICE)).state
        ends.append(state)
    assert all(end == ends[0] for end in ends), "tables compare without order"
    assert len({digest(end) for end in ends}) == 6, "digests tell the order of registration"


def test_a_table_in_a_state_is_found_by_its_key() -> None:
    """X4: accounts are looked up by id, whatever their order."""
    state = replace(busy(), accounts=Table(dict(reversed(list(busy().accounts.items())))))
    assert run(state, env(), Deposit(ACCOUNT, 0, 1)).events == run(busy(), env(), Deposit(ACCOUNT, 0, 1)).events
    assert refused(state, env(), Liquidate(KEEPER)) == "account/unknown"


@pytest.mark.parametrize("scale", [10**3, 10**6], ids=["thousand", "million"])
def test_sizes_and_dollars_scale_together(scale: int) -> None:
    """X5: all sizes, scales and dollars a thousandfold give a thousandfold result where no rounding occurs."""

    def story(k: int) -> State:
        risk = with_risk(
            keeper_reserve=0,
            fixed_reward=0,
            max_reward=10**9 * W,
            debt_cap=10**9 * W,
            equity_tiers=(EquityTier(0, 20 * W),),
        )
        flat = tuple(
            replace(
                market,
                brackets=market.brackets[:1],
                lot=market.lot * k,
                skew_scale=market.skew_scale * k,
                skew_cap=market.skew_cap * k,
                oi_cap=market.oi_cap * k,
                oi_cap_usd=10**16 * W,
                oi_lower=0,
                oi_upper=0,
                window=0,
            )
            for market in MARKETS
        )
        state = state_with(pool=10**6 * W * k, risk=risk, markets=flat)
        state = run(state, env(), Deposit(ACCOUNT, 0, 10**9 * k)).state
        state = run(state, env(), Trade(ACCOUNT, BTC, 2 * W * k, ANY_PRICE)).state
        state = run(state, env(btc=8_200 * W), Trade(ACCOUNT, BTC, -W * k, 0)).state
        return run(state, env(LIQUIDATOR, btc=6_960 * W), Liquidate(ACCOUNT)).state

    one, many = story(1), story(scale)
    assert 0 < one.accounts[ACCOUNT].positions[BTC].size < W, "a partial close"
    assert many.accounts[ACCOUNT].positions[BTC].size == one.accounts[ACCOUNT].positions[BTC].size * scale
    for key, account in one.accounts.items():
        assert many.accounts[key].cash == account.cash * scale
    for field in ("pool", "insurance", "reserved"):
        assert getattr(many.ledger, field) == getattr(one.ledger, field) * scale


@given(
    size=st.integers(-2_000, 2_000).filter(lambda lots: abs(lots) >= 125),
    part=st.integers(1, 2_000),
    price=st.integers(7_900, 8_100),
    fees=st.tuples(st.integers(0, 50), st.integers(0, 50)),
    scales=st.tuples(st.integers(1, 10**4), st.integers(1, 10**4)),
)
def test_dearer_parameters_never_improve_a_trade_and_its_end(
    size: int, part: int, price: int, fees: tuple[int, int], scales: tuple[int, int]
) -> None:
    """N5, T5: opened in one block and closed in parts at another price: never better off with a higher fee or impact.

    Two roundings of an impact and its rebate at each of the three fills can differ by a wei each.
    """
    first = min(part, abs(size) - 1) * (-1 if size > 0 else 1)
    results = []
    for fee, scale in zip(sorted(fees), sorted(scales, reverse=True), strict=True):
        dear = replace(
            MARKETS[BTC],
            maker_fee=fee * W // 10**4,
            taker_fee=fee * W // 10**4,
            skew_scale=scale * W,
            max_premium=10**4,
        )
        dear = replace(dear, min_notional=1, skew_cap=10**4 * W)
        state = state_with({ACCOUNT: holding(10**6 * W)}, pool=10**7 * W, markets=(dear, MARKETS[ETH]))
        for delta, at in ((size, BTC_PRICE), (first, price * W), (-size - first, price * W)):
            limit = ANY_PRICE if delta > 0 else 0
            state = run(state, env(btc=at), Trade(ACCOUNT, BTC, delta * W // 1_000, limit)).state
        results.append(state.accounts[ACCOUNT].cash)
        if price == 8_000:
            assert results[-1] <= 10**6 * W, "a round trip at one price never gains"
    assert results[1] <= results[0] + 6
