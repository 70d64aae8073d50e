"""Scenarios as text: a failing random sequence becomes a file that ``load_scenario`` reads back exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from contracts_py.keys import address_of
from crossmargin.fields import Prose, reader_of
from crossmargin.known import Known
from crossmargin.library import PARAMETERS
from crossmargin.moments import When
from crossmargin.parameters import ParameterSet, load_parameters
from crossmargin.quantities import write_decimal, write_duration, write_time
from crossmargin.scenario_file import AccountModel, QuoteExpectModel, StepExpectModel, StepModel
from crossmargin.scenario_records import IN_UNITS, AccountSpec, KeeperSpec, QuoteExpectation, Step
from crossmargin.steps.base import ActionModel
from crossmargin.steps.feeds import push_from_action
from crossmargin.text import list_faults
from oracle.feeds import Push
from oracle.sources import AtSource

MODELS: dict[str, type[ActionModel]] = {}  # by name of the record's class
KEYS: dict[str, str] = {"Push": "push"}  # a step's key by name of the record's class
for _key, _info in StepModel.model_fields.items():
    for _part in getattr(_info.annotation, "__args__", ()):
        if isinstance(_part, type) and issubclass(_part, ActionModel):
            MODELS[_part.__name__.removesuffix("Model")] = _part
            KEYS[_part.__name__.removesuffix("Model")] = _key


def render_scenario(
    title: str,
    params_name: str,
    start: int,
    accounts: Mapping[str, AccountSpec],
    steps: Sequence[Step],
    *,
    params: ParameterSet | None = None,
    about: str = "",
    insurance: int = 0,
    keepers: Sequence[KeeperSpec] = (),
) -> str:
    """The text of a scenario file. ``params`` is the set that ``params_name`` means, if it is already at hand.

    Exact: loading the text gives the same start, accounts, insurance and keepers, and of each step the same time,
    sender, action and expectations.
    """
    params = params or load_parameters(PARAMETERS.find(params_name))
    known = Known(params, {name: account.id for name, account in accounts.items()}, address_of)
    lines = [f"title: {quote(title)}"]
    lines += [f"about: {quote(about)}"] if about else []
    lines += [f"params: {quote(params_name)}", f"start: {write_time(start)}"]
    lines += [f'insurance: "{write_decimal(insurance, 6)}"'] if insurance else []
    lines += ["accounts:"] if accounts else []
    for name, account in accounts.items():
        owner = None if account.owner == name else account.owner
        model = AccountModel.model_construct(story=account.story, owner=owner, sub=account.sub)
        lines.append(f"  {name}: {flow(dump(model))}")
    lines += [f"keepers: {flow(render_keepers(keepers))}"] if keepers else []
    lines += ["steps:"] if steps else []
    lines += [f"  - {flow(render_step(step, start, known))}" for step in steps]
    return "\n".join(lines) + "\n"


def render_keepers(keepers: Sequence[KeeperSpec]) -> dict[str, Any]:
    """Keepers by name, with what holds each up."""
    rendered: dict[str, Any] = {}
    for keeper in keepers:
        terms: dict[str, Any] = {"latency": write_duration(keeper.latency)} if keeper.latency else {}
        terms |= {} if keeper.capacity is None else {"capacity": str(keeper.capacity)}
        windows = [{"from": write_time(begin), "until": write_time(end)} for begin, end in keeper.downtime]
        rendered[keeper.name] = terms | ({"downtime": windows} if windows else {})
    return rendered


def render_step(step: Step, start: int, known: Known) -> dict[str, Any]:
    """The keys and texts of a step."""
    name = type(step.action.action if isinstance(step.action, AtSource) else step.action).__name__
    action = (
        push_from_action(step.action, known)
        if isinstance(step.action, Push)
        else MODELS[name].from_action(step.action, known)
    )
    rendered = {"at": write_duration(step.at - start), "by": step.sender, KEYS[name]: dump(action)}
    if step.expect.refused is not None or step.expect.values or step.expect.quotes:
        values: dict[str, Any] = dict(step.expect.values)
        for field in sorted(IN_UNITS & values.keys()):
            values[field] = write_decimal(values[field], known.token_decimals(getattr(step.action, "token", 0)))
        quotes = {known.feed_text(feed): render_quote(quote) for feed, quote in step.expect.quotes.items()}
        rendered["expect"] = dump(StepExpectModel.model_construct(refused=step.expect.refused, quotes=quotes, **values))
    return rendered


def render_quote(quote: QuoteExpectation) -> QuoteExpectModel:
    """The text of what a feed must say."""
    faults = tuple(list_faults(quote.status))
    return QuoteExpectModel.model_construct(bid=quote.bid, price=quote.price, ask=quote.ask, faults=faults)


def dump(value: Any) -> Any:
    """A model as dicts, lists and plain YAML scalars; fields at their default are left out."""
    if isinstance(value, BaseModel):
        return {
            info.alias or name: dump_field(getattr(value, name), info)
            for name, info in type(value).model_fields.items()
            if getattr(value, name) != info.get_default(call_default_factory=True)
        }
    if isinstance(value, Mapping):
        return {key: dump(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [dump(item) for item in value]
    return value


def dump_field(value: Any, info: FieldInfo) -> Any:
    """A field's value, written by the reader that read it."""
    reader = reader_of(info.annotation, info.metadata)
    if reader is None or not isinstance(value, int | str | When):
        return dump(value)
    text = reader.write(value)
    return quote(text) if isinstance(reader, Prose) else text


def flow(value: Any) -> str:
    """Dicts, lists and scalars on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return str(value)


def quote(text: str) -> str:
    """Text as a YAML scalar in double quotes, on one line."""
    dumped: str = yaml.safe_dump(text, default_style='"', width=float("inf"), allow_unicode=True)
    return dumped.removesuffix("\n")
