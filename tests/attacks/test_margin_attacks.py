"""Attacks on what an account is worth: funding, collateral, haircuts, profits, parameters, and ways out."""

from __future__ import annotations

from dataclasses import replace

from oracle.feeds import Push
from protocol.actions import Deposit, Liquidate, SetMarket, Transfer, Withdraw
from protocol.units import USDC_TO_W, W
from tests.attacks.stage import DOLLAR, QUIET, Purse, Stage, account_of, close, dollars, trade
from tests.twins import BTC, ETH, USDC, WETH, Twins

BORROWER = account_of("borrower")
STRANGER = account_of("stranger")
TRADER = account_of("trader")
DAY = 86_400
# Funding at the fastest that governance may choose: at a skew of 5 BTC the rate grows by 5 % a day every day.
FAST = replace(QUIET, skew_scale=1_000 * W, dead_band=0, funding_cap=W, funding_velocity=10 * W, funding_decay=0)


def test_b10_funding_still_pending_is_not_counted(stage: Stage) -> None:
    """B10: an account withdraws what its position owes in funding and walks away; its sister account receives it.

    From: margin checks before fees and funding are settled. Guard: MRG-4, pending funding is part of every equity.
    Without it three days of funding on 10 BTC earn their payer 4,344.35 dollars instead of costing 9,134.21.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower", "stranger")
        twins.do("admin", SetMarket(BTC, FAST))
        twins.deposit("borrower", usd=22_000)
        twins.deposit("stranger", usd=5_000)
        twins.do("borrower", trade(BORROWER, 10 * W))
        twins.do("stranger", trade(STRANGER, -5 * W))
        twins.price(BTC=8_000, after=3 * DAY)
        twins.attempt("borrower", Withdraw(BORROWER, USDC, 17_000 * DOLLAR))
        close(twins, "borrower", BORROWER)
        close(twins, "stranger", STRANGER)
        return purse.gain()

    assert stage.guarded(story) == dollars("-9,134.208334538966049375")
    assert stage.without("pending funding counts", story) == dollars("4,344.347224767446844985")


def test_b11_the_clock_is_set_before_it_is_read(stage: Stage) -> None:
    """B11: an accrual that notes the time first finds that none has passed.

    From: accruals that store their own time before they take the difference. Guard: FUN-2, the index moves, then the
    time. Without it three days of funding on 10 BTC cost 96 dollars, fees and impact, instead of 36,096.28.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.do("admin", SetMarket(BTC, FAST))
        twins.deposit("borrower", usd=45_000)
        twins.do("borrower", trade(BORROWER, 10 * W))
        twins.price(BTC=8_000, after=3 * DAY)
        close(twins, "borrower", BORROWER)
        return purse.gain()

    assert stage.guarded(story) == dollars("-36,096.27777831361454046")
    assert stage.without("time is set after it is read", story) == dollars("-96")


def test_b12_open_interest_on_the_wrong_side(stage: Stage) -> None:
    """B12: a long that was closed stays in the totals; the pool pays its funding to the short of the same owner.

    From: totals moved at the wrong price, with the wrong sign or on the wrong side. Guard: FIL-4, a market's totals
    move by exactly what the position moves. Without it a short of 5 BTC earns 60,466.66 dollars in three days instead
    of costing 9,901.51.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower", "stranger")
        twins.do("admin", SetMarket(BTC, FAST))
        twins.deposit("borrower", usd=40_000)
        twins.deposit("stranger", usd=20_000)
        twins.do("borrower", trade(BORROWER, 40 * W))
        twins.do("borrower", trade(BORROWER, -40 * W))
        twins.do("stranger", trade(STRANGER, -5 * W))
        twins.price(BTC=8_000, after=3 * DAY)
        close(twins, "stranger", STRANGER)
        return purse.gain()

    assert stage.guarded(story) == dollars("-9,901.51389545288923181")
    assert stage.without("a close lowers open interest", story) == dollars("60,466.664007691553987865")


def test_b25_units_of_another_scale(stage: Stage) -> None:
    """B25: a token of 18 decimals is valued as if it had 8, so that one WETH carries any position.

    From: decimals, basis points and fixed-point scales mixed up. Guard: COL-1, units are divided by the token's own
    decimals. Without it a long and a short of 300 BTC on one WETH each leave their owner 161,680 dollars after a rise
    of a tenth: the winner is paid, the loser has nothing to take.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower", "stranger")
        twins.deposit("borrower", weth=1)
        twins.deposit("stranger", weth=1)
        twins.attempt("borrower", trade(BORROWER, 300 * W))
        twins.attempt("stranger", trade(STRANGER, -300 * W))
        twins.price(BTC=8_800)
        close(twins, "borrower", BORROWER)
        twins.attempt("borrower", Withdraw(BORROWER, USDC, max(twins.cash(BORROWER), 0) // USDC_TO_W))
        for owner, account in (("borrower", BORROWER), ("stranger", STRANGER)):
            twins.attempt(owner, Withdraw(account, WETH, W))
        return purse.wallet_gain()

    assert stage.guarded(story) == 0
    assert stage.without("token decimals", story) == dollars("161,680")


def test_b26_a_negative_balance_read_as_a_large_one(stage: Stage) -> None:
    """B26: an account with a small debt withdraws USDC against its WETH, which then falls by half.

    From: casts that drop the sign. Guard: WDR-3, a balance has a sign, and no withdrawal takes it below 0. Without it
    100 WETH bring a loan of 16,000 dollars: 6,000 more than the collateral is worth when it is left behind.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", weth=100)
        twins.do("borrower", trade(BORROWER, W))
        twins.do("borrower", trade(BORROWER, -W))
        twins.attempt("borrower", Withdraw(BORROWER, USDC, 16_000 * DOLLAR))
        twins.price(ETH=100)
        twins.attempt("liquidator", Liquidate(BORROWER))
        return purse.gain()

    assert stage.guarded(story) == dollars("-5.64")
    assert stage.without("a balance has a sign", story) == dollars("6,000")


def test_b34_collateral_in_two_accounts_at_once(stage: Stage) -> None:
    """B34: a transfer credits the sister account and leaves the units where they were.

    From: collateral that counts for every account that names it. Guard: TRF-3, what is credited was debited, and C1
    holds over all accounts. Without it one WETH is withdrawn twice: 200 dollars out of somebody else's deposit.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        sister = account_of("borrower", 1)
        twins.deposit("trader", weth=10)
        twins.deposit("borrower", weth=1)
        twins.do("borrower", Transfer(BORROWER, sister, WETH, W))
        twins.do("borrower", Withdraw(sister, WETH, W))
        twins.attempt("borrower", Withdraw(BORROWER, WETH, W))
        return purse.gain()

    assert stage.guarded(story) == 0
    assert stage.without("what is credited was debited", story) == dollars("200")


def test_b35_no_haircut_on_the_way_out(stage: Stage) -> None:
    """B35: a withdrawal that counts the collateral left behind at its market value; then everything falls.

    From: haircuts applied when collateral comes in and not when other things go out. Guard: COL-2, equity_im counts
    collateral after its initial haircut. Without it 1,010 dollars more leave in time.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=5_000, weth=100)
        twins.do("borrower", trade(BORROWER, 45 * W))
        for amount in (4_000, 2_990):
            if twins.attempt("borrower", Withdraw(BORROWER, USDC, amount * DOLLAR)) == "ok":
                break
        twins.price(BTC=7_000, ETH=150)
        twins.do("liquidator", Liquidate(BORROWER))
        return purse.wallet_gain()

    assert stage.guarded(story) == dollars("-17,010")
    assert stage.without("collateral counts after its initial haircut", story) == dollars("-16,000")


def test_b36_a_profit_on_paper_is_taken_out(stage: Stage) -> None:
    """B36: the price rises, the owner withdraws what the unrealised profit seems to replace, the price falls back.

    From: unrealised profit that backs withdrawals. Guard: MRG-4, profit counts nothing in equity_im. Without it the
    owner of 100 BTC loses 5,000 dollars where the rule costs him 50,000, and the pool bears the rest.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=60_000)
        twins.do("borrower", trade(BORROWER, 100 * W))
        twins.price(BTC=9_000)
        for amount in (55_000, 10_000):
            if twins.attempt("borrower", Withdraw(BORROWER, USDC, amount * DOLLAR)) == "ok":
                break
        twins.price(BTC=7_400)
        twins.do("liquidator", Liquidate(BORROWER))
        return purse.gain()

    assert stage.guarded(story) == dollars("-50,000")
    assert stage.without("unrealised profit is no initial margin", story) == dollars("-5,000")


def test_b39_a_stricter_parameter_liquidates_a_healthy_account(stage: Stage) -> None:
    """B39: the admin raises the maintenance rate, and a keeper takes the accounts between the old rate and the new.

    From: parameter changes that bind positions in the same block. Guard: GOV-5 and MRG-8, the old rate holds where it
    is lower until the phase-in is over. Without it the keeper earns 30.83 dollars from a healthy account.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "liquidator")
        twins.deposit("borrower", usd=4_100)
        twins.do("borrower", trade(BORROWER, 10 * W))
        twins.price(BTC=7_850)
        first, *others = QUIET.brackets
        stricter = replace(first, mm_rate=W * 32 // 1_000, im_rate=W * 6 // 100)
        twins.do("admin", SetMarket(BTC, replace(QUIET, brackets=(stricter, *others))))
        twins.attempt("liquidator", Liquidate(BORROWER))
        return purse.gain()

    assert stage.guarded(story) == 0
    assert stage.without("stricter maintenance is phased in", story) == dollars("30.8265")


def test_b39_a_new_speed_of_funding_counts_for_the_past(stage: Stage) -> None:
    """B39: funding was slow for two days; the admin makes it ten times as fast, and the past is charged anew.

    From: parameters changed before what they govern is brought up to date. Guard: GOV-2, funding accrues under the old
    parameters first. Without it a short of 5 BTC receives 3,942.01 dollars for the two days instead of 342.01.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "stranger")
        twins.do("admin", SetMarket(BTC, replace(FAST, funding_velocity=W)))
        twins.deposit("trader", usd=20_000)
        twins.deposit("stranger", usd=20_000)
        twins.do("trader", trade(TRADER, 10 * W))
        twins.do("stranger", trade(STRANGER, -5 * W))
        twins.price(BTC=8_000, after=2 * DAY)
        twins.do("admin", SetMarket(BTC, FAST), after=0)
        twins.do("stranger", trade(STRANGER, 5 * W), after=0)
        return purse.gain()

    assert stage.guarded(story) == dollars("342.009259259259259255")
    assert stage.without("funding accrues before a parameter changes", story) == dollars("3,942.009259259259259255")


def test_b41_a_deposit_for_nobody(stage: Stage) -> None:
    """B41: a mistyped account id whose owner is the zero address.

    From: zero addresses, zero amounts, transfers to oneself. Guard: DEP-1, an account has an owner; amounts are above 0
    and a transfer's ends differ (DEP-2, TRF-2). Without it the depositor's 100 dollars belong to nobody for ever.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.attempt("borrower", Deposit(0, USDC, 100 * DOLLAR))
        twins.do("borrower", Deposit(BORROWER, USDC, 0), refused="amount/zero")
        twins.do("borrower", Deposit(BORROWER, USDC, DOLLAR))
        twins.do("borrower", Transfer(BORROWER, BORROWER, USDC, DOLLAR), refused="account/self-transfer")
        return purse.gain()

    assert stage.guarded(story) == 0
    assert stage.without("an account has an owner", story) == dollars("-100")


def test_b44_a_dead_token_locks_the_account(stage: Stage) -> None:
    """B44: a stranger gives an account a wei of a token whose feed then dies; its owner wants his dollars back.

    From: one price that is needed for everything. Guard: WDR-6, an account that owes nothing and holds no position
    needs no price. Without it 1,000 dollars are locked for as long as the feed is dead.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=1_000)
        twins.do("stranger", Deposit(BORROWER, WETH, 1))
        twins.do("poster", Push((ETH,), (0,)))
        twins.attempt("borrower", Withdraw(BORROWER, USDC, 1_000 * DOLLAR))
        return purse.wallet_gain()

    assert stage.guarded(story) == 0
    assert stage.without("an account that owes nothing needs no price", story) == dollars("-1,000")
