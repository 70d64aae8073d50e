"""From a feed to one guarded price."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.feeds import Feed, FeedHub, RateFeed, Round
from oracle.guards import get_quote, get_quotes, is_stale
from protocol.env import NO_QUOTE, Quote, Status
from protocol.units import PRICE_LIMIT, W

NOW = 1_600_000_000
HOUR = 3_600
STALE = int(Status.STALE_HARD)


def point(price: int, status: int = 0, publish_time: int = NOW) -> Quote:
    """A quote without a spread."""
    return Quote(price, price, price, publish_time, status)


def feed_of(*answers: int, decimals: int = 8, updated_at: int = NOW) -> Feed:
    """A feed with an hour of life, all rounds of one time."""
    return Feed(decimals, HOUR, len(answers), tuple(Round(answer, updated_at) for answer in answers))


@pytest.mark.parametrize(
    ("age", "stale"), [(0, False), (HOUR - 1, False), (HOUR, False), (HOUR + 1, True), (10**9, True)]
)
def test_an_answer_is_good_up_to_its_age_limit(age: int, stale: bool) -> None:
    """ORC-2: exactly the limit is still good, a second more is not."""
    assert is_stale(NOW, HOUR, NOW + age) is stale
    assert get_quote(feed_of(10**8), NOW + age) == point(W, STALE if stale else 0)


@pytest.mark.parametrize(
    ("decimals", "answer", "price"),
    [
        (8, 800_000_000_000, 8_000 * W),
        (8, 1, 10**10),
        (18, 1, 1),
        (18, W, W),
        (0, 1, W),
        (0, 8_000, 8_000 * W),
        (6, 10**6, W),
    ],
)
def test_answers_are_brought_to_scale_w_exactly(decimals: int, answer: int, price: int) -> None:
    """ORC-6, O6: a feed of any decimals gives the same price, without rounding."""
    assert get_quote(feed_of(answer, decimals=decimals), NOW) == point(price)


@pytest.mark.parametrize("answer", [0, -1, -(2**127)])
def test_a_price_that_is_not_positive_counts_as_none(answer: int) -> None:
    """ORC-2, ORC-6, O5: marked, and 0."""
    assert get_quote(feed_of(answer), NOW) == point(0, int(Status.NON_POSITIVE))
    assert get_quote(feed_of(1), NOW) == point(10**10)


@pytest.mark.parametrize(
    ("decimals", "answer", "fits"),
    [
        (18, PRICE_LIMIT - 1, True),
        (18, PRICE_LIMIT, False),
        (18, PRICE_LIMIT + 1, False),
        (0, (PRICE_LIMIT - 1) // W, True),
        (0, (PRICE_LIMIT - 1) // W + 1, False),
        (0, 2**127 - 1, False),
    ],
)
def test_a_price_too_large_to_store_counts_as_none(decimals: int, answer: int, fits: bool) -> None:
    """ORC-2, ORC-6, O5, T9: marked, and 0, from 2^96 on."""
    expected = point(answer * 10 ** (18 - decimals)) if fits else point(0, int(Status.OUT_OF_BOUNDS))
    assert get_quote(feed_of(answer, decimals=decimals), NOW) == expected


def test_faults_are_marked_together() -> None:
    """ORC-2: an old answer can be wrong as well."""
    late = NOW + HOUR + 1
    assert get_quote(feed_of(0), late) == point(0, STALE | int(Status.NON_POSITIVE))
    assert get_quote(feed_of(PRICE_LIMIT, decimals=18), late) == point(0, STALE | int(Status.OUT_OF_BOUNDS))
    assert get_quote(feed_of(10**8), late) == point(W, STALE)


def test_a_feed_without_a_round_is_unavailable() -> None:
    """ORC-2, ORC-6: no price, and not a stale one."""
    assert get_quote(feed_of(), NOW) == NO_QUOTE


def test_the_newest_round_is_the_quote() -> None:
    """ORC-6, O4: also when an older one was better."""
    assert get_quote(feed_of(10**8, -5, 2 * 10**8), NOW).mid == 2 * W
    assert get_quote(feed_of(10**8, -5), NOW).mid == 0


def test_quotes_of_all_feeds_are_by_id() -> None:
    """ORC-6: a fault of one feed does not touch another."""
    hub = FeedHub(1, 2, (feed_of(10**8), feed_of(), feed_of(-1), feed_of(3 * 10**8, updated_at=NOW - HOUR - 1)))
    assert get_quotes(hub, NOW) == (
        point(W),
        NO_QUOTE,
        point(0, int(Status.NON_POSITIVE)),
        point(3 * W, STALE, NOW - HOUR - 1),
    )
    assert get_quotes(FeedHub(1, 2, ()), NOW) == ()


@given(st.integers(-(2**127), 2**127 - 1), st.integers(0, 18), st.integers(0, 2 * HOUR))
def test_a_quote_has_a_price_exactly_when_the_answer_is_usable(answer: int, decimals: int, age: int) -> None:
    """ORC-2, ORC-6: positive and below the limit, whatever its age; the status says all that is wrong."""
    quote = get_quote(feed_of(answer, decimals=decimals), NOW + age)
    exact = answer * 10 ** (18 - decimals)
    assert quote.mid == (exact if 0 < exact < PRICE_LIMIT else 0)
    assert bool(quote.status & Status.STALE_HARD) == (age > HOUR)
    assert bool(quote.status & Status.NON_POSITIVE) == (answer <= 0)
    assert bool(quote.status & Status.OUT_OF_BOUNDS) == (exact >= PRICE_LIMIT)
    assert not quote.status & Status.UNAVAILABLE


# --- rate feeds: ORC-7 ----------------------------------------------------------------------------------------------


def test_quotes_of_rate_feeds_stand_among_the_others() -> None:
    """ORC-7, ORC-6: by id, from the legs' quotes of the same second, each leg with its own staleness."""
    hub = FeedHub(
        1,
        2,
        (
            feed_of(200 * 10**8),
            feed_of(11 * W // 10, decimals=18, updated_at=NOW - HOUR),
            RateFeed(rate=1, underlying=0),
            feed_of(3 * 10**8),
            RateFeed(rate=0, underlying=0),
            RateFeed(rate=1, underlying=3),
        ),
    )
    fresh = get_quotes(hub, NOW)
    assert [quote.mid for quote in fresh] == [200 * W, 11 * W // 10, 220 * W, 3 * W, 40_000 * W, 33 * W // 10]
    assert all(quote.status == 0 for quote in fresh)
    later = get_quotes(hub, NOW + 1)
    assert [quote.status for quote in later] == [0, STALE, STALE, 0, 0, STALE]
    assert [quote.mid for quote in later] == [quote.mid for quote in fresh]


def test_a_rate_feed_over_an_empty_feed_has_no_price() -> None:
    """ORC-7, ORC-2: unavailable, and not positive either."""
    hub = FeedHub(1, 2, (feed_of(10**8), feed_of(), RateFeed(1, 0), RateFeed(0, 1)))
    missing = point(0, int(Status.UNAVAILABLE | Status.NON_POSITIVE), 0)
    assert get_quotes(hub, NOW)[2:] == (missing, missing)
