"""What the scenario's keepers do after a price round. They decide from the model; the chain executes the list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from crossmargin.replay.world import World
from crossmargin.scenario_records import KeeperSpec
from oracle.feeds import Feed
from protocol.actions import CancelOrder, Liquidate, SettleOrder
from protocol.errors import Refusal
from protocol.liquidation import check_liquidatable
from protocol.orders import process_settle_order
from protocol.state import Order, account_id

KeeperAction = SettleOrder | CancelOrder | Liquidate


def find_liquidatable(world: World, now: int, among: Sequence[int] | None = None) -> list[int]:
    """Accounts that a keeper could liquidate now, by ascending id; ``among`` are the only ones looked at."""
    env = world.env(now)
    state = world.protocol
    found = []
    for account_key in state.accounts if among is None else among:
        account = state.accounts[account_key]
        if account.positions or account.cash < 0:
            try:
                check_liquidatable(state, env, account)
            except Refusal:
                continue
            found.append(account_key)
    return sorted(found)


def find_round(world: World, account: int, market: int) -> int:
    """The number of the round that is the price of a pending order, or that will be; 0 if its feed has no rounds."""
    order: Order = world.protocol.accounts[account].orders[market]
    feeds = world.oracle.hub.feeds
    feed = feeds[order.feed] if order.feed < len(feeds) else None
    if not isinstance(feed, Feed):
        return 0
    return feed.latest_round + 1 - sum(entry.updated_at >= order.settles_from for entry in feed.rounds)


def find_orders(world: World, now: int) -> Iterator[SettleOrder | CancelOrder]:
    """Orders that can be settled or have expired, by ascending account and market, and what a keeper does with them."""
    env = world.env(now)
    state = world.protocol
    for account_key in sorted(key for key, account in state.accounts.items() if account.orders):
        for market, order in state.accounts[account_key].orders.items():
            if now > order.expires_at:
                yield CancelOrder(account_key, market)
                continue
            settlement = SettleOrder(account_key, market, find_round(world, account_key, market))
            try:
                process_settle_order(state, env, settlement)
            except Refusal:
                continue
            yield settlement


def find_actions(world: World, now: int, seen: Sequence[KeeperAction] | None = None) -> Iterator[KeeperAction]:
    """What there is to do for keepers now, orders first; of what was ``seen``, only what still is."""
    yield from (action for action in find_orders(world, now) if seen is None or action in seen)
    among = None if seen is None else [action.account for action in seen if isinstance(action, Liquidate)]
    yield from map(Liquidate, find_liquidatable(world, now, among))


@dataclass(frozen=True, slots=True, order=True)
class Shift:
    """Keepers of one latency, and a round that they act on, a second after ``due`` (unix seconds) or later.

    ``seen`` is what there was to do after the round, where they see it late; None where they see it at once.
    """

    due: int
    round_number: int
    keepers: tuple[KeeperSpec, ...]
    seen: tuple[KeeperAction, ...] | None


def plan_shifts(keepers: Sequence[KeeperSpec], world: World, time: int, round_number: int) -> Iterator[Shift]:
    """Who acts on a round of this time, and when: the quickest first, without those who are down by then.

    Nobody does where the round left nothing to do.
    """
    seen = tuple(find_actions(world, time + 1)) if keepers else ()
    for latency in sorted({keeper.latency for keeper in keepers}):
        due = time + latency
        awake = tuple(keeper for keeper in keepers if keeper.latency == latency and not keeper.is_down(due))
        if seen and awake:
            yield Shift(due, round_number, awake, seen if latency else None)


def take_turns(shift: Shift) -> Iterator[str]:
    """Names of the keepers as their turns come, in file order, beginning one further with each round.

    A keeper that has had as many turns as its capacity is passed over; the turns end when all have.
    """
    first = shift.round_number % len(shift.keepers)
    in_turn = shift.keepers[first:] + shift.keepers[:first]
    for number in count(1):
        left = [keeper.name for keeper in in_turn if keeper.capacity is None or number <= keeper.capacity]
        if not left:
            return
        yield from left


def next_action(
    world: World, now: int, keeper: int, passed_over: Sequence[KeeperAction], seen: Sequence[KeeperAction] | None = None
) -> KeeperAction | None:
    """The next order, then the next account, that this keeper takes, or nothing. Each is tried once a shift."""
    own = Liquidate(account_id(keeper))
    return next((action for action in find_actions(world, now, seen) if action not in (*passed_over, own)), None)
