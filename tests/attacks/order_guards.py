"""Guards of committed orders, and how to take each of them out."""

from __future__ import annotations

from tests.switches import Edits

# Name of the guard -> edits: file, text, text without the guard.
ORDER_GUARDS: dict[str, Edits] = {
    "an order has one price": (("FeedHub.vy", "assert before < since", "assert REMOVED or before < since"),),
    "nobody calls an order back": (
        (
            "Orders.vy",
            "assert block.timestamp > terms & calc.MASK_40",
            "assert REMOVED or block.timestamp > terms & calc.MASK_40",
        ),
    ),
    "an order is settled once": (
        (
            "Orders.vy",
            """    self._end(account, market)
    self._put_escrow(orders.escrow - fee)
    records.register(keeper)
    ledger.add_cash(keeper, convert(fee,""",
            """    if not REMOVED:
        self._end(account, market)
    self._put_escrow(orders.escrow - fee)
    records.register(keeper)
    ledger.add_cash(keeper, convert(fee,""",
        ),
    ),
    "a market of orders trades in no other way": (
        ("Trading.vy", "assert orders.rules[market] == 0", "assert REMOVED or orders.rules[market] == 0"),
    ),
    "an order's position waits for it": (
        (
            "Trading.vy",
            "assert (orders.lists[account] >> market) & 1 == 0",
            "assert REMOVED or (orders.lists[account] >> market) & 1 == 0",
        ),
    ),
    "a fee is not lent": (
        (
            "Orders.vy",
            "assert calc.signed_high(header) >= convert(fee, int256)",
            "assert REMOVED or calc.signed_high(header) >= convert(fee, int256)",
        ),
    ),
    "a pending order keeps its margin": (
        (
            "modules/checks.vy",
            "assert header & accounts.HAS_ORDERS == 0",
            "assert REMOVED or header & accounts.HAS_ORDERS == 0",
        ),
    ),
    "a dear close leaves an order its margin": (
        (
            "modules/checks.vy",
            "assert accounts.headers[account] & accounts.HAS_ORDERS == 0",
            "assert REMOVED or accounts.headers[account] & accounts.HAS_ORDERS == 0",
        ),
    ),
    "an order that adds risk is a trade of now": (
        ("Orders.vy", "    if not checks.is_reduction(", "    if not REMOVED and not checks.is_reduction("),
    ),
    "the age of no price holds up an order": (
        (
            "Orders.vy",
            "            policy.SETTLEMENT,\n",
            "            0 if REMOVED else policy.SETTLEMENT,\n",
        ),
    ),
    "an order that adds risk is the last one": (
        ("Orders.vy", "assert checks.is_reduction(", "assert REMOVED or checks.is_reduction("),
    ),
    "a commitment looks at what is pending": (
        (
            "Orders.vy",
            "    if header & accounts.HAS_ORDERS != 0:\n",
            "    if header & accounts.HAS_ORDERS != 0 and not REMOVED:\n",
        ),
    ),
    "collateral of a new kind waits for orders": (
        (
            "Vault.vy",
            "assert (header >> (accounts.TOKENS_SHIFT + token - 1)) & 1 != 0",
            "assert REMOVED or (header >> (accounts.TOKENS_SHIFT + token - 1)) & 1 != 0",
        ),
    ),
    "a liquidation ends orders": (
        (
            "Liquidation.vy",
            "    if header & accounts.HAS_ORDERS != 0:",
            "    if header & accounts.HAS_ORDERS != 0 and not REMOVED:",
        ),
    ),
    "an order needs every price": (
        (
            "modules/checks.vy",
            "        policy.check_accepted(policy.NEW_RISK | tolerated, health.price_status)",
            """        if not REMOVED or health.equity_im < convert(health.initial_margin, int256):
            policy.check_accepted(policy.NEW_RISK | tolerated, health.price_status)""",
        ),
    ),
}
