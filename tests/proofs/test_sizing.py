"""Liquidation sizing: what is closed reaches the target, and hardly more than that is closed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol import sizing
from protocol.account_state import is_clear
from protocol.configuration import USD_LIMIT, check_market
from protocol.margin import Health, compute_margins, compute_notional
from protocol.params import MAX_POSITIONS, MarketParams, RiskParams
from protocol.rewards import compute_penalty
from protocol.sizing import (
    ROUNDING_SLACK,
    Exposure,
    compute_freed,
    compute_shortage,
    limit_close,
    round_close,
    walk_down,
)
from protocol.units import PRICE_LIMIT, SIZE_LIMIT, Ratio, W, fdiv
from tests.proofs.lemmas import establish, flipped
from tests.proofs.rows import MOST_NOTIONAL, NO_MARKET
from tests.proofs.symbolic import Claim, Values, both, either
from tests.twins import RISK, market_params

MOST_LACK = 2**140  # more than any account can lack
REFERENCE = market_params(0)
# The least that the configuration allows: no buffer, a first rate a wei above the cost of closing, the last at 1.
TIGHT_RISK = replace(RISK, liquidation_buffer=0, margin_call_buffer=0)
TIGHT = replace(
    REFERENCE,
    brackets=(
        replace(REFERENCE.brackets[0], mm_rate=TIGHT_RISK.closing_cost_ratio + 1),
        replace(REFERENCE.brackets[1], mm_rate=W - TIGHT_RISK.closing_cost_ratio - 1, im_rate=W),
    ),
)
PARAMETERS = ((RISK, REFERENCE), (TIGHT_RISK, TIGHT))


class Liquidation:
    """A position of unknown notional in one market of an account that lacks margin.

    The rest of the account, with up to fifteen positions in other markets, stays as it is.
    """

    def __init__(self, values: Values, risk: RiskParams, market: MarketParams) -> None:
        self.risk, self.brackets = risk, market.brackets
        self.notional = values.integer("notional", 1, MOST_NOTIONAL)
        self.reserve = values.integer("reserve", 0, USD_LIMIT - 1)
        self.others = values.integer("other margins", 0, (MAX_POSITIONS - 1) * MOST_NOTIONAL) + self.reserve
        self.lack = values.integer("lack", 1, MOST_LACK)
        self.equity = self.margin_of(self.notional) - self.lack
        self.shortage = compute_shortage(risk, self.health(self.equity, self.notional))

    def margin_of(self, left: Any) -> Any:
        """The account's maintenance margin with so much notional left."""
        return compute_margins(self.brackets, left)[0] + self.others

    def health(self, equity: Any, left: Any) -> Health:
        """The account with so much equity and notional left."""
        margin = self.margin_of(left)
        return Health(equity, equity, equity, margin, margin, self.reserve, 0, 0)

    def measure_after(self, closed: Any, unexpected: Ratio = 0) -> Any:
        """The shortage after closing a notional at the highest cost, and more than that if it is unexpected."""
        costs = fdiv(closed * self.risk.reward_ratio_max, W) + compute_penalty(self.risk, closed)
        costs += fdiv(closed * (self.risk.impact_cap_ratio + unexpected), W)
        return compute_shortage(self.risk, self.health(self.equity - costs, self.notional - closed))


@pytest.mark.parametrize(("risk", "market"), PARAMETERS, ids=("usual", "tight"))
def test_what_is_closed_covers_the_shortage_or_is_the_whole_position(risk: RiskParams, market: MarketParams) -> None:
    """SIZ-2, SIZ-4, L4: after a market the true shortage is at most 2 wei above the one carried to the next market.

    So sixteen markets use up 32 wei of the slack of 10^6, and the last one reaches the target. Control: closing costs a
    millionth more than the ratio the configuration counts with.
    """
    check_market(risk, market)

    def covered(unexpected: Ratio) -> Claim:
        def claim(values: Values) -> object:
            found = Liquidation(values, risk, market)
            closed, left = walk_down(risk, market.brackets, found.notional, found.shortage)
            whole_or_enough = either(left == 0, closed == found.notional)
            measured = found.measure_after(closed, unexpected)
            return both(closed >= 0, closed <= found.notional, whole_or_enough, measured <= left + 2)

        return claim

    establish(covered(0), control=covered(W // 10**6))


@pytest.mark.parametrize(("risk", "market"), PARAMETERS, ids=("usual", "tight"))
def test_a_close_cut_short_leaves_at_most_the_shortage_carried_on(risk: RiskParams, market: MarketParams) -> None:
    """SIZ-4, WIN-3: of a shortage, what is freed by any notional closed is never counted 2 wei too high.

    Control: as above.
    """

    def freed(unexpected: Ratio) -> Claim:
        def claim(values: Values) -> object:
            found = Liquidation(values, risk, market)
            closed = values.integer("closed", 0, found.notional)
            carried = found.shortage - compute_freed(risk, market.brackets, found.notional, closed)
            return found.measure_after(closed, unexpected) <= carried + 2

        return claim

    establish(freed(0), control=freed(W // 10**6))


def test_an_account_without_shortage_is_clear_after_the_fixed_reward() -> None:
    """SIZ-3, STA-2, I4: with a shortage of at most the slack it is at the buffer or above. Control: a wei more."""

    def clear(slack: int) -> Claim:
        def claim(values: Values) -> object:
            risk = replace(
                RISK,
                liquidation_buffer=values.integer("buffer", 0, W),
                fixed_reward=values.integer("fixed reward", 0, USD_LIMIT - 1),
            )
            reserve = values.integer("reserve", 0, USD_LIMIT - 1)
            margin = values.integer("margin", 0, MAX_POSITIONS * MOST_NOTIONAL) + reserve
            equity = values.integer("equity", -MOST_LACK, MOST_LACK)
            health = Health(equity, equity, equity, margin, margin, reserve, 0, 0)
            values.assume(compute_shortage(risk, health) <= slack)
            return is_clear(risk, replace(health, equity_mm=equity - risk.fixed_reward))

        return claim

    establish(clear(ROUNDING_SLACK), control=clear(ROUNDING_SLACK + 1))


def priced(values: Values) -> tuple[MarketParams, Exposure]:
    """A position of any size at any price, in a market of any lot and minimum notional."""
    params = replace(
        NO_MARKET,
        lot=values.integer("lot", 1, SIZE_LIMIT - 1),
        min_notional=values.integer("min_notional", 1, USD_LIMIT - 1),
    )
    size = values.integer("size", 1, SIZE_LIMIT - 1)
    price = values.integer("price", 1, PRICE_LIMIT - 1)
    return params, Exposure(0, size, price, compute_notional(size, price), 0, 0)


def test_rounding_to_lots_closes_enough_and_less_than_a_lot_too_much() -> None:
    """SIZ-5, L4: the size closes what is needed, and a lot less would not; or it is the whole position."""

    def claim(values: Values) -> object:
        params, exposure = priced(values)
        needed = values.integer("needed", 1, MOST_NOTIONAL)
        size = round_close(params, exposure, needed)
        enough = both(size * exposure.price >= needed * W, (size - params.lot) * exposure.price < needed * W)
        return both(size > 0, size <= exposure.size, either(size == exposure.size, enough))

    establish(claim, broken=flipped(sizing, "cdiv"))


def test_what_a_close_leaves_is_nothing_or_the_minimum_notional() -> None:
    """SIZ-5, L6: no remainder below the minimum notional. Control: a minimum a wei higher than the market's."""

    def no_dust(more: int) -> Claim:
        def claim(values: Values) -> object:
            params, exposure = priced(values)
            size = round_close(params, exposure, values.integer("needed", 1, MOST_NOTIONAL))
            left = compute_notional(exposure.size - size, exposure.price)
            return either(size == exposure.size, left >= params.min_notional + more)

        return claim

    establish(no_dust(0), control=no_dust(1))


def test_a_close_within_the_window_exceeds_it_by_less_than_the_minimum_notional() -> None:
    """SIZ-5, WIN-3: the notional closed is below what is left plus the minimum notional, or is nothing.

    Control: a window that is not exceeded.
    """

    def limited(whole: int) -> Claim:
        def claim(values: Values) -> object:
            params, exposure = priced(values)
            left = values.integer("left", 0, USD_LIMIT - 1)
            size = limit_close(params, exposure, values.integer("asked", 0, exposure.size), left)
            notional = compute_notional(size, exposure.price)
            return either(notional <= left, notional < left + whole * params.min_notional)

        return claim

    establish(limited(1), control=limited(0))
