"""The liquidity pool: its two-sided value, deposits, redemptions in two steps, and its inventory (LPD, LPR, INV)."""

from __future__ import annotations

from protocol import errors
from protocol.actions import BuyInventory, ClaimRedemption, DepositToPool, RequestRedemption
from protocol.checks import check_amount, check_token
from protocol.collateral import compute_haircut_values, compute_token_value
from protocol.draft import Draft, Outcome, check_range
from protocol.env import Env
from protocol.fills import compute_impact, compute_reserved
from protocol.funding import project_funding
from protocol.ledger import credit_pool
from protocol.peg import buy_for_usdc, read_usdc
from protocol.policy import NEW_RISK, check_accepted
from protocol.records import record
from protocol.state import NO_STAKE, USDC, Stake, State, Token
from protocol.units import BPS, UNSIGNED_LIMIT, USDC_TO_W, Bps, Price, Units, Usd, W, cdiv, fdiv
from protocol.vault import pay_out, take_in

VIRTUAL = 10**6  # virtual shares and dollars that make share-price inflation unprofitable


@record
class PoolValue:
    """What the pool is worth at given prices, seen from both sides (LPD-1, LPR-1)."""

    deposit: Usd  # what a new share pays for
    redemption: Usd  # what an old share is paid from
    reserved: Usd  # what the pool must keep at these prices
    traders_pnl: Usd  # net unrealised profit of all traders, pending funding included
    price_status: int

    @property
    def market(self) -> Usd:
        """Worth if everything were settled now: with inventory at market and impact left over, less traders' profit."""
        return self.deposit - max(self.traders_pnl, 0)


def compute_pool_value(state: State, env: Env) -> PoolValue:
    """Value the pool against whoever moves (LPD-1, LPR-1).

    For a deposit the traders' net loss counts and their net gain does not, inventory at market in USDC, rounded
    up, and what would be left of the impact ledgers if the markets emptied now. For a redemption the other way round,
    inventory at its maintenance haircut, rounded down, and no ledger; never below 0. The net is over all markets,
    pending funding included.
    """
    pnl = reserved = left_over = status = 0
    for params, market in zip(state.market_params, state.markets, strict=True):
        if market.long_oi == 0 and market.short_oi == 0:
            continue
        quote = env.quote(params.feed)
        status |= quote.status
        index, _ = project_funding(market, quote.mid, env.now)
        funding = market.skew * index - market.index_cost
        pnl += fdiv(market.skew * quote.mid - funding, W) - market.cost
        reserved += compute_reserved(market, quote.mid, state.risk.lock_ratio)
        _, rebate = compute_impact(params, market.skew, -market.skew, quote.mid)
        left_over += market.impact - min(market.impact, rebate)
    at_market = at_haircut = 0
    usdc = read_usdc(state.risk, env)
    for collateral, token in zip(state.collateral_params, state.tokens[1:], strict=False):
        if token.inventory == 0:
            continue
        quote = env.quote(collateral.feed)
        status |= quote.status | usdc.status
        at_market += cdiv(token.inventory * buy_for_usdc(quote.mid, usdc.mid), 10**collateral.decimals)
        value = compute_token_value(token.inventory, quote.mid, collateral.decimals)
        at_haircut += compute_haircut_values(collateral.brackets, value)[0]
    pool = state.ledger.pool
    return PoolValue(
        deposit=pool - min(pnl, 0) + at_market + left_over,
        redemption=max(pool - max(pnl, 0) + at_haircut, 0),
        reserved=reserved,
        traders_pnl=pnl,
        price_status=status,
    )


def compute_shares(amount: Usd, supply: int, value: Usd) -> int:
    """Shares for a deposit, rounded down in favour of the pool (LPD-2)."""
    return fdiv(amount * (supply + VIRTUAL), value + VIRTUAL)


def compute_redemption(shares: int, supply: int, value: Usd) -> Usd:
    """Dollars for redeemed shares, rounded down in favour of the pool, at most its value (LPR-2)."""
    return min(fdiv(shares * (value + VIRTUAL), supply + VIRTUAL), value)


def process_deposit_to_pool(state: State, env: Env, action: DepositToPool) -> Outcome:
    """Buy pool shares with USDC at the pool's present value (LPD-1 to LPD-4).

    Shares cannot be transferred. Refuses: amount/zero, sys/domain, pool/deficit, oracle/*, pool/no-value,
    pool/no-shares.
    """
    check_amount(action.units)
    if state.ledger.deficit > 0:
        raise errors.PoolInDeficit(deficit=state.ledger.deficit)
    value = compute_pool_value(state, env)
    check_accepted(NEW_RISK, value.price_status)
    if value.deposit * VIRTUAL < state.ledger.shares:
        raise errors.PoolWorthless
    draft = Draft(state)
    take_in(draft, USDC, action.units)
    amount = action.units * USDC_TO_W
    draft.pool += amount
    check_range(draft.pool, 0, UNSIGNED_LIMIT)
    bought = compute_shares(amount, state.ledger.shares, value.deposit)
    if bought == 0:
        raise errors.NoShares
    draft.share_supply += bought
    check_range(draft.share_supply, 0, UNSIGNED_LIMIT)
    stake = draft.stake(env.sender)
    draft.put_stake(env.sender, Stake(stake.shares + bought, stake.requested, stake.claimable_at))
    draft.report_ledger()
    return draft.commit()


def process_request_redemption(state: State, env: Env, action: RequestRedemption) -> Outcome:
    """Ask for the redemption of shares; it can be claimed after the delay, within the window (LPR-3).

    A new request replaces an older one and starts its time again; 0 shares withdraw it. Requested shares keep their
    gains and losses. Refuses: pool/insufficient-shares.
    """
    draft = Draft(state)
    stake = draft.stake(env.sender)
    if action.shares > stake.shares or stake.shares == 0:
        raise errors.InsufficientShares(shares=stake.shares)
    claimable_at = env.now + state.risk.redemption_delay if action.shares else 0
    draft.put_stake(env.sender, Stake(stake.shares, action.shares, claimable_at))
    return draft.commit()


def process_claim_redemption(state: State, env: Env, action: ClaimRedemption) -> Outcome:
    """Redeem the requested shares at the pool's value now (LPR-1 to LPR-5).

    The pool must keep what it lent to traders and what is reserved. Refuses: pool/no-request, pool/too-early,
    pool/expired, pool/deficit, oracle/*, amount/zero, pool/reserved, vault/insufficient-cash.
    """
    stake = state.stakes.get(env.sender, NO_STAKE)
    if stake.requested == 0:
        raise errors.NoRequest
    if env.now < stake.claimable_at:
        raise errors.TooEarly(claimable_at=stake.claimable_at)
    if env.now > stake.claimable_at + state.risk.redemption_window:
        raise errors.RequestExpired(claimable_at=stake.claimable_at)
    if state.ledger.deficit > 0:
        raise errors.PoolInDeficit(deficit=state.ledger.deficit)
    value = compute_pool_value(state, env)
    check_accepted(NEW_RISK, value.price_status)
    amount = compute_redemption(stake.requested, state.ledger.shares, value.redemption)
    units = fdiv(amount, USDC_TO_W)
    if units == 0:
        raise errors.ZeroAmount
    draft = Draft(state)
    # The value counts inventory and traders' debts, which are no cash: what debts and reserves ask for must stay.
    if draft.pool - units * USDC_TO_W - draft.trader_debt < value.reserved:
        raise errors.PoolReserved(pool=draft.pool, reserved=value.reserved)
    draft.pool -= units * USDC_TO_W
    draft.share_supply -= stake.requested
    pay_out(draft, USDC, units)
    draft.put_stake(env.sender, Stake(stake.shares - stake.requested, 0, 0))
    draft.report_ledger()
    return draft.commit()


def compute_inventory_cost(units: Units, price: Price, decimals: int, discount: Bps) -> Units:
    """USDC units for inventory at oracle price less half the sale discount, rounded up for the pool (INV-1)."""
    return cdiv(units * price * (2 * BPS - discount), 2 * BPS * 10**decimals * USDC_TO_W)


def process_buy_inventory(state: State, env: Env, action: BuyInventory) -> Outcome:
    """Buy collateral that the pool took over; anyone may (INV-1 to INV-3).

    Refuses: token/unknown, amount/zero, sys/domain, pool/inventory, oracle/*, trade/price.
    """
    check_token(state, action.token)
    check_amount(action.units)
    if action.token == USDC or state.tokens[action.token].inventory < action.units:
        raise errors.InsufficientInventory(units=state.tokens[action.token].inventory)
    params = state.collateral_params[action.token - 1]
    quote = env.quote(params.feed)
    usdc = read_usdc(state.risk, env)
    check_accepted(NEW_RISK, quote.status | usdc.status)
    price = buy_for_usdc(quote.mid, usdc.mid)
    cost = compute_inventory_cost(action.units, price, params.decimals, state.risk.sale_discount)
    if cost > action.max_cost:
        raise errors.PriceNotAcceptable(cost=cost)
    draft = Draft(state)
    take_in(draft, USDC, cost)
    credit_pool(draft, cost * USDC_TO_W)
    totals = draft.token(action.token)
    draft.put_token(action.token, Token(totals.held - action.units, totals.inventory - action.units))
    draft.report_ledger()
    return draft.commit()
