"""What an action is told."""

from __future__ import annotations

from protocol.env import NO_QUOTE, Env, Quote, Status


def test_status_bits_are_the_contracts() -> None:
    """ORC-2: each fault has a bit of its own, and OK is none of them."""
    names = "NON_POSITIVE STALE_SOFT STALE_HARD FUTURE UNCERTAIN DEVIATED OUT_OF_BOUNDS CAPPED NO_QUORUM SEQ_DOWN"
    names += " SEQ_GRACE HALTED MARKET_CLOSED UNAVAILABLE"
    assert {status.name: int(status) for status in Status} == {name: 1 << bit for bit, name in enumerate(names.split())}
    assert int(Status.OK) == 0


def test_quotes_are_by_feed_and_an_unknown_feed_has_no_price() -> None:
    """ORC-2, ORC-3: a feed that does not exist is unavailable, not an error of the program."""
    env = Env(0, 0, (Quote(5, 5, 6, 8, 0), Quote(6, 6, 6, 9, 4)))
    assert env.quote(0) == Quote(5, 5, 6, 8, 0)
    assert env.quote(1) == Quote(6, 6, 6, 9, 4)
    assert env.quote(2) == NO_QUOTE == Quote(0, 0, 0, 0, Status.UNAVAILABLE)
    assert env.quote(65_535) == NO_QUOTE
