"""Steps of committed orders."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from crossmargin.fields import Integer
from crossmargin.known import Known
from crossmargin.parameter_file import OrdersModel
from crossmargin.steps.base import ActionModel, AnyAction, ReferenceField
from crossmargin.steps.trading import TradeModel
from crossmargin.yamltext import Loc
from protocol import actions
from protocol.params import OrderParams


class CommitOrderModel(TradeModel):
    """Ask for a trade at a price that is not known yet."""

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """As a trade."""
        trade = super().to_action(known, loc)
        assert isinstance(trade, actions.Trade)
        return actions.CommitOrder(trade.account, trade.market, trade.size_delta, trade.acceptable_price)


class CancelOrderModel(ActionModel):
    """End an order that nobody settled in time."""

    account: ReferenceField = Field(description="The account, by name or id.")
    market: ReferenceField = Field(description="The market, by name or id.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Anyone may."""
        market = known.market(self.market, (*loc, "market"))
        return actions.CancelOrder(known.account(self.account, (*loc, "account")), market)

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        return cls.model_construct(account=known.account_text(action.account), market=known.market_text(action.market))


class SettleOrderModel(CancelOrderModel):
    """Make the trade of a pending order at the round that is its price."""

    round: Annotated[int, Integer()] = Field(description="Number of the round, from 1.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """The sender is the keeper."""
        market = known.market(self.market, (*loc, "market"))
        return actions.SettleOrder(known.account(self.account, (*loc, "account")), market, self.round)

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        return cls.model_construct(
            account=known.account_text(action.account), market=known.market_text(action.market), round=action.round
        )


class SetOrdersModel(ActionModel, OrdersModel):
    """Let a market trade by committed orders; with a delay of 0s, and all else 0, at once."""

    sender = "admin"
    market: ReferenceField = Field(description="The market, by name or id.")
    feed: ReferenceField = Field(description="The pushed feed whose rounds are the prices of its orders.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """All rules at once."""
        feed = known.feed(self.feed, (*loc, "feed"))
        return actions.SetOrders(known.market(self.market, (*loc, "market")), self.to_record(feed))

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        rules: OrderParams = action.params
        return cls.model_construct(
            market=known.market_text(action.market),
            feed=known.feed_text(rules.feed),
            delay=rules.delay,
            window=rules.window,
            fee=rules.fee,
            cancel_fee=rules.cancel_fee,
        )
