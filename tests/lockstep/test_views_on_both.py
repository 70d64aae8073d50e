"""What the views promise, through both twins: a preview is what the action then does, a limit is tight."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.actions import (
    CreateIsolated,
    PauseOpening,
    SetCollateral,
    SetLeverageCap,
    SetMarket,
    SetRisk,
    Trade,
    Withdraw,
)
from protocol.params import EquityTier, HaircutBracket
from protocol.trading import NO_LIMIT
from protocol.units import W
from tests.lockstep.both import BORROWER, LOT, MARKET, TRADER, buy, check, measure, named, standing
from tests.twins import BTC, ETH, RISK, USDC, WBTC, WETH, Twins, weth_params


def setting(twins: Twins) -> None:
    """Two traders on both sides of two markets, one with debt, tokens and a leverage cap, at odd prices."""
    twins.deposit("borrower", usd=20_000, weth=30, wbtc=1)
    twins.deposit("trader", weth=200)
    twins.do("borrower", buy(5 * W))
    twins.do("borrower", buy(-100 * W, market=ETH))
    twins.do("trader", buy(-2 * W, TRADER))
    twins.do("borrower", SetLeverageCap(BORROWER, BTC, 7 * W))
    twins.price(BTC=8_111, ETH=193, after=3_000)


@pytest.mark.parametrize("size", [LOT, -LOT, W, -5 * W, -7 * W, 40 * W, -60 * W, W + 1, 0, 2**96, -(2**255)])
@pytest.mark.parametrize("account", [BORROWER, TRADER, BORROWER + 1])
def test_a_preview_is_what_the_trade_then_does_on_both(twins: Twins, size: int, account: int) -> None:
    """VIEW-1, S6: cash, impact, fee, health, state and liquidation price, or the code of the refusal."""
    setting(twins)
    for limit in (NO_LIMIT, 0, 8_111 * W):
        start = twins.save()
        twins.now += 1
        twins.price(after=0, ETH=193)
        action = Trade(account, BTC, size, limit)
        preview = twins.chain.contracts.preview_trade(action)
        code = twins.attempt("trader" if account == TRADER else "borrower", action, after=0)
        assert preview.code == ("" if code == "ok" else code)
        if code == "ok":
            fills = named(twins, "PositionUpdated")
            assert preview.impact == sum(fill.impact for fill in fills)
            assert preview.fee == sum(fill.fee for fill in fills)
            assert (preview.cash, preview.health) == (twins.cash(account), measure(twins, account))
            assert preview.account_state == standing(twins, account)
            assert preview.liquidation_price == twins.chain.contracts.liquidation_price(account, BTC)
        twins.restore(start)


@pytest.mark.parametrize("is_long", [True, False])
@pytest.mark.parametrize(
    "limit", ["margin", "tier", "skew", "open interest", "premium", "reserve", "leverage", "pause", "minimum"]
)
def test_the_largest_size_is_tight_on_both(twins: Twins, limit: str, is_long: bool) -> None:
    """VIEW-4, N4: whatever limits it, the size succeeds and a lot more is refused, with and against a position."""
    setting(twins)
    changes: dict[str, Any] = {
        "skew": {"skew_cap": 9 * W},
        "open interest": {"oi_cap": 11 * W},
        "premium": {"max_premium": 5},
        "minimum": {"min_notional": 10**6 * W},
    }.get(limit, {})
    twins.do("admin", SetMarket(BTC, replace(MARKET, **changes)))
    if limit == "tier":
        twins.do("admin", SetRisk(replace(RISK, equity_tiers=(EquityTier(0, 6 * W),))))
    if limit == "reserve":
        twins.do("admin", SetRisk(replace(RISK, lock_ratio=10_000)))
    if limit == "leverage":
        twins.do("borrower", SetLeverageCap(BORROWER, BTC, 3 * W))
    if limit == "pause":
        twins.do("guardian", PauseOpening(True))
    start = twins.save()
    for owner, account in (("borrower", BORROWER), ("trader", TRADER)):
        twins.restore(start)
        most = twins.chain.contracts.max_size(account, BTC, is_long)
        sign = 1 if is_long else -1
        assert twins.attempt(owner, buy(sign * (most + LOT), account), after=0) != "ok"
        if most:
            twins.do(owner, buy(sign * most, account), after=0)
        check(twins)


def test_the_largest_withdrawal_with_a_phase_and_debts_on_both(twins: Twins) -> None:
    """VIEW-3, COL-3, N4: with a weight being phased in, an indebted account, an isolated one, and no price at all."""
    setting(twins)
    soft = replace(weth_params(), brackets=(HaircutBracket(0, W // 2, W // 2), HaircutBracket(3_000 * W, W // 4, 0)))
    twins.do("admin", SetCollateral(WETH, soft))
    twins.do("borrower", CreateIsolated(BORROWER + 2, ETH))
    twins.deposit("borrower", usd=1_000, sub=2)
    twins.do("borrower", buy(20 * W, BORROWER + 2, ETH))
    start = twins.save()
    for owner, account in (("borrower", BORROWER), ("trader", TRADER), ("borrower", BORROWER + 2)):
        for token in (USDC, WETH, WBTC):
            twins.restore(start)
            most = twins.chain.contracts.withdrawable(account, token)
            assert twins.attempt(owner, Withdraw(account, token, most + 1), after=0) != "ok"
            if most:
                twins.do(owner, Withdraw(account, token, most), after=0)
                check(twins, sizes=(account,))
    twins.restore(start)
    twins.price(BTC=8_000, after=7_300)
    assert twins.chain.contracts.withdrawable(BORROWER, USDC) == 0
    check(twins)
