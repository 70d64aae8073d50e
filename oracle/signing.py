"""What reporters sign: a price report as EIP-712 typed data; and who signed.

Rules PUL-1 and PUL-2.
"""

from __future__ import annotations

from eth_keys import keys
from eth_keys.exceptions import BadSignature, ValidationError
from eth_utils import keccak

from protocol.records import record
from protocol.units import Seconds

NAME, VERSION = "PullFeed", "1"
DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
REPORT_TYPE = (
    "PriceReport(bytes32 feedId,int64 price,uint64 conf,int32 expo,uint64 publishTime,uint64 prevPublishTime)"
)
SIGNATURE_SIZE = 65  # r, s and v
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
    texts = (keccak(text=text) for text in (DOMAIN_TYPE, NAME, VERSION))
    return keccak(b"".join(texts) + encode_words(chain_id, contract))


def encode_report(report: PriceReport) -> bytes:
    """The fields as six ABI words: what is hashed, and how a payload begins (PUL-1)."""
    return report.feed_id + encode_words(
        report.price, report.conf, report.expo, report.publish_time, report.prev_publish_time
    )


def encode_words(*values: int) -> bytes:
    """Integers as ABI words, negative ones in two's complement."""
    return b"".join((value % 2**256).to_bytes(32, "big") for value in values)


def hash_report(report: PriceReport) -> bytes:
    """The struct hash of a report (PUL-1)."""
    return keccak(keccak(text=REPORT_TYPE) + encode_report(report))


def hash_typed_data(domain: bytes, struct_hash: bytes) -> bytes:
    """The digest that is signed (PUL-1)."""
    return keccak(b"\x19\x01" + domain + struct_hash)


def sign_digest(digest: bytes, key: bytes) -> bytes:
    """The signature ``r | s | v`` of a digest, the same each time, with the smaller s (PUL-2)."""
    signature = keys.PrivateKey(key).sign_msg_hash(digest)
    return encode_words(signature.r, signature.s) + bytes([27 + signature.v])


def recover_signer(digest: bytes, signature: bytes) -> int:
    """Who signed a digest, as the EVM's ecrecover finds it; 0 where nobody did (PUL-2).

    Both values of s are taken, as ecrecover does: who accepts signatures must refuse one of them.
    """
    r, s, v = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64]
    if v not in {27, 28} or not 0 < r < CURVE_ORDER or not 0 < s < CURVE_ORDER:
        return 0
    try:
        public = keys.Signature(vrs=(v - 27, r, s)).recover_public_key_from_msg_hash(digest)
    except (BadSignature, ValidationError):  # no point of the curve has this r
        return 0
    return int.from_bytes(public.to_canonical_address(), "big")
