"""The ends of every domain on both twins: the largest and smallest amounts, sizes and prices, and one step beyond.

T7, T9, B25, B26: what fits is equal to the wei, what does not fit is sys/domain on both and never a panic.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts_py.compile import Artifact
from contracts_py.deploy import TokenPlan
from protocol.actions import (
    BuyInventory,
    Deposit,
    DepositToPool,
    FundInsurance,
    Liquidate,
    SetCollateral,
    SetMarket,
    Trade,
    Withdraw,
)
from protocol.params import CollateralParams, HaircutBracket, MarginBracket
from protocol.units import W
from tests.lockstep.both import BORROWER, STRANGER, TRADER, check, measure
from tests.lockstep.wide import (
    ANY_PRICE,
    MAX_CASH_UNITS,
    MAX_FUND_UNITS,
    MAX_PRICE,
    MAX_SIZE,
    MAX_USD,
    ROW,
    quote,
    set_up,
    trade,
    wide_market,
)
from tests.twins import BTC, ETH, USDC, WETH, Twins

# --- amounts --------------------------------------------------------------------------------------------------------


def test_the_largest_balance_on_both(wide: Twins) -> None:
    """UNIT-3, DEP-2: cash to the last unit that fits, and a unit more; the same in and out."""
    wide.do("borrower", Deposit(BORROWER, USDC, MAX_CASH_UNITS + 1), refused="sys/domain")
    wide.do("borrower", Deposit(BORROWER, USDC, MAX_CASH_UNITS))
    wide.do("borrower", Deposit(BORROWER, USDC, 1), refused="sys/domain")
    check(wide)
    wide.do("borrower", Withdraw(BORROWER, USDC, MAX_CASH_UNITS))
    check(wide)


def test_the_largest_holding_on_both(wide: Twins) -> None:
    """UNIT-3, COL-1, COL-2, DEP-5, MRG-4: units to the last that fits, at the largest price and at the smallest."""
    wide.do("borrower", Deposit(BORROWER, WETH, 2**96 - 1))
    wide.do("borrower", Deposit(BORROWER, WETH, 1), refused="sys/domain")
    wide.do("trader", Deposit(TRADER, WETH, 1), refused="token/global-cap")
    for price in (MAX_PRICE, 1, MAX_PRICE - 1):
        quote(wide, W, price)
        check(wide)
    wide.do("borrower", Withdraw(BORROWER, WETH, 2**96 - 1))
    wide.do("trader", Deposit(TRADER, WETH, 1))
    check(wide)


def test_the_largest_funds_on_both(wide: Twins) -> None:
    """UNIT-3, INS-1, LPD-4: insurance, pool and shares to the last unit that fits, and a unit more."""
    wide.do("stranger", FundInsurance(MAX_FUND_UNITS + 1), refused="sys/domain")
    wide.do("stranger", FundInsurance(MAX_FUND_UNITS))
    wide.do("stranger", FundInsurance(1), refused="sys/domain")
    wide.do("lender", DepositToPool(MAX_FUND_UNITS + 1), refused="sys/domain")
    wide.do("lender", DepositToPool(MAX_FUND_UNITS))
    wide.do("lender", DepositToPool(1), refused="sys/domain")
    check(wide)


def test_the_dearest_share_on_both(wide: Twins) -> None:
    """UNIT-3, LPD-2, LPD-3, LPD-4: shares at a millionth of a dollar: the most a deposit can buy, and more."""
    supply = 10**28
    wide.do("trader", Deposit(TRADER, USDC, 10**11))
    wide.do("lender", DepositToPool(supply // 10**12))
    trade(wide, "trader", TRADER, 10**22)  # keeps the market from being empty, and its impact from the pool
    wide.do("borrower", Deposit(BORROWER, USDC, supply // 10**12))
    trade(wide, "borrower", BORROWER, supply)
    quote(wide, 2 * W)
    trade(wide, "borrower", BORROWER, -supply)
    assert (wide.world.protocol.ledger.pool, wide.world.protocol.ledger.shares) == (0, supply)
    # The trader's loss, and what it leaves of the impact ledger, come to a millionth of the supply in between.
    quote(wide, 10**11)
    wide.do("lender", DepositToPool(1), refused="pool/no-value")
    quote(wide, 10**10)
    wide.do("lender", DepositToPool(4 * 10**20), refused="sys/domain")
    wide.do("lender", DepositToPool(2 * 10**20))
    assert wide.world.protocol.ledger.shares > 2**127
    # What a newcomer buys would fit by itself; the supply would not.
    wide.do("stranger", DepositToPool(2 * 10**20), refused="sys/domain")
    check(wide)


def test_half_a_wei_of_inventory_on_both(wide: Twins) -> None:
    """LPD-1, LPD-3, LPR-1, INV-1, T6: a unit worth half a wei: a wei for a deposit, nothing for a redemption."""
    wide.do("lender", DepositToPool(1))
    wide.do("borrower", Deposit(BORROWER, USDC, 10**9))
    wide.do("trader", Deposit(TRADER, USDC, 10))
    wide.do("trader", Deposit(TRADER, WETH, 1))
    trade(wide, "trader", TRADER, 10**14)
    quote(wide, W // 2)
    wide.do("liquidator", Liquidate(TRADER))
    assert wide.world.protocol.tokens[WETH].inventory == 1
    quote(wide, W)
    pool = wide.world.protocol.ledger.pool
    trade(wide, "borrower", BORROWER, pool)
    wide.do("stranger", Deposit(STRANGER, USDC, 10**6))
    trade(wide, "stranger", STRANGER, -(10**9))
    quote(wide, 2 * W, W // 2)
    trade(wide, "borrower", BORROWER, -pool)
    trade(wide, "stranger", STRANGER, 10**9 - 1)
    check(wide)
    value = wide.chain.contracts.solvency()
    assert value.deposit_value - value.redemption_value >= 1
    wide.do("stranger", BuyInventory(WETH, 1, 0), refused="trade/price")
    wide.do("stranger", BuyInventory(WETH, 1, 1))
    check(wide)


# --- sizes, prices, balances ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [1, -1])
def test_the_largest_size_on_both(wide: Twins, side: int) -> None:
    """TRD-3, FIL-1, FIL-2, T8: a position of 2^96 - 1, at prices of a wei and a dollar, and a wei of size more."""
    wide.do("borrower", Deposit(BORROWER, USDC, MAX_CASH_UNITS // 2))
    trade(wide, "borrower", BORROWER, side * MAX_SIZE)
    trade(wide, "borrower", BORROWER, side, refused="sys/domain")
    trade(wide, "borrower", BORROWER, side * MAX_SIZE, refused="sys/domain")
    check(wide)
    quote(wide, 1)
    check(wide)
    trade(wide, "borrower", BORROWER, -side * (MAX_SIZE - 1))
    check(wide)
    quote(wide, W)
    trade(wide, "borrower", BORROWER, side * (MAX_SIZE - 1))
    trade(wide, "borrower", BORROWER, -2 * side * MAX_SIZE, refused="sys/domain")
    quote(wide, W + 1)
    trade(wide, "borrower", BORROWER, -side * MAX_SIZE)
    check(wide)


@pytest.mark.parametrize("side", [1, -1])
def test_the_largest_notional_on_both(wide: Twins, side: int) -> None:
    """TRD-9, MRG-1, MRG-3: at the largest price a position worth 2^96 - 1, and a wei of size more."""
    quote(wide, MAX_PRICE)
    wide.do("borrower", Deposit(BORROWER, USDC, MAX_CASH_UNITS))
    trade(wide, "borrower", BORROWER, side * (W + 1), refused="market/oi-cap")
    trade(wide, "borrower", BORROWER, side * MAX_SIZE, refused="sys/domain")
    trade(wide, "borrower", BORROWER, side * W)
    assert measure(wide, BORROWER).gross_notional == MAX_USD
    check(wide)
    trade(wide, "borrower", BORROWER, -side * W)
    check(wide)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_the_smallest_positions_on_both(wide: Twins, size: int) -> None:
    """UNIT-1, FIL-1 to FIL-3, MRG-1 to MRG-3, T7: sizes of a few wei around a dollar, both sides, every rounding."""
    wide.do("borrower", Deposit(BORROWER, USDC, 1))
    wide.do("trader", Deposit(TRADER, USDC, 1))
    fees: dict[str, Any] = {
        "taker_fee": W // 10_000 + 1,
        "maker_fee": W // 30_000,
        "rebate_ratio": 9_999,
        "skew_scale": W,
    }
    wide.do("admin", SetMarket(BTC, replace(wide_market(BTC), **fees)))
    for price in (1, W // 2 - 1, W // 2, W - 1, W, W + 1, 3 * W // 2 + 1):
        quote(wide, price)
        codes = set()
        for owner, account, side in (("borrower", BORROWER, 1), ("trader", TRADER, -1)):
            found = wide.world.protocol.accounts[account].positions.get(BTC)
            held = found.size if found else 0
            for change in (side * size, -side * size - held, 2 * side * size):
                codes.add(wide.attempt(owner, Trade(account, BTC, change, ANY_PRICE if change > 0 else 0)))
        # A sale whose impact of a wei exceeds its price would need a limit below 0.
        assert "ok" in codes <= {"ok", "trade/price"}
        check(wide)


def find_close(twins: Twins, account: int, market: int, fits: int) -> int:
    """The largest reduction, signed, that the contracts' own preview accepts and that leaves at least ``fits``."""
    held = twins.world.protocol.accounts[account].positions[market].size
    sign = -1 if held > 0 else 1
    low, high = 1, abs(held)
    while high - low > 1:
        middle = (low + high) // 2
        action = Trade(account, market, sign * middle, ANY_PRICE if sign > 0 else 0)
        preview = twins.chain.contracts.preview_trade(action)
        low, high = (middle, high) if preview.code == "" and preview.cash >= fits else (low, middle)
    return sign * low


def test_a_balance_at_the_upper_end_of_its_word_on_both(wide: Twins) -> None:
    """UNIT-3, T7, LED-1: cash of exactly 2^127 - 1, and a wei more."""
    wide.do("borrower", Deposit(BORROWER, USDC, 10**16))
    trade(wide, "borrower", BORROWER, 4 * 10**12)
    trade(wide, "borrower", BORROWER, 1, market=ETH)
    quote(wide, 2 * W, 3 * W)
    top = 2**127 - 1
    wide.do("borrower", Deposit(BORROWER, USDC, (top - wide.cash(BORROWER)) // 10**12))
    size = find_close(wide, BORROWER, BTC, 0)
    trade(wide, "borrower", BORROWER, size - 1, refused="sys/domain")
    trade(wide, "borrower", BORROWER, size)
    assert wide.cash(BORROWER) == top
    trade(wide, "borrower", BORROWER, -1, refused="sys/domain", market=ETH)
    wide.do("borrower", Deposit(BORROWER, USDC, 1), refused="sys/domain")
    check(wide)


def test_a_balance_at_the_lower_end_of_its_word_on_both(wide: Twins) -> None:
    """UNIT-3, T7, LED-1, LIQ-4: cash of exactly -2^127, settled by a liquidation, and a wei less."""
    size, bottom = 2**92, -(2**127)
    # The rebate of a close comes after its loss, so it would hide the end that the loss has reached.
    wide.do("admin", SetMarket(ETH, replace(wide_market(ETH), rebate_ratio=0)))
    wide.do("borrower", Deposit(BORROWER, USDC, 5 * 10**16))
    trade(wide, "borrower", BORROWER, -size)
    trade(wide, "borrower", BORROWER, -(2**95), market=ETH)
    # A price that leaves the balance a little above its end, and a second short to lose the rest.
    price = (2**127 + 3 * 10**28) * W // size
    quote(wide, price, 2 * W)
    trade(wide, "borrower", BORROWER, size)
    last = find_close(wide, BORROWER, ETH, bottom)
    trade(wide, "borrower", BORROWER, last + 2, refused="sys/domain", market=ETH)
    trade(wide, "borrower", BORROWER, last, market=ETH)
    assert bottom <= wide.cash(BORROWER) <= bottom + 1
    check(wide)
    quote(wide, price, W)
    wide.do("liquidator", Liquidate(BORROWER))
    assert wide.cash(BORROWER) == 0
    check(wide)


def test_a_loss_beyond_the_stored_width_on_both(wide: Twins) -> None:
    """UNIT-3, L8: a short that has lost more than 2^127 can be neither closed nor liquidated, on both alike."""
    wide.do("borrower", Deposit(BORROWER, USDC, MAX_CASH_UNITS // 16))
    trade(wide, "borrower", BORROWER, -MAX_SIZE)
    quote(wide, 2**95)
    check(wide)
    trade(wide, "borrower", BORROWER, MAX_SIZE, refused="sys/domain")
    wide.do("liquidator", Liquidate(BORROWER), refused="sys/domain")
    quote(wide, 2**90)
    trade(wide, "borrower", BORROWER, MAX_SIZE)
    check(wide)
    wide.do("liquidator", Liquidate(BORROWER))
    check(wide)


def test_a_deficit_beyond_its_width_on_both(wide: Twins) -> None:
    """UNIT-3, LED-2: the deficit holds 128 bits; the profit that does not fit is refused alike."""
    size = 2**92
    owners = (("borrower", BORROWER), ("trader", TRADER), ("stranger", STRANGER))
    for owner, account in owners:
        wide.do(owner, Deposit(account, USDC, 10**17))
        trade(wide, owner, account, size)
    quote(wide, (2**127 - 1 - 10**30) * W // size)
    check(wide)
    for owner, account in owners[:2]:
        trade(wide, owner, account, -size)
    trade(wide, "stranger", STRANGER, -size, refused="sys/domain")
    assert wide.world.protocol.ledger.deficit > 2**127
    check(wide)


def test_debts_beyond_their_total_on_both(wide: Twins) -> None:
    """UNIT-3, LED-1: balances near -2^127 add up to the total of debts, and the wei that does not fit is refused."""
    owners = (("borrower", BORROWER), ("trader", TRADER), ("stranger", STRANGER))
    for owner, account in owners:
        wide.do(owner, Deposit(account, USDC, 10**17))
        trade(wide, owner, account, -(2**92))
    quote(wide, (2**127 - 1) * W // 2**92)
    for owner, account in owners[:2]:
        trade(wide, owner, account, 2**92)
    assert wide.world.protocol.ledger.trader_debt > 2**127
    trade(wide, "stranger", STRANGER, 2**92, refused="sys/domain")
    check(wide)


@pytest.mark.parametrize("side", [1, -1])
def test_a_liquidation_price_to_the_wei_on_both(wide: Twins, side: int) -> None:
    """VIEW-5, LIQ-4, M3: at the price of the view the account is liquidatable, a wei further on it is not."""
    tiers = (ROW, MarginBracket(10**21, W // 10, W // 5))
    wide.do("admin", SetMarket(BTC, replace(wide_market(BTC), brackets=tiers)))
    wide.do("borrower", Deposit(BORROWER, USDC, 777_777_777))
    for size in (123_456_789_012_345_678_901, 10**21, 1_234_567_890_123_456_789_012):
        start = wide.save()
        trade(wide, "borrower", BORROWER, side * size)
        price = wide.chain.contracts.liquidation_price(BORROWER, BTC)
        assert (price > 0) == (side < 0 or size > 8 * 10**20)
        if price:
            quote(wide, price + side)
            wide.do("liquidator", Liquidate(BORROWER), refused="liq/not-liquidatable")
            quote(wide, price)
            wide.do("liquidator", Liquidate(BORROWER))
        check(wide)
        wide.restore(start)


# --- liquidation and collateral -------------------------------------------------------------------------------------


def test_the_dearest_liquidation_on_both(wide: Twins) -> None:
    """LIQ-5 to LIQ-8, WAT-1, WAT-2, T9: all collateral there can be, sold at the largest price and at the smallest."""
    wide.do("borrower", Deposit(BORROWER, WETH, 2**96 - 1))
    quote(wide, W, W)
    wide.do("lender", DepositToPool(10**18))
    trade(wide, "borrower", BORROWER, 4 * 10**28)
    quote(wide, 1, 1)
    check(wide)
    wide.do("liquidator", Liquidate(BORROWER))
    check(wide)
    quote(wide, W, MAX_PRICE)
    wide.do("stranger", BuyInventory(WETH, 2**95, ANY_PRICE), refused="sys/domain")
    quote(wide, W, 2**60)
    wide.do("stranger", BuyInventory(WETH, 2**95, ANY_PRICE))
    wide.do("trader", Deposit(TRADER, WETH, 2**95))
    quote(wide, W, MAX_PRICE)
    trade(wide, "trader", TRADER, -(10**28))
    quote(wide, 10**10 * W, MAX_PRICE)
    check(wide)
    quote(wide, 10**10 * W, 2**60)
    wide.do("liquidator", Liquidate(TRADER))
    check(wide)


def test_tokens_of_extreme_decimals_on_both(artifacts: dict[str, Artifact]) -> None:
    """COL-1, WAT-1, INV-1, O6, T9: a token without decimals and one with 24, at both ends of price and amount."""
    wide = Twins(artifacts, tokens=(TokenPlan("USDC", 6), TokenPlan("WHOLE", 0), TokenPlan("FINE", 24)))
    set_up(wide)
    rows = (HaircutBracket(0, W * 95 // 100, W // 2), HaircutBracket(2**95, W // 3, W // 4))
    for token, decimals in ((1, 0), (2, 24)):
        wide.do("admin", SetCollateral(token, CollateralParams(ETH, decimals, 2**96 - 1, 2**96 - 1, 2**96 - 1, rows)))
        wide.do("borrower", Deposit(BORROWER, token, 2**96 - 2))
        wide.do("trader", Deposit(TRADER, token, 1))
    for price in (MAX_PRICE, 1, W + 1):
        quote(wide, W, price)
        check(wide)
    wide.do("lender", DepositToPool(10**6))
    # The trader's unit without decimals is worth a dollar, the other one nothing.
    trade(wide, "trader", TRADER, 5 * W)
    quote(wide, W // 2, W + 1)
    wide.do("liquidator", Liquidate(TRADER))
    check(wide)
    for token in (1, 2):
        assert wide.world.protocol.tokens[token].inventory == 1
        wide.do("stranger", BuyInventory(token, 1, 10**6 + 1))
    check(wide)
