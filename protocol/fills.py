"""Fills against the pool: impact, fees, funding, and what one fill does to position and market (FIL-1 to FIL-9)."""

from __future__ import annotations

from protocol.draft import Draft, DraftAccount, DraftMarket
from protocol.env import Env
from protocol.events import PositionUpdated
from protocol.funding import accrue, compute_owed, steer
from protocol.ledger import add_cash, credit_pool, settle_with_pool, share_income
from protocol.params import MarketParams
from protocol.records import record
from protocol.state import NO_POSITION, Market, Position
from protocol.units import BPS, Bps, Price, Ratio, Size, Usd, W, cdiv, fdiv


@record
class Fill:
    """What a fill charged: impact net of rebate (negative when the rebate is larger), and fee."""

    impact: Usd
    fee: Usd


def compute_fill(position: Position, size_delta: Size, price: Price, index: Price) -> tuple[Position, Usd]:
    """A position changed by ``size_delta`` without changing its sign, and the profit realised (FIL-1).

    Growing adds ``cdiv(size_delta * price, W)`` to the cost. Reducing releases the cost in proportion, rounded up,
    and realises proceeds less released cost: the rounding is against the account now and never creates value.
    """
    paid = cdiv(size_delta * price, W)
    size = position.size + size_delta
    if position.size * size_delta >= 0:
        return Position(size, position.cost + paid, index), 0
    released = cdiv(position.cost * abs(size_delta), abs(position.size))
    return Position(size, position.cost - released, index), -paid - released


def compute_impact(params: MarketParams, skew: int, size_delta: Size, price: Price) -> tuple[Usd, Usd]:
    """Charge for growing the skew and rebate for shrinking it, by the potential skew^2 * price / (2 * scale) (FIL-2).

    The charge is rounded up, the rebate is a share of the potential given back, rounded down; a fill through zero
    skew has both. Splitting a fill never makes it cheaper.
    """
    after = skew + size_delta
    scale = 2 * params.skew_scale * W
    if skew * after < 0:
        charge = cdiv(after * after * price, scale)
        return charge, fdiv(skew * skew * params.rebate_ratio * price, scale * BPS)
    change = size_delta * (2 * skew + size_delta)
    if change >= 0:
        return cdiv(change * price, scale), 0
    return 0, fdiv(-change * params.rebate_ratio * price, scale * BPS)


def bound_rebate(rebate: Usd, collected: Usd, skew: int, size_delta: Size) -> Usd:
    """A rebate, at most the fill's share of the impact ledger: what it gives back of the potential (FIL-9).

    Rounded down in favour of the ledger. A fill that brings the skew to zero or through it may take all of it.
    """
    if rebate == 0:
        return 0
    after = skew + size_delta
    kept = after * after if skew * after > 0 else 0
    return min(rebate, fdiv(collected * (skew * skew - kept), skew * skew))


def compute_fee(params: MarketParams, skew: int, size_delta: Size, price: Price) -> Usd:
    """Maker fee on the part that brings the skew toward zero, taker fee on the rest, each rounded up (FIL-3)."""
    size = abs(size_delta)
    maker = min(size, abs(skew)) if skew * size_delta < 0 else 0
    return charge_fee(maker, price, params.maker_fee) + charge_fee(size - maker, price, params.taker_fee)


def charge_fee(size: Size, price: Price, rate: Ratio) -> Usd:
    """A fee on the notional of a size at the oracle price, rounded up against the account (FIL-3)."""
    return cdiv(size * price * rate, W * W)


def move_totals(totals: DraftMarket, before: Position, after: Position) -> None:
    """Move a market's totals when one position changes (FIL-4). Exact: no division."""
    if before.size > 0:
        totals.long_oi -= before.size
    else:
        totals.short_oi += before.size
    if after.size > 0:
        totals.long_oi += after.size
    else:
        totals.short_oi -= after.size
    totals.cost += after.cost - before.cost
    totals.index_cost += after.size * after.entry_index - before.size * before.entry_index


def fill(draft: Draft, account: DraftAccount, market: int, size_delta: Size, price: Price, env: Env) -> Fill:
    """A user's fill: funding, realised profit, impact and fee, in this order (FIL-5)."""
    params = draft.base.market_params[market]
    skew = draft.market(market).skew
    charge, rebate = compute_impact(params, skew, size_delta, price)
    fee = compute_fee(params, skew, size_delta, price)
    impact = settle_fill(draft, account, market, size_delta, price, env, charge, rebate, fee)
    return Fill(impact, fee)


def fill_liquidation(
    draft: Draft, account: DraftAccount, market: int, size_delta: Size, price: Price, env: Env, notional: Usd
) -> None:
    """A liquidation's fill: no fee, and impact at most a share of the notional closed, rounded down (FIL-6)."""
    params = draft.base.market_params[market]
    charge, rebate = compute_impact(params, draft.market(market).skew, size_delta, price)
    bound = fdiv(notional * draft.base.risk.impact_cap_ratio, W)
    settle_fill(draft, account, market, size_delta, price, env, min(charge, bound), rebate, 0)


def settle_fill(
    draft: Draft,
    account: DraftAccount,
    market: int,
    size_delta: Size,
    price: Price,
    env: Env,
    charge: Usd,
    rebate: Usd,
    fee: Usd,
) -> Usd:
    """Book one fill and report position and market; the impact charged net of rebate (FIL-7).

    Dollars at scale W; no rounding of its own. When the market is empty, what is left of the impact ledger goes to the
    pool.

    Refuses: sys/domain.
    """
    params = draft.base.market_params[market]
    totals = draft.open_market(market)
    accrue(totals, price, env.now)
    before = account.positions.get(market, NO_POSITION)
    funding = compute_owed(before, totals.funding_index)
    after, pnl = compute_fill(before, size_delta, price, totals.funding_index)
    impact = charge - bound_rebate(rebate, totals.impact, totals.skew, size_delta)
    account.put_position(market, after)
    settle_with_pool(draft, account, -funding)
    settle_with_pool(draft, account, pnl)
    add_cash(draft, account, -impact - fee)
    share_income(draft, fee, draft.base.risk.insurance_fee_share)
    move_totals(totals, before, after)
    totals.impact += impact
    if totals.long_oi == 0 and totals.short_oi == 0:
        credit_pool(draft, totals.impact)
        totals.impact = 0
    steer(totals, params)
    put_reserved(draft, totals, price)
    draft.events.append(
        PositionUpdated(
            account.id,
            market,
            after.size,
            after.cost,
            totals.funding_index if after.size else 0,
            size_delta,
            price,
            pnl,
            funding,
            impact,
            fee,
        )
    )
    draft.report_market(market)
    return impact


def put_reserved(draft: Draft, totals: DraftMarket, price: Price) -> None:
    """Reserve what the pool must keep for a market's larger side at this price (FIL-8)."""
    reserved = compute_reserved(totals, price, draft.base.risk.lock_ratio)
    draft.reserved += reserved - totals.reserved
    totals.reserved = reserved


def compute_reserved(totals: Market | DraftMarket, price: Price, lock_ratio: Bps) -> Usd:
    """What the pool must keep for a market, rounded up in favour of the traders' claims (FIL-8)."""
    return cdiv(lock_ratio * totals.larger_side * price, BPS * W)
