"""A price for USDC through both twins: what it moves, what it leaves alone, and the ends of what it can be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.feeds import Push, SetFeed
from protocol.actions import BuyInventory, CloseAll, DepositToPool, Liquidate, SetLeverageCap, SetRisk, Withdraw
from protocol.units import W
from tests.lockstep.both import BORROWER, DOLLAR, LOT, MARKET, buy, check, measure, refuse
from tests.twins import BTC, RISK, USDC, WETH, Twins

FEED = 4
FACED = replace(RISK, usdc_feed=FEED + 1, depeg_threshold=9_900, depeg_factor=5_000)
ANY_CASH = -(2**200)


@pytest.fixture
def faced(twins: Twins) -> Twins:
    """Twins whose USDC has a feed, at par."""
    twins.do("admin", SetFeed(FEED, 8, 7_200))
    twins.do("admin", SetRisk(FACED))
    tell(twins, 100_000_000)
    return twins


def tell(twins: Twins, answer: int) -> None:
    """Push a price of USDC, 8 decimals."""
    twins.do("poster", Push((FEED,), (answer,)))


def test_initial_margin_of_a_depeg_on_both(faced: Twins) -> None:
    """PEG-1, PEG-2, MRG-10: it rises with the distance, alone; exits stay open, and nobody is liquidated."""
    twins = faced
    twins.deposit("borrower", usd=1_000, weth=1)
    twins.do("borrower", buy(W))
    usual = measure(twins, BORROWER)
    for answer, more in ((99_000_000, 0), (98_999_999, 40 * 10**12), (90_000_000, 360 * W), (200_000_000, 0)):
        tell(twins, answer)
        found = measure(twins, BORROWER)
        assert found.initial_margin - usual.initial_margin == more
        assert found.maintenance_margin == usual.maintenance_margin
        check(twins, sizes=(BORROWER,))
    tell(twins, 85_000_000)
    refuse(twins, "margin/initial", ("borrower", Withdraw(BORROWER, USDC, 300 * DOLLAR)), ("borrower", buy(W // 2)))
    refuse(twins, "liq/not-liquidatable", ("liquidator", Liquidate(BORROWER)))
    check(twins, sizes=(BORROWER,))
    twins.do("borrower", buy(-LOT))
    twins.do("borrower", CloseAll(BORROWER, ANY_CASH))
    twins.do("borrower", Withdraw(BORROWER, USDC, 300 * DOLLAR))
    check(twins)


@pytest.mark.parametrize("answer", [0, -1, 2**127 - 1])
def test_a_fault_of_the_usdc_feed_on_both(faced: Twins, answer: int) -> None:
    """PEG-1, POL-1: new risk waits, the rest goes on at a dollar."""
    twins = faced
    twins.deposit("borrower", usd=1_000, weth=1)
    twins.deposit("trader", usd=500)
    twins.do("borrower", buy(W))
    tell(twins, answer)
    refuse(twins, "oracle/uncertain", ("borrower", buy(LOT)), ("borrower", Withdraw(BORROWER, USDC, 1)))
    refuse(twins, "oracle/uncertain", ("borrower", SetLeverageCap(BORROWER, BTC, W)))
    check(twins, sizes=(BORROWER,))
    twins.do("lender", DepositToPool(DOLLAR))  # without inventory nobody asks
    twins.deposit("borrower", usd=1)
    twins.do("borrower", buy(-LOT))
    twins.price(BTC=6_700)
    twins.do("liquidator", Liquidate(BORROWER))
    assert twins.world.protocol.tokens[WETH].inventory == 10**18
    refuse(twins, "oracle/uncertain", ("stranger", BuyInventory(WETH, 1, 2**90)), ("lender", DepositToPool(DOLLAR)))
    check(twins)


@pytest.mark.parametrize("answer", [88_000_000, 1, 99_999_999, 33_333_333])
def test_sales_inventory_and_shares_in_a_depeg_on_both(faced: Twins, answer: int) -> None:
    """PEG-3, WAT-1, INV-1, LPD-1, S3, S10: from a dollar to nearly nothing, to the wei."""
    twins = faced
    twins.deposit("borrower", usd=500, weth=2)
    twins.do("borrower", buy(W))
    twins.price(BTC=7_100)
    tell(twins, answer)
    check(twins)
    twins.do("liquidator", Liquidate(BORROWER))
    bought = twins.world.protocol.tokens[WETH].inventory
    assert bought > 0
    check(twins)
    twins.do("lender", DepositToPool(1_000 * DOLLAR))
    price = 195 * 10**8 * DOLLAR * bought // (answer * 10**18)
    refuse(twins, "trade/price", ("stranger", BuyInventory(WETH, bought, price - 1)))
    twins.do("stranger", BuyInventory(WETH, bought // 2, 2**95))
    check(twins)


def test_the_ends_of_a_depeg_on_both(faced: Twins) -> None:
    """PEG-2, CFG-1, T9: the largest threshold and factor, on a position at the end of a margin bracket."""
    twins = faced
    twins.do("admin", SetRisk(replace(FACED, depeg_threshold=10_000, depeg_factor=2**16 - 1)))
    twins.deposit("borrower", usd=50_000)
    twins.do("borrower", buy(-4 * W))
    assert twins.world.protocol.market_params[BTC] == MARKET
    for answer in (1, 99_999_999):
        tell(twins, answer)
        check(twins, sizes=(BORROWER,))
