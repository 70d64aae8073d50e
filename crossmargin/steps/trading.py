"""Steps that change positions."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from crossmargin.fields import Quantity
from crossmargin.known import Known
from crossmargin.quantities import UINT256_LIMIT
from crossmargin.steps.base import ActionModel, AnyAction, ReferenceField
from crossmargin.yamltext import Loc
from protocol import actions

NO_LIMIT_BUY = UINT256_LIMIT - 1
NO_LIMIT_SELL = 0
ANY_CASH = -(2**255)


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


class CloseAllModel(ActionModel):
    """Close every position of an account."""

    sender = "owner"
    account: ReferenceField = Field(description="The account, by name or id.")
    min_cash: Annotated[int, Quantity(18, signed=True)] | None = Field(
        default=None, description="The least account balance in USD that it may leave; without it, any."
    )

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Without a least balance there is no limit."""
        account = known.account(self.account, (*loc, "account"))
        return actions.CloseAll(account, ANY_CASH if self.min_cash is None else self.min_cash)

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """A balance that limits nothing is left out."""
        free = action.min_cash == ANY_CASH
        return cls.model_construct(
            account=known.account_text(action.account), min_cash=None if free else action.min_cash
        )


def _no_limit(size: int) -> int:
    return NO_LIMIT_BUY if size > 0 else NO_LIMIT_SELL
