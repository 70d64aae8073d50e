"""Account value, margin requirements and account state."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.env import Status
from protocol.margin import (
    AccountState,
    Health,
    compute_account_state,
    compute_health,
    compute_margins,
    compute_notional,
    compute_pnl,
    is_liquidatable,
)
from protocol.params import CollateralParams, HaircutBracket, MarginBracket, check_market
from protocol.records import Table
from protocol.state import Account, Position, State, account_id
from protocol.units import BPS, PRICE_LIMIT, SIZE_LIMIT, W, cdiv
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    BTC_PRICE,
    COLLATERAL,
    ETH,
    ETH_PRICE,
    MARKETS,
    STRANGER,
    WETH,
    env,
    holding,
    opened,
    state_with,
    with_risk,
)
from tests.twins import RISK

ROWS = MARKETS[BTC].brackets
RULEBOOK_ROWS = tuple(
    MarginBracket(low * W, mm * W // 1_000, im * W // 1_000)
    for low, mm, im in ((0, 5, 10), (50_000, 10, 20), (250_000, 25, 50))
)
SIZES = st.integers(1, 10**6 * W) | st.integers(1, 100)
SIGNED_SIZES = SIZES | SIZES.map(lambda size: -size)
PRICES = st.integers(1, 10**6 * W) | st.integers(1, 100)
NOTIONALS = st.one_of(
    st.integers(0, 40 * 10**6 * W),
    st.builds(lambda border, step: border * 10**6 * W + step, st.sampled_from((1, 5, 20)), st.integers(-3, 3)),
    st.integers(0, 5),
)


@st.composite
def margin_rows(draw: st.DrawFn) -> tuple[MarginBracket, ...]:
    """Any brackets that pass the checks, to the wei."""
    count = draw(st.integers(1, 8))
    lowers = [0, *sorted(draw(st.lists(st.integers(1, 10**25), min_size=count - 1, max_size=count - 1, unique=True)))]
    cost = RISK.closing_cost_ratio
    rates = st.lists(st.integers(cost + 1, W // 2), min_size=count, max_size=count, unique=True)
    mm = sorted(draw(rates))
    rows, im_below = [], 0
    for low, rate in zip(lowers, mm, strict=True):
        least = max(rate + cost + W // 200, cdiv(rate * 5, 4), im_below + 1)  # room for the fixed reward at 1,000 USD
        im_below = draw(st.integers(least, least + W // 100))
        rows.append(MarginBracket(low, rate, im_below))
    check_market(RISK, replace(MARKETS[BTC], brackets=tuple(rows)))
    return tuple(rows)


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
        (Position(W, 8_000 * W), 8_500 * W, 500 * W),
        (Position(-W, -8_000 * W), 8_500 * W, -500 * W),
        (Position(W, 8_000 * W), 7_500 * W, -500 * W),
        (Position(-W, -8_000 * W), 7_500 * W, 500 * W),
        (Position(0, 0), BTC_PRICE, 0),
        (Position(1, 0), W - 1, 0),
        (Position(1, 0), W, 1),
        (Position(1, 0), W + 1, 1),
        (Position(-1, 0), 1, -1),
        (Position(-1, 0), W, -1),
        (Position(-1, 0), W + 1, -2),
        (Position(W, 5), 0, -5),
    ],
)
def test_profit_rounds_down_for_both_sides(position: Position, price: int, pnl: int) -> None:
    """MRG-2, T7: value less cost, rounded to minus infinity, so a fraction of a wei is always against the account."""
    assert compute_pnl(position, price) == pnl


@given(SIGNED_SIZES, PRICES, st.integers(-(10**30), 10**30))
def test_mirrored_positions_have_mirrored_profit_within_a_wei(size: int, price: int, cost: int) -> None:
    """MRG-2, T8: the profits of a long and its mirror sum to 0 or to -1 wei, never to a gain."""
    long, short = compute_pnl(Position(size, cost), price), compute_pnl(Position(-size, -cost), price)
    assert long + short in {0, -1}
    assert compute_notional(size, price) == compute_notional(-size, price)


@given(SIGNED_SIZES, st.integers(-(10**30), 10**30), PRICES, st.integers(0, 10**24))
def test_a_higher_price_never_hurts_a_long_or_helps_a_short(size: int, cost: int, price: int, rise: int) -> None:
    """MRG-2, N2: profit is monotone in the price."""
    before, after = compute_pnl(Position(size, cost), price), compute_pnl(Position(size, cost), price + rise)
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
    """CFG-4, M4: IM covers MM, reward and penalty from the minimum notional up, within 2 wei."""
    mm, im = compute_margins(rows, notional)
    worst = RISK.fixed_reward + Fraction(notional * RISK.closing_cost_ratio, W)
    assert im + 2 >= mm + worst


@given(margin_rows(), st.integers(1, 10**26), st.integers(0, 10**20))
def test_initial_margin_lies_above_the_margin_call_zone(
    rows: tuple[MarginBracket, ...], notional: int, reserve: int
) -> None:
    """CFG-3, MRG-5, M4: an account at its initial margin is not born in the zone, but for 2 wei of rounding.

    Where a bracket has exactly 125 % between its rates, the two margins rounded up can be a wei closer than that.
    """
    mm, im = compute_margins(rows, notional)
    health = Health(im + reserve + 2, im + reserve + 2, im + reserve + 2, mm + reserve, im + reserve, reserve, 0)
    assert compute_account_state(RISK, health) is AccountState.HEALTHY


def test_a_bracket_without_slack_can_open_a_wei_inside_the_zone() -> None:
    """CFG-3, MRG-5, M4: the case in which the 2 wei are needed, and the reference brackets, where they are not."""
    tight = (MarginBracket(0, W // 10, W // 8),)
    mm, im = compute_margins(tight, 8 * W + 8)
    assert (mm, im) == (8 * W // 10 + 1, W + 1)
    for wei, state in ((0, AccountState.MARGIN_CALL), (1, AccountState.HEALTHY)):
        assert compute_account_state(RISK, Health(im + wei, im + wei, im + wei, mm, im, 0, 0)) is state
    mm, im = compute_margins(ROWS, 8 * W + 8)
    assert compute_account_state(RISK, Health(im, im, im, mm, im, 0, 0)) is AccountState.HEALTHY


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
        price_status=0,
    )


def test_each_collateral_is_measured_by_its_own_parameters() -> None:
    """MRG-4: price, decimals and weights of the token itself, whichever others the account holds."""
    other = CollateralParams(BTC, 8, (HaircutBracket(0, W // 2, W // 4),))
    state = state_with(collateral=(COLLATERAL[0], other))
    both = compute_health(state, holding(0, {WETH: 10**18, 2: 10**8}), env())
    assert (both.equity_raw, both.equity_mm, both.equity_im) == (8_200 * W, 180 * W + 4_000 * W, 170 * W + 2_000 * W)
    assert compute_health(state, holding(0, {2: 10**8}), env()).equity_mm == 4_000 * W


def test_unrealised_profit_counts_for_maintenance_and_not_for_initial() -> None:
    """MRG-4, M6: a profit of one wei shows in equity_mm only, a loss of one wei in both."""
    state = state_with()
    for wei, in_mm, in_im in ((1, 1, 0), (0, 0, 0), (-1, -1, -1)):
        account = holding(positions={BTC: Position(W, 8_000 * W - wei)})
        health = compute_health(state, account, env())
        assert (health.equity_raw, health.equity_mm, health.equity_im) == (in_mm, in_mm, in_im)


def test_profit_of_one_market_does_not_offset_loss_of_another_in_equity_im() -> None:
    """MRG-4: profits count 0 per position, so they do not hide the loss of another position."""
    account = holding(positions={BTC: Position(W, 7_000 * W), ETH: Position(W, 1_200 * W)})
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


def test_a_stale_price_counts_as_it_is_and_a_missing_one_as_zero() -> None:
    """MRG-4, M8: measuring never refuses; collateral without a price contributes nothing."""
    state, account = both_markets()
    fresh = compute_health(state, account, env())
    stale = compute_health(state, account, env(btc_status=int(Status.STALE_HARD)))
    assert replace(stale, price_status=0) == fresh
    missing = compute_health(state, account, replace(env(), quotes=()))
    assert missing.price_status == Status.UNAVAILABLE
    assert missing.equity_raw == 1_000 * W - 4_000 * W + 2_000 * W
    assert missing.maintenance_margin == missing.initial_margin == missing.reserve == 10 * W


def test_health_does_not_depend_on_other_accounts_or_the_caller() -> None:
    """MRG-4, M7: neither who asks nor what others hold changes the measure."""
    state, account = both_markets()
    crowded = state_with({ACCOUNT: account, account_id(STRANGER): holding(cash=-5, collateral={WETH: 10**18})}, pool=W)
    surroundings = env(sender=STRANGER)
    assert compute_health(crowded, account, surroundings) == compute_health(state, account, env())


def test_a_flat_account_with_usdc_depends_on_no_price() -> None:
    """MRG-4, N2: USDC counts 1."""
    for surroundings in (env(), env(btc=1, eth=1), replace(env(), quotes=())):
        assert compute_health(state_with(), holding(cash=123), surroundings) == Health(123, 123, 123, 0, 0, 0, 0)


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


def measured(raw: int, mm: int, im: int | None = None, margin: int = 100 * W, reserve: int = 10 * W) -> Health:
    """A health with maintenance margin ``margin`` and initial margin twice as high, reserve included."""
    return Health(raw, mm, mm if im is None else im, margin + reserve, 2 * margin + reserve, reserve, 0)


@pytest.mark.parametrize(
    ("health", "state"),
    [
        # equity_raw decides first, whatever the rest.
        (measured(-1, 10**30), AccountState.BANKRUPT),
        (measured(0, 10**30), AccountState.HEALTHY),
        # The backstop border: equity_mm less reserve at 66.67 % of the margin less reserve.
        (measured(W, 10 * W + 66_670 * W // 1_000 - 1), AccountState.BACKSTOP),
        (measured(W, 10 * W + 66_670 * W // 1_000), AccountState.LIQUIDATABLE),
        (measured(W, 10 * W + 66_670 * W // 1_000 + 1), AccountState.LIQUIDATABLE),
        (measured(W, -1), AccountState.BACKSTOP),
        # The maintenance border: equality is safe.
        (measured(W, 110 * W - 1), AccountState.LIQUIDATABLE),
        (measured(W, 110 * W), AccountState.MARGIN_CALL),
        (measured(W, 110 * W + 1), AccountState.MARGIN_CALL),
        # The margin-call border at 125 %, reserve not scaled.
        (measured(W, 135 * W - 1, 10**30), AccountState.MARGIN_CALL),
        (measured(W, 135 * W, 10**30), AccountState.HEALTHY),
        (measured(W, 135 * W + 1, 10**30), AccountState.HEALTHY),
        # The initial border.
        (measured(W, 10**30, 210 * W - 1), AccountState.RESTRICTED),
        (measured(W, 10**30, 210 * W), AccountState.HEALTHY),
        (measured(W, 10**30, 210 * W + 1), AccountState.HEALTHY),
        # Without a position both margins are 0 and three states are left.
        (measured(-1, -1, -1, 0, 0), AccountState.BANKRUPT),
        (measured(0, -1, -5, 0, 0), AccountState.LIQUIDATABLE),
        (measured(0, 0, -5, 0, 0), AccountState.HEALTHY),
        (measured(0, 1, -5, 0, 0), AccountState.HEALTHY),
    ],
)
def test_the_worst_state_whose_test_holds(health: Health, state: AccountState) -> None:
    """MRG-5: every border of the account states at -1, 0 and +1 wei."""
    assert compute_account_state(RISK, health) is state


def test_the_state_borders_follow_the_parameters() -> None:
    """MRG-5: buffers are parameters, compared by cross multiplication."""
    health = measured(W, 10 * W + 50 * W)
    assert compute_account_state(with_risk(backstop_ratio=5_000), health) is AccountState.LIQUIDATABLE
    assert compute_account_state(with_risk(backstop_ratio=5_001), health) is AccountState.BACKSTOP
    above = measured(W, 10 * W + 101 * W, 10**30)
    assert compute_account_state(with_risk(margin_call_buffer=W // 100), above) is AccountState.HEALTHY
    assert compute_account_state(with_risk(margin_call_buffer=W // 100 + 1), above) is AccountState.MARGIN_CALL
    # A single wei of margin: nothing is lost to rounding.
    tiny = measured(W, 1, 10**30, margin=1, reserve=0)
    assert compute_account_state(RISK, tiny) is AccountState.MARGIN_CALL
    assert compute_account_state(RISK, replace(tiny, equity_mm=2)) is AccountState.HEALTHY


def test_states_are_numbered_from_the_worst() -> None:
    """MRG-5: the numbers are the contract's."""
    assert [(state.name, int(state)) for state in AccountState] == [
        ("BANKRUPT", 0),
        ("BACKSTOP", 1),
        ("LIQUIDATABLE", 2),
        ("MARGIN_CALL", 3),
        ("RESTRICTED", 4),
        ("HEALTHY", 5),
    ]


def test_an_account_is_liquidatable_strictly_below_maintenance() -> None:
    """LIQ-4, M3: equality is safe."""
    assert is_liquidatable(measured(W, 110 * W - 1))
    assert not is_liquidatable(measured(W, 110 * W))
    assert not is_liquidatable(measured(W, 110 * W + 1))
    assert is_liquidatable(measured(0, -1, -1, 0, 0))
    assert not is_liquidatable(measured(0, 0, 0, 0, 0))


@given(
    cash=st.integers(-(10**22), 10**22),
    weth=st.integers(0, 10**20),
    size=SIGNED_SIZES | st.just(0),
    prices=st.tuples(PRICES, PRICES),
)
def test_the_three_worst_states_are_exactly_the_liquidatable_ones(
    cash: int, weth: int, size: int, prices: tuple[int, int]
) -> None:
    """MRG-5, LIQ-4: state and liquidation test agree on every account with usable prices."""
    account = holding(cash, {WETH: weth} if weth else {}, {BTC: opened(size, BTC_PRICE)} if size else {})
    health = compute_health(state_with(), account, env(btc=prices[0], eth=prices[1]))
    state = compute_account_state(RISK, health)
    assert (state <= AccountState.LIQUIDATABLE) == is_liquidatable(health)
    if not account.positions:
        assert state in {AccountState.BANKRUPT, AccountState.LIQUIDATABLE, AccountState.HEALTHY}
    margin, above = health.maintenance_margin - health.reserve, health.equity_mm - health.reserve
    if state is AccountState.BACKSTOP:
        assert Fraction(above, margin) < Fraction(RISK.backstop_ratio, BPS)
    if state is AccountState.MARGIN_CALL:
        assert 1 <= Fraction(above, margin) < 1 + Fraction(RISK.margin_call_buffer, W)
