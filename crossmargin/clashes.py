"""Which numbers of a parameter set clash when the protocol refuses it: the rule that forbids them, and both of them.

``protocol.configuration`` decides; this only says, in the words of the file, which of its inequalities did not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from crossmargin.quantities import write_decimal, write_duration
from protocol.configuration import (
    FACTOR_LIMIT,
    LEVERAGE_LIMIT,
    LONGEST_DURATION,
    MAX_FEE_RATE,
    MAX_FUNDING_SPEED,
    SHORTEST_PHASE_IN,
    USD_LIMIT,
    check_collateral,
    check_market,
    check_risk,
)
from protocol.params import CollateralParams, MarketParams, RiskParams
from protocol.units import BPS, DAY, PRICE_LIMIT, SIZE_LIMIT, W, cdiv

DOLLARS = ("keeper_reserve", "fixed_reward", "max_reward", "debt_cap", "margin_call_fee")
RATIOS = (
    *("margin_call_buffer", "liquidation_buffer", "reward_ratio", "reward_ratio_max", "reward_ramp"),
    *("penalty_ratio", "impact_cap_ratio"),
)
DURATIONS = ("reward_grace", "phase_in", "redemption_delay", "redemption_window")
SIZES = ("lot", "skew_scale", "oi_cap", "skew_cap")
MARKET_DOLLARS = ("ceiling", "min_notional", "oi_cap_usd", "oi_upper", "window_notional")
CLOSING_COST = "the closing cost (reward_ratio_max + penalty_ratio + impact_cap_ratio)"


def explain_clash(rule: Callable[..., Any], *arguments: Any) -> str:
    """The first inequality that does not hold, in the order in which the rule checks; empty if it is of another kind.

    Such as ``CFG-3: mm is 0.02, it must be above 0.025, mm of the entry before``.
    """
    finders: dict[Callable[..., Any], Callable[..., Iterator[str]]] = {
        check_risk: find_in_risk,
        check_market: find_in_market,
        check_collateral: find_in_collateral,
    }
    return next(finders[rule](*arguments), "") if rule in finders else ""


def find_in_risk(risk: RiskParams) -> Iterator[str]:
    """What CFG-1, CFG-6 and CFG-7 do not allow of risk parameters; caps of what a word holds are left to the remedy."""
    for name in (*DOLLARS, *RATIOS):
        limit = USD_LIMIT - 1 if name in DOLLARS else W
        yield from _at_most("CFG-1", name, getattr(risk, name), limit)
    for name in DURATIONS:
        seconds = getattr(risk, name)
        if seconds > LONGEST_DURATION:
            yield _clash("CFG-1", name, write_duration(seconds), "at most", write_duration(LONGEST_DURATION))
    if risk.phase_in < SHORTEST_PHASE_IN:
        yield _clash("CFG-1", "phase_in", write_duration(risk.phase_in), "at least", "1h")
    yield from _at_most("CFG-1", "fixed_reward", risk.fixed_reward, risk.max_reward, "max_reward")
    yield from _at_most("CFG-1", "reward_ratio", risk.reward_ratio, risk.reward_ratio_max, "reward_ratio_max")
    shares = ("backstop_ratio", "reward_cap", "insurance_fee_share", "insurance_penalty_share")
    for name in (*shares, "lock_ratio", "stale_band", "depeg_threshold"):
        yield from _at_most("CFG-1", name, getattr(risk, name), BPS, decimals=4)
    yield from _at_most("CFG-1", "sale_discount", risk.sale_discount, BPS - 1, decimals=4)
    for name in ("depeg_threshold", "depeg_factor"):
        most = 0 if not risk.usdc_feed else FACTOR_LIMIT - 1
        yield from _at_most("CFG-1", name, getattr(risk, name), most, "" if most else "without usdc_feed", decimals=4)
    yield from _find_in_lowers([tier.lower for tier in risk.equity_tiers], "equity_tiers")
    above, name = LEVERAGE_LIMIT - 1, ""
    for tier in risk.equity_tiers:
        if tier.leverage < W:
            yield _clash("CFG-7", "leverage", write_decimal(tier.leverage, 18), "at least", "1")
        yield from _at_most("CFG-7", "leverage", tier.leverage, above, name)
        above, name = tier.leverage, "leverage of the entry before"


def find_in_market(risk: RiskParams, market: MarketParams) -> Iterator[str]:
    """What CFG-2, CFG-9, CFG-8, CFG-6, CFG-3 and CFG-4 do not allow of a market."""
    yield from _find_in_ranges(risk, market)
    for name in ("funding_cap", "funding_velocity", "funding_decay"):
        yield from _at_most("CFG-8", name, getattr(market, name), W if name == "funding_cap" else MAX_FUNDING_SPEED)
    yield from _at_most("CFG-8", "dead_band", market.dead_band, BPS, decimals=4)
    yield from _find_in_lowers([bracket.lower for bracket in market.brackets], "tiers")
    cost, buffer = risk.closing_cost_ratio, risk.margin_call_buffer
    below, im_below, of_below = cost, 0, CLOSING_COST
    for bracket in market.brackets:
        mm, im = bracket.mm_rate, bracket.im_rate
        yield from _above("CFG-3", "mm", mm, below, of_below)
        yield from _above("CFG-3", "im", im, im_below, "im of the entry before")
        yield from _at_most("CFG-3", "im", im, W)
        of_sum = f"mm {write_decimal(mm, 18)} + {CLOSING_COST}"
        yield from _at_least("CFG-3", "im", im, mm + cost, of_sum)
        of_buffer = f"mm {write_decimal(mm, 18)} * (1 + margin_call_buffer {write_decimal(buffer, 18)})"
        yield from _at_least("CFG-3", "im", im, cdiv(mm * (W + buffer), W), of_buffer)
        below, im_below, of_below = mm, im, "mm of the entry before"
    first = market.brackets[0]
    room = cdiv(risk.fixed_reward * W, market.min_notional)
    of_room = f"mm {write_decimal(first.mm_rate, 18)} + {CLOSING_COST} + fixed_reward / min_notional"
    yield from _at_least("CFG-4", "im", first.im_rate, first.mm_rate + cost + room, of_room)


def find_in_collateral(risk: RiskParams, collateral: CollateralParams) -> Iterator[str]:
    """What CFG-5 and CFG-6 do not allow of a collateral's ceiling and haircuts."""
    yield from _above("CFG-5", "ceiling", collateral.ceiling, 0)
    yield from _at_most("CFG-5", "ceiling", collateral.ceiling, PRICE_LIMIT - 1)
    yield from _find_in_lowers([bracket.lower for bracket in collateral.brackets], "haircuts")
    mm_above, im_above, before = W, W, ""
    for bracket in collateral.brackets:
        yield from _at_most("CFG-5", "im", bracket.im_weight, bracket.mm_weight, "mm")
        yield from _at_most("CFG-5", "mm", bracket.mm_weight, mm_above, before and f"mm {before}")
        yield from _at_most("CFG-5", "im", bracket.im_weight, im_above, before and f"im {before}")
        mm_above, im_above, before = bracket.mm_weight, bracket.im_weight, "of the entry before"
    after_sale = (BPS - risk.sale_discount) * W // BPS
    of_sale = f"1 - sale_discount {write_decimal(risk.sale_discount, 4)}"
    yield from _at_most("CFG-5", "mm", collateral.brackets[0].mm_weight, after_sale, of_sale)


def _find_in_ranges(risk: RiskParams, market: MarketParams) -> Iterator[str]:
    """What CFG-2 and CFG-9 do not allow."""
    for name in ("ceiling", "lot", "min_notional"):
        yield from _above("CFG-2", name, getattr(market, name), 0)
    for name in (*SIZES, *MARKET_DOLLARS):
        rule = "CFG-2" if name in {"lot", "skew_scale", "ceiling", "min_notional"} else "CFG-9"
        yield from _at_most(rule, name, getattr(market, name), SIZE_LIMIT - 1)
    yield from _at_most("CFG-2", "maker_fee", market.maker_fee, market.taker_fee, "taker_fee")
    yield from _at_most("CFG-2", "taker_fee", market.taker_fee, MAX_FEE_RATE)
    yield from _at_least("CFG-2", "skew_scale", market.skew_scale, W)
    for name in ("max_premium", "rebate_ratio"):
        yield from _at_most("CFG-2", name, getattr(market, name), BPS, decimals=4)
    if not market.oi_lower == market.oi_upper == 0:
        yield from _above("CFG-9", "oi_upper", market.oi_upper, market.oi_lower, "oi_lower")
    if market.window > 30 * DAY:
        yield _clash("CFG-9", "window", write_duration(market.window), "at most", "30d")
    if market.window:
        yield from _at_least("CFG-9", "window_notional", market.window_notional, market.min_notional, "min_notional")
    if risk.fixed_reward * BPS > market.min_notional * risk.reward_cap:
        most = market.min_notional * risk.reward_cap // BPS
        yield from _at_most("CFG-2", "fixed_reward", risk.fixed_reward, most, "min_notional * reward_cap")


def _find_in_lowers(lowers: Sequence[int], rows: str) -> Iterator[str]:
    """What CFG-6 does not allow of where rows begin."""
    if not lowers:
        yield _clash("CFG-6", f"the number of {rows}", "0", "at least", "1")
        return
    if lowers[0]:
        yield _clash("CFG-6", "from", write_decimal(lowers[0], 18), "equal to", "0", "in the first entry")
    for below, lower in pairwise(lowers):
        yield from _above("CFG-6", "from", lower, below, "from of the entry before")
        yield from _at_most("CFG-6", "from", lower, PRICE_LIMIT - 1)


def _at_most(rule: str, name: str, value: int, most: int, of: str = "", decimals: int = 18) -> Iterator[str]:
    if value > most:
        yield _clash(rule, name, write_decimal(value, decimals), "at most", write_decimal(most, decimals), of)


def _at_least(rule: str, name: str, value: int, least: int, of: str = "") -> Iterator[str]:
    if value < least:
        yield _clash(rule, name, write_decimal(value, 18), "at least", write_decimal(least, 18), of)


def _above(rule: str, name: str, value: int, below: int, of: str = "") -> Iterator[str]:
    if value <= below:
        yield _clash(rule, name, write_decimal(value, 18), "above", write_decimal(below, 18), of)


def _clash(rule: str, name: str, value: str, relation: str, bound: str, of: str = "") -> str:
    return f"{rule}: {name} is {value}, it must be {relation} {bound}" + (f", {of}" if of else "")
