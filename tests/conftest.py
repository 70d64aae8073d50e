"""Fixtures for the whole tree."""

from __future__ import annotations

import pytest
from hypothesis import settings

from contracts_py.compile import Artifact, compile_all
from tests.twins import Checkpoint, Model, Twins

# The same examples on every run and machine; `make test-deep` looks further, with the same promise.
settings.register_profile("fixed", derandomize=True, database=None, deadline=None, max_examples=150)
settings.load_profile("fixed")


@pytest.fixture(scope="session")
def artifacts() -> dict[str, Artifact]:
    """All contracts, compiled once."""
    return compile_all()


@pytest.fixture
def model() -> Model:
    """A configured and funded model."""
    model = Model()
    model.configure()
    model.fund()
    return model


@pytest.fixture(scope="session")
def deployed(artifacts: dict[str, Artifact]) -> tuple[Twins, Checkpoint, Checkpoint]:
    """Twins deployed once, and two moments to go back to: just deployed, and configured and funded."""
    twins = Twins(artifacts)
    bare = twins.save()
    twins.configure()
    twins.fund()
    return twins, bare, twins.save()


@pytest.fixture
def twins(deployed: tuple[Twins, Checkpoint, Checkpoint]) -> Twins:
    """Configured and funded twins, as if deployed for this test."""
    twins, _, funded = deployed
    twins.restore(funded)
    return twins


@pytest.fixture
def bare_twins(deployed: tuple[Twins, Checkpoint, Checkpoint]) -> Twins:
    """Twins just deployed: no feeds, no parameters, no money."""
    twins, bare, _ = deployed
    twins.restore(bare)
    return twins
