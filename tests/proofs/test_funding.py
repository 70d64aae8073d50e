"""Funding: the exact integral, the cap, the decay, and what positions owe together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol import funding
from protocol.configuration import MAX_FUNDING_SPEED
from protocol.draft import DraftMarket
from protocol.funding import compute_owed, project_funding, steer
from protocol.params import MarketParams
from protocol.state import EMPTY_MARKET, Market, Position
from protocol.units import BPS, DAY, INDEX_LIMIT, PRICE_LIMIT, SIZE_LIMIT, YEAR, W
from tests.proofs.lemmas import establish, flipped
from tests.proofs.rows import NO_MARKET
from tests.proofs.symbolic import Claim, Values, both, either

LONGEST = 100 * YEAR  # between two accruals


def moving_market(values: Values, speed: int, sign: int) -> Market:
    """A market whose rate moves at a speed toward a limit, and has not passed it."""
    limit = values.integer("limit", 0, W) * DAY
    rate = values.integer("rate", -W * DAY, limit)
    return replace(EMPTY_MARKET, funding_rate=sign * rate, funding_velocity=sign * speed, funding_limit=sign * limit)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("speed", [0, 1, W * 9 // 100, MAX_FUNDING_SPEED])
def test_accruing_twice_is_accruing_once(speed: int, sign: int) -> None:
    """FUN-1, F2: after two steps the rate is that of one step, the index at most a wei lower, never higher.

    It holds inside the limit, at it, and when the limit is reached in either step. Control: the integral rounded up.
    """

    def claim(values: Values) -> object:
        price = values.integer("price", 0, PRICE_LIMIT - 1)
        first, second = (values.integer(name, 0, LONGEST) for name in ("first", "second"))
        market = moving_market(values, speed, sign)
        index, rate = project_funding(market, price, first)
        halfway = replace(market, funding_index=index, funding_rate=rate, accrued_at=first)
        index_twice, rate_twice = project_funding(halfway, price, first + second)
        index_once, rate_once = project_funding(market, price, first + second)
        return both(rate_twice == rate_once, index_once - 1 <= index_twice, index_twice <= index_once)

    establish(claim, broken=flipped(funding, "fdiv"))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_rate_never_passes_its_limit_and_the_index_never_moves_faster(sign: int) -> None:
    """FUN-1, F4: between rate and limit; the index moves by the largest rate times price and time at most, and a wei.

    Control: a limit that is lowered below the rate without clamping the rate.
    """

    def bounded(clamped: bool) -> Claim:
        def claim(values: Values) -> object:
            price = values.integer("price", 0, PRICE_LIMIT - 1)
            elapsed = values.integer("elapsed", 0, LONGEST)
            market = moving_market(values, values.integer("speed", 0, MAX_FUNDING_SPEED), sign)
            if not clamped:
                market = replace(market, funding_limit=sign * values.integer("lowered", 0, W) * DAY)
            index, rate = project_funding(market, price, elapsed)
            most = W * DAY
            return both(
                sign * market.funding_rate <= sign * rate,
                either(sign * rate <= sign * market.funding_limit, market.funding_velocity == 0),
                (index + 1) * DAY * DAY * W >= -most * elapsed * price,
                index * DAY * DAY * W <= most * elapsed * price,
            )

        return claim

    establish(bounded(True), control=bounded(False))


def steered_market(values: Values, params: MarketParams, rate: Any) -> DraftMarket:
    """A market with any open interest whose velocity has just been set."""
    long_oi, short_oi = (values.integer(name, 0, SIZE_LIMIT - 1) for name in ("long_oi", "short_oi"))
    market = DraftMarket(replace(EMPTY_MARKET, funding_rate=rate, long_oi=long_oi, short_oi=short_oi))
    steer(market, params)
    return market


def funding_params(values: Values) -> MarketParams:
    """A market's funding parameters, as CFG-9 allows them."""
    return replace(
        NO_MARKET,
        skew_scale=values.integer("skew_scale", W, SIZE_LIMIT - 1),
        funding_cap=values.integer("funding_cap", 0, W),
        funding_velocity=values.integer("funding_velocity", 0, MAX_FUNDING_SPEED),
        funding_decay=values.integer("funding_decay", 0, MAX_FUNDING_SPEED),
        dead_band=values.integer("dead_band", 0, BPS),
    )


def test_a_steered_rate_stays_within_the_cap_for_ever() -> None:
    """FUN-3, FUN-4, F4: |rate| <= cap now and at any later time, also after the cap was lowered.

    Control: half the cap.
    """

    def capped(divisor: int) -> Claim:
        def claim(values: Values) -> object:
            params = funding_params(values)
            market = steered_market(values, params, values.integer("rate", -W * DAY, W * DAY))
            _, rate = project_funding(market, W, values.integer("elapsed", 0, LONGEST))
            cap = params.funding_cap * DAY
            return both(-cap <= rate * divisor, rate * divisor <= cap)

        return claim

    establish(capped(1), control=capped(2))


def test_inside_the_dead_band_the_rate_decays_and_never_crosses_zero() -> None:
    """FUN-3, F4: |rate| does not grow and its sign does not change. Control: just outside the dead band."""

    def decaying(inside: bool) -> Claim:
        def claim(values: Values) -> object:
            params = funding_params(values)
            market = steered_market(values, params, values.integer("rate", -W * DAY, W * DAY))
            band = params.dead_band * params.skew_scale
            values.assume(abs(market.skew) * BPS < band if inside else abs(market.skew) * BPS >= band)
            before = market.funding_rate
            _, after = project_funding(market, W, values.integer("elapsed", 0, LONGEST))
            return both(after * before >= 0, after * after <= before * before)

        return claim

    establish(decaying(True), control=decaying(False))


def test_positions_together_owe_at_least_what_their_sum_owes() -> None:
    """FUN-5, F1: sum of owed >= owed of the sum, by less than a wei each: the pool never pays for rounding."""

    def claim(values: Values) -> object:
        index, *entries = (
            values.integer(name, -INDEX_LIMIT, INDEX_LIMIT - 1) for name in ("index", "entry 0", "entry 1", "entry 2")
        )
        sizes = [values.integer(f"size {k}", 1 - SIZE_LIMIT, SIZE_LIMIT - 1) for k in range(3)]
        parts = sum(compute_owed(Position(s, 0, e), index) for s, e in zip(sizes, entries, strict=True))
        exact = sum(s * (index - e) for s, e in zip(sizes, entries, strict=True))
        return both(parts * W >= exact, parts * W < exact + 3 * W)

    establish(claim, broken=flipped(funding, "cdiv"))
