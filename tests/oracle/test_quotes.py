"""Arithmetic of quotes with two sides."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.quotes import (
    PUBLISH_LIMIT,
    SOFT,
    divide,
    invert,
    make_quote,
    multiply,
    rank,
    read_answer,
    read_round,
    scale_quote,
    take_first_ok,
    take_max,
    take_median,
    take_min,
    take_recent,
)
from protocol.env import NO_QUOTE, Quote, Status
from protocol.policy import REDUCTION, STATUS_LIMIT
from protocol.units import PRICE_LIMIT, W

NOW = 1_600_000_000
MISSING = Quote(0, 0, 0, 50, int(Status.UNAVAILABLE))
NON_POSITIVE, OUT = int(Status.NON_POSITIVE), int(Status.OUT_OF_BOUNDS)
SOFT_BITS = (Status.STALE_SOFT, Status.UNCERTAIN, Status.CAPPED, Status.SEQ_GRACE)


def flat(price: int, publish_time: int = NOW, status: int = 0) -> Quote:
    """A price without spread."""
    return Quote(price, price, price, publish_time, int(status))


# --- QUO-1: the range of prices -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ((1, 1, 1), Quote(1, 1, 1, 7, 2)),
        ((0, 1, 1), Quote(0, 0, 0, 7, 3)),
        ((0, 0, 0), Quote(0, 0, 0, 7, 3)),
        ((1, 2, PRICE_LIMIT - 1), Quote(1, 2, PRICE_LIMIT - 1, 7, 2)),
        ((1, 2, PRICE_LIMIT), Quote(0, 0, 0, 7, 66)),
        ((0, 2, PRICE_LIMIT), Quote(0, 0, 0, 7, 3)),
    ],
)
def test_a_result_outside_the_range_is_no_price(sides: tuple[int, int, int], expected: Quote) -> None:
    """QUO-1: a bid of 0 is none, an ask of 2^96 is none, and the faults before stay."""
    assert make_quote(*sides, 7, 2) == expected


# --- QUO-2: what sources say ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decimals", "raw", "expected"),
    [
        (18, (5, 6, 7), (5, 6, 7)),
        (17, (5, 6, 7), (50, 60, 70)),
        (0, (1, 1, 1), (W, W, W)),
        (8, (20_000_000_000, 20_000_000_000, 20_000_000_001), (200 * W, 200 * W, 200 * W + 10**10)),
        # Bid and mid down, ask up.
        (19, (10, 10, 10), (1, 1, 1)),
        (19, (19, 19, 19), (1, 1, 2)),
        (19, (11, 20, 21), (1, 2, 3)),
        (36, (W, W + 1, W + 1), (1, 1, 2)),
        (36, (2**96 * W - W, 2**96 * W - W, 2**96 * W - W), (PRICE_LIMIT - 1,) * 3),
    ],
)
def test_an_answer_is_brought_to_scale_w(
    decimals: int, raw: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    """QUO-2: exact up to 18 decimals, and rounded apart beyond, so that the true price stays between the sides."""
    assert scale_quote(*raw, decimals, NOW, 0) == Quote(*expected, NOW, 0)
    assert read_answer((*raw, NOW, 0), decimals) == Quote(*expected, NOW, 0)


@pytest.mark.parametrize(
    ("decimals", "raw", "status"),
    [
        (19, (9, 10, 11), NON_POSITIVE),
        (36, (W - 1, W, W), NON_POSITIVE),
        (18, (0, 0, 0), NON_POSITIVE),
        (18, (0, 0, 2**256 - 1), NON_POSITIVE),
        (0, (1, 1, 2**256 - 1), OUT),
        (18, (1, 1, PRICE_LIMIT), OUT),
        (17, (1, 1, PRICE_LIMIT // 10 + 1), OUT),
        (36, (W, W, 2**96 * W), OUT),
        (36, (W, W, 2**96 * W - W + 1), OUT),  # rounded up to the limit
        (36, (2**256 - 1,) * 3, OUT),
    ],
)
def test_an_answer_outside_the_range_is_no_price(decimals: int, raw: tuple[int, int, int], status: int) -> None:
    """QUO-2, QUO-1: too small to be anything at scale W, or too large to be stored."""
    assert read_answer((*raw, NOW, 0), decimals) == Quote(0, 0, 0, NOW, status)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        (2, 1, 2, NOW, 0),
        (1, 3, 2, NOW, 0),
        (1, 1, 1, PUBLISH_LIMIT, 0),
        (1, 1, 1, NOW, STATUS_LIMIT),
        (1, 1, 1, NOW, 2**256 - 1),
    ],
)
def test_an_answer_that_contradicts_itself_is_none(answer: tuple[int, int, int, int, int] | None) -> None:
    """QUO-2: a failed call, sides out of order, a time that is none, a status with bits that mean nothing."""
    assert read_answer(answer, 18) == NO_QUOTE


def test_an_answer_keeps_its_faults() -> None:
    """QUO-2: and one that says it is unavailable has no price, whatever its sides."""
    assert read_answer((1, 2, 3, PUBLISH_LIMIT - 1, STATUS_LIMIT - 1), 18).bid == 0
    assert read_answer((1, 2, 3, NOW, int(Status.UNAVAILABLE | Status.HALTED)), 18) == Quote(0, 0, 0, NOW, 10_240)
    assert read_answer((1, 2, 3, NOW, int(Status.HALTED)), 18) == Quote(1, 2, 3, NOW, 2_048)


@pytest.mark.parametrize(
    ("data", "decimals", "expected"),
    [
        ((200 * 10**8, 1, NOW), 8, flat(200 * W)),
        ((19, 0, NOW), 19, Quote(1, 1, 2, NOW, 0)),
        ((0, 1, NOW), 8, flat(0, NOW, NON_POSITIVE)),
        ((-1, 1, NOW), 8, flat(0, NOW, NON_POSITIVE)),
        ((-(2**255), 1, NOW), 0, flat(0, NOW, NON_POSITIVE)),
        ((2**255 - 1, 1, NOW), 0, flat(0, NOW, OUT)),
        # Chainlink answers an unknown round with zeros, and not with a refusal.
        ((0, 0, 0), 8, NO_QUOTE),
        ((200 * 10**8, 1, 0), 8, NO_QUOTE),
        ((200 * 10**8, 1, PUBLISH_LIMIT), 8, NO_QUOTE),
        (None, 8, NO_QUOTE),
    ],
)
def test_a_round_is_a_quote_without_spread(data: tuple[int, int, int] | None, decimals: int, expected: Quote) -> None:
    """QUO-2: its time is updated_at; one that was never updated is no round."""
    assert read_round(data, decimals) == expected


# --- QUO-3, QUO-4: products and quotients ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (flat(W * 11 // 10), flat(200 * W), (220 * W,) * 3),
        (Quote(2 * W, 3 * W, 4 * W, NOW, 0), Quote(5 * W, 6 * W, 7 * W, NOW, 0), (10 * W, 18 * W, 28 * W)),
        (flat(W + 1), flat(W + 1), (W + 2, W + 2, W + 3)),
        (flat(PRICE_LIMIT - 1), flat(W), (PRICE_LIMIT - 1,) * 3),
    ],
)
def test_a_product_is_rounded_apart(a: Quote, b: Quote, expected: tuple[int, int, int]) -> None:
    """QUO-3: bid and mid down, ask up; the legs are interchangeable."""
    assert multiply(a, b) == multiply(b, a) == Quote(*expected, NOW, 0)


@pytest.mark.parametrize(
    ("a", "b", "status"),
    [
        (flat(1), flat(W - 1), NON_POSITIVE),
        (flat(PRICE_LIMIT - 1), flat(W + 1), OUT),
        (flat(PRICE_LIMIT - 1), flat(PRICE_LIMIT - 1), OUT),
        (MISSING, flat(W), int(Status.UNAVAILABLE) | NON_POSITIVE),
        (flat(W, status=Status.STALE_HARD), MISSING, int(Status.UNAVAILABLE | Status.STALE_HARD) | NON_POSITIVE),
    ],
)
def test_a_product_outside_the_range_is_no_price(a: Quote, b: Quote, status: int) -> None:
    """QUO-3, QUO-1: as for the product of two feeds; what is wrong with either leg stays."""
    quote = multiply(a, b)
    assert (quote.bid, quote.mid, quote.ask, quote.status) == (0, 0, 0, status)
    assert quote.publish_time == min(a.publish_time, b.publish_time)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (flat(200 * W), flat(100 * W), (2 * W,) * 3),
        (Quote(2 * W, 3 * W, 4 * W, NOW, 0), Quote(4 * W, 5 * W, 8 * W, NOW, 0), (W // 4, W * 3 // 5, W)),
        (flat(W), flat(3 * W), (W // 3, W // 3, W // 3 + 1)),
    ],
)
def test_a_quotient_takes_the_other_side_below(a: Quote, b: Quote, expected: tuple[int, int, int]) -> None:
    """QUO-4: the bid over the ask, rounded down; the ask over the bid, rounded up."""
    assert divide(a, b) == Quote(*expected, NOW, 0)


def test_nothing_is_divided_by_a_missing_price() -> None:
    """QUO-4: the quotient is missing too, and so is the inverse."""
    gone = int(Status.UNAVAILABLE) | NON_POSITIVE
    assert divide(flat(W), MISSING) == divide(MISSING, flat(W)) == Quote(0, 0, 0, 50, gone)
    assert invert(MISSING) == Quote(0, 0, 0, 50, gone)
    assert divide(flat(1), flat(2 * W)).status == NON_POSITIVE
    assert divide(flat(PRICE_LIMIT - 1), flat(1)).status == OUT


@pytest.mark.parametrize(
    ("quote", "expected"),
    [
        (flat(W), (W, W, W)),
        (Quote(2 * W, 4 * W, 5 * W, NOW, 0), (W // 5, W // 4, W // 2)),
        (flat(3 * W), (W // 3, W // 3, W // 3 + 1)),
    ],
)
def test_an_inverse_exchanges_the_sides(quote: Quote, expected: tuple[int, int, int]) -> None:
    """QUO-4: one over the ask is the bid."""
    assert invert(quote) == Quote(*expected, NOW, 0)
    assert invert(flat(1)).status == OUT  # 10^36 is beyond 2^96


# --- QUO-5: lowest and highest ---------------------------------------------------------------------------------------


def test_lowest_and_highest_are_taken_side_by_side() -> None:
    """QUO-5: so that the sides stay in order when quotes overlap."""
    wide, narrow = Quote(1, 5, 9, NOW, 2), Quote(3, 4, 5, NOW - 7, 16)
    assert take_min([wide, narrow]) == Quote(1, 4, 5, NOW - 7, 18)
    assert take_max([wide, narrow]) == Quote(3, 5, 9, NOW - 7, 18)
    assert take_min([wide]) == take_max([wide]) == wide


@pytest.mark.parametrize("legs", list(permutations([flat(5), MISSING, flat(7)])))
def test_lowest_and_highest_need_every_leg(legs: tuple[Quote, ...]) -> None:
    """QUO-5: a missing leg could have been the lowest, or the highest."""
    expected = Quote(0, 0, 0, 50, int(Status.UNAVAILABLE) | NON_POSITIVE)
    assert take_min(legs) == take_max(legs) == expected


# --- QUO-6: one of several -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", list(Status))
def test_a_status_has_one_of_three_ranks(status: Status) -> None:
    """QUO-6: nothing wrong; what a reduction still accepts; the rest, also together with a soft one."""
    expected = 1 if status in SOFT_BITS else 2
    assert rank(status) == expected
    assert rank(status | Status.UNCERTAIN) == expected
    assert rank(0) == 0


def test_soft_faults_are_what_a_reduction_accepts() -> None:
    """QUO-6, POL-1."""
    assert REDUCTION == SOFT


def test_a_fallback_is_not_asked_before_it_is_needed() -> None:
    """QUO-6: legs are read up to the first that is OK."""
    asked = []

    def legs() -> Iterator[Quote]:
        for quote in (MISSING, flat(1, status=4), flat(2), flat(3)):
            asked.append(quote.bid)
            yield quote

    assert take_first_ok(legs()) == flat(2)
    assert asked == [0, 1, 2]


@pytest.mark.parametrize(
    ("statuses", "chosen"),
    [
        ((0, 0, 0), 0),
        ((2, 0, 0), 1),
        ((2, 16, 4), 0),
        ((4, 16, 2), 1),
        ((4, 18, 2), 1),
        ((4, 20, 8192), 0),
        ((8192, 4, 1), 0),
    ],
)
def test_the_first_of_the_best_rank_is_taken(statuses: tuple[int, ...], chosen: int) -> None:
    """QUO-6: OK, else soft, else the first; never a made-up quote."""
    legs = [flat(10 + place, status=status) for place, status in enumerate(statuses)]
    assert take_first_ok(legs) == legs[chosen]


def test_the_newest_of_the_best_rank_is_taken() -> None:
    """QUO-6: a newer quote with a fault does not win; the first of equals does."""
    old, new, newest = flat(1, 100), flat(2, 200), flat(3, 300, 2)
    for legs in permutations([old, new, newest]):
        assert take_recent(legs) == new
    assert take_recent([flat(1, 100, 2), flat(2, 300, 4), flat(3, 200, 2)]) == flat(3, 200, 2)
    assert take_recent([flat(1, 100), flat(2, 100)]) == flat(1, 100)
    assert take_recent([flat(1, 100, 4), flat(2, 200, 8192)]) == flat(2, 200, 8192)


# --- QUO-7: the middle of several ------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations([100, 200, 900])))
def test_the_middle_of_three(order: tuple[int, ...]) -> None:
    """QUO-7: whatever the order."""
    assert take_median([flat(price) for price in order], 2) == flat(200)


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ((100, 201), (100, 150, 201)),
        ((100, 200, 200, 900), (200, 200, 200)),
        ((1, 100, 201, 900), (100, 150, 201)),
        ((5, 5), (5, 5, 5)),
        ((9, 8, 7, 6, 5, 4, 3, 2), (5, 5, 6)),
        ((9, 8, 7, 6, 5, 4, 3), (6, 6, 6)),
    ],
)
def test_the_middle_of_an_even_number_shows_the_disagreement(
    prices: tuple[int, ...], expected: tuple[int, int, int]
) -> None:
    """QUO-7: as a spread, and not as an average that nobody reported."""
    assert take_median([flat(price) for price in prices], len(prices)) == Quote(*expected, NOW, 0)


def test_the_middle_is_taken_side_by_side() -> None:
    """QUO-7: bids, mids and asks each have their own middle."""
    legs = [Quote(1, 10, 20, NOW, 0), Quote(5, 6, 7, NOW - 1, 0), Quote(2, 8, 9, NOW - 2, 0)]
    assert take_median(legs, 2) == Quote(2, 8, 9, NOW - 2, 0)
    assert take_median(legs[:2], 2) == Quote(1, 8, 20, NOW - 1, 0)


@pytest.mark.parametrize("bad", [MISSING, flat(900, 1, Status.STALE_HARD), flat(900, 1, Status.STALE_SOFT)])
def test_a_leg_that_is_not_ok_has_no_say(bad: Quote) -> None:
    """QUO-7: while enough others are OK, neither in the price nor in its age or status."""
    assert take_median([flat(100), bad, flat(101)], 2) == Quote(100, 100, 101, NOW, 0)


def test_soft_legs_count_when_too_few_are_ok() -> None:
    """QUO-7: then every fault of the legs used is the result's; too few even so is no price."""
    stale = flat(102, NOW - 100, Status.STALE_SOFT)
    assert take_median([flat(100), stale, MISSING], 2) == Quote(100, 101, 102, NOW - 100, 2)
    assert take_median([stale, stale, flat(7, status=16)], 3) == Quote(102, 102, 102, NOW - 100, 18)
    assert take_median([flat(100), flat(1, status=4), MISSING], 2) == Quote(0, 0, 0, 0, 256)
    assert take_median([MISSING, MISSING], 1) == Quote(0, 0, 0, 0, 256)


# --- properties ------------------------------------------------------------------------------------------------------


@st.composite
def quotes(draw: st.DrawFn) -> Quote:
    """A quote that a node can have: a price in range, or none with a fault."""
    status = draw(st.sampled_from((0, 0, 0, *(int(bit) for bit in Status))))
    publish_time = draw(st.integers(0, PUBLISH_LIMIT - 1))
    if status & (NON_POSITIVE | OUT | Status.UNAVAILABLE) or draw(st.integers(0, 9)) == 0:
        return Quote(0, 0, 0, publish_time, status or NON_POSITIVE)
    size = draw(st.sampled_from((2**10, 2 * W, 2**80, PRICE_LIMIT - 1)))
    bid, mid, ask = sorted(draw(st.integers(1, size)) for _ in range(3))
    return Quote(bid, mid, ask, publish_time, status)


def check_sound(result: Quote, required: list[Quote]) -> None:
    """Sides in order and in range; no price without a fault; never OK with a required leg that is not."""
    assert result.bid <= result.mid <= result.ask < PRICE_LIMIT
    assert (result.bid == 0) == (result.ask == 0)
    assert result.bid or result.status
    for leg in required:
        assert result.status & leg.status == leg.status
        assert result.publish_time <= leg.publish_time


@given(quotes(), quotes())
def test_results_of_two_are_sound(a: Quote, b: Quote) -> None:
    """QUO-1, QUO-3, QUO-4: whatever the legs."""
    for result in (multiply(a, b), divide(a, b)):
        check_sound(result, [a, b])
    check_sound(invert(a), [a])


@given(st.lists(quotes(), min_size=1, max_size=8))
def test_results_of_several_are_sound(legs: list[Quote]) -> None:
    """QUO-1, QUO-5, QUO-6: all legs are required for lowest and highest, the one taken for a choice."""
    check_sound(take_min(legs), legs)
    check_sound(take_max(legs), legs)
    for chosen in (take_first_ok(legs), take_recent(legs)):
        assert chosen in legs
        assert rank(chosen.status) == min(rank(leg.status) for leg in legs)


@given(st.lists(quotes(), min_size=1, max_size=8), st.integers(1, 8))
def test_a_median_is_sound(legs: list[Quote], quorum: int) -> None:
    """QUO-7: OK only with a quorum of OK legs, and within the range of those used."""
    result = take_median(legs, quorum)
    check_sound(result, [])
    good = [leg for leg in legs if leg.status == 0]
    soft = [leg for leg in legs if rank(leg.status) <= 1]
    assert (result.status == 0) == (len(good) >= quorum)
    assert (result.status == Status.NO_QUORUM) == (len(soft) < quorum)
    if result.bid:
        used = good if len(good) >= quorum else soft
        assert min(leg.bid for leg in used) <= result.bid
        assert result.ask <= max(leg.ask for leg in used)
        assert result.publish_time == min(leg.publish_time for leg in used)


@given(quotes(), quotes())
def test_the_exact_result_lies_between_the_sides(a: Quote, b: Quote) -> None:
    """QUO-3, QUO-4: rounding only widens, by less than a wei a side."""
    product, quotient = multiply(a, b), divide(a, b)
    if product.bid:
        assert product.bid * W <= a.bid * b.bid < (product.bid + 1) * W
        assert (product.ask - 1) * W < a.ask * b.ask <= product.ask * W
    if quotient.bid:
        assert quotient.bid * b.ask <= a.bid * W < (quotient.bid + 1) * b.ask
        assert (quotient.ask - 1) * b.bid < a.ask * W <= quotient.ask * b.bid


@given(st.lists(st.tuples(quotes(), st.integers(0, 1_000)), min_size=2, max_size=8))
def test_time_goes_forward_when_that_of_every_leg_does(steps: list[tuple[Quote, int]]) -> None:
    """QUO-1: with the same legs in use, a result is never older after every leg has become newer."""
    before = [Quote(quote.bid, quote.mid, quote.ask, quote.publish_time, 0) for quote, _ in steps]
    after = [Quote(quote.bid, quote.mid, quote.ask, quote.publish_time + more, 0) for quote, more in steps]
    for combine in (take_min, take_max, take_recent, lambda legs: take_median(legs, len(legs))):
        assert combine(before).publish_time <= combine(after).publish_time
    assert multiply(*before[:2]).publish_time <= multiply(*after[:2]).publish_time
