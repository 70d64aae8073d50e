"""Many accounts liquidated in one call: LIQ-9."""

from __future__ import annotations

from protocol.actions import Liquidate, LiquidateMany
from protocol.draft import Outcome
from protocol.env import Status
from protocol.events import Event, LiquidationRefused
from protocol.liquidation import MAX_BATCH
from protocol.state import State, account_id
from protocol.units import W
from tests.protocol.build import (
    ACCOUNT,
    BORROWER,
    BTC,
    BTC_PRICE,
    KEEPER,
    holding,
    opened,
    outcome_of,
    refusal_of,
    run,
    state_with,
    with_params,
)
from tests.protocol.liquidating import keeper_env


def crowd() -> State:
    """Five accounts: three below maintenance, one healthy, one bankrupt."""
    accounts = {
        account_id(BORROWER, sub): holding(cash * W, positions={BTC: opened(10 * W, BTC_PRICE)})
        for sub, cash in enumerate((2_009, 10**4, 1_900, 1_000, -500))
    }
    return state_with(accounts, pool=10**6 * W, insurance=10**4 * W)


def test_a_batch_liquidates_each_account_by_itself() -> None:
    """LIQ-9, X9, B30, B31: the same state and events as single calls; refusals are reported and stop nothing."""
    batch = (ACCOUNT, ACCOUNT + 1, 99, ACCOUNT + 4, ACCOUNT, ACCOUNT + 3, KEEPER, ACCOUNT + 2)
    outcome = run(crowd(), keeper_env(), LiquidateMany(batch))
    events: list[Event] = []
    state, refusals = crowd(), []
    for account in batch:
        code = outcome_of(state, keeper_env(), Liquidate(account))
        if code == "ok":
            single = run(state, keeper_env(), Liquidate(account))
            state = single.state
            events.extend(single.events)
        else:
            events.append(LiquidationRefused(account, code))
            refusals.append((account, code))
    assert outcome == Outcome(state, tuple(events))
    assert refusals == [
        (ACCOUNT + 1, "liq/not-liquidatable"),
        (99, "account/unknown"),
        (ACCOUNT, "liq/not-liquidatable"),
        (KEEPER, "liq/self"),
    ]


def test_a_batch_has_at_most_32_entries() -> None:
    """LIQ-9, S7: longer ones are refused as a whole, before anything is done."""
    assert MAX_BATCH == 32
    full = run(crowd(), keeper_env(), LiquidateMany((ACCOUNT,) * 32))
    assert [type(event) for event in full.events].count(LiquidationRefused) == 31
    refusal = refusal_of(crowd(), keeper_env(), LiquidateMany((ACCOUNT,) * 33))
    assert (refusal.code, refusal.facts) == ("liq/batch", {"most": 32})


def test_an_empty_batch_and_one_of_refusals_change_nothing() -> None:
    """LIQ-9: nothing to do is no refusal."""
    start = crowd()
    assert run(start, keeper_env(), LiquidateMany(())) == Outcome(start, ())
    none = run(start, keeper_env(), LiquidateMany((ACCOUNT + 1, 99)))
    assert none.state == start
    assert none.events == (
        LiquidationRefused(ACCOUNT + 1, "liq/not-liquidatable"),
        LiquidationRefused(99, "account/unknown"),
    )


def test_a_batch_without_prices_reports_each() -> None:
    """LIQ-9: the code of each refusal, prices included; a sum that does not fit stops only its account."""
    bad = int(Status.NON_POSITIVE)
    state = with_params(crowd(), BTC, ceiling=8_000 * W)
    outcome = run(state, keeper_env(btc=0, btc_status=bad), LiquidateMany((ACCOUNT + 1, ACCOUNT + 4)))
    assert outcome.events == (
        LiquidationRefused(ACCOUNT + 1, "liq/not-liquidatable"),
        LiquidationRefused(ACCOUNT + 4, "oracle/non-positive"),
    )
