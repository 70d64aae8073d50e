"""The folder of a run: what it replaces, and that nothing half done or foreign is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crossmargin.errors import Exit, InputError
from crossmargin.replay.folder import RunFolder, check_replaceable
from tests.crossmargin.commands import TWINS, Crossmargin, replay_model


def test_an_older_run_is_replaced_but_a_foreign_folder_is_not(crossmargin: Crossmargin, tmp_path: Path) -> None:
    run_folder, foreign = tmp_path / "run", tmp_path / "foreign"
    assert replay_model(crossmargin, TWINS, run_folder).code == Exit.OK
    (run_folder / "summary.txt").write_text("from the older run")
    assert replay_model(crossmargin, TWINS, run_folder).code == Exit.OK
    assert "older run" not in (run_folder / "summary.txt").read_text()
    (run_folder / "notes.txt").write_text("dear to someone")
    answer = replay_model(crossmargin, TWINS, run_folder)
    assert answer.code == Exit.INPUT_INVALID
    assert f"{run_folder / 'notes.txt'}: is not part of a run, and would be lost" in answer.err
    assert (run_folder / "notes.txt").read_text() == "dear to someone"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("dear to someone")
    answer = replay_model(crossmargin, TWINS, foreign)
    assert answer.code == Exit.INPUT_INVALID
    assert "is not a run folder of crossmargin" in answer.err
    assert [path.name for path in foreign.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_way_through_a_folder_that_is_not_there_replaces_nothing(
    crossmargin: Crossmargin, tmp_path: Path, kind: str
) -> None:
    target = tmp_path / "thesis"
    if kind == "folder":
        target.mkdir()
    dear = target / "thesis.txt" if kind == "folder" else target
    dear.write_text("dear to someone")
    answer = replay_model(crossmargin, TWINS, tmp_path / "none" / ".." / "thesis")
    assert answer.code == Exit.INPUT_INVALID
    assert "is not a run folder of crossmargin" in answer.err
    assert dear.read_text() == "dear to someone"


def keep_run(target: Path, text: str) -> None:
    with RunFolder(target) as folder:
        folder.file("summary.txt").write_text(text)
        folder.keep({})


def test_a_new_run_leaves_only_itself_for_all_to_read(tmp_path: Path) -> None:
    target = tmp_path / "run"
    for text in ("first", "second"):
        keep_run(target, text)
        assert list(tmp_path.iterdir()) == [target]
        assert (target / "summary.txt").read_text() == text
        assert target.stat().st_mode & 0o777 == 0o755


def test_a_run_that_is_not_kept_leaves_nothing(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run") as folder:
        folder.file("summary.txt").write_text("half a run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("manifest", ['{"kind": "another-run"}', '{"kind": null}', "{}", "[]", "kind", ""])
def test_a_folder_with_a_foreign_manifest_is_not_replaced(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(InputError, match="is not a run folder of crossmargin"):
        keep_run(tmp_path, "new")
    assert (tmp_path / "manifest.json").read_text() == manifest


def test_a_folder_that_becomes_unwritable_keeps_the_older_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "run"
    keep_run(target, "first")
    move = Path.replace

    def move_but_not_a_new_run(path: Path, to: Path) -> Path:
        if to == target and (path / "summary.txt").read_text() == "second":
            raise PermissionError(13, "Permission denied")
        return move(path, to)

    monkeypatch.setattr(Path, "replace", move_but_not_a_new_run)
    with pytest.raises(InputError, match="cannot write here"):
        keep_run(target, "second")
    assert (target / "summary.txt").read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]


def test_a_read_only_folder_is_refused_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="read-only"):
        check_replaceable(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused_before_anything_runs(crossmargin: Crossmargin, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = replay_model(crossmargin, TWINS, tmp_path / "file" / "run")
    assert answer.code == Exit.INPUT_INVALID
    assert "cannot write here" in answer.err
    assert answer.out == ""
