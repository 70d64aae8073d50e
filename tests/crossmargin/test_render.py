from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts_py.bindings import function_name
from crossmargin.library import PARAMETERS
from crossmargin.parameters import load_parameters
from crossmargin.render import KEYS, MODELS, render_scenario
from crossmargin.scenario import load_scenario
from crossmargin.scenario_file import ACTION_KEYS
from crossmargin.scenario_records import NEEDS, SUCCESS, KeeperSpec, QuoteExpectation, Step, StepExpectation
from crossmargin.steps.liquidation import LONGEST_BATCH
from oracle.errors import REFUSALS
from oracle.feeds import MAX_FEEDS, Push, SetRateFeed
from oracle.nodes import MAX_PARENTS
from oracle.sources import AtSource, SourceAction
from oracle.state import OracleAction
from protocol import actions
from protocol.account_state import AccountState
from protocol.params import (
    MAX_BRACKETS,
    CollateralParams,
    EquityTier,
    HaircutBracket,
    MarginBracket,
    MarketParams,
    OrderParams,
    RiskParams,
)
from tests.crossmargin.loading import DATA, START, account, address_of

SET = "guarded"  # a set with nodes, so that every action has its names
PARAMS = load_parameters(PARAMETERS.find(SET))


KEEPERS = (KeeperSpec("kestrel"), KeeperSpec("heron", 90, 3, ((START, START + 60), (START + 3_600, START + 7_200))))
ACCOUNTS = {
    spec.name: spec for spec in (account("hedged", "hedged", 0), account("no", "somebody", 2**96 - 1, "a: b #c"))
}

# Small numbers, whole ones, and any number that an argument of the contracts can have.
unsigned = st.one_of(
    st.integers(0, 12), st.integers(0, 10**9).map(lambda n: n * 10**18), st.integers(0, 2**256 - 1), st.just(2**256 - 1)
)
signed = st.one_of(unsigned.map(lambda n: n // 2), unsigned.map(lambda n: -n // 2), st.just(-(2**255)))
account_ids = st.one_of(st.sampled_from([spec.id for spec in ACCOUNTS.values()]), unsigned)
addresses = st.one_of(st.integers(0, 12), st.integers(0, 2**160 - 1), st.just(2**160 - 1))


def rows(kind: type) -> st.SearchStrategy[Any]:
    """Brackets or tiers of a kind: as many as a file may have."""
    names = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return st.lists(st.builds(kind, *[unsigned] * len(names)), max_size=MAX_BRACKETS).map(tuple)


def parameters(kind: type, **special: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A record of parameters; its fields are unsigned numbers but for the special ones."""
    names = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return st.builds(kind, **{name: special.get(name, unsigned) for name in names})


PARAMETERS_OF = {
    "SetRisk": parameters(RiskParams, equity_tiers=rows(EquityTier)),
    "SetMarket": parameters(MarketParams, brackets=rows(MarginBracket)),
    "SetOrders": parameters(OrderParams),
    "SetCollateral": parameters(CollateralParams, brackets=rows(HaircutBracket)),
    "RegisterNode": st.tuples(unsigned, unsigned, unsigned, unsigned),
}
nodes = st.one_of(st.sampled_from([node.id for node in PARAMS.nodes]), st.binary(min_size=32, max_size=32))
# What an action's field may be, by its name: a field that is not here has no text yet, and the tests say so.
FIELDS = {
    "account": account_ids,
    "target": account_ids,
    "batch": st.lists(account_ids, max_size=LONGEST_BATCH).map(tuple),
    **dict.fromkeys(("operator", "admin", "guardian"), addresses),
    **dict.fromkeys(("size_delta", "min_cash"), signed),
    **dict.fromkeys(("token", "market", "feed", "rate", "underlying", "round"), unsigned),
    **dict.fromkeys(("units", "shares", "max_cost", "leverage_cap", "acceptable_price"), unsigned),
    **dict.fromkeys(("decimals", "max_age"), unsigned),
    "paused": st.booleans(),
    "node": nodes,
    "kind": st.one_of(st.integers(0, 21), unsigned),
    "parents": st.lists(nodes, max_size=MAX_PARENTS + 1).map(tuple),
}
feed_lists = st.one_of(st.just([0, 1]), st.lists(unsigned, max_size=4), st.just(list(range(MAX_FEEDS))))
pushes = st.one_of(
    st.builds(Push, feed_lists.map(tuple), st.lists(signed, max_size=4).map(tuple)),
    feed_lists.flatmap(
        lambda feeds: st.lists(signed, min_size=len(feeds), max_size=len(feeds)).map(
            lambda answers: Push(tuple(feeds), tuple(answers))
        )
    ),
)
SOURCE_KINDS: tuple[type, ...] = SourceAction.__args__  # tried in test_source_steps.py
KINDS: tuple[type, ...] = tuple(
    kind for kind in (*actions.Action.__args__, *OracleAction.__args__) if kind is not AtSource
)


def actions_of(kind: type) -> st.SearchStrategy[Any]:
    """Any action of a kind."""
    if kind is Push:
        return pushes
    names = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return st.builds(kind, **{n: PARAMETERS_OF[kind.__name__] if n == "params" else FIELDS[n] for n in names})


any_action = st.sampled_from(KINDS).flatmap(actions_of)
text = st.text(alphabet=st.one_of(st.characters(exclude_categories=["Cc", "Cs"]), st.just("\n")), max_size=30)


@st.composite
def steps(draw: st.DrawFn, chosen: st.SearchStrategy[Any] = any_action, least: int = 0, most: int = 8) -> list[Step]:
    drawn = []
    for offset in sorted(draw(st.lists(st.integers(0, 10**7), min_size=least, max_size=most))):
        action = draw(chosen)
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
            possible |= dict.fromkeys(("liquidation_price", "bankruptcy_price", "max_long", "max_short"), unsigned)
        if hasattr(action, "token"):
            possible |= dict.fromkeys(("units", "withdrawable"), unsigned)
    values: Mapping[str, int | str] = draw(st.fixed_dictionaries({}, optional=possible))
    sides = st.none() | unsigned
    quotes = st.dictionaries(unsigned, st.builds(QuoteExpectation, sides, sides, sides, st.integers(0, 2**14 - 1)))
    return StepExpectation(draw(st.none() | st.sampled_from(list(REFUSALS))), values, draw(quotes))


def told(given_steps: tuple[Step, ...] | list[Step]) -> list[tuple[Any, ...]]:
    return [(step.at, step.sender, step.action, step.account, step.expect) for step in given_steps]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(title=text, about=text, story=text, insurance=st.integers(0, 2**96 - 1), given_steps=steps())
def test_a_rendered_scenario_loads_as_the_same(
    tmp_path: Path, title: str, about: str, story: str, insurance: int, given_steps: list[Step]
) -> None:
    accounts = {**ACCOUNTS, "told": account("told", "told", 7, story)}
    further: Any = {"about": about, "insurance": insurance, "keepers": KEEPERS, "params": PARAMS}
    rendered = render_scenario(title, SET, START, accounts, given_steps, **further)
    path = tmp_path / "rendered.yaml"
    path.write_text(rendered, encoding="utf-8", newline="")
    loaded = load_scenario(path, address_of, PARAMS)
    assert (loaded.title, loaded.about, loaded.start, loaded.insurance) == (title, about, START, insurance)
    assert (loaded.accounts, loaded.keepers, loaded.tape) == (accounts, KEEPERS, None)
    assert told(loaded.steps) == told(given_steps)
    assert render_scenario(title, SET, START, accounts, loaded.steps, **further) == rendered


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_action_survives_a_round_trip(tmp_path: Path, kind: type) -> None:
    path = tmp_path / "rendered.yaml"

    @settings(max_examples=20)
    @given(steps(actions_of(kind), least=1, most=3))
    def check(given_steps: list[Step]) -> None:
        path.write_text(render_scenario("t", SET, START, ACCOUNTS, given_steps, params=PARAMS), encoding="utf-8")
        assert told(load_scenario(path, address_of, PARAMS).steps) == told(given_steps)

    check()


def test_every_action_has_a_text() -> None:
    assert set(KEYS) == {kind.__name__ for kind in (*KINDS, *SOURCE_KINDS)}
    assert set(MODELS) == set(KEYS) - {"Push"}
    assert sorted(KEYS.values()) == sorted(ACTION_KEYS)


def test_every_expectation_is_drawn() -> None:
    class Whole:
        account = market = token = 0

    drawn: set[str] = set()

    @settings(max_examples=40)
    @given(expectations(Whole()))
    def collect(expectation: StepExpectation) -> None:
        drawn.update(expectation.values)

    collect()
    assert drawn == set(NEEDS)


def test_every_key_is_the_name_of_its_action() -> None:
    assert {kind.__name__: function_name(kind) for kind in (*KINDS, *SOURCE_KINDS)} == KEYS


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
            Step(START + 3_600, 0, "keeper", actions.LiquidateMany((hedged, 255)), None, SUCCESS),
            Step(START + 3_600, 0, "hedged", actions.SetOperator(hedged, 0xABC), "hedged", SUCCESS),
            Step(START + 3_600, 0, "hedged", actions.CloseAll(hedged, -(2**255)), "hedged", SUCCESS),
            Step(START + 3_600, 0, "lender", actions.ClaimRedemption(), None, SUCCESS),
            Step(START + 3_600, 0, "x", actions.BuyInventory(1, 15 * 10**17, 300_500_000), None, SUCCESS),
            Step(START + 3_600, 0, "admin", actions.ProposeAdmin(0), None, SUCCESS),
            Step(START + 3_600, 0, "admin", actions.SetGuardian(2**160 - 1), None, SUCCESS),
            Step(START + 3_600, 0, "admin", SetRateFeed(4, 2, 1), None, SUCCESS),
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
  - {at: 1h, by: keeper, liquidate_many: {batch: [hedged, 0xff]}}
  - {at: 1h, by: hedged, set_operator: {account: hedged, operator: 0xabc}}
  - {at: 1h, by: hedged, close_all: {account: hedged}}
  - {at: 1h, by: lender, claim_redemption: {}}
  - {at: 1h, by: x, buy_inventory: {token: WETH, amount: 1.5, max_cost: 300.5}}
  - {at: 1h, by: admin, propose_admin: {admin: 0x0}}
  - {at: 1h, by: admin, set_guardian: {guardian: 0xffffffffffffffffffffffffffffffffffffffff}}
  - {at: 1h, by: admin, set_rate_feed: {feed: 4, rate: WSTETH_RATE, underlying: ETH}}
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
        render_scenario("t", SET, START, {}, [step], params=PARAMS)
