"""The page of the scenarios tells what their runs do."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from contracts_py.keys import address_of
from crossmargin.replay.command import replay
from crossmargin.replay.run import Replay
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import Scenario
from crossmargin.text import dollars, moment
from protocol.account_state import AccountState
from protocol.margin import compute_health
from protocol.state import USDC
from protocol.units import USDC_TO_W, W
from tests.crossmargin.playing import NAMES, Played
from tests.specs.pages import SPECS, Page

PAGE = SPECS / "scenarios" / "README.md"
CASTS = {"black_thursday": "Black Thursday", "quiet_day": "A quiet day"}


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
