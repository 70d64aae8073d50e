"""One price from many reporters: each writes a slot of its own, and the price is the median of all that are fresh.

Nothing is chosen by whoever sends a transaction: which slots count follows from storage and the time of reading.

Rules MED-1 to MED-6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from oracle import errors as oracle_errors
from oracle.feeds import LONGEST_MAX_AGE, MAX_FEED_DECIMALS, SHORTEST_MAX_AGE, RoundData
from oracle.guards import is_stale
from protocol import errors
from protocol.env import Quote, Status
from protocol.records import record
from protocol.units import PRICE_LIMIT, SIGNED_LIMIT, Seconds, fdiv

MAX_REPORTERS = 13
LONGEST_AHEAD = 60  # seconds that a reporter's clock may run ahead of the block's
NO_MEDIAN = Quote(0, 0, 0, 0, int(Status.NO_QUORUM))


@record
class Slot:
    """A reporter's last report: the answer in the median's decimals and when it was observed, 0 before the first."""

    answer: int
    observed_at: Seconds
    number: int  # reports of this reporter accepted so far


@record
class Median:
    """Reporters by address, the limits, and one slot for each reporter. Only slots ever change."""

    reporters: tuple[int, ...]
    quorum: int
    max_age: Seconds
    skew: Seconds
    ahead: Seconds
    decimals: int
    slots: tuple[Slot, ...]

    @property
    def faults(self) -> int:
        """How many reporters may lie: less than half of a quorum."""
        return self.quorum // 2


@record
class Submit:
    """One report: an answer in the median's decimals, and when it was observed."""

    answer: int
    observed_at: Seconds


@record
class Submitted:
    """A slot's new content."""

    slot: int
    number: int
    answer: int
    observed_at: Seconds


def create_median(
    reporters: tuple[int, ...], quorum: int, max_age: Seconds, skew: Seconds, ahead: Seconds, decimals: int
) -> Median:
    """A median without reports; reporters and limits never change (MED-1).

    Refuses: oracle/median-config.
    """
    if quorum % 2 == 0 or not 1 <= quorum <= len(reporters) <= MAX_REPORTERS:
        raise oracle_errors.BadMedianConfig
    if not SHORTEST_MAX_AGE <= max_age <= LONGEST_MAX_AGE:
        raise oracle_errors.BadMedianConfig
    if not 0 <= skew <= max_age or not 0 <= ahead <= LONGEST_AHEAD or not 0 <= decimals <= MAX_FEED_DECIMALS:
        raise oracle_errors.BadMedianConfig
    if 0 in reporters or len(set(reporters)) != len(reporters):
        raise oracle_errors.BadMedianConfig
    return Median(reporters, quorum, max_age, skew, ahead, decimals, (Slot(0, 0, 0),) * len(reporters))


def process_submit(median: Median, now: Seconds, sender: int, action: Submit) -> tuple[Median, tuple[Submitted, ...]]:
    """Write the sender's slot; a report that is not newer than the slot's or too far ahead changes nothing (MED-2).

    Refuses: oracle/not-reporter, sys/domain.
    """
    if sender not in median.reporters:
        raise oracle_errors.NotReporter
    if not -SIGNED_LIMIT <= action.answer < SIGNED_LIMIT:
        raise errors.OutOfDomain(value=action.answer)
    index = median.reporters.index(sender)
    old = median.slots[index]
    if action.observed_at <= old.observed_at or action.observed_at > now + median.ahead:
        return median, ()
    new = Slot(action.answer, action.observed_at, old.number + 1)
    slots = (*median.slots[:index], new, *median.slots[index + 1 :])
    return replace(median, slots=slots), (Submitted(index, new.number, new.answer, new.observed_at),)


def get_used_slots(median: Median, now: Seconds) -> tuple[tuple[Slot, ...], Seconds]:
    """The slots that count, fresh and within ``skew`` of the reference, and its time; none without a quorum (MED-3).

    The reference is the time of the fresh slot with ``faults`` others before it, newest first. That many liars cannot
    push it beyond the newest honest slot, so a report dated ahead drops no honest one.
    """
    fresh = [slot for slot in median.slots if slot.number and not is_stale(slot.observed_at, median.max_age, now)]
    if len(fresh) < median.quorum:
        return (), 0
    reference = sorted(slot.observed_at for slot in fresh)[-1 - median.faults]
    used = tuple(slot for slot in fresh if abs(slot.observed_at - reference) <= median.skew)
    return (used, reference) if len(used) >= median.quorum else ((), 0)


def compute_middle(values: Sequence[int]) -> tuple[int, int]:
    """The two middle values of at least one, in order; the same value twice if their number is odd (MED-4)."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]


def get_median_quote(median: Median, now: Seconds) -> Quote:
    """The median at scale W, published at the time of the reference, which never goes back (MED-5).

    Bid and ask are the middle answers, exact: at most 18 decimals. Mid is half their sum, rounded down by less than
    a wei. A bid that is not positive or an ask too large leaves no price.
    """
    used, published = get_used_slots(median, now)
    if not used:
        return NO_MEDIAN
    scale: int = 10 ** (MAX_FEED_DECIMALS - median.decimals)
    low, high = compute_middle([slot.answer for slot in used])
    if low <= 0:
        return Quote(0, 0, 0, published, int(Status.NON_POSITIVE))
    bid, ask = low * scale, high * scale
    if ask >= PRICE_LIMIT:
        return Quote(0, 0, 0, published, int(Status.OUT_OF_BOUNDS))
    return Quote(bid, fdiv(bid + ask, 2), ask, published, int(Status.OK))


def get_latest_round(median: Median) -> int:
    """The number of the latest round: how many reports were accepted so far (MED-6)."""
    return sum(slot.number for slot in median.slots)


def get_median_round(median: Median, now: Seconds, number: int) -> RoundData:
    """The latest round, under the field names of AggregatorV3; both times are the reference (MED-6).

    The answer is not filtered; of an even number of reports it is half the sum of the middle two, rounded down.

    Refuses: oracle/unknown-round, oracle/no-median.
    """
    if number != get_latest_round(median):
        raise errors.UnknownRound
    used, published = get_used_slots(median, now)
    if not used:
        raise oracle_errors.NoMedian
    answer = fdiv(sum(compute_middle([slot.answer for slot in used])), 2)
    return RoundData(number, answer, published, published, number)
