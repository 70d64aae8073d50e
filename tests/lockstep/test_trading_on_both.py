"""Trades through both twins: every success, every refusal in the order of the checks, every limit at its border."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts_py.keys import address_of
from oracle.feeds import Push, SetFeed
from protocol.account_state import AccountState
from protocol.actions import (
    CloseAll,
    CreateIsolated,
    Deposit,
    DepositToPool,
    FlagAccount,
    Liquidate,
    MarginCall,
    PauseOpening,
    SetLeverageCap,
    SetMarket,
    SetOperator,
    SetRisk,
    Trade,
    Transfer,
    Withdraw,
)
from protocol.fills import compute_fee, compute_impact
from protocol.margin import compute_required_equity
from protocol.params import MAX_POSITIONS, EquityTier
from protocol.trading import NO_LIMIT
from protocol.units import USDC_TO_W, W, cdiv
from tests.lockstep.both import (
    BORROWER,
    DOLLAR,
    LIQUIDATOR,
    LOT,
    MARKET,
    NO_FUNDING,
    PLAIN,
    TRADER,
    buy,
    check,
    measure,
    named,
    position,
    refuse,
    standing,
)
from tests.twins import BTC, ETH, RISK, USDC, Twins, market_params

DAY = 86_400
ISOLATED = BORROWER + 2
PRICE = 8_000 * W


def test_trades_on_both(twins: Twins) -> None:
    """TRD-7, FIL-1 to FIL-8, FUN-2, S3: open, add, reduce, flip and close, both sides, at prices with fractions."""
    twins.deposit("borrower", usd=20_000, weth=3)
    twins.deposit("trader", usd=20_000)
    answers = (800_000_000_001, 799_999_999_999, 812_345_678_912, 777_777_777_777)
    story = (2 * W, LOT, -W, -3 * W + LOT, -LOT, W, 2 * W, -W // 2)
    for number, size in enumerate(story):
        twins.do("poster", Push((BTC,), (answers[number % 4],)), after=500)
        twins.do("borrower", buy(size))
        twins.do("trader", buy(-size, TRADER), after=200)
    check(twins, sizes=(BORROWER, TRADER))
    for owner, account in (("borrower", BORROWER), ("trader", TRADER)):
        held = twins.world.protocol.accounts[account].positions.get(BTC)
        if held:
            twins.do(owner, buy(-held.size, account))
    totals = twins.world.protocol.markets[BTC]
    assert (totals.long_oi, totals.short_oi, totals.cost, totals.index_cost) == (0, 0, 0, 0)
    assert (totals.impact, totals.reserved) == (0, 0)
    check(twins)


def test_impact_and_fees_through_zero_skew_on_both(twins: Twins) -> None:
    """FIL-2, FIL-3, FIL-7, T4, T8: charge, rebate and both fees in one fill, mirrored; what is left goes to the pool."""
    twins.deposit("borrower", usd=10**6)
    twins.deposit("trader", usd=10**6)
    for side in (1, -1):
        twins.do("borrower", buy(100 * side * W))
        (grown,) = named(twins, "PositionUpdated")
        assert (grown.impact, grown.fee) == (4_000 * W, 400 * W)
        twins.do("trader", buy(-250 * side * W, TRADER))
        (crossed,) = named(twins, "PositionUpdated")
        # 150 beyond zero are charged 9,000, 100 toward it get back 90 % of 4,000; 160 maker and 600 taker.
        assert (crossed.impact, crossed.fee) == (5_400 * W, 760 * W)
        twins.do("trader", buy(250 * side * W, TRADER))
        pool = twins.world.protocol.ledger.pool
        left = twins.world.protocol.markets[BTC].impact
        twins.do("borrower", buy(-100 * side * W))
        (closed,) = named(twins, "PositionUpdated")
        assert closed.impact == -3_600 * W
        assert left - 3_600 * W > 0
        gained = twins.world.protocol.ledger.pool - pool
        assert gained == left - 3_600 * W + closed.fee * 9 // 10 - closed.pnl + closed.funding
        check(twins)


def test_a_rebate_is_at_most_what_was_collected_on_both(twins: Twins) -> None:
    """FIL-7, B8: at a higher price the rebate would exceed the market's ledger; the close takes what there is."""
    twins.deposit("borrower", usd=10**6)
    twins.do("borrower", buy(100 * W))
    twins.price(BTC=9_000)
    twins.do("borrower", buy(-100 * W))
    (closed,) = named(twins, "PositionUpdated")
    assert closed.impact == -4_000 * W
    check(twins)


def test_refused_trades_on_both(twins: Twins) -> None:
    """TRD-1 to TRD-7, S3: each refusal before any limit, with the one that comes next broken as well."""
    twins.deposit("borrower", usd=1_000)
    twins.do("borrower", CreateIsolated(ISOLATED, ETH))
    twins.do("admin", SetFeed(4, 8, 7_200))
    twins.do("admin", SetMarket(2, market_params(4)))
    refuse(twins, "account/unknown", ("liquidator", buy(0, LIQUIDATOR, 9)), ("stranger", buy(0, LIQUIDATOR, 9)))
    refuse(twins, "account/not-trader", ("stranger", buy(0, ISOLATED, 9)), ("stranger", buy(W)))
    refuse(twins, "market/unknown", *(("borrower", buy(0, ISOLATED, market)) for market in (3, 31, 32, 2**256 - 1)))
    refuse(twins, "account/isolated", ("borrower", buy(0, ISOLATED)), ("borrower", buy(2**96, ISOLATED)))
    refuse(twins, "amount/zero", ("borrower", buy(0)))
    refuse(twins, "sys/domain", *(("borrower", buy(size)) for size in (2**96, -(2**96), 2**255 - 1, -(2**255))))
    refuse(twins, "market/lot", *(("borrower", buy(size, market=2)) for size in (2**96 - 1, 1 - 2**96, 1, -1, LOT + 1)))
    twins.do("guardian", PauseOpening(True))
    refuse(twins, "oracle/unavailable", ("borrower", buy(W, market=2)))
    refuse(twins, "market/opening-paused", ("borrower", Trade(BORROWER, BTC, LOT, 0)))
    twins.do("admin", PauseOpening(False))
    # The acceptable price includes the impact of 0.4 dollars, at the wei.
    limit = PRICE + W * 4 // 10
    refuse(
        twins,
        "trade/price",
        ("borrower", Trade(BORROWER, BTC, W, limit - 1)),
        ("borrower", Trade(BORROWER, BTC, LOT, 0)),
        ("borrower", Trade(BORROWER, BTC, -W, PRICE - W * 4 // 10 + 1)),
        ("borrower", Trade(BORROWER, BTC, -W, 2**256 - 1)),
        ("borrower", Trade(BORROWER, BTC, -W, NO_LIMIT - 1)),
    )
    refuse(twins, "market/min-notional", ("borrower", buy(W // 8 - LOT)), ("borrower", buy(-W // 10)))
    twins.do("borrower", Trade(BORROWER, BTC, W, limit))
    refuse(twins, "market/min-notional", ("borrower", buy(-W + LOT)), ("borrower", buy(-W - LOT)))
    check(twins)


def test_every_limit_of_growth_in_its_order_on_both(twins: Twins) -> None:
    """TRD-8 to TRD-12, MRG-10, S3: all of them broken at once, then lifted one by one."""
    twins.deposit("trader", weth=40)
    tight: dict[str, Any] = {"max_premium": 0, "skew_cap": 0, "oi_cap": 0, "oi_cap_usd": 0}
    twins.do("admin", SetRisk(replace(RISK, lock_ratio=10_000, debt_cap=0, equity_tiers=(EquityTier(0, W),))))
    for size in (200 * W, -200 * W):
        for number, (name, value) in enumerate(tight.items()):
            twins.do("admin", SetMarket(BTC, replace(MARKET, **dict(list(tight.items())[number:]))))
            code = {"max_premium": "market/premium", "skew_cap": "market/skew-cap"}.get(name, "market/oi-cap")
            refuse(twins, code, ("trader", buy(size, TRADER)))
            assert value == 0
        twins.do("admin", SetMarket(BTC, MARKET))
        refuse(twins, "pool/reserved", ("trader", buy(size, TRADER)))
        refuse(twins, "margin/debt-cap", ("trader", buy(size // 200, TRADER)))
    twins.do("admin", SetRisk(replace(RISK, equity_tiers=(EquityTier(0, W),))))
    refuse(twins, "margin/initial", ("trader", buy(200 * W, TRADER)))
    refuse(twins, "margin/equity-tier", ("trader", buy(W, TRADER)))
    twins.do("admin", SetRisk(RISK))
    twins.do("trader", buy(W, TRADER))
    check(twins)


def test_caps_at_their_borders_on_both(twins: Twins) -> None:
    """TRD-8, TRD-9, B43: premium, skew and open interest up to their caps, and a lot more, on both sides and by flips."""
    limits: tuple[tuple[str, dict[str, Any], int], ...] = (
        ("market/premium", {"skew_scale": 1_000 * W, "max_premium": 200}, 40 * W),
        ("market/skew-cap", {"skew_cap": 5 * W}, 5 * W),
        ("market/oi-cap", {"oi_cap": 7 * W}, 7 * W),
        ("market/oi-cap", {"oi_cap_usd": 6 * PRICE}, 6 * W),
    )
    twins.deposit("borrower", usd=100_000)
    twins.deposit("trader", usd=100_000)
    start = twins.save()
    for code, changes, most in limits:
        for side in (1, -1):
            twins.restore(start)
            twins.do("admin", SetMarket(BTC, replace(PLAIN, **changes)))
            refuse(twins, code, ("borrower", buy(side * (most + LOT))))
            twins.do("borrower", buy(side * most))
            refuse(twins, code, ("borrower", buy(side * LOT)), ("trader", buy(side * W, TRADER)))
            # A flip is measured by what it opens, after what it closes.
            refuse(twins, code, ("borrower", buy(-side * (2 * most + LOT))))
            twins.do("borrower", buy(-side * 2 * most))
            check(twins)
    # At half a wei: a cap in dollars compares with the notional rounded up.
    twins.restore(start)
    twins.do("poster", Push((BTC,), (800_000_000_001,)))
    for cap, code in ((8_000 * W, "market/oi-cap"), (8_000 * W + 10**10, None)):
        twins.do("admin", SetMarket(BTC, replace(PLAIN, oi_cap_usd=cap)))
        twins.do("borrower", buy(W), refused=code)


def test_sixteen_positions_on_both(twins: Twins) -> None:
    """TRD-10, B3: a seventeenth is refused; one that is closed makes room."""
    twins.deposit("borrower", usd=100_000)
    for market in range(2, MAX_POSITIONS + 1):
        twins.do("admin", SetMarket(market, MARKET))
    for market in range(MAX_POSITIONS):
        twins.do("borrower", buy(10 * W if market == ETH else W, market=market))
    refuse(twins, "account/positions", ("borrower", buy(W, market=MAX_POSITIONS)))
    twins.do("borrower", buy(-2 * W))
    refuse(twins, "account/positions", ("borrower", buy(W, market=MAX_POSITIONS)))
    twins.do("borrower", buy(W))
    twins.do("borrower", buy(W, market=MAX_POSITIONS))
    check(twins)


@pytest.mark.parametrize("side", [1, -1])
def test_what_the_pool_must_keep_at_its_border_on_both(twins: Twins, side: int) -> None:
    """FIL-8, TRD-11, P3, P6: growth up to the pool's dollars less the traders' debts, and a lot more."""
    twins.do("admin", SetRisk(replace(RISK, lock_ratio=10_000)))
    twins.do("admin", SetMarket(BTC, PLAIN))
    twins.deposit("borrower", usd=10**6)
    refuse(twins, "pool/reserved", ("borrower", buy(side * (125 * W + LOT))))
    twins.do("borrower", buy(side * 125 * W))
    assert twins.world.protocol.ledger.reserved == twins.world.protocol.ledger.pool == 10**6 * W
    # The smaller side reserves nothing more, and a reduction is never refused for it.
    twins.deposit("trader", usd=10**6)
    twins.do("trader", buy(-side * 125 * W, TRADER))
    refuse(twins, "pool/reserved", ("trader", buy(-side * LOT, TRADER)))
    twins.price(BTC=8_800)
    twins.do("borrower", buy(-side * W))
    check(twins)


def test_the_reserve_needs_the_debts_too_on_both(twins: Twins) -> None:
    """TRD-11, LED-1: what traders owe the pool is not there to be reserved; to the wei of a debt."""
    twins.do("admin", SetRisk(replace(RISK, lock_ratio=10_000)))
    twins.do("admin", SetMarket(BTC, replace(MARKET, taker_fee=W // 1_000, maker_fee=0, skew_scale=5 * 10**5 * W)))
    twins.deposit("borrower", weth=100)
    twins.deposit("trader", usd=10**6)
    twins.do("borrower", buy(W))
    assert twins.world.protocol.ledger.trader_debt > 8 * W
    # 124 more reserve 992,000; the pool has a million and nine tenths of the fees, less the debt of a little over 8.
    twins.do("trader", buy(124 * W, TRADER))
    twins.do("trader", buy(-124 * W, TRADER))
    twins.do("admin", SetMarket(BTC, replace(PLAIN, taker_fee=0)))
    pool, debt = twins.world.protocol.ledger.pool, twins.world.protocol.ledger.trader_debt
    most = (pool - debt) * W // PRICE // LOT * LOT - W
    refuse(twins, "pool/reserved", ("trader", buy(most + LOT, TRADER)))
    twins.do("trader", buy(most, TRADER))
    check(twins)


@pytest.mark.parametrize("side", [1, -1])
def test_initial_margin_to_the_wei_on_both(twins: Twins, side: int) -> None:
    """TRD-12, MRG-10, M1, M4, N4: the least deposit that opens a position; a unit less is refused by both."""
    twins.do("poster", Push((BTC,), (800_000_012_345,)))
    price = 800_000_012_345 * 10**10
    impact, _ = compute_impact(MARKET, 0, side * W, price)
    fee = compute_fee(MARKET, 0, side * W, price)
    need = cdiv(price * 5, 100) + 10 * W + fee + impact
    least = cdiv(need, USDC_TO_W)
    twins.do("borrower", Deposit(BORROWER, USDC, least - 1))
    refuse(twins, "margin/initial", ("borrower", buy(side * W)))
    twins.do("borrower", Deposit(BORROWER, USDC, 1))
    twins.do("borrower", buy(side * W))
    refuse(twins, "liq/not-liquidatable", ("liquidator", Liquidate(BORROWER)))
    assert twins.chain.contracts.account_state(BORROWER) is AccountState.HEALTHY
    check(twins)


def test_equity_tiers_to_the_unit_on_both(twins: Twins) -> None:
    """MRG-9, MRG-10, N4: on the border of two tiers, and beyond the last: the least equity, and a unit less."""
    tiers = (EquityTier(0, 12 * W), EquityTier(1_000 * W, 5 * W), EquityTier(2_000 * W, 3 * W))
    twins.do("admin", SetRisk(replace(RISK, equity_tiers=tiers)))
    twins.do("admin", SetMarket(BTC, PLAIN))
    start = twins.save()
    for size in (W * 3 // 2, W * 3 // 2 + LOT, W * 17 // 8, 4 * W):
        twins.restore(start)
        need = compute_required_equity(tiers, size * 8_000) + compute_impact(PLAIN, 0, size, PRICE)[0]
        least = cdiv(need, USDC_TO_W)
        twins.do("borrower", Deposit(BORROWER, USDC, least - 1))
        refuse(twins, "margin/equity-tier", ("borrower", buy(size)), ("borrower", buy(-size)))
        twins.do("borrower", Deposit(BORROWER, USDC, 1))
        twins.do("borrower", buy(size))
        check(twins)


def test_initial_margin_rises_with_open_interest_on_both(twins: Twins) -> None:
    """MRG-6, M11: between the two bounds in proportion, from the upper one on the whole notional, for everyone."""
    bounds = {"oi_lower": 40_000 * W, "oi_upper": 80_000 * W}
    twins.do("admin", SetMarket(BTC, replace(PLAIN, **bounds)))
    twins.deposit("borrower", usd=10_000)
    twins.deposit("trader", usd=100_000)
    twins.do("borrower", buy(W))
    assert measure(twins, BORROWER).initial_margin == 410 * W
    for size, margin in ((4 * W, 400), (W, 400 + 7_600 // 5), (3 * W, 400 + 7_600 * 4 // 5), (W, 8_000), (W, 8_000)):
        twins.do("trader", buy(size, TRADER))
        assert measure(twins, BORROWER).initial_margin == (margin + 10) * W
        check(twins)
    assert standing(twins, BORROWER) is AccountState.HEALTHY
    twins.do("borrower", Withdraw(BORROWER, USDC, 1_989 * DOLLAR))
    refuse(twins, "margin/initial", ("borrower", Withdraw(BORROWER, USDC, DOLLAR)), ("borrower", buy(LOT)))
    twins.do("admin", SetMarket(BTC, replace(PLAIN, oi_lower=0, oi_upper=1)))
    check(twins)
    twins.do("admin", SetMarket(BTC, replace(PLAIN, oi_lower=0, oi_upper=0)))
    twins.do("borrower", buy(LOT))
    check(twins)


def test_leverage_caps_on_both(twins: Twins) -> None:
    """MRG-7, TRD-14, S3: set, lifted and at both ends, with and without a position; each refusal in order."""
    twins.do("admin", SetMarket(BTC, PLAIN))
    twins.deposit("borrower", usd=2_011)
    refuse(twins, "account/unknown", ("stranger", SetLeverageCap(LIQUIDATOR, 9, 2**80)))
    refuse(twins, "account/not-owner", ("stranger", SetLeverageCap(BORROWER, 9, 2**80)))
    refuse(
        twins, "market/unknown", *(("borrower", SetLeverageCap(BORROWER, market, 2**80)) for market in (2, 32, 2**255))
    )
    twins.do("borrower", SetLeverageCap(BORROWER, ETH, 2**80 - 1))
    twins.do("borrower", SetLeverageCap(BORROWER, BTC, 1))
    refuse(twins, "margin/initial", ("borrower", buy(W)))
    twins.do("borrower", SetLeverageCap(BORROWER, BTC, 0))
    twins.do("borrower", buy(W))
    refuse(twins, "sys/domain", ("borrower", SetLeverageCap(BORROWER, BTC, 2**80)))
    twins.do("borrower", SetLeverageCap(BORROWER, BTC, 2**80 - 1))
    # 8,000 at a leverage of four need 2,000 and the reserve.
    refuse(twins, "margin/initial", ("borrower", SetLeverageCap(BORROWER, BTC, 4 * W - 10**16)))
    twins.do("borrower", SetLeverageCap(BORROWER, BTC, 4 * W))
    refuse(twins, "margin/initial", ("borrower", Withdraw(BORROWER, USDC, DOLLAR)))
    check(twins)
    twins.do("borrower", SetLeverageCap(BORROWER, BTC, W), refused="oracle/stale", after=7_300)
    twins.do("borrower", SetLeverageCap(BORROWER, ETH, W))
    twins.price(BTC=8_000)
    twins.do("borrower", SetLeverageCap(BORROWER, BTC, 0))
    twins.do("borrower", Withdraw(BORROWER, USDC, 1_000 * DOLLAR))
    twins.do("borrower", buy(-W))
    check(twins)
    twins.do("admin", SetRisk(replace(RISK, equity_tiers=(EquityTier(0, 2 * W),))))
    twins.do("borrower", Deposit(BORROWER, USDC, 4_000 * DOLLAR))
    twins.do("borrower", buy(W))
    twins.do("admin", SetRisk(replace(RISK, equity_tiers=(EquityTier(0, W),))))
    refuse(twins, "margin/equity-tier", ("borrower", SetLeverageCap(BORROWER, BTC, 10 * W)))


def test_the_debt_cap_on_both(twins: Twins) -> None:
    """TRD-12, LED-1: an account that owes more than the cap may not grow; it may reduce and others may repay."""
    market = replace(PLAIN, taker_fee=W // 2_000)
    twins.do("admin", SetMarket(BTC, market))
    twins.deposit("borrower", weth=100)
    owed = 4 * W + compute_impact(market, 0, W, PRICE)[0]
    twins.do("admin", SetRisk(replace(RISK, debt_cap=owed - 1)))
    refuse(twins, "margin/debt-cap", ("borrower", buy(W)), ("borrower", buy(100 * W)))
    twins.do("admin", SetRisk(replace(RISK, debt_cap=owed)))
    twins.do("borrower", buy(W))
    assert twins.world.protocol.ledger.trader_debt == owed
    refuse(twins, "margin/debt-cap", ("borrower", buy(LOT)), ("borrower", buy(-3 * W)))
    twins.do("borrower", buy(-W // 2))
    twins.do("stranger", Deposit(BORROWER, USDC, 5 * DOLLAR))
    twins.do("borrower", buy(LOT))
    check(twins)


# A fill against the skew of a tiny market costs more than the margin it frees.
THIN = replace(MARKET, lot=1, min_notional=1, skew_scale=5 * W, max_premium=10_000, rebate_ratio=0, **NO_FUNDING)
FREE = replace(RISK, fixed_reward=0, keeper_reserve=0)


def hedge(twins: Twins, size: int) -> None:
    """The other side of the thin market, so that closing grows the skew."""
    twins.deposit("trader", usd=100_000)
    twins.do("trader", buy(-size, TRADER))


def test_reductions_that_lower_health_on_both(twins: Twins) -> None:
    """MRG-11, M2: refused while another position is left; allowed to the last one of a solvent account."""
    twins.do("admin", SetRisk(FREE))
    twins.do("admin", SetMarket(BTC, THIN))
    twins.deposit("borrower", usd=12_000, weth=1)
    twins.do("borrower", buy(W))
    twins.do("borrower", buy(10 * W, market=ETH))
    hedge(twins, W)
    refuse(twins, "margin/reduce", ("borrower", buy(-W // 2)), ("borrower", buy(-W)))
    codes = {}
    start = twins.save()
    for size in (W // 100, W // 10, W // 5, W // 4, W // 3, W // 2):
        twins.restore(start)
        codes[size] = twins.attempt("borrower", buy(-size))
    assert set(codes.values()) == {"ok", "margin/reduce"}
    twins.restore(start)
    twins.do("borrower", buy(-10 * W, market=ETH))
    refuse(twins, "margin/reduce", ("borrower", buy(-W // 2)))
    # The last position: the account is worth enough, but its collateral needs a price to say so.
    twins.price(BTC=8_000, after=7_300)
    refuse(twins, "oracle/stale", ("borrower", buy(-W)))
    twins.price(ETH=200)
    twins.do("borrower", buy(-W))
    check(twins)


def test_an_insolvent_close_that_lowers_health_on_both(twins: Twins) -> None:
    """MRG-11, TRD-13: the last position of an account may not close to below nothing, one by one or all at once."""
    twins.do("admin", SetRisk(FREE))
    twins.do("admin", SetMarket(BTC, THIN))
    twins.deposit("borrower", usd=2_500)
    twins.do("borrower", buy(W))
    hedge(twins, W)
    closes = (("borrower", buy(-W)), ("borrower", CloseAll(BORROWER, -(2**200))))
    start = twins.save()
    outcomes = []
    for dollars in (7_200, 7_100, 7_000, 6_900):
        for sender, action in closes:
            twins.restore(start)
            twins.price(BTC=dollars)
            outcomes.append(twins.attempt(sender, action))
            check(twins)
    assert outcomes == sorted(outcomes, reverse=True)
    assert set(outcomes) == {"ok", "margin/reduce"}


def test_closing_everything_on_both(twins: Twins) -> None:
    """TRD-13, S3: long and short in several markets, by owner and operator; each refusal in order; min_cash to the wei."""
    twins.do("admin", SetMarket(2, replace(MARKET, lot=1)))
    refuse(twins, "account/unknown", ("stranger", CloseAll(BORROWER, 2**255 - 1)))
    twins.deposit("borrower", usd=20_000)
    refuse(twins, "account/not-trader", ("stranger", CloseAll(BORROWER, 2**255 - 1)))
    refuse(twins, "account/no-positions", ("borrower", CloseAll(BORROWER, 2**255 - 1)))
    for market, size in ((2, W + 7), (ETH, -30 * W), (BTC, W)):
        twins.do("borrower", buy(size, market=market))
    twins.do("borrower", CloseAll(BORROWER, 2**255 - 1), refused="oracle/stale", after=7_300)
    twins.price(BTC=8_123, ETH=199)
    start = twins.save()
    twins.do("borrower", CloseAll(BORROWER, -(2**255)))
    assert [event.market for event in named(twins, "PositionUpdated")] == [BTC, ETH, 2]
    cash = twins.cash(BORROWER)
    check(twins)
    twins.restore(start)
    refuse(twins, "trade/price", ("borrower", CloseAll(BORROWER, cash + 1)))
    twins.restore(start)
    twins.do("borrower", SetOperator(BORROWER, address_of("stranger")), after=0)
    twins.do("stranger", CloseAll(BORROWER, cash))
    assert twins.cash(BORROWER) == cash
    check(twins)


def test_funding_over_days_on_both(twins: Twins) -> None:
    """FUN-1 to FUN-5, F1 to F5, GOV-2: to the cap, through zero, decaying in the dead band to 0, both signs."""
    fast = replace(MARKET, skew_scale=1_000 * W, funding_velocity=W, funding_decay=W // 20, funding_cap=W // 20)
    twins.do("admin", SetMarket(BTC, fast))
    for side in (1, -1):
        twins.deposit("borrower", usd=10**6)
        twins.deposit("trader", usd=10**6)
        twins.do("borrower", buy(side * 40 * W))
        check(twins)
        for waited in (0, 1, DAY, DAY + 7, 5 * DAY):
            twins.price(BTC=8_000, ETH=200, after=waited)
            check(twins)
            twins.do("borrower", buy(side * LOT), after=0)
        assert twins.world.protocol.markets[BTC].funding_rate == side * W // 20 * DAY
        # Against the skew, until the rate has changed its sign.
        twins.do("trader", buy(-side * 70 * W, TRADER))
        twins.price(BTC=7_999, ETH=200, after=3 * DAY)
        twins.do("trader", buy(side * LOT, TRADER))
        assert twins.world.protocol.markets[BTC].funding_rate * side < 0
        # Into the dead band: the rate decays to 0 and stays there.
        twins.do("trader", buy(side * 25 * W, TRADER))
        for waited in (DAY // 2, 3 * DAY):
            twins.price(BTC=8_001, ETH=200, after=waited)
            check(twins)
            twins.do("borrower", buy(side * LOT))
        assert twins.world.protocol.markets[BTC].funding_rate == 0
        # A lowered cap takes hold at once.
        twins.do("trader", buy(-side * 60 * W, TRADER))
        twins.price(BTC=8_000, ETH=200, after=DAY)
        twins.do("admin", SetMarket(BTC, replace(fast, funding_cap=W // 1_000)))
        assert abs(twins.world.protocol.markets[BTC].funding_rate) == W // 1_000 * DAY
        twins.do("admin", SetMarket(BTC, fast))
        for owner, account in (("borrower", BORROWER), ("trader", TRADER)):
            twins.do(owner, buy(-position(twins, account).size, account))
        check(twins)


def test_settling_funding_twice_in_a_second_on_both(twins: Twins) -> None:
    """FUN-2, F2, B11: the second settlement of a second moves neither index nor money."""
    twins.deposit("borrower", usd=200_000)
    twins.do("borrower", buy(150 * W))  # beyond the dead band of 100
    twins.price(BTC=8_000, after=DAY)
    twins.do("borrower", buy(LOT))
    assert named(twins, "PositionUpdated")[0].funding > 0
    index = twins.world.protocol.markets[BTC].funding_index
    twins.do("borrower", buy(LOT), after=0)
    assert named(twins, "PositionUpdated")[0].funding == 0
    assert twins.world.protocol.markets[BTC].funding_index == index
    check(twins)


def test_pausing_on_both(twins: Twins) -> None:
    """TRD-5, TRD-7, GOV-4, B15: paused, positions shrink and close; nothing grows, flips or opens."""
    twins.deposit("borrower", usd=10_000)
    twins.do("borrower", buy(2 * W))
    twins.do("guardian", PauseOpening(True))
    paused = (buy(LOT), buy(-2 * W - LOT), buy(-4 * W), buy(10 * W, market=ETH))
    refuse(twins, "market/opening-paused", *(("borrower", action) for action in paused))
    twins.do("borrower", buy(-W))
    twins.do("borrower", CloseAll(BORROWER, 0))
    refuse(twins, "market/opening-paused", ("borrower", buy(-W)))
    twins.do("admin", PauseOpening(False))
    twins.do("borrower", buy(-W))
    check(twins)


def price_users(twins: Twins) -> tuple[tuple[str, Any], ...]:
    """What needs every price of an account with a BTC position and WETH."""
    return (
        ("borrower", buy(LOT)),
        ("borrower", CloseAll(BORROWER, -(2**200))),
        ("borrower", Withdraw(BORROWER, USDC, 1)),
        ("borrower", Transfer(BORROWER, BORROWER + 1, USDC, 1)),
        ("borrower", SetLeverageCap(BORROWER, BTC, W)),
        ("liquidator", Liquidate(BORROWER)),
        ("liquidator", FlagAccount(BORROWER)),
        ("liquidator", MarginCall(BORROWER)),
    )


def test_every_fault_of_a_price_on_both(twins: Twins) -> None:
    """ORC-2, ORC-3, ORC-6, O5, S5, S6: each status of each feed, in each action that needs a price."""
    twins.deposit("borrower", usd=500, weth=1)
    twins.do("borrower", buy(W))
    needs = price_users(twins)
    reduction, deposit = ("borrower", buy(-LOT)), ("lender", DepositToPool(DOLLAR))
    setting = ("admin", SetMarket(BTC, replace(MARKET, maker_fee=0)))
    faults = (("oracle/non-positive", 0), ("oracle/non-positive", -1), ("oracle/out-of-bounds", 2**127 - 1))
    for code, answer in faults:
        twins.do("poster", Push((BTC,), (answer,)))
        refuse(twins, code, *needs, reduction, deposit, setting)
        check(twins, sizes=(BORROWER,))
    twins.price(BTC=8_000)
    for code, answer in faults:
        twins.do("poster", Push((ETH,), (answer,)))
        refuse(twins, code, *needs)
        # The pool has no open interest and no inventory in ETH, and a reduction needs only its own market's price.
        twins.do(*deposit)
        twins.do(*setting)
        twins.do("admin", SetMarket(BTC, MARKET))
        check(twins, sizes=(BORROWER,))
    twins.do("poster", Push((BTC, ETH), (-1, 2**127 - 1)))
    refuse(twins, "oracle/non-positive", *needs)
    twins.price(BTC=8_000, ETH=200)
    twins.do("borrower", buy(LOT), after=7_200)
    twins.do(*needs[0], refused="oracle/stale", after=1)
    refuse(twins, "oracle/stale", *needs, reduction, deposit, setting)
    check(twins, sizes=(BORROWER,))
