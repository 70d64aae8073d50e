"""Portfolios from text, for tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossmargin.errors import InputError
from crossmargin.library import PARAMETERS
from crossmargin.portfolio.book import Book, parse_book
from crossmargin.yamltext import parse_yaml

FILE = Path("told.yaml")
PAIR = """\
params: reference
prices: {BTC: 8000, ETH: 200}
cash: 40000
positions:
  BTC: {size: 20, entry: 7900}
  ETH: {size: -600, entry: 204}
"""


def read(text: str) -> Book:
    """The book of a portfolio's text."""
    return parse_book(parse_yaml(text, FILE))


def fail(text: str) -> InputError:
    """What is wrong with a portfolio's text."""
    with pytest.raises(InputError) as caught:
        read(text)
    return caught.value


def write_set(folder: Path, old: str, new: str) -> Path:
    """The reference set with one change."""
    path = folder / "changed.yaml"
    path.write_text(PARAMETERS.find("reference").read_text("utf-8").replace(old, new), "utf-8")
    return path
