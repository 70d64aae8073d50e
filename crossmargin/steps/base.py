"""What the steps of a scenario have in common: an action as text and as the protocol's record.

Every action of the protocol, of the feeds, of the graph and of sources can be written, with every value its arguments
can have: also those the protocol refuses, since a scenario may be about a refusal. Each model turns its text into the
record (``to_action``) and a record into its text (``from_action``); the two are inverse.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from crossmargin.fields import DecimalText, FileModel, Reference
from crossmargin.known import Known
from crossmargin.yamltext import Loc
from oracle.state import OracleAction
from protocol import actions

AnyAction = actions.Action | OracleAction
ReferenceField = Annotated[str, Reference()]
AmountField = Annotated[str, DecimalText()]


class ActionModel(FileModel):
    """One action. ``sender`` names who sends it if the step does not say: a role, or ``owner`` of the account.

    A ``creator`` is the actor who deploys the source that the action names.
    """

    sender: ClassVar[str] = ""

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """The record. Raises ``Fault`` for a name or number that cannot be."""
        raise NotImplementedError

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """The text of a record."""
        raise NotImplementedError
