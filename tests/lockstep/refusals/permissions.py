"""Stories of refusals for who asks, and on whose account."""

from __future__ import annotations

from contracts_py.keys import address_of
from oracle.feeds import Push, SetFeed, SetRateFeed
from protocol.actions import (
    AcceptAdmin,
    CloseAll,
    CreateIsolated,
    Deposit,
    FlagAccount,
    Liquidate,
    MarginCall,
    PauseOpening,
    ProposeAdmin,
    SetCollateral,
    SetGuardian,
    SetLeverageCap,
    SetMarket,
    SetOperator,
    SetRisk,
    Transfer,
    Withdraw,
)
from protocol.params import MAX_POSITIONS
from protocol.units import W
from tests.lockstep.both import BORROWER, MARKET, TRADER, buy
from tests.lockstep.refusals.telling import Attempts, long_of_one, story
from tests.twins import BTC, ETH, RISK, USDC, WETH, Twins, weth_params


@story("role/not-admin")
def _(twins: Twins) -> Attempts:
    yield "stranger", SetRisk(RISK)
    yield "guardian", SetMarket(BTC, MARKET)
    yield "poster", SetCollateral(WETH, weth_params())
    yield "stranger", ProposeAdmin(1)
    yield "guardian", SetGuardian(1)
    yield "poster", SetFeed(0, 8, 7_200)
    yield "stranger", SetRateFeed(4, 2, 1)
    twins.do("admin", ProposeAdmin(address_of("stranger")))
    yield "stranger", SetRisk(RISK)
    twins.do("stranger", AcceptAdmin())
    yield "admin", SetRisk(RISK)


@story("role/not-pending")
def _(twins: Twins) -> Attempts:
    yield "admin", AcceptAdmin()
    twins.do("admin", ProposeAdmin(address_of("stranger")))
    yield "guardian", AcceptAdmin()
    twins.do("stranger", AcceptAdmin())
    yield "stranger", AcceptAdmin()


@story("role/not-guardian")
def _(twins: Twins) -> Attempts:
    yield "stranger", PauseOpening(paused=True)
    yield "guardian", PauseOpening(paused=False)
    twins.do("admin", SetGuardian(address_of("stranger")))
    yield "guardian", PauseOpening(paused=True)


@story("role/not-poster")
def _(twins: Twins) -> Attempts:
    yield "admin", Push((BTC,), (1,))


@story("account/not-owner")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100)
    twins.do("borrower", SetOperator(BORROWER, address_of("trader")))
    yield "trader", Withdraw(BORROWER, USDC, 1)
    yield "trader", Transfer(BORROWER, TRADER, USDC, 1)
    yield "trader", SetOperator(BORROWER, 0)
    yield "trader", SetLeverageCap(BORROWER, BTC, W)
    yield "trader", CreateIsolated(BORROWER + 1, BTC)


@story("account/not-trader")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    yield "trader", buy(W)
    yield "trader", CloseAll(BORROWER, 0)
    twins.do("borrower", SetOperator(BORROWER, address_of("trader")))
    twins.do("trader", buy(-W // 4))
    twins.do("borrower", SetOperator(BORROWER, 0))
    yield "trader", buy(-W // 4)


@story("account/other-owner")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100)
    yield "borrower", Transfer(BORROWER, TRADER, USDC, 1)


@story("account/self-transfer")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100)
    yield "borrower", Transfer(BORROWER, BORROWER, USDC, 1)


@story("account/exists")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100)
    yield "borrower", CreateIsolated(BORROWER, BTC)
    twins.do("borrower", CreateIsolated(BORROWER + 1, BTC))
    yield "borrower", CreateIsolated(BORROWER + 1, ETH)


@story("account/isolated")
def _(twins: Twins) -> Attempts:
    twins.do("borrower", CreateIsolated(BORROWER + 1, ETH))
    twins.deposit("borrower", usd=1_000, sub=1)
    twins.deposit("borrower", weth=1)
    yield "stranger", Deposit(BORROWER + 1, WETH, 1)
    yield "borrower", Transfer(BORROWER, BORROWER + 1, WETH, 1)
    yield "borrower", buy(W, BORROWER + 1, BTC)
    twins.do("borrower", buy(10 * W, BORROWER + 1, ETH))


@story("account/no-positions")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100)
    yield "borrower", CloseAll(BORROWER, 0)


@story("account/positions")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100_000)
    for market in range(MAX_POSITIONS + 1):
        if market > ETH:
            twins.do("admin", SetMarket(market, MARKET))
        if market < MAX_POSITIONS:
            twins.do("borrower", buy(W, market=market) if market != ETH else buy(10 * W, market=market))
    yield "borrower", buy(W, market=MAX_POSITIONS)


@story("account/unknown")
def _(twins: Twins) -> Attempts:
    yield "borrower", Withdraw(BORROWER, USDC, 1)
    yield "borrower", Transfer(BORROWER, BORROWER + 1, USDC, 1)
    yield "borrower", SetOperator(BORROWER, 0)
    yield "borrower", SetLeverageCap(BORROWER, BTC, 0)
    yield "borrower", buy(W)
    yield "borrower", CloseAll(BORROWER, 0)
    yield "liquidator", MarginCall(BORROWER)
    yield "liquidator", FlagAccount(BORROWER)
    yield "liquidator", Liquidate(BORROWER)


@story("account/no-owner")
def _(twins: Twins) -> Attempts:
    yield "borrower", Deposit(7, USDC, 1)
