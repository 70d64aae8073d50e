"""States and surroundings for tests of single rules, and the facts that hold after every action.

``state_with`` builds consistent states directly, so that a test can put a balance on any wei. ``run`` and ``refused``
apply an action and assert what is true of every action.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from protocol import actions, events
from protocol.codec import digest
from protocol.draft import Outcome
from protocol.env import Env, Quote
from protocol.errors import Refusal
from protocol.invariants import check_all
from protocol.params import CollateralParams, MarketParams, RiskParams
from protocol.records import Table
from protocol.state import (
    NO_POSITION,
    USDC,
    Account,
    Ledger,
    Market,
    Position,
    Roles,
    State,
    Token,
    account_id,
)
from protocol.transition import apply
from protocol.units import USDC_TO_W, W, cdiv
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
NOTHING: Mapping[int, Any] = {}


def env(
    sender: int = BORROWER,
    btc: int = BTC_PRICE,
    eth: int = ETH_PRICE,
    btc_status: int = 0,
    eth_status: int = 0,
    now: int = NOW,
) -> Env:
    """The surroundings of an action, with the prices of both feeds at scale W."""
    return Env(now, sender, (Quote(btc, btc_status), Quote(eth, eth_status)))


def holding(
    cash: int = 0, collateral: Mapping[int, int] = NOTHING, positions: Mapping[int, Position] = NOTHING
) -> Account:
    """An account, with cash in wei."""
    return Account(cash, dict(collateral), dict(positions))


def opened(size: int, price: int) -> Position:
    """A position just opened at a price."""
    return Position(size, cdiv(size * price, W))


def state_with(
    accounts: Mapping[int, Account] = NOTHING,
    *,
    pool: int = 0,
    insurance: int = 0,
    deficit: int = 0,
    shares: Mapping[int, int] = NOTHING,
    inventory: Mapping[int, int] = NOTHING,
    risk: RiskParams = RISK,
    markets: tuple[MarketParams, ...] = MARKETS,
    collateral: tuple[CollateralParams, ...] = COLLATERAL,
    paused: bool = False,
    held: int = 0,
) -> State:
    """A consistent state: totals are summed up, and what the identities still need is the ballast's cash.

    ``held`` is the least USDC the vault has.
    """
    own = sum(account.cash for account in accounts.values()) + pool + insurance - deficit
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
    state = State(
        roles=Roles(ADMIN, GUARDIAN),
        opening_paused=paused,
        risk=risk,
        market_params=markets,
        collateral_params=collateral,
        accounts=Table(everyone),
        markets=tuple(sum_market(everyone, market) for market in range(len(markets))),
        tokens=tuple(tokens),
        ledger=Ledger(pool, insurance, deficit, sum(max(-a.cash, 0) for a in everyone.values()), sum(shares.values())),
        shares=Table(shares),
    )
    check_all(state)
    return state


def sum_market(accounts: Mapping[int, Account], market: int) -> Market:
    """The totals of a market over all positions."""
    positions = [account.positions[market] for account in accounts.values() if market in account.positions]
    return Market(
        sum(max(position.size, 0) for position in positions),
        sum(max(-position.size, 0) for position in positions),
        sum(position.cost for position in positions),
    )


def with_risk(**changes: int) -> RiskParams:
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
    newest: dict[tuple[str, int, int], tuple[Any, ...]] = {}
    for event in outcome.events:
        match event:
            case events.AccountUpdated(account, cash):
                newest["cash", account, 0] = (cash,)
            case events.CollateralUpdated(account, token, units):
                newest["units", account, token] = (units,)
            case events.PositionUpdated(account=account, market=market, size=size, cost=cost):
                newest["position", account, market] = (size, cost)
            case events.MarketUpdated(market, long_oi, short_oi, cost):
                newest["market", market, 0] = (long_oi, short_oi, cost)
            case events.TokenUpdated(token, held, inventory):
                newest["token", token, 0] = (held, inventory)
            case events.LedgerUpdated(pool, insurance, deficit, trader_debt, shares):
                newest["ledger", 0, 0] = (pool, insurance, deficit, trader_debt, shares)
            case events.SharesUpdated(owner, shares):
                newest["shares", owner, 0] = (shares,)
    for key in after.accounts:
        assert key in before.accounts or ("cash", key, 0) in newest, f"C9: account {key} appeared without an event"
    old, new = read_records(before), read_records(after)
    for record in old.keys() | new.keys():
        nothing: tuple[Any, ...] = (0,) * len(new.get(record) or old[record])
        value = new.get(record, nothing)
        if record in newest:
            assert newest.pop(record) == value, f"C9: the event of {record} is not its final value"
        else:
            assert value == old.get(record, nothing), f"C9: {record} changed without an event"
    assert all(not any(value) for value in newest.values()), f"C9: events of records that do not exist: {newest}"


def read_records(state: State) -> dict[tuple[str, int, int], tuple[Any, ...]]:
    """Every record that events report, flat."""
    found: dict[tuple[str, int, int], tuple[Any, ...]] = {}
    for key, account in state.accounts.items():
        found["cash", key, 0] = (account.cash,)
        for token, units in account.collateral.items():
            found["units", key, token] = (units,)
        for market, position in account.positions.items():
            found["position", key, market] = (position.size, position.cost)
    for market, totals in enumerate(state.markets):
        found["market", market, 0] = (totals.long_oi, totals.short_oi, totals.cost)
    for index, token_record in enumerate(state.tokens):
        found["token", index, 0] = (token_record.held, token_record.inventory)
    ledger = state.ledger
    found["ledger", 0, 0] = (ledger.pool, ledger.insurance, ledger.deficit, ledger.trader_debt, ledger.shares)
    for owner, shares in state.shares.items():
        found["shares", owner, 0] = (shares,)
    return found


def check_reach(before: State, after: State, surroundings: Env, action: Any) -> None:
    """C3, M9: tokens move only in actions that move tokens; only the accounts an action names change."""
    moves = isinstance(action, actions.Deposit | actions.Withdraw | actions.DepositToPool | actions.FundInsurance)
    held_before = [token.held for token in before.tokens]
    assert moves or [token.held for token in after.tokens] == held_before, "C3: tokens held changed"
    allowed = {getattr(action, "account", None)}
    if isinstance(action, actions.Liquidate):
        allowed.add(account_id(surroundings.sender))
    for key, account in after.accounts.items():
        assert key in allowed or account == before.accounts.get(key), f"M9: account {key} changed"
    if not isinstance(action, actions.DepositToPool):
        assert after.shares == before.shares, "P2: shares changed without a purchase"


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
    cash = sum(account.cash for account in state.accounts.values())
    ledger = state.ledger
    assert cash + ledger.pool + ledger.insurance - ledger.deficit == state.tokens[USDC].held * USDC_TO_W
    return cash + ledger.pool + ledger.insurance - ledger.deficit


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
