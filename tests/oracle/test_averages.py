"""What is recorded of a source, and the means of what was recorded."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.averages import (
    HISTORY,
    Average,
    Averages,
    AveragesConfig,
    Observed,
    compute_ema,
    consult,
    create_averages,
    get_average_quote,
    get_cumulative,
    get_ema,
    get_stable_price,
    observe,
    process_update,
)
from oracle.errors import BadAverageConfig, ShortHistory
from protocol.env import NO_QUOTE, Quote, Status
from protocol.units import BPS, PRICE_LIMIT, W

NOW = 1_600_000_000
CONFIG = AveragesConfig(gap=10, window=600, tau=600, clamp=1_000)


def at(price: int, publish_time: int, status: int = 0) -> Quote:
    """A quote with a spread of a wei on each side, which no average looks at."""
    return Quote(price - 1, price, price + 1, publish_time, status)


def record(*steps: tuple[int, int], config: AveragesConfig = CONFIG) -> Averages:
    """Averages after prices recorded at seconds after ``NOW``."""
    averages = create_averages(config)
    for after, price in steps:
        averages, events = process_update(averages, NOW + after, at(price, NOW + after))
        assert events
    return averages


# --- configuration: AVG-6 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "lowest", "highest"),
    [("gap", 10, 600), ("window", 60, 63 * 10), ("tau", 60, 604_800), ("clamp", 1, 10_000)],
)
def test_each_parameter_has_its_range(field: str, lowest: int, highest: int) -> None:
    """AVG-6: oracle/average-config outside, both ends inside."""
    for value in (lowest, highest):
        create_averages(replace(CONFIG, **{field: value}))
    for value in (lowest - 1, highest + 1):
        with pytest.raises(BadAverageConfig) as refused:
            create_averages(replace(CONFIG, **{field: value}))
        assert refused.value.code == "oracle/average-config"


def test_the_configured_window_always_fits_the_memory() -> None:
    """AVG-6, AVG-3: whoever updates as often as possible cannot push the window's beginning out of the memory."""
    config = replace(CONFIG, window=63 * 10)
    averages = create_averages(config)
    for i in range(4 * HISTORY):
        averages, events = process_update(averages, NOW + 10 * i, at(W, NOW))
        assert events
        assert (get_average_quote(averages, NOW + 10 * i, Average.TWAP) != NO_QUOTE) == (i >= 63)


# --- what is recorded: AVG-2 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [status for status in Status if status] + [0, 3, 130, 132, 2**20, 2**255])
def test_only_prices_without_grave_faults_are_recorded(status: int) -> None:
    """AVG-2: soft staleness and a cap do not keep a price out; any other fault does, alone or beside them."""
    recorded = status in {0, 2, 128, 130}
    for averages in (create_averages(CONFIG), record((0, W))):
        changed, events = process_update(averages, NOW + 10, at(2 * W, NOW + 10, status))
        assert bool(events) == recorded
        assert (changed != averages) == recorded


@pytest.mark.parametrize(
    ("price", "recorded"),
    [(0, False), (1, True), (PRICE_LIMIT - 1, True), (PRICE_LIMIT, False), (2**256 - 1, False)],
)
def test_only_prices_that_can_be_stored_are_recorded(price: int, recorded: bool) -> None:
    """AVG-2: positive and below 2^96, also when the source says that all is well."""
    for averages in (create_averages(CONFIG), record((0, W))):
        changed, events = process_update(averages, NOW + 10, Quote(price, price, price, NOW, 0))
        assert bool(events) == recorded
        assert (changed != averages) == recorded


@pytest.mark.parametrize(
    ("published", "recorded"), [(4, False), (5, True), (6, True), (20, True), (21, False), (2**200, False)]
)
def test_publish_times_never_go_back_nor_ahead(published: int, recorded: bool) -> None:
    """AVG-2: the same as the newest is fine, an older one is not; one of the future would keep all others out."""
    averages, _ = process_update(create_averages(CONFIG), NOW + 10, at(W, NOW + 5))
    changed, events = process_update(averages, NOW + 20, at(2 * W, NOW + published))
    assert bool(events) == recorded
    assert (changed != averages) == recorded


def test_a_first_price_of_the_future_is_not_recorded() -> None:
    """AVG-2."""
    assert process_update(create_averages(CONFIG), NOW, at(W, NOW + 1))[1] == ()
    assert process_update(create_averages(CONFIG), NOW, at(W, 0))[1] != ()


@pytest.mark.parametrize(("after", "recorded"), [(0, False), (1, False), (9, False), (10, True), (11, True)])
def test_observations_are_at_least_a_gap_apart(after: int, recorded: bool) -> None:
    """AVG-2: so that nobody can flush the memory."""
    averages = record((0, W))
    changed, events = process_update(averages, NOW + after, at(2 * W, NOW + after))
    assert bool(events) == recorded
    assert (changed != averages) == recorded


def test_an_update_says_what_it_did() -> None:
    """AVG-2: the event has the price, and the averages up to it."""
    averages, events = process_update(record((0, 100 * W)), NOW + 60, at(200 * W, NOW + 59, Status.CAPPED))
    assert events == (Observed(200 * W, 6_000 * W, 100 * W, 100 * W, NOW + 59, Status.CAPPED),)
    assert averages.price == 200 * W
    assert averages.count == 2


def test_an_update_has_the_views_of_its_moment() -> None:
    """AVG-2 to AVG-5: the averages just before a recording are those just after it."""
    averages = record((0, 100 * W), (60, 130 * W), (75, 90 * W), (4_000, 95 * W))
    later = NOW + 4_300
    changed, _ = process_update(averages, later, at(1_000 * W, later))
    assert changed != averages
    assert get_ema(changed, later) == get_ema(averages, later) != averages.ema
    assert get_stable_price(changed, later) == get_stable_price(averages, later) != averages.stable.price
    for ago in (0, 1, 299, 300, 301, 4_000, 4_300):
        assert get_cumulative(changed, later - ago) == get_cumulative(averages, later - ago)


# --- time-weighted mean: AVG-3 --------------------------------------------------------------------------------------

Steps = list[tuple[int, int]]
steps_of_any_kind = st.lists(
    st.tuples(st.integers(10, 5_000), st.integers(1, PRICE_LIMIT - 1)), min_size=1, max_size=90
)


def integrate(steps: Steps, begin: int, end: int) -> int:
    """Price times seconds by adding up second by second intervals: what cumulatives do with two numbers."""
    total, time = 0, 0
    edges = []
    for i, (wait, price) in enumerate(steps):
        time += wait if i else 0
        edges.append((time, price))
    for (start, price), (stop, _) in zip(edges, [*edges[1:], (10**12, 0)], strict=True):
        total += price * max(0, min(stop, end) - max(start, begin))
    return total


def record_steps(steps: Steps) -> tuple[Averages, int]:
    """Averages after prices with waits between them, the first at ``NOW``; and the seconds that took."""
    after, times = 0, []
    for i, (wait, price) in enumerate(steps):
        after += wait if i else 0
        times.append((after, price))
    return record(*times), after


@given(steps_of_any_kind, st.integers(0, 1_000), st.integers(1, 20_000))
def test_the_mean_is_the_integral_over_the_window(steps: Steps, wait: int, window: int) -> None:
    """AVG-3: rounded down; unavailable exactly when the window begins before the oldest observation remembered."""
    averages, last = record_steps(steps)
    now = last + wait
    oldest = averages.observations[0].time - NOW
    found = consult(averages, NOW + now, window)
    if now - window < oldest:
        assert found == NO_QUOTE
        with pytest.raises(ShortHistory) as refused:
            observe(averages, NOW + now, (window,))
        assert refused.value.code == "oracle/short-history"
    else:
        mean = integrate(steps, now - window, now) // window
        assert (found.bid, found.mid, found.ask) == (mean, mean, mean)
        began, ended = observe(averages, NOW + now, (window, 0))
        assert ended - began == integrate(steps, now - window, now)


def test_a_window_of_no_time_has_no_mean() -> None:
    """AVG-3."""
    assert consult(record((0, W), (10, W)), NOW + 10, 0) == NO_QUOTE


def test_before_the_first_observation_there_is_nothing() -> None:
    """AVG-3 to AVG-6."""
    empty = create_averages(CONFIG)
    assert consult(empty, NOW, 1) == NO_QUOTE
    assert get_ema(empty, NOW) == get_stable_price(empty, NOW) == 0
    assert [get_average_quote(empty, NOW, key) for key in range(5)] == [NO_QUOTE] * 5
    with pytest.raises(ShortHistory):
        observe(empty, NOW, (0,))
    assert observe(empty, NOW, ()) == ()


def test_the_memory_is_64_observations() -> None:
    """AVG-3: the 65th makes the first forgotten, to the second."""
    averages = record(*((10 * i, W + i) for i in range(HISTORY)))
    assert get_cumulative(averages, NOW) == 0
    averages, _ = process_update(averages, NOW + 640, at(W, NOW + 640))
    assert get_cumulative(averages, NOW + 10) == 10 * W
    with pytest.raises(ShortHistory):
        get_cumulative(averages, NOW + 9)


def test_a_price_of_this_second_has_no_weight() -> None:
    """AVG-3, AVG-4, AVG-5: whatever is printed, no average of the same second knows it."""
    averages = record((0, 100 * W), (600, 100 * W), (1_200, 100 * W))
    now = NOW + 1_800
    spiked, events = process_update(averages, now, at(10_000 * W, now))
    assert events
    for key in Average:
        assert get_average_quote(spiked, now, key).mid == 100 * W
        assert get_average_quote(spiked, now + 1, key).mid > 100 * W


# --- exponential mean: AVG-4 ----------------------------------------------------------------------------------------

prices = st.integers(1, PRICE_LIMIT - 1)


def is_within_clamp(ema: int, price: int, config: AveragesConfig = CONFIG) -> bool:
    """Whether a price enters as it is."""
    return ema * (BPS - config.clamp) <= price * BPS <= ema * (BPS + config.clamp)


@given(prices, st.integers(-1_000, 1_000), st.integers(0, 100_000))
def test_the_exponential_mean_is_the_formula(ema: int, bps: int, seconds: int) -> None:
    """AVG-4: within the clamp, the true formula to three wei and one part in 10^18, and rounded down."""
    price = max(1, min(PRICE_LIMIT - 1, ema + ema * bps // 10_001))
    with localcontext() as context:
        context.prec = 80
        kept = (-Decimal(seconds) / CONFIG.tau).exp()
        true = price * (1 - kept) + ema * kept
        assert abs(true - compute_ema(ema, price, seconds, CONFIG)) < 3 + Decimal(abs(price - ema) * 3) / W


@given(prices, prices, st.integers(0, 10**6), st.integers(1, BPS))
def test_the_exponential_mean_stays_between_itself_and_the_price(
    ema: int, price: int, seconds: int, clamp: int
) -> None:
    """AVG-4: it never overshoots, and is never 0."""
    found = compute_ema(ema, price, seconds, replace(CONFIG, clamp=clamp))
    assert min(ema, price) <= found <= max(ema, price)
    assert found > 0


@given(prices, prices, st.integers(0, 10**7))
def test_a_price_enters_within_the_clamp(ema: int, price: int, seconds: int) -> None:
    """AVG-4: however far the price and however long the time, one interval moves the mean by at most 10 %."""
    found = compute_ema(ema, price, seconds, CONFIG)
    assert abs(found - ema) * BPS <= CONFIG.clamp * ema
    if seconds == 10**7 and not is_within_clamp(ema, price):
        assert abs(abs(found - ema) * BPS - CONFIG.clamp * ema) <= BPS


def test_the_clamp_is_rounded_toward_the_mean() -> None:
    """AVG-4: both ends at -1, 0 and +1, with nothing kept of the old mean."""
    config, ages = replace(CONFIG, clamp=1_000), 10**9
    for price, expected in ((89, 90), (90, 90), (91, 91), (109, 109), (110, 110), (111, 110)):
        assert compute_ema(100, price, ages, config) == expected
    assert [compute_ema(105, price, ages, config) for price in (94, 95, 115, 116)] == [95, 95, 115, 115]


@given(st.lists(st.integers(10, 300), min_size=1, max_size=60), st.integers(1, 10_000))
def test_whoever_holds_the_price_moves_the_mean_at_a_bounded_pace(waits: list[int], clamp: int) -> None:
    """AVG-4: over T seconds by at most a factor e^(clamp * T / tau), however often it is updated."""
    config = replace(CONFIG, clamp=clamp)
    averages = record((0, W), config=config)
    now = NOW + 10
    averages, _ = process_update(averages, now, at(PRICE_LIMIT - 1, now))
    for wait in waits:
        now += wait
        averages, _ = process_update(averages, now, at(PRICE_LIMIT - 1, now))
    with localcontext() as context:
        context.prec = 60
        bound = (Decimal(clamp * sum(waits)) / (BPS * config.tau)).exp() * W
        assert W < averages.ema < bound + 1


def test_an_interval_is_charged_with_the_price_before() -> None:
    """AVG-4: after tau at 105, what is left of 100 is 1 / e of it, whatever comes then."""
    averages = record((0, 100 * W), (10, 105 * W))
    after, _ = process_update(averages, NOW + 610, at(300 * W, NOW + 610))
    assert after.ema == get_ema(averages, NOW + 610) == 105 * W - 5 * 367_879_441_171_442_321


# --- quotes: AVG-6 --------------------------------------------------------------------------------------------------


def test_each_key_has_its_average() -> None:
    """AVG-6: without a spread; other keys have none."""
    averages = record((0, 100 * W), (10, 200 * W))
    now = NOW + 700
    mean, ema, stable = (get_average_quote(averages, now, key).mid for key in Average)
    assert (mean, ema, stable) == (200 * W, get_ema(averages, now), get_stable_price(averages, now))
    assert len({mean, ema, stable}) == 3
    for key in Average:
        quote = get_average_quote(averages, now, key)
        assert quote.bid == quote.mid == quote.ask
    assert get_average_quote(averages, now, 0) == get_average_quote(averages, now, 4) == NO_QUOTE


def test_publish_time_and_status_are_those_of_the_last_observation_charged() -> None:
    """AVG-6: of the newest from a second after it on; in its own second of the one before."""
    averages = create_averages(CONFIG)
    averages, _ = process_update(averages, NOW, at(W, NOW - 5, Status.CAPPED))
    assert get_average_quote(averages, NOW, Average.EMA) == Quote(W, W, W, NOW - 5, Status.CAPPED)
    averages, _ = process_update(averages, NOW + 600, at(W, NOW + 590, Status.STALE_SOFT))
    for key in Average:
        assert get_average_quote(averages, NOW + 600, key) == Quote(W, W, W, NOW - 5, Status.CAPPED)
        assert get_average_quote(averages, NOW + 601, key) == Quote(W, W, W, NOW + 590, Status.STALE_SOFT)


def test_an_average_does_not_say_that_it_is_old() -> None:
    """AVG-6: staleness is for whoever reads the publish time."""
    averages = record((0, W), (600, W))
    assert get_average_quote(averages, NOW + 10**8, Average.EMA) == Quote(W, W, W, NOW + 600, 0)
