"""Every fault of a price in every action that needs one, through both twins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from oracle.feeds import Push
from protocol.actions import (
    CloseAll,
    DepositToPool,
    FlagAccount,
    Liquidate,
    MarginCall,
    SetLeverageCap,
    SetMarket,
    Transfer,
    Withdraw,
)
from protocol.units import W
from tests.lockstep.both import (
    BORROWER,
    DOLLAR,
    LOT,
    MARKET,
    buy,
    check,
    refuse,
)
from tests.twins import BTC, ETH, USDC, Twins


def price_users(units: int) -> tuple[tuple[str, Any], ...]:
    """What needs a price of an account with a BTC position and WETH; each takes so much of its margin."""
    return (
        ("borrower", buy(LOT if units == 1 else W)),
        ("borrower", Withdraw(BORROWER, USDC, units)),
        ("borrower", Transfer(BORROWER, BORROWER + 1, USDC, units)),
        ("borrower", SetLeverageCap(BORROWER, BTC, 20 * W if units == 1 else W)),
    )


MEASURES = (
    ("liquidator", Liquidate(BORROWER)),
    ("liquidator", FlagAccount(BORROWER)),
    ("liquidator", MarginCall(BORROWER)),
)


def test_every_fault_of_a_price_on_both(twins: Twins) -> None:
    """ORC-2, POL-2, MRG-15, ORC-6, O5, S5, S6: each status of each feed, in each action that needs a price."""
    twins.deposit("borrower", usd=500, weth=1)
    twins.do("borrower", buy(W))
    needs, needs_all = price_users(1), price_users(200 * DOLLAR)
    exits = (("borrower", buy(-LOT)), ("borrower", CloseAll(BORROWER, -(2**200))))
    deposit = ("lender", DepositToPool(DOLLAR))
    setting = ("admin", SetMarket(BTC, replace(MARKET, maker_fee=0)))
    faults = (("oracle/non-positive", 0), ("oracle/non-positive", -1), ("oracle/out-of-bounds", 2**127 - 1))
    for code, answer in faults:
        twins.do("poster", Push((BTC,), (answer,)))
        refuse(twins, code, *needs, *exits, deposit, setting)
        refuse(twins, "liq/not-liquidatable", *MEASURES[:2])
        check(twins, sizes=(BORROWER,))
    twins.price(BTC=8_000)
    for code, answer in faults:
        twins.do("poster", Push((ETH,), (answer,)))
        refuse(twins, code, *needs_all)
        spent = twins.save()
        for need in needs:
            twins.do(*need)
        check(twins)
        twins.restore(spent)
        refuse(twins, "liq/not-liquidatable", *MEASURES[:2])
        refuse(twins, "margin/no-call", MEASURES[2])
        # The pool has no open interest and no inventory in ETH, and a reduction needs only its own market's price.
        twins.do(*deposit)
        twins.do(*setting)
        twins.do("admin", SetMarket(BTC, MARKET))
        check(twins, sizes=(BORROWER,))
    twins.do("poster", Push((BTC, ETH), (-1, 2**127 - 1)))
    refuse(twins, "oracle/non-positive", *needs)
    refuse(twins, "liq/not-liquidatable", *MEASURES[:2])
    twins.price(BTC=8_000, ETH=200)
    twins.do("borrower", buy(LOT), after=7_200)
    twins.do(*needs[0], refused="oracle/stale", after=1)
    refuse(twins, "oracle/stale", *needs, *exits, deposit)
    # Measured a tenth in favour it is sound, and no market needs a fresh price to be set.
    refuse(twins, "liq/not-liquidatable", *MEASURES[:2])
    refuse(twins, "margin/no-call", MEASURES[2])
    twins.do(*setting)
    check(twins, sizes=(BORROWER,))
