"""What the contracts' views answer, held against what the model measures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from typing import Any

from contracts_py.bindings import CrossMargin
from contracts_py.keys import address_of, to_hex
from crossmargin.replay.keepers import find_round
from crossmargin.replay.world import World
from protocol import views
from protocol.account_state import compute_account_state
from protocol.actions import Liquidate, SettleOrder, Trade
from protocol.env import Env
from protocol.margin import compute_health
from protocol.state import NO_ORDER, USDC, Account, State
from protocol.trading import NO_LIMIT

KEEPER = "liquidator"
PAGE = 24  # accounts that one call of health_batch answers for
NO_ACCOUNT = Account(0, {}, {}, {}, 0, 0, 0, 0, {})


def compare_views(
    contracts: CrossMargin, world: World, now: int, accounts: Sequence[int], searched: Sequence[int]
) -> Iterator[str]:
    """The views that answer otherwise than the model, of all and of these accounts (VIEW-1 to VIEW-9).

    ``searched`` are those whose largest trades are asked for too.
    """
    state, env = world.protocol, world.env(now)
    yield from same("solvency", contracts.solvency(), views.compute_solvency(state, env))
    known = tuple(state.accounts)
    for start in range(0, len(known) + 1, PAGE):
        yield from same("list_accounts", contracts.list_accounts(start, PAGE), views.list_accounts(state, start, PAGE))
    for start in range(0, len(accounts), PAGE):
        page = [key for key in accounts[start : start + PAGE] if key in state.accounts]
        measured = tuple(compute_health(state, state.accounts[key], env) for key in page)
        yield from same("health_batch", contracts.health_batch(page), measured)
    for key in accounts:
        yield from compare_records(contracts, state, key)
        yield from compare_measures(contracts, state, env, key)
        keeper = address_of(KEEPER)
        quote = views.quote_liquidation(state, world.env(now, keeper), Liquidate(key))
        yield from same("quote_liquidation", contracts.quote_liquidation(key, keeper), quote)
        yield from compare_settlements(contracts, state, world, now, key)
    for key in searched:
        yield from compare_sizes(contracts, state, env, key)


def compare_records(contracts: CrossMargin, state: State, key: int) -> Iterator[str]:
    """What is stored of one account (VIEW-7)."""
    account = state.accounts.get(key, NO_ACCOUNT)
    info = (account.cash, account.flagged_at, account.margin_called_at, account.isolated, to_hex(account.operator))
    yield from same("account_info", contracts.view("account_info", key), info)
    positions = tuple(
        (market, held.size, held.cost, held.entry_index, account.leverage_caps.get(market, 0))
        for market, held in account.positions.items()
    )
    yield from same("positions_of", tuple(contracts.view("positions_of", key)), positions)
    for market in range(len(state.markets)):
        order = account.orders.get(market, NO_ORDER)
        yield from same("order_of", contracts.view("order_of", key, market), astuple(order))
    for token in range(len(state.tokens)):
        if token != USDC:
            units = account.collateral.get(token, 0)
            yield from same("collateral_of", contracts.view("collateral_of", key, token), units)


def compare_settlements(contracts: CrossMargin, state: State, world: World, now: int, key: int) -> Iterator[str]:
    """What settling each pending order of one account would do, at its round and at the next (VIEW-9)."""
    keeper = address_of(KEEPER)
    for market in state.accounts[key].orders if key in state.accounts else ():
        number = find_round(world, key, market)
        for named in (number, number + 1):
            action = SettleOrder(key, market, named)
            preview = views.preview_settle_order(state, world.env(now, keeper), action)
            yield from same("preview_settle_order", contracts.preview_settle_order(action, keeper), preview)


def compare_measures(contracts: CrossMargin, state: State, env: Env, key: int) -> Iterator[str]:
    """Where one account stands, and its limits (VIEW-3, VIEW-5, VIEW-8)."""
    for token in range(len(state.tokens)):
        most = views.compute_withdrawable(state, env, key, token)
        yield from same("withdrawable", contracts.withdrawable(key, token), most)
    for market in range(len(state.markets)):
        price = views.compute_liquidation_price(state, env, key, market)
        yield from same("liquidation_price", contracts.liquidation_price(key, market), price)
        price = views.compute_bankruptcy_price(state, env, key, market)
        yield from same("bankruptcy_price", contracts.bankruptcy_price(key, market), price)
    if key in state.accounts:
        health = compute_health(state, state.accounts[key], env)
        yield from same("health", contracts.health(key), health)
        yield from same("account_state", contracts.account_state(key), compute_account_state(state.risk, health))


def compare_sizes(contracts: CrossMargin, state: State, env: Env, key: int) -> Iterator[str]:
    """The largest trades of one account, and what they would do (VIEW-1, VIEW-4)."""
    for market, params in enumerate(state.market_params):
        for is_long in (True, False):
            size = views.compute_max_size(state, env, key, market, is_long)
            yield from same("max_size", contracts.max_size(key, market, is_long), size)
            delta = (size or params.lot) * (1 if is_long else -1)
            action = Trade(key, market, delta, NO_LIMIT if is_long else 0)
            yield from same("preview_trade", contracts.preview_trade(action), views.preview_trade(state, env, action))


def same(view: str, answer: Any, measured: Any) -> Iterator[str]:
    """Nothing, or what differs."""
    if answer != measured:
        yield f"view {view}: model {measured}, chain {answer}"
