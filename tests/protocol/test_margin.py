"""The margins of a position: by its brackets, and what changes them (MRG-1 to MRG-3, MRG-6 to MRG-8)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.account_state import AccountState, compute_account_state
from protocol.margin import (
    Health,
    compute_health,
    compute_maintenance_in_force,
    compute_margins,
    compute_notional,
    compute_pnl,
    limit_leverage,
    scale_initial_margin,
)
from protocol.params import MarginBracket
from protocol.state import MarketPhase, Position
from protocol.units import PRICE_LIMIT, SIZE_LIMIT, W, cdiv
from tests.protocol.build import (
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    MARKETS,
    NOW,
    env,
    holding,
    opened,
    state_with,
    with_market,
)
from tests.protocol.strategies import PRICES, SIGNED_SIZES, margin_rows
from tests.twins import RISK

ROWS = MARKETS[BTC].brackets
RULEBOOK_ROWS = tuple(
    MarginBracket(low * W, mm * W // 1_000, im * W // 1_000)
    for low, mm, im in ((0, 5, 10), (50_000, 10, 20), (250_000, 25, 50))
)
NOTIONALS = st.one_of(
    st.integers(0, 40 * 10**6 * W),
    st.builds(lambda border, step: border * 10**6 * W + step, st.sampled_from((1, 5, 20)), st.integers(-3, 3)),
    st.integers(0, 5),
)


# --- MRG-1 to MRG-3: notional, profit, brackets ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "price", "notional"),
    [
        (0, BTC_PRICE, 0),
        (W, BTC_PRICE, 8_000 * W),
        (-W, BTC_PRICE, 8_000 * W),
        (1, 1, 1),
        (-1, 1, 1),
        (1, W - 1, 1),
        (1, W, 1),
        (1, W + 1, 2),
        (-1, W + 1, 2),
        (W, 0, 0),
        (SIZE_LIMIT - 1, PRICE_LIMIT - 1, cdiv((2**96 - 1) ** 2, W)),
    ],
)
def test_notional_rounds_up_for_both_sides(size: int, price: int, notional: int) -> None:
    """MRG-1: the absolute value of a position, rounded up against the account, long and short alike."""
    assert compute_notional(size, price) == notional


@pytest.mark.parametrize(
    ("position", "price", "pnl"),
    [
        (Position(W, 8_000 * W, 0), 8_500 * W, 500 * W),
        (Position(-W, -8_000 * W, 0), 8_500 * W, -500 * W),
        (Position(W, 8_000 * W, 0), 7_500 * W, -500 * W),
        (Position(-W, -8_000 * W, 0), 7_500 * W, 500 * W),
        (Position(0, 0, 0), BTC_PRICE, 0),
        (Position(1, 0, 0), W - 1, 0),
        (Position(1, 0, 0), W, 1),
        (Position(1, 0, 0), W + 1, 1),
        (Position(-1, 0, 0), 1, -1),
        (Position(-1, 0, 0), W, -1),
        (Position(-1, 0, 0), W + 1, -2),
        (Position(W, 5, 0), 0, -5),
    ],
)
def test_profit_rounds_down_for_both_sides(position: Position, price: int, pnl: int) -> None:
    """MRG-2, T7: value less cost, rounded to minus infinity, so a fraction of a wei is always against the account."""
    assert compute_pnl(position, price) == pnl


@given(SIGNED_SIZES, PRICES, st.integers(-(10**30), 10**30))
def test_mirrored_positions_have_mirrored_profit_within_a_wei(size: int, price: int, cost: int) -> None:
    """MRG-2, T8: the profits of a long and its mirror sum to 0 or to -1 wei, never to a gain."""
    long, short = compute_pnl(Position(size, cost, 0), price), compute_pnl(Position(-size, -cost, 0), price)
    assert long + short in {0, -1}
    assert compute_notional(size, price) == compute_notional(-size, price)


@given(SIGNED_SIZES, st.integers(-(10**30), 10**30), PRICES, st.integers(0, 10**24))
def test_a_higher_price_never_hurts_a_long_or_helps_a_short(size: int, cost: int, price: int, rise: int) -> None:
    """MRG-2, N2: profit is monotone in the price."""
    before, after = compute_pnl(Position(size, cost, 0), price), compute_pnl(Position(size, cost, 0), price + rise)
    assert after >= before if size > 0 else after <= before


@pytest.mark.parametrize(
    ("notional", "mm", "im"),
    [
        (0, 0, 0),
        (1, 1, 1),
        (50_000 * W - 1, 250 * W, 500 * W),
        (50_000 * W, 250 * W, 500 * W),
        (50_000 * W + 1, 250 * W + 1, 500 * W + 1),
        (50_000 * W + 100, 250 * W + 1, 500 * W + 2),
        (50_000 * W + 101, 250 * W + 2, 500 * W + 3),
        (100_000 * W, 750 * W, 1_500 * W),
        (250_000 * W - 1, 2_250 * W, 4_500 * W),
        (250_000 * W, 2_250 * W, 4_500 * W),
        (250_000 * W + 1, 2_250 * W + 1, 4_500 * W + 1),
        (300_000 * W, 3_500 * W, 7_000 * W),
    ],
)
def test_each_part_of_a_notional_pays_the_rate_of_its_bracket(notional: int, mm: int, im: int) -> None:
    """MRG-3, T1: the worked rows of the rulebook, with the borders at -1, 0 and +1 wei."""
    assert compute_margins(RULEBOOK_ROWS, notional) == (mm, im)


def exact_margin(rows: tuple[MarginBracket, ...], notional: int, name: str) -> Fraction:
    """The rate of the last bracket touched times the notional, less the exact deduction, without rounding."""
    deduction, below, last = 0, 0, 0
    for row in rows:
        if notional > row.lower or row.lower == 0:
            deduction += row.lower * (getattr(row, name) - below)
            below = last = getattr(row, name)
    return Fraction(notional * last - deduction, W)


@given(margin_rows(), NOTIONALS)
def test_margins_equal_rate_times_notional_less_deduction(rows: tuple[MarginBracket, ...], notional: int) -> None:
    """MRG-3: the walk over the brackets is the formula of the rulebook, rounded up once, for both margins."""
    mm, im = compute_margins(rows, notional)
    assert mm == -(-exact_margin(rows, notional, "mm_rate") // 1)
    assert im == -(-exact_margin(rows, notional, "im_rate") // 1)
    assert mm <= im
    assert (mm > 0) == (im > 0) == (notional > 0), "T3: nothing for nothing, at least a wei for anything"


@given(margin_rows(), NOTIONALS, st.integers(0, 10**24))
def test_margins_have_no_step_and_never_fall(rows: tuple[MarginBracket, ...], notional: int, more: int) -> None:
    """MRG-3, T1, T2: one wei of notional adds at most one wei of margin, at any border; more never needs less."""
    for before, after in zip(compute_margins(rows, notional), compute_margins(rows, notional + 1), strict=True):
        assert after - before in {0, 1}
    for before, after in zip(compute_margins(rows, notional), compute_margins(rows, notional + more), strict=True):
        assert before <= after <= before + more


@given(margin_rows(), NOTIONALS, NOTIONALS)
def test_margins_are_superadditive_and_convex(rows: tuple[MarginBracket, ...], one: int, other: int) -> None:
    """MRG-3, T2, M11: splitting never costs more than the whole and a wei; the middle lies below the chord."""
    for index in (0, 1):
        apart = compute_margins(rows, one)[index] + compute_margins(rows, other)[index]
        assert apart <= compute_margins(rows, one + other)[index] + 1
        middle = compute_margins(rows, (one + other) // 2)[index]
        assert 2 * (middle - 1) <= apart


@given(margin_rows(), st.integers(1_000 * W, 10**26))
def test_initial_margin_pays_for_a_liquidation_of_any_size(rows: tuple[MarginBracket, ...], notional: int) -> None:
    """CFG-4, M4: IM covers MM, reward, penalty and impact from the minimum notional up, within 2 wei."""
    mm, im = compute_margins(rows, notional)
    worst = RISK.fixed_reward + Fraction(notional * RISK.closing_cost_ratio, W)
    assert im + 2 >= mm + worst


@given(margin_rows(), st.integers(1, 10**26), st.integers(0, 10**20))
def test_initial_margin_lies_above_the_margin_call_zone(
    rows: tuple[MarginBracket, ...], notional: int, reserve: int
) -> None:
    """CFG-3, STA-1, M4: an account at its initial margin is not born in the zone, but for 2 wei of rounding.

    Where a bracket has exactly 125 % between its rates, the two margins rounded up can be a wei closer than that.
    """
    mm, im = compute_margins(rows, notional)
    health = Health(im + reserve + 2, im + reserve + 2, im + reserve + 2, mm + reserve, im + reserve, reserve, 0, 0)
    assert compute_account_state(RISK, health) is AccountState.HEALTHY


def test_a_bracket_without_slack_can_open_a_wei_inside_the_zone() -> None:
    """CFG-3, STA-1, M4: the case in which the 2 wei are needed, and the reference brackets, where they are not."""
    tight = (MarginBracket(0, W // 10, W // 8),)
    mm, im = compute_margins(tight, 8 * W + 8)
    assert (mm, im) == (8 * W // 10 + 1, W + 1)
    for wei, state in ((0, AccountState.MARGIN_CALL), (1, AccountState.HEALTHY)):
        assert compute_account_state(RISK, Health(im + wei, im + wei, im + wei, mm, im, 0, 0, 0)) is state
    mm, im = compute_margins(ROWS, 8 * W + 8)
    assert compute_account_state(RISK, Health(im, im, im, mm, im, 0, 0, 0)) is AccountState.HEALTHY


# --- MRG-6: open interest -------------------------------------------------------------------------------------------

SCALED = replace(MARKETS[BTC], oi_lower=1_000, oi_upper=3_000)


@pytest.mark.parametrize(
    ("open_interest", "notional", "im", "scaled"),
    [
        (0, 100, 10, 10),
        (1_000, 100, 10, 10),
        (1_001, 100, 10, 11),  # 90 / 2,000: rounded up
        (1_022, 100, 10, 11),
        (1_023, 100, 10, 12),
        (2_000, 100, 10, 55),
        (2_999, 100, 10, 100),
        (3_000, 100, 10, 100),
        (3_001, 100, 10, 100),
        (10**30, 100, 10, 100),
        # Rounding of notional and margin can leave the margin at or above the notional; it is never lowered.
        (2_000, 100, 100, 100),
        (2_000, 100, 101, 101),
        (3_000, 100, 101, 101),
        (2_000, 0, 0, 0),
    ],
)
def test_initial_margin_rises_with_open_interest_up_to_the_notional(
    open_interest: int, notional: int, im: int, scaled: int
) -> None:
    """MRG-6: both bounds at -1, 0 and +1, one division, rounded up."""
    assert scale_initial_margin(SCALED, open_interest, notional, im) == scaled


def test_without_an_upper_bound_open_interest_does_not_matter() -> None:
    """MRG-6: 0 is never; a lower bound of 0 with an upper one scales from the first dollar."""
    never = replace(SCALED, oi_lower=0, oi_upper=0)
    assert scale_initial_margin(never, 10**40, 100, 10) == 10
    from_zero = replace(SCALED, oi_lower=0)
    assert [scale_initial_margin(from_zero, oi, 100, 10) for oi in (0, 1, 1_500)] == [10, 11, 55]


@given(st.integers(0, 10**26), st.integers(0, 10**26), st.integers(0, 10**24), NOTIONALS)
def test_open_interest_never_lowers_initial_margin_and_has_no_step(
    open_interest: int, width: int, more: int, notional: int
) -> None:
    """MRG-6, T1, M11: monotone in open interest, between the tiers' margin and the notional."""
    params = replace(SCALED, oi_lower=10**25, oi_upper=10**25 + width + 1)
    _, im = compute_margins(ROWS, notional)
    one, other = (scale_initial_margin(params, oi, notional, im) for oi in (open_interest, open_interest + more))
    assert im <= one <= other <= max(notional, im)
    next_wei = scale_initial_margin(params, open_interest + 1, notional, im)
    assert next_wei - one <= cdiv(notional, width + 1) + 1, "a wei of open interest adds its part, rounded up"


@pytest.mark.parametrize(("long", "short", "im"), [(2, 1, 400), (550, 1, 4_200), (1, 550, 4_200), (1_000, 1, 8_000)])
def test_the_larger_side_of_a_market_counts(long: int, short: int, im: int) -> None:
    """MRG-6, MRG-4: of both sides, at the present price; maintenance does not move."""
    params = replace(MARKETS[BTC], oi_lower=800_000 * W, oi_upper=8 * 10**6 * W)
    state = with_market(state_with(markets=(params, MARKETS[ETH])), BTC, long_oi=long * W, short_oi=short * W)
    health = compute_health(state, holding(0, {}, {BTC: opened(W, BTC_PRICE)}), env())
    assert (health.initial_margin, health.maintenance_margin) == (im * W + 10 * W, 210 * W)


# --- MRG-7: the owner's own limit -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cap", "im"),
    [
        (0, 50),
        (20 * W, 50),
        (21 * W, 50),
        (20 * W - 1, 51),
        (10 * W, 100),
        (10 * W + 1, 100),
        (3 * W, 334),
        (W, 1_000),
        (W // 2, 2_000),
        (1, 1_000 * W),
    ],
)
def test_an_own_leverage_cap_raises_initial_margin_only(cap: int, im: int) -> None:
    """MRG-7: the notional over the cap, rounded up, and never less than without one; 0 is no cap."""
    assert limit_leverage(1_000, cap, 50) == im
    assert limit_leverage(0, cap, 0) == 0


def test_a_cap_counts_in_its_own_market_alone() -> None:
    """MRG-7, MRG-4: two positions, one of them limited to twice its equity; after open interest, not before."""
    positions = {BTC: opened(W, BTC_PRICE), ETH: opened(W, ETH_PRICE)}
    free, limited = (
        compute_health(state_with(), holding(0, {}, positions, leverage_caps=caps), env())
        for caps in ({}, {ETH: 2 * W})
    )
    assert free.initial_margin == 420 * W
    assert limited.initial_margin == 400 * W + 100 * W + 10 * W
    assert limited.maintenance_margin == free.maintenance_margin
    # Scaled by open interest to the whole notional, a cap of 2 adds nothing, and a cap of a half does.
    crowded = with_market(state_with(), BTC, long_oi=10**6 * W)
    for cap, im in ((2 * W, 8_000), (W // 2, 16_000)):
        account = holding(0, {}, {BTC: opened(W, BTC_PRICE)}, leverage_caps={BTC: cap})
        assert compute_health(crowded, account, env()).initial_margin == im * W + 10 * W


# --- MRG-8: rates being phased in -----------------------------------------------------------------------------------

LOW_ROWS = (MarginBracket(0, W // 40, W // 20),)
HIGH_ROWS = (MarginBracket(0, W // 20, W // 10),)


@pytest.mark.parametrize(
    ("now", "old", "new", "mm", "im"),
    [
        # Stricter rates wait for maintenance, to the second, and hold for opening at once.
        (NOW - 1, LOW_ROWS, HIGH_ROWS, 25, 100),
        (NOW, LOW_ROWS, HIGH_ROWS, 50, 100),
        (NOW + 1, LOW_ROWS, HIGH_ROWS, 50, 100),
        # Laxer ones hold at once for both.
        (NOW - 1, HIGH_ROWS, LOW_ROWS, 25, 50),
        (NOW, HIGH_ROWS, LOW_ROWS, 25, 50),
    ],
)
def test_the_lower_of_old_and_new_maintenance_is_asked_until_the_phase_ends(
    now: int, old: tuple[MarginBracket, ...], new: tuple[MarginBracket, ...], mm: int, im: int
) -> None:
    """MRG-8: 1,000 dollars of a market whose rates change."""
    params = replace(MARKETS[BTC], brackets=new)
    asked = compute_maintenance_in_force(params, MarketPhase(NOW, old, 0), now, 1_000 * W)
    assert asked == (mm * W, im * W)
    state = replace(state_with(markets=(params,)), market_phases=(MarketPhase(NOW, old, 0),))
    health = compute_health(state, holding(0, {}, {BTC: opened(W // 8, BTC_PRICE)}), env(now=now))
    assert (health.maintenance_margin, health.initial_margin) == (mm * W + 10 * W, im * W + 10 * W)


@given(margin_rows(), margin_rows(), NOTIONALS)
def test_a_phase_never_asks_more_maintenance_than_either_set(
    old: tuple[MarginBracket, ...], new: tuple[MarginBracket, ...], notional: int
) -> None:
    """MRG-8, M3: the smaller of the two whole margins; initial margin is the new one and not below it."""
    params = replace(MARKETS[BTC], brackets=new)
    mm, im = compute_maintenance_in_force(params, MarketPhase(NOW, old, 0), NOW - 1, notional)
    assert mm == min(compute_margins(old, notional)[0], compute_margins(new, notional)[0])
    assert mm <= im == compute_margins(new, notional)[1]
    assert compute_maintenance_in_force(params, MarketPhase(NOW, old, 0), NOW, notional) == compute_margins(
        new, notional
    )
