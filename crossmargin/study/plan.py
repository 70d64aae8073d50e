"""Studies: which runs they are made of and what is asked of them, read from ``specs/studies/*.yaml``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from crossmargin.errors import InputError
from crossmargin.faults import Fault, Faults, texts_at
from crossmargin.fields import validate
from crossmargin.library import SCENARIOS, STUDIES
from crossmargin.messages import listed, near, shown
from crossmargin.names import unknown
from crossmargin.quantities import BadText
from crossmargin.scenario_records import Scenario
from crossmargin.study.conclusions import check_conclusion
from crossmargin.study.file import StudyModel
from crossmargin.study.measures import NAMES, Measure, find_measure
from crossmargin.study.results import ALL
from crossmargin.variants import load_variant, read_variant
from crossmargin.yamltext import Document, Loc, read_yaml

SEED = "population.seed"
PLOT_WIDTH = 260  # pixels of a panel, which the variants divide among them
LABEL_LETTER = "5.6"  # pixels of a letter of a label
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")  # pages link to files of the study's name
ONE_LINE = ("title", "question", "axis")


@dataclass(frozen=True, slots=True)
class StudyVariant:
    """A variant: changes in the form of PATH=VALUE, those of every run among them, and what it is held against."""

    texts: tuple[str, ...]
    against: str


@dataclass(frozen=True, slots=True)
class Study:
    """A study. Scenarios and variants are by label; ``seeds`` says how many populations there are of each."""

    document: Document
    name: str
    model: StudyModel
    seeds: int
    scenarios: Mapping[str, Path]
    variants: Mapping[str, StudyVariant]

    @property
    def against(self) -> dict[str, str]:
        """Which variant another is held against, by label; empty for none."""
        return {label: variant.against for label, variant in self.variants.items()}

    def cells(self) -> Iterator[tuple[str, str, int]]:
        """Label of the scenario, label of the variant, and seed of every run, in order."""
        for scenario in self.scenarios:
            for variant in self.variants:
                for seed in range(1, self.seeds + 1):
                    yield scenario, variant, seed


@dataclass(frozen=True, slots=True)
class Prepared:
    """A study whose files were read: scenarios as their files tell them, and its measures by name."""

    study: Study
    scenarios: Mapping[str, Scenario]
    measures: Mapping[str, Measure]


def find_study(text: str) -> Path:
    """The study file that ``text`` means: a bare name under ``specs/studies``, or a path."""
    try:
        path = STUDIES.find(text)
    except BadText as problem:
        raise InputError(text, problem.message, remedy=problem.remedy) from None
    if path.is_dir():
        raise InputError(text, "is a folder, not a study", remedy="name a study in it")
    return path


def load_study(path: Path) -> Study:
    """Read a study. What is wrong with it is an ``InputError``; what is wrong with its scenarios, ``prepare`` tells."""
    return parse_study(read_yaml(path))


def parse_study(document: Document) -> Study:
    """A study from a document already read."""
    model, path = validate(document, StudyModel), document.source.file
    if not FILE_NAME.fullmatch(path.stem):
        remedy = "rename it: up to 64 letters, digits, _, . and -, a letter or digit first"
        raise InputError(path, "files named like this one could not be linked to", remedy=remedy)
    faults = Faults(document)
    _check_texts(model, faults)
    scenarios = _find_scenarios(model, path.parent, faults)
    is_sound = _check_changes((), model.always, ("always",), faults)
    variants: dict[str, StudyVariant] = {}
    for label, variant in model.variants.items():
        if is_sound:
            _check_changes(model.always, variant.set, ("variants", label, "set"), faults)
        with faults.noted():
            if variant.against == label or variant.against not in (None, *model.variants):
                others = [name for name in model.variants if name != label]
                raise unknown(variant.against or "", others, ("variants", label, "against"), "other variant")
        variants[label] = StudyVariant((*model.always, *variant.set), variant.against or "")
    _check_pictures(model, faults)
    faults.stop()
    return Study(document, path.stem, model, model.seeds, scenarios, variants)


def _check_texts(model: StudyModel, faults: Faults) -> None:
    """What needs no other file and no variant: lines, numbers, names, sentences."""
    for key in ONE_LINE:
        if len(getattr(model, key).splitlines()) != 1 or not getattr(model, key).strip():
            faults.note(Fault((key,), "one line is needed here", "write it in one, and no more than that"))
    if model.seeds == 0:
        faults.note(Fault(("seeds",), "a study needs a seed", "write how many populations to draw, such as 20"))
    for key in ("scenarios", "variants", "measures"):
        if not getattr(model, key):
            faults.note(Fault((key,), "nothing stands here", "write at least one", key=True))
    for index, name in enumerate(model.measures):
        if name in model.measures[:index]:
            faults.note(Fault(("measures", index), f"{shown(name)} is measured already", "leave one of them out"))
    for index, text in enumerate(model.conclusions):
        with faults.noted():
            check_conclusion(text, model, ("conclusions", index))


def _find_scenarios(model: StudyModel, base: Path, faults: Faults) -> dict[str, Path]:
    """The files of the scenarios by label. One under two labels would count twice among all."""
    if ALL in model.scenarios:
        faults.note(Fault(("scenarios", ALL), f"`{ALL}` stands for every scenario", "choose another label", key=True))
    found: dict[str, Path] = {}
    for label, text in model.scenarios.items():
        with faults.noted(), texts_at(("scenarios", label)):
            path = SCENARIOS.find(text, base)
            same = [other for other, earlier in found.items() if earlier.resolve() == path.resolve()]
            if same:
                raise Fault(("scenarios", label), f"`{same[0]}` is this scenario already", "leave one of them out")
            found[label] = path
    return found


def _check_changes(before: Sequence[str], own: Sequence[str], loc: Loc, faults: Faults) -> bool:
    """Whether changes are sound after those before; the first that is none, sets a value twice or the seed is noted."""
    for at, text in enumerate(own):
        if text.partition("=")[0] == SEED:
            faults.note(Fault((*loc, at), "the seeds of a study are its own", "leave it out, and write `seeds: 20`"))
            return False
        try:
            read_variant((*before, *own[: at + 1]))
        except InputError as error:
            message = f"{error.file.removeprefix('--set ')}: {error.message}"
            faults.note(Fault((*loc, at), message, error.remedy))
            return False
    return True


def _check_pictures(model: StudyModel, faults: Faults) -> None:
    for kind in ("values", "changes"):
        for index, name in enumerate(getattr(model.pictures, kind)):
            if name not in model.measures:
                faults.note(unknown(name, model.measures, ("pictures", kind, index), "measure of the study"))
    if model.pictures.changes and not any(variant.against for variant in model.variants.values()):
        remedy = "write `against` and a label for one of them"
        faults.note(Fault(("pictures", "changes"), "no variant is held against another", remedy, key=True))
    drawn = [label for label, variant in model.variants.items() if model.pictures.values or variant.against]
    longest = max((len(word) for label in drawn for word in label.split()), default=0)
    if longest * len(drawn) * Decimal(LABEL_LETTER) > PLOT_WIDTH:
        remedy = "shorten labels, or divide them by spaces"
        faults.note(Fault(("variants",), "the labels do not fit side by side below a picture", remedy, key=True))


def prepare(study: Study) -> Prepared:
    """Read the scenarios of a study as their files tell them, and find its measures."""
    faults = Faults(study.document)
    scenarios: dict[str, Scenario] = {}
    for label, path in study.scenarios.items():
        scenarios[label] = load_variant(path, read_variant(()))
        if not scenarios[label].members:
            message = "this scenario has no population, so every seed is the same run"
            faults.note(Fault(("scenarios", label), message, "name one that has a population"))
    measures: dict[str, Measure] = {}
    for index, name in enumerate(study.model.measures):
        found = [measure for one in scenarios.values() if (measure := find_measure(name, one.params))]
        if len(found) == len(scenarios):
            measures[name] = found[0]
        else:
            message = f"unknown measure {shown(name)}{near(name, NAMES)}"
            faults.note(Fault(("measures", index), message, listed(NAMES, len(NAMES))))
    faults.stop()
    return Prepared(study, scenarios, measures)


def check_variants(study: Study) -> None:
    """Read every scenario in every variant, so that a mistake in the last one costs no waiting.

    What a variant breaks is an ``InputError`` at the variant.
    """
    faults = Faults(study.document)
    for label, variant in study.variants.items():
        with faults.noted():
            for path in study.scenarios.values():
                try:
                    scenario = load_variant(path, read_variant((*variant.texts, f"{SEED}=1")))
                except InputError as error:
                    raise Fault(("variants", label), f"{path.stem}: {error.message}", error.remedy) from None
                for name in study.model.measures:
                    if find_measure(name, scenario.params) is None:
                        message = f"{path.stem}: nothing is measured by {shown(name)} with this parameter set"
                        raise Fault(("variants", label), message, "leave out the measure, or the parameter set")
    faults.stop()
