"""Reporters in scenarios: the plain steps that an entry stands for, and what a tape drives."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts_py.keys import address_of
from crossmargin.library import PARAMETERS
from crossmargin.parameters import load_parameters
from crossmargin.replay.run import plan_timeline
from crossmargin.reporters import Strategy
from crossmargin.scenario_records import Scenario
from oracle.feeds import Push
from oracle.median import Submit
from oracle.pull import UpdatePriceFeeds
from oracle.signing import PriceReport, decode_payload
from oracle.sources import AtSource
from tests.crossmargin.loading import START, Loader

HEADER = "title: t\nparams: sources\nstart: 2020-03-12T00:00:00Z\n"
TAPE = """\
# title: t
# venue: v
# instruments: i
# window: w
# rule: r
# decimals: 2
time,feed,price
1583971200,ETH,200
1583971260,ETH,201.5
1583971320,ETH,199
"""
MEDIAN = "source: btc_reporters, truth: {0s: 100, 1m: 110, 2m: 120}"
PULL = "source: eth_reports, feed_id: ETH/USD, truth: {0s: 100, 1m: 110, 2m: 120}"
SIGNERS = next(one for one in load_parameters(PARAMETERS.find("sources")).sources if one.name == "eth_reports").people


@pytest.fixture
def load(tmp_path: Path) -> Loader:
    (tmp_path / "told.csv").write_text(TAPE, encoding="utf-8")
    return Loader(tmp_path)


def entry(load: Loader, text: str, more: str = "") -> Scenario:
    """A scenario with one entry of reporters."""
    return load(f"{HEADER}{more}reporters:\n  - {{{text}}}\n")


def submitted(scenario: Scenario) -> list[tuple[int, str, int, int]]:
    """Of every report to a median: when it is sent and by whom, its whole price, and how old it is."""
    found = []
    for step in scenario.steps:
        assert isinstance(step.action, AtSource)
        report = step.action.action
        assert isinstance(report, Submit)
        found.append((step.at - START, step.sender, report.answer // 10**8, step.at - report.observed_at))
    return found


def brought(scenario: Scenario) -> list[tuple[int, int, int]]:
    """Of every signed report: when it is brought, its whole price and how old it is."""
    found = []
    for step in scenario.steps:
        assert isinstance(step.action, AtSource)
        assert isinstance(step.action.action, UpdatePriceFeeds)
        assert (step.sender, step.action.action.value) == ("relay", 10)
        report: PriceReport = decode_payload(step.action.action.payloads[0], 3)
        found.append((step.at - START, report.price // 10**8, step.at - report.publish_time))
    return found


def test_everybody_reports_a_new_truth(load: Loader) -> None:
    told = submitted(entry(load, MEDIAN))
    assert told == [(60 * n, f"reporter_{k}", 100 + 10 * n, 0) for n in range(3) for k in range(1, 6)]


def test_or_as_often_as_is_said_up_to_an_end(load: Loader) -> None:
    told = submitted(entry(load, MEDIAN + ", every: 40s, ends: 90s"))
    assert [(at, price) for at, name, price, _ in told if name == "reporter_1"] == [(0, 100), (40, 100), (80, 110)]


@pytest.mark.parametrize(
    ("strategy", "price", "age"),
    [
        ("low", 108, 0),
        ("high", 132, 0),
        ("delay", 110, 30),
        ("post_date", 120, -30),
        ("replay", 110, 60),
        ("frozen", 110, 0),
        ("wrong_decimals", 1_200, 0),
    ],
)
def test_the_last_of_them_follow_a_strategy(load: Loader, strategy: str, price: int, age: int) -> None:
    faults = f", faulty: 2, strategy: {strategy}, since: 1m, push: 0.1, lag: 30s, decimals: 1"
    told = [one for one in submitted(entry(load, MEDIAN + faults)) if one[0] == 120]
    assert told == [
        *((120, f"reporter_{k}", 120, 0) for k in (1, 2, 3)),
        *((120, f"reporter_{k}", price, age) for k in (4, 5)),
    ]


def test_every_strategy_is_offered(load: Loader) -> None:
    for strategy in Strategy:
        assert entry(load, f"{MEDIAN}, faulty: 1, strategy: {strategy.value}").steps


def test_those_who_crash_report_nothing_and_in_an_outage_nobody_does(load: Loader) -> None:
    told = submitted(
        entry(
            load, MEDIAN + ", faulty: 2, strategy: crash, outages: [{begins: 1m, ends: 119s}, {begins: 3m, ends: 4m}]"
        )
    )
    assert {at for at, *_ in told} == {0, 120}
    assert {name for _, name, *_ in told} == {"reporter_1", "reporter_2", "reporter_3"}


def test_one_looks_at_a_venue_apart(load: Loader) -> None:
    told = submitted(entry(load, MEDIAN + ", wick: {reporter: 1, begins: 1m, ends: 2m, price: 0.3}"))
    assert [(at, price) for at, name, price, _ in told if name == "reporter_2"] == [(0, 100), (60, 33), (120, 120)]


def test_the_same_file_is_the_same_run_and_another_seed_another(load: Loader) -> None:
    noisy = MEDIAN + ", noise: 0.01"
    assert entry(load, noisy).steps == entry(load, noisy).steps
    assert entry(load, noisy).steps != entry(load, noisy + ", seed: other").steps


def test_signed_reports_are_a_chain(load: Loader) -> None:
    scenario = entry(load, PULL)
    assert brought(scenario) == [(0, 100, 0), (60, 110, 0), (120, 120, 0)]
    actions = [step.action.action for step in scenario.steps if isinstance(step.action, AtSource)]
    payloads = [action.payloads[0] for action in actions if isinstance(action, UpdatePriceFeeds)]
    assert [decode_payload(one, 3).prev_publish_time for one in payloads] == [0, START, START + 60]


def test_late_reports_are_a_chain_of_their_own_times(load: Loader) -> None:
    scenario = entry(load, f"{PULL}, every: 20s, faulty: 3, strategy: delay, since: 1m, lag: 30s")
    actions = [step.action.action for step in scenario.steps if isinstance(step.action, AtSource)]
    reports = [decode_payload(one.payloads[0], 3) for one in actions if isinstance(one, UpdatePriceFeeds)]
    times = [one.publish_time for one in reports]
    assert [one.prev_publish_time for one in reports] == [0, *times[:-1]]


@pytest.mark.parametrize(
    ("faults", "found"),
    [
        ("faulty: 1, strategy: high", [(120, 120, 0)]),  # he signs alone, which is nothing
        ("faulty: 2, strategy: crash", []),  # two honest signers are too few
        ("faulty: 3, strategy: high", [(120, 132, 0)]),
        ("faulty: 4, strategy: low", [(120, 108, 0)]),
        ("strategy: replay", [(120, 120, 0), (120, 110, 60)]),
    ],
)
def test_liars_need_to_be_as_many_as_sign(load: Loader, faults: str, found: list[tuple[int, int, int]]) -> None:
    told = brought(entry(load, f"{PULL}, since: 1m, push: 0.1, {faults}"))
    assert [one for one in told if one[0] == 120] == found


def test_reports_stand_before_what_is_done_in_their_second(load: Loader) -> None:
    steps = "steps:\n  - {at: 0s, by: x, update: {source: eth_slow}}\n  - {at: 1m, by: x, update: {source: eth_slow}}\n"
    scenario = load(f"{HEADER}reporters:\n  - {{{PULL}}}\n{steps}")
    assert [(step.at - START, step.sender) for step in scenario.steps] == [
        *((0, "relay"), (0, "x"), (60, "relay"), (60, "x"), (120, "relay"))
    ]


# --- a tape -----------------------------------------------------------------------------------------------------------


def pushes(scenario: Scenario) -> list[tuple[int, tuple[str, ...], int]]:
    """Of every round of the tape: when it is, the feeds it pushes, and the first answer."""
    names = [feed.name for feed in scenario.params.feeds]
    return [
        (one.time - START, tuple(names[feed] for feed in one.action.feeds), one.action.answers[0])
        for one in plan_timeline(scenario)
        if isinstance(one.action, Push)
    ]


def test_a_column_drives_the_feeds_it_is_said_to(load: Loader) -> None:
    scenario = load(HEADER + "tape: ./told.csv\ndrives: {ETH: [ETH_RAW]}\n")
    assert pushes(scenario) == [
        (60 * n, ("ETH_RAW",), answer * 10**7) for n, answer in enumerate((2_000, 2_015, 1_990))
    ]


def test_a_column_that_reporters_report_needs_no_feed(load: Loader) -> None:
    scenario = entry(load, "source: eth_reports, feed_id: ETH/USD, truth: ETH", "tape: ./told.csv\n")
    assert pushes(scenario) == []
    assert brought(scenario) == [(0, 200, 0), (60, 201, 0), (120, 199, 0)]
    both = entry(
        load, "source: eth_reports, feed_id: ETH/USD, truth: ETH", "tape: ./told.csv\ndrives: {ETH: [ETH_RAW]}\n"
    )
    assert len(pushes(both)) == len(brought(both)) == 3


WRONG = {
    "tape: ./told.csv\n": "the tape has rounds of `ETH`, which is made of other feeds in `sources`",
    "tape: ./told.csv\ndrives: {BTC: [ETH_RAW]}\n": "unknown column of the tape `BTC`",
    "drives: {ETH: [ETH_RAW]}\n": "there is no tape to drive anything",
    "tape: ./told.csv\ndrives: {ETH: [ETH_RAW, ETH_RAW]}\n": "feed `ETH_RAW` is driven by `ETH` already",
    "tape: ./told.csv\ndrives: {ETH: [RATE_1]}\n": "feed `RATE_1` has 18 decimals in `sources`, a tape has 8",
    "tape: ./told.csv\ndrives: {ETH: [ETH_ROW]}\n": "has no such feed",
    "reporters:\n  - {source: eth_slow, truth: {0s: 1}}\n": "`eth_slow` is another kind of source",
    "reporters:\n  - {source: btc_reporters, truth: BTC}\n": "unknown column of a tape `BTC`",
    "reporters:\n  - {source: btc_reporters, truth: {}}\n": "there is no price here",
    "reporters:\n  - {source: btc_reporters, truth: {0s: 1}, faulty: 6}\n": "there are only 5 of them",
    "reporters:\n  - {source: btc_reporters, truth: {0s: 1}, feed_id: a}\n": "reports to a pull source need feed_id",
    "reporters:\n  - {source: btc_reporters, truth: {0s: 1}, every: 0s}\n": "this would be 0s",
    "reporters:\n  - {source: btc_reporters, truth: {0s: 1}, strategy: lie}\n": "unknown strategy `lie`",
    "reporters:\n  - {source: btc_reporters, truth: {0s: 1}, strategy: low}\n": "nobody follows it",
    f"reporters:\n  - {{{MEDIAN}, outages: [{{begins: 1m, ends: 1m}}]}}\n": "it ends before it begins",
    f"reporters:\n  - {{{PULL}, wick: {{reporter: 1, begins: 0s, ends: 1m, price: 1}}}}\n": "nobody looks at a venue",
}


@pytest.mark.parametrize(("text", "message"), WRONG.items())
def test_what_is_wrong_is_said(load: Loader, text: str, message: str) -> None:
    error = load.failure(HEADER + text)
    assert error.line >= 4
    assert message in str(error)


def test_names_of_signers_are_those_of_the_set() -> None:
    assert sorted(SIGNERS) == ["signer_1", "signer_2", "signer_3", "signer_4"]
    assert list(SIGNERS) == sorted(SIGNERS, key=address_of)
