"""Canonical text of records: for digests, traces and comparing two states field by field.

Integers become decimal strings, so that any JSON reader keeps them exact; hashes become 0x text; keys are sorted;
tables keep their order as lists of pairs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

from protocol.records import Table


def encode(value: Any) -> Any:
    """A record, or anything made of records, as JSON values."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if is_dataclass(value):
        return {name: encode(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, Table):
        return [[encode(key), encode(item)] for key, item in value.items()]
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    raise TypeError(f"cannot encode {type(value).__name__}")


def canonical(value: Any) -> str:
    """The one JSON text of a value."""
    return json.dumps(encode(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest(value: Any) -> str:
    """SHA-256 over the canonical text."""
    return "sha256:" + hashlib.sha256(canonical(value).encode()).hexdigest()


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Every field in which two encoded values differ, as path, our value and theirs; absent is ``-``."""
    if ours == theirs:
        return
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            yield from differences(ours.get(key, "-"), theirs.get(key, "-"), f"{path}.{key}" if path else key)
    elif isinstance(ours, list) and isinstance(theirs, list):
        for index in range(max(len(ours), len(theirs))):
            left = ours[index] if index < len(ours) else "-"
            right = theirs[index] if index < len(theirs) else "-"
            yield from differences(left, right, f"{path}[{index}]")
    else:
        yield path, _text(ours), _text(theirs)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
