"""The equity that a notional needs as a whole (MRG-9)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.account_state import is_below_tiers
from protocol.margin import Health, compute_health, compute_required_equity
from protocol.params import EquityTier
from protocol.state import Position
from protocol.units import W
from tests.protocol.build import BTC, BTC_PRICE, ETH, ETH_PRICE, env, holding, opened, state_with
from tests.protocol.strategies import equity_tiers
from tests.twins import RISK

TIERS = RISK.equity_tiers  # 20x on the first million, 10x up to ten, 5x beyond


@pytest.mark.parametrize(
    ("gross", "required"),
    [
        (0, 0),
        (1, 1),
        (20, 1),
        (21, 2),
        (16_000 * W, 800 * W),
        (20 * 10**6 * W - 1, 10**6 * W),
        (20 * 10**6 * W, 10**6 * W),
        (20 * 10**6 * W + 1, 10**6 * W + 1),
        (20 * 10**6 * W + 10, 10**6 * W + 1),
        (20 * 10**6 * W + 11, 10**6 * W + 2),
        (110 * 10**6 * W, 10**7 * W),
        (110 * 10**6 * W + 1, 10**7 * W + 1),
        (110 * 10**6 * W + 5, 10**7 * W + 1),
        (110 * 10**6 * W + 6, 10**7 * W + 2),
        (160 * 10**6 * W, 2 * 10**7 * W),
    ],
)
def test_each_slice_of_equity_supports_its_own_leverage(gross: int, required: int) -> None:
    """MRG-9: the reference tiers with their borders at -1, 0 and +1 wei; rounded up against the account."""
    assert compute_required_equity(TIERS, gross) == required


def test_what_a_slice_supports_is_rounded_down() -> None:
    """MRG-9, T6: the first slice of 3 wei at 1.5x supports 4 wei, not 4.5; the fifth needs the next slice."""
    rows = (EquityTier(0, W * 3 // 2), EquityTier(3, W))
    assert [compute_required_equity(rows, gross) for gross in (3, 4, 5, 6)] == [2, 3, 4, 5]
    assert compute_required_equity((), 7) == 0, "a vault without tiers asks nothing, and cannot be configured"


def supported(rows: tuple[EquityTier, ...], equity: int) -> Fraction:
    """The notional that an equity supports, without rounding."""
    total = Fraction(0)
    for index, row in enumerate(rows):
        upper = rows[index + 1].lower if index + 1 < len(rows) else equity
        total += Fraction(max(0, min(equity, upper) - row.lower) * row.leverage, W)
    return total


@given(equity_tiers(), st.integers(0, 10**27) | st.integers(0, 10), st.integers(0, 10**26))
def test_the_required_equity_supports_the_notional_and_is_the_least_but_for_rounding(
    rows: tuple[EquityTier, ...], gross: int, more: int
) -> None:
    """MRG-9, T1: enough, within a wei a tier of the least; never falls, and a wei of notional needs at most two."""
    required = compute_required_equity(rows, gross)
    assert supported(rows, required) >= gross
    slack = len(rows) + 1
    assert required <= slack or supported(rows, required - slack) < gross
    assert required <= compute_required_equity(rows, gross + more)
    assert compute_required_equity(rows, gross + 1) - required <= 2


@given(equity_tiers(), st.integers(0, 10**26), st.integers(0, 10**26))
def test_required_equity_is_convex(rows: tuple[EquityTier, ...], one: int, other: int) -> None:
    """MRG-9, M11, T2: one account needs at least what two need for the same notional, but for rounding."""
    apart = compute_required_equity(rows, one) + compute_required_equity(rows, other)
    assert apart <= compute_required_equity(rows, one + other) + len(rows) + 1


@pytest.mark.parametrize(
    ("equity_im", "gross", "below"),
    [(800, 16_000, False), (799, 16_000, True), (800, 16_001, True), (-5, 0, False), (-5, 1, True), (0, 1, True)],
)
def test_an_account_is_below_its_tier_when_its_equity_supports_less(equity_im: int, gross: int, below: bool) -> None:
    """MRG-9: equality is enough; a negative equity supports nothing."""
    assert is_below_tiers(RISK, Health(0, 0, equity_im * W, 0, 0, 0, gross * W, 0)) is below


def test_gross_notional_adds_long_and_short() -> None:
    """MRG-9, MRG-4: hedged positions count twice; each is rounded up."""
    positions = {BTC: opened(W, BTC_PRICE), ETH: opened(-W, ETH_PRICE)}
    assert compute_health(state_with(), holding(0, {}, positions), env()).gross_notional == 8_200 * W
    tiny = {BTC: Position(1, 0, 0), ETH: Position(-1, 0, 0)}
    assert compute_health(state_with(), holding(0, {}, tiny), env(btc=1, eth=1)).gross_notional == 2
