"""The complete state of the contracts, read from raw storage into the model's records.

Works on every node that answers eth_getStorageAt. The words are described in specs/storage.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from eth_utils import keccak

from contracts_py.compile import Artifact
from contracts_py.deploy import Deployment
from contracts_py.node import Node
from oracle.feeds import Feed, FeedHub, Round
from protocol.params import MAX_BRACKETS, CollateralParams, HaircutBracket, MarginBracket, MarketParams, RiskParams
from protocol.records import Table
from protocol.state import Account, Ledger, Market, Position, Roles, State, Token

MASK_16, MASK_32, MASK_40, MASK_64, MASK_96, MASK_128 = (2**bits - 1 for bits in (16, 32, 40, 64, 96, 128))


class Storage:
    """One contract's storage, by the names of its variables."""

    def __init__(self, read: Callable[[int], int], layout: Mapping[str, Any]) -> None:
        self._read = read
        self._slots = dict(_flatten(layout))

    def word(self, name: str, index: int = 0) -> int:
        """A variable, or a word of a fixed array."""
        return self._read(self._slots[name] + index)

    def entry(self, name: str, *keys: int) -> int:
        """An entry of a map, or of a map of maps."""
        slot = self._slots[name]
        for key in keys:
            slot = int.from_bytes(keccak(slot.to_bytes(32, "big") + key.to_bytes(32, "big")), "big")
        return self._read(slot)


def read_state(node: Node, deployment: Deployment, artifacts: Mapping[str, Artifact]) -> State:
    """The protocol's state as its storage has it."""
    layout = artifacts["CrossMargin"].layout["storage_layout"]["storage"]
    storage = Storage(node.storage(deployment.protocol), layout)
    market_count = storage.word("parameters.market_count")
    collateral_count = storage.word("parameters.collateral_count")
    accounts = {}
    for index in range(storage.word("accounts.account_count")):
        account = storage.entry("accounts.account_ids", index)
        accounts[account] = _read_account(storage, account, market_count, collateral_count)
    shares = {}
    for index in range(storage.word("treasury.share_owner_count")):
        owner = storage.entry("treasury.share_owners", index)
        shares[owner] = storage.entry("treasury.shares", owner)
    funds, dues = storage.word("treasury.funds"), storage.word("treasury.dues")
    return State(
        roles=Roles(storage.word("roles.admin"), storage.word("roles.guardian")),
        opening_paused=storage.word("roles.opening_paused") == 1,
        risk=_read_risk(storage),
        market_params=tuple(_read_market_params(storage, market) for market in range(market_count)),
        collateral_params=tuple(_read_collateral(storage, token + 1) for token in range(collateral_count)),
        accounts=Table(accounts),
        markets=tuple(_read_market(storage, market) for market in range(market_count)),
        tokens=tuple(
            Token(*_halves(storage.word("treasury.token_totals", token)))
            for token in range(storage.word("treasury.token_count"))
        ),
        ledger=Ledger(*_halves(funds), *_halves(dues), storage.word("treasury.share_supply")),
        shares=Table(shares),
    )


def read_hub(node: Node, deployment: Deployment, artifacts: Mapping[str, Artifact]) -> FeedHub:
    """The feed hub's state as its storage has it, with every round."""
    layout = artifacts["FeedHub"].layout["storage_layout"]
    storage = Storage(node.storage(deployment.hub), layout)
    feeds = []
    for feed in range(storage.word("feed_count")):
        word = storage.word("feeds", feed)
        rounds = {}
        for number in range(1, (word >> 48 & MASK_40) + 1):
            stored = storage.entry("rounds", feed, number)
            rounds[number] = Round(_signed(stored >> 128), stored & MASK_40)
        feeds.append(Feed(word >> 8 & 255, word >> 16 & MASK_32, Table(rounds)))
    return FeedHub(storage.word("admin"), storage.word("poster"), tuple(feeds))


def _read_account(storage: Storage, account: int, markets: int, collaterals: int) -> Account:
    header = storage.entry("accounts.headers", account)
    tokens = [token for token in range(1, collaterals + 1) if header >> (31 + token) & 1]
    listed = [market for market in range(markets) if header >> market & 1]
    positions = {}
    for market in listed:
        high, low = _halves(storage.entry("accounts.positions", account, market))
        positions[market] = Position(_signed(high), _signed(low))
    return Account(
        cash=_signed(header >> 128),
        collateral={token: storage.entry("accounts.collateral", account, token) for token in tokens},
        positions=positions,
    )


def _read_market(storage: Storage, market: int) -> Market:
    long_oi, short_oi = _halves(storage.word("markets.open_interest", market))
    return Market(long_oi, short_oi, _signed_word(storage.word("markets.costs", market)))


def _read_risk(storage: Storage) -> RiskParams:
    margin = storage.word("parameters.margin_word")
    reward = storage.word("parameters.reward_word")
    charges = storage.word("parameters.charges_word")
    return RiskParams(
        keeper_reserve=margin >> 160,
        margin_call_buffer=margin >> 96 & MASK_64,
        backstop_ratio=margin >> 80 & MASK_16,
        fixed_reward=reward >> 160,
        reward_ratio=reward & MASK_64,
        max_reward=reward >> 64 & MASK_96,
        reward_cap=charges >> 16 & MASK_16,
        penalty_ratio=charges >> 96 & MASK_64,
        debt_cap=charges >> 160,
        insurance_fee_share=charges >> 48 & MASK_16,
        insurance_penalty_share=charges >> 32 & MASK_16,
        sale_discount=charges & MASK_16,
    )


def _read_market_params(storage: Storage, market: int) -> MarketParams:
    word = storage.word("parameters.market_words", market)
    return MarketParams(
        feed=word >> 8 & MASK_16,
        lot=word >> 160,
        min_notional=word >> 64 & MASK_96,
        fee_rate=storage.word("parameters.fee_rates", market),
        brackets=tuple(
            MarginBracket(*row) for row in _read_rows(storage, "parameters.margin_brackets", market, word & 255)
        ),
    )


def _read_collateral(storage: Storage, token: int) -> CollateralParams:
    word = storage.word("parameters.collateral_words", token)
    return CollateralParams(
        feed=word >> 240,
        decimals=word >> 232 & 255,
        brackets=tuple(
            HaircutBracket(*row) for row in _read_rows(storage, "parameters.haircut_brackets", token, word & 255)
        ),
    )


def _read_rows(storage: Storage, name: str, index: int, count: int) -> list[tuple[int, int, int]]:
    """Bracket rows as lower bound and two rates; a stored row has its upper bound."""
    rows, lower = [], 0
    for k in range(count):
        row = storage.word(name, index * MAX_BRACKETS + k)
        rows.append((lower, row >> 96 & MASK_64, row >> 32 & MASK_64))
        lower = row >> 160
    return rows


def _flatten(layout: Mapping[str, Any], prefix: str = "") -> list[tuple[str, int]]:
    found = []
    for name, item in layout.items():
        if "slot" in item:
            found.append((prefix + name, int(item["slot"])))
        else:
            found.extend(_flatten(item, f"{prefix}{name}."))
    return found


def _halves(word: int) -> tuple[int, int]:
    return word >> 128, word & MASK_128


def _signed(half: int) -> int:
    return half - 2**128 if half >= 2**127 else half


def _signed_word(word: int) -> int:
    return word - 2**256 if word >= 2**255 else word
