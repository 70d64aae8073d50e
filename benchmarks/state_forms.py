"""What the form of the state costs: ``python -m benchmarks.state_forms`` (specs/decisions/0002-state.md).

The rules are the same in every row; only the map of accounts differs, or the way a state is kept from being changed.
The mix is deposits (half), increases and reductions (a quarter each) by accounts in turn; one action in ten is
refused. Times are CPU time per action, the median of several rounds in which all forms take turns; quote ratios.
"""

from __future__ import annotations

import copy
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median
from time import process_time
from typing import Any

from crossmargin.library import PARAMETERS
from crossmargin.parameters import load_parameters
from protocol.actions import Action, Deposit, DepositToPool, SetMarket, SetRisk, Trade
from protocol.env import Env, Quote
from protocol.errors import Refusal
from protocol.records import Table
from protocol.state import Account, State, account_id, genesis
from protocol.trading import NO_LIMIT
from protocol.transition import apply
from protocol.units import W

SIZES = (10, 1_000, 10_000)
ROUNDS = 5
ACTIONS = 2_000
DEEPCOPY_BUDGET = 20_000  # accounts copied in all: more would take minutes
ADMIN, LENDER = 1, 2
FIRST_OWNER = 1_000
REFERENCE = load_parameters(PARAMETERS.find("reference"))
RISK, MARKET = REFERENCE.risk, REFERENCE.markets[0].params


class CopiedMap(dict[int, Account]):
    """A map that is copied whole at each write, so that the old one stays valid."""

    def put(self, key: int, value: Account) -> CopiedMap:
        """A copy with one entry set."""
        copied = CopiedMap(self)
        copied[key] = value
        return copied


class JournalMap(dict[int, Account]):
    """A map written in place that remembers what it overwrote. Only the newest state is valid.

    Handlers write at the end only, so a refusal has nothing to undo: the journal's cost here is that of keeping it.
    """

    def __init__(self, entries: Any) -> None:
        super().__init__(entries)
        self.undo: list[tuple[int, Account | None]] = []

    def put(self, key: int, value: Account) -> JournalMap:
        """This map, changed."""
        self.undo.append((key, self.get(key)))
        self[key] = value
        return self


def env(sender: int) -> Env:
    """One market at 8,000 dollars."""
    return Env(1_600_000_000, sender, (Quote(8_000 * W, 8_000 * W, 8_000 * W, 1_600_000_000, 0),))


def make_state(size: int) -> State:
    """A protocol with ``size`` accounts of 10,000 dollars, each with a position."""
    state = genesis(ADMIN, ADMIN, tokens=1)
    state = apply(state, env(ADMIN), SetRisk(RISK)).state
    state = apply(state, env(ADMIN), SetMarket(0, MARKET)).state
    state = apply(state, env(LENDER), DepositToPool(10**15)).state
    for owner in range(FIRST_OWNER, FIRST_OWNER + size):
        account = account_id(owner)
        state = apply(state, env(owner), Deposit(account, 0, 10**10)).state
        state = apply(state, env(owner), Trade(account, 0, W // 5 * 2, NO_LIMIT)).state
    return state


def make_actions(size: int, count: int) -> list[tuple[Env, Action]]:
    """The mix, over accounts in turn."""
    mix = []
    for index in range(count):
        turn, kind = divmod(index, 4)
        owner = FIRST_OWNER + turn * 7 % size
        account = account_id(owner)
        sender = ADMIN if index % 10 == 9 else owner  # always a trade: refused with account/not-trader
        choices: tuple[Action, ...] = (
            Deposit(account, 0, 1_000_000),
            Trade(account, 0, W // 10, NO_LIMIT),
            Deposit(account, 0, 1_000_000),
            Trade(account, 0, -W // 10, 0),
        )
        mix.append((env(sender), choices[kind]))
    return mix


def run(state: State, mix: list[tuple[Env, Action]], before: Callable[[State], State]) -> tuple[float, State]:
    """Microseconds of CPU time per action, and the state at the end."""
    started = process_time()
    for surroundings, action in mix:
        try:
            state = apply(before(state), surroundings, action).state
        except Refusal:
            continue
    return (process_time() - started) * 1e6 / len(mix), state


def keep(state: State) -> State:
    """The state itself: a persistent one needs no precaution."""
    return state


def forms(base: State, size: int) -> Iterator[tuple[str, State, Callable[[State], State], int]]:
    """Name, state to start from, precaution before each action, and number of actions to run."""
    yield "Table, rerooted", replace(base, accounts=Table(dict(base.accounts))), keep, ACTIONS
    yield "in place, journal", replace(base, accounts=_as_table(JournalMap(base.accounts))), keep, ACTIONS
    yield "map copied whole", replace(base, accounts=_as_table(CopiedMap(base.accounts))), keep, ACTIONS
    yield "deepcopy first", base, copy.deepcopy, max(DEEPCOPY_BUDGET // size, 4)


def _as_table(stand_in: Any) -> Table[int, Account]:
    """The stand-ins have the methods of ``Table`` that the rules use."""
    table: Table[int, Account] = stand_in
    return table


def measure(size: int) -> dict[str, float]:
    """Median microseconds per action by form."""
    base = make_state(size)
    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        ends = set()
        for name, state, before, count in forms(base, size):
            took, end = run(state, make_actions(size, count), before)
            times.setdefault(name, []).append(took)
            if count == ACTIONS:
                ends.add(repr((end.ledger, dict(end.accounts))))
        if len(ends) != 1:
            raise AssertionError("the forms ended in different states")
    return {name: median(values) for name, values in times.items()}


def measure_reroot(size: int, distance: int) -> float:
    """Microseconds to read a version ``distance`` writes old and then the newest again."""
    old = newest = Table(dict.fromkeys(range(size), 0))
    for index in range(distance):
        newest = newest.put(index % size, index)
    repeats = 200
    started = process_time()
    for _ in range(repeats):
        old.get(0)
        newest.get(0)
    return (process_time() - started) * 1e6 / repeats


def measure_kept(size: int) -> dict[str, float]:
    """Bytes that one more kept version takes, by form; a journal keeps none."""
    base = make_state(size)
    found = {}
    for name, start, before, _ in forms(base, size):
        if name in {"Table, rerooted", "map copied whole"}:
            state, kept = start, []
            tracemalloc.start()
            for surroundings, action in make_actions(size, 400):
                try:
                    state = apply(before(state), surroundings, action).state
                except Refusal:
                    continue
                kept.append(state)
            found[name] = tracemalloc.get_traced_memory()[0] / len(kept)
            tracemalloc.stop()
    return found


def main() -> int:
    """Print the table."""
    columns = [measure(size) for size in SIZES]
    print(f"{'microseconds per action':<24}" + "".join(f"{size:>10,}" for size in SIZES) + "  accounts")
    for name in columns[0]:
        print(f"{name:<24}" + "".join(f"{column[name]:>10.1f}" for column in columns))
    for distance in (1, 100, 10_000):
        print(f"reading {distance:>6,} writes back and forth: {measure_reroot(10_000, distance):,.1f} microseconds")
    for name, size in measure_kept(1_000).items():
        print(f"one more kept version of 1,000 accounts, {name}: {size:,.0f} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
