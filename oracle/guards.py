"""From a feed to one guarded price at scale W (ORC-2, ORC-6, ORC-7)."""

from __future__ import annotations

from oracle.feeds import Feed, FeedHub, RateFeed
from protocol.env import NO_QUOTE, Quote, Status
from protocol.units import PRICE_LIMIT, Seconds, W, fdiv


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
    status = Status.STALE_HARD if is_stale(newest.updated_at, feed.max_age, now) else Status.OK
    price: int = newest.answer * 10 ** (18 - feed.decimals)
    if price <= 0:
        return Quote(0, int(status | Status.NON_POSITIVE))
    if price >= PRICE_LIMIT:
        return Quote(0, int(status | Status.OUT_OF_BOUNDS))
    return Quote(price, int(status))


def multiply_quotes(rate: Quote, underlying: Quote) -> Quote:
    """Rate times underlying, rounded down in favour of the protocol that lends on it (ORC-7).

    Carries whatever is wrong with either. A product of 0 is not positive; one too large counts as 0.
    """
    status = rate.status | underlying.status
    price = fdiv(rate.price * underlying.price, W)
    if price == 0:
        return Quote(0, int(status | Status.NON_POSITIVE))
    if price >= PRICE_LIMIT:
        return Quote(0, int(status | Status.OUT_OF_BOUNDS))
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
