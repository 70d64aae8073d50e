"""Steps about what an account holds and who may use it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from crossmargin.fields import Quantity
from crossmargin.known import Known
from crossmargin.quantities import write_decimal
from crossmargin.steps.base import ActionModel, AmountField, AnyAction, ReferenceField
from crossmargin.yamltext import Loc
from protocol import actions


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


class TransferModel(DepositModel):
    """Move tokens to another account of the same owner."""

    target: ReferenceField = Field(description="The account that receives, by name or id.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """As a deposit, with a target."""
        deposit = super().to_action(known, loc)
        assert isinstance(deposit, actions.Deposit)
        target = known.account(self.target, (*loc, "target"))
        return actions.Transfer(deposit.account, target, deposit.token, deposit.units)

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        deposit = DepositModel.from_action(action, known)
        return cls.model_construct(target=known.account_text(action.target), **dict(deposit))


class CreateIsolatedModel(ActionModel):
    """Open an account for one market only."""

    sender = "owner"
    account: ReferenceField = Field(description="The account, by name or id.")
    market: ReferenceField = Field(description="The market, by name or id.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Only the owner may."""
        market = known.market(self.market, (*loc, "market"))
        return actions.CreateIsolated(known.account(self.account, (*loc, "account")), market)

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        return cls.model_construct(account=known.account_text(action.account), market=known.market_text(action.market))


class SetOperatorModel(ActionModel):
    """Let somebody else trade for an account, or nobody."""

    sender = "owner"
    account: ReferenceField = Field(description="The account, by name or id.")
    operator: ReferenceField = Field(description="The actor, by name or address; 0 for nobody.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Only the owner may."""
        operator = known.actor(self.operator, (*loc, "operator"))
        return actions.SetOperator(known.account(self.account, (*loc, "account")), operator)

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """The operator by address."""
        return cls.model_construct(account=known.account_text(action.account), operator=hex(action.operator))


class SetLeverageCapModel(ActionModel):
    """Limit one's own leverage in one market."""

    sender = "owner"
    account: ReferenceField = Field(description="The account, by name or id.")
    market: ReferenceField = Field(description="The market, by name or id.")
    leverage: Annotated[int, Quantity(18)] = Field(description="Notional over margin at most; 0 lifts the limit.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Only the owner may."""
        market = known.market(self.market, (*loc, "market"))
        account = known.account(self.account, (*loc, "account"))
        return actions.SetLeverageCap(account, market, self.leverage)

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        return cls.model_construct(
            account=known.account_text(action.account),
            market=known.market_text(action.market),
            leverage=action.leverage_cap,
        )
