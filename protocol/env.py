"""What an action is told from outside: time, sender and prices. The machine never asks for them."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntFlag

from protocol.records import record
from protocol.units import Price, Seconds


class Status(IntFlag):
    """What is wrong with a price; OK is nothing (ORC-2). The bits are the same on chain."""

    OK = 0
    NON_POSITIVE = 1
    STALE_SOFT = 2
    STALE_HARD = 4
    FUTURE = 8
    UNCERTAIN = 16
    DEVIATED = 32
    OUT_OF_BOUNDS = 64
    CAPPED = 128
    NO_QUORUM = 256
    SEQ_DOWN = 512
    SEQ_GRACE = 1024
    HALTED = 2048
    MARKET_CLOSED = 4096
    UNAVAILABLE = 8192


@record
class Quote:
    """One price at scale W: ``bid <= mid <= ask``, all 0 where there is none, when it was published, and its status."""

    bid: Price
    mid: Price
    ask: Price
    publish_time: Seconds
    status: int


NO_QUOTE = Quote(0, 0, 0, 0, int(Status.UNAVAILABLE))


RoundReader = Callable[[int, int, Seconds], Quote]


def no_round(feed: int, number: int, since: Seconds) -> Quote:
    """No feed has rounds."""
    return NO_QUOTE


@record
class Env:
    """The surroundings of one action. ``quotes`` are indexed by feed id.

    ``read_first_round`` gives a round of a feed that is the first from a time on, as the oracle stands (ORC-9).
    """

    now: Seconds
    sender: int  # address as an integer
    quotes: tuple[Quote, ...]
    read_first_round: RoundReader = no_round

    def quote(self, feed: int) -> Quote:
        """The quote of a feed; an unknown feed has no price (ORC-3)."""
        return self.quotes[feed] if feed < len(self.quotes) else NO_QUOTE
