"""Stories of refusals for amounts, markets and tokens."""

from __future__ import annotations

from dataclasses import replace

from oracle.feeds import Push
from protocol.actions import (
    BuyInventory,
    ClaimRedemption,
    CloseAll,
    CreateIsolated,
    Deposit,
    DepositToPool,
    FundInsurance,
    Liquidate,
    PauseOpening,
    RequestRedemption,
    SetCollateral,
    SetLeverageCap,
    SetMarket,
    Transfer,
    Withdraw,
)
from protocol.units import USDC_TO_W, W
from tests.lockstep.both import BORROWER, DOLLAR, MARKET, TRADER, buy
from tests.lockstep.refusals.telling import Attempts, long_of_one, story, win_more_than_there_is
from tests.twins import BTC, ETH, RISK, USDC, WETH, WSTETH, Twins, weth_params


@story("sys/domain")
def _(twins: Twins) -> Attempts:
    yield "borrower", Deposit(BORROWER, USDC, 2**96)
    yield "lender", DepositToPool(2**96)
    yield "treasury", FundInsurance(2**256 - 1)
    yield "poster", Push((BTC,), (2**127,))
    twins.deposit("borrower", usd=100)
    yield "borrower", buy(2**96)
    yield "borrower", SetLeverageCap(BORROWER, BTC, 2**80)


@story("amount/zero")
def _(twins: Twins) -> Attempts:
    yield "borrower", Deposit(BORROWER, USDC, 0)
    yield "lender", DepositToPool(0)
    yield "treasury", FundInsurance(0)
    yield "stranger", BuyInventory(WETH, 0, DOLLAR)
    twins.deposit("borrower", usd=100)
    yield "borrower", Withdraw(BORROWER, USDC, 0)
    yield "borrower", Transfer(BORROWER, BORROWER + 1, USDC, 0)
    yield "borrower", buy(0)
    twins.do("lender", RequestRedemption(1))
    twins.now += RISK.redemption_delay
    yield "lender", ClaimRedemption()  # worth less than a unit


@story("market/unknown")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100)
    yield "borrower", buy(W, market=2)
    yield "borrower", SetLeverageCap(BORROWER, 2, W)
    yield "borrower", CreateIsolated(BORROWER + 1, 2)


@story("token/unknown")
def _(twins: Twins) -> Attempts:
    yield "borrower", Deposit(BORROWER, WSTETH + 1, 1)
    yield "stranger", BuyInventory(WSTETH + 1, 1, DOLLAR)


@story("market/lot")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100)
    yield "borrower", buy(MARKET.lot + 1)


@story("market/min-notional")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    yield "borrower", buy(-W * 9 // 10)
    yield "borrower", buy(4 * W, market=ETH)


@story("market/premium")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=10**7)
    yield "borrower", buy(1_000 * W + MARKET.lot)


@story("market/skew-cap")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetMarket(BTC, replace(MARKET, skew_cap=W)))
    twins.deposit("borrower", usd=10_000)
    yield "borrower", buy(W + MARKET.lot)
    yield "borrower", buy(-W - MARKET.lot)


@story("market/oi-cap")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetMarket(BTC, replace(MARKET, oi_cap=W)))
    twins.deposit("borrower", usd=10_000)
    yield "borrower", buy(W + MARKET.lot)
    twins.do("admin", SetMarket(BTC, replace(MARKET, oi_cap_usd=8_000 * W)))
    yield "borrower", buy(W + MARKET.lot)


@story("market/opening-paused")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    twins.do("guardian", PauseOpening(paused=True))
    yield "borrower", buy(W // 2)
    yield "borrower", buy(-2 * W)
    twins.do("borrower", buy(-W // 2))


@story("trade/price")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=1_000)
    yield "borrower", replace(buy(W), acceptable_price=8_000 * W)  # impact is on top
    twins.do("borrower", buy(W))
    yield "borrower", CloseAll(BORROWER, 1_000 * W)
    twins.deposit("trader", weth=35)
    twins.do("trader", buy(W, TRADER))
    twins.price(BTC=1_000)
    twins.do("liquidator", Liquidate(TRADER))
    assert twins.world.protocol.tokens[WETH].inventory > 10**18
    yield "stranger", BuyInventory(WETH, 10**18, 195 * DOLLAR - 1)  # 200 less half of 5 %


@story("token/account-cap")
def _(twins: Twins) -> Attempts:
    cap = weth_params().account_cap
    yield "borrower", Deposit(BORROWER, WETH, cap + 1)
    twins.do("borrower", Deposit(BORROWER, WETH, cap))
    twins.do("borrower", Deposit(BORROWER + 1, WETH, 1))
    yield "borrower", Transfer(BORROWER + 1, BORROWER, WETH, 1)


@story("token/global-cap")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetCollateral(WETH, replace(weth_params(), global_cap=10**18)))
    twins.deposit("borrower", weth=1)
    yield "trader", Deposit(TRADER, WETH, 1)


@story("vault/negative-cash")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100, weth=100)
    yield "borrower", Withdraw(BORROWER, USDC, 100 * DOLLAR + 1)
    yield "borrower", Transfer(BORROWER, BORROWER + 1, USDC, 100 * DOLLAR + 1)


@story("vault/insufficient-units")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100, weth=1)
    yield "borrower", Withdraw(BORROWER, WETH, 10**18 + 1)
    yield "borrower", Transfer(BORROWER, BORROWER + 1, WETH, 10**18 + 1)


@story("vault/insufficient-cash")
def _(twins: Twins) -> Attempts:
    win_more_than_there_is(twins)
    yield "borrower", Withdraw(BORROWER, USDC, twins.cash(BORROWER) // USDC_TO_W)
