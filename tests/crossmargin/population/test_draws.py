from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.population.draws import DRAWN, Draws, Quantiles, choose, pick
from protocol.units import BPS

draws = st.integers(0, DRAWN - 1)
TABLE = Quantiles((0, 2_500, 5_000, BPS), (100, 200, 200, 1_000))


def test_a_draw_is_the_hash_of_seed_account_and_field() -> None:
    drawn = Draws("seed", "17")("equity")
    assert drawn == int(sha256(b"seed|17|equity").hexdigest(), 16)
    assert drawn == 0x6AFD3F435462FEEB4294C86937ED77BB7705A98CC6590E77A70328BCA5DC012


@pytest.mark.parametrize(
    ("drawn", "value"),
    [
        (0, 100),
        (1, 100),
        (DRAWN // 8, 150),  # half of the way to the first quarter
        (DRAWN // 4 - 1, 199),  # rounded down
        (DRAWN // 4, 200),
        (DRAWN // 2 - 1, 200),
        (DRAWN // 2, 200),
        (DRAWN // 4 * 3, 600),
        (DRAWN - 1, 999),
    ],
)
def test_a_value_lies_on_the_line_between_two_quantiles(drawn: int, value: int) -> None:
    assert TABLE.at(drawn) == value


@given(st.lists(draws, min_size=2))
def test_a_larger_draw_never_has_a_smaller_value(drawn: list[int]) -> None:
    values = [TABLE.at(one) for one in sorted(drawn)]
    assert values == sorted(values)
    assert all(100 <= value < 1_000 for value in values)


def test_what_is_no_draw_has_no_value() -> None:
    with pytest.raises(ValueError, match="is not a draw"):
        TABLE.at(DRAWN)


@pytest.mark.parametrize(
    ("drawn", "chosen"), [(0, "a"), (DRAWN // 4 - 1, "a"), (DRAWN // 4, "c"), (DRAWN // 2, "c"), (DRAWN - 1, "c")]
)
def test_one_is_chosen_by_its_weight_and_never_one_without(drawn: int, chosen: str) -> None:
    assert choose({"a": 1, "b": 0, "c": 3, "d": 0}, drawn) == chosen


def test_nothing_is_chosen_by_no_weight() -> None:
    with pytest.raises(ValueError, match="no weights"):
        choose({"a": 0}, 5)


@given(st.integers(1, 10**6), draws)
def test_a_number_is_picked_below_its_count(count: int, drawn: int) -> None:
    picked = pick(count, drawn)
    assert 0 <= picked < count
    assert picked * DRAWN <= drawn * count < (picked + 1) * DRAWN
