"""What an action costs on the model and on each chain: ``python -m benchmarks.speed``.

Two workloads (``benchmarks.workloads``): Black Thursday, keepers' liquidations included, and a few accounts with many
positions. Rounds of prices, which are many and cheap, are counted apart. On the chains actions are calldata already, so
encoding is nobody's cost; py-evm and anvil run the first of them only, being slower. Times are medians of several
passes, CPU time except for anvil and py-evm, which work for others too. Quote ratios of one run.
"""

from __future__ import annotations

import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.workloads import Recorded, Workload, load_day, make_crowd
from contracts_py.anvil import find_anvil, run_anvil
from contracts_py.keys import address_of, private_key, to_hex
from contracts_py.node import GAS_LIMIT
from crossmargin.replay.chain import SETUP_TIME, ChainEngine
from crossmargin.replay.run import Done, Replay
from crossmargin.replay.trace import Trace
from crossmargin.replay.world import World
from crossmargin.scenario import Scenario
from oracle.feeds import Push, SetFeed, SetRateFeed, apply_oracle
from protocol.codec import digest
from protocol.errors import Refusal
from protocol.invariants import check_all
from protocol.records import Table
from protocol.state import Account, Position, account_id
from protocol.transition import apply
from protocol.units import W

ROUNDS = 7
TURN = 100  # actions
SLOW_ACTIONS = 150  # of a chain that takes milliseconds for each
ACCOUNTS = 100_000


@dataclass
class Spent:
    """Seconds and counts of actions, and of rounds of prices apart."""

    seconds: dict[bool, float] = field(default_factory=lambda: {False: 0.0, True: 0.0})
    count: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})

    def add(self, is_round: bool, seconds: float) -> None:
        """Enter one."""
        self.seconds[is_round] += seconds
        self.count[is_round] += 1

    def each(self, is_round: bool) -> float:
        """Seconds of one."""
        return self.seconds[is_round] / self.count[is_round]


def time_both(workload: Workload) -> tuple[Spent, Spent]:
    """CPU seconds of ``apply`` and of pyrevm, for actions and for rounds of prices.

    They take turns every hundred actions, so that whatever else the machine does meets both.
    """
    world, engine = workload.first_world(), workload.open_engine("pyrevm")
    model, machine = Spent(), Spent()
    for first in range(0, len(workload.recorded), TURN):
        part = workload.recorded[first : first + TURN]
        world = run_model(world, part, model)
        run_pyrevm(engine, part, machine)
    return model, machine


def run_model(world: World, part: Sequence[Recorded], spent: Spent) -> World:
    """The world after some actions. What is timed gives events, atomicity and every old state."""
    for one in part:
        sender = address_of(one.sender)
        env = world.env(one.time, sender)
        begin = time.process_time()
        with suppress(Refusal):
            if isinstance(one.action, Push | SetFeed | SetRateFeed):
                world = World(world.protocol, apply_oracle(world.oracle, one.time, sender, one.action)[0])
            else:
                world = World(apply(world.protocol, env, one.action).state, world.oracle)
        spent.add(isinstance(one.action, Push), time.process_time() - begin)
    return world


def run_pyrevm(engine: ChainEngine, part: Sequence[Recorded], spent: Spent) -> None:
    """The same on the machine. What is timed is its execution, without receipts and events read."""
    node: Any = engine.contracts.node
    evm = node._evm
    for one in part:
        address, data = engine.contracts.encode_action(one.action)
        sender, target = to_hex(address_of(one.sender)), to_hex(address)
        node._set_time(one.time)
        begin = time.process_time()
        evm.reset_transient_storage()
        with suppress(RuntimeError):  # a refusal
            evm.message_call(sender, target, data, gas=GAS_LIMIT)
        spent.add(isinstance(one.action, Push), time.process_time() - begin)


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
        trace = Trace(Path(folder) / "trace.sqlite")
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
        account = Account(owner * W, {1: owner * W}, positions, {}, 0, 0, 0, 0)
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
    for _ in range(ROUNDS):
        for workload in workloads:
            spent[workload.name].append(time_both(workload))
        lockstep.append(time_lockstep(scenario, day))
    print("microseconds per action, and ratio to apply")
    for workload in workloads:
        both = spent[workload.name]
        for is_round, title in ((False, f"{workload.name}, {both[0][0].count[False]:,} actions"), (True, "its rounds")):
            own, machine = (median(one.each(is_round) for one in side) for side in zip(*both, strict=True))
            show(title, own, {"pyrevm": machine})
    own = median(model.each(False) for model, _ in spent[day.name])
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
