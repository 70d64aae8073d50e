"""Guards: each looks at one quote for one fault and marks it; one widens its sides, none changes its middle.

Rules GRD-1 to GRD-8 and GRD-10.

A guard of values passes a quote without a price on as it is: what is wrong with it is said already.
"""

from __future__ import annotations

from protocol.env import Quote, Status
from protocol.units import BPS, Price, Seconds

DAY = 86_400
WEEK = 7 * DAY
MONDAY = 4 * DAY  # the first Monday after the beginning of unix time, which was a Thursday


def mark(quote: Quote, fault: int) -> Quote:
    """The quote with one more fault."""
    return Quote(quote.bid, quote.mid, quote.ask, quote.publish_time, quote.status | int(fault))


def guard_staleness(quote: Quote, now: Seconds, soft: Seconds, hard: Seconds, ahead: Seconds) -> Quote:
    """Mark a price that is too old, or from further in the future than ``ahead`` (GRD-1).

    Exactly ``soft``, ``hard`` and ``ahead`` are still good.
    """
    if quote.bid == 0:
        return quote
    if quote.publish_time > now + ahead:
        return mark(quote, Status.FUTURE)
    age = now - quote.publish_time
    if age > hard:
        return mark(quote, Status.STALE_HARD)
    return mark(quote, Status.STALE_SOFT) if age > soft else quote


def is_deviated(price: Price, reference: Price, tolerance: int) -> bool:
    """Whether a price is further than ``tolerance`` basis points of the reference away from it (GRD-2)."""
    return abs(price - reference) * BPS > tolerance * reference


def guard_deviation(quote: Quote, reference: Quote, tolerance: int) -> Quote:
    """Mark a price that another live source contradicts, or that no other source confirms (GRD-2).

    Validity comes first: only two quotes that are OK are compared, and their disagreement is DEVIATED. When either
    is not, the price is UNCERTAIN, which blocks new risk and not a liquidation: a dead source must not be able to
    hold one up. The publish time stays the quote's own; the reference vouches, it is not part of the price.
    """
    if quote.status != Status.OK or reference.status != Status.OK:
        return quote if quote.bid == 0 else mark(quote, Status.UNCERTAIN)
    return mark(quote, Status.DEVIATED) if is_deviated(quote.mid, reference.mid, tolerance) else quote


def guard_envelope(quote: Quote, reference: Quote) -> Quote:
    """Widen a price to the sides of another, so that whoever takes a side gets the worse of both (GRD-10).

    The middle, time and status stay its own. As for a deviation, only two quotes that are OK are put together; when
    either is not, the price is UNCERTAIN: without its reference it must carry no new risk.
    """
    if quote.status != Status.OK or reference.status != Status.OK:
        return quote if quote.bid == 0 else mark(quote, Status.UNCERTAIN)
    bid, ask = min(quote.bid, reference.bid), max(quote.ask, reference.ask)
    return Quote(bid, quote.mid, ask, quote.publish_time, quote.status)


def guard_bounds(quote: Quote, low: Price, high: Price, near: int) -> Quote:
    """Mark a price whose sides are not strictly between the bounds, or within ``near`` basis points of one (GRD-3).

    Touching is a failure: a source that stops at its own limit reports the limit and not a price. Near a bound the
    price is UNCERTAIN.
    """
    if quote.bid == 0:
        return quote
    if quote.bid <= low or quote.ask >= high:
        return mark(quote, Status.OUT_OF_BOUNDS)
    if quote.bid * BPS <= low * (BPS + near) or quote.ask * BPS >= high * (BPS - near):
        return mark(quote, Status.UNCERTAIN)
    return quote


def guard_confidence(quote: Quote, max_bps: int) -> Quote:
    """Mark a price whose sides are more than ``max_bps`` basis points of the mid apart (GRD-4)."""
    if (quote.ask - quote.bid) * BPS > max_bps * quote.mid:
        return mark(quote, Status.UNCERTAIN)
    return quote


def is_jump(p: Price, q: Price, ratio: int) -> bool:
    """Whether the larger of two prices is more than ``ratio`` basis points of the smaller (GRD-5).

    Multiplied across: an integer quotient would trip one step late.
    """
    return max(p, q) * BPS > ratio * min(p, q)


def get_gate_fault(data: tuple[int, int, int] | None, now: Seconds, grace: Seconds) -> int:
    """What an uptime feed says of the sequencer: OK, SEQ_DOWN, or SEQ_GRACE until ``grace`` has passed (GRD-6).

    ``data`` is answer, started_at and updated_at, None if the call failed. 0 is up. A feed that fails, or was never
    initialised, counts as down.
    """
    if data is None:
        return int(Status.SEQ_DOWN)
    answer, started_at, _ = data
    if answer != 0 or started_at == 0:
        return int(Status.SEQ_DOWN)
    if started_at > now or now - started_at <= grace:
        return int(Status.SEQ_GRACE)
    return int(Status.OK)


def is_open(now: Seconds, days: int, opening: Seconds, length: Seconds) -> bool:
    """Whether a weekly schedule is open: sessions of ``length`` from ``opening`` of each day named (GRD-7).

    ``days`` has bit 0 for Monday; ``opening`` is seconds after midnight UTC. A session holds its first second and
    not the one after its last, and may run past midnight and past Sunday.
    """
    moment = (now - MONDAY) % WEEK
    return any(days >> day & 1 and (moment - day * DAY - opening) % WEEK < length for day in range(7))


def guard_hours(quote: Quote, now: Seconds, days: int, opening: Seconds, length: Seconds) -> Quote:
    """Mark a price outside the hours of its market, MARKET_CLOSED (GRD-7)."""
    return quote if is_open(now, days, opening, length) else mark(quote, Status.MARKET_CLOSED)


def guard_halt(quote: Quote, halted: bool) -> Quote:
    """Mark a price that the guardian has halted (GRD-8)."""
    return mark(quote, Status.HALTED) if halted else quote
