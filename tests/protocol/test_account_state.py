"""Where an account stands, and where its flag is lifted."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.account_state import AccountState, compute_account_state, is_clear
from protocol.actions import Withdraw
from protocol.errors import Refusal
from protocol.margin import Health, compute_health, is_liquidatable
from protocol.transition import apply
from protocol.units import BPS, W
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    BTC_PRICE,
    WETH,
    env,
    holding,
    opened,
    state_with,
    with_risk,
)
from tests.protocol.strategies import PRICES, SIGNED_SIZES
from tests.twins import RISK


def measured(raw: int, mm: int, im: int | None = None, margin: int = 100 * W, reserve: int = 10 * W) -> Health:
    """A health with maintenance margin ``margin`` and initial margin twice as high, reserve included."""
    return Health(raw, mm, mm if im is None else im, margin + reserve, 2 * margin + reserve, reserve, 0, 0)


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
    """STA-1: every border of the account states at -1, 0 and +1 wei."""
    assert compute_account_state(RISK, health) is state


def test_the_state_borders_follow_the_parameters() -> None:
    """STA-1: buffers are parameters, compared by cross multiplication."""
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
    """STA-1: the numbers are the contract's."""
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
    """STA-1, LIQ-4: state and liquidation test agree on every account with usable prices."""
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


# --- RESTRICTED by the equity tiers: STA-1, MRG-9 -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("equity_im", "state"),
    [(399 * W, AccountState.RESTRICTED), (400 * W - 1, AccountState.RESTRICTED), (400 * W, AccountState.HEALTHY)],
)
def test_an_account_below_its_equity_tier_is_restricted(equity_im: int, state: AccountState) -> None:
    """STA-1, MRG-9: 8,000 dollars at 20x need 400, though the initial margin is less."""
    health = Health(10**30, 10**30, equity_im, 110 * W, 210 * W, 10 * W, 8_000 * W, 0)
    assert compute_account_state(RISK, health) is state


def test_without_a_position_no_tier_is_asked() -> None:
    """STA-1: a debtor whose collateral covers it by maintenance weights is healthy, whatever it counts for opening."""
    assert compute_account_state(RISK, Health(5, 5, -(10**30), 0, 0, 0, 0, 0)) is AccountState.HEALTHY


# --- the flag's border: STA-2 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("equity_mm", "margin", "reserve", "clear"),
    [
        (120 * W - 1, 100 * W, 10 * W, False),
        (120 * W, 100 * W, 10 * W, True),
        (120 * W + 1, 100 * W, 10 * W, True),
        # The reserve is not scaled, and without one the border is ten percent above maintenance.
        (110 * W - 1, 100 * W, 0, False),
        (110 * W, 100 * W, 0, True),
        # Nothing is lost to rounding at the smallest margin.
        (1, 1, 0, False),
        (2, 1, 0, True),
        # Without a position: zero is enough.
        (-1, 0, 0, False),
        (0, 0, 0, True),
    ],
)
def test_a_flag_is_lifted_at_the_liquidation_buffer(equity_mm: int, margin: int, reserve: int, clear: bool) -> None:
    """STA-2: the buffer above maintenance, reserve apart; equality is clear."""
    health = Health(0, equity_mm, 0, margin + reserve, 2 * margin + reserve, reserve, 0, 0)
    assert is_clear(RISK, health) is clear


@pytest.mark.parametrize(("charged", "clear"), [(0, True), (5 * W, True), (5 * W + 1, False)])
def test_what_was_charged_since_the_measure_counts(charged: int, clear: bool) -> None:
    """STA-2: reward and penalty of a liquidation come off the balance alone."""
    assert is_clear(RISK, Health(0, 125 * W, 0, 110 * W, 210 * W, 10 * W, 0, 0), charged) is clear


def test_the_clear_border_follows_its_parameter() -> None:
    """STA-2: it is the liquidation buffer, not that of the margin call."""
    health = Health(0, 107 * W, 0, 100 * W, 200 * W, 0, 0, 0)
    assert is_clear(with_risk(liquidation_buffer=7 * W // 100), health)
    assert not is_clear(with_risk(liquidation_buffer=7 * W // 100 + 1), health)
    assert is_clear(with_risk(liquidation_buffer=0, margin_call_buffer=W), health)


@given(
    cash=st.integers(-(10**22), 10**22),
    weth=st.integers(1, 10**20),
    size=SIGNED_SIZES,
    prices=st.tuples(PRICES, PRICES),
)
def test_the_owner_of_an_account_may_do_what_its_state_says(
    cash: int, weth: int, size: int, prices: tuple[int, int]
) -> None:
    """STA-1, STA-2, M1, M3: HEALTHY is what a withdrawal must leave; clear is never liquidatable."""
    account = holding(cash, {WETH: weth}, {BTC: opened(size, BTC_PRICE)})
    state, now = state_with({ACCOUNT: account}), env(btc=prices[0], eth=prices[1])
    try:
        apply(state, now, Withdraw(ACCOUNT, WETH, 1))
        code = "ok"
    except Refusal as refusal:
        code = refusal.code
    after = replace(account, collateral={WETH: weth - 1} if weth > 1 else {})
    left = compute_health(state, after, now)
    standing = compute_account_state(RISK, left)
    # Rounded up, the two margins of a few wei can be closer to each other than their rates.
    tiny = standing is AccountState.MARGIN_CALL and left.maintenance_margin - left.reserve < 10
    assert tiny or (code == "ok") == (standing is AccountState.HEALTHY)
    assert code in {"ok", "margin/initial", "margin/equity-tier"}
    health = compute_health(state, account, now)
    assert not (is_clear(RISK, health) and is_liquidatable(health))
