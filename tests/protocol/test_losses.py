"""The loss waterfall: collateral, insurance, pool, deficit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.draft import Draft
from protocol.events import CollateralUpdated, TokenUpdated
from protocol.losses import compute_sale, cover_bad_debt, sell_collateral
from protocol.policy import LIQUIDATION
from protocol.state import Token
from protocol.units import BPS, W, cdiv
from tests.protocol.build import ACCOUNT, BTC, COLLATERAL, WETH, env, holding, state_with, with_risk

WHOLE = replace(COLLATERAL[0], decimals=0)  # a token whose units are whole tokens


@pytest.mark.parametrize(
    ("debt", "held", "price", "decimals", "discount", "units", "proceeds"),
    [
        # At 200 less 5 % a whole unit brings 190 dollars.
        (190, 10, 200, 0, 500, 1, 190),
        (189, 10, 200, 0, 500, 1, 190),
        (191, 10, 200, 0, 500, 2, 380),
        (1, 10, 200, 0, 500, 1, 190),
        (1_900, 10, 200, 0, 500, 10, 1_900),
        (1_901, 10, 200, 0, 500, 10, 1_900),
        (10**30, 10, 200, 0, 500, 10, 1_900),
        # Without a discount, and at the largest one.
        (200, 10, 200, 0, 0, 1, 200),
        (1, 10, 200, 0, 9_999, 10, 0),
        (1, 10**9, 200, 0, 9_999, 50, 1),
        # Fractions: units up, proceeds down.
        (19, 10**6, 10 * W, 18, 500, 2, 19),
        (18, 10**6, 10 * W, 18, 500, 2, 19),
        (20, 10**6, 10 * W, 18, 500, 3, 28),
        (1, 10**6, 1, 18, 500, 10**6, 0),
        (190 * W, 2 * 10**18, 200 * W, 18, 500, 10**18, 190 * W),
        (190 * W + 1, 2 * 10**18, 200 * W, 18, 500, 10**18 + 1, 190 * W + 190),
        (190 * W - 1, 2 * 10**18, 200 * W, 18, 500, 10**18, 190 * W),
    ],
)
def test_just_enough_units_are_sold(
    debt: int, held: int, price: int, decimals: int, discount: int, units: int, proceeds: int
) -> None:
    """WAT-1: units up to whole ones, at most what is held; proceeds down, at the oracle price less the discount."""
    params = replace(COLLATERAL[0], decimals=decimals)
    assert compute_sale(debt, held, price, params, discount) == (units, proceeds)


@given(
    debt=st.integers(1, 10**26),
    held=st.integers(1, 10**24),
    price=st.integers(1, 10**24),
    decimals=st.integers(0, 24),
    discount=st.integers(0, BPS - 1),
)
def test_a_sale_pays_the_debt_or_sells_everything(
    debt: int, held: int, price: int, decimals: int, discount: int
) -> None:
    """WAT-1, T6, N5: the debt is paid whenever the holding allows, and one unit less would not have done.

    The pool never pays more than the discounted value.
    """
    params = replace(COLLATERAL[0], decimals=decimals)
    units, proceeds = compute_sale(debt, held, price, params, discount)
    assert 1 <= units <= held
    assert proceeds * 10**decimals * BPS <= units * price * (BPS - discount)
    if units < held:
        assert proceeds >= debt
    if units > 1:
        before = (units - 1) * price * (BPS - discount) // (10**decimals * BPS)
        assert before < debt
    assert units == min(held, cdiv(debt * 10**decimals * BPS, price * (BPS - discount)))


def sold(cash: int, collateral: dict[int, int], pool: int = 0, discount: int = 500) -> tuple[Draft, dict[int, int]]:
    """A draft after the sale, and the units the account has left. Tokens 1 and 2 are whole tokens at 200 and 8,000."""
    tokens = (WHOLE, replace(WHOLE, feed=BTC))
    state = state_with(
        {ACCOUNT: holding(cash, collateral)}, pool=pool, collateral=tokens, risk=with_risk(sale_discount=discount)
    )
    draft = Draft(state)
    account = draft.account(ACCOUNT)
    sell_collateral(draft, account, env(), LIQUIDATION)
    return draft, dict(account.collateral)


def test_collateral_is_sold_by_ascending_token_until_the_debt_is_paid() -> None:
    """WAT-2, L9: token 1 first, token 2 only for what is left, and nothing without a debt."""
    draft, left = sold(-190 * W, {1: 3, 2: 5})
    assert left == {1: 2, 2: 5}
    assert draft.account(ACCOUNT).cash == 0
    # 3 units of token 1 bring 570; the rest needs one unit of token 2 at 7,600.
    draft, left = sold(-571 * W, {1: 3, 2: 5})
    assert left == {2: 4}
    assert draft.account(ACCOUNT).cash == 570 * W + 7_600 * W - 571 * W
    draft, left = sold(-570 * W, {1: 3, 2: 5})
    assert left == {2: 5}
    for cash in (0, 1):
        draft, left = sold(cash, {1: 3, 2: 5})
        assert left == {1: 3, 2: 5}
        assert draft.events == []


def test_a_sale_reports_units_and_inventory() -> None:
    """WAT-2, C1: the units change hands inside the vault: the account's fall, the pool's inventory rises."""
    draft, _ = sold(-191 * W, {1: 3}, pool=1_000 * W)
    assert draft.events == [CollateralUpdated(ACCOUNT, 1, 1), TokenUpdated(1, 3, 2)]
    assert draft.token(1) == Token(3, 2)
    # Two units bring 380: the debt is paid and the rest is the owner's.
    assert draft.account(ACCOUNT).cash == 189 * W
    assert draft.trader_debt == 0


@pytest.mark.parametrize(("pool", "left", "deficit"), [(200, 10, 0), (190, 0, 0), (189, 0, 1), (0, 0, 190)])
def test_the_pool_pays_a_sale_without_needing_cash(pool: int, left: int, deficit: int) -> None:
    """WAT-2, B9: the pool pays with the claim it had on the account; an empty pool stops no sale."""
    draft, _ = sold(-190 * W, {1: 1}, pool=pool * W)
    assert (draft.pool, draft.deficit) == (left * W, deficit * W)


def test_a_sale_adds_to_inventory_bought_before() -> None:
    """WAT-2: inventory accumulates."""
    state = state_with({ACCOUNT: holding(-190 * W, {WETH: 3})}, collateral=(WHOLE,), inventory={WETH: 4})
    draft = Draft(state)
    sell_collateral(draft, draft.account(ACCOUNT), env(), LIQUIDATION)
    assert draft.token(WETH) == Token(7, 5)


@pytest.mark.parametrize(
    ("debt", "insurance", "pool", "paid", "left"),
    [
        # debt, what each has, what each pays, and what is left as (insurance, pool, deficit)
        (0, 5, 5, (0, 0), (5, 5, 0)),
        (4, 5, 5, (4, 0), (1, 5, 0)),
        (5, 5, 5, (5, 0), (0, 5, 0)),
        (6, 5, 5, (5, 1), (0, 4, 0)),
        (10, 5, 5, (5, 5), (0, 0, 0)),
        (11, 5, 5, (5, 5), (0, 0, 1)),
        (7, 0, 5, (0, 5), (0, 0, 2)),
        (7, 0, 0, (0, 0), (0, 0, 7)),
        (7, 9, 0, (7, 0), (2, 0, 0)),
    ],
)
def test_bad_debt_is_covered_by_insurance_then_pool_then_deficit(
    debt: int, insurance: int, pool: int, paid: tuple[int, int], left: tuple[int, int, int]
) -> None:
    """WAT-3, L9: in this order, each to its balance, and what neither has is deficit."""
    draft = Draft(state_with({ACCOUNT: holding(-debt)}, insurance=insurance, pool=pool))
    loss = cover_bad_debt(draft, draft.account(ACCOUNT))
    assert loss == (debt, *paid)
    assert (draft.insurance, draft.pool, draft.deficit) == left
    assert draft.account(ACCOUNT).cash == 0
    assert draft.trader_debt == 0


@pytest.mark.parametrize("cash", [0, 1, 10**20])
def test_an_account_that_owes_nothing_has_no_bad_debt(cash: int) -> None:
    """WAT-3: cash stays as it is."""
    draft = Draft(state_with({ACCOUNT: holding(cash)}, insurance=5, pool=5))
    loss = cover_bad_debt(draft, draft.account(ACCOUNT))
    assert loss == (0, 0, 0)
    assert draft.account(ACCOUNT).cash == cash
    assert (draft.insurance, draft.pool, draft.deficit) == (5, 5, 0)


def test_bad_debt_on_top_of_a_deficit_adds_to_it() -> None:
    """WAT-3, LED-2: a deficit is drawn on once for each loss."""
    draft = Draft(state_with({ACCOUNT: holding(-7)}, insurance=2, deficit=10))
    loss = cover_bad_debt(draft, draft.account(ACCOUNT))
    assert loss == (7, 2, 0)
    assert (draft.insurance, draft.pool, draft.deficit) == (0, 0, 15)


@pytest.mark.parametrize(("discount", "proceeds"), [(0, 200 * W), (500, 190 * W), (2_500, 150 * W), (9_999, W // 50)])
def test_a_larger_discount_never_brings_more(discount: int, proceeds: int) -> None:
    """WAT-1, WAT-2, N5: the discount is the risk parameter, of every token."""
    draft, left = sold(-(10**4) * W, {1: 1}, pool=10**6 * W, discount=discount)
    assert left == {}
    assert draft.account(ACCOUNT).cash == proceeds - 10**4 * W


@given(
    cash=st.integers(-(10**24), 10**24) | st.integers(-100, 100),
    units=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    insurance=st.integers(0, 10**24) | st.integers(0, 100),
    pool=st.integers(0, 10**24) | st.integers(0, 100),
)
def test_the_waterfall_ends_without_debt_and_creates_nothing(
    cash: int, units: tuple[int, int], insurance: int, pool: int
) -> None:
    """WAT-1 to WAT-3, C1, L9: collateral, insurance, pool, deficit; each to its balance, the next only after it."""
    collateral = {token: held for token, held in enumerate(units, 1) if held}
    tokens = (WHOLE, replace(WHOLE, feed=BTC))
    draft = Draft(state_with({ACCOUNT: holding(cash, collateral)}, insurance=insurance, pool=pool, collateral=tokens))
    account = draft.account(ACCOUNT)
    sell_collateral(draft, account, env(), LIQUIDATION)
    after_sale = account.cash
    debt, from_insurance, from_pool = cover_bad_debt(draft, account)
    assert account.cash == max(after_sale, 0)
    assert debt == max(-after_sale, 0)
    assert not debt or not account.collateral
    assert account.cash + draft.pool + draft.insurance - draft.deficit == cash + pool + insurance
    assert 0 <= from_insurance <= insurance
    assert from_insurance + from_pool <= debt
    assert from_insurance == debt or draft.insurance == 0
    assert from_insurance + from_pool == debt or draft.pool == 0
    assert draft.deficit == 0 or draft.pool == 0
    assert draft.trader_debt == 0
    for token, held in collateral.items():
        assert account.collateral.get(token, 0) + draft.token(token).inventory == held
