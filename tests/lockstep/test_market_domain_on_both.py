"""The ends of a market's own fields on both twins: funding index, impact, reserve, window, at the limit and beyond."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts_py.keys import to_hex
from protocol.actions import Deposit, DepositToPool, Liquidate, SetMarket, SetRisk, Trade
from protocol.fills import compute_impact
from protocol.funding import project_funding
from protocol.params import MarketParams
from protocol.state import Window
from protocol.units import INDEX_LIMIT, RESERVED_LIMIT, SIGNED_LIMIT, UNSIGNED_LIMIT, W
from tests.lockstep.both import BORROWER, LIQUIDATOR, STRANGER, TRADER, check, named
from tests.lockstep.wide import (
    ANY_PRICE,
    FREE,
    MAX_CASH_UNITS,
    MAX_PRICE,
    MAX_SIZE,
    quote,
    trade,
    wide_market,
)
from tests.twins import BTC, USDC, Twins

DAY = 86_400


@pytest.mark.parametrize("side", [1, -1])
def test_the_funding_index_at_its_end_on_both(wide: Twins, side: int) -> None:
    """FUN-1, UNIT-3, F5, T9: 180 years at the largest price and rate; the last second that fits, and the next."""
    fast: dict[str, Any] = {
        "funding_cap": W,
        "funding_velocity": 10 * W,
        "funding_decay": 0,
        "dead_band": 0,
        "skew_scale": W,
    }
    wide.do("admin", SetMarket(BTC, replace(wide_market(BTC), **fast)))
    wide.do("borrower", Deposit(BORROWER, USDC, MAX_CASH_UNITS // 2))
    trade(wide, "borrower", BORROWER, side * W)
    totals = wide.world.protocol.markets[BTC]
    low, high = wide.now, wide.now + 2**17 * DAY
    while high - low > 1:
        middle = (low + high) // 2
        index, _ = project_funding(totals, MAX_PRICE, middle)
        low, high = (middle, high) if -INDEX_LIMIT <= index < INDEX_LIMIT else (low, middle)
    close = Trade(BORROWER, BTC, -side * W, 0 if side > 0 else ANY_PRICE)
    start = wide.save()
    wide.now = high - 1
    quote(wide, MAX_PRICE)
    check(wide)  # views project beyond the limit alike
    wide.do("borrower", close, refused="sys/domain", after=0)
    wide.do("admin", SetMarket(BTC, wide_market(BTC)), refused="sys/domain", after=0)
    wide.restore(start)
    wide.now = low - 1
    quote(wide, MAX_PRICE)
    wide.do("borrower", close, after=0)
    assert abs(wide.world.protocol.markets[BTC].funding_index) > INDEX_LIMIT - 2**80
    check(wide)


def test_the_impact_ledger_at_its_end_on_both(wide: Twins) -> None:
    """FIL-2, FIL-7, UNIT-3: a close whose impact does not fit is refused, one that fits is booked; to the wei."""
    size, scale = 2**92, 2**93
    market = replace(wide_market(BTC), rebate_ratio=0)
    wide.do("admin", SetMarket(BTC, market))
    wide.do("trader", Deposit(TRADER, USDC, MAX_CASH_UNITS // 2))
    trade(wide, "trader", TRADER, -2 * size)
    longs = (("borrower", BORROWER), ("stranger", STRANGER))
    for owner, account in longs:
        wide.do(owner, Deposit(account, USDC, 2**89 // 10**12))
        trade(wide, owner, account, size)
    collected = wide.world.protocol.markets[BTC].impact
    wide.do("admin", SetMarket(BTC, replace(market, skew_scale=scale)))
    # Closing both costs a quarter and three quarters of the notional, together the notional of one, 2^92 * price.
    fits = (SIGNED_LIMIT - 4 - collected) * W // size
    start = wide.save()
    for price, code in ((fits + 2, "sys/domain"), (fits, None)):
        wide.restore(start)
        quote(wide, price)
        trade(wide, "borrower", BORROWER, -size)
        trade(wide, "stranger", STRANGER, -size, refused=code)
        check(wide)
    left = SIGNED_LIMIT - 1 - wide.world.protocol.markets[BTC].impact
    assert 0 < left < 2**40
    # At four dollars and this scale a wei of size costs about a wei: the rest to the last one, and one more.
    market = replace(market, skew_scale=2**95)
    wide.do("admin", SetMarket(BTC, market))
    quote(wide, 4 * W)
    skew = wide.world.protocol.markets[BTC].skew
    last = next(guess for guess in range(left + 4, left - 5, -1) if cost_of(market, skew, guess) == left)
    start = wide.save()
    for extra, code in ((1, "sys/domain"), (0, None)):
        wide.restore(start)
        trade(wide, "trader", TRADER, -last - extra, refused=code)
        check(wide)
    assert wide.world.protocol.markets[BTC].impact == SIGNED_LIMIT - 1


def cost_of(market: MarketParams, skew: int, size: int) -> int:
    """The impact of selling at four dollars."""
    return compute_impact(market, skew, -size, 4 * W)[0]


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
    quote(wide, W * 97 // 100)
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
