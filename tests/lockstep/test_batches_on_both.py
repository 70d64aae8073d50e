"""Several accounts in one call, through both twins, and what a keeper is told beforehand."""

from __future__ import annotations

from dataclasses import replace

from contracts_py.keys import address_of
from oracle.feeds import Push
from protocol.actions import FlagAccount, Liquidate, LiquidateMany, SetMarket
from protocol.liquidation import MAX_BATCH
from protocol.units import W
from tests.lockstep.both import BORROWER, LIQUIDATOR, PLAIN, STRANGER, TRADER, buy, check, named, refuse
from tests.twins import BTC, ETH, Twins, market_params


def three_to_liquidate(twins: Twins) -> None:
    """Two longs due at 7,700, one account that is not, and the keeper's own, which is due as well."""
    twins.do("admin", SetMarket(BTC, PLAIN))
    for owner, account, usd in (
        ("borrower", BORROWER, 450),
        ("trader", TRADER, 480),
        ("stranger", STRANGER, 5_000),
        ("liquidator", LIQUIDATOR, 450),
    ):
        twins.deposit(owner, usd=usd)
        twins.do(owner, buy(W, account))
    twins.price(BTC=7_700)


def test_a_batch_with_refused_items_on_both(twins: Twins) -> None:
    """LIQ-9, B30, B31, S3: refused items are reported with their codes, the others done, in the order given."""
    three_to_liquidate(twins)
    batch = (STRANGER, BORROWER, BORROWER + 1, BORROWER, LIQUIDATOR, TRADER, 0, 2**256 - 1)
    twins.do("liquidator", LiquidateMany(batch))
    refused = [(event.account, event.code) for event in named(twins, "LiquidationRefused")]
    assert refused == [
        (STRANGER, "liq/not-liquidatable"),
        (BORROWER + 1, "account/unknown"),
        (BORROWER, "liq/not-liquidatable"),
        (LIQUIDATOR, "liq/self"),
        (0, "account/unknown"),
        (2**256 - 1, "account/unknown"),
    ]
    assert [event.account for event in named(twins, "AccountLiquidated")] == [BORROWER, TRADER]
    check(twins)


def test_a_batch_equals_single_calls_on_both(twins: Twins) -> None:
    """LIQ-9, X9: the same accounts in one call and one by one leave the same state."""
    three_to_liquidate(twins)
    start = twins.save()
    twins.do("stranger", LiquidateMany((TRADER, BORROWER, LIQUIDATOR)))
    together = twins.world.protocol
    check(twins)
    twins.restore(start)
    for number, account in enumerate((TRADER, BORROWER, LIQUIDATOR)):
        twins.do("stranger", Liquidate(account), after=0 if number else 1)
    assert twins.world.protocol == together
    check(twins)


def test_the_length_of_a_batch_on_both(twins: Twins) -> None:
    """LIQ-9: none, all that fit, and one too many, which is refused as a whole."""
    three_to_liquidate(twins)
    twins.do("stranger", LiquidateMany(()))
    assert twins.events == ()
    refuse(twins, "liq/batch", ("stranger", LiquidateMany((BORROWER,) * (MAX_BATCH + 1))))
    twins.do("stranger", LiquidateMany((BORROWER,) * MAX_BATCH))
    assert len(named(twins, "LiquidationRefused")) == MAX_BATCH - 1
    check(twins)


def test_a_batch_over_feeds_of_which_one_is_dead_on_both(twins: Twins) -> None:
    """LIQ-9, MRG-12, L8: what has the dead price counts in favour and is reported, the other account is liquidated."""
    three_to_liquidate(twins)
    twins.do("admin", SetMarket(ETH, replace(market_params(ETH, W // 100, 10**6), maker_fee=0, taker_fee=0)))
    twins.deposit("trader", usd=400)
    twins.do("trader", buy(10 * W, TRADER, ETH))
    twins.price(BTC=7_600)
    twins.do("poster", Push((ETH,), (0,)))
    twins.do("stranger", LiquidateMany((TRADER, BORROWER)))
    assert [(event.account, event.code) for event in named(twins, "LiquidationRefused")] == [
        (TRADER, "liq/not-liquidatable")
    ]
    assert twins.event("AccountLiquidated").account == BORROWER
    check(twins)


def test_a_quote_is_what_a_liquidation_does_on_both(twins: Twins) -> None:
    """VIEW-2, S6: partial, full and bankrupt, flagged or not, through windows; and the codes of refusals."""
    three_to_liquidate(twins)
    contracts = twins.chain.contracts
    keeper = address_of("liquidator")
    twins.do("stranger", FlagAccount(TRADER))
    for dollars in (7_700, 7_640, 7_400):
        twins.price(BTC=dollars, after=300)
        for account in (BORROWER, TRADER, STRANGER, LIQUIDATOR, LIQUIDATOR + 1):
            quote = contracts.quote_liquidation(account, keeper)
            code = twins.attempt("liquidator", Liquidate(account), after=0)
            assert quote.code == ("" if code == "ok" else code)
            if code == "ok":
                done = twins.event("AccountLiquidated")
                assert (
                    quote.closed_notional,
                    quote.reward,
                    quote.reward_from_account,
                    quote.penalty,
                    quote.bad_debt,
                ) == (
                    done.closed_notional,
                    done.reward,
                    done.reward_from_account,
                    done.penalty,
                    done.bad_debt,
                )
    check(twins)
