"""What a compiled contract is kept under: the sources it is made of, and no others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts_py.compile import (
    compile_all,
    compiler_data,
    find_sources,
    read_sources,
    source_root,
)

SMALL = ("Feed", "mocks/Token", "oracles/Median")


@pytest.mark.parametrize("name", ["CrossMargin", "Liquidation", "Lens", "Feed", "oracles/Graph"])
def test_a_contract_is_made_of_what_the_compiler_reads(name: str) -> None:
    root = source_root()
    inputs = compiler_data(name, root).resolved_imports.compiler_inputs
    read = {Path(found.resolved_path) for found in inputs} | {root / f"{name}.vy"}
    ours = {path.relative_to(root).as_posix() for path in read if path.is_relative_to(root)}
    assert find_sources(name, read_sources()).keys() == ours


def test_a_change_elsewhere_is_no_reason_to_compile_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSMARGIN_CACHE", str(tmp_path))
    first = compile_all(names=SMALL)
    kept = sorted(tmp_path.iterdir())
    assert len(kept) == len(SMALL)
    other = read_sources()["Vault.vy"] + "\n# changed\n"
    assert compile_all({"Vault.vy": other}, SMALL) == first
    assert sorted(tmp_path.iterdir()) == kept


def test_a_change_below_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSMARGIN_CACHE", str(tmp_path))
    compile_all(names=SMALL)
    below = read_sources()["modules/sorting.vy"] + "\n# changed\n"
    compile_all({"modules/sorting.vy": below}, SMALL)
    assert len(list(tmp_path.iterdir())) == len(SMALL) + 1


def test_what_was_kept_and_is_broken_is_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSMARGIN_CACHE", str(tmp_path))
    first = compile_all(names=("Feed",))
    (place,) = tmp_path.iterdir()
    for broken in ("", "[]", "{}", json.dumps({"name": "Feed"})):
        place.write_text(broken, "utf-8")
        assert compile_all(names=("Feed",)) == first
    assert json.loads(place.read_text("utf-8"))["name"] == "Feed"
