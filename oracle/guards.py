"""From a feed to one guarded price at scale W (ORC-2, ORC-6 to ORC-9)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from oracle.feeds import MAX_FEED_DECIMALS, Feed, FeedHub, RateFeed, get_round_data
from oracle.graph import Graph, Observed, process
from oracle.quotes import make_quote, multiply
from protocol import errors
from protocol.env import NO_QUOTE, Quote, Status
from protocol.units import Seconds

# Plain integers, as a quote holds them: reading a member of an enumeration costs more than the rest of a quote.
OK, STALE_HARD = int(Status.OK), int(Status.STALE_HARD)
SCALES = tuple(10 ** (18 - decimals) for decimals in range(MAX_FEED_DECIMALS + 1))  # from a feed's decimals to W


def is_stale(updated_at: Seconds, max_age: Seconds, now: Seconds) -> bool:
    """Whether an observation is older than its feed allows; exactly ``max_age`` is still good."""
    return now - updated_at > max_age


def get_quote(feed: Feed, now: Seconds) -> Quote:
    """The feed's newest answer at scale W on both sides, and what is wrong with it (ORC-6).

    Exact: feeds have at most 18 decimals. A price that is not positive or too large counts as 0; a stale one
    keeps its value and is marked.
    """
    if not feed.rounds:
        return NO_QUOTE
    newest = feed.rounds[-1]
    status = STALE_HARD if is_stale(newest.updated_at, feed.max_age, now) else OK
    price = max(newest.answer, 0) * SCALES[feed.decimals]
    return make_quote(price, price, price, newest.updated_at, status)


def read_first_round(hub: FeedHub, feed_id: int, number: int, since: Seconds) -> Quote:
    """The price of a push feed's round, if it is the first from a time on (ORC-9).

    The time is that of its block; there is only one such round, whoever names it. A past price is not stale: it is the
    one of its moment. A feed without rounds has no price. Refuses: oracle/unknown-round, oracle/not-first.
    """
    feed = hub.feeds[feed_id] if feed_id < len(hub.feeds) else None
    if not isinstance(feed, Feed):
        return NO_QUOTE
    found = get_round_data(feed, number)
    if found.updated_at < since:
        raise errors.NotFirstRound
    if number > 1 and get_round_data(feed, number - 1).updated_at >= since:
        raise errors.NotFirstRound
    price = max(found.answer, 0) * SCALES[feed.decimals]
    return make_quote(price, price, price, found.updated_at, OK)


def get_quotes(
    hub: FeedHub, now: Seconds, graph: Graph | None = None, observe: Callable[[], Observed] | None = None
) -> tuple[Quote, ...]:
    """The quotes of all feeds, by id, as ``Env`` wants them.

    A node feed has the quote of its node in ``graph``, over what contracts answer, which is observed only then (ORC-8).
    """
    quotes: list[Quote] = []
    observed: Observed | None = None
    for feed in hub.feeds:
        if isinstance(feed, Feed):
            quotes.append(get_quote(feed, now))
        elif isinstance(feed, RateFeed):
            quotes.append(multiply(quotes[feed.rate], quotes[feed.underlying]))
        elif graph is None or observe is None:
            quotes.append(NO_QUOTE)
        else:
            observed = observed or observe()
            quotes.append(process(graph, now, feed.node, observed))
    return tuple(quotes)


def observe_rounds(hub: FeedHub, contracts: Sequence[int]) -> dict[int, tuple[int, int, int]]:
    """The rounds that the feeds' own contracts would answer to a node, by address (part of ORC-8).

    A push feed answers with its newest round, whose times are both when it was accepted (ORC-1). It fails before its
    first round, and rate and node feeds always do.
    """
    return {
        address: (feed.rounds[-1].answer, feed.rounds[-1].updated_at, feed.rounds[-1].updated_at)
        for address, feed in zip(contracts, hub.feeds, strict=False)
        if isinstance(feed, Feed) and feed.rounds
    }
