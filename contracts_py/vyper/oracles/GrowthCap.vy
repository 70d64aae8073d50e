# pragma version 0.4.3
# pragma nonreentrancy on
# @title GrowthCap: a rate below a ceiling that grows at a bounded pace
# @notice Twin of oracle/growth_cap.py. The snapshot's ratio and time are one word and change together (CAP-1 to CAP-5).
# @custom:kill Nobody stops it. Its status says when the rate is above the ceiling or has fallen too far.

from interfaces import IQuoteSource
from modules import followed_source
from modules import price_status
implements: IQuoteSource

event SnapshotSet:
    ratio: uint256
    time: uint256

BPS: constant(uint256) = 10**4
YEAR: constant(uint256) = 365 * 86_400
PRICE_LIMIT: constant(uint256) = 2**96
MASK_48: constant(uint256) = 2**48 - 1
# Any source that asks nobody answers for less, and the graph, which gives a cap 250,000, has what must be there for it.
SOURCE_GAS: constant(uint256) = 150_000

SHORTEST_DELAY: constant(uint256) = 3_600
LONGEST_TERM: constant(uint256) = 180 * 86_400
MOST_GROWTH: constant(uint256) = 10_000
MOST_TOLERANCE: constant(uint256) = 500
MOST_DROP: constant(uint256) = 5_000

ADMIN: public(immutable(address))
SOURCE: public(immutable(address))
KEY: public(immutable(bytes32))
GROWTH: public(immutable(uint256))
MIN_DELAY: public(immutable(uint256))
MAX_TERM: public(immutable(uint256))
TOLERANCE: public(immutable(uint256))
MAX_DROP: public(immutable(uint256))
INTERVAL: public(immutable(uint256))

snapshot: uint256  # ratio 96 | time 48


@deploy
def __init__(
    admin: address,
    source: address,
    key: bytes32,
    growth: uint256,
    min_delay: uint256,
    max_term: uint256,
    tolerance: uint256,
    max_drop: uint256,
    interval: uint256,
    ratio: uint256,
    time: uint48,
):
    """
    @notice The bound of a rate with its first snapshot, which meets the checks of every other (CAP-5).
    """
    assert growth >= 1 and growth <= MOST_GROWTH, "oracle/cap-config"
    assert min_delay >= SHORTEST_DELAY and min_delay < max_term and max_term <= LONGEST_TERM, "oracle/cap-config"
    assert tolerance >= 1 and tolerance <= MOST_TOLERANCE, "oracle/cap-config"
    assert max_drop >= 1 and max_drop <= MOST_DROP, "oracle/cap-config"
    assert interval == 0 or (interval >= 2 * min_delay and interval <= max_term), "oracle/cap-config"
    ADMIN = admin
    SOURCE = source
    KEY = key
    GROWTH = growth
    MIN_DELAY = min_delay
    MAX_TERM = max_term
    TOLERANCE = tolerance
    MAX_DROP = max_drop
    INTERVAL = interval
    self._check_snapshot(ratio, convert(time, uint256))
    self._store(ratio, convert(time, uint256))


@external
def setSnapshot(ratio: uint256, time: uint48):
    """
    @notice Replace ratio and time together (CAP-2).
    """
    assert msg.sender == ADMIN, "role/not-admin"
    assert convert(time, uint256) > self.snapshot & MASK_48, "oracle/cap-time"
    self._check_snapshot(ratio, convert(time, uint256))
    self._store(ratio, convert(time, uint256))


@external
def advance() -> bool:
    """
    @notice Take the capped rate as the new snapshot, of now (CAP-3). Reverts only for lack of gas.
    @return Whether the snapshot advanced.
    """
    snapshot: uint256 = self.snapshot
    if INTERVAL == 0 or block.timestamp - (snapshot & MASK_48) < INTERVAL:
        return False
    live: uint256 = self._read_usable()
    if live == 0 or live < snapshot >> 48:
        return False
    self._store(min(live, self._compute_cap(snapshot)), block.timestamp)
    return True


@external
@view
@reentrant
def getRatio() -> uint256:
    """
    @notice The live rate as the source gives it, whatever its status; 0 if there is none (CAP-4).
    """
    return self._read()[1]


@external
@view
@reentrant
def getMaxRatio() -> uint256:
    """
    @notice The most that the rate may be now (CAP-1).
    """
    return self._compute_cap(self.snapshot)


@external
@view
@reentrant
def getSnapshot() -> (uint256, uint256):
    """
    @notice The snapshot's ratio and the time it is of.
    """
    return self.snapshot >> 48, self.snapshot & MASK_48


@external
@view
@reentrant
def isCapped() -> bool:
    """
    @notice Whether the live rate is above the cap at all (CAP-4).
    """
    return self._read()[1] > self._compute_cap(self.snapshot)


@external
@view
@reentrant
def latestAnswer() -> int256:
    """
    @notice The bounded rate at scale W, 0 if there is none (CAP-4).
    """
    return convert(min(self._read()[1], self._compute_cap(self.snapshot)), int256)


@external
@view
@reentrant
def quote(key: bytes32) -> (uint256, uint256, uint256, uint256, uint256):
    """
    @notice The bounded rate with publish time and status of the source (CAP-4).
    @param key Without meaning: there is one rate.
    """
    bid: uint256 = 0
    mid: uint256 = 0
    ask: uint256 = 0
    publish_time: uint256 = 0
    status: uint256 = 0
    bid, mid, ask, publish_time, status = self._read()
    if mid == 0:
        return bid, mid, ask, publish_time, status
    snapshot: uint256 = self.snapshot
    cap: uint256 = self._compute_cap(snapshot)
    if mid > cap and (mid - cap) * BPS > TOLERANCE * mid:
        status |= price_status.CAPPED
    if mid * BPS < (snapshot >> 48) * (BPS - MAX_DROP):
        status |= price_status.HALTED
    return min(bid, cap), min(mid, cap), min(ask, cap), publish_time, status


@internal
def _store(ratio: uint256, time: uint256):
    """
    @notice Write ratio and time as one word (CAP-2).
    """
    self.snapshot = (ratio << 48) | time
    log SnapshotSet(ratio=ratio, time=time)


@internal
@view
def _read() -> (uint256, uint256, uint256, uint256, uint256):
    """
    @notice The source's quote; a rate of 0 is not positive, one too large counts as none (CAP-4).
    """
    bid: uint256 = 0
    mid: uint256 = 0
    ask: uint256 = 0
    publish_time: uint256 = 0
    status: uint256 = 0
    bid, mid, ask, publish_time, status = followed_source.read(SOURCE, KEY, SOURCE_GAS)
    if max(bid, max(mid, ask)) >= PRICE_LIMIT:
        return 0, 0, 0, publish_time, status | price_status.OUT_OF_BOUNDS
    if mid == 0:
        return 0, 0, 0, publish_time, status | price_status.NON_POSITIVE
    return bid, mid, ask, publish_time, status


@internal
@view
def _read_usable() -> uint256:
    """
    @notice The live rate, 0 if it is not there or anything is wrong with it (CAP-2).
    """
    bid: uint256 = 0
    mid: uint256 = 0
    ask: uint256 = 0
    publish_time: uint256 = 0
    status: uint256 = 0
    bid, mid, ask, publish_time, status = self._read()
    return mid if status == 0 else 0


@internal
@view
def _check_snapshot(ratio: uint256, time: uint256):
    """
    @notice Refuse a snapshot that does not fit the time and the live rate (CAP-2).
    """
    assert ratio != 0 and ratio < PRICE_LIMIT, "sys/domain"
    live: uint256 = self._read_usable()
    assert live != 0, "oracle/cap-source"
    assert time + MIN_DELAY <= block.timestamp and time + MAX_TERM >= block.timestamp, "oracle/cap-time"
    gap: uint256 = max(ratio, live) - min(ratio, live)
    assert gap * BPS <= TOLERANCE * live, "oracle/cap-ratio"
    assert self._compute_cap((ratio << 48) | time) >= live, "oracle/cap-below-live"


@internal
@view
def _compute_cap(snapshot: uint256) -> uint256:
    """
    @notice The most that the rate may be now, rounded down (CAP-1).
    """
    ratio: uint256 = snapshot >> 48
    return ratio + ratio * GROWTH * (block.timestamp - (snapshot & MASK_48)) // (BPS * YEAR)
