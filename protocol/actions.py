"""What a sender may ask for. Each record carries what the sender chose and nothing derived.

The contract has a function of the same name in snake case, with the same arguments.
"""

from __future__ import annotations

from protocol.params import CollateralParams, MarketParams, RiskParams
from protocol.records import record
from protocol.units import Price, Size, Units


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
class Trade:
    """Change a position by ``size_delta`` at the oracle price (specs/actions/trade.md)."""

    account: int
    market: int
    size_delta: Size
    acceptable_price: Price


@record
class Liquidate:
    """Close an account below its maintenance margin (specs/actions/liquidate.md)."""

    account: int


@record
class DepositToPool:
    """Buy pool shares with USDC (specs/actions/deposit_to_pool.md)."""

    units: Units


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
class SetCollateral:
    """List a collateral or replace its parameters (specs/actions/governance.md)."""

    token: int
    params: CollateralParams


@record
class PauseOpening:
    """Stop or resume the growth of positions (specs/actions/governance.md)."""

    paused: bool


Action = (
    Deposit
    | Withdraw
    | Trade
    | Liquidate
    | DepositToPool
    | FundInsurance
    | SetRisk
    | SetMarket
    | SetCollateral
    | PauseOpening
)
