"""What a fill books in account, market, pool and insurance, a liquidation's fill among them: FIL-5 to FIL-9."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.draft import Draft, DraftMarket
from protocol.errors import OutOfDomain
from protocol.events import MarketUpdated, PositionUpdated
from protocol.fills import Fill, compute_reserved, fill, fill_liquidation, settle_fill
from protocol.state import EMPTY_MARKET, Market
from protocol.units import DAY, UNSIGNED_LIMIT, W
from tests.protocol.build import ACCOUNT, BTC, BTC_PRICE, MARKETS, NOW, env, holding, opened, state_with, with_risk
from tests.protocol.filling import MARKET, at, trader
from tests.protocol.trades import OTHER

# --- FIL-5 to FIL-7: one fill, booked -------------------------------------------------------------------------------


def test_a_fill_moves_every_ledger_it_touches() -> None:
    """FIL-5, FIL-7, C4, C8, B13: half of 2 BTC sold at 8,500 after a day at 3 %: worked by hand, with its events."""
    cap = MARKET.funding_cap * DAY
    draft = Draft(trader(2 * W, cash=1_000 * W, impact=3 * W, funding_rate=cap, accrued_at=NOW - DAY))
    account = draft.account(ACCOUNT)
    filled = fill(draft, account, BTC, -W, 8_500 * W, env())
    index = 255 * W  # 3 % of 8,500 for each BTC
    funding, pnl = 510 * W, 500 * W
    # From a skew of 2 to 1: three halves of 8,500 / 10,000, less a tenth. Maker's fee of 0.02 %.
    rebate = 3 * 8_500 * W * 9 // (2 * 10_000 * 10)
    fee = 1_700 * W // 1_000
    released = 9 * W // 4  # three quarters of 3 dollars
    assert filled == Fill(-rebate, fee)
    assert account.positions == {BTC: at(W, 8_000 * W, index)}
    assert account.cash == 1_000 * W - funding + pnl + rebate - fee
    assert draft.pool == 10**6 * W + funding - pnl + fee - fee // 10 + released - rebate
    assert draft.insurance == 10**4 * W + fee // 10
    totals = draft.market(BTC)
    assert isinstance(totals, DraftMarket)
    reserved = 8_500 * W // 5
    assert draft.reserved == reserved
    # A skew of 1 BTC lies in the dead band, so the rate begins to decay.
    decay = -MARKET.funding_decay
    expected = Market(W, 0, 8_000 * W, 3 * W - released, reserved, index, cap, decay, 0, NOW, W * index)
    assert totals.freeze() == expected
    assert draft.events == [
        PositionUpdated(ACCOUNT, BTC, W, 8_000 * W, index, -W, 8_500 * W, pnl, funding, -rebate, fee),
        MarketUpdated(BTC, W, 0, 8_000 * W, 3 * W - released, reserved, index, cap, decay, 0, NOW, W * index),
    ]


def test_a_closed_position_reports_no_index_and_leaves_none() -> None:
    """FIL-7: size, cost and index 0, and the market's index cost is what the others' positions have."""
    draft = Draft(trader(2 * W, funding_index=7 * W, index_cost=0))
    account = draft.account(ACCOUNT)
    fill(draft, account, BTC, -2 * W, BTC_PRICE, env())
    closed = draft.events[0]
    assert isinstance(closed, PositionUpdated)
    assert (closed.size, closed.cost, closed.entry_index, closed.funding) == (0, 0, 0, 14 * W)
    assert account.positions == {}
    assert draft.market(BTC).index_cost == 0


def test_funding_is_accrued_at_the_old_skew_and_steered_by_the_new_one() -> None:
    """FIL-7, F3, B11: what passed before the fill is paid by those who were there; the fill only changes what comes."""
    speed = MARKET.funding_velocity
    state = trader(200 * W, funding_velocity=speed // 50, funding_limit=MARKET.funding_cap * DAY, accrued_at=NOW - DAY)
    draft = Draft(state)
    account = draft.account(ACCOUNT)
    fill(draft, account, BTC, 100 * W, BTC_PRICE, env())
    totals = draft.market(BTC)
    # A day from 0 at 0.18 % a day per day: 0.09 % of 8,000.
    assert totals.funding_index == 7_200 * W // 1_000
    assert totals.funding_rate == speed // 50 * DAY
    assert (totals.funding_velocity, totals.funding_limit) == (3 * speed // 100, MARKET.funding_cap * DAY)
    opened_event = draft.events[0]
    assert isinstance(opened_event, PositionUpdated)
    assert opened_event.funding == 200 * 7_200 * W // 1_000, "the 200 that were there"


@pytest.mark.parametrize(
    ("ledger", "paid"),
    [(1_436, 1_077), (1_440, 1_080), (1_444, 1_080), (0, 0), (10**9, 1_080)],
)
def test_a_rebate_never_exceeds_its_share_of_what_the_market_collected(ledger: int, paid: int) -> None:
    """FIL-7, FIL-9, C7: from a skew of 2 to 1 the rebate is 1.08 dollars, three quarters of 1.44; in thousandths."""
    draft = Draft(trader(2 * W, impact=ledger * W // 1_000))
    account = draft.account(ACCOUNT)
    assert fill(draft, account, BTC, -W, BTC_PRICE, env()).impact == -paid * W // 1_000
    assert draft.market(BTC).impact == ledger * W // 4_000, "a quarter of the potential is left"


def test_a_rebate_cannot_come_from_the_charge_of_the_same_fill() -> None:
    """FIL-7: through zero skew the rebate is bounded by the ledger as it was before."""
    draft = Draft(trader(W, impact=W // 10))
    account = draft.account(ACCOUNT)
    impact = settle_fill(draft, account, BTC, -W, BTC_PRICE, env(), 10 * W, 5 * W, 0)
    assert impact == 10 * W - W // 10


def test_what_a_rebate_does_not_take_goes_to_the_pool() -> None:
    """FIL-7, FIL-9, C6: of what is released; all of it at a skew of zero, and a deficit is repaid first."""
    draft = Draft(trader(2 * W, impact=5 * W))
    account = draft.account(ACCOUNT)
    fill(draft, account, BTC, -2 * W, BTC_PRICE, env())
    rebate, fee = 1_440 * W // 1_000, 3_200 * W // 1_000
    assert draft.market(BTC).impact == 0
    assert draft.market(BTC).reserved == draft.reserved == 0
    assert draft.pool == 10**6 * W + 5 * W - rebate + fee - fee // 10
    # A fill that grows the skew releases nothing.
    both = {ACCOUNT: holding(10**5 * W, positions={BTC: opened(2 * W, BTC_PRICE)})}
    both[OTHER] = holding(10**5 * W, positions={BTC: opened(-2 * W, BTC_PRICE)})
    draft = Draft(state_with(both, pool=10**6 * W))
    fill(draft, draft.account(ACCOUNT), BTC, -2 * W, BTC_PRICE, env())
    assert draft.market(BTC).impact == 1_600 * W // 1_000
    # An even market keeps as little as an empty one.
    both[OTHER] = holding(10**5 * W, positions={BTC: opened(-W, BTC_PRICE)})
    draft = Draft(state_with(both, pool=10**6 * W, impact={BTC: 5 * W}))
    fill(draft, draft.account(ACCOUNT), BTC, -W, BTC_PRICE, env())
    assert draft.market(BTC).skew == draft.market(BTC).impact == 0
    fee = 1_600 * W // 1_000
    assert draft.pool == 10**6 * W + 5 * W - 360 * W // 1_000 + fee - fee // 10
    rebate, fee = 1_440 * W // 1_000, 3_200 * W // 1_000
    # A debt to traders comes before the pool.
    owing = trader(2 * W, impact=5 * W)
    draft = Draft(replace(owing, ledger=replace(owing.ledger, pool=0, deficit=100 * W)))
    fill(draft, draft.account(ACCOUNT), BTC, -2 * W, BTC_PRICE, env())
    assert (draft.pool, draft.deficit) == (0, 100 * W - (5 * W - rebate) - (fee - fee // 10))


@pytest.mark.parametrize(
    ("pnl_price", "pool", "deficit"), [(8_000, 100 * W, 0), (8_100, 0, 0), (8_101, 0, W), (9_000, 0, 900 * W)]
)
def test_a_profit_beyond_the_pool_is_booked_in_full(pnl_price: int, pool: int, deficit: int) -> None:
    """FIL-7, LED-2, B9: a close is never refused because the pool is empty; the rest is deficit."""
    start = trader(W, cash=0)
    params = replace(MARKET, maker_fee=0, rebate_ratio=0)
    state = replace(start, ledger=replace(start.ledger, pool=100 * W), market_params=(params, *start.market_params[1:]))
    draft = Draft(state)
    account = draft.account(ACCOUNT)
    fill(draft, account, BTC, -W, pnl_price * W, env())
    assert account.cash == (pnl_price - 8_000) * W
    assert (draft.pool, draft.deficit) == (pool, deficit)


def test_funding_goes_both_ways_between_account_and_pool() -> None:
    """FIL-7, F1: what a long owes is pool income, what a short is owed the pool pays, to the wei."""
    free = replace(MARKET, maker_fee=0, taker_fee=0)
    for side, funding in ((1, 7 * W), (-1, -7 * W)):
        draft = Draft(replace(trader(side * W, funding_index=7 * W), market_params=(free, *MARKETS[1:])))
        account = draft.account(ACCOUNT)
        fill(draft, account, BTC, -side * W, BTC_PRICE, env())
        assert account.cash == 100_000 * W - funding
        assert draft.pool == 10**6 * W + funding


def test_market_totals_that_do_not_fit_are_a_domain_error() -> None:
    """UNIT-3, T9: open interest holds 128 bits even when each position holds 96."""
    for room, fits in ((W, False), (W + 1, True)):
        state = trader(long_oi=UNSIGNED_LIMIT - room, short_oi=UNSIGNED_LIMIT - room)
        draft = Draft(replace(state, risk=with_risk(lock_ratio=0)))
        if fits:
            fill(draft, draft.account(ACCOUNT), BTC, W, BTC_PRICE, env())
        else:
            with pytest.raises(OutOfDomain) as refusal:
                fill(draft, draft.account(ACCOUNT), BTC, W, BTC_PRICE, env())
            assert refusal.value.facts == {"value": UNSIGNED_LIMIT}


def test_what_a_market_reserves_fits_its_word() -> None:
    """FIL-8, UNIT-3, T9: 96 bits of dollars; one wei beyond is a domain error, not a smaller reserve."""
    limit = 2**96
    free = replace(MARKET, maker_fee=0, taker_fee=0, skew_scale=2**90)
    state = trader(cash=2**100)
    state = replace(state, market_params=(free, *MARKETS[1:]), risk=with_risk(lock_ratio=10_000))
    size = 10**9 * W
    largest = (limit - 1) // 10**9
    draft = Draft(state)
    fill(draft, draft.account(ACCOUNT), BTC, size, largest, env())
    assert draft.market(BTC).reserved == largest * 10**9 < limit
    draft = Draft(state)
    with pytest.raises(OutOfDomain):
        fill(draft, draft.account(ACCOUNT), BTC, size, largest + 1, env())


# --- FIL-6: a liquidation's fill ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "others", "notional", "impact"),
    [
        # A short of 100 BTC with others long: buying it back grows the skew from 100 to 200: 12,000 dollars.
        (-100, 200, 800_000 * W, 4_000 * W),
        (-100, 200, 2_400_000 * W - 200, 12_000 * W - 1),
        (-100, 200, 2_400_000 * W - 1, 12_000 * W - 1),
        (-100, 200, 2_400_000 * W, 12_000 * W),
        (-100, 200, 2_400_000 * W + 200, 12_000 * W),
        (-100, 200, 0, 0),
        # A close that shrinks the skew has its rebate.
        (100, 0, 800_000 * W, -3_600 * W),
    ],
)
def test_a_liquidation_pays_no_fee_and_bounded_impact(size: int, others: int, notional: int, impact: int) -> None:
    """FIL-6: at most half a per cent of the notional closed, rounded down; the rebate is not bounded by it."""
    accounts = {ACCOUNT: holding(0, positions={BTC: opened(size * W, BTC_PRICE)})}
    if others:
        accounts[OTHER] = holding(0, positions={BTC: opened(others * W, BTC_PRICE)})
    state = state_with(accounts, pool=10**6 * W, insurance=10**4 * W)
    state = replace(state, markets=(replace(state.markets[BTC], impact=10**5 * W), *state.markets[1:]))
    draft = Draft(state)
    account = draft.account(ACCOUNT)
    fill_liquidation(draft, account, BTC, -size * W, BTC_PRICE, env(), notional)
    event = draft.events[0]
    assert isinstance(event, PositionUpdated)
    assert (event.fee, event.impact) == (0, impact)
    assert account.cash == -impact
    assert draft.insurance == 10**4 * W


# --- FIL-8: what the pool must keep ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("long_oi", "short_oi", "price", "ratio", "reserved"),
    [
        (W, 0, 8_000 * W, 2_000, 1_600 * W),
        (0, W, 8_000 * W, 2_000, 1_600 * W),
        (3 * W, 2 * W, 8_000 * W, 2_000, 4_800 * W),
        (2 * W, 3 * W, 8_000 * W, 2_000, 4_800 * W),
        (W, 0, 8_000 * W, 0, 0),
        (W, 0, 8_000 * W, 10_000, 8_000 * W),
        (0, 0, 8_000 * W, 10_000, 0),
        # Rounded up.
        (1, 0, 1, 1, 1),
        (1, 0, 5 * W, 2_000, 1),
        (1, 0, 5 * W + 1, 2_000, 2),
    ],
)
def test_the_pool_keeps_a_share_of_the_larger_side(
    long_oi: int, short_oi: int, price: int, ratio: int, reserved: int
) -> None:
    """FIL-8: at the given price, rounded up in favour of the traders' claims."""
    assert compute_reserved(replace(EMPTY_MARKET, long_oi=long_oi, short_oi=short_oi), price, ratio) == reserved


def test_a_fill_renews_the_reserve_of_its_market_alone() -> None:
    """FIL-8, P6: the new price counts for the whole market, and the total moves by the difference."""
    state = trader(2 * W, reserved=5 * W)
    state = replace(state, ledger=replace(state.ledger, reserved=100 * W))
    draft = Draft(state)
    fill(draft, draft.account(ACCOUNT), BTC, -W, 9_000 * W, env())
    assert draft.market(BTC).reserved == 1_800 * W
    assert draft.reserved == 100 * W - 5 * W + 1_800 * W
