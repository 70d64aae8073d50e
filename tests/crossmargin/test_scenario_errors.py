"""What is said of a wrong scenario file and of the files it names, where, and in what words."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossmargin.errors import InputError
from crossmargin.library import PARAMETERS
from crossmargin.parameters import load_parameters
from crossmargin.scenario import load_scenario
from oracle.feeds import SetFeed, SetRateFeed
from tests.crossmargin.loading import ACCOUNTS, DATA, HEADER, Loader, address_of

BAD_FILES = {
    "not a mapping": ("- a\n", 1, 1, "keys and values are needed here, not a list"),
    "text": ("scenario\n", 1, 1, "keys and values are needed here, not the text `scenario`"),
    "no title": ("params: reference\n", 1, 1, "the key `title` is missing"),
    "no start": ("title: t\nparams: reference\n", 1, 1, "the key `start` is missing"),
    "unknown key": (HEADER + "step: []\n", 4, 1, "unknown key `step`, did you mean `steps`?"),
    "steps not a list": (HEADER + "steps: {a: b}\n", 4, 8, "a list is needed here, not a mapping"),
    "accounts a list": (HEADER + "accounts: [a]\n", 4, 11, "keys and values are needed here, not a list"),
    "account name": (HEADER + "accounts:\n  Hedged: {}\n", 5, 3, "`Hedged` is not an account's name"),
    "account as an id": (HEADER + "accounts:\n  12: {}\n", 5, 3, "`12` is not an account's name"),
    "account of nothing": (HEADER + "accounts:\n  hedged:\n", 5, 10, "`hedged` has no value"),
    "sub too large": (HEADER + f"accounts:\n  a: {{sub: {2**96}}}\n", 5, 12, "is too large"),
    "duplicate account": (
        HEADER + "accounts:\n  a: {}\n  b: {owner: a}\n",
        6,
        3,
        "`b` is the same account as `a`: owner a, sub 0",
    ),
    "duplicate key": (HEADER + "accounts:\n  a: {}\n  a: {sub: 1}\n", 6, 3, "the key `a` stands here a second time"),
    "keeper twice": (HEADER + "keepers: [a, b, a]\n", 4, 17, "the keeper `a` stands here a second time"),
    "keepers a text": (HEADER + "keepers: a\n", 4, 10, "a mapping or a list is needed here, not the text `a`"),
    "keeper of an unknown key": (HEADER + "keepers: {a: {late: 5s}}\n", 4, 15, "unknown key `late`"),
    "keeper late in numbers": (HEADER + "keepers: {a: {latency: 5}}\n", 4, 24, "`5` is not a duration"),
    "keeper for nothing": (HEADER + "keepers: {a: {capacity: 0}}\n", 4, 25, "the keeper `a` liquidates nothing"),
    "downtime that ends before": (
        HEADER + "keepers: {a: {downtime: [{from: 1h, until: 1h}]}}\n",
        4,
        44,
        "this is not after the downtime begins, at 2020-03-12T01:00:00Z",
    ),
    "insurance too fine": (HEADER + "insurance: 0.0000001\n", 4, 12, "has 7 decimals"),
    "insurance too large": (
        HEADER + "insurance: 80000000000000000000000\n",
        4,
        12,
        "is larger than the protocol can hold",
    ),
    "start without a zone": ("title: t\nparams: reference\nstart: 2020-03-12T00:00:00\n", 3, 8, "is not a time"),
    "unknown parameter set": (
        "title: t\nparams: referense\nstart: 2020-03-12T00:00:00Z\n",
        2,
        9,
        "no parameter set is called `referense`, did you mean `reference`?",
    ),
    "unknown tape": (HEADER + "tape: nowhere/no.csv\n", 4, 7, "no such file"),
    "path with a null": (HEADER + 'tape: "a\\0b.csv"\n', 4, 7, "unreadable character U+0000"),
    "out of order": (
        HEADER
        + "steps:\n"
        + "  - {at: 2h, by: a, deposit_to_pool: {amount: 1}}\n"
        + "  - {at: 1h, by: a, deposit_to_pool: {amount: 1}}\n",
        6,
        10,
        "this is before the step above it, at 2020-03-12T02:00:00Z",
    ),
    "expected account": (
        HEADER + "accounts:\n  a: {}\nexpect:\n  accounts:\n    aa: {cash: 1}\n",
        8,
        5,
        "unknown account `aa`, did you mean `a`?",
    ),
    "expected total": (
        HEADER + "expect: {liquidation: 1}\n",
        4,
        10,
        "unknown key `liquidation`, did you mean `liquidations`?",
    ),
    "expected count": (HEADER + "expect: {liquidations: 1.5}\n", 4, 24, "`1.5` is not a whole number"),
    "alias": (HEADER + "accounts: &a {}\nexpect: *a\n", 4, 11, "anchors are not read here"),
}


@pytest.mark.parametrize(("text", "line", "column", "fragment"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_file_is_refused_at_its_place(load: Loader, text: str, line: int, column: int, fragment: str) -> None:
    error = load.failure(text)
    assert fragment in error.message
    assert (error.line, error.column) == (line, column)


def test_a_tape_must_fit_the_parameter_set(load: Loader) -> None:
    error = load.failure(HEADER + f"tape: {DATA / 'other_feed.csv'}\n")
    assert (error.line, error.column) == (4, 7)
    assert error.message == "the tape has rounds of `SOL`, the parameter set `reference` has no such feed"
    load(HEADER + f"tape: {DATA / 'short.csv'}\n")
    reference = load_parameters(PARAMETERS.path / "reference.yaml")
    feeds = (replace(reference.feeds[0], action=SetFeed(0, 18, 7_200)), *reference.feeds[1:])
    with pytest.raises(InputError, match="feed `BTC` has 18 decimals in `reference`, a tape has 8"):
        load_scenario(load.path, address_of, replace(reference, feeds=feeds))
    feeds = (*reference.feeds[1:], replace(reference.feeds[0], action=SetRateFeed(3, 1, 0)))
    with pytest.raises(InputError, match="rounds of `BTC`, which is made of other feeds in `reference`") as caught:
        load_scenario(load.path, address_of, replace(reference, feeds=feeds))
    assert caught.value.remedy == "name the pushed feeds below it: drives: {BTC: [FEED, FEED]}"


def test_an_error_in_a_named_file_names_that_file(load: Loader) -> None:
    mine = load.path.parent / "mine.yaml"
    mine.write_text("name: mine\nversion: 1\n", encoding="utf-8")
    error = load.failure(HEADER.replace("reference", "mine.yaml"))
    assert error.file == str(mine)
    assert error.message == "missing: `feeds`, `risk`, `tokens`, `markets`"


def test_a_name_of_a_file_beside_the_scenario_hints_at_its_path(load: Loader) -> None:
    for text, suffix in (("params: mine", ".yaml"), ("params: reference\ntape: mine", ".csv")):
        (load.path.parent / f"mine{suffix}").write_text("", "utf-8")
        error = load.failure(HEADER.replace("params: reference", text))
        assert "is called `mine`" in error.message
        assert error.remedy == f"for the file of that name write mine{suffix}"


def test_a_message_reads_like_this(load: Loader) -> None:
    error = load.failure(HEADER + ACCOUNTS + "  - {at: 0s, trade: {account: hedged, markt: BTC, size: 1}}\n")
    assert re.sub(r"^.*told", "told", str(error)) == (
        "told.yaml:8:39: unknown key `markt`, did you mean `market`?\n"
        "    8 |   - {at: 0s, trade: {account: hedged, markt: BTC, size: 1}}\n"
        "                                              ^\n"
        "  there are: account, market, size, acceptable_price"
    )


EVERY_ACTION = (DATA / "every_action.yaml").read_text(encoding="utf-8").replace("short.csv", str(DATA / "short.csv"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    at=st.integers(0, len(EVERY_ACTION)),
    length=st.integers(0, 20),
    put=st.one_of(
        st.text(alphabet="{}[]:,-0123456789.abchnt_&*!'\"# \n\\ué\u2028", max_size=8),
        st.sampled_from([" {}", " []", "null", "-1", "1e5", "9" * 200, "~", "0x", "\ud7ff", "[[[[", "{a: b}"]),
    ),
)
def test_any_slip_of_the_pen_is_a_scenario_or_an_input_error(load: Loader, at: int, length: int, put: str) -> None:
    text = EVERY_ACTION[:at] + put + EVERY_ACTION[at + length :]
    try:
        load(text)
    except InputError as error:
        assert error.line <= text.count("\n") + text.count("\u2028") + 1
        assert len(str(error)) < 2_000
