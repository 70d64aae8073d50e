"""Every action and every refusal, through the model and through the contracts, compared exactly.

``do`` compares outcome, code and events; ``check`` the complete state and the views of every account.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_abi import decode, encode
from eth_utils import keccak

from contracts_py.compile import Artifact
from contracts_py.deploy import TokenPlan
from contracts_py.errors import Reverted
from contracts_py.keys import address_of
from oracle.feeds import Push, SetFeed, get_round_data, latest_round_data
from protocol.actions import (
    Deposit,
    DepositToPool,
    FundInsurance,
    Liquidate,
    PauseOpening,
    SetCollateral,
    SetMarket,
    SetRisk,
    Trade,
    Withdraw,
)
from protocol.errors import REFUSALS, UnknownRound
from protocol.margin import AccountState, compute_account_state, compute_health
from protocol.params import CollateralParams, HaircutBracket, MarginBracket
from protocol.state import account_id
from protocol.units import W
from tests.twins import BTC, ETH, RISK, USDC, WETH, Twins, market_params, weth_params

HIGH = 2**255
LOT = W // 1_000
DOLLAR = 10**6
BORROWER = account_id(address_of("borrower"))
TRADER = account_id(address_of("trader"))
LIQUIDATOR = account_id(address_of("liquidator"))
MARKET = market_params(BTC)


def check(twins: Twins) -> None:
    """S3, S5, S6: the complete state, and what the views say of every account."""
    twins.check_states()
    state, env = twins.world.protocol, twins.world.env(twins.now)
    for key, account in state.accounts.items():
        health = compute_health(state, account, env)
        assert twins.chain.contracts.health(key) == health
        assert twins.chain.contracts.account_state(key) == compute_account_state(state.risk, health)


def refuse(twins: Twins, code: str, *attempts: tuple[str, Any]) -> None:
    """All of these are refused by both twins with one code."""
    for sender, action in attempts:
        twins.do(sender, action, refused=code)


def buy(size: int, account: int = BORROWER, market: int = BTC) -> Trade:
    """A trade at any price."""
    return Trade(account, market, size, HIGH if size > 0 else 0)


# --- vault ----------------------------------------------------------------------------------------------------------


def test_deposits_on_both(twins: Twins) -> None:
    """DEP-1, DEP-2, DEP-3, S3: both kinds of token, first and repeated, for oneself and for others; every refusal."""
    twins.do("borrower", Deposit(BORROWER, USDC, 1))
    twins.do("stranger", Deposit(BORROWER, USDC, 2))
    twins.do("stranger", Deposit(TRADER, WETH, 1))
    twins.do("borrower", Deposit(BORROWER, WETH, 10**18))
    twins.do("borrower", Deposit(BORROWER, WETH, 1))
    twins.do("borrower", Deposit(BORROWER + 2**96 - 1, USDC, 5))
    refuse(twins, "account/no-owner", ("borrower", Deposit(0, USDC, 1)), ("borrower", Deposit(2**96 - 1, 9, 0)))
    refuse(
        twins, "token/unknown", ("borrower", Deposit(BORROWER, 2, 0)), ("borrower", Deposit(BORROWER, 2**256 - 1, 1))
    )
    refuse(twins, "amount/zero", ("borrower", Deposit(BORROWER, USDC, 0)), ("borrower", Deposit(BORROWER, WETH, 0)))
    refuse(
        twins,
        "sys/domain",
        ("borrower", Deposit(BORROWER, USDC, 2**96)),
        ("borrower", Deposit(BORROWER, WETH, 2**256 - 1)),
    )
    check(twins)


def test_withdrawals_on_both(twins: Twins) -> None:
    """WDR-1 to WDR-6, S3: of cash and collateral, with and without a position; every refusal."""
    twins.deposit("borrower", usd=1_000, weth=2)
    twins.deposit("trader", usd=10**5)
    refuse(
        twins,
        "account/unknown",
        ("liquidator", Withdraw(LIQUIDATOR, 7, 0)),
        ("stranger", Withdraw(LIQUIDATOR, USDC, 1)),
    )
    refuse(twins, "account/not-owner", ("stranger", Withdraw(BORROWER, 7, 0)), ("trader", Withdraw(BORROWER, USDC, 1)))
    refuse(twins, "token/unknown", ("borrower", Withdraw(BORROWER, 2, 0)))
    refuse(twins, "amount/zero", ("borrower", Withdraw(BORROWER, USDC, 0)), ("borrower", Withdraw(BORROWER, WETH, 0)))
    refuse(
        twins,
        "sys/domain",
        ("borrower", Withdraw(BORROWER, USDC, 2**96)),
        ("borrower", Withdraw(BORROWER, WETH, 2**96)),
    )
    refuse(twins, "vault/negative-cash", ("borrower", Withdraw(BORROWER, USDC, 1_000 * DOLLAR + 1)))
    refuse(twins, "vault/negative-cash", ("borrower", Withdraw(BORROWER, USDC, 2**96 - 1)))
    refuse(twins, "vault/insufficient-units", ("borrower", Withdraw(BORROWER, WETH, 2 * 10**18 + 1)))
    twins.do("borrower", Withdraw(BORROWER, USDC, 1))
    twins.do("borrower", Withdraw(BORROWER, WETH, 1))
    twins.do("borrower", buy(W))
    # 1 BTC needs 400 and the reserve of 10; the collateral counts 340, the fee was 4.
    cash = twins.cash(BORROWER)
    counted = (2 * 10**18 - 1) * 200 * 85 // 100
    room = (cash + counted - 410 * W) // 10**12
    refuse(twins, "margin/initial", ("borrower", Withdraw(BORROWER, USDC, room + 1)))
    twins.do("borrower", Withdraw(BORROWER, USDC, room))
    refuse(twins, "margin/initial", ("borrower", Withdraw(BORROWER, WETH, 10**12)))
    check(twins)
    # Stale prices refuse while the position is open; afterwards nothing needs a price.
    twins.do("borrower", Withdraw(BORROWER, USDC, 1), refused="oracle/stale", after=7_300)
    twins.price(BTC=8_000)
    refuse(twins, "oracle/stale", ("borrower", Withdraw(BORROWER, USDC, 1)))
    twins.do("borrower", buy(-W))
    twins.do("borrower", Withdraw(BORROWER, WETH, 10**18))
    check(twins)


def test_a_vault_without_cash_on_both(twins: Twins) -> None:
    """WDR-5, LED-2, LPD-3, S3: a profit beyond the pool is booked, waits for cash, and closes the pool to deposits."""
    twins.deposit("borrower", usd=10**6)
    twins.do("borrower", buy(100 * W))
    twins.price(BTC=30_000)
    twins.do("borrower", buy(-100 * W))
    assert twins.world.protocol.ledger.deficit > 10**6 * W
    cash = twins.cash(BORROWER) // 10**12
    refuse(twins, "pool/deficit", ("lender", DepositToPool(DOLLAR)))
    refuse(twins, "vault/insufficient-cash", ("borrower", Withdraw(BORROWER, USDC, cash)))
    held = twins.world.protocol.tokens[USDC].held
    refuse(twins, "vault/insufficient-cash", ("borrower", Withdraw(BORROWER, USDC, held + 1)))
    twins.do("borrower", Withdraw(BORROWER, USDC, held))
    check(twins)
    # A loss repays the deficit first.
    twins.do("borrower", buy(20 * W))
    twins.price(BTC=29_000)
    twins.do("borrower", buy(-20 * W))
    assert twins.world.protocol.ledger.pool == 0
    check(twins)


def test_funding_insurance_on_both(twins: Twins) -> None:
    """INS-1, S3: anyone may; every refusal."""
    twins.do("treasury", FundInsurance(1))
    twins.do("stranger", FundInsurance(10**12))
    refuse(twins, "amount/zero", ("stranger", FundInsurance(0)))
    refuse(twins, "sys/domain", ("stranger", FundInsurance(2**96)), ("stranger", FundInsurance(2**96 - 1)))
    check(twins)


# --- trading --------------------------------------------------------------------------------------------------------


def test_trades_on_both(twins: Twins) -> None:
    """TRD-6 to TRD-8, FIL-1 to FIL-3, S3: open, add, reduce, flip and close, both sides, at prices with fractions."""
    twins.deposit("borrower", usd=20_000, weth=3)
    twins.deposit("trader", usd=20_000)
    answers = (800_000_000_001, 799_999_999_999, 812_345_678_912, 777_777_777_777)
    story = (2 * W, LOT, -W, -3 * W + LOT, -LOT, W, 2 * W, -W // 2)
    for number, size in enumerate(story):
        twins.do("poster", Push((BTC,), (answers[number % 4],)))
        twins.do("borrower", buy(size))
        twins.do("trader", buy(-size, TRADER))
    check(twins)
    for owner, account in (("borrower", BORROWER), ("trader", TRADER)):
        position = twins.world.protocol.accounts[account].positions.get(BTC)
        if position:
            twins.do(owner, buy(-position.size, account))
    totals = twins.world.protocol.markets[BTC]
    assert (totals.long_oi, totals.short_oi, totals.cost) == (0, 0, 0)
    check(twins)


def test_refused_trades_on_both(twins: Twins) -> None:
    """TRD-1 to TRD-5, TRD-8, S3: each refusal, with the one that comes next broken as well."""
    twins.deposit("borrower", usd=1_000)
    unknown = buy(0, LIQUIDATOR, 9)
    refuse(twins, "account/unknown", ("liquidator", unknown), ("stranger", unknown))
    refuse(twins, "account/not-owner", ("stranger", buy(0, market=9)), ("stranger", buy(W)))
    refuse(twins, "market/unknown", ("borrower", buy(0, market=2)), ("borrower", buy(W, market=2**256 - 1)))
    refuse(twins, "market/unknown", ("borrower", buy(W, market=31)), ("borrower", buy(W, market=32)))
    refuse(twins, "amount/zero", ("borrower", buy(0)))
    refuse(twins, "sys/domain", ("borrower", buy(2**96)), ("borrower", buy(-(2**96))), ("borrower", buy(2**255 - 1)))
    refuse(twins, "sys/domain", ("borrower", buy(-(2**255))))
    refuse(
        twins,
        "market/lot",
        ("borrower", buy(2**96 - 1)),
        ("borrower", buy(1 - 2**96)),
        ("borrower", buy(1)),
        ("borrower", buy(-1)),
    )
    price = 8_000 * W
    refuse(
        twins,
        "trade/price",
        ("borrower", Trade(BORROWER, BTC, W, price - 1)),
        ("borrower", Trade(BORROWER, BTC, -W, price + 1)),
    )
    refuse(
        twins,
        "trade/price",
        ("borrower", Trade(BORROWER, BTC, W, 0)),
        ("borrower", Trade(BORROWER, BTC, -W, 2**256 - 1)),
    )
    refuse(twins, "market/min-notional", ("borrower", buy(W // 8 - LOT)), ("borrower", buy(-W // 10)))
    refuse(twins, "margin/initial", ("borrower", buy(3 * W)), ("borrower", buy(-3 * W)))
    twins.do("borrower", Trade(BORROWER, BTC, W, price))
    refuse(twins, "market/min-notional", ("borrower", buy(-W + LOT)), ("borrower", buy(-W - LOT)))
    refuse(twins, "margin/initial", ("borrower", buy(-4 * W)))
    twins.do("guardian", PauseOpening(True))
    refuse(
        twins, "market/opening-paused", ("borrower", buy(LOT)), ("borrower", buy(-W - LOT)), ("borrower", buy(-3 * W))
    )
    refuse(twins, "trade/price", ("borrower", Trade(BORROWER, BTC, LOT, price - 1)))
    twins.do("borrower", Trade(BORROWER, BTC, -W // 2, price))
    twins.do("borrower", buy(-W // 2))
    refuse(twins, "market/opening-paused", ("borrower", buy(-LOT)))
    check(twins)


def test_initial_margin_to_the_wei_on_both(twins: Twins) -> None:
    """TRD-10, MRG-6, M1, M4, N4: the least deposit that opens a position; a unit less is refused by both."""
    twins.do("poster", Push((BTC,), (800_000_012_345,)))
    price = 800_000_012_345 * 10**10
    least = -(-(-(-W * price * 5 // 100 // W) + 10 * W - (-price // 2_000)) // 10**12)
    twins.do("borrower", Deposit(BORROWER, USDC, least - 1))
    for size in (W, -W):
        twins.do("borrower", buy(size), refused="margin/initial")
    twins.do("borrower", Deposit(BORROWER, USDC, 1))
    twins.do("borrower", buy(W))
    twins.do("liquidator", Liquidate(BORROWER), refused="liq/not-liquidatable")
    assert twins.chain.contracts.account_state(BORROWER) is AccountState.HEALTHY
    check(twins)


def test_the_debt_cap_on_both(twins: Twins) -> None:
    """TRD-10, LED-1: an account that owes more than the cap may not grow; it may reduce and others may repay."""
    twins.deposit("borrower", weth=100)
    twins.do("admin", SetRisk(replace(RISK, debt_cap=4 * W - 1)))
    refuse(twins, "margin/debt-cap", ("borrower", buy(W)), ("borrower", buy(100 * W)))
    twins.do("admin", SetRisk(replace(RISK, debt_cap=4 * W)))
    twins.do("borrower", buy(W))
    assert twins.world.protocol.ledger.trader_debt == 4 * W
    refuse(twins, "margin/debt-cap", ("borrower", buy(LOT)), ("borrower", buy(-3 * W)))
    twins.do("borrower", buy(-W // 2))
    twins.do("stranger", Deposit(BORROWER, USDC, 5 * DOLLAR))
    twins.do("stranger", Deposit(BORROWER, USDC, 5 * DOLLAR))
    twins.do("borrower", buy(LOT))
    check(twins)


def test_reductions_that_lower_health_on_both(twins: Twins) -> None:
    """TRD-9, MRG-7, M2: a market whose fee exceeds the margin it frees; the exception for the last position."""
    free = replace(RISK, fixed_reward=0, reward_ratio=0, penalty_ratio=0, keeper_reserve=0)
    dear = replace(MARKET, lot=1, min_notional=1, fee_rate=W // 100, brackets=(MarginBracket(0, W // 200, W // 10),))
    twins.do("admin", SetRisk(free))
    twins.deposit("borrower", usd=3_000, weth=1)
    twins.do("borrower", buy(W))
    twins.do("borrower", buy(10 * W, market=ETH))
    twins.do("admin", SetMarket(BTC, dear))
    refuse(twins, "margin/reduce", ("borrower", buy(-W // 2)), ("borrower", buy(-W)), ("borrower", buy(-1)))
    for rate, code in ((W // 200 + 1, "margin/reduce"), (W // 200, None)):
        twins.do("admin", SetMarket(BTC, replace(dear, fee_rate=rate)))
        twins.do("borrower", buy(-W // 2), refused=code)
    twins.do("admin", SetMarket(BTC, dear))
    twins.do("borrower", buy(-10 * W, market=ETH))
    refuse(twins, "margin/reduce", ("borrower", buy(-W // 4)))
    # The last position: the account is worth enough, but its collateral needs a price to say so.
    twins.price(BTC=8_000, after=7_300)
    refuse(twins, "oracle/stale", ("borrower", buy(-W // 2)))
    twins.price(ETH=200)
    twins.do("borrower", buy(-W // 2))
    check(twins)


def test_an_insolvent_close_that_lowers_health_on_both(twins: Twins) -> None:
    """MRG-7: the last position of an account worth less than nothing may not close below its health."""
    free = replace(RISK, fixed_reward=0, reward_ratio=0, penalty_ratio=0, keeper_reserve=0)
    dear = replace(MARKET, lot=1, min_notional=1, fee_rate=W // 100, brackets=(MarginBracket(0, W // 200, W // 10),))
    twins.do("admin", SetRisk(free))
    twins.do("borrower", Deposit(BORROWER, USDC, 1_000 * DOLLAR))
    twins.do("borrower", buy(W))
    twins.do("admin", SetMarket(BTC, dear))
    # Equity 996 - 996 = 0 before a fee of 70.04.
    twins.do("poster", Push((BTC,), (7_004 * 10**8,)))
    refuse(twins, "margin/reduce", ("borrower", buy(-W)))
    twins.do("poster", Push((BTC,), (7_100 * 10**8,)))
    twins.do("borrower", buy(-W))
    check(twins)


def test_a_close_that_frees_the_reserve_on_both(twins: Twins) -> None:
    """MRG-7: closing the last position frees the keeper reserve, which counts against a fee that exceeds the margin."""
    free = replace(RISK, fixed_reward=0, reward_ratio=0, penalty_ratio=0)
    dear = replace(MARKET, lot=1, min_notional=1, fee_rate=W // 100, brackets=(MarginBracket(0, W // 200, W // 10),))
    twins.do("admin", SetRisk(free))
    twins.do("borrower", Deposit(BORROWER, USDC, 1_000 * DOLLAR))
    twins.do("borrower", buy(W))
    twins.do("admin", SetMarket(BTC, dear))
    # At 7,004 the account is worth nothing before a fee of 70.04; the margin is 35.02.
    twins.price(BTC=7_004)
    short = 3_502 * W // 100
    for reserve, code in ((short - 1, "margin/reduce"), (short, None)):
        twins.do("admin", SetRisk(replace(free, keeper_reserve=reserve)))
        twins.do("borrower", buy(-W), refused=code)
    assert twins.cash(BORROWER) < 0
    check(twins)


def test_every_fault_of_a_price_on_both(twins: Twins) -> None:
    """ORC-2, ORC-3, ORC-6, S5, S6, TRD-3, WDR-6, LIQ-3, LPD-3: each status, in each action that needs a price."""
    twins.deposit("borrower", usd=500, weth=1)
    twins.do("borrower", buy(W))
    needs = (
        ("borrower", buy(LOT)),
        ("borrower", Withdraw(BORROWER, USDC, 1)),
        ("liquidator", Liquidate(BORROWER)),
        ("lender", DepositToPool(DOLLAR)),
    )
    reduction = ("borrower", buy(-LOT))
    faults: list[tuple[str, int]] = [
        ("oracle/non-positive", 0),
        ("oracle/non-positive", -1),
        ("oracle/out-of-bounds", 2**127 - 1),
    ]
    for code, answer in faults:
        twins.do("poster", Push((BTC,), (answer,)))
        refuse(twins, code, *needs, reduction)
        check(twins)
    twins.price(BTC=8_000)
    for code, answer in faults:
        twins.do("poster", Push((ETH,), (answer,)))
        # The pool has no open interest and no inventory in ETH.
        refuse(twins, code, *needs[:3])
        twins.do("lender", DepositToPool(DOLLAR))
        check(twins)
    twins.do("poster", Push((BTC, ETH), (-1, 2**127 - 1)))
    refuse(twins, "oracle/non-positive", *needs)
    twins.do("admin", SetMarket(BTC, replace(MARKET, feed=60)))
    refuse(twins, "oracle/unavailable", *needs, reduction)
    check(twins)
    twins.do("admin", SetMarket(BTC, MARKET))
    twins.price(BTC=8_000, ETH=200)
    twins.do("borrower", buy(LOT), after=7_200)
    twins.do(*needs[0], refused="oracle/stale", after=1)
    refuse(twins, "oracle/stale", *needs, reduction)
    check(twins)


# --- liquidation ----------------------------------------------------------------------------------------------------


def test_liquidations_on_both(twins: Twins) -> None:
    """LIQ-1 to LIQ-8, WAT-1 to WAT-4, S3: remainder, collateral sale and bankruptcy; new keeper and old; refusals."""
    twins.deposit("borrower", usd=450)
    twins.deposit("trader", usd=100, weth=2)
    twins.deposit("stranger", usd=450)
    stranger = account_id(address_of("stranger"))
    twins.do("borrower", buy(W))
    twins.do("trader", buy(W, TRADER))
    twins.do("stranger", buy(-2 * W // 2, stranger))
    refuse(twins, "account/unknown", ("liquidator", Liquidate(BORROWER + 1)), ("liquidator", Liquidate(LIQUIDATOR)))
    refuse(twins, "liq/self", ("borrower", Liquidate(BORROWER)))
    refuse(twins, "liq/not-liquidatable", ("liquidator", Liquidate(BORROWER)), ("liquidator", Liquidate(TRADER)))
    twins.price(BTC=7_740)
    for name, account in (("borrower", BORROWER), ("trader", TRADER)):
        twins.do(name, Liquidate(account), refused="liq/self")
    twins.do("liquidator", Liquidate(BORROWER))
    assert twins.event("AccountLiquidated").account_state == AccountState.LIQUIDATABLE
    refuse(twins, "liq/not-liquidatable", ("liquidator", Liquidate(BORROWER)))
    twins.do("liquidator", Liquidate(TRADER))
    assert twins.world.protocol.tokens[WETH].inventory > 0
    check(twins)
    twins.price(BTC=9_000)
    twins.do("liquidator", Liquidate(stranger))
    found = twins.event("AccountLiquidated")
    assert (found.account_state, found.reward_from_account, found.penalty) == (AccountState.BANKRUPT, 0, 0)
    assert found.bad_debt > 0
    check(twins)


def test_a_liquidation_to_the_wei_on_both(twins: Twins) -> None:
    """LIQ-4, M3: at maintenance to the wei nobody may, a wei below anybody."""
    twins.do("admin", SetMarket(BTC, replace(MARKET, fee_rate=0)))
    twins.deposit("borrower", usd=410)
    twins.do("borrower", buy(W))
    # 410 + p - 8,000 = p / 40 + 10 at p = 7,600 / 0.975.
    border = 7_600 * 1_000 * 10**8 // 975
    twins.do("poster", Push((BTC,), (border + 1,)))
    refuse(twins, "liq/not-liquidatable", ("liquidator", Liquidate(BORROWER)))
    twins.do("poster", Push((BTC,), (border,)))
    twins.do("liquidator", Liquidate(BORROWER))
    check(twins)


def test_the_whole_waterfall_on_both(twins: Twins) -> None:
    """LIQ-8, WAT-3, L9: the insurance fund runs dry, then the pool pays; nothing reverts."""
    owners = ("borrower", "trader", "stranger", "treasury")
    accounts = {owner: account_id(address_of(owner)) for owner in owners}
    for owner in owners:
        twins.deposit(owner, usd=6_000)
        twins.do(owner, buy(10 * W, accounts[owner]))
    keeper_account = twins.deposit("liquidator", usd=60_000)
    twins.do("liquidator", buy(-40 * W, keeper_account))
    twins.price(BTC=7_000)
    twins.do("liquidator", Liquidate(accounts["borrower"]))
    assert twins.world.protocol.ledger.insurance > 0
    twins.do("liquidator", Liquidate(accounts["trader"]))
    twins.do("liquidator", Liquidate(accounts["stranger"]))
    assert twins.world.protocol.ledger.insurance == 0
    check(twins)
    twins.price(BTC=1)
    twins.do("liquidator", buy(40 * W, keeper_account))
    check(twins)
    twins.do("liquidator", Liquidate(accounts["treasury"]))
    found = twins.event("AccountLiquidated")
    assert (found.bad_debt, found.bad_debt_insurance, found.bad_debt_pool) == (74_030 * W, 0, 74_030 * W)
    check(twins)


def test_an_empty_protocol_still_liquidates_on_both(bare_twins: Twins) -> None:
    """LIQ-8, WAT-3, L8, B9: without pool and insurance; the keeper gets what the loss brought; the rest is deficit."""
    bare_twins.configure()
    bare_twins.deposit("borrower", usd=500)
    bare_twins.deposit("trader", usd=500)
    bare_twins.do("borrower", buy(W))
    bare_twins.do("trader", buy(-W, TRADER))
    bare_twins.price(BTC=6_000)
    bare_twins.do("trader", buy(W, TRADER))
    assert bare_twins.world.protocol.ledger.pool == 0
    assert bare_twins.world.protocol.ledger.deficit > 0
    bare_twins.do("liquidator", Liquidate(BORROWER))
    found = bare_twins.event("AccountLiquidated")
    assert found.reward == 11 * W
    assert (found.bad_debt, found.bad_debt_insurance, found.bad_debt_pool) == (1_504 * W, 0, 0)
    assert bare_twins.world.protocol.ledger.deficit == 1_504 * W
    check(bare_twins)


def test_a_debt_without_a_position_on_both(twins: Twins) -> None:
    """LIQ-4, LIQ-5, WAT-2, B42: closed by its owner at a loss, then liquidated for its collateral."""
    twins.deposit("borrower", weth=4)
    twins.do("borrower", buy(W))
    twins.price(BTC=7_500)
    twins.do("borrower", buy(-W))
    assert twins.cash(BORROWER) < -500 * W
    refuse(twins, "liq/not-liquidatable", ("liquidator", Liquidate(BORROWER)))
    refuse(twins, "margin/initial", ("borrower", Withdraw(BORROWER, WETH, 2 * 10**18)))
    twins.do("borrower", Withdraw(BORROWER, WETH, 10**17))
    twins.price(ETH=140)
    assert twins.chain.contracts.account_state(BORROWER) is AccountState.LIQUIDATABLE
    twins.do("liquidator", Liquidate(BORROWER))
    check(twins)


def test_many_collaterals_and_markets_on_both(artifacts: dict[str, Artifact]) -> None:
    """WAT-2, MRG-4, GOV-3, B3, O6, S7: eight collaterals of different decimals, sold in order of id; 16 positions."""
    decimals = (18, 8, 6, 0, 2, 18, 12, 24)
    tokens = (TokenPlan("USDC", 6), *(TokenPlan(f"T{index}", places) for index, places in enumerate(decimals)))
    twins = Twins(artifacts, tokens=tokens)
    twins.configure()
    twins.fund()
    for market in range(2, 32):
        twins.do("admin", SetMarket(market, replace(market_params(market % 2, 1), min_notional=1_000 * W)))
    twins.do("admin", SetMarket(32, MARKET), refused="config/listing")
    twins.do("admin", SetCollateral(3, weth_params()), refused="config/listing")
    for token in range(2, 9):
        rows = (HaircutBracket(0, W // 2 + token, W // 4), HaircutBracket(100 * W + token, W // 3, W // 5))
        twins.do("admin", SetCollateral(token, CollateralParams(ETH, decimals[token - 1], rows)))
    twins.do("admin", SetCollateral(9, weth_params()), refused="config/listing")
    for token in range(1, 9):
        units = 2 * 10 ** decimals[token - 1] + (1 if decimals[token - 1] else 0)
        twins.do("stranger", Deposit(BORROWER, token, units))
    for market in (31, 0, 17, 5, 2, 30, 8, 9):
        odd_wei = market if market > 1 else 0
        twins.do("borrower", buy(-6 * W - odd_wei if market % 2 else 167 * LOT + odd_wei, market=market))
    check(twins)
    twins.price(BTC=6_000, ETH=200)
    twins.do("liquidator", Liquidate(BORROWER))
    sold = [event.token for event in twins.events if type(event).__name__ == "CollateralUpdated"]
    assert sold == sorted(sold)
    assert len(sold) > 1
    filled = [event.market for event in twins.events if type(event).__name__ == "PositionUpdated"]
    assert filled == [0, 2, 5, 8, 9, 17, 30, 31]
    check(twins)


# --- pool -----------------------------------------------------------------------------------------------------------


def test_pool_deposits_on_both(bare_twins: Twins) -> None:
    """LPD-1 to LPD-4, P1, S3: first and later deposits, with losses, gains and inventory; every refusal."""
    twins = bare_twins
    twins.configure()
    refuse(twins, "amount/zero", ("lender", DepositToPool(0)))
    refuse(twins, "sys/domain", ("lender", DepositToPool(2**96)), ("lender", DepositToPool(2**96 - 1)))
    twins.do("lender", DepositToPool(1))
    twins.do("stranger", DepositToPool(1_000 * DOLLAR))
    twins.do("lender", DepositToPool(10**5 * DOLLAR + 1))
    twins.deposit("borrower", usd=1_000, weth=1)
    twins.do("borrower", buy(2 * W))
    for dollars in (7_990, 8_010, 7_999):
        twins.price(BTC=dollars)
        twins.do("lender", DepositToPool(777_777_777))
    twins.price(BTC=7_300)
    twins.do("liquidator", Liquidate(BORROWER))
    assert twins.world.protocol.tokens[WETH].inventory > 0
    for answer in (20_000_000_000, 19_999_999_999):
        twins.do("poster", Push((ETH,), (answer,)))
        twins.do("stranger", DepositToPool(123_456_789))
    check(twins)
    twins.price(BTC=7_300, after=7_300)
    refuse(twins, "oracle/stale", ("lender", DepositToPool(1)))
    check(twins)


def test_a_pool_with_nothing_but_shares_on_both(bare_twins: Twins) -> None:
    """LPD-3, P4: a profit of exactly all the pool has leaves shares without value; a loss revives them."""
    twins = bare_twins
    twins.configure()
    twins.do("admin", SetMarket(BTC, replace(MARKET, fee_rate=0)))
    twins.do("lender", DepositToPool(DOLLAR))
    twins.deposit("trader", usd=1_000)
    twins.do("trader", buy(W, TRADER))
    twins.price(BTC=8_001)
    twins.do("trader", buy(-W, TRADER))
    ledger = twins.world.protocol.ledger
    assert (ledger.pool, ledger.deficit, ledger.shares) == (0, 0, W)
    refuse(twins, "pool/no-value", ("lender", DepositToPool(DOLLAR)), ("stranger", DepositToPool(1)))
    twins.do("trader", buy(W, TRADER))
    refuse(twins, "pool/no-value", ("lender", DepositToPool(DOLLAR)))
    check(twins)
    twins.do("poster", Push((BTC,), (800_099_999_999,)))
    twins.do("stranger", DepositToPool(1))
    check(twins)


def test_a_pool_with_everything_but_shares_on_both(bare_twins: Twins) -> None:
    """LPD-2, LPD-4, P4, B23: a loss paid to a pool without shares makes its first share dear, and a unit too little."""
    twins = bare_twins
    twins.configure()
    twins.deposit("trader", usd=1_000)
    twins.do("trader", buy(W, TRADER))
    twins.price(BTC=7_990)
    twins.do("trader", buy(-W, TRADER))
    assert twins.world.protocol.ledger.pool > 10 * W
    refuse(twins, "pool/no-shares", ("lender", DepositToPool(1)))
    twins.do("lender", DepositToPool(100))
    check(twins)


# --- governance and feeds -------------------------------------------------------------------------------------------


def test_governance_on_both(twins: Twins) -> None:
    """GOV-1 to GOV-4, CFG-1 to CFG-6, S3, S8: each setter, each role, each refusal and their order."""
    nobody = ("guardian", "poster", "stranger", "borrower")
    bad_risk, bad_market = replace(RISK, backstop_ratio=10_001), replace(MARKET, lot=0)
    bad_collateral = replace(weth_params(), decimals=25)
    for sender in nobody:
        refuse(
            twins,
            "role/not-admin",
            (sender, SetRisk(bad_risk)),
            (sender, SetMarket(9, bad_market)),
            (sender, SetCollateral(9, bad_collateral)),
        )
        refuse(twins, "role/not-guardian", (sender, PauseOpening(False)))
    for sender in nobody[1:]:
        refuse(twins, "role/not-guardian", (sender, PauseOpening(True)))
    for changes in (
        {"keeper_reserve": 2**96},
        {"fixed_reward": 2**96, "max_reward": 2**96},
        {"max_reward": 5 * W - 1},
        {"max_reward": 2**96},
        {"debt_cap": 2**96},
        {"backstop_ratio": 10_001},
        {"reward_cap": 10_001},
        {"insurance_fee_share": 10_001},
        {"insurance_penalty_share": 10_001},
        {"sale_discount": 10_000},
        {"margin_call_buffer": W + 1},
        {"reward_ratio": W + 1},
        {"penalty_ratio": W + 1},
        {"keeper_reserve": 2**256 - 1},
    ):
        refuse(twins, "config/risk", ("admin", SetRisk(replace(RISK, **changes))))
    refuse(twins, "config/market", ("admin", SetRisk(replace(RISK, fixed_reward=10 * W + 1, penalty_ratio=W // 40))))
    refuse(twins, "config/margin-rates", ("admin", SetRisk(replace(RISK, penalty_ratio=W // 40, sale_discount=1_001))))
    refuse(twins, "config/haircuts", ("admin", SetRisk(replace(RISK, sale_discount=1_001))))
    for market_changes in (
        {"feed": 2**16},
        {"lot": 0},
        {"lot": 2**96},
        {"min_notional": 0},
        {"min_notional": 2**96},
        {"min_notional": 500 * W - 1},
        {"fee_rate": W // 100 + 1},
        {"feed": 2**256 - 1},
    ):
        refuse(twins, "config/market", ("admin", SetMarket(9, replace(MARKET, **market_changes))))  # type: ignore[arg-type]
    first = MARKET.brackets[0]
    for rows in (
        (),
        (replace(first, lower=1),),
        (first, first),
        (first, replace(first, lower=2**96)),
        (first, replace(first, lower=5), replace(first, lower=5)),
    ):
        refuse(twins, "config/brackets", ("admin", SetMarket(9, replace(MARKET, brackets=rows))))
    cost = RISK.closing_cost_ratio
    for row in (
        MarginBracket(0, cost, W // 2),
        MarginBracket(0, W // 4, W + 1),
        MarginBracket(0, W // 10, W // 10 + cost - 1),
        MarginBracket(0, W // 4, W // 4 * 5 // 4 - 1),
        MarginBracket(0, W // 40, W // 40 + cost + W // 200 - 1),
        MarginBracket(0, 2**256 - 1, 2**256 - 1),
        MarginBracket(0, 0, 0),
        MarginBracket(0, W + 1, W),
        MarginBracket(0, 2**256 - 1, W),
    ):
        refuse(twins, "config/margin-rates", ("admin", SetMarket(9, replace(MARKET, brackets=(row,)))))
    short = MarginBracket(1, W // 25, W // 25 + cost - 1)
    for row in (MarginBracket(1, first.mm_rate, W), MarginBracket(1, W // 30, first.im_rate), short):
        refuse(twins, "config/margin-rates", ("admin", SetMarket(9, replace(MARKET, brackets=(first, row)))))
    refuse(twins, "config/listing", ("admin", SetMarket(3, MARKET)), ("admin", SetMarket(2**256 - 1, MARKET)))
    for collateral_changes in ({"feed": 2**16}, {"decimals": 25}):
        refuse(twins, "config/haircuts", ("admin", SetCollateral(9, replace(weth_params(), **collateral_changes))))  # type: ignore[arg-type]
    whole = HaircutBracket(0, W // 2, W // 2)
    for haircuts in ((), (replace(whole, lower=1),), (whole, whole), (whole, replace(whole, lower=2**96))):
        refuse(twins, "config/brackets", ("admin", SetCollateral(9, replace(weth_params(), brackets=haircuts))))
    for weights in (
        (replace(whole, im_weight=W // 2 + 1),),
        (HaircutBracket(0, W + 1, 0),),
        (whole, HaircutBracket(1, W // 2 + 1, 0)),
        (whole, HaircutBracket(1, W // 2, W // 2 + 1)),
        (replace(whole, im_weight=W // 4), HaircutBracket(1, W // 2, W // 4 + 1)),
        (HaircutBracket(0, W * 95 // 100 + 1, 0),),
        (replace(whole, im_weight=2**256 - 1),),
    ):
        refuse(twins, "config/haircuts", ("admin", SetCollateral(9, replace(weth_params(), brackets=weights))))
    for token, decimals in ((0, 18), (0, 0), (2, 18), (2**256 - 1, 18)):
        refuse(twins, "config/listing", ("admin", SetCollateral(token, replace(weth_params(), decimals=decimals))))
    refuse(twins, "config/listing", ("admin", SetCollateral(1, replace(weth_params(), decimals=8))))
    # Where no fixed reward asks for a minimum notional, there must be one all the same.
    twins.do("admin", SetRisk(replace(RISK, fixed_reward=0)))
    refuse(twins, "config/market", ("admin", SetMarket(2, replace(MARKET, min_notional=0))))
    twins.do("admin", SetMarket(2, replace(MARKET, min_notional=1)))
    check(twins)


def test_extreme_parameters_are_stored_alike_on_both(twins: Twins) -> None:
    """GOV-1 to GOV-3, CFG-1 to CFG-6, T9: every field at its ends, eight brackets and fewer again."""
    usd = 2**96 - 1
    twins.do("admin", SetRisk(replace(RISK, sale_discount=0, insurance_fee_share=0, insurance_penalty_share=10_000)))
    long_rows = tuple(HaircutBracket(0 if not k else usd - 7 + k, W - k, W - 2 * k) for k in range(8))
    twins.do("admin", SetCollateral(1, CollateralParams(2**16 - 1, 18, long_rows)))
    check(twins)
    twins.do("admin", SetCollateral(1, CollateralParams(0, 18, (HaircutBracket(0, 0, 0),))))
    rows = tuple(MarginBracket(0 if not k else usd - 7 + k, W * 7 // 10 + k, W - 7 + k) for k in range(8))
    twins.do(
        "admin",
        SetMarket(2, replace(MARKET, feed=2**16 - 1, lot=usd, min_notional=usd, fee_rate=W // 100, brackets=rows)),
    )
    check(twins)
    twins.do("admin", SetMarket(2, replace(MARKET, lot=1, fee_rate=0, brackets=rows[:1])))
    for market in (0, 1, 2):
        twins.do("admin", SetMarket(market, replace(MARKET, min_notional=usd, brackets=rows[:2])))
    zero = replace(
        RISK,
        keeper_reserve=0,
        margin_call_buffer=0,
        backstop_ratio=0,
        fixed_reward=0,
        reward_ratio=0,
        max_reward=0,
        reward_cap=0,
        penalty_ratio=0,
        debt_cap=0,
        insurance_fee_share=0,
        insurance_penalty_share=0,
        sale_discount=0,
    )
    twins.do("admin", SetRisk(zero))
    check(twins)
    full = replace(
        zero,
        keeper_reserve=usd,
        backstop_ratio=10_000,
        max_reward=usd,
        fixed_reward=W,
        reward_cap=10_000,
        debt_cap=usd,
        insurance_fee_share=10_000,
        insurance_penalty_share=10_000,
        sale_discount=9_999,
        reward_ratio=W // 10,
        penalty_ratio=W // 10,
        margin_call_buffer=W // 10,
    )
    twins.do("admin", SetRisk(full))
    check(twins)


def test_pausing_on_both(twins: Twins) -> None:
    """GOV-4, TRD-5: stop by either, resume by the admin only."""
    for sender in ("guardian", "admin"):
        twins.do(sender, PauseOpening(True))
        twins.do(sender, PauseOpening(True))
        twins.do("guardian", PauseOpening(False), refused="role/not-guardian")
        twins.do("admin", PauseOpening(False))
    check(twins)


def test_feeds_on_both(bare_twins: Twins) -> None:
    """ORC-1, ORC-4, ORC-5, S3: creating, configuring, pushing; each refusal and their order; every round read back."""
    twins = bare_twins
    refuse(twins, "role/not-admin", ("poster", SetFeed(5, 19, 0)), ("stranger", SetFeed(0, 8, 60)))
    refuse(twins, "oracle/unknown-feed", ("admin", SetFeed(1, 19, 0)), ("admin", SetFeed(2**256 - 1, 8, 60)))
    refuse(
        twins,
        "oracle/config",
        ("admin", SetFeed(0, 19, 60)),
        ("admin", SetFeed(0, 8, 59)),
        ("admin", SetFeed(0, 8, 259_201)),
    )
    refuse(twins, "oracle/config", ("admin", SetFeed(0, 2**256 - 1, 60)), ("admin", SetFeed(0, 8, 2**256 - 1)))
    twins.do("admin", SetFeed(0, 18, 60))
    twins.do("admin", SetFeed(1, 0, 259_200))
    refuse(twins, "oracle/config", ("admin", SetFeed(0, 17, 60)), ("admin", SetFeed(1, 1, 60)))
    for feed in range(2, 64):
        twins.do("admin", SetFeed(feed, feed % 19, 3_600))
    refuse(twins, "oracle/unknown-feed", ("admin", SetFeed(64, 8, 60)))
    refuse(twins, "role/not-poster", ("admin", Push((), ())), ("stranger", Push((0,), (1,))))
    refuse(
        twins,
        "oracle/malformed-push",
        ("poster", Push((), ())),
        ("poster", Push((), (1,))),
        ("poster", Push((70,), ())),
    )
    refuse(
        twins,
        "oracle/malformed-push",
        ("poster", Push((0, 0), (1, 1))),
        ("poster", Push((1, 0), (1, 2**127))),
        ("poster", Push((0, 1), (1,))),
    )
    refuse(twins, "oracle/unknown-feed", ("poster", Push((64,), (2**127,))), ("poster", Push((0, 2**256 - 1), (1, 1))))
    refuse(
        twins,
        "sys/domain",
        ("poster", Push((0,), (2**127,))),
        ("poster", Push((0, 1, 1), (1, -(2**127) - 1, 1))),
        ("poster", Push((0,), (-(2**255),))),
    )
    for answer in (0, -1, 1, 2**127 - 1, -(2**127), 10**18):
        twins.do("poster", Push((0, 1, 63), (answer, -answer - 1, answer)))
    twins.do("poster", Push(tuple(range(64)), tuple(range(1, 65))))
    twins.do("admin", SetFeed(0, 18, 61))
    twins.check_states()
    for feed in (0, 1, 2):
        check_rounds(twins, feed)


def check_rounds(twins: Twins, feed: int) -> None:
    """ORC-1: what a feed's own contract answers is what the model's readers get, unknown rounds included."""
    model = twins.world.oracle.feeds[feed]
    if feed < len(twins.chain.deployment.feeds):
        node, contract = twins.chain.contracts.node, twins.chain.deployment.feeds[feed]
        kinds = ["uint80", "int256", "uint256", "uint256", "uint80"]
        for number in range(model.latest_round + 2):
            data = keccak(text="getRoundData(uint80)")[:4] + encode(["uint80"], [number])
            try:
                found: Any = get_round_data(model, number)
            except UnknownRound:
                with pytest.raises(Reverted) as reverted:
                    node.call(contract, data)
                assert reverted.value.reason == "oracle/unknown-round"
                continue
            assert decode(kinds, node.call(contract, data)) == (
                found.round_id,
                found.answer,
                found.started_at,
                found.updated_at,
                found.answered_in_round,
            )
        newest = latest_round_data(model)
        answer = decode(kinds, node.call(contract, keccak(text="latestRoundData()")[:4]))
        assert answer[:2] == (newest.round_id, newest.answer)


def test_a_feed_without_a_round_on_both(bare_twins: Twins) -> None:
    """ORC-1: refused before the first push."""
    twins = bare_twins
    twins.do("admin", SetFeed(0, 8, 60))
    node, contract = twins.chain.contracts.node, twins.chain.deployment.feeds[0]
    with pytest.raises(UnknownRound):
        latest_round_data(twins.world.oracle.feeds[0])
    for call in ("latestRoundData()", "decimals()"):
        data = keccak(text=call)[:4]
        if call == "decimals()":
            assert decode(["uint8"], node.call(contract, data)) == (8,)
        else:
            with pytest.raises(Reverted) as reverted:
                node.call(contract, data)
            assert reverted.value.reason == "oracle/unknown-round"


def test_nine_brackets_are_refused_alike(twins: Twins) -> None:
    """CFG-6, S3: one bracket more than fits is config/brackets on both."""
    rows = tuple(MarginBracket(k, W // 40 + k, W // 20 + 2 * k) for k in range(9))
    twins.do("admin", SetMarket(2, replace(MARKET, brackets=rows)), refused="config/brackets")
    haircuts = tuple(HaircutBracket(k, W // 2, W // 2) for k in range(9))
    twins.do("admin", SetCollateral(1, replace(weth_params(), brackets=haircuts)), refused="config/brackets")


def test_a_push_of_more_feeds_than_there_can_be_is_refused_alike(twins: Twins) -> None:
    """ORC-4, S3: 65 feeds in one push cannot all exist."""
    twins.do("poster", Push(tuple(range(65)), (1,) * 65), refused="oracle/unknown-feed")


# --- completeness ---------------------------------------------------------------------------------------------------

CONTRACTS_ONLY = {"token/transfer-failed", "token/amount-mismatch"}  # tests/contracts_py/test_tokens.py


@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_every_refusal_is_reached_by_the_model_and_by_both(code: str) -> None:
    """S3, O5, B32: no code is left without a test of the model and one of the contracts."""
    tests = Path(__file__).parents[1]
    folders = ("contracts_py",) if code in CONTRACTS_ONLY else ("lockstep",)
    if code not in CONTRACTS_ONLY:
        model = "".join(
            path.read_text("utf-8") for folder in ("protocol", "oracle") for path in (tests / folder).glob("*.py")
        )
        assert f'"{code}"' in model
    both = "".join(path.read_text("utf-8") for folder in folders for path in (tests / folder).glob("*.py"))
    assert f'"{code}"' in both
