"""What an owner decides about an account: isolation and operator."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.actions import (
    CloseAll,
    CreateIsolated,
    Deposit,
    Liquidate,
    SetLeverageCap,
    SetOperator,
    Trade,
    Transfer,
    Withdraw,
)
from protocol.env import Env
from protocol.events import AccountIsolated, AccountUpdated, OperatorSet
from protocol.state import State, account_id
from protocol.units import W
from tests.protocol.build import (
    ACCOUNT,
    ANY_PRICE,
    BORROWER,
    BTC,
    BTC_PRICE,
    ETH,
    KEEPER,
    LIQUIDATOR,
    NOW,
    STRANGER,
    TRADER,
    WETH,
    check_order_of,
    env,
    holding,
    opened,
    outcome_of,
    refused,
    run,
    state_with,
)

NO_PRICES = Env(NOW, BORROWER, ())
POOL = 10**6 * W


# --- isolated accounts: ACC-1 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("sub", [0, 1, 2**96 - 1])
@pytest.mark.parametrize("market", [BTC, ETH])
def test_an_isolated_account_begins_empty_with_its_market(sub: int, market: int) -> None:
    """ACC-1: two events, the last account of the list, nothing else; no price is needed."""
    state = state_with({KEEPER: holding(W)})
    outcome = run(state, NO_PRICES, CreateIsolated(ACCOUNT + sub, market))
    assert outcome.events == (AccountUpdated(ACCOUNT + sub, 0), AccountIsolated(ACCOUNT + sub, market))
    assert outcome.state.accounts[ACCOUNT + sub] == holding(0, isolated=market + 1)
    assert list(outcome.state.accounts) == [KEEPER, ACCOUNT + sub]


@pytest.mark.parametrize(
    "existing",
    [holding(0), holding(5), holding(0, {WETH: 1}), holding(0, isolated=1), holding(0, isolated=2)],
    ids=["empty", "cash", "collateral", "isolated", "isolated elsewhere"],
)
def test_an_account_is_isolated_from_its_beginning_or_never(existing: Any) -> None:
    """ACC-1, M10: not after anybody's deposit, and an isolated one keeps its market."""
    assert refused(state_with({ACCOUNT: existing}), env(), CreateIsolated(ACCOUNT, BTC)) == "account/exists"


def test_a_deposit_first_makes_it_a_cross_account_and_another_id_is_free() -> None:
    """ACC-1, B46: a stranger who pays in can cost an owner one id of 2^96, no more."""
    state = run(state_with(), env(STRANGER), Deposit(ACCOUNT, 0, 1)).state
    assert refused(state, env(), CreateIsolated(ACCOUNT, BTC)) == "account/exists"
    run(state, env(), CreateIsolated(ACCOUNT + 1, BTC))


def attempt_isolated(sender: int = BORROWER, account: int = ACCOUNT + 1, market: int = BTC) -> str:
    """An isolated account beside an existing one."""
    return outcome_of(state_with({ACCOUNT: holding(0)}), env(sender), CreateIsolated(account, market))


def test_isolation_is_checked_in_order() -> None:
    """ACC-1: the owner, the account, the market."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("account/not-owner", {"sender": STRANGER}),
        ("account/exists", {"account": ACCOUNT}),
        ("market/unknown", {"market": 2}),
    ]
    check_order_of(faults, attempt_isolated)


def isolated(cash: int = 10**3 * W, market: int = BTC, **more: Any) -> State:
    """An isolated account with cash, and a rich cross account of the same owner."""
    accounts = {
        ACCOUNT: holding(10**6 * W, {WETH: 10**18}),
        ACCOUNT + 1: holding(cash, isolated=market + 1, **more),
    }
    return state_with(accounts, pool=POOL, insurance=W)


def test_an_isolated_account_takes_only_usdc() -> None:
    """ACC-1, DEP-2, TRF-2, M10: from whomever, by deposit or transfer."""
    state = isolated()
    for sender in (BORROWER, STRANGER):
        assert refused(state, env(sender), Deposit(ACCOUNT + 1, WETH, 1)) == "account/isolated"
        run(state, env(sender), Deposit(ACCOUNT + 1, 0, 1))
    assert refused(state, env(), Transfer(ACCOUNT, ACCOUNT + 1, WETH, 1)) == "account/isolated"
    run(state, env(), Transfer(ACCOUNT, ACCOUNT + 1, 0, 1))
    run(state, env(), Transfer(ACCOUNT + 1, ACCOUNT, 0, 1))
    run(state, env(), Withdraw(ACCOUNT + 1, 0, 1))


@pytest.mark.parametrize(("market", "other"), [(BTC, ETH), (ETH, BTC)])
def test_an_isolated_account_trades_only_its_market(market: int, other: int) -> None:
    """ACC-1, TRD-2, M10: market 0 is a market like any other, not the mark of a cross account."""
    state = isolated(market=market)
    size = {BTC: W, ETH: 10 * W}
    assert refused(state, env(), Trade(ACCOUNT + 1, other, size[other], ANY_PRICE)) == "account/isolated"
    run(state, env(), Trade(ACCOUNT + 1, market, size[market], ANY_PRICE))
    for either in (BTC, ETH):
        run(state, env(), Trade(ACCOUNT, either, size[either], ANY_PRICE))


def test_the_loss_of_an_isolated_account_stays_in_it() -> None:
    """ACC-1, M9, M10: bankrupt, it is liquidated to zero, and the owner's other account keeps every wei."""
    state = isolated(500 * W, positions={BTC: opened(W, BTC_PRICE)})
    crash = env(LIQUIDATOR, btc=7_000 * W)
    outcome = run(state, crash, Liquidate(ACCOUNT + 1))
    assert outcome.state.accounts[ACCOUNT + 1] == holding(0, isolated=BTC + 1)
    assert outcome.state.accounts[ACCOUNT] == state.accounts[ACCOUNT]
    assert refused(outcome.state, crash, Liquidate(ACCOUNT)) == "liq/not-liquidatable"


# --- operators: ACC-2 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [0, TRADER, STRANGER])
@pytest.mark.parametrize("operator", [0, TRADER, BORROWER, 2**160 - 1])
def test_an_owner_names_an_operator_and_replaces_it(before: int, operator: int) -> None:
    """ACC-2: any address, one at a time, 0 for nobody; nothing else of the account changes, and no price is needed."""
    account = holding(-5, {WETH: 7}, {BTC: opened(W, BTC_PRICE)}, operator=before, flagged_at=9, margin_called_at=8)
    state = state_with({ACCOUNT: account}, pool=POOL)
    outcome = run(state, NO_PRICES, SetOperator(ACCOUNT, operator))
    assert outcome.events == (OperatorSet(ACCOUNT, operator),)
    expected = holding(-5, {WETH: 7}, {BTC: opened(W, BTC_PRICE)}, operator=operator, flagged_at=9, margin_called_at=8)
    assert outcome.state.accounts[ACCOUNT] == expected


@pytest.mark.parametrize(
    ("sender", "account", "code"),
    [
        (BORROWER, ACCOUNT, "ok"),
        (TRADER, ACCOUNT, "account/not-owner"),
        (STRANGER, ACCOUNT, "account/not-owner"),
        (BORROWER, ACCOUNT + 1, "account/unknown"),
        (STRANGER, ACCOUNT + 1, "account/unknown"),
    ],
)
def test_only_the_owner_names_the_operator(sender: int, account: int, code: str) -> None:
    """ACC-2, S8: not the operator itself; an account that is not registered is unknown first."""
    state = state_with({ACCOUNT: holding(W, operator=TRADER)})
    assert outcome_of(state, env(sender), SetOperator(account, STRANGER)) == code


def test_an_operator_trades_and_can_take_nothing_out() -> None:
    """ACC-2, TRD-1, TRD-13, S8: all else of the owner is refused, and it is operator of one account alone."""
    accounts = {
        ACCOUNT: holding(10**4 * W, {WETH: 10**18}, {BTC: opened(W, BTC_PRICE)}, operator=TRADER),
        ACCOUNT + 1: holding(10**4 * W),
    }
    state, by_operator = state_with(accounts, pool=POOL), env(TRADER)
    run(state, by_operator, Trade(ACCOUNT, BTC, W, ANY_PRICE))
    run(state, by_operator, CloseAll(ACCOUNT, 0))
    for action in (
        Withdraw(ACCOUNT, 0, 1),
        Withdraw(ACCOUNT, WETH, 1),
        Transfer(ACCOUNT, ACCOUNT + 1, 0, 1),
        Transfer(ACCOUNT, account_id(TRADER), 0, 1),
        SetLeverageCap(ACCOUNT, BTC, W),
        SetOperator(ACCOUNT, 0),
        CreateIsolated(ACCOUNT + 2, BTC),
    ):
        assert refused(state, by_operator, action) == "account/not-owner"
    assert refused(state, by_operator, Trade(ACCOUNT + 1, BTC, W, ANY_PRICE)) == "account/not-trader"
    assert refused(state, env(STRANGER), Trade(ACCOUNT, BTC, W, ANY_PRICE)) == "account/not-trader"
    dismissed = run(state, env(), SetOperator(ACCOUNT, 0)).state
    assert refused(dismissed, by_operator, Trade(ACCOUNT, BTC, W, ANY_PRICE)) == "account/not-trader"
    assert refused(dismissed, by_operator, CloseAll(ACCOUNT, 0)) == "account/not-trader"
