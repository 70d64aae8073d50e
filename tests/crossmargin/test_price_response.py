"""Prices that respond to liquidations: what is left of an impulse, how an answer moves, and that 0 is nothing."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts_py.keys import address_of
from crossmargin.errors import InputError
from crossmargin.library import SCENARIOS
from crossmargin.price_response import ResponseSpec
from crossmargin.replay.cascade_totals import FeedMoves
from crossmargin.replay.command import replay
from crossmargin.replay.response import (
    MovedAnswer,
    PriceResponse,
    compute_left,
    compute_response,
    move_answer,
)
from crossmargin.replay.run import Done, Replay
from crossmargin.replay.world import World, new_world
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import Scenario
from crossmargin.variants import load_variant, read_variant
from oracle.feeds import Push
from protocol.events import PositionUpdated
from protocol.units import W
from tests.crossmargin.loading import HEADER, Loader

CASCADE = SCENARIOS.find("cascade")
HOUR = 3_600
BTC, ETH = 0, 1  # feeds and markets
PERCENT = W // 100
ages = st.integers(0, 400 * HOUR)
amounts = st.integers(-(10**12) * W, 10**12 * W)
half_lives = st.integers(1, 30 * HOUR)


@pytest.fixture
def load(tmp_path: Path) -> Loader:
    return Loader(tmp_path)


def play(scenario: Scenario) -> list[Done]:
    return list(Replay(scenario, "model", None).play())


# --- what is left of an impulse -------------------------------------------------------------------------------------


@given(amount=amounts, halvings=st.integers(0, 130), half_life=half_lives)
def test_at_each_half_life_exactly_half_is_left(amount: int, halvings: int, half_life: int) -> None:
    left = compute_left(amount, halvings * half_life, half_life)
    assert abs(left) == abs(amount) // 2**halvings
    assert left * amount >= 0


@given(amount=amounts, age=ages, later=ages, half_life=half_lives)
def test_what_is_left_never_grows_and_never_changes_sign(amount: int, age: int, later: int, half_life: int) -> None:
    left, after = compute_left(amount, age, half_life), compute_left(amount, age + later, half_life)
    assert abs(after) <= abs(left) <= abs(amount)
    assert after * amount >= 0


def test_between_half_lives_it_falls_in_a_straight_line_rounded_toward_zero() -> None:
    assert [compute_left(1_000, minutes * 60, HOUR) for minutes in (0, 15, 30, 45, 60, 90)] == [
        1_000, 875, 750, 625, 500, 375,
    ]  # fmt: skip
    assert [compute_left(amount, 1, 2) for amount in (7, -7)] == [5, -5]  # 5.25
    assert [compute_left(amount, 2, 2) for amount in (7, -7)] == [3, -3]


@given(amount=amounts, half_life=half_lives)
def test_of_every_impulse_nothing_is_left_in_the_end(amount: int, half_life: int) -> None:
    assert compute_left(amount, 100 * half_life, half_life) == 0


# --- how an answer moves --------------------------------------------------------------------------------------------


def test_a_depth_of_dollars_moves_a_price_by_one_percent() -> None:
    assert compute_response(5_000 * W, 5_000 * W) == PERCENT
    assert compute_response(-10_000 * W, 5_000 * W) == -2 * PERCENT
    assert [compute_response(left, 3 * W) for left in (1, 299, 301, -299, -301)] == [0, 0, 1, 0, -1]


def test_upwards_is_times_and_downwards_is_through() -> None:
    assert move_answer(20_000, 2 * PERCENT) == 20_400
    assert move_answer(20_000, -2 * PERCENT) == 19_607  # 19607.84
    assert move_answer(20_000, 0) == 20_000


@given(answer=st.integers(1, 10**20), response=st.integers(-(10**6) * W, 10**6 * W))
def test_a_price_stays_one_and_moves_the_way_it_was_pushed(answer: int, response: int) -> None:
    moved = move_answer(answer, response)
    assert moved >= 1
    assert moved >= answer if response >= 0 else moved <= answer


def test_what_is_no_price_stays_none() -> None:
    assert [move_answer(answer, response) for answer in (0, -5) for response in (PERCENT, -PERCENT)] == [0, 0, -5, -5]


def test_the_largest_answer_is_what_a_contract_can_be_sent() -> None:
    """specs/cascade.md: a depth of next to nothing asks for more; the hub refuses it as it refuses what is told."""
    assert move_answer(2**200, 10**30 * W) == 2**255 - 1
    assert move_answer(2**255 - 1, PERCENT) == move_answer(2**255 - 1, 0) == 2**255 - 1


def test_the_least_price_is_one() -> None:
    assert move_answer(1, -PERCENT) == 1
    assert move_answer(5, -(10**6) * W) == 1


# --- impulses of a run ----------------------------------------------------------------------------------------------


def fill(market: int, size_delta: int, price: int) -> PositionUpdated:
    return PositionUpdated(7, market, 0, 0, 0, size_delta, price, 0, 0, 0, 0)


@pytest.fixture
def world() -> World:
    """Two markets, both on feed 1."""
    found = next(done.world for done in Replay(load_scenario(CASCADE, address_of), "model", None).play() if done.moved)
    params = tuple(replace(market, feed=ETH) for market in found.protocol.market_params)
    return World(replace(found.protocol, market_params=params), found.oracle)


def push(response: PriceResponse, now: int, *answers: int) -> tuple[MovedAnswer, ...]:
    return response.move(now, Push(tuple(range(len(answers))), answers))


def test_closing_a_long_sells_and_closing_a_short_buys(world: World) -> None:
    response = PriceResponse(ResponseSpec(HOUR, {ETH: 1_000 * W}))
    response.take_fills(0, world, (fill(ETH, -10 * W, 200 * W),), 1)
    assert push(response, 0, 5, 20_000) == (MovedAnswer(ETH, (20_000, 19_607), -2_000 * W, -2 * PERCENT),)
    response.take_fills(0, world, (fill(ETH, 30 * W, 100 * W),), 2)
    assert push(response, 0, 5, 20_000) == (MovedAnswer(ETH, (20_000, 19_607, 20_200), 1_000 * W, PERCENT),)


def test_two_markets_of_one_feed_add_up_each_by_its_depth(world: World) -> None:
    response = PriceResponse(ResponseSpec(HOUR, {BTC: 1_000 * W, ETH: 4_000 * W}))
    response.take_fills(0, world, (fill(BTC, -1 * W, 3_000 * W), fill(ETH, -1 * W, 4_000 * W)), 1)
    assert push(response, 0, 5, 20_000) == (MovedAnswer(ETH, (20_000, 19_230), -7_000 * W, -4 * PERCENT),)


def test_each_market_is_rounded_by_itself(world: World) -> None:
    response = PriceResponse(ResponseSpec(HOUR, {BTC: 1, ETH: 3}))
    response.take_fills(0, world, (fill(BTC, -W, W), fill(ETH, 1, W)), 1)
    (moved,) = push(response, 0, 5, 20_000)
    assert moved.response == -(W * W // 100) + W // 300


def test_each_impulse_decays_from_its_own_time(world: World) -> None:
    response = PriceResponse(ResponseSpec(HOUR, {ETH: 1_000 * W}))
    response.take_fills(0, world, (fill(ETH, -W, 1_000 * W),), 1)
    response.take_fills(HOUR, world, (fill(ETH, -W, 1_000 * W),), 1)
    assert push(response, HOUR, 5, 5)[0].impulses == -1_500 * W
    assert push(response, 2 * HOUR, 5, 5)[0].impulses == -750 * W


def test_a_market_without_a_depth_makes_no_impulse(world: World) -> None:
    response = PriceResponse(ResponseSpec(HOUR, {ETH: 1_000 * W}))
    assert response.take_fills(0, world, (fill(BTC, -W, 1_000 * W),), 1) == ()
    assert push(response, 0, 5, 5) == ()


def test_a_push_that_is_none_is_left_to_the_hub(world: World) -> None:
    response = PriceResponse(ResponseSpec(HOUR, {ETH: 1_000 * W}))
    response.take_fills(0, world, (fill(ETH, -W, 1_000 * W),), 1)
    assert response.move(0, Push((0, 1), (20_000,))) == ()


# --- runs -----------------------------------------------------------------------------------------------------------


def tables(folder: Path) -> dict[str, list[Any]]:
    """Every table of a trace but what was run."""
    database = sqlite3.connect(folder / "trace.sqlite")
    try:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: database.execute(f"SELECT * FROM {name}").fetchall() for name in names if name != "run"}
    finally:
        database.close()


def test_a_response_of_0_is_the_plain_replay(tmp_path: Path) -> None:
    text = CASCADE.read_text("utf-8")
    section = text[text.index("price_response:") : text.index("\naccounts:")]
    assert len(section.splitlines()) == 3  # the steps keep their lines
    found = []
    for number, instead in enumerate(("#\n#\n#\n", "price_response: 0\n#\n#\n", section)):
        path = tmp_path / "told.yaml"
        path.write_text(text.replace(section, instead), "utf-8")
        scenario, folder = load_scenario(path, address_of), tmp_path / str(number)
        run = replay(scenario, "model", "none", folder, lambda doing, done: None)
        found.append((tables(folder), run.result["state_digest"]))
    plain, none, responding = found
    assert plain == none
    assert plain[0]["response"] == []
    assert len(plain[0]["cascade"]) == 1
    assert plain[1] != responding[1]


def test_a_market_that_nobody_was_liquidated_in_moves_nothing() -> None:
    base = load_scenario(CASCADE, address_of)
    quiet = replace(base, response=ResponseSpec(60, {BTC: 10**15 * W}))
    plain = replace(base, response=None)
    assert [(done.code, done.events) for done in play(quiet)] == [(done.code, done.events) for done in play(plain)]


def test_only_rounds_after_a_liquidation_move() -> None:
    done = play(load_scenario(CASCADE, address_of))
    first = next(entry.number for entry in done if entry.links)
    moved = [entry for entry in done if entry.moved]
    assert len(moved) == 5
    assert all(entry.number > first for entry in moved)
    for entry in moved:
        assert entry.planned.action == Push((ETH,), (entry.moved[0].pushed,))
        assert entry.events[0].answer == entry.moved[0].pushed < entry.moved[0].told


def test_the_trace_has_each_moved_answer_with_what_moved_it(tmp_path: Path) -> None:
    scenario = load_scenario(CASCADE, address_of)
    run = replay(scenario, "model", "none", tmp_path / "run", lambda doing, done: None)
    rows = tables(tmp_path / "run")["response"]
    assert {row[1] for row in rows} == {"ETH"}
    depth = scenario.response.depths[ETH] if scenario.response else 0
    for _, _, told, pushed, impulses, response in rows:
        assert int(response) == compute_response(int(impulses), depth)
        assert int(pushed) == move_answer(int(told), int(response))
    told = run.result["price_response"]["ETH"]
    assert told["rounds"] == len(rows)
    assert told["lowest"] == "-0.079744356462003333"


def test_a_shorts_close_moves_the_price_up(load: Loader) -> None:
    text = HEADER + (
        "price_response: {half_life: 1h, depth: {ETH: 10000}}\n"
        "accounts: {squeezed: {}}\nkeepers: [kestrel]\nsteps:\n"
        "  - {at: 0s, push: {BTC: 8000, ETH: 200}}\n"
        "  - {at: 1s, by: lender, deposit_to_pool: {amount: 100000}}\n"
        "  - {at: 2s, deposit: {account: squeezed, token: USDC, amount: 1200}}\n"
        "  - {at: 3s, trade: {account: squeezed, market: ETH, size: -100}}\n"
        "  - {at: 1m, push: {ETH: 210}}\n"
        "  - {at: 1h1m1s, push: {ETH: 210}}\n"
    )
    load.path.write_text(text, "utf-8")
    scenario = load_scenario(load.path, address_of)
    run = Replay(scenario, "model", None)
    (moved,) = (entry.moved[0] for entry in run.play() if entry.moved)
    assert moved.impulses == 21_000 * W // 2
    assert moved.answers == (210 * 10**8, 210 * 10**8 * 10_105 // 10_000)
    assert run.totals.cascade.feeds == {ETH: FeedMoves(0, 21_000 * W, 1, 0, 105 * W // 10_000)}


# --- files and options ----------------------------------------------------------------------------------------------

SECTION = "price_response:\n  half_life: 30m\n  depth:\n    BTC: 40000000\n"  # begins at line 4
BAD = {
    "unknown market": (SECTION.replace("BTC", "BTCC"), (7, 5), "unknown market `BTCC`, did you mean `BTC`?"),
    "depth 0": (SECTION.replace("40000000", "0"), (7, 10), "with a depth of 0 nothing is left of the price of BTC"),
    "no depth": ("price_response: {half_life: 1m, depth: {}}\n", (4, 40), "no market responds"),
    "negative depth": (SECTION.replace("40000000", "-1"), (7, 10), "`-1` is negative, it must be 0 or more"),
    "half-life 0": (SECTION.replace("30m", "0s"), (5, 14), "a move of which nothing is left at once is none"),
    "half-life without a unit": (SECTION.replace("30m", "30"), (5, 14), "`30` is not a duration"),
    "no half-life": (SECTION.replace("  half_life: 30m\n", ""), (5, 3), "the key `half_life` is missing"),
    "another number": ("price_response: 1\n", (4, 17), "`1` is no price response"),
    "a list": ("price_response: [1]\n", (4, 17), "keys and values are needed here, not a list"),
    "depth as a number": ("price_response: {half_life: 1m, depth: 5}\n", (4, 40), "keys and values are needed here"),
}


@pytest.mark.parametrize(("section", "place", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_section_is_refused_at_its_place(
    load: Loader, section: str, place: tuple[int, int], message: str
) -> None:
    error = load.failure(HEADER + section)
    assert (error.line, error.column) == place
    assert message in error.message


def test_a_market_whose_feed_is_not_pushed_is_refused(load: Loader) -> None:
    error = load.failure(HEADER.replace("reference", "guarded") + SECTION)
    assert (error.line, error.column) == (7, 5)
    assert error.message.startswith("the feed of BTC, `BTC`, is not pushed")
    assert error.remedy == "leave the market out, or use a set in which its feed is pushed"


def test_a_variant_sets_a_depth_and_turns_the_response_off() -> None:
    assert load_variant(CASCADE, read_variant(["price_response=0"])).response is None
    deeper = load_variant(CASCADE, read_variant(["price_response.depth.ETH=80000"])).response
    assert deeper == ResponseSpec(1_800, {ETH: 80_000 * W})
    other = load_variant(CASCADE, read_variant(["price_response.depth.BTC=5", "price_response.half_life=1h"])).response
    assert other == ResponseSpec(3_600, {BTC: 5 * W, ETH: 40_000 * W})


def test_a_scenario_without_a_response_can_be_given_one() -> None:
    path = SCENARIOS.find("quiet_day")
    found = load_variant(path, read_variant(["price_response.half_life=1m", "price_response.depth.BTC=5"])).response
    assert found == ResponseSpec(60, {BTC: 5 * W})


def test_a_variant_without_a_half_life_is_refused() -> None:
    with pytest.raises(InputError, match="`half_life` is missing"):
        load_variant(SCENARIOS.find("quiet_day"), read_variant(["price_response.depth.BTC=5"]))


def test_without_a_response_nothing_moves() -> None:
    assert push(PriceResponse(None), 0, 1, 2) == ()
    assert PriceResponse(None).take_fills(0, new_world(1, 2, 3, 1), (fill(BTC, W, W),), 1) == ()
