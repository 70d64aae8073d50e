"""Stories of refusals for the margin of an account."""

from __future__ import annotations

from dataclasses import replace

from protocol.actions import CloseAll, MarginCall, SetLeverageCap, SetMarket, SetRisk, Transfer, Withdraw
from protocol.params import EquityTier
from protocol.units import W
from tests.lockstep.both import BORROWER, DOLLAR, MARKET, TRADER, buy
from tests.lockstep.refusals.telling import CALLABLE, LIQUIDATABLE, Attempts, long_of_one, story
from tests.twins import BTC, RISK, USDC, Twins


@story("margin/initial")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=1_000)
    yield "borrower", buy(3 * W)
    twins.do("borrower", buy(W))
    yield "borrower", Withdraw(BORROWER, USDC, 900 * DOLLAR)
    yield "borrower", Transfer(BORROWER, BORROWER + 1, USDC, 900 * DOLLAR)
    yield "borrower", SetLeverageCap(BORROWER, BTC, W)


@story("margin/equity-tier")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=1_000)
    twins.do("admin", SetRisk(replace(RISK, equity_tiers=(EquityTier(0, W),))))
    yield "borrower", buy(W // 2)


@story("margin/no-call")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    yield "liquidator", MarginCall(BORROWER)
    twins.price(BTC=LIQUIDATABLE)
    yield "liquidator", MarginCall(BORROWER)


@story("margin/just-called")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    twins.price(BTC=CALLABLE)
    twins.do("liquidator", MarginCall(BORROWER))
    yield "liquidator", MarginCall(BORROWER)
    twins.now += 3_597  # the third second is the attempt's
    yield "trader", MarginCall(BORROWER)
    twins.do("trader", MarginCall(BORROWER))


@story("margin/reduce")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetMarket(BTC, replace(MARKET, skew_scale=5 * W, max_premium=10_000)))
    twins.deposit("borrower", usd=10_000)
    twins.deposit("trader", usd=10_000)
    twins.do("borrower", buy(W))
    twins.do("trader", buy(-W, TRADER))
    yield "borrower", buy(-W // 2)  # its impact is twice the margin it frees
    twins.do("borrower", Withdraw(BORROWER, USDC, 8_000 * DOLLAR))
    twins.price(BTC=6_900)
    yield "borrower", CloseAll(BORROWER, -(10**30))  # would leave an account without position and below zero


@story("margin/debt-cap")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetRisk(replace(RISK, debt_cap=0)))
    twins.deposit("borrower", weth=100)
    yield "borrower", buy(W)
