"""What speed is measured on: the actions of a real day, and those of a few crowded accounts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from contracts_py.deploy import TokenPlan
from contracts_py.keys import address_of
from crossmargin.library import PARAMETERS, SCENARIOS
from crossmargin.parameters import load_parameters
from crossmargin.replay.chain import ChainEngine
from crossmargin.replay.run import CONFIGURE_TIME, Done, Replay
from crossmargin.replay.world import World, new_world
from crossmargin.scenario import actors, load_scenario
from crossmargin.scenario_records import Scenario
from oracle.feeds import Push, SetFeed
from protocol.actions import Deposit, DepositToPool, Liquidate, SetCollateral, SetMarket, SetRisk, Trade, Withdraw
from protocol.state import account_id
from protocol.trading import NO_LIMIT
from protocol.units import W

MARKETS = 8
OWNERS = tuple(f"owner_{number}" for number in range(8))
MIX = 1_000  # actions of the crowded accounts, after each has a position in every market
START = 1_600_000_000


@dataclass(frozen=True)
class Recorded:
    """One action as it was sent."""

    time: int
    sender: str
    action: Any


@dataclass(frozen=True)
class Workload:
    """A deployment, and every action sent to it."""

    name: str
    begin: int
    tokens: tuple[TokenPlan, ...]
    feeds: tuple[str, ...]
    actors: tuple[str, ...]
    recorded: tuple[Recorded, ...]

    def first_world(self) -> World:
        """The model before the first action."""
        admin, guardian, poster = (address_of(role) for role in ("admin", "guardian", "poster"))
        return new_world(admin, guardian, poster, len(self.tokens))

    def open_engine(self, backend: str) -> ChainEngine:
        """The contracts before the first action."""
        return ChainEngine(backend, self.begin, self.tokens, self.feeds, self.actors)


def load_day() -> tuple[Scenario, list[Done], Workload]:
    """Black Thursday: accounts with one or two positions, and a thousand rounds of prices."""
    scenario = load_scenario(SCENARIOS.find("black_thursday"), address_of)
    done = list(Replay(scenario, "model", None).play())
    workload = Workload(
        scenario.name,
        scenario.start - CONFIGURE_TIME,
        tuple(TokenPlan(token.name, token.decimals) for token in scenario.params.tokens),
        tuple(feed.description for feed in scenario.params.feeds),
        actors(scenario),
        tuple(Recorded(one.time, one.planned.sender, one.planned.action) for one in done),
    )
    return scenario, done, workload


def make_crowd() -> Workload:
    """Eight accounts with eight positions each: mostly trades, some of them refused, prices that move by a per cent."""
    reference = load_parameters(PARAMETERS.find("reference"))
    market, collateral = reference.markets[0].params, reference.tokens[1].params
    assert collateral is not None
    told: list[tuple[str, Any]] = [("admin", SetFeed(feed, 8, 86_400)) for feed in range(MARKETS)]
    told.append(("admin", SetRisk(reference.risk)))
    told += [("admin", SetMarket(feed, replace(market, feed=feed, lot=W // 100))) for feed in range(MARKETS)]
    told.append(("admin", SetCollateral(1, replace(collateral, feed=0))))
    told.append(("poster", Push(tuple(range(MARKETS)), (100 * 10**8,) * MARKETS)))
    told.append(("lender", DepositToPool(10**12)))
    for owner in OWNERS:
        account = account_id(address_of(owner))
        told += [(owner, Deposit(account, 0, 5_000 * 10**6)), (owner, Deposit(account, 1, 10 * W))]
        told += [(owner, Trade(account, feed, 20 * W, NO_LIMIT)) for feed in range(MARKETS)]
    told += [choose(number) for number in range(MIX)]
    recorded = tuple(Recorded(START + number, sender, action) for number, (sender, action) in enumerate(told))
    tokens = (TokenPlan("USDC", 6), TokenPlan("C1", 18))
    names = ("admin", "guardian", "poster", "lender", "keeper", *OWNERS)
    return Workload("crowded accounts", START, tokens, tuple(f"FEED {i}" for i in range(MARKETS)), names, recorded)


def choose(number: int) -> tuple[str, Any]:
    """The sender and the action of a number: 70 % trades, 15 % prices, the rest in equal parts."""
    digest = hashlib.sha256(str(number).encode()).digest()
    kind, who, which, how = digest[0], digest[1] % len(OWNERS), digest[2] % MARKETS, digest[3]
    account = account_id(address_of(OWNERS[who]))
    if kind < 179:
        size = (how % 40 + 1) * W // (4 if how % 3 else -4)
        return OWNERS[who], Trade(account, which, size, NO_LIMIT if size > 0 else 0)
    if kind < 217:
        return "poster", Push((which,), ((9_900 + how % 200) * 10**6,))
    if kind < 230:
        return OWNERS[who], Deposit(account, how % 2, 10**6)
    if kind < 243:
        return OWNERS[who], Withdraw(account, how % 2, 10**6)
    return "keeper", Liquidate(account)
