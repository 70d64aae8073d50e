"""What collateral is worth, at market and after haircuts."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.collateral import compute_haircut_values, compute_haircuts_in_force, compute_token_value
from protocol.params import HaircutBracket
from protocol.state import CollateralPhase
from protocol.units import PRICE_LIMIT, UNITS_LIMIT, W
from tests.protocol.strategies import haircut_rows
from tests.twins import weth_params

ROWS = weth_params().brackets  # 90 and 85 % to 1 M, 80 and 70 % to 5 M, 50 and 40 % beyond
VALUES = st.one_of(
    st.integers(0, 10**7 * W),
    st.builds(lambda border, step: border * 10**6 * W + step, st.sampled_from((1, 5)), st.integers(-3, 3)),
)


def exact_value(rows: tuple[HaircutBracket, ...], value: int, name: str) -> Fraction:
    """The haircut value as an integral over the value, without rounding."""
    total = Fraction(0)
    for index, row in enumerate(rows):
        upper = rows[index + 1].lower if index + 1 < len(rows) else value
        total += Fraction(max(0, min(value, upper) - row.lower) * getattr(row, name), W)
    return total


@pytest.mark.parametrize(
    ("units", "price", "decimals", "value"),
    [
        (0, 200 * W, 18, 0),
        (10**18, 200 * W, 18, 200 * W),
        (10**8, 8_000 * W, 8, 8_000 * W),
        (10**6, W, 6, W),
        (1, 200 * W, 18, 200),
        (1, W - 1, 18, 0),
        (1, W, 18, 1),
        (1, W + 1, 18, 1),
        (1, 10**24 - 1, 24, 0),
        (1, 10**24, 24, 1),
        (3, 5, 0, 15),
        (5, 0, 18, 0),
        (UNITS_LIMIT - 1, PRICE_LIMIT - 1, 0, (UNITS_LIMIT - 1) * (PRICE_LIMIT - 1)),
    ],
)
def test_token_value_rounds_down(units: int, price: int, decimals: int, value: int) -> None:
    """COL-1: units times price over the token's decimals, rounded down against the account; 0 for nothing."""
    assert compute_token_value(units, price, decimals) == value


@given(st.integers(0, 10**12), st.integers(0, 10**24), st.integers(6, 18), st.integers(0, 6))
def test_decimals_do_not_change_what_an_amount_is_worth(amount: int, price: int, decimals: int, further: int) -> None:
    """COL-1, O6, X10: the same real amount in a token with more decimals is worth the same."""
    units = amount * 10**further
    assert compute_token_value(units, price, decimals + further) == compute_token_value(amount, price, decimals)


@pytest.mark.parametrize(
    ("value", "mm", "im"),
    [
        (0, 0, 0),
        (1, 0, 0),
        (2, 1, 1),
        (100 * W, 90 * W, 85 * W),
        (10**6 * W - 1, 900_000 * W - 1, 850_000 * W - 1),
        (10**6 * W, 900_000 * W, 850_000 * W),
        (10**6 * W + 1, 900_000 * W, 850_000 * W),
        (10**6 * W + 2, 900_000 * W + 1, 850_000 * W + 1),
        (3 * 10**6 * W, 2_500_000 * W, 2_250_000 * W),
        (5 * 10**6 * W - 1, 4_100_000 * W - 1, 3_650_000 * W - 1),
        (5 * 10**6 * W, 4_100_000 * W, 3_650_000 * W),
        (5 * 10**6 * W + 1, 4_100_000 * W, 3_650_000 * W),
        (7 * 10**6 * W, 5_100_000 * W, 4_450_000 * W),
    ],
)
def test_each_part_of_a_value_has_the_weight_of_its_bracket(value: int, mm: int, im: int) -> None:
    """COL-2, M8: worked values of the reference haircuts, with the borders at -1, 0 and +1 wei."""
    assert compute_haircut_values(ROWS, value) == (mm, im)


@pytest.mark.parametrize(("value", "counted"), [(0, 0), (1, 0), (W - 1, W - 2), (W, W - 1), (W + 1, W - 1)])
def test_no_fraction_of_a_wei_is_counted(value: int, counted: int) -> None:
    """COL-2, T6: a weight a wei short of one never counts for the last wei."""
    assert compute_haircut_values((HaircutBracket(0, W - 1, W - 1),), value) == (counted, counted)


@given(haircut_rows(), VALUES)
def test_the_value_counted_is_the_exact_one_rounded_down(rows: tuple[HaircutBracket, ...], value: int) -> None:
    """COL-2: one rounding per value, down, whatever the brackets."""
    mm, im = compute_haircut_values(rows, value)
    assert mm == exact_value(rows, value, "mm_weight") // 1
    assert im == exact_value(rows, value, "im_weight") // 1
    assert 0 <= im <= mm <= value


@given(haircut_rows(), VALUES, st.integers(0, 10**24))
def test_more_value_never_counts_less(rows: tuple[HaircutBracket, ...], value: int, more: int) -> None:
    """COL-2, M8: non-decreasing, and a wei more never counts for more than a wei."""
    for before, after in zip(
        compute_haircut_values(rows, value), compute_haircut_values(rows, value + more), strict=True
    ):
        assert before <= after <= before + more + (more > 0)
    for before, after in zip(compute_haircut_values(rows, value), compute_haircut_values(rows, value + 1), strict=True):
        assert after - before in {0, 1}


@given(haircut_rows(), VALUES, VALUES)
def test_haircuts_are_concave(rows: tuple[HaircutBracket, ...], one: int, other: int) -> None:
    """COL-2, M8: two halves count for at least as much as their sum, but for the rounding of one wei."""
    for index in (0, 1):
        apart = compute_haircut_values(rows, one)[index] + compute_haircut_values(rows, other)[index]
        assert apart + 1 >= compute_haircut_values(rows, one + other)[index]
        # The middle lies on or above the chord.
        middle = compute_haircut_values(rows, (one + other) // 2)[index]
        ends = compute_haircut_values(rows, one)[index] + compute_haircut_values(rows, other)[index]
        assert 2 * (middle + 1) + 1 >= ends


# --- COL-3: weights being phased in ---------------------------------------------------------------------------------

UNTIL = 1_600_000_000
LOW = (HaircutBracket(0, W // 2, W // 4),)
HIGH = (HaircutBracket(0, W * 9 // 10, W * 8 // 10),)


@pytest.mark.parametrize(
    ("now", "old", "new", "mm", "im"),
    [
        # Stricter weights wait for maintenance, to the second, and hold for opening at once.
        (UNTIL - 1, HIGH, LOW, 90, 25),
        (UNTIL, HIGH, LOW, 50, 25),
        (UNTIL + 1, HIGH, LOW, 50, 25),
        # Laxer ones hold at once for both.
        (UNTIL - 1, LOW, HIGH, 90, 80),
        (UNTIL, LOW, HIGH, 90, 80),
    ],
)
def test_the_higher_of_old_and_new_weights_counts_until_the_phase_ends(
    now: int, old: tuple[HaircutBracket, ...], new: tuple[HaircutBracket, ...], mm: int, im: int
) -> None:
    """COL-3: 100 dollars of a collateral whose weights change."""
    params = replace(weth_params(), brackets=new)
    assert compute_haircuts_in_force(params, CollateralPhase(UNTIL, old, 0), now, 100 * W) == (mm * W, im * W)


def test_without_a_phase_only_the_weights_in_force_count() -> None:
    """COL-3: at any time, the first second included."""
    for now in (0, 1, UNTIL):
        assert compute_haircuts_in_force(weth_params(), CollateralPhase(0, (), 0), now, 100 * W) == (90 * W, 85 * W)


@given(haircut_rows(), haircut_rows(), VALUES)
def test_a_phase_never_counts_less_than_either_set_for_maintenance(
    old: tuple[HaircutBracket, ...], new: tuple[HaircutBracket, ...], value: int
) -> None:
    """COL-3, M8: the better of the two whole values, not of each bracket; initial never above maintenance."""
    params = replace(weth_params(), brackets=new)
    mm, im = compute_haircuts_in_force(params, CollateralPhase(UNTIL, old, 0), UNTIL - 1, value)
    assert mm == max(compute_haircut_values(old, value)[0], compute_haircut_values(new, value)[0])
    assert im == compute_haircut_values(new, value)[1]
    assert im <= mm <= value
