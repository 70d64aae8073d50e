"""The incident scenarios: what was lost without the guard, beside twins who lose nothing of it with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import pytest

from contracts_py.keys import address_of
from crossmargin.library import PARAMETERS, SCENARIOS
from crossmargin.parameters import load_parameters
from crossmargin.replay.run import Replay
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import Scenario
from crossmargin.text import dollars
from oracle.feeds import SetNodeFeed
from protocol.actions import Deposit, Trade
from protocol.events import AccountLiquidated
from tests.specs.pages import SPECS

OFF = ("_raw", "_both")  # how accounts end whose prices have no guard


@dataclass(frozen=True)
class Incident:
    """Who is liquidated, and who leaves bad debt."""

    name: str
    wrongly: frozenset[str] = frozenset()  # liquidated at a price that was none
    rightly: frozenset[str] = frozenset()
    in_debt: frozenset[str] = frozenset()


def incident(name: str, wrongly: str = "", rightly: str = "", in_debt: str = "") -> Incident:
    return Incident(name, *(frozenset(names.split()) for names in (wrongly, rightly, in_debt)))


INCIDENTS = (
    incident("incident_cbeth_missing_leg", wrongly="borrower_raw", in_debt="borrower_raw"),
    incident("incident_dead_leg", rightly="long long_both", in_debt="long_both"),
    incident("incident_growth_cap_desync", wrongly="borrower_raw"),
    incident("incident_luna_floor", rightly="buyer_raw", in_debt="buyer_raw"),
    incident("incident_mngo_pump", rightly="pumper_raw", in_debt="pumper_raw"),
    incident("incident_replayed_report", wrongly="long_raw"),
    incident(
        "incident_sequencer_outage",
        wrongly="owner_raw idle_raw",
        rightly="deep deep_raw",
        in_debt="deep deep_raw",
    ),
    incident("incident_single_venue_wicks", wrongly="long_raw short_raw", in_debt="long_raw short_raw"),
    incident("incident_sol_october", wrongly="long_raw", rightly="late late_raw", in_debt="long_raw late_raw"),
    incident("incident_usdc_depeg", rightly="borrower borrower_raw", in_debt="borrower_raw"),
    incident("incident_usde_single_venue", wrongly="hedger_raw", in_debt="hedger_raw"),
)
each = pytest.mark.parametrize("incident", INCIDENTS, ids=lambda incident: incident.name)


def load(name: str) -> Scenario:
    return load_scenario(SCENARIOS.find(name), address_of)


@cache
def liquidations(name: str) -> tuple[tuple[str, int], ...]:
    """Account and bad debt of each liquidation on the model, in order."""
    scenario = load(name)
    names = {spec.id: account for account, spec in scenario.accounts.items()}
    played = Replay(scenario, "model", None).play()
    events = (event for done in played for event in done.events)
    return tuple((names[event.account], event.bad_debt) for event in events if isinstance(event, AccountLiquidated))


def is_off(account: str) -> bool:
    return account.endswith(OFF)


def attempts(scenario: Scenario, account: int) -> list[tuple[str, int]]:
    """What an account pays in and trades, refused or not."""
    found = []
    for action in (step.action for step in scenario.steps):
        if isinstance(action, Deposit) and action.account == account:
            found.append(("pays in", action.units))
        if isinstance(action, Trade) and action.account == account:
            found.append(("trades", action.size_delta))
    return found


def test_every_incident_is_looked_at() -> None:
    assert [incident.name for incident in INCIDENTS] == [n for n in SCENARIOS.names() if n.startswith("incident_")]


def test_the_incidents_have_the_risk_of_the_reference_set() -> None:
    incidents, sources, reference = (
        load_parameters(PARAMETERS.find(name)) for name in ("incidents", "sources", "reference")
    )
    assert incidents.risk == sources.risk == reference.risk
    asked = reference.markets[0].params.brackets
    markets = (*incidents.markets, *sources.markets, *reference.markets)
    assert all(market.params.brackets == asked for market in markets)


def test_of_two_twins_one_is_priced_by_a_node_and_one_by_a_feed_that_nodes_read() -> None:
    params = load_parameters(PARAMETERS.find("incidents"))
    listed = [*((token.name, token.params.feed) for token in params.tokens if token.params is not None)]
    listed += [(market.name, market.params.feed) for market in params.markets]
    is_node = {name: isinstance(params.feeds[feed].action, SetNodeFeed) for name, feed in listed}
    raw = [name for name in is_node if name.endswith("_RAW")]
    assert len(raw) == 8
    assert not any(is_node[name] for name in raw)
    assert all(is_node[name.removesuffix("_RAW")] for name in raw)


@each
def test_twins_do_the_same(incident: Incident) -> None:
    scenario = load(incident.name)
    accounts = scenario.accounts
    pairs = [(name, name + end) for name in accounts for end in OFF if name + end in accounts]
    assert pairs
    for on, off in pairs:
        assert attempts(scenario, accounts[on].id) == attempts(scenario, accounts[off].id) != []


@each
def test_only_those_without_the_guard_are_wrongly_liquidated(incident: Incident) -> None:
    assert {account for account, _ in liquidations(incident.name)} == incident.wrongly | incident.rightly
    assert all(map(is_off, incident.wrongly))


@each
def test_bad_debt_arises_only_without_the_guard(incident: Incident) -> None:
    # Or for both twins alike: what an outage has taken no guard gives back.
    found = {account: bad_debt for account, bad_debt in liquidations(incident.name) if bad_debt > 0}
    assert found.keys() == incident.in_debt
    assert all(found[account] == found[account + "_raw"] for account in found if not is_off(account))
    assert any(map(is_off, incident.wrongly | incident.in_debt))


@each
def test_the_page_says_how_much_bad_debt_there_was(incident: Incident) -> None:
    page = (SPECS / "scenarios" / "README.md").read_text("utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| [{incident.name}]"))
    total = sum(bad_debt for _, bad_debt in liquidations(incident.name))
    assert (f"bad debt {dollars(total)}" in row) == (total > 0)
