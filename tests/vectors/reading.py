"""Reads the case files, and knows which cases the tests use.

A file under ``cases`` holds one rule of one venue: where the figures come from (``source``, ``provenance``), the
venue's formula and rounding, and cases of inputs and expected answers. A test takes a file with ``cases`` and names
the cases that it leaves out, each with the reason; ``test_every_case`` fails when a case is neither used nor named.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from protocol.units import W

FOLDER = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Case:
    """One case. Numbers are as in the file: ints, or strings for decimals, quotients and large numbers."""

    name: str
    params: dict[str, Any]  # what all cases of the file share
    inputs: dict[str, Any]
    answers: dict[str, Any]
    tolerance: Any

    def expected(self, *keys: str) -> list[Any]:
        """The expected answers in the order of ``keys``, None for one not stated; a test must know every key."""
        assert set(self.answers) <= set(keys), f"{set(self.answers) - set(keys)} is not compared"
        return [self.answers.get(key) for key in keys]

    def absolute(self) -> Fraction:
        """The case's absolute tolerance."""
        return exact(self.tolerance["absolute"])


@dataclass
class Use:
    """What the tests do with the cases of a file."""

    used: set[str]
    left_out: dict[str, str]  # case and reason


USES: dict[str, Use] = {}


def cases(file: str, left_out: dict[str, str] | None = None) -> pytest.MarkDecorator:
    """Runs a test for every case of a file but those left out; the test's parameter is ``case``."""
    left_out = left_out or {}
    found = [case for case in read(file) if case.name not in left_out]
    use = USES.setdefault(file, Use(set(), {}))
    use.used |= {case.name for case in found}
    use.left_out |= left_out
    return pytest.mark.parametrize("case", found, ids=[case.name for case in found])


def read(file: str) -> list[Case]:
    """All cases of a file."""
    content = json.loads((FOLDER / f"{file}.json").read_text(encoding="utf-8"))
    return [
        Case(
            case["name"],
            content["params"],
            case["inputs"],
            case["expected"],
            case.get("tolerance", content["tolerance"]),
        )
        for case in content["cases"]
    ]


def exact(number: int | str) -> Fraction:
    """A number of a case file, without rounding."""
    return Fraction(number)


def wei(number: int | str | Fraction, scale: int = W) -> int:
    """A number of a case file at a scale; it must be a whole number there."""
    scaled = Fraction(number) * scale
    assert scaled.denominator == 1, f"{number} is no whole number at scale {scale}"
    return scaled.numerator
