"""Margins by tiers, for any three brackets that the configuration allows, each a line of its own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from protocol.margin import compute_margins
from protocol.params import MarginBracket
from protocol.units import W
from tests.proofs.lemmas import establish
from tests.proofs.rows import MOST_NOTIONAL, borders, margin_rows
from tests.proofs.symbolic import Claim, Values, both


def test_a_wei_more_notional_never_costs_more_than_a_wei_of_margin() -> None:
    """MRG-3, T1: margins are continuous and do not fall, at every border too. Control: rates up to 2."""

    def continuous(most: int) -> Claim:
        def claim(values: Values) -> object:
            rows = margin_rows(values, most)
            notional = values.integer("notional", 0, MOST_NOTIONAL - 1)
            (mm, im), (mm_next, im_next) = compute_margins(rows, notional), compute_margins(rows, notional + 1)
            return both(mm <= mm_next, mm_next <= mm + 1, im <= im_next, im_next <= im + 1)

        return claim

    establish(continuous(W), control=continuous(2 * W))


def test_margins_are_the_last_rate_less_an_exact_deduction() -> None:
    """MRG-3: with B_k = B_(k-1) + lower_k * (rate_k - rate_(k-1)), the margin is cdiv(notional * rate_k - B_k, W).

    Control: one bracket later.
    """

    def deducted(skipped: int) -> Claim:
        def claim(values: Values) -> object:
            rows = margin_rows(values)
            notional = values.integer("notional", 1, MOST_NOTIONAL)
            margin = compute_margins(rows, notional)[0]
            touched = [row for row in rows if row.lower < notional]
            used = rows[min(len(touched) - 1 + skipped, len(rows) - 1)]
            deduction = sum(
                above.lower * (above.mm_rate - below.mm_rate) for below, above in pairwise(rows[: rows.index(used) + 1])
            )
            exact = notional * used.mm_rate - deduction
            return both(exact <= margin * W, margin * W < exact + W)

        return claim

    establish(deducted(0), control=deducted(1))


def test_margins_are_convex_to_a_wei() -> None:
    """MRG-3, T2: halfway between two notionals a margin is at most a wei above halfway. Control: rates that fall."""

    def convex(rows_of: Callable[[Values], tuple[MarginBracket, ...]]) -> Claim:
        def claim(values: Values) -> object:
            rows = rows_of(values)
            notional = values.integer("notional", 0, MOST_NOTIONAL)
            step = values.integer("step", 0, notional)
            low, middle, high = (compute_margins(rows, n) for n in (notional - step, notional, notional + step))
            return both(low[0] + high[0] >= 2 * middle[0] - 1, low[1] + high[1] >= 2 * middle[1] - 1)

        return claim

    def falling(values: Values) -> tuple[MarginBracket, ...]:
        lowers = borders(values)
        rates = [values.integer(f"rate {k}", 1, W) for k in range(len(lowers))]
        return tuple(MarginBracket(lower, rate, rate) for lower, rate in zip(lowers, rates, strict=True))

    establish(convex(margin_rows), control=convex(falling))


def test_one_position_needs_at_least_the_margin_of_its_parts() -> None:
    """MRG-3, T2: margin(a) + margin(b) <= margin(a + b) + 1 wei. Control: without the wei."""

    def superadditive(wei: int) -> Claim:
        def claim(values: Values) -> object:
            rows = margin_rows(values)
            a, b = (values.integer(name, 0, MOST_NOTIONAL) for name in ("a", "b"))
            one, other, whole = compute_margins(rows, a), compute_margins(rows, b), compute_margins(rows, a + b)
            return both(one[0] + other[0] <= whole[0] + wei, one[1] + other[1] <= whole[1] + wei)

        return claim

    establish(superadditive(1), control=superadditive(0))


def test_initial_margin_is_at_least_maintenance_margin_and_neither_is_free() -> None:
    """MRG-3, T3, I6: 1 wei <= MM <= IM <= notional for any notional of at least a wei. Control: MM = IM is not so."""

    def ordered(gap: int) -> Claim:
        def claim(values: Values) -> object:
            mm, im = compute_margins(margin_rows(values), notional := values.integer("notional", 1, MOST_NOTIONAL))
            return both(mm >= 1, mm + gap <= im, im <= notional)

        return claim

    establish(ordered(0), control=ordered(1))
