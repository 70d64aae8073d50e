"""The actions a scenario's steps name, as text and as the protocol's records.

Every action of the protocol and of the feeds can be written, with every value its arguments can have: also those the
protocol refuses, since a scenario may be about a refusal. Each model turns its text into the record (``to_action``)
and a record into its text (``from_action``); the two are inverse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Annotated, Any, ClassVar

from pydantic import Discriminator, Field, Tag

from crossmargin.fields import (
    DecimalText,
    Duration,
    Fault,
    FileModel,
    Flag,
    Integer,
    Quantity,
    Reference,
)
from crossmargin.known import Known
from crossmargin.parameters import (
    HaircutModel,
    Haircuts,
    MarketModel,
    RiskModel,
    TierModel,
    to_haircuts,
)
from crossmargin.quantities import UINT256_LIMIT, write_decimal
from crossmargin.yamltext import Loc
from oracle import feeds as oracle
from oracle.feeds import MAX_FEEDS
from protocol import actions
from protocol.params import CollateralParams, MarketParams

NO_LIMIT_BUY = UINT256_LIMIT - 1
NO_LIMIT_SELL = 0
NO_FEED = UINT256_LIMIT  # an answer without a feed belongs to none: it is taken in its smallest unit

AnyAction = actions.Action | oracle.OracleAction
ReferenceField = Annotated[str, Reference()]
AmountField = Annotated[str, DecimalText()]
AnswerField = Annotated[str, DecimalText(signed=True)]


class ActionModel(FileModel):
    """One action. ``sender`` names who sends it if the step does not say: a role, or ``owner`` of the account."""

    sender: ClassVar[str] = ""

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """The record. Raises ``Fault`` for a name or number that cannot be."""
        raise NotImplementedError

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """The text of a record."""
        raise NotImplementedError


class DepositModel(ActionModel):
    """Add tokens to an account, one's own or another's."""

    sender = "owner"
    account: ReferenceField = Field(description="The account, by name or id.")
    token: ReferenceField = Field(description="The token, by name or id.")
    amount: AmountField = Field(description="How much, in whole tokens.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Amounts have the token's decimals."""
        token = known.token(self.token, (*loc, "token"))
        account = known.account(self.account, (*loc, "account"))
        return actions.Deposit(account, token, known.units(self.amount, token, (*loc, "amount")))

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        return cls.model_construct(
            account=known.account_text(action.account),
            token=known.token_text(action.token),
            amount=write_decimal(action.units, known.token_decimals(action.token)),
        )


class WithdrawModel(DepositModel):
    """Take tokens out of one's account."""

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """As a deposit."""
        deposit = super().to_action(known, loc)
        assert isinstance(deposit, actions.Deposit)
        return actions.Withdraw(deposit.account, deposit.token, deposit.units)


class TradeModel(ActionModel):
    """Change a position at the oracle price."""

    sender = "owner"
    account: ReferenceField = Field(description="The account, by name or id.")
    market: ReferenceField = Field(description="The market, by name or id.")
    size: Annotated[int, Quantity(18, signed=True)] = Field(description="Base units; positive buys, negative sells.")
    acceptable_price: Annotated[int, Quantity(18)] | None = Field(
        default=None, description="The highest price of a buy, the lowest of a sale; without it, any."
    )

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Without an acceptable price there is no limit."""
        market = known.market(self.market, (*loc, "market"))
        account = known.account(self.account, (*loc, "account"))
        price = _no_limit(self.size) if self.acceptable_price is None else self.acceptable_price
        return actions.Trade(account, market, self.size, price)

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """A price that limits nothing is left out."""
        free = action.acceptable_price == _no_limit(action.size_delta)
        return cls.model_construct(
            account=known.account_text(action.account),
            market=known.market_text(action.market),
            size=action.size_delta,
            acceptable_price=None if free else action.acceptable_price,
        )


class LiquidateModel(ActionModel):
    """Close an account below its maintenance margin."""

    account: ReferenceField = Field(description="The account, by name or id.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """The sender is the keeper."""
        return actions.Liquidate(known.account(self.account, (*loc, "account")))

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        return cls.model_construct(account=known.account_text(action.account))


class DepositToPoolModel(ActionModel):
    """Buy pool shares with USDC."""

    amount: AmountField = Field(description="USDC.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """The sender receives the shares."""
        return actions.DepositToPool(known.units(self.amount, 0, (*loc, "amount")))

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        return cls.model_construct(amount=write_decimal(action.units, known.token_decimals(0)))


class FundInsuranceModel(DepositToPoolModel):
    """Give USDC to the insurance fund."""

    sender = "treasury"

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Anyone may give."""
        return actions.FundInsurance(known.units(self.amount, 0, (*loc, "amount")))


class SetRiskModel(ActionModel, RiskModel):
    """Replace the risk parameters."""

    sender = "admin"

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """All of them at once."""
        return actions.SetRisk(self.to_record())

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """The record's fields have the same names."""
        return cls.model_construct(**{name: getattr(action.params, name) for name in cls.model_fields})


class SetMarketModel(ActionModel, MarketModel):
    """List the next market or replace a market's parameters."""

    sender = "admin"
    market: ReferenceField = Field(description="The market, by name or id.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """All parameters at once."""
        feed = known.feed(self.feed, (*loc, "feed"))
        return actions.SetMarket(known.market(self.market, (*loc, "market")), self.to_record(feed))

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        params: MarketParams = action.params
        return cls.model_construct(
            market=known.market_text(action.market),
            feed=known.feed_text(params.feed),
            lot=params.lot,
            min_notional=params.min_notional,
            fee=params.fee_rate,
            tiers=tuple(
                TierModel.model_construct(lower=row.lower, mm=row.mm_rate, im=row.im_rate) for row in params.brackets
            ),
        )


class SetCollateralModel(ActionModel):
    """List the next token as collateral or replace a collateral's parameters."""

    sender = "admin"
    token: ReferenceField = Field(description="The token, by name or id.")
    feed: ReferenceField = Field(description="The feed that prices it, by name or id.")
    decimals: Annotated[int, Integer()] = Field(description="Decimals of the token's units.")
    haircuts: Haircuts = Field(description="Weights by value.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """All parameters at once."""
        feed = known.feed(self.feed, (*loc, "feed"))
        params = CollateralParams(feed, self.decimals, to_haircuts(self.haircuts))
        return actions.SetCollateral(known.token(self.token, (*loc, "token")), params)

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        params: CollateralParams = action.params
        return cls.model_construct(
            token=known.token_text(action.token),
            feed=known.feed_text(params.feed),
            decimals=params.decimals,
            haircuts=tuple(
                HaircutModel.model_construct(lower=row.lower, mm=row.mm_weight, im=row.im_weight)
                for row in params.brackets
            ),
        )


class PauseOpeningModel(ActionModel):
    """Stop or resume the growth of positions."""

    sender = "admin"
    paused: Annotated[bool, Flag()] = Field(description="true stops, false resumes.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """The guardian may only stop."""
        return actions.PauseOpening(self.paused)

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        return cls.model_construct(paused=action.paused)


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
            try:
                feed = known.feed(text, (*loc, text))
            except Fault as fault:
                fault.key = True  # the name stands where the key is
                raise
            if feed in answers:
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


def _no_limit(size: int) -> int:
    return NO_LIMIT_BUY if size > 0 else NO_LIMIT_SELL
