"""Random stories on the model, and on both twins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from contracts_py.compile import Artifact
from contracts_py.keys import address_of
from crossmargin.library import PARAMETERS
from crossmargin.parameters import genesis_actions, load_parameters
from crossmargin.replay.expectations import check_step
from crossmargin.replay.run import CONFIGURE_TIME, Replay
from crossmargin.scenario import load_scenario
from oracle.feeds import Push, SetFeed, SetRateFeed
from protocol.actions import Deposit, Withdraw
from protocol.codec import digest
from protocol.state import account_id
from protocol.transition import PROCESS
from tests.lockstep.cast import Step, Timed, pick
from tests.lockstep.landmarks import LANDMARKS
from tests.lockstep.saving import save_failing
from tests.lockstep.sequences import (
    OUTCOMES,
    REACHED,
    RESOLVERS,
    WORKLOADS,
    draw_story,
    opening,
    play,
    shorten,
)
from tests.twins import START, Checkpoint, Disagreement, Model, Twins

LENGTH = 50  # actions of a story
STORIES = {"ordinary": 100, "crash": 100}  # told to both twins on pyrevm
DEEP_PART = 125  # stories of 100 actions of each workload in one test; 2,000 in all
DEEP_FIRSTS = range(1_000, 2_000, DEEP_PART)
NOBODY = account_id(address_of("nobody"))  # never registered: views answer for it too
OTHERS = 100_000  # number of the first story that is told elsewhere than on both twins on pyrevm


class StoryFailed(Exception):
    """Where a failing story was kept."""


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
        except Exception as failure:  # noqa: BLE001  # whatever fails, the story is kept
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

    The views that search are asked of one account a story, in turn; on eth-tester, where one of them takes seconds,
    of none, and the others of one account.
    """
    if isinstance(model, Twins):
        model.check_states()
        asked = [*model.world.protocol.accounts, NOBODY]
        chosen = pick(asked, number)
        if model.backend == "eth-tester":
            model.check_views([chosen], sizes=())
        else:
            model.check_views(asked, sizes=[chosen])


def count_actions(outcomes: Counter[tuple[str, str]]) -> int:
    """How many actions were told."""
    return sum(count for (action, _), count in outcomes.items() if action != REACHED)


def check_coverage(outcomes: Counter[tuple[str, str]], landmarks: Iterable[str]) -> None:
    """The stories were worth telling: every action succeeded, half of all did, and what matters came to pass."""
    succeeded = {action: count for (action, code), count in outcomes.items() if code == "ok"}
    every = {action.__name__ for action in (*PROCESS, Push, SetFeed, SetRateFeed)}
    assert every - succeeded.keys() == set()
    assert 2 * sum(succeeded.values()) > count_actions(outcomes)
    assert [landmark for landmark in landmarks if not outcomes[REACHED, landmark]] == []


def tell_stories(teller: Teller, workload: str, length: int, numbers: Iterable[int]) -> None:
    """Many stories of one teller; what came of them is reported."""
    for number in numbers:
        teller.tell(draw_story(workload, number, length))
    teller.report()


def test_random_stories_on_the_model() -> None:
    """C1 to C9, S1: every statement about states and events holds after every action of any story."""
    outcomes: Counter[tuple[str, str]] = Counter()
    for workload in WORKLOADS:
        teller = Teller(f"model-{workload}", Model())
        tell_stories(teller, workload, 3 * LENGTH, range(OTHERS, OTHERS + 30))
        outcomes += teller.outcomes
    check_coverage(outcomes, LANDMARKS)


def test_random_stories_on_both(artifacts: dict[str, Artifact]) -> None:
    """S3: outcome, code and events after every action, complete states and views after every story."""
    outcomes: Counter[tuple[str, str]] = Counter()
    for workload, count in STORIES.items():
        teller = Teller(f"both-{workload}", Twins(artifacts))
        tell_stories(teller, workload, LENGTH, range(count))
        outcomes += teller.outcomes
    assert count_actions(outcomes) == 200 * 50
    check_coverage(outcomes, LANDMARKS)


def test_a_few_random_stories_on_eth_tester(artifacts: dict[str, Artifact]) -> None:
    """S3: on a chain of blocks, transactions and receipts."""
    teller = Teller("eth-tester", Twins(artifacts, backend="eth-tester"))
    for workload, count in {"ordinary": 3, "crash": 2}.items():
        for number in range(OTHERS, OTHERS + count):
            teller.tell(draw_story(workload, number, 20))
    teller.report()
    assert count_actions(teller.outcomes) == 20 * 5


@pytest.mark.deep
@pytest.mark.parametrize("first", DEEP_FIRSTS)
def test_many_random_stories_on_both(artifacts: dict[str, Artifact], first: int) -> None:
    """S3: more and longer stories."""
    outcomes: Counter[tuple[str, str]] = Counter()
    for workload in WORKLOADS:
        teller = Teller(f"deep-{workload}-{first}", Twins(artifacts))
        tell_stories(teller, workload, 100, range(first, first + DEEP_PART))
        outcomes += teller.outcomes
    assert count_actions(outcomes) == 100 * DEEP_PART * len(WORKLOADS)
    check_coverage(outcomes, LANDMARKS)


# --- stories that fail are kept -------------------------------------------------------------------------------------


def a_story_of_every_kind() -> list[Step]:
    """A story with a step of every kind, and trades before."""
    kinds = ("trade", "lever", "price", *RESOLVERS, "trade")
    return [Step(kind, i, i + 1, 100 + 37 * i, 803 + 11 * i, 1 + i) for i, kind in enumerate(kinds)]


def test_a_kept_story_tells_the_same_again(tmp_path: Path) -> None:
    """S2, S4: saved as a scenario, loaded and replayed, a story ends in the same state."""
    model, done = Model(), list[Timed]()
    begin(model)
    play(model, a_story_of_every_kind(), Counter(), done)
    assert len(done) == len(a_story_of_every_kind())
    scenario = load_scenario(save_failing([*opening(), *done], "kept", tmp_path), address_of)
    replay = Replay(scenario, "model", None)
    missed = [missed for told in replay.play() for missed in check_step(told)]
    assert missed == []
    assert digest(replay.world.protocol) == digest(model.world.protocol)
    assert digest(replay.world.oracle) == digest(model.world.oracle)
    assert replay.now == model.now


def test_every_drawn_story_can_be_kept(tmp_path: Path) -> None:
    """S2: whatever a story says can be written as a scenario and read back."""
    for workload in WORKLOADS:
        model = Model()
        begin(model)
        beginning = model.save()
        for number in range(10):
            model.restore(beginning)
            done: list[Timed] = []
            play(model, draw_story(workload, number, LENGTH), Counter(), done)
            scenario = load_scenario(save_failing([*opening(), *done], "drawn", tmp_path), address_of)
            assert [step.action for step in scenario.steps] == [timed.action for timed in (*opening(), *done)]
            assert [step.sender for step in scenario.steps] == [timed.sender for timed in (*opening(), *done)]
            assert [step.expect.refused for step in scenario.steps[len(opening()) :]] == [d.refused for d in done]


class Disagreeing(Model):
    """A model that finds fault with every withdrawal after a deposit of its story."""

    def attempt(self, sender: str, action: object, after: int = 1) -> str:
        """As always, but then it fails."""
        code = super().attempt(sender, action, after)
        self.deposited = getattr(self, "deposited", 0) + isinstance(action, Deposit)
        if isinstance(action, Withdraw) and self.deposited:
            raise Disagreement("on purpose")
        return code

    def restore(self, checkpoint: Checkpoint) -> None:
        """Forget the deposits too."""
        super().restore(checkpoint)
        self.deposited = 0


def test_a_story_that_fails_is_shortened_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3: with the action at which the twins disagreed as its last step, and no step that does not matter."""
    monkeypatch.setattr("tests.lockstep.saving.FOLDER", tmp_path)
    teller = Teller("refuted", Disagreeing())
    with pytest.raises(Disagreement, match="on purpose"):
        teller.tell(a_story_of_every_kind())
    (kept,) = tmp_path.iterdir()
    scenario = load_scenario(kept, address_of)
    told = [type(step.action) for step in scenario.steps[len(opening()) :]]
    assert told == [Deposit, Withdraw]
