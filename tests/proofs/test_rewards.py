"""The keeper's reward: its clamps, and that it grows with time and work."""

from __future__ import annotations

from dataclasses import replace

from protocol import rewards
from protocol.configuration import LONGEST_DURATION, USD_LIMIT
from protocol.params import MAX_POSITIONS, RiskParams
from protocol.rewards import compute_penalty, compute_reward, compute_reward_ratio
from protocol.state import NO_RISK
from protocol.units import BPS, W
from tests.proofs.lemmas import establish, flipped
from tests.proofs.rows import MOST_NOTIONAL
from tests.proofs.symbolic import Claim, Values, both

MOST_CLOSED = MAX_POSITIONS * MOST_NOTIONAL
LATEST = 2**40 - 1  # times are stored in 40 bits


def reward_params(values: Values) -> RiskParams:
    """Risk parameters of the reward, as CFG-1 allows them."""
    fixed = values.integer("fixed_reward", 0, USD_LIMIT - 1)
    ratio = values.integer("reward_ratio", 0, W)
    return replace(
        NO_RISK,
        fixed_reward=fixed,
        max_reward=values.integer("max_reward", fixed, USD_LIMIT - 1),
        reward_cap=values.integer("reward_cap", 0, BPS),
        reward_ratio=ratio,
        reward_ratio_max=values.integer("reward_ratio_max", ratio, W),
        reward_ramp=values.integer("reward_ramp", 0, W),
        reward_grace=values.integer("reward_grace", 0, LONGEST_DURATION),
    )


def test_the_reward_stays_within_every_clamp() -> None:
    """RWD-2, L7: 0 <= reward <= max_reward, <= the cap's share of the notional, <= fixed part and share.

    Control: the share rounded up.
    """

    def claim(values: Values) -> object:
        risk = reward_params(values)
        base = values.integer("base", 0, MOST_CLOSED)
        ratio = values.integer("ratio", risk.reward_ratio, risk.reward_ratio_max)
        reward = compute_reward(risk, base, ratio)
        return both(
            reward >= 0,
            reward <= risk.max_reward,
            reward * BPS <= base * risk.reward_cap,
            (reward - risk.fixed_reward) * W <= base * ratio,
        )

    establish(claim, broken=flipped(rewards, "fdiv"))


def test_from_the_minimum_notional_on_the_reward_is_at_least_the_fixed_part() -> None:
    """RWD-2, CFG-3, L6: fixed_reward * 10^4 <= min_notional * reward_cap. Control: a dollar below the minimum."""

    def worthwhile(below: int) -> Claim:
        def claim(values: Values) -> object:
            risk = reward_params(values)
            min_notional = values.integer("min_notional", W + 1, USD_LIMIT - 1)
            values.assume(risk.fixed_reward * BPS <= min_notional * risk.reward_cap)
            base = values.integer("base", min_notional - below, MOST_CLOSED)
            return compute_reward(risk, base, risk.reward_ratio) >= risk.fixed_reward

        return claim

    establish(worthwhile(0), control=worthwhile(W))


def test_the_reward_never_falls_with_time_or_work() -> None:
    """RWD-1, RWD-2: a later liquidation, or one of more notional, pays no less; the ratio has its maximum.

    Control: a flag that is set anew in between.
    """

    def growing(kept: bool) -> Claim:
        def claim(values: Values) -> object:
            risk = reward_params(values)
            flagged_at = values.integer("flagged_at", 1, LATEST)
            now = values.integer("now", flagged_at, LATEST)
            later = values.integer("later", now, LATEST)
            base = values.integer("base", 0, MOST_CLOSED)
            more = values.integer("more", base, MOST_CLOSED)
            before = compute_reward_ratio(risk, flagged_at, now)
            after = compute_reward_ratio(risk, flagged_at if kept else later, later)
            return both(
                before >= risk.reward_ratio,
                before <= after,
                after <= risk.reward_ratio_max,
                compute_reward(risk, base, before) <= compute_reward(risk, more, after),
            )

        return claim

    establish(growing(True), control=growing(False))


def test_splitting_a_liquidation_never_lowers_the_penalty() -> None:
    """RWD-3, T6: penalty(a) + penalty(b) is penalty(a + b), or a wei more; it is at most the notional."""

    def claim(values: Values) -> object:
        risk = replace(NO_RISK, penalty_ratio=values.integer("penalty_ratio", 0, W))
        a, b = (values.integer(name, 0, MOST_CLOSED) for name in ("a", "b"))
        parts = compute_penalty(risk, a) + compute_penalty(risk, b)
        whole = compute_penalty(risk, a + b)
        return both(whole <= parts, parts <= whole + 1, whole <= a + b)

    establish(claim, broken=flipped(rewards, "cdiv"))
