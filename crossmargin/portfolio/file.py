"""The shape of a portfolio file: what ``book.py`` turns into a state, and the JSON Schema describes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from crossmargin.fields import MARKET_NAME, TOKEN_NAME, DecimalText, FileModel, Prose, Quantity, Reference, refuse
from protocol.configuration import LEVERAGE_LIMIT
from protocol.units import PRICE_LIMIT, SIGNED_LIMIT, SIZE_LIMIT, UNSIGNED_LIMIT

PriceField = Annotated[int, Quantity(18, limit=PRICE_LIMIT)]
SizeField = Annotated[int, Quantity(18, signed=True, limit=SIZE_LIMIT)]
OpenInterestField = Annotated[int, Quantity(18, limit=SIZE_LIMIT)]
SignedField = Annotated[int, Quantity(18, signed=True, limit=SIGNED_LIMIT)]
UsdField = Annotated[int, Quantity(18, limit=UNSIGNED_LIMIT)]


class QuoteModel(FileModel):
    """A price with its two sides."""

    bid: PriceField = Field(description="The lower side, USD.")
    price: PriceField = Field(description="The mid, USD.")
    ask: PriceField = Field(description="The upper side, USD.")


class PositionModel(FileModel):
    """A position, with no funding pending on it."""

    size: SizeField = Field(description="Base units, a short is negative.")
    entry: PriceField | None = Field(default=None, description="Average price it was opened at, USD; or give its cost.")
    cost: SignedField | None = Field(default=None, description="Signed quote paid for it, USD; a short's is negative.")

    @classmethod
    def check_keys(cls, data: dict[str, Any]) -> None:
        """What was paid, one way or the other."""
        if "entry" in data and "cost" in data:
            refuse("a position has an entry price or a cost, not both", "remove one", "cost")
        if "entry" not in data and "cost" not in data:
            refuse("the key `entry` is missing", "write the entry price, or the cost of the whole position")


class OthersModel(FileModel):
    """What all other traders hold of a market."""

    long: OpenInterestField = Field(default=0, description="Their longs, base units.")
    short: OpenInterestField = Field(default=0, description="Their shorts, base units.")
    impact: UsdField = Field(default=0, description="The market's impact ledger, USD: what pays rebates.")


def _kind(value: object) -> str:
    return "quote" if isinstance(value, dict) else "price"


PriceModel = Annotated[Annotated[PriceField, Tag("price")] | Annotated[QuoteModel, Tag("quote")], Discriminator(_kind)]


class PortfolioModel(FileModel):
    """One account's book for `crossmargin margin`. Numbers are decimals in human units, read exactly."""

    title: Annotated[str, Prose()] = Field(default="", description="One line.")
    params: Annotated[str, Prose()] = Field(description="A name under specs/params, or a path from this file.")
    prices: dict[Annotated[str, Reference()], PriceModel] = Field(
        description="USD by feed or market; a rate feed by its rate and its underlying."
    )
    cash: SignedField = Field(default=0, description="The account balance, USD; negative is a loan from the pool.")
    collateral: dict[Annotated[str, TOKEN_NAME], Annotated[str, DecimalText()]] = Field(
        default_factory=dict, description="Whole tokens of collateral by name."
    )
    positions: dict[Annotated[str, MARKET_NAME], PositionModel] = Field(
        default_factory=dict, description="Positions by market."
    )
    leverage_caps: dict[Annotated[str, MARKET_NAME], Annotated[int, Quantity(18, limit=LEVERAGE_LIMIT)]] = Field(
        default_factory=dict, description="The owner's own leverage limits by market."
    )
    pool: UsdField | None = Field(
        default=None, description="The pool's dollars; without it no limit of the pool binds."
    )
    others: dict[Annotated[str, MARKET_NAME], OthersModel] = Field(
        default_factory=dict, description="What others hold by market; without it nothing."
    )
