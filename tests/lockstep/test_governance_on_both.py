"""Roles, pause, listings and what a change of parameters does to a market, through both twins."""

from __future__ import annotations

from dataclasses import replace

from contracts_py.keys import address_of
from oracle.feeds import Push, SetFeed
from protocol.actions import (
    AcceptAdmin,
    PauseOpening,
    ProposeAdmin,
    SetCollateral,
    SetGuardian,
    SetMarket,
    SetRisk,
)
from protocol.units import W
from tests.lockstep.both import BORROWER, MARKET, PLAIN, TRADER, buy, check, refuse
from tests.twins import BTC, ETH, RISK, WETH, Twins, weth_params

DAY = 86_400


def test_the_role_comes_before_every_other_check_on_both(twins: Twins) -> None:
    """GOV-1 to GOV-4, GOV-6, GOV-7, S8: whoever may not learns nothing else."""
    bad_risk, bad_market = replace(RISK, backstop_ratio=10_001), replace(MARKET, lot=0)
    bad_collateral = replace(weth_params(), decimals=25)
    for sender in ("guardian", "poster", "stranger", "borrower"):
        refuse(
            twins,
            "role/not-admin",
            (sender, SetRisk(bad_risk)),
            (sender, SetMarket(9, bad_market)),
            (sender, SetCollateral(9, bad_collateral)),
            (sender, ProposeAdmin(0)),
            (sender, SetGuardian(0)),
        )
        refuse(twins, "role/not-pending", (sender, AcceptAdmin()))
        refuse(twins, "role/not-guardian", (sender, PauseOpening(False)))
    check(twins)


def test_an_admin_hands_over_in_two_steps_on_both(twins: Twins) -> None:
    """GOV-6, GOV-7, S11: nothing changes before the new one accepts; a proposal can be replaced and withdrawn."""
    stranger, borrower = address_of("stranger"), address_of("borrower")
    refuse(twins, "role/not-pending", ("admin", AcceptAdmin()))
    twins.do("admin", ProposeAdmin(borrower))
    twins.do("admin", ProposeAdmin(stranger))
    refuse(twins, "role/not-pending", ("borrower", AcceptAdmin()), ("admin", AcceptAdmin()))
    refuse(twins, "role/not-admin", ("stranger", SetRisk(RISK)))
    twins.do("admin", ProposeAdmin(0))
    refuse(twins, "role/not-pending", ("stranger", AcceptAdmin()))
    twins.do("admin", ProposeAdmin(2**160 - 1))
    twins.do("admin", ProposeAdmin(stranger))
    check(twins)
    twins.do("stranger", AcceptAdmin())
    refuse(twins, "role/not-pending", ("stranger", AcceptAdmin()))
    refuse(twins, "role/not-admin", ("admin", SetRisk(RISK)), ("admin", ProposeAdmin(stranger)))
    twins.do("stranger", SetGuardian(borrower))
    refuse(twins, "role/not-guardian", ("guardian", PauseOpening(True)))
    twins.do("borrower", PauseOpening(True))
    twins.do("stranger", SetGuardian(0))
    twins.do("stranger", PauseOpening(False))
    check(twins)


def test_pause_and_resume_on_both(twins: Twins) -> None:
    """GOV-4: stop by either, resume by the admin only; twice is no fault."""
    for sender in ("guardian", "admin"):
        for _ in range(2):
            twins.do(sender, PauseOpening(True))
        refuse(twins, "role/not-guardian", ("guardian", PauseOpening(False)))
        for _ in range(2):
            twins.do("admin", PauseOpening(False))
    check(twins)


def test_a_change_accrues_first_and_needs_a_price_on_both(twins: Twins) -> None:
    """GOV-2, FUN-4, F3, B39: the past is charged at the old speed; without open interest no price is needed."""
    fast = replace(MARKET, skew_scale=1_000 * W, dead_band=0)
    twins.do("admin", SetMarket(BTC, fast))
    twins.deposit("borrower", usd=100_000)
    twins.do("borrower", buy(50 * W))
    twins.price(BTC=8_000, ETH=200, after=DAY)
    index = twins.world.protocol.markets[BTC].funding_index
    twins.do("admin", SetMarket(BTC, replace(fast, funding_velocity=0)))
    totals = twins.world.protocol.markets[BTC]
    assert totals.funding_index > index
    assert totals.funding_velocity == 0 < totals.funding_rate
    check(twins)
    twins.do("admin", SetMarket(BTC, replace(fast, funding_cap=0)))
    assert twins.world.protocol.markets[BTC].funding_rate == 0
    twins.do("poster", Push((BTC, ETH), (0, 0)))
    refuse(twins, "oracle/non-positive", ("admin", SetMarket(BTC, fast)))
    twins.do("admin", SetMarket(ETH, twins.world.protocol.market_params[ETH]))
    check(twins)
    twins.price(BTC=8_000)
    twins.do("borrower", buy(-50 * W))
    twins.do("poster", Push((BTC,), (-5,)))
    twins.do("admin", SetMarket(BTC, fast))
    check(twins)


def test_nothing_is_listed_before_the_first_risk_parameters_on_both(bare_twins: Twins) -> None:
    """GOV-2, GOV-3, GOV-5, B39: without a phase-in a stricter rate would bind in its own block."""
    twins = bare_twins
    twins.do("admin", SetFeed(BTC, 8, 7_200))
    listings = (SetMarket(BTC, MARKET), SetMarket(9, MARKET), SetCollateral(WETH, weth_params()))
    for action in listings:
        refuse(twins, "role/not-admin", ("stranger", action))
        refuse(twins, "config/risk", ("admin", action))
    twins.do("admin", SetRisk(RISK))
    twins.do("admin", listings[0])
    twins.do("admin", listings[2])
    check(twins)


def test_listing_on_both(twins: Twins) -> None:
    """GOV-2, GOV-3: in order, and what is listed twice is changed; a market without a feed can be listed."""
    twins.do("admin", SetMarket(2, replace(MARKET, feed=60)))
    twins.do("admin", SetMarket(3, MARKET))
    refuse(twins, "config/listing", ("admin", SetMarket(5, MARKET)))
    twins.deposit("borrower", usd=1_000)
    refuse(twins, "oracle/unavailable", ("borrower", buy(W, market=2)))
    twins.do("borrower", buy(W, market=3))
    twins.do("admin", SetMarket(3, replace(PLAIN, min_notional=9_000 * W)))
    refuse(twins, "market/min-notional", ("borrower", buy(-W // 2, market=3)))
    twins.do("borrower", buy(-W, market=3))
    check(twins, sizes=(BORROWER,))


def test_new_risk_parameters_reach_open_positions_on_both(twins: Twins) -> None:
    """GOV-1, FIL-8: lock ratio, shares and discounts hold from the next fill on; what is reserved moves with it."""
    twins.deposit("borrower", usd=10_000)
    twins.deposit("trader", usd=10_000)
    twins.do("borrower", buy(4 * W))
    before = twins.world.protocol.ledger.reserved
    twins.do("admin", SetRisk(replace(RISK, lock_ratio=10_000)))
    assert twins.world.protocol.ledger.reserved == before == 6_400 * W
    check(twins)
    twins.do("trader", buy(-W, TRADER))
    assert twins.world.protocol.ledger.reserved == 32_000 * W
    twins.do("admin", SetRisk(replace(RISK, lock_ratio=0, insurance_fee_share=10_000)))
    twins.do("trader", buy(W, TRADER))
    assert twins.world.protocol.ledger.reserved == 0
    check(twins)
    twins.do("admin", SetCollateral(WETH, replace(weth_params(), account_cap=1)))
    check(twins)
