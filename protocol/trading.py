"""Trades: open, add, reduce, close, flip, and close everything (TRD-1 to TRD-14)."""

from __future__ import annotations

from protocol import errors
from protocol.actions import CloseAll, SetLeverageCap, Trade
from protocol.checks import (
    check_initial_margin,
    check_market_listed,
    check_no_orders,
    check_owner,
    check_reduction,
    check_remaining_margin,
    check_solvent_exit,
    check_trader,
    compute_position_health,
)
from protocol.configuration import LEVERAGE_LIMIT
from protocol.draft import Draft, DraftAccount, DraftMarket, Outcome, check_range
from protocol.env import Env
from protocol.events import LeverageCapSet
from protocol.fills import fill
from protocol.margin import compute_notional, compute_reserve
from protocol.params import MAX_POSITIONS, MarketParams
from protocol.policy import NEW_RISK, REDUCTION, check_accepted
from protocol.state import NO_POSITION, Account, Market, State
from protocol.units import BPS, SIZE_LIMIT, Price, Size, Usd, W

NO_LIMIT: Price = 2**128  # an acceptable price from here on is none: it exceeds every price


def process_trade(state: State, env: Env, action: Trade) -> Outcome:
    """Open, add to, reduce, close or flip a position at the price of now (TRD-1 to TRD-12).

    A reduction needs only its own market's price, without any fault while an order is pending. Refuses:
    account/unknown, account/not-trader, market/unknown, order/commit-only, account/isolated, amount/zero, sys/domain,
    market/lot, order/pending, oracle/*, and what ``change_position`` refuses.
    """
    before = check_trader(state, env, action.account)
    check_market_listed(state, action.market)
    check_instant(state, before, action.market)
    check_isolation(before, action.market)
    params = state.market_params[action.market]
    check_size(params, action.size_delta)
    reduces = is_reduction(before, action.market, action.size_delta)
    if not reduces:
        check_no_orders(before)
    quote = env.quote(params.feed)
    # With a fault even a way out would let whoever can cause it choose whether a pending order settles.
    check_accepted(REDUCTION if reduces and not before.orders else NEW_RISK, quote.status)
    return change_position(state, env, action, quote.mid)


def is_reduction(account: Account, market: int, size_delta: Size) -> bool:
    """Whether a trade brings a position toward zero without changing its sign (TRD-4)."""
    size = account.positions.get(market, NO_POSITION).size
    target = size + size_delta
    return abs(target) < abs(size) and target * size >= 0


def change_position(state: State, env: Env, action: Trade, price: Price, tolerated: int | None = None) -> Outcome:
    """Fill a trade at a price, and check what it leaves at the prices of now (TRD-5 to TRD-12).

    A flip is a close and an open in one action, with one acceptable price on the whole. The trade of an order needs
    every price of the account, and ``tolerated`` are faults that it takes beside those of a trade's row. Refuses:
    market/opening-paused, trade/price, market/min-notional, market/premium, market/skew-cap, market/oi-cap,
    account/positions, pool/reserved, margin/debt-cap, oracle/*, margin/initial, margin/equity-tier, margin/reduce,
    sys/domain.
    """
    before = state.accounts[action.account]
    params = state.market_params[action.market]
    size = before.positions.get(action.market, NO_POSITION).size
    target = size + action.size_delta
    reduces = is_reduction(before, action.market, action.size_delta)
    if state.opening_paused and not reduces:
        raise errors.OpeningPaused

    draft = Draft(state)
    account = draft.account(action.account)
    impact = 0
    if size * target < 0:
        impact += fill(draft, account, action.market, -size, price, env).impact
    skew = draft.market(action.market).skew
    opened = target if size * target < 0 else action.size_delta
    impact += fill(draft, account, action.market, opened, price, env).impact
    check_acceptable(action, price, impact)
    if target != 0 and compute_notional(target, price) < params.min_notional:
        raise errors.BelowMinimumNotional(notional=compute_notional(target, price))
    if reduces:
        check_reduction(draft, env, account, action.market, tolerated)
    else:
        check_growth(draft, account, action.market, skew, opened, price)
        if tolerated is None:
            check_remaining_margin(draft, env, account)
        else:
            check_initial_margin(draft, env, account, tolerated)
    draft.report_account(account)
    draft.report_ledger()
    return draft.commit()


def process_close_all(state: State, env: Env, action: CloseAll) -> Outcome:
    """Close every position of an account in one call, by ascending market (TRD-13).

    ``min_cash`` bounds all that prices, impact and fees can do. Refuses: account/unknown, account/not-trader,
    account/no-positions, order/commit-only, order/pending, oracle/*, trade/price, margin/reduce, sys/domain.
    """
    before = check_trader(state, env, action.account)
    if not before.positions:
        raise errors.NoPositions
    draft = Draft(state)
    account = draft.account(action.account)
    change = compute_reserve(state, env.now) - before.cash
    for market, position in before.positions.items():
        check_instant(state, before, market)
        quote = env.quote(state.market_params[market].feed)
        check_accepted(NEW_RISK if before.orders else REDUCTION, quote.status)
        change -= compute_position_health(draft, env, market, position)
        fill(draft, account, market, -position.size, quote.mid, env)
    if account.cash < action.min_cash:
        raise errors.PriceNotAcceptable(cash=account.cash)
    change += account.cash
    if change < 0:
        check_solvent_exit(draft, env, account, change)
    draft.report_account(account)
    draft.report_ledger()
    return draft.commit()


def process_set_leverage_cap(state: State, env: Env, action: SetLeverageCap) -> Outcome:
    """Set or lift the owner's own leverage limit in one market (TRD-14).

    Refuses: account/unknown, account/not-owner, order/pending, market/unknown, sys/domain, oracle/*, margin/initial,
    margin/equity-tier.
    """
    before = check_owner(state, env, action.account)
    check_no_orders(before)
    check_market_listed(state, action.market)
    check_range(action.leverage_cap, 0, LEVERAGE_LIMIT)
    draft = Draft(state)
    account = draft.account(action.account)
    account.put_leverage_cap(action.market, action.leverage_cap)
    draft.events.append(LeverageCapSet(action.account, action.market, action.leverage_cap))
    if action.market in before.positions:
        check_remaining_margin(draft, env, account)
    return draft.commit()


def check_instant(state: State, account: Account, market: int) -> None:
    """Refuse a trade at the price of now in a market that trades by committed orders, or beside an order there (ORD-2).

    Refuses: order/commit-only, order/pending.
    """
    if state.order_params[market].delay:
        raise errors.CommitOnly(market=market)
    if market in account.orders:
        raise errors.OrderPending(market=market)


def check_isolation(account: Account, market: int) -> None:
    """Refuse a market that an isolated account may not trade (TRD-2).

    Refuses: account/isolated.
    """
    if account.isolated and account.isolated != market + 1:
        raise errors.IsolatedAccount(market=account.isolated - 1)


def check_size(params: MarketParams, size_delta: Size) -> None:
    """Refuse a size of zero, one out of range, or one that is not whole lots (TRD-3).

    Refuses: amount/zero, sys/domain, market/lot.
    """
    if size_delta == 0:
        raise errors.ZeroAmount
    check_range(size_delta, 1 - SIZE_LIMIT, SIZE_LIMIT)
    if abs(size_delta) % params.lot:
        raise errors.NotWholeLots(lot=params.lot)


def check_acceptable(action: Trade, price: Price, impact: Usd) -> None:
    """Refuse a trade whose price with impact, fees apart, is worse than acceptable (TRD-6). Cross-multiplied.

    Refuses: trade/price.
    """
    acceptable = min(action.acceptable_price, NO_LIMIT)
    if action.size_delta * price + impact * W > acceptable * action.size_delta:
        raise errors.PriceNotAcceptable(price=price, impact=impact, acceptable=action.acceptable_price)


def check_growth(draft: Draft, account: DraftAccount, market: int, skew: int, size_delta: Size, price: Price) -> None:
    """Refuse growth beyond the market's, the pool's or the account's limits (TRD-8 to TRD-11).

    ``skew`` is the one before the part that opens. Refuses: market/premium, market/skew-cap, market/oi-cap,
    account/positions, pool/reserved, margin/debt-cap.
    """
    params = draft.base.market_params[market]
    totals = draft.market(market)
    check_skew(params, skew, size_delta)
    check_open_interest(params, totals, size_delta, price)
    if len(account.positions) > MAX_POSITIONS:
        raise errors.TooManyPositions
    grows = totals.larger_side > draft.base.markets[market].larger_side
    if grows and draft.pool - draft.trader_debt < draft.reserved:
        raise errors.PoolReserved(pool=draft.pool, reserved=draft.reserved)
    if -account.cash > draft.base.risk.debt_cap:
        raise errors.DebtCapReached(debt=-account.cash)


def check_skew(params: MarketParams, skew: int, size_delta: Size) -> None:
    """Refuse a fill that grows the skew at too high a premium, or beyond its cap (TRD-8).

    Refuses: market/premium, market/skew-cap.
    """
    after = skew + size_delta
    if abs(after) <= abs(skew):
        return
    if abs(2 * skew + size_delta) * BPS > 2 * params.skew_scale * params.max_premium:
        raise errors.PremiumTooHigh(skew=after)
    if abs(after) > params.skew_cap:
        raise errors.SkewCapReached(skew=after)


def check_open_interest(params: MarketParams, totals: Market | DraftMarket, size_delta: Size, price: Price) -> None:
    """Refuse open interest beyond the cap of its side, in size or in dollars (TRD-9).

    Refuses: market/oi-cap.
    """
    side = totals.long_oi if size_delta > 0 else totals.short_oi
    if side > params.oi_cap or compute_notional(side, price) > params.oi_cap_usd:
        raise errors.OpenInterestCapReached(open_interest=side)
