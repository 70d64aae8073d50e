"""What the pool is worth to whoever comes and to whoever leaves, and what does not change it: LPD-1, LPR-1."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.actions import FundInsurance, Trade
from protocol.collateral import compute_haircut_values
from protocol.env import Status
from protocol.funding import compute_owed, project_funding
from protocol.margin import compute_pnl
from protocol.pool import PoolValue, compute_pool_value
from protocol.records import Table
from protocol.state import Account, Position, State
from protocol.units import DAY, W
from tests.protocol.build import (
    ACCOUNT,
    BORROWER,
    BTC,
    BTC_PRICE,
    COLLATERAL,
    ETH,
    ETH_PRICE,
    KEEPER,
    NOW,
    STRANGER,
    WETH,
    env,
    holding,
    moving,
    opened,
    run,
    state_with,
    with_market,
)
from tests.protocol.pools import DOLLAR, pool_of

# --- LPD-1: value ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "pnl"),
    [(8_000 * W, 0), (8_001 * W, 1 * W), (7_999 * W, -1 * W), (8_000 * W + 1, 1), (8_000 * W - 1, -1)],
)
def test_traders_profit_is_the_sum_over_a_market(price: int, pnl: int) -> None:
    """LPD-1, C4: from exact totals: two longs and a short, net one coin long."""
    state = state_with(
        {
            ACCOUNT: holding(0, positions={BTC: opened(3 * W, BTC_PRICE)}),
            KEEPER: holding(0, positions={BTC: opened(-2 * W, BTC_PRICE)}),
        }
    )
    value = compute_pool_value(state, env(btc=price))
    assert (value.traders_pnl, value.price_status) == (pnl, 0)


def test_traders_profit_is_summed_over_markets_and_rounded_down() -> None:
    """LPD-1: each market rounds by itself, to minus infinity."""
    positions = {BTC: Position(3, 0, 0), ETH: Position(-3, 0, 0)}
    state = state_with({ACCOUNT: holding(0, positions=positions)})
    assert compute_pool_value(state, env(btc=W // 2, eth=W // 2)).traders_pnl == 1 - 2


def test_pending_funding_is_part_of_traders_profit() -> None:
    """LPD-1, LPR-1, F1: what longs owe until now is the pool's already, in both values."""
    # 1 % a day of 8,000 for half a day, on a net coin: 40 dollars.
    accounts = {
        ACCOUNT: holding(0, positions={BTC: opened(3 * W, BTC_PRICE, index=10 * W)}),
        KEEPER: holding(0, positions={BTC: opened(-2 * W, BTC_PRICE, index=10 * W)}),
    }
    state = moving(state_with(accounts, pool=1_000 * W), BTC, funding_index=10 * W)
    later = env(now=NOW + DAY // 2)
    value = compute_pool_value(state, later)
    assert (value.deposit, value.redemption, value.traders_pnl) == (1_040 * W, 1_000 * W, -40 * W)
    ahead = compute_pool_value(state, env(btc=8_100 * W, now=NOW + DAY // 2))
    assert (ahead.deposit, ahead.redemption) == (1_000 * W, 1_000 * W - 100 * W + 40_500 * W // 1_000)
    owed = moving(state_with(accounts, pool=1_000 * W), BTC, daily=-W // 100, funding_index=10 * W)
    value = compute_pool_value(owed, later)
    assert (value.deposit, value.redemption) == (1_000 * W, 960 * W)


@given(
    sizes=st.lists(st.integers(-(10**20), 10**20).filter(bool), min_size=1, max_size=3),
    costs=st.lists(st.integers(-(10**24), 10**24), min_size=3, max_size=3),
    entries=st.lists(st.integers(-(10**20), 10**20), min_size=3, max_size=3),
    price=st.integers(1, 10**24),
    daily=st.integers(-W // 50, W // 50),
    later=st.integers(0, 10**6),
)
def test_the_total_is_the_sum_of_positions_but_for_fractions(
    sizes: list[int], costs: list[int], entries: list[int], price: int, daily: int, later: int
) -> None:
    """LPD-1, C4, F1: never below the sum of the positions' own profits, and above it by less than 2 wei each."""
    positions = [Position(size, cost, entry) for size, cost, entry in zip(sizes, costs, entries, strict=False)]
    state = state_with({ACCOUNT + i: holding(0, positions={BTC: p}) for i, p in enumerate(positions)})
    state = moving(state, BTC, daily=daily)
    surroundings = env(btc=price, now=NOW + later)
    total = compute_pool_value(state, surroundings).traders_pnl
    index, _ = project_funding(state.markets[BTC], price, NOW + later)
    own = sum(compute_pnl(position, price) - compute_owed(position, index) for position in positions)
    assert 0 <= total - own < 2 * len(positions)


def test_only_markets_with_positions_and_tokens_in_inventory_need_prices() -> None:
    """LPD-1: a market without open interest, even with the price of its feed missing, is not asked."""
    bad = int(Status.STALE_HARD)

    def status(state: State, btc: int = 0, eth: int = 0) -> int:
        return compute_pool_value(state, env(btc_status=btc, eth_status=eth)).price_status

    assert status(pool_of(W), btc=bad, eth=bad) == 0
    long = pool_of(W, btc=opened(W, BTC_PRICE))
    assert (status(long, btc=bad), status(long, eth=bad)) == (bad, 0)
    assert status(pool_of(W, btc=opened(-W, BTC_PRICE)), btc=bad) == bad
    # Long and short of one size have no skew, but the pool's reserve has; the status shows all the same.
    even = pool_of(W, btc=opened(W, BTC_PRICE), btc_other=opened(-W, BTC_PRICE))
    assert status(even, btc=bad) == bad
    assert status(pool_of(W, weth=1), eth=bad) == bad
    assert status(pool_of(W, weth=1), btc=bad) == 0
    both = pool_of(W, btc=opened(W, BTC_PRICE), weth=1)
    assert status(both, btc=bad, eth=int(Status.UNAVAILABLE)) == bad | Status.UNAVAILABLE


@pytest.mark.parametrize(
    ("pool", "price", "weth", "deposit"),
    [
        (1_000, 8_000, 0, 1_000),
        (1_000, 8_100, 0, 1_000),  # the traders' gain does not count for a deposit
        (1_000, 7_900, 0, 1_100),  # their loss does
        (1_000, 7_900, 2, 1_500),
        (0, 8_100, 0, 0),
        (0, 7_999, 0, 1),
    ],
)
def test_a_deposit_is_priced_against_the_depositor(pool: int, price: int, weth: int, deposit: int) -> None:
    """LPD-1, P2, B24: pool less the traders' net loss, plus inventory; a net gain counts as 0."""
    state = pool_of(pool * W, btc=opened(W, BTC_PRICE), weth=weth * 10**18)
    assert compute_pool_value(state, env(btc=price * W)).deposit == deposit * W


def test_gains_and_losses_are_netted_over_markets_first() -> None:
    """LPD-1, LPR-1: one market's gain offsets another's loss before one side of the net is ignored."""
    positions = {BTC: opened(W, BTC_PRICE), ETH: opened(W, ETH_PRICE)}
    state = state_with({ACCOUNT: holding(0, positions=positions)}, pool=1_000 * W)
    for btc, eth, deposit, redemption in (
        (8_030, 180, 1_000, 990),
        (8_010, 180, 1_010, 1_000),
        (8_020, 180, 1_000, 1_000),
    ):
        value = compute_pool_value(state, env(btc=btc * W, eth=eth * W))
        assert (value.deposit, value.redemption) == (deposit * W, redemption * W)


def test_the_reserve_is_summed_over_markets() -> None:
    """LPR-1, FIL-8: a fifth of 3 BTC and of 10 ETH, each market's larger side, at the prices now."""
    accounts = {
        ACCOUNT: holding(0, positions={BTC: opened(3 * W, BTC_PRICE), ETH: opened(-10 * W, ETH_PRICE)}),
        KEEPER: holding(0, positions={BTC: opened(-2 * W, BTC_PRICE), ETH: opened(5 * W, ETH_PRICE)}),
    }
    value = compute_pool_value(state_with(accounts), env(btc=8_100 * W, eth=210 * W))
    assert value.reserved == 4_860 * W + 420 * W


def test_inventory_counts_in_full_for_a_deposit_and_with_its_haircut_for_a_redemption() -> None:
    """LPD-1, LPR-1, T6: rounded up for who comes, down for who goes, by the brackets of an account."""
    value = compute_pool_value(pool_of(W, weth=3 * 10**18), env())
    assert (value.deposit, value.redemption) == (601 * W, 541 * W)
    for units, deposit, redemption in ((1, 1, 0), (2, 1, 0), (3, 2, 0), (4, 2, 1)):
        value = compute_pool_value(pool_of(0, weth=units), env(eth=W // 2))
        assert (value.deposit, value.redemption) == (deposit, redemption)
    # 2 million dollars: 90 % of the first, 80 % of the second.
    value = compute_pool_value(pool_of(0, weth=10**4 * 10**18), env())
    assert (value.deposit, value.redemption) == (2 * 10**6 * W, 1_700_000 * W)


def test_inventory_of_several_tokens_is_summed() -> None:
    """LPD-1, LPR-1: each by its own price, decimals and haircut."""
    eight = replace(COLLATERAL[0], feed=BTC, decimals=8)
    state = state_with(pool=W, collateral=(COLLATERAL[0], eight), inventory={1: 10**18, 2: 5 * 10**7})
    value = compute_pool_value(state, env())
    assert value.deposit == W + 200 * W + 4_000 * W
    haircuts = sum(compute_haircut_values(COLLATERAL[0].brackets, dollars * W)[0] for dollars in (200, 4_000))
    assert value.redemption == W + haircuts == W + 180 * W + 3_600 * W


def test_both_values_reserves_and_worth_of_one_state() -> None:
    """LPD-1, LPR-1, FIL-8: the reserve is measured at the prices now, not at those of the newest fill."""
    state = pool_of(1_000 * W, btc=opened(2 * W, BTC_PRICE), btc_other=opened(-W, BTC_PRICE), weth=10**18)
    value = compute_pool_value(state, env(btc=8_100 * W, eth=100 * W))
    assert value == PoolValue(
        deposit=1_100 * W, redemption=990 * W, reserved=3_240 * W, traders_pnl=100 * W, price_status=0
    )
    assert value.market == 1_000 * W
    behind = compute_pool_value(state, env(btc=7_900 * W, eth=100 * W))
    assert (behind.deposit, behind.redemption, behind.market) == (1_200 * W, 1_090 * W, 1_200 * W)


# --- what the pool does not notice, and what it earns ---------------------------------------------------------------


def test_gifts_to_insurance_and_idle_accounts_do_not_change_the_share_price() -> None:
    """LPD-1, P1, P2, X7: only price, time, fees and losses move the value."""
    state = pool_of(10**6 * W, shares=10**6 * W, btc=opened(W, BTC_PRICE))
    before = compute_pool_value(state, env())
    after = run(state, env(STRANGER), FundInsurance(10**6 * DOLLAR)).state
    assert compute_pool_value(after, env()) == before
    donated = replace(state, tokens=(replace(state.tokens[0], held=state.tokens[0].held + 10**12), state.tokens[1]))
    assert compute_pool_value(donated, env()) == before
    crowd = {**state.accounts, STRANGER << 96: Account(10**30, {WETH: 5}, {}, {}, 0, 0, 0, 0, {})}
    assert compute_pool_value(replace(state, accounts=Table(crowd)), env()) == before


@pytest.mark.parametrize(
    ("size", "ledger", "price", "left_over"),
    [
        # The rebate for taking back a skew of 2 is nine tenths of 1.60 dollars at 8,000; in thousandths.
        (2, 1_600, 8_000, 160),
        (-2, 1_600, 8_000, 160),
        (2, 1_440, 8_000, 0),
        (2, 1_439, 8_000, 0),
        (2, 1_441, 8_000, 1),
        (2, 1_440, 4_000, 720),
        (2, 0, 8_000, 0),
        (2, 10**9, 8_000, 10**9 - 1_440),
    ],
)
def test_a_depositor_pays_for_what_the_impact_ledger_would_leave(
    size: int, ledger: int, price: int, left_over: int
) -> None:
    """LPD-1, P2, FIL-7, B24: if the market emptied at the price now. A leaver gets nothing of it."""
    state = pool_of(10**6 * W, btc=opened(size * W, price * W))
    surroundings = env(btc=price * W)
    before = compute_pool_value(state, surroundings)
    after = compute_pool_value(with_market(state, BTC, impact=ledger * W // 1_000), surroundings)
    assert after == replace(before, deposit=before.deposit + left_over * W // 1_000)


@pytest.mark.parametrize("size", [1, 2, 3, -1, -5])
def test_no_trade_at_one_price_lowers_what_a_deposit_pays_for(size: int) -> None:
    """LPD-1, P2, B24: so it cannot be traded away before a deposit, nor by a flip; a liquidation may."""
    start = pool_of(10**6 * W, btc=opened(2 * W, BTC_PRICE))
    usdc = replace(start.tokens[0], held=start.tokens[0].held + 1_600_000)
    state = replace(with_market(start, BTC, impact=1_600 * W // 1_000), tokens=(usdc, *start.tokens[1:]))
    price = env(BORROWER)
    before = compute_pool_value(state, price).deposit
    assert before == 10**6 * W + 160 * W // 1_000
    traded = run(state, price, Trade(ACCOUNT, BTC, size * W, 2**128 if size > 0 else 0)).state
    assert compute_pool_value(traded, price).deposit > before, "the fee's part comes to it"


def test_a_realised_loss_is_worth_what_the_unrealised_one_was() -> None:
    """LPD-1, P2, B24: closing a losing position leaves the price of a deposit, but for the fee's part."""
    state = pool_of(10**6 * W, btc=opened(W, BTC_PRICE))
    surroundings = env(BORROWER, btc=7_900 * W)
    before = compute_pool_value(state, surroundings)
    after = run(state, surroundings, Trade(ACCOUNT, BTC, -W, 0)).state
    value = compute_pool_value(after, surroundings)
    fee = 7_900 * W // 5_000
    assert value.deposit == before.deposit + fee - fee // 10
    assert value.redemption == value.deposit
