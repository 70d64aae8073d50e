"""What a view is compared with: the code of the action itself; and what the tests of several views begin with."""

from __future__ import annotations

from typing import Any

from protocol.env import Env, Status
from protocol.errors import Refusal
from protocol.state import State
from protocol.transition import apply
from protocol.units import W
from protocol.views import ALLOWED
from tests.protocol.build import NOW, STRANGER

NO_PRICES = Env(NOW, STRANGER, ())
STALE = int(Status.STALE_HARD)
POOL = 10**6 * W


def code_of(state: State, surroundings: Env, action: Any) -> str:
    """Empty if an action would be accepted, else the code of its refusal."""
    try:
        apply(state, surroundings, action)
    except Refusal as refusal:
        return refusal.code
    return ALLOWED
