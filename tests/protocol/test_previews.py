"""What is said of a trade and of a liquidation beforehand, against what they then do (VIEW-1, VIEW-2)."""

from __future__ import annotations

from dataclasses import astuple, replace

import pytest
from hypothesis import given

from protocol.account_state import AccountState, compute_account_state
from protocol.actions import Liquidate, Trade
from protocol.env import Env, Status
from protocol.events import AccountLiquidated, PositionUpdated
from protocol.margin import Health, compute_health
from protocol.transition import apply
from protocol.units import W
from protocol.views import (
    ALLOWED,
    LiquidationQuote,
    TradePreview,
    as_owner,
    compute_liquidation_price,
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
    KEEPER,
    LIQUIDATOR,
    NOW,
    STRANGER,
    env,
    event_of,
    holding,
    opened,
    run,
    state_with,
)
from tests.protocol.strategies import UNDER, Step, busy, play, steps
from tests.protocol.viewing import NO_PRICES, POOL, STALE, code_of

NO_HEALTH = Health(0, 0, 0, 0, 0, 0, 0, 0)


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
