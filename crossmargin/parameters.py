"""The parameter set: the numbers governance chooses, read from ``specs/params/*.yaml`` and checked by the protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from contracts_py.addresses import feed_addresses
from crossmargin.clashes import explain_clash
from crossmargin.faults import Fault, Faults, texts_at
from crossmargin.fields import validate
from crossmargin.names import resolve
from crossmargin.node_set import NodeSpec, build_nodes
from crossmargin.parameter_file import FeedModel, ListedMarketModel, ParametersModel, TokenModel, to_haircuts
from crossmargin.quantities import read_decimal, write_decimal
from crossmargin.source_file import CapPlan
from crossmargin.source_set import SourceSpec, build_sources
from crossmargin.switches import switch_market, switch_risk
from crossmargin.yamltext import Document, Loc, read_yaml
from oracle.feeds import MAX_FEEDS, RATE_FEED_DECIMALS, SHORTEST_MAX_AGE, FeedHub, SetFeed, SetNodeFeed, SetRateFeed
from oracle.graph import Graph, RegisterNode, make_graph
from oracle.sources import Source
from oracle.state import OracleState, apply_oracle
from protocol.actions import SetCollateral, SetMarket, SetOrders, SetRisk
from protocol.configuration import check_collateral, check_market, check_risk
from protocol.errors import BadBrackets, Refusal
from protocol.orders import check_order_rules
from protocol.params import MAX_MARKETS, MAX_TOKENS, CollateralParams, MarketParams, OrderParams, RiskParams
from protocol.state import INSTANT

ADMIN = "admin"
SETTLEMENT = "USDC"
SETTLEMENT_DECIMALS = 6
COLLATERAL_KEYS = ("feed", "ceiling", "account_cap", "global_cap", "haircuts")

FeedAction = SetFeed | SetRateFeed | SetNodeFeed
GenesisAction = RegisterNode | FeedAction | SetRisk | SetMarket | SetOrders | SetCollateral
T = TypeVar("T")

# What each rule asks for, in the words of the file; the refusal's own sentence comes before it.
RULES = {
    "config/risk": (
        "dollars stay below 2^96 at 18 decimals, shares and ratios between 0 and 1, durations at most a year, "
        "phase_in at least 1h, "
        "fixed_reward at most max_reward, reward_ratio at most reward_ratio_max, sale_discount below 1"
    ),
    "config/equity-tiers": (
        "leverage is at least 1, below 2^80 at 18 decimals, and never rises from one entry to the next"
    ),
    "config/market": (
        "ceiling, lot and min_notional are above 0, skew_scale at least 1, and they, the caps, oi_upper and "
        "window_notional below 2^96 at 18 decimals; "
        "maker_fee is at most taker_fee, taker_fee at most 0.01; max_premium and rebate_ratio are at most 1; oi_lower "
        "is below oi_upper, or both are 0; window is at most 30d, and where there is one "
        "window_notional at least min_notional; min_notional * reward_cap is at least fixed_reward"
    ),
    "config/funding": "funding_cap and dead_band are at most 1, funding_velocity and funding_decay at most 10",
    "config/brackets": "`from` is 0 in the first entry and rises after it; there are one to eight entries",
    "config/margin-rates": (
        "the closing cost is reward_ratio_max + penalty_ratio + impact_cap_ratio; mm rises and begins above it; im "
        "rises to at most 1, is at least mm + closing cost and at least mm * (1 + margin_call_buffer); in the first "
        "tier the room im - mm - closing cost, times min_notional, pays fixed_reward"
    ),
    "config/haircuts": (
        "mm and im never rise from one entry to the next, im is at most mm, mm at most 1 - sale_discount, "
        "ceiling is above 0 and below 2^96 at 18 decimals, and caps are below 2^96 units"
    ),
    "config/orders": (
        "delay is 1s to 1h, window 1s to 1h, fee above 0 and at most 100, cancel_fee at most fee; leave `orders` out "
        "for a market that trades at once"
    ),
    "oracle/config": (
        "decimals are at most 18 and max_age is 1m to 3d; rate and underlying name feeds above this one that have "
        "decimals and max_age"
    ),
    "oracle/not-in-dollars": "the node of a feed is dollars for something, as BTC/USD",
}


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """A feed to create, and the action that creates it."""

    name: str
    description: str
    action: FeedAction

    @property
    def decimals(self) -> int:
        """Of its answers."""
        return self.action.decimals if isinstance(self.action, SetFeed) else RATE_FEED_DECIMALS


@dataclass(frozen=True, slots=True)
class TokenSpec:
    """A token; USDC has no parameters."""

    name: str
    decimals: int
    params: CollateralParams | None


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """A market to list."""

    name: str
    params: MarketParams
    orders: OrderParams


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """Everything that configures a deployment. Ids are positions in the tuples."""

    name: str
    version: int
    sources: tuple[SourceSpec, ...]
    nodes: tuple[NodeSpec, ...]
    feeds: tuple[FeedSpec, ...]
    tokens: tuple[TokenSpec, ...]
    markets: tuple[MarketSpec, ...]
    risk: RiskParams
    off: tuple[str, ...] = ()  # rule switches that are off, by name

    @property
    def has_graph(self) -> bool:
        """Whether a graph is deployed: for nodes, or beside sources, which follow feeds by their addresses."""
        return bool(self.nodes or self.sources)

    def genesis_sources(self) -> dict[str, Source]:
        """The sources that are there from the beginning, by name."""
        return {spec.name: spec.plan for spec in self.sources if not isinstance(spec.plan, CapPlan)}


def load_parameters(path: Path) -> ParameterSet:
    """Read a parameter set and hold it against the protocol's rules; what is wrong is an ``InputError``."""
    document = read_yaml(path)
    return parse_parameters(document)


def parse_parameters(document: Document) -> ParameterSet:
    """A parameter set from a document already read."""
    model = validate(document, ParametersModel)
    faults = Faults(document)
    built = _build(model, faults)
    faults.stop()
    return built


def genesis_actions(params: ParameterSet) -> list[tuple[str, GenesisAction]]:
    """The actions that put a set in force on both twins, in order, each with the role that sends it."""
    nodes = [node.action for node in params.nodes]
    feeds = [feed.action for feed in params.feeds]
    markets = [SetMarket(index, market.params) for index, market in enumerate(params.markets)]
    collateral = [
        SetCollateral(index, token.params) for index, token in enumerate(params.tokens) if token.params is not None
    ]
    orders = [
        SetOrders(index, market.orders) for index, market in enumerate(params.markets) if market.orders != INSTANT
    ]
    ordered: list[GenesisAction] = [*nodes, *feeds, SetRisk(params.risk), *markets, *orders, *collateral]
    return [(ADMIN, action) for action in ordered]


def _build(model: ParametersModel, faults: Faults) -> ParameterSet:
    """The set; of what is noted to be wrong, nothing is in it."""
    nodes: tuple[NodeSpec, ...] | None = None
    graph = make_graph(admin=0, guardian=0)
    with faults.noted():
        nodes, graph = build_nodes(model.nodes, model.feeds, model.sources)
    sources: tuple[SourceSpec, ...] = ()
    if nodes is not None:
        with faults.noted():
            sources = build_sources(model.sources, model.feeds, {node.name: node.id for node in nodes})
    feeds = _build_feeds(model, graph, nodes, faults)
    feed_names = list(model.feeds)
    off = model.switches.off
    risk = switch_risk(model.risk.to_record(0), off)
    sound: RiskParams | None = None
    with faults.noted():
        if model.risk.usdc_feed is not None:
            feed = resolve(model.risk.usdc_feed, feed_names, ("risk", "usdc_feed"), "feed")
            risk = switch_risk(model.risk.to_record(feed + 1), off)
        _check(("risk",), check_risk, risk, rows="equity_tiers")
        sound = risk
    if next(iter(model.tokens), "") != SETTLEMENT:
        faults.note(Fault(("tokens",), f"the first token must be {SETTLEMENT}, the settlement token"))
    with faults.noted():
        _check_count(model.tokens, "tokens", MAX_TOKENS)
    tokens, markets = [], []
    for name, token in model.tokens.items():
        with faults.noted():
            tokens.append(_build_token(name, token, sound, feed_names))
    with faults.noted():
        _check_count(model.markets, "markets", MAX_MARKETS)
    for name, market in model.markets.items():
        with faults.noted():
            markets.append(_build_market(name, market, sound, feed_names, off))
    return ParameterSet(
        model.name, model.version, sources, nodes or (), feeds, tuple(tokens), tuple(markets), risk, off
    )


def _build_feeds(
    model: ParametersModel, graph: Graph, nodes: Sequence[NodeSpec] | None, faults: Faults
) -> tuple[FeedSpec, ...]:
    with faults.noted():
        _check_count(model.feeds, "feeds", MAX_FEEDS)
    names = list(model.feeds)
    contracts = feed_addresses(len(names)) if model.nodes else ()  # only nodes ask feeds by address
    oracle = OracleState(FeedHub(admin=0, poster=0, feeds=()), graph, contracts)
    feeds = []
    for index, name in enumerate(names[:MAX_FEEDS]):
        known = len(faults)
        with faults.noted():
            action = _read_feed(index, model.feeds[name], names, nodes, ("feeds", name))
            oracle, _ = _check(("feeds", name), apply_oracle, oracle, 0, oracle.hub.admin, action)
            feeds.append(FeedSpec(name, model.feeds[name].description, action))
        if len(faults) > known:  # the feeds below keep their ids
            oracle, _ = apply_oracle(oracle, 0, oracle.hub.admin, _stand_in(index))
    return tuple(feeds)


def _stand_in(index: int) -> SetFeed:
    """A feed in the place of one that is wrong."""
    return SetFeed(index, RATE_FEED_DECIMALS, SHORTEST_MAX_AGE)


def _read_feed(
    index: int, feed: FeedModel, names: Sequence[str], nodes: Sequence[NodeSpec] | None, loc: Loc
) -> FeedAction:
    if feed.node is not None:
        if nodes is None:  # what is wrong with them is noted
            return _stand_in(index)
        place = resolve(feed.node, [node.name for node in nodes], (*loc, "node"), "node")
        return SetNodeFeed(index, nodes[place].id)
    if feed.rate is not None and feed.underlying is not None:
        rate = resolve(feed.rate, names, (*loc, "rate"), "feed")
        return SetRateFeed(index, rate, resolve(feed.underlying, names, (*loc, "underlying"), "feed"))
    assert feed.decimals is not None  # check_keys
    assert feed.max_age is not None
    return SetFeed(index, feed.decimals, feed.max_age)


def _build_token(name: str, token: TokenModel, risk: RiskParams | None, feed_names: Sequence[str]) -> TokenSpec:
    """A token, held against the risk parameters if they are sound."""
    loc = ("tokens", name)
    if name == SETTLEMENT:
        if token.decimals != SETTLEMENT_DECIMALS:
            raise Fault((*loc, "decimals"), f"{SETTLEMENT} has {SETTLEMENT_DECIMALS} decimals")
        for key in COLLATERAL_KEYS:
            if getattr(token, key) is not None:
                raise Fault((*loc, key), f"{SETTLEMENT} counts 1 and has no {key}", "remove the key", key=True)
        return TokenSpec(name, token.decimals, None)
    missing = [key for key in COLLATERAL_KEYS if getattr(token, key) is None]
    if missing:
        raise Fault(loc, f"the key `{missing[0]}` is missing", f"every token but {SETTLEMENT} is collateral", key=True)
    assert token.feed is not None
    assert token.ceiling is not None
    assert token.account_cap is not None
    assert token.global_cap is not None
    assert token.haircuts is not None
    params = CollateralParams(
        feed=resolve(token.feed, feed_names, (*loc, "feed"), "feed"),
        decimals=token.decimals,
        ceiling=token.ceiling,
        account_cap=_read_units(token.account_cap, name, token, (*loc, "account_cap")),
        global_cap=_read_units(token.global_cap, name, token, (*loc, "global_cap")),
        brackets=to_haircuts(token.haircuts),
    )
    if risk is not None:
        _check(loc, check_collateral, risk, params, rows="haircuts")
    return TokenSpec(name, token.decimals, params)


def _build_market(
    name: str, market: ListedMarketModel, risk: RiskParams | None, feed_names: Sequence[str], off: Sequence[str]
) -> MarketSpec:
    """A market, held against the risk parameters if they are sound."""
    loc = ("markets", name)
    params = switch_market(market.to_record(resolve(market.feed, feed_names, (*loc, "feed"), "feed")), off)
    if risk is not None:
        _check(loc, check_market, risk, params, rows="tiers")
    orders = INSTANT
    if market.orders is not None:
        feed = params.feed
        if market.orders.feed is not None:
            feed = resolve(market.orders.feed, feed_names, (*loc, "orders", "feed"), "feed")
        orders = market.orders.to_record(feed)
        _check((*loc, "orders"), check_order_rules, orders)
    return MarketSpec(name, params, orders)


def _read_units(text: str, name: str, token: TokenModel, loc: Loc) -> int:
    with texts_at(loc):
        return read_decimal(text, token.decimals, holder=name)


def _check_count(entries: Mapping[str, Any], what: str, most: int) -> None:
    if len(entries) > most:
        raise Fault((what, list(entries)[most]), f"there is room for {most} {what}, not {len(entries)}", key=True)


def _check(loc: Loc, rule: Callable[..., T], *arguments: Any, rows: str = "") -> T:
    """Apply one of the protocol's rules; a refusal becomes a fault at ``loc``, or at the row or rows it is about."""
    try:
        return rule(*arguments)
    except Refusal as refusal:
        lower = refusal.facts.get("lower")
        if rows and lower is not None:
            # The last row of that bound: when two are equal, it is the second that does not rise.
            brackets = getattr(arguments[-1], "brackets", None) or arguments[-1].equity_tiers
            loc = (*loc, rows, max(index for index, row in enumerate(brackets) if row.lower == lower))
        elif rows and isinstance(refusal, BadBrackets):
            loc = (*loc, rows)
        where = f" (from {write_decimal(lower, 18)})" if lower is not None else ""
        sentence = (refusal.__doc__ or "").strip().splitlines()[0]
        message = f"refused as {refusal.code}{where}: {sentence} {explain_clash(rule, *arguments)}".rstrip()
        raise Fault(loc, message, RULES.get(refusal.code, ""), key=not rows or lower is None) from None
