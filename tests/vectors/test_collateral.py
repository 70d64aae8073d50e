"""Haircuts, flat and by brackets of value (COL-1, COL-2), and the sale of collateral (WAT-1). All exact."""

from __future__ import annotations

from protocol.collateral import compute_haircut_values, compute_token_value
from protocol.losses import compute_sale
from protocol.params import CollateralParams, HaircutBracket
from protocol.units import BPS, SIGNED_LIMIT
from tests.vectors.reading import Case, cases, exact, wei


@cases("bitcom_collateral_haircut")
def test_collateral_counts_at_its_price_less_the_haircut(case: Case) -> None:
    """Exact, though the venue states four decimals: none of its figures is rounded."""
    (expected,) = case.expected("collateral_value")
    weight = wei(1 - exact(case.inputs["haircut"]))
    value = compute_token_value(wei(case.inputs["quantity"]), wei(case.inputs["price"]), 18)
    assert compute_haircut_values((HaircutBracket(0, weight, weight),), value) == (wei(expected),) * 2


@cases("tiered_collateral_value")
def test_each_part_of_a_value_counts_at_the_rate_of_its_own_tier(case: Case) -> None:
    """Exact."""
    (expected,) = case.expected("margin_value")
    assert case.inputs["tier_unit"] == "usd_value"
    total = 0
    for asset in case.inputs["assets"]:
        lower, rows = "0", []
        for tier in asset["tiers"]:
            rows.append(HaircutBracket(wei(lower), wei(tier["rate"]), wei(tier["rate"])))
            lower = tier["upto"]
        value = compute_token_value(wei(asset["amount"]), wei(asset["price"]), 18)
        total += compute_haircut_values(rows, value)[0]
    assert total == wei(expected)


NOT_JUST_ENOUGH = "the venue repays half of the debt and grosses it up by an insurance fee; we sell just enough (WAT-2)"


@cases("perp_curie_collateral_liquidation", left_out={"debt just under 3000": NOT_JUST_ENOUGH})
def test_collateral_sells_at_the_oracle_price_less_the_discount(case: Case) -> None:
    """Exact. The whole balance is sold when it does not cover the debt, for whatever part the venue wants repaid."""
    params, inputs = case.params, case.inputs
    result, repaid, sold = case.expected("result", "max_repaid", "max_collateral")
    token, decimals = inputs["token"], params["decimals"][inputs["token"]]
    collateral = CollateralParams(feed=0, decimals=decimals, ceiling=1, account_cap=0, global_cap=0, brackets=())
    price, discount = wei(params["prices"][token]), wei(params["collateral_discount"], BPS)
    unit = 10**decimals
    if inputs["op"] == "settlement_by_collateral":
        held = wei(inputs["amount"], unit)
        assert compute_sale(SIGNED_LIMIT, held, price, collateral, discount) == (held, wei(result))
    elif inputs["op"] == "collateral_by_settlement":
        debt = wei(inputs["amount"])
        assert compute_sale(debt, 10 * unit, price, collateral, discount) == (wei(result, unit), debt)
    else:
        debt, held = wei(inputs["settlement_debt"]), wei(inputs["balance"], unit)
        assert compute_sale(debt, held, price, collateral, discount) == (wei(sold, unit), wei(repaid))
