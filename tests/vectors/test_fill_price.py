"""Fill price: the impact of a fill on the skew (FIL-2), which we charge in cash beside the oracle price."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from protocol.fills import compute_impact
from protocol.units import BPS, W
from tests.vectors.reading import Case, cases, exact, read, wei
from tests.vectors.setting import NO_MARKET


@cases("synthetix_fill_price")
def test_the_average_of_the_premium_before_and_after_is_our_impact(case: Case) -> None:
    """Exact: at once after opening, the venue's profit is the impact that we have charged in cash."""
    profit, fill_price = case.expected("opening_pnl", "fill_price")
    skew, scale, size, price = (int(case.inputs[key]) for key in ("skew", "skew_scale", "size", "price"))
    charge, rebate = compute_impact(replace(NO_MARKET, skew_scale=scale), skew, size, price)
    assert rebate == 0
    if profit is not None:
        assert charge == -int(profit)
    if fill_price is not None:
        assert price + Fraction(charge * W, size) == int(fill_price)


@cases("gmx_price_impact")
def test_impact_of_the_square_of_the_imbalance_in_dollars(case: Case) -> None:
    """Exact, and the price of a decrease within the venue's six decimals.

    A factor f of dollars squared is a skew scale of ``1 / (2 * f * price)``, and a lower factor for shrinking the
    imbalance is our rebate ratio. For an increase the venue gives fewer coins for the same dollars, we charge dollars
    for the same coins, so only the impact is compared.
    """
    impact, execution_price = case.expected("impact_usd", "execution_price")
    params, inputs = case.params, case.inputs
    assert params["exponent"] == "2"
    price, dollars = exact(inputs["price"]), exact(inputs["delta_usd"])
    scale = 1 / (2 * exact(params["negative_factor"]) * price)
    ratio = wei(exact(params["positive_factor"]) / exact(params["negative_factor"]), BPS)
    market = replace(NO_MARKET, skew_scale=wei(scale), rebate_ratio=ratio)
    skew = (exact(inputs["long_oi"]) - exact(inputs["short_oi"])) / price
    size = dollars / price * (1 if inputs["is_long"] else -1)
    charge, rebate = compute_impact(market, wei(skew), wei(size), wei(price))
    assert rebate - charge == wei(impact)
    if inputs["kind"] == "decrease":
        ours = price + Fraction(charge - rebate, W) / size
        assert abs(ours - exact(execution_price)) <= case.absolute()


OTHER_EXPONENTS = {
    case.name: "our impact is the square of the imbalance; other exponents are not rules of ours"
    for case in read("gmx_impact_factor")
    if case.inputs["exponent"] != "2"
}


@cases("gmx_impact_factor", left_out=OTHER_EXPONENTS)
def test_impact_of_opening_an_imbalance(case: Case) -> None:
    """Ours is the exact square; the venue computes powers by logarithm, within 10^-9."""
    (impact,) = case.expected("impact_usd_1e30")
    scale = wei(1 / (2 * exact(case.inputs["factor"])))
    charge, _ = compute_impact(replace(NO_MARKET, skew_scale=scale), 0, wei(case.inputs["diff_usd"]), W)
    assert charge == wei(exact(case.inputs["factor"]) * exact(case.inputs["diff_usd"]) ** 2)
    theirs = Fraction(int(impact), 10**30)
    assert abs(Fraction(charge, W) - theirs) <= exact(case.tolerance["relative"]) * theirs
