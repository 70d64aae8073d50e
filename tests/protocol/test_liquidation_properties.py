"""Properties of liquidation, for accounts and markets drawn at random."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from protocol.account_state import AccountState, compute_account_state, is_clear
from protocol.env import Env
from protocol.events import AccountLiquidated
from protocol.margin import compute_health, compute_notional, is_liquidatable
from protocol.rewards import compute_penalty, compute_reward, compute_reward_ratio
from protocol.state import Account, Position, State
from protocol.units import W, cdiv
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    BTC_PRICE,
    ETH,
    MARKETS,
    NOW,
    WETH,
    event_of,
    holding,
    ledger_sum,
    opened,
    outcome_of,
    refused,
    run,
    state_with,
    with_params,
)
from tests.protocol.liquidating import LOT, MONEY, OTHER, TAKE, health_of, keeper_env
from tests.twins import RISK

ACCOUNTS = st.builds(
    lambda cash, weth, btc, eth, costs, flag: holding(
        cash,
        {WETH: weth} if weth else {},
        ({BTC: Position(btc, btc * 8_000 + costs[0], 0)} if btc else {})
        | ({ETH: Position(eth, eth * 200 + costs[1], 0)} if eth else {}),
        flagged_at=flag,
    ),
    cash=st.integers(-(10**22), 10**22) | st.integers(-100, 100),
    weth=st.just(0) | st.integers(1, 10**20) | st.integers(1, 100),
    btc=st.just(0) | st.integers(-(10**19), 10**19) | st.integers(-(10**21), 10**21) | st.integers(-100, 100),
    eth=st.just(0) | st.integers(-(10**20), 10**20) | st.integers(-(10**22), 10**22) | st.integers(-100, 100),
    costs=st.tuples(st.integers(-(10**22), 10**22), st.integers(-100, 100)),
    flag=st.sampled_from((0, NOW - 10, NOW - 500, 7)),
)


@given(
    account=ACCOUNTS,
    pool=MONEY,
    insurance=MONEY,
    btc=st.integers(1, 20_000 * W),
    eth=st.integers(1, 500 * W),
    others=st.integers(-(10**20), 10**20).filter(bool),
)
def test_any_account_below_maintenance_is_liquidated_by_the_rules(
    account: Account, pool: int, insurance: int, btc: int, eth: int, others: int
) -> None:
    """LIQ-1 to LIQ-8, WAT-1 to WAT-3: dust and wild numbers, any money and any skew around."""
    accounts = {ACCOUNT: account, OTHER: holding(10**24, positions={BTC: opened(others, BTC_PRICE)})}
    check_liquidation(state_with(accounts, pool=pool, insurance=insurance), keeper_env(btc=btc, eth=eth))


@given(
    lots=st.tuples(st.integers(200, 400_000), st.integers(700, 800_000)),
    sides=st.tuples(st.sampled_from((1, -1)), st.sampled_from((0, 1, -1))),
    prices=st.tuples(st.integers(6_000, 10_000), st.integers(150, 250)),
    place=st.integers(650, 1_000),
    weth=st.integers(0, 5 * 10**20) | st.just(0),
    others=st.integers(-400, 400).filter(bool),
    left=st.tuples(*(st.sampled_from((10**8, 10**6, 20_000, 1)),) * 2),
    flag=st.sampled_from((0, NOW - 10, NOW - 500, 7)),
)
def test_accounts_around_maintenance_are_liquidated_by_the_rules(
    lots: tuple[int, int],
    sides: tuple[int, int],
    prices: tuple[int, int],
    place: int,
    weth: int,
    others: int,
    left: tuple[int, int],
    flag: int,
) -> None:
    """LIQ-1 to LIQ-8, SIZ-1 to SIZ-5: in part and in full, one or two positions in all brackets, windows full or not.

    ``place`` puts the account at so many thousandths of its maintenance margin.
    """
    positions = {
        market: Position(side * lots[market] * MARKETS[market].lot, side * lots[market] * W, 0)
        for market, side in enumerate(sides)
        if side
    }
    probe = holding(0, {WETH: weth} if weth else {}, positions, flagged_at=flag)
    surroundings = keeper_env(btc=prices[0] * W, eth=prices[1] * W)
    alone = compute_health(state_with({ACCOUNT: probe}), probe, surroundings)
    cash = alone.reserve + (alone.maintenance_margin - alone.reserve) * place // 1_000 - alone.equity_mm
    accounts = {
        ACCOUNT: replace(probe, cash=cash - 1),
        OTHER: holding(10**24, positions={BTC: opened(others * W, BTC_PRICE)}),
    }
    state = state_with(accounts, pool=10**6 * W, insurance=10**4 * W)
    for market, dollars in enumerate(left):
        state = with_params(state, market, window_notional=dollars * W)
    check_liquidation(state, surroundings)


def check_liquidation(state: State, surroundings: Env) -> None:
    """C1, L1, L2, L4, L6, L7, L8, L9, L11: what is true of every attempt to liquidate the account."""
    account = state.accounts[ACCOUNT]
    health = health_of(state, surroundings)
    prices = {market: surroundings.quote(market).mid for market in (BTC, ETH)}
    if not is_liquidatable(health):
        assert refused(state, surroundings, TAKE) == "liq/not-liquidatable"
        return
    standing = compute_account_state(RISK, health)
    shut = [m for m in account.positions if lot_value(m, prices[m]) > state.market_params[m].window_notional]
    code = outcome_of(state, surroundings, TAKE)
    if code == "liq/rate-limit":
        assert standing == AccountState.LIQUIDATABLE
        assert shut == list(account.positions)
        return
    assert code == "ok", "L8"
    outcome = run(state, surroundings, TAKE)
    after, found = outcome.state, event_of(outcome, AccountLiquidated)
    remaining = after.accounts[ACCOUNT]
    measured = health_of(after, surroundings)
    # L1, L11: positions only shrink, toward zero, and some do; a remainder is no dust.
    closed = 0
    limited = False
    for market, position in account.positions.items():
        size = remaining.positions[market].size if market in remaining.positions else 0
        assert 0 <= size * (1 if position.size > 0 else -1) <= abs(position.size)
        params, price = state.market_params[market], prices[market]
        limited |= compute_notional(position.size - size, price) + 2 * lot_value(market, price) > params.window_notional
        if size != position.size:
            closed += compute_notional(position.size - size, price)
            assert size == 0 or compute_notional(size, price) >= params.min_notional
    assert found.closed_notional == closed
    assert (closed > 0) == bool(account.positions)
    if found.account_state != AccountState.LIQUIDATABLE:
        assert remaining.positions == {}
    # L4: what is left is healthy unless a window held back; if nothing is left, nothing is owed.
    if remaining.positions:
        assert found.bad_debt == 0
        assert remaining.collateral == account.collateral
        assert limited or is_clear(RISK, measured)
        gained = measured.equity_mm - measured.maintenance_margin - health.equity_mm + health.maintenance_margin
        assert gained >= -RISK.fixed_reward, "L1"
    else:
        assert remaining.cash >= 0
    lifted = not remaining.positions or is_clear(RISK, measured)
    assert remaining.flagged_at == (0 if lifted else account.flagged_at or NOW)
    # L2: no value is created; with an empty impact ledger nobody is given any either.
    assert ledger_sum(after) == ledger_sum(state)
    assert measured.equity_raw <= max(health.equity_raw, 0)
    # L6, L7: the reward is bounded, and paid in full unless everybody is out of money.
    due = compute_reward(
        RISK,
        closed if account.positions else -account.cash,
        compute_reward_ratio(RISK, account.flagged_at, NOW),
    )
    assert found.reward_from_account <= found.reward <= due
    assert found.reward_from_account + found.penalty <= max(health.equity_raw, 0)
    if found.reward < due:
        assert after.ledger.pool == 0
    assert found.penalty <= compute_penalty(RISK, closed)
    if found.penalty:
        assert found.reward_from_account == due
    # L9: the loss goes through the sources in order.
    assert found.bad_debt == 0 or not remaining.collateral
    assert found.bad_debt_insurance + found.bad_debt_pool <= found.bad_debt
    if found.bad_debt_insurance < found.bad_debt:
        assert after.ledger.insurance == 0
    if found.bad_debt_insurance + found.bad_debt_pool < found.bad_debt:
        assert after.ledger.pool == 0
        assert after.ledger.deficit > 0
    assert limited or refused(after, surroundings, TAKE) == "liq/not-liquidatable"


def lot_value(market: int, price: int) -> int:
    """What a lot is worth, rounded down as the window does."""
    return MARKETS[market].lot * price // W


@given(
    lots=st.integers(200, 30_000),
    short=st.booleans(),
    missing=st.integers(1, 10**6),
    others=st.integers(-500, 500).filter(bool),
    impact=st.integers(0, 10**21),
    age=st.sampled_from((None, 0, 700, 5_000)),
)
def test_a_partial_liquidation_ends_clear_whatever_it_costs(
    lots: int, short: bool, missing: int, others: int, impact: int, age: int | None
) -> None:
    """LIQ-5, SIZ-1, L4: worst impact, latest reward: the account is at its buffer, and not a wei is missing."""
    size = (-1 if short else 1) * lots * LOT
    notional = lots * 8 * W
    cash = cdiv(notional, 40) + 10 * W - 1 - cdiv(notional, 40) * missing // (4 * 10**6)
    accounts = {
        ACCOUNT: holding(cash, positions={BTC: opened(size, BTC_PRICE)}, flagged_at=0 if age is None else NOW - age),
        OTHER: holding(10**24, positions={BTC: opened(others * W, BTC_PRICE)}),
    }
    state = state_with(accounts, pool=10**8 * W, impact={BTC: impact})
    outcome = run(state, keeper_env(), TAKE)
    left = outcome.state.accounts[ACCOUNT]
    if left.positions:
        assert is_clear(RISK, health_of(outcome.state, keeper_env()))
        assert left.flagged_at == 0
    assert refused(outcome.state, keeper_env(), TAKE) == "liq/not-liquidatable"
