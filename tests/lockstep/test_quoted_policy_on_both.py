"""Which actions a fault of a price refuses, by its row of the table, through both twins."""

from __future__ import annotations

import pytest

from protocol.actions import (
    ClaimRedemption,
    CloseAll,
    Deposit,
    DepositToPool,
    FlagAccount,
    FundInsurance,
    Liquidate,
    MarginCall,
    RequestRedemption,
    SetLeverageCap,
    SetMarket,
    SetOrders,
    Transfer,
    Withdraw,
)
from protocol.env import Status
from protocol.policy import POLICY, is_accepted
from protocol.units import W
from tests.lockstep.both import BORROWER, DOLLAR, LOT, MARKET, TRADER, buy, check, refuse
from tests.lockstep.orders import NEXT, RULES, commit, settle
from tests.lockstep.quoted import CODES, PRICE, QuotedTwins
from tests.twins import BTC, ETH, RISK, USDC


@pytest.mark.parametrize("status", Status)
def test_every_action_by_the_row_of_its_fault_on_both(quoted: QuotedTwins, status: Status) -> None:
    """POL-1, POL-2, S8: new risk takes none, a way out the soft ones, deposits any, on each twin."""
    twins, bad = quoted, int(status)
    twins.deposit("borrower", usd=500, weth=1)
    twins.do("borrower", buy(W))
    twins.do("lender", RequestRedemption(10**18))
    twins.spread(BTC, PRICE[BTC], 0, bad)
    twins.now += RISK.redemption_delay
    growth = (
        ("borrower", buy(LOT)),
        ("borrower", buy(-2 * W)),
        ("borrower", Withdraw(BORROWER, USDC, 1)),
        ("borrower", Transfer(BORROWER, BORROWER + 1, USDC, 1)),
        ("borrower", SetLeverageCap(BORROWER, BTC, 20 * W)),
        ("lender", DepositToPool(DOLLAR)),
        ("lender", ClaimRedemption()),
    )
    refuse(twins, CODES[status], *growth)

    def code(action: str) -> str | None:
        """How an action of a sound account ends by its row of the table."""
        return None if is_accepted(POLICY[action], bad) else CODES[status]

    twins.do("admin", SetMarket(BTC, MARKET), refused=code("set_market"))
    # A liquidation is measured before anything is closed, and no fault stops a measure.
    for action in (Liquidate(BORROWER), FlagAccount(BORROWER)):
        twins.do("liquidator", action, refused="liq/not-liquidatable")
    twins.do("liquidator", MarginCall(BORROWER), refused="margin/no-call")
    check(twins, sizes=(BORROWER,))
    twins.do("stranger", Deposit(BORROWER, USDC, 1))
    twins.do("stranger", FundInsurance(1))
    twins.do("borrower", buy(-LOT), refused=code("trade_reduce"))
    twins.do("borrower", CloseAll(BORROWER, -(2**200)), refused=code("close_all"))
    check(twins)


@pytest.mark.parametrize("status", Status)
def test_orders_by_the_row_of_a_fault_on_both(quoted: QuotedTwins, status: Status) -> None:
    """POL-1, ORD-3, ORD-5: a fault of the market, then one of the collateral; what adds risk, and a reduction."""
    twins, bad = quoted, int(status)
    refused = None if is_accepted(POLICY["settle_order"], bad) else CODES[status]
    twins.deposit("borrower", usd=2_000, weth=1)
    twins.do("borrower", buy(W))
    twins.do("admin", SetOrders(BTC, RULES))
    twins.spread(BTC, PRICE[BTC], 0, bad)
    twins.do("borrower", commit(LOT), refused=CODES[status])
    twins.do("borrower", commit(-LOT))
    check(twins)
    twins.take_back(BTC)
    twins.price(BTC=8_000, after=10)
    twins.spread(BTC, PRICE[BTC], 0, bad)
    twins.do("liquidator", settle(), refused=refused)
    twins.take_back(BTC)
    if refused:
        twins.do("liquidator", settle())
    assert twins.event("OrderSettled").code == ""
    twins.do("borrower", commit(W))
    twins.price(BTC=8_000, after=10)
    twins.spread(ETH, PRICE[ETH], 0, bad)
    twins.do("liquidator", settle(NEXT + 1), refused=refused)
    check(twins)
    twins.spread(ETH, PRICE[ETH])
    if refused:
        twins.do("liquidator", settle(NEXT + 1))
    assert twins.event("OrderSettled").code == ""
    check(twins)


@pytest.mark.parametrize("status", Status)
def test_a_last_close_by_the_row_of_a_fault_on_both(quoted: QuotedTwins, status: Status) -> None:
    """POL-1, ORD-5, MRG-11: where it costs health it takes of the collateral what a close takes, and age."""
    twins, bad = quoted, int(status)
    twins.deposit("borrower", usd=900, weth=1)
    twins.do("borrower", buy(2 * W))
    twins.do("admin", SetOrders(BTC, RULES))
    twins.do("borrower", commit(-2 * W))
    twins.price(BTC=7_800, after=10)
    twins.price(BTC=8_100)
    twins.spread(ETH, PRICE[ETH], 0, bad)
    accepted = POLICY["trade_reduce"] | POLICY["settle_order"]
    twins.do("liquidator", settle(), refused=None if is_accepted(accepted, bad) else CODES[status])
    assert bool(twins.world.protocol.accounts[BORROWER].positions) is not is_accepted(accepted, bad)
    check(twins)


def test_the_grace_of_a_sequencer_on_both(quoted: QuotedTwins) -> None:
    """POL-1, LIQ-3: what is deep below maintenance does not wait."""
    twins = quoted
    grace = int(Status.SEQ_GRACE)
    twins.deposit("borrower", usd=450)
    twins.deposit("trader", usd=450)
    twins.do("borrower", buy(W))
    twins.do("trader", buy(-W, TRADER))
    for price, code in ((7_755 * W, "oracle/sequencer-grace"), (7_670 * W, None)):
        twins.spread(BTC, price, 0, grace)
        check(twins)
        twins.do("liquidator", Liquidate(BORROWER), refused=code)
    refuse(twins, "liq/not-liquidatable", ("liquidator", Liquidate(TRADER)))
    check(twins)
