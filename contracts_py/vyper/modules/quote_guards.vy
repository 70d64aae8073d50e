# @title Guards of quotes
# @notice Twin of oracle/quote_guards.py and of the formulas of oracle/breaker.py: GRD-1 to GRD-8. Each guard gives the
#         faults it adds; one widens the sides of a price (GRD-10), none changes its middle.

from modules import price_status
from modules import quotes

BPS: constant(uint256) = 10_000
DAY: constant(uint256) = 86_400
WEEK: constant(uint256) = 7 * DAY
TO_MONDAY: constant(uint256) = 3 * DAY  # added to unix time, weeks begin on Monday


@internal
@pure
def guard_staleness(quote: quotes.Quote, now: uint256, soft: uint256, hard: uint256, ahead: uint256) -> uint256:
    """A price that is too old, or from further in the future than `ahead` (GRD-1)."""
    if quote.bid == 0:
        return 0
    if quote.publish_time > now:
        return price_status.FUTURE if quote.publish_time - now > ahead else 0
    age: uint256 = now - quote.publish_time
    if age > hard:
        return price_status.STALE_HARD
    return price_status.STALE_SOFT if age > soft else 0


@internal
@pure
def is_deviated(price: uint256, reference: uint256, tolerance: uint256) -> bool:
    """Whether a price is further than `tolerance` basis points of the reference away from it (GRD-2)."""
    distance: uint256 = price - reference if price > reference else reference - price
    return distance * BPS > tolerance * reference


@internal
@pure
def guard_deviation(quote: quotes.Quote, reference: quotes.Quote, tolerance: uint256) -> uint256:
    """A price that another live source contradicts, or that no other confirms; validity comes first (GRD-2)."""
    if quote.status != 0 or reference.status != 0:
        return 0 if quote.bid == 0 else price_status.UNCERTAIN
    return price_status.DEVIATED if self.is_deviated(quote.mid, reference.mid, tolerance) else 0


@internal
@pure
def widen(quote: quotes.Quote, reference: quotes.Quote) -> quotes.Quote:
    """A price whose sides reach to those of another live one, or that no other confirms (GRD-10)."""
    widened: quotes.Quote = quote
    if quote.status == 0 and reference.status == 0:
        widened.bid = min(quote.bid, reference.bid)
        widened.ask = max(quote.ask, reference.ask)
    elif quote.bid != 0:
        widened.status |= price_status.UNCERTAIN
    return widened


@internal
@pure
def guard_bounds(quote: quotes.Quote, low: uint256, high: uint256, near: uint256) -> uint256:
    """A price whose sides are not strictly between the bounds, or near one (GRD-3)."""
    if quote.bid == 0:
        return 0
    if quote.bid <= low or quote.ask >= high:
        return price_status.OUT_OF_BOUNDS
    if quote.bid * BPS <= low * (BPS + near) or quote.ask * BPS >= high * (BPS - near):
        return price_status.UNCERTAIN
    return 0


@internal
@pure
def guard_confidence(quote: quotes.Quote, max_bps: uint256) -> uint256:
    """A price whose sides are more than `max_bps` basis points of the mid apart (GRD-4)."""
    return price_status.UNCERTAIN if (quote.ask - quote.bid) * BPS > max_bps * quote.mid else 0


@internal
@pure
def is_jump(p: uint256, q: uint256, ratio: uint256) -> bool:
    """Whether the larger of two prices is more than `ratio` basis points of the smaller (GRD-5)."""
    return max(p, q) * BPS > ratio * min(p, q)


@internal
@pure
def get_gate_fault(
    answered: bool, answer: int256, started_at: uint256, now: uint256, grace: uint256
) -> uint256:
    """What an uptime feed says of the sequencer; one that fails or was never initialised counts as down (GRD-6)."""
    if not answered or answer != 0 or started_at == 0:
        return price_status.SEQ_DOWN
    if started_at > now or now - started_at <= grace:
        return price_status.SEQ_GRACE
    return 0


@internal
@pure
def is_open(now: uint256, days: uint256, opening: uint256, length: uint256) -> bool:
    """Whether a weekly schedule is open (GRD-7)."""
    # A week more, so that nothing is negative.
    moment: uint256 = (now + TO_MONDAY) % WEEK + WEEK - opening
    for day: uint256 in range(7):
        if (days >> day) & 1 != 0 and (moment + WEEK - day * DAY) % WEEK < length:
            return True
    return False
