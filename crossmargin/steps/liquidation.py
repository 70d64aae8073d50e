"""Steps of keepers."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from crossmargin.faults import Fault
from crossmargin.known import Known
from crossmargin.steps.base import ActionModel, AnyAction, ReferenceField
from crossmargin.yamltext import Loc
from protocol import actions
from protocol.liquidation import MAX_BATCH

LONGEST_BATCH = MAX_BATCH + 1  # one too many is refused by the protocol; more do not fit into the call


class MarginCallModel(ActionModel):
    """Announce that an account is close to liquidation."""

    account: ReferenceField = Field(description="The account, by name or id.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Anyone may."""
        return actions.MarginCall(known.account(self.account, (*loc, "account")))

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        return cls.model_construct(account=known.account_text(action.account))


class FlagAccountModel(MarginCallModel):
    """Start or lift the clock of an account's liquidation reward."""

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Anyone may."""
        return actions.FlagAccount(known.account(self.account, (*loc, "account")))


class LiquidateModel(MarginCallModel):
    """Close what is needed of an account below its maintenance margin."""

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """The sender is the keeper."""
        return actions.Liquidate(known.account(self.account, (*loc, "account")))


class LiquidateManyModel(ActionModel):
    """Liquidate several accounts, each by itself."""

    batch: tuple[ReferenceField, ...] = Field(description="The accounts, by name or id.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """The sender is the keeper."""
        if len(self.batch) > LONGEST_BATCH:
            message = f"at most {LONGEST_BATCH} entries fit here, not {len(self.batch)}"
            raise Fault((*loc, "batch"), message, f"a call liquidates at most {MAX_BATCH}: make it several steps")
        found = (known.account(text, (*loc, "batch", at)) for at, text in enumerate(self.batch))
        return actions.LiquidateMany(tuple(found))

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        return cls.model_construct(batch=tuple(map(known.account_text, action.batch)))
