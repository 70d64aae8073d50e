"""The prices at which a position brings its account to liquidation and to bankruptcy (VIEW-5, VIEW-8)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.env import Env
from protocol.funding import project_funding
from protocol.margin import compute_health, compute_pnl, is_liquidatable
from protocol.state import Account, Position, State
from protocol.units import DAY, PRICE_LIMIT, W
from protocol.views import compute_bankruptcy_price, compute_liquidation_price, measure_at
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    KEEPER,
    NOW,
    STRANGER,
    WETH,
    env,
    holding,
    moving,
    opened,
    state_with,
    with_market,
)
from tests.protocol.viewing import POOL


@pytest.mark.parametrize(("account", "market"), [(KEEPER, BTC), (ACCOUNT, ETH), (ACCOUNT, 2), (ACCOUNT, 2**255)])
def test_without_a_position_there_is_neither_price(account: int, market: int) -> None:
    """VIEW-5, VIEW-8, S5."""
    state = state_with({ACCOUNT: holding(W, {}, {BTC: opened(W, BTC_PRICE)})})
    assert compute_liquidation_price(state, env(), account, market) == 0
    assert compute_bankruptcy_price(state, env(), account, market) == 0


# --- liquidation price: VIEW-5 --------------------------------------------------------------------------------------


def is_liquidatable_at(state: State, now: Env, account: int, market: int, price: int) -> bool:
    """Whether the account would be liquidatable at a price of one market, its collateral at the present ones."""
    found = state.accounts[account]
    counted = compute_health(state, replace(found, positions={}), now).equity_mm
    frozen = replace(found, cash=counted, collateral={})
    index, _ = project_funding(state.markets[market], now.quote(market).mid, now.now)
    state = with_market(state, market, funding_index=index, accrued_at=now.now)
    quotes = list(now.quotes)
    quotes[market] = replace(quotes[market], bid=price, mid=price, ask=price)
    return is_liquidatable(compute_health(state, frozen, replace(now, quotes=tuple(quotes))))


@pytest.mark.parametrize(
    ("account", "price"),
    [
        # 1,000 - 8,000 + p < 0.025 p + 10, and mirrored.
        (holding(1_000 * W, {}, {BTC: opened(W, BTC_PRICE)}), 7_010 * W * 1_000 // 975),
        (holding(1_000 * W, {}, {BTC: opened(-W, BTC_PRICE)}), 8_990 * W * 1_000 // 1_025 + 1),
        # Collateral counts at 90 % of 200, and keeps its price.
        (holding(820 * W, {WETH: 10**18}, {BTC: opened(W, BTC_PRICE)}), 7_010 * W * 1_000 // 975),
        # No price liquidates a long whose balance covers its cost and the reserve.
        (holding(8_010 * W, {}, {BTC: opened(W, BTC_PRICE)}), 0),
        # A wei less, and at a price of a wei maintenance of a wei is missing.
        (holding(8_010 * W - 1, {}, {BTC: opened(W, BTC_PRICE)}), 1),
        # A short above 2^96 is beyond every price.
        (holding(2**97, {}, {BTC: Position(-1, 0, 0)}), 0),
        # Beyond saving at any price: the best one for it.
        (holding(-(10**31) * W, {}, {BTC: opened(W, BTC_PRICE)}), PRICE_LIMIT - 1),
        (holding(-9_000 * W, {}, {BTC: opened(-W, BTC_PRICE)}), 0),
    ],
)
def test_the_liquidation_price_of_a_position(account: Account, price: int) -> None:
    """VIEW-5: worked prices, exact to the wei."""
    state = state_with({ACCOUNT: account}, pool=POOL)
    assert compute_liquidation_price(state, env(STRANGER), ACCOUNT, BTC) == price


def test_collateral_keeps_its_price_also_on_the_same_feed() -> None:
    """VIEW-5: a short of ETH against WETH: only the position moves, though one feed prices both."""
    account = holding(0, {WETH: 10**18}, {ETH: opened(-5 * W, ETH_PRICE)})
    state = state_with({ACCOUNT: account}, pool=POOL)
    price = compute_liquidation_price(state, env(), ACCOUNT, ETH)
    # 180 + 1,000 - 5 p < 0.125 p + 10.
    assert price == 1_170 * W * 1_000 // 5_125 + 1
    assert is_liquidatable_at(state, env(), ACCOUNT, ETH, price)
    assert not is_liquidatable_at(state, env(), ACCOUNT, ETH, price - 1)


def test_pending_funding_moves_the_liquidation_price() -> None:
    """VIEW-5, M5: what is owed until now counts, at the present price."""
    state = state_with({ACCOUNT: holding(1_000 * W, {}, {BTC: opened(W, BTC_PRICE)})}, pool=POOL)
    owing = moving(state, BTC, accrued_at=NOW - DAY)
    assert compute_liquidation_price(owing, env(), ACCOUNT, BTC) == 7_090 * W * 1_000 // 975


def test_a_positions_measure_is_profit_less_funding_less_maintenance() -> None:
    """VIEW-5: at any price; 212.50 are maintenance of 8,500."""
    state = state_with()
    assert measure_at(state, env(), BTC, opened(W, BTC_PRICE), 8_500 * W, 7 * W) == (500 - 7) * W - 425 * W // 2
    assert measure_at(state, env(), BTC, opened(-W, BTC_PRICE), 8_500 * W, -7 * W) == (-500 + 7) * W - 425 * W // 2


@given(
    cash=st.integers(-(10**4), 10**5),
    sizes=st.tuples(st.integers(-(10**5), 10**5).filter(bool), st.integers(-100, 100)),
    daily=st.integers(-3, 3),
    market=st.sampled_from((BTC, ETH)),
)
def test_the_liquidation_price_is_the_border_to_the_wei(
    cash: int, sizes: tuple[int, int], daily: int, market: int
) -> None:
    """VIEW-5: at it the account is liquidatable, a wei further on the safe side it is not."""
    positions = {BTC: opened(sizes[0] * W // 1_000, BTC_PRICE)}
    if sizes[1]:
        positions[ETH] = opened(sizes[1] * W, ETH_PRICE)
    base = state_with({ACCOUNT: holding(cash * W, {WETH: 10**18}, positions)}, pool=POOL)
    state = moving(base, BTC, daily * W // 100, accrued_at=NOW - DAY)
    price = compute_liquidation_price(state, env(), ACCOUNT, market)
    if market not in positions:
        assert price == 0
        return
    step = 1 if positions[market].size > 0 else -1
    best = PRICE_LIMIT - 1 if step > 0 else 0
    worst = PRICE_LIMIT - 1 - best
    if is_liquidatable_at(state, env(), ACCOUNT, market, best):
        assert price == best
    elif not is_liquidatable_at(state, env(), ACCOUNT, market, worst):
        assert price == 0
    else:
        assert is_liquidatable_at(state, env(), ACCOUNT, market, price)
        assert not is_liquidatable_at(state, env(), ACCOUNT, market, price + step)


# --- bankruptcy price: VIEW-8 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "price"),
    [
        # 1,000 - 8,000 + p < 0, and 1,000 + 8,000 - p < 0; three BTC in thirds of a dollar.
        (holding(1_000 * W, {}, {BTC: opened(W, BTC_PRICE)}), 7_000 * W - 1),
        (holding(1_000 * W, {}, {BTC: opened(-W, BTC_PRICE)}), 9_000 * W + 1),
        (holding(1_000 * W, {}, {BTC: opened(3 * W, BTC_PRICE)}), 23_000 * W // 3),
        # The account value counts collateral at market, and unrealised profit of another market in full.
        (holding(0, {WETH: 10**18}, {BTC: opened(W, BTC_PRICE)}), 7_800 * W - 1),
        (holding(0, {}, {BTC: opened(W, BTC_PRICE), ETH: opened(5 * W, 100 * W)}), 7_500 * W - 1),
        # Solvent at every price; spent at every price: the best one; a short beyond every price.
        (holding(8_000 * W, {}, {BTC: opened(W, BTC_PRICE)}), 0),
        (holding(-(10**31) * W, {}, {BTC: opened(W, BTC_PRICE)}), PRICE_LIMIT - 1),
        (holding(-9_000 * W, {}, {BTC: opened(-W, BTC_PRICE)}), 0),
        (holding(2**97, {}, {BTC: Position(-1, 0, 0)}), 0),
    ],
)
def test_the_bankruptcy_price_of_a_position(account: Account, price: int) -> None:
    """VIEW-8: worked prices, exact to the wei."""
    state = state_with({ACCOUNT: account}, pool=POOL)
    assert compute_bankruptcy_price(state, env(STRANGER), ACCOUNT, BTC) == price


@given(
    cash=st.integers(-(10**22), 10**23),
    sizes=st.tuples(st.integers(-(10**20), 10**20).filter(bool), st.integers(-100, 100)),
    daily=st.integers(-3, 3),
)
def test_the_bankruptcy_price_is_the_border_to_the_wei(cash: int, sizes: tuple[int, int], daily: int) -> None:
    """VIEW-8: at it the account value is below 0, a wei further on the safe side it is not."""
    positions = {BTC: Position(sizes[0], sizes[0] * 8_000, 0)}
    if sizes[1]:
        positions[ETH] = opened(sizes[1] * W, ETH_PRICE)
    base = state_with({ACCOUNT: holding(cash, {WETH: 10**18}, positions)}, pool=POOL)
    state = moving(base, BTC, daily * W // 100, accrued_at=NOW - DAY)
    price, step = compute_bankruptcy_price(state, env(), ACCOUNT, BTC), 1 if sizes[0] > 0 else -1

    def value_at(btc: int) -> int:
        worth = compute_health(state, state.accounts[ACCOUNT], env()).equity_raw
        return worth - compute_pnl(positions[BTC], BTC_PRICE) + compute_pnl(positions[BTC], btc)

    best = PRICE_LIMIT - 1 if step > 0 else 0
    if value_at(best) < 0:
        assert price == best
    elif value_at(PRICE_LIMIT - 1 - best) >= 0:
        assert price == 0
    else:
        assert value_at(price) < 0 <= value_at(price + step)
