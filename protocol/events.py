"""What an action reports: one event per record touched, carrying the record's complete new value.

The contract logs events of the same names, fields and order. ``INDEXED`` names the fields that are topics.
"""

from __future__ import annotations

from protocol.params import CollateralParams, MarketParams, OrderParams, RiskParams
from protocol.records import record
from protocol.units import Price, Ratio, Seconds, Size, Units, Usd


@record
class AccountUpdated:
    """An account's balance after the action, and the account's first appearance."""

    account: int
    cash: Usd


@record
class AccountIsolated:
    """An account that may trade only one market, and hold only USDC."""

    account: int
    market: int


@record
class OperatorSet:
    """Who may trade for an account; 0 is nobody."""

    account: int
    operator: int


@record
class LeverageCapSet:
    """The owner's own leverage limit in one market; 0 is none."""

    account: int
    market: int
    leverage_cap: Ratio


@record
class AccountFlagged:
    """Since when an account counts as found liquidatable; 0 is not."""

    account: int
    flagged_at: Seconds


@record
class MarginCalled:
    """A margin call: the account is close to liquidation."""

    account: int
    caller: int
    equity_mm: Usd
    maintenance_margin: Usd
    fee: Usd
    called_at: Seconds


@record
class CollateralUpdated:
    """An account's units of one collateral."""

    account: int
    token: int
    units: Units


@record
class PositionUpdated:
    """A fill and the position after it; ``size`` 0 is closed.

    ``pnl`` is realised by this fill, ``funding`` paid by it (negative is received), ``impact`` charged net of rebate.
    """

    account: int
    market: int
    size: Size
    cost: Usd
    entry_index: Price
    size_delta: Size
    price: Price
    pnl: Usd
    funding: Usd
    impact: Usd
    fee: Usd


@record
class OrderUpdated:
    """A pending order; all 0 when it has ended."""

    account: int
    market: int
    size_delta: Size
    acceptable_price: Price
    fee: Usd
    cancel_fee: Usd
    feed: int
    settles_from: Seconds
    expires_at: Seconds


@record
class OrderSettled:
    """A settlement: the order was filled at the price, or ended with the code of what refused its trade."""

    account: int
    market: int
    keeper: int
    round: int
    price: Price
    code: str


@record
class EscrowUpdated:
    """The fees of all pending orders."""

    escrow: Usd


@record
class MarketUpdated:
    """A market's totals, impact ledger and funding."""

    market: int
    long_oi: Size
    short_oi: Size
    cost: Usd
    impact: Usd
    reserved: Usd
    funding_index: Price
    funding_rate: int
    funding_velocity: Ratio
    funding_limit: int
    accrued_at: Seconds
    index_cost: int


@record
class WindowUpdated:
    """A market's liquidation window: its newest bucket, all it ever closed, and what counts now."""

    market: int
    bucket: int
    closed: Usd
    used: Usd


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
    reserved: Usd


@record
class StakeUpdated:
    """A liquidity provider's pool shares and redemption request."""

    owner: int
    shares: int
    requested: int
    claimable_at: Seconds


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
class LiquidationRefused:
    """An account of a batch that could not be liquidated, and why."""

    account: int
    code: str


@record
class RiskSet:
    """The risk parameters now in force; until a time a smaller former reserve and a longer former phase-in hold."""

    params: RiskParams
    phase_until: Seconds
    former_reserve: Usd
    former_phase_in: Seconds


@record
class MarketSet:
    """A market's parameters now in force; until a time, its former maintenance rates hold where they are lower."""

    market: int
    params: MarketParams
    phase_until: Seconds


@record
class OrdersSet:
    """How a market trades now."""

    market: int
    params: OrderParams


@record
class CollateralSet:
    """A collateral's parameters now in force; until a time, its former weights hold where they are higher."""

    token: int
    params: CollateralParams
    phase_until: Seconds


@record
class OpeningPaused:
    """Whether positions may grow."""

    paused: bool


@record
class RolesSet:
    """Who may do what."""

    admin: int
    pending_admin: int
    guardian: int


Event = (
    AccountUpdated
    | AccountIsolated
    | OperatorSet
    | LeverageCapSet
    | AccountFlagged
    | MarginCalled
    | CollateralUpdated
    | PositionUpdated
    | OrderUpdated
    | OrderSettled
    | EscrowUpdated
    | MarketUpdated
    | WindowUpdated
    | TokenUpdated
    | LedgerUpdated
    | StakeUpdated
    | AccountLiquidated
    | LiquidationRefused
    | RiskSet
    | MarketSet
    | OrdersSet
    | CollateralSet
    | OpeningPaused
    | RolesSet
)

INDEXED = frozenset({"account", "market", "token", "owner", "keeper", "caller", "feed"})
