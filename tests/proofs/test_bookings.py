"""What a fill and an income book: nothing is lost or made, and no ledger falls below zero.

The model's own booking functions run on a state whose balances are all unknown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

from protocol import fills, ledger
from protocol.draft import Draft, DraftAccount
from protocol.env import Env
from protocol.fills import compute_fill, settle_fill
from protocol.ledger import settle_with_pool, share_income
from protocol.losses import cover_bad_debt
from protocol.state import EMPTY_MARKET, NO_RISK, Account, Ledger, Position, State, genesis
from protocol.units import BPS, PRICE_LIMIT, SIGNED_LIMIT, SIZE_LIMIT, UNSIGNED_LIMIT, W
from tests.proofs.lemmas import establish
from tests.proofs.rows import NO_MARKET
from tests.proofs.symbolic import Values, both, either

ACCOUNT = 1 << 96


def booked(values: Values, position: Position | None = None, insurance_share: Any = 0) -> tuple[Draft, DraftAccount]:
    """A draft whose balances are unknown; there is a deficit only if the pool has nothing (WAT-3)."""
    cash = values.integer("cash", -SIGNED_LIMIT, SIGNED_LIMIT - 1)
    pool = values.integer("pool", 0, UNSIGNED_LIMIT - 1)
    deficit = values.integer("deficit", 0, UNSIGNED_LIMIT - 1)
    values.assume(either(pool == 0, deficit == 0))
    others = values.integer("debt of others", 0, UNSIGNED_LIMIT - 1)
    debt = max(-cash, 0) + others
    size, cost = (position.size, position.cost) if position else (0, 0)
    totals = replace(
        EMPTY_MARKET,
        long_oi=max(size, 0) + W,
        short_oi=max(-size, 0),
        cost=cost,
        impact=values.integer("impact", 0, SIGNED_LIMIT - 1),
    )
    state: State = replace(
        genesis(0, 0, 1),
        risk=replace(NO_RISK, insurance_fee_share=insurance_share),
        market_params=(replace(NO_MARKET, skew_scale=W),),
        markets=(totals,),
        ledger=Ledger(pool, values.integer("insurance", 0, UNSIGNED_LIMIT - 1), deficit, debt, 0, 0),
    )
    draft = Draft(state)
    positions = {0: position} if position else {}
    account = DraftAccount(ACCOUNT, Account(cash, {}, positions, {}, 0, 0, 0, 0))
    return draft, account


def dollars(draft: Draft, account: DraftAccount) -> Any:
    """The ledgers of which USDC held is the sum, the other accounts apart (C1)."""
    return account.cash + draft.pool + draft.insurance + draft.market(0).impact - draft.deficit


def sound(draft: Draft, account: DraftAccount, others: Any) -> Any:
    """No ledger of the protocol is negative, a deficit means an empty pool, and the traders' debt is their total."""
    debt = draft.trader_debt - others
    return both(
        draft.pool >= 0,
        draft.insurance >= 0,
        draft.deficit >= 0,
        draft.market(0).impact >= 0,
        either(draft.pool == 0, draft.deficit == 0),
        either(both(account.cash >= 0, debt == 0), both(account.cash < 0, debt == -account.cash)),
    )


def test_a_fill_makes_and_loses_nothing_and_rebates_at_most_what_the_market_collected() -> None:
    """FIL-7, LED-1 to LED-5, C1, C7: for any position, fill, charge, rebate and fee. Control: the rebate not capped."""

    def claim(values: Values) -> object:
        size = values.integer("size", 1 - SIZE_LIMIT, SIZE_LIMIT - 1)
        position = Position(size, values.integer("cost", -SIGNED_LIMIT, SIGNED_LIMIT - 1), 0)
        values.assume(size != 0)
        draft, account = booked(values, position, values.integer("insurance share", 0, BPS))
        before, others = dollars(draft, account), draft.trader_debt - max(-account.cash, 0)
        size_delta = values.integer("size_delta", 1 - SIZE_LIMIT, SIZE_LIMIT - 1)
        values.assume(either(size * size_delta > 0, both(size + size_delta >= 0, size > 0), both(size + size_delta <= 0, size < 0)))
        price = values.integer("price", 1, PRICE_LIMIT - 1)
        charge, rebate, fee = (values.integer(name, 0, UNSIGNED_LIMIT - 1) for name in ("charge", "rebate", "fee"))
        settle_fill(draft, account, 0, size_delta, price, Env(0, 0, ()), charge, rebate, fee)
        return both(dollars(draft, account) == before, sound(draft, account, others))

    establish(claim, broken=mock.patch.object(fills, "min", lambda rebate, _: rebate, create=True))


def test_a_profit_is_never_refused_and_an_income_repays_the_deficit_first() -> None:
    """LED-2, LED-3: any profit or loss books exactly. Control: a profit that the pool cannot pay is paid in full."""

    def claim(values: Values) -> object:
        draft, account = booked(values)
        before, others = dollars(draft, account), draft.trader_debt - max(-account.cash, 0)
        settle_with_pool(draft, account, values.integer("pnl", -SIGNED_LIMIT, SIGNED_LIMIT - 1))
        return both(dollars(draft, account) == before, sound(draft, account, others))

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

    establish(claim, broken=mock.patch.object(ledger, "credit_pool", lambda draft, amount: None))


def test_bad_debt_is_covered_in_full_and_each_source_gives_at_most_what_it_has() -> None:
    """WAT-3, L9: afterwards the account owes nothing, and what insurance and pool gave is at most the debt.

    Control: an insurance fund that gives what it does not have.
    """

    def claim(values: Values) -> object:
        draft, account = booked(values)
        before, others = dollars(draft, account), draft.trader_debt - max(-account.cash, 0)
        debt, from_insurance, from_pool = cover_bad_debt(draft, account)
        return both(
            dollars(draft, account) == before,
            sound(draft, account, others),
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


