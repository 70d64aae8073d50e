"""What an owner decides about an account: isolation and operator (ACC-1, ACC-2)."""

from __future__ import annotations

from protocol import errors
from protocol.actions import CreateIsolated, SetOperator
from protocol.checks import check_market_listed, check_owner
from protocol.draft import Draft, Outcome
from protocol.env import Env
from protocol.events import AccountIsolated, OperatorSet
from protocol.state import State, owner_of


def process_create_isolated(state: State, env: Env, action: CreateIsolated) -> Outcome:
    """Open an account that may hold only USDC and trade only one market, for good (ACC-1).

    Its loss is bounded by what was put into it. Refuses: account/not-owner, account/exists, market/unknown.
    """
    if owner_of(action.account) != env.sender:
        raise errors.NotOwner
    if action.account in state.accounts:
        raise errors.AccountExists
    check_market_listed(state, action.market)
    draft = Draft(state)
    account = draft.account(action.account)
    account.isolated = action.market + 1
    draft.report_account(account)
    draft.events.append(AccountIsolated(action.account, action.market))
    return draft.commit()


def process_set_operator(state: State, env: Env, action: SetOperator) -> Outcome:
    """Let one address trade for an account, or nobody with 0; it can never take anything out (ACC-2).

    Refuses: account/unknown, account/not-owner.
    """
    check_owner(state, env, action.account)
    draft = Draft(state)
    draft.account(action.account).operator = action.operator
    draft.events.append(OperatorSet(action.account, action.operator))
    return draft.commit()
