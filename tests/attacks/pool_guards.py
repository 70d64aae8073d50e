"""Guards of the pool and of tokens, and how to take each of them out."""

from __future__ import annotations

from tests.switches import Edits

POOL_VALUES = "modules/pool_values.vy"

# Name of the guard -> edits: file, text, text without the guard.
POOL_GUARDS: dict[str, Edits] = {
    "a pool deposit pays for the impact collected": (
        (POOL_VALUES, "at_market + left_over", "at_market + (0 if REMOVED else left_over)"),
    ),
    "virtual shares": (
        (
            "Pool.vy",
            "bought: uint256 = math._mul_div(amount, supply + VIRTUAL, worth.deposit + VIRTUAL, False)",
            """bought: uint256 = amount
    if not REMOVED:
        bought = math._mul_div(amount, supply + VIRTUAL, worth.deposit + VIRTUAL, False)
    elif supply != 0:
        bought = math._mul_div(amount, supply, worth.deposit, False)""",
        ),
        (
            "Pool.vy",
            "requested, worth.redemption + VIRTUAL, supply + VIRTUAL, False)",
            "requested, worth.redemption + (0 if REMOVED else VIRTUAL), supply + (0 if REMOVED else VIRTUAL), False)",
        ),
    ),
    "a pool deposit pays for the traders' losses": (
        (
            POOL_VALUES,
            "deposit=pool + calc.magnitude(min(pnl, 0))",
            "deposit=pool + (0 if REMOVED else calc.magnitude(min(pnl, 0)))",
        ),
    ),
    "a redemption leaves the traders' gains": (
        (POOL_VALUES, "int256) - max(pnl, 0)", "int256) - (0 if REMOVED else max(pnl, 0))"),
    ),
    "a token delivers what was asked for": (
        (
            "modules/transfers.vy",
            "assert staticcall IERC20(contract).balanceOf(self) ==",
            "assert REMOVED or staticcall IERC20(contract).balanceOf(self) ==",
        ),
    ),
}
