"""What an action reports: one event per record touched, carrying the record's complete new value.

The contract logs events of the same names, fields and order. ``INDEXED`` names the fields that are topics.
"""

from __future__ import annotations

from protocol.params import CollateralParams, MarketParams, RiskParams
from protocol.records import record
from protocol.units import Price, Size, Units, Usd


@record
class AccountUpdated:
    """An account's balance after the action, and the account's first appearance."""

    account: int
    cash: Usd


@record
class CollateralUpdated:
    """An account's units of one collateral."""

    account: int
    token: int
    units: Units


@record
class PositionUpdated:
    """A fill and the position after it; ``size`` 0 is closed. ``pnl`` is realised by this fill, before ``fee``."""

    account: int
    market: int
    size: Size
    cost: Usd
    size_delta: Size
    price: Price
    pnl: Usd
    fee: Usd


@record
class MarketUpdated:
    """A market's totals."""

    market: int
    long_oi: Size
    short_oi: Size
    cost: Usd


@record
class TokenUpdated:
    """The vault's record of one token."""

    token: int
    held: Units
    inventory: Units


@record
class LedgerUpdated:
    """The protocol's own dollars."""

    pool: Usd
    insurance: Usd
    deficit: Usd
    trader_debt: Usd
    shares: int


@record
class SharesUpdated:
    """A liquidity provider's pool shares."""

    owner: int
    shares: int


@record
class AccountLiquidated:
    """What a liquidation found and did. ``reward`` is what the keeper got, whoever paid it."""

    account: int
    keeper: int
    account_state: int
    equity_raw: Usd
    equity_mm: Usd
    maintenance_margin: Usd
    closed_notional: Usd
    reward: Usd
    reward_from_account: Usd
    penalty: Usd
    bad_debt: Usd
    bad_debt_insurance: Usd
    bad_debt_pool: Usd


@record
class RiskSet:
    """The risk parameters now in force."""

    params: RiskParams


@record
class MarketSet:
    """A market's parameters now in force."""

    market: int
    params: MarketParams


@record
class CollateralSet:
    """A collateral's parameters now in force."""

    token: int
    params: CollateralParams


@record
class OpeningPaused:
    """Whether positions may grow."""

    paused: bool


Event = (
    AccountUpdated
    | CollateralUpdated
    | PositionUpdated
    | MarketUpdated
    | TokenUpdated
    | LedgerUpdated
    | SharesUpdated
    | AccountLiquidated
    | RiskSet
    | MarketSet
    | CollateralSet
    | OpeningPaused
)

INDEXED = frozenset({"account", "market", "token", "owner", "keeper"})
