"""The views of the whole protocol (VIEW-6, VIEW-7), and what holds of all views: none refuses."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from protocol.account_state import AccountState, compute_account_state
from protocol.actions import Deposit, Liquidate, Trade
from protocol.env import Env
from protocol.errors import REFUSALS
from protocol.margin import compute_health
from protocol.pool import compute_pool_value
from protocol.state import USDC, account_id
from protocol.units import DAY, PRICE_LIMIT, W
from protocol.views import (
    ALLOWED,
    Solvency,
    compute_bankruptcy_price,
    compute_liquidation_price,
    compute_max_size,
    compute_solvency,
    compute_withdrawable,
    list_accounts,
    preview_trade,
    quote_liquidation,
)
from tests.protocol.build import (
    ACCOUNT,
    ANY_PRICE,
    BORROWER,
    BTC,
    BTC_PRICE,
    ETH,
    LIQUIDATOR,
    NOW,
    STRANGER,
    TRADER,
    WETH,
    env,
    holding,
    opened,
    run,
    state_with,
)
from tests.protocol.strategies import Step, busy, play, steps
from tests.protocol.viewing import STALE

# --- the protocol: VIEW-6 and VIEW-7 --------------------------------------------------------------------------------


def test_solvency_is_the_ledger_and_the_pool_at_present_prices() -> None:
    """VIEW-6: worked by hand; a trader ahead by 100 counts for redemptions alone, inventory at 90 % for them."""
    account = holding(-3 * W, {}, {BTC: opened(W, BTC_PRICE)})
    state = state_with({ACCOUNT: account}, pool=5_000 * W, insurance=7 * W, inventory={WETH: 10**18})
    assert compute_solvency(state, env(btc=8_100 * W)) == Solvency(
        pool=5_000 * W,
        insurance=7 * W,
        deficit=0,
        trader_debt=3 * W,
        escrow=0,
        reserved=1_620 * W,
        free=(5_000 - 3 - 1_620) * W,
        deposit_value=5_200 * W,
        redemption_value=(5_000 - 100 + 180) * W,
        price_status=0,
    )


def test_a_pool_that_is_short_has_less_than_nothing_free() -> None:
    """VIEW-6: with its deficit, and the statuses of the prices it used."""
    state = state_with({ACCOUNT: holding(3 * W, {}, {BTC: opened(W, BTC_PRICE)})}, deficit=2 * W)
    seen = compute_solvency(state, env(btc_status=STALE, eth_status=1))
    assert (seen.pool, seen.deficit, seen.free, seen.price_status) == (0, 2 * W, -1_600 * W, STALE)


def test_accounts_are_listed_in_order_of_registration() -> None:
    """VIEW-7: pages, shorter at the end and empty beyond it; a deposit to a known account does not move it."""
    state = state_with()
    owners = (STRANGER, BORROWER, TRADER)
    for owner in (*owners, STRANGER):
        state = run(state, env(owner), Deposit(account_id(owner), USDC, 1)).state
    everyone = tuple(account_id(owner) for owner in owners)
    assert list_accounts(state, 0, 10) == everyone
    assert [list_accounts(state, start, 2) for start in (0, 1, 2, 3, 10**9)] == [
        everyone[:2],
        everyone[1:],
        everyone[2:],
        (),
        (),
    ]
    assert list_accounts(state, 1, 0) == ()


# --- no view refuses: S5 --------------------------------------------------------------------------------------------


PRICES = (
    env(LIQUIDATOR),
    env(LIQUIDATOR, btc=0, eth=0, btc_status=1, eth_status=1),
    env(LIQUIDATOR, btc=PRICE_LIMIT - 1, eth=PRICE_LIMIT - 1),
    env(LIQUIDATOR, btc=1, eth=1, btc_status=STALE),
    Env(NOW, LIQUIDATOR, ()),
)


@given(steps(10), st.sampled_from(PRICES), st.integers(0, 10))
def test_no_view_refuses_in_any_reachable_state(told: list[Step], prices: Env, years: int) -> None:
    """VIEW-1 to VIEW-8, S5: for known and unknown accounts, markets and tokens, at any prices, years later."""
    *_, (_, surroundings, _, _, state) = play(busy(), told)
    now = replace(prices, now=surroundings.now + years * 365 * DAY)
    solvency = compute_solvency(state, now)
    assert solvency.price_status == compute_pool_value(state, now).price_status
    for account in (*list_accounts(state, 0, 200), account_id(0xEE), 5):
        assert quote_liquidation(state, now, Liquidate(account)).code in {ALLOWED, *REFUSALS}
        if account in state.accounts:
            health = compute_health(state, state.accounts[account], now)
            assert health.equity_im <= health.equity_mm <= health.equity_raw
            assert compute_account_state(state.risk, health) in AccountState
        for market, size in product((BTC, ETH, 3), (W, -W, 1)):
            trade = Trade(account, market, size, ANY_PRICE if size > 0 else 0)
            assert preview_trade(state, now, trade).code in {ALLOWED, *REFUSALS}
            assert 0 <= compute_liquidation_price(state, now, account, market) < PRICE_LIMIT
            assert 0 <= compute_bankruptcy_price(state, now, account, market) < PRICE_LIMIT
        for token in (USDC, WETH, 2):
            assert compute_withdrawable(state, now, account, token) >= 0
    assert compute_max_size(state, now, ACCOUNT, BTC, is_long=True) >= 0
    assert compute_max_size(state, now, ACCOUNT, BTC, is_long=False) >= 0
