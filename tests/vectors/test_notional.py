"""Notional, and margins of one position, of a venue that counts in millionths of a dollar (MRG-1, MRG-3, MRG-6).

The venue truncates a notional to its quantum of 10^-6 dollars and rounds margins up to it. We round notional and
margins up to a wei, a 10^12th of the quantum. So the figures differ by less than the quanta that the venue rounds.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from protocol.margin import compute_margins, compute_notional, scale_initial_margin
from protocol.sizing import Exposure, round_close
from protocol.units import W
from tests.vectors.reading import Case, cases, wei
from tests.vectors.setting import NO_MARKET, flat_rate

QUANTUM = 10**12  # wei in a quote quantum
PPM = 10**6


def size_and_price(case: Case, amount: int) -> tuple[int, int]:
    """A size in base quanta and a price with its exponent, at scale W."""
    size = Fraction(amount) * Fraction(10) ** case.inputs["atomic_resolution"]
    price = Fraction(case.inputs["price"]) * Fraction(10) ** case.inputs["price_exponent"]
    return wei(size), wei(price)


@cases("dydx_notional_conversion")
def test_a_size_converts_to_dollars_and_back(case: Case) -> None:
    """To dollars we are less than a quantum above, since we do not truncate to it; and exact at our own scale.

    Back, a close of so many dollars rounds its size up: less than a base quantum above. We compare absolute values.
    """
    (result,) = case.expected("result")
    theirs = abs(int(result))
    amount = abs(int(case.inputs["amount"]))
    if case.inputs["op"] == "base_to_quote":
        size, price = size_and_price(case, amount)
        ours = compute_notional(size, price)
        assert ours == compute_notional(-size, price)
        assert 0 <= ours - theirs * QUANTUM < QUANTUM
        assert ours * W == size * price
        return
    quantum, price = size_and_price(case, 1)
    exposure = Exposure(0, (theirs + 2) * quantum, price, 0, 0, 0)
    ours = round_close(replace(NO_MARKET, lot=1), exposure, amount * QUANTUM)
    assert 0 <= ours - theirs * quantum < quantum


@cases("dydx_margin_requirements")
def test_initial_and_maintenance_margin_of_one_position(case: Case) -> None:
    """Maintenance: the venue is above us by less than the two quanta it rounds up, and below by less than one.

    Below, because it truncates the notional to a quantum. Initial: above by less than the one quantum it rounds up, and
    below by less than a quantum and, where open interest raises it, a millionth of the notional, because the venue
    floors the raised rate to a millionth.

    One case lies beyond our widths (a size of 2^64 quanta at a price of 2^64): the pure functions still agree.
    """
    initial, maintenance = case.expected("imr", "mmr")
    inputs = case.inputs
    size, price = size_and_price(case, int(inputs["size_base_quantums"]))
    mm_rate = wei(Fraction(inputs["imf_ppm"] * inputs["maintenance_fraction_ppm"], PPM * PPM))
    notional = compute_notional(size, price)
    mm, im = compute_margins(flat_rate(mm_rate, wei(Fraction(inputs["imf_ppm"], PPM))), notional)
    assert -QUANTUM < int(maintenance) * QUANTUM - mm < 2 * QUANTUM

    params = replace(NO_MARKET, oi_lower=inputs["oi_lower_cap"] * QUANTUM, oi_upper=inputs["oi_upper_cap"] * QUANTUM)
    interest, _ = size_and_price(case, inputs["open_interest_base_quantums"])
    raised = scale_initial_margin(params, compute_notional(interest, price), notional, im)
    below = notional // PPM if raised > im else 0
    assert -QUANTUM < raised - int(initial) * QUANTUM < QUANTUM + below


@cases("dydx_oi_scaled_imf")
def test_open_interest_raises_initial_margin(case: Case) -> None:
    """Exact: none of these needs rounding at a millionth or at a quantum."""
    rate, margin = case.expected("effective_imf_ppm", "imr")
    inputs = case.inputs
    params = replace(NO_MARKET, oi_lower=inputs["oi_lower_cap"], oi_upper=inputs["oi_upper_cap"])
    notional = inputs.get("notional", PPM)
    _, im = compute_margins(flat_rate(0, wei(Fraction(inputs["base_imf_ppm"], PPM))), notional)
    ours = scale_initial_margin(params, inputs["open_notional"], notional, im)
    assert ours == (rate if margin is None else margin)
