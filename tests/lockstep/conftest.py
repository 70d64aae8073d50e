"""Fixtures that several lockstep tests share."""

from __future__ import annotations

import pytest

from protocol.actions import SetCollateral
from protocol.params import CollateralParams, HaircutBracket
from protocol.units import W
from tests.lockstep.wide import set_up
from tests.twins import ETH, WETH, Twins


@pytest.fixture
def wide(bare_twins: Twins) -> Twins:
    """Twins with prices and sizes to the wei: two such markets, a token with a weight of 95 %."""
    set_up(bare_twins)
    weights = (HaircutBracket(0, W * 95 // 100, W * 95 // 100),)
    bare_twins.do("admin", SetCollateral(WETH, CollateralParams(ETH, 18, 2**96 - 1, 2**96 - 1, 2**96 - 1, weights)))
    return bare_twins
