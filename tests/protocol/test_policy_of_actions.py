"""Each action is executed with each fault of its price: it is refused where the table says so, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from protocol.actions import (
    AcceptAdmin,
    BuyInventory,
    CancelOrder,
    ClaimRedemption,
    CloseAll,
    CommitOrder,
    CreateIsolated,
    Deposit,
    DepositToPool,
    FlagAccount,
    FundInsurance,
    Liquidate,
    LiquidateMany,
    MarginCall,
    PauseOpening,
    ProposeAdmin,
    RequestRedemption,
    SetCollateral,
    SetGuardian,
    SetLeverageCap,
    SetMarket,
    SetOperator,
    SetOrders,
    SetRisk,
    SettleOrder,
    Trade,
    Transfer,
    Withdraw,
)
from protocol.env import Env, Status
from protocol.margin import compute_health
from protocol.params import OrderParams
from protocol.policy import DEEP_LIQUIDATION, POLICY, is_accepted, is_priceless
from protocol.state import Order, Roles, Stake, State, account_id
from protocol.transition import apply
from protocol.units import W
from tests.protocol.build import (
    ACCOUNT,
    ADMIN,
    ANY_PRICE,
    BORROWER,
    BTC,
    BTC_PRICE,
    COLLATERAL,
    ETH,
    GUARDIAN,
    LENDER,
    LIQUIDATOR,
    MARKETS,
    NOW,
    STRANGER,
    WETH,
    env,
    holding,
    opened,
    outcome_of,
    state_with,
)
from tests.protocol.test_policy import CODES
from tests.twins import RISK

LOT = W // 1_000
RULES = OrderParams(feed=BTC, delay=10, window=60, fee=2 * W, cancel_fee=W)
ALLOWED = "ok"


def state_of(cash: int = 5_000, order: Order | None = None, btc: int = 2 * W) -> State:
    """An account with BTC and WETH, a pool with a stake and some WETH; BTC takes orders if one is given."""
    account = holding(
        cash * W, {WETH: 10**17}, {BTC: opened(btc, BTC_PRICE)} if btc else {}, orders={BTC: order} if order else {}
    )
    return state_with(
        {ACCOUNT: account},
        pool=10**6 * W,
        insurance=10**4 * W,
        stakes={LENDER: Stake(10**6 * W, W, NOW)},
        inventory={WETH: 10**18},
        rules={BTC: RULES} if order else {},
    )


def order_of(size: int, settles_from: int = NOW, expires_at: int = NOW + 60) -> Order:
    """A pending order in BTC."""
    return Order(size, 0 if size < 0 else ANY_PRICE, 2 * W, W, BTC, settles_from, expires_at)


def seen(sender: int, status: int) -> Env:
    """Prices that all have a fault; that of the round has none."""
    return env(sender, btc_status=status, eth_status=status)


def told(action: Any, sender: int = BORROWER, state: State | None = None) -> Callable[[int], str]:
    """What becomes of an action at a fault."""
    chosen = state or state_of()
    return lambda status: outcome_of(chosen, seen(sender, status), action)


def liquidate(action: Any, cash: int) -> Callable[[int], str]:
    """What becomes of a liquidation of an account that neither moved prices nor ceilings save, or with so much cash."""

    def attempt(status: int) -> str:
        owed = -100_000 if is_priceless(status) else -1_600
        state = state_of(cash if is_accepted(DEEP_LIQUIDATION, status) else owed)
        outcome = outcome_of(state, seen(LIQUIDATOR, status), action)
        if outcome == ALLOWED and isinstance(action, LiquidateMany):
            event = apply(state, seen(LIQUIDATOR, status), action).events[-1]
            return str(getattr(event, "code", ALLOWED))
        return outcome

    return attempt


def view(status: int) -> str:
    """A view answers and names the fault."""
    state = state_of()
    assert compute_health(state, state.accounts[ACCOUNT], seen(0, status)).price_status == status
    return ALLOWED


def commit(size: int) -> Callable[[int], str]:
    """A commitment in BTC, which takes orders."""
    state = state_of()
    ordering = state_with(
        {ACCOUNT: state.accounts[ACCOUNT]}, pool=10**6 * W, stakes={LENDER: 10**6 * W}, rules={BTC: RULES}
    )
    return told(CommitOrder(ACCOUNT, BTC, size, ANY_PRICE if size > 0 else 0), state=ordering)


def accept_admin(status: int) -> str:
    """The one who was proposed accepts."""
    state = replace(state_of(), roles=Roles(ADMIN, STRANGER, GUARDIAN))
    return outcome_of(state, seen(STRANGER, status), AcceptAdmin())


SALE, OLD = order_of(-W), order_of(-W, NOW - 60, NOW - 1)
# What a row decides: how each action ends at a fault.
ACTIONS: dict[str, Callable[[int], str]] = {
    "deposit": told(Deposit(ACCOUNT, WETH, 1)),
    "withdraw": told(Withdraw(ACCOUNT, WETH, 1)),
    "transfer": told(Transfer(ACCOUNT, ACCOUNT + 1, 0, 1)),
    "create_isolated": told(CreateIsolated(account_id(STRANGER), BTC), STRANGER),
    "set_operator": told(SetOperator(ACCOUNT, STRANGER)),
    "trade_increase": told(Trade(ACCOUNT, BTC, LOT, ANY_PRICE)),
    "trade_reduce": told(Trade(ACCOUNT, BTC, -LOT, 0)),
    "close_all": told(CloseAll(ACCOUNT, 0)),
    "set_leverage_cap": told(SetLeverageCap(ACCOUNT, BTC, 10 * W)),
    "commit_increase": commit(LOT),
    "commit_reduce": commit(-LOT),
    "settle_order": told(SettleOrder(ACCOUNT, BTC, 1), LIQUIDATOR, state_of(order=SALE)),
    "cancel_order": told(CancelOrder(ACCOUNT, BTC), LIQUIDATOR, state_of(order=OLD)),
    "margin_call": told(MarginCall(ACCOUNT), LIQUIDATOR, state_of(450)),
    "flag_account": liquidate(FlagAccount(ACCOUNT), 380),
    "liquidate": liquidate(Liquidate(ACCOUNT), 380),
    "liquidate_deep": liquidate(Liquidate(ACCOUNT), -600),
    "liquidate_many": liquidate(LiquidateMany((ACCOUNT,)), 380),
    "deposit_to_pool": told(DepositToPool(10**6), LENDER),
    "request_redemption": told(RequestRedemption(W), LENDER),
    "claim_redemption": told(ClaimRedemption(), LENDER),
    "buy_inventory": told(BuyInventory(WETH, 10**15, 10**9), STRANGER),
    "fund_insurance": told(FundInsurance(1), STRANGER),
    "set_risk": told(SetRisk(RISK), ADMIN),
    "set_market": told(SetMarket(BTC, MARKETS[BTC]), ADMIN),
    "set_orders": told(SetOrders(ETH, RULES), ADMIN),
    "set_collateral": told(SetCollateral(WETH, COLLATERAL[0]), ADMIN),
    "pause_opening": told(PauseOpening(True), ADMIN),
    "propose_admin": told(ProposeAdmin(STRANGER), ADMIN),
    "accept_admin": accept_admin,
    "set_guardian": told(SetGuardian(STRANGER), ADMIN),
    "view": view,
}
# A price that is moved in the account's favour by its fault leaves nothing to call.
MOVED = {"margin_call": "margin/no-call"}


def test_every_row_is_executed() -> None:
    """POL-1: each, and at a price without fault each goes through."""
    assert ACTIONS.keys() == POLICY.keys()
    assert {name: attempt(0) for name, attempt in ACTIONS.items()} == dict.fromkeys(POLICY, ALLOWED)


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("name", POLICY)
def test_an_action_takes_the_faults_of_its_row(name: str, status: Status) -> None:
    """POL-1, POL-2: and is refused by the code of any other."""
    outcome = ACTIONS[name](int(status))
    if not is_accepted(POLICY[name], int(status)):
        assert outcome == CODES[status]
    elif is_accepted(DEEP_LIQUIDATION, int(status)):
        assert outcome == ALLOWED
    else:
        assert outcome == MOVED.get(name, ALLOWED)
