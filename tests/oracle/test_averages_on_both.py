"""Averages on both twins: every update, event, word and view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple

import pytest

from contracts_py.compile import Artifact
from contracts_py.errors import Reverted
from contracts_py.revm import RevmNode
from oracle.averages import (
    HISTORY,
    Average,
    AveragesConfig,
    consult,
    create_averages,
    get_average_quote,
    get_ema,
    get_stable_price,
    observe,
    process_update,
)
from oracle.errors import BadAverageConfig, ShortHistory
from oracle.stable import HOURS
from protocol.env import NO_QUOTE, Quote
from protocol.units import PRICE_LIMIT, W
from tests.oracle.calls import key_of
from tests.oracle.drawing import Draw
from tests.oracle.following import KEY, START, Deployed, Source, compile_here, fields_of, set_time

NAME = "oracles/Averages"
CONFIGS = (
    AveragesConfig(gap=10, window=600, tau=600, clamp=1_000),
    AveragesConfig(gap=30, window=1_800, tau=3_600, clamp=100),
    AveragesConfig(gap=600, window=63 * 600, tau=604_800, clamp=10_000),
    AveragesConfig(gap=10, window=60, tau=60, clamp=1),
)
FIRST = CONFIGS[0]


@pytest.fixture(scope="module")
def compiled() -> dict[str, Artifact]:
    """The contract, and sources for it."""
    return compile_here(NAME, "GivenSource", "ShortSource")


class Both:
    """One source's averages in the model and on chain; everything is compared after every step."""

    def __init__(self, compiled: Mapping[str, Artifact], config: AveragesConfig = FIRST) -> None:
        node = RevmNode(START)
        self.now = START
        self.source = Source(node, compiled["GivenSource"])
        self.model = create_averages(config)
        self.contract = Deployed(
            node, compiled[NAME], "0x" + f"{self.source.address:040x}", key_of(KEY), *astuple(config)
        )
        self.check_words()

    def update(self, quote: Quote | None, after: int = 0) -> bool:
        """Have a quote recorded ``after`` some seconds; None for a source that fails. Whether it was."""
        self.now += after
        given = self.source.give(quote, self.now)
        self.model, events = process_update(self.model, self.now, given)
        answered, logs = self.contract.send("update", time=self.now)
        assert answered == bool(events)
        expected = [(type(event).__name__, tuple(map(int, astuple(event)))) for event in events]
        assert [self.contract.read_event(log) for log in logs] == expected
        self.check_words()
        return bool(events)

    def check_words(self) -> None:
        """Every stored word is what the model has; none is ever 0."""
        read = self.contract.node.storage(self.contract.address)
        slots = {
            name: at["slot"] for name, at in self.contract.artifact.layout["storage_layout"].items() if "slot" in at
        }
        model, prepared = self.model, 1 << 255
        stable = model.stable
        assert (
            read(slots["head"]) == prepared | stable.seconds << 232 | model.count << 192 | model.ema << 96 | model.price
        )
        assert read(slots["slow"]) == prepared | stable.accumulated << 96 | stable.price
        for i, price in enumerate(stable.hourly or (0,) * HOURS):
            assert read(slots["hourly"] + i) == prepared | price
        words = dict.fromkeys(range(HISTORY), prepared)
        for i, seen in enumerate(model.observations):
            number = model.count - len(model.observations) + 1 + i
            packed = int(seen.status) << 216 | seen.publish_time << 176 | seen.cumulative << 40 | seen.time
            words[number % HISTORY] = prepared | packed
        for i, word in words.items():
            assert read(slots["observations"] + i) == word

    def check_views(self, draw: Draw) -> None:
        """Every view, now; windows and times near what is remembered, and far from it."""
        set_time(self.contract.node, self.now)
        model, now, ask = self.model, self.now, self.contract.ask
        assert ask("ema") == get_ema(model, now)
        assert ask("stablePrice") == get_stable_price(model, now)
        for key in (*Average, 0, 4, 2**255 + 1):
            assert ask("quote", key_of(key)) == fields_of(get_average_quote(model, now, key))
        ages = [min(now - seen.time, 2**32 - 2) for seen in model.observations] or [100]
        for age in {0, 1, ages[0], draw.pick(ages), draw.below(ages[0] + 2)}:
            for window in {max(age - 1, 0), age, age + 1}:
                assert ask("consult", window) == fields_of(consult(model, now, window))
        ago = tuple(draw.below(ages[0] + 1) for _ in range(draw.below(17)))
        self.check_observe(ago)
        self.check_observe((ages[0] + 1, *ago[1:]))

    def check_observe(self, ago: tuple[int, ...]) -> None:
        """Both answer the same, or both refuse."""
        try:
            expected = observe(self.model, self.now, ago)
        except ShortHistory:
            with pytest.raises(Reverted) as reverted:
                self.contract.ask("observe", ago)
            assert reverted.value.reason == "oracle/short-history"
            return
        assert tuple(self.contract.ask("observe", ago)) == expected


def price_of(mid: int, publish_time: int, status: int = 0) -> Quote:
    """A quote without a spread."""
    return Quote(mid, mid, mid, publish_time, status)


def draw_quote(draw: Draw, both: Both) -> Quote | None:
    """What a source may answer: mostly a price near the one before, sometimes anything."""
    before = both.model.price or W
    kind = draw.below(20)
    near = max(1, before + before * (draw.below(2_001) - 1_000) // 10_000)
    far = 10 ** draw.below(29) * (1 + draw.below(9))
    mid = (
        near if kind < 12 else far if kind < 16 else draw.pick((0, 1, 2, 10, PRICE_LIMIT - 1, PRICE_LIMIT, 2**256 - 1))
    )
    status = draw.pick((0,) * 12 + (2, 128, 130, 1, 4, 2048, 8192, 2**255))
    published = both.now - draw.pick((0, 0, 0, 0, 1, 5, 60, 4_000, -1, -(2**60)))
    return None if draw.below(40) == 0 else Quote(draw.pick((mid, 0, 2**255)), mid, mid, published, status)


def tell(both: Both, draw: Draw, steps: int, config: AveragesConfig) -> int:
    """Random updates, each compared; how many had an effect."""
    gap = config.gap
    waits = (0, 1, gap - 1, gap, gap, gap, gap + 1, 12, 60, 599, 600, 601, 3_599, 3_600, 3_601)
    long_waits = (86_399, 86_400, 86_401, 90_000, 10**6, 10**8)
    recorded = 0
    for _ in range(steps):
        both.now += draw.pick(long_waits) if draw.below(60) == 0 else draw.pick(waits)
        recorded += both.update(draw_quote(draw, both))
        both.check_views(draw)
    return recorded


@pytest.mark.parametrize("number", range(len(CONFIGS)))
def test_random_sources_on_both(compiled: dict[str, Artifact], number: int) -> None:
    """AVG-2 to AVG-6."""
    both = Both(compiled, CONFIGS[number])
    both.check_views(Draw("nothing yet"))
    assert tell(both, Draw(f"averages {number}"), 150, CONFIGS[number]) > 30


@pytest.mark.deep
@pytest.mark.parametrize("part", range(20))
@pytest.mark.parametrize("number", range(len(CONFIGS)))
def test_many_random_sources_on_both(compiled: dict[str, Artifact], number: int, part: int) -> None:
    """AVG-2 to AVG-6: 12,000 steps."""
    both = Both(compiled, CONFIGS[number])
    assert tell(both, Draw(f"deep averages {number} {part}"), 150, CONFIGS[number]) > 30


def test_the_memory_wraps_on_both(compiled: dict[str, Artifact]) -> None:
    """AVG-3: through twice its length, with every second of it asked for around the wraps."""
    both, draw = Both(compiled), Draw("wraps")
    for number in range(1, 2 * HISTORY + 3):
        assert both.update(price_of(W + number, both.now), 10)
        if number % HISTORY in {0, 1, 2, 3, 62, 63}:
            both.check_views(draw)
            age = both.now - both.model.observations[0].time
            for first in range(0, age + 1, 16):
                both.check_observe(tuple(range(first, min(first + 16, age + 1))))
            both.check_observe((age + 1,))
    assert both.contract.ask("quote", key_of(Average.TWAP))[0] != 0


def test_each_hour_of_a_day_on_both(compiled: dict[str, Artifact]) -> None:
    """AVG-5: hours one by one, then jumps of 1 to 50 hours."""
    both, draw = Both(compiled), Draw("hours")
    for hours in (*(1,) * 50, *range(1, 51)):
        price = max(1, both.model.price or W) * (95 + draw.below(12)) // 100
        both.now += (hours - 1) * 3_600 + draw.below(3_600)
        both.update(price_of(price, both.now))
        both.check_views(draw)
        both.update(price_of(price * 101 // 100, both.now), 10 + draw.below(100))
        both.check_views(draw)


@pytest.mark.parametrize("price", [1, 2, 10, PRICE_LIMIT - 1])
def test_the_smallest_and_largest_prices_on_both(compiled: dict[str, Artifact], price: int) -> None:
    """AVG-3 to AVG-5: no overflow, however long they hold."""
    both, draw = Both(compiled), Draw("limits")
    for wait in (0, 10, 600, 3_600, 10**9, 10**11, 10**12 - 10**11 - 10**9 - START - 10**6):
        assert both.update(price_of(price, both.now), wait)
        both.check_views(draw)
        assert both.update(price_of(PRICE_LIMIT - price, both.now), 10)
        both.check_views(draw)


def test_configurations_are_refused_alike_on_both(compiled: dict[str, Artifact]) -> None:
    """AVG-6: oracle/average-config, each parameter at both ends and outside."""
    good = astuple(FIRST)
    source, node = "0x" + "11" * 20, RevmNode(START)
    for place, values in enumerate(
        ((9, 10, 600, 601), (59, 60, 630, 631), (59, 60, 604_800, 604_801), (0, 1, 10_000, 10_001))
    ):
        for value in (*values, 2**256 - 1):
            chosen = (*good[:place], value, *good[place + 1 :])
            try:
                create_averages(AveragesConfig(*chosen))
            except BadAverageConfig:
                with pytest.raises(Reverted) as reverted:
                    Deployed(node, compiled[NAME], source, key_of(KEY), *chosen)
                assert reverted.value.reason == "oracle/average-config"
            else:
                Deployed(node, compiled[NAME], source, key_of(KEY), *chosen)


def test_a_source_that_cannot_be_read_records_nothing(compiled: dict[str, Artifact]) -> None:
    """AVG-2: no contract, another key, too short an answer, a revert: no effect and no refusal."""
    node = RevmNode(START)
    short, given = Deployed(node, compiled["ShortSource"]), Source(node, compiled["GivenSource"])
    given.give(price_of(W, START), START)
    for address, key in ((0x1234, KEY), (short.address, KEY), (given.address, KEY + 1)):
        contract = Deployed(node, compiled[NAME], f"0x{address:040x}", key_of(key), *astuple(FIRST))
        assert contract.send("update", time=START) == (False, ())
        assert contract.ask("quote", key_of(Average.EMA)) == fields_of(NO_QUOTE)
    both = Both(compiled)
    assert not both.update(None)
    assert both.update(price_of(W, START))
    assert not both.update(None, 10)
