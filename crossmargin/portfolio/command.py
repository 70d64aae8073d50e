"""``crossmargin margin``: reading a portfolio and printing what it is worth and what it could do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from crossmargin.errors import Exit, InputError
from crossmargin.output import say
from crossmargin.portfolio.book import Book, find_portfolio, load_book
from crossmargin.portfolio.capital import Capital
from crossmargin.portfolio.measure import Closing, Measure, Row, measure_book
from crossmargin.portfolio.moves import Move, read_at, read_shock
from crossmargin.portfolio.page import compare, render
from crossmargin.quantities import BadText
from crossmargin.text import decimal
from protocol.env import Env, Quote
from protocol.errors import Refusal
from protocol.state import USDC
from protocol.units import Price


def show_margin(text: str, at: list[str], shocks: list[str], as_json: bool) -> Exit:
    """The command: the portfolio that ``text`` means, at its prices and at those of the options."""
    book = load_book(find_portfolio(text))
    moves = [
        *(_read_move(book, "--at", read_at, asked) for asked in at),
        *(_read_move(book, "--shock", read_shock, asked) for asked in shocks),
    ]
    measure = measure_book(book, moves)
    if as_json:
        say(json.dumps(to_json(measure)))
    else:
        say(render(measure), end="")
    return Exit.OK


def _read_move(book: Book, option: str, reader: Callable[[Book, str], Move], text: str) -> Move:
    try:
        return reader(book, text)
    except BadText as problem:
        raise InputError(option, problem.message, remedy=problem.remedy) from None


def to_json(measure: Measure) -> dict[str, Any]:
    """The page as JSON values; amounts are exact decimal strings, by name of market, token or feed."""
    book = measure.book
    return {
        "portfolio": book.name,
        "title": book.title,
        "params": {"name": book.params.name, "version": book.params.version},
        "assumed": list(book.assumed),
        **_row(measure, measure.now),
        "account_balance": decimal(book.account.cash),
        "withdrawable": {book.token(token): _units(book, token, held) for token, held in measure.withdrawable.items()},
        "positions": {
            book.market(market): {
                "size": decimal(held.position.size, places=0),
                "cost": decimal(held.position.cost),
                "pnl": decimal(held.pnl),
                "notional": decimal(held.notional),
                "maintenance_margin": decimal(held.maintenance_margin),
                "initial_margin": decimal(held.initial_margin),
                "liquidation_price": _end(held.liquidation_price),
                "bankruptcy_price": _end(held.bankruptcy_price),
            }
            for market, held in measure.holdings.items()
        },
        "collateral": {
            book.token(token): {
                "units": _units(book, token, held.units),
                "value": decimal(held.value),
                "mm_value": decimal(held.mm_value),
                "im_value": decimal(held.im_value),
            }
            for token, held in measure.pledges.items()
        },
        "orders": [
            {
                "market": book.market(order.market),
                "side": "buy" if order.is_long else "sell",
                "size": decimal(order.size, places=0),
                "notional": decimal(order.notional),
                "refused": decimal(order.refused, places=0),
                "limit": order.limit,
                "rule": order.rule,
                "code": order.code,
                "reason": order.reason,
            }
            for order in measure.orders
        ],
        "to_open": measure.opening.code if isinstance(measure.opening, Refusal) else _capital(book, measure.opening),
        "difference": compare(measure) if measure.holdings else "",
        "rows": [{"if": row.text, **_row(measure, row)} for row in measure.rows],
    }


def _row(measure: Measure, row: Row) -> dict[str, Any]:
    """The account at some prices."""
    health = row.standing.health
    return {
        "prices": _prices(measure.book, row.env),
        "account_value": decimal(health.equity_raw),
        "equity_mm": decimal(health.equity_mm),
        "equity_im": decimal(health.equity_im),
        "maintenance_margin": decimal(health.maintenance_margin),
        "initial_margin": decimal(health.initial_margin),
        "required_equity": decimal(row.standing.required),
        "reserve": decimal(health.reserve),
        "gross_notional": decimal(health.gross_notional),
        "state": row.standing.state.name,
        "liquidation": _closing(measure.book, row.closing) if row.closing else None,
        "to_hold": _capital(measure.book, row.holding),
    }


def _prices(book: Book, env: Env) -> dict[str, dict[str, str]]:
    def sides(quote: Quote) -> dict[str, str]:
        return {"bid": decimal(quote.bid), "price": decimal(quote.mid), "ask": decimal(quote.ask)}

    named = zip(book.params.feeds, env.quotes, strict=True)
    return {spec.name: sides(quote) for spec, quote in named if quote.mid}


def _closing(book: Book, closing: Closing) -> dict[str, Any]:
    report = closing.report
    return {
        "closes": {book.market(market): decimal(size, places=0) for market, size in closing.closed.items()},
        "sells": {book.token(token): _units(book, token, units) for token, units in closing.sold.items()},
        "closed_notional": decimal(report.closed_notional),
        "reward": decimal(report.reward),
        "penalty": decimal(report.penalty),
        "bad_debt": decimal(report.bad_debt),
    }


def _capital(book: Book, capital: Capital) -> dict[str, Any]:
    """USDC of both ways."""
    isolated: Mapping[str, str] = {
        book.market(market): _units(book, USDC, units) for market, units in capital.isolated.items()
    }
    return {
        "cross": _units(book, USDC, capital.cross),
        "isolated": isolated,
        "isolated_total": _units(book, USDC, capital.total),
    }


def _units(book: Book, token: int, units: int) -> str:
    return decimal(units, book.params.tokens[token].decimals)


def _end(price: Price) -> str | None:
    """A price at which something ends, or None if there is none."""
    return decimal(price) if price else None
