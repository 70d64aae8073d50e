"""How dollars move between accounts, pool, insurance and deficit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.draft import Draft
from protocol.ledger import (
    add_cash,
    credit_insurance,
    credit_pool,
    debit_pool,
    draw_insurance,
    draw_pool,
    settle_with_pool,
    share_income,
)
from protocol.units import BPS
from tests.protocol.build import ACCOUNT, KEEPER, holding, state_with

AMOUNTS = st.integers(0, 10**24) | st.integers(0, 3)


def draft_with(cash: int = 0, pool: int = 0, insurance: int = 0, deficit: int = 0) -> Draft:
    """A draft with one account and the protocol's own dollars."""
    return Draft(state_with({ACCOUNT: holding(cash)}, pool=pool, insurance=insurance, deficit=deficit))


def own(draft: Draft) -> tuple[int, int, int]:
    """Pool, insurance and deficit."""
    return draft.pool, draft.insurance, draft.deficit


def net(draft: Draft) -> int:
    """What C1 holds constant: the account's cash, pool and insurance less deficit."""
    return draft.account(ACCOUNT).cash + draft.pool + draft.insurance - draft.deficit


@pytest.mark.parametrize(
    ("before", "amount", "debt"),
    [
        (5, -4, 0),
        (5, -5, 0),
        (5, -6, 1),
        (-1, -1, 2),
        (-3, 2, 1),
        (-3, 3, 0),
        (-3, 4, 0),
        (0, 1, 0),
        (0, 0, 0),
        (-7, 0, 7),
    ],
)
def test_trader_debt_is_the_sum_of_negative_balances(before: int, amount: int, debt: int) -> None:
    """LED-1, C7: the total follows each balance through zero, to the wei."""
    draft = draft_with(before)
    add_cash(draft, draft.account(ACCOUNT), amount)
    assert draft.account(ACCOUNT).cash == before + amount
    assert draft.trader_debt == debt


def test_trader_debt_adds_up_over_accounts() -> None:
    """LED-1: one account's credit does not hide another's debt."""
    draft = draft_with(-5)
    add_cash(draft, draft.account(KEEPER), -3)
    assert draft.trader_debt == 8
    add_cash(draft, draft.account(KEEPER), 100)
    assert draft.trader_debt == 5


@pytest.mark.parametrize(
    ("pool", "deficit", "amount", "after"),
    [
        (10, 0, 0, (10, 0)),
        (10, 0, 9, (1, 0)),
        (10, 0, 10, (0, 0)),
        (10, 0, 11, (0, 1)),
        (0, 5, 2, (0, 7)),
        (0, 0, 0, (0, 0)),
    ],
)
def test_the_pool_pays_what_it_has_and_owes_the_rest(
    pool: int, deficit: int, amount: int, after: tuple[int, int]
) -> None:
    """LED-2: a profit is never refused: pool to zero, the rest is deficit."""
    draft = draft_with(pool=pool, deficit=deficit, insurance=3)
    debit_pool(draft, amount)
    assert own(draft) == (after[0], 3, after[1])


@pytest.mark.parametrize(("pool", "amount", "drawn"), [(10, 0, 0), (10, 9, 9), (10, 10, 10), (10, 11, 10), (0, 1, 0)])
def test_drawing_from_the_pool_leaves_no_deficit(pool: int, amount: int, drawn: int) -> None:
    """LED-2: a draw gives what there is, and returns what it gave."""
    draft = draft_with(pool=pool, insurance=3)
    assert draw_pool(draft, amount) == drawn
    assert own(draft) == (pool - drawn, 3, 0)


@pytest.mark.parametrize(
    ("pool", "deficit", "amount", "after"),
    [
        (10, 0, 4, (14, 0)),
        (0, 5, 4, (0, 1)),
        (0, 5, 5, (0, 0)),
        (0, 5, 6, (1, 0)),
        (0, 5, 0, (0, 5)),
    ],
)
def test_income_repays_the_deficit_first(pool: int, deficit: int, amount: int, after: tuple[int, int]) -> None:
    """LED-3: what is left after the deficit goes to the pool."""
    draft = draft_with(pool=pool, deficit=deficit, insurance=3)
    credit_pool(draft, amount)
    assert own(draft) == (after[0], 3, after[1])


@pytest.mark.parametrize(
    ("insurance", "amount", "drawn"), [(10, 0, 0), (10, 9, 9), (10, 10, 10), (10, 11, 10), (0, 1, 0)]
)
def test_insurance_gives_up_to_its_balance(insurance: int, amount: int, drawn: int) -> None:
    """LED-4, C7: the fund is never negative, and a draw returns what it gave."""
    draft = draft_with(insurance=insurance, pool=3)
    assert draw_insurance(draft, amount) == drawn
    assert own(draft) == (3, insurance - drawn, 0)
    credit_insurance(draft, 4)
    assert own(draft) == (3, insurance - drawn + 4, 0)


@pytest.mark.parametrize(
    ("amount", "share", "to_insurance", "to_pool"),
    [
        (10_000, 1_000, 1_000, 9_000),
        (9, 1_000, 0, 9),
        (10, 1_000, 1, 9),
        (19, 1_000, 1, 18),
        (1, BPS, 1, 0),
        (1, BPS - 1, 0, 1),
        (7, 0, 0, 7),
        (0, 5_000, 0, 0),
    ],
)
def test_income_is_split_without_losing_a_wei(amount: int, share: int, to_insurance: int, to_pool: int) -> None:
    """LED-5, C8: the insurance share is rounded down and the pool takes the remainder."""
    draft = draft_with(pool=100, insurance=100)
    share_income(draft, amount, share)
    assert own(draft) == (100 + to_pool, 100 + to_insurance, 0)


def test_shared_income_repays_the_deficit_with_the_pools_part_only() -> None:
    """LED-3, LED-5: insurance keeps its share while the pool owes."""
    draft = draft_with(deficit=60, insurance=0)
    share_income(draft, 100, 5_000)
    assert own(draft) == (0, 50, 10)


@pytest.mark.parametrize(
    ("pnl", "cash", "pool", "deficit"),
    [(-1, -1, 11, 0), (0, 0, 10, 0), (1, 1, 9, 0), (10, 10, 0, 0), (11, 11, 0, 1)],
)
def test_a_realised_profit_is_the_pools_loss(pnl: int, cash: int, pool: int, deficit: int) -> None:
    """LED-2, LED-3, C4: what the account gains, the pool pays, to the wei and through zero."""
    draft = draft_with(pool=10)
    settle_with_pool(draft, draft.account(ACCOUNT), pnl)
    assert draft.account(ACCOUNT).cash == cash
    assert own(draft) == (pool, 0, deficit)


@given(AMOUNTS, AMOUNTS, AMOUNTS, st.integers(-(10**24), 10**24) | st.integers(-3, 3), st.integers(0, BPS))
def test_no_booking_creates_or_loses_a_wei(pool: int, insurance: int, cash: int, pnl: int, share: int) -> None:
    """LED-1 to LED-5, C1, C4, C8: settlements change nothing in sum; income and draws by exactly their amount."""
    draft = draft_with(cash, pool, insurance)
    total = net(draft)
    settle_with_pool(draft, draft.account(ACCOUNT), pnl)
    assert net(draft) == total
    share_income(draft, abs(pnl), share)
    assert net(draft) == total + abs(pnl)
    given_back = draw_insurance(draft, abs(pnl) // 2) + draw_pool(draft, abs(pnl))
    assert net(draft) == total + abs(pnl) - given_back
    assert min(own(draft)) >= 0
    assert draft.pool == 0 or draft.deficit == 0
