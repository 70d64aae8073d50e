"""The committed studies: what their results say they were made from, and what follows from the results.

``python -m tests.specs.studies`` writes pages, pictures and the list in specs/studies/README.md again. It runs nothing:
new results are those of ``crossmargin study NAME --out specs/studies``.
"""

from __future__ import annotations

from functools import cache

from crossmargin.library import STUDIES
from crossmargin.study.command import build_results, render_files
from crossmargin.study.page import render_conclusions
from crossmargin.study.plan import Prepared, load_study, prepare
from crossmargin.study.results import Results, read_results

NAMES = STUDIES.names()
FOLDER = STUDIES.path
BEGIN, END = "<!-- conclusions: begin -->", "<!-- conclusions: end -->"


@cache
def prepared(name: str) -> Prepared:
    """A study with its scenarios read."""
    return prepare(load_study(FOLDER / f"{name}.yaml"))


@cache
def committed(name: str) -> Results:
    """Its committed results."""
    ready = prepared(name)
    return read_results(FOLDER / f"{name}.json", ready.measures, ready.study.against)


def render(name: str) -> dict[str, str]:
    """Every file that follows from its results, by name; the results themselves among them."""
    return render_files(prepared(name).study, committed(name))


def expected_facts(name: str) -> dict[str, object]:
    """What the results must say that they were made from."""
    return dict(build_results(prepared(name), {}).facts)


def make_list() -> str:
    """The conclusions of every study, as specs/studies/README.md has them."""
    lines = []
    for name in NAMES:
        study = prepared(name).study
        lines += [f"### [{study.model.title}]({name}.md)", "", " ".join(study.model.question.split()), ""]
        lines += [*render_conclusions(study, committed(name)), ""]
    return "\n".join(lines)


def read_list() -> str:
    """The conclusions that specs/studies/README.md has."""
    return (FOLDER / "README.md").read_text("utf-8").partition(f"{BEGIN}\n\n")[2].partition(END)[0]


def write_all() -> None:
    """Write what follows from the results."""
    for name in NAMES:
        for file, text in render(name).items():
            (FOLDER / file).write_text(text, "utf-8")
    path = FOLDER / "README.md"
    text = path.read_text("utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n\n{make_list()}{END}{after}", "utf-8")


if __name__ == "__main__":
    write_all()
