"""What growth may not exceed, through both twins: caps, reserve, margin, tiers, leverage and debt, at their borders."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oracle.feeds import Push
from protocol.account_state import AccountState
from protocol.actions import (
    Deposit,
    Liquidate,
    SetLeverageCap,
    SetMarket,
    SetRisk,
    Withdraw,
)
from protocol.fills import compute_fee, compute_impact
from protocol.margin import compute_required_equity
from protocol.params import MAX_POSITIONS, EquityTier
from protocol.units import USDC_TO_W, W, cdiv
from tests.lockstep.both import (
    BORROWER,
    DOLLAR,
    LIQUIDATOR,
    LOT,
    MARKET,
    PLAIN,
    TRADER,
    buy,
    check,
    measure,
    refuse,
    standing,
)
from tests.twins import BTC, ETH, RISK, USDC, Twins

PRICE = 8_000 * W


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
    """TRD-8, TRD-9, B43: premium, skew and open interest up to their caps, and a lot more; both sides, and by flips."""
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
    twins.do("admin", SetMarket(BTC, replace(PLAIN, oi_cap_usd=8_000 * W + 10**10 - 1)))
    refuse(twins, "market/oi-cap", ("borrower", buy(W)))
    twins.do("admin", SetMarket(BTC, replace(PLAIN, oi_cap_usd=8_000 * W + 10**10)))
    twins.do("borrower", buy(W))


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
    twins.do("admin", SetMarket(BTC, replace(PLAIN, rebate_ratio=10_000)))  # leaves the pool nothing of a rebate
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


def test_a_fall_of_the_price_does_not_excuse_growth_from_the_reserve_on_both(twins: Twins) -> None:
    """TRD-10, P3: the larger side grows, though the market reserves fewer dollars than at its last fill."""
    twins.do("admin", SetMarket(BTC, PLAIN))
    twins.deposit("borrower", usd=10**6)
    twins.do("borrower", buy(-500 * W))
    twins.price(BTC=5_500)
    twins.do("borrower", buy(380 * W))
    ledger = twins.world.protocol.ledger
    assert ledger.pool < ledger.reserved == 120 * 1_100 * W
    twins.price(BTC=5_000)
    refuse(twins, "pool/reserved", ("borrower", buy(-LOT)))
    twins.do("borrower", buy(LOT))
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
    bounds: dict[str, Any] = {"oi_lower": 40_000 * W, "oi_upper": 80_000 * W}
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
