"""The readings of one quote: the price for maintenance with its band and ceiling, and the strict one for new risk."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.actions import SetLeverageCap, Trade, Withdraw
from protocol.env import Env, Status
from protocol.events import PositionUpdated
from protocol.margin import compute_funding_price, compute_health, compute_maintenance_price, compute_strict_price
from protocol.policy import STATUS_LIMIT, is_priceless
from protocol.units import BPS, PRICE_LIMIT, W
from protocol.views import compute_withdrawable
from tests.protocol.build import (
    ACCOUNT,
    ANY_PRICE,
    BORROWER,
    BTC,
    BTC_PRICE,
    ETH_PRICE,
    NOW,
    PRICELESS,
    WETH,
    env,
    event_of,
    holding,
    outcome_of,
    refused,
    run,
    state_with,
)
from tests.protocol.quotes import BLOCKING, LOT, SOFT, both, surroundings, wide

BAND = 1_000
CEILING = 9


@pytest.mark.parametrize(
    ("mid", "is_asset", "price"),
    [(8_000 * W, True, 8_800 * W), (8_000 * W, False, 7_200 * W), (9, True, 9), (9, False, 9), (11, True, 12)],
)
def test_a_faulty_price_is_moved_in_favour_and_rounded_against(mid: int, is_asset: bool, price: int) -> None:
    """MRG-12, T6: a tenth, exact to the wei."""
    for status in BLOCKING.values():
        assert compute_maintenance_price(wide(mid, 0, int(status)), is_asset, BAND, CEILING) == price
    for status in (Status.OK, Status.SEQ_GRACE, *SOFT):
        assert compute_maintenance_price(wide(mid, 5, int(status)), is_asset, BAND, CEILING) == mid


def test_a_moved_price_stays_a_price() -> None:
    """MRG-12, T9: below 2^96, and a band of everything leaves a debt of nothing."""
    stale = int(Status.STALE_HARD)
    assert compute_maintenance_price(wide(PRICE_LIMIT - 1, 0, stale), True, BPS, 1) == PRICE_LIMIT - 1
    assert compute_maintenance_price(wide(PRICE_LIMIT - 1, 0, stale), False, BPS, 1) == 0
    assert compute_maintenance_price(wide(7, 0, stale), True, 0, 1) == 7


@pytest.mark.parametrize("status", [*PRICELESS.values(), STATUS_LIMIT])
@pytest.mark.parametrize("mid", [0, 100])
def test_without_a_price_the_ceiling_counts(status: int, mid: int) -> None:
    """MRG-12, MRG-13, POL-1: of what is owned for maintenance, of what is owed for new risk; the number is void."""
    for other in (0, int(Status.STALE_HARD), int(Status.UNCERTAIN)):
        quote = wide(mid, 0, int(status) | other)
        assert is_priceless(quote.status)
        assert [compute_maintenance_price(quote, is_asset, BAND, CEILING) for is_asset in (True, False)] == [CEILING, 0]
        assert [compute_strict_price(quote, is_asset, CEILING) for is_asset in (True, False)] == [0, CEILING]
        assert compute_funding_price(quote) == 0
    assert not is_priceless(int(Status.STALE_HARD | Status.HALTED | Status.DEVIATED))
    assert compute_funding_price(wide(7, 0, int(Status.HALTED))) == 7


def test_a_strict_price_is_the_side_against_the_account() -> None:
    """MRG-13: the bid of what is owned, the ask of what is owed."""
    assert compute_strict_price(wide(100, 7), True, CEILING) == 93
    assert compute_strict_price(wide(100, 7), False, CEILING) == 107


@pytest.mark.parametrize(("size", "loss"), [(W, 50), (-W, 50), (2 * W, 100)])
def test_a_spread_enters_initial_margin_only(size: int, loss: int) -> None:
    """MRG-13, M4: of positions; nothing else of the measure moves."""
    account = both(10_000, size).accounts[ACCOUNT]
    narrow = compute_health(both(10_000, size), account, env())
    found = compute_health(both(10_000, size), account, surroundings(wide(BTC_PRICE, 50 * W)))
    assert found == replace(narrow, equity_im=narrow.equity_im - loss * W)


def test_a_spread_of_collateral_enters_initial_margin_only() -> None:
    """MRG-13, COL-2: 2 WETH count 85 % of their bid."""
    state = state_with({ACCOUNT: holding(0, {WETH: 2 * 10**18})})
    narrow = compute_health(state, state.accounts[ACCOUNT], env())
    seen = Env(NOW, BORROWER, (wide(BTC_PRICE, 0), wide(ETH_PRICE, 20 * W)))
    found = compute_health(state, state.accounts[ACCOUNT], seen)
    assert found == replace(narrow, equity_im=360 * W * 85 // 100)
    assert compute_withdrawable(state, seen, ACCOUNT, WETH) == 2 * 10**18


def test_a_gain_within_the_spread_is_none() -> None:
    """MRG-13: an unrealised gain does not count, and a loss at the bid does though the mid shows a gain."""
    state = both(10_000)
    seen = surroundings(wide(BTC_PRICE + 10 * W, 50 * W))
    assert compute_health(state, state.accounts[ACCOUNT], seen).equity_im == (10_000 - 40) * W


def test_new_risk_is_checked_at_the_strict_side() -> None:
    """MRG-10, MRG-13, C4: 410 dollars carry 1 BTC; with a spread of a dollar they are a dollar short."""
    state = both(410)
    cap = SetLeverageCap(ACCOUNT, BTC, 0)
    assert outcome_of(state, surroundings(wide(BTC_PRICE, 0), sender=BORROWER), cap) == "ok"
    assert refused(state, surroundings(wide(BTC_PRICE, W), sender=BORROWER), cap) == "margin/initial"
    assert refused(both(411), surroundings(wide(BTC_PRICE, W + 1), sender=BORROWER), cap) == "margin/initial"
    assert outcome_of(both(411), surroundings(wide(BTC_PRICE, W), sender=BORROWER), cap) == "ok"


def test_what_may_leave_is_measured_at_the_strict_side() -> None:
    """VIEW-3, MRG-13: a unit more of WETH is refused."""
    state = both(400, weth=10**18)
    seen = Env(NOW, BORROWER, (wide(BTC_PRICE, 0), wide(ETH_PRICE, 50 * W)))
    most = compute_withdrawable(state, seen, ACCOUNT, WETH)
    assert 0 < most < 10**18
    assert outcome_of(state, seen, Withdraw(ACCOUNT, WETH, most)) == "ok"
    assert refused(state, seen, Withdraw(ACCOUNT, WETH, most + 1)) == "margin/initial"


def test_fills_are_at_the_mid() -> None:
    """FIL-5, POL-3: whatever the spread."""
    seen = surroundings(wide(BTC_PRICE, 500 * W), sender=BORROWER)
    for state, delta in ((both(10**5), LOT), (both(10**5), -LOT)):
        outcome = run(state, seen, Trade(ACCOUNT, BTC, delta, ANY_PRICE if delta > 0 else 0))
        assert event_of(outcome, PositionUpdated).price == BTC_PRICE
