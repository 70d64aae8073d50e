"""What reporters sign, a price report as EIP-712 typed data; how it is sent; and whether enough of them signed.

Rules PUL-1 to PUL-3.
"""

from __future__ import annotations

from oracle import errors as oracle_errors
from protocol import errors
from protocol.records import record
from protocol.units import Seconds

NAME, VERSION = "PullFeed", "1"
DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
REPORT_TYPE = "PriceReport(bytes32 feedId,int64 price,uint64 conf,int32 expo,uint64 publishTime,uint64 prevPublishTime)"
MAX_SIGNERS = 13
REPORT_SIZE = 6 * 32
SIGNATURE_SIZE = 65  # r, s and v
SMALLEST_EXPO, LARGEST_EXPO = -20, 12
PRICE_BITS, CONF_BITS, TIME_BITS = 64, 64, 40  # widths in the stored word
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@record
class PriceReport:
    """One observation of a feed: the price is ``price * 10**expo``, give or take ``conf * 10**expo``."""

    feed_id: bytes  # 32
    price: int  # signed
    conf: int  # about one standard error
    expo: int  # signed
    publish_time: Seconds
    prev_publish_time: Seconds  # of the report of this feed before this one; 0 for its first


def hash_domain(chain_id: int, contract: int) -> bytes:
    """The domain separator: name and version of the scheme, the chain, and the contract that verifies (PUL-1)."""
    texts = (_keccak(text.encode()) for text in (DOMAIN_TYPE, NAME, VERSION))
    return _keccak(b"".join(texts) + encode_words(chain_id, contract))


def _keccak(data: bytes) -> bytes:
    from eth_utils import keccak  # half a second to import, and most parameter sets have no signers

    return keccak(data)


def encode_report(report: PriceReport) -> bytes:
    """The fields as six ABI words: what is hashed, and how a payload begins."""
    return report.feed_id + encode_words(
        report.price, report.conf, report.expo, report.publish_time, report.prev_publish_time
    )


def encode_words(*values: int) -> bytes:
    """Integers as ABI words, negative ones in two's complement."""
    return b"".join((value % 2**256).to_bytes(32, "big") for value in values)


def hash_report(report: PriceReport) -> bytes:
    """The struct hash of a report (PUL-1)."""
    return _keccak(_keccak(REPORT_TYPE.encode()) + encode_report(report))


def hash_typed_data(domain: bytes, struct_hash: bytes) -> bytes:
    """The digest that is signed (PUL-1)."""
    return _keccak(b"\x19\x01" + domain + struct_hash)


def sign_digest(digest: bytes, key: bytes) -> bytes:
    """The signature ``r | s | v`` of a digest, the same each time, with the smaller s (PUL-2)."""
    from eth_keys import keys  # as above

    signature = keys.PrivateKey(key).sign_msg_hash(digest)
    return encode_words(signature.r, signature.s) + bytes([27 + signature.v])


def recover_signer(digest: bytes, signature: bytes) -> int:
    """Who signed a digest, as the EVM's ecrecover finds it; 0 where nobody did (PUL-2).

    Both values of s are taken, as ecrecover does: who accepts signatures must refuse one of them.
    """
    from eth_keys import keys  # as above
    from eth_keys.exceptions import BadSignature, ValidationError

    r, s, v = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64]
    if v not in {27, 28} or not 0 < r < CURVE_ORDER or not 0 < s < CURVE_ORDER:
        return 0
    try:
        public = keys.Signature(vrs=(v - 27, r, s)).recover_public_key_from_msg_hash(digest)
    except (BadSignature, ValidationError):  # no point of the curve has this r
        return 0
    return int.from_bytes(public.to_canonical_address(), "big")


def encode_payload(report: PriceReport, signatures: tuple[bytes, ...]) -> bytes:
    """A report and its signatures, as they are sent (PUL-3)."""
    return encode_report(report) + b"".join(signatures)


def decode_payload(payload: bytes, threshold: int) -> PriceReport:
    """The report of a payload: six words, then exactly ``threshold`` signatures (PUL-3).

    Refuses: oracle/payload, sys/domain.
    """
    if len(payload) != REPORT_SIZE + threshold * SIGNATURE_SIZE:
        raise oracle_errors.BadPayload
    words = [payload[at : at + 32] for at in range(0, REPORT_SIZE, 32)]
    price, expo = (int.from_bytes(words[i], "big", signed=True) for i in (1, 3))
    conf, publish_time, prev_publish_time = (int.from_bytes(words[i], "big") for i in (2, 4, 5))
    if not (
        -(2 ** (PRICE_BITS - 1)) <= price < 2 ** (PRICE_BITS - 1)
        and conf < 2**CONF_BITS
        and SMALLEST_EXPO <= expo <= LARGEST_EXPO
        and publish_time < 2**TIME_BITS
        and prev_publish_time < 2**TIME_BITS
    ):
        raise errors.OutOfDomain
    return PriceReport(words[0], price, conf, expo, publish_time, prev_publish_time)


def check_signatures(digest: bytes, signatures: bytes, signers: tuple[int, ...]) -> None:
    """Refuse signatures that are not of different signers in ascending order (PUL-2).

    Refuses: oracle/signature, oracle/not-signer, oracle/signer-order.
    """
    previous = 0
    for at in range(0, len(signatures), SIGNATURE_SIZE):
        signature = signatures[at : at + SIGNATURE_SIZE]
        # Each signature has a twin with the order of the curve less s, and anybody can make it.
        if int.from_bytes(signature[32:64], "big") > CURVE_ORDER // 2:
            raise oracle_errors.BadSignature
        signer = recover_signer(digest, signature)
        if signer == 0:
            raise oracle_errors.BadSignature
        if signer not in signers:
            raise oracle_errors.NotSigner(signer=signer)
        if signer <= previous:
            raise oracle_errors.SignerOrder(signer=signer)
        previous = signer


def verify_payload(payload: bytes, domain: bytes, signers: tuple[int, ...], threshold: int) -> PriceReport:
    """The report of a payload that ``threshold`` signers signed for this domain (PUL-2, PUL-3).

    Refuses: oracle/payload, sys/domain, oracle/signature, oracle/not-signer, oracle/signer-order.
    """
    report = decode_payload(payload, threshold)
    check_signatures(hash_typed_data(domain, hash_report(report)), payload[REPORT_SIZE:], signers)
    return report
