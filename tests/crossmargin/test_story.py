"""What a run adds up to, and the page that tells it: partial liquidations, transfers, redemptions, whole closes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import pytest

from contracts_py.keys import address_of
from crossmargin.replay.result import build_result
from crossmargin.replay.run import Done, Replay
from crossmargin.replay.story import Flow, Liquidation, Story
from crossmargin.replay.summary import Summary
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import Scenario
from crossmargin.text import dollars
from protocol.account_state import AccountState
from protocol.actions import ClaimRedemption, CloseAll, LiquidateMany
from protocol.events import LiquidationRefused, PositionUpdated, TokenUpdated
from protocol.state import USDC
from protocol.units import DAY, USDC_TO_W, W
from tests.crossmargin.loading import DATA

WETH = 1


@dataclass(frozen=True)
class Told:
    """A run on the model."""

    scenario: Scenario
    done: tuple[Done, ...]
    story: Story
    page: str

    def account(self, name: str) -> int:
        return self.scenario.accounts[name].id

    def liquidation(self, name: str) -> Liquidation:
        (found,) = (found for found in self.story.liquidations if found.report.account == self.account(name))
        return found

    def only(self, kind: type) -> Done:
        """The only action of a kind that was not refused."""
        (found,) = (done for done in self.done if isinstance(done.planned.action, kind) and done.code == "ok")
        return found


def tell(name: str, after: int = 0) -> Told:
    """The run of a scenario on the model, told some seconds after its last action."""
    scenario = load_scenario(DATA / name, address_of)
    run = Replay(scenario, "model", None)
    story = Story()
    done = []
    for one in run.play():
        story.take(one)
        done.append(one)
    result, last = build_result(run, "none", 0), replace(done[-1], time=done[-1].time + after)
    return Told(scenario, tuple(done), story, Summary(scenario, story, run.totals.cascade).render(last, result, []))


@pytest.fixture(scope="module")
def told() -> Told:
    return tell("rulebook.yaml")


def fate(told: Told, name: str) -> str:
    """The line of the cast that says what became of an account."""
    lines = told.page.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"  {name}: "))
    return next(line for line in lines[start:] if line.startswith("    -> "))


def test_what_is_left_names_the_faults_of_the_prices_it_is_counted_by(told: Told) -> None:
    """A day after its last price, the account with a position; the one with dollars alone is counted by none."""
    late = tell("rulebook.yaml", after=DAY)
    assert ", by prices with STALE_HARD): " in fate(late, "whale")
    assert not any(", by prices with " in fate(told, name) for name in ("whale", "bull"))
    assert "(HEALTHY): " in fate(late, "bull")


def test_a_transfer_leaves_one_account_and_enters_the_other(told: Told) -> None:
    flows = told.story.flows
    assert flows[told.account("whale")] == Flow(paid_in=11_000 * W, taken_out=1_000 * W)
    assert flows[told.account("spare")] == Flow(paid_in=1_000 * W)
    # WETH at 200 dollars, the price when it moved; at the end it is 180.
    assert flows[told.account("bear")] == Flow(paid_in=11 * 200 * W, taken_out=200 * W)
    assert flows[told.account("nest")] == Flow(paid_in=200 * W)
    assert "paid in 11,000.00, took out 1,000.00, " in fate(told, "whale")


def test_a_partial_liquidation_leaves_the_rest_of_the_position(told: Told) -> None:
    found = told.liquidation("whale")
    assert AccountState(found.report.account_state) == AccountState.LIQUIDATABLE
    (fill,) = found.fills
    assert 0 < fill.size < 20 * W
    assert fill.size - fill.size_delta == 20 * W
    assert found.report.closed_notional == -fill.size_delta * 7_690
    assert found.sold == ()
    assert found.report.bad_debt == 0
    # The rest is at its last price: what is left is cash and the profit of the rest.
    whale = told.only(LiquidateMany).world.protocol.accounts[told.account("whale")]
    assert found.left == whale.cash + fill.size * 7_690 - fill.cost


def test_the_page_tells_what_a_partial_liquidation_closed(told: Told) -> None:
    row = (
        r"^  12 Mar 03:00:\d\d +whale +LIQUIDATABLE .* -  "
        r"long (\d+)[.](\d+) BTC at 7,690[.]00 [(](\d+)[.](\d+) left[)]$"
    )
    ((whole, part, left_whole, left_part),) = re.findall(row, told.page, re.MULTILINE)
    (fill,) = told.liquidation("whale").fills
    assert int(whole + part.ljust(18, "0")) == -fill.size_delta
    assert int(left_whole + left_part.ljust(18, "0")) == fill.size
    assert "Liquidations: 2 (1 LIQUIDATABLE, 1 BANKRUPT), of 2 accounts\n" in told.page
    assert "-> liquidated 12 Mar 03:00:0" in fate(told, "whale")


def test_an_account_that_a_batch_passes_over_is_not_liquidated(told: Told) -> None:
    batch = told.only(LiquidateMany)
    (refused,) = (event for event in batch.events if isinstance(event, LiquidationRefused))
    assert refused == LiquidationRefused(told.account("spare"), "liq/not-liquidatable")
    assert told.story.liquidated == {told.account("whale"), told.account("bear")}
    assert "liq/not-liquidatable" not in told.story.refusals  # the batch itself succeeded
    assert sum(told.story.refusals.values()) == 5


def test_collateral_sold_is_told_with_the_bad_debt_it_left(told: Told) -> None:
    found = told.liquidation("bear")
    assert found.sold == ((WETH, 10 * 10**18),)
    assert found.left == 0
    assert found.report.bad_debt == found.report.bad_debt_insurance > 0
    assert "long 100 ETH at 180.00; sold 10.00 WETH of its collateral" in told.page


def test_a_whole_close_pays_its_fees_and_nothing_flows(told: Told) -> None:
    close = told.only(CloseAll)
    fills = [event for event in close.events if isinstance(event, PositionUpdated)]
    assert [(fill.market, fill.size, fill.size_delta) for fill in fills] == [(0, 0, -W), (1, 0, 20 * W)]
    assert told.story.flows[told.account("bull")] == Flow(paid_in=2_000 * W, taken_out=2_100 * W)
    assert "never liquidated; paid in 2,000.00, took out 2,100.00, left " in fate(told, "bull")
    fees = [e.fee for done in told.done for e in done.events if isinstance(e, PositionUpdated)]
    assert sum(fees) > 0
    # A tenth of each fee, rounded by at most a wei.
    assert abs(told.story.fund.fees * 10 - sum(fees)) <= 10 * len(fees)


def test_the_page_tells_what_became_of_orders(told: Told) -> None:
    """ORD-5, ORD-6: two committed, one of them filled for its fee and one cancelled for its part of it."""
    orders = told.story.orders
    assert (orders.committed, orders.filled, orders.cancelled, orders.liquidated) == (2, 1, 1, 0)
    assert (orders.refused.total(), orders.pending, orders.fees) == (0, 0, 3 * W)
    assert "\nOrders: 2 committed, 1 filled, 1 cancelled; keepers were paid 3.00\n\n" in told.page


def test_the_page_tells_every_end_of_an_order() -> None:
    """ORD-5 to ORD-7: ended by what refuses its trade, by a liquidation, or not yet."""
    assert (
        "\nOrders: 5 committed, 2 filled, 1 ended without their trade (1 trade/price), "
        "1 ended by a liquidation, 1 pending;"
        "\n  keepers were paid 6.00\n"
    ) in tell("orders.yaml").page


def test_a_run_without_orders_says_nothing_of_them() -> None:
    """The line is for markets of orders."""
    assert "Orders" not in tell("twins.yaml").page


def test_a_redemption_leaves_the_pool(told: Told) -> None:
    claim = told.only(ClaimRedemption)
    held = [event.held for done in told.done for event in done.events if is_usdc(event) and done.number <= claim.number]
    assert told.story.pool_paid_in == 1_000_000 * W
    assert told.story.pool_paid_out == (held[-2] - held[-1]) * USDC_TO_W > 0
    # A hundredth of the shares at the price of the moment: the pool gained and lost less than one per cent.
    assert 9_900 * W < told.story.pool_paid_out < 10_100 * W
    assert f"redeemed by providers{'':>31}" in told.page


def is_usdc(event: Any) -> bool:
    return isinstance(event, TokenUpdated) and event.token == USDC


def test_funding_and_impact_of_all_fills_are_told(told: Told) -> None:
    fills = [event for done in told.done for event in done.events if isinstance(event, PositionUpdated)]
    charges = told.story.charges
    assert charges.funding_paid - charges.funding_received == sum(fill.funding for fill in fills)
    assert charges.impact_charged - charges.impact_rebated == sum(fill.impact for fill in fills)
    assert charges.impact_charged > charges.impact_rebated > 0
    assert charges.funding_paid >= 0 <= charges.funding_received
    line = next(line for line in told.page.splitlines() if line.startswith("  traders paid "))
    assert f"impact charged {dollars(charges.impact_charged)}, given back {dollars(charges.impact_rebated)}" in line


def test_the_fund_adds_up(told: Told) -> None:
    fund = told.story.fund
    assert (fund.start, fund.gifts) == (10_000 * W, 0)
    assert fund.bad_debt == told.liquidation("bear").report.bad_debt
    end = told.done[-1].world.protocol.ledger.insurance
    assert fund.start + fund.gifts + fund.fees + fund.liquidations - fund.bad_debt == end


def test_the_columns_of_prices_fit_the_longest_name(told: Told) -> None:
    lines = told.page.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("Prices "))
    rows = lines[start : start + 5]
    assert [row.split()[0] for row in rows] == ["Prices", "BTC", "ETH", "WSTETH_RATE", "4"]
    assert len({len(row) for row in rows}) == 1
