"""What a liquidation pays and charges (RWD-1 to RWD-5)."""

from __future__ import annotations

from protocol.draft import Draft, DraftAccount
from protocol.ledger import add_cash, draw_insurance, draw_pool
from protocol.params import RiskParams
from protocol.units import BPS, Ratio, Seconds, Usd, W, cdiv, fdiv


def compute_reward_ratio(risk: RiskParams, flagged_at: Seconds, now: Seconds) -> Ratio:
    """The share of the notional closed that the keeper gets: it grows with the time since the flag (RWD-1)."""
    if flagged_at == 0:
        return risk.reward_ratio
    late = max(now - flagged_at - risk.reward_grace, 0)
    return min(risk.reward_ratio + risk.reward_ramp * late, risk.reward_ratio_max)


def compute_reward(risk: RiskParams, base: Usd, ratio: Ratio) -> Usd:
    """The keeper's reward for a notional closed, or a debt settled, of ``base`` (RWD-2).

    A fixed part and a share, capped in dollars and as a share of ``base``, so that no account is worth
    liquidating for its reward alone. Rounded down against the keeper.
    """
    reward = risk.fixed_reward + fdiv(base * ratio, W)
    return min(reward, risk.max_reward, fdiv(base * risk.reward_cap, BPS))


def compute_penalty(risk: RiskParams, closed_notional: Usd) -> Usd:
    """The penalty on a notional closed, rounded up against the account (RWD-3)."""
    return cdiv(closed_notional * risk.penalty_ratio, W)


def pay_from_account(draft: Draft, account: DraftAccount, account_value: Usd, amount: Usd) -> Usd:
    """Charge a reward or penalty, at most the account value, and return what it paid (RWD-4)."""
    paid = min(amount, max(account_value, 0))
    add_cash(draft, account, -paid)
    return paid


def draw_reward(draft: Draft, shortfall: Usd) -> Usd:
    """What insurance, then the pool, add to a reward the account could not pay (RWD-5)."""
    from_insurance = draw_insurance(draft, shortfall)
    return from_insurance + draw_pool(draft, shortfall - from_insurance)
