"""Funding in trades, and properties of whole trades."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from protocol.actions import SetMarket
from protocol.events import (
    LedgerUpdated,
    PositionUpdated,
)
from protocol.margin import compute_pnl
from protocol.state import State, account_id
from protocol.units import YEAR, W, fdiv
from tests.protocol.build import (
    ACCOUNT,
    ADMIN,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    KEEPER,
    MARKETS,
    NOW,
    cash_of,
    env,
    event_of,
    holding,
    ledger_sum,
    moving,
    opened,
    outcome_of,
    position_of,
    run,
    state_with,
    with_market,
    with_risk,
)
from tests.protocol.trades import (
    LOT,
    OTHER,
    buy,
    trader,
)

# --- funding in trades ----------------------------------------------------------------------------------------------


def test_a_position_opened_and_closed_in_one_block_pays_no_funding() -> None:
    """FUN-5, F5: whatever the rate is."""
    state = moving(trader(others=400 * W), daily=10**16, funding_index=12_345, accrued_at=NOW - 77)
    surroundings = env(now=NOW + 9)
    there = run(state, surroundings, buy(W))
    back = run(there.state, surroundings, buy(-W))
    assert event_of(there, PositionUpdated).funding == event_of(back, PositionUpdated).funding == 0
    assert back.state.accounts[ACCOUNT].positions == {}


def test_a_position_untouched_for_a_year_settles_in_one_step() -> None:
    """FUN-1, FUN-5, F5: at the cap of 3 % a day from the eighth hour on: a year of it less a sixth of a day."""
    start = moving(trader(900 * W, cash=10**9 * W), daily=0, velocity=9 * W // 100)
    outcome = run(start, env(now=NOW + YEAR), buy(-900 * W))
    day = 240 * W * 900
    assert event_of(outcome, PositionUpdated).funding == 365 * day - day // 6


def test_no_order_of_actions_in_a_block_changes_who_pays_for_the_past() -> None:
    """FUN-2, F3: two owners who close in the same second pay the same funding, whoever comes first."""
    accounts = {
        ACCOUNT: holding(10**6 * W, positions={BTC: opened(300 * W, BTC_PRICE)}),
        OTHER: holding(10**6 * W, positions={BTC: opened(-100 * W, BTC_PRICE)}),
    }
    state = moving(state_with(accounts, pool=10**7 * W), daily=10**15, velocity=10**15)
    later = NOW + 5_000
    paid = []
    for order in ((ACCOUNT, OTHER), (OTHER, ACCOUNT)):
        after, found = state, {}
        for account in order:
            size = -accounts[account].positions[BTC].size
            outcome = run(after, env(account >> 96, now=later), buy(size, account=account))
            after, found[account] = outcome.state, event_of(outcome, PositionUpdated).funding
        paid.append(found)
    assert paid[0] == paid[1]
    assert paid[0][ACCOUNT] == -3 * paid[0][OTHER] > 0


@given(st.lists(st.integers(1, 20_000), min_size=1, max_size=6), st.integers(-900, 900))
def test_settling_often_costs_the_same_as_once_but_for_the_index_of_each(gaps: list[int], skew: int) -> None:
    """FUN-1, FUN-2, F2, X3: an update of the market each time; less than a wei of index for each, never for the payer.

    A long that pays can save that wei a base unit at each update, as its index is rounded down.
    """
    accounts = {ACCOUNT: holding(10**7 * W, positions={BTC: opened((skew or 1) * W, BTC_PRICE)})}
    steering = {"funding_velocity": 10**15 + 7, "funding_limit": 10**20 + 3}
    state = with_market(state_with(accounts, pool=10**9 * W), BTC, funding_rate=12_345_678_901_234_567, **steering)
    often, now = state, NOW
    for gap in gaps:
        now += gap
        often = run(often, env(ADMIN, now=now), SetMarket(BTC, state.market_params[BTC])).state
        # The steering that comes with an update changes what follows; put it back, so that only time differs.
        often = with_market(often, BTC, **steering)
    once = run(state, env(now=now), buy(-(skew or 1) * W))
    parts = run(often, env(now=now), buy(-(skew or 1) * W))
    apart = event_of(once, PositionUpdated).funding - event_of(parts, PositionUpdated).funding
    assert 0 <= apart * (1 if skew >= 0 else -1) <= abs(skew or 1) * len(gaps)


# --- properties of whole trades -------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(1, 10**4), min_size=2, max_size=5),
    st.integers(W, 10**6 * W),
    st.booleans(),
    st.integers(-(10**4), 10**4),
)
def test_splitting_an_order_is_never_cheaper(lots: list[int], price: int, short: bool, others: int) -> None:
    """TRD-6, T4, X1, N5: the parts of an order cost at least as much as the whole, and at most 5 wei each more."""
    market = replace(MARKETS[BTC], min_notional=1, max_premium=10_000, skew_cap=10**5 * W)
    sign = -1 if short else 1
    accounts = {ACCOUNT: holding(10**33)}
    if others:
        accounts[OTHER] = holding(0, positions={BTC: opened(others * LOT, price)})
    start = state_with(accounts, pool=10**9 * W, markets=(market, MARKETS[ETH]), risk=with_risk(lock_ratio=0))
    surroundings = env(btc=price)
    whole = run(start, surroundings, buy(sign * sum(lots) * LOT)).state
    parts = start
    for count in lots:
        parts = run(parts, surroundings, buy(sign * count * LOT)).state
    assert position_of(parts).size == position_of(whole).size
    gap = cash_of(whole) - position_of(whole).cost - cash_of(parts) + position_of(parts).cost
    assert 0 <= gap <= 5 * len(lots)


@given(
    trades=st.lists(st.tuples(st.booleans(), st.integers(-300, 300)), min_size=1, max_size=8),
    impact=st.integers(0, 10**19),
    price=st.integers(1, 10**5),
    others=st.integers(-500, 500),
)
def test_no_round_trip_by_one_owner_profits(
    trades: list[tuple[bool, int]], impact: int, price: int, others: int
) -> None:
    """TRD-6, T5, X2: any trades of two accounts of one owner at one price, fees off, back to flat: never richer.

    What others have paid into the impact ledger is theirs who shrink their skew; a round trip gets nothing of it.
    """
    free = replace(MARKETS[BTC], min_notional=1, maker_fee=0, taker_fee=0, max_premium=10_000)
    accounts = {ACCOUNT: holding(10**30), ACCOUNT + 1: holding(10**30)}
    accounts[OTHER] = holding(10**30, positions={BTC: opened((others or 1) * LOT, price * W)})
    state = state_with(
        accounts, pool=10**25, markets=(free, MARKETS[ETH]), risk=with_risk(lock_ratio=0), impact={BTC: impact}
    )
    held = {ACCOUNT: 0, ACCOUNT + 1: 0}
    surroundings = env(btc=price * W)
    closing = [(False, None), (True, None)]
    for second, lots in [*trades, *closing]:
        account = ACCOUNT + second
        size = -held[account] if lots is None else lots * LOT
        if size:
            state = run(state, surroundings, buy(size, account=account)).state
            held[account] += size
            assert state.markets[BTC].impact >= 0
    assert cash_of(state, ACCOUNT) + cash_of(state, ACCOUNT + 1) <= 2 * 10**30


@given(size=st.integers(1, 200), others=st.integers(-400, 400), impact=st.integers(0, 10**20), short=st.booleans())
def test_there_and_back_costs_fees_and_the_part_of_the_impact_not_given_back(
    size: int, others: int, impact: int, short: bool
) -> None:
    """TRD-6, X2: against doing nothing: at least both fees, and with a full ledger a tenth of what was charged."""
    sign = -1 if short else 1
    state = trader(cash=10**8 * W, others=(others or 1) * W, impact=impact, lock_ratio=0)
    there = run(state, env(), buy(sign * size * W))
    back = run(there.state, env(), buy(-sign * size * W))
    fees = event_of(there, PositionUpdated).fee + event_of(back, PositionUpdated).fee
    spent = 10**8 * W - cash_of(back.state)
    assert spent >= fees
    impacts = event_of(there, PositionUpdated).impact + event_of(back, PositionUpdated).impact
    assert spent == fees + impacts
    # The ledger keeps its share of what there was; the pool has what the rebate has not taken of the rest.
    assert 0 <= back.state.markets[BTC].impact <= impact + impacts

    def dollars(held: State) -> int:
        return held.markets[BTC].impact + held.ledger.pool + held.ledger.insurance

    assert dollars(back.state) == dollars(state) + spent
    assert back.state.markets[BTC].skew == (others or 1) * W


@given(
    size=st.integers(-200, 200).filter(bool),
    others=st.integers(-400, 400).filter(bool),
    move=st.integers(-500, 500),
    hours=st.integers(0, 100),
)
def test_mirrored_markets_mirror_their_trades(size: int, others: int, move: int, hours: int) -> None:
    """T8, X6: long and short with mirrored skew and prices: profit, impact and funding within a wei or two."""

    def played(sign: int) -> list[int]:
        state = trader(cash=10**8 * W, others=sign * others * W, impact=10**3 * W, lock_ratio=0)
        there = run(state, env(), buy(sign * size * W))
        # A fee and a funding are shares of the price, so only the profit is mirrored by the price.
        held = run(there.state, env(now=NOW + hours * 3_600), buy(-sign * size * W))
        moved = run(there.state, env(btc=BTC_PRICE + sign * move * W), buy(-sign * size * W))
        first, second = event_of(there, PositionUpdated), event_of(held, PositionUpdated)
        return [
            first.impact,
            first.fee,
            second.impact,
            second.fee,
            second.funding,
            event_of(moved, PositionUpdated).pnl,
        ]

    for up, down in zip(played(1), played(-1), strict=True):
        assert abs(up - down) <= 2


def test_idle_accounts_and_markets_change_nothing() -> None:
    """X4, X7: the same trade beside other owners, positions in another market, and more markets: the same numbers."""
    alone = run(trader(W), env(), buy(W))
    crowd = {account_id(owner): holding(10**5 * W, positions={ETH: opened(10 * W, ETH_PRICE)}) for owner in (1, 9**9)}
    crowd[ACCOUNT] = trader(W).accounts[ACCOUNT]
    busy = state_with(crowd, pool=10**7 * W, insurance=10**4 * W, markets=(*MARKETS, *MARKETS))
    beside = run(busy, env(), buy(W))
    assert alone.events[:-1] == beside.events[:-1]
    first, second = event_of(alone, LedgerUpdated), event_of(beside, LedgerUpdated)
    # The pool keeps a fifth of the 4,000 dollars of ETH besides.
    assert second == replace(first, reserved=first.reserved + 800 * W)


@given(trades=st.lists(st.tuples(st.booleans(), st.integers(-300, 300), st.integers(1, 10**5)), min_size=1, max_size=8))
def test_trades_move_money_and_create_none(trades: list[tuple[bool, int, int]]) -> None:
    """TRD-6, C1, C4, C8: over any trades of two accounts the sum of all ledgers stays, and pool and traders mirror."""
    markets = (replace(MARKETS[BTC], min_notional=1), MARKETS[ETH])
    state = state_with({ACCOUNT: holding(10**30), KEEPER: holding(10**30)}, pool=10**25, markets=markets)
    total = ledger_sum(state)
    for second, lots, dollars in trades:
        account = KEEPER if second else ACCOUNT
        surroundings = env(sender=account >> 96, btc=dollars * W)
        if outcome_of(state, surroundings, buy(lots * LOT, account=account)) == "ok":
            state = run(state, surroundings, buy(lots * LOT, account=account)).state
        assert ledger_sum(state) == total
        profit = sum(compute_pnl(a.positions[BTC], dollars * W) for a in state.accounts.values() if BTC in a.positions)
        totals = state.markets[BTC]
        pool_side = totals.cost - fdiv(totals.skew * dollars * W, W)
        assert 0 <= -(profit + pool_side) <= 1
