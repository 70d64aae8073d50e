"""Prices that might be: ``--at BTC=7500`` and ``--shock BTC=-20%``, several of them separated by commas."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from crossmargin.messages import clean, shown
from crossmargin.portfolio.book import NOW, Book, find_feed, make_env
from crossmargin.quantities import BadText, read_decimal, read_percent
from oracle.feeds import SetRateFeed
from oracle.quotes import make_quote
from protocol.env import Env, Quote, Status
from protocol.units import BPS, PRICE_LIMIT, Bps, cdiv, fdiv

ALL = "all"


@dataclass(frozen=True, slots=True)
class Move:
    """Prices that might be, and the text that asked for them."""

    text: str
    env: Env


def read_at(book: Book, text: str) -> Move:
    """Absolute prices, on both sides of the spread. Raises ``BadText``."""
    given = dict(book.given)
    for name, value in _split(text, "BTC=7500, or BTC=7500,ETH=180"):
        feed = _find_given(book, name)
        price = read_decimal(value, 18, limit=PRICE_LIMIT)
        if price == 0:
            raise BadText(f"the price of {name} must be above 0")
        given[feed] = make_quote(price, price, price, NOW, int(Status.OK))
    return Move(clean(text), make_env(book.params, given))


def read_shock(book: Book, text: str) -> Move:
    """Changes in per cent; ``all`` is every price but that of USDC, of rates, and those named beside it.

    Raises ``BadText``.
    """
    given = dict(book.given)
    parts = _split(text, "BTC=-20%, or BTC=-20%,ETH=-30%, or all=-20%")
    for name, value in sorted(parts, key=lambda part: part[0] != ALL):
        change = read_percent(value, signed=True)
        if change <= -BPS:
            raise BadText(f"{shown(value)} leaves no price", "a price can fall by less than 100%")
        for feed in _shocked(book) if name == ALL else [_find_given(book, name)]:
            given[feed] = _shift(book.given[feed], change)
            if given[feed].status:
                raise BadText(f"{shown(value)} takes {book.params.feeds[feed].name} out of the range of prices")
    return Move(clean(text), make_env(book.params, given))


def _split(text: str, form: str) -> Iterator[tuple[str, str]]:
    names = set[str]()
    for part in text.split(","):
        found = re.fullmatch(r"([^=]+)=([^=]+)", part)
        if not found:
            raise BadText(f"{shown(part)} is not a name and a value", f"write {form}")
        if found[1] in names:
            remedy = "leave one out, or give each an option of its own"
            raise BadText(f"{shown(found[1])} stands here a second time", remedy)
        names.add(found[1])
        yield found[1], found[2]


def _find_given(book: Book, name: str) -> int:
    feed = find_feed(book.params, name)
    if feed not in book.given:
        raise BadText(f"the portfolio has no price of {name}", "add it to its `prices`")
    return feed


def _shocked(book: Book) -> Mapping[int, Quote]:
    """The feeds that ``all`` moves."""
    rates = {feed.action.rate for feed in book.params.feeds if isinstance(feed.action, SetRateFeed)}
    still = {*rates, book.params.risk.usdc_feed - 1}
    return {feed: quote for feed, quote in book.given.items() if feed not in still}


def _shift(quote: Quote, change: Bps) -> Quote:
    """A quote moved by basis points; the spread only widens."""
    bid, mid = (fdiv(side * (BPS + change), BPS) for side in (quote.bid, quote.mid))
    return make_quote(bid, mid, cdiv(quote.ask * (BPS + change), BPS), NOW, int(Status.OK))
