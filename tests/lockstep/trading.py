"""What owners and operators do in random stories: deposits, withdrawals, transfers, trades, limits."""

from __future__ import annotations

from typing import Any

from contracts_py.keys import address_of
from crossmargin.replay.world import World
from protocol.actions import (
    CloseAll,
    CreateIsolated,
    Deposit,
    SetLeverageCap,
    SetOperator,
    Trade,
    Transfer,
    Withdraw,
)
from protocol.env import Env
from protocol.margin import compute_health
from protocol.state import NO_POSITION, Account, State, account_id
from protocol.trading import NO_LIMIT
from protocol.units import W
from protocol.views import compute_max_size, compute_withdrawable
from tests.lockstep.cast import (
    ACCOUNTS,
    DOLLAR,
    OWNERS,
    SUBS,
    Resolver,
    Step,
    pick,
    pick_account,
    pick_trader,
    sender_of,
    trader_of,
)
from tests.twins import ACTORS, USDC, WBTC, WETH, WSTETH

LOWEST_CASH = -(10**30)
DEPOSITS = {WETH: 10**16, WBTC: 10**5, WSTETH: 10**16}  # the least: a hundredth or a thousandth of a token


def resolve_deposit(world: World, env: Env, step: Step) -> tuple[str, Deposit]:
    """Hundreds to tens of thousands of dollars, or a few tokens, also for others."""
    account = pick(list(ACCOUNTS), step.who)
    token = pick((USDC, USDC, USDC, WETH, WBTC, WSTETH), step.which)
    if step.how % 97 == 0 and token != USDC:  # beyond one of the caps
        params = world.protocol.collateral_params[token - 1]
        return sender_of(account, step), Deposit(
            account, token, pick((params.account_cap, params.global_cap), step.much)
        )
    if token == USDC:
        return sender_of(account, step), Deposit(account, USDC, (50 + step.much * 20) * DOLLAR + step.how)
    return sender_of(account, step), Deposit(account, token, (1 + step.much) * DEPOSITS[token] + step.how)


def resolve_withdrawal(world: World, env: Env, step: Step) -> tuple[str, Withdraw]:
    """Part of what may leave, all of it, or a unit more."""
    account = pick_account(world.protocol, step)
    token = pick_held(world.protocol, account, step)
    most = compute_withdrawable(world.protocol, env, account, token)
    part = (most * (step.much + 1) // 1_000, most, most + 1)[0 if step.much % 5 else 1 + step.much % 2]
    return sender_of(account, step), Withdraw(account, token, part or step.how % 9)


def resolve_transfer(world: World, env: Env, step: Step) -> tuple[str, Transfer]:
    """Part of what may leave, to another account of the owner, mostly."""
    account = pick_account(world.protocol, step)
    owner = pick(OWNERS, step.which) if step.how % 17 == 0 else ACCOUNTS[account]
    target = account_id(address_of(owner), pick(SUBS, step.much))
    if target == account and step.how % 11:
        target = account_id(address_of(owner), pick(SUBS, step.much + 1))
    token = pick_held(world.protocol, account, step)
    most = compute_withdrawable(world.protocol, env, account, token)
    part = most + 1 if step.much % 9 == 0 else most * (step.much + 1) // 1_000
    return sender_of(account, step), Transfer(account, target, token, part or step.how % 5)


def pick_held(state: State, account: int, step: Step) -> int:
    """A token that the account holds, mostly."""
    found = state.accounts.get(account)
    held = [USDC, *found.collateral] if found else [USDC]
    return step.how % 4 if step.how % 23 == 0 else pick(held, step.which)


def resolve_isolated(world: World, env: Env, step: Step) -> tuple[str, Any]:
    """An account of its own for one market; if it exists already, a little money for it."""
    account = account_id(address_of(pick(OWNERS, step.who)), SUBS[-1])
    if account in world.protocol.accounts and step.how % 5:
        return sender_of(account, step), Deposit(account, USDC, (200 + step.much) * DOLLAR)
    return sender_of(account, step), CreateIsolated(account, step.which % 3)


def resolve_operator(world: World, env: Env, step: Step) -> tuple[str, SetOperator]:
    """Somebody, or nobody."""
    account = pick_account(world.protocol, step)
    operator = 0 if step.much % 6 == 0 else address_of(pick(ACTORS, step.much))
    return sender_of(account, step), SetOperator(account, operator)


def resolve_leverage_cap(world: World, env: Env, step: Step) -> tuple[str, SetLeverageCap]:
    """A limit that may be too tight for the position held, or none."""
    account = pick_trader(world.protocol, step)
    cap = pick((0, 0, W // 2, W, 3 * W, 8 * W, 15 * W, 2**80 - 1, 2**80), step.much)
    return sender_of(account, step), SetLeverageCap(account, step.which % 3, cap)


def resolve_trade(world: World, env: Env, step: Step) -> tuple[str, Trade]:
    """Open or grow within the account's room, reduce, close, flip, or ask for too much."""
    state = world.protocol
    account = pick_account(state, step)
    market = pick_market(state, account, step)
    params = state.market_params[market % len(state.markets)]
    price = env.quote(params.feed).mid or W
    found = state.accounts.get(account)
    size = found.positions.get(market, NO_POSITION).size if found else 0
    side = (1 if size > 0 else -1) if size and step.how % 4 else (1 if step.how % 2 else -1)
    lots = lots_within_room(state, env, account, price, params.lot, step)
    match step.much % 8:
        case 0 | 1 | 2:
            delta = side * lots * params.lot
        case 3:
            delta = -(size * (1 + step.how % 9) // 10) // params.lot * params.lot
        case 4:
            delta = -size
        case 5:
            delta = -size - side * lots * params.lot
        case 6:
            delta = side * step.how * params.lot
        case _:
            delta = side * 2 * lots * params.lot
    delta = delta or side * lots * params.lot
    acceptable = NO_LIMIT if delta > 0 else 0
    if step.how % 19 == 0:
        acceptable = max(price + (step.how % 3 - 1), 0)
    if step.how % 43 == 0:
        delta += 1
    return trader_of(state, account, step), Trade(account, market, delta, acceptable)


def pick_market(state: State, account: int, step: Step) -> int:
    """A market, mostly the one an isolated account may trade; now and then one that is not listed."""
    found: Account | None = state.accounts.get(account)
    if found is not None and found.isolated and step.how % 13:
        return found.isolated - 1
    return step.which % (len(state.markets) + (1 if step.how % 37 == 0 else 0))


def lots_within_room(state: State, env: Env, account: int, price: int, lot: int, step: Step) -> int:
    """A number of lots worth a part of what the account's free initial margin carries, at least the minimum."""
    found = state.accounts.get(account)
    if found is None:
        return 1
    health = compute_health(state, found, env)
    room = max(health.equity_im - health.initial_margin - 15 * W, 0)
    notional = max(room * 15 * (30 + step.how % 72) // 100, 1_001 * W)
    return max(notional * W // price // lot, 1)


def resolve_lever(world: World, env: Env, step: Step) -> tuple[str, Any]:
    """All that is accepted, or nearly, mostly long; at times a lot more. If nothing is, mostly a deposit."""
    state = world.protocol
    account = pick_account(state, step)
    market = pick_market(state, account, step) % len(state.markets)
    lot = state.market_params[market].lot
    is_long = step.much % 4 != 0
    most = compute_max_size(state, env, account, market, is_long)
    if most == 0 and step.how % 5:
        return resolve_deposit(world, env, step)
    size = most if step.how % 3 == 0 else most * (70 + step.how % 30) // 100 // lot * lot
    if step.how % 41 == 0:
        size = most + lot
    delta = (size or lot) * (1 if is_long else -1)
    return trader_of(state, account, step), Trade(account, market, delta, NO_LIMIT if is_long else 0)


def resolve_close_all(world: World, env: Env, step: Step) -> tuple[str, CloseAll]:
    """Everything, for any balance or a balance that may not be reached."""
    account = pick_trader(world.protocol, step)
    found = world.protocol.accounts.get(account)
    least = found.cash if found and step.much % 5 == 0 else LOWEST_CASH
    return trader_of(world.protocol, account, step), CloseAll(account, least)


RESOLVERS: dict[str, Resolver] = {
    "deposit": resolve_deposit,
    "withdraw": resolve_withdrawal,
    "transfer": resolve_transfer,
    "isolate": resolve_isolated,
    "operator": resolve_operator,
    "leverage cap": resolve_leverage_cap,
    "trade": resolve_trade,
    "lever": resolve_lever,
    "close all": resolve_close_all,
}
