# @title Signed reports: who may sign, how a report is decoded, and who signed it
# @notice Twin of oracle/signing.py.

from snekmate.utils import eip712_domain_separator as eip712

uses: eip712

struct Report:
    feed_id: bytes32
    price: int256
    conf: uint256
    expo: int256
    publish_time: uint256
    prev_publish_time: uint256

MAX_SIGNERS: constant(uint256) = 13
REPORT_SIZE: constant(uint256) = 6 * 32
SIGNATURE_SIZE: constant(uint256) = 65
# Room for one too many, so that it is refused and not undecodable.
SENT_SIGNERS: constant(uint256) = MAX_SIGNERS + 1
SENT_SIZE: constant(uint256) = REPORT_SIZE + MAX_SIGNERS * SIGNATURE_SIZE + 1
REPORTED_LIMIT: constant(int256) = 2**63  # of a price in a report
SMALLEST_EXPO: constant(int256) = -20
LARGEST_EXPO: constant(int256) = 12
MASK_40: constant(uint256) = 2**40 - 1
MASK_64: constant(uint256) = 2**64 - 1
HALF_CURVE_ORDER: constant(uint256) = (  # of secp256k1
    57_896_044_618_658_097_711_785_492_504_343_953_926_418_782_139_537_452_191_302_581_570_759_080_747_168
)
REPORT_TYPE: constant(bytes32) = keccak256(
    "PriceReport(bytes32 feedId,int64 price,uint64 conf,int32 expo,uint64 publishTime,uint64 prevPublishTime)"
)

is_signer: HashMap[address, bool]
signers: DynArray[address, MAX_SIGNERS]


@internal
def replace_signers(new: DynArray[address, SENT_SIGNERS], threshold: uint256, faults: uint256):
    """Replace all signers, if two sets of them that can sign must share an honest one (PUL-4)."""
    count: uint256 = len(new)
    assert count <= MAX_SIGNERS and threshold <= count and faults < threshold, "oracle/signers"
    assert 2 * faults + 1 <= threshold and count + faults + 1 <= 2 * threshold, "oracle/signers"
    for old: address in self.signers:
        self.is_signer[old] = False
    self.signers = []
    previous: uint256 = 0
    for signer: address in new:
        assert convert(signer, uint256) > previous, "oracle/signers"
        previous = convert(signer, uint256)
        self.is_signer[signer] = True
        self.signers.append(signer)


@internal
@view
def verify_payload(payload: Bytes[SENT_SIZE], threshold: uint256) -> Report:
    """The report of a payload that enough signers signed for this contract on this chain (PUL-2, PUL-3)."""
    report: Report = self.decode_payload(payload, threshold)
    digest: bytes32 = eip712._hash_typed_data_v4(self.hash_report(report))
    self.check_signatures(payload, digest, threshold)
    return report


@internal
@pure
def decode_payload(payload: Bytes[SENT_SIZE], threshold: uint256) -> Report:
    """The report of a payload: six words, then exactly `threshold` signatures (PUL-3)."""
    assert len(payload) == REPORT_SIZE + threshold * SIGNATURE_SIZE, "oracle/payload"
    report: Report = Report(
        feed_id=extract32(payload, 0),
        price=extract32(payload, 32, output_type=int256),
        conf=extract32(payload, 64, output_type=uint256),
        expo=extract32(payload, 96, output_type=int256),
        publish_time=extract32(payload, 128, output_type=uint256),
        prev_publish_time=extract32(payload, 160, output_type=uint256),
    )
    assert report.price >= -REPORTED_LIMIT and report.price < REPORTED_LIMIT, "sys/domain"
    assert report.conf <= MASK_64 and report.expo >= SMALLEST_EXPO and report.expo <= LARGEST_EXPO, "sys/domain"
    assert report.publish_time <= MASK_40 and report.prev_publish_time <= MASK_40, "sys/domain"
    return report


@internal
@pure
def hash_report(report: Report) -> bytes32:
    """The struct hash of a report (PUL-1)."""
    return keccak256(abi_encode(REPORT_TYPE, report))


@internal
@view
def check_signatures(payload: Bytes[SENT_SIZE], digest: bytes32, threshold: uint256):
    """Refuse signatures that are not of different signers in ascending order (PUL-2)."""
    previous: uint256 = 0
    for i: uint256 in range(threshold, bound=MAX_SIGNERS):
        at: uint256 = REPORT_SIZE + i * SIGNATURE_SIZE
        s: uint256 = extract32(payload, at + 32, output_type=uint256)
        # Each signature has a twin with the order of the curve less s, and anybody can make it.
        assert s <= HALF_CURVE_ORDER, "oracle/signature"
        r: uint256 = extract32(payload, at, output_type=uint256)
        v: uint256 = extract32(payload, at + 33, output_type=uint256) & 255
        signer: address = ecrecover(digest, v, r, s)
        assert signer != empty(address), "oracle/signature"
        assert self.is_signer[signer], "oracle/not-signer"
        assert convert(signer, uint256) > previous, "oracle/signer-order"
        previous = convert(signer, uint256)
