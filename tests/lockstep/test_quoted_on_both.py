"""Spreads and faults of prices in the rules of the vault, through both twins."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from contracts_py.compile import Artifact
from protocol.account_state import AccountState
from protocol.actions import (
    BuyInventory,
    ClaimRedemption,
    CloseAll,
    Deposit,
    DepositToPool,
    FlagAccount,
    FundInsurance,
    Liquidate,
    LiquidateMany,
    MarginCall,
    RequestRedemption,
    SetCollateral,
    SetLeverageCap,
    SetMarket,
    SetOrders,
    SetRisk,
    Transfer,
    Withdraw,
)
from protocol.env import Quote, Status
from protocol.policy import POLICY, is_accepted
from protocol.units import PRICE_LIMIT, W
from tests.lockstep.both import BORROWER, DOLLAR, LOT, MARKET, TRADER, buy, check, measure, refuse, standing
from tests.lockstep.orders import NEXT, RULES, commit, settle
from tests.lockstep.quoted import DistortedTwins, QuotedTwins
from tests.lockstep.sequences import DRAWN
from tests.lockstep.test_random import LENGTH, Teller, count_actions, tell_stories
from tests.oracle.drawing import Draw
from tests.twins import BTC, ETH, RATE, RISK, USDC, WBTC, WETH, WSTETH, Checkpoint, weth_params

PRICE = {BTC: 8_000 * W, ETH: 200 * W}
STALE = int(Status.STALE_HARD)
PRICELESS = (Status.UNAVAILABLE, Status.NON_POSITIVE, Status.OUT_OF_BOUNDS, Status.NO_QUORUM)
CODES = {
    Status.UNAVAILABLE: "oracle/unavailable",
    Status.NON_POSITIVE: "oracle/non-positive",
    Status.OUT_OF_BOUNDS: "oracle/out-of-bounds",
    Status.HALTED: "oracle/halted",
    Status.SEQ_DOWN: "oracle/sequencer-down",
    Status.NO_QUORUM: "oracle/no-quorum",
    Status.FUTURE: "oracle/future",
    Status.DEVIATED: "oracle/deviated",
    Status.STALE_HARD: "oracle/stale",
    Status.SEQ_GRACE: "oracle/sequencer-grace",
    Status.MARKET_CLOSED: "oracle/market-closed",
    Status.CAPPED: "oracle/capped",
    Status.UNCERTAIN: "oracle/uncertain",
    Status.STALE_SOFT: "oracle/stale",
}
STORIES = 20  # of each workload
PORTFOLIOS = 60


@pytest.mark.parametrize("status", Status)
def test_every_action_by_the_row_of_its_fault_on_both(quoted: QuotedTwins, status: Status) -> None:
    """POL-1, POL-2, S8: new risk takes none, a way out the soft ones, deposits any, on each twin."""
    twins, bad = quoted, int(status)
    twins.deposit("borrower", usd=500, weth=1)
    twins.do("borrower", buy(W))
    twins.do("lender", RequestRedemption(10**18))
    twins.spread(BTC, PRICE[BTC], 0, bad)
    twins.now += RISK.redemption_delay
    growth = (
        ("borrower", buy(LOT)),
        ("borrower", buy(-2 * W)),
        ("borrower", Withdraw(BORROWER, USDC, 1)),
        ("borrower", Transfer(BORROWER, BORROWER + 1, USDC, 1)),
        ("borrower", SetLeverageCap(BORROWER, BTC, 20 * W)),
        ("lender", DepositToPool(DOLLAR)),
        ("lender", ClaimRedemption()),
    )
    refuse(twins, CODES[status], *growth)

    def code(action: str) -> str | None:
        """How an action of a sound account ends by its row of the table."""
        return None if is_accepted(POLICY[action], bad) else CODES[status]

    twins.do("admin", SetMarket(BTC, MARKET), refused=code("set_market"))
    # A liquidation is measured before anything is closed, and no fault stops a measure.
    for action in (Liquidate(BORROWER), FlagAccount(BORROWER)):
        twins.do("liquidator", action, refused="liq/not-liquidatable")
    twins.do("liquidator", MarginCall(BORROWER), refused="margin/no-call")
    check(twins, sizes=(BORROWER,))
    twins.do("stranger", Deposit(BORROWER, USDC, 1))
    twins.do("stranger", FundInsurance(1))
    twins.do("borrower", buy(-LOT), refused=code("trade_reduce"))
    twins.do("borrower", CloseAll(BORROWER, -(2**200)), refused=code("close_all"))
    check(twins)


@pytest.mark.parametrize("status", Status)
def test_collateral_with_a_fault_locks_up_nothing_else_on_both(quoted: QuotedTwins, status: Status) -> None:
    """MRG-15, VIEW-3, M8, N4: to the last unit that is not needed; one more needs the price, as growth does."""
    twins = quoted
    twins.deposit("borrower", usd=1_000, weth=1)
    twins.do("stranger", Deposit(BORROWER, WSTETH, 4 * 10**18))
    twins.do("borrower", buy(W))
    twins.spread(ETH, PRICE[ETH], 0, int(status))
    check(twins)
    refuse(twins, CODES[status], ("borrower", buy(LOT)))
    start = twins.save()
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


@pytest.mark.parametrize("status", Status)
def test_orders_by_the_row_of_a_fault_on_both(quoted: QuotedTwins, status: Status) -> None:
    """POL-1, ORD-3, ORD-5: a fault of the market, then one of the collateral; what adds risk, and a reduction."""
    twins, bad = quoted, int(status)
    refused = None if is_accepted(POLICY["settle_order"], bad) else CODES[status]
    twins.deposit("borrower", usd=2_000, weth=1)
    twins.do("borrower", buy(W))
    twins.do("admin", SetOrders(BTC, RULES))
    twins.spread(BTC, PRICE[BTC], 0, bad)
    twins.do("borrower", commit(LOT), refused=CODES[status])
    twins.do("borrower", commit(-LOT))
    check(twins)
    twins.take_back(BTC)
    twins.price(BTC=8_000, after=10)
    twins.spread(BTC, PRICE[BTC], 0, bad)
    twins.do("liquidator", settle(), refused=refused)
    twins.take_back(BTC)
    if refused:
        twins.do("liquidator", settle())
    assert twins.event("OrderSettled").code == ""
    twins.do("borrower", commit(W))
    twins.price(BTC=8_000, after=10)
    twins.spread(ETH, PRICE[ETH], 0, bad)
    twins.do("liquidator", settle(NEXT + 1), refused=refused)
    check(twins)
    twins.spread(ETH, PRICE[ETH])
    if refused:
        twins.do("liquidator", settle(NEXT + 1))
    assert twins.event("OrderSettled").code == ""
    check(twins)


@pytest.mark.parametrize("status", Status)
def test_a_last_close_by_the_row_of_a_fault_on_both(quoted: QuotedTwins, status: Status) -> None:
    """POL-1, ORD-5, MRG-11: where it costs health it takes of the collateral what a close takes, and age."""
    twins, bad = quoted, int(status)
    twins.deposit("borrower", usd=900, weth=1)
    twins.do("borrower", buy(2 * W))
    twins.do("admin", SetOrders(BTC, RULES))
    twins.do("borrower", commit(-2 * W))
    twins.price(BTC=7_800, after=10)
    twins.price(BTC=8_100)
    twins.spread(ETH, PRICE[ETH], 0, bad)
    accepted = POLICY["trade_reduce"] | POLICY["settle_order"]
    twins.do("liquidator", settle(), refused=None if is_accepted(accepted, bad) else CODES[status])
    assert bool(twins.world.protocol.accounts[BORROWER].positions) is not is_accepted(accepted, bad)
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


def test_random_portfolios_without_a_price_on_both(funded: tuple[QuotedTwins, Checkpoint]) -> None:
    """S3, LIQ-3, LIQ-7, MRG-4, MRG-12 to MRG-14, SIZ-1: measured, flagged and liquidated beside what has no price."""
    twins, beginning = funded
    codes: Counter[str] = Counter()
    for number in range(PORTFOLIOS):
        twins.restore(beginning)
        draw = Draw(f"portfolio {number}")
        open_portfolio(twins, draw)
        dead, other = draw.pick(((BTC, ETH), (ETH, BTC), (ETH, BTC)))
        mid = draw.pick((0, PRICE[dead], 3 * PRICE[dead]))
        twins.give(dead, Quote(draw.pick((0, mid)), mid, mid, twins.now, int(draw.pick(PRICELESS))))
        for per_cent in (100, draw.between(80, 120), draw.pick((60, 140))):
            status = draw.pick((0, 0, 0, STALE, int(Status.UNCERTAIN)))
            twins.spread(other, PRICE[other] * per_cent // 100, 0, status)
            twins.attempt("stranger", FlagAccount(BORROWER))
            codes[twins.attempt("liquidator", Liquidate(BORROWER))] += 1
            check(twins)
        twins.take_back(dead)
        twins.take_back(other)
        twins.attempt("liquidator", Liquidate(BORROWER))
        check(twins)
    assert codes["ok"] > PORTFOLIOS // 4
    assert codes["liq/not-liquidatable"] > PORTFOLIOS
    assert sum(count for code, count in codes.items() if code.startswith("oracle/")) > PORTFOLIOS // 10


def open_portfolio(twins: QuotedTwins, draw: Draw) -> None:
    """An account with some of everything, near its initial margin, and ceilings that may still be phased in."""
    state = twins.world.protocol
    for market, params in enumerate(state.market_params):
        ceiling = PRICE[market] * draw.pick((1, 90, 105, 120)) // 100
        twins.do("admin", SetMarket(market, replace(params, ceiling=ceiling)))
    for token, weth in enumerate(state.collateral_params, 1):
        twins.do("admin", SetCollateral(token, replace(weth, ceiling=weth.ceiling * draw.between(1, 100) // 100)))
    twins.price(BTC=8_000, ETH=200, rate=RATE, after=draw.pick((1, RISK.phase_in)))
    twins.deposit("borrower", usd=draw.between(300, 1_500))
    for token, most in ((WETH, 2 * 10**18), (WBTC, 10**7)):
        if draw.chance(2):
            twins.do("stranger", Deposit(BORROWER, token, draw.pick((1, most // 10, most))))
    for market, most in ((BTC, 2_500), (ETH, 10_000)):
        lot, eighth = state.market_params[market].lot, draw.pick((1, -1)) * draw.between(most // 16, most // 8)
        for part in (8, 6, 4, 2, 1):  # as much as is accepted
            if twins.attempt("borrower", buy(eighth * part * lot, market=market)) == "ok":
                break


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


def test_the_grace_of_a_sequencer_on_both(quoted: QuotedTwins) -> None:
    """POL-1, LIQ-3: what is deep below maintenance does not wait."""
    twins = quoted
    grace = int(Status.SEQ_GRACE)
    twins.deposit("borrower", usd=450)
    twins.deposit("trader", usd=450)
    twins.do("borrower", buy(W))
    twins.do("trader", buy(-W, TRADER))
    for price, code in ((7_755 * W, "oracle/sequencer-grace"), (7_670 * W, None)):
        twins.spread(BTC, price, 0, grace)
        check(twins)
        twins.do("liquidator", Liquidate(BORROWER), refused=code)
    refuse(twins, "liq/not-liquidatable", ("liquidator", Liquidate(TRADER)))
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


def test_random_stories_with_spreads_and_faults_on_both(quoted_artifacts: dict[str, Artifact]) -> None:
    """S3, POL-1, MRG-12, MRG-13: every pushed price distorted; outcomes, events, states and views."""
    outcomes: Counter[tuple[str, str]] = Counter()
    for workload in DRAWN:
        teller = Teller(f"distorted-{workload}", DistortedTwins(quoted_artifacts))
        tell_stories(teller, workload, LENGTH, range(STORIES))
        outcomes += teller.outcomes
    assert count_actions(outcomes) == STORIES * LENGTH * len(DRAWN)
    met = {code for _, code in outcomes} & set(CODES.values())
    assert len(met) >= 10
    assert outcomes["Liquidate", "ok"] > 5
    assert min(outcomes["CommitOrder", "ok"], outcomes["SettleOrder", "ok"]) > 5


@pytest.mark.deep
@pytest.mark.parametrize("first", range(1_000, 1_400, 100))
def test_many_random_stories_with_faults_on_both(quoted_artifacts: dict[str, Artifact], first: int) -> None:
    """S3, POL-1: more and longer stories."""
    for workload in DRAWN:
        teller = Teller(f"distorted-{workload}-{first}", DistortedTwins(quoted_artifacts))
        tell_stories(teller, workload, 2 * LENGTH, range(first, first + 50))
        assert count_actions(teller.outcomes) == 2 * LENGTH * 50
