"""How much of one position a liquidation closes: SIZ-2 to SIZ-5."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.margin import Health, compute_notional
from protocol.params import MarginBracket
from protocol.sizing import (
    ROUNDING_SLACK,
    Exposure,
    brackets_in_force,
    compute_freed,
    compute_relief,
    compute_shortage,
    leave_no_dust,
    limit_close,
    measure,
    round_close,
    walk_down,
)
from protocol.state import MarketPhase
from protocol.units import W, cdiv
from tests.protocol.brackets import BTC_MARKET, TIERS, percent
from tests.protocol.build import BTC, BTC_PRICE, NOW, env, state_with, with_risk
from tests.twins import RISK

LOT = BTC_MARKET.lot
NO_PHASE = MarketPhase(0, (), 0)


# --- SIZ-2: relief --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "relief"), [(250, 10_000), (400, 26_500), (750, 65_000), (1_500, 147_500)])
def test_relief_is_the_buffered_margin_freed_less_the_cost_of_closing(rate: int, relief: int) -> None:
    """SIZ-2: 1.1 times the rate, less 0.25 % of reward, 1 % of penalty and 0.5 % of impact; in millionths."""
    assert compute_relief(RISK, percent(rate)) == relief * W // 10**6


def test_relief_is_rounded_down_and_takes_every_cost() -> None:
    """SIZ-2, T6: a fraction is not counted on; each of the three costs at its most lowers it."""
    assert compute_relief(with_risk(liquidation_buffer=0), W // 40) == W // 40 - RISK.closing_cost_ratio
    assert compute_relief(with_risk(liquidation_buffer=1), W - 1) == W - 1 - RISK.closing_cost_ratio
    assert compute_relief(with_risk(liquidation_buffer=1), W) == W + 1 - RISK.closing_cost_ratio
    relief = compute_relief(RISK, W // 40)
    assert compute_relief(with_risk(reward_ratio_max=RISK.reward_ratio_max + 1), W // 40) == relief - 1
    assert compute_relief(with_risk(penalty_ratio=RISK.penalty_ratio + 1), W // 40) == relief - 1
    assert compute_relief(with_risk(impact_cap_ratio=RISK.impact_cap_ratio + 1), W // 40) == relief - 1
    assert compute_relief(with_risk(reward_ratio=0), W // 40) == relief


@pytest.mark.parametrize(
    ("size", "price", "notional", "maintenance", "rate"),
    [
        (W, 8_000 * W, 8_000 * W, 200 * W, 250),
        (-W, 8_000 * W, 8_000 * W, 200 * W, 250),
        # Exactly at a border the position does not reach into the next bracket; a wei more does.
        (125 * W, 8_000 * W, 10**6 * W, 25_000 * W, 250),
        (10**6 * W + 1, W, 10**6 * W + 1, 25_000 * W + 1, 400),
        (-5 * 10**6 * W, W, 5 * 10**6 * W, 185_000 * W, 400),
        (5 * 10**6 * W + 1, W, 5 * 10**6 * W + 1, 185_000 * W + 1, 750),
        (21 * 10**6 * W, W, 21 * 10**6 * W, 1_460_000 * W, 1_500),
        (1, 1, 1, 1, 250),
    ],
)
def test_a_position_is_measured_by_its_highest_bracket(
    size: int, price: int, notional: int, maintenance: int, rate: int
) -> None:
    """SIZ-2: notional and margin as the margin check has them, relief of the bracket the notional reaches into."""
    exposure = measure(state_with(), env(btc=price), BTC, size)
    assert exposure == Exposure(BTC, size, price, notional, maintenance, compute_relief(RISK, percent(rate)))


def test_the_brackets_in_force_are_those_that_ask_less() -> None:
    """SIZ-2, MRG-8: before the end of a phase, by this notional; from its end on the new ones."""
    dear = (MarginBracket(0, percent(300), percent(600)),)
    cheap = (MarginBracket(0, percent(200), percent(600)), MarginBracket(10**6 * W, percent(1_000), percent(2_000)))
    params = replace(BTC_MARKET, brackets=dear)
    phase = MarketPhase(NOW + 10, cheap, 0)
    assert brackets_in_force(params, phase, NOW + 9, 10**5 * W) == cheap
    assert brackets_in_force(params, phase, NOW + 10, 10**5 * W) == dear
    assert brackets_in_force(params, phase, NOW + 9, 2 * 10**6 * W) == dear
    # Where both ask the same, the new ones hold: at 8/7 of a million.
    even = 8 * 10**6 * W // 7 - 8 * 10**6 * W // 7 % 100
    assert brackets_in_force(params, phase, NOW + 9, even - 10**6) == cheap
    assert brackets_in_force(params, phase, NOW + 9, even + 10**6) == dear
    assert brackets_in_force(params, MarketPhase(NOW + 10, dear, 0), NOW, W) is params.brackets
    assert brackets_in_force(params, NO_PHASE, NOW, W) == dear
    state = replace(state_with(markets=(params,)), market_phases=(phase,))
    found = measure(state, env(btc=10**5 * W, now=NOW + 9), BTC, W)
    assert (found.maintenance, found.relief) == (2_000 * W, compute_relief(RISK, percent(200)))
    found = measure(state, env(btc=10**5 * W, now=NOW + 10), BTC, W)
    assert (found.maintenance, found.relief) == (3_000 * W, compute_relief(RISK, percent(300)))


# --- SIZ-3: shortage ------------------------------------------------------------------------------------------------


def health(equity_mm: int, margin: int, reserve: int = 0) -> Health:
    """A measured account; the other numbers do not matter to the sizing."""
    return Health(equity_mm, equity_mm, 0, margin, 2 * margin, reserve, 0, 0)


@pytest.mark.parametrize(
    ("equity_mm", "margin", "reserve", "shortage"),
    [
        # 1.1 times 200 and the fixed reward of 5; the reserve of 10 stands on both sides and is not scaled.
        (200 * W, 200 * W, 0, 25 * W),
        (210 * W, 210 * W, 10 * W, 25 * W),
        (209 * W, 210 * W, 10 * W, 26 * W),
        (210 * W - 1, 210 * W, 10 * W, 25 * W + 1),
        (0, 0, 0, 5 * W),
        (-7 * W, 0, 0, 12 * W),
        # A target with a fraction is rounded up.
        (0, 10, 0, 5 * W + 11),
        (0, 11, 0, 5 * W + 13),
        (0, 19, 0, 5 * W + 21),
        (0, 20, 0, 5 * W + 22),
        (225 * W, 200 * W, 0, 0),
        (226 * W, 200 * W, 0, -W),
    ],
)
def test_the_shortage_is_what_lacks_to_the_target(equity_mm: int, margin: int, reserve: int, shortage: int) -> None:
    """SIZ-3: after the fixed reward, rounded up, and a millionth of a millionth of a dollar for all roundings."""
    assert compute_shortage(RISK, health(equity_mm, margin, reserve)) == shortage + ROUNDING_SLACK
    assert ROUNDING_SLACK == 10**6


# --- SIZ-4: walking down the brackets -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notional", "shortage", "closed", "left"),
    [
        # Within the lowest bracket each dollar closed relieves a cent.
        (8_000, 25 * W, 2_500 * W, 0),
        (8_000, 80 * W, 8_000 * W, 0),
        (8_000, 81 * W, 8_000 * W, W),
        # 2 million: the upper half relieves 2.65 %, the lower 1 %.
        (2 * 10**6, 26_500 * W, 10**6 * W, 0),
        (2 * 10**6, 26_501 * W, 1_000_100 * W, 0),
        (2 * 10**6, 26_499 * W, 999_962_264_150_943_396_226_416, 0),
        (2 * 10**6, 36_500 * W, 2 * 10**6 * W, 0),
        (2 * 10**6, 36_502 * W, 2 * 10**6 * W, 2 * W),
        # 21 million, through all four: 1 at 14.75 %, 15 at 6.5 %, 4 at 2.65 %, 1 at 1 %.
        (21 * 10**6, 147_500 * W, 10**6 * W, 0),
        (21 * 10**6, (147_500 + 65) * W, 1_001_000 * W, 0),
        (21 * 10**6, (147_500 + 975_000) * W, 16 * 10**6 * W, 0),
        (21 * 10**6, (147_500 + 975_000 + 26_500) * W, 17 * 10**6 * W, 0),
        (21 * 10**6, (147_500 + 975_000 + 106_000 + 100) * W, 20_010_000 * W, 0),
        (21 * 10**6, (147_500 + 975_000 + 106_000 + 10_001) * W, 21 * 10**6 * W, W),
    ],
)
def test_a_position_is_walked_down_from_its_highest_bracket(
    notional: int, shortage: int, closed: int, left: int
) -> None:
    """SIZ-4: bracket by bracket, each relieving at its own rate, to the end of the shortage or of the position."""
    assert walk_down(RISK, TIERS, notional * W, shortage) == (closed, left)


def test_a_part_is_rounded_up_and_a_whole_brackets_relief_down() -> None:
    """SIZ-4, T6: against the account: enough is closed, and no relief counted that is not there."""
    assert walk_down(RISK, TIERS, 8_000 * W, 1) == (100, 0)
    thirds = (MarginBracket(0, percent(250), W), MarginBracket(100, percent(400), W))
    # One wei in the upper bracket relieves nothing whole; the shortage stays.
    assert walk_down(RISK, thirds, 101, 1) == (101, 0)
    assert walk_down(RISK, thirds, 101, 2) == (101, 1)
    # At a border the next bracket is not entered.
    assert walk_down(RISK, TIERS, 10**6 * W, 100 * W) == (10_000 * W, 0)


BRACKETS = st.lists(st.tuples(st.integers(1, 10**4), st.integers(1, 10**3)), min_size=0, max_size=4).map(
    lambda rows: (
        MarginBracket(0, percent(176), W),
        *(
            MarginBracket(sum(width for width, _ in rows[: i + 1]), percent(176 + sum(r for _, r in rows[: i + 1])), W)
            for i in range(len(rows))
        ),
    )
)


@given(BRACKETS, st.integers(1, 3 * 10**4), st.integers(1, 10**4))
@example(TIERS, 10**4, 1)
def test_the_walk_finds_the_smallest_notional_that_relieves_the_shortage(
    brackets: tuple[MarginBracket, ...], notional: int, shortage: int
) -> None:
    """SIZ-4, L4: against a search over exact fractions; at most a wei more for each bracket walked and rounding."""

    def relieved(closed: int) -> Fraction:
        rest, total = notional - closed, Fraction(0)
        for index, bracket in enumerate(brackets):
            upper = brackets[index + 1].lower if index + 1 < len(brackets) else notional
            part = max(min(upper, notional) - max(bracket.lower, rest), 0)
            total += part * (Fraction(W + RISK.liquidation_buffer) * bracket.mm_rate / W - RISK.closing_cost_ratio) / W
        return total

    closed, left = walk_down(RISK, brackets, notional, shortage)
    if left:
        assert closed == notional
        assert relieved(notional) < shortage + len(brackets)
        assert 0 <= left - (shortage - relieved(notional)) < len(brackets)
        return
    assert relieved(closed) >= shortage
    # Rounding the relief of whole brackets down costs at most a wei each, which the lowest rate must make up for.
    lowest = compute_relief(RISK, brackets[0].mm_rate)
    margin = cdiv(len(brackets) * W, lowest) + 1
    if closed > margin:
        assert relieved(closed - margin) < shortage


def test_what_a_limited_close_frees_is_counted_from_the_highest_bracket_down() -> None:
    """SIZ-4: across a bracket's border, rounded down; of nothing nothing, of all of it what walking it all relieves."""
    notional = 1_200_000 * W
    for closed, freed in (
        (0, 0),
        (W, 26_500 * W // 10**6),
        (200_000 * W, 5_300 * W),
        (200_001 * W, 5_300 * W + W // 100),
        (1_200_000 * W, 15_300 * W),
        (200_000 * W + 99, 5_300 * W),
        (200_000 * W + 100, 5_300 * W + 1),
        (37, 0),
        (38, 1),
    ):
        assert compute_freed(RISK, TIERS, notional, closed) == freed
    assert walk_down(RISK, TIERS, notional, 15_301 * W) == (notional, W)
    # Exactly at a border the upper bracket has no part in it.
    assert compute_freed(RISK, TIERS, 10**6 * W, 100) == 1


# --- SIZ-5: whole lots, no dust, the window -------------------------------------------------------------------------


def exposure(size: int = 2 * W, price: int = BTC_PRICE) -> Exposure:
    """A BTC position as the sizing sees it."""
    return Exposure(BTC, size, price, compute_notional(size, price), 0, 0)


@pytest.mark.parametrize(
    ("needed", "lots"),
    [
        (0, 0),
        (1, 1),
        (8 * W, 1),
        (8 * W + 1, 2),
        (16 * W, 2),
        (15_000 * W, 1_875),
        # 1,000 dollars may remain, a lot less may not.
        (15_000 * W + 1, 2_000),
        (16_000 * W, 2_000),
        (16_001 * W, 2_000),
        (10**9 * W, 2_000),
    ],
)
@pytest.mark.parametrize("side", [1, -1])
def test_a_close_is_rounded_up_to_lots_and_to_the_whole_if_little_would_remain(
    side: int, needed: int, lots: int
) -> None:
    """SIZ-5: 2 BTC at 8,000 in lots of a thousandth, 8 dollars each; at most the position."""
    assert round_close(BTC_MARKET, exposure(side * 2 * W), needed) == lots * LOT


@pytest.mark.parametrize(
    ("size", "left", "lots"),
    [
        # The window allows whole lots, rounded down; what fits is not touched.
        (500, 10**6 * W, 500),
        (500, 4_000 * W, 500),
        (500, 4_000 * W - 1, 499),
        (500, 8 * W, 1),
        (500, 8 * W - 1, 0),
        (500, 0, 0),
        (2_000, 16_000 * W, 2_000),
        (2_000, 16_000 * W - 1, 2_000),  # a lot would remain, so all of it goes
        (2_000, 15_000 * W + 8 * W, 2_000),
        (2_000, 15_000 * W, 1_875),
        (2_000, 15_000 * W + 8 * W - 1, 1_875),
    ],
)
def test_the_window_allows_whole_lots_or_a_whole_remainder(size: int, left: int, lots: int) -> None:
    """SIZ-5, WIN-3: rounded down, beyond it only where less than the minimum notional would remain."""
    assert limit_close(BTC_MARKET, exposure(), size * LOT, left) == lots * LOT


@pytest.mark.parametrize(
    ("size", "price", "closed"),
    [
        (1_875, 8_000 * W, 1_875),
        (1_876, 8_000 * W, 2_000),
        (2_000, 8_000 * W, 2_000),
        (0, 8_000 * W, 0),
        (1_000, 1_000 * W, 1_000),
        (1_000, 1_000 * W - 1, 2_000),
        (1_000, 1_000 * W + 1, 1_000),
        (0, 499 * W, 2_000),
    ],
)
def test_no_remainder_is_smaller_than_the_minimum_notional(size: int, price: int, closed: int) -> None:
    """SIZ-5, L6: equality stays; measured as the margin check measures it, rounded up."""
    assert leave_no_dust(BTC_MARKET, exposure(price=price), size * LOT) == closed * LOT


def test_no_window_with_nothing_left_closes_dust() -> None:
    """SIZ-5, WIN-3: where not one lot is allowed nothing is closed, even of a position that is dust itself."""
    small = exposure(LOT)
    assert limit_close(BTC_MARKET, small, LOT, 8 * W - 1) == 0
    assert limit_close(BTC_MARKET, small, LOT, 8 * W) == LOT
