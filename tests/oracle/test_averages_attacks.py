"""What each guard of the averages is worth: attacks on the contract with it, and without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

import pytest

from contracts_py.compile import Artifact
from contracts_py.errors import Reverted
from contracts_py.revm import RevmNode
from oracle.averages import HISTORY, Average, AveragesConfig
from oracle.stable import HOURS
from protocol.env import Status
from protocol.units import W
from tests.oracle.calls import key_of
from tests.oracle.following import KEY, START, Deployed, Source, compile_switched, set_time
from tests.oracle.test_averages_on_both import FIRST, NAME, price_of
from tests.switches import take_out

# Name of the guard -> text of the contract, text with a switch for it.
GUARDS: dict[str, tuple[str, str]] = {
    "an interval is charged with the price before": (
        "held: uint256 = head & MASK_96\n    began",
        "held: uint256 = price if REMOVED else head & MASK_96\n    began",
    ),
    "a price enters within the clamp": (
        "= max(low, min(price, high))",
        "= price if REMOVED else max(low, min(price, high))",
    ),
    "observations are a gap apart": (
        "(newest & MASK_40) < GAP or",
        "(newest & MASK_40) < (1 if REMOVED else GAP) or",
    ),
    "no publish time of the future": (
        "or publish_time > block.timestamp",
        "or (publish_time > block.timestamp and not REMOVED)",
    ),
    "publish times never go back": (
        " or publish_time < (newest >> 176) & MASK_40",
        " or (publish_time < (newest >> 176) & MASK_40 and not REMOVED)",
    ),
    "a faulty price is not recorded": (
        "status & UNRECORDED != 0",
        "(status & UNRECORDED != 0 and not REMOVED)",
    ),
    "a price that cannot be stored is not recorded": (
        "or price >= PRICE_LIMIT",
        "or (price >= PRICE_LIMIT and not REMOVED)",
    ),
    "a price of 0 is not recorded": (
        "or price == 0",
        "or (price == 0 and not REMOVED)",
    ),
    "the stable price moves at a limited rate": (
        "    return max(stable - step, min(price, stable + step))",
        "    return price if REMOVED else max(stable - step, min(price, stable + step))",
    ),
    "ten minutes count at most": (
        "counted: uint256 = min(seconds, LONGEST_STEP)",
        "counted: uint256 = seconds if REMOVED else min(seconds, LONGEST_STEP)",
    ),
    "the delayed price slows the stable price": (
        "= min(stable, delayed) * W // max(stable, delayed)",
        "= W if REMOVED else min(stable, delayed) * W // max(stable, delayed)",
    ),
    "an hour's price is near the one before": (
        "charged.ended = max(before",
        "charged.ended = charged.accumulated // charged.seconds if REMOVED else max(before",
    ),
}


@pytest.fixture(scope="module")
def switched() -> dict[str, Artifact]:
    """The contract with a switch for every guard, and the source for it."""
    return compile_switched(NAME, GUARDS)


class Attacked:
    """The contract alone, with or without a guard: prices of a source go in, averages come out."""

    def __init__(self, artifacts: Mapping[str, Artifact], config: AveragesConfig) -> None:
        node = RevmNode(START)
        self.now = START
        self.source = Source(node, artifacts["GivenSource"])
        self.contract = Deployed(node, artifacts[NAME], f"0x{self.source.address:040x}", key_of(KEY), *astuple(config))

    def update(self, price: int, after: int, published: int | None = None, status: int = 0) -> Any:
        """A price is recorded, or not: what the update answers, or the text of its revert."""
        self.now += after
        self.source.give(price_of(price, self.now if published is None else published, status), self.now)
        try:
            return self.contract.send("update", time=self.now)[0]
        except Reverted as reverted:
            return reverted.reason

    def ask(self, key: int, after: int = 0) -> int:
        """One of the averages, some seconds later."""
        self.now += after
        set_time(self.contract.node, self.now)
        mid: int = self.contract.ask("quote", key_of(key))[1]
        return mid


def build(artifacts: Mapping[str, Artifact], guard: str, removed: bool, config: AveragesConfig = FIRST) -> Attacked:
    """The contract after a quiet hour at 100, with the guard or without it."""
    attacked = Attacked(artifacts, config)
    if removed:
        take_out(attacked.contract.node, attacked.contract.address, GUARDS, guard)
    for _ in range(61):
        assert attacked.update(100 * W, 60) is True
    return attacked


def off_by(price: int) -> int:
    """How far from 100, in hundredths of a per cent, rounded to the nearest."""
    return (abs(price - 100 * W) * 200 // W + 1) // 2


@pytest.mark.parametrize(("removed", "error"), [(False, 0), (True, 952)])
def test_a_spike_within_a_block_does_not_move_the_exponential_mean(
    switched: dict[str, Artifact], removed: bool, error: int
) -> None:
    """AVG-4: ten times the price for one block, a minute after the last update; without the guard 9.5 % off."""
    wide = AveragesConfig(gap=10, window=600, tau=600, clamp=10_000)
    attacked = build(switched, "an interval is charged with the price before", removed, wide)
    assert attacked.update(1_000 * W, 60)
    assert off_by(attacked.ask(Average.EMA)) == error


@pytest.mark.parametrize(("removed", "errors"), [(False, (0, 0)), (True, (9_000, 180))])
def test_a_spike_within_a_block_moves_no_other_average(
    switched: dict[str, Artifact], removed: bool, errors: tuple[int, int]
) -> None:
    """AVG-3, AVG-5: without the guard a minute of the window has ten times the price; the stable price moves 1.8 %."""
    attacked = build(switched, "an interval is charged with the price before", removed)
    assert attacked.update(1_000 * W, 60)
    assert (off_by(attacked.ask(Average.TWAP)), off_by(attacked.ask(Average.STABLE))) == errors


@pytest.mark.parametrize(("removed", "error"), [(False, 17), (True, 1_488)])
def test_the_clamp_bounds_what_a_block_can_do(switched: dict[str, Artifact], removed: bool, error: int) -> None:
    """AVG-4: ten times the price for ten seconds: 0.17 % off, 14.9 % without the clamp."""
    attacked = build(switched, "a price enters within the clamp", removed)
    assert attacked.update(1_000 * W, 60)
    assert attacked.update(100 * W, 10)
    assert off_by(attacked.ask(Average.EMA)) == error


@pytest.mark.parametrize("removed", [False, True])
def test_nobody_can_flush_the_memory(switched: dict[str, Artifact], removed: bool) -> None:
    """AVG-2: an update in each of 64 seconds; without the gap the mean of ten minutes is gone."""
    attacked = build(switched, "observations are a gap apart", removed)
    for _ in range(HISTORY):
        assert attacked.update(100 * W, 1) in {True, False}
    assert (attacked.ask(Average.TWAP) == 0) == removed


@pytest.mark.parametrize("removed", [False, True])
def test_a_publish_time_of_the_future_does_not_stop_the_averages(switched: dict[str, Artifact], removed: bool) -> None:
    """AVG-2: without the guard nothing after it is recorded: prices double, the mean stays for ever."""
    attacked = build(switched, "no publish time of the future", removed)
    assert attacked.update(100 * W, 60, published=2**40 - 1) is removed
    assert attacked.update(200 * W, 60) is not removed
    assert attacked.ask(Average.TWAP, 600) == (100 * W if removed else 200 * W)


@pytest.mark.parametrize("removed", [False, True])
def test_an_older_price_does_not_replace_a_newer_one(switched: dict[str, Artifact], removed: bool) -> None:
    """AVG-2: a price of an hour ago, played again after a fall by half: ten minutes later the mean is twice as high."""
    attacked = build(switched, "publish times never go back", removed)
    assert attacked.update(50 * W, 60) is True
    assert attacked.update(100 * W, 10, published=attacked.now - 3_600) is removed
    assert attacked.ask(Average.TWAP, 600) == (100 * W if removed else 50 * W)


@pytest.mark.parametrize("removed", [False, True])
def test_a_price_that_sources_dispute_is_not_averaged(switched: dict[str, Artifact], removed: bool) -> None:
    """AVG-2: marked as deviated, five times the price for ten minutes."""
    attacked = build(switched, "a faulty price is not recorded", removed)
    assert attacked.update(500 * W, 60, status=Status.DEVIATED) is removed
    assert attacked.ask(Average.TWAP, 600) == (500 * W if removed else 100 * W)


@pytest.mark.parametrize("removed", [False, True])
def test_a_price_too_large_does_not_spill(switched: dict[str, Artifact], removed: bool) -> None:
    """AVG-2: without the guard it writes into the exponential mean beside it."""
    attacked = build(switched, "a price that cannot be stored is not recorded", removed)
    assert attacked.update(2**97 + 100 * W, 60) is removed
    assert (attacked.ask(Average.EMA) != 100 * W) == removed


@pytest.mark.parametrize("removed", [False, True])
def test_a_price_of_0_does_not_enter(switched: dict[str, Artifact], removed: bool) -> None:
    """AVG-2: a source that says 0 and that all is well; without the guard the mean is 0 after ten minutes."""
    attacked = build(switched, "a price of 0 is not recorded", removed)
    assert attacked.update(0, 60) is removed
    assert attacked.ask(Average.TWAP, 600) == (0 if removed else 100 * W)


@pytest.mark.parametrize(("removed", "error"), [(False, 30), (True, 90_000)])
def test_the_stable_price_follows_slowly(switched: dict[str, Artifact], removed: bool, error: int) -> None:
    """AVG-5: ten times the price for ten seconds: 0.3 %, and all of it without the limit."""
    attacked = build(switched, "the stable price moves at a limited rate", removed)
    assert attacked.update(1_000 * W, 60)
    assert off_by(attacked.ask(Average.STABLE, 10)) == error


@pytest.mark.parametrize(("removed", "error"), [(False, 1_800), (True, 9_000)])
def test_silence_gives_no_time_to_move(switched: dict[str, Artifact], removed: bool, error: int) -> None:
    """AVG-5: ten times the price, recorded before 50 minutes of silence: 18 %, without the limit 90 %."""
    attacked = build(switched, "ten minutes count at most", removed)
    assert attacked.update(1_000 * W, 60)
    assert off_by(attacked.ask(Average.STABLE, 3_000)) == error


@pytest.mark.parametrize(("removed", "error"), [(False, 7_806), (True, 19_165)])
def test_the_delayed_price_makes_the_second_hour_slower(
    switched: dict[str, Artifact], removed: bool, error: int
) -> None:
    """AVG-5: ten times the price for an hour, updated every minute: 1.8 times; without the delayed price 2.9 times."""
    attacked = build(switched, "the delayed price slows the stable price", removed)
    for _ in range(61):
        attacked.update(1_000 * W, 60)
    assert off_by(attacked.ask(Average.STABLE)) == error


@pytest.mark.parametrize("removed", [False, True])
def test_the_delayed_price_cannot_be_set_a_day_ahead(switched: dict[str, Artifact], removed: bool) -> None:
    """AVG-5: half an hour at ten times the price prepares no jump for the day after: hourly prices move by 6 %."""
    attacked = build(switched, "an hour's price is near the one before", removed)
    for _ in range(30):
        attacked.update(1_000 * W, 60)
    while attacked.now % 3_600 > 120:
        attacked.update(100 * W, 60)
    slots = attacked.contract.artifact.layout["storage_layout"]
    read = attacked.contract.node.storage(attacked.contract.address)
    hourly = [read(slots["hourly"]["slot"] + i) & (2**96 - 1) for i in range(HOURS)]
    assert (max(hourly) > 200 * W) == removed
    assert (max(hourly) <= 100 * W * 106 * 106 // 10_000) != removed
