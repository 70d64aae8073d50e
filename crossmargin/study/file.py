"""The shape of a study file: what ``plan`` turns into runs, and the JSON Schema describes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from crossmargin.fields import FileModel, Flag, Integer, Name, Prose

MOST_SEEDS = 1_000
MOST_CHOICES = 16  # scenarios, and variants: more are too many for one picture
MOST_LABEL = 24

LABEL = Name(
    "a label",
    f"[A-Za-z0-9][A-Za-z0-9 %.+-]{{0,{MOST_LABEL - 1}}}",
    f"use up to {MOST_LABEL} letters, digits, and % . + -",
)
LabelField = Annotated[str, LABEL]
TextField = Annotated[str, Prose()]


class VariantModel(FileModel):
    """What is changed in a scenario."""

    set: tuple[TextField, ...] = Field(
        default=(), max_length=MOST_CHOICES, description="Changes, each PATH=VALUE as after --set."
    )
    against: LabelField | None = Field(
        default=None, description="The variant that this one is held against, seed by seed."
    )


class PicturesModel(FileModel):
    """The pictures, each of one measure."""

    values: tuple[TextField, ...] = Field(default=(), description="Measures whose values are drawn.")
    changes: tuple[TextField, ...] = Field(
        default=(), description="Measures of which what changes against the other variant is drawn."
    )


class StudyModel(FileModel):
    """A study of crossmargin: scenarios, variants and seeds, each of them run with each, and what is measured."""

    title: TextField = Field(description="One line.")
    question: TextField = Field(description="What the study asks.")
    about: TextField = Field(description="How it asks, and what its answer does not say. Paragraphs of Markdown.")
    seeds: Annotated[int, Integer(MOST_SEEDS + 1)] = Field(description="How many populations: of the seeds 1, 2, ...")
    scenarios: dict[LabelField, TextField] = Field(
        max_length=MOST_CHOICES, description="By label: a name under specs/scenarios, or a path from this file."
    )
    always: tuple[TextField, ...] = Field(
        default=(), max_length=MOST_CHOICES, description="Changes of every run, before those of its variant."
    )
    axis: TextField = Field(description="What the variants differ in, as the title of an axis.")
    ordered: Annotated[bool, Flag()] = Field(
        default=False, description="true if the variants are in an order, so that pictures join their medians."
    )
    variants: dict[LabelField, VariantModel] = Field(max_length=MOST_CHOICES, description="By label.")
    measures: tuple[TextField, ...] = Field(description="What is measured of each run.")
    pictures: PicturesModel
    conclusions: tuple[TextField, ...] = Field(
        description="Sentences. {values MEASURE | VARIANT | SCENARIO} stands for numbers over all seeds, {changes ...} "
        "for those against the other variant; a SCENARIO of all takes every one."
    )
