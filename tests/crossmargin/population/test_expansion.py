"""What the members of a population do, on a few prices each."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts_py.keys import address_of
from crossmargin.replay.run import Replay
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import Scenario
from crossmargin.steps.trading import ANY_CASH, NO_LIMIT_BUY, NO_LIMIT_SELL
from protocol.account_state import AccountState, compute_account_state
from protocol.actions import (
    ClaimRedemption,
    CloseAll,
    CreateIsolated,
    Deposit,
    DepositToPool,
    RequestRedemption,
    Trade,
)
from protocol.margin import compute_health, compute_notional
from protocol.state import account_id
from protocol.units import W
from tests.crossmargin.loading import START
from tests.crossmargin.population.stage import OPENED, Stage, after_opening, of_population, told

BTC, ETH = 0, 1
WETH = 1
ANSWERED = 30  # seconds after a round, of a reaction


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def key(name: str) -> int:
    return account_id(address_of(name))


def play(scenario: Scenario) -> Replay:
    """The scenario on the model, with a pool to trade against."""
    run = Replay(scenario, "model", None)
    for _ in run.play():
        pass
    return run


LENDER = "  - {at: 1d, by: lender, deposit_to_pool: {amount: 1}}\n"

# --- openings -------------------------------------------------------------------------------------------------------


def test_a_long_opens_with_its_equity_and_leverage_in_whole_lots(stage: Stage) -> None:
    account = key("long_holds_001")
    assert told(stage()) == [
        (OPENED, Deposit(account, 0, 1_000 * 10**6)),
        (OPENED, Trade(account, ETH, 50 * W, NO_LIMIT_BUY)),
    ]
    stage.tables(equity="1001.5", leverage="3.33")
    assert told(stage())[1:] == [(OPENED, Trade(account, ETH, 1667 * W // 100, NO_LIMIT_BUY))]  # 16.674975 ETH


def test_a_short_sells_and_an_isolated_account_is_opened_first(stage: Stage) -> None:
    account = key("short_holds_001")
    assert told(stage(books="{short: 1}", isolated="100", collateral="{WETH: 1}")) == [
        (OPENED, CreateIsolated(account, ETH)),
        (OPENED, Deposit(account, 0, 1_000 * 10**6)),
        (OPENED, Trade(account, ETH, -50 * W, NO_LIMIT_SELL)),
    ]


def test_a_spread_is_long_in_one_market_and_short_in_another_for_half_each(stage: Stage) -> None:
    account = key("spread_holds_001")
    long, short = (action for _, action in told(stage(books="{spread: 1}", markets="{ETH: 1, BTC: 1}"))[1:])
    assert {long.market, short.market} == {BTC, ETH}
    assert {(trade.account, abs(trade.size_delta)) for trade in (long, short)} == {
        (account, 25 * W), (account, 625 * W // 1_000),
    }  # fmt: skip
    assert long.size_delta > 0 > short.size_delta


def test_a_covered_book_is_short_by_its_whole_collateral(stage: Stage) -> None:
    account = key("covered_holds_001")
    stage.tables(equity="10001")
    assert told(stage(books="{covered: 1}", collateral="{WETH: 1, USDC: 1}")) == [
        (OPENED, Deposit(account, WETH, 50_005 * 10**15)),
        (OPENED, Trade(account, ETH, -50 * W, NO_LIMIT_SELL)),
    ]


def test_collateral_and_an_evenly_drawn_part_in_usdc_make_up_the_equity(stage: Stage) -> None:
    scenario = stage(collateral="{WETH: 1}", accounts="40")
    parts = []
    for member in scenario.members:
        paid = {step.action.token: step.action.units for step in of_population(scenario)
                if isinstance(step.action, Deposit) and step.account == member.name}  # fmt: skip
        assert paid.get(0, 0) == 10**9 * member.cash_part // 10_000
        worth = paid.get(0, 0) * 10**12 + paid[WETH] * 200
        assert 1_000 * W - 200 <= worth <= 1_000 * W
        parts.append(member.cash_part)
    assert min(parts) < 2_000
    assert max(parts) > 8_000


def test_a_position_is_as_large_as_its_own_margin_allows(stage: Stage) -> None:
    stage.tables(leverage="40")
    scenario = stage(more=LENDER)
    ((_, trade),) = (entry for entry in told(scenario) if isinstance(entry[1], Trade))
    assert 16 * 1_000 * W < trade.size_delta * 200 < 20 * 1_000 * W
    stage.tables(equity="60")  # the least position is 1,000 dollars: nothing is opened
    assert [type(action) for _, action in told(stage())] == [Deposit]
    stage.tables(equity="100", leverage="2")  # wants 200 dollars and takes the least there is
    assert told(stage())[1][1].size_delta == 511 * W // 100


def test_openings_are_spread_over_their_time_and_steps_stand_in_order(stage: Stage) -> None:
    scenario = stage(accounts="60", opens="{from: 1m, until: 10m}", more=LENDER)
    times = [step.at - START for step in of_population(scenario)]
    assert times == sorted(times)
    assert 60 <= min(times) < 120
    assert 540 < max(times) < 600
    assert [step.at for step in scenario.steps] == sorted(step.at for step in scenario.steps)
    assert stage(accounts="60", opens="{from: 1m, until: 10m}", more=LENDER).steps == scenario.steps


# --- reactions ------------------------------------------------------------------------------------------------------
# A long of 50 ETH at 200 on 1,000 dollars, ten times. With the fee of 5 it is in MARGIN_CALL from below 186.7 down to
# 184.7, where it is LIQUIDATABLE.


def test_where_the_margin_call_of_the_tests_begins_and_ends(stage: Stage) -> None:
    standing = {}
    for price in (187, 186, 185, 184):
        run = play(stage({"1m": price}, providers="{number: 1}"))
        health = compute_health(
            run.world.protocol, run.world.protocol.accounts[key("long_holds_001")], run.world.env(run.now)
        )
        standing[price] = compute_account_state(run.world.protocol.risk, health)
    assert standing == {
        187: AccountState.RESTRICTED, 186: AccountState.MARGIN_CALL, 185: AccountState.MARGIN_CALL,
        184: AccountState.LIQUIDATABLE,
    }  # fmt: skip


def test_who_holds_does_nothing(stage: Stage) -> None:
    assert after_opening(stage({"1m": 190, "2m": 186, "3m": 100})) == []


def test_who_tops_up_adds_a_part_of_its_equity_after_a_margin_call(stage: Stage) -> None:
    account = key("long_tops_up_001")
    scenario = stage({"1m": 187, "2m": 186, "3m": 175.5, "4m": 175}, behaviours="{tops_up: 1}")
    deposit = Deposit(account, 0, 500 * 10**6)
    assert after_opening(scenario) == [(120 + ANSWERED, deposit), (180 + ANSWERED, deposit)]


def test_a_trader_answers_three_margin_calls(stage: Stage) -> None:
    prices = {"1m": 186, "2m": 175.5, "3m": 165.3, "4m": 155, "5m": 145}
    assert len(after_opening(stage(prices, behaviours="{tops_up: 1}"))) == 3


def test_who_reduces_closes_a_part_of_each_position(stage: Stage) -> None:
    account = key("long_reduces_001")
    scenario = stage({"1m": 186, "2m": 185.5}, behaviours="{reduces: 1}")
    assert after_opening(scenario) == [(60 + ANSWERED, Trade(account, ETH, -25 * W, NO_LIMIT_SELL))]
    stage.tables(reduction="0.0001")  # less than a lot of 0.01 is closed as one lot
    trade = after_opening(stage({"1m": 186}, behaviours="{reduces: 1}"))[0][1]
    assert trade.size_delta == -W // 100


def test_who_would_keep_less_than_the_least_position_closes_everything(stage: Stage) -> None:
    account = key("long_reduces_001")
    for part in ("0.95", "1"):
        stage.tables(reduction=part)
        scenario = stage({"1m": 186, "2m": 185.5}, behaviours="{reduces: 1}")
        assert after_opening(scenario) == [(60 + ANSWERED, CloseAll(account, ANY_CASH))]


def test_a_margin_call_is_of_the_whole_account_with_all_its_markets(stage: Stage) -> None:
    prices = {"1m": "{ETH: 186}", "2m": "{BTC: 7440, ETH: 186}"}
    scenario = stage(prices, behaviours="{reduces: 1}", books="{basket: 1}", markets="{ETH: 1, BTC: 1}")
    assert {(at, action.market) for at, action in after_opening(scenario)} == {(150, BTC), (150, ETH)}


def test_who_is_below_maintenance_before_the_answer_does_not_give_it(stage: Stage) -> None:
    assert after_opening(stage({"1m": 184}, behaviours="{tops_up: 1}")) == []
    assert after_opening(stage({"1m": 186, "1m29s": 184, "3m": 186}, behaviours="{tops_up: 1}")) == []
    assert len(after_opening(stage({"1m": 186, "1m31s": 184}, behaviours="{tops_up: 1}"))) == 1


@pytest.mark.parametrize(
    ("book", "prices", "closes"),
    [
        ("long", {"1m": 190.02, "2m": 190, "3m": 150}, 120),
        ("long", {"1m": 190.01, "2m": 300}, None),
        ("short", {"1m": 209.98, "2m": 210}, 120),
        ("short", {"1m": 209.99, "2m": 100}, None),
    ],
)
def test_a_stop_closes_everything_at_the_first_round_beyond_it(
    stage: Stage, book: str, prices: dict[str, float], closes: int | None
) -> None:
    scenario = stage(prices, behaviours="{stops: 1}", books=f"{{{book}: 1}}")
    close = CloseAll(key(f"{book}_stops_001"), ANY_CASH)
    assert after_opening(scenario) == ([] if closes is None else [(closes + ANSWERED, close)])


@pytest.mark.parametrize(
    ("book", "prices", "closes"),
    [
        pytest.param("long", {"1m": 196, "2m": 192}, 120, id="a fall of four per cent within the window"),
        pytest.param("long", {"1m": 196, "2m": 192.01}, None, id="a little less"),
        pytest.param("long", {"8m": 197, "16m": 192, "24m": 188}, None, id="slowly"),
        pytest.param(
            "long", {"8m": 210, "11m": 204, "18m1s": 201.6, "21m": 195.8}, 21 * 60, id="from the best of a window"
        ),
        pytest.param("long", {"1m": 210, "2m": 201.6}, 120, id="a fall after a rise"),
        pytest.param("short", {"1m": 208}, 60, id="a rise, for a short"),
        pytest.param("short", {"1m": 150, "2m": 155.9}, None, id="a rise of less"),
        pytest.param("short", {"1m": 150, "2m": 156}, 120, id="a rise after a fall"),
    ],
)
def test_who_panics_closes_everything_after_a_sharp_move_against_it(
    stage: Stage, book: str, prices: dict[str, float], closes: int | None
) -> None:
    scenario = stage(prices, behaviours="{panics: 1}", books=f"{{{book}: 1}}")
    close = CloseAll(key(f"{book}_panics_001"), ANY_CASH)
    assert after_opening(scenario) == ([] if closes is None else [(closes + ANSWERED, close)])


# --- providers ------------------------------------------------------------------------------------------------------


def test_providers_pay_in_first_and_those_who_leave_ask_and_claim(stage: Stage) -> None:
    scenario = stage(providers="{number: 2, leaving: 100}")
    first, *_, last = of_population(scenario)
    assert [(step.sender, step.action) for step in of_population(scenario)[:2]] == [
        ("lp_001", DepositToPool(500_000 * 10**6)), ("lp_002", DepositToPool(500_000 * 10**6)),
    ]  # fmt: skip
    steps = [(step.at - first.at, step.action) for step in of_population(scenario)]
    asked = {(at, action.shares) for at, action in steps if isinstance(action, RequestRedemption)}
    claimed = {at for at, action in steps if isinstance(action, ClaimRedemption)}
    assert (asked, claimed) == ({(3_600, 500_000 * W)}, {3_600 + 86_400 + 600})
    assert last.sender == "lp_002"


def test_who_leaves_is_paid_but_for_the_last_while_positions_are_open(stage: Stage) -> None:
    late = {"1d1h9m": "{BTC: 8000, ETH: 200}"}
    run = play(stage(late, providers="{number: 3, leaving: 100}"))
    assert run.totals.refusals == 1
    assert [stake.shares // W for stake in run.world.protocol.stakes.values()] == [0, 0, 500_000]


# --- runs -----------------------------------------------------------------------------------------------------------


def test_a_refused_step_of_a_population_is_part_of_the_run(stage: Stage) -> None:
    scenario = stage()  # without a pool nothing can be opened
    done = [done for done in Replay(scenario, "model", None).play() if done.planned.step in of_population(scenario)]
    assert [entry.code for entry in done] == ["ok", "pool/reserved"]


def test_the_positions_of_the_run_are_those_that_the_trader_reckons_with(stage: Stage) -> None:
    run = play(stage(providers="{number: 1}"))
    position = run.world.protocol.accounts[key("long_holds_001")].positions[ETH]
    assert compute_notional(position.size, 200 * W) == position.cost == 10_000 * W


def test_stories_beside_a_population_are_told_as_before(stage: Stage) -> None:
    more = (
        "  - {at: 20s, deposit: {account: alice, token: USDC, amount: 5}}\n"
        "  - {at: 1h, by: friend, deposit: {account: long_holds_001, token: USDC, amount: 7}}\n"
        "accounts: {alice: {story: Waits.}}\nexpect: {accounts: {alice: {cash: 5}, long_holds_001: {state: HEALTHY}}}\n"
    )
    scenario = stage(more=more, providers="{number: 1}")
    run = play(scenario)
    assert run.world.protocol.accounts[key("alice")].cash == 5 * W
    assert run.world.protocol.accounts[key("long_holds_001")].cash > 1_000 * W
    assert scenario.expect.accounts["alice"] == {"cash": 5 * W}


# --- prices that are reported ---------------------------------------------------------------------------------------

REPORTED = """\
title: Reported
params: sources
start: 2020-03-12T00:00:00Z
reporters:
  - {{source: btc_reporters, truth: {{0s: 8000, 10m: {price}}}, every: 5m}}
population:
  profile: alike.yaml
  seed: tests
  accounts: 1
  opens: {{from: 1m, until: 61s}}
  markets: {{BTC: 1}}
  collateral: {{USDC: 1}}
  books: {{long: 1}}
  behaviours: {{stops: 1}}
"""


def test_a_population_sees_what_reporters_report(stage: Stage) -> None:
    """Who stops a twentieth below 8,000 does so where the median is 7,500, and not where it is 7,700.

    While reports of 5m replace those of 0s there are seconds without a quorum, and so without a price: nobody acts.
    """
    account = key("long_stops_001")
    stage.path.write_text(REPORTED.format(price=7500), "utf-8")
    steps = told(load_scenario(stage.path, address_of))
    assert [action for _, action in steps] == [
        Deposit(account, 0, 1_000 * 10**6),
        Trade(account, BTC, 125 * W // 100, NO_LIMIT_BUY),
        CloseAll(account, ANY_CASH),
    ]
    assert steps[-1][0] == 604 + ANSWERED  # the fifth of the reports at 10m
    stage.path.write_text(REPORTED.format(price=7700), "utf-8")
    assert len(told(load_scenario(stage.path, address_of))) == 2
