"""The shape of what reports to a source in a scenario: a true price, who reports it, and what goes wrong on the way."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from crossmargin.fields import FEED_NAME, Choice, DecimalText, Duration, FileModel, Integer, Prose, Quantity, Reference
from crossmargin.moments import Moment, When
from crossmargin.reporters import Strategy
from crossmargin.source_file import ReportField

MomentField = Annotated[When, Moment()]
ShareField = Annotated[int, Quantity(4)]


class SpanModel(FileModel):
    """A stretch of time."""

    begins: MomentField = Field(description="Its first second.")
    ends: MomentField = Field(description="The first second after it.")


class WickModel(SpanModel):
    """A venue that trades apart from all others, and the honest reporter who looks at it alone."""

    reporter: Annotated[int, Integer(2**8)] = Field(description="Which one, from 0 in the order of the source.")
    price: ShareField = Field(description="What the venue shows, as a part of the true price.")


def _truth_form(value: Any) -> str:
    return "prices" if isinstance(value, dict) else "column"


TruthField = Annotated[
    Annotated[dict[MomentField, Annotated[str, DecimalText()]], Tag("prices")]
    | Annotated[str, FEED_NAME, Tag("column")],
    Discriminator(_truth_form),
]


class ReportersModel(FileModel):
    """Those who report to a median, or sign for a pull source; the last ``faulty`` of them follow a strategy."""

    source: Annotated[str, Reference()] = Field(description="The median or pull source.")
    feed_id: ReportField | None = Field(default=None, description="Of a pull source: which feed of reports.")
    truth: TruthField = Field(description="The true price: a column of the tape, or prices by time.")
    every: Annotated[int, Duration()] | None = Field(
        default=None, description="How often they report; by default whenever the true price is a new one."
    )
    ends: MomentField | None = Field(default=None, description="The last second of reports; by default, of the truth.")
    faulty: Annotated[int, Integer(2**8)] = Field(default=0, description="How many do not do as they should.")
    strategy: Annotated[str, Choice("strategy", tuple(Strategy))] = Field(
        default=Strategy.HONEST.value, description="What those do."
    )
    since: MomentField = Field(default=When(0, is_offset=True), description="From when on.")
    push: ShareField = Field(default=0, description="How far a lie is from what was seen, as a part of it.")
    lag: Annotated[int, Duration()] = Field(default=0, description="How late a delayed report is, or post-dated.")
    decimals: Annotated[int, Quantity(0, signed=True, limit=20)] = Field(
        default=0, description="How many decimals too many a price in wrong decimals has."
    )
    noise: Annotated[int, Quantity(6)] = Field(default=0, description="How far what is seen is from the truth.")
    seed: Annotated[str, Prose()] | None = Field(default=None, description="Of the noise; by default, the source.")
    wick: WickModel | None = None
    outages: tuple[SpanModel, ...] = Field(default=(), description="When nobody's report arrives.")
