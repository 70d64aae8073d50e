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
from oracle.feeds import Push, SetFeed, SetRateFeed
from protocol.codec import digest
from protocol.transition import PROCESS
from tests.lockstep.cast import Step, Timed
from tests.lockstep.landmarks import LANDMARKS
from tests.lockstep.saving import save_failing
from tests.lockstep.sequences import OUTCOMES, REACHED, RESOLVERS, WORKLOADS, opening, play, stories
from tests.twins import START, Disagreement, Model, Twins

LENGTH = 50  # actions of a story
STORIES = {"ordinary": 120, "crash": 80}  # of each workload, on both twins on pyrevm
DEEP_LENGTH = 100
DEEP_STORIES = {"ordinary": 1_200, "crash": 800}
RARE = {"bad debt left to the deficit", "reserve phase", "redemption expired", "several positions closed"}


class Teller:
    """Tells stories that all begin alike, and keeps the one that fails, shortened."""

    def __init__(self, name: str, model: Model) -> None:
        self.name = name
        self.model = model
        self.told = 0
        self.outcomes: Counter[tuple[str, str]] = Counter()
        begin(model)
        self.beginning = model.save()

    def tell(self, steps: Sequence[Step]) -> None:
        """One story, from the beginning."""
        done, told = self._try(steps, self.outcomes)
        if done is not None:
            kept = shorten(steps, lambda part: type(self._try(part, Counter())[0]) is type(done))
            done, told = self._try(kept, Counter())
            assert done is not None
            raise done from StoryFailed(f"kept as {save_failing([*opening(), *told], self.name)}")
        self.told += 1

    def _try(self, steps: Sequence[Step], outcomes: Counter[tuple[str, str]]) -> tuple[Exception | None, list[Timed]]:
        self.model.restore(self.beginning)
        done: list[Timed] = []
        try:
            play(self.model, steps, outcomes, done)
            finish(self.model, self.told)
        except Exception as failure:
            return failure, done
        return None, done

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


def finish(model: Model, number: int) -> None:
    """S3, S5, S6: at the end the complete states are equal, and every view answers what the model measures.

    The views that search are asked of one account a story, in turn.
    """
    if isinstance(model, Twins):
        model.check_states()
        known = list(model.world.protocol.accounts)
        model.check_views(sizes=[known[number % len(known)]])


def check_coverage(outcomes: Counter[tuple[str, str]], codes: int, landmarks: Iterable[str]) -> None:
    """The stories were worth telling: every action succeeded, refusals of many kinds, and what matters came to pass."""
    told = {(action, code): count for (action, code), count in outcomes.items() if action != REACHED}
    every = {action.__name__ for action in (*PROCESS, Push, SetFeed, SetRateFeed)}
    assert every - {action for action, code in told if code == "ok"} == set()
    assert len({code for _, code in told}) > codes
    assert 2 * sum(count for (_, code), count in told.items() if code == "ok") > sum(told.values())
    assert [landmark for landmark in landmarks if not outcomes[REACHED, landmark]] == []


def tell_stories(teller: Teller, workload: str, length: int, numbers: Iterable[int]) -> None:
    """Many stories of one teller; what came of them is reported."""
    for number in numbers:
        teller.tell(draw_story(workload, number, length))
    teller.report()


def test_random_stories_on_the_model() -> None:
    """C1 to C9, S1: every statement about states and events holds after every action of any story."""
    teller = Teller("model", Model())
    tell_stories(teller, "ordinary", LENGTH, examples=100)
    tell_stories(teller, "crash", LENGTH, examples=100)
    check_coverage(teller.outcomes, 30, LANDMARKS)


def test_random_stories_on_both(artifacts: dict[str, Artifact]) -> None:
    """S3: outcome, code and events after every action, complete states and views after every story."""
    check_coverage(tell_both("both", artifacts, LENGTH, STORIES), 50, LANDMARKS)
