"""Trades in the market of BTC, and the accounts and markets that they start from, for the tests of their rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from protocol.actions import Trade
from protocol.configuration import check_market, check_risk
from protocol.params import MarginBracket, MarketParams, RiskParams
from protocol.state import State, account_id
from protocol.units import SIZE_LIMIT, W
from tests.protocol.build import (
    ACCOUNT,
    ANY_PRICE,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    MARKETS,
    TRADER,
    WETH,
    holding,
    opened,
    state_with,
    with_risk,
)

LOT = W // 1_000
OTHER = account_id(TRADER)
OPENING = 414_400 * W // 1_000  # what 1 BTC needs at 8,000: margin 400, reserve 10, fee 4, impact 0.40


def buy(size: int, market: int = BTC, account: int = ACCOUNT) -> Trade:
    """A buy, or a sale for negative sizes, at any price."""
    return Trade(account, market, size, ANY_PRICE if size > 0 else 0)


def trader(
    size: int = 0, cash: int = 100_000 * W, price: int = BTC_PRICE, others: int = 0, impact: int = 0, **risk: Any
) -> State:
    """A funded pool, one account with a BTC position opened at a price, and perhaps somebody else's."""
    accounts = {ACCOUNT: holding(cash, positions={BTC: opened(size, price)} if size else {})}
    if others:
        accounts[OTHER] = holding(10**7 * W, positions={BTC: opened(others, price)})
    return state_with(
        accounts, pool=10**7 * W, insurance=10**4 * W, impact={BTC: impact} if impact else {}, risk=with_risk(**risk)
    )


def deep(**params: Any) -> MarketParams:
    """A market that nothing limits: wide caps, no impact to speak of, no fees."""
    wide = SIZE_LIMIT - 1
    limits = {"oi_cap": wide, "oi_cap_usd": wide, "skew_cap": wide, "skew_scale": wide, "max_premium": 10_000}
    fees = {"maker_fee": 0, "taker_fee": 0, "rebate_ratio": 0}
    return replace(MARKETS[BTC], oi_lower=0, oi_upper=0, **{**limits, **fees, **params})


def free_risk(reserve: int = 0) -> RiskParams:
    """Risk parameters under which closing costs nothing, so that any maintenance rate is allowed."""
    return with_risk(
        fixed_reward=0, reward_ratio=0, reward_ratio_max=0, penalty_ratio=0, impact_cap_ratio=0, keeper_reserve=reserve
    )


def expensive_market(fee_rate: int, rate: int = W // 200) -> MarketParams:
    """A market with one maintenance rate and a fee of its own, lots of a wei and no rebates."""
    rows = (MarginBracket(0, rate, rate * 2),)
    return replace(
        MARKETS[BTC], lot=1, min_notional=1, maker_fee=fee_rate, taker_fee=fee_rate, rebate_ratio=0, brackets=rows
    )


def reduction(
    fee_rate: int, cash: int, size: int = -W // 2, weth: int = 0, eth: int = 0, reserve: int = 0
) -> tuple[State, Trade]:
    """A state with 1 BTC long at 8,000 in an expensive market, and a reduction of it."""
    risk = free_risk(reserve)
    markets = (expensive_market(fee_rate), MARKETS[ETH])
    check_risk(risk)
    for market in markets:
        check_market(risk, market)
    positions = {BTC: opened(W, BTC_PRICE)} | ({ETH: opened(eth, ETH_PRICE)} if eth else {})
    account = holding(cash, {WETH: weth} if weth else {}, positions)
    return state_with({ACCOUNT: account}, pool=10**6 * W, risk=risk, markets=markets), buy(size)
