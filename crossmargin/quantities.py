"""Numbers and times in files people write: text to integers and back, exactly. No float is ever made."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from crossmargin.messages import shown
from crossmargin.text import decimal

UINT256_LIMIT = 2**256  # widths of the contracts' arguments; narrower stores refuse with a code of their own
INT256_LIMIT = 2**255
LATEST_TIME = 253_402_300_799  # the last second of the year 9999
EARLIEST_START = 172_800  # 1970-01-03: a chain begins, is set up and configured before a scenario does
LATEST_STEP = 253_370_764_799  # the last second of the year 9998: actions that share a second run on after it
MOST_CHARACTERS = 100  # 2^256 has 78 digits; longer text never reaches int(), which is slow for millions of them

# Forms of text, also for the JSON Schemas.
NUMBER = "(0|[1-9][0-9]*)([.][0-9]+)?"
INTEGER = "0|[1-9][0-9]*|0x[0-9a-fA-F]+"
DURATION = "([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?"
TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z"

_DECIMAL = re.compile(f"([+-]?){NUMBER}")
_EXPONENT = re.compile(r"[+-]?[0-9.]+[eE][+-]?[0-9]*")
_GROUPED = re.compile(r"[+-]?[0-9]+([_,'][0-9]+)+(\.[0-9]+)?")
_DIGITS = re.compile("0|[1-9][0-9]*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadText(ValueError):
    """Text that does not say what it should, and what to write instead."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def read_decimal(
    text: str, decimals: int, *, signed: bool = False, limit: int = 0, holder: str = "", cut: bool = False
) -> int:
    """A decimal number as an integer at ``10**decimals``.

    ``limit`` (by default the width of a contract's argument) is the first magnitude too large. Refuses exponents,
    separators, leading zeros, a negative number unless ``signed``, and more decimals than ``holder`` has; with ``cut``
    those are dropped instead, toward zero.
    """
    if len(text) > MOST_CHARACTERS:
        message = f"{shown(text)} has {len(text)} characters, more than any number the protocol can hold"
        raise BadText(message, "is it one number?")
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise BadText(*_why_no_number(text))
    sign, whole, fraction = match[1], match[2], (match[3] or "")[1:].rstrip("0")
    if cut:
        fraction = fraction[:decimals]
    if len(fraction) > decimals:
        kept = f"{holder} has {decimals}" if holder else f"at most {decimals} are kept here"
        raise BadText(f"{shown(text)} has {len(fraction)} decimals, {kept}", "nothing is rounded here: write fewer")
    value = int(whole + fraction.ljust(decimals, "0"))
    if sign == "-":
        value = -value
    if value < 0 and not signed:
        raise BadText(f"{shown(text)} is negative, it must be 0 or more")
    bound = limit or (INT256_LIMIT if signed else UINT256_LIMIT)
    if not -bound <= value < bound:
        raise BadText(
            f"{shown(text)} is larger than the protocol can hold", f"it must be below {decimal(bound, decimals, 0)}"
        )
    return value


def _why_no_number(text: str) -> tuple[str, str]:
    if _EXPONENT.fullmatch(text):
        return f"{shown(text)} is in exponent notation", "write all its digits"
    if _GROUPED.fullmatch(text):
        return f"{shown(text)} has separators between its digits", _without_separators(text)
    if re.fullmatch(r"[+-]?0[0-9]+(\.[0-9]*)?", text):
        return f"{shown(text)} begins with a zero, which some readers take for octal", "leave the zero out"
    return f"{shown(text)} is not a number", "write digits, with a point before decimals: 1250.5"


def _without_separators(text: str) -> str:
    """A remedy: groups of three digits can only be thousands, others may mean a fraction."""
    if re.fullmatch(r"[+-]?[0-9]{1,3}([_,'][0-9]{3})+([.][0-9]+)?", text):
        return "write the digits alone: " + re.sub("[_,']", "", text)
    return "write the digits alone, with a point before decimals: 1250.5"


def write_decimal(value: int, decimals: int) -> str:
    """The shortest decimal text of an integer at ``10**decimals``."""
    return decimal(value, decimals, 0)


def read_percent(text: str, *, signed: bool = False) -> int:
    """Basis points of a percentage such as ``1%`` or ``0.25%``, or, if it may be ``signed``, ``-20%``."""
    if not text.endswith("%"):
        raise BadText(f"{shown(text)} is not a percentage", "write such as 1% or 0.25%")
    return read_decimal(text.removesuffix("%"), 2, signed=signed)


def read_integer(text: str, limit: int = UINT256_LIMIT) -> int:
    """A whole number from 0 to ``limit - 1``, in digits or in ``0x`` form."""
    if len(text) > MOST_CHARACTERS or not re.fullmatch(INTEGER, text):
        raise BadText(f"{shown(text)} is not a whole number", "write digits only")
    value = int(text, 0)
    if value >= limit:
        raise BadText(f"{shown(text)} is too large", f"it must be below {limit}")
    return value


def read_duration(text: str) -> int:
    """Seconds from text such as ``90s``, ``1h30m`` or ``1d2h``."""
    match = re.fullmatch(DURATION, text)
    remedy = "write days, hours, minutes and seconds with their letters: 1d2h, 1h30m, 90s"
    if not text or len(text) > MOST_CHARACTERS or match is None:
        raise BadText(f"{shown(text)} is not a duration", remedy)
    days, hours, minutes, seconds = (int((part or "0s")[:-1]) for part in match.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if total >= UINT256_LIMIT:
        raise BadText(f"{shown(text)} is longer than the protocol can hold")
    return total


def write_duration(seconds: int) -> str:
    """The shortest text of a duration."""
    parts = []
    for letter, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{letter}")
    return "".join(parts) or "0s"


def read_unix_time(text: str) -> int:
    """A unix time in whole seconds, in digits."""
    if len(text) > MOST_CHARACTERS or not _DIGITS.fullmatch(text):
        raise BadText(f"{shown(text)} is not a unix time", "write whole seconds, digits only")
    seconds = int(text)
    if seconds > LATEST_TIME:
        raise BadText(f"{shown(text)} lies after the year 9999", "is it in milliseconds?")
    return seconds


def read_time(text: str) -> int:
    """Unix seconds from a UTC time such as ``2020-03-12T10:00:00Z``; seconds may be left out."""
    remedy = "write it in UTC, like 2020-03-12T10:00:00Z"
    if not re.fullmatch(TIME, text):
        raise BadText(f"{shown(text)} is not a time", remedy)
    try:
        moment = datetime(*map(int, re.findall("[0-9]+", text)), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError as problem:
        raise BadText(f"{shown(text)} is not a time: {problem}", remedy) from None
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    if seconds < 0:
        raise BadText(f"{shown(text)} lies before 1970")
    return seconds


def write_time(seconds: int) -> str:
    """A unix time as ``2020-03-12T10:00:00Z``."""
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
