"""Pull reports through model and contract: every action, view, refusal, event and answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_abi import decode

from contracts_py.addresses import CHAIN_ID
from contracts_py.bindings import call_data
from contracts_py.compile import CODE_LIMIT, Artifact
from contracts_py.errors import Reverted
from contracts_py.keys import to_hex
from oracle.pull import (
    ParsePriceFeedUpdatesUnique,
    SetBand,
    SetSigners,
    SetTerms,
    UpdatePriceFeeds,
    WithdrawFees,
    get_update_fee,
)
from oracle.signing import encode_payload
from protocol.units import PRICE_LIMIT, W
from tests.oracle.pulling import (
    ADDRESSES,
    BTC,
    ETH,
    REPORTERS,
    START,
    PullChain,
    PullTwins,
    compile_pull,
    digest_of,
    malleate,
    payload_of,
    report_of,
    sign,
    signing_of,
)


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    return compile_pull()


def test_the_names_are_those_that_others_call(artifact: Artifact) -> None:
    """PUL-8 to PUL-10: selectors of Pyth's interface; and the contract is small enough."""
    assert {artifact.selectors[name] for name in artifact.selectors} >= {
        *("0xef9e5e28", "0xaccca7f9", "0xd47eed45", "0x96834ad3", "0xa4ae35e0")
    }
    assert artifact.runtime_size <= CODE_LIMIT


def test_configuration_on_both(artifact: Artifact) -> None:
    """PUL-4 to PUL-7: each limit, each refusal, and their order."""
    twins = PullTwins(artifact, signing_of(3, 1, 4), SetTerms(5, 2))
    twins.check_views(ETH)
    unsafe = [(0, 0, 0), (1, 0, 0), (1, 2, 0), (1, 1, 1), (3, 1, 0), (5, 3, 1), (2, 2, 1), (13, 13, 7), (8, 5, 2)]
    unsafe += [(13, 14, 4), (14, 14, 0), (13, 13, 2**256 - 1), (13, 2**256 - 1, 0), (4, 3, 2**255)]
    for count, threshold, faults in unsafe:
        action = SetSigners(ADDRESSES[:count], threshold, faults)
        assert twins.do("admin", action) == "oracle/signers"
        assert twins.do("keeper", action) == "role/not-admin"
    one, two, three = ADDRESSES[:3]
    for signers in ((two, one, three), (one, one, two), (one, two, two), (0, one, two), (three, two, one)):
        assert twins.do("admin", SetSigners(signers, 3, 1)) == "oracle/signers"
    twins.check_views(ETH)
    for count, threshold, faults in ((13, 9, 4), (1, 1, 0), (13, 13, 6), (2, 2, 0)):
        assert twins.do("admin", SetSigners(ADDRESSES[:count], threshold, faults)) == "ok"
        twins.check_views(ETH)
    for fee, ahead, code in (
        *((2**96 - 1, 60, "ok"), (2**96, 0, "oracle/terms"), (0, 61, "oracle/terms"), (0, 0, "ok")),
        (2**256 - 1, 2**256 - 1, "oracle/terms"),
    ):
        assert twins.do("admin", SetTerms(fee, ahead)) == code
        assert twins.do("keeper", SetTerms(fee, ahead)) == "role/not-admin"
        twins.check_views(ETH)
    for band, code in ((0, "oracle/band"), (11, "oracle/band"), (2**256 - 1, "oracle/band"), (10, "ok"), (1, "ok")):
        assert twins.do("admin", SetBand(ETH, band)) == code
        assert twins.do("keeper", SetBand(ETH, band)) == "role/not-admin"
        twins.check_views(ETH, BTC)
    assert twins.do("keeper", WithdrawFees()) == "role/not-admin"
    assert twins.do("admin", WithdrawFees()) == "ok"


@pytest.mark.parametrize(
    ("signing", "terms", "code"),
    [
        (signing_of(0), SetTerms(0, 0), "oracle/signers"),
        (signing_of(3, 2), SetTerms(0, 0), "oracle/signers"),
        (signing_of(1), SetTerms(0, 61), "oracle/terms"),
    ],
)
def test_a_contract_without_safe_signers_is_not_created(
    artifact: Artifact, signing: SetSigners, terms: SetTerms, code: str
) -> None:
    """PUL-4, PUL-5: from the first moment; with no signers anybody's report would have all signatures."""
    with pytest.raises(Reverted, match=code):
        PullChain(artifact, signing, terms)


def test_fees_on_both(artifact: Artifact) -> None:
    """PUL-7: at least the fee, more is kept, all of it goes to the admin."""
    twins = PullTwins(artifact, signing_of(1), SetTerms(7, 0))
    payloads = tuple(twins.sign(report_of(time=START + i)) for i in range(3))
    for count, value, code in ((3, 20, "oracle/fee"), (3, 21, "ok"), (1, 100, "ok"), (0, 0, "ok"), (0, 1, "ok")):
        assert twins.do("keeper", UpdatePriceFeeds(payloads[:count], value)) == code
        settlement = ParsePriceFeedUpdatesUnique(payloads[:count], (), 0, 0, value)
        assert twins.do("keeper", settlement) == code
    assert twins.chain.balance() == 2 * 122
    for count in (0, 3):
        data = call_data("getUpdateFee(bytes[])", payloads[:count])
        answer = twins.chain.node.call(twins.chain.address, data)
        assert int.from_bytes(answer, "big") == get_update_fee(twins.model, payloads[:count]) == 7 * count
    before = twins.chain.evm.get_balance(to_hex(twins.chain.admin))
    assert twins.do("admin", WithdrawFees()) == "ok"
    assert twins.chain.evm.get_balance(to_hex(twins.chain.admin)) - before == 244


@pytest.mark.parametrize(
    "call",
    [
        call_data("set_terms(uint256,uint256)", 0, 0),
        call_data("set_band(bytes32,uint256)", ETH, 1),
        call_data("set_signers(address[],uint256,uint256)", [to_hex(ADDRESSES[0])], 1, 0),
        call_data("withdraw_fees()"),
        call_data("quote(bytes32)", ETH),
        b"",
    ],
)
def test_only_reports_are_paid_for(artifact: Artifact, call: bytes) -> None:
    """PUL-7: coin sent along with anything else, or with nothing, is refused."""
    chain = PullChain(artifact, signing_of(1))
    chain.evm.set_balance(to_hex(chain.admin), 1)
    for value in (0, 1) if call else (1,):
        if value:
            with pytest.raises(RuntimeError):
                chain.evm.message_call(to_hex(chain.admin), to_hex(chain.address), call, value=value)
        else:
            chain.evm.message_call(to_hex(chain.admin), to_hex(chain.address), call, value=value)


def test_the_time_of_a_report_on_both(artifact: Artifact) -> None:
    """PUL-8: equal and older times, the last second ahead and the next, the smallest and the largest time."""
    twins = PullTwins(artifact, signing_of(1), SetTerms(0, 60))
    for number, (time, after) in enumerate(
        ((0, 0), (1, 0), (START, 0), (START, 1), (START - 1, 0), (START + 61, 0), (START + 62, 0), (START + 62, 1))
    ):
        assert twins.update(report_of(number + 1, time), after=after) == "ok"
        twins.check_views(ETH, ages=(0, 59, 60, 61, 2**256 - 1))
    assert twins.update(report_of(99, 2**40 - 1), after=0) == "ok"
    assert twins.update(report_of(99, 2**40 - 1), after=2**40 - 1 - twins.now) == "ok"
    twins.check_views(ETH)
    assert twins.chain.quote(ETH)[3] == 2**40 - 1


def test_the_values_of_a_report_on_both(artifact: Artifact) -> None:
    """PUL-3, PUL-11, T9: each field at and beyond its limits, alone and together; quotes at every edge."""
    twins = PullTwins(artifact, signing_of(1))
    prices = (
        0,
        -1,
        1,
        9,
        10,
        11,
        99,
        100,
        101,
        -(2**63),
        2**63 - 1,
        (PRICE_LIMIT - 1) // W,
        (PRICE_LIMIT - 1) // W + 1,
    )
    time = START
    for expo in (-20, -19, -18, -17, -8, -1, 0, 1, 10, 11, 12):
        for price in prices:
            for conf in (0, 1, abs(price) - 1, abs(price), abs(price) + 1, 2**64 - 1):
                if 0 <= conf < 2**64:
                    time += 1
                    report = report_of(price, time, conf=conf, expo=expo, prev=2**40 - 1)
                    assert twins.update(report, after=1) == "ok"
                    assert twins.chain.quote(ETH)[3] == time
                    twins.check_views(ETH, ages=())
    assert time > START + 500
    for field, value in (
        *(("price", 2**63), ("price", -(2**63) - 1), ("price", -(2**255)), ("price", 2**255 - 1), ("expo", -21)),
        *(("conf", 2**64), ("conf", 2**256 - 1), ("expo", 13), ("expo", -(2**255)), ("expo", 2**31 + 8)),
        *(("publish_time", 2**40), ("publish_time", 2**256 - 1), ("prev_publish_time", 2**40)),
    ):
        report = replace(report_of(time=time + 1), **{field: value})  # type: ignore[arg-type]
        assert twins.update(report, after=1) == "sys/domain"
        # Before any signature is looked at.
        forged = encode_payload(report, (bytes(65),))
        assert twins.do("keeper", UpdatePriceFeeds((forged,), 0)) == "sys/domain"
    twins.check_views(ETH)


def test_bands_on_both(artifact: Artifact) -> None:
    """PUL-6, PUL-11: each band at its own edge; a new report keeps it, and a band keeps the report."""
    twins = PullTwins(artifact, signing_of(1))
    for band in range(1, 11):
        assert twins.do("admin", SetBand(ETH, band)) == "ok"
        twins.check_views(ETH, BTC)
        for step, conf in enumerate((1_000 // band - 1, 1_000 // band, 1_000 // band + 1)):
            time = START + 10 * band + step
            assert twins.update(report_of(1_000, time, conf=conf), after=9 if step == 0 else 1) == "ok"
            twins.check_views(ETH, BTC)


def test_signatures_on_both(artifact: Artifact) -> None:
    """PUL-2: every way to sign wrongly, with the same code, also behind a good report."""
    twins = PullTwins(artifact, signing_of(3, 1, 4))
    report = report_of()
    digest = digest_of(report, contract=twins.chain.address)
    first, second, third, fourth = sign(digest, *REPORTERS[:4])
    (stranger,) = sign(digest, "stranger")
    cases = {
        "oracle/signer-order": ((first, first, second), (first, second, second), (second, first, third)),
        "oracle/not-signer": (
            (first, second, stranger),
            (stranger, first, second),
            sign(digest_of(report), *REPORTERS[:3]),
        ),
        "oracle/signature": (
            *((malleate(first), second, third), (first, second, malleate(third)), (first, second, bytes(65))),
            *((first, second, third[:64] + bytes([v])) for v in (0, 1, 26, 29, 255)),
            *((first, second, n.to_bytes(32, "big") + third[32:]) for n in (0, 5, 2**256 - 1)),
            (first, second, third[:32] + bytes(32) + third[64:]),
        ),
        "oracle/payload": ((first, second), (first, second, third, fourth), (), (first, second, third[:64])),
        "ok": ((second, third, fourth), (first, second, third)),
    }
    for code, menus in cases.items():
        for signatures in menus:
            payload = encode_payload(report, signatures)
            assert twins.do("keeper", UpdatePriceFeeds((payload,), 0)) == code
            assert twins.do("keeper", UpdatePriceFeeds((twins.sign(report), payload), 0)) == code
            assert twins.do("keeper", ParsePriceFeedUpdatesUnique((payload,), (), 0, 0, 0)) == code
    twins.check_views(ETH)


def test_a_report_holds_in_one_place_on_both(artifact: Artifact) -> None:
    """PUL-1: not for another contract, nor another chain; after a split of the chain, for the half that it names."""
    twins = PullTwins(artifact, signing_of(2))
    here = twins.chain.address
    assert twins.update(report_of()) == "ok"
    later = report_of(time=START + 1)
    for payload in (payload_of(later, 2, contract=here + 1), payload_of(later, 2, contract=here, chain_id=5)):
        assert twins.do("keeper", UpdatePriceFeeds((payload,), 0)) == "oracle/not-signer"
    twins.chain.split(5)
    twins.model = replace(twins.model, chain_id=5, reports=type(twins.model.reports)())
    assert twins.do("keeper", UpdatePriceFeeds((payload_of(later, 2, contract=here),), 0)) == "oracle/not-signer"
    assert twins.do("keeper", UpdatePriceFeeds((payload_of(later, 2, contract=here, chain_id=5),), 0)) == "ok"
    twins.check_views(ETH)


def test_the_contract_tells_its_domain(artifact: Artifact) -> None:
    """PUL-1: EIP-5267, for wallets."""
    chain = PullChain(artifact, signing_of(1))
    kinds = "(bytes1,string,string,uint256,address,bytes32,uint256[])"
    answer = chain.node.call(chain.address, call_data("eip712Domain()"))
    assert decode([*kinds[1:-1].split(",")], answer) == (
        *(b"\x0f", "PullFeed", "1", CHAIN_ID, to_hex(chain.address), bytes(32), ()),
    )


def test_rotation_on_both(artifact: Artifact) -> None:
    """PUL-4: the old ones are out, those who stay are in, and a smaller or larger set follows."""
    twins = PullTwins(artifact, signing_of(5, 2, 7))
    assert twins.update(report_of()) == "ok"
    assert twins.do("admin", SetSigners(ADDRESSES[3:7], 3, 1)) == "ok"
    for first, code in (
        (3, "ok"),
        (4, "ok"),
        (0, "oracle/not-signer"),
        (2, "oracle/not-signer"),
        (5, "oracle/not-signer"),
    ):
        payload = twins.sign(report_of(time=twins.now), first=first)
        assert twins.do("keeper", UpdatePriceFeeds((payload,), 0)) == code
        twins.check_views(ETH)
    assert twins.do("admin", SetSigners(ADDRESSES[:13], 9, 4)) == "ok"
    assert twins.update(report_of(time=twins.now)) == "ok"
    assert twins.do("keeper", UpdatePriceFeeds((payload_of(report_of(), 5, contract=twins.chain.address),), 0)) == (
        "oracle/payload"
    )
    twins.check_views(ETH)


def test_settlement_on_both(artifact: Artifact) -> None:
    """PUL-9: each border of the span, what is missing, what is asked twice, what is newer and what is not."""
    twins = PullTwins(artifact, signing_of(1), SetTerms(0, 3))
    for prev, time, low, high in (
        *((99, 100, 100, 110), (100, 100, 100, 110), (99, 110, 100, 110), (99, 111, 100, 110), (98, 99, 100, 110)),
        *((0, 50, 0, 60), (0, 50, 1, 2**64 - 1), (60, 50, 1, 60), (49, 50, 50, 50), (49, 50, 50, 49)),
    ):
        payload = twins.sign(report_of(time=START + time, prev=START + prev))
        action = ParsePriceFeedUpdatesUnique((payload,), (ETH,), START + low, min(START + high, 2**64 - 1), 0)
        twins.do("keeper", action, after=200 if twins.now == START else 1)
        twins.check_views(ETH)
    ether = report_of(time=START + 300, prev=START + 299)
    coin = report_of(7, START + 301, prev=START + 299, feed_id=BTC)
    payloads = (twins.sign(ether), twins.sign(coin))
    span = (START + 300, START + 400)
    for ids in ((ETH,), (BTC, ETH), (ETH, ETH), (), (ETH,) * 16, (bytes(32),), (ETH, bytes(32))):
        twins.do("keeper", ParsePriceFeedUpdatesUnique(payloads, ids, *span, 0), after=20)
    assert twins.do("keeper", ParsePriceFeedUpdatesUnique(payloads, (ETH,) * 17, *span, 0)) == "oracle/payload"
    assert twins.do("keeper", ParsePriceFeedUpdatesUnique((payloads[0],) * 17, (ETH,), *span, 0)) == "oracle/payload"
    assert twins.do("keeper", UpdatePriceFeeds((payloads[0],) * 17, 0)) == "oracle/payload"
    assert twins.do("keeper", UpdatePriceFeeds((payloads[0],) * 16, 0)) == "ok"
    for lead, code in ((4, "oracle/no-unique-report"), (3, "ok"), (-1, "ok")):
        time = twins.now + 1 + lead
        payload = twins.sign(report_of(time=time, prev=time - 1))
        action = ParsePriceFeedUpdatesUnique((payload,), (ETH,), time, 2**64 - 1, 0)
        assert twins.do("keeper", action) == code
    twins.check_views(ETH, BTC)


def test_what_cannot_be_decoded_is_refused(artifact: Artifact) -> None:
    """PUL-3: a payload longer than any good one by more than a byte has no code, and stores nothing."""
    twins = PullTwins(artifact, signing_of(1))
    longest = 192 + 13 * 65
    assert twins.do("keeper", UpdatePriceFeeds((bytes(longest + 1),), 0)) == "oracle/payload"
    for payloads in ((bytes(longest + 2),), (bytes(257),) * 18):
        with pytest.raises(Reverted, match="without a reason"):
            twins.chain.node.call(twins.chain.address, call_data("updatePriceFeeds(bytes[])", payloads))
