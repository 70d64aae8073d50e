"""Notional and unrealised profit."""

from __future__ import annotations

from protocol import margin
from protocol.margin import compute_notional, compute_pnl
from protocol.state import Position
from protocol.units import PRICE_LIMIT, SIGNED_LIMIT, SIZE_LIMIT, W
from tests.proofs.lemmas import establish, flipped
from tests.proofs.symbolic import Values, both


def test_the_notional_is_rounded_up_by_less_than_a_wei() -> None:
    """MRG-1: |size| * price <= notional * W < |size| * price + W."""

    def claim(values: Values) -> object:
        size = values.integer("size", 1 - SIZE_LIMIT, SIZE_LIMIT - 1)
        price = values.integer("price", 0, PRICE_LIMIT - 1)
        notional = compute_notional(size, price)
        exact = abs(size) * price
        return both(exact <= notional * W, notional * W < exact + W)

    establish(claim, broken=flipped(margin, "cdiv"))


def test_profits_of_parts_add_up_to_at_most_the_profit_of_the_whole() -> None:
    """MRG-2, C4: rounding never creates profit; the parts are short of the whole by less than a wei each."""

    def claim(values: Values) -> object:
        price = values.integer("price", 0, PRICE_LIMIT - 1)
        sizes = [values.integer(f"size {i}", 1 - SIZE_LIMIT, SIZE_LIMIT - 1) for i in range(3)]
        costs = [values.integer(f"cost {i}", -SIGNED_LIMIT, SIGNED_LIMIT - 1) for i in range(3)]
        parts = sum(compute_pnl(Position(s, c, 0), price) for s, c in zip(sizes, costs, strict=True))
        whole = compute_pnl(Position(sum(sizes), sum(costs), 0), price)
        return both(parts <= whole, whole < parts + 3)

    establish(claim, broken=flipped(margin, "fdiv"))
