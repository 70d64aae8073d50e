"""Keeper liquidation: what is closed, who is paid, who bears the loss."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.actions import Deposit, Liquidate, Trade, Withdraw
from protocol.draft import Draft
from protocol.env import Env, Status
from protocol.events import (
    AccountLiquidated,
    AccountUpdated,
    CollateralUpdated,
    LedgerUpdated,
    MarketUpdated,
    PositionUpdated,
    TokenUpdated,
)
from protocol.liquidation import compute_penalty, compute_reward, draw_reward, pay_from_account
from protocol.margin import AccountState, compute_account_state, compute_health, compute_notional, is_liquidatable
from protocol.state import Account, Position, State, account_id
from protocol.units import SIGNED_LIMIT, W, cdiv
from tests.protocol.build import (
    ACCOUNT,
    BORROWER,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    KEEPER,
    LIQUIDATOR,
    STRANGER,
    TRADER,
    WETH,
    cash_of,
    check_order_of,
    env,
    event_of,
    holding,
    ledger_sum,
    opened,
    outcome_of,
    refused,
    run,
    state_with,
    with_risk,
)
from tests.twins import RISK

STATUSES = {
    "oracle/unavailable": Status.UNAVAILABLE,
    "oracle/non-positive": Status.NON_POSITIVE,
    "oracle/out-of-bounds": Status.OUT_OF_BOUNDS,
    "oracle/stale": Status.STALE_HARD,
}
TAKE = Liquidate(ACCOUNT)


def keeper_env(btc: int = BTC_PRICE, eth: int = ETH_PRICE, **statuses: int) -> Env:
    """The surroundings of a liquidation."""
    return env(LIQUIDATOR, btc=btc, eth=eth, **statuses)


def long_of(cash: int, pool: int = 10**6, insurance: int = 10**4, **collateral: int) -> State:
    """An account with 1 BTC bought at 8,000 and whole dollars of cash, pool and insurance."""
    held = {WETH: collateral["weth"]} if collateral else {}
    account = holding(cash * W, held, {BTC: opened(W, BTC_PRICE)})
    return state_with({ACCOUNT: account}, pool=pool * W, insurance=insurance * W)


# --- who and when: LIQ-1 to LIQ-4 -----------------------------------------------------------------------------------


def test_only_a_registered_account_is_liquidated() -> None:
    """LIQ-1: an account that never received a deposit is unknown."""
    assert refused(long_of(200), keeper_env(), Liquidate(KEEPER)) == "account/unknown"
    assert refused(long_of(200), keeper_env(), Liquidate(ACCOUNT + 1)) == "account/unknown"
    run(long_of(200), keeper_env(), TAKE)


def test_the_keepers_own_account_is_not_the_liquidated_one() -> None:
    """LIQ-2, B1: the reward cannot go to the account that pays it; another account of the owner may take it."""
    state = long_of(200)
    assert refused(state, env(BORROWER), TAKE) == "liq/self"
    second = state_with({ACCOUNT + 1: holding(200 * W, positions={BTC: opened(W, BTC_PRICE)})})
    outcome = run(second, env(BORROWER), Liquidate(ACCOUNT + 1))
    assert cash_of(outcome.state, ACCOUNT) == event_of(outcome, AccountLiquidated).reward > 0


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
def test_a_liquidation_needs_every_price_of_the_account(code: str, status: Status) -> None:
    """LIQ-3, ORC-3: positions and collateral; prices the account does not use are not asked."""
    bad = int(status)
    holder = long_of(100, weth=10**17)
    assert refused(holder, keeper_env(btc_status=bad), TAKE) == code
    assert refused(holder, keeper_env(eth_status=bad), TAKE) == code
    assert outcome_of(long_of(100), keeper_env(eth_status=bad), TAKE) == "ok"


@pytest.mark.parametrize(("wei", "code"), [(-1, "ok"), (0, "liq/not-liquidatable"), (1, "liq/not-liquidatable")])
def test_a_wei_below_maintenance_is_liquidatable_and_equality_is_safe(wei: int, code: str) -> None:
    """LIQ-4, M3: 1 BTC at 8,000 needs 200 and the reserve of 10."""
    account = holding(210 * W + wei, positions={BTC: opened(W, BTC_PRICE)})
    state = state_with({ACCOUNT: account}, pool=W)
    assert outcome_of(state, keeper_env(), TAKE) == code


@pytest.mark.parametrize(("wei", "code"), [(-1, "ok"), (0, "liq/not-liquidatable"), (1, "liq/not-liquidatable")])
def test_an_account_without_a_position_is_liquidatable_below_zero(wei: int, code: str) -> None:
    """LIQ-4, MRG-5: a debt beyond the haircut value of its collateral: 90 % of 200."""
    state = state_with({ACCOUNT: holding(-180 * W + wei, {WETH: 10**18})}, pool=10**4 * W)
    assert outcome_of(state, keeper_env(), TAKE) == code


def test_healthy_flat_and_restricted_accounts_are_not_liquidatable() -> None:
    """LIQ-4, M3: below initial margin and in the margin-call zone nobody may be liquidated."""
    for account, state in (
        (holding(W), AccountState.HEALTHY),
        (holding(0), AccountState.HEALTHY),
        (holding(1_000 * W, positions={BTC: opened(W, BTC_PRICE)}), AccountState.HEALTHY),
        (holding(409 * W, positions={BTC: opened(W, BTC_PRICE)}), AccountState.RESTRICTED),
        (holding(211 * W, positions={BTC: opened(W, BTC_PRICE)}), AccountState.MARGIN_CALL),
    ):
        start = state_with({ACCOUNT: account})
        assert compute_account_state(RISK, compute_health(start, account, env())) is state
        assert refused(start, keeper_env(), TAKE) == "liq/not-liquidatable"


def test_opening_may_be_paused_and_liquidation_goes_on() -> None:
    """LIQ-4, L8, S9: no pause stops a liquidation."""
    run(replace(long_of(200), opening_paused=True), keeper_env(), TAKE)


def attempt(account: int = ACCOUNT, sender: int = LIQUIDATOR, status: int = 0, price: int = 7_900 * W) -> str:
    """A liquidation of an account that is liquidatable at 7,900."""
    return outcome_of(long_of(300), env(sender, btc=price, btc_status=status), Liquidate(account))


def test_a_liquidation_is_checked_in_order() -> None:
    """LIQ-1 to LIQ-4: of two faults the earlier check speaks."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("account/unknown", {"account": ACCOUNT + 1}),
        ("liq/self", {"sender": BORROWER}),
        *((code, {"status": int(status)}) for code, status in STATUSES.items()),
        ("liq/not-liquidatable", {"price": BTC_PRICE}),
    ]
    check_order_of(faults, attempt)
    # An unregistered account of the keeper itself is unknown before it is the keeper's.
    assert refused(long_of(300), env(STRANGER), Liquidate(account_id(STRANGER))) == "account/unknown"


# --- what happens: LIQ-4 to LIQ-8 -----------------------------------------------------------------------------------


def test_a_liquidation_worked_by_hand() -> None:
    """LIQ-4 to LIQ-7, C4, C8: 300 of cash, 1 BTC from 8,000 to 7,900: who gets what, and every event in order."""
    outcome = run(long_of(300), keeper_env(btc=7_900 * W), TAKE)
    reward, penalty = 24_750 * W // 1_000, 79 * W  # 5 and a quarter percent of 7,900; one percent
    cash = 200 * W - reward - penalty
    pool, insurance = 10**6 * W + 100 * W + penalty // 2, 10**4 * W + penalty // 2
    assert outcome.events == (
        PositionUpdated(ACCOUNT, BTC, 0, 0, -W, 7_900 * W, -100 * W, 0),
        MarketUpdated(BTC, 0, 0, 0),
        AccountUpdated(ACCOUNT, cash),
        AccountUpdated(KEEPER, reward),
        LedgerUpdated(pool, insurance, 0, 0, 0),
        AccountLiquidated(
            account=ACCOUNT,
            keeper=KEEPER,
            account_state=AccountState.LIQUIDATABLE,
            equity_raw=200 * W,
            equity_mm=200 * W,
            maintenance_margin=207_500 * W // 1_000,
            closed_notional=7_900 * W,
            reward=reward,
            reward_from_account=reward,
            penalty=penalty,
            bad_debt=0,
            bad_debt_insurance=0,
            bad_debt_pool=0,
        ),
    )
    assert outcome.state.accounts[ACCOUNT] == holding(cash)
    assert outcome.state.accounts[KEEPER] == holding(reward)


def test_a_bankrupt_liquidation_worked_by_hand() -> None:
    """LIQ-7, LIQ-8, WAT-3, L9, B5, B6: 300 of cash at 7,600: no penalty, the keeper and the loss on insurance."""
    outcome = run(long_of(300), keeper_env(btc=7_600 * W), TAKE)
    found = event_of(outcome, AccountLiquidated)
    assert found.account_state == AccountState.BANKRUPT
    assert (found.equity_raw, found.reward, found.reward_from_account, found.penalty) == (-100 * W, 24 * W, 0, 0)
    assert (found.bad_debt, found.bad_debt_insurance, found.bad_debt_pool) == (100 * W, 100 * W, 0)
    assert outcome.state.accounts[ACCOUNT] == holding(0)
    assert cash_of(outcome.state, KEEPER) == 24 * W
    ledger = outcome.state.ledger
    assert (ledger.pool, ledger.insurance, ledger.deficit) == (10**6 * W + 400 * W, 10**4 * W - 124 * W, 0)


def test_collateral_is_sold_for_what_cash_does_not_cover() -> None:
    """LIQ-7, WAT-1, WAT-2: reward and penalty may use the collateral's value; then just enough of it is sold."""
    # 100 of cash and 1 WETH at 7,850: cash falls to -50, the account value is 150.
    outcome = run(long_of(100, weth=10**18), keeper_env(btc=7_850 * W), TAKE)
    reward, penalty = 5 * W + 19_625 * W // 1_000, 78_500 * W // 1_000
    debt = 50 * W + reward + penalty
    units = cdiv(debt, 190)
    found = event_of(outcome, AccountLiquidated)
    assert (found.reward_from_account, found.penalty, found.bad_debt) == (reward, penalty, 0)
    account = outcome.state.accounts[ACCOUNT]
    assert account.collateral == {WETH: 10**18 - units}
    assert 0 <= account.cash < 190
    assert account.cash == units * 190 - debt
    assert outcome.state.tokens[WETH].inventory == units
    assert outcome.state.ledger.pool == 10**6 * W + 150 * W + penalty // 2 - units * 190
    names = [type(event) for event in outcome.events]
    assert names == [
        PositionUpdated, MarketUpdated, CollateralUpdated, TokenUpdated,
        AccountUpdated, AccountUpdated, LedgerUpdated, AccountLiquidated,
    ]  # fmt: skip


def test_collateral_is_not_sold_while_cash_is_positive() -> None:
    """WAT-2: an account whose cash covers everything keeps its collateral whole."""
    state = long_of(200, weth=10**16)
    outcome = run(state, keeper_env(btc=8_000 * W), TAKE)
    assert outcome.state.accounts[ACCOUNT].collateral == {WETH: 10**16}
    assert outcome.state.tokens == state.tokens


def test_every_position_is_closed_by_ascending_market_and_without_fee() -> None:
    """LIQ-4, L1, L11, B7: all of the account's positions, long and short, to zero, at the oracle price."""
    positions = {BTC: opened(W, BTC_PRICE), ETH: opened(-10 * W, ETH_PRICE)}
    state = state_with({ACCOUNT: holding(200 * W, positions=positions)}, pool=10**6 * W)
    outcome = run(state, keeper_env(btc=7_990 * W, eth=201 * W), TAKE)
    fills = [event for event in outcome.events if isinstance(event, PositionUpdated)]
    assert fills == [
        PositionUpdated(ACCOUNT, BTC, 0, 0, -W, 7_990 * W, -10 * W, 0),
        PositionUpdated(ACCOUNT, ETH, 0, 0, 10 * W, 201 * W, -10 * W, 0),
    ]
    assert event_of(outcome, AccountLiquidated).closed_notional == 7_990 * W + 2_010 * W
    assert outcome.state.accounts[ACCOUNT].positions == {}


def test_the_keepers_account_is_made_if_it_is_new_and_credited_if_it_is_not() -> None:
    """LIQ-5, B4, LED-1: no transfer: account 0 of the sender, after the others; a keeper's own debt falls."""
    outcome = run(long_of(300), keeper_env(btc=7_900 * W), TAKE)
    assert list(outcome.state.accounts)[-1] == KEEPER
    reward = 24_750 * W // 1_000
    busy = holding(-10 * W, {WETH: 10**18}, {ETH: opened(10 * W, ETH_PRICE)})
    account = holding(300 * W, positions={BTC: opened(W, BTC_PRICE)})
    state = state_with({ACCOUNT: account, KEEPER: busy}, pool=10**6 * W)
    after = run(state, keeper_env(btc=7_900 * W), TAKE).state
    assert after.accounts[KEEPER] == replace(busy, cash=reward - 10 * W)
    assert after.ledger.trader_debt == 0
    second = state_with({ACCOUNT: account, account_id(LIQUIDATOR, 7): holding(5)}, pool=10**6 * W)
    after = run(second, keeper_env(btc=7_900 * W), TAKE).state
    assert cash_of(after, account_id(LIQUIDATOR, 7)) == 5
    assert cash_of(after, KEEPER) == reward


@pytest.mark.parametrize(
    ("base", "reward"),
    [
        (0, 0),
        (1, 0),
        (99, 0),
        (100, 1),
        # Capped at one percent of the base until 5 USD and a quarter percent are less.
        (500 * W, 5 * W),
        (666 * W, 6_660 * W // 1_000),
        (667 * W, 6_667_500 * W // 10**6),
        (1_000 * W, 7_500 * W // 1_000),
        (8_000 * W, 25 * W),
        # Capped at 1,000 dollars: reached at 398,000.
        (398_000 * W - 400, 1_000 * W - 1),
        (398_000 * W, 1_000 * W),
        (398_000 * W + 400, 1_000 * W),
        (10**9 * W, 1_000 * W),
        (8_000 * W + 399, 25 * W),
        (8_000 * W + 400, 25 * W + 1),
    ],
)
def test_the_reward_is_a_fixed_part_and_a_share_within_caps(base: int, reward: int) -> None:
    """LIQ-5, L7, B1: rounded down against the keeper, at most 1 % of what was closed or settled."""
    assert compute_reward(RISK, base) == reward


def test_each_part_of_the_reward_is_a_parameter() -> None:
    """LIQ-5: fixed part, ratio, cap in dollars and cap as a share."""
    base = 10_000 * W
    assert compute_reward(with_risk(fixed_reward=0), base) == 25 * W
    assert compute_reward(with_risk(reward_ratio=0), base) == 5 * W
    assert compute_reward(with_risk(max_reward=6 * W), base) == 6 * W
    assert compute_reward(with_risk(reward_cap=10), base) == 10 * W
    assert compute_reward(with_risk(reward_cap=0), base) == 0


@given(st.integers(0, 10**28), st.integers(0, 10**24))
def test_the_reward_is_monotone_and_bounded(base: int, more: int) -> None:
    """LIQ-5, L7: never above 1 % of the base or 1,000 dollars, and never falling with the base."""
    reward = compute_reward(RISK, base)
    assert reward <= compute_reward(RISK, base + more)
    assert reward * 100 <= base
    assert reward <= 1_000 * W


@pytest.mark.parametrize(
    ("notional", "penalty"), [(0, 0), (1, 1), (100, 1), (101, 2), (8_000 * W, 80 * W), (8_000 * W + 1, 80 * W + 1)]
)
def test_the_penalty_is_a_share_rounded_up(notional: int, penalty: int) -> None:
    """LIQ-6, T6: one percent of what was closed."""
    assert compute_penalty(RISK, notional) == penalty
    assert compute_penalty(with_risk(penalty_ratio=0), notional) == 0


@pytest.mark.parametrize(
    ("cash", "worth", "amount", "paid"),
    [
        (10, 0, 9, 9),
        (10, 0, 10, 10),
        (10, 0, 11, 10),
        (0, 0, 5, 0),
        (-1, 0, 5, 0),
        (-10, 10, 5, 0),
        (-10, 11, 5, 1),
        (-10, 9, 5, 0),
        (-10, 20, 5, 5),
        (5, 5, 20, 10),
        (5, 5, 0, 0),
    ],
)
def test_a_charge_takes_at_most_the_account_value(cash: int, worth: int, amount: int, paid: int) -> None:
    """LIQ-7, L7, B5: cash and collateral together, never below zero, so a charge makes no bad debt."""
    draft = Draft(state_with({ACCOUNT: holding(cash)}))
    assert pay_from_account(draft, draft.account(ACCOUNT), worth, amount) == paid
    assert draft.account(ACCOUNT).cash == cash - paid
    assert draft.trader_debt == max(paid - cash, 0)


@pytest.mark.parametrize(
    ("cash", "reward_from_account", "penalty"),
    [
        # 1 BTC at 8,000: a reward of 25 and a penalty of 80, from cash alone.
        (-1, 0, 0),
        (0, 0, 0),
        (1, 1, 0),
        (25 * W - 1, 25 * W - 1, 0),
        (25 * W, 25 * W, 0),
        (25 * W + 1, 25 * W, 1),
        (105 * W - 1, 25 * W, 80 * W - 1),
        (105 * W, 25 * W, 80 * W),
        (105 * W + 1, 25 * W, 80 * W),
    ],
)
def test_reward_comes_before_penalty(cash: int, reward_from_account: int, penalty: int) -> None:
    """LIQ-7, LIQ-8: the keeper's reward is whole in every case; insurance adds what the account lacks."""
    state = state_with({ACCOUNT: holding(cash, positions={BTC: opened(W, BTC_PRICE)})}, insurance=10**4 * W)
    outcome = run(state, keeper_env(), TAKE)
    found = event_of(outcome, AccountLiquidated)
    assert (found.reward, found.reward_from_account, found.penalty) == (25 * W, reward_from_account, penalty)
    assert cash_of(outcome.state) == max(cash - reward_from_account - penalty, 0)
    assert found.bad_debt == max(-cash, 0)
    spent = 25 * W - reward_from_account + max(-cash, 0)
    assert outcome.state.ledger.insurance == 10**4 * W - spent + penalty // 2


@pytest.mark.parametrize(
    ("insurance", "pool", "shortfall", "paid", "left"),
    [
        (10, 10, 9, 9, (1, 10)),
        (10, 10, 10, 10, (0, 10)),
        (10, 10, 11, 11, (0, 9)),
        (10, 10, 20, 20, (0, 0)),
        (10, 10, 21, 20, (0, 0)),
        (0, 0, 5, 0, (0, 0)),
        (0, 3, 5, 3, (0, 0)),
        (5, 5, 0, 0, (5, 5)),
    ],
)
def test_insurance_then_the_pool_pay_the_rest_of_a_reward(
    insurance: int, pool: int, shortfall: int, paid: int, left: tuple[int, int]
) -> None:
    """LIQ-8, L7: in this order, each to its balance, and never into deficit."""
    draft = Draft(state_with(insurance=insurance, pool=pool))
    assert draw_reward(draft, shortfall) == paid
    assert (draft.insurance, draft.pool, draft.deficit) == (*left, 0)


def test_insurance_pays_the_keeper_before_the_bad_debt() -> None:
    """LIQ-8, WAT-3, L9: of 30 dollars of insurance the keeper gets 24, the loss of 100 gets 6; the pool adds 94."""
    outcome = run(long_of(300, insurance=30), keeper_env(btc=7_600 * W), TAKE)
    found = event_of(outcome, AccountLiquidated)
    assert (found.reward, found.bad_debt_insurance, found.bad_debt_pool) == (24 * W, 6 * W, 94 * W)
    assert outcome.state.ledger.insurance == 0


def test_with_nothing_left_the_reward_comes_from_the_loss_just_paid_to_the_pool() -> None:
    """LIQ-8, L8, B9: an empty pool has the trader's realised loss before the keeper is paid; nothing reverts."""
    outcome = run(long_of(300, pool=0, insurance=0), keeper_env(btc=7_600 * W), TAKE)
    found = event_of(outcome, AccountLiquidated)
    assert (found.reward, found.bad_debt, found.bad_debt_pool) == (24 * W, 100 * W, 100 * W)
    assert outcome.state.ledger.pool == 400 * W - 24 * W - 100 * W


def test_a_liquidation_without_any_money_pays_no_reward_and_goes_through() -> None:
    """LIQ-8, L8: payer account, insurance, pool, then nobody."""
    state = state_with({ACCOUNT: holding(-W)})
    outcome = run(state, keeper_env(), TAKE)
    found = event_of(outcome, AccountLiquidated)
    assert (found.reward, found.bad_debt, found.bad_debt_insurance, found.bad_debt_pool) == (0, W, 0, 0)
    assert outcome.state.ledger.deficit == W
    assert cash_of(outcome.state, KEEPER) == 0


def test_a_debt_without_a_position_is_settled_from_collateral() -> None:
    """LIQ-5, WAT-2, B42: the reward is measured on the debt settled; no penalty, as nothing was closed."""
    state = state_with({ACCOUNT: holding(-181 * W, {WETH: 10**18})}, pool=10**4 * W, insurance=100 * W)
    outcome = run(state, keeper_env(), TAKE)
    found = event_of(outcome, AccountLiquidated)
    reward = 1_810 * W // 1_000  # one percent of the debt
    assert found.account_state == AccountState.LIQUIDATABLE
    assert (found.closed_notional, found.reward, found.reward_from_account, found.penalty) == (0, reward, reward, 0)
    units = cdiv(181 * W + reward, 190)
    assert outcome.state.accounts[ACCOUNT] == holding(units * 190 - 181 * W - reward, {WETH: 10**18 - units})


def test_the_event_measures_the_account_before_the_liquidation() -> None:
    """LIQ-4: equity, margin and state of the moment that allowed it."""
    for price, state in ((7_900, "LIQUIDATABLE"), (7_800, "BACKSTOP"), (7_700, "BACKSTOP"), (7_699, "BANKRUPT")):
        found = event_of(run(long_of(300), keeper_env(btc=price * W), TAKE), AccountLiquidated)
        assert AccountState(found.account_state).name == state
        assert found.equity_raw == found.equity_mm == 300 * W + (price - 8_000) * W
        assert found.maintenance_margin == price * W // 40 + 10 * W


# --- attacks --------------------------------------------------------------------------------------------------------


def test_dust_does_not_block_a_liquidation() -> None:
    """LIQ-4, L12, B2: a deposit of one unit from anyone delays nothing unless it makes the account healthy."""
    state = long_of(200)
    for token in (0, WETH):
        dusted = run(state, env(STRANGER), Deposit(ACCOUNT, token, 1)).state
        run(dusted, keeper_env(), TAKE)


def test_a_second_liquidation_finds_nothing() -> None:
    """LIQ-4, L4: at the same state the account is healthy, whatever the first one left."""
    for price in (7_900, 7_600, 1):
        after = run(long_of(300), keeper_env(btc=price * W), TAKE).state
        assert refused(after, keeper_env(btc=price * W), TAKE) == "liq/not-liquidatable"


def test_the_owner_keeps_and_withdraws_the_remainder() -> None:
    """LIQ-4: nothing is seized beyond reward and penalty."""
    after = run(long_of(300), keeper_env(btc=7_900 * W), TAKE).state
    left = cash_of(after)
    assert left == 96_250 * W // 1_000
    run(after, env(), Withdraw(ACCOUNT, 0, left // 10**12))
    run(after, env(LIQUIDATOR), Withdraw(KEEPER, 0, cash_of(after, KEEPER) // 10**12))


ACCOUNTS = st.builds(
    lambda cash, weth, btc, eth, costs: holding(
        cash,
        {WETH: weth} if weth else {},
        ({BTC: Position(btc, btc * 8_000 + costs[0])} if btc else {})
        | ({ETH: Position(eth, eth * 200 + costs[1])} if eth else {}),
    ),
    cash=st.integers(-(10**22), 10**22) | st.integers(-100, 100),
    weth=st.just(0) | st.integers(1, 10**20) | st.integers(1, 100),
    btc=st.just(0) | st.integers(-(10**19), 10**19) | st.integers(-100, 100),
    eth=st.just(0) | st.integers(-(10**20), 10**20) | st.integers(-100, 100),
    costs=st.tuples(st.integers(-(10**22), 10**22), st.integers(-100, 100)),
)
MONEY = st.integers(0, 10**24) | st.integers(0, 100)


@given(account=ACCOUNTS, pool=MONEY, insurance=MONEY, btc=st.integers(1, 20_000 * W), eth=st.integers(1, 500 * W))
def test_a_liquidatable_account_always_ends_flat_and_paid(
    account: Account, pool: int, insurance: int, btc: int, eth: int
) -> None:
    """LIQ-1 to LIQ-8, WAT-1 to WAT-3, C1, L1, L2, L7, L8, L9: any account below maintenance, with any money around."""
    state = state_with({ACCOUNT: account, account_id(TRADER): holding(7)}, pool=pool, insurance=insurance)
    surroundings = keeper_env(btc=btc, eth=eth)
    health = compute_health(state, account, surroundings)
    if not is_liquidatable(health):
        assert refused(state, surroundings, TAKE) == "liq/not-liquidatable"
        return
    outcome = run(state, surroundings, TAKE)
    after, found = outcome.state, event_of(outcome, AccountLiquidated)
    left = after.accounts[ACCOUNT]
    # Nothing stays open, nothing is owed, and collateral stays only while cash is not negative.
    assert left.positions == {}
    assert left.cash >= 0
    assert found.closed_notional == sum(
        compute_notional(p.size, btc if market == BTC else eth) for market, p in account.positions.items()
    )
    # No value is created.
    assert ledger_sum(after) == ledger_sum(state)
    worth = compute_health(after, left, surroundings).equity_raw
    assert worth <= max(health.equity_raw, 0)
    # The reward is bounded, and paid in full unless everybody is out of money.
    base = found.closed_notional if account.positions else -account.cash
    due = compute_reward(RISK, base)
    assert found.reward_from_account <= found.reward <= due
    assert found.reward_from_account <= max(health.equity_raw + len(account.positions), 0)
    if found.reward < due:
        assert after.ledger.pool == 0
    assert found.penalty <= compute_penalty(RISK, found.closed_notional)
    if found.penalty:
        assert found.reward_from_account == due
    # The loss goes through the sources in order.
    assert found.bad_debt == 0 or not left.collateral
    assert found.bad_debt_insurance + found.bad_debt_pool <= found.bad_debt
    if found.bad_debt_insurance < found.bad_debt:
        assert after.ledger.insurance == 0
    if found.bad_debt_insurance + found.bad_debt_pool < found.bad_debt:
        assert after.ledger.pool == 0
        assert after.ledger.deficit > 0
    assert refused(after, surroundings, TAKE) == "liq/not-liquidatable"


@given(
    lots=st.integers(125, 10_000),
    short=st.booleans(),
    spare=st.integers(0, 2_000),
    end=st.integers(1, 200_000),
    insurance=MONEY,
)
def test_liquidating_oneself_never_pays(lots: int, short: bool, spare: int, end: int, insurance: int) -> None:
    """LIQ-2, LIQ-5, B1, B38, L3: an owner who liquidates itself gains nothing, or at most the bad debt it made.

    Deposit, open, let the price move, liquidate from a second account: both accounts together hold no more than was
    brought. A short that loses more than it has can gain, as the reward grows with the price.
    """
    mine = account_id(BORROWER, 1)
    size = (-1 if short else 1) * lots * W // 1_000
    deposit = cdiv(lots * 8 * 10**6, 16) + 11 * 10**6 + spare * 10**6
    state = state_with(pool=10**9 * W, insurance=insurance)
    state = run(state, env(), Deposit(mine, 0, deposit)).state
    opening = Trade(mine, BTC, size, 2**200 if size > 0 else 0)
    if outcome_of(state, env(), opening) != "ok":
        return
    state = run(state, env(), opening).state
    assert refused(state, env(), Liquidate(mine)) == "liq/not-liquidatable", "M4, B17: not at the same price"
    surroundings = env(btc=end * W)
    if outcome_of(state, surroundings, Liquidate(mine)) != "ok":
        return
    outcome = run(state, surroundings, Liquidate(mine))
    bad_debt = event_of(outcome, AccountLiquidated).bad_debt
    gain = cash_of(outcome.state, mine) + cash_of(outcome.state, ACCOUNT) - deposit * 10**12
    assert gain <= (bad_debt if short else 0)


def test_the_order_of_liquidations_changes_no_owners_balance() -> None:
    """LIQ-4, L5: all orders of four accounts leave each owner the same, and the same total loss."""
    owners = [account_id(owner) for owner in (BORROWER, TRADER, STRANGER, 0xC0)]
    cash = (300, 150, 90, 250)
    accounts = {
        owner: holding(dollars * W, {WETH: 10**17}, {BTC: opened(W, BTC_PRICE)})
        for owner, dollars in zip(owners, cash, strict=True)
    }
    start = state_with(accounts, pool=10**6 * W, insurance=50 * W)
    surroundings = keeper_env(btc=7_800 * W)
    ends = set()
    for order in itertools.permutations(owners):
        state = start
        for owner in order:
            state = run(state, surroundings, Liquidate(owner)).state
        balances = tuple((cash_of(state, owner), *state.accounts[owner].collateral.items()) for owner in owners)
        ends.add((balances, cash_of(state, KEEPER), state.tokens, sum_of_protocol(state)))
    assert len(ends) == 1


def sum_of_protocol(state: State) -> int:
    """Pool and insurance less deficit."""
    return state.ledger.pool + state.ledger.insurance - state.ledger.deficit


def test_the_largest_loss_that_fits_is_settled() -> None:
    """LIQ-4, L8, T9: a balance at the lower end of its word; one wei more is a domain error, not a wrong number."""
    for cash, code in ((-1, "ok"), (-2, "sys/domain")):
        account = holding(cash, positions={BTC: Position(1, SIGNED_LIMIT - 1)})
        assert outcome_of(state_with({ACCOUNT: account}), keeper_env(btc=1), TAKE) == code
