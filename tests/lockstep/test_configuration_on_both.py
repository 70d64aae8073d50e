"""Parameters through both twins: every border of every field, valid parts that do not fit together, what is stored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from protocol.actions import SetCollateral, SetMarket, SetRisk
from protocol.configuration import LEVERAGE_LIMIT, LONGEST_DURATION, MAX_FEE_RATE, MAX_FUNDING_SPEED
from protocol.params import CollateralParams, EquityTier, HaircutBracket, MarginBracket
from protocol.units import BPS, DAY, W
from tests.lockstep.both import MARKET, check, refuse
from tests.twins import BTC, RISK, WETH, Twins, weth_params

USD = 2**96 - 1  # the largest amount of dollars a parameter can be
HUGE = 2**256 - 1
WHOLE = HaircutBracket(0, W // 2, W // 2)
COST = RISK.closing_cost_ratio


def test_refused_risk_parameters_on_both(twins: Twins) -> None:
    """CFG-1, CFG-6, CFG-7, GOV-1, S3, S10: each field a step beyond its end, and far beyond."""
    amounts = ("keeper_reserve", "max_reward", "debt_cap", "margin_call_fee")
    shares = (
        "backstop_ratio",
        "reward_cap",
        "insurance_fee_share",
        "insurance_penalty_share",
        "lock_ratio",
        "stale_band",
    )
    ratios = ("margin_call_buffer", "liquidation_buffer", "reward_ratio_max", "reward_ramp", "penalty_ratio")
    times = ("reward_grace", "phase_in", "redemption_delay", "redemption_window")
    faults: list[dict[str, Any]] = [{name: USD + 1} for name in amounts]
    faults += [{name: BPS + 1} for name in shares] + [{name: W + 1} for name in (*ratios, "impact_cap_ratio")]
    faults += [{name: LONGEST_DURATION + 1} for name in times]
    faults += [{name: HUGE} for name in (*amounts, *shares, *ratios, *times, "impact_cap_ratio", "fixed_reward")]
    faults += [
        {"phase_in": 3_599},
        {"sale_discount": BPS},
        {"fixed_reward": USD + 1, "max_reward": USD + 1},
        {"max_reward": RISK.fixed_reward - 1},
        {"reward_ratio": RISK.reward_ratio_max + 1},
        {"usdc_feed": 2**16},
        {"usdc_feed": HUGE},
        {"depeg_threshold": 1},
        {"depeg_factor": 1},
        {"usdc_feed": 1, "depeg_threshold": BPS + 1},
        {"usdc_feed": 1, "depeg_factor": 2**16},
        {"usdc_feed": 1, "depeg_factor": HUGE},
    ]
    refuse(twins, "config/risk", *(("admin", SetRisk(replace(RISK, **changes))) for changes in faults))
    first = RISK.equity_tiers[0]
    brackets = (
        (),
        (replace(first, lower=1),),
        (first, first),
        (first, EquityTier(2**96, W)),
        (first, EquityTier(5, W), EquityTier(5, W)),
        tuple(EquityTier(k, W) for k in range(9)),
    )
    refuse(twins, "config/brackets", *(("admin", SetRisk(replace(RISK, equity_tiers=rows))) for rows in brackets))
    tiers = (
        (EquityTier(0, 0),),
        (EquityTier(0, W - 1),),
        (EquityTier(0, LEVERAGE_LIMIT),),
        (EquityTier(0, HUGE),),
        (EquityTier(0, W), EquityTier(1, W + 1)),
    )
    refuse(twins, "config/equity-tiers", *(("admin", SetRisk(replace(RISK, equity_tiers=rows))) for rows in tiers))
    # What does not fit the markets and collaterals in force, in the order in which they are looked at.
    dear = replace(RISK, penalty_ratio=W // 40, sale_discount=1_001)
    refuse(twins, "config/market", ("admin", SetRisk(replace(dear, fixed_reward=10 * W + 1))))
    refuse(twins, "config/margin-rates", ("admin", SetRisk(dear)))
    refuse(twins, "config/haircuts", ("admin", SetRisk(replace(RISK, sale_discount=1_001))))
    check(twins)


def test_refused_market_parameters_on_both(twins: Twins) -> None:
    """CFG-2 to CFG-4, CFG-6, CFG-8, CFG-9, S3, S10, B14, B45: each field, each group, and what ties them together."""
    market: list[dict[str, Any]] = [
        {"feed": 2**16},
        {"lot": 0},
        {"lot": 2**96},
        {"min_notional": 0},
        {"min_notional": USD + 1},
        {"min_notional": 500 * W - 1},
        {"maker_fee": MARKET.taker_fee + 1},
        {"taker_fee": MAX_FEE_RATE + 1},
        {"skew_scale": W - 1},
        {"skew_scale": 2**96},
        {"max_premium": BPS + 1},
        {"rebate_ratio": BPS + 1},
        {"oi_cap": 2**96},
        {"oi_cap_usd": USD + 1},
        {"skew_cap": 2**96},
        {"oi_upper": USD + 1},
        {"oi_lower": MARKET.oi_upper},
        {"oi_lower": 1, "oi_upper": 0},
        {"window": 30 * DAY + 1},
        {"window_notional": USD + 1},
        {"window_notional": MARKET.min_notional - 1},
    ]
    market += [{name: HUGE} for name in ("feed", "lot", "min_notional", "maker_fee", "taker_fee", "skew_scale")]
    market += [{name: HUGE} for name in ("max_premium", "rebate_ratio", "oi_cap", "oi_lower", "oi_upper", "window")]
    refuse(twins, "config/market", *(("admin", SetMarket(9, replace(MARKET, **changes))) for changes in market))
    funding: list[dict[str, Any]] = [
        {"funding_cap": W + 1},
        {"funding_velocity": MAX_FUNDING_SPEED + 1},
        {"funding_decay": MAX_FUNDING_SPEED + 1},
        {"dead_band": BPS + 1},
    ]
    funding += [{name: HUGE} for name in ("funding_cap", "funding_velocity", "funding_decay", "dead_band")]
    worse = replace(MARKET, brackets=())
    refuse(twins, "config/funding", *(("admin", SetMarket(9, replace(worse, **changes))) for changes in funding))
    first = MARKET.brackets[0]
    brackets = (
        (),
        (replace(first, lower=1),),
        (first, first),
        (first, replace(first, lower=2**96)),
        (first, replace(first, lower=5), replace(first, lower=5)),
        tuple(MarginBracket(k, W // 40 + k, W // 20 + 2 * k) for k in range(9)),
    )
    refuse(twins, "config/brackets", *(("admin", SetMarket(9, replace(MARKET, brackets=rows))) for rows in brackets))
    rates = (
        (MarginBracket(0, COST, W // 2),),
        (MarginBracket(0, W // 4, W + 1),),
        (MarginBracket(0, W // 10, W // 10 + COST - 1),),
        (MarginBracket(0, W // 4, W // 4 * 5 // 4 - 1),),
        (MarginBracket(0, W // 40, W // 40 + COST + W // 200 - 1),),
        (MarginBracket(0, HUGE, HUGE),),
        (MarginBracket(0, 0, 0),),
        (MarginBracket(0, W + 1, W),),
        (MarginBracket(0, HUGE, W),),
        (first, MarginBracket(1, first.mm_rate, W)),
        (first, MarginBracket(1, W // 30, first.im_rate)),
        (first, MarginBracket(1, W // 25, W // 25 + COST - 1)),
    )
    refuse(twins, "config/margin-rates", *(("admin", SetMarket(9, replace(MARKET, brackets=rows))) for rows in rates))
    refuse(
        twins,
        "config/listing",
        ("admin", SetMarket(3, MARKET)),
        ("admin", SetMarket(HUGE, MARKET)),
        ("admin", SetMarket(BTC, replace(MARKET, feed=1))),
        ("admin", SetMarket(BTC, replace(MARKET, lot=MARKET.lot + 1))),
        ("admin", SetMarket(BTC, replace(MARKET, lot=2 * MARKET.lot))),
    )
    # A finer lot that the old one is a multiple of is welcome.
    twins.do("admin", SetMarket(BTC, replace(MARKET, lot=MARKET.lot // 4)))
    check(twins)


def test_refused_collateral_parameters_on_both(twins: Twins) -> None:
    """CFG-5, CFG-6, GOV-3, S3, S10: each field, the weights, the sale discount, and the listing."""
    fields: tuple[dict[str, Any], ...] = (
        {"feed": 2**16},
        {"decimals": 25},
        {"account_cap": 2**96},
        {"global_cap": 2**96},
        {"feed": HUGE},
        {"decimals": HUGE},
        {"account_cap": HUGE},
        {"global_cap": HUGE},
    )
    broken = replace(weth_params(), brackets=())
    refuse(twins, "config/haircuts", *(("admin", SetCollateral(9, replace(broken, **changes))) for changes in fields))
    brackets = (
        (),
        (replace(WHOLE, lower=1),),
        (WHOLE, WHOLE),
        (WHOLE, replace(WHOLE, lower=2**96)),
        tuple(HaircutBracket(k, W // 2, W // 2) for k in range(9)),
    )
    for rows in brackets:
        refuse(twins, "config/brackets", ("admin", SetCollateral(9, replace(weth_params(), brackets=rows))))
    weights = (
        (replace(WHOLE, im_weight=W // 2 + 1),),
        (HaircutBracket(0, W + 1, 0),),
        (WHOLE, HaircutBracket(1, W // 2 + 1, 0)),
        (WHOLE, HaircutBracket(1, W // 2, W // 2 + 1)),
        (replace(WHOLE, im_weight=W // 4), HaircutBracket(1, W // 2, W // 4 + 1)),
        (HaircutBracket(0, W * 95 // 100 + 1, 0),),
        (replace(WHOLE, im_weight=HUGE),),
    )
    for rows in weights:
        refuse(twins, "config/haircuts", ("admin", SetCollateral(9, replace(weth_params(), brackets=rows))))
    for token, decimals in ((0, 18), (0, 0), (4, 18), (HUGE, 18), (WETH, 8)):
        refuse(twins, "config/listing", ("admin", SetCollateral(token, replace(weth_params(), decimals=decimals))))
    refuse(twins, "config/listing", ("admin", SetCollateral(WETH, replace(weth_params(), feed=0))))
    check(twins)


def test_extreme_parameters_are_stored_alike_on_both(twins: Twins) -> None:
    """GOV-1 to GOV-3, CFG-1 to CFG-9, T9: every field at both of its ends, eight brackets and one."""
    rows = tuple(MarginBracket(0 if not k else USD - 7 + k, W * 7 // 10 + k, W - 7 + k) for k in range(8))
    most = replace(
        MARKET,
        feed=2**16 - 1,
        lot=USD,
        min_notional=USD,
        window_notional=USD,
        maker_fee=MAX_FEE_RATE,
        taker_fee=MAX_FEE_RATE,
        skew_scale=USD,
        max_premium=BPS,
        rebate_ratio=BPS,
        oi_cap=USD,
        oi_cap_usd=USD,
        skew_cap=USD,
        funding_cap=W,
        funding_velocity=MAX_FUNDING_SPEED,
        funding_decay=MAX_FUNDING_SPEED,
        dead_band=BPS,
        oi_lower=USD - 1,
        oi_upper=USD,
        window=30 * DAY,
        brackets=rows,
    )
    twins.do("admin", SetMarket(2, most))
    check(twins)
    nothing: dict[str, Any] = dict.fromkeys(("maker_fee", "taker_fee", "max_premium", "rebate_ratio", "oi_cap"), 0)
    nothing |= dict.fromkeys(("oi_cap_usd", "skew_cap", "funding_cap", "funding_velocity", "funding_decay"), 0)
    nothing |= dict.fromkeys(("dead_band", "oi_lower", "oi_upper", "window", "window_notional"), 0)
    twins.do("admin", SetMarket(2, replace(most, lot=1, skew_scale=W, **nothing)))
    check(twins)
    long_rows = tuple(
        HaircutBracket(0 if not k else USD - 7 + k, W * 9 // 10 - k, W * 9 // 10 - 2 * k) for k in range(8)
    )
    twins.do("admin", SetCollateral(WETH, replace(weth_params(), account_cap=USD, global_cap=USD, brackets=long_rows)))
    check(twins)
    closed = CollateralParams(1, 18, 1, 0, 0, (HaircutBracket(0, 0, 0),))
    refuse(twins, "config/phase-in", ("admin", SetCollateral(WETH, closed)))
    twins.price(after=RISK.phase_in, BTC=8_000, ETH=200)
    twins.do("admin", SetCollateral(WETH, closed))
    for market in (0, 1):
        feed = twins.world.protocol.market_params[market].feed
        lot = twins.world.protocol.market_params[market].lot
        params = replace(MARKET, feed=feed, lot=lot, min_notional=USD, window_notional=USD, brackets=rows)
        twins.do("admin", SetMarket(market, params))
    twins.price(after=RISK.phase_in, BTC=8_000, ETH=200)
    numbers = dict.fromkeys(("keeper_reserve", "fixed_reward", "max_reward", "debt_cap", "margin_call_fee"), 0)
    numbers |= dict.fromkeys(("margin_call_buffer", "liquidation_buffer", "backstop_ratio", "reward_cap"), 0)
    numbers |= dict.fromkeys(
        ("reward_ratio", "reward_ratio_max", "reward_ramp", "reward_grace", "lock_ratio", "stale_band"), 0
    )
    numbers |= dict.fromkeys(("penalty_ratio", "impact_cap_ratio", "insurance_fee_share", "sale_discount"), 0)
    numbers |= dict.fromkeys(("insurance_penalty_share", "redemption_delay", "redemption_window"), 0)
    least = replace(RISK, **numbers, phase_in=3_600, equity_tiers=(EquityTier(0, W),))
    twins.do("admin", SetRisk(least))
    check(twins)
    full = replace(
        least,
        keeper_reserve=USD,
        margin_call_buffer=W // 10,
        liquidation_buffer=W,
        backstop_ratio=BPS,
        fixed_reward=W,
        reward_ratio=W // 10,
        reward_ratio_max=W // 10,
        reward_ramp=W,
        reward_grace=LONGEST_DURATION,
        max_reward=USD,
        reward_cap=BPS,
        penalty_ratio=W // 10,
        impact_cap_ratio=W // 20,
        debt_cap=USD,
        insurance_fee_share=BPS,
        insurance_penalty_share=BPS,
        sale_discount=BPS - 1,
        margin_call_fee=USD,
        phase_in=LONGEST_DURATION,
        lock_ratio=BPS,
        stale_band=BPS,
        usdc_feed=2**16 - 1,
        depeg_threshold=BPS,
        depeg_factor=2**16 - 1,
        redemption_delay=LONGEST_DURATION,
        redemption_window=LONGEST_DURATION,
        equity_tiers=tuple(EquityTier(0 if not k else USD - 7 + k, LEVERAGE_LIMIT - 1 - k) for k in range(8)),
    )
    for token in (2, 3):
        collateral = twins.world.protocol.collateral_params[token - 1]
        twins.do("admin", SetCollateral(token, replace(collateral, brackets=(HaircutBracket(0, 0, 0),))))
    refuse(twins, "config/haircuts", ("admin", SetRisk(full)))
    twins.price(after=RISK.phase_in, BTC=8_000, ETH=200)
    twins.do("admin", SetRisk(full))
    check(twins)
