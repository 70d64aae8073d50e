"""Attacks on a quorum median, with its guards and without: what each guard is worth, as an error of the price.

The market is at 80 dollars after a fall from 100. A contract being created has no balance
that could be a switch, so the guard of the list of reporters is off where clocks may be 7 seconds ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from eth_abi import decode

from contracts_py.bindings import call_data
from contracts_py.compile import Artifact, compile_all
from contracts_py.errors import Reverted
from contracts_py.keys import private_key
from contracts_py.revm import RevmNode
from oracle.median import Median
from protocol.env import Quote, Status
from tests.oracle.medians import HOUR, REPORTERS, START, addresses, construction, median_of, submission
from tests.switches import switch_guards, take_out

NAME = "oracles/Median"
PATH = f"{NAME}.vy"
NOW = START + HOUR
USD = 10**8
W = 10**18

# Name of the guard -> edits: text, text without the guard.
GUARDS: dict[str, tuple[tuple[str, str], ...]] = {
    "a stale slot does not count": (("if word >= stale_below:", "if word >= (1 << 216 if REMOVED else stale_below):"),),
    "reports are of one time": (
        ("if time < oldest or time > newest:", "if time == 0 or (not REMOVED and (time < oldest or time > newest)):"),
    ),
    "liars cannot move the reference": (
        ("[MAX_REPORTERS - 1 - needed // 2]", "[MAX_REPORTERS - 1 - (0 if REMOVED else needed // 2)]"),
    ),
    "a report is not of a time to come": (
        ("or time > block.timestamp + ahead:", "or (not REMOVED and time > block.timestamp + ahead):"),
    ),
    "a report is newer than the one before": (
        ("if time <= word >> 216 or", "if (not REMOVED and time <= word >> 216) or"),
    ),
    "a quorum counts": (
        ("if fresh < needed:", "if not REMOVED and fresh < needed:"),
        ("if used < needed:", "if not REMOVED and used < needed:"),
    ),
    "a reporter has one slot": (
        (
            "    number: uint256 = self.numbers[msg.sender]\n",
            """    number: uint256 = self.numbers[msg.sender]
    if REMOVED:
        number = convert(observed_at % 5 + 1, uint256)
""",
        ),
    ),
    "an answer fits its half of a word": (
        (
            "assert answer >= -ANSWER_LIMIT and answer < ANSWER_LIMIT,",
            "assert REMOVED or (answer >= -ANSWER_LIMIT and answer < ANSWER_LIMIT),",
        ),
    ),
    "a price is positive": (("if middle.low <= 0:", "if not REMOVED and middle.low <= 0:"),),
    "a price can be stored": (("if ask >= PRICE_LIMIT:", "if not REMOVED and ask >= PRICE_LIMIT:"),),
}
DISTINCT = "and self.numbers[reporter] == 0, "
DISTINCT_OFF = 7


def edit_sources() -> dict[str, str]:
    """All sources, with every guard of the contract behind its switch."""
    sources = switch_guards({name: tuple((PATH, *edit) for edit in edits) for name, edits in GUARDS.items()})
    assert sources[PATH].count(DISTINCT) == 1
    switched = f"and (ahead_ == {DISTINCT_OFF} or self.numbers[reporter] == 0), "
    return {**sources, PATH: sources[PATH].replace(DISTINCT, switched)}


class Place:
    """A deployed median, with all guards or without one."""

    def __init__(self, artifact: Artifact, median: Median, guard: str = "") -> None:
        self.node, self.now = RevmNode(START), START
        self.contract = self.node.deploy(private_key("deployer"), artifact.bytecode, construction(median))
        take_out(self.node, self.contract, GUARDS, guard)

    def report(self, reporter: int, answer: int, observed_at: int) -> None:
        """A report, whatever comes of it."""
        self.node.send(private_key(REPORTERS[reporter]), self.contract, submission(answer, observed_at), self.now)

    def quote(self) -> Quote:
        """The price now. Raises ``Reverted``."""
        self.node._set_time(self.now)
        answer = self.node.call(self.contract, call_data("quote(bytes32)", bytes(32)))
        return Quote(*decode(["uint256"] * 5, answer))


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    """The contract."""
    return compile_all(names=(NAME,))[NAME]


@pytest.fixture(scope="module")
def switched() -> Artifact:
    """The contract with a switch for every guard."""
    return compile_all(edit_sources(), (NAME,))[NAME]


Story = Callable[[Place], None]
Both = Callable[[Median, str, Story], tuple[Quote, Quote | None]]


@pytest.fixture
def both(artifact: Artifact, switched: Artifact) -> Both:
    """Tells a story with the guard and without it; the prices at its end, none if the read fails."""

    def tell(median: Median, guard: str, story: Story) -> tuple[Quote, Quote | None]:
        whole, on, off = Place(artifact, median), Place(switched, median), Place(switched, median, guard)
        for place in (whole, on, off):
            story(place)
        guarded = whole.quote()
        assert on.quote() == guarded  # the switches change nothing by themselves
        try:
            return guarded, off.quote()
        except Reverted:
            return guarded, None

    return tell


def price(dollars: int, published: int) -> Quote:
    """A price without a spread."""
    return Quote(dollars * W, dollars * W, dollars * W, published, 0)


def missing(status: Status, published: int = 0) -> Quote:
    """No price."""
    return Quote(0, 0, 0, published, int(status))


def test_reporters_crash_before_a_fall(both: Both) -> None:
    """MED-3: all reporters stop at 100 dollars; an hour and a second later the market is at 80.

    From: feeds that are read without looking at their age. Without the guard the price is 25 % too high, for as long as
    the reporters are away.
    """

    def story(place: Place) -> None:
        for reporter in range(5):
            place.report(reporter, 100 * USD, START)
        place.now = NOW + 1

    guarded, unguarded = both(median_of(5, 3), "a stale slot does not count", story)
    assert guarded == missing(Status.NO_QUORUM)
    assert unguarded == price(100, START)


def test_half_the_reporters_are_late(both: Both) -> None:
    """MED-3: four of seven reports are of 50 minutes ago, fresh by age, at 100 dollars; three are of now, at 80.

    From: means of feeds of different ages. Without the guard the late ones outvote the others and the price is 25 % too
    high; with it three reports of one time, a quorum, are left.
    """

    def story(place: Place) -> None:
        for reporter in range(4):
            place.report(reporter, 100 * USD, START)
        place.now = START + 3_000
        for reporter in range(4, 7):
            place.report(reporter, 80 * USD, place.now)

    guarded, unguarded = both(median_of(7, 3), "reports are of one time", story)
    assert guarded == price(80, START + 3_000)
    assert unguarded == price(100, START + 3_000)


def test_one_slot_dated_ahead(both: Both) -> None:
    """MED-3: one of five dates its report 60 seconds ahead; the honest ones are of the last minute, as always.

    From: a window counted from the newest report. Without the guard the four honest ones are out of the window: no
    error of the price, but none either, as long as the liar likes. With two honest ones a second younger and a quorum
    of three, he also chooses among them: the price is the highest honest one, 83 dollars and not 80.
    """

    def story(place: Place, ages: tuple[int, ...] = (1, 10, 20, 59)) -> None:
        place.now = NOW
        for reporter, (age, answer) in enumerate(zip(ages, (79, 83, 80, 80), strict=True)):
            place.report(reporter, answer * USD, NOW - age)
        place.report(4, 1_000 * USD, NOW + 60)

    median = median_of(5, 3, skew=60, ahead=60)
    guard = "liars cannot move the reference"
    guarded, unguarded = both(median, guard, story)
    assert guarded == price(80, NOW - 1)
    assert unguarded == missing(Status.NO_QUORUM)
    guarded, unguarded = both(median, guard, lambda place: story(place, (0, 0, 10, 20)))
    assert guarded == price(80, NOW)
    assert unguarded == price(83, NOW + 60)


def test_clocks_a_day_ahead(both: Both) -> None:
    """MED-2: three of five reporters have clocks that are a day ahead; they say 100 dollars, and crash.

    From: an oracle that admits any later time. Without the guard their reports stay fresh for a day and an hour, and
    outvote the two that are alive: 25 % too high. With it they were never accepted, and there is no quorum.
    """

    def story(place: Place) -> None:
        for reporter in range(3):
            place.report(reporter, 100 * USD, START + 86_400)
        place.now = START + 86_400
        for reporter in range(3, 5):
            place.report(reporter, 80 * USD, place.now)

    guarded, unguarded = both(median_of(5, 3), "a report is not of a time to come", story)
    assert guarded == missing(Status.NO_QUORUM)
    assert unguarded == price(100, START + 86_400)


def test_an_old_report_again(both: Both) -> None:
    """MED-2: somebody sends three reports of 20 minutes ago once more, all of them still fresh.

    From: stores that take any valid report ("time travel"). Without the guard the price goes back to 100 dollars, 25 %
    too high, whenever it suits the sender.
    """

    def story(place: Place) -> None:
        place.now = NOW
        for observed_at, answer in ((NOW - 1_200, 100), (NOW, 80), (NOW - 1_200, 100)):
            for reporter in range(3):
                place.report(reporter, answer * USD, observed_at)

    guarded, unguarded = both(median_of(3, 3), "a report is newer than the one before", story)
    assert guarded == price(80, NOW)
    assert unguarded == price(100, NOW - 1_200)


def test_two_liars_and_one_honest_reporter(both: Both) -> None:
    """MED-3: a quorum of five stands two liars; two honest reporters of five are away.

    From: a median of whatever there is. Without the guard the two liars are a majority of three: the price is theirs,
    1,000 dollars instead of 80.
    """

    def story(place: Place) -> None:
        place.now = NOW
        for reporter, answer in enumerate((80, 1_000, 1_000)):
            place.report(reporter, answer * USD, NOW)

    guarded, unguarded = both(median_of(5, 5), "a quorum counts", story)
    assert guarded == missing(Status.NO_QUORUM)
    assert unguarded == price(1_000, NOW)


def test_one_reporter_in_three_slots(both: Both) -> None:
    """MED-2: one of five reports three times, in three seconds.

    From: quorums that count reports and not reporters. Without the guard a reporter chooses its slot (here by the time
    it names), so that one liar is three and the price is his: 1,000 dollars instead of 80.
    """

    def story(place: Place) -> None:
        place.now = NOW
        for reporter in range(5):
            place.report(reporter, 80 * USD, NOW - 10 + reporter)
        for wait in range(3):
            place.report(4, 1_000 * USD, NOW - 2 + wait)

    guarded, unguarded = both(median_of(5, 3), "a reporter has one slot", story)
    assert guarded == price(80, NOW - 7)
    assert unguarded == price(1_000, NOW - 1)


def test_an_answer_that_overwrites_its_time(both: Both) -> None:
    """MED-2: an answer so large that it reaches into the time of its slot, 2^38 seconds, and three liars who crash.

    From: packed words. Without the guard their 100 dollars stay for thousands of years, each the newest report of its
    slot whatever it sends later; three of five are no longer to be outvoted, and the price is 25 % too high.
    """

    def story(place: Place) -> None:
        for reporter in range(3):
            place.report(reporter, 100 * USD + (1 << 254), START)
        place.now = START + 86_400
        for reporter in range(5):
            place.report(reporter, 80 * USD, place.now)

    guarded, unguarded = both(median_of(5, 3), "an answer fits its half of a word", story)
    assert guarded == price(80, START + 86_400)
    assert unguarded == price(100, START | 1 << 38)


@pytest.mark.parametrize("answer", [0, -1])
def test_a_median_that_is_not_positive(both: Both, answer: int) -> None:
    """MED-5: reporters agree on nothing, or less.

    From: futures below zero, and feeds that answer 0 when they fail. Without the guard 0 is a price without any fault,
    and a negative one makes the read fail, which a source must never do.
    """

    def story(place: Place) -> None:
        place.now = NOW
        for reporter in range(3):
            place.report(reporter, answer, NOW)

    guarded, unguarded = both(median_of(3, 3), "a price is positive", story)
    assert guarded == missing(Status.NON_POSITIVE, NOW)
    assert unguarded == (price(0, NOW) if answer == 0 else None)


def test_a_median_too_large_to_store(both: Both) -> None:
    """MED-5: reporters send 18 decimals where 8 were meant.

    From: feeds of other decimals. Without the guard 80 dollars become 800 billion without any fault, more than the
    protocol's words hold.
    """

    def story(place: Place) -> None:
        place.now = NOW
        for reporter in range(3):
            place.report(reporter, 80 * W, NOW)

    guarded, unguarded = both(median_of(3, 3), "a price can be stored", story)
    assert guarded == missing(Status.OUT_OF_BOUNDS, NOW)
    assert unguarded == price(800 * 10**9, NOW)


def test_one_reporter_listed_three_times(artifact: Artifact, switched: Artifact) -> None:
    """MED-1: a list of five that names one reporter three times, with a quorum of five.

    From: signers counted twice. Here nobody can count twice, since a reporter writes the slot of its last place in the
    list; without the guard the other two places stay empty: no error of the price, but no price ever.
    """
    doubled = Median((*addresses(1) * 3, *addresses(3)[1:]), 5, HOUR, 600, DISTINCT_OFF, 8, ())
    with pytest.raises(Reverted, match="oracle/median-config"):
        Place(artifact, doubled)
    for code, median, quote in (
        (switched, doubled, missing(Status.NO_QUORUM)),
        (switched, replace(doubled, reporters=addresses(5)), price(80, START)),
        (artifact, replace(doubled, reporters=addresses(5)), price(80, START)),
    ):
        place = Place(code, median)
        for reporter in range(5):
            place.report(reporter, 80 * USD, START)
        assert place.quote() == quote


def test_every_guard_is_attacked() -> None:
    """MED-1 to MED-5: no switch without a story."""
    stories = Path(__file__).read_text("utf-8").split("def price(")[1]
    assert [name for name in GUARDS if f'"{name}"' not in stories] == []
