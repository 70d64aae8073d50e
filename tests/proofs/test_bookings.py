"""What a fill and an income book: nothing is lost or made, and no ledger falls below zero.

The model's own booking functions run on a state whose balances are all unknown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

import pytest

from protocol import fills, ledger
from protocol.draft import Draft, DraftAccount, DraftMarket
from protocol.env import Env
from protocol.fills import compute_fill, settle_fill
from protocol.ledger import settle_with_pool, share_income
from protocol.losses import cover_bad_debt
from protocol.state import EMPTY_MARKET, NO_RISK, Account, Ledger, Position, State, genesis
from protocol.units import BPS, PRICE_LIMIT, SIGNED_LIMIT, SIZE_LIMIT, UNSIGNED_LIMIT, Size, W
from tests.proofs.lemmas import establish
from tests.proofs.rows import NO_MARKET
from tests.proofs.symbolic import Values, both, either

ACCOUNT = 1 << 96
DEBT_OF_OTHERS = 12_345 * W


def booked(values: Values, size: Size = 0, empties: bool = False) -> tuple[Draft, DraftAccount]:
    """A draft whose balances are unknown, with a position of a size; there is a deficit only if the pool is empty.

    ``empties`` leaves nobody else in the market.
    """
    cash, cost = (values.integer(name, -SIGNED_LIMIT, SIGNED_LIMIT - 1) for name in ("cash", "cost"))
    pool, deficit, insurance = (
        values.integer(name, 0, UNSIGNED_LIMIT - 1) for name in ("pool", "deficit", "insurance")
    )
    values.assume(either(pool == 0, deficit == 0))
    others = 0 if empties else W
    totals = replace(
        EMPTY_MARKET,
        long_oi=max(size, 0) + others,
        short_oi=max(-size, 0) + others,
        cost=cost,
        impact=values.integer("impact", 0, SIGNED_LIMIT - 1),
    )
    state: State = replace(
        genesis(0, 0, 1),
        risk=replace(NO_RISK, insurance_fee_share=BPS // 10),
        market_params=(replace(NO_MARKET, skew_scale=W),),
        markets=(totals,),
        ledger=Ledger(pool, insurance, deficit, max(-cash, 0) + DEBT_OF_OTHERS, 0, 0),
    )
    positions = {0: Position(size, cost, 0)} if size else {}
    return Draft(state), DraftAccount(ACCOUNT, Account(cash, {}, positions, {}, 0, 0, 0, 0, {}))


def dollars(draft: Draft, account: DraftAccount) -> Any:
    """The ledgers of which USDC held is the sum, the other accounts apart (C1)."""
    return account.cash + draft.pool + draft.insurance + draft.market(0).impact - draft.deficit


def sound(draft: Draft, account: DraftAccount) -> Any:
    """No ledger of the protocol is negative, a deficit means an empty pool, and the traders' debt is their total."""
    debt = draft.trader_debt - DEBT_OF_OTHERS
    return both(
        draft.pool >= 0,
        draft.insurance >= 0,
        draft.deficit >= 0,
        draft.market(0).impact >= 0,
        either(draft.pool == 0, draft.deficit == 0),
        either(both(account.cash >= 0, debt == 0), both(account.cash < 0, debt == -account.cash)),
    )


FILLS = ((0, W, False), (-3 * W, 3 * W, True))
kinds_of_fills = pytest.mark.parametrize(("size", "size_delta", "empties"), FILLS, ids=("open", "close"))


def filled(values: Values, size: Size, size_delta: Size, empties: bool) -> tuple[Draft, DraftAccount, Any, Any, Any]:
    """A fill booked: the draft, the account, the dollars and the impact ledger before, and the impact charged."""
    draft, account = booked(values, size, empties)
    before, collected = dollars(draft, account), draft.market(0).impact
    price = values.integer("price", 1, PRICE_LIMIT - 1)
    charge, fee = (values.integer(name, 0, UNSIGNED_LIMIT - 1) for name in ("charge", "fee"))
    rebate = values.integer("rebate", 0, UNSIGNED_LIMIT - 1 if draft.market(0).skew else 0)
    impact = settle_fill(draft, account, 0, size_delta, price, Env(0, 0, ()), charge, rebate, fee)
    return draft, account, before, collected, impact


@kinds_of_fills
def test_a_fill_makes_and_loses_nothing(size: Size, size_delta: Size, empties: bool) -> None:
    """FIL-7, LED-1 to LED-5, C1, C7: for any price, profit, charge, rebate and fee. Control: a fee that nobody gets."""

    def claim(values: Values) -> object:
        draft, account, before, _, _ = filled(values, size, size_delta, empties)
        return both(dollars(draft, account) == before, sound(draft, account))

    establish(claim, broken=mock.patch.object(fills, "share_income", return_value=None))


def test_a_rebate_is_at_most_what_the_market_has_collected() -> None:
    """FIL-7, FIL-9, T5: even without the check of widths, which would refuse a negative ledger.

    Control: no cap on the rebate.
    """

    def claim(values: Values) -> object:
        draft, _, _, collected, impact = filled(values, -3 * W, W, False)
        return both(draft.market(0).impact >= 0, impact >= -collected)

    with mock.patch.object(DraftMarket, "check", return_value=None):
        establish(claim, broken=mock.patch.object(fills, "min", lambda rebate, _: rebate, create=True))


def test_a_profit_is_never_refused_and_an_income_repays_the_deficit_first() -> None:
    """LED-2, LED-3: any profit or loss books exactly. Control: a profit that the pool cannot pay is paid in full."""

    def claim(values: Values) -> object:
        draft, account = booked(values)
        before = dollars(draft, account)
        settle_with_pool(draft, account, values.integer("pnl", -SIGNED_LIMIT, SIGNED_LIMIT - 1))
        return both(dollars(draft, account) == before, sound(draft, account))

    establish(claim, broken=mock.patch.object(ledger, "min", lambda _, amount: amount, create=True))


def test_a_fee_is_split_without_remainder() -> None:
    """LED-5, C8: pool and insurance together gain the fee to the wei, insurance at most its share.

    Control: income that does not go to the pool.
    """

    def claim(values: Values) -> object:
        share = values.integer("share", 0, BPS)
        draft, account = booked(values)
        before, insurance = dollars(draft, account), draft.insurance
        fee = values.integer("fee", 0, UNSIGNED_LIMIT - 1)
        share_income(draft, fee, share)
        gained = draft.insurance - insurance
        return both(dollars(draft, account) == before + fee, gained >= 0, gained * BPS <= fee * share)

    establish(claim, broken=mock.patch.object(ledger, "credit_pool", return_value=None))


def test_bad_debt_is_covered_in_full_and_each_source_gives_at_most_what_it_has() -> None:
    """WAT-3, L9: afterwards the account owes nothing, and what insurance and pool gave is at most the debt.

    Control: an insurance fund that gives what it does not have.
    """

    def claim(values: Values) -> object:
        draft, account = booked(values)
        before = dollars(draft, account)
        debt, from_insurance, from_pool = cover_bad_debt(draft, account)
        return both(
            dollars(draft, account) == before,
            sound(draft, account),
            account.cash >= 0,
            from_insurance >= 0,
            from_pool >= 0,
            from_insurance + from_pool <= debt,
        )

    establish(claim, broken=mock.patch.object(ledger, "min", lambda _, amount: amount, create=True))


def test_closing_in_two_parts_never_realises_more_than_closing_at_once() -> None:
    """FIL-1: both realise value less cost exactly; two roundings of the value lose at most a wei, against the account.

    Control: the value of each part rounded in the account's favour.
    """

    def claim(values: Values) -> object:
        size = values.integer("size", 2, SIZE_LIMIT - 1)
        first = values.integer("first", 1, size - 1)
        price = values.integer("price", 0, PRICE_LIMIT - 1)
        position = Position(size, values.integer("cost", -SIGNED_LIMIT, SIGNED_LIMIT - 1), 0)
        rest, some = compute_fill(position, -first, price, 0)
        nothing, remainder = compute_fill(rest, first - size, price, 0)
        _, at_once = compute_fill(position, -size, price, 0)
        parts = some + remainder
        return both(nothing.size == 0, nothing.cost == 0, parts <= at_once, parts >= at_once - 1)

    establish(claim, broken=mock.patch.object(fills, "cdiv", lambda n, d: n // d))
