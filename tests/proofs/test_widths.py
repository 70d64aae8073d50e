"""The widest number that each formula computes in its domain, and that none exceeds a word.

The contracts compute the same sums and products in words of 256 bits. The model's functions run on the whole domain,
and the width of their widest step is proved: no step reaches 2^bits, and, as the negative control, some step reaches
2^(bits - 1). Up to 255 bits a signed word holds it. Formulas that need more are named: there the contracts multiply
with the price, or with the pool's value, at full width, and what they multiply is proved to fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from protocol.account_state import compute_account_state, is_clear
from protocol.actions import Trade
from protocol.collateral import compute_haircut_values, compute_token_value
from protocol.configuration import LEVERAGE_LIMIT, MAX_FEE_RATE, MAX_FUNDING_SPEED, USD_LIMIT
from protocol.draft import DraftMarket
from protocol.env import Env, Quote
from protocol.fills import charge_fee, compute_fill, compute_impact, compute_reserved, move_totals, release_impact
from protocol.funding import compute_owed, compute_velocity, project_funding
from protocol.losses import compute_sale
from protocol.margin import (
    Health,
    compute_margins,
    compute_notional,
    compute_pnl,
    compute_required_equity,
    limit_leverage,
    scale_initial_margin,
)
from protocol.params import (
    MAX_DECIMALS,
    MAX_POSITIONS,
    MAX_TOKENS,
    CollateralParams,
    EquityTier,
    HaircutBracket,
    MarginBracket,
    RiskParams,
)
from protocol.pool import compute_inventory_cost, compute_pool_value, compute_redemption, compute_shares
from protocol.rewards import compute_penalty, compute_reward
from protocol.sizing import Exposure, compute_shortage, round_close, walk_down
from protocol.state import EMPTY_MARKET, NO_RISK, Market, Position, State, genesis
from protocol.trading import NO_LIMIT, check_acceptable
from protocol.units import (
    BPS,
    DAY,
    INDEX_LIMIT,
    PRICE_LIMIT,
    SIGNED_LIMIT,
    SIZE_LIMIT,
    UNITS_LIMIT,
    UNSIGNED_LIMIT,
    W,
)
from tests.proofs.lemmas import reaches
from tests.proofs.rows import MOST_NOTIONAL, NO_MARKET
from tests.proofs.symbolic import Values

WORD = 255  # bits of a signed word beside its sign
LATEST = 2**40 - 1  # times are stored in 40 bits
MOST_VALUE = (UNITS_LIMIT - 1) * (PRICE_LIMIT - 1)  # of a collateral without decimals
MOST_EQUITY = SIGNED_LIMIT + (MAX_TOKENS - 1) * MOST_VALUE + 3 * MAX_POSITIONS * MOST_NOTIONAL
MOST_CLOSED = MAX_POSITIONS * MOST_NOTIONAL

Computation = Callable[[Values], object]


def price_of(values: Values, least: int = 0, most: int = PRICE_LIMIT - 1) -> Any:
    """Any price."""
    return values.integer("price", least, most)


def size_of(values: Values, name: str = "size") -> Any:
    """Any signed size."""
    return values.integer(name, 1 - SIZE_LIMIT, SIZE_LIMIT - 1)


def position_of(values: Values) -> Position:
    """Any position that is not empty."""
    size = values.integer("size", 1, SIZE_LIMIT - 1)
    cost = values.integer("cost", -SIGNED_LIMIT, SIGNED_LIMIT - 1)
    return Position(size, cost, values.integer("entry", -INDEX_LIMIT, INDEX_LIMIT - 1))


def notional_of(values: Values, most: int = MOST_NOTIONAL) -> Any:
    """Any notional."""
    return values.integer("notional", 0, most)


def measured(values: Values) -> Health:
    """An account of any equity and any margin."""
    equity = values.integer("equity", -MOST_EQUITY, MOST_EQUITY)
    margin = values.integer("margin", USD_LIMIT, MOST_CLOSED + USD_LIMIT)
    return Health(equity, equity, equity, margin, margin, values.integer("reserve", 0, USD_LIMIT - 1), 0, 0)


def buffered(values: Values) -> RiskParams:
    """Risk parameters with any buffers."""
    return replace(
        NO_RISK,
        liquidation_buffer=values.integer("liquidation_buffer", 0, W),
        margin_call_buffer=values.integer("margin_call_buffer", 0, W),
        backstop_ratio=values.integer("backstop_ratio", 0, BPS),
        fixed_reward=values.integer("fixed_reward", 0, USD_LIMIT - 1),
        max_reward=USD_LIMIT,
        reward_cap=BPS,
        penalty_ratio=values.integer("penalty_ratio", 0, W // 2 - 1),
    )


def impact(values: Values, highest: int = PRICE_LIMIT - 1) -> object:
    params = replace(NO_MARKET, skew_scale=SIZE_LIMIT - 1, rebate_ratio=BPS)
    return compute_impact(params, size_of(values, "skew"), size_of(values), price_of(values, 0, highest))


def released(values: Values, highest: int = SIGNED_LIMIT - 1) -> object:
    collected, skew = values.integer("collected", 0, highest), values.integer("skew", 1, SIZE_LIMIT - 1)
    return release_impact(collected, skew, values.integer("size", -2 * skew, -1))


def integral(values: Values, highest: int = PRICE_LIMIT - 1) -> object:
    market = replace(
        EMPTY_MARKET,
        funding_rate=values.integer("rate", -W * DAY, 0),
        funding_velocity=values.integer("velocity", 1, MAX_FUNDING_SPEED),
        funding_limit=values.integer("limit", 0, W * DAY),
    )
    return project_funding(market, price_of(values, 0, highest), values.integer("now", 1, LATEST))


def traded_market(values: Values, most: int = UNSIGNED_LIMIT - 1) -> Market:
    """A market with any totals."""
    long_oi, short_oi = (values.integer(name, 0, most) for name in ("long_oi", "short_oi"))
    return replace(
        EMPTY_MARKET,
        long_oi=long_oi,
        short_oi=short_oi,
        cost=values.integer("cost of all", -SIGNED_LIMIT, SIGNED_LIMIT - 1),
        funding_index=values.integer("index", -INDEX_LIMIT, INDEX_LIMIT - 1),
        index_cost=values.integer("index cost", -2 * UNSIGNED_LIMIT * INDEX_LIMIT, 2 * UNSIGNED_LIMIT * INDEX_LIMIT),
    )


def totals(values: Values) -> object:
    position = position_of(values)
    before, after = replace(position, entry_index=0), replace(position, size=size_of(values, "size after"))
    move_totals(DraftMarket(traded_market(values)), before, after)
    return None


def pool_value(values: Values) -> object:
    # Without a rebate: its product with the price is that of compute_impact.
    params = replace(NO_MARKET, feed=0, skew_scale=W)
    market = traded_market(values, 2 * SIZE_LIMIT - 1)
    risk = replace(NO_RISK, lock_ratio=values.integer("lock_ratio", 0, BPS))
    state: State = replace(genesis(0, 0, 1), risk=risk, market_params=(params,), markets=(market,))
    price = price_of(values)
    return compute_pool_value(state, Env(0, 0, (Quote(price, price, price, 0, 0),)))


def scaled(values: Values) -> object:
    params = replace(NO_MARKET, oi_lower=0, oi_upper=USD_LIMIT - 1)
    return scale_initial_margin(params, values.integer("open interest", 1, USD_LIMIT), notional_of(values), 1)


def required(values: Values) -> object:
    rows = (EquityTier(0, LEVERAGE_LIMIT - 1), EquityTier(values.integer("border", 1, PRICE_LIMIT - 1), 1))
    return compute_required_equity(rows, notional_of(values, MOST_CLOSED))


def acceptable(values: Values) -> object:
    action = Trade(0, 0, size_of(values), values.integer("acceptable", 0, NO_LIMIT))
    check_acceptable(action, price_of(values), values.integer("impact", -(2**145), 2**145))
    return None


def velocity(values: Values) -> object:
    params = replace(NO_MARKET, skew_scale=SIZE_LIMIT - 1, funding_velocity=MAX_FUNDING_SPEED, dead_band=BPS // 2)
    return compute_velocity(params, size_of(values, "skew"), 0)


def sale(values: Values) -> object:
    token = CollateralParams(0, MAX_DECIMALS, 1, 0, 0, ())
    price = values.integer("price", 1, PRICE_LIMIT - 1)
    discount = values.integer("discount", 0, BPS - 1)
    debt = values.integer("debt", 1, SIGNED_LIMIT)
    return compute_sale(debt, values.integer("held", 1, UNITS_LIMIT - 1), price, token, discount)


def inventory(values: Values) -> object:
    units = values.integer("units", 1, UNITS_LIMIT - 1)
    return compute_inventory_cost(units, price_of(values), MAX_DECIMALS, values.integer("discount", 0, BPS - 1))


def shares(values: Values) -> object:
    amount, supply = (values.integer(name, 0, UNSIGNED_LIMIT - 1) for name in ("amount", "supply"))
    return compute_shares(amount, supply, values.integer("value", 0, MOST_EQUITY))


def redemption(values: Values) -> object:
    supply = values.integer("supply", 0, UNSIGNED_LIMIT - 1)
    return compute_redemption(values.integer("shares", 0, supply), supply, values.integer("value", 0, MOST_EQUITY))


def walk(values: Values) -> object:
    rows = (MarginBracket(0, W // 2, W),)
    return walk_down(buffered(values), rows, notional_of(values), values.integer("shortage", 1, 2**140))


def lots(values: Values) -> object:
    size, price = values.integer("size", 1, SIZE_LIMIT - 1), values.integer("price", 1, PRICE_LIMIT - 1)
    params = replace(NO_MARKET, lot=values.integer("lot", 1, SIZE_LIMIT - 1))
    return round_close(params, Exposure(0, size, price, 0, 0, 0), notional_of(values, MOST_NOTIONAL))


def fee(values: Values) -> object:
    return charge_fee(abs(size_of(values)), price_of(values), values.integer("rate", 0, MAX_FEE_RATE))


def reserved(values: Values) -> object:
    totals = replace(EMPTY_MARKET, long_oi=values.integer("open interest", 0, UNSIGNED_LIMIT - 1))
    return compute_reserved(totals, price_of(values), values.integer("lock_ratio", 0, BPS))


def haircut(values: Values) -> object:
    rows = (HaircutBracket(0, values.integer("weight", 0, W), 0),)
    return compute_haircut_values(rows, values.integer("value", 0, MOST_VALUE))


def tiers(values: Values) -> object:
    return compute_margins((MarginBracket(0, 1, values.integer("rate", 2, W)),), notional_of(values))


def leverage(values: Values) -> object:
    return limit_leverage(notional_of(values), values.integer("cap", 1, LEVERAGE_LIMIT - 1), 0)


def reward(values: Values) -> object:
    closed = notional_of(values, MOST_CLOSED)
    return compute_reward(buffered(values), closed, values.integer("ratio", 0, W))


def owed(values: Values) -> object:
    return compute_owed(position_of(values), values.integer("index", -INDEX_LIMIT, INDEX_LIMIT - 1))


def token_value(values: Values) -> object:
    return compute_token_value(values.integer("units", 0, UNITS_LIMIT - 1), price_of(values), 0)


WIDEST: tuple[tuple[str, int, Computation], ...] = (
    ("margin.compute_notional", 192, lambda v: compute_notional(size_of(v), price_of(v))),
    ("margin.compute_pnl", 192, lambda v: compute_pnl(position_of(v), price_of(v))),
    ("margin.compute_margins", 192, tiers),
    ("margin.scale_initial_margin", 229, scaled),
    ("margin.limit_leverage", 192, leverage),
    ("margin.compute_required_equity", 196, required),
    ("account_state.compute_account_state", 255, lambda v: compute_account_state(buffered(v), measured(v))),
    ("account_state.is_clear", 255, lambda v: is_clear(buffered(v), measured(v))),
    ("collateral.compute_token_value", 192, token_value),
    ("collateral.compute_haircut_values", 252, haircut),
    ("trading.check_acceptable", 224, acceptable),
    ("fills.compute_fill", 224, lambda v: compute_fill(position_of(v), size_of(v, "delta"), price_of(v), 0)),
    ("fills.compute_impact", 302, impact),
    ("fills.compute_impact before the price", 206, lambda v: impact(v, highest=1)),
    ("fills.release_impact", 319, released),
    ("fills.release_impact before the ledger", 192, lambda v: released(v, highest=1)),
    ("fills.charge_fee", 246, fee),
    ("fills.move_totals", 242, totals),
    ("fills.compute_reserved", 238, reserved),
    ("funding.project_funding", 277, integral),
    ("funding.project_funding before the price", 181, lambda v: integral(v, highest=1)),
    ("funding.compute_velocity", 160, velocity),
    ("funding.compute_owed", 209, owed),
    ("losses.compute_sale", 221, sale),
    ("pool.compute_pool_value", 242, pool_value),
    ("pool.compute_shares", 257, shares),
    ("pool.compute_redemption", 324, redemption),
    ("pool.compute_inventory_cost", 207, inventory),
    ("rewards.compute_reward", 196, reward),
    ("rewards.compute_penalty", 195, lambda v: compute_penalty(buffered(v), notional_of(v, MOST_CLOSED))),
    ("sizing.compute_shortage", 198, lambda v: compute_shortage(buffered(v), measured(v))),
    ("sizing.walk_down", 200, walk),
    ("sizing.round_close", 192, lots),
)
FULL_WIDTH = {
    "fills.compute_impact",
    "fills.release_impact",
    "funding.project_funding",
    "pool.compute_redemption",
    "pool.compute_shares",
}


@pytest.mark.parametrize(("formula", "bits", "computation"), WIDEST, ids=[row[0] for row in WIDEST])
def test_the_widest_step_of_a_formula_has_this_many_bits(formula: str, bits: int, computation: Computation) -> None:
    """UNIT-3, T9: no overflow in the domain, but where the contracts multiply at full width."""
    assert not reaches(computation, 2**bits)
    assert reaches(computation, 2 ** (bits - 1))
    assert (bits > WORD) == (formula in FULL_WIDTH)
