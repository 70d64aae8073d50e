"""What the pool is worth to whoever comes, and what a share of it costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.actions import DepositToPool, FundInsurance, Trade
from protocol.collateral import compute_haircut_values
from protocol.env import Status
from protocol.errors import Refusal
from protocol.events import LedgerUpdated, StakeUpdated, TokenUpdated
from protocol.funding import compute_owed, project_funding
from protocol.margin import compute_pnl
from protocol.pool import VIRTUAL, PoolValue, compute_pool_value, compute_shares
from protocol.records import Table
from protocol.state import Account, Position, Stake, State, Token
from protocol.transition import apply
from protocol.units import DAY, UNITS_LIMIT, UNSIGNED_LIMIT, USDC_TO_W, W, fdiv
from tests.protocol.build import (
    ACCOUNT,
    BORROWER,
    BTC,
    BTC_PRICE,
    COLLATERAL,
    ETH,
    ETH_PRICE,
    KEEPER,
    LENDER,
    NOW,
    STATUSES,
    STRANGER,
    WETH,
    check_order_of,
    env,
    holding,
    moving,
    opened,
    outcome_of,
    refusal_of,
    refused,
    run,
    state_with,
    with_market,
)

DOLLAR = 10**6  # units of USDC


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
        accounts, pool=pool, stakes={LENDER: shares} if shares else {}, inventory={WETH: weth}, deficit=deficit
    )


# --- LPD-1: value ---------------------------------------------------------------------------------------------------


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
    value = compute_pool_value(state, env(btc=price))
    assert (value.traders_pnl, value.price_status) == (pnl, 0)


def test_traders_profit_is_summed_over_markets_and_rounded_down() -> None:
    """LPD-1: each market rounds by itself, to minus infinity."""
    positions = {BTC: Position(3, 0, 0), ETH: Position(-3, 0, 0)}
    state = state_with({ACCOUNT: holding(0, positions=positions)})
    assert compute_pool_value(state, env(btc=W // 2, eth=W // 2)).traders_pnl == 1 - 2


def test_pending_funding_is_part_of_traders_profit() -> None:
    """LPD-1, LPR-1, F1: what longs owe until now is the pool's already, in both values."""
    # 1 % a day of 8,000 for half a day, on a net coin: 40 dollars.
    accounts = {
        ACCOUNT: holding(0, positions={BTC: opened(3 * W, BTC_PRICE, index=10 * W)}),
        KEEPER: holding(0, positions={BTC: opened(-2 * W, BTC_PRICE, index=10 * W)}),
    }
    state = moving(state_with(accounts, pool=1_000 * W), BTC, funding_index=10 * W)
    later = env(now=NOW + DAY // 2)
    value = compute_pool_value(state, later)
    assert (value.deposit, value.redemption, value.traders_pnl) == (1_040 * W, 1_000 * W, -40 * W)
    ahead = compute_pool_value(state, env(btc=8_100 * W, now=NOW + DAY // 2))
    assert (ahead.deposit, ahead.redemption) == (1_000 * W, 1_000 * W - 100 * W + 40_500 * W // 1_000)
    owed = moving(state_with(accounts, pool=1_000 * W), BTC, daily=-W // 100, funding_index=10 * W)
    value = compute_pool_value(owed, later)
    assert (value.deposit, value.redemption) == (1_000 * W, 960 * W)


@given(
    sizes=st.lists(st.integers(-(10**20), 10**20).filter(bool), min_size=1, max_size=3),
    costs=st.lists(st.integers(-(10**24), 10**24), min_size=3, max_size=3),
    entries=st.lists(st.integers(-(10**20), 10**20), min_size=3, max_size=3),
    price=st.integers(1, 10**24),
    daily=st.integers(-W // 50, W // 50),
    later=st.integers(0, 10**6),
)
def test_the_total_is_the_sum_of_positions_but_for_fractions(
    sizes: list[int], costs: list[int], entries: list[int], price: int, daily: int, later: int
) -> None:
    """LPD-1, C4, F1: never below the sum of the positions' own profits, and above it by less than 2 wei each."""
    positions = [Position(size, cost, entry) for size, cost, entry in zip(sizes, costs, entries, strict=False)]
    state = state_with({ACCOUNT + i: holding(0, positions={BTC: p}) for i, p in enumerate(positions)})
    state = moving(state, BTC, daily=daily)
    surroundings = env(btc=price, now=NOW + later)
    total = compute_pool_value(state, surroundings).traders_pnl
    index, _ = project_funding(state.markets[BTC], price, NOW + later)
    own = sum(compute_pnl(position, price) - compute_owed(position, index) for position in positions)
    assert 0 <= total - own < 2 * len(positions)


def test_only_markets_with_positions_and_tokens_in_inventory_need_prices() -> None:
    """LPD-1: a market without open interest, even with the price of its feed missing, is not asked."""
    bad = int(Status.STALE_HARD)

    def status(state: State, btc: int = 0, eth: int = 0) -> int:
        return compute_pool_value(state, env(btc_status=btc, eth_status=eth)).price_status

    assert status(pool_of(W), btc=bad, eth=bad) == 0
    long = pool_of(W, btc=opened(W, BTC_PRICE))
    assert (status(long, btc=bad), status(long, eth=bad)) == (bad, 0)
    assert status(pool_of(W, btc=opened(-W, BTC_PRICE)), btc=bad) == bad
    # Long and short of one size have no skew, but the pool's reserve has; the status shows all the same.
    even = pool_of(W, btc=opened(W, BTC_PRICE), btc_other=opened(-W, BTC_PRICE))
    assert status(even, btc=bad) == bad
    assert status(pool_of(W, weth=1), eth=bad) == bad
    assert status(pool_of(W, weth=1), btc=bad) == 0
    both = pool_of(W, btc=opened(W, BTC_PRICE), weth=1)
    assert status(both, btc=bad, eth=int(Status.UNAVAILABLE)) == bad | Status.UNAVAILABLE


@pytest.mark.parametrize(
    ("pool", "price", "weth", "deposit"),
    [
        (1_000, 8_000, 0, 1_000),
        (1_000, 8_100, 0, 1_000),  # the traders' gain does not count for a deposit
        (1_000, 7_900, 0, 1_100),  # their loss does
        (1_000, 7_900, 2, 1_500),
        (0, 8_100, 0, 0),
        (0, 7_999, 0, 1),
    ],
)
def test_a_deposit_is_priced_against_the_depositor(pool: int, price: int, weth: int, deposit: int) -> None:
    """LPD-1, P2, B24: pool less the traders' net loss, plus inventory; a net gain counts as 0."""
    state = pool_of(pool * W, btc=opened(W, BTC_PRICE), weth=weth * 10**18)
    assert compute_pool_value(state, env(btc=price * W)).deposit == deposit * W


def test_gains_and_losses_are_netted_over_markets_first() -> None:
    """LPD-1, LPR-1: one market's gain offsets another's loss before one side of the net is ignored."""
    positions = {BTC: opened(W, BTC_PRICE), ETH: opened(W, ETH_PRICE)}
    state = state_with({ACCOUNT: holding(0, positions=positions)}, pool=1_000 * W)
    for btc, eth, deposit, redemption in (
        (8_030, 180, 1_000, 990),
        (8_010, 180, 1_010, 1_000),
        (8_020, 180, 1_000, 1_000),
    ):
        value = compute_pool_value(state, env(btc=btc * W, eth=eth * W))
        assert (value.deposit, value.redemption) == (deposit * W, redemption * W)


def test_the_reserve_is_summed_over_markets() -> None:
    """LPR-1, FIL-8: a fifth of 3 BTC and of 10 ETH, each market's larger side, at the prices now."""
    accounts = {
        ACCOUNT: holding(0, positions={BTC: opened(3 * W, BTC_PRICE), ETH: opened(-10 * W, ETH_PRICE)}),
        KEEPER: holding(0, positions={BTC: opened(-2 * W, BTC_PRICE), ETH: opened(5 * W, ETH_PRICE)}),
    }
    value = compute_pool_value(state_with(accounts), env(btc=8_100 * W, eth=210 * W))
    assert value.reserved == 4_860 * W + 420 * W


def test_inventory_counts_in_full_for_a_deposit_and_with_its_haircut_for_a_redemption() -> None:
    """LPD-1, LPR-1, T6: rounded up for who comes, down for who goes, by the brackets of an account."""
    value = compute_pool_value(pool_of(W, weth=3 * 10**18), env())
    assert (value.deposit, value.redemption) == (601 * W, 541 * W)
    for units, deposit, redemption in ((1, 1, 0), (2, 1, 0), (3, 2, 0), (4, 2, 1)):
        value = compute_pool_value(pool_of(0, weth=units), env(eth=W // 2))
        assert (value.deposit, value.redemption) == (deposit, redemption)
    # 2 million dollars: 90 % of the first, 80 % of the second.
    value = compute_pool_value(pool_of(0, weth=10**4 * 10**18), env())
    assert (value.deposit, value.redemption) == (2 * 10**6 * W, 1_700_000 * W)


def test_inventory_of_several_tokens_is_summed() -> None:
    """LPD-1, LPR-1: each by its own price, decimals and haircut."""
    eight = replace(COLLATERAL[0], feed=BTC, decimals=8)
    state = state_with(pool=W, collateral=(COLLATERAL[0], eight), inventory={1: 10**18, 2: 5 * 10**7})
    value = compute_pool_value(state, env())
    assert value.deposit == W + 200 * W + 4_000 * W
    haircuts = sum(compute_haircut_values(COLLATERAL[0].brackets, dollars * W)[0] for dollars in (200, 4_000))
    assert value.redemption == W + haircuts == W + 180 * W + 3_600 * W


def test_both_values_reserves_and_worth_of_one_state() -> None:
    """LPD-1, LPR-1, FIL-8: the reserve is measured at the prices now, not at those of the newest fill."""
    state = pool_of(1_000 * W, btc=opened(2 * W, BTC_PRICE), btc_other=opened(-W, BTC_PRICE), weth=10**18)
    value = compute_pool_value(state, env(btc=8_100 * W, eth=100 * W))
    assert value == PoolValue(
        deposit=1_100 * W, redemption=990 * W, reserved=3_240 * W, traders_pnl=100 * W, price_status=0
    )
    assert value.market == 1_000 * W
    behind = compute_pool_value(state, env(btc=7_900 * W, eth=100 * W))
    assert (behind.deposit, behind.redemption, behind.market) == (1_200 * W, 1_090 * W, 1_200 * W)


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


# --- what the pool does not notice, and what it earns ---------------------------------------------------------------


def test_gifts_to_insurance_and_idle_accounts_do_not_change_the_share_price() -> None:
    """LPD-1, P1, P2, X7: only price, time, fees and losses move the value."""
    state = pool_of(10**6 * W, shares=10**6 * W, btc=opened(W, BTC_PRICE))
    before = compute_pool_value(state, env())
    after = run(state, env(STRANGER), FundInsurance(10**6 * DOLLAR)).state
    assert compute_pool_value(after, env()) == before
    donated = replace(state, tokens=(replace(state.tokens[0], held=state.tokens[0].held + 10**12), state.tokens[1]))
    assert compute_pool_value(donated, env()) == before
    crowd = {**state.accounts, STRANGER << 96: Account(10**30, {WETH: 5}, {}, {}, 0, 0, 0, 0, {})}
    assert compute_pool_value(replace(state, accounts=Table(crowd)), env()) == before


@pytest.mark.parametrize(
    ("size", "ledger", "price", "left_over"),
    [
        # The rebate for taking back a skew of 2 is nine tenths of 1.60 dollars at 8,000; in thousandths.
        (2, 1_600, 8_000, 160),
        (-2, 1_600, 8_000, 160),
        (2, 1_440, 8_000, 0),
        (2, 1_439, 8_000, 0),
        (2, 1_441, 8_000, 1),
        (2, 1_440, 4_000, 720),
        (2, 0, 8_000, 0),
        (2, 10**9, 8_000, 10**9 - 1_440),
    ],
)
def test_a_depositor_pays_for_what_the_impact_ledger_would_leave(
    size: int, ledger: int, price: int, left_over: int
) -> None:
    """LPD-1, P2, FIL-7, B24: if the market emptied at the price now. A leaver gets nothing of it."""
    state = pool_of(10**6 * W, btc=opened(size * W, price * W))
    surroundings = env(btc=price * W)
    before = compute_pool_value(state, surroundings)
    after = compute_pool_value(with_market(state, BTC, impact=ledger * W // 1_000), surroundings)
    assert after == replace(before, deposit=before.deposit + left_over * W // 1_000)


@pytest.mark.parametrize("size", [1, 2, 3, -1, -5])
def test_no_trade_at_one_price_lowers_what_a_deposit_pays_for(size: int) -> None:
    """LPD-1, P2, B24: so it cannot be traded away before a deposit, nor by a flip; a liquidation may."""
    start = pool_of(10**6 * W, btc=opened(2 * W, BTC_PRICE))
    usdc = replace(start.tokens[0], held=start.tokens[0].held + 1_600_000)
    state = replace(with_market(start, BTC, impact=1_600 * W // 1_000), tokens=(usdc, *start.tokens[1:]))
    price = env(BORROWER)
    before = compute_pool_value(state, price).deposit
    assert before == 10**6 * W + 160 * W // 1_000
    traded = run(state, price, Trade(ACCOUNT, BTC, size * W, 2**128 if size > 0 else 0)).state
    assert compute_pool_value(traded, price).deposit > before, "the fee's part comes to it"


def test_a_realised_loss_is_worth_what_the_unrealised_one_was() -> None:
    """LPD-1, P2, B24: closing a losing position leaves the price of a deposit, but for the fee's part."""
    state = pool_of(10**6 * W, btc=opened(W, BTC_PRICE))
    surroundings = env(BORROWER, btc=7_900 * W)
    before = compute_pool_value(state, surroundings)
    after = run(state, surroundings, Trade(ACCOUNT, BTC, -W, 0)).state
    value = compute_pool_value(after, surroundings)
    fee = 7_900 * W // 5_000
    assert value.deposit == before.deposit + fee - fee // 10
    assert value.redemption == value.deposit
