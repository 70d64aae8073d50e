"""Attacks on signed reports: refused by the contract, and what each gains when its guard is taken out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from eth_abi import decode

from contracts_py.addresses import CHAIN_ID
from contracts_py.compile import Artifact, compile_all
from contracts_py.keys import address_of
from oracle.pull import ParsePriceFeedUpdatesUnique, SetSigners, UpdatePriceFeeds
from oracle.signing import PriceReport, encode_payload
from protocol.units import W
from tests.oracle.pulling import (
    ADDRESSES,
    BTC,
    ETH,
    PRICE,
    REPORTERS,
    START,
    PullChain,
    digest_of,
    malleate,
    report_of,
    sign,
    signing_of,
)
from tests.switches import Edits, switch_guards, take_out

NAME = "oracles/PullFeed"
Story = Callable[[PullChain], int]

FEED, SIGNING = f"{NAME}.vy", "modules/signing.vy"

# Name of the guard -> edits: file, text, text without the guard.
GUARDS: dict[str, Edits] = {
    "only a newer report is stored": (
        (
            FEED,
            "    if report.publish_time <= (word >> 88) & MASK_40:\n",
            "    if not REMOVED and report.publish_time <= (word >> 88) & MASK_40:\n",
        ),
    ),
    "no report from the future is stored": (
        (
            FEED,
            "    if report.publish_time > block.timestamp + ahead:\n",
            "    if not REMOVED and report.publish_time > block.timestamp + ahead:\n",
        ),
    ),
    "no report from the future settles": (
        (
            FEED,
            "min(convert(t_max, uint256), block.timestamp + ((terms >> 16) & 255))",
            "min(convert(t_max, uint256), (2**64 if REMOVED else block.timestamp + ((terms >> 16) & 255)))",
        ),
    ),
    "each signer counts once": (
        (
            SIGNING,
            'assert convert(signer, uint256) > previous, "oracle/signer-order"',
            'assert REMOVED or convert(signer, uint256) > previous, "oracle/signer-order"',
        ),
    ),
    "only signers count": ((SIGNING, "assert self.is_signer[signer]", "assert REMOVED or self.is_signer[signer]"),),
    "old signers are taken out": ((SIGNING, "self.is_signer[old] = False", "self.is_signer[old] = REMOVED"),),
    "two quorums share an honest signer": (
        (SIGNING, "and count + faults + 1 <= 2 * threshold", "and (REMOVED or count + faults + 1 <= 2 * threshold)"),
    ),
    "a settlement takes the first report of its span": (
        (FEED, "and report.prev_publish_time < t_min", "and (REMOVED or report.prev_publish_time < t_min)"),
    ),
    "a signature holds on one chain": (
        (
            SIGNING,
            "uses: eip712\n",
            "from snekmate.utils import message_hash_utils\n\nuses: eip712\nPINNED: immutable(bytes32)\n",
        ),
        (
            SIGNING,
            "signers: DynArray[address, MAX_SIGNERS]\n",
            """signers: DynArray[address, MAX_SIGNERS]


@deploy
def __init__():
    PINNED = eip712._domain_separator_v4()
""",
        ),
        (
            FEED,
            '    eip712.__init__("PullFeed", "1")\n',
            '    eip712.__init__("PullFeed", "1")\n    signing.__init__()\n',
        ),
        (
            SIGNING,
            "eip712._hash_typed_data_v4(self.hash_report(report))",
            """message_hash_utils._to_typed_data_hash(
        PINNED if REMOVED else eip712._domain_separator_v4(), self.hash_report(report)
    )""",
        ),
    ),
    "a signature holds for one feed": (
        (
            SIGNING,
            "    return keccak256(abi_encode(REPORT_TYPE, report))\n",
            """    signed: Report = report
    if REMOVED:
        signed.feed_id = empty(bytes32)
    return keccak256(abi_encode(REPORT_TYPE, signed))
""",
        ),
    ),
    "one of the two s": ((SIGNING, "assert s <= HALF_CURVE_ORDER", "assert REMOVED or s <= HALF_CURVE_ORDER"),),
}


@pytest.fixture(scope="module")
def artifacts_of_pull() -> tuple[Artifact, Artifact]:
    """The contract, and the contract with switches."""
    real, switched = compile_all(names=(NAME,)), compile_all(switch_guards(GUARDS), (NAME,))
    return real[NAME], switched[NAME]


@pytest.fixture
def attack(artifacts_of_pull: tuple[Artifact, Artifact]) -> Callable[[str, Story], tuple[int, int]]:
    """Plays a story with all guards, which must gain the same with the switches as without them, and without one."""
    real, switched = artifacts_of_pull

    def play(guard: str, story: Story) -> tuple[int, int]:
        gains = []
        for artifact, removed in ((real, ""), (switched, ""), (switched, guard)):
            chain = PullChain(artifact, signing_of(3, 1, 4))
            take_out(chain.node, chain.address, GUARDS, removed)
            gains.append(story(chain))
        assert gains[0] == gains[1], "the switches themselves change the story"
        return gains[0], gains[2]

    return play


Attack = Callable[[str, Story], tuple[int, int]]


def signed(chain: PullChain, report: PriceReport, *names: str, chain_id: int = CHAIN_ID) -> bytes:
    """A report signed by the first three reporters, or by those named."""
    return encode_payload(report, sign(digest_of(report, chain_id, chain.address), *(names or REPORTERS[:3])))


def bring(chain: PullChain, *payloads: bytes, after: int = 0) -> str:
    """Somebody's update, ``after`` seconds later; the code."""
    return chain.execute(chain.node.now + after, address_of("keeper"), UpdatePriceFeeds(payloads, 0))[0]


def settle(chain: PullChain, payload: bytes, t_min: int, t_max: int) -> int:
    """The price, in dollars, at which an order of ETH settles with a report; 0 if it is refused."""
    action = ParsePriceFeedUpdatesUnique((payload,), (ETH,), t_min, t_max, 0)
    code, _, answer = chain.execute(chain.node.now, address_of("keeper"), action)
    if code != "ok":
        return 0
    price: int = decode([f"(bytes32,{PRICE})[]"], answer)[0][0][1][0]
    return price // 10**8


def dollars(chain: PullChain) -> int:
    """What the contract says an ETH is worth."""
    return chain.quote(ETH)[1] // W


def at(price: int, time: int, prev: int | None = None) -> PriceReport:
    """A report of ETH in dollars."""
    return report_of(price * 10**8, time, prev=time - 10 if prev is None else prev)


def test_an_older_report_is_brought_again(attack: Attack) -> None:
    """ETH fell from 200 to 150; its owner brings back the price of a minute ago and borrows on it.

    From: Sentiment v2 on RedStone, where an older signed price replaced a newer one. Guard: PUL-8.
    Without it: 50 dollars for each ETH.
    """

    def story(chain: PullChain) -> int:
        old = signed(chain, at(200, START))
        assert bring(chain, old) == bring(chain, signed(chain, at(150, START + 60)), after=60) == "ok"
        assert bring(chain, old) == "ok"
        return dollars(chain) - 150

    assert attack("only a newer report is stored", story) == (0, 50)


def test_a_report_from_the_future_keeps_others_out(attack: Attack) -> None:
    """The signers' clocks were an hour ahead for a moment; whoever kept that report stops the price with it.

    From: Maker's median had no upper bound on times; Scribe added one. Guard: PUL-8.
    Without it: for an hour ETH stays at 200 while it is worth 150, 50 dollars for each.
    """

    def story(chain: PullChain) -> int:
        bring(chain, signed(chain, at(200, START)))
        bring(chain, signed(chain, at(200, START + 3_600)), after=1)
        for minute in range(1, 60):
            bring(chain, signed(chain, at(150, START + 60 * minute)), after=60)
        return dollars(chain) - 150

    assert attack("no report from the future is stored", story) == (0, 50)


def test_a_report_from_the_future_settles_an_order(attack: Attack) -> None:
    """The same report, for an order whose contract left the end of its span open.

    From: consumers of Pyth pass the largest number for the latest time. Guard: PUL-9.
    Without it: an order to sell, to settle in an hour, is settled now at a price no market had, 207 instead of none.
    """

    def story(chain: PullChain) -> int:
        report = at(207, START + 3_600, prev=START + 3_590)
        return settle(chain, signed(chain, report), START + 3_600, 2**64 - 1)

    assert attack("no report from the future settles", story) == (0, 207)


def test_one_signer_signs_three_times(attack: Attack) -> None:
    """One of four keys was stolen; its thief signs alone, as often as signatures are needed.

    From: multi-signature wallets and bridges that count signatures, not signers. Guard: PUL-2.
    Without it: any price; here a million dollars for an ETH worth 200.
    """

    def story(chain: PullChain) -> int:
        bring(chain, signed(chain, at(200, START)))
        bring(chain, signed(chain, at(1_000_000, START + 1), *[REPORTERS[0]] * 3), after=1)
        return dollars(chain) - 200

    assert attack("each signer counts once", story) == (0, 999_800)


def test_strangers_sign(attack: Attack) -> None:
    """Three keys that nobody named, in the right order.

    From: any contract that recovers a signer and does not look who it is. Guard: PUL-2.
    Without it: any price; here a million dollars for an ETH worth 200.
    """

    def story(chain: PullChain) -> int:
        bring(chain, signed(chain, at(200, START)))
        bring(chain, signed(chain, at(1_000_000, START + 1), *REPORTERS[5:8]), after=1)
        return dollars(chain) - 200

    assert attack("only signers count", story) == (0, 999_800)


def test_signers_of_yesterday_sign(attack: Attack) -> None:
    """Three keys were stolen and the admin replaced all signers; the thief signs on.

    From: sets of guardians that expire only in the list. Guard: PUL-4.
    Without it: any price; here a million dollars for an ETH worth 200.
    """

    def story(chain: PullChain) -> int:
        bring(chain, signed(chain, at(200, START)))
        rotation = SetSigners(ADDRESSES[4:8], 3, 1)
        assert chain.execute(START, chain.admin, rotation)[0] == "ok"
        bring(chain, signed(chain, at(1_000_000, START + 1)), after=1)
        return dollars(chain) - 200

    assert attack("old signers are taken out", story) == (0, 999_800)


def test_two_quorums_sign_two_prices_of_one_second(attack: Attack) -> None:
    """Two of four sign what one market shows and two what another shows, all honest; the submitter has a choice.

    From: the relayer who picks which of the signed reports count. Guard: PUL-4, which refuses two of four.
    Without it: an order to sell settles at 207 instead of 200, 7 dollars for each ETH.
    """

    def story(chain: PullChain) -> int:
        chain.execute(START, chain.admin, SetSigners(ADDRESSES[:4], 2, 0))
        one = signed(chain, at(200, START), *REPORTERS[:2])
        other = signed(chain, at(207, START), *REPORTERS[2:4])
        return abs(settle(chain, other, START, START) - settle(chain, one, START, START))

    assert attack("two quorums share an honest signer", story) == (0, 7)


def test_the_submitter_chooses_among_reports(attack: Attack) -> None:
    """Four reports were signed in the span of an order to sell; its owner settles it himself, with the best of them.

    From: consumers of Pyth's parsePriceFeedUpdates without Unique. Guard: PUL-9, the report before is earlier than the
    span. Without it: the highest, 207, instead of the first, 200: 7 dollars for each ETH, and 2 for an order to buy.
    """

    def offers(chain: PullChain) -> list[int]:
        prices, start = (195, 200, 203, 198, 207), START - 5
        reports = [at(price, start + 4 * i, prev=start + 4 * i - 4) for i, price in enumerate(prices)]
        bring(chain, after=60)
        return [price for report in reports if (price := settle(chain, signed(chain, report), START - 4, START + 20))]

    guard = "a settlement takes the first report of its span"
    assert attack(guard, lambda chain: max(offers(chain)) - 200) == (0, 7)
    assert attack(guard, lambda chain: 200 - min(offers(chain))) == (0, 2)


def test_a_report_of_one_chain_is_brought_to_another(attack: Attack) -> None:
    """A chain splits; on the half that the market gave up its coin is worth 2 dollars, on the other 200.

    From: EIP-712 domains that are hashed once at deployment, which a fork inherits. Guard: PUL-1.
    Without it: the report of the other half values the coin at 200, 198 dollars too much for each.
    """

    def story(chain: PullChain) -> int:
        bring(chain, signed(chain, at(200, START)))
        chain.split(5)
        here = at(2, START + 1)
        # Signed for this half; without the guard its contract knows only the domain of the other.
        assert "ok" in {bring(chain, signed(chain, here, chain_id=one), after=1) for one in (5, CHAIN_ID)}
        bring(chain, signed(chain, at(200, START + 2)), after=1)
        return dollars(chain) - 2

    assert attack("a signature holds on one chain", story) == (0, 198)


def test_a_report_of_one_feed_is_brought_to_another(attack: Attack) -> None:
    """The price of a bitcoin is brought as that of an ETH.

    From: hashes of orders and reports that lack a field. Guard: PUL-1, the feed is signed.
    Without it: an ETH worth 200 counts as 8,000 dollars, 7,800 too much.
    """

    def story(chain: PullChain) -> int:
        bitcoin, blank = report_of(8_000 * 10**8, START + 1, feed_id=BTC), bytes(32)
        for label in (ETH, blank):  # an ordinary report, signed as the contract wants it
            signatures = sign(
                digest_of(replace(at(200, START), feed_id=label), CHAIN_ID, chain.address), *REPORTERS[:3]
            )
            bring(chain, encode_payload(at(200, START), signatures))
        assert dollars(chain) == 200
        for label in (BTC, blank):
            signatures = sign(digest_of(replace(bitcoin, feed_id=label), contract=chain.address), *REPORTERS[:3])
            bring(chain, encode_payload(replace(bitcoin, feed_id=ETH), signatures), after=1)
        return dollars(chain) - 200

    assert attack("a signature holds for one feed", story) == (0, 7_800)


def test_the_other_s_of_a_signature(attack: Attack) -> None:
    """Each signature has a twin that anybody can make; three of them give eight payloads for one report.

    From: contracts and keepers that know what they have seen by the hash of its bytes. Guard: PUL-2.
    Without it: nothing from this contract, which knows reports by their time and signers by their address; whoever pays
    a reward for each payload pays 7 more.
    """

    def story(chain: PullChain) -> int:
        report = at(200, START)
        signatures = sign(digest_of(report, contract=chain.address), *REPORTERS[:3])
        accepted = 0
        for choice in range(8):
            chosen = tuple(malleate(one) if choice >> i & 1 else one for i, one in enumerate(signatures))
            accepted += bring(chain, encode_payload(report, chosen)) == "ok"
        return accepted - 1

    assert attack("one of the two s", story) == (0, 7)


@pytest.mark.parametrize("guard", GUARDS)
def test_every_guard_is_taken_out_by_an_attack(guard: str) -> None:
    assert Path(__file__).read_text("utf-8").count(f'"{guard}"') == 2
