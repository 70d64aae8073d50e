"""Attacks on liquidation: to escape it, to earn from it, to make it fail.

An owner who cannot be liquidated holds a free option: the loss below zero is the pool's, the recovery is his.
"""

from __future__ import annotations

from dataclasses import replace

from protocol.actions import (
    Deposit,
    DepositToPool,
    FlagAccount,
    Liquidate,
    LiquidateMany,
    SetMarket,
    SetRisk,
    Withdraw,
)
from protocol.params import MarginBracket
from protocol.units import W
from tests.attacks.stage import (
    DOLLAR,
    QUIET,
    Purse,
    Stage,
    account_of,
    close,
    dollars,
    redeem,
    set_mood,
    trade,
)
from tests.twins import RISK, USDC, WETH, Twins

BORROWER = account_of("borrower")
STRANGER = account_of("stranger")
TRADER = account_of("trader")


def fall_and_recover(twins: Twins) -> None:
    """The price falls, an honest keeper tries to liquidate the borrower, the price recovers, the borrower leaves."""
    twins.price(BTC=7_400)
    twins.attempt("liquidator", Liquidate(BORROWER))
    twins.price(BTC=8_600)
    close(twins, "borrower", BORROWER)


def test_b1_liquidating_oneself_for_the_reward(stage: Stage) -> None:
    """B1: an account with cents of debt pays its own keeper the fixed reward, out of the insurance fund.

    From: margin systems that paid a minimum reward whatever was liquidated. Guard: RWD-2, a reward is at most 1 % of
    the debt settled. Without it twenty such accounts earn 86.57 dollars instead of costing 13.30, and so do any other
    twenty.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower", "stranger")
        for sub in range(20):
            account = account_of("borrower", sub)
            twins.do("borrower", Deposit(account, WETH, W // 2))
            twins.do("borrower", trade(account, W // 8))
            twins.do("borrower", trade(account, -W // 8))
            twins.do("borrower", Withdraw(account, WETH, W // 2 - W * 42 // 10_000))
        twins.price(ETH=160)
        for sub in range(20):
            twins.do("stranger", Liquidate(account_of("borrower", sub)))
        return purse.gain()

    assert stage.guarded(story) == dollars("-13.299875")
    assert stage.without("a reward is at most a share of what was closed", story) == dollars("86.5740125")


def test_b2_a_speck_of_collateral_blocks_the_liquidation(stage: Stage) -> None:
    """B2: a wei of a token in the account, which the sale cannot cover the debt with.

    From: liquidations that computed what to seize from the debt alone. Guard: WAT-1, a sale is at most what is held.
    Without it the liquidation fails and the borrower keeps a free option: he gains 594.27 dollars instead of losing
    500.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=500)
        twins.do("stranger", Deposit(BORROWER, WETH, 1))
        twins.do("borrower", trade(BORROWER, W))
        fall_and_recover(twins)
        return purse.gain()

    assert stage.guarded(story) == dollars("-500")
    assert stage.without("a sale is at most what is held", story) == dollars("594.2670000000000002")


def test_b3_too_many_positions_block_the_liquidation(stage: Stage) -> None:
    """B3: one position more than a liquidation has room for.

    From: loops over everything an account holds. Guard: TRD-10, an account holds at most sixteen positions. Without it
    the seventeenth makes the liquidation fail: a gain of 1,191.40 dollars instead of a loss of 1,500.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=1_500)
        for market in range(2, 17):
            twins.do("admin", SetMarket(market, QUIET))
        for market in range(17):
            twins.attempt("borrower", trade(BORROWER, 5 * W if market == 1 else W // 8, market))
        twins.price(BTC=7_000)
        twins.attempt("liquidator", Liquidate(BORROWER))
        twins.price(BTC=8_600)
        return purse.gain()

    assert stage.guarded(story) == dollars("-1,500")
    assert stage.without("sixteen positions", story) == dollars("1,191.3975")


def test_b4_a_receiver_that_cannot_be_paid_blocks_the_liquidation(moody_stage: Stage) -> None:
    """B4: the token refuses transfers to the owner, as a blocked address or a reverting receiver would.

    From: liquidations that send the remainder or the reward along. Guard: LIQ-1, a liquidation moves no token and calls
    nobody. With a transfer in it, it fails: a gain of 594.27 dollars instead of a loss of 500.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=500)
        twins.do("borrower", trade(BORROWER, W))
        twins.price(BTC=7_400)
        set_mood(twins, USDC, fails=True)
        twins.attempt("liquidator", Liquidate(BORROWER))
        set_mood(twins, USDC)
        twins.price(BTC=8_600)
        close(twins, "borrower", BORROWER)
        return purse.gain()

    assert moody_stage.guarded(story) == dollars("-500")
    assert moody_stage.without("a liquidation calls nobody", story) == dollars("594.267")


def test_b5_a_loss_above_the_margin_makes_the_liquidation_fail(stage: Stage) -> None:
    """B5: reward and penalty are taken from an account that is worth less than nothing.

    From: a subtraction that underflows when the loss exceeds the margin. Guard: RWD-4, an account pays at most its
    value, and nothing below zero. Without it a bankrupt account cannot be liquidated: a gain of 594.27 dollars instead
    of a loss of 500.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=500)
        twins.do("borrower", trade(BORROWER, W))
        fall_and_recover(twins)
        return purse.gain()

    assert stage.guarded(story) == dollars("-500")
    assert stage.without("nothing is charged to an account worth less than nothing", story) == dollars("594.267")


def test_b6_no_keeper_comes_for_an_account_under_water(stage: Stage) -> None:
    """B6: a keeper acts only for a reward, and an account under water has nothing to pay one with.

    From: rewards taken from what is left of the margin. Guard: RWD-5, the insurance fund, then the pool add what the
    account cannot pay. Without it nobody comes, and the borrower gains 594.27 dollars instead of losing 500.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=500)
        twins.do("borrower", trade(BORROWER, W))
        twins.price(BTC=7_400)
        keeper = account_of("liquidator") >> 96
        if twins.chain.contracts.quote_liquidation(BORROWER, keeper).reward:
            twins.do("liquidator", Liquidate(BORROWER))
        twins.price(BTC=8_600)
        close(twins, "borrower", BORROWER)
        return purse.gain()

    assert stage.guarded(story) == dollars("-500")
    assert stage.without("the insurance fund adds to a reward", story) == dollars("594.267")


def test_b7_a_keeper_grows_what_he_liquidates(stage: Stage) -> None:
    """B7: each liquidation of a short sells more, so that the next one is due at once and pays again.

    From: close sizes with a sign the keeper chose. Guard: LIQ-5, a close has the opposite sign of the position. Without
    it five calls earn the keeper 1,874.11 dollars instead of 42.76.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "liquidator")
        twins.deposit("borrower", usd=5_000)
        twins.do("borrower", trade(BORROWER, -10 * W))
        twins.price(BTC=8_300)
        for _ in range(5):
            twins.attempt("liquidator", Liquidate(BORROWER))
        return purse.gain()

    assert stage.guarded(story) == dollars("42.7567")
    assert stage.without("a liquidation moves a size toward 0", story) == dollars("1,874.1072")


def test_b14_maintenance_below_the_cost_of_closing(stage: Stage) -> None:
    """B14: a market whose maintenance margin does not even pay for the liquidation.

    From: liquidation fees left out of the maintenance margin. Guard: CFG-3, the first maintenance rate exceeds all a
    liquidation may charge. Without it closing frees less than it costs, no size is enough, the liquidation fails, and
    the borrower keeps the option: a gain of 594.27 dollars.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=500)
        thin = replace(QUIET, brackets=(MarginBracket(0, W // 100, W // 20),))
        if twins.attempt("admin", SetMarket(2, thin)) == "ok":
            twins.do("borrower", trade(BORROWER, W, 2))
        twins.price(BTC=7_400)
        twins.attempt("liquidator", Liquidate(BORROWER))
        twins.price(BTC=8_600)
        close(twins, "borrower", BORROWER, 2)
        return purse.gain()

    assert stage.guarded(story) == 0
    assert stage.without("maintenance is above the cost of closing", story) == dollars("594.267")


def test_b29_a_token_burns_the_gas_of_the_keeper(moody_stage: Stage) -> None:
    """B29: a receiver burns all the gas a liquidation gives it; the liquidation survives, the keeper pays.

    From: calls to the owner's side whose failure is ignored. Guard: LIQ-1, a liquidation calls nobody but the
    protocol's own contracts. Without it one liquidation costs the keeper 150 dollars at 50 gwei, and he earns 12.40.
    """

    def story(twins: Twins) -> int:
        twins.deposit("borrower", usd=500)
        twins.do("borrower", trade(BORROWER, W))
        twins.price(BTC=7_400)
        set_mood(twins, USDC, burns=True)
        twins.do("liquidator", Liquidate(BORROWER))
        gas = int(twins.chain.contracts.node._evm.result.gas_used)  # type: ignore[attr-defined]
        spent = gas * 50 * 200 * 10**9  # gwei, and dollars for a whole coin
        return spent // dollars("10") * dollars("10")  # down to tens: pyrevm counts gas, but not as a chain does

    assert moody_stage.guarded(story) == 0
    assert moody_stage.without("a liquidation gives its gas to nobody", story) == dollars("150")


def test_b30_one_rescued_account_stops_a_batch(stage: Stage) -> None:
    """B30: of two accounts in a keeper's batch one is topped up just before, and with it the whole batch fails.

    From: batches that stop at the first item that reverts. Guard: LIQ-9, each account by itself. Without it the other
    account escapes too: both gain 1,188.51 dollars instead of 141.06.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower", "stranger")
        for owner, account in (("borrower", BORROWER), ("stranger", STRANGER)):
            twins.deposit(owner, usd=500)
            twins.do(owner, trade(account, W))
        twins.price(BTC=7_640)
        twins.deposit("borrower", usd=200)
        twins.attempt("liquidator", LiquidateMany((BORROWER, STRANGER)))
        twins.price(BTC=8_600)
        close(twins, "borrower", BORROWER)
        close(twins, "stranger", STRANGER)
        return purse.gain()

    assert stage.guarded(story) == dollars("141.0584")
    assert stage.without("a refusal stays with its account", story) == dollars("1,188.508")


def test_b31_one_account_twice_in_a_batch(stage: Stage) -> None:
    """B31: the keeper names an account twice and is paid twice.

    From: lists whose elements are checked before any of them is processed. Guard: LIQ-4, every item is measured when
    its turn comes. Without it the second item closes all that the first one left: 86.90 dollars instead of 35.98.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "liquidator")
        twins.deposit("borrower", usd=5_000)
        twins.do("borrower", trade(BORROWER, 10 * W))
        twins.price(BTC=7_690)
        twins.do("liquidator", LiquidateMany((BORROWER, BORROWER)))
        return purse.gain()

    assert stage.guarded(story) == dollars("35.97532")
    assert stage.without("every item is checked", story) == dollars("86.9")


def test_b38_the_insurance_fund_pays_for_a_chosen_impact(stage: Stage) -> None:
    """B38: a long is liquidated into a skew of shorts, at an impact it cannot pay, and the shorts collect it.

    From: insurance funds drained through the price at which a liquidation was filled. Guard: FIL-6, the impact of a
    liquidation is at most 0.5 % of what is closed. Without it the owner of both is 82,350 dollars better off: he loses
    96,640 and not 178,990.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower", "stranger")
        twins.deposit("borrower", usd=220_000)
        twins.deposit("stranger", usd=700_000)
        twins.do("borrower", trade(BORROWER, 300 * W))
        twins.do("stranger", trade(STRANGER, -600 * W))
        twins.price(BTC=7_500)
        twins.do("liquidator", Liquidate(BORROWER))
        twins.price(BTC=8_000)
        close(twins, "stranger", STRANGER)
        return purse.gain()

    assert stage.guarded(story) == dollars("-178,990")
    assert stage.without("the impact of a liquidation is bounded", story) == dollars("-96,640")


def test_b38_trading_around_a_liquidation(stage: Stage) -> None:
    """B38: a trader buys before a large short is liquidated and sells after it; others had paid for the skew.

    From: rebates paid for a skew that nobody was charged for. Guard: FIL-9, a rebate is at most its share of what was
    collected. Without it he gains 9,122.50 dollars, which the trader then misses when he closes; with it he loses
    1,026.88.
    """

    def story(twins: Twins) -> int:
        twins.deposit("borrower", usd=220_000)
        twins.deposit("trader", usd=700_000)
        twins.do("trader", trade(TRADER, 250 * W))
        twins.do("borrower", trade(BORROWER, -240 * W))
        purse = Purse(twins, "stranger")
        twins.deposit("stranger", usd=700_000)
        twins.price(BTC=8_900)
        twins.do("stranger", trade(STRANGER, 250 * W))
        twins.do("liquidator", Liquidate(BORROWER), after=0)
        close(twins, "stranger", STRANGER)
        return purse.gain()

    assert stage.guarded(story) == dollars("-1,026.875")
    assert stage.without("a rebate is at most its share of what was collected", story) == dollars("9,122.5")


def test_b42_the_first_provider_to_leave_is_paid_in_full(stage: Stage) -> None:
    """B42: a bankrupt account keeps its debt, the pool counts the claim as money, and who leaves first takes it.

    From: negative equity left on abandoned accounts. Guard: WAT-3, bad debt is covered in the liquidation that finds
    it. Without it a provider of half the pool gains 75,717.50 dollars instead of 29,672.50; the others are short of it.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "stranger")
        twins.do("stranger", DepositToPool(10**6 * DOLLAR))
        shares = twins.event("StakeUpdated").shares
        twins.deposit("borrower", usd=50_000)
        twins.do("borrower", trade(BORROWER, 100 * W))
        twins.price(BTC=6_500)
        twins.do("liquidator", Liquidate(BORROWER))
        redeem(twins, "stranger", shares)
        return purse.gain()

    assert stage.guarded(story) == dollars("29,672.499999")
    assert stage.without("bad debt is covered at once", story) == dollars("75,717.499999")


def test_b45_a_set_of_parameters_that_is_valid_alone(stage: Stage) -> None:
    """B45: new risk parameters in range, with a penalty above the maintenance rate of the markets listed.

    From: setters that check their own record only. Guard: GOV-1, every market must fit new risk parameters. Without it
    no liquidation can be sized any more, and the borrower gains 594.27 dollars instead of losing 500.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=500)
        twins.do("borrower", trade(BORROWER, W))
        twins.attempt("admin", SetRisk(replace(RISK, penalty_ratio=W * 3 // 100)))
        fall_and_recover(twins)
        return purse.gain()

    assert stage.guarded(story) == dollars("-500")
    assert stage.without("risk parameters must fit the markets", story) == dollars("594.267")


def test_b46_a_nuisance_deposit_sets_the_clock_back(stage: Stage) -> None:
    """B46: a deposit of a cent, then a call to lift the flag, so that the reward starts to grow anew.

    From: deposits on behalf that reset somebody's timer. Guard: LIQ-10, a flag is lifted only at the liquidation buffer
    above maintenance, and a deposit never touches it. Without it the owner pays the keeper 546.75 dollars less.
    """

    def story(twins: Twins) -> int:
        purse = Purse(twins, "borrower")
        twins.deposit("borrower", usd=50_000)
        twins.do("borrower", trade(BORROWER, 100 * W))
        twins.price(BTC=7_720)
        twins.do("stranger", FlagAccount(BORROWER))
        twins.do("stranger", Deposit(BORROWER, USDC, 10_000), after=2_000)
        twins.attempt("stranger", FlagAccount(BORROWER))
        twins.do("liquidator", Liquidate(BORROWER))
        return purse.gain()

    assert stage.guarded(story) == dollars("-34,455.182912565")
    assert stage.without("a flag is lifted only well above maintenance", story) == dollars("-33,908.433212565")
