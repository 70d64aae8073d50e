"""What is done with every lemma: sample it, prove it, and see its negative control fail.

A lemma is a function from its unknowns to the condition claimed; it calls the model's functions. ``establish`` runs it
on plain ints, random ones and borders of their ranges, then proves it for all of them. Its negative control, the same
lemma with one thing broken, must be refuted, and the counterexample that z3 gives must break it on plain ints too. So
neither a lemma that says nothing nor a fault of the symbolic integers goes unnoticed.
"""

from __future__ import annotations

import random
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import Any
from unittest import mock

import z3

from protocol import units
from protocol.errors import Refusal
from tests.proofs.symbolic import Claim, Run, explore

EFFORT = 40_000_000  # z3's resource counter for the claim on one path
SAMPLES = 1_000
BORDERS = (-1, 0, 1, units.BPS, units.W - 1, units.W, units.W + 1)


class Rejected(Exception):  # a sample outside the lemma's assumptions, no error
    """The values do not meet an assumption of the claim."""


class Given:
    """Plain ints for the unknowns of a claim: given ones, or random ones with borders among them."""

    def __init__(self, values: dict[str, int] | None = None, chance: random.Random | None = None) -> None:
        self.values = values or {}
        self.chance = chance

    def integer(self, name: str, low: Any, high: Any) -> Any:
        """The value of an unknown."""
        if low > high:
            raise Rejected
        if self.chance:
            self.values[name] = draw(self.chance, low, high)
        assert low <= self.values[name] <= high
        return self.values[name]

    def assume(self, condition: Any) -> None:
        """Leave the claim if a condition does not hold."""
        if not condition:
            raise Rejected


def draw(chance: random.Random, low: int, high: int) -> int:
    """A number of a range: a border, one of any magnitude from either end, or one of any magnitude around 0."""
    if chance.random() < 0.2:
        return chance.choice([border for border in (*BORDERS, low, low, high, high) if low <= border <= high])
    distance = min(chance.getrandbits(chance.randint(0, (high - low).bit_length())), high - low)
    if low < 0 < high:
        return max(low, min(high, chance.choice((distance, -distance))))
    return chance.choice((low + distance, low + distance, high - distance))


def establish(
    claim: Claim, *, control: Claim | None = None, broken: AbstractContextManager[object] | None = None
) -> None:
    """Sample and prove a claim; refute its control, or the claim itself while something in the code is broken."""
    assert (control is None) != (broken is None), "a lemma needs one negative control"
    sample(claim)
    prove(claim)
    with broken or nullcontext():
        refute(control or claim)


def flipped(module: ModuleType, name: str) -> AbstractContextManager[object]:
    """While it lasts, a module's ``fdiv`` rounds up or its ``cdiv`` rounds down."""
    return mock.patch.object(module, name, {"fdiv": units.cdiv, "cdiv": units.fdiv}[name])


def sample(claim: Claim) -> None:
    """The claim holds on plain ints, 1,000 times within its assumptions."""
    chance = random.Random(7)
    done = 0
    for _ in range(100 * SAMPLES):
        given = Given(chance=chance)
        try:
            assert claim(given), f"broken by {given.values}"
        except (Rejected, Refusal):
            continue
        done += 1
        if done == SAMPLES:
            return
    raise AssertionError(f"only {done} samples meet the assumptions")


def prove(claim: Claim) -> None:
    """z3 finds no values that break the claim, on any path."""
    paths = 0
    for run, claimed in explore(claim):
        refuse(run, z3.Not(claimed))
        paths += 1
    assert paths > 0, "the model refuses everything"


def refuse(run: Run, broken: Any) -> None:
    """On this path nothing satisfies a condition."""
    run.solver.set("rlimit", EFFORT)
    answer = run.solver.check(broken)
    assert answer != z3.sat, f"broken by {run.solver.model()}"
    assert answer == z3.unsat, f"not decided on path {run.turns}: {run.solver.reason_unknown()}"


def refute(claim: Claim) -> None:
    """z3 finds values that break the claim, and they break it on plain ints."""
    for run, claimed in explore(claim):
        run.solver.set("rlimit", EFFORT)
        if run.solver.check(z3.Not(claimed)) == z3.sat:
            values = example(run)
            assert not claim(Given(values)), f"{values} break the symbolic claim only"
            return
    raise AssertionError("nothing breaks the negative control")


def reaches(computation: Claim, magnitude: int) -> bool:
    """Whether a sum or product of a computation can be this large, or as far below zero."""
    for run, _ in explore(lambda values: computation(values) is not values):
        run.solver.set("rlimit", EFFORT)
        for step in run.steps:
            answer = run.solver.check(z3.Or(step >= magnitude, step <= -magnitude))
            assert answer != z3.unknown, f"not decided on path {run.turns}: {run.solver.reason_unknown()}"
            if answer == z3.sat:
                return True
    return False


def example(run: Run) -> dict[str, int]:
    """The unknowns of the model that z3 has just found."""
    model = run.solver.model()
    return {name: model.eval(unknown, model_completion=True).as_long() for name, unknown in run.names.items()}
