"""What the rule switches of a parameter set change in a scenario (specs/configuration.md, switches)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from crossmargin.isolation import isolate
from crossmargin.scenario_records import Scenario
from crossmargin.switches import switch_market, switch_risk
from protocol.actions import FundInsurance, SetMarket, SetRisk


def apply_switches(scenario: Scenario) -> Scenario:
    """The scenario under its set's switches: without what a rule that is off would need.

    Parameters that a step sets are switched as those of the set. Without insurance there is no opening fund and no
    gift. Without cross margin every position moves to an isolated account of its own. The last two change what
    happens, and are noted in ``changes``.
    """
    off = scenario.params.off
    if not off:
        return scenario
    steps = tuple(replace(step, action=switch_action(step.action, off)) for step in scenario.steps)
    if "insurance" in off:
        steps = tuple(step for step in steps if not isinstance(step.action, FundInsurance))
        scenario = replace(scenario, insurance=0)
    scenario = replace(scenario, steps=steps)
    if "cross_margin" in off:
        scenario = isolate(scenario)
    changes = tuple(f"switches.{name}=off" for name in ("insurance", "cross_margin") if name in off)
    return replace(scenario, changes=changes)


def switch_action(action: Any, off: tuple[str, ...]) -> Any:
    """An action that sets parameters, with those of the switches that are off; any other as it is."""
    if isinstance(action, SetRisk):
        return SetRisk(switch_risk(action.params, off))
    if isinstance(action, SetMarket):
        return SetMarket(action.market, switch_market(action.params, off))
    return action
