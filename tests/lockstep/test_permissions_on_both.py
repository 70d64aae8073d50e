"""Who may call what, paused and not, on both twins: each function of the contracts against each role (S8, S9)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts_py.bindings import function_name
from contracts_py.compile import Artifact
from contracts_py.deploy import merge_abi
from contracts_py.errors import Reverted
from contracts_py.keys import address_of
from oracle.feeds import Push, SetFeed, SetRateFeed
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
from protocol.params import OrderParams
from protocol.trading import NO_LIMIT
from protocol.units import W
from tests.contracts_py.test_architecture import example_call, self_only_functions
from tests.lockstep.both import BORROWER, DOLLAR, LIQUIDATOR, MARKET, STRANGER, TRADER, buy
from tests.twins import BTC, ETH, RISK, USDC, WETH, Twins, weth_params

ROLES = {  # who plays the role in the story below
    "owner": "borrower",
    "operator": "trader",
    "admin": "admin",
    "pending admin": "treasury",
    "guardian": "guardian",
    "poster": "poster",
    "provider": "lender",
    "anyone": "stranger",
}
EVERYONE = frozenset(ROLES)
OWNER, TRADERS, ADMIN = frozenset({"owner"}), frozenset({"owner", "operator"}), frozenset({"admin"})

SLOWLY = OrderParams(feed=ETH, delay=10, window=600, fee=2 * W, cancel_fee=W)

# Function -> an action that succeeds for those who may, and who they are. ``BORROWER`` is the owner's account with
# one BTC, ``BORROWER + 1`` another of his, ``LIQUIDATOR`` an account that is due, ``STRANGER`` one in the call zone.
ACTIONS: dict[str, tuple[Any, frozenset[str]]] = {
    "deposit": (Deposit(BORROWER, USDC, DOLLAR), EVERYONE),
    "withdraw": (Withdraw(BORROWER, USDC, 1), OWNER),
    "transfer": (Transfer(BORROWER, BORROWER + 1, USDC, 1), OWNER),
    "create_isolated": (CreateIsolated(BORROWER + 2, BTC), OWNER),
    "set_operator": (SetOperator(BORROWER, 5), OWNER),
    "trade": (Trade(BORROWER, BTC, W // 4, NO_LIMIT), TRADERS),
    "close_all": (CloseAll(BORROWER, 0), TRADERS),
    "set_leverage_cap": (SetLeverageCap(BORROWER, BTC, 9 * W), OWNER),
    "commit_order": (CommitOrder(BORROWER, ETH, 10 * W, NO_LIMIT), TRADERS),
    "settle_order": (SettleOrder(BORROWER + 1, ETH, 2), EVERYONE),
    "cancel_order": (CancelOrder(BORROWER + 3, ETH), EVERYONE),
    "margin_call": (MarginCall(STRANGER + 1), EVERYONE),
    "flag_account": (FlagAccount(LIQUIDATOR), EVERYONE),
    "liquidate": (Liquidate(LIQUIDATOR), EVERYONE),
    "liquidate_many": (LiquidateMany((LIQUIDATOR,)), EVERYONE),
    "deposit_to_pool": (DepositToPool(DOLLAR), EVERYONE),
    "request_redemption": (RequestRedemption(1), frozenset({"provider"})),
    "claim_redemption": (ClaimRedemption(), frozenset({"provider"})),
    "buy_inventory": (BuyInventory(WETH, 1, DOLLAR), EVERYONE),
    "fund_insurance": (FundInsurance(1), EVERYONE),
    "set_risk": (SetRisk(RISK), ADMIN),
    "set_market": (SetMarket(BTC, replace(MARKET, maker_fee=0)), ADMIN),
    "set_orders": (SetOrders(BTC, SLOWLY), ADMIN),
    "set_collateral": (SetCollateral(WETH, weth_params()), ADMIN),
    "pause_opening": (PauseOpening(True), frozenset({"admin", "guardian"})),
    "propose_admin": (ProposeAdmin(5), ADMIN),
    "accept_admin": (AcceptAdmin(), frozenset({"pending admin"})),
    "set_guardian": (SetGuardian(5), ADMIN),
    "set_feed": (SetFeed(BTC, 8, 7_201), ADMIN),
    "set_rate_feed": (SetRateFeed(4, 2, 1), ADMIN),
    "push": (Push((BTC, ETH), (7_800 * 10**8, 200 * 10**8)), frozenset({"poster"})),
}
VIEWS = {
    "health",
    "account_state",
    "withdrawable",
    "max_size",
    "liquidation_price",
    "bankruptcy_price",
    "solvency",
    "list_accounts",
    "health_batch",
    "account_info",
    "positions_of",
    "collateral_of",
    "order_of",
    "preview_trade",
    "preview_settle_order",
    "quote_liquidation",
    "read",
    "read_first_round",
    "round_data",
    "latest_round",
    "feed_decimals",
    "feed_node",
}
# While opening is paused these are refused, and only these.
PAUSED = {"trade": "market/opening-paused", "commit_order": "market/opening-paused"}


def tell(twins: Twins) -> None:
    """Everybody's accounts, so that each action above is due; BTC falls from 8,000 to 7,800."""
    twins.deposit("borrower", usd=5_000)
    twins.deposit("borrower", usd=1, sub=1)
    twins.do("borrower", SetOperator(BORROWER, address_of(ROLES["operator"])))
    twins.do("borrower", buy(W))
    # A bankrupt account leaves WETH to the pool.
    twins.deposit("trader", weth=5)
    twins.do("trader", buy(W, TRADER))
    twins.price(BTC=1_000)
    twins.do("stranger", Liquidate(TRADER))
    twins.price(BTC=8_000)
    twins.deposit("liquidator", usd=4_150)
    twins.do("liquidator", buy(10 * W, LIQUIDATOR))
    twins.deposit("stranger", usd=4_450, sub=1)
    twins.do("stranger", buy(10 * W, STRANGER + 1))
    twins.do("admin", ProposeAdmin(address_of(ROLES["pending admin"])))
    twins.do("lender", RequestRedemption(W))
    twins.do("admin", SetOrders(ETH, SLOWLY))
    for account in (BORROWER + 1, BORROWER + 3):
        twins.deposit("borrower", usd=500, sub=account - BORROWER)
        window = 600 if account == BORROWER + 3 else RISK.redemption_delay
        twins.do("admin", SetOrders(ETH, replace(SLOWLY, window=window)))
        twins.do("borrower", CommitOrder(account, ETH, 10 * W, NO_LIMIT))
    twins.price(BTC=7_780, ETH=200, after=RISK.redemption_delay)


@pytest.mark.parametrize("name", ACTIONS)
def test_every_role_may_what_the_table_says_on_both(twins: Twins, name: str) -> None:
    """S8, S11, S3: allowed roles succeed, all others are refused, alike on both."""
    tell(twins)
    action, allowed = ACTIONS[name]
    start = twins.save()
    for role, sender in ROLES.items():
        twins.restore(start)
        code = twins.attempt(sender, action)
        assert (code == "ok") == (role in allowed), f"{role}: {code}"
        if role not in allowed:
            area = {"request_redemption": "pool/", "claim_redemption": "pool/"}.get(name, ("role/", "account/"))
            assert code.startswith(area), f"{role}: {code}"
        if name in {"set_guardian", "push", "withdraw"}:
            twins.check_states()


@pytest.mark.parametrize("name", ACTIONS)
def test_the_pause_stops_what_the_table_says_on_both(twins: Twins, name: str) -> None:
    """S9, GOV-4: opening alone; collateral, reductions, liquidations, the pool and governance go on."""
    tell(twins)
    twins.do("guardian", PauseOpening(True))
    action, allowed = ACTIONS[name]
    for role in sorted(allowed)[:1]:
        assert twins.attempt(ROLES[role], action) == PAUSED.get(name, "ok")


def test_the_tables_name_every_function_of_the_contracts(artifacts: dict[str, Artifact]) -> None:
    """S8: a function that no table names fails here."""
    entries = [*merge_abi(artifacts), *artifacts["FeedHub"].abi]
    functions = {entry["name"] for entry in entries if entry["type"] == "function"}
    # A feed can be a node only where there is a graph: test_node_feeds_on_both has who may make it one.
    assert functions == set(ACTIONS) | {"set_node_feed"} | VIEWS | self_only_functions()
    assert {function_name(type(action)) for action, _ in ACTIONS.values()} == set(ACTIONS)


def test_views_answer_everybody_and_the_protocols_own_functions_nobody(twins: Twins) -> None:
    """S8, S5: views and previews need no role; what the protocol calls on itself refuses each of them."""
    tell(twins)
    node, deployment = twins.chain.contracts.node, twins.chain.deployment
    entries = {
        entry["name"]: (address, entry)
        for address, abi in (
            (deployment.protocol, merge_abi(twins.chain._artifacts)),
            (deployment.hub, twins.chain._artifacts["FeedHub"].abi),
        )
        for entry in abi
        if entry["type"] == "function"
    }
    for sender in ROLES.values():
        for name in VIEWS:
            address, entry = entries[name]
            assert node.call(address, example_call(entry), address_of(sender))
        for name in self_only_functions():
            address, entry = entries[name]
            with pytest.raises(Reverted) as reverted:
                node.call(address, example_call(entry), address_of(sender))
            assert reverted.value.reason == "sys/self-only", name
