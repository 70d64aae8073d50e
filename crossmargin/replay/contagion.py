"""Contagion: by which channels a liquidation reached an account, and its loss others (specs/cascade.md).

Each answer comes from measuring the account again, or applying the liquidation again, with one thing changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from crossmargin.replay.world import World
from protocol.actions import Liquidate
from protocol.env import Env, Quote
from protocol.errors import Refusal
from protocol.events import AccountLiquidated, PositionUpdated
from protocol.funding import project_funding
from protocol.liquidation import check_liquidatable
from protocol.margin import compute_notional
from protocol.state import Account, Position, State, owner_of
from protocol.units import Seconds, Usd, W

PRICE_RESPONSE = "price_response"
ANOTHER_MARKET = "another_market"
COLLATERAL = "collateral"
INSURANCE = "insurance"
SHARED_POOL = "shared_pool"
CHANNELS = (PRICE_RESPONSE, ANOTHER_MARKET, COLLATERAL, INSURANCE, SHARED_POOL)


@dataclass(frozen=True, slots=True)
class Found:
    """One liquidation: the world that it found and the one it left, when, its report and what it filled."""

    world: World
    after: World
    time: Seconds
    report: AccountLiquidated
    fills: tuple[PositionUpdated, ...]


@dataclass(frozen=True, slots=True)
class Contagion:
    """That a liquidation came, or its loss went, by a channel. ``market`` is that of the position closed, if of one."""

    channel: str
    market: int | None
    amount: Usd


def is_liquidatable_now(state: State, env: Env, account: Account) -> bool:
    """Whether a keeper could liquidate the account (LIQ-4)."""
    try:
        check_liquidatable(state, env, account)
    except Refusal:
        return False
    return True


def find_contagion(found: Found, generation: int, charged: Usd) -> Iterator[Contagion]:
    """The channels of a liquidation. ``charged`` is the bad debt that the insurance fund had paid before it."""
    report = found.report
    if generation > 1:
        yield Contagion(PRICE_RESPONSE, None, report.closed_notional)
    yield from find_causes(found)
    kept = compute_kept(found, charged)
    if kept:
        yield Contagion(INSURANCE, None, kept)
    if report.bad_debt_pool:
        yield Contagion(SHARED_POOL, None, report.bad_debt_pool)


def find_causes(found: Found) -> Iterator[Contagion]:
    """Positions that were closed though what they lost does not make the account liquidatable.

    With its own market at its entry the account is liquidatable still. If it is not with all its markets at their
    entries, another market did it; if it is then too, its collateral.
    """
    account = found.world.protocol.accounts[found.report.account]
    without_losses = is_liquidatable_at_entry(found, account, account.positions)
    if without_losses and not account.collateral:
        return  # what it lost before has left it with too little, and no price of now
    for fill in found.fills:
        if is_liquidatable_at_entry(found, account, (fill.market,)):
            channel = COLLATERAL if without_losses else ANOTHER_MARKET
            yield Contagion(channel, fill.market, compute_notional(fill.size_delta, fill.price))


def is_liquidatable_at_entry(found: Found, account: Account, markets: Collection[int]) -> bool:
    """Whether the account would be liquidatable with the prices of these markets where it entered them.

    There its position has no profit, no loss (below a wei for each base unit, as the entry is rounded down), and owes
    no funding. A market is given a feed of its own for this, so that collateral and other markets keep their prices.
    """
    state, env = found.world.protocol, found.world.env(found.time)
    params, positions, quotes = list(state.market_params), dict(account.positions), list(env.quotes)
    for market in markets:
        position = positions[market]
        entry = max(position.cost * W // position.size, 1)
        index, _ = project_funding(state.markets[market], entry, found.time)
        positions[market] = Position(position.size, position.cost, index)
        params[market] = replace(params[market], feed=len(quotes))
        quotes.append(Quote(entry, entry, entry, found.time, 0))
    return is_liquidatable_now(
        replace(state, market_params=tuple(params)),
        replace(env, quotes=tuple(quotes)),
        replace(account, positions=positions),
    )


def compute_kept(found: Found, charged: Usd) -> Usd:
    """What more of the bad debt the insurance fund would have paid, had it paid none before; 0 where it paid all."""
    report = found.report
    if report.bad_debt == report.bad_debt_insurance:
        return 0  # spares applying it again
    state = found.world.protocol
    ledger = replace(state.ledger, insurance=state.ledger.insurance + charged)
    world = World(replace(state, ledger=ledger), found.world.oracle)
    _, events = world.apply(found.time, owner_of(report.keeper), Liquidate(report.account))
    return find_report(events).bad_debt_insurance - report.bad_debt_insurance


def find_report(events: Sequence[object]) -> AccountLiquidated:
    """The report among the events of one liquidation."""
    return next(event for event in events if isinstance(event, AccountLiquidated))
