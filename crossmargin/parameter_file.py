"""The shape of a parameter set's file: what ``parameters.py`` turns into records, and the JSON Schema describes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from crossmargin.fields import (
    FEED_NAME,
    MARKET_NAME,
    TOKEN_NAME,
    Choice,
    DecimalText,
    Duration,
    FileModel,
    Integer,
    Name,
    Prose,
    Quantity,
    Reference,
    refuse,
)
from crossmargin.node_file import NODE_NAME, NodeModel
from crossmargin.source_file import SOURCE_NAME, SourceModel
from protocol.params import (
    MAX_BRACKETS,
    MAX_DECIMALS,
    EquityTier,
    HaircutBracket,
    MarginBracket,
    MarketParams,
    OrderParams,
    RiskParams,
)

UsdField = Annotated[int, Quantity(18)]
SizeField = Annotated[int, Quantity(18)]
RatioField = Annotated[int, Quantity(18)]
BpsField = Annotated[int, Quantity(4)]
DurationField = Annotated[int, Duration()]
UnitsField = Annotated[str, DecimalText()]
ON = "on"
SwitchField = Annotated[str, Choice("setting of a switch", (ON, "off"))]
SET_NAME = Name("a parameter set's name", "[a-z][a-z0-9_]{0,40}", "use lower-case letters, digits and _")


class FeedModel(FileModel):
    """One price feed: pushed, or the product of two pushed feeds (`rate` and `underlying`), or a node of the graph."""

    description: Annotated[str, Prose()] = Field(description="What the feed says of itself, as `BTC / USD`.")
    decimals: Annotated[int, Integer()] | None = Field(default=None, description="Decimals of its answers, at most 18.")
    max_age: DurationField | None = Field(default=None, description="A price older than this is stale: 1m to 3d.")
    rate: Annotated[str, Reference()] | None = Field(
        default=None, description="The feed of how much of the underlying one token is worth."
    )
    underlying: Annotated[str, Reference()] | None = Field(default=None, description="The feed of the underlying.")
    node: Annotated[str, Reference()] | None = Field(
        default=None, description="The node that gives its price, in dollars; it can be exchanged for another."
    )

    @classmethod
    def check_keys(cls, data: dict[str, Any]) -> None:
        """One kind or another."""
        kinds = {"a node": ("node",), "a rate": ("rate", "underlying"), "decimals": ("decimals", "max_age")}
        kind = next((kind for kind, keys in kinds.items() if any(key in data for key in keys)), "decimals")
        for key in kinds.pop(kind):
            if key not in data:
                refuse(
                    f"the key `{key}` is missing", "a feed has decimals and max_age, or rate and underlying, or node"
                )
        for keys in kinds.values():
            for key in keys:
                if key in data:
                    refuse(f"a feed with {kind} has no {key}", "remove the key", key)


class EquityTierModel(FileModel):
    """Leverage for the part of an account's equity from here to the next tier."""

    lower: UsdField = Field(alias="from", description="Equity in USD where the tier begins.")
    leverage: RatioField = Field(description="Notional that one dollar of it carries.")


class RiskModel(FileModel):
    """What holds for every account and market."""

    keeper_reserve: UsdField = Field(description="USD added to both margins of an account with a position.")
    margin_call_buffer: RatioField = Field(description="Part of maintenance margin above it that is a margin call.")
    liquidation_buffer: RatioField = Field(
        description="Part of maintenance margin above it at which a partial liquidation ends."
    )
    backstop_ratio: BpsField = Field(description="Below this part of maintenance margin an account is BACKSTOP.")
    fixed_reward: UsdField = Field(description="USD a keeper gets for a liquidation.")
    reward_ratio: RatioField = Field(description="Part of the notional closed that a keeper gets on top, at first.")
    reward_ratio_max: RatioField = Field(description="Part of the notional closed that a keeper gets at last.")
    reward_ramp: RatioField = Field(description="By how much the part grows each second after the grace time.")
    reward_grace: DurationField = Field(description="Time after the flag in which the part does not grow.")
    max_reward: UsdField = Field(description="USD a keeper gets at most.")
    reward_cap: BpsField = Field(description="Part of the notional closed that the whole reward may reach.")
    penalty_ratio: RatioField = Field(description="Part of the notional closed that the account pays as a penalty.")
    impact_cap_ratio: RatioField = Field(
        description="Part of the notional closed that a liquidation charges for price impact at most."
    )
    debt_cap: UsdField = Field(description="USD an account may owe and still add risk.")
    insurance_fee_share: BpsField = Field(description="Part of trading fees that goes to insurance.")
    insurance_penalty_share: BpsField = Field(description="Part of penalties that goes to insurance.")
    sale_discount: BpsField = Field(description="Discount at which a debtor's collateral goes to the pool.")
    margin_call_fee: UsdField = Field(description="USD an account pays for a margin call.")
    phase_in: DurationField = Field(description="How long the milder maintenance parameters hold after a change.")
    lock_ratio: BpsField = Field(description="Part of the larger side's notional that the pool must keep.")
    stale_band: BpsField = Field(
        description="By this part a price that cannot be trusted is moved in the account's favour."
    )
    usdc_feed: Annotated[str, Reference()] | None = Field(
        default=None, description="The feed that prices USDC; without one it counts one dollar."
    )
    depeg_threshold: BpsField = Field(
        default=0, description="Part of a dollar; while USDC is below it initial margin rises."
    )
    depeg_factor: BpsField = Field(
        default=0, description="By how much, part of the notional for each dollar that USDC is below the threshold."
    )
    redemption_delay: DurationField = Field(description="Time from a redemption's request to its claim.")
    redemption_window: DurationField = Field(description="Time in which it must then be claimed.")
    equity_tiers: Annotated[tuple[EquityTierModel, ...], Field(max_length=MAX_BRACKETS)] = Field(
        description="Leverage by account equity."
    )

    def to_record(self, usdc_feed: int) -> RiskParams:
        """The protocol's record, with the feed of USDC plus 1 or 0; its other fields have the same names."""
        values = {name: getattr(self, name) for name in RiskModel.model_fields} | {"usdc_feed": usdc_feed}
        values["equity_tiers"] = tuple(EquityTier(tier.lower, tier.leverage) for tier in self.equity_tiers)
        return RiskParams(**values)


class TierModel(FileModel):
    """Margin rates for the part of a position from here to the next tier."""

    lower: UsdField = Field(alias="from", description="Notional in USD where the tier begins.")
    mm: RatioField = Field(description="Maintenance margin rate.")
    im: RatioField = Field(description="Initial margin rate.")


class MarketModel(FileModel):
    """One perpetual market."""

    feed: Annotated[str, Reference()] = Field(description="The feed that prices it.")
    ceiling: UsdField = Field(description="USD at which maintenance counts a long while there is no price.")
    lot: SizeField = Field(description="Sizes are multiples of this, in base units.")
    min_notional: UsdField = Field(description="USD of the smallest position.")
    maker_fee: RatioField = Field(description="Fee of a trade that shrinks the skew, part of the notional.")
    taker_fee: RatioField = Field(description="Fee of a trade that grows the skew, part of the notional.")
    skew_scale: SizeField = Field(description="Skew in base units at which the premium would be 1.")
    max_premium: BpsField = Field(description="The premium's bound, part of the price.")
    rebate_ratio: BpsField = Field(description="Part of the impact given back to a trade that shrinks the skew.")
    oi_cap: SizeField = Field(description="Open interest of one side, in base units, at most.")
    oi_cap_usd: UsdField = Field(description="Open interest of one side, in USD, at most.")
    skew_cap: SizeField = Field(description="Skew, in base units, at most.")
    funding_cap: RatioField = Field(description="Funding rate per day at most.")
    funding_velocity: RatioField = Field(description="Change of the rate per day when the skew is the whole scale.")
    funding_decay: RatioField = Field(description="Change of the rate per day toward 0 inside the dead band.")
    dead_band: BpsField = Field(description="Part of the skew scale within which the rate decays.")
    oi_lower: UsdField = Field(description="Open interest in USD from which initial margin rises; 0 for never.")
    oi_upper: UsdField = Field(description="Open interest in USD at which it is the whole notional; 0 for never.")
    window: DurationField = Field(description="Length of the liquidation window; 0s for no limit.")
    window_notional: UsdField = Field(description="USD that partial liquidations may close within it.")
    tiers: Annotated[tuple[TierModel, ...], Field(max_length=MAX_BRACKETS)] = Field(
        description="Margin rates by notional."
    )

    def to_record(self, feed: int) -> MarketParams:
        """The protocol's record; its fields have the same names, but the tiers."""
        values = {name: getattr(self, name) for name in MarketModel.model_fields if name not in {"feed", "tiers"}}
        brackets = tuple(MarginBracket(tier.lower, tier.mm, tier.im) for tier in self.tiers)
        return MarketParams(feed=feed, brackets=brackets, **values)


class OrdersModel(FileModel):
    """How a market trades by committed orders."""

    delay: DurationField = Field(description="From the commitment to the first round that may be the price: 1s to 1h.")
    window: DurationField = Field(description="Time in which the order must then be settled: 1s to 1h.")
    fee: UsdField = Field(description="USD of an order, for whoever settles it: above 0, at most 100.")
    cancel_fee: UsdField = Field(description="USD of the fee for whoever cancels an expired order.")

    def to_record(self, feed: int) -> OrderParams:
        """The protocol's record."""
        return OrderParams(feed, self.delay, self.window, self.fee, self.cancel_fee)


class MarketOrdersModel(OrdersModel):
    """The rules of a market's committed orders."""

    feed: Annotated[str, Reference()] | None = Field(
        default=None, description="The pushed feed whose rounds are their prices; without it, the market's own."
    )


class ListedMarketModel(MarketModel):
    """One perpetual market, and how it trades."""

    orders: MarketOrdersModel | None = Field(
        default=None, description="Rules of orders; without it, it trades at once."
    )


class HaircutModel(FileModel):
    """Weights for the part of a collateral's value from here to the next entry."""

    lower: UsdField = Field(alias="from", description="Value in USD where the weights begin.")
    mm: RatioField = Field(description="Weight towards maintenance margin.")
    im: RatioField = Field(description="Weight towards initial margin.")


Haircuts = Annotated[tuple[HaircutModel, ...], Field(max_length=MAX_BRACKETS)]


def to_haircuts(rows: Sequence[HaircutModel]) -> tuple[HaircutBracket, ...]:
    """The protocol's records of haircut entries."""
    return tuple(HaircutBracket(row.lower, row.mm, row.im) for row in rows)


class TokenModel(FileModel):
    """One token; all but USDC are collateral."""

    # Bounded here, since the caps are read with them before the protocol sees them.
    decimals: Annotated[int, Integer(MAX_DECIMALS + 1)] = Field(description="Decimals of the token's units.")
    feed: Annotated[str, Reference()] | None = Field(default=None, description="The feed that prices it.")
    ceiling: UsdField | None = Field(
        default=None, description="USD at which maintenance counts one token while there is no price."
    )
    account_cap: UnitsField | None = Field(default=None, description="Most that one account may hold, whole tokens.")
    global_cap: UnitsField | None = Field(default=None, description="Most that all may hold, whole tokens.")
    haircuts: Haircuts | None = Field(default=None, description="Weights by value.")


class SwitchesModel(FileModel):
    """Rules that can be turned off, to see what they are for. Each is `on` unless the set says `off`."""

    tiers: SwitchField = Field(default=ON, description="Margin tiers; off: a market keeps its first one alone.")
    equity_tiers: SwitchField = Field(default=ON, description="Leverage by account equity; off: no bound by it.")
    insurance: SwitchField = Field(
        default=ON, description="The insurance fund; off: it begins empty, has no share of anything and gets no gifts."
    )
    partial_liquidation: SwitchField = Field(
        default=ON, description="Partial liquidation; off: an account below maintenance margin is closed whole."
    )
    cross_margin: SwitchField = Field(
        default=ON, description="One account for several positions; off: each in an isolated account of its own."
    )

    @property
    def off(self) -> tuple[str, ...]:
        """Names of those that are off."""
        return tuple(name for name, setting in self if setting != ON)


class ParametersModel(FileModel):
    """A parameter set of crossmargin. Numbers are decimals in human units, read exactly."""

    name: Annotated[str, SET_NAME] = Field(description="The set's name.")
    version: Annotated[int, Integer(2**32)] = Field(description="Rises with every change of a number.")
    feeds: dict[Annotated[str, FEED_NAME], FeedModel] = Field(description="Feeds; their order gives the ids.")
    sources: dict[Annotated[str, SOURCE_NAME], SourceModel] = Field(
        default_factory=dict, description="Sources of prices that nodes read, each below those it follows."
    )
    nodes: dict[Annotated[str, NODE_NAME], NodeModel] = Field(
        default_factory=dict, description="Nodes of the price graph, each below those it is made of."
    )
    risk: RiskModel
    switches: SwitchesModel = Field(default_factory=SwitchesModel, description="Rules that are turned off.")
    tokens: dict[Annotated[str, TOKEN_NAME], TokenModel] = Field(description="Tokens in order of id, USDC first.")
    markets: dict[Annotated[str, MARKET_NAME], ListedMarketModel] = Field(
        description="Markets; their order gives the ids."
    )
