"""The stable price: how fast it follows, and what the delayed price does to that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.stable import HOUR, HOURS, StablePrice, begin_stable, charge_stable, clamp, move_stable
from protocol.units import PRICE_LIMIT, W

BEGIN = 500_000 * HOUR  # a full hour, number 0 modulo 16 and 8 modulo 24
prices = st.integers(1, PRICE_LIMIT - 1)


def hold(stable: StablePrice, price: int, begin: int, seconds: int, step: int) -> StablePrice:
    """A price held for some time, charged in steps."""
    for time in range(begin, begin + seconds, step):
        stable = charge_stable(stable, price, time, time + step)
    return stable


# --- the move: at most 0.03 % a second, less far from the delayed price ---------------------------------------------


@pytest.mark.parametrize(
    ("price", "seconds", "moved"),
    [
        (2 * W, 10, W + 3 * W // 1_000),
        (W // 2, 10, W - 3 * W // 1_000),
        (2 * W, 600, W + 18 * W // 100),
        (W + 3 * W // 1_000 - 1, 10, W + 3 * W // 1_000 - 1),
        (W + 3 * W // 1_000 + 1, 10, W + 3 * W // 1_000),
        (W - 3 * W // 1_000 - 1, 10, W - 3 * W // 1_000),
        (W - 3 * W // 1_000 + 1, 10, W - 3 * W // 1_000 + 1),
        (2 * W, 0, W),
        (W, 600, W),
    ],
)
def test_the_stable_price_follows_at_most_so_fast(price: int, seconds: int, moved: int) -> None:
    """AVG-5: 3 of 10,000 a second, both ends at -1, 0 and +1, 18 % in ten minutes."""
    assert move_stable(W, price, W, seconds) == moved


@pytest.mark.parametrize(("delayed", "step"), [(W, 36), (2 * W, 9), (W // 2, 9), (3 * W, 4), (6 * W, 1), (W // 6, 1)])
def test_the_pace_falls_with_the_distance_to_the_delayed_price(delayed: int, step: int) -> None:
    """AVG-5: with the square of the ratio, in whichever direction; 1.2 % in 40 s is 36 parts of 3,000."""
    exact = 12 * W // 1_000 * step // 36
    for price in (100 * W, 1):
        moved = abs(move_stable(W, price, delayed, 40) - W)
        assert 0 <= exact - moved <= 1


@given(prices, prices, prices, st.integers(0, 10**6))
def test_the_stable_price_never_overshoots(stable: int, price: int, delayed: int, seconds: int) -> None:
    """AVG-5: between itself and the price, at most 18 % from itself, never 0."""
    end = charge_stable(StablePrice(stable, 0, 0, (delayed,) * HOURS), price, BEGIN, BEGIN + seconds).price
    assert min(stable, price) <= end <= max(stable, price)
    assert abs(end - stable) * 100 <= 18 * stable
    assert end > 0


def test_at_most_600_seconds_count() -> None:
    """AVG-5: silence is no time to move in."""
    begun = begin_stable(W)
    ten_minutes = charge_stable(begun, 3 * W, BEGIN, BEGIN + 600)
    assert ten_minutes == StablePrice(W + 18 * W // 100, 1_800 * W, 600, (W,) * HOURS)
    assert charge_stable(begun, 3 * W, BEGIN, BEGIN + 601) == ten_minutes
    assert charge_stable(begun, 3 * W, BEGIN, BEGIN + 3_599) == ten_minutes
    shorter = charge_stable(begun, 3 * W, BEGIN, BEGIN + 599)
    assert shorter.price < ten_minutes.price
    assert shorter.seconds == 599


# --- hourly prices --------------------------------------------------------------------------------------------------


def test_an_hour_ends_with_its_mean() -> None:
    """AVG-5: weighted by the seconds that count, stored under the hour that ended."""
    stable = charge_stable(begin_stable(100 * W), 102 * W, BEGIN, BEGIN + 600)
    stable = charge_stable(stable, 101 * W, BEGIN + 600, BEGIN + 3_500)  # 600 of these count
    assert stable.hourly == (100 * W,) * HOURS
    ended = charge_stable(stable, 103 * W, BEGIN + 3_500, BEGIN + 3_600)
    mean = (102 * 600 + 101 * 600 + 103 * 100) * W // 1_300
    assert ended.hourly[8] == mean
    assert ended.hourly[:8] + ended.hourly[9:] == (100 * W,) * 23
    assert (ended.accumulated, ended.seconds) == (0, 0)


def test_an_hours_price_is_within_6_percent_of_the_one_before() -> None:
    """AVG-5: the one before is that of the hour before the one that ends."""
    hourly = tuple(range(100, 100 + HOURS))
    stable = StablePrice(100, 0, 0, hourly)
    assert hourly[7] == 107
    for price, ended in ((113, 113), (114, 113), (102, 102), (101, 101), (100, 101)):
        end = charge_stable(stable, price, BEGIN + 3_590, BEGIN + 3_600)
        assert end.hourly == (*hourly[:8], ended, *hourly[9:])
    first = charge_stable(StablePrice(100, 0, 0, hourly), 500, BEGIN - 8 * HOUR, BEGIN - 7 * HOUR)
    assert first.hourly[0] == 123 + 123 * 6 // 100  # the hour before number 0 is number 23


@pytest.mark.parametrize("hours", [1, 2, 15, 16, 17, 23, 24, 25, 100])
def test_hours_without_an_observation_have_the_price_of_the_one_that_ended(hours: int) -> None:
    """AVG-5: all of them from the one in which the interval began; after a day all are the same."""
    hourly = tuple(range(100, 100 + HOURS))
    end = charge_stable(StablePrice(107, 0, 0, hourly), 107, BEGIN, BEGIN + hours * HOUR)
    skipped = {(8 + k) % HOURS for k in range(hours)}
    assert end.hourly == tuple(107 if i in skipped else price for i, price in enumerate(hourly))


def test_the_price_that_limits_is_a_day_old() -> None:
    """AVG-5: of the 24th hour before this one, which this hour's own price will replace."""
    hourly = (W,) * 9 + (3 * W,) + (W,) * 14
    stable = StablePrice(W, 0, 0, hourly)
    before = charge_stable(stable, 2 * W, BEGIN + 3_580, BEGIN + 3_599)
    after = charge_stable(stable, 2 * W, BEGIN + 3_581, BEGIN + 3_600)
    assert before.price == move_stable(W, 2 * W, W, 19)
    assert after.price == move_stable(W, 2 * W, 3 * W, 19) < before.price
    assert after.hourly[9] == 3 * W
    # After a silence of a day or more the delayed price is of an hour that has only just ended.
    silent = charge_stable(stable, W, BEGIN, BEGIN + 25 * HOUR)
    assert silent.hourly == (W,) * HOURS


# --- against the figures of the source system -----------------------------------------------------------------------


def test_a_price_times_ten_is_followed_as_in_mango() -> None:
    """AVG-5: its own test expects 1.8 after an hour, 2.3 after two, 7.4 after 25, each to a tenth, in these steps."""
    stable = hold(begin_stable(W), 10 * W, 0, HOUR, 60)
    assert abs(stable.price * 10 - 18 * W) < W
    assert (stable.hourly[0], stable.hourly[1]) == (106 * W // 100, W)
    stable = hold(stable, 10 * W, HOUR, HOUR, 10)
    assert abs(stable.price * 10 - 23 * W) < W
    assert stable.hourly[1] == 106 * 106 * W // 10_000
    stable = hold(stable, 10 * W, 2 * HOUR, 23 * HOUR, 300)
    assert abs(stable.price * 10 - 74 * W) < W
    assert stable.hourly[0] > stable.hourly[23] > stable.hourly[22]
    assert stable.hourly[1] < stable.hourly[2]


@pytest.mark.parametrize(("step", "percent"), [(10, 293), (300, 281)])
def test_without_the_delayed_price_an_hour_would_triple_the_price(step: int, percent: int) -> None:
    """AVG-5: which is what it is for. Updates of 10 s and of 5 minutes differ by a few per cent."""
    price = W
    for _ in range(HOUR // step):
        price = move_stable(price, 100 * W, price, step)
    assert price * 100 // W == percent


@pytest.mark.parametrize(("value", "clamped"), [(4, 5), (5, 5), (6, 6), (9, 9), (10, 10), (11, 10)])
def test_clamping_takes_the_nearest(value: int, clamped: int) -> None:
    """AVG-5."""
    assert clamp(value, 5, 10) == clamped
