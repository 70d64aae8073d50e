"""The results of a study: a row of measures for every run, and what it was made from, as a JSON file keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossmargin.errors import InputError
from crossmargin.quantities import BadText, read_decimal
from crossmargin.study.measures import Measure
from crossmargin.text import decimal
from crossmargin.textfile import read_text

LARGEST = 10**8  # bytes; a row has some hundred
ALL = "all"  # every scenario of a study
Key = tuple[str, str, int]  # label of the scenario, label of the variant, seed


@dataclass(frozen=True, slots=True)
class Results:
    """Rows by run, in the order of ``measures``.

    ``against`` says which variant another is held against; ``facts`` is what the runs were made from.
    """

    measures: Mapping[str, Measure]
    against: Mapping[str, str]
    facts: Mapping[str, Any]
    rows: Mapping[Key, Sequence[int]]

    @property
    def seeds(self) -> int:
        """How many populations there are of each scenario."""
        return max(seed for _, _, seed in self.rows)

    def values(self, measure: str, variant: str, scenario: str = ALL) -> list[int]:
        """The values of a measure over the seeds of a scenario, or of all of them."""
        return [value for _, value in self._by_run(measure, variant, scenario)]

    def changes(self, measure: str, variant: str, scenario: str = ALL) -> list[int]:
        """How much more they are than those of the same scenarios and seeds in the variant it is held against."""
        base = dict(self._by_run(measure, self.against[variant], scenario))
        return [value - base[run] for run, value in self._by_run(measure, variant, scenario)]

    def _by_run(self, measure: str, variant: str, scenario: str) -> Iterator[tuple[tuple[str, int], int]]:
        column = list(self.measures).index(measure)
        for (of_scenario, of_variant, seed), row in self.rows.items():
            if of_variant == variant and scenario in (of_scenario, ALL):
                yield (of_scenario, seed), row[column]


def write_results(results: Results) -> str:
    """The text of the file: a line for each row, counts as integers, all else as exact decimals."""
    columns = ["scenario", "variant", "seed", *results.measures]
    head = json.dumps({**results.facts, "columns": columns}, indent=1)
    rows = (json.dumps([*key, *_write_row(results, row)]) for key, row in results.rows.items())
    return head.removesuffix("\n}") + ',\n "rows": [\n  ' + ",\n  ".join(rows) + "\n ]\n}\n"


def read_results(path: Path, measures: Mapping[str, Measure], against: Mapping[str, str]) -> Results:
    """The results in a file. Refuses one that is not of this study."""
    remedy = "make the study again"
    try:
        facts = json.loads(read_text(path, LARGEST))
        rows, columns = facts.pop("rows"), facts.pop("columns")
        if columns != ["scenario", "variant", "seed", *measures]:
            raise InputError(path, f"its columns are {', '.join(columns)}", remedy=remedy)
        scales = [measure.scale for measure in measures.values()]
        found = {
            (scenario, variant, seed): tuple(
                read_decimal(str(value), scale, signed=True) for value, scale in zip(values, scales, strict=True)
            )
            for scenario, variant, seed, *values in rows
        }
    except (ValueError, KeyError, TypeError, BadText) as problem:
        raise InputError(path, f"is not the results of a study: {problem}", remedy=remedy) from None
    return Results(measures, against, facts, found)


def _write_row(results: Results, row: Sequence[int]) -> Iterator[int | str]:
    for measure, value in zip(results.measures.values(), row, strict=True):
        yield decimal(value, measure.scale) if measure.scale else value
