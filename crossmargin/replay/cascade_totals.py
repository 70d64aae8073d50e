"""What the liquidations of a run add up to by generation and channel, and what they moved: for a page and for JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from crossmargin.known import Known
from crossmargin.quantities import write_duration
from crossmargin.replay.cascade import Link
from crossmargin.replay.contagion import CHANNELS
from crossmargin.replay.response import MovedAnswer
from crossmargin.scenario_records import Scenario
from crossmargin.text import decimal, dollars
from protocol.units import BPS, Ratio, Usd, W


@dataclass
class FeedMoves:
    """What liquidations asked of one feed's markets, and how often and how far that moved it."""

    sold: Usd = 0
    bought: Usd = 0
    rounds: int = 0
    lowest: Ratio = 0
    highest: Ratio = 0


@dataclass
class CascadeTotals:
    """Counts and dollars at scale W: by generation, by channel, and by feed."""

    liquidations: Counter[int] = field(default_factory=Counter)
    notional: Counter[int] = field(default_factory=Counter)
    channels: Counter[str] = field(default_factory=Counter)
    feeds: dict[int, FeedMoves] = field(default_factory=dict)

    def take(self, links: Sequence[Link], moved: Sequence[MovedAnswer]) -> None:
        """Enter the liquidations of an action, or the moved answers of one that pushed them."""
        for link in links:
            self.liquidations[link.generation] += 1
            self.notional[link.generation] += link.found.report.closed_notional
            for one in link.contagion:
                self.channels[one.channel] += one.amount
            for impulse in link.impulses:
                moves = self.feeds.setdefault(impulse.feed, FeedMoves())
                moves.bought += max(impulse.amount, 0)
                moves.sold += max(-impulse.amount, 0)
        for answer in moved:
            moves = self.feeds[answer.feed]
            moves.rounds += 1
            moves.lowest = min(moves.lowest, answer.response)
            moves.highest = max(moves.highest, answer.response)

    def describe(self, scenario: Scenario, known: Known) -> dict[str, Any]:
        """The totals as ``--json`` has them, where there is anything to tell. Money is decimal text."""
        told: dict[str, Any] = {}
        if self.liquidations:
            told["cascade"] = {
                "generations": {
                    str(generation): {
                        "liquidations": self.liquidations[generation],
                        "notional": decimal(self.notional[generation]),
                    }
                    for generation in sorted(self.liquidations)
                },
                "channels": {name: decimal(self.channels[name]) for name in CHANNELS if name in self.channels},
            }
        if scenario.response:
            told["price_response"] = {
                known.feed_text(feed): {
                    "sold": decimal(moves.sold),
                    "bought": decimal(moves.bought),
                    "rounds": moves.rounds,
                    "lowest": decimal(moves.lowest),
                    "highest": decimal(moves.highest),
                }
                for feed, moves in sorted(self.feeds.items())
            }
        return told

    def tell(self, scenario: Scenario, known: Known) -> Iterator[str]:
        """The lines of a summary; none where nobody was liquidated."""
        if not self.liquidations:
            return
        yield "Cascade (generation 1 needs no price response; a channel has the dollars closed or lost by it)"
        yield f"  {'generation':<16}{'liquidations':>14}{'notional closed':>22}"
        for generation in sorted(self.liquidations):
            notional = dollars(self.notional[generation])
            yield f"  {generation:<16}{self.liquidations[generation]:>14}{notional:>22}"
        if self.channels:
            yield f"  {'channel':<30}{'dollars':>22}"
            for name in CHANNELS:
                if name in self.channels:
                    yield f"  {name:<30}{dollars(self.channels[name]):>22}"
        if scenario.response:
            yield f"  price response, half-life {write_duration(scenario.response.half_life)}"
            for feed, moves in sorted(self.feeds.items()):
                yield (
                    f"    {known.feed_text(feed)}: sold {dollars(moves.sold)}, bought {dollars(moves.bought)}; "
                    f"{moves.rounds} rounds moved, from {_percent(moves.lowest)} to {_percent(moves.highest)}"
                )
        yield ""


def _percent(ratio: Ratio) -> str:
    """A ratio in percent, cut to two decimals, with its sign."""
    cut = abs(ratio) * BPS // W
    return f"{'-' if ratio < 0 else '+' if ratio else ''}{cut // 100}.{cut % 100:02} %"
