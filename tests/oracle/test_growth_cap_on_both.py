"""The growth cap on both twins and the case of March 2026."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple

import pytest

from contracts_py.compile import Artifact
from contracts_py.errors import Reverted
from contracts_py.keys import address_of
from contracts_py.revm import RevmNode
from oracle.growth_cap import (
    GrowthCapConfig,
    SetSnapshot,
    Snapshot,
    SnapshotSet,
    compute_cap,
    create_growth_cap,
    get_capped_quote,
    get_ratio,
    is_capped,
    process_advance,
    process_set_snapshot,
)
from protocol.env import NO_QUOTE, Quote, Status
from protocol.errors import Refusal
from protocol.units import DAY, PRICE_LIMIT, W
from tests.oracle.calls import key_of
from tests.oracle.drawing import Draw
from tests.oracle.following import KEY, START, Deployed, Source, compile_here, fields_of, set_time

NAME = "oracles/GrowthCap"
FIRST = GrowthCapConfig(growth=1_000, min_delay=DAY, max_term=30 * DAY, tolerance=100, max_drop=500, interval=2 * DAY)
CONFIGS = (
    FIRST,
    GrowthCapConfig(growth=968, min_delay=7 * DAY, max_term=180 * DAY, tolerance=500, max_drop=1_000, interval=0),
    GrowthCapConfig(growth=10_000, min_delay=3_600, max_term=3_601, tolerance=1, max_drop=5_000, interval=0),
    GrowthCapConfig(growth=1, min_delay=3_600, max_term=7_200, tolerance=500, max_drop=1, interval=7_200),
)


@pytest.fixture(scope="module")
def compiled() -> dict[str, Artifact]:
    """The contract, and sources for it."""
    return compile_here(NAME, "GivenSource", "ShortSource")


def rate_of(mid: int, status: int = 0, publish_time: int = START) -> Quote:
    """A rate without a spread."""
    return Quote(mid, mid, mid, publish_time, status)


def deploy(
    node: RevmNode,
    compiled: Mapping[str, Artifact],
    source: int,
    config: GrowthCapConfig,
    snapshot: Snapshot,
    key: int = KEY,
) -> Deployed:
    """The contract with its first snapshot. Raises ``Reverted`` where it is refused."""
    where, admin = f"0x{source:040x}", f"0x{address_of('admin'):040x}"
    arguments = (admin, where, key_of(key), *astuple(config), *astuple(snapshot))
    return Deployed(node, compiled[NAME], *arguments, time=START)


class Both:
    """One rate's bound in the model and on chain; everything is compared after every step."""

    def __init__(self, compiled: Mapping[str, Artifact], config: GrowthCapConfig, ratio: int) -> None:
        node = RevmNode(START)
        self.now = START
        self.source = Source(node, compiled["GivenSource"])
        self.live = self.source.give(rate_of(ratio), self.now)
        snapshot = Snapshot(ratio, self.now - config.min_delay)
        self.model, _ = create_growth_cap(address_of("admin"), config, snapshot, self.now, self.live)
        self.contract = deploy(node, compiled, self.source.address, config, snapshot)
        self.check_views()

    def give(self, quote: Quote | None, after: int = 0) -> None:
        """The rate some seconds later; None for a source that fails."""
        self.now += after
        self.live = self.source.give(quote, self.now)
        self.check_views()

    def advance(self) -> bool:
        """Ask both to advance; whether they did."""
        self.model, events = process_advance(self.model, self.now, self.live)
        answered, logs = self.contract.send("advance", time=self.now)
        assert answered == bool(events)
        assert [self.contract.read_event(log) for log in logs] == [self.told(event) for event in events]
        self.check_views()
        return bool(events)

    def set_snapshot(self, ratio: int, time: int, sender: str = "admin") -> str:
        """Set a snapshot on both: the code of the refusal, empty for none."""
        action = SetSnapshot(ratio, time)
        try:
            self.model, events = process_set_snapshot(self.model, self.now, address_of(sender), action, self.live)
        except Refusal as refusal:
            with pytest.raises(Reverted) as reverted:
                self.contract.send("setSnapshot", ratio, time, time=self.now, sender=sender)
            assert reverted.value.reason == refusal.code
            return refusal.code
        _, logs = self.contract.send("setSnapshot", ratio, time, time=self.now, sender=sender)
        assert [self.contract.read_event(log) for log in logs] == [self.told(event) for event in events]
        self.check_views()
        return ""

    def told(self, event: SnapshotSet) -> tuple[str, tuple[int, ...]]:
        """An event as the chain tells it."""
        return type(event).__name__, astuple(event)

    def check_views(self) -> None:
        """Every view, now."""
        set_time(self.contract.node, self.now)
        model, now, ask = self.model, self.now, self.contract.ask
        quote = get_capped_quote(model, now, self.live)
        assert ask("quote", key_of(0)) == ask("quote", key_of(2**256 - 1)) == fields_of(quote)
        assert ask("getRatio") == get_ratio(self.live)
        assert ask("getMaxRatio") == compute_cap(model.snapshot, model.config.growth, now)
        assert ask("isCapped") == is_capped(model, now, self.live)
        assert ask("latestAnswer") == quote.mid
        assert ask("getSnapshot") == astuple(model.snapshot)


def draw_rate(draw: Draw, both: Both) -> Quote | None:
    """What a source may answer: mostly a rate near the cap or the snapshot, sometimes anything."""
    config, ratio = both.model.config, both.model.snapshot.ratio
    cap = compute_cap(both.model.snapshot, config.growth, both.now)
    borders = (
        ratio,
        cap,
        ratio * (10_000 - config.max_drop) // 10_000,
        cap * 10_000 // (10_000 - config.tolerance),
        ratio + ratio * draw.below(1_000) // 10_000,
    )
    kind = draw.below(20)
    near = draw.pick(borders) + draw.below(5) - 2
    mid = near if kind < 15 else draw.pick((0, 1, ratio // 2, cap * 3 // 2, PRICE_LIMIT - 1, PRICE_LIMIT, 2**256 - 1))
    mid = max(0, mid)
    spread = draw.pick((0, 0, 1, mid // 100))
    sides = (max(0, mid - spread), mid, min(2**256 - 1, mid + spread))
    status = draw.pick((0,) * 12 + (2, 4, 128, 2048, 2**255))
    published = draw.pick((both.now, both.now - 60, 0, 2**256 - 1))
    return None if draw.below(40) == 0 else Quote(*sides, published, status)


def draw_snapshot(draw: Draw, both: Both) -> tuple[int, int]:
    """Ratio and time that an admin may choose: at the limits, or just outside."""
    config = both.model.config
    oldest = min(config.max_term, both.now - both.model.snapshot.time - 1)
    age = draw.pick((config.min_delay, config.max_term, oldest)) + draw.pick((-1, 0, 0, 0, 1))
    ratio = draw.pick((get_ratio(both.live), get_ratio(both.live), both.model.snapshot.ratio))
    ratio += ratio * draw.pick((-1, 0, 0, 1)) * config.tolerance // 10_000 + draw.below(3) - 1
    return draw.pick((max(0, ratio),) * 9 + (0, 2**256 - 1)), both.now - age


def tell(both: Both, draw: Draw, steps: int) -> tuple[int, int]:
    """Random rates, advances and snapshots, each compared; how many snapshots were set and advanced."""
    config, placed, advanced = both.model.config, 0, 0
    waits = (0, 1, 60, 3_600, 7_199, 7_200, DAY, config.min_delay, config.interval or DAY, config.max_term)
    for _ in range(steps):
        calm = rate_of(both.model.snapshot.ratio + draw.below(3))
        both.give(calm if draw.below(3) == 0 else draw_rate(draw, both), draw.pick(waits))
        if draw.below(3) == 0:
            advanced += both.advance()
        if draw.below(2) == 0:
            sender = draw.pick(("admin",) * 9 + ("stranger",))
            placed += both.set_snapshot(*draw_snapshot(draw, both), sender) == ""
    return placed, advanced


@pytest.mark.parametrize("number", range(len(CONFIGS)))
@pytest.mark.parametrize("ratio", [W, 10**6, 2**90])
def test_random_rates_on_both(compiled: dict[str, Artifact], number: int, ratio: int) -> None:
    """CAP-1 to CAP-5."""
    both = Both(compiled, CONFIGS[number], ratio)
    placed, advanced = tell(both, Draw(f"cap {number} {ratio}"), 60)
    assert placed > 0
    assert (advanced > 0) == (CONFIGS[number].interval > 0)


@pytest.mark.deep
@pytest.mark.parametrize("part", range(25))
@pytest.mark.parametrize("number", range(len(CONFIGS)))
def test_many_random_rates_on_both(compiled: dict[str, Artifact], number: int, part: int) -> None:
    """CAP-1 to CAP-5: 12,000 steps."""
    both = Both(compiled, CONFIGS[number], 10 ** (5 + part % 22))
    tell(both, Draw(f"deep cap {number} {part}"), 120)


def test_each_refusal_of_a_snapshot_on_both(compiled: dict[str, Artifact]) -> None:
    """CAP-2: one by one, in the order of the checks, at the limits of every number."""
    both = Both(compiled, FIRST, W)
    both.give(rate_of(W), 40 * DAY)
    time = both.now - 2 * DAY
    assert both.set_snapshot(0, 0, "stranger") == "role/not-admin"
    assert both.set_snapshot(0, both.model.snapshot.time) == "oracle/cap-time"
    both.give(NO_QUOTE)
    assert both.set_snapshot(0, time) == both.set_snapshot(PRICE_LIMIT, time) == "sys/domain"
    assert both.set_snapshot(2**256 - 1, 2**48 - 1) == "sys/domain"
    assert both.set_snapshot(2 * W, both.now) == "oracle/cap-source"
    both.give(None)
    assert both.set_snapshot(W, time) == "oracle/cap-source"
    both.give(rate_of(W, Status.STALE_SOFT))
    assert both.set_snapshot(W, time) == "oracle/cap-source"
    both.give(rate_of(W))
    for age in (30 * DAY + 1, DAY - 1, 0):
        assert both.set_snapshot(2 * W, both.now - age) == "oracle/cap-time"
    assert both.set_snapshot(W, 2**48 - 1) == "oracle/cap-time"
    assert both.set_snapshot(PRICE_LIMIT - 1, time) == both.set_snapshot(1, time) == "oracle/cap-ratio"
    assert both.set_snapshot(W - W // 100, time) == "oracle/cap-below-live"
    assert both.set_snapshot(W, both.now - 30 * DAY) == ""
    assert both.set_snapshot(W + W // 100, time) == ""
    assert both.set_snapshot(W, time) == "oracle/cap-time"


def test_every_refusal_at_creation_on_both(compiled: dict[str, Artifact]) -> None:
    """CAP-5: each parameter at both ends and outside; the first snapshot like any other."""
    node = RevmNode(START)
    source = Source(node, compiled["GivenSource"])
    good = astuple(FIRST)
    limits: tuple[tuple[int, ...], ...] = (
        (0, 1, 10_000, 10_001),
        (3_599, 3_600, DAY, DAY + 1),
        (DAY, 2 * DAY, 180 * DAY, 180 * DAY + 1),
        (0, 1, 500, 501),
        (0, 1, 5_000, 5_001),
        (0, 1, 2 * DAY - 1, 2 * DAY, 30 * DAY, 30 * DAY + 1),
    )
    tried = [(GrowthCapConfig(*good), W, DAY)]
    for place, values in enumerate(limits):
        chosen = [(*good[:place], value, *good[place + 1 :]) for value in (*values, 2**255 - 1)]
        tried += [(GrowthCapConfig(*numbers), W, DAY) for numbers in chosen]
    tried += [(FIRST, ratio, DAY) for ratio in (0, PRICE_LIMIT, 2 * W, W - W // 1_000)]
    tried += [(FIRST, W, age) for age in (DAY - 1, 30 * DAY, 30 * DAY + 1)]
    outcomes = set()
    for live in (source.give(rate_of(W), START), source.give(NO_QUOTE, START)):
        source.give(live, START)
        for config, ratio, age in tried:
            snapshot = Snapshot(ratio, START - age)
            try:
                create_growth_cap(address_of("admin"), config, snapshot, START, live)
            except Refusal as refusal:
                outcomes.add(refusal.code)
                with pytest.raises(Reverted) as reverted:
                    deploy(node, compiled, source.address, config, snapshot)
                assert reverted.value.reason == refusal.code
            else:
                deploy(node, compiled, source.address, config, snapshot)
    of_a_snapshot = {"oracle/cap-source", "oracle/cap-time", "oracle/cap-ratio", "oracle/cap-below-live"}
    assert outcomes == {"sys/domain", "oracle/cap-config", *of_a_snapshot}


def test_a_source_that_cannot_be_read_has_no_rate(compiled: dict[str, Artifact]) -> None:
    """CAP-4, CAP-5: views answer; without a first rate there is no bound."""
    both = Both(compiled, FIRST, W)
    both.give(None, 2 * DAY)
    assert not both.advance()
    assert both.contract.ask("quote", key_of(0)) == (0, 0, 0, 0, 8_193)
    node = RevmNode(START)
    short, given = Deployed(node, compiled["ShortSource"]), Source(node, compiled["GivenSource"])
    given.give(rate_of(W), START)
    for address, key in ((0x1234, KEY), (short.address, KEY), (given.address, KEY + 1)):
        with pytest.raises(Reverted, match="oracle/cap-source"):
            deploy(node, compiled, address, FIRST, Snapshot(W, START - DAY), key)


# --- 10 March 2026 --------------------------------------------------------------------------------------------------

# From the reports: the snapshot's ratio could rise by at most 3 % in 3 days, its time was moved to 7 days before now
# at once, and the cap that followed was 2.85 % below the live rate of about 1.23. The growth bound and the ratio
# before are chosen so that these figures come out.
CAPO = GrowthCapConfig(growth=968, min_delay=7 * DAY, max_term=180 * DAY, tolerance=100, max_drop=500, interval=0)
LIVE = 1_229_000_000_000_000_000
RATIO_BEFORE = 1_157_000_000_000_000_000
LIMITED = RATIO_BEFORE * 103 // 100


def below_live(rate: int) -> int:
    """How far below the live rate, in hundredths of a per cent, rounded to the nearest."""
    return ((LIVE - rate) * 20_000 // LIVE + 1) // 2


def test_the_pair_of_march_2026_is_refused_on_both(compiled: dict[str, Artifact]) -> None:
    """CAP-2: a ratio that moved 3 % with a time that moved all the way."""
    both = Both(compiled, CAPO, LIVE * 98 // 100)
    both.give(rate_of(LIVE), 170 * DAY)
    time = both.now - 7 * DAY
    cap = compute_cap(Snapshot(LIMITED, time), CAPO.growth, both.now)
    assert below_live(cap) == 285
    assert both.set_snapshot(LIMITED, time) == "oracle/cap-ratio"
    assert both.contract.ask("latestAnswer") == LIVE
    # Even where the tolerance is wide, the cap that would follow is below the live rate.
    wide = Both(compiled, GrowthCapConfig(968, 7 * DAY, 180 * DAY, 500, 500, 0), LIVE * 98 // 100)
    wide.give(rate_of(LIVE), 170 * DAY)
    assert wide.set_snapshot(LIMITED, wide.now - 7 * DAY) == "oracle/cap-below-live"
    # The ratio that the rate had seven days before is accepted, and caps nothing.
    week_ago = LIVE - LIVE * 3 * 7 // 36_500
    assert wide.set_snapshot(week_ago, wide.now - 7 * DAY) == ""
    assert wide.contract.ask("latestAnswer") == LIVE
