"""Tokens that misbehave are refused or harmless: B4, B28, S12, C2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from eth_abi import decode
from eth_utils import keccak

from contracts_py.bindings import call_data
from contracts_py.compile import Artifact, compile_all
from contracts_py.deploy import TokenPlan, merge_abi
from contracts_py.keys import address_of, private_key, to_hex
from crossmargin.replay.chain import ChainEngine
from oracle.errors import REFUSALS
from protocol.actions import (
    BuyInventory,
    ClaimRedemption,
    Deposit,
    DepositToPool,
    FundInsurance,
    Liquidate,
    RequestRedemption,
    Trade,
    Transfer,
    Withdraw,
)
from protocol.errors import InvariantBroken
from protocol.state import account_id
from protocol.trading import NO_LIMIT
from protocol.units import W
from tests.contracts_py.test_architecture import example_call, self_only_functions
from tests.twins import ETH, RISK, USDC, WETH, Twins

SOURCES = Path(__file__).parent / "vyper"


def twins_with(token: str, artifacts: dict[str, Artifact]) -> Twins:
    """Twins whose tokens are all the named mock."""
    compiled = compile_all({f"{token}.vy": (SOURCES / f"{token}.vy").read_text()}, (token,))
    twins = Twins({**artifacts, "mocks/Token": compiled[token]})
    twins.configure()
    return twins


@pytest.fixture
def hostile(artifacts: dict[str, Artifact]) -> Twins:
    """Twins over tokens that misbehave on command."""
    return twins_with("HostileToken", artifacts)


def command(twins: Twins, token: int, signature: str, *values: Any) -> None:
    """Tell a hostile token what to do."""
    data = call_data(signature, *values)
    receipt = twins.chain.contracts.node.send(private_key("stranger"), twins.chain.deployment.tokens[token], data)
    assert receipt.succeeded


def refused_on_chain(twins: Twins, sender: str, action: Any) -> str:
    """The code with which the contracts refuse an action that the model, knowing no tokens, allows."""
    twins.now = twins.chain.contracts.node.now + 1
    with pytest.raises(tuple(REFUSALS.values())) as refusal:
        twins.chain.execute(twins.now, sender, action)
    twins.check_states()
    return str(refusal.value.code)


# The fee it keeps, whether it fails, whether it answers false; and the code.
MISBEHAVIOURS = [
    (1, False, False, "token/amount-mismatch"),
    (0, True, False, "token/transfer-failed"),
    (0, False, True, "token/transfer-failed"),
]


@pytest.mark.parametrize(("fee", "fails", "answers_false", "code"), MISBEHAVIOURS)
@pytest.mark.parametrize("token", [USDC, WETH])
def test_a_deposit_of_a_misbehaving_token_is_refused_and_changes_nothing(
    hostile: Twins, token: int, fee: int, fails: bool, answers_false: bool, code: str
) -> None:
    account = hostile.deposit("borrower", usd=100, weth=1)
    command(hostile, token, "misbehave(uint256,bool,bool)", fee, fails, answers_false)
    assert refused_on_chain(hostile, "borrower", Deposit(account, token, 1_000)) == code
    assert refused_on_chain(hostile, "borrower", FundInsurance(1_000)) == code if token == USDC else True


@pytest.mark.parametrize("token", [USDC, WETH])
def test_a_deposit_that_brings_more_than_was_asked_is_refused_and_changes_nothing(hostile: Twins, token: int) -> None:
    account = hostile.deposit("borrower", usd=100, weth=1)
    deployment = hostile.chain.deployment
    gift = call_data("mint(address,uint256)", to_hex(deployment.protocol), 1)
    command(hostile, token, "call_back(address,bytes)", to_hex(deployment.tokens[token]), gift)
    assert refused_on_chain(hostile, "borrower", Deposit(account, token, 1_000)) == "token/amount-mismatch"


@pytest.mark.parametrize(("fails", "answers_false"), [(True, False), (False, True)])
def test_a_withdrawal_of_a_failing_token_is_refused_and_changes_nothing(
    hostile: Twins, fails: bool, answers_false: bool
) -> None:
    account = hostile.deposit("borrower", usd=100, weth=1)
    command(hostile, WETH, "misbehave(uint256,bool,bool)", 0, fails, answers_false)
    assert refused_on_chain(hostile, "borrower", Withdraw(account, WETH, 5)) == "token/transfer-failed"
    hostile.now = hostile.chain.contracts.node.now
    hostile.do("borrower", Withdraw(account, USDC, 5))


@pytest.mark.parametrize(("fee", "fails", "answers_false", "code"), MISBEHAVIOURS)
def test_a_deposit_to_the_pool_of_a_misbehaving_token_is_refused(
    hostile: Twins, fee: int, fails: bool, answers_false: bool, code: str
) -> None:
    command(hostile, USDC, "misbehave(uint256,bool,bool)", fee, fails, answers_false)
    assert refused_on_chain(hostile, "lender", DepositToPool(1_000)) == code


@pytest.mark.parametrize(("fails", "answers_false"), [(True, False), (False, True)])
def test_a_redemption_in_a_failing_token_is_refused_and_can_be_claimed_later(
    hostile: Twins, fails: bool, answers_false: bool
) -> None:
    hostile.fund()
    hostile.do("lender", RequestRedemption(1_000 * W))
    hostile.now += RISK.redemption_delay
    hostile.price(BTC=8_000, ETH=200)
    command(hostile, USDC, "misbehave(uint256,bool,bool)", 0, fails, answers_false)
    assert refused_on_chain(hostile, "lender", ClaimRedemption()) == "token/transfer-failed"
    command(hostile, USDC, "misbehave(uint256,bool,bool)", 0, False, False)
    hostile.now = hostile.chain.contracts.node.now
    hostile.do("lender", ClaimRedemption())
    hostile.check_states()


@pytest.mark.parametrize(("fee", "fails", "answers_false", "code"), MISBEHAVIOURS)
def test_inventory_is_not_sold_for_a_misbehaving_token(
    hostile: Twins, fee: int, fails: bool, answers_false: bool, code: str
) -> None:
    fill_inventory(hostile)
    command(hostile, USDC, "misbehave(uint256,bool,bool)", fee, fails, answers_false)
    assert refused_on_chain(hostile, "stranger", BuyInventory(WETH, 10**18, 10**9)) == code


@pytest.mark.parametrize(("fails", "answers_false"), [(True, False), (False, True)])
def test_inventory_that_cannot_be_delivered_is_not_sold(hostile: Twins, fails: bool, answers_false: bool) -> None:
    fill_inventory(hostile)
    command(hostile, WETH, "misbehave(uint256,bool,bool)", 0, fails, answers_false)
    assert refused_on_chain(hostile, "stranger", BuyInventory(WETH, 10**18, 10**9)) == "token/transfer-failed"
    command(hostile, WETH, "misbehave(uint256,bool,bool)", 0, False, False)
    hostile.now = hostile.chain.contracts.node.now
    hostile.do("stranger", BuyInventory(WETH, 10**18, 10**9))
    hostile.check_states()


def fill_inventory(twins: Twins) -> None:
    """Let the pool take over the collateral of a bankrupt account."""
    twins.fund()
    account = twins.deposit("borrower", weth=10)
    twins.do("borrower", Trade(account, ETH, 100 * W, NO_LIMIT))
    twins.price(ETH=170)
    twins.do("liquidator", Liquidate(account))
    assert twins.world.protocol.tokens[WETH].inventory > 10**18


def test_a_transfer_between_accounts_asks_no_token(hostile: Twins) -> None:
    account = hostile.deposit("borrower", usd=100, weth=1)
    for token in (USDC, WETH):
        command(hostile, token, "misbehave(uint256,bool,bool)", 1, True, True)
    hostile.now = hostile.chain.contracts.node.now
    hostile.do("borrower", Transfer(account, account + 1, USDC, 1_000))
    hostile.do("borrower", Transfer(account, account + 1, WETH, 1_000))
    hostile.check_states()


def test_a_token_that_fails_without_data_is_no_token_that_answers_nothing(hostile: Twins) -> None:
    account = hostile.deposit("borrower", usd=100, weth=1)
    command(hostile, WETH, "fail_without_data(bool)", True)
    for action in (Deposit(account, WETH, 5), Withdraw(account, WETH, 5)):
        assert refused_on_chain(hostile, "borrower", action) == "token/transfer-failed"


def test_a_token_that_answers_nothing_works(artifacts: dict[str, Artifact]) -> None:
    twins = twins_with("SilentToken", artifacts)
    account = twins.deposit("borrower", usd=100, weth=1)
    twins.do("borrower", Withdraw(account, WETH, 10**18))
    twins.check_states()


def test_a_token_callback_can_neither_act_nor_read(hostile: Twins) -> None:
    node, protocol = hostile.chain.contracts.node, hostile.chain.deployment.protocol
    account = hostile.deposit("borrower", usd=100)
    tried = 0
    for entry in merge_abi(hostile.chain._artifacts):
        if entry["type"] != "function" or entry["name"] in self_only_functions():
            continue
        command(hostile, WETH, "call_back(address,bytes)", to_hex(protocol), example_call(entry))
        hostile.now = node.now
        hostile.do("borrower", Deposit(account, WETH, 1))
        answer = node.call(hostile.chain.deployment.tokens[WETH], keccak(text="callback_response()")[:4])
        (response,) = decode(["bytes"], answer)
        # The lock fails without data, which the router names.
        assert decode(["string"], response[4:])[0] == "sys/panic", entry["name"]
        tried += 1
    assert tried > 10


def test_outside_a_callback_the_same_reads_succeed(hostile: Twins) -> None:
    node, protocol = hostile.chain.contracts.node, hostile.chain.deployment.protocol
    for entry in merge_abi(hostile.chain._artifacts):
        if entry["type"] == "function" and entry["stateMutability"] == "view":
            if entry["name"] in self_only_functions():
                continue
            assert node.call(protocol, example_call(entry))


def donate(twins: Twins, token: int, units: int) -> None:
    """Transfer tokens to the protocol without telling it."""
    command(twins, token, "transfer(address,uint256)", to_hex(twins.chain.deployment.protocol), units)
    twins.now = twins.chain.contracts.node.now


def test_a_token_of_a_long_name_can_be_deployed(artifacts: dict[str, Artifact]) -> None:
    plans = [TokenPlan("USDC", 6), TokenPlan("A" * 32, 18)]
    chain = ChainEngine("eth-tester", 1_600_000_000, plans, [], [], artifacts)
    assert len(chain.deployment.tokens) == 2


def test_a_donation_changes_no_ledger(twins: Twins) -> None:
    account = twins.deposit("borrower", usd=100, weth=1)
    before = twins.world
    for token in (USDC, WETH):
        donate(twins, token, 10**20)
    assert twins.chain.read() == before
    assert account_id(address_of("borrower")) == account


@pytest.mark.parametrize("token", [USDC, WETH])
def test_the_audit_sees_a_unit_in_the_vault_that_is_not_recorded(twins: Twins, token: int) -> None:
    account = twins.deposit("borrower", usd=100, weth=1)
    donate(twins, token, 1)
    with pytest.raises(InvariantBroken, match=f"^C2: token {token}: "):
        twins.do("borrower", Deposit(account, token, 1))
