"""The tools of the proofs: a false lemma is not proved, a true one is not refuted, and division is Python's."""

from __future__ import annotations

import pytest

from tests.proofs.lemmas import establish, prove, reaches, refute, sample
from tests.proofs.symbolic import Values, both, explore


def halves(values: Values) -> object:
    """True of every number: n // 2 is rounded toward minus infinity."""
    number = values.integer("number", -100, 100)
    return both(number // 2 * 2 <= number, number < number // 2 * 2 + 2)


def halves_toward_zero(values: Values) -> object:
    """False of odd negative numbers: n // 2 is rounded toward zero."""
    number = values.integer("number", -100, 100)
    return abs(number) // 2 == abs(number // 2)


def test_a_true_lemma_with_a_false_control_is_established() -> None:
    establish(halves, control=halves_toward_zero)


def test_a_false_lemma_is_neither_proved_nor_sampled() -> None:
    with pytest.raises(AssertionError, match="broken by"):
        prove(halves_toward_zero)
    with pytest.raises(AssertionError, match="broken by"):
        sample(halves_toward_zero)


def test_a_control_that_holds_is_not_refuted() -> None:
    with pytest.raises(AssertionError, match="nothing breaks"):
        refute(halves)


def test_a_lemma_needs_exactly_one_control() -> None:
    with pytest.raises(AssertionError, match="one negative control"):
        establish(halves)


def test_every_way_through_the_code_is_taken() -> None:
    """Three of the four ways can be reached: no number is above 5 and below 0."""

    def claim(values: Values) -> bool:
        number = values.integer("number", -10, 10)
        seen.add((bool(number > 5), bool(number < 0)))
        return True

    seen: set[tuple[bool, bool]] = set()
    assert len(list(explore(claim))) == 3
    assert seen == {(True, False), (False, True), (False, False)}


def test_a_denominator_that_may_be_zero_is_an_error() -> None:
    with pytest.raises(ZeroDivisionError):
        prove(lambda values: 1 // values.integer("number", 0, 5) >= 0)


def test_the_largest_step_is_found_not_the_largest_result() -> None:
    def computation(values: Values) -> object:
        return values.integer("number", 0, 9) * 9 // 81

    assert reaches(computation, 81)
    assert not reaches(computation, 82)


def test_proofs_do_not_depend_on_the_ones_before() -> None:
    """The work, by z3's own counter, is the same each time."""

    def effort() -> list[int]:
        done = []
        for run, claimed in explore(halves):
            run.solver.check(claimed)
            done.append(run.solver.statistics().get_key_value("rlimit count"))
        return done

    assert effort() == effort()
