"""Guards of what has no price, and how to take each of them out."""

from __future__ import annotations

from tests.switches import Edits

CHECKS = "modules/checks.vy"
TIERS = "modules/tiers.vy"
LOSSES = "modules/losses.vy"

# Name of the guard -> edits: file, text, text without the guard.
PRICE_GUARDS: dict[str, Edits] = {
    "what has no price stops no liquidation": (
        (
            "Liquidation.vy",
            '    assert self._is_liquidatable(health), "liq/not-liquidatable"\n    standing',
            """    if REMOVED:
        policy.check_accepted(policy.PRICED, health.price_status)
    assert self._is_liquidatable(health), "liq/not-liquidatable"
    standing""",
        ),
    ),
    "a debt that waits pays for what is settled of it": (
        (
            "Liquidation.vy",
            "base = losses.compute_settled(account, base, accepts, health.price_status)",
            "base = max(losses.compute_settled(account, base, accepts, health.price_status), base if REMOVED else 0)",
        ),
    ),
    "a debt waits for no more than its collateral can be worth": (
        (
            LOSSES,
            "debt -= min(debt, self._compute_waiting(account, accepts))",
            """waiting: uint256 = self._compute_waiting(account, accepts)
    debt -= debt if REMOVED and waiting != 0 else min(debt, waiting)""",
        ),
    ),
    "what has no price counts at its ceiling": (
        (
            TIERS,
            "return self._compute_ceiling(parameters.token_ceilings[token],",
            "return self._compute_ceiling(0 if REMOVED else parameters.token_ceilings[token],",
        ),
    ),
    "a trade needs no price that its margin can do without": (
        (
            "Trading.vy",
            "        if is_order:\n            checks",
            "        if REMOVED or is_order:\n            checks",
        ),
    ),
    "collateral without a price locks up nothing else": (
        (CHECKS, "        if is_enough and policy", "        if not REMOVED and is_enough and policy"),
    ),
}
