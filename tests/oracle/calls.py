"""What contracts are asked with, and what comes of asking model or contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contracts_py.errors import Reverted
from protocol.errors import Refusal

QUOTE = ("uint256",) * 5
ROUND = ("uint80", "int256", "uint256", "uint256", "uint80")


def key_of(number: int) -> bytes:
    """A number as the key of a quote."""
    return number.to_bytes(32, "big")


def outcome(ask: Callable[..., Any], *arguments: Any) -> Any:
    """The answer of model or contract to arguments, or the code of the refusal."""
    try:
        return ask(*arguments)
    except Refusal as refusal:
        return refusal.code
    except Reverted as reverted:
        return reverted.reason
