"""What lies in storage and neither a view nor the state read back would show (specs/storage.md)."""

from __future__ import annotations

from dataclasses import replace

from contracts_py.readback import Storage
from protocol.actions import DepositToPool, SetCollateral, SetMarket
from protocol.params import MAX_BRACKETS
from tests.twins import BTC, WETH, Twins, market_params, weth_params


def open_storage(twins: Twins) -> Storage:
    """The storage of the protocol's one address."""
    chain = twins.chain
    layout = chain._artifacts["CrossMargin"].layout["storage_layout"]["storage"]
    return Storage(chain.contracts.node.storage(chain.deployment.protocol), layout)


def test_accounts_and_owners_of_shares_are_listed_once(twins: Twins) -> None:
    for owner in ("lender", "stranger", "lender", "stranger"):
        twins.do(owner, DepositToPool(10**6))
        twins.deposit(owner, usd=1, weth=1)
    storage, state = open_storage(twins), twins.world.protocol
    for ids, count, known in (
        ("treasury.share_owners", "treasury.share_owner_count", state.shares),
        ("accounts.account_ids", "accounts.account_count", state.accounts),
    ):
        assert [storage.entry(ids, index) for index in range(storage.word(count))] == list(known)


def test_fewer_brackets_leave_nothing_of_the_old_ones(twins: Twins) -> None:
    market, collateral = market_params(BTC), weth_params()
    assert min(len(market.brackets), len(collateral.brackets)) > 1
    twins.do("admin", SetMarket(BTC, replace(market, brackets=market.brackets[:1])))
    twins.do("admin", SetCollateral(WETH, replace(collateral, brackets=collateral.brackets[:1])))
    storage = open_storage(twins)
    rates, weights = market.brackets[0], collateral.brackets[0]
    for name, index, row in (
        ("parameters.margin_brackets", BTC, rates.mm_rate << 96 | rates.im_rate << 32),
        ("parameters.haircut_brackets", WETH, weights.mm_weight << 96 | weights.im_weight << 32),
    ):
        rows = [storage.word(name, index * MAX_BRACKETS + k) for k in range(MAX_BRACKETS)]
        assert rows == [row] + [0] * (MAX_BRACKETS - 1)
