"""What spreads and faults of prices do to margin and to liquidations, through both twins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.account_state import AccountState
from protocol.actions import (
    BuyInventory,
    CloseAll,
    Deposit,
    FlagAccount,
    FundInsurance,
    Liquidate,
    LiquidateMany,
    SetCollateral,
    SetLeverageCap,
    SetMarket,
    SetRisk,
    Transfer,
    Withdraw,
)
from protocol.env import Quote, Status
from protocol.units import PRICE_LIMIT, W
from tests.lockstep.both import BORROWER, LOT, MARKET, buy, check, measure, refuse, standing
from tests.lockstep.quoted import CODES, PRICE, PRICELESS, STALE, QuotedTwins
from tests.twins import BTC, ETH, RISK, USDC, WBTC, WETH, WSTETH, weth_params


@pytest.mark.parametrize("status", Status)
def test_collateral_with_a_fault_locks_up_nothing_else_on_both(quoted: QuotedTwins, status: Status) -> None:
    """MRG-15, VIEW-3, M8, N3, N4: to the last unit, or lot, that the rest can do without; more needs the price."""
    twins = quoted
    twins.deposit("borrower", usd=1_000, weth=1)
    twins.do("stranger", Deposit(BORROWER, WSTETH, 4 * 10**18))
    twins.do("borrower", buy(W))
    twins.spread(ETH, PRICE[ETH], 0, int(status))
    check(twins)
    start = twins.save()
    most = twins.chain.contracts.view("max_size", BORROWER, BTC, True)
    refuse(twins, CODES[status], ("borrower", buy(most + LOT)))
    twins.do("borrower", buy(most))
    check(twins)
    for token in (USDC, WETH, WSTETH):
        most = twins.chain.contracts.withdrawable(BORROWER, token)
        for action in (Withdraw(BORROWER, token, most), Transfer(BORROWER, BORROWER + 1, token, most)):
            twins.restore(start)
            twins.do("borrower", action)
            check(twins)
        twins.restore(start)
    twins.do("borrower", Withdraw(BORROWER, WSTETH, 4 * 10**18))
    most = twins.chain.contracts.withdrawable(BORROWER, USDC)
    twins.do("borrower", Withdraw(BORROWER, USDC, most + 1), refused=CODES[status])
    twins.do("borrower", SetLeverageCap(BORROWER, BTC, W), refused=CODES[status])
    twins.do("borrower", SetLeverageCap(BORROWER, BTC, 20 * W))
    twins.do("borrower", Withdraw(BORROWER, USDC, most))
    assert twins.chain.contracts.withdrawable(BORROWER, WETH) == 10**18
    twins.do("borrower", Withdraw(BORROWER, WETH, 10**18 - 1))
    check(twins)


def test_a_debt_without_a_position_needs_what_covers_it_on_both(quoted: QuotedTwins) -> None:
    """MRG-15, VIEW-3, N4: collateral with a good price covers it, to the last unit; the faulty rest may leave."""
    twins = quoted
    twins.deposit("borrower", usd=500, weth=1)
    twins.do("stranger", Deposit(BORROWER, WBTC, 10**7))
    twins.do("borrower", buy(W))
    twins.price(BTC=7_400)
    twins.do("borrower", CloseAll(BORROWER, -(2**200)))
    assert twins.cash(BORROWER) < 0
    twins.spread(ETH, PRICE[ETH], 0, STALE)
    check(twins)
    most = twins.chain.contracts.withdrawable(BORROWER, WBTC)
    assert 0 < most < 10**7
    twins.do("borrower", Withdraw(BORROWER, WBTC, most + 1), refused="oracle/stale")
    twins.do("borrower", Withdraw(BORROWER, WETH, 10**18 - 1))
    twins.do("borrower", Withdraw(BORROWER, WBTC, most))
    check(twins)


@pytest.mark.parametrize("side", [1, -1])
def test_a_spread_is_margin_for_new_risk_only_on_both(quoted: QuotedTwins, side: int) -> None:
    """MRG-13, VIEW-1 to VIEW-5: strict sides of position and collateral; a wei of spread decides."""
    twins = quoted
    twins.deposit("borrower", usd=400, weth=1)
    twins.do("borrower", buy(side * W))
    sound = measure(twins, BORROWER)
    spare = sound.equity_im - sound.initial_margin
    twins.spread(BTC, PRICE[BTC], spare)
    check(twins, sizes=(BORROWER,))
    cap = SetLeverageCap(BORROWER, BTC, 30 * W)
    twins.do("borrower", cap)
    twins.spread(BTC, PRICE[BTC], spare + 1)
    twins.do("borrower", cap, refused="margin/initial")
    assert measure(twins, BORROWER).equity_mm == sound.equity_mm
    check(twins, sizes=(BORROWER,))
    twins.spread(BTC, PRICE[BTC])
    twins.spread(ETH, PRICE[ETH], 10 * W)
    assert measure(twins, BORROWER).equity_im == sound.equity_im - 10 * W * 85 // 100
    check(twins, sizes=(BORROWER,))


@pytest.mark.parametrize(("side", "price"), [(1, 7_700), (-1, 8_300)])
def test_one_stale_price_neither_causes_nor_blocks_on_both(quoted: QuotedTwins, side: int, price: int) -> None:
    """LIQ-3, MRG-12, SIZ-1: within the band it liquidates nobody; what can be closed is, the rest is passed over."""
    twins = quoted
    twins.deposit("borrower", usd=900)
    twins.do("borrower", buy(side * W))
    twins.do("borrower", buy(-20 * side * W, market=ETH))
    twins.spread(BTC, PRICE[BTC] - side * 600 * W, 0, STALE)
    refuse(twins, "liq/not-liquidatable", ("liquidator", Liquidate(BORROWER)), ("liquidator", FlagAccount(BORROWER)))
    check(twins)
    twins.take_back(BTC)
    twins.price(BTC=price)
    # ETH is 40 % against the account and old: at a tenth less it still is.
    twins.spread(ETH, PRICE[ETH] + side * 80 * W, 0, STALE)
    assert standing(twins, BORROWER) == AccountState.BANKRUPT
    check(twins)
    twins.do("liquidator", Liquidate(BORROWER))
    assert set(twins.world.protocol.accounts[BORROWER].positions) == {ETH}
    assert twins.event("AccountLiquidated").bad_debt == 0
    check(twins)
    refuse(twins, "oracle/stale", ("liquidator", Liquidate(BORROWER)))
    twins.do("liquidator", LiquidateMany((BORROWER,)))
    twins.take_back(ETH)
    twins.price(ETH=200 + side * 80)
    twins.do("liquidator", Liquidate(BORROWER))
    assert twins.event("AccountLiquidated").bad_debt > 0
    check(twins)


@pytest.mark.parametrize("status", PRICELESS)
@pytest.mark.parametrize("side", [1, -1])
def test_a_missing_price_neither_causes_nor_blocks_on_both(quoted: QuotedTwins, status: Status, side: int) -> None:
    """LIQ-3, LIQ-4, MRG-12 to MRG-14, VIEW-5, VIEW-8: dead position and dead collateral beside one that has fallen."""
    twins, bad = quoted, int(status)
    twins.deposit("borrower", usd=900, weth=1)
    twins.do("borrower", buy(side * W))
    twins.do("borrower", buy(5 * side * W, market=ETH))
    for mid in (0, PRICE[ETH], PRICE_LIMIT - 1):  # whatever number stands beside the fault
        twins.give(ETH, Quote(0, mid, mid, twins.now, bad))
        check(twins, sizes=(BORROWER,))
        refuse(twins, "liq/not-liquidatable", *((("liquidator", Liquidate(BORROWER)),) if side > 0 else ()))
    twins.price(BTC=8_000 - side * 3_000)
    twins.give(ETH, Quote(0, 0, 0, twins.now, bad))
    twins.do("stranger", FlagAccount(BORROWER))
    twins.do("liquidator", Liquidate(BORROWER))
    account = twins.world.protocol.accounts[BORROWER]
    assert (set(account.positions), account.collateral) == ({ETH}, {WETH: 10**18})
    assert twins.event("AccountLiquidated").bad_debt == 0
    check(twins, sizes=(BORROWER,))
    code = CODES[status] if standing(twins, BORROWER) <= AccountState.LIQUIDATABLE else "liq/not-liquidatable"
    twins.do("liquidator", Liquidate(BORROWER), refused=code)
    twins.take_back(ETH)
    twins.do("liquidator", Liquidate(BORROWER))
    assert twins.cash(BORROWER) == 0
    check(twins)


@pytest.mark.parametrize("late", [-1, 0])
def test_a_former_ceiling_on_both(quoted: QuotedTwins, late: int) -> None:
    """MRG-14, GOV-5: of a market and of a collateral, to the second; a phase is not changed in its middle."""
    twins = quoted
    twins.deposit("borrower", usd=1_000, weth=1)
    twins.do("borrower", buy(W // 4))
    twins.do("admin", SetMarket(BTC, replace(MARKET, ceiling=1)))
    twins.do("admin", SetCollateral(WETH, replace(weth_params(), ceiling=PRICE_LIMIT - 1)))
    for params in (MARKET, replace(MARKET, ceiling=2)):
        twins.do("admin", SetMarket(BTC, params), refused="config/phase-in")
    twins.do("admin", SetCollateral(WETH, weth_params()), refused="config/phase-in")
    until = twins.world.protocol.market_phases[BTC].until
    for feed in (BTC, ETH):
        twins.give(feed, Quote(0, 0, 0, twins.now, int(Status.NO_QUORUM)))
    check(twins)
    twins.do("stranger", FundInsurance(1), after=until + late - twins.now)
    found = measure(twins, BORROWER)
    assert (found.gross_notional > 1) == (late < 0)
    assert found.equity_raw > PRICE_LIMIT // 2
    check(twins)
    twins.do("admin", SetCollateral(WETH, replace(weth_params(), ceiling=3)), after=10)
    check(twins)


def test_a_debt_waits_for_stale_collateral_on_both(quoted: QuotedTwins) -> None:
    """LIQ-3, LIQ-7, WAT-2, WAT-3: kept, refused while nothing can be sold, then sold before the loss is covered."""
    twins = quoted
    twins.deposit("borrower", usd=450, weth=1)
    twins.do("borrower", buy(W))
    twins.price(BTC=7_000)
    twins.spread(ETH, PRICE[ETH], W, STALE)
    twins.do("liquidator", Liquidate(BORROWER))
    assert twins.cash(BORROWER) < 0
    assert twins.world.protocol.accounts[BORROWER].collateral == {WETH: 10**18}
    check(twins)
    refuse(twins, "oracle/stale", ("liquidator", Liquidate(BORROWER)))
    twins.spread(ETH, PRICE[ETH], W, int(Status.UNCERTAIN))
    twins.do("liquidator", Liquidate(BORROWER))
    assert twins.cash(BORROWER) == 0
    assert twins.event("AccountLiquidated").bad_debt > 0
    refuse(twins, "oracle/uncertain", ("stranger", BuyInventory(WETH, 1, 10**9)))
    check(twins)


@pytest.mark.parametrize("band", [0, 1, 10_000])
def test_the_ends_of_the_band_on_both(quoted: QuotedTwins, band: int) -> None:
    """MRG-12, CFG-1, T9: none, the least, and everything, at the ends of what a price can be."""
    twins = quoted
    twins.do("admin", SetRisk(replace(RISK, stale_band=band)))
    twins.deposit("borrower", usd=5_000, weth=1)
    twins.do("borrower", buy(W))
    twins.do("borrower", buy(-5 * W, market=ETH))
    for price in (1, 9_999, 10_001, PRICE_LIMIT - 1):
        for status in (STALE, int(Status.HALTED), 0):
            twins.spread(BTC, price, 0, status)
            twins.spread(ETH, price, 0, status)
            check(twins)
