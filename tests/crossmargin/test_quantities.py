from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin import quantities
from crossmargin.quantities import (
    BadText,
    read_decimal,
    read_duration,
    read_integer,
    read_percent,
    read_time,
    read_unix_time,
)


@given(st.integers(-(2**255), 2**255 - 1), st.integers(0, 36))
def test_decimals_round_trip_exactly(value: int, decimals: int) -> None:
    assert read_decimal(quantities.write_decimal(value, decimals), decimals, signed=True) == value


@given(st.integers(0, quantities.LATEST_TIME))
def test_times_round_trip(seconds: int) -> None:
    assert read_time(quantities.write_time(seconds)) == seconds


@given(st.integers(0, 2**256 - 1))
def test_durations_round_trip(seconds: int) -> None:
    assert read_duration(quantities.write_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "decimals", "value"),
    [
        ("0", 6, 0),
        ("0.1", 1, 1),
        ("0.10", 1, 1),  # a zero that says nothing is not a decimal too many
        ("0.1", 18, 10**17),
        ("123456789012345678901234567890.123456789012345678", 18, 123456789012345678901234567890123456789012345678),
        ("-0", 6, 0),
        ("+5", 0, 5),
    ],
)
def test_decimals_are_read_digit_by_digit(text: str, decimals: int, value: int) -> None:
    assert read_decimal(text, decimals) == value


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "is not a number"),
        ("1e18", "exponent notation"),
        ("1.5E-3", "exponent notation"),
        ("nan", "is not a number"),
        (".inf", "is not a number"),
        (".5", "is not a number"),
        ("5.", "is not a number"),
        ("0x10", "is not a number"),
        ("12:30", "is not a number"),
        ("--1", "is not a number"),
        ("1 000", "is not a number"),
        ("\u0661\u0662", "is not a number"),
        ("\uff11", "is not a number"),
        ("1_000", "separators"),
        ("1,000.5", "separators"),
        ("007", "begins with a zero"),
        ("-1", "is negative"),
        ("0.0000001", "has 7 decimals, USDC has 6"),
        ("1" + "0" * 80, "larger than the protocol can hold"),
        ("9" * 1_000_000, "has 1000000 characters"),
    ],
)
def test_bad_decimals_are_refused(text: str, fragment: str) -> None:
    with pytest.raises(BadText) as caught:
        read_decimal(text, 6, holder="USDC")
    assert fragment in caught.value.message
    assert len(caught.value.message) < 160


def test_the_width_of_the_contracts_is_the_limit() -> None:
    assert read_decimal(str(2**256 - 1), 0) == 2**256 - 1
    assert read_decimal(str(-(2**255)), 0, signed=True) == -(2**255)
    for text, signed in ((str(2**256), False), (str(2**255), True), (str(-(2**255) - 1), True)):
        with pytest.raises(BadText, match="larger than the protocol can hold"):
            read_decimal(text, 0, signed=signed)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("12", 12), ("0xff", 255), (str(2**256 - 1), 2**256 - 1), ("0x" + "f" * 64, 2**256 - 1)],
)
def test_integers(text: str, value: int) -> None:
    assert read_integer(text) == value


@pytest.mark.parametrize("text", ["", "-1", "1.0", "01", "1_0", "0b1", "0o7", "x", str(2**256), "1" * 5_000, "\u0661"])
def test_bad_integers_are_refused(text: str) -> None:
    with pytest.raises(BadText):
        read_integer(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("90s", 90), ("1h30m", 5_400), ("1d2h", 93_600), ("25h", 90_000), ("1d1s", 86_401)]
)
def test_durations(text: str, seconds: int) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "1m1h", "1.5h", "-1s", "1w", "1H", "12:30", "1 h", "9" * 90 + "d"])
def test_bad_durations_are_refused(text: str) -> None:
    with pytest.raises(BadText):
        read_duration(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1970-01-01T00:00:00Z", 0), ("2020-03-12T00:00Z", 1_583_971_200), ("2020-02-29T23:59:59Z", 1_583_020_799)],
)
def test_times(text: str, seconds: int) -> None:
    assert read_time(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["2020-03-12", "2020-03-12 10:00:00", "2020-03-12T10:00:00", "2020-03-12T10:00:00+01:00", "2019-02-29T00:00:00Z",
     "2020-03-12T24:00:00Z", "2020-03-12T10:00:60Z", "1969-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "1583971200"],
)  # fmt: skip
def test_bad_times_are_refused(text: str) -> None:
    with pytest.raises(BadText):
        read_time(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("1583971200", 1_583_971_200), ("253402300799", 253_402_300_799)]
)
def test_unix_times(text: str, seconds: int) -> None:
    assert read_unix_time(text) == seconds


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "is not a unix time"),
        ("-1", "is not a unix time"),
        ("1.0", "is not a unix time"),
        ("01", "is not a unix time"),
        ("0x10", "is not a unix time"),
        ("2020-03-12", "is not a unix time"),
        ("9" * 10**6, "is not a unix time"),
        ("253402300800", "after the year 9999"),
        ("1583971200000", "after the year 9999"),
    ],
)
def test_bad_unix_times_are_refused(text: str, fragment: str) -> None:
    with pytest.raises(BadText) as caught:
        read_unix_time(text)
    assert fragment in caught.value.message


@pytest.mark.parametrize(("text", "bps"), [("1%", 100), ("0.5%", 50), ("0.01%", 1), ("3.25%", 325), ("100%", 10_000)])
def test_a_percentage_becomes_basis_points(text: str, bps: int) -> None:
    assert read_percent(text) == bps


@pytest.mark.parametrize("text", ["", "1", "%", "-1%", "1 %", "0.001%", "1e2%", "\u0661%"])
def test_bad_percentages_are_refused(text: str) -> None:
    with pytest.raises(BadText):
        read_percent(text)


def test_decimals_too_many_can_be_cut() -> None:
    assert read_decimal("0.30000000999", 8, cut=True) == 30_000_000
    with pytest.raises(BadText):
        read_decimal("0.30000000999x", 8, cut=True)
