"""What an action costs on the model and on each chain: ``python -m benchmarks.speed``.

Two workloads (``benchmarks.workloads``): Black Thursday, keepers' liquidations included, and a few accounts with many
positions. Rounds of prices, which are many and cheap, are counted apart. On the chains actions are calldata already, so
encoding is nobody's cost; py-evm and anvil run the first of them only, being slower. Times are medians of rounds in
which all take turns, CPU time except for anvil and py-evm, which work for others too. Quote ratios of one run.
"""

from __future__ import annotations

import tempfile
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.workloads import Recorded, Workload, load_day, make_crowd
from contracts_py.anvil import find_anvil, run_anvil
from contracts_py.keys import address_of, private_key, to_hex
from contracts_py.node import GAS_LIMIT
from crossmargin.replay.chain import SETUP_TIME
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

ROUNDS = 5
SLOW_ACTIONS = 150  # of a chain that takes milliseconds for each
ACCOUNTS = 100_000


def time_model(workload: Workload) -> tuple[float, float]:
    """Seconds per action of ``apply``, and per round: events, atomicity and every old state included."""
    world, spent = workload.first_world(), {True: 0.0, False: 0.0}
    for one in workload.recorded:
        sender, is_round = address_of(one.sender), isinstance(one.action, Push)
        env = world.env(one.time, sender)
        begin = time.process_time()
        with suppress(Refusal):
            if isinstance(one.action, Push | SetFeed | SetRateFeed):
                world = World(world.protocol, apply_oracle(world.oracle, one.time, sender, one.action)[0])
            else:
                world = World(apply(world.protocol, env, one.action).state, world.oracle)
        spent[is_round] += time.process_time() - begin
    return split(spent, workload)


def split(spent: dict[bool, float], workload: Workload) -> tuple[float, float]:
    """Seconds per action and per round."""
    rounds = sum(isinstance(one.action, Push) for one in workload.recorded)
    return spent[False] / (len(workload.recorded) - rounds), spent[True] / rounds


def time_pyrevm(workload: Workload) -> tuple[float, float]:
    """Seconds per action and per round of the machine itself, without receipts and events read."""
    engine = workload.open_engine("pyrevm")
    node: Any = engine.contracts.node
    evm, spent = node._evm, {True: 0.0, False: 0.0}
    for one in workload.recorded:
        address, data = engine.contracts.encode_action(one.action)
        sender, target = to_hex(address_of(one.sender)), to_hex(address)
        node._set_time(one.time)
        begin = time.process_time()
        evm.reset_transient_storage()
        with suppress(RuntimeError):  # a refusal
            evm.message_call(sender, target, data, gas=GAS_LIMIT)
        spent[isinstance(one.action, Push)] += time.process_time() - begin
    return split(spent, workload)


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
    crowd = make_crowd()
    spent: dict[str, list[tuple[float, float]]] = {}
    lockstep = []
    for _ in range(ROUNDS):
        for workload in (day, crowd):
            spent.setdefault(f"{workload.name} apply", []).append(time_model(workload))
            spent.setdefault(f"{workload.name} pyrevm", []).append(time_pyrevm(workload))
        lockstep.append(time_lockstep(scenario, day))
    print("microseconds per action, and ratio to apply")
    for workload in (day, crowd):
        own, machine = (medians(spent[f"{workload.name} {kind}"]) for kind in ("apply", "pyrevm"))
        show(f"{workload.name}: {len(workload.recorded):,} actions", own[0], {"pyrevm": machine[0]})
        show("  its rounds of prices alone", own[1], {"pyrevm": machine[1]})
    own = medians(spent[f"{day.name} apply"])
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
    show(f"{day.name}, further", own[0], nodes | others)
    print(f"lockstep on pyrevm: {1 / median(lockstep):,.0f} actions a second")
    print(f"memory per {ACCOUNTS:,} accounts: {measure_memory() * ACCOUNTS / 2**20:,.0f} MiB")


def show(title: str, own: float, others: dict[str, float]) -> None:
    """Print a few times beside that of ``apply``."""
    print(title)
    for name, seconds in {"apply": own, **others}.items():
        print(f"    {name:<36}{seconds * 1e6:12,.1f}{seconds / own:10.2f}")


def medians(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    """The median of each column."""
    first, second = zip(*rounds, strict=True)
    return median(first), median(second)


if __name__ == "__main__":
    main()
