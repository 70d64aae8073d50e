"""Parameters and states with one account, for the cases: everything that a venue does not have is 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from protocol.env import Env, Quote
from protocol.params import CollateralParams, MarginBracket, MarketParams, RiskParams
from protocol.state import (
    EMPTY_MARKET,
    NO_RISK,
    Account,
    CollateralPhase,
    Market,
    MarketPhase,
    Position,
    State,
    account_id,
    genesis,
)
from protocol.units import W, cdiv

NOW = 1_600_000_000
ACCOUNT = account_id(0xA1)
NO_MARKET = MarketParams(**{field.name: 0 for field in fields(MarketParams)})  # type: ignore[arg-type]  # no brackets


def flat_rate(mm_rate: int, im_rate: int = W) -> tuple[MarginBracket, ...]:
    """One bracket for every notional."""
    return (MarginBracket(0, mm_rate, im_rate),)


def rate_and_amount(mm_rate: int, amount: int) -> tuple[MarginBracket, ...]:
    """Brackets that ask ``notional * mm_rate - amount`` of a notional beyond the first one.

    A venue states a tier by its rate and its cumulative amount; only these matter for a notional within it.
    """
    if amount == 0:
        return flat_rate(mm_rate)
    lower, rest = divmod(amount * W, mm_rate)
    assert rest == 0
    return MarginBracket(0, 0, 0), MarginBracket(lower, mm_rate, W)


def opened(size: int, entry_price: int) -> Position:
    """A position opened at a price."""
    return Position(size, cdiv(size * entry_price, W), 0)


def holding(cash: int, positions: Mapping[int, Position], collateral: Mapping[int, int] | None = None) -> Account:
    """An account."""
    return Account(cash, dict(collateral or {}), dict(positions), {}, 0, 0, 0, 0, {})


def state_of(
    account: Account,
    brackets: Sequence[tuple[MarginBracket, ...]],
    collateral: Sequence[CollateralParams] = (),
    risk: RiskParams = NO_RISK,
    **market: Any,
) -> State:
    """A state with one account, and a market for each table of brackets; market k has feed k."""
    params = tuple(replace(NO_MARKET, feed=feed, brackets=rows, **market) for feed, rows in enumerate(brackets))
    empty = genesis(0, 0, 1 + len(collateral))
    return replace(
        empty,
        risk=risk,
        market_params=params,
        market_phases=(MarketPhase(0, (), 0),) * len(params),
        collateral_params=tuple(collateral),
        collateral_phases=(CollateralPhase(0, (), 0),) * len(collateral),
        accounts=empty.accounts.put(ACCOUNT, account),
        markets=tuple(totals_of(account, market_id) for market_id in range(len(params))),
    )


def totals_of(account: Account, market: int) -> Market:
    """A market's totals when the account has its only position."""
    position = account.positions.get(market)
    if position is None:
        return EMPTY_MARKET
    return replace(
        EMPTY_MARKET, long_oi=max(position.size, 0), short_oi=max(-position.size, 0), cost=position.cost, accrued_at=NOW
    )


def prices_are(*prices: int) -> Env:
    """Surroundings with the prices of feed 0, 1, ..."""
    return Env(NOW, 0, tuple(Quote(price, price, price, NOW, 0) for price in prices))
