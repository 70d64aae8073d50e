"""How the story of a refusal is told, which codes have none, and what several stories begin with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from oracle.errors import REFUSALS
from protocol.units import W
from tests.lockstep.both import buy
from tests.twins import Twins

Attempts = Iterator[tuple[str, Any]]
Story = Callable[[Twins], Attempts]
TOLD: dict[str, Story] = {}
FROM_THE_START = {"pool/no-shares"}  # told by twins just deployed
# Codes of contracts that the protocol does not call; tests/oracle tells them to both (see test_refusal_codes).
OF_SOURCES = {code for code, cls in REFUSALS.items() if cls.__module__ == "oracle.errors"}
# Faults that push feeds do not have; test_quoted_policy_on_both gives them to every action.
OF_QUOTES = {
    *("oracle/future", "oracle/no-quorum", "oracle/halted", "oracle/sequencer-down", "oracle/deviated"),
    *("oracle/sequencer-grace", "oracle/market-closed", "oracle/capped", "oracle/uncertain"),
}
ELSEWHERE = {"token/transfer-failed", "token/amount-mismatch"} | OF_SOURCES | OF_QUOTES  # no story
LIQUIDATABLE, CALLABLE = 7_170, 7_200  # prices at which ``long_of_one`` stands so


def story(code: str) -> Callable[[Story], Story]:
    """The story that leads to a refusal; it yields what is refused with that code."""

    def keep(told: Story) -> Story:
        assert code not in TOLD
        TOLD[code] = told
        return told

    return keep


def long_of_one(twins: Twins) -> None:
    """A thousand dollars and one BTC bought at 8,000."""
    twins.deposit("borrower", usd=1_000)
    twins.do("borrower", buy(W))


def win_more_than_there_is(twins: Twins) -> None:
    """A profit of 2.2 million, of which the pool has one."""
    twins.deposit("borrower", usd=100_000)
    twins.do("borrower", buy(100 * W))
    twins.price(BTC=30_000)
    twins.do("borrower", buy(-100 * W))
