"""The margin call: who may announce it, when, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.account_state import AccountState, compute_account_state
from protocol.actions import Deposit, FlagAccount, Liquidate, MarginCall, Trade
from protocol.env import Status
from protocol.events import AccountUpdated, LedgerUpdated, MarginCalled
from protocol.margin import Health, compute_health
from protocol.margin_call import compute_call_fee
from protocol.state import State
from protocol.units import W
from tests.protocol.build import (
    ACCOUNT,
    BORROWER,
    BTC,
    BTC_PRICE,
    KEEPER,
    LIQUIDATOR,
    NOW,
    PRICELESS,
    STRANGER,
    WETH,
    cash_of,
    check_order_of,
    env,
    event_of,
    holding,
    ledger_sum,
    opened,
    outcome_of,
    refusal_of,
    refused,
    run,
    state_with,
    with_risk,
)
from tests.twins import RISK

CALL = MarginCall(ACCOUNT)
# 10 BTC at 8,000 need 2,000, and 10 of reserve; a quarter above that, 2,510, ends the margin-call zone.
FLOOR, TOP = 2_010 * W, 2_510 * W


def holder(cash: int, called_at: int = 0, weth: int = 0, **risk: Any) -> State:
    """An account with 10 BTC and cash in wei."""
    held = holding(cash, {WETH: weth} if weth else {}, {BTC: opened(10 * W, BTC_PRICE)}, margin_called_at=called_at)
    return state_with({ACCOUNT: held}, pool=10**6 * W, risk=with_risk(**risk))


# --- MCL-1: who and when --------------------------------------------------------------------------------------------


def test_a_margin_call_is_announced_and_paid_to_the_callers_account() -> None:
    """MCL-1: every event in order; the caller's account 0 begins with its fee."""
    outcome = run(holder(2_300 * W), env(LIQUIDATOR), CALL)
    assert outcome.events == (
        AccountUpdated(ACCOUNT, 2_299 * W),
        AccountUpdated(KEEPER, W),
        LedgerUpdated(10**6 * W, 0, 0, 0, 0, 16_000 * W),
        MarginCalled(ACCOUNT, KEEPER, 2_300 * W, 2_010 * W, W, NOW),
    )
    assert outcome.state.accounts[ACCOUNT] == replace(
        holding(2_299 * W, positions={BTC: opened(10 * W, BTC_PRICE)}), margin_called_at=NOW
    )
    assert outcome.state.accounts[KEEPER] == holding(W)
    known = state_with({**holder(2_300 * W).accounts, KEEPER: holding(-5 * W, {WETH: 10**18})}, pool=10**6 * W)
    after = run(known, env(LIQUIDATOR), CALL).state
    assert after.accounts[KEEPER] == holding(-4 * W, {WETH: 10**18})
    assert after.ledger.trader_debt == 4 * W


def test_anyone_but_the_account_itself_may_call() -> None:
    """MCL-1, B1: another account of the owner may; one that is not registered cannot be called."""
    state = holder(2_300 * W)
    run(state, env(STRANGER), CALL)
    assert refused(state, env(BORROWER), CALL) == "liq/self"
    assert refused(state, env(LIQUIDATOR), MarginCall(KEEPER)) == "account/unknown"
    second = state_with({ACCOUNT + 1: holder(2_300 * W).accounts[ACCOUNT]}, pool=W)
    assert cash_of(run(second, env(BORROWER), MarginCall(ACCOUNT + 1)).state, ACCOUNT) == W


@pytest.mark.parametrize(
    ("cash", "code"),
    [
        (FLOOR - 1, "margin/no-call"),
        (FLOOR, "ok"),
        (FLOOR + 1, "ok"),
        (TOP - 1, "ok"),
        (TOP, "margin/no-call"),
        (TOP + 1, "margin/no-call"),
        (10**6 * W, "margin/no-call"),
        (W, "margin/no-call"),
        (-W, "margin/no-call"),
    ],
)
def test_only_an_account_in_the_margin_call_zone_is_called(cash: int, code: str) -> None:
    """MCL-1, STA-1, M3: from maintenance, where it cannot be liquidated, to a quarter above it, to the wei."""
    state = holder(cash)
    assert outcome_of(state, env(LIQUIDATOR), CALL) == code
    if code != "ok":
        facts = {"equity_mm": cash, "maintenance_margin": FLOOR}
        assert refusal_of(state, env(LIQUIDATOR), CALL).facts == facts


def test_an_account_without_a_position_is_never_called() -> None:
    """MCL-1, STA-1: without margin there is no zone above it."""
    for cash in (0, 1, W):
        assert refused(state_with({ACCOUNT: holding(cash)}), env(LIQUIDATOR), CALL) == "margin/no-call"


@pytest.mark.parametrize("status", PRICELESS.values())
def test_a_margin_call_measures_without_a_price(status: Status) -> None:
    """MCL-1, MRG-12: at the ceiling of 16,000 a long of 10 BTC gains 80,000; WETH counts 90 % of 400."""
    bad = int(status)
    assert refused(holder(2_300 * W), env(LIQUIDATOR, btc_status=bad), CALL) == "margin/no-call"
    assert outcome_of(holder(4_300 * W - 80_000 * W), env(LIQUIDATOR, btc_status=bad), CALL) == "ok"
    assert refused(holder(2_009 * W), env(LIQUIDATOR), CALL) == "margin/no-call"
    assert outcome_of(holder(2_009 * W, weth=10**18), env(LIQUIDATOR, eth_status=bad), CALL) == "ok"


# --- MCL-2: once an hour --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("called_at", "code"),
    [
        (0, "ok"),
        (NOW, "margin/just-called"),
        (NOW - 3_599, "margin/just-called"),
        (NOW - 3_600, "ok"),
        (NOW - 3_601, "ok"),
    ],
)
def test_an_account_is_called_at_most_once_an_hour(called_at: int, code: str) -> None:
    """MCL-2: to the second, whoever calls; a time of 0 is never."""
    state = holder(2_300 * W, called_at)
    assert outcome_of(state, env(LIQUIDATOR), CALL) == code
    if code != "ok":
        assert refusal_of(state, env(LIQUIDATOR), CALL).facts == {"margin_called_at": called_at}


def test_a_time_of_zero_is_never_and_not_an_hour_ago() -> None:
    """MCL-2: in the first hour of time itself."""
    run(holder(2_300 * W), env(LIQUIDATOR, now=5), CALL)
    assert refused(holder(2_300 * W, called_at=1), env(LIQUIDATOR, now=5), CALL) == "margin/just-called"


def test_a_margin_call_grants_nothing() -> None:
    """MCL-1, L12: no time, no flag; what the account may do and what may be done to it is as before."""
    called = run(holder(2_300 * W), env(LIQUIDATOR), CALL).state
    assert called.accounts[ACCOUNT].flagged_at == 0
    fallen = env(LIQUIDATOR, btc=7_960 * W)
    run(called, fallen, Liquidate(ACCOUNT))
    run(called, fallen, FlagAccount(ACCOUNT))
    run(called, env(), Trade(ACCOUNT, BTC, -W, 0))
    run(called, env(STRANGER), Deposit(ACCOUNT, 0, 1))
    assert refused(called, env(), Trade(ACCOUNT, BTC, W, 2**200)) == "margin/initial"


# --- MCL-3: the fee -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "mm", "maintenance", "fee"),
    [
        # A dollar, as long as that is at most 0.05 % of the account value.
        (2_000 * W, 300 * W, 200 * W, W),
        (2_000 * W - 1, 300 * W, 200 * W, W - 1),
        (10**6 * W, 300 * W, 200 * W, W),
        (400 * W, 300 * W, 200 * W, W // 5),
        (1_999, 300, 200, 0),
        (2_000, 300, 200, 1),
        (3_999, 300, 200, 1),
        # Never so much that it could be liquidated.
        (10**6 * W, 200 * W + 1, 200 * W, 1),
        (10**6 * W, 200 * W, 200 * W, 0),
        (10**6 * W, 201 * W - 1, 200 * W, W - 1),
        (-5, 300, 200, 0),
    ],
)
def test_the_fee_is_bounded_by_value_and_by_maintenance(raw: int, mm: int, maintenance: int, fee: int) -> None:
    """MCL-3: rounded down against the caller."""
    health = Health(raw, mm, 0, maintenance, 0, 0, 0, 0)
    assert compute_call_fee(RISK, health) == fee
    assert compute_call_fee(with_risk(margin_call_fee=0), health) == 0
    uncapped = compute_call_fee(with_risk(margin_call_fee=10**9 * W), health)
    assert uncapped == min(max(raw, 0) // 2_000, mm - maintenance)


@given(
    extra=st.integers(0, 499 * W) | st.integers(0, 100),
    weth=st.integers(0, 10**19) | st.integers(0, 100),
    fee=st.integers(0, 10**22) | st.integers(0, 100),
)
def test_a_called_account_stays_above_maintenance(extra: int, weth: int, fee: int) -> None:
    """MCL-3, M3, C1, L2: the fee moves from one balance to another, and no call makes an account liquidatable."""
    cash = FLOOR + extra - weth * 180
    state = holder(cash, weth=weth, margin_call_fee=fee)
    before = compute_health(state, state.accounts[ACCOUNT], env())
    if compute_account_state(state.risk, before) != AccountState.MARGIN_CALL:
        return
    outcome = run(state, env(LIQUIDATOR), CALL)
    paid = event_of(outcome, MarginCalled).fee
    assert 0 <= paid <= fee
    assert paid * 2_000 <= before.equity_raw
    assert cash_of(outcome.state) == cash - paid
    assert cash_of(outcome.state, KEEPER) == paid
    after = compute_health(outcome.state, outcome.state.accounts[ACCOUNT], env())
    assert after.equity_mm >= after.maintenance_margin
    assert refused(outcome.state, env(LIQUIDATOR), Liquidate(ACCOUNT)) == "liq/not-liquidatable"
    assert ledger_sum(outcome.state) == ledger_sum(state)


def test_a_margin_call_is_checked_in_order() -> None:
    """MCL-1, MCL-2: of two faults the earlier check speaks."""

    def attempt(account: int = ACCOUNT, sender: int = LIQUIDATOR, cash: int = 2_300 * W, called: int = 0) -> str:
        return outcome_of(holder(cash, called), env(sender), MarginCall(account))

    faults: list[tuple[str, dict[str, Any]]] = [
        ("account/unknown", {"account": ACCOUNT + 1}),
        ("liq/self", {"sender": BORROWER}),
        ("margin/no-call", {"cash": TOP}),
        ("margin/just-called", {"called": NOW - 1}),
    ]
    check_order_of(faults, attempt)
