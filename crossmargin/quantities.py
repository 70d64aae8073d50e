"""Numbers and times in files people write: text to integers and back, exactly. No float is ever made."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from crossmargin.text import decimal
from crossmargin.yamltext import shown

UNSIGNED_LIMIT = 2**256  # widths of the contracts' arguments; narrower stores refuse with a code of their own
SIGNED_LIMIT = 2**255
LATEST_TIME = 253_402_300_799  # the last second of the year 9999
MOST_CHARACTERS = 100  # 2^256 has 78 digits; longer text never reaches int(), which is slow for millions of them

_DECIMAL = re.compile(r"([+-]?)(0|[1-9][0-9]*)(?:\.([0-9]+))?")
_EXPONENT = re.compile(r"[+-]?[0-9.]+[eE][+-]?[0-9]*")
_GROUPED = re.compile(r"[+-]?[0-9]+([_,'][0-9]+)+(\.[0-9]+)?")
_INTEGER = re.compile(r"0x[0-9a-fA-F]+|0|[1-9][0-9]*")
_DURATION = re.compile(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?")
_TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadText(ValueError):
    """Text that does not say what it should, and what to write instead."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def read_decimal(text: str, decimals: int, *, signed: bool = False, limit: int = 0, holder: str = "") -> int:
    """A decimal number as an integer at ``10**decimals``.

    ``limit`` (by default the width of a contract's argument) is the first magnitude too large. Refuses exponents,
    separators, leading zeros, more decimals than ``holder`` has, a negative number unless ``signed``.
    """
    if len(text) > MOST_CHARACTERS:
        raise BadText(f"{shown(text)} has {len(text)} characters, more than any number the protocol can hold")
    match = _DECIMAL.fullmatch(text)
    if match is None or not text.isascii():
        raise BadText(*_why_no_number(text))
    sign, whole, fraction = match[1], match[2], (match[3] or "").rstrip("0")
    if len(fraction) > decimals:
        kept = f"{holder} has {decimals}" if holder else f"at most {decimals} are kept here"
        raise BadText(f"{shown(text)} has {len(fraction)} decimals, {kept}")
    value = int(whole + fraction.ljust(decimals, "0"))
    if sign == "-":
        value = -value
    if value < 0 and not signed:
        raise BadText(f"{shown(text)} is negative, it must be 0 or more")
    bound = limit or (SIGNED_LIMIT if signed else UNSIGNED_LIMIT)
    if not -bound <= value < bound:
        raise BadText(
            f"{shown(text)} is larger than the protocol can hold", f"it must be below {decimal(bound, decimals, 0)}"
        )
    return value


def _why_no_number(text: str) -> tuple[str, str]:
    if _EXPONENT.fullmatch(text):
        return f"{shown(text)} is in exponent notation", "write all its digits"
    if _GROUPED.fullmatch(text):
        return f"{shown(text)} has separators between its digits", "write the digits alone"
    if re.fullmatch(r"[+-]?0[0-9]+(\.[0-9]*)?", text):
        return f"{shown(text)} begins with a zero, which some readers take for octal", "leave the zero out"
    return f"{shown(text)} is not a number", "write digits, with a point before decimals: 1250.5"


def write_decimal(value: int, decimals: int) -> str:
    """The shortest decimal text of an integer at ``10**decimals``."""
    return decimal(value, decimals, 0)


def read_integer(text: str, limit: int = UNSIGNED_LIMIT) -> int:
    """A whole number from 0 to ``limit - 1``, in digits or in ``0x`` form."""
    if len(text) > MOST_CHARACTERS or not _INTEGER.fullmatch(text):
        raise BadText(f"{shown(text)} is not a whole number", "write digits only")
    value = int(text, 0)
    if value >= limit:
        raise BadText(f"{shown(text)} is too large", f"it must be below {limit}")
    return value


def read_duration(text: str) -> int:
    """Seconds from text such as ``90s``, ``1h30m`` or ``1d2h``."""
    match = _DURATION.fullmatch(text)
    remedy = "write days, hours, minutes and seconds with their letters: 1d2h, 1h30m, 90s"
    if not text or len(text) > MOST_CHARACTERS or match is None:
        raise BadText(f"{shown(text)} is not a duration", remedy)
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if total >= UNSIGNED_LIMIT:
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


def read_time(text: str) -> int:
    """Unix seconds from a UTC time such as ``2020-03-12T10:00:00Z``; seconds may be left out."""
    match = _TIME.fullmatch(text)
    remedy = "write it in UTC, like 2020-03-12T10:00:00Z"
    if match is None:
        raise BadText(f"{shown(text)} is not a time", remedy)
    try:
        moment = datetime(*(int(part or 0) for part in match.groups()), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError as problem:
        raise BadText(f"{shown(text)} is not a time: {problem}", remedy) from None
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    if seconds < 0:
        raise BadText(f"{shown(text)} lies before 1970")
    return seconds


def write_time(seconds: int) -> str:
    """A unix time as ``2020-03-12T10:00:00Z``."""
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
