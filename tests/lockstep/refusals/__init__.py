"""A short story for every refusal code, in modules by subject; ``telling.TOLD`` has them all.

Each leads both twins to the refusal and yields what is refused.
"""

from __future__ import annotations

from tests.lockstep.refusals import amounts, configuration, liquidation, margin, orders, permissions, pool, prices

__all__ = ["amounts", "configuration", "liquidation", "margin", "orders", "permissions", "pool", "prices"]
