"""The liquidity pool: what it is worth and what a share of it costs (LPD-1 to LPD-4)."""

from __future__ import annotations

from protocol import errors
from protocol.actions import DepositToPool
from protocol.draft import Draft, Outcome, check_range
from protocol.env import Env, check_usable
from protocol.state import USDC, State
from protocol.units import UNSIGNED_LIMIT, USDC_TO_W, Usd, W, cdiv, fdiv
from protocol.vault import check_amount, take_in

VIRTUAL = 10**6  # virtual shares and dollars that make share-price inflation unprofitable


def compute_traders_pnl(state: State, env: Env) -> tuple[Usd, int]:
    """Net unrealised profit of all traders and the status of the prices used (LPD-1).

    Exact totals per market, rounded down once: never below the sum of the positions' own profits, which are each
    rounded down.
    """
    pnl = 0
    status = 0
    for params, market in zip(state.market_params, state.markets, strict=True):
        if market.long_oi == 0 and market.short_oi == 0:
            continue
        quote = env.quote(params.feed)
        status |= quote.status
        pnl += fdiv(market.skew * quote.price, W) - market.cost
    return pnl, status


def compute_inventory_value(state: State, env: Env) -> tuple[Usd, int]:
    """Market value of the collateral the pool has bought and the status of the prices used (LPD-1).

    Rounded up, in favour of the pool: a depositor pays for what is there.
    """
    value = 0
    status = 0
    for params, token in zip(state.collateral_params, state.tokens[1:], strict=False):
        if token.inventory == 0:
            continue
        quote = env.quote(params.feed)
        status |= quote.status
        value += cdiv(token.inventory * quote.price, 10**params.decimals)
    return value, status


def compute_deposit_value(state: State, env: Env) -> tuple[Usd, int]:
    """What the pool is worth to a depositor and the status of the prices used (LPD-1).

    Valued against the depositor: the traders' net loss counts, their net gain does not. Never negative.
    """
    pnl, pnl_status = compute_traders_pnl(state, env)
    inventory, inventory_status = compute_inventory_value(state, env)
    return state.ledger.pool - min(pnl, 0) + inventory, pnl_status | inventory_status


def compute_shares(amount: Usd, supply: int, value: Usd) -> int:
    """Shares for a deposit, rounded down in favour of the pool (LPD-2)."""
    return fdiv(amount * (supply + VIRTUAL), value + VIRTUAL)


def process_deposit_to_pool(state: State, env: Env, action: DepositToPool) -> Outcome:
    """Buy pool shares with USDC at the pool's present value (LPD-1 to LPD-4).

    Shares cannot be transferred. Refuses: amount/zero, sys/domain, pool/deficit, oracle/*, pool/no-value,
    pool/no-shares.
    """
    check_amount(action.units)
    if state.ledger.deficit > 0:
        raise errors.PoolInDeficit(deficit=state.ledger.deficit)
    value, status = compute_deposit_value(state, env)
    check_usable(status)
    if value == 0 and state.ledger.shares > 0:
        raise errors.PoolWorthless
    draft = Draft(state)
    take_in(draft, USDC, action.units)
    amount = action.units * USDC_TO_W
    draft.pool += amount
    check_range(draft.pool, 0, UNSIGNED_LIMIT)
    bought = compute_shares(amount, state.ledger.shares, value)
    if bought == 0:
        raise errors.NoShares
    draft.share_supply += bought
    check_range(draft.share_supply, 0, UNSIGNED_LIMIT)
    draft.put_shares(env.sender, draft.shares_of(env.sender) + bought)
    draft.report_ledger()
    return draft.commit()
