"""Steps that create feeds and push prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from crossmargin.faults import Fault
from crossmargin.fields import DecimalText, Duration, FileModel, Integer
from crossmargin.known import UNKNOWN, Known
from crossmargin.quantities import UINT256_LIMIT, write_decimal
from crossmargin.steps.base import ActionModel, AnyAction, ReferenceField
from crossmargin.yamltext import Loc
from oracle import feeds as oracle
from oracle.feeds import MAX_FEEDS

NO_FEED = UINT256_LIMIT  # an answer without a feed belongs to none: it is taken in its smallest unit

AnswerField = Annotated[str, DecimalText(signed=True)]


class SetFeedModel(ActionModel):
    """Create the next feed or change how old a price of an existing one may be."""

    sender = "admin"
    feed: ReferenceField = Field(description="The feed, by name or id.")
    decimals: Annotated[int, Integer()] = Field(description="Decimals of its answers.")
    max_age: Annotated[int, Duration()] = Field(description="A price older than this is stale.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """The decimals of an existing feed never change."""
        return oracle.SetFeed(known.feed(self.feed, (*loc, "feed")), self.decimals, self.max_age)

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        return cls.model_construct(feed=known.feed_text(action.feed), decimals=action.decimals, max_age=action.max_age)


class SetRateFeedModel(ActionModel):
    """Create the next feed as the product of two pushed feeds."""

    sender = "admin"
    feed: ReferenceField = Field(description="The feed, by name or id.")
    rate: ReferenceField = Field(description="The feed of the rate, by name or id.")
    underlying: ReferenceField = Field(description="The feed of the underlying, by name or id.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """It never changes."""
        rate = known.feed(self.rate, (*loc, "rate"))
        underlying = known.feed(self.underlying, (*loc, "underlying"))
        return oracle.SetRateFeed(known.feed(self.feed, (*loc, "feed")), rate, underlying)

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        return cls.model_construct(
            feed=known.feed_text(action.feed),
            rate=known.feed_text(action.rate),
            underlying=known.feed_text(action.underlying),
        )


class RoundModel(FileModel):
    """One entry of a push written as a list. A key is left out only to write a push the hub refuses."""

    feed: ReferenceField | None = Field(default=None, description="The feed, by name or id.")
    price: AnswerField | None = Field(default=None, description="Its price.")


def _push_form(value: Any) -> str | None:
    if isinstance(value, dict):
        return "prices"
    return "rounds" if isinstance(value, list) else None


PushModel = Annotated[
    Annotated[dict[ReferenceField, AnswerField], Tag("prices")]
    | Annotated[tuple[RoundModel, ...], Field(max_length=MAX_FEEDS), Tag("rounds")],
    Discriminator(_push_form),
]


def push_to_action(push: Mapping[str, str] | Sequence[RoundModel], known: Known, loc: Loc) -> oracle.Push:
    """A push from prices by feed, sorted by id as the hub wants them, or from a list, exactly as it stands."""
    if isinstance(push, Mapping):
        if not 0 < len(push) <= MAX_FEEDS:
            raise Fault(loc, f"a push names 1 to {MAX_FEEDS} feeds", "to try a malformed push, write a list of rounds")
        answers: dict[int, int] = {}
        for text, price in push.items():
            feed = known.feed(text, (*loc, text), key=True)
            if feed in answers and feed != UNKNOWN:
                raise Fault((*loc, text), f"feed {known.feed_text(feed)} stands here a second time", key=True)
            answers[feed] = known.answer(price, feed, (*loc, text))
        ordered = sorted(answers)
        return oracle.Push(tuple(ordered), tuple(answers[feed] for feed in ordered))
    feeds, prices = [], []
    for at, row in enumerate(push):
        feed = NO_FEED
        if row.feed is not None:
            feed = known.feed(row.feed, (*loc, at, "feed"))
            feeds.append(feed)
        if row.price is not None:
            prices.append(known.answer(row.price, feed, (*loc, at, "price")))
    return oracle.Push(tuple(feeds), tuple(prices))


def push_from_action(action: oracle.Push, known: Known) -> dict[str, str] | tuple[RoundModel, ...]:
    """The text of a push: by feed if it is well formed, else as a list."""
    rows = []
    for feed, answer in zip_longest(action.feeds, action.answers):
        decimals = known.feed_decimals(NO_FEED if feed is None else feed)
        rows.append(
            RoundModel.model_construct(
                feed=None if feed is None else known.feed_text(feed),
                price=None if answer is None else write_decimal(answer, decimals),
            )
        )
    is_well_formed = len(action.feeds) == len(action.answers) and list(action.feeds) == sorted(set(action.feeds))
    if rows and is_well_formed:
        return {str(row.feed): str(row.price) for row in rows}
    return tuple(rows)
