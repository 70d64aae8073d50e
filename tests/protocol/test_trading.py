"""The rules a trade must meet, and what it leaves: who trades, the size, the price, the pause, the fills."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.actions import Trade
from protocol.env import Env, Status
from protocol.events import (
    AccountUpdated,
    LedgerUpdated,
    MarketUpdated,
    PositionUpdated,
)
from protocol.params import EquityTier
from protocol.state import EMPTY_MARKET, Position
from protocol.trading import NO_LIMIT
from protocol.units import PRICE_LIMIT, SIGNED_LIMIT, SIZE_LIMIT, W
from tests.protocol.build import (
    ACCOUNT,
    BORROWER,
    BTC,
    BTC_PRICE,
    ETH,
    KEEPER,
    LIQUIDATOR,
    NOW,
    STATUSES,
    STRANGER,
    cash_of,
    env,
    event_of,
    holding,
    moving,
    outcome_of,
    position_of,
    refusal_of,
    refused,
    run,
    state_with,
    with_params,
)
from tests.protocol.trades import (
    LOT,
    buy,
    deep,
    free_risk,
    trader,
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
