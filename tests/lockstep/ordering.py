"""What traders, keepers and the admin do about committed orders in random stories."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from crossmargin.replay.keepers import find_orders, find_round
from crossmargin.replay.world import World
from protocol.actions import CancelOrder, CommitOrder, SetOrders, SettleOrder, Trade
from protocol.env import Env
from protocol.params import OrderParams
from protocol.state import INSTANT
from protocol.units import W
from tests.lockstep.cast import ACCOUNTS, Resolver, Step, admin_of, pick
from tests.lockstep.governing import push_moves
from tests.lockstep.keeping import keeper_of
from tests.lockstep.trading import resolve_trade
from tests.twins import BTC, ETH


def resolve_rules(world: World, env: Env, step: Step) -> tuple[str, SetOrders]:
    """Orders for the market of ETH, mostly, or none again; at times rules that cannot be."""
    state = world.protocol
    market = step.which % (len(state.markets) + 1) if step.how % 11 == 0 else len(state.markets) - 1
    feed = state.market_params[market % len(state.markets)].feed
    rules = OrderParams(
        feed=feed if step.how % 7 else step.how % 5,
        delay=pick((1, 1, 1, 2, 5, 300), step.who),
        window=pick((10, 1_000, 2_000, 3_600, 3_601), step.which),
        fee=pick((1, W // 2, 2 * W, 20 * W), step.much),
        cancel_fee=pick((0, W // 4, 2 * W, W), step.much),
    )
    if step.much % 13 == 0:
        rules = pick(
            (replace(rules, window=0), replace(rules, delay=3_601), replace(rules, cancel_fee=W * 99)), step.how
        )
    elif step.how % 4 == 0:
        rules = INSTANT
    return admin_of(state, step), SetOrders(market, rules)


def resolve_order(world: World, env: Env, step: Step) -> tuple[str, Any]:
    """The trade that there would have been, where orders are taken; else mostly the trade."""
    state = world.protocol
    ordering = [market for market, rules in enumerate(state.order_params) if rules.delay]
    if ordering:
        step = replace(step, which=pick(ordering, step.which))
    sender, trade = resolve_trade(world, env, step)
    assert isinstance(trade, Trade)
    takes = trade.market < len(state.markets) and state.order_params[trade.market].delay
    if not takes and step.how % 23:
        return sender, trade
    limit = trade.acceptable_price
    if takes and step.how % 3 == 0:  # the price of now, which the round can miss
        limit = env.quote(state.market_params[trade.market].feed).mid
    return sender, CommitOrder(trade.account, trade.market, trade.size_delta, limit)


def resolve_settlement(world: World, env: Env, step: Step) -> tuple[str, Any]:
    """What a keeper would do about an order, or its round; at times too early, late, or at another round."""
    state = world.protocol
    ready = list(find_orders(world, env.now))
    if ready and step.how % 9:
        return keeper_of(step), pick(ready, step.which)
    pending = [(key, market) for key in ACCOUNTS if key in state.accounts for market in state.accounts[key].orders]
    if not pending and step.how % 5:
        return resolve_order(world, env, step)
    account, market = pick(pending, step.who) if pending else (pick(list(ACCOUNTS), step.who), step.which % 2)
    feed = state.accounts[account].orders[market].feed if pending else BTC
    if pending and feed in (BTC, ETH) and step.how % 3:  # its round has not come yet
        return "poster", push_moves(world.oracle.hub, (feed,), step.much % 200 - 100, step)
    if step.much % 5 == 0:
        return keeper_of(step), CancelOrder(account, market)
    number = find_round(world, account, market) if pending else 1
    return keeper_of(step), SettleOrder(account, market, max(number + step.much % 3 - 1, 0))


RESOLVERS: dict[str, Resolver] = {
    "order rules": resolve_rules,
    "order": resolve_order,
    "settle": resolve_settlement,
}
