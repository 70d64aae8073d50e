"""Numbers of a study for people: quartiles, sentences, and where a value stands on an axis."""

from __future__ import annotations

import statistics
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.study.measures import ACCOUNTS, DOLLARS, PER_CENT
from crossmargin.study.scale import NEAREST, build_scale
from crossmargin.study.spread import compute_spread, count_signs, describe_change, describe_spread, show
from protocol.units import W

AMOUNTS = st.integers(-(10**9), 10**9).map(lambda cents: cents * W // 100)


@given(st.lists(st.integers(-(10**6), 10**6).map(lambda value: 4 * value), min_size=2, max_size=50))
def test_quartiles_are_those_of_the_textbook(values: list[int]) -> None:
    # Multiples of four, so that a quarter of a difference is whole and nothing is rounded.
    spread = compute_spread(values)
    assert [spread.lower, spread.median, spread.upper] == statistics.quantiles(values, n=4, method="inclusive")
    assert (spread.lowest, spread.highest) == (min(values), max(values))
    assert abs(spread.mean - statistics.fmean(values)) <= 0.5


def test_quartiles_are_rounded_down_and_a_mean_to_the_nearest() -> None:
    spread = compute_spread([-1, 2])
    assert (spread.lower, spread.median, spread.upper, spread.mean) == (-1, 0, 1, 1)
    assert compute_spread([7]) == compute_spread([7, 7])


@pytest.mark.parametrize(
    ("value", "unit", "signed", "text"),
    [
        (1_234_567 * W + W - 1, DOLLARS, False, "1,234,567"),
        (-W - 1, DOLLARS, False, "-1"),
        (-W + 1, DOLLARS, True, "0"),
        (5 * W, DOLLARS, True, "+5"),
        (1_234, PER_CENT, False, "12.3"),
        (-9, PER_CENT, True, "0.0"),
        (12, ACCOUNTS, True, "+12"),
    ],
)
def test_numbers_are_cut_toward_zero(value: int, unit: str, signed: bool, text: str) -> None:
    assert show(value, unit, signed=signed) == text


def test_sentences_have_the_spread_and_the_signs() -> None:
    values = [W * value for value in (-10, 0, 20, 30, 40)]
    assert count_signs(values) == (3, 1)
    assert describe_spread(values, DOLLARS) == (
        "20 dollars in the median of 5 runs (quartiles 0 and 30, from -10 to 40, mean 16)"
    )
    assert describe_change(values, DOLLARS) == (
        "+20 dollars in the median (quartiles 0 and +30, from -10 to +40, mean +16), more in 3 and less in 1 of 5 runs"
    )
    assert describe_spread([123, 125], PER_CENT).startswith("1.2 % in the median of 2 runs")


@given(st.lists(AMOUNTS, min_size=1, max_size=20))
def test_every_amount_has_a_place_on_its_axis_and_ticks_do_not_touch(values: list[int]) -> None:
    scale = build_scale(values, DOLLARS)
    places = [scale.place(value) for value in sorted(values)]
    assert places == sorted(places)
    assert min(places) >= 0
    assert max(places) <= 1
    ticks = [scale.place(tick) for tick in scale.ticks]
    assert (ticks[0], ticks[-1]) == (Decimal(0), Decimal(1))
    assert all(after - before > NEAREST / 2 for before, after in pairwise(ticks))


@given(st.lists(st.integers(-500, 500), min_size=1, max_size=20))
def test_an_axis_of_counts_is_linear_and_has_its_zero(values: list[int]) -> None:
    scale = build_scale(values, ACCOUNTS)
    assert 0 in scale.ticks
    assert 2 <= len(scale.ticks) <= 7
    assert scale.lowest <= min(values) <= max(values) <= scale.highest
    assert len({after - before for before, after in pairwise(scale.ticks)}) == 1


def test_an_axis_of_dollars_is_linear_up_to_a_hundred_and_logarithmic_beyond() -> None:
    scale = build_scale([0, 10_000 * W], DOLLARS)
    assert scale.ticks == (0, 100 * W, 1_000 * W, 10_000 * W)
    places = [f"{scale.place(value * W):.9f}" for value in (50, 100, 1_000, 10_000)]
    assert places == ["0.166666667", "0.333333333", "0.666666667", "1.000000000"]
    assert build_scale([-300 * W, 20_000 * W], DOLLARS).place(0) > 0
    assert build_scale([200_000 * W, 3_000_000 * W], DOLLARS).lowest == 200_000 * W
    assert build_scale([0], DOLLARS).ticks == (0, 100 * W)
