"""How a scenario writes a population: what ``members`` and ``expansion`` turn into accounts and steps."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from crossmargin.fields import MARKET_NAME, TOKEN_NAME, FileModel, Integer, Name, Prose
from crossmargin.moments import Moment, When

MOST_MEMBERS = 10_000  # far more than a replay can use
MOST_PROVIDERS = 1_000
MOST_WEIGHT = 1_000_000
HUNDRED = 100

SEED = Name("a seed", "[A-Za-z0-9][A-Za-z0-9_-]{0,63}", "use up to 64 letters, digits, _ and -")
WeightField = Annotated[int, Integer(MOST_WEIGHT)]


class OpensModel(FileModel):
    """When traders open their positions; each at a second drawn evenly. Providers pay in when it begins."""

    begin: Annotated[When, Moment()] = Field(alias="from", description="From this time on.")
    end: Annotated[When, Moment()] = Field(alias="until", description="Before this time.")


class BooksModel(FileModel):
    """Weights of what traders hold."""

    long: WeightField = Field(default=0, description="A long position in one market.")
    short: WeightField = Field(default=0, description="A short position in one market.")
    basket: WeightField = Field(default=0, description="Long in two markets, with half the notional in each.")
    spread: WeightField = Field(default=0, description="Long in one market, short in another, half the notional each.")
    covered: WeightField = Field(default=0, description="Collateral, and a short position of the same size.")


class BehavioursModel(FileModel):
    """Weights of what traders do while they hold it."""

    holds: WeightField = Field(default=0, description="Nothing.")
    tops_up: WeightField = Field(default=0, description="Adds USDC at a margin call.")
    reduces: WeightField = Field(default=0, description="Closes a part of each position at a margin call.")
    stops: WeightField = Field(default=0, description="Closes everything when a price is beyond its stop.")
    panics: WeightField = Field(default=0, description="Closes everything after a sharp move against it.")


class ProvidersModel(FileModel):
    """Liquidity providers."""

    number: Annotated[int, Integer(MOST_PROVIDERS)] = Field(description="How many.")
    leaving: Annotated[int, Integer(HUNDRED + 1)] = Field(
        default=0, description="How many of a hundred ask for their redemption and claim it."
    )


class PopulationModel(FileModel):
    """Accounts drawn from a seed: who holds what, opens when, and does what about the prices of the tape.

    The same file gives the same accounts and steps everywhere. Steps may be refused: whoever was liquidated has nothing
    to close.
    """

    profile: Annotated[str, Prose()] = Field(description="A name under specs/populations, or a path from this file.")
    seed: Annotated[str, SEED] = Field(description="Another seed gives other accounts of the same kind.")
    accounts: Annotated[int, Integer(MOST_MEMBERS + 1)] = Field(description="How many traders, an account each.")
    opens: OpensModel
    markets: dict[Annotated[str, MARKET_NAME], WeightField] = Field(description="Weights of markets by name.")
    collateral: dict[Annotated[str, TOKEN_NAME], WeightField] = Field(
        description="Weights of tokens by name. Whoever draws another than USDC pays an evenly drawn part in USDC."
    )
    books: BooksModel
    behaviours: BehavioursModel
    isolated: Annotated[int, Integer(HUNDRED + 1)] = Field(
        default=0, description="How many of a hundred of those with one position open an isolated account for it."
    )
    providers: ProvidersModel | None = None
