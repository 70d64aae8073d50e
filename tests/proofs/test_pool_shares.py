"""The price of a pool share: what deposits and redemptions can gain, for any value and any supply."""

from __future__ import annotations

from protocol import pool
from protocol.pool import VIRTUAL, compute_redemption, compute_shares
from protocol.units import UNSIGNED_LIMIT
from tests.proofs.lemmas import establish, flipped
from tests.proofs.symbolic import Claim, Values, both

MOST_VALUE = 2**250  # more than pool, traders' losses and inventory can be worth


def test_a_deposit_redeemed_at_once_never_gains() -> None:
    """LPD-2, LPR-2, P1: the depositor gets back at most the amount."""

    def claim(values: Values) -> object:
        amount = values.integer("amount", 1, UNSIGNED_LIMIT - 1)
        supply = values.integer("supply", 0, UNSIGNED_LIMIT - 1)
        value = values.integer("value", 0, MOST_VALUE)
        shares = compute_shares(amount, supply, value)
        return compute_redemption(shares, supply + shares, value + amount) <= amount

    establish(claim, broken=flipped(pool, "fdiv"))


def test_a_deposit_never_lowers_the_price_of_the_shares_there_are() -> None:
    """LPD-2, P2: (value + V) / (supply + V) does not fall, cross-multiplied."""

    def claim(values: Values) -> object:
        amount = values.integer("amount", 1, UNSIGNED_LIMIT - 1)
        supply = values.integer("supply", 0, UNSIGNED_LIMIT - 1)
        value = values.integer("value", 0, MOST_VALUE)
        shares = compute_shares(amount, supply, value)
        return (value + amount + VIRTUAL) * (supply + VIRTUAL) >= (value + VIRTUAL) * (supply + shares + VIRTUAL)

    establish(claim, broken=flipped(pool, "fdiv"))


def test_a_redemption_never_lowers_the_price_of_the_shares_that_stay() -> None:
    """LPR-2, P2: (value + V) / (supply + V) does not fall, cross-multiplied, and no more than the value is paid."""

    def claim(values: Values) -> object:
        supply = values.integer("supply", 1, UNSIGNED_LIMIT - 1)
        shares = values.integer("shares", 1, supply)
        value = values.integer("value", 0, MOST_VALUE)
        paid = compute_redemption(shares, supply, value)
        left = value - paid
        kept = (left + VIRTUAL) * (supply + VIRTUAL) >= (value + VIRTUAL) * (supply - shares + VIRTUAL)
        return both(paid >= 0, left >= 0, kept)

    establish(claim, broken=flipped(pool, "fdiv"))


def test_redeeming_in_two_parts_never_pays_more() -> None:
    """LPR-2, X1: with the second part priced after the first, at most a wei more in all. Control: not a wei more."""

    def unsplit(wei: int) -> Claim:
        def claim(values: Values) -> object:
            supply = values.integer("supply", 2, UNSIGNED_LIMIT - 1)
            first = values.integer("first", 1, supply - 1)
            second = values.integer("second", 1, supply - first)
            value = values.integer("value", 0, MOST_VALUE)
            paid = compute_redemption(first, supply, value)
            later = compute_redemption(second, supply - first, value - paid)
            return paid + later <= compute_redemption(first + second, supply, value) + wei

        return claim

    establish(unsplit(1), control=unsplit(-1))
