"""Gas of every action, as specs/gas.json. ``python -m benchmarks.gas`` writes the table, ``--check`` compares it.

Each figure is the gas of a whole transaction net of refunds, in a block of its own (cold storage), with the oracle
prices already stored. Views are sent as transactions, so theirs have the 21,000 of one too. Cases are positions held
and collateral tokens held by the account acted on, before the action; for the opening of a position, after it.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.gas_bench import MARKET, NO_LIMIT, PRICE, REFERENCE, Bench
from benchmarks.oracle_gas import measure_oracles
from contracts_py.keys import address_of
from oracle.feeds import SetFeed, SetRateFeed
from protocol.actions import (
    AcceptAdmin,
    BuyInventory,
    CancelOrder,
    ClaimRedemption,
    CloseAll,
    CommitOrder,
    CreateIsolated,
    Deposit,
    DepositToPool,
    FlagAccount,
    FundInsurance,
    LiquidateMany,
    MarginCall,
    PauseOpening,
    ProposeAdmin,
    RequestRedemption,
    SetCollateral,
    SetGuardian,
    SetLeverageCap,
    SetMarket,
    SetOperator,
    SetOrders,
    SetRisk,
    SettleOrder,
    Trade,
    Transfer,
    Withdraw,
)
from protocol.params import MAX_MARKETS, OrderParams
from protocol.state import INSTANT, account_id
from protocol.units import W

TABLE = Path(__file__).parent.parent / "specs" / "gas.json"
POSITIONS = (1, 4, 8, 16)
COLLATERALS = (1, 8)
BATCH = 8
ANY_CASH = -(2**255)
# How far equity_mm stands above the reserve at the lower price, as a share of the maintenance margin.
HEALTHY, CALLED, PARTIAL, NEARLY_ALL, WHOLE = 300, 110, 85, 68, 50


def row(action: str, case: str, gas: int, positions: int = 0, collaterals: int = 0) -> dict[str, Any]:
    """One line of the table."""
    return {"action": action, "case": case, "positions": positions, "collaterals": collaterals, "gas": gas}


def measure() -> Iterator[dict[str, Any]]:
    """Every row of the table."""
    bench = Bench()
    yield from measure_small(bench)
    for positions, collaterals in product(POSITIONS, COLLATERALS):
        yield from measure_holder(bench, positions, collaterals)
        yield from measure_keeper(bench, positions, collaterals)
        yield from measure_views(bench, positions, collaterals)
    for positions, collaterals in ((POSITIONS[0], COLLATERALS[0]), (POSITIONS[-1], COLLATERALS[-1])):
        yield from measure_orders(bench, positions, collaterals)
    yield from measure_ordering(bench, POSITIONS[-1], COLLATERALS[-1])
    yield from measure_batch(bench)
    yield from measure_pool(bench)
    for count in (1, 4, 16):
        yield row("push", f"{count} feeds", bench.push(PRICE, count))
    yield from measure_governance(bench)
    for action, case, gas in measure_oracles():
        yield row(action, case, gas)


def measure_small(bench: Bench) -> Iterator[dict[str, Any]]:
    """What an account does that has no position."""
    fresh, second = (account_id(address_of("fresh"), sub) for sub in (0, 1))
    yield row("deposit_to_pool", "first, no open interest", bench.do("lender", DepositToPool(10**12)))
    yield row("fund_insurance", "", bench.do("lender", FundInsurance(10**9)))
    yield row("deposit", "USDC, new account", bench.do("fresh", Deposit(fresh, 0, 10**9)))
    yield row("deposit", "USDC, repeat", bench.do("fresh", Deposit(fresh, 0, 10**9)))
    yield row("deposit", "collateral, new to the account", bench.do("fresh", Deposit(fresh, 1, 10**18)), 0, 1)
    yield row("deposit", "collateral, repeat", bench.do("fresh", Deposit(fresh, 1, 10**18)), 0, 1)
    yield row("withdraw", "USDC", bench.do("fresh", Withdraw(fresh, 0, 10**8)), 0, 1)
    yield row("withdraw", "collateral", bench.do("fresh", Withdraw(fresh, 1, 10**17)), 0, 1)
    yield row("create_isolated", "", bench.do("fresh", CreateIsolated(second, 0)))
    yield row("transfer", "USDC", bench.do("fresh", Transfer(fresh, second, 0, 10**8)), 0, 1)
    yield row("set_operator", "", bench.do("fresh", SetOperator(fresh, address_of("lender"))), 0, 1)


def measure_holder(bench: Bench, positions: int, collaterals: int) -> Iterator[dict[str, Any]]:
    """What the owner of a healthy account does."""
    names = (positions, collaterals)
    owner = f"holder_{positions}_{collaterals}"
    account = bench.open_account(owner, positions - 1, collaterals, 10_000 * positions)
    last = positions - 1
    yield row("trade", "open the last position", bench.do(owner, Trade(account, last, 20 * W, NO_LIMIT)), *names)
    yield row("trade", "increase", bench.do(owner, Trade(account, last, 10 * W, NO_LIMIT)), *names)
    yield row("trade", "reduce", bench.do(owner, Trade(account, last, -10 * W, 0)), *names)
    yield row("withdraw", "USDC", bench.do(owner, Withdraw(account, 0, 10**6)), *names)
    yield row("withdraw", "collateral", bench.do(owner, Withdraw(account, 1, 10**15)), *names)
    yield row("transfer", "USDC", bench.do(owner, Transfer(account, account + 1, 0, 10**6)), *names)
    yield row("set_leverage_cap", "", bench.do(owner, SetLeverageCap(account, last, 10 * W)), *names)
    yield row("trade", "flip", bench.do(owner, Trade(account, last, -40 * W, 0)), *names)
    yield row("trade", "close", bench.do(owner, Trade(account, last, 20 * W, NO_LIMIT)), *names)
    bench.do(owner, Trade(account, last, 20 * W, NO_LIMIT))
    yield row("close_all", "", bench.do(owner, CloseAll(account, ANY_CASH)), *names)


def measure_orders(bench: Bench, positions: int, collaterals: int) -> Iterator[dict[str, Any]]:
    """What an order costs its trader and its keeper."""
    names = (positions, collaterals)
    owner, market = f"orderer_{positions}_{collaterals}", positions - 1
    account = bench.open_account(owner, positions - 1, collaterals, 10_000 * positions)
    gas = bench.do("admin", SetOrders(market, OrderParams(market, 1, 3_600, W, W)))
    yield row("set_orders", "", gas, *names)
    for case, size in (("open the last position", 20 * W), ("reduce", -10 * W)):
        order = CommitOrder(account, market, size, NO_LIMIT if size > 0 else 0)
        yield row("commit_order", case, bench.do(owner, order), *names)
        bench.push(PRICE)
        settlement = SettleOrder(account, market, bench.chain.contracts.view("latest_round", market))
        yield row("settle_order", case, bench.do("keeper", settlement), *names)
    bench.do(owner, CommitOrder(account, market, 10 * W, 1))
    bench.push(PRICE)
    settlement = SettleOrder(account, market, bench.chain.contracts.view("latest_round", market))
    yield row("settle_order", "refused by its trade", bench.do("keeper", settlement), *names)
    bench.do(owner, CommitOrder(account, market, 10 * W, NO_LIMIT))
    bench.now += 3_700
    yield row("cancel_order", "", bench.do("keeper", CancelOrder(account, market)), *names)
    bench.do("admin", SetOrders(market, INSTANT))
    bench.push(PRICE)


def measure_ordering(bench: Bench, positions: int, collaterals: int) -> Iterator[dict[str, Any]]:
    """The liquidation of an account with all the orders it can have: a reduction of each position (ORD-3, ORD-7)."""
    owner = "ordering"
    account = bench.open_troubled(owner, positions, collaterals, HEALTHY)
    for market in range(positions):
        bench.do("admin", SetOrders(market, OrderParams(market, 1, 3_600, W, W)))
        bench.do(owner, CommitOrder(account, market, -10 * W, 0))
    case = f"bad debt, {positions} orders pending"
    yield row("liquidate", case, bench.liquidate("keeper", account, price=60), positions, collaterals)
    for market in range(positions):
        bench.do("admin", SetOrders(market, INSTANT))


def measure_keeper(bench: Bench, positions: int, collaterals: int) -> Iterator[dict[str, Any]]:
    """What keepers do with accounts in trouble."""
    names = (positions, collaterals)
    troubles = (
        ("partial", PARTIAL),
        ("partial, nearly everything", NEARLY_ALL),
        ("whole account", WHOLE),
    )
    if names == (POSITIONS[0], COLLATERALS[0]):
        account = bench.open_troubled("victim_first", *names, WHOLE)
        yield row("liquidate", "whole account, first of this keeper", bench.liquidate("beginner", account), *names)
    called = bench.open_troubled(f"called_{positions}_{collaterals}", *names, CALLED)
    bench.push(bench.low)
    yield row("margin_call", "", bench.do("keeper", MarginCall(called)), *names)
    bench.push(PRICE)
    for case, share in troubles:
        account = bench.open_troubled(f"victim_{positions}_{collaterals}_{share}", *names, share)
        bench.push(bench.low)
        if case == "whole account":
            yield row("flag_account", "", bench.do("keeper", FlagAccount(account)), *names)
        yield row("quote_liquidation", case, bench.ask("quote_liquidation", account), *names)
        yield row("liquidate", case, bench.liquidate("keeper", account), *names)
    account = bench.open_troubled(f"victim_{positions}_{collaterals}_bad", *names, HEALTHY)
    yield row("liquidate", "bad debt", bench.liquidate("keeper", account, price=60), *names)


def measure_views(bench: Bench, positions: int, collaterals: int) -> Iterator[dict[str, Any]]:
    """What someone asks about a healthy account."""
    account = bench.open_account(f"asked_{positions}_{collaterals}", positions, collaterals, 1_000 * positions)
    calls = (
        ("health", (account,)),
        ("preview_trade", (account, positions - 1, 10 * W, NO_LIMIT)),
        ("withdrawable", (account, 0)),
        ("withdrawable", (account, 1)),
        ("max_size", (account, positions - 1, True)),
        ("liquidation_price", (account, positions - 1)),
    )
    for name, arguments in calls:
        case = {("withdrawable", 0): "USDC", ("withdrawable", 1): "collateral"}.get((name, arguments[-1]), "")
        yield row(name, case, bench.ask(name, *arguments), positions, collaterals)


def measure_batch(bench: Bench) -> Iterator[dict[str, Any]]:
    """Several liquidations in one call."""
    victims = [bench.open_troubled(f"batch_{number}", 1, 1, WHOLE) for number in range(BATCH)]
    bench.push(bench.low)
    gas = bench.do("keeper", LiquidateMany(tuple(victims)))
    bench.push(PRICE)
    yield row("liquidate_many", f"{BATCH} whole accounts", gas, 1, 1)


def measure_pool(bench: Bench) -> Iterator[dict[str, Any]]:
    """What providers and buyers of inventory do, with every market open and every collateral in the pool."""
    yield row("deposit_to_pool", "repeat, 16 markets open", bench.do("lender", DepositToPool(10**12)))
    yield row("request_redemption", "", bench.do("lender", RequestRedemption(10**21)))
    yield row("buy_inventory", "", bench.do("fresh", BuyInventory(1, 10**15, 10**12)))
    bench.now += REFERENCE.risk.redemption_delay
    bench.push(PRICE)
    yield row("claim_redemption", "16 markets open", bench.do("lender", ClaimRedemption()))


def measure_governance(bench: Bench) -> Iterator[dict[str, Any]]:
    """What admin and guardian do."""
    stricter = tuple(replace(tier, mm_rate=tier.mm_rate + W // 1_000) for tier in MARKET.brackets)
    markets, feeds = bench.markets, bench.markets
    yield row("set_risk", "16 markets, 8 collaterals", bench.do("admin", SetRisk(REFERENCE.risk)))
    yield row("set_market", "change", bench.do("admin", SetMarket(0, bench.market_params(0))))
    changed = replace(bench.market_params(1), brackets=stricter)
    yield row("set_market", "stricter, phased in", bench.do("admin", SetMarket(1, changed)))
    assert markets < MAX_MARKETS
    yield row("set_market", "list", bench.do("admin", SetMarket(markets, bench.market_params(0))))
    yield row("set_collateral", "change", bench.do("admin", SetCollateral(1, bench.collateral_params(1))))
    yield row("set_feed", "create", bench.do("admin", SetFeed(feeds, 8, 86_400)))
    yield row("set_feed", "change", bench.do("admin", SetFeed(feeds, 8, 7_200)))
    yield row("set_rate_feed", "", bench.do("admin", SetRateFeed(feeds + 1, 0, 1)))
    yield row("pause_opening", "", bench.do("guardian", PauseOpening(True)))
    yield row("set_guardian", "", bench.do("admin", SetGuardian(address_of("lender"))))
    yield row("propose_admin", "", bench.do("admin", ProposeAdmin(address_of("lender"))))
    yield row("accept_admin", "", bench.do("lender", AcceptAdmin()))


def main() -> int:
    """Write or check the table."""
    parser = ArgumentParser(prog="python -m benchmarks.gas", description="Measure gas, and write specs/gas.json.")
    parser.add_argument("--check", action="store_true", help="compare with specs/gas.json instead; 1 if it differs")
    checks = parser.parse_args().check
    text = json.dumps(list(measure()), indent=1) + "\n"
    if not checks:
        TABLE.write_text(text, "utf-8")
        for entry in json.loads(text):
            print(f"{key_of(entry):<60}{entry['gas']:>12,}")
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
