"""Stories of refusals of parameters."""

from __future__ import annotations

from dataclasses import replace

from protocol.actions import SetCollateral, SetMarket, SetRisk
from protocol.params import EquityTier, MarginBracket
from protocol.units import W
from tests.lockstep.both import MARKET
from tests.lockstep.refusals.telling import Attempts, story
from tests.twins import BTC, ETH, RISK, USDC, WETH, WSTETH, Twins, weth_params

TIGHT = (MarginBracket(0, W // 25, W // 10),)


@story("config/risk")
def _(twins: Twins) -> Attempts:
    yield "admin", SetRisk(replace(RISK, sale_discount=10_000))
    yield "admin", SetRisk(replace(RISK, max_reward=RISK.fixed_reward - 1))


@story("config/brackets")
def _(twins: Twins) -> Attempts:
    yield "admin", SetRisk(replace(RISK, equity_tiers=()))
    yield "admin", SetMarket(BTC, replace(MARKET, brackets=MARKET.brackets[1:]))
    yield "admin", SetMarket(BTC, replace(MARKET, brackets=MARKET.brackets[:1] * 2))
    yield "admin", SetCollateral(WETH, replace(weth_params(), brackets=()))


@story("config/margin-rates")
def _(twins: Twins) -> Attempts:
    yield "admin", SetMarket(BTC, replace(MARKET, brackets=(MarginBracket(0, W // 100, W // 20),)))
    yield "admin", SetRisk(replace(RISK, penalty_ratio=W // 40))


@story("config/funding")
def _(twins: Twins) -> Attempts:
    yield "admin", SetMarket(BTC, replace(MARKET, funding_cap=W + 1))


@story("config/equity-tiers")
def _(twins: Twins) -> Attempts:
    yield "admin", SetRisk(replace(RISK, equity_tiers=(EquityTier(0, W), EquityTier(W, 2 * W))))


@story("config/phase-in")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetMarket(BTC, replace(MARKET, brackets=TIGHT)))
    yield "admin", SetMarket(BTC, MARKET)
    softer = replace(weth_params(), brackets=weth_params().brackets[:1])
    twins.do("admin", SetCollateral(WETH, softer))
    yield "admin", SetCollateral(WETH, weth_params())
    twins.price(after=RISK.phase_in, BTC=8_000)
    twins.do("admin", SetMarket(BTC, MARKET))
    twins.do("admin", SetCollateral(WETH, weth_params()))


@story("config/haircuts")
def _(twins: Twins) -> Attempts:
    yield "admin", SetRisk(replace(RISK, sale_discount=1_001))
    yield "admin", SetCollateral(WETH, replace(weth_params(), account_cap=2**96))


@story("config/market")
def _(twins: Twins) -> Attempts:
    yield "admin", SetMarket(BTC, replace(MARKET, taker_fee=W // 100 + 1))
    yield "admin", SetMarket(BTC, replace(MARKET, min_notional=499 * W))
    yield "admin", SetRisk(replace(RISK, reward_cap=49))


@story("config/listing")
def _(twins: Twins) -> Attempts:
    yield "admin", SetMarket(3, MARKET)
    yield "admin", SetMarket(BTC, replace(MARKET, feed=ETH))
    yield "admin", SetMarket(BTC, replace(MARKET, lot=MARKET.lot * 2))
    yield "admin", SetCollateral(USDC, weth_params())
    yield "admin", SetCollateral(WSTETH + 1, weth_params())
    yield "admin", SetCollateral(WETH, replace(weth_params(), decimals=8))
