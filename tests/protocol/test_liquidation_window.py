"""Liquidation within the window of a market: LIQ-5, WIN-3."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.account_state import is_clear
from protocol.actions import Liquidate
from protocol.draft import Outcome
from protocol.events import AccountLiquidated, PositionUpdated, WindowUpdated
from protocol.state import Window
from protocol.units import W
from protocol.window import add_closed, current_bucket
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    NOW,
    event_of,
    holding,
    opened,
    outcome_of,
    position_of,
    refusal_of,
    refused,
    run,
    state_with,
    with_params,
)
from tests.protocol.liquidating import BUCKET, LOT, OTHER, TAKE, health_of, keeper_env, windowed
from tests.twins import RISK


@pytest.mark.parametrize(
    ("left", "lots"), [(20_608, 2_576), (20_607, 2_575), (8_000, 1_000), (8, 1), (7, None), (0, None)]
)
def test_the_window_caps_what_a_liquidatable_account_loses(left: int, lots: int | None) -> None:
    """LIQ-5, WIN-3: in whole lots; when not one is allowed, the named exception to L8."""
    state = windowed(left)
    if lots is None:
        refusal = refusal_of(state, keeper_env(), TAKE)
        assert (refusal.code, refusal.facts) == ("liq/rate-limit", {})
        return
    outcome = run(state, keeper_env(), TAKE)
    assert position_of(outcome.state).size == 10 * W - lots * LOT
    assert event_of(outcome, AccountLiquidated).closed_notional == lots * 8 * W


def test_backstop_and_bankrupt_accounts_are_not_held_up() -> None:
    """LIQ-5, WIN-3, L8: they neither ask the window nor count in it."""
    for cash in (1_300, -1):
        outcome = run(windowed(0, cash=cash), keeper_env(), TAKE)
        assert outcome.state.accounts[ACCOUNT].positions == {}
        assert not any(isinstance(event, WindowUpdated) for event in outcome.events)
        assert outcome.state.windows[BTC] == Window(0, ())


def test_a_market_without_a_window_has_no_limit_and_counts_nothing() -> None:
    """LIQ-5: a length of 0."""
    outcome = run(windowed(0, window=0), keeper_env(), TAKE)
    assert position_of(outcome.state).size == 7_424 * LOT
    assert not any(isinstance(event, WindowUpdated) for event in outcome.events)


def test_one_window_is_shared_by_all_accounts_and_moves_on() -> None:
    """LIQ-5, WIN-2: what one account lost, another cannot lose, until the bucket is 32 old."""
    account = holding(2_009 * W, positions={BTC: opened(10 * W, BTC_PRICE)})
    state = state_with({ACCOUNT: account, OTHER: replace(account, cash=1_800 * W)}, pool=10**6 * W)
    state = with_params(state, BTC, window_notional=30_000 * W)
    first = run(state, keeper_env(), TAKE).state
    second = run(first, keeper_env(), Liquidate(OTHER))
    # 9,392 dollars are left: 1,174 lots of 8.
    assert position_of(second.state, OTHER).size == 10 * W - 1_174 * LOT
    assert event_of(second, WindowUpdated) == WindowUpdated(BTC, BUCKET, 30_000 * W, 30_000 * W)
    assert second.state.accounts[OTHER].flagged_at == NOW
    assert refused(second.state, keeper_env(), Liquidate(OTHER)) == "liq/rate-limit"
    begins = (BUCKET + 32) * 112
    assert refused(second.state, keeper_env(now=begins - 1), Liquidate(OTHER)) == "liq/rate-limit"
    third = run(second.state, keeper_env(now=begins), Liquidate(OTHER)).state
    assert is_clear(RISK, health_of(third, keeper_env(now=begins), OTHER))
    assert third.accounts[OTHER].flagged_at == 0
    assert third.windows[BTC].entries == ((BUCKET + 32, 30_000 * W),)
    assert third.windows[BTC].closed > 50_000 * W


def test_the_full_close_of_a_remainder_may_exceed_the_window() -> None:
    """LIQ-5, SIZ-5, WIN-3: by less than the minimum notional; the next one finds nothing left."""
    account = holding(39 * W, positions={BTC: opened(150 * LOT, BTC_PRICE)})
    state = state_with({ACCOUNT: account, OTHER: account}, pool=10**6 * W)
    state = with_params(state, BTC, window_notional=300 * W)
    outcome = run(state, keeper_env(), TAKE)
    assert event_of(outcome, WindowUpdated) == WindowUpdated(BTC, BUCKET, 1_200 * W, 1_200 * W)
    assert refused(outcome.state, keeper_env(), Liquidate(OTHER)) == "liq/rate-limit"


def test_what_one_window_holds_back_is_taken_from_another_market() -> None:
    """LIQ-5, SIZ-1, L8: as far as the account has one that may still be closed; else it stays short and is flagged."""
    positions = {BTC: opened(10 * W, BTC_PRICE), ETH: opened(400 * W, ETH_PRICE)}
    state = state_with({ACCOUNT: holding(4_000 * W, positions=positions)}, pool=10**6 * W)

    def fills(outcome: Outcome) -> list[tuple[int, int]]:
        return [(e.market, e.size_delta) for e in outcome.events if isinstance(e, PositionUpdated)]

    # 415 lack: 41,500 of the one or the other; their margins are the same, so the lower id goes first.
    assert fills(run(state, keeper_env(), TAKE)) == [(BTC, -5_188 * LOT)]
    for left, expected in (
        (20_000, [(BTC, -2_500 * LOT), (ETH, -10_751 * W // 100)]),
        (0, [(ETH, -20_751 * W // 100)]),
    ):
        outcome = run(with_params(state, BTC, window_notional=left * W), keeper_env(), TAKE)
        assert fills(outcome) == expected
        assert is_clear(RISK, health_of(outcome.state, keeper_env()))
    both = with_params(with_params(state, BTC, window_notional=0), ETH, window_notional=10_000 * W)
    outcome = run(both, keeper_env(), TAKE)
    assert fills(outcome) == [(ETH, -50 * W)]
    assert outcome.state.accounts[ACCOUNT].flagged_at == NOW
    assert refused(with_params(both, ETH, window_notional=W), keeper_env(), TAKE) == "liq/rate-limit"


def test_a_window_that_would_overflow_is_a_domain_error() -> None:
    """LIQ-5, UNIT-3, WIN-2: what a market ever closed holds 128 bits."""
    state = windowed(10**6)
    for room, code in ((20_608 * W + 1, "ok"), (20_608 * W, "sys/domain")):
        closed = 2**128 - room
        window = add_closed(state.market_params[BTC], Window(0, ()), NOW - 10**5, closed)
        full = replace(state, windows=(window, state.windows[ETH]))
        assert outcome_of(full, keeper_env(), TAKE) == code
    assert current_bucket(state.market_params[BTC], NOW) == BUCKET
