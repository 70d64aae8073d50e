"""Maintenance margin by tiers with deductions (MRG-3): exact, where the venue's rate is a whole number of wei.

The venues state a tier by its rate and a deduction, ours by its lower bound; both give the same margin. At a bound
itself the venues are in the upper tier, we in the lower one, which makes no difference to the margin: the rate there
is compared by the next dollar.
"""

from __future__ import annotations

from fractions import Fraction

from protocol.margin import compute_margins, compute_notional
from protocol.params import MarginBracket
from protocol.units import W
from tests.vectors.reading import Case, cases, exact, wei


def maintenance(rows: tuple[MarginBracket, ...], notional: int) -> int:
    """Maintenance margin of a notional."""
    return compute_margins(rows, notional)[0]


def next_dollar(rows: tuple[MarginBracket, ...], notional: int) -> int:
    """What a dollar more costs: the rate that a notional has reached."""
    return maintenance(rows, notional + W) - maintenance(rows, notional)


def binance_rows(case: Case) -> tuple[MarginBracket, ...]:
    """A Binance table. Its initial margins are not tiered by rate."""
    tiers = case.inputs["tiers"]
    return tuple(MarginBracket(wei(tier["notional_floor"]), wei(tier["mmr"]), W) for tier in tiers)


@cases("binance_maintenance_amounts")
def test_margin_within_a_tier_is_rate_times_notional_less_the_published_amount(case: Case) -> None:
    """Exact at both ends of every tier, and a wei inside them up to the rounding to a wei."""
    (amounts,) = case.expected("maintenance_amounts")
    rows = binance_rows(case)
    assert len(rows) == len(amounts)
    for tier, row, amount in zip(case.inputs["tiers"], rows, amounts, strict=True):
        for notional in (row.lower, wei(tier["notional_cap"])):
            assert maintenance(rows, notional) * W == notional * row.mm_rate - wei(amount) * W
        inside = row.lower + 1
        assert 0 <= maintenance(rows, inside) * W - (inside * row.mm_rate - wei(amount) * W) < W


@cases("binance_tier_lookup")
def test_a_notional_finds_the_published_rate_and_amount(case: Case) -> None:
    """Exact."""
    rate, amount = case.expected("mmr", "maintenance_amount")
    rows, notional = binance_rows(case), wei(case.inputs["notional"])
    assert next_dollar(rows, notional) == wei(rate)
    assert notional * wei(rate) // W - maintenance(rows, notional) == wei(amount)


def hyperliquid_rows(case: Case) -> tuple[MarginBracket, ...]:
    """A Hyperliquid table. The rate is half of one over the leverage, rounded up to a wei: more margin, never less."""
    rows = [(wei(tier["lower_bound"]), 2 * tier["max_leverage"]) for tier in case.inputs["tiers"]]
    return tuple(MarginBracket(lower, -(-W // divisor), W) for lower, divisor in rows)


@cases("hyperliquid_margin_tiers")
def test_published_leverage_tiers_give_the_margin_and_deductions(case: Case) -> None:
    """Exact but for rates that are no whole number of wei.

    A rate like 1/6 we round up by less than a wei per dollar, so the margin is less than one wei per dollar of notional
    too high, and never too low.
    """
    tier, margin, rates, deductions = case.expected(
        "tier", "maintenance_margin", "maintenance_rates", "maintenance_deductions"
    )
    rows = hyperliquid_rows(case)
    if margin is not None:
        notional = wei(case.inputs["notional"])
        assert maintenance(rows, notional) == wei(margin)
        assert next_dollar(rows, notional) == rows[tier].mm_rate
        return
    for row, rate, deduction in zip(rows, rates, deductions, strict=True):
        notional = row.lower + 1_000 * W
        expected = notional * exact(rate) - wei(deduction)
        too_high = maintenance(rows, notional) - expected
        assert 0 <= too_high < Fraction(notional, W) + 1
        if W % exact(rate).denominator == 0 and row is rows[0]:
            assert too_high == 0


@cases("hyperliquid_tier_lookup")
def test_a_short_has_the_tier_of_its_absolute_notional(case: Case) -> None:
    """Exact."""
    (leverage,) = case.expected("max_leverage")
    notional = compute_notional(wei(case.inputs["notional"]), W)
    assert next_dollar(hyperliquid_rows(case), notional) == W // (2 * leverage)
