"""``crossmargin check`` knows what a file is, and accepts the tape that ``tape record`` makes."""

from __future__ import annotations

import json
from pathlib import Path

from crossmargin.errors import Exit
from crossmargin.library import PROFILES
from tests.crossmargin.commands import TWINS, Crossmargin
from tests.crossmargin.loading import DATA


def test_check_reports_every_file_and_its_kind(crossmargin: Crossmargin, tmp_path: Path) -> None:
    (tmp_path / "a_tape.csv").write_text((DATA / "short.csv").read_text())
    (tmp_path / "b_bad.yaml").write_text("title: Bad\nparams: reference\nstart: yesterday\ninsurance: -1\n")
    (tmp_path / "c_good.yaml").write_text(TWINS.read_text())
    answer = crossmargin("check", tmp_path)
    assert answer.code == Exit.INPUT_INVALID
    assert "a_tape.csv: a valid tape" in answer.out
    assert "c_good.yaml: a valid scenario" in answer.out
    assert f"{tmp_path / 'b_bad.yaml'}:3:8:" in answer.err
    rows = [json.loads(line) for line in crossmargin("check", tmp_path, "--json").out.splitlines()]
    assert [[error["line"] for error in row["errors"]] for row in rows] == [[], [3, 4], []]
    assert [row["kind"] for row in rows] == ["tape", "scenario", "scenario"]
    (tmp_path / "empty").mkdir()
    assert "nothing to check is in this folder" in crossmargin("check", tmp_path / "empty").err


def test_check_knows_a_parameter_set(crossmargin: Crossmargin) -> None:
    reference = Path(__file__).parents[2] / "specs" / "params" / "reference.yaml"
    assert "a valid parameter set" in crossmargin("check", reference).out


def test_check_knows_a_profile_by_its_tables(crossmargin: Crossmargin, tmp_path: Path) -> None:
    reference = PROFILES.find("reference")
    assert crossmargin("check", reference).out == f"{reference}: a valid profile\n"
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(reference.read_text("utf-8").replace("{share: 1, value: 19}", "{share: 1, value: 13}"), "utf-8")
    answer = crossmargin("check", wrong, "--json")
    (error,) = json.loads(answer.out)["errors"]
    assert (answer.code, error["message"]) == (Exit.INPUT_INVALID, "values never fall from one quantile to the next")


def test_record_makes_a_tape_that_check_accepts(crossmargin: Crossmargin, tmp_path: Path) -> None:
    bars, tape = tmp_path / "bars.csv", tmp_path / "tape.csv"
    rows = [f"{1583971200 + 300 * i},{100 + i},{101 + i},{99 + i},{100.5 + i}" for i in range(4)]
    bars.write_text("timestamp_utc,open,high,low,close\n" + "\n".join(rows) + "\n")
    window = ("--start", "2020-03-12T00:00:00Z", "--end", "2020-03-12T00:20:00Z")
    command = ("tape", "record", "--title", "T", "--venue", "V", "--feed", f"BTC={bars}", *window)
    answer = crossmargin(*command, "--out", tape)
    assert answer.code == Exit.OK
    assert "rounds (" in answer.out
    assert crossmargin("check", tape).code == Exit.OK
    overwrite = crossmargin(*command, "--out", bars)
    assert overwrite.code == Exit.INPUT_INVALID
    assert bars.read_text().startswith("timestamp_utc")
