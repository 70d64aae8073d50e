# pragma version 0.4.3
# pragma nonreentrancy on
# @title Median: one price from reporters who each write a slot of their own
# @notice Twin of oracle/median.py. The price is computed from storage when it is read, so nobody who sends or relays
#         a transaction chooses which reports count.
# @custom:kill Reporters can stop submitting; slots then go stale and the price is missing.

from interfaces import IQuoteSource
from modules import price_status
from modules import sorting
implements: IQuoteSource

event Submitted:
    slot: indexed(uint256)
    number: uint256
    answer: int256
    observed_at: uint256

MAX_REPORTERS: constant(uint256) = 13  # sorting in memory stays below the cost of reading the slots
SENT_REPORTERS: constant(uint256) = MAX_REPORTERS + 1  # one too many is refused and not undecodable
MAX_DECIMALS: constant(uint256) = 18
SHORTEST_MAX_AGE: constant(uint256) = 60
LONGEST_MAX_AGE: constant(uint256) = 3 * 86_400
LONGEST_AHEAD: constant(uint256) = 60
ANSWER_LIMIT: constant(int256) = 2**127
PRICE_LIMIT: constant(uint256) = 2**96
MASK_40: constant(uint256) = 2**40 - 1
MASK_128: constant(uint256) = 2**128 - 1

version: public(constant(uint256)) = 1
quorum: public(immutable(uint256))
max_age: public(immutable(uint256))
skew: public(immutable(uint256))
ahead: public(immutable(uint256))
DECIMALS: immutable(uint256)
SCALE: immutable(int256)
COUNT: immutable(uint256)

reporters: public(DynArray[address, MAX_REPORTERS])
description: public(String[64])
numbers: HashMap[address, uint256]  # slot of a reporter, plus 1
# observed_at 40 | accepted submissions 40 | unused 48 | answer + 2**127 128. Words compare as their times do, and the
# low halves as the answers.
slots: uint256[MAX_REPORTERS]

# What the used slots say: the two middle answers, equal if their number is odd; the reference; how many there are.
struct Middle:
    low: int256
    high: int256
    time: uint256
    used: uint256


@deploy
def __init__(
    reporters: DynArray[address, SENT_REPORTERS],
    quorum_: uint256,
    max_age_: uint256,
    skew_: uint256,
    ahead_: uint256,
    decimals_: uint256,
    description_: String[64],
):
    """
    @notice Reporters and limits, for good (MED-1).
    """
    count: uint256 = len(reporters)
    assert count <= MAX_REPORTERS and quorum_ % 2 == 1 and quorum_ <= count, "oracle/median-config"
    assert max_age_ >= SHORTEST_MAX_AGE and max_age_ <= LONGEST_MAX_AGE, "oracle/median-config"
    assert skew_ <= max_age_ and ahead_ <= LONGEST_AHEAD and decimals_ <= MAX_DECIMALS, "oracle/median-config"
    for reporter: address in reporters:
        assert reporter != empty(address) and self.numbers[reporter] == 0, "oracle/median-config"
        self.reporters.append(reporter)
        self.numbers[reporter] = len(self.reporters)
    quorum = quorum_
    max_age = max_age_
    skew = skew_
    ahead = ahead_
    DECIMALS = decimals_
    SCALE = convert(10 ** (MAX_DECIMALS - decimals_), int256)
    COUNT = count
    self.description = description_


@external
def submit(answer: int256, observed_at: uint64) -> bool:
    """
    @notice Write the sender's slot, unless the observation is not newer than the slot's or too far ahead (MED-2).
    @return Whether the slot was written.
    """
    number: uint256 = self.numbers[msg.sender]
    assert number != 0, "oracle/not-reporter"
    assert answer >= -ANSWER_LIMIT and answer < ANSWER_LIMIT, "sys/domain"
    slot: uint256 = number - 1
    word: uint256 = self.slots[slot]
    time: uint256 = convert(observed_at, uint256)
    if time <= word >> 216 or time > block.timestamp + ahead:
        return False
    accepted: uint256 = ((word >> 176) & MASK_40) + 1
    self.slots[slot] = (time << 216) | (accepted << 176) | convert(answer + ANSWER_LIMIT, uint256)
    log Submitted(slot=slot, number=accepted, answer=answer, observed_at=time)
    return True


@external
@view
@reentrant
def quote(key: bytes32) -> (uint256, uint256, uint256, uint256, uint256):
    """
    @notice The price at scale 1e18, the time of the reference and status bits; never reverts (MED-5).
    @param key Not looked at: a Median has one price.
    """
    middle: Middle = self._middle()
    if middle.used == 0:
        return 0, 0, 0, 0, price_status.NO_QUORUM
    if middle.low <= 0:
        return 0, 0, 0, middle.time, price_status.NON_POSITIVE
    # Below 2**127 times 10**18, both.
    bid: uint256 = convert(middle.low * SCALE, uint256)
    ask: uint256 = convert(middle.high * SCALE, uint256)
    if ask >= PRICE_LIMIT:
        return 0, 0, 0, middle.time, price_status.OUT_OF_BOUNDS
    return bid, (bid + ask) // 2, ask, middle.time, 0


@internal
@view
def _middle() -> Middle:
    """
    @notice The middle of the answers that are fresh and close to the reference in time (MED-3, MED-4).
    """
    slots: uint256 = COUNT
    needed: uint256 = quorum
    window: uint256 = skew
    # A slot never written is 0 and never fresh.
    stale_below: uint256 = max(block.timestamp - min(block.timestamp, max_age), 1) << 216
    words: uint256[MAX_REPORTERS] = empty(uint256[MAX_REPORTERS])
    fresh: uint256 = 0
    for i: uint256 in range(slots, bound=MAX_REPORTERS):
        word: uint256 = self.slots[i]
        if word >= stale_below:
            words[i] = word
            fresh += 1
    if fresh < needed:
        return empty(Middle)

    # needed // 2 liars can be newer than the reference, so it is no newer than the newest honest slot.
    reference: uint256 = sorting.ascending(words)[MAX_REPORTERS - 1 - needed // 2] >> 216
    newest: uint256 = reference + window
    oldest: uint256 = reference - min(reference - 1, window)
    answers: uint256[MAX_REPORTERS] = empty(uint256[MAX_REPORTERS])
    used: uint256 = 0
    for i: uint256 in range(MAX_REPORTERS):
        word: uint256 = words[i]
        time: uint256 = word >> 216
        if time < oldest or time > newest:
            answers[i] = max_value(uint256)  # sorted behind all answers
            continue
        answers[i] = word & MASK_128
        used += 1
    if used < needed:
        return empty(Middle)
    answers = sorting.ascending(answers)
    return Middle(
        low=convert(answers[(used - 1) // 2], int256) - ANSWER_LIMIT,
        high=convert(answers[used // 2], int256) - ANSWER_LIMIT,
        time=reference,
        used=used,
    )


@external
@view
@reentrant
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    """
    @notice The median now, under the number of submissions accepted so far; refused without a quorum (MED-6).
    """
    return self._round(self._latest())


@external
@view
@reentrant
def getRoundData(round: uint80) -> (uint80, int256, uint256, uint256, uint80):
    """
    @notice The latest round; any other is refused, since a Median keeps no history (MED-6).
    """
    latest: uint256 = self._latest()
    assert convert(round, uint256) == latest, "oracle/unknown-round"
    return self._round(latest)


@internal
@view
def _round(round: uint256) -> (uint80, int256, uint256, uint256, uint80):
    """The median as AggregatorV3 readers get it; both times are the reference (MED-6)."""
    middle: Middle = self._middle()
    assert middle.used != 0, "oracle/no-median"
    id: uint80 = convert(round, uint80)
    # A shift rounds down, below 0 too.
    return id, (middle.low + middle.high) >> 1, middle.time, middle.time, id


@internal
@view
def _latest() -> uint256:
    """Submissions accepted so far (MED-6)."""
    round: uint256 = 0
    for i: uint256 in range(COUNT, bound=MAX_REPORTERS):
        round += (self.slots[i] >> 176) & MASK_40
    return round


@external
@view
@reentrant
def slot(number: uint256) -> (int256, uint256, uint256):
    """
    @notice A reporter's last answer, its time, and how many of its submissions were accepted; 0 before the first.
    """
    word: uint256 = self.slots[number]
    if word == 0:
        return 0, 0, 0
    return convert(word & MASK_128, int256) - ANSWER_LIMIT, word >> 216, (word >> 176) & MASK_40


@external
@view
@reentrant
def faults() -> uint256:
    """
    @notice How many reporters may lie: less than half of a quorum (MED-1).
    """
    return quorum // 2


@external
@view
@reentrant
def decimals() -> uint8:
    """
    @notice Decimals of the answers.
    """
    return convert(DECIMALS, uint8)
