"""Stories of refusals by the pool."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from protocol.actions import BuyInventory, ClaimRedemption, DepositToPool, RequestRedemption, SetMarket, SetRisk
from protocol.units import BPS, W
from tests.lockstep.both import DOLLAR, MARKET, TRADER, buy
from tests.lockstep.refusals.telling import Attempts, story, win_more_than_there_is
from tests.twins import BTC, RISK, USDC, WETH, Twins

FREE: dict[str, Any] = {"maker_fee": 0, "taker_fee": 0, "funding_velocity": 0}


@story("pool/reserved")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetRisk(replace(RISK, lock_ratio=10_000)))
    twins.deposit("borrower", usd=10**6)
    yield "borrower", buy(126 * W)
    twins.do("borrower", buy(100 * W))
    twins.do("lender", RequestRedemption(twins.world.protocol.ledger.shares))
    twins.now += RISK.redemption_delay
    yield "lender", ClaimRedemption()


@story("pool/insufficient-shares")
def _(twins: Twins) -> Attempts:
    yield "stranger", RequestRedemption(0)
    yield "lender", RequestRedemption(twins.world.protocol.ledger.shares + 1)


@story("pool/no-request")
def _(twins: Twins) -> Attempts:
    yield "lender", ClaimRedemption()
    twins.do("lender", RequestRedemption(W))
    twins.do("lender", RequestRedemption(0))
    yield "lender", ClaimRedemption()


@story("pool/too-early")
def _(twins: Twins) -> Attempts:
    twins.do("lender", RequestRedemption(W))
    twins.now += RISK.redemption_delay - 2
    yield "lender", ClaimRedemption()
    twins.do("lender", ClaimRedemption())


@story("pool/expired")
def _(twins: Twins) -> Attempts:
    twins.do("lender", RequestRedemption(W))
    twins.now += RISK.redemption_delay + RISK.redemption_window
    yield "lender", ClaimRedemption()


@story("pool/inventory")
def _(twins: Twins) -> Attempts:
    yield "stranger", BuyInventory(WETH, 1, DOLLAR)
    yield "stranger", BuyInventory(USDC, 1, DOLLAR)


@story("pool/deficit")
def _(twins: Twins) -> Attempts:
    win_more_than_there_is(twins)
    yield "lender", DepositToPool(DOLLAR)
    twins.do("lender", RequestRedemption(W))
    twins.now += RISK.redemption_delay
    yield "lender", ClaimRedemption()


@story("pool/no-value")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetMarket(BTC, replace(MARKET, **FREE, rebate_ratio=BPS)))
    twins.deposit("borrower", usd=100_000)
    twins.deposit("trader", usd=10_000)
    twins.do("borrower", buy(100 * W))
    twins.do("trader", buy(W, TRADER))  # keeps the market's impact from the pool
    twins.price(BTC=18_000)
    twins.do("borrower", buy(-100 * W))
    ledger = twins.world.protocol.ledger
    assert (ledger.pool, ledger.deficit) == (0, 0)  # the profit was the whole pool
    yield "lender", DepositToPool(DOLLAR)


@story("pool/no-shares")
def _(twins: Twins) -> Attempts:
    twins.configure()
    twins.do("admin", SetRisk(replace(RISK, lock_ratio=0)))
    twins.do("lender", DepositToPool(1))
    twins.deposit("borrower", usd=2 * 10**6)
    twins.do("borrower", buy(200 * W))
    twins.price(BTC=2_000)
    twins.do("borrower", buy(-200 * W))
    yield "stranger", DepositToPool(1)  # the share unit has come to be worth more
