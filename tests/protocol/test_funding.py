"""Funding: how the rate moves, its exact integral, and what a position owes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.draft import DraftMarket
from protocol.funding import INDEX_SCALE, accrue, compute_owed, compute_velocity, project_funding, steer
from protocol.params import MarketParams
from protocol.state import EMPTY_MARKET, Market, Position
from protocol.units import DAY, INDEX_LIMIT, PRICE_LIMIT, SIZE_LIMIT, YEAR, W, fdiv
from tests.twins import BTC, market_params

START = 1_600_000_000
PRICE = 8_000 * W
PARAMS = market_params(BTC)  # scale 10,000 BTC, dead band 1 % of it, cap 3 % a day, speeds 9 % a day per day
CAP = 3 * W // 100 * DAY  # as a rate
SPEED = 9 * W // 100


def market(rate: int = 0, velocity: int = 0, limit: int = 0, index: int = 0, skew: int = 0) -> Market:
    """A market whose funding was brought up to date at START."""
    return replace(
        EMPTY_MARKET,
        long_oi=max(skew, 0),
        short_oi=max(-skew, 0),
        funding_index=index,
        funding_rate=rate,
        funding_velocity=velocity,
        funding_limit=limit,
        accrued_at=START,
    )


def integrate(rate: int, velocity: int, limit: int, elapsed: int) -> tuple[Fraction, Fraction]:
    """The rate over time as a broken line: its area, in rate times days, and its end; exact fractions."""
    start, speed, stop = Fraction(rate, DAY), Fraction(velocity, DAY), Fraction(limit, DAY)
    bend = min((stop - start) / speed, Fraction(elapsed)) if speed else Fraction(elapsed)
    end = start + speed * bend
    return ((start + end) / 2 * bend + end * (elapsed - bend)) / (DAY * W), end * DAY


# --- FUN-1: index and rate now --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "elapsed", "index", "rate"),
    [
        # Nothing has happened.
        (market(), DAY, 0, 0),
        (market(rate=CAP, index=5), 0, 5, CAP),
        # A constant rate of 3 % a day for a day, half a day and two: 240, 120 and 480 dollars.
        (market(rate=CAP), DAY, 240 * W, CAP),
        (market(rate=CAP), DAY // 2, 120 * W, CAP),
        (market(rate=-CAP, index=W), 2 * DAY, -479 * W, -CAP),
        # From 0 toward the cap with 9 % a day per day: the cap is reached after 8 hours.
        (market(velocity=SPEED, limit=CAP), DAY // 3, 40 * W, CAP),
        (market(velocity=SPEED, limit=CAP), DAY // 3 + DAY, 280 * W, CAP),
        (market(velocity=SPEED, limit=CAP), DAY // 6, 10 * W, CAP // 2),
        (market(velocity=-SPEED, limit=-CAP), DAY // 6, -10 * W, -CAP // 2),
        (market(velocity=-SPEED, limit=-CAP), DAY // 3 + DAY, -280 * W, -CAP),
        # Across zero: from -3 % to 3 % the area cancels.
        (market(rate=-CAP, velocity=SPEED, limit=CAP), 2 * DAY // 3, 0, CAP),
        (market(rate=-CAP, velocity=SPEED, limit=CAP), DAY // 3, -40 * W, 0),
        # Decay to 0, where it stops.
        (market(rate=CAP, velocity=-SPEED, limit=0), DAY // 6, 30 * W, CAP // 2),
        (market(rate=CAP, velocity=-SPEED, limit=0), DAY // 3, 40 * W, 0),
        (market(rate=CAP, velocity=-SPEED, limit=0), YEAR, 40 * W, 0),
        (market(rate=-CAP, velocity=SPEED, limit=0), YEAR, -40 * W, 0),
        # At the limit already.
        (market(rate=CAP, velocity=SPEED, limit=CAP), DAY, 240 * W, CAP),
        (market(rate=-CAP, velocity=-SPEED, limit=-CAP), DAY, -240 * W, -CAP),
    ],
)
def test_projections_worked_by_hand(before: Market, elapsed: int, index: int, rate: int) -> None:
    """FUN-1: constant, rising, falling, capped and decaying rates at 8,000 dollars."""
    assert project_funding(before, PRICE, START + elapsed) == (index, rate)


def test_the_rate_stops_at_its_limit_to_the_second() -> None:
    """FUN-1, F4: a limit that is no whole number of steps away is met in the middle of a second, and not passed."""
    before = market(velocity=7, limit=20)
    assert [project_funding(before, W, START + s)[1] for s in range(5)] == [0, 7, 14, 20, 20]
    mirrored = market(velocity=-7, limit=-20)
    assert [project_funding(mirrored, W, START + s)[1] for s in range(5)] == [0, -7, -14, -20, -20]
    down = market(rate=20, velocity=-7, limit=0)
    assert [project_funding(down, W, START + s)[1] for s in range(5)] == [20, 13, 6, 0, 0]


@pytest.mark.parametrize(
    ("rate", "price", "index"),
    [(1, W, 0), (-1, W, -1), (1, DAY * DAY * W, 1), (1, DAY * DAY * W - 1, 0), (-1, DAY * DAY * W - 1, -1)],
)
def test_the_index_is_rounded_down_once(rate: int, price: int, index: int) -> None:
    """FUN-1: toward minus infinity, whichever side pays; of a second at the smallest rate."""
    assert project_funding(market(rate=rate), price, START + 1) == (index, rate)


RATES = st.integers(-CAP, CAP) | st.integers(-100, 100)
SPEEDS = st.integers(1, 10 * W) | st.integers(1, 100)
TIMES = st.integers(0, 100) | st.integers(0, 10 * DAY) | st.integers(0, YEAR)
PRICES = st.integers(1, 10**6 * W) | st.integers(1, 100)


@given(rate=RATES, speed=SPEEDS, room=st.integers(0, 2 * CAP) | st.integers(0, 100), elapsed=TIMES, price=PRICES)
@example(rate=0, speed=7, room=20, elapsed=3, price=W)
def test_the_index_is_the_exact_integral_and_mirrors(
    rate: int, speed: int, room: int, elapsed: int, price: int
) -> None:
    """FUN-1, T8: the floor of the area under the rate times the price, on either side."""
    for sign in (1, -1):
        before = market(sign * rate, sign * speed, sign * (rate + room), index=3)
        index, reached = project_funding(before, price, START + elapsed)
        area, end = integrate(sign * rate, sign * speed, sign * (rate + room), elapsed)
        assert index == 3 + (area * price).__floor__()
        assert reached == end


def test_the_integral_is_the_sum_of_seconds() -> None:
    """FUN-1: against the plain sum of each second's mean rate, where the limit is a whole number of steps away."""
    before, price = market(rate=-50, velocity=10, limit=150), 10**30
    area, rate = 0, -50
    for second in range(1, 40):
        after = min(rate + 10, 150)
        area, rate = area + rate + after, after
        assert project_funding(before, price, START + second) == (fdiv(area * price, INDEX_SCALE), rate)


@given(rate=RATES, speed=SPEEDS, up=st.booleans(), times=st.lists(TIMES, min_size=1, max_size=6), price=PRICES)
def test_accruing_in_parts_differs_by_a_wei_for_each(
    rate: int, speed: int, up: bool, times: list[int], price: int
) -> None:
    """FUN-1, FUN-2, F2, X3: the rate is the same exactly; the index loses less than a wei at each further rounding."""
    limit = (CAP if up else -CAP) if speed % 2 else 0
    velocity = speed if limit > rate else -speed
    before = market(rate, velocity if limit != rate else 0, limit)
    parts, now = DraftMarket(before), START
    for elapsed in times:
        now += elapsed
        accrue(parts, price, now)
    index, reached = project_funding(before, price, now)
    assert parts.funding_rate == reached
    assert 0 <= index - parts.funding_index < len(times)
    assert parts.accrued_at == now


# --- FUN-2: accrual -------------------------------------------------------------------------------------------------


def test_accruing_moves_index_rate_and_time_and_nothing_else() -> None:
    """FUN-2, B11: the time is set after the elapsed time was read; twice in a second changes nothing (F2)."""
    totals = DraftMarket(market(velocity=SPEED, limit=CAP, skew=5 * W))
    accrue(totals, PRICE, START + DAY // 3)
    expected = replace(
        market(CAP, SPEED, CAP, index=40 * W, skew=5 * W),
        accrued_at=START + DAY // 3,
    )
    assert totals.freeze() == expected
    accrue(totals, 2 * PRICE, START + DAY // 3)
    assert totals.freeze() == expected


# --- FUN-3: velocity and limit --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skew", "rate", "velocity", "limit"),
    [
        # The dead band ends at 1 % of the scale, 100 BTC; at its end the rate moves already.
        (100 * W, 0, SPEED // 100, CAP),
        (100 * W - 1, 0, 0, 0),
        (-100 * W, 0, -SPEED // 100, -CAP),
        (1 - 100 * W, 0, 0, 0),
        # Inside it the rate falls toward 0 from either side.
        (100 * W - 1, 1, -SPEED, 0),
        (100 * W - 1, -1, SPEED, 0),
        (0, CAP, -SPEED, 0),
        (0, -CAP, SPEED, 0),
        (0, 0, 0, 0),
        # Outside it the rate's own sign does not matter.
        (5_000 * W, -CAP, SPEED // 2, CAP),
        (-5_000 * W, CAP, -SPEED // 2, -CAP),
        # The whole scale and beyond.
        (10_000 * W - 1, 0, SPEED - 1, CAP),
        (10_000 * W, 0, SPEED, CAP),
        (10_000 * W + 1, 0, SPEED, CAP),
        (-20_000 * W, 0, -SPEED, -CAP),
    ],
)
def test_velocity_follows_the_skew(skew: int, rate: int, velocity: int, limit: int) -> None:
    """FUN-3, F4: in proportion, at most the whole speed, toward the cap of the skew's side; decaying in the band."""
    assert compute_velocity(PARAMS, skew, rate) == (velocity, limit)


@pytest.mark.parametrize(("skew", "velocity"), [(1, 0), (2, 0), (3, 1), (-1, 0), (-2, 0), (-3, -1)])
def test_the_velocity_is_rounded_toward_zero(skew: int, velocity: int) -> None:
    """FUN-3, T8: the same size on both sides."""
    params = replace(PARAMS, skew_scale=3, funding_velocity=1, dead_band=0)
    assert compute_velocity(params, skew, 0)[0] == velocity


def test_each_parameter_of_the_velocity_counts() -> None:
    """FUN-3: band, speeds and cap are the market's own; a band of 0 leaves only the even market to decay."""
    no_band = replace(PARAMS, dead_band=0)
    assert compute_velocity(no_band, 1, CAP) == (0, CAP)
    assert compute_velocity(no_band, 0, CAP) == (0, CAP), "with no band an even market keeps its rate"
    whole = replace(PARAMS, dead_band=10_000)
    assert compute_velocity(whole, 10_000 * W - 1, CAP) == (-SPEED, 0)
    assert compute_velocity(replace(PARAMS, funding_decay=5), 0, CAP) == (-5, 0)
    assert compute_velocity(replace(PARAMS, funding_velocity=10), 5_000 * W, 0) == (5, CAP)
    assert compute_velocity(replace(PARAMS, funding_cap=2), -(10**4) * W, 0) == (-SPEED, -2 * DAY)


SKEWS = st.integers(-(10**23), 10**23) | st.integers(-(10**5), 10**5)


@given(skew=SKEWS, more=st.integers(0, 10**22), rate=RATES, elapsed=TIMES)
def test_rate_and_velocity_stay_within_their_caps(skew: int, more: int, rate: int, elapsed: int) -> None:
    """FUN-3, F4: velocity is bounded and grows with the skew; the rate never leaves the cap, nor grows in the band."""
    velocity, limit = compute_velocity(PARAMS, skew, rate)
    assert abs(velocity) <= SPEED
    assert abs(limit) <= CAP
    if abs(skew) >= 100 * W:
        assert velocity * skew >= 0
        further = skew + (more if skew > 0 else -more)
        assert abs(compute_velocity(PARAMS, further, rate)[0]) >= abs(velocity)
        assert compute_velocity(PARAMS, -skew, -rate) == (-velocity, -limit)
    _, reached = project_funding(market(rate, velocity, limit), PRICE, START + elapsed)
    assert abs(reached) <= CAP
    if abs(skew) < 100 * W:
        assert abs(reached) <= abs(rate)
        assert reached * rate >= 0


# --- FUN-4: steering ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "kept"),
    [(CAP, CAP), (CAP + 1, CAP), (CAP - 1, CAP - 1), (-CAP, -CAP), (-CAP - 1, -CAP), (1 - CAP, 1 - CAP)],
)
def test_a_rate_beyond_the_cap_in_force_is_cut_to_it(rate: int, kept: int) -> None:
    """FUN-4, F4: a lowered cap binds at once."""
    totals = DraftMarket(market(rate, skew=5_000 * W))
    steer(totals, PARAMS)
    assert totals.freeze() == market(kept, SPEED // 2, CAP, skew=5_000 * W)


def test_a_cap_of_zero_leaves_no_rate_to_decay() -> None:
    """FUN-4: the rate is cut before the velocity is chosen."""
    totals = DraftMarket(market(CAP))
    steer(totals, replace(PARAMS, funding_cap=0))
    assert totals.freeze() == market()


# --- FUN-5: what a position owes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "entry", "index", "owed"),
    [
        (W, 0, 240 * W, 240 * W),
        (-W, 0, 240 * W, -240 * W),
        (2 * W, 100 * W, 240 * W, 280 * W),
        (2 * W, 240 * W, 100 * W, -280 * W),
        (W, 7, 7, 0),
        # A wei of size: the payer pays a whole wei, the receiver gets nothing.
        (1, 0, 1, 1),
        (-1, 0, 1, 0),
        (1, 0, -1, 0),
        (-1, 0, -1, 1),
        (1, 0, W, 1),
        (1, 0, W + 1, 2),
        (-1, 0, W - 1, 0),
        (-1, 0, W, -1),
        (0, 0, W, 0),
    ],
)
def test_owed_is_rounded_up_against_the_account(size: int, entry: int, index: int, owed: int) -> None:
    """FUN-5, T6, F6: charges up, receipts down."""
    assert compute_owed(Position(size, 0, entry), index) == owed


@given(
    st.lists(
        st.tuples(st.integers(-(10**22), 10**22) | st.integers(-5, 5), st.integers(-(10**22), 10**22)), max_size=6
    ),
    st.integers(-(10**22), 10**22) | st.integers(-5, 5),
)
def test_the_pool_receives_what_it_pays_and_the_fractions(positions: list[tuple[int, int]], index: int) -> None:
    """FUN-5, F1: funding of all positions is the exact net of the market, and less than a wei each more."""
    owed = sum(compute_owed(Position(size, 0, entry), index) for size, entry in positions)
    exact = Fraction(sum(size * (index - entry) for size, entry in positions), W)
    assert 0 <= owed - exact < max(len(positions), 1)


def test_the_smallest_position_pays_for_a_year() -> None:
    """FUN-1, FUN-5, F6: a wei of BTC at the cap for a year: the whole wei it owes of 87,600 dollars, or nothing."""
    index, _ = project_funding(market(rate=CAP), PRICE, START + YEAR)
    assert index == 365 * 240 * W
    assert compute_owed(Position(1, 0, 0), index) == 87_600
    assert compute_owed(Position(-1, 0, 0), index) == -87_600
    cheap, _ = project_funding(market(rate=CAP), W, START + YEAR)
    assert cheap == 10_950 * W // 1_000
    assert compute_owed(Position(1, 0, 0), cheap) == 11
    assert compute_owed(Position(-1, 0, 0), cheap) == -10


def test_a_year_untouched_is_far_from_the_index_limit() -> None:
    """FUN-1, F5, T9: the largest price and cap for a century: one step, within the stored width."""
    params = replace(PARAMS, funding_cap=W, funding_velocity=10 * W)
    velocity, limit = compute_velocity(params, SIZE_LIMIT, 0)
    index, rate = project_funding(market(0, velocity, limit), PRICE_LIMIT - 1, START + 100 * YEAR)
    assert rate == W * DAY
    # A tenth of a day of growth, then the whole price each day: half of that tenth is missing.
    assert index == fdiv((PRICE_LIMIT - 1) * (36_500 * 20 - 1), 20)
    assert index < INDEX_LIMIT


def test_with_zero_parameters_there_is_no_funding() -> None:
    """FUN-3, N6: no cap and no speed: waiting changes nothing."""
    params: MarketParams = replace(PARAMS, funding_cap=0, funding_velocity=0, funding_decay=0)
    totals = DraftMarket(market(skew=5_000 * W))
    steer(totals, params)
    accrue(totals, PRICE, START + YEAR)
    assert (totals.funding_index, totals.funding_rate) == (0, 0)
