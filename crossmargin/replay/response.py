"""Prices that respond to liquidations: impulses, what is left of them, and the answers they move (specs/cascade.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from crossmargin.price_response import ResponseSpec
from crossmargin.quantities import INT256_LIMIT
from crossmargin.replay.world import World
from oracle.feeds import Feed, Push, Round
from protocol.events import PositionUpdated
from protocol.margin import compute_notional
from protocol.units import Ratio, Seconds, Usd, W

PERCENT = 100  # a depth is what moves a price by one of them


@dataclass(frozen=True, slots=True)
class Impulse:
    """What the close of one position asked of its market: dollars at scale W, + bought, - sold.

    ``generation`` is that of the liquidation which closed it.
    """

    time: Seconds
    feed: int
    market: int
    amount: Usd
    generation: int


@dataclass(frozen=True, slots=True)
class MovedAnswer:
    """A feed's answer of one round as impulses moved it.

    ``answers`` are what it would be with the impulses of generations up to 0 (none: the tape's own), 1, 2 and so on;
    the last is the one pushed. ``impulses`` are the dollars left of them, ``response`` the ratio they moved it by.
    """

    feed: int
    answers: tuple[int, ...]
    impulses: Usd
    response: Ratio

    @property
    def told(self) -> int:
        """The answer of the tape, or of the scenario's step."""
        return self.answers[0]

    @property
    def pushed(self) -> int:
        """The answer that was pushed instead."""
        return self.answers[-1]


def compute_left(amount: Usd, age: Seconds, half_life: Seconds) -> Usd:
    """What is left of an impulse: halved every half-life, in a straight line between, rounded toward 0."""
    halvings, rest = divmod(age, half_life)
    left = (abs(amount) >> halvings) * (2 * half_life - rest) // (2 * half_life)
    return left if amount > 0 else -left


def compute_response(left: Usd, depth: Usd) -> Ratio:
    """The ratio by which dollars left of impulses move a price, a depth of them by 1 %; rounded toward 0."""
    response = abs(left) * W // (PERCENT * depth)
    return response if left > 0 else -response


def move_answer(answer: int, response: Ratio) -> int:
    """An answer moved by a response: times 1 + x upwards, through 1 + x downwards; rounded down, and at least 1.

    An answer that is no price, 0 or below, is none afterwards either; none is larger than a contract can be sent.
    """
    if answer <= 0:
        return answer
    if response >= 0:
        return min(answer * (W + response) // W, INT256_LIMIT - 1)
    return max(answer * W // (W - response), 1)


class PriceResponse:
    """The impulses of a run so far, and the newest rounds that they moved. Without a ``spec`` nothing is."""

    def __init__(self, spec: ResponseSpec | None) -> None:
        self._spec = spec
        self._impulses: list[Impulse] = []
        self.newest: dict[int, MovedAnswer] = {}  # by feed, where its newest round is a moved one

    def move(self, now: Seconds, action: Any) -> tuple[MovedAnswer, ...]:
        """What impulses make of the answers that an action pushes now; nothing where they leave them alone."""
        if not self._impulses or not isinstance(action, Push) or len(action.feeds) != len(action.answers):
            return ()
        moved = (self._move(now, *one) for one in zip(action.feeds, action.answers, strict=True))
        return tuple(one for one in moved if one is not None)

    def _move(self, now: Seconds, feed: int, answer: int) -> MovedAnswer | None:
        assert self._spec is not None  # or there are no impulses
        left: Counter[tuple[int, int]] = Counter()  # by market and generation
        for impulse in self._impulses:
            if impulse.feed == feed:
                amount = compute_left(impulse.amount, now - impulse.time, self._spec.half_life)
                left[impulse.market, impulse.generation] += amount
        if not any(left.values()):
            return None
        responses = [
            sum(
                compute_response(
                    sum(amount for (of, by), amount in left.items() if of == market and by <= generation),
                    self._spec.depths[market],
                )
                for market in {market for market, _ in left}
            )
            for generation in range(max(by for _, by in left) + 1)
        ]
        answers = tuple(move_answer(answer, response) for response in responses)
        return MovedAnswer(feed, answers, left.total(), responses[-1])

    def take(self, action: Any, moved: Sequence[MovedAnswer]) -> None:
        """Enter an action that was accepted: the rounds that it pushed, if it did, some of them moved."""
        if isinstance(action, Push):
            for feed in action.feeds:
                self.newest.pop(feed, None)
            self.newest |= {one.feed: one for one in moved}

    def take_fills(
        self, now: Seconds, world: World, fills: Sequence[PositionUpdated], generation: int
    ) -> tuple[Impulse, ...]:
        """Enter what a liquidation closed, for the rounds after it; the impulses that it makes."""
        depths = self._spec.depths if self._spec else {}
        made = []
        for fill in fills:
            if fill.market in depths:
                notional = compute_notional(fill.size_delta, fill.price)
                amount = notional if fill.size_delta > 0 else -notional
                feed = world.protocol.market_params[fill.market].feed
                made.append(Impulse(now, feed, fill.market, amount, generation))
        self._impulses += made
        return tuple(made)


def apply_moved(push: Push, moved: Sequence[MovedAnswer]) -> Push:
    """A push with the moved answers in place of its own."""
    answers = {one.feed: one.pushed for one in moved}
    pairs = zip(push.feeds, push.answers, strict=True)
    return Push(push.feeds, tuple(answers.get(feed, answer) for feed, answer in pairs))


def exchange_rounds(world: World, newest: dict[int, MovedAnswer], generation: int) -> World:
    """The world in which impulses of later generations had not moved the newest rounds of its feeds."""
    feeds = list(world.oracle.hub.feeds)
    for number, moved in newest.items():
        feed = feeds[number]
        assert isinstance(feed, Feed)
        answer = moved.answers[min(generation, len(moved.answers) - 1)]
        feeds[number] = replace(feed, rounds=(*feed.rounds[:-1], Round(answer, feed.rounds[-1].updated_at)))
    hub = replace(world.oracle.hub, feeds=tuple(feeds))
    return World(world.protocol, replace(world.oracle, hub=hub))
