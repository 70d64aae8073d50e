"""One of each action, by somebody who may do it, in the state of ``strategies.busy``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from protocol import actions
from protocol.actions import Deposit, DepositToPool, Liquidate, SetMarket, Trade, Withdraw
from protocol.units import W
from tests.protocol.build import (
    ACCOUNT,
    ADMIN,
    ANY_PRICE,
    BORROWER,
    BTC,
    ETH,
    GUARDIAN,
    LENDER,
    LIQUIDATOR,
    MARKETS,
    STRANGER,
    TRADER,
    WETH,
    with_risk,
)
from tests.protocol.strategies import CALLED, ORDERED, OTHER, SLOW, SLOWLY, UNDER, UNLISTED
from tests.twins import weth_params

EXAMPLES: list[tuple[int, Any]] = [
    (BORROWER, Deposit(ACCOUNT, 0, 5)),
    (BORROWER, Deposit(ACCOUNT, WETH, 5)),
    (BORROWER, Withdraw(ACCOUNT, 0, 5)),
    (BORROWER, Withdraw(ACCOUNT, WETH, 5)),
    (BORROWER, actions.Transfer(ACCOUNT, ACCOUNT + 1, 0, 5)),
    (BORROWER, actions.Transfer(ACCOUNT, ACCOUNT + 1, WETH, 5)),
    (BORROWER, actions.CreateIsolated(ACCOUNT + 1, BTC)),
    (BORROWER, actions.SetOperator(ACCOUNT, TRADER)),
    (BORROWER, Trade(ACCOUNT, BTC, W, ANY_PRICE)),
    (BORROWER, Trade(ACCOUNT, BTC, -W, 0)),
    (BORROWER, Trade(ACCOUNT, BTC, -2 * W, 0)),
    (TRADER, actions.CloseAll(OTHER, 0)),
    (BORROWER, actions.SetLeverageCap(ACCOUNT, BTC, 10 * W)),
    (BORROWER, actions.CommitOrder(ACCOUNT, SLOW, 5 * W, ANY_PRICE)),
    (LIQUIDATOR, actions.SettleOrder(ORDERED, BTC, 1)),
    (LIQUIDATOR, actions.CancelOrder(ORDERED, ETH)),
    (LIQUIDATOR, actions.MarginCall(CALLED)),
    (LIQUIDATOR, actions.FlagAccount(UNDER)),
    (LIQUIDATOR, Liquidate(UNDER)),
    (LIQUIDATOR, actions.LiquidateMany((UNDER, ACCOUNT, CALLED))),
    (LENDER, DepositToPool(5 * 10**6)),
    (LENDER, actions.RequestRedemption(W)),
    (LENDER, actions.ClaimRedemption()),
    (STRANGER, actions.BuyInventory(WETH, 10**17, 10**9)),
    (STRANGER, actions.FundInsurance(5)),
    (ADMIN, actions.SetRisk(with_risk(debt_cap=1, keeper_reserve=11 * W))),
    (ADMIN, SetMarket(BTC, replace(MARKETS[BTC], brackets=MARKETS[BTC].brackets[:1]))),
    (ADMIN, SetMarket(UNLISTED, MARKETS[BTC])),
    (ADMIN, actions.SetOrders(BTC, SLOWLY)),
    (ADMIN, actions.SetCollateral(WETH, replace(weth_params(), brackets=weth_params().brackets[:1]))),
    (GUARDIAN, actions.PauseOpening(True)),
    (ADMIN, actions.ProposeAdmin(BORROWER)),
    (STRANGER, actions.AcceptAdmin()),
    (ADMIN, actions.SetGuardian(BORROWER)),
]
NAMES = [type(action).__name__ for _, action in EXAMPLES]
