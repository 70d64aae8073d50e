"""A price with its two sides, its age and what is wrong with it, and arithmetic on such prices."""

from __future__ import annotations

from protocol.env import Status
from protocol.records import record
from protocol.units import Price, Seconds


@record
class Quote:
    """One price at scale W: ``bid <= mid <= ask``, all 0 where there is none, when it was published, and its status."""

    bid: Price
    mid: Price
    ask: Price
    publish_time: Seconds
    status: int


NO_QUOTE = Quote(0, 0, 0, 0, Status.UNAVAILABLE)
