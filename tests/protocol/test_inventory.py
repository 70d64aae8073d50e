"""Buying the collateral that the pool took over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.actions import BuyInventory, Liquidate
from protocol.env import Status
from protocol.events import LedgerUpdated, TokenUpdated
from protocol.losses import compute_sale
from protocol.pool import compute_inventory_cost, compute_pool_value
from protocol.state import State, Token
from protocol.units import BPS, UNITS_LIMIT, UNSIGNED_LIMIT, USDC_TO_W, W
from tests.protocol.build import (
    ACCOUNT,
    BTC,
    COLLATERAL,
    ETH_PRICE,
    LIQUIDATOR,
    STATUSES,
    STRANGER,
    WETH,
    check_order_of,
    env,
    holding,
    outcome_of,
    refusal_of,
    refused,
    run,
    state_with,
    with_risk,
)

DOLLAR = 10**6  # units of USDC
ALL = 2**200  # accepts every cost


def shop(units: int = 10 * 10**18, pool: int = 0, deficit: int = 0, **risk: int) -> State:
    """A vault whose pool has bought WETH."""
    return state_with(inventory={WETH: units}, pool=pool, deficit=deficit, risk=with_risk(**risk))


# --- INV-1: the cost ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("units", "price", "decimals", "discount", "cost"),
    [
        # A WETH at 200 less half of 5 %.
        (10**18, 200 * W, 18, 500, 195 * DOLLAR),
        (10**18, 200 * W, 18, 0, 200 * DOLLAR),
        (10**18, 200 * W, 18, 9_999, 100_010_000),
        (10**8, 8_000 * W, 8, 500, 7_800 * DOLLAR),
        (3, 200 * W, 0, 500, 585 * DOLLAR),
        # Rounded up to whole units, so that not one unit is free.
        (1, 200 * W, 18, 500, 1),
        (10**18 + 1, 200 * W, 18, 500, 195 * DOLLAR + 1),
        (10**18 - 1, 200 * W, 18, 500, 195 * DOLLAR),
        (1, 1, 24, 9_999, 1),
        # An odd half of the discount is not lost: 2.505 %.
        (10**18, 10**4 * W, 18, 501, 9_749_500_000),
    ],
)
def test_the_cost_is_the_price_less_half_the_discount_rounded_up(
    units: int, price: int, decimals: int, discount: int, cost: int
) -> None:
    """INV-1, T6: in USDC units, in favour of the pool."""
    assert compute_inventory_cost(units, price, decimals, discount) == cost


@given(
    units=st.integers(1, 10**24),
    parts=st.integers(1, 10**6),
    price=st.integers(1, 10**24),
    decimals=st.integers(0, 24),
    discount=st.integers(0, BPS - 1),
)
def test_buying_back_costs_more_than_the_sale_brought(
    units: int, parts: int, price: int, decimals: int, discount: int
) -> None:
    """INV-1, WAT-1, X1, N5: the pool keeps half of the discount; in parts or with a smaller discount never cheaper."""
    params = replace(COLLATERAL[0], decimals=decimals)
    sold, proceeds = compute_sale(10**60, units, price, params, discount)
    assert sold == units
    cost = compute_inventory_cost(units, price, decimals, discount)
    assert cost * USDC_TO_W >= proceeds
    assert cost <= compute_inventory_cost(units, price, decimals, discount // 2)
    part = 1 + units * parts // (10**6 + 1)
    if part < units:
        one, two = (compute_inventory_cost(u, price, decimals, discount) for u in (part, units - part))
        assert cost <= one + two <= cost + 1


# --- INV-2, INV-3: buying -------------------------------------------------------------------------------------------


def test_a_purchase_moves_units_out_and_dollars_in() -> None:
    """INV-2, INV-3, C1: worked by hand, with its events in order; the tokens leave the vault."""
    state = shop(pool=1_000 * W)
    outcome = run(state, env(STRANGER), BuyInventory(WETH, 2 * 10**18, 390 * DOLLAR))
    held = state.tokens[0].held
    assert outcome.events == (
        TokenUpdated(0, held + 390 * DOLLAR, 0),
        TokenUpdated(WETH, 8 * 10**18, 8 * 10**18),
        LedgerUpdated(1_390 * W, 0, 0, 0, 0, 0),
    )
    assert outcome.state.accounts == state.accounts


def test_the_units_of_accounts_are_not_for_sale() -> None:
    """INV-2, C1: only what the pool has bought, to the unit; the rest of the token stays."""
    state = state_with({ACCOUNT: holding(0, {WETH: 5})}, inventory={WETH: 3})
    after = run(state, env(STRANGER), BuyInventory(WETH, 3, ALL)).state
    assert after.tokens[WETH] == Token(5, 0)
    refusal = refusal_of(state, env(STRANGER), BuyInventory(WETH, 4, ALL))
    assert (refusal.code, refusal.facts) == ("pool/inventory", {"units": 3})
    assert refused(after, env(STRANGER), BuyInventory(WETH, 1, ALL)) == "pool/inventory"


def test_usdc_is_never_for_sale() -> None:
    """INV-2: the settlement token is no inventory; an unlisted token is unknown."""
    assert refused(shop(), env(STRANGER), BuyInventory(0, 1, ALL)) == "pool/inventory"
    refusal = refusal_of(shop(), env(STRANGER), BuyInventory(2, 1, ALL))
    assert (refusal.code, refusal.facts) == ("token/unknown", {"token": 2})


@pytest.mark.parametrize(
    ("units", "code"), [(0, "amount/zero"), (1, "ok"), (UNITS_LIMIT, "sys/domain"), (UNITS_LIMIT - 1, "pool/inventory")]
)
def test_an_amount_is_not_zero_and_fits(units: int, code: str) -> None:
    """INV-2, UNIT-3: before the inventory is looked at."""
    assert outcome_of(shop(), env(STRANGER), BuyInventory(WETH, units, ALL)) == code


@pytest.mark.parametrize(("most", "code"), [(390 * DOLLAR - 1, "trade/price"), (390 * DOLLAR, "ok"), (ALL, "ok")])
def test_a_buyer_pays_at_most_what_he_accepts(most: int, code: str) -> None:
    """INV-2: to the unit of USDC."""
    buying = BuyInventory(WETH, 2 * 10**18, most)
    assert outcome_of(shop(), env(STRANGER), buying) == code
    if code != "ok":
        assert refusal_of(shop(), env(STRANGER), buying).facts == {"cost": 390 * DOLLAR}


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
def test_a_purchase_needs_the_price_of_its_token_only(code: str, status: Status) -> None:
    """INV-2, POL-2: no other price of the pool."""
    buying = BuyInventory(WETH, 1, ALL)
    assert refused(shop(), env(STRANGER, eth_status=int(status)), buying) == code
    assert outcome_of(shop(), env(STRANGER, btc_status=int(status)), buying) == "ok"


@pytest.mark.parametrize(
    ("deficit", "left", "pool"), [(0, 0, 390), (100, 0, 290), (390, 0, 0), (391, 1, 0), (1_000, 610, 0)]
)
def test_the_cost_repays_a_deficit_first(deficit: int, left: int, pool: int) -> None:
    """INV-3, LED-3: it is income of the pool; a deficit stops no purchase."""
    after = run(shop(deficit=deficit * W), env(STRANGER), BuyInventory(WETH, 2 * 10**18, ALL)).state
    assert (after.ledger.deficit, after.ledger.pool) == (left * W, pool * W)


def test_sums_that_do_not_fit_are_a_domain_error() -> None:
    """INV-3, UNIT-3: the vault's USDC and the pool, each a unit short of overflow."""
    buying = BuyInventory(WETH, 10**18, ALL)
    for room, code in ((195 * DOLLAR + 1, "ok"), (195 * DOLLAR, "sys/domain")):
        state = shop()
        crowded = replace(state, tokens=(Token(UNSIGNED_LIMIT - room, 0), state.tokens[1]))
        assert (refused(crowded, env(STRANGER), buying) if code != "ok" else code) == code
    full = shop(pool=UNSIGNED_LIMIT - 195 * W)
    assert refused(full, env(STRANGER), buying) == "sys/domain"
    run(shop(pool=UNSIGNED_LIMIT - 195 * W - 1), env(STRANGER), buying)


def test_each_token_is_sold_by_its_own_price_and_decimals() -> None:
    """INV-1, INV-2: a second collateral with 8 decimals over the BTC feed."""
    eight = replace(COLLATERAL[0], feed=BTC, decimals=8)
    state = state_with(collateral=(COLLATERAL[0], eight), inventory={1: 10**18, 2: 10**8})
    after = run(state, env(STRANGER), BuyInventory(2, 10**8, 7_800 * DOLLAR)).state
    assert after.ledger.pool == 7_800 * W
    assert (after.tokens[1].inventory, after.tokens[2].inventory) == (10**18, 0)


def test_collateral_goes_round_from_a_debtor_to_a_buyer() -> None:
    """INV-1 to INV-3, WAT-2, P2: the pool buys at 190 and sells at 195; who stays in it is better off by the rest."""
    debtor = state_with({ACCOUNT: holding(-181 * W, {WETH: 10**18})}, pool=10**4 * W, insurance=100 * W)
    taken = run(debtor, env(LIQUIDATOR), Liquidate(ACCOUNT)).state
    units = taken.tokens[WETH].inventory
    after = run(taken, env(STRANGER), BuyInventory(WETH, units, ALL)).state
    assert after.tokens[WETH].inventory == 0
    gain = after.ledger.pool - debtor.ledger.pool
    assert 0 <= gain - (units * 195 - units * 190) < USDC_TO_W
    assert compute_pool_value(after, env()).deposit == after.ledger.pool


@given(
    units=st.integers(1, 10**22),
    part=st.integers(1, 10**6),
    price=st.integers(1, 10**6 * W),
    pool=st.integers(0, 10**24),
)
def test_a_purchase_never_lowers_what_the_pool_is_worth_to_a_leaver(
    units: int, part: int, price: int, pool: int
) -> None:
    """INV-1, INV-3, P2: it pays more than the haircut value of what it takes, as the discount is below the haircut."""
    state = shop(units, pool=pool)
    seen = env(STRANGER, eth=price)
    bought = 1 + units * part // (10**6 + 1)
    before = compute_pool_value(state, seen)
    after = compute_pool_value(run(state, seen, BuyInventory(WETH, bought, ALL)).state, seen)
    assert after.redemption >= before.redemption
    assert after.deposit <= before.deposit + USDC_TO_W


def test_buying_is_checked_in_order() -> None:
    """INV-2: of two faults the earlier check speaks."""

    def attempt(token: int = WETH, units: int = 10**18, most: int = ALL, status: int = 0, stock: int = 10**19) -> str:
        return outcome_of(
            shop(stock), env(STRANGER, eth_status=status, eth=ETH_PRICE), BuyInventory(token, units, most)
        )

    faults: list[tuple[str, dict[str, Any]]] = [
        ("token/unknown", {"token": 2}),
        ("amount/zero", {"units": 0}),
        ("sys/domain", {"units": UNITS_LIMIT}),
        ("pool/inventory", {"stock": 10**18 - 1}),
        *((code, {"status": int(status)}) for code, status in STATUSES.items()),
        ("trade/price", {"most": 1}),
    ]
    check_order_of(faults, attempt)
