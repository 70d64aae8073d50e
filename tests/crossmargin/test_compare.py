"""Comparing runs: where they part, who ends otherwise, totals; as pages, as JSON, and when an operand fails."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crossmargin.compare import workers
from crossmargin.compare.command import collect_records
from crossmargin.compare.operands import read_operands, split_changes
from crossmargin.compare.parting import OUTCOME, Parting, find_partings
from crossmargin.compare.record import Record, read_record
from crossmargin.compare.report import compare_records
from crossmargin.compare.table import tell_comparison
from crossmargin.compare.workers import replay_operands
from crossmargin.errors import Exit, InputError, WrongUse
from protocol.env import Status
from tests.crossmargin.commands import Crossmargin, run

DATA = Path(__file__).parent / "data"
OFF = ("switches.tiers=off", "switches.partial_liquidation=off", "switches.cross_margin=off,switches.insurance=off")
OPERANDS = ("switches.yaml", *(f"switches.yaml,{changes}" for changes in OFF))


@pytest.fixture
def crossmargin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Crossmargin:
    """The command, run in this process beside the files of ``data``."""
    monkeypatch.chdir(DATA)
    return lambda *arguments: run(capsys, monkeypatch, *arguments)


@pytest.fixture(scope="module")
def records() -> dict[str, Record]:
    """Runs of ``OPERANDS`` by name."""
    texts = [str(DATA / text) for text in OPERANDS]
    found, failed = collect_records(read_operands(texts, [], ""))
    assert failed == []
    return found


# --- pages ----------------------------------------------------------------------------------------------------------


def test_the_pages_are_as_kept(crossmargin: Crossmargin, tmp_path: Path) -> None:
    """After a change that is meant, keep them anew: in this folder's ``data``, run the command that they name."""
    answer = crossmargin("compare", *OPERANDS, "--html", tmp_path / "page.html")
    assert answer.code == Exit.OK
    assert answer.out == (DATA / "compare.txt").read_text("utf-8")
    assert (tmp_path / "page.html").read_text("utf-8") == (DATA / "compare.html").read_text("utf-8")


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = (DATA / "compare.html").read_text("utf-8")
    assert not re.search(r"<script|<link|<img|url\(|https?://|@import|src=", page)
    assert page.count("<table>") == page.count("</table>") > 5
    assert "crossmargin compare switches.yaml switches.yaml,switches.tiers=off" in page


def test_no_line_of_the_page_is_wider_than_a_terminal() -> None:
    assert max(map(len, (DATA / "compare.txt").read_text("utf-8").splitlines()[1:])) <= 120


# --- what is found --------------------------------------------------------------------------------------------------


def test_margins_differ_long_before_an_outcome_does(records: dict[str, Record]) -> None:
    partings = compare_records(records["A"], records["B"]).partings
    assert partings["measure"].what == "maintenance_margin of big"
    assert partings["measure"].values == ("65,010.00", "50,010.00")
    assert partings["outcome"].what == "the action"
    assert partings["outcome"].values == ("Liquidate of big by kestrel", "the end of the run")
    assert partings["measure"].time < partings["outcome"].time == 1_583_971_261


def test_an_action_that_was_told_otherwise_names_what_differs(records: dict[str, Record]) -> None:
    base = records["A"]
    at, trade = next((at, action) for at, action in enumerate(base.actions) if action.name == "Trade")

    def part(name: str, **changes: Any) -> tuple[str, tuple[str, str]]:
        actions = list(base.actions)
        ours, theirs = (replace(trade, name=name, **{key: pair[i] for key, pair in changes.items()}) for i in (0, 1))
        parting = find_partings(
            replace(base, actions=(*actions[:at], ours)), replace(base, actions=(*actions[:at], theirs))
        )[OUTCOME]
        return parting.what, parting.values

    sizes = [{**trade.arguments, "size_delta": str(size * 10**17)} for size in (5, 20_000)]
    assert part("Trade", arguments=sizes) == ("size_delta", ("0.50", "2,000.00"))
    tiers = [{"params": {"lot": "1", "brackets": [{"lower": "0"}, *more]}} for more in ([{"lower": "7"}], [])]
    assert part("SetMarket", arguments=tiers) == ("params.brackets.1", ("{'lower': '7'}", "nothing"))
    assert part("Trade", time=(1_583_971_200, 1_583_971_261)) == ("the time", ("12 Mar 00:00:00", "12 Mar 00:01:01"))


def test_a_run_compared_with_itself_has_no_difference(records: dict[str, Record]) -> None:
    comparison = compare_records(records["A"], records["A"])
    assert (comparison.parting, comparison.measure, comparison.contrasts) == (None, None, ())


def test_the_parts_of_an_isolated_account_are_one_account(records: dict[str, Record]) -> None:
    whole, parts = records["A"].fates, records["D"].fates
    assert set(whole) == set(parts) == {"big", "both", "backed"}
    assert (parts["both"].paid_in, parts["both"].taken_out) == (whole["both"].paid_in, whole["both"].taken_out)
    assert (whole["both"].liquidated, len(parts["both"].liquidated)) == ((), 1)


def test_totals_are_those_of_the_run(records: dict[str, Record]) -> None:
    for record in records.values():
        fees = [int(f["fee"]) for action in record.actions for name, f in action.events if name == "PositionUpdated"]
        assert record.totals["fees"] == sum(fees) > 0
        assert record.totals["liquidations"] == record.manifest["result"]["liquidations"]


def part(record: Record, number: int, **changes: Any) -> Parting:
    """Where a run parts from itself with one action changed."""
    actions = list(record.actions)
    actions[number] = replace(actions[number], **changes)
    return find_partings(record, replace(record, actions=tuple(actions)))[OUTCOME]


def test_every_kind_of_difference_is_found_where_it_is(records: dict[str, Record]) -> None:
    base = records["A"]
    number = next(at for at, action in enumerate(base.actions) if action.name == "Trade")
    trade = base.actions[number]
    refused = part(base, number, code="margin/initial", events=[])
    assert (refused.what, refused.values, refused.base) == ("the code", ("ok", "margin/initial"), trade)
    assert part(base, number, events=trade.events[:-1]).what == "the number of events"
    renamed = [("Other", trade.events[0][1]), *trade.events[1:]]
    assert part(base, number, events=renamed).values == (trade.events[0][0], "Other")
    at = next(i for i, (name, _) in enumerate(trade.events) if name == "PositionUpdated")
    fees = [
        *trade.events[:at],
        ("PositionUpdated", {**trade.events[at][1], "fee": "5" + "0" * 17}),
        *trade.events[at + 1 :],
    ]
    differing = part(base, number, events=fees)
    assert (differing.what, differing.values[1]) == ("PositionUpdated fee of big", "0.50")
    assert part(base, number, sender="thief").values[1] == "Trade of big by thief, line 16"


def test_accounts_are_told_by_how_much_they_differ(records: dict[str, Record]) -> None:
    differences = [abs(one.difference) for one in compare_records(records["A"], records["D"]).contrasts]
    assert differences == sorted(differences, reverse=True)


def test_an_account_that_one_run_lacks_is_told(records: dict[str, Record]) -> None:
    base = records["A"]
    without = replace(base, fates={name: fate for name, fate in base.fates.items() if name != "big"})
    (contrast,) = compare_records(base, without).contrasts
    assert (contrast.account, contrast.other, contrast.difference) == ("big", None, -base.fates["big"].change)


def test_the_faults_of_the_prices_at_the_end_are_told_beside_what_is_left(records: dict[str, Record]) -> None:
    base = records["A"]
    faults = int(Status.STALE_HARD | Status.HALTED)
    fates = {**base.fates, "big": replace(base.fates["big"], left=0, price_status=faults)}
    lines = list(tell_comparison(compare_records(base, replace(base, name="B", fates=fates))))
    assert [line.split()[:2] for line in lines[-3:]] == [["big", "A"], ["B", "liquidated"], ["left", "counted"]]
    assert lines[-1].strip() == "left counted by prices with STALE_HARD, HALTED"
    assert lines[-1].index("left") == lines[-2].index("liquidated")


def test_faults_of_prices_go_from_the_run_to_every_form_of_a_comparison(
    crossmargin: Crossmargin, tmp_path: Path
) -> None:
    """And what is told of the parts of an account has those of each."""
    operands = ("incident_luna_floor", "incident_luna_floor,switches.cross_margin=off")
    told = json.loads(crossmargin("compare", *operands, "--json").out)
    found = {one["account"]: [one[run]["price_faults"] for run in "AB"] for one in told["comparisons"][0]["different"]}
    assert found["saver"] == [["OUT_OF_BOUNDS"], ["OUT_OF_BOUNDS"]]
    assert found["saver_raw"] == [[], []]
    page = tmp_path / "page.html"
    answer = crossmargin("compare", *operands, "--html", page)
    assert answer.out.count("left counted by prices with OUT_OF_BOUNDS\n") == 2
    assert page.read_text("utf-8").count("never liquidated; left counted by prices with OUT_OF_BOUNDS</td>") == 2


# --- operands -------------------------------------------------------------------------------------------------------


def test_one_scenario_with_changes_is_compared_with_itself() -> None:
    operands = read_operands(["quiet_day"], ["keepers=[a, b]", "insurance=0"], "guarded")
    assert [operand.name for operand in operands] == ["A", "B"]
    assert [operand.variant.texts for operand in operands] == [
        (),
        ("params=guarded", "keepers=[a, b]", "insurance=0"),
    ]


def test_commas_in_brackets_part_nothing() -> None:
    assert split_changes("a,keepers=[x, y],risk={p: 1, q: [2, 3]},b=1") == [
        "a", "keepers=[x, y]", "risk={p: 1, q: [2, 3]}", "b=1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "changed", "told"),
    [
        (["quiet_day"], [], "name two runs to compare"),
        (["quiet_day", "black_thursday"], ["insurance=0"], "--set and --params change one scenario"),
        (["quiet_day"] * 27, [], "at most 26"),
    ],
)
def test_operands_that_do_not_go_together_are_wrong_use(texts: list[str], changed: list[str], told: str) -> None:
    with pytest.raises(WrongUse, match=told):
        read_operands(texts, changed, "")


def test_operands_that_are_nothing_are_refused(tmp_path: Path) -> None:
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    (run_folder / "manifest.json").write_text("{}")
    for text, told in (
        ("quite_day", "no scenario is called `quite_day`, did you mean `quiet_day`?"),
        (str(tmp_path), "is not a run folder: it has no manifest.json"),
        ("quiet_day,insurence=0", "`insurence` cannot be set, did you mean `insurance`?"),
        (f"{tmp_path},insurance=0", "is a folder of scenarios, not one"),
        (f"{run_folder},insurance=0", "is the folder of a run, which nothing can change any more"),
    ):
        with pytest.raises(InputError) as caught:
            read_operands([text, "quiet_day"], [], "")
        assert caught.value.message == told


# --- runs -----------------------------------------------------------------------------------------------------------


def test_run_folders_compare_like_the_scenarios_they_were_made_from(crossmargin: Crossmargin, tmp_path: Path) -> None:
    folders = []
    for name, changes in (("a", ()), ("b", ("--set", OFF[0]))):
        folders.append(tmp_path / name)
        crossmargin("replay", "switches.yaml", "--engine", "model", "--out", folders[-1], *changes)
    from_folders = json.loads(crossmargin("compare", *folders, "--json").out)
    from_scenarios = json.loads(crossmargin("compare", "switches.yaml", "--set", OFF[0], "--json").out)
    mixed = json.loads(crossmargin("compare", folders[0], OPERANDS[1], "--json").out)
    assert from_folders["comparisons"] == from_scenarios["comparisons"] == mixed["comparisons"]
    assert from_folders["runs"][1]["changes"] == ["switches.tiers=off"]


def test_parallel_is_sequential_and_every_time_the_same(tmp_path: Path) -> None:
    operands = read_operands([str(DATA / text) for text in OPERANDS], [], "")
    for most in (1, 3):
        assert replay_operands(operands, tmp_path / str(most), most) == []
    for operand in operands:
        for name in ("manifest.json", "trace.sqlite", "summary.txt"):
            one, other = (tmp_path / str(most) / operand.name / name for most in (1, 3))
            assert one.read_bytes() == other.read_bytes()


def test_a_variant_that_fails_leaves_the_others_their_comparison(crossmargin: Crossmargin) -> None:
    bad = "switches.yaml,markets.BTC.tiers.1.mm=0.02"
    answer = crossmargin("compare", "switches.yaml", bad, OPERANDS[1])
    assert answer.code == Exit.INPUT_INVALID
    assert "B: " in answer.err
    assert "with --set markets.BTC.tiers.1.mm=0.02: refused as config/margin-rates" in answer.err
    assert "C against A" in answer.out
    assert "B against A" not in answer.out
    told = json.loads(crossmargin("compare", "switches.yaml", bad, OPERANDS[1], "--json").out)
    assert (told["ok"], [run["run"] for run in told["runs"]]) == (False, ["A", "C"])
    assert [one["run"] for one in told["failed"]] == ["B"]
    assert told["failed"][0]["error"]["line"] > 0


def test_without_a_base_there_is_nothing_to_compare(crossmargin: Crossmargin) -> None:
    answer = crossmargin("compare", "switches.yaml,risk.phase_in=1m", "switches.yaml")
    assert (answer.code, answer.out) == (Exit.INPUT_INVALID, "")
    assert "nothing to compare: switches.yaml,risk.phase_in=1m is what the others are held against" in answer.err


def test_a_process_that_is_ended_is_one_failed_variant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def end(*arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(workers, "load_variant", end)
    forking = multiprocessing.get_context("fork")  # where the process has what was patched
    monkeypatch.setattr("crossmargin.compare.workers.multiprocessing.get_context", lambda: forking)
    failed = replay_operands(read_operands([str(DATA / text) for text in OPERANDS[:2]], [], ""), tmp_path)
    assert [one.name for one in failed] == ["A", "B"]
    assert failed[0].text.endswith("switches.yaml: the process that replayed it ended before its work was done")


def test_a_run_that_was_not_finished_or_is_too_old_is_refused(crossmargin: Crossmargin, tmp_path: Path) -> None:
    crossmargin("replay", "switches.yaml", "--engine", "model", "--out", tmp_path / "run")
    manifest = tmp_path / "run" / "manifest.json"
    whole = json.loads(manifest.read_text("utf-8"))
    for changed, told in (
        ({**whole, "failure": "action 7 differs"}, "the run was not finished: action 7 differs"),
        (
            {key: value for key, value in whole.items() if key != "accounts"},
            "this version can read: it has no 'accounts'",
        ),
        (
            {**whole, "accounts": {"big": {**whole["accounts"]["big"], "price_faults": ["LATE"]}}},
            "this version can read: it has no 'LATE'",
        ),
    ):
        manifest.write_text(json.dumps(changed, indent=2, sort_keys=True))
        with pytest.raises(InputError, match=told):
            read_record("A", "run", tmp_path / "run")
    manifest.write_text(json.dumps(whole, indent=2, sort_keys=True))
    (tmp_path / "run" / "trace.sqlite").write_bytes(b"no database")
    with pytest.raises(InputError, match="file is not a database"):
        read_record("A", "run", tmp_path / "run")


@pytest.mark.parametrize("place", ["", "nowhere/page.html"])
def test_a_page_that_cannot_be_written_is_refused_before_anything_runs(
    crossmargin: Crossmargin, tmp_path: Path, place: str
) -> None:
    answer = crossmargin("compare", *OPERANDS, "--html", tmp_path / place)
    assert answer.code == Exit.INPUT_INVALID
    assert "choose another with --html" in answer.err
    assert "replaying" not in answer.err


def test_progress_counts_every_run(crossmargin: Crossmargin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossmargin.progress.INTERVAL", 0.0)
    answer = crossmargin("compare", *OPERANDS[:2])
    assert re.search(r"^compare: replaying, planned actions of .*B \d+ of \d+, \d+ s$", answer.err, re.MULTILINE)


# --- cascades -------------------------------------------------------------------------------------------------------


def test_generations_and_channels_are_compared(crossmargin: Crossmargin, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    answer = crossmargin("compare", "cascade", "--set", "price_response=0", "--html", page)
    lines = answer.out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("Cascade "))
    assert [line.split() for line in lines[at + 1 : at + 3]] == [
        ["A", "4", "259,611.47", "8,000.00", "16,000.00", "161.12", "161.12"],
        ["B", "0", "0.00", "0.00", "0.00", "0.00", "0.00"],
    ]
    assert "<h2>Cascade</h2>" in page.read_text("utf-8")
    told = json.loads(crossmargin("compare", "cascade", "--set", "price_response=0", "--json").out)
    assert told["runs"][0]["cascade"]["generation_2_up"] == 4
    assert told["runs"][0]["cascade"]["insurance"] == "161.125550447406666668"


def test_a_moved_push_parts_by_its_answer(crossmargin: Crossmargin) -> None:
    told = json.loads(crossmargin("compare", "cascade", "--set", "price_response=0", "--json").out)
    parting = told["comparisons"][0]["first_difference"]
    assert parting["what"] == "RoundPushed answer"
    assert (parting["A"], parting["B"]) == ("18375258452", "18800000000")


def test_runs_without_a_cascade_have_no_table_of_one() -> None:
    assert "Cascade" not in (DATA / "compare.txt").read_text("utf-8")
