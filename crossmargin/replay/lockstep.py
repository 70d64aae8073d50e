"""Holding model and contracts against each other, without tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from crossmargin.replay.world import World
from protocol.codec import differences, encode


@dataclass(frozen=True, slots=True)
class Difference:
    """One field in which the twins differ."""

    record: str
    field: str
    model: str
    chain: str


class Divergence(Exception):
    """The first difference between the twins, and the action after which it showed."""

    def __init__(self, number: int, time: int, action: str, difference: Difference) -> None:
        super().__init__(
            f"action {number}, {action} at {time}: {difference.record}, field {difference.field}: "
            f"model {difference.model}, chain {difference.chain}"
        )


def compare_results(
    model_code: str, model_events: Sequence[Any], chain_code: str, chain_events: Sequence[Any]
) -> Difference | None:
    """The first difference between what both twins answered to an action."""
    if model_code != chain_code:
        return Difference("outcome", "code", model_code, chain_code)
    for index, (ours, theirs) in enumerate(zip(model_events, chain_events, strict=False)):
        if type(ours) is not type(theirs):
            return Difference(f"event {index}", "name", type(ours).__name__, type(theirs).__name__)
        for field in fields(ours):
            left, right = getattr(ours, field.name), getattr(theirs, field.name)
            if left != right:
                return Difference(f"event {index} {type(ours).__name__}", field.name, str(left), str(right))
    if len(model_events) != len(chain_events):
        return Difference("events", "count", str(len(model_events)), str(len(chain_events)))
    return None


def compare_worlds(model: World, chain: World) -> Difference | None:
    """The first difference between two complete states, the order of registration included."""
    for half in ("protocol", "oracle"):
        ours, theirs = encode(getattr(model, half)), encode(getattr(chain, half))
        for path, left, right in differences(ours, theirs):
            record, _, field = path.rpartition(".")
            return Difference(f"state {half} {record}".rstrip(), field, left, right)
    return None
