"""The stages of the attacks, set up once for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts_py.compile import Artifact, compile_all
from tests.attacks.guards import compile_switched
from tests.attacks.stage import Stage

MOODY = Path(__file__).parent / "vyper" / "MoodyToken.vy"


@pytest.fixture(scope="session")
def switched() -> dict[str, Artifact]:
    """The contracts with a switch for every guard."""
    return compile_switched()


@pytest.fixture(scope="session")
def stage(artifacts: dict[str, Artifact], switched: dict[str, Artifact]) -> Stage:
    """Both places over honest tokens."""
    return Stage(artifacts, switched)


@pytest.fixture(scope="session")
def moody_stage(artifacts: dict[str, Artifact], switched: dict[str, Artifact]) -> Stage:
    """Both places over tokens whose issuer turns on their holders."""
    token = compile_all({"MoodyToken.vy": MOODY.read_text()}, ("MoodyToken",))["MoodyToken"]
    return Stage({**artifacts, "mocks/Token": token}, switched)
