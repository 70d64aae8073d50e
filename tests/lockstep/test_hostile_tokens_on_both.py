"""Tokens that turn hostile: whatever they do to an action that moves them, the state stays; what does not, goes on."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi import decode
from eth_utils import keccak

from contracts_py.compile import Artifact
from contracts_py.keys import to_hex
from protocol.actions import (
    BuyInventory,
    ClaimRedemption,
    CloseAll,
    Deposit,
    DepositToPool,
    FlagAccount,
    FundInsurance,
    Liquidate,
    LiquidateMany,
    RequestRedemption,
    Transfer,
    Withdraw,
)
from protocol.units import W
from tests.contracts_py.test_tokens import command, refused_on_chain, twins_with
from tests.lockstep.both import BORROWER, DOLLAR, STRANGER, TRADER, buy, check
from tests.twins import RISK, USDC, WETH, Twins

FAULTS = {"fails": (0, True, False), "answers false": (0, False, True)}


@pytest.fixture
def hostile(artifacts: dict[str, Artifact]) -> Twins:
    """Twins over tokens that misbehave on command: a claim that is due, inventory, an account, one to liquidate."""
    twins = twins_with("HostileToken", artifacts)
    twins.fund()
    twins.deposit("stranger", weth=4)
    twins.do("stranger", buy(W // 8, STRANGER))
    twins.price(BTC=1_000)
    twins.do("liquidator", Liquidate(STRANGER))
    twins.price(BTC=8_000)
    twins.deposit("borrower", usd=1_000, weth=1)
    twins.deposit("trader", usd=420)
    twins.do("trader", buy(W, TRADER))
    twins.do("lender", RequestRedemption(1_000 * W))
    twins.price(BTC=7_770, ETH=200, after=RISK.redemption_delay)
    return twins


def moves(token: int) -> tuple[tuple[str, Any], ...]:
    """Actions that move a token."""
    if token == WETH:
        return (
            ("borrower", Deposit(BORROWER, WETH, 5)),
            ("borrower", Withdraw(BORROWER, WETH, 5)),
            ("stranger", BuyInventory(WETH, 10**18, 200 * DOLLAR)),
        )
    return (
        ("borrower", Deposit(BORROWER, USDC, 5)),
        ("borrower", Withdraw(BORROWER, USDC, 5)),
        ("lender", DepositToPool(DOLLAR)),
        ("lender", ClaimRedemption()),
        ("treasury", FundInsurance(5)),
        ("stranger", BuyInventory(WETH, 10**18, 200 * DOLLAR)),
    )


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("token", [USDC, WETH])
def test_a_token_that_fails_is_refused_and_changes_nothing(hostile: Twins, token: int, fault: str) -> None:
    """DEP-3, WDR-5, LPR-5, INV-3, B28, S1: in and out, refused with one code; once it works again, all succeed."""
    command(hostile, token, "misbehave(uint256,bool,bool)", *FAULTS[fault])
    for sender, action in moves(token):
        assert refused_on_chain(hostile, sender, action) == "token/transfer-failed", action
    command(hostile, token, "misbehave(uint256,bool,bool)", 0, False, False)
    command(hostile, token, "fail_without_data(bool)", True)
    for sender, action in moves(token):
        assert refused_on_chain(hostile, sender, action) == "token/transfer-failed", action
    command(hostile, token, "fail_without_data(bool)", False)
    hostile.now = hostile.chain.contracts.node.now
    for sender, action in moves(token):
        hostile.do(sender, action)
    check(hostile)


@pytest.mark.parametrize("token", [USDC, WETH])
def test_a_token_that_keeps_a_unit_is_refused_where_the_vault_receives_it(hostile: Twins, token: int) -> None:
    """DEP-3, LPD-4, INS-1, INV-3, B28, C2: every way in compares what arrived; on the way out the receiver bears it."""
    command(hostile, token, "misbehave(uint256,bool,bool)", 1, False, False)
    for sender, action in moves(token):
        takes_in = token == USDC and isinstance(action, BuyInventory)
        if isinstance(action, Deposit | DepositToPool | FundInsurance) or takes_in:
            assert refused_on_chain(hostile, sender, action) == "token/amount-mismatch", action
        else:
            hostile.now = hostile.chain.contracts.node.now
            hostile.do(sender, action)
    check(hostile)


def test_nothing_that_moves_no_token_is_stopped_by_one(hostile: Twins) -> None:
    """LIQ-1, L8, B4, B29, S12: liquidations, flags, transfers and trades while every token fails."""
    for token in (USDC, WETH):
        command(hostile, token, "misbehave(uint256,bool,bool)", 0, True, False)
    hostile.now = hostile.chain.contracts.node.now
    hostile.do("borrower", Transfer(BORROWER, BORROWER + 1, WETH, 10**17))
    hostile.do("borrower", buy(W // 4))
    hostile.do("borrower", CloseAll(BORROWER, 0))
    hostile.do("stranger", FlagAccount(TRADER))
    hostile.do("liquidator", LiquidateMany((TRADER, BORROWER)))
    hostile.price(BTC=7_000)
    hostile.do("liquidator", Liquidate(TRADER))
    check(hostile)


@pytest.mark.parametrize("token", [USDC, WETH])
def test_a_callback_in_any_movement_can_neither_act_nor_read(hostile: Twins, token: int) -> None:
    """S12, B28: during withdrawals, claims and sales of inventory as much as during deposits."""
    contracts = hostile.chain.contracts
    for name, arguments in (
        ("withdraw", (BORROWER, USDC, 1)),
        ("claim_redemption", ()),
        ("buy_inventory", (WETH, 1, DOLLAR)),
        ("liquidate", (TRADER,)),
        ("health", (BORROWER,)),
        ("solvency", ()),
    ):
        target, payload = contracts.encode_call(name, *arguments)
        start = hostile.save()
        for sender, action in moves(token):
            command(hostile, token, "call_back(address,bytes)", to_hex(target), payload)
            hostile.now = contracts.node.now
            hostile.do(sender, action)
            answer = contracts.node.call(hostile.chain.deployment.tokens[token], keccak(text="callback_response()")[:4])
            (response,) = decode(["bytes"], answer)
            # The lock fails without data, which the router names.
            assert decode(["string"], response[4:])[0] == "sys/panic", (name, action)
        hostile.restore(start)
