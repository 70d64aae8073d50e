"""Profiles: the quantile tables that a population is drawn from, read from ``specs/populations/*.yaml``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import Field

from crossmargin.faults import Fault, Faults
from crossmargin.fields import Duration, FileModel, Quantity, validate
from crossmargin.parameter_file import SET_NAME
from crossmargin.population.draws import Quantiles
from crossmargin.yamltext import Document, read_yaml
from protocol.units import BPS, UNITS_LIMIT

LEVERAGE_DECIMALS = 2
MOST_LEVERAGE = 10**5  # hundredths: beyond a thousand no market of ours goes
LONGEST = 366 * 86_400  # seconds: no run of a population lasts longer

ShareField = Annotated[int, Quantity(4)]


class DollarRow(FileModel):
    """A quantile in dollars."""

    share: ShareField = Field(description="Part of all whose value is at most this: 0, then rising, at last 1.")
    value: Annotated[int, Quantity(6, limit=UNITS_LIMIT)] = Field(description="USD.")


class LeverageRow(FileModel):
    """A quantile of a leverage."""

    share: ShareField = Field(description="Part of all whose value is at most this: 0, then rising, at last 1.")
    value: Annotated[int, Quantity(LEVERAGE_DECIMALS, limit=MOST_LEVERAGE)] = Field(description="Notional / equity.")


class PartRow(FileModel):
    """A quantile of a part."""

    share: ShareField = Field(description="Part of all whose value is at most this: 0, then rising, at last 1.")
    value: Annotated[int, Quantity(4)] = Field(description="0.25 is a quarter; at most 1.")


class TimeRow(FileModel):
    """A quantile of a time."""

    share: ShareField = Field(description="Part of all whose value is at most this: 0, then rising, at last 1.")
    value: Annotated[int, Duration()] = Field(description="1h30m.")


class ProfileModel(FileModel):
    """A profile of crossmargin: how traders and liquidity providers differ, as tables of quantiles."""

    name: Annotated[str, SET_NAME] = Field(description="As the file's.")
    equity: tuple[DollarRow, ...] = Field(description="What a trader pays in.")
    leverage: tuple[LeverageRow, ...] = Field(description="Notional of the positions opened, for a dollar of equity.")
    reaction: tuple[TimeRow, ...] = Field(description="From a round to what a trader does about it.")
    top_up: tuple[PartRow, ...] = Field(description="USDC added at a margin call, as a part of the equity paid in.")
    reduction: tuple[PartRow, ...] = Field(description="What is closed of each position at a margin call.")
    stop: tuple[PartRow, ...] = Field(description="How far from the entry price a stop lies.")
    panic: tuple[PartRow, ...] = Field(description="The move against a position that makes its owner close everything.")
    panic_window: tuple[TimeRow, ...] = Field(description="The time within which that move must happen.")
    stake: tuple[DollarRow, ...] = Field(description="What a liquidity provider pays in.")
    leaving: tuple[TimeRow, ...] = Field(description="From a provider's deposit to its request, if it leaves.")
    claiming: tuple[TimeRow, ...] = Field(description="From the end of the redemption delay to the provider's claim.")


TABLES = tuple(name for name in ProfileModel.model_fields if name != "name")
Row = DollarRow | LeverageRow | PartRow | TimeRow


@dataclass(frozen=True, slots=True)
class Profile:
    """The tables of a profile, with the fields of its file.

    Dollars are in units of USDC, leverage in hundredths, parts in basis points, times in seconds.
    """

    name: str
    equity: Quantiles
    leverage: Quantiles
    reaction: Quantiles
    top_up: Quantiles
    reduction: Quantiles
    stop: Quantiles
    panic: Quantiles
    panic_window: Quantiles
    stake: Quantiles
    leaving: Quantiles
    claiming: Quantiles


def load_profile(path: Path) -> Profile:
    """Read a profile. Whatever is wrong with it is an ``InputError``."""
    return parse_profile(read_yaml(path))


def parse_profile(document: Document) -> Profile:
    """A profile from a document already read. All that is wrong with its tables is told together."""
    model = validate(document, ProfileModel)
    faults = Faults(document)
    for name in TABLES:
        with faults.noted():
            _check_table(name, getattr(model, name))
    faults.stop()
    tables = {name: getattr(model, name) for name in TABLES}
    return Profile(
        model.name,
        **{
            name: Quantiles(tuple(row.share for row in rows), tuple(row.value for row in rows))
            for name, rows in tables.items()
        },
    )


def _check_table(name: str, rows: Sequence[Row]) -> None:
    """Refuse a table that is no distribution, or has values that mean nothing."""
    if len(rows) < 2:
        remedy = "give at least two, for share 0 and share 1"
        raise Fault((name,), f"`{name}` has {len(rows)} quantiles", remedy, key=True)
    if rows[0].share:
        raise Fault((name, 0, "share"), "the first quantile is not that of share 0", "write share: 0")
    last = len(rows) - 1
    if rows[last].share != BPS:
        raise Fault((name, last, "share"), "the last quantile is not that of share 1", "write share: 1")
    for index, (lower, upper) in enumerate(pairwise(rows), 1):
        if upper.share <= lower.share:
            raise Fault((name, index, "share"), "shares rise from one quantile to the next", "sort them")
        if upper.value < lower.value:
            raise Fault((name, index, "value"), "values never fall from one quantile to the next", "sort them")
    if isinstance(rows[0], TimeRow):
        if rows[last].value > LONGEST:
            raise Fault((name, last, "value"), "this is longer than a run", "write at most 366d")
    elif rows[0].value == 0:
        raise Fault((name, 0, "value"), f"`{name}` is 0 for some", "write a value above 0")
    if isinstance(rows[0], PartRow) and rows[last].value > BPS:
        raise Fault((name, last, "value"), "a part is at most 1", "write a quarter as 0.25")
