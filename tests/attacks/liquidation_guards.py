"""Guards of liquidations, and how to take each of them out."""

from __future__ import annotations

from tests.switches import Edits

FILLS = "modules/fills.vy"
LOSSES = "modules/losses.vy"

# Name of the guard -> edits: file, text, text without the guard.
LIQUIDATION_GUARDS: dict[str, Edits] = {
    "a reward is at most a share of what was closed": (
        (
            "Liquidation.vy",
            "calc.MASK_96), base * cap_share // calc.BPS)",
            "calc.MASK_96), max_value(uint256) if REMOVED else base * cap_share // calc.BPS)",
        ),
    ),
    "a sale is at most what is held": (
        (
            LOSSES,
            "min(held, calc.ucdiv(debt * scale, unit_price))",
            "calc.ucdiv(debt * scale, unit_price) if REMOVED else min(held, calc.ucdiv(debt * scale, unit_price))",
        ),
    ),
    "sixteen positions": (
        (
            "Trading.vy",
            "assert self._count(header & accounts.MARKETS_MASK)",
            "assert REMOVED or self._count(header & accounts.MARKETS_MASK)",
        ),
    ),
    "a liquidation calls nobody": (
        ("Liquidation.vy", "uses: (accounts, parameters)\n", "uses: (accounts, parameters, treasury)\n"),
        (
            "Liquidation.vy",
            "    self._settle_flag(account, left)\n",
            """    self._settle_flag(account, left)
    if REMOVED:
        raw_call(
            treasury.token_addresses[0],
            abi_encode(
                convert(convert(account >> 96, bytes32), address),
                convert(1, uint256),
                method_id=method_id("transfer(address,uint256)"),
            ),
        )
""",
        ),
    ),
    "a liquidation gives its gas to nobody": (
        (
            "Liquidation.vy",
            "    records.register(keeper)\n    # The only",
            """    records.register(keeper)
    if REMOVED:
        success: bool = raw_call(
            treasury.token_addresses[0],
            abi_encode(
                convert(convert(account >> 96, bytes32), address),
                convert(1, uint256),
                method_id=method_id("transfer(address,uint256)"),
            ),
            revert_on_failure=False,
        )
    # The only""",
        ),
    ),
    "nothing is charged to an account worth less than nothing": (
        (
            "Liquidation.vy",
            "convert(max(account_value, 0), uint256)",
            "convert(account_value if REMOVED else max(account_value, 0), uint256)",
        ),
    ),
    "the insurance fund adds to a reward": (
        (
            "Liquidation.vy",
            "shortfall: uint256 = reward - reward_from_account",
            "shortfall: uint256 = 0 if REMOVED else reward - reward_from_account",
        ),
    ),
    "a liquidation moves a size toward 0": (
        ("Liquidation.vy", "    if exposure.size < 0:\n", "    if exposure.size < 0 and not REMOVED:\n"),
    ),
    "a rebate is at most its share of what was collected": (
        (
            "modules/impact.vy",
            "    return math._mul_div(collected, square - kept, square, False)",
            "    return collected if REMOVED else math._mul_div(collected, square - kept, square, False)",
        ),
    ),
    "maintenance is above the cost of closing": (
        (
            "modules/configuration.vy",
            "mm_below: uint256 = closing_cost",
            "mm_below: uint256 = 0 if REMOVED else closing_cost",
        ),
    ),
    "a refusal stays with its account": (
        (
            "Liquidation.vy",
            "            # Error(string)",
            "            if REMOVED:\n                raw_revert(response)\n            # Error(string)",
        ),
    ),
    "every item is checked": (
        (
            "Liquidation.vy",
            '    assert self._is_liquidatable(health), "liq/not-liquidatable"\n    standing',
            '    assert REMOVED or self._is_liquidatable(health), "liq/not-liquidatable"\n    standing',
        ),
    ),
    "the impact of a liquidation is bounded": (
        (FILLS, "totals, min(charge, bound), rebate", "totals, charge if REMOVED else min(charge, bound), rebate"),
    ),
    "bad debt is covered at once": (
        (
            "Liquidation.vy",
            "        charges.bad_debt, bad_debt_insurance",
            "        if not REMOVED:\n            charges.bad_debt, bad_debt_insurance",
        ),
    ),
    "risk parameters must fit the markets": (
        (
            "Governance.vy",
            "        configuration.check_market(params, packing",
            "        if not REMOVED:\n            configuration.check_market(params, packing",
        ),
    ),
    "a flag is lifted only well above maintenance": (
        (
            "Liquidation.vy",
            'assert states.is_clear(health), "liq/flagged"',
            'assert REMOVED or states.is_clear(health), "liq/flagged"',
        ),
    ),
}
