"""What honest and faulty reporters of a quorum median submit: faults to inject into tests and scenarios.

A report follows from the true price, the time and the reporter's number alone, so a run can be repeated anywhere. What
a median makes of the reports is in ``oracle.median``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from enum import StrEnum

from oracle.median import Submit
from protocol.records import record
from protocol.units import BPS, Bps, Seconds, fdiv

MILLION = 10**6

Truth = Callable[[Seconds], int]  # the true price at a time, in the median's decimals


class Strategy(StrEnum):
    """What the faulty reporters do, all the same."""

    HONEST = "honest"
    CRASH = "crash"  # report nothing
    LOW = "low"  # report too low a price
    HIGH = "high"  # report too high a price
    SPLIT = "split"  # even numbers report too low a price, odd ones too high a price
    DELAY = "delay"  # report late, with the time at which they looked
    REPLAY = "replay"  # send the same old report again and again
    POST_DATE = "post_date"  # report a time to come
    WRONG_DECIMALS = "wrong_decimals"  # report the price in other decimals
    FROZEN = "frozen"  # report the same old price with the time of now


@record
class Wick:
    """A venue that trades apart from all others for a while, and the honest reporter who looks at it alone."""

    reporter: int
    begins: Seconds
    ends: Seconds  # the first second without it
    price: Bps  # share of the true price that the venue shows


@record
class Reporters:
    """Reporters from 0 to ``count - 1``, of whom the last ``faulty`` follow one strategy from ``since`` on.

    ``noise`` is how far an honest observation is from the truth, in millionths at most. ``push`` is how far a lie is
    from it. ``lag`` is how far a delayed report lies in the past, or a post-dated one in the future. ``decimals`` is
    how many decimals too many a price in wrong decimals has; too few if negative.
    """

    seed: str
    count: int
    faulty: int
    strategy: Strategy
    since: Seconds
    noise: int = 0
    push: Bps = 0
    lag: Seconds = 0
    decimals: int = 0
    wick: Wick | None = None


def is_faulty(reporters: Reporters, reporter: int) -> bool:
    """Whether a reporter is one of those who follow the strategy."""
    return reporter >= reporters.count - reporters.faulty


def draw_noise(reporters: Reporters, reporter: int, time: Seconds) -> int:
    """By how many millionths an observation differs from the truth, from ``-noise`` to ``noise``."""
    digest = hashlib.sha256(f"{reporters.seed}|{reporter}|{time}".encode()).digest()
    return int.from_bytes(digest, "big") % (2 * reporters.noise + 1) - reporters.noise


def observe(reporters: Reporters, truth: Truth, reporter: int, time: Seconds) -> int:
    """The price that a reporter's own source shows at a time, rounded down."""
    price = truth(time)
    wick = reporters.wick
    if wick and wick.reporter == reporter and wick.begins <= time < wick.ends:
        price = fdiv(price * wick.price, BPS)
    return price + fdiv(price * draw_noise(reporters, reporter, time), MILLION)


def make_report(reporters: Reporters, truth: Truth, reporter: int, time: Seconds) -> Submit | None:
    """What a reporter submits at a time, or nothing."""
    strategy = reporters.strategy
    if not is_faulty(reporters, reporter) or time < reporters.since or strategy is Strategy.HONEST:
        return Submit(observe(reporters, truth, reporter, time), time)
    if strategy is Strategy.CRASH:
        return None
    if strategy is Strategy.DELAY:
        return Submit(observe(reporters, truth, reporter, time - reporters.lag), time - reporters.lag)
    if strategy is Strategy.REPLAY:
        return Submit(observe(reporters, truth, reporter, reporters.since), reporters.since)
    if strategy is Strategy.POST_DATE:
        return Submit(observe(reporters, truth, reporter, time), time + reporters.lag)
    if strategy is Strategy.FROZEN:
        return Submit(observe(reporters, truth, reporter, reporters.since), time)
    return Submit(distort(reporters, reporter, observe(reporters, truth, reporter, time)), time)


def distort(reporters: Reporters, reporter: int, price: int) -> int:
    """The lie about a price, rounded down: pushed by ``push``, or in other decimals."""
    if reporters.strategy is Strategy.WRONG_DECIMALS:
        return fdiv(price * 10 ** max(reporters.decimals, 0), 10 ** max(-reporters.decimals, 0))
    is_low = reporters.strategy is Strategy.LOW or (reporters.strategy is Strategy.SPLIT and reporter % 2 == 0)
    return fdiv(price * (BPS - reporters.push if is_low else BPS + reporters.push), BPS)
