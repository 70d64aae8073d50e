"""Which function is a numbered rule's formula. ``tests/crossmargin/test_eval.py`` holds it against the docstrings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from crossmargin.errors import WrongUse
from crossmargin.messages import near, shown
from crossmargin.rules.pages import read_rules

# Of several that cite a rule the first is its own, the others are parts of it.
FUNCTIONS = {
    "protocol.units": "fdiv UNIT-1, cdiv UNIT-1",
    "protocol.configuration": "exceeds_sale CFG-5",
    "protocol.margin": (
        "compute_notional MRG-1, compute_pnl MRG-2, compute_margins MRG-3, scale_initial_margin MRG-6, "
        "limit_leverage MRG-7, compute_maintenance_in_force MRG-8, compute_required_equity MRG-9, "
        "compute_maintenance_price MRG-12, compute_funding_price MRG-12, compute_strict_price MRG-13, "
        "compute_ceiling MRG-14, is_liquidatable LIQ-4"
    ),
    "protocol.account_state": "is_below_tiers MRG-9, compute_account_state STA-1, is_clear STA-2",
    "protocol.collateral": "compute_token_value COL-1, compute_haircut_values COL-2, compute_haircuts_in_force COL-3",
    "protocol.peg": "compute_depeg_margin PEG-2, sell_for_usdc PEG-3, buy_for_usdc PEG-3",
    "protocol.fills": (
        "compute_fill FIL-1, compute_impact FIL-2, compute_fee FIL-3, charge_fee FIL-3, compute_reserved FIL-8, "
        "release_impact FIL-9"
    ),
    "protocol.funding": "project_funding FUN-1, compute_velocity FUN-3, compute_owed FUN-5",
    "protocol.pool": "compute_shares LPD-2, compute_redemption LPR-2, compute_inventory_cost INV-1",
    "protocol.margin_call": "compute_call_fee MCL-3",
    "protocol.sizing": (
        "rank SIZ-1, compute_relief SIZ-2, compute_shortage SIZ-3, walk_down SIZ-4, compute_freed SIZ-4, "
        "round_close SIZ-5, limit_close SIZ-5, leave_no_dust SIZ-5, brackets_in_force MRG-8"
    ),
    "protocol.rewards": "compute_reward_ratio RWD-1, compute_reward RWD-2, compute_penalty RWD-3",
    "protocol.window": "current_bucket WIN-1, compute_used WIN-2, add_closed WIN-2, compute_left WIN-3",
    "protocol.losses": "compute_sale WAT-1",
    "protocol.policy": "is_accepted POL-1, is_priceless POL-1",
    "oracle.quotes": (
        "make_quote QUO-1, scale_quote QUO-2, multiply QUO-3, divide QUO-4, invert QUO-4, take_min QUO-5, "
        "take_max QUO-5, take_first_ok QUO-6, take_recent QUO-6, take_median QUO-7"
    ),
    "oracle.quote_guards": (
        "guard_staleness GRD-1, guard_deviation GRD-2, guard_bounds GRD-3, guard_confidence GRD-4, is_jump GRD-5, "
        "guard_hours GRD-7, guard_halt GRD-8"
    ),
    "oracle.exponential": "wad_exp AVG-1",
    "oracle.growth_cap": "compute_cap CAP-1",
    "oracle.median": "compute_middle MED-4",
}


@dataclass(frozen=True, slots=True)
class Formula:
    """A rule's id and the function that answers it."""

    rule: str
    module: str
    name: str

    @property
    def function(self) -> Callable[..., Any]:
        """The function itself."""
        found: Callable[..., Any] = getattr(import_module(self.module), self.name)
        return found

    @property
    def purpose(self) -> str:
        """The first line of its docstring."""
        return (self.function.__doc__ or "").strip().splitlines()[0]


FORMULAS = tuple(
    Formula(rule, module, name)
    for module, functions in FUNCTIONS.items()
    for name, rule in (part.split(" ") for part in functions.split(", "))
)


def find_formula(text: str) -> Formula:
    """The formula of a rule's id, or of a function's name; a rule's own one, if parts of it are functions too.

    Raises ``WrongUse`` for none, with near ones.
    """
    for formula in FORMULAS:
        if text == formula.name or text.upper() == formula.rule:
            return formula
    if text.upper() in read_rules():
        raise WrongUse(f"{text.upper()} has no formula", f"crossmargin explain {text.upper()} says what it asks")
    names = dict.fromkeys(name for formula in FORMULAS for name in (formula.rule, formula.name))
    message = f"no formula is called {shown(text)}{near(text, names)}"
    raise WrongUse(message, "crossmargin eval --list shows all of them")
