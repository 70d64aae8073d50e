"""What someone must predict: previews, quotes, limits (VIEW-1 to VIEW-9). Nothing here changes a state or refuses.

A preview is the action itself, applied and dropped, so it cannot differ from its effect in the same block.
"""

from __future__ import annotations

from protocol.account_state import compute_account_state
from protocol.actions import Liquidate, SettleOrder, Trade
from protocol.collateral import compute_haircuts_in_force, compute_token_value
from protocol.env import Env, Status
from protocol.errors import Refusal
from protocol.events import AccountLiquidated, OrderSettled, PositionUpdated
from protocol.funding import compute_owed, project_funding
from protocol.liquidation import process_liquidate
from protocol.margin import (
    Health,
    compute_ceiling,
    compute_funding_price,
    compute_health,
    compute_maintenance_in_force,
    compute_maintenance_price,
    compute_notional,
    compute_pnl,
    compute_required_equity,
)
from protocol.orders import process_settle_order
from protocol.pool import compute_pool_value
from protocol.records import record
from protocol.state import NO_POSITION, USDC, Account, Position, State, owner_of
from protocol.trading import NO_LIMIT, process_trade
from protocol.units import PRICE_LIMIT, USDC_TO_W, Price, Size, Units, Usd, W, cdiv, fdiv

ALLOWED = ""  # the code of a preview that would not be refused


@record
class TradePreview:
    """What a trade would do. Of a refused one, only ``code`` means anything."""

    code: str
    impact: Usd
    fee: Usd
    cash: Usd
    health: Health
    account_state: int
    liquidation_price: Price


@record
class LiquidationQuote:
    """What a liquidation would do. Of a refused one, only ``code`` means anything."""

    code: str
    closed_notional: Usd
    reward: Usd
    reward_from_account: Usd
    penalty: Usd
    bad_debt: Usd


@record
class SettlementPreview:
    """What a settlement would do. ``code`` is that of what refuses the call, or ends the order without its trade.

    ``reward`` and ``price`` are 0 if the call would be refused, ``impact`` and ``fee`` if there would be no trade.
    """

    code: str
    is_refused: bool
    reward: Usd
    price: Price
    impact: Usd
    fee: Usd


@record
class Solvency:
    """The protocol's dollars at present prices. ``free`` is what the pool could pay out, negative if it is short."""

    pool: Usd
    insurance: Usd
    deficit: Usd
    trader_debt: Usd
    escrow: Usd
    reserved: Usd
    free: Usd
    deposit_value: Usd
    redemption_value: Usd
    price_status: int


NO_HEALTH = Health(0, 0, 0, 0, 0, 0, 0, 0)


def preview_trade(state: State, env: Env, action: Trade) -> TradePreview:
    """What a trade by the account's owner would do now (VIEW-1)."""
    try:
        outcome = process_trade(state, as_owner(env, action.account), action)
    except Refusal as refusal:
        return TradePreview(refusal.code, 0, 0, 0, NO_HEALTH, 0, 0)
    fills = [event for event in outcome.events if isinstance(event, PositionUpdated)]
    account = outcome.state.accounts[action.account]
    health = compute_health(outcome.state, account, env)
    return TradePreview(
        code=ALLOWED,
        impact=sum(fill.impact for fill in fills),
        fee=sum(fill.fee for fill in fills),
        cash=account.cash,
        health=health,
        account_state=int(compute_account_state(state.risk, health)),
        liquidation_price=compute_liquidation_price(outcome.state, env, action.account, action.market),
    )


def preview_settle_order(state: State, env: Env, action: SettleOrder) -> SettlementPreview:
    """What a settlement by ``env.sender`` would do now (VIEW-9)."""
    try:
        outcome = process_settle_order(state, env, action)
    except Refusal as refusal:
        return SettlementPreview(refusal.code, True, 0, 0, 0, 0)
    fills = [event for event in outcome.events if isinstance(event, PositionUpdated)]
    (settled,) = (event for event in outcome.events if isinstance(event, OrderSettled))
    return SettlementPreview(
        code=settled.code,
        is_refused=False,
        reward=state.accounts[action.account].orders[action.market].fee,
        price=settled.price,
        impact=sum(fill.impact for fill in fills),
        fee=sum(fill.fee for fill in fills),
    )


def quote_liquidation(state: State, env: Env, action: Liquidate) -> LiquidationQuote:
    """What a liquidation by ``env.sender`` would do now (VIEW-2)."""
    try:
        outcome = process_liquidate(state, env, action)
    except Refusal as refusal:
        return LiquidationQuote(refusal.code, 0, 0, 0, 0, 0)
    (done,) = (event for event in outcome.events if isinstance(event, AccountLiquidated))
    return LiquidationQuote(
        ALLOWED, done.closed_notional, done.reward, done.reward_from_account, done.penalty, done.bad_debt
    )


def compute_withdrawable(state: State, env: Env, account: int, token: int) -> Units:
    """The most units of a token that the owner could withdraw now; one more is refused (VIEW-3).

    0 while an order of the account is pending, or a price of its positions, or that of USDC beside them, has a fault.
    Collateral whose price has one counts nothing, and can be withdrawn whole if the rest is enough.
    """
    found: Account | None = state.accounts.get(account)
    if found is None or token > len(state.collateral_params) or found.orders:
        return 0
    owned = max(found.cash, 0) // USDC_TO_W if token == USDC else found.collateral.get(token, 0)
    most = min(owned, state.tokens[token].held)
    if found.cash >= 0 and not found.positions:
        return most
    health = compute_health(state, found, env, skips_faulty=True)
    if health.price_status != Status.OK:
        return 0
    required = compute_required_equity(state.risk.equity_tiers, health.gross_notional)
    spare = health.equity_im - max(health.initial_margin, required)
    if spare < 0:
        return 0
    if token == USDC:
        return min(most, spare // USDC_TO_W)
    return bisect_units(state, env, found, token, most, spare)


def bisect_units(state: State, env: Env, account: Account, token: int, most: Units, spare: Usd) -> Units:
    """The most units whose removal lowers the counted collateral by at most ``spare`` (VIEW-3)."""
    held = account.collateral.get(token, 0)
    counted = compute_counted_im(state, env, token, held)
    low, high = 0, most + 1  # removing ``low`` is allowed, removing ``high`` is not or cannot be
    while high - low > 1:
        middle = (low + high) // 2
        if counted - compute_counted_im(state, env, token, held - middle) <= spare:
            low = middle
        else:
            high = middle
    return low


def compute_counted_im(state: State, env: Env, token: int, units: Units) -> Usd:
    """What units of a collateral count for in equity_im now, nothing with a faulty price (VIEW-3)."""
    params = state.collateral_params[token - 1]
    quote = env.quote(params.feed)
    if quote.status != Status.OK:
        return 0
    value = compute_token_value(units, quote.bid, params.decimals)
    return compute_haircuts_in_force(params, state.collateral_phases[token - 1], env.now, value)[1]


def compute_max_size(state: State, env: Env, account: int, market: int, is_long: bool) -> Size:
    """The largest trade in a direction that would be accepted now, in whole lots; one lot more is refused (VIEW-4).

    A trade against a position first closes it, then opens. 0 if none is accepted.
    """
    if account not in state.accounts or market >= len(state.markets):
        return 0
    params = state.market_params[market]
    price = env.quote(params.feed).mid
    if price == 0:
        return 0

    def accepts(size: Size) -> bool:
        delta = size if is_long else -size
        action = Trade(account, market, delta, NO_LIMIT if is_long else 0)
        return preview_trade_code(state, env, action) == ALLOWED

    held = state.accounts[account].positions.get(market, NO_POSITION).size
    closing = abs(held) if held * (1 if is_long else -1) < 0 else 0
    if closing and not accepts(closing):
        return 0
    lot, kept = params.lot, 0 if closing else abs(held)
    smallest = max(cdiv(cdiv(params.min_notional * W, price) - kept, lot), 1)
    low = closing + smallest * lot
    if not accepts(low):
        return closing
    high = low + (params.oi_cap // lot + 1) * lot  # beyond the cap of any side
    while high - low > lot:
        middle = low + (high - low) // lot // 2 * lot
        if accepts(middle):
            low = middle
        else:
            high = middle
    return low


def preview_trade_code(state: State, env: Env, action: Trade) -> str:
    """The code with which a trade would be refused, or ``ALLOWED`` (VIEW-4)."""
    try:
        process_trade(state, as_owner(env, action.account), action)
    except Refusal as refusal:
        return refusal.code
    return ALLOWED


def as_owner(env: Env, account: int) -> Env:
    """The same surroundings, with the account's owner as the sender."""
    return Env(env.now, owner_of(account), env.quotes, env.read_first_round)


def compute_liquidation_price(state: State, env: Env, account: int, market: int) -> Price:
    """The price of one market at which the account becomes liquidatable, every other price as it is (VIEW-5).

    For a long the highest such price, for a short the lowest: one wei further on the safe side it is not. Collateral
    keeps its price, also if the same feed gives it. 0 if there is none.
    """
    found: Account | None = state.accounts.get(account)
    if found is None or market not in found.positions:
        return 0
    position = found.positions[market]
    params = state.market_params[market]
    health = compute_health(state, found, env)
    now_price = price_position(state, env, market, position)
    index, _ = project_funding(state.markets[market], compute_funding_price(env.quote(params.feed)), env.now)
    owed = compute_owed(position, index)
    rest = health.equity_mm - health.maintenance_margin - measure_at(state, env, market, position, now_price, owed)

    def liquidatable(price: Price) -> bool:
        return rest + measure_at(state, env, market, position, price, owed) < 0

    worst, best = (0, PRICE_LIMIT - 1) if position.size > 0 else (PRICE_LIMIT - 1, 0)
    if not liquidatable(worst):
        return 0
    if liquidatable(best):
        return best
    while abs(best - worst) > 1:
        middle = (worst + best) // 2
        if liquidatable(middle):
            worst = middle
        else:
            best = middle
    return worst


def price_position(state: State, env: Env, market: int, position: Position) -> Price:
    """The price at which maintenance counts one position now (VIEW-5, VIEW-8)."""
    params, phase = state.market_params[market], state.market_phases[market]
    ceiling = compute_ceiling(params.ceiling, phase.ceiling, phase.until, env.now)
    return compute_maintenance_price(env.quote(params.feed), position.size > 0, state.risk.stale_band, ceiling)


def measure_at(state: State, env: Env, market: int, position: Position, price: Price, owed: Usd) -> Usd:
    """One position's profit less its maintenance margin at a price (VIEW-5)."""
    mm, _ = compute_maintenance_in_force(
        state.market_params[market], state.market_phases[market], env.now, compute_notional(position.size, price)
    )
    return compute_pnl(position, price) - owed - mm


def compute_bankruptcy_price(state: State, env: Env, account: int, market: int) -> Price:
    """The price of one market at which the account value falls below 0, every other price as it is (VIEW-8).

    For a long the highest such price, for a short the lowest: one wei further on the safe side it is not. Collateral
    keeps its price, also if the same feed gives it. 0 if there is none.
    """
    found: Account | None = state.accounts.get(account)
    if found is None or market not in found.positions:
        return 0
    size = found.positions[market].size
    now_price = price_position(state, env, market, found.positions[market])
    # Below 0 where rest + floor(size * price / W) is, so where size * price < -rest * W.
    rest = compute_health(state, found, env).equity_raw - fdiv(size * now_price, W)
    if size > 0:
        return min(max(cdiv(-rest * W, size) - 1, 0), PRICE_LIMIT - 1)
    price = max(fdiv(rest * W, -size) + 1, 0)
    return price if price < PRICE_LIMIT else 0


def compute_solvency(state: State, env: Env) -> Solvency:
    """The protocol's dollars at present prices (VIEW-6)."""
    ledger = state.ledger
    value = compute_pool_value(state, env)
    return Solvency(
        pool=ledger.pool,
        insurance=ledger.insurance,
        deficit=ledger.deficit,
        trader_debt=ledger.trader_debt,
        escrow=state.escrow,
        reserved=value.reserved,
        free=ledger.pool - ledger.trader_debt - value.reserved,
        deposit_value=value.deposit,
        redemption_value=value.redemption,
        price_status=value.price_status,
    )


def list_accounts(state: State, start: int, count: int) -> tuple[int, ...]:
    """A page of account ids in order of registration (VIEW-7)."""
    return tuple(state.accounts)[start : start + count]
