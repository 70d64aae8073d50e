"""Faults of reporters: what each strategy submits, and what the median makes of it at its bound and beyond."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts_py.compile import Artifact, compile_all
from crossmargin.reporters import MILLION, Reporters, Strategy, Wick, draw_noise, is_faulty, make_report, observe
from oracle.median import Median, Submit, get_median_quote, get_used_slots
from protocol.env import Quote, Status
from tests.oracle.medians import REPORTERS, START, MedianTwins, median_of, submit

USD = 10**8
SCALE = 10**10
EVERY = 60
HONEST = Reporters("test", count=7, faulty=0, strategy=Strategy.HONEST, since=START)
FAULTY = replace(HONEST, faulty=2, push=1_000, lag=30, decimals=10)


def falling(time: int) -> int:
    """8,000 dollars at first, and a dollar less every three seconds."""
    return 8_000 * USD - (time - START) * USD // 3


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    """The contract."""
    return compile_all(names=("oracles/Median",))["oracles/Median"]


# --- what they submit -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.HONEST, Submit(7_900 * USD, START + 300)),
        (Strategy.CRASH, None),
        (Strategy.LOW, Submit(7_110 * USD, START + 300)),
        (Strategy.HIGH, Submit(8_690 * USD, START + 300)),
        (Strategy.DELAY, Submit(7_910 * USD, START + 270)),
        (Strategy.REPLAY, Submit(8_000 * USD, START)),
        (Strategy.POST_DATE, Submit(7_900 * USD, START + 330)),
        (Strategy.WRONG_DECIMALS, Submit(7_900 * 10**18, START + 300)),
        (Strategy.FROZEN, Submit(8_000 * USD, START + 300)),
    ],
)
def test_a_strategy_gives_this_report(strategy: Strategy, expected: Submit | None) -> None:
    reporters = replace(FAULTY, strategy=strategy)
    assert make_report(reporters, falling, 6, START + 300) == expected
    # The others are honest, and so is everybody before the fault sets in.
    assert make_report(reporters, falling, 4, START + 300) == Submit(7_900 * USD, START + 300)
    before = replace(reporters, since=START + 301)
    assert make_report(before, falling, 6, START + 300) == Submit(7_900 * USD, START + 300)


def test_a_split_coalition_pulls_both_ways() -> None:
    split = replace(FAULTY, strategy=Strategy.SPLIT)
    assert make_report(split, falling, 5, START) == Submit(8_800 * USD, START)
    assert make_report(split, falling, 6, START) == Submit(7_200 * USD, START)


def test_a_price_can_have_too_few_decimals() -> None:
    wrong = replace(FAULTY, strategy=Strategy.WRONG_DECIMALS, decimals=-3)
    assert make_report(wrong, lambda _: 1_999, 6, START) == Submit(1, START)


def test_the_last_reporters_are_the_faulty_ones() -> None:
    assert [is_faulty(FAULTY, reporter) for reporter in range(7)] == [False] * 5 + [True] * 2
    assert not any(is_faulty(HONEST, reporter) for reporter in range(7))


def test_noise_is_drawn_from_seed_reporter_and_time() -> None:
    # sha256("test|0|1600000000") and so on, modulo 1,001, less 500: the same on every machine.
    noisy = replace(HONEST, noise=500)
    assert [draw_noise(noisy, reporter, START) for reporter in range(7)] == [-321, -184, 164, -152, -11, -372, 428]
    assert draw_noise(noisy, 0, START + 1) == 164
    assert draw_noise(replace(noisy, seed="other"), 0, START) == 450
    assert [observe(noisy, falling, reporter, START) - 8_000 * USD for reporter in range(2)] == [
        8_000 * USD * -321 // MILLION,
        8_000 * USD * -184 // MILLION,
    ]


def test_noise_is_anything_up_to_its_limit() -> None:
    little = replace(HONEST, noise=3)
    assert {draw_noise(little, 0, START + wait) for wait in range(100)} == set(range(-3, 4))
    assert draw_noise(HONEST, 3, START) == 0


def test_a_wick_is_seen_by_one_reporter_for_a_while() -> None:
    wicked = replace(HONEST, wick=Wick(reporter=1, begins=START + 60, ends=START + 120, price=6_500))
    assert [observe(wicked, falling, 1, START + wait) // USD for wait in (59, 60, 119, 120)] == [
        7_980,
        5_187,
        5_174,
        7_960,
    ]
    assert observe(wicked, falling, 0, START + 60) == 7_980 * USD


# --- what the median makes of them ----------------------------------------------------------------------------------


def tell(twins: MedianTwins, reporters: Reporters, last: int, first: int = 0) -> Quote:
    """Every reporter reports once a minute, to model and contract alike; the last quote."""
    quote = twins.check()
    for minute in range(first, last + 1):
        twins.now = START + minute * EVERY
        for reporter in range(reporters.count):
            report = make_report(reporters, falling, reporter, twins.now)
            if report is not None:
                twins.submit(REPORTERS[reporter], report.answer, report.observed_at)
        quote = twins.check()
        check_bound(twins.model, reporters, quote, twins.now)
    return quote


def check_bound(median: Median, reporters: Reporters, quote: Quote, now: int) -> None:
    """MED-3, MED-4: with as many faults as may be, a price lies among the honest reports that count."""
    if reporters.faulty > median.faults or quote.status != 0:
        return
    used, _ = get_used_slots(median, now)
    honest = [
        slot.answer for reporter, slot in enumerate(median.slots) if not is_faulty(reporters, reporter) and slot in used
    ]
    assert min(honest) * SCALE <= quote.bid <= quote.ask <= max(honest) * SCALE


MINUTES = 15
NOISE = 1_000  # a tenth of a percent
TRUE = falling(START + MINUTES * EVERY)
OLD = falling(START)
NO_PRICE = range(1)


def around(price: int) -> range:
    """Prices that noise can make of one."""
    return range(price - price * NOISE // MILLION - 1, price + price * NOISE // MILLION + 2)


NOISY = replace(HONEST, noise=NOISE)
CASES = {
    # A strategy and its settings; the last price with four of seven reporters at fault, and its status.
    "crash": (replace(NOISY, strategy=Strategy.CRASH), NO_PRICE, Status.NO_QUORUM),
    "low": (replace(NOISY, strategy=Strategy.LOW, push=5_000), around(TRUE // 2), 0),
    "high": (replace(NOISY, strategy=Strategy.HIGH, push=90_000), around(TRUE * 10), 0),
    # The two sides of the coalition hold each other.
    "split": (replace(NOISY, strategy=Strategy.SPLIT, push=5_000), around(TRUE), 0),
    # Within the skew the price is as old as the delay; beyond it only the three in time are left.
    "late": (replace(NOISY, strategy=Strategy.DELAY, lag=540), around(TRUE + 180 * USD), 0),
    "too late": (replace(NOISY, strategy=Strategy.DELAY, lag=660), NO_PRICE, Status.NO_QUORUM),
    "replay": (replace(NOISY, strategy=Strategy.REPLAY), NO_PRICE, Status.NO_QUORUM),
    # Within what clocks may differ nothing happens; beyond it the reports change nothing, as if there were none.
    "a little ahead": (replace(NOISY, strategy=Strategy.POST_DATE, lag=30), around(TRUE), 0),
    "ahead": (replace(NOISY, strategy=Strategy.POST_DATE, lag=31), NO_PRICE, Status.NO_QUORUM),
    "too many decimals": (
        replace(NOISY, strategy=Strategy.WRONG_DECIMALS, decimals=10),
        NO_PRICE,
        Status.OUT_OF_BOUNDS,
    ),
    "too few decimals": (replace(NOISY, strategy=Strategy.WRONG_DECIMALS, decimals=-2), around(TRUE // 100), 0),
    "no decimals": (replace(NOISY, strategy=Strategy.WRONG_DECIMALS, decimals=-30), NO_PRICE, Status.NON_POSITIVE),
    "frozen": (replace(NOISY, strategy=Strategy.FROZEN), around(OLD), 0),
}


@pytest.mark.parametrize("name", CASES)
def test_faults_within_the_bound_leave_an_honest_price(artifact: Artifact, name: str) -> None:
    """MED-3, MED-4: two of seven, with a quorum of five: the true price all the time, whatever they do."""
    quote = tell(MedianTwins(artifact, median_of(7, 5)), replace(CASES[name][0], faulty=2), MINUTES)
    assert quote.status == 0
    assert quote.bid // SCALE in around(TRUE)
    assert quote.ask // SCALE in around(TRUE)


@pytest.mark.parametrize("name", CASES)
def test_faults_of_a_majority_set_the_price_or_take_it_away(artifact: Artifact, name: str) -> None:
    """MED-3, MED-4: four of seven: what each strategy gains, so that the bound above is no accident."""
    reporters, prices, status = CASES[name]
    quote = tell(MedianTwins(artifact, median_of(7, 5)), replace(reporters, faulty=4), MINUTES)
    assert quote.status == status
    assert quote.bid // SCALE in prices
    assert quote.ask // SCALE in prices


@pytest.mark.parametrize(("faulty", "status"), [(2, 0), (3, int(Status.NO_QUORUM))])
def test_a_quorum_survives_as_many_crashes_as_it_leaves_out(artifact: Artifact, faulty: int, status: int) -> None:
    """MED-3: m <= n - f: seven less two are five, the quorum."""
    reporters = replace(HONEST, faulty=faulty, strategy=Strategy.CRASH)
    assert tell(MedianTwins(artifact, median_of(7, 5)), reporters, 5).status == status


def test_one_fault_beyond_half_of_a_quorum_can_set_the_price(artifact: Artifact) -> None:
    """MED-1, MED-4: three liars of seven, and two honest reporters that happen to be away: the quorum is theirs."""
    for faulty, price in ((2, falling(START)), (3, falling(START) // 2)):
        reporters = replace(HONEST, faulty=faulty, strategy=Strategy.LOW, push=5_000)
        twins = MedianTwins(artifact, median_of(7, 5))
        for reporter in range(2, 7):
            report = make_report(reporters, falling, reporter, START)
            assert report is not None
            twins.submit(REPORTERS[reporter], report.answer, report.observed_at)
        assert twins.check().mid == price * SCALE


def test_a_wick_of_one_venue_does_not_reach_the_price(artifact: Artifact) -> None:
    """MED-4: a venue falls to 65 % of the price of all others, and one reporter lies: together two faults of two."""
    wick = Wick(reporter=0, begins=START + 120, ends=START + 600, price=6_500)
    reporters = replace(HONEST, faulty=1, strategy=Strategy.LOW, push=5_000, noise=NOISE, wick=wick)
    twins = MedianTwins(artifact, median_of(7, 5))
    for first, last in ((0, 1), (2, 3), (4, 9), (10, 11)):
        quote = tell(twins, reporters, last, first)
        assert quote.bid // SCALE in around(falling(twins.now))
        wicked = twins.model.slots[0].answer in around(falling(twins.now) * 65 // 100)
        assert wicked is (last in {3, 9})


@pytest.mark.parametrize("strategy", Strategy)
def test_the_bound_holds_for_medians_of_any_size(strategy: Strategy) -> None:
    """MED-3, MED-4: every count and quorum, as many faults as may be, half an hour; the model alone."""
    for count in range(1, 14):
        for quorum in range(1, count + 1, 2):
            median = median_of(count, quorum, skew=120)
            faulty = min(median.faults, count - quorum)
            reporters = replace(
                NOISY,
                strategy=strategy,
                count=count,
                faulty=faulty,
                since=START + 300,
                push=3_000,
                lag=90,
                decimals=-2,
            )
            for minute in range(0, 30, 3):
                now = START + minute * EVERY
                for reporter in range(count):
                    report = make_report(reporters, falling, reporter, now)
                    if report is not None:
                        median = submit(median, now, reporter, report.answer, report.observed_at)
                quote = get_median_quote(median, now)
                assert quote.status == 0
                check_bound(median, reporters, quote, now)
