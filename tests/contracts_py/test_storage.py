"""What lies in storage and neither a view nor the state read back would show (specs/storage.md)."""

from __future__ import annotations

from dataclasses import replace

from contracts_py.keys import address_of
from contracts_py.storage import Storage
from protocol.actions import (
    CloseAll,
    CreateIsolated,
    DepositToPool,
    Liquidate,
    MarginCall,
    SetCollateral,
    SetLeverageCap,
    SetMarket,
    SetRisk,
    Trade,
    Transfer,
    Withdraw,
)
from protocol.params import MAX_BRACKETS
from protocol.state import RING, account_id
from protocol.trading import NO_LIMIT
from protocol.units import W
from tests.twins import BTC, ETH, RISK, USDC, WETH, Twins, market_params, weth_params

BORROWER, KEEPER = account_id(address_of("borrower")), account_id(address_of("liquidator"))
PREPARED = 1 << 255


def open_storage(twins: Twins) -> Storage:
    """The storage of the protocol's one address."""
    chain = twins.chain
    layout = chain._artifacts["CrossMargin"].layout["storage_layout"]["storage"]
    return Storage(chain.contracts.node.storage(chain.deployment.protocol), layout)


def test_accounts_and_owners_of_shares_are_listed_once(twins: Twins) -> None:
    for owner in ("lender", "stranger", "lender", "stranger"):
        twins.do(owner, DepositToPool(10**6))
        twins.deposit(owner, usd=1_000, weth=1)
    twins.do("borrower", CreateIsolated(BORROWER + 1, BTC))
    twins.deposit("borrower", usd=500, sub=1)
    twins.deposit("borrower", usd=500)
    twins.do("borrower", Transfer(BORROWER, BORROWER + 2, USDC, 1))
    twins.do("borrower", Trade(BORROWER, BTC, W, NO_LIMIT))
    twins.price(BTC=7_730)
    twins.do("liquidator", MarginCall(BORROWER))
    twins.price(BTC=7_000)
    twins.do("liquidator", Liquidate(BORROWER))
    storage, state = open_storage(twins), twins.world.protocol
    assert KEEPER in state.accounts
    for ids, count, known in (
        ("treasury.share_owners", "treasury.share_owner_count", state.stakes),
        ("accounts.account_ids", "accounts.account_count", state.accounts),
    ):
        assert [storage.entry(ids, index) for index in range(storage.word(count))] == list(known)


def test_fewer_brackets_leave_nothing_of_the_old_ones(twins: Twins) -> None:
    market, collateral = market_params(BTC), weth_params()
    assert min(len(market.brackets), len(collateral.brackets), len(RISK.equity_tiers)) > 1
    twins.do("admin", SetMarket(BTC, replace(market, brackets=market.brackets[:1])))
    twins.do("admin", SetCollateral(WETH, replace(collateral, brackets=collateral.brackets[:1])))
    twins.do("admin", SetRisk(replace(RISK, equity_tiers=RISK.equity_tiers[:1])))
    twins.price(BTC=8_000, ETH=200, after=RISK.phase_in)
    storage = open_storage(twins)
    rates, weights = market.brackets[0], collateral.brackets[0]
    for name, index, row in (
        ("parameters.margin_brackets", BTC, rates.mm_rate << 96 | rates.im_rate << 32),
        ("parameters.haircut_brackets", WETH, weights.mm_weight << 96 | weights.im_weight << 32),
        ("parameters.equity_tiers", 0, RISK.equity_tiers[0].leverage),
    ):
        rows = [storage.word(name, index * MAX_BRACKETS + k) for k in range(MAX_BRACKETS)]
        assert rows == [row] + [0] * (MAX_BRACKETS - 1)
    # The next change phases out a single row, and the longer phase before it leaves none behind.
    twins.do("admin", SetMarket(BTC, market))
    twins.do("admin", SetCollateral(WETH, collateral))
    for name, index in (("parameters.phase_brackets", BTC), ("parameters.haircut_phases", WETH)):
        assert {storage.word(name, index * MAX_BRACKETS + k) for k in range(1, MAX_BRACKETS)} == {0}


def test_what_was_closed_and_withdrawn_leaves_nothing(twins: Twins) -> None:
    twins.deposit("borrower", usd=5_000, weth=3)
    twins.do("borrower", SetLeverageCap(BORROWER, BTC, 7 * W))
    for market, size in ((BTC, W), (ETH, 10 * W)):
        twins.do("borrower", Trade(BORROWER, market, size, NO_LIMIT))
    twins.price(BTC=8_000, ETH=200, after=86_400)
    twins.do("borrower", CloseAll(BORROWER, 0))
    twins.do("borrower", Withdraw(BORROWER, WETH, 3 * 10**18))
    storage = open_storage(twins)
    for market, cap in ((BTC, 7 * W), (ETH, 0)):
        assert storage.entry("accounts.positions", BORROWER, market) == 0
        assert storage.entry("accounts.entries", BORROWER, market) == cap
        assert storage.word("markets.open_interest", market) == 0
        assert storage.word("markets.costs", market) == 0
        assert storage.word("markets.index_costs", market) == 1 << 255  # stored plus so much
    assert storage.entry("accounts.collateral", BORROWER, WETH) == 0
    header = storage.entry("accounts.headers", BORROWER)
    assert header & (2**128 - 1) == 1 << 40  # registered, and nothing else
    assert header >> 128 == twins.cash(BORROWER)


def test_a_market_is_listed_with_every_word_of_its_window_written(twins: Twins) -> None:
    """No liquidation pays for a fresh word, the first of a bucket neither."""
    storage = open_storage(twins)
    for market in (BTC, ETH):
        assert storage.word("markets.window_heads", market) == PREPARED
        assert [storage.word("markets.window_rings", market * RING + k) for k in range(RING)] == [PREPARED] * RING
    assert storage.word("markets.window_heads", 2) == 0
    twins.do("admin", SetMarket(2, market_params(BTC)))
    assert storage.word("markets.window_rings", 2 * RING) == PREPARED
