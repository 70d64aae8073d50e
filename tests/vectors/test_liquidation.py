"""Rewards (RWD-1, RWD-2), partial sizes (SIZ-4, SIZ-5), the window (WIN-2, WIN-3) and insurance (LED-4)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from protocol.draft import Draft
from protocol.ledger import draw_insurance
from protocol.params import MarginBracket
from protocol.rewards import compute_reward, compute_reward_ratio
from protocol.sizing import Exposure, limit_close, round_close, walk_down
from protocol.state import EMPTY_WINDOW, NO_RISK, Ledger, genesis
from protocol.units import BPS, W
from protocol.window import add_closed, compute_left
from tests.vectors.reading import Case, cases, exact, wei
from tests.vectors.setting import NO_MARKET, NOW


@cases("synthetix_keeper_reward")
def test_the_reward_is_a_fixed_part_and_a_share_below_a_cap(case: Case) -> None:
    """Exact, and a wei less with a maximum a wei lower.

    The venue takes the larger of cost plus minimum and cost plus share, we add one fixed part and the share: the fixed
    part is the cost where the share is the larger, cost and minimum where there is no share. The share is of the
    notional closed, here a thousandth.
    """
    (expected,) = case.expected("keeper_reward")
    share, cost, least, most = (int(case.inputs[key]) for key in ("reward", "cost", "min_reward", "max_reward"))
    fixed = cost if share > least else cost + least
    risk = replace(NO_RISK, fixed_reward=fixed, max_reward=most, reward_cap=BPS)
    base = share * 1_000 or most
    assert compute_reward(risk, base, W // 1_000 if share else 0) == int(expected)
    assert compute_reward(replace(risk, max_reward=int(expected) - 1), base, W // 1_000) == int(expected) - 1


@cases("drift_liquidation_fee_escalation")
def test_within_the_grace_time_the_reward_ratio_does_not_grow(case: Case) -> None:
    """Exact. Beyond it ours grows from the end of the grace time, the venue's at once from the beginning."""
    (fee,) = case.expected("fee")
    inputs, params = case.inputs, case.params
    risk = replace(
        NO_RISK,
        reward_ratio=wei(inputs["base_fee"], W // 10**6),
        reward_ratio_max=wei(inputs["max_fee"], W // 10**6),
        reward_ramp=wei(params["increase_per_slot"], W // 10**6),
        reward_grace=params["grace_slots"],
    )
    flagged_at = NOW + inputs["last_active_slot"]
    assert compute_reward_ratio(risk, flagged_at, NOW + inputs["slot"]) == wei(fee, W // 10**6)


@cases("synthetix_liquidation_window")
def test_the_window_limits_a_partial_close(case: Case) -> None:
    """Exact, with a price of 1: the venue limits base units, we dollars."""
    liquidated, left = case.expected("liquidated", "left")
    params, inputs = case.params, case.inputs
    fees = exact(params["maker_fee"]) + exact(params["taker_fee"])
    most = fees * exact(params["skew_scale"]) * exact(params["window_s"]) * exact(params["multiplier"])
    market = replace(NO_MARKET, lot=1, window=int(params["window_s"]), window_notional=wei(most), min_notional=1)
    window = add_closed(market, EMPTY_WINDOW, NOW, wei(inputs["used_in_window"]))
    size = wei(inputs["requested"])
    exposure = Exposure(0, size, W, size, 0, 0)
    closed = limit_close(market, exposure, size, compute_left(market, window, NOW))
    assert closed == wei(liquidated)
    assert size - closed == wei(left)


@cases("drift_partial_liquidation_size")
def test_the_size_that_covers_a_shortage(case: Case) -> None:
    """One base unit of the venue above it at most: the venue rounds down, we up to the lot, so that it is enough.

    The lot is the venue's unit; the collateral's own price multiplies the venue's, and the fee is our closing cost.
    """
    (theirs,) = case.expected("base_amount")
    inputs = case.inputs
    assert inputs["insurance_fee"] == 0
    price = wei(Fraction(inputs["oracle_price"] * inputs["quote_oracle_price"], 10**12))
    rows = (MarginBracket(0, wei(Fraction(inputs["margin_ratio"], BPS)), W),)
    risk = replace(NO_RISK, penalty_ratio=wei(Fraction(inputs["liquidation_fee"], 10**6)))
    shortage = wei(Fraction(inputs["margin_shortage"], 10**6))
    unit = W // 10**9
    size = 1_000 * W
    notional = size * price // W
    needed, left = walk_down(risk, rows, notional, shortage)
    assert left == 0
    market = replace(NO_MARKET, lot=unit)
    closed = round_close(market, Exposure(0, size, price, notional, 0, 0), needed)
    assert 0 <= closed - theirs * unit <= unit


@cases("dydx_insurance_sufficiency")
def test_the_insurance_fund_gives_what_it_has(case: Case) -> None:
    """Exact: the venue asks whether the fund covers a loss in full; ours gives what it has, and the pool the rest."""
    (valid,) = case.expected("valid")
    balance, needed = case.inputs["fund_balance"], max(-case.inputs["fund_delta"], 0)
    draft = Draft(replace(genesis(0, 0, 1), ledger=Ledger(0, balance, 0, 0, 0, 0)))
    drawn = draw_insurance(draft, needed)
    assert drawn == min(balance, needed)
    assert (drawn == needed) == valid
