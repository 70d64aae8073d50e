"""Rule switches: each shows what its rule is for, and refuses what it would leave unread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts_py.keys import address_of
from crossmargin.compare.command import collect_records
from crossmargin.compare.operands import read_operands
from crossmargin.errors import InputError
from crossmargin.isolation import isolate
from crossmargin.library import PARAMETERS
from crossmargin.parameters import load_parameters
from crossmargin.replay.run import Done, Replay
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import Scenario
from crossmargin.variants import load_variant, read_variant
from protocol.account_state import AccountState
from protocol.actions import CommitOrder, CreateIsolated, Deposit, FundInsurance, Trade, Withdraw
from protocol.events import AccountLiquidated
from protocol.params import EquityTier
from protocol.state import owner_of
from protocol.units import BPS, W

DATA = Path(__file__).parent / "data"
SWITCHES = DATA / "switches.yaml"
REFERENCE = PARAMETERS.find("reference")


@dataclass(frozen=True)
class Played:
    """A run on the model."""

    scenario: Scenario
    done: tuple[Done, ...]

    @property
    def liquidations(self) -> dict[str, tuple[AccountState, int]]:
        """State and notional closed, by account."""
        names = {spec.id: name for name, spec in self.scenario.accounts.items()}
        found = (event for done in self.done for event in done.events if isinstance(event, AccountLiquidated))
        return {names[event.account]: (AccountState(event.account_state), event.bad_debt) for event in found}

    @property
    def codes(self) -> list[str]:
        return [done.code for done in self.done if done.code != "ok"]

    def size(self, name: str, market: int) -> int:
        account = self.done[-1].world.protocol.accounts[self.scenario.accounts[name].id]
        return account.positions[market].size if market in account.positions else 0


def play(*texts: str, scenario: Path = SWITCHES) -> Played:
    loaded = load_variant(scenario, read_variant(texts))
    return Played(loaded, tuple(Replay(loaded, "model", None).play()))


def test_with_every_rule_on_a_large_position_is_liquidated_in_part() -> None:
    played = play()
    assert list(played.liquidations) == ["big"]
    assert played.liquidations["big"][0] == AccountState.LIQUIDATABLE
    assert played.size("big", 0) == 217_253 * W // 1000


def test_without_tiers_a_large_position_needs_no_more_than_a_small_one() -> None:
    played = play("switches.tiers=off")
    assert [len(market.params.brackets) for market in played.scenario.params.markets] == [1, 1]
    assert played.liquidations == {}


def test_without_equity_tiers_leverage_of_the_account_is_not_bounded(tmp_path: Path) -> None:
    """The reference tiers never ask for more than its margin rates: a stricter set shows the switch."""
    strict = tmp_path / "strict.yaml"
    strict.write_text(REFERENCE.read_text("utf-8").replace("{from: 0, leverage: 20}", "{from: 0, leverage: 10}"))
    assert play(f"params={strict}").codes[0] == "margin/equity-tier"
    played = play(f"params={strict}", "switches.equity_tiers=off")
    assert "margin/equity-tier" not in played.codes
    assert played.scenario.params.risk.equity_tiers == (EquityTier(0, 2**80 - 1),)


def test_without_insurance_nothing_is_ever_in_the_fund() -> None:
    played = play("switches.insurance=off")
    assert all(done.world.protocol.ledger.insurance == 0 for done in played.done)
    assert not any(isinstance(done.planned.action, FundInsurance) for done in played.done)
    base, changed = play().done[-1].world.protocol.ledger, played.done[-1].world.protocol.ledger
    assert changed.pool == base.pool + base.insurance - 1_500 * W  # its shares go to the pool; 1,500 were given


def test_without_partial_liquidation_an_account_is_closed_whole() -> None:
    played = play("switches.partial_liquidation=off")
    assert played.scenario.params.risk.backstop_ratio == BPS
    assert played.liquidations["big"][0] == AccountState.BACKSTOP
    assert played.size("big", 0) == 0


def test_without_cross_margin_a_gain_saves_no_other_position() -> None:
    played = play("switches.cross_margin=off")
    assert list(played.liquidations) == ["big/BTC", "both/BTC"]
    assert played.size("both/ETH", 1) == -80 * W
    assert played.codes == ["margin/initial"]  # of the trade on WETH, which no isolated account may hold


def test_isolated_parts_divide_what_the_account_pays_in_by_notional() -> None:
    """16,000 dollars of either market: half and half; 2,800 in, 100 out. WETH stay where they were."""
    scenario = load_variant(SWITCHES, read_variant(["switches.cross_margin=off"]))
    ids = {spec.id: name for name, spec in scenario.accounts.items()}
    steps = [(type(step.action), ids.get(getattr(step.action, "account", 0)), step.action) for step in scenario.steps]
    moved = [
        (kind.__name__, name, action.units) for kind, name, action in steps if isinstance(action, Deposit | Withdraw)
    ]
    assert moved == [
        ("Deposit", "big/BTC", 200_000 * 10**6),
        ("Deposit", "both/BTC", 1_400 * 10**6),
        ("Deposit", "both/ETH", 1_400 * 10**6),
        ("Withdraw", "both/BTC", 50 * 10**6),
        ("Withdraw", "both/ETH", 50 * 10**6),
        ("Deposit", "backed", 10 * W),
    ]
    opened = [name for kind, name, _ in steps if kind is CreateIsolated]
    assert opened == ["big/BTC", "both/BTC", "both/ETH", "backed/ETH"]
    for name, spec in scenario.accounts.items():
        if "/" in name:
            assert owner_of(spec.id) == owner_of(scenario.accounts[name.partition("/")[0]].id)


def test_orders_open_isolated_positions_too() -> None:
    played = play("switches.cross_margin=off", scenario=DATA / "orders.yaml")
    opened = [step.action.account for step in played.scenario.steps if isinstance(step.action, CreateIsolated)]
    assert opened == [played.scenario.accounts[name].id for name in ("early/BTC", "doomed/BTC")]
    assert played.codes == []
    assert played.size("early/BTC", 0) == W
    assert list(played.liquidations) == ["doomed/BTC"]


def test_isolation_keeps_every_step_but_those_that_it_divides() -> None:
    """Of each kind of action there are as many as before, or one for each part."""
    scenario = load_scenario(DATA / "every_action.yaml", address_of)
    isolated = isolate(scenario)
    kinds = [type(step.action) for step in isolated.steps]
    traded = {step.action.account for step in scenario.steps if isinstance(step.action, Trade | CommitOrder)}
    for kind in {type(step.action) for step in scenario.steps}:
        before = [step.action for step in scenario.steps if type(step.action) is kind]
        assert kinds.count(kind) >= len(before), kind
        of_traded = any(traded & {getattr(action, "account", 0), *getattr(action, "batch", ())} for action in before)
        if kind is not CreateIsolated and not of_traded:
            assert [step.action for step in isolated.steps if type(step.action) is kind] == before
    assert [step.at for step in isolated.steps] == sorted(step.at for step in isolated.steps)


@pytest.mark.parametrize("steps", ["set_risk", "set_market"])
def test_parameters_that_a_step_sets_are_switched_too(steps: str) -> None:
    off = ("switches.tiers=off", "switches.insurance=off", "switches.equity_tiers=off")
    scenario = load_variant(DATA / "every_action.yaml", read_variant(off))
    kind = {"set_risk": "SetRisk", "set_market": "SetMarket"}[steps]
    found: list[Any] = [step.action for step in scenario.steps if type(step.action).__name__ == kind]
    assert found
    for action in found:
        if kind == "SetRisk":
            assert (action.params.insurance_fee_share, len(action.params.equity_tiers)) == (0, 1)
        else:
            assert len(action.params.brackets) == 1


@pytest.mark.parametrize(
    ("switch", "value"),
    [
        ("tiers", "markets.ETH.tiers.2.mm=0.08"),
        ("equity_tiers", "risk.equity_tiers.0.leverage=10"),
        ("insurance", "insurance=5"),
        ("insurance", "risk.insurance_fee_share=0.2"),
        ("partial_liquidation", "risk.backstop_ratio=0.5"),
    ],
)
def test_a_value_that_a_switch_leaves_unread_is_refused(switch: str, value: str) -> None:
    with pytest.raises(InputError) as caught:
        play(f"switches.{switch}=off", value)
    assert caught.value.file == f"--set {value}"
    assert caught.value.message == f"nothing reads this value while the switch `{switch}` is off"
    assert caught.value.remedy.endswith(f"switches.{switch}=on")
    play(f"switches.{switch}=on", value)


def test_a_first_tier_can_be_set_without_the_others() -> None:
    played = play("switches.tiers=off", "markets.BTC.tiers.0.mm=0.03", "markets.BTC.tiers.0.im=0.06")
    assert played.scenario.params.markets[0].params.brackets[0].mm_rate == W * 3 // 100


def test_a_set_has_its_switches_in_its_file(tmp_path: Path) -> None:
    file = tmp_path / "plain.yaml"
    file.write_text(REFERENCE.read_text("utf-8") + "switches: {tiers: off, insurance: off, cross_margin: on}\n")
    params = load_parameters(file)
    assert params.off == ("tiers", "insurance")
    assert [len(market.params.brackets) for market in params.markets] == [1, 1]
    scenario = load_variant(SWITCHES, read_variant([], str(file)))
    assert (scenario.insurance, scenario.changes) == (0, (f"params={file}", "switches.insurance=off"))


# --- Black Thursday -------------------------------------------------------------------------------------------------

# Liquidations, bad debt and insurance fund in whole dollars, quoted in specs/configuration.md.
FIGURES = {
    "": (74, 1_757, 131_074),
    "tiers": (73, 1_820, 119_545),
    "equity_tiers": (74, 1_757, 131_074),
    "insurance": (74, 1_757, 0),
    "partial_liquidation": (51, 222, 177_840),
    "cross_margin": (74, 14, 127_929),
}


@pytest.mark.deep
def test_each_switch_on_black_thursday() -> None:
    name = "black_thursday"
    texts = [name, *(f"{name},switches.{switch}=off" for switch in FIGURES if switch)]
    records, failed = collect_records(read_operands(texts, [], ""))
    assert failed == []
    found = {
        switch: (totals["liquidations"], totals["bad_debt"] // W, totals["insurance_fund"] // W)
        for switch, totals in zip(FIGURES, (record.totals for record in records.values()), strict=True)
    }
    assert found == FIGURES
