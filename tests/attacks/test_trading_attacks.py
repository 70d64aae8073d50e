"""Attacks with trades: on fees, fills, prices, limits and who may trade."""

from __future__ import annotations

from dataclasses import replace

from oracle.feeds import Push
from protocol.actions import (
    Deposit,
    DepositToPool,
    Liquidate,
    PauseOpening,
    SetMarket,
    Transfer,
    Withdraw,
)
from protocol.units import USDC_TO_W, W
from tests.attacks.stage import DOLLAR, HIGH, QUIET, Purse, Stage, account_of, close, dollars, redeem, send_call, trade
from tests.twins import BTC, USDC, Twins

BORROWER = account_of("borrower")
STRANGER = account_of("stranger")
TRADER = account_of("trader")


def test_b8_the_last_position_cannot_be_closed(stage: Stage) -> None:
    """B8: nobody is on the other side, and the rebate for the last close exceeds what the market has collected.

    From: counters of the empty side that underflow. Guard: FIL-7, a rebate is at most what the market holds. Without it
    the trader cannot take a profit of 99,420 dollars while it lasts, and leaves with a loss of 960 instead.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "trader")
        twins.deposit("trader", usd=60_000)
        twins.do("trader", trade(TRADER, 100 * W))
        twins.price(BTC=9_000)
        close(twins, "trader", TRADER)
        twins.price(BTC=8_000)
        close(twins, "trader", TRADER)
        return purse.gain()

    assert stage.guarded(story) == dollars("99,420")
    assert stage.without("a rebate is at most what was collected", story) == dollars("-960")


def test_b9_a_profit_beyond_the_pool_cannot_be_closed(stage: Stage) -> None:
    """B9: a trader has won more than the pool has.

    From: closes that fail until the pool is filled again. Guard: LED-2, what the pool cannot pay becomes deficit.
    Without it a profit of 1,199,200 dollars is gone before the pool could pay it, and 960 with it.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "trader")
        twins.deposit("trader", usd=60_000)
        twins.do("trader", trade(TRADER, 100 * W))
        twins.price(BTC=20_000)
        close(twins, "trader", TRADER)
        twins.price(BTC=8_000)
        close(twins, "trader", TRADER)
        return purse.gain()

    assert stage.guarded(story) == dollars("1,199,200")
    assert stage.without("a profit beyond the pool becomes deficit", story) == dollars("-960")


def test_b13_a_fee_that_nobody_pays(stage: Stage) -> None:
    """B13: fees are credited to pool and insurance, but not taken from the trader, who owns half of the pool.

    From: fees subtracted twice, or from nowhere. Guard: FIL-7, what is credited leaves the account balance. Without it
    ten round trips of 100 BTC earn 520 dollars instead of costing 5,080.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower", "stranger")
        twins.do("stranger", DepositToPool(10**6 * DOLLAR))
        shares = twins.event("StakeUpdated").shares
        twins.deposit("borrower", usd=60_000)
        for _ in range(10):
            twins.do("borrower", trade(BORROWER, 100 * W))
            twins.do("borrower", trade(BORROWER, -100 * W))
        redeem(twins, "stranger", shares)
        return purse.gain()

    assert stage.guarded(story) == dollars("-5,080.000001")
    assert stage.without("a fee comes out of the account", story) == dollars("519.999999")


def test_b15_a_flip_passes_for_a_reduction(stage: Stage) -> None:
    """B15: while opening is paused a long of 1 BTC is turned into a short of 0.9, and the price falls as foreseen.

    From: reduce-only tests that look at the size alone. Guard: TRD-7, a change of sign is no reduction. Without it the
    pause does not stop the new short: a gain of 889.43 dollars instead of a loss of 5.64.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=2_000)
        twins.do("borrower", trade(BORROWER, W))
        twins.do("guardian", PauseOpening(True))
        if twins.attempt("borrower", trade(BORROWER, -W * 19 // 10)) != "ok":
            close(twins, "borrower", BORROWER)
        twins.price(BTC=7_000)
        close(twins, "borrower", BORROWER)
        return purse.gain()

    assert stage.guarded(story) == dollars("-5.64")
    assert stage.without("a flip is no reduction", story) == dollars("889.43115")


def test_b17_opened_and_liquidated_at_one_price(stage: Stage) -> None:
    """B17: a position with nothing behind it is opened and liquidated within two seconds at one price.

    From: openings checked against maintenance, or not at all. Guard: TRD-12, growth needs initial margin, which CFG-4
    keeps above maintenance and the cost of closing. Without it an account of a millionth of a dollar earns its keeper 6
    dollars from the insurance fund, as often as one likes.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower", "stranger")
        twins.do("borrower", Deposit(BORROWER, USDC, 1))
        twins.attempt("borrower", trade(BORROWER, W // 8))
        twins.attempt("stranger", Liquidate(BORROWER))
        return purse.gain()

    assert stage.guarded(story) == 0
    assert stage.without("growth needs initial margin", story) == dollars("5.999999")


def test_b19_two_prices_within_a_second(stage: Stage) -> None:
    """B19: a trader opens, pushes his own price and closes, all in one second.

    From: price updates that ride in the trader's own transaction. Guard: ORC-4, only the poster pushes. Without it 100
    BTC earn 99,420 dollars instead of costing 960.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=60_000)
        twins.do("borrower", trade(BORROWER, 100 * W))
        twins.attempt("borrower", Push((BTC,), (9_000 * 10**8,)), after=0)
        twins.attempt("borrower", trade(BORROWER, -100 * W), after=0)
        return purse.gain()

    assert stage.guarded(story) == dollars("-960")
    assert stage.without("only the poster pushes", story) == dollars("99,420")


def test_b27_fees_divided_away(stage: Stage) -> None:
    """B27: trades of just under one whole unit, whose fee a division before the multiplication makes 0.

    From: rates applied to a number already rounded down. Guard: FIL-3, one division, at the end, rounded up. Without it
    ten round trips of 0.999 BTC cost 0.40 dollars instead of 56.34.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=1_000)
        for _ in range(10):
            twins.do("borrower", trade(BORROWER, W * 999 // 1_000))
            twins.do("borrower", trade(BORROWER, -W * 999 // 1_000))
        return purse.gain()

    assert stage.guarded(story) == dollars("-56.3432004")
    assert stage.without("multiplication before division", story) == dollars("-0.3992004")


def test_b32_a_transfer_where_a_withdrawal_is_refused(stage: Stage) -> None:
    """B32: the margin of a position is moved to a sister account, and withdrawn there.

    From: a check in one of two functions that do the same. Guard: TRF-4, a transfer out needs initial margin like a
    withdrawal. Without it a fall of 500 dollars on 100 BTC costs its owner 4,400 dollars instead of 59,280.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=60_000)
        twins.do("borrower", trade(BORROWER, 100 * W))
        units = twins.cash(BORROWER) // USDC_TO_W
        sister = account_of("borrower", 1)
        if twins.attempt("borrower", Transfer(BORROWER, sister, USDC, units)) == "ok":
            twins.do("borrower", Withdraw(sister, USDC, units))
        twins.price(BTC=7_500)
        twins.attempt("liquidator", Liquidate(BORROWER))
        return purse.gain()

    assert stage.guarded(story) == dollars("-59,280")
    assert stage.without("a transfer out needs initial margin", story) == dollars("-4,400")


def test_b33_a_trade_in_somebody_elses_name(stage: Stage) -> None:
    """B33: the function through which the protocol trades for a preview takes the sender as an argument.

    From: forwarders and batch calls that lose the true caller. Guard: sys/self-only, nobody but the protocol itself
    says for whom it acts. Without it a provider of half the pool makes somebody trade back and forth and earns 2,260
    dollars in fees; with it he earns nothing.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "stranger")
        twins.do("stranger", DepositToPool(10**6 * DOLLAR))
        shares = twins.event("StakeUpdated").shares
        twins.deposit("trader", usd=60_000)
        owner = f"0x{TRADER >> 96:040x}"
        for size, limit in ((100 * W, HIGH), (-100 * W, 0)) * 5:
            send_call(twins, "stranger", "self_trade", owner, TRADER, BTC, size, limit)
        redeem(twins, "stranger", shares)
        return purse.gain()

    assert stage.guarded(story) == 0
    assert stage.without("only the protocol says for whom it acts", story) == dollars("2,259.999999")


def test_b40_a_pause_holds_the_owner_and_not_the_keeper(stage: Stage) -> None:
    """B40: the guardian pauses while the price falls; an owner who wants to reduce must wait, his keeper need not.

    From: pauses that stop owners and not liquidations, or end without a time of grace. Guard: TRD-7 and GOV-4, a pause
    stops growth alone, so nobody is held in a position. Without it the keeper earns 35.98 dollars from an owner who
    would have been safe.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "liquidator")
        twins.deposit("borrower", usd=5_000)
        twins.do("borrower", trade(BORROWER, 10 * W))
        twins.do("guardian", PauseOpening(True))
        twins.price(BTC=7_800)
        twins.attempt("borrower", trade(BORROWER, -5 * W))
        twins.do("admin", PauseOpening(False))
        twins.price(BTC=7_690)
        twins.attempt("liquidator", Liquidate(BORROWER))
        return purse.gain()

    assert stage.guarded(story) == 0
    assert stage.without("a pause leaves reductions", story) == dollars("35.97532")


def test_b43_a_cap_passed_by_many_accounts(stage: Stage) -> None:
    """B43: open interest is capped at 100 BTC a side; who knows the next price opens 100 in each of four accounts.

    From: caps on an account where the risk is the market's. Guard: TRD-9, the cap binds all accounts together. Without
    it the pool loses 317,056 dollars to him instead of 79,384.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.do("admin", SetMarket(BTC, replace(QUIET, oi_cap=100 * W)))
        for sub in range(4):
            twins.deposit("borrower", usd=80_000, sub=sub)
            twins.attempt("borrower", trade(account_of("borrower", sub), 100 * W))
        twins.price(BTC=8_800)
        for sub in range(4):
            close(twins, "borrower", account_of("borrower", sub))
        return purse.gain()

    assert stage.guarded(story) == dollars("79,384")
    assert stage.without("caps bind the whole market", story) == dollars("317,056")
