"""The margin call: anyone may announce that an account is close to liquidation (MCL-1 to MCL-3)."""

from __future__ import annotations

from protocol import errors
from protocol.account_state import AccountState, compute_account_state
from protocol.actions import MarginCall
from protocol.checks import check_registered
from protocol.draft import Draft, Outcome
from protocol.env import Env
from protocol.events import MarginCalled
from protocol.ledger import add_cash
from protocol.margin import Health, compute_health
from protocol.params import MARGIN_CALL_FEE_CAP, MARGIN_CALL_INTERVAL, RiskParams
from protocol.state import State, account_id
from protocol.units import BPS, Usd, fdiv


def process_margin_call(state: State, env: Env, action: MarginCall) -> Outcome:
    """Announce a margin call; it grants no time and changes no rule (MCL-1, MCL-2).

    At most once an hour for an account. Refuses: account/unknown, liq/self, margin/no-call, margin/just-called,
    sys/domain.
    """
    before = check_registered(state, action.account)
    caller_id = account_id(env.sender)
    if caller_id == action.account:
        raise errors.SelfLiquidation
    health = compute_health(state, before, env)
    if compute_account_state(state.risk, health) != AccountState.MARGIN_CALL:
        raise errors.NoMarginCall(equity_mm=health.equity_mm, maintenance_margin=health.maintenance_margin)
    if before.margin_called_at and env.now - before.margin_called_at < MARGIN_CALL_INTERVAL:
        raise errors.JustCalled(margin_called_at=before.margin_called_at)
    draft = Draft(state)
    account = draft.account(action.account)
    caller = draft.account(caller_id)
    fee = compute_call_fee(state.risk, health)
    account.margin_called_at = env.now
    add_cash(draft, account, -fee)
    add_cash(draft, caller, fee)
    draft.report_account(account)
    draft.report_account(caller)
    draft.report_ledger()
    draft.events.append(
        MarginCalled(action.account, caller_id, health.equity_mm, health.maintenance_margin, fee, env.now)
    )
    return draft.commit()


def compute_call_fee(risk: RiskParams, health: Health) -> Usd:
    """The caller's fee: at most 0.05 % of the account value, and never so much as to make it liquidatable (MCL-3).

    Rounded down against the caller.
    """
    bound = fdiv(max(health.equity_raw, 0) * MARGIN_CALL_FEE_CAP, BPS)
    return min(risk.margin_call_fee, bound, health.equity_mm - health.maintenance_margin)
