"""An account measured: its equities, its margins, and the reserve for keepers (MRG-4, MRG-5)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.account_state import compute_account_state
from protocol.draft import Draft
from protocol.env import Status
from protocol.funding import compute_owed, project_funding
from protocol.margin import Health, compute_health, compute_reserve, is_liquidatable
from protocol.params import HaircutBracket
from protocol.records import Table
from protocol.state import Account, Position, RiskPhase, State, account_id
from protocol.units import DAY, W, cdiv
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    BTC_PRICE,
    COLLATERAL,
    ETH,
    ETH_PRICE,
    NOW,
    STRANGER,
    WETH,
    env,
    holding,
    moving,
    opened,
    state_with,
    with_market,
)
from tests.protocol.strategies import PRICES, SIGNED_SIZES
from tests.twins import RISK

# --- MRG-4: cash, collateral and positions --------------------------------------------------------------------------


def both_markets() -> tuple[State, Account]:
    """A state with an account that holds everything: 1,000 USD, 2 WETH, 0.5 BTC long and 10 ETH short."""
    account = holding(
        cash=1_000 * W,
        collateral={WETH: 2 * 10**18},
        positions={BTC: opened(W // 2, BTC_PRICE), ETH: opened(-10 * W, ETH_PRICE)},
    )
    return state_with({ACCOUNT: account}), account


def test_health_sums_cash_collateral_and_positions() -> None:
    """MRG-4: three equities and two margins of one account, worked by hand."""
    state, account = both_markets()
    # BTC at 8,200: +100 on half a coin. ETH at 210: 2 WETH are 420 at market, 378 for MM and 357 for IM; the short
    # loses 100. Notionals 4,100 and 2,100; MM 2.5 %, IM 5 %, and the reserve of 10.
    health = compute_health(state, account, env(btc=8_200 * W, eth=210 * W))
    assert health == Health(
        equity_raw=(1_000 + 420 + 100 - 100) * W,
        equity_mm=(1_000 + 378 + 100 - 100) * W,
        equity_im=(1_000 + 357 - 100) * W,
        maintenance_margin=155 * W + 10 * W,
        initial_margin=310 * W + 10 * W,
        reserve=10 * W,
        gross_notional=6_200 * W,
        price_status=0,
    )


def test_each_collateral_is_measured_by_its_own_parameters() -> None:
    """MRG-4: price, decimals and weights of the token itself, whichever others the account holds."""
    other = replace(COLLATERAL[0], feed=BTC, decimals=8, brackets=(HaircutBracket(0, W // 2, W // 4),))
    state = state_with(collateral=(COLLATERAL[0], other))
    both = compute_health(state, holding(0, {WETH: 10**18, 2: 10**8}), env())
    assert (both.equity_raw, both.equity_mm, both.equity_im) == (8_200 * W, 180 * W + 4_000 * W, 170 * W + 2_000 * W)
    assert compute_health(state, holding(0, {2: 10**8}), env()).equity_mm == 4_000 * W


def test_unrealised_profit_counts_for_maintenance_and_not_for_initial() -> None:
    """MRG-4, M6: a profit of one wei shows in equity_mm only, a loss of one wei in both."""
    state = state_with()
    for wei, in_mm, in_im in ((1, 1, 0), (0, 0, 0), (-1, -1, -1)):
        account = holding(positions={BTC: Position(W, 8_000 * W - wei, 0)})
        health = compute_health(state, account, env())
        assert (health.equity_raw, health.equity_mm, health.equity_im) == (in_mm, in_mm, in_im)


def test_profit_of_one_market_does_not_offset_loss_of_another_in_equity_im() -> None:
    """MRG-4: profits count 0 per position, so they do not hide the loss of another position."""
    account = holding(positions={BTC: Position(W, 7_000 * W, 0), ETH: Position(W, 1_200 * W, 0)})
    health = compute_health(state_with(), account, env())
    assert (health.equity_mm, health.equity_im) == (0, -1_000 * W)


def test_only_an_account_with_a_position_holds_the_reserve() -> None:
    """MRG-4: the keeper reserve is part of both margins, once, and only with a position."""
    state = state_with()
    one = holding(positions={BTC: opened(W, BTC_PRICE)})
    two = holding(positions={BTC: opened(W, BTC_PRICE), ETH: opened(W, ETH_PRICE)})
    none = holding(cash=W, collateral={WETH: 1})
    assert compute_health(state, none, env()).reserve == 0
    assert compute_health(state, none, env()).maintenance_margin == 0
    assert compute_health(state, one, env()).maintenance_margin == 200 * W + 10 * W
    assert compute_health(state, two, env()).maintenance_margin == 205 * W + 10 * W
    assert compute_health(state, two, env()).initial_margin == 410 * W + 10 * W


def test_every_unusable_price_shows_in_the_status() -> None:
    """MRG-4: the statuses of the prices used are united; prices that are not used do not count."""
    state, account = both_markets()
    stale, zero = int(Status.STALE_HARD), int(Status.NON_POSITIVE)
    assert compute_health(state, account, env(btc_status=stale, eth_status=zero)).price_status == stale | zero
    assert compute_health(state, account, env()).price_status == 0
    only_btc = holding(positions={BTC: opened(W, BTC_PRICE)})
    only_weth = holding(collateral={WETH: 1})
    only_cash = holding(cash=W)
    surroundings = env(btc_status=stale, eth_status=zero)
    assert compute_health(state, only_btc, surroundings).price_status == stale
    assert compute_health(state, only_weth, surroundings).price_status == zero
    assert compute_health(state, only_cash, surroundings).price_status == 0


def test_an_old_price_counts_moved_in_favour_and_a_missing_one_at_the_ceiling() -> None:
    """MRG-4, MRG-12, MRG-13, M8: measuring never refuses; without a price collateral carries no new risk."""
    state, account = both_markets()
    fresh = compute_health(state, account, env())
    slow = compute_health(state, account, env(btc_status=int(Status.STALE_SOFT)))
    assert replace(slow, price_status=0) == fresh
    stale = compute_health(state, account, env(btc_status=int(Status.STALE_HARD)))
    moved = compute_health(state, account, env(btc=BTC_PRICE * 11 // 10))
    assert replace(stale, price_status=0, equity_im=moved.equity_im) == moved
    assert stale.equity_im == fresh.equity_im
    missing = compute_health(state, account, replace(env(), quotes=()))
    assert missing.price_status == Status.UNAVAILABLE
    # Half a BTC and 2 WETH at the ceilings of 16,000 and 400, the short at 0; and the reverse for new risk.
    assert missing == Health(
        equity_raw=(1_000 + 800 + 4_000 + 2_000) * W,
        equity_mm=(1_000 + 720 + 4_000 + 2_000) * W,
        equity_im=(1_000 - 4_000 - 2_000) * W,
        maintenance_margin=(200 + 10) * W,
        initial_margin=(400 + 10) * W,
        reserve=10 * W,
        gross_notional=8_000 * W,
        price_status=int(Status.UNAVAILABLE),
    )


def test_health_does_not_depend_on_other_accounts_or_the_caller() -> None:
    """MRG-4, M7: neither who asks nor what others hold changes the measure."""
    state, account = both_markets()
    crowded = state_with({ACCOUNT: account, account_id(STRANGER): holding(cash=-5, collateral={WETH: 10**18})}, pool=W)
    surroundings = env(sender=STRANGER)
    assert compute_health(crowded, account, surroundings) == compute_health(state, account, env())


def test_a_flat_account_with_usdc_depends_on_no_price() -> None:
    """MRG-4, N2: USDC counts 1."""
    for surroundings in (env(), env(btc=1, eth=1), replace(env(), quotes=())):
        assert compute_health(state_with(), holding(cash=123), surroundings) == Health(123, 123, 123, 0, 0, 0, 0, 0)


@given(
    cash=st.integers(-(10**24), 10**24),
    weth=st.integers(0, 10**25),
    btc=SIGNED_SIZES,
    eth=SIGNED_SIZES,
    prices=st.tuples(PRICES, PRICES),
    more=st.tuples(st.integers(0, 10**24), st.integers(0, 10**24)),
)
def test_more_collateral_never_lowers_health(
    cash: int, weth: int, btc: int, eth: int, prices: tuple[int, int], more: tuple[int, int]
) -> None:
    """MRG-4, N1: adding cash or collateral lowers no equity, no margin room, and makes nobody liquidatable."""
    state = Table[int, Account]()
    base = replace(state_with(), accounts=state)
    positions = {BTC: opened(btc, BTC_PRICE), ETH: opened(eth, ETH_PRICE)}
    poor = holding(cash, {WETH: weth} if weth else {}, positions)
    rich = holding(cash + more[0], {WETH: weth + more[1]} if weth + more[1] else {}, positions)
    surroundings = env(btc=prices[0], eth=prices[1])
    before, after = compute_health(base, poor, surroundings), compute_health(base, rich, surroundings)
    assert after.equity_raw >= before.equity_raw
    assert after.equity_mm >= before.equity_mm
    assert after.equity_im >= before.equity_im
    assert (after.maintenance_margin, after.initial_margin) == (before.maintenance_margin, before.initial_margin)
    assert compute_account_state(RISK, after) >= compute_account_state(RISK, before)
    assert is_liquidatable(before) or not is_liquidatable(after)
    for health in (before, after):
        assert health.equity_im <= health.equity_mm <= health.equity_raw
        assert health.reserve <= health.maintenance_margin <= health.initial_margin


# --- MRG-4: funding and market totals ------------------------------------------------------------------------------


def test_pending_funding_counts_like_a_loss_or_a_profit() -> None:
    """MRG-4, M5, B10: a day at 1 % costs a long 80 in all three readings and gives a short 80 in two."""
    for size, raw, im in ((W, -80 * W, -80 * W), (-W, 80 * W, 0)):
        state = moving(state_with({ACCOUNT: holding(0, {}, {BTC: opened(size, BTC_PRICE)})}), BTC, accrued_at=NOW - DAY)
        health = compute_health(state, state.accounts[ACCOUNT], env())
        assert (health.equity_raw, health.equity_mm, health.equity_im) == (raw, raw, im)
        assert health.maintenance_margin == 210 * W, "funding changes no margin"


def test_profit_is_netted_with_the_funding_of_its_own_position() -> None:
    """MRG-4: a loss in equity_im is what is left of both, to the wei."""
    for wei in (-1, 0, 1):
        position = Position(W, 8_000 * W - 80 * W - wei, 0)  # ahead by 80 dollars and this many wei
        state = moving(state_with({ACCOUNT: holding(0, {}, {BTC: position})}), BTC, accrued_at=NOW - DAY)
        health = compute_health(state, state.accounts[ACCOUNT], env())
        assert (health.equity_mm, health.equity_im) == (wei, min(wei, 0))


@pytest.mark.parametrize(("size", "index", "pnl"), [(1, 1, -1), (1, -1, 0), (-1, 1, 0), (-1, -1, -1)])
def test_a_fraction_of_a_wei_of_funding_is_against_the_account(size: int, index: int, pnl: int) -> None:
    """MRG-4, FUN-5, T6: paid in full, received rounded down, for both sides and both signs."""
    state = with_market(state_with(), BTC, funding_index=index)
    health = compute_health(state, holding(0, {}, {BTC: Position(size, 0, 0)}), env(btc=0))
    assert health.equity_raw == pnl


@given(st.integers(0, 10**7), SIGNED_SIZES, st.integers(-3, 3), st.integers(-9, 9))
def test_waiting_changes_equity_by_the_funding_alone(seconds: int, size: int, daily: int, velocity: int) -> None:
    """MRG-4, N6: at one price, time moves all that is owed and nothing else."""
    base = state_with({ACCOUNT: holding(10**6 * W, {WETH: 10**18}, {BTC: opened(size, BTC_PRICE)})})
    state = moving(base, BTC, daily * W // 100, velocity * W // 100)
    account = state.accounts[ACCOUNT]
    now, later = (compute_health(state, account, env(now=NOW + wait)) for wait in (0, seconds))
    index, _ = project_funding(state.markets[BTC], BTC_PRICE, NOW + seconds)
    owed = compute_owed(account.positions[BTC], index)
    assert now.equity_raw - later.equity_raw == now.equity_mm - later.equity_mm == owed
    assert replace(later, equity_raw=0, equity_mm=0, equity_im=0) == replace(
        now, equity_raw=0, equity_mm=0, equity_im=0
    )


def test_totals_in_the_middle_of_an_action_count() -> None:
    """MRG-4, M5: open interest and funding are those of the draft, the parameters those in force."""
    state = state_with({ACCOUNT: holding(0, {}, {BTC: opened(W, BTC_PRICE)})})
    draft = Draft(state)
    totals = draft.open_market(BTC)
    totals.long_oi = 10**9 * W  # far beyond the upper bound of open interest
    totals.funding_index = 3 * W
    account = draft.account(ACCOUNT)
    stored, drafted = compute_health(state, account, env()), compute_health(state, account, env(), draft.market)
    assert (stored.equity_mm, stored.initial_margin) == (0, 410 * W)
    assert (drafted.equity_mm, drafted.initial_margin) == (-3 * W, 8_010 * W)
    assert drafted.maintenance_margin == stored.maintenance_margin


@given(st.integers(-(10**24), 10**24), SIGNED_SIZES, PRICES, st.integers(-(10**24), 10**24))
def test_a_mirrored_account_has_mirrored_profit_and_the_same_margins(
    cash: int, size: int, price: int, pnl: int
) -> None:
    """MRG-4, T8: long and short are alike but for a wei, which is against the account."""
    sides = []
    for sign in (1, -1):
        position = Position(sign * size, sign * cdiv(size * price, W) - sign * pnl, 0)
        sides.append(compute_health(state_with(), holding(cash, {}, {BTC: position}), env(btc=price)))
    long, short = sides
    assert long.equity_raw + short.equity_raw in {2 * cash, 2 * cash - 1}
    assert (long.maintenance_margin, long.initial_margin) == (short.maintenance_margin, short.initial_margin)
    assert long.gross_notional == short.gross_notional


# --- MRG-5: the keeper reserve --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "former", "reserve"),
    [(NOW - 1, 3, 3), (NOW, 3, 10), (NOW + 1, 3, 10), (NOW - 1, 10, 10), (NOW - 1, 11, 10), (NOW - 1, 0, 0)],
)
def test_a_raised_reserve_waits_until_its_phase_ends(now: int, former: int, reserve: int) -> None:
    """MRG-5: the smaller of former and present one before the time, the present one from that second on."""
    state = replace(state_with(), risk_phase=RiskPhase(NOW, former * W, 0))
    assert compute_reserve(state, now) == reserve * W
    held = compute_health(state, holding(0, {}, {BTC: opened(W, BTC_PRICE)}), env(now=now))
    assert (held.reserve, held.maintenance_margin, held.initial_margin) == (
        reserve * W,
        200 * W + reserve * W,
        400 * W + reserve * W,
    )
