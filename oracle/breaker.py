"""The jump breaker: a latch that a jump of the price trips, and that waits and watches before it lets go (GRD-5)."""

from __future__ import annotations

from dataclasses import replace

from oracle.quote_guards import is_jump, mark
from protocol.env import Quote, Status
from protocol.records import record
from protocol.units import Price, Seconds


@record
class BreakerState:
    """The price last poked, 0 before the first, and its publish time; when it tripped, 0 if not; good pokes since."""

    reference: Price
    publish_time: Seconds
    tripped_at: Seconds
    good: int


UNTOUCHED = BreakerState(0, 0, 0, 0)


@record
class BreakerParams:
    """Largest ratio of two prices in basis points, seconds to wait after a trip, good pokes to let go."""

    ratio: int
    cool_down: Seconds
    good: int


def guard_breaker(quote: Quote, state: BreakerState, ratio: int) -> Quote:
    """Mark a price HALTED while the breaker is tripped, and one that would trip it (GRD-5).

    So a jump is of no use to whoever reads it before anybody has poked.
    """
    if state.tripped_at or (quote.bid and state.reference and is_jump(quote.mid, state.reference, ratio)):
        return mark(quote, Status.HALTED)
    return quote


def advance_breaker(state: BreakerState, quote: Quote, now: Seconds, params: BreakerParams) -> BreakerState:
    """The breaker after a poke that finds ``quote`` below it (GRD-5)."""
    if state.tripped_at:
        return _advance_tripped(state, quote, now, params)
    if quote.status != Status.OK:
        return state
    if state.reference and is_jump(quote.mid, state.reference, params.ratio):
        return BreakerState(quote.mid, quote.publish_time, now, 0)
    return BreakerState(quote.mid, quote.publish_time, 0, 0)


def _advance_tripped(state: BreakerState, quote: Quote, now: Seconds, params: BreakerParams) -> BreakerState:
    """Count consecutive good observations, each newer than the one before; let go after enough of them and of time."""
    if quote.status != Status.OK:
        return replace(state, good=0)
    if is_jump(quote.mid, state.reference, params.ratio):
        return BreakerState(quote.mid, quote.publish_time, state.tripped_at, 0)
    if quote.publish_time > state.publish_time:
        good = min(state.good + 1, params.good)
        state = BreakerState(quote.mid, quote.publish_time, state.tripped_at, good)
    if state.good >= params.good and now - state.tripped_at >= params.cool_down:
        return BreakerState(quote.mid, quote.publish_time, 0, 0)
    return state
