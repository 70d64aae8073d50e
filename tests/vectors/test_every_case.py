"""No case is skipped in silence."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

from tests.vectors.not_ours import NOT_OURS
from tests.vectors.reading import FOLDER, USES

FILES = sorted(path.stem for path in FOLDER.iterdir())


@pytest.fixture(scope="module", autouse=True)
def _all_tests_of_the_folder() -> None:
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        import_module(f"tests.vectors.{path.stem}")


@pytest.mark.parametrize("file", FILES)
def test_every_case_of_a_file_is_used_or_left_out_for_a_reason(file: str) -> None:
    """By count and by name; a case that is left out has a reason, and is not used as well."""
    content = json.loads((FOLDER / f"{file}.json").read_text(encoding="utf-8"))
    names = [case["name"] for case in content["cases"]]
    assert file in USES, "no test takes this file"
    use = USES[file]
    assert use.used, "no case of this file is used"
    assert len(names) == len(set(names)) == len(use.used) + len(use.left_out)
    assert set(names) == use.used | set(use.left_out)
    assert all(use.left_out.values())


@pytest.mark.parametrize("file", FILES)
def test_every_file_says_where_its_figures_come_from(file: str) -> None:
    """Source, provenance, and the venue's own formula and rounding."""
    content = json.loads((FOLDER / f"{file}.json").read_text(encoding="utf-8"))
    assert all(content[key] for key in ("source", "rule", "units", "formula", "rounding", "provenance"))


def test_a_rule_is_either_kept_as_cases_or_named_as_not_ours() -> None:
    """Never both."""
    assert not set(FILES) & set(NOT_OURS)
    assert all(NOT_OURS.values())
