"""Steps of medians, averages and growth caps; those of pull feeds are in pull.py."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from crossmargin.faults import texts_at
from crossmargin.fields import DecimalText, Quantity
from crossmargin.known import Known
from crossmargin.moments import Instant, When
from crossmargin.quantities import read_decimal, write_decimal
from crossmargin.source_file import CapPlan
from crossmargin.steps.base import ActionModel, AnyAction, ReferenceField
from crossmargin.yamltext import Loc
from oracle.averages import Averages, Update
from oracle.growth_cap import Advance, SetSnapshot, Snapshot
from oracle.median import Median, Submit
from oracle.sources import AtSource, CreateGrowthCap, SourceAction


class SourceStepModel(ActionModel):
    """An action of one source."""

    source: ReferenceField = Field(description="The source, by name.")

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        return cls.model_construct(source=known.source_text(action.source), **cls.texts_of(action, known))

    @classmethod
    def texts_of(cls, action: Any, known: Known) -> dict[str, Any]:
        """The values of its other keys."""
        return {}


class SubmitModel(SourceStepModel):
    """Report a price to a median. Who reports is said with `by`."""

    price: Annotated[str, DecimalText(signed=True)] = Field(description="The price, in the median's decimals.")
    observed_at: Annotated[When, Instant(64)] | None = Field(
        default=None, description="When it was observed; by default at the time of the step."
    )

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Only reporters may."""
        spec = known.source(self.source, Median, (*loc, "source"))
        assert isinstance(spec.plan, Median)
        with texts_at((*loc, "price")):
            answer = read_decimal(self.price, spec.plan.decimals, signed=True, holder=f"source {spec.name}")
        return AtSource(spec.address, Submit(answer, known.time(self.observed_at)))

    @classmethod
    def texts_of(cls, action: Any, known: Known) -> dict[str, Any]:
        """A price in the median's decimals."""
        (spec,) = (spec for spec in known.params.sources if spec.address == action.source)
        assert isinstance(spec.plan, Median)
        price = write_decimal(action.action.answer, spec.plan.decimals)
        return {"price": price, "observed_at": When(action.action.observed_at, is_offset=False)}


class _PlainStepModel(SourceStepModel):
    def make(self, known: Known, loc: Loc, kind: type, action: SourceAction) -> AnyAction:
        """An action of a source of a kind."""
        return AtSource(known.source(self.source, kind, (*loc, "source")).address, action)


class UpdateModel(_PlainStepModel):
    """Have averages record the price that they follow."""

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Anyone may."""
        return self.make(known, loc, Averages, Update())


class AdvanceModel(_PlainStepModel):
    """Let the snapshot of a growth cap advance by itself."""

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Anyone may."""
        return self.make(known, loc, CapPlan, Advance())


class _SnapshotModel(_PlainStepModel):
    ratio: Annotated[int, Quantity(18)] = Field(description="The rate of the snapshot.")
    time: Annotated[When, Instant(48)] = Field(description="The time that it is of.")


class SetSnapshotModel(_SnapshotModel):
    """Replace the snapshot of a growth cap."""

    sender = "admin"

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Only the admin may."""
        return self.make(known, loc, CapPlan, SetSnapshot(self.ratio, known.time(self.time)))

    @classmethod
    def texts_of(cls, action: Any, known: Known) -> dict[str, Any]:
        """Both parts."""
        return {"ratio": action.action.ratio, "time": When(action.action.time, is_offset=False)}


class CreateGrowthCapModel(_SnapshotModel):
    """Deploy a growth cap of the parameter set, once the rate that it follows is there."""

    sender = "creator"

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """With the set's configuration."""
        spec = known.source(self.source, CapPlan, (*loc, "source"))
        plan = spec.plan
        assert isinstance(plan, CapPlan)
        snapshot = Snapshot(self.ratio, known.time(self.time))
        return AtSource(spec.address, CreateGrowthCap(plan.admin, plan.target, plan.key, plan.config, snapshot))

    @classmethod
    def texts_of(cls, action: Any, known: Known) -> dict[str, Any]:
        """Both parts."""
        snapshot = action.action.snapshot
        return {"ratio": snapshot.ratio, "time": When(snapshot.time, is_offset=False)}
