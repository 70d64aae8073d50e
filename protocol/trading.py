"""Fills against the pool at the oracle price, and the rules a trade must meet (FIL, TRD)."""

from __future__ import annotations

from protocol import errors
from protocol.actions import Trade
from protocol.draft import Draft, DraftAccount, Outcome, check_range
from protocol.env import Env, check_usable
from protocol.events import PositionUpdated
from protocol.ledger import add_cash, settle_with_pool, share_income
from protocol.margin import compute_health, compute_margins, compute_notional, compute_pnl
from protocol.params import MarketParams
from protocol.records import record
from protocol.state import NO_POSITION, Market, Position, State
from protocol.units import SIZE_LIMIT, Price, Ratio, Size, Usd, W, cdiv
from protocol.vault import check_initial_margin, check_owner


@record
class Fill:
    """A position after a fill, and the profit the fill realised."""

    position: Position
    pnl: Usd


def compute_fill(position: Position, size_delta: Size, price: Price) -> Fill:
    """Change a position by ``size_delta`` without changing its sign (FIL-1).

    Growing adds ``cdiv(size_delta * price, W)`` to the cost. Reducing releases the cost in proportion, rounded up,
    and realises proceeds less released cost: the rounding is against the account now and never creates value.
    """
    paid = cdiv(size_delta * price, W)
    if position.size * size_delta >= 0:
        return Fill(Position(position.size + size_delta, position.cost + paid), 0)
    released = cdiv(position.cost * abs(size_delta), abs(position.size))
    return Fill(Position(position.size + size_delta, position.cost - released), -paid - released)


def fill(draft: Draft, account: DraftAccount, market: int, size_delta: Size, price: Price, fee_rate: Ratio) -> None:
    """Apply one fill: position, market totals, realised profit and fee (FIL-2).

    The fee is charged on the notional of the fill, rounded up, and shared between insurance and pool.
    """
    before = account.positions.get(market, NO_POSITION)
    result = compute_fill(before, size_delta, price)
    fee = cdiv(abs(size_delta) * price * fee_rate, W * W)
    account.put_position(market, result.position)
    settle_with_pool(draft, account, result.pnl)
    add_cash(draft, account, -fee)
    share_income(draft, fee, draft.base.risk.insurance_fee_share)
    after = result.position
    draft.events.append(PositionUpdated(account.id, market, after.size, after.cost, size_delta, price, result.pnl, fee))
    draft.put_market(market, move_totals(draft.market(market), before, after))


def move_totals(totals: Market, before: Position, after: Position) -> Market:
    """A market's totals when one position changes (FIL-3). Exact: no division."""
    return Market(
        totals.long_oi + max(after.size, 0) - max(before.size, 0),
        totals.short_oi + max(-after.size, 0) - max(-before.size, 0),
        totals.cost + after.cost - before.cost,
    )


def process_trade(state: State, env: Env, action: Trade) -> Outcome:
    """Open, add to, reduce, close or flip a position (TRD-1 to TRD-10).

    A flip is a close and an open in one action. A reduction needs only its own market's price. Refuses:
    account/unknown, account/not-owner, market/unknown, amount/zero, sys/domain, market/lot, oracle/*, trade/price,
    market/opening-paused, market/min-notional, margin/debt-cap, margin/initial, margin/reduce.
    """
    check_owner(state, env, action.account)
    if action.market >= len(state.markets):
        raise errors.UnknownMarket(market=action.market)
    params = state.market_params[action.market]
    check_order(params, action)
    quote = env.quote(params.feed)
    check_usable(quote.status)
    price = quote.price
    if price > action.acceptable_price if action.size_delta > 0 else price < action.acceptable_price:
        raise errors.PriceNotAcceptable(price=price, acceptable=action.acceptable_price)

    draft = Draft(state)
    account = draft.account(action.account)
    before = account.positions.get(action.market, NO_POSITION)
    target = before.size + action.size_delta
    reduces = abs(target) < abs(before.size) and target * before.size >= 0
    if state.opening_paused and not reduces:
        raise errors.OpeningPaused
    if before.size * target < 0:
        fill(draft, account, action.market, -before.size, price, params.fee_rate)
        fill(draft, account, action.market, target, price, params.fee_rate)
    else:
        fill(draft, account, action.market, action.size_delta, price, params.fee_rate)
    if target != 0 and compute_notional(target, price) < params.min_notional:
        raise errors.BelowMinimumNotional(notional=compute_notional(target, price))
    if reduces:
        check_reduction(state, env, account, action.market, before)
    else:
        if -account.cash > state.risk.debt_cap:
            raise errors.DebtCapReached(debt=-account.cash)
        check_initial_margin(state, env, account)
    draft.report_account(account)
    draft.report_ledger()
    return draft.commit()


def check_order(params: MarketParams, action: Trade) -> None:
    """Refuse a size of zero, one out of range, or one that is not whole lots (TRD-2).

    Refuses: amount/zero, sys/domain, market/lot.
    """
    if action.size_delta == 0:
        raise errors.ZeroAmount
    check_range(action.size_delta, 1 - SIZE_LIMIT, SIZE_LIMIT)
    if abs(action.size_delta) % params.lot:
        raise errors.NotWholeLots(lot=params.lot)


def check_reduction(state: State, env: Env, account: DraftAccount, market: int, before: Position) -> None:
    """Refuse a reduction that lowers equity_mm less maintenance margin (MRG-7).

    Only this market's terms and the balance differ, so no other price is needed. The last position may be closed
    at a loss of health while the account value stays at or above zero; that test needs every collateral's price.

    Refuses: oracle/*, margin/reduce.
    """
    params = state.market_params[market]
    price = env.quote(params.feed).price
    after = account.positions.get(market, NO_POSITION)
    health_change = account.cash - state.accounts[account.id].cash
    for position, sign in ((after, 1), (before, -1)):
        mm, _ = compute_margins(params.brackets, compute_notional(position.size, price))
        health_change += sign * (compute_pnl(position, price) - mm)
    if not account.positions:
        health_change += state.risk.keeper_reserve
    if health_change >= 0:
        return
    if account.positions:
        raise errors.ReductionLowersHealth(change=health_change)
    health = compute_health(state, account, env)
    check_usable(health.price_status)
    if health.equity_raw < 0:
        raise errors.ReductionLowersHealth(change=health_change, equity_raw=health.equity_raw)
