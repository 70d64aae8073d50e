# pragma version 0.4.3
# pragma nonreentrancy on
# @title Averages: time-weighted mean, exponential mean and stable price of one source
# @notice Twin of oracle/averages.py and oracle/stable.py. Anybody may have the source's price recorded. All three
#         charge an interval with the price recorded at its beginning (AVG-2 to AVG-6).
# @custom:kill Nobody stops it. When its source fails it records nothing, and its publish time stays behind.

from interfaces import IQuoteSource
from modules import followed_source
from modules import price_status
from snekmate.utils import math
implements: IQuoteSource

event Observed:
    price: uint256
    cumulative: uint256
    ema: uint256
    stable: uint256
    publish_time: uint256
    status: uint256

# The hour's mean, and what it changes.
struct Hour:
    accumulated: uint256  # price times seconds counted of this hour
    seconds: uint256  # counted of this hour
    ended: uint256  # price of the hours that ended, 0 if none did
    delayed: uint256  # price of a day ago

SOURCE_GAS: constant(uint256) = 4_000_000  # what a node of the graph may use with every source burning all it gets
HISTORY: constant(uint256) = 64  # observations remembered
SEARCHES: constant(uint256) = 6  # halvings of HISTORY
TIMES: constant(uint256) = 16  # asked of observe at once
PREPARED: constant(uint256) = 1 << 255  # keeps a word from ever being zero, so that no update pays for a fresh one
W: constant(uint256) = 10**18
BPS: constant(uint256) = 10**4
PRICE_LIMIT: constant(uint256) = 2**96
MASK_16: constant(uint256) = 2**16 - 1
MASK_40: constant(uint256) = 2**40 - 1
MASK_96: constant(uint256) = 2**96 - 1
MASK_112: constant(uint256) = 2**112 - 1
MASK_136: constant(uint256) = 2**136 - 1
# Every bit but STALE_SOFT and CAPPED: these faults keep a price out.
UNRECORDED: constant(uint256) = max_value(uint256) - 2 - 128

SHORTEST_GAP: constant(uint256) = 10
LONGEST_GAP: constant(uint256) = 600
SHORTEST_WINDOW: constant(uint256) = 60
SHORTEST_TAU: constant(uint256) = 60
LONGEST_TAU: constant(uint256) = 7 * 86_400
HOUR: constant(uint256) = 3_600
HOURS: constant(uint256) = 24
LONGEST_STEP: constant(uint256) = 600
GROWTH_PER_SECOND: constant(uint256) = 3
GROWTH_PER_HOUR: constant(uint256) = 600

TWAP: constant(uint256) = 1
EMA: constant(uint256) = 2
STABLE: constant(uint256) = 3

SOURCE: public(immutable(address))
KEY: public(immutable(bytes32))
GAP: public(immutable(uint256))
WINDOW: public(immutable(uint256))
TAU: public(immutable(uint256))
CLAMP: public(immutable(uint256))

# prepared 1 | unused 7 | seconds counted of the hour 16 | observations 40 | exponential mean 96 | price 96
head: uint256
# prepared 1 | unused 47 | accumulated of the hour 112 | stable price 96
slow: uint256
# By number modulo HISTORY, from 1: prepared 1 | unused 23 | status 16 | publish time 40 | cumulative 136 | time 40
observations: uint256[HISTORY]
# By hour modulo HOURS: prepared 1 | unused 159 | price 96
hourly: uint256[HOURS]


@deploy
def __init__(source: address, key: bytes32, gap: uint256, window: uint256, tau: uint256, clamp: uint256):
    """
    @notice Averages of a source, before its first price (AVG-6).
    """
    assert gap >= SHORTEST_GAP and gap <= LONGEST_GAP, "oracle/average-config"
    assert window >= SHORTEST_WINDOW and window <= (HISTORY - 1) * gap, "oracle/average-config"
    assert tau >= SHORTEST_TAU and tau <= LONGEST_TAU, "oracle/average-config"
    assert clamp >= 1 and clamp <= BPS, "oracle/average-config"
    SOURCE = source
    KEY = key
    GAP = gap
    WINDOW = window
    TAU = tau
    CLAMP = clamp
    self.head = PREPARED
    self.slow = PREPARED
    for i: uint256 in range(HISTORY):
        self.observations[i] = PREPARED
    for i: uint256 in range(HOURS):
        self.hourly[i] = PREPARED


@external
def update() -> bool:
    """
    @notice Record the source's price and charge what held before (AVG-2). Reverts only for lack of gas.
    @return Whether the update had an effect.
    """
    price: uint256 = 0
    publish_time: uint256 = 0
    status: uint256 = 0
    bid: uint256 = 0
    ask: uint256 = 0
    bid, price, ask, publish_time, status = followed_source.read(SOURCE, KEY, SOURCE_GAS)
    if (
        status & UNRECORDED != 0
        or price == 0
        or price >= PRICE_LIMIT
        or publish_time > block.timestamp
    ):
        return False
    head: uint256 = self.head
    count: uint256 = (head >> 192) & MASK_40
    if count == 0:
        for i: uint256 in range(HOURS):
            self.hourly[i] = PREPARED | price
        self._store(1, price, 0, price, price, 0, 0, publish_time, status)
        return True
    newest: uint256 = self.observations[count % HISTORY]
    if block.timestamp - (newest & MASK_40) < GAP or publish_time < (newest >> 176) & MASK_40:
        return False
    held: uint256 = head & MASK_96
    began: uint256 = newest & MASK_40
    slow: uint256 = self.slow
    hour: Hour = self._charge_hour((slow >> 96) & MASK_112, (head >> 232) & MASK_16, held, began)
    if hour.ended != 0:
        for i: uint256 in range(min(block.timestamp // HOUR - began // HOUR, HOURS), bound=HOURS):
            self.hourly[(began // HOUR + i) % HOURS] = PREPARED | hour.ended
    self._store(
        count + 1,
        price,
        ((newest >> 40) & MASK_136) + held * (block.timestamp - began),
        self._compute_ema((head >> 96) & MASK_96, held, block.timestamp - began),
        self._move_stable(slow & MASK_96, held, hour.delayed, block.timestamp - began),
        hour.accumulated,
        hour.seconds,
        publish_time,
        status,
    )
    return True


@external
@view
@reentrant
def observe(seconds_ago: DynArray[uint32, TIMES]) -> DynArray[uint256, TIMES]:
    """
    @notice Price times seconds from the first observation to each of several times before now (AVG-3).
    """
    count: uint256 = (self.head >> 192) & MASK_40
    oldest: uint256 = self._oldest(count)
    cumulatives: DynArray[uint256, TIMES] = []
    for ago: uint32 in seconds_ago:
        seconds: uint256 = convert(ago, uint256)
        assert count != 0 and seconds <= block.timestamp - oldest, "oracle/short-history"
        cumulatives.append(self._get_cumulative(block.timestamp - seconds, count))
    return cumulatives


@external
@view
@reentrant
def consult(window: uint32) -> (uint256, uint256, uint256, uint256, uint256):
    """
    @notice The time-weighted mean of the last seconds as a quote, unavailable if the history is shorter (AVG-3).
    """
    return self._consult(convert(window, uint256))


@external
@view
@reentrant
def ema() -> uint256:
    """
    @notice The exponential mean up to now, 0 before the first observation (AVG-4).
    """
    return self._get_ema(self.head)


@external
@view
@reentrant
def stablePrice() -> uint256:
    """
    @notice The stable price up to now, 0 before the first observation (AVG-5).
    """
    return self._get_stable_price(self.head)


@external
@view
@reentrant
def quote(key: bytes32) -> (uint256, uint256, uint256, uint256, uint256):
    """
    @notice One of the averages, with publish time and status of the last observation charged (AVG-6).
    @param key 1 the time-weighted mean of the configured window, 2 the exponential mean, 3 the stable price.
    """
    chosen: uint256 = convert(key, uint256)
    if chosen == TWAP:
        return self._consult(WINDOW)
    head: uint256 = self.head
    if chosen == EMA:
        return self._make_quote(self._get_ema(head), (head >> 192) & MASK_40)
    if chosen == STABLE:
        return self._make_quote(self._get_stable_price(head), (head >> 192) & MASK_40)
    return 0, 0, 0, 0, price_status.UNAVAILABLE


@internal
def _store(
    number: uint256,
    price: uint256,
    cumulative: uint256,
    ema: uint256,
    stable: uint256,
    accumulated: uint256,
    seconds: uint256,
    publish_time: uint256,
    status: uint256,
):
    """
    @notice Write an observation and the averages up to it (AVG-2).
    """
    self.head = PREPARED | (seconds << 232) | (number << 192) | (ema << 96) | price
    self.slow = PREPARED | (accumulated << 96) | stable
    self.observations[number % HISTORY] = (
        PREPARED | (status << 216) | (publish_time << 176) | (cumulative << 40) | block.timestamp
    )
    log Observed(
        price=price, cumulative=cumulative, ema=ema, stable=stable, publish_time=publish_time, status=status
    )


@internal
@view
def _oldest(count: uint256) -> uint256:
    """
    @notice Time of the oldest observation remembered; without meaning before the first (AVG-3).
    """
    return self.observations[(max(count, HISTORY) + 1) % HISTORY] & MASK_40


@internal
@view
def _get_cumulative(time: uint256, count: uint256) -> uint256:
    """
    @notice Price times seconds from the first observation to a time not before the oldest one (AVG-3).
    """
    after: uint256 = self.observations[count % HISTORY]
    if time >= after & MASK_40:
        return ((after >> 40) & MASK_136) + (self.head & MASK_96) * (time - (after & MASK_40))
    low: uint256 = max(count, HISTORY) - HISTORY + 1
    high: uint256 = count
    before: uint256 = self.observations[low % HISTORY]
    # The observation `low` is not after the time, and `high` is; 63 numbers apart at most, so six halvings do.
    for i: uint256 in range(SEARCHES):
        if high - low == 1:
            break
        middle: uint256 = (low + high) // 2
        word: uint256 = self.observations[middle % HISTORY]
        if word & MASK_40 <= time:
            low = middle
            before = word
        else:
            high = middle
            after = word
    cumulative: uint256 = (before >> 40) & MASK_136
    began: uint256 = before & MASK_40
    held: uint256 = (((after >> 40) & MASK_136) - cumulative) // ((after & MASK_40) - began)
    return cumulative + held * (time - began)


@internal
@view
def _consult(window: uint256) -> (uint256, uint256, uint256, uint256, uint256):
    """
    @notice The time-weighted mean of the last seconds, rounded down (AVG-3).
    """
    count: uint256 = (self.head >> 192) & MASK_40
    if window == 0 or count == 0 or window > block.timestamp - self._oldest(count):
        return 0, 0, 0, 0, price_status.UNAVAILABLE
    growth: uint256 = self._get_cumulative(block.timestamp, count) - self._get_cumulative(
        block.timestamp - window, count
    )
    return self._make_quote(growth // window, count)


@internal
@view
def _get_ema(head: uint256) -> uint256:
    """
    @notice The exponential mean up to now, 0 before the first observation (AVG-4).
    """
    count: uint256 = (head >> 192) & MASK_40
    if count == 0:
        return 0
    began: uint256 = self.observations[count % HISTORY] & MASK_40
    return self._compute_ema((head >> 96) & MASK_96, head & MASK_96, block.timestamp - began)


@internal
@view
def _compute_ema(ema: uint256, price: uint256, seconds: uint256) -> uint256:
    """
    @notice The exponential mean after a price has held for some seconds, rounded down (AVG-4).
    @dev The exponent is not positive, so what is kept is at most W (AVG-1).
    """
    low: uint256 = (ema * (BPS - CLAMP) + BPS - 1) // BPS
    high: uint256 = ema * (BPS + CLAMP) // BPS
    entering: uint256 = max(low, min(price, high))
    kept: uint256 = convert(math._wad_exp(-convert(seconds * W // TAU, int256)), uint256)
    return (entering * (W - kept) + ema * kept) // W


@internal
@view
def _get_stable_price(head: uint256) -> uint256:
    """
    @notice The stable price up to now, 0 before the first observation (AVG-5).
    """
    count: uint256 = (head >> 192) & MASK_40
    if count == 0:
        return 0
    held: uint256 = head & MASK_96
    slow: uint256 = self.slow
    began: uint256 = self.observations[count % HISTORY] & MASK_40
    hour: Hour = self._charge_hour((slow >> 96) & MASK_112, (head >> 232) & MASK_16, held, began)
    return self._move_stable(slow & MASK_96, held, hour.delayed, block.timestamp - began)


@internal
@view
def _charge_hour(accumulated: uint256, seconds: uint256, held: uint256, began: uint256) -> Hour:
    """
    @notice Count a price into the hour in which it began, and end that hour if it is over (AVG-5).
    """
    counted: uint256 = min(block.timestamp - began, LONGEST_STEP)
    charged: Hour = Hour(accumulated=accumulated + held * counted, seconds=seconds + counted, ended=0, delayed=0)
    now: uint256 = block.timestamp // HOUR
    began_in: uint256 = began // HOUR
    if now != began_in:
        before: uint256 = self.hourly[(began_in + HOURS - 1) % HOURS] & MASK_96
        step: uint256 = before * GROWTH_PER_HOUR // BPS
        charged.ended = max(before - step, min(charged.accumulated // charged.seconds, before + step))
        charged.accumulated = 0
        charged.seconds = 0
    charged.delayed = charged.ended
    if now - began_in < HOURS:  # else the delayed price is of an hour that has just ended
        charged.delayed = self.hourly[now % HOURS] & MASK_96
    return charged


@internal
@pure
def _move_stable(stable: uint256, price: uint256, delayed: uint256, seconds: uint256) -> uint256:
    """
    @notice The stable price moved toward a price, by at most 0.03 % a second times the square of its nearness to the
            delayed price (AVG-5).
    """
    nearness: uint256 = min(stable, delayed) * W // max(stable, delayed)
    counted: uint256 = min(seconds, LONGEST_STEP)
    step: uint256 = stable * nearness * nearness * counted * GROWTH_PER_SECOND // (BPS * W * W)
    return max(stable - step, min(price, stable + step))


@internal
@view
def _make_quote(price: uint256, count: uint256) -> (uint256, uint256, uint256, uint256, uint256):
    """
    @notice A quote without a spread, with publish time and status of the last observation charged (AVG-6).
    """
    if count == 0:
        return 0, 0, 0, 0, price_status.UNAVAILABLE
    charged: uint256 = self.observations[count % HISTORY]
    if charged & MASK_40 == block.timestamp and count > 1:
        charged = self.observations[(count - 1) % HISTORY]
    return price, price, price, (charged >> 176) & MASK_40, (charged >> 216) & MASK_16
