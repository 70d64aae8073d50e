"""JSON Schemas of the files people write, for editors: ``specs/schema/*.schema.json``."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from crossmargin.parameter_file import ParametersModel
from crossmargin.population.profile import ProfileModel
from crossmargin.portfolio.file import PortfolioModel
from crossmargin.scenario_file import ScenarioModel
from crossmargin.study.file import StudyModel

MODELS: dict[str, type[BaseModel]] = {
    "scenario": ScenarioModel,
    "parameters": ParametersModel,
    "portfolio": PortfolioModel,
    "profile": ProfileModel,
    "study": StudyModel,
}
KINDS = tuple(MODELS)


def schema_text(kind: str) -> str:
    """The JSON Schema of one of ``KINDS``, as it is committed."""
    schema = MODELS[kind].model_json_schema(by_alias=True, mode="validation")
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_without_null(schema)}
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def _without_null(schema: Any) -> Any:
    """The schema without ``null``: a key may be left out, but an empty value is refused.

    Where null was one of two alternatives, the other one takes the place of both. Generated titles only repeat
    the keys and go too.
    """
    if isinstance(schema, list):
        return [_without_null(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: _without_null(item)
        for key, item in schema.items()
        if not (key == "default" and item is None) and not (key == "title" and isinstance(item, str))
    }
    alternatives = [item for item in kept.get("anyOf", ()) if item != {"type": "null"}]
    if "anyOf" in kept and len(alternatives) == 1:
        del kept["anyOf"]
        return {**alternatives[0], **kept}
    if alternatives:
        kept["anyOf"] = alternatives
    return kept
