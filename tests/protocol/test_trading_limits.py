"""The limits of a trade: smallest position, skew, open interest, number of positions, the pool's reserve, debt."""

from __future__ import annotations

import pytest

from protocol.margin import compute_notional
from protocol.params import MAX_POSITIONS
from protocol.units import W, fdiv
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    BTC_PRICE,
    MARKETS,
    WETH,
    env,
    holding,
    opened,
    outcome_of,
    refusal_of,
    refused,
    run,
    state_with,
    with_params,
    with_risk,
)
from tests.protocol.trades import (
    LOT,
    OTHER,
    buy,
    trader,
)

# --- TRD-7: the smallest position -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "size", "price", "code"),
    [
        (0, W, 1_000 * W, "ok"),
        (0, W, 1_000 * W - 1, "market/min-notional"),
        (0, W, 1_000 * W + 1, "ok"),
        (0, -W, 1_000 * W, "ok"),
        (0, -W, 1_000 * W - 1, "market/min-notional"),
        (2 * W, -W, 1_000 * W, "ok"),
        (2 * W, -W, 1_000 * W - 1, "market/min-notional"),
        (2 * W, -2 * W, 1_000 * W - 1, "ok"),
        (2 * W, -3 * W, 1_000 * W, "ok"),
        (2 * W, -3 * W, 1_000 * W - 1, "market/min-notional"),
        (2 * W, LOT, 500 * W - 1, "ok"),
        (2 * W, LOT, 499 * W, "market/min-notional"),
    ],
)
def test_no_trade_leaves_less_than_the_minimum_notional(before: int, size: int, price: int, code: str) -> None:
    """TRD-7, T3, L6: opened, grown, reduced or flipped, what is left is nothing or at least the minimum."""
    state = trader(before, price=1_000 * W)
    assert outcome_of(state, env(btc=price), buy(size)) == code
    if code != "ok":
        notional = compute_notional(before + size, price)
        assert refusal_of(state, env(btc=price), buy(size)).facts == {"notional": notional}


def test_a_fraction_of_a_wei_counts_up_to_the_minimum() -> None:
    """TRD-7, MRG-1: the notional is the one margins use, rounded up."""
    size = fdiv(1_000 * W * W, BTC_PRICE + 1)
    assert size * (BTC_PRICE + 1) % W != 0
    exact = compute_notional(size, BTC_PRICE + 1)
    for least, code in ((exact, "ok"), (exact + 1, "market/min-notional")):
        state = with_params(trader(), BTC, lot=1, min_notional=least)
        assert outcome_of(state, env(btc=BTC_PRICE + 1), buy(size)) == code


# --- TRD-8: the skew ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("others", "size", "code"),
    [
        # 5 % of 10,000 is reached in the middle of a fill of 1,000 from 0.
        (0, 1_000_000, "ok"),
        (0, 1_000_001, "market/premium"),
        (0, -1_000_000, "ok"),
        (0, -1_000_001, "market/premium"),
        (400_000, 200_000, "ok"),
        (400_000, 200_001, "market/premium"),
        (-400_000, -200_001, "market/premium"),
        (500_000, 1_000, "market/premium"),
        # Through zero the middle is what counts, once the skew is larger than before.
        (-400_000, 1_400_000, "ok"),
        (-400_000, 1_400_001, "ok"),
        (-400_000, 1_800_001, "market/premium"),
        # A fill that does not grow the skew is not asked, at any premium.
        (900_000, -200_000, "ok"),
        (900_000, -1_800_000, "ok"),
        (900_000, -1_800_001, "ok"),
        (-900_000, 1_800_000, "ok"),
    ],
)
def test_growing_the_skew_pays_at_most_the_maximum_premium(others: int, size: int, code: str) -> None:
    """TRD-8: the price in the middle of the fill, in lots; equality passes."""
    state = with_params(trader(cash=10**8 * W, others=others * LOT, lock_ratio=0), BTC, oi_cap=10**5 * W)
    assert outcome_of(state, env(), buy(size * LOT)) == code
    if code != "ok":
        assert refusal_of(state, env(), buy(size * LOT)).facts == {"skew": (others + size) * LOT}


@pytest.mark.parametrize(
    ("others", "size", "code"),
    [
        (0, 600_000, "ok"),
        (0, 600_001, "market/skew-cap"),
        (0, -600_001, "market/skew-cap"),
        (599_000, 1_000, "ok"),
        (599_000, 1_001, "market/skew-cap"),
        (-500_000, 1_100_000, "ok"),
        (-500_000, 1_100_001, "market/skew-cap"),
        (700_000, -1_000, "ok"),
        (700_000, -1_400_000, "ok"),
        (700_000, -1_400_001, "market/skew-cap"),
    ],
)
def test_the_skew_grows_at_most_to_its_cap(others: int, size: int, code: str) -> None:
    """TRD-8: in lots, both sides; a skew beyond the cap may shrink, and may change sides at the same size."""
    state = trader(cash=10**8 * W, others=others * LOT, lock_ratio=0)
    state = with_params(state, BTC, skew_cap=600 * W, max_premium=10_000)
    assert outcome_of(state, env(), buy(size * LOT)) == code
    if code != "ok":
        assert refusal_of(state, env(), buy(size * LOT)).facts == {"skew": (others + size) * LOT}


@pytest.mark.parametrize(("lots", "code"), [(1_400_000, "ok"), (1_400_001, "market/premium")])
@pytest.mark.parametrize("side", [1, -1])
def test_a_flip_is_measured_from_the_skew_its_close_leaves(side: int, lots: int, code: str) -> None:
    """TRD-8, B43: of 400 the other way, the part that opens starts at 0, and its middle is at most 500."""
    state = with_params(trader(side * 400 * W, cash=10**8 * W, lock_ratio=0), BTC, skew_cap=2_000 * W)
    assert outcome_of(state, env(), buy(-side * lots * LOT)) == code
    if code != "ok":
        assert refusal_of(state, env(), buy(-side * lots * LOT)).facts == {"skew": -side * 1_000_001 * LOT}


def test_a_reduction_may_grow_the_skew_without_limit() -> None:
    """TRD-7, TRD-8: closing against the other side is never held up by premium, skew or open interest."""
    state = with_params(trader(-2 * W, others=9 * W), BTC, max_premium=0, skew_cap=0, oi_cap=0, oi_cap_usd=0)
    run(state, env(), buy(2 * W))
    run(state, env(), buy(W))
    assert refused(state, env(), buy(-W)) == "market/oi-cap"
    assert refused(state, env(), buy(12 * W)) == "market/premium"


# --- TRD-9: open interest -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "others", "size", "code"),
    [
        (0, 0, 5_000, "ok"),
        (0, 0, 5_001, "market/oi-cap"),
        (0, 0, -5_000, "ok"),
        (0, 0, -5_001, "market/oi-cap"),
        (0, 4_000, 1_000, "ok"),
        (0, 4_000, 1_001, "market/oi-cap"),
        # The other side does not count.
        (0, -4_000, 5_000, "ok"),
        (0, -6_000, 5_000, "ok"),
        (0, -6_000, -1_000, "market/oi-cap"),
        # A flip is measured after the close: the side that grew.
        (2_000, 0, -7_000, "ok"),
        (2_000, 0, -7_001, "market/oi-cap"),
        (2_000, 6_000, -7_000, "ok"),
    ],
)
def test_a_sides_open_interest_grows_at_most_to_its_cap(before: int, others: int, size: int, code: str) -> None:
    """TRD-9, B43: in lots, in size and in dollars alike, to the lot and to the wei."""
    state = trader(before * LOT, cash=10**7 * W, others=others * LOT)
    for caps in ({"oi_cap": 5 * W}, {"oi_cap_usd": 40_000 * W}):
        capped = with_params(state, BTC, **caps)
        assert outcome_of(capped, env(), buy(size * LOT)) == code
        if code != "ok":
            side = 5_001 * LOT if others <= 0 and others != -6_000 else abs(others + size) * LOT
            assert refusal_of(capped, env(), buy(size * LOT)).facts == {"open_interest": side}
    if code == "ok" and size == 5_000 and not others:
        assert refused(with_params(state, BTC, oi_cap_usd=40_000 * W - 1), env(), buy(size * LOT)) == "market/oi-cap"


def test_a_price_that_rises_beyond_the_dollar_cap_stops_growth_and_no_close() -> None:
    """TRD-9: the cap is measured at the price of the trade, rounded up."""
    state = with_params(trader(4 * W), BTC, oi_cap_usd=40_000 * W)
    run(state, env(btc=8_000 * W), buy(W))
    assert refused(state, env(btc=8_000 * W + 1), buy(W)) == "market/oi-cap"
    run(state, env(btc=12_000 * W), buy(-W))


# --- TRD-10: positions and the pool's reserve -----------------------------------------------------------------------


def test_an_account_holds_positions_in_at_most_sixteen_markets() -> None:
    """TRD-10: the seventeenth is refused; the ones there are may grow, and one closed makes room."""
    markets = (MARKETS[BTC],) * (MAX_POSITIONS + 1)
    full = {market: opened(W, BTC_PRICE) for market in range(MAX_POSITIONS)}
    state = state_with({ACCOUNT: holding(10**6 * W, positions=full)}, pool=10**7 * W, markets=markets)
    last = MAX_POSITIONS
    refusal = refusal_of(state, env(), buy(W, last))
    assert (refusal.code, refusal.facts) == ("account/positions", {})
    run(state, env(), buy(W, last - 1))
    run(state, env(), buy(-2 * W, last - 1))
    room = run(state, env(), buy(-W, 3)).state
    run(room, env(), buy(W, last))


@pytest.mark.parametrize("wei", [-1, 0, 1])
@pytest.mark.parametrize("side", [1, -1])
def test_the_pool_must_keep_what_growth_reserves(wei: int, side: int) -> None:
    """TRD-10, P3: 1 BTC reserves 1,600; the pool is counted after fees, equality suffices."""
    fee = 3_600 * W // 1_000
    state = state_with({ACCOUNT: holding(10**5 * W)}, pool=1_600 * W - fee + wei)
    assert outcome_of(state, env(), buy(side * W)) == ("ok" if wei >= 0 else "pool/reserved")
    if wei < 0:
        refusal = refusal_of(state, env(), buy(side * W))
        assert refusal.facts == {"pool": 1_600 * W - 1, "reserved": 1_600 * W}


def test_what_the_pool_lent_to_traders_is_not_there_to_reserve() -> None:
    """TRD-10, P3: the debts of all accounts, this one's after its fees included."""
    fee = 3_600 * W // 1_000
    accounts = {ACCOUNT: holding(4_400 * W // 1_000, {WETH: 10 * 10**18}), OTHER: holding(-100 * W, {WETH: 10**18})}
    for pool, code in ((1_700 * W - fee - 1, "pool/reserved"), (1_700 * W - fee, "ok")):
        assert outcome_of(state_with(accounts, pool=pool), env(), buy(W)) == code
    accounts[ACCOUNT] = holding(0, {WETH: 10 * 10**18})
    owed = 4_400 * W // 1_000
    for pool, code in ((1_700 * W - fee + owed - 1, "pool/reserved"), (1_700 * W - fee + owed, "ok")):
        assert outcome_of(state_with(accounts, pool=pool), env(), buy(W)) == code


def test_growth_of_the_smaller_side_needs_no_more_pool() -> None:
    """TRD-10, P3: up to the larger side nothing is asked; beyond it the pool is, also where a fallen price helps."""
    poor = state_with(dict(trader(others=3 * W).accounts))
    assert poor.ledger.reserved == 4_800 * W
    run(poor, env(), buy(-3 * W))
    assert refused(poor, env(), buy(-4 * W)) == "pool/reserved"
    assert refused(poor, env(), buy(LOT)) == "market/min-notional"
    assert refused(poor, env(), buy(W)) == "pool/reserved"
    # 4 BTC at 6,000 reserve what 3 did at 8,000, which is as much too much.
    assert refused(poor, env(btc=6_000 * W), buy(W)) == "pool/reserved"


def test_a_reduction_needs_no_pool_at_all() -> None:
    """TRD-10, B9: whatever is reserved and missing, a position may shrink; its reserve falls with it."""
    state = state_with({ACCOUNT: holding(W, positions={BTC: opened(2 * W, BTC_PRICE)})})
    assert (state.ledger.pool, state.ledger.reserved) == (0, 3_200 * W)
    after = run(state, env(btc=9_000 * W), buy(-W)).state
    assert after.ledger.reserved == after.markets[BTC].reserved == 1_800 * W


# --- TRD-11: debt ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("debt", "cap", "code"),
    [
        (4_400, 4_400, "ok"),
        (4_400, 4_401, "ok"),
        (4_401, 4_400, "margin/debt-cap"),
        (5_000, 4_400, "margin/debt-cap"),
        (0, 0, "ok"),
        (1, 0, "margin/debt-cap"),
    ],
)
def test_an_account_beyond_its_debt_cap_may_not_grow(debt: int, cap: int, code: str) -> None:
    """TRD-11: the balance after impact and fee decides, in thousandths of a dollar; reductions are not asked."""
    # The second BTC costs 4 of fee and 1.20 of impact.
    account = holding((5_200 - debt) * W // 1_000, {WETH: 100 * 10**18}, {BTC: opened(W, BTC_PRICE)})
    state = state_with({ACCOUNT: account}, pool=10**6 * W, risk=with_risk(debt_cap=cap * W // 1_000))
    assert outcome_of(state, env(), buy(W)) == code
    if code != "ok":
        assert refusal_of(state, env(), buy(W)).facts == {"debt": debt * W // 1_000}
    assert outcome_of(state, env(), buy(-W)) == "ok"
