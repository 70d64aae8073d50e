"""What an action costs on the model and on each chain: ``python -m benchmarks.speed``.

The actions are those of Black Thursday, keepers' liquidations included, each with its time and sender; rounds of
prices, which are many and cheap, are counted apart. On the chains actions are calldata already, so encoding is nobody's
cost; py-evm and anvil run the first of them only, being slower. Times are medians of rounds in which all take turns,
CPU time except for anvil and py-evm, which work for others too. Quote ratios of one run; machines differ.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from contracts_py.deploy import TokenPlan
from contracts_py.keys import address_of, private_key, to_hex
from contracts_py.node import GAS_LIMIT
from crossmargin.library import SCENARIOS
from crossmargin.replay.chain import SETUP_TIME, ChainEngine
from crossmargin.replay.run import CONFIGURE_TIME, Done, Replay
from crossmargin.replay.trace import Trace
from crossmargin.replay.world import World, new_world
from crossmargin.scenario import Scenario, actors, load_scenario
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


@dataclass(frozen=True)
class Recorded:
    """One action as it was sent."""

    time: int
    sender: str
    action: Any


def record(scenario: Scenario) -> tuple[list[Done], list[Recorded]]:
    """Every action of a scenario, in order."""
    done = list(Replay(scenario, "model", None).play())
    return done, [Recorded(one.time, one.planned.sender, one.planned.action) for one in done]


def time_model(scenario: Scenario, recorded: list[Recorded]) -> tuple[float, float]:
    """Seconds per action of ``apply``, and per round: events, atomicity and every old state included."""
    world, spent = first_world(scenario), {True: 0.0, False: 0.0}
    for one in recorded:
        sender, is_round = address_of(one.sender), isinstance(one.action, Push)
        env = world.env(one.time, sender)
        begin = time.process_time()
        with suppress(Refusal):
            if isinstance(one.action, Push | SetFeed | SetRateFeed):
                world = World(world.protocol, apply_oracle(world.oracle, one.time, sender, one.action)[0])
            else:
                world = World(apply(world.protocol, env, one.action).state, world.oracle)
        spent[is_round] += time.process_time() - begin
    return split(spent, recorded)


def split(spent: dict[bool, float], recorded: list[Recorded]) -> tuple[float, float]:
    """Seconds per action and per round."""
    rounds = sum(isinstance(one.action, Push) for one in recorded)
    return spent[False] / (len(recorded) - rounds), spent[True] / rounds


def first_world(scenario: Scenario) -> World:
    """The world before the first action."""
    admin, guardian, poster = (address_of(role) for role in ("admin", "guardian", "poster"))
    return new_world(admin, guardian, poster, len(scenario.params.tokens))


def open_engine(scenario: Scenario, backend: str) -> ChainEngine:
    """The contracts, ready for the first action."""
    tokens = [TokenPlan(token.name, token.decimals) for token in scenario.params.tokens]
    feeds = [feed.description for feed in scenario.params.feeds]
    return ChainEngine(backend, scenario.start - CONFIGURE_TIME, tokens, feeds, actors(scenario))


def time_pyrevm(scenario: Scenario, recorded: list[Recorded]) -> tuple[float, float]:
    """Seconds per action and per round of the machine itself, without receipts and events read."""
    engine = open_engine(scenario, "pyrevm")
    node: Any = engine.contracts.node
    evm, spent = node._evm, {True: 0.0, False: 0.0}
    for one in recorded:
        address, data = engine.contracts.encode_action(one.action)
        sender, target = to_hex(address_of(one.sender)), to_hex(address)
        node._set_time(one.time)
        begin = time.process_time()
        evm.reset_transient_storage()
        with suppress(RuntimeError):  # a refusal
            evm.message_call(sender, target, data, gas=GAS_LIMIT)
        spent[isinstance(one.action, Push)] += time.process_time() - begin
    return split(spent, recorded)


def time_node(scenario: Scenario, recorded: list[Recorded], backend: str) -> float:
    """Seconds per transaction through web3, receipt included."""
    engine = open_engine(scenario, backend)
    calls = [(*engine.contracts.encode_action(one.action), one) for one in recorded]
    begin = time.perf_counter()
    for address, data, one in calls:
        engine.contracts.node.send(private_key(one.sender), address, data, one.time)
    return (time.perf_counter() - begin) / len(calls)


@contextmanager
def run_anvil(scenario: Scenario) -> Iterator[str | None]:
    """The URL of a fresh anvil, if there is one to run."""
    local = Path(__file__).parent.parent / ".venv/anvil/node_modules/.bin/anvil"
    program = shutil.which("anvil") or (str(local) if local.exists() else None)
    if program is None:
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    genesis = scenario.start - CONFIGURE_TIME - SETUP_TIME
    command = [program, "--silent", "--port", str(port), "--timestamp", str(genesis)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None:
                raise RuntimeError("anvil ended before it listened")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def time_lockstep(scenario: Scenario) -> float:
    """Seconds per action of a whole lockstep run on pyrevm: both twins, comparison, invariants, audits."""
    chain = open_engine(scenario, "pyrevm")
    begin = time.process_time()
    count = sum(1 for _ in Replay(scenario, "lockstep", chain).play())
    return (time.process_time() - begin) / count


def time_trace(scenario: Scenario, done: list[Done]) -> float:
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
    scenario = load_scenario(SCENARIOS.find("black_thursday"), address_of)
    done, recorded = record(scenario)
    few = [one for one in recorded if not isinstance(one.action, Push)][:SLOW_ACTIONS]
    model, revm, lockstep = [], [], []
    for _ in range(ROUNDS):
        model.append(time_model(scenario, recorded))
        revm.append(time_pyrevm(scenario, recorded))
        lockstep.append(time_lockstep(scenario))
    (own, own_round), (machine, machine_round) = medians(model), medians(revm)
    rows = [("apply", own), ("pyrevm", machine)]
    rows.append((f"py-evm (eth-tester), first {len(few)}", time_node(scenario, few, "eth-tester")))
    with run_anvil(scenario) as url:
        if url:
            rows.append((f"anvil, first {len(few)}", time_node(scenario, few, url)))
    rows.append(("lockstep on pyrevm, whole", median(lockstep)))
    rows.append(("digest of the state", time_each(done, lambda one: digest(one.world.protocol))))
    rows.append(("trace", time_trace(scenario, done)))
    rows.append(("invariants", time_each(done, lambda one: check_all(one.world.protocol))))
    print(f"{len(recorded)} actions of {scenario.name}; microseconds per action, and ratio to apply")
    for name, seconds in rows:
        print(f"  {name:<36}{seconds * 1e6:12,.1f}{seconds / own:10.2f}")
    print("the same for a round of prices")
    for name, seconds in (("apply", own_round), ("pyrevm", machine_round)):
        print(f"  {name:<36}{seconds * 1e6:12,.1f}{seconds / own_round:10.2f}")
    print(f"lockstep on pyrevm: {1 / median(lockstep):,.0f} actions a second")
    print(f"memory per {ACCOUNTS:,} accounts: {measure_memory() * ACCOUNTS / 2**20:,.0f} MiB")


def medians(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    """The median of each column."""
    first, second = zip(*rounds, strict=True)
    return median(first), median(second)


if __name__ == "__main__":
    main()
