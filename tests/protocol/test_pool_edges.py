"""The edges of the pool: nobody in it, nothing in it, and what those in it share (P4)."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from protocol.actions import DepositToPool, Liquidate, RequestRedemption, Trade, Withdraw
from protocol.pool import compute_redemption, compute_shares
from protocol.state import NO_STAKE, Position, Stake
from protocol.units import USDC_TO_W, W
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    BTC_PRICE,
    KEEPER,
    LENDER,
    LIQUIDATOR,
    NOW,
    STRANGER,
    env,
    holding,
    opened,
    outcome_of,
    refused,
    run,
    state_with,
    with_risk,
)
from tests.protocol.pools import CLAIM, DELAY, DOLLAR, lender


def test_the_last_provider_leaves_with_everything_but_fractions() -> None:
    """LPR-2, LPR-5, P4: the pool is empty of shares; what is left is nobody's and the next deposit begins anew."""
    state = lender(1_250 * W, requested=1_000 * W)
    after = run(state, env(LENDER), CLAIM).state
    assert after.ledger.shares == 0
    assert 0 <= after.ledger.pool <= 2 * USDC_TO_W
    assert after.stakes[LENDER] == NO_STAKE
    again = run(after, env(STRANGER), DepositToPool(1_000 * DOLLAR)).state
    assert again.ledger.shares == again.stakes[STRANGER].shares > 0
    # A pool that owns exactly its value in whole units is emptied to the last wei.
    exact = run(lender(1_000 * W, requested=1_000 * W), env(LENDER), CLAIM).state
    assert (exact.ledger.pool, exact.ledger.shares) == (0, 0)
    run(exact, env(STRANGER), DepositToPool(1))


def test_dollars_without_an_owner_are_shared_with_the_virtual_shares() -> None:
    """LPD-2, P4: shares 0 with assets above 0: a first deposit buys few shares and cannot take the rest with it."""
    orphan = state_with(pool=50 * W)
    state = run(orphan, env(LENDER), DepositToPool(100 * DOLLAR)).state
    assert state.stakes[LENDER].shares == compute_shares(100 * W, 0, 50 * W) == 1_999_999
    asked = run(state, env(LENDER), RequestRedemption(1_999_999)).state
    after = run(asked, env(LENDER, now=NOW + DELAY), CLAIM).state
    paid = (state.tokens[0].held - after.tokens[0].held) * USDC_TO_W
    assert 99 * W < paid <= 100 * W


def test_after_a_total_loss_shares_are_worth_nothing_and_stay() -> None:
    """LPR-2, LPR-5, P4: assets 0 with shares above 0: neither claims nor deposits, until the pool earns again."""
    state = lender(0)
    assert refused(state, env(LENDER), CLAIM) == "amount/zero"
    assert refused(state, env(STRANGER), DepositToPool(DOLLAR)) == "pool/no-value"
    earned = lender(10 * W)
    assert compute_redemption(100 * W, 1_000 * W, 10 * W) > 0
    run(earned, env(LENDER), CLAIM)
    run(earned, env(STRANGER), DepositToPool(DOLLAR))


def test_bad_debt_that_empties_the_pool_is_borne_by_all_shares_alike() -> None:
    """LPR-1, P2, P3, B42: who asked for redemption before the loss has no better place."""
    account = holding(-600 * W, positions={BTC: opened(W, BTC_PRICE)})
    state = state_with(
        {ACCOUNT: account}, pool=1_000 * W, stakes={LENDER: Stake(500 * W, 500 * W, NOW), STRANGER: 500 * W}
    )
    assert refused(state, env(LENDER), CLAIM) == "pool/reserved"
    after = run(state, env(LIQUIDATOR), Liquidate(ACCOUNT)).state
    # 600 of bad debt and 13 of reward are gone from 1,000 dollars: the half of it is left for each.
    assert after.ledger.pool == 387 * W
    paid = run(after, env(LENDER), CLAIM).state
    assert 193_500_000 - 1 <= after.tokens[0].held - paid.tokens[0].held <= 193_500_000


def test_a_traders_profit_beyond_the_pool_blocks_claims_and_no_trader() -> None:
    """LPR-4, P3, B36: claims wait, the trader withdraws what the vault has, and income repays the deficit first."""
    winner = holding(0, positions={BTC: Position(W, 6_000 * W, 0)})
    loser = holding(10**4 * W, positions={BTC: opened(-W, BTC_PRICE)})
    state = state_with(
        {ACCOUNT: winner, KEEPER: loser}, pool=1_000 * W, stakes={LENDER: Stake(1_000 * W, 1_000 * W, NOW)}
    )
    owing = run(state, env(), Trade(ACCOUNT, BTC, -W, 0)).state
    assert owing.ledger.deficit > 900 * W
    assert refused(owing, env(LENDER), CLAIM) == "pool/deficit"
    run(owing, env(), Withdraw(ACCOUNT, 0, 1_990 * DOLLAR))
    fallen = env(LIQUIDATOR, btc=9_000 * W)
    paid = run(owing, fallen, Trade(KEEPER, BTC, W, 2**200)).state
    assert paid.ledger.deficit == 0
    assert 0 < paid.ledger.pool < 100 * W


@given(
    first=st.integers(1, 10**13),
    second=st.integers(1, 10**13),
    profit=st.integers(-(10**12), 10**12),
    part=st.integers(1, 100),
)
def test_providers_share_gains_and_losses_and_gain_nothing_by_moving(
    first: int, second: int, profit: int, part: int
) -> None:
    """LPD-2, LPR-2, P1, P2: two deposits, a gain or a loss, two claims: no more is paid out than there is."""
    state = run(state_with(held=10**14), env(LENDER), DepositToPool(first)).state
    state = run(state, env(STRANGER), DepositToPool(second)).state
    change = max(profit * USDC_TO_W, 1 - state.ledger.pool)
    # A trader's realised loss or profit, with the ballast on the other side.
    state = state_with(
        {}, pool=state.ledger.pool + change, stakes={k: v.shares for k, v in state.stakes.items()}, held=10**14
    )
    value = state.ledger.pool
    paid = {}
    for owner in (LENDER, STRANGER):
        shares = state.stakes[owner].shares
        asked = run(state, env(owner), RequestRedemption(max(shares * part // 100, 1))).state
        if outcome_of(asked, env(owner, now=NOW + DELAY), CLAIM) != "ok":
            assert refused(asked, env(owner, now=NOW + DELAY), CLAIM) == "amount/zero"
            paid[owner] = 0
            continue
        after = run(asked, env(owner, now=NOW + DELAY), CLAIM).state
        paid[owner] = (state.tokens[0].held - after.tokens[0].held) * USDC_TO_W
        state = after
    assert sum(paid.values()) <= value
    if change <= 0:
        assert paid[LENDER] <= first * USDC_TO_W
        assert paid[STRANGER] <= second * USDC_TO_W


@given(
    units=st.integers(1, 10**12),
    pool=st.integers(1, 10**24),
    supply=st.integers(1, 10**24),
    move=st.integers(-500, 500),
)
def test_in_and_out_of_a_pool_with_open_positions_never_pays(units: int, pool: int, supply: int, move: int) -> None:
    """LPD-1, LPR-1, P1, P2: the two values are the two sides of a spread; at one price nobody gains by crossing it."""
    state = state_with(
        {ACCOUNT: holding(10**4 * W, positions={BTC: opened(W // 100, BTC_PRICE)})},
        pool=pool,
        stakes={STRANGER: supply},
        risk=with_risk(lock_ratio=0),
    )
    surroundings = env(LENDER, btc=(8_000 + move) * W)
    if outcome_of(state, surroundings, DepositToPool(units)) != "ok":
        assert refused(state, surroundings, DepositToPool(units)) in {"pool/no-shares", "pool/no-value", "sys/domain"}
        return
    inside = run(state, surroundings, DepositToPool(units)).state
    asked = run(inside, surroundings, RequestRedemption(inside.stakes[LENDER].shares)).state
    later = replace(surroundings, now=NOW + DELAY)
    if outcome_of(asked, later, CLAIM) != "ok":
        assert refused(asked, later, CLAIM) == "amount/zero"
        return
    after = run(asked, later, CLAIM).state
    assert inside.tokens[0].held - after.tokens[0].held <= units
