"""Random portfolios and stories with spreads and faults of prices, through both twins."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from contracts_py.compile import Artifact
from protocol.actions import Deposit, FlagAccount, Liquidate, SetCollateral, SetMarket
from protocol.env import Quote, Status
from tests.lockstep.both import BORROWER, buy, check
from tests.lockstep.quoted import CODES, PRICE, PRICELESS, STALE, DistortedTwins, QuotedTwins
from tests.lockstep.sequences import DRAWN
from tests.lockstep.test_random import LENGTH, Teller, count_actions, tell_stories
from tests.oracle.drawing import Draw
from tests.twins import BTC, ETH, RATE, RISK, WBTC, WETH, Checkpoint

STORIES = 20  # of each workload
PORTFOLIOS = 60


def test_random_portfolios_without_a_price_on_both(funded: tuple[QuotedTwins, Checkpoint]) -> None:
    """S3, LIQ-3, LIQ-7, MRG-4, MRG-12 to MRG-14, SIZ-1: measured, flagged and liquidated beside what has no price."""
    twins, beginning = funded
    codes: Counter[str] = Counter()
    for number in range(PORTFOLIOS):
        twins.restore(beginning)
        draw = Draw(f"portfolio {number}")
        open_portfolio(twins, draw)
        dead, other = draw.pick(((BTC, ETH), (ETH, BTC), (ETH, BTC)))
        mid = draw.pick((0, PRICE[dead], 3 * PRICE[dead]))
        twins.give(dead, Quote(draw.pick((0, mid)), mid, mid, twins.now, int(draw.pick(PRICELESS))))
        for per_cent in (100, draw.between(80, 120), draw.pick((60, 140))):
            status = draw.pick((0, 0, 0, STALE, int(Status.UNCERTAIN)))
            twins.spread(other, PRICE[other] * per_cent // 100, 0, status)
            twins.attempt("stranger", FlagAccount(BORROWER))
            codes[twins.attempt("liquidator", Liquidate(BORROWER))] += 1
            check(twins)
        twins.take_back(dead)
        twins.take_back(other)
        twins.attempt("liquidator", Liquidate(BORROWER))
        check(twins)
    assert codes["ok"] > PORTFOLIOS // 4
    assert codes["liq/not-liquidatable"] > PORTFOLIOS
    assert sum(count for code, count in codes.items() if code.startswith("oracle/")) > PORTFOLIOS // 10


def open_portfolio(twins: QuotedTwins, draw: Draw) -> None:
    """An account with some of everything, near its initial margin, and ceilings that may still be phased in."""
    state = twins.world.protocol
    for market, params in enumerate(state.market_params):
        ceiling = PRICE[market] * draw.pick((1, 90, 105, 120)) // 100
        twins.do("admin", SetMarket(market, replace(params, ceiling=ceiling)))
    for token, weth in enumerate(state.collateral_params, 1):
        twins.do("admin", SetCollateral(token, replace(weth, ceiling=weth.ceiling * draw.between(1, 100) // 100)))
    twins.price(BTC=8_000, ETH=200, rate=RATE, after=draw.pick((1, RISK.phase_in)))
    twins.deposit("borrower", usd=draw.between(300, 1_500))
    for token, most in ((WETH, 2 * 10**18), (WBTC, 10**7)):
        if draw.chance(2):
            twins.do("stranger", Deposit(BORROWER, token, draw.pick((1, most // 10, most))))
    for market, most in ((BTC, 2_500), (ETH, 10_000)):
        lot, eighth = state.market_params[market].lot, draw.pick((1, -1)) * draw.between(most // 16, most // 8)
        for part in (8, 6, 4, 2, 1):  # as much as is accepted
            if twins.attempt("borrower", buy(eighth * part * lot, market=market)) == "ok":
                break


def test_random_stories_with_spreads_and_faults_on_both(quoted_artifacts: dict[str, Artifact]) -> None:
    """S3, POL-1, MRG-12, MRG-13: every pushed price distorted; outcomes, events, states and views."""
    outcomes: Counter[tuple[str, str]] = Counter()
    for workload in DRAWN:
        teller = Teller(f"distorted-{workload}", DistortedTwins(quoted_artifacts))
        tell_stories(teller, workload, LENGTH, range(STORIES))
        outcomes += teller.outcomes
    assert count_actions(outcomes) == STORIES * LENGTH * len(DRAWN)
    met = {code for _, code in outcomes} & set(CODES.values())
    assert len(met) >= 10
    assert outcomes["Liquidate", "ok"] > 5
    assert min(outcomes["CommitOrder", "ok"], outcomes["SettleOrder", "ok"]) > 5


@pytest.mark.deep
@pytest.mark.parametrize("first", range(1_000, 1_400, 100))
def test_many_random_stories_with_faults_on_both(quoted_artifacts: dict[str, Artifact], first: int) -> None:
    """S3, POL-1: more and longer stories."""
    for workload in DRAWN:
        teller = Teller(f"distorted-{workload}-{first}", DistortedTwins(quoted_artifacts))
        tell_stories(teller, workload, 2 * LENGTH, range(first, first + 50))
        assert count_actions(teller.outcomes) == 2 * LENGTH * 50
