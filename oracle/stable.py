"""A price that follows another at a limited rate, for what must not jump (AVG-5)."""

from __future__ import annotations

from protocol.records import record
from protocol.units import BPS, Price, Seconds, W, fdiv

HOUR = 3_600
HOURS = 24  # hourly prices remembered; the oldest is the delayed one
LONGEST_STEP = 600  # of one interval, no more seconds count
GROWTH_PER_SECOND = 3  # of BPS: 0.03 %
GROWTH_PER_HOUR = 600  # of BPS: 6 %, of the hourly prices


@record
class StablePrice:
    """The stable price, the sum that makes the hour's mean, and the hourly prices by hour modulo 24."""

    price: Price
    accumulated: int  # price times seconds counted of this hour
    seconds: Seconds  # counted of this hour
    hourly: tuple[Price, ...]


def begin_stable(price: Price) -> StablePrice:
    """As if ``price`` had held for a day."""
    return StablePrice(price, 0, 0, (price,) * HOURS)


def charge_stable(stable: StablePrice, price: Price, began: Seconds, now: Seconds) -> StablePrice:
    """The stable price after ``price`` has held from ``began`` to ``now`` (AVG-5).

    At most 600 seconds count. They belong to the hour in which they began; when ``now`` is in a later hour, their
    mean, within 6 % of the hourly price before it, becomes the price of the hours that ended. The stable price then
    moves toward ``price``, by at most what the delayed price allows. All quotients are rounded down.
    """
    seconds = min(now - began, LONGEST_STEP)
    accumulated, counted, hourly = stable.accumulated + price * seconds, stable.seconds + seconds, stable.hourly
    hour, began_in = now // HOUR, began // HOUR
    if hour != began_in:
        before = hourly[(began_in - 1) % HOURS]
        step = fdiv(before * GROWTH_PER_HOUR, BPS)
        ended = clamp(fdiv(accumulated, counted), before - step, before + step)
        filled = list(hourly)
        for k in range(min(hour - began_in, HOURS)):
            filled[(began_in + k) % HOURS] = ended
        accumulated, counted, hourly = 0, 0, tuple(filled)
    moved = move_stable(stable.price, price, hourly[hour % HOURS], seconds)
    return StablePrice(moved, accumulated, counted, hourly)


def move_stable(stable: Price, price: Price, delayed: Price, seconds: Seconds) -> Price:
    """The stable price moved toward ``price`` (part of AVG-5).

    By at most 0.03 % a second, times the square of how near the stable and the delayed price are, a ratio at most 1.
    """
    nearness = fdiv(min(stable, delayed) * W, max(stable, delayed))
    step = fdiv(stable * nearness * nearness * seconds * GROWTH_PER_SECOND, BPS * W * W)
    return clamp(price, stable - step, stable + step)


def clamp(value: int, low: int, high: int) -> int:
    """The number of ``low`` to ``high`` that is nearest to ``value``."""
    return max(low, min(value, high))
