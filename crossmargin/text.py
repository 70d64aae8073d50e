"""Integers of the protocol as text for people: exact, never through a float; and statuses by name."""

from __future__ import annotations

from datetime import UTC, datetime

from protocol.env import Status
from protocol.units import W


def decimal(amount: int, scale: int = 18, places: int = 2, *, grouped: bool = False) -> str:
    """An integer at ``10**scale`` as an exact decimal with at least ``places`` decimals; grouped by thousands."""
    sign = "-" if amount < 0 else ""
    whole, fraction = divmod(abs(amount), 10**scale)
    digits = str(fraction).rjust(scale, "0").rstrip("0") if scale else ""
    integer = f"{whole:,}" if grouped else str(whole)
    return f"{sign}{integer}" + (f".{digits.ljust(places, '0')}" if digits or places else "")


def list_faults(status: int) -> list[str]:
    """The names of what is wrong with a price."""
    return [fault.name or "" for fault in Status if fault & status]


def dollars(amount: int, *, signed: bool = False) -> str:
    """Dollars at scale W with thousands separators, cut to cents toward zero; ``signed`` shows a plus as well."""
    cents = abs(amount) * 100 // W
    sign = "-" if amount < 0 else "+" if signed else ""
    return f"{sign}{cents // 100:,}.{cents % 100:02}"


def moment(time: int) -> str:
    """A unix time as ``13 Mar 02:16:09`` (UTC)."""
    return datetime.fromtimestamp(time, UTC).strftime("%d %b %H:%M:%S")


def day_and_time(time: int) -> str:
    """A unix time as ``2020-03-13 02:16:09`` (UTC)."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S")
