"""``price_response`` of a scenario: the depth of each market that liquidations move, and how fast the move is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from crossmargin.faults import Fault
from crossmargin.fields import MARKET_NAME, Duration, FileModel, Quantity, Reader
from crossmargin.messages import shown
from crossmargin.names import resolve
from crossmargin.parameters import ParameterSet
from crossmargin.quantities import BadText
from oracle.feeds import SetFeed
from protocol.units import Seconds, Usd

HEAD = "price_response"


@dataclass(frozen=True, slots=True)
class ResponseSpec:
    """How prices respond: ``depths`` are the dollars at scale W that move a market's price by 1 %, by market."""

    half_life: Seconds
    depths: Mapping[int, Usd]


@dataclass(frozen=True, slots=True)
class Zero(Reader[int]):
    """``0``: prices do not respond."""

    def read(self, text: str) -> int:
        """Nothing else."""
        if text != "0":
            raise BadText(f"{shown(text)} is no price response", "write half_life and depth below it, or 0 for none")
        return 0

    def schema(self) -> dict[str, Any]:
        """The number, or its text."""
        return {"enum": [0, "0"]}


class PriceResponseModel(FileModel):
    """What liquidations do to the rounds after them."""

    half_life: Annotated[int, Duration()] = Field(description="After this time, half of a move is left.")
    depth: dict[Annotated[str, MARKET_NAME], Annotated[int, Quantity(18)]] = Field(
        description="Dollars of liquidated notional that move a market's price by 1 %; one not named does not respond."
    )


def _response_form(value: Any) -> str:
    return "none" if isinstance(value, str) else "terms"


PriceResponseField = Annotated[
    Annotated[int, Zero(), Tag("none")] | Annotated[PriceResponseModel, Tag("terms")], Discriminator(_response_form)
]


def build_response(model: PriceResponseModel | int | None, params: ParameterSet) -> ResponseSpec | None:
    """The record; None for none.

    Refuses a depth or half-life of 0, no depth at all, and a market whose feed is not a pushed one.
    """
    if not isinstance(model, PriceResponseModel):
        return None
    if model.half_life == 0:
        raise Fault((HEAD, "half_life"), "a move of which nothing is left at once is none", f"write {HEAD}: 0")
    if not model.depth:
        raise Fault((HEAD, "depth"), "no market responds", f"name one, or write {HEAD}: 0")
    depths: dict[int, Usd] = {}
    names = [market.name for market in params.markets]
    for name, depth in model.depth.items():
        loc = (HEAD, "depth", name)
        market = resolve(name, names, loc, "market", key=True)
        if depth == 0:
            raise Fault(loc, f"with a depth of 0 nothing is left of the price of {name}", "leave the market out")
        feed = params.feeds[params.markets[market].params.feed]
        if not isinstance(feed.action, SetFeed):
            message = f"the feed of {name}, `{feed.name}`, is not pushed, and only pushed answers respond"
            raise Fault(loc, message, "leave the market out, or use a set in which its feed is pushed", key=True)
        depths[market] = depth
    return ResponseSpec(model.half_life, depths)
