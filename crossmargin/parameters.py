"""The parameter set: the numbers governance chooses, read from ``specs/params/*.yaml`` and checked by the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field

from crossmargin.fields import (
    FEED_NAME,
    MARKET_NAME,
    TOKEN_NAME,
    Duration,
    Fault,
    FileModel,
    Integer,
    Name,
    Prose,
    Quantity,
    Reference,
    faults_of,
    validate,
)
from crossmargin.messages import listed, near, shown
from crossmargin.quantities import write_decimal
from crossmargin.yamltext import Document, Loc, read_yaml
from oracle.feeds import MAX_FEEDS, FeedHub, SetFeed, process_set_feed
from protocol.actions import SetCollateral, SetMarket, SetRisk
from protocol.errors import Refusal
from protocol.params import (
    MAX_BRACKETS,
    MAX_MARKETS,
    MAX_TOKENS,
    CollateralParams,
    HaircutBracket,
    MarginBracket,
    MarketParams,
    RiskParams,
    check_collateral,
    check_market,
    check_risk,
)

ADMIN = "admin"
SETTLEMENT = "USDC"
SETTLEMENT_DECIMALS = 6

GenesisAction = SetFeed | SetRisk | SetMarket | SetCollateral
T = TypeVar("T")

UsdField = Annotated[int, Quantity(18)]
SizeField = Annotated[int, Quantity(18)]
RatioField = Annotated[int, Quantity(18)]
BpsField = Annotated[int, Quantity(4)]
SET_NAME = Name("a parameter set's name", "[a-z][a-z0-9_]{0,40}", "use lower-case letters, digits and _")

# What each rule asks for, in the words of the file; the refusal's own sentence comes before it.
RULES = {
    "config/risk": (
        "dollars stay below 2^96 at 18 decimals, shares and ratios between 0 and 1, fixed_reward at most "
        "max_reward, sale_discount below 1"
    ),
    "config/market": (
        "lot and min_notional are above 0 and below 2^96 at 18 decimals, fee is at most 0.01, and "
        "min_notional * reward_cap is at least fixed_reward"
    ),
    "config/brackets": "`from` is 0 in the first entry and rises after it; there are one to eight entries",
    "config/margin-rates": (
        "mm rises and begins above reward_ratio + penalty_ratio; im rises to at most 1, is at least "
        "mm + reward_ratio + penalty_ratio and at least mm * (1 + margin_call_buffer); in the first tier the room "
        "im - mm - reward_ratio - penalty_ratio, times min_notional, pays fixed_reward"
    ),
    "config/haircuts": (
        "mm and im never rise from one entry to the next, im is at most mm, mm at most 1 - sale_discount, and "
        "decimals at most 24"
    ),
}


class FeedModel(FileModel):
    """One price feed."""

    description: Annotated[str, Prose()] = Field(description="What the feed says of itself, as `BTC / USD`.")
    decimals: Annotated[int, Integer()] = Field(description="Decimals of its answers, at most 18.")
    max_age: Annotated[int, Duration()] = Field(description="A price older than this is stale: 1m to 3d.")


class RiskModel(FileModel):
    """What holds for every account and market."""

    keeper_reserve: UsdField = Field(description="USD added to both margins of an account with a position.")
    margin_call_buffer: RatioField = Field(description="Part of maintenance margin above it that is a margin call.")
    backstop_ratio: BpsField = Field(description="Below this part of maintenance margin an account is BACKSTOP.")
    fixed_reward: UsdField = Field(description="USD a keeper gets for a liquidation.")
    reward_ratio: RatioField = Field(description="Part of the notional closed that a keeper gets on top.")
    max_reward: UsdField = Field(description="USD a keeper gets at most.")
    reward_cap: BpsField = Field(description="Part of the notional closed that the whole reward may reach.")
    penalty_ratio: RatioField = Field(description="Part of the notional closed that the account pays as a penalty.")
    debt_cap: UsdField = Field(description="USD an account may owe and still add risk.")
    insurance_fee_share: BpsField = Field(description="Part of trading fees that goes to insurance.")
    insurance_penalty_share: BpsField = Field(description="Part of penalties that goes to insurance.")
    sale_discount: BpsField = Field(description="Discount at which a debtor's collateral goes to the pool.")

    def to_record(self) -> RiskParams:
        """The protocol's record; its fields have the same names."""
        return RiskParams(**{name: getattr(self, name) for name in type(self).model_fields})


class TierModel(FileModel):
    """Margin rates for the part of a position from here to the next tier."""

    lower: UsdField = Field(alias="from", description="Notional in USD where the tier begins.")
    mm: RatioField = Field(description="Maintenance margin rate.")
    im: RatioField = Field(description="Initial margin rate.")


class MarketModel(FileModel):
    """One perpetual market."""

    feed: Annotated[str, Reference()] = Field(description="The feed that prices it.")
    lot: SizeField = Field(description="Sizes are multiples of this, in base units.")
    min_notional: UsdField = Field(description="USD of the smallest position.")
    fee: RatioField = Field(description="Trading fee, part of the notional.")
    tiers: Annotated[tuple[TierModel, ...], Field(max_length=MAX_BRACKETS)] = Field(
        description="Margin rates by notional."
    )

    def to_record(self, feed: int) -> MarketParams:
        """The protocol's record."""
        brackets = tuple(MarginBracket(tier.lower, tier.mm, tier.im) for tier in self.tiers)
        return MarketParams(feed, self.lot, self.min_notional, self.fee, brackets)


class HaircutModel(FileModel):
    """Weights for the part of a collateral's value from here to the next entry."""

    lower: UsdField = Field(alias="from", description="Value in USD where the weights begin.")
    mm: RatioField = Field(description="Weight towards maintenance margin.")
    im: RatioField = Field(description="Weight towards initial margin.")


Haircuts = Annotated[tuple[HaircutModel, ...], Field(max_length=MAX_BRACKETS)]


class TokenModel(FileModel):
    """One token; all but USDC are collateral."""

    decimals: Annotated[int, Integer()] = Field(description="Decimals of the token's units.")
    feed: Annotated[str, Reference()] | None = Field(default=None, description="The feed that prices it.")
    haircuts: Haircuts | None = Field(default=None, description="Weights by value.")


class ParametersModel(FileModel):
    """A parameter set of crossmargin. Numbers are decimals in human units, read exactly."""

    name: Annotated[str, SET_NAME] = Field(description="The set's name.")
    version: Annotated[int, Integer(2**32)] = Field(description="Rises with every change of a number.")
    feeds: dict[Annotated[str, FEED_NAME], FeedModel] = Field(description="Feeds; their order gives the ids.")
    risk: RiskModel
    tokens: dict[Annotated[str, TOKEN_NAME], TokenModel] = Field(description="Tokens in order of id, USDC first.")
    markets: dict[Annotated[str, MARKET_NAME], MarketModel] = Field(description="Markets; their order gives the ids.")


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """A feed to create."""

    name: str
    description: str
    decimals: int
    max_age: int  # seconds


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


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """Everything that configures a deployment. Ids are positions in the tuples."""

    name: str
    version: int
    feeds: tuple[FeedSpec, ...]
    tokens: tuple[TokenSpec, ...]
    markets: tuple[MarketSpec, ...]
    risk: RiskParams


def load_parameters(path: Path) -> ParameterSet:
    """Read a parameter set and hold it against the protocol's rules; what is wrong is an ``InputError``."""
    document = read_yaml(path)
    return parse_parameters(document)


def parse_parameters(document: Document) -> ParameterSet:
    """A parameter set from a document already read."""
    model = validate(document, ParametersModel)
    with faults_of(document):
        return _build(model)


def genesis_actions(params: ParameterSet) -> list[tuple[str, GenesisAction]]:
    """The actions that put a set in force on both twins, in order, each with the role that sends it."""
    feeds = [SetFeed(index, feed.decimals, feed.max_age) for index, feed in enumerate(params.feeds)]
    markets = [SetMarket(index, market.params) for index, market in enumerate(params.markets)]
    collateral = [
        SetCollateral(index, token.params) for index, token in enumerate(params.tokens) if token.params is not None
    ]
    ordered: list[GenesisAction] = [*feeds, SetRisk(params.risk), *markets, *collateral]
    return [(ADMIN, action) for action in ordered]


def resolve(text: str, names: Sequence[str], loc: Loc, what: str) -> int:
    """The id that a name has, by position. Refuses an unknown name, with near ones."""
    if text in names:
        return names.index(text)
    raise unknown(text, names, loc, what)


def unknown(text: str, names: Iterable[str], loc: Loc, what: str) -> Fault:
    """The fault of a name that nothing has."""
    known = list(names)
    return Fault(loc, f"unknown {what} {shown(text)}" + near(text, known), listed(known))


def _build(model: ParametersModel) -> ParameterSet:
    feeds = _build_feeds(model)
    feed_names = [feed.name for feed in feeds]
    risk = model.risk.to_record()
    _check(("risk",), check_risk, risk)
    _check_count(model.tokens, "tokens", MAX_TOKENS)
    tokens = tuple(_build_token(name, token, risk, feed_names) for name, token in model.tokens.items())
    if not tokens or tokens[0].name != SETTLEMENT:
        raise Fault(("tokens",), f"the first token must be {SETTLEMENT}, the settlement token")
    _check_count(model.markets, "markets", MAX_MARKETS)
    markets = []
    for name, market in model.markets.items():
        loc = ("markets", name)
        params = market.to_record(resolve(market.feed, feed_names, (*loc, "feed"), "feed"))
        _check(loc, check_market, risk, params, rows="tiers")
        markets.append(MarketSpec(name, params))
    return ParameterSet(model.name, model.version, feeds, tokens, tuple(markets), risk)


def _build_feeds(model: ParametersModel) -> tuple[FeedSpec, ...]:
    _check_count(model.feeds, "feeds", MAX_FEEDS)
    hub = FeedHub(admin=0, poster=0, feeds=())
    feeds = []
    for index, (name, feed) in enumerate(model.feeds.items()):
        action = SetFeed(index, feed.decimals, feed.max_age)
        hub, _ = _check(("feeds", name), process_set_feed, hub, 0, hub.admin, action)
        feeds.append(FeedSpec(name, feed.description, feed.decimals, feed.max_age))
    return tuple(feeds)


def _build_token(name: str, token: TokenModel, risk: RiskParams, feed_names: Sequence[str]) -> TokenSpec:
    loc = ("tokens", name)
    if name == SETTLEMENT:
        if token.decimals != SETTLEMENT_DECIMALS:
            raise Fault((*loc, "decimals"), f"{SETTLEMENT} has {SETTLEMENT_DECIMALS} decimals")
        for key in ("feed", "haircuts"):
            if getattr(token, key) is not None:
                raise Fault((*loc, key), f"{SETTLEMENT} counts 1 and has no {key}", "remove the key", key=True)
        return TokenSpec(name, token.decimals, None)
    if token.feed is None or token.haircuts is None:
        missing = "feed" if token.feed is None else "haircuts"
        raise Fault(loc, f"the key `{missing}` is missing", f"every token but {SETTLEMENT} is collateral", key=True)
    feed = resolve(token.feed, feed_names, (*loc, "feed"), "feed")
    params = CollateralParams(feed, token.decimals, to_haircuts(token.haircuts))
    _check(loc, check_collateral, risk, params, rows="haircuts")
    return TokenSpec(name, token.decimals, params)


def to_haircuts(rows: Sequence[HaircutModel]) -> tuple[HaircutBracket, ...]:
    """The protocol's records of haircut entries."""
    return tuple(HaircutBracket(row.lower, row.mm, row.im) for row in rows)


def _check_count(entries: Mapping[str, Any], what: str, most: int) -> None:
    if len(entries) > most:
        raise Fault((what, list(entries)[most]), f"there is room for {most} {what}, not {len(entries)}", key=True)


def _check(loc: Loc, rule: Callable[..., T], *arguments: Any, rows: str = "") -> T:
    """Apply one of the protocol's rules; a refusal becomes a fault at ``loc``, or at the row that it names."""
    try:
        return rule(*arguments)
    except Refusal as refusal:
        lower = refusal.facts.get("lower")
        if rows and lower is not None:
            # The last row of that bound: when two are equal, it is the second that does not rise.
            brackets = arguments[-1].brackets
            loc = (*loc, rows, max(index for index, row in enumerate(brackets) if row.lower == lower))
        where = f" (from {write_decimal(lower, 18)})" if lower is not None else ""
        sentence = (refusal.__doc__ or "").strip().splitlines()[0]
        message = f"refused as {refusal.code}{where}: {sentence}"
        raise Fault(loc, message, RULES.get(refusal.code, ""), key=not rows or lower is None) from None
