"""The exponential function: against snekmate's on the EVM, against the true value, and what the averages need of it."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts_py.errors import Reverted
from contracts_py.revm import RevmNode
from oracle import exponential
from oracle.exponential import EXPONENT_LIMIT, LN2, LOWEST_EXPONENT, compute_p, compute_q, tdiv, wad_exp
from protocol.units import W
from tests.oracle.drawing import Draw
from tests.oracle.following import START, Deployed, compile_here

BATCH = 512
HALVINGS = (693_147_180_559_945_309, 346_573_590_279_972_654)  # ln 2 and half of it: where the power of two changes


def edges() -> list[int]:
    """Both limits, 0, every change of the power of two, and powers of ten, each with its neighbours."""
    centres = [LOWEST_EXPONENT, EXPONENT_LIMIT - 2, 0, W, -W]
    centres += [k * HALVINGS[0] + HALVINGS[1] for k in range(-61, 195)]
    centres += [sign * 10**k for k in range(21) for sign in (1, -1)]
    near = {centre + offset for centre in centres for offset in (-2, -1, 0, 1, 2)}
    return [-(2**255), -(2**254), *sorted(exponent for exponent in near if exponent < EXPONENT_LIMIT)]


def draw_exponents(name: str, count: int) -> list[int]:
    """Exponents of every size: not positive as the averages use them, and of the whole domain."""
    draw = Draw(name)
    found = []
    for _ in range(count // 4):
        found.append(-draw.below(42 * W))
        found.append(-draw.below(10 ** draw.below(20) + 1))
        found.append(draw.below(EXPONENT_LIMIT - LOWEST_EXPONENT) + LOWEST_EXPONENT)
        found.append(draw.below(EXPONENT_LIMIT))
    return found


@pytest.fixture(scope="module")
def contract() -> Deployed:
    """What the contracts compute."""
    return Deployed(RevmNode(START), compile_here("Exponential")["Exponential"])


def check_equal(contract: Deployed, exponents: list[int]) -> None:
    """Both give the same, to the wei."""
    for first in range(0, len(exponents), BATCH):
        batch = exponents[first : first + BATCH]
        assert list(contract.ask("wad_exp", batch)) == [wad_exp(exponent) for exponent in batch]


def test_the_exponential_at_its_edges_on_both(contract: Deployed) -> None:
    """AVG-1: limits, changes of the power of two, powers of ten; overflow is refused by both from the same number."""
    check_equal(contract, edges())
    for exponent in (EXPONENT_LIMIT, EXPONENT_LIMIT + 1, 2**255 - 1):
        with pytest.raises(Reverted, match="math: wad_exp overflow"):
            contract.ask("wad_exp", [exponent])
        with pytest.raises(OverflowError):
            wad_exp(exponent)


def test_the_exponential_on_both(contract: Deployed) -> None:
    """AVG-1."""
    check_equal(contract, draw_exponents("exponential", 2_000))


@pytest.mark.deep
def test_the_exponential_of_many_numbers_on_both(contract: Deployed) -> None:
    """AVG-1."""
    check_equal(contract, draw_exponents("deep exponential", 100_000))


def test_the_exponential_of_known_numbers() -> None:
    """AVG-1: e^0 is exactly W, so an average that is charged for no time stays as it is."""
    assert wad_exp(0) == W
    assert wad_exp(-W) == 367_879_441_171_442_321
    assert wad_exp(W) == 2_718_281_828_459_045_235
    assert wad_exp(LOWEST_EXPONENT) == 0
    assert wad_exp(LOWEST_EXPONENT + 1) == 1
    assert wad_exp(EXPONENT_LIMIT - 1) < 2**255


@given(st.integers(LOWEST_EXPONENT - W, 0))
def test_the_exponential_is_less_than_a_wei_from_the_true_value(exponent: int) -> None:
    """AVG-1: for exponents that are not positive, as the averages use them; and never above W."""
    with localcontext() as context:
        context.prec = 60
        true = (Decimal(exponent) / W).exp() * W
        assert abs(true - wad_exp(exponent)) < 1
    assert 0 <= wad_exp(exponent) <= W


@given(st.integers(LOWEST_EXPONENT, EXPONENT_LIMIT - 2), st.integers(1, 10**6))
def test_the_exponential_never_falls(exponent: int, step: int) -> None:
    """AVG-1: a longer time never keeps more of an old price."""
    assert wad_exp(exponent) <= wad_exp(min(exponent + step, EXPONENT_LIMIT - 1))


def test_no_step_of_the_exponential_wraps_around() -> None:
    """AVG-1: with every term at its largest, all stay within a signed word, and the last product within a word."""
    most = LN2 // 2 + 2**30  # of the rest; the quotient that makes the power of two is rounded, so a little more
    inner = (most + exponential.P_INNER[0]) * most
    y = (inner >> 96) + exponential.P_INNER[1] + 1
    middle = (y + most - exponential.P_OUTER[0]) * y
    p = ((middle >> 96) + exponential.P_OUTER[1] + 1) * most + exponential.P_CONSTANT
    q = most - exponential.Q[0]
    for coefficient in exponential.Q[1:]:
        assert q * most < 2**255
        q = (q * most >> 96) + abs(coefficient) + 1
    assert max(inner, middle, p, EXPONENT_LIMIT << 78, (EXPONENT_LIMIT << 78) // 5**18 << 96) < 2**255
    draw = Draw("rests")
    rests = [-most, 0, most, *(draw.below(2 * most) - most for _ in range(2_000))]
    quotients = [tdiv(compute_p(rest), compute_q(rest)) for rest in rests]
    assert min(map(compute_q, rests)) > 0
    assert min(quotients) > 0
    assert max(quotients) * exponential.RESULT_FACTOR < 2**256


@pytest.mark.parametrize(
    ("numerator", "denominator", "quotient"),
    [(7, 2, 3), (-7, 2, -3), (7, -2, -3), (-7, -2, 3), (0, 5, 0), (-1, 5, 0), (6, 3, 2), (-6, 3, -2)],
)
def test_signed_quotients_are_rounded_toward_0(numerator: int, denominator: int, quotient: int) -> None:
    """AVG-1: Python's own would round down."""
    assert tdiv(numerator, denominator) == quotient


def test_signed_quotients_are_those_of_the_evm(contract: Deployed) -> None:
    """AVG-1: at the two places where the exponential divides; a result seldom shows in which direction it rounds."""
    draw = Draw("quotients")
    for divisor in (5**18, LN2, -7):
        near = [sign * (k * abs(divisor) + rest) for sign in (1, -1) for k in range(20) for rest in (-1, 0, 1)]
        numerators = [*near, *(draw.below(2**250) - 2**249 for _ in range(300))]
        assert list(contract.ask("divide", numerators, divisor)) == [tdiv(number, divisor) for number in numerators]
