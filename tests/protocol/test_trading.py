"""The rules a trade must meet, and what it leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.account_state import AccountState, compute_account_state
from protocol.actions import SetLeverageCap, SetMarket, Trade
from protocol.checks import check_reduction
from protocol.configuration import LEVERAGE_LIMIT, check_market, check_risk
from protocol.draft import Draft
from protocol.env import Env, Status
from protocol.events import (
    AccountFlagged,
    AccountUpdated,
    LedgerUpdated,
    LeverageCapSet,
    MarketUpdated,
    PositionUpdated,
)
from protocol.fills import compute_fill
from protocol.funding import compute_owed, project_funding
from protocol.margin import compute_health, compute_margins, compute_notional, compute_pnl
from protocol.params import MAX_POSITIONS, EquityTier, MarginBracket, MarketParams, RiskParams
from protocol.state import EMPTY_MARKET, Position, State, account_id
from protocol.trading import NO_LIMIT
from protocol.units import DAY, PRICE_LIMIT, SIGNED_LIMIT, SIZE_LIMIT, YEAR, W, cdiv, fdiv
from tests.protocol.build import (
    ACCOUNT,
    ADMIN,
    ANY_PRICE,
    BORROWER,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    KEEPER,
    LIQUIDATOR,
    MARKETS,
    NOW,
    STATUSES,
    STRANGER,
    TRADER,
    WETH,
    cash_of,
    check_order_of,
    env,
    event_of,
    holding,
    ledger_sum,
    moving,
    opened,
    outcome_of,
    position_of,
    refusal_of,
    refused,
    run,
    state_with,
    with_market,
    with_params,
    with_risk,
)

LOT = W // 1_000
OTHER = account_id(TRADER)
OPENING = 414_400 * W // 1_000  # what 1 BTC needs at 8,000: margin 400, reserve 10, fee 4, impact 0.40


def buy(size: int, market: int = BTC, account: int = ACCOUNT) -> Trade:
    """A buy, or a sale for negative sizes, at any price."""
    return Trade(account, market, size, ANY_PRICE if size > 0 else 0)


def trader(
    size: int = 0, cash: int = 100_000 * W, price: int = BTC_PRICE, others: int = 0, impact: int = 0, **risk: Any
) -> State:
    """A funded pool, one account with a BTC position opened at a price, and perhaps somebody else's."""
    accounts = {ACCOUNT: holding(cash, positions={BTC: opened(size, price)} if size else {})}
    if others:
        accounts[OTHER] = holding(10**7 * W, positions={BTC: opened(others, price)})
    return state_with(
        accounts, pool=10**7 * W, insurance=10**4 * W, impact={BTC: impact} if impact else {}, risk=with_risk(**risk)
    )


# --- TRD-1, TRD-2: who, and which market ----------------------------------------------------------------------------


def test_only_the_owner_or_the_operator_trades() -> None:
    """TRD-1: an unregistered account is unknown; a second account is its owner's; an operator may trade."""
    state = trader()
    assert refused(state, env(), buy(W, account=KEEPER)) == "account/unknown"
    assert refused(state, env(), buy(W, account=ACCOUNT + 1)) == "account/unknown"
    assert refused(state, env(STRANGER), buy(W)) == "account/not-trader"
    run(state, env(), buy(W))
    second = state_with({ACCOUNT + 1: holding(10**4 * W)}, pool=10**6 * W)
    run(second, env(), buy(W, account=ACCOUNT + 1))
    operated = state_with({ACCOUNT: replace(holding(10**4 * W), operator=STRANGER)}, pool=10**6 * W)
    outcome = run(operated, env(STRANGER), buy(W))
    assert outcome.state.accounts[ACCOUNT].operator == STRANGER
    run(operated, env(), buy(W))
    assert refused(operated, env(LIQUIDATOR), buy(W)) == "account/not-trader"


def test_only_listed_markets_trade() -> None:
    """TRD-1: the first id that is not listed is unknown."""
    state = trader()
    run(state, env(), buy(10 * W, ETH))
    unknown = refusal_of(state, env(), buy(W, 2))
    assert (unknown.code, unknown.facts) == ("market/unknown", {"market": 2})
    assert refused(state, env(), buy(W, 2**256 - 1)) == "market/unknown"
    assert refused(state_with({ACCOUNT: holding(W)}, markets=()), env(), buy(W, 0)) == "market/unknown"


@pytest.mark.parametrize(("isolated", "btc", "eth"), [(0, "ok", "ok"), (1, "ok", "account/isolated")])
def test_an_isolated_account_trades_only_its_market(isolated: int, btc: str, eth: str) -> None:
    """TRD-2, M10: the market given at its creation, and no other; a cross account trades all."""
    state = state_with({ACCOUNT: replace(holding(10**4 * W), isolated=isolated)}, pool=10**6 * W)
    assert outcome_of(state, env(), buy(W, BTC)) == btc
    assert outcome_of(state, env(), buy(10 * W, ETH)) == eth
    if isolated:
        assert refusal_of(state, env(), buy(10 * W, ETH)).facts == {"market": BTC}
        other = state_with({ACCOUNT: replace(holding(10**4 * W), isolated=2)}, pool=10**6 * W)
        assert refusal_of(other, env(), buy(W, BTC)).facts == {"market": ETH}
        run(other, env(), buy(10 * W, ETH))


# --- TRD-3: the size ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "code"),
    [
        (0, "amount/zero"),
        (1, "market/lot"),
        (-1, "market/lot"),
        (W - 1, "market/lot"),
        (W + 1, "market/lot"),
        (1 - W, "market/lot"),
        (-1 - W, "market/lot"),
        (W, "ok"),
        (-W, "ok"),
        (W + LOT, "ok"),
        (SIZE_LIMIT, "sys/domain"),
        (-SIZE_LIMIT, "sys/domain"),
        (SIZE_LIMIT - 1, "market/lot"),
        (1 - SIZE_LIMIT, "market/lot"),
        (2**255 - 1, "sys/domain"),
        (-(2**255), "sys/domain"),
    ],
)
def test_a_size_is_whole_lots_within_the_stored_width(size: int, code: str) -> None:
    """TRD-3: zero, a size out of range and broken lots are refused, in this order."""
    assert outcome_of(trader(), env(), buy(size)) == code


def test_refusals_of_a_size_carry_their_facts() -> None:
    """TRD-3: the lot, and the number out of range."""
    assert refusal_of(trader(), env(), buy(W + 1)).facts == {"lot": LOT}
    assert refusal_of(trader(), env(), buy(-SIZE_LIMIT)).facts == {"value": -SIZE_LIMIT}


def deep(**params: Any) -> MarketParams:
    """A market that nothing limits: wide caps, no impact to speak of, no fees."""
    wide = SIZE_LIMIT - 1
    limits = {"oi_cap": wide, "oi_cap_usd": wide, "skew_cap": wide, "skew_scale": wide, "max_premium": 10_000}
    fees = {"maker_fee": 0, "taker_fee": 0, "rebate_ratio": 0}
    return replace(MARKETS[BTC], oi_lower=0, oi_upper=0, **{**limits, **fees, **params})


def test_the_largest_size_of_whole_lots_is_no_domain_error_by_itself() -> None:
    """TRD-3, TRD-6, T9: at a low price the largest size fits every width; a position beyond it does not."""
    largest = SIZE_LIMIT - 1
    for side in (1, -1):
        state = state_with({ACCOUNT: holding(10**29)}, pool=10**29, markets=(deep(lot=1),))
        state = replace(state, risk=replace(state.risk, equity_tiers=(EquityTier(0, 20 * W),)))
        outcome = run(state, env(btc=W), buy(side * largest))
        assert position_of(outcome.state) == Position(side * largest, side * largest, 0)
        assert refused(outcome.state, env(btc=W), buy(side)) == "sys/domain"
        closed = run(outcome.state, env(btc=W), buy(-side * largest))
        assert closed.state.accounts[ACCOUNT].positions == {}


@pytest.mark.parametrize(("side", "last"), [(1, SIGNED_LIMIT - 1), (-1, -SIGNED_LIMIT)])
def test_a_cost_that_does_not_fit_is_a_domain_error(side: int, last: int) -> None:
    """TRD-6, UNIT-3, T9: the cost holds 127 bits and a sign: the last one that fits does, a wei more does not."""
    price = PRICE_LIMIT - 1
    risk = replace(free_risk(), lock_ratio=0, equity_tiers=(EquityTier(0, 100 * W),))
    for cost, fits in ((last, True), (last + side, False)):
        account = holding(2**126, positions={BTC: Position(side * W, cost - side * 2 * price, 0)})
        state = state_with({ACCOUNT: account}, markets=(deep(lot=1),), risk=risk)
        code = outcome_of(state, env(btc=price), buy(side * 2 * W))
        assert code == ("market/oi-cap" if fits else "sys/domain"), "no cap in dollars is as large as that"


# --- TRD-4: the price of the market ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
@pytest.mark.parametrize("size", [2 * W, W, -W, -2 * W, -3 * W])
def test_every_trade_needs_a_usable_price_of_its_market(code: str, status: Status, size: int) -> None:
    """TRD-4, POL-2: growing, reducing, closing and flipping alike."""
    assert refused(trader(2 * W), env(btc_status=int(status)), buy(size)) == code


def test_a_trade_of_a_market_without_a_feed_is_refused() -> None:
    """TRD-4: a feed that does not exist has no price."""
    assert refused(trader(), Env(NOW, BORROWER, ()), buy(W)) == "oracle/unavailable"


# --- TRD-5: the pause -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "size", "code"),
    [
        (0, W, "market/opening-paused"),
        (0, -W, "market/opening-paused"),
        (2 * W, LOT, "market/opening-paused"),
        (-2 * W, -LOT, "market/opening-paused"),
        (2 * W, -2 * W - LOT, "market/opening-paused"),
        (-2 * W, 2 * W + LOT, "market/opening-paused"),
        (2 * W, -3 * W, "market/opening-paused"),
        (2 * W, -4 * W, "market/opening-paused"),
        (2 * W, -LOT, "ok"),
        (-2 * W, LOT, "ok"),
        (2 * W, -2 * W, "ok"),
        (-2 * W, 2 * W, "ok"),
    ],
)
def test_a_pause_stops_growth_and_flips_but_no_reduction(before: int, size: int, code: str) -> None:
    """TRD-5, S9: while opening is paused a position may only shrink, down to nothing."""
    state = with_params(trader(before), BTC, min_notional=1)
    assert outcome_of(replace(state, opening_paused=True), env(), buy(size)) == code
    assert outcome_of(state, env(), buy(size)) == "ok"


# --- TRD-6: the fills and the acceptable price ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "others", "price"),
    [
        # In an even market 1 BTC moves the price by 0.40 dollars.
        (W, 0, 8_000_400),
        (-W, 0, 7_999_600),
        # Growing a skew of 10 by 2 costs 17.60; shrinking it by 2 gives back 12.96.
        (2 * W, 10 * W, 8_008_800),
        (-2 * W, -10 * W, 7_991_200),
        (-2 * W, 10 * W, 8_006_480),
        (2 * W, -10 * W, 7_993_520),
    ],
)
def test_the_price_with_impact_is_no_worse_than_acceptable(size: int, others: int, price: int) -> None:
    """TRD-6: the highest price of a buy and the lowest of a sale, fees apart, to the wei; in thousandths of dollars."""
    state = trader(others=others, impact=10**3 * W if others else 0)
    exact = price * W // 1_000
    assert outcome_of(state, env(), Trade(ACCOUNT, BTC, size, exact)) == "ok"
    worse = Trade(ACCOUNT, BTC, size, exact - 1 if size > 0 else exact + 1)
    refusal = refusal_of(state, env(), worse)
    impact = (exact - BTC_PRICE) * size // W
    facts = {"price": BTC_PRICE, "impact": impact, "acceptable": worse.acceptable_price}
    assert (refusal.code, refusal.facts) == ("trade/price", facts)


@pytest.mark.parametrize(
    ("size", "acceptable", "code"),
    [
        (W, 0, "trade/price"),
        (W, BTC_PRICE, "trade/price"),
        (W, NO_LIMIT, "ok"),
        (W, 2**256 - 1, "ok"),
        (-W, 0, "ok"),
        (-W, BTC_PRICE, "trade/price"),
        (-W, NO_LIMIT, "trade/price"),
        (-W, 2**256 - 1, "trade/price"),
    ],
)
def test_no_limit_is_the_largest_price_of_a_buy_and_zero_of_a_sale(size: int, acceptable: int, code: str) -> None:
    """TRD-6: a word full of ones is no overflow."""
    assert outcome_of(trader(), env(), Trade(ACCOUNT, BTC, size, acceptable)) == code


def test_a_rebate_that_the_market_cannot_pay_does_not_make_a_price_acceptable() -> None:
    """TRD-6, FIL-7: the price is measured with what is paid, not with what is due."""
    state = trader(others=10 * W)
    with_rebate = Trade(ACCOUNT, BTC, -2 * W, 8_006_480 * W // 1_000)
    assert refused(state, env(), with_rebate) == "trade/price"
    run(state, env(), Trade(ACCOUNT, BTC, -2 * W, BTC_PRICE))


def test_opening_reports_position_market_account_and_ledger() -> None:
    """TRD-6: a trade at the oracle price, its events in order, with the new values of every record it touched."""
    outcome = run(trader(), env(), buy(W))
    impact, fee, reserved = 400 * W // 1_000, 4 * W, 1_600 * W
    assert outcome.events == (
        PositionUpdated(ACCOUNT, BTC, W, 8_000 * W, 0, W, 8_000 * W, 0, 0, impact, fee),
        MarketUpdated(BTC, W, 0, 8_000 * W, impact, reserved, 0, 0, 0, 0, NOW, 0),
        AccountUpdated(ACCOUNT, 100_000 * W - impact - fee),
        LedgerUpdated(10**7 * W + fee - fee // 10, 10**4 * W + fee // 10, 0, 0, 0, reserved),
    )


@pytest.mark.parametrize("side", [1, -1])
def test_adding_realises_nothing(side: int) -> None:
    """TRD-6: growth at another price adds to the cost and leaves the unrealised profit unrealised."""
    outcome = run(trader(side * W), env(btc=8_500 * W), buy(side * W))
    assert position_of(outcome.state) == Position(side * 2 * W, side * 16_500 * W, 0)
    event = event_of(outcome, PositionUpdated)
    assert (event.pnl, event.funding) == (0, 0)
    assert cash_of(outcome.state) == 100_000 * W - 8_500 * W // 2_000 - 3 * 425 * W // 1_000


@pytest.mark.parametrize("side", [1, -1])
def test_a_flip_is_two_fills_and_pays_the_fee_of_both(side: int) -> None:
    """TRD-6, M2, O4, B15, B19: a flip closes and opens: two fills at one price, two fees, the closed part realised."""
    price = 8_000 * W + side * 500 * W
    outcome = run(trader(side * W), env(btc=price), buy(-3 * side * W))
    first, second = (event for event in outcome.events if isinstance(event, PositionUpdated))
    # The close is the maker's and finds nothing to be rebated; the open of 2 grows the skew from 0.
    assert first == PositionUpdated(ACCOUNT, BTC, 0, 0, 0, -side * W, price, 500 * W, 0, 0, price // 5_000)
    impact, fee = 4 * price // 20_000, 2 * price // 2_000
    assert second == PositionUpdated(
        ACCOUNT, BTC, -2 * side * W, -2 * side * price, 0, -2 * side * W, price, 0, 0, impact, fee
    )
    assert cash_of(outcome.state) == 100_000 * W + 500 * W - price // 5_000 - impact - fee


def test_a_flip_equals_a_close_and_an_open() -> None:
    """TRD-6, X1: the same state as two actions at the same price, with somebody else's skew in the market."""
    for others in (0, 3 * W, -3 * W):
        start = moving(trader(W, others=others, impact=W if others else 0), daily=10**15)
        surroundings = env(btc=8_123 * W, now=NOW + 3_600)
        at_once = run(start, surroundings, buy(-3 * W)).state
        in_steps = run(run(start, surroundings, buy(-W)).state, surroundings, buy(-2 * W)).state
        assert at_once == in_steps


def test_a_flip_has_one_acceptable_price_for_both_fills() -> None:
    """TRD-6: the impact of both parts over the whole size, in the direction of the order."""
    state = trader(W, impact=W)
    # Closing 1 gives back 0.36, which is a better price for the sale; opening 1 short costs 0.40.
    whole = 8_000 * W - 20 * W // 1_000
    assert outcome_of(state, env(), Trade(ACCOUNT, BTC, -2 * W, whole)) == "ok"
    assert refused(state, env(), Trade(ACCOUNT, BTC, -2 * W, whole + 1)) == "trade/price"
    mirrored = trader(-W, impact=W)
    whole = 8_000 * W + 20 * W // 1_000
    assert outcome_of(mirrored, env(), Trade(ACCOUNT, BTC, 2 * W, whole)) == "ok"
    assert refused(mirrored, env(), Trade(ACCOUNT, BTC, 2 * W, whole - 1)) == "trade/price"


def test_a_flip_needs_initial_margin() -> None:
    """TRD-12, M2, B15, B43: the new side is an opening, whatever was closed; it cannot use the rule of reductions."""
    poor = trader(2 * W, cash=500 * W)
    assert outcome_of(poor, env(), buy(-2 * W)) == "ok"
    assert outcome_of(poor, env(), buy(-3 * W)) == "ok"
    assert refused(poor, env(), buy(-4 * W)) == "margin/initial"


@pytest.mark.parametrize(("side", "profit"), [(1, 1_008_000), (-1, 992_000)])
def test_a_close_needs_no_counterparty_and_no_money_in_the_pool(side: int, profit: int) -> None:
    """TRD-6, FIL-7, LED-2, B8, B9: the pool pays what it has, the rest is deficit, and the market is empty."""
    account = holding(positions={BTC: Position(side * W, -(10**6) * W, 0)})
    state = state_with({ACCOUNT: account}, pool=100 * W, held=2 * 10**12)
    outcome = run(state, env(), buy(-side * W))
    fee = 1_600 * W // 1_000
    assert cash_of(outcome.state) == profit * W - fee
    # The pool's part of the fee repays the deficit at once.
    assert outcome.state.ledger.pool == 0
    assert outcome.state.ledger.deficit == (profit - 100) * W - (fee - fee // 10)
    assert outcome.state.markets[BTC] == replace(EMPTY_MARKET, accrued_at=NOW)


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


# --- TRD-12: growth and margin --------------------------------------------------------------------------------------


@pytest.mark.parametrize("wei", [-1, 0, 1])
@pytest.mark.parametrize("side", [1, -1])
def test_growth_needs_initial_margin_after_fee_and_impact(side: int, wei: int) -> None:
    """TRD-12, MRG-10, M1, M5: 1 BTC needs 400 of margin, 10 of reserve, and its fee and impact first, to the wei."""
    state = trader(cash=OPENING + wei)
    assert outcome_of(state, env(), buy(side * W)) == ("ok" if wei >= 0 else "margin/initial")
    if wei < 0:
        facts = {"equity_im": 410 * W - 1, "initial_margin": 410 * W}
        assert refusal_of(state, env(), buy(side * W)).facts == facts


def test_unrealised_profit_does_not_pay_for_growth() -> None:
    """TRD-12, M6: a rise that doubles the account value allows no larger position."""
    state = trader(W, cash=1_000 * W)
    assert outcome_of(state, env(btc=8_000 * W), buy(W)) == "ok"
    assert refused(state, env(btc=10_000 * W), buy(W)) == "margin/initial"


def test_growth_is_bounded_by_the_equity_tier() -> None:
    """TRD-12, MRG-9: with 10 times leverage 1 BTC needs 800 of equity_im, to the wei; a reduction needs nothing."""
    risk = with_risk(equity_tiers=(EquityTier(0, 10 * W),))
    cost = OPENING - 410 * W
    for wei, code in ((-1, "margin/equity-tier"), (0, "ok")):
        state = state_with({ACCOUNT: holding(800 * W + cost + wei)}, pool=10**6 * W, risk=risk)
        assert outcome_of(state, env(), buy(W)) == code
        if wei < 0:
            facts = {"equity_im": 800 * W - 1, "gross_notional": 8_000 * W}
            assert refusal_of(state, env(), buy(W)).facts == facts
    held = holding(700 * W, positions={BTC: opened(2 * W, BTC_PRICE)})
    run(state_with({ACCOUNT: held}, pool=10**6 * W, risk=risk), env(), buy(-W))


def test_growth_needs_every_price_of_the_account_and_lifts_its_flag() -> None:
    """TRD-12, STA-2: an account above its initial margin is above every buffer; a reduction leaves the flag."""
    flagged = replace(holding(10**4 * W, positions={BTC: opened(2 * W, BTC_PRICE)}), flagged_at=7)
    state = state_with({ACCOUNT: flagged}, pool=10**6 * W)
    outcome = run(state, env(), buy(W))
    assert event_of(outcome, AccountFlagged) == AccountFlagged(ACCOUNT, 0)
    assert outcome.state.accounts[ACCOUNT].flagged_at == 0
    kinds = [type(event) for event in outcome.events]
    assert kinds == [PositionUpdated, MarketUpdated, AccountFlagged, AccountUpdated, LedgerUpdated]
    reduced = run(state, env(), buy(-W))
    assert reduced.state.accounts[ACCOUNT].flagged_at == 7
    assert not any(isinstance(event, AccountFlagged) for event in reduced.events)


@given(size=st.integers(1, 10**5), price=st.integers(10**18, 10**23), short=st.booleans(), weth=st.integers(0, 10**6))
def test_an_account_opened_exactly_at_initial_margin_is_safe(size: int, price: int, short: bool, weth: int) -> None:
    """TRD-12, M1, M4, B17: the least cash that opens a position leaves it healthy; a wei less is refused."""
    sign = -1 if short else 1
    market = replace(deep(lot=LOT), min_notional=1, taker_fee=W // 2_000)
    delta = sign * size * LOT
    notional = compute_notional(delta, price)
    _, margin = compute_margins(market.brackets, notional)
    position = opened(delta, price)
    counted = 170 * weth  # 85 % of 200 dollars, exact
    impact = cdiv(delta * delta * price, 2 * market.skew_scale * W)
    fee = cdiv(abs(delta) * price * market.taker_fee, W * W)
    least = margin + 10 * W + fee + impact - min(compute_pnl(position, price), 0) - counted
    surroundings = env(btc=price)

    def with_cash(cash: int) -> State:
        account = holding(cash, {WETH: weth} if weth else {})
        risk = with_risk(debt_cap=10**28, lock_ratio=0, equity_tiers=(EquityTier(0, 100 * W),))
        return state_with({ACCOUNT: account}, pool=10**26, markets=(market, MARKETS[ETH]), risk=risk)

    assert refused(with_cash(least - 1), surroundings, buy(delta)) == "margin/initial"
    after = run(with_cash(least), surroundings, buy(delta)).state
    health = compute_health(after, after.accounts[ACCOUNT], surroundings)
    assert health.equity_im == health.initial_margin
    assert compute_account_state(after.risk, health) is AccountState.HEALTHY


# --- TRD-12: reductions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [1, -1])
def test_a_reduction_may_leave_the_account_below_initial_margin(side: int) -> None:
    """TRD-12, MRG-11, M2: an account between maintenance and initial margin may reduce, and may not grow."""
    poor = trader(side * 2 * W, cash=500 * W)
    assert outcome_of(poor, env(), buy(-side * W)) == "ok"
    assert refused(poor, env(), buy(side * W)) == "margin/initial"


def test_a_reduction_needs_only_the_price_of_its_market() -> None:
    """TRD-12, MRG-11: another item of the account without a price blocks growth and no reduction."""
    account = holding(10**4 * W, {WETH: 10**18}, {BTC: opened(2 * W, BTC_PRICE), ETH: opened(10 * W, ETH_PRICE)})
    state = state_with({ACCOUNT: account}, pool=10**6 * W)
    for code, status in STATUSES.items():
        surroundings = env(eth_status=int(status))
        assert outcome_of(state, surroundings, buy(-W)) == "ok"
        assert outcome_of(state, surroundings, buy(-2 * W)) == "ok"
        assert refused(state, surroundings, buy(W)) == code
        assert refused(state, surroundings, buy(-4 * W)) == code


def free_risk(reserve: int = 0) -> RiskParams:
    """Risk parameters under which closing costs nothing, so that any maintenance rate is allowed."""
    return with_risk(
        fixed_reward=0, reward_ratio=0, reward_ratio_max=0, penalty_ratio=0, impact_cap_ratio=0, keeper_reserve=reserve
    )


def expensive_market(fee_rate: int, rate: int = W // 200) -> MarketParams:
    """A market with one maintenance rate and a fee of its own, lots of a wei and no rebates."""
    rows = (MarginBracket(0, rate, rate * 2),)
    return replace(
        MARKETS[BTC], lot=1, min_notional=1, maker_fee=fee_rate, taker_fee=fee_rate, rebate_ratio=0, brackets=rows
    )


def reduction(
    fee_rate: int, cash: int, size: int = -W // 2, weth: int = 0, eth: int = 0, reserve: int = 0
) -> tuple[State, Trade]:
    """A state with 1 BTC long at 8,000 in an expensive market, and a reduction of it."""
    risk = free_risk(reserve)
    markets = (expensive_market(fee_rate), MARKETS[ETH])
    check_risk(risk)
    for market in markets:
        check_market(risk, market)
    positions = {BTC: opened(W, BTC_PRICE)} | ({ETH: opened(eth, ETH_PRICE)} if eth else {})
    account = holding(cash, {WETH: weth} if weth else {}, positions)
    return state_with({ACCOUNT: account}, pool=10**6 * W, risk=risk, markets=markets), buy(size)


@pytest.mark.parametrize(
    ("fee_rate", "code"),
    [(W // 200 - 1, "ok"), (W // 200, "ok"), (W // 200 + 1, "margin/reduce"), (W // 100, "margin/reduce")],
)
def test_a_reduction_whose_fee_exceeds_the_margin_it_frees_is_refused(fee_rate: int, code: str) -> None:
    """TRD-12, MRG-11: equity_mm less maintenance margin may stay as it is and not fall, rich or poor."""
    for cash in (40 * W, 10**6 * W):
        state, trade = reduction(fee_rate, cash)
        assert outcome_of(state, env(), trade) == code
        if code != "ok":
            change = -4_000 * (fee_rate - W // 200)
            assert refusal_of(state, env(), trade).facts == {"change": change}


def test_a_single_wei_of_health_decides_a_reduction() -> None:
    """MRG-11: one wei below is refused, equal passes."""
    # A position of 100 wei at 1 dollar with a rate of 50 % has a margin of 50 wei; closing 2 wei frees 1.
    for fee_rate, code in ((0, "ok"), (W // 100, "ok")):  # the fee of 2 wei at 1 % is rounded up to 1 wei
        markets = (expensive_market(fee_rate, W // 2), MARKETS[ETH])
        account = holding(1_000, positions={BTC: opened(100, W)})
        state = state_with({ACCOUNT: account}, risk=free_risk(), markets=markets)
        assert outcome_of(state, env(btc=W), buy(-2)) == code
        # 1 wei frees nothing: the margin of 99 is 50 as well, and the fee of a wei decides.
        assert outcome_of(state, env(btc=W), buy(-1)) == ("ok" if fee_rate == 0 else "margin/reduce")


def test_the_last_position_may_close_at_a_loss_of_health_while_the_account_is_solvent() -> None:
    """MRG-11, M2: a full close of the last position passes with equity_raw at 0, and not a wei below."""
    # The fee of 1 % is 80 and frees a margin of 40.
    for cash, code in ((80 * W - 1, "margin/reduce"), (80 * W, "ok"), (80 * W + 1, "ok")):
        state, trade = reduction(W // 100, cash, size=-W)
        assert outcome_of(state, env(), trade) == code
        if code != "ok":
            assert refusal_of(state, env(), trade).facts == {"change": -40 * W, "equity_raw": -1}
    # Collateral counts at market value.
    for cash, code in ((-120 * W - 1, "margin/reduce"), (-120 * W, "ok")):
        state, trade = reduction(W // 100, cash, size=-W, weth=10**18)
        assert outcome_of(state, env(), trade) == code
    # With another position left it is no exception.
    state, trade = reduction(W // 100, 10**6 * W, size=-W, eth=10 * W)
    assert refused(state, env(), trade) == "margin/reduce"


def test_closing_the_last_position_frees_the_reserve() -> None:
    """MRG-11, MRG-5: the keeper reserve is part of the margin that closing frees."""
    for reserve, code in ((40 * W - 1, "margin/reduce"), (40 * W, "ok"), (40 * W + 1, "ok")):
        state, trade = reduction(W // 100, 79 * W, size=-W, reserve=reserve)
        assert outcome_of(state, env(), trade) == code
    state, trade = reduction(W // 100, 79 * W, size=-W, reserve=10**6 * W, eth=10 * W)
    assert refused(state, env(), trade) == "margin/reduce"


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
def test_only_the_exception_for_the_last_position_needs_collateral_prices(code: str, status: Status) -> None:
    """MRG-11, TRD-12: the value of the account is measured only when health falls."""
    surroundings = env(eth_status=int(status))
    state, trade = reduction(W // 100, 10**6 * W, size=-W, weth=10**18)
    assert refused(state, surroundings, trade) == code
    cheap, trade = reduction(W // 200, 10**6 * W, size=-W, weth=10**18)
    assert outcome_of(cheap, surroundings, trade) == "ok"


@given(
    size=st.integers(2, 200) | st.integers(10**15, 10**21),
    part=st.integers(1, 10**6),
    short=st.booleans(),
    cost=st.integers(-100, 100),
    price=st.integers(1, 10 * W) | st.integers(10 * W, 10**5 * W),
    fee_rate=st.integers(0, W // 100),
    rate=st.integers(W // 1_000, W // 50),
    cash=st.integers(-(10**20), 10**22) | st.integers(-100, 100),
    reserve=st.integers(0, 3) | st.integers(0, 10**19),
    eth=st.sampled_from((0, W)),
    funding=st.integers(-(10**22), 10**22) | st.just(0),
)
def test_a_reduction_passes_exactly_when_health_does_not_fall(
    size: int,
    part: int,
    short: bool,
    cost: int,
    price: int,
    fee_rate: int,
    rate: int,
    cash: int,
    reserve: int,
    eth: int,
    funding: int,
) -> None:
    """MRG-11, M2, N6: the rule on one market's terms decides as the health of the whole account does."""
    sign = -1 if short else 1
    markets = (expensive_market(fee_rate, rate), MARKETS[ETH])
    before = Position(sign * size, cdiv(sign * size * price, W) + cost, 0)
    others = {ETH: opened(eth, ETH_PRICE)} if eth else {}
    account = holding(cash, {WETH: 5}, {BTC: before, **others})
    state = state_with({ACCOUNT: account}, pool=10**9 * W, risk=free_risk(reserve), markets=markets)
    state = with_market(state, BTC, funding_rate=funding, accrued_at=NOW - 1_000)
    delta = -sign * (1 + size * part // (10**6 + 1))
    surroundings = env(btc=price)

    index, _ = project_funding(state.markets[BTC], price, NOW)
    position, pnl = compute_fill(before, delta, price, index)
    paid = cdiv(abs(delta) * price * fee_rate, W * W) + compute_owed(before, index)
    left = {BTC: position} if position.size else {}
    expected = replace(account, cash=cash + pnl - paid, positions={**left, **others})
    accrued = with_market(state, BTC, funding_index=index, accrued_at=NOW)
    old, new = compute_health(state, account, surroundings), compute_health(accrued, expected, surroundings)
    health_falls = new.equity_mm - new.maintenance_margin < old.equity_mm - old.maintenance_margin
    solvent_close = not expected.positions and new.equity_raw >= 0
    if health_falls and not solvent_close:
        assert refused(state, surroundings, buy(delta)) == "margin/reduce"
    else:
        assert run(state, surroundings, buy(delta)).state.accounts[ACCOUNT] == expected


@given(size=st.integers(1, 2_000), part=st.integers(1, 2_000), short=st.booleans(), price=st.integers(10**18, 10**24))
def test_alone_in_a_market_of_reference_parameters_every_reduction_raises_health(
    size: int, part: int, short: bool, price: int
) -> None:
    """MRG-11, TRD-12: the fee is below the margin freed, so who shrinks the skew always helps himself."""
    sign = -1 if short else 1
    start, delta = sign * size * LOT, -sign * min(size, part) * LOT
    markets = (replace(MARKETS[BTC], min_notional=1), MARKETS[ETH])
    account = holding(-(10**20), {WETH: 10**18}, {BTC: opened(start, price)})
    state = state_with({ACCOUNT: account}, pool=10**9 * W, markets=markets)
    surroundings = env(btc=price)
    after = run(state, surroundings, buy(delta)).state
    old = compute_health(state, account, surroundings)
    new = compute_health(after, after.accounts[ACCOUNT], surroundings)
    assert new.equity_mm - new.maintenance_margin > old.equity_mm - old.maintenance_margin


@pytest.mark.parametrize(("others", "code"), [(245, "ok"), (246, "margin/reduce")])
def test_a_reduction_against_a_large_skew_can_cost_more_than_it_frees(others: int, code: str) -> None:
    """MRG-11, FIL-2: buying back a short grows the longs' skew: 2.45 % of premium and 0.05 % of fee free 2.5 %."""
    # The skew in the middle of the fill is that many BTC, of a scale of 10,000.
    accounts = {
        ACCOUNT: holding(10**4 * W, positions={BTC: opened(-2 * W, BTC_PRICE)}),
        OTHER: holding(10**7 * W, positions={BTC: opened((others + 1) * W + W // 2, BTC_PRICE)}),
    }
    assert outcome_of(state_with(accounts, pool=10**7 * W), env(), buy(W)) == code


@pytest.mark.parametrize(
    ("daily", "fee_rate", "code"),
    [
        (W // 100, W // 200, "ok"),
        (-W // 100, W // 200, "ok"),
        (W // 100, W // 200 + 1, "margin/reduce"),
        (-W // 100, W // 200 + 1, "margin/reduce"),
    ],
)
def test_pending_funding_neither_stops_a_reduction_nor_pays_for_one(daily: int, fee_rate: int, code: str) -> None:
    """MRG-11, N6: a day at 1 % moves 80 dollars into the balance that counted before; only fee and margin decide."""
    state, trade = reduction(fee_rate, 10**4 * W)
    later = env(now=NOW + DAY)
    assert outcome_of(moving(state, BTC, daily=daily), later, trade) == code
    if code == "ok":
        outcome = run(moving(state, BTC, daily=daily), later, trade)
        assert event_of(outcome, PositionUpdated).funding == 8_000 * daily


def test_check_reduction_measures_its_own_market_only() -> None:
    """MRG-11: the loss of another position, however large, is the same before and after."""
    positions = {BTC: opened(2 * W, BTC_PRICE), ETH: Position(W, 10**9 * W, 0)}
    state = state_with({ACCOUNT: holding(0, positions=positions)}, pool=10**9 * W)
    draft = Draft(state)
    account = draft.account(ACCOUNT)
    account.put_position(BTC, opened(W, BTC_PRICE))
    check_reduction(draft, env(), account, BTC)


# --- TRD-14: the owner's own leverage cap ---------------------------------------------------------------------------


def test_an_owner_limits_his_own_leverage() -> None:
    """TRD-14, MRG-7: only the owner, in a listed market, below 2^80; without a position no price is asked."""
    state = trader()
    outcome = run(state, env(btc_status=4, eth_status=4), SetLeverageCap(ACCOUNT, BTC, 5 * W))
    assert outcome.events == (LeverageCapSet(ACCOUNT, BTC, 5 * W),)
    assert outcome.state.accounts[ACCOUNT].leverage_caps == {BTC: 5 * W}
    both = run(outcome.state, env(), SetLeverageCap(ACCOUNT, ETH, 1)).state
    lifted = run(both, env(), SetLeverageCap(ACCOUNT, BTC, 0)).state
    assert lifted.accounts[ACCOUNT].leverage_caps == {ETH: 1}
    assert refused(state, env(), SetLeverageCap(KEEPER, BTC, W)) == "account/unknown"
    assert refused(state, env(STRANGER), SetLeverageCap(ACCOUNT, BTC, W)) == "account/not-owner"
    operated = state_with({ACCOUNT: replace(holding(W), operator=STRANGER)})
    assert refused(operated, env(STRANGER), SetLeverageCap(ACCOUNT, BTC, W)) == "account/not-owner"
    assert refusal_of(state, env(), SetLeverageCap(ACCOUNT, 2, W)).facts == {"market": 2}
    run(state, env(), SetLeverageCap(ACCOUNT, BTC, LEVERAGE_LIMIT - 1))
    assert refused(state, env(), SetLeverageCap(ACCOUNT, BTC, LEVERAGE_LIMIT)) == "sys/domain"
    assert refused(state, env(), SetLeverageCap(ACCOUNT, BTC, -1)) == "sys/domain"


@pytest.mark.parametrize(("wei", "code"), [(-1, "margin/initial"), (0, "ok"), (1, "ok")])
def test_a_leverage_cap_is_met_when_it_is_set_and_when_the_position_grows(wei: int, code: str) -> None:
    """TRD-14, MRG-7, M1: 8 times on 8,000 needs 1,000 and the reserve, to the wei."""
    held = state_with({ACCOUNT: holding(1_010 * W + wei, positions={BTC: opened(W, BTC_PRICE)})}, pool=10**6 * W)
    assert outcome_of(held, env(), SetLeverageCap(ACCOUNT, BTC, 8 * W)) == code
    run(held, env(), SetLeverageCap(ACCOUNT, ETH, 1))
    capped = replace(holding(600 * W + OPENING + wei), leverage_caps={BTC: 8 * W})
    assert outcome_of(state_with({ACCOUNT: capped}, pool=10**6 * W), env(), buy(W)) == code


def test_a_leverage_cap_of_an_open_position_needs_prices_and_the_equity_tier() -> None:
    """TRD-14, MRG-10: every price of the account is asked, and a cap that changes nothing is checked like others."""
    account = holding(10**4 * W, {WETH: 1}, {BTC: opened(W, BTC_PRICE)})
    state = state_with({ACCOUNT: account}, pool=10**6 * W)
    for code, status in STATUSES.items():
        assert refused(state, env(eth_status=int(status)), SetLeverageCap(ACCOUNT, BTC, 8 * W)) == code
        run(state, env(eth_status=int(status)), SetLeverageCap(ACCOUNT, ETH, 8 * W))
    risk = with_risk(equity_tiers=(EquityTier(0, W),))
    low = state_with({ACCOUNT: holding(7_999 * W, positions={BTC: opened(W, BTC_PRICE)})}, risk=risk)
    assert refused(low, env(), SetLeverageCap(ACCOUNT, BTC, 100 * W)) == "margin/equity-tier"


def test_lifting_a_cap_from_an_account_below_initial_margin_is_refused() -> None:
    """TRD-14, M1: whoever is below the market's own initial margin stays; nothing is taken out, but the rule is one."""
    account = replace(holding(409 * W, positions={BTC: opened(W, BTC_PRICE)}), leverage_caps={BTC: 8 * W})
    assert refused(state_with({ACCOUNT: account}), env(), SetLeverageCap(ACCOUNT, BTC, 0)) == "margin/initial"
    enough = replace(account, cash=410 * W)
    run(state_with({ACCOUNT: enough}), env(), SetLeverageCap(ACCOUNT, BTC, 0))


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


# --- the order of the checks ----------------------------------------------------------------------------------------


def attempt_growth(
    account: int = ACCOUNT,
    sender: int = BORROWER,
    market: int = BTC,
    isolated: int = 0,
    size: int = W,
    acceptable: int = ANY_PRICE,
    status: int = 0,
    paused: bool = False,
    before: int = 0,
    debt_cap: int = 3 * W,
    eth_status: int = 0,
    weth: int = 100 * 10**18,
    tiers: tuple[EquityTier, ...] = (EquityTier(0, 20 * W),),
    many: int = 0,
    pool: int = 10**6 * W,
    **params: Any,
) -> str:
    """A trade that grows a position of an account with WETH, and a debt of under 3 dollars once it has paid."""
    positions = {BTC: Position(before, 0, 0)} if before else {}
    positions |= {2 + i: opened(W, BTC_PRICE) for i in range(many - len(positions))}
    markets = (replace(MARKETS[BTC], **params), MARKETS[ETH], *(MARKETS[BTC],) * many)
    state = state_with(
        {ACCOUNT: holding(2 * W, {WETH: weth}, positions)},
        pool=pool,
        markets=markets,
        risk=with_risk(debt_cap=debt_cap, equity_tiers=tiers),
        paused=paused,
    )
    if isolated:
        changed = replace(state.accounts[ACCOUNT], isolated=isolated)
        state = replace(state, accounts=state.accounts.put(ACCOUNT, changed))
    surroundings = env(sender, btc_status=status, eth_status=eth_status)
    return outcome_of(state, surroundings, Trade(account, market, size, acceptable))


def test_growth_is_checked_in_order() -> None:
    """TRD-1 to TRD-12: of two faults the earlier check speaks."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("account/unknown", {"account": KEEPER}),
        ("account/not-trader", {"sender": STRANGER}),
        ("market/unknown", {"market": 2 + MAX_POSITIONS}),
        ("account/isolated", {"isolated": 2}),
        ("amount/zero", {"size": 0}),
        ("sys/domain", {"size": SIZE_LIMIT}),
        ("market/lot", {"size": W + 1}),
        *((code, {"status": int(status)}) for code, status in STATUSES.items()),
        ("market/opening-paused", {"paused": True}),
        ("sys/domain", {"before": SIZE_LIMIT - 1}),
        ("trade/price", {"acceptable": BTC_PRICE}),
        ("market/min-notional", {"min_notional": 8_001 * W}),
        ("market/premium", {"max_premium": 0}),
        ("market/skew-cap", {"skew_cap": W - 1}),
        ("market/oi-cap", {"oi_cap": W - 1}),
        ("account/positions", {"many": MAX_POSITIONS, "weth": 200 * 10**18}),
        ("pool/reserved", {"pool": W}),
        ("margin/debt-cap", {"debt_cap": 2 * W}),
        *((code, {"eth_status": int(status)}) for code, status in STATUSES.items()),
        ("margin/initial", {"weth": 10**18}),
        ("margin/equity-tier", {"tiers": (EquityTier(0, W // 10),)}),
    ]
    check_order_of(faults, attempt_growth)


def attempt_reduction(
    account: int = ACCOUNT,
    sender: int = BORROWER,
    market: int = BTC,
    isolated: int = 0,
    size: int = -W,
    acceptable: int = BTC_PRICE,
    status: int = 0,
    min_notional: int = 1_000 * W,
    fee_rate: int = W // 200,
) -> str:
    """A trade that reduces a position of 2 BTC while opening is paused, every other price is missing and cash is 0."""
    risk = replace(free_risk(), debt_cap=0, equity_tiers=(EquityTier(0, 1),))
    market_params = replace(expensive_market(fee_rate), lot=LOT, min_notional=min_notional, oi_cap=0, skew_cap=0)
    positions = {BTC: opened(2 * W, BTC_PRICE), ETH: opened(10 * W, ETH_PRICE)}
    state = state_with(
        {ACCOUNT: holding(0, {WETH: 1}, positions)}, markets=(market_params, MARKETS[ETH]), risk=risk, paused=True
    )
    if isolated:
        changed = replace(state.accounts[ACCOUNT], isolated=isolated)
        state = replace(state, accounts=state.accounts.put(ACCOUNT, changed))
    surroundings = env(sender, btc_status=status, eth_status=int(Status.UNAVAILABLE))
    return outcome_of(state, surroundings, Trade(account, market, size, acceptable))


def test_a_reduction_is_checked_in_order() -> None:
    """TRD-1 to TRD-12, MRG-11: of two faults the earlier check speaks; pause, caps and other prices are not asked."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("account/unknown", {"account": KEEPER}),
        ("account/not-trader", {"sender": STRANGER}),
        ("market/unknown", {"market": 2}),
        ("account/isolated", {"isolated": 2}),
        ("amount/zero", {"size": 0}),
        ("sys/domain", {"size": -SIZE_LIMIT}),
        ("market/lot", {"size": 1 - W}),
        *((code, {"status": int(status)}) for code, status in STATUSES.items()),
        ("trade/price", {"acceptable": BTC_PRICE + 1}),
        ("market/min-notional", {"min_notional": 8_001 * W}),
        ("margin/reduce", {"fee_rate": W // 200 + 1}),
    ]
    check_order_of(faults, attempt_reduction)


def test_a_leverage_cap_is_checked_in_order() -> None:
    """TRD-14: account, owner, market, range, prices, margin, tier."""

    def attempt(
        account: int = ACCOUNT,
        sender: int = BORROWER,
        market: int = BTC,
        cap: int = 8 * W,
        status: int = 0,
        cash: int = 10**5 * W,
        tiers: tuple[EquityTier, ...] = (EquityTier(0, 20 * W),),
    ) -> str:
        held = holding(cash, positions={BTC: opened(W, BTC_PRICE)})
        state = state_with({ACCOUNT: held}, risk=with_risk(equity_tiers=tiers))
        return outcome_of(state, env(sender, btc_status=status), SetLeverageCap(account, market, cap))

    faults: list[tuple[str, dict[str, Any]]] = [
        ("account/unknown", {"account": KEEPER}),
        ("account/not-owner", {"sender": STRANGER}),
        ("market/unknown", {"market": 2}),
        ("sys/domain", {"cap": LEVERAGE_LIMIT}),
        *((code, {"status": int(status)}) for code, status in STATUSES.items()),
        ("margin/initial", {"cash": 1_009 * W}),
        ("margin/equity-tier", {"tiers": (EquityTier(0, W // 100),)}),
    ]
    check_order_of(faults, attempt)


def test_a_closing_of_the_last_position_is_checked_in_order() -> None:
    """MRG-11: the price of collateral is asked before the account value."""
    state, trade = reduction(W // 100, -(10**6) * W, size=-W, weth=10**18)
    assert refused(state, env(), trade) == "margin/reduce"
    assert refused(state, env(eth_status=int(Status.STALE_HARD)), trade) == "oracle/stale"


def test_a_refusal_at_the_very_last_check_leaves_everything_as_it_was() -> None:
    """S1: state and accounts, to the last wei."""
    state = trader(cash=OPENING - 1)
    assert refused(state, env(), buy(W)) == "margin/initial"
    assert state == trader(cash=OPENING - 1)
