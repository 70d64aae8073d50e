"""A ceiling that grows at a bounded pace, for the rate of a token whose worth only ever creeps up.

Rules CAP-1 to CAP-5.
"""

from __future__ import annotations

from dataclasses import replace

from oracle import errors
from protocol.env import Quote, Status
from protocol.errors import NotAdmin, OutOfDomain
from protocol.records import record
from protocol.units import BPS, DAY, PRICE_LIMIT, YEAR, Bps, Ratio, Seconds, fdiv

SHORTEST_DELAY = 3_600
LONGEST_TERM = 180 * DAY
MOST_GROWTH = 10_000  # bps a year
MOST_TOLERANCE = 500  # bps
MOST_DROP = 5_000  # bps


@record
class Snapshot:
    """A ratio and the time it is of: one pair, that changes together or not at all."""

    ratio: Ratio
    time: Seconds


@record
class GrowthCapConfig:
    """How a rate is bounded; it never changes."""

    growth: Bps  # of the snapshot's ratio, a year
    min_delay: Seconds  # a snapshot that is set is at least so old
    max_term: Seconds  # and at most so old
    tolerance: Bps  # of the live rate: how far from it a snapshot may be, and how far below it a cap without a mark
    max_drop: Bps  # of the snapshot's ratio: how far below it the rate may be
    interval: Seconds  # after which the snapshot may advance by itself; 0 for never


@record
class GrowthCap:
    """The bound of one rate."""

    admin: int
    config: GrowthCapConfig
    snapshot: Snapshot


@record
class SetSnapshot:
    """Replace the snapshot (CAP-2)."""

    ratio: Ratio
    time: Seconds


@record
class Advance:
    """Let the snapshot advance by itself (CAP-3)."""


@record
class SnapshotSet:
    """The snapshot now in force."""

    ratio: Ratio
    time: Seconds


def compute_cap(snapshot: Snapshot, growth: Bps, now: Seconds) -> Ratio:
    """The most that the rate may be now (CAP-1).

    Linear in time; rounded down, in favour of the protocol, which lends on it.
    """
    return snapshot.ratio + fdiv(snapshot.ratio * growth * (now - snapshot.time), BPS * YEAR)


def get_ratio(live: Quote) -> Ratio:
    """The live rate whatever its status, 0 when a side of it is too large (part of CAP-4)."""
    return live.mid if max(live.bid, live.mid, live.ask) < PRICE_LIMIT else 0


def is_usable(live: Quote) -> bool:
    """Whether the live rate is there and nothing is wrong with it (part of CAP-2)."""
    return live.status == Status.OK and get_ratio(live) != 0


def check_snapshot(config: GrowthCapConfig, snapshot: Snapshot, now: Seconds, live: Quote) -> None:
    """Refuse a snapshot that does not fit the time and the live rate (CAP-2).

    Its time is between ``max_term`` and ``min_delay`` ago, both inclusive; its ratio within ``tolerance`` of the live
    rate; and the cap that follows not below the live rate.

    Refuses: sys/domain, oracle/cap-source, oracle/cap-time, oracle/cap-ratio, oracle/cap-below-live.
    """
    if not 0 < snapshot.ratio < PRICE_LIMIT:
        raise OutOfDomain(value=snapshot.ratio)
    if not is_usable(live):
        raise errors.RateNotUsable
    if not config.min_delay <= now - snapshot.time <= config.max_term:
        raise errors.BadSnapshotTime
    if abs(snapshot.ratio - live.mid) * BPS > config.tolerance * live.mid:
        raise errors.SnapshotTooFar
    if compute_cap(snapshot, config.growth, now) < live.mid:
        raise errors.CapBelowLive


def check_cap_config(config: GrowthCapConfig) -> None:
    """Refuse a bound that is no bound, or that its admin could not change (CAP-5).

    Refuses: oracle/cap-config.
    """
    if not (
        1 <= config.growth <= MOST_GROWTH
        and SHORTEST_DELAY <= config.min_delay < config.max_term <= LONGEST_TERM
        and 1 <= config.tolerance <= MOST_TOLERANCE
        and 1 <= config.max_drop <= MOST_DROP
        and (config.interval == 0 or 2 * config.min_delay <= config.interval <= config.max_term)
    ):
        raise errors.BadCapConfig


def create_growth_cap(
    admin: int, config: GrowthCapConfig, snapshot: Snapshot, now: Seconds, live: Quote
) -> tuple[GrowthCap, tuple[SnapshotSet]]:
    """The bound of a rate with its first snapshot, which meets the checks of every other (CAP-5).

    Refuses: oracle/cap-config and what check_snapshot refuses.
    """
    check_cap_config(config)
    check_snapshot(config, snapshot, now, live)
    return GrowthCap(admin, config, snapshot), (SnapshotSet(snapshot.ratio, snapshot.time),)


def process_set_snapshot(
    cap: GrowthCap, now: Seconds, sender: int, action: SetSnapshot, live: Quote
) -> tuple[GrowthCap, tuple[SnapshotSet]]:
    """Replace ratio and time together (CAP-2).

    Refuses: role/not-admin, what check_snapshot refuses, oracle/cap-time also when not later than the one before.
    """
    if sender != cap.admin:
        raise NotAdmin
    if action.time <= cap.snapshot.time:
        raise errors.BadSnapshotTime
    snapshot = Snapshot(action.ratio, action.time)
    check_snapshot(cap.config, snapshot, now, live)
    return replace(cap, snapshot=snapshot), (SnapshotSet(action.ratio, action.time),)


def process_advance(cap: GrowthCap, now: Seconds, live: Quote) -> tuple[GrowthCap, tuple[SnapshotSet, ...]]:
    """Take the capped rate as the new snapshot, of now; anybody may ask for it (CAP-3).

    Refuses nothing. Without effect before ``interval`` has passed since the snapshot's time, while the live rate is
    not usable, and while it is below the snapshot: by itself a snapshot never falls.
    """
    interval, snapshot = cap.config.interval, cap.snapshot
    if interval == 0 or now - snapshot.time < interval or not is_usable(live) or live.mid < snapshot.ratio:
        return cap, ()
    ratio = min(live.mid, compute_cap(snapshot, cap.config.growth, now))
    return replace(cap, snapshot=Snapshot(ratio, now)), (SnapshotSet(ratio, now),)


def get_capped_quote(cap: GrowthCap, now: Seconds, live: Quote) -> Quote:
    """The live rate, bounded; publish time and status of the source pass through (CAP-4).

    CAPPED beside them when the cap is below the live rate by more than ``tolerance``, HALTED when the live rate is
    below the snapshot by more than ``max_drop``. A rate of 0 is not positive; one too large counts as none. Refuses
    nothing.
    """
    if max(live.bid, live.mid, live.ask) >= PRICE_LIMIT:
        return Quote(0, 0, 0, live.publish_time, int(live.status | Status.OUT_OF_BOUNDS))
    if live.mid == 0:
        return Quote(0, 0, 0, live.publish_time, int(live.status | Status.NON_POSITIVE))
    bound = compute_cap(cap.snapshot, cap.config.growth, now)
    status = live.status
    if (live.mid - bound) * BPS > cap.config.tolerance * live.mid:
        status |= Status.CAPPED
    if live.mid * BPS < cap.snapshot.ratio * (BPS - cap.config.max_drop):
        status |= Status.HALTED
    return Quote(min(live.bid, bound), min(live.mid, bound), min(live.ask, bound), live.publish_time, int(status))


def is_capped(cap: GrowthCap, now: Seconds, live: Quote) -> bool:
    """Whether the live rate is above the cap at all: the first sign, before the status says it (part of CAP-4)."""
    return get_ratio(live) > compute_cap(cap.snapshot, cap.config.growth, now)
