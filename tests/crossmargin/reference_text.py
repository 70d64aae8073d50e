"""The text of the reference parameter set, with changes, and what is said of it then."""

from __future__ import annotations

import pytest

from crossmargin.errors import InputError
from crossmargin.library import PARAMETERS
from crossmargin.parameters import parse_parameters
from crossmargin.yamltext import parse_yaml

REFERENCE = PARAMETERS.path / "reference.yaml"
TEXT = REFERENCE.read_text(encoding="utf-8")


def changed(*changes: tuple[str, str], text: str = TEXT) -> str:
    """The reference set's text with each change made once, where its text first stands."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def failure(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        parse_parameters(parse_yaml(text, REFERENCE))
    return caught.value


def line_of(fragment: str, text: str = TEXT) -> int:
    """The first line on which a fragment stands."""
    return next(number for number, line in enumerate(text.split("\n"), 1) if fragment in line + "\n")
