"""Keeper liquidation: flag, close what is needed, pay the keeper, settle the loss (LIQ-1 to LIQ-10)."""

from __future__ import annotations

from functools import reduce
from operator import or_

from protocol import errors
from protocol.account_state import AccountState, compute_account_state, is_clear
from protocol.actions import FlagAccount, Liquidate, LiquidateMany
from protocol.checks import check_registered
from protocol.draft import Draft, DraftAccount, Outcome
from protocol.env import Env
from protocol.events import AccountLiquidated, Event, LiquidationRefused
from protocol.fills import fill_liquidation
from protocol.ledger import add_cash, share_income
from protocol.losses import compute_settled, compute_waiting, cover_bad_debt, sell_collateral
from protocol.margin import Health, compute_health, compute_notional, is_liquidatable
from protocol.orders import cancel_orders
from protocol.policy import DEEP_LIQUIDATION, LIQUIDATION, check_accepted, is_accepted
from protocol.rewards import compute_penalty, compute_reward, compute_reward_ratio, draw_reward, pay_from_account
from protocol.sizing import plan_closes
from protocol.state import Account, State, account_id
from protocol.units import Usd
from protocol.window import add_closed

MAX_BATCH = 32  # accounts of one call


def process_liquidate(state: State, env: Env, action: Liquidate) -> Outcome:
    """Close enough of an account below maintenance, or all of it, and settle what it leaves (LIQ-1 to LIQ-8).

    The owner keeps the remainder. The keeper is credited in the account balance of the sender's account 0, so no
    transfer can fail. Refuses: account/unknown, liq/self, oracle/*, liq/not-liquidatable, liq/rate-limit, sys/domain.
    """
    before = check_registered(state, action.account)
    keeper_id = account_id(env.sender)
    if keeper_id == action.account:
        raise errors.SelfLiquidation
    health, standing, accepts = check_liquidatable(state, env, before)
    risk = state.risk
    draft = Draft(state)
    account = draft.account(action.account)
    keeper = draft.account(keeper_id)
    cancel_orders(draft, account)
    plan = plan_closes(draft, account, env, health, standing, accepts)
    if before.positions and not plan:
        raise errors.WindowEmpty
    closed = 0
    for exposure, size in plan:
        closed += close(draft, account, env, exposure.market, size if exposure.size > 0 else -size, standing)

    # The only measure after the closes: reward and penalty move the balance alone.
    left = compute_health(state, account, env, draft.market)
    base = closed if before.positions else compute_settled(state, env, before, accepts, health.price_status)
    reward = compute_reward(risk, base, compute_reward_ratio(risk, before.flagged_at, env.now))
    reward_from_account = pay_from_account(draft, account, left.equity_raw, reward)
    reward_paid = reward_from_account + draw_reward(draft, reward - reward_from_account)
    add_cash(draft, keeper, reward_paid)
    worth = left.equity_raw - reward_from_account
    penalty = pay_from_account(draft, account, worth, compute_penalty(risk, closed))
    share_income(draft, penalty, risk.insurance_penalty_share)
    loss = (0, 0, 0)
    if not account.positions:
        sell_collateral(draft, account, env, accepts)
        loss = cover_bad_debt(draft, account, compute_waiting(state, env, account.collateral, accepts))
    settle_flag(draft, account, env, left, reward_from_account + penalty)
    draft.report_account(account)
    draft.report_account(keeper)
    draft.report_ledger()
    draft.events.append(
        AccountLiquidated(
            account=action.account,
            keeper=keeper_id,
            account_state=standing,
            equity_raw=health.equity_raw,
            equity_mm=health.equity_mm,
            maintenance_margin=health.maintenance_margin,
            closed_notional=closed,
            reward=reward_paid,
            reward_from_account=reward_from_account,
            penalty=penalty,
            bad_debt=loss[0],
            bad_debt_insurance=loss[1],
            bad_debt_pool=loss[2],
        )
    )
    return draft.commit()


def check_liquidatable(state: State, env: Env, account: Account) -> tuple[Health, AccountState, int]:
    """How an account stands that can be liquidated, and what faults the prices of a close may have (LIQ-3, LIQ-4).

    What has a price that is not accepted, or none, counts in the account's favour. At least one position, or without
    positions one collateral if there are any, must have an accepted price, unless all of it cannot be worth the debt.

    Refuses: oracle/*, liq/not-liquidatable.
    """
    health = compute_health(state, account, env)
    if not is_liquidatable(health):
        raise errors.NotLiquidatable(equity_mm=health.equity_mm, maintenance_margin=health.maintenance_margin)
    standing = compute_account_state(state.risk, health)
    accepts = DEEP_LIQUIDATION if standing <= AccountState.BACKSTOP else LIQUIDATION
    if not is_accepted(accepts, health.price_status):
        feeds = [state.market_params[market].feed for market in account.positions]
        if not account.positions:
            feeds = [state.collateral_params[token - 1].feed for token in account.collateral]
        statuses = [env.quote(feed).status for feed in feeds]
        is_bad = not account.positions and -account.cash > compute_waiting(state, env, account.collateral, accepts)
        if not is_bad and not any(is_accepted(accepts, status) for status in statuses):
            check_accepted(accepts, reduce(or_, statuses, 0))
    return health, standing, accepts


def close(draft: Draft, account: DraftAccount, env: Env, market: int, size: int, standing: AccountState) -> Usd:
    """Close ``size`` (signed as the position) of one position and return its notional (LIQ-5).

    Only what a LIQUIDATABLE account loses counts in the market's window.
    """
    params = draft.base.market_params[market]
    price = env.quote(params.feed).mid
    notional = compute_notional(size, price)
    fill_liquidation(draft, account, market, -size, price, env, notional)
    if params.window and standing == AccountState.LIQUIDATABLE:
        draft.put_window(market, add_closed(params, draft.window(market), env.now, notional))
    return notional


def settle_flag(draft: Draft, account: DraftAccount, env: Env, health: Health, charged: Usd) -> None:
    """Lift the flag of an account that is well above maintenance or has nothing left to close; else set it (LIQ-8)."""
    if not account.positions or is_clear(draft.base.risk, health, charged):
        draft.put_flag(account, 0)
    elif account.flagged_at == 0:
        draft.put_flag(account, env.now)


def process_liquidate_many(state: State, env: Env, action: LiquidateMany) -> Outcome:
    """Liquidate several accounts, each by itself; one that is refused does not stop the others (LIQ-9).

    Refuses: liq/batch.
    """
    if len(action.batch) > MAX_BATCH:
        raise errors.BatchTooLong(most=MAX_BATCH)
    events: list[Event] = []
    for account in action.batch:
        try:
            outcome = process_liquidate(state, env, Liquidate(account))
        except errors.Refusal as refusal:
            events.append(LiquidationRefused(account, refusal.code))
        else:
            state = outcome.state
            events.extend(outcome.events)
    return Outcome(state, tuple(events))


def process_flag_account(state: State, env: Env, action: FlagAccount) -> Outcome:
    """Start the clock of the keeper's reward for an account below maintenance, or lift it (LIQ-10).

    Anyone may, and nothing is paid. The flag is lifted only at the liquidation buffer above maintenance.

    Refuses: account/unknown, liq/flagged, liq/not-liquidatable.
    """
    before = check_registered(state, action.account)
    health = compute_health(state, before, env)
    draft = Draft(state)
    account = draft.account(action.account)
    if account.flagged_at:
        if not is_clear(state.risk, health):
            raise errors.AlreadyFlagged(flagged_at=account.flagged_at)
        draft.put_flag(account, 0)
    else:
        if not is_liquidatable(health):
            raise errors.NotLiquidatable(equity_mm=health.equity_mm, maintenance_margin=health.maintenance_margin)
        draft.put_flag(account, env.now)
    return draft.commit()
