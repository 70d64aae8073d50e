from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from contracts_py import keys
from crossmargin.errors import InputError
from crossmargin.library import PARAMETERS, SCENARIOS
from crossmargin.parameters import load_parameters
from crossmargin.replay.command import replay
from crossmargin.scenario import ROLES, actors, find_scenario, find_scenarios, load_scenario
from crossmargin.scenario_records import SUCCESS, EndExpectation, KeeperSpec, QuoteExpectation
from oracle.feeds import Push, SetFeed, SetNodeFeed, SetRateFeed
from oracle.graph import GraphAction, HaltNode, PokeNode, RegisterNode, ResetNode
from oracle.nodes import Kind
from oracle.sources import AtSource
from oracle.state import OracleAction
from protocol import actions
from protocol.env import Status
from protocol.params import CollateralParams, EquityTier, MarginBracket, MarketParams, OrderParams
from protocol.state import account_id
from protocol.units import W
from tests.crossmargin.loading import DATA, HEADER, HEDGED, OTHER, START, Loader, address_of


def test_every_action_is_read() -> None:
    scenario = load_scenario(DATA / "every_action.yaml", address_of)
    second = account_id(address_of("hedged"), 1)
    no_limit = 2**256 - 1
    told = [(step.at - START, step.sender, step.action, step.account) for step in scenario.steps]
    assert told[:15] == [
        (0, "anchor", actions.DepositToPool(2_000_000 * 10**6), None),
        (0, "treasury", actions.FundInsurance(1), None),
        (60, "hedged", actions.Deposit(HEDGED, 0, 10_000 * 10**6), "hedged"),
        (60, "anchor", actions.Deposit(255, 1, 15 * 10**17), None),
        (60, "hedged", actions.Deposit(second, 1, 15 * 10**17), "second"),
        (5_400, "hedged", actions.Trade(HEDGED, 0, -15 * 10**17, 0), "hedged"),
        (5_400, "hedged", actions.Trade(HEDGED, 1, 2 * W, 150 * W), "hedged"),
        (36_000, "hedged", actions.Withdraw(HEDGED, 7, 3), "hedged"),
        (36_000, "guardian", actions.PauseOpening(paused=True), None),
        (36_000, "admin", actions.PauseOpening(paused=False), None),
        (39_600, "poster", Push((0, 1), (0, -110 * 10**8)), None),
        (39_600, "poster", Push((1, 0), (3 * 10**8,)), None),
        (39_600, "poster", Push((4,), (15,)), None),
        (39_600, "admin", SetFeed(4, 18, 93_600), None),
        (43_200, "poster", Push((0, 1), (7_900 * 10**8, 1105 * 10**7)), None),
    ]
    assert told[15:37] == [
        (43_200, "kestrel", actions.Liquidate(HEDGED), "hedged"),
        (43_200, "hedged", actions.Transfer(HEDGED, second, 0, 500_000), "hedged"),
        (43_200, "hedged", actions.CreateIsolated(second, 0), "second"),
        (43_200, "hedged", actions.SetOperator(HEDGED, address_of("kestrel")), "hedged"),
        (43_200, "kestrel", actions.SetOperator(second, 0xAB), "second"),
        (43_200, "hedged", actions.SetLeverageCap(HEDGED, 1, 125 * W // 10), "hedged"),
        (43_200, "hedged", actions.CloseAll(HEDGED, -W // 2), "hedged"),
        (43_200, "hedged", actions.CloseAll(second, -(2**255)), "second"),
        (43_200, "heron", actions.MarginCall(HEDGED), "hedged"),
        (43_200, "heron", actions.FlagAccount(HEDGED), "hedged"),
        (43_200, "heron", actions.LiquidateMany((HEDGED, 255, second)), None),
        (43_200, "anchor", actions.RequestRedemption(15 * W // 10), None),
        (43_200, "anchor", actions.ClaimRedemption(), None),
        (43_200, "heron", actions.BuyInventory(1, W, 200_500_000), None),
        (43_200, "admin", actions.SetOrders(1, OrderParams(0, 10, 3_600, 25 * W // 10, W)), None),
        (43_200, "hedged", actions.CommitOrder(HEDGED, 1, -10 * W, W // 2), "hedged"),
        (43_200, "kestrel", actions.SettleOrder(HEDGED, 1, 7), "hedged"),
        (43_200, "heron", actions.CancelOrder(HEDGED, 1), "hedged"),
        (46_800, "admin", SetRateFeed(5, 4, 1), None),
        (46_800, "admin", actions.ProposeAdmin(address_of("heron")), None),
        (46_800, "heron", actions.AcceptAdmin(), None),
        (46_800, "heron", actions.SetGuardian(0), None),
    ]
    assert told[37][2] == actions.SetRisk(replace(scenario.params.risk, debt_cap=0))
    assert told[37][2].params.equity_tiers[1] == EquityTier(10**6 * W, 10 * W)
    assert told[38][2] == actions.SetMarket(
        2,
        MarketParams(
            feed=2,
            ceiling=25 * W // 10,
            lot=W,
            min_notional=1_000 * W,
            maker_fee=0,
            taker_fee=W // 1_000,
            skew_scale=1_000 * W,
            max_premium=1_000,
            rebate_ratio=10_000,
            oi_cap=100 * W,
            oi_cap_usd=2_000 * W,
            skew_cap=50 * W,
            funding_cap=3 * W // 100,
            funding_velocity=9 * W // 100,
            funding_decay=W // 2,
            dead_band=100,
            oi_lower=10 * W,
            oi_upper=205 * W // 10,
            window=0,
            window_notional=7 * W,
            brackets=(MarginBracket(0, W // 10, 3 * W // 10),),
        ),
    )
    assert told[39][2] == actions.SetCollateral(1, CollateralParams(0, 18, 9 * W, 25 * W // 10, 0, ()))
    assert len(told) == 40
    assert no_limit not in [getattr(action, "acceptable_price", 0) for _, _, action, _ in told]
    kinds = {type(action) for _, _, action, _ in told}
    elsewhere = {SetNodeFeed, *GraphAction.__args__, AtSource}  # told below, and in test_source_steps.py
    assert kinds == {*actions.Action.__args__, *OracleAction.__args__} - elsewhere


def test_every_action_of_the_graph_is_read() -> None:
    scenario = load_scenario(DATA / "graph_actions.yaml", address_of)
    ids = {node.name: node.id for node in scenario.params.nodes}
    assert [(step.sender, step.action) for step in scenario.steps][1:] == [
        ("anybody", RegisterNode(Kind.RECENT, (0, 0, 0, 0), (ids["eth"], 0xC0C3B1E3.to_bytes(32, "big")))),
        ("anybody", RegisterNode(Kind.BOUNDS, (1, 5, 0, 0), (ids["eth"],))),
        ("anybody", PokeNode(ids["btc_steady"])),
        ("guardian", HaltNode(ids["eth"])),
        ("admin", ResetNode(ids["eth"])),
        ("admin", SetNodeFeed(1, ids["eth_median"])),
    ]
    assert scenario.steps[1].expect.quotes == {
        0: QuoteExpectation(None, None, None, Status.NO_QUORUM | Status.SEQ_DOWN),
        1: QuoteExpectation(None, None, None, Status.OK),
    }


def test_every_action_of_the_graph_plays_as_it_says(tmp_path: Path) -> None:
    scenario = load_scenario(DATA / "graph_actions.yaml", keys.address_of)
    done = replay(scenario, "model", "eth-tester", tmp_path / "run", lambda phase, number: None)
    assert (done.missed, done.failure) == ((), "")


def test_a_quote_that_is_another_is_missed(tmp_path: Path) -> None:
    text = (DATA / "graph_actions.yaml").read_text("utf-8")
    path = tmp_path / "told.yaml"
    path.write_text(text.replace("bid: 200, price: 200, ask: 200", "bid: 199, price: 201, ask: 202, faults: [HALTED]"))
    scenario = load_scenario(path, keys.address_of)
    done = replay(scenario, "model", "eth-tester", tmp_path / "run", lambda phase, number: None)
    assert [miss.what for miss in done.missed] == [
        "feed 1 bid: expected 199.00, found 200.00",
        "feed 1 price: expected 201.00, found 200.00",
        "feed 1 ask: expected 202.00, found 200.00",
        "feed 1 faults: expected HALTED, found none",
    ]


def test_every_action_plays_as_it_says(tmp_path: Path) -> None:
    scenario = load_scenario(DATA / "every_action.yaml", keys.address_of)  # as the replay names its actors
    done = replay(scenario, "model", "eth-tester", tmp_path / "run", lambda phase, number: None)
    assert (done.missed, done.failure) == ((), "")


def test_expectations_are_scaled_integers_and_names() -> None:
    scenario = load_scenario(DATA / "every_action.yaml", address_of)
    expected = [step.expect for step in scenario.steps]
    assert expected[0].values == {"shares": 2_000_000 * W}
    assert expected[1] == SUCCESS
    equity = dict.fromkeys(("cash", "equity_raw", "equity_mm", "equity_im"), 10_000 * W)
    assert expected[2].values == {**equity, "state": "HEALTHY"}
    assert (expected[3].refused, expected[3].values) == ("account/no-owner", {})
    assert expected[4].values == {"units": 15 * 10**17}
    assert expected[5].values == {"size": -15 * 10**17, "cost": -1_185_075 * 10**16}
    assert scenario.expect == EndExpectation(
        totals={
            "liquidations": 0,
            "refusals": 16,
            "bad_debt": "0.00",
            "insurance_fund": "250001.3295385",
            "pool_value": "2000006.724730625",
            "deficit": "0.00",
        },
        accounts={"hedged": {"state": "HEALTHY", "liquidated": False, "cash": 9_989_445_731_875 * 10**9}},
    )


def test_the_rest_of_a_scenario_is_read() -> None:
    scenario = load_scenario(DATA / "every_action.yaml", address_of)
    assert (scenario.name, scenario.title) == ("every_action", "Every action")
    assert scenario.about == "Each action a scenario can name, by name and by raw id, with every kind of expectation."
    assert scenario.params.name == "reference"
    assert scenario.tape is not None
    assert scenario.tape.name == "short"
    assert scenario.start == START  # the tape's first round
    assert scenario.insurance == 250_000_500_000
    assert scenario.keepers == (KeeperSpec("kestrel"), KeeperSpec("heron"))
    hedged, second = scenario.accounts.values()
    assert (hedged.name, hedged.owner, hedged.sub, hedged.id) == ("hedged", "hedged", 0, HEDGED)
    assert (second.name, second.owner, second.sub, second.story) == ("second", "hedged", 1, "")
    assert actors(scenario) == (*ROLES, "hedged", "kestrel", "heron", "anchor")
    assert [step.line for step in scenario.steps][:4] == [13, 14, 15, 18]


def test_the_smallest_scenario(load: Loader) -> None:
    scenario = load(HEADER)
    assert (scenario.tape, scenario.start, scenario.insurance) == (None, START, 0)
    assert (scenario.accounts, scenario.keepers, scenario.steps) == ({}, (), ())
    assert scenario.expect == EndExpectation({}, {})


def test_a_given_parameter_set_stands_in_for_the_file(load: Loader) -> None:
    load(HEADER)
    other = replace(load_parameters(PARAMETERS.path / "reference.yaml"), name="other")
    assert load_scenario(load.path, address_of, other).params is other


def test_parameters_by_path_are_taken_from_the_scenario(load: Loader) -> None:
    reference = (PARAMETERS.path / "reference.yaml").read_text(encoding="utf-8")
    (load.path.parent / "mine.yaml").write_text(reference.replace("name: reference", "name: mine"), encoding="utf-8")
    assert load(HEADER.replace("reference", "mine.yaml")).params.name == "mine"
    assert load(HEADER.replace("reference", "./mine.yaml")).params.name == "mine"
    error = load.failure(HEADER.replace("reference", "mind.yaml"))
    assert (error.line, error.column) == (2, 9)
    assert "mind.yaml, did you mean `mine`?" in error.message


def test_a_price_without_limit_is_what_the_direction_needs(load: Loader) -> None:
    scenario = load.steps(
        "{at: 0s, trade: {account: hedged, market: BTC, size: 1}}",
        "{at: 0s, trade: {account: hedged, market: BTC, size: -1}}",
    )
    assert [step.action.acceptable_price for step in scenario.steps] == [2**256 - 1, 0]  # type: ignore[union-attr]


def test_a_raw_id_of_a_named_account_means_that_account(load: Loader) -> None:
    scenario = load.steps(f"{{at: 0s, deposit: {{account: {HEDGED}, token: 0, amount: 1}}}}")
    (step,) = scenario.steps
    assert (step.account, step.sender, step.action) == ("hedged", "hedged", actions.Deposit(HEDGED, 0, 10**6))
    scenario = load.steps(f"{{at: 0s, deposit: {{account: {OTHER:#x}, token: 0, amount: 1}}}}")
    assert (scenario.steps[0].account, scenario.steps[0].sender) == ("other", "somebody")


def test_scalars_that_yaml_would_change_mean_themselves(load: Loader) -> None:
    text = HEADER + "accounts:\n  no: {story: 12:30}\n  yes: {}\nsteps:\n"
    scenario = load(text + "  - {at: 0s, deposit: {account: no, token: USDC, amount: 0.10}}\n")
    assert list(scenario.accounts) == ["no", "yes"]
    assert scenario.accounts["no"].story == "12:30"
    assert scenario.steps[0].action == actions.Deposit(account_id(address_of("no")), 0, 10**5)


def test_steps_of_one_time_keep_their_order(load: Loader) -> None:
    scenario = load.steps(
        "{at: 1h, by: a, deposit_to_pool: {amount: 1}}",
        "{at: 2020-03-12T01:00:00Z, by: b, deposit_to_pool: {amount: 1}}",
        "{at: 60m, by: c, deposit_to_pool: {amount: 1}}",
    )
    assert [(step.at - START, step.sender) for step in scenario.steps] == [(3_600, "a"), (3_600, "b"), (3_600, "c")]


def test_scenarios_are_found_by_name_path_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossmargin.library.SPECS", tmp_path)
    shelf = tmp_path / "scenarios"
    shelf.mkdir()
    for name in ("quiet", "black_thursday"):
        (shelf / f"{name}.yaml").write_text(HEADER, encoding="utf-8")
    (shelf / "README.md").write_text("", encoding="utf-8")
    assert SCENARIOS.names() == ["black_thursday", "quiet"]
    assert find_scenario("quiet") == shelf / "quiet.yaml"
    assert find_scenario(str(shelf / "quiet.yaml")) == shelf / "quiet.yaml"
    assert find_scenarios("quiet") == (shelf / "quiet.yaml",)
    assert find_scenarios(str(shelf)) == (shelf / "black_thursday.yaml", shelf / "quiet.yaml")
    (tmp_path / "empty").mkdir()
    for text, fragment in {
        "quit": "no scenario is called `quit`, did you mean `quiet`?",
        str(shelf / "quit.yaml"): "did you mean `quiet`?",
        "a/b.yaml": "no such file",
        "": "not an empty text",
        "x" * 10_000: "no scenario is called",
        "a\0b/c": "no such file",
    }.items():
        with pytest.raises(InputError) as caught:
            find_scenarios(text)
        assert fragment in caught.value.message
    with pytest.raises(InputError, match="no scenario is in this folder"):
        find_scenarios(str(tmp_path / "empty"))


def test_a_name_that_is_like_none_of_many_says_where_they_are() -> None:
    with pytest.raises(InputError) as caught:
        find_scenario("xyz")
    assert (caught.value.message, caught.value.remedy) == ("no scenario is called `xyz`", "specs/scenarios has them")


def test_a_folder_here_is_found_when_no_scenario_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "one.yaml").write_text(HEADER, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert find_scenarios("mine") == (Path("mine/one.yaml"),)


@pytest.mark.parametrize("path", sorted(SCENARIOS.path.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_committed_scenario_is_valid(path: Path) -> None:
    assert load_scenario(path, address_of).name == path.stem
