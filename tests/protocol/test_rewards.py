"""What a liquidation pays its keeper and charges the account, and who pays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.draft import Draft
from protocol.rewards import compute_penalty, compute_reward, compute_reward_ratio, draw_reward, pay_from_account
from protocol.units import W
from tests.protocol.build import ACCOUNT, NOW, holding, state_with, with_risk
from tests.twins import RISK

LOW, HIGH = W // 1_000, W // 400  # the reference ratio at first, and at last
STEP = W // 10**6  # per second after the grace time of a minute

# --- RWD-1: the ratio -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "ratio"),
    [
        (0, LOW),
        (59, LOW),
        (60, LOW),
        (61, LOW + STEP),
        (62, LOW + 2 * STEP),
        (1_559, HIGH - STEP),
        (1_560, HIGH),
        (1_561, HIGH),
        (10**9, HIGH),
    ],
)
def test_the_ratio_waits_grows_and_stops(age: int, ratio: int) -> None:
    """RWD-1: a minute of grace, a ramp to the second, and a cap 1,500 seconds later."""
    assert compute_reward_ratio(RISK, NOW - age, NOW) == ratio


def test_an_account_nobody_flagged_pays_the_first_ratio() -> None:
    """RWD-1: no flag is not a flag since 1970."""
    assert compute_reward_ratio(RISK, 0, NOW) == LOW
    assert compute_reward_ratio(RISK, 1, NOW) == HIGH


def test_each_part_of_the_ratio_is_a_parameter() -> None:
    """RWD-1: first ratio, ramp, grace and last ratio; a ramp that overshoots is cut at the last ratio."""
    since = NOW - 100
    assert compute_reward_ratio(with_risk(reward_ratio=0), since, NOW) == 40 * STEP
    assert compute_reward_ratio(with_risk(reward_ramp=0), since, NOW) == LOW
    assert compute_reward_ratio(with_risk(reward_grace=0), since, NOW) == LOW + 100 * STEP
    assert compute_reward_ratio(with_risk(reward_grace=100), since, NOW) == LOW
    assert compute_reward_ratio(with_risk(reward_ratio_max=LOW), since, NOW) == LOW
    assert compute_reward_ratio(with_risk(reward_ramp=W), since, NOW) == HIGH


# --- RWD-2: the reward ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "ratio", "reward"),
    [
        (0, HIGH, 0),
        (1, HIGH, 0),
        (99, HIGH, 0),
        (100, HIGH, 1),
        # Capped at one percent of the base until 5 dollars and the share are less.
        (500 * W, HIGH, 5 * W),
        (666 * W, HIGH, 6_660 * W // 1_000),
        (667 * W, HIGH, 6_667_500 * W // 10**6),
        (555 * W, LOW, 5_550 * W // 1_000),
        (556 * W, LOW, 5_556 * W // 1_000),
        (1_000 * W, LOW, 6 * W),
        (1_000 * W, HIGH, 7_500 * W // 1_000),
        (8_000 * W, LOW, 13 * W),
        (8_000 * W, HIGH, 25 * W),
        # Capped at 1,000 dollars: reached at 398,000 with the last ratio, at 995,000 with the first.
        (398_000 * W - 400, HIGH, 1_000 * W - 1),
        (398_000 * W, HIGH, 1_000 * W),
        (398_000 * W + 400, HIGH, 1_000 * W),
        (995_000 * W - 1_000, LOW, 1_000 * W - 1),
        (995_000 * W, LOW, 1_000 * W),
        (10**9 * W, HIGH, 1_000 * W),
        # The share is rounded down against the keeper.
        (8_000 * W + 399, HIGH, 25 * W),
        (8_000 * W + 400, HIGH, 25 * W + 1),
        (8_000 * W + 999, LOW, 13 * W),
        (8_000 * W + 1_000, LOW, 13 * W + 1),
    ],
)
def test_the_reward_is_a_fixed_part_and_a_share_within_caps(base: int, ratio: int, reward: int) -> None:
    """RWD-2, L7, B1: at most 1 % of what was closed or settled, and at most 1,000 dollars."""
    assert compute_reward(RISK, base, ratio) == reward


def test_each_part_of_the_reward_is_a_parameter() -> None:
    """RWD-2: fixed part, cap in dollars, cap as a share."""
    base = 10_000 * W
    assert compute_reward(with_risk(fixed_reward=0), base, HIGH) == 25 * W
    assert compute_reward(RISK, base, 0) == 5 * W
    assert compute_reward(with_risk(max_reward=6 * W), base, HIGH) == 6 * W
    assert compute_reward(with_risk(reward_cap=10), base, HIGH) == 10 * W
    assert compute_reward(with_risk(reward_cap=0), base, HIGH) == 0


@given(st.integers(0, 10**28), st.integers(0, 10**24), st.integers(LOW, HIGH), st.integers(0, 100 * STEP))
def test_the_reward_is_monotone_and_bounded(base: int, more: int, ratio: int, later: int) -> None:
    """RWD-2, L6, L7: never above 1 % of the base or 1,000 dollars, never falling with base or time, never zero."""
    reward = compute_reward(RISK, base, ratio)
    assert reward <= compute_reward(RISK, base + more, ratio)
    assert reward <= compute_reward(RISK, base, ratio + later)
    assert reward * 100 <= base
    assert reward <= 1_000 * W
    assert (reward > 0) == (base >= 100)
    # L6: a close of the least notional a position may have earns more than the fixed part.
    assert base < 1_000 * W or reward >= 6 * W


# --- RWD-3: the penalty ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notional", "penalty"), [(0, 0), (1, 1), (100, 1), (101, 2), (8_000 * W, 80 * W), (8_000 * W + 1, 80 * W + 1)]
)
def test_the_penalty_is_a_share_rounded_up(notional: int, penalty: int) -> None:
    """RWD-3, T6: one percent of what was closed."""
    assert compute_penalty(RISK, notional) == penalty
    assert compute_penalty(with_risk(penalty_ratio=0), notional) == 0


# --- RWD-4: what the account pays -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cash", "value", "amount", "paid"),
    [
        (10, 10, 9, 9),
        (10, 10, 10, 10),
        (10, 10, 11, 10),
        (0, 0, 5, 0),
        (-1, -1, 5, 0),
        (5, -1, 5, 0),
        # Collateral and unrealised profit are part of the value: the balance may go below zero, and profit need not.
        (-10, 1, 5, 1),
        (-10, 5, 5, 5),
        (-10, 6, 5, 5),
        (3, 20, 10, 10),
        (20, 3, 10, 3),
        (5, 10, 0, 0),
    ],
)
def test_a_charge_takes_at_most_the_account_value(cash: int, value: int, amount: int, paid: int) -> None:
    """RWD-4, L7, B5: never what the account is not worth, so a charge makes no bad debt."""
    draft = Draft(state_with({ACCOUNT: holding(cash)}))
    assert pay_from_account(draft, draft.account(ACCOUNT), value, amount) == paid
    assert draft.account(ACCOUNT).cash == cash - paid
    assert draft.trader_debt == max(paid - cash, 0)


# --- RWD-5: who else pays -------------------------------------------------------------------------------------------


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
    """RWD-5, L7: in this order, each to its balance, and never into deficit."""
    draft = Draft(state_with(insurance=insurance, pool=pool))
    assert draw_reward(draft, shortfall) == paid
    assert (draft.insurance, draft.pool, draft.deficit) == (*left, 0)


def test_a_reward_adds_nothing_to_a_deficit() -> None:
    """RWD-5, LED-2: with traders still to be paid the pool pays no keeper."""
    draft = Draft(state_with(insurance=2, deficit=10))
    assert draw_reward(draft, 5) == 2
    assert (draft.insurance, draft.pool, draft.deficit) == (0, 0, 10)
