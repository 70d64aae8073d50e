"""Random stories on the model, and on both twins."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings

from contracts_py.compile import Artifact
from contracts_py.keys import address_of
from crossmargin.library import PARAMETERS
from crossmargin.parameters import genesis_actions, load_parameters
from crossmargin.replay.run import Replay
from crossmargin.scenario import load_scenario
from protocol.codec import digest
from protocol.margin import compute_account_state, compute_health
from tests.lockstep.saving import save_failing
from tests.lockstep.sequences import Step, Timed, opening, play, stories
from tests.lockstep.outcomes import OUTCOMES
from tests.twins import START, Checkpoint, Model, Twins


def configured(model: Model) -> None:
    """Put the reference parameters in force, as a scenario does; the story then begins at ``START``."""
    for sender, action in genesis_actions(load_parameters(PARAMETERS.find("reference"))):
        model.do(sender, action, after=0)


class Stories:
    """Tells stories, each from the same beginning, and keeps the one that fails."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.opening = opening()

    def tell(self, model: Model, steps: list[Step]) -> None:
        """One story; the model has told the opening already."""
        done: list[Timed] = []
        try:
            play(model, steps, self.outcomes, done)
            finish(model)
        except BaseException:
            save_failing([*self.opening, *done], self.name)
            raise


def finish(model: Model) -> None:
    """S3, S5: at the end of a story the complete states are equal and every view answers what the model measures."""
    if not isinstance(model, Twins):
        return
    model.check_states()
    state, env = model.world.protocol, model.world.env(model.now)
    for key, account in state.accounts.items():
        health = compute_health(state, account, env)
        assert model.chain.contracts.health(key) == health
        assert model.chain.contracts.account_state(key) == compute_account_state(state.risk, health)


def begin(model: Model, stories: Stories) -> None:
    """Configuration and opening."""
    configured(model)
    model.now = START
    for timed in stories.opening:
        model.do(timed.sender, timed.action, after=timed.after)
