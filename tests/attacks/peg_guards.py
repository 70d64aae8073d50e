"""Guards of the price of USDC, and how to take each of them out."""

from __future__ import annotations

from tests.switches import Edits

MARGIN = "modules/margin.vy"
POOL_VALUES = "modules/pool_values.vy"
LOSSES = "modules/losses.vy"

# Name of the guard -> edits: file, text, text without the guard.
PEG_GUARDS: dict[str, Edits] = {
    "inventory costs what it is worth in USDC": (
        (
            "Pool.vy",
            "units * peg.buy_for_usdc(price, usdc) *",
            "units * (price if REMOVED else peg.buy_for_usdc(price, usdc)) *",
        ),
    ),
    "collateral is sold at its price in USDC": (
        (
            LOSSES,
            "peg.sell_for_usdc(price, usdc), (word",
            "price if REMOVED else peg.sell_for_usdc(price, usdc), (word",
        ),
    ),
    "a share pays for inventory in USDC": (
        (
            POOL_VALUES,
            "inventory * peg.buy_for_usdc(price, usdc),",
            "inventory * (price if REMOVED else peg.buy_for_usdc(price, usdc)),",
        ),
    ),
    "leverage on cheap USDC needs more of it": (
        (
            MARGIN,
            "    health.initial_margin += peg.compute_depeg_margin(",
            "    health.initial_margin += 0 if REMOVED else peg.compute_depeg_margin(",
        ),
    ),
}
