"""The ranges of a market's parameters, its margin rates, and what they promise: CFG-2 to CFG-4, CFG-8, CFG-9."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.configuration import check_market
from protocol.params import MarginBracket, MarketParams
from protocol.state import NO_RISK
from protocol.units import BPS, DAY, PRICE_LIMIT, W
from tests.protocol.build import with_risk
from tests.protocol.parameter_sets import CLOSING, MARKET, USD, changed, code_of, rows
from tests.twins import RISK

MARKET_RANGES = [
    ("feed", 0, 2**16 - 1),
    ("lot", 1, 2**96 - 1),
    ("min_notional", 1_000 * W, USD - 1),
    ("ceiling", 1, PRICE_LIMIT - 1),
    ("maker_fee", 0, W // 2_000),
    ("taker_fee", W // 5_000, W // 100),
    ("skew_scale", W, 2**96 - 1),
    ("max_premium", 0, BPS),
    ("rebate_ratio", 0, BPS),
    ("oi_cap", 0, 2**96 - 1),
    ("oi_cap_usd", 0, USD - 1),
    ("skew_cap", 0, 2**96 - 1),
    ("oi_lower", 0, 10**9 * W - 1),
    ("oi_upper", 10**7 * W + 1, USD - 1),
    ("window", 0, 30 * DAY),
    ("window_notional", 1_000 * W, USD - 1),
]
FUNDING_RANGES = [
    ("funding_cap", 0, W),
    ("funding_velocity", 0, 10 * W),
    ("funding_decay", 0, 10 * W),
    ("dead_band", 0, BPS),
]
# Its rates and its window allow any minimum notional.
ROOMY = replace(MARKET, window_notional=USD - 1, brackets=(MarginBracket(0, W // 10, W // 2),))


@pytest.mark.parametrize(
    ("field", "lowest", "highest", "code"),
    [(*row, "config/market") for row in MARKET_RANGES] + [(*row, "config/funding") for row in FUNDING_RANGES],
)
def test_each_market_parameter_has_a_range(field: str, lowest: int, highest: int, code: str) -> None:
    """CFG-2, CFG-8, CFG-9, S10: both ends are valid, one step beyond either is refused."""
    risk = with_risk(fixed_reward=10 * W)  # a minimum notional of 1,000 is then the least
    for value in (lowest, highest):
        assert code_of(check_market, risk, replace(ROOMY, **changed(field, value))) == "ok"
    for value in (lowest - 1, highest + 1):
        assert code_of(check_market, risk, replace(ROOMY, **changed(field, value))) == code


def test_no_market_parameter_is_without_a_range() -> None:
    """CFG-2, CFG-8, CFG-9, S10: the tables above cover every field but the brackets."""
    covered = {name for name, _, _ in MARKET_RANGES + FUNDING_RANGES}
    assert covered == {field.name for field in fields(MarketParams)} - {"brackets"}


@pytest.mark.parametrize(
    ("lower", "upper", "code"),
    [
        (0, 0, "ok"),
        (1, 0, "config/market"),
        (0, 1, "ok"),
        (1, 1, "config/market"),
        (2, 1, "config/market"),
        (USD - 2, USD - 1, "ok"),
        (USD - 1, USD - 1, "config/market"),
        (-1, 0, "config/market"),
        (-1, -1, "config/market"),
        (-1, 5, "config/market"),
        (0, -1, "config/market"),
    ],
)
def test_the_bounds_of_open_interest_are_in_order_or_absent(lower: int, upper: int, code: str) -> None:
    """CFG-9, S10: strictly rising, so that the proportion between them is defined."""
    assert code_of(check_market, RISK, replace(MARKET, oi_lower=lower, oi_upper=upper)) == code


@pytest.mark.parametrize(("maker", "taker", "code"), [(7, 7, "ok"), (8, 7, "config/market"), (0, 0, "ok")])
def test_the_maker_fee_is_at_most_the_taker_fee(maker: int, taker: int, code: str) -> None:
    """CFG-2, T5: bringing the skew back is never dearer than growing it."""
    assert code_of(check_market, RISK, replace(MARKET, maker_fee=maker, taker_fee=taker)) == code


def test_a_minimum_notional_is_never_zero() -> None:
    """CFG-2, L6: not even where no fixed reward asks for one."""
    free = with_risk(fixed_reward=0)
    assert code_of(check_market, free, replace(MARKET, min_notional=1)) == "ok"
    assert code_of(check_market, free, replace(MARKET, min_notional=0)) == "config/market"


def test_the_fixed_reward_fits_into_the_smallest_position() -> None:
    """CFG-2, L6, B45: 5 dollars are 1 % of 500; a wei less of notional or more of reward does not fit."""
    for least, fixed, cap, code in (
        (500 * W, 5 * W, 100, "ok"),
        (500 * W - 1, 5 * W, 100, "config/market"),
        (500 * W, 5 * W + 1, 100, "config/market"),
        (1_000 * W, 5 * W, 50, "ok"),
        (1_000 * W, 5 * W, 49, "config/market"),
    ):
        risk = with_risk(fixed_reward=fixed, reward_cap=cap)
        wide = (MarginBracket(0, W // 10, W // 2),)
        assert code_of(check_market, risk, replace(MARKET, min_notional=least, brackets=wide)) == code


@pytest.mark.parametrize(
    ("brackets", "code"),
    [
        (rows((0, 25, 50)), "ok"),
        (rows((0, 25, 50), (1, 26, 51)), "ok"),
        # Rates rise strictly.
        (rows((0, 25, 50), (1, 25, 51)), "config/margin-rates"),
        (rows((0, 25, 50), (1, 24, 51)), "config/margin-rates"),
        (rows((0, 25, 50), (1, 26, 50)), "config/margin-rates"),
        (rows((0, 25, 50), (1, 26, 49)), "config/margin-rates"),
        (rows((0, 25, 50), (1, 40, 80), (2, 40, 81)), "config/margin-rates"),
        # Initial within 100 %.
        (rows((0, 25, 1_000)), "ok"),
        (rows((0, 25, 1_001)), "config/margin-rates"),
        (rows((0, 25, 50), (1, 800, 1_000)), "ok"),
        (rows((0, 25, 50), (1, 26, 999), (2, 27, 1_001)), "config/margin-rates"),
        # The first maintenance rate above the closing cost.
        ((MarginBracket(0, CLOSING, W // 2),), "config/margin-rates"),
        ((MarginBracket(0, CLOSING + 1, W // 2),), "ok"),
        ((MarginBracket(0, 0, W // 2),), "config/margin-rates"),
        # Initial at least maintenance and closing cost.
        ((*rows((0, 25, 50)), MarginBracket(W, W // 25, W // 25 + CLOSING)), "ok"),
        ((*rows((0, 25, 50)), MarginBracket(W, W // 25, W // 25 + CLOSING - 1)), "config/margin-rates"),
        # Initial at least 125 % of maintenance, by cross multiplication.
        ((*rows((0, 25, 50)), MarginBracket(W, W // 10, W // 8)), "ok"),
        ((*rows((0, 25, 50)), MarginBracket(W, W // 10, W // 8 - 1)), "config/margin-rates"),
        ((*rows((0, 25, 50)), MarginBracket(W, W // 10 + 1, W // 8)), "config/margin-rates"),
        ((*rows((0, 25, 50)), MarginBracket(W, W // 10 + 1, W // 8 + 1)), "config/margin-rates"),
        ((*rows((0, 25, 50)), MarginBracket(W, W // 10 + 1, W // 8 + 2)), "ok"),
    ],
)
def test_margin_rates_rise_and_leave_room_for_closing(brackets: tuple[MarginBracket, ...], code: str) -> None:
    """CFG-3, M4, B14, B45, S10: each bracket against the one below, the closing cost and the margin-call zone."""
    assert code_of(check_market, RISK, replace(MARKET, brackets=brackets)) == code


def test_the_smallest_rates_are_valid_where_closing_costs_nothing() -> None:
    """CFG-3: a rate of one wei is above a closing cost of none; zero is not."""
    market = replace(MARKET, min_notional=1, brackets=(MarginBracket(0, 1, 1),))
    assert code_of(check_market, NO_RISK, market) == "ok"
    assert code_of(check_market, NO_RISK, replace(market, brackets=(MarginBracket(0, 0, 1),))) == "config/margin-rates"


@pytest.mark.parametrize(("rate", "code"), [(-1, "config/margin-rates"), (0, "ok"), (1, "ok")])
def test_the_smallest_position_can_pay_the_fixed_reward(rate: int, code: str) -> None:
    """CFG-4, M4, L6: 5 dollars are half a percent of 1,000, on top of maintenance and closing cost."""
    first = MarginBracket(0, W // 10, W // 10 + CLOSING + W // 200 + rate)
    risk = with_risk(margin_call_buffer=0)
    assert code_of(check_market, risk, replace(MARKET, brackets=(first,))) == code


@given(
    mm=st.integers(CLOSING - 1, W) | st.integers(CLOSING - 1, CLOSING + 3),
    im=st.integers(CLOSING, W) | st.integers(-3, 3).map(lambda wei: W // 8 + wei),
    least=st.integers(1, 10**4).map(lambda dollars: dollars * W),
)
@example(mm=W // 10, im=W // 8, least=2_000 * W)
@example(mm=W // 10, im=W // 8 - 1, least=2_000 * W)
@example(mm=W // 40, im=W // 40 + CLOSING + W // 400, least=2_000 * W)
@example(mm=W // 40, im=W // 40 + CLOSING + W // 400 - 1, least=2_000 * W)
@example(mm=CLOSING + 1, im=W, least=500 * W)
@example(mm=CLOSING, im=W, least=500 * W)
@example(mm=CLOSING + 1, im=W, least=499 * W)
def test_a_first_bracket_is_accepted_exactly_when_a_new_account_can_pay_its_liquidation(
    mm: int, im: int, least: int
) -> None:
    """CFG-2 to CFG-4, M4, B14: the four conditions, written as what they are for."""
    market = replace(MARKET, min_notional=least, brackets=(MarginBracket(0, mm, im),))
    promised = (
        mm > CLOSING  # closing a dollar frees more than it costs
        and im <= W
        and im * least >= (mm + CLOSING) * least + RISK.fixed_reward * W  # at the smallest position
        and 4 * im >= 5 * mm  # not born in the margin-call zone, a quarter above maintenance
        and 100 * RISK.fixed_reward <= least  # the cap of 1 % pays the fixed reward
    )
    assert (code_of(check_market, RISK, market) == "ok") == promised
