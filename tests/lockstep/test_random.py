"""Random stories on the model, and on both twins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from contracts_py.compile import Artifact
from contracts_py.keys import address_of
from crossmargin.library import PARAMETERS
from crossmargin.parameters import genesis_actions, load_parameters
from crossmargin.replay.run import CONFIGURE_TIME, Replay
from crossmargin.scenario import load_scenario
from oracle.feeds import Push, SetFeed
from protocol.codec import digest
from protocol.margin import compute_account_state, compute_health
from protocol.transition import PROCESS
from tests.lockstep.saving import save_failing
from tests.lockstep.sequences import OUTCOMES, REACHED, Step, Timed, opening, play, stories
from tests.twins import START, Disagreement, Model, Twins

CHAIN_ACTIONS = 30  # of a story told to both twins
MODEL_ACTIONS = 60
LANDMARKS = ("bad debt", "inventory", "liquidation of BANKRUPT", "flip", "trader debt", "deficit")


class Teller:
    """Tells stories that all begin alike, and keeps the one that fails."""

    def __init__(self, name: str, model: Model) -> None:
        self.name = name
        self.model = model
        self.outcomes: Counter[tuple[str, str]] = Counter()
        begin(model)
        self.beginning = model.save()

    def tell(self, steps: list[Step]) -> None:
        """One story, from the beginning."""
        self.model.restore(self.beginning)
        done: list[Timed] = []
        try:
            play(self.model, steps, self.outcomes, done)
            finish(self.model)
        except BaseException:
            save_failing([*opening(), *done], self.name)
            raise

    def report(self) -> None:
        """Add what came of all stories to the counts of the run."""
        OUTCOMES.update(self.outcomes)


def begin(model: Model) -> None:
    """The reference parameters, put in force as a scenario does, and the opening of every story."""
    model.now = START - CONFIGURE_TIME
    for sender, action in genesis_actions(load_parameters(PARAMETERS.find("reference"))):
        model.do(sender, action)
    model.now = START
    for timed in opening():
        model.do(timed.sender, timed.action, after=timed.after)


def finish(model: Model) -> None:
    """S3, S5, S6: at the end the complete states are equal, and every view answers what the model measures."""
    if not isinstance(model, Twins):
        return
    model.check_states()
    state, env = model.world.protocol, model.world.env(model.now)
    for key, account in state.accounts.items():
        health = compute_health(state, account, env)
        assert model.chain.contracts.health(key) == health
        assert model.chain.contracts.account_state(key) == compute_account_state(state.risk, health)


def check_coverage(outcomes: Counter[tuple[str, str]], codes: int, reached: Iterable[str]) -> None:
    """The stories were worth telling: every action succeeded, refusals of many kinds, and what matters came to pass."""
    told = {(action, code): count for (action, code), count in outcomes.items() if action != REACHED}
    assert {action for action, code in told if code == "ok"} == {
        action.__name__ for action in (*PROCESS, Push, SetFeed)
    }
    assert len({code for _, code in told}) > codes
    assert 2 * sum(count for (_, code), count in told.items() if code == "ok") > sum(told.values())
    for landmark in reached:
        assert outcomes[REACHED, landmark] > 0, landmark


def tell_stories(teller: Teller, length: int, examples: int, codes: int, reached: Iterable[str]) -> None:
    """Many stories of one teller; what they covered is reported and asserted."""

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(stories(length))
    def told(steps: list[Step]) -> None:
        teller.tell(steps)

    told()
    teller.report()
    check_coverage(teller.outcomes, codes, reached)


def test_random_stories_on_the_model() -> None:
    """C1 to C9, S1: every statement about states and events holds after every action of any story."""
    tell_stories(Teller("model", Model()), MODEL_ACTIONS, examples=200, codes=30, reached=LANDMARKS)


def test_random_stories_on_both(artifacts: dict[str, Artifact]) -> None:
    """S3: outcome, code and events after every action, complete states and views after every story."""
    tell_stories(Teller("both", Twins(artifacts)), CHAIN_ACTIONS, examples=25, codes=20, reached=LANDMARKS[:3])


@pytest.mark.deep
def test_many_random_stories_on_both(artifacts: dict[str, Artifact]) -> None:
    """S3: more and longer stories."""
    tell_stories(Teller("both-deep", Twins(artifacts)), 2 * CHAIN_ACTIONS, examples=200, codes=30, reached=LANDMARKS)


# --- stories that fail are kept -------------------------------------------------------------------------------------


def an_ordinary_story() -> list[Step]:
    """A story of one of each kind of step."""
    kinds = (
        "trade",
        "trade",
        "price",
        "deposit",
        "withdraw",
        "fault",
        "liquidate",
        "price",
        "lend",
        "insure",
        "pause",
        "feed",
    )
    return [
        Step(kind, i, i + 1, 100 + 37 * i, 803 + 11 * i, 1 + i)
        for i, kind in enumerate((*kinds, "parameters", "garbage", "trade"))
    ]


def test_a_kept_story_tells_the_same_again(tmp_path: Path) -> None:
    """S2, S4: saved as a scenario, loaded and replayed, a story ends in the same state."""
    model, done = Model(), list[Timed]()
    begin(model)
    play(model, an_ordinary_story(), Counter(), done)
    assert len(done) == 15
    scenario = load_scenario(save_failing([*opening(), *done], "kept", tmp_path), address_of)
    replay = Replay(scenario, "model", None)
    for _ in replay.play():
        pass
    assert digest(replay.world.protocol) == digest(model.world.protocol)
    assert digest(replay.world.oracle) == digest(model.world.oracle)
    assert replay.now == model.now


def test_a_story_that_fails_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3: with the action at which the twins disagreed as its last step."""
    monkeypatch.setattr("tests.lockstep.saving.FOLDER", tmp_path)

    class Disagreeing(Model):
        def attempt(self, sender: str, action: object, after: int = 1) -> str:
            code = super().attempt(sender, action, after)
            if type(action).__name__ == "Trade":
                raise Disagreement("on purpose")
            return code

    teller = Teller("refuted", Disagreeing())
    with pytest.raises(Disagreement):
        teller.tell(an_ordinary_story())
    (kept,) = tmp_path.iterdir()
    scenario = load_scenario(kept, address_of)
    assert type(scenario.steps[-1].action).__name__ == "Trade"
    assert len(scenario.steps) == len(opening()) + 1
