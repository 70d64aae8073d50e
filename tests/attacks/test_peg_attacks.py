"""Attacks with USDC that is worth less than a dollar."""

from __future__ import annotations

from dataclasses import replace

from oracle.feeds import Push, SetFeed
from protocol.actions import BuyInventory, DepositToPool, Liquidate, SetRisk, Withdraw
from protocol.units import W
from tests.attacks.stage import DOLLAR, Purse, Stage, account_of, dollars, redeem, trade
from tests.twins import RISK, USDC, WETH, Twins

BORROWER = account_of("borrower")
FEED = 4


def cheapen(twins: Twins, cents: int = 80) -> None:
    """Give USDC a feed, and so many cents as its price."""
    twins.do("admin", SetFeed(FEED, 8, 7_200))
    twins.do("admin", SetRisk(replace(RISK, usdc_feed=FEED + 1, depeg_threshold=9_900, depeg_factor=5_000)))
    twins.do("poster", Push((FEED,), (cents * 10**6,)))


def fail(twins: Twins) -> None:
    """USDC at 80 cents; the borrower's ten WETH, 2,000 dollars, are sold for a loss of some 2,200 USDC."""
    twins.deposit("borrower", weth=10)
    twins.do("borrower", trade(BORROWER, 2 * W))
    cheapen(twins)
    twins.price(BTC=6_900)
    twins.do("liquidator", Liquidate(BORROWER))


def test_b35_inventory_for_cheap_dollars(stage: Stage) -> None:
    """B35: USDC is at 80 cents; somebody buys the pool's inventory with it at par.

    From: a stable token that counts 1 wherever it is paid. Guard: PEG-3, what is bought costs what it is worth in USDC.
    Without it 9 WETH cost 1,755 USDC, and are worth 2,250: a gain of 45 dollars by any measure, 396 by the price of
    USDC. With it the buyer pays 2,193.75 USDC.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "stranger")
        fail(twins)
        twins.do("stranger", BuyInventory(WETH, 9 * 10**18, 2**90))
        return purse.gain()

    assert stage.guarded(story) == dollars("-393.75")
    assert stage.without("inventory costs what it is worth in USDC", story) == dollars("45")


def test_b35_a_debtor_is_sold_out_at_par(stage: Stage) -> None:
    """B35: USDC is at 80 cents; collateral that is worth the debt in USDC is sold for less.

    From: a stable token that counts 1 when something is sold for it. Guard: PEG-3, what is sold brings what it is worth
    in USDC. Without it the borrower loses all of his 2,000 dollars; with it 140.33 of WETH are left.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        fail(twins)
        return purse.gain()

    assert stage.guarded(story) == dollars("-1,859.669894736842105238")
    assert stage.without("collateral is sold at its price in USDC", story) == dollars("-2,000")


def test_b35_a_share_of_the_inventory_for_cheap_dollars(stage: Stage) -> None:
    """B35: USDC is at 80 cents; somebody buys shares at par before the inventory is sold for what it is worth.

    From: a stable token that counts 1 in a share's price. Guard: PEG-3, a share pays for inventory in USDC. Without it
    he gains 193.71 dollars, which those lose who were there before; with it he loses 38.52.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "stranger")
        fail(twins)
        twins.do("stranger", DepositToPool(10**6 * DOLLAR))
        shares = twins.event("StakeUpdated").shares
        twins.do("trader", BuyInventory(WETH, 9 * 10**18, 2**90))
        redeem(twins, "stranger", shares)
        return purse.gain()

    assert stage.guarded(story) == dollars("-38.522473")
    assert stage.without("a share pays for inventory in USDC", story) == dollars("193.711463")


def test_b35_leverage_on_cheap_dollars(stage: Stage) -> None:
    """B35: USDC is at 85 cents; an owner takes half of it away from under a position before BTC falls.

    From: margin in a token that is losing its peg. Guard: PEG-2, initial margin rises with the distance. Without it 500
    dollars leave in time.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=1_000)
        twins.do("borrower", trade(BORROWER, W))
        cheapen(twins, 85)
        twins.attempt("borrower", Withdraw(BORROWER, USDC, 500 * DOLLAR))
        twins.price(BTC=6_900)
        twins.do("liquidator", Liquidate(BORROWER))
        return purse.gain()

    assert stage.guarded(story) == dollars("-1,000")
    assert stage.without("leverage on cheap USDC needs more of it", story) == dollars("-500")
