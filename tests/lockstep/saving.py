"""Keeping a story that failed, as a scenario file that tells it again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from contracts_py.keys import address_of
from crossmargin.library import PARAMETERS
from crossmargin.parameters import load_parameters
from crossmargin.render import render_scenario
from crossmargin.scenario_records import AccountSpec, Step, StepExpectation
from protocol.state import account_id
from tests.lockstep.cast import OWNERS, SUBS, Timed
from tests.twins import START

FOLDER = Path(__file__).parents[2] / "out" / "failing"


def save_failing(sequence: Sequence[Timed], name: str = "sequence", folder: Path | None = None) -> Path:
    """Write a story, everything after the configuration, as ``name``.yaml; replay it with ``crossmargin replay``.

    What was refused is expected to be.
    """
    names = {f"{owner}_{sub}" if sub else owner: (owner, sub) for owner in OWNERS for sub in SUBS}
    accounts = {
        name: AccountSpec(name, owner, sub, "", account_id(address_of(owner), sub))
        for name, (owner, sub) in names.items()
    }
    now, steps = START, []
    for timed in sequence:
        now += timed.after
        steps.append(Step(now, 0, timed.sender, timed.action, None, StepExpectation(timed.refused, {})))
    path = (folder or FOLDER) / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    params = load_parameters(PARAMETERS.find("reference"))
    text = render_scenario("A failing story", "reference", START, accounts, steps, params=params)
    path.write_text(text, encoding="utf-8")
    return path
