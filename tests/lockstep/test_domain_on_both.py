"""The ends of every domain on both twins: the largest and smallest amounts, sizes and prices, and one step beyond.

T7, T9, B25, B26: what fits is equal to the wei, what does not fit is sys/domain on both and never a panic.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts_py.compile import Artifact
from contracts_py.deploy import TokenPlan
from contracts_py.keys import address_of
from oracle.feeds import Push, SetFeed
from protocol.actions import (
    Deposit,
    DepositToPool,
    FundInsurance,
    Liquidate,
    SetCollateral,
    SetMarket,
    SetRisk,
    Trade,
    Withdraw,
)
from protocol.params import CollateralParams, HaircutBracket, MarginBracket
from protocol.state import account_id
from protocol.units import W
from tests.lockstep.test_rules_on_both import check
from tests.twins import BTC, ETH, RISK, USDC, WETH, Twins, market_params

MAX_PRICE = 2**96 - 1
MAX_SIZE = 2**96 - 1
MAX_CASH_UNITS = (2**127 - 1) // 10**12
MAX_FUND_UNITS = (2**128 - 1) // 10**12
ANY_PRICE = 2**256 - 1
BORROWER = account_id(address_of("borrower"))
TRADER = account_id(address_of("trader"))
STRANGER = account_id(address_of("stranger"))
RAW = 18  # decimals of a feed whose answers are prices at scale W
FREE = replace(RISK, keeper_reserve=0, fixed_reward=0, debt_cap=2**96 - 1)
ROW = MarginBracket(0, W // 40, W // 20)


@pytest.fixture
def wide(bare_twins: Twins) -> Twins:
    """Twins with prices and sizes to the wei: two markets of lot 1, no fees, a token with a weight of 95 %."""
    set_up(bare_twins)
    weights = (HaircutBracket(0, W * 95 // 100, W * 95 // 100),)
    bare_twins.do("admin", SetCollateral(WETH, CollateralParams(ETH, 18, weights)))
    return bare_twins


def set_up(twins: Twins) -> None:
    """Feeds of 18 decimals at a dollar, and two markets of lot 1 without fees."""
    twins.do("admin", SetRisk(FREE))
    for feed in (BTC, ETH):
        twins.do("admin", SetFeed(feed, RAW, 259_200))
        params = replace(market_params(feed, 1), min_notional=1, fee_rate=0, brackets=(ROW,))
        twins.do("admin", SetMarket(feed, params))
    quote(twins, W, W)


def quote(twins: Twins, btc: int, eth: int = W) -> None:
    """Prices at scale W."""
    twins.do("poster", Push((BTC, ETH), (btc, eth)))


def trade(twins: Twins, owner: str, account: int, size: int, refused: str | None = None, market: int = BTC) -> None:
    """A trade at any price."""
    twins.do(owner, Trade(account, market, size, ANY_PRICE if size > 0 else 0), refused=refused)


def test_the_largest_balance_on_both(wide: Twins) -> None:
    """UNIT-3, DEP-2: cash to the last unit that fits, and a unit more; the same in and out."""
    wide.do("borrower", Deposit(BORROWER, USDC, MAX_CASH_UNITS + 1), refused="sys/domain")
    wide.do("borrower", Deposit(BORROWER, USDC, MAX_CASH_UNITS))
    wide.do("borrower", Deposit(BORROWER, USDC, 1), refused="sys/domain")
    check(wide)
    wide.do("borrower", Withdraw(BORROWER, USDC, MAX_CASH_UNITS))
    check(wide)


def test_the_largest_holding_on_both(wide: Twins) -> None:
    """UNIT-3, COL-1, COL-2, MRG-4: units to the last that fits, at the largest price and at the smallest."""
    wide.do("borrower", Deposit(BORROWER, WETH, 2**96 - 1))
    wide.do("borrower", Deposit(BORROWER, WETH, 1), refused="sys/domain")
    wide.do("trader", Deposit(TRADER, WETH, 2**96 - 1))
    for price in (MAX_PRICE, 1, MAX_PRICE - 1):
        quote(wide, W, price)
        check(wide)
    wide.do("borrower", Withdraw(BORROWER, WETH, 2**96 - 1))
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
    """UNIT-3, LPD-2, LPD-4: a large supply over a value of one wei: the most a deposit can buy, and more."""
    supply = 10**28
    wide.do("lender", DepositToPool(supply // 10**12))
    wide.do("borrower", Deposit(BORROWER, USDC, supply // 10**12))
    trade(wide, "borrower", BORROWER, supply)
    quote(wide, 2 * W)
    trade(wide, "borrower", BORROWER, -supply)
    assert (wide.world.protocol.ledger.pool, wide.world.protocol.ledger.shares) == (0, supply)
    wide.do("lender", DepositToPool(1), refused="pool/no-value")
    trade(wide, "borrower", BORROWER, W)
    quote(wide, 2 * W - 1)
    wide.do("lender", DepositToPool(10**5), refused="sys/domain")
    wide.do("lender", DepositToPool(10**4))
    assert wide.world.protocol.ledger.shares > 2**126
    # What a newcomer buys would fit by itself; the supply would not.
    wide.do("stranger", DepositToPool(3 * 10**4), refused="sys/domain")
    check(wide)


def test_half_a_wei_of_inventory_on_both(wide: Twins) -> None:
    """LPD-1, LPD-3, T6: a pool of nothing but a unit worth half a wei has a value of a wei, not of none."""
    wide.do("lender", DepositToPool(1))
    wide.do("borrower", Deposit(BORROWER, USDC, 10**6))
    wide.do("trader", Deposit(TRADER, USDC, 10))
    wide.do("trader", Deposit(TRADER, WETH, 1))
    trade(wide, "trader", TRADER, 10**14)
    quote(wide, W // 2)
    wide.do("liquidator", Liquidate(TRADER))
    assert wide.world.protocol.tokens[WETH].inventory == 1
    quote(wide, W)
    pool = wide.world.protocol.ledger.pool
    trade(wide, "borrower", BORROWER, pool)
    quote(wide, 2 * W, W // 2)
    trade(wide, "borrower", BORROWER, -pool)
    assert wide.world.protocol.ledger.pool == 0
    wide.do("lender", DepositToPool(1))
    check(wide)


@pytest.mark.parametrize("side", [1, -1])
def test_the_largest_size_on_both(wide: Twins, side: int) -> None:
    """TRD-2, FIL-1, T8: a position of 2^96 - 1, at prices of a wei and a dollar, and a wei of size more."""
    wide.do("borrower", Deposit(BORROWER, USDC, MAX_CASH_UNITS // 2))
    trade(wide, "borrower", BORROWER, side * MAX_SIZE)
    trade(wide, "borrower", BORROWER, side, refused="sys/domain")
    trade(wide, "borrower", BORROWER, side * MAX_SIZE, refused="sys/domain")
    check(wide)
    quote(wide, 1)
    check(wide)
    trade(wide, "borrower", BORROWER, -side * (MAX_SIZE - 1))
    check(wide)
    quote(wide, W + 1)
    trade(wide, "borrower", BORROWER, side * (MAX_SIZE - 1))
    trade(wide, "borrower", BORROWER, -2 * side * MAX_SIZE, refused="sys/domain")
    trade(wide, "borrower", BORROWER, -side * MAX_SIZE)
    check(wide)


@pytest.mark.parametrize("side", [1, -1])
def test_the_largest_cost_on_both(wide: Twins, side: int) -> None:
    """UNIT-3, FIL-1, B26: at the largest price, the largest cost of half a word, and a wei of size more."""
    quote(wide, MAX_PRICE)
    wide.do("borrower", Deposit(BORROWER, USDC, MAX_CASH_UNITS))
    most = (2**127 - 1) * W // MAX_PRICE
    trade(wide, "borrower", BORROWER, side * (most + 1), refused="sys/domain")
    trade(wide, "borrower", BORROWER, side * MAX_SIZE, refused="sys/domain")
    trade(wide, "borrower", BORROWER, side * most)
    check(wide)
    # The market's total cost is one word as well.
    wide.do("trader", Deposit(TRADER, USDC, MAX_CASH_UNITS))
    trade(wide, "trader", TRADER, side * (W // 1_000), refused="sys/domain")
    trade(wide, "borrower", BORROWER, -side * most)
    check(wide)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_the_smallest_positions_on_both(wide: Twins, size: int) -> None:
    """UNIT-1, FIL-1, MRG-1 to MRG-3, T7: sizes of a few wei at prices around a dollar, both sides, every rounding."""
    wide.do("borrower", Deposit(BORROWER, USDC, 1))
    wide.do("trader", Deposit(TRADER, USDC, 1))
    wide.do("admin", SetMarket(BTC, replace(wide.world.protocol.market_params[BTC], fee_rate=W // 10_000 + 1)))
    for price in (1, W // 2 - 1, W // 2, W - 1, W, W + 1, 3 * W // 2 + 1):
        quote(wide, price)
        for owner, account, side in (("borrower", BORROWER, 1), ("trader", TRADER, -1)):
            twins_size = wide.world.protocol.accounts[account].positions.get(BTC)
            held = twins_size.size if twins_size else 0
            trade(wide, owner, account, side * size)
            trade(wide, owner, account, -side * size - held)
            trade(wide, owner, account, 2 * side * size)
        check(wide)


def test_a_balance_at_the_upper_end_of_its_word_on_both(wide: Twins) -> None:
    """UNIT-3, T7, LED-1: cash of exactly 2^127 - 1, and a wei more."""
    size = 2**92
    wide.do("borrower", Deposit(BORROWER, USDC, 10**16))
    trade(wide, "borrower", BORROWER, size)
    quote(wide, (2**127 - 10**30) * W // size)
    trade(wide, "borrower", BORROWER, -size)
    quote(wide, W)
    gap = 2**127 - 1 - wide.cash(BORROWER)
    wide.do("borrower", Deposit(BORROWER, USDC, gap // 10**12))
    # What is left of the gap is less than a unit: a position of as many wei, doubled in price, fills it.
    trade(wide, "borrower", BORROWER, gap % 10**12, market=ETH)
    trade(wide, "borrower", BORROWER, 1)
    quote(wide, 2 * W, 2 * W)
    trade(wide, "borrower", BORROWER, -(gap % 10**12), market=ETH)
    assert wide.cash(BORROWER) == 2**127 - 1
    trade(wide, "borrower", BORROWER, -1, refused="sys/domain")
    wide.do("borrower", Deposit(BORROWER, USDC, 1), refused="sys/domain")
    check(wide)


def test_a_balance_at_the_lower_end_of_its_word_on_both(wide: Twins) -> None:
    """UNIT-3, T7, LED-1, LIQ-4: cash of exactly -2^127, settled by a liquidation, and a wei less."""
    size, start = 2**92, 5 * 10**28
    price = (2**127 - 10**28) * W // size
    gap = 2**127 + start + size - (size * price + W - 1) // W
    wide.do("borrower", Deposit(BORROWER, USDC, start // 10**12))
    trade(wide, "borrower", BORROWER, -size)
    # A second short of as many wei as are missing loses them when its price doubles; a wei more is one too many.
    assert 0 < gap < 2**96
    trade(wide, "borrower", BORROWER, -gap - 1, market=ETH)
    quote(wide, price, 2 * W)
    trade(wide, "borrower", BORROWER, size)
    trade(wide, "borrower", BORROWER, gap + 1, refused="sys/domain", market=ETH)
    wide.do("liquidator", Liquidate(BORROWER), refused="sys/domain")
    check(wide)
    trade(wide, "borrower", BORROWER, gap, market=ETH)
    assert wide.cash(BORROWER) == -(2**127)
    check(wide)
    quote(wide, price, W)
    trade(wide, "borrower", BORROWER, 1, market=ETH)
    wide.do("liquidator", Liquidate(BORROWER))
    assert wide.cash(BORROWER) == 0
    check(wide)


def test_a_loss_beyond_the_stored_width_on_both(wide: Twins) -> None:
    """UNIT-3, L8: a short that has lost more than 2^127 can be neither closed nor liquidated, on both alike."""
    quote(wide, W)
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
    quote(wide, W)
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
    quote(wide, W)
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


def test_the_dearest_liquidation_on_both(wide: Twins) -> None:
    """LIQ-5 to LIQ-8, WAT-1, WAT-2, T9: all collateral there can be, sold at the largest price and at the smallest."""
    wide.do("borrower", Deposit(BORROWER, WETH, 2**96 - 1))
    quote(wide, W, W)
    trade(wide, "borrower", BORROWER, 7 * 10**28)
    quote(wide, 1, 1)
    check(wide)
    wide.do("liquidator", Liquidate(BORROWER))
    check(wide)
    wide.do("trader", Deposit(TRADER, WETH, 2**96 - 1))
    quote(wide, W, MAX_PRICE)
    trade(wide, "trader", TRADER, -(10**28))
    quote(wide, 10**10 * W, MAX_PRICE)
    check(wide)
    quote(wide, 10**10 * W, 2**60)
    wide.do("liquidator", Liquidate(TRADER))
    check(wide)


def test_tokens_of_extreme_decimals_on_both(artifacts: dict[str, Artifact]) -> None:
    """COL-1, WAT-1, O6, T9: a token without decimals and one with 24, at both ends of price and amount."""
    wide = Twins(artifacts, tokens=(TokenPlan("USDC", 6), TokenPlan("WHOLE", 0), TokenPlan("FINE", 24)))
    set_up(wide)
    rows = (HaircutBracket(0, W * 95 // 100, W // 2), HaircutBracket(2**95, W // 3, W // 4))
    for token, decimals in ((1, 0), (2, 24)):
        wide.do("admin", SetCollateral(token, CollateralParams(ETH, decimals, rows)))
        wide.do("borrower", Deposit(BORROWER, token, 2**96 - 1))
        wide.do("trader", Deposit(TRADER, token, 1))
    for price in (MAX_PRICE, 1, W + 1):
        quote(wide, W, price)
        check(wide)
    # The trader's unit without decimals is worth a dollar, the other one nothing.
    trade(wide, "trader", TRADER, 5 * W)
    quote(wide, W // 2, W + 1)
    wide.do("liquidator", Liquidate(TRADER))
    check(wide)
