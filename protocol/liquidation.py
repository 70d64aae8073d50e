"""Keeper liquidation: close the account, pay the keeper, settle the loss (LIQ-1 to LIQ-8)."""

from __future__ import annotations

from protocol import errors
from protocol.actions import Liquidate
from protocol.draft import Draft, DraftAccount, Outcome
from protocol.env import Env, check_usable
from protocol.events import AccountLiquidated
from protocol.ledger import add_cash, draw_insurance, draw_pool, share_income
from protocol.losses import compute_collateral_value, cover_bad_debt, sell_collateral
from protocol.margin import compute_account_state, compute_health, compute_notional, is_liquidatable
from protocol.params import RiskParams
from protocol.state import State, account_id
from protocol.trading import fill
from protocol.units import BPS, Usd, W, cdiv, fdiv


def compute_reward(risk: RiskParams, base: Usd) -> Usd:
    """The keeper's reward for a notional closed, or a debt settled, of ``base`` (LIQ-5).

    A fixed part and a share, capped in dollars and as a share of ``base``, so that no account is worth
    liquidating for its reward alone. Rounded down against the keeper.
    """
    reward = risk.fixed_reward + fdiv(base * risk.reward_ratio, W)
    return min(reward, risk.max_reward, fdiv(base * risk.reward_cap, BPS))


def compute_penalty(risk: RiskParams, closed_notional: Usd) -> Usd:
    """The penalty on a notional closed, rounded up against the account (LIQ-6)."""
    return cdiv(closed_notional * risk.penalty_ratio, W)


def process_liquidate(state: State, env: Env, action: Liquidate) -> Outcome:
    """Close every position of an account below maintenance, and settle what it leaves (LIQ-1 to LIQ-8).

    The owner keeps the remainder. The keeper is credited in the account balance of the sender's account 0, so no
    transfer can fail. Refuses: account/unknown, liq/self, oracle/*, liq/not-liquidatable, sys/domain.
    """
    before = state.accounts.get(action.account)
    if before is None:
        raise errors.UnknownAccount
    keeper_id = account_id(env.sender)
    if keeper_id == action.account:
        raise errors.SelfLiquidation
    health = compute_health(state, before, env)
    check_usable(health.price_status)
    if not is_liquidatable(health):
        raise errors.NotLiquidatable(equity_mm=health.equity_mm, maintenance_margin=health.maintenance_margin)

    draft = Draft(state)
    account = draft.account(action.account)
    keeper = draft.account(keeper_id)
    closed_notional = close_all(draft, account, state, env)
    base = closed_notional if before.positions else -account.cash
    reward = compute_reward(state.risk, base)
    worth = compute_collateral_value(state, account, env)
    reward_from_account = pay_from_account(draft, account, worth, reward)
    reward_paid = reward_from_account + draw_reward(draft, reward - reward_from_account)
    add_cash(draft, keeper, reward_paid)
    penalty = pay_from_account(draft, account, worth, compute_penalty(state.risk, closed_notional))
    share_income(draft, penalty, state.risk.insurance_penalty_share)
    sell_collateral(draft, account, state, env)
    loss = cover_bad_debt(draft, account)
    draft.report_account(account)
    draft.report_account(keeper)
    draft.report_ledger()
    draft.events.append(
        AccountLiquidated(
            account=action.account,
            keeper=keeper_id,
            account_state=compute_account_state(state.risk, health),
            equity_raw=health.equity_raw,
            equity_mm=health.equity_mm,
            maintenance_margin=health.maintenance_margin,
            closed_notional=closed_notional,
            reward=reward_paid,
            reward_from_account=reward_from_account,
            penalty=penalty,
            bad_debt=loss.total,
            bad_debt_insurance=loss.insurance,
            bad_debt_pool=loss.pool,
        )
    )
    return draft.commit()


def close_all(draft: Draft, account: DraftAccount, state: State, env: Env) -> Usd:
    """Close every position at the oracle price, by ascending market, and return their notional (LIQ-4).

    A liquidation fill pays no trading fee.
    """
    notional = 0
    for market, position in list(account.positions.items()):
        price = env.quote(state.market_params[market].feed).price
        notional += compute_notional(position.size, price)
        fill(draft, account, market, -position.size, price, 0)
    return notional


def pay_from_account(draft: Draft, account: DraftAccount, worth: Usd, amount: Usd) -> Usd:
    """Charge a reward or penalty, at most the account value with collateral ``worth``, and return it (LIQ-7)."""
    paid = min(amount, max(account.cash + worth, 0))
    add_cash(draft, account, -paid)
    return paid


def draw_reward(draft: Draft, shortfall: Usd) -> Usd:
    """What insurance, then the pool, add to a reward the account could not pay (LIQ-8)."""
    from_insurance = draw_insurance(draft, shortfall)
    return from_insurance + draw_pool(draft, shortfall - from_insurance)
