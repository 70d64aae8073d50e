"""Account value and margin requirements (MRG-1 to MRG-9, MRG-12 to MRG-14)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from protocol.collateral import compute_haircut_values, compute_haircuts_in_force, compute_token_value
from protocol.draft import DraftMarket
from protocol.env import Env, Quote
from protocol.funding import compute_owed, project_funding
from protocol.params import EquityTier, MarginBracket, MarketParams
from protocol.peg import compute_depeg_margin, read_usdc
from protocol.policy import DEEP_LIQUIDATION, is_priceless
from protocol.records import record
from protocol.state import Market, MarketPhase, Position, State
from protocol.units import BPS, PRICE_LIMIT, Bps, Price, Ratio, Seconds, Size, Units, Usd, W, cdiv, fdiv


@record
class Health:
    """An account measured at given prices. ``reserve`` is part of both margins."""

    equity_raw: Usd  # at market value: the account value
    equity_mm: Usd  # after maintenance haircuts
    equity_im: Usd  # after initial haircuts, unrealised profit not counted
    maintenance_margin: Usd
    initial_margin: Usd
    reserve: Usd
    gross_notional: Usd
    price_status: int  # all the statuses of the prices used; 0 when every one is usable


class Holdings(Protocol):
    """What is measured: an account, or a draft of one. Mappings iterate by ascending id."""

    @property
    def cash(self) -> Usd: ...  # noqa: D102
    @property
    def collateral(self) -> Mapping[int, Units]: ...  # noqa: D102
    @property
    def positions(self) -> Mapping[int, Position]: ...  # noqa: D102
    @property
    def leverage_caps(self) -> Mapping[int, Ratio]: ...  # noqa: D102


def compute_notional(size: Size, price: Price) -> Usd:
    """Absolute value of a position at a price, rounded up against the account (MRG-1)."""
    return cdiv(abs(size) * price, W)


def compute_pnl(position: Position, price: Price) -> Usd:
    """Unrealised profit of a position at a price, rounded down against the account (MRG-2)."""
    return fdiv(position.size * price, W) - position.cost


def compute_margins(brackets: Sequence[MarginBracket], notional: Usd) -> tuple[Usd, Usd]:
    """Maintenance and initial margin of a notional by its tiers, rounded up against the account (MRG-3).

    Each part of the notional pays the rate of its own bracket. This is the rate of the last bracket touched
    times the notional, less an exact deduction, so there is no step at a border.
    """
    mm = im = 0
    top = notional  # from the top bracket down: the lower bound of one is the upper bound of the next
    for bracket in reversed(brackets):
        lower = bracket.lower
        if lower < top:
            mm += (top - lower) * bracket.mm_rate
            im += (top - lower) * bracket.im_rate
            top = lower
    return -(-mm // W), -(-im // W)


def compute_maintenance_in_force(
    params: MarketParams, phase: MarketPhase, now: Seconds, notional: Usd
) -> tuple[Usd, Usd]:
    """Maintenance margin with a change still being phased in, and initial margin by the tiers (MRG-8).

    Until the phase ends, the lower of the old and the new maintenance margin is asked.
    """
    mm, im = compute_margins(params.brackets, notional)
    if now < phase.until:
        mm = min(mm, compute_margins(phase.brackets, notional)[0])
    return mm, im


def scale_initial_margin(params: MarketParams, open_interest: Usd, notional: Usd, im: Usd) -> Usd:
    """Initial margin that rises with the market's open interest, up to the whole notional (MRG-6).

    Between the two bounds it moves in proportion; one division, rounded up against the account.
    """
    if params.oi_upper == 0 or open_interest <= params.oi_lower or im >= notional:
        return im
    if open_interest >= params.oi_upper:
        return notional
    above, width = open_interest - params.oi_lower, params.oi_upper - params.oi_lower
    return im + cdiv((notional - im) * above, width)


def limit_leverage(notional: Usd, leverage_cap: Ratio, im: Usd) -> Usd:
    """Initial margin under the owner's own leverage cap, rounded up against the account; 0 is no cap (MRG-7)."""
    return max(im, cdiv(notional * W, leverage_cap)) if leverage_cap else im


def compute_required_equity(tiers: Sequence[EquityTier], gross_notional: Usd) -> Usd:
    """The least equity_im that the equity tiers ask for a gross notional, rounded up against the account (MRG-9).

    Each slice of equity supports its own leverage, so the requirement is continuous and convex in the notional.
    """
    left = gross_notional
    for index, tier in enumerate(tiers):
        if index + 1 < len(tiers):
            supported = fdiv((tiers[index + 1].lower - tier.lower) * tier.leverage, W)
            if left > supported:
                left -= supported
                continue
        return tier.lower + cdiv(left * W, tier.leverage)
    return 0


def compute_ceiling(ceiling: Price, former: Price, until: Seconds, now: Seconds) -> Price:
    """The ceiling in force: until a phase ends, the former one if it is higher (MRG-14)."""
    return max(ceiling, former) if now < until else ceiling


def compute_maintenance_price(quote: Quote, is_asset: bool, stale_band: Bps, ceiling: Price) -> Price:
    """The price at which account value and maintenance margin count something owned or owed (MRG-12).

    The mid. One with a fault that no liquidation accepts is moved by the stale band in the account's favour, rounded
    against it, so that it neither causes a liquidation nor hides one that is due without it. Without any price, the
    ceiling of what is owned and 0 for what is owed.
    """
    if not quote.status & ~DEEP_LIQUIDATION:
        return quote.mid
    if is_priceless(quote.status):
        return ceiling if is_asset else 0
    if is_asset:
        return min(fdiv(quote.mid * (BPS + stale_band), BPS), PRICE_LIMIT - 1)
    return cdiv(quote.mid * (BPS - stale_band), BPS)


def compute_strict_price(quote: Quote, is_asset: bool, ceiling: Price) -> Price:
    """The price at which equity_im counts it: the side against the account (MRG-13).

    Without any price, 0 for what is owned and the ceiling of what is owed.
    """
    if is_priceless(quote.status):
        return 0 if is_asset else ceiling
    return quote.bid if is_asset else quote.ask


def compute_funding_price(quote: Quote) -> Price:
    """The price of funding still pending: the mid; without any price 0, so that none is pending (MRG-12)."""
    return 0 if is_priceless(quote.status) else quote.mid


def compute_health(
    state: State,
    holdings: Holdings,
    env: Env,
    market_of: Callable[[int], Market | DraftMarket] | None = None,
    *,
    skips_faulty: bool = False,
) -> Health:
    """Measure an account with the prices of ``env`` and funding pending until now (MRG-4).

    ``market_of`` gives market totals in the middle of an action. ``skips_faulty`` leaves collateral out whose price has
    any fault, as if it were not there (MRG-15). Never refuses; faults of prices show in the status.
    """
    totals = market_of or state.markets.__getitem__
    now, band, cash = env.now, state.risk.stale_band, holdings.cash
    value, counted_mm, counted_im, status = compute_counted_collateral(state, holdings.collateral, env, skips_faulty)
    raw, mm_equity, im_equity = cash + value, cash + counted_mm, cash + counted_im
    mm = im = gross = 0
    for market, position in holdings.positions.items():
        params, phase = state.market_params[market], state.market_phases[market]
        quote = env.quote(params.feed)
        status |= quote.status
        is_long = position.size > 0
        ceiling = compute_ceiling(params.ceiling, phase.ceiling, phase.until, now)
        price = compute_maintenance_price(quote, is_long, band, ceiling)
        strict = compute_strict_price(quote, is_long, ceiling)
        total = totals(market)
        index, _ = project_funding(total, compute_funding_price(quote), now)
        owed = compute_owed(position, index)
        pnl = compute_pnl(position, price) - owed
        strict_pnl = pnl if strict == price else compute_pnl(position, strict) - owed
        notional = compute_notional(position.size, price)
        position_mm, position_im = compute_maintenance_in_force(params, phase, now, notional)
        open_interest = compute_notional(total.larger_side, price)
        position_im = scale_initial_margin(params, open_interest, notional, position_im)
        raw += pnl
        mm_equity += pnl
        if strict_pnl < 0:  # unrealised profit is not counted
            im_equity += strict_pnl
        mm += position_mm
        im += limit_leverage(notional, holdings.leverage_caps.get(market, 0), position_im)
        gross += notional
    reserve = 0
    if holdings.positions:
        reserve = compute_reserve(state, now)
        usdc = read_usdc(state.risk, env)
        status |= usdc.status
        im += compute_depeg_margin(state.risk, usdc.bid, gross)
    return Health(raw, mm_equity, im_equity, mm + reserve, im + reserve, reserve, gross, status)


def compute_counted_collateral(
    state: State, collateral: Mapping[int, Units], env: Env, skips_faulty: bool
) -> tuple[Usd, Usd, Usd, int]:
    """What collateral counts for in account value, equity_mm and equity_im, and the faults of its prices (MRG-4)."""
    raw = mm = im = status = 0
    for token, units in collateral.items():
        params, phase = state.collateral_params[token - 1], state.collateral_phases[token - 1]
        quote = env.quote(params.feed)
        if skips_faulty and quote.status:
            continue
        status |= quote.status
        ceiling = compute_ceiling(params.ceiling, phase.ceiling, phase.until, env.now)
        price = compute_maintenance_price(quote, True, state.risk.stale_band, ceiling)
        strict = compute_strict_price(quote, True, ceiling)
        value = compute_token_value(units, price, params.decimals)
        counted_mm, counted_im = compute_haircuts_in_force(params, phase, env.now, value)
        if strict != price:
            strict_value = compute_token_value(units, strict, params.decimals)
            counted_im = compute_haircut_values(params.brackets, strict_value)[1]
        raw += value
        mm += counted_mm
        im += counted_im
    return raw, mm, im, status


def compute_reserve(state: State, now: Seconds) -> Usd:
    """The keeper reserve in force: a raised one waits for the phase-in (MRG-5)."""
    if now < state.risk_phase.until:
        return min(state.risk.keeper_reserve, state.risk_phase.keeper_reserve)
    return state.risk.keeper_reserve


def is_liquidatable(health: Health) -> bool:
    """Whether equity_mm is below the maintenance margin; equality is safe (LIQ-4)."""
    return health.equity_mm < health.maintenance_margin
