"""What the price of USDC does: to initial margin, to sales, to the inventory; and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.actions import BuyInventory, CloseAll, DepositToPool, Liquidate, Trade, Withdraw
from protocol.env import Env, Quote, Status
from protocol.events import AccountLiquidated, StakeUpdated
from protocol.margin import compute_health
from protocol.params import RiskParams
from protocol.peg import buy_for_usdc, compute_depeg_margin, read_usdc, sell_for_usdc
from protocol.pool import compute_pool_value
from protocol.state import USDC, State
from protocol.units import PRICE_LIMIT, Price, Usd, W
from tests.protocol.build import (
    ACCOUNT,
    BORROWER,
    BTC,
    BTC_PRICE,
    LIQUIDATOR,
    NOW,
    STRANGER,
    WETH,
    env,
    event_of,
    holding,
    opened,
    outcome_of,
    refused,
    run,
    state_with,
    with_risk,
)

FEED = 7
DOLLAR = 10**6
FACED = with_risk(usdc_feed=FEED + 1, depeg_threshold=9_900, depeg_factor=5_000)
CENTS = W // 100


def surroundings(
    usdc: Price, sender: int = BORROWER, spread: Price = 0, status: int = 0, btc: Price = BTC_PRICE
) -> Env:
    """The usual prices, and one of USDC."""
    seen = env(sender, btc=btc)
    quotes = (*seen.quotes, *(Quote(W, W, W, NOW, 0) for _ in range(FEED - len(seen.quotes))))
    return replace(seen, quotes=(*quotes, Quote(usdc - spread, usdc, usdc + spread, NOW, status)))


def trading(cash: Usd, risk: RiskParams = FACED, weth: int = 0) -> State:
    """An account with a BTC bought at 8,000, dollars, and perhaps WETH."""
    account = holding(cash, {WETH: weth} if weth else {}, {BTC: opened(W, BTC_PRICE)})
    return state_with({ACCOUNT: account}, pool=10**6 * W, insurance=10**4 * W, risk=risk)


# --- PEG-1: what USDC counts ------------------------------------------------------------------------------------------


def test_usdc_counts_at_most_a_dollar() -> None:
    """PEG-1: each side of its price, and a dollar above one."""
    assert read_usdc(FACED, surroundings(88 * CENTS, spread=CENTS)) == Quote(87 * CENTS, 88 * CENTS, 89 * CENTS, NOW, 0)
    assert read_usdc(FACED, surroundings(W, spread=CENTS)) == Quote(99 * CENTS, W, W, NOW, 0)
    assert read_usdc(FACED, surroundings(2 * W)) == Quote(W, W, W, NOW, 0)


def test_without_a_feed_usdc_is_a_dollar() -> None:
    """PEG-1: whatever the feeds say."""
    assert read_usdc(with_risk(), surroundings(88 * CENTS)) == Quote(W, W, W, NOW, 0)


AGE = Status.STALE_SOFT | Status.STALE_HARD


@pytest.mark.parametrize("status", [*(status for status in Status if status), AGE, AGE | Status.CAPPED])
def test_a_fault_of_its_feed_makes_usdc_a_dollar_at_fault(status: Status) -> None:
    """PEG-1, POL-1: no new risk; ways out, liquidations and deposits pass."""
    seen = surroundings(88 * CENTS, status=int(status))
    fault, code = (Status.UNCERTAIN, "oracle/uncertain") if status & ~AGE else (Status.STALE_SOFT, "oracle/stale")
    assert read_usdc(FACED, seen) == Quote(W, W, W, NOW, int(fault))
    state = trading(1_000 * W)
    assert compute_health(state, state.accounts[ACCOUNT], seen).price_status == fault
    assert refused(state, seen, Trade(ACCOUNT, BTC, W // 1_000, 2**200)) == code
    assert refused(state, seen, Withdraw(ACCOUNT, USDC, 1)) == code
    assert outcome_of(state, seen, CloseAll(ACCOUNT, -(2**200))) == "ok"
    taker = replace(seen, sender=LIQUIDATOR)
    assert outcome_of(trading(100 * W), taker, Liquidate(ACCOUNT)) == "ok"


def test_a_feed_that_is_not_there_is_a_fault() -> None:
    """PEG-1, ORC-3: an id without a feed has no price."""
    risk = replace(FACED, usdc_feed=2**16 - 1)
    assert read_usdc(risk, surroundings(W)).status == Status.UNCERTAIN


# --- PEG-2: initial margin --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usdc", "margin"),
    [
        # Ten cents below the threshold: five cents of each dollar of notional.
        (89 * CENTS, 400 * W),
        (99 * CENTS, 0),
        (99 * CENTS - 1, 4_000),
        (W, 0),
        (1, 3_960 * W - 4_000),
        (0, 3_960 * W),
    ],
)
def test_initial_margin_rises_below_the_threshold(usdc: Price, margin: Usd) -> None:
    """PEG-2, T6: by factor times distance, of 8,000 dollars of notional."""
    assert compute_depeg_margin(FACED, usdc, 8_000 * W) == margin


def test_the_margin_is_rounded_up() -> None:
    """PEG-2, T6: one wei of notional costs a wei."""
    assert compute_depeg_margin(FACED, 98 * CENTS, 1) == 1
    assert compute_depeg_margin(FACED, 98 * CENTS, 0) == 0


def test_only_initial_margin_moves_and_at_the_bid() -> None:
    """PEG-2, MRG-13: value and maintenance count USDC a dollar, so a depeg liquidates nobody."""
    state = trading(1_000 * W, weth=10**18)
    usual = compute_health(state, state.accounts[ACCOUNT], surroundings(W))
    found = compute_health(state, state.accounts[ACCOUNT], surroundings(90 * CENTS, spread=CENTS))
    assert found == replace(usual, initial_margin=usual.initial_margin + 400 * W)


def test_an_account_without_a_position_has_no_margin_to_raise() -> None:
    """PEG-2: nor does it need the price."""
    state = state_with({ACCOUNT: holding(1_000 * W)}, risk=FACED)
    assert outcome_of(state, surroundings(0, status=int(Status.UNAVAILABLE)), Withdraw(ACCOUNT, USDC, DOLLAR)) == "ok"


def test_new_risk_needs_the_raised_margin() -> None:
    """PEG-2, MRG-10: what a dollar at par allows is refused at 89 cents, and a way out is not."""
    state = trading(500 * W)
    assert outcome_of(state, surroundings(W), Withdraw(ACCOUNT, USDC, 50 * DOLLAR)) == "ok"
    assert refused(state, surroundings(89 * CENTS), Withdraw(ACCOUNT, USDC, 50 * DOLLAR)) == "margin/initial"
    assert outcome_of(state, surroundings(89 * CENTS), Trade(ACCOUNT, BTC, -W, 0)) == "ok"


# --- PEG-3: what is exchanged for USDC --------------------------------------------------------------------------------


def test_a_price_in_usdc_is_rounded_against_whoever_asks() -> None:
    """PEG-3, T6, T9: down for a sale, up for a purchase, never out of the domain."""
    assert sell_for_usdc(200 * W, W) == buy_for_usdc(200 * W, W) == 200 * W
    assert sell_for_usdc(200 * W, 80 * CENTS) == buy_for_usdc(200 * W, 80 * CENTS) == 250 * W
    assert (sell_for_usdc(1, 3 * W // 10), buy_for_usdc(1, 3 * W // 10)) == (3, 4)
    assert sell_for_usdc(PRICE_LIMIT - 1, 1) == buy_for_usdc(PRICE_LIMIT - 1, 1) == PRICE_LIMIT - 1


@given(st.integers(1, PRICE_LIMIT - 1), st.integers(1, W))
def test_a_price_in_usdc_is_at_least_the_price(price: Price, usdc: Price) -> None:
    """PEG-3: USDC counts at most a dollar, so nothing is sold or bought for less."""
    assert price <= sell_for_usdc(price, usdc) <= buy_for_usdc(price, usdc) <= PRICE_LIMIT - 1


def test_a_sale_brings_what_usdc_is_worth() -> None:
    """PEG-3, WAT-2: at 80 cents a WETH of 200 dollars, less 5 %, settles 237.50 of debt instead of 190."""
    state = state_with({ACCOUNT: holding(-237 * W - W // 2, {WETH: 10**18})}, pool=10**6 * W, risk=FACED)
    outcome = run(state, surroundings(80 * CENTS, LIQUIDATOR), Liquidate(ACCOUNT))
    report = event_of(outcome, AccountLiquidated)
    assert (report.bad_debt, outcome.state.tokens[WETH].inventory) == (0, 10**18)
    at_par = run(state, surroundings(W, LIQUIDATOR), Liquidate(ACCOUNT))
    assert event_of(at_par, AccountLiquidated).bad_debt == 47 * W + W // 2


def test_a_sale_counts_a_dollar_while_the_price_is_at_fault() -> None:
    """PEG-1, PEG-3: a feed that fails stops no liquidation and pays nobody more."""
    state = state_with({ACCOUNT: holding(-237 * W - W // 2, {WETH: 10**18})}, pool=10**6 * W, risk=FACED)
    seen = surroundings(80 * CENTS, LIQUIDATOR, status=int(Status.HALTED))
    assert event_of(run(state, seen, Liquidate(ACCOUNT)), AccountLiquidated).bad_debt == 47 * W + W // 2


def test_inventory_costs_what_usdc_is_worth() -> None:
    """PEG-3, INV-1: 195 dollars at par, 243.75 USDC at 80 cents; none while nobody knows."""
    state = state_with(inventory={WETH: 10**18}, risk=FACED)
    for usdc, cost in ((W, 195 * DOLLAR), (80 * CENTS, 243_750_000)):
        seen = surroundings(usdc, STRANGER)
        assert refused(state, seen, BuyInventory(WETH, 10**18, cost - 1)) == "trade/price"
        after = run(state, seen, BuyInventory(WETH, 10**18, cost)).state
        assert after.ledger.pool == cost * 10**12
    seen = surroundings(80 * CENTS, STRANGER, status=int(Status.STALE_SOFT))
    assert refused(state, seen, BuyInventory(WETH, 10**18, 2**90)) == "oracle/stale"


def test_a_pool_deposit_pays_for_inventory_in_usdc() -> None:
    """PEG-3, LPD-1, B24: a share costs what inventory would bring in USDC; a redemption pays no more for it."""
    state = state_with(inventory={WETH: 10 * 10**18}, pool=1_000 * W, stakes={STRANGER: 1_000 * W}, risk=FACED)
    par, low = (compute_pool_value(state, surroundings(usdc)) for usdc in (W, 80 * CENTS))
    assert (par.deposit, low.deposit) == (3_000 * W, 3_500 * W)
    assert par.redemption == low.redemption == 2_800 * W
    bought = event_of(run(state, surroundings(80 * CENTS), DepositToPool(350 * DOLLAR)), StakeUpdated).shares
    assert bought == 100_000_000_000_000_071_428  # a tenth, but for the virtual dollars
    seen = surroundings(80 * CENTS, status=int(Status.STALE_HARD))
    assert refused(state, seen, DepositToPool(DOLLAR)) == "oracle/stale"
    assert outcome_of(state_with(pool=W, risk=FACED), seen, DepositToPool(DOLLAR)) == "ok"


def test_without_a_depeg_nothing_changes() -> None:
    """PEG-1 to PEG-3: at par every number is that of a vault without a feed."""
    for risk, usdc in ((with_risk(), 80 * CENTS), (FACED, W)):
        state = trading(300 * W, risk, weth=10**18)
        seen = surroundings(usdc, LIQUIDATOR, btc=7_700 * W)
        report = event_of(run(state, seen, Liquidate(ACCOUNT)), AccountLiquidated)
        assert report == event_of(
            run(trading(300 * W, with_risk(), 10**18), seen, Liquidate(ACCOUNT)), AccountLiquidated
        )
