"""What the gas of an action is spent on: ``python -m benchmarks.gas_items`` (specs/gas.md).

py-evm names the instruction each time it takes gas. What a call hands on to the called code is counted there.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eth.vm.gas_meter import GasMeter

from benchmarks.gas import NEARLY_ALL, WHOLE
from benchmarks.gas_bench import NO_LIMIT, PRICE, Bench
from contracts_py.keys import address_of
from protocol.actions import Deposit, DepositToPool, Liquidate, Trade
from protocol.state import account_id
from protocol.units import W

HANDED_ON = {"CALL", "STATICCALL", "DELEGATECALL"}
COLD_READ = 2_100
TRANSACTION, ZERO_BYTE, OTHER_BYTE = 21_000, 4, 16
GROUPS = ("transaction", "cold reads", "warm reads", "writes", "events", "calls", "memory", "computing", "refund")


@contextmanager
def count_gas() -> Iterator[Counter[str]]:
    """Gas by group while this lasts."""
    counted: Counter[str] = Counter()
    original = GasMeter.consume_gas

    def consume(self: Any, amount: int, reason: str) -> None:
        original(self, amount, reason)
        if reason not in HANDED_ON:
            counted[group_of(reason, amount)] += amount

    GasMeter.consume_gas = consume  # type: ignore[method-assign]
    try:
        yield counted
    finally:
        GasMeter.consume_gas = original  # type: ignore[method-assign]


def group_of(reason: str, amount: int) -> str:
    """What an instruction is counted under."""
    if reason == "SLOAD":
        return "cold reads" if amount >= COLD_READ else "warm reads"
    if reason.startswith("SSTORE"):
        return "writes"
    if reason.upper().startswith("LOG"):
        return "events"
    if "implicit account load" in reason:
        return "calls"
    if reason.startswith("Expanding memory") or reason in {"MLOAD", "MSTORE", "MCOPY", "MCOPY fee"}:
        return "memory"
    return "computing"


def cases(bench: Bench) -> Iterator[tuple[str, str, Any]]:
    """Name, sender and action of each column, its account ready."""
    keeper = account_id(address_of("keeper"))
    yield "deposit, repeat", "keeper", Deposit(keeper, 0, 10**6)
    for positions in (1, 8):
        holder = f"holder_{positions}"
        account = bench.open_account(holder, positions, 1, 10_000 * positions)
        yield f"increase ({positions}, 1)", holder, Trade(account, positions - 1, 10 * W, NO_LIMIT)
    for positions, collaterals, share in ((1, 1, WHOLE), (8, 1, WHOLE), (16, 1, NEARLY_ALL), (16, 8, WHOLE)):
        account = bench.open_troubled(f"victim_{positions}_{collaterals}", positions, collaterals, share)
        bench.push(bench.low)
        kind = "whole" if share == WHOLE else "partial"
        yield f"liquidate {kind} ({positions}, {collaterals})", "keeper", Liquidate(account)
        bench.push(PRICE)


def main() -> int:
    """Print a row for each case."""
    bench = Bench()
    bench.do("lender", DepositToPool(10**12))
    print(f"{'gas':<28}{'whole':>11}" + "".join(f"{group:>12}" for group in GROUPS))
    for name, sender, action in cases(bench):
        _, data = bench.chain.contracts.encode_action(action)
        with count_gas() as counted:
            whole = bench.do(sender, action)
        counted["transaction"] = TRANSACTION + sum(OTHER_BYTE if byte else ZERO_BYTE for byte in data)
        counted["refund"] = whole - counted.total()
        print(f"{name:<28}{whole:>11,}" + "".join(f"{counted[group]:>12,}" for group in GROUPS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
