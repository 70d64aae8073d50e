"""The margin that growth needs, and the leverage cap that an owner sets for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.account_state import AccountState, compute_account_state
from protocol.actions import SetLeverageCap
from protocol.configuration import LEVERAGE_LIMIT
from protocol.env import Status
from protocol.events import (
    AccountFlagged,
    AccountUpdated,
    LedgerUpdated,
    LeverageCapSet,
    MarketUpdated,
    PositionUpdated,
)
from protocol.margin import compute_health, compute_margins, compute_notional, compute_pnl
from protocol.params import EquityTier
from protocol.state import State
from protocol.units import W, cdiv
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    BTC_PRICE,
    ETH,
    KEEPER,
    MARKETS,
    STATUSES,
    STRANGER,
    WETH,
    env,
    event_of,
    holding,
    opened,
    outcome_of,
    refusal_of,
    refused,
    run,
    state_with,
    with_risk,
)
from tests.protocol.trades import (
    LOT,
    OPENING,
    buy,
    deep,
    trader,
)

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


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
def test_growth_needs_the_price_of_collateral_where_the_rest_is_not_enough(code: str, status: Status) -> None:
    """TRD-12, MRG-15: to the wei; a flip as an opening."""
    surroundings = env(eth_status=int(status))
    for wei, found in ((-1, code), (0, "ok")):
        state = state_with({ACCOUNT: holding(OPENING + wei, {WETH: 10**18})}, pool=10**6 * W)
        assert outcome_of(state, env(), buy(W)) == "ok"
        assert outcome_of(state, surroundings, buy(W)) == outcome_of(state, surroundings, buy(-W)) == found
    held = holding(10**4 * W, {WETH: 10**18}, {BTC: opened(W, BTC_PRICE)})
    state = state_with({ACCOUNT: held}, pool=10**6 * W)
    assert run(state, surroundings, buy(-2 * W)).state == run(state, env(), buy(-2 * W)).state


def test_growth_lifts_the_flag() -> None:
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
    """TRD-14, MRG-15: what the account cannot do without, and a cap that changes nothing is checked like others."""
    account = holding(1_010 * W, {WETH: 1}, {BTC: opened(W, BTC_PRICE)})
    state = state_with({ACCOUNT: account}, pool=10**6 * W)
    for code, status in STATUSES.items():
        assert refused(state, env(btc_status=int(status)), SetLeverageCap(ACCOUNT, BTC, 8 * W)) == code
        assert refused(state, env(eth_status=int(status)), SetLeverageCap(ACCOUNT, BTC, 8 * W - 1)) == code
        run(state, env(eth_status=int(status)), SetLeverageCap(ACCOUNT, BTC, 8 * W))
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
