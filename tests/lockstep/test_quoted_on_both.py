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
    SetLeverageCap,
    SetMarket,
    SetOrders,
    SetRisk,
    Transfer,
    Withdraw,
)
from protocol.env import Status
from protocol.policy import POLICY, is_accepted
from protocol.units import PRICE_LIMIT, W
from tests.lockstep.both import BORROWER, DOLLAR, LOT, MARKET, TRADER, buy, check, measure, refuse, standing
from tests.lockstep.orders import NEXT, RULES, commit, settle
from tests.lockstep.quoted import DistortedTwins, QuotedTwins, compile_quoted
from tests.lockstep.sequences import DRAWN
from tests.lockstep.test_random import LENGTH, Teller, count_actions, tell_stories
from tests.twins import BTC, ETH, RISK, USDC, WETH, Checkpoint

PRICE = {BTC: 8_000 * W, ETH: 200 * W}
STALE = int(Status.STALE_HARD)
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


@pytest.fixture(scope="module")
def quoted_artifacts() -> dict[str, Artifact]:
    """All contracts, with a hub that can be told what to answer."""
    return compile_quoted()


@pytest.fixture(scope="module")
def funded(quoted_artifacts: dict[str, Artifact]) -> tuple[QuotedTwins, Checkpoint]:
    """Twins configured and funded once, and that moment to go back to."""
    twins = QuotedTwins(quoted_artifacts)
    twins.configure()
    twins.fund()
    return twins, twins.save()


@pytest.fixture
def quoted(funded: tuple[QuotedTwins, Checkpoint]) -> QuotedTwins:
    """Configured and funded twins whose prices can be given."""
    twins, moment = funded
    twins.restore(moment)
    return twins


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

    def code(action: str, otherwise: str | None = None) -> str | None:
        """How an action of a sound account ends by its row of the table."""
        return otherwise if is_accepted(POLICY[action], bad) else CODES[status]

    twins.do("admin", SetMarket(BTC, MARKET), refused=code("set_market"))
    # A liquidation is measured before anything is closed.
    twins.do("liquidator", Liquidate(BORROWER), refused=code("flag_account", "liq/not-liquidatable"))
    twins.do("liquidator", FlagAccount(BORROWER), refused=code("flag_account", "liq/not-liquidatable"))
    twins.do("liquidator", MarginCall(BORROWER), refused=code("margin_call", "margin/no-call"))
    check(twins, sizes=(BORROWER,))
    twins.do("stranger", Deposit(BORROWER, USDC, 1))
    twins.do("stranger", FundInsurance(1))
    twins.do("borrower", buy(-LOT), refused=code("trade_reduce"))
    twins.do("borrower", CloseAll(BORROWER, -(2**200)), refused=code("close_all"))
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
