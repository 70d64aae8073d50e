"""Liquidation of one account: who and when, examples worked by hand, and what is closed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.account_state import AccountState, compute_account_state, is_clear
from protocol.actions import Liquidate
from protocol.env import Status
from protocol.events import (
    AccountLiquidated,
    AccountUpdated,
    LedgerUpdated,
    MarketUpdated,
    PositionUpdated,
    WindowUpdated,
)
from protocol.margin import compute_health
from protocol.params import MarginBracket
from protocol.state import MarketPhase, Position, Window, account_id
from protocol.units import DAY, SIGNED_LIMIT, W, cdiv
from tests.protocol.build import (
    ACCOUNT,
    BORROWER,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    KEEPER,
    LIQUIDATOR,
    MARKETS,
    NOW,
    PRICELESS,
    STRANGER,
    WETH,
    cash_of,
    check_order_of,
    env,
    event_of,
    holding,
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
from tests.protocol.liquidating import BUCKET, LOT, OTHER, TAKE, health_of, keeper_env, long_of
from tests.twins import RISK

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


def test_the_largest_loss_that_fits_is_settled() -> None:
    """LIQ-5, L8, T9: a balance at the lower end of its word; one wei more is a domain error, not a wrong number."""
    for cash, code in ((-1, "ok"), (-2, "sys/domain")):
        account = holding(cash, positions={BTC: Position(1, SIGNED_LIMIT - 1, 0)})
        risk = with_risk(lock_ratio=0)
        assert outcome_of(state_with({ACCOUNT: account}, risk=risk), keeper_env(btc=1), TAKE) == code


def test_a_maintenance_rate_of_the_market_decides_what_a_close_relieves() -> None:
    """SIZ-2, LIQ-5, N5: with a higher rate a smaller part of the position is enough for the same shortage."""
    rows = (MarginBracket(0, W // 20, W // 10),)
    state = with_params(long_of(4_009, btc=10), BTC, brackets=rows)
    outcome = run(state, keeper_env(), TAKE)
    # 406 lack; a dollar relieves 5.5 % less 1.75 %: 10,826.67, in lots of 8 dollars.
    assert position_of(outcome.state).size == 10 * W - 1_354 * LOT
