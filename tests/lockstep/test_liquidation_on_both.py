"""Liquidations through both twins: who may, how much is closed, what is paid, who bears the loss."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts_py.compile import Artifact
from contracts_py.deploy import TokenPlan
from contracts_py.keys import address_of
from oracle.feeds import Push
from protocol.account_state import AccountState
from protocol.actions import Deposit, FlagAccount, Liquidate, MarginCall, SetCollateral, SetMarket, SetRisk, Withdraw
from protocol.params import CollateralParams, HaircutBracket
from protocol.state import account_id
from protocol.units import W
from tests.lockstep.both import (
    BORROWER,
    LIQUIDATOR,
    LOT,
    MARKET,
    PLAIN,
    STRANGER,
    TRADER,
    buy,
    check,
    measure,
    named,
    position,
    refuse,
    standing,
)
from tests.twins import BTC, ETH, RISK, WETH, Twins, market_params, weth_params


def test_liquidations_on_both(twins: Twins) -> None:
    """LIQ-1 to LIQ-8, WAT-1 to WAT-3, S3: in part, with a sale, bankrupt; new keeper and old; refusals in order."""
    twins.deposit("borrower", usd=450)
    twins.deposit("trader", usd=100, weth=2)
    twins.deposit("stranger", usd=460)
    twins.do("borrower", buy(W))
    twins.do("trader", buy(W, TRADER))
    twins.do("stranger", buy(-W, STRANGER))
    refuse(twins, "account/unknown", ("liquidator", Liquidate(BORROWER + 1)), ("liquidator", Liquidate(LIQUIDATOR)))
    refuse(twins, "liq/not-liquidatable", ("liquidator", Liquidate(BORROWER)), ("liquidator", Liquidate(TRADER)))
    twins.do("borrower", Liquidate(BORROWER), refused="liq/self", after=7_300)
    refuse(twins, "liq/not-liquidatable", ("liquidator", Liquidate(BORROWER)))
    twins.price(BTC=7_750, ETH=200)
    for name, account in (("borrower", BORROWER), ("trader", TRADER)):
        twins.do(name, Liquidate(account), refused="liq/self")
    twins.do("liquidator", Liquidate(BORROWER))
    found = twins.event("AccountLiquidated")
    assert (found.account_state, found.bad_debt) == (AccountState.LIQUIDATABLE, 0)
    assert 0 < position(twins, BORROWER).size < W
    refuse(twins, "liq/not-liquidatable", ("liquidator", Liquidate(BORROWER)))
    twins.price(BTC=7_550)
    twins.do("liquidator", Liquidate(TRADER))
    assert twins.world.protocol.tokens[WETH].inventory > 0
    check(twins)
    twins.price(BTC=9_000)
    twins.do("liquidator", Liquidate(STRANGER))
    found = twins.event("AccountLiquidated")
    assert (found.account_state, found.reward_from_account, found.penalty) == (AccountState.BANKRUPT, 0, 0)
    assert found.bad_debt > 0
    check(twins)


@pytest.mark.parametrize("side", [1, -1])
def test_a_liquidation_to_the_wei_on_both(twins: Twins, side: int) -> None:
    """LIQ-4, M3: at maintenance to the wei nobody may, a wei below anybody; both sides."""
    twins.do("admin", SetMarket(BTC, replace(PLAIN, skew_scale=2**96 - 1)))
    twins.deposit("borrower", usd=411)
    twins.do("borrower", buy(side * W))
    price = twins.chain.contracts.liquidation_price(BORROWER, BTC)
    # 18 decimals would show the wei; the feed has 8, so the border lies between two answers.
    safe = -(-price // 10**10) if side > 0 else price // 10**10
    safe += side * (price % 10**10 == 0)
    twins.do("poster", Push((BTC,), (safe,)))
    refuse(twins, "liq/not-liquidatable", ("liquidator", Liquidate(BORROWER)))
    twins.do("poster", Push((BTC,), (safe - side,)))
    twins.do("liquidator", Liquidate(BORROWER))
    check(twins)


def test_the_reward_grows_with_the_flag_on_both(twins: Twins) -> None:
    """RWD-1, RWD-2, LIQ-8, LIQ-10: from the grace on by the second, to its highest ratio; set and lifted by closes."""
    twins.do("admin", SetMarket(BTC, replace(PLAIN, window=0)))
    twins.deposit("borrower", usd=42_000)
    twins.do("borrower", buy(100 * W))
    twins.price(BTC=7_760)
    start = twins.save()
    rewards = {}
    for waited in (0, 60, 61, 500, 1_560, 1_561, 5_000):
        twins.restore(start)
        twins.do("stranger", FlagAccount(BORROWER))
        twins.do("liquidator", Liquidate(BORROWER), after=waited)
        found = twins.event("AccountLiquidated")
        rewards[waited] = (found.reward - 5 * W) * W // found.closed_notional
        check(twins)
    assert rewards[0] == rewards[60] == W // 1_000 - 1 or rewards[0] == rewards[60] == W // 1_000
    assert rewards[60] < rewards[61] < rewards[500] < rewards[1_560] == rewards[1_561] == rewards[5_000]
    # A close that leaves it below the buffer flags by itself, and the flag stays through the next.
    twins.restore(start)
    twins.do("admin", SetMarket(BTC, replace(PLAIN, window_notional=50_000 * W)))
    twins.do("liquidator", Liquidate(BORROWER))
    assert twins.event("AccountFlagged").flagged_at == twins.now
    twins.price(BTC=7_760, after=3_600)
    twins.do("liquidator", Liquidate(BORROWER))
    assert named(twins, "AccountFlagged") == []
    check(twins)


def test_the_most_a_reward_can_be_on_both(twins: Twins) -> None:
    """RWD-2, L7, B38: at most max_reward, and at most a share of what was closed or of the debt settled."""
    twins.do("admin", SetMarket(BTC, PLAIN))
    twins.do("admin", SetRisk(replace(RISK, max_reward=7 * W, reward_ratio=RISK.reward_ratio_max)))
    twins.deposit("borrower", usd=420)
    twins.do("borrower", buy(W))
    twins.price(BTC=7_690)
    twins.do("liquidator", Liquidate(BORROWER))
    assert twins.event("AccountLiquidated").reward == 7 * W
    twins.do("admin", SetRisk(RISK))
    # A debt of cents: a hundredth of it, whatever the fixed reward.
    twins.price(BTC=8_000)
    twins.do("admin", SetMarket(BTC, MARKET))
    twins.deposit("trader", weth=1)
    twins.do("trader", buy(W // 8, TRADER))
    twins.do("trader", buy(-W // 8, TRADER))
    twins.do("trader", Withdraw(TRADER, WETH, 995 * 10**15))
    debt = -twins.cash(TRADER)
    twins.price(ETH=100)
    assert standing(twins, TRADER) is AccountState.BANKRUPT
    twins.do("liquidator", Liquidate(TRADER))
    assert twins.event("AccountLiquidated").reward == debt // 100
    check(twins)


def test_flags_on_both(twins: Twins) -> None:
    """LIQ-10, STA-2, B46, S3: set below maintenance, lifted a buffer above it; each refusal in order."""
    twins.do("admin", SetMarket(BTC, PLAIN))
    twins.deposit("borrower", usd=420)
    twins.do("borrower", buy(W))
    refuse(twins, "account/unknown", ("stranger", FlagAccount(LIQUIDATOR)))
    twins.do("borrower", FlagAccount(BORROWER), refused="liq/not-liquidatable", after=7_300)
    twins.price(BTC=7_785, ETH=200)
    refuse(twins, "liq/not-liquidatable", ("stranger", FlagAccount(BORROWER)))
    twins.price(BTC=7_780)
    twins.do("borrower", FlagAccount(BORROWER))  # the owner may, too
    flagged_at = twins.now
    refuse(twins, "liq/flagged", ("stranger", FlagAccount(BORROWER)), ("borrower", FlagAccount(BORROWER)))
    # 420 - 8,000 + p - 10 >= p * 2.5 % * 1.1 from 7,804.6 on.
    for dollars, code in ((7_790, "liq/flagged"), (7_804, "liq/flagged"), (7_805, None)):
        twins.price(BTC=dollars)
        assert twins.world.protocol.accounts[BORROWER].flagged_at == flagged_at
        twins.do("stranger", FlagAccount(BORROWER), refused=code)
    assert twins.world.protocol.accounts[BORROWER].flagged_at == 0
    check(twins)


def test_margin_calls_on_both(twins: Twins) -> None:
    """MCL-1 to MCL-3, S3: once an hour above maintenance, for a fee that never liquidates; refusals in order."""
    twins.do("admin", SetMarket(BTC, PLAIN))
    twins.deposit("borrower", usd=420)
    twins.do("borrower", buy(W))
    refuse(twins, "account/unknown", ("liquidator", MarginCall(LIQUIDATOR)))
    twins.do("borrower", MarginCall(BORROWER), refused="liq/self", after=7_300)
    refuse(twins, "margin/no-call", ("liquidator", MarginCall(BORROWER)))
    twins.price(BTC=8_000, ETH=200)
    refuse(twins, "margin/no-call", ("liquidator", MarginCall(BORROWER)))
    twins.price(BTC=7_784)  # a fraction of a dollar below maintenance is at 7,784.6
    refuse(twins, "margin/no-call", ("liquidator", MarginCall(BORROWER)))
    twins.price(BTC=7_785)
    twins.do("liquidator", MarginCall(BORROWER))
    called = twins.event("MarginCalled")
    # 0.05 % of an account value of 205 dollars, less than the dollar of the parameters.
    assert called.fee == called.equity_mm * 5 // 10_000
    assert standing(twins, BORROWER) is AccountState.MARGIN_CALL
    called_at = twins.now
    twins.price(BTC=7_785, after=3_500)
    twins.now = called_at + 3_598
    refuse(twins, "margin/just-called", ("trader", MarginCall(BORROWER)))
    twins.do("liquidator", MarginCall(BORROWER))
    check(twins)
    # At the edge of maintenance the fee is what is left above it.
    price = twins.chain.contracts.liquidation_price(BORROWER, BTC)
    twins.do("poster", Push((BTC,), (price // 10**10 + 1,)), after=3_600)
    health = measure(twins, BORROWER)
    twins.do("trader", MarginCall(BORROWER), after=0)
    assert twins.event("MarginCalled").fee == health.equity_mm - health.maintenance_margin
    refuse(twins, "liq/not-liquidatable", ("liquidator", Liquidate(BORROWER)))
    check(twins)


def test_the_whole_waterfall_on_both(twins: Twins) -> None:
    """LIQ-7, WAT-3, L9: the insurance fund runs dry, then the pool pays, then there is deficit; nothing reverts."""
    twins.do("admin", SetMarket(BTC, PLAIN))
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
    assert found.bad_debt > 73_000 * W
    assert (found.bad_debt_insurance, found.bad_debt_pool) == (0, found.bad_debt)
    check(twins)


def test_an_empty_protocol_still_liquidates_on_both(bare_twins: Twins) -> None:
    """LIQ-7, RWD-5, WAT-3, L8, B9: without pool and insurance; the loss pays the keeper; the rest is deficit."""
    bare_twins.configure()
    bare_twins.do("admin", SetRisk(replace(RISK, lock_ratio=0)))
    bare_twins.do("admin", SetMarket(BTC, PLAIN))
    bare_twins.deposit("borrower", usd=500)
    bare_twins.deposit("trader", usd=500)
    bare_twins.do("borrower", buy(W))
    bare_twins.do("trader", buy(-W, TRADER))
    bare_twins.price(BTC=7_000)
    bare_twins.do("trader", buy(W, TRADER))
    assert bare_twins.world.protocol.ledger.pool == 0
    assert bare_twins.world.protocol.ledger.deficit > 999 * W
    bare_twins.price(BTC=6_000)
    bare_twins.do("liquidator", Liquidate(BORROWER))
    found = bare_twins.event("AccountLiquidated")
    assert found.reward == 11 * W
    # The loss of 2,000 has paid the deficit, the reward of 11 and a part of its own bad debt.
    assert 988 * W < found.bad_debt_pool < 990 * W
    assert bare_twins.world.protocol.ledger.deficit == found.bad_debt - found.bad_debt_pool > 510 * W
    check(bare_twins)


def test_a_debt_without_a_position_on_both(twins: Twins) -> None:
    """LIQ-4, LIQ-7, WAT-2, B42: closed by its owner at a loss, then liquidated for its collateral."""
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
    twins.do("liquidator", FlagAccount(BORROWER))
    twins.do("liquidator", Liquidate(BORROWER), after=100)
    found = twins.event("AccountLiquidated")
    assert (found.closed_notional, found.penalty) == (0, 0)
    assert found.reward > 0
    check(twins)


def test_many_collaterals_and_markets_on_both(artifacts: dict[str, Artifact]) -> None:
    """WAT-2, MRG-4, SIZ-1, GOV-3, B3, O6: eight collaterals of many decimals, sold in order of id; 16 positions."""
    decimals = (18, 8, 18, 0, 2, 18, 12, 24)
    tokens = (TokenPlan("USDC", 6), *(TokenPlan(f"T{index}", places) for index, places in enumerate(decimals)))
    twins = Twins(artifacts, tokens=tokens)
    twins.configure()
    twins.fund()
    for market in range(2, 32):
        twins.do("admin", SetMarket(market, market_params(market % 2, 1)))
    refuse(twins, "config/listing", ("admin", SetMarket(32, MARKET)), ("admin", SetCollateral(5, weth_params())))
    for token in range(4, 9):
        rows = (HaircutBracket(0, W // 2 + token, W // 4), HaircutBracket(100 * W + token, W // 3, W // 5))
        params = CollateralParams(ETH, decimals[token - 1], 400 * W, 2**95, 2**95, rows)
        twins.do("admin", SetCollateral(token, params))
    refuse(twins, "config/listing", ("admin", SetCollateral(9, weth_params())))
    for token in range(1, 9):
        units = 4 * 10 ** decimals[token - 1] + (1 if decimals[token - 1] else 0)
        if token == 2:
            units //= 40
        twins.do("stranger", Deposit(BORROWER, token, units))
    for market in (31, 0, 17, 5, 2, 30, 8, 9, 12, 14, 16, 18, 20, 22, 24, 25):
        odd_wei = market if market > 1 else 0
        size = 7 * W + odd_wei if market % 2 else 167 * LOT + odd_wei
        twins.do("borrower", buy(-size if market in {5, 17, 31} else size, market=market))
    check(twins)
    twins.price(BTC=6_000, ETH=170)
    twins.do("liquidator", Liquidate(BORROWER))
    sold = [event.token for event in named(twins, "CollateralUpdated")]
    assert sold == sorted(sold)
    assert len(sold) > 1
    assert len(named(twins, "PositionUpdated")) == 16
    check(twins)
