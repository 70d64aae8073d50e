"""An empty graph in model and contract."""

from __future__ import annotations

import pytest

from contracts_py.compile import Artifact
from tests.oracle.graph_twins import GraphTwins, compile_graph


@pytest.fixture(scope="session")
def compiled_graph() -> dict[str, Artifact]:
    """The contract and its source."""
    return compile_graph()


@pytest.fixture
def twins(compiled_graph: dict[str, Artifact]) -> GraphTwins:
    """An empty graph on both."""
    return GraphTwins(compiled_graph)
