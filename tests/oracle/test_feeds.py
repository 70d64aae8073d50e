"""Push feeds: who writes them, in what form, and what readers get."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.feeds import (
    HISTORY,
    Feed,
    FeedHub,
    FeedSet,
    Push,
    RateFeed,
    RateFeedSet,
    Round,
    RoundData,
    RoundPushed,
    SetFeed,
    SetRateFeed,
    apply_hub,
    get_round_data,
    latest_round_data,
)
from protocol.codec import digest
from protocol.errors import Refusal

ADMIN, POSTER, STRANGER = 1, 2, 3
NOW = 1_600_000_000
HOUR = 3_600


def hub_of(*feeds: Feed | RateFeed) -> FeedHub:
    """A hub with feeds."""
    return FeedHub(ADMIN, POSTER, feeds)


def feed_of(*answers: int, decimals: int = 8, max_age: int = HOUR) -> Feed:
    """A feed with one round a second."""
    rounds = tuple(Round(answer, NOW + i) for i, answer in enumerate(answers, start=1))
    return Feed(decimals, max_age, len(rounds), rounds)


def push_feed(hub: FeedHub, feed: int) -> Feed:
    """A feed of the hub that has rounds."""
    found = hub.feeds[feed]
    assert isinstance(found, Feed)
    return found


def outcome_of(hub: FeedHub, sender: int, action: Any, now: int = NOW) -> str:
    """``ok`` or the refusal's code; the hub given stays as it was either way (S1)."""
    before = digest(hub)
    try:
        apply_hub(hub, now, sender, action)
    except Refusal as refusal:
        return refusal.code
    finally:
        assert digest(hub) == before
    return "ok"


# --- configuring: ORC-5 ---------------------------------------------------------------------------------------------


def test_a_feed_is_created_empty_and_the_next_one_after_it() -> None:
    """ORC-5: ids without gaps, one event each."""
    hub, events = apply_hub(hub_of(), NOW, ADMIN, SetFeed(0, 8, HOUR))
    assert events == (FeedSet(0, 8, HOUR),)
    assert hub == hub_of(Feed(8, HOUR, 0, ()))
    assert outcome_of(hub, ADMIN, SetFeed(2, 8, HOUR)) == "oracle/unknown-feed"
    hub, _ = apply_hub(hub, NOW, ADMIN, SetFeed(1, 18, 60))
    assert [push_feed(hub, feed).decimals for feed in (0, 1)] == [8, 18]


def test_a_new_staleness_limit_keeps_the_rounds() -> None:
    """ORC-5: history and neighbours stay."""
    hub, events = apply_hub(hub_of(feed_of(5, 6), feed_of(7)), NOW, ADMIN, SetFeed(0, 8, 2 * HOUR))
    assert events == (FeedSet(0, 8, 2 * HOUR),)
    assert hub == hub_of(feed_of(5, 6, max_age=2 * HOUR), feed_of(7))


@pytest.mark.parametrize("sender", [POSTER, STRANGER, 0])
def test_only_the_admin_configures_feeds(sender: int) -> None:
    """ORC-5, S8: not even the poster."""
    for feed in (0, 1):
        assert outcome_of(hub_of(feed_of()), sender, SetFeed(feed, 8, HOUR)) == "role/not-admin"
        assert outcome_of(hub_of(feed_of()), ADMIN, SetFeed(feed, 8, HOUR)) == "ok"


@pytest.mark.parametrize(
    ("decimals", "max_age", "code"),
    [
        (0, HOUR, "ok"),
        (18, HOUR, "ok"),
        (19, HOUR, "oracle/config"),
        (8, 59, "oracle/config"),
        (8, 60, "ok"),
        (8, 61, "ok"),
        (8, 259_199, "ok"),
        (8, 259_200, "ok"),
        (8, 259_201, "oracle/config"),
        (8, 0, "oracle/config"),
    ],
)
def test_decimals_and_staleness_have_ranges(decimals: int, max_age: int, code: str) -> None:
    """ORC-5, S10: at most 18 decimals, between a minute and three days."""
    assert outcome_of(hub_of(), ADMIN, SetFeed(0, decimals, max_age)) == code


@pytest.mark.parametrize(("decimals", "code"), [(7, "oracle/config"), (8, "ok"), (9, "oracle/config")])
def test_the_decimals_of_a_feed_never_change(decimals: int, code: str) -> None:
    """ORC-5, B25: a stored answer keeps its meaning."""
    assert outcome_of(hub_of(feed_of(5)), ADMIN, SetFeed(0, decimals, HOUR)) == code


def test_there_are_at_most_64_feeds() -> None:
    """ORC-5, S7: the last id is 63."""
    full = hub_of(*[feed_of()] * 64)
    assert outcome_of(hub_of(*[feed_of()] * 63), ADMIN, SetFeed(63, 8, HOUR)) == "ok"
    assert outcome_of(full, ADMIN, SetFeed(64, 8, HOUR)) == "oracle/unknown-feed"
    assert outcome_of(full, ADMIN, SetFeed(63, 8, HOUR)) == "ok"


def test_a_configuration_is_checked_in_order() -> None:
    """ORC-5: the role, the id, the ranges, the decimals."""
    hub = hub_of(feed_of())
    assert outcome_of(hub, POSTER, SetFeed(2, 19, 0)) == "role/not-admin"
    assert outcome_of(hub, ADMIN, SetFeed(2, 19, 0)) == "oracle/unknown-feed"
    assert outcome_of(hub, ADMIN, SetFeed(1, 19, HOUR)) == "oracle/config"
    assert outcome_of(hub, ADMIN, SetFeed(0, 9, HOUR)) == "oracle/config"


# --- rate feeds: ORC-7 ----------------------------------------------------------------------------------------------


def mixed_hub() -> FeedHub:
    """Two push feeds and their product."""
    return hub_of(feed_of(200), feed_of(3), RateFeed(1, 0))


def test_a_rate_feed_is_created_over_two_push_feeds() -> None:
    """ORC-7: the next id, one event, everything else as it was; both legs may be one feed."""
    hub = hub_of(feed_of(200), feed_of(3))
    after, events = apply_hub(hub, NOW, ADMIN, SetRateFeed(2, 1, 0))
    assert events == (RateFeedSet(2, 1, 0),)
    assert after == mixed_hub()
    squared, events = apply_hub(after, NOW, ADMIN, SetRateFeed(3, 0, 0))
    assert events == (RateFeedSet(3, 0, 0),)
    assert squared.feeds == (*after.feeds, RateFeed(0, 0))
    run_on, _ = apply_hub(squared, NOW, ADMIN, SetFeed(4, 8, HOUR))
    assert run_on.feeds[4] == feed_of()


@pytest.mark.parametrize(
    ("sender", "feed", "rate", "underlying", "code"),
    [
        (ADMIN, 3, 1, 0, "ok"),
        (POSTER, 3, 1, 0, "role/not-admin"),
        (STRANGER, 3, 1, 0, "role/not-admin"),
        # It never changes, and an id is never skipped.
        (ADMIN, 2, 1, 0, "oracle/unknown-feed"),
        (ADMIN, 0, 1, 0, "oracle/unknown-feed"),
        (ADMIN, 4, 1, 0, "oracle/unknown-feed"),
        (ADMIN, 2**256 - 1, 1, 0, "oracle/unknown-feed"),
        # Legs exist and are push feeds: no products of products, not even its own.
        (ADMIN, 3, 2, 0, "oracle/config"),
        (ADMIN, 3, 0, 2, "oracle/config"),
        (ADMIN, 3, 3, 0, "oracle/config"),
        (ADMIN, 3, 0, 3, "oracle/config"),
        (ADMIN, 3, 2**256 - 1, 0, "oracle/config"),
        # In this order.
        (POSTER, 4, 2, 2, "role/not-admin"),
        (ADMIN, 4, 2, 2, "oracle/unknown-feed"),
    ],
)
def test_a_rate_feed_needs_the_admin_the_next_id_and_two_push_feeds(
    sender: int, feed: int, rate: int, underlying: int, code: str
) -> None:
    """ORC-7, S8."""
    assert outcome_of(mixed_hub(), sender, SetRateFeed(feed, rate, underlying)) == code


def test_rate_feeds_count_among_the_64() -> None:
    """ORC-7, S7: the last id is 63 for both kinds."""
    assert outcome_of(hub_of(*[feed_of()] * 63), ADMIN, SetRateFeed(63, 0, 1)) == "ok"
    assert outcome_of(hub_of(*[feed_of()] * 64), ADMIN, SetRateFeed(64, 0, 1)) == "oracle/unknown-feed"
    full = hub_of(*[feed_of()] * 62, RateFeed(0, 1), RateFeed(0, 1))
    assert outcome_of(full, ADMIN, SetFeed(64, 8, HOUR)) == "oracle/unknown-feed"


def test_a_rate_feed_has_no_rounds_and_never_becomes_a_push_feed() -> None:
    """ORC-7, ORC-4, ORC-5: it is pushed by pushing its legs."""
    hub = mixed_hub()
    assert outcome_of(hub, POSTER, Push((2,), (1,))) == "oracle/unknown-feed"
    assert outcome_of(hub, POSTER, Push((0, 2), (1, 1))) == "oracle/unknown-feed"
    for decimals in (0, 8, 18):
        assert outcome_of(hub, ADMIN, SetFeed(2, decimals, HOUR)) == "oracle/config"
    after, _ = apply_hub(hub, NOW, POSTER, Push((0, 1), (7, 8)))
    assert after.feeds[2] == RateFeed(1, 0)


# --- pushing: ORC-4 -------------------------------------------------------------------------------------------------


def test_a_push_appends_one_round_for_each_feed_named() -> None:
    """ORC-4: numbered from 1, at the time of the block, others untouched."""
    hub = hub_of(feed_of(), feed_of(5, 6), feed_of(7))
    after, events = apply_hub(hub, NOW + 9, POSTER, Push((0, 1), (10, -11)))
    assert events == (RoundPushed(0, 1, 10, NOW + 9), RoundPushed(1, 3, -11, NOW + 9))
    assert push_feed(after, 0).rounds == (Round(10, NOW + 9),)
    assert push_feed(after, 1).rounds[-1] == Round(-11, NOW + 9)
    assert after.feeds[2] == hub.feeds[2]
    assert [push_feed(after, feed).latest_round for feed in range(3)] == [1, 3, 1]


@pytest.mark.parametrize("answer", [0, -1, 1, 2**127 - 1, -(2**127)])
def test_any_answer_that_can_be_stored_is_accepted(answer: int) -> None:
    """ORC-4, O5: a feed can fail; readers guard."""
    after, _ = apply_hub(hub_of(feed_of()), NOW, POSTER, Push((0,), (answer,)))
    assert push_feed(after, 0).rounds[0].answer == answer


@pytest.mark.parametrize("answer", [2**127, -(2**127) - 1, 2**255 - 1, -(2**255)])
def test_an_answer_that_cannot_be_stored_is_refused(answer: int) -> None:
    """ORC-4, UNIT-3, T9: 128 bits with sign."""
    assert outcome_of(hub_of(feed_of()), POSTER, Push((0,), (answer,))) == "sys/domain"


@pytest.mark.parametrize("sender", [ADMIN, STRANGER, 0])
def test_only_the_poster_pushes(sender: int) -> None:
    """ORC-4, S8: not even the admin."""
    assert outcome_of(hub_of(feed_of()), sender, Push((0,), (1,))) == "role/not-poster"
    assert outcome_of(hub_of(feed_of()), POSTER, Push((0,), (1,))) == "ok"


@pytest.mark.parametrize(
    ("feeds", "answers", "code"),
    [
        ((), (), "oracle/malformed-push"),
        ((), (1,), "oracle/malformed-push"),
        ((0,), (), "oracle/malformed-push"),
        ((0,), (1, 2), "oracle/malformed-push"),
        ((0, 1), (1,), "oracle/malformed-push"),
        ((0, 0), (1, 1), "oracle/malformed-push"),
        ((1, 0), (1, 1), "oracle/malformed-push"),
        ((0, 1, 1), (1, 1, 1), "oracle/malformed-push"),
        ((0, 1), (1, 1), "ok"),
        ((0, 2), (1, 1), "ok"),
        ((3,), (1,), "oracle/unknown-feed"),
        ((0, 3), (1, 1), "oracle/unknown-feed"),
        ((2**256 - 1,), (1,), "oracle/unknown-feed"),
    ],
)
def test_a_push_names_known_feeds_once_in_ascending_order(
    feeds: tuple[int, ...], answers: tuple[int, ...], code: str
) -> None:
    """ORC-4, B31, O4: at least one, one answer each; a feed has one round in a push."""
    assert outcome_of(hub_of(feed_of(), feed_of(), feed_of()), POSTER, Push(feeds, answers)) == code


@pytest.mark.parametrize(
    ("feeds", "answers", "code"),
    [
        ((5, 5), (1,), "oracle/malformed-push"),
        ((0, 0), (2**127, 2**127), "sys/domain"),
        ((5, 5), (2**127, 2**127), "oracle/unknown-feed"),
        ((0, 5), (1, 2**127), "oracle/unknown-feed"),
        ((1, 0), (1, 2**127), "oracle/malformed-push"),
        ((0, 1, 0), (1, 2**127, 1), "sys/domain"),
    ],
)
def test_a_push_is_checked_in_order(feeds: tuple[int, ...], answers: tuple[int, ...], code: str) -> None:
    """ORC-4: role, form, then entry by entry: order, feed, range."""
    hub = hub_of(feed_of(), feed_of())
    assert outcome_of(hub, POSTER, Push(feeds, answers)) == code
    assert outcome_of(hub, STRANGER, Push(feeds, answers)) == "role/not-poster"


def test_a_refused_push_leaves_every_feed_alone() -> None:
    """ORC-4, S1: the entries before the faulty one included."""
    hub = hub_of(feed_of(5), feed_of(6))
    with pytest.raises(Refusal):
        apply_hub(hub, NOW, POSTER, Push((0, 1), (7, 2**127)))
    assert hub == hub_of(feed_of(5), feed_of(6))


# --- reading: ORC-1 -------------------------------------------------------------------------------------------------


def test_readers_get_a_round_as_aggregators_give_it() -> None:
    """ORC-1: five values; both times are when the answer was accepted."""
    feed = feed_of(50, -60)
    assert get_round_data(feed, 1) == RoundData(1, 50, NOW + 1, NOW + 1, 1)
    assert get_round_data(feed, 2) == RoundData(2, -60, NOW + 2, NOW + 2, 2)
    assert latest_round_data(feed) == get_round_data(feed, 2)


@pytest.mark.parametrize("number", [0, 3, -1, 2**80 - 1])
def test_a_round_that_does_not_exist_is_refused(number: int) -> None:
    """ORC-1: no made-up zeros."""
    with pytest.raises(Refusal, match="oracle/unknown-round"):
        get_round_data(feed_of(5, 6), number)


def test_a_feed_without_a_round_has_no_latest() -> None:
    """ORC-1: refused before the first push."""
    with pytest.raises(Refusal, match="oracle/unknown-round"):
        latest_round_data(feed_of())
    assert feed_of().latest_round == 0


@given(st.lists(st.dictionaries(st.integers(0, 2), st.integers(-(2**127), 2**127 - 1), min_size=1), max_size=12))
def test_every_answer_ever_pushed_can_be_read(pushes: list[dict[int, int]]) -> None:
    """ORC-1, ORC-4: rounds are contiguous, in the order and with the times of their pushes, for ever."""
    hub = hub_of(feed_of(), feed_of(), feed_of())
    expected: dict[int, list[Round]] = {0: [], 1: [], 2: []}
    for second, answers in enumerate(pushes):
        feeds = tuple(sorted(answers))
        hub, _ = apply_hub(hub, NOW + second, POSTER, Push(feeds, tuple(answers[feed] for feed in feeds)))
        for feed in feeds:
            expected[feed].append(Round(answers[feed], NOW + second))
    for feed, rounds in expected.items():
        assert push_feed(hub, feed).rounds == tuple(rounds[-HISTORY:])
        assert push_feed(hub, feed).latest_round == len(rounds)


def test_a_hub_is_compared_with_its_rounds() -> None:
    """S2: equal history, equal hub."""
    assert hub_of(feed_of(1)) == hub_of(feed_of(1))
    assert hub_of(feed_of(1)) != hub_of(feed_of(2))
    assert replace(hub_of(), poster=9) != hub_of()


def test_a_feed_remembers_its_last_rounds_and_keeps_counting() -> None:
    """ORC-1: of one round more than it remembers, the first is unknown, and the rest are as they were."""
    hub = hub_of(feed_of())
    for number in range(1, HISTORY + 2):
        hub, _ = apply_hub(hub, NOW + number, POSTER, Push((0,), (number,)))
    feed = push_feed(hub, 0)
    assert (feed.latest_round, len(feed.rounds)) == (HISTORY + 1, HISTORY)
    assert [get_round_data(feed, number).answer for number in (2, HISTORY + 1)] == [2, HISTORY + 1]
    for number in (0, 1, HISTORY + 2):
        with pytest.raises(Refusal, match="oracle/unknown-round"):
            get_round_data(feed, number)
