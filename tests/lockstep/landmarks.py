"""What random stories are told for: things that must come to pass in some of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contracts_py.keys import address_of
from crossmargin.replay.world import World
from protocol.account_state import AccountState
from protocol.actions import BuyInventory, CancelOrder, ClaimRedemption, CloseAll, Liquidate, LiquidateMany, Trade
from protocol.events import (
    AccountFlagged,
    AccountLiquidated,
    CollateralUpdated,
    LedgerUpdated,
    LiquidationRefused,
    MarginCalled,
    MarketUpdated,
    OrderSettled,
    OrderUpdated,
    PositionUpdated,
)
from protocol.margin import compute_notional
from protocol.rewards import compute_reward_ratio
from protocol.state import owner_of
from protocol.units import DAY
from tests.lockstep.cast import Timed
from tests.twins import Model

LANDMARKS = (
    "partial liquidation",
    "liquidation of LIQUIDATABLE",
    "liquidation of BACKSTOP",
    "liquidation of BANKRUPT",
    "liquidation of several positions",
    "rate limit",
    "grown reward",
    "reward from insurance or pool",
    "batch with a refused account",
    "flag set",
    "flag lifted",
    "margin call",
    "bad debt",
    "bad debt paid by insurance",
    "bad debt paid by the pool",
    "bad debt left to the deficit",
    "deficit",
    "trader debt",
    "collateral sold",
    "several collaterals sold",
    "inventory bought",
    "redemption claimed",
    "redemption expired",
    "market phase",
    "collateral phase",
    "reserve phase",
    "funding at its cap",
    "funding received",
    "rebate",
    "flip",
    "several positions closed",
    "trade of an isolated account",
    "trade by an operator",
    "margin raised by open interest",
    "leverage cap",
    "order filled",
    "order ended by a refusal",
    "order cancelled",
    "order ended by a liquidation",
)


def find_landmarks(model: Model, before: World, timed: Timed, code: str) -> Iterator[str]:
    """What the newest action reached."""
    if code == "pool/expired":
        yield "redemption expired"
    if code == "liq/rate-limit":
        yield "rate limit"
    if code != "ok":
        return
    for event in model.events:
        yield from of_event(model, event)
    if isinstance(timed.action, Liquidate | LiquidateMany):
        yield from of_liquidation(model, before)
        if any(isinstance(event, OrderUpdated) for event in model.events):
            yield "order ended by a liquidation"
    elif isinstance(timed.action, CancelOrder):
        yield "order cancelled"
    elif isinstance(timed.action, Trade | CloseAll):
        yield from of_trade(model, before, timed)
    elif isinstance(timed.action, ClaimRedemption):
        yield "redemption claimed"
    elif isinstance(timed.action, BuyInventory):
        yield "inventory bought"


def of_event(model: Model, event: Any) -> Iterator[str]:
    """What one event tells by itself."""
    if isinstance(event, MarginCalled):
        yield "margin call"
    elif isinstance(event, AccountFlagged):
        yield "flag set" if event.flagged_at else "flag lifted"
    elif isinstance(event, LedgerUpdated):
        if event.deficit:
            yield "deficit"
        if event.trader_debt:
            yield "trader debt"
    elif isinstance(event, OrderSettled):
        yield "order ended by a refusal" if event.code else "order filled"
    elif isinstance(event, MarketUpdated):
        cap = model.world.protocol.market_params[event.market].funding_cap * DAY
        if event.funding_rate and abs(event.funding_rate) == cap:
            yield "funding at its cap"
    elif isinstance(event, PositionUpdated):
        yield from of_fill(model, event)


def of_fill(model: Model, event: PositionUpdated) -> Iterator[str]:
    """What one fill tells."""
    state, now = model.world.protocol, model.now
    if event.funding < 0:
        yield "funding received"
    if event.impact < 0:
        yield "rebate"
    if now < state.market_phases[event.market].until:
        yield "market phase"
    if now < state.risk_phase.until:
        yield "reserve phase"
    if any(now < state.collateral_phases[token - 1].until for token in state.accounts[event.account].collateral):
        yield "collateral phase"


def of_liquidation(model: Model, before: World) -> Iterator[str]:
    """What a liquidation, or those of a batch, did."""
    risk = model.world.protocol.risk
    done = [event for event in model.events if isinstance(event, AccountLiquidated)]
    if done and any(isinstance(event, LiquidationRefused) for event in model.events):
        yield "batch with a refused account"
    for event in done:
        yield f"liquidation of {AccountState(event.account_state).name}"
        yield from of_closes(model, event)
        yield from of_loss(event)
        flagged_at = before.protocol.accounts[event.account].flagged_at
        if compute_reward_ratio(risk, flagged_at, model.now) > risk.reward_ratio:
            yield "grown reward"


def of_closes(model: Model, done: AccountLiquidated) -> Iterator[str]:
    """What was closed and sold."""
    if model.world.protocol.accounts[done.account].positions:
        yield "partial liquidation"
    mine = [event for event in model.events if getattr(event, "account", None) == done.account]
    if sum(isinstance(event, PositionUpdated) for event in mine) > 1:
        yield "liquidation of several positions"
    sold = sum(isinstance(event, CollateralUpdated) for event in mine)
    if sold:
        yield "collateral sold"
    if sold > 1:
        yield "several collaterals sold"


def of_loss(done: AccountLiquidated) -> Iterator[str]:
    """Who paid what the account could not."""
    if done.reward > done.reward_from_account:
        yield "reward from insurance or pool"
    if done.bad_debt:
        yield "bad debt"
    if done.bad_debt_insurance:
        yield "bad debt paid by insurance"
    if done.bad_debt_pool:
        yield "bad debt paid by the pool"
    if done.bad_debt > done.bad_debt_insurance + done.bad_debt_pool:
        yield "bad debt left to the deficit"


def of_trade(model: Model, before: World, timed: Timed) -> Iterator[str]:
    """What a trade, or closing everything, did."""
    state = model.world.protocol
    account = state.accounts[timed.action.account]
    fills = [event for event in model.events if isinstance(event, PositionUpdated)]
    if len(fills) == 2 and fills[0].market == fills[1].market:
        yield "flip"
    if isinstance(timed.action, CloseAll) and len(fills) > 1:
        yield "several positions closed"
    if account.isolated:
        yield "trade of an isolated account"
    if address_of(timed.sender) != owner_of(timed.action.account):
        yield "trade by an operator"
    for fill in fills:
        params, totals = state.market_params[fill.market], state.markets[fill.market]
        open_interest = compute_notional(max(totals.long_oi, totals.short_oi), fill.price)
        if fill.size and params.oi_upper and open_interest > params.oi_lower:
            yield "margin raised by open interest"
        if fill.size and account.leverage_caps.get(fill.market):
            yield "leverage cap"
