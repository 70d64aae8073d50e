# pragma version 0.4.3
# pragma nonreentrancy on
# @title PullFeed: signed price reports that anybody brings
# @notice Twin of oracle/pull.py. The newest report of each feed is stored; a settlement gets the
#         first report in a span of time, so that nobody chooses among several. Names of functions are Pyth's.
# @custom:kill The admin can replace the signers. No reports are accepted from the old ones; prices then go stale.

from snekmate.utils import eip712_domain_separator as eip712
from interfaces import IQuoteSource
from modules import price_status
from modules import signing

initializes: eip712
initializes: signing[eip712 := eip712]
implements: IQuoteSource
exports: eip712.eip712Domain

event SignersSet:
    signers: DynArray[address, signing.MAX_SIGNERS]
    threshold: uint256
    faults: uint256

event TermsSet:
    fee: uint256
    ahead: uint256

event BandSet:
    feed_id: indexed(bytes32)
    band: uint256

event FeesWithdrawn:
    amount: uint256

event ReportStored:
    feed_id: indexed(bytes32)
    price: int256
    conf: uint256
    expo: int256
    publish_time: uint256
    prev_publish_time: uint256

# As Pyth's readers decode it.
struct Price:
    price: int64
    conf: uint64
    expo: int32
    publishTime: uint256

struct PriceFeed:
    id: bytes32
    price: Price

MAX_REPORTS: constant(uint256) = 16
SENT_REPORTS: constant(uint256) = MAX_REPORTS + 1  # one too many is refused and not undecodable
MAX_AHEAD: constant(uint256) = 60
FEE_LIMIT: constant(uint256) = 2**96
MAX_BAND: constant(uint256) = 10
EXPO_OFFSET: constant(int256) = 20
PRICE_LIMIT: constant(uint256) = 2**96
MASK_40: constant(uint256) = 2**40 - 1
MASK_64: constant(uint256) = 2**64 - 1

ADMIN: public(immutable(address))
# unused 136 | fee 96 | ahead 8 | faults 8 | threshold 8
terms_word: uint256
# price 64, signed | conf 64 | publish_time 40 | prev_publish_time 40 | expo + 20, 8 | unused 32 | band 8, 0 for default
feeds: HashMap[bytes32, uint256]


@deploy
def __init__(
    admin: address,
    signers: DynArray[address, signing.SENT_SIGNERS],
    threshold: uint256,
    faults: uint256,
    fee: uint256,
    ahead: uint256,
):
    eip712.__init__("PullFeed", "1")
    ADMIN = admin
    self._set_signers(signers, threshold, faults)
    self._set_terms(fee, ahead)


# --- configuration ---------------------------------------------------------------------------------------------------


@external
def set_signers(signers: DynArray[address, signing.SENT_SIGNERS], threshold: uint256, faults: uint256):
    """
    @notice Replace all signers; what the old ones signed is refused from now on (PUL-4).
    """
    self._check_admin()
    self._set_signers(signers, threshold, faults)


@external
def set_terms(fee: uint256, ahead: uint256):
    """
    @notice Change the fee of a report in wei, and how many seconds from the future it may be (PUL-5).
    """
    self._check_admin()
    self._set_terms(fee, ahead)


@external
def set_band(feed_id: bytes32, band: uint256):
    """
    @notice Change how many times its confidence the sides of a feed lie from its price (PUL-6).
    """
    self._check_admin()
    assert band >= 1 and band <= MAX_BAND, "oracle/band"
    self.feeds[feed_id] = ((self.feeds[feed_id] >> 8) << 8) | band
    log BandSet(feed_id=feed_id, band=band)


@external
def withdraw_fees():
    """
    @notice Send all coin that the contract holds to the admin (PUL-7).
    """
    self._check_admin()
    amount: uint256 = self.balance
    log FeesWithdrawn(amount=amount)
    # All gas: a multi-signature wallet may need more than the stipend. Nothing is written or read after it.
    send(ADMIN, amount, gas=msg.gas)


@internal
@view
def _check_admin():
    assert msg.sender == ADMIN, "role/not-admin"


@internal
def _set_signers(signers: DynArray[address, signing.SENT_SIGNERS], threshold: uint256, faults: uint256):
    """Check and replace the signers (PUL-4)."""
    signing.replace_signers(signers, threshold, faults)
    self.terms_word = ((self.terms_word >> 16) << 16) | (faults << 8) | threshold
    log SignersSet(signers=signing.signers, threshold=threshold, faults=faults)


@internal
def _set_terms(fee: uint256, ahead: uint256):
    """Check and replace the terms (PUL-5)."""
    assert fee < FEE_LIMIT and ahead <= MAX_AHEAD, "oracle/terms"
    self.terms_word = (fee << 24) | (ahead << 16) | (self.terms_word & 65535)
    log TermsSet(fee=fee, ahead=ahead)


# --- storing and settling --------------------------------------------------------------------------------------------


@external
@payable
def updatePriceFeeds(payloads: DynArray[Bytes[signing.SENT_SIZE], SENT_REPORTS]):
    """
    @notice Store each report that is newer; one that is not costs its fee and changes nothing (PUL-8).
    @param payloads Each the six words of a report, then the signatures r | s | v of its signers, ascending.
    """
    terms: uint256 = self._charge(len(payloads))
    for i: uint256 in range(len(payloads), bound=SENT_REPORTS):
        self._take_report(payloads[i], terms)


@external
@payable
def parsePriceFeedUpdatesUnique(
    payloads: DynArray[Bytes[signing.SENT_SIZE], SENT_REPORTS],
    feed_ids: DynArray[bytes32, SENT_REPORTS],
    t_min: uint64,
    t_max: uint64,
) -> DynArray[PriceFeed, MAX_REPORTS]:
    """
    @notice For each id the first report of its feed in the span, among those brought; they are stored as well (PUL-9).
    """
    assert len(feed_ids) <= MAX_REPORTS, "oracle/payload"
    terms: uint256 = self._charge(len(payloads))
    reports: DynArray[signing.Report, SENT_REPORTS] = []
    for i: uint256 in range(len(payloads), bound=SENT_REPORTS):
        reports.append(self._take_report(payloads[i], terms))
    first: uint256 = convert(t_min, uint256)
    last: uint256 = min(convert(t_max, uint256), block.timestamp + ((terms >> 16) & 255))
    answers: DynArray[PriceFeed, MAX_REPORTS] = []
    for feed_id: bytes32 in feed_ids:
        found: bool = False
        for report: signing.Report in reports:
            if report.feed_id == feed_id and self._is_first_in_span(report, first, last):
                found = True
                answers.append(PriceFeed(id=feed_id, price=self._make_price(report)))
                break
        assert found, "oracle/no-unique-report"
    return answers


@internal
@pure
def _is_first_in_span(report: signing.Report, t_min: uint256, t_max: uint256) -> bool:
    """Whether a report is in the span and the one before it is not: no other of its feed is (PUL-9)."""
    return report.publish_time >= t_min and report.publish_time <= t_max and report.prev_publish_time < t_min


@internal
@payable
def _charge(count: uint256) -> uint256:
    """The terms, for a call that pays enough for its payloads (PUL-7, PUL-8)."""
    assert count <= MAX_REPORTS, "oracle/payload"
    terms: uint256 = self.terms_word
    assert msg.value >= (terms >> 24) * count, "oracle/fee"
    return terms


@internal
def _take_report(payload: Bytes[signing.SENT_SIZE], terms: uint256) -> signing.Report:
    """Verify a report and store it if it is newer (PUL-8)."""
    # One payload at a time: a list of them, passed on, would be copied, and its room in memory paid for again.
    report: signing.Report = signing.verify_payload(payload, terms & 255)
    self._store_report(report, (terms >> 16) & 255)
    return report


@internal
def _store_report(report: signing.Report, ahead: uint256):
    """Keep a report that is newer than the stored one and not from the future; else change nothing (PUL-8)."""
    word: uint256 = self.feeds[report.feed_id]
    if report.publish_time <= (word >> 88) & MASK_40:
        return
    if report.publish_time > block.timestamp + ahead:
        return
    self.feeds[report.feed_id] = (
        (convert(convert(report.price, bytes32), uint256) << 192)
        | (report.conf << 128)
        | (report.publish_time << 88)
        | (report.prev_publish_time << 48)
        | (convert(report.expo + EXPO_OFFSET, uint256) << 40)
        | (word & 255)
    )
    log ReportStored(
        feed_id=report.feed_id,
        price=report.price,
        conf=report.conf,
        expo=report.expo,
        publish_time=report.publish_time,
        prev_publish_time=report.prev_publish_time,
    )


# --- reading ---------------------------------------------------------------------------------------------------------


@external
@view
@reentrant
def getUpdateFee(payloads: DynArray[Bytes[signing.SENT_SIZE], SENT_REPORTS]) -> uint256:
    """
    @notice What a call with these payloads costs at least, in wei (PUL-7).
    """
    return (self.terms_word >> 24) * len(payloads)


@external
@view
@reentrant
def getPriceUnsafe(feed_id: bytes32) -> Price:
    """
    @notice The newest report of a feed, of any age and sign (PUL-10).
    """
    return self._make_price(self._read_report(feed_id))


@external
@view
@reentrant
def getPriceNoOlderThan(feed_id: bytes32, age: uint256) -> Price:
    """
    @notice The newest report of a feed, if its time is at most `age` from now, either way (PUL-10).
    """
    price: Price = self._make_price(self._read_report(feed_id))
    early: uint256 = min(price.publishTime, block.timestamp)
    assert max(price.publishTime, block.timestamp) - early <= age, "oracle/stale"
    return price


@external
@view
@reentrant
def latest_report(feed_id: bytes32) -> signing.Report:
    """
    @notice The newest report of a feed with all its fields (PUL-10).
    """
    return self._read_report(feed_id)


@external
@view
@reentrant
def quote(key: bytes32) -> (uint256, uint256, uint256, uint256, uint256):
    """
    @notice The newest report of a feed at scale 1e18, as bid, mid, ask, publish time and status bits (PUL-11).
    """
    word: uint256 = self.feeds[key]
    publish_time: uint256 = (word >> 88) & MASK_40
    if publish_time == 0:
        return 0, 0, 0, 0, price_status.UNAVAILABLE
    signed_price: int256 = convert(convert(word, bytes32), int256) >> 192
    if signed_price <= 0:
        return 0, 0, 0, publish_time, price_status.NON_POSITIVE
    price: uint256 = convert(signed_price, uint256)
    width: uint256 = max(word & 255, 1) * ((word >> 128) & MASK_64)
    bid: uint256 = price - min(width, price)
    ask: uint256 = price + width
    # The exponent is stored 20 too large, and scale W takes 18: 10 ** (expo + 18) is 10 ** (stored - 2).
    stored: uint256 = (word >> 40) & 255
    if stored >= 2:
        # Below 2**68 times 10**30.
        factor: uint256 = 10 ** (stored - 2)
        bid *= factor
        price *= factor
        ask *= factor
    else:
        divisor: uint256 = 10 ** (2 - stored)
        bid //= divisor
        price //= divisor
        ask = (ask + divisor - 1) // divisor
    if price == 0:
        return 0, 0, 0, publish_time, price_status.NON_POSITIVE
    if ask >= PRICE_LIMIT:
        return 0, 0, 0, publish_time, price_status.OUT_OF_BOUNDS
    return bid, price, ask, publish_time, price_status.UNCERTAIN if bid == 0 else 0


@external
@view
@reentrant
def signers() -> DynArray[address, signing.MAX_SIGNERS]:
    """
    @notice All signers, ascending (PUL-4).
    """
    return signing.signers


@external
@view
@reentrant
def terms() -> (uint256, uint256, uint256, uint256):
    """
    @notice How many signatures a report needs, how many signers may be faulty, the fee, and the seconds ahead (PUL-5).
    """
    word: uint256 = self.terms_word
    return word & 255, (word >> 8) & 255, word >> 24, (word >> 16) & 255


@external
@view
@reentrant
def band(feed_id: bytes32) -> uint256:
    """
    @notice How many times its confidence the sides of a feed lie from its price (PUL-6).
    """
    return max(self.feeds[feed_id] & 255, 1)


@internal
@pure
def _make_price(report: signing.Report) -> Price:
    """A report as Pyth's readers know it (PUL-10)."""
    return Price(
        price=convert(report.price, int64),
        conf=convert(report.conf, uint64),
        expo=convert(report.expo, int32),
        publishTime=report.publish_time,
    )


@internal
@view
def _read_report(feed_id: bytes32) -> signing.Report:
    """The newest report of a feed (PUL-10)."""
    word: uint256 = self.feeds[feed_id]
    publish_time: uint256 = (word >> 88) & MASK_40
    assert publish_time != 0, "oracle/unavailable"
    return signing.Report(
        feed_id=feed_id,
        price=convert(convert(word, bytes32), int256) >> 192,
        conf=(word >> 128) & MASK_64,
        expo=convert((word >> 40) & 255, int256) - EXPO_OFFSET,
        publish_time=publish_time,
        prev_publish_time=(word >> 48) & MASK_40,
    )
