"""Fixtures for the whole tree."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from typing import Any

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
def funded_twins(artifacts: dict[str, Artifact]) -> tuple[Twins, Checkpoint]:
    """Twins configured and funded once, and that moment to go back to."""
    twins = Twins(artifacts)
    twins.configure()
    twins.fund()
    return twins, twins.save()


@pytest.fixture
def twins(funded_twins: tuple[Twins, Checkpoint]) -> Twins:
    """Configured and funded twins, as if deployed for this test."""
    twins, funded = funded_twins
    twins.restore(funded)
    return twins


@pytest.fixture(scope="session")
def unset_twins(artifacts: dict[str, Artifact]) -> tuple[Twins, Checkpoint]:
    """Twins deployed once, and that moment to go back to."""
    twins = Twins(artifacts)
    return twins, twins.save()


@pytest.fixture
def bare_twins(unset_twins: tuple[Twins, Checkpoint]) -> Twins:
    """Twins just deployed: no feeds, no parameters, no money."""
    twins, bare = unset_twins
    twins.restore(bare)
    return twins


def pytest_collection_finish() -> None:
    """What is collected stays to the end: the garbage collector need not look at it again and again."""
    gc.freeze()


# --- what the random stories of a run covered, counted in each worker and shown at the end ---------------------------

STORIES = "tests.lockstep.sequences"
collected: Counter[tuple[str, str]] = Counter()


def told_here() -> Counter[tuple[str, str]]:
    """The counts of this process."""
    module = sys.modules.get(STORIES)
    return module.OUTCOMES if module else Counter()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its counts to the process that started it."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["outcomes"] = [[*key, count] for key, count in told_here().items()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker has finished."""
    for action, code, count in getattr(node, "workeroutput", {}).get("outcomes", ()):
        collected[action, code] += count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each action."""
    outcomes = collected + told_here()
    if outcomes:
        from tests.lockstep.sequences import count_by_action

        terminalreporter.section("random stories: what came of each action")
        for line in count_by_action(outcomes):
            terminalreporter.line(line)
