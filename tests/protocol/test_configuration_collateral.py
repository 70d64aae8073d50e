"""The ranges of a collateral's parameters, and its haircuts: CFG-5."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from protocol.configuration import check_collateral
from protocol.params import CollateralParams, HaircutBracket
from protocol.units import PRICE_LIMIT, W
from tests.protocol.build import with_risk
from tests.protocol.parameter_sets import changed, code_of, weights
from tests.twins import RISK, weth_params

COLLATERAL_RANGES = [
    ("feed", 0, 2**16 - 1),
    ("decimals", 0, 24),
    ("ceiling", 1, PRICE_LIMIT - 1),
    ("account_cap", 0, 2**96 - 1),
    ("global_cap", 0, 2**96 - 1),
]


def test_no_collateral_parameter_is_without_a_range() -> None:
    """CFG-5, S10: the table covers every field but the brackets."""
    assert {name for name, _, _ in COLLATERAL_RANGES} == {field.name for field in fields(CollateralParams)} - {
        "brackets"
    }


@pytest.mark.parametrize(("field", "lowest", "highest"), COLLATERAL_RANGES)
def test_each_collateral_parameter_has_a_range(field: str, lowest: int, highest: int) -> None:
    """CFG-5, S10, O6: both ends are valid, one step beyond either is config/haircuts."""
    for value in (lowest, highest):
        assert code_of(check_collateral, RISK, replace(weth_params(), **changed(field, value))) == "ok"
    for value in (lowest - 1, highest + 1):
        assert code_of(check_collateral, RISK, replace(weth_params(), **changed(field, value))) == "config/haircuts"


@pytest.mark.parametrize(
    ("brackets", "code"),
    [
        (weights((0, 95, 95)), "ok"),
        (weights((0, 0, 0)), "ok"),
        (weights((0, 90, 91)), "config/haircuts"),
        (weights((0, 90, 90), (1, 90, 90)), "ok"),
        (weights((0, 90, 85), (1, 91, 85)), "config/haircuts"),
        (weights((0, 90, 85), (1, 90, 86)), "config/haircuts"),
        (weights((0, 90, 85), (1, 80, 70), (2, 81, 70)), "config/haircuts"),
        (weights((0, 90, 85), (1, 80, 70), (2, 80, 71)), "config/haircuts"),
        ((HaircutBracket(0, W // 2, -1),), "config/haircuts"),
        ((HaircutBracket(0, W // 2, W // 2 + 1),), "config/haircuts"),
        ((HaircutBracket(0, W + 1, W // 2),), "config/haircuts"),
    ],
)
def test_haircut_weights_fall_with_initial_at_most_maintenance(brackets: tuple[HaircutBracket, ...], code: str) -> None:
    """CFG-5, M8, S10: within 0 and 100 %, never rising."""
    assert code_of(check_collateral, RISK, replace(weth_params(), brackets=brackets)) == code


@pytest.mark.parametrize(
    ("weight", "discount", "code"),
    [
        (95 * W // 100, 500, "ok"),
        (95 * W // 100 + 1, 500, "config/haircuts"),
        (95 * W // 100, 501, "config/haircuts"),
        (W, 0, "ok"),
        (W, 1, "config/haircuts"),
        (W // 10_000, 9_999, "ok"),
        (W // 10_000 + 1, 9_999, "config/haircuts"),
    ],
)
def test_a_sale_brings_what_maintenance_counted(weight: int, discount: int, code: str) -> None:
    """CFG-5, B45: the highest weight and the sale discount are together at most one."""
    params = replace(weth_params(), brackets=(HaircutBracket(0, weight, 0),))
    assert code_of(check_collateral, with_risk(sale_discount=discount), params) == code
