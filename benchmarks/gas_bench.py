"""The chain on which gas is measured: sixteen markets and eight collaterals of one price, accounts in any trouble."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from contracts_py.deploy import TokenPlan
from contracts_py.keys import address_of, private_key
from crossmargin.library import PARAMETERS
from crossmargin.parameters import load_parameters
from crossmargin.replay.chain import ChainEngine
from oracle.feeds import Push, SetFeed
from protocol.actions import Deposit, Liquidate, SetCollateral, SetMarket, SetRisk, Trade
from protocol.params import CollateralParams, MarketParams
from protocol.state import account_id
from protocol.units import W

START = 1_600_000_000
PRICE = 100
SIZE = 20 * W  # of each position: 2,000 dollars
UNITS = W // 10  # of each collateral: 10 dollars
NO_LIMIT = 2**256 - 1

REFERENCE = load_parameters(PARAMETERS.find("reference"))
MARKET = REFERENCE.markets[0].params
COLLATERAL = next(token.params for token in REFERENCE.tokens if token.params)


class Bench:
    """A chain and its clock. Every feed has the same price, and a liquidation is told at a lower one."""

    markets = 16
    collaterals = 8
    low = 95

    def __init__(self) -> None:
        tokens = [TokenPlan("USDC", 6)] + [TokenPlan(f"C{i}", 18) for i in range(1, self.collaterals + 1)]
        feeds = [f"FEED {i} / USD" for i in range(self.markets)]
        actors = ["admin", "guardian", "poster", "lender", "fresh", "keeper", "beginner"]
        self.chain = ChainEngine("eth-tester", START, tokens, feeds, actors)
        self.now = START
        for feed in range(self.markets):
            self.do("admin", SetFeed(feed, 8, 86_400))
        self.do("admin", SetRisk(REFERENCE.risk))
        for market in range(self.markets):
            self.do("admin", SetMarket(market, self.market_params(market)))
        for token in range(1, self.collaterals + 1):
            self.do("admin", SetCollateral(token, self.collateral_params(token)))
        self.push(PRICE)
        self.do("keeper", Deposit(account_id(address_of("keeper")), 0, 10**6))

    def market_params(self, feed: int) -> MarketParams:
        """The reference market over a feed."""
        return replace(MARKET, feed=feed, lot=W // 100)

    def collateral_params(self, token: int) -> CollateralParams:
        """The reference collateral over a token's feed."""
        return replace(COLLATERAL, feed=token)

    def do(self, sender: str, action: Any) -> int:
        """Gas of an action."""
        self.now += 1
        return self.chain.execute(self.now, sender, action)[1]

    def ask(self, name: str, *arguments: Any) -> int:
        """Gas of a view, sent as a transaction."""
        self.now += 1
        address, data = self.chain.contracts.encode_call(name, *arguments)
        receipt = self.chain.contracts.node.send(private_key("keeper"), address, data, self.now)
        assert receipt.succeeded, name
        return receipt.gas_used

    def push(self, price: int, count: int = markets) -> int:
        """Gas of one price for each of the first ``count`` feeds."""
        return self.do("poster", Push(tuple(range(count)), (price * 10**8,) * count))

    def open_account(self, owner: str, positions: int, collaterals: int, usd: int) -> int:
        """An account with the holdings of a case and whole dollars."""
        self.chain.fill_wallet(owner)
        self.now = self.chain.contracts.node.now
        account = account_id(address_of(owner))
        self.do(owner, Deposit(account, 0, usd * 10**6))
        for token in range(1, collaterals + 1):
            self.do(owner, Deposit(account, token, UNITS))
        for market in range(positions):
            self.do(owner, Trade(account, market, SIZE, NO_LIMIT))
        return account

    def open_troubled(self, owner: str, positions: int, collaterals: int, percent: int) -> int:
        """An account whose equity_mm above the reserve is about ``percent`` of its margin at the lower price."""
        loss = (PRICE - self.low) * SIZE // W * positions
        margin = self.low * SIZE // W * positions // 40  # the first tier: 2.5 %
        reserve, fees, counted = 10, 2 * positions, collaterals * self.low * 9 // 100
        return self.open_account(
            owner, positions, collaterals, loss + reserve + fees - counted + margin * percent // 100
        )

    def liquidate(self, keeper: str, account: int, price: int = low) -> int:
        """Gas of a liquidation at a lower price, which is taken back."""
        self.push(price)
        gas = self.do(keeper, Liquidate(account))
        self.push(PRICE)
        return gas
