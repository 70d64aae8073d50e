"""The one transition of the protocol: dispatch, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocol import actions, governance
from protocol.accounts import process_create_isolated, process_set_operator
from protocol.actions import Action
from protocol.draft import Outcome
from protocol.env import Env
from protocol.liquidation import process_flag_account, process_liquidate, process_liquidate_many
from protocol.margin_call import process_margin_call
from protocol.orders import process_cancel_order, process_commit_order, process_set_orders, process_settle_order
from protocol.pool import (
    process_buy_inventory,
    process_claim_redemption,
    process_deposit_to_pool,
    process_request_redemption,
)
from protocol.state import State
from protocol.trading import process_close_all, process_set_leverage_cap, process_trade
from protocol.vault import process_deposit, process_fund_insurance, process_transfer, process_withdraw

PROCESS: dict[type, Callable[[State, Env, Any], Outcome]] = {
    actions.Deposit: process_deposit,
    actions.Withdraw: process_withdraw,
    actions.Transfer: process_transfer,
    actions.CreateIsolated: process_create_isolated,
    actions.SetOperator: process_set_operator,
    actions.Trade: process_trade,
    actions.CloseAll: process_close_all,
    actions.SetLeverageCap: process_set_leverage_cap,
    actions.CommitOrder: process_commit_order,
    actions.SettleOrder: process_settle_order,
    actions.CancelOrder: process_cancel_order,
    actions.MarginCall: process_margin_call,
    actions.FlagAccount: process_flag_account,
    actions.Liquidate: process_liquidate,
    actions.LiquidateMany: process_liquidate_many,
    actions.DepositToPool: process_deposit_to_pool,
    actions.RequestRedemption: process_request_redemption,
    actions.ClaimRedemption: process_claim_redemption,
    actions.BuyInventory: process_buy_inventory,
    actions.FundInsurance: process_fund_insurance,
    actions.SetRisk: governance.process_set_risk,
    actions.SetMarket: governance.process_set_market,
    actions.SetOrders: process_set_orders,
    actions.SetCollateral: governance.process_set_collateral,
    actions.PauseOpening: governance.process_pause_opening,
    actions.ProposeAdmin: governance.process_propose_admin,
    actions.AcceptAdmin: governance.process_accept_admin,
    actions.SetGuardian: governance.process_set_guardian,
}


def apply(state: State, env: Env, action: Action) -> Outcome:
    """The state after ``action``, and its events. Raises a ``Refusal`` when the rules do not allow it.

    Pure: the given state stays valid and unchanged, whatever happens.
    """
    return PROCESS[type(action)](state, env, action)
