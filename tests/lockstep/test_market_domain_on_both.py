"""The ends of a market's own fields on both twins: funding index, impact, reserve, window, at the limit and beyond."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.actions import Deposit, DepositToPool, Liquidate, SetMarket, SetRisk, Trade
from protocol.funding import project_funding
from protocol.state import Window
from protocol.units import INDEX_LIMIT, RESERVED_LIMIT, SIGNED_LIMIT, UNSIGNED_LIMIT, W
from contracts_py.keys import to_hex
from tests.lockstep.both import BORROWER, LIQUIDATOR, STRANGER, TRADER, check, named
from tests.lockstep.test_domain_on_both import (
    ANY_PRICE,
    FREE,
    MAX_CASH_UNITS,
    MAX_PRICE,
    MAX_SIZE,
    quote,
    trade,
    wide,
    wide_market,
)
from tests.twins import BTC, USDC, Twins

DAY = 86_400
__all__ = ["wide"]


@pytest.mark.parametrize("side", [1, -1])
def test_the_funding_index_at_its_end_on_both(wide: Twins, side: int) -> None:
    """FUN-1, UNIT-3, F5, T9: 180 years at the largest price and rate; the last second that fits, and the next."""
    fast = {"funding_cap": W, "funding_velocity": 10 * W, "funding_decay": 0, "dead_band": 0, "skew_scale": W}
    wide.do("admin", SetMarket(BTC, replace(wide_market(BTC), **fast)))
    wide.do("borrower", Deposit(BORROWER, USDC, MAX_CASH_UNITS // 2))
    trade(wide, "borrower", BORROWER, side * 1_000)
    totals = wide.world.protocol.markets[BTC]
    low, high = wide.now, wide.now + 2**17 * DAY
    while high - low > 1:
        middle = (low + high) // 2
        index, _ = project_funding(totals, MAX_PRICE, middle)
        low, high = (middle, high) if -INDEX_LIMIT <= index < INDEX_LIMIT else (low, middle)
    start = wide.save()
    wide.now = high - 1
    quote(wide, MAX_PRICE)
    check(wide)  # views project beyond the limit alike
    for action in (Trade(BORROWER, BTC, side, ANY_PRICE if side > 0 else 0), SetMarket(BTC, wide_market(BTC))):
        sender = "borrower" if isinstance(action, Trade) else "admin"
        wide.do(sender, action, refused="sys/domain", after=0)
    wide.restore(start)
    wide.now = low - 1
    quote(wide, MAX_PRICE)
    trade_now = Trade(BORROWER, BTC, side, ANY_PRICE if side > 0 else 0)
    wide.do("borrower", trade_now, after=0)
    assert abs(wide.world.protocol.markets[BTC].funding_index) > INDEX_LIMIT - 2**80
    check(wide)
    wide.do("borrower", trade_now, refused="sys/domain", after=1)


def collect_impact(twins: Twins) -> None:
    """A market whose impact ledger a large close has filled to a little below its end."""
    size, scale = 2**92, 2**90
    twins.do("lender", DepositToPool(MAX_CASH_UNITS // 4))
    calm = replace(wide_market(BTC), rebate_ratio=0)
    twins.do("admin", SetMarket(BTC, calm))
    for owner, account in (("borrower", BORROWER), ("trader", TRADER), ("stranger", STRANGER)):
        twins.do(owner, Deposit(account, USDC, MAX_CASH_UNITS // 16))
    trade(twins, "borrower", BORROWER, size)
    trade(twins, "trader", TRADER, -size - 10**9)
    trade(twins, "stranger", STRANGER, 10**9)
    twins.do("admin", SetMarket(BTC, replace(calm, skew_scale=scale)))


def test_the_impact_ledger_at_its_end_on_both(wide: Twins) -> None:
    """FIL-2, FIL-7, UNIT-3: a close that costs 2^127 of impact is refused, one that fits is booked; to the wei."""
    collect_impact(wide)
    before = wide.world.protocol.markets[BTC].impact
    # Closing the long of 2^92 at 2^34 dollars costs 2^184 * 2^34 / 2^91 = 2^127.
    quote(wide, 2**34 * W)
    trade(wide, "borrower", BORROWER, -(2**92), refused="sys/domain")
    # The largest close that fits, by the model's own preview, and a wei more.
    low, high = 2**90, 2**92
    while high - low > 1:
        middle = (low + high) // 2
        preview = wide.chain.contracts.preview_trade(Trade(BORROWER, BTC, -middle, 0))
        low, high = (middle, high) if preview.code == "" else (low, middle)
    trade(wide, "borrower", BORROWER, -low - 1, refused="sys/domain")
    trade(wide, "borrower", BORROWER, -low)
    left = SIGNED_LIMIT - 1 - wide.world.protocol.markets[BTC].impact
    assert before < 2**100
    assert 0 <= left < 2**38
    check(wide)
    # At a quarter of a dollar a wei of size costs about a wei: the rest to the last one, and one more.
    quote(wide, W // 4)
    low, high = 0, 10**9
    while high - low > 1:
        middle = (low + high) // 2
        preview = wide.chain.contracts.preview_trade(Trade(STRANGER, BTC, -middle, 0))
        low, high = (middle, high) if preview.code == "" else (low, middle)
    if high < 10**9:
        trade(wide, "stranger", STRANGER, -high, refused="sys/domain")
        trade(wide, "stranger", STRANGER, -low)
        assert SIGNED_LIMIT - 1 - wide.world.protocol.markets[BTC].impact < 4
    check(wide)


@pytest.mark.parametrize("side", [1, -1])
def test_what_a_market_reserves_at_its_end_on_both(wide: Twins, side: int) -> None:
    """FIL-8, UNIT-3, P6: 2^96 - 1 of reserve, and the remainder that a reduction may leave at a higher price."""
    wide.do("lender", DepositToPool(MAX_CASH_UNITS // 4))
    wide.do("borrower", Deposit(BORROWER, USDC, MAX_CASH_UNITS // 2))
    wide.do("admin", SetRisk(replace(FREE, lock_ratio=10_000)))
    trade(wide, "borrower", BORROWER, side * MAX_SIZE)
    assert wide.world.protocol.ledger.reserved == RESERVED_LIMIT - 1
    check(wide)
    price = W + W // 3
    quote(wide, price)
    most = (RESERVED_LIMIT - 1) * W // price
    trade(wide, "borrower", BORROWER, -side * (MAX_SIZE - most - 1), refused="sys/domain")
    trade(wide, "borrower", BORROWER, -side * (MAX_SIZE - most))
    assert RESERVED_LIMIT - 3 < wide.world.protocol.ledger.reserved < RESERVED_LIMIT
    check(wide)


def put_closed(twins: Twins, closed: int) -> None:
    """Write into both what a market's window has closed since it began: no run of tests could liquidate so much."""
    state = twins.world.protocol
    (window, *others) = state.windows
    changed = (Window(closed, ()), *others)
    assert window.entries == ()
    twins.world = replace(twins.world, protocol=replace(state, windows=changed))
    chain: Any = twins.chain
    layout = chain._artifacts["CrossMargin"].layout["storage_layout"]["storage"]["markets"]["window_heads"]
    address = twins.chain.deployment.protocol
    head = twins.chain.contracts.node.storage(address)(layout["slot"])
    word = head >> 128 << 128 | closed
    chain.contracts.node._evm.insert_account_storage(to_hex(address), layout["slot"], word)
    twins.check_states()


def test_a_window_at_its_end_on_both(wide: Twins) -> None:
    """WIN-2, UNIT-3: the total of all partial liquidations ever to its last wei, and one more."""
    market = replace(wide_market(BTC), window=3_600, window_notional=2**96 - 1)
    wide.do("admin", SetMarket(BTC, market))
    wide.do("borrower", Deposit(BORROWER, USDC, 5_200_000))
    trade(wide, "borrower", BORROWER, 100 * W)
    quote(wide, W * 973 // 1_000)
    start = wide.save()
    wide.do("liquidator", Liquidate(BORROWER))
    closed = wide.event("AccountLiquidated").closed_notional
    assert named(wide, "WindowUpdated")[0].closed == closed
    wide.restore(start)
    put_closed(wide, UNSIGNED_LIMIT - closed)
    wide.do("liquidator", Liquidate(BORROWER), refused="sys/domain")
    put_closed(wide, UNSIGNED_LIMIT - 1 - closed)
    wide.do("liquidator", Liquidate(BORROWER))
    assert wide.world.protocol.windows[BTC].closed == UNSIGNED_LIMIT - 1
    check(wide)
    assert LIQUIDATOR in wide.world.protocol.accounts
    # Another window begins anew.
    wide.do("admin", SetMarket(BTC, replace(market, window=7_200)))
    check(wide)
