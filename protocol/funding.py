"""Funding: a rate that moves with the skew, capped, decaying inside a dead band; its exact integral (FUN-1 to FUN-5).

The rate is stored times a day's seconds, so that it moves by whole numbers each second and never needs a division.
"""

from __future__ import annotations

from protocol.draft import DraftMarket
from protocol.params import MarketParams
from protocol.state import Market, Position
from protocol.units import BPS, DAY, Price, Ratio, Seconds, Usd, W, cdiv, fdiv

INDEX_SCALE = 2 * DAY * DAY * W


def project_funding(market: Market | DraftMarket, price: Price, now: Seconds) -> tuple[Price, int]:
    """The funding index and rate of a market ``now``, if nothing changed its skew since the last accrual (FUN-1).

    The index is the exact integral of the rate times the price, rounded down once: by less than a wei per base unit,
    in favour of longs. The price is the present one for the whole time.
    """
    elapsed = now - market.accrued_at
    rate, velocity, limit = market.funding_rate, market.funding_velocity, market.funding_limit
    if elapsed == 0 or (rate == 0 and velocity == 0):
        return market.funding_index, rate
    if velocity < 0:  # mirror, so that the rate rises toward its limit
        rate, limit = -rate, -limit
    speed = abs(velocity)
    reached = rate + speed * elapsed
    if speed == 0 or reached < limit:
        twice_area, scale = (rate + reached) * elapsed, INDEX_SCALE
    else:
        twice_area, scale = 2 * limit * elapsed * speed - (limit - rate) ** 2, speed * INDEX_SCALE
        reached = limit
    if velocity < 0:
        twice_area, reached = -twice_area, -reached
    return market.funding_index + fdiv(twice_area * price, scale), reached


def accrue(market: DraftMarket, price: Price, now: Seconds) -> None:
    """Bring a market's funding index and rate to ``now`` (FUN-2). Accruing twice in a second changes nothing."""
    market.funding_index, market.funding_rate = project_funding(market, price, now)
    market.accrued_at = now


def compute_velocity(params: MarketParams, skew: int, rate: int) -> tuple[Ratio, int]:
    """How fast the rate moves from now on, and where it stops (FUN-3).

    Outside the dead band it moves with the skew, at most with the whole scale, toward the cap on the skew's side.
    Inside it decays toward 0 and stops there.
    """
    if abs(skew) * BPS < params.dead_band * params.skew_scale:
        if rate == 0:
            return 0, 0
        return (-params.funding_decay if rate > 0 else params.funding_decay), 0
    speed = fdiv(min(abs(skew), params.skew_scale) * params.funding_velocity, params.skew_scale)
    limit = params.funding_cap * DAY
    return (speed, limit) if skew >= 0 else (-speed, -limit)


def steer(market: DraftMarket, params: MarketParams) -> None:
    """Keep a market's rate within the cap in force and let it move as the skew asks (FUN-3, FUN-4)."""
    cap = params.funding_cap * DAY
    if abs(market.funding_rate) > cap:
        market.funding_rate = cap if market.funding_rate > 0 else -cap
    market.funding_velocity, market.funding_limit = compute_velocity(params, market.skew, market.funding_rate)


def compute_owed(position: Position, index: Price) -> Usd:
    """Funding a position owes at an index, rounded up against the account; negative is owed to it (FUN-5)."""
    return cdiv(position.size * (index - position.entry_index), W)
