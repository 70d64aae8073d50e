"""The one transition of the protocol: dispatch, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocol import actions
from protocol.actions import Action
from protocol.draft import Outcome
from protocol.env import Env
from protocol.governance import (
    process_pause_opening,
    process_set_collateral,
    process_set_market,
    process_set_risk,
)
from protocol.liquidation import process_liquidate
from protocol.pool import process_deposit_to_pool
from protocol.state import State
from protocol.trading import process_trade
from protocol.vault import process_deposit, process_fund_insurance, process_withdraw

PROCESS: dict[type, Callable[[State, Env, Any], Outcome]] = {
    actions.Deposit: process_deposit,
    actions.Withdraw: process_withdraw,
    actions.Trade: process_trade,
    actions.Liquidate: process_liquidate,
    actions.DepositToPool: process_deposit_to_pool,
    actions.FundInsurance: process_fund_insurance,
    actions.SetRisk: process_set_risk,
    actions.SetMarket: process_set_market,
    actions.SetCollateral: process_set_collateral,
    actions.PauseOpening: process_pause_opening,
}


def apply(state: State, env: Env, action: Action) -> Outcome:
    """The state after ``action``, and its events. Raises a ``Refusal`` when the rules do not allow it.

    Pure: the given state stays valid and unchanged, whatever happens.
    """
    return PROCESS[type(action)](state, env, action)
