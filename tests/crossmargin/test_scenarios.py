"""The scenarios that ship: what they promise, what their cast shows, and that they run the same everywhere."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts_py.keys import address_of
from crossmargin.library import SCENARIOS
from crossmargin.replay.command import Run, replay
from crossmargin.replay.run import Replay
from crossmargin.scenario import Scenario, load_scenario
from crossmargin.text import dollars, moment
from protocol.actions import DepositToPool
from protocol.margin import compute_health
from protocol.state import USDC
from protocol.units import USDC_TO_W, W
from tests.specs.pages import SPECS, Page

PAGE = SPECS / "scenarios" / "README.md"
NAMES = ("black_thursday", "quiet_day")
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


def play(name: str, engine: str, folder: Path) -> Played:
    """A scenario that ships, replayed."""
    scenario = load_scenario(SCENARIOS.find(name), address_of)
    return Played(scenario, replay(scenario, engine, "eth-tester", folder / name, lambda doing, done: None))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """Both scenarios on the model."""
    return {name: play(name, "model", tmp_path_factory.mktemp("runs")) for name in NAMES}


@pytest.fixture
def crash(played: dict[str, Played]) -> Played:
    return played["black_thursday"]


# --- what is promised -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
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
    assert senders == set(crash.scenario.keepers)
    assert len(senders) >= 2


def test_on_the_quiet_day_nobody_is_liquidated(played: dict[str, Played]) -> None:
    quiet = played["quiet_day"]
    assert quiet.run.result["liquidations"] == 0
    assert quiet.run.result["actions"] >= 50
    assert len(quiet.scenario.accounts) >= 12
    assert quiet.liquidated() == set()


@pytest.mark.parametrize("name", NAMES)
def test_every_step_happens_at_the_second_it_names(played: dict[str, Played], name: str) -> None:
    # A step in the second of a round, or of a liquidation, would be moved.
    happened = dict(played[name].rows("SELECT line, time FROM action WHERE kind = 'user'"))
    assert happened == {step.line: step.at for step in played[name].scenario.steps}


def test_refusals_of_many_kinds_are_told(crash: Played) -> None:
    codes = {code for (code,) in crash.rows("SELECT code FROM action WHERE code <> 'ok'")}
    assert codes >= {
        "account/not-owner", "account/unknown", "amount/zero", "liq/not-liquidatable", "liq/self", "margin/initial",
        "market/lot", "market/min-notional", "market/opening-paused", "role/not-guardian", "trade/price",
        "vault/insufficient-units", "vault/negative-cash",
    }  # fmt: skip


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
    survivors = {"hedger", "rescued", "covered", "short_seller", "panicker", "flipper", "reducer", "btc_long_2x"}
    assert survivors & crash.liquidated() == set()


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


@pytest.mark.parametrize("name", NAMES)
def test_the_page_introduces_everyone_with_a_story(played: dict[str, Played], name: str) -> None:
    part = PAGE.read_text("utf-8").split("\n## ")[2 + NAMES.index(name)]
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


@pytest.mark.parametrize(("name", "least"), [("black_thursday", 20), ("quiet_day", 7)])
def test_the_page_tells_the_fates_of_the_run(played: dict[str, Played], name: str, least: int) -> None:
    told = played[name]
    part = PAGE.read_text("utf-8").split("\n## ")[2 + NAMES.index(name)]
    values = find_values(told.scenario)
    checked = 0
    for account, fate in re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]*) \|", part, re.MULTILINE):
        if found := re.match(r"(?:liquidated|bankrupt) (\d+) March ([\d:]+)(?:, ([\d.,]+) left)?", fate):
            at, left = find_left(told, account)
            assert at == f"{found[1]} Mar {found[2]}"
            assert left == (found[3] or left)
        elif found := re.search(r"ends with ([\d.,]*\d)", fate):
            assert found[1] == dollars(values[account])
        elif found := re.search(r"([\d.,]+) in all", fate):
            assert found[1] == dollars(values[account] + find_taken(told, account))
        else:
            continue
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
    assert f"{len(set(names))} accounts are liquidated, three of them twice" in page
    assert len(names) - len(set(names)) == 3
    assert sum(report["bad_debt"] != "0" for _, report in crash.liquidations()) == 4
    assert "Bad debt arises four times" in page
    keepers = re.findall(r"keeper (\w+): .* rewards ([\d,.]+)", crash.run.summary)
    who, (first, second, third) = ", ".join(f"`{name}`" for name, _ in keepers), (amount for _, amount in keepers)
    assert f"| {who} | keepers | earn {first}, {second} and {third} |" in page


def test_only_longs_of_little_leverage_come_through_the_crash(crash: Played) -> None:
    longs = {name: int(found[1]) for name in crash.scenario.accounts if (found := re.search(r"_long_(\d+)x", name))}
    through = {name: leverage for name, leverage in longs.items() if name not in crash.liquidated()}
    assert (len(longs), len(through)) == (35, 4)
    assert max(through.values()) == 3


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
    digests = set()
    command = [sys.executable, "-m", "crossmargin.cli", "replay", "black_thursday", "--engine", "model", "--json"]
    for seed in ("1", "20200312"):
        ended = subprocess.run(
            [*command, "--out", tmp_path / seed],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        digests.add(json.loads(ended.stdout)["state_digest"])
    assert digests == {crash.run.result["state_digest"]}


@pytest.mark.parametrize("name", ["quiet_day", pytest.param("black_thursday", marks=pytest.mark.deep)])
def test_model_and_contracts_agree_on(played: dict[str, Played], tmp_path: Path, name: str) -> None:
    both = play(name, "lockstep", tmp_path)
    assert both.run.failure == ""
    assert both.run.missed == ()
    assert both.run.result["divergences"] == 0
    assert both.run.result["state_digest"] == played[name].run.result["state_digest"]
