"""Guards of margin and collateral, and how to take each of them out."""

from __future__ import annotations

from tests.switches import Edits

CHECKS = "modules/checks.vy"
FILLS = "modules/fills.vy"
MARGIN = "modules/margin.vy"
TIERS = "modules/tiers.vy"

# Name of the guard -> edits: file, text, text without the guard.
MARGIN_GUARDS: dict[str, Edits] = {
    "pending funding counts": (
        (
            MARGIN,
            "index: int256 = funding.project_index(",
            "index: int256 = calc.signed_high(entry) if REMOVED else funding.project_index(",
        ),
    ),
    "time is set after it is read": (
        (
            "modules/funding.vy",
            "    accrued.funding_index, accrued.funding_rate = self.project(totals, price)\n",
            """    if REMOVED:
        accrued.accrued_at = block.timestamp
    accrued.funding_index, accrued.funding_rate = self.project(accrued, price)
""",
        ),
    ),
    "a close lowers open interest": (
        (
            FILLS,
            "convert(totals.long_oi, int256) + max(size, 0) - max(size_before, 0), uint256",
            """convert(totals.long_oi, int256) + max(size, 0) - (
            min(max(size_before, 0), max(size, 0)) if REMOVED else max(size_before, 0)
        ), uint256""",
        ),
    ),
    "token decimals": (
        ("modules/valuation.vy", "units * price // 10**decimals", "units * price // 10**(8 if REMOVED else decimals)"),
    ),
    "a balance has a sign": (
        (
            "Vault.vy",
            "assert calc.signed_high(accounts.headers[account]) >= amount",
            """assert (calc.high(accounts.headers[account]) >= convert(amount, uint256)) if REMOVED else (
            calc.signed_high(accounts.headers[account]) >= amount
        )""",
        ),
    ),
    "what is credited was debited": (
        (
            "Vault.vy",
            "    self._debit(account, token, units)\n    self._credit",
            "    if not REMOVED:\n        self._debit(account, token, units)\n    self._credit",
        ),
    ),
    "collateral counts after its initial haircut": (
        (MARGIN, "+= convert(counted_im, int256)", "+= convert(market_value if REMOVED else counted_im, int256)"),
    ),
    "unrealised profit is no initial margin": (
        (
            MARGIN,
            "health.equity_im += min(strict_pnl, 0)",
            "health.equity_im += strict_pnl if REMOVED else min(strict_pnl, 0)",
        ),
    ),
    "stricter maintenance is phased in": (
        (
            TIERS,
            "    if self.is_phasing(word):\n        mm = min",
            "    if self.is_phasing(word) and not REMOVED:\n        mm = min",
        ),
    ),
    "funding accrues before a parameter changes": (
        (
            "Governance.vy",
            "        self._accrue(market, params.feed)",
            "        if not REMOVED:\n            self._accrue(market, params.feed)",
        ),
    ),
    "an account has an owner": (("Vault.vy", "assert account >> 96 != 0", "assert REMOVED or account >> 96 != 0"),),
    "an account that owes nothing needs no price": (
        (
            CHECKS,
            "    if calc.signed_high(header) < 0 or header & accounts.MARKETS_MASK != 0:\n        health",
            "    if REMOVED or calc.signed_high(header) < 0 or header & accounts.MARKETS_MASK != 0:\n        health",
        ),
    ),
}
