"""How a file's text becomes the fields of a pydantic model, and how a failure finds its way back to a line.

Every field that is not a model, list or mapping is read from text by a ``Reader``, which also writes it and
describes it in the JSON Schema. pydantic never converts anything itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NoReturn, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, core_schema

from crossmargin import quantities
from crossmargin.faults import Fault, Faults
from crossmargin.messages import listed, near, shown
from crossmargin.quantities import BadText
from crossmargin.yamltext import Document

T = TypeVar("T")
M = TypeVar("M", bound="FileModel")

MOST_HINTS = 20  # unknown keys of one mapping that are looked up: each costs a comparison with all the known ones
NAME = "[A-Za-z][A-Za-z0-9_-]{0,31}"  # feeds, tokens, markets: what a tape's column may hold
ACTOR = "[a-z][a-z0-9_]{0,40}"  # actors and accounts


class Reader(Generic[T]):
    """Reads one kind of text. In a model: ``Annotated[int, Quantity(18)]``."""

    def read(self, text: str) -> T:
        """The value. Raises ``BadText``."""
        raise NotImplementedError

    def write(self, value: T) -> str:
        """The text of a value, as plain YAML."""
        return str(value)

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the text."""
        return {"type": "string"}

    def _validate(self, value: object) -> T:
        if not isinstance(value, str):
            refuse(f"a single value is needed here, not {_kind_of(value)}")
        try:
            return self.read(value)
        except BadText as problem:
            refuse(problem.message, problem.remedy)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return self.schema()


@dataclass(frozen=True, slots=True)
class Quantity(Reader[int]):
    """A decimal number, kept as an integer at ``10**decimals``."""

    decimals: int
    signed: bool = False
    limit: int = 0

    def read(self, text: str) -> int:
        """Exactly, or not at all."""
        return quantities.read_decimal(text, self.decimals, signed=self.signed, limit=self.limit)

    def write(self, value: int) -> str:
        """The shortest text."""
        return quantities.write_decimal(value, self.decimals)

    def schema(self) -> dict[str, Any]:
        """A number, or its text."""
        return _number_schema(self.signed)


@dataclass(frozen=True, slots=True)
class DecimalText(Reader[str]):
    """A decimal number whose scale depends on another field: kept as text until that is known."""

    signed: bool = False

    def read(self, text: str) -> str:
        """The text, if it is a number of at most 77 decimals."""
        quantities.read_decimal(text, 77, signed=self.signed, limit=10**160)
        return text

    def schema(self) -> dict[str, Any]:
        """A number, or its text."""
        return _number_schema(self.signed)


@dataclass(frozen=True, slots=True)
class Integer(Reader[int]):
    """A whole number below ``limit``."""

    limit: int = quantities.UINT256_LIMIT

    def read(self, text: str) -> int:
        """Digits only."""
        return quantities.read_integer(text, self.limit)

    def schema(self) -> dict[str, Any]:
        """An integer, or its text."""
        return {"type": ["integer", "string"], "minimum": 0, "pattern": f"^({quantities.INTEGER})$"}


@dataclass(frozen=True, slots=True)
class Duration(Reader[int]):
    """Seconds, written ``1h30m``."""

    def read(self, text: str) -> int:
        """Days, hours, minutes, seconds."""
        return quantities.read_duration(text)

    def write(self, value: int) -> str:
        """The shortest text."""
        return quantities.write_duration(value)

    def schema(self) -> dict[str, Any]:
        """Letters after the numbers."""
        return {"type": "string", "pattern": f"^(?=.){quantities.DURATION}$"}


@dataclass(frozen=True, slots=True)
class Flag(Reader[bool]):
    """``true`` or ``false``; YAML's other words for them are not taken."""

    def read(self, text: str) -> bool:
        """Exactly these two words."""
        if text not in {"true", "false"}:
            raise BadText(f"{shown(text)} is neither true nor false", "write true or false")
        return text == "true"

    def write(self, value: bool) -> str:
        """Lower case."""
        return "true" if value else "false"

    def schema(self) -> dict[str, Any]:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Choice(Reader[str]):
    """One of a few words."""

    what: str
    words: tuple[str, ...]

    def read(self, text: str) -> str:
        """Exactly one of the words."""
        if text not in self.words:
            raise BadText(f"unknown {self.what} {shown(text)}" + near(text, self.words), listed(self.words))
        return text

    def schema(self) -> dict[str, Any]:
        """The words."""
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Name(Reader[str]):
    """A name of a given form."""

    what: str
    pattern: str
    form: str

    def read(self, text: str) -> str:
        """The name."""
        if not re.fullmatch(self.pattern, text):
            raise BadText(f"{shown(text)} is not {self.what}", self.form)
        return text

    def schema(self) -> dict[str, Any]:
        """The form."""
        return {"type": "string", "pattern": f"^({self.pattern})$"}


@dataclass(frozen=True, slots=True)
class Reference(Reader[str]):
    """A name, or a raw id taken as it is; which things exist is known later."""

    def read(self, text: str) -> str:
        """The text."""
        if not re.fullmatch(f"{NAME}|{ACTOR}|{quantities.INTEGER}", text):
            raise BadText(f"{shown(text)} is neither a name nor an id", "write a name, or a whole number as an id")
        return text

    def schema(self) -> dict[str, Any]:
        """A name or a number."""
        return {"type": ["string", "integer"], "minimum": 0, "pattern": f"^({NAME}|{ACTOR}|{quantities.INTEGER})$"}


@dataclass(frozen=True, slots=True)
class Prose(Reader[str]):
    """Text for people."""

    def read(self, text: str) -> str:
        """As it is."""
        return text


FEED_NAME = Name("a feed's name", NAME, "use up to 32 letters, digits, _ and -, a letter first")
TOKEN_NAME = Name("a token's name", NAME, FEED_NAME.form)
MARKET_NAME = Name("a market's name", NAME, FEED_NAME.form)
ACTOR_NAME = Name("an actor's name", ACTOR, "use up to 41 lower-case letters, digits and _, a letter first")
ACCOUNT_NAME = Name("an account's name", ACTOR, ACTOR_NAME.form)


class FileModel(BaseModel):
    """A mapping in a file: every key known, no key missing."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, data: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        """What is wrong with the keys and with the values, all of it."""
        if not isinstance(data, dict):
            refuse(f"keys and values are needed here, not {_kind_of(data)}")
        fields = {info.alias or name: info for name, info in cls.model_fields.items()}
        faults = [InitErrorDetails(type=fault, loc=(), input=data) for fault in cls._wrong_keys(data, fields)]
        try:
            made = read({key: value for key, value in data.items() if key in fields})
        except ValidationError as failure:
            if not faults:
                raise
            faults += [_once_more(detail) for detail in failure.errors() if detail["type"] != "missing"]
        else:
            if not faults:
                return made
        raise ValidationError.from_exception_data(cls.__name__, faults)

    @classmethod
    def _wrong_keys(cls, data: dict[str, Any], fields: dict[str, FieldInfo]) -> Iterator[PydanticCustomError]:
        unknown = [key for key in data if key not in fields]
        missing = [key for key, info in fields.items() if info.is_required() and key not in data]
        meant = set()
        for at, key in enumerate(unknown):
            hint = near(key, fields) if at < MOST_HINTS else ""
            meant |= {name for name in missing if f"`{name}`" in hint}
            yield _fault(f"unknown key {shown(key)}{hint}", listed(fields, len(fields)), key)
        missing = [f"`{key}`" for key in missing if key not in meant]
        if missing:
            yield _fault(f"the key {missing[0]} is missing" if len(missing) == 1 else f"missing: {', '.join(missing)}")
        if not unknown and not missing:
            try:
                cls.check_keys(data)
            except PydanticCustomError as fault:
                yield fault

    @classmethod
    def check_keys(cls, data: dict[str, Any]) -> None:
        """What a model asks of its keys together; it says no with ``refuse``."""


def validate(document: Document, model: type[M]) -> M:
    """The document as a model. The error is the first one in the order of the file, with the others."""
    faults = Faults(document)
    made = read_form(document.plain(), model, faults.note)
    faults.stop()
    assert made is not None
    return made


def read_form(data: Any, model: type[M], note: Callable[[Fault], None]) -> M | None:
    """The data of a document as a model; if it is none, everything wrong with its form is noted."""
    try:
        return model.model_validate(data)
    except ValidationError as failure:
        for detail in failure.errors():
            note(_to_fault(detail))
        return None


def _to_fault(detail: ErrorDetails) -> Fault:
    loc, facts = detail["loc"], detail.get("ctx", {})
    if detail["type"] == "file":
        on_key = bool(facts["key"]) or loc[-1:] == ("[key]",)
        loc = (*loc, facts["key"]) if facts["key"] else loc
        return Fault(loc, facts["message"], facts["remedy"], key=on_key)
    kind = _kind_of(detail["input"])
    messages = {
        "dict_type": f"keys and values are needed here, not {kind}",
        "list_type": f"a list is needed here, not {kind}",
        "tuple_type": f"a list is needed here, not {kind}",
        "union_tag_not_found": f"a mapping or a list is needed here, not {kind}",
        "too_long": f"at most {facts.get('max_length')} entries fit here, not {facts.get('actual_length')}",
    }
    return Fault(loc, messages.get(detail["type"], detail["msg"]))


def _once_more(detail: ErrorDetails) -> InitErrorDetails:
    """An error of pydantic's, to be raised again among others."""
    kind: str | PydanticCustomError = detail["type"]
    facts = detail.get("ctx", {})
    if kind == "file":
        kind = _fault(**facts)
    return InitErrorDetails(type=kind, loc=detail["loc"], input=detail["input"], ctx=facts)


def reader_of(annotation: Any, metadata: Sequence[Any] = ()) -> Reader[Any] | None:
    """The reader that an annotation holds, also inside ``| None``."""
    for item in (*metadata, *getattr(annotation, "__metadata__", ())):
        if isinstance(item, Reader):
            return item
    for part in getattr(annotation, "__args__", ()):
        found = reader_of(part)
        if found:
            return found
    return None


def refuse(message: str, remedy: str = "", key: str = "") -> NoReturn:
    """Stop pydantic's validation at the value it is at, or at one of its keys."""
    raise _fault(message, remedy, key)


def _fault(message: str, remedy: str = "", key: str = "") -> PydanticCustomError:
    return PydanticCustomError("file", "{message}", {"message": message, "remedy": remedy, "key": key})


def _kind_of(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else f"the text {shown(str(value))}"


def _number_schema(signed: bool) -> dict[str, Any]:
    if signed:
        return {"type": ["number", "string"], "pattern": f"^[+-]?{quantities.NUMBER}$"}
    return {"type": ["number", "string"], "minimum": 0, "pattern": f"^[+]?{quantities.NUMBER}$"}
