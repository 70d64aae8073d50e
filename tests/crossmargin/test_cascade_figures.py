"""The figures of the pages on cascades: crashes with a price response, and how often whole runs say the same."""

from __future__ import annotations

import re
from functools import cache

import pytest

from crossmargin.library import SCENARIOS
from crossmargin.replay.cascade_totals import FeedMoves
from crossmargin.replay.run import Replay
from crossmargin.scenario_records import Scenario
from crossmargin.text import dollars
from crossmargin.variants import load_variant, read_variant
from protocol.units import BPS, W
from tests.crossmargin.cascades import brute_generations, find_keys, local_generations
from tests.specs.pages import SPECS

CRASHES = ("crash_2020_03", "crash_2022_05", "crash_2022_06", "crash_2025_02", "crash_2025_10")
LOOKED_AT = ("crash_2022_05", "crash_2025_02", "crash_2025_10")
BTC, ETH = 0, 1


@cache
def load(name: str, response: str = "{half_life: 30m, depth: {BTC: 20000000, ETH: 8000000}}") -> Scenario:
    return load_variant(SCENARIOS.find(name), read_variant([f"price_response={response}"]))


def play(scenario: Scenario) -> Replay:
    run = Replay(scenario, "model", None)
    for _ in run.play():
        pass
    return run


def percent(moves: FeedMoves) -> str:
    cut = -moves.lowest * BPS // W
    return f"-{cut // 100}.{cut % 100:02} %"


@pytest.mark.deep
@pytest.mark.parametrize("name", CRASHES)
def test_the_page_has_the_figures_of_a_crash_with_a_response(name: str) -> None:
    plain, moved = (play(scenario).totals for scenario in (load(name, "0"), load(name)))
    cascade = moved.cascade
    assert set(cascade.liquidations) == {1, 2}
    cells = (
        name,
        f"{plain.liquidations}, {moved.liquidations}",
        str(cascade.liquidations[2]),
        dollars(cascade.notional[2]),
        f"{dollars(plain.bad_debt)}, {dollars(moved.bad_debt)}",
        f"{percent(cascade.feeds[BTC])}, {percent(cascade.feeds[ETH])}",
    )
    assert f"| {' | '.join(cells)} |" in (SPECS / "cascade.md").read_text("utf-8").splitlines()


@pytest.mark.deep
def test_the_decision_says_how_often_whole_runs_agree() -> None:
    asked, same, looked_at, elsewhere = 0, 0, 0, 0
    for name in CRASHES:
        local, brute = local_generations(load(name)), brute_generations(load(name))
        others = [key for key in local if local[key] != brute.get(key)]
        asked += len(local)
        same += len(local) - len(others)
        if name in LOOKED_AT:
            without = {account for account, _ in find_keys(load(name), set())}
            looked_at += len(others)
            elsewhere += sum(account in without for account, _ in others)
    text = re.sub(r"\s+", " ", (SPECS / "decisions" / "0017-price-response.md").read_text("utf-8"))
    assert f"{asked} liquidations were asked both ways. For {same} the answers are the same." in text
    assert f"{looked_at} were looked at, in May 2022, February and October 2025: {elsewhere} are of accounts" in text
