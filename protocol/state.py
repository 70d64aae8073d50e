"""Everything the protocol remembers, as immutable records."""

from __future__ import annotations

from collections.abc import Mapping

from protocol.params import CollateralParams, HaircutBracket, MarginBracket, MarketParams, OrderParams, RiskParams
from protocol.records import Table, record
from protocol.units import Price, Ratio, Seconds, Size, Units, Usd

USDC = 0  # token id of the settlement token


@record
class Position:
    """A perpetual position. ``cost`` is the signed quote paid for it; there is no average price."""

    size: Size
    cost: Usd
    entry_index: Price  # the market's funding index up to which funding is settled


@record
class Order:
    """A trade that waits for its price, and what its market's rules were when it was committed."""

    size_delta: Size
    acceptable_price: Price
    fee: Usd
    cancel_fee: Usd
    feed: int  # whose round is its price
    settles_from: Seconds  # the first round from here on is its price
    expires_at: Seconds  # the last moment to settle it


@record
class Account:
    """One margin account: its account balance, its collateral units, its positions and orders, by ascending id.

    Entries with zero units or zero size do not exist, nor leverage caps of 0.
    """

    cash: Usd  # settled cash; negative is a loan from the pool
    collateral: Mapping[int, Units]
    positions: Mapping[int, Position]
    leverage_caps: Mapping[int, Ratio]  # the owner's own limits, by market
    flagged_at: Seconds  # when it was found liquidatable; 0 if it is not flagged
    margin_called_at: Seconds  # 0 if never
    isolated: int  # 0 for cross, else the only market it may trade, plus 1
    operator: int  # address that may trade for the owner; 0 for nobody
    orders: Mapping[int, Order]  # that are pending, by market


@record
class Market:
    """Exact totals over the positions of one market, its impact ledger and its funding."""

    long_oi: Size
    short_oi: Size
    cost: Usd
    impact: Usd  # charged to traders who grew the skew, kept to rebate those who shrink it
    reserved: Usd  # what the pool must keep for the larger side, at the price of the newest fill
    funding_index: Price  # dollars owed by a long of one base unit since the market began
    funding_rate: int  # per day, scale W * DAY
    funding_velocity: Ratio  # per day per day, signed
    funding_limit: int  # where the rate stops, scale W * DAY, signed
    accrued_at: Seconds
    index_cost: int  # sum of size times entry index, scale W * W

    @property
    def skew(self) -> Size:
        """Net size of all traders, + when they are long."""
        return self.long_oi - self.short_oi

    @property
    def larger_side(self) -> Size:
        """Open interest of the side that has more of it."""
        return self.long_oi if self.long_oi > self.short_oi else self.short_oi


@record
class Window:
    """What partial liquidations closed in one market, and which buckets of its window did.

    ``entries`` has a bucket's number and what had been closed before it, in order; none is 32 older than the newest.
    """

    closed: Usd  # all of it, ever
    entries: tuple[tuple[int, Usd], ...]


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
    reserved: Usd  # sum over markets of what the pool must keep


@record
class Stake:
    """A liquidity provider's pool shares, and how many of them a redemption is requested for."""

    shares: int
    requested: int
    claimable_at: Seconds


@record
class Roles:
    """Who may do what; addresses as integers. A new admin must accept."""

    admin: int
    pending_admin: int
    guardian: int


@record
class RiskPhase:
    """Until a time: the keeper reserve that still holds if it is smaller, the phase-in that holds if it is longer."""

    until: Seconds
    keeper_reserve: Usd
    phase_in: Seconds


@record
class MarketPhase:
    """The maintenance rates that still hold where they are lower, and the ceiling if it is higher, until a time."""

    until: Seconds
    brackets: tuple[MarginBracket, ...]
    ceiling: Price


@record
class CollateralPhase:
    """The maintenance weights, and the ceiling, that still hold where they are higher, until a time."""

    until: Seconds
    brackets: tuple[HaircutBracket, ...]
    ceiling: Price


@record
class State:
    """The complete state of the protocol. Tokens and markets are known by index."""

    roles: Roles
    opening_paused: bool
    risk: RiskParams
    risk_phase: RiskPhase
    market_params: tuple[MarketParams, ...]
    market_phases: tuple[MarketPhase, ...]
    order_params: tuple[OrderParams, ...]  # of each market
    collateral_params: tuple[CollateralParams, ...]  # of token 1, 2, ...
    collateral_phases: tuple[CollateralPhase, ...]
    accounts: Table[int, Account]  # in order of registration
    markets: tuple[Market, ...]
    windows: tuple[Window, ...]
    tokens: tuple[Token, ...]  # token 0 is USDC
    ledger: Ledger
    escrow: Usd  # fees of pending orders: of no account, and not of the protocol
    stakes: Table[int, Stake]  # by owner address, in order of first purchase


NO_RISK = RiskParams(*(0,) * 26, equity_tiers=())
NO_POSITION = Position(0, 0, 0)
NO_STAKE = Stake(0, 0, 0)
NO_ORDER = Order(0, 0, 0, 0, 0, 0, 0)
INSTANT = OrderParams(0, 0, 0, 0, 0)
RING = 32  # buckets of a liquidation window
EMPTY_MARKET = Market(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
EMPTY_WINDOW = Window(0, ())


def genesis(admin: int, guardian: int, tokens: int) -> State:
    """The state of a vault just deployed over ``tokens`` token contracts, USDC first."""
    return State(
        roles=Roles(admin, 0, guardian),
        opening_paused=False,
        risk=NO_RISK,
        risk_phase=RiskPhase(0, 0, 0),
        market_params=(),
        market_phases=(),
        order_params=(),
        collateral_params=(),
        collateral_phases=(),
        accounts=Table(),
        markets=(),
        windows=(),
        tokens=(Token(0, 0),) * tokens,
        ledger=Ledger(0, 0, 0, 0, 0, 0),
        escrow=0,
        stakes=Table(),
    )


def owner_of(account: int) -> int:
    """The owner's address in an account id, ``owner << 96 | sub``."""
    return account >> 96


def account_id(owner: int, sub: int = 0) -> int:
    """The id of an owner's account number ``sub``."""
    return owner << 96 | sub
