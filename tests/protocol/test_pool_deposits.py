"""What a share of the pool costs, and when the pool takes no deposits: LPD-2 to LPD-4."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.actions import DepositToPool
from protocol.env import Status
from protocol.errors import Refusal
from protocol.events import LedgerUpdated, StakeUpdated, TokenUpdated
from protocol.pool import VIRTUAL, compute_shares
from protocol.records import Table
from protocol.state import Stake, State, Token
from protocol.transition import apply
from protocol.units import UNITS_LIMIT, UNSIGNED_LIMIT, USDC_TO_W, W, fdiv
from tests.protocol.build import (
    BTC_PRICE,
    LENDER,
    NOW,
    STATUSES,
    STRANGER,
    check_order_of,
    env,
    opened,
    outcome_of,
    refusal_of,
    refused,
    run,
    state_with,
)
from tests.protocol.pools import DOLLAR, pool_of

# --- LPD-2: shares --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "supply", "value", "shares"),
    [
        (5 * W, 0, 0, 5 * W),
        (1, 0, 0, 1),
        (W, 10 * W, 10 * W, W),
        (3, 0, VIRTUAL, 1),
        (1, 0, VIRTUAL, 0),
        (2, 0, VIRTUAL, 1),
        (W, 10 * W, 20 * W, fdiv(W * (10 * W + VIRTUAL), 20 * W + VIRTUAL)),
        (W, 10 * W, 0, W * (10 * W + VIRTUAL) // VIRTUAL),
    ],
)
def test_shares_are_rounded_down(amount: int, supply: int, value: int, shares: int) -> None:
    """LPD-2, T6: amount times supply over value, both with the virtual offset, in favour of the pool."""
    assert compute_shares(amount, supply, value) == shares


def test_the_first_deposit_buys_a_share_per_dollar() -> None:
    """LPD-2, LPD-4, P1: events of a first and a second deposit at an unchanged value."""
    first = run(state_with(), env(LENDER), DepositToPool(5 * DOLLAR))
    assert first.events == (
        TokenUpdated(0, 5 * DOLLAR, 0),
        StakeUpdated(LENDER, 5 * W, 0, 0),
        LedgerUpdated(5 * W, 0, 0, 0, 5 * W, 0),
    )
    second = run(first.state, env(STRANGER), DepositToPool(DOLLAR))
    assert dict(second.state.stakes) == {LENDER: Stake(5 * W, 0, 0), STRANGER: Stake(W, 0, 0)}
    more = run(second.state, env(LENDER), DepositToPool(DOLLAR))
    assert list(more.state.stakes.items()) == [(LENDER, Stake(6 * W, 0, 0)), (STRANGER, Stake(W, 0, 0))]
    assert more.state.ledger.shares == 7 * W


def test_a_deposit_leaves_a_request_as_it_is() -> None:
    """LPD-4: new shares are not part of what was asked for."""
    state = state_with(pool=5 * W, stakes={LENDER: Stake(5 * W, 2 * W, NOW + 7)})
    after = run(state, env(LENDER), DepositToPool(DOLLAR)).state
    assert after.stakes[LENDER] == Stake(6 * W, 2 * W, NOW + 7)


@given(amount=st.integers(1, 10**30), supply=st.integers(0, 10**30), value=st.integers(0, 10**30))
def test_a_depositor_never_owns_more_than_was_paid_in(amount: int, supply: int, value: int) -> None:
    """LPD-2, P1: shares bought are worth at most the amount, at the value after the deposit."""
    shares = compute_shares(amount, supply, value)
    worth = fdiv(shares * (value + amount + VIRTUAL), supply + shares + VIRTUAL)
    assert worth <= amount


@given(first=st.integers(1, 10**6), gift=st.integers(1, 10**12), victim=st.integers(1, 10**12))
def test_the_first_depositor_cannot_inflate_the_share_price_with_profit(first: int, gift: int, victim: int) -> None:
    """LPD-2, P1, B23: raising the pool's value by a gift before another's deposit never pays for itself."""
    first, gift, victim = first * USDC_TO_W, gift * USDC_TO_W, victim * USDC_TO_W
    mine = compute_shares(first, 0, 0)
    theirs = compute_shares(victim, mine, first + gift)
    total = first + gift + victim
    worth = fdiv(mine * (total + VIRTUAL), mine + theirs + VIRTUAL)
    assert worth <= first + gift


@given(amount=st.integers(1, 10**12), deposits=st.lists(st.integers(1, 10**12), min_size=1, max_size=5))
def test_no_deposit_lowers_the_value_of_a_share(amount: int, deposits: list[int]) -> None:
    """LPD-2, P2: existing shares never lose by another's deposit."""
    state = run(state_with(), env(LENDER), DepositToPool(amount)).state
    for units in deposits:
        before = state.ledger
        state = run(state, env(STRANGER), DepositToPool(units)).state
        after = state.ledger
        assert (after.pool + VIRTUAL) * (before.shares + VIRTUAL) >= (before.pool + VIRTUAL) * (after.shares + VIRTUAL)


@pytest.mark.parametrize("parts", [2, 3, 10])
def test_a_deposit_in_parts_buys_no_more_shares(parts: int) -> None:
    """LPD-2, X1: splitting a deposit gains nothing."""
    state = pool_of(7 * W, shares=3 * W)
    whole = run(state, env(STRANGER), DepositToPool(30 * DOLLAR)).state
    split = state
    for _ in range(parts):
        split = run(split, env(STRANGER), DepositToPool(30 * DOLLAR // parts)).state
    assert split.stakes[STRANGER].shares <= whole.stakes[STRANGER].shares


# --- LPD-3, LPD-4: when the pool takes no deposits ------------------------------------------------------------------


@pytest.mark.parametrize(("deficit", "code"), [(0, "ok"), (1, "pool/deficit"), (10**30, "pool/deficit")])
def test_a_pool_in_deficit_takes_no_deposit(deficit: int, code: str) -> None:
    """LPD-3, B24: a new deposit would pay what is owed to traders already."""
    state = pool_of(0, deficit=deficit) if deficit else pool_of(1)
    assert outcome_of(state, env(LENDER), DepositToPool(DOLLAR)) == code
    if deficit:
        assert refusal_of(state, env(LENDER), DepositToPool(DOLLAR)).facts == {"deficit": deficit}


@pytest.mark.parametrize(
    ("pool", "shares", "code"),
    [
        (0, 1, "pool/no-value"),
        (0, 10**24, "pool/no-value"),
        (10**18 - 1, 10**24, "pool/no-value"),
        (10**18, 10**24, "ok"),
        (10**18, 10**24 + 1, "pool/no-value"),
        (1, 10**6, "ok"),
        (1, 10**6 + 1, "pool/no-value"),
        (0, 0, "ok"),
        (1, 0, "ok"),
    ],
)
def test_shares_without_value_have_no_fair_price(pool: int, shares: int, code: str) -> None:
    """LPD-3, P4: a pool that lost all but a millionth takes no deposit; one that never had shares does."""
    assert outcome_of(pool_of(pool, shares=shares), env(LENDER), DepositToPool(DOLLAR)) == code


def test_a_loss_of_traders_gives_an_empty_pool_value_again() -> None:
    """LPD-1, LPD-3, P4: the value decides, not the pool's dollars."""
    state = pool_of(0, shares=W, btc=opened(W, BTC_PRICE))
    assert refused(state, env(LENDER), DepositToPool(DOLLAR)) == "pool/no-value"
    assert refused(state, env(LENDER, btc=8_001 * W), DepositToPool(DOLLAR)) == "pool/no-value"
    millionth = W // 10**6
    assert refused(state, env(LENDER, btc=BTC_PRICE - millionth + 1), DepositToPool(DOLLAR)) == "pool/no-value"
    run(state, env(LENDER, btc=BTC_PRICE - millionth), DepositToPool(DOLLAR))


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
def test_a_deposit_needs_the_prices_of_what_the_pool_is_exposed_to(code: str, status: Status) -> None:
    """LPD-3, POL-2: open interest and inventory; other prices are not asked."""
    bad = int(status)
    exposed = pool_of(W, btc=opened(W, BTC_PRICE), weth=1)
    assert refused(exposed, env(LENDER, btc_status=bad), DepositToPool(DOLLAR)) == code
    assert refused(exposed, env(LENDER, eth_status=bad), DepositToPool(DOLLAR)) == code
    assert outcome_of(pool_of(W), env(LENDER, btc_status=bad, eth_status=bad), DepositToPool(DOLLAR)) == "ok"


def test_a_deposit_too_small_for_a_share_is_refused() -> None:
    """LPD-4, B23: nothing is taken for nothing."""
    # One USDC unit is 10^12 wei; with one virtual share per 10^6 dollars of value it buys less than a share.
    rich = 10**24
    assert compute_shares(10**12, 0, rich) == 0
    assert refused(pool_of(rich), env(LENDER), DepositToPool(1)) == "pool/no-shares"
    border = 10**12 * VIRTUAL - VIRTUAL
    assert compute_shares(10**12, 0, border) == 1
    assert outcome_of(pool_of(border), env(LENDER), DepositToPool(1)) == "ok"
    assert refused(pool_of(border + 1), env(LENDER), DepositToPool(1)) == "pool/no-shares"


@pytest.mark.parametrize(
    ("units", "code"),
    [
        (0, "amount/zero"),
        (1, "ok"),
        (UNITS_LIMIT, "sys/domain"),
        (UNITS_LIMIT - 1, "sys/domain"),
        ((UNSIGNED_LIMIT - 1) // USDC_TO_W + 1, "sys/domain"),
        ((UNSIGNED_LIMIT - 1) // USDC_TO_W, "ok"),
    ],
)
def test_a_deposit_fits_the_pool(units: int, code: str) -> None:
    """LPD-4, UNIT-3, T9: at least one unit, at most 128 bits of dollars in the pool."""
    assert outcome_of(state_with(), env(LENDER), DepositToPool(units)) == code


def test_shares_that_do_not_fit_are_a_domain_error() -> None:
    """LPD-4, UNIT-3, T9: the supply and each owner's shares hold 128 bits."""
    # The cheapest share that is still sold is worth a millionth of a dollar.
    value = 10**26
    supply = value * 10**6
    most = (UNSIGNED_LIMIT - 1 - supply) * (value + 10**6) // (supply + 10**6) // 10**12
    assert supply + compute_shares(most * 10**12, supply, value) < UNSIGNED_LIMIT
    run(pool_of(value, shares=supply), env(LENDER), DepositToPool(most))
    more = most + 2 * 10**6
    assert supply + compute_shares(more * 10**12, supply, value) >= UNSIGNED_LIMIT
    assert refused(pool_of(value, shares=supply), env(LENDER), DepositToPool(more)) == "sys/domain"


def test_each_record_of_a_deposit_has_its_own_limit() -> None:
    """UNIT-3: the vault's record, the pool, the supply and the owner's shares, each a unit short of overflow."""
    deposit = DepositToPool(1)
    crowded = replace(state_with(), tokens=(Token(UNSIGNED_LIMIT - 1, 0), Token(0, 0)))
    assert refused(crowded, env(LENDER), deposit) == "sys/domain"
    full = state_with()
    full = replace(full, ledger=replace(full.ledger, pool=UNSIGNED_LIMIT - 10**12))
    assert refused(full, env(LENDER), deposit) == "sys/domain"
    fits = state_with()
    ledger = replace(fits.ledger, pool=UNSIGNED_LIMIT - 10**12 - 1, shares=UNSIGNED_LIMIT - 10**12 - 1)
    assert outcome_without_checks(replace(fits, ledger=ledger)) == "ok"
    ledger = replace(ledger, pool=UNSIGNED_LIMIT - 10**12 - 1, shares=UNSIGNED_LIMIT - 10**12)
    assert outcome_without_checks(replace(fits, ledger=ledger)) == "sys/domain"
    owner = replace(fits, stakes=Table({LENDER: Stake(UNSIGNED_LIMIT - 10**12, 0, 0)}))
    assert outcome_without_checks(owner) == "sys/domain"
    owner = replace(fits, stakes=Table({LENDER: Stake(UNSIGNED_LIMIT - 10**12 - 1, 0, 0)}))
    assert outcome_without_checks(owner) == "ok"


def outcome_without_checks(state: State) -> str:
    """The outcome of depositing one unit on a state whose totals do not add up."""
    try:
        apply(state, env(LENDER), DepositToPool(1))
    except Refusal as refusal:
        return refusal.code
    return "ok"


def attempt_deposit(
    units: int = DOLLAR, deficit: int = 0, status: int = 0, pool: int = 10**23, shares: int = 0, btc: int = BTC_PRICE
) -> str:
    """A deposit into a pool with open interest."""
    state = pool_of(pool, shares=shares, btc=opened(W, BTC_PRICE))
    if deficit:
        state = replace(state, ledger=replace(state.ledger, deficit=deficit))
        return refused(state, env(LENDER, btc=btc, btc_status=status), DepositToPool(units))
    return outcome_of(state, env(LENDER, btc=btc, btc_status=status), DepositToPool(units))


def test_a_deposit_is_checked_in_order() -> None:
    """LPD-3, LPD-4: of two faults the earlier check speaks."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("amount/zero", {"units": 0}),
        ("sys/domain", {"units": UNITS_LIMIT}),
        ("pool/deficit", {"deficit": 1}),
        *((code, {"status": int(status)}) for code, status in STATUSES.items()),
        ("pool/no-value", {"pool": 0, "shares": 1}),
        ("pool/no-shares", {"units": 1}),
    ]
    check_order_of(faults, attempt_deposit)
    # The pool's width comes before the shares bought.
    full = state_with()
    full = replace(full, ledger=replace(full.ledger, pool=UNSIGNED_LIMIT - 1))
    assert compute_shares(10**12, 0, UNSIGNED_LIMIT - 1) == 0
    assert refused(full, env(LENDER), DepositToPool(1)) == "sys/domain"
