"""What a fault of one price does to an account: it neither causes a liquidation nor blocks one, nor a withdrawal."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.account_state import AccountState
from protocol.actions import FlagAccount, Liquidate, Trade, Withdraw
from protocol.env import Status
from protocol.events import AccountLiquidated
from protocol.margin import compute_health, is_liquidatable
from protocol.policy import LIQUIDATION
from protocol.state import USDC, CollateralPhase, Position, State
from protocol.units import W
from protocol.views import compute_bankruptcy_price, compute_liquidation_price
from tests.protocol.build import (
    ACCOUNT,
    ANY_PRICE,
    BORROWER,
    BTC,
    BTC_PRICE,
    COLLATERAL,
    ETH,
    ETH_PRICE,
    NOW,
    PRICELESS,
    STRANGER,
    WETH,
    env,
    event_of,
    holding,
    moving,
    outcome_of,
    refused,
    run,
    state_with,
)
from tests.protocol.quotes import BLOCKING, LOT, SOFT, both, surroundings, wide

WBTC = 2
CENT = W // 100
TAKE = Liquidate(ACCOUNT)


def owing(cash: int, collateral: dict[int, int]) -> State:
    """An account without a position that owes dollars, on WETH and on WBTC, which has the price of BTC."""
    weth = COLLATERAL[0]
    wbtc = replace(weth, feed=BTC, decimals=8, account_cap=10**12, global_cap=10**12)
    return state_with({ACCOUNT: holding(cash * W, collateral)}, insurance=10**4 * W, collateral=(weth, wbtc))


# --- one stale price neither causes a liquidation: LIQ-3, MRG-12 ----------------------------------------------------


@pytest.mark.parametrize(("code", "status"), BLOCKING.items())
@pytest.mark.parametrize("size", [W, -W])
def test_a_faulty_price_liquidates_nobody_within_the_band(code: str, status: Status, size: int) -> None:
    """LIQ-3, LIQ-4: an account below maintenance at the last price, and sound at a tenth more in its favour."""
    state = both(200, size)
    assert outcome_of(state, surroundings(wide(BTC_PRICE, 0)), TAKE) == "ok"
    seen = surroundings(wide(BTC_PRICE, 0, int(status)))
    assert refused(state, seen, TAKE) == "liq/not-liquidatable"
    assert refused(state, seen, FlagAccount(ACCOUNT)) == "liq/not-liquidatable"


@pytest.mark.parametrize(("code", "status"), BLOCKING.items())
def test_what_is_closed_needs_an_accepted_price(code: str, status: Status) -> None:
    """LIQ-3, POL-1: beyond the band the account is liquidatable, but its only position cannot be closed."""
    state = both(-600)
    seen = surroundings(wide(BTC_PRICE, 0, int(status)))
    assert is_liquidatable(compute_health(state, state.accounts[ACCOUNT], seen))
    assert refused(state, seen, TAKE) == code
    assert outcome_of(state, seen, FlagAccount(ACCOUNT)) == "ok"


@pytest.mark.parametrize("status", SOFT)
def test_a_slow_or_wide_price_liquidates(status: Status) -> None:
    """LIQ-3, POL-1: they grow in the crash that liquidations are for."""
    assert outcome_of(both(200), surroundings(wide(BTC_PRICE, 40 * W, int(status))), TAKE) == "ok"


def test_stale_collateral_counts_for_more_and_not_for_everything() -> None:
    """MRG-12: 1 WETH at 200 counts 180; stale it counts 198, and an account that lacks more is liquidated."""
    stale = wide(ETH_PRICE, 0, int(Status.STALE_HARD))
    for cash, code in ((29, "ok"), (12, "liq/not-liquidatable"), (11, "ok")):
        seen = surroundings(wide(BTC_PRICE, 0), wide(ETH_PRICE, 0) if cash == 29 else stale)
        assert outcome_of(both(cash, weth=10**18), seen, TAKE) == code


# --- nor does it block one ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", BLOCKING.values())
def test_a_position_that_cannot_be_closed_is_passed_over(status: Status) -> None:
    """SIZ-1, LIQ-3: BTC has fallen, ETH is stale: BTC is closed, ETH stays, and its bad debt waits."""
    state = both(2_000, 2 * W, 5 * W)
    seen = surroundings(wide(7_000 * W, 0), wide(ETH_PRICE, 0, int(status)))
    outcome = run(state, seen, TAKE)
    assert event_of(outcome, AccountLiquidated).closed_notional == 14_000 * W
    assert set(outcome.state.accounts[ACCOUNT].positions) == {ETH}
    assert event_of(outcome, AccountLiquidated).bad_debt == 0


def test_a_debt_waits_for_collateral_that_cannot_be_sold() -> None:
    """LIQ-7, WAT-2, WAT-3: the debt stays until the price is back; then the sale comes before the loss."""
    state = both(700, weth=10**18)
    stale = surroundings(wide(7_000 * W, 0), wide(ETH_PRICE, 0, int(Status.STALE_HARD)))
    outcome = run(state, stale, TAKE)
    account = outcome.state.accounts[ACCOUNT]
    assert account.cash < 0
    assert account.collateral == {WETH: 10**18}
    assert outcome.state.ledger.trader_debt == -account.cash
    assert event_of(outcome, AccountLiquidated).bad_debt == 0
    assert refused(outcome.state, stale, TAKE) == "oracle/stale"
    back = run(outcome.state, surroundings(wide(7_000 * W, 0)), TAKE)
    assert event_of(back, AccountLiquidated).bad_debt > 0
    assert back.state.accounts[ACCOUNT].collateral == {}
    assert back.state.accounts[ACCOUNT].cash == back.state.ledger.trader_debt == 0


def test_a_debt_that_waits_pays_for_what_is_settled_of_it() -> None:
    """RWD-2, LIQ-6: 1 % of what the BTC brings, however large the debt beside the stale WETH; all of one it can pay."""
    stale = surroundings(wide(BTC_PRICE, 0), wide(ETH_PRICE, 0, int(Status.STALE_HARD)))
    for wbtc, weth, cash, reward in (
        (1, 10**20, -30_000, 760 * 10**9),
        (10**7, 10**20, -30_000, 576 * CENT),
        (10**7, 10**15, -730, 573 * CENT),
    ):
        report = event_of(run(owing(cash, {WETH: weth, WBTC: wbtc}), stale, TAKE), AccountLiquidated)
        assert (report.reward, report.bad_debt) == (reward, 0)


@pytest.mark.parametrize("status", [Status.NON_POSITIVE, Status.STALE_HARD])
def test_a_debt_waits_for_no_more_than_its_collateral_can_be_worth(status: Status) -> None:
    """LIQ-3, LIQ-7, WAT-3, B42: what exceeds the ceiling of 400 is lost for certain, and covered at once."""
    seen = surroundings(wide(BTC_PRICE, 0), wide(ETH_PRICE, 0, int(status)))
    for weth, cash, bad_debt in ((10**18, -1_000, 600 * W), (1, -1_000, 1_000 * W - 400)):
        outcome = run(owing(cash, {WETH: weth}), seen, TAKE)
        report, account = event_of(outcome, AccountLiquidated), outcome.state.accounts[ACCOUNT]
        assert report.bad_debt == report.bad_debt_insurance == bad_debt
        assert (account.cash, account.collateral) == (cash * W + bad_debt, {WETH: weth})
        assert report.reward == min(5 * W + bad_debt // 1_000, bad_debt // 100)
        assert refused(outcome.state, seen, TAKE).startswith(("oracle/", "liq/not-liquidatable"))
        assert refused(owing(-400, {WETH: 10**18}), seen, TAKE).startswith(("oracle/", "liq/not-liquidatable"))


def test_a_stale_price_above_the_ceiling_is_what_collateral_can_be_worth() -> None:
    """WAT-3: moved by the stale band; 1 WETH last seen at 500 can be worth 550."""
    seen = surroundings(wide(BTC_PRICE, 0), wide(500 * W, 0, int(Status.HALTED)))
    assert event_of(run(owing(-551, {WETH: 10**18}), seen, TAKE), AccountLiquidated).bad_debt == W
    assert refused(owing(-550, {WETH: 10**18}), seen, TAKE) == "oracle/halted"


def test_the_grace_period_does_not_protect_what_is_deep_below() -> None:
    """POL-1, LIQ-3: in SEQ_GRACE a LIQUIDATABLE account waits, one below the backstop ratio does not."""
    grace = wide(BTC_PRICE, 0, int(Status.SEQ_GRACE))
    # The price counts as it is: maintenance is 200 and the reserve of 10, two thirds of it 133.
    above, deep = both(180), both(140)
    assert refused(above, surroundings(grace), TAKE) == "oracle/sequencer-grace"
    outcome = run(deep, surroundings(grace), TAKE)
    assert event_of(outcome, AccountLiquidated).account_state <= AccountState.BACKSTOP
    assert not outcome.state.accounts[ACCOUNT].positions


# --- nor does one that is missing: MRG-12, LIQ-3 --------------------------------------------------------------------


@pytest.mark.parametrize("status", PRICELESS.values())
@pytest.mark.parametrize("mid", [0, BTC_PRICE])
def test_a_dead_token_stops_no_liquidation(status: Status, mid: int) -> None:
    """LIQ-3, MRG-12, M8, L12: a unit of it counts next to nothing; much of it counts at its ceiling, 360 a token."""
    dead = wide(mid, 0, int(status))
    for weth, code in ((0, "ok"), (1, "ok"), (10**17, "ok"), (10**18, "liq/not-liquidatable")):
        state = both(100, weth=weth)
        assert outcome_of(state, surroundings(wide(BTC_PRICE, 0), dead), TAKE) == code
    outcome = run(both(100, weth=1), surroundings(wide(BTC_PRICE, 0), dead), TAKE)
    assert outcome.state.accounts[ACCOUNT].collateral == {WETH: 1}


@pytest.mark.parametrize("status", PRICELESS.values())
@pytest.mark.parametrize(("btc", "eth"), [(W, 10 * W), (W, -10 * W), (-W, 10 * W), (-W, -10 * W)])
def test_nobody_is_liquidated_because_a_feed_died(status: Status, btc: int, eth: int) -> None:
    """LIQ-4, MRG-12: long or short, an account at exactly its maintenance stays sound when either price is gone."""
    state = both(260, btc, eth, 0)
    fresh = compute_health(state, state.accounts[ACCOUNT], env())
    assert fresh.equity_mm == fresh.maintenance_margin
    gone = wide(0, 0, int(status))
    for seen in (surroundings(gone), surroundings(wide(BTC_PRICE, 0), gone), surroundings(gone, gone)):
        assert refused(state, seen, TAKE) == "liq/not-liquidatable"
        assert refused(state, seen, FlagAccount(ACCOUNT)) == "liq/not-liquidatable"


@pytest.mark.parametrize("status", PRICELESS.values())
def test_what_has_no_price_is_passed_over(status: Status) -> None:
    """LIQ-7, SIZ-1, WAT-2: BTC is closed, the ETH position stays; without one the debt waits for the WETH."""
    gone = wide(0, 0, int(status))
    outcome = run(both(800, eth=W), surroundings(wide(7_000 * W, 0), gone), TAKE)
    assert set(outcome.state.accounts[ACCOUNT].positions) == {ETH}
    outcome = run(both(700, weth=10**18), surroundings(wide(7_000 * W, 0), gone), TAKE)
    account = outcome.state.accounts[ACCOUNT]
    assert account.cash < 0
    assert (account.positions, account.collateral) == ({}, {WETH: 10**18})
    assert event_of(outcome, AccountLiquidated).bad_debt == 0
    assert refused(outcome.state, surroundings(wide(7_000 * W, 0), gone), TAKE).startswith("oracle/")


def test_a_missing_price_leaves_pending_funding_out() -> None:
    """MRG-12, FUN-1: whatever number stands beside the fault; what was accrued still counts."""
    state = moving(both(10_000), BTC)
    later = replace(surroundings(wide(BTC_PRICE, 0)), now=NOW + 86_400)
    gone = replace(later, quotes=(wide(BTC_PRICE, 0, int(Status.OUT_OF_BOUNDS)), *later.quotes[1:]))
    account = state.accounts[ACCOUNT]
    assert compute_health(state, account, later).equity_raw == (10_000 - 80) * W
    assert compute_health(state, account, gone).equity_raw == (10_000 + 8_000) * W


def test_a_former_ceiling_counts_while_it_is_phased_out() -> None:
    """MRG-14, GOV-5, S10: a ceiling lowered while the feed is dead liquidates nobody before the phase is over."""
    state = both(100, weth=10**18)
    params = replace(state.collateral_params[0], ceiling=W)
    phase = CollateralPhase(NOW + 1, params.brackets, 400 * W)
    state = replace(state, collateral_params=(params,), collateral_phases=(phase,))
    seen = surroundings(wide(BTC_PRICE, 0), wide(0, 0, int(Status.NON_POSITIVE)))
    assert refused(state, seen, TAKE) == "liq/not-liquidatable"
    assert outcome_of(state, replace(seen, now=NOW + 1), TAKE) == "ok"


@pytest.mark.parametrize("status", PRICELESS.values())
def test_a_dead_token_blocks_no_withdrawal(status: Status) -> None:
    """WDR-6, MRG-15, M8: an account is measured without it; one without a position is not measured."""
    state = both(1_000, weth=10**18)
    seen = surroundings(wide(BTC_PRICE, 0), wide(0, 0, int(status)), sender=BORROWER)
    cash = Withdraw(ACCOUNT, USDC, 10**6)
    assert outcome_of(state, seen, cash) == "ok"
    assert outcome_of(state, seen, Withdraw(ACCOUNT, WETH, 10**18 - 1)) == "ok"
    spent = both(410, weth=10**18)
    assert refused(spent, seen, cash).startswith("oracle/")
    flat = state_with({ACCOUNT: holding(W, {WETH: 10**18})})
    assert outcome_of(flat, seen, cash) == "ok"


# --- actions by row -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [Status.STALE_SOFT, Status.UNCERTAIN, Status.SEQ_GRACE, Status.CAPPED])
def test_a_reduction_takes_soft_faults_and_growth_none(status: Status) -> None:
    """TRD-4, POL-1."""
    seen = surroundings(wide(BTC_PRICE, 0, int(status)), sender=BORROWER)
    assert outcome_of(both(10**4), seen, Trade(ACCOUNT, BTC, -W, 0)) == "ok"
    for delta in (W, -2 * W):
        action = Trade(ACCOUNT, BTC, delta, ANY_PRICE if delta > 0 else 0)
        assert refused(both(10**4), seen, action).startswith("oracle/")


def test_what_can_be_foreseen_holds_with_a_faulty_price() -> None:
    """VIEW-5, VIEW-8: the prices at which a stale market does harm once it answers do not move with the band."""
    state = both(1_000, 2 * W, -3 * W)
    fresh = surroundings(wide(BTC_PRICE, 0), sender=STRANGER)
    stale = surroundings(wide(BTC_PRICE, 0, int(Status.STALE_HARD)), sender=STRANGER)
    for view in (compute_liquidation_price, compute_bankruptcy_price):
        assert view(state, stale, ACCOUNT, BTC) == view(state, fresh, ACCOUNT, BTC) > 0


@given(
    st.integers(-(10**3), 10**4),
    st.integers(-3_000, 3_000).filter(bool),
    st.integers(-3_000, 3_000).filter(bool),
    st.integers(0, 10**18),
    st.tuples(*[st.sampled_from([0, *(int(s) for s in (*BLOCKING.values(), *PRICELESS.values(), *SOFT))])] * 2),
    st.integers(0, 50),
)
def test_a_fault_or_a_spread_never_makes_an_account_liquidatable(
    cash: int, btc: int, eth: int, weth: int, statuses: tuple[int, int], spread: int
) -> None:
    """MRG-4, MRG-12, MRG-13, M2: nor opens room for new risk; the three readings keep their order."""
    positions = {BTC: Position(btc * LOT, btc * LOT * 8_000, 0), ETH: Position(eth * LOT, eth * LOT * 200, 0)}
    state = state_with({ACCOUNT: holding(cash * W, {WETH: weth} if weth else {}, positions)}, pool=10**7 * W)
    account = state.accounts[ACCOUNT]
    sound = compute_health(state, account, env())
    seen = surroundings(wide(BTC_PRICE, spread * W, statuses[0]), wide(ETH_PRICE, spread * W // 10, statuses[1]))
    found = compute_health(state, account, seen)
    assert found.equity_im <= found.equity_mm <= found.equity_raw
    assert found.equity_im <= sound.equity_im
    assert found.equity_mm - found.maintenance_margin >= sound.equity_mm - sound.maintenance_margin
    if not (statuses[0] | statuses[1]) & ~LIQUIDATION:
        assert found.equity_mm == sound.equity_mm
        assert found.maintenance_margin == sound.maintenance_margin
