"""Everything the protocol remembers, as immutable records."""

from __future__ import annotations

from collections.abc import Mapping

from protocol.params import CollateralParams, MarketParams, RiskParams
from protocol.records import Table, record
from protocol.units import Size, Units, Usd

USDC = 0  # token id of the settlement token


@record
class Position:
    """A perpetual position. ``cost`` is the signed quote paid for it; there is no average price."""

    size: Size
    cost: Usd


@record
class Account:
    """One margin account: its account balance, its collateral units and its positions, by ascending id.

    Entries with zero units or zero size do not exist.
    """

    cash: Usd  # settled cash; negative is a loan from the pool
    collateral: Mapping[int, Units]
    positions: Mapping[int, Position]


@record
class Market:
    """Exact totals over the positions of one market."""

    long_oi: Size
    short_oi: Size
    cost: Usd

    @property
    def skew(self) -> Size:
        """Net size of all traders, + when they are long."""
        return self.long_oi - self.short_oi


@record
class Token:
    """What the vault records of one token: units it holds, and units of them that the pool has bought."""

    held: Units
    inventory: Units


@record
class Ledger:
    """The protocol's own dollars."""

    pool: Usd
    insurance: Usd
    deficit: Usd  # owed to traders beyond what the pool has
    trader_debt: Usd  # sum of all negative account balances, as a positive number
    shares: int  # pool shares in existence, 18 decimals


@record
class Roles:
    """Who may do what; addresses as integers."""

    admin: int
    guardian: int


@record
class State:
    """The complete state of the protocol. Tokens and markets are known by index."""

    roles: Roles
    opening_paused: bool
    risk: RiskParams
    market_params: tuple[MarketParams, ...]
    collateral_params: tuple[CollateralParams, ...]  # of token 1, 2, ...
    accounts: Table[int, Account]  # in order of registration
    markets: tuple[Market, ...]
    tokens: tuple[Token, ...]  # token 0 is USDC
    ledger: Ledger
    shares: Table[int, int]  # by owner address, in order of first purchase


NO_RISK = RiskParams(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
NO_POSITION = Position(0, 0)


def genesis(admin: int, guardian: int, tokens: int) -> State:
    """The state of a vault just deployed over ``tokens`` token contracts, USDC first."""
    return State(
        roles=Roles(admin, guardian),
        opening_paused=False,
        risk=NO_RISK,
        market_params=(),
        collateral_params=(),
        accounts=Table(),
        markets=(),
        tokens=(Token(0, 0),) * tokens,
        ledger=Ledger(0, 0, 0, 0, 0),
        shares=Table(),
    )


def owner_of(account: int) -> int:
    """The owner's address in an account id, ``owner << 96 | sub``."""
    return account >> 96


def account_id(owner: int, sub: int = 0) -> int:
    """The id of an owner's account number ``sub``."""
    return owner << 96 | sub
