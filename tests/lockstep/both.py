"""What the rule tests on both twins share: who is in them, and how to say that something is refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from contracts_py.keys import address_of
from protocol.account_state import AccountState, compute_account_state
from protocol.actions import Trade
from protocol.margin import Health, compute_health
from protocol.state import Position, account_id
from protocol.trading import NO_LIMIT
from protocol.units import W
from tests.twins import BTC, Twins, market_params

DOLLAR = 10**6  # USDC units
LOT = W // 1_000
BORROWER, TRADER, LIQUIDATOR, STRANGER = (
    account_id(address_of(name)) for name in ("borrower", "trader", "liquidator", "stranger")
)
MARKET = market_params(BTC)
NO_FUNDING: dict[str, Any] = {"funding_cap": 0, "funding_velocity": 0, "funding_decay": 0}
# No fees, no funding, and an impact of a millionth of the notional for a fill of one from no skew.
PLAIN = replace(MARKET, maker_fee=0, taker_fee=0, skew_scale=500_000 * W, **NO_FUNDING)


def check(twins: Twins, sizes: Iterable[int] = ()) -> None:
    """S3, S5, S6: the complete states, and what the views say of every account; ``max_size`` only of ``sizes``."""
    twins.check_states()
    twins.check_views(sizes=sizes)


def refuse(twins: Twins, code: str, *attempts: tuple[str, Any]) -> None:
    """All of these are refused by both twins with one code."""
    for sender, action in attempts:
        twins.do(sender, action, refused=code)


def buy(size: int, account: int = BORROWER, market: int = BTC) -> Trade:
    """A trade at any price; a negative size sells."""
    return Trade(account, market, size, NO_LIMIT if size > 0 else 0)


def measure(twins: Twins, account: int) -> Health:
    """The health of an account now."""
    state = twins.world.protocol
    return compute_health(state, state.accounts[account], twins.world.env(twins.now))


def standing(twins: Twins, account: int) -> AccountState:
    """Where an account stands now."""
    return compute_account_state(twins.world.protocol.risk, measure(twins, account))


def position(twins: Twins, account: int, market: int = BTC) -> Position:
    """An open position."""
    held: Position = twins.world.protocol.accounts[account].positions[market]
    return held


def named(twins: Twins, name: str) -> list[Any]:
    """The events of that name in the newest action."""
    return [event for event in twins.events if type(event).__name__ == name]
