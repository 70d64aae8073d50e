"""Fixtures that several tests of scenarios and of commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crossmargin.commands import Crossmargin, run
from tests.crossmargin.loading import Loader
from tests.crossmargin.playing import EVERY, Played, play


@pytest.fixture
def load(tmp_path: Path) -> Loader:
    return Loader(tmp_path)


@pytest.fixture
def crossmargin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Crossmargin:
    """The command, run in this process."""
    return lambda *arguments: run(capsys, monkeypatch, *arguments)


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """Every scenario with a cast, on the model."""
    return {name: play(name, "model", tmp_path_factory.mktemp("runs")) for name in EVERY}


@pytest.fixture
def crash(played: dict[str, Played]) -> Played:
    return played["black_thursday"]
