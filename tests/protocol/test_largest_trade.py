"""The largest trade (VIEW-4), and what holds of it and of what can be withdrawn alike: both limits are tight."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.actions import Trade, Withdraw
from protocol.env import Env, Status
from protocol.state import USDC, State, account_id
from protocol.units import W
from protocol.views import ALLOWED, as_owner, compute_max_size, compute_withdrawable
from tests.protocol.build import (
    ACCOUNT,
    ANY_PRICE,
    BTC,
    BTC_PRICE,
    KEEPER,
    LIQUIDATOR,
    MARKETS,
    QUIET_MARKETS,
    STRANGER,
    WETH,
    env,
    holding,
    opened,
    state_with,
    with_params,
)
from tests.protocol.strategies import CALLED, OTHER, UNDER, Step, busy, play, steps
from tests.protocol.viewing import NO_PRICES, POOL, STALE, code_of


def is_tight(state: State, now: Env, account: int, market: int, is_long: bool) -> int:
    """The largest trade of the view, which is accepted, and one lot more is not."""
    size = compute_max_size(state, now, account, market, is_long)
    lot = MARKETS[market].lot
    sign, price = (1, ANY_PRICE) if is_long else (-1, 0)
    owner = as_owner(now, account)
    assert size % lot == 0
    assert size == 0 or code_of(state, owner, Trade(account, market, sign * size, price)) == ALLOWED
    assert code_of(state, owner, Trade(account, market, sign * (size + lot), price)) != ALLOWED
    return size


def test_the_largest_trade_of_a_flat_account() -> None:
    """VIEW-4: 1,000 dollars: 2.462 BTC without fees, when impact is next to nothing; the same both ways."""
    state = state_with({ACCOUNT: holding(1_000 * W)}, pool=POOL, markets=QUIET_MARKETS)
    for is_long in (True, False):
        # 400 s + 0.4 s^2 + 10 <= 1,000.
        assert is_tight(state, env(STRANGER), ACCOUNT, BTC, is_long) == 2_468 * W // 1_000


@pytest.mark.parametrize(
    ("cash", "size"),
    [
        # At least 1,000 dollars: 0.125 BTC, which need 50 and 10, and 0.00625 of impact.
        (60 * W + W // 100, 125 * W // 1_000),
        (60 * W + W // 200, 0),
    ],
)
def test_an_opening_trade_is_at_least_the_minimum_notional(cash: int, size: int) -> None:
    """VIEW-4, T3: below it there is none."""
    state = state_with({ACCOUNT: holding(cash)}, pool=POOL, markets=QUIET_MARKETS)
    assert is_tight(state, env(), ACCOUNT, BTC, True) == size


def test_against_a_position_the_trade_first_closes_it() -> None:
    """VIEW-4: the close and the largest opening after it; with a pause or too little equity the close alone."""
    account = holding(1_000 * W, {}, {BTC: opened(W, BTC_PRICE)})
    state = state_with({ACCOUNT: account}, pool=POOL, markets=QUIET_MARKETS)
    assert is_tight(state, env(), ACCOUNT, BTC, False) == W + 2_468 * W // 1_000
    assert is_tight(state, env(), ACCOUNT, BTC, True) == 1_469 * W // 1_000
    paused = replace(state, opening_paused=True)
    assert is_tight(paused, env(), ACCOUNT, BTC, False) == W
    assert compute_max_size(paused, env(), ACCOUNT, BTC, True) == 0
    poor = state_with({ACCOUNT: replace(account, cash=30 * W)}, pool=POOL, markets=QUIET_MARKETS)
    assert is_tight(poor, env(), ACCOUNT, BTC, False) == W


def test_no_trade_against_a_position_that_cannot_be_closed() -> None:
    """VIEW-4: an account that is bankrupt by the close, which would cost it health."""
    dear = tuple(replace(market, maker_fee=W // 10, taker_fee=W // 10) for market in MARKETS)
    state = state_with({ACCOUNT: holding(0, {}, {BTC: opened(W, BTC_PRICE)})}, pool=POOL, markets=dear)
    assert compute_max_size(state, env(), ACCOUNT, BTC, False) == 0


@pytest.mark.parametrize(
    ("field", "value", "size"),
    [
        ("oi_cap", 3 * W, 3 * W),
        ("oi_cap_usd", 16_000 * W, 2 * W),
        ("skew_cap", 5 * W, 5 * W),
        # A marginal premium of 0.05 % is that of a mean skew of 5.
        ("max_premium", 5, 10 * W),
    ],
)
def test_the_limits_of_the_market_bind(field: str, value: int, size: int) -> None:
    """VIEW-4, TRD-8, TRD-9: whichever is the first."""
    free = state_with({ACCOUNT: holding(10**7 * W)}, pool=10**9 * W, markets=QUIET_MARKETS)
    state = with_params(free, BTC, **{field: value})
    for is_long in (True, False):
        assert is_tight(state, env(), ACCOUNT, BTC, is_long) == size


@pytest.mark.parametrize(
    ("account", "market", "surroundings"),
    [
        (KEEPER, BTC, env()),
        (ACCOUNT, 2, env()),
        (ACCOUNT, 2**255, env()),
        (ACCOUNT, BTC, NO_PRICES),
        (ACCOUNT, BTC, env(btc=0, btc_status=int(Status.NON_POSITIVE))),
        (ACCOUNT, BTC, env(btc_status=STALE)),
    ],
)
def test_there_is_no_largest_trade_of_nobody_in_nothing_or_without_a_price(
    account: int, market: int, surroundings: Env
) -> None:
    """VIEW-4, S5."""
    state = state_with({ACCOUNT: holding(10**4 * W)}, pool=POOL)
    for is_long in (True, False):
        assert compute_max_size(state, surroundings, account, market, is_long) == 0


# --- with what can be withdrawn: VIEW-3 -----------------------------------------------------------------------------


@given(
    cash=st.integers(0, 10**4),
    more=st.integers(0, 10**4),
    size=st.integers(-1_000, 1_000).filter(lambda lots: lots == 0 or abs(lots) >= 125),
    is_long=st.booleans(),
)
def test_more_cash_never_lowers_what_can_be_withdrawn_or_traded(cash: int, more: int, size: int, is_long: bool) -> None:
    """VIEW-3, VIEW-4, N1, N4: limits are tight and monotone in the account balance."""
    positions = {BTC: opened(size * W // 1_000, BTC_PRICE)} if size else {}
    found = []
    for balance in (cash, cash + more):
        state = state_with({ACCOUNT: holding(balance * W, {WETH: 10**17}, positions)}, pool=POOL)
        found.append(
            [
                *(compute_withdrawable(state, env(), ACCOUNT, token) for token in (USDC, WETH)),
                is_tight(state, env(), ACCOUNT, BTC, is_long),
            ]
        )
    assert all(low <= high for low, high in zip(*found, strict=True))


@given(steps(8))
def test_limits_are_tight_in_any_reachable_state(told: list[Step]) -> None:
    """VIEW-3, VIEW-4, N4, S5, S6: at the end of a story, for every account and token, in a market both ways."""
    *_, (_, surroundings, _, _, state) = play(busy(), told)
    for account in (ACCOUNT, OTHER, CALLED, UNDER, account_id(LIQUIDATOR)):
        owner = as_owner(surroundings, account)
        for token in (USDC, WETH):
            units = compute_withdrawable(state, surroundings, account, token)
            assert units == 0 or code_of(state, owner, Withdraw(account, token, units)) == ALLOWED
            if surroundings.quote(BTC).status == 0:
                assert code_of(state, owner, Withdraw(account, token, units + 1)) != ALLOWED
    for account, is_long in product((ACCOUNT, OTHER), (True, False)):
        size = compute_max_size(state, surroundings, account, BTC, is_long)
        held = state.accounts[account].positions.get(BTC)
        if size or held is None or (held.size > 0) == is_long:
            is_tight(state, surroundings, account, BTC, is_long)
