"""Guards of trading and of who may act, and how to take each of them out."""

from __future__ import annotations

from tests.switches import Edits

CHECKS = "modules/checks.vy"
FILLS = "modules/fills.vy"

# Name of the guard -> edits: file, text, text without the guard.
TRADING_GUARDS: dict[str, Edits] = {
    "a rebate is at most what was collected": (
        (
            FILLS,
            "given: uint256 = min(rebate, released)",
            "given: uint256 = rebate if REMOVED else min(rebate, released)",
        ),
    ),
    "a profit beyond the pool becomes deficit": (
        (
            "modules/ledger.vy",
            "paid: uint256 = min(pool, amount)",
            "paid: uint256 = amount if REMOVED else min(pool, amount)",
        ),
    ),
    "a fee comes out of the account": (
        (FILLS, "-net - convert(fee, int256)", "-net - (0 if REMOVED else convert(fee, int256))"),
    ),
    "a flip is no reduction": (
        (
            CHECKS,
            "calc.magnitude(size) and not self.changes_sign(size, target)",
            "calc.magnitude(size) and (REMOVED or not self.changes_sign(size, target))",
        ),
    ),
    "growth needs initial margin": (
        (
            "Trading.vy",
            "        else:\n            checks.check_remaining_margin(account)",
            "        elif not REMOVED:\n            checks.check_remaining_margin(account)",
        ),
    ),
    "only the poster pushes": (
        ("FeedHub.vy", "assert msg.sender == self.poster", "assert REMOVED or msg.sender == self.poster"),
    ),
    "multiplication before division": (
        (
            "modules/impact.vy",
            "    return calc.ucdiv(size * price * rate, calc.W * calc.W)",
            """    if REMOVED:
        return size // calc.W * price * rate // calc.W
    return calc.ucdiv(size * price * rate, calc.W * calc.W)""",
        ),
    ),
    "a transfer out needs initial margin": (
        (
            "Vault.vy",
            "(target, token)\n    checks.check_remaining_margin(account)",
            "(target, token)\n    if not REMOVED:\n        checks.check_remaining_margin(account)",
        ),
    ),
    "only the protocol says for whom it acts": (
        (
            "Trading.vy",
            'assert msg.sender == self, "sys/self-only"\n    return self._trade(sender',
            'assert REMOVED or msg.sender == self, "sys/self-only"\n    return self._trade(sender',
        ),
    ),
    "a pause leaves reductions": (
        (
            "Trading.vy",
            "    if not reduces:\n        assert not roles",
            "    if REMOVED or not reduces:\n        assert not roles",
        ),
    ),
    "caps bind the whole market": (
        (
            "Trading.vy",
            "        side = calc.high(open_interest)\n",
            """        side = calc.high(open_interest)
    if REMOVED:
        side = calc.magnitude(calc.signed_high(accounts.positions[account][market]))
""",
        ),
    ),
}
