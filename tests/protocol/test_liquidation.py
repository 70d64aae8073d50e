"""Keeper liquidation: what is closed, who is paid, who bears the loss, and the flag that starts the clock."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.account_state import AccountState, compute_account_state, is_clear
from protocol.actions import Deposit, FlagAccount, Liquidate, LiquidateMany, Trade, Transfer, Withdraw
from protocol.draft import Outcome
from protocol.env import Env, Quote, Status
from protocol.events import (
    AccountFlagged,
    AccountLiquidated,
    AccountUpdated,
    CollateralUpdated,
    Event,
    LedgerUpdated,
    LiquidationRefused,
    MarketUpdated,
    PositionUpdated,
    TokenUpdated,
    WindowUpdated,
)
from protocol.liquidation import MAX_BATCH
from protocol.margin import Health, compute_health, compute_notional, is_liquidatable
from protocol.params import MAX_POSITIONS, MarginBracket
from protocol.rewards import compute_penalty, compute_reward, compute_reward_ratio
from protocol.state import Account, MarketPhase, Position, State, Window, account_id
from protocol.units import DAY, SIGNED_LIMIT, W, cdiv
from protocol.window import add_closed, current_bucket
from tests.protocol.build import (
    ACCOUNT,
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
    PRICELESS,
    QUIET_MARKETS,
    STRANGER,
    TRADER,
    WETH,
    cash_of,
    check_order_of,
    env,
    event_of,
    holding,
    ledger_sum,
    moving,
    opened,
    outcome_of,
    position_of,
    refusal_of,
    refused,
    run,
    state_with,
    with_params,
    with_risk,
)
from tests.twins import RISK

TAKE = Liquidate(ACCOUNT)
FLAG = FlagAccount(ACCOUNT)
LOT = W // 1_000
OTHER = account_id(TRADER)
LOW, HIGH = RISK.reward_ratio, RISK.reward_ratio_max
BUCKET = NOW // 112  # of a window of an hour


def keeper_env(btc: int = BTC_PRICE, eth: int = ETH_PRICE, **changes: int) -> Env:
    """The surroundings of a liquidation."""
    return env(LIQUIDATOR, btc=btc, eth=eth, **changes)


def long_of(
    cash: int, btc: int = 1, weth: int = 0, pool: int = 10**6, insurance: int = 10**4, flagged_at: int = 0, **other: Any
) -> State:
    """An account with BTC bought at 8,000; whole coins and whole dollars of cash, pool and insurance."""
    held = {WETH: weth} if weth else {}
    account = holding(cash * W, held, {BTC: opened(btc * W, BTC_PRICE)}, flagged_at=flagged_at)
    return state_with({ACCOUNT: account}, pool=pool * W, insurance=insurance * W, **other)


def health_of(state: State, surroundings: Env, account: int = ACCOUNT) -> Health:
    """An account measured."""
    return compute_health(state, state.accounts[account], surroundings)


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


@pytest.mark.parametrize(("code", "status"), PRICELESS.items())
def test_a_liquidation_needs_a_price_of_what_it_closes(code: str, status: Status) -> None:
    """LIQ-3, LIQ-4, MRG-12: at the ceiling of 16,000 maintenance is 410 and the profit 8,000; then the price lacks."""
    bad = int(status)
    assert refused(long_of(-7_590), keeper_env(btc_status=bad), TAKE) == "liq/not-liquidatable"
    assert refused(long_of(-7_591), keeper_env(btc_status=bad), TAKE) == code
    # 0.1 WETH at the ceiling of 400 counts 36 dollars; what cannot be sold stops no close.
    assert refused(long_of(174, weth=10**17), keeper_env(eth_status=bad), TAKE) == "liq/not-liquidatable"
    assert outcome_of(long_of(173, weth=10**17), keeper_env(eth_status=bad), TAKE) == "ok"
    assert outcome_of(long_of(100), keeper_env(eth_status=bad), TAKE) == "ok"


@pytest.mark.parametrize(("wei", "code"), [(-1, "ok"), (0, "liq/not-liquidatable"), (1, "liq/not-liquidatable")])
def test_a_wei_below_maintenance_is_liquidatable_and_equality_is_safe(wei: int, code: str) -> None:
    """LIQ-4, M3: 1 BTC at 8,000 needs 200 and the reserve of 10."""
    account = holding(210 * W + wei, positions={BTC: opened(W, BTC_PRICE)})
    state = state_with({ACCOUNT: account}, pool=W)
    assert outcome_of(state, keeper_env(), TAKE) == code
    if code != "ok":
        facts = {"equity_mm": 210 * W + wei, "maintenance_margin": 210 * W}
        assert refusal_of(state, keeper_env(), TAKE).facts == facts


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


def test_funding_pending_until_now_counts() -> None:
    """LIQ-4, M5, B10: an account that nobody touched is below maintenance by what it owes, to the second."""
    # 1 % of 8,000 a day are 80 dollars: 211 less one dollar after 1,080 seconds.
    state = moving(long_of(211), BTC)
    assert refused(state, keeper_env(now=NOW + 1_080), TAKE) == "liq/not-liquidatable"
    outcome = run(state, keeper_env(now=NOW + 1_081), TAKE)
    assert event_of(outcome, PositionUpdated).funding == 1_081 * 80 * W // DAY
    assert event_of(outcome, AccountLiquidated).equity_mm == 211 * W - cdiv(1_081 * 80 * W, DAY) + 1


def test_opening_may_be_paused_and_liquidation_goes_on() -> None:
    """LIQ-4, L8, S9: no pause stops a liquidation."""
    run(replace(long_of(200), opening_paused=True), keeper_env(), TAKE)


def attempt(account: int = ACCOUNT, sender: int = LIQUIDATOR, price: int = 7_900 * W, left: int = 10**6) -> str:
    """A liquidation of an account that is liquidatable at 7,900."""
    state = with_params(long_of(300), BTC, window_notional=left * W)
    return outcome_of(state, env(sender, btc=price), Liquidate(account))


def test_a_liquidation_is_checked_in_order() -> None:
    """LIQ-1 to LIQ-5: of two faults the earlier check speaks."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("account/unknown", {"account": ACCOUNT + 1}),
        ("liq/self", {"sender": BORROWER}),
        ("liq/not-liquidatable", {"price": BTC_PRICE}),
        ("liq/rate-limit", {"left": 7}),
    ]
    check_order_of(faults, attempt)
    # An unregistered account of the keeper itself is unknown before it is the keeper's.
    assert refused(long_of(300), env(STRANGER), Liquidate(account_id(STRANGER))) == "account/unknown"


# --- worked by hand: LIQ-5 to LIQ-8 ---------------------------------------------------------------------------------


def test_a_partial_liquidation_worked_by_hand() -> None:
    """LIQ-5 to LIQ-8, SIZ-1, C4, C8: 2,009 of cash and 10 BTC, a dollar short: who gets what, every event in order."""
    outcome = run(long_of(2_009, btc=10), keeper_env(), TAKE)
    # 206 dollars lack to the target; at 1 % they are 20,600 of notional, a lot more for the slack.
    size, closed = 2_576 * LOT, 20_608 * W
    reward, penalty = 25_608 * W // 1_000, 206_080 * W // 1_000
    cash, left = 2_009 * W - reward - penalty, 10 * W - size
    cost, reserved = 80_000 * W - closed, (80_000 * W - closed) // 5
    pool, insurance = 10**6 * W + penalty // 2, 10**4 * W + penalty // 2
    decay = 0  # a skew of under 100 BTC lies in the dead band, and a rate of 0 rests
    assert outcome.events == (
        PositionUpdated(ACCOUNT, BTC, left, cost, 0, -size, 8_000 * W, 0, 0, 0, 0),
        MarketUpdated(BTC, left, 0, cost, 0, reserved, 0, 0, decay, 0, NOW, 0),
        WindowUpdated(BTC, BUCKET, closed, closed),
        AccountUpdated(ACCOUNT, cash),
        AccountUpdated(KEEPER, reward),
        LedgerUpdated(pool, insurance, 0, 0, 0, reserved),
        AccountLiquidated(
            account=ACCOUNT,
            keeper=KEEPER,
            account_state=AccountState.LIQUIDATABLE,
            equity_raw=2_009 * W,
            equity_mm=2_009 * W,
            maintenance_margin=2_010 * W,
            closed_notional=closed,
            reward=reward,
            reward_from_account=reward,
            penalty=penalty,
            bad_debt=0,
            bad_debt_insurance=0,
            bad_debt_pool=0,
        ),
    )
    assert outcome.state.accounts[ACCOUNT] == holding(cash, positions={BTC: Position(left, cost, 0)})
    assert outcome.state.accounts[KEEPER] == holding(reward)
    assert outcome.state.windows == (Window(closed, ((BUCKET, 0),)), Window(0, ()))
    assert compute_account_state(RISK, health_of(outcome.state, env())) is AccountState.MARGIN_CALL


def test_a_backstop_liquidation_worked_by_hand() -> None:
    """LIQ-5, LIQ-6, STA-1: below two thirds of maintenance the whole position goes, and no window counts it."""
    outcome = run(long_of(300), keeper_env(btc=7_840 * W), TAKE)
    reward, penalty = 12_840 * W // 1_000, 78_400 * W // 1_000
    cash = 140 * W - reward - penalty
    assert outcome.events == (
        PositionUpdated(ACCOUNT, BTC, 0, 0, 0, -W, 7_840 * W, -160 * W, 0, 0, 0),
        MarketUpdated(BTC, 0, 0, 0, 0, 0, 0, 0, 0, 0, NOW, 0),
        AccountUpdated(ACCOUNT, cash),
        AccountUpdated(KEEPER, reward),
        LedgerUpdated(10**6 * W + 160 * W + penalty // 2, 10**4 * W + penalty // 2, 0, 0, 0, 0),
        AccountLiquidated(
            account=ACCOUNT,
            keeper=KEEPER,
            account_state=AccountState.BACKSTOP,
            equity_raw=140 * W,
            equity_mm=140 * W,
            maintenance_margin=206 * W,
            closed_notional=7_840 * W,
            reward=reward,
            reward_from_account=reward,
            penalty=penalty,
            bad_debt=0,
            bad_debt_insurance=0,
            bad_debt_pool=0,
        ),
    )
    assert outcome.state.accounts[ACCOUNT] == holding(cash)
    assert outcome.state.windows == (Window(0, ()), Window(0, ()))


def test_a_bankrupt_liquidation_worked_by_hand() -> None:
    """LIQ-6, LIQ-7, WAT-3, L9, B5, B6: 300 of cash at 7,600: no penalty, the keeper and the loss on insurance."""
    outcome = run(long_of(300), keeper_env(btc=7_600 * W), TAKE)
    found = event_of(outcome, AccountLiquidated)
    reward = 12_600 * W // 1_000
    assert found.account_state == AccountState.BANKRUPT
    assert (found.equity_raw, found.reward, found.reward_from_account, found.penalty) == (-100 * W, reward, 0, 0)
    assert (found.bad_debt, found.bad_debt_insurance, found.bad_debt_pool) == (100 * W, 100 * W, 0)
    assert outcome.state.accounts[ACCOUNT] == holding(0)
    assert cash_of(outcome.state, KEEPER) == reward
    ledger = outcome.state.ledger
    assert (ledger.pool, ledger.insurance, ledger.deficit) == (10**6 * W + 400 * W, 10**4 * W - 100 * W - reward, 0)


def test_the_event_measures_the_account_before_the_liquidation() -> None:
    """LIQ-4, STA-1: equity, margin and state of the moment that allowed it."""
    states = {7_900: "LIQUIDATABLE", 7_841: "LIQUIDATABLE", 7_840: "BACKSTOP", 7_700: "BACKSTOP", 7_699: "BANKRUPT"}
    for price, state in states.items():
        found = event_of(run(long_of(300), keeper_env(btc=price * W), TAKE), AccountLiquidated)
        assert AccountState(found.account_state).name == state
        assert found.equity_raw == found.equity_mm == 300 * W + (price - 8_000) * W
        assert found.maintenance_margin == price * W // 40 + 10 * W


# --- what is closed: LIQ-5 ------------------------------------------------------------------------------------------


def test_several_positions_are_closed_in_the_order_of_the_plan() -> None:
    """LIQ-5, SIZ-1, L1, L11, B7: the larger margin first and in full, then as much of the next as is needed."""
    positions = {BTC: opened(-10 * W, BTC_PRICE), ETH: opened(100 * W, ETH_PRICE)}
    state = state_with({ACCOUNT: holding(1_800 * W, positions=positions)}, pool=10**6 * W)
    outcome = run(state, keeper_env(), TAKE)
    fills = [event for event in outcome.events if isinstance(event, PositionUpdated)]
    assert [(e.market, e.size_delta, e.size, e.fee) for e in fills] == [
        (BTC, 10 * W, 0, 0),
        (ETH, -8_251 * W // 100, 1_749 * W // 100, 0),
    ]
    windows = [event for event in outcome.events if isinstance(event, WindowUpdated)]
    assert [(w.market, w.closed) for w in windows] == [(BTC, 80_000 * W), (ETH, 16_502 * W)]
    found = event_of(outcome, AccountLiquidated)
    assert found.closed_notional == 80_000 * W + 16_502 * W
    # One fixed reward for all of it.
    assert found.reward == 5 * W + 96_502 * W // 1_000
    assert is_clear(RISK, health_of(outcome.state, env()))


def test_all_of_a_worse_account_is_closed() -> None:
    """LIQ-5: below two thirds of maintenance every position, long and short, to zero, at the oracle price."""
    positions = {BTC: opened(W, BTC_PRICE), ETH: opened(-10 * W, ETH_PRICE)}
    state = state_with({ACCOUNT: holding(150 * W, positions=positions)}, pool=10**6 * W)
    outcome = run(state, keeper_env(btc=7_990 * W, eth=201 * W), TAKE)
    fills = [event for event in outcome.events if isinstance(event, PositionUpdated)]
    assert [(e.market, e.size, e.size_delta, e.price, e.pnl) for e in fills] == [
        (BTC, 0, -W, 7_990 * W, -10 * W),
        (ETH, 0, 10 * W, 201 * W, -10 * W),
    ]
    assert event_of(outcome, AccountLiquidated).closed_notional == 7_990 * W + 2_010 * W
    assert outcome.state.accounts[ACCOUNT].positions == {}


def test_a_small_remainder_is_closed_with_the_rest() -> None:
    """LIQ-5, SIZ-5, L6: of 1,200 dollars, less than the minimum of 1,000 would remain."""
    account = holding(39 * W, positions={BTC: opened(150 * LOT, BTC_PRICE)})
    state = state_with({ACCOUNT: account}, pool=10**6 * W, insurance=10**4 * W)
    outcome = run(state, keeper_env(), TAKE)
    found = event_of(outcome, AccountLiquidated)
    assert found.account_state == AccountState.LIQUIDATABLE
    assert (found.closed_notional, found.reward) == (1_200 * W, 6_200 * W // 1_000)
    assert outcome.state.accounts[ACCOUNT].positions == {}


def test_a_large_position_is_walked_down_its_brackets() -> None:
    """LIQ-5, SIZ-4: 1.2 million in two brackets: the closing of the upper one alone heals an account just short."""
    state = with_params(long_of(33_000, btc=150), BTC, window=0)
    outcome = run(state, keeper_env(), TAKE)
    # 3,315 lack; 2.65 % of 125,094 relieve them.
    assert position_of(outcome.state).size == 150 * W - 15_637 * LOT
    assert is_clear(RISK, health_of(outcome.state, env()))
    deep = with_params(long_of(30_000, btc=150), BTC, window=0)
    outcome = run(deep, keeper_env(), TAKE)
    # 6,315 lack: 5,300 in the upper bracket, the rest at 1 % of 101,500.
    assert position_of(outcome.state).size == 150 * W - 37_688 * LOT
    assert is_clear(RISK, health_of(outcome.state, env()))


def test_impact_is_charged_within_its_bound_and_given_back_in_full() -> None:
    """LIQ-5, FIL-6: a short bought back into others' longs pays at most half a per cent of what is closed."""
    accounts = {
        ACCOUNT: holding(2_009 * W, positions={BTC: opened(-10 * W, BTC_PRICE)}),
        OTHER: holding(10**6 * W, positions={BTC: opened(500 * W, BTC_PRICE)}),
    }
    outcome = run(state_with(accounts, pool=10**7 * W), keeper_env(), TAKE)
    closed = event_of(outcome, PositionUpdated)
    assert (closed.size_delta, closed.impact, closed.fee) == (2_576 * LOT, 20_608 * W // 200, 0)
    assert is_clear(RISK, health_of(outcome.state, env()))
    rich = state_with({ACCOUNT: accounts[ACCOUNT]}, pool=10**7 * W, impact={BTC: 100 * W})
    outcome = run(rich, keeper_env(), TAKE)
    rebate = (10**2 * W * W - (7_424 * LOT) ** 2) * 9 * 8_000 // (20_000 * 10 * W)
    assert event_of(outcome, PositionUpdated).impact == -rebate
    assert cash_of(outcome.state) == 2_009 * W + rebate - 25_608 * W // 1_000 - 206_080 * W // 1_000


def test_a_phased_in_change_is_sized_by_the_rates_in_force() -> None:
    """LIQ-4, LIQ-5, MRG-8: doubled rates do not make liquidatable before the phase ends, nor close more."""
    dear = tuple(replace(row, mm_rate=row.mm_rate * 3 // 2) for row in MARKETS[BTC].brackets)
    state = with_params(long_of(2_009, btc=10), BTC, brackets=dear)
    phase = MarketPhase(NOW + 1, MARKETS[BTC].brackets, 0)
    phased = replace(state, market_phases=(phase, state.market_phases[ETH]))
    before = run(phased, keeper_env(), TAKE)
    assert event_of(before, AccountLiquidated).maintenance_margin == 2_010 * W
    assert position_of(before.state).size == 7_424 * LOT
    after = run(phased, keeper_env(now=NOW + 1), TAKE)
    assert event_of(after, AccountLiquidated).maintenance_margin == 3_010 * W
    assert event_of(after, AccountLiquidated).account_state == AccountState.BACKSTOP


# --- the window: LIQ-5, WIN-3 ---------------------------------------------------------------------------------------


def windowed(left: int, cash: int = 2_009, window: int = 3_600, flagged_at: int = 0) -> State:
    """10 BTC a dollar short of maintenance, in a market whose window lets whole dollars through."""
    return with_params(long_of(cash, btc=10, flagged_at=flagged_at), BTC, window=window, window_notional=left * W)


@pytest.mark.parametrize(
    ("left", "lots"), [(20_608, 2_576), (20_607, 2_575), (8_000, 1_000), (8, 1), (7, None), (0, None)]
)
def test_the_window_caps_what_a_liquidatable_account_loses(left: int, lots: int | None) -> None:
    """LIQ-5, WIN-3: in whole lots; when not one is allowed, the named exception to L8."""
    state = windowed(left)
    if lots is None:
        refusal = refusal_of(state, keeper_env(), TAKE)
        assert (refusal.code, refusal.facts) == ("liq/rate-limit", {})
        return
    outcome = run(state, keeper_env(), TAKE)
    assert position_of(outcome.state).size == 10 * W - lots * LOT
    assert event_of(outcome, AccountLiquidated).closed_notional == lots * 8 * W


def test_backstop_and_bankrupt_accounts_are_not_held_up() -> None:
    """LIQ-5, WIN-3, L8: they neither ask the window nor count in it."""
    for cash in (1_300, -1):
        outcome = run(windowed(0, cash=cash), keeper_env(), TAKE)
        assert outcome.state.accounts[ACCOUNT].positions == {}
        assert not any(isinstance(event, WindowUpdated) for event in outcome.events)
        assert outcome.state.windows[BTC] == Window(0, ())


def test_a_market_without_a_window_has_no_limit_and_counts_nothing() -> None:
    """LIQ-5: a length of 0."""
    outcome = run(windowed(0, window=0), keeper_env(), TAKE)
    assert position_of(outcome.state).size == 7_424 * LOT
    assert not any(isinstance(event, WindowUpdated) for event in outcome.events)


def test_one_window_is_shared_by_all_accounts_and_moves_on() -> None:
    """LIQ-5, WIN-2: what one account lost, another cannot lose, until the bucket is 32 old."""
    account = holding(2_009 * W, positions={BTC: opened(10 * W, BTC_PRICE)})
    state = state_with({ACCOUNT: account, OTHER: replace(account, cash=1_800 * W)}, pool=10**6 * W)
    state = with_params(state, BTC, window_notional=30_000 * W)
    first = run(state, keeper_env(), TAKE).state
    second = run(first, keeper_env(), Liquidate(OTHER))
    # 9,392 dollars are left: 1,174 lots of 8.
    assert position_of(second.state, OTHER).size == 10 * W - 1_174 * LOT
    assert event_of(second, WindowUpdated) == WindowUpdated(BTC, BUCKET, 30_000 * W, 30_000 * W)
    assert second.state.accounts[OTHER].flagged_at == NOW
    assert refused(second.state, keeper_env(), Liquidate(OTHER)) == "liq/rate-limit"
    begins = (BUCKET + 32) * 112
    assert refused(second.state, keeper_env(now=begins - 1), Liquidate(OTHER)) == "liq/rate-limit"
    third = run(second.state, keeper_env(now=begins), Liquidate(OTHER)).state
    assert is_clear(RISK, health_of(third, keeper_env(now=begins), OTHER))
    assert third.accounts[OTHER].flagged_at == 0
    assert third.windows[BTC].entries == ((BUCKET + 32, 30_000 * W),)
    assert third.windows[BTC].closed > 50_000 * W


def test_the_full_close_of_a_remainder_may_exceed_the_window() -> None:
    """LIQ-5, SIZ-5, WIN-3: by less than the minimum notional; the next one finds nothing left."""
    account = holding(39 * W, positions={BTC: opened(150 * LOT, BTC_PRICE)})
    state = state_with({ACCOUNT: account, OTHER: account}, pool=10**6 * W)
    state = with_params(state, BTC, window_notional=300 * W)
    outcome = run(state, keeper_env(), TAKE)
    assert event_of(outcome, WindowUpdated) == WindowUpdated(BTC, BUCKET, 1_200 * W, 1_200 * W)
    assert refused(outcome.state, keeper_env(), Liquidate(OTHER)) == "liq/rate-limit"


def test_what_one_window_holds_back_is_taken_from_another_market() -> None:
    """LIQ-5, SIZ-1, L8: as far as the account has one that may still be closed; else it stays short and is flagged."""
    positions = {BTC: opened(10 * W, BTC_PRICE), ETH: opened(400 * W, ETH_PRICE)}
    state = state_with({ACCOUNT: holding(4_000 * W, positions=positions)}, pool=10**6 * W)

    def fills(outcome: Outcome) -> list[tuple[int, int]]:
        return [(e.market, e.size_delta) for e in outcome.events if isinstance(e, PositionUpdated)]

    # 415 lack: 41,500 of the one or the other; their margins are the same, so the lower id goes first.
    assert fills(run(state, keeper_env(), TAKE)) == [(BTC, -5_188 * LOT)]
    for left, expected in (
        (20_000, [(BTC, -2_500 * LOT), (ETH, -10_751 * W // 100)]),
        (0, [(ETH, -20_751 * W // 100)]),
    ):
        outcome = run(with_params(state, BTC, window_notional=left * W), keeper_env(), TAKE)
        assert fills(outcome) == expected
        assert is_clear(RISK, health_of(outcome.state, keeper_env()))
    both = with_params(with_params(state, BTC, window_notional=0), ETH, window_notional=10_000 * W)
    outcome = run(both, keeper_env(), TAKE)
    assert fills(outcome) == [(ETH, -50 * W)]
    assert outcome.state.accounts[ACCOUNT].flagged_at == NOW
    assert refused(with_params(both, ETH, window_notional=W), keeper_env(), TAKE) == "liq/rate-limit"


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


# --- the flag: LIQ-8, LIQ-10 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "cash", "before", "after"),
    [
        # Closed to the target, or in full: lifted.
        (10**6, 2_009, 0, 0),
        (10**6, 2_009, 7, 0),
        (10**6, 1_000, 7, 0),
        (10**6, -5_000, 7, 0),
        # Held back by the window: set, or kept as it was.
        (8_000, 2_009, 0, NOW),
        (8_000, 2_009, 7, 7),
        (8_000, 2_009, NOW, NOW),
    ],
)
def test_the_flag_after_a_liquidation(left: int, cash: int, before: int, after: int) -> None:
    """LIQ-8: an event only if it changes, between the fills and the balances."""
    outcome = run(windowed(left, cash=cash, flagged_at=before), keeper_env(), TAKE)
    assert outcome.state.accounts[ACCOUNT].flagged_at == after
    flags = [event for event in outcome.events if isinstance(event, AccountFlagged)]
    assert flags == ([AccountFlagged(ACCOUNT, after)] if before != after else [])
    if flags:
        assert isinstance(outcome.events[-5], AccountFlagged)


def test_the_flag_is_settled_on_what_reward_and_penalty_left() -> None:
    """LIQ-8, STA-2: at the border of the buffer the charges of this liquidation decide, to the wei."""
    # A window that lets 20,000 through: 2,500 lots. Reward 25, penalty 200; 60,000 need 1,500 and, buffered, 1,660.
    for wei, flagged in ((0, 0), (-1, NOW)):
        account = holding(1_885 * W + wei, positions={BTC: opened(10 * W, BTC_PRICE)})
        state = state_with({ACCOUNT: account}, pool=10**6 * W, insurance=10**4 * W)
        state = with_params(state, BTC, window_notional=20_000 * W)
        outcome = run(state, keeper_env(), TAKE)
        assert cash_of(outcome.state) == 1_660 * W + wei
        assert outcome.state.accounts[ACCOUNT].flagged_at == flagged


def test_a_flag_starts_the_clock_and_pays_nobody() -> None:
    """LIQ-10: by anyone, the owner included; the event and the account's time, and nothing else."""
    state = long_of(200)
    for sender in (STRANGER, LIQUIDATOR, BORROWER):
        outcome = run(state, env(sender), FLAG)
        assert outcome.events == (AccountFlagged(ACCOUNT, NOW),)
        assert outcome.state.accounts[ACCOUNT] == replace(state.accounts[ACCOUNT], flagged_at=NOW)
        assert outcome.state.ledger == state.ledger


@pytest.mark.parametrize(
    ("flagged", "wei", "expected"),
    [
        # 1 BTC needs 210, and 230 with the buffer.
        (0, 210 * W - 1, "flagged"),
        (0, 210 * W, "liq/not-liquidatable"),
        (0, 230 * W, "liq/not-liquidatable"),
        (7, 210 * W - 1, "liq/flagged"),
        (7, 210 * W, "liq/flagged"),
        (7, 230 * W - 1, "liq/flagged"),
        (7, 230 * W, "lifted"),
        (7, 10**6 * W, "lifted"),
    ],
)
def test_a_flag_is_set_below_maintenance_and_lifted_at_the_buffer(flagged: int, wei: int, expected: str) -> None:
    """LIQ-10, STA-2: hysteresis: in between it stays, so that a moment above maintenance restarts no clock."""
    account = holding(wei, positions={BTC: opened(W, BTC_PRICE)}, flagged_at=flagged)
    state = state_with({ACCOUNT: account})
    if "/" in expected:
        refusal = refusal_of(state, env(STRANGER), FLAG)
        facts = {"flagged_at": 7} if flagged else {"equity_mm": wei, "maintenance_margin": 210 * W}
        assert (refusal.code, refusal.facts) == (expected, facts)
        return
    after = run(state, env(STRANGER), FLAG).state
    assert after.accounts[ACCOUNT].flagged_at == (NOW if expected == "flagged" else 0)


def test_an_account_without_positions_is_flagged_for_its_debt_and_cleared_at_zero() -> None:
    """LIQ-10: the same rule where both margins are 0."""
    assert outcome_of(state_with({ACCOUNT: holding(-1)}), env(), FLAG) == "ok"
    assert refused(state_with({ACCOUNT: holding(0)}), env(), FLAG) == "liq/not-liquidatable"
    assert refused(state_with({ACCOUNT: holding(-1, flagged_at=7)}), env(), FLAG) == "liq/flagged"
    assert outcome_of(state_with({ACCOUNT: holding(0, flagged_at=7)}), env(), FLAG) == "ok"


def test_a_flag_is_checked_in_order() -> None:
    """LIQ-10: account, then state; no fault of a price stops it."""

    def attempt_flag(account: int = ACCOUNT, cash: int = 200, flagged: int = 0) -> str:
        return outcome_of(long_of(cash, flagged_at=flagged), env(STRANGER), FlagAccount(account))

    faults: list[tuple[str, dict[str, Any]]] = [
        ("account/unknown", {"account": KEEPER}),
        ("liq/flagged", {"flagged": 7}),
        ("liq/not-liquidatable", {"cash": 210}),
    ]
    assert attempt_flag(flagged=7, cash=230) == "ok"
    check_order_of(faults[:-1], attempt_flag)
    assert attempt_flag(**faults[-1][1]) == faults[-1][0]
    for status in Status:
        assert outcome_of(long_of(1, weth=1), env(STRANGER, eth_status=int(status)), FLAG) == "ok"


# --- batches: LIQ-9 -------------------------------------------------------------------------------------------------


def crowd() -> State:
    """Five accounts: three below maintenance, one healthy, one bankrupt."""
    accounts = {
        account_id(BORROWER, sub): holding(cash * W, positions={BTC: opened(10 * W, BTC_PRICE)})
        for sub, cash in enumerate((2_009, 10**4, 1_900, 1_000, -500))
    }
    return state_with(accounts, pool=10**6 * W, insurance=10**4 * W)


def test_a_batch_liquidates_each_account_by_itself() -> None:
    """LIQ-9, X9, B30, B31: the same state and events as single calls; refusals are reported and stop nothing."""
    batch = (ACCOUNT, ACCOUNT + 1, 99, ACCOUNT + 4, ACCOUNT, ACCOUNT + 3, KEEPER, ACCOUNT + 2)
    outcome = run(crowd(), keeper_env(), LiquidateMany(batch))
    events: list[Event] = []
    state, refusals = crowd(), []
    for account in batch:
        code = outcome_of(state, keeper_env(), Liquidate(account))
        if code == "ok":
            single = run(state, keeper_env(), Liquidate(account))
            state = single.state
            events.extend(single.events)
        else:
            events.append(LiquidationRefused(account, code))
            refusals.append((account, code))
    assert outcome == Outcome(state, tuple(events))
    assert refusals == [
        (ACCOUNT + 1, "liq/not-liquidatable"),
        (99, "account/unknown"),
        (ACCOUNT, "liq/not-liquidatable"),
        (KEEPER, "liq/self"),
    ]


def test_a_batch_has_at_most_32_entries() -> None:
    """LIQ-9, S7: longer ones are refused as a whole, before anything is done."""
    assert MAX_BATCH == 32
    full = run(crowd(), keeper_env(), LiquidateMany((ACCOUNT,) * 32))
    assert [type(event) for event in full.events].count(LiquidationRefused) == 31
    refusal = refusal_of(crowd(), keeper_env(), LiquidateMany((ACCOUNT,) * 33))
    assert (refusal.code, refusal.facts) == ("liq/batch", {"most": 32})


def test_an_empty_batch_and_one_of_refusals_change_nothing() -> None:
    """LIQ-9: nothing to do is no refusal."""
    start = crowd()
    assert run(start, keeper_env(), LiquidateMany(())) == Outcome(start, ())
    none = run(start, keeper_env(), LiquidateMany((ACCOUNT + 1, 99)))
    assert none.state == start
    assert none.events == (
        LiquidationRefused(ACCOUNT + 1, "liq/not-liquidatable"),
        LiquidationRefused(99, "account/unknown"),
    )


def test_a_batch_without_prices_reports_each() -> None:
    """LIQ-9: the code of each refusal, prices included; a sum that does not fit stops only its account."""
    bad = int(Status.NON_POSITIVE)
    state = with_params(crowd(), BTC, ceiling=8_000 * W)
    outcome = run(state, keeper_env(btc=0, btc_status=bad), LiquidateMany((ACCOUNT + 1, ACCOUNT + 4)))
    assert outcome.events == (
        LiquidationRefused(ACCOUNT + 1, "liq/not-liquidatable"),
        LiquidationRefused(ACCOUNT + 4, "oracle/non-positive"),
    )


# --- attacks --------------------------------------------------------------------------------------------------------


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


# --- properties -----------------------------------------------------------------------------------------------------

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
MONEY = st.integers(0, 10**24) | st.integers(0, 100)


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


def test_the_largest_loss_that_fits_is_settled() -> None:
    """LIQ-5, L8, T9: a balance at the lower end of its word; one wei more is a domain error, not a wrong number."""
    for cash, code in ((-1, "ok"), (-2, "sys/domain")):
        account = holding(cash, positions={BTC: Position(1, SIGNED_LIMIT - 1, 0)})
        risk = with_risk(lock_ratio=0)
        assert outcome_of(state_with({ACCOUNT: account}, risk=risk), keeper_env(btc=1), TAKE) == code


def test_a_window_that_would_overflow_is_a_domain_error() -> None:
    """LIQ-5, UNIT-3, WIN-2: what a market ever closed holds 128 bits."""
    state = windowed(10**6)
    for room, code in ((20_608 * W + 1, "ok"), (20_608 * W, "sys/domain")):
        closed = 2**128 - room
        window = add_closed(state.market_params[BTC], Window(0, ()), NOW - 10**5, closed)
        full = replace(state, windows=(window, state.windows[ETH]))
        assert outcome_of(full, keeper_env(), TAKE) == code
    assert current_bucket(state.market_params[BTC], NOW) == BUCKET


def test_a_maintenance_rate_of_the_market_decides_what_a_close_relieves() -> None:
    """SIZ-2, LIQ-5, N5: with a higher rate a smaller part of the position is enough for the same shortage."""
    rows = (MarginBracket(0, W // 20, W // 10),)
    state = with_params(long_of(4_009, btc=10), BTC, brackets=rows)
    outcome = run(state, keeper_env(), TAKE)
    # 406 lack; a dollar relieves 5.5 % less 1.75 %: 10,826.67, in lots of 8 dollars.
    assert position_of(outcome.state).size == 10 * W - 1_354 * LOT
