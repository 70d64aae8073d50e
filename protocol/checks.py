"""What must hold after an action: who may act, amounts, and the margin checks (MRG-10, MRG-11, MRG-15)."""

from __future__ import annotations

from protocol import errors
from protocol.account_state import is_below_tiers
from protocol.draft import Draft, DraftAccount, check_range
from protocol.env import Env
from protocol.funding import compute_owed, project_funding
from protocol.margin import compute_health, compute_maintenance_in_force, compute_notional, compute_pnl, compute_reserve
from protocol.policy import NEW_RISK, REDUCTION, check_accepted, is_accepted
from protocol.state import NO_POSITION, Account, Position, State, owner_of
from protocol.units import UNITS_LIMIT, Units, Usd


def check_registered(state: State, account: int) -> Account:
    """The account, if anything was ever credited to it.

    Refuses: account/unknown.
    """
    found: Account | None = state.accounts.get(account)
    if found is None:
        raise errors.UnknownAccount
    return found


def check_owner(state: State, env: Env, account: int) -> Account:
    """The account, if the sender owns it.

    Refuses: account/unknown, account/not-owner.
    """
    found = check_registered(state, account)
    if owner_of(account) != env.sender:
        raise errors.NotOwner
    return found


def check_trader(state: State, env: Env, account: int) -> Account:
    """The account, if the sender is its owner or its operator.

    Refuses: account/unknown, account/not-trader.
    """
    found = check_registered(state, account)
    if env.sender != owner_of(account) and env.sender != found.operator:
        raise errors.NotTrader
    return found


def check_token(state: State, token: int) -> None:
    """Refuse a token that is neither USDC nor a listed collateral.

    Refuses: token/unknown.
    """
    if token > len(state.collateral_params):
        raise errors.UnknownToken(token=token)


def check_market_listed(state: State, market: int) -> None:
    """Refuse a market that is not listed.

    Refuses: market/unknown.
    """
    if market >= len(state.markets):
        raise errors.UnknownMarket(market=market)


def check_no_orders(account: Account) -> None:
    """Refuse to take margin away from a pending order, which would be a way to cancel it (ORD-8).

    Refuses: order/pending.
    """
    if account.orders:
        raise errors.OrderPending


def check_amount(units: Units) -> None:
    """Refuse an amount of nothing, or more than the protocol stores.

    Refuses: amount/zero, sys/domain.
    """
    if units == 0:
        raise errors.ZeroAmount
    check_range(units, 0, UNITS_LIMIT)


def check_initial_margin(draft: Draft, env: Env, account: DraftAccount, tolerated: int = 0) -> None:
    """Refuse an account left below its initial margin or its equity tier, by every price that it has (MRG-10).

    An account that owes nothing and holds no position passes without a price. One that passes is above every
    buffer, so its flag is lifted. ``tolerated`` are faults of prices that the action takes beside those of its row.

    Refuses: oracle/*, margin/initial, margin/equity-tier.
    """
    if account.cash >= 0 and not account.positions:
        draft.put_flag(account, 0)
        return
    health = compute_health(draft.base, account, env, draft.market)
    check_accepted(NEW_RISK | tolerated, health.price_status)
    if health.equity_im < health.initial_margin:
        raise errors.BelowInitialMargin(equity_im=health.equity_im, initial_margin=health.initial_margin)
    if is_below_tiers(draft.base.risk, health):
        raise errors.BelowEquityTier(equity_im=health.equity_im, gross_notional=health.gross_notional)
    draft.put_flag(account, 0)


def check_remaining_margin(draft: Draft, env: Env, account: DraftAccount) -> None:
    """Refuse an account left below its initial margin or its equity tier by an action at the prices of now (MRG-15).

    Collateral whose price has a fault counts nothing and needs no price, if the rest is enough: anybody can deposit a
    unit of it. If the rest is not enough, every price is needed. One that passes loses its flag. Not for orders, which
    need every price: one that waited for its margin would be an option.

    Refuses: oracle/*, margin/initial, margin/equity-tier.
    """
    if account.cash < 0 or account.positions:
        sound = compute_health(draft.base, account, env, draft.market, skips_faulty=True)
        is_enough = sound.equity_im >= sound.initial_margin and not is_below_tiers(draft.base.risk, sound)
        if is_enough and is_accepted(NEW_RISK, sound.price_status):
            draft.put_flag(account, 0)
            return
    check_initial_margin(draft, env, account)


def check_reduction(draft: Draft, env: Env, account: DraftAccount, market: int, tolerated: int | None = None) -> None:
    """Refuse a reduction that lowers equity_mm less maintenance margin (MRG-11).

    Only this market's terms and the balance differ, so no other price is needed. The last position may be closed
    at a loss of health while the account value stays at or above zero, but not beside a pending order. ``tolerated``
    as in ``check_solvent_exit``.

    Refuses: oracle/*, margin/reduce.
    """
    before = draft.base.accounts[account.id]
    change = account.cash - before.cash
    change += compute_position_health(draft, env, market, account.positions.get(market, NO_POSITION))
    change -= compute_position_health(draft, env, market, before.positions[market])
    if not account.positions:
        change += compute_reserve(draft.base, env.now)
    if change >= 0:
        return
    if account.positions:
        raise errors.ReductionLowersHealth(change=change)
    check_solvent_exit(draft, env, account, change, tolerated)


def compute_position_health(draft: Draft, env: Env, market: int, position: Position) -> Usd:
    """One position's unrealised profit, pending funding included, less its maintenance margin (MRG-11)."""
    params = draft.base.market_params[market]
    price = env.quote(params.feed).mid
    index, _ = project_funding(draft.market(market), price, env.now)
    mm, _ = compute_maintenance_in_force(
        params, draft.base.market_phases[market], env.now, compute_notional(position.size, price)
    )
    return compute_pnl(position, price) - compute_owed(position, index) - mm


def check_solvent_exit(
    draft: Draft, env: Env, account: DraftAccount, change: Usd, tolerated: int | None = None
) -> None:
    """Refuse the loss of health of an account without positions whose account value is below zero (MRG-11).

    Beside a pending order it is always refused, whose margin it would take. At the prices of now, what it is
    worth without the collateral whose price has a fault is enough (MRG-15). The trade of an order needs every price;
    ``tolerated`` are faults that it takes beside those of its row.

    Refuses: oracle/*, margin/reduce.
    """
    if account.orders:
        raise errors.ReductionLowersHealth(change=change)
    if tolerated is None and compute_health(draft.base, account, env, skips_faulty=True).equity_raw >= 0:
        return
    health = compute_health(draft.base, account, env)
    check_accepted(REDUCTION | (tolerated or 0), health.price_status)
    if health.equity_raw < 0:
        raise errors.ReductionLowersHealth(change=change, equity_raw=health.equity_raw)
