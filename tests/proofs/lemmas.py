"""What is done with every lemma: sample it, prove it, and see its negative control fail.

A lemma is a function from its unknowns to the condition claimed; it calls the model's functions. ``establish`` runs it
on plain ints, random ones and borders of their ranges, then proves it for all of them. Its negative control, the same
lemma with one thing broken, must be refuted, and the counterexample that z3 gives must break it on plain ints too. So
neither a lemma that says nothing nor a fault of the symbolic integers goes unnoticed.
"""

from __future__ import annotations

import random
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest import mock

import z3

from protocol.errors import Refusal
from tests.proofs.symbolic import Claim, explore

EFFORT = 40_000_000  # z3's resource counter for the claim on one path
SAMPLES = 1_000
BORDERS = (-(10**18), -1, 0, 1, 10**4, 10**18 - 1, 10**18, 10**18 + 1)


class Rejected(Exception):  # noqa: N818  # not an error: a sample outside the lemma's assumptions
    """The values do not meet an assumption of the claim."""


class Given:
    """Plain ints for the unknowns of a claim: given ones, or random ones with many borders among them."""

    def __init__(self, values: dict[str, int] | None = None, chance: random.Random | None = None) -> None:
        self.values = values or {}
        self.chance = chance

    def integer(self, name: str, low: int, high: int) -> Any:
        """The value of an unknown."""
        if self.chance:
            self.values[name] = self._draw(self.chance, low, high)
        value = self.values[name]
        assert low <= value <= high
        return value

    def assume(self, condition: Any) -> None:
        """Leave the claim if a condition does not hold."""
        if not condition:
            raise Rejected

    def _draw(self, chance: random.Random, low: int, high: int) -> int:
        if chance.random() < 0.3:
            return chance.choice([b for b in (*BORDERS, low, low + 1, high - 1, high) if low <= b <= high])
        size = chance.randint(0, max(abs(low), abs(high)).bit_length())
        drawn = chance.getrandbits(size) * chance.choice((1, -1))
        return drawn if low <= drawn <= high else chance.randint(low, high)


def establish(
    claim: Claim, *, control: Claim | None = None, broken: AbstractContextManager[object] | None = None
) -> None:
    """Sample and prove a claim; refute its control, or the claim itself while something in the code is broken."""
    assert (control is None) != (broken is None), "a lemma needs one negative control"
    sample(claim)
    prove(claim)
    with broken or nullcontext():
        refute(control or claim)


def flipped(module: Any, name: str) -> AbstractContextManager[object]:
    """While it lasts, a module's ``fdiv`` rounds up or its ``cdiv`` rounds down."""
    other = {"fdiv": "cdiv", "cdiv": "fdiv"}[name]
    return mock.patch.object(module, name, getattr(__import__("protocol.units", fromlist=[other]), other))


def sample(claim: Claim) -> None:
    """The claim holds on plain ints, at least 1,000 of them within its assumptions."""
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
    for run, term in explore(claim):
        run.solver.set("rlimit", EFFORT)
        answer = run.solver.check(z3.Not(term))
        assert answer != z3.sat, f"broken by {run.solver.model()}"
        assert answer == z3.unsat, f"not decided on path {run.turns}: {run.solver.reason_unknown()}"
        paths += 1
    assert paths > 0, "the model refuses everything"


def refute(claim: Claim) -> None:
    """z3 finds values that break the claim, and they break it on plain ints."""
    for run, term in explore(claim):
        run.solver.set("rlimit", EFFORT)
        if run.solver.check(z3.Not(term)) == z3.sat:
            model = run.solver.model()
            values = {
                name: model.eval(unknown, model_completion=True).as_long() for name, unknown in run.names.items()
            }
            assert not claim(Given(values)), f"{values} break the symbolic claim only"
            return
    raise AssertionError("nothing breaks the negative control")
