"""Markets listed and changed: totals, funding and window, and what a change needs (GOV-2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.actions import SetCollateral, SetMarket, SetRisk
from protocol.env import Env, Status
from protocol.events import MarketSet, MarketUpdated
from protocol.params import MarginBracket
from protocol.state import EMPTY_MARKET, EMPTY_WINDOW, MarketPhase, Window, genesis
from protocol.units import DAY, INDEX_LIMIT, W
from tests.protocol.build import (
    ACCOUNT,
    ADMIN,
    BTC,
    BTC_PRICE,
    ETH,
    GUARDIAN,
    MARKETS,
    NOW,
    STRANGER,
    WETH,
    check_order_of,
    env,
    holding,
    moving,
    opened,
    outcome_of,
    refused,
    run,
    state_with,
    with_market,
    with_params,
)
from tests.protocol.governing import busy
from tests.twins import RISK, weth_params


def test_the_next_market_is_listed_and_starts_empty() -> None:
    """GOV-2: the next free id, with totals of nothing and its clock at now; no price is needed."""
    state = busy()
    params = replace(MARKETS[BTC], feed=7)
    outcome = run(state, Env(NOW + 5, ADMIN, ()), SetMarket(2, params))
    assert outcome.events == (MarketSet(2, params, 0),)
    assert outcome.state.market_params == (*state.market_params, params)
    assert outcome.state.market_phases == (*state.market_phases, MarketPhase(0, (), 0))
    assert outcome.state.markets == (*state.markets, replace(EMPTY_MARKET, accrued_at=NOW + 5))
    assert outcome.state.windows == (*state.windows, EMPTY_WINDOW)


@pytest.mark.parametrize("market", [BTC, ETH])
def test_a_listed_market_keeps_its_totals(market: int) -> None:
    """GOV-2, B39: new parameters for one market change neither totals nor neighbours."""
    state, params = busy(), replace(MARKETS[market], taker_fee=W // 100)
    outcome = run(state, env(ADMIN), SetMarket(market, params))
    after = outcome.state
    assert after.market_params[market] == params
    assert after.market_params[1 - market] == state.market_params[1 - market]
    assert replace(after, market_params=state.market_params) == state
    updated, done = outcome.events
    assert isinstance(updated, MarketUpdated)
    assert done == MarketSet(market, params, 0)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"feed": 1}, "config/listing"),
        ({"lot": W // 1_000}, "ok"),
        ({"lot": W // 2_000}, "ok"),
        ({"lot": 1}, "ok"),
        ({"lot": W // 500}, "config/listing"),
        ({"lot": W // 1_500}, "config/listing"),
        ({"lot": W // 1_000 - 1}, "config/listing"),
    ],
)
def test_a_listed_market_keeps_its_feed_and_its_lot_can_only_be_divided(changes: dict[str, int], code: str) -> None:
    """GOV-2, B25, L6: every position stays whole lots, at its own price."""
    assert outcome_of(busy(), env(ADMIN), SetMarket(BTC, replace(MARKETS[BTC], **changes))) == code  # type: ignore[arg-type]


def test_funding_is_accrued_under_the_old_parameters_and_steered_by_the_new_ones() -> None:
    """GOV-2, F3, B39: a day at 1 % of 8,000 is owed; then the rate is cut to the new cap and moves by the new speed."""
    account = holding(10**7 * W, {}, {BTC: opened(1_000 * W, BTC_PRICE)})
    state = moving(state_with({ACCOUNT: account}), BTC, accrued_at=NOW - DAY, funding_index=7 * W)
    params = replace(MARKETS[BTC], funding_cap=W // 200, funding_velocity=W // 10)
    after = run(state, env(ADMIN), SetMarket(BTC, params)).state
    totals = after.markets[BTC]
    assert totals.funding_index == 87 * W
    assert (totals.funding_rate, totals.funding_limit) == (W // 200 * DAY, W // 200 * DAY)
    assert totals.funding_velocity == W // 100, "a skew of a tenth of the scale"
    assert totals.accrued_at == NOW
    # Everything else of the market stays.
    moved = {"funding_index": 0, "funding_rate": 0, "funding_limit": 0, "funding_velocity": 0, "accrued_at": 0}
    assert replace(totals, **moved) == replace(state.markets[BTC], **moved)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (Status.UNAVAILABLE, "oracle/unavailable"),
        (Status.NON_POSITIVE, "oracle/non-positive"),
        (Status.OUT_OF_BOUNDS, "oracle/out-of-bounds"),
        (Status.DEVIATED, "oracle/deviated"),
    ],
)
def test_a_market_with_open_interest_needs_its_own_price(status: Status, code: str) -> None:
    """GOV-2, POL-2: and one without, or another market's, does not."""
    for size in (W, -W):
        state = state_with({ACCOUNT: holding(10**4 * W, {}, {BTC: opened(size, BTC_PRICE)})})
        bad = env(ADMIN, btc_status=int(status))
        assert refused(state, bad, SetMarket(BTC, MARKETS[BTC])) == code
        run(state, env(ADMIN, eth_status=int(status)), SetMarket(BTC, MARKETS[BTC]))
        run(state, bad, SetMarket(ETH, MARKETS[ETH]))
    empty = moving(state_with(), BTC, accrued_at=NOW - DAY)
    after = run(empty, env(ADMIN, btc=0, btc_status=int(status)), SetMarket(BTC, MARKETS[BTC])).state
    assert (after.markets[BTC].funding_index, after.markets[BTC].accrued_at) == (0, NOW)


@pytest.mark.parametrize("status", [Status.STALE_SOFT, Status.STALE_HARD])
def test_an_old_price_does_not_stop_a_change(status: Status) -> None:
    """GOV-2, POL-1: funding accrues at the last price."""
    state = state_with({ACCOUNT: holding(10**4 * W, {}, {BTC: opened(W, BTC_PRICE)})})
    run(state, env(ADMIN, btc_status=int(status)), SetMarket(BTC, MARKETS[BTC]))


def test_an_index_that_does_not_fit_is_a_domain_error() -> None:
    """GOV-2, UNIT-3, T9: the accrual is stored, so it is checked."""
    state = with_market(state_with(), BTC, funding_index=INDEX_LIMIT)
    assert refused(state, env(ADMIN), SetMarket(BTC, MARKETS[BTC])) == "sys/domain"


def test_another_length_of_the_window_begins_it_anew() -> None:
    """GOV-2, W1: bucket numbers of two lengths do not compare; with the same length what was closed still counts."""
    used = Window(500, ((NOW // 112, 0),))
    state = replace(busy(), windows=(used, used))
    same = run(state, env(ADMIN), SetMarket(BTC, replace(MARKETS[BTC], window_notional=7_000 * W))).state
    assert same.windows == (used, used)
    other = run(state, env(ADMIN), SetMarket(BTC, replace(MARKETS[BTC], window=7_200))).state
    assert other.windows == (EMPTY_WINDOW, used)


def test_nothing_is_listed_before_the_first_risk_parameters() -> None:
    """GOV-2, GOV-3, GOV-5: without a phase-in a stricter rate would bind in its own block. The role comes first."""
    state = genesis(ADMIN, GUARDIAN, 2)
    listings = (SetMarket(0, MARKETS[BTC]), SetMarket(9, MARKETS[BTC]), SetCollateral(WETH, weth_params()))
    for action in listings:
        assert refused(state, env(STRANGER), action) == "role/not-admin"
        assert refused(state, env(ADMIN), action) == "config/risk"
    state = run(state, env(ADMIN), SetRisk(RISK)).state
    run(state, env(ADMIN), listings[0])
    run(state, env(ADMIN), listings[2])


def test_markets_are_listed_one_by_one_up_to_the_limit() -> None:
    """GOV-2, S7: no gap, and no more than 32."""
    state = replace(genesis(ADMIN, GUARDIAN, 1), risk=RISK)
    assert refused(state, env(ADMIN), SetMarket(1, MARKETS[BTC])) == "config/listing"
    for market in range(32):
        assert refused(state, env(ADMIN), SetMarket(market + 1, MARKETS[BTC])) == "config/listing"
        state = run(state, env(ADMIN), SetMarket(market, MARKETS[BTC])).state
    assert len(state.markets) == 32
    assert refused(state, env(ADMIN), SetMarket(32, MARKETS[BTC])) == "config/listing"
    assert refused(state, env(ADMIN), SetMarket(2**256 - 1, MARKETS[BTC])) == "config/listing"
    run(state, env(ADMIN), SetMarket(31, replace(MARKETS[BTC], taker_fee=W // 100)))


def attempt_market(
    sender: int = ADMIN, feed: int = 0, lower: int = 0, rate: int = W // 40, market: int = 2, cap: int = 0
) -> str:
    """A new market."""
    params = replace(MARKETS[BTC], feed=feed, funding_cap=cap, brackets=(MarginBracket(lower, rate, W // 20),))
    return outcome_of(busy(), env(sender), SetMarket(market, params))


def test_a_market_is_checked_in_order() -> None:
    """GOV-2: the role, the parameters, then the id."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("role/not-admin", {"sender": GUARDIAN}),
        ("config/market", {"feed": 2**16}),
        ("config/funding", {"cap": W + 1}),
        ("config/brackets", {"lower": 1}),
        ("config/margin-rates", {"rate": 0}),
        ("config/listing", {"market": 3}),
    ]
    check_order_of(faults, attempt_market)


def attempt_change(
    feed: int = 0, lot: int = W // 1_000, rate: int = W // 40, status: int = 0, index: int = 0, until: int = NOW + 1
) -> str:
    """New parameters for a listed market with open interest, in the middle of a phase."""
    rows = (MarginBracket(0, rate, W // 20), *MARKETS[BTC].brackets[1:])
    params = replace(MARKETS[BTC], feed=feed, lot=lot, brackets=rows)
    state = with_market(busy(), BTC, funding_index=index)
    state = replace(state, market_phases=(MarketPhase(until, (), 0), state.market_phases[ETH]))
    state = with_params(state, BTC, taker_fee=7)
    return outcome_of(state, env(ADMIN, btc_status=status), SetMarket(BTC, params))


def test_a_change_of_a_market_is_checked_in_order() -> None:
    """GOV-2, GOV-5: feed and lot, then the phase, then the price, then what the accrual stores."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("config/listing", {"feed": 1}),
        ("config/listing", {"lot": W // 500}),
        ("config/phase-in", {"rate": W // 40 + 1}),
        ("oracle/halted", {"status": int(Status.HALTED)}),
        ("sys/domain", {"index": INDEX_LIMIT}),
    ]
    check_order_of(faults, attempt_change)
