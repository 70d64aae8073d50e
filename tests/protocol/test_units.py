"""The divisions, the scale of tokens, and the widths of what is stored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import errors
from protocol.actions import Deposit, Withdraw
from protocol.draft import check_range
from protocol.units import (
    BPS,
    DAY,
    INDEX_LIMIT,
    PRICE_LIMIT,
    RESERVED_LIMIT,
    SIGNED_LIMIT,
    SIZE_LIMIT,
    UNITS_LIMIT,
    UNSIGNED_LIMIT,
    USDC_TO_W,
    YEAR,
    W,
    cdiv,
    fdiv,
)
from tests.protocol.build import ACCOUNT, cash_of, env, holding, run, state_with

WIDE = st.integers(-(2**255), 2**255 - 1)


@pytest.mark.parametrize(
    ("numerator", "denominator", "down", "up"),
    [
        (0, 7, 0, 0),
        (1, 7, 0, 1),
        (-1, 7, -1, 0),
        (6, 7, 0, 1),
        (7, 7, 1, 1),
        (8, 7, 1, 2),
        (-6, 7, -1, 0),
        (-7, 7, -1, -1),
        (-8, 7, -2, -1),
        (1, 2, 0, 1),
        (-1, 2, -1, 0),
        (W - 1, W, 0, 1),
        (W, W, 1, 1),
        (W + 1, W, 1, 2),
        (1 - W, W, -1, 0),
        (-W, W, -1, -1),
        (-1 - W, W, -2, -1),
        (2**255 - 1, 1, 2**255 - 1, 2**255 - 1),
        (-(2**255), 1, -(2**255), -(2**255)),
        (2**255 - 1, 2**255 - 1, 1, 1),
    ],
)
def test_quotients_round_down_and_up_for_both_signs(numerator: int, denominator: int, down: int, up: int) -> None:
    """UNIT-1, T7: fdiv goes to minus infinity and cdiv to plus infinity, also for negative numerators."""
    assert (fdiv(numerator, denominator), cdiv(numerator, denominator)) == (down, up)


@given(WIDE, st.integers(1, 2**128))
def test_the_two_divisions_enclose_the_quotient(numerator: int, denominator: int) -> None:
    """UNIT-1: fdiv <= exact <= cdiv, less than one apart unless exact, and each is the other's mirror."""
    down, up = fdiv(numerator, denominator), cdiv(numerator, denominator)
    assert down * denominator <= numerator < (down + 1) * denominator
    assert (up - 1) * denominator < numerator <= up * denominator
    assert up - down == (numerator % denominator != 0)
    assert up == -fdiv(-numerator, denominator)


@given(st.integers(1, 10**20), st.integers(1, 10**20))
def test_paying_in_small_parts_never_costs_less(amount: int, rate: int) -> None:
    """UNIT-1, T6: a thousand charges of a small amount, each rounded up, are at least the charge of the whole."""
    assert 1_000 * cdiv(amount * rate, W) >= cdiv(1_000 * amount * rate, W)
    assert 1_000 * fdiv(amount * rate, W) <= fdiv(1_000 * amount * rate, W)


def test_a_usdc_unit_is_a_whole_number_of_wei() -> None:
    """UNIT-2: tokens meet scale W at the border, exactly: a million USDC units are one dollar."""
    assert USDC_TO_W * 10**6 == W
    assert W == 10**18
    assert BPS == 10**4
    assert (DAY, YEAR) == (24 * 60 * 60, 365 * 24 * 60 * 60)


def test_tokens_meet_the_scale_only_where_they_enter_and_leave() -> None:
    """UNIT-2: one USDC unit in is 10^12 wei of cash; one unit of other collateral stays one unit."""
    state = state_with({ACCOUNT: holding(cash=7)})
    state = run(state, env(), Deposit(ACCOUNT, 0, 1)).state
    assert cash_of(state) == 7 + 10**12
    state = run(state, env(), Deposit(ACCOUNT, 1, 1)).state
    assert state.accounts[ACCOUNT].collateral == {1: 1}
    state = run(state, env(), Withdraw(ACCOUNT, 0, 1)).state
    assert cash_of(state) == 7


@pytest.mark.parametrize(
    ("low", "high"),
    [(0, UNITS_LIMIT), (1 - SIZE_LIMIT, SIZE_LIMIT), (-SIGNED_LIMIT, SIGNED_LIMIT), (0, UNSIGNED_LIMIT), (5, 6)],
)
def test_a_range_includes_its_low_end_and_excludes_its_high_end(low: int, high: int) -> None:
    """UNIT-3: what does not fit the stored width is refused with sys/domain, at the very border."""
    check_range(low, low, high)
    check_range(high - 1, low, high)
    for value in (low - 1, high):
        with pytest.raises(errors.OutOfDomain) as refusal:
            check_range(value, low, high)
        assert refusal.value.facts == {"value": value}


def test_the_widths_are_those_of_the_packed_words() -> None:
    """UNIT-3: 96 bits for prices, sizes, units and reserves, 128 for halves of a word, 112 for an index."""
    assert PRICE_LIMIT == SIZE_LIMIT == UNITS_LIMIT == RESERVED_LIMIT == 2**96
    assert INDEX_LIMIT == 2**112
    # An index times the open interest of one side stays below 2^240, so the pool's funding fits a word.
    assert INDEX_LIMIT * UNSIGNED_LIMIT == 2**240
    assert (SIGNED_LIMIT, UNSIGNED_LIMIT) == (2**127, 2**128)
