"""The pool through both twins: deposits, redemptions in two steps, inventory, and its strange states."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.feeds import Push
from protocol.actions import (
    BuyInventory,
    ClaimRedemption,
    DepositToPool,
    FundInsurance,
    Liquidate,
    RequestRedemption,
    SetMarket,
    SetRisk,
)
from protocol.pool import compute_inventory_cost
from protocol.units import BPS, USDC_TO_W, W
from tests.lockstep.both import BORROWER, DOLLAR, PLAIN, TRADER, buy, check, named, refuse
from tests.twins import BTC, ETH, RISK, USDC, WETH, WSTETH, Twins

DELAY, WINDOW = RISK.redemption_delay, RISK.redemption_window


def give_inventory(twins: Twins, weth: int = 4) -> int:
    """A bankrupt account whose WETH the pool takes over; the units."""
    twins.deposit("borrower", weth=weth)
    twins.do("borrower", buy(W // 8))
    twins.price(BTC=1_000)
    twins.do("liquidator", Liquidate(BORROWER))
    twins.price(BTC=8_000)
    inventory: int = twins.world.protocol.tokens[WETH].inventory
    assert inventory == weth * 10**18
    return inventory


def test_pool_deposits_on_both(bare_twins: Twins) -> None:
    """LPD-1 to LPD-4, P1, P2, S3: first and later ones, with losses, gains, funding and inventory; every refusal."""
    twins = bare_twins
    twins.configure()
    twins.do("admin", SetRisk(replace(RISK, lock_ratio=0)))
    refuse(twins, "amount/zero", ("lender", DepositToPool(0)))
    refuse(twins, "sys/domain", ("lender", DepositToPool(2**96)), ("lender", DepositToPool(2**96 - 1)))
    twins.do("lender", DepositToPool(1))
    twins.do("stranger", DepositToPool(1_000 * DOLLAR))
    twins.do("lender", DepositToPool(10**5 * DOLLAR + 1))
    twins.deposit("borrower", usd=2_000, weth=1)
    twins.do("borrower", buy(2 * W))
    for dollars in (7_990, 8_010, 7_999):
        twins.price(BTC=dollars, after=1_000)
        twins.do("lender", DepositToPool(777_777_777))
        check(twins)
    twins.price(BTC=6_900)
    twins.do("liquidator", Liquidate(BORROWER))
    assert twins.world.protocol.tokens[WETH].inventory > 0
    for answer in (20_000_000_000, 19_999_999_999):
        twins.do("poster", Push((ETH,), (answer,)))
        twins.do("stranger", DepositToPool(123_456_789))
    check(twins)
    twins.price(BTC=7_300, after=7_300)
    refuse(twins, "oracle/stale", ("lender", DepositToPool(1)))
    check(twins)


def test_redemptions_on_both(twins: Twins) -> None:
    """LPR-1 to LPR-5, P1, S3: in parts and at every border of its time; a new request replaces the old one."""
    shares = twins.world.protocol.ledger.shares
    refuse(twins, "pool/insufficient-shares", ("stranger", RequestRedemption(0)), ("stranger", RequestRedemption(1)))
    refuse(twins, "pool/insufficient-shares", ("lender", RequestRedemption(shares + 1)))
    refuse(twins, "pool/insufficient-shares", ("lender", RequestRedemption(2**256 - 1)))
    refuse(twins, "pool/no-request", ("lender", ClaimRedemption()), ("stranger", ClaimRedemption()))
    twins.do("lender", RequestRedemption(shares // 3))
    requested_at = twins.now
    check(twins)
    twins.now = requested_at + DELAY - 2
    refuse(twins, "pool/too-early", ("lender", ClaimRedemption()))
    twins.do("lender", ClaimRedemption())
    assert twins.now == requested_at + DELAY
    refuse(twins, "pool/no-request", ("lender", ClaimRedemption()))
    twins.do("lender", RequestRedemption(shares // 3))
    twins.do("lender", ClaimRedemption(), after=DELAY + WINDOW)
    twins.do("lender", RequestRedemption(shares // 5))
    twins.do("lender", ClaimRedemption(), refused="pool/expired", after=DELAY + WINDOW + 1)
    twins.do("lender", RequestRedemption(shares // 7))
    twins.do("lender", RequestRedemption(shares // 9), after=DELAY - 1)
    refuse(twins, "pool/too-early", ("lender", ClaimRedemption()))
    twins.do("lender", RequestRedemption(0))
    refuse(twins, "pool/no-request", ("lender", ClaimRedemption()))
    check(twins)
    left = twins.world.protocol.ledger.shares
    twins.do("lender", RequestRedemption(left))
    twins.do("lender", ClaimRedemption(), after=DELAY)
    ledger = twins.world.protocol.ledger
    assert (ledger.shares, ledger.pool < 10 * USDC_TO_W) == (0, True)
    refuse(twins, "pool/insufficient-shares", ("lender", RequestRedemption(0)))
    twins.do("stranger", DepositToPool(DOLLAR))
    check(twins)


def test_refused_claims_in_their_order_on_both(twins: Twins) -> None:
    """LPR-3 to LPR-5, P3, S3: each refusal with the one that comes next broken as well."""
    twins.do("admin", SetRisk(replace(RISK, lock_ratio=10_000)))
    twins.do("admin", SetMarket(BTC, PLAIN))
    twins.deposit("borrower", usd=200_000)
    twins.do("borrower", buy(100 * W))
    twins.do("lender", RequestRedemption(1))
    twins.price(BTC=20_000, ETH=200, after=DELAY - 2)
    twins.do("borrower", buy(-50 * W))
    twins.do("borrower", buy(-50 * W))
    assert twins.world.protocol.ledger.deficit > 0
    refuse(twins, "pool/deficit", ("lender", ClaimRedemption()))
    twins.do("lender", ClaimRedemption(), refused="pool/expired", after=WINDOW)
    twins.do("lender", RequestRedemption(1))
    refuse(twins, "pool/too-early", ("lender", ClaimRedemption()))
    twins.price(BTC=20_000, ETH=200, after=DELAY)
    refuse(twins, "pool/deficit", ("lender", ClaimRedemption()))
    twins.do("admin", SetRisk(replace(RISK, lock_ratio=0)))
    twins.do("borrower", buy(30 * W))
    twins.price(BTC=12_000)
    twins.do("borrower", buy(-29 * W))
    assert twins.world.protocol.ledger.deficit == 0
    twins.price(BTC=12_000, ETH=200)
    twins.do("lender", ClaimRedemption(), refused="oracle/stale", after=7_201)
    twins.price(BTC=12_000, ETH=200)
    refuse(twins, "amount/zero", ("lender", ClaimRedemption()))  # a share unit is worth less than a unit of USDC
    check(twins)


def test_what_the_pool_must_keep_of_a_claim_on_both(twins: Twins) -> None:
    """LPR-5, P3, FIL-8, LED-1: at the present price of open interest and with the traders' debts, to the unit."""
    twins.do("admin", SetRisk(replace(RISK, lock_ratio=10_000)))
    twins.do("admin", SetMarket(BTC, PLAIN))
    twins.deposit("trader", weth=100)
    twins.do("trader", buy(W, TRADER))
    twins.price(BTC=7_500)
    twins.do("trader", buy(-W, TRADER))
    debt = twins.world.protocol.ledger.trader_debt
    assert debt > 499 * W
    twins.deposit("borrower", usd=200_000)
    twins.do("borrower", buy(100 * W))
    pool, supply = twins.world.protocol.ledger.pool, twins.world.protocol.ledger.shares
    # Open interest is reserved at the price of the claim, 7,400, where the traders are behind.
    most = pool - debt - 740_000 * W
    start = twins.save()
    found = set()
    for shares in (most * supply // pool - 10**14, most * supply // pool + 10**14):
        twins.restore(start)
        twins.do("lender", RequestRedemption(shares))
        twins.price(BTC=7_400, ETH=200, after=DELAY)
        found.add(twins.attempt("lender", ClaimRedemption()))
        check(twins)
    assert found == {"ok", "pool/reserved"}


def test_both_sides_of_the_pool_value_on_both(twins: Twins) -> None:
    """LPD-1, LPR-1, P2, B24: with traders ahead and behind, funding pending, and inventory in two haircut brackets."""
    twins.do("admin", SetRisk(replace(RISK, redemption_delay=0)))
    give_inventory(twins)
    twins.deposit("trader", usd=200_000)
    twins.do("trader", buy(150 * W, TRADER))
    twins.deposit("stranger", usd=100_000)
    twins.do("stranger", buy(-300 * W, account=twins.deposit("stranger"), market=ETH))
    for btc, eth in ((8_000, 200), (8_050, 190), (7_900, 211)):
        twins.price(BTC=btc, ETH=eth, after=5_000)
        check(twins)
        before = twins.world.protocol.ledger.shares
        twins.do("stranger", DepositToPool(10_000 * DOLLAR))
        bought = twins.world.protocol.ledger.shares - before
        twins.do("stranger", RequestRedemption(bought))
        paid = twins.world.protocol.tokens[USDC].held
        twins.do("stranger", ClaimRedemption(), after=0)
        assert paid - twins.world.protocol.tokens[USDC].held < 10_000 * DOLLAR
        check(twins)


def test_buying_inventory_on_both(twins: Twins) -> None:
    """INV-1 to INV-3, S3: in parts, to the last unit, at odd prices; each refusal in order; cost to the unit."""
    inventory = give_inventory(twins)
    most = 2**256 - 1
    refuse(twins, "token/unknown", ("stranger", BuyInventory(4, 0, 0)), ("stranger", BuyInventory(2**255, 1, most)))
    refuse(twins, "amount/zero", ("stranger", BuyInventory(USDC, 0, 0)))
    refuse(twins, "sys/domain", ("stranger", BuyInventory(USDC, 2**96, 0)))
    refuse(
        twins,
        "pool/inventory",
        ("stranger", BuyInventory(USDC, 1, most)),
        ("stranger", BuyInventory(WETH, inventory + 1, most)),
        ("stranger", BuyInventory(WSTETH, 1, most)),
    )
    twins.do("stranger", BuyInventory(WETH, inventory, 0), refused="oracle/stale", after=7_300)
    for answer, units in ((20_000_000_000, 10**18), (20_000_000_001, 10**18 + 1), (19_999_999_999, 1), (1, 10**6)):
        twins.do("poster", Push((ETH,), (answer,)))
        cost = compute_inventory_cost(units, answer * 10**10, 18, RISK.sale_discount)
        refuse(twins, "trade/price", ("stranger", BuyInventory(WETH, units, cost - 1)))
        held = twins.world.protocol.tokens[USDC].held
        twins.do("stranger", BuyInventory(WETH, units, cost))
        assert twins.world.protocol.tokens[USDC].held - held == cost > 0
        check(twins)
    twins.price(ETH=200)
    twins.do("stranger", BuyInventory(WETH, twins.world.protocol.tokens[WETH].inventory, most))
    check(twins)


@pytest.mark.parametrize("discount", [0, 1, 500])
def test_half_a_discount_on_both(twins: Twins, discount: int) -> None:
    """INV-1, T6: half of one basis point is no basis point lost: the cost rounds up for the pool once."""
    give_inventory(twins, weth=1)
    twins.do("admin", SetRisk(replace(RISK, sale_discount=discount)))
    for units in (1, 3, 7 * 10**11, 10**18 // 3):
        cost = -(-units * 200 * (20_000 - discount) // (20_000 * 10**12))
        refuse(twins, "trade/price", ("stranger", BuyInventory(WETH, units, cost - 1)))
        twins.do("stranger", BuyInventory(WETH, units, cost))
    check(twins)


def test_a_pool_with_nothing_but_shares_on_both(bare_twins: Twins) -> None:
    """LPD-3, P4: a profit of exactly all the pool has leaves shares without value; a loss revives them."""
    twins = bare_twins
    twins.configure()
    twins.do("admin", SetRisk(replace(RISK, lock_ratio=0)))
    twins.do("admin", SetMarket(BTC, replace(PLAIN, rebate_ratio=BPS)))
    twins.do("lender", DepositToPool(DOLLAR))
    twins.deposit("trader", usd=1_000)
    twins.deposit("borrower", usd=1_000)
    twins.do("borrower", buy(W))  # keeps the market's impact from the pool, all of which is to be rebated
    twins.do("trader", buy(W, TRADER))
    twins.price(BTC=8_001)
    twins.do("trader", buy(-W, TRADER))
    ledger = twins.world.protocol.ledger
    assert (ledger.pool, ledger.deficit, ledger.shares) == (0, 0, W)
    refuse(twins, "pool/no-value", ("lender", DepositToPool(DOLLAR)), ("stranger", DepositToPool(1)))
    twins.do("trader", buy(2 * W, TRADER))
    refuse(twins, "pool/no-value", ("lender", DepositToPool(DOLLAR)))
    check(twins)
    twins.do("lender", RequestRedemption(W))
    twins.do("poster", Push((BTC,), (799_999_999_999,)), after=DELAY)
    refuse(twins, "amount/zero", ("lender", ClaimRedemption()))
    twins.do("stranger", DepositToPool(1))
    check(twins)


def test_a_pool_with_everything_but_shares_on_both(bare_twins: Twins) -> None:
    """LPD-2, LPD-4, P4, B23: a loss paid to a pool without shares makes its first share dear, and a unit too little."""
    twins = bare_twins
    twins.configure()
    twins.do("admin", SetRisk(replace(RISK, lock_ratio=0)))
    twins.deposit("trader", usd=1_000)
    twins.do("trader", buy(W, TRADER))
    twins.price(BTC=7_990)
    twins.do("trader", buy(-W, TRADER))
    assert twins.world.protocol.ledger.pool > 10 * W
    refuse(twins, "pool/no-shares", ("lender", DepositToPool(1)))
    twins.do("lender", DepositToPool(100))
    check(twins)


def test_a_claim_is_not_paid_out_of_inventory_on_both(twins: Twins) -> None:
    """LPR-5, WAT-2: the pool's dollars bound a claim, though its shares are worth its inventory as well."""
    twins.do("admin", SetRisk(replace(RISK, lock_ratio=0)))
    twins.do("admin", SetMarket(BTC, PLAIN))
    twins.deposit("borrower", weth=2_000)
    twins.do("borrower", buy(150 * W))
    twins.price(BTC=1_000)
    twins.do("liquidator", Liquidate(BORROWER))
    assert named(twins, "TokenUpdated")
    ledger = twins.world.protocol.ledger
    twins.do("lender", RequestRedemption(ledger.shares))
    twins.price(BTC=1_000, ETH=200, after=DELAY)
    refuse(twins, "pool/reserved", ("lender", ClaimRedemption()))
    twins.do("treasury", FundInsurance(DOLLAR))
    twins.do("stranger", BuyInventory(WETH, twins.world.protocol.tokens[WETH].inventory, 2**255))
    twins.do("lender", ClaimRedemption())
    check(twins)
