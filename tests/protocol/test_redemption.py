"""Leaving the pool: a request, a delay, a claim (LPR-1 to LPR-5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.actions import Deposit, RequestRedemption
from protocol.env import Status
from protocol.events import LedgerUpdated, StakeUpdated, TokenUpdated
from protocol.pool import VIRTUAL, compute_pool_value, compute_redemption, compute_shares
from protocol.records import Table
from protocol.state import NO_STAKE, Stake, account_id
from protocol.units import USDC_TO_W, W, fdiv
from tests.protocol.build import (
    BTC_PRICE,
    LENDER,
    NOW,
    STATUSES,
    STRANGER,
    WETH,
    check_order_of,
    env,
    opened,
    outcome_of,
    refusal_of,
    refused,
    run,
    state_with,
    with_risk,
)
from tests.protocol.pools import CLAIM, DELAY, DOLLAR, WINDOW, lender

# --- LPR-1, LPR-2: the price of a leaver ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pool", "price", "redemption"),
    [
        (1_000, 8_000, 1_000),
        (1_000, 7_900, 1_000),  # the traders' loss does not count for a redemption
        (1_000, 8_100, 900),  # their gain does
        (1_000, 8_999, 1),
        (1_000, 9_000, 0),
        (1_000, 9_001, 0),
        (1_000, 20_000, 0),
    ],
)
def test_a_redemption_is_priced_against_the_leaver(pool: int, price: int, redemption: int) -> None:
    """LPR-1, P2, B24: pool less the traders' net gain, never below 0."""
    state = lender(pool * W, btc=opened(W, BTC_PRICE))
    assert compute_pool_value(state, env(btc=price * W)).redemption == redemption * W


def test_no_haircut_is_higher_than_the_pool_can_owe() -> None:
    """LPR-1: inventory stands against what traders are ahead before the value is cut off at 0."""
    state = lender(100 * W, btc=opened(W, BTC_PRICE), inventory={WETH: 10**18})
    assert compute_pool_value(state, env(btc=8_280 * W)).redemption == 0
    assert compute_pool_value(state, env(btc=8_279 * W)).redemption == W


@pytest.mark.parametrize(
    ("shares", "supply", "value", "amount"),
    [
        (100 * W, 1_000 * W, 1_000 * W, 100 * W),
        (100 * W, 1_000 * W, 500 * W, fdiv(100 * W * (500 * W + VIRTUAL), 1_000 * W + VIRTUAL)),
        (1_000 * W, 1_000 * W, 1_000 * W, 1_000 * W),
        # The virtual dollars are nobody's: with little value the whole supply is not paid more than there is.
        (1_000 * W, 1_000 * W, 5, 5),
        (10**9, 10**9, 1_000, 1_000),
        (5 * 10**8, 10**9, VIRTUAL, 999_000),
        (1, 10, 10, 1),
        (0, 10, 10, 0),
        (1_000 * W, 1_000 * W, 0, 0),
        # Rounded down: two thirds of a wei are nothing.
        (2, 2 * VIRTUAL, 0, 0),
        (2, 2 * VIRTUAL, VIRTUAL // 2 - 1, 0),
        (2, 2 * VIRTUAL, VIRTUAL // 2, 1),
    ],
)
def test_a_redemption_is_rounded_down_and_at_most_the_value(shares: int, supply: int, value: int, amount: int) -> None:
    """LPR-2, T6: shares times value over supply, both with the virtual offset, in favour of who stays."""
    assert compute_redemption(shares, supply, value) == amount


@given(
    amount=st.integers(1, 10**30), supply=st.integers(0, 10**30), value=st.integers(0, 10**30), part=st.integers(1, 9)
)
def test_in_and_out_at_one_value_never_gains(amount: int, supply: int, value: int, part: int) -> None:
    """LPD-2, LPR-2, P1: nor does redeeming in parts, nor out and in again."""
    shares = compute_shares(amount, supply, value)
    back = compute_redemption(shares, supply + shares, value + amount)
    assert back <= amount
    first = shares * part // 10
    one = compute_redemption(first, supply + shares, value + amount)
    two = compute_redemption(shares - first, supply + shares - first, value + amount - one)
    assert one + two <= back + 1
    assert one + two <= amount
    held = min(supply, shares)
    out = compute_redemption(held, supply, value)
    again = compute_shares(out, supply - held, value - out)
    assert again <= held


@given(shares=st.integers(0, 10**27), supply=st.integers(0, 10**27), value=st.integers(0, 10**27))
def test_no_redemption_lowers_the_value_of_the_shares_that_stay(shares: int, supply: int, value: int) -> None:
    """LPR-2, P2: value per share, virtual ones included, never falls by another's leaving."""
    shares = min(shares, supply)
    left = value - compute_redemption(shares, supply, value)
    assert left >= 0
    assert (left + VIRTUAL) * (supply + VIRTUAL) >= (value + VIRTUAL) * (supply - shares + VIRTUAL)


# --- LPR-3: the request ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("have", "ask", "code"),
    [
        (10, 10, "ok"),
        (10, 9, "ok"),
        (10, 11, "pool/insufficient-shares"),
        (10, 0, "ok"),
        (0, 0, "pool/insufficient-shares"),
        (0, 1, "pool/insufficient-shares"),
        (10, 2**256 - 1, "pool/insufficient-shares"),
    ],
)
def test_a_request_is_for_shares_one_has(have: int, ask: int, code: str) -> None:
    """LPR-3: at most all of them; who has none has nothing to withdraw a request for either."""
    state = state_with(pool=W, stakes={LENDER: have} if have else {})
    assert outcome_of(state, env(LENDER), RequestRedemption(ask)) == code
    if code != "ok":
        assert refusal_of(state, env(LENDER), RequestRedemption(ask)).facts == {"shares": have}


def test_a_request_becomes_claimable_after_the_delay() -> None:
    """LPR-3: from its own moment; a new one replaces it and starts again; 0 withdraws it. No price is asked."""
    state = state_with(pool=W, stakes={LENDER: 10 * W})
    blind = env(LENDER, btc_status=4, eth_status=4)
    first = run(state, blind, RequestRedemption(4 * W))
    assert first.events == (StakeUpdated(LENDER, 10 * W, 4 * W, NOW + DELAY),)
    later = replace(blind, now=NOW + DELAY - 1)
    second = run(first.state, later, RequestRedemption(3 * W))
    assert second.events == (StakeUpdated(LENDER, 10 * W, 3 * W, NOW + 2 * DELAY - 1),)
    none = run(second.state, later, RequestRedemption(0))
    assert none.events == (StakeUpdated(LENDER, 10 * W, 0, 0),)
    short = replace(state, risk=with_risk(redemption_delay=7))
    assert run(short, blind, RequestRedemption(W)).state.stakes[LENDER] == Stake(10 * W, W, NOW + 7)


def test_a_request_is_possible_while_the_pool_owes() -> None:
    """LPR-3: only the claim waits for the deficit to be repaid."""
    state = state_with(deficit=5, stakes={LENDER: 10})
    run(state, env(LENDER), RequestRedemption(10))


# --- LPR-4: when a claim is due -------------------------------------------------------------------------------------


def test_without_a_request_there_is_nothing_to_claim() -> None:
    """LPR-4: for a stranger, for an owner who did not ask, and for one who has claimed."""
    state = lender(requested=0, claimable_at=0)
    assert refused(state, env(STRANGER), CLAIM) == "pool/no-request"
    assert refused(state, env(LENDER), CLAIM) == "pool/no-request"
    after = run(lender(), env(LENDER), CLAIM).state
    assert refused(after, env(LENDER), CLAIM) == "pool/no-request"


@pytest.mark.parametrize(
    ("since", "code"),
    [
        (-1, "pool/too-early"),
        (0, "ok"),
        (1, "ok"),
        (WINDOW, "ok"),
        (WINDOW + 1, "pool/expired"),
        (10**6, "pool/expired"),
    ],
)
def test_a_claim_is_due_from_its_time_to_the_end_of_its_window(since: int, code: str) -> None:
    """LPR-4: both ends included, to the second; afterwards the request must be made again."""
    state = lender(claimable_at=NOW - since)
    assert outcome_of(state, env(LENDER), CLAIM) == code
    if code != "ok":
        assert refusal_of(state, env(LENDER), CLAIM).facts == {"claimable_at": NOW - since}
    narrow = replace(state, risk=with_risk(redemption_window=0))
    assert outcome_of(narrow, env(LENDER), CLAIM) == ("ok" if since == 0 else code if since < 0 else "pool/expired")


def test_an_expired_request_can_be_made_again() -> None:
    """LPR-3, LPR-4: with a delay of its own."""
    state = lender(claimable_at=NOW - WINDOW - 1)
    assert refused(state, env(LENDER), CLAIM) == "pool/expired"
    renewed = run(state, env(LENDER), RequestRedemption(100 * W)).state
    assert refused(renewed, env(LENDER), CLAIM) == "pool/too-early"
    run(renewed, env(LENDER, now=NOW + DELAY), CLAIM)


def test_a_pool_in_deficit_pays_no_claim() -> None:
    """LPR-4, P3: the traders' claims come first, even on inventory."""
    state = lender(0, deficit=1, inventory={WETH: 10**20})
    refusal = refusal_of(state, env(LENDER), CLAIM)
    assert (refusal.code, refusal.facts) == ("pool/deficit", {"deficit": 1})


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
def test_a_claim_needs_the_prices_of_what_the_pool_is_exposed_to(code: str, status: Status) -> None:
    """LPR-4, POL-2: open interest and inventory, no other."""
    bad = int(status)
    exposed = lender(10**4 * W, btc=opened(W, BTC_PRICE), inventory={WETH: 1})
    assert refused(exposed, env(LENDER, btc_status=bad), CLAIM) == code
    assert refused(exposed, env(LENDER, eth_status=bad), CLAIM) == code
    assert outcome_of(lender(), env(LENDER, btc_status=bad, eth_status=bad), CLAIM) == "ok"


# --- LPR-5: the payment ---------------------------------------------------------------------------------------------


def test_a_claim_pays_and_burns() -> None:
    """LPR-5: 100 of 1,000 shares of 1,250 dollars: 125 dollars less the fraction, every event in order."""
    state = lender(1_250 * W)
    outcome = run(state, env(LENDER), CLAIM)
    paid = 124_999_999  # a wei or so under 125 dollars: whole units of USDC
    held = state.tokens[0].held
    assert outcome.events == (
        TokenUpdated(0, held - paid, 0),
        StakeUpdated(LENDER, 900 * W, 0, 0),
        LedgerUpdated(1_250 * W - paid * USDC_TO_W, 0, 0, 0, 900 * W, 0),
    )


def test_the_price_is_that_of_the_claim_and_not_of_the_request() -> None:
    """LPR-5, B24: requested shares keep their gains and losses."""
    state = lender(2_000 * W, btc=opened(W, BTC_PRICE), risk=with_risk(lock_ratio=0))
    for price, dollars in ((8_000, 200), (8_500, 150), (7_500, 200)):
        outcome = run(state, env(LENDER, btc=price * W), CLAIM)
        paid = state.tokens[0].held - outcome.state.tokens[0].held
        assert dollars * DOLLAR - 1 <= paid <= dollars * DOLLAR


def test_a_fraction_of_a_unit_is_not_paid_and_nothing_is_refused() -> None:
    """LPR-5, T6: whole units, rounded down; a claim worth less than one is refused and keeps its shares."""
    for requested, code in ((10**12 - 1, "amount/zero"), (10**12, "ok"), (2 * 10**12 - 1, "ok")):
        state = lender(requested=requested)
        assert outcome_of(state, env(LENDER), CLAIM) == code
        if code == "ok":
            assert run(state, env(LENDER), CLAIM).state.ledger.pool == 1_000 * W - 10**12


@pytest.mark.parametrize("wei", [-1, 0, 1])
def test_the_pool_keeps_what_is_reserved(wei: int) -> None:
    """LPR-5, P3: at the prices of the claim: a fifth of 8,000 dollars stay, to the wei."""
    pool = 1_700 * W + wei
    state = lender(pool, shares=pool, requested=100 * W, btc=opened(W, BTC_PRICE))
    assert outcome_of(state, env(LENDER), CLAIM) == ("ok" if wei >= 0 else "pool/reserved")
    if wei < 0:
        assert refusal_of(state, env(LENDER), CLAIM).facts == {"pool": pool, "reserved": 1_600 * W}
    # A dollar more of price reserves 20 cents more, and a dollar less 20 cents less.
    assert refused(state, env(LENDER, btc=8_001 * W), CLAIM) == "pool/reserved"
    run(state, env(LENDER, btc=7_999 * W), CLAIM)


@pytest.mark.parametrize("wei", [-1, 0, 1])
def test_what_the_pool_lent_to_traders_is_no_cash_to_pay_with(wei: int) -> None:
    """LPR-5, P3: the debts of all accounts stay in the pool."""
    pool = 400 * W + wei
    state = lender(pool, shares=pool, requested=100 * W, debt=300 * W)
    assert outcome_of(state, env(LENDER), CLAIM) == ("ok" if wei >= 0 else "pool/reserved")


def test_inventory_is_worth_something_and_is_no_cash() -> None:
    """LPR-5, P3: a share of it may be claimed as long as the pool's dollars last, and the pool never goes below 0."""
    state = lender(100 * W, shares=1_000 * W, requested=100 * W, inventory={WETH: 5 * 10**18})
    # 100 and 900 of inventory at its haircut: a tenth is all the dollars.
    after = run(state, env(LENDER), CLAIM).state
    assert 0 <= after.ledger.pool <= USDC_TO_W
    more = lender(100 * W, shares=1_000 * W, requested=101 * W, inventory={WETH: 5 * 10**18})
    assert refused(more, env(LENDER), CLAIM) == "pool/reserved"


def test_a_vault_without_the_tokens_pays_nothing() -> None:
    """LPR-5: profits of others that were withdrawn and not yet paid in; the claim keeps for its window."""
    state = lender()
    empty = replace(state, tokens=(replace(state.tokens[0], held=99 * DOLLAR), state.tokens[1]))
    refusal = refusal_of(empty, env(LENDER), CLAIM)
    assert (refusal.code, refusal.facts) == ("vault/insufficient-cash", {"held": 99 * DOLLAR})


# --- who changes shares, and the order of the checks ----------------------------------------------------------------


def test_shares_change_only_by_the_three_actions_of_their_owner() -> None:
    """LPR-3, P2: the other entries of the table stay in their order, and a claim leaves an empty one."""
    state = state_with(pool=30 * W, stakes={LENDER: Stake(10 * W, 10 * W, NOW), STRANGER: 20 * W})
    after = run(state, env(LENDER), CLAIM).state
    assert list(after.stakes.items()) == [(LENDER, NO_STAKE), (STRANGER, Stake(20 * W, 0, 0))]
    assert isinstance(after.stakes, Table)
    other = run(state, env(LENDER), Deposit(account_id(LENDER), 0, DOLLAR)).state
    assert other.stakes == state.stakes


def test_a_claim_is_checked_in_order() -> None:
    """LPR-4, LPR-5: of two faults the earlier check speaks."""

    def attempt(
        sender: int = LENDER,
        claimable_at: int = NOW,
        deficit: int = 0,
        status: int = 0,
        requested: int = 100 * W,
        pool: int = 10**4 * W,
        held: int | None = None,
    ) -> str:
        state = lender(pool, requested=requested, claimable_at=claimable_at, btc=opened(W, BTC_PRICE))
        # A deficit beside a pool, and a vault short of its ledgers, are no states of the protocol: both only refuse.
        if deficit:
            state = replace(state, ledger=replace(state.ledger, deficit=deficit))
        if held is not None:
            state = replace(state, tokens=(replace(state.tokens[0], held=held), state.tokens[1]))
        return outcome_of(state, env(sender, btc_status=status), CLAIM)

    faults: list[tuple[str, dict[str, Any]]] = [
        ("pool/no-request", {"sender": STRANGER}),
        ("pool/too-early", {"claimable_at": NOW + 1}),
        ("pool/expired", {"claimable_at": NOW - WINDOW - 1}),
        ("pool/deficit", {"deficit": 1}),
        *((code, {"status": int(status)}) for code, status in STATUSES.items()),
        ("amount/zero", {"requested": 1}),
        ("pool/reserved", {"pool": 1_600 * W}),
        ("vault/insufficient-cash", {"held": 1}),
    ]
    check_order_of(faults, attempt)
