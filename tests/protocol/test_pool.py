"""What the pool is worth, and what a share of it costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.actions import DepositToPool, FundInsurance, Trade
from protocol.env import Status
from protocol.errors import Refusal
from protocol.events import LedgerUpdated, SharesUpdated, TokenUpdated
from protocol.margin import compute_pnl
from protocol.pool import (
    VIRTUAL,
    compute_deposit_value,
    compute_inventory_value,
    compute_shares,
    compute_traders_pnl,
)
from protocol.records import Table
from protocol.state import Position, State, Token
from protocol.transition import apply
from protocol.units import UNITS_LIMIT, UNSIGNED_LIMIT, USDC_TO_W, W, fdiv
from tests.protocol.build import (
    ACCOUNT,
    BORROWER,
    BTC,
    BTC_PRICE,
    ETH,
    ETH_PRICE,
    KEEPER,
    LENDER,
    STRANGER,
    WETH,
    check_order_of,
    env,
    holding,
    opened,
    outcome_of,
    refused,
    run,
    state_with,
)

DOLLAR = 10**6  # units of USDC
STATUSES = {
    "oracle/unavailable": Status.UNAVAILABLE,
    "oracle/non-positive": Status.NON_POSITIVE,
    "oracle/out-of-bounds": Status.OUT_OF_BOUNDS,
    "oracle/stale": Status.STALE_HARD,
}


def pool_of(
    pool: int,
    shares: int = 0,
    btc: Position | None = None,
    weth: int = 0,
    deficit: int = 0,
    btc_other: Position | None = None,
) -> State:
    """A state with a pool, one or two BTC positions against it and WETH bought."""
    accounts = {ACCOUNT: holding(10**4 * W, positions={BTC: btc} if btc else {})}
    if btc_other:
        accounts[KEEPER] = holding(10**4 * W, positions={BTC: btc_other})
    return state_with(
        accounts, pool=pool, shares={LENDER: shares} if shares else {}, inventory={WETH: weth}, deficit=deficit
    )


# --- value: LPD-1 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "pnl"),
    [(8_000 * W, 0), (8_001 * W, 1 * W), (7_999 * W, -1 * W), (8_000 * W + 1, 1), (8_000 * W - 1, -1)],
)
def test_traders_profit_is_the_sum_over_a_market(price: int, pnl: int) -> None:
    """LPD-1, C4: from exact totals: two longs and a short, net one coin long."""
    state = state_with(
        {
            ACCOUNT: holding(0, positions={BTC: opened(3 * W, BTC_PRICE)}),
            KEEPER: holding(0, positions={BTC: opened(-2 * W, BTC_PRICE)}),
        }
    )
    assert compute_traders_pnl(state, env(btc=price)) == (pnl, 0)


def test_traders_profit_is_summed_over_markets_and_rounded_down() -> None:
    """LPD-1: each market rounds by itself, to minus infinity."""
    positions = {BTC: Position(3, 0), ETH: Position(-3, 0)}
    state = state_with({ACCOUNT: holding(0, positions=positions)})
    assert compute_traders_pnl(state, env(btc=W // 2, eth=W // 2)) == (1 - 2, 0)


@given(
    sizes=st.lists(st.integers(-(10**20), 10**20).filter(bool), min_size=1, max_size=3),
    costs=st.lists(st.integers(-(10**24), 10**24), min_size=3, max_size=3),
    price=st.integers(1, 10**24),
)
def test_the_total_is_the_sum_of_positions_but_for_fractions(sizes: list[int], costs: list[int], price: int) -> None:
    """LPD-1, C4: never below the sum of the positions' own profits, and above it by less than a wei each."""
    positions = [Position(size, cost) for size, cost in zip(sizes, costs, strict=False)]
    state = state_with({ACCOUNT + i: holding(0, positions={BTC: p}) for i, p in enumerate(positions)})
    total, _ = compute_traders_pnl(state, env(btc=price))
    assert 0 <= total - sum(compute_pnl(position, price) for position in positions) < len(positions)


def test_only_markets_with_positions_and_tokens_in_inventory_need_prices() -> None:
    """LPD-1: a market without open interest, even with the price of its feed missing, is not asked."""
    bad = int(Status.STALE_HARD)
    assert compute_traders_pnl(pool_of(W), env(btc_status=bad, eth_status=bad)) == (0, 0)
    long = pool_of(W, btc=opened(W, BTC_PRICE))
    assert compute_traders_pnl(long, env(btc_status=bad)) == (0, bad)
    assert compute_traders_pnl(long, env(eth_status=bad)) == (0, 0)
    short = pool_of(W, btc=opened(-W, BTC_PRICE))
    assert compute_traders_pnl(short, env(btc_status=bad)) == (0, bad)
    # Long and short of one size have no skew, but their cost needs no price either; the status shows all the same.
    even = pool_of(W, btc=opened(W, BTC_PRICE), btc_other=opened(-W, BTC_PRICE))
    assert compute_traders_pnl(even, env(btc_status=bad)) == (0, bad)
    assert compute_inventory_value(pool_of(W), env(eth_status=bad)) == (0, 0)
    assert compute_inventory_value(pool_of(W, weth=1), env(eth_status=bad)) == (200, bad)


def test_inventory_counts_at_market_value() -> None:
    """LPD-1, T6: for a deposit the pool's collateral has no haircut, and is rounded up: the depositor pays for it."""
    assert compute_inventory_value(pool_of(W, weth=3 * 10**18), env()) == (600 * W, 0)
    for units, value in ((1, 1), (2, 1), (3, 2), (4, 2)):
        assert compute_inventory_value(pool_of(W, weth=units), env(eth=W // 2)) == (value, 0)


@pytest.mark.parametrize(
    ("pool", "price", "weth", "value"),
    [
        (1_000, 8_000, 0, 1_000),
        (1_000, 8_100, 0, 1_000),  # the traders' gain does not count for a deposit
        (1_000, 7_900, 0, 1_100),  # their loss does
        (1_000, 7_900, 2, 1_500),
        (0, 8_100, 0, 0),
        (0, 7_999, 0, 1),
    ],
)
def test_a_deposit_is_priced_against_the_depositor(pool: int, price: int, weth: int, value: int) -> None:
    """LPD-1, P2, B24: pool less the traders' net loss, plus inventory; a net gain counts as 0."""
    state = pool_of(pool * W, btc=opened(W, BTC_PRICE), weth=weth * 10**18)
    assert compute_deposit_value(state, env(btc=price * W)) == (value * W, 0)


def test_gains_and_losses_are_netted_over_markets_first() -> None:
    """LPD-1: one market's gain offsets another's loss before the net gain is ignored."""
    positions = {BTC: opened(W, BTC_PRICE), ETH: opened(W, ETH_PRICE)}
    state = state_with({ACCOUNT: holding(0, positions=positions)}, pool=1_000 * W)
    assert compute_deposit_value(state, env(btc=8_030 * W, eth=180 * W)) == (1_000 * W, 0)
    assert compute_deposit_value(state, env(btc=8_010 * W, eth=180 * W)) == (1_010 * W, 0)


# --- shares: LPD-2 --------------------------------------------------------------------------------------------------


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
    """LPD-2, P1: events of a first and a second deposit at an unchanged value."""
    first = run(state_with(), env(LENDER), DepositToPool(5 * DOLLAR))
    assert first.events == (
        TokenUpdated(0, 5 * DOLLAR, 0),
        SharesUpdated(LENDER, 5 * W),
        LedgerUpdated(5 * W, 0, 0, 0, 5 * W),
    )
    second = run(first.state, env(STRANGER), DepositToPool(DOLLAR))
    assert dict(second.state.shares) == {LENDER: 5 * W, STRANGER: W}
    more = run(second.state, env(LENDER), DepositToPool(DOLLAR))
    assert list(more.state.shares.items()) == [(LENDER, 6 * W), (STRANGER, W)]
    assert more.state.ledger.shares == 7 * W


@given(
    amount=st.integers(1, 10**30),
    supply=st.integers(0, 10**30),
    value=st.integers(0, 10**30),
)
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
    state = replace(pool_of(7 * W, shares=3 * W))
    whole = run(state, env(STRANGER), DepositToPool(30 * DOLLAR)).state
    split = state
    for _ in range(parts):
        split = run(split, env(STRANGER), DepositToPool(30 * DOLLAR // parts)).state
    assert split.shares[STRANGER] <= whole.shares[STRANGER]


# --- when the pool takes no deposits: LPD-3, LPD-4 ------------------------------------------------------------------


@pytest.mark.parametrize(("deficit", "code"), [(0, "ok"), (1, "pool/deficit"), (10**30, "pool/deficit")])
def test_a_pool_in_deficit_takes_no_deposit(deficit: int, code: str) -> None:
    """LPD-3, B24: a new deposit would pay what is owed to traders already."""
    state = pool_of(0, deficit=deficit) if deficit else pool_of(1)
    assert outcome_of(state, env(LENDER), DepositToPool(DOLLAR)) == code


@pytest.mark.parametrize(
    ("pool", "shares", "code"),
    [(0, 1, "pool/no-value"), (0, 10**24, "pool/no-value"), (0, 0, "ok"), (1, 1, "ok"), (1, 0, "ok")],
)
def test_shares_without_value_have_no_fair_price(pool: int, shares: int, code: str) -> None:
    """LPD-3, P4: a pool that lost everything takes no deposit; an empty one that never had shares does."""
    assert outcome_of(pool_of(pool, shares=shares), env(LENDER), DepositToPool(DOLLAR)) == code


def test_a_loss_of_traders_gives_an_empty_pool_value_again() -> None:
    """LPD-1, LPD-3: the value decides, not the pool's dollars."""
    state = pool_of(0, shares=W, btc=opened(W, BTC_PRICE))
    assert refused(state, env(LENDER), DepositToPool(DOLLAR)) == "pool/no-value"
    assert refused(state, env(LENDER, btc=8_001 * W), DepositToPool(DOLLAR)) == "pool/no-value"
    run(state, env(LENDER, btc=BTC_PRICE - 1), DepositToPool(DOLLAR))


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
def test_a_deposit_needs_the_prices_of_what_the_pool_is_exposed_to(code: str, status: Status) -> None:
    """LPD-3, ORC-3: open interest and inventory; other prices are not asked."""
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
    # A value of 1 wei makes shares dear: one unit buys about supply times 10^6.
    supply = 10**33
    bought = compute_shares(10**12, supply, 1)
    assert supply + bought > UNSIGNED_LIMIT
    assert refused(pool_of(1, shares=supply), env(LENDER), DepositToPool(1)) == "sys/domain"
    fits = UNSIGNED_LIMIT // (10**6 + 1)
    bought = compute_shares(10**12, fits, 1)
    assert fits + bought < UNSIGNED_LIMIT
    run(pool_of(1, shares=fits), env(LENDER), DepositToPool(1))


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
    assert "sys/domain" not in outcome_without_checks(replace(fits, ledger=ledger))
    ledger = replace(ledger, pool=UNSIGNED_LIMIT - 10**12 - 1, shares=UNSIGNED_LIMIT - 10**12)
    assert outcome_without_checks(replace(fits, ledger=ledger)) == "sys/domain"
    owner = replace(fits, shares=Table({LENDER: UNSIGNED_LIMIT - 10**12}))
    assert outcome_without_checks(owner) == "sys/domain"
    owner = replace(fits, shares=Table({LENDER: UNSIGNED_LIMIT - 10**12 - 1}))
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
    """LPD-1 to LPD-4: of two faults the earlier check speaks."""
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


# --- what the pool does not notice ----------------------------------------------------------------------------------


def test_gifts_to_insurance_and_idle_accounts_do_not_change_the_share_price() -> None:
    """LPD-1, P2, X7: only price, fees and losses move the value."""
    state = pool_of(10**6 * W, shares=10**6 * W, btc=opened(W, BTC_PRICE))
    before = compute_deposit_value(state, env())
    after = run(state, env(STRANGER), FundInsurance(10**6 * DOLLAR)).state
    assert compute_deposit_value(after, env()) == before


def test_a_realised_loss_is_worth_what_the_unrealised_one_was() -> None:
    """LPD-1, P2, B24: closing a losing position leaves the price of a deposit, but for the fee's part."""
    state = pool_of(10**6 * W, btc=opened(W, BTC_PRICE))
    surroundings = env(BORROWER, btc=7_900 * W)
    before, _ = compute_deposit_value(state, surroundings)
    after = run(state, surroundings, Trade(ACCOUNT, BTC, -W, 0)).state
    value, _ = compute_deposit_value(after, surroundings)
    fee = 7_900 * W // 2_000
    assert value == before + fee - fee // 10
