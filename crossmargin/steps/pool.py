"""Steps of liquidity providers, and of those who buy from the pool or give to insurance."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from crossmargin.fields import Quantity
from crossmargin.known import Known
from crossmargin.quantities import write_decimal
from crossmargin.steps.base import ActionModel, AmountField, AnyAction, ReferenceField
from crossmargin.yamltext import Loc
from protocol import actions


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


class RequestRedemptionModel(ActionModel):
    """Ask for the redemption of pool shares."""

    shares: Annotated[int, Quantity(18)] = Field(description="How many.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """The sender's."""
        return actions.RequestRedemption(self.shares)

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        return cls.model_construct(shares=action.shares)


class ClaimRedemptionModel(ActionModel):
    """Redeem the pool shares asked for. Written `claim_redemption: {}`."""

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """The sender's."""
        return actions.ClaimRedemption()

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Nothing to say."""
        return cls.model_construct()


class BuyInventoryModel(ActionModel):
    """Buy collateral that the pool took over."""

    token: ReferenceField = Field(description="The token, by name or id.")
    amount: AmountField = Field(description="How much, in whole tokens.")
    max_cost: AmountField = Field(description="USDC at most.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Amounts have their token's decimals."""
        token = known.token(self.token, (*loc, "token"))
        units = known.units(self.amount, token, (*loc, "amount"))
        return actions.BuyInventory(token, units, known.units(self.max_cost, 0, (*loc, "max_cost")))

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        return cls.model_construct(
            token=known.token_text(action.token),
            amount=write_decimal(action.units, known.token_decimals(action.token)),
            max_cost=write_decimal(action.max_cost, known.token_decimals(0)),
        )


class FundInsuranceModel(DepositToPoolModel):
    """Give USDC to the insurance fund."""

    sender = "treasury"

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Anyone may give."""
        return actions.FundInsurance(known.units(self.amount, 0, (*loc, "amount")))
