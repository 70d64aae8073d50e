"""Pools with shares, positions against them and inventory, for the tests of providing and leaving."""

from __future__ import annotations

from typing import Any

from protocol.actions import ClaimRedemption
from protocol.state import Position, Stake, State
from protocol.units import W
from tests.protocol.build import ACCOUNT, BTC, KEEPER, LENDER, NOW, WETH, holding, state_with

DOLLAR = 10**6  # units of USDC
DELAY, WINDOW = 3_600, 86_400
CLAIM = ClaimRedemption()


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


def lender(
    pool: int = 1_000 * W,
    shares: int = 1_000 * W,
    requested: int = 100 * W,
    claimable_at: int = NOW,
    btc: Position | None = None,
    debt: int = 0,
    **state: Any,
) -> State:
    """A pool with a lender who has asked for shares, perhaps with a position against it and a debt to it."""
    stakes = {LENDER: Stake(shares, requested, claimable_at)}
    accounts = {ACCOUNT: holding(10**4 * W, positions={BTC: btc} if btc else {})}
    if debt:
        accounts[KEEPER] = holding(-debt, {WETH: 10**20})
    return state_with(accounts, pool=pool, stakes=stakes, **state)
