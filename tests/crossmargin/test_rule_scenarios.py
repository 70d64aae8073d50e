"""The short scenarios, one for each part of the rules: that they show what their comments say beside the numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from importlib.util import find_spec
from typing import Any

import pytest

from contracts_py.keys import address_of
from crossmargin.library import SCENARIOS
from crossmargin.replay.chain import ChainEngine
from crossmargin.replay.command import open_chain
from crossmargin.replay.keepers import find_liquidatable
from crossmargin.replay.run import Done, Replay
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import Scenario
from oracle.feeds import Feed, get_round_data
from protocol.account_state import compute_account_state
from protocol.actions import DepositToPool, Liquidate, SetCollateral, SetMarket, SetRisk, Trade
from protocol.events import AccountLiquidated, PositionUpdated
from protocol.funding import compute_owed, project_funding
from protocol.margin import compute_health
from protocol.pool import compute_pool_value
from protocol.units import W
from protocol.views import (
    ALLOWED,
    compute_liquidation_price,
    compute_solvency,
    list_accounts,
    preview_trade,
    quote_liquidation,
)
from tests.asking import compare_views
from tests.specs.pages import SPECS
from tests.specs.rules import cited, defined_rules

PARTS = ("collateral", "margin", "trading", "funding", "accounts", "liquidation", "pool", "views", "governance")
# What a scenario cannot play: reads of a pull feed under Pyth's names, which no action and no node makes.
NOT_PLAYABLE = {"PUL-10"}
PAGE = SPECS / "scenarios" / "README.md"
BTC = 0
CENT = W // 100
needs_pyrevm = pytest.mark.skipif(find_spec("pyrevm") is None, reason="pyrevm is not installed")


def load(name: str) -> Scenario:
    return load_scenario(SCENARIOS.find(name), address_of)


def play(name: str) -> Iterator[Done]:
    """Every action of a scenario on the model."""
    return Replay(load(name), "model", None).play()


def only(events: tuple[Any, ...], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


# --- which rules they show ------------------------------------------------------------------------------------------


def rules_named_in(name: str) -> set[str]:
    return {rule for rule, _ in cited(SCENARIOS.find(name).read_text("utf-8"))}


def test_every_rule_is_named_in_a_scenario() -> None:
    named = set().union(*map(rules_named_in, SCENARIOS.names()))
    assert [rule for rule in defined_rules() if rule not in named and rule not in NOT_PLAYABLE] == []


def test_no_rule_is_excused_that_a_scenario_names() -> None:
    named = set().union(*map(rules_named_in, SCENARIOS.names()))
    assert named & NOT_PLAYABLE == set()
    assert defined_rules().keys() >= NOT_PLAYABLE


def test_the_page_lists_every_scenario() -> None:
    listed = re.findall(r"^\| \[(\w+)\]\((\w+)\.yaml\) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert {name for name, file in listed if name == file} == set(SCENARIOS.names())
    assert len(listed) == len(SCENARIOS.names())


# --- parameters -----------------------------------------------------------------------------------------------------


def changed_fields(new: Any, old: Any) -> set[str]:
    return {field.name for field in fields(new) if getattr(new, field.name) != getattr(old, field.name)}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("collateral", [{"brackets", "global_cap"}]),
        ("margin", [{"brackets"}, {"brackets"}, {"equity_tiers", "impact_cap_ratio", "keeper_reserve"}]),
        ("funding", [{"funding_velocity", "skew_cap", "skew_scale"}]),
        ("liquidation", [{"lock_ratio"}, {"window_notional"}]),
    ],
)
def test_the_steps_of_governance_change_what_their_comments_say(name: str, changes: list[set[str]]) -> None:
    found = []
    for done in play(name):
        state, action = done.before.protocol, done.planned.action
        if done.planned.kind != "user" or done.code != "ok":
            continue
        if isinstance(action, SetMarket):
            found.append(changed_fields(action.params, state.market_params[action.market]))
        elif isinstance(action, SetRisk):
            found.append(changed_fields(action.params, state.risk))
        elif isinstance(action, SetCollateral):
            found.append(changed_fields(action.params, state.collateral_params[action.token - 1]))
    assert found == changes


def test_nobody_becomes_liquidatable_by_a_change_of_parameters() -> None:
    changes = 0
    for name in PARTS:
        for done in play(name):
            if isinstance(done.planned.action, SetMarket | SetRisk | SetCollateral) and done.code == "ok":
                changes += done.planned.kind == "user"
                assert find_liquidatable(done.world, done.time) == find_liquidatable(done.before, done.time)
    assert changes >= 9


# --- trading and funding --------------------------------------------------------------------------------------------


def test_in_parts_a_way_through_the_skew_costs_what_it_costs_at_once() -> None:
    last = list(play("trading"))[-1]
    accounts = load("trading").accounts
    whole, halves = (last.world.protocol.accounts[accounts[name].id] for name in ("whole", "halves"))
    assert whole.cash == halves.cash != 600_000 * W


def test_who_settles_often_is_charged_what_who_settles_once_is() -> None:
    # FUN-1. Both opened while the rate was 0. What is still owed at the end is counted at the same moment.
    accounts = load("funding").accounts
    charged = dict.fromkeys((accounts["often"].id, accounts["once"].id), 0)
    fills = dict.fromkeys(charged, 0)
    played = list(play("funding"))
    for fill in (fill for done in played for fill in only(done.events, PositionUpdated)):
        if fill.account in charged:
            charged[fill.account] += fill.funding
            fills[fill.account] += 1
    last = played[-1]
    market = last.world.protocol.markets[BTC]
    price = last.world.env(last.time).quote(last.world.protocol.market_params[BTC].feed).mid
    index, _ = project_funding(market, price, last.time)
    for account in charged:
        charged[account] += compute_owed(last.world.protocol.accounts[account].positions[BTC], index)
    often, once = charged.values()
    assert list(fills.values()) == [7, 3]
    assert often > 1_000 * W
    # The thousandth of a BTC that each held for some seconds beyond its 20 is all that differs.
    assert abs(often - once) < CENT // 1_000


# --- the pool -------------------------------------------------------------------------------------------------------


def test_who_enters_pays_more_for_a_share_than_who_leaves_would_get() -> None:
    entered = [done for done in play("pool") if isinstance(done.planned.action, DepositToPool) and done.code == "ok"]
    crisis = entered[3]
    value = compute_pool_value(crisis.before.protocol, crisis.before.env(crisis.time))
    shares = crisis.before.protocol.ledger.shares // W
    assert value.traders_pnl == 27_854 * W
    assert (value.deposit * 1_000 // shares // W, value.redemption * 1_000 // shares // W) == (1_002, 749)


# --- views ----------------------------------------------------------------------------------------------------------


def test_a_preview_before_each_trade_is_its_effect() -> None:
    # VIEW-1.
    accepted = refused = 0
    for done in play("views"):
        action = done.planned.action
        if not isinstance(action, Trade):
            continue
        preview = preview_trade(done.before.protocol, done.before.env(done.time), action)
        if done.code != "ok":
            assert preview.code == done.code
            refused += 1
            continue
        state, env, made = done.world.protocol, done.world.env(done.time), only(done.events, PositionUpdated)
        account = state.accounts[action.account]
        health = compute_health(state, account, env)
        assert (preview.impact, preview.fee) == (sum(one.impact for one in made), sum(one.fee for one in made))
        assert (preview.cash, preview.health) == (account.cash, health)
        assert preview.account_state == compute_account_state(state.risk, health)
        assert preview.liquidation_price == compute_liquidation_price(state, env, action.account, action.market)
        accepted += 1
    assert (accepted, refused) == (6, 2)


def test_a_quote_before_each_liquidation_is_its_effect() -> None:
    # VIEW-2.
    codes = []
    for done in play("views"):
        action = done.planned.action
        if not isinstance(action, Liquidate):
            continue
        env = done.before.env(done.time, address_of(done.planned.sender))
        quote = quote_liquidation(done.before.protocol, env, action)
        codes.append(done.code)
        assert quote.code == (ALLOWED if done.code == "ok" else done.code)
        for report in only(done.events, AccountLiquidated):
            for name in ("closed_notional", "reward", "reward_from_account", "penalty", "bad_debt"):
                assert getattr(quote, name) == getattr(report, name)
    assert codes == ["liq/not-liquidatable", "ok"] * 3


def test_the_end_is_what_the_solvency_view_and_the_pages_say() -> None:
    # VIEW-6, VIEW-7.
    scenario = load("views")
    last = list(play("views"))[-1]
    solvency = compute_solvency(last.world.protocol, last.world.env(last.time))
    totals = scenario.expect.totals
    assert totals["deficit"] == "0.00"
    assert solvency.deficit == 0
    assert str(totals["insurance_fund"]).replace(".", "") == str(solvency.insurance).rstrip("0")
    assert solvency.free == solvency.pool - solvency.trader_debt - solvency.reserved
    names = ("saver", "trader", "exact", "long_eth", "kestrel", "short_btc")
    assert list_accounts(last.world.protocol, 0, 200) == tuple(scenario.accounts[name].id for name in names)


def test_the_hub_remembers_the_rounds_of_the_evening() -> None:
    # ORC-1.
    last = list(play("views"))[-1]
    eth = last.world.oracle.hub.feeds[1]
    assert isinstance(eth, Feed)
    answers = [get_round_data(eth, eth.latest_round - age).answer for age in (1, 0)]
    assert answers == [9_677_112_871, 9_677_112_870]


@needs_pyrevm
def test_the_views_of_both_twins_agree_after_each_step() -> None:
    scenario = load("views")
    cast = [account.id for account in scenario.accounts.values()]
    asked = 0
    with open_chain(scenario, "pyrevm") as chain:
        assert isinstance(chain, ChainEngine)
        for done in Replay(scenario, "lockstep", chain).play():
            if not done.planned.step:
                continue
            searched = {"max_long", "max_short"} & done.planned.step.expect.values.keys()
            sized = [done.planned.action.account] if searched else []
            assert list(compare_views(chain.contracts, done.world, done.time, cast, sized)) == []
            asked += 1
    assert asked == len(scenario.steps)
