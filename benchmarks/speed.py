"""What an action costs on the model and on each chain: ``python -m benchmarks.speed``.

Two workloads (``benchmarks.workloads``): Black Thursday, keepers' liquidations included, and a few accounts with many
positions. Rounds of prices, which are many and cheap, are counted apart. ``apply`` makes events and keeps the state
before valid; it is handed its prices, which the contracts read for themselves, so a second row adds the reading. On the
chains actions are calldata already and events are left encoded, so neither is anybody's cost, but a contract also
calls the tokens it moves. Of each action the median of several passes counts, on a clock that does not enter the
kernel: one that does slows what follows it, and the shorter of two times more. py-evm and anvil run the first actions
only, being slower. Quote ratios of one run.
"""

from __future__ import annotations

import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

from benchmarks.workloads import Recorded, Workload, load_day, make_crowd
from contracts_py.anvil import find_anvil, run_anvil
from contracts_py.keys import address_of, private_key, to_hex
from contracts_py.node import GAS_LIMIT
from crossmargin.replay.chain import SETUP_TIME, ChainEngine
from crossmargin.replay.run import Done, Replay
from crossmargin.replay.trace import Trace
from crossmargin.replay.world import World
from crossmargin.scenario_records import Scenario
from oracle.feeds import Push, SetFeed, SetRateFeed, apply_hub
from oracle.guards import get_quotes
from protocol.codec import digest
from protocol.env import Env
from protocol.errors import Refusal
from protocol.invariants import check_all
from protocol.records import Table
from protocol.state import Account, Position, account_id
from protocol.transition import apply
from protocol.units import W

PARTS = ACTIONS, ROUNDS, PRICES = "actions", "rounds", "prices"
PASSES = 7
TURN = 100  # actions
SLOW_ACTIONS = 150  # of a chain that takes milliseconds for each
ACCOUNTS = 100_000


@dataclass
class Spent:
    """The seconds of every action of one pass, by what is counted together, and how many were refused."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {part: [] for part in PARTS})
    refused: int = 0


def each(passes: Iterable[Spent], part: str) -> float:
    """Seconds of one, on average: of each action the median of its passes, so that no interruption counts."""
    return fmean(median(times) for times in zip(*(one.seconds[part] for one in passes), strict=True))


def time_both(workload: Workload) -> tuple[Spent, Spent]:
    """Seconds of ``apply`` and of pyrevm, for actions and for rounds of prices.

    They take turns every hundred actions, so that whatever else the machine does meets both.
    """
    world, engine = workload.first_world(), workload.open_engine("pyrevm")
    model, machine = Spent(), Spent()
    for first in range(0, len(workload.recorded), TURN):
        part = workload.recorded[first : first + TURN]
        world = run_model(world, part, model)
        run_pyrevm(engine, part, machine)
    assert model.refused == machine.refused, "both do the same"
    return model, machine


def run_model(world: World, part: Sequence[Recorded], spent: Spent) -> World:
    """The world after some actions. What is timed gives events and atomicity, and drops the state before."""
    state, hub = world.protocol, world.oracle.hub
    for one in part:
        sender = address_of(one.sender)
        is_oracle = isinstance(one.action, Push | SetFeed | SetRateFeed)
        begin = time.perf_counter()
        env = Env(one.time, sender, () if is_oracle else get_quotes(hub, one.time))
        ready = time.perf_counter()
        try:
            if is_oracle:
                hub = apply_hub(hub, one.time, sender, one.action)[0]
            else:
                state = apply(state, env, one.action).state
        except Refusal:
            spent.refused += 1
        end = time.perf_counter()
        spent.seconds[part_of(one)].append(end - ready)
        if not is_oracle:
            spent.seconds[PRICES].append(ready - begin)
    return World(state, replace(world.oracle, hub=hub))


def run_pyrevm(engine: ChainEngine, part: Sequence[Recorded], spent: Spent) -> None:
    """The same on the machine. What is timed is its execution, without receipts and events read."""
    node: Any = engine.contracts.node
    evm = node._evm
    for one in part:
        address, data = engine.contracts.encode_action(one.action)
        sender, target = to_hex(address_of(one.sender)), to_hex(address)
        node._set_time(one.time)
        begin = time.perf_counter()
        evm.reset_transient_storage()
        try:
            evm.message_call(sender, target, data, gas=GAS_LIMIT)
        except RuntimeError:
            spent.refused += 1
        spent.seconds[part_of(one)].append(time.perf_counter() - begin)


def part_of(one: Recorded) -> str:
    """Where an action's time is entered."""
    return ROUNDS if isinstance(one.action, Push) else ACTIONS


def time_node(workload: Workload, recorded: list[Recorded], backend: str) -> float:
    """Seconds per transaction through web3, receipt included."""
    engine = workload.open_engine(backend)
    calls = [(*engine.contracts.encode_action(one.action), one) for one in recorded]
    begin = time.perf_counter()
    for address, data, one in calls:
        engine.contracts.node.send(private_key(one.sender), address, data, one.time)
    return (time.perf_counter() - begin) / len(calls)


def time_lockstep(scenario: Scenario, workload: Workload) -> float:
    """Seconds per action of a whole lockstep run on pyrevm: both twins, comparison, invariants, audits."""
    chain = workload.open_engine("pyrevm")
    begin = time.process_time()
    count = sum(1 for _ in Replay(scenario, "lockstep", chain).play())
    return (time.process_time() - begin) / count


def time_trace(done: list[Done]) -> float:
    """Seconds per action of writing the record of a run."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Trace(Path(folder) / "trace.sqlite", ())
        begin = time.process_time()
        for one in done:
            trace.put_action(one)
        trace.close()
        return (time.process_time() - begin) / len(done)


def time_each(done: list[Done], work: Callable[[Done], object]) -> float:
    """Seconds per action of something done after each; every tenth is measured."""
    sample = done[::10]
    begin = time.process_time()
    for one in sample:
        work(one)
    return (time.process_time() - begin) / len(sample)


def measure_memory() -> float:
    """Bytes per account with cash, one collateral and two positions, in a state."""
    tracemalloc.start()
    table: Table[int, Account] = Table()
    for owner in range(1, ACCOUNTS + 1):
        positions = {market: Position(owner * W + market, owner * 8_000 * W, owner) for market in (0, 1)}
        account = Account(owner * W, {1: owner * W}, positions, {}, 0, 0, 0, 0, {})
        table = table.put(account_id(2**100 + owner), account)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used / len(table)


def main() -> None:
    """Measure and print everything."""
    scenario, done, day = load_day()
    workloads = (day, make_crowd())
    spent: dict[str, list[tuple[Spent, Spent]]] = {workload.name: [] for workload in workloads}
    lockstep = []
    for _ in range(PASSES):
        for workload in workloads:
            spent[workload.name].append(time_both(workload))
        lockstep.append(time_lockstep(scenario, day))
    print("microseconds per action, and ratio to apply")
    for workload in workloads:
        models, machines = zip(*spent[workload.name], strict=True)
        own, prices = each(models, ACTIONS), each(models, PRICES)
        title = f"{workload.name}, {len(models[0].seconds[ACTIONS]):,} actions"
        show(title, own, {"apply, and reading its prices": own + prices, "pyrevm": each(machines, ACTIONS)})
        show("its rounds", each(models, ROUNDS), {"pyrevm": each(machines, ROUNDS)})
    own = each((model for model, _ in spent[day.name]), ACTIONS)
    few = [one for one in day.recorded if not isinstance(one.action, Push)][:SLOW_ACTIONS]
    nodes = {f"py-evm (eth-tester), first {len(few)}": time_node(day, few, "eth-tester")}
    if find_anvil():
        with run_anvil(day.begin - SETUP_TIME) as url:
            nodes[f"anvil, first {len(few)}"] = time_node(day, few, url)
    others = {
        "lockstep on pyrevm, whole": median(lockstep),
        "digest of the state": time_each(done, lambda one: digest(one.world.protocol)),
        "trace": time_trace(done),
        "invariants": time_each(done, lambda one: check_all(one.world.protocol)),
    }
    show(f"{day.name}, further", own, nodes | others)
    print(f"lockstep on pyrevm: {1 / median(lockstep):,.0f} actions a second")
    print(f"memory per {ACCOUNTS:,} accounts: {measure_memory() * ACCOUNTS / 2**20:,.0f} MiB")


def show(title: str, own: float, others: dict[str, float]) -> None:
    """Print a few times beside that of ``apply``."""
    print(title)
    for name, seconds in {"apply": own, **others}.items():
        print(f"    {name:<36}{seconds * 1e6:12,.1f}{seconds / own:10.2f}")


if __name__ == "__main__":
    main()
