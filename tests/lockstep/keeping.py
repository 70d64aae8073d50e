"""What keepers, liquidity providers and givers do in random stories."""

from __future__ import annotations

from typing import Any

from contracts_py.keys import address_of
from crossmargin.replay.keepers import find_liquidatable
from crossmargin.replay.world import World
from protocol.account_state import AccountState, is_clear
from protocol.actions import (
    BuyInventory,
    ClaimRedemption,
    DepositToPool,
    FlagAccount,
    FundInsurance,
    Liquidate,
    LiquidateMany,
    MarginCall,
    RequestRedemption,
)
from protocol.env import Env
from protocol.liquidation import MAX_BATCH
from protocol.margin import compute_health
from protocol.pool import compute_inventory_cost
from protocol.state import NO_STAKE, account_id
from tests.lockstep.cast import ACCOUNTS, DOLLAR, NAMES, OWNERS, Resolver, Step, find_standing, pick, pick_account
from tests.lockstep.trading import resolve_trade


def keeper_of(step: Step) -> str:
    """Mostly the same one."""
    return pick(OWNERS, step.much) if step.much % 4 == 0 else "liquidator"


def resolve_liquidation(world: World, env: Env, step: Step) -> tuple[str, Any]:
    """An account that can be liquidated; if there is none, mostly a trade."""
    ready = find_liquidatable(world, env.now)
    if not ready and step.how % 4:
        return resolve_trade(world, env, step)
    account = pick(ready, step.which) if ready and step.how % 11 else pick_account(world.protocol, step)
    return keeper_of(step), Liquidate(account)


def resolve_batch(world: World, env: Env, step: Step) -> tuple[str, LiquidateMany]:
    """All that can be liquidated, and a few that cannot; at times too many."""
    if step.how % 53 == 0:
        return keeper_of(step), LiquidateMany((pick_account(world.protocol, step),) * (MAX_BATCH + 1))
    ready = find_liquidatable(world, env.now)
    others = [pick(list(ACCOUNTS), step.who + 5 * n) for n in range(step.which % 4)]
    batch = [*others[:1], *ready, *others[1:], *(ready[:1] if step.how % 5 == 0 else ())]
    return keeper_of(step), LiquidateMany(tuple(batch))


def resolve_margin_call(world: World, env: Env, step: Step) -> tuple[str, Any]:
    """An account that can be called; if there is none, mostly a trade."""
    ready = find_standing(world, env, AccountState.MARGIN_CALL)
    if not ready and step.how % 4:
        return resolve_trade(world, env, step)
    account = pick(ready, step.which) if ready and step.how % 7 else pick_account(world.protocol, step)
    return keeper_of(step), MarginCall(account)


def resolve_flag(world: World, env: Env, step: Step) -> tuple[str, Any]:
    """A flag that can be set or lifted; if there is none, mostly a liquidation."""
    state = world.protocol
    fallen = find_standing(world, env, AccountState.BANKRUPT, AccountState.BACKSTOP, AccountState.LIQUIDATABLE)
    ready = [key for key in fallen if not state.accounts[key].flagged_at]
    for key, account in state.accounts.items():
        if account.flagged_at and is_clear(state.risk, compute_health(state, account, env)):
            ready.append(key)
    if not ready and step.how % 4:
        return resolve_liquidation(world, env, step)
    account_key = pick(ready, step.which) if ready and step.how % 7 else pick_account(state, step)
    return keeper_of(step), FlagAccount(account_key)


def resolve_loan(world: World, env: Env, step: Step) -> tuple[str, DepositToPool]:
    """Dollars for the pool."""
    units = 1 + step.how if step.much % 9 == 0 else (step.much + 1) * 15 * DOLLAR + step.how
    return pick(OWNERS, step.who), DepositToPool(units)


def resolve_request(world: World, env: Env, step: Step) -> tuple[str, RequestRedemption]:
    """Part of the shares, all of them, none, or one too many."""
    owner = pick_provider(world, step, asked=False)
    shares = world.protocol.stakes.get(address_of(owner), NO_STAKE).shares
    part = (shares * (step.much + 1) // 1_000, shares, shares + 1, 0)[0 if step.how % 3 else step.much % 4]
    return owner, RequestRedemption(part)


def resolve_claim(world: World, env: Env, step: Step) -> tuple[str, Any]:
    """Whoever asked, mostly when it is time; if nobody did, mostly a request."""
    stakes = world.protocol.stakes
    if step.how % 5 and not any(stake.requested for stake in stakes.values()):
        return resolve_request(world, env, step)
    window = world.protocol.risk.redemption_window
    due = [
        NAMES[owner]
        for owner, stake in stakes.items()
        if stake.requested and stake.claimable_at <= env.now <= stake.claimable_at + window
    ]
    return pick(due, step.who) if due and step.how % 7 else pick_provider(world, step, asked=True), ClaimRedemption()


def pick_provider(world: World, step: Step, *, asked: bool) -> str:
    """Mostly an owner with shares, or with a request."""
    stakes = world.protocol.stakes
    known = [owner for owner in OWNERS if (stake := stakes.get(address_of(owner))) and (stake.requested or not asked)]
    return pick(known, step.who) if known and step.how % 13 else pick(OWNERS, step.who)


def resolve_purchase(world: World, env: Env, step: Step) -> tuple[str, Any]:
    """What the pool took over, for what it costs; if there is nothing, mostly a liquidation."""
    state = world.protocol
    there = [token for token, totals in enumerate(state.tokens) if totals.inventory]
    if not there and step.how % 5:
        return resolve_liquidation(world, env, step)
    token = pick(there, step.which) if there and step.how % 9 else step.which % 5
    held = state.tokens[token].inventory if token < len(state.tokens) else 0
    units = held + 1 if step.much % 11 == 0 else max(held * (step.much + 1) // 1_000, step.how % 2)
    if token == 0 or token > len(state.collateral_params):
        return pick(OWNERS, step.who), BuyInventory(token, units, DOLLAR)
    params = state.collateral_params[token - 1]
    price = env.quote(params.feed).mid
    cost = compute_inventory_cost(units, price, params.decimals, state.risk.sale_discount)
    return pick(OWNERS, step.who), BuyInventory(token, units, max(cost - (1 if step.much % 7 == 0 else 0), 0))


def resolve_insurance(world: World, env: Env, step: Step) -> tuple[str, FundInsurance]:
    """Dollars for insurance."""
    return pick(OWNERS, step.who), FundInsurance((step.much + 1) * DOLLAR // 10 + step.how)


def resolve_own_liquidation(world: World, env: Env, step: Step) -> tuple[str, Any]:
    """The keeper's own account."""
    owner = pick(OWNERS, step.who)
    account = account_id(address_of(owner))
    return owner, MarginCall(account) if step.much % 2 else Liquidate(account)


RESOLVERS: dict[str, Resolver] = {
    "liquidate": resolve_liquidation,
    "batch": resolve_batch,
    "margin call": resolve_margin_call,
    "flag": resolve_flag,
    "lend": resolve_loan,
    "request": resolve_request,
    "claim": resolve_claim,
    "buy": resolve_purchase,
    "insure": resolve_insurance,
    "own": resolve_own_liquidation,
}
