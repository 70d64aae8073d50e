"""No sequence of fills at one price gains anything, and parts cost what the whole costs."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from protocol.draft import Draft
from protocol.fills import fill
from protocol.params import MarketParams
from protocol.units import BPS, W
from tests.protocol.build import ACCOUNT, BTC, MARKETS, env, holding, opened, state_with, with_risk
from tests.protocol.filling import MARKET, RATIOS, SCALES, trader
from tests.protocol.strategies import PRICES
from tests.protocol.trades import OTHER


@given(
    deltas=st.lists(st.integers(-(10**20), 10**20) | st.integers(-20, 20), min_size=1, max_size=8),
    ledger=st.integers(0, 10**21) | st.integers(0, 20),
    scale=SCALES,
    ratio=RATIOS,
    price=PRICES,
)
@example(deltas=[10, -20, 10], ledger=0, scale=1, ratio=BPS, price=W)
def test_no_round_trip_against_the_impact_ledger_profits(
    deltas: list[int], ledger: int, scale: int, ratio: int, price: int
) -> None:
    """FIL-2, FIL-7, T4, T5, X2: alone in a market, fees off, whatever the ledger holds: flat again is never richer."""
    params: MarketParams = replace(
        MARKET, skew_scale=scale, rebate_ratio=ratio, maker_fee=0, taker_fee=0, funding_cap=0
    )
    start = trader()
    state = replace(
        start,
        market_params=(params, *MARKETS[1:]),
        markets=(replace(start.markets[BTC], impact=ledger), *start.markets[1:]),
        risk=with_risk(lock_ratio=0),
    )
    draft = Draft(state)
    account = draft.account(ACCOUNT)
    held = 0
    for delta in [*deltas, -sum(deltas)]:
        for part in (-held, held + delta) if held * (held + delta) < 0 else (delta,):
            if part:
                fill(draft, account, BTC, part, price, env())
                assert draft.market(BTC).impact >= 0
        held += delta
    assert account.positions == {}
    assert account.cash <= 100_000 * W
    before = 100_000 * W + 10**6 * W + 10**4 * W + (ledger if draft.events else 0)
    if draft.events:
        assert draft.market(BTC).impact == 0
        assert account.cash + draft.pool + draft.insurance - draft.deficit == before, "C1"


@given(
    others=st.integers(-(10**20), 10**20),
    ledger=st.integers(0, 10**18) | st.just(10**24),
    parts=st.lists(st.integers(1, 10**20), min_size=2, max_size=5),
    short=st.booleans(),
    price=PRICES,
)
def test_a_fill_split_in_parts_costs_the_same_within_four_wei_a_part(
    others: int, ledger: int, parts: list[int], short: bool, price: int
) -> None:
    """FIL-2 to FIL-7, T4, X1: impact and rebate 1 wei each, fees 1 wei each, cost 1 wei; and never less than whole."""
    sign = -1 if short else 1
    accounts = {ACCOUNT: holding(10**30)}
    if others:
        accounts[OTHER] = holding(0, positions={BTC: opened(others, price)})
    start = state_with(accounts, pool=10**6 * W, risk=with_risk(lock_ratio=0))
    if others:
        start = replace(start, markets=(replace(start.markets[BTC], impact=ledger), *start.markets[1:]))

    def spent(sizes: list[int]) -> int:
        draft = Draft(start)
        account = draft.account(ACCOUNT)
        for size in sizes:
            fill(draft, account, BTC, sign * size, price, env())
        return 10**30 - account.cash + account.positions[BTC].cost

    more = spent(parts) - spent([sum(parts)])
    assert 0 <= more <= 5 * (len(parts) - 1) + 1
