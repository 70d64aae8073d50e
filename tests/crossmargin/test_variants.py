"""Variants: values set by path, other parameter sets, what is wrong with either, and what a changed run says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts_py.keys import address_of
from crossmargin.errors import Exit, InputError
from crossmargin.library import PARAMETERS
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import KeeperSpec, Scenario
from crossmargin.variants import load_variant, read_variant
from protocol.units import W
from tests.crossmargin.commands import Crossmargin

DATA = Path(__file__).parent / "data"
SWITCHES = DATA / "switches.yaml"
REFERENCE = PARAMETERS.find("reference")


def load(*texts: str, params: str = "", scenario: Path = SWITCHES) -> Scenario:
    return load_variant(scenario, read_variant(texts, params))


def failure(*texts: str, params: str = "", scenario: Path = SWITCHES) -> InputError:
    with pytest.raises(InputError) as caught:
        load(*texts, params=params, scenario=scenario)
    return caught.value


def line_of(path: Path, text: str, nth: int = 0) -> int:
    return [number for number, line in enumerate(path.read_text("utf-8").splitlines(), 1) if text in line][nth]


# --- values ---------------------------------------------------------------------------------------------------------


def test_a_value_is_set_where_its_path_leads_and_nowhere_else() -> None:
    base, changed = load(), load("markets.BTC.tiers.1.mm=0.05", "tokens.WETH.haircuts.0.im=0.8")
    assert changed.params.markets[0].params.brackets[1].mm_rate == W // 20
    assert base.params.markets[0].params.brackets[1].mm_rate == W // 25
    weth = changed.params.tokens[1].params
    assert weth is not None
    assert weth.brackets[0].im_weight == W * 8 // 10
    assert changed.params.markets[1] == base.params.markets[1]
    assert changed.params.markets[0].params.brackets[2:] == base.params.markets[0].params.brackets[2:]
    assert changed.params.risk == base.params.risk
    assert changed.changes == ("markets.BTC.tiers.1.mm=0.05", "tokens.WETH.haircuts.0.im=0.8")
    assert (base.changes, changed.steps) == ((), base.steps)


def test_a_value_can_be_a_list_and_a_key_that_the_file_leaves_out() -> None:
    changed = load(
        "keepers=[heron, osprey]", "insurance=7.5", "risk.usdc_feed=ETH", "risk.equity_tiers=[{from: 0, leverage: 3}]"
    )
    assert (changed.keepers, changed.insurance) == ((KeeperSpec("heron"), KeeperSpec("osprey")), 7_500_000)
    assert changed.params.risk.usdc_feed == 2
    assert [(tier.lower, tier.leverage) for tier in changed.params.risk.equity_tiers] == [(0, 3 * W)]


def test_values_that_only_fit_together_are_set_together() -> None:
    changed = load("markets.BTC.tiers.0.mm=0.03", "markets.BTC.tiers.0.im=0.06")
    assert changed.params.markets[0].params.brackets[0].im_rate == W * 6 // 100


def test_without_changes_a_variant_is_the_scenario() -> None:
    assert load() == load_scenario(SWITCHES, address_of)


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("markets.BCT.tiers.1.mm=0.05", "`markets` has no `BCT`, did you mean `BTC`?", "there are: BTC, ETH"),
        ("markets.SOL=1", "`markets` has no `SOL`", "there are: BTC, ETH"),
        (
            "markets.BTC.tears.1.mm=1",
            "`markets.BTC` has no `tears`, did you mean `tiers`?",
            "there are: feed, ceiling,",
        ),
        ("markets.BTC.tiers.4.mm=1", "`markets.BTC.tiers` has no entry `4`", "its entries are numbered from 0 to 3"),
        ("markets.BTC.tiers.x.mm=1", "`markets.BTC.tiers` has no entry `x`", "its entries are numbered from 0 to 3"),
        ("markets.BTC.lot.x=1", "`markets.BTC.lot` is a single value: `0.001`", "end the path there"),
        ("keepers.1=osprey", "`keepers` has no entry `1`", "its entries are numbered from 0 to 0"),
        (
            "market.BTC.lot=1",
            "`market` cannot be set, did you mean `markets`?",
            "there are: params, insurance, keepers,",
        ),
        ("expect.liquidations=1", "`expect` cannot be set", "there are: params, insurance, keepers,"),
        ("markets.BTC.lot", "`markets.BTC.lot` sets nothing", "write PATH=VALUE, such as"),
        ("=1", "`=1` sets nothing", "write PATH=VALUE"),
        ("insurance=", "`insurance=` sets nothing", "write PATH=VALUE"),
        ("keepers=[a", "not valid YAML: ", ""),
        ("switches.tiers.x=off", "`switches` has no `tiers`", ""),
    ],
)
def test_a_path_that_leads_nowhere_says_what_is_there(text: str, message: str, remedy: str) -> None:
    error = failure(text)
    assert (error.file, error.line) == (f"--set {text}", 0)
    assert error.message.startswith(message)
    assert error.remedy.startswith(remedy)


RISING = (
    "refused as config/margin-rates (from 1000000): Margin rates rise",
    "CFG-3: mm is 0.02, it must be above 0.025",
)
COST = ("refused as config/margin-rates (from 0)", "CFG-3: mm is 0.025, it must be above 0.0275, the closing cost")
SALE = ("refused as config/haircuts (from 0)", "CFG-5: mm is 0.9, it must be at most 0.7, 1 - sale_discount 0.3")
PHASE_IN = ("refused as config/risk", "CFG-1: phase_in is 1m, it must be at least 1h")
MISSPELT = ("unknown key `panelty_ratio`, did you mean `penalty_ratio`?",)
SECOND_TIER = "{from: 1000000, mm: 0.04"


@pytest.mark.parametrize(
    ("text", "file", "near", "nth", "told"),
    [
        ("markets.BTC.tiers.1.mm=0.02", REFERENCE, SECOND_TIER, 0, RISING),
        ("markets.ETH.tiers.1.mm=0.02", REFERENCE, SECOND_TIER, 1, RISING),
        ("risk.penalty_ratio=0.02", REFERENCE, "{from: 0, mm: 0.025", 0, COST),
        ("risk.sale_discount=0.3", REFERENCE, "{from: 0, mm: 0.9", 0, SALE),
        ("risk.phase_in=1m", REFERENCE, "risk:", 0, PHASE_IN),
        ("risk.penalty_ratio=1%", REFERENCE, "penalty_ratio: 0.01", 0, ("`1%` is not a number",)),
        ("risk.panelty_ratio=1", REFERENCE, "keeper_reserve: 10", 0, MISSPELT),
        ("insurance=-1", SWITCHES, "insurance: 1000", 0, ("`-1` is negative",)),
    ],
)
def test_a_value_that_breaks_a_rule_names_option_place_rule_and_numbers(
    text: str, file: Path, near: str, nth: int, told: tuple[str, ...]
) -> None:
    error = failure(text)
    assert (error.file, error.line) == (str(file), line_of(file, near, nth))
    assert error.message.startswith(f"with --set {text}: {told[0]}")
    for part in told:
        assert part in error.message
    assert error.others == []


def test_a_value_of_a_section_that_the_file_lacks_is_shown_at_no_other_line() -> None:
    error = failure("switches.tiers=no")
    assert (error.file, error.line, error.source) == (str(REFERENCE), 0, "")
    assert error.message == "with --set switches.tiers=no: unknown setting of a switch `no`"
    assert error.remedy == "there are: on, off"


def test_of_several_values_the_one_that_breaks_a_rule_is_named() -> None:
    error = failure("insurance=0", "markets.BTC.tiers.1.mm=0.02", "risk.debt_cap=1")
    assert error.message.startswith("with --set markets.BTC.tiers.1.mm=0.02: refused")


def test_values_that_break_a_rule_only_together_are_all_named() -> None:
    error = failure("markets.BTC.tiers.0.mm=0.03", "risk.fixed_reward=6", "markets.BTC.tiers.0.im=0.0525")
    assert error.message.startswith("with --set markets.BTC.tiers.0.mm=0.03 --set risk.fixed_reward=6 --set ")
    assert "CFG-4: im is 0.0525, it must be at least 0.0535" in error.message


def test_a_value_set_twice_is_refused() -> None:
    error = failure("insurance=1", "insurance=2")
    assert (error.file, error.message) == ("--set insurance=2", "the same value is set by --set insurance=1")


def test_what_is_wrong_with_the_scenario_itself_is_told_without_the_option(tmp_path: Path) -> None:
    scenario = tmp_path / "bad.yaml"
    scenario.write_text(SWITCHES.read_text("utf-8").replace("size: 250", "size: much"))
    error = failure("insurance=0", scenario=scenario)
    assert error.message == "`much` is not a number"
    assert error.line == line_of(scenario, "size: much")


# --- other sets -----------------------------------------------------------------------------------------------------


def test_a_scenario_is_played_with_another_set(tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(REFERENCE.read_text("utf-8").replace("name: reference", "name: other"))
    changed = load("risk.debt_cap=1", params=str(other))
    assert (changed.params.name, changed.params.risk.debt_cap) == ("other", W)
    assert changed.changes == (f"params={other}", "risk.debt_cap=1")
    assert load(f"params={other}", "risk.debt_cap=1") == changed


def test_a_set_that_does_not_fit_is_refused_where_the_scenario_needs_it(tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    text = REFERENCE.read_text("utf-8")
    other.write_text(text[: text.index("\n  ETH:\n    feed: ETH")] + "\n")
    error = failure(params=str(other))
    assert (error.file, error.line) == (str(SWITCHES), line_of(SWITCHES, "market: ETH"))
    assert error.message == f"with --params {other}: unknown market `ETH`"
    assert error.remedy == "there are: BTC"


def test_a_set_that_is_not_there_is_refused_with_near_names() -> None:
    error = failure(params="referense")
    assert error.file == "--params referense"
    assert error.message == "no parameter set is called `referense`, did you mean `reference`?"


def test_two_sets_are_refused() -> None:
    assert failure("params=guarded", params="reference").message == "the same value is set by --params reference"


# --- runs -----------------------------------------------------------------------------------------------------------


def test_a_changed_run_says_so_and_checks_no_expectation(
    crossmargin: Crossmargin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = crossmargin("replay", SWITCHES, "--engine", "model", "--set", "risk.liquidation_buffer=0.9")
    folder = tmp_path / "out" / "switches-changed"
    assert (answer.code, answer.err.count("expected")) == (Exit.OK, 0)
    assert "\nchanged: risk.liquidation_buffer=0.9\n" in answer.out
    assert "what the scenario expects does not apply to a changed run, and was not checked" in answer.out
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["changes"] == manifest["result"]["changes"] == ["risk.liquidation_buffer=0.9"]
    assert set(manifest["accounts"]) == {"big", "both", "backed"}
    assert manifest["accounts"]["big"]["liquidated"] == [1_583_971_261]


def test_what_a_scenario_expects_is_not_held_against_a_changed_run(crossmargin: Crossmargin, tmp_path: Path) -> None:
    options = ("--engine", "model", "--out", tmp_path / "run", "--json")
    changed = json.loads(crossmargin("replay", SWITCHES, *options, "--set", "keepers=[]").out)
    assert (changed["liquidations"], changed["ok"], changed["missed"]) == (0, True, [])  # 1 is expected
    assert changed["changes"] == ["keepers=[]"]
    unchanged = json.loads(crossmargin("replay", SWITCHES, *options).out)
    assert (unchanged["liquidations"], unchanged["changes"]) == (1, [])


def test_a_bad_value_is_one_message_before_anything_runs(crossmargin: Crossmargin, tmp_path: Path) -> None:
    answer = crossmargin("replay", SWITCHES, "--out", tmp_path / "run", "--set", "insurance=1e3", "--json")
    assert answer.code == Exit.INPUT_INVALID
    error = json.loads(answer.out)["error"]
    assert error["message"] == "with --set insurance=1e3: `1e3` is in exponent notation"
    assert not (tmp_path / "run").exists()
