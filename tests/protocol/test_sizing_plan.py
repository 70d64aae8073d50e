"""Which positions a liquidation closes, in what order, and that it is enough and hardly more: SIZ-1, L4."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.account_state import AccountState, compute_account_state
from protocol.draft import Draft
from protocol.margin import Health, compute_health, compute_margins, compute_notional
from protocol.params import MarginBracket, MarketParams, RiskParams
from protocol.policy import LIQUIDATION
from protocol.sizing import ROUNDING_SLACK, Exposure, measure, plan_closes, rank
from protocol.state import Account, Position, State
from protocol.units import W, cdiv
from protocol.window import add_closed
from tests.protocol.brackets import TIERS, percent
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    MARKETS,
    NOW,
    env,
    holding,
    opened,
    state_with,
    with_params,
    with_risk,
)
from tests.twins import RISK

# --- SIZ-1: order and plan ------------------------------------------------------------------------------------------


def test_positions_are_ranked_by_relief_then_margin_then_market() -> None:
    """SIZ-1, X4: whatever the order they come in; size and notional decide nothing."""
    ranked = [
        Exposure(5, W, 1, 1, maintenance=1, relief=16),
        Exposure(3, W, 1, 1, maintenance=60, relief=15),
        Exposure(1, W, 1, 1, maintenance=50, relief=15),
        Exposure(2, 9 * W, 9, 9, maintenance=50, relief=15),
    ]
    for order in permutations(ranked):
        assert rank(order) == ranked


def plan_of(
    state: State, btc: int = BTC_PRICE, eth: int = ETH_PRICE, standing: AccountState | None = None
) -> list[tuple[int, int]]:
    """Market and lots of each close, in order."""
    seen = env(btc=btc, eth=eth)
    draft = Draft(state)
    account = draft.account(ACCOUNT)
    found = compute_health(state, account, seen)
    measured = compute_account_state(state.risk, found)
    assert measured == AccountState.LIQUIDATABLE or standing is not None
    plan = plan_closes(draft, account, seen, found, measured if standing is None else standing, LIQUIDATION)
    return [(exposure.market, size // state.market_params[exposure.market].lot) for exposure, size in plan]


def holder(cash: int, btc: int = 0, eth: int = 0, risk: RiskParams = RISK, window: int = 0) -> State:
    """An account with whole dollars of cash and lots of BTC and ETH, in markets with or without a window."""
    positions = {
        market: opened(lots * MARKETS[market].lot, price)
        for market, lots, price in ((BTC, btc, BTC_PRICE), (ETH, eth, ETH_PRICE))
        if lots
    }
    markets = tuple(replace(market, window=window) for market in MARKETS)
    return state_with({ACCOUNT: holding(cash * W, positions=positions)}, pool=10**6 * W, risk=risk, markets=markets)


def test_a_liquidatable_account_is_closed_to_the_target_and_a_worse_one_whole() -> None:
    """SIZ-1: 10 BTC need 2,000; with 2,009 a shortage of 206 dollars closes 20,600, and a wei's slack a lot more."""
    assert plan_of(holder(2_009, btc=10_000)) == [(BTC, 2_576)]
    for standing in (AccountState.BACKSTOP, AccountState.BANKRUPT):
        assert plan_of(holder(2_009, btc=10_000), standing=standing) == [(BTC, 10_000)]
        assert plan_of(holder(2_009, eth=10**5, btc=1_000), standing=standing) == [(ETH, 10**5), (BTC, 1_000)]


def test_longs_and_shorts_close_alike() -> None:
    """SIZ-1, X6: the size of a plan has no sign."""
    assert plan_of(holder(2_009, btc=-10_000)) == plan_of(holder(2_009, btc=10_000))


def test_the_position_with_the_larger_margin_goes_first_and_the_next_takes_the_rest() -> None:
    """SIZ-1: in one bracket the larger margin; what it cannot cover in full goes to the next, at its own relief."""
    # BTC 80,000 and ETH 20,000 of notional: 2,500 of margin. BTC in full relieves 800 dollars, ETH 200.
    assert plan_of(holder(2_500, btc=10_000, eth=10_000)) == [(BTC, 3_313)]
    # A shortage of 980: 800 from BTC, and 180, 18,000 dollars, from ETH.
    assert plan_of(holder(1_785, btc=10_000, eth=10_000)) == [(BTC, 10_000), (ETH, 9_001)]
    # 10 dollars more take 1,000 more of ETH, and the 1,000 that would remain become less than the minimum.
    assert plan_of(holder(1_775, btc=10_000, eth=10_000)) == [(BTC, 10_000), (ETH, 10_000)]


def test_a_position_in_a_higher_bracket_goes_first() -> None:
    """SIZ-1, SIZ-4: relief before margin, and a position is walked from its upper bracket into the lower one."""
    # 1,200,000 of BTC need 33,000, with the reserve 33,010: 3,345 lack to the target and are 126,226 at 2.65 %.
    assert plan_of(holder(32_970, btc=150_000)) == [(BTC, 15_779)]
    # 990,000 of ETH need 24,750 more. 5,840 lack: 5,300 from the 200,000 in the bracket of 4 %, 54,000 below it.
    assert plan_of(holder(57_700, btc=150_000, eth=495_000)) == [(BTC, 31_751)]
    # A larger margin in a lower bracket waits: 1,600,000 of BTC at 2.5 % alone, 1,010,000 of ETH up to 4 %.
    one = tuple(replace(market, brackets=TIERS[: 1 if market.feed == BTC else 2], window=0) for market in MARKETS)
    state = replace(holder(65_000, btc=200_000, eth=505_000), market_params=one)
    assert compute_margins(one[BTC].brackets, 1_600_000 * W)[0] > compute_margins(one[ETH].brackets, 1_010_000 * W)[0]
    assert plan_of(state) == [(ETH, 339_501)]


def with_left(state: State, market: int, left: int) -> State:
    """The state with so much left in a market's window, in dollars; its length is an hour."""
    params = replace(state.market_params[market], window=3_600)
    window = add_closed(params, state.windows[market], NOW, params.window_notional - left * W)
    windows = (*state.windows[:market], window, *state.windows[market + 1 :])
    return replace(with_params(state, market, window=3_600), windows=windows)


@pytest.mark.parametrize(
    ("left", "plan"),
    [
        # A shortage of 265 and the slack are 26,500.01 dollars at 1 %, 3,313 lots.
        (10**5, [(BTC, 3_313)]),
        (26_504, [(BTC, 3_313)]),
        # A lot of 8 dollars less relieves 264.96: the rest and the slack are 2 or 3 lots of ETH.
        (26_503, [(BTC, 3_312), (ETH, 3)]),
        (16_500, [(BTC, 2_062), (ETH, 5_003)]),
        # From here on ETH, 20,000 dollars, is not enough and goes in full.
        (6_500, [(BTC, 812), (ETH, 10_000)]),
        (8, [(BTC, 1), (ETH, 10_000)]),
        (7, [(ETH, 10_000)]),
        (0, [(ETH, 10_000)]),
    ],
)
def test_what_a_window_holds_back_is_sought_in_the_next_market(left: int, plan: list[tuple[int, int]]) -> None:
    """SIZ-1, SIZ-5, WIN-3: each market to what its own window allows; one that allows nothing is left out."""
    state = with_left(holder(2_500, btc=10_000, eth=10_000), BTC, left)
    assert plan_of(state) == plan
    # An account that is worse off asks no window.
    assert plan_of(state, standing=AccountState.BACKSTOP) == [(BTC, 10_000), (ETH, 10_000)]
    # Alone in its market, or before markets that are shut too, the account gets less than it needs, or nothing.
    alone = with_left(holder(2_009, btc=10_000), BTC, left)
    lots = min(left // 8, 2_576)
    assert plan_of(alone) == ([(BTC, lots)] if lots else [])
    assert plan_of(with_left(state, ETH, 1)) == plan[: plan[0][0] == BTC]


def test_a_market_without_a_window_is_not_limited() -> None:
    """SIZ-1, WIN-3: a length of 0 means none, whatever notional stands beside it."""
    state = with_params(holder(2_500, btc=10_000, eth=10_000), BTC, window_notional=0)
    assert plan_of(state) == [(BTC, 3_313)]


def test_a_position_that_is_dust_is_left_alone_when_it_is_not_needed() -> None:
    """SIZ-1, SIZ-5: 400 dollars of ETH could only be closed whole, and nothing is lacking any more."""
    # 2,010 and 10 of margin for 80,400 dollars: 214 lack, and BTC relieves them.
    assert plan_of(holder(2_012, btc=10_000, eth=200)) == [(BTC, 2_676)]
    exact = holder(2_012, btc=10_000, eth=200, risk=with_risk(fixed_reward=5 * W - ROUNDING_SLACK))
    assert plan_of(exact) == [(BTC, 2_675)]


def test_a_close_limited_in_its_upper_bracket_passes_on_what_is_missing_at_that_rate() -> None:
    """SIZ-1, SIZ-4: 100,000 of the bracket of 4 % relieve 2,650, and ETH at 1 % is asked for the rest."""
    state = with_left(holder(57_700, btc=150_000, eth=495_000), BTC, 100_000)
    # 5,840 less 2,650 are 3,190, or 319,000 of ETH.
    assert plan_of(state) == [(BTC, 12_500), (ETH, 159_501)]


# --- L4: enough, and not a lot more than enough ---------------------------------------------------------------------

ROWS = (MarginBracket(0, percent(250), percent(500)), MarginBracket(3_000 * W, percent(400), percent(800)))
SMALL = tuple(
    replace(market, lot=lot, min_notional=600 * W, brackets=ROWS, window=0)
    for market, lot in zip(MARKETS, (W // 50, W // 2), strict=True)  # 160 and 100 dollars
)


def is_enough(state: State, account: Account, closed: dict[int, int], btc: int, eth: int) -> bool:
    """The target of SIZ-3 with every cost at its most, in exact fractions, after closing sizes at the oracle price."""
    seen = env(btc=btc, eth=eth)
    prices = {BTC: btc, ETH: eth}
    found = compute_health(state, account, seen)
    buffered = Fraction(W + state.risk.liquidation_buffer, W)
    cost = Fraction(state.risk.closing_cost_ratio, W)
    equity = Fraction(found.equity_mm - found.reserve - state.risk.fixed_reward)
    margin = Fraction(0)
    for market, position in account.positions.items():
        notional = Fraction(abs(position.size) * prices[market], W)
        part = Fraction(closed.get(market, 0) * prices[market], W)
        equity -= cost * part
        for index, bracket in enumerate(ROWS):
            upper = Fraction(ROWS[index + 1].lower) if index + 1 < len(ROWS) else notional
            margin += max(min(upper, notional - part) - bracket.lower, Fraction(0)) * bracket.mm_rate / W
    return equity >= buffered * margin


@given(
    btc_lots=st.integers(5, 40),
    eth_lots=st.integers(7, 60) | st.just(0),
    short=st.booleans(),
    btc=st.integers(7_000, 9_000),
    eth=st.integers(180, 220),
    buffer=st.integers(0, 2_000),
    above=st.integers(0, 10**6),
)
@example(btc_lots=40, eth_lots=60, short=False, btc=8_000, eth=200, buffer=1_000, above=10**6)
def test_a_partial_plan_is_within_a_lot_of_the_smallest_sufficient_one(
    btc_lots: int, eth_lots: int, short: bool, btc: int, eth: int, buffer: int, above: int
) -> None:
    """SIZ-1 to SIZ-5, L4: against a search lot by lot in the same order; never too little, at most a lot too much.

    Two things close more: a remainder that would be dust, and the slack for roundings, less than a lot's worth.
    """
    side = -1 if short else 1
    sizes = {BTC: side * btc_lots * SMALL[BTC].lot, ETH: eth_lots * SMALL[ETH].lot}
    positions = {market: opened(size, (btc, eth)[market] * W) for market, size in sizes.items() if size}
    risk = with_risk(liquidation_buffer=percent(buffer))
    probe = holding(0, positions=positions)
    prices = (btc * W, eth * W)
    empty = compute_health(state_with(risk=risk, markets=SMALL), probe, env(btc=prices[0], eth=prices[1]))
    # Between two thirds of maintenance and a wei below it.
    margin = empty.maintenance_margin - empty.reserve
    least = cdiv(margin * risk.backstop_ratio, 10**4) + empty.reserve - empty.equity_mm
    most = empty.maintenance_margin - empty.equity_mm - 1
    account = holding(least + (most - least) * above // 10**6, positions=positions)
    state = state_with({ACCOUNT: account}, pool=10**6 * W, risk=risk, markets=SMALL)
    plan = plan_of(state, *prices)
    assert plan, "something is always closed"

    ranked = rank([measure(state, env(btc=prices[0], eth=prices[1]), market, sizes[market]) for market in positions])
    assert [market for market, _ in plan] == [exposure.market for exposure in ranked][: len(plan)]
    closed = {market: lots * SMALL[market].lot for market, lots in plan}
    last, lots = plan[-1]
    whole = abs(sizes[last]) // SMALL[last].lot
    everything = len(plan) == len(positions) and lots == whole
    assert everything or is_enough(state, account, closed, *prices)
    for market, count in plan[:-1]:
        assert count * SMALL[market].lot == abs(sizes[market]), "the next position only after the whole of this one"
    # The search: the last market lot by lot, the ones before it closed in full; or not needed at all.
    before = {market: size for market, size in closed.items() if market != last}
    assert not before or not is_enough(state, account, before, *prices)
    needed = next(
        (n for n in range(whole + 1) if is_enough(state, account, {**before, last: n * SMALL[last].lot}, *prices)),
        whole,
    )
    dust = compute_notional(abs(sizes[last]) - (needed + 1) * SMALL[last].lot, prices[last]) < SMALL[last].min_notional
    assert needed <= lots
    assert lots <= needed + 1 or (lots == whole and dust)


def single(params: MarketParams = SMALL[BTC], cash: int = 0, lots: int = 40) -> State:
    """One BTC position of 160 dollars a lot."""
    account = holding(cash, positions={BTC: opened(lots * params.lot, BTC_PRICE)})
    return state_with({ACCOUNT: account}, pool=10**6 * W, markets=(params, SMALL[ETH]))


def test_every_wei_of_equity_below_maintenance_gives_the_smallest_plan_of_its_own() -> None:
    """SIZ-1 to SIZ-5, L4: from maintenance downwards: each plan is enough, a lot less is not, and plans only grow."""
    margin = compute_margins(ROWS, 6_400 * W)[0] + 10 * W
    earlier = 0
    for cents in range(1, 6_000, 37):
        cash = margin - cents * W // 100
        state = single(cash=cash)
        if compute_account_state(state.risk, health_of(state)) != AccountState.LIQUIDATABLE:
            break
        ((_, lots),) = plan_of(state)
        account = state.accounts[ACCOUNT]
        assert lots >= earlier
        assert lots == 40 or is_enough(state, account, {BTC: lots * SMALL[BTC].lot}, BTC_PRICE, ETH_PRICE)
        if lots < 40:
            assert not is_enough(state, account, {BTC: (lots - 1) * SMALL[BTC].lot}, BTC_PRICE, ETH_PRICE)
        earlier = lots
    assert earlier > 20


def health_of(state: State) -> Health:
    """The account as measured at the usual prices."""
    return compute_health(state, state.accounts[ACCOUNT], env())


def test_a_position_whose_price_moved_is_sized_by_its_notional_now() -> None:
    """SIZ-1, SIZ-2: cost and entry do not matter, only equity and the price."""
    state = single(cash=170 * W)
    bought = state.accounts[ACCOUNT].positions[BTC]
    moved = Position(bought.size, bought.cost - 60 * W, 0)
    other = state_with(
        {ACCOUNT: holding(110 * W, positions={BTC: moved})}, pool=10**6 * W, markets=(SMALL[BTC], SMALL[ETH])
    )
    assert plan_of(state) == plan_of(other)
