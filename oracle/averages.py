"""Three slow prices of one source: a time-weighted mean, an exponential mean and the stable price.

All three charge an interval with the price recorded at its beginning, so a price that appears and is gone within the
same block has no weight.

Rules AVG-2 to AVG-6.
"""

from __future__ import annotations

from enum import IntEnum

from oracle import errors
from oracle.exponential import wad_exp
from oracle.stable import StablePrice, begin_stable, charge_stable, clamp
from protocol.env import NO_QUOTE, Quote, Status
from protocol.records import record
from protocol.units import BPS, DAY, PRICE_LIMIT, Bps, Price, Seconds, W, cdiv, fdiv

HISTORY = 64  # observations remembered
SHORTEST_GAP = 10
LONGEST_GAP = 600
SHORTEST_WINDOW = 60
SHORTEST_TAU = 60
LONGEST_TAU = 7 * DAY
# Faults that do not keep a price out: it is old but not too old, or bounded by a guard of its own.
RECORDED = int(Status.STALE_SOFT | Status.CAPPED)  # an int, whose complement has every other bit, named or not


class Average(IntEnum):
    """The keys of the three averages."""

    TWAP = 1
    EMA = 2
    STABLE = 3


@record
class AveragesConfig:
    """How one source is averaged; it never changes."""

    gap: Seconds  # at least between two observations
    window: Seconds  # of the time-weighted mean that has a key
    tau: Seconds  # after which an old price has weight 1 / e in the exponential mean
    clamp: Bps  # furthest that a price may be from the exponential mean when it enters


@record
class Observation:
    """What held until ``time``, and what the source said of the price that holds from then on."""

    time: Seconds
    cumulative: int  # price times seconds since the first observation
    publish_time: Seconds
    status: int


@record
class Averages:
    """The averages of one source. ``observations`` are the last of ``count``, newest at the end."""

    config: AveragesConfig
    count: int
    observations: tuple[Observation, ...]
    price: Price  # that holds since the newest
    ema: Price  # at the newest
    stable: StablePrice  # at the newest


@record
class Update:
    """Record what the source says now (AVG-2)."""


@record
class Observed:
    """A price was recorded; the averages are those up to it."""

    price: Price
    cumulative: int
    ema: Price
    stable: Price
    publish_time: Seconds
    status: int


def create_averages(config: AveragesConfig) -> Averages:
    """Averages of a source, before its first price (AVG-6).

    Refuses: oracle/average-config.
    """
    if not (
        SHORTEST_GAP <= config.gap <= LONGEST_GAP
        and SHORTEST_WINDOW <= config.window <= (HISTORY - 1) * config.gap
        and SHORTEST_TAU <= config.tau <= LONGEST_TAU
        and 1 <= config.clamp <= BPS
    ):
        raise errors.BadAverageConfig
    return Averages(config, 0, (), 0, 0, StablePrice(0, 0, 0, ()))


def process_update(averages: Averages, now: Seconds, quote: Quote) -> tuple[Averages, tuple[Observed, ...]]:
    """Record the source's price and charge what held before; anybody may ask for it (AVG-2).

    Refuses nothing. Without effect when the price is not to be recorded, or less than ``gap`` after the newest.
    """
    if not is_recordable(averages, now, quote):
        return averages, ()
    price = quote.mid
    if averages.count == 0:
        stable, ema, cumulative = begin_stable(price), price, 0
    else:
        newest = averages.observations[-1]
        stable = charge_stable(averages.stable, averages.price, newest.time, now)
        ema = get_ema(averages, now)
        cumulative = newest.cumulative + averages.price * (now - newest.time)
    observation = Observation(now, cumulative, quote.publish_time, quote.status)
    observations = (*averages.observations[1 - HISTORY :], observation)
    changed = Averages(averages.config, averages.count + 1, observations, price, ema, stable)
    return changed, (Observed(price, cumulative, ema, stable.price, quote.publish_time, quote.status),)


def is_recordable(averages: Averages, now: Seconds, quote: Quote) -> bool:
    """Whether an update has an effect (part of AVG-2).

    The price must be there and nothing worse with it than soft staleness or a cap, published neither after now nor
    before the newest observation's price, and ``gap`` must have passed.
    """
    if quote.status & ~RECORDED or not 0 < quote.mid < PRICE_LIMIT or quote.publish_time > now:
        return False
    if averages.count == 0:
        return True
    newest = averages.observations[-1]
    return now - newest.time >= averages.config.gap and quote.publish_time >= newest.publish_time


def get_cumulative(averages: Averages, time: Seconds) -> int:
    """Price times seconds from the first observation to ``time``, exact (AVG-3).

    Refuses: oracle/short-history for a time before the oldest observation remembered, or without any.
    """
    observations = averages.observations
    if not observations or time < observations[0].time:
        raise errors.ShortHistory
    newest = observations[-1]
    if time >= newest.time:
        return newest.cumulative + averages.price * (time - newest.time)
    after = next(i for i, observation in enumerate(observations) if observation.time > time)
    earlier, later = observations[after - 1], observations[after]
    # One price held in between, so the quotient is that price, without a rest.
    price = fdiv(later.cumulative - earlier.cumulative, later.time - earlier.time)
    return earlier.cumulative + price * (time - earlier.time)


def observe(averages: Averages, now: Seconds, seconds_ago: tuple[Seconds, ...]) -> tuple[int, ...]:
    """The cumulative at each of several times before now, for whoever makes means of other windows (part of AVG-3).

    Refuses: oracle/short-history.
    """
    return tuple(get_cumulative(averages, now - ago) for ago in seconds_ago)


def consult(averages: Averages, now: Seconds, window: Seconds) -> Quote:
    """The time-weighted mean of the last ``window`` seconds, rounded down (part of AVG-3).

    Unavailable when the window is 0 or reaches back beyond the oldest observation remembered.
    """
    if window == 0 or not averages.observations or now - window < averages.observations[0].time:
        return NO_QUOTE
    mean = fdiv(get_cumulative(averages, now) - get_cumulative(averages, now - window), window)
    return make_quote(averages, now, mean)


def compute_ema(ema: Price, price: Price, seconds: Seconds, config: AveragesConfig) -> Price:
    """The exponential mean after ``price`` has held for ``seconds``, rounded down (AVG-4).

    The price is first brought within ``clamp`` of the mean; both ends of that range are rounded toward the mean.
    """
    entering = clamp(price, cdiv(ema * (BPS - config.clamp), BPS), fdiv(ema * (BPS + config.clamp), BPS))
    kept = wad_exp(-fdiv(seconds * W, config.tau))
    return fdiv(entering * (W - kept) + ema * kept, W)


def get_ema(averages: Averages, now: Seconds) -> Price:
    """The exponential mean up to now, 0 before the first observation (part of AVG-4)."""
    if not averages.count:
        return 0
    return compute_ema(averages.ema, averages.price, now - averages.observations[-1].time, averages.config)


def get_stable_price(averages: Averages, now: Seconds) -> Price:
    """The stable price up to now, 0 before the first observation (part of AVG-5)."""
    if not averages.count:
        return 0
    return charge_stable(averages.stable, averages.price, averages.observations[-1].time, now).price


def get_average_quote(averages: Averages, now: Seconds, key: int) -> Quote:
    """One of the averages by its key (AVG-6).

    Unavailable for another key, before the first observation, and for a window longer than the history. Both sides
    are the mean; publish time and status are those of the last observation charged. Refuses nothing.
    """
    if key == Average.TWAP:
        return consult(averages, now, averages.config.window)
    if key == Average.EMA:
        return make_quote(averages, now, get_ema(averages, now))
    if key == Average.STABLE:
        return make_quote(averages, now, get_stable_price(averages, now))
    return NO_QUOTE


def make_quote(averages: Averages, now: Seconds, price: Price) -> Quote:
    """A quote without a spread, with publish time and status of the last observation charged (part of AVG-6).

    An observation of this very second has no weight yet, so the one before it counts; the first stands for itself.
    """
    if not averages.observations:
        return NO_QUOTE
    charged = averages.observations[-1]
    if charged.time == now and averages.count > 1:
        charged = averages.observations[-2]
    return Quote(price, price, price, charged.publish_time, charged.status)
