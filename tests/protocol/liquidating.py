"""Accounts below maintenance and the calls of a keeper, for the tests of liquidation."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from protocol.actions import FlagAccount, Liquidate
from protocol.env import Env
from protocol.margin import Health, compute_health
from protocol.state import State, account_id
from protocol.units import W
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    BTC_PRICE,
    ETH_PRICE,
    LIQUIDATOR,
    NOW,
    TRADER,
    WETH,
    env,
    holding,
    opened,
    state_with,
    with_params,
)

TAKE = Liquidate(ACCOUNT)
FLAG = FlagAccount(ACCOUNT)
LOT = W // 1_000
OTHER = account_id(TRADER)
BUCKET = NOW // 112  # of a window of an hour
MONEY = st.integers(0, 10**24) | st.integers(0, 100)


def keeper_env(btc: int = BTC_PRICE, eth: int = ETH_PRICE, **changes: int) -> Env:
    """The surroundings of a liquidation."""
    return env(LIQUIDATOR, btc=btc, eth=eth, **changes)


def long_of(
    cash: int, btc: int = 1, weth: int = 0, pool: int = 10**6, insurance: int = 10**4, flagged_at: int = 0, **other: Any
) -> State:
    """An account with BTC bought at 8,000; whole coins and whole dollars of cash, pool and insurance."""
    held = {WETH: weth} if weth else {}
    account = holding(cash * W, held, {BTC: opened(btc * W, BTC_PRICE)}, flagged_at=flagged_at)
    return state_with({ACCOUNT: account}, pool=pool * W, insurance=insurance * W, **other)


def health_of(state: State, surroundings: Env, account: int = ACCOUNT) -> Health:
    """An account measured."""
    return compute_health(state, state.accounts[account], surroundings)


def windowed(left: int, cash: int = 2_009, window: int = 3_600, flagged_at: int = 0) -> State:
    """10 BTC a dollar short of maintenance, in a market whose window lets whole dollars through."""
    return with_params(long_of(cash, btc=10, flagged_at=flagged_at), BTC, window=window, window_notional=left * W)
