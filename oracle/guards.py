"""From a feed to one guarded price at scale W (ORC-2, ORC-6, ORC-7)."""

from __future__ import annotations

from oracle.feeds import MAX_FEED_DECIMALS, Feed, FeedHub, RateFeed
from protocol.env import NO_QUOTE, Quote, Status
from protocol.units import PRICE_LIMIT, Seconds, W, fdiv

# Plain integers, as a quote holds them: reading a member of an enumeration costs more than the rest of a quote.
OK, STALE_HARD = int(Status.OK), int(Status.STALE_HARD)
NON_POSITIVE, OUT_OF_BOUNDS = int(Status.NON_POSITIVE), int(Status.OUT_OF_BOUNDS)
SCALES = tuple(10 ** (18 - decimals) for decimals in range(MAX_FEED_DECIMALS + 1))  # from a feed's decimals to W


def is_stale(updated_at: Seconds, max_age: Seconds, now: Seconds) -> bool:
    """Whether an observation is older than its feed allows; exactly ``max_age`` is still good."""
    return now - updated_at > max_age


def get_quote(feed: Feed, now: Seconds) -> Quote:
    """The feed's newest answer at scale W, and what is wrong with it (ORC-6).

    Exact: feeds have at most 18 decimals. A price that is not positive or too large counts as 0; a stale one
    keeps its value and is marked.
    """
    if not feed.rounds:
        return NO_QUOTE
    newest = feed.rounds[-1]
    status = STALE_HARD if is_stale(newest.updated_at, feed.max_age, now) else OK
    price: int = newest.answer * SCALES[feed.decimals]
    if price <= 0:
        return Quote(0, status | NON_POSITIVE)
    if price >= PRICE_LIMIT:
        return Quote(0, status | OUT_OF_BOUNDS)
    return Quote(price, status)


def multiply_quotes(rate: Quote, underlying: Quote) -> Quote:
    """Rate times underlying, rounded down in favour of the protocol that lends on it (ORC-7).

    Carries whatever is wrong with either. A product of 0 is not positive; one too large counts as 0.
    """
    status = rate.status | underlying.status
    price = fdiv(rate.price * underlying.price, W)
    if price == 0:
        return Quote(0, status | NON_POSITIVE)
    if price >= PRICE_LIMIT:
        return Quote(0, status | OUT_OF_BOUNDS)
    return Quote(price, status)


def get_quotes(hub: FeedHub, now: Seconds) -> tuple[Quote, ...]:
    """The quotes of all feeds, by id, as ``Env`` wants them."""
    quotes: list[Quote] = []
    for feed in hub.feeds:
        if isinstance(feed, RateFeed):
            quotes.append(multiply_quotes(quotes[feed.rate], quotes[feed.underlying]))
        else:
            quotes.append(get_quote(feed, now))
    return tuple(quotes)
