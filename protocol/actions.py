"""What a sender may ask for. Each record carries what the sender chose and nothing derived.

The contract has a function of the same name in snake case, with the same arguments.
"""

from __future__ import annotations

from protocol.params import CollateralParams, MarketParams, OrderParams, RiskParams
from protocol.records import record
from protocol.units import Price, Ratio, Size, Units, Usd


@record
class Deposit:
    """Add tokens to an account, one's own or another's (specs/actions/deposit.md)."""

    account: int
    token: int
    units: Units


@record
class Withdraw:
    """Take tokens out of one's account (specs/actions/withdraw.md)."""

    account: int
    token: int
    units: Units


@record
class Transfer:
    """Move tokens between two accounts of one owner (specs/actions/transfer.md)."""

    account: int
    target: int
    token: int
    units: Units


@record
class CreateIsolated:
    """Open an account for one market only (specs/actions/accounts.md)."""

    account: int
    market: int


@record
class SetOperator:
    """Let an address trade for an account, or nobody with 0 (specs/actions/accounts.md)."""

    account: int
    operator: int


@record
class Trade:
    """Change a position by ``size_delta`` at the oracle price and its impact (specs/actions/trade.md)."""

    account: int
    market: int
    size_delta: Size
    acceptable_price: Price


@record
class CloseAll:
    """Close every position of an account (specs/actions/close_all.md)."""

    account: int
    min_cash: Usd  # signed


@record
class SetLeverageCap:
    """Limit one's own leverage in one market, or lift the limit with 0 (specs/actions/accounts.md)."""

    account: int
    market: int
    leverage_cap: Ratio


@record
class CommitOrder:
    """Ask for a trade at a price that is not known yet (specs/actions/orders.md)."""

    account: int
    market: int
    size_delta: Size
    acceptable_price: Price


@record
class SettleOrder:
    """Make the trade of a pending order at the round that is its price (specs/actions/orders.md)."""

    account: int
    market: int
    round: int


@record
class CancelOrder:
    """End an order that nobody settled in time (specs/actions/orders.md)."""

    account: int
    market: int


@record
class MarginCall:
    """Announce that an account is close to liquidation (specs/actions/margin_call.md)."""

    account: int


@record
class FlagAccount:
    """Start or lift the clock of an account's liquidation reward (specs/actions/flag.md)."""

    account: int


@record
class Liquidate:
    """Close what is needed of an account below its maintenance margin (specs/actions/liquidate.md)."""

    account: int


@record
class LiquidateMany:
    """Liquidate several accounts, each by itself (specs/actions/liquidate.md)."""

    batch: tuple[int, ...]


@record
class DepositToPool:
    """Buy pool shares with USDC (specs/actions/pool.md)."""

    units: Units


@record
class RequestRedemption:
    """Ask for the redemption of pool shares (specs/actions/pool.md)."""

    shares: int


@record
class ClaimRedemption:
    """Redeem the pool shares asked for (specs/actions/pool.md)."""


@record
class BuyInventory:
    """Buy collateral that the pool took over (specs/actions/buy_inventory.md)."""

    token: int
    units: Units
    max_cost: Units  # of USDC


@record
class FundInsurance:
    """Give USDC to the insurance fund (specs/actions/fund_insurance.md)."""

    units: Units


@record
class SetRisk:
    """Replace the risk parameters (specs/actions/governance.md)."""

    params: RiskParams


@record
class SetMarket:
    """List a market or replace its parameters (specs/actions/governance.md)."""

    market: int
    params: MarketParams


@record
class SetOrders:
    """Let a market trade by committed orders, or at once with a delay of 0 (specs/actions/orders.md)."""

    market: int
    params: OrderParams


@record
class SetCollateral:
    """List a collateral or replace its parameters (specs/actions/governance.md)."""

    token: int
    params: CollateralParams


@record
class PauseOpening:
    """Stop or resume the growth of positions (specs/actions/governance.md)."""

    paused: bool


@record
class ProposeAdmin:
    """Name the next admin, who must accept (specs/actions/governance.md)."""

    admin: int


@record
class AcceptAdmin:
    """Become admin (specs/actions/governance.md)."""


@record
class SetGuardian:
    """Name the guardian (specs/actions/governance.md)."""

    guardian: int


Action = (
    Deposit
    | Withdraw
    | Transfer
    | CreateIsolated
    | SetOperator
    | Trade
    | CloseAll
    | SetLeverageCap
    | CommitOrder
    | SettleOrder
    | CancelOrder
    | MarginCall
    | FlagAccount
    | Liquidate
    | LiquidateMany
    | DepositToPool
    | RequestRedemption
    | ClaimRedemption
    | BuyInventory
    | FundInsurance
    | SetRisk
    | SetMarket
    | SetOrders
    | SetCollateral
    | PauseOpening
    | ProposeAdmin
    | AcceptAdmin
    | SetGuardian
)
