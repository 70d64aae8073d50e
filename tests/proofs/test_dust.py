"""Whole token units against wei: who keeps the dust when collateral is sold and inventory bought."""

from __future__ import annotations

from typing import Any

import pytest

from protocol import losses, pool
from protocol.draft import Draft, DraftAccount
from protocol.losses import compute_sale
from protocol.params import CollateralParams
from protocol.pool import compute_inventory_cost
from protocol.state import Account, genesis
from protocol.units import BPS, PRICE_LIMIT, SIGNED_LIMIT, UNITS_LIMIT, USDC_TO_W, Units
from protocol.vault import credit, debit
from tests.proofs.lemmas import establish, flipped
from tests.proofs.symbolic import Claim, Values, both, either

DECIMALS = (0, 8, 18)


def token_with(decimals: int) -> CollateralParams:
    """A collateral of so many decimals."""
    return CollateralParams(feed=0, decimals=decimals, ceiling=1, account_cap=0, global_cap=0, brackets=())


@pytest.mark.parametrize("decimals", DECIMALS)
def test_a_sale_pays_the_debt_or_takes_everything_and_sells_less_than_a_unit_too_much(decimals: int) -> None:
    """WAT-1: proceeds cover the debt unless all is sold; a unit less would not. The pool keeps the wei."""

    def claim(values: Values) -> object:
        debt = values.integer("debt", 1, SIGNED_LIMIT)
        held = values.integer("held", 1, UNITS_LIMIT - 1)
        price = values.integer("price", 1, PRICE_LIMIT - 1)
        discount = values.integer("discount", 0, BPS - 1)
        units, proceeds = compute_sale(debt, held, price, token_with(decimals), discount)
        unit_price, scale = price * (BPS - discount), 10**decimals * BPS
        return both(
            units > 0,
            units <= held,
            either(units == held, proceeds >= debt),
            (units - 1) * unit_price < debt * scale,
            proceeds * scale <= units * unit_price,
        )

    establish(claim, broken=flipped(losses, "cdiv"))


@pytest.mark.parametrize("decimals", DECIMALS)
def test_inventory_is_never_free_and_never_cheaper_in_parts(decimals: int) -> None:
    """INV-1: the cost in USDC units covers the discounted value; two parts cost the whole, or a unit more."""

    def claim(values: Values) -> object:
        price = values.integer("price", 1, PRICE_LIMIT - 1)
        discount = values.integer("discount", 0, BPS - 1)
        a, b = (values.integer(name, 1, UNITS_LIMIT - 1) for name in ("a", "b"))
        one, other, whole = (compute_inventory_cost(units, price, decimals, discount) for units in (a, b, a + b))
        covered = one * USDC_TO_W * 10**decimals * 2 * BPS >= a * price * (2 * BPS - discount)
        return both(one >= 1, covered, whole <= one + other, one + other <= whole + 1)

    establish(claim, broken=flipped(pool, "cdiv"))


@pytest.mark.parametrize("token", [0, 1], ids=["USDC", "collateral"])
def test_a_transfer_takes_from_one_account_exactly_what_the_other_gets(token: int) -> None:
    """TRF-1, N3, C3: to the wei and to the unit, never into debt. Control: a unit lost on the way."""

    def transferred(lost: Units) -> Claim:
        def claim(values: Values) -> object:
            units = values.integer("units", 2, UNITS_LIMIT - 1)
            draft = Draft(genesis(0, 0, 2))
            source, target = (account_with(values, name, index) for index, name in enumerate(("source", "target")))
            draft.trader_debt = max(-source.cash, 0) + max(-target.cash, 0)
            before, debt = held(source, target), draft.trader_debt
            cash = source.cash
            debit(draft, source, token, units)
            after_debit = (source.cash, source.collateral.get(1, 0))
            credit(draft, target, token, units - lost)
            after = held(source, target)
            return both(
                after[0] == before[0],
                after[1] == before[1],
                after_debit[1] >= 0,
                either(after_debit[0] == cash, after_debit[0] >= 0),
                draft.trader_debt <= debt,
            )

        return claim

    establish(transferred(0), control=transferred(1))


def account_with(values: Values, name: str, sub: int) -> DraftAccount:
    """A draft of an account with any balance and any collateral."""
    cash = values.integer(f"cash of {name}", -SIGNED_LIMIT, SIGNED_LIMIT - 1)
    units = values.integer(f"units of {name}", 1, UNITS_LIMIT - 1)
    return DraftAccount(sub, Account(cash, {1: units}, {}, {}, 0, 0, 0, 0, {}))


def held(source: DraftAccount, target: DraftAccount) -> tuple[Any, Any]:
    """Dollars and collateral of both."""
    return source.cash + target.cash, source.collateral.get(1, 0) + target.collateral.get(1, 0)
