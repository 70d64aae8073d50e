"""Impact and fees: what splitting, reversing and mirroring a fill can gain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from protocol import fills
from protocol.configuration import MAX_FEE_RATE
from protocol.fills import bound_rebate, charge_fee, compute_impact
from protocol.units import BPS, PRICE_LIMIT, SIGNED_LIMIT, SIZE_LIMIT, W
from tests.proofs.lemmas import establish, flipped
from tests.proofs.rows import NO_MARKET
from tests.proofs.symbolic import Claim, Values, both

SCALES = (W, SIZE_LIMIT - 1)  # the least and the largest skew scale


def net_of(values: Values, scale: int, rebate_ratio: int) -> Callable[[int, int], Any]:
    """Impact net of rebate of a fill from a skew, all at one price."""
    price = values.integer("price", 0, PRICE_LIMIT - 1)
    params = replace(NO_MARKET, skew_scale=scale, rebate_ratio=rebate_ratio)

    def net(skew: int, size_delta: int) -> Any:
        charge, rebate = compute_impact(params, skew, size_delta, price)
        return charge - rebate

    return net


def size_of(values: Values, name: str) -> Any:
    """A skew or a fill's size."""
    return values.integer(name, 1 - SIZE_LIMIT, SIZE_LIMIT - 1)


@pytest.mark.parametrize("scale", SCALES)
def test_impact_does_not_depend_on_the_path_when_all_of_it_is_rebated(scale: int) -> None:
    """FIL-2, T4: with a rebate of 100 %, two fills cost what one costs, between 2 wei less and 2 wei more.

    Control: a rebate of 90 %.
    """

    def path_independent(rebate_ratio: int) -> Claim:
        def claim(values: Values) -> object:
            net = net_of(values, scale, rebate_ratio)
            skew, first, second = (size_of(values, name) for name in ("skew", "first", "second"))
            parts = net(skew, first) + net(skew + first, second)
            whole = net(skew, first + second)
            return both(whole - 2 <= parts, parts <= whole + 2)

        return claim

    establish(path_independent(BPS), control=path_independent(BPS * 9 // 10))


@pytest.mark.parametrize("scale", SCALES)
def test_splitting_a_fill_never_makes_it_cheaper(scale: int) -> None:
    """FIL-2, T4: with a rebate of 90 %, two fills cost at most 2 wei less than one. Control: a rebate of 110 %."""

    def dearer(rebate_ratio: int) -> Claim:
        def claim(values: Values) -> object:
            net = net_of(values, scale, rebate_ratio)
            skew, first, second = (size_of(values, name) for name in ("skew", "first", "second"))
            return net(skew, first) + net(skew + first, second) >= net(skew, first + second) - 2

        return claim

    establish(dearer(BPS * 9 // 10), control=dearer(BPS * 11 // 10))


@pytest.mark.parametrize("scale", SCALES)
def test_a_round_trip_at_one_price_never_gains(scale: int) -> None:
    """FIL-2, T5: there and back costs at least 0, even with a rebate of 100 %. Control: a rebate of 110 %."""

    def no_gain(rebate_ratio: int) -> Claim:
        def claim(values: Values) -> object:
            net = net_of(values, scale, rebate_ratio)
            skew, there = (size_of(values, name) for name in ("skew", "size_delta"))
            return net(skew, there) + net(skew + there, -there) >= 0

        return claim

    establish(no_gain(BPS), control=no_gain(BPS * 11 // 10))


def test_impact_is_the_same_for_longs_and_shorts() -> None:
    """FIL-2, T8: mirroring skew and size changes neither charge nor rebate. Control: mirroring the size alone."""

    def mirrored(skew_sign: int) -> Claim:
        def claim(values: Values) -> object:
            params = replace(NO_MARKET, skew_scale=10_000 * W, rebate_ratio=BPS * 9 // 10)
            price = values.integer("price", 0, PRICE_LIMIT - 1)
            skew, size_delta = (size_of(values, name) for name in ("skew", "size_delta"))
            charge, rebate = compute_impact(params, skew, size_delta, price)
            charge_mirrored, rebate_mirrored = compute_impact(params, skew_sign * skew, -size_delta, price)
            return both(charge == charge_mirrored, rebate == rebate_mirrored)

        return claim

    establish(mirrored(-1), control=mirrored(1))


def test_a_rebate_is_at_most_what_was_collected() -> None:
    """FIL-9, C7: from 0 to all of the ledger, whatever the rebate itself; for a skew of longs.

    Control: a fill that grows the skew, whose potential is given back by less than nothing.
    """

    def within(lowest: int, highest: int) -> Claim:
        def claim(values: Values) -> object:
            skew = values.integer("skew", 1, SIZE_LIMIT - 1)
            size_delta = values.integer("size_delta", lowest, highest)
            collected = values.integer("collected", 0, SIGNED_LIMIT - 1)
            rebate = values.integer("rebate", 1, SIGNED_LIMIT - 1)
            bounded = bound_rebate(rebate, collected, skew, size_delta)
            return both(bounded >= 0, bounded <= collected)

        return claim

    establish(within(1 - SIZE_LIMIT, -1), control=within(1, SIZE_LIMIT - 1))


def test_splitting_a_fill_never_lowers_its_fee() -> None:
    """FIL-3, T6: fee(a) + fee(b) is fee(a + b), or a wei more."""

    def claim(values: Values) -> object:
        price = values.integer("price", 0, PRICE_LIMIT - 1)
        rate = values.integer("rate", 0, MAX_FEE_RATE)
        a, b = (values.integer(name, 0, SIZE_LIMIT - 1) for name in ("a", "b"))
        parts = charge_fee(a, price, rate) + charge_fee(b, price, rate)
        whole = charge_fee(a + b, price, rate)
        return both(whole <= parts, parts <= whole + 1)

    establish(claim, broken=flipped(fills, "cdiv"))
