"""Trades through both twins: fills of every kind, refusals in the order of the checks, reductions, closing it all."""

from __future__ import annotations

from dataclasses import replace

from contracts_py.keys import address_of
from oracle.feeds import Push, SetFeed
from protocol.actions import (
    CloseAll,
    CommitOrder,
    CreateIsolated,
    Deposit,
    PauseOpening,
    SetMarket,
    SetOperator,
    SetOrders,
    SetRisk,
    Trade,
    Withdraw,
)
from protocol.params import MarginBracket
from protocol.trading import NO_LIMIT
from protocol.units import W
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
    named,
    refuse,
)
from tests.lockstep.orders import RULES, commit, settle
from tests.twins import BTC, ETH, RISK, USDC, Twins, market_params

ISOLATED = BORROWER + 2
PRICE = 8_000 * W
# A fill against the skew of a tiny market costs more than the margin it frees.
THIN = replace(MARKET, lot=1, min_notional=1, skew_scale=5 * W, max_premium=10_000, rebate_ratio=0, **NO_FUNDING)
FREE = replace(RISK, fixed_reward=0, keeper_reserve=0)


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
    """FIL-2, FIL-3, FIL-7, T4, T8: charge, rebate and both fees in one fill, mirrored; the rest goes to the pool."""
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


def hedge(twins: Twins, size: int) -> None:
    """The other side of the thin market, so that closing grows the skew."""
    twins.deposit("trader", usd=100_000)
    twins.do("trader", buy(-size, TRADER))


def test_reductions_that_lower_health_on_both(twins: Twins) -> None:
    """MRG-11, MRG-15, M2: refused while another position is left; allowed to the last one of a solvent account."""
    twins.do("admin", SetRisk(FREE))
    twins.do("admin", SetMarket(BTC, THIN))
    twins.deposit("borrower", usd=12_000, weth=20)
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
    # The last position: the account is worth enough, and its collateral needs a price to say so where cash does not.
    rich = twins.save()
    twins.price(BTC=8_000, after=7_300)
    twins.do("borrower", buy(-W))
    left, rest = divmod(twins.cash(BORROWER), 10**12)
    assert rest == 0
    closes = (("borrower", buy(-W)), ("borrower", CloseAll(BORROWER, -(2**200))))
    for close in closes:
        twins.restore(rich)
        twins.do("borrower", Withdraw(BORROWER, USDC, left))
        twins.price(BTC=8_000, after=7_300)
        twins.do(*close)
        assert twins.cash(BORROWER) == 0
    twins.restore(rich)
    twins.do("borrower", Withdraw(BORROWER, USDC, left + 1))
    twins.price(BTC=8_000, after=7_300)
    refuse(twins, "oracle/stale", *closes)
    twins.price(ETH=200)
    twins.do("borrower", buy(-W))
    check(twins)


def test_no_close_that_lowers_health_beside_an_order_on_both(twins: Twins) -> None:
    """MRG-11, ORD-8, B16: at once or by an order of its own, it would take the margin of the one that adds risk."""
    twins.do("admin", SetRisk(FREE))
    twins.do("admin", SetMarket(BTC, THIN))
    twins.deposit("borrower", usd=12_000)
    twins.do("borrower", buy(W))
    hedge(twins, W)
    twins.do("admin", SetOrders(ETH, replace(RULES, feed=ETH)))
    start = twins.save()
    twins.do("borrower", CommitOrder(BORROWER, ETH, 10 * W, NO_LIMIT))
    refuse(twins, "margin/reduce", ("borrower", buy(-W)), ("borrower", CloseAll(BORROWER, -(2**200))))
    twins.restore(start)
    twins.do("admin", SetOrders(BTC, RULES))
    twins.do("borrower", commit(-W))
    alone = twins.save()
    twins.do("borrower", CommitOrder(BORROWER, ETH, 10 * W, NO_LIMIT))
    for code in ("margin/reduce", ""):
        twins.price(BTC=8_000, after=10)
        twins.do("liquidator", settle())
        assert twins.event("OrderSettled").code == code
        check(twins)
        twins.restore(alone)


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


def test_closing_the_last_position_frees_the_reserve_on_both(bare_twins: Twins) -> None:
    """MRG-11, MRG-5: the keeper reserve counts against a fee that exceeds the margin freed."""
    twins = bare_twins
    free = replace(RISK, fixed_reward=0, reward_ratio=0, reward_ratio_max=0, penalty_ratio=0, impact_cap_ratio=0)
    tiers = (MarginBracket(0, W // 200, W // 10),)
    dear = replace(PLAIN, lot=1, min_notional=1, maker_fee=W // 100, taker_fee=W // 100, brackets=tiers)
    # At 7,004 the fee is 70.04, the margin 35.02, and 0.9 of an impact of 0.007004 comes back.
    short = 35_020_000_000_000_000_000 - 6_303_600_000_000_000
    twins.do("admin", SetFeed(BTC, 8, 7_200))
    twins.do("admin", SetRisk(replace(free, keeper_reserve=short - 1)))
    twins.do("admin", SetMarket(BTC, dear))
    twins.price(BTC=8_000)
    twins.fund()
    twins.do("borrower", Deposit(BORROWER, USDC, 1_000 * DOLLAR))
    twins.do("borrower", buy(W))
    twins.price(BTC=7_004)
    twins.do("borrower", buy(-W), refused="margin/reduce")
    twins.do("admin", SetRisk(replace(free, keeper_reserve=short)))
    twins.price(after=free.phase_in - 1, BTC=7_004)
    twins.do("borrower", buy(-W), refused="margin/reduce", after=0)
    twins.do("borrower", buy(-W))
    assert twins.cash(BORROWER) < 0
    check(twins)


def test_closing_everything_on_both(twins: Twins) -> None:
    """TRD-13, S3: long and short, by owner and operator; each refusal in order; min_cash to the wei."""
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
