"""The complete state of sources of prices, read back into the model's records.

What changes is read from raw storage; what was fixed at deployment is part of a contract's code, and its views tell it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eth_abi import decode

from contracts_py.bindings import call_data
from contracts_py.compile import Artifact
from contracts_py.node import Chain
from contracts_py.storage import Storage
from oracle.averages import HISTORY, Averages, AveragesConfig, Observation
from oracle.growth_cap import GrowthCap, GrowthCapConfig, Snapshot
from oracle.median import Median, Slot
from oracle.pull import PullFeed
from oracle.signing import PriceReport
from oracle.sources import Follower, Source
from oracle.stable import HOURS, StablePrice
from protocol.records import Table

MASK_8, MASK_16, MASK_40, MASK_48, MASK_64, MASK_96, MASK_112, MASK_128, MASK_136 = (
    2**bits - 1 for bits in (8, 16, 40, 48, 64, 96, 112, 128, 136)
)
EXPO_OFFSET = 20


@dataclass(frozen=True, slots=True)
class Reported:
    """The ids under which a pull feed has told of reports and of bands, each in the order of the first."""

    reports: dict[bytes, None]
    bands: dict[bytes, None]


class _Source:
    """One contract: its storage by name, and its views without arguments."""

    def __init__(self, node: Chain, artifact: Artifact, address: int) -> None:
        self._node, self._address = node, address
        self.storage = Storage(node.storage(address), artifact.layout["storage_layout"])

    def view(self, name: str, kind: str = "uint256") -> Any:
        return decode([kind], self._node.call(self._address, call_data(f"{name}()")))[0]

    def views(self, *names: str) -> tuple[int, ...]:
        return tuple(self.view(name) for name in names)

    def address(self, name: str) -> int:
        return int(self.view(name, "address"), 16)

    @property
    def follows(self) -> tuple[int, int]:
        return self.address("SOURCE"), int.from_bytes(self.view("KEY", "bytes32"), "big")

    def addresses(self, name: str) -> tuple[int, ...]:
        count = self.storage.word(name)
        return tuple(self.storage.word(name, 1 + place) for place in range(count))


def read_median(node: Chain, artifact: Artifact, address: int, reported: Reported) -> Source:
    """A median: its reporters, limits and slots."""
    source = _Source(node, artifact, address)
    reporters = source.addresses("reporters")
    slots = tuple(_read_slot(source.storage.word("slots", place)) for place in range(len(reporters)))
    quorum, max_age, skew, ahead, decimals = source.views("quorum", "max_age", "skew", "ahead", "decimals")
    return Median(reporters, quorum, max_age, skew, ahead, decimals, slots)


def _read_slot(word: int) -> Slot:
    return Slot((word & MASK_128) - 2**127, word >> 216, word >> 176 & MASK_40) if word else Slot(0, 0, 0)


def read_pull_feed(node: Chain, artifact: Artifact, address: int, reported: Reported) -> Source:
    """A pull feed: its signers and terms, its coin, and the report and band of every id it has told of."""
    source = _Source(node, artifact, address)
    terms = source.storage.word("terms_word")
    words = {
        feed_id: source.storage.entry("feeds", int.from_bytes(feed_id, "big"))
        for feed_id in (*reported.reports, *reported.bands)
    }
    return PullFeed(
        chain_id=node.chain_id,
        address=address,
        admin=source.address("ADMIN"),
        signers=source.addresses("signing.signers"),
        threshold=terms & MASK_8,
        faults=terms >> 8 & MASK_8,
        fee=terms >> 24,
        ahead=terms >> 16 & MASK_8,
        balance=node.balance(address),
        reports=Table({feed_id: _read_report(feed_id, words[feed_id]) for feed_id in reported.reports}),
        bands=Table({feed_id: words[feed_id] & MASK_8 for feed_id in reported.bands}),
    )


def _read_report(feed_id: bytes, word: int) -> PriceReport:
    price = word >> 192
    return PriceReport(
        feed_id=feed_id,
        price=price - 2**64 if price >= 2**63 else price,
        conf=word >> 128 & MASK_64,
        expo=(word >> 40 & MASK_8) - EXPO_OFFSET,
        publish_time=word >> 88 & MASK_40,
        prev_publish_time=word >> 48 & MASK_40,
    )


def read_averages(node: Chain, artifact: Artifact, address: int, reported: Reported) -> Source:
    """Averages: what they follow, how, and all that they remember."""
    source = _Source(node, artifact, address)
    config = AveragesConfig(*source.views("GAP", "WINDOW", "TAU", "CLAMP"))
    head, slow = source.storage.word("head"), source.storage.word("slow")
    count = head >> 192 & MASK_40
    numbers = range(max(1, count - HISTORY + 1), count + 1)
    observations = tuple(_read_observation(source.storage.word("observations", one % HISTORY)) for one in numbers)
    hourly = tuple(source.storage.word("hourly", hour) & MASK_96 for hour in range(HOURS)) if count else ()
    stable = StablePrice(slow & MASK_96, slow >> 96 & MASK_112, head >> 232 & MASK_16, hourly)
    averages = Averages(config, count, observations, head & MASK_96, head >> 96 & MASK_96, stable)
    return Follower(averages, *source.follows)


def _read_observation(word: int) -> Observation:
    return Observation(word & MASK_40, word >> 40 & MASK_136, word >> 176 & MASK_40, word >> 216 & MASK_16)


def read_growth_cap(node: Chain, artifact: Artifact, address: int, reported: Reported) -> Source:
    """A growth cap: what it follows, how, and its snapshot."""
    source = _Source(node, artifact, address)
    limits = source.views("GROWTH", "MIN_DELAY", "MAX_TERM", "TOLERANCE", "MAX_DROP", "INTERVAL")
    word = source.storage.word("snapshot")
    cap = GrowthCap(source.address("ADMIN"), GrowthCapConfig(*limits), Snapshot(word >> 48, word & MASK_48))
    return Follower(cap, *source.follows)


READERS: dict[type, Callable[[Chain, Artifact, int, Reported], Source]] = {
    Median: read_median,
    PullFeed: read_pull_feed,
    Averages: read_averages,
    GrowthCap: read_growth_cap,
}
