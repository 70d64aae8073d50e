"""The scenarios that ship: what they promise, what their cast shows, and that they run the same everywhere."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from contracts_py.keys import address_of
from crossmargin.library import SCENARIOS
from crossmargin.replay.command import Run, replay
from crossmargin.replay.run import Replay
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import Scenario
from crossmargin.text import dollars, moment
from protocol.account_state import AccountState
from protocol.actions import DepositToPool
from protocol.margin import compute_health
from protocol.rewards import compute_reward
from protocol.state import USDC
from protocol.units import USDC_TO_W, W
from tests.specs.pages import SPECS, Page

PAGE = SPECS / "scenarios" / "README.md"
CASTS = {"black_thursday": "Black Thursday", "quiet_day": "A quiet day"}
NAMES = ("black_thursday", "quiet_day")
WITH_POPULATION = re.compile("(crash|quiet)_20")  # tests/crossmargin/population has them
EVERY = [name for name in SCENARIOS.names() if not WITH_POPULATION.match(name)]
SHORT = [name for name in EVERY if name not in NAMES]  # one for each part of the rules
needs_pyrevm = pytest.mark.skipif(find_spec("pyrevm") is None, reason="pyrevm is not installed")
MORNING = 10 * 3_600  # seconds after the start: before the first fall, when every contrast stands


@dataclass(frozen=True)
class Played:
    """A scenario, its finished run, and questions to its trace."""

    scenario: Scenario
    run: Run

    def rows(self, query: str, *values: object) -> list[Any]:
        """Rows of the trace."""
        database = sqlite3.connect(self.run.folder / "trace.sqlite")
        try:
            return database.execute(query, values).fetchall()
        finally:
            database.close()

    def liquidations(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name of the account and the report of each liquidation, in order."""
        rows = self.rows(
            "SELECT name, fields FROM event JOIN account USING (account) "
            "WHERE event = 'AccountLiquidated' ORDER BY number"
        )
        for name, fields in rows:
            yield name, json.loads(fields)

    def liquidated(self) -> set[str]:
        """Accounts that were liquidated at least once."""
        return {name for name, _ in self.liquidations()}

    def standings(self, name: str) -> list[AccountState]:
        """In what state keepers found an account, one for each of its liquidations."""
        return [AccountState(int(report["account_state"])) for found, report in self.liquidations() if found == name]

    def fills(self) -> Iterator[dict[str, Any]]:
        """Every fill of the run, in order."""
        for (fields,) in self.rows(
            "SELECT fields FROM event WHERE event = 'PositionUpdated' ORDER BY number, position"
        ):
            yield json.loads(fields)

    def moments(self, action: str, sender: str) -> list[tuple[int, str]]:
        """Time and code of a sender's actions of one kind, in order."""
        return self.rows(
            "SELECT time, code FROM action WHERE action = ? AND sender = ? ORDER BY number", action, sender
        )

    def opening(self, name: str) -> tuple[int, dict[str, int]]:
        """What an account was worth before its first trade, and the sizes it held in the morning, by market."""
        values = self.rows(
            "SELECT equity_raw FROM health JOIN account USING (account) WHERE name = ? ORDER BY number LIMIT 1", name
        )
        sizes = self.rows(
            "SELECT market, json_extract(fields, '$.size') FROM event JOIN account USING (account) "
            "JOIN action USING (number) WHERE name = ? AND event = 'PositionUpdated' AND time < ? ORDER BY number",
            name,
            self.scenario.start + MORNING,
        )
        return int(values[0][0]), {market: int(size) for market, size in sizes}


def play(name: str, engine: str, folder: Path, backend: str = "eth-tester") -> Played:
    """A scenario that ships, replayed."""
    scenario = load_scenario(SCENARIOS.find(name), address_of)
    return Played(scenario, replay(scenario, engine, backend, folder / name, lambda doing, done: None))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """Every scenario with a cast, on the model."""
    return {name: play(name, "model", tmp_path_factory.mktemp("runs")) for name in EVERY}


@pytest.fixture
def crash(played: dict[str, Played]) -> Played:
    return played["black_thursday"]


# --- what is promised -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_every_expectation_of_the_scenario_is_met(played: dict[str, Played], name: str) -> None:
    assert played[name].run.failure == ""
    assert [str(missed) for missed in played[name].run.missed] == []


def test_the_crash_is_as_large_as_promised(crash: Played) -> None:
    result = crash.run.result
    assert result["min_price"] == {"BTC": "3782.13", "ETH": "86.00"}
    assert result["actions"] >= 300
    assert result["liquidations"] >= 10
    assert len(crash.scenario.accounts) >= 30
    assert len({step.sender for step in crash.scenario.steps if isinstance(step.action, DepositToPool)}) >= 3


def test_every_keeper_of_the_crash_finds_work(crash: Played) -> None:
    senders = {sender for (sender,) in crash.rows("SELECT sender FROM action WHERE kind = 'keeper'")}
    assert senders == {keeper.name for keeper in crash.scenario.keepers}
    assert len(senders) >= 2


def test_on_the_quiet_day_nobody_is_liquidated(played: dict[str, Played]) -> None:
    quiet = played["quiet_day"]
    assert quiet.run.result["liquidations"] == 0
    assert quiet.run.result["actions"] >= 50
    assert len(quiet.scenario.accounts) >= 12
    assert quiet.liquidated() == set()


@pytest.mark.parametrize("name", EVERY)
def test_every_step_happens_at_the_second_it_names(played: dict[str, Played], name: str) -> None:
    # A step in the second of a round, or of a liquidation, would be moved. Reports come several in a second: each takes
    # one of its own, and what the scenario does in one of those follows.
    scenario = played[name].scenario
    is_reported = "\nreporters:\n" in scenario.path.read_text("utf-8")
    expected, now = [], 0
    for step in scenario.steps:
        now = max(step.at, now + 1) if is_reported else step.at
        expected.append((step.line, now))
    assert played[name].rows("SELECT line, time FROM action WHERE kind = 'user' ORDER BY number") == expected


def test_refusals_of_many_kinds_are_told(crash: Played) -> None:
    codes = {code for (code,) in crash.rows("SELECT code FROM action WHERE code <> 'ok'")}
    assert codes >= {
        "account/isolated", "account/not-owner", "account/not-trader", "account/unknown", "amount/zero",
        "liq/not-liquidatable", "liq/rate-limit", "liq/self", "margin/initial", "margin/just-called", "market/lot",
        "market/min-notional", "market/opening-paused", "market/skew-cap", "pool/inventory", "pool/no-request",
        "pool/too-early", "role/not-guardian", "token/account-cap", "trade/price", "vault/insufficient-units",
        "vault/negative-cash",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_is_expected_by_its_step_or_a_keepers_at_an_empty_window(
    played: dict[str, Played], name: str
) -> None:
    expected = {step.line: step.expect.refused for step in played[name].scenario.steps if step.expect.refused}
    refused = played[name].rows("SELECT line, code FROM action WHERE code <> 'ok'")
    assert {line: code for line, code in refused if line is not None} == expected
    assert {code for line, code in refused if line is None} <= {"liq/rate-limit"}


# --- what the cast shows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lost", "kept"),
    [
        pytest.param("not_topped_up", "topped_up", id="a deposit in time"),
        pytest.param("weth_backed", "usdc_backed", id="collateral that falls with the position"),
    ],
)
def test_of_two_accounts_that_open_alike_one_is_lost(crash: Played, lost: str, kept: str) -> None:
    assert crash.opening(lost) == crash.opening(kept)
    assert lost in crash.liquidated()
    assert kept not in crash.liquidated()


def test_a_loss_spreads_inside_an_account_and_not_between_two(crash: Played) -> None:
    value, sizes = crash.opening("joint")
    btc_value, btc_sizes = crash.opening("split_btc")
    eth_value, eth_sizes = crash.opening("split_eth")
    assert (value, sizes) == (btc_value + eth_value, btc_sizes | eth_sizes)
    assert not btc_sizes.keys() & eth_sizes.keys()
    assert crash.scenario.accounts["split_btc"].owner == crash.scenario.accounts["split_eth"].owner
    assert crash.liquidated() & {"joint", "split_btc", "split_eth"} == {"joint", "split_btc"}
    closed = crash.rows(
        "SELECT market FROM event JOIN account USING (account) WHERE name = 'joint' AND event = 'PositionUpdated' "
        "AND number IN (SELECT number FROM event WHERE event = 'AccountLiquidated')"
    )
    assert {market for (market,) in closed} == sizes.keys()


def test_those_who_are_said_to_survive_do(crash: Played) -> None:
    survivors = {"hedger", "rescued", "covered", "carry", "short_seller", "panicker", "flipper", "reducer"}
    assert (survivors | {"btc_long_2x"}) & crash.liquidated() == set()


def test_the_whale_begins_in_the_third_margin_tier(crash: Played) -> None:
    params = crash.scenario.params
    market = params.markets[int(next(iter(crash.opening("whale")[1])))]
    size = json.loads(
        crash.rows(
            "SELECT fields FROM event JOIN account USING (account) WHERE name = 'whale' AND event = 'PositionUpdated' "
            "ORDER BY number LIMIT 1 OFFSET 2"
        )[0][0]
    )
    notional = int(size["size"]) * int(size["price"]) // W
    assert sum(bracket.lower < notional for bracket in market.params.brackets) == 3


def test_the_whale_loses_a_part_first_and_the_rest_one_round_later(crash: Played) -> None:
    assert crash.standings("whale") == [AccountState.LIQUIDATABLE, AccountState.BACKSTOP]
    first, second = (report for name, report in crash.liquidations() if name == "whale")
    assert 0 < int(first["closed_notional"]) < int(second["closed_notional"])


def find_saved(played: Played) -> set[str]:
    """Accounts whose last liquidation left them a position."""
    rows = played.rows(
        "SELECT name, event.number, market, json_extract(fields, '$.size') FROM event JOIN account USING (account) "
        "WHERE event = 'PositionUpdated' ORDER BY event.number, position"
    )
    last = dict(
        played.rows(
            "SELECT name, max(number) FROM event JOIN account USING (account) WHERE event = 'AccountLiquidated' "
            "GROUP BY name"
        )
    )
    left = {(name, market): int(size) for name, number, market, size in rows if number <= last.get(name, 0)}
    return {name for (name, _), size in left.items() if size != 0}


def test_a_partial_liquidation_saves_four_accounts(crash: Played) -> None:
    saved = find_saved(crash)
    assert saved == {"eth_long_2x", "bull", "waiting", "eth_rebound_7x"}
    assert {standing for name in saved for standing in crash.standings(name)} == {AccountState.LIQUIDATABLE}


def test_an_empty_window_refuses_keepers_and_the_flag_makes_them_a_higher_reward(crash: Played) -> None:
    params = crash.scenario.params
    windows = crash.rows("SELECT fields FROM event WHERE event = 'WindowUpdated' AND market = '1' ORDER BY number")
    fullest = max(int(json.loads(fields)["used"]) for (fields,) in windows)
    window = params.markets[1].params
    assert 0 <= window.window_notional - fullest < 116 * window.lot  # less than a lot at 116.00
    waiting = str(crash.scenario.accounts["waiting"].id)
    times = crash.rows(
        "SELECT action, code, time FROM action WHERE action IN ('Liquidate', 'FlagAccount') "
        "AND json_extract(arguments, '$.account') = ? ORDER BY number",
        waiting,
    )
    assert [(action, code) for action, code, _ in times] == [
        ("Liquidate", "liq/rate-limit"), ("FlagAccount", "ok"), ("Liquidate", "liq/rate-limit"), ("Liquidate", "ok"),
    ]  # fmt: skip
    report = next(report for name, report in crash.liquidations() if name == "waiting")
    closed, risk = int(report["closed_notional"]), params.risk
    assert int(report["reward"]) == compute_reward(risk, closed, risk.reward_ratio_max)
    assert int(report["reward"]) > 2 * compute_reward(risk, closed, risk.reward_ratio)


def test_the_crowded_side_pays_funding(crash: Played) -> None:
    held: dict[tuple[str, str], int] = {}
    for fill in crash.fills():
        key = (fill["account"], fill["market"])
        if fill["funding"] != "0":
            assert (int(fill["funding"]) > 0) == (held[key] > 0)  # longs pay, shorts receive
        held[key] = int(fill["size"])
    assert any(int(fill["funding"]) < 0 for fill in crash.fills())


def test_on_the_quiet_day_no_market_is_crowded_and_nobody_pays_funding(played: dict[str, Played]) -> None:
    assert {fill["funding"] for fill in played["quiet_day"].fills()} == {"0"}


def test_who_stands_against_the_crowd_is_paid_for_it(crash: Played) -> None:
    account = str(crash.scenario.accounts["carry"].id)
    opened, closed = (fill for fill in crash.fills() if fill["account"] == account)
    assert int(opened["impact"]) < 0 < int(opened["fee"]) < -int(opened["impact"])
    assert int(closed["funding"]) < 0
    units = crash.rows(
        "SELECT json_extract(fields, '$.units') FROM event WHERE account = ? AND event = 'CollateralUpdated' "
        "ORDER BY number",
        account,
    )
    assert [int(value) for (value,) in units] == [10 * 10**8, 0]


def test_a_provider_who_asked_before_the_fall_is_paid_a_day_later(crash: Played) -> None:
    ((asked, code),) = crash.moments("RequestRedemption", "lp_harbour")
    assert (asked - crash.scenario.start < MORNING, code) == (True, "ok")
    early, paid, again = crash.moments("ClaimRedemption", "lp_harbour")
    delay = crash.scenario.params.risk.redemption_delay
    assert (early[1], paid[1], again[1]) == ("pool/too-early", "ok", "pool/no-request")
    assert early[0] < asked + delay <= paid[0]


def test_the_insurance_fund_pays_all_bad_debt(crash: Played) -> None:
    in_debt = {name: report for name, report in crash.liquidations() if report["bad_debt"] != "0"}
    assert "wrong_way" in in_debt
    assert all(report["bad_debt_insurance"] == report["bad_debt"] for report in in_debt.values())
    assert crash.run.result["deficit"] == "0.00"


@pytest.mark.parametrize("name", ["wrong_way", "weth_backed"])
def test_wrong_way_collateral_ends_in_the_pool(crash: Played, name: str) -> None:
    sold = crash.rows(
        "SELECT json_extract(fields, '$.units') FROM event JOIN account USING (account) WHERE name = ? "
        "AND event = 'CollateralUpdated' AND number IN (SELECT number FROM event WHERE event = 'AccountLiquidated')",
        name,
    )
    assert len(sold) == 1


# --- what the page says ---------------------------------------------------------------------------------------------


def read_figures(column: int) -> dict[str, str]:
    """The table of key figures: a result's name, a feed's name after it, and the value of one scenario."""
    rows = re.findall(r"^\| `(\w+)`( \w+)? \| ([\d.]+) \| ([\d.]+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    return {name + feed: values[column] for name, feed, *values in rows}


@pytest.mark.parametrize("name", NAMES)
def test_the_page_quotes_the_figures_of_the_run(played: dict[str, Played], name: str) -> None:
    result = dict(played[name].run.result)
    result |= {f"min_price {feed}": price for feed, price in result["min_price"].items()}
    figures = read_figures(NAMES.index(name))
    assert len(figures) == 11
    assert figures == {key: str(result[key]) for key in figures}


def read_cast(name: str) -> str:
    """The part of the page about a scenario's cast."""
    return PAGE.read_text("utf-8").split(f"\n## {CASTS[name]}: the cast\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_introduces_everyone_with_a_story(played: dict[str, Played], name: str) -> None:
    part = read_cast(name)
    cells = re.findall(r"^\| (`.+?) \|", part, re.MULTILINE)
    introduced = [account for cell in cells for account in re.findall(r"`(\w+)`", cell)]
    assert introduced == [spec.name for spec in played[name].scenario.accounts.values() if spec.story]


def find_left(played: Played, name: str) -> tuple[str, str]:
    """When an account was last liquidated, and its value just after it."""
    time, value = played.rows(
        "SELECT time, equity_raw FROM health JOIN account USING (account) JOIN action USING (number) "
        "WHERE name = ? AND action = 'Liquidate' AND code = 'ok' ORDER BY number DESC LIMIT 1",
        name,
    )[0]
    return moment(time), dollars(int(value))


def find_taken(played: Played, name: str) -> int:
    """Dollars at scale W that the owner has taken out."""
    rows = played.rows(
        "SELECT json_extract(arguments, '$.units') FROM action WHERE action = 'Withdraw' AND code = 'ok' "
        "AND json_extract(arguments, '$.token') = ? AND json_extract(arguments, '$.account') = ?",
        str(USDC),
        str(played.scenario.accounts[name].id),
    )
    return sum(int(units) for (units,) in rows) * USDC_TO_W


@pytest.mark.parametrize(("name", "least"), [("black_thursday", 25), ("quiet_day", 8)])
def test_the_page_tells_the_fates_of_the_run(played: dict[str, Played], name: str, least: int) -> None:
    told = played[name]
    part = read_cast(name)
    values = find_values(told.scenario)
    checked = 0
    for account, fate in re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]*) \|", part, re.MULTILINE):
        if found := re.match(r"liquidated (\d+) March ([\d:]+)(?:, ([\d.,]+) left)?", fate):
            at, left = find_left(told, account)
            assert at == f"{found[1]} Mar {found[2]}"
            assert left == (found[3] or left)
            checked += 1
        if found := re.search(r"ends with ([\d.,]*\d)", fate):
            assert found[1] == dollars(values[account])
            checked += 1
        if found := re.search(r"([\d.,]+) in all", fate):
            assert found[1] == dollars(values[account] + find_taken(told, account))
            checked += 1
    assert checked >= least


def find_values(scenario: Scenario) -> dict[str, int]:
    """Account values at the end of a run on the model."""
    run = Replay(scenario, "model", None)
    for _ in run.play():
        pass
    state, env = run.world.protocol, run.world.env(run.now)
    return {
        name: compute_health(state, state.accounts[spec.id], env).equity_raw for name, spec in scenario.accounts.items()
    }


def test_the_page_says_what_liquidations_brought(crash: Played) -> None:
    page = PAGE.read_text("utf-8")
    totals = dict.fromkeys(("penalty", "reward", "reward_from_account"), 0)
    for _, report in crash.liquidations():
        for key in totals:
            totals[key] += int(report[key])
    names = [name for name, _ in crash.liquidations()]
    assert f"Penalties bring {dollars(totals['penalty'])} dollars" in page
    assert f"Keepers earn {dollars(totals['reward'])}, of which" in page
    assert f"the fund pays {dollars(totals['reward'] - totals['reward_from_account'])} that" in page
    assert f"{len(crash.scenario.accounts)} accounts, three of them of keepers" in page
    again = sum(count > 1 for count in Counter(names).values())
    assert f"{len(set(names))} accounts are liquidated, {again} of them more than once" in page
    partial = [r for _, r in crash.liquidations() if int(r["account_state"]) == AccountState.LIQUIDATABLE]
    assert f"{len(partial)} liquidations find an account LIQUIDATABLE" in page
    assert sum(report["bad_debt"] != "0" for _, report in crash.liquidations()) == 3
    assert "Bad debt arises three times" in page
    keepers = re.findall(r"keeper (\w+): .* rewards ([\d,.]+)", crash.run.summary)
    who, (first, second, third) = ", ".join(f"`{name}`" for name, _ in keepers), (amount for _, amount in keepers)
    assert f"| {who} | keepers | earn {first}, {second} and {third} |" in page


def test_the_page_says_what_the_crowd_pays(crash: Played) -> None:
    page = " ".join(PAGE.read_text("utf-8").split())
    sums: Counter[str] = Counter()
    for fill in crash.fills():
        for key in ("impact", "funding"):
            amount = int(fill[key])
            sums[f"{key} {'paid' if amount > 0 else 'received'}"] += abs(amount)
    assert f"Impact costs those who grow the skew {dollars(sums['impact paid'])} dollars" in page
    assert f"get {dollars(sums['impact received'])} back" in page
    assert f"pay {dollars(sums['funding paid'])} dollars of funding" in page
    assert f"shorts get {dollars(sums['funding received'])} of it" in page


def test_the_page_says_what_providers_get(crash: Played) -> None:
    page = " ".join(PAGE.read_text("utf-8").split())
    shares = crash.rows("SELECT json_extract(fields, '$.shares') FROM event WHERE event = 'LedgerUpdated'")
    worth = Decimal(crash.run.result["pool_value"]) * W / int(shares[-1][0])
    assert f"is worth {worth:.3f} at the end" in page
    bought = crash.rows("SELECT json_extract(fields, '$.shares') FROM event WHERE event = 'StakeUpdated'")
    assert f"`lp_late` paid {Decimal(1_500_000) * W / int(bought[-1][0]):.3f} at the low" in page
    redeemed = re.search(r"redeemed by providers +-([\d,.]+)", crash.run.summary)
    assert redeemed
    assert f"and gets {redeemed[1]} dollars a day after it asked" in page


def test_the_page_says_how_much_the_pool_took_over_and_sold_again(crash: Played) -> None:
    page = " ".join(PAGE.read_text("utf-8").split())
    rows = crash.rows(
        "SELECT json_extract(fields, '$.inventory') FROM event WHERE event = 'TokenUpdated' "
        "AND json_extract(fields, '$.token') = '1' ORDER BY number"
    )
    held = [0, *(int(value) for (value,) in rows)]
    changes = [after - before for before, after in pairwise(held)]
    taken, sold = sum(max(change, 0) for change in changes), sum(max(-change, 0) for change in changes)
    assert f"buys {sold // 10**18} of the {taken // 10**18} WETH that the pool took over" in page


def test_the_page_counts_refusals(crash: Played) -> None:
    page = " ".join(PAGE.read_text("utf-8").split())
    refused = crash.rows("SELECT sender, code, line FROM action WHERE code <> 'ok'")
    keepers = [code for _, code, line in refused if line is None]
    assert len(keepers) == 4
    assert "Four refusals are of keepers who come to an empty window on the afternoon of the 13th" in page
    assert f"the other {len(refused) - len(keepers)} are steps that expect them" in page
    tester = [code for sender, code, _ in refused if sender == "rule_tester"]
    assert f"{len(tester)} refusals, by {len(set(tester))} codes" in page


def find_longs(crash: Played) -> dict[str, int]:
    """Accounts called long and their leverage, by name."""
    return {name: int(found[1]) for name in crash.scenario.accounts if (found := re.search(r"_long_(\d+)x", name))}


def test_only_longs_of_little_leverage_come_through_the_crash(crash: Played) -> None:
    longs = find_longs(crash)
    through = {name: leverage for name, leverage in longs.items() if name not in crash.liquidated()}
    assert (len(longs), len(through)) == (36, 4)
    assert max(through.values()) == 3


def test_longs_of_much_leverage_go_before_those_of_little(crash: Played) -> None:
    longs, order = find_longs(crash), list(dict.fromkeys(name for name, _ in crash.liquidations()))
    much = [order.index(name) for name, leverage in longs.items() if leverage >= 10]
    little = [order.index(name) for name, leverage in longs.items() if leverage <= 4 and name in order]
    assert min(len(much), len(little)) >= 8
    assert max(much) < min(little)


def test_the_readme_shows_the_page_of_the_crash(crash: Played) -> None:
    shown = (SPECS.parent / "README.md").read_text("utf-8").split("\nBlack Thursday:")[1].split("\n\nrun folder")[0]
    page = crash.run.summary.splitlines()
    elsewhere = ("2020-03-12 00:00:00 to", "  0 divergences")  # lines that tell the engine
    lines = [line for line in shown.splitlines()[1:] if line.strip() != "..." and not line.startswith(elsewhere)]
    assert len(lines) > 40
    assert [line for line in lines if line not in page] == []


def test_the_scenario_to_begin_with_runs(tmp_path: Path) -> None:
    blocks = [block.text for block in Page(PAGE).blocks() if block.info == "yaml"]
    assert len(blocks) == 1
    assert len(blocks[0].splitlines()) == 14
    path = tmp_path / "first.yaml"
    path.write_text(blocks[0])
    run = replay(load_scenario(path, address_of), "model", "eth-tester", tmp_path / "run", lambda doing, done: None)
    assert (run.missed, run.failure) == ((), "")


# --- the same everywhere --------------------------------------------------------------------------------------------


def test_the_state_of_the_crash_does_not_depend_on_the_hash_seed(crash: Played, tmp_path: Path) -> None:
    # The other seed is this process's own, which is drawn anew for every run.
    command = [sys.executable, "-m", "crossmargin.cli", "replay", "black_thursday", "--engine", "model", "--json"]
    ended = subprocess.run(
        [*command, "--out", tmp_path / "run"],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": "20200312"},
    )
    assert json.loads(ended.stdout)["state_digest"] == crash.run.result["state_digest"]


@pytest.mark.deep
@pytest.mark.parametrize("name", NAMES)
def test_model_and_contracts_agree_on_eth_tester_on(played: dict[str, Played], tmp_path: Path, name: str) -> None:
    check_agreement(played[name], play(name, "lockstep", tmp_path))


@needs_pyrevm
@pytest.mark.parametrize("name", [*SHORT, "quiet_day"])
def test_model_and_contracts_agree_on(played: dict[str, Played], tmp_path: Path, name: str) -> None:
    check_agreement(played[name], play(name, "lockstep", tmp_path, "pyrevm"))


def check_agreement(alone: Played, both: Played) -> None:
    """A run in lockstep went through and ended where the model alone does."""
    assert both.run.failure == ""
    assert both.run.missed == ()
    assert both.run.result["divergences"] == 0
    assert both.run.result["state_digest"] == alone.run.result["state_digest"]
