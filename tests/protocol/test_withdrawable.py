"""What can be withdrawn of a token, against what a withdrawal then does (VIEW-3)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.actions import Withdraw
from protocol.collateral import compute_haircut_values
from protocol.env import Status
from protocol.params import EquityTier, HaircutBracket
from protocol.state import USDC, Account
from protocol.units import USDC_TO_W, W
from protocol.views import ALLOWED, compute_counted_im, compute_withdrawable
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    BTC_PRICE,
    COLLATERAL,
    KEEPER,
    STRANGER,
    WETH,
    env,
    holding,
    opened,
    state_with,
    with_risk,
)
from tests.protocol.viewing import NO_PRICES, POOL, STALE, code_of


@pytest.mark.parametrize(
    ("account", "held", "usdc", "weth"),
    [
        # Nothing at risk: all of it, as far as the vault has it.
        (holding(5 * USDC_TO_W, {WETH: 7}), 0, 5, 7),
        (holding(6 * USDC_TO_W - 1, {WETH: 7}), 0, 5, 7),
        (holding(0), 0, 0, 0),
        # A debtor may take collateral down to what its debt needs at 85 %, and no cash.
        (holding(-1, {WETH: 10**18}), 0, 0, 10**18 - 1),
        (holding(-170 * W, {WETH: 2 * 10**18}), 0, 0, 10**18),
        (holding(-340 * W, {WETH: 2 * 10**18}), 0, 0, 0),
        (holding(-341 * W, {WETH: 2 * 10**18}), 0, 0, 0),
        # 1 BTC needs 410.
        (holding(410 * W, {}, {BTC: opened(W, BTC_PRICE)}), 0, 0, 0),
        (holding(410 * W - 1, {}, {BTC: opened(W, BTC_PRICE)}), 0, 0, 0),
        (holding(411 * W, {}, {BTC: opened(W, BTC_PRICE)}), 0, 10**6, 0),
        (holding(411 * W - 1, {}, {BTC: opened(W, BTC_PRICE)}), 0, 10**6 - 1, 0),
        (holding(300 * W, {WETH: 10**18}, {BTC: opened(W, BTC_PRICE)}), 0, 60 * 10**6, 60 * 10**18 // 170),
        (holding(1_000 * W, {WETH: 10**18}, {BTC: opened(W, BTC_PRICE)}), 0, 760 * 10**6, 10**18),
    ],
)
def test_what_can_be_withdrawn(account: Account, held: int, usdc: int, weth: int) -> None:
    """VIEW-3: worked numbers, each of them tight."""
    state = state_with({ACCOUNT: account}, pool=POOL)
    for token, units in ((USDC, usdc), (WETH, weth)):
        assert compute_withdrawable(state, env(STRANGER), ACCOUNT, token) == units
        assert units == 0 or code_of(state, env(), Withdraw(ACCOUNT, token, units)) == ALLOWED
        assert code_of(state, env(), Withdraw(ACCOUNT, token, units + 1)) != ALLOWED


def test_the_vault_and_the_equity_tiers_limit_what_can_be_withdrawn() -> None:
    """VIEW-3, WDR-5, MRG-9: what the vault does not hold, and what a tier above initial margin needs."""
    short = state_with({ACCOUNT: holding(10 * W)}, deficit=7 * W)
    assert compute_withdrawable(short, env(), ACCOUNT, USDC) == 3 * 10**6
    risk = with_risk(equity_tiers=(EquityTier(0, 10 * W),))
    account = holding(801 * W, {WETH: 10**18}, {BTC: opened(W, BTC_PRICE)})
    tiered = state_with({ACCOUNT: account}, risk=risk)
    assert compute_withdrawable(tiered, env(), ACCOUNT, USDC) == 171 * 10**6
    bare = state_with({ACCOUNT: replace(account, collateral={})}, risk=risk)
    assert compute_withdrawable(bare, env(), ACCOUNT, USDC) == 10**6


@pytest.mark.parametrize(("account", "token"), [(KEEPER, USDC), (ACCOUNT, 2), (ACCOUNT, 2**255), (KEEPER, 9)])
def test_nothing_can_be_withdrawn_of_what_nobody_knows(account: int, token: int) -> None:
    """VIEW-3, S5."""
    assert compute_withdrawable(state_with({ACCOUNT: holding(W)}), env(), account, token) == 0


def test_an_unusable_price_of_a_position_makes_it_nothing_unless_none_is_needed() -> None:
    """VIEW-3, B44: with a position nothing can be withdrawn; without, everything."""
    surroundings = env(btc_status=STALE)
    state = state_with({ACCOUNT: holding(10**4 * W, {WETH: 10}, {BTC: opened(W, BTC_PRICE)})})
    for token in (USDC, WETH):
        assert compute_withdrawable(state, surroundings, ACCOUNT, token) == 0
        assert code_of(state, surroundings, Withdraw(ACCOUNT, token, 1)) == "oracle/stale"
    free = state_with({ACCOUNT: holding(W, {WETH: 10})})
    assert compute_withdrawable(free, NO_PRICES, ACCOUNT, USDC) == 10**6
    assert compute_withdrawable(free, NO_PRICES, ACCOUNT, WETH) == 10


@pytest.mark.parametrize("status", list(Status))
def test_collateral_with_a_faulty_price_is_withdrawable_where_the_rest_is_enough(status: Status) -> None:
    """VIEW-3, MRG-15, M8, N4: all of it then, and of the rest what is above the margin, tight; else nothing."""
    surroundings = env(eth_status=int(status))
    for cash, usdc, weth in ((411 * W + 3, 10**6, 10), (410 * W, 0, 10), (410 * W - 1, 0, 0)):
        state = state_with({ACCOUNT: holding(cash, {WETH: 10}, {BTC: opened(W, BTC_PRICE)})})
        for token, most in ((USDC, usdc), (WETH, weth)):
            assert compute_withdrawable(state, surroundings, ACCOUNT, token) == most
            if most:
                assert code_of(state, surroundings, Withdraw(ACCOUNT, token, most)) == ALLOWED
            assert code_of(state, surroundings, Withdraw(ACCOUNT, token, most + 1)) != ALLOWED


@given(
    cash=st.integers(0, 10**13),
    weth=st.integers(1, 10**23),
    size=st.integers(-(10**5), 10**5).filter(bool),
    price=st.integers(1, 10**24),
    weights=st.tuples(st.integers(0, 90), st.integers(0, 90)),
)
def test_the_withdrawable_collateral_is_tight_across_brackets(
    cash: int, weth: int, size: int, price: int, weights: tuple[int, int]
) -> None:
    """VIEW-3, N4: exact to the unit, where weights fall with the amount and a unit is less than a wei."""
    high, low = max(weights), min(weights)
    rows = (HaircutBracket(0, W * high // 100, W * high // 100), HaircutBracket(1_000, W * low // 100, W * low // 100))
    collateral = (replace(COLLATERAL[0], brackets=rows),)
    account = holding(cash * W, {WETH: weth}, {BTC: opened(size * W // 1_000, BTC_PRICE)})
    state = state_with({ACCOUNT: account}, collateral=collateral, pool=POOL)
    now = env(eth=price)
    units = compute_withdrawable(state, now, ACCOUNT, WETH)
    assert 0 <= units <= weth
    assert units == 0 or code_of(state, now, Withdraw(ACCOUNT, WETH, units)) == ALLOWED
    assert code_of(state, now, Withdraw(ACCOUNT, WETH, units + 1)) != ALLOWED


def test_what_a_collateral_counts_for_is_by_the_weights_for_opening() -> None:
    """VIEW-3, COL-2: those in force now; an unusable price counts as it is in health."""
    state = state_with()
    assert compute_counted_im(state, env(), WETH, 10**18) == 170 * W
    assert compute_counted_im(state, env(), WETH, 0) == compute_counted_im(state, env(eth=0), WETH, 10**18) == 0
    value = 3 * 10**6 * W
    counted = compute_haircut_values(COLLATERAL[0].brackets, value)[1]
    assert compute_counted_im(state, env(eth=value), WETH, 10**18) == counted
