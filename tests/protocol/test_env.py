"""What an action is told, and which prices it accepts."""

from __future__ import annotations

import itertools

import pytest

from protocol.env import NO_QUOTE, Env, Quote, Status, check_usable
from protocol.errors import Refusal

# Worst first.
CODES = {
    Status.UNAVAILABLE: "oracle/unavailable",
    Status.NON_POSITIVE: "oracle/non-positive",
    Status.OUT_OF_BOUNDS: "oracle/out-of-bounds",
    Status.STALE_HARD: "oracle/stale",
}


def refusal_of(status: int) -> str:
    """The code with which a status is refused."""
    with pytest.raises(Refusal) as refusal:
        check_usable(status)
    return refusal.value.code


def test_status_bits_are_the_contracts() -> None:
    """ORC-2: each fault has a bit of its own, and OK is none of them."""
    assert {status.name: int(status) for status in (Status.OK, *CODES)} == {
        "OK": 0,
        "NON_POSITIVE": 1,
        "STALE_HARD": 4,
        "OUT_OF_BOUNDS": 64,
        "UNAVAILABLE": 8192,
    }


def test_a_usable_price_is_accepted() -> None:
    """ORC-3: OK passes."""
    check_usable(Status.OK)
    check_usable(0)


@pytest.mark.parametrize(("status", "code"), CODES.items(), ids=str)
def test_each_fault_has_its_own_refusal(status: Status, code: str) -> None:
    """ORC-3, O5: the reason is a distinct code."""
    assert refusal_of(status) == code
    assert refusal_of(int(status)) == code


def test_of_several_faults_the_worst_speaks() -> None:
    """ORC-3: every combination of faults is refused with the code of the worst."""
    for count in (2, 3, 4):
        for faults in itertools.combinations(CODES, count):
            united = 0
            for fault in faults:
                united |= fault
            assert refusal_of(united) == CODES[faults[0]]


def test_quotes_are_by_feed_and_an_unknown_feed_has_no_price() -> None:
    """ORC-2: a feed that does not exist is unavailable, not an error of the program."""
    env = Env(0, 0, (Quote(5, 0), Quote(6, 4)))
    assert env.quote(0) == Quote(5, 0)
    assert env.quote(1) == Quote(6, 4)
    assert env.quote(2) == NO_QUOTE == Quote(0, Status.UNAVAILABLE)
    assert env.quote(65_535) == NO_QUOTE
