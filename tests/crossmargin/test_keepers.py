"""Keepers of a scenario: whose turn it is, and what latency, capacity and downtime change."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts_py.keys import address_of
from crossmargin.replay.keepers import Shift, plan_shifts, take_turns
from crossmargin.replay.run import Done, Replay
from crossmargin.replay.world import new_world
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import KeeperSpec
from protocol.actions import Liquidate

START = 1_583_971_200
NAMES = ("ann", "bob", "cec", "dan", "eve")
OPENING = "".join(
    f"  - {{at: 3s, deposit: {{account: {name}, token: USDC, amount: 500}}}}\n"
    f"  - {{at: 3s, trade: {{account: {name}, market: ETH, size: 40}}}}\n"
    for name in NAMES
)
HEAD = f"""title: Five alike
params: reference
start: 2020-03-12T00:00:00Z
accounts: {{{", ".join(f"{name}: {{}}" for name in NAMES)}}}
steps:
  - {{at: 0s, push: {{BTC: 8000, ETH: 200}}}}
  - {{at: 1s, by: lender, deposit_to_pool: {{amount: 100000}}}}
{OPENING}"""
WORLD = new_world(1, 2, 3, 1)  # with nobody in it
ROUNDS = "  - {at: 1m, push: {ETH: 191}}\n  - {at: 2m, push: {ETH: 190}}\n"  # at both all five are below maintenance
ORDERS = """\
  - {at: 5s, set_orders: {market: ETH, feed: ETH, delay: 5s, window: 90s, fee: 2, cancel_fee: 1}}
  - {at: 6s, commit_order: {account: ann, market: ETH, size: -1}}
  - {at: 7s, commit_order: {account: bob, market: ETH, size: -1}}
"""  # of two who hold on: at 199 everybody does


def play(folder: Path, keepers: str, steps: str = ROUNDS) -> list[tuple[int, str]]:
    """Second and keeper of each action of keepers."""
    return [(done.time - START, done.planned.sender) for done in run(folder, keepers, steps)]


def follow(folder: Path, keepers: str, steps: str) -> list[tuple[int, str]]:
    """Second and name of each action of keepers."""
    return [(done.time - START, done.planned.name) for done in run(folder, keepers, steps)]


def run(folder: Path, keepers: str, steps: str) -> list[Done]:
    """The actions of keepers, none of them refused."""
    path = folder / "alike.yaml"
    path.write_text(f"{HEAD}{steps}keepers: {keepers}\n", "utf-8")
    scenario = load_scenario(path, address_of)
    done = [done for done in Replay(scenario, "model", None).play() if done.planned.kind == "keeper"]
    assert {entry.code for entry in done} <= {"ok"}
    return done


def shift(*keepers: KeeperSpec, number: int = 0) -> Shift:
    return Shift(0, number, keepers, None)


# --- turns ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "order"), [(0, "abcabc"), (1, "bcabca"), (5, "cabcab")])
def test_turns_begin_one_further_with_each_round(number: int, order: str) -> None:
    turns = take_turns(shift(*map(KeeperSpec, "abc"), number=number))
    assert "".join(next(turns) for _ in order) == order


def test_a_keeper_has_no_more_turns_than_its_capacity() -> None:
    turns = take_turns(shift(KeeperSpec("a", capacity=1), KeeperSpec("b", capacity=3), KeeperSpec("c", capacity=2)))
    assert "".join(turns) == "abcbcb"


def test_without_keepers_there_is_no_shift() -> None:
    assert list(plan_shifts((), WORLD, START, 0)) == []


def test_a_shift_has_the_keepers_of_one_latency_who_are_awake_when_it_is_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quick, slow = KeeperSpec("quick"), KeeperSpec("slow", latency=30)
    down = KeeperSpec("down", latency=30, downtime=((START + 30, START + 31),))
    monkeypatch.setattr("crossmargin.replay.keepers.find_liquidatable", lambda world, now, among: [7, 9])
    keepers = (slow, quick, down)
    assert list(plan_shifts(keepers, WORLD, START, 4)) == [
        Shift(START, 4, (quick,), None), Shift(START + 30, 4, (slow,), (Liquidate(7), Liquidate(9))),
    ]  # fmt: skip
    assert list(plan_shifts(keepers, WORLD, START + 1, 4))[1].keepers == (slow, down)


# --- runs -----------------------------------------------------------------------------------------------------------


def test_by_default_keepers_take_turns_until_nobody_is_left(tmp_path: Path) -> None:
    played = [(61, "kestrel"), (62, "heron"), (63, "kestrel"), (64, "heron"), (65, "kestrel")]
    assert play(tmp_path, "[heron, kestrel]") == played
    assert play(tmp_path, "{heron: {}, kestrel: {}}") == played


def test_a_capacity_leaves_accounts_to_the_next_round(tmp_path: Path) -> None:
    assert play(tmp_path, "{heron: {capacity: 1}, kestrel: {capacity: 2}}") == [
        (61, "kestrel"), (62, "heron"), (63, "kestrel"), (121, "heron"), (122, "kestrel"),
    ]  # fmt: skip


def test_a_latency_passes_before_a_keeper_acts_and_the_quick_are_first(tmp_path: Path) -> None:
    assert play(tmp_path, "{heron: {latency: 20s}, kestrel: {capacity: 3}}") == [
        (61, "kestrel"), (62, "kestrel"), (63, "kestrel"), (81, "heron"), (82, "heron"),
    ]  # fmt: skip


def test_who_sees_a_round_late_takes_whom_it_made_liquidatable_and_who_still_is(tmp_path: Path) -> None:
    recovered = "  - {at: 1m, push: {ETH: 191}}\n  - {at: 2m, push: {ETH: 200}}\n"
    assert play(tmp_path, "{heron: {latency: 61s}}", recovered) == []
    assert play(tmp_path, "{heron: {latency: 59s}}", "  - {at: 2m, push: {ETH: 191}}\n")[0] == (180, "heron")
    assert play(tmp_path, "{heron: {latency: 59s, capacity: 2}}", recovered) == [(120, "heron"), (121, "heron")]


def test_the_last_round_is_acted_on_however_late(tmp_path: Path) -> None:
    assert play(tmp_path, "{heron: {latency: 10m}}")[0] == (661, "heron")


def test_who_is_down_passes_over_the_rounds_of_that_time(tmp_path: Path) -> None:
    downtime = "[{from: 30s, until: 2m}, {from: 2020-03-12T00:02:01Z, until: 1d}]"
    assert [time for time, _ in play(tmp_path, f"{{heron: {{downtime: {downtime}}}}}")] == [121, 122, 123, 124, 125]
    assert play(tmp_path, "{heron: {latency: 30s, downtime: [{from: 90s, until: 3m}]}}") == []


# --- orders ---------------------------------------------------------------------------------------------------------


def test_an_order_counts_as_a_liquidation_does_and_comes_first(tmp_path: Path) -> None:
    """ORD-4: a round that makes nobody liquidatable is acted on for its orders alone."""
    calm = f"{ORDERS}  - {{at: 1m, push: {{ETH: 199}}}}\n"
    assert follow(tmp_path, "[heron]", calm) == [(61, "SettleOrder"), (62, "SettleOrder")]
    assert play(tmp_path, "{heron: {}, kestrel: {capacity: 1}}", calm) == [(61, "kestrel"), (62, "heron")]
    fall = f"{ORDERS}{ROUNDS}"
    assert follow(tmp_path, "{heron: {capacity: 3}}", fall)[:4] == [
        (61, "SettleOrder"), (62, "SettleOrder"), (63, "Liquidate"), (121, "Liquidate"),
    ]  # fmt: skip


def test_an_order_that_a_capacity_left_over_is_cancelled_once_it_has_expired(tmp_path: Path) -> None:
    """ORD-6: ann's order is settled at the first round, bob's has expired at the second."""
    rounds = "  - {at: 1m, push: {ETH: 199}}\n  - {at: 2m, push: {ETH: 199}}\n"
    assert follow(tmp_path, "{heron: {capacity: 1}}", ORDERS + rounds) == [(61, "SettleOrder"), (121, "CancelOrder")]


def test_who_sees_a_round_late_settles_the_orders_that_are_left(tmp_path: Path) -> None:
    calm = f"{ORDERS}  - {{at: 1m, push: {{ETH: 199}}}}\n"
    assert play(tmp_path, "{heron: {latency: 10s}, kestrel: {capacity: 1}}", calm) == [(61, "kestrel"), (71, "heron")]
    assert play(tmp_path, "{heron: {latency: 3m}}", calm) == []  # they have expired by then, which no round told
    assert play(tmp_path, "{heron: {downtime: [{from: 1m, until: 2m}]}}", calm) == []
