"""Committed orders: trades whose price is not known when they are asked for (ORD-1 to ORD-7)."""

from __future__ import annotations

from dataclasses import replace

from protocol import errors
from protocol.actions import CancelOrder, CommitOrder, SetOrders, SettleOrder, Trade
from protocol.checks import check_market_listed, check_trader
from protocol.configuration import FEED_LIMIT
from protocol.draft import Draft, DraftAccount, Outcome
from protocol.env import Env
from protocol.events import OrderSettled, OrdersSet
from protocol.governance import check_admin
from protocol.ledger import add_cash
from protocol.params import OrderParams
from protocol.policy import NEW_RISK, SETTLEMENT, check_accepted
from protocol.state import INSTANT, Account, Order, State, account_id
from protocol.trading import NO_LIMIT, change_position, check_isolation, check_size, is_reduction
from protocol.units import Price, Seconds, Usd, W

LONGEST_DELAY: Seconds = 3_600
LONGEST_WINDOW: Seconds = 3_600
MAX_FEE: Usd = 100 * W
FILLED = ""  # the code of a settlement whose trade was made


def process_set_orders(state: State, env: Env, action: SetOrders) -> Outcome:
    """Let a market trade by committed orders, or at once again; pending orders keep their rules (ORD-1).

    Refuses: role/not-admin, market/unknown, config/orders.
    """
    check_admin(state, env)
    check_market_listed(state, action.market)
    check_order_rules(action.params)
    rules = state.order_params
    rules = (*rules[: action.market], action.params, *rules[action.market + 1 :])
    return Outcome(replace(state, order_params=rules), (OrdersSet(action.market, action.params),))


def check_order_rules(params: OrderParams) -> None:
    """Refuse rules of orders that are out of range; those of a market that trades at once are all 0 (ORD-1).

    Without a fee nobody would be paid to settle.

    Refuses: config/orders.
    """
    sound = (
        0 <= params.feed < FEED_LIMIT
        and 1 <= params.delay <= LONGEST_DELAY
        and 1 <= params.window <= LONGEST_WINDOW
        and 1 <= params.fee <= MAX_FEE
        and 0 <= params.cancel_fee <= params.fee
    )
    if not sound and params != INSTANT:
        raise errors.BadOrderConfig


def process_commit_order(state: State, env: Env, action: CommitOrder) -> Outcome:
    """Ask for a trade at the first price from a delay after now (ORD-3).

    The fee leaves the account balance and is never lent. An acceptable price that does not fit is the largest that
    does, which limits nothing. A reduction needs no price; what adds risk must be a trade that the account could make
    now, after the fee. Refuses: account/unknown, account/not-trader, market/unknown, order/instant-only,
    account/isolated, amount/zero, sys/domain, market/lot, order/pending, order/fee, oracle/*, and what a trade that
    adds risk refuses (specs/actions/trade.md).
    """
    before = check_trader(state, env, action.account)
    check_market_listed(state, action.market)
    rules = state.order_params[action.market]
    if rules.delay == 0:
        raise errors.InstantOnly(market=action.market)
    check_isolation(before, action.market)
    check_size(state.market_params[action.market], action.size_delta)
    check_free_to_commit(before, action.market)
    if before.cash < rules.fee:
        raise errors.FeeNotCovered(cash=before.cash, fee=rules.fee)
    draft = Draft(state)
    account = draft.account(action.account)
    settles_from = env.now + rules.delay
    order = Order(
        action.size_delta,
        min(action.acceptable_price, NO_LIMIT - 1),
        rules.fee,
        rules.cancel_fee,
        rules.feed,
        settles_from,
        settles_from + rules.window,
    )
    draft.put_order(account, action.market, order)
    draft.report_escrow()
    add_cash(draft, account, -rules.fee)
    draft.report_account(account)
    outcome = draft.commit()
    if not is_reduction(before, action.market, action.size_delta):
        check_carried(outcome.state, env, action)
    return outcome


def check_free_to_commit(account: Account, market: int) -> None:
    """Refuse a second order in a market, and any order beside one that adds risk (ORD-3).

    Its fee, or its own trade, would take the margin of the one that is pending, after that one's round is known.

    Refuses: order/pending.
    """
    if market in account.orders:
        raise errors.OrderPending(market=market)
    for pending, order in account.orders.items():
        if not is_reduction(account, pending, order.size_delta):
            raise errors.OrderPending(market=pending)


def check_carried(state: State, env: Env, action: CommitOrder) -> None:
    """Refuse an order that adds risk and is no trade that the account could make now (ORD-3).

    Else who knows the round would choose, by a deposit in time, whether the trade is made. Refuses: oracle/*, and what
    ``change_position`` refuses.
    """
    quote = env.quote(state.market_params[action.market].feed)
    check_accepted(NEW_RISK, quote.status)
    limit = NO_LIMIT - 1 if action.size_delta > 0 else 0
    change_position(state, env, Trade(action.account, action.market, action.size_delta, limit), quote.mid, NEW_RISK)


def process_settle_order(state: State, env: Env, action: SettleOrder) -> Outcome:
    """Make the trade of a pending order at the first round from its delay on; anyone may (ORD-4, ORD-5).

    The fee goes to the account balance of the sender's account 0. A trade that the rules refuse ends the order all the
    same, with the code in the event; one that fails for a price or for the machine leaves it pending. Refuses:
    order/none, order/too-early, order/expired, oracle/*, sys/domain.
    """
    order = find_order(state, action.account, action.market)
    if env.now < order.settles_from:
        raise errors.OrderTooEarly(settles_from=order.settles_from)
    if env.now > order.expires_at:
        raise errors.OrderExpired(expires_at=order.expires_at)
    price = read_price(state, env, action.market, action.round, order)
    keeper = account_id(env.sender)
    draft = Draft(state)
    draft.put_order(draft.account(action.account), action.market, None)
    draft.report_escrow()
    add_cash(draft, draft.account(keeper), order.fee)
    ended = draft.commit()
    filled, code = fill_order(ended.state, env, action, order, price)
    report = Draft(filled.state)
    if keeper != action.account or code != FILLED:  # else the trade has reported it
        report.report_account(report.account(keeper))
    if code != FILLED:
        report.report_ledger()
    report.events.append(OrderSettled(action.account, action.market, keeper, action.round, price, code))
    return Outcome(report.commit().state, (*ended.events, *filled.events, *report.events))


def find_order(state: State, account: int, market: int) -> Order:
    """A pending order.

    Refuses: order/none.
    """
    found: Account | None = state.accounts.get(account)
    if found is None or market not in found.orders:
        raise errors.NoOrder
    return found.orders[market]


def read_price(state: State, env: Env, market: int, number: int, order: Order) -> Price:
    """The price of an order: that of a round, which must be the first from the order's delay on (ORD-4).

    Beside the round, the price that the market has now must be no worse than old: a halted or deviating feed settles
    nothing.

    Refuses: oracle/*.
    """
    quote = env.read_first_round(order.feed, number, order.settles_from)
    check_accepted(SETTLEMENT, quote.status | env.quote(state.market_params[market].feed).status)
    return quote.mid


def fill_order(state: State, env: Env, action: SettleOrder, order: Order, price: Price) -> tuple[Outcome, str]:
    """The trade of an order that has ended, and the code with which the rules refuse it, or ``FILLED`` (ORD-5).

    The age of no price holds it up, else who alone brings one of them would choose whether the trade is made.

    Refuses: oracle/*, sys/domain.
    """
    trade = Trade(action.account, action.market, order.size_delta, order.acceptable_price)
    try:  # of whole lots it still is: a lot can only become a divisor of what it was
        return change_position(state, env, trade, price, SETTLEMENT), FILLED
    except errors.Refusal as refusal:
        if is_kept(refusal.code):
            raise
        return Outcome(state, ()), refusal.code


def is_kept(code: str) -> bool:
    """Whether a refusal leaves an order pending: neither prices nor the machine are the order's fault (ORD-5)."""
    return code.startswith(("oracle/", "sys/"))


def process_cancel_order(state: State, env: Env, action: CancelOrder) -> Outcome:
    """End an order that was not settled in time; anyone may, and nobody before (ORD-6).

    A part of the fee goes to the account balance of the sender's account 0, the rest back to the account.

    Refuses: order/none, order/not-expired, sys/domain.
    """
    order = find_order(state, action.account, action.market)
    if env.now <= order.expires_at:
        raise errors.OrderNotExpired(expires_at=order.expires_at)
    draft = Draft(state)
    account, keeper = draft.account(action.account), draft.account(account_id(env.sender))
    draft.put_order(account, action.market, None)
    draft.report_escrow()
    add_cash(draft, account, order.fee - order.cancel_fee)
    add_cash(draft, keeper, order.cancel_fee)
    draft.report_account(account)
    if keeper is not account:
        draft.report_account(keeper)
    draft.report_ledger()
    return draft.commit()


def cancel_orders(draft: Draft, account: DraftAccount) -> None:
    """End every order of an account whose liquidation begins; all fees go back to it (ORD-7)."""
    if not account.orders:
        return
    for market, order in account.orders.items():
        draft.put_order(account, market, None)
        add_cash(draft, account, order.fee)
    draft.report_escrow()
