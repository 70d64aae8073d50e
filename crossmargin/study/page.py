"""A study as a page of Markdown: its question, what came out, pictures, and tables over the seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from crossmargin.study.conclusions import fill_conclusion
from crossmargin.study.measures import Measure
from crossmargin.study.plan import Study
from crossmargin.study.results import Results
from crossmargin.study.spread import compute_spread, count_signs, show

WIDTH = 120
CUT = (
    "Quartiles between two runs are rounded down and means to the nearest, at the scale of the results; shown are "
    "whole dollars, and per cent with one decimal, cut toward zero. A change too small to show is still more or less."
)
SPREAD = ("lowest", "quartile", "median", "quartile", "highest", "mean")


def render_page(study: Study, results: Results, pictures: Sequence[str]) -> str:
    """The page. ``pictures`` are names of files beside it."""
    lines = [
        f"# {study.model.title}",
        "",
        f"<!-- Made by `{results.facts['command']}`: change the study's file, not this one. -->",
        "",
        *wrap(" ".join(study.model.question.split()), WIDTH),
        "",
        *_tell_about(study),
        "```",
        results.facts["command"],
        "```",
        "",
        "## Conclusions",
        "",
        *render_conclusions(study, results),
        "",
        "## Pictures",
        "",
        *(line for name in pictures for line in (f"![{name.removesuffix('.svg')}]({name})", "")),
        "## Runs",
        "",
        *_tell_runs(study, results),
        "## Tables",
        "",
        *wrap(CUT, WIDTH),
        "",
        *(line for measure in results.measures.values() for line in _tell_measure(study, results, measure)),
    ]
    return "\n".join(lines).rstrip() + "\n"


def render_conclusions(study: Study, results: Results) -> list[str]:
    """The conclusions as a list, with their numbers."""
    sentences = (fill_conclusion(text, results) for text in study.model.conclusions)
    return [line for text in sentences for line in wrap(f"- {text}", WIDTH, subsequent_indent="  ")]


def _tell_about(study: Study) -> Iterator[str]:
    for paragraph in study.model.about.split("\n\n"):
        yield from wrap(" ".join(paragraph.split()), WIDTH, break_on_hyphens=False, break_long_words=False)
        yield ""


def _tell_runs(study: Study, results: Results) -> Iterator[str]:
    runs = f"{len(study.scenarios)} scenarios, {len(study.variants)} variants, {results.seeds} seeds"
    yield f"{len(results.rows)} runs on the model: {runs}, each with each."
    yield ""
    yield "| Scenario | File | Prices |"
    yield "| --- | --- | --- |"
    for label, facts in results.facts["scenarios"].items():
        yield f"| {label} | `{facts['scenario']}` | {facts['prices']} |"
    yield ""
    yield f"| Variant ({_cell(study.model.axis)}) | Changes | Held against |"
    yield "| --- | --- | --- |"
    for label, texts in results.facts["variants"].items():
        changes = _cell(", ".join(f"`{text}`" for text in texts)) or "-"
        yield f"| {label} | {changes} | {results.against[label] or '-'} |"
    yield ""


def _cell(text: str) -> str:
    """Text within a cell of a table."""
    return text.replace("|", "\\|")


def _tell_measure(study: Study, results: Results, measure: Measure) -> Iterator[str]:
    yield f"### {measure.name}"
    yield ""
    yield f"{measure.title[0].upper()}{measure.title[1:]}, {measure.unit}."
    yield ""
    yield f"| Scenario | Variant | {' | '.join(SPREAD)} |"
    yield f"| --- | --- |{' ---: |' * len(SPREAD)}"
    for scenario in study.scenarios:
        for variant in study.variants:
            yield _row((scenario, variant), results.values(measure.name, variant, scenario), measure)
    yield ""
    if not any(results.against.values()):
        return
    yield "Change against the other variant, by seed:"
    yield ""
    yield f"| Scenario | Variant | {' | '.join(SPREAD)} | more in | less in |"
    yield f"| --- | --- |{' ---: |' * (len(SPREAD) + 2)}"
    for scenario in study.scenarios:
        for variant, against in results.against.items():
            if against:
                changes = results.changes(measure.name, variant, scenario)
                more, less = count_signs(changes)
                names = (scenario, f"{variant} against {against}")
                yield _row(names, changes, measure, signed=True) + f" {more} | {less} |"
    yield ""


def _row(names: Sequence[str], values: Sequence[int], measure: Measure, *, signed: bool = False) -> str:
    spread = compute_spread(values)
    numbers = (spread.lowest, spread.lower, spread.median, spread.upper, spread.highest, spread.mean)
    cells = (*names, *(show(number, measure.unit, signed=signed) for number in numbers))
    return f"| {' | '.join(cells)} |"
