"""A price with its two sides, its age and what is wrong with it, and arithmetic on such prices (QUO-1 to QUO-7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from protocol.env import NO_QUOTE, Quote, Status
from protocol.policy import STATUS_LIMIT
from protocol.units import PRICE_LIMIT, Seconds, W, cdiv, fdiv

SCALE_DECIMALS = 18  # of scale W
MAX_SOURCE_DECIMALS = 36
PUBLISH_LIMIT = 2**40  # a publish time from here on is no time
# Faults with which a price still serves a reduction (POL-1): worse than OK, better than any other.
SOFT = int(Status.STALE_SOFT | Status.UNCERTAIN | Status.CAPPED | Status.SEQ_GRACE)


def make_quote(bid: int, mid: int, ask: int, publish_time: Seconds, status: int) -> Quote:
    """A quote within the range of prices, from a result with ``bid <= mid <= ask`` (QUO-1).

    No price, and NON_POSITIVE, when the bid is 0; no price, and OUT_OF_BOUNDS, when the ask is 2^96 or more.
    """
    if bid == 0:
        return Quote(0, 0, 0, publish_time, status | int(Status.NON_POSITIVE))
    if ask >= PRICE_LIMIT:
        return Quote(0, 0, 0, publish_time, status | int(Status.OUT_OF_BOUNDS))
    return Quote(bid, mid, ask, publish_time, status)


def scale_quote(bid: int, mid: int, ask: int, decimals: int, publish_time: Seconds, status: int) -> Quote:
    """A price with ``decimals`` decimals as a quote at scale W (QUO-2).

    Exact up to 18 decimals. Beyond, bid and mid are rounded down and ask is rounded up, so the spread only widens.
    """
    if decimals <= SCALE_DECIMALS:
        factor = 10 ** (SCALE_DECIMALS - decimals)
        return make_quote(bid * factor, mid * factor, ask * factor, publish_time, status)
    divisor = 10 ** (decimals - SCALE_DECIMALS)
    return make_quote(fdiv(bid, divisor), fdiv(mid, divisor), cdiv(ask, divisor), publish_time, status)


def read_answer(answer: tuple[int, int, int, int, int] | None, decimals: int) -> Quote:
    """What a source of quotes answered: bid, mid, ask, publish time and status; None if the call failed (QUO-2).

    An answer that contradicts itself is no answer: sides out of order, a time or a status that cannot be.
    """
    if answer is None:
        return NO_QUOTE
    bid, mid, ask, publish_time, status = answer
    if not bid <= mid <= ask or publish_time >= PUBLISH_LIMIT or status >= STATUS_LIMIT:
        return NO_QUOTE
    if status & Status.UNAVAILABLE:
        return Quote(0, 0, 0, publish_time, status)
    return scale_quote(bid, mid, ask, decimals, publish_time, status)


def read_round(data: tuple[int, int, int] | None, decimals: int) -> Quote:
    """What an AggregatorV3 answered: signed answer, started_at and updated_at; None if the call failed (QUO-2).

    An ``updated_at`` of 0 is a round that never was.
    """
    if data is None:
        return NO_QUOTE
    answer, _, updated_at = data
    if updated_at == 0 or updated_at >= PUBLISH_LIMIT:
        return NO_QUOTE
    price = max(answer, 0)
    return scale_quote(price, price, price, decimals, updated_at, int(Status.OK))


def unite(legs: Sequence[Quote]) -> tuple[Seconds, int]:
    """Publish time and status of what is made of several legs, all required: the oldest time, every fault."""
    status = 0
    for leg in legs:
        status |= leg.status
    return min(leg.publish_time for leg in legs), status


def multiply(a: Quote, b: Quote) -> Quote:
    """The product of two prices: bid * bid and mid * mid rounded down, ask * ask rounded up (QUO-3)."""
    return make_quote(fdiv(a.bid * b.bid, W), fdiv(a.mid * b.mid, W), cdiv(a.ask * b.ask, W), *unite((a, b)))


def divide(a: Quote, b: Quote) -> Quote:
    """The quotient of two prices: bid / ask and mid / mid rounded down, ask / bid rounded up (QUO-4).

    No price when either has none.
    """
    publish_time, status = unite((a, b))
    if b.bid == 0:
        return make_quote(0, 0, 0, publish_time, status)
    bid, mid, ask = fdiv(a.bid * W, b.ask), fdiv(a.mid * W, b.mid), cdiv(a.ask * W, b.bid)
    return make_quote(bid, mid, ask, publish_time, status)


def invert(a: Quote) -> Quote:
    """One over a price: 1 / ask and 1 / mid rounded down, 1 / bid rounded up (QUO-4). No price when it has none."""
    if a.bid == 0:
        return make_quote(0, 0, 0, a.publish_time, a.status)
    return make_quote(fdiv(W * W, a.ask), fdiv(W * W, a.mid), cdiv(W * W, a.bid), a.publish_time, a.status)


def take_min(legs: Sequence[Quote]) -> Quote:
    """The lowest of several prices, side by side; no price when one of them is missing (QUO-5)."""
    sides = (min(leg.bid for leg in legs), min(leg.mid for leg in legs), min(leg.ask for leg in legs))
    return make_quote(*sides, *unite(legs))


def take_max(legs: Sequence[Quote]) -> Quote:
    """The highest of several prices, side by side; no price when one of them is missing (QUO-5)."""
    publish_time, status = unite(legs)
    if any(leg.bid == 0 for leg in legs):
        return make_quote(0, 0, 0, publish_time, status)
    sides = (max(leg.bid for leg in legs), max(leg.mid for leg in legs), max(leg.ask for leg in legs))
    return make_quote(*sides, publish_time, status)


def rank(status: int) -> int:
    """How bad a status is: 0 for OK, 1 for soft faults only, 2 for any other (QUO-6)."""
    if status == Status.OK:
        return 0
    return 2 if status & ~SOFT else 1


def take_first_ok(legs: Iterable[Quote]) -> Quote:
    """The first leg that is OK; else the first with soft faults only; else the first (QUO-6).

    ``legs`` is read only as far as needed, so a fallback that is not reached is not asked.
    """
    best: Quote | None = None
    for leg in legs:
        if best is None or rank(leg.status) < rank(best.status):
            best = leg
        if best.status == Status.OK:
            break
    assert best is not None
    return best


def take_recent(legs: Sequence[Quote]) -> Quote:
    """The newest of the legs with the best rank; the first of several as new (QUO-6)."""
    best = min(rank(leg.status) for leg in legs)
    newest = max(leg.publish_time for leg in legs if rank(leg.status) == best)
    return next(leg for leg in legs if rank(leg.status) == best and leg.publish_time == newest)


def take_median(legs: Sequence[Quote], quorum: int) -> Quote:
    """The middle of the legs that are OK, side by side; of the OK and the soft ones if too few are OK (QUO-7).

    Of an even number the bid is the lower middle of the bids, the ask the upper middle of the asks, and the mid
    halfway between the middle mids, rounded down: disagreement shows as a spread. Too few even so is NO_QUORUM, and
    no price. Legs not used do not touch time or status.
    """
    used = [leg for leg in legs if rank(leg.status) == 0]
    if len(used) < quorum:
        used = [leg for leg in legs if rank(leg.status) <= 1]
    if len(used) < quorum:
        return Quote(0, 0, 0, 0, int(Status.NO_QUORUM))
    upper, lower = len(used) // 2, (len(used) - 1) // 2
    mids = sorted(leg.mid for leg in used)
    bid, ask = sorted(leg.bid for leg in used)[lower], sorted(leg.ask for leg in used)[upper]
    return make_quote(bid, fdiv(mids[lower] + mids[upper], 2), ask, *unite(used))
