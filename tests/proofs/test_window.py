"""The liquidation window: what counts is the sum of the buckets that have not passed, and it is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any
from unittest import mock

import pytest

from protocol import window
from protocol.configuration import USD_LIMIT
from protocol.margin import compute_notional
from protocol.sizing import Exposure, limit_close
from protocol.state import RING, Window
from protocol.units import PRICE_LIMIT, SIZE_LIMIT, UNSIGNED_LIMIT
from protocol.window import add_closed, compute_left, compute_used
from tests.proofs.lemmas import establish
from tests.proofs.rows import NO_MARKET
from tests.proofs.symbolic import Claim, Values, both

NEWEST = 1_000_000  # number of the newest bucket; a bucket lasts a second
FULL = range(RING)  # ages of the buckets in use
SPARSE = (0, 3, 4, 17, 31)
LATER = (0, 1, 5, 31, 32, 100)  # seconds after the newest
PARAMS = replace(NO_MARKET, window=RING)


def filled(values: Values, ages: Sequence[int]) -> tuple[Window, dict[int, Any]]:
    """A window whose buckets of these ages have closed unknown notionals, and those notionals by bucket."""
    closed = {NEWEST - age: values.integer(f"notional {age}", 1, USD_LIMIT) for age in sorted(ages, reverse=True)}
    totals = list(accumulate(closed.values(), initial=values.integer("earlier", 0, UNSIGNED_LIMIT)))
    return Window(totals[-1], tuple(zip(closed, totals, strict=False))), closed


@pytest.mark.parametrize("ages", [FULL, SPARSE], ids=["full", "sparse"])
def test_what_counts_is_the_sum_of_the_buckets_that_have_not_passed(ages: Sequence[int]) -> None:
    """WIN-2: at any later time and after an entry, no bucket counts twice or too long, and none is forgotten.

    Control: buckets that count one second less.
    """

    def summed(lasting: int) -> Claim:
        def claim(values: Values) -> object:
            before, closed = filled(values, ages)
            added = values.integer("added", 1, USD_LIMIT)
            facts: list[Any] = []
            for now in (NEWEST + later for later in LATER):
                counted = sum(notional for number, notional in closed.items() if number > now - lasting)
                after = add_closed(PARAMS, before, now, added)
                facts += [compute_used(before, now) == counted, compute_used(after, now) == counted + added]
                facts.append(len(after.entries) <= RING)
            return both(*facts)

        return claim

    establish(summed(RING), control=summed(RING - 1))


def test_partial_liquidations_of_a_window_stay_below_its_notional_plus_one_minimum() -> None:
    """WIN-3, SIZ-5: a close leaves the total below window_notional + min_notional if it was below before.

    Control: a window that forgets what was closed.
    """

    def claim(values: Values) -> object:
        params = replace(
            PARAMS,
            min_notional=values.integer("min_notional", 1, USD_LIMIT - 1),
            lot=values.integer("lot", 1, SIZE_LIMIT - 1),
            window_notional=values.integer("window_notional", 0, USD_LIMIT - 1),
        )
        bound = params.window_notional + params.min_notional
        used = values.integer("used", 0, bound - 1)
        size = values.integer("size", 1, SIZE_LIMIT - 1)
        price = values.integer("price", 1, PRICE_LIMIT - 1)
        before = Window(used, ((NEWEST, 0),))
        left = compute_left(params, before, NEWEST)
        asked = values.integer("asked", 0, size)
        closed = limit_close(params, Exposure(0, size, price, 0, 0, 0), asked, left)
        after = add_closed(params, before, NEWEST, compute_notional(closed, price))
        return both(left >= 0, left <= params.window_notional, after.closed < bound)

    establish(claim, broken=mock.patch.object(window, "compute_used", return_value=0))
