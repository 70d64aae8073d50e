"""What owners, keepers and strangers may try, to stop a liquidation or to gain by one."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from protocol.account_state import AccountState, compute_account_state, is_clear
from protocol.actions import Deposit, Liquidate, Trade, Transfer, Withdraw
from protocol.env import Env, Quote, Status
from protocol.events import AccountLiquidated
from protocol.margin import is_liquidatable
from protocol.params import MAX_POSITIONS
from protocol.state import State, account_id
from protocol.units import W, cdiv
from tests.protocol.build import (
    ACCOUNT,
    BORROWER,
    BTC,
    BTC_PRICE,
    COLLATERAL,
    KEEPER,
    LIQUIDATOR,
    MARKETS,
    NOW,
    QUIET_MARKETS,
    STRANGER,
    TRADER,
    WETH,
    cash_of,
    env,
    event_of,
    holding,
    opened,
    outcome_of,
    refused,
    run,
    state_with,
    with_params,
)
from tests.protocol.liquidating import FLAG, LOT, MONEY, TAKE, health_of, keeper_env, long_of
from tests.twins import RISK


def test_dust_does_not_block_a_liquidation() -> None:
    """LIQ-4, L12, B2: deposits, transfers and small trades of the owner or a stranger delay nothing."""
    state = long_of(2_009, btc=10)
    for token in (0, WETH):
        dusted = run(state, env(STRANGER), Deposit(ACCOUNT, token, 1)).state
        run(dusted, keeper_env(), TAKE)
    smaller = run(state, env(), Trade(ACCOUNT, BTC, -LOT, 0)).state
    run(smaller, keeper_env(), TAKE)
    flagged = run(state, env(), FLAG).state
    run(flagged, keeper_env(), TAKE)
    second = state_with({**state.accounts, ACCOUNT + 1: holding(10 * W)}, pool=10**6 * W)
    moved = run(second, env(), Transfer(ACCOUNT + 1, ACCOUNT, 0, 1)).state
    run(moved, keeper_env(), TAKE)


def test_a_second_liquidation_finds_nothing() -> None:
    """LIQ-4, L4: at the same state the account is healthy, whatever the first one left."""
    for cash, price in itertools.product((300, 2_009), (7_999, 7_950, 7_900, 7_841, 7_600, 1)):
        state = long_of(cash, btc=1 if cash == 300 else 10)
        if outcome_of(state, keeper_env(btc=price * W), TAKE) != "ok":
            continue
        after = run(state, keeper_env(btc=price * W), TAKE).state
        assert refused(after, keeper_env(btc=price * W), TAKE) == "liq/not-liquidatable"


def test_the_owner_keeps_and_withdraws_the_remainder() -> None:
    """LIQ-6: nothing is seized beyond reward and penalty."""
    after = run(long_of(300), keeper_env(btc=7_840 * W), TAKE).state
    left = cash_of(after)
    assert left == 48_760 * W // 1_000
    run(after, env(), Withdraw(ACCOUNT, 0, left // 10**12))
    run(after, env(LIQUIDATOR), Withdraw(KEEPER, 0, cash_of(after, KEEPER) // 10**12))


def test_an_account_of_the_largest_size_is_liquidated_in_one_call() -> None:
    """LIQ-5, L8, S7, B3: sixteen positions and a token of every kind, in part and in full."""
    markets = MARKETS[:1] * MAX_POSITIONS
    collateral = COLLATERAL * 8
    positions = {market: opened((-1) ** market * W, BTC_PRICE) for market in range(MAX_POSITIONS)}
    held = dict.fromkeys(range(1, 9), 10**14)
    for cash, whole in ((3_000, False), (100, True), (-5_000, True)):
        account = holding(cash * W, held, positions)
        state = state_with({ACCOUNT: account}, pool=10**6 * W, markets=markets, collateral=collateral)
        outcome = run(state, keeper_env(), TAKE)
        assert (outcome.state.accounts[ACCOUNT].positions == {}) == whole
        if not whole:
            assert is_clear(RISK, health_of(outcome.state, env()))


def test_stale_prices_of_others_block_nobody() -> None:
    """LIQ-3, L8: another market and a collateral that the account does not hold may be without a price."""
    bad = int(Status.UNAVAILABLE)
    run(long_of(200), keeper_env(eth_status=bad, eth=0), TAKE)
    run(long_of(200), Env(NOW, LIQUIDATOR, (Quote(BTC_PRICE, BTC_PRICE, BTC_PRICE, NOW, 0),)), TAKE)


@given(
    lots=st.integers(125, 10_000),
    short=st.booleans(),
    spare=st.integers(0, 2_000),
    end=st.integers(1, 200_000),
    insurance=MONEY,
)
def test_liquidating_oneself_never_pays(lots: int, short: bool, spare: int, end: int, insurance: int) -> None:
    """LIQ-2, RWD-2, B1, B38, L3: an owner who liquidates himself gains nothing, or at most the bad debt he made.

    Deposit, open, let the price move, liquidate from a second account: both accounts together hold no more than was
    brought. A short that loses more than it has can gain, as the reward grows with the price.
    """
    mine = account_id(BORROWER, 1)
    size = (-1 if short else 1) * lots * LOT
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
    worth = health_of(outcome.state, surroundings, mine).equity_raw + cash_of(outcome.state, ACCOUNT)
    assert worth - deposit * 10**12 <= (bad_debt if short else 0)


def test_the_order_of_liquidations_changes_no_owners_balance() -> None:
    """LIQ-5, L5, X4: without window and impact all orders of four accounts leave each owner the same."""
    owners = [account_id(owner) for owner in (BORROWER, TRADER, STRANGER, 0xC0)]
    cash = (3_900, 3_200, 1_890, 3_850)
    accounts = {
        owner: holding(dollars * W, {WETH: 10**17}, {BTC: opened(10 * W, BTC_PRICE)})
        for owner, dollars in zip(owners, cash, strict=True)
    }
    markets = tuple(replace(market, window=0) for market in QUIET_MARKETS)
    start = state_with(accounts, pool=10**6 * W, insurance=50 * W, markets=markets)
    surroundings = keeper_env(btc=7_800 * W)
    states = {AccountState(compute_account_state(RISK, health_of(start, surroundings, owner))) for owner in owners}
    assert states == {AccountState.LIQUIDATABLE, AccountState.BACKSTOP, AccountState.BANKRUPT}
    ends = []
    for order in itertools.permutations(owners):
        state = start
        for owner in order:
            state = run(state, surroundings, Liquidate(owner)).state
        protocol = state.ledger.pool + state.ledger.insurance - state.ledger.deficit
        ends.append(([state.accounts[owner] for owner in owners], cash_of(state, KEEPER), state.tokens, protocol))
    assert all(end == ends[0] for end in ends)


@given(left=st.integers(1_000, 40_000), missing=st.integers(1, 600), lots=st.integers(3_000, 10_000))
def test_steps_take_no_more_but_cost_no_less_for_a_dollar_than_one_liquidation(
    left: int, missing: int, lots: int
) -> None:
    """LIQ-5, X8: against one liquidation without a window: the owner's loss is reward and penalty and nothing else.

    Each step is sized for the worst costs and finds what the one before it really cost, so steps may close less in all.
    """
    cash = lots * W // 5 + 10 * W - missing * W
    account = holding(cash, positions={BTC: opened(lots * LOT, BTC_PRICE)})

    def liquidated(state: State) -> tuple[int, int]:
        """What was closed and what it cost the owner."""
        now, closed, cost = NOW, 0, 0
        for _ in range(100):
            if not is_liquidatable(health_of(state, keeper_env(now=now))):
                break
            outcome = run(state, keeper_env(now=now), TAKE)
            found = event_of(outcome, AccountLiquidated)
            assert found.reward == found.reward_from_account
            closed, cost = closed + found.closed_notional, cost + found.reward + found.penalty
            state, now = outcome.state, now + 3_600
        assert refused(state, keeper_env(now=now), TAKE) == "liq/not-liquidatable"
        left_over = health_of(state, keeper_env(now=now))
        assert left_over.equity_raw == cash - cost
        return closed, cost

    start = state_with({ACCOUNT: account}, pool=10**6 * W, markets=QUIET_MARKETS)
    if compute_account_state(RISK, health_of(start, env())) != AccountState.LIQUIDATABLE:
        return
    at_once, once_cost = liquidated(with_params(start, BTC, window=0))
    in_steps, steps_cost = liquidated(with_params(start, BTC, window_notional=left * W))
    assert steps_cost * at_once >= once_cost * in_steps
    assert in_steps <= at_once + 1_010 * W, "a lot, or a remainder that would have been dust"
