from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossmargin.library import PARAMETERS
from crossmargin.parameters import load_parameters
from crossmargin.render import MODELS, render_scenario
from crossmargin.scenario import SUCCESS, Step, StepExpectation, load_scenario
from oracle.feeds import MAX_FEEDS, Push, SetFeed
from protocol import actions
from protocol.errors import REFUSALS
from protocol.margin import AccountState
from protocol.params import (
    MAX_BRACKETS,
    CollateralParams,
    HaircutBracket,
    MarginBracket,
    MarketParams,
    RiskParams,
)
from tests.crossmargin.loading import DATA, START, account, address_of

PARAMS = load_parameters(PARAMETERS.path / "reference.yaml")


ACCOUNTS = {
    spec.name: spec for spec in (account("hedged", "hedged", 0), account("no", "somebody", 2**96 - 1, "a: b #c"))
}

# Small numbers, whole ones, and any number that an argument of the contracts can have.
unsigned = st.one_of(
    st.integers(0, 12), st.integers(0, 10**9).map(lambda n: n * 10**18), st.integers(0, 2**256 - 1), st.just(2**256 - 1)
)
signed = st.one_of(unsigned.map(lambda n: n // 2), unsigned.map(lambda n: -n // 2), st.just(-(2**255)))
account_ids = st.one_of(st.sampled_from([spec.id for spec in ACCOUNTS.values()]), unsigned)
risks = st.builds(RiskParams, *[unsigned] * len(RiskParams.__dataclass_fields__))
markets = st.builds(
    MarketParams,
    unsigned,
    unsigned,
    unsigned,
    unsigned,
    st.lists(st.builds(MarginBracket, unsigned, unsigned, unsigned), max_size=MAX_BRACKETS).map(tuple),
)
collaterals = st.builds(
    CollateralParams,
    unsigned,
    unsigned,
    st.lists(st.builds(HaircutBracket, unsigned, unsigned, unsigned), max_size=MAX_BRACKETS).map(tuple),
)
feed_lists = st.one_of(st.just([0, 1]), st.lists(unsigned, max_size=4), st.just(list(range(MAX_FEEDS))))
pushes = st.one_of(
    st.builds(Push, feed_lists.map(tuple), st.lists(signed, max_size=4).map(tuple)),
    feed_lists.flatmap(
        lambda feeds: st.lists(signed, min_size=len(feeds), max_size=len(feeds)).map(
            lambda answers: Push(tuple(feeds), tuple(answers))
        )
    ),
)
any_action = st.one_of(
    st.builds(actions.Deposit, account_ids, unsigned, unsigned),
    st.builds(actions.Withdraw, account_ids, unsigned, unsigned),
    st.builds(actions.Trade, account_ids, unsigned, signed, unsigned),
    st.builds(actions.Liquidate, account_ids),
    st.builds(actions.DepositToPool, unsigned),
    st.builds(actions.FundInsurance, unsigned),
    st.builds(actions.SetRisk, risks),
    st.builds(actions.SetMarket, unsigned, markets),
    st.builds(actions.SetCollateral, unsigned, collaterals),
    st.builds(actions.PauseOpening, st.booleans()),
    st.builds(SetFeed, unsigned, unsigned, unsigned),
    pushes,
)
text = st.text(alphabet=st.one_of(st.characters(exclude_categories=["Cc", "Cs"]), st.just("\n")), max_size=30)


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    drawn = []
    for offset in sorted(draw(st.lists(st.integers(0, 10**7), max_size=8))):
        action = draw(any_action)
        sender = draw(st.sampled_from(["admin", "hedged", "poster", "no", "x_1"]))
        name = next((spec.name for spec in ACCOUNTS.values() if spec.id == getattr(action, "account", None)), None)
        drawn.append(Step(START + offset, 0, sender, action, name, draw(expectations(action))))
    return drawn


@st.composite
def expectations(draw: st.DrawFn, action: Any) -> StepExpectation:
    possible: dict[str, st.SearchStrategy[Any]] = {"shares": unsigned}
    if hasattr(action, "account"):
        possible |= dict.fromkeys(("cash", "equity_raw", "equity_mm", "equity_im"), signed)
        possible["state"] = st.sampled_from([state.name for state in AccountState])
        if hasattr(action, "market"):
            possible |= {"size": signed, "cost": signed}
        if hasattr(action, "token"):
            possible["units"] = unsigned
    values: Mapping[str, int | str] = draw(st.fixed_dictionaries({}, optional=possible))
    return StepExpectation(draw(st.none() | st.sampled_from(list(REFUSALS))), values)


def told(given_steps: tuple[Step, ...] | list[Step]) -> list[tuple[Any, ...]]:
    return [(step.at, step.sender, step.action, step.account, step.expect) for step in given_steps]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(title=text, about=text, story=text, insurance=st.integers(0, 2**96 - 1), given_steps=steps())
def test_a_rendered_scenario_loads_as_the_same(
    tmp_path: Path, title: str, about: str, story: str, insurance: int, given_steps: list[Step]
) -> None:
    accounts = {**ACCOUNTS, "told": account("told", "told", 7, story)}
    rendered = render_scenario(
        title, "reference", START, accounts, given_steps, about=about, insurance=insurance, keepers=["kestrel"]
    )
    path = tmp_path / "rendered.yaml"
    path.write_text(rendered, encoding="utf-8", newline="")
    loaded = load_scenario(path, address_of, PARAMS)
    assert (loaded.title, loaded.about, loaded.start, loaded.insurance) == (title, about, START, insurance)
    assert (loaded.accounts, loaded.keepers, loaded.tape) == (accounts, ("kestrel",), None)
    assert told(loaded.steps) == told(given_steps)
    again = render_scenario(
        title, "reference", START, accounts, loaded.steps, about=about, insurance=insurance, keepers=["kestrel"]
    )
    assert again == rendered


def test_every_action_has_a_text() -> None:
    kinds = {kind.__name__ for kind in (*actions.Action.__args__, SetFeed)}
    assert set(MODELS) == kinds


def test_a_rendered_scenario_reads_well() -> None:
    hedged = ACCOUNTS["hedged"].id
    rendered = render_scenario(
        "Found by a search",
        "reference",
        START,
        {"hedged": ACCOUNTS["hedged"]},
        [
            Step(START, 0, "hedged", actions.Deposit(hedged, 0, 10_500_000), "hedged", SUCCESS),
            Step(START + 90, 0, "poster", Push((0, 1), (8_000 * 10**8, -1)), None, SUCCESS),
            Step(
                START + 3_600,
                0,
                "hedged",
                actions.Trade(hedged, 0, -(10**17), 0),
                "hedged",
                StepExpectation("margin/initial", {"cash": 9 * 10**18}),
            ),
            Step(START + 3_600, 0, "keeper", actions.Liquidate(255), None, StepExpectation("account/unknown", {})),
        ],
    )
    assert (
        rendered
        == """\
title: "Found by a search"
params: "reference"
start: 2020-03-12T00:00:00Z
accounts:
  hedged: {}
steps:
  - {at: 0s, by: hedged, deposit: {account: hedged, token: USDC, amount: 10.5}}
  - {at: 1m30s, by: poster, push: {BTC: 8000, ETH: -0.00000001}}
  - {at: 1h, by: hedged, trade: {account: hedged, market: BTC, size: -0.1}, expect: {refused: margin/initial, cash: 9}}
  - {at: 1h, by: keeper, liquidate: {account: 0xff}, expect: {refused: account/unknown}}
"""
    )


def test_committed_actions_survive_a_round_trip(tmp_path: Path) -> None:
    scenario = load_scenario(DATA / "every_action.yaml", address_of)
    path = tmp_path / "again.yaml"
    path.write_text(
        render_scenario("again", "reference", scenario.start, scenario.accounts, scenario.steps), encoding="utf-8"
    )
    assert told(load_scenario(path, address_of).steps) == told(scenario.steps)


def test_an_action_without_a_text_is_an_error() -> None:
    step = Step(START, 0, "x", None, None, SUCCESS)  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        render_scenario("t", "reference", START, {}, [step], params=PARAMS)
