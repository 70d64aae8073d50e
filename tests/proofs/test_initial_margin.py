"""What raises initial margin beside the tiers: open interest, the owner's own cap, equity tiers."""

from __future__ import annotations

from dataclasses import replace

from protocol import margin
from protocol.configuration import LEVERAGE_LIMIT, USD_LIMIT
from protocol.margin import compute_required_equity, limit_leverage, scale_initial_margin
from protocol.params import MAX_POSITIONS, EquityTier
from protocol.units import PRICE_LIMIT, UNSIGNED_LIMIT, W, cdiv, fdiv
from tests.proofs.lemmas import establish, flipped
from tests.proofs.rows import MOST_NOTIONAL, NO_MARKET, borders
from tests.proofs.symbolic import Claim, Values, both

MOST_OPEN_INTEREST = cdiv((UNSIGNED_LIMIT - 1) * (PRICE_LIMIT - 1), W)


def test_margin_rises_with_open_interest_from_the_tiers_to_the_whole_notional() -> None:
    """MRG-6: IM by tiers <= scaled IM <= notional, and more open interest never lowers it.

    Control: it does not stay below the notional.
    """

    def scaled(least_gap: int) -> Claim:
        def claim(values: Values) -> object:
            lower = values.integer("lower", 0, USD_LIMIT - 2)
            params = replace(NO_MARKET, oi_lower=lower, oi_upper=values.integer("upper", lower + 1, USD_LIMIT - 1))
            notional = values.integer("notional", 1, MOST_NOTIONAL)
            im = values.integer("im", 1, notional)
            interest = values.integer("open interest", 0, MOST_OPEN_INTEREST)
            more = values.integer("more open interest", 0, MOST_OPEN_INTEREST)
            before = scale_initial_margin(params, interest, notional, im)
            after = scale_initial_margin(params, interest + more, notional, im)
            return both(im <= before, before <= after, after <= notional - least_gap)

        return claim

    establish(scaled(0), control=scaled(1))


def test_the_own_leverage_cap_is_never_exceeded() -> None:
    """MRG-7: with the margin asked, margin * cap >= notional * W: leverage is at most the cap."""

    def claim(values: Values) -> object:
        notional = values.integer("notional", 0, MOST_NOTIONAL)
        cap = values.integer("cap", 1, LEVERAGE_LIMIT - 1)
        im = values.integer("im", 0, notional)
        asked = limit_leverage(notional, cap, im)
        return both(asked >= im, asked * cap >= notional * W)

    establish(claim, broken=flipped(margin, "cdiv"))


def test_the_equity_asked_by_the_tiers_supports_the_notional_and_a_wei_less_does_not() -> None:
    """MRG-9: with supported(e) = sum over slices of fdiv(slice of e * leverage, W), the least e that supports it."""

    def claim(values: Values) -> object:
        tiers = equity_tiers(values)
        notional = values.integer("gross notional", 1, MAX_POSITIONS * MOST_NOTIONAL)
        required = compute_required_equity(tiers, notional)
        return both(supported(tiers, required) >= notional, supported(tiers, required - 1) < notional)

    establish(claim, broken=flipped(margin, "cdiv"))


def test_more_notional_never_asks_for_less_equity_nor_for_a_jump_of_it() -> None:
    """MRG-9: with leverage of at least 1, a wei more notional asks for at most a wei more equity.

    Control: leverage below 1.
    """

    def continuous(least: int) -> Claim:
        def claim(values: Values) -> object:
            tiers = equity_tiers(values, least)
            notional = values.integer("gross notional", 0, MAX_POSITIONS * MOST_NOTIONAL)
            less, more = compute_required_equity(tiers, notional), compute_required_equity(tiers, notional + 1)
            return both(less <= more, more <= less + 1)

        return claim

    establish(continuous(W), control=continuous(1))


def equity_tiers(values: Values, least: int = 1) -> tuple[EquityTier, ...]:
    """Tiers whose leverage does not rise with equity, as CFG-7 asks."""
    tiers: list[EquityTier] = []
    above = LEVERAGE_LIMIT - 1
    for k, lower in enumerate(borders(values)):
        above = values.integer(f"leverage {k}", least, above)
        tiers.append(EquityTier(lower, above))
    return tuple(tiers)


def supported(tiers: tuple[EquityTier, ...], equity: int) -> int:
    """Gross notional that an equity supports, slice by slice, each rounded down."""
    total = 0
    for index, tier in enumerate(tiers):
        if equity <= tier.lower:
            break
        upper = equity if index == len(tiers) - 1 else min(equity, tiers[index + 1].lower)
        total += fdiv((upper - tier.lower) * tier.leverage, W)
    return total
