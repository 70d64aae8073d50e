"""How much of which position a liquidation closes."""

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
from protocol.sizing import (
    ROUNDING_SLACK,
    Exposure,
    brackets_in_force,
    compute_freed,
    compute_relief,
    compute_shortage,
    leave_no_dust,
    limit_close,
    measure,
    plan_closes,
    rank,
    round_close,
    walk_down,
)
from protocol.state import Account, MarketPhase, Position, State
from protocol.units import W, cdiv
from protocol.window import add_closed
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

BTC_MARKET = MARKETS[BTC]
TIERS = BTC_MARKET.brackets  # 2.5 % to 1 million, 4 % to 5, 7.5 % to 20, 15 % beyond
LOT = BTC_MARKET.lot
NO_PHASE = MarketPhase(0, (), 0)


def percent(hundredths: int) -> int:
    """A ratio from hundredths of a percent."""
    return hundredths * W // 10**4


# --- SIZ-2: relief --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "relief"), [(250, 10_000), (400, 26_500), (750, 65_000), (1_500, 147_500)])
def test_relief_is_the_buffered_margin_freed_less_the_cost_of_closing(rate: int, relief: int) -> None:
    """SIZ-2: 1.1 times the rate, less 0.25 % of reward, 1 % of penalty and 0.5 % of impact; in millionths."""
    assert compute_relief(RISK, percent(rate)) == relief * W // 10**6


def test_relief_is_rounded_down_and_takes_every_cost() -> None:
    """SIZ-2, T6: a fraction is not counted on; each of the three costs at its most lowers it."""
    assert compute_relief(with_risk(liquidation_buffer=0), W // 40) == W // 40 - RISK.closing_cost_ratio
    assert compute_relief(with_risk(liquidation_buffer=1), W - 1) == W - 1 - RISK.closing_cost_ratio
    assert compute_relief(with_risk(liquidation_buffer=1), W) == W + 1 - RISK.closing_cost_ratio
    relief = compute_relief(RISK, W // 40)
    assert compute_relief(with_risk(reward_ratio_max=RISK.reward_ratio_max + 1), W // 40) == relief - 1
    assert compute_relief(with_risk(penalty_ratio=RISK.penalty_ratio + 1), W // 40) == relief - 1
    assert compute_relief(with_risk(impact_cap_ratio=RISK.impact_cap_ratio + 1), W // 40) == relief - 1
    assert compute_relief(with_risk(reward_ratio=0), W // 40) == relief


@pytest.mark.parametrize(
    ("size", "price", "notional", "maintenance", "rate"),
    [
        (W, 8_000 * W, 8_000 * W, 200 * W, 250),
        (-W, 8_000 * W, 8_000 * W, 200 * W, 250),
        # Exactly at a border the position does not reach into the next bracket; a wei more does.
        (125 * W, 8_000 * W, 10**6 * W, 25_000 * W, 250),
        (10**6 * W + 1, W, 10**6 * W + 1, 25_000 * W + 1, 400),
        (-5 * 10**6 * W, W, 5 * 10**6 * W, 185_000 * W, 400),
        (5 * 10**6 * W + 1, W, 5 * 10**6 * W + 1, 185_000 * W + 1, 750),
        (21 * 10**6 * W, W, 21 * 10**6 * W, 1_460_000 * W, 1_500),
        (1, 1, 1, 1, 250),
    ],
)
def test_a_position_is_measured_by_its_highest_bracket(
    size: int, price: int, notional: int, maintenance: int, rate: int
) -> None:
    """SIZ-2: notional and margin as the margin check has them, relief of the bracket the notional reaches into."""
    exposure = measure(state_with(), env(btc=price), BTC, size)
    assert exposure == Exposure(BTC, size, price, notional, maintenance, compute_relief(RISK, percent(rate)))


def test_the_brackets_in_force_are_those_that_ask_less() -> None:
    """SIZ-2, MRG-8: before the end of a phase, by this notional; from its end on the new ones."""
    dear = (MarginBracket(0, percent(300), percent(600)),)
    cheap = (MarginBracket(0, percent(200), percent(600)), MarginBracket(10**6 * W, percent(1_000), percent(2_000)))
    params = replace(BTC_MARKET, brackets=dear)
    phase = MarketPhase(NOW + 10, cheap, 0)
    assert brackets_in_force(params, phase, NOW + 9, 10**5 * W) == cheap
    assert brackets_in_force(params, phase, NOW + 10, 10**5 * W) == dear
    assert brackets_in_force(params, phase, NOW + 9, 2 * 10**6 * W) == dear
    # Where both ask the same, the new ones hold: at 8/7 of a million.
    even = 8 * 10**6 * W // 7 - 8 * 10**6 * W // 7 % 100
    assert brackets_in_force(params, phase, NOW + 9, even - 10**6) == cheap
    assert brackets_in_force(params, phase, NOW + 9, even + 10**6) == dear
    assert brackets_in_force(params, MarketPhase(NOW + 10, dear, 0), NOW, W) is params.brackets
    assert brackets_in_force(params, NO_PHASE, NOW, W) == dear
    state = replace(state_with(markets=(params,)), market_phases=(phase,))
    found = measure(state, env(btc=10**5 * W, now=NOW + 9), BTC, W)
    assert (found.maintenance, found.relief) == (2_000 * W, compute_relief(RISK, percent(200)))
    found = measure(state, env(btc=10**5 * W, now=NOW + 10), BTC, W)
    assert (found.maintenance, found.relief) == (3_000 * W, compute_relief(RISK, percent(300)))


# --- SIZ-3: shortage ------------------------------------------------------------------------------------------------


def health(equity_mm: int, margin: int, reserve: int = 0) -> Health:
    """A measured account; the other numbers do not matter to the sizing."""
    return Health(equity_mm, equity_mm, 0, margin, 2 * margin, reserve, 0, 0)


@pytest.mark.parametrize(
    ("equity_mm", "margin", "reserve", "shortage"),
    [
        # 1.1 times 200 and the fixed reward of 5; the reserve of 10 stands on both sides and is not scaled.
        (200 * W, 200 * W, 0, 25 * W),
        (210 * W, 210 * W, 10 * W, 25 * W),
        (209 * W, 210 * W, 10 * W, 26 * W),
        (210 * W - 1, 210 * W, 10 * W, 25 * W + 1),
        (0, 0, 0, 5 * W),
        (-7 * W, 0, 0, 12 * W),
        # A target with a fraction is rounded up.
        (0, 10, 0, 5 * W + 11),
        (0, 11, 0, 5 * W + 13),
        (0, 19, 0, 5 * W + 21),
        (0, 20, 0, 5 * W + 22),
        (225 * W, 200 * W, 0, 0),
        (226 * W, 200 * W, 0, -W),
    ],
)
def test_the_shortage_is_what_lacks_to_the_target(equity_mm: int, margin: int, reserve: int, shortage: int) -> None:
    """SIZ-3: after the fixed reward, rounded up, and a millionth of a millionth of a dollar for all roundings."""
    assert compute_shortage(RISK, health(equity_mm, margin, reserve)) == shortage + ROUNDING_SLACK
    assert ROUNDING_SLACK == 10**6


# --- SIZ-4: walking down the brackets -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notional", "shortage", "closed", "left"),
    [
        # Within the lowest bracket each dollar closed relieves a cent.
        (8_000, 25 * W, 2_500 * W, 0),
        (8_000, 80 * W, 8_000 * W, 0),
        (8_000, 81 * W, 8_000 * W, W),
        # 2 million: the upper half relieves 2.65 %, the lower 1 %.
        (2 * 10**6, 26_500 * W, 10**6 * W, 0),
        (2 * 10**6, 26_501 * W, 1_000_100 * W, 0),
        (2 * 10**6, 26_499 * W, 999_962_264_150_943_396_226_416, 0),
        (2 * 10**6, 36_500 * W, 2 * 10**6 * W, 0),
        (2 * 10**6, 36_502 * W, 2 * 10**6 * W, 2 * W),
        # 21 million, through all four: 1 at 14.75 %, 15 at 6.5 %, 4 at 2.65 %, 1 at 1 %.
        (21 * 10**6, 147_500 * W, 10**6 * W, 0),
        (21 * 10**6, (147_500 + 65) * W, 1_001_000 * W, 0),
        (21 * 10**6, (147_500 + 975_000) * W, 16 * 10**6 * W, 0),
        (21 * 10**6, (147_500 + 975_000 + 26_500) * W, 17 * 10**6 * W, 0),
        (21 * 10**6, (147_500 + 975_000 + 106_000 + 100) * W, 20_010_000 * W, 0),
        (21 * 10**6, (147_500 + 975_000 + 106_000 + 10_001) * W, 21 * 10**6 * W, W),
    ],
)
def test_a_position_is_walked_down_from_its_highest_bracket(
    notional: int, shortage: int, closed: int, left: int
) -> None:
    """SIZ-4: bracket by bracket, each relieving at its own rate, to the end of the shortage or of the position."""
    assert walk_down(RISK, TIERS, notional * W, shortage) == (closed, left)


def test_a_part_is_rounded_up_and_a_whole_brackets_relief_down() -> None:
    """SIZ-4, T6: against the account: enough is closed, and no relief counted that is not there."""
    assert walk_down(RISK, TIERS, 8_000 * W, 1) == (100, 0)
    thirds = (MarginBracket(0, percent(250), W), MarginBracket(100, percent(400), W))
    # One wei in the upper bracket relieves nothing whole; the shortage stays.
    assert walk_down(RISK, thirds, 101, 1) == (101, 0)
    assert walk_down(RISK, thirds, 101, 2) == (101, 1)
    # At a border the next bracket is not entered.
    assert walk_down(RISK, TIERS, 10**6 * W, 100 * W) == (10_000 * W, 0)


BRACKETS = st.lists(st.tuples(st.integers(1, 10**4), st.integers(1, 10**3)), min_size=0, max_size=4).map(
    lambda rows: (
        MarginBracket(0, percent(176), W),
        *(
            MarginBracket(sum(width for width, _ in rows[: i + 1]), percent(176 + sum(r for _, r in rows[: i + 1])), W)
            for i in range(len(rows))
        ),
    )
)


@given(BRACKETS, st.integers(1, 3 * 10**4), st.integers(1, 10**4))
@example(TIERS, 10**4, 1)
def test_the_walk_finds_the_smallest_notional_that_relieves_the_shortage(
    brackets: tuple[MarginBracket, ...], notional: int, shortage: int
) -> None:
    """SIZ-4, L4: against a search over exact fractions; at most a wei more for each bracket walked and rounding."""

    def relieved(closed: int) -> Fraction:
        rest, total = notional - closed, Fraction(0)
        for index, bracket in enumerate(brackets):
            upper = brackets[index + 1].lower if index + 1 < len(brackets) else notional
            part = max(min(upper, notional) - max(bracket.lower, rest), 0)
            total += part * (Fraction(W + RISK.liquidation_buffer) * bracket.mm_rate / W - RISK.closing_cost_ratio) / W
        return total

    closed, left = walk_down(RISK, brackets, notional, shortage)
    if left:
        assert closed == notional
        assert relieved(notional) < shortage + len(brackets)
        assert 0 <= left - (shortage - relieved(notional)) < len(brackets)
        return
    assert relieved(closed) >= shortage
    # Rounding the relief of whole brackets down costs at most a wei each, which the lowest rate must make up for.
    lowest = compute_relief(RISK, brackets[0].mm_rate)
    margin = cdiv(len(brackets) * W, lowest) + 1
    if closed > margin:
        assert relieved(closed - margin) < shortage


# --- SIZ-5: whole lots, no dust, the window -------------------------------------------------------------------------


def exposure(size: int = 2 * W, price: int = BTC_PRICE) -> Exposure:
    """A BTC position as the sizing sees it."""
    return Exposure(BTC, size, price, compute_notional(size, price), 0, 0)


@pytest.mark.parametrize(
    ("needed", "lots"),
    [
        (0, 0),
        (1, 1),
        (8 * W, 1),
        (8 * W + 1, 2),
        (16 * W, 2),
        (15_000 * W, 1_875),
        # 1,000 dollars may remain, a lot less may not.
        (15_000 * W + 1, 2_000),
        (16_000 * W, 2_000),
        (16_001 * W, 2_000),
        (10**9 * W, 2_000),
    ],
)
@pytest.mark.parametrize("side", [1, -1])
def test_a_close_is_rounded_up_to_lots_and_to_the_whole_if_little_would_remain(
    side: int, needed: int, lots: int
) -> None:
    """SIZ-5: 2 BTC at 8,000 in lots of a thousandth, 8 dollars each; at most the position."""
    assert round_close(BTC_MARKET, exposure(side * 2 * W), needed) == lots * LOT


@pytest.mark.parametrize(
    ("size", "left", "lots"),
    [
        # The window allows whole lots, rounded down; what fits is not touched.
        (500, 10**6 * W, 500),
        (500, 4_000 * W, 500),
        (500, 4_000 * W - 1, 499),
        (500, 8 * W, 1),
        (500, 8 * W - 1, 0),
        (500, 0, 0),
        (2_000, 16_000 * W, 2_000),
        (2_000, 16_000 * W - 1, 2_000),  # a lot would remain, so all of it goes
        (2_000, 15_000 * W + 8 * W, 2_000),
        (2_000, 15_000 * W, 1_875),
        (2_000, 15_000 * W + 8 * W - 1, 1_875),
    ],
)
def test_the_window_allows_whole_lots_or_a_whole_remainder(size: int, left: int, lots: int) -> None:
    """SIZ-5, WIN-3: rounded down, beyond it only where less than the minimum notional would remain."""
    assert limit_close(BTC_MARKET, exposure(), size * LOT, left) == lots * LOT


@pytest.mark.parametrize(
    ("size", "price", "closed"),
    [
        (1_875, 8_000 * W, 1_875),
        (1_876, 8_000 * W, 2_000),
        (2_000, 8_000 * W, 2_000),
        (0, 8_000 * W, 0),
        (1_000, 1_000 * W, 1_000),
        (1_000, 1_000 * W - 1, 2_000),
        (1_000, 1_000 * W + 1, 1_000),
        (0, 499 * W, 2_000),
    ],
)
def test_no_remainder_is_smaller_than_the_minimum_notional(size: int, price: int, closed: int) -> None:
    """SIZ-5, L6: equality stays; measured as the margin check measures it, rounded up."""
    assert leave_no_dust(BTC_MARKET, exposure(price=price), size * LOT) == closed * LOT


def test_no_window_with_nothing_left_closes_dust() -> None:
    """SIZ-5, WIN-3: where not one lot is allowed nothing is closed, even of a position that is dust itself."""
    small = exposure(LOT)
    assert limit_close(BTC_MARKET, small, LOT, 8 * W - 1) == 0
    assert limit_close(BTC_MARKET, small, LOT, 8 * W) == LOT


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


def test_what_a_limited_close_frees_is_counted_from_the_highest_bracket_down() -> None:
    """SIZ-4: across a bracket's border, rounded down; of nothing nothing, of all of it what walking it all relieves."""
    notional = 1_200_000 * W
    for closed, freed in (
        (0, 0),
        (W, 26_500 * W // 10**6),
        (200_000 * W, 5_300 * W),
        (200_001 * W, 5_300 * W + W // 100),
        (1_200_000 * W, 15_300 * W),
        (200_000 * W + 99, 5_300 * W),
        (200_000 * W + 100, 5_300 * W + 1),
        (37, 0),
        (38, 1),
    ):
        assert compute_freed(RISK, TIERS, notional, closed) == freed
    assert walk_down(RISK, TIERS, notional, 15_301 * W) == (notional, W)
    # Exactly at a border the upper bracket has no part in it.
    assert compute_freed(RISK, TIERS, 10**6 * W, 100) == 1


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
