"""What a book is worth, where it stands, and what a liquidation would do: the protocol's functions on its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from crossmargin.portfolio.book import ACCOUNT, KEEPER, Book
from crossmargin.portfolio.capital import Capital, compute_holding, compute_opening
from crossmargin.portfolio.moves import Move
from crossmargin.portfolio.orders import Order, find_orders
from protocol.account_state import AccountState, compute_account_state
from protocol.actions import Liquidate
from protocol.env import Env
from protocol.errors import Refusal
from protocol.events import AccountLiquidated, CollateralUpdated, PositionUpdated
from protocol.liquidation import process_liquidate
from protocol.margin import Health, compute_health, compute_required_equity
from protocol.state import NO_POSITION, USDC, Position
from protocol.units import Price, Size, Units, Usd
from protocol.views import compute_bankruptcy_price, compute_liquidation_price, compute_withdrawable


@dataclass(frozen=True, slots=True)
class Standing:
    """An account at some prices. ``required`` is what the equity tiers ask of equity_im."""

    health: Health
    required: Usd
    state: AccountState


@dataclass(frozen=True, slots=True)
class Holding:
    """A position: its share of both margins without the reserve, and the prices at which it ends; 0 for none."""

    position: Position
    pnl: Usd
    notional: Usd
    maintenance_margin: Usd
    initial_margin: Usd
    liquidation_price: Price
    bankruptcy_price: Price


@dataclass(frozen=True, slots=True)
class Pledge:
    """A collateral: its units, at market, and as it counts in equity_mm and equity_im."""

    units: Units
    value: Usd
    mm_value: Usd
    im_value: Usd


@dataclass(frozen=True, slots=True)
class Closing:
    """What a liquidation would close, signed as the positions, and sell; its report."""

    closed: Mapping[int, Size]
    sold: Mapping[int, Units]
    report: AccountLiquidated


@dataclass(frozen=True, slots=True)
class Row:
    """The account at prices that might be. ``closing`` is None where no liquidation is due."""

    text: str
    env: Env
    standing: Standing
    closing: Closing | None
    holding: Capital


@dataclass(frozen=True, slots=True)
class Measure:
    """Everything that ``crossmargin margin`` says of a book."""

    book: Book
    now: Row
    withdrawable: Mapping[int, Units]
    holdings: Mapping[int, Holding]
    pledges: Mapping[int, Pledge]
    orders: list[Order]
    opening: Capital | Refusal
    rows: list[Row]


def measure_book(book: Book, moves: list[Move]) -> Measure:
    """The book now, what it could do next, and at the prices of every move."""
    tokens = (USDC, *book.account.collateral)
    return Measure(
        book=book,
        now=measure_row(book, Move("now", book.env)),
        withdrawable={token: compute_withdrawable(book.state, book.env, ACCOUNT, token) for token in tokens},
        holdings={market: measure_position(book, market) for market in book.account.positions},
        pledges={token: measure_collateral(book, token) for token in book.account.collateral},
        orders=find_orders(book),
        opening=compute_opening(book),
        rows=[measure_row(book, move) for move in moves],
    )


def measure_row(book: Book, move: Move) -> Row:
    """The account at the prices of a move."""
    health = compute_health(book.state, book.account, move.env)
    risk = book.state.risk
    standing = Standing(
        health,
        compute_required_equity(risk.equity_tiers, health.gross_notional),
        compute_account_state(risk, health),
    )
    return Row(move.text, move.env, standing, find_closing(book, move.env), compute_holding(book, move.env))


def measure_position(book: Book, market: int) -> Holding:
    """One position, measured as if it were alone (MRG-4): the reserve taken off, margins add up to the account's."""
    position = book.account.positions[market]
    alone = replace(book.account, cash=0, collateral={}, positions={market: position})
    health = compute_health(book.state, alone, book.env)
    return Holding(
        position=position,
        pnl=health.equity_raw,
        notional=health.gross_notional,
        maintenance_margin=health.maintenance_margin - health.reserve,
        initial_margin=health.initial_margin - health.reserve,
        liquidation_price=compute_liquidation_price(book.state, book.env, ACCOUNT, market),
        bankruptcy_price=compute_bankruptcy_price(book.state, book.env, ACCOUNT, market),
    )


def measure_collateral(book: Book, token: int) -> Pledge:
    """One collateral, measured as if it were alone (MRG-4)."""
    units = book.account.collateral[token]
    alone = replace(book.account, cash=0, collateral={token: units}, positions={})
    health = compute_health(book.state, alone, book.env)
    return Pledge(units, health.equity_raw, health.equity_mm, health.equity_im)


def find_closing(book: Book, env: Env) -> Closing | None:
    """What a keeper's liquidation would do at these prices, or None if it would be refused (VIEW-2)."""
    try:
        outcome = process_liquidate(book.state, replace(env, sender=KEEPER), Liquidate(ACCOUNT))
    except Refusal:
        return None
    own = [event for event in outcome.events if getattr(event, "account", None) == ACCOUNT]
    (report,) = (event for event in own if isinstance(event, AccountLiquidated))
    held = book.account
    return Closing(
        closed={
            e.market: held.positions.get(e.market, NO_POSITION).size - e.size
            for e in own
            if isinstance(e, PositionUpdated)
        },
        sold={e.token: held.collateral[e.token] - e.units for e in own if isinstance(e, CollateralUpdated)},
        report=report,
    )
