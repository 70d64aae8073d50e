"""Pools with shares, positions against them and inventory, for the tests of providing and leaving."""

from __future__ import annotations

from protocol.state import Position, State
from protocol.units import W
from tests.protocol.build import ACCOUNT, BTC, KEEPER, LENDER, WETH, holding, state_with

DOLLAR = 10**6  # units of USDC


def pool_of(
    pool: int,
    shares: int = 0,
    btc: Position | None = None,
    weth: int = 0,
    deficit: int = 0,
    btc_other: Position | None = None,
) -> State:
    """A state with a pool, one or two BTC positions against it and WETH bought."""
    accounts = {ACCOUNT: holding(10**4 * W, positions={BTC: btc} if btc else {})}
    if btc_other:
        accounts[KEEPER] = holding(10**4 * W, positions={BTC: btc_other})
    return state_with(
        accounts, pool=pool, stakes={LENDER: shares} if shares else {}, inventory={WETH: weth}, deficit=deficit
    )
