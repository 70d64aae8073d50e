"""A scenario without cross margin: every position in an isolated account of its own.

Which steps become which, and why, stands in specs/configuration.md, without cross margin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import Any

from contracts_py.keys import address_of
from crossmargin.replay.run import Replay, plan_setup, plan_timeline
from crossmargin.replay.world import ORACLE_ACTIONS
from crossmargin.scenario_records import ANY_OUTCOME, SUCCESS, AccountSpec, Scenario, Step
from protocol.actions import (
    CancelOrder,
    CloseAll,
    CommitOrder,
    CreateIsolated,
    Deposit,
    FlagAccount,
    Liquidate,
    LiquidateMany,
    MarginCall,
    SetLeverageCap,
    SetOperator,
    SettleOrder,
    Trade,
    Transfer,
    Withdraw,
)
from protocol.errors import Refusal
from protocol.liquidation import MAX_BATCH
from protocol.state import USDC, account_id, owner_of
from protocol.units import Units, Usd

PART = "/"  # between the name of an account and its market's, in the name of an isolated part
OF_EACH = (CloseAll, FlagAccount, Liquidate, MarginCall, SetOperator)  # what is done to every part alike


@dataclass(frozen=True, slots=True)
class Part:
    """An isolated account that takes one market's position of an account, and its share of what is paid in."""

    spec: AccountSpec
    market: int
    weight: int


def isolate(scenario: Scenario) -> Scenario:
    """The scenario with an isolated account for every position that its steps open."""
    parts = _build_parts(scenario)
    steps: list[Step] = []
    opened: set[int] = set()
    for step in scenario.steps:
        actions = list(_divide(step.action, parts))
        expect = ANY_OUTCOME if step.expect.may_refuse else SUCCESS
        for action in actions:
            for part in parts.get(getattr(step.action, "account", 0), ()):
                if part.spec.id not in opened and getattr(action, "account", 0) == part.spec.id:
                    opened.add(part.spec.id)
                    create = CreateIsolated(part.spec.id, part.market)
                    steps.append(replace(step, sender=part.spec.owner, action=create, expect=expect))
            steps.append(step if action == step.action else replace(step, action=action, expect=expect))
    specs = [part.spec for found in parts.values() for part in found]
    accounts = {**scenario.accounts, **{spec.name: spec for spec in specs}}
    return replace(scenario, accounts=accounts, steps=tuple(steps))


def _divide(action: Any, parts: Mapping[int, Sequence[Part]]) -> Iterator[Any]:
    """What becomes of an action: the same, or one for each part that it concerns."""
    own = parts.get(getattr(action, "account", 0), ())
    match action:
        case LiquidateMany(batch):
            ids = [key for account in batch for key in _keys(account, parts)]
            for at in range(0, max(len(ids), 1), MAX_BATCH):
                yield LiquidateMany(tuple(ids[at : at + MAX_BATCH])) if len(batch) <= MAX_BATCH else action
        case Transfer(_, target, token, units) if token == USDC and (own or target in parts):
            for key, share in _shares(action.account, units, parts):
                for to, amount in _shares(target, share, parts):
                    yield replace(action, account=key, target=to, units=amount)
        case Deposit(_, token, units) | Withdraw(_, token, units) if own and token == USDC:
            for key, share in _shares(action.account, units, parts):
                yield replace(action, account=key, units=share)
        case Trade() | SetLeverageCap() | CommitOrder() | SettleOrder() | CancelOrder():
            yield replace(action, account=next((p.spec.id for p in own if p.market == action.market), action.account))
        case _ if own and isinstance(action, OF_EACH):
            for part in own:
                yield replace(action, account=part.spec.id)
        case _:
            yield action


def _keys(account: int, parts: Mapping[int, Sequence[Part]]) -> list[int]:
    return [part.spec.id for part in parts.get(account, ())] or [account]


def _shares(account: int, units: Units, parts: Mapping[int, Sequence[Part]]) -> Iterator[tuple[int, Units]]:
    """Units by part, rounded down, what is left to the first; parts that get nothing are left out."""
    own = parts.get(account, ())
    if not own:
        yield account, units
        return
    total = sum(part.weight for part in own)
    shares = [units * part.weight // total for part in own]
    shares[0] += units - sum(shares)
    for part, share in zip(own, shares, strict=True):
        if share or (part is own[0] and not units):
            yield part.spec.id, share


def _build_parts(scenario: Scenario) -> dict[int, tuple[Part, ...]]:
    """Parts by account, in the order of their first trades or orders, weighted by the notional that the steps plan."""
    names = {spec.id: spec for spec in scenario.accounts.values()}
    taken = {(spec.owner, spec.sub) for spec in names.values()}
    sizes, prices = _plan_sizes(scenario), _find_prices(scenario)
    parts: dict[int, tuple[Part, ...]] = {}
    for (key, market), size in sizes.items():
        spec = names[key]
        sub = next(number for number in count(1) if (spec.owner, number) not in taken)
        taken.add((spec.owner, sub))
        traded = scenario.params.markets[market].name
        story = spec.story and f"The {traded} position of {spec.name}, isolated."
        part = AccountSpec(spec.name + PART + traded, spec.owner, sub, story, account_id(owner_of(key), sub))
        parts[key] = (*parts.get(key, ()), Part(part, market, max(size * prices.get((key, market), 0), 1)))
    return parts


def _plan_sizes(scenario: Scenario) -> dict[tuple[int, int], int]:
    """The largest size that each account's steps plan in each market, if what they expect comes true."""
    named = {spec.id for spec in scenario.accounts.values()}
    sizes: dict[tuple[int, int], int] = {}
    largest: dict[tuple[int, int], int] = {}
    for step in scenario.steps:
        action = step.action
        if step.expect.refused is not None:
            continue
        if isinstance(action, CloseAll):
            sizes |= {key: 0 for key in sizes if key[0] == action.account}
        elif (
            isinstance(action, Trade | CommitOrder)
            and action.account in named
            and action.market < len(scenario.params.markets)
        ):
            key = (action.account, action.market)
            sizes[key] = sizes.get(key, 0) + action.size_delta
            largest[key] = max(largest.get(key, 0), abs(sizes[key]))
    return largest


def _find_prices(scenario: Scenario) -> dict[tuple[int, int], Usd]:
    """The price of a market when an account first trades or commits an order in it; 0 where there is none."""
    world = Replay(scenario, "model", None).world
    prices: dict[tuple[int, int], Usd] = {}
    now = 0
    for planned in chain(plan_setup(scenario), plan_timeline(scenario)):
        now, action = max(planned.time, now + 1), planned.action
        if isinstance(action, ORACLE_ACTIONS):
            try:
                world, _ = world.apply(now, address_of(planned.sender), action)
            except Refusal:
                continue
        elif isinstance(action, Trade | CommitOrder) and action.market < len(scenario.params.markets):
            key = (action.account, action.market)
            if key not in prices:
                feed = scenario.params.markets[action.market].params.feed
                prices[key] = world.env(now).quote(feed).mid
    return prices
