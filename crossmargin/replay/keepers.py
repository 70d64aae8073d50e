"""What the scenario's keepers do after a price round. They decide from the model; the chain executes the list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from crossmargin.replay.world import World
from oracle.feeds import Feed
from protocol.actions import CancelOrder, Liquidate, SettleOrder
from protocol.errors import Refusal
from protocol.liquidation import check_liquidatable
from protocol.orders import process_settle_order
from protocol.state import Order, account_id

KeeperAction = SettleOrder | CancelOrder | Liquidate


def find_liquidatable(world: World, now: int) -> list[int]:
    """Accounts that a keeper could liquidate now, by ascending id."""
    env = world.env(now)
    state = world.protocol
    found = []
    for account_key, account in state.accounts.items():
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


def keeper_turn(keepers: Sequence[str], round_number: int, turn: int) -> str:
    """Whose turn it is: in file order, beginning one further with each round."""
    return keepers[(round_number + turn) % len(keepers)]


def next_action(world: World, now: int, keeper: int, passed_over: Sequence[KeeperAction]) -> KeeperAction | None:
    """The next order, then the next account, that this keeper takes, or nothing. Each is tried once a round."""
    accounts = (Liquidate(account) for account in find_liquidatable(world, now) if account != account_id(keeper))
    return next((action for action in chain(find_orders(world, now), accounts) if action not in passed_over), None)
