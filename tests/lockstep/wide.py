"""Markets and a token to the wei, for the tests of the ends of every domain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from oracle.feeds import Push, SetFeed
from protocol.actions import SetMarket, SetRisk, Trade
from protocol.params import EquityTier, MarginBracket, MarketParams
from protocol.units import BPS, W
from tests.lockstep.both import NO_FUNDING
from tests.twins import BTC, ETH, RISK, Twins, market_params

MAX_PRICE = 2**96 - 1
MAX_SIZE = 2**96 - 1
MAX_USD = 2**96 - 1
MAX_CASH_UNITS = (2**127 - 1) // 10**12
MAX_FUND_UNITS = (2**128 - 1) // 10**12
ANY_PRICE = 2**256 - 1
RAW = 18  # decimals of a feed whose answers are prices at scale W
TIERS = (EquityTier(0, 2**80 - 1),)
FREE = replace(RISK, keeper_reserve=0, fixed_reward=0, debt_cap=MAX_USD, lock_ratio=0, equity_tiers=TIERS)
ROW = MarginBracket(0, W // 40, W // 20)


def wide_market(feed: int) -> MarketParams:
    """A market to the wei: lot 1, no fees, no funding, no window, caps at their ends, all of an impact given back."""
    caps: dict[str, Any] = {"oi_cap": MAX_SIZE, "oi_cap_usd": MAX_USD, "skew_cap": MAX_SIZE, "max_premium": BPS}
    return replace(
        market_params(feed, 1),
        min_notional=1,
        maker_fee=0,
        taker_fee=0,
        skew_scale=MAX_SIZE,
        rebate_ratio=BPS,
        oi_lower=0,
        oi_upper=0,
        window=0,
        brackets=(ROW,),
        **caps,
        **NO_FUNDING,
    )


def set_up(twins: Twins) -> None:
    """Feeds of 18 decimals at a dollar, and two markets to the wei."""
    twins.do("admin", SetRisk(FREE))
    for feed in (BTC, ETH):
        twins.do("admin", SetFeed(feed, RAW, 259_200))
        twins.do("admin", SetMarket(feed, wide_market(feed)))
    quote(twins, W, W)


def quote(twins: Twins, btc: int, eth: int = W) -> None:
    """Prices at scale W."""
    twins.do("poster", Push((BTC, ETH), (btc, eth)))


def trade(twins: Twins, owner: str, account: int, size: int, refused: str | None = None, market: int = BTC) -> None:
    """A trade at any price."""
    twins.do(owner, Trade(account, market, size, ANY_PRICE if size > 0 else 0), refused=refused)
