"""The complete state of the contracts, read from raw storage into the model's records.

Works on every node that answers eth_getStorageAt. The words are described in specs/storage.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from contracts_py.compile import GRAPH, Artifact
from contracts_py.deploy import Deployment
from contracts_py.node import Chain
from contracts_py.readback_graph import read_graph
from contracts_py.storage import Storage
from oracle.feeds import HISTORY, Feed, FeedHub, NodeFeed, RateFeed, Round
from oracle.sources import Source
from oracle.state import OracleState
from protocol.params import (
    MAX_BRACKETS,
    CollateralParams,
    EquityTier,
    HaircutBracket,
    MarginBracket,
    MarketParams,
    OrderParams,
    RiskParams,
)
from protocol.records import Table
from protocol.state import (
    RING,
    Account,
    CollateralPhase,
    Ledger,
    Market,
    MarketPhase,
    Order,
    Position,
    RiskPhase,
    Roles,
    Stake,
    State,
    Token,
    Window,
)

MASK_16, MASK_32, MASK_40, MASK_56, MASK_64, MASK_72, MASK_80, MASK_88, MASK_96, MASK_128 = (
    2**bits - 1 for bits in (16, 32, 40, 56, 64, 72, 80, 88, 96, 128)
)
RATE_FEED, NODE_FEED = 1, 2  # kinds of a feed's word


def read_state(node: Chain, deployment: Deployment, artifacts: Mapping[str, Artifact]) -> State:
    """The protocol's state as its storage has it."""
    layout = artifacts["CrossMargin"].layout["storage_layout"]["storage"]
    storage = Storage(node.storage(deployment.protocol), layout)
    markets = range(storage.word("parameters.market_count"))
    collaterals = range(1, storage.word("parameters.collateral_count") + 1)
    accounts = {}
    for index in range(storage.word("accounts.account_count")):
        account = storage.entry("accounts.account_ids", index)
        accounts[account] = _read_account(storage, account, markets, collaterals)
    stakes = {}
    for index in range(storage.word("treasury.share_owner_count")):
        owner = storage.entry("treasury.share_owners", index)
        claimable_at = storage.entry("treasury.claimable", owner) & MASK_40
        stakes[owner] = Stake(*_halves(storage.entry("treasury.stakes", owner)), claimable_at)
    margin = storage.word("parameters.margin_word")
    return State(
        roles=Roles(*(storage.word(f"roles.{role}") for role in ("admin", "pending_admin", "guardian"))),
        opening_paused=storage.word("roles.opening_paused") == 1,
        risk=_read_risk(storage),
        risk_phase=RiskPhase(
            margin >> 24 & MASK_40,
            margin >> 64 & MASK_96,
            storage.word("parameters.redemption_word") >> 64 & MASK_32,
        ),
        market_params=tuple(_read_market_params(storage, market) for market in markets),
        market_phases=tuple(_read_market_phase(storage, market) for market in markets),
        order_params=tuple(_read_order_params(storage, market) for market in markets),
        collateral_params=tuple(_read_collateral(storage, token) for token in collaterals),
        collateral_phases=tuple(_read_collateral_phase(storage, token) for token in collaterals),
        accounts=Table(accounts),
        markets=tuple(_read_market(storage, market) for market in markets),
        windows=tuple(_read_window(storage, market) for market in markets),
        tokens=tuple(
            Token(*_halves(storage.word("treasury.token_totals", token)))
            for token in range(storage.word("treasury.token_count"))
        ),
        ledger=Ledger(
            *_halves(storage.word("treasury.funds")),
            *_halves(storage.word("treasury.dues")),
            *_halves(storage.word("treasury.pool_word")),
        ),
        escrow=storage.word("orders.escrow"),
        stakes=Table(stakes),
    )


def read_oracle(
    node: Chain, deployment: Deployment, artifacts: Mapping[str, Artifact], sources: Table[int, Source]
) -> OracleState:
    """The state of the feed hub, and of the graph if there is one, as their storage has it, with these sources."""
    hub = read_hub(Storage(node.storage(deployment.hub), artifacts["FeedHub"].layout["storage_layout"]))
    if not deployment.graph:
        return OracleState(hub, None, ())
    layout = artifacts[GRAPH].layout["storage_layout"]
    graph = read_graph(Storage(node.storage(deployment.graph), layout))
    return OracleState(hub, graph, deployment.feeds, deployment.graph, sources)


def read_hub(storage: Storage) -> FeedHub:
    """The feed hub's state as its storage has it."""
    feeds: list[Feed | RateFeed | NodeFeed] = []
    for feed in range(storage.word("feed_count")):
        word = storage.word("feeds", feed)
        if word & 255 == RATE_FEED:
            feeds.append(RateFeed(word >> 8 & MASK_16, word >> 24 & MASK_16))
            continue
        if word & 255 == NODE_FEED:
            feeds.append(NodeFeed(storage.word("nodes", feed).to_bytes(32, "big")))
            continue
        latest = word >> 48 & MASK_40
        numbers = range(max(1, latest - HISTORY + 1), latest + 1)
        stored = [storage.word("rounds", feed * HISTORY + number % HISTORY) for number in numbers]
        rounds = tuple(Round(_signed(one >> 128, 128), one & MASK_40) for one in stored)
        feeds.append(Feed(word >> 8 & 255, word >> 16 & MASK_32, latest, rounds))
    return FeedHub(storage.word("admin"), storage.word("poster"), tuple(feeds))


def _read_account(storage: Storage, account: int, markets: range, collaterals: range) -> Account:
    header = storage.entry("accounts.headers", account)
    positions, caps = {}, {}
    for market in markets:
        entry, cap = _halves(storage.entry("accounts.entries", account, market))
        if cap & MASK_80:
            caps[market] = cap & MASK_80
        if header >> market & 1:
            size, cost = _halves(storage.entry("accounts.positions", account, market))
            positions[market] = Position(_signed(size, 128), _signed(cost, 128), _signed(entry, 128))
    tokens = [token for token in collaterals if header >> (31 + token) & 1]
    return Account(
        cash=_signed(header >> 128, 128),
        collateral={token: storage.entry("accounts.collateral", account, token) for token in tokens},
        positions=positions,
        leverage_caps=caps,
        flagged_at=header >> 48 & MASK_40,
        margin_called_at=header >> 88 & MASK_40,
        isolated=header >> 41 & 63,
        operator=storage.entry("accounts.operators", account),
        orders=_read_orders(storage, account, header, markets),
    )


def _read_orders(storage: Storage, account: int, header: int, markets: range) -> dict[int, Order]:
    listed = storage.entry("orders.lists", account)
    if (listed != 0) != bool(header >> 47 & 1):
        raise ValueError(f"account {account}: its header and its list disagree about orders")
    orders = {}
    for market in markets:
        size, acceptable = _halves(storage.entry("orders.trades", account, market))
        terms = storage.entry("orders.terms", account, market)
        if bool(listed >> market & 1) != (size != 0):
            raise ValueError(f"account {account}: its list and its order in market {market} disagree")
        if size:
            orders[market] = Order(
                size_delta=_signed(size, 128),
                acceptable_price=acceptable,
                fee=terms >> 176,
                cancel_fee=terms >> 96 & MASK_80,
                feed=terms >> 80 & MASK_16,
                settles_from=terms >> 40 & MASK_40,
                expires_at=terms & MASK_40,
            )
    return orders


def _read_market(storage: Storage, market: int) -> Market:
    long_oi, short_oi = _halves(storage.word("markets.open_interest", market))
    cost, impact = _halves(storage.word("markets.costs", market))
    index = storage.word("markets.indices", market)
    rate = storage.word("markets.rates", market)
    return Market(
        long_oi=long_oi,
        short_oi=short_oi,
        cost=_signed(cost, 128),
        impact=impact,
        reserved=rate >> 160,
        funding_index=_signed(index >> 128, 128),
        funding_rate=_signed(rate >> 72 & MASK_88, 88),
        funding_velocity=_signed(rate & MASK_72, 72),
        funding_limit=_signed(index >> 40 & MASK_88, 88),
        accrued_at=index & MASK_40,
        index_cost=storage.word("markets.index_costs", market) - 2**255,
    )


def _read_window(storage: Storage, market: int) -> Window:
    head = storage.word("markets.window_heads", market)
    newest, entries = head >> 160 & MASK_64, head >> 128 & MASK_32
    numbers = [newest - age for age in reversed(range(RING)) if entries >> age & 1]
    ring = (storage.word("markets.window_rings", market * RING + number % RING) for number in numbers)
    return Window(head & MASK_128, tuple(zip(numbers, (word & MASK_128 for word in ring), strict=True)))


def _read_risk(storage: Storage) -> RiskParams:
    words = {name: storage.word(f"parameters.{name}_word") for name in ("margin", "state", "reward", "ratio", "limit")}
    margin, state, reward, ratio, limit = words.values()
    redemption = storage.word("parameters.redemption_word")
    tiers, lower = [], 0
    for k in range(margin & 255):
        row = storage.word("parameters.equity_tiers", k)
        tiers.append(EquityTier(lower, row & MASK_80))
        lower = row >> 160
    return RiskParams(
        keeper_reserve=margin >> 160,
        margin_call_buffer=state >> 192,
        liquidation_buffer=state >> 128 & MASK_64,
        backstop_ratio=state >> 96 & MASK_16,
        fixed_reward=reward >> 160,
        reward_ratio=ratio >> 192,
        reward_ratio_max=ratio >> 128 & MASK_64,
        reward_ramp=reward & MASK_64,
        reward_grace=limit >> 32 & MASK_32,
        max_reward=reward >> 64 & MASK_96,
        reward_cap=state >> 80 & MASK_16,
        penalty_ratio=ratio >> 64 & MASK_64,
        impact_cap_ratio=ratio & MASK_64,
        debt_cap=limit >> 160,
        insurance_fee_share=state >> 64 & MASK_16,
        insurance_penalty_share=state >> 48 & MASK_16,
        sale_discount=state >> 32 & MASK_16,
        margin_call_fee=limit >> 64 & MASK_96,
        phase_in=limit & MASK_32,
        lock_ratio=state >> 16 & MASK_16,
        stale_band=state & MASK_16,
        usdc_feed=margin >> 8 & MASK_16,
        depeg_threshold=redemption >> 96 & MASK_16,
        depeg_factor=redemption >> 112 & MASK_16,
        redemption_delay=redemption >> 32 & MASK_32,
        redemption_window=redemption & MASK_32,
        equity_tiers=tuple(tiers),
    )


def _read_market_params(storage: Storage, market: int) -> MarketParams:
    word, fill, funding, caps, dollars, interest = (
        storage.word(f"parameters.{name}_words", market)
        for name in ("market", "fill", "funding", "cap", "dollar", "interest")
    )
    return MarketParams(
        feed=word >> 8 & MASK_16,
        ceiling=storage.word("parameters.market_ceilings", market) >> 160,
        lot=word >> 160,
        min_notional=word >> 64 & MASK_96,
        maker_fee=fill >> 48 & MASK_56,
        taker_fee=fill >> 104 & MASK_56,
        skew_scale=fill >> 160,
        max_premium=fill >> 32 & MASK_16,
        rebate_ratio=fill >> 16 & MASK_16,
        oi_cap=caps >> 160,
        oi_cap_usd=dollars >> 160,
        skew_cap=caps >> 64 & MASK_96,
        funding_cap=funding >> 192,
        funding_velocity=funding >> 128 & MASK_64,
        funding_decay=funding >> 64 & MASK_64,
        dead_band=fill & MASK_16,
        oi_lower=interest >> 160,
        oi_upper=interest >> 64 & MASK_96,
        window=funding >> 32 & MASK_32,
        window_notional=dollars >> 64 & MASK_96,
        brackets=_read_margin_brackets(storage, "margin_brackets", market, word & 15),
    )


def _read_market_phase(storage: Storage, market: int) -> MarketPhase:
    count = storage.word("parameters.funding_words", market) & 255
    until = storage.word("parameters.market_words", market) >> 24 & MASK_40
    former = storage.word("parameters.market_ceilings", market) >> 64 & MASK_96
    return MarketPhase(until, _read_margin_brackets(storage, "phase_brackets", market, count), former)


def _read_order_params(storage: Storage, market: int) -> OrderParams:
    word = storage.word("orders.rules", market)
    return OrderParams(
        feed=word >> 208,
        delay=word >> 192 & MASK_16,
        window=word >> 160 & MASK_32,
        fee=word >> 80 & MASK_80,
        cancel_fee=word & MASK_80,
    )


def _read_margin_brackets(storage: Storage, name: str, market: int, count: int) -> tuple[MarginBracket, ...]:
    return tuple(MarginBracket(*row) for row in _read_rows(storage, f"parameters.{name}", market, count))


def _read_collateral(storage: Storage, token: int) -> CollateralParams:
    word = storage.word("parameters.collateral_words", token)
    caps = storage.word("parameters.unit_caps", token)
    return CollateralParams(
        feed=word >> 240,
        decimals=word >> 232 & 255,
        ceiling=storage.word("parameters.token_ceilings", token) >> 160,
        account_cap=caps >> 160,
        global_cap=caps >> 64 & MASK_96,
        brackets=_read_haircut_brackets(storage, "haircut_brackets", token, word & 255),
    )


def _read_collateral_phase(storage: Storage, token: int) -> CollateralPhase:
    word = storage.word("parameters.collateral_words", token)
    brackets = _read_haircut_brackets(storage, "haircut_phases", token, word >> 184 & 255)
    former = storage.word("parameters.token_ceilings", token) >> 64 & MASK_96
    return CollateralPhase(word >> 192 & MASK_40, brackets, former)


def _read_haircut_brackets(storage: Storage, name: str, token: int, count: int) -> tuple[HaircutBracket, ...]:
    return tuple(HaircutBracket(*row) for row in _read_rows(storage, f"parameters.{name}", token, count))


def _read_rows(storage: Storage, name: str, index: int, count: int) -> list[tuple[int, int, int]]:
    """Bracket rows as lower bound and two rates; a stored row has its upper bound."""
    rows, lower = [], 0
    for k in range(count):
        row = storage.word(name, index * MAX_BRACKETS + k)
        rows.append((lower, row >> 96 & MASK_64, row >> 32 & MASK_64))
        lower = row >> 160
    return rows


def _halves(word: int) -> tuple[int, int]:
    return word >> 128, word & MASK_128


def _signed(field: int, bits: int) -> int:
    return field - 2**bits if field >= 2 ** (bits - 1) else field
