"""Fixtures that several lockstep tests share."""

from __future__ import annotations

import pytest

from contracts_py.compile import Artifact
from protocol.actions import SetCollateral
from protocol.params import CollateralParams, HaircutBracket
from protocol.units import W
from tests.lockstep.quoted import QuotedTwins, compile_quoted
from tests.lockstep.wide import set_up
from tests.twins import ETH, WETH, Checkpoint, Twins


@pytest.fixture
def wide(bare_twins: Twins) -> Twins:
    """Twins with prices and sizes to the wei: two such markets, a token with a weight of 95 %."""
    set_up(bare_twins)
    weights = (HaircutBracket(0, W * 95 // 100, W * 95 // 100),)
    bare_twins.do("admin", SetCollateral(WETH, CollateralParams(ETH, 18, 2**96 - 1, 2**96 - 1, 2**96 - 1, weights)))
    return bare_twins


@pytest.fixture(scope="module")
def quoted_artifacts() -> dict[str, Artifact]:
    """All contracts, with a hub that can be told what to answer."""
    return compile_quoted()


@pytest.fixture(scope="module")
def funded(quoted_artifacts: dict[str, Artifact]) -> tuple[QuotedTwins, Checkpoint]:
    """Twins configured and funded once, and that moment to go back to."""
    twins = QuotedTwins(quoted_artifacts)
    twins.configure()
    twins.fund()
    return twins, twins.save()


@pytest.fixture
def quoted(funded: tuple[QuotedTwins, Checkpoint]) -> QuotedTwins:
    """Configured and funded twins whose prices can be given."""
    twins, moment = funded
    twins.restore(moment)
    return twins
