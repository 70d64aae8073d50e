"""How a trader begins: what it pays in, and positions as large as it wants and its own account allows."""

from __future__ import annotations

from collections.abc import Iterator

from crossmargin.parameters import ParameterSet
from crossmargin.population.book import Book
from crossmargin.population.members import Member
from crossmargin.steps.trading import NO_LIMIT_BUY, NO_LIMIT_SELL
from protocol.account_state import AccountState
from protocol.actions import Action, CreateIsolated, Deposit, Trade
from protocol.env import Env
from protocol.state import USDC, State
from protocol.units import BPS, USDC_TO_W, Size, Units, W, cdiv

LEVERAGE_SCALE = 100
LEAST_ROOM = 102  # hundredths of min_notional: a position of exactly that would be refused after the next tick
SHRINK, SHRINK_SCALE = 9, 10  # what is left of a size that the account does not allow


def open_book(member: Member, account: int, params: ParameterSet, state: State, env: Env) -> tuple[Book, list[Action]]:
    """A trader's book after its opening at the prices of ``env``, and the actions that lead there.

    Sizes are whole lots, rounded down. One that would not leave the account HEALTHY shrinks by a tenth until it does;
    whoever cannot have the least position pays in and opens none.
    """
    deposits = list(_read_deposits(member, params, env))
    sizes = _size_positions(member, params, env, dict(deposits).get(member.token, 0))
    book = _enter(member, deposits, sizes, state, env)
    while sizes and book.stand(state, env) != AccountState.HEALTHY:
        sizes = [size * SHRINK // SHRINK_SCALE for size in sizes]
        sizes = _round(member, params, env, sizes)
        book = _enter(member, deposits, sizes, state, env)
    opening: list[Action] = [CreateIsolated(account, member.markets[0])] if member.isolated else []
    opening += [Deposit(account, token, units) for token, units in deposits]
    opening += [
        Trade(account, market, side * size, NO_LIMIT_BUY if side > 0 else NO_LIMIT_SELL)
        for market, side, size in zip(member.markets, member.sides, sizes, strict=False)
    ]
    return book, opening


def _read_deposits(member: Member, params: ParameterSet, env: Env) -> Iterator[tuple[int, Units]]:
    """Units of each token paid in, USDC first; rounded down, so that the equity is at most what was drawn."""
    cash = member.equity * member.cash_part // BPS
    if cash:
        yield USDC, cash
    spec = params.tokens[member.token]
    if spec.params is not None:
        price = env.quote(spec.params.feed).mid
        units = (member.equity - cash) * USDC_TO_W * 10**spec.decimals // price
        if units:
            yield member.token, units


def _size_positions(member: Member, params: ParameterSet, env: Env, units: Units) -> list[Size]:
    """The sizes wanted, each for an equal part of the notional; of a covered book, all its collateral."""
    if member.book == "covered":
        wanted = [units * W // 10 ** params.tokens[member.token].decimals]
    else:
        notional = member.equity * USDC_TO_W * member.leverage // LEVERAGE_SCALE // len(member.markets)
        wanted = []
        for market in member.markets:
            spec = params.markets[market].params
            price = env.quote(spec.feed).mid
            least = cdiv(spec.min_notional * LEAST_ROOM * W, 100 * price) + spec.lot
            wanted.append(max(notional * W // price, least))
    return _round(member, params, env, wanted)


def _round(member: Member, params: ParameterSet, env: Env, sizes: list[Size]) -> list[Size]:
    """Sizes in whole lots, or none if one of them is below the least that may be opened."""
    rounded = []
    for market, size in zip(member.markets, sizes, strict=True):
        spec = params.markets[market].params
        rounded.append(size // spec.lot * spec.lot)
        if rounded[-1] * env.quote(spec.feed).mid * 100 < spec.min_notional * LEAST_ROOM * W:
            return []
    return rounded


def _enter(member: Member, deposits: list[tuple[int, Units]], sizes: list[Size], state: State, env: Env) -> Book:
    book = Book()
    for token, units in deposits:
        book.deposit(token, units)
    for market, side, size in zip(member.markets, member.sides, sizes, strict=False):
        book.fill(state, market, side * size, env.quote(state.market_params[market].feed).mid)
    return book
