"""Things in a file that are of one kind of several, named by the only key they have."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import ConfigDict

from crossmargin.fields import FileModel, refuse


def _ask_for_one(schema: dict[str, Any], model: type[FileModel]) -> None:
    schema["oneOf"] = [{"required": [name]} for name in model.model_fields]


class OneKindModel(FileModel):
    """A mapping with one key, its kind; every field is a kind."""

    model_config = ConfigDict(json_schema_extra=_ask_for_one)
    noun: ClassVar[str]

    @classmethod
    def check_keys(cls, data: dict[str, Any]) -> None:
        """It is of one kind."""
        if not data:
            refuse(f"a {cls.noun} needs a kind", f"one of: {', '.join(cls.model_fields)}")
        if len(data) > 1:
            first, second = list(data)[:2]
            refuse(f"a {cls.noun} is of one kind, this one is `{first}` too", f"make it two {cls.noun}s", second)

    @property
    def key(self) -> str:
        """The key of its kind."""
        return next(key for key in type(self).model_fields if getattr(self, key) is not None)
