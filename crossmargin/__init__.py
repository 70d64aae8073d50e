"""A cross-margin protocol as a reference implementation: what users import.

The packages ``protocol``, ``oracle`` and ``contracts_py`` have names that others may have too; import from here.
Names are loaded when they are first used, so that the command line answers at once.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import protocol

if TYPE_CHECKING:
    from oracle.errors import REFUSALS
    from protocol import actions, events
    from protocol.account_state import AccountState, compute_account_state
    from protocol.draft import Outcome
    from protocol.env import Env, Quote, Status
    from protocol.errors import InvariantBroken, Refusal
    from protocol.margin import Health, compute_health
    from protocol.state import Account, Position, State, account_id, genesis, owner_of
    from protocol.transition import apply

__all__ = [
    "REFUSALS",
    "Account",
    "AccountState",
    "Env",
    "Health",
    "InvariantBroken",
    "Outcome",
    "Position",
    "Quote",
    "Refusal",
    "State",
    "Status",
    "account_id",
    "actions",
    "apply",
    "compute_account_state",
    "compute_health",
    "events",
    "genesis",
    "owner_of",
]

_MODULES = ("actions", "events")
_HOMES = {
    "oracle.errors": ("REFUSALS",),
    "protocol.draft": ("Outcome",),
    "protocol.env": ("Env", "Quote", "Status"),
    "protocol.errors": ("InvariantBroken", "Refusal"),
    "protocol.account_state": ("AccountState", "compute_account_state"),
    "protocol.margin": ("Health", "compute_health"),
    "protocol.state": ("Account", "Position", "State", "account_id", "genesis", "owner_of"),
    "protocol.transition": ("apply",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

if Path(protocol.__file__ or "").parent.parent != Path(__file__).parent.parent:
    raise ImportError(
        f"another package called `protocol` hides ours: {protocol.__file__}; "
        "remove it from this environment, or put crossmargin's folder first on the path"
    )


def __getattr__(name: str) -> Any:
    """A public name, from the module where it lives."""
    if name in _MODULES:
        return import_module(f"protocol.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'crossmargin' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
