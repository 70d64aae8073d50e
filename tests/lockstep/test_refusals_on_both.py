"""A short story for every refusal code, told to both twins: what leads to it, then what is refused.

Random stories reach most of these, but not each of them in every run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from contracts_py.compile import Artifact
from contracts_py.keys import address_of
from oracle.errors import REFUSALS
from oracle.feeds import Push, SetFeed, SetRateFeed
from protocol import actions
from protocol.actions import (
    AcceptAdmin,
    BuyInventory,
    CancelOrder,
    ClaimRedemption,
    CloseAll,
    CommitOrder,
    CreateIsolated,
    Deposit,
    DepositToPool,
    FlagAccount,
    FundInsurance,
    Liquidate,
    LiquidateMany,
    MarginCall,
    PauseOpening,
    ProposeAdmin,
    RequestRedemption,
    SetCollateral,
    SetGuardian,
    SetLeverageCap,
    SetMarket,
    SetOperator,
    SetOrders,
    SetRisk,
    SettleOrder,
    Transfer,
    Withdraw,
)
from protocol.params import MAX_POSITIONS, EquityTier, MarginBracket, OrderParams
from protocol.state import account_id
from protocol.trading import NO_LIMIT
from protocol.units import BPS, USDC_TO_W, W
from tests.contracts_py.test_tokens import command, refused_on_chain, twins_with
from tests.lockstep.sequences import OUTCOMES
from tests.twins import BTC, ETH, RISK, USDC, WETH, WSTETH, Twins, market_params, weth_params

Attempts = Iterator[tuple[str, Any]]
Story = Callable[[Twins], Attempts]

DOLLAR = 10**6
BORROWER, TRADER, LIQUIDATOR = (account_id(address_of(name)) for name in ("borrower", "trader", "liquidator"))
MARKET = market_params(BTC)
TIGHT = (MarginBracket(0, W // 25, W // 10),)
FREE: dict[str, Any] = {"maker_fee": 0, "taker_fee": 0, "funding_velocity": 0}
LIQUIDATABLE, CALLABLE = 7_170, 7_200  # prices at which ``long_of_one`` stands so

TOLD: dict[str, Story] = {}
FROM_THE_START = {"pool/no-shares"}  # told by twins just deployed
# Codes of contracts that the protocol does not call; tests/oracle tells them to both (see test_refusal_codes).
OF_SOURCES = {code for code, cls in REFUSALS.items() if cls.__module__ == "oracle.errors"}
# Faults that push feeds do not have; test_quoted_on_both gives them to every action.
OF_QUOTES = {
    *("oracle/future", "oracle/no-quorum", "oracle/halted", "oracle/sequencer-down", "oracle/deviated"),
    *("oracle/sequencer-grace", "oracle/market-closed", "oracle/capped", "oracle/uncertain"),
}
ELSEWHERE = {"token/transfer-failed", "token/amount-mismatch"} | OF_SOURCES | OF_QUOTES  # no story


def story(code: str) -> Callable[[Story], Story]:
    """The story that leads to a refusal; it yields what is refused with that code."""

    def keep(told: Story) -> Story:
        assert code not in TOLD
        TOLD[code] = told
        return told

    return keep


def buy(size: int, account: int = BORROWER, market: int = BTC) -> actions.Trade:
    """A trade at any price; negative is a sale."""
    return actions.Trade(account, market, size, NO_LIMIT if size > 0 else 0)


RULES = OrderParams(feed=BTC, delay=10, window=60, fee=2 * W, cancel_fee=W)
COMMIT, CANCEL = CommitOrder(BORROWER, BTC, W, NO_LIMIT), CancelOrder(BORROWER, BTC)


def order_of_one(twins: Twins) -> None:
    """An order for one BTC, the second round being the first that may be its price."""
    twins.deposit("borrower", usd=1_000)
    twins.do("admin", SetOrders(BTC, RULES))
    twins.do("borrower", COMMIT)


def long_of_one(twins: Twins) -> None:
    """A thousand dollars and one BTC bought at 8,000."""
    twins.deposit("borrower", usd=1_000)
    twins.do("borrower", buy(W))


@pytest.mark.parametrize("code", sorted(REFUSALS.keys() - ELSEWHERE))
def test_every_refusal_is_reached_on_both(twins: Twins, bare_twins: Twins, code: str) -> None:
    """S3: both twins refuse with this code, and their states stay equal."""
    both = bare_twins if code in FROM_THE_START else twins
    count = 0
    for sender, action in TOLD[code](both):
        both.do(sender, action, refused=code)
        OUTCOMES[type(action).__name__, code] += 1
        count += 1
    assert count > 0
    both.check_states()


# --- who may --------------------------------------------------------------------------------------------------------


@story("role/not-admin")
def _(twins: Twins) -> Attempts:
    yield "stranger", SetRisk(RISK)
    yield "guardian", SetMarket(BTC, MARKET)
    yield "poster", SetCollateral(WETH, weth_params())
    yield "stranger", ProposeAdmin(1)
    yield "guardian", SetGuardian(1)
    yield "poster", SetFeed(0, 8, 7_200)
    yield "stranger", SetRateFeed(4, 2, 1)
    twins.do("admin", ProposeAdmin(address_of("stranger")))
    yield "stranger", SetRisk(RISK)
    twins.do("stranger", AcceptAdmin())
    yield "admin", SetRisk(RISK)


@story("role/not-pending")
def _(twins: Twins) -> Attempts:
    yield "admin", AcceptAdmin()
    twins.do("admin", ProposeAdmin(address_of("stranger")))
    yield "guardian", AcceptAdmin()
    twins.do("stranger", AcceptAdmin())
    yield "stranger", AcceptAdmin()


@story("role/not-guardian")
def _(twins: Twins) -> Attempts:
    yield "stranger", PauseOpening(paused=True)
    yield "guardian", PauseOpening(paused=False)
    twins.do("admin", SetGuardian(address_of("stranger")))
    yield "guardian", PauseOpening(paused=True)


@story("role/not-poster")
def _(twins: Twins) -> Attempts:
    yield "admin", Push((BTC,), (1,))


@story("account/not-owner")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100)
    twins.do("borrower", SetOperator(BORROWER, address_of("trader")))
    yield "trader", Withdraw(BORROWER, USDC, 1)
    yield "trader", Transfer(BORROWER, TRADER, USDC, 1)
    yield "trader", SetOperator(BORROWER, 0)
    yield "trader", SetLeverageCap(BORROWER, BTC, W)
    yield "trader", CreateIsolated(BORROWER + 1, BTC)


@story("account/not-trader")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    yield "trader", buy(W)
    yield "trader", CloseAll(BORROWER, 0)
    twins.do("borrower", SetOperator(BORROWER, address_of("trader")))
    twins.do("trader", buy(-W // 4))
    twins.do("borrower", SetOperator(BORROWER, 0))
    yield "trader", buy(-W // 4)


@story("account/other-owner")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100)
    yield "borrower", Transfer(BORROWER, TRADER, USDC, 1)


@story("account/self-transfer")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100)
    yield "borrower", Transfer(BORROWER, BORROWER, USDC, 1)


@story("account/exists")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100)
    yield "borrower", CreateIsolated(BORROWER, BTC)
    twins.do("borrower", CreateIsolated(BORROWER + 1, BTC))
    yield "borrower", CreateIsolated(BORROWER + 1, ETH)


@story("account/isolated")
def _(twins: Twins) -> Attempts:
    twins.do("borrower", CreateIsolated(BORROWER + 1, ETH))
    twins.deposit("borrower", usd=1_000, sub=1)
    twins.deposit("borrower", weth=1)
    yield "stranger", Deposit(BORROWER + 1, WETH, 1)
    yield "borrower", Transfer(BORROWER, BORROWER + 1, WETH, 1)
    yield "borrower", buy(W, BORROWER + 1, BTC)
    twins.do("borrower", buy(10 * W, BORROWER + 1, ETH))


@story("account/no-positions")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100)
    yield "borrower", CloseAll(BORROWER, 0)


@story("account/positions")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100_000)
    for market in range(MAX_POSITIONS + 1):
        if market > ETH:
            twins.do("admin", SetMarket(market, MARKET))
        if market < MAX_POSITIONS:
            twins.do("borrower", buy(W, market=market) if market != ETH else buy(10 * W, market=market))
    yield "borrower", buy(W, market=MAX_POSITIONS)


@story("account/unknown")
def _(twins: Twins) -> Attempts:
    yield "borrower", Withdraw(BORROWER, USDC, 1)
    yield "borrower", Transfer(BORROWER, BORROWER + 1, USDC, 1)
    yield "borrower", SetOperator(BORROWER, 0)
    yield "borrower", SetLeverageCap(BORROWER, BTC, 0)
    yield "borrower", buy(W)
    yield "borrower", CloseAll(BORROWER, 0)
    yield "liquidator", MarginCall(BORROWER)
    yield "liquidator", FlagAccount(BORROWER)
    yield "liquidator", Liquidate(BORROWER)


@story("account/no-owner")
def _(twins: Twins) -> Attempts:
    yield "borrower", Deposit(7, USDC, 1)


# --- amounts, markets, tokens ---------------------------------------------------------------------------------------


@story("sys/domain")
def _(twins: Twins) -> Attempts:
    yield "borrower", Deposit(BORROWER, USDC, 2**96)
    yield "lender", DepositToPool(2**96)
    yield "treasury", FundInsurance(2**256 - 1)
    yield "poster", Push((BTC,), (2**127,))
    twins.deposit("borrower", usd=100)
    yield "borrower", buy(2**96)
    yield "borrower", SetLeverageCap(BORROWER, BTC, 2**80)


@story("amount/zero")
def _(twins: Twins) -> Attempts:
    yield "borrower", Deposit(BORROWER, USDC, 0)
    yield "lender", DepositToPool(0)
    yield "treasury", FundInsurance(0)
    yield "stranger", BuyInventory(WETH, 0, DOLLAR)
    twins.deposit("borrower", usd=100)
    yield "borrower", Withdraw(BORROWER, USDC, 0)
    yield "borrower", Transfer(BORROWER, BORROWER + 1, USDC, 0)
    yield "borrower", buy(0)
    twins.do("lender", RequestRedemption(1))
    twins.now += RISK.redemption_delay
    yield "lender", ClaimRedemption()  # worth less than a unit


@story("market/unknown")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100)
    yield "borrower", buy(W, market=2)
    yield "borrower", SetLeverageCap(BORROWER, 2, W)
    yield "borrower", CreateIsolated(BORROWER + 1, 2)


@story("token/unknown")
def _(twins: Twins) -> Attempts:
    yield "borrower", Deposit(BORROWER, WSTETH + 1, 1)
    yield "stranger", BuyInventory(WSTETH + 1, 1, DOLLAR)


@story("market/lot")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100)
    yield "borrower", buy(MARKET.lot + 1)


@story("market/min-notional")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    yield "borrower", buy(-W * 9 // 10)
    yield "borrower", buy(4 * W, market=ETH)


@story("market/premium")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=10**7)
    yield "borrower", buy(1_000 * W + MARKET.lot)


@story("market/skew-cap")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetMarket(BTC, replace(MARKET, skew_cap=W)))
    twins.deposit("borrower", usd=10_000)
    yield "borrower", buy(W + MARKET.lot)
    yield "borrower", buy(-W - MARKET.lot)


@story("market/oi-cap")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetMarket(BTC, replace(MARKET, oi_cap=W)))
    twins.deposit("borrower", usd=10_000)
    yield "borrower", buy(W + MARKET.lot)
    twins.do("admin", SetMarket(BTC, replace(MARKET, oi_cap_usd=8_000 * W)))
    yield "borrower", buy(W + MARKET.lot)


@story("market/opening-paused")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    twins.do("guardian", PauseOpening(paused=True))
    yield "borrower", buy(W // 2)
    yield "borrower", buy(-2 * W)
    twins.do("borrower", buy(-W // 2))


@story("trade/price")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=1_000)
    yield "borrower", replace(buy(W), acceptable_price=8_000 * W)  # impact is on top
    twins.do("borrower", buy(W))
    yield "borrower", CloseAll(BORROWER, 1_000 * W)
    twins.deposit("trader", weth=35)
    twins.do("trader", buy(W, TRADER))
    twins.price(BTC=1_000)
    twins.do("liquidator", Liquidate(TRADER))
    assert twins.world.protocol.tokens[WETH].inventory > 10**18
    yield "stranger", BuyInventory(WETH, 10**18, 195 * DOLLAR - 1)  # 200 less half of 5 %


@story("token/account-cap")
def _(twins: Twins) -> Attempts:
    cap = weth_params().account_cap
    yield "borrower", Deposit(BORROWER, WETH, cap + 1)
    twins.do("borrower", Deposit(BORROWER, WETH, cap))
    twins.do("borrower", Deposit(BORROWER + 1, WETH, 1))
    yield "borrower", Transfer(BORROWER + 1, BORROWER, WETH, 1)


@story("token/global-cap")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetCollateral(WETH, replace(weth_params(), global_cap=10**18)))
    twins.deposit("borrower", weth=1)
    yield "trader", Deposit(TRADER, WETH, 1)


@story("vault/negative-cash")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100, weth=100)
    yield "borrower", Withdraw(BORROWER, USDC, 100 * DOLLAR + 1)
    yield "borrower", Transfer(BORROWER, BORROWER + 1, USDC, 100 * DOLLAR + 1)


@story("vault/insufficient-units")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=100, weth=1)
    yield "borrower", Withdraw(BORROWER, WETH, 10**18 + 1)
    yield "borrower", Transfer(BORROWER, BORROWER + 1, WETH, 10**18 + 1)


def win_more_than_there_is(twins: Twins) -> None:
    """A profit of 2.2 million, of which the pool has one."""
    twins.deposit("borrower", usd=100_000)
    twins.do("borrower", buy(100 * W))
    twins.price(BTC=30_000)
    twins.do("borrower", buy(-100 * W))


@story("vault/insufficient-cash")
def _(twins: Twins) -> Attempts:
    win_more_than_there_is(twins)
    yield "borrower", Withdraw(BORROWER, USDC, twins.cash(BORROWER) // USDC_TO_W)


# --- margin ---------------------------------------------------------------------------------------------------------


@story("margin/initial")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=1_000)
    yield "borrower", buy(3 * W)
    twins.do("borrower", buy(W))
    yield "borrower", Withdraw(BORROWER, USDC, 900 * DOLLAR)
    yield "borrower", Transfer(BORROWER, BORROWER + 1, USDC, 900 * DOLLAR)
    yield "borrower", SetLeverageCap(BORROWER, BTC, W)


@story("margin/equity-tier")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=1_000)
    twins.do("admin", SetRisk(replace(RISK, equity_tiers=(EquityTier(0, W),))))
    yield "borrower", buy(W // 2)


@story("margin/no-call")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    yield "liquidator", MarginCall(BORROWER)
    twins.price(BTC=LIQUIDATABLE)
    yield "liquidator", MarginCall(BORROWER)


@story("margin/just-called")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    twins.price(BTC=CALLABLE)
    twins.do("liquidator", MarginCall(BORROWER))
    yield "liquidator", MarginCall(BORROWER)
    twins.now += 3_597  # the third second is the attempt's
    yield "trader", MarginCall(BORROWER)
    twins.do("trader", MarginCall(BORROWER))


@story("margin/reduce")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetMarket(BTC, replace(MARKET, skew_scale=5 * W, max_premium=10_000)))
    twins.deposit("borrower", usd=10_000)
    twins.deposit("trader", usd=10_000)
    twins.do("borrower", buy(W))
    twins.do("trader", buy(-W, TRADER))
    yield "borrower", buy(-W // 2)  # its impact is twice the margin it frees
    twins.do("borrower", Withdraw(BORROWER, USDC, 8_000 * DOLLAR))
    twins.price(BTC=6_900)
    yield "borrower", CloseAll(BORROWER, -(10**30))  # would leave an account without position and below zero


@story("margin/debt-cap")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetRisk(replace(RISK, debt_cap=0)))
    twins.deposit("borrower", weth=100)
    yield "borrower", buy(W)


# --- liquidation ----------------------------------------------------------------------------------------------------


@story("liq/not-liquidatable")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    twins.price(BTC=CALLABLE)
    yield "liquidator", Liquidate(BORROWER)
    yield "liquidator", FlagAccount(BORROWER)


@story("liq/flagged")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    twins.price(BTC=LIQUIDATABLE)
    twins.do("liquidator", FlagAccount(BORROWER))
    yield "liquidator", FlagAccount(BORROWER)
    twins.price(BTC=CALLABLE)
    yield "stranger", FlagAccount(BORROWER)
    twins.price(BTC=8_000)
    twins.do("stranger", FlagAccount(BORROWER))


@story("liq/rate-limit")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetMarket(2, replace(MARKET, lot=W, window_notional=1_000 * W)))  # less than a lot
    twins.deposit("borrower", usd=1_000)
    twins.do("borrower", buy(W, market=2))
    twins.price(BTC=LIQUIDATABLE)
    yield "liquidator", Liquidate(BORROWER)
    twins.price(BTC=7_000)  # BACKSTOP is not held up
    twins.do("liquidator", Liquidate(BORROWER))


@story("liq/self")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    twins.price(BTC=CALLABLE)
    yield "borrower", MarginCall(BORROWER)
    twins.price(BTC=LIQUIDATABLE)
    yield "borrower", Liquidate(BORROWER)


@story("liq/batch")
def _(twins: Twins) -> Attempts:
    yield "liquidator", LiquidateMany((BORROWER,) * 33)
    twins.do("liquidator", LiquidateMany((BORROWER,) * 32))


# --- pool -----------------------------------------------------------------------------------------------------------


@story("pool/reserved")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetRisk(replace(RISK, lock_ratio=10_000)))
    twins.deposit("borrower", usd=10**6)
    yield "borrower", buy(126 * W)
    twins.do("borrower", buy(100 * W))
    twins.do("lender", RequestRedemption(twins.world.protocol.ledger.shares))
    twins.now += RISK.redemption_delay
    yield "lender", ClaimRedemption()


@story("pool/insufficient-shares")
def _(twins: Twins) -> Attempts:
    yield "stranger", RequestRedemption(0)
    yield "lender", RequestRedemption(twins.world.protocol.ledger.shares + 1)


@story("pool/no-request")
def _(twins: Twins) -> Attempts:
    yield "lender", ClaimRedemption()
    twins.do("lender", RequestRedemption(W))
    twins.do("lender", RequestRedemption(0))
    yield "lender", ClaimRedemption()


@story("pool/too-early")
def _(twins: Twins) -> Attempts:
    twins.do("lender", RequestRedemption(W))
    twins.now += RISK.redemption_delay - 2
    yield "lender", ClaimRedemption()
    twins.do("lender", ClaimRedemption())


@story("pool/expired")
def _(twins: Twins) -> Attempts:
    twins.do("lender", RequestRedemption(W))
    twins.now += RISK.redemption_delay + RISK.redemption_window
    yield "lender", ClaimRedemption()


@story("pool/inventory")
def _(twins: Twins) -> Attempts:
    yield "stranger", BuyInventory(WETH, 1, DOLLAR)
    yield "stranger", BuyInventory(USDC, 1, DOLLAR)


@story("pool/deficit")
def _(twins: Twins) -> Attempts:
    win_more_than_there_is(twins)
    yield "lender", DepositToPool(DOLLAR)
    twins.do("lender", RequestRedemption(W))
    twins.now += RISK.redemption_delay
    yield "lender", ClaimRedemption()


@story("pool/no-value")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetMarket(BTC, replace(MARKET, **FREE, rebate_ratio=BPS)))
    twins.deposit("borrower", usd=100_000)
    twins.deposit("trader", usd=10_000)
    twins.do("borrower", buy(100 * W))
    twins.do("trader", buy(W, TRADER))  # keeps the market's impact from the pool
    twins.price(BTC=18_000)
    twins.do("borrower", buy(-100 * W))
    ledger = twins.world.protocol.ledger
    assert (ledger.pool, ledger.deficit) == (0, 0)  # the profit was the whole pool
    yield "lender", DepositToPool(DOLLAR)


@story("pool/no-shares")
def _(twins: Twins) -> Attempts:
    twins.configure()
    twins.do("admin", SetRisk(replace(RISK, lock_ratio=0)))
    twins.do("lender", DepositToPool(1))
    twins.deposit("borrower", usd=2 * 10**6)
    twins.do("borrower", buy(200 * W))
    twins.price(BTC=2_000)
    twins.do("borrower", buy(-200 * W))
    yield "stranger", DepositToPool(1)  # the share unit has come to be worth more


# --- prices ---------------------------------------------------------------------------------------------------------


def need_a_price() -> Attempts:
    """Actions of ``long_of_one``'s people that need BTC's price."""
    yield "borrower", buy(W // 2)
    yield "borrower", buy(-W // 2)
    yield "borrower", CloseAll(BORROWER, -(10**30))
    yield "borrower", Withdraw(BORROWER, USDC, 1)
    yield "borrower", SetLeverageCap(BORROWER, BTC, 2 * W)
    yield "lender", DepositToPool(DOLLAR)
    yield "admin", SetMarket(BTC, replace(MARKET, funding_cap=W // 100))


@story("oracle/unavailable")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetFeed(4, 8, 7_200))
    twins.do("admin", SetMarket(2, market_params(4)))
    twins.deposit("borrower", usd=1_000)
    yield "borrower", buy(W, market=2)


@story("oracle/non-positive")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    twins.do("poster", Push((BTC,), (0,)))
    yield from need_a_price()
    twins.do("poster", Push((BTC,), (-1,)))
    yield "borrower", buy(W)


@story("oracle/out-of-bounds")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    twins.do("poster", Push((BTC,), (2**96 // 10**10 + 1,)))
    yield from need_a_price()


@story("oracle/stale")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    twins.now += 7_200
    for sender, action in need_a_price():
        if not isinstance(action, SetMarket):
            yield sender, action


@story("oracle/unknown-feed")
def _(twins: Twins) -> Attempts:
    yield "poster", Push((4,), (1,))
    yield "poster", Push((3,), (1,))  # a rate feed has no rounds
    yield "admin", SetFeed(5, 8, 7_200)
    yield "admin", SetRateFeed(3, 2, 1)


@story("oracle/malformed-push")
def _(twins: Twins) -> Attempts:
    yield "poster", Push((), ())
    yield "poster", Push((BTC,), (1, 2))
    yield "poster", Push((ETH, BTC), (1, 2))
    yield "poster", Push((ETH, ETH), (1, 2))


@story("oracle/config")
def _(twins: Twins) -> Attempts:
    yield "admin", SetFeed(4, 19, 7_200)
    yield "admin", SetFeed(4, 8, 59)
    yield "admin", SetFeed(4, 8, 3 * 86_400 + 1)
    yield "admin", SetFeed(BTC, 9, 7_200)
    yield "admin", SetFeed(3, 18, 7_200)
    yield "admin", SetRateFeed(4, 3, 1)
    yield "admin", SetRateFeed(4, 2, 4)


# --- configuration --------------------------------------------------------------------------------------------------


@story("config/risk")
def _(twins: Twins) -> Attempts:
    yield "admin", SetRisk(replace(RISK, sale_discount=10_000))
    yield "admin", SetRisk(replace(RISK, max_reward=RISK.fixed_reward - 1))


@story("config/brackets")
def _(twins: Twins) -> Attempts:
    yield "admin", SetRisk(replace(RISK, equity_tiers=()))
    yield "admin", SetMarket(BTC, replace(MARKET, brackets=MARKET.brackets[1:]))
    yield "admin", SetMarket(BTC, replace(MARKET, brackets=MARKET.brackets[:1] * 2))
    yield "admin", SetCollateral(WETH, replace(weth_params(), brackets=()))


@story("config/margin-rates")
def _(twins: Twins) -> Attempts:
    yield "admin", SetMarket(BTC, replace(MARKET, brackets=(MarginBracket(0, W // 100, W // 20),)))
    yield "admin", SetRisk(replace(RISK, penalty_ratio=W // 40))


@story("config/funding")
def _(twins: Twins) -> Attempts:
    yield "admin", SetMarket(BTC, replace(MARKET, funding_cap=W + 1))


@story("config/equity-tiers")
def _(twins: Twins) -> Attempts:
    yield "admin", SetRisk(replace(RISK, equity_tiers=(EquityTier(0, W), EquityTier(W, 2 * W))))


@story("config/phase-in")
def _(twins: Twins) -> Attempts:
    twins.do("admin", SetMarket(BTC, replace(MARKET, brackets=TIGHT)))
    yield "admin", SetMarket(BTC, MARKET)
    softer = replace(weth_params(), brackets=weth_params().brackets[:1])
    twins.do("admin", SetCollateral(WETH, softer))
    yield "admin", SetCollateral(WETH, weth_params())
    twins.price(after=RISK.phase_in, BTC=8_000)
    twins.do("admin", SetMarket(BTC, MARKET))
    twins.do("admin", SetCollateral(WETH, weth_params()))


@story("config/haircuts")
def _(twins: Twins) -> Attempts:
    yield "admin", SetRisk(replace(RISK, sale_discount=1_001))
    yield "admin", SetCollateral(WETH, replace(weth_params(), account_cap=2**96))


@story("config/market")
def _(twins: Twins) -> Attempts:
    yield "admin", SetMarket(BTC, replace(MARKET, taker_fee=W // 100 + 1))
    yield "admin", SetMarket(BTC, replace(MARKET, min_notional=499 * W))
    yield "admin", SetRisk(replace(RISK, reward_cap=49))


@story("config/orders")
def _(twins: Twins) -> Attempts:
    yield "admin", SetOrders(BTC, replace(RULES, delay=3_601))
    yield "admin", SetOrders(BTC, replace(RULES, cancel_fee=3 * W))


@story("order/commit-only")
def _(twins: Twins) -> Attempts:
    long_of_one(twins)
    twins.do("admin", SetOrders(BTC, RULES))
    yield "borrower", buy(-W)
    yield "borrower", CloseAll(BORROWER, 0)


@story("order/instant-only")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=1_000)
    yield "borrower", COMMIT


@story("order/pending")
def _(twins: Twins) -> Attempts:
    order_of_one(twins)
    yield "borrower", COMMIT
    yield "borrower", Withdraw(BORROWER, USDC, 1)
    yield "borrower", Transfer(BORROWER, BORROWER + 1, USDC, 1)
    yield "borrower", SetLeverageCap(BORROWER, BTC, W)
    yield "borrower", buy(10 * W, market=ETH)


@story("order/fee")
def _(twins: Twins) -> Attempts:
    twins.deposit("borrower", usd=1)
    twins.do("admin", SetOrders(BTC, RULES))
    yield "borrower", COMMIT


@story("order/none")
def _(twins: Twins) -> Attempts:
    yield "liquidator", SettleOrder(BORROWER, BTC, 1)
    yield "liquidator", CANCEL


@story("order/too-early")
def _(twins: Twins) -> Attempts:
    order_of_one(twins)
    yield "liquidator", SettleOrder(BORROWER, BTC, 1)


@story("order/expired")
def _(twins: Twins) -> Attempts:
    order_of_one(twins)
    twins.price(BTC=8_000, after=71)
    yield "liquidator", SettleOrder(BORROWER, BTC, 2)


@story("order/not-expired")
def _(twins: Twins) -> Attempts:
    order_of_one(twins)
    yield "borrower", CANCEL


@story("oracle/not-first")
def _(twins: Twins) -> Attempts:
    order_of_one(twins)
    twins.price(BTC=8_000, after=10)
    twins.price(BTC=8_001)
    yield "liquidator", SettleOrder(BORROWER, BTC, 1)
    yield "liquidator", SettleOrder(BORROWER, BTC, 3)


@story("oracle/unknown-round")
def _(twins: Twins) -> Attempts:
    order_of_one(twins)
    twins.price(BTC=8_000, after=10)
    yield "liquidator", SettleOrder(BORROWER, BTC, 0)
    yield "liquidator", SettleOrder(BORROWER, BTC, 3)


@story("config/listing")
def _(twins: Twins) -> Attempts:
    yield "admin", SetMarket(3, MARKET)
    yield "admin", SetMarket(BTC, replace(MARKET, feed=ETH))
    yield "admin", SetMarket(BTC, replace(MARKET, lot=MARKET.lot * 2))
    yield "admin", SetCollateral(USDC, weth_params())
    yield "admin", SetCollateral(WSTETH + 1, weth_params())
    yield "admin", SetCollateral(WETH, replace(weth_params(), decimals=8))


# --- codes that no action of the model has --------------------------------------------------------------------------


def test_a_token_that_fails_is_refused_by_the_contracts(twins: Twins) -> None:
    """DEP-3: the model knows no token contracts, so only the chain can find out that a sender has nothing."""
    assert refused_on_chain(twins, "penniless", Deposit(BORROWER, USDC, 1)) == "token/transfer-failed"
    OUTCOMES["Deposit", "token/transfer-failed"] += 1


def test_a_token_that_takes_a_fee_is_refused_by_the_contracts(artifacts: dict[str, Artifact]) -> None:
    """DEP-3: the vault received less than it was told."""
    hostile = twins_with("HostileToken", artifacts)
    command(hostile, USDC, "misbehave(uint256,bool,bool)", 1, False, False)
    assert refused_on_chain(hostile, "borrower", Deposit(BORROWER, USDC, 1_000)) == "token/amount-mismatch"
    OUTCOMES["Deposit", "token/amount-mismatch"] += 1
