"""Conclusions: sentences of a study whose numbers, and the words more and less, are filled in from its runs."""

from __future__ import annotations

import re

from crossmargin.faults import Fault
from crossmargin.messages import shown
from crossmargin.names import unknown
from crossmargin.study.file import StudyModel
from crossmargin.study.results import ALL, Results
from crossmargin.study.spread import describe_change, describe_spread
from crossmargin.yamltext import Loc

BLANK = re.compile(r"\{([^{}]*)\}")
KINDS = ("values", "changes")
FORM = "write {values MEASURE | VARIANT | SCENARIO} or {changes MEASURE | VARIANT | SCENARIO}"


def check_conclusion(text: str, model: StudyModel, loc: Loc) -> None:
    """Raise a ``Fault`` for a sentence with a blank that nothing can fill, without any, or with a typed number."""
    for blank in BLANK.finditer(text):
        kind, measure, variant, scenario = _read(blank[1], loc)
        if kind not in KINDS:
            raise Fault(loc, f"{shown(blank[0])} has the unknown word {shown(kind)}", FORM)
        for name, names, what in (
            (measure, model.measures, "measure of the study"),
            (variant, model.variants, "variant"),
            (scenario, (*model.scenarios, ALL), "scenario"),
        ):
            if name not in names:
                raise unknown(name, names, loc, what)
        if kind == "changes" and not model.variants[variant].against:
            message = f"the variant `{variant}` is not held against another"
            raise Fault(loc, message, "give it `against`, or write {values ...}")
    rest = BLANK.sub("", text)
    if "{" in rest or "}" in rest:
        raise Fault(loc, "a brace stands alone", FORM)
    if rest == text:
        raise Fault(loc, "no number of the runs stands in this sentence", FORM)
    for label in sorted((*model.scenarios, *model.variants), key=len, reverse=True):
        rest = re.sub(rf"(?<!\w){re.escape(label)}(?!\w)", "", rest)
    if any(character.isdigit() for character in rest):
        raise Fault(loc, "a number is typed here, which no run gave", f"{FORM}, or the number as a word")


def fill_conclusion(text: str, results: Results) -> str:
    """The sentence with its numbers."""

    def fill(blank: re.Match[str]) -> str:
        kind, measure, variant, scenario = _read(blank[1], ())
        unit = results.measures[measure].unit
        if kind == "values":
            return describe_spread(results.values(measure, variant, scenario), unit)
        return describe_change(results.changes(measure, variant, scenario), unit)

    return BLANK.sub(fill, " ".join(text.split()))


def _read(blank: str, loc: Loc) -> tuple[str, str, str, str]:
    parts = [part.strip() for part in blank.split("|")]
    kind, _, measure = parts[0].partition(" ")
    if len(parts) != 3 or not measure:
        raise Fault(loc, f"{shown('{' + blank + '}')} says nothing that can be filled in", FORM)
    return kind, measure.strip(), parts[1], parts[2]
