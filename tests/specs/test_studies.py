"""The committed studies are those of the files they were made from, and their pages and pictures are their results'."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from crossmargin.study.results import Key
from crossmargin.study.workers import build_task, run_task
from tests.specs.studies import FOLDER, NAMES, committed, expected_facts, make_list, prepared, read_list, render

AGAIN = "run `crossmargin study {} --out specs/studies`, then `python -m tests.specs.studies`"
LEAST_SEEDS = 20
LETTERS = {"title": (9.2, 16), "panel": (7.6, 13)}  # width and height of a letter by class; of all others 5.6 and 11


def check_rows(name: str, keys: list[Key]) -> None:
    """Run these again and hold them against the results."""
    results, study = committed(name), prepared(name).study
    again = {key: run_task(build_task(study, key)) for key in keys}
    assert again == {key: results.rows[key] for key in keys}, AGAIN.format(name)


def test_there_are_studies() -> None:
    assert len(NAMES) == 4


@pytest.mark.parametrize("name", NAMES)
def test_the_results_are_of_the_files_as_they_are(name: str) -> None:
    assert committed(name).facts == expected_facts(name), AGAIN.format(name)


@pytest.mark.parametrize("name", NAMES)
def test_every_run_of_the_study_is_in_the_results(name: str) -> None:
    study = prepared(name).study
    assert study.seeds >= LEAST_SEEDS
    assert list(committed(name).rows) == list(study.cells()), AGAIN.format(name)


@pytest.mark.parametrize("name", NAMES)
def test_results_page_and_pictures_are_as_they_would_be_made_now(name: str) -> None:
    for file, text in render(name).items():
        assert (FOLDER / file).read_bytes() == text.encode(), f"{file}: run `python -m tests.specs.studies`"


def test_no_file_is_left_from_an_earlier_form() -> None:
    made = {file for name in NAMES for file in render(name)}
    written = {f"{name}.yaml" for name in NAMES} | {"README.md"}
    assert {path.name for path in FOLDER.iterdir() if path.is_file()} == made | written


@pytest.mark.parametrize("name", NAMES)
def test_two_runs_come_to_the_same_again(name: str) -> None:
    study = prepared(name).study
    scenario, variants = list(study.scenarios)[-1], list(study.variants)
    check_rows(name, [(scenario, variants[0], study.seeds), (scenario, variants[-1], study.seeds)])


@pytest.mark.deep
@pytest.mark.parametrize("name", NAMES)
def test_two_seeds_come_to_the_same_again(name: str) -> None:
    check_rows(name, [key for key in prepared(name).study.cells() if key[2] <= 2])


def test_the_index_has_the_conclusions_of_every_study() -> None:
    assert read_list() == make_list(), "run `python -m tests.specs.studies`"


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_says_what_it_shows_from_what_and_how_it_is_made(name: str) -> None:
    results = committed(name)
    pictures = {file: text for file, text in render(name).items() if file.endswith(".svg")}
    assert pictures
    for file, text in pictures.items():
        told = [element.text or "" for element in ElementTree.fromstring(text).iter() if element.tag.endswith("text")]
        assert any(unit in told for unit in ("dollars", "accounts", "per cent")), file
        assert f"Made by: crossmargin study {name}" in told
        assert any(line.startswith("Prices: Binance") for line in told)
        assert any(f"{results.seeds} runs" in line for line in told)
        assert "//" not in text.replace("http://www.w3.org/2000/svg", ""), "nothing is fetched from elsewhere"


@pytest.mark.parametrize("name", NAMES)
def test_no_text_of_a_picture_lies_on_another_or_leaves_it(name: str) -> None:
    for file, text in render(name).items():
        if file.endswith(".svg"):
            root = ElementTree.fromstring(text)
            boxes = [box_of(element) for element in root.iter() if element.tag.endswith("text")]
            width, height = (float(root.attrib[side]) for side in ("width", "height"))
            for at, (left, right, top, bottom, what) in enumerate(boxes):
                assert min(left, top, width - right, height - bottom) >= 0, f"{file}: {what}"
                for other in boxes[:at]:
                    apart = right <= other[0] or other[1] <= left or bottom <= other[2] or other[3] <= top
                    assert apart, f"{file}: {what}, {other[4]}"


def box_of(element: ElementTree.Element) -> tuple[float, float, float, float, str]:
    """Left, right, top and bottom of a text, and the text, with letters as wide as they are on average."""
    what, kind = element.text or "", element.get("class", "")
    letter, height = LETTERS.get(kind, (5.6, 11))
    x, y, length = float(element.attrib["x"]), float(element.attrib["y"]), letter * len(what)
    left = x - {"end": length, "middle": length / 2}.get(kind, 0)
    return left, left + length, y - height, y, what
