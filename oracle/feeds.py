"""Push feeds: contiguous rounds written by a poster, read with AggregatorV3 semantics; and feeds made of others.

A feed remembers its last 64 rounds; every round there ever was is an event.

Rules ORC-1, ORC-4, ORC-5 and ORC-7. Feeds that are nodes of the graph are changed in oracle/state.py (ORC-8).
"""

from __future__ import annotations

from dataclasses import replace

from protocol import errors
from protocol.records import record
from protocol.units import SIGNED_LIMIT, Seconds

MAX_FEED_DECIMALS = 18
RATE_FEED_DECIMALS = 18  # of a price that is made of others; such a feed has no rounds of its own
SHORTEST_MAX_AGE = 60
LONGEST_MAX_AGE = 3 * 86_400
MAX_FEEDS = 64
HISTORY = 64  # rounds that a feed remembers


@record
class Round:
    """One observation: the answer in the feed's decimals, and the time it was accepted."""

    answer: int
    updated_at: Seconds


@record
class Feed:
    """One price feed. Rounds are numbered from 1 without gaps; ``rounds`` are the last of them, newest at the end."""

    decimals: int
    max_age: Seconds
    latest_round: int  # 0 before the first
    rounds: tuple[Round, ...]


@record
class RateFeed:
    """The price of a token that is worth a rising amount of another: rate times underlying, both push feeds (ORC-7)."""

    rate: int
    underlying: int


@record
class NodeFeed:
    """The price that a node of the graph gives (ORC-8)."""

    node: bytes


@record
class FeedHub:
    """All feeds and who may change them."""

    admin: int
    poster: int
    feeds: tuple[Feed | RateFeed | NodeFeed, ...]


@record
class SetFeed:
    """Create the next feed, or change how old a price of an existing one may be (specs/actions/feeds.md)."""

    feed: int
    decimals: int
    max_age: Seconds


@record
class SetRateFeed:
    """Create the next feed as the product of two push feeds (specs/actions/feeds.md)."""

    feed: int
    rate: int
    underlying: int


@record
class SetNodeFeed:
    """Create the next feed as a node of the graph, or point one at another node (specs/actions/feeds.md)."""

    feed: int
    node: bytes


@record
class Push:
    """One round for each of several feeds (specs/actions/feeds.md)."""

    feeds: tuple[int, ...]
    answers: tuple[int, ...]


@record
class FeedSet:
    """A feed's configuration now in force."""

    feed: int
    decimals: int
    max_age: Seconds


@record
class RateFeedSet:
    """A feed that is the product of two others."""

    feed: int
    rate: int
    underlying: int


@record
class NodeFeedSet:
    """A feed that is a node of the graph, and which one now."""

    feed: int
    node: bytes


@record
class RoundPushed:
    """A feed's newest round."""

    feed: int
    round: int
    answer: int
    updated_at: Seconds


@record
class RoundData:
    """What AggregatorV3 readers get for a round."""

    round_id: int
    answer: int
    started_at: Seconds
    updated_at: Seconds
    answered_in_round: int


HubAction = SetFeed | SetRateFeed | Push
HubEvent = FeedSet | RateFeedSet | RoundPushed | NodeFeedSet


def process_set_feed(hub: FeedHub, now: Seconds, sender: int, action: SetFeed) -> tuple[FeedHub, tuple[FeedSet]]:
    """Create or reconfigure a feed; its decimals never change (ORC-5).

    Refuses: role/not-admin, oracle/unknown-feed, oracle/config.
    """
    if sender != hub.admin:
        raise errors.NotAdmin
    count = len(hub.feeds)
    if action.feed > count or action.feed >= MAX_FEEDS:
        raise errors.UnknownFeed(feed=action.feed)
    if action.decimals > MAX_FEED_DECIMALS or not SHORTEST_MAX_AGE <= action.max_age <= LONGEST_MAX_AGE:
        raise errors.BadFeedConfig
    changed = Feed(action.decimals, action.max_age, 0, ())
    if action.feed < count:
        old = hub.feeds[action.feed]
        if not isinstance(old, Feed) or old.decimals != action.decimals:
            raise errors.BadFeedConfig
        changed = replace(old, max_age=action.max_age)
    feeds = (*hub.feeds[: action.feed], changed, *hub.feeds[action.feed + 1 :])
    return replace(hub, feeds=feeds), (FeedSet(action.feed, action.decimals, action.max_age),)


def process_set_rate_feed(
    hub: FeedHub, now: Seconds, sender: int, action: SetRateFeed
) -> tuple[FeedHub, tuple[RateFeedSet]]:
    """Create a feed that is the product of two push feeds; it never changes (ORC-7).

    Refuses: role/not-admin, oracle/unknown-feed, oracle/config.
    """
    if sender != hub.admin:
        raise errors.NotAdmin
    count = len(hub.feeds)
    if action.feed != count or count >= MAX_FEEDS:
        raise errors.UnknownFeed(feed=action.feed)
    for leg in (action.rate, action.underlying):
        if leg >= count or not isinstance(hub.feeds[leg], Feed):
            raise errors.BadFeedConfig
    feeds = (*hub.feeds, RateFeed(action.rate, action.underlying))
    return replace(hub, feeds=feeds), (RateFeedSet(action.feed, action.rate, action.underlying),)


def process_push(hub: FeedHub, now: Seconds, sender: int, action: Push) -> tuple[FeedHub, tuple[RoundPushed, ...]]:
    """Append one round per feed named, at the time of the block (ORC-4).

    Any answer is accepted, wrong ones too: a feed can fail, and the reader's guards must show what follows.

    Refuses: role/not-poster, oracle/malformed-push, oracle/unknown-feed, sys/domain.
    """
    if sender != hub.poster:
        raise errors.NotPoster
    if not action.feeds or len(action.feeds) != len(action.answers):
        raise errors.MalformedPush
    feeds = list(hub.feeds)
    events = []
    previous = -1
    for feed_id, answer in zip(action.feeds, action.answers, strict=True):
        if feed_id <= previous:
            raise errors.MalformedPush
        if feed_id >= len(feeds):
            raise errors.UnknownFeed(feed=feed_id)
        feed = feeds[feed_id]
        if not isinstance(feed, Feed):
            raise errors.UnknownFeed(feed=feed_id)
        if not -SIGNED_LIMIT <= answer < SIGNED_LIMIT:
            raise errors.OutOfDomain(value=answer)
        number = feed.latest_round + 1
        rounds = (*feed.rounds[1 - HISTORY :], Round(answer, now))
        feeds[feed_id] = Feed(feed.decimals, feed.max_age, number, rounds)
        events.append(RoundPushed(feed_id, number, answer, now))
        previous = feed_id
    return FeedHub(hub.admin, hub.poster, tuple(feeds)), tuple(events)


def apply_hub(hub: FeedHub, now: Seconds, sender: int, action: HubAction) -> tuple[FeedHub, tuple[HubEvent, ...]]:
    """The hub after an action that needs nothing but the hub, and its events. Raises a ``Refusal``."""
    if isinstance(action, Push):
        return process_push(hub, now, sender, action)
    if isinstance(action, SetRateFeed):
        return process_set_rate_feed(hub, now, sender, action)
    return process_set_feed(hub, now, sender, action)


def get_round_data(feed: Feed, number: int) -> RoundData:
    """One of the feed's last 64 rounds; both its times are when it was accepted (ORC-1).

    Refuses: oracle/unknown-round.
    """
    age = feed.latest_round - number
    if not 0 <= age < len(feed.rounds):
        raise errors.UnknownRound
    found = feed.rounds[-1 - age]
    return RoundData(number, found.answer, found.updated_at, found.updated_at, number)


def latest_round_data(feed: Feed) -> RoundData:
    """The newest round (ORC-1).

    Refuses: oracle/unknown-round before the first.
    """
    return get_round_data(feed, feed.latest_round)
