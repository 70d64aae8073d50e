"""What a view says, against what the action then does."""

from __future__ import annotations

from dataclasses import astuple, replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.account_state import AccountState, compute_account_state
from protocol.actions import Deposit, Liquidate, Trade, Withdraw
from protocol.collateral import compute_haircut_values
from protocol.env import Env, Status
from protocol.errors import REFUSALS, Refusal
from protocol.events import AccountLiquidated, PositionUpdated
from protocol.funding import project_funding
from protocol.margin import Health, compute_health, compute_pnl, is_liquidatable
from protocol.params import EquityTier, HaircutBracket
from protocol.pool import compute_pool_value
from protocol.state import Account, Position, State, account_id
from protocol.transition import apply
from protocol.units import DAY, PRICE_LIMIT, USDC_TO_W, W
from protocol.views import (
    ALLOWED,
    LiquidationQuote,
    Solvency,
    TradePreview,
    as_owner,
    compute_bankruptcy_price,
    compute_counted_im,
    compute_liquidation_price,
    compute_max_size,
    compute_solvency,
    compute_withdrawable,
    list_accounts,
    measure_at,
    preview_trade,
    preview_trade_code,
    quote_liquidation,
)
from tests.protocol.build import (
    ACCOUNT,
    ANY_PRICE,
    BORROWER,
    BTC,
    BTC_PRICE,
    COLLATERAL,
    ETH,
    ETH_PRICE,
    KEEPER,
    LIQUIDATOR,
    MARKETS,
    NOW,
    QUIET_MARKETS,
    STRANGER,
    TRADER,
    WETH,
    env,
    event_of,
    holding,
    moving,
    opened,
    run,
    state_with,
    with_market,
    with_params,
    with_risk,
)
from tests.protocol.strategies import CALLED, OTHER, UNDER, Step, busy, play, steps

USDC = 0
NO_PRICES = Env(NOW, STRANGER, ())
NO_HEALTH = Health(0, 0, 0, 0, 0, 0, 0, 0)
STALE = int(Status.STALE_HARD)
POOL = 10**6 * W


def code_of(state: State, surroundings: Env, action: Any) -> str:
    """Empty if an action would be accepted, else the code of its refusal."""
    try:
        apply(state, surroundings, action)
    except Refusal as refusal:
        return refusal.code
    return ALLOWED


# --- previews: VIEW-1 and VIEW-2 ------------------------------------------------------------------------------------


def test_a_preview_shows_what_the_trade_then_does() -> None:
    """VIEW-1, S6: worked by hand: impact 0.40, fee 4; anyone may ask, and the state stays."""
    state = state_with({ACCOUNT: holding(1_000 * W)}, pool=POOL)
    trade = Trade(ACCOUNT, BTC, W, ANY_PRICE)
    preview = preview_trade(state, env(STRANGER), trade)
    cash = 995 * W + 6 * W // 10
    health = Health(cash, cash, cash, 210 * W, 410 * W, 10 * W, 8_000 * W, 0)
    # 995.60 - 8,000 + p = 0.025 p + 10: p = 7,194.256...
    price = 7_014_400 * W // 975
    assert preview == TradePreview(ALLOWED, 4 * W // 10, 4 * W, cash, health, AccountState.HEALTHY, price)
    assert state.accounts[ACCOUNT] == holding(1_000 * W)


def test_a_flip_is_previewed_as_the_sum_of_its_fills() -> None:
    """VIEW-1: of impact and fees of the close and of the open, rebate taken off."""
    account = holding(10**4 * W, {}, {BTC: opened(2 * W, BTC_PRICE)})
    state = state_with({ACCOUNT: account}, pool=POOL, impact={BTC: 5 * W})
    preview = preview_trade(state, env(), Trade(ACCOUNT, BTC, -3 * W, 0))
    # The close gives back nine tenths of 1.60 and pays the maker's fee on 16,000; the open pays 0.40 and the taker's.
    assert preview.impact == -144 * W // 100 + 40 * W // 100
    assert preview.fee == 32 * W // 10 + 4 * W
    assert preview.cash == 10**4 * W - preview.impact - preview.fee
    assert preview.health.gross_notional == 8_000 * W


@pytest.mark.parametrize(
    ("trade", "surroundings", "code"),
    [
        (Trade(KEEPER, BTC, W, ANY_PRICE), env(), "account/unknown"),
        (Trade(ACCOUNT, 2, W, ANY_PRICE), env(), "market/unknown"),
        (Trade(ACCOUNT, BTC, 0, ANY_PRICE), env(), "amount/zero"),
        (Trade(ACCOUNT, BTC, W, ANY_PRICE), env(btc_status=STALE), "oracle/stale"),
        (Trade(ACCOUNT, BTC, W, ANY_PRICE), NO_PRICES, "oracle/unavailable"),
        (Trade(ACCOUNT, BTC, 3 * W, ANY_PRICE), env(), "margin/initial"),
        (Trade(ACCOUNT, BTC, 2**255, ANY_PRICE), env(), "sys/domain"),
    ],
)
def test_of_a_refused_trade_only_the_code_is_given(trade: Trade, surroundings: Env, code: str) -> None:
    """VIEW-1, S5: and it is the code of the trade itself."""
    state = state_with({ACCOUNT: holding(1_000 * W)}, pool=POOL)
    assert preview_trade(state, surroundings, trade) == TradePreview(code, 0, 0, 0, NO_HEALTH, 0, 0)
    assert preview_trade_code(state, surroundings, trade) == code
    assert code_of(state, as_owner(surroundings, trade.account), trade) == code


def test_a_preview_is_that_of_the_owner() -> None:
    """VIEW-1: an operator is not asked for; time and prices stay those of the caller."""
    asked = env(STRANGER, btc=7 * W, now=NOW + 9)
    assert as_owner(asked, ACCOUNT + 5) == replace(asked, sender=BORROWER)


def test_a_liquidation_is_quoted_as_it_would_be() -> None:
    """VIEW-2, S6: of a partial one and of one with bad debt, for this keeper."""
    state = busy()
    for account, surroundings in ((UNDER, env(LIQUIDATOR)), (ACCOUNT, env(LIQUIDATOR, btc=5_000 * W, eth=W))):
        quote = quote_liquidation(state, surroundings, Liquidate(account))
        done = event_of(run(state, surroundings, Liquidate(account)), AccountLiquidated)
        assert quote == LiquidationQuote(
            ALLOWED, done.closed_notional, done.reward, done.reward_from_account, done.penalty, done.bad_debt
        )
        assert done.reward > 0
        assert (done.bad_debt > 0) == (account == ACCOUNT)


@pytest.mark.parametrize(
    ("account", "sender", "status", "code"),
    [
        (KEEPER + 1, LIQUIDATOR, 0, "account/unknown"),
        (ACCOUNT, LIQUIDATOR, 0, "liq/not-liquidatable"),
        (ACCOUNT, BORROWER, 0, "liq/self"),
        (UNDER, LIQUIDATOR, int(Status.NON_POSITIVE), "liq/not-liquidatable"),
    ],
)
def test_of_a_refused_liquidation_only_the_code_is_given(account: int, sender: int, status: int, code: str) -> None:
    """VIEW-2, S5."""
    quote = quote_liquidation(busy(), env(sender, btc_status=status), Liquidate(account))
    assert quote == LiquidationQuote(code, 0, 0, 0, 0, 0)


@given(steps(10))
def test_previews_equal_effects_in_any_reachable_state(told: list[Step]) -> None:
    """VIEW-1, VIEW-2, S6: trades and liquidations of a story, previewed in the block in which they happen."""
    for state, surroundings, action, _, _ in play(busy(), told):
        if isinstance(action, Liquidate):
            quote = quote_liquidation(state, surroundings, action)
            assert quote.code == code_of(state, surroundings, action)
            if quote.code == ALLOWED:
                done = event_of(apply(state, surroundings, action), AccountLiquidated)
                effect = (done.closed_notional, done.reward, done.reward_from_account, done.penalty, done.bad_debt)
                assert astuple(quote)[1:] == effect
        if isinstance(action, Trade):
            owner = as_owner(surroundings, action.account)
            preview = preview_trade(state, surroundings, action)
            assert preview.code == preview_trade_code(state, surroundings, action) == code_of(state, owner, action)
            if preview.code == ALLOWED:
                outcome = apply(state, owner, action)
                account = outcome.state.accounts[action.account]
                fills = [event for event in outcome.events if isinstance(event, PositionUpdated)]
                assert preview.impact == sum(fill.impact for fill in fills)
                assert preview.fee == sum(fill.fee for fill in fills)
                assert preview.cash == account.cash
                assert preview.health == compute_health(outcome.state, account, owner)
                assert preview.account_state == compute_account_state(outcome.state.risk, preview.health)
                price = compute_liquidation_price(outcome.state, owner, action.account, action.market)
                assert preview.liquidation_price == price


# --- withdrawable: VIEW-3 -------------------------------------------------------------------------------------------


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


# --- largest trade: VIEW-4 ------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(("account", "market"), [(KEEPER, BTC), (ACCOUNT, ETH), (ACCOUNT, 2), (ACCOUNT, 2**255)])
def test_without_a_position_there_is_neither_price(account: int, market: int) -> None:
    """VIEW-5, VIEW-8, S5."""
    state = state_with({ACCOUNT: holding(W, {}, {BTC: opened(W, BTC_PRICE)})})
    assert compute_liquidation_price(state, env(), account, market) == 0
    assert compute_bankruptcy_price(state, env(), account, market) == 0


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
