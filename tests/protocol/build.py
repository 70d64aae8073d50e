"""States and surroundings for tests of single rules, and the facts that hold after every action.

``state_with`` builds consistent states directly, so that a test can put a balance on any wei. Its markets are the
reference ones at rest: the funding rate is 0 and does not move until a fill or ``moving`` steers it. ``run`` and
``refused`` apply an action and assert what is true of every action.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple, fields, replace
from functools import partial
from typing import Any

import pytest

from protocol import actions, events
from protocol.codec import digest
from protocol.draft import Outcome
from protocol.env import Env, Quote, Status
from protocol.errors import Refusal, UnknownRound
from protocol.invariants import check_all
from protocol.params import CollateralParams, MarketParams, OrderParams, RiskParams
from protocol.records import Table
from protocol.state import (
    EMPTY_MARKET,
    EMPTY_WINDOW,
    INSTANT,
    NO_POSITION,
    NO_STAKE,
    USDC,
    Account,
    CollateralPhase,
    Ledger,
    Market,
    MarketPhase,
    Order,
    Position,
    RiskPhase,
    Roles,
    Stake,
    State,
    Token,
    account_id,
)
from protocol.transition import apply
from protocol.units import BPS, DAY, USDC_TO_W, W, cdiv
from protocol.window import compute_used
from tests.twins import RISK, market_params, weth_params

ADMIN, GUARDIAN, LENDER, BORROWER, TRADER, LIQUIDATOR, STRANGER, BALLAST = range(0xA1, 0xA9)
ACCOUNT = account_id(BORROWER)  # the account most tests are about
KEEPER = account_id(LIQUIDATOR)
NOW = 1_600_000_000
BTC, ETH = 0, 1  # markets, and the feeds of the same numbers
WETH = 1
BTC_PRICE, ETH_PRICE = 8_000 * W, 200 * W
ANY_PRICE = 2**255  # an acceptable price that accepts every buy
MARKETS = (market_params(BTC), market_params(ETH, W // 100))
COLLATERAL = (weth_params(),)
# What is wrong with a price, by the code that refuses it.
# Faults with which nothing can be measured, and all that neither new risk nor a reduction accepts; worst first.
PRICELESS = {
    "oracle/unavailable": Status.UNAVAILABLE,
    "oracle/non-positive": Status.NON_POSITIVE,
    "oracle/out-of-bounds": Status.OUT_OF_BOUNDS,
    "oracle/no-quorum": Status.NO_QUORUM,
}
STATUSES = PRICELESS | {
    "oracle/halted": Status.HALTED,
    "oracle/sequencer-down": Status.SEQ_DOWN,
    "oracle/future": Status.FUTURE,
    "oracle/deviated": Status.DEVIATED,
    "oracle/stale": Status.STALE_HARD,
    "oracle/market-closed": Status.MARKET_CLOSED,
}
NOTHING: Mapping[int, Any] = {}
NO_FUNDING: dict[str, Any] = {"funding_cap": 0, "funding_velocity": 0, "funding_decay": 0}
# No fees, no funding, no rebate; the impact of a fill of 1 from no skew is a 20,000th of its notional.
QUIET_MARKETS = tuple(replace(market, maker_fee=0, taker_fee=0, rebate_ratio=0, **NO_FUNDING) for market in MARKETS)


def env(
    sender: int = BORROWER,
    btc: int = BTC_PRICE,
    eth: int = ETH_PRICE,
    btc_status: int = 0,
    eth_status: int = 0,
    now: int = NOW,
) -> Env:
    """The surroundings of an action, with the prices of both feeds at scale W."""
    quotes = (Quote(btc, btc, btc, now, btc_status), Quote(eth, eth, eth, now, eth_status))
    return Env(now, sender, quotes, partial(read_only_round, quotes))


def read_only_round(quotes: tuple[Quote, ...], feed: int, number: int, since: int) -> Quote:
    """Feeds whose only round is the price they have now, and has no fault."""
    if number != 1:
        raise UnknownRound
    return replace(quotes[feed], status=0)


def holding(
    cash: int = 0,
    collateral: Mapping[int, int] = NOTHING,
    positions: Mapping[int, Position] = NOTHING,
    *,
    leverage_caps: Mapping[int, int] = NOTHING,
    flagged_at: int = 0,
    margin_called_at: int = 0,
    isolated: int = 0,
    operator: int = 0,
    orders: Mapping[int, Order] = NOTHING,
) -> Account:
    """An account, with cash in wei."""
    return Account(
        cash,
        dict(collateral),
        dict(positions),
        dict(leverage_caps),
        flagged_at,
        margin_called_at,
        isolated,
        operator,
        dict(orders),
    )


def opened(size: int, price: int, index: int = 0) -> Position:
    """A position just opened at a price and a funding index."""
    return Position(size, cdiv(size * price, W), index)


def state_with(
    accounts: Mapping[int, Account] = NOTHING,
    *,
    pool: int = 0,
    insurance: int = 0,
    deficit: int = 0,
    stakes: Mapping[int, int | Stake] = NOTHING,
    inventory: Mapping[int, int] = NOTHING,
    impact: Mapping[int, int] = NOTHING,
    risk: RiskParams = RISK,
    markets: tuple[MarketParams, ...] = MARKETS,
    collateral: tuple[CollateralParams, ...] = COLLATERAL,
    rules: Mapping[int, OrderParams] = NOTHING,
    paused: bool = False,
    held: int = 0,
) -> State:
    """A consistent state: totals are summed up, and what the identities still need is the ballast's cash.

    ``held`` is the least USDC the vault has, ``stakes`` are pool shares by owner, ``impact`` and ``inventory`` are
    by market and by token, ``rules`` of orders by market. Nothing is being phased in, and the windows are empty.
    """
    escrow = sum(order.fee for account in accounts.values() for order in account.orders.values())
    own = sum(account.cash for account in accounts.values()) + pool + insurance + sum(impact.values()) - deficit
    own += escrow
    usdc = max(cdiv(own, USDC_TO_W), held, 0)
    everyone = dict(accounts)
    if usdc * USDC_TO_W != own:
        everyone[account_id(BALLAST)] = holding(usdc * USDC_TO_W - own)
    units = [0] * (len(collateral) + 1)
    for account in everyone.values():
        for token, amount in account.collateral.items():
            units[token] += amount
    tokens = [Token(usdc, 0)]
    for token in range(1, len(collateral) + 1):
        bought = inventory.get(token, 0)
        tokens.append(Token(units[token] + bought, bought))
    totals = tuple(sum_market(everyone, market, impact.get(market, 0), risk) for market in range(len(markets)))
    owned = {owner: Stake(stake, 0, 0) if isinstance(stake, int) else stake for owner, stake in stakes.items()}
    state = State(
        roles=Roles(ADMIN, 0, GUARDIAN),
        opening_paused=paused,
        risk=risk,
        risk_phase=RiskPhase(0, 0, 0),
        market_params=markets,
        market_phases=(MarketPhase(0, (), 0),) * len(markets),
        order_params=tuple(rules.get(market, INSTANT) for market in range(len(markets))),
        collateral_params=collateral,
        collateral_phases=(CollateralPhase(0, (), 0),) * len(collateral),
        accounts=Table(everyone),
        markets=totals,
        windows=(EMPTY_WINDOW,) * len(markets),
        tokens=tuple(tokens),
        ledger=Ledger(
            pool,
            insurance,
            deficit,
            trader_debt=sum(max(-account.cash, 0) for account in everyone.values()),
            shares=sum(stake.shares for stake in owned.values()),
            reserved=sum(total.reserved for total in totals),
        ),
        escrow=escrow,
        stakes=Table(owned),
    )
    check_all(state)
    return state


def sum_market(accounts: Mapping[int, Account], market: int, impact: int = 0, risk: RiskParams = RISK) -> Market:
    """The totals of a market at rest over all positions; it reserves what they cost, as if just opened."""
    positions = [account.positions[market] for account in accounts.values() if market in account.positions]
    longs = [position for position in positions if position.size > 0]
    shorts = [position for position in positions if position.size < 0]
    long_oi, short_oi = sum(position.size for position in longs), -sum(position.size for position in shorts)
    larger = longs if long_oi >= short_oi else shorts
    return Market(
        long_oi=long_oi,
        short_oi=short_oi,
        cost=sum(position.cost for position in positions),
        impact=impact,
        reserved=cdiv(risk.lock_ratio * sum(abs(position.cost) for position in larger), BPS),
        funding_index=0,
        funding_rate=0,
        funding_velocity=0,
        funding_limit=0,
        accrued_at=NOW,
        index_cost=sum(position.size * position.entry_index for position in positions),
    )


def moving(state: State, market: int = BTC, daily: int = W // 100, velocity: int = 0, **changes: int) -> State:
    """The state with funding running in one market: a rate per day, and how it moves toward 3 % a day."""
    limit = W * 3 // 100 * DAY
    steered = {
        "funding_rate": daily * DAY,
        "funding_velocity": velocity,
        "funding_limit": limit if velocity >= 0 else -limit,
    }
    return with_market(state, market, **{**steered, **changes})


def with_market(state: State, market: int, **changes: int) -> State:
    """The state with other totals of one market, taken as they are."""
    totals = list(state.markets)
    totals[market] = replace(totals[market], **changes)
    return replace(state, markets=tuple(totals))


def with_params(state: State, market: int, **changes: Any) -> State:
    """The state with other parameters of one market, unchecked."""
    params = list(state.market_params)
    params[market] = replace(params[market], **changes)
    return replace(state, market_params=tuple(params))


def with_risk(**changes: Any) -> RiskParams:
    """The reference risk parameters with changes."""
    return replace(RISK, **changes)


def run(state: State, surroundings: Env, action: Any) -> Outcome:
    """Apply an action that must succeed, and assert what holds of every action."""
    before = digest(state)
    outcome = apply(state, surroundings, action)
    assert digest(state) == before, "S1: the state given stays as it was"
    check_all(outcome.state)
    check_reports(state, outcome)
    check_reach(state, outcome.state, surroundings, action)
    return outcome


def refused(state: State, surroundings: Env, action: Any) -> str:
    """Apply an action that must be refused, and return the code; the state stays byte-identical (S1)."""
    before = digest(state)
    with pytest.raises(Refusal) as refusal:
        apply(state, surroundings, action)
    assert digest(state) == before, "S1: the state given stays as it was"
    return refusal.value.code


def refusal_of(state: State, surroundings: Env, action: Any) -> Refusal:
    """Apply an action that must be refused, and return the refusal with its facts."""
    refused(state, surroundings, action)
    with pytest.raises(Refusal) as refusal:
        apply(state, surroundings, action)
    return refusal.value


def outcome_of(state: State, surroundings: Env, action: Any) -> str:
    """``ok`` or the code of the refusal, whichever comes; the facts about all actions hold either way."""
    try:
        apply(state, surroundings, action)
    except Refusal:
        return refused(state, surroundings, action)
    run(state, surroundings, action)
    return "ok"


def check_reports(before: State, outcome: Outcome) -> None:
    """C9: replaying the events over the old state gives the new one, and each event is the record's final value."""
    after = outcome.state
    newest = dict(report_of(event) for event in outcome.events if not isinstance(event, NOT_RECORDS))
    for key in after.accounts:
        assert key in before.accounts or ("cash", key, 0) in newest, f"C9: account {key} appeared without an event"
    old, new = read_records(before), read_records(after)
    for record in old.keys() | new.keys():
        value, former = new.get(record), old.get(record)
        if record in newest:
            reported = newest.pop(record)
            gone = value is None and not any(reported)
            assert gone or reported == value, f"C9: the event of {record} says {reported}, the record is {value}"
        elif value != former:
            assert is_implied(record[0], value, former), f"C9: {record} changed to {value} without an event"
    assert all(not any(value) for value in newest.values()), f"C9: events of records that do not exist: {newest}"


def is_implied(kind: str, value: Any, former: Any) -> bool:
    """Whether a record changes without an event: one that begins with its account or market, or a window begun anew."""
    if kind == "window":
        return bool(value == (0, 0, 0))
    if kind == "order rules":
        return former is None and value == (INSTANT,)
    if kind == "market":
        return former is None and value == astuple(replace(EMPTY_MARKET, accrued_at=value[-2]))
    return former is None and value == (0,) and kind in {"isolated", "operator", "flag", "margin call"}


# The record that each event reports: its kind, the fields that name it, and those that are its value.
REPORTS: dict[type, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    events.AccountUpdated: ("cash", ("account",), ("cash",)),
    events.AccountIsolated: ("isolated", ("account",), ("market",)),
    events.OperatorSet: ("operator", ("account",), ("operator",)),
    events.LeverageCapSet: ("leverage cap", ("account", "market"), ("leverage_cap",)),
    events.AccountFlagged: ("flag", ("account",), ("flagged_at",)),
    events.MarginCalled: ("margin call", ("account",), ("called_at",)),
    events.CollateralUpdated: ("units", ("account", "token"), ("units",)),
    events.PositionUpdated: ("position", ("account", "market"), ("size", "cost", "entry_index")),
    events.OrderUpdated: ("order", ("account", "market"), tuple(field.name for field in fields(Order))),
    events.EscrowUpdated: ("escrow", (), ("escrow",)),
    events.MarketUpdated: ("market", ("market",), tuple(field.name for field in fields(Market))),
    events.WindowUpdated: ("window", ("market",), ("bucket", "closed", "used")),
    events.TokenUpdated: ("token", ("token",), ("held", "inventory")),
    events.LedgerUpdated: ("ledger", (), tuple(field.name for field in fields(Ledger))),
    events.StakeUpdated: ("stake", ("owner",), tuple(field.name for field in fields(Stake))),
    events.RiskSet: ("risk", (), ("params", "phase_until", "former_reserve", "former_phase_in")),
    events.MarketSet: ("market params", ("market",), ("params", "phase_until")),
    events.OrdersSet: ("order rules", ("market",), ("params",)),
    events.CollateralSet: ("collateral params", ("token",), ("params", "phase_until")),
    events.OpeningPaused: ("paused", (), ("paused",)),
    events.RolesSet: ("roles", (), tuple(field.name for field in fields(Roles))),
}
NOT_RECORDS = events.AccountLiquidated | events.LiquidationRefused | events.OrderSettled


def report_of(event: Any) -> tuple[tuple[str, int, int], tuple[Any, ...]]:
    """The record an event reports, and its value."""
    kind, keys, values = REPORTS[type(event)]
    first, second = (*(getattr(event, key) for key in keys), 0, 0)[:2]
    value = tuple(getattr(event, name) for name in values)
    return (kind, first, second), (value[0] + 1,) if kind == "isolated" else value


def read_records(state: State) -> dict[tuple[str, int, int], Any]:
    """Every record that events report, flat."""
    found: dict[tuple[str, int, int], Any] = {}
    for key, account in state.accounts.items():
        found["cash", key, 0] = (account.cash,)
        found["isolated", key, 0] = (account.isolated,)
        found["operator", key, 0] = (account.operator,)
        found["flag", key, 0] = (account.flagged_at,)
        found["margin call", key, 0] = (account.margin_called_at,)
        for token, units in account.collateral.items():
            found["units", key, token] = (units,)
        for market, position in account.positions.items():
            found["position", key, market] = astuple(position)
        for market, order in account.orders.items():
            found["order", key, market] = astuple(order)
        for market, cap in account.leverage_caps.items():
            found["leverage cap", key, market] = (cap,)
    for market, totals in enumerate(state.markets):
        found["market", market, 0] = astuple(totals)
        found["market params", market, 0] = (state.market_params[market], state.market_phases[market].until)
        found["order rules", market, 0] = (state.order_params[market],)
        window = state.windows[market]
        bucket = window.entries[-1][0] if window.entries else 0
        found["window", market, 0] = (bucket, window.closed, compute_used(window, bucket))
    for index, token_record in enumerate(state.tokens):
        found["token", index, 0] = (token_record.held, token_record.inventory)
    for index, params in enumerate(state.collateral_params):
        found["collateral params", index + 1, 0] = (params, state.collateral_phases[index].until)
    for owner, stake in state.stakes.items():
        found["stake", owner, 0] = astuple(stake)
    found["ledger", 0, 0] = astuple(state.ledger)
    found["escrow", 0, 0] = (state.escrow,)
    found["risk", 0, 0] = (
        state.risk,
        state.risk_phase.until,
        state.risk_phase.keeper_reserve,
        state.risk_phase.phase_in,
    )
    found["paused", 0, 0] = (state.opening_paused,)
    found["roles", 0, 0] = astuple(state.roles)
    return found


MOVES_TOKENS = (
    actions.Deposit
    | actions.Withdraw
    | actions.DepositToPool
    | actions.ClaimRedemption
    | actions.FundInsurance
    | actions.BuyInventory
)
PAYS_KEEPERS = (
    actions.Liquidate | actions.LiquidateMany | actions.MarginCall | actions.SettleOrder | actions.CancelOrder
)
MOVES_STAKES = actions.DepositToPool | actions.RequestRedemption | actions.ClaimRedemption


def check_reach(before: State, after: State, surroundings: Env, action: Any) -> None:
    """C3, M9: tokens move only in actions that move tokens; only the accounts an action names change."""
    held_before = [token.held for token in before.tokens]
    moves = isinstance(action, MOVES_TOKENS)
    assert moves or [token.held for token in after.tokens] == held_before, "C3: tokens held changed"
    allowed = {getattr(action, "account", None), getattr(action, "target", None), *getattr(action, "batch", ())}
    if isinstance(action, PAYS_KEEPERS):
        allowed.add(account_id(surroundings.sender))
    for key, account in after.accounts.items():
        assert key in allowed or account == before.accounts.get(key), f"M9: account {key} changed"
    for owner, stake in after.stakes.items():
        mine = owner == surroundings.sender and isinstance(action, MOVES_STAKES)
        assert mine or stake == before.stakes.get(owner, NO_STAKE), f"P2: the stake of {owner} changed"


def position_of(state: State, account: int = ACCOUNT, market: int = BTC) -> Position:
    """A position, the empty one included."""
    position: Position = state.accounts[account].positions.get(market, NO_POSITION)
    return position


def cash_of(state: State, account: int = ACCOUNT) -> int:
    """An account balance."""
    cash: int = state.accounts[account].cash
    return cash


def ledger_sum(state: State) -> int:
    """All dollars of accounts and protocol, less what the protocol owes: what USDC holdings must equal (C1)."""
    ledger = state.ledger
    ours = sum(account.cash for account in state.accounts.values()) + sum(market.impact for market in state.markets)
    ours += state.escrow
    assert ours + ledger.pool + ledger.insurance - ledger.deficit == state.tokens[USDC].held * USDC_TO_W
    return ours + ledger.pool + ledger.insurance - ledger.deficit


def event_of(outcome: Outcome, kind: type) -> Any:
    """The only event of a kind."""
    (found,) = (event for event in outcome.events if isinstance(event, kind))
    return found


def check_order_of(faults: list[tuple[str, dict[str, Any]]], attempt: Callable[..., str]) -> None:
    """Each fault alone gives its code, and of two faults the earlier one speaks.

    A fault is a set of keyword arguments of ``attempt``, which succeeds without any. Two faults that give one argument
    different values cannot be committed at once, and are left out.
    """
    assert attempt() == "ok"
    pairs = 0
    for index, (code, changes) in enumerate(faults):
        assert attempt(**changes) == code, f"{changes} alone"
        for later_code, later in faults[index + 1 :]:
            if all(changes.get(key, value) == value for key, value in later.items()):
                assert attempt(**{**later, **changes}) == code, f"{changes} together with {later} ({later_code})"
                pairs += 1
    assert pairs > 0
