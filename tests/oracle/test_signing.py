"""What is signed, who signed it, and how it is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from contracts_py.addresses import CHAIN_ID
from contracts_py.keys import private_key, to_hex
from oracle.signing import (
    CURVE_ORDER,
    PriceReport,
    check_signatures,
    decode_payload,
    encode_payload,
    hash_domain,
    recover_signer,
    sign_digest,
    verify_payload,
)
from protocol.errors import Refusal
from tests.oracle.pulling import (
    ADDRESSES,
    BTC,
    CONTRACT,
    REPORTERS,
    START,
    digest_of,
    malleate,
    payload_of,
    report_of,
    sign,
)


def verify(
    payload: bytes, *, count: int = 1, threshold: int = 1, chain_id: int = CHAIN_ID, contract: int = CONTRACT
) -> Any:
    """The report of a payload that enough of the first reporters signed, or the code of the refusal."""
    try:
        return verify_payload(payload, hash_domain(chain_id, contract), ADDRESSES[:count], threshold)
    except Refusal as refusal:
        return refusal.code


def code_of(function: Any, *arguments: Any) -> str:
    """The code that a function refuses with."""
    with pytest.raises(Refusal) as refused:
        function(*arguments)
    return refused.value.code


# --- what is signed: PUL-1 ------------------------------------------------------------------------------------------

TYPES = {
    "PriceReport": [
        {"name": "feedId", "type": "bytes32"},
        {"name": "price", "type": "int64"},
        {"name": "conf", "type": "uint64"},
        {"name": "expo", "type": "int32"},
        {"name": "publishTime", "type": "uint64"},
        {"name": "prevPublishTime", "type": "uint64"},
    ]
}


def typed_data(report: PriceReport, chain_id: int, contract: int) -> Any:
    """The same message for a library that knows nothing of us."""
    values = (report.feed_id, report.price, report.conf, report.expo, report.publish_time, report.prev_publish_time)
    return encode_typed_data(
        domain_data={
            "name": "PullFeed",
            "version": "1",
            "chainId": chain_id,
            "verifyingContract": to_hex(contract),
        },
        message_types=TYPES,
        message_data={field["name"]: value for field, value in zip(TYPES["PriceReport"], values, strict=True)},
    )


reports = st.builds(
    PriceReport,
    st.binary(min_size=32, max_size=32),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(-20, 12),
    st.integers(0, 2**40 - 1),
    st.integers(0, 2**40 - 1),
)


@given(reports, st.integers(0, 2**256 - 1), st.integers(0, 2**160 - 1))
def test_the_digest_is_that_of_an_independent_library(report: PriceReport, chain_id: int, contract: int) -> None:
    """PUL-1: EIP-712 over every field, the chain and the contract, as eth_account has it."""
    assert digest_of(report, chain_id, contract) == _hash_eip191_message(typed_data(report, chain_id, contract))


def test_a_wallet_signs_what_a_reporter_signs() -> None:
    """PUL-1, PUL-2: byte for byte."""
    message = typed_data(report_of(), CHAIN_ID, CONTRACT)
    theirs = Account.sign_message(message, private_key(REPORTERS[0]))
    assert sign(digest_of(report_of()), REPORTERS[0])[0] == bytes(theirs.signature)
    assert recover_signer(digest_of(report_of()), bytes(theirs.signature)) == ADDRESSES[0]


def test_every_field_is_signed() -> None:
    """PUL-1: another feed, price, confidence, exponent or time is another message; so is another place."""
    changes: tuple[dict[str, Any], ...] = (
        {"feed_id": BTC},
        {"price": 1},
        {"conf": 1},
        {"expo": -7},
        {"publish_time": START + 1},
        {"prev_publish_time": START - 1},
    )
    digests = [digest_of(replace(report_of(), **change)) for change in changes]
    digests += [digest_of(report_of()), digest_of(report_of(), chain_id=2), digest_of(report_of(), contract=1)]
    assert len(set(digests)) == 9


def test_a_domain_is_of_one_chain() -> None:
    """PUL-1: two halves of a chain that split have two ids, and so two domains."""
    assert hash_domain(1, CONTRACT) != hash_domain(2, CONTRACT)
    payload = payload_of(report_of())
    assert verify(payload) == report_of()
    assert verify(payload, chain_id=2) == "oracle/not-signer"
    assert verify(payload, contract=CONTRACT + 1) == "oracle/not-signer"


# --- who signed: PUL-2 ----------------------------------------------------------------------------------------------


@given(st.binary(min_size=32, max_size=32), st.integers(0, 13))
def test_the_signer_is_found(digest: bytes, index: int) -> None:
    """PUL-2: from either value of s, with its own v; a wallet finds the same."""
    signature = sign_digest(digest, private_key(REPORTERS[index]))
    assert recover_signer(digest, signature) == ADDRESSES[index]
    assert recover_signer(digest, malleate(signature)) == ADDRESSES[index]
    assert int.from_bytes(signature[32:64], "big") <= CURVE_ORDER // 2
    assert int(Account._recover_hash(digest, signature=signature), 16) == ADDRESSES[index]


def make_signature(r: int, s: int, v: int) -> bytes:
    """A signature of any numbers."""
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])


@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_only_two_values_of_v_are_a_signature(v: int) -> None:
    """PUL-2: as the EVM has it."""
    assert recover_signer(digest_of(report_of()), sign(digest_of(report_of()), REPORTERS[0])[0][:64] + bytes([v])) == 0


@pytest.mark.parametrize(
    ("r", "s"), [(0, 1), (1, 0), (CURVE_ORDER, 1), (1, CURVE_ORDER), (2**256 - 1, 1), (1, 2**256 - 1), (5, 1)]
)
def test_numbers_outside_the_curve_are_nobodys(r: int, s: int) -> None:
    """PUL-2: none of them raises, and none of them is a signer; no point has an x of 5."""
    digest = digest_of(report_of())
    assert recover_signer(digest, make_signature(r, s, 27)) == 0
    assert code_of(check_signatures, digest, make_signature(r, s, 27), ADDRESSES) == "oracle/signature"


def test_a_signature_of_nobody_is_refused_even_if_nobody_were_a_signer() -> None:
    """PUL-2: an empty place among the signers would be everybody's."""
    assert code_of(check_signatures, digest_of(report_of()), bytes(65), (0,)) == "oracle/signature"


def test_the_larger_s_is_refused() -> None:
    """PUL-2: the same signer, the same report, other bytes."""
    (signature,) = sign(digest_of(report_of()), REPORTERS[0])
    assert recover_signer(digest_of(report_of()), malleate(signature)) == ADDRESSES[0]
    assert verify(encode_payload(report_of(), (signature,))) == report_of()
    assert verify(encode_payload(report_of(), (malleate(signature),))) == "oracle/signature"


@pytest.mark.parametrize(("s", "good"), [(CURVE_ORDER // 2, True), (CURVE_ORDER // 2 + 1, False)])
def test_half_the_order_of_the_curve_is_the_largest_s(s: int, good: bool) -> None:
    """PUL-2: whoever it recovers to is made a signer, so that nothing else can be wrong."""
    digest = digest_of(report_of())
    signatures = [make_signature(r, s, 27) for r in range(1, 20)]
    recovered = [(recover_signer(digest, signature), signature) for signature in signatures]
    signer, signature = next(found for found in recovered if found[0])
    if good:
        check_signatures(digest, signature, (signer,))
    else:
        assert code_of(check_signatures, digest, signature, (signer,)) == "oracle/signature"


def test_signatures_are_of_different_signers_in_order() -> None:
    """PUL-2: the same signer twice is one signer; any other order is refused too; so is a stranger."""
    digest = digest_of(report_of())

    def told(*signatures: bytes) -> Any:
        return verify(encode_payload(report_of(), signatures), count=4, threshold=3)

    first, second, third, fourth = sign(digest, *REPORTERS[:4])
    for signatures in ((first, second, third), (first, third, fourth), (second, third, fourth)):
        assert told(*signatures) == report_of()
    disordered = ((first, first, second), (first, second, second), (second, first, third), (first, third, second))
    for signatures in disordered:
        assert told(*signatures) == "oracle/signer-order"
    (stranger,) = sign(digest, "stranger")
    for signatures in ((first, second, stranger), (stranger, second, third), (first, stranger, stranger)):
        assert told(*signatures) == "oracle/not-signer"
    (elsewhere,) = sign(digest_of(report_of(price=1)), REPORTERS[2])
    assert told(first, second, elsewhere) == "oracle/not-signer"
    assert told(first, second) == told(first, second, third, fourth) == "oracle/payload"


# --- payloads: PUL-3 ------------------------------------------------------------------------------------------------


@given(reports)
def test_a_payload_is_read_as_it_was_written(report: PriceReport) -> None:
    """PUL-3: six words and the signatures."""
    payload = encode_payload(report, (bytes(65), bytes(65)))
    assert len(payload) == 192 + 130
    assert decode_payload(payload, 2) == report


@pytest.mark.parametrize("length", [0, 191, 192, 192 + 64, 192 + 66, 192 + 130])
def test_a_payload_has_exactly_the_signatures_that_are_needed(length: int) -> None:
    """PUL-3: one more, one fewer, and broken ones are refused alike."""
    assert decode_payload(encode_payload(report_of(), (bytes(65),)), 1) == report_of()
    payload = (encode_payload(report_of(), (bytes(65),) * 2))[:length]
    assert code_of(decode_payload, payload, 1) == "oracle/payload"


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("price", -(2**63), -(2**63) - 1),
        ("price", 2**63 - 1, 2**63),
        ("price", -1, -(2**255)),
        ("conf", 0, 2**256 - 1),
        ("conf", 2**64 - 1, 2**64),
        ("expo", -20, -21),
        ("expo", 12, 13),
        ("publish_time", 2**40 - 1, 2**40),
        ("prev_publish_time", 2**40 - 1, 2**40),
        ("prev_publish_time", 0, 2**256 - 1),
    ],
)
def test_a_report_fits_the_word_it_is_stored_in(field: str, good: int, bad: int) -> None:
    """PUL-3, T9: the last value that fits and the first that does not, before any signature is looked at."""
    fits: Any = replace(report_of(), **{field: good})  # type: ignore[arg-type]
    assert decode_payload(encode_payload(fits, (bytes(65),)), 1) == fits
    outside: Any = replace(report_of(), **{field: bad})  # type: ignore[arg-type]
    assert verify(encode_payload(outside, (bytes(65),))) == "sys/domain"
