"""Gas of every action, as specs/gas.json. ``python -m benchmarks.gas`` writes the table, ``--check`` compares it.

Each figure is the gas of a whole transaction net of refunds, in a block of its own (cold storage), with the oracle
prices already stored. Cases are positions held (k) and collateral tokens held (c) by the acting account, before the
action for withdrawals, increases, closes and liquidations, after it for the opening of the k-th position.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from contracts_py.deploy import TokenPlan
from contracts_py.keys import address_of
from crossmargin.library import PARAMETERS
from crossmargin.parameters import load_parameters
from crossmargin.replay.chain import ChainEngine
from oracle.feeds import Push, SetFeed
from protocol.actions import (
    BuyInventory,
    ClaimRedemption,
    CloseAll,
    CreateIsolated,
    Deposit,
    DepositToPool,
    FlagAccount,
    FundInsurance,
    Liquidate,
    LiquidateMany,
    MarginCall,
    PauseOpening,
    RequestRedemption,
    SetCollateral,
    SetLeverageCap,
    SetMarket,
    SetOperator,
    SetRisk,
    Trade,
    Transfer,
    Withdraw,
)
from protocol.state import account_id
from protocol.units import W

TABLE = Path(__file__).parent.parent / "specs" / "gas.json"
START = 1_600_000_000
MARKETS = 16
COLLATERALS = 8
PRICE = 100
CASES = ((1, 1), (4, 1), (8, 1), (16, 1), (16, 8))
NO_LIMIT = 2**256 - 1

REFERENCE = load_parameters(PARAMETERS.find("reference"))
MARKET = REFERENCE.markets[0].params
COLLATERAL = next(token.params for token in REFERENCE.tokens if token.params)
ANY_CASH = -(2**255)


class Bench:
    """A chain with many markets and tokens, and its clock."""

    def __init__(self) -> None:
        tokens = [TokenPlan("USDC", 6)] + [TokenPlan(f"C{i}", 18) for i in range(1, COLLATERALS + 1)]
        feeds = [f"FEED {i} / USD" for i in range(MARKETS)]
        traders = [f"trader_{k}_{c}_{n}" for k, c in CASES for n in range(2)]
        actors = ["admin", "guardian", "poster", "lender", "fresh", *traders]
        self.chain = ChainEngine("eth-tester", START, tokens, feeds, actors)
        self.now = START
        for feed in range(MARKETS):
            self.do("admin", SetFeed(feed, 8, 86_400))
        self.do("admin", SetRisk(REFERENCE.risk))
        for market in range(MARKETS):
            self.do("admin", SetMarket(market, replace(MARKET, feed=market, lot=W // 100)))
        for token in range(1, COLLATERALS + 1):
            self.do("admin", SetCollateral(token, replace(COLLATERAL, feed=token)))
        self.push(PRICE)

    def do(self, sender: str, action: Any) -> int:
        """Gas of an action."""
        self.now += 1
        return self.chain.execute(self.now, sender, action)[1]

    def push(self, price: int, count: int = MARKETS) -> int:
        """Gas of one price for each of the first ``count`` feeds."""
        return self.do("poster", Push(tuple(range(count)), (price * 10**8,) * count))

    def account(self, owner: str, positions: int, collaterals: int, usd: int) -> int:
        """An account of ``owner`` with the holdings of a case."""
        account = account_id(address_of(owner))
        self.do(owner, Deposit(account, 0, usd * 10**6))
        for token in range(1, collaterals + 1):
            self.do(owner, Deposit(account, token, W // 10))
        for market in range(positions):
            self.do(owner, Trade(account, market, 20 * W, NO_LIMIT))
        return account


def measure() -> Iterator[dict[str, Any]]:
    """Every row of the table."""
    bench = Bench()

    def row(action: str, case: str, gas: int, positions: int = 0, collaterals: int = 0) -> dict[str, Any]:
        return {"action": action, "case": case, "positions": positions, "collaterals": collaterals, "gas": gas}

    fresh = account_id(address_of("fresh"))
    yield row("deposit", "USDC, new account", bench.do("fresh", Deposit(fresh, 0, 10**9)))
    yield row("deposit", "USDC, repeat", bench.do("fresh", Deposit(fresh, 0, 10**9)))
    yield row("deposit", "collateral, new to the account", bench.do("fresh", Deposit(fresh, 1, 10**18)), 0, 1)
    yield row("deposit", "collateral, repeat", bench.do("fresh", Deposit(fresh, 1, 10**18)), 0, 1)
    yield row("withdraw", "USDC", bench.do("fresh", Withdraw(fresh, 0, 10**8)), 0, 1)
    yield row("withdraw", "collateral", bench.do("fresh", Withdraw(fresh, 1, 10**17)), 0, 1)
    yield row("deposit_to_pool", "first, no open interest", bench.do("lender", DepositToPool(10**12)))
    yield row("fund_insurance", "", bench.do("lender", FundInsurance(10**9)))
    for positions, collaterals in CASES:
        yield from measure_account(bench, row, positions, collaterals)
    yield row("deposit_to_pool", "repeat, 16 markets open", bench.do("lender", DepositToPool(10**12)))
    for count in (1, 4, 16):
        yield row("push", f"{count} feeds", bench.push(PRICE, count))
    yield row("pause_opening", "", bench.do("guardian", PauseOpening(True)))


def measure_account(bench: Bench, row: Any, positions: int, collaterals: int) -> Iterator[dict[str, Any]]:
    """Rows of one case: trades and a withdrawal by one account, the liquidation of another."""
    owner = f"trader_{positions}_{collaterals}_0"
    account = bench.account(owner, positions - 1, collaterals, 10_000 * positions)
    last = positions - 1
    names = (positions, collaterals)
    yield row("trade", "open the last position", bench.do(owner, Trade(account, last, 20 * W, NO_LIMIT)), *names)
    yield row("trade", "increase", bench.do(owner, Trade(account, last, 10 * W, NO_LIMIT)), *names)
    yield row("trade", "reduce", bench.do(owner, Trade(account, last, -10 * W, 0)), *names)
    yield row("withdraw", "USDC", bench.do(owner, Withdraw(account, 0, 10**6)), *names)
    yield row("withdraw", "collateral", bench.do(owner, Withdraw(account, 1, 10**15)), *names)
    yield row("trade", "flip", bench.do(owner, Trade(account, last, -40 * W, 0)), *names)
    yield row("trade", "close", bench.do(owner, Trade(account, last, 20 * W, NO_LIMIT)), *names)
    for case, price in (("owner keeps a remainder", 95), ("bad debt", 60)):
        victim = f"trader_{positions}_{collaterals}_1"
        account = bench.account(victim, positions, collaterals, 130 * positions if price == 95 else 200 * positions)
        bench.push(price)
        yield row("liquidate", case, bench.do("lender", Liquidate(account)), *names)
        bench.push(PRICE)


def main() -> int:
    """Write or check the table."""
    text = json.dumps(list(measure()), indent=1) + "\n"
    if "--check" not in sys.argv[1:]:
        TABLE.write_text(text, "utf-8")
        print(text, end="")
        return 0
    committed = {key_of(entry): entry["gas"] for entry in json.loads(TABLE.read_text("utf-8"))}
    measured = {key_of(entry): entry["gas"] for entry in json.loads(text)}
    changed = [key for key in committed.keys() | measured.keys() if committed.get(key) != measured.get(key)]
    for key in sorted(changed):
        print(f"{key}: committed {committed.get(key)}, measured {measured.get(key)}")
    if changed:
        print("gas has changed; run `python -m benchmarks.gas`, look at the difference, and commit specs/gas.json")
        return 1
    print(f"gas of {len(measured)} cases as committed")
    return 0


def key_of(entry: dict[str, Any]) -> str:
    """What a row is about."""
    return f"{entry['action']} {entry['case']} ({entry['positions']}, {entry['collaterals']})"


if __name__ == "__main__":
    sys.exit(main())
