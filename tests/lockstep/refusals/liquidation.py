"""Stories of refusals of liquidations and flags."""

from __future__ import annotations

from dataclasses import replace

from protocol.actions import FlagAccount, Liquidate, LiquidateMany, MarginCall, SetMarket
from protocol.units import W
from tests.lockstep.both import BORROWER, MARKET, buy
from tests.lockstep.refusals.telling import CALLABLE, LIQUIDATABLE, Attempts, long_of_one, story
from tests.twins import Twins


@story("liq/not-liquidatable")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    twins.price(BTC=CALLABLE)
    yield "liquidator", Liquidate(BORROWER)
    yield "liquidator", FlagAccount(BORROWER)


@story("liq/flagged")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    twins.price(BTC=LIQUIDATABLE)
    twins.do("liquidator", FlagAccount(BORROWER))
    yield "liquidator", FlagAccount(BORROWER)
    twins.price(BTC=CALLABLE)
    yield "stranger", FlagAccount(BORROWER)
    twins.price(BTC=8_000)
    twins.do("stranger", FlagAccount(BORROWER))


@story("liq/rate-limit")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetMarket(2, replace(MARKET, lot=W, window_notional=1_000 * W)))  # less than a lot
    twins.deposit("borrower", usd=1_000)
    twins.do("borrower", buy(W, market=2))
    twins.price(BTC=LIQUIDATABLE)
    yield "liquidator", Liquidate(BORROWER)
    twins.price(BTC=7_000)  # BACKSTOP is not held up
    twins.do("liquidator", Liquidate(BORROWER))


@story("liq/self")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    twins.price(BTC=CALLABLE)
    yield "borrower", MarginCall(BORROWER)
    twins.price(BTC=LIQUIDATABLE)
    yield "borrower", Liquidate(BORROWER)


@story("liq/batch")
def _(twins: Twins) -> Attempts:
    yield "liquidator", LiquidateMany((BORROWER,) * 33)
    twins.do("liquidator", LiquidateMany((BORROWER,) * 32))
