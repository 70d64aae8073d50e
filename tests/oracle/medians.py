"""Quorum medians in model and contract, side by side."""

from __future__ import annotations

from typing import Any

from eth_abi import decode, encode
from eth_utils import keccak

from contracts_py.bindings import call_data
from contracts_py.compile import Artifact
from contracts_py.keys import address_of, private_key, to_hex
from contracts_py.node import Log
from contracts_py.revm import RevmNode
from oracle.median import (
    MAX_REPORTERS,
    Median,
    Submit,
    Submitted,
    create_median,
    get_latest_round,
    get_median_quote,
    get_median_round,
    process_submit,
)
from protocol.env import Quote
from tests.oracle.calls import QUOTE, ROUND, outcome

START = 1_600_000_000
HOUR = 3_600
REPORTERS = tuple(f"reporter {i}" for i in range(MAX_REPORTERS + 1))
SUBMITTED = keccak(text="Submitted(uint256,uint256,int256,uint256)")


def addresses(count: int) -> tuple[int, ...]:
    """The first ``count`` reporters."""
    return tuple(address_of(name) for name in REPORTERS[:count])


def median_of(count: int, quorum: int, **limits: int) -> Median:
    """A median of reports in 8 decimals, an hour of life and ten minutes of skew, unless told otherwise."""
    return create_median(
        addresses(count),
        quorum,
        limits.get("max_age", HOUR),
        limits.get("skew", 600),
        limits.get("ahead", 30),
        limits.get("decimals", 8),
    )


def submit(median: Median, now: int, reporter: int, answer: int, observed_at: int | None = None) -> Median:
    """The median after a report of one of its reporters, by number; observed now unless told otherwise."""
    action = Submit(answer, now if observed_at is None else observed_at)
    return process_submit(median, now, median.reporters[reporter], action)[0]


def fill(median: Median, now: int, *reports: tuple[int, int]) -> Median:
    """The median after reports of its first reporters in turn: answer and how long ago it was observed."""
    for reporter, (answer, age) in enumerate(reports):
        median = submit(median, now, reporter, answer, now - age)
    return median


def construction(median: Median) -> bytes:
    """What the contract is created with."""
    return encode(
        ["address[]", "uint256", "uint256", "uint256", "uint256", "uint256", "string"],
        [
            [to_hex(reporter) for reporter in median.reporters],
            *(median.quorum, median.max_age, median.skew, median.ahead, median.decimals),
            "ETH / USD",
        ],
    )


def submission(answer: int, observed_at: int) -> bytes:
    """The call of a report."""
    return call_data("submit(int256,uint64)", answer, observed_at)


class MedianTwins:
    """A median and its contract. ``median`` may be one that the contract must refuse."""

    def __init__(self, artifact: Artifact, median: Median, now: int = START, node: RevmNode | None = None) -> None:
        self.model, self.now = median, now
        self.node = RevmNode(now) if node is None else node
        self.contract = self.node.deploy(private_key("deployer"), artifact.bytecode, construction(median))

    def view(self, signature: str, returns: tuple[str, ...], *arguments: Any) -> tuple[Any, ...]:
        """What the contract answers now. Raises ``Reverted``."""
        self.node._set_time(self.now)
        return tuple(decode(returns, self.node.call(self.contract, call_data(signature, *arguments))))

    def submit(self, sender: str, answer: int, observed_at: int) -> bool | str:
        """One report to both: whether it was accepted, or the code of the refusal; and the same event or none."""
        data = submission(answer, observed_at)
        self.node._set_time(self.now)

        def on_chain() -> Any:
            returned = decode(["bool"], self.node.call(self.contract, data, address_of(sender)))[0]
            receipt = self.node.send(private_key(sender), self.contract, data, self.now)
            return receipt.succeeded, returned, tuple(read_submitted(log) for log in receipt.logs)

        def on_model() -> Any:
            action = Submit(answer, observed_at)
            self.model, events = process_submit(self.model, self.now, address_of(sender), action)
            return True, bool(events), events

        expected = outcome(on_model)
        assert outcome(on_chain) == expected
        return expected if isinstance(expected, str) else bool(expected[1])

    def check(self) -> Quote:
        """Every view of the contract against the model; returns the quote."""
        model, now = self.model, self.now
        quote = get_median_quote(model, now)
        assert self.view("quote(bytes32)", QUOTE, bytes(32)) == as_tuple(quote)
        latest = get_latest_round(model)
        for number in {max(latest - 1, 0), latest, latest + 1}:
            expected = outcome(get_median_round, model, now, number)
            found = outcome(self.view, "getRoundData(uint80)", ROUND, number)
            assert found == (expected if isinstance(expected, str) else as_tuple(expected))
        assert outcome(self.view, "latestRoundData()", ROUND) == outcome(
            self.view, "getRoundData(uint80)", ROUND, latest
        )
        for number, slot in enumerate(model.slots):
            assert self.view("slot(uint256)", ("int256", "uint256", "uint256"), number) == as_tuple(slot)
        return quote


def as_tuple(value: Any) -> tuple[int, ...]:
    """The fields of a record in order."""
    return tuple(getattr(value, name) for name in value.__slots__)


def read_submitted(log: Log) -> Submitted:
    """The contract's event as the model's."""
    assert log.topics[0] == SUBMITTED
    return Submitted(int.from_bytes(log.topics[1], "big"), *decode(["uint256", "int256", "uint256"], log.data))
