"""Attacks with prices that are missing: to hide behind them, and to liquidate on their account."""

from __future__ import annotations

from oracle.feeds import Push
from protocol.actions import Deposit, DepositToPool, Liquidate, Withdraw
from protocol.units import W
from tests.attacks.stage import DOLLAR, Purse, Stage, account_of, close, dollars, redeem, trade
from tests.twins import ETH, USDC, WBTC, WETH, Twins

BORROWER = account_of("borrower")


def test_b44_a_unit_of_a_dead_token_hides_the_account(stage: Stage) -> None:
    """B44: a wei of WETH, whose feed has died, arrives in an account whose position loses everything.

    From: health checks that revert when one price is missing. Guard: MRG-12, LIQ-3, what has no price is measured at
    its ceiling and passed over. Without it no keeper can liquidate, and the borrower gains 594.27 dollars when the
    price is back instead of losing 500.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=500)
        twins.do("borrower", trade(BORROWER, W))
        twins.do("poster", Push((ETH,), (0,)))
        twins.do("stranger", Deposit(BORROWER, WETH, 1))
        twins.price(BTC=7_400)
        twins.attempt("liquidator", Liquidate(BORROWER))
        twins.price(BTC=8_600, ETH=200)
        close(twins, "borrower", BORROWER)
        return purse.gain()

    assert stage.guarded(story) == dollars("-500")
    assert stage.without("what has no price stops no liquidation", story) == dollars("594.2670000000000002")


def test_b44_a_dead_feed_liquidates_the_sound(stage: Stage) -> None:
    """B44: a keeper liquidates whoever holds a token on the day its feed stops.

    From: prices that read as 0 when they are missing. Guard: MRG-12, MRG-14, what has no price counts at its ceiling.
    Without it the owner of 10 WETH and a long of a BTC loses 97.04 dollars instead of 4.40, though no price has moved.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=100, weth=10)
        twins.do("borrower", trade(BORROWER, W))
        twins.do("poster", Push((ETH,), (0,)))
        twins.attempt("liquidator", Liquidate(BORROWER))
        twins.price(ETH=200)
        return purse.gain()

    assert stage.guarded(story) == dollars("-4.4")
    assert stage.without("what has no price counts at its ceiling", story) == dollars("-97.04")


def test_b44_a_unit_of_a_dead_token_locks_up_the_rest(stage: Stage) -> None:
    """B44: a stranger deposits a wei of WETH, whose feed is dead, whenever the owner of a position has taken it out.

    From: one price that is needed for everything. Guard: MRG-15, collateral whose price has a fault locks up
    nothing that is not needed beside it. Without it the owner gets none of the 900 dollars that nothing needs.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=1_000)
        twins.do("borrower", trade(BORROWER, W // 8))
        twins.do("poster", Push((ETH,), (0,)))
        for _ in range(9):
            twins.do("stranger", Deposit(BORROWER, WETH, 1))
            twins.attempt("borrower", Withdraw(BORROWER, USDC, 100 * DOLLAR))
            twins.do("borrower", Withdraw(BORROWER, WETH, 1))
        return purse.wallet_gain()

    assert stage.guarded(story) == dollars("-100")
    assert stage.without("collateral without a price locks up nothing else", story) == dollars("-1,000")


def test_b46_a_unit_of_a_dead_token_stops_a_rivals_trade(stage: Stage) -> None:
    """B46: before a rise, a rival deposits a wei of WETH, whose feed is dead, in the account that wants to buy.

    From: deposits for others that take something away from them. Guard: MRG-15, a trade needs no price that its margin
    can do without. Without it the buyer is refused, and misses a gain of 595.60 dollars.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=1_000)
        twins.do("poster", Push((ETH,), (0,)))
        twins.do("stranger", Deposit(BORROWER, WETH, 1))
        twins.attempt("borrower", trade(BORROWER, W))
        twins.price(BTC=8_600, ETH=200)
        return purse.gain()

    # The wei counts as well.
    assert stage.guarded(story) == dollars("595.6") + 200
    assert stage.without("a trade needs no price that its margin can do without", story) == 200


def test_b38_a_debt_that_waits_for_a_price_pays_again_and_again(stage: Stage) -> None:
    """B38: a debt waits for WETH, whose feed is dead; a keeper deposits a unit of WBTC, and is paid again for its sale.

    From: funds drained by rewards for accounts of which nothing is settled. Guard: RWD-2, what pays is the part of the
    debt that can be settled. Without it twenty units, 0.0004 dollars, earn the keeper 180 dollars more.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "liquidator")
        twins.deposit("borrower", usd=6_000, weth=10)
        twins.do("borrower", trade(BORROWER, 10 * W))
        twins.do("poster", Push((ETH,), (0,)))
        twins.price(BTC=2_000)
        twins.do("liquidator", Liquidate(BORROWER))
        for _ in range(20):
            twins.do("liquidator", Deposit(BORROWER, WBTC, 1))
            twins.do("liquidator", Liquidate(BORROWER))
        return purse.gain()

    assert stage.guarded(story) == dollars("24.9996038")
    assert stage.without("a debt that waits pays for what is settled of it", story) == dollars("204.9996")


def test_b42_a_unit_of_a_dead_token_keeps_a_bad_debt_on_the_books(stage: Stage) -> None:
    """B42: a provider deposits a wei of WETH, whose feed is dead, for a bankrupt account, and leaves before its loss.

    From: losses that wait for the last collateral to be sold. Guard: WAT-3, a debt waits for no more than what is kept
    can be worth. Without it a provider of half the pool gains 75,717.50 dollars instead of 29,672.50.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "stranger")
        twins.do("stranger", DepositToPool(10**6 * DOLLAR))
        shares = twins.event("StakeUpdated").shares
        twins.deposit("borrower", usd=50_000)
        twins.do("borrower", trade(BORROWER, 100 * W))
        twins.do("poster", Push((ETH,), (0,)))
        twins.do("stranger", Deposit(BORROWER, WETH, 1))
        twins.price(BTC=6_500)
        twins.do("liquidator", Liquidate(BORROWER))
        redeem(twins, "stranger", shares)
        return purse.gain()

    assert stage.guarded(story) == dollars("29,672.499999")
    assert stage.without("a debt waits for no more than its collateral can be worth", story) == dollars("75,717.499999")
