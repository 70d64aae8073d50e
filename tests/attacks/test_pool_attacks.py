"""Attacks on the pool and on what it holds: its first share, its price, its tokens."""

from __future__ import annotations

from dataclasses import replace

from protocol.actions import ClaimRedemption, Deposit, DepositToPool, RequestRedemption, SetRisk, Withdraw
from protocol.units import W
from tests.attacks.stage import DOLLAR, Purse, Stage, account_of, close, dollars, redeem, set_mood, trade
from tests.twins import RISK, WETH, Twins

BORROWER = account_of("borrower")
STRANGER = account_of("stranger")
TRADER = account_of("trader")


def test_b23_a_first_share_worth_thousands(stage: Stage) -> None:
    """B23: somebody keeps a single unit of shares, makes the pool rich by trading losses, and waits for a deposit.

    From: share prices inflated by the first depositor, by gifts or by losses. Guard: LPD-2, virtual shares and dollars,
    so that a unit is worth next to nothing; gifts of tokens count in no ledger (C2). Without it the deposit of 1,999
    dollars buys one unit like his, and he gains 496.49 dollars instead of losing 1,005.48.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.do("admin", SetRisk(replace(RISK, lock_ratio=0)))
        redeem(twins, "lender", 10**6 * W)
        twins.do("borrower", DepositToPool(2))
        redeem(twins, "borrower", twins.event("StakeUpdated").shares - 1)
        twins.deposit("borrower", usd=2_000)
        twins.price(BTC=8_000)
        twins.do("borrower", trade(BORROWER, W))
        twins.price(BTC=7_000)
        close(twins, "borrower", BORROWER)
        twins.do("lender", DepositToPool(1_999 * DOLLAR))
        redeem(twins, "borrower", 1)
        return purse.gain()

    assert stage.guarded(story) == dollars("-1,005.483997")
    assert stage.without("virtual shares", story) == dollars("496.487499")


def test_b24_entering_before_a_loss_of_the_traders_is_booked(stage: Stage) -> None:
    """B24: a trader is down by 100,000 dollars; somebody buys half of the pool before the trader closes.

    From: shares priced at booked money. Guard: LPD-1, a deposit pays for the traders' net loss. Without it he takes
    50,032.73 dollars for an hour's deposit; with it 59.97, his half of the closing fee.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "stranger")
        twins.deposit("trader", usd=200_000)
        twins.do("trader", trade(TRADER, 100 * W))
        twins.price(BTC=7_000)
        twins.do("stranger", DepositToPool(10**6 * DOLLAR))
        shares = twins.event("StakeUpdated").shares
        close(twins, "trader", TRADER)
        redeem(twins, "stranger", shares)
        return purse.gain()

    assert stage.guarded(story) == dollars("59.965448")
    assert stage.without("a pool deposit pays for the traders' losses", story) == dollars("50,032.730198")


def test_b24_entering_before_a_market_empties(stage: Stage) -> None:
    """B24: the last position of a market is about to be closed; somebody buys nine tenths of the pool before that.

    From: income that falls to whoever holds shares when it is booked. Guard: LPD-1, a deposit pays for the impact
    that the close will leave. Without it he takes 9,646.26 dollars, paid by traders before he came; with it 647.24,
    his part of the closing fee.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "stranger")
        twins.deposit("trader", usd=700_000)
        twins.do("trader", trade(TRADER, 500 * W))
        twins.do("stranger", DepositToPool(9 * 10**6 * DOLLAR))
        shares = twins.event("StakeUpdated").shares
        close(twins, "trader", TRADER)
        redeem(twins, "stranger", shares)
        return purse.gain()

    assert stage.guarded(story) == dollars("647.236261")
    assert stage.without("a pool deposit pays for the impact collected", story) == dollars("9,646.263672")


def test_b24_leaving_before_a_gain_of_the_traders_is_booked(stage: Stage) -> None:
    """B24: a trader is up by 100,000 dollars; a provider of half the pool leaves before the trader closes.

    From: redemptions at booked money. Guard: LPR-1, a redemption leaves the traders' net gain behind. Without it the
    provider leaves with a gain of 180 dollars instead of a loss of 49,820, and the others pay the trader alone.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "stranger")
        twins.do("stranger", DepositToPool(10**6 * DOLLAR))
        twins.do("stranger", RequestRedemption(twins.event("StakeUpdated").shares))
        twins.deposit("trader", usd=200_000)
        twins.do("trader", trade(TRADER, 100 * W))
        twins.price(BTC=9_000, after=RISK.redemption_delay)
        twins.do("stranger", ClaimRedemption())
        return purse.gain()

    assert stage.guarded(story) == dollars("-49,820")
    assert stage.without("a redemption leaves the traders' gains", story) == dollars("179.999999")


def test_b28_a_token_that_moves_less_than_it_says(moody_stage: Stage) -> None:
    """B28: a token answers that all of a deposit arrived and moves half of it.

    From: fee-on-transfer, rebasing and lying tokens. Guard: DEP-3, the vault compares its own balance before and after.
    Without it a deposit of one token costs half of one and is worth a whole one: 100 dollars, out of the deposits of
    others. The model knows no tokens, so the contracts play alone.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("trader", weth=10)
        set_mood(twins, WETH, kept=W // 2)
        twins.attempt("borrower", Deposit(BORROWER, WETH, W))
        set_mood(twins, WETH)
        twins.attempt("borrower", Withdraw(BORROWER, WETH, W))
        return purse.gain()

    assert moody_stage.on_contracts(story) == 0
    assert moody_stage.without("a token delivers what was asked for", story) == dollars("100")
