"""What collateral counts for, for any three haircut brackets that the configuration allows."""

from __future__ import annotations

from dataclasses import replace

from protocol import collateral
from protocol.collateral import compute_haircut_values, compute_token_value
from protocol.params import HaircutBracket
from protocol.units import PRICE_LIMIT, UNITS_LIMIT
from tests.proofs.lemmas import establish, flipped
from tests.proofs.rows import haircut_rows
from tests.proofs.symbolic import Claim, Values, both

MOST_VALUE = (UNITS_LIMIT - 1) * (PRICE_LIMIT - 1)  # of a token without decimals


def test_market_value_is_rounded_down_by_less_than_a_wei() -> None:
    """COL-1: value * 10^decimals <= units * price < (value + 1) * 10^decimals."""

    def claim(values: Values) -> object:
        units = values.integer("units", 0, UNITS_LIMIT - 1)
        price = values.integer("price", 0, PRICE_LIMIT - 1)
        value = compute_token_value(units, price, 8)
        return both(value * 10**8 <= units * price, units * price < (value + 1) * 10**8)

    establish(claim, broken=flipped(collateral, "fdiv"))


def test_collateral_counts_for_at_most_its_market_value_and_more_of_it_never_for_less() -> None:
    """COL-2, M8, N1: 0 <= IM value <= MM value <= value; both rise. Control: an IM weight above the MM weight."""

    def counted(swapped: bool) -> Claim:
        def claim(values: Values) -> object:
            rows = haircut_rows(values)
            if swapped:
                rows = (*rows[:2], HaircutBracket(rows[2].lower, rows[2].im_weight, rows[2].mm_weight))
            value = values.integer("value", 0, MOST_VALUE)
            more = values.integer("more", 0, MOST_VALUE)
            (mm, im), (mm_more, im_more) = (
                compute_haircut_values(rows, value),
                compute_haircut_values(rows, value + more),
            )
            return both(im >= 0, im <= mm, mm <= value, mm <= mm_more, mm_more <= mm + more, im <= im_more)

        return claim

    establish(counted(False), control=counted(True))


def test_haircut_values_are_concave_to_a_wei() -> None:
    """COL-2, M8: halfway between two values at most a wei below halfway. Control: a last weight of 1."""

    def concave(last: int | None) -> Claim:
        def claim(values: Values) -> object:
            rows = haircut_rows(values)
            if last is not None:
                rows = (*rows[:2], replace(rows[2], mm_weight=last))
            value = values.integer("value", 0, MOST_VALUE)
            step = values.integer("step", 0, value)
            low, middle, high = (compute_haircut_values(rows, v)[0] for v in (value - step, value, value + step))
            return low + high <= 2 * middle + 1

        return claim

    establish(concave(None), control=concave(10**18))
