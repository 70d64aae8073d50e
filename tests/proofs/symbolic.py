"""Integers that stand for every value of a range, so that the model's own code can be run on all of them at once.

Arithmetic builds terms of z3. A division by ``//`` adds its quotient as a new unknown with the two inequalities that
define it. A condition splits the run: the function runs once for each way through it, so ``explore`` yields every path
of the very code, and a lemma about the code cannot drift from it. What z3 is asked about a path is in ``lemmas``.

The work is bounded by z3's resource counter, never by time, so the answer is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import z3

from protocol.errors import Refusal

BRANCH_EFFORT = 300_000  # z3's resource counter for one question whether a branch can be reached
MOST_PATHS = 1_000


class Values(Protocol):
    """Where a claim takes its unknowns from: symbolic ones for a proof, plain ints for a sample."""

    def integer(self, name: str, low: Any, high: Any) -> Any:
        """An unknown with ``low <= value <= high``; the bounds may depend on other unknowns."""

    def assume(self, condition: Any) -> None:
        """Leave out the values for which a condition does not hold."""


Claim = Callable[[Values], Any]  # gives the condition that is claimed


class Truth:
    """A condition on symbolic integers. Used as a condition of the code, it splits the run."""

    __slots__ = ("term",)

    def __init__(self, term: Any) -> None:
        self.term = term

    def __bool__(self) -> bool:
        return current().decide(self.term)


class Integer:
    """A symbolic integer: what the model does with an int, it can do with this."""

    __slots__ = ("term",)
    __hash__ = None  # type: ignore[assignment]  # equality is symbolic

    def __init__(self, term: Any) -> None:
        self.term = term

    def __add__(self, other: int | Integer) -> Integer:
        return current().note(self.term + term_of(other))

    __radd__ = __add__

    def __sub__(self, other: int | Integer) -> Integer:
        return current().note(self.term - term_of(other))

    def __rsub__(self, other: int) -> Integer:
        return current().note(other - self.term)

    def __mul__(self, other: int | Integer) -> Integer:
        return current().note(self.term * term_of(other))

    __rmul__ = __mul__

    def __neg__(self) -> Integer:
        return Integer(-self.term)

    def __abs__(self) -> Integer:
        return -self if self < 0 else self

    def __pow__(self, exponent: int) -> Integer:
        if exponent != 2:
            raise NotImplementedError
        return self * self

    def __floordiv__(self, other: int | Integer) -> Integer:
        return current().divide(self.term, term_of(other))

    def __rfloordiv__(self, other: int) -> Integer:
        return current().divide(term_of(other), self.term)

    def __lt__(self, other: int | Integer) -> Truth:
        return Truth(self.term < term_of(other))

    def __le__(self, other: int | Integer) -> Truth:
        return Truth(self.term <= term_of(other))

    def __gt__(self, other: int | Integer) -> Truth:
        return Truth(self.term > term_of(other))

    def __ge__(self, other: int | Integer) -> Truth:
        return Truth(self.term >= term_of(other))

    def __eq__(self, other: Any) -> Any:
        return Truth(self.term == term_of(other))

    def __ne__(self, other: Any) -> Any:
        return Truth(self.term != term_of(other))

    def __bool__(self) -> bool:
        return bool(self != 0)


class Run:
    """One way through the code: what is assumed on it, and the turns that lead there."""

    def __init__(self, turns: list[bool], context: Any) -> None:
        self.context = context
        self.turns = turns
        self.taken = 0
        self.untried: list[list[bool]] = []
        self.names: dict[str, Any] = {}
        self.steps: list[Any] = []  # every sum and product computed
        self.solver = z3.Solver(ctx=context)
        self.solver.set("rlimit", BRANCH_EFFORT)
        self.witness: Any = None  # values that lead down this path, if known

    def integer(self, name: str, low: Any, high: Any) -> Any:
        """A new unknown of the claim."""
        assert name not in self.names
        unknown = self.names[name] = z3.Int(name, self.context)
        self.narrow(z3.And(term_of(low) <= unknown, unknown <= term_of(high)))
        return Integer(unknown)

    def assume(self, condition: Any) -> None:
        """Leave out the values for which a condition does not hold."""
        self.narrow(claim_term(condition))

    def note(self, term: Any) -> Integer:
        """Remember a result, for proofs about widths."""
        self.steps.append(term)
        return Integer(term)

    def divide(self, numerator: Any, denominator: Any) -> Integer:
        """The quotient rounded toward minus infinity, as Python's; the denominator must be positive on this path."""
        if self.can(denominator <= 0):
            raise ZeroDivisionError(f"{denominator} may be zero or negative")
        quotient = z3.FreshInt("quotient", self.context)
        product = denominator * quotient
        self.narrow(z3.And(product <= numerator, numerator < product + denominator))
        return Integer(quotient)

    def decide(self, condition: Any) -> bool:
        """Which way the run takes at a condition; the other way, if it can be reached, is tried later."""
        if self.taken < len(self.turns):
            turn = self.turns[self.taken]
        else:
            turn = self.can(condition)
            if turn and self.can(z3.Not(condition)):
                self.untried.append([*self.turns, False])
            self.turns.append(turn)
        self.taken += 1
        self.narrow(condition if turn else z3.Not(condition))
        return turn

    def narrow(self, condition: Any) -> None:
        """Assume a condition from here on."""
        self.solver.add(condition)
        if self.witness is not None and not z3.is_true(self.witness.eval(condition, model_completion=True)):
            self.witness = None

    def can(self, condition: Any) -> bool:
        """Whether a condition can hold on this path, as far as z3 can tell: if in doubt, it can."""
        settled = z3.simplify(condition)
        if z3.is_true(settled) or z3.is_false(settled):
            return bool(z3.is_true(settled))
        if self.witness is not None and z3.is_true(self.witness.eval(condition, model_completion=True)):
            return True
        answer = self.solver.check(condition)
        if answer == z3.sat:
            self.witness = self.solver.model()
        return bool(answer != z3.unsat)


_running: list[Run] = []


def current() -> Run:
    """The run in progress."""
    return _running[-1]


def explore(claim: Claim) -> Iterator[tuple[Run, Any]]:
    """Every path of a claim with its condition as a term; a path on which the model refuses claims nothing.

    Each exploration has its own z3 context, so that its answers do not depend on the ones before.
    """
    context = z3.Context()
    waiting: list[list[bool]] = [[]]
    for _ in range(MOST_PATHS):
        if not waiting:
            return
        run = Run(waiting.pop(), context)
        _running.append(run)
        try:
            yield run, claim_term(claim(run))
        except Refusal:
            pass
        finally:
            _running.pop()
        waiting.extend(run.untried)
    raise RuntimeError(f"more than {MOST_PATHS} paths")


def both(*conditions: Any) -> Any:
    """The condition that all of them hold, without splitting the run."""
    if all(isinstance(condition, bool) for condition in conditions):
        return all(conditions)
    return Truth(z3.And([claim_term(condition) for condition in conditions]))


def either(*conditions: Any) -> Any:
    """The condition that one of them holds, without splitting the run."""
    if all(isinstance(condition, bool) for condition in conditions):
        return any(conditions)
    return Truth(z3.Or([claim_term(condition) for condition in conditions]))


def term_of(value: int | Integer) -> Any:
    """A number as a term."""
    return value.term if isinstance(value, Integer) else z3.IntVal(value, current().context)


def claim_term(condition: Any) -> Any:
    """A condition as a term."""
    return condition.term if isinstance(condition, Truth) else z3.BoolVal(condition, current().context)
