"""Funding by velocity, its index and what a position owes (FUN-1, FUN-3, FUN-5)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from protocol.funding import compute_owed, compute_velocity, project_funding
from protocol.state import EMPTY_MARKET, Position
from protocol.units import DAY, W
from tests.vectors.reading import Case, cases, exact, wei
from tests.vectors.setting import NO_MARKET


@cases("synthetix_funding_velocity")
def test_the_rate_moves_with_the_skew_and_accrues_its_mean(case: Case) -> None:
    """Exact. Without a dead band: with ours the rate of a market without skew would decay instead of standing still."""
    rate, accrued = case.expected("rate", "accrued")
    params, inputs = case.params, case.inputs
    market_params = replace(
        NO_MARKET,
        skew_scale=wei(params["skew_scale"]),
        funding_velocity=wei(params["max_velocity_per_day"]),
        funding_cap=W,
    )
    position = Position(wei(params["trader_size"]), 0, 0)
    prior = wei(inputs["prior_rate"]) * DAY
    velocity, limit = compute_velocity(market_params, wei(inputs["skew"]), prior)
    market = replace(
        EMPTY_MARKET,
        funding_index=wei(exact(inputs["prior_accrued"]) / exact(params["trader_size"])),
        funding_rate=prior,
        funding_velocity=velocity,
        funding_limit=limit,
    )
    assert compute_owed(position, market.funding_index) == wei(inputs["prior_accrued"])
    index, after = project_funding(market, wei(params["price"]), wei(inputs["elapsed_days"], DAY))
    assert after == wei(rate) * DAY
    assert compute_owed(position, index) == wei(accrued)


@cases("dydx_funding_index_delta")
def test_a_constant_rate_moves_the_index_in_proportion_to_time(case: Case) -> None:
    """The exact figure at our scale; the venue truncates it, so it is less than one of its units nearer to zero."""
    (delta,) = case.expected("index_delta")
    inputs, period = case.inputs, case.params["funding_period_s"]
    price = Fraction(inputs["price"]) * Fraction(10) ** inputs["price_exponent"]
    daily = Fraction(inputs["funding_rate_8h_ppm"] * DAY, 10**6 * period)
    market = replace(EMPTY_MARKET, funding_rate=wei(daily) * DAY)
    index, rate = project_funding(market, wei(price), inputs["elapsed_s"])
    assert rate == market.funding_rate
    assert index == wei(daily * price * inputs["elapsed_s"] / DAY)
    # The venue's unit: a millionth of a quote quantum (10^-6) per base quantum.
    theirs = Fraction(index, W) * Fraction(10) ** (12 + inputs["atomic_resolution"])
    assert int(theirs) == delta


@cases("dydx_funding_settlement")
def test_a_position_owes_its_size_times_the_move_of_the_index(case: Case) -> None:
    """Exact, with the opposite sign: the venue states what is received."""
    (received,) = case.expected("settlement_ppm")
    inputs = case.inputs
    position = Position(inputs["size"] * W, 0, inputs["position_index"])
    assert compute_owed(position, inputs["market_index"]) == -int(received)


@cases("funding_fee_payment")
def test_a_short_receives_a_share_of_the_rate_of_one_interval(case: Case) -> None:
    """Exact, with an interval of a day."""
    (received,) = case.expected("funding_received")
    inputs = case.inputs
    market = replace(EMPTY_MARKET, funding_rate=wei(inputs["funding_rate"]) * DAY)
    index, _ = project_funding(market, wei(inputs["mark_price"]), wei(inputs["time_fraction"], DAY))
    size = wei(inputs["size"]) * (-1 if inputs["is_short"] else 1)
    assert compute_owed(Position(size, 0, 0), index) == -wei(received)
