"""What a fill costs: impact and the share of it that is given back, and fees: FIL-2, FIL-3, FIL-9."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.fills import charge_fee, compute_fee, compute_impact, release_impact
from protocol.units import BPS, W
from tests.protocol.build import BTC_PRICE
from tests.protocol.filling import MARKET, RATIOS, SCALES
from tests.protocol.strategies import PRICES, SIZES
from tests.twins import RISK

UNIT = replace(MARKET, skew_scale=1)  # with a price of 1 dollar a skew of s wei has a potential of s * s / 2 wei


# --- FIL-2: impact --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skew", "size_delta", "charge", "rebate"),
    [
        # Growing the skew from s to t costs (t^2 - s^2) * 8,000 / 20,000 dollars.
        (0, 1, 400, 0),
        (0, -1, 400, 0),
        (1, 1, 1_200, 0),
        (-1, -1, 1_200, 0),
        (10, 5, 50_000, 0),
        (0, 100, 4_000_000, 0),
        # Shrinking it gives 90 % of that back.
        (1, -1, 0, 360),
        (-1, 1, 0, 360),
        (2, -1, 0, 1_080),
        (-100, 100, 0, 3_600_000),
        # Through zero both: the old side's potential back, the new side's charged.
        (1, -3, 1_600, 360),
        (-1, 3, 1_600, 360),
        (1, -2, 400, 360),
        (10, -11, 400, 36_000),
        # Nothing traded, nothing charged.
        (5, 0, 0, 0),
        (0, 0, 0, 0),
    ],
)
def test_impact_worked_by_hand(skew: int, size_delta: int, charge: int, rebate: int) -> None:
    """FIL-2: whole BTC at 8,000 dollars, in thousandths of a dollar."""
    expected = (charge * W // 1_000, rebate * W // 1_000)
    assert compute_impact(MARKET, skew * W, size_delta * W, 8_000 * W) == expected


@pytest.mark.parametrize(
    ("skew", "size_delta", "ratio", "charge", "rebate"),
    [
        (0, 1, 9_000, 1, 0),  # 0.5
        (0, 2, 9_000, 2, 0),  # 2
        (1, 1, 9_000, 2, 0),  # 1.5
        (3, -1, 9_000, 0, 2),  # 2.25
        (3, -1, 10_000, 0, 2),  # 2.5
        (3, -2, 10_000, 0, 4),  # 4
        (3, -3, 9_999, 0, 4),  # 4.49955
        (3, -3, 0, 0, 0),
        (1, -3, 9_000, 2, 0),  # 2 and 0.45
        (2, -3, 9_000, 1, 1),  # 0.5 and 1.8
        (2, -3, 10_000, 1, 2),
        (-2, 3, 10_000, 1, 2),
        (1, -1, 10_000, 0, 0),  # 0.5
    ],
)
def test_a_charge_is_rounded_up_and_a_rebate_down(
    skew: int, size_delta: int, ratio: int, charge: int, rebate: int
) -> None:
    """FIL-2, T6: wei by wei, where a skew of s wei has a potential of half of s squared."""
    assert compute_impact(replace(UNIT, rebate_ratio=ratio), skew, size_delta, W) == (charge, rebate)


def test_each_parameter_of_the_impact_counts() -> None:
    """FIL-2, N5: price and scale in proportion; the rebate ratio only on rebates."""
    charge, _ = compute_impact(MARKET, W, W, 8_000 * W)
    assert compute_impact(MARKET, W, W, 16_000 * W) == (2 * charge, 0)
    assert compute_impact(replace(MARKET, skew_scale=5_000 * W), W, W, 8_000 * W) == (2 * charge, 0)
    assert compute_impact(replace(MARKET, rebate_ratio=0), W, W, 8_000 * W) == (charge, 0)
    assert compute_impact(replace(MARKET, rebate_ratio=0), 2 * W, -W, 8_000 * W) == (0, 0)
    assert compute_impact(replace(MARKET, rebate_ratio=10_000), 2 * W, -W, 8_000 * W) == (0, charge)


SKEWS = st.integers(-(10**23), 10**23) | st.integers(-20, 20)


@given(SKEWS, SKEWS, SKEWS, SCALES, RATIOS, PRICES)
@example(1, -3, 1, 1, 9_000, W)
@example(1, 1, -3, 1, BPS, W)
def test_a_split_fill_is_never_cheaper(skew: int, a: int, b: int, scale: int, ratio: int, price: int) -> None:
    """FIL-2, T4, X1: in parts at least the whole; in one direction at most 2 wei more: the potential has no path."""
    params = replace(MARKET, skew_scale=scale, rebate_ratio=ratio)

    def net(before: int, delta: int) -> int:
        charge, rebate = compute_impact(params, before, delta, price)
        return charge - rebate

    more = net(skew, a) + net(skew + a, b) - net(skew, a + b)
    assert more >= 0
    if a * b >= 0:
        assert more <= 2


@given(SKEWS, SKEWS, SCALES, RATIOS, PRICES, st.integers(0, 10**20), st.integers(0, 100))
def test_impact_mirrors_and_grows_with_its_parameters(
    skew: int, delta: int, scale: int, ratio: int, price: int, wider: int, more: int
) -> None:
    """FIL-2, T8, N5, X6: mirrored fills cost the same; a smaller scale or rebate never helps."""
    params = replace(MARKET, skew_scale=scale, rebate_ratio=ratio)
    charge, rebate = compute_impact(params, skew, delta, price)
    assert compute_impact(params, -skew, -delta, price) == (charge, rebate)
    assert charge >= 0 <= rebate
    deeper, _ = compute_impact(replace(params, skew_scale=scale + wider), skew, delta, price)
    assert deeper <= charge
    _, larger = compute_impact(replace(params, rebate_ratio=min(ratio + more, BPS)), skew, delta, price)
    assert larger >= rebate
    exact = Fraction(((skew + delta) ** 2 - skew**2) * price, 2 * scale * W)
    assert charge - rebate >= exact, "a rebate never gives back more than the potential"


# --- FIL-3: fees ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skew", "size_delta", "maker", "taker"),
    [
        (0, 2, 0, 2),
        (0, -2, 0, 2),
        (5, 2, 0, 2),
        (-5, -2, 0, 2),
        (5, -2, 2, 0),
        (-5, 2, 2, 0),
        (2, -2, 2, 0),
        (1, -3, 1, 2),
        (-1, 3, 1, 2),
    ],
)
def test_the_part_that_shrinks_the_skew_makes_and_the_rest_takes(
    skew: int, size_delta: int, maker: int, taker: int
) -> None:
    """FIL-3: split at zero skew: 0.02 % and 0.05 % of 8,000 dollars are 1.60 and 4."""
    fee = maker * 1_600 * W // 1_000 + taker * 4 * W
    assert compute_fee(MARKET, skew * W, size_delta * W, BTC_PRICE) == fee


@pytest.mark.parametrize(
    ("size", "price", "rate", "fee"),
    [
        (W, 8_000 * W, W // 2_000, 4 * W),
        (0, 8_000 * W, W, 0),
        (1, W, 1, 1),
        (1, W, W, 1),
        (1, W + 1, W, 2),
        (W, 8_000 * W, 0, 0),
        (10**9, 10**9, W // 100, 1),
        (10**9, 10**11, W // 100, 1),
        (10**9, 10**11 + 1, W // 100, 2),
    ],
)
def test_a_fee_is_charged_on_the_notional_and_rounded_up(size: int, price: int, rate: int, fee: int) -> None:
    """FIL-3, T6, B27: no fill is too small for its fee, and one rounding is all there is."""
    assert charge_fee(size, price, rate) == fee


def test_both_parts_of_a_fee_are_rounded_up() -> None:
    """FIL-3, T6: a wei that shrinks the skew and a wei that grows it pay a wei each."""
    assert compute_fee(MARKET, 1, -1, W) == 1
    assert compute_fee(MARKET, 1, -2, W) == 2
    assert compute_fee(MARKET, 0, -2, W) == 1
    assert compute_fee(replace(MARKET, maker_fee=0), 1, -2, W) == 1


@given(SKEWS, SIZES, SIZES, st.booleans(), PRICES)
def test_a_fee_in_parts_is_never_less(skew: int, a: int, b: int, short: bool, price: int) -> None:
    """FIL-3, X1: an order split in two pays at most 2 wei more, and never less."""
    sign = -1 if short else 1
    parts = compute_fee(MARKET, skew, sign * a, price) + compute_fee(MARKET, skew + sign * a, sign * b, price)
    assert 0 <= parts - compute_fee(MARKET, skew, sign * (a + b), price) <= 2


# --- FIL-9: what is given back of the impact ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("collected", "skew", "size_delta", "released"),
    [
        (8, 2, -1, 6),  # three quarters
        (9, 2, -1, 6),  # 6.75, rounded down
        (9, -2, 1, 6),
        (9, 2, -2, 9),  # to zero: all of it
        (9, 2, -3, 9),  # through zero: all of it, whatever the skew after it
        (9, 2, -5, 9),
        (9, -2, 5, 9),
        (0, 2, -1, 0),
        (9, 2, 3, 0),  # growing it releases nothing
        (9, -2, -3, 0),
        (9, 2, 0, 0),
        (9, 0, 3, 0),
        (0, 0, -3, 0),
    ],
)
def test_what_is_released_worked_by_hand(collected: int, skew: int, size_delta: int, released: int) -> None:
    """FIL-9: the share of the potential given back, rounded down in favour of those who shrink the skew later."""
    assert release_impact(collected, skew, size_delta) == released


@given(
    skew=st.integers(0, 10**23),
    before=st.integers(1, 10**23),
    forced=st.integers(0, 10**23),
    missing=st.integers(0, 10**23),
    parts=st.integers(1, 3),
    scale=SCALES,
    price=PRICES,
)
def test_trading_around_a_liquidation_never_gains_by_impact(
    skew: int, before: int, forced: int, missing: int, parts: int, scale: int, price: int
) -> None:
    """FIL-9, B38: growing the skew before a move that pays nothing, shrinking it after it, whole or in parts.

    With a rebate of 100 %, and a ledger that held the potential of the skew or less.
    """
    params = replace(MARKET, skew_scale=scale, rebate_ratio=BPS)
    held, _ = compute_impact(params, 0, skew, price)
    paid, _ = compute_impact(params, skew, before, price)
    ledger = max(held - missing, 0) + paid
    at, got = skew + before + forced, 0
    for part in range(parts):
        delta = before * (part + 1) // parts - before * part // parts
        _, rebate = compute_impact(params, at, -delta, price)
        released = release_impact(ledger, at, -delta)
        at, got, ledger = at - delta, got + min(rebate, released), ledger - released
    # ``held`` is rounded up, by less than a wei.
    assert got <= paid + 1


# --- the ratios of the examples -------------------------------------------------------------------------------------


def test_the_reference_ratios_are_those_the_examples_use() -> None:
    """FIL-2, FIL-3, FIL-6: the numbers the cases above are worked with."""
    assert (MARKET.skew_scale, MARKET.rebate_ratio) == (10_000 * W, 9_000)
    assert (MARKET.maker_fee, MARKET.taker_fee) == (W // 5_000, W // 2_000)
    assert (RISK.impact_cap_ratio, RISK.insurance_fee_share, RISK.lock_ratio) == (W // 200, 1_000, 2_000)
