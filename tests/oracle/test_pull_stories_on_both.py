"""Random stories of pull reports through model and contract: well signed ones, and those spoilt in one way."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from contracts_py.addresses import CHAIN_ID
from contracts_py.compile import Artifact
from oracle.pull import (
    ParsePriceFeedUpdatesUnique,
    SetBand,
    SetSigners,
    SetTerms,
    UpdatePriceFeeds,
    WithdrawFees,
    get_update_fee,
)
from oracle.signing import PriceReport, encode_payload
from tests.oracle.drawing import Draw
from tests.oracle.pulling import (
    ADDRESSES,
    BTC,
    ETH,
    REPORTERS,
    Action,
    PullTwins,
    compile_pull,
    digest_of,
    malleate,
    sign,
    signing_of,
)

SAFE = ((1, 1, 0), (2, 2, 0), (3, 2, 0), (4, 3, 1), (5, 3, 0), (7, 5, 2))  # signers, threshold, faults
OUTSIDE = (("price", 2**63), ("conf", 2**64), ("expo", 13), ("expo", -21), ("publish_time", 2**40))
FORGERIES = ("chain", "contract", "order", "twice", "stranger", "malleated", "short", "long", "flipped", "outside")
RANDOM_CODES = {
    *("ok", "oracle/fee", "oracle/payload", "oracle/signature", "oracle/not-signer", "oracle/signer-order"),
    *("oracle/no-unique-report", "oracle/signers", "oracle/terms", "oracle/band", "role/not-admin", "sys/domain"),
}


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    return compile_pull()


def random_report(draw: Draw, now: int) -> PriceReport:
    """A report around now, or far from it, of ordinary or extreme values."""
    price = draw.pick((1, 0, -1, 2**63 - 1, -(2**63), draw.below(2**63), draw.below(10**12), 200 * 10**8))
    conf = draw.pick((0, 1, 2**64 - 1, abs(price) % 2**64, draw.below(10**8), draw.below(abs(price) + 1) % 2**64))
    time = draw.pick((now, *(now - 3 + draw.below(7) for _ in range(6)), now - draw.below(200), 0, 2**40 - 1))
    prev = draw.pick((max(time - 1 - draw.below(6), 0), time, 0, 2**40 - 1))
    return PriceReport(draw.pick((ETH, BTC)), price, conf, draw.below(33) - 20, time, prev)


def random_payload(draw: Draw, twins: PullTwins) -> bytes:
    """A report that is well signed, mostly, or spoilt in one way."""
    report, need, here = random_report(draw, twins.now + 1), twins.model.threshold, twins.chain.address
    if draw.below(4):
        return twins.sign(report, first=draw.below(len(twins.model.signers) - need + 1))
    forgery = draw.pick(FORGERIES)
    if forgery == "outside":
        field, value = draw.pick(OUTSIDE)
        changed: dict[str, Any] = {field: value}
        report = replace(report, **changed)
    digest = digest_of(report, 5 if forgery == "chain" else CHAIN_ID, here + (forgery == "contract"))
    names = list(REPORTERS[:need])
    if forgery in {"order", "twice"} and need > 1:
        at = draw.below(need - 1)
        names[at : at + 2] = [names[at + 1], names[at]] if forgery == "order" else [names[at]] * 2
    if forgery == "stranger":
        names[draw.below(need)] = "stranger"
    signatures = list(sign(digest, *names))
    if forgery == "malleated":
        at = draw.below(need)
        signatures[at] = malleate(signatures[at])
    payload = bytearray(encode_payload(report, tuple(signatures)))
    if forgery == "flipped":
        payload[draw.below(len(payload))] ^= 1 << draw.below(8)
    return bytes(payload[:-1] if forgery == "short" else payload + b"\0" * (forgery == "long"))


def random_action(draw: Draw, twins: PullTwins) -> tuple[str, Action]:
    """Somebody who does something, often allowed."""
    kind = draw.below(20)
    if kind < 17:
        payloads = tuple(random_payload(draw, twins) for _ in range(draw.pick((0, 1, 1, 1, 1, 2, 3))))
        value = get_update_fee(twins.model, payloads) + draw.pick((0, 0, 0, 0, 0, 0, 1, -1))
        if kind < 11:
            return "keeper", UpdatePriceFeeds(payloads, max(value, 0))
        ids = tuple(draw.pick((ETH, BTC)) for _ in range(draw.pick((0, 1, 1, 1, 2))))
        low = max(twins.now - draw.below(10), 0)
        return "keeper", ParsePriceFeedUpdatesUnique(payloads, ids, low, low + draw.below(12), max(value, 0))
    sender = draw.pick(("admin", "admin", "admin", "keeper"))
    if kind == 17:
        count, threshold, faults = draw.pick((*SAFE, *SAFE, (4, 2, 0), (3, 3, 2), (14, 14, 0)))
        return sender, SetSigners(ADDRESSES[:count], threshold, faults)
    if kind == 18:
        return sender, SetTerms(draw.pick((0, 1, 2**96 - 1, 2**96)), draw.pick((0, 2, 60, 60, 61)))
    rest: list[Action] = [WithdrawFees(), *(SetBand(draw.pick((ETH, BTC)), draw.below(12)) for _ in range(3))]
    return sender, draw.pick(rest)


def tell_stories(artifact: Artifact, seeds: range, length: int) -> Counter[str]:
    """Play random stories on both, compare every step and what is left of it, and count the codes."""
    codes: Counter[str] = Counter()
    for seed in seeds:
        draw = Draw(f"pull {seed}")
        count, threshold, faults = draw.pick(SAFE)
        twins = PullTwins(artifact, signing_of(threshold, faults, count), SetTerms(draw.below(3), draw.below(5)))
        for _ in range(length):
            sender, action = random_action(draw, twins)
            codes[twins.do(sender, action, after=draw.pick((0, 1, 1, 2, 5)))] += 1
            twins.check_views(ETH, BTC, ages=(draw.below(8),))
    return codes


def test_random_stories_on_both(artifact: Artifact) -> None:
    """PUL-1 to PUL-11, S3: outcome, events, answers, balance and every view after every action."""
    codes = tell_stories(artifact, range(12), 50)
    assert codes.total() == 600
    assert set(codes) == RANDOM_CODES
    assert codes["ok"] > 200


@pytest.mark.deep
def test_many_random_stories_on_both(artifact: Artifact) -> None:
    """PUL-1 to PUL-11, S3: more of them."""
    codes = tell_stories(artifact, range(100, 300), 60)
    assert codes.total() == 12_000
    assert set(codes) == RANDOM_CODES
    assert codes["ok"] > 5_000
    assert min(codes.values()) > 50
