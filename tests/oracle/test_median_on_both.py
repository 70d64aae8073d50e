"""Quorum medians in model and contract: configurations, random reports, refusals, every view; and the gas of a read."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from itertools import product

import pytest
from eth_abi import decode

from contracts_py.backend import eth_tester_provider
from contracts_py.bindings import call_data
from contracts_py.compile import CODE_LIMIT, Artifact, compile_all, read_sources
from contracts_py.errors import Reverted
from contracts_py.keys import address_of, private_key
from contracts_py.node import Node
from contracts_py.revm import RevmNode
from oracle.median import MAX_REPORTERS, Median, create_median
from protocol.env import Status
from tests.oracle.calls import ROUND, outcome
from tests.oracle.drawing import Draw
from tests.oracle.medians import HOUR, REPORTERS, START, MedianTwins, addresses, construction, median_of, submission

NAME = "oracles/Median"
EARLY = 100  # a chain so young that nothing can be an hour old
STEPS = 30
LARGEST = 2**127
INTRINSIC = 21_000
COLD_ACCOUNT = 2_600  # what a caller pays for a contract that its transaction has not touched yet


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    """The contract."""
    return compile_all(names=(NAME,))[NAME]


# --- configuration --------------------------------------------------------------------------------------------------


def test_configurations_on_both(artifact: Artifact) -> None:
    """MED-1: each border on both sides, and the views of what was set."""
    limits = product(
        (1, 5, 13, 14), (0, 1, 4, 5, 13, 14), (59, 60, 259_200, 259_201), (0, 60, 61), (0, 60, 61), (0, 18, 19)
    )
    node = RevmNode(START)
    allowed = 0
    for count, quorum, max_age, skew, ahead, decimals in limits:
        median = Median(addresses(count), quorum, max_age, skew, ahead, decimals, ())
        expected = outcome(create_median, addresses(count), quorum, max_age, skew, ahead, decimals)
        found = outcome(MedianTwins, artifact, median, START, node)
        if isinstance(expected, str):
            assert found == expected == "oracle/median-config"
            continue
        allowed += 1
        for name, value in (("quorum", quorum), ("max_age", max_age), ("skew", skew), ("faults", expected.faults)):
            assert found.view(f"{name}()", ("uint256",)) == (value,)
        assert found.view("decimals()", ("uint8",)) == (decimals,)
    assert allowed == 120


def test_reporters_on_both(artifact: Artifact) -> None:
    """MED-1: none twice, none of them nobody; listed by slot."""
    everybody = addresses(5)
    for place, intruder in product((0, 3, 4), (0, *everybody)):
        listed = tuple(intruder if i == place else one for i, one in enumerate(everybody))
        expected = outcome(create_median, listed, 3, HOUR, 0, 0, 8)
        found = outcome(MedianTwins, artifact, Median(listed, 3, HOUR, 0, 0, 8, ()))
        assert (found if isinstance(found, str) else None) == (expected if isinstance(expected, str) else None)
    twins = MedianTwins(artifact, median_of(5, 3))
    named = [int(twins.view("reporters(uint256)", ("address",), i)[0], 16) for i in range(5)]
    assert tuple(named) == everybody
    with pytest.raises(Reverted):
        twins.view("reporters(uint256)", ("address",), 5)
    assert twins.view("version()", ("uint256",)) == (1,)
    assert twins.view("ahead()", ("uint256",)) == (30,)
    assert twins.view("description()", ("string",)) == ("ETH / USD",)


# --- reports --------------------------------------------------------------------------------------------------------


def test_every_outcome_of_a_report_on_both(artifact: Artifact) -> None:
    """MED-2: refusals in their order, borders of answer and time, reports that change nothing."""
    twins = MedianTwins(artifact, median_of(3, 3))
    assert twins.submit("stranger", LARGEST, START) == "oracle/not-reporter"
    assert twins.submit(REPORTERS[3], 1, START) == "oracle/not-reporter"
    for answer, observed_at in product((LARGEST, -LARGEST - 1, 2**255 - 1, -(2**255)), (0, START)):
        assert twins.submit(REPORTERS[0], answer, observed_at) == "sys/domain"
    for observed_at in (0, START + 31, 2**40, 2**64 - 1):
        assert twins.submit(REPORTERS[0], 1, observed_at) is False
    twins.check()
    for answer, observed_at in ((LARGEST - 1, 1), (-LARGEST, START - 5), (-1, START), (0, START + 30)):
        assert twins.submit(REPORTERS[0], answer, observed_at) is True
        assert twins.submit(REPORTERS[0], 7, observed_at) is False
        twins.check()
    assert twins.submit(REPORTERS[0], 1, START + 31) is False
    twins.now += 1
    assert twins.submit(REPORTERS[0], 1, START + 31) is True


@pytest.mark.parametrize("start", [START, EARLY])
def test_every_status_and_border_on_both(artifact: Artifact, start: int) -> None:
    """MED-3 to MED-6: from no report to thirteen; fresh, skew and range each at its border."""
    twins = MedianTwins(artifact, median_of(13, 3, decimals=18), start)
    seen = Counter({twins.check().status: 1})
    assert outcome(twins.view, "latestRoundData()", ROUND) == "oracle/no-median"
    for number in range(13):
        twins.submit(REPORTERS[number], 2**96 - 3 + number, start - (number % 4))
        seen[twins.check().status] += 1
    for wait in (HOUR - 3, 1, 1, 1, 1, 1):
        twins.now += wait
        seen[twins.check().status] += 1
    for number, answer in enumerate((1, 0, 0, -1, -LARGEST, LARGEST - 1)):
        twins.submit(REPORTERS[number], answer, twins.now - (0, 600, 0, 599, 0, 601)[number])
        seen[twins.check().status] += 1
    assert seen.keys() == {0, Status.NO_QUORUM, Status.NON_POSITIVE, Status.OUT_OF_BOUNDS}


def tell(artifact: Artifact, name: str, story: int, node: RevmNode, seen: Counter[str]) -> None:
    """One median from its creation on: reports near every border, all views compared after each."""
    draw = Draw(f"{name} {story}")

    def pick(*choices: int) -> int:
        return draw.pick(choices)

    count = 1 + draw.below(MAX_REPORTERS)
    quorum = 1 + 2 * draw.below((count + 1) // 2)
    max_age, ahead, decimals = pick(60, 600, HOUR, 259_200), pick(0, 1, 30, 60), pick(0, 6, 8, 17, 18)
    skew = pick(0, 1, 30, max_age // 2, max_age)
    median = create_median(addresses(count), quorum, max_age, skew, ahead, decimals)
    start = pick(EARLY, START, START)
    twins = MedianTwins(artifact, median, start, node)
    unit, limit = 10**decimals, 2**96 // 10 ** (18 - decimals)
    for _ in range(STEPS):
        twins.now += pick(0, 0, 0, 1, 2, skew, skew + 1, max_age // 3)
        reporter = draw.below(count)
        last = twins.model.slots[reporter].observed_at
        near = 200 * unit + draw.below(unit)
        answer = pick(near, near, near, near, near, limit - 1, limit, 1, 0, -1, LARGEST - 1, LARGEST, -LARGEST)
        age = pick(0, 0, 0, 1, skew, skew + 1, max_age, max_age + 1, -ahead, -ahead - 1)
        observed_at = pick(*(max(twins.now - age, 0),) * 8, last, last + 1)
        sender = pick(*range(8))
        done = twins.submit("stranger" if sender == 0 else REPORTERS[reporter], answer, observed_at)
        quote = twins.check()
        seen[str(done)] += 1
        seen[f"status {quote.status}"] += 1
        seen["spread"] += quote.bid != quote.ask


OUTCOMES = {
    *("True", "False", "oracle/not-reporter", "sys/domain", "spread"),
    *(f"status {int(status)}" for status in (0, Status.NO_QUORUM, Status.NON_POSITIVE, Status.OUT_OF_BOUNDS)),
}


def test_random_reports_on_both(artifact: Artifact) -> None:
    """MED-1 to MED-6: twenty medians of thirty reports each."""
    seen: Counter[str] = Counter()
    for story in range(20):
        tell(artifact, "median", story, RevmNode(EARLY), seen)
    assert {key for key, count in seen.items() if count} == OUTCOMES


@pytest.mark.deep
def test_many_random_reports_on_both(artifact: Artifact) -> None:
    """MED-1 to MED-6: five hundred more."""
    seen: Counter[str] = Counter()
    for story in range(500):
        tell(artifact, "deep median", story, RevmNode(EARLY), seen)
    assert seen["True"] + seen["False"] > 10_000
    assert min(seen[key] for key in OUTCOMES) > 400


# --- sorting and gas ------------------------------------------------------------------------------------------------


@cache
def network() -> tuple[tuple[int, int], ...]:
    """The comparisons of the contract's sort, as its source has them."""
    source = read_sources()["modules/sorting.vy"]
    lines = re.findall(r"^    v\[(\d+)\], v\[(\d+)\] = self\._order\(v\[(\d+)\], v\[(\d+)\]\)$", source, re.MULTILINE)
    assert len(lines) == source.count("self._order(")
    assert all(line[:2] == line[2:] for line in lines)
    return tuple((int(line[0]), int(line[1])) for line in lines)


def test_the_comparisons_sort_whatever_there_is() -> None:
    """MED-4: a network of comparisons that sorts every row of zeros and ones sorts every row of numbers."""
    for row in range(2**MAX_REPORTERS):
        values = [row >> place & 1 for place in range(MAX_REPORTERS)]
        for low, high in network():
            values[low], values[high] = min(values[low], values[high]), max(values[low], values[high])
        assert values == sorted(values)


@pytest.mark.parametrize("left_out", range(48))
def test_no_comparison_is_superfluous(left_out: int) -> None:
    """MED-4: without any one of them, some row stays unsorted."""
    shorter = [pair for place, pair in enumerate(network()) if place != left_out]
    for row in range(2**MAX_REPORTERS):
        values = [row >> place & 1 for place in range(MAX_REPORTERS)]
        for low, high in shorter:
            if values[low] > values[high]:
                values[low], values[high] = values[high], values[low]
        if values != sorted(values):
            return
    raise AssertionError(left_out)


RISING, FALLING = tuple(range(13)), tuple(reversed(range(13)))
MIXED = (7, 3, 9, 1, 12, 5, 0, 11, 2, 10, 4, 8, 6)


@pytest.mark.parametrize("answers", [RISING, FALLING, MIXED])
@pytest.mark.parametrize("ages", [RISING, FALLING, MIXED])
def test_a_read_of_thirteen_reports_on_a_chain(
    artifact: Artifact, answers: tuple[int, ...], ages: tuple[int, ...]
) -> None:
    """MED-5: at most 60,000 gas with nothing touched before, the call from another contract included."""
    node = Node(eth_tester_provider(START))
    for name in ("deployer", *REPORTERS[:13]):
        node.fund(address_of(name))
    median = median_of(13, 7)
    contract = node.deploy(private_key("deployer"), artifact.bytecode, construction(median))
    for name, answer, age in zip(REPORTERS[:13], answers, ages, strict=True):
        receipt = node.send(private_key(name), contract, submission(200 * 10**8 + answer, START - age))
        assert receipt.succeeded
        assert receipt.gas_used <= 49_000
    data = call_data("quote(bytes32)", bytes(32))
    quote = decode(["uint256"] * 5, node.call(contract, data))
    assert quote == (200 * 10**18 + 6 * 10**10,) * 3 + (START - 3, 0)
    receipt = node.send(private_key("deployer"), contract, data)
    read = receipt.gas_used - INTRINSIC - sum(16 if byte else 4 for byte in data)
    assert 13 * 2_100 < read <= 53_000
    assert read + COLD_ACCOUNT <= 60_000
    again = node.send(private_key(REPORTERS[0]), contract, submission(1, START + 1))
    assert again.gas_used <= 32_000


def test_the_contract_is_small(artifact: Artifact) -> None:
    """MED-1: with room for more."""
    assert artifact.runtime_size <= CODE_LIMIT // 3
