"""No refusal code without a test of the model, and none without one of both twins."""

from __future__ import annotations

from pathlib import Path

import pytest

from oracle.errors import REFUSALS
from tests.lockstep.refusals.telling import ELSEWHERE, OF_SOURCES, TOLD

CONTRACTS_ONLY = {"token/transfer-failed", "token/amount-mismatch", "oracle/gas"}  # outside the model
TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("code", sorted(REFUSALS.keys() - CONTRACTS_ONLY))
def test_every_refusal_is_reached_by_the_model(code: str) -> None:
    """S3, O5, B32."""
    texts = [path.read_text("utf-8") for folder in ("protocol", "oracle") for path in (TESTS / folder).glob("*.py")]
    assert any(f'"{code}"' in text for text in texts)


def test_every_refusal_is_reached_by_both() -> None:
    """S3: the stories, and what no action of the model can be refused with."""
    assert TOLD.keys() | ELSEWHERE == REFUSALS.keys()


@pytest.mark.parametrize("code", sorted(OF_SOURCES))
def test_every_refusal_of_a_source_is_reached_by_both(code: str) -> None:
    """S3: named where a contract of tests/oracle, or the hub over a graph, runs beside its model."""
    paths = (*(TESTS / "oracle").glob("test_*_on_both.py"), TESTS / "lockstep" / "test_node_feeds_on_both.py")
    assert any(f'"{code}"' in path.read_text("utf-8") for path in paths)
