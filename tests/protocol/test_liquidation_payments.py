"""Who is paid by a liquidation and who bears the loss: LIQ-6, LIQ-7."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.account_state import AccountState, is_clear
from protocol.actions import Liquidate
from protocol.events import (
    AccountLiquidated,
    AccountUpdated,
    CollateralUpdated,
    LedgerUpdated,
    MarketUpdated,
    PositionUpdated,
    TokenUpdated,
)
from protocol.state import account_id
from protocol.units import W, cdiv
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    KEEPER,
    LIQUIDATOR,
    NOW,
    WETH,
    cash_of,
    env,
    event_of,
    holding,
    opened,
    run,
    state_with,
    with_risk,
)
from tests.protocol.liquidating import OTHER, TAKE, health_of, keeper_env, long_of
from tests.twins import RISK

LOW, HIGH = RISK.reward_ratio, RISK.reward_ratio_max


# --- who is paid: LIQ-6 ---------------------------------------------------------------------------------------------


def test_the_keepers_account_is_made_if_it_is_new_and_credited_if_it_is_not() -> None:
    """LIQ-6, B4, LED-1: no transfer: account 0 of the sender, after the others; a keeper's own debt falls."""
    outcome = run(long_of(300), keeper_env(btc=7_840 * W), TAKE)
    assert list(outcome.state.accounts)[-1] == KEEPER
    reward = 12_840 * W // 1_000
    busy = holding(-10 * W, {WETH: 10**18}, {ETH: opened(10 * W, ETH_PRICE)}, flagged_at=3)
    account = holding(300 * W, positions={BTC: opened(W, BTC_PRICE)})
    state = state_with({ACCOUNT: account, KEEPER: busy}, pool=10**6 * W)
    after = run(state, keeper_env(btc=7_840 * W), TAKE).state
    assert after.accounts[KEEPER] == replace(busy, cash=reward - 10 * W)
    assert after.ledger.trader_debt == 0
    second = state_with({ACCOUNT: account, account_id(LIQUIDATOR, 7): holding(5)}, pool=10**6 * W)
    after = run(second, keeper_env(btc=7_840 * W), TAKE).state
    assert cash_of(after, account_id(LIQUIDATOR, 7)) == 5
    assert cash_of(after, KEEPER) == reward


@pytest.mark.parametrize(
    ("age", "ratio"),
    [
        (None, LOW),
        (0, LOW),
        (60, LOW),
        (61, LOW + W // 10**6),
        (1_559, HIGH - W // 10**6),
        (1_560, HIGH),
        (10**6, HIGH),
    ],
)
def test_the_reward_grows_with_the_time_since_the_flag_as_it_was(age: int | None, ratio: int) -> None:
    """LIQ-6, RWD-1: not with the flag that this liquidation sets; the size closed does not depend on it."""
    state = long_of(2_009, btc=10, flagged_at=0 if age is None else NOW - age)
    outcome = run(state, keeper_env(), TAKE)
    found = event_of(outcome, AccountLiquidated)
    assert found.closed_notional == 20_608 * W
    assert found.reward == 5 * W + 20_608 * ratio
    assert is_clear(RISK, health_of(outcome.state, env())), "the target allows for the last ratio"


@pytest.mark.parametrize(
    ("cash", "reward_from_account", "penalty"),
    [
        # 1 BTC at 8,000, closed in full: a reward of 13 and a penalty of 80, from cash alone.
        (-1, 0, 0),
        (0, 0, 0),
        (1, 1, 0),
        (13 * W - 1, 13 * W - 1, 0),
        (13 * W, 13 * W, 0),
        (13 * W + 1, 13 * W, 1),
        (93 * W - 1, 13 * W, 80 * W - 1),
        (93 * W, 13 * W, 80 * W),
        (93 * W + 1, 13 * W, 80 * W),
    ],
)
def test_reward_comes_before_penalty(cash: int, reward_from_account: int, penalty: int) -> None:
    """LIQ-6, RWD-4, RWD-5: the keeper's reward is whole in every case; insurance adds what the account lacks."""
    state = state_with({ACCOUNT: holding(cash, positions={BTC: opened(W, BTC_PRICE)})}, insurance=10**4 * W)
    outcome = run(state, keeper_env(), TAKE)
    found = event_of(outcome, AccountLiquidated)
    assert (found.reward, found.reward_from_account, found.penalty) == (13 * W, reward_from_account, penalty)
    assert cash_of(outcome.state) == max(cash - reward_from_account - penalty, 0)
    assert found.bad_debt == max(-cash, 0)
    spent = 13 * W - reward_from_account + max(-cash, 0)
    assert outcome.state.ledger.insurance == 10**4 * W - spent + penalty // 2
    assert outcome.state.ledger.pool == penalty - penalty // 2


def test_an_account_pays_a_reward_from_what_its_closes_have_left() -> None:
    """LIQ-6, RWD-4, L7, B5: 100 of account value before 400 of impact are none after it."""
    accounts = {
        ACCOUNT: holding(100 * W, positions={BTC: opened(-10 * W, BTC_PRICE)}),
        OTHER: holding(10**6 * W, positions={BTC: opened(500 * W, BTC_PRICE)}),
    }
    outcome = run(state_with(accounts, pool=10**7 * W, insurance=10**4 * W), keeper_env(), TAKE)
    found = event_of(outcome, AccountLiquidated)
    assert event_of(outcome, PositionUpdated).impact == 400 * W
    assert (found.equity_raw, found.reward, found.reward_from_account, found.penalty) == (100 * W, 85 * W, 0, 0)
    assert (found.bad_debt, found.bad_debt_insurance) == (300 * W, 300 * W)
    assert outcome.state.ledger.insurance == 10**4 * W - 385 * W


def test_a_reward_is_drawn_before_the_penalty_fills_the_insurance_fund() -> None:
    """LIQ-6: what insurance cannot pay of a reward the pool pays, and the penalty of that liquidation comes after."""
    risk = with_risk(insurance_penalty_share=10_000, reward_ratio=W // 400)
    account = holding(24 * W, {WETH: 1}, positions={BTC: opened(W, BTC_PRICE)})
    state = state_with({ACCOUNT: account}, pool=10 * W, risk=risk)
    outcome = run(state, keeper_env(), TAKE)
    found = event_of(outcome, AccountLiquidated)
    assert (found.reward, found.reward_from_account) == (25 * W, 24 * W + 200)
    assert found.penalty == 0
    assert outcome.state.ledger.insurance == 0


def test_the_penalty_is_shared_between_insurance_and_pool() -> None:
    """LIQ-6, LED-5, C8: to the wei, by the parameter."""
    for share in (0, 1, 5_000, 9_999, 10_000):
        state = long_of(2_009, btc=10, risk=with_risk(insurance_penalty_share=share))
        outcome = run(state, keeper_env(), TAKE)
        penalty = 206_080 * W // 1_000
        assert outcome.state.ledger.insurance == 10**4 * W + penalty * share // 10**4
        assert outcome.state.ledger.pool == 10**6 * W + penalty - penalty * share // 10**4


def test_insurance_pays_the_keeper_before_the_bad_debt() -> None:
    """LIQ-6, LIQ-7, WAT-3, L9: of 30 dollars of insurance the keeper gets 12.60, the loss of 100 the rest."""
    outcome = run(long_of(300, insurance=30), keeper_env(btc=7_600 * W), TAKE)
    found = event_of(outcome, AccountLiquidated)
    reward = 12_600 * W // 1_000
    assert (found.reward, found.bad_debt_insurance) == (reward, 30 * W - reward)
    assert found.bad_debt_pool == 100 * W - (30 * W - reward)
    assert outcome.state.ledger.insurance == 0


def test_with_nothing_left_the_reward_comes_from_the_loss_just_paid_to_the_pool() -> None:
    """LIQ-6, L8, B9: an empty pool has the trader's realised loss before the keeper is paid; nothing reverts."""
    outcome = run(long_of(300, pool=0, insurance=0), keeper_env(btc=7_600 * W), TAKE)
    found = event_of(outcome, AccountLiquidated)
    reward = 12_600 * W // 1_000
    assert (found.reward, found.bad_debt, found.bad_debt_pool) == (reward, 100 * W, 100 * W)
    assert outcome.state.ledger.pool == 400 * W - reward - 100 * W


def test_a_liquidation_without_any_money_pays_no_reward_and_goes_through() -> None:
    """LIQ-6, L8: payer account, insurance, pool, then nobody."""
    state = state_with({ACCOUNT: holding(-W)})
    outcome = run(state, keeper_env(), TAKE)
    found = event_of(outcome, AccountLiquidated)
    assert (found.reward, found.bad_debt, found.bad_debt_insurance, found.bad_debt_pool) == (0, W, 0, 0)
    assert outcome.state.ledger.deficit == W
    assert cash_of(outcome.state, KEEPER) == 0


def test_a_debt_without_a_position_is_settled_from_collateral() -> None:
    """LIQ-6, LIQ-7, WAT-2, B42: the reward is measured on the debt settled; no penalty, as nothing was closed."""
    state = state_with({ACCOUNT: holding(-181 * W, {WETH: 10**18})}, pool=10**4 * W, insurance=100 * W)
    outcome = run(state, keeper_env(), TAKE)
    found = event_of(outcome, AccountLiquidated)
    reward = 1_810 * W // 1_000  # one percent of the debt
    assert found.account_state == AccountState.LIQUIDATABLE
    assert (found.closed_notional, found.reward, found.reward_from_account, found.penalty) == (0, reward, reward, 0)
    units = cdiv(181 * W + reward, 190)
    assert outcome.state.accounts[ACCOUNT] == holding(units * 190 - 181 * W - reward, {WETH: 10**18 - units})


# --- what is left: LIQ-7 --------------------------------------------------------------------------------------------


def test_collateral_is_sold_for_what_cash_does_not_cover() -> None:
    """LIQ-7, WAT-1, WAT-2: reward and penalty may use the collateral's value; then just enough of it is sold."""
    # 50 of cash and half a WETH at 7,850: cash falls to -100, the account is worth nothing but is closed in full.
    outcome = run(long_of(100, weth=5 * 10**17), keeper_env(btc=7_850 * W), TAKE)
    found = event_of(outcome, AccountLiquidated)
    reward, penalty = 12_850 * W // 1_000, 50 * W - 12_850 * W // 1_000
    assert found.account_state == AccountState.BACKSTOP
    assert (found.reward_from_account, found.penalty) == (reward, penalty)
    # Half a WETH brings 95 at the discount; what the sale cost of the 100 owed is bad debt.
    assert found.bad_debt == 5 * W
    assert outcome.state.accounts[ACCOUNT] == holding(0)
    assert outcome.state.tokens[WETH].inventory == 5 * 10**17
    names = [type(event) for event in outcome.events]
    assert names == [
        PositionUpdated, MarketUpdated, CollateralUpdated, TokenUpdated,
        AccountUpdated, AccountUpdated, LedgerUpdated, AccountLiquidated,
    ]  # fmt: skip


def test_just_enough_collateral_is_sold() -> None:
    """LIQ-7, WAT-1: the rest stays the owner's, and cash ends at less than a unit's price."""
    outcome = run(long_of(10, weth=10**18), keeper_env(btc=7_900 * W), TAKE)
    reward, penalty = 12_900 * W // 1_000, 79 * W
    debt = 90 * W + reward + penalty
    units = cdiv(debt, 190)
    found = event_of(outcome, AccountLiquidated)
    assert (found.reward_from_account, found.penalty, found.bad_debt) == (reward, penalty, 0)
    account = outcome.state.accounts[ACCOUNT]
    assert account == holding(units * 190 - debt, {WETH: 10**18 - units})
    assert account.cash < 190
    assert outcome.state.ledger.pool == 10**6 * W + 100 * W + penalty // 2 - units * 190


def test_collateral_is_not_sold_while_cash_is_positive_nor_while_a_position_is_left() -> None:
    """LIQ-7, WAT-2: a partial liquidation leaves collateral and debt as they are."""
    state = long_of(100, weth=10**16)
    outcome = run(state, keeper_env(btc=8_000 * W), TAKE)
    assert outcome.state.accounts[ACCOUNT].collateral == {WETH: 10**16}
    assert outcome.state.tokens == state.tokens
    indebted = long_of(-1_600, btc=10, weth=20 * 10**18)
    outcome = run(indebted, keeper_env(), TAKE)
    account = outcome.state.accounts[ACCOUNT]
    assert account.collateral == {WETH: 20 * 10**18}
    assert BTC in account.positions
    assert account.cash < -1_600 * W
    assert outcome.state.ledger.trader_debt == -account.cash
    assert is_clear(RISK, health_of(outcome.state, env()))


@pytest.mark.parametrize(
    ("insurance", "pool", "paid", "deficit"),
    [(200, 0, (100, 0), 0), (100, 0, (100, 0), 0), (60, 30, (60, 30), 10), (0, 0, (0, 0), 100), (0, 500, (0, 100), 0)],
)
def test_bad_debt_goes_through_the_waterfall(insurance: int, pool: int, paid: tuple[int, int], deficit: int) -> None:
    """LIQ-7, WAT-3, L9, B42: insurance, pool, deficit: each to its balance, once, in the action that makes it."""
    account = holding(-100 * W, positions={BTC: opened(W, BTC_PRICE)})
    risk = with_risk(fixed_reward=0, reward_ratio=0)
    state = state_with({ACCOUNT: account}, pool=pool * W, insurance=insurance * W, risk=risk)
    outcome = run(state, keeper_env(), TAKE)
    found = event_of(outcome, AccountLiquidated)
    assert (found.bad_debt, found.bad_debt_insurance, found.bad_debt_pool) == (100 * W, *(p * W for p in paid))
    ledger = outcome.state.ledger
    assert ledger.deficit == deficit * W
    assert (ledger.insurance, ledger.pool) == ((insurance - paid[0]) * W, (pool - paid[1]) * W)
    assert outcome.state.accounts[ACCOUNT] == holding(0)
    assert ledger.trader_debt == 0


def test_an_isolated_account_loses_only_what_is_in_it() -> None:
    """LIQ-7, M10: its bad debt is insurance's, and the owner's other accounts are untouched."""
    isolated = holding(300 * W, positions={BTC: opened(W, BTC_PRICE)}, isolated=1)
    rich = holding(10**6 * W, {WETH: 10**18})
    state = state_with({ACCOUNT: rich, ACCOUNT + 1: isolated}, pool=10**6 * W, insurance=10**4 * W)
    outcome = run(state, keeper_env(btc=7_000 * W), Liquidate(ACCOUNT + 1))
    assert event_of(outcome, AccountLiquidated).bad_debt == 700 * W
    assert outcome.state.accounts[ACCOUNT] == rich
    assert outcome.state.accounts[ACCOUNT + 1] == holding(0, isolated=1)
