"""Steps that add nodes to the price graph, poke, halt and reset them, and make feeds of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from crossmargin.fields import Integer, Reader
from crossmargin.known import Known
from crossmargin.messages import listed, near, shown
from crossmargin.quantities import BadText, read_integer
from crossmargin.steps.base import ActionModel, AnyAction, ReferenceField
from crossmargin.yamltext import Loc
from oracle import feeds, graph
from oracle.nodes import MAX_PARENTS, Kind

KINDS = {kind.name.lower(): int(kind) for kind in Kind}


@dataclass(frozen=True, slots=True)
class KindNumber(Reader[int]):
    """A kind of node, by name or number."""

    def read(self, text: str) -> int:
        """Any number, since a scenario may be about one that is no kind."""
        if text[:1].isdigit():
            return read_integer(text)
        if text not in KINDS:
            raise BadText(f"unknown kind of node {shown(text)}" + near(text, KINDS), listed(KINDS))
        return KINDS[text]

    def write(self, value: int) -> str:
        """Its name, if it has one."""
        return next((name for name, number in KINDS.items() if number == value), str(value))

    def schema(self) -> dict[str, Any]:
        """A name or a number."""
        names = "|".join(KINDS)
        return {"type": ["string", "integer"], "minimum": 0, "pattern": f"^({names}|0|[1-9][0-9]*|0x[0-9a-fA-F]+)$"}


class RegisterNodeModel(ActionModel):
    """Add a node to the graph, exactly as it is hashed."""

    kind: Annotated[int, KindNumber()] = Field(description="Its kind, by name or number.")
    params: Annotated[tuple[Annotated[int, Integer()], ...], Field(max_length=4)] = Field(
        default=(), description="Its parameters as whole numbers; those left out at the end are 0."
    )
    # One more than a node can have, as on chain, so that it can be seen to be refused.
    parents: Annotated[tuple[ReferenceField, ...], Field(max_length=MAX_PARENTS + 1)] = Field(
        default=(), description="The nodes it is made of, by name or id."
    )

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Anyone may."""
        known.check_graph(loc)
        a, b, c, d = (*self.params, 0, 0, 0, 0)[:4]
        parents = tuple(known.node(text, (*loc, "parents", place)) for place, text in enumerate(self.parents))
        return graph.RegisterNode(self.kind, (a, b, c, d), parents)

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        count = max((place + 1 for place, value in enumerate(action.params) if value), default=0)
        parents = tuple(map(known.node_text, action.parents))
        return cls.model_construct(kind=action.kind, params=action.params[:count], parents=parents)


class _OneNodeModel(ActionModel):
    node: ReferenceField = Field(description="The node, by name or id.")

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        return cls.model_construct(node=known.node_text(action.node))


class PokeNodeModel(_OneNodeModel):
    """Show a breaker the price below it."""

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Anyone may."""
        known.check_graph(loc)
        return graph.PokeNode(known.node(self.node, (*loc, "node")))


class HaltNodeModel(_OneNodeModel):
    """Halt a price."""

    sender = "guardian"

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """The admin may too."""
        known.check_graph(loc)
        return graph.HaltNode(known.node(self.node, (*loc, "node")))


class ResetNodeModel(_OneNodeModel):
    """Lift a halt, or make a breaker begin anew."""

    sender = "admin"

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Only the admin may."""
        known.check_graph(loc)
        return graph.ResetNode(known.node(self.node, (*loc, "node")))


class SetNodeFeedModel(ActionModel):
    """Create the next feed as a node of the graph, or point one at another node."""

    sender = "admin"
    feed: ReferenceField = Field(description="The feed, by name or id.")
    node: ReferenceField = Field(description="The node, by name or id.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Without a graph there is no such node."""
        return feeds.SetNodeFeed(known.feed(self.feed, (*loc, "feed")), known.node(self.node, (*loc, "node")))

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        return cls.model_construct(feed=known.feed_text(action.feed), node=known.node_text(action.node))
