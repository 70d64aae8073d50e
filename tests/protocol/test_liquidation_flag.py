"""The flag that starts the clock of a reward, set by a call and by a liquidation: LIQ-8, LIQ-10."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.actions import FlagAccount
from protocol.env import Status
from protocol.events import AccountFlagged
from protocol.units import W
from tests.protocol.build import (
    ACCOUNT,
    BORROWER,
    BTC,
    BTC_PRICE,
    KEEPER,
    LIQUIDATOR,
    NOW,
    STRANGER,
    cash_of,
    check_order_of,
    env,
    holding,
    opened,
    outcome_of,
    refusal_of,
    refused,
    run,
    state_with,
    with_params,
)
from tests.protocol.liquidating import FLAG, TAKE, keeper_env, long_of, windowed


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
