"""Random stories: drawn steps, turned into actions that mostly make sense where they stand.

A step is a handful of small integers. What it asks for is worked out from the model's state when its turn comes: a
size that the account can carry, a withdrawal of what is there, an account that is liquidatable. Some steps aim a
little beyond, and some are garbage on purpose. So any part of a story is a story, and one that fails can be shortened.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from contracts_py.keys import address_of
from crossmargin.replay.world import World
from oracle.feeds import Push
from protocol.actions import (
    CreateIsolated,
    Deposit,
    DepositToPool,
    FundInsurance,
    PauseOpening,
    SetLeverageCap,
    SetMarket,
    SetOperator,
    SetRisk,
)
from protocol.env import Status
from protocol.params import EquityTier, MarketParams
from protocol.state import account_id
from protocol.units import W
from tests.lockstep import governing, keeping, ordering, trading
from tests.lockstep.cast import DOLLAR, OWNERS, SUBS, Resolver, Step, Timed, admin_of, pick
from tests.lockstep.governing import START_ANSWERS, refresh
from tests.lockstep.landmarks import find_landmarks
from tests.twins import BTC, ETH, RATE_FEED, RISK, USDC, WBTC, WETH, WSTETH, Model, market_params

REACHED = "(reached)"
OUTCOMES: Counter[tuple[str, str]] = Counter()  # over all stories of a run: how often an action came to what
RESOLVERS: dict[str, Resolver] = {
    **trading.RESOLVERS,
    **keeping.RESOLVERS,
    **ordering.RESOLVERS,
    **governing.RESOLVERS,
}


@dataclass(frozen=True)
class Workload:
    """How often each kind of step comes, and how long after the one before."""

    weights: dict[str, int]
    waits: tuple[int, ...]

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Every kind as often as its weight says."""
        return tuple(kind for kind, weight in self.weights.items() for _ in range(weight))


# Everything that anybody may do.
ORDINARY = Workload(
    {
        "trade": 24,
        "lever": 8,
        "price": 17,
        "liquidate": 8,
        "batch": 2,
        "margin call": 5,
        "flag": 3,
        "deposit": 7,
        "withdraw": 5,
        "transfer": 4,
        "isolate": 3,
        "operator": 2,
        "leverage cap": 2,
        "close all": 3,
        "lend": 3,
        "request": 2,
        "claim": 4,
        "buy": 3,
        "insure": 1,
        "own": 1,
        "order rules": 3,
        "order": 9,
        "settle": 12,
        "pause": 1,
        "roles": 2,
        "parameters": 4,
        "rates": 3,
        "odd parameters": 2,
        "fault": 2,
        "feed": 2,
        "garbage": 5,
    },
    (1,) * 30 + (2, 60, 300, 600, 601, 1_800, 3_600, 4_300, 7_201, 20_000),
)

# High leverage and falling prices: liquidations, bad debt, and what becomes of it.
CRASH = Workload(
    {
        "lever": 24,
        "fall": 20,
        "liquidate": 14,
        "batch": 5,
        "flag": 6,
        "margin call": 8,
        "deposit": 8,
        "withdraw": 2,
        "transfer": 2,
        "close all": 2,
        "trade": 5,
        "lend": 2,
        "claim": 3,
        "buy": 5,
        "insure": 1,
        "order rules": 1,
        "order": 5,
        "settle": 3,
        "parameters": 1,
        "rates": 2,
    },
    (1,) * 20 + (30, 100, 400, 601, 1_200, 3_600),
)
WORKLOADS = {"ordinary": ORDINARY, "crash": CRASH}

# Committed orders and little else, where ordinary stories see too few of them.
ORDERS = Workload(
    {"order": 20, "settle": 20, "deposit": 8, "order rules": 4, "price": 8, "trade": 4, "fall": 1, "liquidate": 1},
    (1,) * 30 + (2, 60, 300, 600),
)
DRAWN = {**WORKLOADS, "orders": ORDERS}


def draw_step(workload: str, story: int, place: int) -> Step:
    """The step at a place of a story. The same on every machine and in every run: a hash of the three."""
    drawn = hashlib.sha256(f"{workload}|{story}|{place}".encode()).digest()
    kind, who, which, how, much, wait = (int.from_bytes(drawn[4 * i : 4 * i + 4], "big") for i in range(6))
    kinds, waits = DRAWN[workload].kinds, DRAWN[workload].waits
    return Step(pick(kinds, kind), who % 36, which % 36, how % 10_000, much % 1_000, pick(waits, wait))


def draw_story(workload: str, story: int, length: int) -> list[Step]:
    """The steps of a story."""
    return [draw_step(workload, story, place) for place in range(length)]


# --- telling --------------------------------------------------------------------------------------------------------


def resolve(world: World, now: int, step: Step) -> Timed:
    """The action a step asks for in this world.

    Mostly, prices that are not usable are pushed anew first, and a pause is ended before long: little can happen
    otherwise.
    """
    env = world.env(now + step.wait)
    if any(quote.status != Status.OK for quote in env.quotes[: len(START_ANSWERS) + 1]) and step.much % 3:
        return Timed(step.wait, *refresh(world, step))
    if world.protocol.opening_paused and step.much % 8 == 0:
        return Timed(step.wait, admin_of(world.protocol, step), PauseOpening(paused=False))
    return Timed(step.wait, *RESOLVERS[step.kind](world, env, step))


def play(model: Model, steps: Iterable[Step], outcomes: Counter[tuple[str, str]], done: list[Timed]) -> None:
    """Apply a story. ``outcomes`` counts what came of it, ``done`` has every action, the failing one included."""
    for step in steps:
        timed = resolve(model.world, model.now, step)
        done.append(timed)
        before = model.world
        code = model.attempt(timed.sender, timed.action, timed.after)
        done[-1] = replace(timed, refused=None if code == "ok" else code)
        outcomes[type(timed.action).__name__, code] += 1
        for landmark in set(find_landmarks(model, before, timed, code)):
            outcomes[REACHED, landmark] += 1


def shorten(steps: Sequence[Step], fails: Callable[[Sequence[Step]], bool]) -> list[Step]:
    """A part of a failing story that still fails and from which no single step can be left out.

    Parts of half the length are tried first, then ever smaller ones.
    """
    kept = list(steps)
    width = len(kept)
    while width:
        start = 0
        while start < len(kept):
            shorter = kept[:start] + kept[start + width :]
            if fails(shorter):
                kept = shorter
            else:
                start += width
        width //= 2
    return kept


# --- how every story begins -----------------------------------------------------------------------------------------

# Small money must move these markets: a few coins of skew cost, rates reach their cap in hours, windows are soon full.
LIVELY: dict[str, Any] = {
    "funding_velocity": 10 * W,
    "funding_cap": W // 50,
    "oi_lower": 150_000 * W,
    "oi_upper": 3_000_000 * W,
    "window_notional": 4_000 * W,
}
LIVELY_RISK = replace(
    RISK,
    phase_in=3_600,
    redemption_delay=60,
    redemption_window=20_000,
    lock_ratio=500,
    debt_cap=50 * W,
    equity_tiers=(EquityTier(0, 20 * W), EquityTier(6_000 * W, 10 * W), EquityTier(20_000 * W, 4 * W)),
)
LIVELY_BTC: MarketParams = replace(market_params(BTC), skew_scale=400 * W, skew_cap=30 * W, oi_cap=60 * W, **LIVELY)
LIVELY_ETH: MarketParams = replace(
    market_params(ETH, W // 100), skew_scale=16_000 * W, skew_cap=1_200 * W, oi_cap=2_400 * W, **LIVELY
)


def opening() -> list[Timed]:
    """What every story begins with, once configured: lively markets, prices, a pool, a little insurance, accounts."""
    told = [
        Timed(1, "admin", SetRisk(LIVELY_RISK)),
        Timed(RISK.phase_in, "admin", SetMarket(BTC, LIVELY_BTC)),  # when the shorter phase-in has been phased in
        Timed(1, "admin", SetMarket(ETH, LIVELY_ETH)),
        Timed(1, "poster", Push((BTC, ETH, RATE_FEED), START_ANSWERS)),
        Timed(1, "lender", DepositToPool(12_000 * DOLLAR)),
        Timed(1, "treasury", FundInsurance(500 * DOLLAR)),
    ]
    for number, owner in enumerate(OWNERS):
        account = account_id(address_of(owner))
        told.append(Timed(1, owner, Deposit(account, USDC, (1_000 + 700 * number) * DOLLAR)))
        token, units = ((WETH, 4 * 10**18), (WBTC, 10**7), (WSTETH, 3 * 10**18))[number % 3]
        told.append(Timed(1, owner, Deposit(account, token, (1 + number) * units)))
    isolated = account_id(address_of("borrower"), SUBS[-1])
    told.append(Timed(1, "borrower", CreateIsolated(isolated, ETH)))
    told.append(Timed(1, "borrower", Deposit(isolated, USDC, 2_000 * DOLLAR)))
    told.append(Timed(1, "lender", SetLeverageCap(account_id(address_of("lender")), BTC, 8 * W)))
    told.append(Timed(1, "trader", SetOperator(account_id(address_of("trader")), address_of("stranger"))))
    return told


def count_by_action(outcomes: Counter[tuple[str, str]]) -> list[str]:
    """A line for each action: how often it came to what."""
    lines = []
    for name in sorted({action for action, _ in outcomes}):
        codes = Counter({code: count for (action, code), count in outcomes.items() if action == name})
        text = ", ".join(f"{code} {count}" for code, count in codes.most_common())
        lines.append(f"{name} {codes.total()}: {text}")
    return lines
