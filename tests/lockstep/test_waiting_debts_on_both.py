"""Debts beside collateral whose price no liquidation accepts, on both twins: what waits, what pays, what is lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from protocol.actions import CloseAll, Deposit, Liquidate, SetCollateral
from protocol.env import Status
from protocol.units import W
from tests.lockstep.both import BORROWER, buy, check
from tests.lockstep.quoted import QuotedTwins
from tests.oracle.drawing import Draw
from tests.twins import BTC, ETH, RATE, RISK, WBTC, WETH, WSTETH, Checkpoint

DEBTS = 60
FAULTS = (
    0,
    Status.STALE_HARD,
    Status.DEVIATED,
    Status.SEQ_GRACE,
    Status.UNCERTAIN,
    Status.NON_POSITIVE,
    Status.NO_QUORUM,
)
MOST = {WETH: 4 * 10**18, WBTC: 10**7, WSTETH: 4 * 10**18}
TAKE = Liquidate(BORROWER)


def test_random_debts_beside_faulty_collateral_on_both(funded: tuple[QuotedTwins, Checkpoint]) -> None:
    """LIQ-3, LIQ-7, RWD-2, WAT-3, MRG-14: once more after each, and with a unit of something else each time."""
    twins, moment = funded
    codes: Counter[str] = Counter()
    lost = 0
    for seed in range(DEBTS):
        twins.restore(moment)
        draw = Draw(f"debt {seed}")
        open_debt(twins, draw)
        for _ in range(3):
            codes[twins.attempt("liquidator", TAKE)] += 1
            reports = [event for event in twins.events if type(event).__name__ == "AccountLiquidated"]
            lost += any(report.bad_debt and twins.cash(BORROWER) < 0 for report in reports)
            twins.attempt("stranger", Deposit(BORROWER, draw.pick((WETH, WBTC)), 1))
        check(twins, sizes=(BORROWER,))
    assert codes["ok"] > DEBTS // 2
    assert lost > DEBTS // 20, "none that was lost in part"
    assert sum(count for code, count in codes.items() if code.startswith("oracle/")) > DEBTS // 10


def open_debt(twins: QuotedTwins, draw: Draw) -> None:
    """An account that owes dollars on some collateral, with faults and ceilings that may still be phased in."""
    for token, params in enumerate(twins.world.protocol.collateral_params, 1):
        ceiling = params.ceiling * draw.between(1, 150) // 100
        twins.do("admin", SetCollateral(token, replace(params, ceiling=ceiling)))
    twins.price(BTC=8_000, ETH=200, rate=RATE, after=draw.pick((1, RISK.phase_in)))
    twins.deposit("borrower", usd=500)
    twins.do("borrower", buy(W))
    for token, most in MOST.items():
        if draw.chance(2):
            twins.do("stranger", Deposit(BORROWER, token, draw.pick((1, most // 10, most))))
    twins.price(BTC=8_000 - draw.between(600, 2_000))
    twins.do("borrower", CloseAll(BORROWER, -(2**200)))
    for feed, price in ((BTC, 7_000 * W), (ETH, draw.between(1, 300) * W)):
        twins.spread(feed, price, 0, int(draw.pick(FAULTS)))
