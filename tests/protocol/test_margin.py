"""Account value, margin requirements and account state."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.account_state import AccountState, compute_account_state, is_below_tiers
from protocol.draft import Draft
from protocol.env import Status
from protocol.funding import compute_owed, project_funding
from protocol.margin import (
    Health,
    compute_health,
    compute_maintenance_in_force,
    compute_margins,
    compute_notional,
    compute_pnl,
    compute_required_equity,
    compute_reserve,
    is_liquidatable,
    limit_leverage,
    scale_initial_margin,
)
from protocol.params import EquityTier, HaircutBracket, MarginBracket
from protocol.records import Table
from protocol.state import Account, MarketPhase, Position, RiskPhase, State, account_id
from protocol.units import DAY, PRICE_LIMIT, SIZE_LIMIT, W, cdiv
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    BTC_PRICE,
    COLLATERAL,
    ETH,
    ETH_PRICE,
    MARKETS,
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
from tests.protocol.strategies import PRICES, SIGNED_SIZES, equity_tiers, margin_rows
from tests.twins import RISK

ROWS = MARKETS[BTC].brackets
RULEBOOK_ROWS = tuple(
    MarginBracket(low * W, mm * W // 1_000, im * W // 1_000)
    for low, mm, im in ((0, 5, 10), (50_000, 10, 20), (250_000, 25, 50))
)
NOTIONALS = st.one_of(
    st.integers(0, 40 * 10**6 * W),
    st.builds(lambda border, step: border * 10**6 * W + step, st.sampled_from((1, 5, 20)), st.integers(-3, 3)),
    st.integers(0, 5),
)


@pytest.mark.parametrize(
    ("size", "price", "notional"),
    [
        (0, BTC_PRICE, 0),
        (W, BTC_PRICE, 8_000 * W),
        (-W, BTC_PRICE, 8_000 * W),
        (1, 1, 1),
        (-1, 1, 1),
        (1, W - 1, 1),
        (1, W, 1),
        (1, W + 1, 2),
        (-1, W + 1, 2),
        (W, 0, 0),
        (SIZE_LIMIT - 1, PRICE_LIMIT - 1, cdiv((2**96 - 1) ** 2, W)),
    ],
)
def test_notional_rounds_up_for_both_sides(size: int, price: int, notional: int) -> None:
    """MRG-1: the absolute value of a position, rounded up against the account, long and short alike."""
    assert compute_notional(size, price) == notional


@pytest.mark.parametrize(
    ("position", "price", "pnl"),
    [
        (Position(W, 8_000 * W, 0), 8_500 * W, 500 * W),
        (Position(-W, -8_000 * W, 0), 8_500 * W, -500 * W),
        (Position(W, 8_000 * W, 0), 7_500 * W, -500 * W),
        (Position(-W, -8_000 * W, 0), 7_500 * W, 500 * W),
        (Position(0, 0, 0), BTC_PRICE, 0),
        (Position(1, 0, 0), W - 1, 0),
        (Position(1, 0, 0), W, 1),
        (Position(1, 0, 0), W + 1, 1),
        (Position(-1, 0, 0), 1, -1),
        (Position(-1, 0, 0), W, -1),
        (Position(-1, 0, 0), W + 1, -2),
        (Position(W, 5, 0), 0, -5),
    ],
)
def test_profit_rounds_down_for_both_sides(position: Position, price: int, pnl: int) -> None:
    """MRG-2, T7: value less cost, rounded to minus infinity, so a fraction of a wei is always against the account."""
    assert compute_pnl(position, price) == pnl


@given(SIGNED_SIZES, PRICES, st.integers(-(10**30), 10**30))
def test_mirrored_positions_have_mirrored_profit_within_a_wei(size: int, price: int, cost: int) -> None:
    """MRG-2, T8: the profits of a long and its mirror sum to 0 or to -1 wei, never to a gain."""
    long, short = compute_pnl(Position(size, cost, 0), price), compute_pnl(Position(-size, -cost, 0), price)
    assert long + short in {0, -1}
    assert compute_notional(size, price) == compute_notional(-size, price)


@given(SIGNED_SIZES, st.integers(-(10**30), 10**30), PRICES, st.integers(0, 10**24))
def test_a_higher_price_never_hurts_a_long_or_helps_a_short(size: int, cost: int, price: int, rise: int) -> None:
    """MRG-2, N2: profit is monotone in the price."""
    before, after = compute_pnl(Position(size, cost, 0), price), compute_pnl(Position(size, cost, 0), price + rise)
    assert after >= before if size > 0 else after <= before


@pytest.mark.parametrize(
    ("notional", "mm", "im"),
    [
        (0, 0, 0),
        (1, 1, 1),
        (50_000 * W - 1, 250 * W, 500 * W),
        (50_000 * W, 250 * W, 500 * W),
        (50_000 * W + 1, 250 * W + 1, 500 * W + 1),
        (50_000 * W + 100, 250 * W + 1, 500 * W + 2),
        (50_000 * W + 101, 250 * W + 2, 500 * W + 3),
        (100_000 * W, 750 * W, 1_500 * W),
        (250_000 * W - 1, 2_250 * W, 4_500 * W),
        (250_000 * W, 2_250 * W, 4_500 * W),
        (250_000 * W + 1, 2_250 * W + 1, 4_500 * W + 1),
        (300_000 * W, 3_500 * W, 7_000 * W),
    ],
)
def test_each_part_of_a_notional_pays_the_rate_of_its_bracket(notional: int, mm: int, im: int) -> None:
    """MRG-3, T1: the worked rows of the rulebook, with the borders at -1, 0 and +1 wei."""
    assert compute_margins(RULEBOOK_ROWS, notional) == (mm, im)


def exact_margin(rows: tuple[MarginBracket, ...], notional: int, name: str) -> Fraction:
    """The rate of the last bracket touched times the notional, less the exact deduction, without rounding."""
    deduction, below, last = 0, 0, 0
    for row in rows:
        if notional > row.lower or row.lower == 0:
            deduction += row.lower * (getattr(row, name) - below)
            below = last = getattr(row, name)
    return Fraction(notional * last - deduction, W)


@given(margin_rows(), NOTIONALS)
def test_margins_equal_rate_times_notional_less_deduction(rows: tuple[MarginBracket, ...], notional: int) -> None:
    """MRG-3: the walk over the brackets is the formula of the rulebook, rounded up once, for both margins."""
    mm, im = compute_margins(rows, notional)
    assert mm == -(-exact_margin(rows, notional, "mm_rate") // 1)
    assert im == -(-exact_margin(rows, notional, "im_rate") // 1)
    assert mm <= im
    assert (mm > 0) == (im > 0) == (notional > 0), "T3: nothing for nothing, at least a wei for anything"


@given(margin_rows(), NOTIONALS, st.integers(0, 10**24))
def test_margins_have_no_step_and_never_fall(rows: tuple[MarginBracket, ...], notional: int, more: int) -> None:
    """MRG-3, T1, T2: one wei of notional adds at most one wei of margin, at any border; more never needs less."""
    for before, after in zip(compute_margins(rows, notional), compute_margins(rows, notional + 1), strict=True):
        assert after - before in {0, 1}
    for before, after in zip(compute_margins(rows, notional), compute_margins(rows, notional + more), strict=True):
        assert before <= after <= before + more


@given(margin_rows(), NOTIONALS, NOTIONALS)
def test_margins_are_superadditive_and_convex(rows: tuple[MarginBracket, ...], one: int, other: int) -> None:
    """MRG-3, T2, M11: splitting never costs more than the whole and a wei; the middle lies below the chord."""
    for index in (0, 1):
        apart = compute_margins(rows, one)[index] + compute_margins(rows, other)[index]
        assert apart <= compute_margins(rows, one + other)[index] + 1
        middle = compute_margins(rows, (one + other) // 2)[index]
        assert 2 * (middle - 1) <= apart


@given(margin_rows(), st.integers(1_000 * W, 10**26))
def test_initial_margin_pays_for_a_liquidation_of_any_size(rows: tuple[MarginBracket, ...], notional: int) -> None:
    """CFG-4, M4: IM covers MM, reward, penalty and impact from the minimum notional up, within 2 wei."""
    mm, im = compute_margins(rows, notional)
    worst = RISK.fixed_reward + Fraction(notional * RISK.closing_cost_ratio, W)
    assert im + 2 >= mm + worst


@given(margin_rows(), st.integers(1, 10**26), st.integers(0, 10**20))
def test_initial_margin_lies_above_the_margin_call_zone(
    rows: tuple[MarginBracket, ...], notional: int, reserve: int
) -> None:
    """CFG-3, STA-1, M4: an account at its initial margin is not born in the zone, but for 2 wei of rounding.

    Where a bracket has exactly 125 % between its rates, the two margins rounded up can be a wei closer than that.
    """
    mm, im = compute_margins(rows, notional)
    health = Health(im + reserve + 2, im + reserve + 2, im + reserve + 2, mm + reserve, im + reserve, reserve, 0, 0)
    assert compute_account_state(RISK, health) is AccountState.HEALTHY


def test_a_bracket_without_slack_can_open_a_wei_inside_the_zone() -> None:
    """CFG-3, STA-1, M4: the case in which the 2 wei are needed, and the reference brackets, where they are not."""
    tight = (MarginBracket(0, W // 10, W // 8),)
    mm, im = compute_margins(tight, 8 * W + 8)
    assert (mm, im) == (8 * W // 10 + 1, W + 1)
    for wei, state in ((0, AccountState.MARGIN_CALL), (1, AccountState.HEALTHY)):
        assert compute_account_state(RISK, Health(im + wei, im + wei, im + wei, mm, im, 0, 0, 0)) is state
    mm, im = compute_margins(ROWS, 8 * W + 8)
    assert compute_account_state(RISK, Health(im, im, im, mm, im, 0, 0, 0)) is AccountState.HEALTHY


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


# --- MRG-6: open interest -------------------------------------------------------------------------------------------

SCALED = replace(MARKETS[BTC], oi_lower=1_000, oi_upper=3_000)


@pytest.mark.parametrize(
    ("open_interest", "notional", "im", "scaled"),
    [
        (0, 100, 10, 10),
        (1_000, 100, 10, 10),
        (1_001, 100, 10, 11),  # 90 / 2,000: rounded up
        (1_022, 100, 10, 11),
        (1_023, 100, 10, 12),
        (2_000, 100, 10, 55),
        (2_999, 100, 10, 100),
        (3_000, 100, 10, 100),
        (3_001, 100, 10, 100),
        (10**30, 100, 10, 100),
        # Rounding of notional and margin can leave the margin at or above the notional; it is never lowered.
        (2_000, 100, 100, 100),
        (2_000, 100, 101, 101),
        (3_000, 100, 101, 101),
        (2_000, 0, 0, 0),
    ],
)
def test_initial_margin_rises_with_open_interest_up_to_the_notional(
    open_interest: int, notional: int, im: int, scaled: int
) -> None:
    """MRG-6: both bounds at -1, 0 and +1, one division, rounded up."""
    assert scale_initial_margin(SCALED, open_interest, notional, im) == scaled


def test_without_an_upper_bound_open_interest_does_not_matter() -> None:
    """MRG-6: 0 is never; a lower bound of 0 with an upper one scales from the first dollar."""
    never = replace(SCALED, oi_lower=0, oi_upper=0)
    assert scale_initial_margin(never, 10**40, 100, 10) == 10
    from_zero = replace(SCALED, oi_lower=0)
    assert [scale_initial_margin(from_zero, oi, 100, 10) for oi in (0, 1, 1_500)] == [10, 11, 55]


@given(st.integers(0, 10**26), st.integers(0, 10**26), st.integers(0, 10**24), NOTIONALS)
def test_open_interest_never_lowers_initial_margin_and_has_no_step(
    open_interest: int, width: int, more: int, notional: int
) -> None:
    """MRG-6, T1, M11: monotone in open interest, between the tiers' margin and the notional."""
    params = replace(SCALED, oi_lower=10**25, oi_upper=10**25 + width + 1)
    _, im = compute_margins(ROWS, notional)
    one, other = (scale_initial_margin(params, oi, notional, im) for oi in (open_interest, open_interest + more))
    assert im <= one <= other <= max(notional, im)
    next_wei = scale_initial_margin(params, open_interest + 1, notional, im)
    assert next_wei - one <= cdiv(notional, width + 1) + 1, "a wei of open interest adds its part, rounded up"


@pytest.mark.parametrize(("long", "short", "im"), [(2, 1, 400), (550, 1, 4_200), (1, 550, 4_200), (1_000, 1, 8_000)])
def test_the_larger_side_of_a_market_counts(long: int, short: int, im: int) -> None:
    """MRG-6, MRG-4: of both sides, at the present price; maintenance does not move."""
    params = replace(MARKETS[BTC], oi_lower=800_000 * W, oi_upper=8 * 10**6 * W)
    state = with_market(state_with(markets=(params, MARKETS[ETH])), BTC, long_oi=long * W, short_oi=short * W)
    health = compute_health(state, holding(0, {}, {BTC: opened(W, BTC_PRICE)}), env())
    assert (health.initial_margin, health.maintenance_margin) == (im * W + 10 * W, 210 * W)


# --- MRG-7: the owner's own limit -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cap", "im"),
    [
        (0, 50),
        (20 * W, 50),
        (21 * W, 50),
        (20 * W - 1, 51),
        (10 * W, 100),
        (10 * W + 1, 100),
        (3 * W, 334),
        (W, 1_000),
        (W // 2, 2_000),
        (1, 1_000 * W),
    ],
)
def test_an_own_leverage_cap_raises_initial_margin_only(cap: int, im: int) -> None:
    """MRG-7: the notional over the cap, rounded up, and never less than without one; 0 is no cap."""
    assert limit_leverage(1_000, cap, 50) == im
    assert limit_leverage(0, cap, 0) == 0


def test_a_cap_counts_in_its_own_market_alone() -> None:
    """MRG-7, MRG-4: two positions, one of them limited to twice its equity; after open interest, not before."""
    positions = {BTC: opened(W, BTC_PRICE), ETH: opened(W, ETH_PRICE)}
    free, limited = (
        compute_health(state_with(), holding(0, {}, positions, leverage_caps=caps), env())
        for caps in ({}, {ETH: 2 * W})
    )
    assert free.initial_margin == 420 * W
    assert limited.initial_margin == 400 * W + 100 * W + 10 * W
    assert limited.maintenance_margin == free.maintenance_margin
    # Scaled by open interest to the whole notional, a cap of 2 adds nothing, and a cap of a half does.
    crowded = with_market(state_with(), BTC, long_oi=10**6 * W)
    for cap, im in ((2 * W, 8_000), (W // 2, 16_000)):
        account = holding(0, {}, {BTC: opened(W, BTC_PRICE)}, leverage_caps={BTC: cap})
        assert compute_health(crowded, account, env()).initial_margin == im * W + 10 * W


# --- MRG-8: rates being phased in -----------------------------------------------------------------------------------

LOW_ROWS = (MarginBracket(0, W // 40, W // 20),)
HIGH_ROWS = (MarginBracket(0, W // 20, W // 10),)


@pytest.mark.parametrize(
    ("now", "old", "new", "mm", "im"),
    [
        # Stricter rates wait for maintenance, to the second, and hold for opening at once.
        (NOW - 1, LOW_ROWS, HIGH_ROWS, 25, 100),
        (NOW, LOW_ROWS, HIGH_ROWS, 50, 100),
        (NOW + 1, LOW_ROWS, HIGH_ROWS, 50, 100),
        # Laxer ones hold at once for both.
        (NOW - 1, HIGH_ROWS, LOW_ROWS, 25, 50),
        (NOW, HIGH_ROWS, LOW_ROWS, 25, 50),
    ],
)
def test_the_lower_of_old_and_new_maintenance_is_asked_until_the_phase_ends(
    now: int, old: tuple[MarginBracket, ...], new: tuple[MarginBracket, ...], mm: int, im: int
) -> None:
    """MRG-8: 1,000 dollars of a market whose rates change."""
    params = replace(MARKETS[BTC], brackets=new)
    asked = compute_maintenance_in_force(params, MarketPhase(NOW, old, 0), now, 1_000 * W)
    assert asked == (mm * W, im * W)
    state = replace(state_with(markets=(params,)), market_phases=(MarketPhase(NOW, old, 0),))
    health = compute_health(state, holding(0, {}, {BTC: opened(W // 8, BTC_PRICE)}), env(now=now))
    assert (health.maintenance_margin, health.initial_margin) == (mm * W + 10 * W, im * W + 10 * W)


@given(margin_rows(), margin_rows(), NOTIONALS)
def test_a_phase_never_asks_more_maintenance_than_either_set(
    old: tuple[MarginBracket, ...], new: tuple[MarginBracket, ...], notional: int
) -> None:
    """MRG-8, M3: the smaller of the two whole margins; initial margin is the new one and not below it."""
    params = replace(MARKETS[BTC], brackets=new)
    mm, im = compute_maintenance_in_force(params, MarketPhase(NOW, old, 0), NOW - 1, notional)
    assert mm == min(compute_margins(old, notional)[0], compute_margins(new, notional)[0])
    assert mm <= im == compute_margins(new, notional)[1]
    assert compute_maintenance_in_force(params, MarketPhase(NOW, old, 0), NOW, notional) == compute_margins(
        new, notional
    )


# --- MRG-9: equity tiers --------------------------------------------------------------------------------------------

TIERS = RISK.equity_tiers  # 20x on the first million, 10x up to ten, 5x beyond


@pytest.mark.parametrize(
    ("gross", "required"),
    [
        (0, 0),
        (1, 1),
        (20, 1),
        (21, 2),
        (16_000 * W, 800 * W),
        (20 * 10**6 * W - 1, 10**6 * W),
        (20 * 10**6 * W, 10**6 * W),
        (20 * 10**6 * W + 1, 10**6 * W + 1),
        (20 * 10**6 * W + 10, 10**6 * W + 1),
        (20 * 10**6 * W + 11, 10**6 * W + 2),
        (110 * 10**6 * W, 10**7 * W),
        (110 * 10**6 * W + 1, 10**7 * W + 1),
        (110 * 10**6 * W + 5, 10**7 * W + 1),
        (110 * 10**6 * W + 6, 10**7 * W + 2),
        (160 * 10**6 * W, 2 * 10**7 * W),
    ],
)
def test_each_slice_of_equity_supports_its_own_leverage(gross: int, required: int) -> None:
    """MRG-9: the reference tiers with their borders at -1, 0 and +1 wei; rounded up against the account."""
    assert compute_required_equity(TIERS, gross) == required


def test_what_a_slice_supports_is_rounded_down() -> None:
    """MRG-9, T6: the first slice of 3 wei at 1.5x supports 4 wei, not 4.5; the fifth needs the next slice."""
    rows = (EquityTier(0, W * 3 // 2), EquityTier(3, W))
    assert [compute_required_equity(rows, gross) for gross in (3, 4, 5, 6)] == [2, 3, 4, 5]
    assert compute_required_equity((), 7) == 0, "a vault without tiers asks nothing, and cannot be configured"


def supported(rows: tuple[EquityTier, ...], equity: int) -> Fraction:
    """The notional that an equity supports, without rounding."""
    total = Fraction(0)
    for index, row in enumerate(rows):
        upper = rows[index + 1].lower if index + 1 < len(rows) else equity
        total += Fraction(max(0, min(equity, upper) - row.lower) * row.leverage, W)
    return total


@given(equity_tiers(), st.integers(0, 10**27) | st.integers(0, 10), st.integers(0, 10**26))
def test_the_required_equity_supports_the_notional_and_is_the_least_but_for_rounding(
    rows: tuple[EquityTier, ...], gross: int, more: int
) -> None:
    """MRG-9, T1: enough, within a wei a tier of the least; never falls, and a wei of notional needs at most two."""
    required = compute_required_equity(rows, gross)
    assert supported(rows, required) >= gross
    slack = len(rows) + 1
    assert required <= slack or supported(rows, required - slack) < gross
    assert required <= compute_required_equity(rows, gross + more)
    assert compute_required_equity(rows, gross + 1) - required <= 2


@given(equity_tiers(), st.integers(0, 10**26), st.integers(0, 10**26))
def test_required_equity_is_convex(rows: tuple[EquityTier, ...], one: int, other: int) -> None:
    """MRG-9, M11, T2: one account needs at least what two need for the same notional, but for rounding."""
    apart = compute_required_equity(rows, one) + compute_required_equity(rows, other)
    assert apart <= compute_required_equity(rows, one + other) + len(rows) + 1


@pytest.mark.parametrize(
    ("equity_im", "gross", "below"),
    [(800, 16_000, False), (799, 16_000, True), (800, 16_001, True), (-5, 0, False), (-5, 1, True), (0, 1, True)],
)
def test_an_account_is_below_its_tier_when_its_equity_supports_less(equity_im: int, gross: int, below: bool) -> None:
    """MRG-9: equality is enough; a negative equity supports nothing."""
    assert is_below_tiers(RISK, Health(0, 0, equity_im * W, 0, 0, 0, gross * W, 0)) is below


def test_gross_notional_adds_long_and_short() -> None:
    """MRG-9, MRG-4: hedged positions count twice; each is rounded up."""
    positions = {BTC: opened(W, BTC_PRICE), ETH: opened(-W, ETH_PRICE)}
    assert compute_health(state_with(), holding(0, {}, positions), env()).gross_notional == 8_200 * W
    tiny = {BTC: Position(1, 0, 0), ETH: Position(-1, 0, 0)}
    assert compute_health(state_with(), holding(0, {}, tiny), env(btc=1, eth=1)).gross_notional == 2
